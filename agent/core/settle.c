/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every event after which the TSI is Associated or Activated is settled here, whether it makes the
 * TSI, switches it, updates it, or repeats what holds already: the wanted record is worked out and
 * checked against the tables, then what differs is changed.
 */
#include "core/core_internal.h"
#include "core/qos.h"

#include <string.h>

struct wish {
	const struct nve_event *ev;
	uint32_t slot; /* NVE_SLOT_NONE: to be made */
	enum nve_tsi_state from, to;
	uint16_t port;
	uint32_t keepalive_ms;
	uint32_t keepactive_ms;
	uint32_t glean_age_ms;
	uint16_t glean_max;
	uint8_t cause;
	uint16_t owner, was_owner;
	struct nve_qos qos;
	struct nve_addr_set set;
};

static bool signals(const struct nve_event *ev)
{
	return ev->kind == NVE_EV_ASSOCIATE || ev->kind == NVE_EV_ACTIVATE;
}

static enum nve_reason grant(const struct nve_timer_config *config, bool proposed, uint32_t ms,
			     uint32_t *granted)
{
	if (!proposed)
		return NVE_REASON_OK;
	if (ms == 0 && !config->may_be_off)
		return NVE_REASON_INVALID_TIMER;
	if (ms != 0 && ms < config->min_ms)
		ms = config->min_ms;
	*granted = ms < config->max_ms ? ms : config->max_ms;
	return NVE_REASON_OK;
}

static enum nve_reason wish_timers(const struct nve_core *core, struct wish *wish)
{
	const struct nve_event *ev = wish->ev;
	const struct nve_tsi *tsi = nve_core_tsi(core, wish->slot);
	enum nve_reason reason;

	wish->keepalive_ms = tsi ? tsi->keepalive_ms : core->config.keepalive.default_ms;
	wish->keepactive_ms = tsi ? tsi->keepactive_ms : core->config.keepactive.default_ms;
	if (!signals(ev) && ev->kind != NVE_EV_UPDATE)
		return NVE_REASON_OK;
	reason = grant(&core->config.keepalive, ev->flags & NVE_EV_HAS_KEEPALIVE, ev->keepalive_ms,
		       &wish->keepalive_ms);
	if (reason != NVE_REASON_OK)
		return reason;
	return grant(&core->config.keepactive, ev->flags & NVE_EV_HAS_KEEPACTIVE, ev->keepactive_ms,
		     &wish->keepactive_ms);
}

static bool asks_to_glean(const struct nve_event *ev)
{
	return (signals(ev) || ev->kind == NVE_EV_UPDATE) && (ev->flags & NVE_EV_HAS_GLEAN);
}

static void wish_glean(const struct nve_core *core, struct wish *wish)
{
	const struct nve_event *ev = wish->ev;
	const struct nve_tsi *tsi = nve_core_tsi(core, wish->slot);
	bool anew = asks_to_glean(ev) || !tsi;

	wish->glean_max = anew ? ev->glean_max : tsi->glean_max;
	wish->glean_age_ms = anew ? ev->glean_age_ms : tsi->glean_age_ms;
}

/* Without a proposal it stays as it is. */
static void wish_qos(const struct nve_core *core, struct wish *wish)
{
	const struct nve_event *ev = wish->ev;
	const struct nve_tsi *tsi = nve_core_tsi(core, wish->slot);

	if (ev->flags & NVE_EV_HAS_QOS && (signals(ev) || ev->kind == NVE_EV_UPDATE))
		wish->qos = nve_qos_grant(&ev->qos, core->config.max_rate);
	else if (tsi)
		wish->qos = tsi->qos;
}

static enum nve_reason wish_addrs(const struct nve_core *core, struct wish *wish)
{
	const struct nve_event *ev = wish->ev;
	bool switches = ev->kind == NVE_EV_ACTIVATE || ev->kind == NVE_EV_DEACTIVATE;
	enum nve_reason reason;

