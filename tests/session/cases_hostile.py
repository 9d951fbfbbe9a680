# SPDX-License-Identifier: Apache-2.0
"""Bytes that no honest client sends: an answer each time, and the server still up."""
import random

import grpc

from cases_life import Case
from harness import (Session, details, error_info, key, mac, pb, raw)

Code = grpc.StatusCode
UNARY = ["/nve.v1.Signaling/" + m for m in
         ("VnConnect", "VnDisconnect", "Associate", "Activate", "Deactivate", "Disassociate",
          "Clear", "Update", "Keepalive", "Keepactive")] + \
        ["/nve.v1.Admin/GetStatus", "/nve.v1.Admin/ListDrops", "/nve.v1.Admin/ListTables",
         "/nve.v1.Admin/Why", "/grpc.health.v1.Health/Check"]
STREAMS = ["/nve.v1.Admin/" + m for m in ("ListPorts", "ListVns", "ListTsis", "DumpTable",
                                          "Watch")] + \
          ["/nve.v1.Signaling/Session", "/grpc.health.v1.Health/Watch",
           "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
           "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"]


class Hostile(Case):
    def alive(self):
        self.assertEqual(self.nve.Associate(pb.AssociateRequest(tsi=key(77)), timeout=30).state,
                         pb.TSI_STATE_ASSOCIATED)

    def test_10000_random_bytes_to_every_method(self):
        rng = random.Random(7)
        for path in UNARY:
            with self.assertRaises(grpc.RpcError) as caught:
                raw(self.channel, path)(rng.randbytes(10000), timeout=30)
            self.assertEqual(details(caught.exception)[1].reason, "INVALID_REQUEST", path)
        for path in STREAMS:
            call = raw(self.channel, path, streams=True)(iter([rng.randbytes(10000)]), timeout=30)
            if path.endswith("/Session"):
                self.assertEqual(len(list(call)), 2)  # Welcome and one Answer
                continue
            with self.assertRaises(grpc.RpcError) as caught:
                list(call)
            self.assertEqual(caught.exception.code(), Code.INVALID_ARGUMENT, path)
        self.alive()

    def test_truncated_messages_to_every_method(self):
        whole = pb.ActivateRequest(tsi=key(1), addresses=[mac(1), mac(2)]).SerializeToString()
        for path in UNARY[:10]:
            calls = [raw(self.channel, path).future(whole[:n], timeout=30)
                     for n in range(0, len(whole), 3)]
            for call in calls:
                self.assertIn(call.code(), (Code.INVALID_ARGUMENT, Code.NOT_FOUND, Code.OK))
        self.alive()

    def test_garbage_on_a_session_is_answered_and_the_stream_goes_on(self):
        good = pb.SessionRequest(request_id=8, keepalive=pb.KeepaliveRequest(tsis=[key(1)]))
        broken = b"\x08\x07" + b"\x2a\xff\xff"  # id 7, then an associate cut short
        wire = [b"\xff\xff\xff", broken, good.SerializeToString()]
        call = raw(self.channel, "/nve.v1.Signaling/Session", streams=True)(iter(wire),
                                                                           timeout=30)
        replies = [pb.SessionReply.FromString(m) for m in call]
        answers = [r.answer for r in replies if r.WhichOneof("reply") == "answer"]
        self.assertEqual([a.request_id for a in sorted(answers, key=lambda a: a.request_id)],
                         [0, 7, 8])
        for a in answers:
            if a.request_id != 8:
                self.assertEqual(error_info(a.status).reason, "INVALID_REQUEST")
        self.assertEqual(call.code(), Code.OK)

    def test_a_message_beyond_the_limit_is_too_large(self):
        for size in (65537, 200000, 300000, 5000000):
            call = raw(self.channel, UNARY[2])
            with self.assertRaises(grpc.RpcError) as caught:
                call(b"\x7a" * size, timeout=30)
            self.assertEqual(caught.exception.code(), Code.RESOURCE_EXHAUSTED, size)
            if size < 4 * 65536:
                self.assertEqual(details(caught.exception)[1].reason, "TOO_LARGE")
        self.alive()

    def test_a_session_answers_too_large_and_goes_on(self):
        big = pb.SessionRequest(request_id=5, hello=pb.Hello(client="x" * 70000))
        good = pb.SessionRequest(request_id=6, keepalive=pb.KeepaliveRequest(tsis=[key(1)]))
        wire = [big.SerializeToString(), good.SerializeToString()]
        call = raw(self.channel, "/nve.v1.Signaling/Session", streams=True)(iter(wire),
                                                                           timeout=30)
        answers = [pb.SessionReply.FromString(m).answer for m in call][1:]
        self.assertEqual([a.request_id for a in answers], [5, 6])
        self.assertEqual(error_info(answers[0].status).reason, "TOO_LARGE")

    def test_unknown_methods_and_services_are_answered(self):
        for path in ("/nve.v1.Signaling/Nothing", "/nve.v2.Signaling/Activate", "/a/b",
                     "/nve.v1.Signaling/activate"):
            with self.assertRaises(grpc.RpcError) as caught:
                raw(self.channel, path)(b"", timeout=30)
            self.assertEqual(caught.exception.code(), Code.UNIMPLEMENTED)
            self.assertEqual(details(caught.exception)[1].reason, "UNKNOWN_METHOD")
        calls = [raw(self.channel, f"/x/{n}").future(b"", timeout=30) for n in range(100)]
        self.assertEqual({c.code() for c in calls}, {Code.UNIMPLEMENTED})

    def test_oversized_metadata_hurts_only_its_sender(self):
        other = self.server.channel()
        with self.assertRaises(grpc.RpcError):
            raw(other, UNARY[0])(b"", timeout=30, metadata=[("x", "y" * 60000)])
        other.close()
        self.alive()

    def test_a_call_without_a_message_is_refused(self):
        call = self.channel.stream_unary(UNARY[2], request_serializer=None,
                                         response_deserializer=None)
        with self.assertRaises(grpc.RpcError) as caught:
            call(iter([]), timeout=30)
        self.assertNotIn(caught.exception.code(), (Code.OK, Code.DEADLINE_EXCEEDED))
        self.alive()

    def test_compressed_messages_are_not_inflated(self):
        bomb = b"\0" * 60000
        call = raw(self.channel, UNARY[2])
        with self.assertRaises(grpc.RpcError) as caught:
            call(bomb, timeout=30, compression=grpc.Compression.Gzip)
        self.assertNotEqual(caught.exception.code(), Code.DEADLINE_EXCEEDED)
        self.alive()

    def test_calls_that_vanish_while_outstanding_are_forgotten(self):
        self.server.say("pause")
        calls = [self.nve.Associate.future(pb.AssociateRequest(tsi=key(n)), timeout=30)
                 for n in range(1, 51)]
        for c in calls[::2]:
            c.cancel()
        self.server.say("resume")
        for c in calls[1::2]:
            self.assertEqual(c.result().state, pb.TSI_STATE_ASSOCIATED)
        self.alive()

    def test_idle_sessions_do_not_hinder_others(self):
        idle = [Session(self.channel) for _ in range(50)]
        self.alive()
        self.assertEqual(len({s.welcome.nve for s in idle}), 1)
