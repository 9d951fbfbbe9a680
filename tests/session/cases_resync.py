# SPDX-License-Identifier: Apache-2.0
"""Resync (D9): a client lists what it has, says that it is all, and only then the rest goes."""
import grpc

from cases_life import Case
from harness import Proxy, Session, error_info, key, mac, pb, reason_pb2

Code = grpc.StatusCode
NOT_LISTED = reason_pb2.REASON_NOT_LISTED


class Resync(Case):
    def have(self, *numbers, port="p1"):
        for n in numbers:
            self.nve.Activate(pb.ActivateRequest(tsi=key(n, port), addresses=[mac(n)]))

    def there(self):
        return {(int.from_bytes(t.key.tsi_id, "big"), t.key.port)
                for part in self.admin.ListTsis(pb.ListTsisRequest()) for t in part.tsis}

    def test_what_is_not_listed_goes_with_done_and_a_reason_and_not_before(self):
        self.have(1, 2, 3, 4)
        self.have(9, port="p2")
        self.nve.Associate(pb.AssociateRequest(tsi=key(5), addresses=[mac(5)]))
        s, watcher = Session(self.channel), Session(self.channel)
        s.send(1, resync=pb.ResyncRequest(ports=["p1"], tsis=[key(1)]))
        s.send(2, resync=pb.ResyncRequest(tsis=[key(3), key(77)]))
        first, second = s.answer(), s.answer()
        self.assertEqual((first.resync.known, len(first.resync.failures)), (1, 0))
        self.assertEqual([(f.index, f.reason) for f in second.resync.failures],
                         [(1, reason_pb2.REASON_UNKNOWN_TSI)])
        self.assertEqual(len(self.there()), 6)
        s.send(3, resync=pb.ResyncRequest(done=True))
        self.assertEqual(s.answer().resync.cleared, 3)
        self.assertEqual(self.there(), {(1, "p1"), (3, "p1"), (9, "p2")})
        gone = [e.tsi_state for e in (watcher.event() for _ in range(3))]
        self.assertEqual({int.from_bytes(e.tsi.tsi_id, "big") for e in gone}, {2, 4, 5})
        self.assertEqual({(e.to, e.reason) for e in gone}, {(pb.TSI_STATE_INIT, NOT_LISTED)})

    def test_a_session_that_ends_before_done_changes_nothing(self):
        self.have(1, 2)
        proxy = Proxy(self.server.tcp)
        channel = self.server.channel(proxy.address)
        s = Session(channel)
        s.send(1, resync=pb.ResyncRequest(ports=["p1"], tsis=[key(1)]))
        s.answer()
        proxy.cut()
        channel.close()
        other = Session(self.channel)
        other.send(1, resync=pb.ResyncRequest(done=True))  # nothing has begun here
        self.assertEqual(error_info(other.answer().status).reason, "INVALID_REQUEST")
        self.assertEqual(self.there(), {(1, "p1"), (2, "p1")})

    def test_what_comes_or_changes_after_the_beginning_stays(self):
        self.have(1, 2)
        self.nve.Associate(pb.AssociateRequest(tsi=key(3), addresses=[mac(3)]))
        s = Session(self.channel)
        s.send(1, resync=pb.ResyncRequest(ports=["p1", "p2"]))
        s.answer()
        self.have(3, 4)
        self.nve.Deactivate(pb.DeactivateRequest(tsi=key(2)))
        s.send(2, resync=pb.ResyncRequest(done=True))
        self.assertEqual(s.answer().resync.cleared, 1)
        self.assertEqual(self.there(), {(2, "p1"), (3, "p1"), (4, "p1")})

    def test_a_list_that_cannot_be_told_sweeps_nothing(self):
        self.have(1, 2)
        s = Session(self.channel)
        odd = pb.TsiKey(tsi_id=key(1).tsi_id, port="p1", vn=pb.VnRef(name="typo"))
        for doubtful in (odd, pb.TsiKey(tsi_id=b"short", port="p1", vn=pb.VnRef(id=100))):
            s.send(1, resync=pb.ResyncRequest(ports=["p1"], tsis=[key(1), doubtful]))
            self.assertEqual(s.answer().resync.known, 1)
            s.send(2, resync=pb.ResyncRequest(done=True))
            self.assertEqual(error_info(s.answer().status).reason, "UNKNOWN_VN")
        self.assertEqual(len(self.there()), 2)
        s.send(3, resync=pb.ResyncRequest(ports=["p1"], tsis=[key(1)], done=True))  # begins anew
        self.assertEqual(s.answer().resync.cleared, 1)

    def test_one_message_is_enough_for_a_unary_call_and_must_be_all(self):
        self.have(1, 2, 3)
        for part in (pb.ResyncRequest(ports=["p1"]), pb.ResyncRequest(done=True)):
            self.refused(self.nve.Resync, part, Code.INVALID_ARGUMENT, "INVALID_REQUEST")
        self.refused(self.nve.Resync, pb.ResyncRequest(ports=["nowhere"], done=True),
                     Code.NOT_FOUND, "UNKNOWN_PORT", field="ports")
        self.refused(self.nve.Resync, pb.ResyncRequest(ports=["p1"], tsis=[key(1)] * 513,
                                                       done=True),
                     Code.RESOURCE_EXHAUSTED, "TOO_LARGE", field="tsis")
        self.assertEqual(len(self.there()), 3)
        r = self.nve.Resync(pb.ResyncRequest(ports=["p1"], tsis=[key(2)], done=True))
        self.assertEqual((r.known, r.cleared), (1, 2))
        self.assertEqual(self.there(), {(2, "p1")})

    def test_thousands_are_listed_in_batches_and_swept_in_one_go(self):
        s = Session(self.channel)
        for n in range(1, 3001):
            s.send(n, associate=pb.AssociateRequest(tsi=key(n, vn=100 + n % 8)))
            if n % 200 == 0:
                for _ in range(200):
                    self.assertFalse(s.answer().HasField("status"))
        s.send(1, resync=pb.ResyncRequest(ports=["p1"]))
        keys = [key(n, vn=100 + n % 8) for n in range(1, 3001, 2)]
        for at in range(0, len(keys), 512):
            s.send(2, resync=pb.ResyncRequest(tsis=keys[at:at + 512]))
        s.send(3, resync=pb.ResyncRequest(done=True))
        answers = [s.answer() for _ in range(5)]
        self.assertEqual(sum(a.resync.known for a in answers), 1500)
        self.assertEqual(answers[-1].resync.cleared, 1500)
