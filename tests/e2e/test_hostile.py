#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Hostile input, over gRPC and over the wire, against a live agent that goes on working.

    hv --tagged==[p1 nve1 eth0]-- wire --[far]

Passes when each malformed request has an answer and each malformed packet a counted drop, nobody
else notices, and the agent is still up and SERVING after every one.
"""
import os
import queue
import random
import socket

import grpc

import frames as f
from check import equal, expect, main, refused, test
from client import ACTIVATED, addresses, key, nve_pb2_grpc, pb
from lab import FAR, NVE1, RED, RED_VNI, Netns, crosses, vn
from netlab import wait_for

VM, FAR_MAC = "02:00:00:00:01:01", "02:00:00:00:09:09"
UNARY = ["VnConnect", "VnDisconnect", "Associate", "Activate", "Deactivate", "Disassociate",
         "Clear", "Update", "Keepalive", "Keepactive", "Resync"]
ADMIN_UNARY = ["GetStatus", "ListDrops", "ListTables", "Why", "Plan"]
ADMIN_STREAMS = ["ListPorts", "ListVns", "ListTsis", "DumpTable"]
#: Codes that are an answer; the others mean that the agent hung, crashed or lost its way.
ANSWERS = {"OK", "INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION", "RESOURCE_EXHAUSTED",
           "ALREADY_EXISTS", "UNIMPLEMENTED"}


class World:
    pass


def build(lab):
    w = World()
    w.hv, w.far = Netns("hv"), lab.far_end()
    w.nve = lab.nve("nve1", NVE1, {"p1": w.hv}, [
        vn(RED, RED_VNI, "red", [FAR], [(FAR_MAC, None, FAR)])])
    w.trunk, w.wire = w.hv.tap("nve1-p1"), w.far.ns.tap("eth0")
    w.inside = w.far.vn(RED_VNI, FAR_MAC, flood=[NVE1])
    w.c = w.nve.client
    w.tag = w.c.activate(1, "p1", "red", [VM]).tag
    w.random = random.Random(7)
    return w


def raw(w, path, body, stream=False):
    """Sends bytes as a request; the name of the code of the answer."""
    make = w.c.channel.unary_stream if stream else w.c.channel.unary_unary
    call = make(path, lambda b: b, lambda b: b)
    try:
        reply = call(body, timeout=5)
        if stream:
            for _ in reply:
                pass
        return "OK"
    except grpc.RpcError as e:
        return e.code().name


def still_well(w):
    expect(w.nve.alive(), "the agent is up")
    expect(w.c.healthy(), "it says SERVING")
    token = f.token()
    frame = f.plain(VM, FAR_MAC, token)
    crosses(f.tagged(frame, w.tag), token, w.trunk, w.inside, as_sent=frame)


def everywhere(w, body):
    for name in UNARY:
        yield name, raw(w, f"/nve.v1.Signaling/{name}", body)
    for name in ADMIN_UNARY:
        yield name, raw(w, f"/nve.v1.Admin/{name}", body)
    for name in ADMIN_STREAMS:
        yield name, raw(w, f"/nve.v1.Admin/{name}", body, True)


@test
def ten_thousand_random_bytes_as_each_request_are_answered(w):
    for _ in range(5):
        body = w.random.randbytes(10000)
        for name, code in everywhere(w, body):
            expect(code in ANSWERS, f"{name}: {code}")
            expect(code != "OK" or name in ADMIN_UNARY, f"{name} took random bytes")
    still_well(w)


@test
def short_random_requests_are_answered(w):
    for length in list(range(32)) * 4:
        for name, code in everywhere(w, w.random.randbytes(length)):
            expect(code in ANSWERS, f"{name}, {length} random bytes: {code}")
    equal(len(w.c.tsis()), 1, "TSIs")
    still_well(w)


@test
def a_request_cut_anywhere_is_refused_and_changes_nothing(w):
    whole = pb.ActivateRequest(tsi=key(7, "p1", "red"), tag=77,
                               addresses=addresses(["02:00:00:00:01:07/10.0.0.7"]))
    body = whole.SerializeToString()
    for length in range(len(body)):
        code = raw(w, "/nve.v1.Signaling/Activate", body[:length])
        if code == "OK":  # cut between two fields: a smaller request, and a valid one
            part = pb.ActivateRequest.FromString(body[:length])
            expect(part.tsi == whole.tsi, f"cut at {length}: taken without its TSI")
            w.c.clear(7, "p1")
        else:
            expect(code in ANSWERS, f"cut at {length}: {code}")
    equal(len(w.c.tsis()), 1, "TSIs")
    still_well(w)


@test
def each_flipped_bit_of_a_request_is_answered(w):
    body = pb.AssociateRequest(tsi=key(7, "p1", "red"),
                               addresses=addresses(["02:00:00:00:01:07"])).SerializeToString()
    for bit in range(len(body) * 8):
        bad = bytearray(body)
        bad[bit // 8] ^= 1 << bit % 8
        code = raw(w, "/nve.v1.Signaling/Associate", bytes(bad))
        expect(code in ANSWERS, f"bit {bit}: {code}")
    for t in w.c.tsis():
        if t.state != ACTIVATED:
            w.c.clear(t.key.tsi_id, "p1")
    still_well(w)


@test
def too_large_requests_are_refused(w):
    for size in (65537, 1 << 20, 8 << 20):
        body = b"\x7a" + b"".join([_varint(size), bytes(size)])
        for name in ("Activate", "Keepalive", "Clear"):
            equal(raw(w, f"/nve.v1.Signaling/{name}", body), "RESOURCE_EXHAUSTED", f"{size} bytes")
    many = [f"02:00:00:05:{i >> 8:02x}:{i & 255:02x}" for i in range(257)]
    refused("TOO_MANY_ADDRESSES", w.c.activate, 8, "p1", "red", many)
    still_well(w)


def _varint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes(out + bytes([n]))


@test
def deep_nesting_and_huge_counts_do_no_harm(w):
    deep = b""
    for _ in range(5000):
        deep = b"\x0a" + _varint(len(deep)) + deep
    for name, code in everywhere(w, deep[-60000:]):
        expect(code in ANSWERS, f"{name}: {code}")
    for name, code in everywhere(w, b"\x0a\x00" * 30000):
        expect(code in ANSWERS, f"{name}: {code}")
    still_well(w)


@test
def unknown_methods_and_services_are_unimplemented(w):
    for path in ("/nve.v1.Signaling/Nothing", "/nve.v9.Signaling/Activate", "/x/y", "/"):
        equal(raw(w, path, b"abc"), "UNIMPLEMENTED", path)
    still_well(w)


@test
def large_metadata_hurts_nobody_else(w):
    call = w.c.channel.unary_unary("/nve.v1.Admin/GetStatus", lambda b: b, lambda b: b)
    try:
        call(b"", timeout=5, metadata=[("x-big", "y" * 100000)])
    except grpc.RpcError as e:
        expect(e.code().name in ("RESOURCE_EXHAUSTED", "UNAVAILABLE", "INTERNAL", "CANCELLED",
                                 "UNKNOWN"), f"code {e.code()}")
    wait_for("an answer to the next request", w.c.healthy)
    still_well(w)


@test
def bytes_that_are_no_http2_are_thrown_out(w):
    for body in (b"GET / HTTP/1.1\r\n\r\n", os.urandom(10000),
                 b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + os.urandom(5000), b""):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(w.nve.socket)
            s.settimeout(10)
            try:
                s.sendall(body)
                s.shutdown(socket.SHUT_WR)
                while s.recv(4096):
                    pass
            except (BrokenPipeError, ConnectionResetError):
                pass
    still_well(w)


@test
def random_messages_on_a_session_are_answered_or_end_it(w):
    session = w.c.channel.stream_stream("/nve.v1.Signaling/Session", lambda b: b, lambda b: b)
    for _ in range(20):
        bodies = [w.random.randbytes(w.random.randrange(1, 300)) for _ in range(20)]
        try:
            for _ in session(iter(bodies), timeout=5):
                pass
        except grpc.RpcError as e:
            expect(e.code().name in ANSWERS, f"session: {e.code()}: {e.details()}")
    still_well(w)


@test
def a_session_cut_with_256_requests_outstanding_leaves_a_consistent_state(w):
    for attempt in range(5):
        out = queue.SimpleQueue()
        channel = grpc.insecure_channel(f"unix:{w.nve.socket}", options=[
            ("grpc.use_local_subchannel_pool", 1)])
        call = nve_pb2_grpc.SignalingStub(channel).Session(iter(out.get, None), timeout=20)
        equal(next(call).WhichOneof("reply"), "welcome", "first message")
        for i in range(256):
            out.put(pb.SessionRequest(request_id=i + 1, activate=pb.ActivateRequest(
                tsi=key(100 + i, "p1", "red"),
                addresses=addresses([f"02:00:00:06:00:{i:02x}"]))))
        for _ in range(attempt * 20):
            next(call)
        channel.close()
        out.put(None)
        expect(w.c.healthy(), "SERVING")
        tsis = [t for t in w.c.tsis() if t.key.tsi_id != key(1, "p1", RED).tsi_id]
        expect(all(t.state == ACTIVATED for t in tsis), "each one Activated or not there at all")
        for i in range(256):
            w.c.clear(100 + i, "p1")
    equal(len(w.c.tsis()), 1, "TSIs")
    still_well(w)


@test
def a_client_that_sends_5000_requests_and_reads_nothing_stops_nobody(w):
    s = w.c.signaling.Session(iter([pb.SessionRequest(
        request_id=i + 1, keepalive=pb.KeepaliveRequest(tsis=[key(1, "p1", "red")]))
        for i in range(5000)]), timeout=20)
    still_well(w)
    s.cancel()


def from_far(w, vxlan_packet, src=FAR, **kw):
    return f.tunnel(w.far.ns.mac("eth0"), w.nve.ns.mac("eth0"), src, NVE1, vxlan_packet, **kw)


@test
def tunnel_packets_with_bad_flags_unknown_vni_or_vtep_are_counted(w):
    inner = f.plain(FAR_MAC, VM, f.token())
    for flags in (0x00, 0x80, 0xf7):
        with w.nve.dropping("TUNNEL_FLAGS"):
            w.wire.send(from_far(w, f.vxlan(RED_VNI, inner, flags=flags)))
    with w.nve.dropping("UNKNOWN_VNI"):
        w.wire.send(from_far(w, f.vxlan(RED_VNI + 1, inner)))
    with w.nve.dropping("UNKNOWN_VTEP"):
        w.wire.send(from_far(w, f.vxlan(RED_VNI, inner), src="192.0.2.77"))
    token = f.token()
    good = f.plain(FAR_MAC, VM, token)
    w.wire.send(from_far(w, f.vxlan(RED_VNI, good)))
    equal(w.trunk.wait(token), f.tagged(good, w.tag), "the honest twin")


@test
def tunnel_packets_with_a_tag_inside_or_a_bad_outer_header_are_counted(w):
    inner = f.plain(FAR_MAC, VM, f.token())
    with w.nve.dropping("INNER_TAG"):
        w.wire.send(from_far(w, f.vxlan(RED_VNI, f.tagged(inner, 5))))
    whole = from_far(w, f.vxlan(RED_VNI, inner))
    fragment = bytearray(whole)
    fragment[20:22] = b"\x20\x00"  # more fragments
    fragment[24:26] = b"\0\0"
    fragment[24:26] = f.checksum(bytes(fragment[14:34])).to_bytes(2, "big")
    with w.nve.dropping("OUTER_INVALID"):
        w.wire.send(bytes(fragment))


@test
def cut_tunnel_packets_never_get_through_and_the_agent_lives(w):
    token = f.token()
    whole = from_far(w, f.vxlan(RED_VNI, f.udp4(FAR_MAC, VM, "10.0.0.9", "10.0.0.1", token)))
    before = sum(w.c.drops().values())
    # Each says by its own lengths that it is whole, and ends inside a header of the inner frame.
    cuts = [from_far(w, f.vxlan(RED_VNI, b"")[:n]) for n in range(8)]
    cuts += [from_far(w, f.vxlan(RED_VNI, whole[50:50 + n])) for n in (0, 1, 6, 12, 13)]
    for packet in cuts:
        w.wire.send(packet)
    wait_for("the drops", lambda: sum(w.c.drops().values()) >= before + len(cuts))
    expect(not w.trunk.find(token), "a cut packet came through")
    still_well(w)


if __name__ == "__main__":
    main(build, modes=("tc", "xdp"))
