# SPDX-License-Identifier: Apache-2.0
"""nvectl as a process, and the small NVE that it is shown: what all cases use."""

import atexit
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
import uuid

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import grpc  # noqa: E402
from far_end import ROOT, FarEnd, Refusal, generate  # noqa: E402

NVECTL = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else
                         os.path.join(ROOT, "build/release/nvectl"))
TMP = tempfile.mkdtemp(prefix="nvectl-test.")
atexit.register(shutil.rmtree, TMP, ignore_errors=True)
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
    return NVE.TsiReply(state=NVE.TsiState.Value("TSI_STATE_" + state), vn_id=100, tag=10, mtu=1450,
                        keepalive_ms=300000, keepactive_ms=30000, **more)


def tsi_entry(**more):
    fields = dict(
        key=key(), state=NVE.TSI_STATE_ACTIVATED, cause=NVE.CAUSE_CREATE, vn_name="blue", tag=10,
        qos=NVE.Qos(codepoint=46),
        addresses=[NVE.TsiAddress(address=addr("02:00:00:00:00:01", "10.0.0.1"), active=True),
                   NVE.TsiAddress(address=addr(ip="2001:db8::1"), active=False,
                                  gleaned=True)],
        glean_max=8, glean_age_ms=300000,
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
            notes=["no TLS: loopback only"],
            listening=[{"address": "unix:/run/nved/nved.sock", "security": "peer's uid"},
                       {"address": "127.0.0.1:50051", "security": "loopback"}],
            tls={"certificate_until": 1700000000, "connections": 2, "accepted": 5, "refused": 1},
            max_message_bytes=65536, max_outstanding=256),
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
            NVE.Drop(reason="SRC_MAC", text="source MAC is not the TSI's", frames=1234567)],
            answers=[
                NVE.Answered(kind="ARP", text="ARP requests answered", frames=12345678),
                NVE.Answered(kind="FRAG_NEEDED", text="fragmentation-needed sent", frames=3)]),
        "ListTables": NVE.ListTablesReply(tables=[NVE.Pool(name="fdb", used=4, max=1024),
                                                  NVE.Pool(name="vap", used=1, max=4096)]),
        "DumpTable": [NVE.DumpTableReply(rows=[
            NVE.Row(key='{"vni":5000,"mac":"02:00:00:00:00:01"}', value='{"tsi":3}'),
            NVE.Row(key="not json", value='{"broken"')])],
        "Why": NVE.WhyReply(
            verdict=NVE.VERDICT_FORWARDED, programs=["xdp_access", "tc_access"],
            out_ifname="eth0", out_port="up", out_vtep=bytes([192, 0, 2, 2]), out_len=110,
            out_frame=bytes(range(110)), steps=[
                NVE.WhyStep(table="src", key='{"ifindex":5,"vid":10}', value='{"tsi":3}'),
                NVE.WhyStep(table="fdb", key='{"vn_id":100}')]),
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
