/* SPDX-License-Identifier: Apache-2.0 */
/* Frames out of a few words: Ethernet, ARP, IPv4 and IPv6 with ICMP, ND, UDP or TCP. */
#include "nvectl/frame.h"

#include <errno.h>
#include <string.h>

enum {
	ETH_LEN = 14,
	TAG_LEN = 4,
	IP4_LEN = 20,
	IP6_LEN = 40,
	UDP_LEN = 8,
	VXLAN_LEN = 8,
	LEAST = 60, /* of Ethernet, without the FCS */
	TYPE_IP4 = 0x0800,
	TYPE_ARP = 0x0806,
	TYPE_IP6 = 0x86dd,
	TYPE_TEST = 0x88b5, /* IEEE Std 802: local experiments */
	PROTO_ICMP = 1,
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	PROTO_ICMP6 = 58,
	TTL = 64,
	ND_HOPS = 255,
};

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static uint32_t add(uint32_t sum, const uint8_t *at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? at[i] : (uint32_t)at[i] << 8;
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* What is being built. */
struct build {
	const struct ctl_frame_spec *spec;
	struct nve_addr src, dst; /* with what follows from the kind */
	bool v6;
	uint8_t proto;
	uint8_t *l3, *l4;
	size_t l4_len;
};

/* Headers of layer 4, at their least. */
static size_t l4_least(const struct build *b)
{
	switch (b->proto) {
	case PROTO_TCP:
		return 20;
	case PROTO_ICMP6:
		return b->spec->kind == CTL_FRAME_ND ? 32 : 8;
	default:
		return 8;
	}
}

static void put_nd(const struct build *b)
{
	b->l4[0] = 135; /* neighbor solicitation, RFC 4861 section 4.3 */
	memcpy(b->l4 + 8, b->spec->dst.ip, 16);
	b->l4[24] = 1; /* source link-layer address, of 8 bytes */
	b->l4[25] = 1;
	memcpy(b->l4 + 26, b->src.mac, NVE_MAC_LEN);
}

static void put_l4(const struct build *b)
{
	size_t check_at = 2;
	uint32_t sum = 0;

	if (b->proto == PROTO_UDP || b->proto == PROTO_TCP) {
		put16(b->l4, b->spec->sport);
		put16(b->l4 + 2, b->spec->dport);
	}
	if (b->proto == PROTO_UDP) {
		put16(b->l4 + 4, (uint32_t)b->l4_len);
		check_at = 6;
	} else if (b->proto == PROTO_TCP) {
		b->l4[12] = 5 << 4;
		b->l4[13] = 2; /* SYN */
		put16(b->l4 + 14, 0xffff);
		check_at = 16;
	} else if (b->spec->kind == CTL_FRAME_ND) {
		put_nd(b);
	} else {
		b->l4[0] = b->v6 ? 128 : 8; /* echo request */
	}
	if (b->proto != PROTO_ICMP) { /* the pseudo header */
		sum = add(0, b->src.ip, b->v6 ? 16 : 4);
		sum = add(sum, b->dst.ip, b->v6 ? 16 : 4) + (uint32_t)b->l4_len + b->proto;
	}
	sum = fold(add(sum, b->l4, b->l4_len));
	put16(b->l4 + check_at, sum ? sum : 0xffff);
}

static void put_ip(const struct build *b)
{
	if (b->v6) {
		b->l3[0] = 0x60;
		put16(b->l3 + 4, (uint32_t)b->l4_len);
		b->l3[6] = b->proto;
		b->l3[7] = b->spec->kind == CTL_FRAME_ND ? ND_HOPS : TTL;
		memcpy(b->l3 + 8, b->src.ip, 16);
		memcpy(b->l3 + 24, b->dst.ip, 16);
		return;
	}
	b->l3[0] = 0x45;
	put16(b->l3 + 2, (uint32_t)(IP4_LEN + b->l4_len));
	b->l3[8] = TTL;
	b->l3[9] = b->proto;
	memcpy(b->l3 + 12, b->src.ip, 4);
	memcpy(b->l3 + 16, b->dst.ip, 4);
	put16(b->l3 + 10, fold(add(0, b->l3, IP4_LEN)));
}

static void put_arp(const struct build *b)
{
	const uint8_t head[8] = { 0, 1, TYPE_IP4 >> 8, 0, NVE_MAC_LEN, 4, 0, 1 };

	memcpy(b->l3, head, sizeof(head));
	memcpy(b->l3 + 8, b->src.mac, NVE_MAC_LEN);
	memcpy(b->l3 + 14, b->src.ip, 4);
	memcpy(b->l3 + 24, b->dst.ip, 4);
}

/* Addresses that follow from the others: ARP is broadcast, ND goes to the solicited node's group.
 */
static void derive(struct build *b)
{
	static const uint8_t group[13] = { 0xff, 2, [11] = 1, [12] = 0xff };

	if (b->spec->kind == CTL_FRAME_ND && b->dst.flags & NVE_ADDR_IPV6)
		memcpy(b->dst.ip, group, sizeof(group));
	if (b->dst.flags & NVE_ADDR_MAC)
		return;
	if (b->spec->kind == CTL_FRAME_ARP) {
		memset(b->dst.mac, 0xff, NVE_MAC_LEN);
	} else if (b->spec->kind == CTL_FRAME_ND) {
		b->dst.mac[0] = b->dst.mac[1] = 0x33;
		memcpy(b->dst.mac + 2, b->dst.ip + 12, 4);
	} else {
		return;
	}
	b->dst.flags |= NVE_ADDR_MAC;
}

static int check(const struct build *b, const char **why)
{
	uint16_t ips = NVE_ADDR_IPV4 | NVE_ADDR_IPV6;
	uint16_t src = b->src.flags & ips, dst = b->dst.flags & ips;
	enum ctl_frame_kind kind = b->spec->kind;

	*why = NULL;
	if (!(b->src.flags & NVE_ADDR_MAC))
		*why = "the source MAC";
	else if (!(b->dst.flags & NVE_ADDR_MAC))
		*why = "the destination MAC";
	else if ((kind != CTL_FRAME_ANY || dst) && !src)
		*why = "the source IP";
	else if ((kind != CTL_FRAME_ANY || src) && !dst)
		*why = "the destination IP";
	if (*why)
		return -EDESTADDRREQ;
	if (src != dst || (kind == CTL_FRAME_ARP && src != NVE_ADDR_IPV4) ||
	    (kind == CTL_FRAME_ND && src != NVE_ADDR_IPV6))
		return -EAFNOSUPPORT;
	return 0;
}

static uint8_t proto_of(enum ctl_frame_kind kind, bool v6)
{
	return kind == CTL_FRAME_UDP   ? PROTO_UDP
	       : kind == CTL_FRAME_TCP ? PROTO_TCP
	       : v6                    ? PROTO_ICMP6
				       : PROTO_ICMP;
}

int ctl_frame_build(const struct ctl_frame_spec *spec, struct ctl_frame *ret, const char **why)
{
	struct build b = { .spec = spec, .src = spec->src, .dst = spec->dst };
	bool arp = spec->kind == CTL_FRAME_ARP, ip;
	size_t head, least;
	int r;

	derive(&b);
	r = check(&b, why);
	if (r < 0)
		return r;
	b.v6 = b.src.flags & NVE_ADDR_IPV6;
	ip = !arp && b.src.flags & (NVE_ADDR_IPV4 | NVE_ADDR_IPV6);
	b.proto = proto_of(spec->kind, b.v6);
	head = ETH_LEN + (size_t)(ip ? b.v6 ? IP6_LEN : IP4_LEN : 0);
	least = ip ? head + l4_least(&b) : arp ? ETH_LEN + 28 : ETH_LEN;
	ret->len = spec->size ? spec->size : least > LEAST ? least : LEAST;
	if (ret->len < least || ret->len > CTL_FRAME_MAX)
		return -EMSGSIZE;
	memset(ret->bytes, 0, ret->len);
	memcpy(ret->bytes, b.dst.mac, NVE_MAC_LEN);
	memcpy(ret->bytes + NVE_MAC_LEN, b.src.mac, NVE_MAC_LEN);
	put16(ret->bytes + 2 * NVE_MAC_LEN, arp    ? TYPE_ARP
					    : !ip  ? TYPE_TEST
					    : b.v6 ? TYPE_IP6
						   : TYPE_IP4);
	b.l3 = ret->bytes + ETH_LEN;
	b.l4 = ret->bytes + head;
	/* What follows neighbor discovery would be read as options: it is padding of Ethernet. */
	b.l4_len = spec->kind == CTL_FRAME_ND ? l4_least(&b) : ret->len - head;
	if (arp)
		put_arp(&b);
	if (ip) {
		put_ip(&b);
		put_l4(&b);
	}
	return 0;
}

int ctl_frame_tag(struct ctl_frame *frame, uint16_t tci)
{
	uint8_t *at = frame->bytes + 2 * NVE_MAC_LEN;

	if (frame->len < CTL_FRAME_MIN || frame->len + TAG_LEN > CTL_FRAME_MAX)
		return -EMSGSIZE;
	memmove(at + TAG_LEN, at, frame->len - 2 * NVE_MAC_LEN);
	put16(at, 0x8100);
	put16(at + 2, tci);
	frame->len += TAG_LEN;
	return 0;
}

int ctl_frame_tunnel(struct ctl_frame *frame, const uint8_t src[4], const uint8_t dst[4],
		     uint16_t port, uint32_t vni)
{
	enum { OUTER = ETH_LEN + IP4_LEN + UDP_LEN + VXLAN_LEN, SPORT = 49152 };
	static const uint8_t to[] = { 2, 0, 0, 0, 0, 1 }, from[] = { 2, 0, 0, 0, 0, 2 };
	uint8_t *ip = frame->bytes + ETH_LEN, *udp = ip + IP4_LEN, *vxlan = udp + UDP_LEN;
	size_t inner = frame->len;

	if (inner + OUTER > CTL_FRAME_MAX)
		return -EMSGSIZE;
	memmove(frame->bytes + OUTER, frame->bytes, inner);
	memset(frame->bytes, 0, OUTER);
	frame->len += OUTER;
	memcpy(frame->bytes, to, sizeof(to));
	memcpy(frame->bytes + sizeof(to), from, sizeof(from));
	put16(frame->bytes + 2 * NVE_MAC_LEN, TYPE_IP4);
	ip[0] = 0x45;
	put16(ip + 2, (uint32_t)(frame->len - ETH_LEN));
	ip[8] = TTL;
	ip[9] = PROTO_UDP;
	memcpy(ip + 12, src, 4);
	memcpy(ip + 16, dst, 4);
	put16(ip + 10, fold(add(0, ip, IP4_LEN)));
	put16(udp, SPORT);
	put16(udp + 2, port);
	put16(udp + 4, (uint32_t)(inner + UDP_LEN + VXLAN_LEN));
	vxlan[0] = 0x08; /* the VNI is valid (RFC 7348 section 5) */
	vxlan[4] = (uint8_t)(vni >> 16);
	put16(vxlan + 5, vni);
	return 0;
}
