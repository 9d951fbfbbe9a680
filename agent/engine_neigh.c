/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who claims which IP of a VN: TSIs here that signaled it with a MAC, and the NVA's mappings with
 * MAC and IP.  The datapath gets the two MACs that come first; which of them holds at a moment it
 * sees itself (struct nve_dp_neigh), so a row changes with claims and epochs alone.
 */
#include "engine_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { IP_FLAGS = NVE_ADDR_IPV4 | NVE_ADDR_IPV6 };

static bool has_both(const struct nve_addr *addr)
{
	return (addr->flags & NVE_ADDR_MAC) && (addr->flags & IP_FLAGS);
}

static bool same_ip(const struct nve_addr *a, const struct nve_addr *b)
{
	return (a->flags & IP_FLAGS) == (b->flags & IP_FLAGS) &&
	       !memcmp(a->ip, b->ip, sizeof(a->ip));
}

static uint32_t *bucket_of(struct nve_engine *e, uint32_t vn_id, const struct nve_addr *addr)
{
	uint64_t h = vn_id;

	for (size_t i = 0; i < sizeof(addr->ip); i++)
		h = (h ^ addr->ip[i]) * 0x100000001b3ull;
	h *= 0x9e3779b97f4a7c15ull;
	return &e->claims[(h >> 32) % NVE_HASH_BUCKETS];
}

static struct nve_claim *claim_at(const struct nve_engine *e, uint32_t number)
{
	return nve_slab_at(&e->claim_slab, number);
}

static const struct nve_claim *first_in_bucket(struct nve_engine *e, uint32_t vn_id,
					       const struct nve_addr *addr)
{
	return claim_at(e, *bucket_of(e, vn_id, addr));
}

/* --- rows ------------------------------------------------------------------------------------- */

struct rank {
	bool works; /* only asked for the second place */
	uint64_t epoch;
};

static struct rank rank_of(const struct nve_engine *e, const struct nve_claim *c)
{
	const struct nve_tsi *tsi;
	struct nve_addr mac = { .flags = NVE_ADDR_MAC };

	if (c->slot == NVE_SLOT_NONE)
		return (struct rank){ true, c->epoch };
	tsi = nve_core_tsi(e->core, c->slot);
	memcpy(mac.mac, c->addr.mac, NVE_MAC_LEN);
	return (struct rank){ nve_core_addr_works(e->core, c->slot, &mac), tsi ? tsi->epoch : 0 };
}

static bool before(struct rank a, struct rank b, bool by_works)
{
	if (by_works && a.works != b.works)
		return a.works;
	return a.epoch != b.epoch ? a.epoch > b.epoch : a.works && !b.works;
}

/* Of those who claim the IP, with another MAC than 'other', the first; NULL: there is none. */
static const struct nve_claim *first_of(struct nve_engine *e, uint32_t vn_id,
					const struct nve_addr *addr, const struct nve_claim *other)
{
	const struct nve_claim *best = NULL;
	struct rank best_rank = { 0 };

	for (const struct nve_claim *c = first_in_bucket(e, vn_id, addr); c;
	     c = claim_at(e, c->next)) {
		struct rank rank;

		if (c->vn_id != vn_id || !same_ip(&c->addr, addr) ||
		    (other && !memcmp(c->addr.mac, other->addr.mac, NVE_MAC_LEN)))
			continue;
		rank = rank_of(e, c);
		if (best && !before(rank, best_rank, other != NULL))
			continue;
		best = c;
		best_rank = rank;
	}
	return best;
}

static struct nve_dp_claim row_claim(struct nve_engine *e, const struct nve_claim *claim)
{
	struct nve_dp_claim row = { .kind = NVE_DP_DEST_TSI };

	if (!claim)
		return (struct nve_dp_claim){ .kind = NVE_DP_DEST_NONE };
	memcpy(row.mac, claim->addr.mac, NVE_MAC_LEN);
	for (const struct nve_claim *c = first_in_bucket(e, claim->vn_id, &claim->addr); c;
	     c = claim_at(e, c->next))
		if (c->slot == NVE_SLOT_NONE && c->vn_id == claim->vn_id &&
		    !memcmp(&c->addr, &claim->addr, sizeof(c->addr)))
			row.kind = NVE_DP_DEST_VTEP;
	return row;
}

static int say(struct nve_engine *e, uint32_t vn_id, const struct nve_addr *addr)
{
	const struct nve_claim *newest = first_of(e, vn_id, addr, NULL);
	struct nve_dp_neigh row = { .vn_id = vn_id };

	row.ip.family = addr->flags & NVE_ADDR_IPV4 ? 4 : 6;
	memcpy(row.ip.bytes, addr->ip, sizeof(row.ip.bytes));
	if (!newest || !nve_vn_live(e, vn_id))
		return e->dp_ops->neigh_del(e->dp, vn_id, &row.ip);
	row.second = row_claim(e, newest);
	row.first = row_claim(e, first_of(e, vn_id, addr, newest));
	return nve_noting(e, e->dp_ops->neigh_set(e->dp, &row), NVE_RES_NEIGH);
}

