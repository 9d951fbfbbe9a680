/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * DSCP and ECN, which IPv4 and IPv6 have in one byte.  At encapsulation the outer header gets the
 * ECN field of the inner one (RFC 6040 normal mode), and in VNs of the uniform model its DSCP; at
 * decapsulation the inner header gets what the way through the underlay made of them (RFC 6040
 * figure 4; RFC 2983).  A frame that is no IP has neither.
 */
#pragma once

#include "frame.h"

enum {
	NVE_ECN = 3,
	NVE_ECN_ECT1 = 1,
	NVE_ECN_ECT0 = 2,
	NVE_ECN_CE = 3,
	NVE_TOS_NONE = 0x100, /* no IP */
};

/* Of the first two bytes of an IP header. */
static __always_inline __u8 nve_tos_of(__be16 proto, const __u8 *l3)
{
	return proto == NVE_P_IP4 ? l3[1] : l3[0] << 4 | l3[1] >> 4;
}

static __always_inline __u32 nve_tos_read(__be16 proto, const void *l3, const void *end)
{
	__u32 len = proto == NVE_P_IP4 ? sizeof(struct nve_ip4) : sizeof(struct nve_ip6);

	if ((proto != NVE_P_IP4 && proto != NVE_P_IP6) || l3 + len > end)
		return NVE_TOS_NONE;
	return nve_tos_of(proto, l3);
}

/* What becomes of the inner byte: the byte | NVE_SET_TOS, 0 to keep it; negative: a drop reason. */
static __noinline int nve_tos_merge(__u32 inner, __u32 outer, bool uniform)
{
	__u32 in = inner & NVE_ECN, out = outer & NVE_ECN;
	__u32 is;

	if (inner >= NVE_TOS_NONE)
		return 0;
	if (out == NVE_ECN_CE && !in)
		return -NVE_DROP_ECN;
	if (out == NVE_ECN_CE || (out == NVE_ECN_ECT1 && in == NVE_ECN_ECT0))
		in = out;
	is = (uniform ? outer & ~NVE_ECN & 0xff : inner & ~NVE_ECN) | in;
	return is == inner ? 0 : is | NVE_SET_TOS;
}

/* A frame to be decapsulated here; plain frames without ECN pass without a look at them. */
static __always_inline int nve_tos_in(struct nve_frame *f)
{
	__u32 least = sizeof(struct nve_eth) +
		      (f->proto == NVE_P_IP4 ? sizeof(struct nve_ip4) : sizeof(struct nve_ip6));
	bool uniform = f->tunnel & NVE_TUNNEL_UNIFORM;
	int r;

	if (!(f->tos & NVE_ECN) && !uniform)
		return NVE_FORWARD;
	/* A header that ends in what is behind the outer packet is none. */
	if (f->len < least)
		return NVE_FORWARD;
	r = nve_tos_merge(nve_tos_read(f->proto, f->l3, f->end), f->tos, uniform);
	if (r < 0)
		return -r;
	f->set_tos = r;
	return NVE_FORWARD;
}

/* Writes it into the frame itself. */
static __noinline int nve_tos_write(__u32 proto, void *l3, void *end, __u8 tos)
{
	struct nve_ip4 *ip = l3;
	__u8 *byte = l3;

	if (proto == NVE_P_IP4) {
		if ((void *)(ip + 1) > end)
			return NVE_DROP_INTERNAL;
		ip->check = ~nve_fold((__u64)(__u16)~ip->check + (__u16)~bpf_htons(ip->tos) +
				      bpf_htons(tos));
		ip->tos = tos;
		return NVE_FORWARD;
	}
	if (l3 + sizeof(struct nve_ip6) > end)
		return NVE_DROP_INTERNAL;
	byte[0] = (byte[0] & 0xf0) | tos >> 4;
	byte[1] = (byte[1] & 0x0f) | tos << 4;
	return NVE_FORWARD;
}
