/* SPDX-License-Identifier: Apache-2.0 */
/* The invariants, each looked at from the other side than the one that maintains it. */
#include "core/core_internal.h"
#include "core/qos.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "nved core: invariant broken (%s:%d): %s\n", __func__,     \
				__LINE__, #condition);                                             \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* All that are used, free or fresh are all there are, and each list is as long as it says. */
static void check_pool(const struct nve_pool *pool)
{
	uint32_t free = 0, never = 0, last = 0;

	for (uint32_t i = pool->free.head; i && i <= pool->max; free++) {
		CHECK(free <= pool->max);
		last = i;
		i = pool->next[i - 1] == UINT32_MAX - 1 ? 0 : pool->next[i - 1];
	}
	CHECK(last == pool->free.tail);
	CHECK(free == pool->n_free);
	for (uint32_t i = 0; i < pool->max; i++) {
		never += pool->next[i] == 0;
		CHECK(i >= pool->fresh || pool->next[i] != 0);
		CHECK(i < pool->high || pool->next[i] == 0);
	}
	CHECK(pool->used <= pool->max);
	CHECK(pool->used + free + never == pool->max);
}

static bool pool_uses(const struct nve_pool *pool, uint32_t i)
{
	return pool->next[i] == UINT32_MAX;
}

static uint32_t count_chains(const uint32_t *buckets, uint32_t mask, const struct nve_link *links,
			     uint32_t max)
{
	uint32_t n = 0;

	for (uint32_t b = 0; b <= mask; b++) {
		uint32_t prev = 0;

		for (uint32_t i = buckets[b]; i; i = links[i - 1].next) {
			CHECK(links[i - 1].prev == prev);
			CHECK(++n <= max);
			prev = i;
		}
	}
	return n;
}

static uint32_t count_list(const struct nve_list *list, const struct nve_link *links, uint32_t max)
{
	uint32_t n = 0, prev = 0;

	for (uint32_t i = list->head; i; i = links[i - 1].next) {
		CHECK(links[i - 1].prev == prev);
		CHECK(++n <= max);
		prev = i;
	}
	CHECK(list->tail == prev);
	return n;
}

static bool same_binding(const struct nve_addr *a, const struct nve_addr *b)
{
	struct nve_addr x = nve_binding_of(a), y = nve_binding_of(b);

	return memcmp(&x, &y, sizeof(x)) == 0;
}

static void check_leader(const struct nve_core *core, uint32_t i)
{
	const struct nve_addr_rec *rec = &core->addrs[i];
	struct nve_addr binding = nve_binding_of(&rec->addr);
	uint32_t n_sharing = 0, n_working = 0, n_leaders = 0;

	for (uint32_t k = core->tsis[rec->tsi].addrs.head; k; k = core->addrs[k - 1].next) {
		if (!same_binding(&core->addrs[k - 1].addr, &binding))
			continue;
		n_sharing++;
		n_working += core->addrs[k - 1].active;
		n_leaders += core->addrs[k - 1].leader;
	}
	CHECK(n_leaders == 1);
	if (!rec->leader) {
		CHECK(rec->n_sharing == 0 && rec->n_working == 0);
		return;
	}
	CHECK(rec->n_sharing == n_sharing && rec->n_working == n_working);
	CHECK(nve_bind_leader(core, rec->tsi, &binding) == i);
}

/* One instance at most bears an address on a (port, VN); returns whether it works elsewhere. */
static bool check_others(const struct nve_core *core, uint32_t i)
{
	const struct nve_addr_rec *rec = &core->addrs[i];
	struct nve_addr binding = nve_binding_of(&rec->addr);
	const struct nve_tsi_key *key = &core->tsis[rec->tsi].pub.key;
	uint32_t k = NVE_SLOT_NONE;
	bool elsewhere = false;

	while ((k = nve_bind_next(core, key->vn_id, &binding, k)) != NVE_SLOT_NONE) {
		if (core->addrs[k].tsi == rec->tsi)
			continue;
		CHECK(core->tsis[core->addrs[k].tsi].pub.key.port != key->port);
		elsewhere |= core->addrs[k].n_working > 0;
	}
	return elsewhere && rec->n_working;
}

