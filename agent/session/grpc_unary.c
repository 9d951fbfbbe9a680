/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unary calls.  The first message comes with the call, the reply is one batch of four operations,
 * and the memory of the call, its request and its reply is one block.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "session/grpc_tag.h"
#include "session/grpc_unary.h"
#include "session/standard.h"

enum { UNARY_MAX = 4096 };

struct nve_call *nve_unary_alloc(void)
{
	struct nve_unary *u = calloc(1, offsetof(struct nve_unary, op) + sizeof(u->op));

	return u ? &u->base : NULL;
}

void nve_unary_unused(struct nve_call *call)
{
	nve_call_clear(call);
	free(container_of(call, struct nve_unary, base));
}

static void release(struct nve_unary *u)
{
	struct nve_session_server *s = u->base.server;

	if (u->reply)
		grpc_byte_buffer_destroy(u->reply);
	nve_arena_reset(&u->op.arena);
	nve_call_clear(&u->base);
	atomic_fetch_sub(&s->unary, 1);
	free(u);
	nve_call_ended(s);
}

static void replied(struct nve_completion *tag, bool ok)
{
	(void)ok; /* a client that has gone is no concern of ours */
	release(container_of(tag, struct nve_unary, done_tag));
}

static void start(struct nve_unary *u, const grpc_op *ops, size_t n)
{
	u->done_tag.done = replied;
	if (nve_start_batch(u->base.call, ops, n, &u->done_tag) == GRPC_CALL_OK)
		return;
	grpc_call_cancel(u->base.call, NULL);
	release(u);
}

void nve_unary_reply(struct nve_unary *u, struct nve_bytes bytes)
{
	grpc_op ops[4] = { { .op = GRPC_OP_SEND_INITIAL_METADATA },
			   { .op = GRPC_OP_SEND_MESSAGE },
			   { .op = GRPC_OP_SEND_STATUS_FROM_SERVER },
			   { .op = GRPC_OP_RECV_CLOSE_ON_SERVER } };

	u->reply = nve_make_message(bytes);
	ops[1].data.send_message.send_message = u->reply;
	ops[2].data.send_status_from_server.status = GRPC_STATUS_OK;
	ops[3].data.recv_close_on_server.cancelled = &u->cancelled;
	start(u, ops, 4);
}

void nve_unary_refuse(struct nve_unary *u, const struct nve_refusal *why)
{
	grpc_op ops[3] = { { .op = GRPC_OP_SEND_INITIAL_METADATA },
			   { 0 },
			   { .op = GRPC_OP_RECV_CLOSE_ON_SERVER } };

	ops[1] = nve_status_op(&u->base, why, &u->op.arena);
	ops[2].data.recv_close_on_server.cancelled = &u->cancelled;
	start(u, ops, 3);
}

void nve_unary_refuse_for(struct nve_unary *u, enum nve_reason reason)
{
	struct nve_refusal why = { .reason = reason, .tag = -1 };

	nve_unary_refuse(u, &why);
}

/* One more than its client, or all of them, may have. */
static void refuse_more(struct nve_unary *u, const struct nve_refusal *why)
{
	struct nve_refusal more = *why;

	more.reason = NVE_REASON_TOO_MANY_REQUESTS;
	more.tag = -1;
	nve_count_refusal(u->base.server, more.reason);
	nve_unary_refuse(u, &more);
}

