/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Session stream: Welcome, then requests, answers as they complete, events.
 *
 * 'outstanding' counts requests whose answer was not yet given to gRPC: it falls just before the
 * answer is sent, so that a client that has read it may send the next.  Beyond the window each
 * request is refused, and beyond twice the window nothing more is read until answers have gone.
 * Nor is it while the client makes the agent hold as many bytes as it may, in requests that wait
 * and in answers that it does not read, on all its streams; one request of each stream always goes.
 */
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "log.h"
#include "session/grpc_stream.h"

struct session {
	struct nve_stream st;
	char client[NVE_NAME_MAX + 1];
	struct nve_visitor visitor;
	uint32_t outstanding;
	bool begun; /* something was sent: too late for Hello */
	bool half_closed;
	bool paused; /* reading */
	bool counted;
	struct nve_resync *resync; /* engine's thread: what was listed so far */
};

struct request {
	struct session *session;
	size_t bytes;
	struct nve_op op; /* last: see nve_op */
};

static struct session *session_of(struct nve_stream *st)
{
	return container_of(st, struct session, st);
}

static uint32_t window(const struct session *ss)
{
	return ss->st.base.server->config.limits.outstanding;
}

/* While the request has its reference of the stream. */
static void give_bytes(struct request *rq)
{
	struct nve_call *call = &rq->session->st.base;

	if (rq->bytes > 0)
		nve_clients_give(&call->server->clients, call->conn, rq->bytes);
	rq->bytes = 0;
}

static void free_request(struct request *rq)
{
	nve_arena_reset(&rq->op.arena);
	free(rq);
}

/* With the lock: the end of a session whose client sends no more, or of a stopping agent's. */
static void finish_if_done(struct session *ss)
{
	if (ss->outstanding > 0)
		return;
	if (atomic_load(&ss->st.base.server->stopping))
		nve_stream_finish(&ss->st, NVE_REASON_SHUTTING_DOWN);
	else if (ss->st.barred)
		nve_stream_finish(&ss->st, NVE_REASON_NOT_AUTHORIZED);
	else if (ss->half_closed)
		nve_stream_finish(&ss->st, NVE_REASON_OK);
}

static void read_on(struct session *ss)
{
	struct nve_call *call = &ss->st.base;
	bool stopping = atomic_load(&call->server->stopping);
	struct nve_client_full full;

	ss->paused = ss->outstanding >= 2 * window(ss) ||
		     (ss->outstanding > 0 &&
		      nve_clients_heavy(&call->server->clients, call->conn, &full));
	if (!ss->paused && !stopping && !ss->half_closed && !ss->st.barred)
		nve_stream_receive(&ss->st);
}

static void resume(struct nve_stream *st)
{
	read_on(session_of(st));
}

static void picked(struct nve_stream *st)
{
	struct session *ss = session_of(st);

	ss->outstanding--;
	finish_if_done(ss);
	if (ss->paused)
		read_on(ss);
}

static void idle(struct nve_stream *st)
{
	finish_if_done(session_of(st));
}

/* With the lock. */
static void push_answer(struct session *ss, struct request *rq, const struct nve_codec_vn *vn,
			const struct nve_refusal *why)
{
	struct nve_bytes bytes;
	int r = why ? nve_codec_session_refusal(rq->op.decoded.request_id, why, &rq->op.arena,
						&bytes)
		    : nve_codec_session_answer(&rq->op.decoded, vn, &rq->op.arena, &bytes);

	if (r == 0 && nve_stream_push(&ss->st, bytes))
		return;
	ss->outstanding--; /* the stream is dying */
	if (r < 0)
		grpc_call_cancel(ss->st.base.call, NULL);
}

static void request_finish(struct nve_op *op)
{
	struct request *rq = container_of(op, struct request, op);
	struct session *ss = rq->session;
	struct nve_codec_vn vn;

	if (!op->server) { /* abandoned */
		free_request(rq);
		return;
	}
	vn = nve_op_vn(op);
	give_bytes(rq);
	pthread_mutex_lock(&ss->st.lock);
	push_answer(ss, rq, &vn, NULL);
	nve_stream_pump(&ss->st);
	pthread_mutex_unlock(&ss->st.lock);
	nve_stream_unref(&ss->st);
	free_request(rq);
}

static void request_abandon(struct nve_op *op)
{
	struct request *rq = container_of(op, struct request, op);

	op->server = NULL;
	give_bytes(rq);
	nve_stream_unref(&rq->session->st);
}

