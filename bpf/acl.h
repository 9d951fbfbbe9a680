/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The rules of the VN's profile (S3): the first that matches a frame decides.  How a set of rules
 * is looked up is said in nve_abi.h.  All of it is out of line and behind a bit of the TSI's row,
 * so that a VN without rules pays for one test.
 *
 * Headers are read by helper: in TC they may lie beyond the linear head.  What cannot be judged is
 * lost: a first fragment that ends before its ports (RFC 1858), a header that is cut off, more
 * than NVE_EXT_MAX extension headers.  Later fragments have no ports, so no rule on ports matches
 * them; without the first one they are of no use to anybody.
 */
#pragma once

#include "access.h"

/*
 * What a run works on.  Not on the stack, which is too small, and of which the verifier would
 * follow every value through every turn of a loop.  Programs are not interrupted by one another.
 */
struct nve_acl_work {
	/* Asked. */
	__u32 slot;
	__u32 ways; /* NVE_ACL_IN, NVE_ACL_OUT */
	__u32 eth, l3;
	__u32 proto; /* EtherType of what is at 'l3', in network order */
	/* Said: enum nve_drop but for what the rules say; and that, by way (see nve_acl_find). */
	__u32 why;
	__u32 said[2];

	__u64 key[NVE_ACL_DIMS][2]; /* the frame's values */
	__u8 bytes[40];             /* of the header that is looked at */
	__u32 next, at, later;      /* of a chain of IPv6 headers */

	__u32 way;
	__u64 search[2];
	__u32 from, n;            /* the interval is one of these cells */
	__u32 used[NVE_ACL_DIMS]; /* not 0: some rule looks at it */
	__u64 summary[NVE_ACL_DIMS];
	__u32 words[NVE_ACL_DIMS];
	__u64 left; /* words that all have, not yet looked at */
	__u64 bits; /* that all have of the word */
	__u32 word;
	__u32 hit; /* the rule, or NVE_ACL_RULES */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nve_acl_work);
} nve_acl_work SEC(".maps");

/* What nve_acl_find() says: the row that counts plus 1, and whether the frame may not pass. */
enum { NVE_ACL_ROW_MASK = 0xffff, NVE_ACL_DENIES = 1 << 16 };
enum { NVE_ACL_IN = 1, NVE_ACL_OUT = 2 };

static __always_inline struct nve_acl_work *nve_acl_working(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&nve_acl_work, &zero);
}

static __always_inline __u32 nve_popcount(__u64 x)
{
	x -= x >> 1 & 0x5555555555555555ull;
	x = (x & 0x3333333333333333ull) + (x >> 2 & 0x3333333333333333ull);
	x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0full;
	return x * 0x0101010101010101ull >> 56;
}

/* The number of the lowest bit. */
static __always_inline __u32 nve_lowest(__u64 x)
{
	return nve_popcount((x & -x) - 1);
}

/* --- looking up ------------------------------------------------------------------------------- */

struct nve_acl_run {
	void *set;
	struct nve_acl_work *w;
};

static __always_inline union nve_acl_cell *nve_acl_cell(const struct nve_acl_run *run, __u32 at)
{
	return bpf_map_lookup_elem(run->set, &at);
}

static long nve_acl_halve(__u32 i, const struct nve_acl_run *run)
{
	struct nve_acl_work *w = run->w;
	__u32 half = w->n / 2;
	union nve_acl_cell *cell;

	if (!half)
		return 1;
	cell = nve_acl_cell(run, w->from + half);
	if (!cell)
		return 1;
	if (cell->interval.from[0] < w->search[0] ||
	    (cell->interval.from[0] == w->search[0] && cell->interval.from[1] <= w->search[1])) {
		w->from += half;
		w->n -= half;
	} else {
		w->n = half;
	}
	return 0;
}

