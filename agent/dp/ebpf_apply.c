/* SPDX-License-Identifier: Apache-2.0 */
/* apply(): the phases of dp.h, over the lists of what differs. */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "dp/ebpf_acl.h"
#include "dp/ebpf_near.h"
#include "dp/ebpf_net.h"
#include "dp/ebpf_tables.h"

typedef void tsi_fn(struct nve_dp *dp, uint32_t slot);

static void each_tsi(struct nve_dp *dp, tsi_fn *fn)
{
	for (uint32_t i = 0; i < dp->shadow.tsi_list.n; i++)
		fn(dp, dp->shadow.tsi_list.v[i]);
}

static void each_vn(struct nve_dp *dp, void (*fn)(struct nve_dp *dp, struct nve_shadow_vn *vn))
{
	for (uint32_t i = 0; i < dp->shadow.vn_list.n; i++)
		fn(dp, nve_shadow_vn(&dp->shadow, dp->shadow.vn_list.v[i]));
}

static void each_vap(struct nve_dp *dp, bool final)
{
	for (uint32_t i = 0; i < dp->shadow.vap_list.n; i++) {
		uint32_t index = dp->shadow.vap_list.v[i];

		nve_ebpf_vap_row(dp, nve_shadow_vap(&dp->shadow, index >> 12, index & 0xfff),
				 final);
	}
}

/* --- 1. what goes out of use ------------------------------------------------------------------ */

static void switch_off(struct nve_dp *dp, uint32_t slot)
{
	if (!nve_ebpf_stays(&dp->shadow.tsis[slot]))
		nve_ebpf_tsi_live(dp, slot, false);
}

static void views(struct nve_dp *dp, uint32_t slot, struct nve_ebpf_view *now,
		  struct nve_ebpf_view *want)
{
	const struct nve_shadow_tsi *tsi = &dp->shadow.tsis[slot];

	nve_ebpf_view(now, slot, tsi->now, nve_ebpf_row_ifindex(dp, tsi->now, true));
	nve_ebpf_view(want, slot, tsi->want, nve_ebpf_row_ifindex(dp, tsi->want, false));
}

/* Rows of a TSI that is off: nothing counts that leads to it, so they can go at once. */
static void remove_addrs(struct nve_dp *dp, uint32_t slot)
{
	const struct nve_shadow_tsi *tsi = &dp->shadow.tsis[slot];
	struct nve_ebpf_view now, want;
	struct nve_src_ip_key ip_key;
	struct nve_src_key key;
	struct nve_src_ip ip_row;
	struct nve_src row;

	if (nve_ebpf_stays(tsi) || !tsi->now || !nve_ebpf_set_differs(dp, tsi))
		return;
	views(dp, slot, &now, &want);
	for (uint32_t i = 1; i < NVE_MAC_NUMBERS; i++) {
		if (!now.macs[i].present)
			continue;
		nve_ebpf_src_row(&now, i, &key, &row);
		nve_ebpf_cut(dp, NVE_MAP_SRC, &key);
	}
	for (uint32_t i = 0; i < tsi->now->n_addrs; i++)
		if (nve_ebpf_src_ip_row(&now, i, &ip_key, &ip_row))
			nve_ebpf_cut(dp, NVE_MAP_SRC_IP, &ip_key);
	nve_ebpf_fdb_follow(dp, &now, &want);
}

/* A slot's counters are its TSI's. */
static bool changes_hands(const struct nve_shadow_tsi *tsi)
{
	return tsi->now && !(tsi->want && !memcmp(&tsi->now->key.id, &tsi->want->key.id,
						  sizeof(tsi->now->key.id)));
}

static void clear_drops_of(struct nve_dp *dp, uint32_t slot)
{
	struct nve_tsi_drop_key key = { .tsi = slot };

	for (key.reason = 1; key.reason < NVE_DROP_COUNT; key.reason++)
		bpf_map_delete_elem(dp->map[NVE_MAP_TSI_DROPS], &key);
}

static void clear_drops(struct nve_dp *dp)
{
	struct nve_tsi_drop_key first;
	bool some = false;

	for (uint32_t i = 0; i < dp->shadow.tsi_list.n; i++) {
		uint32_t slot = dp->shadow.tsi_list.v[i];

		if (!changes_hands(&dp->shadow.tsis[slot]))
			continue;
		if (!some && bpf_map_get_next_key(dp->map[NVE_MAP_TSI_DROPS], NULL, &first))
			return;
		some = true;
		clear_drops_of(dp, slot);
	}
}

