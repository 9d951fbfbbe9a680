/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The answer to a packet that the underlay cannot carry: ICMP fragmentation-needed (RFC 792, RFC
 * 1191) or ICMPv6 packet-too-big (RFC 4443) to its sender, in the place of the frame, which is lost
 * and counted as TOO_LARGE all the same.  The NVE never fragments.
 *
 * - Also for IPv4 packets without DF.  A router would fragment those (RFC 791); RFC 1191 asks for
 *   the answer where DF is set, and does not forbid it elsewhere.  The tenant was told the MTU, as
 *   of a link; whoever did not hear it would send into a black hole, and with the answer its host
 *   fragments by itself.
 * - Its source is the address that the packet was for: an NVE that bridges has no address in the
 *   VN, and this is one that the sender has a way to, that its filters know, and that comes from
 *   the MAC address where it lives.
 * - None for ICMP errors, broadcast and multicast, packets of which this cannot be told (fragments
 *   but the first, too long chains of headers), and sources that are no host's (RFC 1122 section
 *   3.2.2, RFC 4443 section 2.4 (e)).  Packet-too-big may answer multicast, but not without an
 *   address of its own.
 * - None for frames that are flooded: each copy may meet another MTU.
 * - At a rate of each TSI's own (RFC 1812 section 4.3.2.8, RFC 4443 section 2.4 (f)), so that none
 *   takes from the others what path MTU discovery needs.
 *
 * Two global functions, which the verifier looks at once, not once for each way that leads there;
 * they read and write by helper, for in TC the packet is seldom linear.
 */
#pragma once

#include "forward.h"
#include "meter.h"

enum {
	NVE_TOO_BIG_HEAD = 96,   /* bytes of the packet that are looked at; then, of each piece */
	NVE_TOO_BIG_PIECES = 14, /* of what is quoted, at most */
	NVE_TOO_BIG_AT = sizeof(struct nve_eth) + NVE_VLAN_HLEN, /* the packet, behind the tag */
	NVE_TOO_BIG_MAX4 = 576,  /* of the answer (RFC 1812 section 4.3.2.3) */
	NVE_TOO_BIG_MAX6 = 1280, /* (RFC 4443 section 2.4 (c)) */
	NVE_TOO_BIG_LEAST = 68,  /* there is no smaller MTU (RFC 791) */
	NVE_TOO_BIG_TOS = 0xc0,  /* internetwork control (RFC 1812 section 4.3.2.5) */
	NVE_TOO_BIG_TTL = 64,
};

/* Of both versions; in the fourth the MTU has but the lower half, and the upper is 0. */
struct nve_icmp_error {
	__u8 type;
	__u8 code;
	__u16 check;
	__be32 mtu;
};

struct nve_too_big4 {
	struct nve_ip4 ip;
	struct nve_icmp_error icmp;
};

struct nve_too_big6 {
	struct nve_ip6 ip;
	struct nve_icmp_error icmp;
};

struct nve_too_big {
	__u32 mtu;   /* what a tenant's packet may have */
	__u32 len;   /* of the packet, as far as it is in the frame */
	__u32 quote; /* bytes of it in the answer */
	__u32 hlen;  /* of the answer's IP and ICMP headers */
	__u64 sum;   /* over what is quoted */
	__u8 ip6;
	__u8 gso;
	__u8 failed;
	__u8 pad;
	__u8 eth[2 * NVE_ETH_ALEN]; /* the two MAC addresses, and in XDP */
	__u8 tag[8];                /* tag and EtherType */
	union {
		__u64 align;
		struct nve_too_big4 out4; /* those headers */
		struct nve_too_big6 out6;
	};
	union {
		__u64 words[NVE_TOO_BIG_HEAD / 8];
		__u8 head[NVE_TOO_BIG_HEAD]; /* of the packet; afterwards each piece of it */
	};
};

