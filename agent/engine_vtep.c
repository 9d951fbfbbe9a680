/* SPDX-License-Identifier: Apache-2.0 */
/* The slots of VTEPs: which VNs list them, and which of them the datapath has. */
#include "engine_internal.h"

#include <errno.h>
#include <string.h>

static uint32_t *vtep_bucket(struct nve_engine *e, const struct nve_ip *ip)
{
	uint64_t h = ip->family;

	for (size_t i = 0; i < sizeof(ip->bytes); i++)
		h = (h ^ ip->bytes[i]) * 0x100000001b3ull;
	return &e->vtep_buckets[(h >> 20) % NVE_VTEP_BUCKETS];
}

static void vtep_rename(struct nve_engine *e, uint32_t slot, const struct nve_ip *ip)
{
	struct nve_vtep_slot *vtep = &e->vteps[slot];
	uint32_t *at;

	if (vtep->ip.family) {
		for (at = vtep_bucket(e, &vtep->ip); *at != slot + 1; at = &e->vteps[*at - 1].next)
			;
		*at = vtep->next;
	}
	vtep->ip = *ip;
	at = vtep_bucket(e, ip);
	vtep->next = *at;
	*at = slot + 1;
}

int nve_vtep_find(struct nve_engine *e, const struct nve_ip *ip, uint32_t *ret)
{
	uint32_t max = e->limits.max_vteps;

	for (uint32_t at = *vtep_bucket(e, ip); at; at = e->vteps[at - 1].next) {
		*ret = at - 1;
		if (!memcmp(&e->vteps[at - 1].ip, ip, sizeof(*ip)))
			return 0;
	}
	for (uint32_t i = 0; i < max; i++) {
		uint32_t slot = (e->vtep_hint + i) % max;

		if (e->vteps[slot].refs || e->vteps[slot].mark == e->mark)
			continue;
		vtep_rename(e, slot, ip);
		e->vtep_hint = (slot + 1) % max;
		*ret = slot;
		return 0;
	}
	return nve_noting(e, -ENOSPC, NVE_RES_VTEPS);
}

int nve_vteps_live(struct nve_engine *e, const uint32_t *slots, size_t n)
{
	int r, first = 0;

	for (size_t i = 0; i < n; i++) {
		struct nve_vtep_slot *vtep = &e->vteps[slots[i]];

		vtep->live++;
		r = e->dp_ops->vtep_set(e->dp, slots[i], &vtep->ip);
		nve_noting(e, r, NVE_RES_VTEPS);
		first = first ? first : r;
	}
	return first;
}

int nve_vteps_idle(struct nve_engine *e, const uint32_t *slots, size_t n)
{
	int r, first = 0;

	for (size_t i = 0; i < n; i++) {
		if (--e->vteps[slots[i]].live)
			continue;
		r = e->dp_ops->vtep_del(e->dp, slots[i]);
		first = first ? first : r;
	}
	return first;
}

void nve_vteps_ref(struct nve_engine *e, const uint32_t *slots, size_t n, uint32_t change)
{
	for (size_t i = 0; i < n; i++)
		e->vteps[slots[i]].refs += change;
}
