#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Arrival by migration (D16, B20, S88): what a VN and a VM hear when a TSI comes to this NVE.

    vm --[hv1: tag.bpf.c]==[p1          ]
    hv2 ==================[p2 nve1 eth0]-- wire --+-- far  (kernel VXLAN that learns, VNI 5100)
                                                  '-- far2 (kernel VXLAN, VNI 5100)

Passes when the addresses that arrive are announced to both far ends and to p2, once, and never to
p1; the far kernel's own neighbor tables and VXLAN device then know the VM; the VM is asked for its
multicast groups and its answers cross the VN; and nothing of that happens without a migration.
"""
import frames as f
from check import equal, expect, main, test
from client import ACTIVATED, pb
from lab import FAR, FAR2, NVE1, RED, RED_VNI, Netns, vn
from netlab import wait_for

VM, OTHER, FAR_MAC = "02:00:00:00:01:01", "02:00:00:00:02:01", "02:00:00:00:09:09"
WRONG = "02:00:00:00:77:77"
IP, IP6, LINK_LOCAL = "10.0.0.1", "fd00::1", "fe80::1"
GROUP, GROUP6 = "239.1.2.3", "ff05::123"
ADDRS = [f"{VM}/{IP}", f"{VM}/{IP6}", f"{VM}/{LINK_LOCAL}"]
CURRENT = b"\x02\0\0\0"  # of a group's record: it answers a query, and tells of no change
MIGRATED = {"cause": pb.CAUSE_MIGRATE_IN}


class World:
    pass


def build(lab):
    w = World()
    w.hv1, w.hv2 = lab.hypervisor("hv1"), Netns("hv2")
    w.nve = lab.nve("nve1", NVE1, {"p1": w.hv1, "p2": w.hv2}, [
        vn(RED, RED_VNI, "red", [FAR, FAR2], [(FAR_MAC, "10.0.0.9", FAR)])])
    w.far, far2 = lab.far_end(), lab.far_end("far2", FAR2)
    w.inside = w.far.vn(RED_VNI, FAR_MAC, ["10.0.0.9/24", "fd00::9/64"], [NVE1])
    w.inside2 = far2.vn(RED_VNI, "02:00:00:00:0a:0a", flood=[NVE1])
    w.far.ns.run("ip link set vx5100 type vxlan learning")
    w.vm = w.hv1.add_vm("vm", VM, [f"{IP}/24", f"{IP6}/64", f"{LINK_LOCAL}/64"])
    w.eth, w.p1, w.p2 = w.vm.tap("eth0"), w.hv1.ns.tap("nve1-p1"), w.hv2.tap("nve1-p2")
    w.c = w.nve.client
    return w


def is_garp(x):
    return x == f.arp_request(VM, IP, IP)


def is_rarp(x):
    return x == f.eth(f.BROADCAST, VM, f.RARP, f.arp(3, VM, "0.0.0.0", VM, "0.0.0.0")).ljust(
        60, b"\0")


def is_na(x, ip=IP6):
    return x[:14] == f.eth("33:33:00:00:00:01", VM, f.IPV6, b"") and x[54:55] == b"\x88" and (
        x[62:78] == f.ip(ip) and x[58] & 0x60 == 0x20 and x[21] == 255)


def is_query(x):
    """IGMPv3 or MLDv2, without its tag."""
    return x[14:15] == b"\x46" and x[38] == 0x11 or x[62:63] == b"\x82"


def untagged(x):
    return x[:12] + x[16:] if x[12:14] == b"\x81\x00" else x


def all_taps(w):
    return {"far": w.inside, "far2": w.inside2, "p1": w.p1, "p2": w.p2, "vm": w.eth}


def heard(w, kind):
    """Who has seen how many of that kind."""
    got = {n: len(t.find(lambda x: kind(untagged(x)))) for n, t in all_taps(w).items()}
    return {n: k for n, k in got.items() if k}


def arrive(w, addrs, **kw):
    for tap in all_taps(w).values():
        tap.clear()
    reply = w.c.activate(1, "p1", "red", addrs, **kw)
    w.hv1.tag("vm", reply.tag)
    return reply


@test
def what_arrives_is_announced_to_all_of_the_vn_once_and_never_to_itself(w):
    """The VN is new to this NVE: its first announcement must wait for the way to the far ends."""
    w.c.activate(2, "p2", "red", [OTHER])
    w.far.ns.run(f"ip neigh replace {IP} lladdr {WRONG} dev vx5100 nud stale")
    w.far.ns.run(f"ip neigh replace {IP6} lladdr {WRONG} dev vx5100 nud stale")
    equal(arrive(w, ADDRS, **MIGRATED).state, ACTIVATED, "state")
    for tap in (w.inside, w.inside2, w.p2):
        tap.wait(lambda x: is_garp(untagged(x)), what="gratuitous ARP")
        tap.wait(lambda x: is_na(untagged(x)), what="neighbor advertisement")
        tap.wait(lambda x: is_na(untagged(x), LINK_LOCAL), what="neighbor advertisement")
    w.p1.wait(lambda x: untagged(x)[62:63] == b"\x82", what="MLD query, which is sent last")
    equal(heard(w, is_garp), {"far": 1, "far2": 1, "p2": 1}, "who heard the ARP")
    equal(heard(w, is_na), {"far": 1, "far2": 1, "p2": 1}, "who heard the advertisement")
    equal(heard(w, is_rarp), {}, "who heard RARP")


@test
def the_far_kernel_took_the_address_over_from_both(w):
    for ip in (IP, IP6):
        wait_for(f"{VM} at {ip}", lambda ip=ip: VM in w.far.ns.run(f"ip neigh show {ip}"))


@test
def the_far_kernels_vxlan_device_has_learned_where_the_vm_is(w):
    expect(f"{VM} dst {NVE1}" in w.far.ns.run("bridge fdb show dev vx5100"), "learned")
    w.far.ns.run(f"ping -c1 -W3 {IP}")


@test
def a_mac_without_ip_arrives_by_rarp(w):
    w.c.clear(1, "p1")
    arrive(w, [VM], **MIGRATED)
    for tap in (w.inside, w.inside2, w.p2):
        tap.wait(lambda x: is_rarp(untagged(x)), what="RARP")
    equal(heard(w, is_rarp), {"far": 1, "far2": 1, "p2": 1}, "who heard RARP")
    equal(heard(w, is_garp), {}, "who heard ARP")
    w.c.clear(1, "p1")


@test
def the_vm_is_asked_for_its_groups_and_its_answers_cross_the_vn(w):
    w.vm.run(f"ip addr add {GROUP}/32 dev eth0 autojoin")
    w.vm.run(f"ip addr add {GROUP6}/128 dev eth0 autojoin nodad")
    tag = w.c.vn_connect("p1", "red").tag
    w.hv1.tag("vm", tag)
    arrive(w, ADDRS, **MIGRATED)
    w.eth.wait(lambda x: x[14:15] == b"\x46" and x[38] == 0x11, what="the IGMP query")
    w.eth.wait(lambda x: x[62:63] == b"\x82", what="the MLD query")
    equal({n for n in heard(w, is_query) if n not in ("p1", "vm")}, set(), "others asked")
    for group in (GROUP, GROUP6):
        w.inside.wait(CURRENT + f.ip(group), 5.0, f"the report of {group}")


@test
def a_repeated_activate_says_nothing_and_neither_do_other_causes(w):
    before = counters(w)
    arrive(w, (), **MIGRATED)
    w.c.deactivate(1, "p1", "red")
    for cause in (pb.CAUSE_RESUME, pb.CAUSE_CREATE, 0):
        arrive(w, ADDRS, cause=cause)
        w.c.deactivate(1, "p1", "red")
    equal(counters(w), before, "frames announced")
    arrive(w, ADDRS, **MIGRATED)
    w.inside.wait(is_garp, what="the next arrival's ARP")
    wait_for("5 frames", lambda: counters(w)["announced"] == before["announced"] + 5)


def counters(w):
    return {c.name: c.value for c in w.c.status().counters if "announced" in c.name}


@test
def without_a_way_to_a_vtep_the_others_hear_of_it_after_a_second(w):
    w.c.clear(1, "p1")
    w.c.clear(2, "p2")
    w.nve.ns.run(f"ip route add prohibit {FAR2}/32")
    w.c.activate(2, "p2", "red", [OTHER])
    arrive(w, ADDRS, **MIGRATED)
    w.inside.wait(is_garp, what="the ARP")
    equal(heard(w, is_garp), {"far": 1, "p2": 1}, "who heard the ARP")


if __name__ == "__main__":
    main(build, modes=("tc", "xdp"))
