# SPDX-License-Identifier: Apache-2.0
"""The topologies: NVEs with their agents, hypervisors behind them, far ends, one underlay.

    vm --[hypervisor: tag.bpf.c]==trunk==[p1 nve1 eth0]--+
                                                         |-- wire --[eth0 far: kernel VXLAN]
    vm --[hypervisor: tag.bpf.c]==trunk==[p1 nve2 eth0]--+
"""
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
    def __init__(self):
        self.agents, self.hypervisors, self.taps = [], {}, {}
        self.wire = Bridge("wire", UNDERLAY_MTU)

    def hypervisor(self, name):
        self.hypervisors[name] = Switch(name, TAG_OBJ)
        return self.hypervisors[name]

    def nve(self, name, vtep, access, vns, mode="tc", start=True, **config):
        """access: {port: Switch, Bridge or Netns at its other end}.  With a Netns or a Switch the
        other end is an interface NAME-PORT there."""
        ns = Netns(name)
        self.wire.plug(ns, "eth0")
        ns.run(f"ip addr add {vtep}/24 dev eth0")
        ports = [{"name": "up", "ifname": "eth0", "role": "underlay", "mode": mode}]
        scope = {}
        for port, other in access.items():
            if isinstance(other, tuple):
                other, scope = other[0], {"scope": other[1]}
            self.cable(ns, port, other, f"{name}-{port}")
            ports.append({"name": port, "ifname": port, "role": "access", "mode": mode, **scope})
        agent = Agent(name, ns, vtep, ports, vns, **config)
        self.agents.append(agent)
        return agent.start() if start else agent

    def cable(self, ns, port, other, name):
        if isinstance(other, Bridge):
            other.plug(ns, port)
            return
        there = other.ns if isinstance(other, Switch) else other
        netlab.veth(ns, port, there, name)
        # What XDP at the near end asks of the far end of a veth: see the architecture's traps.
        there.run(f"ethtool -K {name} gro on tx off txvlan off")
        if isinstance(other, Switch):
            other.trunk(name)

    def far_end(self, name="far", address=FAR):
        return FarEnd(name, self.wire, address)


def crosses(frame, token, src, dst, what="the frame", as_sent=None, timeout=3.0):
    """The frame goes in at one tap and comes out at the other, unchanged (or as 'as_sent')."""
    src.send(frame)
    got = dst.wait(token, timeout, what)
    want = as_sent if as_sent is not None else frame
    if got != want:
        raise Failure(f"{what} was changed on the way:\n    sent {want.hex(' ')}\n"
                      f"    got  {got.hex(' ')}")
    return got


def blocked(frames, token, src, dst, marker, marker_token, what="the frame"):
    """The frames do not come out at 'dst', while a marker sent right behind them does; so no time
    has to be guessed."""
    src.send(*frames, marker)
    dst.wait(marker_token, 3.0, f"the marker behind {what}")
    if dst.find(token):
        raise Failure(f"{what} came through to {dst.where}")
