/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * BUM by head-end replication (TC): a copy to each other local VAP with an Activated TSI, and, for
 * frames that came from a hypervisor, to each VTEP of the VN; what came from the underlay goes to
 * local VAPs only (split horizon).  The tunnel header is put on once; between copies to VTEPs it is
 * overwritten in place.
 */
#pragma once

#include "tc_frame.h"

struct nve_flood_run {
	struct __sk_buff *skb;
	const struct nve_flood *flood;
	__u32 vn_id;
	__u32 vni;
	__u32 ifindex; /* and vid: where it came from, no copy goes back there */
	__u32 vid;
	__u32 tsi; /* it came from, or NVE_NO_TSI */
	__u32 len;
	__u32 ip_len;
	/* Set, not counted: the verifier runs a loop until nothing in it changes. */
	__u32 has_remote; /* some member is a VTEP */
	__u32 has_member; /* some copy was sent, or lost under a reason of its own */
	__u16 sport;
	__u16 priority; /* and DEI, as in the TCI */
};

static __always_inline struct nve_flood_run nve_flood_begin(struct __sk_buff *skb,
							    const struct nve_frame *f)
{
	__u32 vn_id = f->vn_id;

	return (struct nve_flood_run){
		.skb = skb,
		.flood = nve_lookup(flood, &vn_id),
		.vn_id = vn_id,
		.vni = f->vni,
		.ifindex = f->who.ifindex,
		.vid = f->who.vid,
		.tsi = f->who.tsi,
		.len = f->len,
		.sport = f->sport,
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

	if (member->kind == NVE_DEST_VTEP)
		run->has_remote = 1;
	if (member->kind != NVE_DEST_TSI)
		return 0;
	vap = nve_lookup(vap, &slot);
	if (!vap || vap->state != NVE_VAP_LIVE || vap->vn_id != run->vn_id || !vap->n_activated)
		return 0;
	if (vap->ifindex == run->ifindex && vid == run->vid)
		return 0;
	run->has_member = 1;
	if (nve_dry) {
		nve_trace_copy(NVE_FORWARD);
		return 0;
	}
	if (nve_tc_tag(run->skb, run->priority | vid)) {
		nve_count_drop(NVE_DROP_NO_ROOM, run->tsi);
		return 0;
	}
	if (bpf_clone_redirect(run->skb, vap->ifindex, 0))
		nve_count_drop(NVE_DROP_REDIRECT, run->tsi);
	return bpf_skb_vlan_pop(run->skb) ? 1 : 0;
}

/* A copy of the frame, which has a tunnel header of some kind, to one VTEP. */
static long nve_flood_remote(__u32 i, struct nve_flood_run *run)
{
	const struct nve_member *member = &run->flood->members[i & (NVE_FLOOD_MAX - 1)];
	struct nve_tc_head head;
	struct nve_vtep *vtep;
	__u32 slot = member->slot;
	int why;

	if (member->kind != NVE_DEST_VTEP)
		return 0;
	vtep = nve_lookup(vtep, &slot);
	run->has_member = 1;
	why = vtep ? nve_check_vtep(vtep, run->ip_len) : NVE_DROP_INTERNAL;
	if (nve_dry) {
		nve_trace_copy(why);
		return 0;
	}
	if (!why) {
		nve_outer_write(&head, vtep, run->len, run->vni, run->sport, 0);
		if (bpf_skb_store_bytes(run->skb, 0, &head, NVE_OUTER4_LEN, 0))
			why = NVE_DROP_NO_ROOM;
		else if (bpf_clone_redirect(run->skb, vtep->ifindex, 0))
			why = NVE_DROP_REDIRECT;
	}
	if (why)
		nve_count_drop(why, run->tsi);
	return 0;
}

static __always_inline __u32 nve_flood_size(const struct nve_flood *flood)
{
	return flood->n < NVE_FLOOD_MAX ? flood->n : NVE_FLOOD_MAX;
}

/* BUM from a hypervisor: first the local copies, then the tunnel, then the remote copies. */
static __always_inline int nve_flood_access(struct __sk_buff *skb, const struct nve_frame *f)
{
	struct nve_flood_run run = nve_flood_begin(skb, f);
	struct nve_tc_head head;
	int why;

	if (!run.flood)
		return NVE_DROP_NO_MEMBER;
	run.ip_len = nve_tc_outer_len(skb, f);
	nve_tc_head_inner(&head, f);
	if (bpf_skb_vlan_pop(skb))
		return NVE_DROP_NO_ROOM;
	bpf_loop(nve_flood_size(run.flood), nve_flood_local, &run, 0);
	if (run.has_remote) {
		why = nve_tc_grow(skb);
		if (why)
			return why;
		if (bpf_skb_store_bytes(skb, NVE_OUTER4_LEN, (void *)&head + NVE_OUTER4_LEN,
					sizeof(struct nve_eth), 0))
			return NVE_DROP_NO_ROOM;
		bpf_loop(nve_flood_size(run.flood), nve_flood_remote, &run, 0);
	}
	return run.has_member ? NVE_FORWARD : NVE_DROP_NO_MEMBER;
}

/* BUM from the underlay: to local VAPs. */
static __always_inline int nve_flood_underlay(struct __sk_buff *skb, const struct nve_frame *f)
{
	struct nve_flood_run run = nve_flood_begin(skb, f);
	int why;

	if (!run.flood)
		return NVE_DROP_NO_MEMBER;
	why = nve_tc_unwrap(skb, f);
	if (why)
		return why;
	bpf_loop(nve_flood_size(run.flood), nve_flood_local, &run, 0);
	return run.has_member ? NVE_FORWARD : NVE_DROP_NO_MEMBER;
}
