#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The agent dies and comes back; the frames do not notice (D18, fail-static).

    hv --tagged==[p1 nve1 eth0]-- wire --[far: kernel VXLAN]

Passes when frames pass without a loss while the agent is killed and started again; every request
that was answered before is still so after it; what was Associated stays shut; a second agent is
kept out; and only --flush takes the datapath down, all of it.
"""
import os
import subprocess
import threading
import time

import frames as f
from agent import NVED
from check import equal, expect, main, test
from client import ACTIVATED, ASSOCIATED, INIT, Refused
from lab import FAR, NVE1, RED, RED_VNI, Netns, crosses, vn
from netlab import sh, wait_for

VM, SHUT, FAR_MAC = "02:00:00:00:01:01", "02:00:00:00:01:02", "02:00:00:00:09:09"


class World:
    pass


def build(lab):
    w = World()
    w.hv, far = Netns("hv"), lab.far_end()
    w.nve = lab.nve("nve1", NVE1, {"p1": w.hv}, [
        vn(RED, RED_VNI, "red", [FAR], [(FAR_MAC, None, FAR)])])
    w.trunk, w.inside = w.hv.tap("nve1-p1"), far.vn(RED_VNI, FAR_MAC, flood=[NVE1])
    far.remote(RED_VNI, VM, NVE1)
    w.c = w.nve.client
    w.tag = w.c.activate(1, "p1", "red", [f"{VM}/10.0.0.1"]).tag
    w.c.associate(2, "p1", "red", [SHUT])
    wait_for("the next hop", lambda: reaches_far(w))
    return w


def reaches_far(w):
    token = f.token()
    w.trunk.send(f.tagged(f.plain(VM, FAR_MAC, token), w.tag))
    return w.inside.find(token)


def both_ways(w):
    token = f.token()
    frame = f.plain(VM, FAR_MAC, token)
    crosses(f.tagged(frame, w.tag), token, w.trunk, w.inside, as_sent=frame)
    token = f.token()
    frame = f.plain(FAR_MAC, VM, token)
    crosses(frame, token, w.inside, w.trunk, as_sent=f.tagged(frame, w.tag))


class Stream:
    """A frame each millisecond in both directions, until the block ends; then none may be lost."""

    def __init__(self, w):
        self.w, self.tokens, self.stop = w, [], threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.stop.is_set():
            up, down = f.token(), f.token()
            self.w.trunk.send(f.tagged(f.plain(VM, FAR_MAC, up), self.w.tag))
            self.w.inside.send(f.plain(FAR_MAC, VM, down))
            self.tokens.append((up, down))
            time.sleep(0.001)

    def __enter__(self):
        self.w.trunk.clear()
        self.w.inside.clear()
        self.thread.start()

    def __exit__(self, kind, *_):
        self.stop.set()
        self.thread.join()
        if kind:
            return
        self.w.inside.wait(self.tokens[-1][0], what="the last frame up")
        self.w.trunk.wait(self.tokens[-1][1], what="the last frame down")
        up, down = b"".join(self.w.inside.find(b"nved")), b"".join(self.w.trunk.find(b"nved"))
        lost = [sum(t[0] not in up for t in self.tokens),
                sum(t[1] not in down for t in self.tokens)]
        equal(lost, [0, 0], f"frames lost up and down of {len(self.tokens)}")


def state_is_kept(w):
    equal((w.c.state(1, "p1"), w.c.state(2, "p1")), (ACTIVATED, ASSOCIATED), "states")
    equal(w.c.tsi(1, "p1").tag, w.tag, "tag")
    with w.nve.dropping("SRC_INACTIVE", tsi=2):
        w.trunk.send(f.tagged(f.plain(SHUT, FAR_MAC, f.token()), w.tag))


@test
def frames_pass_while_the_agent_is_gone(w):
    w.nve.kill()
    both_ways(w)
    w.nve.start()
    both_ways(w)
    state_is_kept(w)


@test
def not_one_frame_is_lost_over_kill_and_restart(w):
    with Stream(w):
        for _ in range(3):
            w.nve.kill()
            time.sleep(0.1)  # not an event: some frames with no agent about
            w.nve.start()
    state_is_kept(w)


@test
def not_one_frame_is_lost_over_an_orderly_stop_and_start(w):
    with Stream(w):
        equal(w.nve.stop(), 0, "exit code")
        w.nve.start()
    state_is_kept(w)


@test
def the_epoch_rises_over_a_restart(w):
    before = w.c.tsi(1, "p1").epoch
    w.nve.kill()
    w.nve.start()
    w.c.deactivate(1, "p1", "red")
    expect(w.c.activate(1, "p1", "red").epoch > before, "a later activation has a greater epoch")


@test
def what_was_answered_before_a_kill_is_there_after_it(w):
    answered, stop = set(), threading.Event()

    def hurry():
        i = 100
        while not stop.is_set():
            try:
                w.c.activate(i, "p1", "red", [f"02:00:00:03:{i >> 8:02x}:{i & 255:02x}"])
            except Refused:
                return
            answered.add(i)
            i += 1
    for _ in range(3):
        thread = threading.Thread(target=hurry)
        thread.start()
        time.sleep(0.15)  # not an event: somewhere in the middle of the work
        w.nve.kill()
        stop.set()
        thread.join()
        stop.clear()
        w.nve.start()
        have = {int.from_bytes(t.key.tsi_id[8:], "big") for t in w.c.tsis()
                if t.state == ACTIVATED} - {1}
        expect(answered and answered <= have, f"lost: {sorted(answered - have)}")
        expect(len(have - answered) <= 1, f"more than the one in flight: {have - answered}")
        for i in have:
            w.c.clear(i, "p1")
        answered.clear()
    state_is_kept(w)


@test
def a_request_right_after_the_restart_passes_with_the_next_frame(w):
    w.nve.kill()
    w.nve.start()
    w.c.activate(2, "p1", "red")
    token = f.token()
    frame = f.plain(SHUT, FAR_MAC, token)
    crosses(f.tagged(frame, w.tag), token, w.trunk, w.inside, as_sent=frame)
    equal(w.c.clear(2, "p1").cleared, 1, "cleared")
    equal(w.c.state(2, "p1"), INIT)


@test
def a_second_agent_on_the_same_pins_and_socket_is_kept_out(w):
    second = subprocess.run([*w.nve.ns.prefix, NVED, "-c", f"{w.nve.dir}/nved.yaml"],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            timeout=20, check=False)
    equal(second.returncode, 4, f"exit code of the second one, which said: {second.stdout}")
    expect(w.c.healthy(), "the first one still serves")
    both_ways(w)


@test
def a_lost_pin_directory_is_built_again_out_of_the_store(w):
    """As after a reboot: the store is there, the datapath is not."""
    equal(w.nve.stop(), 0, "exit code")
    w.nve.ns.run([NVED, "-c", f"{w.nve.dir}/nved.yaml", "--flush"])
    w.nve.start()
    equal(w.c.state(1, "p1"), ACTIVATED)
    both_ways(w)


@test
def flush_takes_programs_and_pins_away_and_start_brings_them_back(w):
    equal(w.nve.stop(), 0, "exit code")
    both_ways(w)
    w.nve.ns.run([NVED, "-c", f"{w.nve.dir}/nved.yaml", "--flush"])
    left = [os.path.join(d, x) for d, _, files in os.walk(w.nve.pins) for x in files]
    equal(left, [], "pins")
    for ifname in ("p1", "eth0"):
        for side in ("ingress", "egress"):
            equal(w.nve.ns.run(f"tc filter show dev {ifname} {side}"), "", f"filters of {ifname}")
        expect("xdp" not in w.nve.ns.run(f"ip link show {ifname}"), f"XDP at {ifname}")
    w.nve.start()
    both_ways(w)
    expect(sh(f"bpftool -j map show pinned {w.nve.pin('tsi')}"), "the map is back")


if __name__ == "__main__":
    main(build, modes=("tc", "xdp"))