/* Takes the message; false if the call was answered already. */
static bool take(struct nve_unary *u, struct nve_bytes *message)
{
	struct nve_session_server *s = u->base.server;
	enum nve_reason reason = NVE_REASON_OK;
	struct nve_refusal why;

	nve_op_init(&u->op, s);
	if (atomic_fetch_add(&s->unary, 1) >= UNARY_MAX) {
		refuse_more(u, &(struct nve_refusal){
				       .resource = "calls", .used = UNARY_MAX, .max = UNARY_MAX });
		return false;
	}
	if (!nve_call_enter(&u->base, NVE_USE_CALL, &why)) {
		refuse_more(u, &why);
		return false;
	}
	if (nve_call_barred(s, u->base.call))
		reason = NVE_REASON_NOT_AUTHORIZED;
	else if (!u->base.payload) /* none, or one that gRPC itself found too large */
		reason = grpc_call_failed_before_recv_message(u->base.call)
				 ? NVE_REASON_TOO_LARGE
				 : NVE_REASON_INVALID_REQUEST;
	else if (grpc_byte_buffer_length(u->base.payload) > s->config.limits.message_bytes)
		reason = NVE_REASON_TOO_LARGE;
	if (reason == NVE_REASON_OK) {
		nve_call_take(&u->base, grpc_byte_buffer_length(u->base.payload));
		*message = nve_read_message(u->base.payload, &u->op.arena);
		if (!message->data)
			reason = NVE_REASON_TOO_LARGE;
	}
	if (reason == NVE_REASON_OK)
		return true;
	nve_count_refusal(s, reason);
	nve_unary_refuse_for(u, reason);
	return false;
}

/* Signaling ----------------------------------------------------------------------------------- */

static void signaling_finish(struct nve_op *op)
{
	struct nve_unary *u = container_of(op, struct nve_unary, op);
	struct nve_refusal why;
	struct nve_codec_vn vn;
	struct nve_bytes bytes;
	int r;

	if (!op->server) { /* abandoned */
		nve_arena_reset(&op->arena);
		free(u);
		return;
	}
	vn = nve_op_vn(op);
	r = nve_codec_reply(&op->decoded, &vn, &op->arena, &bytes, &why);
	if (r == 0)
		nve_unary_reply(u, bytes);
	else if (r == -EREMOTE)
		nve_unary_refuse(u, &why);
	else
		nve_unary_refuse_for(u, NVE_REASON_INTERNAL);
}

void nve_unary_abandon(struct nve_op *op)
{
	struct nve_unary *u = container_of(op, struct nve_unary, op);
	struct nve_session_server *s = op->server;

	nve_call_clear(&u->base);
	atomic_fetch_sub(&s->unary, 1);
	op->server = NULL;
	nve_call_ended(s);
}

void nve_signaling_accepted(struct nve_call *call)
{
	struct nve_unary *u = container_of(call, struct nve_unary, base);
	struct nve_session_server *s = call->server;
	struct nve_refusal why;
	struct nve_bytes m;

	if (!take(u, &m))
		return;
	if (atomic_load(&s->stopping)) {
		nve_unary_refuse_for(u, NVE_REASON_SHUTTING_DOWN);
		return;
	}
	if (nve_codec_decode((enum nve_method)call->method->arg, m.data, m.len, &s->ports,
			     &u->op.arena, &u->op.decoded, &why) < 0) {
		nve_count_refusal(s, why.reason);
		nve_unary_refuse(u, &why);
		return;
	}
	if (call->method->arg == NVE_METHOD_RESYNC &&
	    (!u->op.decoded.n_ports || !u->op.decoded.done)) { /* nothing would be kept of it */
		nve_unary_refuse_for(u, NVE_REASON_INVALID_REQUEST);
		return;
	}
	u->op.resync = &u->op.own_resync;
	nve_call_client(s, call->call, u->op.client);
	nve_call_peer_of(s, call->call, &u->peer);
	u->op.identity = u->peer.identity;
	u->op.finish = signaling_finish;
	u->op.abandon = nve_unary_abandon;
	u->op.work.cost = nve_op_cost(&u->op);
	u->op.work.alone = nve_came_alone(s) && atomic_load(&s->unary) == 1 &&
			   u->op.work.cost <= NVE_FAIR_ALONE_MAX;
	nve_post(s, &call->conn->source, &u->op.work);
}

/* Admin --------------------------------------------------------------------------------------- */

