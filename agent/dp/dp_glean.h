/* SPDX-License-Identifier: Apache-2.0 */
/* Part of dp.h: gleaning (S46, D8). */
#pragma once

#include "core/types.h"

/*
 * Which source addresses are told, when unknown and, known ones, every so often (S46, D8).  Frames
 * from an unknown MAC are lost.  The IPs of gleaned addresses are no filter.
 */
enum nve_dp_glean {
	NVE_DP_GLEAN_NONE,
	NVE_DP_GLEAN_IPS,  /* of its MACs */
	NVE_DP_GLEAN_MACS, /* and MACs that no TSI has on its port and tag; one there at most */
};

/* A source address that a TSI sends from, seen at a port and tag: a MAC, or a MAC and an IP. */
struct nve_dp_gleaned {
	uint32_t slot;
	uint16_t port, tag;
	struct nve_addr addr;
};
typedef void nve_dp_gleaned_fn(void *arg, const struct nve_dp_gleaned *gleaned);