	if (switches && (ev->flags & NVE_EV_HAS_ONLY) && !ev->n_only)
		return NVE_REASON_INVALID_REQUEST;
	reason = nve_set_plan(core, wish->slot, ev, wish->to, wish->glean_max, &wish->set);
	/* D13: Activated while at least one of its addresses is. */
	if (reason == NVE_REASON_OK && ev->kind == NVE_EV_DEACTIVATE && wish->set.n_on)
		wish->to = NVE_TSI_ACTIVATED;
	return reason;
}

static enum nve_reason wish_port(const struct nve_core *core, struct wish *wish)
{
	const struct nve_event *ev = wish->ev;
	struct nve_tsi_key key = ev->key;

	wish->port = key.port;
	if (ev->kind != NVE_EV_UPDATE || ev->new_port == NVE_PORT_NONE || ev->new_port == key.port)
		return NVE_REASON_OK;
	wish->port = key.port = ev->new_port;
	if (nve_core_port_scope(core, key.port) == NVE_PORT_NONE)
		return NVE_REASON_UNKNOWN_PORT;
	if (nve_core_find_tsi(core, &key) != NVE_SLOT_NONE)
		return NVE_REASON_ILLEGAL_TRANSITION;
	return NVE_REASON_OK;
}

static enum nve_reason check_pools(const struct nve_core *core, const struct wish *wish,
				   struct nve_answer *answer)
{
	const struct nve_pool *tsis = &core->state->tsis, *addrs = &core->state->addrs;
	uint64_t n_addrs = (uint64_t)addrs->used + wish->set.n_new - wish->set.n_drop;

	if (wish->slot == NVE_SLOT_NONE && nve_pool_full(tsis)) {
		answer->resource = NVE_RES_TSIS;
		answer->used = tsis->used;
		answer->max = tsis->max;
		return NVE_REASON_NO_RESOURCES;
	}
	if (wish->set.n_new && n_addrs > addrs->max) {
		answer->resource = NVE_RES_ADDRS;
		answer->used = addrs->used;
		answer->max = addrs->max;
		return NVE_REASON_NO_RESOURCES;
	}
	return NVE_REASON_OK;
}

/* D8: gleaning must fit what is signaled; a default that does not fit is not granted. */
static enum nve_reason check_glean(const struct nve_core *core, struct wish *wish)
{
	uint32_t vap = nve_vap_find(core, wish->port, wish->ev->key.vn_id);
	uint32_t gleaner = vap == NVE_SLOT_NONE ? 0 : core->vaps[vap].gleaner;

	if (!wish->glean_max)
		return NVE_REASON_OK;
	if (wish->set.n_ip && asks_to_glean(wish->ev))
		return NVE_REASON_INVALID_PARAMETER;
	if (wish->set.n_mac || wish->set.n_ip || !gleaner || gleaner == wish->slot + 1)
		return NVE_REASON_OK;
	if (wish->slot != NVE_SLOT_NONE || asks_to_glean(wish->ev))
		return NVE_REASON_GLEANING_CONFLICT;
	wish->glean_max = 0;
	return NVE_REASON_OK;
}

/* What is signaled displaces what others have gleaned: that is more to be written down. */
static enum nve_reason check_room(const struct nve_core *core, const struct wish *wish)
{
	struct nve_tsi_key key = wish->ev->key;
	uint64_t n = 0;

	key.port = wish->port;
	for (uint32_t i = 0; wish->set.n_new && i < wish->ev->n_addrs; i++)
		n += nve_glean_n_in_way(core, wish->slot, &key, &wish->ev->addrs[i]);
	if (wish->port != wish->ev->key.port)
		for (uint32_t i = core->tsis[wish->slot].addrs.head; i; i = core->addrs[i - 1].next)
			n += nve_glean_n_in_way(core, wish->slot, &key, &core->addrs[i - 1].addr);
	if (n && !nve_journal_has_room(core, 1 + n, 3 * NVE_TSI_ADDRS_MAX + n))
		return NVE_REASON_TOO_MANY_REQUESTS;
	return NVE_REASON_OK;
}

