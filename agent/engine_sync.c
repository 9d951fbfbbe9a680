/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Carrying actions out to the datapath.  An action names an object; what is said of it is read from
 * the core at that moment, so doing, undoing and repairing are the same call.
 *
 * Objects are said in the order in which they refer to each other, deletions the other way round.
 */
#include "engine_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int nve_grow(void *array, size_t *cap, size_t n, size_t size)
{
	size_t want = *cap ? *cap : 64;
	void **at = array, *bigger;

	if (n <= *cap)
		return 0;
	while (want < n)
		want *= 2;
	bigger = realloc(*at, want * size);
	if (!bigger)
		return -ENOMEM;
	*at = bigger;
	*cap = want;
	return 0;
}

int nve_actions_append(struct nve_action_list *to, const struct nve_action *from, size_t n)
{
	int r = nve_grow(&to->list, &to->cap, to->n + n, sizeof(*from));

	if (r < 0 || !n)
		return r;
	memcpy(to->list + to->n, from, n * sizeof(*from));
	to->n += n;
	return 0;
}

/* What the datapath should have under (port, tag), or nothing. */
static bool vap_row(const struct nve_engine *e, uint16_t port, uint16_t tag, struct nve_dp_vap *row)
{
	struct nve_tag t = nve_core_tag(e->core, nve_core_port_scope(e->core, port), tag);
	const struct nve_vap *vap;

	*row = (struct nve_dp_vap){ .port = port, .tag = tag };
	if (t.use == NVE_TAG_QUARANTINED) {
		row->quarantined = true;
		return true;
	}
	vap = t.use == NVE_TAG_BOUND ? nve_core_vap(e->core, port, t.vn_id) : NULL;
	if (!vap || !nve_vn_live(e, t.vn_id))
		return false;
	row->vn_id = t.vn_id;
	row->n_activated = vap->n_activated;
	return true;
}

int nve_sync_vap_row(struct nve_engine *e, uint16_t port, uint16_t tag, bool set)
{
	struct nve_dp_vap row;

	if (vap_row(e, port, tag, &row) != set)
		return 0;
	if (set)
		return nve_noting(e, e->dp_ops->vap_set(e->dp, &row), NVE_RES_FLOOD);
	return e->dp_ops->vap_del(e->dp, port, tag);
}

/* A tag means the same, and is quarantined, on all ports of its scope (S35). */
static int sync_tag(struct nve_engine *e, uint16_t scope, uint16_t tag, bool set)
{
	int r, first = 0;

	for (uint32_t port = 0; port < e->n_ports; port++) {
		if (nve_core_port_scope(e->core, (uint16_t)port) != scope)
			continue;
		r = nve_sync_vap_row(e, (uint16_t)port, tag, set);
		first = first ? first : r;
	}
	return first;
}

/* Which addresses the datapath is to tell of, S46. */
static uint8_t glean_of(const struct nve_core *core, uint32_t slot)
{
	switch (nve_core_glean(core, slot)) {
	case NVE_GLEANS_MACS:
		return NVE_DP_GLEAN_MACS;
	case NVE_GLEANS_IPS:
		return NVE_DP_GLEAN_IPS;
	default:
		return NVE_DP_GLEAN_NONE;
	}
}

