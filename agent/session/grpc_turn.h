/* SPDX-License-Identifier: Apache-2.0 */
/* Part of grpc_internal.h: the thread of the completion queue, and the turns that it takes itself.
 */
#pragma once

#include <stdbool.h>

struct nve_session_server;
struct nve_stream;

struct nve_turn {
	bool due;                /* something was posted, and nobody woken yet */
	bool ran_dry;            /* the thread has waited for what it does now */
	struct nve_stream *late; /* to receive again, once what was posted is done */
};

/* The thread, to the queue's end.  'arg' is the server. */
void *nve_serve(void *arg);
/* These on that thread alone; on others all are false. */
/* Nothing else was to be done before this. */
bool nve_came_alone(struct nve_session_server *s);
/* True: nobody need be woken, the thread sees itself to what was posted. */
bool nve_defers_wake(struct nve_session_server *s);
/* True if it was to, and now somebody must be woken. */
bool nve_take_deferred(struct nve_session_server *s);
