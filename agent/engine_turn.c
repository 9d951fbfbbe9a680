/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The turn (D11): step, store, datapath, NVA, replies, notices; and taking a whole turn back.
 *
 * A turn is made of items: requests of clients, or the engine's own events.  All steps of a turn
 * stay undoable in the core until it is over, so taking back is: roll the core back, then carry the
 * same actions out again, which now say what was before.
 */
#include "engine_internal.h"
#include "log.h"

#include <errno.h>
#include <string.h>

/* How far a turn came. */
enum stage { STEPPED, STORED, APPLIED, PUBLISHED };

static bool needs_context(const struct nve_event *ev)
{
	return ev->kind == NVE_EV_VN_CONNECT || ev->kind == NVE_EV_ASSOCIATE ||
	       ev->kind == NVE_EV_ACTIVATE;
}

static int resolve_name(struct nve_engine *e, const struct nve_request *req, uint32_t *vn_id)
{
	const struct nve_vn_context *context;
	const struct nve_vn_rec *vn;
	int r = e->nva_ops->vn_by_name(e->nva, req->vn_name, &context);

	if (!r) {
		*vn_id = context->vn_id;
		return 0;
	}
	/* What is here can be taken down although the NVA has forgotten it, or is away. */
	vn = needs_context(&req->ev) ? NULL : nve_vn_find_name(e, req->vn_name);
	if (!vn)
		return r;
	*vn_id = vn->context.vn_id;
	return 0;
}

static int resolve_id(struct nve_engine *e, const struct nve_request *req)
{
	const struct nve_event *ev = &req->ev;
	const struct nve_vn_context *context;
	int r;

	if (ev->kind == NVE_EV_CLEAR && !ev->key.vn_id)
		return 0;
	if (!needs_context(ev) && nve_core_vap(e->core, ev->key.port, ev->key.vn_id))
		return 0;
	r = e->nva_ops->vn_by_id(e->nva, ev->key.vn_id, &context);
	if (!r)
		return 0;
	/* Without context the core's answer is right also while the NVA is away: nothing is there.
	 */
	return r == -ENOENT || needs_context(ev) ? r : 0;
}

static int resolve(struct nve_engine *e, const struct nve_request *req, uint32_t *vn_id)
{
	int r;

	*vn_id = req->ev.key.vn_id;
	r = *req->vn_name ? resolve_name(e, req, vn_id) : resolve_id(e, req);
	switch (r) {
	case 0:
		return NVE_REASON_OK;
	case -ENOENT:
		return NVE_REASON_UNKNOWN_VN;
	case -EINPROGRESS:
		return e->now_ns - req->ev.now_ns < NVE_PARK_NS ? NVE_WAIT_NVA
								: NVE_REASON_NVA_UNREACHABLE;
	default:
		return NVE_REASON_NVA_UNREACHABLE;
	}
}

static void repair_later(struct nve_engine *e, const struct nve_action *actions, size_t n, int r)
{
	nve_log(ERROR, "undo_failed", LOG_U("actions", n), LOG_E(r));
	if (nve_actions_append(&e->late, actions, n) < 0)
		nve_log(ERROR, "repair_forgotten", LOG_U("actions", n), LOG_E(-ENOMEM));
	if (e->resync_at_ns == NVE_NEVER_NS) {
		e->backoff_ns = NVE_SEC_NS;
		e->resync_at_ns = e->now_ns + e->backoff_ns;
	}
}

/* Keeps the actions since 'mark' in e->copy: rolling back takes them off the core's list. */
static int keep_actions(struct nve_engine *e, struct nve_core_mark mark)
{
	size_t n;
	const struct nve_action *actions = nve_core_actions(e->core, &n);

	e->copy.n = 0;
	return nve_actions_append(&e->copy, actions + mark.actions, n - mark.actions);
}

/* The step, and room in the datapath; a failure undoes this event alone. */
static void step(struct nve_engine *e, const struct nve_event *ev, struct nve_answer *answer)
{
	struct nve_owner_usage had = nve_core_owner_usage(e->core, ev->owner);
	struct nve_core_mark mark = nve_core_mark(e->core);
	enum nve_resource full;
	int r, undo;

	nve_core_step(e->core, ev, answer);
	if (answer->reason != NVE_REASON_OK)
		return;
	if (!nve_guard_fits(e, ev, &had, answer)) {
		nve_core_rollback(e->core, mark);
		return;
	}
	if (ev->kind == NVE_EV_KEEPALIVE || ev->kind == NVE_EV_KEEPACTIVE)
		nve_deadline_moved(e, answer->slot);
	r = keep_actions(e, mark);
	if (!r && !e->copy.n)
		return;
	if (!r)
		r = nve_sync_dp(e, e->copy.list, e->copy.n);
	if (!r)
		return;
	full = (enum nve_resource)e->full;
	nve_core_rollback(e->core, mark);
	undo = nve_sync_dp(e, e->copy.list, e->copy.n);
	if (undo)
		repair_later(e, e->copy.list, e->copy.n, undo);
	if (r == -ENOSPC) {
		nve_answer_full(e, full, answer);
		return;
	}
	nve_log(ERROR, "datapath_refused", LOG_U("vn", ev->key.vn_id),
		LOG_S("port", nve_port_name(e, ev->key.port)), LOG_E(r));
	*answer =
		(struct nve_answer){ .reason = NVE_REASON_DATAPATH_FAILED, .slot = NVE_SLOT_NONE };
}

