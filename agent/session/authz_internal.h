/* SPDX-License-Identifier: Apache-2.0 */
/* Private to authz*.c. */
#pragma once

#include "session/authz.h"

struct nve_authz {
	struct nve_engine *engine;
	char *path; /* NULL: the default policy, of 'uid' */
	uint32_t uid;
	struct nve_policy *policy;
	uint64_t loaded_unix_ns;
	struct nve_engine_guard guard;
	const struct nve_role *roles[NVE_ENGINE_OWNERS + 1]; /* NULL: not looked up yet */
};

/* authz_judge.c: the guard; 'arg' is the struct nve_authz. */
enum nve_reason nve_authz_judge(void *arg, struct nve_event *ev, const char *vn_name,
				struct nve_answer *answer);
struct nve_owner_usage nve_authz_maxima(void *arg, uint16_t owner);
bool nve_authz_gleans(void *arg, const struct nve_tsi *tsi, const char *vn_name,
		      const struct nve_addr *addr);
