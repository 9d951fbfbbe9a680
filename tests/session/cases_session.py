# SPDX-License-Identifier: Apache-2.0
"""The Session stream: pipelining, the window, events, and its ends."""
import grpc

from cases_life import Case
from harness import (Proxy, Session, details, error_info, key, mac, nve_pb2_grpc, pb)

Code = grpc.StatusCode


def associate(n, **more):
    return {"associate": pb.AssociateRequest(tsi=key(n), addresses=[mac(n)], **more)}


class Pipelining(Case):
    def test_welcome_comes_first_and_tells_the_limits(self):
        w = Session(self.channel).welcome
        self.assertEqual((w.nve, w.max_outstanding, w.max_message_bytes),
                         ("nve-test", 256, 65536))
        self.assertGreater(w.next_event_seq, 0)

    def test_256_outstanding_requests_are_all_answered(self):
        s = Session(self.channel)
        s.send(1, hello=pb.Hello(client="py", ports=["p2"]))
        self.assertEqual(s.answer().WhichOneof("reply"), "hello")
        for rounds in range(4):
            verb = ("associate", "activate", "deactivate", "disassociate")[rounds]
            kind = getattr(pb, verb.capitalize() + "Request")
            for n in range(1, 257):
                s.send(1000 * rounds + n, **{verb: kind(tsi=key(n))})
            answers = [s.answer() for _ in range(256)]
            self.assertEqual([a.request_id for a in answers],
                             [1000 * rounds + n for n in range(1, 257)])
            self.assertFalse(any(a.HasField("status") for a in answers))
            self.assertEqual({a.tsi.state for a in answers}, {(1, 2, 1, 0)[rounds]})

    def test_every_kind_of_request_has_its_kind_of_answer(self):
        s = Session(self.channel)
        for request, kind in (
                ({"hello": pb.Hello()}, "hello"),
                ({"vn_connect": pb.VnConnectRequest(port="p1", vn=pb.VnRef(id=100))},
                 "vn_connect"),
                (associate(1), "tsi"),
                ({"activate": pb.ActivateRequest(tsi=key(1))}, "tsi"),
                ({"update": pb.UpdateRequest(tsi=key(1), add=[mac(7)])}, "tsi"),
                ({"keepalive": pb.KeepaliveRequest(tsis=[key(1)])}, "keepalive"),
                ({"keepactive": pb.KeepactiveRequest(tsis=[key(1)])}, "keepalive"),
                ({"deactivate": pb.DeactivateRequest(tsi=key(1))}, "tsi"),
                ({"disassociate": pb.DisassociateRequest(tsi=key(1))}, "tsi"),
                ({"clear": pb.ClearRequest(tsi_id=key(1).tsi_id, port="p1")}, "clear"),
                ({"vn_disconnect": pb.VnDisconnectRequest(port="p1", vn=pb.VnRef(id=100))},
                 "vn_disconnect")):
            s.send(5, **request)
            answer = s.answer()
            self.assertFalse(answer.HasField("status"), answer)
            self.assertEqual(answer.WhichOneof("reply"), kind)

    def test_refusals_on_the_stream_carry_the_same_status(self):
        s = Session(self.channel)
        s.send(9, deactivate=pb.DeactivateRequest(tsi=key(1)))
        a = s.answer()
        self.assertEqual((a.request_id, a.status.code), (9, Code.NOT_FOUND.value[0]))
        self.assertEqual(error_info(a.status).reason, "UNKNOWN_TSI")
        s.send(10)  # no request in it
        a = s.answer()
        self.assertEqual(a.request_id, 10)
        self.assertEqual(error_info(a.status).reason, "INVALID_REQUEST")

    def test_hello_is_refused_after_anything_else(self):
        s = Session(self.channel)
        s.send(1, keepalive=pb.KeepaliveRequest(tsis=[key(1)]))
        s.send(2, hello=pb.Hello())
        answers = {a.request_id: a for a in (s.answer(), s.answer())}  # as they complete
        self.assertFalse(answers[1].HasField("status"))
        self.assertEqual(error_info(answers[2].status).reason, "INVALID_REQUEST")

    def test_one_more_than_the_window_is_answered_too_many_requests(self):
        s = Session(self.channel)
        self.server.say("pause")
        for n in range(1, 301):
            s.send(n, **associate(n))
        early = [s.answer() for _ in range(44)]  # while nothing else is answered
        self.assertEqual([a.request_id for a in early], list(range(257, 301)))
        self.assertEqual({error_info(a.status).reason for a in early}, {"TOO_MANY_REQUESTS"})
        self.server.say("resume")
        late = [s.answer() for _ in range(256)]
        self.assertEqual([a.request_id for a in late], list(range(1, 257)))
        self.assertFalse(any(a.HasField("status") for a in late))
        s.send(301, **associate(301))
        self.assertFalse(s.answer().HasField("status"))