/* One at a time on each CPU.  Not on the stack, which is the callers'. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nve_too_big);
} nve_too_big SEC(".maps");

static __always_inline void nve_too_big_zero(struct nve_too_big *t)
{
#pragma unroll
	for (int i = 0; i < NVE_TOO_BIG_HEAD / 8; i++)
		t->words[i] = 0;
}

static __always_inline struct nve_too_big *nve_too_big_new(__u32 mtu)
{
	__u32 zero = 0;
	struct nve_too_big *t = bpf_map_lookup_elem(&nve_too_big, &zero);

	if (!t)
		return NULL;
	t->mtu = mtu;
	t->sum = 0;
	t->failed = 0;
	nve_too_big_zero(t);
	return t;
}

static __always_inline __u64 nve_too_big_sum(void *at, __u32 len)
{
	return (__u32)bpf_csum_diff(NULL, 0, at, len, 0);
}

/* 'n' is not 0.  The verifier is to see both bounds; that of 6.1 learns none from a test for 0. */
static __always_inline __u32 nve_too_big_fit(__u32 n)
{
	n--;
	barrier_var(n);
	if (n > NVE_TOO_BIG_HEAD - 1)
		n = NVE_TOO_BIG_HEAD - 1;
	barrier_var(n);
	return n + 1;
}

/* --- which packets are answered --------------------------------------------------------------- */

/* One host's, and one that may stand on a wire. */
static __always_inline bool nve_too_big_host4(__be32 addr)
{
	__u32 first = bpf_ntohl(addr) >> 24;

	return first && first != 127 && first < 224;
}

static __always_inline bool nve_too_big_host6(const __u8 *addr)
{
	const nve_u64 *x = (const void *)addr;

	return addr[0] != 0xff && (x[0] || bpf_be64_to_cpu(x[1]) > 1);
}

static __always_inline bool nve_too_big_asks4(struct nve_too_big *t)
{
	const struct nve_ip4 *ip = (const void *)t->head;
	__u32 hlen = (ip->version_ihl & 15) * 4, len = bpf_ntohs(ip->tot_len);
	__u8 type;

	/* The length of a frame not yet segmented is filled in later. */
	if (t->gso || len > t->len)
		len = t->len;
	if (ip->version_ihl >> 4 != 4 || hlen < sizeof(*ip) || len < hlen + 8 || len <= t->mtu)
		return false;
	if (!nve_too_big_host4(ip->saddr) || !nve_too_big_host4(ip->daddr) ||
	    ip->frag_off & NVE_IP4_OFFSET)
		return false;
	t->quote = NVE_TOO_BIG_MAX4 - sizeof(struct nve_too_big4);
	if (len < t->quote)
		t->quote = len;
	if (ip->protocol != IPPROTO_ICMP)
		return true;
	type = t->head[hlen];
	return type != NVE_ICMP_UNREACHABLE && type != NVE_ICMP_SOURCE_QUENCH &&
	       type != NVE_ICMP_REDIRECT && type != NVE_ICMP_TIME_EXCEEDED &&
	       type != NVE_ICMP_PARAMETER;
}

/* As nve_type_behind() of filter_nd.h. */
static __always_inline bool nve_too_big_is_ext(__u8 kind)
{
	return !kind || kind == 43 || kind == 44 || kind == 60 || kind == 135 || kind == 139 ||
	       kind == 140;
}

/* Walks the extension headers: is there no ICMPv6 error behind them? */
static __always_inline bool nve_too_big_no_error6(const struct nve_too_big *t)
{
	const struct nve_ip6 *ip = (const void *)t->head;
	__u32 at = sizeof(*ip);
	__u8 kind = ip->nexthdr;

	for (int i = 0; i < NVE_EXT_MAX && nve_too_big_is_ext(kind); i++) {
		const struct nve_ip6_ext *ext = (const void *)t->head + at;

		barrier_var(at); /* what is bounded is what is used */
		if (at > NVE_TOO_BIG_HEAD - sizeof(*ext))
			return false;
		if (kind == 44 && ext->frag_off & NVE_IP6_OFFSET)
			return false;
		at += kind == 44 ? sizeof(*ext) : (ext->len + 1) * 8;
		kind = ext->nexthdr;
	}
	barrier_var(at);
	if (nve_too_big_is_ext(kind) || at >= NVE_TOO_BIG_HEAD)
		return false;
	return kind != NVE_IPPROTO_ICMP6 ||
	       (t->head[at] >= NVE_ICMP6_INFO && t->head[at] != NVE_ND_REDIRECT);
}