int nve_turn_step(struct nve_engine *e, struct nve_request *req)
{
	struct nve_event ev = req->ev;
	const struct nve_vn_context *context;
	uint32_t vn_id;
	int reason = resolve(e, req, &vn_id);

	req->answer = (struct nve_answer){ .reason = NVE_REASON_OK, .slot = NVE_SLOT_NONE };
	if (reason < 0)
		return reason;
	if (reason != NVE_REASON_OK) {
		if (!nve_guard_unknown_vn(e, req, &req->answer))
			req->answer.reason = (enum nve_reason)reason;
		return 0;
	}
	ev.key.vn_id = vn_id;
	ev.now_ns = e->now_ns;
	if ((ev.kind == NVE_EV_ASSOCIATE || ev.kind == NVE_EV_ACTIVATE) &&
	    !e->nva_ops->vn_by_id(e->nva, vn_id, &context))
		nve_glean_default(context, &ev);
	if (!nve_guard_lets(e, &ev, &req->answer))
		return 0;
	if (!nve_drain_lets(e, &ev)) {
		req->answer.reason = NVE_REASON_DRAINING;
		return 0;
	}
	if (ev.kind == NVE_EV_ACTIVATE) {
		ev.epoch = e->nva_ops->next_epoch(e->nva, e->epoch);
		e->epoch = ev.epoch;
	}
	nve_arrival_before(e, &ev);
	step(e, &ev, &req->answer);
	nve_arrival_after(e, &ev, &req->answer);
	/* The core's journal is full: another turn has room again. */
	if (req->answer.reason == NVE_REASON_TOO_MANY_REQUESTS && nve_core_mark(e->core).actions)
		return NVE_WAIT_TURN;
	return 0;
}

static int publish(struct nve_engine *e, const struct nve_action *actions, size_t n)
{
	int r = nve_pub_actions(e, actions, n), said = nve_pub_flush(e);

	return r ? r : said;
}

static void take_back(struct nve_engine *e, enum stage stage)
{
	const struct nve_action *actions;
	size_t n;
	int r, first = keep_actions(e, (struct nve_core_mark){ 0 });

	if (first) {
		/* No memory to remember by: what is on the list is repaired when there is. */
		actions = nve_core_actions(e->core, &n);
		repair_later(e, actions, n, first);
	}
	nve_core_rollback(e->core, (struct nve_core_mark){ 0 });
	nve_arrival_drop_noted(e);
	actions = e->copy.list;
	n = e->copy.n;
	if (stage >= APPLIED) {
		r = publish(e, actions, n);
		first = first ? first : r;
	}
	r = nve_sync_dp(e, actions, n);
	if (!r && stage >= STORED)
		r = e->dp_ops->apply(e->dp);
	first = first ? first : r;
	if (stage >= STORED) {
		r = nve_sync_store(e, actions, n);
		first = first ? first : r;
	}
	if (first)
		repair_later(e, actions, n, first);
	nve_vn_reap(e);
	e->counters.undone_turns++;
}

void nve_turn_take_back(struct nve_engine *e)
{
	take_back(e, STEPPED);
}

/* Steps 2 to 4.  OK, or the reason of the step that failed, and then all is as before the turn. */
static enum nve_reason finish(struct nve_engine *e)
{
	size_t n;
	const struct nve_action *actions = nve_core_actions(e->core, &n);
	enum stage stage = STEPPED;
	int r;

	if (!n)
		return NVE_REASON_OK;
	r = nve_sync_store(e, actions, n);
	if (!r) {
		stage = STORED;
		r = e->dp_ops->apply(e->dp);
	}
	if (!r) {
		stage = APPLIED;
		r = publish(e, actions, n);
	}
	if (!r)
		return NVE_REASON_OK;
	nve_log(ERROR, "turn_undone",
		LOG_S("step", stage == STEPPED  ? "store"
			      : stage == STORED ? "datapath"
						: "nva"),
		LOG_U("requests", e->n_items), LOG_E(r));
	take_back(e, stage);
	return stage == STEPPED  ? NVE_REASON_STORE_FAILED
	       : stage == STORED ? NVE_REASON_DATAPATH_FAILED
				 : NVE_REASON_NVA_UNREACHABLE;
}

