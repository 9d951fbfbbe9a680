/* SPDX-License-Identifier: Apache-2.0 */
/* The Admin calls of operate.proto: what their requests say, and their part of the status. */
#include <errno.h>
#include <string.h>

#include "audit.h"
#include "engine_drain.h"
#include "session/admin.h"
#include "session/codec_internal.h"

enum { WAIT_MAX_MS = 60000 };

static int take_vn(struct nve_decode *d, const Nve__V1__EvictRequest *m, struct nve_admin_query *q)
{
	Nve__V1__VnRef ref = NVE__V1__VN_REF__INIT;
	struct nve_request req = { 0 };
	int r;

	if (!m->vn_id && !m->vn_name[0])
		return 0;
	ref.vn_case = m->vn_name[0] ? NVE__V1__VN_REF__VN_NAME : NVE__V1__VN_REF__VN_ID;
	if (m->vn_name[0])
		ref.name = m->vn_name;
	else
		ref.id = m->vn_id;
	r = nve_decode_vn(d, "", &ref, &req);
	q->has_vn = true;
	q->vn_id = req.ev.key.vn_id;
	memcpy(q->vn_name, req.vn_name, sizeof(q->vn_name));
	return r;
}

static int take_addrs(struct nve_decode *d, const Nve__V1__EvictRequest *m,
		      struct nve_admin_query *q)
{
	Nve__V1__Address *all = nve_arena_zalloc(d->arena, m->n_addresses + 1, sizeof(*all));
	Nve__V1__Address **list = nve_arena_zalloc(d->arena, m->n_addresses + 1, sizeof(*list));

	if (!m->n_addresses)
		return 0;
	if (!all || !list)
		return nve_refuse(d, NVE_REASON_TOO_LARGE, "addresses");
	for (size_t i = 0; i < m->n_addresses; i++) {
		nve__v1__address__init(&all[i]);
		all[i].mac = m->addresses[i]->mac;
		all[i].ip = m->addresses[i]->ip;
		list[i] = &all[i];
	}
	return nve_decode_addrs(d, "addresses", m->n_addresses, list, &q->operate.addrs,
				&q->operate.n_addrs);
}

static int take_reason(struct nve_decode *d, const Nve__V1__EvictRequest *m,
		       struct nve_admin_query *q)
{
	q->operate.reason = (enum nve_reason)m->reason;
	if (q->operate.reason == NVE_REASON_OK)
		q->operate.reason = NVE_REASON_OPERATOR;
	if (q->operate.reason == NVE_REASON_OPERATOR || q->operate.reason == NVE_REASON_DRAINING)
		return 0;
	return nve_refuse(d, NVE_REASON_INVALID_REQUEST, "reason");
}

/* Whether what is named fits the verb, and is named at all. */
static int check_named(struct nve_decode *d, const Nve__V1__EvictRequest *m,
		       const struct nve_admin_query *q)
{
	bool named = q->has_tsi || q->has_vn || q->port != NVE_PORT_NONE;

	if (named == (bool)m->everything)
		return nve_refuse(d, NVE_REASON_INVALID_REQUEST, "everything");
	if (q->call == NVE_ADMIN_DISCONNECT_VN && q->has_tsi)
		return nve_refuse(d, NVE_REASON_INVALID_REQUEST, "tsi_id");
	if (q->operate.n_addrs && (!q->has_tsi || q->call == NVE_ADMIN_DISCONNECT_VN))
		return nve_refuse(d, NVE_REASON_INVALID_REQUEST, "addresses");
	if (q->operate.wait_ms > WAIT_MAX_MS)
		return nve_refuse(d, NVE_REASON_INVALID_REQUEST, "wait_ms");
	return 0;
}

static int take_evict(struct nve_decode *d, const Nve__V1__EvictRequest *m,
		      struct nve_admin_query *q)
{
	struct nve_request req = { 0 };
	int r = 0;

	if (m->port[0])
		r = nve_decode_port(d, "port", m->port, &q->port);
	if (!r && m->tsi_id.len) {
		r = nve_decode_tsi_id(d, "", m->tsi_id, &req);
		q->has_tsi = true;
		q->tsi = req.ev.key.id;
	}
	if (!r)
		r = take_vn(d, m, q);
	if (!r)
		r = take_addrs(d, m, q);
	if (!r)
		r = take_reason(d, m, q);
	q->operate.wait_ms = m->wait_ms;
	return r ? r : check_named(d, m, q);
}

int nve_operate_decode(struct nve_decode *d, const void *msg, struct nve_admin_query *q)
{
	if (q->call == NVE_ADMIN_DRAIN) {
		const Nve__V1__DrainRequest *m = msg;

		q->operate.undo = m->undo;
		q->operate.wait_ms = m->wait_ms;
		return m->port[0] ? nve_decode_port(d, "port", m->port, &q->port) : 0;
	}
	if (q->call == NVE_ADMIN_FLUSH) {
		const Nve__V1__FlushRequest *m = msg;

		q->operate.reason = NVE_REASON_OPERATOR;
		q->operate.force = m->force;
		return m->yes ? 0 : nve_refuse(d, NVE_REASON_INVALID_REQUEST, "yes");
	}
	return take_evict(d, msg, q);
}

static void count(const struct nve_core *core, uint16_t port, Nve__V1__DrainingPort *ret)
{
	const struct nve_vap *vap;
	uint32_t cursor = 0;

	while ((vap = nve_core_next_vap(core, &cursor))) {
		if (vap->port != port)
			continue;
		ret->vns++;
		ret->tsis += vap->n_tsi;
	}
}

int nve_list_draining(const struct nve_admin_env *env, struct nve_arena *arena,
		      Nve__V1__DrainingPort ***ret, size_t *n)
{
	uint32_t max = nve_engine_n_ports(env->engine);
	Nve__V1__DrainingPort *all = nve_arena_zalloc(arena, max, sizeof(*all));
	Nve__V1__DrainingPort **list = nve_arena_zalloc(arena, max, sizeof(*list));

	*n = 0;
	if (!all || !list)
		return -ENOMEM;
	for (uint16_t port = 0; port < max; port++) {
		Nve__V1__DrainingPort *p = &all[*n];

		if (!nve_engine_draining(env->engine, port))
			continue;
		nve__v1__draining_port__init(p);
		p->port = (char *)nve_engine_port(env->engine, port)->dp.name;
		p->since_unix_ns = nve_engine_draining(env->engine, port);
		count(nve_engine_core(env->engine), port, p);
		list[(*n)++] = p;
	}
	*ret = list;
	return 0;
}

int nve_status_operate(const struct nve_admin_env *env, struct nve_arena *arena, Nve__V1__Status *m)
{
	Nve__V1__AuditLog *audit = nve_arena_zalloc(arena, 1, sizeof(*audit));
	struct nve_audit_status status;

	if (!audit)
		return -ENOMEM;
	nve_audit_status(&status);
	nve__v1__audit_log__init(audit);
	if (status.path)
		audit->path = (char *)status.path;
	audit->lines = status.lines;
	audit->lost = status.lost;
	audit->rotated = status.rotated;
	audit->failures = status.failures;
	if (status.error)
		audit->error = (char *)(strerrordesc_np(-status.error) ?: "unknown error");
	m->audit = audit;
	return nve_list_draining(env, arena, &m->draining, &m->n_draining);
}