static __always_inline bool nve_too_big_asks6(struct nve_too_big *t)
{
	const struct nve_ip6 *ip = (const void *)t->head;
	__u32 len = bpf_ntohs(ip->payload_len) + sizeof(*ip);

	if (t->gso || len > t->len)
		len = t->len;
	if (t->head[0] >> 4 != 6 || len <= t->mtu || len < sizeof(*ip))
		return false;
	t->quote = NVE_TOO_BIG_MAX6 - sizeof(struct nve_too_big6);
	if (len < t->quote)
		t->quote = len;
	return nve_too_big_host6(ip->saddr) && nve_too_big_host6(ip->daddr) &&
	       nve_too_big_no_error6(t);
}

static __always_inline bool nve_too_big_rate(__u32 tsi)
{
	__u32 key = tsi % NVE_ICMP_METERS;
	struct nve_meter *meter = bpf_map_lookup_elem(&nve_icmp_meter, &key);

	if (meter && nve_meter_pass(meter, 1))
		return true;
	nve_count_answer(NVE_ANSWER_LIMITED);
	return false;
}

/* Whether the packet is answered; if so, 'quote' is set. */
static __always_inline bool nve_too_big_asks(struct nve_too_big *t, __u32 tsi)
{
	if (t->mtu < NVE_TOO_BIG_LEAST || !(t->ip6 ? nve_too_big_asks6(t) : nve_too_big_asks4(t)))
		return false;
	return nve_too_big_rate(tsi);
}

/* --- what they are answered ------------------------------------------------------------------- */

static __always_inline void nve_too_big_count(const struct nve_too_big *t)
{
	nve_count_answer(t->ip6 ? NVE_ANSWER_PACKET_TOO_BIG : NVE_ANSWER_FRAG_NEEDED);
}

/* The two MAC addresses change places. */
static __always_inline void nve_too_big_swap(__u8 *eth)
{
	__u8 mac[NVE_ETH_ALEN];

	nve_mac_copy(mac, eth);
	nve_mac_copy(eth, eth + NVE_ETH_ALEN);
	nve_mac_copy(eth + NVE_ETH_ALEN, mac);
}

/* Headers with checksums that do not cover what is quoted yet. */
static __always_inline void nve_too_big_write4(struct nve_too_big *t)
{
	const struct nve_ip4 *ip = (const void *)t->head;

	t->hlen = sizeof(t->out4);
	t->out4 = (struct nve_too_big4){
		.ip = { .version_ihl = 0x45,
			.tos = NVE_TOO_BIG_TOS,
			.tot_len = bpf_htons(sizeof(t->out4) + t->quote),
			.ttl = NVE_TOO_BIG_TTL,
			.protocol = IPPROTO_ICMP,
			.saddr = ip->daddr,
			.daddr = ip->saddr },
		.icmp = { .type = NVE_ICMP_UNREACHABLE,
			  .code = NVE_ICMP_FRAG_NEEDED,
			  .mtu = bpf_htonl(t->mtu) },
	};
	t->out4.ip.check = ~nve_fold(nve_too_big_sum(&t->out4.ip, sizeof(t->out4.ip)));
}

static __always_inline void nve_too_big_write6(struct nve_too_big *t)
{
	const nve_u64 *from = (const void *)((const struct nve_ip6 *)t->head)->saddr;
	nve_u64 *to = (void *)t->out6.ip.saddr;

	t->hlen = sizeof(t->out6);
	t->out6 = (struct nve_too_big6){
		.ip = { .version_flow = bpf_htonl(6 << 28),
			.payload_len = bpf_htons(sizeof(t->out6.icmp) + t->quote),
			.nexthdr = NVE_IPPROTO_ICMP6,
			.hop_limit = NVE_TOO_BIG_TTL },
		.icmp = { .type = NVE_ICMP6_TOO_BIG, .mtu = bpf_htonl(t->mtu) },
	};
	to[0] = from[2];
	to[1] = from[3];
	to[2] = from[0];
	to[3] = from[1];
}

static __always_inline void nve_too_big_write(struct nve_too_big *t)
{
	if (t->ip6)
		nve_too_big_write6(t);
	else
		nve_too_big_write4(t);
}

