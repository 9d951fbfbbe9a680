# SPDX-License-Identifier: Apache-2.0
"""Ethernet frames from layers: each function returns bytes, and the payload comes last.

    eth(dst, src, IPV4, ip4(a, b, UDP, udp(1, 2, b"hello"), a, b))
"""
import ipaddress
import itertools
import struct

IPV4, ARP, VLAN, IPV6, QINQ, RARP = 0x0800, 0x0806, 0x8100, 0x86DD, 0x88A8, 0x8035
ICMP, TCP, UDP, ICMP6 = 1, 6, 17, 58
BROADCAST = "ff:ff:ff:ff:ff:ff"
EXPERIMENT = 0x88B5  # IEEE 802 local experimental EtherType: no source IP to be checked
VXLAN_PORT = 4789

_tokens = itertools.count(1)


def token():
    """Bytes that stand in no other frame of this run."""
    return b"nved-test-%08d;" % next(_tokens)


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def ip(text):
    return ipaddress.ip_address(text).packed


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def eth(dst, src, ethertype, payload):
    return mac(dst) + mac(src) + struct.pack("!H", ethertype) + payload


def tagged(frame, vid, pcp=0, tpid=VLAN):
    """The frame with an 802.1Q tag in front of its EtherType."""
    return frame[:12] + struct.pack("!HH", tpid, pcp << 13 | vid) + frame[12:]


def plain(src, dst, payload, size=60):
    """A frame of the experimental EtherType, padded to 'size' (without FCS)."""
    return eth(dst, src, EXPERIMENT, payload).ljust(size, b".")


def ip4(src, dst, proto, payload, ttl=64, ident=1):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), ident, 0x4000, ttl, proto, 0,
                       ip(src), ip(dst))
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def ip6(src, dst, next_header, payload, hops=64):
    return struct.pack("!IHBB16s16s", 6 << 28, len(payload), next_header, hops, ip(src),
                       ip(dst)) + payload


def _l4_checksum(src, dst, proto, segment):
    src, dst = ip(src), ip(dst)
    if len(src) == 4:
        pseudo = src + dst + struct.pack("!BBH", 0, proto, len(segment))
    else:
        pseudo = src + dst + struct.pack("!IHBB", len(segment), 0, 0, proto)
    return checksum(pseudo + segment)


def udp(src, dst, sport, dport, payload):
    head = struct.pack("!HHHH", sport, dport, 8 + len(payload), 0)
    check = _l4_checksum(src, dst, UDP, head + payload) or 0xFFFF
    return head[:6] + struct.pack("!H", check) + payload


def udp4(src_mac, dst_mac, src, dst, payload, sport=1111, dport=2222):
    return eth(dst_mac, src_mac, IPV4, ip4(src, dst, UDP, udp(src, dst, sport, dport, payload)))


def udp6(src_mac, dst_mac, src, dst, payload, sport=1111, dport=2222):
    return eth(dst_mac, src_mac, IPV6, ip6(src, dst, UDP, udp(src, dst, sport, dport, payload)))


def arp(op, sender_mac, sender_ip, target_mac, target_ip):
    return struct.pack("!HHBBH6s4s6s4s", 1, IPV4, 6, 4, op, mac(sender_mac), ip(sender_ip),
                       mac(target_mac), ip(target_ip))


def arp_request(src_mac, src, dst, trailer=b""):
    """Padded to 60 bytes; the trailer goes into the padding, which switches must carry along."""
    body = arp(1, src_mac, src, "00:00:00:00:00:00", dst)
    return eth(BROADCAST, src_mac, ARP, body + trailer).ljust(60, b"\0")


def icmp6(src, dst, kind, body, code=0):
    head = struct.pack("!BBH", kind, code, 0)
    return struct.pack("!BBH", kind, code, _l4_checksum(src, dst, ICMP6, head + body)) + body


def neighbor_solicitation(src_mac, src, target):
    """Sent to the solicited-node multicast address of the target."""
    low = ip(target)[13:]
    group = str(ipaddress.IPv6Address(ip("ff02::1:ff00:0")[:13] + low))
    body = b"\0\0\0\0" + ip(target) + b"\x01\x01" + mac(src_mac)
    dst_mac = "33:33:ff:%02x:%02x:%02x" % tuple(low)
    return eth(dst_mac, src_mac, IPV6, ip6(src, group, ICMP6, icmp6(src, group, 135, body), 255))


def neighbor_advertisement(src_mac, src, dst_mac, dst, target, target_mac):
    body = b"\x20\0\0\0" + ip(target) + b"\x02\x01" + mac(target_mac)
    return eth(dst_mac, src_mac, IPV6, ip6(src, dst, ICMP6, icmp6(src, dst, 136, body), 255))


def vxlan(vni, inner, flags=0x08, reserved=0):
    return struct.pack("!B3sI", flags, b"\0\0\0", vni << 8 | reserved) + inner


def tunnel(src_mac, dst_mac, src, dst, vxlan_packet, sport=50000, check=0):
    """An outer frame as another VTEP would send it: UDP checksum 0 unless given."""
    head = struct.pack("!HHHH", sport, VXLAN_PORT, 8 + len(vxlan_packet), check)
    return eth(dst_mac, src_mac, IPV4, ip4(src, dst, UDP, head + vxlan_packet))


class Outer:
    """A captured VXLAN frame, taken apart; ValueError if it is none."""

    def __init__(self, frame):
        if frame[12:14] != b"\x08\x00" or frame[23] != UDP or frame[36:38] != b"\x12\xb5":
            raise ValueError("not VXLAN over IPv4")
        self.dst_mac, self.src_mac = frame[0:6], frame[6:12]
        (self.ver_ihl, self.tos, self.total, self.ident, self.frag, self.ttl, self.proto,
         self.check, src, dst) = struct.unpack("!BBHHHBBH4s4s", frame[14:34])
        self.src, self.dst = str(ipaddress.ip_address(src)), str(ipaddress.ip_address(dst))
        self.header_ok = checksum(frame[14:34]) == 0
        self.sport, self.dport, self.udp_len, self.udp_check = struct.unpack("!HHHH", frame[34:42])
        self.flags, self.reserved1 = frame[42], frame[43:46]
        self.vni, self.reserved2 = int.from_bytes(frame[46:49], "big"), frame[49]
        self.inner = frame[50:14 + self.total]
