/* SPDX-License-Identifier: Apache-2.0 */
/* Draining, what health says of it, and the audit log's line of an operator's call. */
#include <string.h>

#include "audit.h"
#include "engine_drain.h"
#include "nve/v1/nve.pb-c.h"
#include "session/codec_internal.h"
#include "session/grpc_unary.h"

bool nve_is_serving(struct nve_session_server *s)
{
	return !atomic_load(&s->stopping) && !atomic_load(&s->operate.draining);
}

void nve_drain_changed(struct nve_session_server *s)
{
	atomic_store(&s->operate.draining, nve_engine_all_draining(s->config.engine));
	nve_health_changed(s);
}

static void reply_drain(struct nve_unary *u)
{
	Nve__V1__DrainReply m = NVE__V1__DRAIN_REPLY__INIT;
	struct nve_bytes bytes;
	int r = nve_list_draining(&u->base.server->env, &u->op.arena, &m.ports, &m.n_ports);

	if (!r)
		r = nve_codec_pack(&m.base, &u->op.arena, &bytes);
	if (r)
		nve_unary_refuse_for(u, NVE_REASON_INTERNAL);
	else
		nve_unary_reply(u, bytes);
}

static void drain(struct nve_unary *u)
{
	struct nve_session_server *s = u->base.server;
	const struct nve_drain_request request = { .port = u->query.port,
						   .on = !u->query.operate.undo,
						   .wait_ms = u->query.operate.wait_ms,
						   .client = u->op.client,
						   .identity = u->peer.identity };

	if (nve_engine_drain(s->config.engine, &request)) {
		nve_unary_refuse_for(u, NVE_REASON_STORE_FAILED);
		return;
	}
	reply_drain(u);
}

bool nve_operates(enum nve_admin_call call)
{
	return call >= NVE_ADMIN_DISCONNECT_VN && call <= NVE_ADMIN_FLUSH;
}

void nve_operate(struct nve_unary *u)
{
	struct nve_session_server *s = u->base.server;

	nve_call_client(s, u->base.call, u->op.client);
	nve_call_peer_of(s, u->base.call, &u->peer);
	u->op.identity = u->peer.identity;
	if (s->closing || atomic_load(&s->stopping))
		nve_unary_refuse_for(u, NVE_REASON_SHUTTING_DOWN);
	else if (u->query.call == NVE_ADMIN_DRAIN)
		drain(u);
	else
		nve_evict(u);
}

void nve_audit_call(struct nve_session_server *s, struct nve_call *call)
{
	const char *method = strrchr(call->method->path, '/') + 1;
	struct nve_visitor visitor;

	if (!nve_audit_on() || !strncmp(method, "Get", 3) || !strncmp(method, "List", 4))
		return;
	nve_call_visitor_of(s, call->call, &visitor);
	nve_audit("admin", LOG_S("method", method), LOG_S("identity", visitor.peer.identity),
		  LOG_S("address", visitor.address));
}