/* The ICMP checksum; of ICMPv6 over a pseudo header too. */
static __always_inline void nve_too_big_check(struct nve_too_big *t)
{
	__u64 sum = t->sum;

	if (t->ip6)
		t->out6.icmp.check =
			~nve_fold(sum + bpf_htonl(sizeof(t->out6.icmp) + t->quote) +
				  bpf_htonl(NVE_IPPROTO_ICMP6) +
				  nve_too_big_sum(t->out6.ip.saddr, 2 * sizeof(t->out6.ip.saddr)) +
				  nve_too_big_sum(&t->out6.icmp, sizeof(t->out6.icmp)));
	else
		t->out4.icmp.check =
			~nve_fold(sum + nve_too_big_sum(&t->out4.icmp, sizeof(t->out4.icmp)));
}

/* What bpf_loop() calls for each piece of what is quoted. */
struct nve_too_big_run {
	void *ctx;
	struct nve_too_big *t;
};

/* The length of piece 'i', 0 behind the last.  Room for it is made, with zeros behind it. */
static __always_inline __u32 nve_too_big_piece(struct nve_too_big *t, __u32 i)
{
	__u32 left = t->quote - i * NVE_TOO_BIG_HEAD;

	if (i * NVE_TOO_BIG_HEAD >= t->quote)
		return 0;
	nve_too_big_zero(t);
	return nve_too_big_fit(left);
}

/* --- XDP: the frame's end is cut off, and its start moved by the new headers. ----------------- */

static __always_inline bool nve_xdp_too_big_load(struct xdp_md *ctx, struct nve_too_big *t)
{
	__u32 len = ctx->data_end - ctx->data, n;
	__be16 proto;

	n = len - NVE_TOO_BIG_AT;
	if (len <= NVE_TOO_BIG_AT ||
	    bpf_xdp_load_bytes(ctx, NVE_TOO_BIG_AT - 2, &proto, sizeof(proto)))
		return false;
	t->len = n;
	t->ip6 = proto == NVE_P_IP6;
	if (!t->ip6 && proto != NVE_P_IP4)
		return false;
	n = nve_too_big_fit(n);
	return !bpf_xdp_load_bytes(ctx, NVE_TOO_BIG_AT, t->head, n);
}

static long nve_xdp_too_big_read(__u32 i, struct nve_too_big_run *run)
{
	struct nve_too_big *t = run->t;
	__u32 n = nve_too_big_piece(t, i);

	if (!n)
		return 1;
	if (bpf_xdp_load_bytes(run->ctx, NVE_TOO_BIG_AT + i * NVE_TOO_BIG_HEAD, t->head, n)) {
		t->failed = 1;
		return 1;
	}
	t->sum += nve_too_big_sum(t->head, NVE_TOO_BIG_HEAD);
	return 0;
}

static __always_inline bool nve_xdp_too_big_write(struct xdp_md *ctx, struct nve_too_big *t)
{
	struct nve_too_big_run run = { ctx, t };

	bpf_loop(NVE_TOO_BIG_PIECES, nve_xdp_too_big_read, &run, 0);
	nve_too_big_check(t);
	if (t->failed || bpf_xdp_load_bytes(ctx, 0, t->eth, NVE_TOO_BIG_AT))
		return false;
	nve_too_big_swap(t->eth);
	if (bpf_xdp_adjust_tail(ctx, (int)(t->quote - t->len)) ||
	    bpf_xdp_adjust_head(ctx, -(int)t->hlen) ||
	    bpf_xdp_store_bytes(ctx, 0, t->eth, NVE_TOO_BIG_AT))
		return false;
	return t->ip6 ? !bpf_xdp_store_bytes(ctx, NVE_TOO_BIG_AT, &t->out6, sizeof(t->out6))
		      : !bpf_xdp_store_bytes(ctx, NVE_TOO_BIG_AT, &t->out4, sizeof(t->out4));
}

/*
 * Makes the frame, as it came in, the answer to itself.  1: it is one; 0: none is due, and the
 * frame is to be dropped, whatever it is now.
 */
__noinline int nve_xdp_too_big(struct xdp_md *ctx, __u32 mtu, __u32 tsi)
{
	struct nve_too_big *t = nve_too_big_new(mtu);

	if (!t || !nve_xdp_too_big_load(ctx, t) || !nve_too_big_asks(t, tsi))
		return 0;
	nve_too_big_write(t);
	if (!nve_xdp_too_big_write(ctx, t))
		return 0;
	nve_too_big_count(t);
	return 1;
}

/* --- TC: the tag is beside the frame, and offloads are dropped on the way. -------------------- */

