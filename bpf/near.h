/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The short way: near (near_abi.h) instead of src, tsi, fdb and peer.
 *
 * Entries change under frames that read them.  The agent writes key 0, then the rest with another
 * 'seq', and the key last; here key and 'what' are read before and after the rest, so what was read
 * is of one entry: that x86 neither reorders loads nor stores is what this rests on, and on other
 * machines the agent publishes nothing.  An entry withdrawn just after it was read is that of a
 * frame that came a moment earlier.
 *
 * A frame from a hypervisor takes the short way as a whole or not at all: whatever is not plain
 * IPv4 from the MAC's one address to a known MAC is judged by the long way, with its exact reasons.
 */
#pragma once

#include "frame.h"

/* By value, so that the key needs no stack of its caller's. */
static __noinline int nve_trace_near(__u64 key)
{
	return nve_trace_step(NVE_TRACED_near, &key, sizeof(key));
}

struct nve_near_hit {
	union nve_where place;
	__u32 slot;
	__u8 kind;
	__u8 flags;
	__be32 ip4;
	__u32 net;
	struct nve_tsi_stats *line; /* NULL: it has none */
};

static __always_inline __u64 nve_near_mac(const __u8 *mac)
{
	return (__u64)((const nve_u16 *)mac)[2] << 32 | *(const nve_u32 *)mac;
}

static __always_inline __u64 nve_near_key(__u32 number, const __u8 *mac)
{
	return (__u64)number << 48 | nve_near_mac(mac);
}

static __always_inline struct nve_near_bucket *nve_near_bucket(__u64 half)
{
	__u32 at = half & nve_near_mask;

	return bpf_map_lookup_elem(&nve_near, &at);
}

/* The cache line that a later lookup will most likely need: so that two are under way at once. */
static __always_inline void nve_near_touch(__u64 hash)
{
	struct nve_near_bucket *b = nve_near_bucket(hash >> 32);

	if (b)
		(void)*(volatile __u64 *)&b->e[0].key;
}

static __always_inline bool nve_near_in(__u64 half, __u64 key, struct nve_near_hit *hit)
{
	struct nve_near_bucket *b = nve_near_bucket(half);
	struct nve_near_entry *e;
	volatile __u64 *w;
	__u64 differs, what, net;

	if (!b)
		return false;
	/* Which of the two is no better than a coin to the branch predictor: 1 if not the second.
	 */
	differs = *(volatile __u64 *)&b->e[1].key ^ key;
	differs = (differs | -differs) >> 63;
	barrier_var(differs);
	e = &b->e[1 - (differs & 1)];
	w = (volatile __u64 *)(void *)e;
	if (w[0] != key)
		return false;
	what = w[2];
	hit->place.word = w[1];
	net = w[3];
	if (w[0] != key || w[2] != what)
		return false;
	hit->slot = what;
	hit->kind = what >> 32;
	hit->flags = what >> 40;
	hit->ip4 = net;
	hit->net = net >> 32;
	hit->line = NULL;
	return true;
}

static __always_inline bool nve_near_find(__u64 key, __u64 hash, struct nve_near_hit *hit)
{
	if (nve_dry)
		nve_trace_near(key);
	return nve_near_in(hash >> 32, key, hit) || nve_near_in(hash, key, hit);
}

/* --- TSIs, most of whom have lines ---------------------------------------------------------------
 */

struct nve_lines {
	struct nve_tsi_stats *a, *b;
};

static __always_inline struct nve_tsi_stats *nve_line(__u32 at)
{
	return bpf_map_lookup_elem(&nve_tsi_stats, &at);
}

/* The two lines that may be the one; they are under way from here on. */
static __always_inline struct nve_lines nve_lines_of(__u32 vni, const __u8 *mac)
{
	__u64 hash = nve_line_hash(vni, nve_near_mac(mac), nve_near_seed);
	__u32 first = nve_cpu_row();
	struct nve_lines lines = {
		.a = nve_line(first + nve_line_at(hash, nve_n_lines, 0)),
		.b = nve_line(first + nve_line_at(hash, nve_n_lines, 1)),
	};

	if (!lines.a || !lines.b)
		return (struct nve_lines){ 0 };
	(void)*(volatile __u64 *)&lines.a->key;
	(void)*(volatile __u64 *)&lines.b->key;
	return lines;
}

static __always_inline bool nve_line_find(__u64 key, struct nve_lines lines,
					  struct nve_near_hit *hit)
{
	struct nve_tsi_stats *s = lines.a;
	volatile __u64 *w;
	__u64 who, net;

	if (!s)
		return false;
	if (*(volatile __u64 *)&s->key != key)
		s = lines.b;
	if (!s)
		return false;
	w = (volatile __u64 *)(void *)s;
	if (w[0] != key)
		return false;
	who = *(volatile __u32 *)&s->who;
	hit->place.word = w[1];
	net = w[3];
	if (w[0] != key || *(volatile __u32 *)&s->who != who)
		return false;
	hit->slot = NVE_LINE_SLOT(who);
	hit->kind = NVE_NEAR_TSI;
	hit->ip4 = net;
	hit->net = net >> 32;
	hit->flags = hit->net >> NVE_LINE_FLAGS_SHIFT & 0x3f;
	hit->line = nve_dry ? NULL : s;
	return true;
}

