/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Writing the tunnel header from a VTEP's template.  Moving the frame to make room for it is the
 * business of xdp.h and tc.h.
 */
#pragma once

#include "tunnel.h"

/* What of the tunnel header is the frame's, not the VTEP's. */
struct nve_outer {
	__u32 len; /* of the tenant's frame */
	__u32 vni;
	__u16 sport; /* __be16 */
	__u8 ttl;    /* 0: as in the template */
	__u8 tos;
	__u8 tunnel; /* enum nve_tunnel_flags */
};

/* Offset of TCP or UDP ports from the network header; 0: none, or not in every frame of a flow. */
static __always_inline __u32 nve_ports_at(const struct nve_frame *f, __u8 *ret_proto)
{
	const struct nve_ip4 *ip4 = f->l3;
	const struct nve_ip6 *ip6 = f->l3;
	__u8 proto;

	if (f->proto == NVE_P_IP4) {
		if ((void *)(ip4 + 1) > f->end || ip4->frag_off & NVE_IP4_MF_OFFSET)
			return 0;
		proto = ip4->protocol;
		if (proto == IPPROTO_TCP || proto == IPPROTO_UDP) {
			*ret_proto = proto;
			return (ip4->version_ihl & 15) * 4;
		}
	} else if (f->proto == NVE_P_IP6) {
		if ((void *)(ip6 + 1) > f->end)
			return 0;
		proto = ip6->nexthdr;
		if (proto == IPPROTO_TCP || proto == IPPROTO_UDP) {
			*ret_proto = proto;
			return sizeof(*ip6);
		}
	}
	return 0;
}

/*
 * Outer source port from the inner flow, in 49152..65535 (RFC 7348 section 5), the same for XDP and
 * TC, so that a flow keeps its path when a port changes its mode.  And DSCP and ECN (tos.h).
 */
static __always_inline void nve_entropy(struct nve_frame *f)
{
	const struct nve_eth *eth = f->data;
	const struct nve_ip4 *ip4 = f->l3;
	const struct nve_ip6 *ip6 = f->l3;
	__u64 h = *(const nve_u64 *)eth->dst ^ ((__u64) * (const nve_u32 *)(eth->src + 2) << 29);
	__u8 proto;
	__u32 at = nve_ports_at(f, &proto);
	const nve_u32 *ports = f->l3 + at;

	if (f->proto == NVE_P_IP4 && (void *)(ip4 + 1) <= f->end) {
		h = (__u64)ip4->saddr << 32 | ip4->daddr;
		f->tos = ip4->tos;
	} else if (f->proto == NVE_P_IP6 && (void *)(ip6 + 1) <= f->end) {
		h = ((const nve_u64 *)ip6->saddr)[0] * 3 ^ ((const nve_u64 *)ip6->saddr)[1] ^
		    ((const nve_u64 *)ip6->daddr)[0] * 5 ^ ((const nve_u64 *)ip6->daddr)[1] * 7;
		f->tos = nve_tos_of(NVE_P_IP6, f->l3);
	}
	if (!(f->tunnel & NVE_TUNNEL_UNIFORM))
		f->tos &= NVE_ECN;
	h *= 0x9e3779b97f4a7c15ull;
	h ^= h >> 32;
	if (at && (void *)(ports + 1) <= f->end)
		h += *ports;
	h *= 0xbf58476d1ce4e5b9ull;
	f->sport = bpf_htons(49152 + (h >> 50));
}

static __always_inline struct nve_outer nve_outer_of(const struct nve_frame *f, __u8 ttl)
{
	return (struct nve_outer){
		.len = f->len,
		.vni = f->vni,
		.sport = f->sport,
		.ttl = ttl,
		.tos = f->tos,
		.tunnel = f->tunnel,
	};
}

/* Whether the VTEP can be sent to, and by this much ('len': of the longest tenant's frame). */
static __always_inline int nve_check_vtep(const struct nve_vtep *vtep, __u32 len)
{
	if (!(vtep->flags & NVE_VTEP_RESOLVED))
		return NVE_DROP_VTEP_UNRESOLVED;
	return len + vtep->outer_len - sizeof(struct nve_eth) > vtep->mtu ? NVE_DROP_TOO_LARGE
									  : NVE_FORWARD;
}

/*
 * The headers are written by halves: on the stack they are not aligned.  What is behind the
 * addresses is the same in both families.
 */
static __always_inline void nve_tunnel_write(struct nve_udp *udp, const struct nve_outer *o)
{
	nve_u16 *tunnel = (void *)(udp + 1);

	udp->sport = o->sport;
	udp->len = bpf_htons(o->len + sizeof(*udp) + sizeof(struct nve_vxlan));
	if (o->tunnel & NVE_TUNNEL_GENEVE) {
		udp->dport = nve_geneve_port;
		tunnel[0] = 0;
		tunnel[1] = NVE_P_TEB;
	}
	tunnel[2] = bpf_htons(o->vni >> 8);
	tunnel[3] = bpf_htons((o->vni & 0xff) << 8);
}

/*
 * The checksum of the template is that of a total length and a DSCP of 0, so adding is all there is
 * to do (RFC 1624).
 */
static __always_inline void nve_outer4_write(void *at, const struct nve_vtep *vtep,
					     const struct nve_outer *o)
{
	const nve_u64 *from = (const void *)vtep->outer;
	nve_u64 *to = at;
	struct nve_ip4 *ip = at + sizeof(struct nve_eth);
	__u32 sum;

#pragma unroll
	for (int i = 0; i < 6; i++)
		to[i] = from[i];
	nve_tunnel_write((void *)(ip + 1), o);
	ip->tot_len = bpf_htons(o->len + NVE_OUTER4_LEN - sizeof(struct nve_eth));
	ip->tos = o->tos;
	sum = (__u16)~ip->check + ip->tot_len + bpf_htons(o->tos);
	if (o->ttl) {
		sum += (__u16)~bpf_htons(ip->ttl << 8) + bpf_htons(o->ttl << 8);
		ip->ttl = o->ttl;
	}
	ip->check = ~nve_fold(sum);
}

/* The flow label has the entropy of the source port (RFC 6438), the UDP checksum is 0. */
static __always_inline void nve_outer6_write(void *at, const struct nve_vtep *vtep,
					     const struct nve_outer *o)
{
	const nve_u64 *from = (const void *)vtep->outer;
	nve_u64 *to = at;
	struct nve_ip6 *ip = at + sizeof(struct nve_eth);
	struct nve_udp *udp = (void *)(ip + 1);
	nve_u16 *word = (void *)ip;

#pragma unroll
	for (int i = 0; i < 8; i++)
		to[i] = from[i];
	((nve_u16 *)at)[32] = ((const nve_u16 *)from)[32];
	nve_tunnel_write(udp, o);
	word[0] = bpf_htons(6 << 12 | o->tos << 4);
	word[1] = o->sport;
	ip->payload_len = udp->len;
	if (o->ttl)
		ip->hop_limit = o->ttl;
}

/* 'outer6', of the VTEP, is mostly known where this is expanded. */
static __always_inline void nve_outer_write(void *at, const struct nve_vtep *vtep,
					    const struct nve_outer *o, bool outer6)
{
	if (outer6)
		nve_outer6_write(at, vtep, o);
	else
		nve_outer4_write(at, vtep, o);
}

static __always_inline bool nve_vtep_is6(const struct nve_vtep *vtep)
{
	return vtep->family == 6;
}
