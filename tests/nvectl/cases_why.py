# SPDX-License-Identifier: Apache-2.0
"""nvectl why: the frames it makes, and how it shows the answer.  scapy says what a frame is."""

import logging
import struct

from harness import *  # noqa: F403 - every case uses most of it

logging.getLogger("scapy.runtime").setLevel(logging.ERROR)
from scapy.layers.inet import ICMP, IP, TCP, UDP  # noqa: E402
from scapy.layers.inet6 import (  # noqa: E402
    ICMPv6EchoRequest, ICMPv6ND_NS, ICMPv6NDOptSrcLLAddr, IPv6)
from scapy.layers.l2 import ARP, Dot1Q, Ether  # noqa: E402
from scapy.layers.vxlan import VXLAN  # noqa: E402

A, B = "02:00:00:00:00:01", "02:00:00:00:00:02"
FOUR = ("--src", A + "/10.0.0.1", "--dst", B + "/10.0.0.2")
SIX = ("--src", A + "/fd00::1", "--dst", B + "/fd00::2")


def frame(far, *args):
    """The frame that nvectl asks about, and the requests it sent before."""
    far.requests.clear()
    ok("why", "--port", "p1", *args)
    assert far.requests[-1][0] == "Why" and far.requests[-1][1].port == "p1", far.requests
    return far.requests[-1][1].frame, [name for name, _ in far.requests[:-1]]


def parsed(far, *args):
    """The same through scapy.  Built anew with all sums and lengths left out, it is the same."""
    raw, _ = frame(far, *args)
    got = Ether(raw)
    again = Ether(raw)
    for layer, fields in ((IP, ("chksum", "len")), (UDP, ("chksum", "len")), (TCP, ("chksum",)),
                          (ICMP, ("chksum",)), (IPv6, ("plen",)), (ICMPv6EchoRequest, ("cksum",)),
                          (ICMPv6ND_NS, ("cksum",))):
        if layer in again:
            for name in fields:
                delattr(again[layer], name)
    same(bytes(again), raw)
    return got


@test
def an_echo_request_is_the_frame_between_two_ips(far):
    got = parsed(far, *FOUR)
    same((got.src, got.dst, got[IP].src, got[IP].dst, got[ICMP].type, len(got)),
         (A, B, "10.0.0.1", "10.0.0.2", 8, 60))
    got = parsed(far, *SIX, "--icmp", "--size", "500")
    same((got[IPv6].src, got[ICMPv6EchoRequest].type, len(got)), ("fd00::1", 128, 500))


@test
def udp_and_tcp_have_their_ports_and_sizes(far):
    for addrs in (FOUR, SIX):
        got = parsed(far, *addrs, "--udp", "--sport", "5", "--dport", "53", "--size", "1514")
        same((got[UDP].sport, got[UDP].dport, len(got)), (5, 53, 1514))
        got = parsed(far, *addrs, "--tcp", "--size", "101")
        same((got[TCP].sport, got[TCP].dport, str(got[TCP].flags)), (40000, 80, "S"))


@test
def arp_and_neighbor_solicitations_ask_for_the_destination(far):
    got = parsed(far, "--src", A + "/10.0.0.1", "--dst", "10.0.0.2", "--arp")
    same((got.dst, got[ARP].op, got[ARP].hwsrc, got[ARP].psrc, got[ARP].pdst),
         ("ff:ff:ff:ff:ff:ff", 1, A, "10.0.0.1", "10.0.0.2"))
    got = parsed(far, "--src", A + "/fd00::1", "--dst", "fd00::12:3456", "--nd")
    same((got.dst, got[IPv6].dst, got[IPv6].hlim), ("33:33:ff:12:34:56", "ff02::1:ff12:3456", 255))
    same((got[ICMPv6ND_NS].tgt, got[ICMPv6NDOptSrcLLAddr].lladdr), ("fd00::12:3456", A))


@test
def macs_alone_are_a_frame_of_the_experimental_type(far):
    got = parsed(far, "--src", A, "--dst", B)
    same((got.type, len(got)), (0x88b5, 60))


@test
def the_tag_is_given_or_the_vns_on_that_port(far):
    plain, asked = frame(far, *FOUR)
    same(asked, [])
    raw, asked = frame(far, *FOUR, "--tag", "77")
    same((Ether(raw)[Dot1Q].vlan, raw[:12] + raw[16:], asked), (77, plain, []))
    raw, asked = frame(far, *FOUR, "--vn", "blue")
    same((Ether(raw)[Dot1Q].vlan, raw[:12] + raw[16:], asked), (10, plain, ["ListVns"]))
    same(far.requests[0][1], NVE.ListVnsRequest(port="p1", vn=NVE.VnRef(name="blue")))
    far.answers["ListVns"] = []
    got = nvectl("why", "--port", "p1", *FOUR, "--vn", "blue")
    same((got.rc, got.out), (1, ""))
    assert "VN_NOT_CONNECTED" in got.err and "blue" in got.err, got.err


