/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all streams have in common: one receive, one send at a time, a status at the end.
 *
 * Whoever may still touch a stream holds a reference: each batch under way, each piece of posted
 * work, each request in the engine, and the engine's list of open streams.
 */
#include <stdlib.h>
#include <string.h>

#include "session/grpc_stream.h"
#include "session/grpc_tag.h"

enum { GATHER_MAX = 16384 }; /* bytes of messages; a quarter of the HTTP/2 window */

static void ref(struct nve_stream *st)
{
	st->refs++;
}

static void give_answer_bytes(struct nve_stream *st, size_t bytes)
{
	if (bytes > 0)
		nve_clients_give(&st->base.server->clients, st->base.conn, bytes);
	st->answer_bytes -= bytes;
}

static void destroy(struct nve_stream *st)
{
	struct nve_session_server *s = st->base.server;

	if (st->ops->free)
		st->ops->free(st);
	give_answer_bytes(st, st->answer_bytes);
	nve_ring_clear(&st->answers);
	nve_feed_clear(&st->feed);
	if (st->incoming)
		grpc_byte_buffer_destroy(st->incoming);
	if (st->outgoing)
		grpc_byte_buffer_destroy(st->outgoing);
	nve_call_clear(&st->base);
	pthread_mutex_destroy(&st->lock);
	free(st);
	nve_call_ended(s);
}

void nve_stream_unref(struct nve_stream *st)
{
	unsigned int left;

	pthread_mutex_lock(&st->lock);
	left = --st->refs;
	pthread_mutex_unlock(&st->lock);
	if (left == 0)
		destroy(st);
}

/* Starts a batch, which holds a reference.  One that gRPC does not take means a broken call. */
static bool start(struct nve_stream *st, const grpc_op *ops, size_t n, struct nve_completion *tag)
{
	ref(st);
	if (nve_start_batch(st->base.call, ops, n, tag) == GRPC_CALL_OK)
		return true;
	st->refs--; /* never the last: the caller has one */
	grpc_call_cancel(st->base.call, NULL);
	return false;
}

void nve_stream_receive(struct nve_stream *st)
{
	grpc_op op = { .op = GRPC_OP_RECV_MESSAGE };

	if (st->receiving || st->dead || st->status_sent)
		return;
	op.data.recv_message.recv_message = &st->incoming;
	st->receiving = start(st, &op, 1, &st->recv_tag);
}

bool nve_stream_push(struct nve_stream *st, struct nve_bytes bytes)
{
	struct nve_msg msg = { .slice = grpc_slice_from_copied_buffer((const char *)bytes.data,
								      bytes.len) };

	if (!st->dead && !st->status_sent && nve_ring_push(&st->answers, UINT32_MAX, msg)) {
		st->answer_bytes += bytes.len;
		nve_clients_take(&st->base.server->clients, st->base.conn, bytes.len);
		return true;
	}
	grpc_slice_unref(msg.slice);
	grpc_call_cancel(st->base.call, NULL);
	return false;
}

void nve_stream_finish(struct nve_stream *st, enum nve_reason reason)
{
	if (st->finish)
		return;
	memset(&st->final, 0, sizeof(st->final));
	st->final.reason = reason;
	st->final.tag = -1;
	st->finish = true;
}

static bool next_message(struct nve_stream *st, struct nve_msg *msg)
{
	bool event = st->answers.n == 0 || st->event_turn;

	if (event && !st->finish && nve_feed_next(&st->feed, msg)) {
		st->event_turn = false;
		return true;
	}
	if (!nve_ring_pop(&st->answers, msg))
		return false;
	give_answer_bytes(st, GRPC_SLICE_LENGTH(msg->slice));
	st->event_turn = true;
	if (st->ops->picked)
		st->ops->picked(st);
	return true;
}

/*
 * Another message is ready to follow: gRPC may gather them.  The last of a row goes without the
 * hint, and takes all before it along.  So does one now and then: where gathered messages fill the
 * HTTP/2 window, client and server wait for one another until a timer of gRPC's, for seconds.
 */
static uint32_t send_flags(struct nve_stream *st, size_t len)
{
	bool more = st->answers.n > 0 || (!st->finish && nve_feed_ready(&st->feed));

	st->gathered += len;
	if (more && st->gathered < GATHER_MAX)
		return GRPC_WRITE_BUFFER_HINT;
	st->gathered = 0;
	return 0;
}

static void send(struct nve_stream *st, grpc_slice slice)
{
	grpc_op ops[2] = { { .op = GRPC_OP_SEND_INITIAL_METADATA },
			   { .op = GRPC_OP_SEND_MESSAGE } };

	st->outgoing = grpc_raw_byte_buffer_create(&slice, 1);
	ops[1].flags = send_flags(st, GRPC_SLICE_LENGTH(slice));
	grpc_slice_unref(slice);
	ops[1].data.send_message.send_message = st->outgoing;
	st->sending = st->initial_sent ? start(st, ops + 1, 1, &st->send_tag)
				       : start(st, ops, 2, &st->send_tag);
	st->initial_sent = true;
	if (!st->sending) {
		grpc_byte_buffer_destroy(st->outgoing);
		st->outgoing = NULL;
	}
}

static void send_status(struct nve_stream *st)
{
	grpc_op ops[2] = { { .op = GRPC_OP_SEND_INITIAL_METADATA } };
	struct nve_arena arena;

	nve_arena_init(&arena);
	st->status_sent = true;
	ops[1] = nve_status_op(&st->base, &st->final, &arena);
	if (st->initial_sent)
		start(st, ops + 1, 1, &st->status_tag);
	else
		start(st, ops, 2, &st->status_tag);
	st->initial_sent = true;
	nve_arena_reset(&arena);
}

