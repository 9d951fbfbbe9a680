#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What must not pass at an access port, and the counter that each lost frame moves (S11, S48, S49).

    hv --tagged==[p1 nve1 eth0]-- wire --[far: kernel VXLAN, VNI 5100]
                  TSI 1: MAC A with 10.0.0.1 and fd00::1
                  TSI 2: MAC B, no IP signaled: any source IP
                  TSI 3: IP 10.0.0.3 alone: any source MAC

Passes when each frame with a spoofed MAC, IP, ARP or ND payload, with no tag, two tags, a foreign
tag, or cut short is dropped under its own reason, in total and at its TSI where one is known, while
its honest twin passes.
"""
import frames as f
from check import equal, expect, main, test
from lab import FAR, NVE1, RED, RED_VNI, Netns, crosses, vn

A, B, C, FAR_MAC = ("02:00:00:00:01:01", "02:00:00:00:01:02", "02:00:00:00:01:03",
                    "02:00:00:00:09:09")
FAR_IP = "10.0.0.9"
ZERO = "00:00:00:00:00:00"


class World:
    pass


def build(lab):
    w = World()
    w.mode = lab.mode
    w.hv, w.far = Netns("hv"), lab.far_end()
    w.nve = lab.nve("nve1", NVE1, {"p1": w.hv}, [
        {**vn(RED, RED_VNI, "red", [FAR], [(FAR_MAC, FAR_IP, FAR)]), "suppress": False}])
    w.trunk, w.inside = w.hv.tap("nve1-p1"), w.far.vn(RED_VNI, FAR_MAC, flood=[NVE1])
    w.tag = w.nve.client.activate(1, "p1", "red", [f"{A}/10.0.0.1", f"{A}/fd00::1"]).tag
    w.nve.client.activate(2, "p1", "red", [B])
    w.nve.client.activate(3, "p1", "red", ["10.0.0.3"])
    return w


def passes(w, frame, token, what):
    crosses(f.tagged(frame, w.tag), token, w.trunk, w.inside, what, as_sent=frame)


def lost(w, frame, reason, tsi=None):
    """One frame, with the VN's tag put on; it must not come out either."""
    lost_raw(w, f.tagged(frame, w.tag), reason, tsi)


def lost_raw(w, frame, reason, tsi=None):
    w.inside.clear()
    with w.nve.dropping(reason, tsi=tsi):
        w.trunk.send(frame)
    source = frame[6:12]
    came = w.inside.find(lambda x: x[6:12] == source)
    expect(not came, f"counted as {reason}, yet it came through")


@test
def a_source_mac_that_no_tsi_has_is_dropped(w):
    lost(w, f.plain(C, FAR_MAC, f.token()), "SRC_MAC")
    lost(w, f.plain(FAR_MAC, A, f.token()), "SRC_MAC")
    token = f.token()
    passes(w, f.plain(A, FAR_MAC, token), token, "the honest MAC")


@test
def a_source_ip_of_another_is_dropped_and_counted_at_the_tsi(w):
    lost(w, f.udp4(A, FAR_MAC, "10.0.0.66", FAR_IP, f.token()), "SRC_IP", tsi=1)
    lost(w, f.udp6(A, FAR_MAC, "fd00::66", "fd00::9", f.token()), "SRC_IP", tsi=1)
    lost(w, f.udp4(A, FAR_MAC, "10.0.0.3", FAR_IP, f.token()), "SRC_IP", tsi=1)
    token = f.token()
    passes(w, f.udp4(A, FAR_MAC, "10.0.0.1", FAR_IP, token), token, "the honest IPv4 source")
    token = f.token()
    passes(w, f.udp6(A, FAR_MAC, "fd00::1", "fd00::9", token), token, "the honest IPv6 source")


@test
def a_spoofed_broadcast_is_dropped_as_well(w):
    lost(w, f.udp4(A, f.BROADCAST, "10.0.0.66", "255.255.255.255", f.token()), "SRC_IP", tsi=1)
    lost(w, f.plain(C, f.BROADCAST, f.token()), "SRC_MAC")


@test
def an_arp_sender_that_is_not_the_tsis_is_dropped(w):
    def arp(sender_mac, sender_ip, op=1, target=FAR_IP):
        body = f.arp(op, sender_mac, sender_ip, ZERO, target)
        return f.eth(f.BROADCAST, A, f.ARP, body + f.token()[:18])
    lost(w, arp(A, "10.0.0.66"), "SRC_ARP", tsi=1)
    lost(w, arp(B, "10.0.0.1"), "SRC_ARP", tsi=1)
    lost(w, arp(A, "10.0.0.66", op=2), "SRC_ARP", tsi=1)
    for frame in (arp(A, "10.0.0.1"), arp(A, "10.0.0.1", op=2)):
        passes(w, frame, frame[-18:], "the honest ARP")
    # RFC 5227: a probe announces the address that it asks for.
    lost(w, arp(A, "0.0.0.0", target="10.0.0.66"), "SRC_ARP", tsi=1)
    probe = arp(A, "0.0.0.0", target="10.0.0.1")
    passes(w, probe, probe[-18:], "an ARP probe for the own address")


@test
def neighbor_discovery_for_anothers_address_is_dropped(w):
    lost(w, f.neighbor_advertisement(A, "fd00::1", FAR_MAC, "fd00::9", "fd00::66", A), "SRC_ND", 1)
    lost(w, f.neighbor_advertisement(A, "fd00::1", FAR_MAC, "fd00::9", "fd00::1", B), "SRC_ND", 1)
    good = f.neighbor_advertisement(A, "fd00::1", FAR_MAC, "fd00::9", "fd00::1", A)
    passes(w, good, good, "the honest advertisement")
    good = f.neighbor_solicitation(A, "fd00::1", "fd00::9")
    passes(w, good, good, "the honest solicitation")