static void run_admin(struct nve_work *work)
{
	struct nve_unary *u = container_of(work, struct nve_unary, admin_work);
	struct nve_session_server *s = u->base.server;
	unsigned long long refused[64];
	struct nve_admin_env env = s->env;
	struct nve_door_counters door;
	struct nve_refusal why;
	struct nve_bytes bytes;
	int r;

	u->query.owner = nve_authz_owner(s->config.authz, u->peer.identity);
	if (!nve_admin_allowed(&env, &u->query, &why)) {
		nve_count_refusal(s, why.reason);
		nve_unary_refuse(u, &why);
		return;
	}
	if (nve_operates(u->query.call)) {
		nve_operate(u);
		return;
	}
	for (int i = 0; i < 64; i++)
		refused[i] = atomic_load(&s->refused[i]);
	env.refused = refused;
	env.sessions = atomic_load(&s->sessions);
	env.door = nve_door_count(s->door, &door) ? &door : NULL;
	if (u->query.call == NVE_ADMIN_WHY)
		r = nve_admin_why(&env, &u->query, &u->op.arena, &bytes, &why);
	else if (u->query.call == NVE_ADMIN_DOCTOR)
		r = nve_admin_doctor(&env, &u->op.arena, &bytes);
	else if (u->query.call == NVE_ADMIN_PLAN)
		r = nve_admin_plan(&env, &u->query, &u->op.arena, &bytes, &why);
	else
		r = nve_admin_reply(&env, &u->query, &u->op.arena, &bytes);
	if (r == 0)
		nve_unary_reply(u, bytes);
	else if (r == -EBADMSG)
		nve_unary_refuse(u, &why);
	else
		nve_unary_refuse_for(u, NVE_REASON_INTERNAL);
}

void nve_admin_accepted(struct nve_call *call)
{
	struct nve_unary *u = container_of(call, struct nve_unary, base);
	struct nve_session_server *s = call->server;
	struct nve_refusal why;
	struct nve_bytes m;

	if (!take(u, &m))
		return;
	if (nve_admin_decode((enum nve_admin_call)call->method->arg, m.data, m.len, &s->all_ports,
			     &u->op.arena, &u->query, &why) < 0) {
		nve_unary_refuse(u, &why);
		return;
	}
	nve_call_peer_of(s, call->call, &u->peer);
	nve_audit_call(s, call);
	u->admin_work.run = run_admin;
	u->admin_work.cost = u->query.call == NVE_ADMIN_PLAN ? NVE_FAIR_COST_MAX : 1;
	nve_post(s, &call->conn->source, &u->admin_work);
}

/* Health -------------------------------------------------------------------------------------- */

void nve_health_check_accepted(struct nve_call *call)
{
	struct nve_unary *u = container_of(call, struct nve_unary, base);
	struct nve_session_server *s = call->server;
	struct nve_bytes m, out;
	int status;

	if (!take(u, &m))
		return;
	status = nve_health_status(m.data, m.len, nve_is_serving(s), &u->op.arena);
	if (status == -EBADMSG) {
		nve_unary_refuse_for(u, NVE_REASON_INVALID_REQUEST);
	} else if (status == NVE_HEALTH_UNKNOWN) {
		/* The health protocol's own: NOT_FOUND, which no reason of ours stands for. */
		grpc_op ops[3] = { { .op = GRPC_OP_SEND_INITIAL_METADATA },
				   { .op = GRPC_OP_SEND_STATUS_FROM_SERVER },
				   { .op = GRPC_OP_RECV_CLOSE_ON_SERVER } };

		u->base.status_text = grpc_slice_from_static_string("no such service");
		ops[1].data.send_status_from_server.status = GRPC_STATUS_NOT_FOUND;
		ops[1].data.send_status_from_server.status_details = &u->base.status_text;
		ops[2].data.recv_close_on_server.cancelled = &u->cancelled;
		start(u, ops, 3);
	} else if (nve_health_reply(status, &u->op.arena, &out) < 0) {
		nve_unary_refuse_for(u, NVE_REASON_INTERNAL);
	} else {
		nve_unary_reply(u, out);
	}
}
