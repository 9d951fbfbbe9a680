# SPDX-License-Identifier: Apache-2.0
"""The life of a TSI through unary calls, and every refusal with its reason."""
import unittest

import grpc

from harness import Server, details, ip, key, mac, nve_pb2_grpc, pb, reason_pb2

Code = grpc.StatusCode


class Case(unittest.TestCase):
    args = ()

    def setUp(self):
        self.server = Server(*self.args)
        self.addCleanup(self.server.close)
        self.channel = self.server.channel()
        self.addCleanup(self.channel.close)
        self.nve = nve_pb2_grpc.SignalingStub(self.channel)
        self.admin = nve_pb2_grpc.AdminStub(self.channel)

    def refused(self, call, request, code, reason, **metadata):
        with self.assertRaises(grpc.RpcError) as caught:
            call(request, timeout=30)
        self.assertEqual(caught.exception.code(), code, caught.exception.details())
        _, info = details(caught.exception)
        self.assertEqual(info.reason, reason)
        self.assertTrue(info.metadata["remedy"])
        for name, value in metadata.items():
            self.assertEqual(info.metadata[name], value)
        return info


class Life(Case):
    def test_a_tsi_goes_through_its_whole_life(self):
        connected = self.nve.VnConnect(pb.VnConnectRequest(port="p1", vn=pb.VnRef(name="vn-100")))
        self.assertEqual((connected.vn_id, connected.vn_name), (100, "vn-100"))
        self.assertTrue(1 <= connected.tag <= 4094)
        self.assertEqual(connected.mtu, 1450)
        r = self.nve.Associate(pb.AssociateRequest(tsi=key(1), addresses=[mac(1)]))
        self.assertEqual((r.state, r.vn_id, r.tag, r.mtu, r.unchanged),
                         (pb.TSI_STATE_ASSOCIATED, 100, connected.tag, 1450, False))
        activate = pb.ActivateRequest(tsi=key(1), cause=pb.CAUSE_CREATE)
        r = self.nve.Activate(activate)
        self.assertEqual(r.state, pb.TSI_STATE_ACTIVATED)
        self.assertGreater(r.epoch, 0)
        self.assertTrue(self.nve.Activate(activate).unchanged)
        r = self.nve.Update(pb.UpdateRequest(tsi=key(1), add=[mac(2)], remove=[mac(1)]))
        self.assertEqual(r.state, pb.TSI_STATE_ACTIVATED)
        self.assertEqual(len(self.nve.Keepactive(pb.KeepactiveRequest(tsis=[key(1)])).failures), 0)
        r = self.nve.Deactivate(pb.DeactivateRequest(tsi=key(1)))
        self.assertEqual(r.state, pb.TSI_STATE_ASSOCIATED)
        r = self.nve.Disassociate(pb.DisassociateRequest(tsi=key(1)))
        self.assertEqual((r.state, r.tag, r.mtu), (pb.TSI_STATE_INIT, 0, 0))
        r = self.nve.VnDisconnect(pb.VnDisconnectRequest(port="p1", vn=pb.VnRef(id=100)))
        self.assertEqual(r.cleared, 0)

    def test_one_request_activates_a_vm_with_256_addresses(self):
        addresses = [ip(f"2001:db8::{n:x}") if n % 2 else mac(n) for n in range(1, 257)]
        r = self.nve.Activate(pb.ActivateRequest(tsi=key(1), addresses=addresses))
        self.assertEqual(r.state, pb.TSI_STATE_ACTIVATED)
        listed = [t for m in self.admin.ListTsis(pb.ListTsisRequest()) for t in m.tsis]
        self.assertEqual([a.address for a in listed[0].addresses], addresses)

    def test_clear_takes_every_instance_on_the_port(self):
        for vn in (100, 101, 102):
            self.nve.Activate(pb.ActivateRequest(tsi=key(1, vn=vn)))
        self.nve.Activate(pb.ActivateRequest(tsi=key(1, port="p2")))
        request = pb.ClearRequest(tsi_id=key(1).tsi_id, port="p1")
        self.assertEqual(self.nve.Clear(request).cleared, 3)
        self.assertEqual(self.nve.Clear(request).cleared, 0)
        left = [t for m in self.admin.ListTsis(pb.ListTsisRequest()) for t in m.tsis]
        self.assertEqual([t.key.port for t in left], ["p2"])

    def test_granted_timers_are_told(self):
        timers = pb.Timers(keepalive_ms=5000, keepactive_ms=1)
        r = self.nve.Associate(pb.AssociateRequest(tsi=key(1), timers=timers))
        self.assertEqual((r.keepalive_ms, r.keepactive_ms), (5000, 1000))

    def test_ignored_parameters_are_named(self):
        p = [pb.Parameter(name="org.example.qos", value=b"x"), pb.Parameter(name="b")]
        for r in (self.nve.Associate(pb.AssociateRequest(tsi=key(1), parameters=p)),
                  self.nve.VnConnect(pb.VnConnectRequest(port="p2", vn=pb.VnRef(id=101),
                                                         parameters=p)),
                  self.nve.Clear(pb.ClearRequest(tsi_id=key(1).tsi_id, port="p1", parameters=p))):
            self.assertEqual(list(r.ignored_parameters), ["org.example.qos", "b"])

    def test_a_batch_of_keepalives_lists_what_failed(self):
        for n in (1, 3):
            self.nve.Associate(pb.AssociateRequest(tsi=key(n)))
        tsis = [key(1), key(2), key(3), key(4, port="u1"), key(5, vn=999)]
        failures = self.nve.Keepalive(pb.KeepaliveRequest(tsis=tsis)).failures
        self.assertEqual([f.index for f in failures], [1, 3, 4])
        self.assertEqual(failures[0].reason, reason_pb2.REASON_UNKNOWN_TSI)
        self.assertEqual(failures[1].reason, reason_pb2.REASON_UNKNOWN_PORT)
        failures = self.nve.Keepactive(pb.KeepactiveRequest(tsis=[key(1)])).failures
        self.assertEqual(failures[0].reason, reason_pb2.REASON_ILLEGAL_TRANSITION)
        bad = [pb.TsiKey(tsi_id=b"short"), pb.TsiKey()]
        failures = self.nve.Keepalive(pb.KeepaliveRequest(tsis=bad)).failures
        self.assertEqual([f.reason for f in failures], [reason_pb2.REASON_INVALID_TSI_ID] * 2)