static void check_tsi_addrs(const struct nve_core *core, uint32_t slot)
{
	const struct nve_tsi_rec *tsi = &core->tsis[slot];
	uint32_t n = 0, n_active = 0, n_overlap = 0, last = 0;

	for (uint32_t i = tsi->addrs.head; i; i = core->addrs[i - 1].next) {
		CHECK(++n <= NVE_TSI_ADDRS_MAX);
		CHECK(pool_uses(&core->state->addrs, i - 1));
		CHECK(core->addrs[i - 1].tsi == slot);
		check_leader(core, i - 1);
		n_active += core->addrs[i - 1].active;
		n_overlap += core->addrs[i - 1].leader && check_others(core, i - 1);
		last = i;
	}
	CHECK(tsi->addrs.tail == last);
	CHECK(tsi->pub.n_addrs == n && tsi->pub.n_active == n_active);
	CHECK(tsi->n_overlap == n_overlap);
	CHECK(tsi->pub.state == NVE_TSI_ACTIVATED || n_active == 0);
	CHECK(n_overlap || (!tsi->alarm_ns && !tsi->alarmed));
	CHECK(!tsi->alarm_ns || !tsi->alarmed);
}

/* D8: within its bound, nothing beside what is signaled, and nothing of another TSI's. */
static void check_gleaned(const struct nve_core *core, uint32_t slot)
{
	const struct nve_tsi_rec *tsi = &core->tsis[slot];
	uint32_t n = 0, n_mac = 0, n_ip = 0;

	for (uint32_t i = tsi->addrs.head; i; i = core->addrs[i - 1].next) {
		const struct nve_addr_rec *rec = &core->addrs[i - 1];
		struct nve_addr mac = nve_binding_of(&rec->addr);

		n += rec->gleaned;
		n_mac += !rec->gleaned && (rec->addr.flags & NVE_ADDR_MAC);
		n_ip += !rec->gleaned && (rec->addr.flags & ~NVE_ADDR_MAC);
		CHECK(rec->gleaned || rec->seen_ns == 0);
		if (!rec->gleaned)
			continue;
		CHECK(rec->active && (rec->addr.flags & NVE_ADDR_MAC));
		CHECK(rec->addr.flags != NVE_ADDR_MAC || tsi->n_sig_mac == 0);
		CHECK(core->addrs[nve_bind_leader(core, slot, &mac)].n_working > 0);
		CHECK(tsi->pub.glean_ns <=
		      rec->seen_ns + tsi->pub.glean_age_ms * UINT64_C(1000000));
	}
	CHECK(n == tsi->pub.n_gleaned && n <= tsi->pub.glean_max);
	CHECK(tsi->pub.glean_max <= NVE_GLEAN_MAX);
	CHECK(n_mac == tsi->n_sig_mac && n_ip == tsi->n_sig_ip);
	CHECK(n == 0 || n_ip == 0);
	CHECK((core->vaps[tsi->vap].gleaner == slot + 1) == nve_glean_is_gleaner(tsi));
}

static void check_tsi(const struct nve_core *core, uint32_t slot)
{
	const struct nve_tsi_rec *tsi = &core->tsis[slot];
	const struct nve_tsi_key *key = &tsi->pub.key;

	CHECK(tsi->pub.state == NVE_TSI_ASSOCIATED || tsi->pub.state == NVE_TSI_ACTIVATED);
	CHECK(nve_qos_valid(&tsi->pub.qos));
	CHECK(nve_core_find_tsi(core, key) == slot);
	CHECK(nve_vap_find(core, key->port, key->vn_id) == tsi->vap);
	CHECK((tsi->heap_pos != 0) == (tsi->pub.deadline_ns != NVE_NEVER_NS));
	CHECK((tsi->glean_pos != 0) == (tsi->pub.glean_ns != NVE_NEVER_NS));
	CHECK((tsi->glean_pos != 0) == (tsi->pub.n_gleaned != 0));
	if (tsi->glean_pos) {
		CHECK(core->timers[tsi->glean_pos - 1].slot == slot);
		CHECK(core->timers[tsi->glean_pos - 1].gleaning == 1);
		CHECK(core->timers[tsi->glean_pos - 1].deadline_ns == tsi->pub.glean_ns);
	}
	if (tsi->heap_pos) {
		CHECK(core->timers[tsi->heap_pos - 1].gleaning == 0);
		CHECK(core->timers[tsi->heap_pos - 1].slot == slot);
		CHECK(core->timers[tsi->heap_pos - 1].deadline_ns == tsi->pub.deadline_ns);
	}
	check_tsi_addrs(core, slot);
	check_gleaned(core, slot);
}

