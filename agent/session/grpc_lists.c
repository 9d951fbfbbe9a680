/* SPDX-License-Identifier: Apache-2.0 */
/* Admin's streams: lists, piece by piece as the client reads them; dumps; Watch. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "session/grpc_stream.h"
#include "session/grpc_tag.h"

enum { DUMPS_MAX = 4 }; /* each holds a whole table until it is read */

struct list {
	struct nve_stream st;
	struct nve_admin_query query;
	bool stepping;
	bool counted, dumping;
};

static struct list *list_of(struct nve_stream *st)
{
	return container_of(st, struct list, st);
}

/* With the lock. */
static void end(struct list *l, const struct nve_refusal *why)
{
	if (l->st.finish)
		return;
	nve_stream_finish(&l->st, why->reason);
	l->st.final = *why;
}

static void end_for(struct list *l, enum nve_reason reason)
{
	end(l, &(struct nve_refusal){ .reason = reason, .tag = -1 });
}

/* Engine's thread: reads the next piece. */
static void step(struct nve_stream *st)
{
	struct list *l = list_of(st);
	struct nve_arena arena;
	struct nve_refusal why;
	struct nve_bytes piece;
	int r;

	nve_arena_init(&arena);
	r = l->query.call == NVE_ADMIN_DIFF
		    ? nve_admin_diff(&st->base.server->env, &l->query, &arena, &piece, &why)
		    : nve_admin_next(&st->base.server->env, &l->query, &arena, &piece, &why);
	pthread_mutex_lock(&st->lock);
	if (r > 0)
		nve_stream_push(st, piece);
	else if (r == 0)
		end_for(l, NVE_REASON_OK);
	else if (r == -EBADMSG)
		end(l, &why);
	else
		end_for(l, NVE_REASON_INTERNAL);
	l->stepping = false;
	nve_stream_pump(st);
	pthread_mutex_unlock(&st->lock);
	nve_arena_reset(&arena);
}

static void run_step(struct nve_work *work)
{
	struct nve_stream *st = container_of(work, struct nve_stream, step_work);

	step(st);
	nve_stream_unref(st);
}

static void list_idle(struct nve_stream *st)
{
	struct list *l = list_of(st);

	if (l->stepping)
		return;
	l->stepping = true;
	st->refs++;
	st->step_work.run = run_step;
	nve_post(st->base.server, &st->source, &st->step_work);
}

static bool emit(void *arg, struct nve_bytes piece)
{
	return nve_stream_push(arg, piece);
}

static void dump(struct nve_stream *st)
{
	struct list *l = list_of(st);
	int r;

	pthread_mutex_lock(&st->lock);
	r = nve_admin_dump(&st->base.server->env, l->query.table, emit, st);
	if (r == -ENOENT)
		end(l, &(struct nve_refusal){
			       .reason = NVE_REASON_INVALID_REQUEST, .field = "table", .tag = -1 });
	else
		end_for(l, r < 0 ? NVE_REASON_INTERNAL : NVE_REASON_OK);
	pthread_mutex_unlock(&st->lock);
}

static void watch(struct nve_stream *st)
{
	struct list *l = list_of(st);
	uint16_t port = l->query.port;
	grpc_op op = { .op = GRPC_OP_SEND_INITIAL_METADATA };

	pthread_mutex_lock(&st->lock);
	st->feed.all_ports = port == NVE_PORT_NONE;
	if (!st->feed.all_ports)
		st->feed.ports[port / 64] |= UINT64_C(1) << (port % 64);
	st->feed.on = true;
	/* At once, so that the client knows from when on it sees every event. */
	st->refs++;
	if (nve_start_batch(st->base.call, &op, 1, &st->status_tag) == GRPC_CALL_OK)
		st->initial_sent = true;
	else
		st->refs--;
	pthread_mutex_unlock(&st->lock);
}

static void open_list(struct nve_stream *st)
{
	struct list *l = list_of(st);
	struct nve_refusal why;

	l->query.owner = st->owner;
	if (!nve_admin_allowed(&st->base.server->env, &l->query, &why)) {
		nve_count_refusal(st->base.server, why.reason);
		pthread_mutex_lock(&st->lock);
		end(l, &why);
		pthread_mutex_unlock(&st->lock);
		return;
	}

	if (l->query.call == NVE_ADMIN_WATCH)
		watch(st);
	else if (l->query.call == NVE_ADMIN_DUMP)
		dump(st);
	else
		step(st);
}

static void idle(struct nve_stream *st)
{
	if (!st->feed.on)
		list_idle(st);
}

static void stop(struct nve_stream *st)
{
	end_for(list_of(st), NVE_REASON_SHUTTING_DOWN);
	nve_stream_pump(st);
}

static void free_list(struct nve_stream *st)
{
	struct list *l = list_of(st);

	if (l->counted)
		atomic_fetch_sub(&st->base.server->sessions, 1);
	if (l->dumping)
		atomic_fetch_sub(&st->base.server->dumps, 1);
}

static const struct nve_stream_ops ops = {
	.open = open_list,
	.idle = idle,
	.stop = stop,
	.free = free_list,
};

struct nve_call *nve_list_alloc(void)
{
	struct list *l = calloc(1, sizeof(*l));

	return l ? &l->st.base : NULL;
}

/* Why this one cannot be served now, as far as its number goes. */
static void check_share(struct list *l)
{
	struct nve_session_server *s = l->st.base.server;

	if (l->query.call == NVE_ADMIN_WATCH) {
		l->counted = true;
		if (atomic_fetch_add(&s->sessions, 1) >= s->config.limits.sessions)
			end_for(l, NVE_REASON_TOO_MANY_REQUESTS);
	}
	if (l->query.call == NVE_ADMIN_DUMP) {
		l->dumping = true;
		if (atomic_fetch_add(&s->dumps, 1) >= DUMPS_MAX)
			end_for(l, NVE_REASON_TOO_MANY_REQUESTS);
	}
}

void nve_list_accepted(struct nve_call *call)
{
	struct list *l = container_of(call, struct list, st.base);
	struct nve_session_server *s = call->server;
	struct nve_arena arena;
	struct nve_refusal why;
	struct nve_bytes m = { 0 };

	nve_arena_init(&arena);
	if (call->payload)
		m = nve_read_message(call->payload, &arena);
	if (!m.data)
		end_for(l, NVE_REASON_INVALID_REQUEST);
	else if (m.len > s->config.limits.message_bytes)
		end_for(l, NVE_REASON_TOO_LARGE);
	else if (nve_admin_decode((enum nve_admin_call)call->method->arg, m.data, m.len,
				  &s->all_ports, &arena, &l->query, &why) < 0)
		end(l, &why);
	else
		check_share(l);
	nve_arena_reset(&arena);
	nve_stream_start(&l->st, &ops);
}
