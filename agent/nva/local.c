/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The local NVA: VNs and remote mappings from a file, read at start and on SIGHUP.  Publications
 * have nobody to go to.
 */
#include "nva/local_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct nve_nva {
	char *path;
	struct nve_ip self[2]; /* IPv4, IPv6 */
	struct nve_nva_callbacks callbacks;
	struct nve_local_table table;
	uint64_t epoch;
};

static void local_close(struct nve_nva *nva)
{
	if (!nva)
		return;
	nve_local_free(&nva->table);
	free(nva->path);
	free(nva);
}

static int local_open(const struct nve_nva_config *config, struct nve_nva **ret, char **err)
{
	struct nve_nva *nva = calloc(1, sizeof(*nva));
	int r = -ENOMEM;

	if (nva)
		nva->path = strdup(config->source ? config->source : "");
	if (nva && nva->path) {
		nva->self[0] = config->local_vtep;
		nva->self[1] = config->local_vtep6;
		nva->callbacks = config->callbacks;
		r = nve_local_read(nva->path, nva->self, &nva->table, err);
	}
	if (r < 0) {
		local_close(nva);
		return r;
	}
	*ret = nva;
	return 0;
}

static int local_vn_by_id(struct nve_nva *nva, uint32_t vn_id, const struct nve_vn_context **ret)
{
	const struct nve_local_vn *vn = nve_local_find(&nva->table, vn_id);

	if (!vn)
		return -ENOENT;
	*ret = &vn->context;
	return 0;
}

static int name_against(const void *name, const void *vn)
{
	return strcmp(name, (*(struct nve_local_vn *const *)vn)->context.name);
}

static int local_vn_by_name(struct nve_nva *nva, const char *name,
			    const struct nve_vn_context **ret)
{
	struct nve_local_vn **vn = NULL;

	if (nva->table.n_named)
		vn = bsearch(name, nva->table.by_name, nva->table.n_named,
			     sizeof(struct nve_local_vn *), name_against);
	if (!vn)
		return -ENOENT;
	*ret = &(*vn)->context;
	return 0;
}

static int local_profile(struct nve_nva *nva, const char *name, const struct nve_acl **ret)
{
	*ret = nve_local_profile(&nva->table, name);
	return *ret ? 0 : -ENOENT;
}

static const struct nve_nva_tsi *local_tsis(struct nve_nva *nva, uint32_t vn_id, size_t *n)
{
	const struct nve_local_vn *vn = nve_local_find(&nva->table, vn_id);

	*n = vn ? vn->n_tsis : 0;
	return vn ? vn->tsis : NULL;
}

static int local_mappings(struct nve_nva *nva, uint32_t vn_id, nve_mapping_fn *fn, void *arg)
{
	const struct nve_local_vn *vn = nve_local_find(&nva->table, vn_id);

	for (size_t i = 0; vn && i < vn->n_mappings; i++)
		fn(arg, &vn->mappings[i]);
	return 0;
}

/* Above the file's epochs too: an activation here is later than what the file was written from. */
static uint64_t local_next_epoch(struct nve_nva *nva, uint64_t at_least)
{
	if (nva->epoch < at_least)
		nva->epoch = at_least;
	if (nva->epoch < nva->table.max_epoch)
		nva->epoch = nva->table.max_epoch;
	return ++nva->epoch;
}

static int local_publish(struct nve_nva *nva, uint32_t vn_id, const struct nve_addr *addr,
			 enum nve_publication state, uint64_t epoch)
{
	(void)nva;
	(void)vn_id;
	(void)addr;
	(void)state;
	(void)epoch;
	return 0;
}

