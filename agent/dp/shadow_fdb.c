/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shadow of what a datapath was told: forwarding entries.  See shadow.h.  They are the many, so
 * they lie in one block and are chained by place; an entry told to go keeps its place until
 * apply() has removed its row, hence twice as many places as entries.
 */
#include "dp/shadow_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint32_t places(const struct nve_shadow *s)
{
	return 2 * s->limits.max_fdb;
}

static uint32_t *bucket(const struct nve_shadow *s, uint32_t vn_id, const uint8_t mac[NVE_MAC_LEN])
{
	uint8_t key[4 + NVE_MAC_LEN];

	memcpy(key, &vn_id, 4);
	memcpy(key + 4, mac, NVE_MAC_LEN);
	return &s->fdb_buckets[nve_hash_bytes(key, sizeof(key)) & s->fdb_mask];
}

int nve_shadow_fdb_open(struct nve_shadow *s)
{
	uint32_t size = 64;

	while (size < s->limits.max_fdb)
		size *= 2;
	s->fdb = calloc(places(s), sizeof(s->fdb[0]));
	s->fdb_buckets = malloc(size * sizeof(s->fdb_buckets[0]));
	s->fdb_mask = size - 1;
	if (!s->fdb || !s->fdb_buckets)
		return -ENOMEM;
	nve_shadow_fdb_clear(s);
	return 0;
}

void nve_shadow_fdb_close(struct nve_shadow *s)
{
	free(s->fdb);
	free(s->fdb_buckets);
}

void nve_shadow_fdb_clear(struct nve_shadow *s)
{
	memset(s->fdb_buckets, 0xff, (s->fdb_mask + 1) * sizeof(s->fdb_buckets[0]));
	s->fdb_free = NVE_SLOT_NONE;
	s->fdb_top = 0;
}

struct nve_shadow_fdb *nve_shadow_fdb(const struct nve_shadow *s, uint32_t vn_id,
				      const uint8_t mac[NVE_MAC_LEN])
{
	uint32_t at = *bucket(s, vn_id, mac);

	for (; at != NVE_SLOT_NONE; at = s->fdb[at].next)
		if (s->fdb[at].vn_id == vn_id && !memcmp(s->fdb[at].mac, mac, NVE_MAC_LEN))
			return &s->fdb[at];
	return NULL;
}

static struct nve_shadow_fdb *entry_new(struct nve_shadow *s, uint32_t vn_id,
					const uint8_t mac[NVE_MAC_LEN])
{
	uint32_t *chain = bucket(s, vn_id, mac);
	struct nve_shadow_fdb *entry;
	uint32_t at = s->fdb_free;

	if (at != NVE_SLOT_NONE)
		s->fdb_free = s->fdb[at].next;
	else if (s->fdb_top < places(s))
		at = s->fdb_top++;
	else
		return NULL;
	entry = &s->fdb[at];
	*entry = (struct nve_shadow_fdb){ .next = *chain, .vn_id = vn_id };
	memcpy(entry->mac, mac, NVE_MAC_LEN);
	*chain = at;
	return entry;
}

static void entry_free(struct nve_shadow *s, struct nve_shadow_fdb *entry)
{
	uint32_t at = entry - s->fdb;
	uint32_t *link = bucket(s, entry->vn_id, entry->mac);

	while (*link != at)
		link = &s->fdb[*link].next;
	*link = entry->next;
	*entry = (struct nve_shadow_fdb){ .next = s->fdb_free };
	s->fdb_free = at;
}

static void entry_list(struct nve_shadow *s, struct nve_shadow_fdb *entry)
{
	if (!entry->listed)
		nve_shadow_list_add(&s->fdb_list, entry - s->fdb);
	entry->listed = true;
}

static int check_dest(const struct nve_shadow *s, const struct nve_dp_dest *dest)
{
	switch (dest->kind) {
	case NVE_DP_DEST_NONE:
		return 0;
	case NVE_DP_DEST_TSI:
		if (dest->slot < s->limits.max_tsis && s->tsis[dest->slot].want)
			return 0;
		return -ENOENT;
	case NVE_DP_DEST_VTEP:
		if (dest->slot < s->limits.max_vteps && s->vteps[dest->slot].want.family)
			return 0;
		return -ENOENT;
	default:
		return -EINVAL;
	}
}

static int check(const struct nve_shadow *s, const struct nve_dp_fdb *x)
{
	const struct nve_shadow_vn *vn = nve_shadow_vn(s, x->vn_id);
	int r = check_dest(s, &x->first);

	if (!vn || !vn->want)
		return -ENOENT;
	return r < 0 ? r : check_dest(s, &x->second);
}

/* The slot of no destination means nothing, and is kept as 0. */
static uint32_t slot_of(const struct nve_dp_dest *dest)
{
	return dest->kind == NVE_DP_DEST_NONE ? 0 : dest->slot;
}

int nve_shadow_fdb_set(struct nve_shadow *s, const struct nve_dp_fdb *x)
{
	struct nve_shadow_fdb *entry = nve_shadow_fdb(s, x->vn_id, x->mac);
	int r = check(s, x);

	if (r < 0)
		return r;
	if (entry && entry->want && entry->kind[0] == x->first.kind &&
	    entry->kind[1] == x->second.kind && entry->slot[0] == slot_of(&x->first) &&
	    entry->slot[1] == slot_of(&x->second))
		return 0;
	if (!(entry && entry->want) && s->n_fdb >= s->limits.max_fdb)
		return -ENOSPC;
	if (nve_shadow_list_room(&s->fdb_list, 1) < 0)
		return -ENOMEM;
	if (!entry)
		entry = entry_new(s, x->vn_id, x->mac);
	if (!entry)
		return -ENOSPC;
	s->n_fdb += !entry->want;
	entry->want = true;
	entry->kind[0] = x->first.kind;
	entry->kind[1] = x->second.kind;
	entry->slot[0] = slot_of(&x->first);
	entry->slot[1] = slot_of(&x->second);
	entry_list(s, entry);
	return 0;
}

int nve_shadow_fdb_del(struct nve_shadow *s, uint32_t vn_id, const uint8_t mac[NVE_MAC_LEN])
{
	struct nve_shadow_fdb *entry = nve_shadow_fdb(s, vn_id, mac);

	if (!entry || !entry->want)
		return 0;
	if (nve_shadow_list_room(&s->fdb_list, 1) < 0)
		return -ENOMEM;
	entry->want = false;
	s->n_fdb--;
	entry_list(s, entry);
	return 0;
}

void nve_shadow_fdb_commit(struct nve_shadow *s)
{
	for (uint32_t i = 0; i < s->fdb_list.n; i++) {
		struct nve_shadow_fdb *entry = &s->fdb[s->fdb_list.v[i]];

		entry->listed = false;
		entry->now = entry->want;
		if (!entry->now)
			entry_free(s, entry);
	}
	s->fdb_list.n = 0;
}