@test
def a_mac_without_ips_may_use_any_and_an_ip_alone_any_mac(w):
    token = f.token()
    passes(w, f.udp4(B, FAR_MAC, "10.7.7.7", FAR_IP, token), token, "any IP of TSI 2")
    token = f.token()
    passes(w, f.udp4(C, FAR_MAC, "10.0.0.3", FAR_IP, token), token, "any MAC of TSI 3")
    lost(w, f.udp4(C, FAR_MAC, "10.0.0.66", FAR_IP, f.token()), "SRC_IP")


@test
def frames_without_a_tag_or_with_a_priority_tag_are_dropped(w):
    lost_raw(w, f.plain(A, FAR_MAC, f.token()), "NO_TAG")
    lost_raw(w, f.tagged(f.plain(A, FAR_MAC, f.token()), 0, pcp=5), "NO_TAG")


@test
def a_priority_in_the_tag_does_no_harm(w):
    token = f.token()
    frame = f.plain(A, FAR_MAC, token)
    crosses(f.tagged(frame, w.tag, pcp=7), token, w.trunk, w.inside, as_sent=frame)


@test
def double_tagged_frames_are_dropped(w):
    inner = f.tagged(f.plain(A, FAR_MAC, f.token()), 77)
    lost_raw(w, f.tagged(inner, w.tag), "DOUBLE_TAG")
    inner = f.tagged(f.plain(A, FAR_MAC, f.token()), 77, tpid=f.QINQ)
    lost_raw(w, f.tagged(inner, w.tag), "DOUBLE_TAG")


@test
def a_tag_that_was_not_given_out_is_dropped(w):
    other = w.tag + 1
    lost_raw(w, f.tagged(f.plain(A, FAR_MAC, f.token()), other), "NO_VAP")
    lost_raw(w, f.tagged(f.plain(A, FAR_MAC, f.token()), 4095), "NO_VAP")


@test
def runts_are_dropped_and_never_get_through(w):
    udp = f.udp4(A, FAR_MAC, "10.0.0.1", FAR_IP, b"")
    for length in (16, 20, 33):  # ends in the IP header
        lost(w, udp[:length], "SHORT")
    if w.mode == "xdp":  # in front of TC the kernel itself throws this one away
        lost(w, udp[:14], "SHORT")
    arp = f.arp_request(A, "10.0.0.1", FAR_IP)
    lost(w, arp[:30], "SHORT")
    lost(w, f.neighbor_solicitation(A, "fd00::1", "fd00::9")[:40], "SHORT")


@test
def bridge_local_destinations_are_not_forwarded(w):
    lost(w, f.plain(A, "01:80:c2:00:00:00", f.token()), "LINK_LOCAL")
    lost(w, f.plain(A, "01:80:c2:00:00:0e", f.token()), "LINK_LOCAL")


@test
def a_destination_that_nobody_knows_is_flooded_in_the_vn(w):
    token = f.token()
    passes(w, f.plain(A, "02:00:00:00:77:77", token), token, "a frame to an unknown MAC")


@test
def a_destination_behind_the_same_port_and_tag_is_not_sent_back(w):
    lost(w, f.plain(A, B, f.token()), "SAME_PORT")


@test
def the_source_filter_follows_an_update_at_once(w):
    lost(w, f.udp4(A, FAR_MAC, "10.0.0.50", FAR_IP, f.token()), "SRC_IP", tsi=1)
    w.nve.client.update(1, "p1", RED, add=[f"{A}/10.0.0.50"])
    token = f.token()
    passes(w, f.udp4(A, FAR_MAC, "10.0.0.50", FAR_IP, token), token, "the added IP")
    w.nve.client.update(1, "p1", RED, remove=[f"{A}/10.0.0.50"])
    lost(w, f.udp4(A, FAR_MAC, "10.0.0.50", FAR_IP, f.token()), "SRC_IP", tsi=1)


@test
def a_tsi_with_256_addresses_filters_by_all_of_them(w):
    addrs = [f"02:00:00:01:00:{i:02x}/10.1.0.{i}" for i in range(1, 129)]
    addrs += [f"02:00:00:01:00:{i:02x}/fd01::{i:x}" for i in range(1, 129)]
    equal(w.nve.client.activate(4, "p1", RED, addrs).state, 2, "state")
    for i in (1, 64, 128):
        mac = f"02:00:00:01:00:{i:02x}"
        token = f.token()
        passes(w, f.udp4(mac, FAR_MAC, f"10.1.0.{i}", FAR_IP, token), token, f"address {i}")
        token = f.token()
        passes(w, f.udp6(mac, FAR_MAC, f"fd01::{i:x}", "fd00::9", token), token, f"v6 {i}")
        lost(w, f.udp4(mac, FAR_MAC, "10.1.0.200", FAR_IP, f.token()), "SRC_IP", tsi=4)
        other = i % 128 + 1
        lost(w, f.udp4(mac, FAR_MAC, f"10.1.0.{other}", FAR_IP, f.token()), "SRC_IP", tsi=4)
    equal(w.nve.client.clear(4, "p1").cleared, 1, "cleared")
    lost(w, f.plain("02:00:00:01:00:01", FAR_MAC, f.token()), "SRC_MAC")


if __name__ == "__main__":
    main(build, modes=("tc", "xdp"))