static bool same_context(const struct nve_vn_context *a, const struct nve_vn_context *b)
{
	return a->vni == b->vni && a->encap == b->encap && a->tos == b->tos &&
	       a->suppress == b->suppress && a->drop_unknown == b->drop_unknown &&
	       a->bum_rate == b->bum_rate && a->bum_burst == b->bum_burst &&
	       a->security == b->security && a->fail_closed == b->fail_closed && a->mtu == b->mtu &&
	       !strcmp(a->name, b->name) && !strcmp(a->profile, b->profile) &&
	       a->glean_max == b->glean_max && a->glean_age_ms == b->glean_age_ms &&
	       a->n_vteps == b->n_vteps &&
	       !memcmp(a->vteps, b->vteps, a->n_vteps * sizeof(*a->vteps));
}

/* Both lists are in order; either VN may be NULL. */
static void tell_mappings(struct nve_nva *nva, const struct nve_local_vn *was,
			  const struct nve_local_vn *is)
{
	size_t n_was = was ? was->n_mappings : 0, n_is = is ? is->n_mappings : 0, i = 0, k = 0;

	while (i < n_was || k < n_is) {
		const struct nve_mapping *a = i < n_was ? &was->mappings[i] : NULL;
		const struct nve_mapping *b = k < n_is ? &is->mappings[k] : NULL;
		int order = !a ? 1 : !b ? -1 : nve_local_compare_mappings(a, b);
		bool same = !order && a->epoch == b->epoch &&
			    !memcmp(&a->vtep, &b->vtep, sizeof(a->vtep));

		if (order < 0)
			nva->callbacks.mapping_changed(nva->callbacks.arg, a, true);
		else if (!same)
			nva->callbacks.mapping_changed(nva->callbacks.arg, b, false);
		i += order <= 0;
		k += order >= 0;
	}
}

static bool same_rules(const struct nve_nva *nva, const struct nve_local_table *old,
		       const struct nve_local_vn *was, const struct nve_local_vn *is)
{
	return nve_acl_equal(nve_local_profile(old, was->context.profile),
			     nve_local_profile(&nva->table, is->context.profile));
}

static void tell_vn(struct nve_nva *nva, const struct nve_local_table *old, uint32_t vn_id,
		    const struct nve_local_vn *was, const struct nve_local_vn *is)
{
	if (!was || !is || !same_context(&was->context, &is->context) ||
	    !same_rules(nva, old, was, is) || !nve_local_same_tsis(was, is))
		nva->callbacks.vn_changed(nva->callbacks.arg, vn_id);
	tell_mappings(nva, was, is);
}

static int local_reload(struct nve_nva *nva, char **err)
{
	struct nve_local_table old = nva->table, new = { 0 };
	int r = nve_local_read(nva->path, nva->self, &new, err);
	size_t i = 0, k = 0;

	if (r < 0)
		return r;
	nva->table = new;
	while (i < old.n_vns || k < new.n_vns) {
		/* Above all IDs where a table is at its end. */
		uint64_t a = i < old.n_vns ? old.vns[i].context.vn_id : UINT64_MAX;
		uint64_t b = k < new.n_vns ? new.vns[k].context.vn_id : UINT64_MAX;
		bool was = a <= b, is = b <= a;

		tell_vn(nva, &old, (uint32_t)(was ? a : b), was ? &old.vns[i] : NULL,
			is ? &new.vns[k] : NULL);
		i += was;
		k += is;
	}
	nve_local_free(&old);
	return 0;
}

static int local_fd(struct nve_nva *nva)
{
	(void)nva;
	return -1;
}

static void local_dispatch(struct nve_nva *nva)
{
	(void)nva;
}

const struct nve_nva_ops nve_nva_local = {
	.name = "local",
	.open = local_open,
	.close = local_close,
	.vn_by_id = local_vn_by_id,
	.vn_by_name = local_vn_by_name,
	.profile = local_profile,
	.tsis = local_tsis,
	.mappings = local_mappings,
	.next_epoch = local_next_epoch,
	.publish = local_publish,
	.reload = local_reload,
	.fd = local_fd,
	.dispatch = local_dispatch,
};
