/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where frames to a MAC go: the instances that bear it here, joined with what the NVA says of it
 * elsewhere (D7, S23, S87).
 *
 * A row can be written before the TSI's record flips, because 'second' is always the instance with
 * the greatest epoch, whether Activated or not: while it is not in use, frames take 'first', which
 * is where they went already.  So neither an activation nor a deactivation rewrites a row in a way
 * that a frame could see before the flip.
 */
#include "engine_internal.h"

#include <string.h>

struct owners {
	struct nve_dp_dest newest; /* the instance with the greatest epoch */
	uint64_t newest_epoch;
	struct nve_dp_dest other; /* the best of the rest */
	uint64_t other_epoch;     /* 0 unless it works */
};

static struct nve_dp_dest dest_tsi(uint32_t slot)
{
	return (struct nve_dp_dest){ .kind = NVE_DP_DEST_TSI, .slot = slot };
}

static void gather(const struct nve_engine *e, uint32_t vn_id, const struct nve_addr *mac,
		   struct owners *own)
{
	uint32_t slots[NVE_PORTS_MAX];
	size_t n = nve_core_bearers(e->core, vn_id, mac, slots, NVE_PORTS_MAX), newest = 0;

	*own = (struct owners){ 0 };
	if (!n)
		return;
	for (size_t i = 1; i < n; i++)
		if (nve_core_tsi(e->core, slots[i])->epoch >
		    nve_core_tsi(e->core, slots[newest])->epoch)
			newest = i;
	own->newest = dest_tsi(slots[newest]);
	own->newest_epoch = nve_core_tsi(e->core, slots[newest])->epoch;
	if (n < 2)
		return;
	/* Bearers come working ones first, then by falling epoch. */
	own->other = dest_tsi(slots[newest == 0]);
	if (nve_core_addr_works(e->core, own->other.slot, mac))
		own->other_epoch = nve_core_tsi(e->core, own->other.slot)->epoch;
}

int nve_fdb_sync(struct nve_engine *e, uint32_t vn_id, const uint8_t mac[NVE_MAC_LEN])
{
	const struct nve_remote *remote = nve_remote_find(e, vn_id, mac);
	struct nve_dp_fdb row = { .vn_id = vn_id };
	struct nve_addr addr = { .flags = NVE_ADDR_MAC };
	struct owners own;

	memcpy(addr.mac, mac, NVE_MAC_LEN);
	memcpy(row.mac, mac, NVE_MAC_LEN);
	gather(e, vn_id, &addr, &own);
	if (!nve_vn_live(e, vn_id) || (!remote && own.newest.kind == NVE_DP_DEST_NONE))
		return e->dp_ops->fdb_del(e->dp, vn_id, mac);
	row.first = own.other;
	row.second = own.newest;
	if (remote && remote->epoch >= own.other_epoch)
		row.first = (struct nve_dp_dest){ NVE_DP_DEST_VTEP, remote->vtep };
	if (remote && remote->epoch > own.newest_epoch)
		row.second = (struct nve_dp_dest){ 0 };
	if (row.first.kind == NVE_DP_DEST_NONE) {
		row.first = row.second;
		row.second = (struct nve_dp_dest){ 0 };
	}
	return e->dp_ops->fdb_set(e->dp, &row);
}