/* The interval of one dimension that the frame is in. */
static long nve_acl_dim(__u32 dim, const struct nve_acl_run *run)
{
	struct nve_acl_work *w = run->w;
	union nve_acl_cell *cell;

	if (dim >= NVE_ACL_DIMS)
		return 1;
	cell = nve_acl_cell(run, NVE_ACL_AT_RANGES + w->way * NVE_ACL_RANGE_CELLS + dim / 4);
	if (!cell)
		return 1;
	w->from = cell->ranges[dim & 3].at;
	w->n = cell->ranges[dim & 3].n;
	w->used[dim] = w->n;
	if (!w->n)
		return 0;
	w->search[0] = w->key[dim][0];
	w->search[1] = w->key[dim][1];
	bpf_loop(NVE_ACL_STEPS, nve_acl_halve, (void *)run, 0);
	cell = nve_acl_cell(run, w->from);
	w->summary[dim] = cell ? cell->interval.summary : 0;
	w->words[dim] = cell ? cell->interval.words : 0;
	w->left &= w->summary[dim];
	return 0;
}

/* The word of one dimension: its rank among those that are there says where it is. */
static long nve_acl_word_of(__u32 dim, const struct nve_acl_run *run)
{
	struct nve_acl_work *w = run->w;
	union nve_acl_cell *cell;
	__u32 word;

	if (dim >= NVE_ACL_DIMS)
		return 1;
	if (!w->used[dim])
		return 0;
	word = w->words[dim] + nve_popcount(w->summary[dim] & ((1ull << (w->word & 63)) - 1));
	cell = nve_acl_cell(run, word / 4);
	w->bits &= cell ? cell->words[word & 3] : 0;
	return 0;
}

/* The next word in which all may have a bit in common. */
static long nve_acl_word(__u32 i, const struct nve_acl_run *run)
{
	struct nve_acl_work *w = run->w;

	if (!w->left)
		return 1;
	w->word = nve_lowest(w->left);
	w->left &= w->left - 1;
	w->bits = ~0ull;
	bpf_loop(NVE_ACL_DIMS, nve_acl_word_of, (void *)run, 0);
	if (!w->bits)
		return 0;
	w->hit = w->word * 64 + nve_lowest(w->bits);
	return 1;
}

static __always_inline __u32 nve_acl_verdict(const struct nve_acl_run *run)
{
	union nve_acl_cell *cell = nve_acl_cell(run, 0);
	__u32 hit = run->w->hit, row;
	bool deny;

	if (!cell)
		return 0;
	row = cell->head.rows + 1;
	if (hit >= NVE_ACL_RULES) {
		row += cell->head.n_rules;
		return (row & NVE_ACL_ROW_MASK) | (cell->head.deny ? NVE_ACL_DENIES : 0);
	}
	cell = nve_acl_cell(run, NVE_ACL_AT_DENY + hit / 256);
	deny = !cell || cell->words[hit / 64 & 3] >> (hit & 63) & 1;
	return ((row + hit) & NVE_ACL_ROW_MASK) | (deny ? NVE_ACL_DENIES : 0);
}

/*
 * What the rules say of the frame that was read, on that way; 0: there is no such set.  Not static,
 * so that it is verified once.
 */
__noinline __u32 nve_acl_find(__u32 slot, __u32 way)
{
	struct nve_acl_run run = { .w = nve_acl_working() };
	__u32 said, row;

	run.set = bpf_map_lookup_elem(&nve_acl_set, &slot);
	if (!run.w || !run.set)
		return 0;
	run.w->way = way;
	run.w->left = ~0ull;
	run.w->hit = NVE_ACL_RULES;
	bpf_loop(NVE_ACL_DIMS, nve_acl_dim, &run, 0);
	bpf_loop(NVE_ACL_RULES / 64, nve_acl_word, &run, 0);
	said = nve_acl_verdict(&run);
	if (nve_dry && said) {
		row = (said & NVE_ACL_ROW_MASK) - 1;
		nve_trace_step(NVE_TRACED_acl, &row, sizeof(row));
	}
	return said;
}

