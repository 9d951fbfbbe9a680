/* SPDX-License-Identifier: Apache-2.0 */
/* Which rows the objects of dp.h have, but for the addresses of TSIs (ebpf_addr.c). */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "dp/ebpf_acl.h"
#include "dp/ebpf_lines.h"
#include "dp/ebpf_tables.h"

_Static_assert((int)NVE_DP_DEST_TSI == NVE_DEST_TSI && (int)NVE_DP_DEST_VTEP == NVE_DEST_VTEP &&
		       (int)NVE_DP_DEST_NONE == NVE_DEST_NONE,
	       "kinds of destinations are copied into the tables");

enum { NO_VTEP = UINT16_MAX, ACL_FEATURES = NVE_TSI_ACL_IN | NVE_TSI_ACL_OUT };

/* --- fdb -------------------------------------------------------------------------------------- */

static bool takes(const struct nve_shadow_tsi_state *state, const struct nve_shadow_fdb *entry)
{
	return state && state->key.vn_id == entry->vn_id &&
	       nve_shadow_mac_active(state, entry->mac);
}

/*
 * A TSI in use that is to change its set later in this apply() has its old addresses still; while
 * it does, its row changes with its generation.  One that is off has the new ones: no frame
 * passes to it before it is switched on.
 */
static void dest_row(struct nve_dp *dp, const struct nve_shadow_fdb *entry, int i,
		     struct nve_dest *row)
{
	const struct nve_shadow_tsi *tsi;
	bool was, is;

	*row = (struct nve_dest){ .kind = entry->kind[i], .slot = entry->slot[i] };
	if (entry->kind[i] != NVE_DP_DEST_TSI)
		return;
	tsi = &dp->shadow.tsis[entry->slot[i]];
	was = takes(tsi->now, entry);
	is = takes(tsi->want, entry);
	if (dp->moving == entry->slot[i] && was != is) {
		row->when = is ? NVE_WHEN_FROM : NVE_WHEN_UNTIL;
		row->gen = tsi->gen + 1;
		return;
	}
	if (nve_ebpf_stays(tsi) && !tsi->moved)
		is = was;
	row->when = is ? NVE_WHEN_ALWAYS : NVE_WHEN_NEVER;
}

void nve_ebpf_fdb_row(struct nve_dp *dp, const struct nve_shadow_fdb *entry,
		      struct nve_fdb_key *key, struct nve_fdb *row)
{
	*key = (struct nve_fdb_key){ .vn_id = entry->vn_id };
	memcpy(key->mac, entry->mac, sizeof(key->mac));
	dest_row(dp, entry, 0, &row->first);
	dest_row(dp, entry, 1, &row->second);
}

void nve_ebpf_fdb_put(struct nve_dp *dp, const struct nve_shadow_fdb *entry)
{
	struct nve_fdb_key key;
	struct nve_fdb row;

	nve_ebpf_fdb_row(dp, entry, &key, &row);
	nve_ebpf_put(dp, NVE_MAP_FDB, &key, &row);
}

bool nve_ebpf_fdb_in_use(const struct nve_dp *dp, const struct nve_shadow_fdb *entry)
{
	for (int i = 0; i < 2; i++)
		if (entry->kind[i] == NVE_DP_DEST_TSI &&
		    nve_ebpf_stays(&dp->shadow.tsis[entry->slot[i]]))
			return true;
	return false;
}

static void follow(struct nve_dp *dp, const struct nve_ebpf_view *v, uint32_t number)
{
	const struct nve_shadow_fdb *entry =
		nve_shadow_fdb(&dp->shadow, v->state->key.vn_id, v->macs[number].addr->mac);

	if (entry && (entry->want || (entry->now && nve_ebpf_fdb_in_use(dp, entry))))
		nve_ebpf_fdb_put(dp, entry);
}