static bool peer_kept(struct nve_dp *dp, const struct nve_shadow_vn *vn,
		      const struct nve_peer_key *key)
{
	struct nve_peer_key k;
	struct nve_peer row;

	for (uint32_t i = 0; i < nve_ebpf_n_peers(vn, false); i++)
		if (nve_ebpf_peer_row(dp, vn, false, i, &k, &row) && !memcmp(&k, key, sizeof(k)))
			return true;
	return false;
}

static void remove_vn(struct nve_dp *dp, struct nve_shadow_vn *vn)
{
	struct nve_peer_key key;
	struct nve_peer row;

	for (uint32_t i = 0; i < nve_ebpf_n_peers(vn, true); i++)
		if (nve_ebpf_peer_row(dp, vn, true, i, &key, &row) && !peer_kept(dp, vn, &key))
			nve_ebpf_cut(dp, NVE_MAP_PEER, &key);
	if (vn->now && !vn->want)
		nve_ebpf_cut(dp, NVE_MAP_FLOOD, &vn->vn_id);
	nve_ebpf_bum_remove(dp, vn);
}

static void remove_fdb(struct nve_dp *dp, bool late)
{
	for (uint32_t i = 0; i < dp->shadow.fdb_list.n; i++) {
		const struct nve_shadow_fdb *entry = &dp->shadow.fdb[dp->shadow.fdb_list.v[i]];
		struct nve_fdb_key key = { .vn_id = entry->vn_id };

		if (entry->want || !entry->now || nve_ebpf_fdb_in_use(dp, entry) != late)
			continue;
		memcpy(key.mac, entry->mac, sizeof(key.mac));
		nve_ebpf_cut(dp, NVE_MAP_FDB, &key);
	}
}

static void out_of_use(struct nve_dp *dp)
{
	each_tsi(dp, switch_off);
	each_tsi(dp, nve_ebpf_meter_leave);
	each_vap(dp, false);
	each_tsi(dp, remove_addrs);
	clear_drops(dp);
	each_vn(dp, remove_vn);
	nve_ebpf_rows_flush(dp);
	remove_fdb(dp, false);
	nve_ebpf_neigh_remove(dp);
	nve_ebpf_rows_flush(dp);
}

/* --- 2. new and changed rows ------------------------------------------------------------------ */

static void write_vn(struct nve_dp *dp, struct nve_shadow_vn *vn)
{
	struct nve_flood flood;
	struct nve_peer_key key;
	struct nve_peer row;

	if (!vn->want)
		return;
	for (uint32_t i = 0; i < nve_ebpf_n_peers(vn, false); i++)
		if (nve_ebpf_peer_row(dp, vn, false, i, &key, &row))
			nve_ebpf_put(dp, NVE_MAP_PEER, &key, &row);
	nve_ebpf_bum_write(dp, vn);
	nve_ebpf_flood_row(dp, vn, &flood);
	nve_ebpf_put(dp, NVE_MAP_FLOOD, &vn->vn_id, &flood);
	if (nve_ebpf_vn_shows_in_tsis(vn))
		nve_ebpf_tunnel_write(dp, vn);
}

/* A TSI that is off: its record, and then its rows, may say at once how it shall be. */
static void write_record(struct nve_dp *dp, uint32_t slot)
{
	const struct nve_shadow_tsi *tsi = &dp->shadow.tsis[slot];

	if (nve_ebpf_stays(tsi))
		return;
	if (!tsi->want ||
	    (tsi->now && memcmp(&tsi->now->key, &tsi->want->key, sizeof(tsi->now->key))))
		nve_ebpf_tsi_clear(dp, slot);
	if (tsi->want)
		nve_ebpf_tsi_record(dp, slot);
}

static void write_addrs(struct nve_dp *dp, uint32_t slot)
{
	const struct nve_shadow_tsi *tsi = &dp->shadow.tsis[slot];
	struct nve_ebpf_view now, want;

	if (nve_ebpf_stays(tsi) || !tsi->want || !nve_ebpf_set_differs(dp, tsi))
		return;
	views(dp, slot, &now, &want);
	nve_ebpf_addrs_put(dp, &want);
	nve_ebpf_fdb_follow(dp, &now, &want);
}