class Ends(Case):
    def test_half_close_still_delivers_what_is_outstanding(self):
        s = Session(self.channel)
        self.server.say("pause")
        for n in range(1, 101):
            s.send(n, **associate(n))
        s.half_close()
        self.server.say("resume")
        self.assertEqual([s.answer().request_id for _ in range(100)], list(range(1, 101)))
        with self.assertRaises(StopIteration):
            while True:
                s.recv()
        self.assertEqual(s.call.code(), Code.OK)

    def test_a_cut_connection_loses_answers_but_no_request(self):
        proxy = Proxy(self.server.tcp)
        s = Session(self.server.channel(proxy.address))
        self.server.say("pause")
        for n in range(1, 258):
            s.send(n, **associate(n))
        self.assertEqual(error_info(s.answer().status).reason, "TOO_MANY_REQUESTS")
        proxy.cut()  # with 256 outstanding
        with self.assertRaises(grpc.RpcError) as caught:
            s.answer()
        self.assertEqual(caught.exception.code(), Code.UNAVAILABLE)
        self.server.say("resume")
        tsis = []
        while len(tsis) < 256:  # an RPC each time round
            tsis = [t for m in self.admin.ListTsis(pb.ListTsisRequest()) for t in m.tsis]
        self.assertEqual(len(tsis), 256)
        while self.admin.GetStatus(pb.GetStatusRequest()).sessions > 0:
            pass
        self.assertFalse(Session(self.channel).welcome is None)

    def test_a_client_that_cancels_leaves_nothing_behind(self):
        self.server.say("pause")
        sessions = [Session(self.server.channel(), welcome=False) for _ in range(20)]
        self.server.say("resume")
        for s in sessions:
            s.recv()
            s.send(1, **associate(1))
            s.call.cancel()
        while self.admin.GetStatus(pb.GetStatusRequest()).sessions > 0:
            pass


class FewSessions(Case):
    args = ("--sessions", 2)

    def test_one_session_too_many_is_refused_and_room_comes_back(self):
        two = [Session(self.channel), Session(self.channel)]
        with self.assertRaises(grpc.RpcError) as caught:
            Session(self.channel)
        _, info = details(caught.exception)
        self.assertEqual((info.reason, info.metadata["resource"], info.metadata["max"]),
                         ("NO_RESOURCES", "sessions", "2"))
        two[0].call.cancel()
        while self.admin.GetStatus(pb.GetStatusRequest()).sessions > 1:
            pass
        self.assertTrue(Session(self.channel).welcome)