void nve_ebpf_fdb_follow(struct nve_dp *dp, const struct nve_ebpf_view *a,
			 const struct nve_ebpf_view *b)
{
	/* A slot may become another TSI's, of another VN, with the same MAC. */
	bool other_vn = a->state && b->state && a->state->key.vn_id != b->state->key.vn_id;

	for (uint32_t i = 1; i < NVE_MAC_NUMBERS; i++) {
		const struct nve_ebpf_mac *x = &a->macs[i], *y = &b->macs[i];

		if (x->active == y->active && !other_vn)
			continue;
		if (x->present && a->state)
			follow(dp, a, i);
		if (y->present && b->state && (!x->present || other_vn))
			follow(dp, b, i);
	}
}

static uint8_t tunnel_flags(const struct nve_shadow_vn_state *vn)
{
	return (vn->encap == NVE_DP_GENEVE ? NVE_TUNNEL_GENEVE : 0) |
	       (vn->tos == NVE_DP_TOS_UNIFORM ? NVE_TUNNEL_UNIFORM : 0);
}

/* --- flood and peer --------------------------------------------------------------------------- */

static int member_order(const void *a, const void *b)
{
	const struct nve_member *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return x->slot < y->slot ? -1 : x->slot > y->slot;
}

/* In order, so that who copies a frame bit by bit finds his place when the row has changed. */
void nve_ebpf_flood_row(struct nve_dp *dp, const struct nve_shadow_vn *vn, struct nve_flood *row)
{
	const struct nve_shadow_vap *vap;

	memset(row, 0, sizeof(*row));
	row->vni = vn->want->vni;
	row->flags = nve_ebpf_flood_flags(&vn->want->bum);
	row->acl = nve_ebpf_acl_slot(dp, vn->want);
	for (uint32_t i = 0; i < vn->want->n_vteps; i++)
		row->members[row->n++] = (struct nve_member){
			.slot = vn->want->vteps[i],
			.kind = NVE_DEST_VTEP,
			.ip6 = dp->shadow.vteps[vn->want->vteps[i]].want.family == 6,
		};
	for (vap = vn->vaps; vap; vap = vap->vn_next)
		row->members[row->n++] = (struct nve_member){
			.slot = vap->port * NVE_VID_COUNT + vap->tag,
			.kind = NVE_DEST_TSI,
		};
	qsort(row->members, row->n, sizeof(row->members[0]), member_order);
}

uint32_t nve_ebpf_n_peers(const struct nve_shadow_vn *vn, bool now)
{
	const struct nve_shadow_vn_state *state = now ? vn->now : vn->want;

	return state ? state->n_vteps + 1 : 0;
}

/* The last is the row of the VNI itself. */
bool nve_ebpf_peer_row(struct nve_dp *dp, const struct nve_shadow_vn *vn, bool now, uint32_t i,
		       struct nve_peer_key *key, struct nve_peer *row)
{
	const struct nve_shadow_vn_state *state = now ? vn->now : vn->want;
	const struct nve_ip *ip;

	*key = (struct nve_peer_key){ .vni = state->vni };
	*row = (struct nve_peer){
		.vn_id = vn->vn_id,
		.vtep = NO_VTEP,
		.tunnel = tunnel_flags(state),
	};
	if (i == state->n_vteps)
		return true;
	row->vtep = state->vteps[i];
	ip = now ? &dp->shadow.vteps[state->vteps[i]].now : &dp->shadow.vteps[state->vteps[i]].want;
	nve_ebpf_ip16(key->ip, ip->family == 4, ip->bytes);
	return ip->family != 0;
}

/* --- records in mapped arrays ----------------------------------------------------------------- */

void nve_ebpf_tsi_live(struct nve_dp *dp, uint32_t slot, bool live)
{
	uint64_t x = (live ? NVE_TSI_LIVE : 0) | dp->shadow.tsis[slot].gen;

	__atomic_store_n(&dp->tsi[slot].live, x, __ATOMIC_RELEASE);
}

