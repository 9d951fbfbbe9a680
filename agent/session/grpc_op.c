/* SPDX-License-Identifier: Apache-2.0 */
/* A request's way through the engine, the same for unary calls and for Sessions. */
#include <string.h>

#include "session/grpc_internal.h"

static void link_op(struct nve_op *op)
{
	struct nve_op *head = &op->server->in_engine;

	op->prev = head->prev;
	op->next = head;
	head->prev->next = op;
	head->prev = op;
}

static void unlink_op(struct nve_op *op)
{
	op->prev->next = op->next;
	op->next->prev = op->prev;
}

void nve_op_finish(struct nve_op *op)
{
	if (op->server)
		unlink_op(op);
	op->finish(op);
}

static void done(struct nve_request *req, const struct nve_answer *answer)
{
	struct nve_decoded_request *r = container_of(req, struct nve_decoded_request, req);
	struct nve_op *op = container_of(r->decoded, struct nve_op, decoded);

	if (answer != &req->answer)
		req->answer = *answer;
	if (--op->decoded.left == 0)
		nve_op_finish(op);
}

void nve_op_init(struct nve_op *op, struct nve_session_server *s)
{
	memset(op, 0, offsetof(struct nve_op, arena));
	op->server = s;
	op->work.run = nve_op_submit;
	nve_arena_init(&op->arena);
}

/* Of a batch each TSI is less work than a request of its own. */
uint32_t nve_op_cost(const struct nve_op *op)
{
	return 1 + op->decoded.n_requests / 8;
}

/* Refuses what was queued when the server closed; nobody would run the engine any more. */
static void answer_all(struct nve_op *op, enum nve_reason reason)
{
	for (uint32_t i = 0; i < op->decoded.n_requests; i++)
		op->decoded.requests[i].req.answer = (struct nve_answer){ .reason = reason };
	op->decoded.refused = reason;
	nve_op_finish(op);
}

void nve_op_submit(struct nve_work *work)
{
	struct nve_op *op = container_of(work, struct nve_op, work);
	struct nve_session_server *s = op->server;
	uint32_t n = op->decoded.n_requests;
	uint16_t owner;

	link_op(op);
	if (!s->closing && op->decoded.method == NVE_METHOD_RESYNC) {
		nve_resync_run(op);
		return;
	}
	if (s->closing || n == 0) { /* a batch of which every TSI was malformed has no request */
		answer_all(op, NVE_REASON_SHUTTING_DOWN);
		return;
	}
	op->decoded.left = n;
	owner = nve_authz_owner(s->config.authz, op->identity);
	for (uint32_t i = 0; i < n; i++) {
		struct nve_request *req = &op->decoded.requests[i].req;

		memcpy(req->client, op->client, sizeof(req->client));
		req->identity = op->identity;
		req->done = done;
		req->ev.owner = owner;
		nve_engine_submit(s->config.engine, req);
	}
}

/* Whether the reply says something of the VN: where a TSI or its VN is connected. */
static bool tells_vn(enum nve_method method)
{
	return method == NVE_METHOD_VN_CONNECT || method == NVE_METHOD_ASSOCIATE ||
	       method == NVE_METHOD_ACTIVATE || method == NVE_METHOD_DEACTIVATE ||
	       method == NVE_METHOD_UPDATE;
}

struct nve_codec_vn nve_op_vn(const struct nve_op *op)
{
	const struct nve_engine *engine = op->server->config.engine;
	struct nve_codec_vn vn = { "", 0 };
	const struct nve_vn_context *context;
	const struct nve_answer *answer;

	if (!tells_vn(op->decoded.method))
		return vn;
	answer = &op->decoded.requests[0].req.answer;
	if (answer->reason != NVE_REASON_OK)
		return vn;
	context = nve_engine_vn(engine, answer->vn_id);
	if (!context)
		return vn;
	vn.name = context->name;
	vn.mtu = nve_engine_tenant_mtu(engine, context);
	return vn;
}
