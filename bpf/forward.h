/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Where a frame goes: one lookup of (VN, destination MAC).  Written for both directions; the two
 * entry functions at the end are all that XDP and TC call.
 */
#pragma once

#include "acl.h"
#include "answer.h"
#include "outer.h"
#include "qos.h"

/* A TSI can be reached if it is Activated, the address counts, and it is of this VN. */
static __always_inline int nve_to_tsi(struct nve_frame *f, const struct nve_dest *dest)
{
	__u32 slot = dest->slot;
	struct nve_tsi_row *row = nve_lookup(tsi, &slot);
	__u64 live;

	if (!row)
		return NVE_DROP_INTERNAL;
	f->to_tsi = slot;
	live = nve_live(row);
	if (live < NVE_TSI_LIVE || !nve_counts(dest->when, dest->gen, live) ||
	    row->vn_id != f->vn_id)
		return NVE_DROP_DST_INACTIVE;
	f->to = row;
	f->out_features = row->features | (row->port_flags & NVE_PORT_XDP ? NVE_TO_XDP : 0);
	f->at = nve_where(row);
	return NVE_FORWARD;
}

static __always_inline int nve_to_vtep(struct nve_frame *f, __u32 slot)
{
	struct nve_vtep *vtep = nve_lookup(vtep, &slot);

	if (!vtep)
		return NVE_DROP_INTERNAL;
	f->vtep = vtep;
	return NVE_FORWARD;
}

/* Frames that no bridge forwards (IEEE 802.1Q table 8-1); all other groups are flooded. */
static __always_inline int nve_to_group(const __u8 *dst)
{
	if (*(const nve_u32 *)dst == bpf_htonl(0x0180c200) && !dst[4] && dst[5] < 0x10)
		return NVE_DROP_LINK_LOCAL;
	return NVE_FORWARD;
}

/* No row: flooded.  'second' is a TSI that took the address over, from the moment it is in use (D7,
 * D12). */
static __always_inline int nve_find(struct nve_frame *f, const __u8 *dst)
{
	struct nve_fdb_key key = { .vn_id = f->vn_id };
	struct nve_fdb *row;

	f->to = NULL;
	f->vtep = NULL;
	if (dst[0] & 1)
		return nve_to_group(dst);
	nve_mac_copy(key.mac, dst);
	row = nve_lookup(fdb, &key);
	if (!row) {
		return NVE_FORWARD;
	}
	if (row->second.kind == NVE_DEST_TSI && !nve_to_tsi(f, &row->second))
		return NVE_FORWARD;
	if (row->first.kind == NVE_DEST_VTEP)
		return nve_to_vtep(f, row->first.slot);
	if (row->first.kind == NVE_DEST_TSI)
		return nve_to_tsi(f, &row->first);
	return row->second.kind == NVE_DEST_TSI ? NVE_DROP_DST_INACTIVE : NVE_DROP_INTERNAL;
}

/* Whose frame it is, and where it goes, by the complete tables. */
static __always_inline int nve_access_long(struct nve_frame *f, bool tc)
{
	const struct nve_eth *eth = f->data;
	int why = nve_classify(f) ?: nve_filter(f);

	if (why)
		return why;
	nve_stats_touch(f, nve_stats(f->who.tsi));
	if (f->in_features & NVE_TSI_GLEAN)
		nve_glean_known(f);
	why = nve_find(f, eth->dst);
	if (!why && f->in_features & (NVE_TSI_ACL_IN | NVE_TSI_ACL_OUT))
		why = nve_acl_access(f, tc);
	return why;
}

/* A frame from a hypervisor, to the point where it is known where it goes. */
static __always_inline int nve_access(struct nve_frame *f, bool tc)
{
	const struct nve_eth *eth = f->data;
	int why;

	if (nve_dry)
		f->len += nve_trace_more();
	why = nve_parse_access(f);
	if (why)
		return why;
	if (!nve_near_access(f, eth)) {
		why = nve_access_long(f, tc);
		if (why)
			return why;
	}
	if (f->to && f->at.ifindex == f->who.ifindex && f->at.vid == f->who.vid)
		return NVE_DROP_SAME_PORT;
	if (!f->to)
		nve_entropy(f);
	if (!f->to && !f->vtep)
		why = nve_suppress(f, eth->dst);
	if (!why && f->in_features & NVE_QOS_FROM)
		why = nve_qos_from(f, tc);
	if (!why && f->to && f->out_features & NVE_QOS_TO)
		why = nve_qos_to(f, tc);
	return why;
}

/* A frame from the underlay, to the same point. */
static __always_inline int nve_underlay(struct nve_frame *f, bool tc)
{
	const struct nve_eth *eth;
	int why;

	if (nve_dry)
		f->len += nve_trace_more();
	why = nve_parse_outer(f);
	if (why)
		return why;
	eth = f->inner;
	if (f->len < sizeof(*eth) || (void *)(eth + 1) > f->end)
		return NVE_DROP_SHORT;
	f->proto = eth->proto;
	f->l3 = (void *)(eth + 1);
	f->tci = 0;
	why = nve_tos_in(f) ?: nve_check_inner(eth);
	if (!why && !nve_near_underlay(f, eth))
		why = nve_find(f, eth->dst);
	if (!why && f->to && f->out_features & NVE_TSI_ACL_OUT)
		why = nve_acl_underlay(f, tc, f->to->acl);
	if (!why && f->to && f->out_features & NVE_QOS_TO)
		why = nve_qos_to(f, tc);
	if (why || f->to)
		return why;
	if (!f->vtep) /* who asks behind another NVE is answered there */
		return nve_unknown(f->vn_id, eth->dst[0] & 1);
	/* The TSI moved on (D7): to its new NVE, but never back to where the frame came from. */
	why = nve_read_outer(f);
	if (why)
		return why;
	if (nve_came_from(f, f->vtep))
		return NVE_DROP_DST_INACTIVE;
	return f->ttl <= 1 ? NVE_DROP_TTL : NVE_FORWARD;
}
