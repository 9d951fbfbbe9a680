/* SPDX-License-Identifier: Apache-2.0 */
/* The table near: what is published, and when.  See ebpf_near.h. */
#include "dp/ebpf_near.h"

#include <string.h>

#include "dp/ebpf_near_table.h"
#include "dp/ebpf_tables.h"

enum { IP_FLAGS = NVE_ADDR_IPV4 | NVE_ADDR_IPV6 };

static uint64_t key_of(uint16_t number, const uint8_t mac[NVE_MAC_LEN])
{
	uint64_t key = 0;

	memcpy(&key, mac, NVE_MAC_LEN);
	return key | (uint64_t)number << 48;
}

static uint16_t number_of(const struct nve_dp *dp, uint32_t vn_id)
{
	const struct nve_shadow_vn *vn = nve_shadow_vn(&dp->shadow, vn_id);

	return vn ? vn->number : 0;
}

/* --- what an entry says ----------------------------------------------------------------------- */

/* The IPv4 rules of the MAC's row in src (ebpf_addr.c); false: the MAC is not in use. */
static bool say_source(const struct nve_shadow_tsi_state *state, const uint8_t mac[NVE_MAC_LEN],
		       struct nve_near_entry *e)
{
	bool active = false;

	for (uint16_t i = 0; i < state->n_addrs; i++) {
		const struct nve_shadow_addr *a = &state->addrs[i];
		bool mine = a->mac && !memcmp(a->addr.mac, mac, NVE_MAC_LEN);

		if ((!a->mac || mine) && (a->addr.flags & IP_FLAGS))
			e->flags |= NVE_NEAR_FILTER_IP;
		if (!mine || !a->active)
			continue;
		active = true;
		if (!(a->addr.flags & NVE_ADDR_IPV4) || e->flags & NVE_NEAR_IP4)
			continue;
		e->flags |= NVE_NEAR_IP4;
		memcpy(&e->ip4, a->addr.ip, sizeof(e->ip4));
	}
	return active;
}

/* As its record has it now. */
static bool say_tsi(const struct nve_dp *dp, const struct nve_shadow_fdb *fdb,
		    struct nve_near_entry *e)
{
	const struct nve_shadow_tsi *tsi = &dp->shadow.tsis[fdb->slot[0]];
	const struct nve_tsi_row *row = &dp->tsi[fdb->slot[0]];

	if (!tsi->want || !(row->live >> 32) || row->features || row->vn_id != fdb->vn_id)
		return false;
	e->kind = NVE_NEAR_TSI;
	e->flags = row->port_flags & NVE_PORT_XDP ? NVE_NEAR_XDP : 0;
	e->ifindex = row->ifindex;
	e->vid = row->vid;
	e->port = row->port;
	e->net = row->vni << 8 | row->tunnel;
	return say_source(tsi->want, fdb->mac, e);
}

static bool say_fdb(const struct nve_dp *dp, const struct nve_shadow_fdb *fdb,
		    struct nve_near_entry *e)
{
	*e = (struct nve_near_entry){ .slot = fdb->slot[0] };
	if (!fdb->want || fdb->kind[1] != NVE_DP_DEST_NONE || fdb->mac[0] & 1)
		return false;
	if (fdb->kind[0] == NVE_DP_DEST_TSI)
		return say_tsi(dp, fdb, e);
	e->kind = NVE_NEAR_VTEP;
	return fdb->kind[0] == NVE_DP_DEST_VTEP;
}

/* --- addresses -------------------------------------------------------------------------------- */

static void publish_fdb(struct nve_dp *dp, const struct nve_shadow_fdb *fdb)
{
	uint16_t number = number_of(dp, fdb->vn_id);
	struct nve_near_entry e;

	if (!number || !say_fdb(dp, fdb, &e))
		return;
	e.key = key_of(number, fdb->mac);
	nve_ebpf_near_put(dp, &e);
}

static void withdraw_fdb(struct nve_dp *dp, const struct nve_shadow_fdb *fdb)
{
	uint16_t number = number_of(dp, fdb->vn_id);

	if (number)
		nve_ebpf_near_cut(dp, key_of(number, fdb->mac));
}

static void withdraw_state(struct nve_dp *dp, const struct nve_shadow_tsi_state *state)
{
	uint16_t number = state ? number_of(dp, state->key.vn_id) : 0;

	for (uint16_t i = 0; number && i < state->n_addrs; i++)
		if (state->addrs[i].mac)
			nve_ebpf_near_cut(dp, key_of(number, state->addrs[i].addr.mac));
}

static void publish_state(struct nve_dp *dp, const struct nve_shadow_tsi_state *state)
{
	const struct nve_shadow_fdb *fdb;

	for (uint16_t i = 0; state && i < state->n_addrs; i++) {
		if (!state->addrs[i].mac)
			continue;
		fdb = nve_shadow_fdb(&dp->shadow, state->key.vn_id, state->addrs[i].addr.mac);
		if (fdb)
			publish_fdb(dp, fdb);
	}
}