/* What a client calls itself is no proof: address and identity stand beside it (B16). */
static void audit(const struct session *ss, const char *event)
{
	const struct nve_visitor *v = &ss->visitor;

	nve_audit(event, LOG_S("client", ss->client), LOG_S("identity", v->peer.identity),
		  LOG_S("address", v->address),
		  LOG_U("sessions", atomic_load(&ss->st.base.server->sessions)));
}

/* With the lock.  Returns OK or why not. */
static enum nve_reason take_hello(struct session *ss, const struct nve_decoded *d)
{
	struct nve_feed *feed = &ss->st.feed;

	if (ss->begun)
		return NVE_REASON_INVALID_REQUEST;
	if (d->hello_client[0])
		memcpy(ss->client, d->hello_client, strlen(d->hello_client) + 1);
	audit(ss, "session_hello");
	feed->all_ports = d->n_ports == 0;
	for (uint32_t i = 0; i < d->n_ports; i++)
		feed->ports[d->ports[i] / 64] |= UINT64_C(1) << (d->ports[i] % 64);
	return nve_feed_set_window(feed, d->event_window) ? NVE_REASON_OK : NVE_REASON_INTERNAL;
}

/* With the lock.  True: the request goes to the engine; else its answer was pushed. */
static bool admit(struct session *ss, struct request *rq, struct nve_refusal *why)
{
	struct nve_session_server *s = ss->st.base.server;
	const struct nve_decoded *d = &rq->op.decoded;

	ss->outstanding++;
	if (why->reason == NVE_REASON_OK && atomic_load(&s->stopping))
		why->reason = NVE_REASON_SHUTTING_DOWN;
	if (why->reason == NVE_REASON_OK && ss->st.barred)
		why->reason = NVE_REASON_NOT_AUTHORIZED;
	if (why->reason == NVE_REASON_OK && ss->outstanding > window(ss))
		why->reason = NVE_REASON_TOO_MANY_REQUESTS;
	if (why->reason == NVE_REASON_OK && d->method == NVE_METHOD_HELLO) {
		why->reason = take_hello(ss, d);
		if (why->reason == NVE_REASON_OK) {
			ss->begun = true;
			push_answer(ss, rq, NULL, NULL);
			return false;
		}
		memcpy(why->field, "hello", sizeof("hello"));
	}
	ss->begun = true;
	if (why->reason == NVE_REASON_OK)
		return true;
	nve_count_refusal(s, why->reason);
	push_answer(ss, rq, NULL, why);
	return false;
}

static void decode(struct session *ss, struct request *rq, grpc_byte_buffer *message,
		   struct nve_refusal *why)
{
	struct nve_session_server *s = ss->st.base.server;
	struct nve_decoded *d = &rq->op.decoded;
	struct nve_bytes m = nve_read_message(message, &rq->op.arena);

	memset(why, 0, sizeof(*why));
	why->tag = -1;
	d->method = NVE_METHOD_NONE;
	if (!m.data) {
		why->reason = NVE_REASON_TOO_LARGE;
		return;
	}
	if (m.len <= s->config.limits.message_bytes) {
		nve_codec_decode_session(m.data, m.len, &s->ports, &rq->op.arena, d, why);
		return;
	}
	nve_codec_decode_session(m.data, 16, &s->ports, &rq->op.arena, d, why); /* for its id */
	memset(why->field, 0, sizeof(why->field));
	why->reason = NVE_REASON_TOO_LARGE;
}

