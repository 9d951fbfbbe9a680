/* SPDX-License-Identifier: Apache-2.0 */
/* The standard streams: Health.Watch and ServerReflection. */
#include <errno.h>
#include <stdlib.h>

#include "session/grpc_stream.h"
#include "session/standard.h"

struct health {
	struct nve_stream st;
	bool known; /* a service of ours: its status can change */
	int status; /* as last told */
};

static void push_health(struct nve_stream *st, int status)
{
	struct nve_arena arena;
	struct nve_bytes bytes;

	nve_arena_init(&arena);
	if (nve_health_reply(status, &arena, &bytes) == 0)
		nve_stream_push(st, bytes);
	nve_arena_reset(&arena);
}

static void health_open(struct nve_stream *st)
{
	struct health *h = container_of(st, struct health, st);

	pthread_mutex_lock(&st->lock);
	if (h->known && !nve_is_serving(st->base.server))
		h->status = NVE_HEALTH_NOT_SERVING;
	push_health(st, h->status);
	pthread_mutex_unlock(&st->lock);
}

static void health_stop(struct nve_stream *st)
{
	if (st->finish)
		return;
	if (container_of(st, struct health, st)->status == NVE_HEALTH_SERVING)
		push_health(st, NVE_HEALTH_NOT_SERVING);
	nve_stream_finish(st, NVE_REASON_SHUTTING_DOWN);
	nve_stream_pump(st);
}

static const struct nve_stream_ops health_ops = { .open = health_open, .stop = health_stop };

void nve_health_changed(struct nve_session_server *s)
{
	int status = nve_is_serving(s) ? NVE_HEALTH_SERVING : NVE_HEALTH_NOT_SERVING;

	for (struct nve_stream *st = s->streams; st; st = st->next) {
		struct health *h = container_of(st, struct health, st);

		if (st->ops != &health_ops || !h->known || h->status == status)
			continue;
		pthread_mutex_lock(&st->lock);
		h->status = status;
		push_health(st, status);
		nve_stream_pump(st);
		pthread_mutex_unlock(&st->lock);
	}
}

struct nve_call *nve_health_watch_alloc(void)
{
	struct health *h = calloc(1, sizeof(*h));

	return h ? &h->st.base : NULL;
}

void nve_health_watch_accepted(struct nve_call *call)
{
	struct health *h = container_of(call, struct health, st.base);
	struct nve_arena arena;
	struct nve_bytes m = { 0 };

	nve_arena_init(&arena);
	if (call->payload)
		m = nve_read_message(call->payload, &arena);
	h->status = m.data ? nve_health_status(m.data, m.len, true, &arena) : -EBADMSG;
	h->known = h->status == NVE_HEALTH_SERVING;
	if (h->status == -EBADMSG)
		nve_stream_finish(&h->st, NVE_REASON_INVALID_REQUEST);
	nve_arena_reset(&arena);
	nve_stream_start(&h->st, &health_ops);
}

static void reflection_open(struct nve_stream *st)
{
	pthread_mutex_lock(&st->lock);
	nve_stream_receive(st);
	pthread_mutex_unlock(&st->lock);
}

/* One question at a time: the next is read when the answer has gone. */
static void reflection_message(struct nve_stream *st, grpc_byte_buffer *message)
{
	struct nve_arena arena;
	struct nve_bytes m, out;
	int r = -EBADMSG;

	if (!message) {
		nve_stream_finish(st, NVE_REASON_OK);
		nve_stream_pump(st);
		return;
	}
	nve_arena_init(&arena);
	m = nve_read_message(message, &arena);
	if (m.data)
		r = nve_reflection_reply(m.data, m.len, &arena, &out);
	grpc_byte_buffer_destroy(st->incoming);
	st->incoming = NULL;
	if (r == 0)
		nve_stream_push(st, out);
	else
		nve_stream_finish(st, NVE_REASON_INVALID_REQUEST);
	nve_arena_reset(&arena);
	nve_stream_pump(st);
}

static void reflection_idle(struct nve_stream *st)
{
	nve_stream_receive(st);
}

static void finish_and_pump(struct nve_stream *st)
{
	nve_stream_finish(st, NVE_REASON_SHUTTING_DOWN);
	nve_stream_pump(st);
}

static const struct nve_stream_ops reflection_ops = {
	.open = reflection_open,
	.message = reflection_message,
	.idle = reflection_idle,
	.stop = finish_and_pump,
};

struct nve_call *nve_reflection_alloc(void)
{
	struct nve_stream *st = calloc(1, sizeof(*st));

	return st ? &st->base : NULL;
}

void nve_reflection_accepted(struct nve_call *call)
{
	nve_stream_start(container_of(call, struct nve_stream, base), &reflection_ops);
}