int nve_neigh_say_vn(struct nve_engine *e, const struct nve_vn_rec *vn)
{
	int r, first = 0;

	for (const struct nve_claim *c = claim_at(e, vn->claims); c;
	     c = claim_at(e, c->owner_next)) {
		r = say(e, c->vn_id, &c->addr);
		first = first ? first : r;
	}
	return first;
}

/* --- claims ----------------------------------------------------------------------------------- */

int nve_neigh_note(struct nve_neigh_list *to, const struct nve_addr *addr, uint64_t epoch)
{
	int r;

	if (!has_both(addr))
		return 0;
	r = nve_grow(&to->list, &to->cap, to->n + 1, sizeof(*to->list));
	if (!r)
		to->list[to->n++] = (struct nve_neigh_said){ *addr, epoch };
	return r;
}

/* Marks the claim, which is made if there is none yet.  'want' says whose it is. */
static int claim(struct nve_engine *e, uint32_t *owner, const struct nve_claim *want)
{
	uint32_t *bucket = bucket_of(e, want->vn_id, &want->addr), number = *bucket;
	struct nve_claim *c;

	while ((c = claim_at(e, number)) && (c->slot != want->slot || c->vn_id != want->vn_id ||
					     memcmp(&c->addr, &want->addr, sizeof(c->addr)) != 0))
		number = c->next;
	if (!c) {
		number = nve_slab_take(&e->claim_slab);
		if (!number)
			return -ENOMEM;
		c = claim_at(e, number);
		*c = *want;
		c->next = *bucket;
		*bucket = number;
		c->owner_next = *owner;
		*owner = number;
	}
	c->mark = e->claim_mark;
	c->epoch = want->epoch;
	return 0;
}

static void unhash(struct nve_engine *e, uint32_t number)
{
	const struct nve_claim *c = claim_at(e, number);
	uint32_t *at = bucket_of(e, c->vn_id, &c->addr);

	while (*at != number)
		at = &claim_at(e, *at)->next;
	*at = c->next;
}

/* Lets go of those that were not marked; returns the first error of what is said then. */
static int sweep(struct nve_engine *e, uint32_t *owner)
{
	uint32_t *at = owner;
	int r, first = 0;

	while (*at) {
		uint32_t number = *at;
		struct nve_claim *c = claim_at(e, number);

		if (c->mark == e->claim_mark) {
			at = &c->owner_next;
			continue;
		}
		*at = c->owner_next;
		unhash(e, number);
		r = say(e, c->vn_id, &c->addr);
		first = first ? first : r;
		nve_slab_give(&e->claim_slab, number);
	}
	return first;
}

int nve_neigh_of_vn(struct nve_engine *e, struct nve_vn_rec *vn, const struct nve_neigh_list *said)
{
	struct nve_claim want = { .vn_id = vn->context.vn_id, .slot = NVE_SLOT_NONE };
	int r, first = 0;

	e->claim_mark++;
	for (size_t i = 0; i < said->n; i++) {
		want.addr = said->list[i].addr;
		want.epoch = said->list[i].epoch;
		r = claim(e, &vn->claims, &want);
		first = first ? first : r;
	}
	r = sweep(e, &vn->claims);
	first = first ? first : r;
	r = nve_neigh_say_vn(e, vn);
	return first ? first : r;
}

int nve_neigh_of_tsi(struct nve_engine *e, uint32_t slot, uint32_t vn_id, size_t n)
{
	struct nve_claim want = { .vn_id = vn_id, .slot = slot };
	uint32_t *owner = &e->tsi_claims[slot];
	int r, first = 0;

	e->claim_mark++;
	for (size_t i = 0; i < n; i++) {
		if (!has_both(&e->addrs[i].addr))
			continue;
		want.addr = e->addrs[i].addr;
		r = claim(e, owner, &want);
		first = first ? first : r;
	}
	r = sweep(e, owner); /* gives room back before it is taken */
	first = first ? first : r;
	for (const struct nve_claim *c = claim_at(e, *owner); c; c = claim_at(e, c->owner_next)) {
		r = say(e, c->vn_id, &c->addr);
		first = first ? first : r;
	}
	return first;
}

void nve_neigh_free(struct nve_engine *e, uint32_t *owner)
{
	while (*owner) {
		uint32_t number = *owner;

		*owner = claim_at(e, number)->owner_next;
		unhash(e, number);
		nve_slab_give(&e->claim_slab, number);
	}
}

void nve_neigh_free_all(struct nve_engine *e)
{
	nve_slab_clear(&e->claim_slab);
	free(e->tsi_claims);
}
