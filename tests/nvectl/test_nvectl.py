#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""nvectl as a process against a server that knows the proto only.

Usage: test_nvectl.py [NVECTL]   (default build/release/nvectl)
Each function below that is marked is one test; its name is the sentence it proves.
"""

import contextlib
import json
import os
import pty
import queue
import select
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
import uuid

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import grpc  # noqa: E402
from far_end import ROOT, FarEnd, Refusal, generate  # noqa: E402

NVECTL = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else
                         os.path.join(ROOT, "build/release/nvectl"))
TMP = tempfile.mkdtemp(prefix="nvectl-test.")
NVE, NVE_GRPC, REASON, STATUS, DETAILS = generate(TMP)
SOCKET = os.path.join(TMP, "nved.sock")
TSI = "02000000-0000-4000-8000-0000000000aa"
TSI2 = "02000000-0000-4000-8000-0000000000bb"
KEY = ["--port", "p1", "--vn", "100"]
PATIENCE = 20
C = grpc.StatusCode
TESTS = []


def test(function):
    TESTS.append(function)
    return function


class Result:
    def __init__(self, done):
        self.rc, self.out, self.err = done.returncode, done.stdout, done.stderr

    @property
    def lines(self):
        return self.out.splitlines()

    @property
    def json(self):
        return json.loads(self.out)


def environment(**more):
    env = {k: v for k, v in os.environ.items() if k != "NVED_SERVER"}
    return {**env, "NVED_SERVER": "unix:" + SOCKET, "TZ": "UTC", **more}


def nvectl(*args, **env):
    return Result(subprocess.run([NVECTL, *args], env=environment(**env), text=True,
                                 capture_output=True, timeout=PATIENCE, check=False))


def ok(*args):
    got = nvectl(*args)
    assert (got.rc, got.err) == (0, ""), (args, got.rc, got.err)
    return got


def asked(far, *args):
    """Runs a command that must succeed; returns the one request that it sent."""
    far.requests.clear()
    ok(*args)
    assert len(far.requests) == 1, far.requests
    return far.requests[0]


def same(got, want):
    assert got == want, f"\n got: {got!r}\nwant: {want!r}"


def key(tsi=TSI, port="p1", vn=None):
    return NVE.TsiKey(tsi_id=uuid.UUID(tsi).bytes, port=port, vn=vn or NVE.VnRef(id=100))


def addr(mac="", ip=""):
    import ipaddress
    return NVE.Address(mac=bytes.fromhex(mac.replace(":", "")),
                       ip=ipaddress.ip_address(ip).packed if ip else b"")


def tsi_reply(state="ACTIVATED", **more):
    return NVE.TsiReply(state=NVE.TsiState.Value("TSI_STATE_" + state), vn_id=100, tag=10,
                        keepalive_ms=300000, keepactive_ms=30000, **more)


def tsi_entry(**more):
    fields = dict(
        key=key(), state=NVE.TSI_STATE_ACTIVATED, cause=NVE.CAUSE_CREATE, vn_name="blue", tag=10,
        addresses=[NVE.TsiAddress(address=addr("02:00:00:00:00:01", "10.0.0.1"), active=True),
                   NVE.TsiAddress(address=addr(ip="2001:db8::1"), active=False)],
        epoch=7, state_age_ms=12345, timer_left_ms=29900, keepalive_ms=300000,
        keepactive_ms=30000, slot=3,
        statistics=NVE.TsiStatistics(in_frames=5, in_bytes=500, out_frames=6, out_bytes=600,
                                     dropped=2,
                                     drops=[NVE.Drop(reason="SRC_MAC", text="spoofed", frames=2),
                                            NVE.Drop(reason="SHORT", text="short", frames=0)]))
    return NVE.Tsi(**{**fields, **more})


def lay_out(far):
    """A small NVE: what each call answers unless a test says otherwise."""
    far.requests.clear()
    far.answers = {
        "GetStatus": NVE.Status(
            nve="nve1", version="1.0", started_unix_ns=1700000000123456789, datapath="ebpf",
            nva="local", store="sqlite", durability="power", local_vtep=bytes([192, 0, 2, 1]),
            pools=[NVE.Pool(name="tsi", used=3, max=65536)],
            counters=[NVE.Count(name="requests", value=12)],
            refusals=[NVE.Count(name="TAG_IN_USE", value=1)], sessions=2,
            listeners=["unix:/run/nved/nved.sock", "127.0.0.1:50051"],
            notes=["no TLS: loopback only"], max_message_bytes=65536, max_outstanding=256),
        "ListPorts": [NVE.ListPortsReply(ports=[
            NVE.Port(name="p1", ifname="eth1", role="access", scope="p1", up=True, mode="xdp",
                     why="native XDP", ifindex=5, vaps=1, tsis=12)]),
            NVE.ListPortsReply(ports=[
                NVE.Port(name="up", ifname="eth0", role="underlay", mode="tc")])],
        "ListVns": [NVE.ListVnsReply(vaps=[
            NVE.Vap(vn_id=100, vn_name="blue", port="p1", tag=10, vni=5000, tsis=2, activated=1,
                    connected_explicitly=True, encap="vxlan", mtu=1450,
                    vteps=[bytes([192, 0, 2, 2]), bytes([192, 0, 2, 3])])])],
        "ListTsis": [NVE.ListTsisReply(tsis=[tsi_entry()]), NVE.ListTsisReply(tsis=[
            tsi_entry(key=key(TSI2), state=NVE.TSI_STATE_ASSOCIATED, timer_left_ms=0,
                      addresses=[], statistics=None)])],
        "ListDrops": NVE.ListDropsReply(drops=[
            NVE.Drop(reason="SHORT", text="frame ends inside a header", frames=0),
            NVE.Drop(reason="SRC_MAC", text="source MAC is not the TSI's", frames=1234567)]),
        "ListTables": NVE.ListTablesReply(tables=[NVE.Pool(name="fdb", used=4, max=1024),
                                                  NVE.Pool(name="vap", used=1, max=4096)]),
        "DumpTable": [NVE.DumpTableReply(rows=[
            NVE.Row(key='{"vni":5000,"mac":"02:00:00:00:00:01"}', value='{"tsi":3}'),
            NVE.Row(key="not json", value='{"broken"')])],
        "VnConnect": NVE.VnConnectReply(vn_id=100, vn_name="blue", tag=10, mtu=1450),
        "VnDisconnect": NVE.VnDisconnectReply(cleared=2),
        "Associate": tsi_reply("ASSOCIATED"),
        "Activate": tsi_reply(epoch=7),
        "Deactivate": tsi_reply("ASSOCIATED", unchanged=True),
        "Disassociate": NVE.TsiReply(vn_id=100),
        "Clear": NVE.ClearReply(cleared=1),
        "Update": tsi_reply(),
        "Keepalive": NVE.KeepaliveReply(),
        "Keepactive": NVE.KeepaliveReply(),
    }


# --- what is sent -----------------------------------------------------------------------------

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
    ok("status")
    assert 8 < far.deadlines["GetStatus"] <= 10
    ok("-t", "100", "status")
    assert 90 < far.deadlines["GetStatus"] <= 100
    far.answers["Watch"] = []
    ok("watch")
    assert far.deadlines["Watch"] is None


# --- tables for people ------------------------------------------------------------------------

def columns(line):
    return [cell for cell in line.split("  ") if cell.strip()]


@test
def status_tells_what_an_operator_must_know(far):
    out = ok("status").out
    for text in ("NVE         nve1\n", "VTEP        192.0.2.1\n", "Datapath    ebpf\n",
                 "Started     2023-11-14 22:13:20.123\n", "Durability  power\n",
                 "Listens on  unix:/run/nved/nved.sock\n            127.0.0.1:50051\n",
                 "Sessions    2\n", "Note        no TLS: loopback only\n",
                 "POOL  USED    MAX\ntsi      3  65536\n", "COUNTER   VALUE\nrequests     12\n",
                 "REFUSED FOR  TIMES\nTAG_IN_USE       1\n"):
        assert text in out, (text, out)


@test
def ports_are_a_table_over_all_pieces_of_the_stream(far):
    same(ok("port").lines,
         ["PORT  IFNAME  ROLE      SCOPE  LINK  MODE  VNS  TSIS  WHY THAT MODE",
          "p1    eth1    access    p1     up    xdp     1    12  native XDP",
          "up    eth0    underlay  -      down  tc      0     0  -"])


@test
def vns_are_a_table_with_tags_and_vteps(far):
    same(ok("vn").lines,
         [" VN  NAME  PORT  TAG   VNI  TSIS  ACTIVE  CONNECT   ENCAP   MTU  VTEPS",
          "100  blue  p1     10  5000     2       1  explicit  vxlan  1450  192.0.2.2,192.0.2.3"])


@test
def tsis_are_a_table_with_state_timer_and_first_address(far):
    lines = ok("tsi").lines
    same(lines[0].split(),
         ["TSI", "PORT", "VN", "NAME", "TAG", "STATE", "FOR", "TIMER", "ADDRESSES"])
    same([c.strip() for c in columns(lines[1])],
         [TSI, "p1", "100", "blue", "10", "Activated", "12.3 s", "29.9 s",
          "02:00:00:00:00:01/10.0.0.1 (+1)"])
    same([c.strip() for c in columns(lines[2])],
         [TSI2, "p1", "100", "blue", "10", "Associated", "12.3 s", "off", "-"])
    lines = ok("tsi", "--stats").lines
    same(lines[1].split()[-5:], ["5", "500", "6", "600", "2"])
    same(lines[2].split()[-5:], ["0"] * 5)


@test
def show_has_the_whole_chain_from_tsi_to_vap_to_vn(far):
    far.answers["ListTsis"] = [NVE.ListTsisReply(tsis=[tsi_entry()])]
    same(ok("tsi", "show", TSI).lines,
         [f"TSI {TSI}",
          "  VAP         port p1, tag 10, slot 3",
          "  VN          100 (blue)",
          "  state       Activated for 12.3 s, cause create, epoch 7",
          "  timer       29.9 s left; keepalive 300 s, keepactive 30 s",
          "  addresses   02:00:00:00:00:01/10.0.0.1",
          "              2001:db8::1 (inactive)",
          "  in          5 frames, 500 bytes",
          "  out         6 frames, 600 bytes",
          "  dropped     2 frames",
          "              2 SRC_MAC: spoofed"])


@test
def drops_and_tables_are_aligned(far):
    same(ok("drops").lines,
         ["REASON    FRAMES  MEANING",
          "SHORT          0  frame ends inside a header",
          "SRC_MAC  1234567  source MAC is not the TSI's"])
    same(ok("table").lines, ["TABLE  USED   MAX", "fdb       4  1024", "vap       1  4096"])
    lines = ok("table", "fdb").lines
    same([c.strip() for c in columns(lines[1])], ["vni 5000, mac 02:00:00:00:00:01", "tsi 3"])
    same([c.strip() for c in columns(lines[2])], ["not json", '{"broken"'])


@test
def each_verb_says_in_a_line_what_holds_now(far):
    where = f"{TSI} at p1: "
    timers = "VN 100, tag 10, keepalive 300 s, keepactive 30 s"
    same(ok("tsi", "activate", TSI, *KEY).out, where + f"Activated, {timers}, epoch 7\n")
    same(ok("tsi", "deactivate", TSI, *KEY).out, where + f"Associated, {timers} (unchanged)\n")
    same(ok("tsi", "disassociate", TSI, *KEY).out, where + "Init, VN 100\n")
    same(ok("tsi", "update", TSI, *KEY, "-N", "p2").out, f"{TSI} at p2: Activated, {timers}\n")
    same(ok("tsi", "clear", TSI, "-p", "p1").out, where + "1 instance cleared\n")
    same(ok("tsi", "keepactive", TSI, TSI2, *KEY).out, "2 of 2 restarted\n")
    same(ok("vn", "connect", "p1", "blue").out,
         "VN 100 (blue) is connected on p1: tag 10, MTU 1450\n")
    same(ok("vn", "disconnect", "p1", "blue").out,
         "VN blue is disconnected on p1: 2 TSIs cleared\n")


@test
def ignored_parameters_are_named(far):
    far.answers["Activate"] = tsi_reply(ignored_parameters=["a.b", "c"])
    same(ok("tsi", "activate", TSI, *KEY, "-P", "a.b=1", "-P", "c=2").lines[1],
         "ignored parameters, not known to this NVE: a.b, c")


@test
def an_empty_list_is_a_header_or_an_empty_array(far):
    far.answers["ListTsis"] = [NVE.ListTsisReply()]
    same(len(ok("tsi").lines), 1)
    same(ok("tsi", "-o", "json").json, [])
    far.answers["ListTsis"] = []
    same(ok("-o", "json", "tsi").json, [])


@test
def names_from_the_agent_cannot_steer_the_terminal(far):
    far.answers["ListPorts"] = [NVE.ListPortsReply(ports=[NVE.Port(name="p\x1b[2J\u009b1")])]
    out = ok("port").out
    assert "\x1b" not in out and "\u009b" not in out and "p?[2J?1" in out, out
    far.answers["VnConnect"] = Refusal(C.NOT_FOUND, "no\x1b[31m", "UNKNOWN\x1b_VN", remedy="\x07")
    err = nvectl("vn", "connect", "p1", "1").err
    assert "\x1b" not in err and "\x07" not in err, err


@test
def there_is_no_colour_unless_on_a_terminal(far):
    assert "\x1b" not in ok("port").out
    assert b"\x1b[1mPORT" in on_terminal(["port"], TERM="xterm")
    assert b"\x1b" not in on_terminal(["port"], TERM="xterm", NO_COLOR="1")
    assert b"\x1b" not in on_terminal(["port"], TERM="dumb")


def on_terminal(args, **env):
    pid, fd = pty.fork()
    if not pid:
        os.execve(NVECTL, [NVECTL, *args], environment(**env))
    out = b""
    with contextlib.suppress(OSError):  # EIO is a terminal's end of file
        while piece := os.read(fd, 4096):
            out += piece
    os.close(fd)
    same(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0)
    return out


# --- JSON for programs ------------------------------------------------------------------------

@test
def status_in_json_has_the_protos_names_and_text_for_bytes(far):
    got = ok("status", "-o", "json").json
    same(set(got), {f.name for f in NVE.Status.DESCRIPTOR.fields})
    same((got["local_vtep"], got["started_unix_ns"]), ("192.0.2.1", 1700000000123456789))
    same(got["pools"], [{"name": "tsi", "used": 3, "max": 65536}])


@test
def every_list_in_json_is_one_array_of_the_protos_entries(far):
    entries = {("port",): ("Port", 2), ("vn",): ("Vap", 1), ("tsi",): ("Tsi", 2),
               ("drops",): ("Drop", 2), ("table",): ("Pool", 2), ("table", "fdb"): ("Row", 2)}
    for args, (kind, n) in entries.items():
        got = ok(*args, "--output=json").json
        fields = {f.name for f in NVE.DESCRIPTOR.message_types_by_name[kind].fields}
        same((len(got), set(got[0])), (n, fields))


@test
def a_tsi_in_json_is_read_without_knowing_bytes(far):
    got = ok("tsi", "show", TSI, "-o", "json").json[0]
    same(got["key"], {"tsi_id": TSI, "port": "p1", "vn": {"id": 100}})
    same(got["addresses"],
         [{"address": {"mac": "02:00:00:00:00:01", "ip": "10.0.0.1"}, "active": True},
          {"address": {"mac": "", "ip": "2001:db8::1"}, "active": False}])
    same((got["state"], got["cause"]), ("TSI_STATE_ACTIVATED", "CAUSE_CREATE"))
    same(got["statistics"]["drops"][0], {"reason": "SRC_MAC", "text": "spoofed", "frames": 2})


@test
def rows_of_a_table_are_objects_inside_the_document(far):
    same(ok("table", "fdb", "-o", "json").json,
         [{"key": {"vni": 5000, "mac": "02:00:00:00:00:01"}, "value": {"tsi": 3}},
          {"key": "not json", "value": '{"broken"'}])


@test
def replies_in_json_are_the_protos_replies(far):
    same(ok("vn", "connect", "p1", "100", "-o", "json").json,
         {"vn_id": 100, "vn_name": "blue", "tag": 10, "mtu": 1450, "ignored_parameters": []})
    same(ok("tsi", "activate", TSI, *KEY, "-o", "json").json,
         {"state": "TSI_STATE_ACTIVATED", "vn_id": 100, "tag": 10, "keepalive_ms": 300000,
          "keepactive_ms": 30000, "epoch": 7, "unchanged": False, "ignored_parameters": []})
    same(ok("tsi", "clear", TSI, "-p", "p1", "-o", "json").json["cleared"], 1)
    same(ok("tsi", "keepalive", TSI, *KEY, "-o", "json").json, {"failures": []})
    same(ok("vn", "disconnect", "p1", "1", "-o", "json").json["cleared"], 2)


@test
def json_survives_any_name(far):
    name = 'a"b\\c\n\t\x01\u00e4\U0001f600\u2028'
    far.answers["ListPorts"] = [NVE.ListPortsReply(ports=[NVE.Port(name=name)])]
    same(ok("port", "-o", "json").json[0]["name"], name)


@test
def ten_thousand_tsis_are_one_document(far):
    far.answers["ListTsis"] = [NVE.ListTsisReply(tsis=[
        tsi_entry(key=key(str(uuid.UUID(int=256 * p + i + 1)))) for i in range(256)])
        for p in range(40)]
    got = ok("tsi", "-o", "json").json
    same(len({t["key"]["tsi_id"] for t in got}), 40 * 256)
    same(len(ok("tsi").lines), 40 * 256 + 1)


# --- refusals and failures --------------------------------------------------------------------

@test
def a_refusal_names_reason_details_and_remedy(far):
    far.answers["VnConnect"] = Refusal(
        C.ALREADY_EXISTS, "the proposed tag has another meaning in this scope", "TAG_IN_USE",
        tag="101", remedy="use the NVE's counter-offer, or propose none")
    got = nvectl("vn", "connect", "p1", "100", "--tag", "100")
    same((got.rc, got.out), (1, ""))
    same(got.err, "nvectl: TAG_IN_USE: the proposed tag has another meaning in this scope "
         "(proposed 100; counter-offer 101). What to do: use the NVE's counter-offer, or propose "
         "none.\n")


@test
def each_reason_is_told_and_ends_with_exit_code_1(far):
    for name in REASON.Reason.keys()[1:]:
        name = name.removeprefix("REASON_")
        far.answers["Activate"] = Refusal(C.UNAVAILABLE, "why.", name, field="tsi", remedy="do.")
        got = nvectl("tsi", "activate", TSI, *KEY)
        same((got.rc, got.err), (1, f"nvectl: {name}: why (field tsi). What to do: do.\n"))


@test
def a_refusal_without_error_info_is_told_with_its_code(far):
    far.answers["GetStatus"] = Refusal(C.UNIMPLEMENTED, "Method not found!")
    got = nvectl("status")
    same((got.rc, got.err),
         (1, "nvectl: Method not found! (gRPC code 12; no reason was given)\n"))


@test
def a_list_that_fails_half_way_prints_nothing_on_stdout(far):
    def half(context):
        yield NVE.ListTsisReply(tsis=[tsi_entry()])
        far.refuse(context, Refusal(C.INTERNAL, "a defect", "INTERNAL", remedy="report it"))
    for args in (["tsi"], ["tsi", "-o", "json"], ["tsi", "show", TSI]):
        far.answers["ListTsis"] = half
        got = nvectl(*args)
        same((got.rc, got.out, got.err),
             (1, "", "nvectl: INTERNAL: a defect. What to do: report it.\n"))


@test
def keepactive_tells_each_tsi_that_failed(far):
    far.answers["Keepactive"] = NVE.KeepaliveReply(failures=[
        NVE.KeepaliveFailure(index=1, reason=REASON.REASON_UNKNOWN_TSI)])
    got = nvectl("tsi", "keepactive", TSI, TSI2, *KEY)
    same((got.rc, got.out), (1, "1 of 2 restarted\n"))
    assert got.err.startswith("nvectl: UNKNOWN_TSI: ") and TSI2 in got.err, got.err
    assert "What to do: " in got.err and TSI not in got.err, got.err
    far.answers["Keepactive"].failures[0].index = 9
    same(nvectl("tsi", "keepactive", TSI, *KEY).rc, 4)


@test
def what_is_not_there_is_refused_not_shown_as_empty(far):
    far.answers["ListTsis"] = []
    far.answers["ListPorts"] = [NVE.ListPortsReply()]
    got = nvectl("tsi", "show", TSI)
    same((got.rc, got.out), (1, ""))
    assert "UNKNOWN_TSI" in got.err and TSI in got.err
    got = nvectl("port", "p9")
    same(got.rc, 1)
    assert "UNKNOWN_PORT" in got.err and "p9" in got.err


@test
def an_agent_that_is_not_there_is_exit_code_3_and_says_what_to_check(far):
    missing = os.path.join(TMP, "missing.sock")
    got = nvectl("-s", missing, "status")
    same((got.rc, got.out), (3, ""))
    same(got.err, f"nvectl: cannot reach the agent at {missing}: No such file or directory. What "
         "to do: start nved, or name its socket with --server or NVED_SERVER.\n")
    got = nvectl("-s", "127.0.0.1:1", "status")
    same(got.rc, 3)
    assert "127.0.0.1:1: Connection refused" in got.err and "listeners" in got.err, got.err


@test
def a_socket_nobody_listens_on_is_told_from_a_missing_one(far):
    import socket
    path = os.path.join(TMP, "dead.sock")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    got = nvectl("status", NVED_SERVER="unix:" + path)
    same(got.rc, 3)
    assert "Connection refused" in got.err and "no agent listens" in got.err, got.err


@test
def an_agent_that_does_not_answer_is_exit_code_3_within_the_timeout(far):
    ask = queue.Queue()
    far.answers["GetStatus"] = lambda context: ask.get(timeout=PATIENCE)
    start = time.monotonic()
    got = nvectl("-t", "0.5", "status")
    ask.put(NVE.Status())
    assert time.monotonic() - start < PATIENCE / 2
    same(got.rc, 3)
    assert "did not answer within 0.5 s" in got.err, got.err


@test
def an_answer_that_is_no_protobuf_is_exit_code_4(far):
    with raw_server(b"\xff\xff\xff") as address:
        got = nvectl("-s", address, "status")
    same((got.rc, got.out), (4, ""))
    assert "cannot read the agent's answer" in got.err, got.err


@test
def an_answer_of_more_than_4_mib_is_refused(far):
    with raw_server(b"\x0a\x80\x80\x80\x04" + b"x" * (8 << 20)) as address:
        got = nvectl("-s", address, "status")
    same((got.rc, got.out), (1, ""))
    assert "larger than max" in got.err, got.err


@contextlib.contextmanager
def raw_server(reply):
    from concurrent import futures
    path = "unix:" + os.path.join(TMP, "raw.sock")
    server = grpc.server(futures.ThreadPoolExecutor(2), options=[
        ("grpc.max_send_message_length", -1)])
    handler = grpc.unary_unary_rpc_method_handler(lambda request, context: reply)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(
        "nve.v1.Admin", {"GetStatus": handler}),))
    server.add_insecure_port(path)
    server.start()
    try:
        yield path
    finally:
        server.stop(0).wait()


@test
def output_that_cannot_be_written_is_exit_code_4(far):
    with open("/dev/full", "w", encoding="ascii") as full:
        got = subprocess.run([NVECTL, "port"], env=environment(), stdout=full, check=False,
                             stderr=subprocess.PIPE, text=True, timeout=PATIENCE)
    same(got.returncode, 4)
    assert "No space left on device" in got.stderr, got.stderr


@test
def tcp_on_loopback_works_and_a_proxy_is_not_asked(far):
    got = nvectl("-s", f"127.0.0.1:{far.tcp_port}", "status", http_proxy="http://127.0.0.1:1",
                 https_proxy="http://127.0.0.1:1", grpc_proxy="http://127.0.0.1:1")
    same((got.rc, got.err), (0, ""))
    same(nvectl("-s", f"[::1]:{far.tcp_port}", "status").rc, 3)  # well written; nobody there


# --- usage ------------------------------------------------------------------------------------

@test
def wrong_usage_is_exit_code_2_and_sends_nothing(far):
    far.requests.clear()
    for args in (["frobnicate"], ["tsi", "activate"], ["tsi", "activate", TSI, "--port", "p1"],
                 ["tsi", "activate", "xyz", *KEY], ["tsi", "activate", TSI, *KEY, "-a", "1.2.3"],
                 ["tsi", "activate", TSI, *KEY, "--cause", "boot"],
                 ["tsi", "activate", TSI, *KEY, "--keepalive", "soon"],
                 ["tsi", "activate", TSI, *KEY, "--tag", "ten"],
                 ["tsi", "activate", TSI, *KEY, "--param", "novalue"],
                 ["tsi", "associate", TSI, *KEY, "--only", "10.0.0.1"],
                 ["vn", "connect", "p1"], ["vn", "connect", "p1", "99999999999"],
                 ["status", "extra"], ["-t", "0", "status"], ["-o", "xml", "status"],
                 ["-s", "10.0.0.1:50051", "status"], ["-s", "nonsense", "status"],
                 ["watch", "--count", "0"], ["help", "frobnicate"], ["completion", "fish"], []):
        got = nvectl(*args)
        same((got.rc, got.out), (2, ""))
        assert got.err.startswith(("nvectl: ", "Usage: ")), (args, got.err)
    same(far.requests, [])


@test
def a_misspelt_command_or_option_suggests_the_nearest(far):
    assert "did you mean 'status'?" in nvectl("statsu").err
    assert "did you mean 'tsi activate'?" in nvectl("tsi", "actvate").err
    assert "did you mean '--port'?" in nvectl("tsi", "--prot", "p1").err
    assert "Try 'nvectl tsi list --help'" in nvectl("tsi", "--prot", "p1").err


def commands():
    """All commands, as the overview lists them: lines with two words are of a group."""
    lines = ok("--help").out.split("Commands:\n")[1].split("\n\n")[0].splitlines()
    for line in lines:
        words = line[2:28].split()
        group = words[0] in ("vn", "tsi")
        yield words[:2] if group else words[:1]


@test
def every_command_explains_itself(far):
    all_commands = list(commands())
    same(len(all_commands), 20)
    for words in all_commands:
        got = ok(*words, "--help")
        assert got.out.startswith("Usage: nvectl [OPTIONS] " + words[0]), got.out
        same(ok("help", *words).out, got.out)
        assert "--timeout" in got.out
    assert "Exit codes: 0 done; 1 refused by the NVE; 2 wrong usage; 3 " in ok("--help").out
    assert ok("--version").out.startswith("nvectl ")
    assert "activate" in ok("tsi", "--help").out


@test
def the_manual_page_has_every_command_and_option_and_renders(far):
    page = os.path.join(ROOT, "agent/nvectl/nvectl.8")
    with open(page, encoding="utf-8") as file:
        source = file.read()
    for words in commands():
        assert "nvectl " + " ".join(words) in source.replace("\\-", "-"), words
        for line in ok(*words, "--help").out.splitlines():
            if line.startswith("  -") and ", --" in line:
                option = line.split(", --")[1].split()[0].removesuffix("...")
                assert "--" + option in source.replace("\\-", "-"), (words, option)
    got = subprocess.run(["groff", "-man", "-ww", "-Tutf8", "-P-cbou", page], text=True,
                         capture_output=True, check=True, timeout=PATIENCE)
    same(got.stderr, "")
    assert "EXIT STATUS" in got.stdout


# --- watch ------------------------------------------------------------------------------------

def event(seq, client="", **what):
    return NVE.Event(seq=seq, time_unix_ns=1700000000000000000 + seq * 10**6, client=client,
                     **what)


def all_events():
    changed = NVE.TsiStateChanged(tsi=key(), to=NVE.TSI_STATE_ACTIVATED)
    setattr(changed, "from", NVE.TSI_STATE_ASSOCIATED)
    expired = NVE.TsiStateChanged(tsi=key(), to=NVE.TSI_STATE_ASSOCIATED,
                                  reason=REASON.REASON_KEEPACTIVE_EXPIRED)
    setattr(expired, "from", NVE.TSI_STATE_ACTIVATED)
    return [event(1, "hv-a", tsi_state=changed), event(2, tsi_state=expired),
            event(3, tsi_updated=NVE.TsiUpdated(tsi=key(), new_port="p2")),
            event(4, vn_connected=NVE.VnConnected(port="p1", vn_id=100, tag=10)),
            event(5, vn_disconnected=NVE.VnDisconnected(port="p1", vn_id=100,
                                                        reason=REASON.REASON_VN_WITHDRAWN)),
            event(6, duplicate_address=NVE.DuplicateAddress(tsi=key())),
            event(7, lost=NVE.EventsLost(count=12))]


@test
def watch_tells_each_kind_of_event_in_a_line(far):
    far.answers["Watch"] = all_events()
    tsi = f"TSI {TSI} at p1, VN 100: "
    want = [tsi + "Associated -> Activated, asked by hv-a",
            tsi + "Activated -> Associated (KEEPACTIVE_EXPIRED: no keepactive or frame within its "
            "time)", tsi + "updated, now at p2", "VN 100 at p1: connected, tag 10",
            "VN 100 at p1: disconnected (VN_WITHDRAWN: the NVA withdrew the VN)",
            tsi + "an address of it is Activated at two places", "12 events were lost here"]
    same(ok("watch").lines,
         [f"2023-11-14 22:13:20.{i:03}  {i}  {text}" for i, text in enumerate(want, 1)])


@test
def watch_in_json_is_one_object_a_line(far):
    far.answers["Watch"] = all_events()
    got = [json.loads(line) for line in ok("watch", "-o", "json", "--port", "p1").lines]
    same([e["seq"] for e in got], list(range(1, 8)))
    same(got[0]["tsi_state"]["from"], "TSI_STATE_ASSOCIATED")
    same(got[3]["vn_connected"], {"port": "p1", "vn_id": 100, "tag": 10})
    assert "tsi_state" not in got[3]
    same(far.requests[-1], ("Watch", NVE.WatchRequest(port="p1")))


@test
def watch_prints_each_event_when_it_happens(far):
    events = queue.Queue()
    far.answers["Watch"] = events
    with subprocess.Popen([NVECTL, "watch", "-o", "json", "--count", "2"], env=environment(),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        for seq in (1, 2):
            events.put(event(seq, lost=NVE.EventsLost(count=seq)))
            assert select.select([child.stdout], [], [], PATIENCE)[0], "nothing came"
            same(json.loads(child.stdout.readline())["seq"], seq)
        same(child.wait(PATIENCE), 0)  # --count, though the stream goes on
        same(child.stderr.read(), "")
    events.put(None)


@test
def watch_ends_well_after_its_timeout_and_badly_when_the_agent_goes(far):
    events = queue.Queue()
    far.answers["Watch"] = events
    same((ok("watch", "-t", "0.3").out), "")
    events.put(None)
    far.answers["Watch"] = Refusal(C.UNAVAILABLE, "the agent is stopping", "SHUTTING_DOWN",
                                   remedy="retry when it is back")
    same(nvectl("watch").rc, 1)
    far.answers["Watch"] = Refusal(C.UNAVAILABLE, "Socket closed")
    got = nvectl("watch")
    same(got.rc, 3)
    assert "Socket closed" in got.err, got.err


# --- completion -------------------------------------------------------------------------------

def completed(line, point=None, breaks=None):
    """What bash would offer for a line with the cursor at its end."""
    script = f'PATH={os.path.dirname(NVECTL)}:$PATH\neval "$(nvectl completion bash)"\n'
    if breaks is not None:
        script += f"COMP_WORDBREAKS={breaks!r}\n"
    script += 'COMP_LINE=$1 COMP_POINT=$2 _nvectl nvectl\nprintf "%s\\n" "${COMPREPLY[@]}"'
    got = subprocess.run(["bash", "--norc", "-c", script, "bash", line, str(point or len(line))],
                         env=environment(), capture_output=True, text=True, timeout=PATIENCE,
                         check=True)
    same(got.stderr, "")
    return [line for line in got.stdout.splitlines() if line]


@test
def the_completion_scripts_are_valid(far):
    for shell in ("bash", "zsh"):
        if not shutil.which(shell):
            print(f"         (there is no {shell} here: its script is not checked)")
            continue
        subprocess.run([shell, "-n"], input=ok("completion", shell).out, text=True, check=True,
                       timeout=PATIENCE)
    with open(os.path.join(TMP, "completion.bash"), "w", encoding="utf-8") as file:
        file.write(ok("completion", "bash").out)
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", "--shell=bash", file.name], check=True, timeout=PATIENCE)


@test
def commands_and_options_are_completed(far):
    same(completed("nvectl sta"), ["status"])
    same(completed("nvectl tsi ac"), ["activate"])
    same(completed("nvectl -o json vn "), ["list", "connect", "disconnect"])
    same(completed("nvectl tsi activate --keep"), ["--keepalive", "--keepactive"])
    same(completed("nvectl tsi --st"), ["--stats"])
    same(completed("nvectl tsi activate --cause m"), ["migrate-in"])
    same(completed("nvectl tsi activate --cause=m"), ["migrate-in"])
    same(completed("nvectl tsi activate --cause=m", breaks=" "), ["--cause=migrate-in"])
    same(completed("nvectl -o "), ["table", "json"])
    same(completed("nvectl help tsi k"), ["keepalive", "keepactive"])
    same(completed("nvectl tsi ac --port p", point=13), ["activate"])
    same(completed("nvectl frobnicate x"), [])


@test
def names_are_completed_by_asking_the_agent(far):
    same(completed("nvectl port "), ["p1", "up"])
    same(completed("nvectl tsi activate x --port p"), ["p1"])
    same(completed("nvectl vn connect p1 "), ["100", "blue"])
    same(completed("nvectl tsi show 0200"), [TSI, TSI2])
    same(completed("nvectl table f"), ["fdb"])
    same(completed("nvectl table p"), ["published"])
    same(completed("nvectl -s unix:/nowhere port "), [])


@test
def a_name_that_a_shell_would_run_is_not_offered(far):
    far.answers["ListPorts"] = [NVE.ListPortsReply(ports=[
        NVE.Port(name=n) for n in ("p1", "$(reboot)", "p;ls", "p 2", "p:3", "p\n4", "")])]
    same(completed("nvectl port p"), ["p1", "p:3"])
    same(completed("nvectl port p:"), ["3"])  # readline replaces what follows the colon
    same(completed("nvectl port p:", breaks=" "), ["p:3"])


@test
def the_tab_key_completes_in_an_interactive_bash(far):
    pid, fd = pty.fork()
    if not pid:
        os.chdir(TMP)
        env = environment(PATH=os.path.dirname(NVECTL) + ":" + os.environ["PATH"], TERM="dumb",
                          PS1="ready> ", INPUTRC="/dev/null")
        os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"], env)
    try:
        converse(fd, b'eval "$(nvectl completion bash)"; echo loa""ded\n', b"loaded")
        converse(fd, b"nvectl tsi show --port p1 " + TSI[:-2].encode() + b"a\t\n",
                 b"state       Activated")
        converse(fd, b"exit\n", b"exit")
    finally:
        os.close(fd)
        os.waitpid(pid, 0)


def converse(fd, say, hear):
    os.write(fd, say)
    heard, end = b"", time.monotonic() + PATIENCE
    while hear not in heard:
        assert select.select([fd], [], [], max(0, end - time.monotonic()))[0], heard
        heard += os.read(fd, 4096)


# --- the far end itself -----------------------------------------------------------------------

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


def main():
    failed = 0
    far = FarEnd("unix:" + SOCKET, NVE, NVE_GRPC, STATUS, DETAILS)
    for function in TESTS:
        name = function.__name__.replace("_", " ")
        lay_out(far)
        try:
            function(far)
            assert not far.violations, far.violations
            print("ok      ", name, flush=True)
        except Exception:  # a test may fail in any way; the others still run
            failed += 1
            far.violations.clear()
            print("FAILED  ", name, flush=True)
            traceback.print_exc(file=sys.stdout)
    far.stop()
    shutil.rmtree(TMP)
    print(f"{len(TESTS) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
