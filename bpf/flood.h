/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * BUM by head-end replication in TC (replicate.h: in XDP): a copy to each other local VAP with an
 * Activated TSI, and, for frames that came from a hypervisor, to each VTEP of the VN; what came
 * from the underlay goes to local VAPs only (split horizon).  The tunnel header is put on once;
 * between copies to VTEPs it is overwritten in place.
 */
#pragma once

#include "tc_frame.h"

struct nve_flood_run {
	struct __sk_buff *skb;
	const struct nve_flood *flood;
	struct nve_outer outer;
	__u32 vn_id;
	__u32 ifindex; /* and vid: where it came from, no copy goes back there */
	__u32 vid;
	__u32 tsi;     /* it came from, or NVE_NO_TSI */
	__u32 longest; /* frame, once it is segmented */
	__u32 outer6;  /* now the copies over IPv6 are made, or those over IPv4 */
	/* Set, not counted: the verifier runs a loop until nothing in it changes. */
	__u32 has_remote4; /* some member is a VTEP */
	__u32 has_remote6;
	__u32 has_member; /* some copy was sent, or lost under a reason of its own */
	__u32 no_local;   /* copies to VAPs are lost: the rules forbid them */
	__u16 priority;   /* and DEI, as in the TCI */
};

static __always_inline struct nve_flood_run nve_flood_begin(struct __sk_buff *skb,
							    const struct nve_frame *f)
{
	__u32 vn_id = f->vn_id;

	return (struct nve_flood_run){
		.skb = skb,
		.flood = nve_lookup(flood, &vn_id),
		.vn_id = vn_id,
		.ifindex = f->who.ifindex,
		.vid = f->who.vid,
		.tsi = f->who.tsi,
		.no_local = f->no_local,
		.outer = nve_outer_of(f, 0),
		.priority = f->tci & ~NVE_VID_MASK,
	};
}

/* A copy of the frame, which has no tag, to one local VAP; afterwards it has none again. */
static long nve_flood_local(__u32 i, struct nve_flood_run *run)
{
	const struct nve_member *member = &run->flood->members[i & (NVE_FLOOD_MAX - 1)];
	struct nve_vap_row *vap;
	__u32 slot = member->slot;
	__u16 vid = slot % NVE_VID_COUNT;

	if (member->kind == NVE_DEST_VTEP && member->ip6)
		run->has_remote6 = 1;
	else if (member->kind == NVE_DEST_VTEP)
		run->has_remote4 = 1;
	if (member->kind != NVE_DEST_TSI)
		return 0;
	vap = nve_lookup(vap, &slot);
	if (!vap || vap->state != NVE_VAP_LIVE || vap->vn_id != run->vn_id || !vap->n_activated)
		return 0;
	if (vap->ifindex == run->ifindex && vid == run->vid)
		return 0;
	run->has_member = 1;
	if (nve_dry)
		nve_trace_copy(run->no_local ? NVE_DROP_ACL : NVE_FORWARD);
	else if (run->no_local)
		nve_count_drop(NVE_DROP_ACL, run->tsi);
	if (nve_dry || run->no_local)
		return 0;
	if (nve_tc_tag(run->skb, run->priority | vid)) {
		nve_count_drop(NVE_DROP_NO_ROOM, run->tsi);
		return 0;
	}
	if (bpf_clone_redirect(run->skb, vap->ifindex, 0))
		nve_count_drop(NVE_DROP_REDIRECT, run->tsi);
	return bpf_skb_vlan_pop(run->skb) ? 1 : 0;
}

static __always_inline int nve_flood_copy(struct nve_flood_run *run, const struct nve_vtep *vtep,
					  bool outer6)
{
	__u32 len = outer6 ? NVE_OUTER6_LEN : NVE_OUTER4_LEN;
	struct nve_tc_head *head = nve_tc_room_here();

	if (!head)
		return NVE_DROP_INTERNAL;
	nve_outer_write(head, vtep, &run->outer, outer6);
	if (bpf_skb_store_bytes(run->skb, 0, head, len, 0))
		return NVE_DROP_NO_ROOM;
	return bpf_clone_redirect(run->skb, vtep->ifindex, 0) ? NVE_DROP_REDIRECT : NVE_FORWARD;
}

