/* SPDX-License-Identifier: Apache-2.0 */
/* Shadow of the rules of profiles: a part of shadow.h. */
#pragma once

#include "dp/dp.h"

struct nve_shadow;

struct nve_shadow_acl {
	struct nve_acl *now, *want;
	bool listed;
};

/* 0: that is what is wanted already; 1: it could be set; else -errno. */
int nve_shadow_acl_check(const struct nve_shadow *s, const struct nve_dp_acl *acl);
int nve_shadow_acl_set(struct nve_shadow *s, const struct nve_dp_acl *acl);
int nve_shadow_acl_del(struct nve_shadow *s, uint32_t id);
void nve_shadow_acl_commit(struct nve_shadow *s);
void nve_shadow_acl_clear(struct nve_shadow *s);
