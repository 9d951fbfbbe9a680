# SPDX-License-Identifier: Apache-2.0
"""Admin, health and reflection."""
import json

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool

from cases_life import Case
from harness import (Session, health, ip, key, mac, pb, reflection_v1, reflection_v1alpha)

Code = grpc.StatusCode


class Admin(Case):
    def lists(self, call, request, field):
        return [x for reply in call(request, timeout=30) for x in getattr(reply, field)]

    def test_status_tells_backends_pools_and_limits(self):
        self.nve.Associate(pb.AssociateRequest(tsi=key(1), addresses=[mac(1), mac(2)]))
        s = Session(self.channel)
        s.send(1, deactivate=pb.DeactivateRequest(tsi=key(9)))
        s.answer()
        with self.assertRaises(grpc.RpcError):
            self.nve.Associate(pb.AssociateRequest())
        st = self.admin.GetStatus(pb.GetStatusRequest())
        self.assertEqual((st.nve, st.datapath, st.nva, st.store, st.durability),
                         ("nve-test", "fake", "local", "memory", "process"))
        self.assertEqual((st.local_vtep, st.sessions, st.max_outstanding),
                         (b"\xc0\x00\x02\x01", 1, 256))
        pools = {p.name: (p.used, p.max) for p in st.pools}
        self.assertEqual(pools["tsis"], (1, 8192))
        self.assertEqual(pools["addresses"][0], 2)
        self.assertEqual(pools["sessions"], (1, 1024))
        refusals = {c.name: c.value for c in st.refusals}
        self.assertEqual(refusals, {"UNKNOWN_TSI": 1, "INVALID_REQUEST": 1})
        self.assertGreaterEqual({c.name: c.value for c in st.counters}["requests"], 2)
        self.assertIn("no TLS", st.notes[0])
        self.assertEqual(len(st.listeners), 2)

    def test_ports_and_vns(self):
        self.nve.Activate(pb.ActivateRequest(tsi=key(1)))
        self.nve.VnConnect(pb.VnConnectRequest(port="p2", vn=pb.VnRef(id=101), tag=33))
        ports = self.lists(self.admin.ListPorts, pb.ListPortsRequest(), "ports")
        self.assertEqual([(p.name, p.role, p.scope, p.vaps, p.tsis) for p in ports],
                         [("p1", "access", "a", 1, 1), ("p2", "access", "b", 1, 0),
                          ("u1", "underlay", "", 0, 0)])
        one = self.lists(self.admin.ListPorts, pb.ListPortsRequest(port="u1"), "ports")
        self.assertEqual([p.name for p in one], ["u1"])
        vaps = self.lists(self.admin.ListVns, pb.ListVnsRequest(vn=pb.VnRef(name="vn-101")),
                          "vaps")
        self.assertEqual([(v.vn_id, v.vn_name, v.port, v.tag, v.connected_explicitly)
                          for v in vaps], [(101, "vn-101", "p2", 33, True)])
        self.assertEqual((vaps[0].encap, list(vaps[0].vteps), vaps[0].mtu),
                         ("vxlan", [b"\xc0\x00\x02\x02"], 1450))
        self.assertEqual(len(self.lists(self.admin.ListVns, pb.ListVnsRequest(), "vaps")), 2)

    def test_tsis_by_filter_with_addresses_and_statistics(self):
        addresses = [mac(1), ip("10.0.0.1"), pb.Address(mac=mac(2).mac, ip=ip("fd00::1").ip)]
        self.nve.Activate(pb.ActivateRequest(tsi=key(1), addresses=addresses, only=addresses[:1],
                                             cause=pb.CAUSE_RESUME))
        self.nve.Associate(pb.AssociateRequest(tsi=key(2, vn=101)))
        self.nve.Associate(pb.AssociateRequest(tsi=key(1, port="p2")))

        def keys(**filters):
            got = self.lists(self.admin.ListTsis, pb.ListTsisRequest(**filters), "tsis")
            return sorted((t.key.tsi_id[-1], t.key.port, t.key.vn.id) for t in got)

        self.assertEqual(keys(), [(1, "p1", 100), (1, "p2", 100), (2, "p1", 101)])
        self.assertEqual(keys(port="p1"), [(1, "p1", 100), (2, "p1", 101)])
        self.assertEqual(keys(vn=pb.VnRef(name="vn-101")), [(2, "p1", 101)])
        self.assertEqual(keys(tsi_id=key(1).tsi_id), [(1, "p1", 100), (1, "p2", 100)])
        t = self.lists(self.admin.ListTsis, pb.ListTsisRequest(
            tsi_id=key(1).tsi_id, port="p1", statistics=True), "tsis")[0]
        self.assertEqual([a.address for a in t.addresses], addresses)
        self.assertEqual([a.active for a in t.addresses], [True, False, False])
        self.assertEqual((t.state, t.cause, t.vn_name), (2, pb.CAUSE_RESUME, "vn-100"))
        self.assertTrue(t.HasField("statistics") and t.timer_left_ms > 0 and t.epoch > 0)

    def test_long_lists_come_in_pieces(self):
        s = Session(self.channel)
        for r in range(3):
            for n in range(1, 201):
                s.send(n, associate=pb.AssociateRequest(tsi=key(1000 * r + n)))
            for _ in range(200):
                s.answer()
        pieces = list(self.admin.ListTsis(pb.ListTsisRequest()))
        self.assertEqual(sum(len(p.tsis) for p in pieces), 600)
        self.assertEqual(max(len(p.tsis) for p in pieces), 256)
        self.assertEqual(len({t.key.tsi_id for p in pieces for t in p.tsis}), 600)

    def test_tables_and_dumps(self):
        self.nve.Activate(pb.ActivateRequest(tsi=key(1), addresses=[mac(1)]))
        tables = self.admin.ListTables(pb.ListTablesRequest()).tables
        self.assertIn("tsi", [t.name for t in tables])
        for t in tables:
            for row in self.lists(self.admin.DumpTable, pb.DumpTableRequest(table=t.name),
                                  "rows"):
                json.loads(row.key), json.loads(row.value)
        rows = self.lists(self.admin.DumpTable, pb.DumpTableRequest(table="published"), "rows")
        self.assertEqual(json.loads(rows[0].key), {"vn": 100, "mac": "02:00:00:00:00:01"})
        self.assertEqual(json.loads(rows[0].value)["state"], "forwarding")
        # The fake datapath meets no frames; real ones are counted in tests/e2e.
        self.assertFalse(self.admin.ListDrops(pb.ListDropsRequest()).drops)

    def test_refusals_of_admin_name_the_field(self):
        for call, request, code, reason in (
                (self.admin.ListPorts, pb.ListPortsRequest(port="zz"), Code.NOT_FOUND,
                 "UNKNOWN_PORT"),
                (self.admin.ListVns, pb.ListVnsRequest(vn=pb.VnRef(name="zz")), Code.NOT_FOUND,
                 "UNKNOWN_VN"),
                (self.admin.ListTsis, pb.ListTsisRequest(tsi_id=b"1"), Code.INVALID_ARGUMENT,
                 "INVALID_TSI_ID"),
                (self.admin.DumpTable, pb.DumpTableRequest(table="zz"), Code.INVALID_ARGUMENT,
                 "INVALID_REQUEST"),
                (self.admin.Watch, pb.WatchRequest(port="zz"), Code.NOT_FOUND, "UNKNOWN_PORT")):
            with self.subTest(reason=reason):
                self.refused(lambda r, timeout: list(call(r, timeout=timeout)), request, code,
                             reason)

    def test_why_takes_frames_of_14_to_9216_bytes_at_any_port(self):
        for n in (0, 13, 9217):
            info = self.refused(self.admin.Why, pb.WhyRequest(port="p1", frame=bytes(n)),
                                Code.INVALID_ARGUMENT, "INVALID_REQUEST")
            self.assertEqual(info.metadata["field"], "frame")
        for port in ("", "zz"):
            self.refused(self.admin.Why, pb.WhyRequest(port=port, frame=bytes(60)),
                         Code.NOT_FOUND, "UNKNOWN_PORT")
        # The fake has no programs: what passes the checks gets as far as that.
        for port, n in (("p1", 14), ("u1", 60), ("p2", 9216)):
            self.refused(self.admin.Why, pb.WhyRequest(port=port, frame=bytes(n)),
                         Code.UNIMPLEMENTED, "UNKNOWN_METHOD")

    def test_watch_tells_events_from_now_on(self):
        watch = self.admin.Watch(pb.WatchRequest(port="p2"), timeout=30)
        watch.initial_metadata()  # it is on
        self.nve.Associate(pb.AssociateRequest(tsi=key(1)))
        self.nve.Associate(pb.AssociateRequest(tsi=key(1, port="p2")))
        self.assertEqual(next(watch).vn_connected.port, "p2")
        self.assertEqual(next(watch).tsi_state.tsi.port, "p2")
        watch.cancel()


