#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A hypervisor that dies is cleaned up in two steps; signs of life hold that off (S71-S75, D5).

    hv --tagged==[p1 nve1 eth0]-- wire --[far: kernel VXLAN]
                  keepactive and keepalive: 1 s

Passes when silence takes a TSI from Activated to Associated and on to Init, with the effects of
Deactivate and Disassociate; a keepactive, a keepalive, or a data frame each hold that off.
"""
import time

import frames as f
from check import equal, expect, main, refused, test
from client import ACTIVATED, ASSOCIATED, INIT, Refused, pb, reason_pb2
from lab import BLUE, BLUE_VNI, FAR, NVE1, RED, RED_VNI, Netns, crosses, vn
from netlab import wait_for

VM, FAR_MAC = "02:00:00:00:01:01", "02:00:00:00:09:09"
SHORT = pb.Timers(keepalive_ms=1000, keepactive_ms=1000)
TIMER = {"default_ms": 1000, "min_ms": 500, "max_ms": 60000, "may_be_off": True}


class World:
    pass


def build(lab):
    w = World()
    w.hv, far = Netns("hv"), lab.far_end()
    w.nve = lab.nve("nve1", NVE1, {"p1": w.hv}, [
        vn(RED, RED_VNI, "red", [FAR], [(FAR_MAC, None, FAR)]),
        vn(BLUE, BLUE_VNI, "blue", [FAR])],
        timers={"keepalive": TIMER, "keepactive": TIMER, "quarantine_ms": 1000})
    w.trunk, w.inside, w.c = w.hv.tap("nve1-p1"), far.vn(RED_VNI, FAR_MAC, flood=[NVE1]), \
        w.nve.client
    return w


class Watch:
    """The events of the agent, as a stream; made before what it is to see happens."""

    def __init__(self, w):
        self.call = w.c.admin.Watch(pb.WatchRequest(), timeout=30)
        self.call.initial_metadata()

    def state_change(self):
        for event in self.call:
            if event.WhichOneof("event") == "tsi_state":
                change = event.tsi_state
                return (change.to, change.reason)
        raise AssertionError("the stream has ended")


def reason(name):
    return reason_pb2.Reason.Value(f"REASON_{name}")


def frame_of(w):
    return f.tagged(f.plain(VM, FAR_MAC, f.token()), w.tag)


@test
def silence_deactivates_and_then_releases(w):
    w.tag = w.c.activate(1, "p1", "red", [VM], timers=SHORT).tag
    begin, watch = time.monotonic(), Watch(w)
    equal(watch.state_change(), (ASSOCIATED, reason("KEEPACTIVE_EXPIRED")), "first step")
    first = time.monotonic() - begin
    expect(0.7 < first < 2.5, f"the first step came after {first:.2f} s")
    with w.nve.dropping("SRC_INACTIVE"):
        w.trunk.send(frame_of(w))
    equal(watch.state_change(), (INIT, reason("KEEPALIVE_EXPIRED")), "second step")
    second = time.monotonic() - begin - first
    expect(0.7 < second < 2.5, f"the second step came after {second:.2f} s")
    equal(w.c.state(1, "p1"), INIT)
    equal(w.nve.rows(), {t: 0 for t in w.nve.rows()}, "rows in use")
    watch.call.cancel()


def held_for(w, seconds, sign_of_life, tsi=1):
    """Repeats the sign of life for longer than two timers; the TSI must stay as it is."""
    state, end = w.c.state(tsi, "p1"), time.monotonic() + seconds
    while time.monotonic() < end:
        sign_of_life()
        time.sleep(0.25)
        equal(w.c.state(tsi, "p1"), state, "state")


@test
def data_frames_hold_a_tsi_in_activated(w):
    w.tag = w.c.activate(1, "p1", "red", [VM], timers=SHORT).tag
    held_for(w, 2.6, lambda: w.trunk.send(frame_of(w)))


@test
def and_when_they_end_it_expires(w):
    wait_for("Associated", lambda: w.c.state(1, "p1") == ASSOCIATED, 3)


@test
def a_keepactive_in_associated_is_refused_and_a_keepalive_holds(w):
    failures = w.c.keepactive((1, "p1", "red")).failures
    equal([(x.index, x.reason) for x in failures], [(0, reason("ILLEGAL_TRANSITION"))], "failures")
    held_for(w, 2.6, lambda: equal(len(w.c.keepalive((1, "p1", "red")).failures), 0))
    equal(w.c.state(1, "p1"), ASSOCIATED)


@test
def keepactives_hold_a_silent_tsi_in_activated(w):
    w.c.activate(1, "p1", "red")
    held_for(w, 2.6, lambda: equal(len(w.c.keepactive((1, "p1", "red")).failures), 0))
    token = f.token()
    frame = f.plain(VM, FAR_MAC, token)
    crosses(f.tagged(frame, w.tag), token, w.trunk, w.inside, as_sent=frame)


@test
def frames_to_the_tsi_or_spoofed_ones_are_no_sign_of_life(w):
    def noise():
        w.inside.send(f.plain(FAR_MAC, VM, f.token()))
        w.trunk.send(f.tagged(f.plain("02:00:00:00:01:66", FAR_MAC, f.token()), w.tag))
        return w.c.state(1, "p1") == ASSOCIATED
    wait_for("Associated", noise, 4, 0.2)


@test
def timers_that_are_off_never_end(w):
    reply = w.c.activate(2, "p1", "red", ["02:00:00:00:01:02"],
                         timers=pb.Timers(keepalive_ms=0, keepactive_ms=0))
    equal((reply.keepalive_ms, reply.keepactive_ms), (0, 0), "granted")
    reply = w.c.activate(3, "p1", "red", ["02:00:00:00:01:03"],
                         timers=pb.Timers(keepalive_ms=1, keepactive_ms=999999))
    equal((reply.keepalive_ms, reply.keepactive_ms), (500, 60000), "brought into range")
    wait_for("TSI 1 in Init", lambda: w.c.state(1, "p1") == INIT, 5)
    equal((w.c.state(2, "p1"), w.c.state(3, "p1")), (ACTIVATED, ACTIVATED), "states")
    for tsi in (2, 3):
        equal(w.c.clear(tsi, "p1").cleared, 1, "cleared")


@test
def an_unknown_tsi_in_a_batch_is_named_and_the_others_count(w):
    w.c.associate(1, "p1", "red", [VM])
    failures = w.c.keepalive((9, "p1", "red"), (1, "p1", "red"), (8, "p1", "red")).failures
    equal([(x.index, x.reason) for x in failures],
          [(0, reason("UNKNOWN_TSI")), (2, reason("UNKNOWN_TSI"))], "failures")
    refused("UNKNOWN_TSI", w.c.deactivate, 9, "p1", "red")
    w.c.clear(1, "p1")


@test
def a_released_tag_leaves_quarantine_and_is_given_out_again(w):
    old = w.c.vn_connect("p1", "red").tag
    w.c.vn_disconnect("p1", "red")
    with w.nve.dropping("TAG_QUARANTINED"):
        w.trunk.send(f.tagged(f.plain(VM, FAR_MAC, f.token()), old))
    equal(w.c.vn_connect("p1", "red", tag=old).tag, old, "for the same VN it has no other meaning")
    w.c.vn_disconnect("p1", "red")
    error = refused("TAG_IN_USE", w.c.vn_connect, "p1", "blue", tag=old)
    expect(int(error.metadata["tag"]) not in (0, old), "a counter-offer")

    def free_again():
        try:
            return w.c.vn_connect("p1", "blue", tag=old).tag == old
        except Refused:
            return False
    wait_for("the tag", free_again, 4, 0.1)
    w.c.vn_disconnect("p1", "blue")


if __name__ == "__main__":
    main(build)
