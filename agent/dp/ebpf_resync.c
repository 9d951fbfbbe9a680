/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes the tables what is wanted, whatever is in them: at start, over the rows that an earlier
 * agent left, and after an apply() that failed half-way.  Rows that are right are not touched, and
 * a TSI that is in use and stays so is not switched off, so frames go on passing.
 *
 * An earlier agent may have numbered the MACs of a TSI otherwise (numbers depend on history), so
 * the numbers found in the table are taken over first.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "dp/ebpf_acl.h"
#include "dp/ebpf_near.h"
#include "dp/ebpf_net.h"
#include "dp/ebpf_tables.h"
#include "dp/rowset.h"

/* --- what is wanted of each table ------------------------------------------------------------- */

static void want_addrs(struct nve_dp *dp, struct nve_rowset *src, struct nve_rowset *src_ip)
{
	struct nve_src_ip_key ip_key;
	struct nve_src_key key;
	struct nve_src_ip ip_row;
	struct nve_src row;
	struct nve_ebpf_view v;

	for (uint32_t slot = 0; slot < dp->shadow.limits.max_tsis; slot++) {
		const struct nve_shadow_tsi_state *state = dp->shadow.tsis[slot].want;

		if (!state)
			continue;
		nve_ebpf_view(&v, slot, state, nve_ebpf_row_ifindex(dp, state, false));
		for (uint32_t i = 1; i < NVE_MAC_NUMBERS; i++) {
			if (!v.macs[i].present)
				continue;
			nve_ebpf_src_row(&v, i, &key, &row);
			nve_rowset_add(src, &key, &row);
		}
		for (uint32_t i = 0; i < state->n_addrs; i++)
			if (nve_ebpf_src_ip_row(&v, i, &ip_key, &ip_row))
				nve_rowset_add(src_ip, &ip_key, &ip_row);
	}
}

static void want_vns(struct nve_dp *dp, struct nve_rowset *peer, struct nve_rowset *flood)
{
	struct nve_hash_node *node = NULL;
	struct nve_peer_key key;
	struct nve_peer row;
	struct nve_flood members;

	while ((node = nve_hash_next(&dp->shadow.vns, node))) {
		const struct nve_shadow_vn *vn =
			(void *)((char *)node - offsetof(struct nve_shadow_vn, node));

		if (!vn->want)
			continue;
		for (uint32_t i = 0; i < nve_ebpf_n_peers(vn, false); i++)
			if (nve_ebpf_peer_row(dp, vn, false, i, &key, &row))
				nve_rowset_add(peer, &key, &row);
		nve_ebpf_flood_row(dp, vn, &members);
		nve_rowset_add(flood, &vn->vn_id, &members);
	}
}

static void want_fdb(struct nve_dp *dp, struct nve_rowset *fdb)
{
	struct nve_fdb_key key;
	struct nve_fdb row;

	for (uint32_t i = 0; i < dp->shadow.fdb_top; i++) {
		if (!dp->shadow.fdb[i].want)
			continue;
		nve_ebpf_fdb_row(dp, &dp->shadow.fdb[i], &key, &row);
		nve_rowset_add(fdb, &key, &row);
	}
}

static void want_ports(struct nve_dp *dp, struct nve_rowset *ports)
{
	for (uint16_t i = 0; i < NVE_PORTS_MAX; i++) {
		struct nve_port row;

		if (!dp->shadow.port_is_set[i] || !dp->ports[i].ifindex)
			continue;
		row = nve_ebpf_port_row(dp, i);
		nve_rowset_add(ports, &dp->ports[i].ifindex, &row);
	}
}

/* --- hash tables ------------------------------------------------------------------------------ */

static const enum nve_ebpf_map hashes[] = {
	NVE_MAP_PORT,  NVE_MAP_SRC,   NVE_MAP_SRC_IP, NVE_MAP_FDB,     NVE_MAP_PEER,
	NVE_MAP_FLOOD, NVE_MAP_NEIGH, NVE_MAP_BUM,    NVE_MAP_GLEANER, NVE_MAP_GLEANED,
};
enum { HASHES = sizeof(hashes) / sizeof(hashes[0]) };

struct compare {
	struct nve_rowset *want, *foreign;
};

static int compare(struct nve_dp *dp, void *arg, const void *key, const void *value)
{
	struct compare *c = arg;

	(void)dp;
	if (!nve_rowset_match(c->want, key, value))
		nve_rowset_add(c->foreign, key, "");
	return 0;
}

