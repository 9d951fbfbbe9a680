#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 at any moment: what was acknowledged is there, what was refused is not, frames flow.

    hv --tagged==[p1 nve1 eth0]-- wire --[far: kernel VXLAN]
       --tagged==[p2 nve1     ]

Clients signal at random over Sessions, many requests under way, while frames flow from and to TSIs
that stay; the agent is killed at random moments and started again.  Passes when after each restart
every TSI is as its last acknowledged request left it, or, if one was under way then, as that one
would have; and when every frame arrived exactly once.  NVED_KILLS=20 for more than
three in each mode, NVED_SEED=.. for the
same again.
"""
import os
import queue
import random
import threading
import time

import grpc

import frames as f
from check import equal, expect, main, test
from client import ACTIVATED, ASSOCIATED, INIT, Client, addresses, key, pb, tsi_id
from lab import FAR, NVE1, RED, RED_VNI, BLUE, BLUE_VNI, Netns, vn
from netlab import Failure, wait_for
from stream import Stream

KILLS = int(os.environ.get("NVED_KILLS", 3))
SEED = int(os.environ.get("NVED_SEED", random.randrange(1 << 32)))
FAR_MAC, STAYS = "02:00:00:00:09:09", [f"02:00:00:00:01:0{i}" for i in range(1, 5)]
CLIENTS, TSIS, WINDOW = 3, 40, 8  # TSIs of each client, requests that it has under way
VNS, PORTS = ("red", "blue"), ("p1", "p2")
NOTHING = (INIT, frozenset())


class World:
    pass


def build(lab):
    w = World()
    w.hv, far = Netns("hv"), lab.far_end()
    w.nve = lab.nve("nve1", NVE1, {"p1": w.hv, "p2": w.hv}, [
        vn(RED, RED_VNI, "red", [FAR], [(FAR_MAC, None, FAR)]), vn(BLUE, BLUE_VNI, "blue", [FAR])])
    w.trunk = {port: w.hv.tap(f"nve1-{port}") for port in PORTS}
    w.inside = far.vn(RED_VNI, FAR_MAC, flood=[NVE1])
    w.c, w.sends = w.nve.client, []
    for port in PORTS:  # connected for good, so that the tags stay
        tags = {name: w.c.vn_connect(port, name).tag for name in VNS}
        w.tag = tags["red"]
        for i, mac in enumerate(STAYS):
            if PORTS[i % 2] == port:
                w.c.activate(i + 1, port, "red", [mac])
                w.sends.append((w.trunk[port], f.tagged(f.plain(mac, FAR_MAC, b"", 60), w.tag)))
                w.sends.append((w.inside, f.plain(FAR_MAC, mac, b"", 60)))
                far.remote(RED_VNI, mac, NVE1)
    w.model = {tsi: NOTHING for tsi in range(100, 100 + CLIENTS * TSIS)}
    w.rng = random.Random(SEED)
    wait_for("the next hop", lambda: (w.sends[0][0].send(w.sends[0][1] + b"warm"),
                                      w.inside.find(b"warm"))[1])
    return w


def place(tsi):
    """Port and VN of a TSI: always the same, so that the model is one of states and addresses."""
    return PORTS[tsi % 2], VNS[tsi // 2 % 2]


def some_addresses(rng, tsi):
    mac = f"02:00:00:03:{tsi >> 8:02x}:{tsi & 255:02x}"
    ips = rng.sample(range(1, 9), rng.randrange(4))
    return [f"{mac}/10.{tsi >> 8}.{tsi & 255}.{i}" for i in ips] or [mac]


def request(rng, tsi, before):
    """A random request, and what the TSI is afterwards if it is accepted; None: it must not be."""
    port, name = place(tsi)
    state, have = before
    k = key(tsi, port, name)
    kind = rng.choice(("activate", "activate", "associate", "deactivate", "disassociate", "clear",
                       "update"))
    if kind in ("activate", "associate"):
        addrs = some_addresses(rng, tsi)
        make = pb.ActivateRequest if kind == "activate" else pb.AssociateRequest
        body = make(tsi=k, addresses=addresses(addrs))
        after = (ACTIVATED if kind == "activate" else ASSOCIATED, frozenset(addrs))
        if kind == "associate" and state == ACTIVATED:
            after = None  # D1
    elif kind == "deactivate":
        body = pb.DeactivateRequest(tsi=k)
        after = (ASSOCIATED, have) if state != INIT else None
    elif kind == "update":
        more = some_addresses(rng, tsi)
        body = pb.UpdateRequest(tsi=k, add=addresses(more))
        after = (state, have | frozenset(more)) if state != INIT else None
    else:
        body = pb.DisassociateRequest(tsi=k) if kind == "disassociate" else \
            pb.ClearRequest(tsi_id=tsi_id(tsi), port=port)
        after = NOTHING
    return pb.SessionRequest(**{kind: body}), after


class Hurry(threading.Thread):
    """A client that signals at random over one Session until the agent is gone."""

    def __init__(self, w, tsis, seed):
        super().__init__()
        self.rng, self.idle, self.model = random.Random(seed), list(tsis), w.model
        self.client = Client(f"unix:{w.nve.socket}")
        self.out, self.under_way, self.done, self.error = queue.SimpleQueue(), {}, 0, None

    def send(self):
        tsi = self.idle.pop(self.rng.randrange(len(self.idle)))
        req, after = request(self.rng, tsi, self.model[tsi])
        req.request_id = self.done + len(self.under_way) + 1
        while req.request_id in self.under_way:
            req.request_id += 1
        self.under_way[req.request_id] = tsi, after
        self.out.put(req)

    def answered(self, answer):
        tsi, after = self.under_way.pop(answer.request_id)
        refused = bool(answer.status.code)
        if refused != (after is None):
            raise Failure(f"TSI {tsi} is {self.model[tsi]}, would be {after}, but: {answer}")
        if not refused:
            self.model[tsi] = after
        self.idle.append(tsi)
        self.done += 1

    def run(self):
        call = self.client.signaling.Session(iter(self.out.get, None))
        try:
            for reply in call:
                if reply.WhichOneof("reply") == "answer":
                    self.answered(reply.answer)
                while len(self.under_way) < WINDOW:
                    self.send()
        except grpc.RpcError:
            pass  # killed
        except Exception as e:  # pylint: disable=broad-except
            self.error = e
        self.out.put(None)
        self.client.close()


def text(address):
    mac = address.mac.hex(":")
    return f"{mac}/{'.'.join(str(x) for x in address.ip)}" if address.ip else mac


def listed(w):
    out = {tsi: NOTHING for tsi in w.model}
    for t in w.c.tsis():
        number = int.from_bytes(t.key.tsi_id[8:], "big")
        if number in out:
            out[number] = t.state, frozenset(text(a.address) for a in t.addresses)
    return out


def signal_and_kill(w):
    """Returns how many requests were answered, and how many were under way."""
    tsis = sorted(w.model)
    hurries = [Hurry(w, tsis[i::CLIENTS], w.rng.random()) for i in range(CLIENTS)]
    for h in hurries:
        h.start()
    time.sleep(w.rng.uniform(0.05, 0.5))  # not an event: any moment
    w.nve.kill()
    for h in hurries:
        h.join(20)
        if h.error:
            raise h.error
    w.nve.start()
    under_way = dict(x for h in hurries for x in h.under_way.values())
    for tsi, have in listed(w).items():
        allowed = {w.model[tsi], under_way.get(tsi) or w.model[tsi]}
        expect(have in allowed, f"TSI {tsi} is {have}, not one of {allowed}")
        w.model[tsi] = have
    equal([w.c.state(i + 1, PORTS[i % 2]) for i in range(4)], [ACTIVATED] * 4, "those that stay")
    return sum(h.done for h in hurries), len(under_way)


@test
def what_was_acknowledged_is_there_after_each_kill_and_no_frame_was_lost(w):
    answered = under_way = 0
    with Stream(w.sends, [w.inside, *w.trunk.values()], 100000) as stream:
        for _ in range(KILLS):
            done, flying = signal_and_kill(w)
            answered, under_way = answered + done, under_way + flying
    r = stream.result
    print(f"    {KILLS} kills, seed {SEED}: {answered} requests answered, {under_way} under way; "
          f"{r['sent']} frames at {r['kpps']:.0f} kpps")
    expect(answered > 20 * KILLS and under_way > 0, "too few requests to prove anything")
    equal((r["n_lost"], r["n_twice"]), (0, 0), f"lost (first: {r['lost']}) and doubled")


@test
def the_datapath_is_what_the_list_says_at_the_end(w):
    active = {tsi for tsi, (state, _) in w.model.items() if state == ACTIVATED}
    live = sum(1 for _, row in w.c.table("tsi") if row["live"] >> 32)  # above its generation
    equal(live, len(active) + len(STAYS), "live rows of the TSI table")


if __name__ == "__main__":
    main(build, modes=("tc", "xdp"))
