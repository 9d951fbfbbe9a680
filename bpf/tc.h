/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Carrying out, in TC: what was decided in forward.h is done with tc_frame.h and flood.h.
 */
#pragma once

#include "flood.h"
#include "too_big.h"

static __always_inline int nve_tc_access(struct __sk_buff *skb, struct nve_frame *f)
{
	int why;

	if (f->vtep)
		why = nve_tc_encap(skb, f);
	else if (f->to)
		why = nve_tc_retag(skb, f);
	else if (f->answer)
		return nve_tc_answer(skb, f);
	else
		why = nve_bum_rate(f->vn_id, f->segs) ?: nve_flood_access(skb, f);
	if (why)
		return why;
	nve_count_in(f);
	if (f->to)
		nve_count_out(f);
	return NVE_FORWARD;
}

static __always_inline int nve_tc_underlay(struct __sk_buff *skb, struct nve_frame *f)
{
	int why;

	if (f->vtep)
		return nve_tc_relay(skb, f);
	if (!f->to)
		return nve_flood_underlay(skb, f);
	why = nve_tc_unwrap(skb, f) ?: nve_tc_tag(skb, nve_tci(f));
	if (!why)
		nve_count_out(f);
	return why;
}

static __always_inline int nve_tc_lost(struct __sk_buff *skb, const struct nve_frame *f, int why)
{
	nve_drop(why, f->who.tsi, f->to_tsi);
	if (nve_is_too_big(f, why) &&
	    nve_tc_too_big(skb, nve_tenant_mtu(f->vtep), f->who.tsi, f->tci))
		return bpf_redirect(f->who.ifindex, 0);
	return NVE_TC_SHOT;
}

/* A flooded frame was sent as copies, and ends here. */
static __always_inline int nve_tc_end(struct __sk_buff *skb, const struct nve_frame *f, int why)
{
	if (why == NVE_TO_HOST)
		return NVE_TC_OK;
	nve_acl_end(f);
	if (why)
		return nve_tc_lost(skb, f, why);
	if (f->vtep)
		return bpf_redirect(f->vtep->ifindex, 0);
	else if (f->to)
		return bpf_redirect(f->at.ifindex, 0);
	else if (f->answer)
		return bpf_redirect(f->who.ifindex, 0);
	return NVE_TC_SHOT;
}
