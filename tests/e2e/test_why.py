#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""nvectl why on a live agent.

    hv --tagged==[p1 nve1 eth0]-- wire --[far: kernel VXLAN]

Passes when what it says of a frame is what then becomes of that very frame, and asking sends
nothing, moves no counter and keeps no TSI alive: the far ends, which would see a copy, see only
the marker that is sent afterwards.
"""
import json
import struct

import frames as f
from check import equal, expect, main, test
from client import tsi_id
from lab import FAR, FAR2, NVE1, RED, RED_VNI, Netns, crosses, vn

VM, VM_IP, FAR_MAC = "02:00:00:00:01:01", "10.0.0.1", "02:00:00:00:09:09"
OTHER = "02:00:00:00:01:02"
ID = tsi_id(1)


class World:
    pass


def build(lab):
    w = World()
    w.hv, far = Netns("hv"), lab.far_end()
    w.nve = lab.nve("nve1", NVE1, {"p1": w.hv}, [
        vn(RED, RED_VNI, "red", [FAR], [(FAR_MAC, "10.0.0.9", FAR)])])
    w.trunk, w.inside, w.c = w.hv.tap("nve1-p1"), far.vn(RED_VNI, FAR_MAC, flood=[NVE1]), \
        w.nve.client
    w.c.activate(ID, "p1", RED, [f"{VM}/{VM_IP}"])
    w.tag, w.ctl = w.c.tsi(ID, "p1").tag, w.nve.ctl
    # The way there is known: else the first frame is lost to VTEP_UNRESOLVED.
    marker(w)
    return w


def marker(w):
    token = f.token()
    frame = f.plain(VM, FAR_MAC, token)
    crosses(f.tagged(frame, w.tag), token, w.trunk, w.inside, as_sent=frame)


def counters(w):
    """All that counts, and when the TSI was last seen."""
    rows = w.c.table("tsi")
    return w.c.drops(), w.c.table("tsi_stats"), w.c.table("tsi_drops"), rows


def why(w, *words):
    """Asks in JSON and for people; that must leave everything as it is, and send nothing."""
    before = counters(w)
    w.trunk.clear()
    w.inside.clear()
    got = json.loads(w.ctl("-o", "json", "why", *words))
    expect(w.ctl("why", *words), "no text")
    equal(counters(w), before, "counters and 'seen'")
    marker(w)
    for tap in (w.trunk, w.inside):
        seen = tap.find(b"nved-why")
        expect(not seen, f"{tap.where} got {seen}")
    return got


def tables(got):
    return [(s["table"], bool(s["value"])) for s in got["steps"]]


def hexed(frame):
    return ("--hex", frame.hex())


@test
def a_frame_that_passes_is_shown_with_its_vtep_and_the_bytes_it_becomes(w):
    frame = f.plain(VM, FAR_MAC, b"nved-why")
    got = why(w, "--port", "p1", "--vn", "red", *hexed(frame))
    equal((got["verdict"], got["out_port"], got["out_vtep"]), ("VERDICT_FORWARDED", "up", FAR),
          "verdict")
    equal(tables(got), [("src", True), ("tsi", True), ("fdb", True), ("vtep", True)], "tables")
    out = bytes.fromhex(got["out_frame"])
    equal(out[50:], frame, "the frame in the tunnel")
    equal(struct.unpack("!I", out[46:50])[0] >> 8, RED_VNI, "VNI")
    equal(got["steps"][0]["key"]["mac"], VM, "the key of src")
    crosses(f.tagged(frame, w.tag), b"nved-why", w.trunk, w.inside, as_sent=frame)


@test
def built_frames_of_every_kind_go_the_same_way(w):
    four = ("--src", f"{VM}/{VM_IP}", "--dst", f"{FAR_MAC}/10.0.0.9")
    for words in (four, (*four, "--udp"), (*four, "--tcp", "--size", "1500"),
                  ("--src", VM, "--dst", FAR_MAC)):
        got = why(w, "--port", "p1", "--vn", "red", *words)
        equal(got["verdict"], "VERDICT_FORWARDED", f"verdict of {words}")


@test
def a_flooded_frame_names_its_members_and_none_gets_a_copy(w):
    got = why(w, "--port", "p1", "--vn", "red", "--src", f"{VM}/{VM_IP}", "--dst", "10.0.0.9",
              "--arp")
    equal((got["verdict"], got["out_port"]), ("VERDICT_ANSWERED", "p1"), "of a known address")
    got = why(w, "--port", "p1", "--vn", "red", "--src", f"{VM}/{VM_IP}", "--dst", "10.0.0.77",
              "--arp")
    equal(got["verdict"], "VERDICT_FLOODED", "verdict")
    equal([s["table"] for s in got["steps"] if s["copy"] == "sent"], ["vtep"], "members")
    broadcast = f.plain(VM, f.BROADCAST, b"nved-why")
    equal(why(w, "--port", "p1", "--vn", "red", *hexed(broadcast))["verdict"], "VERDICT_FLOODED",
          "verdict")
    crosses(f.tagged(broadcast, w.tag), b"nved-why", w.trunk, w.inside, as_sent=broadcast)


@test
def a_drop_is_told_before_it_happens(w):
    for reason, frame in (
            ("SRC_MAC", f.tagged(f.plain(OTHER, FAR_MAC, b"nved-why"), w.tag)),
            ("NO_VAP", f.tagged(f.plain(VM, FAR_MAC, b"nved-why"), 4000)),
            ("NO_TAG", f.plain(VM, FAR_MAC, b"nved-why")),
            ("SRC_IP", f.tagged(f.eth(FAR_MAC, VM, f.IPV4, f.ip4("10.0.0.66", "10.0.0.9", f.UDP,
                                                              b"nved-why")), w.tag))):
        got = why(w, "--port", "p1", *hexed(frame))
        equal((got["verdict"], got["reason"]), ("VERDICT_DROPPED", reason), "verdict")
        expect(got["text"] in w.ctl("why", "--port", "p1", *hexed(frame)), "the text")
        with w.nve.dropping(reason):
            w.trunk.send(frame)


@test
def a_frame_from_the_underlay_is_asked_by_vtep_and_vn(w):
    words = ("--port", "up", "--src", FAR_MAC, "--dst", VM)
    got = why(w, *words, "--vtep", FAR, "--vn", "red")
    equal((got["verdict"], got["out_port"]), ("VERDICT_FORWARDED", "p1"), "verdict")
    equal(tables(got), [("near", True), ("near", True)], "tables")
    equal(bytes.fromhex(got["out_frame"])[12:16], struct.pack("!HH", 0x8100, w.tag), "tag")
    got = why(w, *words, "--vtep", FAR2, "--vn", "red")
    equal((got["reason"], tables(got)),
          ("UNKNOWN_VTEP", [("near", False), ("peer", False), ("peer", True)]), "a stranger")
    got = why(w, *words, "--vtep", FAR, "--vni", "77")
    equal((got["reason"], tables(got)),
          ("UNKNOWN_VNI", [("near", False), ("peer", False), ("peer", False)]), "a VNI of nobody")


@test
def a_record_of_a_capture_is_asked(w):
    path = "/run/lab/why.pcap"
    records = [f.tagged(f.plain(mac, FAR_MAC, b"nved-why"), w.tag) for mac in (OTHER, VM)]
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for record in records:
            out.write(struct.pack("<IIII", 0, 0, len(record), len(record)) + record)
    equal(why(w, "--port", "p1", "--pcap", path)["reason"], "SRC_MAC", "the first record")
    equal(why(w, "--port", "p1", "--pcap", path, "--record", "2")["verdict"],
          "VERDICT_FORWARDED", "the second")


@test
def what_the_agent_changes_is_seen_at_once(w):
    words = ("--port", "p1", "--tag", str(w.tag), "--src", VM, "--dst", FAR_MAC)
    w.c.deactivate(ID, "p1", RED)
    got = json.loads(w.ctl("-o", "json", "why", *words))
    equal(got["reason"], "SRC_INACTIVE", "reason")
    w.c.activate(ID, "p1", RED)
    equal(json.loads(w.ctl("-o", "json", "why", *words))["verdict"], "VERDICT_FORWARDED",
          "verdict")
    w.c.clear(ID, "p1")
    got = json.loads(w.ctl("-o", "json", "why", *words))
    equal((got["verdict"], tables(got)[0]), ("VERDICT_DROPPED", ("src", False)), "after clear")


if __name__ == "__main__":
    main(build)