/* To whom a frame goes, of what was found for its destination's MAC. */
static __always_inline bool nve_near_to(struct nve_frame *f, const struct nve_near_hit *hit)
{
	__u32 slot = hit->slot;

	f->to = NULL;
	f->vtep = NULL;
	if (hit->kind == NVE_NEAR_VTEP) {
		f->vtep = nve_lookup(vtep, &slot);
		return f->vtep;
	}
	/* For its address alone: the record's line is not touched. */
	f->to = bpf_map_lookup_elem(&nve_tsi, &slot);
	if (!f->to)
		return false;
	f->to_tsi = slot;
	f->to_stats = hit->line;
	f->at = hit->place;
	f->out_features = hit->flags & NVE_NEAR_XDP ? NVE_TO_XDP : 0;
	return true;
}

/* The lines first, then near: for those to whom no line was left, and for all else. */
static __always_inline bool nve_near_tsi(__u64 key, struct nve_lines lines,
					 struct nve_near_hit *hit)
{
	if (nve_line_find(key, lines, hit)) {
		if (nve_dry)
			nve_trace_near(key);
		return true;
	}
	return nve_near_find(key, nve_near_hash(key, nve_near_seed), hit);
}

/* Is this the frame's place, and its IPv4 source the MAC's?  'ip' is within the frame. */
static __always_inline bool nve_near_owns(const struct nve_frame *f, const struct nve_near_hit *hit,
					  const struct nve_ip4 *ip)
{
	if (hit->kind != NVE_NEAR_TSI || hit->place.ifindex != f->who.ifindex ||
	    hit->place.vid != f->who.vid)
		return false;
	return !(hit->flags & NVE_NEAR_FILTER_IP) ||
	       (hit->flags & NVE_NEAR_IP4 && ip->saddr == hit->ip4);
}

/* Source filter and destination at once; false: nothing is known yet. */
static __always_inline bool nve_near_access(struct nve_frame *f, const struct nve_eth *eth)
{
	__u32 at = f->who.ifindex % NVE_NEAR_PORTS * NVE_VID_COUNT + f->who.vid;
	const struct nve_ip4 *ip = f->l3;
	struct nve_near_hit from, to;
	struct nve_near_vn *row;
	struct nve_lines lines;
	__u64 vn, src, dst, dst_hash;
	__u32 slot, vni;

	if (f->proto != NVE_P_IP4 || (void *)(ip + 1) > f->end || eth->dst[0] & 1)
		return false;
	row = bpf_map_lookup_elem(&nve_near_vn, &at);
	if (!row)
		return false;
	vn = *(volatile __u64 *)(void *)row;
	if (!vn)
		return false;
	vni = vn >> 16 & 0xffffff;
	lines = nve_lines_of(vni, f->who.mac);
	dst = nve_near_key(vn & 0xffff, eth->dst);
	dst_hash = nve_near_hash(dst, nve_near_seed);
	if (!nve_dry)
		nve_near_touch(dst_hash);
	src = nve_near_key(vn & 0xffff, f->who.mac);
	if (!nve_near_tsi(src, lines, &from) || !nve_near_owns(f, &from, ip))
		return false;
	slot = from.slot;
	f->from = bpf_map_lookup_elem(&nve_tsi, &slot);
	if (!f->from)
		return false;
	nve_stats_touch(f, from.line ?: nve_stats(slot));
	barrier_var(vn); /* made again rather than kept: there is no stack to spare */
	dst = nve_near_key(vn & 0xffff, eth->dst);
	if (nve_dry)
		dst_hash = nve_near_hash(dst, nve_near_seed);
	if (!nve_near_find(dst, dst_hash, &to) &&
	    !nve_line_find(dst, nve_lines_of(vni, eth->dst), &to))
		return false;
	if (!nve_near_to(f, &to))
		return false;
	f->who.tsi = slot;
	f->vn_id = vn >> 40;
	f->vni = from.net >> 8;
	f->tunnel = from.net & NVE_LINE_TUNNEL;
	return true;
}

/* A known VTEP of a VN with that encapsulation: the VN. */
static __always_inline bool nve_near_peer(struct nve_frame *f, __be32 ip)
{
	__u64 key = NVE_NEAR_PEER_KEY(f->vni, ip);
	struct nve_near_hit hit;

	if (!nve_near_find(key, nve_near_hash(key, nve_near_seed), &hit) ||
	    (hit.net ^ f->tunnel) & NVE_TUNNEL_GENEVE)
		return false;
	f->tunnel = hit.net;
	f->vn_id = hit.place.word;
	f->near_vn = hit.slot;
	return true;
}

/* The destination of a frame from the underlay. */
static __always_inline bool nve_near_underlay(struct nve_frame *f, const struct nve_eth *eth)
{
	struct nve_near_hit to;
	__u64 dst;

	if (!f->near_vn || eth->dst[0] & 1)
		return false;
	dst = nve_near_key(f->near_vn, eth->dst);
	return nve_near_tsi(dst, nve_lines_of(f->vni, eth->dst), &to) && nve_near_to(f, &to);
}