static __always_inline bool nve_tc_too_big_load(struct __sk_buff *skb, struct nve_too_big *t)
{
	__u32 n = skb->len - sizeof(struct nve_eth);

	if (skb->len <= sizeof(struct nve_eth))
		return false;
	t->len = n;
	t->gso = skb->gso_size;
	t->ip6 = skb->protocol == NVE_P_IP6;
	if (!t->ip6 && skb->protocol != NVE_P_IP4)
		return false;
	n = nve_too_big_fit(n);
	return !bpf_skb_load_bytes(skb, sizeof(struct nve_eth), t->head, n);
}

/* Copies a piece to behind all that is quoted and the new headers. */
static long nve_tc_too_big_copy(__u32 i, struct nve_too_big_run *run)
{
	struct nve_too_big *t = run->t;
	__u32 at = sizeof(struct nve_eth) + i * NVE_TOO_BIG_HEAD, n = nve_too_big_piece(t, i);

	if (!n)
		return 1;
	if (bpf_skb_load_bytes(run->ctx, at, t->head, n) ||
	    bpf_skb_store_bytes(run->ctx, at + t->quote + t->hlen, t->head, n,
				BPF_F_RECOMPUTE_CSUM)) {
		t->failed = 1;
		return 1;
	}
	t->sum += nve_too_big_sum(t->head, NVE_TOO_BIG_HEAD);
	return 0;
}

/*
 * A frame whose TCP or UDP checksum is yet to be filled in would have that filled in behind the
 * ICMP header.  No helper says that there is none, but the kernel forgets it when the bytes where
 * it begins are taken out of the frame.  So the answer is written behind the packet, which is then
 * taken out.  bpf_skb_change_tail() makes the frame linear, and one that is not to be segmented.
 */
static __always_inline bool nve_tc_too_big_write(struct __sk_buff *skb, struct nve_too_big *t)
{
	__u32 at = sizeof(struct nve_eth) + t->quote;
	struct nve_too_big_run run = { skb, t };
	long r;

	if (bpf_skb_change_tail(skb, at + t->hlen + t->quote, 0))
		return false;
	bpf_loop(NVE_TOO_BIG_PIECES, nve_tc_too_big_copy, &run, 0);
	nve_too_big_check(t);
	if (t->failed)
		return false;
	if (t->ip6)
		r = bpf_skb_store_bytes(skb, at, &t->out6, sizeof(t->out6), BPF_F_RECOMPUTE_CSUM);
	else
		r = bpf_skb_store_bytes(skb, at, &t->out4, sizeof(t->out4), BPF_F_RECOMPUTE_CSUM);
	if (r || bpf_skb_adjust_room(skb, -(int)t->quote, BPF_ADJ_ROOM_MAC, 0) ||
	    bpf_skb_load_bytes(skb, 0, t->eth, sizeof(t->eth)))
		return false;
	nve_too_big_swap(t->eth);
	return !bpf_skb_store_bytes(skb, 0, t->eth, sizeof(t->eth), BPF_F_RECOMPUTE_CSUM);
}

/* As nve_xdp_too_big(); 'tci' is the tag of the frame. */
__noinline int nve_tc_too_big(struct __sk_buff *skb, __u32 mtu, __u32 tsi, __u32 tci)
{
	struct nve_too_big *t = nve_too_big_new(mtu);

	if (!t || bpf_skb_vlan_pop(skb) || !nve_tc_too_big_load(skb, t) ||
	    !nve_too_big_asks(t, tsi))
		return 0;
	nve_too_big_write(t);
	if (!nve_tc_too_big_write(skb, t) || bpf_skb_vlan_push(skb, NVE_P_8021Q, tci))
		return 0;
	nve_too_big_count(t);
	return 1;
}

/* --- the way in ------------------------------------------------------------------------------- */

/* Whether a frame that was lost is to be answered: one from a TSI, for one other. */
static __always_inline bool nve_is_too_big(const struct nve_frame *f, int why)
{
	return !nve_dry && why == NVE_DROP_TOO_LARGE && f->who.tsi != NVE_NO_TSI && f->vtep;
}

/* A tenant's MTU on the way to a VTEP: between outer IP and it there is the tenant's Ethernet. */
static __always_inline __u32 nve_tenant_mtu(const struct nve_vtep *vtep)
{
	return vtep->mtu > vtep->outer_len ? vtep->mtu - vtep->outer_len : 0;
}
