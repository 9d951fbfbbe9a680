/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The layout of near: what src, fdb and peer say in the simple case, in one cache line a lookup.
 * Part of the map layout, see nve_abi.h.
 *
 * near only makes things faster.  The hash tables are complete, and what near does not have (or
 * does not have for want of room) is looked for there.  So an entry may go at any time, and only
 * what is found must be right: the agent publishes an entry when all it says holds in the other
 * tables, and withdraws it before it changes anything there (agent/dp/ebpf_near.h).
 *
 * Keys: number of the VN << 48 | MAC as it is in memory (little-endian); or, of a known VTEP,
 * 0xff << 56 | VNI << 32 | outer IPv4 source (__be32).  0: no entry.
 */
#pragma once

#include "nve_abi.h"

enum {
	NVE_NEAR_WAYS = 2,
	NVE_NEAR_PORTS = 128,     /* rows of near_vn, divided by NVE_VID_COUNT */
	NVE_NEAR_VN_MAX = 0xfeff, /* VNs that have a number */
};

enum nve_near_kind { NVE_NEAR_TSI = 1, NVE_NEAR_VTEP = 2, NVE_NEAR_PEER = 3 };
enum nve_near_flags {
	NVE_NEAR_FILTER_IP = 1 << 0, /* as in enum nve_src_flags */
	NVE_NEAR_IP4 = 1 << 1,
	NVE_NEAR_XDP = 1 << 2, /* NVE_PORT_XDP of the TSI's port */
};

/*
 * Two readings of 'key' and 'what' around all else tell an entry that changed meanwhile: 'seq' is
 * another after each change.
 */
struct nve_near_entry {
	__u64 key;
	/* of a TSI, 'place' in one word as in its record; of a peer its VN's ID */
	__u32 ifindex;
	__u16 vid;
	__u16 port;
	/* 'what' in one word */
	__u32 slot; /* of the TSI or VTEP; of a peer its VN's number */
	__u8 kind;  /* enum nve_near_kind */
	__u8 flags; /* enum nve_near_flags */
	__u16 seq;
	__be32 ip4;
	__u32 net; /* VNI << 8 | enum nve_tunnel_flags, of the TSI's or peer's VN */
};
_Static_assert(sizeof(struct nve_near_entry) == 32, "map ABI");

struct nve_near_bucket {
	struct nve_near_entry e[NVE_NEAR_WAYS];
};
_Static_assert(sizeof(struct nve_near_bucket) == 64, "map ABI, one cache line");

/*
 * near_vn: (ifindex % NVE_NEAR_PORTS) * NVE_VID_COUNT + vid -> the VN.  A hint: ports may share a
 * row, and a row may be stale.  The TSI found with its help says where it is, and of which VN.
 */
struct nve_near_vn {
	__u16 number; /* 0: none */
	__u8 vni[3];  /* little-endian, as is vn_id */
	__u8 vn_id[3];
};
_Static_assert(sizeof(struct nve_near_vn) == 8, "map ABI, one word");
#define NVE_NEAR_VN(number, vni, vn_id) ((number) | (__u64)(vni) << 16 | (__u64)(vn_id) << 40)

/*
 * A TSI's entry is not in near, if there is room: it is in a line of tsi_stats, with what is
 * counted of its frames, so that one cache line has both: from memory, a frame costs one latency
 * and not two, one after the other.  Each CPU has all lines; the agent writes them on each alike.
 * 'key' and 'place' are as above, 'who' has slot and 'seq', 'net' the flags too.
 *
 * There are three lines for two TSIs that may be, which leaves some percent to near.  With the row
 * of the long way a TSI takes 160 bytes on each CPU, and 64 bytes once.
 */
#define NVE_LINE_WHO(slot, seq) ((__u32)(slot) << 8 | ((seq)&0xff))
#define NVE_LINE_SLOT(who)      ((who) >> 8)
enum { NVE_LINE_TUNNEL = 3, NVE_LINE_FLAGS_SHIFT = 2, NVE_LINE_SLOTS = 1 << 24 };

/* Behind the TSIs' rows: what the agent is about to do to a line, should it be ended meanwhile. */
struct nve_line_plan {
	__u32 state; /* enum nve_line_state */
	__u32 line;
	__u32 slot; /* whose the line was */
	__u32 seen; /* ... and all that is counted of it in lines that are not its */
	__u64 reserved[2];
	__u64 in_frames;
	__u64 in_bytes;
	__u64 out_frames;
	__u64 out_bytes;
};
_Static_assert(sizeof(struct nve_line_plan) == sizeof(struct nve_tsi_stats), "one row");
enum nve_line_state { NVE_LINE_IDLE = 0, NVE_LINE_LEAVES = 1, NVE_LINE_IS_LEFT = 2 };

#define NVE_NEAR_PEER_KEY(vni, ip4) (0xffull << 56 | (__u64)(vni) << 32 | (ip4))

/* An entry is in one of two buckets: the upper and the lower half of this, masked. */
static inline __attribute__((always_inline)) __u64 nve_near_hash(__u64 key, __u64 seed)
{
	__u64 h = (key ^ seed) * 0x9e3779b97f4a7c15ull;

	h ^= h >> 32;
	h *= 0xbf58476d1ce4e5b9ull;
	return h ^ h >> 29;
}

/* A line is one of two, too.  By VNI, not number: who has a tunnel's frame can begin at once. */
static inline __attribute__((always_inline)) __u64 nve_line_hash(__u32 vni, __u64 mac, __u64 seed)
{
	seed += (vni >> 16) * 0x94d049bb133111ebull;
	return nve_near_hash(mac | (__u64)vni << 48, seed);
}

static inline __attribute__((always_inline)) __u32 nve_line_at(__u64 hash, __u32 n_lines, int way)
{
	return ((way ? hash & 0xffffffff : hash >> 32) * n_lines) >> 32;
}
