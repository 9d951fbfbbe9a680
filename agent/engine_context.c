/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contexts of the VNs in use, as the NVA said them last, in the store: with the request that
 * connects the VN, in its transaction, and later ones within seconds.  At a restart at which the
 * NVA does not know a VN, or cannot be asked, they are what it forwards by (D18).
 */
#include "engine_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void pack_context(const struct nve_vn_context *c, struct nve_stored_context *to)
{
	memset(to, 0, sizeof(*to));
	memcpy(to->name, c->name, strnlen(c->name, NVE_NAME_MAX));
	memcpy(to->profile, c->profile, strnlen(c->profile, NVE_NAME_MAX));
	to->vni = c->vni;
	to->bum_rate = c->bum_rate;
	to->bum_burst = c->bum_burst;
	to->glean_age_ms = c->glean_age_ms;
	to->mtu = c->mtu;
	to->glean_max = c->glean_max;
	to->encap = c->encap;
	to->tos = c->tos;
	to->security = c->security;
	to->flags = (uint8_t)((c->suppress ? NVE_STORED_SUPPRESS : 0) |
			      (c->drop_unknown ? NVE_STORED_DROP : 0) |
			      (c->fail_closed ? NVE_STORED_CLOSED : 0));
}

void nve_context_unpack(const struct nve_stored_vn *stored, struct nve_vn_context *ret)
{
	const struct nve_stored_context *c = &stored->context;

	*ret = (struct nve_vn_context){
		.vn_id = stored->vn_id,
		.vni = c->vni,
		.encap = c->encap,
		.tos = c->tos,
		.security = c->security,
		.suppress = c->flags & NVE_STORED_SUPPRESS,
		.drop_unknown = c->flags & NVE_STORED_DROP,
		.fail_closed = c->flags & NVE_STORED_CLOSED,
		.bum_rate = c->bum_rate,
		.bum_burst = c->bum_burst,
		.mtu = c->mtu,
		.glean_max = c->glean_max,
		.glean_age_ms = c->glean_age_ms,
	};
	memcpy(ret->name, c->name, sizeof(ret->name));
	memcpy(ret->profile, c->profile, sizeof(ret->profile));
}

static struct nve_stored_remote pack_remote(const struct nve_engine *e, const struct nve_remote *m)
{
	struct nve_stored_remote to = { .vtep = e->vteps[m->vtep].ip, .epoch = m->epoch };

	memcpy(to.mac, m->mac, NVE_MAC_LEN);
	return to;
}

static const struct nve_claim *claim_at(const struct nve_engine *e, uint32_t number)
{
	return nve_slab_at(&e->claim_slab, number);
}

static const struct nve_acl *rules_of(const struct nve_engine *e, const struct nve_vn_rec *vn)
{
	const struct nve_acl *rules = NULL;

	if (!*vn->context.profile || !e->nva_ops->profile ||
	    e->nva_ops->profile(e->nva, vn->context.profile, &rules) < 0)
		return NULL;
	return rules;
}

/* --- digest ----------------------------------------------------------------------------------- */

static uint64_t hash(const void *data, size_t size, uint64_t kind)
{
	const uint8_t *bytes = data;
	uint64_t h = 0xcbf29ce484222325ull ^ kind * 0x9e3779b97f4a7c15ull;

	for (size_t i = 0; i < size; i++)
		h = (h ^ bytes[i]) * 0x100000001b3ull;
	return h ^ h >> 29;
}