class Health(Case):
    def call(self, kind, name):
        return kind(f"/grpc.health.v1.Health/{name}",
                    request_serializer=health.HealthCheckRequest.SerializeToString,
                    response_deserializer=health.HealthCheckResponse.FromString)

    def test_our_services_are_serving_and_others_unknown(self):
        check = self.call(self.channel.unary_unary, "Check")
        for name in ("", "nve.v1.Signaling", "nve.v1.Admin"):
            self.assertEqual(check(health.HealthCheckRequest(service=name)).status, 1)
        with self.assertRaises(grpc.RpcError) as caught:
            check(health.HealthCheckRequest(service="other"))
        self.assertEqual(caught.exception.code(), Code.NOT_FOUND)

    def test_watch_sees_the_end_coming(self):
        watch = self.call(self.channel.unary_stream, "Watch")
        call = watch(health.HealthCheckRequest(service="nve.v1.Admin"), timeout=30)
        other = watch(health.HealthCheckRequest(service="x"), timeout=30)
        self.assertEqual((next(call).status, next(other).status), (1, 3))
        self.server.say("stop 5000")
        self.assertEqual(next(call).status, 2)
        with self.assertRaises(grpc.RpcError) as caught:
            next(call)
        self.assertEqual(caught.exception.code(), Code.UNAVAILABLE)
        self.assertEqual(self.server.end(), (0, True))