/* --- reading the frame ------------------------------------------------------------------------ */

static __always_inline bool nve_acl_load(void *ctx, bool tc, __u32 at, void *to, __u32 len)
{
	return !(tc ? bpf_skb_load_bytes(ctx, at, to, len) : bpf_xdp_load_bytes(ctx, at, to, len));
}

static __always_inline __u64 nve_mac_number(const __u8 *mac)
{
	__u64 hi = bpf_ntohs(((const nve_u16 *)mac)[0]), mid = bpf_ntohs(((const nve_u16 *)mac)[1]);

	return hi << 32 | mid << 16 | bpf_ntohs(((const nve_u16 *)mac)[2]);
}

static __always_inline void nve_acl_key4(__u64 *key, __be32 addr)
{
	key[0] = 0;
	key[1] = 0xffffull << 32 | bpf_ntohl(addr);
}

static __always_inline void nve_acl_key6(__u64 *key, const void *ip)
{
	key[0] = bpf_be64_to_cpu(((const nve_u64 *)ip)[0]);
	key[1] = bpf_be64_to_cpu(((const nve_u64 *)ip)[1]);
}

/*
 * Whether a protocol is one of two sets: below 64, and from 128 to 191.  Sets, because a comparison
 * with each number would be a path for the verifier.
 */
static __always_inline bool nve_one_of(__u32 proto, __u64 low, __u64 high)
{
	__u64 set = proto & 128 ? high : low;

	return !(proto & 64) && set >> (proto & 63) & 1;
}

/* TCP, UDP, DCCP, SCTP, UDP-Lite: the ports come first. */
static __always_inline bool nve_has_ports(__u32 proto)
{
	return nve_one_of(proto, 1ull << IPPROTO_TCP | 1ull << IPPROTO_UDP | 1ull << 33,
			  1ull << (132 - 128) | 1ull << (136 - 128));
}

/* What is behind the IP header, at 'at'. */
static __always_inline int nve_acl_ports(struct nve_acl_work *w, void *ctx, bool tc, __u32 at,
					 __u8 proto)
{
	w->key[NVE_ACL_PROTOCOL][1] = proto;
	if (!nve_has_ports(proto))
		return NVE_FORWARD;
	if (!nve_acl_load(ctx, tc, at, w->bytes, 4))
		return NVE_DROP_SHORT;
	w->key[NVE_ACL_SRC_PORT][1] = bpf_ntohs(*(nve_u16 *)w->bytes);
	w->key[NVE_ACL_DST_PORT][1] = bpf_ntohs(*(nve_u16 *)(w->bytes + 2));
	return NVE_FORWARD;
}

static __always_inline int nve_acl_read4(struct nve_acl_work *w, void *ctx, bool tc, __u32 at)
{
	struct nve_ip4 *ip = (void *)w->bytes;
	__u32 len;

	if (!nve_acl_load(ctx, tc, at, ip, sizeof(*ip)))
		return NVE_DROP_SHORT;
	len = (ip->version_ihl & 15) * 4;
	if (len < sizeof(*ip))
		return NVE_DROP_SHORT;
	nve_acl_key4(w->key[NVE_ACL_SRC_IP], ip->saddr);
	nve_acl_key4(w->key[NVE_ACL_DST_IP], ip->daddr);
	if (ip->frag_off & NVE_IP4_OFFSET) {
		w->key[NVE_ACL_PROTOCOL][1] = ip->protocol;
		return NVE_FORWARD;
	}
	return nve_acl_ports(w, ctx, tc, at + len, ip->protocol);
}

/* Hop-by-hop, routing, fragment, authentication, destination options, mobility, HIP, shim6. */
static __always_inline bool nve_is_ext(__u32 next)
{
	return nve_one_of(next, 1ull | 1ull << 43 | 1ull << 44 | 1ull << 51 | 1ull << 60,
			  1ull << (135 - 128) | 1ull << (139 - 128) | 1ull << (140 - 128));
}

