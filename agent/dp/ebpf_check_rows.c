/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The check of hash tables: the rows that objects of dp.h have, and whose a row is.
 *
 * Most keys name their object.  Those of src, of IPs that are known alone, and of gleaners of VAPs
 * do not: there the row is asked first whose it is, and only if it lies, everybody.
 */
#include <errno.h>
#include <string.h>

#include "dp/ebpf_check.h"
#include "dp/ebpf_net.h"
#include "dp/ebpf_tables.h"

enum { ASKED_A_ROW = 16 }; /* TSIs that are asked in the time that a row takes */

/* --- TSIs ------------------------------------------------------------------------------------- */

static const struct nve_shadow_tsi_state *state_of(const struct nve_dp *dp, uint32_t slot)
{
	return slot < dp->shadow.limits.max_tsis ? dp->shadow.tsis[slot].want : NULL;
}

static int check_glean(struct nve_ebpf_check *c, uint32_t slot,
		       const struct nve_shadow_tsi_state *state)
{
	const struct nve_gleaned none = { 0 };
	struct nve_ebpf_gleaners g;
	int r = 0;

	nve_ebpf_gleaners(c->dp, slot, state, true, &g);
	for (uint32_t i = 0; i < g.n && r >= 0; i++)
		r = nve_ebpf_check_has(c, NVE_MAP_GLEANER, &g.keys[i], &g.row);
	for (uint16_t i = 0; i < state->n_addrs && r >= 0; i++) {
		struct nve_gleaned_key key = nve_ebpf_gleaned_key(slot, &state->addrs[i].addr);

		if (state->addrs[i].gleaned)
			r = nve_ebpf_check_has(c, NVE_MAP_GLEANED, &key, &none);
	}
	return r;
}

static int check_tsi(struct nve_ebpf_check *c, uint32_t slot,
		     const struct nve_shadow_tsi_state *state)
{
	struct nve_src_ip_key ip_key;
	struct nve_src_key key;
	struct nve_src_ip ip_row;
	struct nve_ebpf_view v;
	struct nve_src row;
	int r = 0;

	nve_ebpf_view(&v, slot, state, nve_ebpf_row_ifindex(c->dp, state, true));
	nve_ebpf_check_count(c, 1);
	for (uint32_t i = 0; i < state->n_addrs && r >= 0; i++) {
		const struct nve_shadow_addr *a = &state->addrs[i];

		if (nve_ebpf_src_ip_row(&v, i, &ip_key, &ip_row))
			r = nve_ebpf_check_has(c, NVE_MAP_SRC_IP, &ip_key, &ip_row);
		/* A MAC's row once, whatever number of IPs it has. */
		if (r < 0 || !a->mac || v.macs[a->mac].addr != &a->addr)
			continue;
		nve_ebpf_src_row(&v, a->mac, &key, &row);
		r = nve_ebpf_check_has(c, NVE_MAP_SRC, &key, &row);
	}
	return r < 0 ? r : check_glean(c, slot, state);
}

int nve_ebpf_check_addrs(struct nve_ebpf_check *c)
{
	uint64_t *slot = &c->pass->at;

	for (; *slot < c->dp->shadow.limits.max_tsis; ++*slot) {
		const struct nve_shadow_tsi_state *state = c->dp->shadow.tsis[*slot].want;
		int r;

		if (!state)
			continue;
		if (c->left <= 0)
			return 0;
		r = check_tsi(c, *slot, state);
		if (r < 0)
			return r;
	}
	return 1;
}

/* --- fdb, neigh, port ------------------------------------------------------------------------- */

int nve_ebpf_check_fdb(struct nve_ebpf_check *c)
{
	struct nve_fdb_key key;
	struct nve_fdb row;

	for (; c->pass->at < c->dp->shadow.fdb_top; c->pass->at++) {
		const struct nve_shadow_fdb *entry = &c->dp->shadow.fdb[c->pass->at];
		int r;

		if (!entry->want)
			continue;
		if (c->left <= 0)
			return 0;
		nve_ebpf_fdb_row(c->dp, entry, &key, &row);
		r = nve_ebpf_check_has(c, NVE_MAP_FDB, &key, &row);
		if (r < 0)
			return r;
	}
	return 1;
}

/* Where a table grows between two calls, what was in one of its buckets is there or further on. */
int nve_ebpf_check_neighs(struct nve_ebpf_check *c)
{
	const struct nve_hash *h = &c->dp->shadow.neighs.all;
	struct nve_neigh_key key;
	struct nve_neigh row;
	int r = 0;

	for (; c->pass->at <= h->mask; c->pass->at++) {
		struct nve_hash_node *node = h->buckets[c->pass->at];

		if (c->left <= 0)
			return 0;
		for (; node && r >= 0; node = node->next) {
			const struct nve_shadow_neigh *entry =
				(void *)((char *)node - offsetof(struct nve_shadow_neigh, node));

			nve_ebpf_neigh_row(entry, &key, &row);
			if (nve_shadow_neigh_is(entry->want))
				r = nve_ebpf_check_has(c, NVE_MAP_NEIGH, &key, &row);
		}
		if (r < 0)
			return r;
	}
	return 1;
}

