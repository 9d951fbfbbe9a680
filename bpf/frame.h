/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What is known of a frame on its way through, and how its fate is counted.  The same for XDP and
 * TC.  Steps return enum nve_drop: NVE_FORWARD to go on, a reason to drop it, or NVE_TO_HOST.
 */
#pragma once

#include "trace.h"

/* Not a drop: XDP leaves the frame to TC, TC to the host's stack.  Beyond every drop reason. */
#define NVE_TO_HOST NVE_DROP_COUNT
#define NVE_NO_TSI  0xffffffffu
#define NVE_SET_TOS 0x100
#define NVE_TO_XDP  0x80 /* the port of 'to' takes frames by XDP redirect */

/* Where a TSI is: read at once, as the agent stores it when the TSI moves. */
union nve_where {
	__u64 word;
	struct {
		__u32 ifindex;
		__u16 vid;
		__u16 port;
	};
};
_Static_assert(__builtin_offsetof(struct nve_tsi_row, ifindex) % 8 == 0, "one aligned word");
_Static_assert(__builtin_offsetof(struct nve_tsi_row, vid) ==
		       __builtin_offsetof(struct nve_tsi_row, ifindex) + 4,
	       "one word");

/* Whose frame it is: all that the source filter needs. */
struct nve_who {
	struct nve_src *src; /* its MAC's row; NULL when the TSI is known by IP alone */
	__u64 live;
	__u32 tsi;     /* slot, or NVE_NO_TSI */
	__u32 ifindex; /* where it came in */
	__u32 vid;
	__u8 mac[NVE_ETH_ALEN]; /* source MAC */
};

struct nve_frame {
	void *ctx;     /* struct xdp_md or struct __sk_buff */
	bool acl;      /* it met rules, which are to be counted (acl.h) */
	bool no_local; /* flooded, but not to TSIs: their rules forbid it */
	void *data;    /* these four are dead once the frame was moved */
	void *end;
	void *l3;
	void *inner;     /* the tenant's frame in the tunnel */
	__u32 outer_len; /* from data to inner */
	__u32 len;       /* of the tenant's frame, without tag and tunnel */
	__u32 trailer;   /* bytes behind the outer packet, to be cut off */
	__u32 segs;      /* frames it will be on a wire (GSO) */
	__u32 vn_id;
	__u32 vni;
	__u16 tci;         /* of the tag it came with, and all but the VID of the one it gets */
	__be16 proto;      /* EtherType of the tenant's frame */
	__u16 sport;       /* __be16: entropy in the outer source port */
	__u16 set_tos;     /* what the tenant's is to become, | NVE_SET_TOS; 0: as it is */
	__u8 ttl;          /* of the outer header it came with */
	__u8 tos;          /* DSCP and ECN of the outer header: it came with, or leaves with */
	__u8 tunnel;       /* enum nve_tunnel_flags */
	bool outer6;       /* it came over IPv6 */
	bool tag_in_meta;  /* TC: the kernel took the tag out of the frame */
	bool gso;          /* TC: to be segmented later */
	__u8 in_features;  /* enum nve_tsi_features of 'from': ask these, not the records, ... */
	__u8 out_features; /* ... and of 'to', with NVE_TO_XDP: cache lines the short way leaves
			      alone */
	__u8 answer;       /* it goes back as an answer: enum nve_answer + 1 (suppress.h) */
	__u8 answer_mac[NVE_ETH_ALEN] __attribute__((aligned(2)));
	__u32 near_vn; /* number of the VN a frame from the underlay is for; 0: not known */
	__u32 to_tsi;  /* slot */
	struct nve_tsi_row *from;
	struct nve_tsi_row *to;         /* where it goes: to a TSI, */
	struct nve_vtep *vtep;          /* or to a VTEP; both NULL: it is flooded */
	union nve_where at;             /* of 'to' */
	struct nve_tsi_stats *stats;    /* of 'from', on this CPU */
	struct nve_tsi_stats *to_stats; /* ... and of 'to'; NULL: not looked for yet */
	struct nve_who who;
};