static enum nve_reason check(const struct nve_core *core, struct wish *wish,
			     struct nve_answer *answer)
{
	const struct nve_event *ev = wish->ev;
	uint16_t proposed = signals(ev) ? ev->tag : 0;
	enum nve_reason reason;

	wish_qos(core, wish);
	reason = wish_timers(core, wish);
	wish_glean(core, wish);
	if (reason == NVE_REASON_OK)
		reason = wish_addrs(core, wish);
	if (reason == NVE_REASON_OK)
		reason = wish_port(core, wish);
	if (reason == NVE_REASON_OK)
		reason = nve_vap_check(core, wish->port, ev->key.vn_id, proposed, answer);
	if (reason == NVE_REASON_OK)
		reason = nve_set_conflicts(core, wish->slot, ev, wish->port, &wish->set);
	if (reason == NVE_REASON_OK)
		reason = check_glean(core, wish);
	if (reason == NVE_REASON_OK)
		reason = check_pools(core, wish, answer);
	if (reason == NVE_REASON_OK)
		reason = check_room(core, wish);
	return reason;
}

void nve_tsi_link(struct nve_core *core, uint32_t slot)
{
	const struct nve_tsi_key *key = &core->tsis[slot].pub.key;

	nve_chain_push(core, &core->key_buckets[nve_hash_key(core, key)], core->by_key, slot);
	nve_chain_push(core, &core->port_buckets[nve_hash_port(core, key)], core->by_port, slot);
}

void nve_tsi_unlink(struct nve_core *core, uint32_t slot)
{
	const struct nve_tsi_key *key = &core->tsis[slot].pub.key;

	nve_chain_remove(core, &core->key_buckets[nve_hash_key(core, key)], core->by_key, slot);
	nve_chain_remove(core, &core->port_buckets[nve_hash_port(core, key)], core->by_port, slot);
}

static void attach(struct nve_core *core, uint32_t slot, uint16_t tag, const struct nve_why *why)
{
	const struct nve_tsi_key *key = &core->tsis[slot].pub.key;
	uint32_t vap = nve_vap_find(core, key->port, key->vn_id);

	if (vap == NVE_SLOT_NONE)
		vap = nve_vap_connect(core, key->port, key->vn_id, tag, false, why);
	nve_vap_attach(core, vap, slot);
}

static void create(struct nve_core *core, struct wish *wish, uint16_t tag,
		   const struct nve_why *why)
{
	struct nve_tsi_rec *tsi;

	wish->slot = nve_pool_take(core, &core->state->tsis);
	tsi = &core->tsis[wish->slot];
	nve_undo_save(core, tsi, sizeof(*tsi));
	tsi->pub.key = wish->ev->key;
	tsi->pub.owner = wish->owner;
	tsi->pub.state = NVE_TSI_ASSOCIATED; /* on the way to Activated, maybe */
	tsi->pub.since_ns = why->now_ns;
	tsi->pub.deadline_ns = tsi->pub.glean_ns = NVE_NEVER_NS;
	nve_tsi_link(core, wish->slot);
	attach(core, wish->slot, tag, why);
}

/* S70: the new port first, so that the VN's tag stays what it is where the scope is the same. */
static void move(struct nve_core *core, const struct wish *wish, uint16_t tag,
		 const struct nve_why *why)
{
	struct nve_tsi_rec *tsi = &core->tsis[wish->slot];
	uint32_t old_vap = tsi->vap, vap;

	vap = nve_vap_find(core, wish->port, tsi->pub.key.vn_id);
	if (vap == NVE_SLOT_NONE)
		vap = nve_vap_connect(core, wish->port, tsi->pub.key.vn_id, tag, false, why);
	nve_vap_detach(core, wish->slot);
	nve_tsi_unlink(core, wish->slot);
	NVE_SET(core, tsi->pub.key.port, wish->port);
	nve_tsi_link(core, wish->slot);
	nve_vap_attach(core, vap, wish->slot);
	nve_vap_drop_if_idle(core, old_vap, why);
}

