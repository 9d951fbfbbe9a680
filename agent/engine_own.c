/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the engine does unasked: timers that run out, VNs that the NVA changed, and the repair of
 * what could not be undone.  Each in turns like those of requests; what fails stays due and is
 * tried again later, while what forwards goes on forwarding (D18).
 */
#include "engine_internal.h"
#include "log.h"

#include <errno.h>
#include <string.h>

static uint64_t later(const struct nve_engine *e)
{
	return e->now_ns + NVE_SEC_NS;
}

/* S73: true if a frame keeps the TSI from being deactivated now; the core has heard of it then. */
static bool kept_by_data(struct nve_engine *e, const struct nve_due *due)
{
	const struct nve_tsi *tsi =
		due->kind == NVE_DUE_TSI ? nve_core_tsi(e->core, due->slot) : NULL;
	struct nve_event ev = { .kind = NVE_EV_DATA_SEEN, .new_port = NVE_PORT_NONE };
	struct nve_answer answer;
	uint64_t seen;

	if (!tsi || tsi->state != NVE_TSI_ACTIVATED)
		return false;
	seen = e->dp_ops->last_seen(e->dp, due->slot);
	if (!seen || seen <= tsi->since_ns)
		return false;
	/* The datapath's time is coarse; the doubt is in favour of the TSI. */
	seen = seen + NVE_SEEN_SLACK_NS < e->now_ns ? seen + NVE_SEEN_SLACK_NS : e->now_ns;
	if (seen + tsi->keepactive_ms * 1000000ull <= e->now_ns)
		return false;
	ev.key = tsi->key;
	ev.now_ns = seen;
	nve_core_step(e->core, &ev, &answer);
	nve_deadline_moved(e, due->slot);
	tsi = nve_core_tsi(e->core, due->slot);
	return answer.reason == NVE_REASON_OK && tsi && tsi->deadline_ns > e->now_ns;
}

/* One turn of at most 'max' expiries.  Returns false when none was due, or on failure. */
static bool expire(struct nve_engine *e, size_t max, enum nve_reason *reason)
{
	struct nve_event ev = { .kind = NVE_EV_EXPIRE, .new_port = NVE_PORT_NONE };
	bool any = false;

	*reason = NVE_REASON_OK;
	e->n_items = 0;
	while (e->n_items < max && *reason == NVE_REASON_OK &&
	       nve_core_due(e->core, e->now_ns, &ev.due)) {
		any = true;
		if (kept_by_data(e, &ev.due))
			continue;
		ev.now_ns = e->now_ns;
		*reason = nve_own_step(e, &ev);
	}
	/* The core's journal is full, or one is guilty: those before it go first. */
	if (*reason != NVE_REASON_OK && e->n_items)
		*reason = NVE_REASON_OK;
	if (*reason == NVE_REASON_OK)
		*reason = nve_own_finish(e);
	return any && *reason == NVE_REASON_OK;
}

void nve_run_timers(struct nve_engine *e)
{
	enum nve_reason reason;

	if (e->now_ns < e->timers_after_ns)
		return;
	e->timers_after_ns = 0;
	while (expire(e, NVE_TURN_REQUESTS, &reason))
		;
	if (reason == NVE_REASON_OK)
		return;
	while (expire(e, 1, &reason))
		;
	if (reason == NVE_REASON_OK)
		return;
	nve_log(ERROR, "timer_failed", LOG_S("reason", nve_reason_name(reason)));
	e->timers_after_ns = later(e);
}

void nve_engine_vn_changed(void *arg, uint32_t vn_id)
{
	struct nve_engine *e = arg;
	struct nve_vn_rec *vn = nve_vn_find(e, vn_id);

	e->unpark = true;
	if (!vn)
		return;
	vn->dirty = true;
	e->vns_dirty = true;
}

void nve_engine_mapping_changed(void *arg, const struct nve_mapping *mapping, bool gone)
{
	struct nve_engine *e = arg;
	struct nve_vn_rec *vn = nve_vn_find(e, mapping->vn_id);

	(void)gone; /* the VN's mappings are read again, all of them */
	if (!vn)
		return;
	vn->dirty = true;
	e->vns_dirty = true;
}

/* D18, a VN that is fail-closed: disconnected on all its ports. */
static int withdraw(struct nve_engine *e, const struct nve_vn_rec *vn)
{
	struct nve_event ev = { .kind = NVE_EV_VN_DISCONNECT,
				.flags = NVE_EV_BY_NVE,
				.new_port = NVE_PORT_NONE,
				.key.vn_id = vn->context.vn_id,
				.now_ns = e->now_ns,
				.why = NVE_REASON_VN_WITHDRAWN };
	enum nve_reason reason = NVE_REASON_OK;

	e->n_items = 0;
	for (uint32_t port = 0; port < e->n_ports && reason == NVE_REASON_OK; port++) {
		ev.key.port = (uint16_t)port;
		if (nve_core_vap(e->core, ev.key.port, ev.key.vn_id))
			reason = nve_own_step(e, &ev);
	}
	if (reason != NVE_REASON_OK && e->n_items)
		nve_own_finish(e);
	else if (reason == NVE_REASON_OK)
		reason = nve_own_finish(e);
	return reason == NVE_REASON_OK ? 0 : -EAGAIN;
}