@test
def a_tunnel_goes_from_the_vtep_to_this_nve(far):
    plain, _ = frame(far, *FOUR)
    for words, vni, port in ((("--vni", "16777215"), 16777215, 4789),
                             (("--vn", "100", "--vxlan-port", "8472"), 5000, 8472)):
        raw, asked = frame(far, *FOUR, "--vtep", "192.0.2.2", *words)
        assert "GetStatus" in asked, asked
        got = Ether(raw)
        same((got[IP].src, got[IP].dst, got[UDP].dport, got[UDP].chksum, raw[50:]),
             ("192.0.2.2", "192.0.2.1", port, 0, plain))
        inner = VXLAN(raw[42:])
        same((inner.vni, inner.flags.value), (vni, 8))
        sums = Ether(raw)
        del sums[IP].chksum, sums[IP].len, sums[UDP].len
        same(bytes(sums), raw)


@test
def hex_and_pcap_records_are_taken_as_they_are(far):
    want = bytes(range(60))
    for text in (want.hex(), want.hex(" "), want.hex(":").upper()):
        same(frame(far, "--hex", text)[0], want)
    records = [bytes([i]) * (100 + i) for i in range(3)]
    for magic, order in ((0xa1b2c3d4, "<"), (0xa1b2c3d4, ">"), (0xa1b23c4d, "<")):
        path = pcap(records, magic, order)
        same(frame(far, "--pcap", path)[0], records[0])
        same(frame(far, "--pcap", path, "--record", "3")[0], records[2])
    same(Ether(frame(far, "--pcap", path, "--tag", "9")[0]).type, 0x8100)
    long = bytes(9216)
    same(frame(far, "--pcap", pcap([long]))[0], long)


def pcap(records, magic=0xa1b2c3d4, order="<", link=1, whole=True):
    path = os.path.join(TMP, "frames.pcap")
    with open(path, "wb") as out:
        out.write(struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, link))
        for r in records:
            out.write(struct.pack(order + "IIII", 1, 2, len(r), len(r) + (not whole)) + r)
    return path


@test
def captures_that_cannot_be_used_say_why(far):
    one = bytes(60)
    short = os.path.join(TMP, "cut.pcap")
    cases = [(pcap([one]), "2", "no record 2"), ("/no/such/file", "1", "no such file"),
             (TMP, "1", "no pcap"), ("/dev/null", "1", "no pcap"),
             (pcap([one]), "0", "from 1")]
    for path, record, text in cases:
        wrong(far, text, "--pcap", path, "--record", record)
    wrong(far, "not captured on Ethernet", "--pcap", pcap([one], link=101))
    wrong(far, "in part", "--pcap", pcap([one], whole=False))
    wrong(far, "in part", "--pcap", pcap([bytes(9217)]))
    wrong(far, "in part", "--pcap", pcap([bytes(13)]))
    with open(pcap([one, one]), "rb") as file:
        data = file.read()
    for cut, record, text in ((len(data) - 1, "2", "cut or broken"), (24 + 16 + 10, "2", "cut or"),
                              (24 + 8, "1", "cut or"), (23, "1", "no pcap")):
        with open(short, "wb") as out:
            out.write(data[:cut])
        wrong(far, text, "--pcap", short, "--record", record)
    with open(short, "wb") as out:
        out.write(data[:32] + b"\xff\xff\xff\x7f" * 2 + data[40:])
    wrong(far, "cut or broken", "--pcap", short)


def wrong(far, text, *args):
    far.requests.clear()
    got = nvectl("why", "--port", "p1", *args)
    same((got.rc, got.out), (2, ""))
    assert text in got.err, (args, got.err)
    assert "Why" not in [name for name, _ in far.requests]


