/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * QoS of a TSI (S96): a rate for frames from it and one for frames to it, the DSCP of packets from
 * it, the priority of the tag on frames to it.  Applied once it is known where a frame goes, and
 * not at all to frames that are lost before.
 *
 * What counts is the tenant's frame without tag, tunnel and FCS, and of bulk TCP yet to be
 * segmented each segment with headers of its own.  BUM counts when it comes from the TSI; its
 * copies go to a VAP, which TSIs share, so they are neither held to a TSI's rate nor given its
 * priority.
 */
#pragma once

#include "meter.h"
#include "outer.h"

enum {
	NVE_QOS_FROM = NVE_TSI_METER_IN | NVE_TSI_MARK,
	NVE_QOS_TO = NVE_TSI_METER_OUT | NVE_TSI_MARK,
};

__noinline int nve_qos_meter(__u32 row, __u32 len);
__noinline int nve_qos_meter(__u32 row, __u32 len)
{
	struct nve_meter *meter = nve_lookup(meter, &row);

	if (!meter)
		return NVE_DROP_INTERNAL;
	return nve_meter_pass(meter, len) ? NVE_FORWARD : NVE_DROP_RATE;
}

/*
 * XDP leaves such a frame to TC, which comes here again: it is counted there.  Whoever teaches XDP
 * to carry out more must say so here.
 */
static __always_inline bool nve_qos_later(const struct nve_frame *f, bool tc)
{
	if (tc)
		return false;
	if (f->vtep)
		return !(f->vtep->flags & NVE_VTEP_XDP);
	if (f->to)
		return !(f->out_features & NVE_TO_XDP);
	return !f->answer || !(f->from->port_flags & NVE_PORT_XDP); /* xdp.h leaves BUM to TC */
}

/* Of packets from the TSI, with NVE_MARK_SET; 0: they keep theirs. */
static __always_inline __u8 nve_qos_dscp(const struct nve_frame *f)
{
	return f->in_features & NVE_TSI_MARK ? f->from->dscp : 0;
}

static __always_inline __u32 nve_qos_len(const struct nve_frame *f)
{
	__u32 headers = sizeof(struct nve_eth);
	__u8 proto = 0;
	const __u8 *l4;
	__u32 at;

	if (!f->gso)
		return f->len;
	at = nve_ports_at(f, &proto);
	l4 = f->l3 + at;
	if (!at)
		headers += sizeof(struct nve_ip6) + 20; /* with extension headers: about so many */
	else if (proto == IPPROTO_TCP && (void *)(l4 + 13) <= f->end)
		headers += at + (l4[12] >> 4) * 4;
	else
		headers += at + sizeof(struct nve_udp);
	return f->len + (f->segs - 1) * headers;
}

/* What a packet's DSCP and ECN become: ECN stays. */
static __always_inline __u8 nve_qos_tos(__u8 dscp, __u8 was)
{
	return dscp << 2 | (was & NVE_ECN); /* NVE_MARK_SET falls off at the top */
}

/* Writes it into the frame, if it is IP.  Not where the frame's way is decided, for the verifier
 * would follow all that comes after it once more. */
static __noinline int nve_qos_mark(__u32 proto, void *l3, void *end, __u8 dscp)
{
	__u32 was = nve_tos_read(proto, l3, end);

	if (was >= NVE_TOS_NONE)
		return NVE_FORWARD;
	return nve_tos_write(proto, l3, end, nve_qos_tos(dscp, was));
}

/* A frame from a TSI. */
static __always_inline int nve_qos_from(struct nve_frame *f, bool tc)
{
	const struct nve_tsi_row *from = f->from;

	if (f->in_features & NVE_TSI_METER_IN && !nve_qos_later(f, tc)) {
		int why = nve_qos_meter(from->meter, nve_qos_len(f));

		if (why)
			return why;
	}
	/* Where the VN is uniform, the outer header follows. */
	if (from->dscp && f->tunnel & NVE_TUNNEL_UNIFORM &&
	    (f->proto == NVE_P_IP4 || f->proto == NVE_P_IP6))
		f->tos = nve_qos_tos(from->dscp, f->tos);
	return NVE_FORWARD;
}

/* A unicast frame to a TSI; if it is lost, the loss is that TSI's. */
static __always_inline int nve_qos_to(struct nve_frame *f, bool tc)
{
	const struct nve_tsi_row *to = f->to;

	if (f->out_features & NVE_TSI_METER_OUT && !nve_qos_later(f, tc)) {
		int why = nve_qos_meter(to->meter + 1, nve_qos_len(f));

		if (why) {
			f->who.tsi = f->to_tsi;
			return why;
		}
	}
	if (f->out_features & NVE_TSI_MARK && to->pcp)
		f->tci = (f->tci & NVE_VLAN_DEI) | (to->pcp & 7) << NVE_PCP_SHIFT;
	return NVE_FORWARD;
}
