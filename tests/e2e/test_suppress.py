#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Suppression: who asks for an address that was signaled is answered by its own NVE, unknown
unicast is dropped where the VN says so, and BUM has a rate.

    vm-a ==hv1==[p1 nve1 eth0]--+-- wire --[far: kernel VXLAN]
    vm-c ==hv3==[p2          ]  |
    vm-b ==hv2==[p1 nve2 eth0]--+

Passes when ARP and neighbor discovery resolve and no question crosses the underlay; the answers
follow Activate, Deactivate and the NVA's file; what must be heard by all is; and a storm is cut at
its burst.
"""
import json
import time

from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6NDOptDstLLAddr, IPv6
from scapy.layers.l2 import ARP, Ether

import frames as f
from check import equal, expect, main, test
from lab import BLUE, BLUE_VNI, FAR, NVE1, NVE2, RED, RED_VNI, vn
from netlab import sh, wait_for

A, B, C, FAR_MAC = (f"02:00:00:00:0{n}:01" for n in (1, 2, 3, 9))
A_BLUE, FAR_BLUE, NOBODY = "02:00:00:00:01:02", "02:00:00:00:09:02", "02:00:00:00:66:66"
A_STORM, STORM, STORM_VNI = "02:00:00:00:01:03", 300, 5300
RATE, BURST, STORM_SIZE = 1, 25, 400


class World:
    pass


def vns(local, far_ips=("10.0.0.9", "fd00::9")):
    others = [x for x in (NVE1, NVE2, FAR) if x != local]
    where = [(A, "10.0.0.1", NVE1), (A, "fd00::1", NVE1), (B, "10.0.0.2", NVE2),
             (B, "fd00::2", NVE2)] + [(FAR_MAC, x, FAR) for x in far_ips]
    return [vn(RED, RED_VNI, "red", others, [x for x in where if x[2] != local]),
            {**vn(BLUE, BLUE_VNI, "blue", [FAR], [(FAR_BLUE, None, FAR)]),
             "unknown_unicast": "drop"},
            {**vn(STORM, STORM_VNI, "storm", [FAR]), "bum_rate": RATE, "bum_burst": BURST}]


def build(lab):
    w = World()
    hv = [lab.hypervisor(f"hv{i}") for i in (1, 2, 3)]
    w.nve = [lab.nve("nve1", NVE1, {"p1": hv[0], "p2": hv[2]}, vns(NVE1)),
             lab.nve("nve2", NVE2, {"p1": hv[1]}, vns(NVE2))]
    w.far = lab.far_end()
    w.inside = w.far.vn(RED_VNI, FAR_MAC, ["10.0.0.9/24", "fd00::9/64"], [NVE1, NVE2])
    w.blue_inside = w.far.vn(BLUE_VNI, FAR_BLUE, flood=[NVE1])
    w.storm_inside = w.far.vn(STORM_VNI, "02:00:00:00:09:03", flood=[NVE1])
    for mac, vtep, last in ((A, NVE1, 1), (B, NVE2, 2)):
        w.far.remote(RED_VNI, mac, vtep)
        for ip in (f"10.0.0.{last}", f"fd00::{last}"):  # the far end does not suppress
            w.far.ns.run(f"ip neigh replace {ip} lladdr {mac} dev vx{RED_VNI} nud permanent")
    c1, c2 = w.nve[0].client, w.nve[1].client
    w.vm = []
    for i, (c, port, mac, last) in enumerate(((c1, "p1", A, 1), (c2, "p1", B, 2),
                                              (c1, "p2", C, 3))):
        ips = [f"10.0.0.{last}", f"fd00::{last}"]
        tag = c.activate(i + 1, port, "red", [f"{mac}/{x}" for x in ips]).tag
        w.vm.append(hv[i].add_vm(f"vm-{'abc'[i]}", mac, [ips[0] + "/24", ips[1] + "/64"], tag))
    w.ta, w.tb, w.tc = (vm.tap("eth0") for vm in w.vm)
    w.wire = w.far.ns.tap("eth0")
    w.under = [n.ns.tap("eth0") for n in w.nve]
    w.hv = hv
    return w


def answers(nve):
    rows = json.loads(sh(f"bpftool -j map dump pinned {nve.pin('answers')}"))
    sums = {r["formatted"]["key"]: sum(x["value"] for x in r["formatted"]["values"])
            for r in rows}
    return sums[0], sums[1]


def is_question(frame):
    """An ARP request, or a neighbor solicitation, inside of a tunnel packet."""
    inner = frame[50:]
    return frame[12:14] == b"\x08\x00" and frame[23] == 17 and (
        inner[12:14] == b"\x08\x06" and inner[21] == 1
        or inner[12:14] == b"\x86\xdd" and inner[20] == 58 and inner[54] == 135)


def forget(w):
    for vm in w.vm:
        vm.run("ip neigh flush dev eth0 nud all")
    for tap in (*w.under, w.wire, w.ta, w.tb, w.tc, w.inside):
        tap.clear()


def pings(vm, target):
    text = vm.run(f"ping -c2 -i0.05 -W2 {target}")
    expect(" 2 received" in text, text)


@test
def addresses_resolve_and_no_question_crosses_the_underlay(w):
    before = [answers(n) for n in w.nve]
    forget(w)
    for target in ("10.0.0.2", "fd00::2", "10.0.0.9", "fd00::9", "10.0.0.3", "fd00::3"):
        pings(w.vm[0], target)
    for tap in (*w.under, w.wire):
        equal([x.hex() for x in tap.find(is_question)], [], f"questions at {tap.where}")
    expect(w.wire.find(lambda x: x[50:][12:14] == b"\x08\x00"), "pings over the underlay")
    for nve, old, least in zip(w.nve, before, ((3, 3), (1, 1))):
        new = answers(nve)
        expect(new[0] >= old[0] + least[0] and new[1] >= old[1] + least[1],
               f"{nve.name} answered {old} and then {new}")


@test
def the_advertisement_is_right_to_the_checksum(w):
    forget(w)
    w.ta.send(f.neighbor_solicitation(A, "fd00::1", "fd00::2"))
    got = Ether(w.ta.wait(lambda x: x[12:14] == b"\x86\xdd" and x[54] == 136))
    equal((got.src, got.dst), (B, A), "MACs")
    equal((got[IPv6].src, got[IPv6].dst, got[IPv6].hlim, got[IPv6].plen),
          ("fd00::2", "fd00::1", 255, 32), "the IPv6 header")
    na = got[ICMPv6ND_NA]
    equal((na.R, na.S, na.O, na.tgt), (1, 1, 1, "fd00::2"), "flags and target")
    equal(got[ICMPv6NDOptDstLLAddr].lladdr, B, "the option")
    had = na.cksum
    del na.cksum
    equal(Ether(bytes(got))[ICMPv6ND_NA].cksum, had, "the checksum, as scapy makes it")


@test
def the_arp_reply_is_right_and_goes_to_who_asked_alone(w):
    forget(w)
    w.ta.send(f.arp_request(A, "10.0.0.1", "10.0.0.9"))
    got = Ether(w.ta.wait(lambda x: x[12:14] == b"\x08\x06" and x[21] == 2))
    equal((got.src, got.dst, got[ARP].hwsrc, got[ARP].psrc, got[ARP].hwdst, got[ARP].pdst),
          (FAR_MAC, A, FAR_MAC, "10.0.0.9", A, "10.0.0.1"), "the reply")
    token = f.token()
    w.ta.send(f.plain(A, f.BROADCAST, token))
    for tap in (w.tb, w.tc, w.inside):
        tap.wait(token)
        equal(tap.find(lambda x: x[12:14] == b"\x08\x06"), [], f"ARP at {tap.where}")


@test
def what_all_must_hear_is_flooded_and_what_nobody_signaled_too(w):
    forget(w)
    for target in ("10.0.0.1", "10.0.0.77"):  # gratuitous; unknown
        w.ta.send(f.arp_request(A, "10.0.0.1", target))
        for tap in (w.tb, w.tc, w.inside):
            tap.wait(lambda x, t=target: x[12:14] == b"\x08\x06" and x[38:42] == f.ip(t))


@test
def a_question_to_one_mac_goes_to_its_owner(w):
    forget(w)
    w.ta.send(f.eth(B, A, 0x0806, f.arp(1, A, "10.0.0.1", B, "10.0.0.2")))
    w.tb.wait(lambda x: x[12:14] == b"\x08\x06" and x[:6] == f.mac(B))


@test
def a_spoofed_question_is_still_dropped(w):
    with w.nve[0].dropping("SRC_ARP", tsi=1):
        w.ta.send(f.arp_request(A, "10.0.0.66", "10.0.0.2"))


@test
def answers_follow_activate_and_deactivate(w):
    c = w.nve[0].client

    def asked():
        forget(w)
        w.ta.send(f.arp_request(A, "10.0.0.1", "10.0.0.3"))
        return w.ta
    asked().wait(lambda x: x[21] == 2 and x[6:12] == f.mac(C))
    c.deactivate(3, "p2", "red")
    asked()
    w.tb.wait(lambda x: x[12:14] == b"\x08\x06" and x[38:42] == f.ip("10.0.0.3"))
    equal(w.ta.find(lambda x: x[12:14] == b"\x08\x06" and x[21] == 2), [], "answers")
    c.activate(3, "p2", "red")
    asked().wait(lambda x: x[21] == 2 and x[6:12] == f.mac(C))


@test
def answers_follow_the_nvas_file(w):
    def is_answered(ip):
        forget(w)
        w.ta.send(f.arp_request(A, "10.0.0.1", ip))
        token = f.token()
        w.ta.send(f.plain(A, f.BROADCAST, token))
        w.inside.wait(token)  # so the question would have come there, too
        return not w.inside.find(lambda x: x[12:14] == b"\x08\x06" and x[38:42] == f.ip(ip))
    expect(is_answered("10.0.0.9") and not is_answered("10.0.0.99"), "as the file says")
    w.nve[0].hup(vns(NVE1, ("10.0.0.99", "fd00::99")))
    wait_for("the new address", lambda: is_answered("10.0.0.99"), 5, 0.02)
    expect(not is_answered("10.0.0.9"), "no more")
    w.nve[0].hup(vns(NVE1))
    wait_for("the old address", lambda: is_answered("10.0.0.9"), 5, 0.02)


@test
def nvectl_why_shows_the_answer(w):
    tag = w.nve[0].client.tsi(1, "p1").tag
    frame = f.tagged(f.arp_request(A, "10.0.0.1", "10.0.0.2"), tag)
    got = json.loads(w.nve[0].ctl("-o", "json", "why", "--port", "p1", "--hex", frame.hex()))
    equal((got["verdict"], got["out_port"]), ("VERDICT_ANSWERED", "p1"), "verdict")
    expect("neigh" in [s["table"] for s in got["steps"]], "no step in neigh")
    rows = w.nve[0].client.table("neigh")
    expect({"vn_id": RED, "ip": "fd00::2"} in [k for k, _ in rows], rows)


@test
def unknown_unicast_is_dropped_where_the_vn_says_so(w):
    tag = w.nve[0].client.activate(7, "p1", "blue", [A_BLUE]).tag
    vm = w.hv[0].add_vm("vm-blue", A_BLUE, (), tag).tap("eth0")
    token, good = f.token(), f.token()
    with w.nve[0].dropping("DST_UNKNOWN", tsi=7):
        vm.send(f.plain(A_BLUE, NOBODY, token), f.plain(A_BLUE, FAR_BLUE, good))
        w.blue_inside.wait(good)
    equal(w.blue_inside.find(token), [], "copies at the far end")
    with w.nve[0].dropping("DST_UNKNOWN"):
        w.blue_inside.send(f.plain(FAR_BLUE, NOBODY, f.token()))


@test
def a_storm_is_cut_at_the_rate_of_its_vn(w):
    tag = w.nve[0].client.activate(8, "p1", "storm", [A_STORM]).tag
    vm = w.hv[0].add_vm("vm-storm", A_STORM, (), tag).tap("eth0")
    token, begin = f.token(), time.monotonic()
    before = w.nve[0].client.drops()["BUM_RATE"]
    vm.send(*[f.plain(A_STORM, f.BROADCAST, token)] * STORM_SIZE)

    def all_told():
        lost = w.nve[0].client.drops()["BUM_RATE"] - before
        return len(w.storm_inside.find(token)) + lost == STORM_SIZE
    wait_for("each frame to be counted or to arrive", all_told, 10)
    most = BURST + RATE * (time.monotonic() - begin) + 1
    got = len(w.storm_inside.find(token))
    expect(BURST <= got <= most, f"{got} frames passed, {BURST} to {most} were to")


if __name__ == "__main__":
    main(build, modes=("tc", "xdp"))
