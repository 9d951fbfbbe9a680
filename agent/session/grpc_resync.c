/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resync requests on the engine's thread.  What was listed is the Session's until 'done'; then it
 * is the request's, which clears what was not listed, some at a time, and is answered at the end.
 */
#include <stdlib.h>
#include <string.h>

#include "session/grpc_internal.h"
#include "session/resync.h"

enum { AT_A_TIME = 64, RESYNCS_MAX = 1024 };

/* One request to clear a TSI. */
struct clearing {
	struct nve_request req;
	struct sweep *sweep;
};

struct sweep {
	struct nve_op *op;
	struct nve_engine *engine;
	struct nve_resync *resync;
	uint16_t owner;
	uint32_t cursor, left;
	struct clearing clearings[AT_A_TIME];
};

static void go_on(struct sweep *s);

static void cleared(struct nve_request *req, const struct nve_answer *answer)
{
	struct sweep *s = container_of(req, struct clearing, req)->sweep;
	struct nve_decoded *d = &s->op->decoded;

	if (answer->reason == NVE_REASON_OK)
		d->n_cleared += answer->n_cleared;
	else if (d->refused == NVE_REASON_OK)
		d->refused = answer->reason;
	if (--s->left == 0)
		go_on(s);
}

static void end(struct sweep *s)
{
	struct nve_op *op = s->op;

	nve_resync_free(s->resync);
	free(s);
	nve_op_finish(op);
}

/* The next ones; after a failure the rest is left alone. */
static void go_on(struct sweep *s)
{
	struct nve_decoded *d = &s->op->decoded;
	struct nve_tsi_key key;
	uint32_t n = 0;

	while (n < AT_A_TIME && d->refused == NVE_REASON_OK &&
	       nve_resync_next(s->resync, s->engine, &s->cursor, &key)) {
		struct clearing *c = &s->clearings[n++];

		*c = (struct clearing){ .sweep = s };
		c->req.ev.kind = NVE_EV_CLEAR;
		c->req.ev.flags = NVE_EV_BY_NVE;
		c->req.ev.why = NVE_REASON_NOT_LISTED;
		c->req.ev.new_port = NVE_PORT_NONE;
		c->req.ev.key = key;
		c->req.ev.owner = s->owner;
		memcpy(c->req.client, s->op->client, sizeof(c->req.client));
		c->req.done = cleared;
	}
	s->left = n;
	if (n == 0)
		end(s);
	for (uint32_t i = 0; i < n; i++)
		nve_engine_submit(s->engine, &s->clearings[i].req);
}

void nve_resync_drop(struct nve_session_server *s, struct nve_resync **resync)
{
	if (*resync)
		atomic_fetch_sub(&s->resyncs, 1);
	nve_resync_free(*resync);
	*resync = NULL;
}

static enum nve_reason begin(struct nve_op *op, const struct nve_resync_who *who)
{
	struct nve_session_server *s = op->server;
	const struct nve_decoded *d = &op->decoded;

	nve_resync_drop(s, op->resync);
	if (atomic_load(&s->resyncs) >= RESYNCS_MAX)
		return NVE_REASON_TOO_MANY_REQUESTS;
	*op->resync = nve_resync_new(s->config.engine, who, d->ports, d->n_ports);
	if (!*op->resync)
		return NVE_REASON_INTERNAL;
	atomic_fetch_add(&s->resyncs, 1);
	return NVE_REASON_OK;
}

static enum nve_reason take(struct nve_op *op, const struct nve_resync_who *who)
{
	struct nve_decoded *d = &op->decoded;
	enum nve_reason reason = NVE_REASON_OK;

	if (!nve_authz_knows(who->authz, who->owner))
		return NVE_REASON_NOT_AUTHORIZED;
	if (d->n_ports > 0)
		reason = begin(op, who);
	if (reason != NVE_REASON_OK)
		return reason;
	if (!*op->resync)
		return NVE_REASON_INVALID_REQUEST;
	for (uint32_t i = 0; i < d->n_requests; i++)
		d->requests[i].req.answer.reason = nve_resync_list(
			*op->resync, op->server->config.engine, &d->requests[i].req);
	/* A TSI that could not even be read is one that may be here. */
	if (d->n_failures > 0)
		nve_resync_doubt(*op->resync);
	return d->done ? nve_resync_verdict(*op->resync) : NVE_REASON_OK;
}

void nve_resync_run(struct nve_op *op)
{
	struct nve_authz *authz = op->server->config.authz;
	struct nve_resync_who who = { authz, nve_authz_owner(authz, op->identity) };
	struct nve_decoded *d = &op->decoded;
	struct sweep *s;

	d->refused = take(op, &who);
	if (d->refused != NVE_REASON_OK || !d->done) {
		nve_resync_drop(op->server, &op->own_resync);
		nve_op_finish(op);
		return;
	}
	s = calloc(1, sizeof(*s));
	if (!s) {
		d->refused = NVE_REASON_INTERNAL;
		nve_resync_drop(op->server, &op->own_resync);
		nve_op_finish(op);
		return;
	}
	s->op = op;
	s->owner = who.owner;
	s->engine = op->server->config.engine;
	s->resync = *op->resync;
	*op->resync = NULL;
	atomic_fetch_sub(&op->server->resyncs, 1);
	go_on(s);
}
