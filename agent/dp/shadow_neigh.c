/* SPDX-License-Identifier: Apache-2.0 */
/* Shadow of what a datapath was told: who has which IP.  See shadow_neigh.h. */
#include "dp/shadow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct nve_shadow_neigh *entry_of(struct nve_hash_node *node)
{
	_Static_assert(offsetof(struct nve_shadow_neigh, node) == 0, "a node is its entry");
	return (struct nve_shadow_neigh *)node;
}

static uint32_t hash_of(uint32_t vn_id, const struct nve_ip *ip)
{
	uint8_t key[sizeof(vn_id) + sizeof(*ip)];

	memcpy(key, &vn_id, sizeof(vn_id));
	memcpy(key + sizeof(vn_id), ip, sizeof(*ip));
	return nve_hash_bytes(key, sizeof(key));
}

uint32_t nve_shadow_max_neighs(const struct nve_dp_limits *limits)
{
	return limits->max_addrs + limits->max_fdb;
}

struct nve_shadow_neigh *nve_shadow_neigh(const struct nve_shadow *s, uint32_t vn_id,
					  const struct nve_ip *ip)
{
	struct nve_hash_node *node = nve_hash_first(&s->neighs.all, hash_of(vn_id, ip));

	while (node && (entry_of(node)->vn_id != vn_id ||
			memcmp(&entry_of(node)->ip, ip, sizeof(*ip)) != 0))
		node = nve_hash_same(node);
	return entry_of(node);
}

struct nve_shadow_neigh *nve_shadow_neigh_next(const struct nve_shadow *s,
					       const struct nve_shadow_neigh *entry)
{
	return entry_of(nve_hash_next(&s->neighs.all, entry ? &entry->node : NULL));
}

int nve_shadow_neigh_open(struct nve_shadow *s)
{
	return nve_hash_init(&s->neighs.all);
}

void nve_shadow_neigh_clear(struct nve_shadow *s)
{
	struct nve_shadow_neigh *entry = nve_shadow_neigh_next(s, NULL), *next;

	for (; entry; entry = next) {
		next = nve_shadow_neigh_next(s, entry);
		nve_hash_del(&s->neighs.all, &entry->node);
		free(entry);
	}
	s->neighs.differ = NULL;
	s->neighs.n = 0;
}

void nve_shadow_neigh_close(struct nve_shadow *s)
{
	if (s->neighs.all.buckets)
		nve_shadow_neigh_clear(s);
	nve_hash_free(&s->neighs.all);
}

static void want(struct nve_shadow *s, struct nve_shadow_neigh *entry,
		 const struct nve_dp_claim claims[2])
{
	s->neighs.n += nve_shadow_neigh_is(claims);
	s->neighs.n -= nve_shadow_neigh_is(entry->want);
	memcpy(entry->want, claims, sizeof(entry->want));
	if (entry->listed)
		return;
	entry->next = s->neighs.differ;
	s->neighs.differ = entry;
	entry->listed = true;
}

static bool good(const struct nve_dp_neigh *x)
{
	return (x->ip.family == 4 || x->ip.family == 6) && x->first.kind <= NVE_DP_DEST_VTEP &&
	       x->second.kind <= NVE_DP_DEST_VTEP && (x->first.kind || x->second.kind);
}

int nve_shadow_neigh_set(struct nve_shadow *s, const struct nve_dp_neigh *x)
{
	struct nve_shadow_neigh *entry = nve_shadow_neigh(s, x->vn_id, &x->ip);
	const struct nve_shadow_vn *vn = nve_shadow_vn(s, x->vn_id);
	const struct nve_dp_claim claims[2] = { x->first, x->second };

	if (!good(x))
		return -EINVAL;
	if (!vn || !vn->want)
		return -ENOENT;
	if (entry && !memcmp(entry->want, claims, sizeof(claims)))
		return 0;
	if (!(entry && nve_shadow_neigh_is(entry->want)) &&
	    s->neighs.n >= nve_shadow_max_neighs(&s->limits))
		return -ENOSPC;
	if (!entry) {
		entry = calloc(1, sizeof(*entry));
		if (!entry)
			return -ENOMEM;
		entry->vn_id = x->vn_id;
		entry->ip = x->ip;
		nve_hash_add(&s->neighs.all, &entry->node, hash_of(x->vn_id, &x->ip));
	}
	want(s, entry, claims);
	return 0;
}

int nve_shadow_neigh_del(struct nve_shadow *s, uint32_t vn_id, const struct nve_ip *ip)
{
	const struct nve_dp_claim none[2] = { { 0 } };
	struct nve_shadow_neigh *entry = nve_shadow_neigh(s, vn_id, ip);

	if (entry && nve_shadow_neigh_is(entry->want))
		want(s, entry, none);
	return 0;
}

void nve_shadow_neigh_commit(struct nve_shadow *s)
{
	struct nve_shadow_neigh *entry, *next;

	for (entry = s->neighs.differ; entry; entry = next) {
		next = entry->next;
		entry->listed = false;
		memcpy(entry->now, entry->want, sizeof(entry->now));
		if (nve_shadow_neigh_is(entry->now))
			continue;
		nve_hash_del(&s->neighs.all, &entry->node);
		free(entry);
	}
	s->neighs.differ = NULL;
}
