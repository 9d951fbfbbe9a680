#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Gleaning end to end (S46, D8): a TSI without addresses is learned from what it sends.

    hv1 --tagged==[p1        eth0]--- wire --- far  (kernel VXLAN, VNI 5100)
    hv2 --tagged==[p2  nve1      ]

Passes when frames both ways pass soon after the first one of an unknown TSI, a flood of 10000
source MACs learns no more than the bound and takes nothing from the signaled TSI beside it, and
what is not seen for its age is forgotten; all of that over a restart of the agent.
"""
import json

import frames as f
from check import equal, expect, main, refused, test
from client import pb
from lab import FAR, NVE1, RED, RED_VNI, Netns, crosses, vn, wait_for

VM, FIXED, VM2 = "02:00:00:00:01:01", "02:00:00:00:01:02", "02:00:00:00:02:01"
FAR_MAC = "02:00:00:00:09:01"
AGE_S = 2
GLEANER, SIGNALED, ASKING = 1, 2, 3


class World:
    pass


def build(lab):
    w = World()
    w.hv1, w.hv2, far = Netns("hv1"), Netns("hv2"), lab.far_end()
    red = vn(RED, RED_VNI, "red", [FAR], [(FAR_MAC, None, FAR)])
    red["glean"] = {"max": 4, "age": 3600}
    w.nve = lab.nve("nve1", NVE1, {"p1": w.hv1, "p2": w.hv2}, [red])
    w.p1, w.p2 = w.hv1.tap("nve1-p1"), w.hv2.tap("nve1-p2")
    w.far = far.vn(RED_VNI, FAR_MAC, flood=[NVE1])
    for mac in (VM, VM2):
        far.remote(RED_VNI, mac, NVE1)
    w.tag = w.nve.client.activate(GLEANER, "p1", "red").tag
    w.nve.client.activate(SIGNALED, "p1", "red", [FIXED])
    return w


def gleaned(w, tsi, port):
    return sorted((bytes(a.address.mac), bytes(a.address.ip))
                  for a in w.nve.client.tsi(tsi, port).addresses if a.gleaned)


def counter(w, name):
    return {c.name: c.value for c in w.nve.client.status().counters}[name]


def ip_frame(src, dst, payload, sender):
    return f.udp4(src, dst, sender, "10.0.0.99", payload)


def learn(w, tap, tag, mac, sender, tsi, port):
    """Sends until the agent has learned; the first frames are lost, and no other is."""
    tap.send(f.tagged(ip_frame(mac, FAR_MAC, f.token(), sender), tag))
    wait_for(f"{mac} and {sender} to be learned",
             lambda: (f.mac(mac), f.ip(sender)) in gleaned(w, tsi, port))


def both_ways(w, tap, tag, mac, sender):
    token = f.token()
    out = ip_frame(mac, FAR_MAC, token, sender)
    crosses(f.tagged(out, tag), token, tap, w.far, "the frame out", as_sent=out)
    token = f.token()
    back = f.plain(FAR_MAC, mac, token)
    crosses(back, token, w.far, tap, "the frame back", as_sent=f.tagged(back, tag))


@test
def a_tsi_without_addresses_is_learned_and_then_reached_both_ways(w):
    with w.nve.dropping("GLEANING", 1, tsi=GLEANER):
        learn(w, w.p1, w.tag, VM, "10.0.0.1", GLEANER, "p1")
    both_ways(w, w.p1, w.tag, VM, "10.0.0.1")
    equal(gleaned(w, GLEANER, "p1"), [(f.mac(VM), b""), (f.mac(VM), f.ip("10.0.0.1"))], "gleaned")


@test
def nvectl_tells_gleaned_addresses_from_signaled_ones(w):
    ids = {x["key"]["tsi_id"]: x for x in json.loads(w.nve.ctl("-o", "json", "tsi"))}
    origins = sorted((a["address"]["mac"], a["address"]["ip"], a["gleaned"])
                     for x in ids.values() for a in x["addresses"])
    equal(origins, [(VM, "", True), (VM, "10.0.0.1", True), (FIXED, "", False)], "origins")
    gleaner = next(k for k, x in ids.items() if x["addresses"][0]["gleaned"])
    text = w.nve.ctl("tsi", "show", gleaner)
    expect(f"{VM}/10.0.0.1 (gleaned)" in text and "up to 4" in text, text)
    published = str(w.nve.client.table("published"))
    expect(VM in published and "10.0.0.1" in published, published)


@test
def gleaned_addresses_forward_through_a_restart_of_the_agent(w):
    equal(w.nve.stop(), 0, "exit code")
    both_ways(w, w.p1, w.tag, VM, "10.0.0.1")
    w.nve.start()
    equal(len(gleaned(w, GLEANER, "p1")), 2, "gleaned")
    both_ways(w, w.p1, w.tag, VM, "10.0.0.1")


@test
def a_flood_of_10000_sources_is_bounded_and_costs_a_signaled_tsi_nothing(w):
    rss, before = w.nve.rss_kb(), w.nve.client.drops()["GLEANING"]
    tokens = []
    for i in range(10000):
        w.p1.send(f.tagged(f.plain(f"02:00:00:0f:{i >> 8:02x}:{i & 255:02x}", FAR_MAC, b"flood"),
                           w.tag))
        if i % 500 == 0:
            tokens.append(f.token())
            w.p1.send(f.tagged(f.plain(FIXED, FAR_MAC, tokens[-1]), w.tag))
    for token in tokens:
        w.far.wait(token, what="a frame of the signaled TSI")
    wait_for("the flood to be counted", lambda: w.nve.client.drops()["GLEANING"] >= before + 9900)
    equal(len(w.nve.client.tsi(GLEANER, "p1").addresses), 4, "addresses")
    equal(len(w.nve.client.tsi(SIGNALED, "p1").addresses), 1, "addresses of the signaled one")
    told = counter(w, "gleaned") + counter(w, "not_gleaned")
    expect(told < 1000, f"{told} events reached the agent")
    expect(w.nve.rss_kb() < rss + 4096, f"the agent grew from {rss} to {w.nve.rss_kb()} kB")
    both_ways(w, w.p1, w.tag, VM, "10.0.0.1")


def glean(max_, age_ms):
    return pb.Parameter(name="glean", value=pb.Glean(max=max_, age_ms=age_ms).SerializeToString(),
                        critical=True)


def activate(w, tsi, port, parameter, addrs=()):
    from client import addresses, key
    return w.nve.client._call(w.nve.client.signaling.Activate, pb.ActivateRequest(
        tsi=key(tsi, port, "red"), addresses=addresses(addrs), parameters=[parameter]))


@test
def gleaning_that_does_not_fit_is_refused_with_its_reason(w):
    refused("GLEANING_CONFLICT", activate, w, 9, "p1", glean(4, 0))
    refused("INVALID_PARAMETER", activate, w, 9, "p1", glean(4, 0), ["02:00:00:00:01:09/10.0.0.9"])
    refused("INVALID_PARAMETER", activate, w, 9, "p2", glean(1000, 0))
    refused("INVALID_PARAMETER", activate, w, 9, "p2", glean(4, 1))
    equal(w.nve.client.tsi(9, "p1"), None, "the refused TSI")


@test
def an_address_that_is_not_seen_for_its_age_is_forgotten_and_learned_again(w):
    reply = activate(w, ASKING, "p2", glean(4, AGE_S * 1000))
    equal(list(reply.ignored_parameters), [], "ignored")
    for _ in range(2):
        learn(w, w.p2, reply.tag, VM2, "10.0.0.2", ASKING, "p2")
        both_ways(w, w.p2, reply.tag, VM2, "10.0.0.2")
        wait_for("the address to be forgotten", lambda: not gleaned(w, ASKING, "p2"), 10)
        with w.nve.dropping("GLEANING", 1, tsi=ASKING, port="p2"):
            w.p2.send(f.tagged(f.plain(VM2, FAR_MAC, f.token()), reply.tag))


@test
def deactivate_ends_what_was_gleaned(w):
    w.nve.client.deactivate(GLEANER, "p1", "red")
    equal(list(w.nve.client.tsi(GLEANER, "p1").addresses), [], "addresses")
    with w.nve.dropping("SRC_INACTIVE", 1, tsi=GLEANER):
        w.p1.send(f.tagged(f.plain(VM, FAR_MAC, f.token()), w.tag))
    for tsi, port in ((GLEANER, "p1"), (SIGNALED, "p1"), (ASKING, "p2")):
        w.nve.client.clear(tsi, port)
    equal(w.nve.dump("gleaner"), [], "rows of gleaner")
    equal(w.nve.dump("gleaned"), [], "rows of gleaned")


if __name__ == "__main__":
    main(build, modes=("tc", "xdp"))
