/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of VN profiles (S3).  The first VN with a profile brings its rules into the datapath,
 * where there must be room for them (S56), the last one takes them away (S81); the TSIs' own
 * switch in the datapath enables and disables them (S61, S78).
 */
#include "engine_internal.h"

#include <errno.h>
#include <string.h>

/* The id of the profile's rules, or a free one; 0: there is none. */
static uint32_t find_id(const struct nve_engine *e, const char *name)
{
	uint32_t free_id = 0;

	for (uint32_t id = 1; id <= NVE_DP_ACLS_MAX; id++) {
		if (e->acls[id].refs && !strcmp(e->acls[id].name, name))
			return id;
		if (!e->acls[id].refs && !free_id)
			free_id = id;
	}
	return free_id;
}

/*
 * Says the rules of the VN's profile; '*ret' is what vn_set() is to be told.  While the NVA cannot
 * say them, those that are there stay, or those of the store count (D18); if there are none, the VN
 * is refused, for without its rules it must not forward.
 */
int nve_acl_say(struct nve_engine *e, const struct nve_vn_rec *vn, uint32_t *ret)
{
	const char *name = vn->context.profile;
	const struct nve_acl *rules;
	struct nve_dp_acl acl = { 0 };
	int r;

	*ret = 0;
	if (!*name || !e->nva_ops->profile)
		return 0;
	acl.id = find_id(e, name);
	if (!acl.id)
		return nve_noting(e, -ENOSPC, NVE_RES_ACLS);
	*ret = acl.id;
	r = e->nva_ops->profile(e->nva, name, &rules);
	if (r < 0 && vn->rules && !e->acls[acl.id].refs) {
		rules = vn->rules;
		r = 0;
	}
	if (r < 0)
		return e->acls[acl.id].refs ? 0 : r;
	acl.acl = *rules;
	r = e->dp_ops->acl_set(e->dp, &acl);
	return nve_noting(e, r, NVE_RES_ACL_RULES);
}

void nve_acl_drop(struct nve_engine *e, uint32_t acl)
{
	if (acl && !e->acls[acl].refs)
		e->dp_ops->acl_del(e->dp, acl);
}

/* The datapath was told that the VN has these rules now; 0: none.  Those of nobody go. */
int nve_acl_take(struct nve_engine *e, struct nve_vn_rec *vn, uint32_t acl)
{
	uint32_t old = vn->acl;

	if (old == acl)
		return 0;
	vn->acl = acl;
	if (acl && !e->acls[acl].refs++)
		memcpy(e->acls[acl].name, vn->context.profile, sizeof(e->acls[acl].name));
	if (!old || --e->acls[old].refs)
		return 0;
	return e->dp_ops->acl_del(e->dp, old);
}
