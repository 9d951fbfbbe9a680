/* SPDX-License-Identifier: Apache-2.0 */
/* The Admin service: who may ask what. */
#include "session/admin.h"

#include "audit.h"
#include "session/codec_internal.h"

#include <stdio.h>

/* A call that stands in no row is for whoever may do everything to everybody. */
static enum nve_policy_verb verb_of(enum nve_admin_call call)
{
	static const uint8_t verbs[NVE_ADMIN_CALLS] = {
		[NVE_ADMIN_STATUS] = NVE_VERB_STATUS + 1, [NVE_ADMIN_DROPS] = NVE_VERB_STATUS + 1,
		[NVE_ADMIN_TABLES] = NVE_VERB_STATUS + 1, [NVE_ADMIN_PORTS] = NVE_VERB_LIST + 1,
		[NVE_ADMIN_VNS] = NVE_VERB_LIST + 1,      [NVE_ADMIN_TSIS] = NVE_VERB_LIST + 1,
		[NVE_ADMIN_DUMP] = NVE_VERB_DUMP + 1,     [NVE_ADMIN_WATCH] = NVE_VERB_WATCH + 1,
		[NVE_ADMIN_WHY] = NVE_VERB_WHY + 1,       [NVE_ADMIN_PLAN] = NVE_VERB_WHY + 1,
		[NVE_ADMIN_DIFF] = NVE_VERB_DIFF + 1,     [NVE_ADMIN_DOCTOR] = NVE_VERB_STATUS + 1,
	};

	return verbs[call] ? (enum nve_policy_verb)(verbs[call] - 1) : NVE_VERB_OPERATE;
}

bool nve_admin_allowed(const struct nve_admin_env *env, const struct nve_admin_query *query,
		       struct nve_refusal *why)
{
	enum nve_policy_verb verb = verb_of(query->call);

	if (query->call == NVE_ADMIN_DIFF && query->check.repair)
		verb = NVE_VERB_REPAIR;

	if (nve_authz_may(env->authz, query->owner, verb))
		return true;
	nve_audit("denied", LOG_S("identity", nve_engine_owner_name(env->engine, query->owner)),
		  LOG_S("verb", nve_verb_name(verb)));
	nve_refusal_init(why, NVE_REASON_NOT_AUTHORIZED);
	snprintf(why->field, sizeof(why->field), "admin.%s", nve_verb_name(verb));
	return false;
}
