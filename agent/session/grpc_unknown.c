/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of methods that nobody registered: without an armed wait they would hang for ever. */
#include <stdlib.h>

#include "session/grpc_internal.h"
#include "session/grpc_tag.h"

struct unknown {
	struct nve_call base;
	struct nve_completion done_tag;
	grpc_call_details details;
	int cancelled;
};

static void release(struct unknown *u)
{
	grpc_call_details_destroy(&u->details);
	nve_call_clear(&u->base);
	free(u);
}

static void replied(struct nve_completion *tag, bool ok)
{
	struct unknown *u = container_of(tag, struct unknown, done_tag);
	struct nve_session_server *s = u->base.server;

	(void)ok;
	release(u);
	nve_call_ended(s);
}

static void accepted(struct nve_completion *tag, bool ok)
{
	struct unknown *u = container_of(tag, struct unknown, base.accept);
	struct nve_refusal why = { .reason = NVE_REASON_UNKNOWN_METHOD, .tag = -1 };
	grpc_op ops[3] = { { .op = GRPC_OP_SEND_INITIAL_METADATA },
			   { 0 },
			   { .op = GRPC_OP_RECV_CLOSE_ON_SERVER } };
	struct nve_session_server *s = u->base.server;
	struct nve_arena arena;

	if (!ok) {
		release(u);
		return;
	}
	nve_unknown_arm(s);
	nve_call_began(s);
	nve_count_refusal(s, why.reason);
	nve_arena_init(&arena);
	ops[1] = nve_status_op(&u->base, &why, &arena);
	ops[2].data.recv_close_on_server.cancelled = &u->cancelled;
	u->done_tag.done = replied;
	if (nve_start_batch(u->base.call, ops, 3, &u->done_tag) != GRPC_CALL_OK)
		replied(&u->done_tag, false);
	nve_arena_reset(&arena);
}

void nve_unknown_arm(struct nve_session_server *s)
{
	struct unknown *u = calloc(1, sizeof(*u));

	if (!u)
		return;
	u->base.server = s;
	u->base.accept.done = accepted;
	grpc_call_details_init(&u->details);
	nve_tag_given(&u->base.accept);
	if (grpc_server_request_call(s->server, &u->base.call, &u->details, &u->base.metadata,
				     s->cq, s->cq, &u->base.accept) != GRPC_CALL_OK)
		release(u);
}