class Events(Case):
    def test_events_tell_what_others_did_in_order(self):
        watcher = Session(self.channel)
        actor = Session(self.channel)
        actor.send(1, hello=pb.Hello(client="hypervisor-7", ports=["p2"]))
        actor.send(2, activate=pb.ActivateRequest(tsi=key(1)))
        actor.send(3, **{"clear": pb.ClearRequest(tsi_id=key(1).tsi_id, port="p1")})
        events = [watcher.event() for _ in range(4)]
        self.assertEqual([e.WhichOneof("event") for e in events],
                         ["vn_connected", "tsi_state", "tsi_state", "vn_disconnected"])
        self.assertEqual({e.client for e in events}, {"hypervisor-7"})
        self.assertEqual([e.seq for e in events],
                         list(range(events[0].seq, events[0].seq + 4)))
        self.assertGreaterEqual(events[0].seq, watcher.welcome.next_event_seq)
        change = events[1].tsi_state
        self.assertEqual((getattr(change, "from"), change.to, change.tsi), (0, 2, key(1)))
        actor.half_close()
        self.assertEqual([r.WhichOneof("reply") for r in actor.call], ["answer"] * 3)

    def test_a_window_holds_events_back_until_they_are_acknowledged(self):
        s = Session(self.channel)
        s.send(1, hello=pb.Hello(event_window=3))
        s.answer()
        for n in range(1, 11):
            s.send(n, **associate(n))
        for _ in range(10):
            s.answer()
        s.send(11, keepalive=pb.KeepaliveRequest(tsis=[key(1)]))
        s.answer()
        self.assertEqual(len(s.events), 3)  # of 11: vn_connected and ten tsi_state
        seen = []
        while len(seen) < 11:
            seen.append(s.event())
            s.send(event_ack=pb.EventAck(seq=seen[-1].seq))
        self.assertEqual([e.seq for e in seen], list(range(seen[0].seq, seen[0].seq + 11)))

    def test_lost_events_are_told_and_counted(self):
        s = Session(self.channel)
        s.send(1, hello=pb.Hello(event_window=1))
        s.answer()
        actor = Session(self.channel)
        actor.send(1, hello=pb.Hello(ports=["p2"]))
        actor.answer()
        for r in range(8):
            for n in range(1, 129):
                actor.send(n, **(associate(n) if r % 2 == 0 else
                                 {"disassociate": pb.DisassociateRequest(tsi=key(n))}))
            for _ in range(128):
                actor.answer()
        produced = 8 * 128 + 8  # each round connects or disconnects the VN
        got, e = 0, s.event()
        first = e.seq
        while e.WhichOneof("event") != "lost":
            got += 1
            s.send(event_ack=pb.EventAck(seq=e.seq))
            e = s.event()
        self.assertEqual(got, 1 + 1024)
        self.assertEqual(e.lost.count, produced - got)
        self.assertEqual(e.seq, first + produced - 1)
        s.send(event_ack=pb.EventAck(seq=e.seq))
        actor.send(1, **associate(1))
        self.assertEqual(s.event().seq, e.seq + 1)

    def test_a_client_that_does_not_read_costs_bounded_memory(self):
        slow = self.server.channel(**{"grpc.http2.bdp_probe": 0, "grpc.http2.lookahead_bytes": 0})
        readers = [Session(slow) for _ in range(10)]
        actor = Session(self.channel)
        actor.send(1, hello=pb.Hello(ports=["p2"]))
        actor.answer()

        def storm(rounds):
            for r in range(rounds):
                for n in range(1, 201):
                    actor.send(n, **(associate(n) if r % 2 == 0 else
                                     {"disassociate": pb.DisassociateRequest(tsi=key(n))}))
                for _ in range(200):
                    actor.answer()

        storm(20)
        before = self.server.memory()
        storm(60)
        self.assertLess(self.server.memory() - before, 24 << 20)
        last = readers[0].welcome.next_event_seq + 80 * 201 - 1
        e = readers[0].event()
        while e.WhichOneof("event") != "lost" and e.seq < last:
            e = readers[0].event()
        self.assertEqual(e.WhichOneof("event"), "lost")
        self.assertGreater(e.lost.count, 1000)

    def test_a_client_that_sends_and_does_not_read_is_not_read_either(self):
        slow = self.server.channel(**{"grpc.http2.bdp_probe": 0, "grpc.http2.lookahead_bytes": 0})
        s = Session(slow)
        before = self.server.memory()
        for n in range(20000):
            s.send(n, deactivate=pb.DeactivateRequest(tsi=key(1)))
        other = nve_pb2_grpc.SignalingStub(self.channel)
        other.Associate(pb.AssociateRequest(tsi=key(5)), timeout=30)
        self.assertLess(self.server.memory() - before, 24 << 20)
        ids = [s.answer().request_id for _ in range(20000)]
        self.assertEqual(sorted(ids), list(range(20000)))
