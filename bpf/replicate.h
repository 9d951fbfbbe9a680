/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * BUM by head-end replication in XDP.  A program there sends one frame, and only the kernel's
 * broadcast into a devmap makes two of it; so copies are made one after the other, on a loop.
 *
 *	access or underlay port --> a ==veth== b: xdp_copy --> the port of the next member
 *	                            ^----------------------'   and, while there are more, the loop
 *
 * 'a' and 'b' are a pair of the agent's.  Each turn writes one member's header or tag over that of
 * the one before, and hands the frame to two devices: a copy leaves, the other comes round for the
 * member after.  What a turn has to know travels in the frame's metadata.  Egress programs of a
 * devmap would save the loop, but run on all frames of a batch or on none, as its first frame has
 * it: beside unicast frames copies would leave unencapsulated.  Here no frame depends on another.
 *
 * A frame whose members are not all behind ports that take XDP redirects is left to TC (flood.h),
 * and so is each that finds the loop full: it may not overflow, for the kernel counts no loss
 *there.
 */
#pragma once

#include "forward.h"

enum {
	NVE_COPY_LEN_MAX = 3072,     /* a clone is one page, with headroom */
	NVE_COPY_NONE = -1,          /* no copy for that member */
	NVE_COPY_STUCK = 1000000000, /* ns: frames that took so long are lost */
};

/* [0]: ifindex of 'a'; 0: there is no loop. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} nve_copier SEC(".maps");

/* CPU -> what is on its part of the loop.  Written by the programs. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NVE_COPY_CPUS);
	__type(key, __u32);
	__type(value, struct nve_copying);
} nve_copying SEC(".maps");

/* Port slot -> { that port, 'a' of the loop }. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 256);
	__type(key, __u32);
	__array(
		values, struct {
			__uint(type, BPF_MAP_TYPE_DEVMAP);
			__uint(max_entries, NVE_COPY_DEVS);
			__type(key, __u32);
			__type(value, __u32);
		});
} nve_copies SEC(".maps");

/* A tenant's two MAC addresses, on their way from one end of the room to the other. */
struct nve_macs {
	__u64 a;
	__u32 b;
};

static __always_inline struct nve_macs nve_macs_take(const void *at)
{
	return (struct nve_macs){ *(const nve_u64 *)at, *(const nve_u32 *)(at + 8) };
}

static __always_inline void nve_macs_put(void *at, struct nve_macs macs)
{
	*(nve_u64 *)at = macs.a;
	*(nve_u32 *)(at + 8) = macs.b;
}

struct nve_copy_run {
	const struct nve_flood *flood;
	struct nve_copy c;
	__u64 after; /* members up to this one had theirs; 0: they are all before c.next */
	__u32 len;   /* of the tenant's frame */
	__u32 at;    /* member that gets the next copy, if 'found' */
	__u32 found;
	__u32 has_member; /* some copy is due */
	__u32 is_tcs;     /* some copy cannot leave by XDP */
};

/* Where frames are put on the loop; 0: nowhere. */
static __always_inline __u32 nve_copy_loop(void)
{
	__u32 zero = 0;
	__u32 *ifindex = bpf_map_lookup_elem(&nve_copier, &zero);

	return ifindex ? *ifindex : 0;
}

/* --- members ---------------------------------------------------------------------------------- */

static __always_inline bool nve_copy_by_xdp(__u32 port)
{
	return bpf_map_lookup_elem(&nve_copies, &port);
}

/* NVE_COPY_NONE, NVE_FORWARD, NVE_TO_HOST (it is TC's), or why the copy is lost. */
static __always_inline int nve_copy_to(const struct nve_copy_run *run, const struct nve_member *m)
{
	__u32 slot = m->slot;
	struct nve_vtep *vtep;
	struct nve_vap_row *vap;
	int why;

	if (m->kind == NVE_DEST_VTEP && run->c.to_vteps) {
		vtep = nve_lookup(vtep, &slot);
		if (!vtep || nve_vtep_is6(vtep) != m->ip6)
			return NVE_DROP_INTERNAL;
		why = nve_check_vtep(vtep, run->len);
		if (why)
			return why;
		return vtep->flags & NVE_VTEP_XDP && nve_copy_by_xdp(vtep->port) ? NVE_FORWARD
										 : NVE_TO_HOST;
	}
	if (m->kind != NVE_DEST_TSI)
		return NVE_COPY_NONE;
	vap = nve_lookup(vap, &slot);
	if (!vap || vap->state != NVE_VAP_LIVE || vap->vn_id != run->c.vn_id || !vap->n_activated)
		return NVE_COPY_NONE;
	if (vap->ifindex == run->c.ifindex && slot % NVE_VID_COUNT == run->c.vid)
		return NVE_COPY_NONE;
	return vap->port_flags & NVE_PORT_XDP && nve_copy_by_xdp(slot / NVE_VID_COUNT)
		       ? NVE_FORWARD
		       : NVE_TO_HOST;
}

