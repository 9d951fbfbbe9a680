#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A success reply is a barrier: the very next frame meets the new state (S13, S21).

    hv --tagged==[p1 nve1 eth0]-- wire --[far: kernel VXLAN]

Passes when after each of 1000 activations in a row the frame sent next arrives, 0 lost, both from
the TSI and to it; and after each of 200 deactivations the frame sent next does not.
"""
import frames as f
from check import equal, main, test
from lab import BLUE, BLUE_VNI, FAR, FAR2, NVE1, RED, RED_VNI, Netns, vn

FAR_MAC, BLUE_MAC = "02:00:00:00:09:09", "02:00:00:00:01:02"
ROUNDS, SHUT_ROUNDS, TSIS = 1000, 200, 250


class World:
    pass


def mac_of(i):
    return f"02:00:00:01:{i >> 8:02x}:{i & 255:02x}"


def build(lab):
    w = World()
    w.hv, w.far = Netns("hv"), lab.far_end()
    w.nve = lab.nve("nve1", NVE1, {"p1": w.hv}, [
        vn(RED, RED_VNI, "red", [FAR], [(FAR_MAC, None, FAR)]),
        vn(BLUE, BLUE_VNI, "blue", [FAR2], [(FAR_MAC, None, FAR2)])])
    w.wire2 = lab.far_end("far2", FAR2).ns.tap("eth0")
    w.trunk, w.inside = w.hv.tap("nve1-p1"), w.far.vn(RED_VNI, FAR_MAC, flood=[NVE1])
    w.c = w.nve.client
    w.tag = w.c.vn_connect("p1", "red").tag
    w.far.ns.run("bridge -batch -", stdin="".join(
        f"fdb add {mac_of(i)} dev vx{RED_VNI} dst {NVE1} self\n" for i in range(TSIS)))
    return w


def activated(w, step):
    """The step's TSI in Activated: straight from Init in the first rounds, later from Associated
    with its address known."""
    i = step % TSIS
    if step >= TSIS:
        w.c.deactivate(i + 1, "p1", "red")
    w.c.activate(i + 1, "p1", "red", [mac_of(i)])
    return mac_of(i)


def all_arrived(tap, tokens):
    tap.wait(tokens[-1], what="the last frame")
    seen = b"".join(tap.find(b"nved-test-"))
    lost = [i for i, t in enumerate(tokens) if t not in seen]
    equal(lost, [], f"activations whose next frame was lost, of {len(tokens)}")


@test
def the_very_first_frame_after_the_very_first_activate_passes(w):
    """The VN was never connected, its VTEP never spoken to."""
    reply = w.c.activate(9999, "p1", "blue", [BLUE_MAC])
    token = f.token()
    w.trunk.send(f.tagged(f.plain(BLUE_MAC, FAR_MAC, token), reply.tag))
    w.wire2.wait(token, what="the first frame")
    equal(w.c.clear(9999, "p1").cleared, 1, "cleared")


@test
def the_next_frame_from_the_tsi_passes_after_each_of_1000_activations(w):
    w.inside.clear()
    tokens = []
    for step in range(ROUNDS):
        mac = activated(w, step)
        tokens.append(f.token())
        w.trunk.send(f.tagged(f.plain(mac, FAR_MAC, tokens[-1]), w.tag))
    all_arrived(w.inside, tokens)


@test
def the_next_frame_to_the_tsi_passes_after_each_of_1000_activations(w):
    for i in range(TSIS):
        w.c.clear(i + 1, "p1")
    w.trunk.clear()
    tokens = []
    for step in range(ROUNDS):
        mac = activated(w, step)
        tokens.append(f.token())
        w.inside.send(f.plain(FAR_MAC, mac, tokens[-1]))
    all_arrived(w.trunk, tokens)


@test
def the_next_frame_does_not_pass_after_each_of_200_deactivations(w):
    """TSI 2 stays Activated: the frame that it sends last shows that the others had a chance."""
    tokens = []
    w.inside.clear()
    before = w.c.drops()["SRC_INACTIVE"]
    for _ in range(SHUT_ROUNDS):
        w.c.activate(1, "p1", "red")
        w.c.deactivate(1, "p1", "red")
        tokens.append(f.token())
        w.trunk.send(f.tagged(f.plain(mac_of(0), FAR_MAC, tokens[-1]), w.tag))
    marker = f.token()
    w.trunk.send(f.tagged(f.plain(mac_of(1), FAR_MAC, marker), w.tag))
    w.inside.wait(marker, what="the marker")
    equal([t for t in tokens if w.inside.find(t)], [], "frames that came through")
    equal(w.c.drops()["SRC_INACTIVE"] - before, SHUT_ROUNDS, "drops counted")


@test
def an_address_added_by_update_passes_with_the_next_frame_100_times(w):
    tokens = []
    w.inside.clear()
    for i in range(100):
        extra = f"02:00:00:02:00:{i:02x}"
        w.c.update(2, "p1", "red", add=[extra])
        tokens.append(f.token())
        w.trunk.send(f.tagged(f.plain(extra, FAR_MAC, tokens[-1]), w.tag))
    all_arrived(w.inside, tokens)


if __name__ == "__main__":
    main(build, modes=("tc", "xdp"))