void nve_reply(struct nve_engine *e, struct nve_request *req)
{
	enum nve_reason reason = req->answer.reason;

	e->counters.requests++;
	if ((size_t)reason < sizeof(e->counters.refused) / sizeof(*e->counters.refused) &&
	    reason != NVE_REASON_OK)
		e->counters.refused[reason]++;
	if (reason != NVE_REASON_OK)
		nve_log(INFO, "refused", LOG_S("client", req->client),
			LOG_S("port", nve_port_name(e, req->ev.key.port)),
			LOG_U("vn", req->ev.key.vn_id),
			LOG_X("tsi", req->ev.key.id.bytes, NVE_TSI_ID_LEN),
			LOG_S("reason", nve_reason_name(reason)));
	req->done(req, &req->answer);
}

static void add_item(struct nve_engine *e, struct nve_request *req)
{
	struct nve_turn_item *item = &e->items[e->n_items++];

	item->req = req;
	item->actions = nve_core_mark(e->core).actions;
	item->client[0] = item->identity[0] = '\0';
	if (!req)
		return;
	memcpy(item->client, req->client, sizeof(item->client));
	if (req->identity)
		stpncpy(item->identity, req->identity, NVE_IDENTITY_TEXT_MAX)[0] = '\0';
}

/* Step 5.  done() may free its request, or submit it again. */
static void complete(struct nve_engine *e)
{
	for (size_t i = 0; i < e->n_items; i++)
		if (e->items[i].req)
			nve_reply(e, e->items[i].req);
	nve_tell_watchers(e);
	nve_core_forget(e->core);
	nve_arrival_keep_noted(e);
	nve_vn_reap(e);
	e->counters.turns++;
	e->n_items = 0;
}

static void park(struct nve_engine *e, struct nve_request *req)
{
	req->next = NULL;
	*e->parked_end = req;
	e->parked_end = &req->next;
}

static struct nve_request *take(struct nve_engine *e)
{
	struct nve_request *req = e->queue;

	e->queue = req->next;
	if (!e->queue)
		e->queue_end = &e->queue;
	req->next = NULL;
	return req;
}

static void put_back(struct nve_engine *e, struct nve_request *req)
{
	req->next = e->queue;
	e->queue = req;
	if (!req->next)
		e->queue_end = &req->next;
}

/* The whole turn failed with more than one request: each gets a turn of its own, in order. */
static void run_singly(struct nve_engine *e)
{
	struct nve_request *head = NULL, **end = &head, *req;

	for (size_t i = 0; i < e->n_items; i++) {
		*end = e->items[i].req;
		end = &e->items[i].req->next;
	}
	*end = NULL;
	while ((req = head)) {
		enum nve_reason reason;

		head = req->next;
		req->next = NULL;
		e->n_items = 0;
		if (nve_turn_step(e, req) < 0) {
			park(e, req);
			continue;
		}
		add_item(e, req);
		reason = finish(e);
		if (reason != NVE_REASON_OK)
			req->answer =
				(struct nve_answer){ .reason = reason, .slot = NVE_SLOT_NONE };
		complete(e);
	}
}

bool nve_turn_requests(struct nve_engine *e)
{
	enum nve_reason reason;

	if (!e->queue)
		return false;
	e->n_items = 0;
	while (e->queue && e->n_items < NVE_TURN_REQUESTS) {
		struct nve_request *req = take(e);
		int wait;

		if (!req->ev.now_ns)
			req->ev.now_ns = e->now_ns; /* since when it waits */
		wait = nve_turn_step(e, req);
		if (wait == NVE_WAIT_TURN) {
			put_back(e, req);
			break;
		}
		if (wait == NVE_WAIT_NVA)
			park(e, req);
		else
			add_item(e, req);
	}
	reason = finish(e);
	if (reason == NVE_REASON_OK) {
		complete(e);
		return true;
	}
	if (e->n_items > 1) {
		run_singly(e);
		return true;
	}
	e->items[0].req->answer = (struct nve_answer){ .reason = reason, .slot = NVE_SLOT_NONE };
	complete(e);
	return true;
}

enum nve_reason nve_own_step(struct nve_engine *e, const struct nve_event *ev)
{
	struct nve_answer answer;

	step(e, ev, &answer);
	if (answer.reason == NVE_REASON_OK)
		add_item(e, NULL);
	return answer.reason;
}

enum nve_reason nve_own_finish(struct nve_engine *e)
{
	enum nve_reason reason = finish(e);

	if (reason == NVE_REASON_OK)
		complete(e);
	e->n_items = 0;
	return reason;
}