static void check_tsis(const struct nve_core *core)
{
	const struct nve_state *state = core->state;
	struct nve_tsi_rec none = { 0 };
	uint32_t n_addrs = 0, n_leaders = 0, n_alarms = 0, n_timers = 0, n_ips = 0;

	check_pool(&state->tsis);
	check_pool(&state->addrs);
	for (uint32_t slot = 0; slot < state->tsis.max; slot++) {
		const struct nve_tsi_rec *tsi = &core->tsis[slot];

		if (!pool_uses(&state->tsis, slot)) {
			CHECK(memcmp(tsi, &none, sizeof(none)) == 0);
			continue;
		}
		check_tsi(core, slot);
		n_addrs += tsi->pub.n_addrs;
		n_alarms += tsi->alarm_ns != 0;
		n_timers += (tsi->heap_pos != 0) + (tsi->glean_pos != 0);
		for (uint32_t i = tsi->addrs.head; i; i = core->addrs[i - 1].next)
			n_leaders += core->addrs[i - 1].leader;
		for (uint32_t i = tsi->addrs.head; i; i = core->addrs[i - 1].next)
			n_ips += (core->addrs[i - 1].addr.flags & ~NVE_ADDR_MAC) != 0;
	}
	CHECK(n_addrs == state->addrs.used);
	CHECK(n_timers == state->n_timers);
	CHECK(count_list(&state->alarms, core->by_alarm, state->tsis.max) == n_alarms);
	CHECK(count_chains(core->key_buckets, core->tsi_mask, core->by_key, state->tsis.max) ==
	      state->tsis.used);
	CHECK(count_chains(core->port_buckets, core->tsi_mask, core->by_port, state->tsis.max) ==
	      state->tsis.used);
	CHECK(count_chains(core->ip_buckets, core->addr_mask, core->by_ip, state->addrs.max) ==
	      n_ips);
	CHECK(count_chains(core->addr_buckets, core->addr_mask, core->by_binding,
			   state->addrs.max) == n_leaders);
}

static void check_timers(const struct nve_core *core)
{
	const struct nve_state *state = core->state;
	uint64_t last = 0;

	for (uint32_t i = 1; i < state->n_timers; i++)
		CHECK(core->timers[(i - 1) / 2].deadline_ns <= core->timers[i].deadline_ns);
	for (uint32_t i = state->alarms.head; i; i = core->by_alarm[i - 1].next) {
		CHECK(core->tsis[i - 1].alarm_ns >= last);
		last = core->tsis[i - 1].alarm_ns;
	}
}

static void check_vap(const struct nve_core *core, uint32_t i, uint32_t *n_tsi)
{
	const struct nve_vap_rec *vap = &core->vaps[i];
	uint16_t scope = nve_core_port_scope(core, vap->pub.port);
	const struct nve_tag_rec *tag;
	uint32_t n_activated = 0;

	CHECK(nve_vap_find(core, vap->pub.port, vap->pub.vn_id) == i);
	CHECK(core->vns[vap->vn].vn_id == vap->pub.vn_id);
	CHECK(scope != NVE_PORT_NONE);
	tag = nve_tags_rec(core, scope, vap->pub.tag);
	CHECK(tag->use == NVE_TAG_BOUND && tag->vn_id == vap->pub.vn_id);
	CHECK(count_list(&vap->tsis, core->by_vap, core->state->tsis.max) == vap->pub.n_tsi);
	for (uint32_t k = vap->tsis.head; k; k = core->by_vap[k - 1].next) {
		CHECK(core->tsis[k - 1].vap == i);
		n_activated += core->tsis[k - 1].pub.state == NVE_TSI_ACTIVATED;
	}
	CHECK(vap->pub.n_activated == n_activated);
	CHECK(vap->pub.n_tsi || vap->pub.connected_explicitly);
	*n_tsi += vap->pub.n_tsi;
}

