#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""An IPv6 underlay, and Geneve between two NVEs.

    vm-a ==hv1==[p1 nve1 eth0]--+-- wire (IPv6) --[far: kernel VXLAN over IPv6, VNI 5100]
    vm-b ==hv2==[p1 nve2 eth0]--+

RED is VXLAN with the kernel's device, BLUE is Geneve between the two NVEs (this kernel has no
Geneve device).  Passes when frames of every size cross both ways unchanged, TCP arrives whole,
the tunnel's UDP checksum is zero, and the kernel takes and answers it.
"""
import os

import frames as f
from check import equal, expect, main, test
from lab import BLUE, BLUE_VNI, RED, RED_VNI, crosses, transfer, vn

A, B, FAR_MAC, A2 = ("02:00:00:00:01:01", "02:00:00:00:02:01", "02:00:00:00:09:09",
                     "02:00:00:00:01:02")
NVE = ["2001:db8::1", "2001:db8::2"]
FAR6 = "2001:db8::9"
TCP_BYTES = 16 << 20


class World:
    pass


def vns(local):
    others = [x for x in (*NVE, FAR6) if x != local]
    blue = [(A2, "10.1.0.1", NVE[0]), (B, "10.1.0.2", NVE[1])]
    return [vn(RED, RED_VNI, "red", others, [(FAR_MAC, "10.0.0.9", FAR6)]),
            {**vn(BLUE, BLUE_VNI, "blue", [x for x in NVE if x != local],
                  [x for x in blue if x[2] != local]), "encap": "geneve", "tos": "uniform"}]


def build(lab):
    w = World()
    w.hv = [lab.hypervisor("hv1"), lab.hypervisor("hv2")]
    w.nve = [lab.nve(f"nve{i + 1}", NVE[i], {"p1": w.hv[i]}, vns(NVE[i])) for i in range(2)]
    w.far = lab.far_end("far", FAR6)
    w.inside = w.far.vn(RED_VNI, FAR_MAC, ["10.0.0.9/24", "fd00::9/64"], [NVE[0]])
    w.far.remote(RED_VNI, A, NVE[0])
    c = [n.client for n in w.nve]
    tags = [c[0].activate(1, "p1", "red", [f"{A}/10.0.0.1", f"{A}/fd00::1"]).tag,
            c[0].activate(2, "p1", "blue", [f"{A2}/10.1.0.1"]).tag,
            c[1].activate(3, "p1", "blue", [f"{B}/10.1.0.2"]).tag]
    w.a = w.hv[0].add_vm("vm-a", A, ["10.0.0.1/24", "fd00::1/64"], tags[0])
    w.a2 = w.hv[0].add_vm("vm-a2", A2, ["10.1.0.1/24"], tags[1])
    w.b = w.hv[1].add_vm("vm-b", B, ["10.1.0.2/24"], tags[2])
    w.ta, w.ta2, w.tb = (vm.tap("eth0") for vm in (w.a, w.a2, w.b))
    w.outer = w.far.ns.tap("eth0")
    return w


@test
def the_outer_packet_is_ipv6_with_a_udp_checksum_of_zero(w):
    token = f.token()
    frame = f.udp4(A, FAR_MAC, "10.0.0.1", "10.0.0.9", token)
    crosses(frame, token, w.ta, w.inside)
    packet = w.outer.wait(token, what="the tunnel packet")
    equal(packet[12:15], b"\x86\xdd\x60", "EtherType and version")
    equal((packet[20], packet[21]), (f.UDP, 64), "next header, hop limit")
    equal((packet[22:38], packet[38:54]), (f.ip(NVE[0]), f.ip(FAR6)), "addresses")
    equal(packet[56:58] + packet[60:62], b"\x12\xb5\0\0", "UDP port and checksum")
    equal(packet[16:18], packet[54:56], "flow label and source port")
    equal(packet[70:], frame, "inner frame")


@test
def frames_of_every_size_cross_unchanged_in_both_directions(w):
    for size in (60, 64, 127, 128, 511, 1024, 1499, 1514):
        for src_mac, dst_mac, src, dst in ((A, FAR_MAC, w.ta, w.inside),
                                           (FAR_MAC, A, w.inside, w.ta),
                                           (A2, B, w.ta2, w.tb), (B, A2, w.tb, w.ta2)):
            token = f.token()
            frame = f.plain(src_mac, dst_mac, token + os.urandom(max(0, size - 40)), 0)[:size]
            crosses(frame.ljust(size, b"."), token, src, dst, f"{size} bytes to {dst_mac}")


@test
def broadcasts_cross_in_both_encapsulations(w):
    token = f.token()
    crosses(f.plain(A, f.BROADCAST, token), token, w.ta, w.inside, "a VXLAN broadcast")
    token = f.token()
    crosses(f.plain(A2, f.BROADCAST, token), token, w.ta2, w.tb, "a Geneve broadcast")
    for vm, target in ((w.a, "10.0.0.9"), (w.a, "fd00::9"), (w.a2, "10.1.0.2")):
        text = vm.run(f"ping -c3 -i0.05 -W2 {target}")
        expect(" 3 received" in text, text)


@test
def tcp_arrives_whole_over_vxlan_and_geneve_in_ipv6(w):
    blob = os.urandom(1 << 20) * (TCP_BYTES >> 20)
    for source, target, address in ((w.a, w.far.ns, "10.0.0.9"), (w.far.ns, w.a, "10.0.0.1"),
                                    (w.a, w.far.ns, "fd00::9"), (w.a2, w.b, "10.1.0.2"),
                                    (w.b, w.a2, "10.1.0.1")):
        seconds = transfer(source, target, address, blob)
        print(f"    {len(blob) * 8 / seconds / 1e9:.2f} Gbit/s to {address}")


if __name__ == "__main__":
    main(build, modes=("tc", "xdp"))