/* Rows that nobody wants go first, so that there is room for those that are missing. */
static int sweep_hash(struct nve_dp *dp, struct nve_rowset *want, enum nve_ebpf_map map)
{
	struct nve_rowset foreign = { .key_size = dp->buffer[map].key_size };
	struct compare c = { want, &foreign };
	int r = nve_ebpf_each(dp, map, compare, &c);

	if (!r)
		r = foreign.error ?: want->error;
	for (uint32_t i = 0; !r && i < foreign.n; i++)
		nve_ebpf_cut(dp, map, nve_rowset_key(&foreign, i));
	nve_ebpf_rows_flush(dp);
	for (uint32_t i = 0; !r && i < want->n; i++)
		if (!nve_rowset_matched(want, i))
			nve_ebpf_put(dp, map, nve_rowset_key(want, i), nve_rowset_value(want, i));
	nve_ebpf_rows_flush(dp);
	nve_rowset_free(&foreign);
	return r;
}

static int sweep_hashes(struct nve_dp *dp)
{
	struct nve_rowset set[NVE_MAPS] = { 0 };
	int r = 0;

	for (int i = 0; i < HASHES; i++) {
		set[hashes[i]].key_size = dp->buffer[hashes[i]].key_size;
		set[hashes[i]].value_size = dp->buffer[hashes[i]].value_size;
	}
	want_ports(dp, &set[NVE_MAP_PORT]);
	want_addrs(dp, &set[NVE_MAP_SRC], &set[NVE_MAP_SRC_IP]);
	want_fdb(dp, &set[NVE_MAP_FDB]);
	want_vns(dp, &set[NVE_MAP_PEER], &set[NVE_MAP_FLOOD]);
	nve_ebpf_glean_want(dp, &set[NVE_MAP_GLEANER], &set[NVE_MAP_GLEANED]);
	nve_ebpf_neigh_want(dp, &set[NVE_MAP_NEIGH]);
	nve_ebpf_bum_want(dp, &set[NVE_MAP_BUM]);
	dp->n_src = set[NVE_MAP_SRC].n;
	dp->n_src_ip = set[NVE_MAP_SRC_IP].n;
	for (int i = 0; i < HASHES && !r; i++)
		r = sweep_hash(dp, &set[hashes[i]], hashes[i]);
	for (int i = 0; i < HASHES; i++)
		nve_rowset_free(&set[hashes[i]]);
	return r;
}

/* --- MAC numbers ------------------------------------------------------------------------------ */

static void forget_numbers(struct nve_dp *dp)
{
	for (uint32_t slot = 0; slot < dp->shadow.limits.max_tsis; slot++) {
		struct nve_shadow_tsi_state *state = dp->shadow.tsis[slot].want;

		for (uint32_t i = 0; state && i < state->n_addrs; i++)
			state->addrs[i].mac = 0;
	}
}

static int adopt_number(struct nve_dp *dp, void *arg, const void *k, const void *v)
{
	const struct nve_src_key *key = k;
	const struct nve_src *row = v;
	struct nve_shadow_tsi_state *state;

	(void)arg;
	if (row->tsi >= dp->shadow.limits.max_tsis || row->mac >= NVE_MAC_NUMBERS)
		return 0;
	state = dp->shadow.tsis[row->tsi].want;
	if (!state || state->tag != key->vid ||
	    nve_ebpf_row_ifindex(dp, state, false) != key->ifindex)
		return 0;
	for (uint32_t i = 0; i < state->n_addrs; i++)
		if (state->addrs[i].mac == row->mac)
			return 0; /* taken */
	for (uint32_t i = 0; i < state->n_addrs; i++)
		if ((state->addrs[i].addr.flags & NVE_ADDR_MAC) &&
		    !memcmp(state->addrs[i].addr.mac, key->mac, NVE_MAC_LEN))
			state->addrs[i].mac = row->mac;
	return 0;
}

static int adopt_numbers(struct nve_dp *dp)
{
	int r;

	forget_numbers(dp);
	r = nve_ebpf_each(dp, NVE_MAP_SRC, adopt_number, NULL);
	for (uint32_t slot = 0; slot < dp->shadow.limits.max_tsis; slot++)
		if (dp->shadow.tsis[slot].want)
			nve_shadow_number_macs(dp->shadow.tsis[slot].want, NULL);
	return r;
}

/* --- arrays ----------------------------------------------------------------------------------- */

/* The record already is this TSI's, at this place: it keeps its generation, and stays on. */
static bool same_tsi(const struct nve_dp *dp, uint32_t slot)
{
	const struct nve_shadow_tsi_state *state = dp->shadow.tsis[slot].want;
	const struct nve_tsi_row *row = &dp->tsi[slot];

	return state && row->vn_id == state->key.vn_id && row->vid == state->tag &&
	       row->port == state->key.port &&
	       row->ifindex == nve_ebpf_row_ifindex(dp, state, false);
}

