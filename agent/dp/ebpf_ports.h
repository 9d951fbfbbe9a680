/* SPDX-License-Identifier: Apache-2.0 */
/* Part of ebpf.h: what is known of ports, of the copier's loop and of ways to VTEPs. */
#pragma once

#include "dp/dp.h"

enum nve_ebpf_copier_map { NVE_COPIER_LOOP, NVE_COPIER_PORTS, NVE_COPIER_ROOM, NVE_COPIER_MAPS };

/* The loop of ebpf_copier.c: a veth pair, 0 while there is none. */
struct nve_ebpf_copier {
	uint32_t a, b; /* ifindexes: frames go in at a, and meet the program at b */
	bool on;       /* it is given frames */
	int link;
	int map[NVE_COPIER_MAPS];
	int of_port[NVE_PORTS_MAX]; /* the maps in NVE_COPIER_PORTS; 0: none */
};

struct nve_ebpf_port {
	uint32_t ifindex;     /* 0 while there is no such interface */
	uint32_t row_ifindex; /* as the rows of TSIs and VAPs have it */
	uint8_t flags;        /* enum nve_port_flags */
	uint8_t mode;         /* NVE_DP_XDP or NVE_DP_TC */
	bool clsact;          /* the TC program hangs on clsact, for want of tcx */
	int tc_link, xdp_link;
	uint16_t mtu;
	uint8_t mac[NVE_MAC_LEN];
	char why[224];
};

/* How to reach a VTEP. */
struct nve_ebpf_hop {
	uint32_t ifindex;  /* 0: no route */
	struct nve_ip via; /* the neighbor to resolve */
	bool asked;        /* the kernel was told to resolve it */
	bool resolved;
	uint8_t mac[NVE_MAC_LEN];
};
