/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A datapath with real wires, told what the model is told.  Functions assert (cmocka) that they
 * succeed.
 */
#pragma once

#include "dp/ebpf.h"
#include "lib/dp_world.h"
#include "lib/ref_gen.h"

extern const char *const ref_wires[REF_WIRES]; /* interfaces at the far ends */

struct ref_rig {
	const struct nve_dp_ops *ops;
	struct nve_dp *dp;
	struct ref told; /* last */
	uint64_t drops[NVE_DROP_COUNT];
	int patience_ms; /* for what the model says and does not come */
};

/* Opens it over the world of ref_world(), which goes to 'm'. */
void ref_open(struct ref_rig *rig, struct ref *m, const struct dpw *backend);
void ref_close(struct ref_rig *rig);
/* Says what differs from what was said before, as the engine would, and makes it so. */
void ref_tell(struct ref_rig *rig, const struct ref *m);
/*
 * Sends a frame and takes in what becomes of it.  Nothing says that no more comes: what is late
 * shows as too much for the frame after it.
 */
void ref_send(struct ref_rig *rig, uint8_t wire, const struct frame *f, const struct ref_fate *want,
	      struct ref_fate *got);