static long nve_copy_look(__u32 i, struct nve_copy_run *run)
{
	int why;

	if (i >= run->flood->n)
		return 1;
	why = nve_copy_to(run, &run->flood->members[i & (NVE_FLOOD_MAX - 1)]);
	if (why != NVE_COPY_NONE)
		run->has_member = 1;
	if (why != NVE_TO_HOST)
		return 0;
	run->is_tcs = 1;
	return 1;
}

static __always_inline __u64 nve_copy_order(__u32 kind, __u32 slot)
{
	return (__u64)kind << 32 | slot;
}

/*
 * The list may have changed since the last turn.  It is in order of kinds and slots, so who was in
 * it before and is in it now gets one copy, not two or none.
 */
static __always_inline void nve_copy_resume(struct nve_copy_run *run)
{
	const struct nve_member *m = &run->flood->members[(run->c.next - 1) & (NVE_FLOOD_MAX - 1)];

	if (!run->c.next || (m->slot == run->c.last && m->kind == run->c.last_kind))
		return;
	run->c.next = 0;
	run->after = nve_copy_order(run->c.last_kind, run->c.last);
}

static long nve_copy_find(__u32 i, struct nve_copy_run *run)
{
	const struct nve_member *m;
	__u32 at = run->c.next + i;
	int why;

	if (at >= run->flood->n)
		return 1;
	m = &run->flood->members[at & (NVE_FLOOD_MAX - 1)];
	if (run->after && nve_copy_order(m->kind, m->slot) <= run->after)
		return 0;
	why = nve_copy_to(run, m);
	if (why == NVE_FORWARD) {
		run->at = at;
		run->found = 1;
		return 1;
	}
	if (why == NVE_TO_HOST) /* since the frame came, its port left XDP */
		why = NVE_DROP_REDIRECT;
	if (why != NVE_COPY_NONE)
		nve_count_drop(why, run->c.tsi);
	return 0;
}

/* --- onto the loop ---------------------------------------------------------------------------- */

/* What is on the loop for so long fell off: when the kernel had no memory, say. */
static __always_inline void nve_copy_give_up(struct nve_copying *on, __u64 n)
{
	__u32 why = NVE_DROP_REDIRECT;
	__u64 *drops;

	if (__sync_val_compare_and_swap(&on->n, n, 0) != n)
		return;
	drops = bpf_map_lookup_elem(&nve_drops, &why);
	if (drops)
		*drops += n;
}

static __always_inline bool nve_copy_enter(__u32 cpu)
{
	struct nve_copying *on = bpf_map_lookup_elem(&nve_copying, &cpu);
	__u64 now = bpf_ktime_get_coarse_ns();

	if (!on)
		return false;
	/* Another CPU may have written a time after this one's. */
	if (on->n && (__s64)(now - on->since) > NVE_COPY_STUCK)
		nve_copy_give_up(on, on->n);
	if (on->n >= NVE_COPY_ROOM)
		return false;
	__sync_fetch_and_add(&on->n, 1);
	on->since = now;
	return true;
}

static __always_inline void nve_copy_leave(const struct nve_copy *c)
{
	__u32 cpu = c->cpu;
	struct nve_copying *on = bpf_map_lookup_elem(&nve_copying, &cpu);

	if (!on)
		return;
	if (on->n)
		__sync_fetch_and_add(&on->n, -1);
	on->since = bpf_ktime_get_coarse_ns();
}