/* Counts a lost frame, in all and for the TSI where one is known. */
static __always_inline void nve_count_drop(__u32 why, __u32 tsi)
{
	struct nve_tsi_drop_key key = { .tsi = tsi, .reason = why };
	__u64 one = 1;
	__u64 *n;

	if (nve_dry) {
		nve_trace_drop(why);
		return;
	}
	n = bpf_map_lookup_elem(&nve_drops, &why);
	if (n)
		(*n)++; /* a slot of this CPU: no atomic needed */
	if (tsi == NVE_NO_TSI)
		return;
	n = bpf_map_lookup_elem(&nve_tsi_drops, &key);
	if (n)
		(*n)++;
	else
		bpf_map_update_elem(&nve_tsi_drops, &key, &one, BPF_NOEXIST);
}

/* The one exit of lost frames: one for a TSI that is not in use, or may not get it, is its loss. */
static __noinline int nve_drop(__u32 why, __u32 from, __u32 to)
{
	bool is_to = why == NVE_DROP_DST_INACTIVE || (why == NVE_DROP_ACL && from == NVE_NO_TSI);

	nve_count_drop(why, is_to ? to : from);
	return 0;
}

static __always_inline void nve_count_answer(__u32 kind)
{
	__u64 *n;

	if (nve_dry) {
		nve_trace_answer();
		return;
	}
	n = bpf_map_lookup_elem(&nve_answers, &kind);
	if (n)
		(*n)++;
}

/* The first of this CPU's. */
static __always_inline __u32 nve_cpu_row(void)
{
	return bpf_get_smp_processor_id() * nve_cpu_rows;
}

/* What this CPU counts of a TSI that has no line. */
static __always_inline struct nve_tsi_stats *nve_stats(__u32 slot)
{
	__u32 at = nve_cpu_row() + nve_n_lines + slot;

	return bpf_map_lookup_elem(&nve_tsi_stats, &at);
}

static __always_inline void nve_count_in(const struct nve_frame *f)
{
	struct nve_tsi_stats *s = f->stats;

	if (nve_dry || !s)
		return;
	s->in_frames += f->segs;
	s->in_bytes += f->len;
}

static __always_inline void nve_count_out(const struct nve_frame *f)
{
	struct nve_tsi_stats *s;

	if (nve_dry)
		return;
	s = f->to_stats ?: nve_stats(f->to_tsi);
	if (!s)
		return;
	s->out_frames += f->segs;
	s->out_bytes += f->len;
}

/* Data frames keep a TSI alive (S73).  The counters of a frame that is forwarded are in this line
 * too.
 */
static __always_inline void nve_stats_touch(struct nve_frame *f, struct nve_tsi_stats *s)
{
	__u32 now;

	if (nve_dry)
		return;
	f->stats = s;
	if (!s)
		return;
	now = bpf_ktime_get_coarse_ns() >> NVE_SEEN_SHIFT;
	if (now - s->seen >= NVE_SEEN_STEP)
		s->seen = now;
}

/* Whether a row counts while its TSI's record is 'live' (enum nve_when). */
static __always_inline bool nve_counts(__u8 when, __u16 gen, __u64 live)
{
	__s16 age = (__u16)live - gen;

	if (when == NVE_WHEN_ALWAYS)
		return true;
	if (when == NVE_WHEN_FROM)
		return age >= 0;
	return when == NVE_WHEN_UNTIL && age < 0;
}

/* What the tag says on frames to a TSI. */
static __always_inline __u16 nve_tci(const struct nve_frame *f)
{
	return (f->tci & ~NVE_VID_MASK) | f->at.vid;
}

static __always_inline __u64 nve_live(const struct nve_tsi_row *row)
{
	return *(const volatile __u64 *)&row->live;
}

static __always_inline union nve_where nve_where(const struct nve_tsi_row *row)
{
	return (union nve_where){ .word = *(const volatile __u64 *)(const void *)&row->ifindex };
}