/* ifindex, tag and port lie in one word: a frame to the TSI never meets half a place. */
static void store_place(struct nve_tsi_row *row, uint32_t ifindex, uint16_t vid, uint16_t port)
{
	struct {
		__u32 ifindex;
		__u16 vid;
		__u16 port;
	} place = { ifindex, vid, port };
	uint64_t word;

	_Static_assert(offsetof(struct nve_tsi_row, ifindex) % 8 == 0 &&
			       offsetof(struct nve_tsi_row, vid) % 8 == 4 &&
			       offsetof(struct nve_tsi_row, port) % 8 == 6,
		       "one word");
	memcpy(&word, &place, sizeof(word));
	__atomic_store_n((uint64_t *)(void *)&row->ifindex, word, __ATOMIC_RELEASE);
}

/* The set before the bits that make programs look at it; what they say of others stays. */
static void store_acl(const struct nve_dp *dp, struct nve_tsi_row *row,
		      const struct nve_shadow_vn_state *vn)
{
	uint8_t others = row->features & (uint8_t)~ACL_FEATURES;
	uint8_t features = others | nve_ebpf_acl_features(dp, vn);

	if (features == others)
		__atomic_store_n(&row->features, others, __ATOMIC_RELEASE);
	__atomic_store_n(&row->acl, nve_ebpf_acl_slot(dp, vn), __ATOMIC_RELEASE);
	__atomic_store_n(&row->features, features, __ATOMIC_RELEASE);
}

void nve_ebpf_tsi_record(struct nve_dp *dp, uint32_t slot)
{
	const struct nve_shadow_tsi_state *state = dp->shadow.tsis[slot].want;
	const struct nve_shadow_vn *vn = nve_shadow_vn(&dp->shadow, state->key.vn_id);
	const struct nve_ebpf_port *port = &dp->ports[state->key.port];
	struct nve_tsi_row *row = &dp->tsi[slot];

	row->vn_id = state->key.vn_id;
	row->vni = vn && vn->want ? vn->want->vni : 0;
	row->tunnel = vn && vn->want ? tunnel_flags(vn->want) : 0;
	row->port_flags = port->flags;
	row->features =
		(row->features & (uint8_t)~NVE_TSI_GLEAN) | (state->glean ? NVE_TSI_GLEAN : 0);
	store_acl(dp, row, vn ? vn->want : NULL);
	row->epoch = state->epoch;
	nve_ebpf_meter_write(dp, slot);
	store_place(row, port->ifindex, state->tag, state->key.port);
}

void nve_ebpf_tsi_row(const struct nve_dp *dp, uint32_t slot, struct nve_tsi_row *row)
{
	const struct nve_shadow_tsi *tsi = &dp->shadow.tsis[slot];
	const struct nve_shadow_tsi_state *state = tsi->want;
	const struct nve_shadow_vn *vn =
		state ? nve_shadow_vn(&dp->shadow, state->key.vn_id) : NULL;
	const struct nve_shadow_vn_state *of = vn ? vn->want : NULL;

	*row = (struct nve_tsi_row){ .live = tsi->gen };
	if (!state)
		return;
	*row = (struct nve_tsi_row){
		.live = (state->activated ? NVE_TSI_LIVE : 0) | tsi->gen,
		.vn_id = state->key.vn_id,
		.vni = of ? of->vni : 0,
		.ifindex = dp->ports[state->key.port].ifindex,
		.vid = state->tag,
		.port = state->key.port,
		.port_flags = dp->ports[state->key.port].flags,
		.tunnel = of ? tunnel_flags(of) : 0,
		.features = (state->glean ? NVE_TSI_GLEAN : 0) | nve_ebpf_acl_features(dp, of),
		.epoch = state->epoch,
		.acl = nve_ebpf_acl_slot(dp, of),
	};
	nve_ebpf_meter_row(dp, slot, row);
}

