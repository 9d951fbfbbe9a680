#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The life of a TSI, seen by its frames.

    hv --tagged==[p1 nve1 eth0]-- wire --[far: kernel VXLAN, VNI 5100]

A TSI 'vm' at p1 and a kernel VXLAN device far away, in one VN.  Passes when no frame passes, in
either direction, unicast or broadcast, in Init, in Associated and after Deactivate; every frame
passes in Activated; each lost frame is counted under its reason; after Clear nothing is left in
any map or in the store.
"""
import frames as f
from check import equal, expect, main, test
from client import ACTIVATED, ASSOCIATED, INIT
from lab import FAR, NVE1, RED, RED_VNI, Netns, blocked, crosses, vn
from netlab import wait_for

VM, OTHER, FAR_MAC = "02:00:00:00:01:01", "02:00:00:00:01:02", "02:00:00:00:09:09"
VM_IP, FAR_IP = "10.0.0.1", "10.0.0.9"


class World:
    pass


def build(lab):
    w = World()
    w.hv = Netns("hv")
    w.far = lab.far_end()
    w.nve = lab.nve("nve1", NVE1, {"p1": w.hv}, [
        vn(RED, RED_VNI, "red", [FAR], [(FAR_MAC, FAR_IP, FAR)])])
    w.trunk = w.hv.tap("nve1-p1")
    w.inside = w.far.vn(RED_VNI, FAR_MAC, flood=[NVE1])
    w.far.remote(RED_VNI, VM, NVE1)
    w.far.remote(RED_VNI, OTHER, NVE1)
    return w


def send_all(w, tag):
    """One unicast and one broadcast frame in each direction; their tokens."""
    up, up_bum, down, down_bum = (f.token() for _ in range(4))
    w.trunk.send(f.tagged(f.plain(VM, FAR_MAC, up), tag),
                 f.tagged(f.plain(VM, f.BROADCAST, up_bum), tag))
    w.inside.send(f.plain(FAR_MAC, VM, down), f.plain(FAR_MAC, f.BROADCAST, down_bum))
    return (up, up_bum), (down, down_bum)


def all_pass(w, tag):
    up, down = send_all(w, tag)
    for token in up:
        w.inside.wait(token, what="a frame of the TSI")
    for token in down:
        got = w.trunk.wait(token, what="a frame to the TSI")
        equal(got[12:16], bytes([0x81, 0, tag >> 8, tag & 255]), "its tag")


def nothing_came(w, tokens):
    for tap in (w.trunk, w.inside):
        for token in tokens:
            expect(not tap.find(token), f"a frame came through to {tap.where}")


def none_passes(w, tag, up_reason, down_counts):
    """down_counts: {reason: frames} of the two frames from far."""
    before = w.nve.client.drops()
    up, down = send_all(w, tag)
    want = {up_reason: 2}
    for reason, count in down_counts.items():
        want[reason] = want.get(reason, 0) + count
    got = {}

    def counted():
        now = w.nve.client.drops()
        got.update({k: now[k] - before[k] for k in now if now[k] != before[k]})
        return sum(got.values()) >= sum(want.values())
    wait_for(f"the drops {want} (got {got})", counted)
    equal(got, want, "drops")
    nothing_came(w, up + down)


@test
def nothing_passes_before_associate_and_every_frame_is_counted(w):
    equal(w.nve.client.state(1, "p1"), INIT)
    none_passes(w, 100, "NO_VAP", {"UNKNOWN_VNI": 2})


@test
def nothing_passes_in_associated_in_either_direction_and_broadcast_neither(w):
    reply = w.nve.client.associate(1, "p1", "red", [f"{VM}/{VM_IP}"])
    equal((reply.state, reply.vn_id), (ASSOCIATED, RED), "reply")
    w.tag = reply.tag
    # From far, the unicast frame finds the TSI not in use, the broadcast no VAP that takes it.
    none_passes(w, w.tag, "SRC_INACTIVE", {"DST_INACTIVE": 1, "NO_MEMBER": 1})


@test
def everything_passes_in_activated(w):
    equal(w.nve.client.activate(1, "p1", RED).state, ACTIVATED, "state")
    all_pass(w, w.tag)


@test
def nothing_passes_after_deactivate(w):
    equal(w.nve.client.deactivate(1, "p1", RED).state, ASSOCIATED, "state")
    none_passes(w, w.tag, "SRC_INACTIVE", {"DST_INACTIVE": 1, "NO_MEMBER": 1})


@test
def everything_passes_again_after_a_second_activate(w):
    w.nve.client.activate(1, "p1", RED)
    all_pass(w, w.tag)


@test
def another_tsi_of_the_vn_in_associated_stays_shut_while_this_one_passes(w):
    w.nve.client.associate(2, "p1", RED, [f"{OTHER}/10.0.0.2"])
    bad, good = f.token(), f.token()
    blocked([f.tagged(f.plain(OTHER, FAR_MAC, bad), w.tag)], bad, w.trunk, w.inside,
            f.tagged(f.plain(VM, FAR_MAC, good), w.tag), good, "a frame of the Associated TSI")
    bad, good = f.token(), f.token()
    blocked([f.plain(FAR_MAC, OTHER, bad)], bad, w.inside, w.trunk,
            f.plain(FAR_MAC, VM, good), good, "a frame to the Associated TSI")
    equal(w.nve.client.clear(2, "p1").cleared, 1, "cleared")


@test
def only_some_addresses_of_a_tsi_can_be_deactivated(w):
    w.nve.client.update(1, "p1", RED, add=[OTHER])
    w.nve.client.activate(1, "p1", RED)
    token = f.token()
    frame = f.plain(OTHER, FAR_MAC, token)
    crosses(f.tagged(frame, w.tag), token, w.trunk, w.inside, as_sent=frame)
    equal(w.nve.client.deactivate(1, "p1", RED, only=[OTHER]).state, ACTIVATED, "state")
    bad, good = f.token(), f.token()
    blocked([f.tagged(f.plain(OTHER, FAR_MAC, bad), w.tag)], bad, w.trunk, w.inside,
            f.tagged(f.plain(VM, FAR_MAC, good), w.tag), good, "a frame of the idle address")
    w.nve.client.update(1, "p1", RED, remove=[OTHER])


@test
def an_address_added_by_update_passes_and_a_removed_one_no_longer(w):
    w.nve.client.update(1, "p1", RED, add=[OTHER])
    token = f.token()
    frame = f.plain(OTHER, FAR_MAC, token)
    crosses(f.tagged(frame, w.tag), token, w.trunk, w.inside, as_sent=frame)
    w.nve.client.update(1, "p1", RED, remove=[OTHER])
    with w.nve.dropping("SRC_MAC"):
        w.trunk.send(f.tagged(f.plain(OTHER, FAR_MAC, f.token()), w.tag))


@test
def after_clear_no_map_and_no_store_holds_anything_of_it(w):
    expect(w.nve.rows()["src"] > 0, "the tables are filled before")
    equal(w.nve.client.clear(1, "p1").cleared, 1, "cleared")
    equal(w.nve.rows(), {t: 0 for t in w.nve.rows()}, "rows in use")
    equal(w.nve.client.tsis(), [], "TSIs")
    equal(w.nve.client.vaps(), [], "VNs")
    equal(w.nve.stored(), 0, "rows of TSIs and VNs in the store")


@test
def nothing_passes_after_clear_and_the_old_tag_is_in_quarantine(w):
    none_passes(w, w.tag, "TAG_QUARANTINED", {"UNKNOWN_VNI": 2})


if __name__ == "__main__":
    main(build, modes=("tc", "xdp"))
