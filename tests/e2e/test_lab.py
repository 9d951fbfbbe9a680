#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The lab itself, without nved: its tools tell the truth, its checkers reject, it leaves nothing.

    vm-a, vm-b, vm-c --[hv: tag.bpf.c]==trunk==[port]

Passes when frames come out tagged as their VM is and reach no VM of another tag; taps see what
tcpdump sees; each checker fails on the case it is there to catch; and a lab that is killed in the
middle of its work leaves no namespace behind.
"""
import os
import re
import signal
import subprocess
import sys

import frames as f
from check import equal, expect, main, test
from lab import FAR, NVE1, Netns, blocked, crosses
from netlab import STATE, Capture, Failure, sh, veth, wait_for

A, B, C, FAR_MAC = ("02:00:00:00:01:01", "02:00:00:00:01:02", "02:00:00:00:01:03",
                    "02:00:00:00:09:09")
INSIDE = """
import os, sys, time
sys.path.insert(0, {!r})
import netlab
netlab.enter()
netlab.Netns("left")
print("up", os.stat("/proc/self/ns/mnt").st_ino, flush=True)
time.sleep(60)
"""


class World:
    pass


def build(lab):
    w = World()
    w.lab, w.hv, w.port_ns = lab, lab.hypervisor("hv"), Netns("port")
    veth(w.hv.ns, "trunk", w.port_ns, "port0")
    w.hv.trunk("trunk")
    w.vms = [w.hv.add_vm(f"vm-{i}", mac, [f"10.0.0.{i + 1}/24"], tag)
             for i, (mac, tag) in enumerate(((A, 100), (B, 200), (C, 100)))]
    w.taps, w.port = [vm.tap("eth0") for vm in w.vms], w.port_ns.tap("port0")
    return w


def fails(call, *args, **kw):
    try:
        call(*args, **kw)
    except Failure as e:
        return str(e)
    raise AssertionError(f"{call.__name__} did not notice")


@test
def a_vms_frames_bear_its_tag_on_the_trunk(w):
    for i, (mac, tag) in enumerate(((A, 100), (B, 200))):
        token = f.token()
        frame = f.plain(mac, FAR_MAC, token)
        crosses(frame, token, w.taps[i], w.port, as_sent=f.tagged(frame, tag))


@test
def frames_from_the_trunk_reach_the_vms_of_their_tag_alone(w):
    token = f.token()
    frame = f.plain(FAR_MAC, A, token)
    w.port.send(f.tagged(frame, 100))
    equal([w.taps[0].wait(token), w.taps[2].wait(token)], [frame, frame], "at vm-0 and vm-2")
    expect(not w.taps[1].find(token), "vm-1 has another tag")


@test
def a_double_tagged_frame_goes_through_the_switch_with_its_inner_tag(w):
    token = f.token()
    frame = f.tagged(f.plain(FAR_MAC, A, token), 7)
    w.port.send(f.tagged(frame, 100))
    equal(w.taps[0].wait(token), frame, "at the VM")


@test
def a_tap_sees_what_tcpdump_sees(w):
    capture = Capture(w.port_ns, "port0", options="-nn -e -x")
    token = f.token()
    w.taps[0].send(f.udp4(A, FAR_MAC, "10.0.0.1", "10.0.0.9", token))
    seen = w.port.wait(token)
    text = capture.stop()
    expect("vlan 100" in text, text)
    words = "".join(re.findall(r"^\s+0x[0-9a-f]+:\s+(.*)$", text, re.M)).replace(" ", "")
    expect(seen[18:].hex() in words, f"{seen.hex()} is not in:\n{text}")


@test
def the_checkers_reject(w):
    token, marker = f.token(), f.token()
    frame = f.plain(A, FAR_MAC, token)
    text = fails(crosses, frame, token, w.taps[0], w.port, timeout=0.3)
    expect("was changed" in text, text)
    text = fails(w.port.wait, b"never sent", 0.1)
    expect("did not arrive" in text, text)
    text = fails(blocked, [frame], token, w.taps[0], w.port, f.plain(A, FAR_MAC, marker), marker)
    expect("came through" in text, text)
    fails(wait_for, "nothing", lambda: False, 0.05)
    fails(equal, 1, 2)
    fails(expect, False, "no")


@test
def frames_are_built_as_the_kernel_reads_them(w):
    """The kernel's stack answers ARP, ND, and sees good checksums in UDP over both IPs."""
    w.vms[0].run("ip addr add fd00::1/64 dev eth0 nodad")
    w.port.send(f.tagged(f.arp_request(FAR_MAC, "10.0.0.9", "10.0.0.1"), 100))
    w.port.wait(f.arp(2, A, "10.0.0.1", FAR_MAC, "10.0.0.9"), what="the ARP reply")
    w.port.send(f.tagged(f.neighbor_solicitation(FAR_MAC, "fd00::9", "fd00::1"), 100))
    w.port.wait(lambda x: x[58:59] == b"\x88", what="the neighbor advertisement")
    for frame in (f.udp4(FAR_MAC, A, "10.0.0.9", "10.0.0.1", b"x"),
                  f.udp6(FAR_MAC, A, "fd00::9", "fd00::1", b"x")):
        w.port.clear()
        w.port.send(f.tagged(frame, 100))  # nobody listens: ICMP port unreachable comes back
        w.port.wait(lambda x, v6=frame[12:14] == b"\x86\xdd": x[58 if v6 else 38:][:1] ==
                    (b"\x01" if v6 else b"\x03"), what="port unreachable")


@test
def our_tunnel_packets_are_taken_by_the_kernels_vxlan_device(w):
    far, nve = w.lab.far_end(), Netns("nve")
    w.lab.wire.plug(nve, "eth0")
    inside, tap = far.vn(77, FAR_MAC, flood=[NVE1]), nve.tap("eth0")
    nve.run(f"ip addr add {NVE1}/24 dev eth0")
    token = f.token()
    inner = f.udp4(A, FAR_MAC, "10.0.0.1", "10.0.0.9", token)
    tap.send(f.tunnel(nve.mac("eth0"), far.ns.mac("eth0"), NVE1, FAR, f.vxlan(77, inner)))
    equal(inside.wait(token), inner, "inner frame")
    token = f.token()
    frame = f.plain(FAR_MAC, f.BROADCAST, token)
    inside.send(frame)
    outer = f.Outer(tap.wait(token))
    equal((outer.vni, outer.inner, outer.src, outer.dst), (77, frame, FAR, NVE1), "outer")


def mount_namespaces():
    return sh("lsns -t mnt -n -o NS").split()


@test
def a_lab_that_is_killed_leaves_nothing(w):
    env = {k: v for k, v in os.environ.items() if k != "NVED_LAB"}
    with open(f"{STATE}/left.py", "w", encoding="utf-8") as script:
        script.write(INSIDE.format(os.path.dirname(os.path.abspath(__file__))))
    child = subprocess.Popen([sys.executable, f"{STATE}/left.py"],
                             stdout=subprocess.PIPE, text=True, env=env)
    line = child.stdout.readline()
    expect(line.startswith("up"), line)
    # Its mount namespace holds all the others, and the pins.
    inode = line.split()[1]
    expect(inode in mount_namespaces(), "it is seen while it lives")
    child.send_signal(signal.SIGKILL)
    child.wait(5)
    wait_for("its namespaces to go", lambda: inode not in mount_namespaces())
    expect(not os.path.exists("/run/netns/left"), "its namespace shows in ours")


if __name__ == "__main__":
    main(build)
