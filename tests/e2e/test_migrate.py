#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A TSI moves between two ports of one NVE (S18, S23, S70, S86, S87).

    hv1 ==[p1          ]
    hv2 ==[p2 nve1 eth0]-- wire --[far: kernel VXLAN]

Passes when both instances exist at once, told apart by their port; frames to the TSI come to the
source until the destination's Activate and to the destination from the next frame on, none lost
on the way; the source's late frames do not take them back; clearing the source does no harm; a
port change by Update moves the TSI, tag and all, at once.
"""
import threading
import time

import frames as f
from check import equal, expect, main, test
from client import ACTIVATED, ASSOCIATED, INIT, pb, tsi_id
from lab import FAR, NVE1, RED, RED_VNI, Netns, crosses, vn

VM, FAR_MAC = "02:00:00:00:01:01", "02:00:00:00:09:09"
ADDRS = [f"{VM}/10.0.0.1"]


class World:
    pass


def build(lab):
    w = World()
    w.hv = [Netns("hv1"), Netns("hv2")]
    w.nve = lab.nve("nve1", NVE1, {"p1": w.hv[0], "p2": w.hv[1]}, [
        vn(RED, RED_VNI, "red", [FAR], [(FAR_MAC, "10.0.0.9", FAR)])],
        timers={"duplicate_alarm_ms": 500})
    far = lab.far_end()
    w.inside = far.vn(RED_VNI, FAR_MAC, flood=[NVE1])
    far.remote(RED_VNI, VM, NVE1)
    w.p = [w.hv[0].tap("nve1-p1"), w.hv[1].tap("nve1-p2")]
    w.c, w.tag = w.nve.client, [0, 0]
    return w


def to_vm(w, at, what):
    """A frame to the VM comes out at port 'at' and not at the other one."""
    token = f.token()
    frame = f.plain(FAR_MAC, VM, token)
    crosses(frame, token, w.inside, w.p[at], what, as_sent=f.tagged(frame, w.tag[at]))
    expect(not w.p[1 - at].find(token), f"{what}: it came out at both ports")


def from_vm(w, at, what):
    token = f.token()
    frame = f.plain(VM, FAR_MAC, token)
    crosses(f.tagged(frame, w.tag[at]), token, w.p[at], w.inside, what, as_sent=frame)


@test
def two_instances_exist_at_once_and_the_source_has_the_traffic(w):
    w.tag[0] = w.c.activate(1, "p1", "red", ADDRS).tag
    w.tag[1] = w.c.associate(1, "p2", "red", ADDRS, cause=pb.CAUSE_MIGRATE_IN).tag
    equal((w.c.state(1, "p1"), w.c.state(1, "p2")), (ACTIVATED, ASSOCIATED), "states")
    to_vm(w, 0, "to the source")
    from_vm(w, 0, "from the source")
    with w.nve.dropping("SRC_INACTIVE", tsi=1, port="p2"):
        w.p[1].send(f.tagged(f.plain(VM, FAR_MAC, f.token()), w.tag[1]))


@test
def activate_at_the_destination_moves_the_traffic_and_not_one_frame_is_lost(w):
    tokens, stop = [], threading.Event()

    def stream():
        while not stop.is_set():
            tokens.append(f.token())
            w.inside.send(f.plain(FAR_MAC, VM, tokens[-1]))
            time.sleep(0.0005)
    sender = threading.Thread(target=stream)
    sender.start()
    w.p[0].wait(lambda x: tokens[20:] and tokens[20] in x)
    reply = w.c.activate(1, "p2", "red", cause=pb.CAUSE_MIGRATE_IN)
    at_reply = len(tokens)
    w.p[1].wait(lambda x: tokens[at_reply + 50:] and tokens[at_reply + 50] in x)
    stop.set()
    sender.join()
    equal(reply.state, ACTIVATED, "state")
    w.p[1].wait(tokens[-1])
    got = [{x[18:18 + len(tokens[0])] for x in p.find(b"nved-test-")} for p in w.p]
    lost = [t for t in tokens if t not in got[0] and t not in got[1]]
    both = [t for t in tokens if t in got[0] and t in got[1]]
    equal((len(lost), len(both)), (0, 0), f"lost and doubled of {len(tokens)}")
    late = [t for t in tokens[at_reply + 1:] if t in got[0]]
    equal(late, [], "frames that went to the source after the reply")
    to_vm(w, 1, "to the destination")
    from_vm(w, 1, "from the destination")


@test
def late_frames_of_the_source_pass_and_do_not_take_the_address_back(w):
    from_vm(w, 0, "a late frame of the source")
    to_vm(w, 1, "after a late frame")


@test
def the_destination_has_the_greater_epoch(w):
    expect(w.c.tsi(1, "p2").epoch > w.c.tsi(1, "p1").epoch, "epochs rise")


@test
def clearing_the_source_leaves_the_destination_whole(w):
    equal(w.c.clear(1, "p1").cleared, 1, "cleared")
    equal((w.c.state(1, "p1"), w.c.state(1, "p2")), (INIT, ACTIVATED), "states")
    to_vm(w, 1, "after the source is gone")
    from_vm(w, 1, "after the source is gone")


@test
def cold_migration_back_works_by_deactivate_and_activate(w):
    equal(w.c.deactivate(1, "p2", "red").state, ASSOCIATED, "state")
    w.tag[0] = w.c.activate(1, "p1", "red", ADDRS, cause=pb.CAUSE_RESUME).tag
    to_vm(w, 0, "back at the first port")
    from_vm(w, 0, "back at the first port")
    equal(w.c.clear(1, "p2").cleared, 1, "cleared")
    to_vm(w, 0, "with the other instance gone")


@test
def an_update_of_the_port_moves_the_tsi_and_its_tag(w):
    reply = w.c.update(1, "p1", "red", new_port="p2")
    equal(reply.state, ACTIVATED, "state")
    w.tag[1] = reply.tag
    to_vm(w, 1, "at the new port")
    from_vm(w, 1, "at the new port")
    equal(w.c.state(1, "p1"), INIT, "at the old port")
    equal([v.port for v in w.c.vaps()], ["p2"], "the VN's ports")
    with w.nve.dropping("TAG_QUARANTINED"):
        w.p[0].send(f.tagged(f.plain(VM, FAR_MAC, f.token()), w.tag[0]))


@test
def two_instances_that_stay_activated_are_reported(w):
    watch = w.c.admin.Watch(pb.WatchRequest(), timeout=10)
    watch.initial_metadata()
    w.c.activate(1, "p1", "red", ADDRS)
    alarm = next(e.duplicate_address for e in watch if e.WhichOneof("event") == "duplicate_address")
    watch.cancel()
    equal(alarm.tsi.tsi_id, tsi_id(1), "the TSI that the alarm names")
    equal((w.c.state(1, "p1"), w.c.state(1, "p2")), (ACTIVATED, ACTIVATED), "nothing is changed")
    w.c.clear(1, "p1")


@test
def clear_everywhere_leaves_nothing(w):
    equal(w.c.clear(1, "p2").cleared, 1, "cleared")
    equal(w.nve.rows(), {t: 0 for t in w.nve.rows()}, "rows in use")
    equal(w.nve.stored(), 0, "rows in the store")


if __name__ == "__main__":
    main(build, modes=("tc", "xdp"))