class Reflection(Case):
    def ask(self, module, version, **question):
        call = self.channel.stream_stream(
            f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
            request_serializer=module.ServerReflectionRequest.SerializeToString,
            response_deserializer=module.ServerReflectionResponse.FromString)
        replies = list(call(iter([module.ServerReflectionRequest(**question)]), timeout=30))
        self.assertEqual(len(replies), 1)
        return replies[0]

    def test_services_are_listed_by_both_versions(self):
        for module, version in ((reflection_v1, "v1"), (reflection_v1alpha, "v1alpha")):
            r = self.ask(module, version, list_services="")
            names = [s.name for s in r.list_services_response.service]
            for name in ("nve.v1.Signaling", "nve.v1.Admin", "grpc.health.v1.Health"):
                self.assertIn(name, names)

    def test_a_pool_is_built_from_reflection_alone(self):
        pool = descriptor_pool.DescriptorPool()
        done = set()

        def add(proto):
            for name in proto.dependency:
                if name not in done:
                    add(fetch(file_by_filename=name))
            if proto.name not in done:
                done.add(proto.name)
                pool.Add(proto)

        def fetch(**question):
            r = self.ask(reflection_v1, "v1", **question)
            self.assertEqual(r.WhichOneof("message_response"), "file_descriptor_response", r)
            return descriptor_pb2.FileDescriptorProto.FromString(
                r.file_descriptor_response.file_descriptor_proto[0])

        for symbol in ("nve.v1.Signaling", "grpc.health.v1.Health",
                       "grpc.reflection.v1alpha.ServerReflection"):
            add(fetch(file_containing_symbol=symbol))
        service = pool.FindServiceByName("nve.v1.Signaling")
        self.assertEqual(len(service.methods), 12)
        message = pool.FindMessageTypeByName("nve.v1.AssociateRequest")
        self.assertEqual(message.fields_by_name["addresses"].message_type.full_name,
                         "nve.v1.Address")

    def test_symbols_are_found_inside_and_not_beyond(self):
        for symbol in ("nve.v1.TsiKey", "nve.v1.TsiKey.port", "nve.v1.Signaling.Activate",
                       "nve.v1.Cause", "google.rpc.ErrorInfo.MetadataEntry"):
            r = self.ask(reflection_v1, "v1", file_containing_symbol=symbol)
            self.assertTrue(r.HasField("file_descriptor_response"), symbol)
        for symbol in ("", "nve.v1", "nve.v1.", "nve.v1.TsiKe", "nve.v1.TsiKey.zz", "zz"):
            r = self.ask(reflection_v1, "v1", file_containing_symbol=symbol)
            self.assertEqual(r.error_response.error_code, 5, symbol)
