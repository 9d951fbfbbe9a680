/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the datapath in memory share. */
#pragma once

#include "dp/shadow.h"

/* What an entry shows to frames; the shadow knows what it was told last. */
struct nve_fake_dests {
	uint32_t slot[2];
	uint8_t kind[2];
};

enum { NVE_FAKE_TOLD_MAX = 64 };

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
	nve_dp_gleaned_fn *gleaned;
	void *gleaned_arg;
	struct nve_dp_gleaned told[NVE_FAKE_TOLD_MAX]; /* until dispatch() */
	size_t n_told;
};

struct nve_fake_frame;

/* What rules look at in these frames, and whether the VN's forbid them. */
struct nve_acl_frame nve_fake_acl_frame(const struct nve_fake_frame *frame);
struct nve_acl_frame nve_fake_acl_inner(const uint8_t dst[NVE_MAC_LEN]);
bool nve_fake_denied(const struct nve_dp *dp, const struct nve_shadow_vn *vn, enum nve_acl_way way,
		     const struct nve_acl_frame *f);

/* As in nve_dp_ops. */
nve_dp_check_op nve_fake_check;
int nve_fake_send(struct nve_dp *dp, uint16_t port, uint16_t tag, enum nve_dp_send_to to,
		  const void *frame, size_t len);
