/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Frames of the NVE's own: the agent runs this program on them (BPF_PROG_TEST_RUN), and the copies
 * that it makes leave for real.  So they take the way of a hypervisor's frames, with the same
 * members, headers and counters, in whatever mode the ports are.  Attached nowhere.
 */
#pragma once

#include "flood.h"

/* To the VAP alone. */
static __always_inline int nve_send_vap(struct __sk_buff *skb)
{
	if (nve_tc_tag(skb, skb->cb[NVE_SEND_VID]))
		return NVE_DROP_NO_ROOM;
	return bpf_clone_redirect(skb, skb->cb[NVE_SEND_IFINDEX], 0) ? NVE_DROP_REDIRECT
								     : NVE_FORWARD;
}

/* To the VN, as BUM from the VAP, which gets no copy. */
static __always_inline int nve_send_vn(struct __sk_buff *skb)
{
	__u32 vn_id = skb->cb[NVE_SEND_VN];
	struct nve_flood *flood = bpf_map_lookup_elem(&nve_flood, &vn_id);
	struct nve_frame f;
	struct nve_eth *eth;

	if (!flood)
		return NVE_DROP_NO_MEMBER;
	f = nve_tc_frame(skb);
	eth = f.data;
	if ((void *)(eth + 1) > f.end)
		return NVE_DROP_SHORT;
	f.proto = eth->proto;
	f.l3 = eth + 1;
	f.vn_id = vn_id;
	f.vni = flood->vni;
	f.who.ifindex = skb->cb[NVE_SEND_IFINDEX];
	f.who.vid = skb->cb[NVE_SEND_VID];
	nve_entropy(&f);
	return nve_flood_access(skb, &f);
}

/* Returns enum nve_drop.  That a VN has no other member is no loss. */
static __always_inline int nve_send(struct __sk_buff *skb)
{
	int why = skb->cb[NVE_SEND_KIND] == NVE_SEND_TO_VN ? nve_send_vn(skb) : nve_send_vap(skb);

	if (why && why != NVE_DROP_NO_MEMBER)
		nve_count_drop(why, NVE_NO_TSI);
	return why;
}
