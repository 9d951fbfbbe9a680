/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the datapath in memory share. */
#pragma once

#include "dp/shadow.h"

/* What an entry shows to frames; the shadow knows what it was told last. */
struct nve_fake_dests {
	uint32_t slot[2];
	uint8_t kind[2];
};

struct nve_dp {
	struct nve_shadow shadow;
	struct nve_fake_dests *dests; /* by place in shadow.fdb */
	uint64_t *seen;               /* by TSI slot */
	uint32_t fail_set;
	int fail_set_error;
	int fail_apply_error;
	bool in_resync;
	bool v6; /* this NVE has an IPv6 address */
	struct nve_fake_sent *sent;
	size_t n_sent;
	bool unresolved;
	int fail_send_error;
};

/* As in nve_dp_ops. */
int nve_fake_send(struct nve_dp *dp, uint16_t port, uint16_t tag, enum nve_dp_send_to to,
		  const void *frame, size_t len);
