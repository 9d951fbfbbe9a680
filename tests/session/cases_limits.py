# SPDX-License-Identifier: Apache-2.0
"""What one client may have under way, and what a plan says of the rest."""
import grpc

from cases_life import Case
from harness import Session, details, key, mac, nve_pb2_grpc, pb, plan_pb2, reason_pb2

Code = grpc.StatusCode


class PerClientCase(Case):
    def info(self, error, resource):
        self.assertEqual(error.code(), Code.RESOURCE_EXHAUSTED)
        _, info = details(error)
        self.assertEqual((info.reason, info.metadata["resource"]), ("TOO_MANY_REQUESTS", resource))
        self.assertTrue(info.metadata["remedy"])
        return info


class PerClient(PerClientCase):
    args = ("--connections", 2, "--streams", 3, "--calls", 4)

    def test_one_stream_too_many_is_refused_by_name_and_room_comes_back(self):
        sessions = [Session(self.channel) for _ in range(3)]
        with self.assertRaises(grpc.RpcError) as caught:
            Session(self.channel)
        info = self.info(caught.exception, "client.streams")
        self.assertEqual((info.metadata["used"], info.metadata["max"]), ("3", "3"))
        sessions.pop().half_close()
        while True:  # the end of a stream is told after the fact
            try:
                sessions.append(Session(self.channel))
                break
            except grpc.RpcError as e:
                self.info(e, "client.streams")

    def test_one_call_too_many_is_refused_by_name_and_the_others_are_answered(self):
        self.server.say("pause")
        waiting = [self.nve.Associate.future(pb.AssociateRequest(tsi=key(n), addresses=[mac(n)]))
                   for n in range(1, 8)]
        early = [f for f in waiting if self.fails(f)]
        self.assertEqual(len(early), 3)
        for f in early:
            self.info(f.exception(), "client.calls")
        other = self.server.channel(self.server.tcp)  # who is another client is not concerned
        answer = nve_pb2_grpc.SignalingStub(other).Associate.future(
            pb.AssociateRequest(tsi=key(50)))
        self.server.say("resume")
        self.assertEqual(answer.result(30).state, pb.TSI_STATE_ASSOCIATED)
        for f in waiting:
            if f not in early:
                self.assertEqual(f.result(30).state, pb.TSI_STATE_ASSOCIATED)
        other.close()

    @staticmethod
    def fails(future):
        try:
            return future.exception(timeout=0.3) is not None
        except grpc.FutureTimeoutError:
            return False

    def test_a_third_connection_of_a_client_is_refused(self):
        channels = [self.server.channel() for _ in range(3)]
        sessions = [Session(c) for c in channels[:2]]
        with self.assertRaises(grpc.RpcError) as caught:
            nve_pb2_grpc.AdminStub(channels[2]).GetStatus(pb.GetStatusRequest(), timeout=30)
        self.info(caught.exception, "client.connections")
        for c in channels:
            c.close()
        self.assertEqual(len(sessions), 2)


class Bytes(PerClientCase):
    args = ("--bytes", 40000)

    def test_bytes_under_way_are_bounded_and_nothing_is_lost(self):
        s = Session(self.channel)
        self.server.say("pause")
        for n in range(1, 101):  # of 2 KB each
            s.send(n, associate=pb.AssociateRequest(
                tsi=key(n), addresses=[mac(1000 * n + m) for m in range(200)]))
        code = Code.DEADLINE_EXCEEDED
        while code == Code.DEADLINE_EXCEEDED:  # until the session has sent as much as it may
            with self.assertRaises(grpc.RpcError) as caught:
                self.nve.Keepalive(pb.KeepaliveRequest(tsis=[key(1)]), timeout=0.2)
            code = caught.exception.code()
        self.info(caught.exception, "client.bytes")
        self.server.say("resume")
        answers = [s.answer() for _ in range(100)]
        self.assertEqual([a.request_id for a in answers], list(range(1, 101)))
        self.assertFalse(any(a.HasField("status") for a in answers))


