# SPDX-License-Identifier: Apache-2.0
"""What nvectl sends."""

from harness import *  # noqa: F403 - every case uses most of it


@test
def every_verb_of_a_tsi_sends_its_key_and_nothing_else(far):
    verbs = {"associate": ("Associate", NVE.AssociateRequest(tsi=key())),
             "activate": ("Activate", NVE.ActivateRequest(tsi=key())),
             "deactivate": ("Deactivate", NVE.DeactivateRequest(tsi=key())),
             "disassociate": ("Disassociate", NVE.DisassociateRequest(tsi=key())),
             "update": ("Update", NVE.UpdateRequest(tsi=key())),
             "keepalive": ("Keepalive", NVE.KeepaliveRequest(tsis=[key()])),
             "keepactive": ("Keepactive", NVE.KeepactiveRequest(tsis=[key()]))}
    for verb, want in verbs.items():
        same(asked(far, "tsi", verb, TSI, *KEY), want)


@test
def associate_sends_addresses_tag_cause_timers_and_parameters(far):
    got = asked(far, "tsi", "associate", TSI.replace("-", "").upper(), "-p", "p1", "-n", "blue",
                "--addr", "02:00:00:00:00:01/10.0.0.1", "--addr", "2001:db8::1",
                "-a", "02:00:00:00:00:02", "--tag", "100", "--cause", "migrate-in",
                "--keepalive", "60000", "--keepactive", "off",
                "--param", "org.example.qos=gold", "--param", "x=y=z!")
    same(got, ("Associate", NVE.AssociateRequest(
        tsi=key(vn=NVE.VnRef(name="blue")),
        addresses=[addr("02:00:00:00:00:01", "10.0.0.1"), addr(ip="2001:db8::1"),
                   addr("02:00:00:00:00:02")],
        tag=100, cause=NVE.CAUSE_MIGRATE_IN,
        timers=NVE.Timers(keepalive_ms=60000, keepactive_ms=0),
        parameters=[NVE.Parameter(name="org.example.qos", value=b"gold"),
                    NVE.Parameter(name="x", value=b"y=z", critical=True)])))


def qos_sent(far, *options):
    _, req = asked(far, "tsi", "update", TSI, *KEY, *options)
    assert [(p.name, p.critical) for p in req.parameters] == [("qos", True)], req.parameters
    return NVE.Qos.FromString(req.parameters[0].value)


@test
def rates_and_marks_are_sent_as_the_critical_parameter_qos(far):
    same(qos_sent(far, "--rate-from", "10M/64k", "--rate-to", "1500000", "--pcp", "0", "--dscp",
                  "46"),
         NVE.Qos(from_tsi=NVE.Rate(bits_per_second=10_000_000, burst_bytes=64_000),
                 to_tsi=NVE.Rate(bits_per_second=1_500_000), priority=0, codepoint=46))
    same(qos_sent(far, "--rate-from", "off", "--dscp", "off"), NVE.Qos())
    same(qos_sent(far, "--no-qos"), NVE.Qos())
    same(len(asked(far, "tsi", "activate", TSI, *KEY)[1].parameters), 0)


@test
def a_timer_that_is_off_is_sent_and_one_not_given_is_absent(far):
    _, req = asked(far, "tsi", "activate", TSI, *KEY, "--keepalive", "off")
    assert req.timers.HasField("keepalive_ms") and req.timers.keepalive_ms == 0
    assert not req.timers.HasField("keepactive_ms")
    _, req = asked(far, "tsi", "activate", TSI, *KEY)
    assert not req.HasField("timers")


@test
def some_addresses_only_are_sent_as_only(far):
    same(asked(far, "tsi", "activate", TSI, *KEY, "--addr", "02:00:00:00:00:01", "--only",
               "10.0.0.1", "--cause", "resume"),
         ("Activate", NVE.ActivateRequest(tsi=key(), addresses=[addr("02:00:00:00:00:01")],
                                          only=[addr(ip="10.0.0.1")], cause=NVE.CAUSE_RESUME)))
    same(asked(far, "tsi", "deactivate", TSI, *KEY, "--only", "10.0.0.1", "--only", "10.0.0.2"),
         ("Deactivate", NVE.DeactivateRequest(
             tsi=key(), only=[addr(ip="10.0.0.1"), addr(ip="10.0.0.2")])))


@test
def update_sends_what_to_add_to_remove_and_where_it_went(far):
    same(asked(far, "tsi", "update", TSI, *KEY, "--add", "10.0.0.2", "--remove",
               "02:00:00:00:00:01", "--new-port", "p2", "--keepactive", "5000"),
         ("Update", NVE.UpdateRequest(tsi=key(), add=[addr(ip="10.0.0.2")],
                                      remove=[addr("02:00:00:00:00:01")], new_port="p2",
                                      timers=NVE.Timers(keepactive_ms=5000))))


