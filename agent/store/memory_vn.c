/* SPDX-License-Identifier: Apache-2.0 */
/* Contexts of VNs and deadlines in a store in memory. */
#include "store/memory_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int nve_memory_put_deadlines(struct nve_store *store, uint32_t chunk,
			     const struct nve_stored_deadline *list)
{
	size_t bytes = NVE_STORED_DEADLINES * sizeof(*list);
	struct record *rec = calloc(1, sizeof(*rec) + bytes);

	if (rec) {
		rec->kind = DEADLINES;
		rec->chunk = chunk;
		memcpy(rec->deadlines, list, bytes);
	}
	return nve_memory_change(store, DEADLINES, "", chunk, rec, !rec);
}

/* Copies to '*at', which moves on. */
static void *copy_list(uint8_t **at, const void *list, size_t bytes)
{
	void *copy = *at;

	if (bytes)
		memcpy(copy, list, bytes);
	*at += (bytes + 7) & ~(size_t)7;
	return copy;
}

int nve_memory_put_vn(struct nve_store *store, const struct nve_stored_vn *vn)
{
	size_t vteps = vn->n_vteps * sizeof(*vn->vteps);
	size_t remotes = vn->n_remotes * sizeof(*vn->remotes);
	size_t neighs = vn->n_neighs * sizeof(*vn->neighs);
	size_t rules = vn->rules ? vn->rules->n_rules * sizeof(*vn->rules->rules) : 0;
	struct record *rec = calloc(1, sizeof(*rec) + vteps + remotes + neighs + rules +
					       sizeof(*vn->rules) + 64);

	if (rec) {
		uint8_t *at = rec->lists;

		rec->kind = VN;
		rec->vn = *vn;
		rec->vn.vteps = copy_list(&at, vn->vteps, vteps);
		rec->vn.remotes = copy_list(&at, vn->remotes, remotes);
		rec->vn.neighs = copy_list(&at, vn->neighs, neighs);
		if (vn->rules) {
			struct nve_acl *acl = copy_list(&at, vn->rules, sizeof(*acl));

			acl->rules = copy_list(&at, vn->rules->rules, rules);
			rec->vn.rules = acl;
		}
	}
	return nve_memory_change(store, VN, "", vn->vn_id, rec, !rec);
}

int nve_memory_del_vn(struct nve_store *store, uint32_t vn_id)
{
	return nve_memory_change(store, VN, "", vn_id, NULL, false);
}

int nve_memory_get_vn(struct nve_store *store, uint32_t vn_id, nve_stored_vn_fn *fn, void *arg)
{
	struct record *rec = nve_memory_lookup(store, VN, vn_id);

	return rec ? fn(arg, &rec->vn) : -ENOENT;
}
