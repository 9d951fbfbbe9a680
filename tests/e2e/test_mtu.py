#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Tenants whose packets the underlay cannot carry: hosts of MTU 1500 over an underlay of 1500.

    vm-a, vm-c ==hv1==[p1 nve1 eth0]--+-- wire, MTU 1500, IPv4 and IPv6
    vm-b, vm-d ==hv2==[p1 nve2 eth0]--+

RED crosses the underlay over IPv4, BLUE over IPv6.  Passes when replies tell the MTU that fits,
Linux hosts learn it from what the NVE answers (path MTU discovery), so that TCP carries its load
and UDP is fragmented by its sender, tcpdump finds every answer right to the checksum, and answers
are counted and have a rate.
"""
import json
import os
import re

import frames as f
import netlab
from check import equal, expect, main, test
from lab import BLUE, BLUE_VNI, NVE1, NVE2, RED, RED_VNI, Bridge, transfer, vn
from netlab import Capture, wait_for

MAC = {"a": "02:00:00:00:01:01", "b": "02:00:00:00:02:01",
       "c": "02:00:00:00:01:02", "d": "02:00:00:00:02:02"}
IP = {"a": "10.0.0.1", "b": "10.0.0.2", "c": "10.1.0.1", "d": "10.1.0.2"}
IP6 = {"a": "fd00::1", "b": "fd00::2", "c": "fd01::1", "d": "fd01::2"}
NVE1_6, NVE2_6 = "2001:db8::1", "2001:db8::2"
MTU4, MTU6 = 1500 - 50, 1500 - 70
TCP_BYTES = 4 << 20


class World:
    pass


def vns(local):
    v4, v6 = (NVE2, NVE2_6) if local == NVE1 else (NVE1, NVE1_6)
    red, blue = ("b", "d") if local == NVE1 else ("a", "c")
    return [vn(RED, RED_VNI, "red", [v4], [(MAC[red], IP[red], v4), (MAC[red], IP6[red], v4)]),
            vn(BLUE, BLUE_VNI, "blue", [v6],
               [(MAC[blue], IP[blue], v6), (MAC[blue], IP6[blue], v6)]),
            vn(300, 5300, "mixed", [v4, v6]), vn(301, 5301, "alone"),
            {**vn(302, 5302, "small", [v4]), "mtu": 1400},
            {**vn(303, 5303, "boastful", [v4]), "mtu": 9000}]


def build(lab):
    w = World()
    lab.wire = Bridge("narrow", 1500, lab.mode == "xdp")
    w.hv = [lab.hypervisor("hv1"), lab.hypervisor("hv2")]
    w.nve, w.vm = [], {}
    for i, (v4, v6) in enumerate(((NVE1, NVE1_6), (NVE2, NVE2_6))):
        w.nve.append(lab.nve(f"nve{i + 1}", v4, {"p1": w.hv[i]}, vns(v4), local_vtep6=v6))
        netlab.add_address(w.nve[i].ns, "eth0", v6)
    w.c, w.reply = [n.client for n in w.nve], {}
    for number, (name, side, net) in enumerate((("a", 0, "red"), ("b", 1, "red"),
                                                ("c", 0, "blue"), ("d", 1, "blue"))):
        w.reply[name] = w.c[side].activate(number + 1, "p1", net, [
            f"{MAC[name]}/{IP[name]}", f"{MAC[name]}/{IP6[name]}"])
        w.vm[name] = w.hv[side].add_vm(f"vm-{name}", MAC[name], [
            f"{IP[name]}/24", f"{IP6[name]}/64"], w.reply[name].tag)
    for one, other in (("a", "b"), ("c", "d")):  # both hosts are known, and ways to the VTEPs
        for address in (IP[other], IP6[other]):
            wait_for(f"a way to {address}",
                     lambda: " 1 received" in w.vm[one].run(f"ping -c1 -W1 {address}", check=False))
    w.tap = w.vm["a"].tap("eth0")
    return w


def forget(w):
    """What the hosts have learned of paths."""
    for vm in w.vm.values():
        vm.run("ip route flush cache")
        vm.run("ip -6 route flush cache")


def learned(vm, address):
    found = re.search(r" mtu (\d+)", vm.run(f"ip route get {address}"))
    return int(found[1]) if found else None


@test
def replies_tell_the_mtu_that_fits_every_vtep_of_the_vn(w):
    for name, want in (("red", MTU4), ("blue", MTU6), ("mixed", MTU6), ("alone", MTU6),
                       ("small", 1400), ("boastful", MTU4)):
        equal(w.c[0].vn_connect("p1", name).mtu, want, f"MTU of {name}")
    equal({n: r.mtu for n, r in w.reply.items()}, {"a": MTU4, "b": MTU4, "c": MTU6, "d": MTU6},
          "MTU in the replies of TSIs")
    equal({v.vn_name: v.mtu for v in w.c[0].vaps()}["mixed"], MTU6, "MTU in the list of VNs")


@test
def a_ping_with_DF_is_told_the_mtu_and_the_host_learns_it(w):
    for one, other, mtu in (("a", "b", MTU4), ("c", "d", MTU6)):
        vm = w.vm[one]
        forget(w)
        text = vm.run(f"ping -c2 -i0.2 -W1 -M do -s 1472 {IP[other]}", check=False)
        expect(f"Frag needed and DF set (mtu = {mtu})" in text or f"mtu={mtu}" in text, text)
        expect(f"From {IP[other]}" in text or "local error" in text, text)
        equal(learned(vm, IP[other]), mtu, "path MTU")
        text = vm.run(f"ping -c2 -i0.2 -W1 -M do -s {mtu - 28} {IP[other]}")
        expect(" 2 received" in text, text)


@test
def an_ipv6_ping_is_told_the_mtu_and_the_host_learns_it(w):
    for one, other, mtu in (("a", "b", MTU4), ("c", "d", MTU6)):
        vm = w.vm[one]
        forget(w)
        text = vm.run(f"ping -c2 -i0.2 -W1 -M do -s 1452 {IP6[other]}", check=False)
        expect(f"mtu={mtu}" in text or f"mtu: {mtu}" in text, text)
        equal(learned(vm, IP6[other]), mtu, "path MTU")
        text = vm.run(f"ping -c2 -i0.2 -W1 -M do -s {mtu - 48} {IP6[other]}")
        expect(" 2 received" in text, text)


@test
def a_host_that_sets_no_DF_is_told_as_well_and_fragments_by_itself(w):
    vm = w.vm["a"]
    for size in (1472, 4000):
        forget(w)
        text = vm.run(f"ping -c5 -i0.2 -W1 -M dont -s {size} {IP['b']}", check=False)
        # Each of the two hosts learns it by the loss of one.
        expect(int(re.search(r"(\d+) received", text)[1]) >= 3, text)
        equal((learned(vm, IP["b"]), learned(w.vm["b"], IP["a"])), (MTU4, MTU4), "path MTU")


@test
def tcp_carries_its_load_thanks_to_what_it_is_told(w):
    blob = os.urandom(1 << 20) * (TCP_BYTES >> 20)
    for source, target in (("a", "b"), ("b", "a"), ("c", "d")):
        for address in (IP[target], IP6[target]):
            forget(w)
            before = sum(c.answers()["FRAG_NEEDED"] + c.answers()["PACKET_TOO_BIG"] for c in w.c)
            transfer(w.vm[source], w.vm[target], address, blob)
            after = sum(c.answers()["FRAG_NEEDED"] + c.answers()["PACKET_TOO_BIG"] for c in w.c)
            expect(after > before, f"TCP to {address} was told")


@test
def tcpdump_finds_the_answers_right_to_the_checksum(w):
    """Of TCP too, whose checksum a NIC was to fill in: where an answer leaves by a port that has
    no such offload, the kernel must not do so in the middle of it."""
    vm = w.vm["a"]
    forget(w)
    w.nve[0].ns.run("ethtool -K p1 tx off")
    capture = Capture(vm, "eth0", "icmp[0] == 3 or icmp6[0] == 2", "-nn -vvv -Q in")
    for address in (IP["b"], IP6["b"]):
        vm.run(f"ping -c1 -W1 -M do -s 1452 {address}", check=False)
    blob = os.urandom(1 << 20)
    forget(w)
    for address in (IP["b"], IP6["b"]):
        transfer(vm, w.vm["b"], address, blob)
    w.nve[0].ns.run("ethtool -K p1 tx on")
    text = capture.stop()
    told = re.findall(r"(?:need to frag \(mtu|packet too big, mtu) (\d+)", text)
    expect(len(told) >= 4 and set(told) == {str(MTU4)}, f"answers: {told}\n{text}")
    for line in text.splitlines():
        # The quoted TCP packet's own checksum may be unfinished; it stands behind two tabs.
        if not line.startswith("\t"):
            expect("bad cksum" not in line and "wrong" not in line, text)
    equal(len(re.findall(r"\[icmp6 sum ok\]", text)), text.count("packet too big"), "ICMPv6 sums")


@test
def the_answer_is_what_the_rfcs_say_byte_for_byte(w):
    token = f.token()
    payload = (token + os.urandom(1500))[:1472]
    for frame, quote, kind in (
            (f.udp4(MAC["a"], MAC["b"], IP["a"], IP["b"], payload[:1472]), 548, "v4"),
            (f.udp6(MAC["a"], MAC["b"], IP6["a"], IP6["b"], payload[:1452]), 1232, "v6")):
        w.tap.clear()
        w.tap.send(frame)
        quoted = frame[14:14 + quote]
        if kind == "v4":
            body = b"\3\4\0\0" + MTU4.to_bytes(4, "big") + quoted
            body = body[:2] + f.checksum(body).to_bytes(2, "big") + body[4:]
            head = bytearray(f.ip4(IP["b"], IP["a"], f.ICMP, body)[:20])
            head[1], head[4:8], head[10:12] = 0xc0, b"\0\0\0\0", b"\0\0"
            head[10:12] = f.checksum(bytes(head)).to_bytes(2, "big")
            want = f.eth(MAC["a"], MAC["b"], f.IPV4, bytes(head) + body)
        else:
            body = f.icmp6(IP6["b"], IP6["a"], 2, MTU4.to_bytes(4, "big") + quoted)
            want = f.eth(MAC["a"], MAC["b"], f.IPV6, f.ip6(IP6["b"], IP6["a"], f.ICMP6, body))
        equal(w.tap.wait(token, what="the answer"), want, f"the {kind} answer")


@test
def answers_are_counted_and_have_a_rate(w):
    frame = f.udp4(MAC["a"], MAC["b"], IP["a"], IP["b"], bytes(1472))
    before, lost = w.c[0].answers(), w.c[0].drops()["TOO_LARGE"]
    w.tap.send(*[frame] * 500)
    wait_for("500 lost frames", lambda: w.c[0].drops()["TOO_LARGE"] == lost + 500)
    diff = {k: v - before[k] for k, v in w.c[0].answers().items()}
    equal(diff["FRAG_NEEDED"] + diff["LIMITED"], 500, "answered, or over the rate")
    expect(1 <= diff["FRAG_NEEDED"] < 400, f"some were over the rate: {diff}")
    rows = json.loads(w.nve[0].ctl("answers", "-o", "json"))
    equal({r["kind"]: int(r["frames"]) for r in rows}, w.c[0].answers(), "nvectl answers")
    expect("over their rate" in w.nve[0].ctl("answers"), "nvectl says what it means")


@test
def nvectl_why_says_TOO_LARGE_and_answers_nobody(w):
    before = w.c[0].answers(), w.c[0].drops(), w.c[0].table("icmp_meter")
    text = w.nve[0].ctl("why", "--port", "p1", "--tag", str(w.reply["a"].tag), "--src",
                        f"{MAC['a']}/{IP['a']}", "--dst", f"{MAC['b']}/{IP['b']}", "--udp",
                        "--size", "1500", check=False)
    expect("TOO_LARGE" in text, text)
    w.tap.clear()
    equal((w.c[0].answers(), w.c[0].drops(), w.c[0].table("icmp_meter")), before, "what moved")


if __name__ == "__main__":
    main(build, modes=("tc", "xdp"))
