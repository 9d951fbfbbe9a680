/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Room in which TC programs make headers and answers: the stack is too small for them.  Programs
 * of a CPU do not interrupt one another.
 */
#pragma once

#include "frame.h"

/* What stands before a tenant's payload in the tunnel. */
struct nve_tc_head {
	__u64 bytes[11]; /* outer header, and the tenant's Ethernet header */
};
_Static_assert(sizeof(struct nve_tc_head) >= NVE_OUTER6_LEN + sizeof(struct nve_eth), "room");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nve_tc_head);
} nve_tc_room SEC(".maps");

static __always_inline struct nve_tc_head *nve_tc_room_here(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&nve_tc_room, &zero);
}

/* The same room's end: the tenant's Ethernet header, while outer headers are made before it. */
static __always_inline struct nve_eth *nve_tc_room_eth(void)
{
	struct nve_tc_head *head = nve_tc_room_here();

	return head ? (void *)head + NVE_OUTER_MAX : NULL;
}
_Static_assert(sizeof(struct nve_tc_head) >= NVE_OUTER_MAX + sizeof(struct nve_eth), "room");