void nve_ebpf_near_tsi_begin(struct nve_dp *dp, uint32_t slot)
{
	const struct nve_shadow_tsi *tsi = &dp->shadow.tsis[slot];

	withdraw_state(dp, tsi->now);
	if (tsi->want != tsi->now)
		withdraw_state(dp, tsi->want);
}

void nve_ebpf_near_tsi_end(struct nve_dp *dp, uint32_t slot)
{
	publish_state(dp, dp->shadow.tsis[slot].want);
}

/* --- VNs -------------------------------------------------------------------------------------- */

static struct nve_near_entry peer_entry(const struct nve_shadow_vn *vn,
					const struct nve_peer_key *key, const struct nve_peer *row)
{
	struct nve_near_entry e = { .kind = NVE_NEAR_PEER, .slot = vn->number };
	uint32_t ip;

	memcpy(&ip, key->ip + 12, sizeof(ip));
	e.key = NVE_NEAR_PEER_KEY(key->vni, ip);
	e.ifindex = row->vn_id;
	e.net = key->vni << 8 | row->tunnel;
	return e;
}

static void each_peer(struct nve_dp *dp, const struct nve_shadow_vn *vn, bool now, bool publish)
{
	const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct nve_peer_key key;
	struct nve_peer row;

	for (uint32_t i = 0; vn->number && i < nve_ebpf_n_peers(vn, now); i++) {
		struct nve_near_entry e;

		if (!nve_ebpf_peer_row(dp, vn, now, i, &key, &row) ||
		    memcmp(key.ip, mapped, sizeof(mapped)))
			continue;
		e = peer_entry(vn, &key, &row);
		if (publish)
			nve_ebpf_near_put(dp, &e);
		else
			nve_ebpf_near_cut(dp, e.key);
	}
}

static struct nve_near_vn *hint_of(struct nve_dp *dp, const struct nve_shadow_vap *vap)
{
	uint32_t ifindex = dp->ports[vap->port].ifindex;

	return &dp->near_vn[ifindex % NVE_NEAR_PORTS * NVE_VID_COUNT + vap->tag];
}

static void publish_vap(struct nve_dp *dp, const struct nve_shadow_vap *vap)
{
	const struct nve_shadow_vap_state *want = &vap->want;
	uint64_t number = want->set && !want->quarantined ? number_of(dp, want->vn_id) : 0;

	if (number && dp->ports[vap->port].ifindex)
		__atomic_store_n((uint64_t *)(void *)hint_of(dp, vap),
				 NVE_NEAR_VN(number, dp->near_vni[number], want->vn_id),
				 __ATOMIC_RELEASE);
}

/* Of the entries of TSIs, whose VNI and encapsulation change. */
static void withdraw_tsis_of(struct nve_dp *dp, const struct nve_shadow_vn *vn)
{
	for (uint32_t i = 0; i < dp->shadow.limits.max_tsis; i++) {
		const struct nve_shadow_tsi_state *state = dp->shadow.tsis[i].now;

		if (state && state->key.vn_id == vn->vn_id)
			withdraw_state(dp, state);
	}
}

static void publish_tsis_of(struct nve_dp *dp, const struct nve_shadow_vn *vn)
{
	for (uint32_t i = 0; i < dp->shadow.limits.max_tsis; i++) {
		const struct nve_shadow_tsi_state *state = dp->shadow.tsis[i].want;

		if (state && state->key.vn_id == vn->vn_id)
			publish_state(dp, state);
	}
}

static void withdraw_vn(struct nve_dp *dp, struct nve_shadow_vn *vn)
{
	each_peer(dp, vn, true, false);
	if (nve_ebpf_vn_shows_in_tsis(vn))
		withdraw_tsis_of(dp, vn);
	if (!vn->want && vn->number) {
		nve_ebpf_near_number_free(dp, vn->number);
		vn->number = 0;
	}
}

static void publish_vn(struct nve_dp *dp, struct nve_shadow_vn *vn)
{
	const struct nve_shadow_vap *vap;

	if (!vn->want)
		return;
	if (!vn->number)
		vn->number = nve_ebpf_near_number_take(dp, vn->vn_id);
	dp->near_vni[vn->number] = vn->want->vni; /* if it changes, no TSI has an entry now */
	each_peer(dp, vn, false, true);
	for (vap = vn->vaps; vap; vap = vap->vn_next)
		publish_vap(dp, vap);
	if (nve_ebpf_vn_shows_in_tsis(vn))
		publish_tsis_of(dp, vn);
}

/* --- all that is on the lists ----------------------------------------------------------------- */

static struct nve_shadow_vn *listed_vn(const struct nve_dp *dp, uint32_t i)
{
	return nve_shadow_vn(&dp->shadow, dp->shadow.vn_list.v[i]);
}

