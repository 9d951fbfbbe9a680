/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Copies of BUM in XDP (replicate.h): no tables, but what the programs and the agent note.  Part of
 * the map layout, see nve_abi.h.
 */
#pragma once

#include "nve_abi.h"

enum {
	NVE_COPY_PORT, /* in the devmap of a port: that port, */
	NVE_COPY_LOOP, /* and where the frame goes for its next copy */
	NVE_COPY_DEVS,
	NVE_COPY_CPUS = 256,
	NVE_COPY_ROOM = 128, /* frames on the loop at once, of each CPU; a veth holds 256 */
};

/* Whose turn it is; in the metadata, of which old kernels give 32 bytes in words of four. */
struct nve_copy {
	__u32 vn_id;
	__u32 tsi;     /* it came from, or NVE_NO_TSI */
	__u32 ifindex; /* and vid: where it came from, no copy goes back there */
	__u16 vid;
	__u16 next; /* member: what follows the one that had a copy last, */
	__u32 last; /* which had this slot */
	__u16 head; /* bytes before the tenant's frame; NVE_VLAN_HLEN: it has a tag */
	__u16 sport;
	__u16 priority; /* and DEI, as in the TCI */
	__u8 cpu;       /* whose part of the loop it is in */
	__u8 tos;
	__u8 tunnel;
	__u8 to_vteps;  /* else it came from one */
	__u8 last_kind; /* and kind */
	__u8 pad;
};
_Static_assert(sizeof(struct nve_copy) == 32, "fits the metadata");

/* copying: by CPU. */
struct nve_copying {
	__u64 n;     /* frames on the loop */
	__u64 since; /* coarse CLOCK_MONOTONIC: one was put on it or taken off */
	__u64 pad[6];
};
_Static_assert(sizeof(struct nve_copying) == 64, "one cache line");
