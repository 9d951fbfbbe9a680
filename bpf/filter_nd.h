/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The source filter for IPv6: source addresses, and what neighbor discovery says of its sender
 * (RFC 4861; parity with ARP).  Neighbor discovery behind extension headers or in fragments is
 * refused (RFC 6980), and so is a header chain too long to be judged.
 */
#pragma once

#include "filter.h"

enum { NVE_EXT_MAX = 6, NVE_ND_OPT_MAX = 8 };

static __always_inline bool nve_is_nd(__u8 type)
{
	return type >= NVE_ND_RS && type <= NVE_ND_REDIRECT;
}

/* Messages that a host sends before it has an address (RFC 4861, 4862, 3590). */
static __always_inline bool nve_may_be_from_any(__u8 type)
{
	return type == NVE_ND_RS || type == NVE_ND_NS || type == NVE_MLD_REPORT ||
	       type == NVE_MLD_DONE || type == NVE_MLD2_REPORT;
}

/*
 * Walks the extension headers, the first being 'next' at 'at', to the ICMPv6 type behind them: 0 if
 * there is none.  Negative: a drop reason.  A first fragment must hold the whole chain (RFC 7112):
 * one that does not ends inside a header; the fragments after it are told by it.
 */
static __noinline int nve_type_behind(void *at, void *end, __u32 next)
{
	struct nve_ip6_ext *ext;
	__u8 *type;

	for (int i = 0; i < NVE_EXT_MAX; i++) {
		if (next == NVE_IPPROTO_ICMP6) {
			type = at;
			return (void *)(type + 1) > end ? -NVE_DROP_SHORT : *type;
		}
		/* Hop-by-hop, routing, fragment, destination options, mobility, HIP, shim6. */
		if (next != 0 && next != 43 && next != 44 && next != 60 && next != 135 &&
		    next != 139 && next != 140)
			return 0;
		ext = at;
		if ((void *)(ext + 1) > end)
			return -NVE_DROP_SHORT;
		if (next == 44 && ext->frag_off & NVE_IP6_OFFSET)
			return 0;
		at += next == 44 ? sizeof(*ext) : (ext->len + 1) * 8;
		next = ext->nexthdr;
	}
	return -NVE_DROP_SRC_ND;
}

/* Link-layer options of type 'mine' must name the frame's source MAC.  Is there one? */
static __noinline int nve_nd_option(void *at, void *end, __u32 mine, const __u8 *mac)
{
	struct nve_nd_opt *opt;
	__u32 hop;
	int found = 0;

	for (int i = 0; i < NVE_ND_OPT_MAX; i++) {
		opt = at;
		if (at + 2 > end || !opt->len)
			return found; /* the rest is padding, or receivers discard it all */
		if ((void *)(opt + 1) > end)
			return -NVE_DROP_SHORT;
		/* Taken before 'len' is compared: else each option doubles the verifier's work. */
		hop = opt->len * 8;
		barrier_var(hop);
		if (opt->type == mine) {
			if (opt->len != 1 || !nve_mac_equal(opt->mac, mac))
				return -NVE_DROP_SRC_ND;
			found = 1;
		}
		at += hop;
	}
	return -NVE_DROP_SRC_ND;
}

static __always_inline __u32 nve_nd_options_at(__u8 type)
{
	return type == NVE_ND_RS ? 8 : type == NVE_ND_RA ? 16 : 24;
}

/* The addresses that a neighbor discovery message itself speaks for. */
static __noinline int nve_filter_nd(const struct nve_who *who, const struct nve_ip6 *ip, void *end,
				    bool filter_ip)
{
	const struct nve_nd *nd = (void *)(ip + 1);
	bool from_any = nve_ip6_is_any(ip->saddr);
	__u32 mine = NVE_ND_OPT_SOURCE_MAC;
	int why, found;

	if (nd->type == NVE_ND_NA)
		mine = NVE_ND_OPT_TARGET_MAC;
	if (nd->type == NVE_ND_NA || (nd->type == NVE_ND_NS && from_any)) {
		if ((void *)(nd + 1) > end)
			return NVE_DROP_SHORT;
		why = filter_ip ? nve_owns(who, nd->target) : NVE_FORWARD;
		if (why)
			return why == NVE_DROP_SRC_IP ? NVE_DROP_SRC_ND : why;
	}
	/* A redirect's option names the better router's MAC, not the sender's. */
	if (nd->type == NVE_ND_REDIRECT)
		return NVE_FORWARD;
	found = nve_nd_option((void *)nd + nve_nd_options_at(nd->type), end, mine, who->mac);
	if (found < 0)
		return -found;
	/* RFC 4861 sections 4.1 and 4.3: without a source address there is no source MAC option. */
	return from_any && found ? NVE_DROP_SRC_ND : NVE_FORWARD;
}

/* Everything but plain TCP and UDP from the first IPv6 address. */
static __noinline int nve_filter_ip6_slow(const struct nve_who *who, const struct nve_ip6 *ip,
					  void *end)
{
	bool direct = ip->nexthdr == NVE_IPPROTO_ICMP6;
	const struct nve_nd *nd = (void *)(ip + 1);
	bool filter_ip = !who->src || who->src->flags & NVE_SRC_FILTER_IP;
	int type, why;

	type = nve_type_behind((void *)(ip + 1), end, ip->nexthdr);
	if (type < 0)
		return -type;
	if (nve_is_nd(type) && (!direct || (void *)nd + 8 > end))
		return direct ? NVE_DROP_SHORT : NVE_DROP_SRC_ND;
	if (filter_ip && !(nve_may_be_from_any(type) && nve_ip6_is_any(ip->saddr))) {
		why = nve_owns(who, ip->saddr);
		if (why)
			return why;
	}
	return nve_is_nd(type) ? nve_filter_nd(who, ip, end, filter_ip) : NVE_FORWARD;
}

static __always_inline int nve_filter_ip6(struct nve_frame *f)
{
	const struct nve_src *src = f->who.src;
	struct nve_ip6 *ip = f->l3;
	struct nve_who who;

	if ((void *)(ip + 1) > f->end)
		return NVE_DROP_SHORT;
	if (src && (ip->nexthdr == IPPROTO_TCP || ip->nexthdr == IPPROTO_UDP) &&
	    (!(src->flags & NVE_SRC_FILTER_IP) ||
	     (src->flags & NVE_SRC_IP6 && nve_ip6_equal(ip->saddr, src->ip6))))
		return NVE_FORWARD;
	who = f->who;
	return nve_filter_ip6_slow(&who, ip, f->end);
}
