/* SPDX-License-Identifier: Apache-2.0 */
/* Shadow of what a datapath was told: TSIs and their addresses.  See shadow.h. */
#include "dp/shadow_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool has_rate(const struct nve_qos *qos)
{
	return qos->from_tsi || qos->to_tsi;
}

bool nve_shadow_metered(const struct nve_shadow_tsi_state *state)
{
	return state && has_rate(&state->qos);
}

static int check(const struct nve_shadow *s, const struct nve_dp_tsi *tsi)
{
	const struct nve_shadow_vn *vn = nve_shadow_vn(s, tsi->key.vn_id);
	const struct nve_shadow_tsi_state *old;
	uint32_t n_addrs = s->n_addrs;

	if (tsi->n_addrs > NVE_TSI_ADDRS_MAX || tsi->tag < NVE_TAG_MIN || tsi->tag > NVE_TAG_MAX)
		return -EINVAL;
	if (!nve_shadow_access_port(s, tsi->key.port) || !vn || !vn->want)
		return -ENOENT;
	if (tsi->slot >= s->limits.max_tsis)
		return -ENOSPC;
	old = s->tsis[tsi->slot].want;
	if (old)
		n_addrs -= old->n_addrs;
	if (n_addrs + tsi->n_addrs > s->limits.max_addrs)
		return -ENOSPC;
	if (has_rate(&tsi->qos) && s->n_meters - nve_shadow_metered(old) >= s->limits.max_meters)
		return -EDQUOT;
	return 0;
}

/*
 * Of a TSI that is off it does not matter which addresses function, since none does.  They are
 * kept as if all did: so their rows stay as they are when it is switched on or off as a whole,
 * and that changes its record alone (D12).
 */
static bool active(const struct nve_dp_tsi *tsi, uint16_t i)
{
	return !tsi->activated || tsi->addrs[i].active;
}

static bool same_addrs(const struct nve_shadow_tsi_state *state, const struct nve_dp_tsi *tsi)
{
	for (uint16_t i = 0; i < tsi->n_addrs; i++)
		if (state->addrs[i].active != active(tsi, i) ||
		    state->addrs[i].gleaned != tsi->addrs[i].gleaned ||
		    memcmp(&state->addrs[i].addr, &tsi->addrs[i].addr, sizeof(struct nve_addr)))
			return false;
	return true;
}

static bool same(const struct nve_shadow_tsi_state *state, const struct nve_dp_tsi *tsi)
{
	return state && !memcmp(&state->key, &tsi->key, sizeof(tsi->key)) &&
	       state->epoch == tsi->epoch && state->tag == tsi->tag &&
	       state->activated == tsi->activated && state->n_addrs == tsi->n_addrs &&
	       state->glean == tsi->glean && state->glean_every_ns == tsi->glean_every_ns &&
	       !memcmp(&state->qos, &tsi->qos, sizeof(tsi->qos)) && same_addrs(state, tsi);
}

static uint16_t mac_number(const struct nve_shadow_tsi_state *state, uint16_t n,
			   const uint8_t mac[NVE_MAC_LEN])
{
	for (uint16_t i = 0; i < n; i++)
		if (state->addrs[i].mac && !memcmp(state->addrs[i].addr.mac, mac, NVE_MAC_LEN))
			return state->addrs[i].mac;
	return 0;
}

/*
 * A MAC keeps its number for as long as the TSI has it, and a number that 'now' uses is not given
 * to another MAC: rows under a number mean one MAC before, during and after a change.
 */
void nve_shadow_number_macs(struct nve_shadow_tsi_state *state,
			    const struct nve_shadow_tsi_state *now)
{
	bool used[2 * NVE_TSI_ADDRS_MAX + 1] = { true };
	uint16_t n = 0;

	for (uint16_t i = 0; now && i < now->n_addrs; i++)
		used[now->addrs[i].mac] = true;
	for (uint16_t i = 0; i < state->n_addrs; i++)
		used[state->addrs[i].mac] = true;
	for (uint16_t i = 0; i < state->n_addrs; i++) {
		struct nve_shadow_addr *a = &state->addrs[i];

		if (!(a->addr.flags & NVE_ADDR_MAC))
			continue;
		state->has_mac = true;
		if (!a->mac)
			a->mac = mac_number(state, i, a->addr.mac);
		if (!a->mac && now)
			a->mac = mac_number(now, now->n_addrs, a->addr.mac);
		if (a->mac)
			continue;
		while (used[n])
			n++;
		used[n] = true;
		a->mac = n;
	}
}

static struct nve_shadow_tsi_state *state_new(const struct nve_dp_tsi *tsi)
{
	struct nve_shadow_tsi_state *state;

