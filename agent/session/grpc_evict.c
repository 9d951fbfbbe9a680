/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evictions (B7, B10, D10): the operator takes down what hypervisors have.
 *
 * What fits is taken from the core in batches, each a row of requests to the engine like a
 * client's.  Events tell the Sessions, and which of them were told up to which event is noted, for
 * the reply.  The engine's thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "nve/v1/nve.pb-c.h"
#include "session/codec_internal.h"
#include "session/grpc_stream.h"
#include "session/grpc_unary.h"

enum { BATCH = 128, FAILURES_MAX = 64 };

struct told {
	struct nve_stream *st; /* with a reference */
	uint64_t seq;          /* of the last event */
};

struct nve_evict {
	struct nve_evict *next;
	struct nve_unary *u;
	uint32_t cursor; /* into the core's TSIs or VAPs */
	bool over;       /* all is done; what is left is to wait and to reply */
	uint64_t began_ns, until_ns, last_seq;
	uint32_t matched, done, cleared, vns;
	enum nve_reason first_failure;
	size_t n_failures;
	struct {
		struct nve_tsi_key key;
		enum nve_reason reason;
	} failures[FAILURES_MAX];
	struct told *told;
	size_t n_told, cap_told, hint;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static struct nve_evict *evict_of(const struct nve_op *op)
{
	struct nve_unary *u = container_of(op, struct nve_unary, op);
	struct nve_evict *ev = u->base.server->operate.evicts;

	while (ev && ev->u != u)
		ev = ev->next;
	return ev;
}

static void forget(struct nve_session_server *s, struct nve_evict *ev)
{
	struct nve_evict **at = &s->operate.evicts;

	while (*at != ev)
		at = &(*at)->next;
	*at = ev->next;
	if (ev->over)
		atomic_fetch_sub(&s->operate.waiting, 1);
	for (size_t i = 0; i < ev->n_told; i++)
		nve_stream_unref(ev->told[i].st);
	free(ev->told);
	free(ev);
}

/* What fits ----------------------------------------------------------------------------------- */

static bool fits(const struct nve_admin_query *q, uint16_t port, uint32_t vn_id)
{
	return (q->port == NVE_PORT_NONE || q->port == port) && (!q->has_vn || q->vn_id == vn_id);
}

static bool next_vap(struct nve_evict *ev, struct nve_tsi_key *ret)
{
	const struct nve_core *core = nve_engine_core(ev->u->base.server->config.engine);
	const struct nve_vap *vap;

	while ((vap = nve_core_next_vap(core, &ev->cursor))) {
		if (!fits(&ev->u->query, vap->port, vap->vn_id))
			continue;
		*ret = (struct nve_tsi_key){ .port = vap->port, .vn_id = vap->vn_id };
		return true;
	}
	return false;
}

static bool next_tsi(struct nve_evict *ev, struct nve_tsi_key *ret)
{
	const struct nve_core *core = nve_engine_core(ev->u->base.server->config.engine);
	const struct nve_admin_query *q = &ev->u->query;
	const struct nve_tsi *tsi;
	uint32_t slot;

	while ((tsi = nve_core_next_tsi(core, &ev->cursor, &slot))) {
		if (!fits(q, tsi->key.port, tsi->key.vn_id) ||
		    (q->has_tsi && memcmp(&q->tsi, &tsi->key.id, sizeof(q->tsi)) != 0) ||
		    (q->call == NVE_ADMIN_DEACTIVATE_TSI && tsi->state != NVE_TSI_ACTIVATED))
			continue;
		*ret = tsi->key;
		return true;
	}
	return false;
}

static bool of_vns(enum nve_admin_call call)
{
	return call == NVE_ADMIN_DISCONNECT_VN || call == NVE_ADMIN_FLUSH;
}

static void fill_event(const struct nve_admin_query *q, struct nve_event *ev)
{
	bool some = q->operate.n_addrs > 0;

	ev->flags = NVE_EV_BY_NVE;
	ev->why = q->operate.reason;
	ev->new_port = NVE_PORT_NONE;
	ev->kind = of_vns(q->call)                       ? NVE_EV_VN_DISCONNECT
		   : q->call == NVE_ADMIN_DEACTIVATE_TSI ? NVE_EV_DEACTIVATE
		   : some                                ? NVE_EV_UPDATE
							 : NVE_EV_DISASSOCIATE;
	if (!some)
		return;
	ev->only = q->operate.addrs;
	ev->n_only = q->operate.n_addrs;
	if (ev->kind == NVE_EV_DEACTIVATE)
		ev->flags |= NVE_EV_HAS_ONLY;
}

/* False: nothing is left. */
static bool submit_batch(struct nve_evict *ev)
{
	struct nve_op *op = &ev->u->op;
	bool (*next)(struct nve_evict * e, struct nve_tsi_key * ret) =
		of_vns(ev->u->query.call) ? next_vap : next_tsi;
	struct nve_tsi_key key;
	uint32_t n = 0;

	while (n < BATCH && next(ev, &key)) {
		struct nve_decoded_request *r = &op->decoded.requests[n];

		memset(r, 0, sizeof(*r));
		r->decoded = &op->decoded;
		r->index = n++;
		fill_event(&ev->u->query, &r->req.ev);
		r->req.ev.key = key;
	}
	ev->matched += n;
	op->decoded.n_requests = n;
	if (n)
		nve_op_submit(&op->work);
	return n > 0;
}

/* Done, and told ------------------------------------------------------------------------------ */

static void note_failure(struct nve_evict *ev, const struct nve_request *req)
{
	if (ev->first_failure == NVE_REASON_OK)
		ev->first_failure = req->answer.reason;
	if (ev->n_failures == FAILURES_MAX)
		return;
	ev->failures[ev->n_failures].key = req->ev.key;
	ev->failures[ev->n_failures++].reason = req->answer.reason;
}

/* In the midst of the engine's turn: the events of this batch are still to come. */
static void batch_done(struct nve_op *op)
{
	struct nve_unary *u = container_of(op, struct nve_unary, op);
	struct nve_evict *ev;

	if (!op->server) { /* abandoned */
		nve_arena_reset(&op->arena);
		free(u);
		return;
	}
	ev = evict_of(op);
	for (uint32_t i = 0; i < op->decoded.n_requests; i++) {
		const struct nve_request *req = &op->decoded.requests[i].req;

		if (req->answer.reason != NVE_REASON_OK) {
			note_failure(ev, req);
			continue;
		}
		ev->done++;
		ev->cleared += req->answer.n_cleared;
	}
	if (op->server->closing || !submit_batch(ev)) {
		ev->over = true;
		ev->until_ns = now_ns() + u->query.operate.wait_ms * UINT64_C(1000000);
		atomic_fetch_add(&op->server->operate.waiting, 1);
		op->server->config.wake(op->server->config.wake_arg);
	}
}

static void abandon(struct nve_op *op)
{
	forget(op->server, evict_of(op));
	nve_unary_abandon(op);
}

static bool caused(const struct nve_evict *ev, const struct nve_request *req)
{
	const struct nve_decoded_request *first = ev->u->op.decoded.requests;
	uintptr_t at = (uintptr_t)req;

	return at >= (uintptr_t)first && at < (uintptr_t)(first + BATCH);
}

/* Streams come in the same order for each event: the next one is most often the one looked for. */
static struct told *find_told(struct nve_evict *ev, struct nve_stream *st)
{
	for (size_t i = 0; i < ev->n_told; i++) {
		size_t at = (ev->hint + i) % ev->n_told;

		if (ev->told[at].st == st) {
			ev->hint = at + 1;
			return &ev->told[at];
		}
	}
	if (ev->n_told == ev->cap_told) {
		size_t cap = ev->cap_told ? 2 * ev->cap_told : 16;
		struct told *more = realloc(ev->told, cap * sizeof(*more));

		if (!more)
			return NULL;
		ev->told = more;
		ev->cap_told = cap;
	}
	st->refs++; /* its lock is held */
	ev->told[ev->n_told].st = st;
	return &ev->told[ev->n_told++];
}

void nve_evict_told(struct nve_session_server *s, const struct nve_engine_event *event,
		    struct nve_stream *st)
{
	for (struct nve_evict *ev = s->operate.evicts; ev && event->req; ev = ev->next) {
		struct told *told;

		if (!caused(ev, event->req))
			continue;
		ev->last_seq = event->seq;
		told = st && st->feed.session ? find_told(ev, st) : NULL;
		if (told)
			told->seq = event->seq;
	}
}

void nve_evict_acked(struct nve_session_server *s)
{
	if (atomic_load(&s->operate.waiting))
		s->config.wake(s->config.wake_arg);
}

/* The reply ----------------------------------------------------------------------------------- */

struct count {
	uint32_t acknowledged, silent, pending;
};

static struct count count_told(const struct nve_evict *ev)
{
	struct count n = { 0 };