int nve_sync_tsi(struct nve_engine *e, uint32_t slot, bool set)
{
	const struct nve_tsi *tsi = nve_core_tsi(e->core, slot);
	const struct nve_vap *vap = NULL;
	struct nve_dp_tsi row;
	int r, said;

	if (tsi && nve_vn_live(e, tsi->key.vn_id))
		vap = nve_core_vap(e->core, tsi->key.port, tsi->key.vn_id);
	if (!vap != !set)
		return 0;
	if (!vap) {
		said = nve_neigh_of_tsi(e, slot, 0, 0);
		r = e->dp_ops->tsi_del(e->dp, slot);
		return r ? r : said;
	}
	nve_core_tsi_addrs(e->core, slot, e->addrs);
	row = (struct nve_dp_tsi){ .slot = slot,
				   .key = tsi->key,
				   .tag = vap->tag,
				   .activated = tsi->state == NVE_TSI_ACTIVATED,
				   .glean = glean_of(e->core, slot),
				   .epoch = tsi->epoch,
				   .glean_every_ns = tsi->glean_age_ms * 1000000ull / 4,
				   .qos = tsi->qos,
				   .n_addrs = tsi->n_addrs,
				   .addrs = e->addrs };
	r = e->dp_ops->tsi_set(e->dp, &row);
	if (r == -EDQUOT)
		return nve_noting(e, -ENOSPC, NVE_RES_METERS);
	nve_noting(e, r, NVE_RES_ADDRS);
	said = nve_neigh_of_tsi(e, slot, tsi->key.vn_id, tsi->n_addrs);
	return r ? r : said;
}

enum phase { ENTER_VNS, SET_VAPS, SET_TSIS, FDB, DEL_TSIS, DEL_VAPS, LEAVE_VNS, PHASES };

static int sync_vap(struct nve_engine *e, const struct nve_action *a, enum phase phase)
{
	bool in_use;

	if (phase == SET_VAPS || phase == DEL_VAPS)
		return nve_sync_vap_row(e, a->port, a->tag, phase == SET_VAPS);
	if (phase == FDB) {
		struct nve_vn_rec *vn = nve_vn_find(e, a->vn_id);

		/* Only now: a row can refer to a TSI that came with the same request. */
		return vn && vn->entering ? nve_noting(e, nve_vn_say_remotes(e, vn), NVE_RES_FDB)
					  : 0;
	}
	if (phase != ENTER_VNS && phase != LEAVE_VNS)
		return 0;
	in_use = nve_core_vap(e->core, a->port, a->vn_id) || nve_vn_in_use(e, a->vn_id);
	if (in_use && phase == ENTER_VNS)
		return nve_vn_enter(e, a->vn_id);
	return !in_use && phase == LEAVE_VNS ? nve_vn_leave(e, a->vn_id) : 0;
}

static int sync_one(struct nve_engine *e, const struct nve_action *a, enum phase phase)
{
	switch (a->kind) {
	case NVE_ACT_TAG:
		if (phase == SET_VAPS || phase == DEL_VAPS)
			return sync_tag(e, a->scope, a->tag, phase == SET_VAPS);
		return 0;
	case NVE_ACT_VAP:
		return sync_vap(e, a, phase);
	case NVE_ACT_TSI:
		if (phase == SET_TSIS || phase == DEL_TSIS)
			return nve_sync_tsi(e, a->slot, phase == SET_TSIS);
		return 0;
	case NVE_ACT_BIND:
		if (phase == FDB && (a->addr.flags & NVE_ADDR_MAC))
			return nve_noting(e, nve_fdb_sync(e, a->vn_id, a->addr.mac), NVE_RES_FDB);
		return 0;
	default:
		return 0;
	}
}

static int pass(struct nve_engine *e, const struct nve_action *actions, size_t n)
{
	int r, first = 0;

	e->full = NVE_RES_NONE;
	for (int phase = ENTER_VNS; phase < PHASES; phase++) {
		for (size_t i = 0; i < n; i++) {
			r = sync_one(e, &actions[i], (enum phase)phase);
			first = first ? first : r;
		}
	}
	return first;
}

/*
 * Goes on after a failure: when undoing, as much as can be should be as it was.  The first error
 * counts.  What takes room comes before what gives it back, so in a full table there is a second
 * pass, for which it has been given back.
 */
int nve_sync_dp(struct nve_engine *e, const struct nve_action *actions, size_t n)
{
	int r = pass(e, actions, n);

	return r == -ENOSPC ? pass(e, actions, n) : r;
}
