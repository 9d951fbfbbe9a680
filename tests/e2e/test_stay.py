#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Addresses that stay lose no frame while others of their TSI come and go, and while it moves.

    hv --tagged==[p1 nve1 eth0]-- wire --[far: kernel VXLAN]
       --tagged==[p2 nve1     ]

Passes when, of 100,000 numbered frames and more from and to the addresses that stay, each arrives
exactly once: while other addresses are activated and deactivated one by one (D13), added and
removed (S67), and while the TSI's port is updated (S70).  After each reply the addresses that are
out of use pass nothing, and those in use pass at once.
"""
import collections

import frames as f
from check import equal, main, test
from lab import FAR, NVE1, RED, RED_VNI, Netns, vn
from netlab import Failure, wait_for
from stream import Stream

FAR_MAC, FAR_IP, FAR_IP6 = "02:00:00:00:09:09", "10.0.0.9", "fd00::9"
M1, M2, M3, M4 = (f"02:00:00:00:01:0{i}" for i in range(1, 5))
STAYS = [f"{M1}/10.0.0.1", f"{M1}/fd00::1", f"{M2}/10.0.0.2", M4]
GUESTS = [f"{M1}/10.0.0.11", f"{M1}/fd00::11", f"{M2}/10.0.0.12", f"{M3}/10.0.0.13", M3]
FRAMES, ROUNDS, MOVES, TSI = 100000, 60, 1200, 1


class World:
    pass


def build(lab):
    w = World()
    w.hv, w.far = Netns("hv"), lab.far_end()
    w.nve = lab.nve("nve1", NVE1, {"p1": w.hv, "p2": w.hv}, [
        vn(RED, RED_VNI, "red", [FAR], [(FAR_MAC, FAR_IP, FAR)])])
    w.trunk = {port: w.hv.tap(f"nve1-{port}") for port in ("p1", "p2")}
    w.inside = w.far.vn(RED_VNI, FAR_MAC, flood=[NVE1])
    for mac in (M1, M2, M3, M4):
        w.far.remote(RED_VNI, mac, NVE1)
    w.c = w.nve.client
    w.tag = {port: w.c.vn_connect(port, "red").tag for port in ("p1", "p2")}
    w.port = "p1"
    w.c.activate(TSI, "p1", "red", STAYS)
    return w


def frame_of(text, outwards):
    """A frame from the address to the far end, or back."""
    mac, _, ip = text.partition("/")
    ends = (mac, FAR_MAC) if outwards else (FAR_MAC, mac)
    if not ip:
        return f.plain(*ends, b"", 60)
    far, make = (FAR_IP6, f.udp6) if ":" in ip else (FAR_IP, f.udp4)
    # The stream's number comes behind the packet, as padding: it has none of its own.
    return make(*ends, *((ip, far) if outwards else (far, ip)), b"." * 30)


def sends(w, port=None):
    """Of all addresses that stay: to them, and from them if they stay at one port."""
    out = []
    for text in STAYS:
        out.append((w.inside, frame_of(text, False)))
        if port:
            out.append((w.trunk[port], f.tagged(frame_of(text, True), w.tag[port])))
    return out


def nothing_was_lost(stream, what):
    r = stream.result
    print(f"    {r['sent']} frames at {r['kpps']:.0f} kpps; {what}")
    equal((r["n_lost"], r["n_twice"]), (0, 0),
          f"lost (first: {r['lost'][:5]}) and doubled, of {r['sent']}")
    equal(sum(r["at"]), r["sent"], "frames that arrived")


class Losses:
    """What the NVE may have lost, and nothing else: {reason: frames}."""

    def __init__(self, w):
        self.w, self.before, self.want = w, w.c.drops(), collections.Counter()

    def diff(self):
        now = self.w.c.drops()
        return {k: now[k] - n for k, n in self.before.items() if now[k] != n}

    def add(self, **more):
        """The guests send, and one is sent to, right after a reply; so many of the frames are
        lost."""
        self.want.update(more)
        self.w.trunk["p1"].send(*[f.tagged(frame_of(g, True), self.w.tag["p1"])
                                  for g in GUESTS if "/" in g])
        self.w.inside.send(frame_of(M3, False))
        wait_for(f"losses {dict(self.want)}",
                 lambda: sum(self.diff().values()) >= sum(self.want.values()))
        equal(self.diff(), dict(self.want), "lost until now")


@test
def nothing_is_lost_while_other_addresses_are_activated_and_deactivated(w):
    w.c.update(TSI, "p1", "red", add=GUESTS)
    n, losses = 0, Losses(w)
    with Stream(sends(w, "p1"), [w.inside, *w.trunk.values()], FRAMES) as stream:
        for _ in range(ROUNDS):
            for guest in GUESTS:
                w.c.deactivate(TSI, "p1", "red", only=[guest])
                w.c.activate(TSI, "p1", "red", only=[guest])
                n += 2
            w.c.deactivate(TSI, "p1", "red", only=GUESTS)
            losses.add(SRC_INACTIVE=4, DST_INACTIVE=1)
            w.c.activate(TSI, "p1", "red", only=GUESTS)
            losses.add()
            n += 2
    equal(losses.diff(), dict(losses.want), "lost in all")
    nothing_was_lost(stream, f"{n} (de)activations of others")


@test
def nothing_is_lost_while_other_addresses_are_added_and_removed(w):
    w.c.update(TSI, "p1", "red", remove=GUESTS)
    n, losses = 0, Losses(w)
    with Stream(sends(w, "p1"), [w.inside, *w.trunk.values()], FRAMES) as stream:
        for i in range(ROUNDS):
            for guest in GUESTS:
                w.c.update(TSI, "p1", "red", add=[guest])
            w.c.update(TSI, "p1", "red", add=[f"{M1}/10.0.1.{i}"], remove=GUESTS)
            losses.add(SRC_IP=3, SRC_MAC=1)
            w.c.update(TSI, "p1", "red", add=GUESTS, remove=[f"{M1}/10.0.1.{i}"])
            losses.add()
            w.c.update(TSI, "p1", "red", remove=GUESTS)
            n += len(GUESTS) + 3
    equal(losses.diff(), dict(losses.want), "lost in all")
    nothing_was_lost(stream, f"{n} updates of others")


def move(w):
    """The TSI's port is the other one now; the tag there is known."""
    old, w.port = w.port, "p2" if w.port == "p1" else "p1"
    w.tag[w.port] = w.c.update(TSI, old, "red", new_port=w.port).tag
    return old