/* A copy of the frame, which has a tunnel header of that family, to one VTEP. */
static long nve_flood_remote(__u32 i, struct nve_flood_run *run)
{
	const struct nve_member *member = &run->flood->members[i & (NVE_FLOOD_MAX - 1)];
	struct nve_vtep *vtep;
	__u32 slot = member->slot;
	bool outer6 = member->ip6;
	int why;

	if (member->kind != NVE_DEST_VTEP || outer6 != run->outer6)
		return 0;
	vtep = nve_lookup(vtep, &slot);
	run->has_member = 1;
	why = vtep && nve_vtep_is6(vtep) == outer6 ? nve_check_vtep(vtep, run->longest)
						   : NVE_DROP_INTERNAL;
	if (nve_dry) {
		nve_trace_copy(why);
		return 0;
	}
	if (!why && outer6)
		why = nve_flood_copy(run, vtep, true);
	else if (!why)
		why = nve_flood_copy(run, vtep, false);
	if (why)
		nve_count_drop(why, run->tsi);
	return 0;
}

static __always_inline __u32 nve_flood_size(const struct nve_flood *flood)
{
	return flood->n < NVE_FLOOD_MAX ? flood->n : NVE_FLOOD_MAX;
}

/*
 * Changes the room for the tunnel header from one family to the other.  Of IP the larger one comes
 * first, for there is a way to take bytes out that keeps bulk frames whole; of other protocols
 * there is only one to put bytes in.
 */
static __always_inline int nve_flood_other(struct __sk_buff *skb, bool outer6)
{
	const int more = NVE_OUTER6_LEN - NVE_OUTER4_LEN;
	long r;

	if (outer6)
		return bpf_skb_change_head(skb, more, 0) ? NVE_DROP_NO_ROOM : NVE_FORWARD;
	r = bpf_skb_adjust_room(skb, -more, BPF_ADJ_ROOM_MAC,
				BPF_F_ADJ_ROOM_FIXED_GSO | NVE_TC_DECAP_L3_IPV4);
	if (r)
		r = bpf_skb_adjust_room(skb, -more, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO);
	return r ? NVE_DROP_NO_ROOM : NVE_FORWARD;
}

/* The tenant's Ethernet header, where the room for the tunnel header ends. */
static __always_inline int nve_flood_eth(struct __sk_buff *skb, const struct nve_eth *eth,
					 bool outer6)
{
	__u32 at = outer6 ? NVE_OUTER6_LEN : NVE_OUTER4_LEN;

	return bpf_skb_store_bytes(skb, at, eth, sizeof(*eth), 0) ? NVE_DROP_NO_ROOM : NVE_FORWARD;
}

/* Copies to VTEPs, of one family and then of the other. */
static __always_inline int nve_flood_tunnel(struct __sk_buff *skb, struct nve_flood_run *run,
					    const struct nve_eth *eth, bool is_ip)
{
	__u32 n = nve_flood_size(run->flood);
	int why;

	run->outer6 = run->has_remote6 && (is_ip || !run->has_remote4);
	why = nve_tc_grow(skb, run->outer6) ?: nve_flood_eth(skb, eth, run->outer6);
	if (why)
		return why;
	bpf_loop(n, nve_flood_remote, run, 0);
	if (!run->has_remote4 || !run->has_remote6)
		return NVE_FORWARD;
	run->outer6 = !run->outer6;
	why = nve_flood_other(skb, run->outer6);
	if (why)
		return why;
	bpf_loop(n, nve_flood_remote, run, 0);
	return NVE_FORWARD;
}

/* BUM from a hypervisor: first the local copies, then the tunnel, then the remote copies. */
static __noinline int nve_flood_access(struct __sk_buff *skb, const struct nve_frame *f)
{
	struct nve_flood_run run = nve_flood_begin(skb, f);
	struct nve_eth eth = { .proto = f->proto };
	int why;

	if (!run.flood)
		return NVE_DROP_NO_MEMBER;
	run.longest = nve_tc_len(skb, f);
	nve_tc_eth(&eth, f->data);
	why = nve_tc_untag(skb, f);
	if (why)
		return why;
	bpf_loop(nve_flood_size(run.flood), nve_flood_local, &run, 0);
	if (run.has_remote4 || run.has_remote6) {
		why = nve_flood_tunnel(skb, &run, &eth,
				       eth.proto == NVE_P_IP4 || eth.proto == NVE_P_IP6);
		if (why)
			return why;
	}
	return run.has_member ? NVE_FORWARD : NVE_DROP_NO_MEMBER;
}

/* BUM from the underlay: to local VAPs. */
static __noinline int nve_flood_underlay(struct __sk_buff *skb, struct nve_frame *f)
{
	struct nve_flood_run run = nve_flood_begin(skb, f);
	int why = NVE_FORWARD;

	if (!run.flood)
		return NVE_DROP_NO_MEMBER;
	if (run.flood->acl)
		why = nve_acl_underlay(f, true, run.flood->acl);
	if (!why)
		why = nve_tc_unwrap(skb, f);
	if (why)
		return why;
	bpf_loop(nve_flood_size(run.flood), nve_flood_local, &run, 0);
	return run.has_member ? NVE_FORWARD : NVE_DROP_NO_MEMBER;
}
