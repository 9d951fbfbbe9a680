/* SPDX-License-Identifier: Apache-2.0 */
/* Shadow of what a datapath was told: the rules of profiles.  See shadow.h. */
#include "dp/shadow_list.h"

#include <errno.h>
#include <stdlib.h>

static uint32_t rows_of(const struct nve_acl *acl)
{
	return acl ? acl->n_rules + 1 : 0;
}

int nve_shadow_acl_check(const struct nve_shadow *s, const struct nve_dp_acl *x)
{
	const struct nve_shadow_acl *acl;

	if (!x->id || nve_acl_check(&x->acl) < 0)
		return -EINVAL;
	if (x->id > NVE_DP_ACLS_MAX)
		return -ENOSPC;
	acl = &s->acls[x->id];
	if (nve_acl_equal(acl->want, &x->acl))
		return 0;
	if (s->n_acl_rows - rows_of(acl->want) + rows_of(&x->acl) > NVE_DP_ACL_ROWS_MAX)
		return -ENOSPC;
	return 1;
}

static void want(struct nve_shadow *s, uint32_t id, struct nve_acl *acl)
{
	struct nve_shadow_acl *x = &s->acls[id];

	s->n_acl_rows += rows_of(acl) - rows_of(x->want);
	s->n_acls += !!acl - !!x->want;
	if (x->want != x->now)
		free(x->want);
	x->want = acl;
	if (!x->listed)
		nve_shadow_list_add(&s->acl_list, id);
	x->listed = true;
}

int nve_shadow_acl_set(struct nve_shadow *s, const struct nve_dp_acl *x)
{
	struct nve_acl *acl;
	int r = nve_shadow_acl_check(s, x);

	if (r <= 0)
		return r;
	if (nve_shadow_list_room(&s->acl_list, 1) < 0)
		return -ENOMEM;
	if (nve_acl_equal(s->acls[x->id].now, &x->acl)) {
		want(s, x->id, s->acls[x->id].now);
		return 0;
	}
	acl = nve_acl_copy(&x->acl);
	if (!acl)
		return -ENOMEM;
	want(s, x->id, acl);
	return 0;
}

int nve_shadow_acl_del(struct nve_shadow *s, uint32_t id)
{
	if (!id || id > NVE_DP_ACLS_MAX || !s->acls[id].want)
		return 0;
	if (nve_shadow_list_room(&s->acl_list, 1) < 0)
		return -ENOMEM;
	want(s, id, NULL);
	return 0;
}

void nve_shadow_acl_commit(struct nve_shadow *s)
{
	for (uint32_t i = 0; i < s->acl_list.n; i++) {
		struct nve_shadow_acl *acl = &s->acls[s->acl_list.v[i]];

		if (acl->now != acl->want)
			free(acl->now);
		acl->now = acl->want;
		acl->listed = false;
	}
	s->acl_list.n = 0;
}

void nve_shadow_acl_clear(struct nve_shadow *s)
{
	for (uint32_t id = 1; id <= NVE_DP_ACLS_MAX; id++) {
		if (s->acls[id].now != s->acls[id].want)
			free(s->acls[id].now);
		free(s->acls[id].want);
		s->acls[id] = (struct nve_shadow_acl){ 0 };
	}
	s->acl_list.n = 0;
	s->n_acls = s->n_acl_rows = 0;
}