static void enter_state(struct nve_core *core, const struct wish *wish)
{
	struct nve_tsi_rec *tsi = &core->tsis[wish->slot];

	if (tsi->pub.state == wish->to)
		return;
	NVE_SET(core, tsi->pub.state, wish->to);
	NVE_SET(core, tsi->pub.since_ns, wish->ev->now_ns);
	nve_vap_count_activated(core, tsi->vap, wish->to == NVE_TSI_ACTIVATED ? 1 : -1);
}

/* A signaled repeat restarts the timer; an update only if the running one was changed. */
static void restart_timer(struct nve_core *core, const struct wish *wish)
{
	struct nve_tsi *tsi = &core->tsis[wish->slot].pub;
	bool changed = wish->to == NVE_TSI_ACTIVATED ? tsi->keepactive_ms != wish->keepactive_ms
						     : tsi->keepalive_ms != wish->keepalive_ms;

	if (tsi->keepalive_ms != wish->keepalive_ms)
		NVE_SET(core, tsi->keepalive_ms, wish->keepalive_ms);
	if (tsi->keepactive_ms != wish->keepactive_ms)
		NVE_SET(core, tsi->keepactive_ms, wish->keepactive_ms);
	if (signals(wish->ev) || wish->from != wish->to || changed)
		nve_timer_set(core, wish->slot, nve_timer_deadline(tsi, wish->ev->now_ns));
}

static void set_glean(struct nve_core *core, const struct wish *wish)
{
	struct nve_tsi *tsi = &core->tsis[wish->slot].pub;
	bool changed = tsi->glean_age_ms != wish->glean_age_ms;

	if (tsi->glean_max != wish->glean_max)
		NVE_SET(core, tsi->glean_max, wish->glean_max);
	if (changed)
		NVE_SET(core, tsi->glean_age_ms, wish->glean_age_ms);
	if (changed && tsi->glean_ns != NVE_NEVER_NS)
		nve_glean_timer_set(core, wish->slot, NVE_NEVER_NS);
	nve_glean_settled(core, wish->slot);
}

/* Before its own set is changed: two bear no address of one VAP at any time. */
static void make_way(struct nve_core *core, const struct wish *wish, bool moved)
{
	for (uint32_t i = 0; wish->set.n_new && i < wish->ev->n_addrs; i++)
		nve_glean_make_way(core, wish->slot, &wish->ev->addrs[i], wish->ev);
	for (uint32_t i = core->tsis[wish->slot].addrs.head; moved && i;
	     i = core->addrs[i - 1].next)
		if (!core->addrs[i - 1].gleaned)
			nve_glean_make_way(core, wish->slot, &core->addrs[i - 1].addr, wish->ev);
}

static void notify(struct nve_core *core, const struct wish *wish, bool updated,
		   const struct nve_why *why)
{
	const struct nve_tsi_rec *tsi = &core->tsis[wish->slot];
	struct nve_notice notice = { .kind = NVE_NOTICE_TSI_UPDATED,
				     .from = (uint8_t)wish->from,
				     .to = (uint8_t)wish->to,
				     .by_nve = why->by_nve,
				     .tag = core->vaps[tsi->vap].pub.tag,
				     .new_port = NVE_PORT_NONE,
				     .owner = tsi->pub.owner,
				     .key = wish->ev->key,
				     .reason = why->reason };

	if (wish->from != wish->to)
		notice.kind = NVE_NOTICE_TSI_STATE;
	if (wish->was_owner != wish->owner)
		notice.was_owner = wish->was_owner;
	if (wish->from != NVE_TSI_INIT && wish->from != wish->to && updated) {
		struct nve_notice more = notice;

		more.kind = NVE_NOTICE_TSI_UPDATED;
		more.to = more.from;
		nve_emit_notice(core, &more);
	}
	if (wish->port != wish->ev->key.port)
		notice.new_port = wish->port;
	nve_emit_notice(core, &notice);
}

