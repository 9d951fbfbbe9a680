/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread of gRPC's completion queue, and how what it posts gets done.
 *
 * A request that comes alone, after nothing else was there to be done, is done by this thread, if
 * the engine's turns are short and nobody is at one (config.turn): the way to another thread takes
 * longer than the request.  Where more comes in, the engine's thread is woken, and two threads
 * share the work.
 */
#include "session/grpc_stream.h"
#include "session/grpc_tag.h"

enum { AT_A_TIME = 16 }; /* completions before somebody is woken for what they posted */

static _Thread_local struct nve_session_server *serving;

bool nve_defers_wake(struct nve_session_server *s)
{
	if (serving != s || !s->config.turn)
		return false;
	s->turn.due = true;
	return true;
}

bool nve_take_deferred(struct nve_session_server *s)
{
	bool due = serving == s && s->turn.due;

	if (due)
		s->turn.due = false;
	return due;
}

/*
 * gRPC tells the client at once that there is room for one more message, and so wakes it for
 * nothing: rather after the answer.
 */
bool nve_stream_resume_later(struct nve_stream *st)
{
	struct nve_session_server *s = st->base.server;

	if (serving != s || !s->turn.due || s->turn.late)
		return false;
	st->refs++;
	s->turn.late = st;
	return true;
}

static void resume(struct nve_session_server *s)
{
	struct nve_stream *st = s->turn.late;

	s->turn.late = NULL;
	if (!st)
		return;
	pthread_mutex_lock(&st->lock);
	st->ops->resume(st);
	pthread_mutex_unlock(&st->lock);
	nve_stream_unref(st);
}

static void see_to_it(struct nve_session_server *s, bool here)
{
	s->turn.due = false;
	if (!here || !s->config.turn(s->config.wake_arg))
		s->config.wake(s->config.wake_arg);
}

bool nve_came_alone(struct nve_session_server *s)
{
	return serving == s && s->turn.ran_dry;
}

/* What is there already is taken first, so that it is known what had to be waited for. */
static grpc_event next_event(struct nve_session_server *s)
{
	grpc_event ev = nve_next_tag(s->cq, false);

	s->turn.ran_dry = ev.type == GRPC_QUEUE_TIMEOUT && !s->turn.due;
	return s->turn.ran_dry ? nve_next_tag(s->cq, true) : ev;
}

void *nve_serve(void *arg)
{
	struct nve_session_server *s = arg;
	grpc_event ev;
	int n = 0;

	serving = s;
	do {
		struct nve_completion *tag;

		ev = next_event(s);
		tag = ev.tag;
		if (ev.type == GRPC_OP_COMPLETE)
			tag->done(tag, ev.success);
		n = s->turn.due ? n + 1 : 0;
		if (s->turn.due && (n >= AT_A_TIME || ev.type != GRPC_OP_COMPLETE))
			see_to_it(s, ev.type == GRPC_QUEUE_TIMEOUT);
		if (!s->turn.due)
			resume(s);
	} while (ev.type != GRPC_QUEUE_SHUTDOWN);
	serving = NULL;
	return NULL;
}