@test
def clear_takes_every_vn_unless_one_is_named(far):
    raw = uuid.UUID(TSI).bytes
    same(asked(far, "tsi", "clear", TSI, "--port", "p1"),
         ("Clear", NVE.ClearRequest(tsi_id=raw, port="p1")))
    same(asked(far, "tsi", "clear", TSI, *KEY),
         ("Clear", NVE.ClearRequest(tsi_id=raw, port="p1", vn=NVE.VnRef(id=100))))


@test
def two_hundred_fifty_six_addresses_go_in_one_request(far):
    args = []
    for i in range(256):
        args += ["--addr", f"10.0.{i}.1"]
    _, req = asked(far, "tsi", "activate", TSI, *KEY, *args)
    same([a.ip for a in req.addresses], [bytes([10, 0, i, 1]) for i in range(256)])


@test
def vn_connect_and_disconnect_send_port_and_vn(far):
    same(asked(far, "vn", "connect", "p1", "100"),
         ("VnConnect", NVE.VnConnectRequest(port="p1", vn=NVE.VnRef(id=100))))
    same(asked(far, "vn", "connect", "p1", "name:7", "--tag", "9", "-P", "a=b!"),
         ("VnConnect", NVE.VnConnectRequest(
             port="p1", vn=NVE.VnRef(name="7"), tag=9,
             parameters=[NVE.Parameter(name="a", value=b"b", critical=True)])))
    same(asked(far, "vn", "disconnect", "p1", "blue"),
         ("VnDisconnect", NVE.VnDisconnectRequest(port="p1", vn=NVE.VnRef(name="blue"))))
    same(asked(far, "vn", "disconnect", "p1", "100", "--only-if-unused"),
         ("VnDisconnect", NVE.VnDisconnectRequest(port="p1", vn=NVE.VnRef(id=100),
                                                  only_if_unused=True)))


@test
def lists_are_narrowed_by_the_agent_and_not_by_nvectl(far):
    same(asked(far, "port", "p1"), ("ListPorts", NVE.ListPortsRequest(port="p1")))
    same(asked(far, "vn"), ("ListVns", NVE.ListVnsRequest()))
    same(asked(far, "vn", "--port", "p1", "--vn", "blue"),
         ("ListVns", NVE.ListVnsRequest(port="p1", vn=NVE.VnRef(name="blue"))))
    same(asked(far, "tsi"), ("ListTsis", NVE.ListTsisRequest()))
    same(asked(far, "tsi", "list", *KEY, "--stats"),
         ("ListTsis", NVE.ListTsisRequest(port="p1", vn=NVE.VnRef(id=100), statistics=True)))
    same(asked(far, "tsi", "show", TSI),
         ("ListTsis", NVE.ListTsisRequest(tsi_id=uuid.UUID(TSI).bytes, statistics=True)))
    same(asked(far, "table", "fdb"), ("DumpTable", NVE.DumpTableRequest(table="fdb")))


@test
def values_out_of_range_are_left_to_the_nve_to_refuse(far):
    _, req = asked(far, "tsi", "activate", "0" * 32, "-p", "p1", "-n", "0", "-T", "4095",
                   "-a", "ff:ff:ff:ff:ff:ff")
    same((req.tsi.vn.id, req.tag, req.addresses[0].mac), (0, 4095, b"\xff" * 6))


@test
def each_call_has_a_deadline_but_watch(far):
    ok("status")  # gRPC rounds what it sends up to three digits: 10.1 s
    assert 8 < far.deadlines["GetStatus"] < 10.5, far.deadlines
    ok("-t", "100", "status")
    assert 90 < far.deadlines["GetStatus"] < 105, far.deadlines
    far.answers["Watch"] = []
    ok("watch")
    assert far.deadlines["Watch"] is None





@test
def the_far_end_notices_a_request_of_bad_form(far):
    with grpc.insecure_channel("unix:" + SOCKET) as channel:
        stub = NVE_GRPC.SignalingStub(channel)
        for bad in (NVE.ActivateRequest(), NVE.ActivateRequest(tsi=NVE.TsiKey(port="p1")),
                    NVE.ActivateRequest(tsi=key(), addresses=[NVE.Address(mac=b"12345")]),
                    NVE.ActivateRequest.FromString(
                        NVE.ActivateRequest(tsi=key()).SerializeToString() + b"\xf8\x3f\x01")):
            far.violations.clear()
            with contextlib.suppress(grpc.RpcError):
                stub.Activate(bad)
            assert far.violations, bad
    far.violations.clear()
