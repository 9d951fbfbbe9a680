/* SPDX-License-Identifier: Apache-2.0 */
/* How much each owner has.  VNs are counted as VAPs: a VN on two ports counts twice. */
#include "core/core_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool counted(const struct nve_core *core, uint16_t owner)
{
	return owner && owner < core->config.max_owners;
}

static uint32_t *bucket_of(const struct nve_core *core, uint16_t owner, uint32_t vap)
{
	return &core->holder_buckets[nve_hash_pair(core, owner, vap) & core->holder_mask];
}

static uint32_t find(const struct nve_core *core, uint16_t owner, uint32_t vap)
{
	for (uint32_t i = *bucket_of(core, owner, vap); i; i = core->holder_chain[i - 1].next)
		if (core->holders[i - 1].vap == vap && core->holders[i - 1].owner == owner)
			return i - 1;
	return NVE_SLOT_NONE;
}

void nve_owner_join(struct nve_core *core, uint16_t owner, uint32_t vap)
{
	struct nve_owner_rec *rec;
	uint32_t i;

	if (!counted(core, owner))
		return;
	rec = &core->owners[owner];
	i = find(core, owner, vap);
	if (i == NVE_SLOT_NONE) {
		i = nve_pool_take(core, &core->state->holders);
		NVE_SET(core, core->holders[i], ((struct nve_holder_rec){ vap, 0, owner }));
		nve_chain_push(core, bucket_of(core, owner, vap), core->holder_chain, i);
		NVE_SET(core, rec->n_vaps, rec->n_vaps + 1);
	}
	NVE_SET(core, core->holders[i].n, core->holders[i].n + 1);
}

void nve_owner_leave(struct nve_core *core, uint16_t owner, uint32_t vap)
{
	struct nve_owner_rec *rec;
	uint32_t i;

	if (!counted(core, owner))
		return;
	rec = &core->owners[owner];
	i = find(core, owner, vap);
	if (core->holders[i].n > 1) {
		NVE_SET(core, core->holders[i].n, core->holders[i].n - 1);
		return;
	}
	nve_chain_remove(core, bucket_of(core, owner, vap), core->holder_chain, i);
	NVE_SET(core, core->holders[i], ((struct nve_holder_rec){ 0 }));
	nve_pool_give(core, &core->state->holders, i);
	NVE_SET(core, rec->n_vaps, rec->n_vaps - 1);
}

void nve_owner_count(struct nve_core *core, uint16_t owner, int tsis, int addrs)
{
	struct nve_owner_rec *rec;

	if (!counted(core, owner))
		return;
	rec = &core->owners[owner];
	if (tsis)
		NVE_SET(core, rec->n_tsis, rec->n_tsis + (uint32_t)tsis);
	if (addrs)
		NVE_SET(core, rec->n_addrs, rec->n_addrs + (uint32_t)addrs);
}

void nve_owner_give(struct nve_core *core, uint32_t slot, uint16_t owner)
{
	struct nve_tsi_rec *tsi = &core->tsis[slot];

	nve_owner_leave(core, tsi->pub.owner, tsi->vap);
	nve_owner_count(core, tsi->pub.owner, -1, -tsi->pub.n_addrs);
	NVE_SET(core, tsi->pub.owner, owner);
	nve_owner_count(core, owner, 1, tsi->pub.n_addrs);
	nve_owner_join(core, owner, tsi->vap);
}

struct nve_owner_usage nve_core_owner_usage(const struct nve_core *core, uint16_t owner)
{
	const struct nve_owner_rec *rec;

	if (!counted(core, owner))
		return (struct nve_owner_usage){ 0 };
	rec = &core->owners[owner];
	return (struct nve_owner_usage){ rec->n_tsis, rec->n_addrs, rec->n_vaps };
}

bool nve_core_owner_holds(const struct nve_core *core, uint16_t owner, const struct nve_vap *pub,
			  uint32_t *n_tsi, uint32_t *n_activated)
{
	uint32_t vap = nve_vap_find(core, pub->port, pub->vn_id);

	*n_tsi = *n_activated = 0;
	if (!counted(core, owner) || find(core, owner, vap) == NVE_SLOT_NONE)
		return false;
	for (uint32_t i = core->vaps[vap].tsis.head; i; i = core->by_vap[i - 1].next) {
		const struct nve_tsi *tsi = &core->tsis[i - 1].pub;

		*n_tsi += tsi->owner == owner;
		*n_activated += tsi->owner == owner && tsi->state == NVE_TSI_ACTIVATED;
	}
	return true;
}

/* --- invariants ------------------------------------------------------------------------------ */

static void check(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "nved core: invariant of owners broken: %s\n", what);
	abort();
}

static void check_holder(const struct nve_core *core, const struct nve_holder_rec *holder)
{
	const struct nve_vap_rec *vap = &core->vaps[holder->vap];
	uint32_t n = vap->pub.connected_explicitly && vap->pub.owner == holder->owner;

	for (uint32_t i = vap->tsis.head; i; i = core->by_vap[i - 1].next)
		n += core->tsis[i - 1].pub.owner == holder->owner;
	check(n == holder->n, "a holder counts what its owner has on the VAP");
	check(find(core, holder->owner, holder->vap) == (uint32_t)(holder - core->holders),
	      "a holder is found by its key");
}

static void check_owner(const struct nve_core *core, uint16_t owner)
{
	uint32_t n_tsis = 0, n_addrs = 0, n_vaps = 0;

	for (uint32_t i = 0; i < core->state->tsis.high; i++)
		if (core->tsis[i].pub.state != NVE_TSI_INIT && core->tsis[i].pub.owner == owner) {
			n_tsis++;
			n_addrs += core->tsis[i].pub.n_addrs;
		}
	for (uint32_t i = 0; i < core->state->holders.high; i++)
		n_vaps += core->holders[i].n && core->holders[i].owner == owner;
	check(core->owners[owner].n_tsis == n_tsis, "its TSIs");
	check(core->owners[owner].n_addrs == n_addrs, "its addresses");
	check(core->owners[owner].n_vaps == n_vaps, "its VAPs");
}

void nve_owner_check(const struct nve_core *core)
{
	uint64_t held = 0, have = 0;

	for (uint16_t owner = 1; owner < core->config.max_owners; owner++)
		check_owner(core, owner);
	for (uint32_t i = 0; i < core->state->holders.high; i++) {
		held += core->holders[i].n;
		if (core->holders[i].n)
			check_holder(core, &core->holders[i]);
	}
	for (uint32_t i = 0; i < core->state->tsis.high; i++)
		have += core->tsis[i].pub.state != NVE_TSI_INIT &&
			counted(core, core->tsis[i].pub.owner);
	for (uint32_t i = 0; i < core->state->vaps.high; i++)
		have += core->vaps[i].pub.connected_explicitly &&
			counted(core, core->vaps[i].pub.owner);
	check(held == have, "holders count all there is");
}
