/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of neigh and bum.  A claim's row says nothing of whether it holds, which the programs see
 * from fdb, tsi and src; so it needs no generation, and can be written before its TSI's record
 * flips.  One that goes is removed first: what is asked meanwhile is flooded.
 */
#include <bpf/bpf.h>
#include <string.h>

#include "dp/ebpf_tables.h"

#define NS_PER_SEC 1000000000ull

static void claim(struct nve_neigh_mac *to, const struct nve_dp_claim *from)
{
	if (from->kind == NVE_DP_DEST_NONE)
		return;
	to->flags = NVE_NEIGH_SET | (from->kind == NVE_DP_DEST_VTEP ? NVE_NEIGH_REMOTE : 0);
	memcpy(to->mac, from->mac, sizeof(to->mac));
}

void nve_ebpf_neigh_row(const struct nve_shadow_neigh *entry, struct nve_neigh_key *key,
			struct nve_neigh *row)
{
	*key = (struct nve_neigh_key){ .vn_id = entry->vn_id };
	nve_ebpf_ip16(key->ip, entry->ip.family == 4, entry->ip.bytes);
	*row = (struct nve_neigh){ 0 };
	claim(&row->first, &entry->want[0]);
	claim(&row->second, &entry->want[1]);
}

void nve_ebpf_neigh_remove(struct nve_dp *dp)
{
	const struct nve_shadow_neigh *entry;
	struct nve_neigh_key key;
	struct nve_neigh row;

	for (entry = dp->shadow.neighs.differ; entry; entry = entry->next) {
		if (nve_shadow_neigh_is(entry->want) || !nve_shadow_neigh_is(entry->now))
			continue;
		nve_ebpf_neigh_row(entry, &key, &row);
		nve_ebpf_cut(dp, NVE_MAP_NEIGH, &key);
	}
}

void nve_ebpf_neigh_write(struct nve_dp *dp)
{
	const struct nve_shadow_neigh *entry;
	struct nve_neigh_key key;
	struct nve_neigh row;

	for (entry = dp->shadow.neighs.differ; entry; entry = entry->next) {
		if (!nve_shadow_neigh_is(entry->want) ||
		    !memcmp(entry->now, entry->want, sizeof(entry->now)))
			continue;
		nve_ebpf_neigh_row(entry, &key, &row);
		nve_ebpf_put(dp, NVE_MAP_NEIGH, &key, &row);
	}
}

void nve_ebpf_neigh_want(struct nve_dp *dp, struct nve_rowset *rows)
{
	const struct nve_shadow_neigh *entry = NULL;
	struct nve_neigh_key key;
	struct nve_neigh row;

	while ((entry = nve_shadow_neigh_next(&dp->shadow, entry))) {
		if (!nve_shadow_neigh_is(entry->want))
			continue;
		nve_ebpf_neigh_row(entry, &key, &row);
		nve_rowset_add(rows, &key, &row);
	}
}

/* --- bum -------------------------------------------------------------------------------------- */

uint16_t nve_ebpf_flood_flags(const struct nve_dp_bum *bum)
{
	return (bum->suppress ? NVE_FLOOD_SUPPRESS : 0) |
	       (bum->drop_unknown ? NVE_FLOOD_NO_UNKNOWN : 0) | (bum->rate ? NVE_FLOOD_METER : 0);
}

/* As many whole ns as the programs take of it, so that a full bucket holds 'burst' frames. */
struct nve_meter nve_ebpf_bum_row(const struct nve_dp_bum *bum)
{
	uint64_t cost = (NS_PER_SEC << 16) / bum->rate;

	return (struct nve_meter){ .cost = cost, .burst = (cost >> 16) * bum->burst };
}

static bool has_rate(const struct nve_shadow_vn_state *state)
{
	return state && state->bum.rate;
}

void nve_ebpf_bum_remove(struct nve_dp *dp, const struct nve_shadow_vn *vn)
{
	if (has_rate(vn->now) && !has_rate(vn->want))
		nve_ebpf_cut(dp, NVE_MAP_BUM, &vn->vn_id);
}

/* A bucket that stays as it is keeps what is in it. */
void nve_ebpf_bum_write(struct nve_dp *dp, const struct nve_shadow_vn *vn)
{
	struct nve_meter row;

	if (!has_rate(vn->want) || (vn->now && vn->now->bum.rate == vn->want->bum.rate &&
				    vn->now->bum.burst == vn->want->bum.burst))
		return;
	row = nve_ebpf_bum_row(&vn->want->bum);
	nve_ebpf_put(dp, NVE_MAP_BUM, &vn->vn_id, &row);
}

void nve_ebpf_bum_want(struct nve_dp *dp, struct nve_rowset *rows)
{
	struct nve_hash_node *node = NULL;
	struct nve_meter row, there;

	while ((node = nve_hash_next(&dp->shadow.vns, node))) {
		const struct nve_shadow_vn *vn =
			(void *)((char *)node - offsetof(struct nve_shadow_vn, node));

		if (!has_rate(vn->want))
			continue;
		row = nve_ebpf_bum_row(&vn->want->bum);
		if (bpf_map_lookup_elem(dp->map[NVE_MAP_BUM], &vn->vn_id, &there) == 0 &&
		    there.cost == row.cost && there.burst == row.burst)
			row.full = there.full;
		nve_rowset_add(rows, &vn->vn_id, &row);
	}
}