@test
def nothing_to_the_tsi_is_lost_while_its_port_is_updated(w):
    with Stream(sends(w), [*w.trunk.values()], FRAMES) as stream:
        for _ in range(MOVES):
            move(w)
    nothing_was_lost(stream, f"{MOVES} moves, {stream.result['at']} frames at the two ports")
    if min(stream.result["at"]) < FRAMES / 100:
        raise Failure(f"nearly all frames came to one port: {stream.result['at']}")


@test
def from_the_tsi_the_new_port_passes_and_the_old_one_does_not_after_each_reply(w):
    new, old = [], []
    w.inside.clear()
    for _ in range(MOVES):
        was, tag = w.port, w.tag[w.port]
        for text in STAYS:
            new.append(f.token())
            w.trunk[was].send(f.tagged(frame_of(text, True) + new[-1], tag))
        move(w)
        for text in STAYS:
            old.append(f.token())
            w.trunk[was].send(f.tagged(frame_of(text, True) + old[-1], tag))
            new.append(f.token())
            w.trunk[w.port].send(f.tagged(frame_of(text, True) + new[-1], w.tag[w.port]))
    w.inside.wait(new[-1], what="the last frame")
    seen = b"".join(w.inside.find(b"nved-test-"))
    equal([t for t in new if t not in seen], [], "frames from where the TSI was, that were lost")
    equal([t for t in old if t in seen], [], "frames from where it was no more, that passed")


@test
def nothing_to_the_tsi_is_lost_where_vaps_come_and_go_with_it(w):
    """The VN is connected at a port by the TSI alone: its tag and VAP there go when it goes."""
    other = "p2" if w.port == "p1" else "p1"
    w.c.vn_disconnect(other, "red")
    w.c.clear(TSI, w.port)
    w.c.vn_disconnect(w.port, "red")
    w.tag[w.port] = w.c.activate(TSI, w.port, "red", STAYS).tag
    tags = {w.tag[w.port]}
    with Stream(sends(w), [*w.trunk.values()], FRAMES) as stream:
        for _ in range(MOVES):
            move(w)
            tags.add(w.tag[w.port])
    nothing_was_lost(stream, f"{MOVES} moves under {len(tags)} tags")


@test
def nothing_is_lost_while_addresses_change_and_the_port_with_them(w):
    with Stream(sends(w), [*w.trunk.values()], FRAMES) as stream:
        for i in range(MOVES):
            old, w.port = w.port, "p2" if w.port == "p1" else "p1"
            change = {"add": GUESTS} if i % 2 == 0 else {"remove": GUESTS}
            w.tag[w.port] = w.c.update(TSI, old, "red", new_port=w.port, **change).tag
    nothing_was_lost(stream, f"{MOVES} moves with other addresses")


if __name__ == "__main__":
    main(build, modes=("tc", "xdp"))
