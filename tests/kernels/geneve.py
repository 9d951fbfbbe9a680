#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Geneve against the kernel's own device, tags against the kernel's own 802.1Q devices.

    vm4 --[vlan device on hv4]==tagged==[p1 nve4 eth0]--+-- wire --+--[far4: geneve, VNI 5200]
    vm6 --[vlan device on hv6]==tagged==[p1 nve6 eth0]--+  v4, v6  +--[far6: geneve, VNI 5200]

Passes when, over an underlay of IPv4 and one of IPv6, both stacks resolve each other's addresses,
ping each other in every size up to the MTU, TCP arrives whole both ways, and a frame with a tag
that is nobody's arrives nowhere.  Run by guest.py, for it needs what few kernels have.
"""
import os
import sys

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "../e2e")]

from check import expect, main, test  # noqa: E402
from lab import BLUE, BLUE_VNI, transfer, vn  # noqa: E402
import netlab  # noqa: E402
from netlab import Netns, add_address  # noqa: E402

NVE = {4: "192.0.2.1", 6: "2001:db8::1"}
FAR = {4: "192.0.2.9", 6: "2001:db8::9"}
VM_MAC, FAR_MAC = "02:00:00:00:01:01", "02:00:00:00:09:09"
VM_IPS, FAR_IPS = ("10.0.0.1", "fd00::1"), ("10.0.0.9", "fd00::9")
TCP_BYTES = 256 << 10


class Side:
    """One NVE, its VM and the far end of its tunnel."""

    def __init__(self, lab, family):
        self.family = family
        self.hv = Netns(f"hv{family}")
        self.nve = lab.nve(f"nve{family}", NVE[family], {"p1": self.hv}, [
            {**vn(BLUE, BLUE_VNI, "blue", [FAR[family]],
                  [(FAR_MAC, FAR_IPS[0], FAR[family]), (FAR_MAC, FAR_IPS[1], FAR[family])]),
             "encap": "geneve"}],
            # The guest is emulated: between two frames more than half a minute may pass.
            timers={"keepactive": {"default_ms": 0, "may_be_off": True}})
        self.far = Netns(f"far{family}")
        lab.wire.plug(self.far, "eth0")
        add_address(self.far, "eth0", FAR[family])
        zero = "udp6zerocsumtx udp6zerocsumrx " if family == 6 else ""
        self.far.link(f"link add gnv0 type geneve id {BLUE_VNI} remote {NVE[family]} {zero}"
                      f"dstport 6081\nlink set gnv0 addrgenmode none\n"
                      f"link set gnv0 address {FAR_MAC} mtu 1500 up\n")
        self.address(self.far, "gnv0", FAR_IPS)
        tag = self.nve.client.activate(1, "p1", "blue", [f"{VM_MAC}/{a}" for a in VM_IPS]).tag
        self.vm = self.vlan(f"vm{family}", tag, VM_MAC)
        self.address(self.vm, "eth0", VM_IPS)

    def vlan(self, name, tag, mac):
        """A VM on an 802.1Q device of the trunk."""
        vm = Netns(name)
        trunk = f"nve{self.family}-p1"
        self.hv.link(f"link add link {trunk} name v{tag} type vlan id {tag}\n"
                     f"link set v{tag} netns {name}\n")
        vm.link(f"link set v{tag} name eth0\nlink set eth0 addrgenmode none\n"
                f"link set eth0 address {mac} mtu 1500 up\n")
        return vm

    @staticmethod
    def address(ns, ifname, ips):
        for ip in ips:
            ns.run(["sysctl", "-qw", f"net.ipv6.conf.{ifname}.disable_ipv6=0"])
            ns.run(f"ip addr add {ip}/{64 if ':' in ip else 24} dev {ifname}"
                   + " nodad" * (":" in ip))


class World:
    pass


def build(lab):
    w = World()
    w.sides = [Side(lab, 4), Side(lab, 6)]
    w.mode = lab.mode
    return w


def pings(side, ns, target, *options):
    text = ns.run(["ping", "-c2", "-i0.1", "-W5", *options, target], check=False)
    if " 2 received" not in text:
        drops = {k: v for k, v in side.nve.client.drops().items() if v}
        raise netlab.Failure(f"{ns.name} to {target}: {text}\n    lost: {drops}\n    next hops: "
                             + side.nve.ns.run("ip neigh"))


@test
def the_programs_run_on_this_kernel(w):
    for side in w.sides:
        for port in side.nve.client.ports():
            expect(port.up and port.mode == w.mode, f"{port.name}: {port.why}")


@test
def the_vm_and_the_geneve_device_ping_each_other(w):
    for side in w.sides:
        for vm_ip, far_ip in zip(VM_IPS, FAR_IPS):
            pings(side, side.vm, far_ip)
            pings(side, side.far, vm_ip)


@test
def pings_of_every_size_up_to_the_mtu_are_answered(w):
    for side in w.sides:
        for size in (0, 18, 500, 1472):
            pings(side, side.vm, FAR_IPS[0], "-s", str(size), "-M", "do")
            pings(side, side.far, VM_IPS[0], "-s", str(size), "-M", "do")


@test
def tcp_arrives_whole_both_ways(w):
    blob = os.urandom(TCP_BYTES)
    for side in w.sides:
        for vm_ip, far_ip in zip(VM_IPS, FAR_IPS):
            transfer(side.vm, side.far, far_ip, blob)
            transfer(side.far, side.vm, vm_ip, blob)


@test
def a_vm_on_a_tag_that_is_nobodys_reaches_nobody(w):
    for side in w.sides:
        stranger = side.vlan(f"stranger{side.family}", 77, "02:00:00:00:01:77")
        side.address(stranger, "eth0", ("10.0.0.77",))
        before = side.nve.client.drops().get("NO_VAP", 0)
        text = stranger.run(f"ping -c2 -i0.2 -W1 {FAR_IPS[0]}", check=False)
        expect(" 0 received" in text, text)
        netlab.wait_for("the drops to be counted",
                        lambda s=side, b=before: s.nve.client.drops().get("NO_VAP", 0) > b)


if __name__ == "__main__":
    main(build, modes=("tc", "xdp"))