void nve_ebpf_tsi_clear(struct nve_dp *dp, uint32_t slot)
{
	nve_ebpf_tsi_live(dp, slot, false);
	dp->shadow.tsis[slot].gen = 0; /* no row is left that hangs on it */
	memset(&dp->tsi[slot], 0, sizeof(dp->tsi[slot]));
	nve_ebpf_counts_clear(dp, slot);
}

bool nve_ebpf_vn_shows_in_tsis(const struct nve_shadow_vn *vn)
{
	const struct nve_shadow_vn_state *a = vn->now, *b = vn->want;

	return a && b &&
	       (a->vni != b->vni || a->encap != b->encap || a->tos != b->tos || a->acl != b->acl);
}

void nve_ebpf_tunnel_write(struct nve_dp *dp, const struct nve_shadow_vn *vn)
{
	for (uint32_t i = 0; i < dp->shadow.limits.max_tsis; i++) {
		const struct nve_shadow_tsi_state *state = dp->shadow.tsis[i].want;

		if (!state || state->key.vn_id != vn->vn_id)
			continue;
		__atomic_store_n(&dp->tsi[i].vni, vn->want->vni, __ATOMIC_RELEASE);
		__atomic_store_n(&dp->tsi[i].tunnel, tunnel_flags(vn->want), __ATOMIC_RELEASE);
		store_acl(dp, &dp->tsi[i], vn->want);
	}
}

static uint8_t vap_state(const struct nve_shadow_vap_state *want)
{
	return !want->set ? NVE_VAP_NONE : want->quarantined ? NVE_VAP_QUARANTINED : NVE_VAP_LIVE;
}

void nve_ebpf_vap_want(const struct nve_dp *dp, const struct nve_shadow_vap *vap,
		       struct nve_vap_row *row)
{
	const struct nve_shadow_vap_state *want = &vap->want;

	*row = (struct nve_vap_row){
		.vn_id = want->vn_id,
		.n_activated = want->n_activated,
		.ifindex = want->set ? dp->ports[vap->port].ifindex : 0,
		.state = vap_state(want),
		.ip_only = vap->n_ip_only > 0,
		.port_flags = want->set ? dp->ports[vap->port].flags : 0,
		.glean = vap->n_glean > 0,
	};
}

void nve_ebpf_vap_row(struct nve_dp *dp, struct nve_shadow_vap *vap, bool final)
{
	struct nve_vap_row *row = &dp->vap[vap->port * NVE_VID_COUNT + vap->tag];
	const struct nve_shadow_vap_state *want = &vap->want;
	uint8_t state = vap_state(want);
	bool ip_only = vap->n_ip_only > 0;

	if (row->vn_id != want->vn_id || state != NVE_VAP_LIVE) {
		__atomic_store_n(&row->n_activated, 0, __ATOMIC_RELEASE);
		__atomic_store_n(&row->state, state == NVE_VAP_LIVE ? NVE_VAP_NONE : state,
				 __ATOMIC_RELEASE);
	}
	__atomic_store_n(&row->vn_id, want->vn_id, __ATOMIC_RELEASE);
	__atomic_store_n(&row->ifindex, want->set ? dp->ports[vap->port].ifindex : 0,
			 __ATOMIC_RELEASE);
	__atomic_store_n(&row->port_flags, want->set ? dp->ports[vap->port].flags : 0,
			 __ATOMIC_RELEASE);
	if (final || want->n_activated < row->n_activated)
		__atomic_store_n(&row->n_activated, want->n_activated, __ATOMIC_RELEASE);
	if (final || ip_only)
		__atomic_store_n(&row->ip_only, ip_only, __ATOMIC_RELEASE);
	__atomic_store_n(&row->glean, vap->n_glean > 0, __ATOMIC_RELEASE);
	__atomic_store_n(&row->state, state, __ATOMIC_RELEASE);
}
