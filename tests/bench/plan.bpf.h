/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The benchmark's world: TSI i is in VN i % n_vns, has one MAC and one IPv4 address, and talks to
 * one MAC behind VTEP i % n_vteps.  All of it follows from i, so that a frame of any of a million
 * TSIs is made without a memory access that the datapath would not make.  Shared by C and BPF; the
 * including file brings in the __u types.
 */
#pragma once

enum {
	BENCH_HEAD = 64,  /* bytes of a frame that the generator writes anew each time */
	BENCH_VID = 10,   /* of VN 0; VN v has BENCH_VID + v */
	BENCH_VNI = 1000, /* likewise */
	BENCH_CPUS = 256,
	BENCH_OUTER = 50, /* Ethernet, IPv4, UDP, VXLAN */
	BENCH_TAG = 4,
};

/* Where the generator patches a frame: MACs are 02:0x:i, i in their last four bytes. */
enum {
	AT_DST = 2, /* tagged frame, as a hypervisor sends it */
	AT_SRC = 8,
	AT_VID = 14,
	AT_IP = 18 + 12,
	AT_OUTER_CHECK = 14 + 10, /* frame in a tunnel */
	AT_OUTER_SRC = 14 + 12,
	AT_OUTER_PORT = 34,
	AT_VNI = 42 + 4,
	AT_INNER_DST = BENCH_OUTER + 2,
	AT_INNER_SRC = BENCH_OUTER + 8,
};

enum bench_shape { BENCH_TAGGED, BENCH_TUNNELED, BENCH_FIXED };

/* What the generator is told.  Integers in host order. */
struct bench_plan {
	__u32 shape; /* enum bench_shape; FIXED: as the template is, each time */
	__u32 n_tsis;
	__u32 n_vns;
	__u32 n_vteps;
	__u32 len;      /* of a whole frame */
	__u32 ifindex;  /* where frames are sent to */
	__u32 vni_step; /* 1; 0: all in the VNI of the template */
	__u32 ip_sum;   /* of the outer IP header with source address and checksum zero */
	__u32 vtep_net; /* of the VTEPs, and of their number 0 */
	__u32 in_order; /* TSIs by turns instead of at random */
	__u8 head[BENCH_HEAD];
};

struct bench_count {
	__u64 frames;
	__u64 bytes;
	__u64 pad[6]; /* a cache line */
};
