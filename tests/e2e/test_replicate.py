#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Copies of broadcasts in XDP, to many VTEPs, beside unicast frames and while the VN changes.

    hv1 ==[p1        eth0]-- wire --[eth0 far]  192.0.2.101 to .108: eight VTEPs in one host
    hv2 ==[p2  nve1      ]            and .250, which nobody has
            loop a = b: where the copies are made

Passes when each copy goes to its own VTEP once, whatever else is in the same batch; members that
stay lose nothing while others come, go, or the agent is killed; and copies that cannot be made are
counted each.
"""
import collections
import contextlib
import re
import threading
import time

import frames as f
from agent import NVED
from check import equal, expect, main, test
from lab import NVE1, RED, RED_VNI, Netns, crosses, vn
from netlab import sh, wait_for

VTEPS = [f"192.0.2.{101 + i}" for i in range(8)]
NOBODY = "192.0.2.250"
VM1, VM2, REMOTE = "02:00:00:00:01:01", "02:00:00:00:02:01", "02:00:00:00:09:01"
LONG = {"default_ms": 600000, "min_ms": 500, "max_ms": 600000}
NVED_VTEP = f.ip(NVE1)


class World:
    pass


def red(vteps):
    return [vn(RED, RED_VNI, "red", vteps, [(REMOTE, None, VTEPS[0])])]


def build(lab):
    w = World()
    w.hv = [Netns("hv1"), Netns("hv2")]
    far = w.far = lab.far_end("far", VTEPS[0])
    for address in VTEPS[1:]:
        far.ns.run(f"ip addr add {address}/24 dev eth0")
    w.nve = lab.nve("nve1", NVE1, {"p1": w.hv[0], "p2": w.hv[1]}, red(VTEPS),
                    timers={"keepactive": LONG})
    w.p1, w.p2 = w.hv[0].tap("nve1-p1"), w.hv[1].tap("nve1-p2")
    w.wire = far.ns.tap("eth0")
    w.c = w.nve.client
    w.tag1 = w.c.activate(1, "p1", "red", [VM1]).tag
    w.tag2 = w.c.activate(2, "p2", "red", [VM2]).tag
    wait_for("next hops to all VTEPs", lambda: all(v == 1 for v in flood_once(w).values()))
    return w


def broadcast(w, token, size=60):
    return f.tagged(f.plain(VM1, f.BROADCAST, token, size), w.tag1)


TOKEN = slice(64, 64 + len(f.token()))  # in a tunnel packet of a broadcast()


def copies(w):
    """{token: {VTEP: copies}} of what came out of the underlay port, each a good tunnel packet."""
    seen = collections.defaultdict(collections.Counter)
    for x in w.wire.find(lambda x: x[12:14] == b"\x08\x00" and b"nved-test-" in x[TOKEN]):
        if x[26:30] == NVED_VTEP:
            equal((x[36:38], x[46:49]), (f.VXLAN_PORT.to_bytes(2, "big"),
                                         RED_VNI.to_bytes(3, "big")), "port and VNI of a copy")
            seen[x[TOKEN]][".".join(map(str, x[30:34]))] += 1
    return seen


def flood_once(w):
    token = f.token()
    w.p1.send(broadcast(w, token))
    w.p2.wait(token)
    time.sleep(0.05)  # not an event: while there are no next hops, there is nothing to wait for
    return {v: copies(w)[token][v] for v in VTEPS}


def loop(w):
    """The two ends of the loop, as long as there is one."""
    return sorted(re.findall(r"\d+: (nve-[0-9a-f]{8}-[ab])@", w.nve.ns.run("ip -o link")))


def turns(w):
    """Frames that came round the loop: copies, and ends of lists."""
    out = w.nve.ns.run(f"ethtool -S {loop(w)[1]}")
    return sum(map(int, re.findall(r"rx_queue_\d+_xdp_packets: (\d+)", out)))


def everybody_has(w, tokens):
    w.p2.wait(tokens[-1], what="the last frame at p2")
    remote, local = copies(w), b"".join(w.p2.find(b"nved-test-"))
    wrong = [(t, dict(remote[t]), local.count(t)) for t in tokens
             if remote[t] != {v: 1 for v in VTEPS} or local.count(t) != 1]
    equal(wrong[:3], [], f"frames with other copies than one each, of {len(tokens)}")
    back = b"".join(w.p1.find(b"nved-test-"))
    equal([t for t in tokens if t in back], [], "copies that came back")


@test
def copies_are_made_on_the_loop(w):
    before = turns(w)
    token = f.token()
    w.p1.send(broadcast(w, token))
    everybody_has(w, [token])
    expect(turns(w) - before >= 9, "nine copies took as many turns")


@test
def copies_beside_unicast_frames_go_to_their_own_vteps_once(w):
    bum, known = [f.token() for _ in range(100)], [f.token() for _ in range(200)]
    frames = []
    for i, token in enumerate(bum):
        frames += [f.tagged(f.plain(VM1, REMOTE, known[2 * i]), w.tag1), broadcast(w, token),
                   f.tagged(f.plain(VM1, REMOTE, known[2 * i + 1]), w.tag1)]
    w.p1.send(*frames)
    everybody_has(w, bum)
    got = copies(w)
    equal([(t, got[t]) for t in known if got[t] != {VTEPS[0]: 1}], [], "unicast gone astray")


@test
def copies_out_of_the_tunnel_are_made_on_the_loop_too(w):
    before, token = turns(w), f.token()
    frame = f.plain(REMOTE, f.BROADCAST, token)
    w.wire.send(f.tunnel(w.far.ns.mac("eth0"), w.nve.ns.mac("eth0"), VTEPS[0], NVE1,
                         f.vxlan(RED_VNI, frame)))
    equal([t.wait(token) for t in (w.p1, w.p2)],
          [f.tagged(frame, w.tag1), f.tagged(frame, w.tag2)], "the copies")
    equal([len(t.find(token)) for t in (w.p1, w.p2, w.wire)], [1, 1, 0], "how many of them")
    expect(turns(w) - before >= 2, "made on the loop")


@test
def each_copy_for_a_vtep_without_a_next_hop_is_counted(w):
    w.nve.hup(red([*VTEPS, NOBODY]))
    wait_for("the VTEP", lambda: w.nve.dump("flood")[0][1]["n"] == 11)
    tokens = [f.token() for _ in range(10)]
    with w.nve.dropping("VTEP_UNRESOLVED", 10, tsi=1):
        w.p1.send(*[broadcast(w, t) for t in tokens])
    everybody_has(w, tokens)
    w.nve.hup(red(VTEPS))
    wait_for("the VTEP to go", lambda: w.nve.dump("flood")[0][1]["n"] == 10)


@test
def each_copy_that_is_too_large_for_the_underlay_is_counted(w):
    w.nve.ns.run("ip link set p1 mtu 1600")
    w.nve.ns.run("ip link set p2 mtu 1600")
    for hv, port in zip(w.hv, ("nve1-p1", "nve1-p2")):
        hv.run(f"ip link set {port} mtu 1600")
    token = f.token()
    with w.nve.dropping("TOO_LARGE", len(VTEPS), tsi=1):
        w.p1.send(broadcast(w, token, size=1590))
        w.p2.wait(token, what="the copy that is not too large")
    equal(w.wire.find(token), [], "copies on the wire")


class Stream:
    """Broadcasts without pause, until the block ends."""

    def __init__(self, w):
        self.w, self.tokens, self.stop = w, [], threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.stop.is_set():
            batch = [f.token() for _ in range(4)]
            self.w.p1.send(*[broadcast(self.w, t) for t in batch])
            self.tokens += batch
            self.w.wire.pump()  # else its socket overflows
            time.sleep(0.002)

    def __enter__(self):
        for tap in (self.w.wire, self.w.p2, self.w.p1):
            tap.clear()
        self.thread.start()
        return self.tokens

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()


@test
def members_that_stay_miss_no_copy_while_others_come_and_go(w):
    stay, flap = VTEPS[::2], VTEPS[1::2]
    with Stream(w) as tokens:
        changes = 0
        while len(tokens) < 400:
            changes += 1
            n = 6 if changes % 2 else 10
            w.nve.hup(red(stay if changes % 2 else VTEPS))
            wait_for("the change", lambda n=n: w.nve.dump("flood")[0][1]["n"] == n)
    w.nve.hup(red(VTEPS))
    wait_for("all VTEPs", lambda: w.nve.dump("flood")[0][1]["n"] == 10)
    w.p2.wait(tokens[-1])
    seen = copies(w)
    expect(changes > 10, f"{changes} changes are too few to prove anything")
    wrong = [(t, dict(seen[t])) for t in tokens
             if any(seen[t][v] != 1 for v in stay) or any(seen[t][v] > 1 for v in flap)
             or set(seen[t]) - set(VTEPS)]
    equal(wrong[:3], [], f"frames with missing, second or strange copies, of {len(tokens)}")
    expect(any(not seen[t][flap[0]] for t in tokens), "some were sent while the others were away")


@test
def no_copy_is_lost_while_the_agent_is_killed_and_started(w):
    with Stream(w) as tokens:
        for _ in range(2):
            w.nve.kill()
            time.sleep(0.05)  # not an event: some frames with no agent about
            w.nve.start()
    everybody_has(w, tokens)
    equal(len(loop(w)), 2, "ends of the loop, which the next agent has taken over")


@test
def copies_are_tcs_while_the_loop_is_down(w):
    a, b = loop(w)
    for end in (a, b):
        w.nve.ns.run(f"ip link set {end} down")
        with contextlib.ExitStack() as stack:
            stack.callback(w.nve.ns.run, f"ip link set {end} up")
            wait_for("the agent to see it",
                     lambda: b"\0\0\0\0" == first_word(w))
            tokens = [f.token() for _ in range(5)]
            w.p1.send(*[broadcast(w, t) for t in tokens])
            everybody_has(w, tokens)
        wait_for("the agent to see it come up", lambda: b"\0\0\0\0" != first_word(w))
    copies_are_made_on_the_loop(w)


def first_word(w):
    words = sh(f"bpftool map lookup pinned {w.nve.pins}/nve_copier key hex 0 0 0 0 -j")
    return bytes(int(x, 16) for x in re.findall(r'"(0x[0-9a-f]{2})"', words)[4:8])


@test
def flush_takes_the_loop_away_and_start_makes_another(w):
    equal(w.nve.stop(), 0, "exit code")
    equal(len(loop(w)), 2, "it outlives the agent, as all that forwards")
    w.nve.ns.run([NVED, "-c", f"{w.nve.dir}/nved.yaml", "--flush"])
    equal(loop(w), [], "ends of the loop")
    w.nve.start()
    wait_for("next hops", lambda: all(v == 1 for v in flood_once(w).values()))
    copies_are_made_on_the_loop(w)
    token = f.token()
    crosses(f.tagged(f.plain(VM1, VM2, token), w.tag1), token, w.p1, w.p2,
            as_sent=f.tagged(f.plain(VM1, VM2, token), w.tag2))


if __name__ == "__main__":
    main(build, modes=("xdp",))