	state = calloc(1, sizeof(*state) + tsi->n_addrs * sizeof(state->addrs[0]));
	if (!state)
		return NULL;
	state->key = tsi->key;
	state->epoch = tsi->epoch;
	state->qos = tsi->qos;
	state->tag = tsi->tag;
	state->activated = tsi->activated;
	state->glean = tsi->glean;
	state->glean_every_ns = tsi->glean_every_ns;
	state->n_addrs = tsi->n_addrs;
	for (uint16_t i = 0; i < tsi->n_addrs; i++) {
		state->addrs[i].addr = tsi->addrs[i].addr;
		state->addrs[i].active = active(tsi, i);
		state->addrs[i].gleaned = tsi->addrs[i].gleaned;
	}
	return state;
}

static bool ip_only(const struct nve_shadow_tsi_state *state)
{
	return state && !state->has_mac && state->n_addrs;
}

static bool gleans_macs(const struct nve_shadow_tsi_state *state)
{
	return state && state->glean == NVE_DP_GLEAN_MACS;
}

/*
 * How many TSIs of a VAP are known by IP alone, or get unknown MACs; there is room on the list of
 * VAPs.
 */
static void count_slow(struct nve_shadow *s, const struct nve_shadow_tsi_state *state, int by)
{
	struct nve_shadow_vap *vap;

	if (!ip_only(state) && !gleans_macs(state))
		return;
	vap = nve_shadow_vap(s, state->key.port, state->tag);
	vap->n_ip_only += ip_only(state) ? by : 0;
	vap->n_glean += gleans_macs(state) ? by : 0;
	nve_shadow_touch_vap(s, vap);
}

/* Takes 'state'; there is room on the lists. */
static void want(struct nve_shadow *s, uint32_t slot, struct nve_shadow_tsi_state *state)
{
	struct nve_shadow_tsi *tsi = &s->tsis[slot];
	struct nve_shadow_tsi_state *old = tsi->want;

	count_slow(s, state, 1);
	count_slow(s, old, -1);
	s->n_tsis += !!state - !!old;
	s->n_meters += nve_shadow_metered(state) - nve_shadow_metered(old);
	s->n_addrs += (state ? state->n_addrs : 0) - (old ? old->n_addrs : 0);
	if (old != tsi->now)
		free(old);
	tsi->want = state;
	nve_shadow_touch_tsi(s, slot);
}

int nve_shadow_touch_tsi(struct nve_shadow *s, uint32_t slot)
{
	if (s->tsis[slot].listed)
		return 0;
	if (nve_shadow_list_room(&s->tsi_list, 1) < 0)
		return -ENOMEM;
	nve_shadow_list_add(&s->tsi_list, slot);
	s->tsis[slot].listed = true;
	return 0;
}

static int room(struct nve_shadow *s)
{
	if (nve_shadow_list_room(&s->tsi_list, 1) < 0 || nve_shadow_list_room(&s->vap_list, 2) < 0)
		return -ENOMEM;
	return 0;
}

int nve_shadow_tsi_set(struct nve_shadow *s, const struct nve_dp_tsi *x)
{
	struct nve_shadow_tsi_state *state;
	struct nve_shadow_tsi *tsi;
	int r = check(s, x);

	if (r < 0)
		return r;
	tsi = &s->tsis[x->slot];
	if (same(tsi->want, x))
		return 0;
	if (room(s) < 0)
		return -ENOMEM;
	if (same(tsi->now, x)) {
		want(s, x->slot, tsi->now);
		return 0;
	}
	state = state_new(x);
	if (!state)
		return -ENOMEM;
	nve_shadow_number_macs(state, tsi->now);
	if ((ip_only(state) || gleans_macs(state)) && !nve_shadow_vap_get(s, x->key.port, x->tag)) {
		free(state);
		return -ENOMEM;
	}
	want(s, x->slot, state);
	return 0;
}

int nve_shadow_tsi_del(struct nve_shadow *s, uint32_t slot)
{
	if (slot >= s->limits.max_tsis || !s->tsis[slot].want)
		return 0;
	if (room(s) < 0)
		return -ENOMEM;
	want(s, slot, NULL);
	return 0;
}

bool nve_shadow_mac_active(const struct nve_shadow_tsi_state *state, const uint8_t mac[NVE_MAC_LEN])
{
	for (uint16_t i = 0; state && i < state->n_addrs; i++)
		if (state->addrs[i].active && state->addrs[i].mac &&
		    !memcmp(state->addrs[i].addr.mac, mac, NVE_MAC_LEN))
			return true;
	return false;
}

void nve_shadow_tsi_commit(struct nve_shadow_tsi *tsi)
{
	if (tsi->now != tsi->want)
		free(tsi->now);
	tsi->now = tsi->want;
	tsi->listed = tsi->moved = false;
}

void nve_shadow_tsi_clear(struct nve_shadow *s)
{
	for (uint32_t i = 0; s->tsis && i < s->limits.max_tsis; i++) {
		struct nve_shadow_tsi *tsi = &s->tsis[i];

		if (tsi->now != tsi->want)
			free(tsi->now);
		free(tsi->want);
		*tsi = (struct nve_shadow_tsi){ .gen = tsi->gen };
	}
}