	for (size_t i = 0; i < ev->n_told; i++) {
		struct nve_stream *st = ev->told[i].st;

		pthread_mutex_lock(&st->lock);
		if (st->feed.acked >= ev->told[i].seq)
			n.acknowledged++;
		else if (!st->dead && st->feed.window)
			n.pending++;
		else if (!st->dead)
			n.silent++;
		pthread_mutex_unlock(&st->lock);
	}
	return n;
}

static int list_failures(const struct nve_evict *ev, struct nve_arena *arena,
			 Nve__V1__EvictReply *m)
{
	struct nve_engine *engine = ev->u->base.server->config.engine;
	Nve__V1__EvictFailure *all = nve_arena_zalloc(arena, ev->n_failures + 1, sizeof(*all));

	m->failures = nve_arena_zalloc(arena, ev->n_failures + 1, sizeof(*m->failures));
	if (!all || !m->failures)
		return -ENOMEM;
	for (size_t i = 0; i < ev->n_failures; i++) {
		const struct nve_tsi_key *key = &ev->failures[i].key;

		nve__v1__evict_failure__init(&all[i]);
		if (!of_vns(ev->u->query.call)) {
			all[i].tsi_id.data = (uint8_t *)key->id.bytes;
			all[i].tsi_id.len = sizeof(key->id.bytes);
		}
		all[i].port = (char *)nve_engine_port(engine, key->port)->dp.name;
		all[i].vn_id = key->vn_id;
		all[i].reason = (Nve__V1__Reason)ev->failures[i].reason;
		m->failures[i] = &all[i];
	}
	m->n_failures = ev->n_failures;
	return 0;
}

static int pack_evict(struct nve_evict *ev, const struct count *n, struct nve_bytes *ret)
{
	Nve__V1__EvictReply m = NVE__V1__EVICT_REPLY__INIT;
	struct nve_arena *arena = &ev->u->op.arena;

	m.matched = ev->matched;
	m.done = ev->done;
	m.tsis_cleared = ev->cleared;
	m.sessions = (uint32_t)ev->n_told;
	m.acknowledged = n->acknowledged;
	m.silent = n->silent;
	m.last_event_seq = ev->last_seq;
	m.waited_ms = (uint32_t)((now_ns() - ev->began_ns) / 1000000);
	return list_failures(ev, arena, &m) ?: nve_codec_pack(&m.base, arena, ret);
}

static int pack_flush(struct nve_evict *ev, struct nve_bytes *ret)
{
	Nve__V1__FlushReply m = NVE__V1__FLUSH_REPLY__INIT;

	m.vns = ev->done;
	m.tsis = ev->cleared;
	return nve_codec_pack(&m.base, &ev->u->op.arena, ret);
}

static void reply(struct nve_session_server *s, struct nve_evict *ev, const struct count *n)
{
	bool flush = ev->u->query.call == NVE_ADMIN_FLUSH;
	enum nve_reason failure = ev->first_failure;
	struct nve_unary *u = ev->u;
	struct nve_bytes bytes;
	int r = flush ? pack_flush(ev, &bytes) : pack_evict(ev, n, &bytes);

	forget(s, ev);
	if (flush && failure != NVE_REASON_OK) {
		nve_unary_refuse_for(u, failure);
	} else if (r) {
		nve_unary_refuse_for(u, NVE_REASON_INTERNAL);
	} else {
		nve_unary_reply(u, bytes);
		s->operate.flush |= flush;
	}
}

void nve_evict_poll(struct nve_session_server *s)
{
	struct nve_evict *ev, *next;
	bool stopping = s->closing || atomic_load(&s->stopping);

	for (ev = s->operate.evicts; ev; ev = next) {
		struct count n;

		next = ev->next;
		if (!ev->over)
			continue;
		n = count_told(ev);
		if (!n.pending || stopping || now_ns() >= ev->until_ns)
			reply(s, ev, &n);
	}
}

uint64_t nve_session_next_deadline(const struct nve_session_server *s)
{
	uint64_t at = NVE_NEVER_NS;

	for (const struct nve_evict *ev = s->operate.evicts; ev; ev = ev->next)
		if (ev->over && ev->until_ns < at)
			at = ev->until_ns;
	return at;
}

bool nve_session_flush_asked(const struct nve_session_server *s)
{
	return s->operate.flush;
}

/* The beginning ------------------------------------------------------------------------------- */

/* A VN by name becomes its ID.  False: it was refused. */
static bool resolve(struct nve_unary *u)
{
	struct nve_admin_query *q = &u->query;
	const struct nve_vn_context *vn;

	if (!q->has_vn || !q->vn_name[0])
		return true;
	vn = nve_engine_vn_by_name(u->base.server->config.engine, q->vn_name);
	if (!vn) {
		nve_unary_refuse_for(u, NVE_REASON_UNKNOWN_VN);
		return false;
	}
	q->vn_id = vn->vn_id;
	return true;
}

static bool may_flush(struct nve_unary *u)
{
	const struct nve_core *core = nve_engine_core(u->base.server->config.engine);
	const struct nve_vap *vap;
	uint32_t cursor = 0;

	if (u->query.call != NVE_ADMIN_FLUSH || u->query.operate.force)
		return true;
	while ((vap = nve_core_next_vap(core, &cursor))) {
		if (!vap->n_activated)
			continue;
		nve_unary_refuse_for(u, NVE_REASON_TSIS_ACTIVATED);
		return false;
	}
	return true;
}

void nve_evict(struct nve_unary *u)
{
	struct nve_session_server *s = u->base.server;
	struct nve_evict *ev;

	if (!resolve(u) || !may_flush(u))
		return;
	ev = calloc(1, sizeof(*ev));
	u->op.decoded.requests =
		nve_arena_zalloc(&u->op.arena, BATCH, sizeof(*u->op.decoded.requests));
	if (!ev || !u->op.decoded.requests) {
		free(ev);
		nve_unary_refuse_for(u, NVE_REASON_INTERNAL);
		return;
	}
	ev->u = u;
	ev->began_ns = now_ns();
	u->op.finish = batch_done;
	u->op.abandon = abandon;
	ev->next = s->operate.evicts;
	s->operate.evicts = ev;
	if (submit_batch(ev))
		return;
	ev->over = true;
	atomic_fetch_add(&s->operate.waiting, 1);
}