/* Whether the frame's copies are XDP's: NVE_FORWARD, NVE_TO_HOST, or why there are none. */
static __noinline int nve_copy_ready(const struct nve_copy *c, __u32 len)
{
	struct nve_copy_run run = { .c = *c, .len = len };

	if (len > NVE_COPY_LEN_MAX)
		return NVE_TO_HOST;
	run.flood = nve_lookup(flood, &run.c.vn_id);
	if (!run.flood)
		return NVE_DROP_NO_MEMBER;
	bpf_loop(NVE_FLOOD_MAX, nve_copy_look, &run, 0);
	return run.is_tcs ? NVE_TO_HOST : run.has_member ? NVE_FORWARD : NVE_DROP_NO_MEMBER;
}

static __always_inline int nve_copy_prepare(struct xdp_md *ctx, const struct nve_copy *c,
					    __u32 trailer)
{
	long had = (long)ctx->data - (long)ctx->data_meta;
	struct nve_copy *meta;

	/* Room for the longest header is made sure of now, so that no turn is short of it. */
	if (bpf_xdp_adjust_meta(ctx, had - (int)sizeof(*meta)) ||
	    bpf_xdp_adjust_head(ctx, -NVE_OUTER6_LEN))
		return NVE_TO_HOST;
	if (bpf_xdp_adjust_head(ctx, NVE_OUTER6_LEN) ||
	    (trailer && bpf_xdp_adjust_tail(ctx, -(int)trailer)))
		return NVE_DROP_NO_ROOM;
	meta = (void *)(long)ctx->data_meta;
	if ((void *)(meta + 1) > (void *)(long)ctx->data)
		return NVE_DROP_INTERNAL;
	*meta = *c;
	return NVE_FORWARD;
}

/* Gives the frame to the loop, or leaves it as it is (NVE_TO_HOST). */
static __noinline int nve_copy_begin(struct xdp_md *ctx, struct nve_copy *c, __u32 trailer)
{
	int why;

	c->cpu = bpf_get_smp_processor_id();
	if (!nve_copy_enter(c->cpu))
		return NVE_TO_HOST;
	why = nve_copy_prepare(ctx, c, trailer);
	if (!why && c->to_vteps)
		why = nve_bum_rate(c->vn_id, 1);
	if (why)
		nve_copy_leave(c);
	return why;
}

/* --- a turn of the loop ----------------------------------------------------------------------- */

/* A tag is taken out: what of the tenant's frame it displaced goes back to its place. */
static __always_inline int nve_copy_untag(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;

	if (data + NVE_VLAN_HLEN + 2 * NVE_ETH_ALEN > (void *)(long)ctx->data_end)
		return NVE_DROP_INTERNAL;
	nve_macs_put(data + NVE_VLAN_HLEN, nve_macs_take(data));
	return NVE_FORWARD;
}

static __always_inline int nve_copy_tag(struct xdp_md *ctx, const struct nve_copy *c, __u16 vid)
{
	struct nve_vlan *tag;
	void *data;

	if (bpf_xdp_adjust_head(ctx, c->head - NVE_VLAN_HLEN))
		return NVE_DROP_NO_ROOM;
	data = (void *)(long)ctx->data;
	if (data + NVE_VLAN_HLEN + sizeof(struct nve_eth) > (void *)(long)ctx->data_end)
		return NVE_DROP_INTERNAL;
	nve_macs_put(data, nve_macs_take(data + NVE_VLAN_HLEN));
	tag = data + 2 * NVE_ETH_ALEN;
	*(__be16 *)tag = NVE_P_8021Q;
	*((__be16 *)tag + 1) = bpf_htons(c->priority | vid);
	return NVE_FORWARD;
}

static __always_inline int nve_copy_wrap(struct xdp_md *ctx, const struct nve_copy_run *run,
					 const struct nve_vtep *vtep, bool outer6)
{
	const int outer_len = outer6 ? NVE_OUTER6_LEN : NVE_OUTER4_LEN;
	const struct nve_outer outer = {
		.len = run->len,
		.vni = run->flood->vni,
		.sport = run->c.sport,
		.tos = run->c.tos,
		.tunnel = run->c.tunnel,
	};
	void *data;

	if (bpf_xdp_adjust_head(ctx, run->c.head - outer_len))
		return NVE_DROP_NO_ROOM;
	data = (void *)(long)ctx->data;
	if (data + outer_len > (void *)(long)ctx->data_end)
		return NVE_DROP_INTERNAL;
	nve_outer_write(data, vtep, &outer, outer6);
	return NVE_FORWARD;
}