static void apply(struct nve_core *core, struct wish *wish, struct nve_answer *answer)
{
	const struct nve_event *ev = wish->ev;
	struct nve_tsi *tsi = wish->slot == NVE_SLOT_NONE ? NULL : &core->tsis[wish->slot].pub;
	bool updated = !tsi || wish->set.n_new || wish->set.n_drop || wish->port != tsi->key.port ||
		       wish->keepalive_ms != tsi->keepalive_ms ||
		       wish->keepactive_ms != tsi->keepactive_ms || wish->owner != tsi->owner ||
		       wish->glean_max != tsi->glean_max ||
		       wish->glean_age_ms != tsi->glean_age_ms ||
		       memcmp(&wish->qos, &tsi->qos, sizeof(wish->qos));
	bool changed = updated || wish->from != wish->to || wish->set.switched ||
		       wish->cause != tsi->cause;
	bool begins = ev->kind == NVE_EV_ACTIVATE && (wish->from != wish->to || wish->set.n_begin);
	struct nve_why why = nve_why_of(ev);

	answer->unchanged = !changed;
	if (ev->kind == NVE_EV_EXPIRE)
		why = (struct nve_why){ ev->now_ns, NVE_REASON_KEEPACTIVE_EXPIRED, true, 0 };
	if (!why.owner)
		why.owner = wish->owner;
	if (!tsi)
		create(core, wish, answer->tag, &why);
	else if (wish->port != tsi->key.port)
		move(core, wish, answer->tag, &why);
	tsi = &core->tsis[wish->slot].pub;
	if (tsi->owner != wish->owner)
		nve_owner_give(core, wish->slot, wish->owner);
	enter_state(core, wish);
	if (tsi->cause != wish->cause)
		NVE_SET(core, tsi->cause, wish->cause);
	if (memcmp(&tsi->qos, &wish->qos, sizeof(wish->qos)))
		NVE_SET(core, tsi->qos, wish->qos);
	if (begins)
		NVE_SET(core, tsi->epoch, ev->epoch);
	make_way(core, wish, wish->port != ev->key.port);
	nve_set_apply(core, wish->slot, ev, &wish->set, begins);
	set_glean(core, wish);
	restart_timer(core, wish);
	if (!changed)
		return;
	nve_emit_tsi(core, wish->slot);
	notify(core, wish, updated, &why);
}

/*
 * A TSI is whose who made it.  Whoever signals it with a cause says that the VM is there now (D16):
 * then it is that one's, and so is one that nobody owned.
 */
static uint16_t owner_of(const struct nve_event *ev, const struct nve_tsi *tsi)
{
	if (!tsi)
		return ev->owner;
	if (ev->owner && signals(ev) && (!tsi->owner || ev->cause != NVE_CAUSE_UNSPECIFIED))
		return ev->owner;
	return tsi->owner;
}

enum nve_reason nve_tsi_settle(struct nve_core *core, uint32_t slot, const struct nve_event *ev,
			       enum nve_tsi_state to, struct nve_answer *answer)
{
	const struct nve_tsi *tsi = nve_core_tsi(core, slot);
	struct wish wish = { .ev = ev, .slot = slot, .from = tsi ? tsi->state : NVE_TSI_INIT };
	enum nve_reason reason;

	wish.to = to;
	wish.owner = owner_of(ev, tsi);
	wish.was_owner = tsi ? tsi->owner : wish.owner;
	wish.cause = signals(ev) || !tsi ? ev->cause : tsi->cause;
	reason = check(core, &wish, answer);
	if (reason != NVE_REASON_OK)
		return reason;
	apply(core, &wish, answer);
	nve_tsi_answer(core, wish.slot, answer);
	return NVE_REASON_OK;
}
