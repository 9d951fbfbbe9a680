#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Encapsulation, byte for byte, against the kernel's own VXLAN device.

    vm-a, vm-b --[hv: tag.bpf.c]==tagged==[p1 nve1 eth0]-- wire --[far: kernel VXLAN, VNI 5100]

Passes when frames of every size and kind cross both ways with not one byte of the inner frame
changed, the outer header is what RFC 7348 asks for (S36), the kernel device takes and answers
what nved sends, TCP carries its load, and frames too large for the underlay are counted.
"""
import os

import frames as f
from check import equal, expect, main, test
from lab import FAR, NVE1, RED, RED_VNI, UNDERLAY_MTU, crosses, transfer, vn
from netlab import Capture, Failure

A, B, FAR_MAC = "02:00:00:00:01:01", "02:00:00:00:01:02", "02:00:00:00:09:09"
A_IP, FAR_IP, A_IP6, FAR_IP6 = "10.0.0.1", "10.0.0.9", "fd00::1", "fd00::9"
TCP_BYTES = 16 << 20


class World:
    pass


def build(lab):
    w = World()
    w.hv, w.far = lab.hypervisor("hv"), lab.far_end()
    w.nve = lab.nve("nve1", NVE1, {"p1": w.hv}, [
        {**vn(RED, RED_VNI, "red", [FAR], [(FAR_MAC, FAR_IP, FAR)]), "suppress": False}])
    w.a = w.hv.add_vm("vm-a", A, [f"{A_IP}/24", f"{A_IP6}/64"])
    w.inside = w.far.vn(RED_VNI, FAR_MAC, [f"{FAR_IP}/24", f"{FAR_IP6}/64"], [NVE1])
    w.far.remote(RED_VNI, A, NVE1)
    reply = w.nve.client.activate(1, "p1", "red", [f"{A}/{A_IP}", f"{A}/{A_IP6}"])
    w.hv.tag("vm-a", reply.tag)
    w.vm, w.outer = w.a.tap("eth0"), w.far.ns.tap("eth0")
    w.mode = lab.mode
    return w


def outer_of(w, token):
    return f.Outer(w.outer.wait(token, what="the tunnel packet"))


@test
def the_mode_of_the_ports_is_the_one_that_was_asked_for(w):
    for port in w.nve.client.ports():
        equal(port.mode, w.mode, f"mode of {port.name}")
        expect(port.why and port.up, f"{port.name} is up and says why it has that mode")


@test
def the_outer_header_is_that_of_rfc_7348(w):
    token = f.token()
    frame = f.udp4(A, FAR_MAC, A_IP, FAR_IP, token)
    crosses(frame, token, w.vm, w.inside)
    o = outer_of(w, token)
    equal((o.src, o.dst), (NVE1, FAR), "outer addresses")
    equal(o.dst_mac.hex(":"), w.far.ns.mac("eth0"), "next hop")
    equal(o.src_mac.hex(":"), w.nve.ns.mac("eth0"), "outer source MAC")
    equal((o.ver_ihl, o.ttl, o.proto, o.frag), (0x45, 64, f.UDP, 0x4000), "TTL 64, DF")
    expect(o.header_ok, "the outer IP checksum is right")
    equal((o.dport, o.udp_check), (4789, 0), "UDP port and checksum")
    equal((o.flags, o.reserved1, o.vni, o.reserved2), (8, b"\0\0\0", RED_VNI, 0), "VXLAN header")
    equal(o.udp_len, len(frame) + 16, "UDP length")
    equal(o.total, len(frame) + 36, "IP length")
    equal(o.inner, frame, "inner frame")


@test
def tcpdump_sees_the_same_packet_without_a_complaint(w):
    capture = Capture(w.far.ns, "eth0", "udp port 4789")
    token = f.token()
    crosses(f.udp4(A, FAR_MAC, A_IP, FAR_IP, token), token, w.vm, w.inside)
    token = f.token()
    crosses(f.udp4(FAR_MAC, A, FAR_IP, A_IP, token), token, w.inside, w.vm)
    text = capture.stop()
    ours = [x for x in text.splitlines() if x.strip().startswith(f"{NVE1}.")]
    expect(ours and all(f"[no cksum] VXLAN, flags [I] (0x08), vni {RED_VNI}" in x for x in ours),
           f"packets of nved: {text}")
    expect("bad cksum" not in text and "flags [DF], proto UDP" in text, f"no complaint: {text}")


@test
def the_source_port_has_the_entropy_of_the_inner_flow(w):
    ports = {}
    for flow in range(64):
        for _ in range(2):
            token = f.token()
            crosses(f.udp4(A, FAR_MAC, A_IP, FAR_IP, token, sport=1000 + flow), token, w.vm,
                    w.inside)
            ports.setdefault(flow, set()).add(outer_of(w, token).sport)
    expect(all(len(p) == 1 for p in ports.values()), "a flow keeps its source port")
    used = set().union(*ports.values())
    expect(len(used) > 32, f"64 flows use {len(used)} source ports")
    expect(min(used) >= 49152, f"the ports are in the dynamic range: {min(used)}")


@test
def frames_of_every_size_cross_unchanged_in_both_directions(w):
    for size in (60, 61, 63, 64, 65, 127, 128, 255, 256, 511, 512, 1023, 1024, 1280, 1499, 1500,
                 1513, 1514):
        for src_mac, dst_mac, src, dst in ((A, FAR_MAC, w.vm, w.inside),
                                           (FAR_MAC, A, w.inside, w.vm)):
            token = f.token()
            frame = f.plain(src_mac, dst_mac, token + os.urandom(max(0, size - 40)), 0)[:size]
            crosses(frame.ljust(size, b"."), token, src, dst, f"{size} bytes to {dst_mac}")


@test
def arp_ipv4_ipv6_and_neighbor_discovery_cross_unchanged(w):
    token = f.token()[1:]
    crosses(f.arp_request(A, A_IP, FAR_IP, token), token, w.vm, w.inside, "ARP")
    token = f.token()
    crosses(f.udp6(A, FAR_MAC, A_IP6, FAR_IP6, token), token, w.vm, w.inside, "UDP over IPv6")
    token = f.token()
    crosses(f.udp6(FAR_MAC, A, FAR_IP6, A_IP6, token), token, w.inside, w.vm, "IPv6, back")
    ns = f.neighbor_solicitation(A, A_IP6, "fd00::77")
    crosses(ns, ns, w.vm, w.inside, "a neighbor solicitation")
    token = f.token()
    crosses(f.plain(A, FAR_MAC, token), token, w.vm, w.inside, "another EtherType")


@test
def the_kernels_stacks_on_both_ends_talk_over_ipv4_and_ipv6(w):
    for target in (FAR_IP, FAR_IP6):
        text = w.a.run(f"ping -c3 -i0.05 -W2 {target}")
        expect(" 3 received" in text, text)
    text = w.far.ns.run(f"ping -c3 -i0.05 -W2 -s 1400 -M do {A_IP}")
    expect(" 3 received" in text, text)


def tcp(source, target, address):
    """One way; the bytes must arrive as they were sent."""
    blob = os.urandom(1 << 20) * (TCP_BYTES >> 20)
    seconds = transfer(source, target, address, blob)
    print(f"    {len(blob) * 8 / seconds / 1e9:.2f} Gbit/s to {address}")


@test
def sixteen_megabytes_of_tcp_arrive_whole_from_the_vm(w):
    tcp(w.a, w.far.ns, FAR_IP)


@test
def sixteen_megabytes_of_tcp_arrive_whole_at_the_vm(w):
    tcp(w.far.ns, w.a, A_IP)


@test
def tcp_over_ipv6_arrives_whole_both_ways(w):
    tcp(w.a, w.far.ns, FAR_IP6)
    tcp(w.far.ns, w.a, A_IP6)


@test
def a_tunnel_packet_with_a_udp_checksum_is_taken(w):
    token = f.token()
    inner = f.udp4(FAR_MAC, A, FAR_IP, A_IP, token)
    body = f.vxlan(RED_VNI, inner)
    packet = f.eth(w.nve.ns.mac("eth0"), w.far.ns.mac("eth0"), f.IPV4, f.ip4(
        FAR, NVE1, f.UDP, f.udp(FAR, NVE1, 50000, 4789, body)))
    w.outer.send(packet)
    equal(w.vm.wait(token, what="the inner frame"), inner, "inner frame")


@test
def a_frame_that_the_underlay_cannot_carry_is_counted_and_not_sent(w):
    w.a.run("ip link set eth0 mtu 1700")
    w.hv.ns.run("ip link set to-vm-a mtu 1700")
    w.hv.ns.run("ip link set nve1-p1 mtu 1700")
    w.nve.ns.run("ip link set p1 mtu 1700")
    largest = UNDERLAY_MTU - 36  # outer IP, UDP, VXLAN
    token = f.token()
    fits = f.plain(A, FAR_MAC, token, largest)
    w.vm.send(fits)
    o = outer_of(w, token)
    equal(o.inner, fits, "the largest frame that fits")
    equal(o.total, UNDERLAY_MTU, "outer IP length")
    with w.nve.dropping("TOO_LARGE"):
        w.vm.send(f.plain(A, FAR_MAC, f.token(), largest + 1))


@test
def what_passed_is_counted_per_tsi(w):
    before = w.nve.client.tsi(1, "p1").statistics
    for _ in range(5):
        token = f.token()
        crosses(f.plain(A, FAR_MAC, token, 100), token, w.vm, w.inside)
        token = f.token()
        crosses(f.plain(FAR_MAC, A, token, 200), token, w.inside, w.vm)
    after = w.nve.client.tsi(1, "p1").statistics
    equal(after.in_frames - before.in_frames, 5, "frames from the TSI")
    equal(after.out_frames - before.out_frames, 5, "frames to the TSI")
    if not 500 <= after.in_bytes - before.in_bytes <= 520:
        raise Failure(f"bytes from the TSI: {after.in_bytes - before.in_bytes}")
    if not 1000 <= after.out_bytes - before.out_bytes <= 1020:
        raise Failure(f"bytes to the TSI: {after.out_bytes - before.out_bytes}")


if __name__ == "__main__":
    main(build, modes=("tc", "xdp"))