class Refusals(Case):
    def test_malformed_requests(self):
        n = self.nve
        a = pb.AssociateRequest
        for call, request, code, reason, field in (
                (n.Associate, a(), Code.INVALID_ARGUMENT, "INVALID_REQUEST", "tsi"),
                (n.Associate, a(tsi=pb.TsiKey(tsi_id=b"1", port="p1", vn=pb.VnRef(id=100))),
                 Code.INVALID_ARGUMENT, "INVALID_TSI_ID", "tsi.tsi_id"),
                (n.Associate, a(tsi=key(1, port="none")), Code.NOT_FOUND, "UNKNOWN_PORT",
                 "tsi.port"),
                (n.Associate, a(tsi=key(1, port="u1")), Code.NOT_FOUND, "UNKNOWN_PORT",
                 "tsi.port"),
                (n.Associate, a(tsi=key(1, vn=0)), Code.INVALID_ARGUMENT, "INVALID_VN",
                 "tsi.vn.id"),
                (n.Associate, a(tsi=key(1), tag=4095), Code.INVALID_ARGUMENT, "INVALID_TAG",
                 "tag"),
                (n.Associate, a(tsi=key(1), addresses=[pb.Address(mac=b"\xff" * 6)]),
                 Code.INVALID_ARGUMENT, "INVALID_ADDRESS", "addresses[0]"),
                (n.Associate, a(tsi=key(1), addresses=[mac(1), mac(1)]),
                 Code.INVALID_ARGUMENT, "INVALID_ADDRESS", "addresses[1]"),
                (n.Associate, a(tsi=key(1), addresses=[mac(i) for i in range(1, 258)]),
                 Code.INVALID_ARGUMENT, "TOO_MANY_ADDRESSES", "addresses"),
                (n.Keepalive, pb.KeepaliveRequest(), Code.INVALID_ARGUMENT, "INVALID_REQUEST",
                 "tsis"),
                (n.Keepalive, pb.KeepaliveRequest(tsis=[key(1)] * 513), Code.RESOURCE_EXHAUSTED,
                 "TOO_LARGE", "tsis"),
                (n.VnConnect, pb.VnConnectRequest(port="p1"), Code.INVALID_ARGUMENT,
                 "INVALID_VN", "vn"),
                (n.VnConnect, pb.VnConnectRequest(port="p1", vn=pb.VnRef(name="a\nb")),
                 Code.INVALID_ARGUMENT, "INVALID_VN", "vn.name")):
            with self.subTest(reason=reason, field=field):
                self.refused(call, request, code, reason, field=field)

    def test_parameters(self):
        p = [pb.Parameter(name="org.example.qos", critical=True)]
        self.refused(self.nve.Activate, pb.ActivateRequest(tsi=key(1), parameters=p),
                     Code.UNIMPLEMENTED, "UNKNOWN_PARAMETER", parameter="org.example.qos")
        p = [pb.Parameter(name="q", value=bytes(1025))]
        self.refused(self.nve.Activate, pb.ActivateRequest(tsi=key(1), parameters=p),
                     Code.INVALID_ARGUMENT, "INVALID_PARAMETER", parameter="q")

    def test_what_is_not_there(self):
        n = self.nve
        self.refused(n.Associate, pb.AssociateRequest(tsi=key(1, vn=999)), Code.NOT_FOUND,
                     "UNKNOWN_VN")
        self.refused(n.Deactivate, pb.DeactivateRequest(tsi=key(1)), Code.NOT_FOUND,
                     "UNKNOWN_TSI")
        self.refused(n.VnDisconnect, pb.VnDisconnectRequest(port="p1", vn=pb.VnRef(id=100)),
                     Code.NOT_FOUND, "VN_NOT_CONNECTED")
        n.Associate(pb.AssociateRequest(tsi=key(1), addresses=[mac(1)]))
        self.refused(n.Update, pb.UpdateRequest(tsi=key(1), remove=[mac(9)]), Code.NOT_FOUND,
                     "UNKNOWN_ADDRESS")

    def test_what_the_state_forbids(self):
        n = self.nve
        n.Activate(pb.ActivateRequest(tsi=key(1), addresses=[mac(1)]))
        self.refused(n.Associate, pb.AssociateRequest(tsi=key(1)), Code.FAILED_PRECONDITION,
                     "ILLEGAL_TRANSITION", state="ACTIVATED")
        self.refused(n.VnDisconnect, pb.VnDisconnectRequest(port="p1", vn=pb.VnRef(id=100),
                                                            only_if_unused=True),
                     Code.FAILED_PRECONDITION, "VN_IN_USE")
        self.refused(n.Associate, pb.AssociateRequest(tsi=key(2), addresses=[mac(1)]),
                     Code.ALREADY_EXISTS, "ADDRESS_IN_USE")
        self.refused(n.Associate, pb.AssociateRequest(tsi=key(3),
                                                      timers=pb.Timers(keepalive_ms=0)),
                     Code.INVALID_ARGUMENT, "INVALID_TIMER")

    def test_a_taken_tag_is_refused_with_a_counter_offer(self):
        tag = self.nve.VnConnect(pb.VnConnectRequest(port="p1", vn=pb.VnRef(id=100), tag=77)).tag
        self.assertEqual(tag, 77)
        info = self.refused(self.nve.VnConnect,
                            pb.VnConnectRequest(port="p1", vn=pb.VnRef(id=101), tag=77),
                            Code.ALREADY_EXISTS, "TAG_IN_USE")
        offer = int(info.metadata["tag"])
        r = self.nve.VnConnect(pb.VnConnectRequest(port="p1", vn=pb.VnRef(id=101), tag=offer))
        self.assertEqual(r.tag, offer)


class SmallPools(Case):
    args = ("--tsis", 2)

    def test_a_full_pool_says_which_and_how_full(self):
        for n in (1, 2):
            self.nve.Associate(pb.AssociateRequest(tsi=key(n)))
        self.refused(self.nve.Associate, pb.AssociateRequest(tsi=key(3)),
                     Code.RESOURCE_EXHAUSTED, "NO_RESOURCES", resource="tsis", used="2", max="2")