/* A sum, since the lists have no order of their own. */
uint64_t nve_context_digest(const struct nve_engine *e, const struct nve_vn_rec *vn)
{
	const struct nve_acl *rules = rules_of(e, vn);
	struct nve_stored_context context;
	uint64_t sum;

	pack_context(&vn->context, &context);
	sum = hash(&context, sizeof(context), 1);
	for (uint32_t i = 0; i < vn->n_slots; i++)
		sum += hash(&e->vteps[vn->slots[i]].ip, sizeof(struct nve_ip), 2);
	for (const struct nve_remote *m = vn->remotes; m; m = m->vn_next) {
		struct nve_stored_remote remote = pack_remote(e, m);

		sum += hash(&remote, sizeof(remote), 3);
	}
	for (const struct nve_claim *c = claim_at(e, vn->claims); c; c = claim_at(e, c->owner_next))
		sum += hash(&c->addr, sizeof(c->addr), 4 + c->epoch);
	if (rules && rules->n_rules)
		sum += hash(rules->rules, rules->n_rules * sizeof(*rules->rules), 5);
	return sum + (rules ? 1u + rules->deny : 0);
}

/* --- storing ---------------------------------------------------------------------------------- */

struct lists {
	struct nve_ip *vteps;
	struct nve_stored_remote *remotes;
	struct nve_stored_neigh *neighs;
};

static void lists_free(struct lists *lists)
{
	free(lists->vteps);
	free(lists->remotes);
	free(lists->neighs);
}

static int make_lists(const struct nve_engine *e, const struct nve_vn_rec *vn, struct lists *to,
		      struct nve_stored_vn *stored)
{
	size_t n_remotes = 0, n_neighs = 0;

	for (const struct nve_remote *m = vn->remotes; m; m = m->vn_next)
		n_remotes++;
	for (const struct nve_claim *c = claim_at(e, vn->claims); c; c = claim_at(e, c->owner_next))
		n_neighs++;
	to->vteps = calloc(vn->n_slots + 1, sizeof(*to->vteps));
	to->remotes = calloc(n_remotes + 1, sizeof(*to->remotes));
	to->neighs = calloc(n_neighs + 1, sizeof(*to->neighs));
	if (!to->vteps || !to->remotes || !to->neighs)
		return -ENOMEM;
	for (uint32_t i = 0; i < vn->n_slots; i++)
		to->vteps[stored->n_vteps++] = e->vteps[vn->slots[i]].ip;
	for (const struct nve_remote *m = vn->remotes; m; m = m->vn_next)
		to->remotes[stored->n_remotes++] = pack_remote(e, m);
	for (const struct nve_claim *c = claim_at(e, vn->claims); c; c = claim_at(e, c->owner_next))
		to->neighs[stored->n_neighs++] = (struct nve_stored_neigh){ c->addr, c->epoch };
	stored->vteps = to->vteps;
	stored->remotes = to->remotes;
	stored->neighs = to->neighs;
	return 0;
}

static int put(struct nve_engine *e, struct nve_vn_rec *vn)
{
	struct nve_stored_vn stored = { .vn_id = vn->context.vn_id,
					.digest = vn->digest,
					.rules = rules_of(e, vn) };
	__attribute__((cleanup(lists_free))) struct lists lists = { 0 };
	int r = make_lists(e, vn, &lists, &stored);

	if (r < 0) {
		e->store_ops->rollback(e->store);
		return r;
	}
	pack_context(&vn->context, &stored.context);
	return e->store_ops->put_vn(e->store, &stored);
}

int nve_context_store(struct nve_engine *e, uint32_t vn_id)
{
	struct nve_vn_rec *vn = nve_vn_find(e, vn_id);
	bool in_use = vn && nve_vn_in_use(e, vn_id);
	int r = 0;

	if (!vn || (!in_use && !vn->stored) || (in_use && (!vn->known || vn->recalled)) ||
	    (in_use && vn->stored && vn->stored_digest == vn->digest))
		return 0;
	r = in_use ? put(e, vn) : e->store_ops->del_vn(e->store, vn_id);
	vn->stored = in_use;
	vn->stored_digest = vn->digest;
	return r;
}

void nve_context_unsure(struct nve_engine *e, uint32_t vn_id)
{
	struct nve_vn_rec *vn = nve_vn_find(e, vn_id);

	if (!vn)
		return;
	vn->stored = true; /* so that it is deleted, or written, the next time */
	vn->stored_digest = ~vn->digest;
}