static void write_fdb(struct nve_dp *dp)
{
	for (uint32_t i = 0; i < dp->shadow.fdb_list.n; i++) {
		const struct nve_shadow_fdb *entry = &dp->shadow.fdb[dp->shadow.fdb_list.v[i]];

		if (entry->want)
			nve_ebpf_fdb_put(dp, entry);
	}
}

static void new_rows(struct nve_dp *dp)
{
	nve_ebpf_acls_write(dp);
	for (uint32_t i = 0; i < dp->shadow.vtep_list.n; i++) {
		int r = nve_ebpf_vtep_resolve(dp, dp->shadow.vtep_list.v[i]);

		if (r < 0 && !dp->row_error)
			dp->row_error = r;
	}
	each_vn(dp, write_vn);
	each_tsi(dp, write_record);
	write_fdb(dp);
	nve_ebpf_neigh_write(dp);
	nve_ebpf_rows_flush(dp);
}

/* --- 3. and 4. -------------------------------------------------------------------------------- */

static void move_tsis(struct nve_dp *dp, bool growing)
{
	for (uint32_t i = 0; i < dp->shadow.tsi_list.n; i++) {
		uint32_t slot = dp->shadow.tsi_list.v[i];
		struct nve_shadow_tsi *tsi = &dp->shadow.tsis[slot];

		if (!nve_ebpf_stays(tsi) || (tsi->want->n_addrs > tsi->now->n_addrs) != growing)
			continue;
		if (nve_ebpf_set_differs(dp, tsi))
			nve_ebpf_move(dp, slot);
		else
			nve_ebpf_tsi_record(dp, slot);
	}
}

static void switch_on(struct nve_dp *dp, uint32_t slot)
{
	const struct nve_shadow_tsi *tsi = &dp->shadow.tsis[slot];

	if (tsi->want && tsi->want->activated && !nve_ebpf_stays(tsi))
		nve_ebpf_tsi_live(dp, slot, true);
}

/* Rows of src and src_ip in use: what was is taken off, what is is added. */
static void count_rows(struct nve_dp *dp, uint32_t slot)
{
	const struct nve_shadow_tsi *tsi = &dp->shadow.tsis[slot];
	struct nve_ebpf_view now, want;
	uint32_t src, src_ip;

	if (tsi->now == tsi->want)
		return;
	views(dp, slot, &now, &want);
	nve_ebpf_count(&now, &src, &src_ip);
	dp->n_src -= src;
	dp->n_src_ip -= src_ip;
	nve_ebpf_count(&want, &src, &src_ip);
	dp->n_src += src;
	dp->n_src_ip += src_ip;
}

static int finish(struct nve_dp *dp)
{
	int r = nve_ebpf_rows_error(dp);

	dp->torn = r < 0;
	if (r < 0)
		return r;
	nve_ebpf_near_publish(dp);
	each_tsi(dp, count_rows);
	nve_ebpf_acls_remove(dp);
	nve_shadow_commit(&dp->shadow);
	for (int i = 0; i < NVE_PORTS_MAX; i++)
		dp->ports[i].row_ifindex = dp->ports[i].ifindex;
	return 0;
}

int nve_ebpf_apply(struct nve_dp *dp)
{
	if (dp->torn)
		return nve_ebpf_sweep(dp);
	nve_ebpf_near_withdraw(dp);
	out_of_use(dp);
	new_rows(dp);
	nve_ebpf_vteps_await(dp);
	/*
	 * Those that shrink go first, and those that grow last: so the tables never hold more than
	 * before or after, and the rows of one change (SLACK in ebpf_load.c).
	 */
	move_tsis(dp, false);
	each_tsi(dp, write_addrs);
	nve_ebpf_rows_flush(dp);
	move_tsis(dp, true);
	if (!dp->row_error) { /* else some of their rows are missing */
		each_tsi(dp, switch_on);
		each_vap(dp, true);
		remove_fdb(dp, true);
		nve_ebpf_glean_apply(dp);
	}
	return finish(dp);
}