class Plan(Case):
    args = ("--tsis", 20)

    def plan(self, *steps):
        return self.admin.Plan(plan_pb2.PlanRequest(steps=steps), timeout=30)

    def everything(self):
        tables = [(t.name, t.used) for t in self.admin.ListTables(pb.ListTablesRequest()).tables]
        return tables, [part.SerializeToString() for t in ("tsi", "fdb", "flood") for part in
                        self.admin.DumpTable(pb.DumpTableRequest(table=t))]

    def test_requests_are_answered_as_they_would_be_and_nothing_changes(self):
        self.nve.Activate(pb.ActivateRequest(tsi=key(1), addresses=[mac(1)]))
        before = self.everything()
        associate = pb.AssociateRequest(tsi=key(2), addresses=[mac(2)])
        clash = pb.AssociateRequest(tsi=key(3), addresses=[mac(2)])
        r = self.plan(plan_pb2.PlanStep(vn_connect=pb.VnConnectRequest(
                          port="p2", vn=pb.VnRef(id=101)).SerializeToString()),
                      plan_pb2.PlanStep(associate=associate.SerializeToString()),
                      plan_pb2.PlanStep(associate=clash.SerializeToString()),
                      plan_pb2.PlanStep(associate=b"\xff"))
        self.assertFalse(r.fits)
        self.assertEqual([x.reason for x in r.results],
                         [0, 0, reason_pb2.REASON_ADDRESS_IN_USE,
                          reason_pb2.REASON_INVALID_REQUEST])
        self.assertEqual([x.done for x in r.results], [1, 1, 0, 0])
        pools = {p.name: (p.used, p.then, p.max) for p in r.pools}
        self.assertEqual(pools["tsis"], (1, 2, 20))
        self.assertEqual(pools["vns"][:2], (1, 2))
        self.assertEqual(pools["table.fdb"][:2], (1, 2))
        self.assertEqual(self.everything(), before)
        done = self.nve.Associate(associate)  # as it was told
        self.assertEqual(done.tag, r.results[1].tag)

    def test_many_are_counted_up_to_the_pool_that_is_full(self):
        self.nve.Activate(pb.ActivateRequest(tsi=key(1), addresses=[mac(1)]))
        before = self.everything()
        many = {"addresses": 3, "port": "p1", "vn_ids": [100, 101], "activate": True}
        r = self.plan(plan_pb2.PlanStep(many=plan_pb2.PlanMany(tsis=19, **many)))
        self.assertTrue(r.fits)
        self.assertEqual({p.name: p.then for p in r.pools}["addresses"], 1 + 3 * 19)
        r = self.plan(plan_pb2.PlanStep(many=plan_pb2.PlanMany(tsis=30, **many)))
        self.assertFalse(r.fits)
        x = r.results[0]
        self.assertEqual((x.done, x.reason, x.resource, x.used, x.max),
                         (19, reason_pb2.REASON_NO_RESOURCES, "tsis", 20, 20))
        self.assertEqual(self.everything(), before)

    def test_a_plan_out_of_bounds_is_refused(self):
        one = {"port": "p1", "vn_ids": [100]}
        for many, reason in (({"tsis": 0, **one}, "INVALID_REQUEST"),
                             ({"tsis": 16385, **one}, "TOO_LARGE"),
                             ({"tsis": 1, "port": "p1"}, "INVALID_VN"),
                             ({"tsis": 1, "port": "x", "vn_ids": [1]}, "UNKNOWN_PORT"),
                             ({"tsis": 1, "addresses": 257, **one}, "TOO_MANY_ADDRESSES")):
            with self.assertRaises(grpc.RpcError) as caught:
                self.plan(plan_pb2.PlanStep(many=plan_pb2.PlanMany(**many)))
            self.assertIn(reason, str(caught.exception.trailing_metadata()))
        for steps in ((), (plan_pb2.PlanStep(),), [plan_pb2.PlanStep(associate=b"")] * 257):
            with self.assertRaises(grpc.RpcError):
                self.plan(*steps)