int nve_ebpf_check_port_rows(struct nve_ebpf_check *c)
{
	for (; c->pass->at < NVE_PORTS_MAX; c->pass->at++) {
		uint16_t slot = c->pass->at;
		struct nve_port row;
		int r;

		if (!c->dp->shadow.port_is_set[slot] || !c->dp->ports[slot].ifindex)
			continue;
		row = nve_ebpf_port_row(c->dp, slot);
		r = nve_ebpf_check_has(c, NVE_MAP_PORT, &c->dp->ports[slot].ifindex, &row);
		if (r < 0)
			return r;
	}
	return 1;
}

/* --- VNs -------------------------------------------------------------------------------------- */

static int check_vn(struct nve_ebpf_check *c, const struct nve_shadow_vn *vn)
{
	struct nve_peer_key key;
	struct nve_peer row;
	struct nve_flood flood;
	struct nve_meter meter;
	int r = 0;

	if (!vn->want)
		return 0;
	for (uint32_t i = 0; i < nve_ebpf_n_peers(vn, false) && r >= 0; i++)
		if (nve_ebpf_peer_row(c->dp, vn, false, i, &key, &row))
			r = nve_ebpf_check_has(c, NVE_MAP_PEER, &key, &row);
	if (r < 0)
		return r;
	nve_ebpf_flood_row(c->dp, vn, &flood);
	r = nve_ebpf_check_has(c, NVE_MAP_FLOOD, &vn->vn_id, &flood);
	if (r < 0 || !vn->want->bum.rate)
		return r;
	meter = nve_ebpf_bum_row(&vn->want->bum);
	return nve_ebpf_check_has(c, NVE_MAP_BUM, &vn->vn_id, &meter);
}

int nve_ebpf_check_vns(struct nve_ebpf_check *c)
{
	const struct nve_hash *h = &c->dp->shadow.vns;

	for (; c->pass->at <= h->mask; c->pass->at++) {
		struct nve_hash_node *node = h->buckets[c->pass->at];
		int r = 0;

		if (c->left <= 0)
			return 0;
		for (; node && r >= 0; node = node->next)
			r = check_vn(c,
				     (void *)((char *)node - offsetof(struct nve_shadow_vn, node)));
		if (r < 0)
			return r;
	}
	return 1;
}

/* --- whose a row is --------------------------------------------------------------------------- */

typedef bool owns_fn(const struct nve_dp *dp, uint32_t slot,
		     const struct nve_shadow_tsi_state *state, const void *key);

static bool owns_src(const struct nve_dp *dp, uint32_t slot,
		     const struct nve_shadow_tsi_state *state, const void *k)
{
	const struct nve_src_key *key = k;

	(void)slot;
	if (state->tag != key->vid || nve_ebpf_row_ifindex(dp, state, true) != key->ifindex)
		return false;
	for (uint16_t i = 0; i < state->n_addrs; i++)
		if (state->addrs[i].mac && !nve_ebpf_glean_only(&state->addrs[i]) &&
		    !memcmp(state->addrs[i].addr.mac, key->mac, sizeof(key->mac)))
			return true;
	return false;
}

static bool owns_src_ip(const struct nve_dp *dp, uint32_t slot,
			const struct nve_shadow_tsi_state *state, const void *key)
{
	struct nve_src_ip_key k;
	struct nve_src_ip row;
	struct nve_ebpf_view v;

	nve_ebpf_view(&v, slot, state, nve_ebpf_row_ifindex(dp, state, true));
	for (uint16_t i = 0; i < state->n_addrs; i++)
		if (nve_ebpf_src_ip_row(&v, i, &k, &row) && !memcmp(&k, key, sizeof(k)))
			return true;
	return false;
}

/* An IP that is known alone: those of other TSIs are under their slots. */
static bool owns_ip_alone(const struct nve_dp *dp, uint32_t slot,
			  const struct nve_shadow_tsi_state *state, const void *key)
{
	return !state->has_mac && owns_src_ip(dp, slot, state, key);
}

static bool owns_gleaner(const struct nve_dp *dp, uint32_t slot,
			 const struct nve_shadow_tsi_state *state, const void *key)
{
	struct nve_ebpf_gleaners g;

	nve_ebpf_gleaners(dp, slot, state, true, &g);
	for (uint32_t i = 0; i < g.n; i++)
		if (!memcmp(&g.keys[i], key, sizeof(g.keys[i])))
			return true;
	return false;
}

static bool owns_gleaned(const struct nve_dp *dp, uint32_t slot,
			 const struct nve_shadow_tsi_state *state, const void *k)
{
	const struct nve_gleaned_key *key = k;

	(void)dp;
	for (uint16_t i = 0; i < state->n_addrs; i++) {
		struct nve_gleaned_key its = nve_ebpf_gleaned_key(slot, &state->addrs[i].addr);

		if (state->addrs[i].gleaned && !memcmp(&its, key, sizeof(its)))
			return true;
	}
	return false;
}