static void check_vaps(const struct nve_core *core)
{
	const struct nve_state *state = core->state;
	uint32_t n_tsi = 0, n_vaps = 0;

	check_pool(&state->vaps);
	check_pool(&state->vns);
	for (uint32_t i = 0; i < state->vaps.max; i++)
		if (pool_uses(&state->vaps, i))
			check_vap(core, i, &n_tsi);
	CHECK(n_tsi == state->tsis.used);
	for (uint32_t i = 0; i < state->vns.max; i++) {
		CHECK(pool_uses(&state->vns, i) == (core->vns[i].n_vaps != 0));
		n_vaps += core->vns[i].n_vaps;
	}
	CHECK(n_vaps == state->vaps.used);
	CHECK(count_chains(core->vap_buckets, core->vap_mask, core->vap_chain, state->vaps.max) ==
	      state->vaps.used);
	CHECK(count_chains(core->vn_buckets, core->vn_mask, core->vn_chain, state->vns.max) ==
	      state->vns.used);
}

/* S35: what a bound tag means is what every VAP of the scope that has it means, and no other. */
static void check_bound_tag(const struct nve_core *core, uint16_t scope, uint16_t tag)
{
	const struct nve_tag_rec *rec = nve_tags_rec(core, scope, tag);
	uint32_t n_vaps = 0;

	for (uint32_t i = 0; i < core->state->vaps.max; i++) {
		const struct nve_vap *vap = &core->vaps[i].pub;

		if (!vap->vn_id || nve_core_port_scope(core, vap->port) != scope)
			continue;
		CHECK((vap->tag == tag) == (vap->vn_id == rec->vn_id));
		n_vaps += vap->tag == tag;
	}
	CHECK(n_vaps > 0 && rec->n_vaps == n_vaps);
}

static void check_scope(const struct nve_core *core, uint16_t scope, uint32_t *n_used,
			uint32_t *n_quarantined)
{
	const struct nve_scope_config *range = &core->config.scopes[scope];
	const struct nve_scope *in = &core->scopes[scope];
	uint32_t used = 0, n_free = 0;

	for (uint16_t tag = range->tag_min; tag <= range->tag_max; tag++) {
		const struct nve_tag_rec *rec = nve_tags_rec(core, scope, tag);

		CHECK(tag >= in->fresh || rec->ever);
		n_free += rec->ever && rec->use == NVE_TAG_FREE;
		used += rec->use != NVE_TAG_FREE;
		*n_quarantined += rec->use == NVE_TAG_QUARANTINED;
		CHECK(!rec->ever || (rec->scope == scope && rec->tag == tag));
		CHECK((rec->use == NVE_TAG_FREE) == (rec->vn_id == 0));
		if (rec->use == NVE_TAG_BOUND)
			check_bound_tag(core, scope, tag);
		else
			CHECK(rec->n_vaps == 0);
	}
	CHECK(in->used == used);
	CHECK(count_list(&in->free, core->tag_order, core->state->n_tags) == n_free);
	for (uint32_t i = in->free.head; i; i = core->tag_order[i - 1].next)
		CHECK(core->tags[i - 1].use == NVE_TAG_FREE);
	*n_used += used;
}

static void check_tags(const struct nve_core *core)
{
	const struct nve_state *state = core->state;
	uint32_t n_used = 0, n_quarantined = 0;
	uint64_t last = 0;

	for (uint16_t scope = 0; scope < core->config.n_scopes; scope++)
		check_scope(core, scope, &n_used, &n_quarantined);
	CHECK(count_list(&state->quarantine, core->tag_order, state->n_tags) == n_quarantined);
	for (uint32_t i = state->quarantine.head; i; i = core->tag_order[i - 1].next) {
		CHECK(core->tags[i - 1].use == NVE_TAG_QUARANTINED);
		CHECK(core->tags[i - 1].until_ns >= last);
		last = core->tags[i - 1].until_ns;
	}
	CHECK(count_chains(core->tag_buckets, core->tag_mask, core->tag_chain, state->n_tags) ==
	      n_used);
}

void nve_core_check(const struct nve_core *core)
{
	check_tsis(core);
	check_timers(core);
	check_vaps(core);
	check_tags(core);
	nve_owner_check(core);
}