/* The NVA can speak of it for the first time since the restart: all of it goes to the datapath. */
static int enter_late(struct nve_engine *e, uint32_t vn_id)
{
	uint32_t cursor = 0, slot;
	const struct nve_vap *vap;
	const struct nve_tsi *tsi;
	int r = nve_vn_enter(e, vn_id);

	while (!r && (vap = nve_core_next_vap(e->core, &cursor)))
		if (vap->vn_id == vn_id)
			r = nve_sync_vap_row(e, vap->port, vap->tag, true);
	cursor = 0;
	while (!r && (tsi = nve_core_next_tsi(e->core, &cursor, &slot))) {
		if (tsi->key.vn_id != vn_id)
			continue;
		r = nve_sync_tsi(e, slot, true);
		for (size_t i = 0; i < tsi->n_addrs && !r; i++)
			if (e->addrs[i].addr.flags & NVE_ADDR_MAC)
				r = nve_fdb_sync(e, vn_id, e->addrs[i].addr.mac);
	}
	if (!r && nve_vn_find(e, vn_id)->live)
		r = nve_vn_say_remotes(e, nve_vn_find(e, vn_id));
	return r;
}

static int follow(struct nve_engine *e, struct nve_vn_rec *vn)
{
	const struct nve_vn_context *context;
	uint32_t vn_id = vn->context.vn_id;
	int r = e->nva_ops->vn_by_id(e->nva, vn_id, &context);

	if (r == -EINPROGRESS)
		return 0; /* vn_changed() will come */
	if (r < 0 && vn->known && vn->context.fail_closed)
		return withdraw(e, vn);
	if (r < 0) {
		if (!vn->withdrawn)
			nve_log(WARNING, "vn_withdrawn", LOG_U("vn", vn_id),
				LOG_S("name", vn->context.name),
				LOG_S("action", vn->known ? "forwards on" : "waits"), LOG_E(r));
		vn->withdrawn = true;
		return 0;
	}
	r = vn->live ? nve_vn_refresh(e, vn) : enter_late(e, vn_id);
	return r || context->security != NVE_NVA_VERIFIED ? r : nve_verify_vn(e, vn_id);
}

static struct nve_vn_rec *next_dirty(struct nve_engine *e)
{
	for (size_t i = 0; i < NVE_VN_BUCKETS; i++)
		for (struct nve_vn_rec *vn = e->vns[i]; vn; vn = vn->next)
			if (vn->dirty)
				return vn;
	return NULL;
}

/* A dirty VN that failed must not be found again in this run. */
static void dirty_again(struct nve_engine *e, const uint32_t *ids, size_t n, int r)
{
	for (size_t i = 0; i < n; i++) {
		struct nve_vn_rec *vn = nve_vn_find(e, ids[i]);

		if (vn)
			vn->dirty = true;
	}
	nve_log(ERROR, "vn_not_followed", LOG_U("vns", n), LOG_U("vn", ids[0]), LOG_E(r));
	e->vns_dirty = true;
	e->vns_after_ns = later(e);
}

void nve_run_vns(struct nve_engine *e)
{
	uint32_t failed[256], done[256];
	size_t n_failed = 0, n_done = 0;
	struct nve_vn_rec *vn;
	int r = 0;

	if (!e->vns_dirty || e->now_ns < e->vns_after_ns)
		return;
	while (n_done < 256 && (vn = next_dirty(e))) {
		uint32_t vn_id = vn->context.vn_id;
		int said;

		vn->dirty = false;
		said = follow(e, vn);
		done[n_done++] = vn_id;
		if (said < 0) {
			failed[n_failed++] = vn_id;
			r = said;
		}
	}
	e->vns_dirty = next_dirty(e) != NULL; /* the rest in the next run */
	if (n_failed)
		dirty_again(e, failed, n_failed, r);
	r = e->dp_ops->apply(e->dp);
	if (!r)
		r = nve_pub_flush(e);
	if (r && n_done)
		dirty_again(e, done, n_done, r);
	nve_keep_contexts(e);
}

/* Says everything again, and to store and NVA what an undoing left open. */
void nve_run_resync(struct nve_engine *e)
{
	int r, first;

	if (e->now_ns < e->resync_at_ns)
		return;
	first = nve_resync_dp(e);
	r = nve_sync_store(e, e->late.list, e->late.n);
	first = first ? first : r;
	r = nve_pub_actions(e, e->late.list, e->late.n);
	first = first ? first : r;
	r = nve_pub_flush(e);
	first = first ? first : r;
	if (!first) {
		nve_log(INFO, "repaired", LOG_U("actions", e->late.n));
		e->late.n = 0;
		e->resync_at_ns = NVE_NEVER_NS;
		return;
	}
	nve_log(ERROR, "repair_failed", LOG_U("actions", e->late.n), LOG_E(first));
	e->backoff_ns = e->backoff_ns * 2 < NVE_RETRY_MAX_NS ? e->backoff_ns * 2 : NVE_RETRY_MAX_NS;
	e->resync_at_ns = e->now_ns + e->backoff_ns;
}
