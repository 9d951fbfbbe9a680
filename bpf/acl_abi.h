/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The layout of acl_set and acl.  Part of the map layout, see nve_abi.h.
 *
 * acl_set: a VN profile's rules, made for lookup: slot -> an array of cells.
 * A rule is one bit, its number from 0.  What rules look at are some numbers of a frame (enum
 * nve_acl_dim).  The rules' ranges cut the values of each into intervals, which are found by
 * bisection; each has the bits of the rules that it satisfies.  The first bit that all have is the
 * first rule that matches.  Of 64 words of bits those that are 0 are left out; a summary says
 * which are there.
 */
#pragma once

#include "nve_abi.h"

enum nve_acl_dim {
	NVE_ACL_TYPE, /* EtherType */
	NVE_ACL_PROTOCOL,
	NVE_ACL_SRC_IP, /* IPv4 as ::ffff:a.b.c.d */
	NVE_ACL_DST_IP,
	NVE_ACL_SRC_PORT,
	NVE_ACL_DST_PORT,
	NVE_ACL_SRC_MAC,
	NVE_ACL_DST_MAC,
	NVE_ACL_DIMS,
};
enum {
	NVE_ACL_WAY_IN = 0, /* from a TSI, and to one: each has its own intervals */
	NVE_ACL_WAY_OUT = 1,
	NVE_ACL_RULES = 4096,      /* of one set */
	NVE_ACL_SETS = 256,        /* slot 0 is not used */
	NVE_ACL_ROWS = 32768,      /* of acl */
	NVE_ACL_STEPS = 14,        /* of a bisection: 2 * NVE_ACL_RULES + 1 intervals */
	NVE_ACL_NO_PROTOCOL = 256, /* not IP */
	NVE_ACL_NO_PORT = 65536,   /* no ports, or not the first fragment */
	/* Cells: the head, ranges by way, bits of the rules that deny, intervals, words. */
	NVE_ACL_AT_RANGES = 1,
	NVE_ACL_RANGE_CELLS = NVE_ACL_DIMS / 4,
	NVE_ACL_AT_DENY = NVE_ACL_AT_RANGES + 2 * NVE_ACL_RANGE_CELLS,
	NVE_ACL_AT_INTERVALS = NVE_ACL_AT_DENY + NVE_ACL_RULES / 256,
};

struct nve_acl_head {
	__u64 fingerprint[2]; /* of the rules */
	__u32 n_rules;
	__u32 rows; /* the first of its rows in acl; the one behind the rules' is the default's */
	__u32 deny; /* what no rule matches */
	__u32 n_cells;
};

struct nve_acl_range {
	__u32 at; /* cell of the first interval */
	__u32 n;  /* 0: no rule looks at it */
};

struct nve_acl_interval {
	__u64 from[2]; /* its first value; the greater half first */
	__u64 summary;
	__u32 words; /* the first of them, in words from the set's begin */
	__u32 pad;
};

union nve_acl_cell {
	struct nve_acl_head head;
	struct nve_acl_range ranges[4];
	struct nve_acl_interval interval;
	__u64 words[4];
};
_Static_assert(sizeof(union nve_acl_cell) == 32, "map ABI");

/* --- acl: frames that a rule was the first to match, per CPU. */
struct nve_acl_row {
	__u64 frames;
	__u64 bytes;
};
_Static_assert(sizeof(struct nve_acl_row) == 16, "map ABI");
