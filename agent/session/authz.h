/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy in force (S98, S99, B3): judges each request on its way into the core, and says what
 * of the engine's state an identity may see.  The engine's thread alone; knows no gRPC.
 *
 * A NULL authz lets everybody do everything; so tests that are about something else need none.
 * 'owner' is the engine's number of the identity (engine_guard.h); 0 may do nothing.
 */
#pragma once

#include "authz/policy.h"
#include "engine_guard.h"

struct nve_authz;

/*
 * Reads the policy at 'path', NULL for the default of nve_policy_default(uid), and becomes the
 * engine's guard.  Errors as nve_policy_load()'s.
 */
int nve_authz_open(struct nve_engine *engine, const char *path, uint32_t uid,
		   struct nve_authz **ret, char **err);
/* The engine has no guard any more.  NULL is a no-op. */
void nve_authz_close(struct nve_authz *authz);
/* Reads it again; it counts from the next request on.  On failure the old one stays. */
int nve_authz_reload(struct nve_authz *authz, char **err);

struct nve_authz_info {
	const char *path; /* "" = the default */
	uint32_t n_roles;
	uint64_t loaded_unix_ns;
};
struct nve_authz_info nve_authz_info(const struct nve_authz *authz);

/* The number of an identity that has a role, or had one; 0 for all others. */
uint16_t nve_authz_owner(struct nve_authz *authz, const char *identity);
/* NULL: it has none (any more). */
const struct nve_role *nve_authz_role(struct nve_authz *authz, uint16_t owner);
bool nve_authz_knows(struct nve_authz *authz, uint16_t owner);
bool nve_authz_may(struct nve_authz *authz, uint16_t owner, enum nve_policy_verb verb);

bool nve_authz_sees_port(struct nve_authz *authz, uint16_t owner, uint16_t slot);
/* Whether the role speaks of that VN; 'name' "" = not known. */
bool nve_authz_sees_vn(struct nve_authz *authz, uint16_t owner, uint32_t vn_id, const char *name);
bool nve_authz_sees_tsi(struct nve_authz *authz, uint16_t owner, const struct nve_tsi *tsi);
/* Also how many of its TSIs it sees, in Associated or Activated. */
bool nve_authz_sees_vap(struct nve_authz *authz, uint16_t owner, const struct nve_vap *vap,
			uint32_t *n_tsi, uint32_t *n_activated);
bool nve_authz_sees_notice(struct nve_authz *authz, uint16_t owner,
			   const struct nve_notice *notice);
