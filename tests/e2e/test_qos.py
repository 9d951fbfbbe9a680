#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""QoS of TSIs, the first parameter of the protocol (S96): negotiated, refused, kept, and seen.

    hv --tagged==[p1 nve1 eth0]-- wire --[far: kernel VXLAN, VNI 5100]
    hv2 --tagged==[p2 nve1]
                  TSI 1: MAC A at p1        TSI 2: MAC B at p2        TSI 3: MAC C at p1, no QoS
                  meters: 2                 no rate above 50 Mbit/s

Passes when the replies say what was granted and why not; when of a stream of frames, twice as fast
as the rate, as many get through as the rate allows (within 10 %), in both directions, to and from
the far end and the other port, through a change of the rate and a restart of the agent, while a TSI
without a rate loses none; and when DSCP and PCP at the far ends are those that were asked for.
"""
import json
import time

import frames as f
from check import equal, expect, main, test
from client import ASSOCIATED, Refused, pb, tsi_id
from lab import FAR, NVE1, RED, RED_VNI, Netns, crosses, vn
from netlab import wait_for

A, B, C, FAR_MAC = ("02:00:00:00:01:01", "02:00:00:00:01:02", "02:00:00:00:01:03",
                    "02:00:00:00:09:09")
FAR_IP = "10.0.0.9"
SIZE = 1000          # bytes of a frame, as they are counted
RATE = 800_000       # bits a second: 100 such frames
BURST = 10_000


def qos(**fields):
    return pb.Qos(**fields)


def rate(bits, burst=0):
    return pb.Rate(bits_per_second=bits, burst_bytes=burst)


class World:
    pass


def build(lab):
    w = World()
    w.mode = lab.mode
    w.hv, w.hv2, w.far = Netns("hv"), Netns("hv2"), lab.far_end()
    w.nve = lab.nve("nve1", NVE1, {"p1": w.hv, "p2": w.hv2}, [
        vn(RED, RED_VNI, "red", [FAR], [(FAR_MAC, FAR_IP, FAR)])],
        limits={"meters": 2, "rate_mbit": 50})
    w.trunk, w.trunk2 = w.hv.tap("nve1-p1"), w.hv2.tap("nve1-p2")
    w.inside = w.far.vn(RED_VNI, FAR_MAC, flood=[NVE1])
    w.client = w.nve.client
    w.tag = w.client.activate(1, "p1", "red", [A]).tag
    w.tag2 = w.client.activate(2, "p2", "red", [B]).tag
    w.client.activate(3, "p1", "red", [C])
    return w


def update(w, tsi, port, value=None, **kw):
    return w.client.update(tsi, port, "red", qos=value if value is not None else qos(), **kw)


def refused(call, reason, **metadata):
    try:
        call()
    except Refused as e:
        equal(e.reason, reason, "reason")
        for name, value in metadata.items():
            equal(e.metadata.get(name), value, name)
        return
    expect(False, f"accepted, not refused with {reason}")


@test
def a_reply_says_what_was_granted(w):
    reply = update(w, 1, "p1", qos(from_tsi=rate(10_000_000, 1), to_tsi=rate(99_000_000),
                                   priority=5, codepoint=46))
    equal(reply.qos.from_tsi, rate(10_000_000, 9216), "a burst below one frame")
    equal(reply.qos.to_tsi, rate(50_000_000, 125_000), "a rate above the NVE's")
    equal((reply.qos.priority, reply.qos.codepoint), (5, 46), "marks")
    equal(list(reply.ignored_parameters), [], "ignored")
    equal(w.client.tsi(1, "p1").qos, reply.qos, "in the list")
    shown = json.loads(w.nve.ctl("tsi", "show", "-o", "json", tsi_id(1).hex()))[0]
    equal(shown["qos"]["from_tsi"], {"bits_per_second": 10_000_000, "burst_bytes": 9216}, "nvectl")
    again = w.client.update(1, "p1", "red", qos=reply.qos)
    expect(again.unchanged, "a repeat changes nothing")
    again = w.client.activate(1, "p1", "red")
    expect(again.unchanged and again.qos == reply.qos, "without the parameter it stays")
    expect(not update(w, 1, "p1").HasField("qos"), "an empty one takes it off")


@test
def what_does_not_fit_is_refused_and_changes_nothing(w):
    before = update(w, 1, "p1", qos(from_tsi=rate(RATE))).qos
    for value, field in ((qos(from_tsi=rate(0)), "from_tsi.bits_per_second"),
                         (qos(from_tsi=rate(63_999)), "from_tsi.bits_per_second"),
                         (qos(to_tsi=rate(100_000_000_001)), "to_tsi.bits_per_second"),
                         (qos(priority=8), "priority"), (qos(codepoint=64), "codepoint")):
        refused(lambda v=value: update(w, 1, "p1", v), "INVALID_PARAMETER", parameter="qos",
                field=f"parameters[0].{field}")
    equal(w.client.tsi(1, "p1").qos, before, "QoS after refusals")
    update(w, 1, "p1")


@test
def without_a_meter_associate_is_refused_and_activate_never(w):
    limited = qos(to_tsi=rate(RATE))
    update(w, 1, "p1", limited)
    equal(w.client.associate(10, "p1", "red", qos=limited).state, ASSOCIATED, "state")
    refused(lambda: w.client.associate(11, "p1", "red", qos=limited), "NO_RESOURCES",
            resource="meters", used="2", max="2")
    equal(w.client.state(11, "p1"), 0, "nothing is left of it")
    refused(lambda: update(w, 2, "p2", limited), "NO_RESOURCES", resource="meters")
    w.client.activate(10, "p1", "red")
    w.client.clear(10, "p1")
    update(w, 2, "p2", limited)
    for tsi, port in ((1, "p1"), (2, "p2")):
        update(w, tsi, port)


@test
def dscp_is_seen_at_the_far_end_and_ecn_stays(w):
    update(w, 1, "p1", qos(codepoint=46))
    token = f.token()
    frame = bytearray(f.udp4(A, FAR_MAC, "10.0.0.1", FAR_IP, token))
    want = bytearray(frame)
    for x, tos in ((frame, 0x02), (want, 46 << 2 | 2)):
        x[15] = tos
        x[24:26] = b"\0\0"
        x[24:26] = f.checksum(bytes(x[14:34])).to_bytes(2, "big")
    crosses(f.tagged(bytes(frame), w.tag), token, w.trunk, w.inside, as_sent=bytes(want))
    token = f.token()
    frame = f.udp6(A, FAR_MAC, "fd00::1", "fd00::9", token)
    want = frame[:14] + bytes([0x6b, 0x80]) + frame[16:]
    crosses(f.tagged(frame, w.tag), token, w.trunk, w.inside, as_sent=want)
    token = f.token()
    frame = bytearray(f.udp4(A, f.BROADCAST, "10.0.0.1", "10.0.0.255", token))
    want = bytearray(frame)
    want[15] = 46 << 2
    want[24:26] = b"\0\0"
    want[24:26] = f.checksum(bytes(want[14:34])).to_bytes(2, "big")
    crosses(f.tagged(bytes(frame), w.tag), token, w.trunk, w.inside, "a broadcast",
            as_sent=bytes(want))
    update(w, 1, "p1")


@test
def the_priority_is_in_the_tag_of_frames_to_the_tsi(w):
    update(w, 1, "p1", qos(priority=6))
    token = f.token()
    frame = f.plain(FAR_MAC, A, token)
    crosses(frame, token, w.inside, w.trunk, as_sent=f.tagged(frame, w.tag, pcp=6))
    token = f.token()
    frame = f.plain(B, A, token)
    crosses(f.tagged(frame, w.tag2, pcp=1), token, w.trunk2, w.trunk,
            as_sent=f.tagged(frame, w.tag, pcp=6))
    update(w, 1, "p1")
    token = f.token()
    crosses(f.tagged(f.plain(B, A, token), w.tag2, pcp=1), token, w.trunk2, w.trunk,
            as_sent=f.tagged(f.plain(B, A, token), w.tag, pcp=1))


def stream(tap, frame, count, gap):
    """Sends the frame so often, 'gap' seconds apart where the machine is quick enough; when each
    was sent."""
    begin, times = time.monotonic(), []
    for i in range(count):
        left = begin + i * gap - time.monotonic()
        if left > 0:
            time.sleep(left)
        times.append(time.monotonic())
        tap.send(frame)
    return times


def allowed(times, bits, burst):
    """Of frames sent at these times, how many a token bucket lets through."""
    tokens, last, passed = burst, times[0], 0
    for now in times:
        tokens, last = min(burst, tokens + (now - last) * bits / 8), now
        if tokens >= SIZE:
            tokens, passed = tokens - SIZE, passed + 1
    return passed


def held(w, source, target, frame, token, bits, what, seconds=1.5):
    """Offers twice the rate; counts what comes out."""
    count = int(2 * bits / 8 / SIZE * seconds)
    target.clear()
    before = w.client.drops()["RATE"]
    times = stream(source, frame, count, seconds / count)
    wait_for(f"{what}: each frame to come out or to be counted", lambda:
             len(target.find(token)) + w.client.drops()["RATE"] - before == count)
    got, want = len(target.find(token)), allowed(times, bits, BURST)
    expect(0.9 * want <= got <= 1.1 * want, f"{what}: {got} frames, not {want}, of {count}")
    expect(want < 0.9 * count, f"{what}: more was offered than the rate")


@test
def frames_from_the_tsi_are_held_to_its_rate_and_others_are_not(w):
    update(w, 1, "p1", qos(from_tsi=rate(RATE, BURST)))
    token = f.token()
    frame = f.tagged(f.plain(A, FAR_MAC, token, SIZE), w.tag)
    held(w, w.trunk, w.inside, frame, token, RATE, "from the TSI to the far end")
    expect(w.client.drops()["RATE"] > 0, "the drops are counted")
    token = f.token()
    for i in range(200):  # while the other one's bucket is empty
        w.trunk.send(frame, f.tagged(f.plain(C, FAR_MAC, token + b"%03d" % i, SIZE), w.tag))
    wait_for("all frames of the TSI without a rate", lambda: len(w.inside.find(token)) == 200)
    update(w, 1, "p1")


@test
def frames_to_the_tsi_are_held_to_its_rate_from_afar_and_from_near(w):
    update(w, 1, "p1", qos(to_tsi=rate(RATE, BURST)))
    token = f.token()
    held(w, w.inside, w.trunk, f.plain(FAR_MAC, A, token, SIZE), token, RATE,
         "from the far end to the TSI")
    time.sleep(BURST * 8 / RATE)  # the bucket is full again: that is what is measured
    token = f.token()
    held(w, w.trunk2, w.trunk, f.tagged(f.plain(B, A, token, SIZE), w.tag2), token, RATE,
         "from the other port to the TSI")
    token = f.token()
    frame = f.plain(FAR_MAC, C, token, SIZE)
    crosses(frame, token, w.inside, w.trunk, "a frame to another TSI of the VAP",
            as_sent=f.tagged(frame, w.tag))
    update(w, 1, "p1")


@test
def a_change_of_the_rate_under_traffic_loses_nothing_below_both(w):
    token = f.token()
    frame = f.tagged(f.plain(A, FAR_MAC, token, SIZE), w.tag)
    w.inside.clear()
    for i in range(150):  # 100 a second at most; the rates are higher
        if i % 10 == 0:
            update(w, 1, "p1", qos(from_tsi=rate(2_000_000 if i % 20 else 20_000_000, BURST)))
        w.trunk.send(frame)
        time.sleep(0.01)
    wait_for("all frames", lambda: len(w.inside.find(token)) == 150)
    update(w, 1, "p1")


@test
def qos_outlives_the_agent(w):
    granted = update(w, 1, "p1", qos(from_tsi=rate(RATE, BURST), codepoint=10)).qos
    bucket = [v for k, v in w.client.table("meter") if v["cost"]]
    w.nve.stop()
    w.nve.start()
    equal(w.nve.client.tsi(1, "p1").qos, granted, "after a restart")
    equal([v["cost"] for k, v in w.nve.client.table("meter") if v["cost"]],
          [v["cost"] for v in bucket], "the bucket")
    w.client = w.nve.client
    token = f.token()
    held(w, w.trunk, w.inside, f.tagged(f.plain(A, FAR_MAC, token, SIZE), w.tag), token, RATE,
         "after a restart")
    update(w, 1, "p1")


@test
def why_tells_of_the_meter_and_takes_nothing(w):
    update(w, 1, "p1", qos(from_tsi=rate(64_000, 9216)))
    frame = f.tagged(f.plain(A, FAR_MAC, f.token(), 9000 - 8000), w.tag)
    for _ in range(20):
        reply = w.nve.client.admin.Why(pb.WhyRequest(port="p1", frame=frame))
        equal(reply.verdict, pb.VERDICT_FORWARDED, "verdict")
    expect(any(step.table == "meter" for step in reply.steps), "the meter is among the steps")
    update(w, 1, "p1")


if __name__ == "__main__":
    main(build, modes=("tc", "xdp"))
