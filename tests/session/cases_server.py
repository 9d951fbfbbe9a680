# SPDX-License-Identifier: Apache-2.0
"""Sockets, second agents, and the end of the server."""
import os
import signal
import stat
import threading
import unittest

import grpc

from cases_life import Case
from harness import NVA, TMP, Server, Session, details, error_info, key, nve_pb2_grpc, pb

Code = grpc.StatusCode


class Sockets(unittest.TestCase):
    def refused(self, listen, words):
        s = Server(listen=listen)
        self.assertFalse(s.ready)
        self.assertEqual(s.end()[0], 2)
        self.assertIn(words, s.stderr())

    def test_only_loopback_and_unix_sockets_are_listened_on(self):
        for address in ("0.0.0.0:0", "[::]:0", "192.0.2.1:4800", "[fe80::1]:4800"):
            self.refused([address], "not loopback; without TLS")
        for address in ("localhost:1", "4800", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536",
                        "unix", "::1:4800", "dns:///x:1"):
            self.refused([address], "listener '")
        self.refused(["unix:relative"], "must begin with '/'")
        self.refused(["unix:/" + "x" * 200], "too long")

    def test_a_unix_socket_has_mode_0660_and_goes_with_the_server(self):
        s = Server()
        self.assertEqual(stat.S_IMODE(os.stat(s.unix).st_mode), 0o660)
        s.close()
        self.assertFalse(os.path.exists(s.unix) or os.path.exists(s.unix + ".lock"))

    def test_all_listeners_serve(self):
        s = Server(listen=[f"unix:{TMP}/many", "127.0.0.1:0", "[::1]:0"])
        for target in (f"unix:{TMP}/many", f"127.0.0.1:{s.ports[1]}", f"[::1]:{s.ports[2]}"):
            nve_pb2_grpc.AdminStub(s.channel(target)).GetStatus(pb.GetStatusRequest(), timeout=30)
        s.close()

    def test_a_second_agent_on_the_same_socket_is_refused(self):
        s = Server()
        self.refused([f"unix:{s.unix}"], "another agent serves it")
        self.refused([s.tcp], "cannot listen")
        nve_pb2_grpc.AdminStub(s.channel()).GetStatus(pb.GetStatusRequest(), timeout=30)
        s.close()

    def test_the_socket_of_a_killed_agent_is_taken_over(self):
        s = Server()
        s.process.send_signal(signal.SIGKILL)
        s.end()
        self.assertTrue(os.path.exists(s.unix))
        again = Server(listen=[f"unix:{s.unix}"])
        nve_pb2_grpc.AdminStub(again.channel(f"unix:{s.unix}")).GetStatus(
            pb.GetStatusRequest(), timeout=30)
        again.close()

    def test_a_file_that_is_no_socket_is_left_alone(self):
        self.refused([f"unix:{NVA}"], "not a socket")
        self.assertTrue(os.path.getsize(NVA) > 0)


class Shutdown(Case):
    def test_sessions_under_load_end_with_every_request_answered(self):
        outcome = []

        def load():
            s = Session(self.server.channel())
            s.send(0, hello=pb.Hello(ports=["p2"]))
            sent, answered = 0, set()
            try:
                while True:
                    while sent - len(answered) < 200:
                        sent += 1
                        s.send(sent, keepalive=pb.KeepaliveRequest(tsis=[key(1)]))
                    a = s.answer()
                    if a.request_id:
                        answered.add(a.request_id)
                    if len(answered) == 1000:
                        running.release()
            except grpc.RpcError as e:
                outcome.append((e.code(), details(e)[1].reason, answered))

        running = threading.Semaphore(0)
        threads = [threading.Thread(target=load) for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            running.acquire()
        self.server.say("stop 10000")
        for t in threads:
            t.join(30)
        self.assertEqual(self.server.end(), (0, True))
        self.assertEqual([o[:2] for o in outcome], [(Code.UNAVAILABLE, "SHUTTING_DOWN")] * 4)
        for _, _, answered in outcome:  # in order, none left out
            self.assertEqual(answered, set(range(1, len(answered) + 1)))

    def test_outstanding_requests_are_answered_before_the_end(self):
        s = Session(self.channel)
        self.server.say("pause")
        for n in range(1, 258):
            s.send(n, associate=pb.AssociateRequest(tsi=key(n)))
        self.assertEqual(error_info(s.answer().status).reason, "TOO_MANY_REQUESTS")
        self.server.process.stdin.write("stop 10000\nresume\n")
        self.server.process.stdin.flush()
        answers = [s.answer() for _ in range(256)]
        self.assertFalse(any(a.HasField("status") for a in answers))
        with self.assertRaises(grpc.RpcError) as caught:
            s.answer()
        self.assertEqual(details(caught.exception)[1].reason, "SHUTTING_DOWN")
        self.assertEqual(self.server.end(), (0, True))

    def test_the_grace_time_ends_what_does_not_end_itself(self):
        s = Session(self.channel)
        self.server.say("pause")
        for n in range(1, 258):
            s.send(n, associate=pb.AssociateRequest(tsi=key(n)))
        s.answer()
        unary = self.nve.Associate.future(pb.AssociateRequest(tsi=key(999)), timeout=30)
        self.server.say("stop 0")  # still paused
        with self.assertRaises(grpc.RpcError):
            while True:
                s.recv()
        self.assertNotEqual(unary.code(), Code.OK)
        code, stopped = self.server.end()
        self.assertEqual((code, stopped), (0, False))

    def test_a_new_call_is_refused_once_it_stops(self):
        watch = self.admin.Watch(pb.WatchRequest(), timeout=30)
        watch.initial_metadata()
        self.server.say("stop 5000")
        with self.assertRaises(grpc.RpcError) as caught:
            next(watch)
        self.assertEqual(details(caught.exception)[1].reason, "SHUTTING_DOWN")
        self.assertEqual(self.server.end(), (0, True))
        with self.assertRaises(grpc.RpcError) as caught:
            self.nve.Associate(pb.AssociateRequest(tsi=key(1)), timeout=30)
        self.assertEqual(caught.exception.code(), Code.UNAVAILABLE)