struct nve_acl_chain {
	void *ctx;
	struct nve_acl_work *w;
};

static __always_inline long nve_acl_ext(const struct nve_acl_chain *c, bool tc)
{
	struct nve_acl_work *w = c->w;
	struct nve_ip6_ext *ext = (void *)w->bytes;
	__u32 words = 2;

	if (w->later || !nve_is_ext(w->next))
		return 1;
	if (!nve_acl_load(c->ctx, tc, w->at, ext, sizeof(*ext))) {
		w->why = NVE_DROP_SHORT;
		return 1;
	}
	if (w->next == 51)
		words = ext->len + 2;
	else if (w->next != 44)
		words = (ext->len + 1) * 2;
	else
		w->later = !!(ext->frag_off & NVE_IP6_OFFSET);
	w->at += words * 4;
	w->next = ext->nexthdr;
	return 0;
}

static long nve_acl_ext_xdp(__u32 i, const struct nve_acl_chain *c)
{
	return nve_acl_ext(c, false);
}

static long nve_acl_ext_tc(__u32 i, const struct nve_acl_chain *c)
{
	return nve_acl_ext(c, true);
}

static __always_inline int nve_acl_read6(struct nve_acl_work *w, void *ctx, bool tc, __u32 at)
{
	struct nve_acl_chain c = { .ctx = ctx, .w = w };
	struct nve_ip6 *ip = (void *)w->bytes;

	if (!nve_acl_load(ctx, tc, at, ip, sizeof(*ip)))
		return NVE_DROP_SHORT;
	nve_acl_key6(w->key[NVE_ACL_SRC_IP], ip->saddr);
	nve_acl_key6(w->key[NVE_ACL_DST_IP], ip->daddr);
	w->next = ip->nexthdr;
	w->at = at + sizeof(*ip);
	w->later = 0;
	w->why = NVE_FORWARD;
	bpf_loop(NVE_EXT_MAX, tc ? nve_acl_ext_tc : nve_acl_ext_xdp, &c, 0);
	if (w->why)
		return w->why;
	if (w->later) {
		w->key[NVE_ACL_PROTOCOL][1] = w->next;
		return NVE_FORWARD;
	}
	return nve_is_ext(w->next) ? NVE_DROP_ACL : nve_acl_ports(w, ctx, tc, w->at, w->next);
}

static __always_inline int nve_acl_read(struct nve_acl_work *w, void *ctx, bool tc)
{
	__be16 proto = w->proto;

	__builtin_memset(w->key, 0, sizeof(w->key));
	if (!nve_acl_load(ctx, tc, w->eth, w->bytes, 2 * NVE_ETH_ALEN))
		return NVE_DROP_SHORT;
	w->key[NVE_ACL_DST_MAC][1] = nve_mac_number(w->bytes);
	w->key[NVE_ACL_SRC_MAC][1] = nve_mac_number(w->bytes + NVE_ETH_ALEN);
	w->key[NVE_ACL_TYPE][1] = bpf_ntohs(proto);
	w->key[NVE_ACL_PROTOCOL][1] = NVE_ACL_NO_PROTOCOL;
	w->key[NVE_ACL_SRC_PORT][1] = NVE_ACL_NO_PORT;
	w->key[NVE_ACL_DST_PORT][1] = NVE_ACL_NO_PORT;
	if (proto == NVE_P_IP4)
		return nve_acl_read4(w, ctx, tc, w->l3);
	return proto == NVE_P_IP6 ? nve_acl_read6(w, ctx, tc, w->l3) : NVE_FORWARD;
}

/* --- the check -------------------------------------------------------------------------------- */

