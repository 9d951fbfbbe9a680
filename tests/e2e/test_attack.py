#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A tenant and an underlay that attack, while another tenant's frames pass (S11, S48, S49, D6).

    attacker --tagged==[p1 nve1 eth0]-- wire --[far: kernel VXLAN, VNs red and blue]
    victim ----tagged==[p2 nve1    ]

    red:  the attacker's TSI on p1, the victim's on p2, suppression off
    blue: the victim's alone, on p2

Each attack is some thousand frames, sent between numbered frames of the victim.  Passes when every
one of them is lost under its own reason, at the attacker's TSI where one is known, none comes out
anywhere, and of the victim's frames none is lost.
"""
import random

import frames as f
from check import equal, expect, main, test
from lab import BLUE, BLUE_VNI, FAR, NVE1, RED, RED_VNI, Netns, vn
from netlab import wait_for

EVIL, EVIL_IP, EVIL_IP6 = "02:00:00:00:0e:01", "10.0.0.66", "fd00::66"
GOOD, GOOD_IP, GOOD_IP6 = "02:00:00:00:01:01", "10.0.0.1", "fd00::1"
BLUE_MAC, FAR_MAC, FAR_IP = "02:00:00:00:0b:01", "02:00:00:00:09:09", "10.0.0.9"
ATTACKER, VICTIM, BLUE_TSI = 66, 1, 2
GREEN, GREEN_VNI = 300, 5300
FRAMES, ROUNDS = 2000, 20
STORM_RATE, STORM_BURST = 200, 100
MARK = b"attack!"


class World:
    pass


def build(lab):
    w = World()
    w.evil, w.good, w.far = Netns("evil"), Netns("good"), lab.far_end()
    w.nve = lab.nve("nve1", NVE1, {"p1": w.evil, "p2": w.good}, [
        {**vn(RED, RED_VNI, "red", [FAR], [(FAR_MAC, FAR_IP, FAR)]), "suppress": False,
         "bum_rate": STORM_RATE, "bum_burst": STORM_BURST},
        {**vn(BLUE, BLUE_VNI, "blue", [FAR], [(FAR_MAC, FAR_IP, FAR)])},
        vn(GREEN, GREEN_VNI, "green")], timers={
            "quarantine_ms": 60000, "keepactive": {"default_ms": 0, "may_be_off": True}})
    w.c = w.nve.client
    w.p1, w.p2 = w.evil.tap("nve1-p1"), w.good.tap("nve1-p2")
    w.wire = w.far.ns.tap("eth0")
    w.red, w.blue = (w.far.vn(vni, FAR_MAC, flood=[NVE1]) for vni in (RED_VNI, BLUE_VNI))
    w.tag = w.c.activate(ATTACKER, "p1", "red",
                         [f"{EVIL}/{EVIL_IP}", f"{EVIL}/{EVIL_IP6}"]).tag
    w.good_tag = w.c.activate(VICTIM, "p2", "red",
                              [f"{GOOD}/{GOOD_IP}", f"{GOOD}/{GOOD_IP6}"]).tag
    w.blue_tag = w.c.activate(BLUE_TSI, "p2", "blue", [BLUE_MAC]).tag
    w.macs = w.far.ns.mac("eth0"), w.nve.ns.mac("eth0")
    w.random = random.Random(11)
    return w


def withstood(w, tap, reason, frames, tsi=None):
    """Sends the attack in ROUNDS pieces, a frame of the victim in both VNs after each."""
    taps = (w.p1, w.p2, w.red, w.blue)
    for each in taps:
        each.clear()
    tokens, piece = [], -(-len(frames) // ROUNDS)
    with w.nve.dropping(reason, len(frames), tsi):
        for i in range(0, len(frames), piece):
            tap.send(*frames[i:i + piece])
            tokens.append(f.token())
            w.p2.send(f.tagged(f.plain(GOOD, FAR_MAC, tokens[-1]), w.good_tag),
                      f.tagged(f.plain(BLUE_MAC, FAR_MAC, tokens[-1]), w.blue_tag))
    for token in tokens:
        w.red.wait(token, what="a frame of the victim in red")
        w.blue.wait(token, what="a frame of the victim in blue")
    for each in taps:
        expect(not each.find(MARK), f"a frame of the attack came out at {each.where}")


def any_mac(w):
    """Of a unicast address that nobody has."""
    return "06:" + w.random.randbytes(5).hex(":")


def tagged(w, frames):
    return [f.tagged(frame, w.tag) for frame in frames]


def marked(frame):
    """The frame with the mark in its padding."""
    return frame + MARK + b"\0" * max(0, 53 - len(frame))


@test
def a_tsi_that_floods_with_new_source_macs_reaches_nobody(w):
    withstood(w, w.p1, "SRC_MAC", tagged(w, [
        f.plain(any_mac(w), FAR_MAC, MARK) for _ in range(FRAMES)]))
    equal(len(w.c.tsi(ATTACKER, "p1").addresses), 2, "addresses of the attacker")


@test
def the_victims_mac_from_the_attackers_port_is_spoofing(w):
    withstood(w, w.p1, "SRC_MAC", tagged(w, [
        f.plain(GOOD, FAR_MAC, MARK) for _ in range(FRAMES)]))


@test
def source_ips_of_others_are_lost_and_counted_at_the_attackers_tsi(w):
    frames = []
    for i in range(FRAMES // 2):
        src = GOOD_IP if i % 2 else f"10.9.{i >> 8}.{i & 255}"
        frames.append(f.udp4(EVIL, FAR_MAC, src, FAR_IP, MARK))
        src = GOOD_IP6 if i % 2 else f"fd00:9::{i + 1:x}"
        frames.append(f.udp6(EVIL, FAR_MAC, src, "fd00::9", MARK))
    withstood(w, w.p1, "SRC_IP", tagged(w, frames), ATTACKER)


@test
def poisoned_arp_is_lost_whoever_it_is_told_to(w):
    frames = []
    for i in range(FRAMES // 4):
        victim = GOOD_IP if i % 2 else FAR_IP
        for dst, op in ((f.BROADCAST, 1), (f.BROADCAST, 2), (FAR_MAC, 2), (GOOD, 2)):
            frames.append(marked(f.eth(dst, EVIL, f.ARP, f.arp(op, EVIL, victim, GOOD, GOOD_IP))))
    withstood(w, w.p1, "SRC_ARP", tagged(w, frames), ATTACKER)


@test
def poisoned_neighbor_discovery_is_lost(w):
    frames = [f.neighbor_advertisement(EVIL, EVIL_IP6, FAR_MAC, "fd00::9", victim, EVIL)
              for victim in (GOOD_IP6, "fd00::9") for _ in range(FRAMES // 2)]
    withstood(w, w.p1, "SRC_ND", tagged(w, [marked(x) for x in frames]), ATTACKER)


@test
def a_second_tag_leads_into_no_other_vn(w):
    inner = f.plain(EVIL, FAR_MAC, MARK)
    withstood(w, w.p1, "DOUBLE_TAG", [
        f.tagged(f.tagged(inner, w.blue_tag, tpid=tpid), w.tag)
        for tpid in (f.VLAN, f.QINQ) for _ in range(FRAMES // 2)])


@test
def priority_tags_and_frames_without_any_lead_nowhere(w):
    inner = f.plain(EVIL, FAR_MAC, MARK)
    withstood(w, w.p1, "NO_TAG", [f.tagged(inner, 0, pcp=i % 8) for i in range(FRAMES // 2)]
              + [inner] * (FRAMES // 2))


@test
def tags_of_other_ports_and_none_that_was_given_out_lead_nowhere(w):
    """All of them: what is the blue VN on the victim's port is nothing on the attacker's."""
    inner = f.plain(BLUE_MAC, FAR_MAC, MARK)
    withstood(w, w.p1, "NO_VAP", [
        f.tagged(inner, vid) for vid in range(1, 4095) if vid != w.tag])


@test
def a_tag_that_was_released_leads_nowhere_while_it_is_in_quarantine(w):
    tag = w.c.activate(ATTACKER, "p1", "blue", [EVIL]).tag
    w.c.clear(ATTACKER, "p1", "blue")
    withstood(w, w.p1, "TAG_QUARANTINED", [
        f.tagged(f.plain(EVIL, FAR_MAC, MARK), tag) for _ in range(FRAMES)])
    again = w.c.activate(ATTACKER, "p1", "green", [EVIL]).tag
    expect(again != tag, "the tag was given to another VN at once")
    w.c.clear(ATTACKER, "p1", "green")


def from_far(w, vni, inner, src):
    return f.tunnel(*w.macs, src, NVE1, f.vxlan(vni, inner))


@test
def forged_vteps_bring_nothing_in(w):
    inner = f.plain(FAR_MAC, GOOD, MARK)
    withstood(w, w.wire, "UNKNOWN_VTEP", [
        from_far(w, vni, inner, f"192.0.2.{20 + i % 200}")
        for vni in (RED_VNI, BLUE_VNI) for i in range(FRAMES // 2)])


@test
def tunnel_packets_of_all_other_vnis_bring_nothing_in(w):
    inner = f.plain(FAR_MAC, GOOD, MARK)
    vnis = [v for v in range(RED_VNI - FRAMES // 2, RED_VNI + FRAMES // 2)
            if v not in (RED_VNI, BLUE_VNI)]
    withstood(w, w.wire, "UNKNOWN_VNI", [from_far(w, v, inner, FAR) for v in vnis])


@test
def a_storm_of_broadcasts_is_cut_and_costs_another_vn_nothing(w):
    w.red.clear()
    w.blue.clear()
    before, tokens = w.c.drops(), []
    storm = [f.tagged(f.plain(EVIL, f.BROADCAST, MARK), w.tag)] * (FRAMES // ROUNDS)
    for _ in range(ROUNDS):
        w.p1.send(*storm)
        tokens.append(f.token())
        w.p2.send(f.tagged(f.plain(BLUE_MAC, FAR_MAC, tokens[-1]), w.blue_tag),
                  f.tagged(f.plain(GOOD, FAR_MAC, tokens[-1]), w.good_tag))
    for token in tokens:
        w.blue.wait(token, what="a frame of the victim in blue")
        w.red.wait(token, what="a unicast frame of the victim in red")

    def told():
        lost = w.c.drops()["BUM_RATE"] - before["BUM_RATE"]
        return lost + len(w.red.find(MARK)) == FRAMES and lost
    lost = wait_for("each frame of the storm to be counted or to arrive", told, 10)
    expect(lost > FRAMES / 2, f"only {lost} of {FRAMES} were cut")
    equal({k: v - before[k] for k, v in w.c.drops().items() if v != before[k]},
          {"BUM_RATE": lost}, "drops")


if __name__ == "__main__":
    main(build, modes=("tc", "xdp"))
