/* SPDX-License-Identifier: Apache-2.0 */
/* What all calls share: messages, statuses, peers, and the queue to the engine's thread. */
#include <string.h>

#include "session/grpc_internal.h"

struct nve_bytes nve_read_message(grpc_byte_buffer *buffer, struct nve_arena *arena)
{
	static uint8_t empty[1];
	size_t len = grpc_byte_buffer_length(buffer), at = 0;
	struct nve_bytes ret = { empty, len };
	grpc_byte_buffer_reader reader;
	grpc_slice *slice;

	if (len == 0)
		return ret;
	ret.data = NULL;
	if (!grpc_byte_buffer_reader_init(&reader, buffer))
		return ret;
	while (at < len && grpc_byte_buffer_reader_peek(&reader, &slice)) {
		if (GRPC_SLICE_LENGTH(*slice) == len) { /* the usual case: all in one piece */
			ret.data = GRPC_SLICE_START_PTR(*slice);
			break;
		}
		if (!ret.data)
			ret.data = nve_arena_alloc(arena, len);
		if (!ret.data)
			break;
		memcpy(ret.data + at, GRPC_SLICE_START_PTR(*slice), GRPC_SLICE_LENGTH(*slice));
		at += GRPC_SLICE_LENGTH(*slice);
	}
	grpc_byte_buffer_reader_destroy(&reader);
	return ret;
}

grpc_byte_buffer *nve_make_message(struct nve_bytes bytes)
{
	grpc_slice slice = grpc_slice_from_copied_buffer((const char *)bytes.data, bytes.len);
	grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);

	grpc_slice_unref(slice);
	return buffer;
}

grpc_op nve_status_op(struct nve_call *call, const struct nve_refusal *why, struct nve_arena *arena)
{
	grpc_op op = { .op = GRPC_OP_SEND_STATUS_FROM_SERVER };
	const char *message;
	struct nve_bytes details;

	op.data.send_status_from_server.status = (grpc_status_code)nve_codec_grpc_code(why->reason);
	if (why->reason == NVE_REASON_OK)
		return op;
	if (nve_codec_status(why, arena, &details, &message) < 0)
		return op;
	call->trailer.key = grpc_slice_from_static_string("grpc-status-details-bin");
	call->trailer.value =
		grpc_slice_from_copied_buffer((const char *)details.data, details.len);
	call->status_text = grpc_slice_from_copied_string(message);
	op.data.send_status_from_server.trailing_metadata_count = 1;
	op.data.send_status_from_server.trailing_metadata = &call->trailer;
	op.data.send_status_from_server.status_details = &call->status_text;
	return op;
}

void nve_call_clear(struct nve_call *call)
{
	nve_call_leave(call);
	if (call->payload)
		grpc_byte_buffer_destroy(call->payload);
	if (call->call)
		grpc_call_unref(call->call);
	grpc_metadata_array_destroy(&call->metadata);
	grpc_slice_unref(call->trailer.value); /* zero bytes are an empty slice */
	grpc_slice_unref(call->status_text);
	call->payload = NULL;
	call->call = NULL;
}

void nve_count_refusal(struct nve_session_server *s, enum nve_reason reason)
{
	atomic_fetch_add(&s->refused[(size_t)reason % 64], 1);
}

void nve_call_began(struct nve_session_server *s)
{
	pthread_mutex_lock(&s->lock);
	s->live++;
	pthread_mutex_unlock(&s->lock);
}

void nve_call_ended(struct nve_session_server *s)
{
	pthread_mutex_lock(&s->lock);
	s->live--;
	if (s->live == 0 &&
	    atomic_load(&s->stopping)) /* before close() may go on and free the server */
		s->config.wake(s->config.wake_arg);
	pthread_cond_signal(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

void nve_post(struct nve_session_server *s, struct nve_source *source, struct nve_work *work)
{
	bool wake, work_alone = work->alone; /* it may be done and gone once it is in */

	pthread_mutex_lock(&s->lock);
	wake = nve_fair_empty(&s->fair);
	nve_fair_push(&s->fair, source, work);
	pthread_cond_signal(&s->changed);
	pthread_mutex_unlock(&s->lock);
	if (work_alone ? wake && !nve_defers_wake(s) : wake || nve_take_deferred(s))
		s->config.wake(s->config.wake_arg);
}

/* The next pieces of work as a list; NULL if there are none. */
static struct nve_work *take_some(struct nve_session_server *s, unsigned int *cost, bool *more)
{
	enum { AT_A_TIME = 32 }; /* under one lock */
	struct nve_work *head = NULL, **tail = &head, *work;

	pthread_mutex_lock(&s->lock);
	for (int i = 0; i < AT_A_TIME && (work = nve_fair_take(&s->fair)); i++) {
		*cost += work->cost > 0 ? work->cost : 1;
		work->next = NULL;
		*tail = work;
		tail = &work->next;
	}
	*more = !nve_fair_empty(&s->fair);
	pthread_mutex_unlock(&s->lock);
	return head;
}

/*
 * What is taken here is the engine's, which keeps its order: so the less is taken at a time, the
 * sooner it is another's turn.  And the more, the fewer commits.
 */
void nve_session_drain(struct nve_session_server *s)
{
	enum { TURN_MAX = 512 }; /* then the engine runs, and the wake-up comes again */
	unsigned int cost = 0;
	bool more = true;

	while (more && cost < TURN_MAX) {
		struct nve_work *next;

		for (struct nve_work *work = take_some(s, &cost, &more); work; work = next) {
			next = work->next; /* run() may free it */
			work->run(work);
		}
	}
	nve_evict_poll(s);
	if (more)
		s->config.wake(s->config.wake_arg);
}