void nve_ebpf_near_withdraw(struct nve_dp *dp)
{
	const struct nve_shadow *s = &dp->shadow;

	for (uint32_t i = 0; i < s->tsi_list.n; i++)
		nve_ebpf_near_tsi_begin(dp, s->tsi_list.v[i]);
	for (uint32_t i = 0; i < s->fdb_list.n; i++)
		withdraw_fdb(dp, &s->fdb[s->fdb_list.v[i]]);
	for (uint32_t i = 0; i < s->vn_list.n; i++)
		withdraw_vn(dp, listed_vn(dp, i));
}

void nve_ebpf_near_publish(struct nve_dp *dp)
{
	const struct nve_shadow *s = &dp->shadow;

	if (!nve_ebpf_near_possible())
		return;
	for (uint32_t i = 0; i < s->vn_list.n; i++)
		publish_vn(dp, listed_vn(dp, i));
	for (uint32_t i = 0; i < s->vap_list.n; i++)
		publish_vap(dp,
			    nve_shadow_vap(s, s->vap_list.v[i] >> 12, s->vap_list.v[i] & 0xfff));
	for (uint32_t i = 0; i < s->tsi_list.n; i++)
		nve_ebpf_near_tsi_end(dp, s->tsi_list.v[i]);
	for (uint32_t i = 0; i < s->fdb_list.n; i++)
		publish_fdb(dp, &s->fdb[s->fdb_list.v[i]]);
}

static struct nve_shadow_vn *next_vn(struct nve_dp *dp, struct nve_hash_node **node)
{
	*node = nve_hash_next(&dp->shadow.vns, *node);
	return *node ? (void *)((char *)*node - offsetof(struct nve_shadow_vn, node)) : NULL;
}

void nve_ebpf_near_clear(struct nve_dp *dp)
{
	struct nve_hash_node *node = NULL;
	struct nve_shadow_vn *vn;

	nve_ebpf_near_empty(dp);
	while ((vn = next_vn(dp, &node)))
		vn->number = 0;
}

void nve_ebpf_near_fill(struct nve_dp *dp)
{
	struct nve_hash_node *node = NULL;
	struct nve_shadow_vn *vn;

	if (!nve_ebpf_near_possible())
		return;
	while ((vn = next_vn(dp, &node)))
		publish_vn(dp, vn);
	for (uint32_t i = 0; i < dp->shadow.fdb_top; i++)
		if (dp->shadow.fdb[i].want)
			publish_fdb(dp, &dp->shadow.fdb[i]);
}

/* --- what of it is right (the check) ---------------------------------------------------------- */

static bool peer_of(struct nve_dp *dp, const struct nve_shadow_vn *vn, uint64_t key,
		    struct nve_near_entry *ret)
{
	const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct nve_peer_key its;
	struct nve_peer row;

	for (uint32_t i = 0; vn->number && i < nve_ebpf_n_peers(vn, false); i++) {
		if (!nve_ebpf_peer_row(dp, vn, false, i, &its, &row) ||
		    memcmp(its.ip, mapped, sizeof(mapped)))
			continue;
		*ret = peer_entry(vn, &its, &row);
		if (ret->key == key)
			return true;
	}
	return false;
}

/* The entry says of which VN it is; if it lies, all are asked. */
static bool want_peer(struct nve_dp *dp, const struct nve_near_entry *e, struct nve_near_entry *ret)
{
	struct nve_shadow_vn *vn = nve_shadow_vn(&dp->shadow, e->ifindex);
	struct nve_hash_node *node = NULL;

	if (vn && peer_of(dp, vn, e->key, ret))
		return true;
	while ((vn = next_vn(dp, &node)))
		if (peer_of(dp, vn, e->key, ret))
			return true;
	return false;
}

bool nve_ebpf_near_want(struct nve_dp *dp, const struct nve_near_entry *e,
			struct nve_near_entry *ret)
{
	const struct nve_shadow_fdb *fdb;
	uint32_t number = e->key >> 48;
	uint8_t mac[8];

	if (e->key >> 56 == 0xff)
		return want_peer(dp, e, ret);
	memcpy(mac, &e->key, sizeof(mac));
	if (!number || number > NVE_NEAR_VN_MAX || !dp->near_taken[number])
		return false;
	fdb = nve_shadow_fdb(&dp->shadow, dp->near_taken[number], mac);
	if (!fdb || number_of(dp, fdb->vn_id) != number || !say_fdb(dp, fdb, ret))
		return false;
	ret->key = e->key;
	return true;
}

bool nve_ebpf_near_same(const struct nve_dp *dp, const struct nve_near_entry *a,
			const struct nve_near_entry *b)
{
	struct nve_near_entry x = *a, y = *b;

	(void)dp;
	x.seq = y.seq = 0; /* another after each change */
	return !memcmp(&x, &y, sizeof(x));
}