static bool empty(const void *row, size_t size)
{
	const uint8_t *p = row;

	return !p[0] && !memcmp(p, p + 1, size - 1);
}

static void sweep_tsis_off(struct nve_dp *dp)
{
	for (uint32_t slot = 0; slot < dp->shadow.limits.max_tsis; slot++) {
		struct nve_shadow_tsi *tsi = &dp->shadow.tsis[slot];
		uint64_t live = __atomic_load_n(&dp->tsi[slot].live, __ATOMIC_ACQUIRE);

		tsi->gen = live;
		if ((!same_tsi(dp, slot) || !tsi->want->activated) && (live >> 32))
			nve_ebpf_tsi_live(dp, slot, false);
	}
}

/* Counters of a slot belong to its TSI; those that stay keep them. */
static void sweep_tsis(struct nve_dp *dp)
{
	for (uint32_t slot = 0; slot < dp->shadow.limits.max_tsis; slot++)
		if (!same_tsi(dp, slot) && !empty(&dp->tsi[slot], sizeof(dp->tsi[slot])))
			nve_ebpf_tsi_clear(dp, slot);
	nve_ebpf_meters_adopt(dp);
	for (uint32_t slot = 0; slot < dp->shadow.limits.max_tsis; slot++) {
		if (dp->shadow.tsis[slot].want)
			nve_ebpf_tsi_record(dp, slot);
	}
}

static void sweep_tsis_on(struct nve_dp *dp)
{
	for (uint32_t slot = 0; slot < dp->shadow.limits.max_tsis; slot++) {
		const struct nve_shadow_tsi_state *state = dp->shadow.tsis[slot].want;

		if (state && state->activated && !(dp->tsi[slot].live >> 32))
			nve_ebpf_tsi_live(dp, slot, true);
	}
}

static void sweep_vaps(struct nve_dp *dp)
{
	for (uint32_t i = 0; i < NVE_PORTS_MAX * NVE_VID_COUNT; i++) {
		struct nve_vap_row *row = &dp->vap[i];
		struct nve_shadow_vap *vap;

		vap = nve_shadow_vap(&dp->shadow, i / NVE_VID_COUNT, i % NVE_VID_COUNT);
		if (vap)
			nve_ebpf_vap_row(dp, vap, true);
		else if (!empty(row, sizeof(*row)))
			*row = (struct nve_vap_row){ 0 };
	}
}

static int sweep_vteps(struct nve_dp *dp)
{
	int r = 0;

	for (uint32_t slot = 0; !r && slot < dp->shadow.limits.max_vteps; slot++)
		r = nve_ebpf_vtep_resolve(dp, slot);
	return r;
}

static int drop_of_nobody(struct nve_dp *dp, void *arg, const void *k, const void *v)
{
	const struct nve_tsi_drop_key *key = k;

	(void)v;
	if (key->tsi >= dp->shadow.limits.max_tsis || !dp->shadow.tsis[key->tsi].want)
		nve_rowset_add(arg, key, "");
	return 0;
}

static int sweep_drops(struct nve_dp *dp)
{
	struct nve_rowset foreign = { .key_size = sizeof(struct nve_tsi_drop_key) };
	int r = nve_ebpf_each(dp, NVE_MAP_TSI_DROPS, drop_of_nobody, &foreign);

	for (uint32_t i = 0; i < foreign.n; i++)
		nve_ebpf_cut(dp, NVE_MAP_TSI_DROPS, nve_rowset_key(&foreign, i));
	nve_rowset_free(&foreign);
	return r;
}

int nve_ebpf_sweep(struct nve_dp *dp)
{
	int r, written;

	r = nve_ebpf_acls_adopt(dp);
	if (r < 0)
		return r;
	nve_ebpf_near_clear(dp);
	nve_shadow_commit(&dp->shadow);
	for (int i = 0; i < NVE_PORTS_MAX; i++)
		dp->ports[i].row_ifindex = dp->ports[i].ifindex;
	dp->torn = true;
	r = adopt_numbers(dp);
	if (r < 0)
		return r;
	sweep_tsis_off(dp);
	r = sweep_vteps(dp);
	if (!r)
		r = sweep_hashes(dp);
	if (!r)
		r = sweep_drops(dp);
	sweep_tsis(dp);
	written = nve_ebpf_rows_error(dp);
	if (r < 0 || written < 0)
		return r < 0 ? r : written;
	sweep_vaps(dp);
	sweep_tsis_on(dp);
	nve_ebpf_acls_sweep(dp);
	nve_ebpf_near_fill(dp);
	r = dp->migrating ? nve_ebpf_migrate(dp) : 0;
	dp->torn = r < 0;
	return r;
}
