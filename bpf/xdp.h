/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Carrying out, in XDP: the tag is in the frame, and room is made by moving its start once.  What
 * XDP cannot do (ports that take no redirected frames, replication to such ports) it leaves
 * untouched to the TC program that every port has as well: NVE_TO_HOST.
 */
#pragma once

#include "replicate.h"
#include "too_big.h"

static __always_inline struct nve_frame nve_xdp_frame(struct xdp_md *ctx)
{
	return (struct nve_frame){
		.ctx = ctx,
		.data = (void *)(long)ctx->data,
		.end = (void *)(long)ctx->data_end,
		.len = ctx->data_end - ctx->data,
		.segs = 1,
		.who = { .tsi = NVE_NO_TSI, .ifindex = ctx->ingress_ifindex },
		.to_tsi = NVE_NO_TSI,
	};
}

/* 'outer6' is a constant in each place that this is expanded in. */
static __always_inline int nve_xdp_wrap(struct xdp_md *ctx, struct nve_frame *f, bool outer6)
{
	struct nve_macs macs = nve_macs_take(f->data);
	struct nve_outer outer = nve_outer_of(f, 0);
	int outer_len = outer6 ? NVE_OUTER6_LEN : NVE_OUTER4_LEN;
	void *data;

	if (nve_qos_dscp(f) && nve_qos_mark(f->proto, f->l3, f->end, nve_qos_dscp(f)))
		return NVE_DROP_INTERNAL;
	if (bpf_xdp_adjust_head(ctx, NVE_VLAN_HLEN - outer_len))
		return NVE_DROP_NO_ROOM;
	/* The frame moved: older pointers into it are dead. */
	data = (void *)(long)ctx->data;
	if (data + outer_len + sizeof(struct nve_eth) > (void *)(long)ctx->data_end)
		return NVE_DROP_INTERNAL;
	nve_outer_write(data, f->vtep, &outer, outer6);
	nve_macs_put(data + outer_len, macs);
	return NVE_FORWARD;
}

/* Tag out, tunnel in: the tenant's EtherType stays where it is, all before it is new. */
static __always_inline int nve_xdp_encap(struct xdp_md *ctx, struct nve_frame *f)
{
	struct nve_vtep *vtep = f->vtep;
	int why;

	if (!(vtep->flags & NVE_VTEP_XDP))
		return NVE_TO_HOST;
	why = nve_check_vtep(vtep, f->len);
	if (why)
		return why;
	return nve_vtep_is6(vtep) ? nve_xdp_wrap(ctx, f, true) : nve_xdp_wrap(ctx, f, false);
}

/* Cuts off what is behind the outer packet.  Is rarely there, and may not fail. */
static __always_inline long nve_xdp_cut(struct xdp_md *ctx, const struct nve_frame *f)
{
	return f->trailer ? bpf_xdp_adjust_tail(ctx, -(int)f->trailer) : 0;
}

/* Tunnel out, tag in. */
static __always_inline int nve_xdp_decap(struct xdp_md *ctx, struct nve_frame *f)
{
	struct nve_macs macs;
	struct nve_vlan *tag;
	void *data;

	if (!(f->out_features & NVE_TO_XDP))
		return NVE_TO_HOST;
	if (f->set_tos && nve_tos_write(f->proto, f->l3, f->end, f->set_tos))
		return NVE_DROP_INTERNAL;
	macs = nve_macs_take(f->inner);
	if (nve_xdp_cut(ctx, f) || bpf_xdp_adjust_head(ctx, f->outer_len - NVE_VLAN_HLEN))
		return NVE_DROP_NO_ROOM;
	data = (void *)(long)ctx->data;
	if (data + sizeof(struct nve_eth) + sizeof(*tag) > (void *)(long)ctx->data_end)
		return NVE_DROP_INTERNAL;
	nve_macs_put(data, macs);
	tag = data + 2 * NVE_ETH_ALEN;
	*(__be16 *)tag = NVE_P_8021Q;
	*((__be16 *)tag + 1) = bpf_htons(nve_tci(f));
	return NVE_FORWARD;
}

/* From one local TSI to another: another VID, the same priority. */
static __always_inline int nve_xdp_retag(struct nve_frame *f)
{
	struct nve_vlan *tag = f->data + sizeof(struct nve_eth);

	if (!(f->out_features & NVE_TO_XDP))
		return NVE_TO_HOST;
	if ((void *)(tag + 1) > f->end)
		return NVE_DROP_INTERNAL;
	if (nve_qos_dscp(f) && nve_qos_mark(f->proto, f->l3, f->end, nve_qos_dscp(f)))
		return NVE_DROP_INTERNAL;
	tag->tci = bpf_htons(nve_tci(f));
	return NVE_FORWARD;
}

