# SPDX-License-Identifier: Apache-2.0
"""The topologies: NVEs with their agents, hypervisors behind them, far ends, one underlay.

    vm --[hypervisor: tag.bpf.c]==trunk==[p1 nve1 eth0]--+
                                                         |-- wire --[eth0 far: kernel VXLAN]
    vm --[hypervisor: tag.bpf.c]==trunk==[p1 nve2 eth0]--+
"""
import subprocess
import time

from agent import Agent
from netlab import ROOT, STATE, Bridge, Failure, FarEnd, Netns, Switch, Tap, wait_for  # noqa: F401
import netlab

TAG_OBJ = f"{ROOT}/build/gen/tests/tag.bpf.o"
UNDERLAY_MTU = 1600
RED, BLUE = 100, 200           # VN IDs
RED_VNI, BLUE_VNI = 5100, 5200
NVE1, NVE2, FAR, FAR2 = "192.0.2.1", "192.0.2.2", "192.0.2.9", "192.0.2.10"


def vn(number, vni, name=None, vteps=(), mappings=()):
    """A VN for the NVA's file.  mappings: (mac, ip or None, vtep)."""
    out = {"name": name or f"vn-{number}", "id": number, "vni": vni, "vteps": list(vteps),
           "mappings": [{k: v for k, v in zip(("mac", "ip", "vtep"), m) if v} for m in mappings]}
    return {k: v for k, v in out.items() if v != []}


class Lab:
    """mode: of all ports, "tc" or "xdp".  In TC mode the offloads of the veths stay on, so that
    large segments and unfinished checksums go through the datapath."""

    def __init__(self, mode="tc"):
        self.agents, self.mode = [], mode
        self.wire = Bridge("wire", UNDERLAY_MTU, mode == "xdp")

    def hypervisor(self, name):
        return Switch(name, TAG_OBJ)

    def bridge(self, name):
        return Bridge(name, plain=self.mode == "xdp")

    def nve(self, name, vtep, access, vns, **config):
        """access: {port: Switch, Bridge or Netns at its other end}.  With a Netns or a Switch the
        other end is an interface NAME-PORT there.  A pair with a name: in that tag scope."""
        ns = Netns(name)
        self.wire.plug(ns, "eth0")
        netlab.add_address(ns, "eth0", vtep)
        ports = [{"name": "up", "ifname": "eth0", "role": "underlay", "mode": self.mode}]
        for port, other in access.items():
            scope = {}
            if isinstance(other, tuple):
                other, scope = other[0], {"scope": other[1]}
            self.cable(ns, port, other, f"{name}-{port}")
            ports.append({"name": port, "ifname": port, "role": "access", "mode": self.mode,
                          **scope})
        agent = Agent(name, ns, vtep, ports, vns, **config)
        self.agents.append(agent)
        return agent.start()

    def cable(self, ns, port, other, name):
        if isinstance(other, Bridge):
            other.plug(ns, port)
            return
        there = other.ns if isinstance(other, Switch) else other
        netlab.veth(ns, port, there, name)
        if self.mode == "xdp":
            netlab.plain_frames(there, name)
        if isinstance(other, Switch):
            other.trunk(name)

    def far_end(self, name="far", address=FAR):
        return FarEnd(name, self.wire, address)


def crosses(frame, token, src, dst, what="the frame", as_sent=None, timeout=3.0):
    """The frame goes in at one tap and comes out at the other, unchanged (or as 'as_sent')."""
    want = as_sent if as_sent is not None else frame
    src.send(frame)
    try:
        return dst.wait(lambda x: x == want, timeout, what)
    except Failure:
        changed = dst.find(token)  # it may also stand in an ICMP error
        if not changed:
            raise
        raise Failure(f"{what} was changed on the way:\n    want {want.hex(' ')}\n"
                      f"    got  {changed[0].hex(' ')}") from None


def blocked(frames, token, src, dst, marker, marker_token, what="the frame"):
    """The frames do not come out at 'dst', while a marker sent right behind them does; so no time
    has to be guessed."""
    src.send(*frames, marker)
    dst.wait(marker_token, 3.0, f"the marker behind {what}")
    if dst.find(token):
        raise Failure(f"{what} came through to {dst.where}")


def transfer(source, target, address, blob, timeout=60):
    """Sends the bytes over TCP from one namespace to an address in another; returns the seconds
    that it took.  Failure unless they all arrive as they were."""
    family, host = (6, f"[{address}]") if ":" in address else (4, address)
    path_in, path_out = f"{STATE}/sent-{source.name}", f"{STATE}/got-{target.name}"
    with open(path_in, "wb") as out:
        out.write(blob)
    sink = target.popen(["socat", "-u", "-dd", "-b262144", f"TCP{family}-LISTEN:7777,reuseaddr",
                         f"CREATE:{path_out}"], stderr=subprocess.PIPE, text=True)
    try:
        if not any("listening on" in line for line in sink.stderr):  # it says when it listens
            raise Failure(f"socat does not listen in {target.name}")
        begin = time.monotonic()
        source.run(["socat", "-u", "-b262144", f"OPEN:{path_in}",
                    f"TCP{family}:{host}:7777,connect-timeout=5"], timeout=timeout)
        sink.communicate(timeout=timeout)
        seconds = time.monotonic() - begin
    except subprocess.TimeoutExpired:
        raise Failure(f"TCP to {address} did not end in {timeout} s") from None
    finally:
        sink.kill()
        sink.wait()
    with open(path_out, "rb") as got:
        data = got.read()
    if data != blob:
        raise Failure(f"of {len(blob)} bytes over TCP to {address}, {len(data)} arrived"
                      + " and they differ" * (len(data) == len(blob)))
    return seconds