void nve_stream_pump(struct nve_stream *st)
{
	struct nve_msg msg;

	if (st->sending || st->dead || st->status_sent)
		return;
	if (next_message(st, &msg)) {
		send(st, msg.slice);
		return;
	}
	if (!st->finish && st->ops->idle)
		st->ops->idle(st);
	if (next_message(st, &msg))
		send(st, msg.slice);
	else if (st->finish)
		send_status(st);
}

static void sent(struct nve_completion *tag, bool ok)
{
	struct nve_stream *st = container_of(tag, struct nve_stream, send_tag);

	pthread_mutex_lock(&st->lock);
	grpc_byte_buffer_destroy(st->outgoing);
	st->outgoing = NULL;
	st->sending = false;
	if (ok)
		nve_stream_pump(st);
	pthread_mutex_unlock(&st->lock);
	nve_stream_unref(st);
}

static void received(struct nve_completion *tag, bool ok)
{
	struct nve_stream *st = container_of(tag, struct nve_stream, recv_tag);
	grpc_byte_buffer *message;

	pthread_mutex_lock(&st->lock);
	message = ok ? st->incoming : NULL;
	st->receiving = false;
	if (!st->dead && !st->status_sent)
		st->ops->message(st, message);
	if (st->incoming && !st->receiving) {
		grpc_byte_buffer_destroy(st->incoming);
		st->incoming = NULL;
	}
	pthread_mutex_unlock(&st->lock);
	nve_stream_unref(st);
}

static void status_sent(struct nve_completion *tag, bool ok)
{
	(void)ok;
	nve_stream_unref(container_of(tag, struct nve_stream, status_tag));
}

/* The call is over, by our status or because the client or its connection went away. */
static void over(struct nve_completion *tag, bool ok)
{
	struct nve_stream *st = container_of(tag, struct nve_stream, close_tag);

	(void)ok;
	pthread_mutex_lock(&st->lock);
	st->dead = true;
	give_answer_bytes(st, st->answer_bytes);
	nve_ring_clear(&st->answers);
	nve_feed_clear(&st->feed);
	pthread_mutex_unlock(&st->lock);
	nve_post(st->base.server, &st->source, &st->close_work); /* with this batch's reference */
}

static void run_close(struct nve_work *work)
{
	struct nve_stream *st = container_of(work, struct nve_stream, close_work);
	struct nve_session_server *s = st->base.server;

	if (st->listed) {
		if (st->prev)
			st->prev->next = st->next;
		else
			s->streams = st->next;
		if (st->next)
			st->next->prev = st->prev;
		st->listed = false;
		if (st->ops->closed)
			st->ops->closed(st);
		if (!s->streams && atomic_load(&s->stopping))
			nve_begin_shutdown(s);
		nve_stream_unref(st);
	}
	nve_stream_unref(st);
}

static void run_open(struct nve_work *work)
{
	struct nve_stream *st = container_of(work, struct nve_stream, open_work);
	struct nve_session_server *s = st->base.server;
	grpc_op op = { .op = GRPC_OP_RECV_CLOSE_ON_SERVER };

	op.data.recv_close_on_server.cancelled = &st->cancelled;
	pthread_mutex_lock(&st->lock);
	if (!start(st, &op, 1, &st->close_tag)) {
		pthread_mutex_unlock(&st->lock);
		nve_stream_unref(st);
		return;
	}
	if (atomic_load(&s->stopping))
		nve_stream_finish(st, NVE_REASON_SHUTTING_DOWN);
	else if (nve_call_barred(s, st->base.call))
		nve_stream_finish(st, NVE_REASON_NOT_AUTHORIZED);
	pthread_mutex_unlock(&st->lock);
	/* The list has the reference of the work. */
	st->listed = true;
	st->next = s->streams;
	if (st->next)
		st->next->prev = st;
	s->streams = st;
	st->owner = nve_authz_owner(s->config.authz, st->peer.identity);
	if (!st->finish)
		st->ops->open(st);
	pthread_mutex_lock(&st->lock);
	nve_stream_pump(st);
	pthread_mutex_unlock(&st->lock);
}

void nve_stream_bar(struct nve_stream *st)
{
	pthread_mutex_lock(&st->lock);
	st->barred = true;
	if (st->ops->bar)
		st->ops->bar(st);
	else
		nve_stream_finish(st, NVE_REASON_NOT_AUTHORIZED);
	nve_stream_pump(st);
	pthread_mutex_unlock(&st->lock);
}

void nve_stream_start(struct nve_stream *st, const struct nve_stream_ops *ops)
{
	struct nve_refusal why;

	st->ops = ops;
	st->recv_tag.done = received;
	st->send_tag.done = sent;
	st->close_tag.done = over;
	st->status_tag.done = status_sent;
	st->open_work.run = run_open;
	st->close_work.run = run_close;
	st->refs = 1;
	pthread_mutex_init(&st->lock, NULL);
	if (!nve_call_enter(&st->base, NVE_USE_STREAM, &why)) {
		nve_stream_finish(st, why.reason);
		st->final = why;
	} else {
		st->source.flow = &st->base.conn->client->flow;
	}
	nve_call_peer_of(st->base.server, st->base.call, &st->peer);
	nve_post(st->base.server, &st->source, &st->open_work);
}

void nve_stream_unused(struct nve_call *call)
{
	nve_call_clear(call);
	free(container_of(call, struct nve_stream, base));
}