@test
def wrong_frames_are_refused_before_anything_is_sent(far):
    for text, args in (
            ("source MAC", ()), ("destination MAC", ("--src", A)),
            ("destination MAC", ("--src", A, "--dst", "10.0.0.2")),
            ("source IP", ("--src", A, "--dst", B + "/10.0.0.2")),
            ("destination IP", ("--src", A + "/10.0.0.1", "--dst", B, "--udp")),
            ("go together", (*FOUR[:2], *SIX[2:])), ("go together", (*FOUR, "--nd")),
            ("go together", (*SIX, "--arp")), ("at most", (*FOUR, "--udp", "--tcp")),
            ("too small", (*FOUR, "--size", "41")), ("at most 9216", (*FOUR, "--size", "9217")),
            ("too long for a tag", (*FOUR, "--size", "9213", "--tag", "1")),
            ("too long for a tunnel", (*FOUR, "--size", "9167", "--vtep", "192.0.2.2", "--vni",
                                       "1")),
            ("at most 65535", (*FOUR, "--dport", "65536")), ("no number", (*FOUR, "--size", "x")),
            ("at most 4094", (*FOUR, "--tag", "4095")), ("not both", (*FOUR, "--tag", "1", "--vn",
                                                                      "1")),
            ("needs --vn or --vni", (*FOUR, "--vtep", "192.0.2.2")),
            ("no IPv4", (*FOUR, "--vtep", "fd00::9", "--vni", "1")),
            ("go with --vtep", (*FOUR, "--vni", "1")), ("goes with --pcap", (*FOUR, "--record",
                                                                             "1")),
            ("is for frames that are built", ("--hex", "00" * 60, "--size", "60")),
            ("not both", ("--hex", "00" * 60, "--pcap", "x")), ("hex digits", ("--hex", "0")),
            ("hex digits", ("--hex", "zz" * 60)), ("14 to 9216", ("--hex", "00" * 13)),
            ("14 to 9216", ("--hex", "00" * 9217)), ("is no MAC", ("--src", "x", "--dst", B))):
        wrong(far, text, *args)
    assert "--port" in nvectl("why", *FOUR).err


@test
def a_forwarded_frame_is_shown_with_its_way_and_rows(far):
    same(ok("why", "-p", "p1", *FOUR).lines,
         ["forwarded through up to VTEP 192.0.2.2, as 110 bytes",
          "by xdp_access, then tc_access",
          "TABLE  KEY                ROW",
          "src    ifindex 5, vid 10  tsi 3",
          "fdb    vn_id 100          none"])


@test
def other_verdicts_are_told_in_a_line(far):
    steps = [NVE.WhyStep(table="vap", key='{"port":0,"vid":10}', value='{"vn_id":1}', copy="sent"),
             NVE.WhyStep(table="vtep", key='{"vtep":1}', value='{"mtu":60}', copy="TOO_LARGE")]
    for reply, lines in (
            (dict(verdict="VERDICT_DROPPED", reason="SRC_MAC", text="not\x1bhis"),
             ["dropped for SRC_MAC: not?his"]),
            (dict(verdict="VERDICT_TO_HOST"), ["left to the NVE's own IP stack"]),
            (dict(verdict="VERDICT_FORWARDED", out_ifname="eth7", out_len=60),
             ["forwarded through eth7, as 60 bytes"]),
            (dict(verdict="VERDICT_ANSWERED", out_port="p1", out_len=46),
             ["answered by the NVE, through p1, with 46 bytes"]),
            (dict(verdict=77), ["verdict 77"]),
            (dict(verdict="VERDICT_FLOODED", steps=steps),
             ["flooded: 1 of 2 copies", "by tc_access", "TABLE  KEY             COPY       ROW",
              "vap    port 0, vid 10  sent       vn_id 1",
              "vtep   vtep 1          TOO_LARGE  mtu 60"])):
        far.answers["Why"] = NVE.WhyReply(programs=["tc_access"], **reply)
        same(ok("why", "-p", "p1", *FOUR).lines[:len(lines)], lines)


@test
def the_answer_in_json_has_rows_as_objects_and_the_frame_in_hex(far):
    got = ok("why", "-p", "p1", *FOUR, "-o", "json").json
    same(set(got), {f.name for f in NVE.WhyReply.DESCRIPTOR.fields})
    same((got["verdict"], got["out_vtep"], got["out_frame"]),
         ("VERDICT_FORWARDED", "192.0.2.2", bytes(range(110)).hex()))
    same(got["steps"], [{"table": "src", "key": {"ifindex": 5, "vid": 10}, "value": {"tsi": 3},
                         "copy": ""},
                        {"table": "fdb", "key": {"vn_id": 100}, "value": "", "copy": ""}])
    far.answers["Why"].out_frame = bytes(9266)
    same(ok("why", "-p", "p1", *FOUR, "-o", "json").json["out_frame"], "00" * 9266)