static void message(struct nve_stream *st, grpc_byte_buffer *message)
{
	struct session *ss = session_of(st);
	struct request *rq;
	struct nve_refusal why;
	bool go = false;

	if (!message) {
		ss->half_closed = true;
		nve_stream_pump(st);
		return;
	}
	rq = malloc(sizeof(*rq));
	if (!rq) {
		grpc_call_cancel(st->base.call, NULL);
		return;
	}
	nve_op_init(&rq->op, st->base.server);
	rq->session = ss;
	rq->op.resync = &ss->resync;
	rq->bytes = grpc_byte_buffer_length(message);
	nve_clients_take(&st->base.server->clients, st->base.conn, rq->bytes);
	rq->op.finish = request_finish;
	rq->op.abandon = request_abandon;
	decode(ss, rq, message, &why);
	grpc_byte_buffer_destroy(st->incoming);
	st->incoming = NULL;
	if (why.reason == NVE_REASON_OK && rq->op.decoded.method == NVE_METHOD_EVENT_ACK) {
		ss->begun = true;
		nve_feed_ack(&st->feed, rq->op.decoded.ack_seq);
		nve_evict_acked(st->base.server);
	} else {
		go = admit(ss, rq, &why);
	}
	if (go) {
		memcpy(rq->op.client, ss->client, sizeof(rq->op.client));
		rq->op.identity = ss->visitor.peer.identity;
		st->refs++;
		rq->op.work.cost = nve_op_cost(&rq->op);
		rq->op.work.alone = nve_came_alone(st->base.server) && ss->outstanding == 1 &&
				    rq->op.work.cost <= NVE_FAIR_ALONE_MAX;
		nve_post(st->base.server, &st->source, &rq->op.work);
	} else {
		give_bytes(rq);
		free_request(rq);
		nve_stream_pump(st);
	}
	/* A client with one request outstanding waits for its answer. */
	if (ss->outstanding != 1 || !nve_stream_resume_later(st))
		read_on(ss);
}

static void open_session(struct nve_stream *st)
{
	struct session *ss = session_of(st);
	struct nve_session_server *s = st->base.server;
	struct nve_codec_welcome w = { s->config.nve, s->config.version,
				       s->config.limits.outstanding, s->config.limits.message_bytes,
				       s->last_seq + 1 };
	struct nve_arena arena;
	struct nve_bytes bytes;

	if (!nve_authz_knows(s->config.authz, st->owner)) {
		pthread_mutex_lock(&st->lock);
		nve_stream_finish(st, NVE_REASON_NOT_AUTHORIZED);
		pthread_mutex_unlock(&st->lock);
		nve_count_refusal(s, NVE_REASON_NOT_AUTHORIZED);
		nve_log(INFO, "not_authorized", LOG_S("client", ss->client),
			LOG_S("identity", st->peer.identity), LOG_S("field", "session"));
		return;
	}
	/* Before anything is received: a Hello would be told of first. */
	audit(ss, "session_up");
	nve_log(INFO, "session_up", LOG_S("client", ss->client),
		LOG_S("identity", ss->visitor.peer.identity),
		LOG_U("sessions", atomic_load(&s->sessions)));
	nve_arena_init(&arena);
	pthread_mutex_lock(&st->lock);
	st->feed.on = st->feed.session = st->feed.all_ports = true;
	ss->outstanding = 1; /* the Welcome, until it is sent */
	if (nve_codec_welcome(&w, &arena, &bytes) < 0 || !nve_stream_push(st, bytes))
		grpc_call_cancel(st->base.call, NULL);
	nve_stream_pump(st);
	nve_stream_receive(st);
	pthread_mutex_unlock(&st->lock);
	nve_arena_reset(&arena);
}

static void stop(struct nve_stream *st)
{
	finish_if_done(session_of(st));
	nve_stream_pump(st);
}

static void closed(struct nve_stream *st)
{
	struct session *ss = session_of(st);

	audit(ss, "session_down");
	nve_log(INFO, "session_down", LOG_S("client", ss->client),
		LOG_U("outstanding", ss->outstanding));
}

static void free_session(struct nve_stream *st)
{
	nve_resync_drop(st->base.server, &session_of(st)->resync);
	if (session_of(st)->counted)
		atomic_fetch_sub(&st->base.server->sessions, 1);
}

static const struct nve_stream_ops ops = {
	.open = open_session,
	.message = message,
	.resume = resume,
	.picked = picked,
	.idle = idle,
	.stop = stop,
	.bar = idle,
	.closed = closed,
	.free = free_session,
};

struct nve_call *nve_session_alloc(void)
{
	struct session *ss = calloc(1, sizeof(*ss));

	return ss ? &ss->st.base : NULL;
}

void nve_session_accepted(struct nve_call *call)
{
	struct session *ss = container_of(call, struct session, st.base);
	struct nve_session_server *s = call->server;
	unsigned int n = atomic_fetch_add(&s->sessions, 1);

	ss->counted = true;
	nve_call_client(s, call->call, ss->client);
	nve_call_visitor_of(s, call->call, &ss->visitor);
	if (n >= s->config.limits.sessions) {
		nve_stream_finish(&ss->st, NVE_REASON_NO_RESOURCES);
		ss->st.final.resource = "sessions";
		ss->st.final.used = n;
		ss->st.final.max = s->config.limits.sessions;
	}
	nve_stream_start(&ss->st, &ops);
}