static bool owned_by(const struct nve_dp *dp, uint32_t slot, owns_fn *owns, const void *key)
{
	const struct nve_shadow_tsi_state *state = state_of(dp, slot);

	return state && owns(dp, slot, state, key);
}

static bool owned(struct nve_ebpf_check *c, uint32_t first, owns_fn *owns, const void *key)
{
	uint32_t n = c->dp->shadow.limits.max_tsis;

	if (owned_by(c->dp, first, owns, key))
		return true;
	c->left -= n / ASKED_A_ROW;
	for (uint32_t slot = 0; slot < n; slot++)
		if (owned_by(c->dp, slot, owns, key))
			return true;
	return false;
}

static bool has_peer(struct nve_dp *dp, uint32_t vn_id, const struct nve_peer_key *key)
{
	const struct nve_shadow_vn *vn = nve_shadow_vn(&dp->shadow, vn_id);
	struct nve_peer_key k;
	struct nve_peer row;

	for (uint32_t i = 0; vn && i < nve_ebpf_n_peers(vn, false); i++)
		if (nve_ebpf_peer_row(dp, vn, false, i, &k, &row) && !memcmp(&k, key, sizeof(k)))
			return true;
	return false;
}

static bool peer_wanted(struct nve_ebpf_check *c, const struct nve_peer_key *key,
			const struct nve_peer *have)
{
	struct nve_hash_node *node = NULL;

	if (has_peer(c->dp, have->vn_id, key))
		return true;
	c->left -= c->dp->shadow.vns.n / ASKED_A_ROW;
	while ((node = nve_hash_next(&c->dp->shadow.vns, node))) {
		const struct nve_shadow_vn *vn =
			(void *)((char *)node - offsetof(struct nve_shadow_vn, node));

		if (vn->want && vn->want->vni == key->vni && has_peer(c->dp, vn->vn_id, key))
			return true;
	}
	return false;
}

static bool vn_wanted(const struct nve_dp *dp, uint32_t vn_id, bool with_rate)
{
	const struct nve_shadow_vn *vn = nve_shadow_vn(&dp->shadow, vn_id);

	return vn && vn->want && (!with_rate || vn->want->bum.rate);
}

static bool neigh_wanted(const struct nve_dp *dp, const struct nve_neigh_key *key)
{
	const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	bool v4 = !memcmp(key->ip, mapped, sizeof(mapped));
	struct nve_ip ip = { .family = v4 ? 4 : 6 };
	const struct nve_shadow_neigh *entry;

	memcpy(ip.bytes, key->ip + (v4 ? 12 : 0), v4 ? 4 : 16);
	entry = nve_shadow_neigh(&dp->shadow, key->vn_id, &ip);
	return entry && nve_shadow_neigh_is(entry->want);
}

static bool fdb_wanted(const struct nve_dp *dp, const struct nve_fdb_key *key)
{
	const struct nve_shadow_fdb *entry =
		key->pad ? NULL : nve_shadow_fdb(&dp->shadow, key->vn_id, key->mac);

	return entry && entry->want;
}

static bool port_wanted(const struct nve_dp *dp, uint32_t ifindex)
{
	for (uint16_t i = 0; i < NVE_PORTS_MAX; i++)
		if (dp->shadow.port_is_set[i] && dp->ports[i].ifindex == ifindex)
			return true;
	return false;
}

bool nve_ebpf_check_wanted(struct nve_ebpf_check *c, enum nve_ebpf_map map, const void *key,
			   const void *have)
{
	const struct nve_src_ip_key *ip = key;
	const struct nve_gleaner_key *gleaner = key;
	uint32_t id;

	memcpy(&id, key, sizeof(id));
	switch (map) {
	case NVE_MAP_PORT:
		return port_wanted(c->dp, id);
	case NVE_MAP_SRC:
		return owned(c, ((const struct nve_src *)have)->tsi, owns_src, key);
	case NVE_MAP_SRC_IP:
		return ip->vid ? owned(c, ((const struct nve_src_ip *)have)->tsi, owns_ip_alone,
				       key)
			       : owned_by(c->dp, id, owns_src_ip, key);
	case NVE_MAP_GLEANER:
		return gleaner->vid ? owned(c, ((const struct nve_gleaner *)have)->tsi,
					    owns_gleaner, key)
				    : owned_by(c->dp, id, owns_gleaner, key);
	case NVE_MAP_GLEANED:
		return owned_by(c->dp, id, owns_gleaned, key);
	case NVE_MAP_FDB:
		return fdb_wanted(c->dp, key);
	case NVE_MAP_PEER:
		return peer_wanted(c, key, have);
	case NVE_MAP_FLOOD:
	case NVE_MAP_BUM:
		return vn_wanted(c->dp, id, map == NVE_MAP_BUM);
	case NVE_MAP_NEIGH:
		return neigh_wanted(c->dp, key);
	default:
		return true;
	}
}
