/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Carrying out an answer of suppress.h, in XDP and in TC: the question is rewritten in place, its
 * tag kept, and goes out where it came in.
 */
#pragma once

#include "room.h"
#include "suppress.h"

/* RFC 826: the question with the parts exchanged.  By halves, for it may lie on the stack. */
static __always_inline void nve_arp_reply(struct nve_arp *arp, const __u8 *mac)
{
	nve_u16 *sender = (void *)arp->sender_ip, *target = (void *)arp->target_ip;
	nve_u16 a = sender[0], b = sender[1];

	arp->op = bpf_htons(2);
	nve_mac_copy(arp->target_mac, arp->sender_mac);
	nve_mac_copy(arp->sender_mac, mac);
	sender[0] = target[0];
	sender[1] = target[1];
	target[0] = a;
	target[1] = b;
}

/*
 * Solicited, override (RFC 4861 section 7.2.4).  The router flag is set for the reason that
 * agent/engine_announce.c gives: nobody told whether the neighbor is one, and only to deny it does
 * harm.
 */
static __always_inline void nve_na_reply(struct nve_ns *ns, const __u8 *mac)
{
	nve_u64 *from = (void *)ns->ip.saddr, *to = (void *)ns->ip.daddr;
	const nve_u64 *target = (const void *)ns->nd.target;

	to[0] = from[0];
	to[1] = from[1];
	from[0] = target[0];
	from[1] = target[1];
	ns->ip.version_flow = bpf_htonl(6u << 28);
	ns->nd.type = NVE_ND_NA;
	ns->nd.check = 0;
	*(nve_u32 *)ns->nd.rest = bpf_htonl(0xe0000000);
	ns->opt.type = NVE_ND_OPT_TARGET_MAC;
	nve_mac_copy(ns->opt.mac, mac);
	ns->nd.check = ~nve_ns_sum(ns);
}

/* 'arp' is a constant in each place that these are expanded in. */
static __always_inline __u32 nve_reply_len(bool arp)
{
	return arp ? sizeof(struct nve_arp) : sizeof(struct nve_ns);
}

/* 'l3' has that room. */
static __always_inline void nve_reply(void *l3, const struct nve_frame *f, bool arp)
{
	if (arp)
		nve_arp_reply(l3, f->answer_mac);
	else
		nve_na_reply(l3, f->answer_mac);
}

static __always_inline int nve_xdp_reply(struct nve_frame *f, bool arp)
{
	struct nve_eth *eth = f->data;

	if ((void *)(eth + 1) > f->end || f->l3 + nve_reply_len(arp) > f->end)
		return NVE_DROP_INTERNAL;
	nve_mac_copy(eth->dst, eth->src);
	nve_mac_copy(eth->src, f->answer_mac);
	nve_reply(f->l3, f, arp);
	nve_count_answer(arp ? NVE_ANSWER_ARP : NVE_ANSWER_ND);
	return NVE_FORWARD;
}

static __always_inline int nve_xdp_answer(struct nve_frame *f)
{
	if (!(f->from->port_flags & NVE_PORT_XDP))
		return NVE_TO_HOST;
	return f->answer == NVE_ANSWER_ARP + 1 ? nve_xdp_reply(f, true) : nve_xdp_reply(f, false);
}

/* The tag is in the frame or beside it, and stays there. */
static __always_inline int nve_tc_reply(struct __sk_buff *skb, const struct nve_frame *f, bool arp)
{
	__u32 at = sizeof(struct nve_eth) + (f->tag_in_meta ? 0 : NVE_VLAN_HLEN);
	struct nve_tc_head *room = nve_tc_room_here();
	nve_u16 *macs = (void *)room;

	if (!room)
		return NVE_DROP_INTERNAL;
	nve_mac_copy(macs, f->who.mac);
	nve_mac_copy(macs + 3, f->answer_mac);
	if (bpf_skb_store_bytes(skb, 0, macs, 2 * NVE_ETH_ALEN, 0))
		return NVE_DROP_NO_ROOM;
	if (bpf_skb_load_bytes(skb, at, room, nve_reply_len(arp)))
		return NVE_DROP_INTERNAL;
	nve_reply(room, f, arp);
	if (bpf_skb_store_bytes(skb, at, room, nve_reply_len(arp), 0))
		return NVE_DROP_NO_ROOM;
	nve_count_answer(arp ? NVE_ANSWER_ARP : NVE_ANSWER_ND);
	return NVE_FORWARD;
}

static __always_inline int nve_tc_answer(struct __sk_buff *skb, const struct nve_frame *f)
{
	return f->answer == NVE_ANSWER_ARP + 1 ? nve_tc_reply(skb, f, true)
					       : nve_tc_reply(skb, f, false);
}
