/* SPDX-License-Identifier: Apache-2.0 */
/* Random rules, and random frames that have a fair chance to match them, from a seed. */
#pragma once

#include "core/acl.h"
#include "lib/frame.h"

struct acl_random {
	uint64_t state; /* the seed, not 0 */
};
uint32_t acl_random(struct acl_random *r, uint32_t below);
struct nve_acl_rule acl_random_rule(struct acl_random *r);
/* What is in the frame as rules see it, and the frame, without a tag. */
struct nve_acl_frame acl_random_frame(struct acl_random *r, const char *src_mac,
				      const char *dst_mac, struct frame *ret);