static __always_inline int nve_xdp_rewrap(struct xdp_md *ctx, struct nve_frame *f, bool outer6)
{
	struct nve_outer outer = nve_outer_of(f, f->ttl - 1);
	int outer_len = outer6 ? NVE_OUTER6_LEN : NVE_OUTER4_LEN;
	int less = f->outer_len - outer_len;
	void *data;

	if (nve_xdp_cut(ctx, f) || (less && bpf_xdp_adjust_head(ctx, less)))
		return NVE_DROP_NO_ROOM;
	data = (void *)(long)ctx->data;
	if (data + outer_len > (void *)(long)ctx->data_end)
		return NVE_DROP_INTERNAL;
	nve_outer_write(data, f->vtep, &outer, outer6);
	return NVE_FORWARD;
}

/* On to the NVE that a TSI moved to: same frame, other outer header, one hop less. */
static __always_inline int nve_xdp_relay(struct xdp_md *ctx, struct nve_frame *f)
{
	int why;

	if (!(f->vtep->flags & NVE_VTEP_XDP))
		return NVE_TO_HOST;
	why = nve_check_vtep(f->vtep, f->len);
	if (why)
		return why;
	return nve_vtep_is6(f->vtep) ? nve_xdp_rewrap(ctx, f, true) : nve_xdp_rewrap(ctx, f, false);
}

/*
 * Replication, for which the frame goes to 'at': a device that leads to xdp_copy.  What is known of
 * the frame is copied: the slow way must not keep the fast one from having it in registers.
 */
static __always_inline int nve_xdp_flood(struct xdp_md *ctx, struct nve_frame *f, bool access)
{
	struct nve_copy c = {
		.vn_id = f->vn_id,
		.tsi = f->who.tsi,
		.ifindex = f->who.ifindex,
		.vid = f->who.vid,
		.head = access ? NVE_VLAN_HLEN : f->outer_len,
		.sport = f->sport,
		.priority = f->tci & ~NVE_VID_MASK,
		.tos = f->tos,
		.tunnel = f->tunnel,
		.to_vteps = access,
	};
	int why;

	f->at.ifindex = nve_copy_loop();
	/* TC's dry run tells of the same copies; and TC knows to leave out those to TSIs (acl.h),
	 * to charge and to mark them (qos.h). */
	if (nve_dry || !f->at.ifindex || f->no_local || f->in_features & NVE_QOS_FROM)
		return NVE_TO_HOST;
	why = nve_copy_ready(&c, f->len);
	if (why)
		return why;
	/* Should it be TC's after all: that marks what is marked already, to no effect. */
	if (!access && f->set_tos && nve_tos_write(f->proto, f->l3, f->end, f->set_tos))
		return NVE_DROP_INTERNAL;
	return nve_copy_begin(ctx, &c, access ? 0 : f->trailer);
}

static __always_inline int nve_xdp_access(struct xdp_md *ctx, struct nve_frame *f)
{
	int why = f->vtep     ? nve_xdp_encap(ctx, f)
		  : f->to     ? nve_xdp_retag(f)
		  : f->answer ? nve_xdp_answer(f)
			      : nve_xdp_flood(ctx, f, true);

	if (why || f->answer)
		return why;
	nve_count_in(f);
	if (f->to)
		nve_count_out(f);
	return NVE_FORWARD;
}

static __always_inline int nve_xdp_underlay(struct xdp_md *ctx, struct nve_frame *f)
{
	int why;

	if (f->vtep)
		return nve_xdp_relay(ctx, f);
	if (!f->to)
		return nve_xdp_flood(ctx, f, false);
	why = nve_xdp_decap(ctx, f);
	if (!why)
		nve_count_out(f);
	return why;
}

/* A port that takes no redirected frames gets its answer in TC. */
static __always_inline int nve_xdp_lost(struct xdp_md *ctx, const struct nve_frame *f, int why)
{
	bool answer = nve_is_too_big(f, why);

	if (answer && !(f->from->port_flags & NVE_PORT_XDP))
		return XDP_PASS;
	nve_acl_end(f);
	nve_drop(why, f->who.tsi, f->to_tsi);
	if (answer && nve_xdp_too_big(ctx, nve_tenant_mtu(f->vtep), f->who.tsi))
		return bpf_redirect(f->who.ifindex, 0);
	return XDP_DROP;
}

static __always_inline int nve_xdp_end(struct xdp_md *ctx, const struct nve_frame *f, int why)
{
	if (why == NVE_TO_HOST)
		return XDP_PASS;
	if (why)
		return nve_xdp_lost(ctx, f, why);
	nve_acl_end(f);
	if (f->answer)
		return bpf_redirect(f->who.ifindex, 0);
	return bpf_redirect(f->vtep ? f->vtep->ifindex : f->at.ifindex, 0);
}