struct nve_copy_out {
	__u32 port; /* slot */
	__u16 head; /* that the copy has */
};

/* Makes the frame the copy for the member at run->at. */
static __always_inline int nve_copy_make(struct xdp_md *ctx, const struct nve_copy_run *run,
					 struct nve_copy_out *out)
{
	const struct nve_member *m = &run->flood->members[run->at & (NVE_FLOOD_MAX - 1)];
	__u32 slot = m->slot;
	struct nve_vtep *vtep;

	if (m->kind == NVE_DEST_TSI) {
		*out = (struct nve_copy_out){ slot / NVE_VID_COUNT, NVE_VLAN_HLEN };
		return nve_copy_tag(ctx, &run->c, slot % NVE_VID_COUNT);
	}
	vtep = bpf_map_lookup_elem(&nve_vtep, &slot);
	if (!vtep)
		return NVE_DROP_INTERNAL;
	out->port = vtep->port;
	if (nve_vtep_is6(vtep)) {
		out->head = NVE_OUTER6_LEN;
		return nve_copy_wrap(ctx, run, vtep, true);
	}
	out->head = NVE_OUTER4_LEN;
	return nve_copy_wrap(ctx, run, vtep, false);
}

/* The copy leaves, and unless it was the last one the frame goes round once more. */
static __always_inline int nve_copy_go(struct xdp_md *ctx, const struct nve_copy_run *run,
				       const struct nve_copy_out *out)
{
	const struct nve_member *m = &run->flood->members[run->at & (NVE_FLOOD_MAX - 1)];
	struct nve_copy *meta = (void *)(long)ctx->data_meta;
	__u32 port = out->port, at = NVE_COPY_PORT;
	void *both = bpf_map_lookup_elem(&nve_copies, &port);

	if (!both || (void *)(meta + 1) > (void *)(long)ctx->data)
		return XDP_ABORTED;
	if (run->at + 1 >= run->flood->n)
		return bpf_redirect_map(both, NVE_COPY_PORT, XDP_ABORTED);
	meta->next = run->at + 1;
	meta->last = m->slot;
	meta->last_kind = m->kind;
	meta->head = out->head;
	if (bpf_map_lookup_elem(both, &at))
		return bpf_redirect_map(both, 0, BPF_F_BROADCAST);
	nve_count_drop(NVE_DROP_REDIRECT,
		       run->c.tsi); /* the port went, the row has yet to follow */
	return bpf_redirect_map(both, NVE_COPY_LOOP, XDP_ABORTED);
}

static __always_inline int nve_copy_end(const struct nve_copy_run *run, int why)
{
	nve_copy_leave(&run->c);
	if (why)
		nve_count_drop(why, run->c.tsi);
	return XDP_DROP;
}

static __always_inline int nve_copy_turn(struct xdp_md *ctx)
{
	struct nve_copy *meta = (void *)(long)ctx->data_meta;
	struct nve_copy_out out = { 0 };
	struct nve_copy_run run = { 0 };
	long len = (long)ctx->data_end - (long)ctx->data;
	int r;

	/* The host itself may send into the loop's devices: nothing of ours. */
	if ((void *)(meta + 1) > (void *)(long)ctx->data)
		return XDP_DROP;
	run.c = *meta;
	barrier_var(len); /* else clang reckons with halves of pointers */
	run.len = len - run.c.head;
	run.flood = bpf_map_lookup_elem(&nve_flood, &run.c.vn_id);
	if (!run.flood) /* the VN went, and its members with it */
		return nve_copy_end(&run, NVE_FORWARD);
	nve_copy_resume(&run);
	bpf_loop(NVE_FLOOD_MAX, nve_copy_find, &run, 0);
	if (!run.found)
		return nve_copy_end(&run, NVE_FORWARD);
	r = run.c.head == NVE_VLAN_HLEN ? nve_copy_untag(ctx) : NVE_FORWARD;
	r = r ?: nve_copy_make(ctx, &run, &out);
	if (r)
		return nve_copy_end(&run, r);
	r = nve_copy_go(ctx, &run, &out);
	if (r == XDP_ABORTED)
		return nve_copy_end(&run, NVE_DROP_REDIRECT);
	if (run.at + 1 >= run.flood->n)
		nve_copy_leave(&run.c);
	return r;
}