static __always_inline int nve_acl_judge(void *ctx, bool tc)
{
	struct nve_acl_work *w = nve_acl_working();
	__u32 why;

	if (!w)
		return 0;
	w->said[0] = w->said[1] = 0;
	why = nve_acl_read(w, ctx, tc);
	if (!why && w->ways & NVE_ACL_IN) {
		w->said[0] = nve_acl_find(w->slot, NVE_ACL_WAY_IN);
		if (!w->said[0])
			why = NVE_DROP_INTERNAL;
	}
	/* What a TSI may not send nobody gets: no rule of the other way is met. */
	if (!why && w->ways & NVE_ACL_OUT && !(w->said[0] & NVE_ACL_DENIES)) {
		w->said[1] = nve_acl_find(w->slot, NVE_ACL_WAY_OUT);
		if (!w->said[1])
			why = NVE_DROP_INTERNAL;
	}
	w->why = why;
	return 0;
}

/* Not static either, for the same reason: who calls them has to expect anything. */
__noinline int nve_acl_xdp(struct xdp_md *ctx)
{
	return nve_acl_judge(ctx, false);
}

__noinline int nve_acl_tc(struct __sk_buff *ctx)
{
	return nve_acl_judge(ctx, true);
}

/* 'tc' is a constant; 'no_local' is set where it may not go to TSIs; it may go to VTEPs then. */
static __always_inline int nve_acl_check(struct nve_frame *f, bool tc, __u32 slot, __u32 ways,
					 __u32 eth, __u32 l3)
{
	struct nve_acl_work *w = nve_acl_working();

	if (!w)
		return NVE_DROP_INTERNAL;
	w->slot = slot;
	w->ways = ways;
	w->eth = eth;
	w->l3 = l3;
	w->proto = f->proto;
	if (tc)
		nve_acl_tc(f->ctx);
	else
		nve_acl_xdp(f->ctx);
	f->acl = true;
	f->no_local = w->said[1] & NVE_ACL_DENIES;
	if (w->why)
		return w->why;
	return w->said[0] & NVE_ACL_DENIES ? NVE_DROP_ACL : NVE_FORWARD;
}

/* A frame from a TSI, to one, to a VTEP, or to be flooded. */
static __always_inline int nve_acl_access(struct nve_frame *f, bool tc)
{
	__u32 ways = NVE_ACL_IN;
	int why;

	if (!f->vtep)
		ways |= NVE_ACL_OUT;
	why = nve_acl_check(f, tc, f->from->acl, ways, 0,
			    sizeof(struct nve_eth) + (f->tag_in_meta ? 0 : NVE_VLAN_HLEN));
	return why ?: f->to && f->no_local ? NVE_DROP_ACL : NVE_FORWARD;
}

/* A frame from the underlay, to a TSI or to be flooded. */
static __always_inline int nve_acl_underlay(struct nve_frame *f, bool tc, __u32 slot)
{
	int why = nve_acl_check(f, tc, slot, NVE_ACL_OUT, f->outer_len,
				f->outer_len + sizeof(struct nve_eth));

	return why ?: f->no_local ? NVE_DROP_ACL : NVE_FORWARD;
}

static __always_inline void nve_acl_count_one(__u32 said, __u32 frames, __u32 bytes)
{
	__u32 key = (said & NVE_ACL_ROW_MASK) - 1;
	struct nve_acl_row *row = bpf_map_lookup_elem(&nve_acl, &key);

	if (!row)
		return;
	row->frames += frames;
	row->bytes += bytes;
}

static __noinline int nve_acl_count(__u32 frames, __u32 bytes)
{
	struct nve_acl_work *w = nve_acl_working();

	if (nve_dry || !w)
		return 0;
	nve_acl_count_one(w->said[0], frames, bytes);
	nve_acl_count_one(w->said[1], frames, bytes);
	return 0;
}

/* Where a frame ends, and is not left to another program: that one would count it again. */
static __always_inline void nve_acl_end(const struct nve_frame *f)
{
	if (f->acl)
		nve_acl_count(f->segs, f->len);
}
