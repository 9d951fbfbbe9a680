/* SPDX-License-Identifier: Apache-2.0 */
/* Admin.Plan: makes requests of what it is asked, and a reply of what the engine says of them. */
#include <errno.h>
#include <string.h>

#include "core/qos.h"
#include "session/admin.h"
#include "session/codec_internal.h"

enum {
	STEPS_MAX = 256,
	MANY_MAX = 16384, /* tens of milliseconds, during which nobody else is served */
	VNS_MAX = 4096,
	POOLS_MAX = 64,
};

/* One step: a request, or what many are made of. */
struct step {
	const Nve__V1__PlanMany *many;
	struct nve_decoded decoded;
	uint16_t port;
	Nve__V1__PlanResult result;
};

struct plan {
	const struct nve_admin_env *env;
	struct nve_arena *arena;
	struct step *steps;
	size_t n_steps, at; /* the step that is being asked about */
	uint32_t made;      /* TSIs of PlanMany in this step */
	uint32_t made_ever;
	bool asked; /* 'req' is on its way */
	struct nve_request *asking, req;
	uint16_t owner;
	struct nve_addr addrs[NVE_TSI_ADDRS_MAX];
	Nve__V1__PlanPool *pools[POOLS_MAX];
	size_t n_pools;
	bool no_memory;
};

/* --- what it is asked ------------------------------------------------------------------------ */

static int decode_many(struct nve_decode *d, const Nve__V1__PlanMany *m, struct step *step)
{
	size_t n_vns = m->n_vn_ids + m->n_vn_names;

	if (!m->tsis || m->tsis > MANY_MAX)
		return nve_refuse(d, m->tsis ? NVE_REASON_TOO_LARGE : NVE_REASON_INVALID_REQUEST,
				  "steps.many.tsis");
	if (m->addresses > NVE_TSI_ADDRS_MAX)
		return nve_refuse(d, NVE_REASON_TOO_MANY_ADDRESSES, "steps.many.addresses");
	if (!n_vns || n_vns > VNS_MAX)
		return nve_refuse(d, n_vns ? NVE_REASON_TOO_LARGE : NVE_REASON_INVALID_VN,
				  "steps.many.vn_ids");
	for (size_t i = 0; i < m->n_vn_ids; i++)
		if (!m->vn_ids[i] || m->vn_ids[i] > NVE_VN_ID_MAX)
			return nve_refuse(d, NVE_REASON_INVALID_VN, "steps.many.vn_ids");
	for (size_t i = 0; i < m->n_vn_names; i++)
		if (!*m->vn_names[i] || strlen(m->vn_names[i]) > NVE_NAME_MAX)
			return nve_refuse(d, NVE_REASON_INVALID_VN, "steps.many.vn_names");
	if (m->bits_per_second && !nve_qos_rate_fits(m->bits_per_second))
		return nve_refuse(d, NVE_REASON_INVALID_PARAMETER, "steps.many.bits_per_second");
	step->many = m;
	return nve_decode_port(d, "steps.many.port", m->port, &step->port);
}

static int decode_step(struct nve_decode *d, const Nve__V1__PlanStep *m, struct step *step)
{
	static const enum nve_method methods[] = {
		[NVE__V1__PLAN_STEP__STEP_VN_CONNECT] = NVE_METHOD_VN_CONNECT,
		[NVE__V1__PLAN_STEP__STEP_ASSOCIATE] = NVE_METHOD_ASSOCIATE,
		[NVE__V1__PLAN_STEP__STEP_ACTIVATE] = NVE_METHOD_ACTIVATE,
		[NVE__V1__PLAN_STEP__STEP_UPDATE] = NVE_METHOD_UPDATE,
	};
	struct nve_refusal why;

	if (m->step_case == NVE__V1__PLAN_STEP__STEP_MANY)
		return decode_many(d, m->many, step);
	if (m->step_case == NVE__V1__PLAN_STEP__STEP__NOT_SET)
		return nve_refuse(d, NVE_REASON_INVALID_REQUEST, "steps");
	/* All members of the oneof but 'many' are bytes.  A malformed request is an answer, too. */
	if (nve_codec_decode(methods[m->step_case], m->vn_connect.data, m->vn_connect.len, d->ports,
			     d->arena, &step->decoded, &why) == 0)
		return 0;
	step->decoded.n_requests = 0;
	step->result.reason = (Nve__V1__Reason)why.reason;
	return 0;
}

static int decode(struct plan *p, const Nve__V1__PlanRequest *m, struct nve_refusal *why)
{
	struct nve_decode d = { p->env->ports, p->arena, NULL, why };
	uint64_t many = 0;
	int r = 0;

	if (!m->n_steps || m->n_steps > STEPS_MAX)
		return nve_refuse(&d,
				  m->n_steps ? NVE_REASON_TOO_LARGE : NVE_REASON_INVALID_REQUEST,
				  "steps");
	p->steps = nve_arena_zalloc(p->arena, m->n_steps, sizeof(*p->steps));
	if (!p->steps)
		return -ENOMEM;
	p->n_steps = m->n_steps;
	for (size_t i = 0; i < m->n_steps && r == 0; i++) {
		nve__v1__plan_result__init(&p->steps[i].result);
		r = decode_step(&d, m->steps[i], &p->steps[i]);
		many += p->steps[i].many ? p->steps[i].many->tsis : 0;
	}
	if (r == 0 && many > MANY_MAX)
		r = nve_refuse(&d, NVE_REASON_TOO_LARGE, "steps.many.tsis");
	return r;
}

/* --- what the engine is asked ---------------------------------------------------------------- */

static void make_addrs(struct plan *p, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		uint32_t number = p->made_ever * NVE_TSI_ADDRS_MAX + i;
		struct nve_addr *a = &p->addrs[i];

		*a = (struct nve_addr){ .flags = NVE_ADDR_MAC | NVE_ADDR_IPV6,
					.mac = { 0x06, 'p', number >> 24, number >> 16, number >> 8,
						 number } };
		memcpy(a->ip, (uint8_t[]){ 0xfd, 'p', 'l', 'a', 'n' }, 5);
		memcpy(a->ip + 10, a->mac, NVE_MAC_LEN);
	}
}

/* The next TSI of a PlanMany. */
static void make_one(struct plan *p, const struct step *step)
{
	const Nve__V1__PlanMany *m = step->many;
	size_t vn = p->made % (m->n_vn_ids + m->n_vn_names);
	struct nve_event *ev = &p->req.ev;

	memset(&p->req, 0, sizeof(p->req));
	ev->kind = m->activate ? NVE_EV_ACTIVATE : NVE_EV_ASSOCIATE;
	ev->new_port = NVE_PORT_NONE;
	ev->key.port = step->port;
	memcpy(ev->key.id.bytes, "nve-plan", 8);
	memcpy(ev->key.id.bytes + 8, &p->made_ever, sizeof(p->made_ever));
	if (vn < m->n_vn_ids)
		ev->key.vn_id = m->vn_ids[vn];
	else
		memcpy(p->req.vn_name, m->vn_names[vn - m->n_vn_ids],
		       strlen(m->vn_names[vn - m->n_vn_ids]));
	make_addrs(p, m->addresses);
	ev->addrs = p->addrs;
	ev->n_addrs = m->addresses;
	ev->flags = m->addresses ? NVE_EV_HAS_ADDRS : 0;
	if (m->bits_per_second) {
		ev->flags |= NVE_EV_HAS_QOS;
		ev->qos.from_tsi = m->bits_per_second;
	}
	p->made++;
	p->made_ever++;
}

/* Notes the answer; false: the step is over. */
static bool take_answer(struct plan *p, struct step *step)
{
	const struct nve_answer *answer = &p->asking->answer;
	struct nve_refusal why;
	struct nve_bytes status;
	const char *text;

	if (answer->reason == NVE_REASON_OK) {
		step->result.done++;
		step->result.tag = step->many ? 0 : answer->tag;
		return step->many && p->made < step->many->tsis;
	}
	nve_codec_refusal(answer, &why);
	step->result.reason = (Nve__V1__Reason)why.reason;
	if (why.resource) {
		step->result.resource = (char *)why.resource;
		step->result.used = why.used;
		step->result.max = why.max;
	}
	if (nve_codec_status(&why, p->arena, &status, &text) == 0)
		step->result.message = (char *)text;
	return false;
}

static struct nve_request *next(void *arg)
{
	struct plan *p = arg;

	for (; p->at < p->n_steps; p->at++, p->made = 0, p->asked = false) {
		struct step *step = &p->steps[p->at];

		if (p->asked && !take_answer(p, step))
			continue;
		if (!step->many && (p->asked || !step->decoded.n_requests))
			continue;
		if (step->many)
			make_one(p, step);
		p->asking = step->many ? &p->req : &step->decoded.requests[0].req;
		p->asking->ev.owner = p->owner;
		p->asked = true;
		return p->asking;
	}
	return NULL;
}

/* --- what is answered ------------------------------------------------------------------------ */

static void note_pool(struct plan *p, size_t i, const char *prefix, const char *name, uint64_t used,
		      uint64_t max)
{
	size_t len = strlen(prefix) + strlen(name) + 1;
	Nve__V1__PlanPool *pool;

	if (i < p->n_pools) { /* the second time */
		p->pools[i]->then = used;
		return;
	}
	pool = i < POOLS_MAX ? nve_arena_alloc(p->arena, sizeof(*pool)) : NULL;
	if (pool)
		nve__v1__plan_pool__init(pool);
	if (pool)
		pool->name = nve_arena_alloc(p->arena, len);
	if (!pool || !pool->name) {
		p->no_memory = true;
		return;
	}
	memcpy(pool->name, prefix, strlen(prefix));
	memcpy(pool->name + strlen(prefix), name, strlen(name) + 1);
	pool->used = pool->then = used;
	pool->max = max;
	p->pools[p->n_pools++] = pool;
}

/* Before the plan, and while it is as if it were done. */
static void note_pools(void *arg)
{
	struct plan *p = arg;
	struct nve_core_usage u = nve_core_usage(nve_engine_core(p->env->engine));
	uint64_t used = 0, max = 0;
	const struct nve_dp_ops *ops;
	struct nve_dp *dp;
	const char *name;
	size_t i = 0;

	note_pool(p, i++, "", "tsis", u.tsis, u.max_tsis);
	note_pool(p, i++, "", "addresses", u.addrs, u.max_addrs);
	note_pool(p, i++, "", "vaps", u.vaps, u.max_vaps);
	note_pool(p, i++, "", "vns", u.vns, u.max_vns);
	ops = nve_engine_dp(p->env->engine, &dp);
	for (size_t t = 0; (name = ops->table(dp, t, &used, &max)) && !p->no_memory; t++)
		note_pool(p, i++, "table.", name, used, max);
}

static int reply(struct plan *p, struct nve_bytes *ret)
{
	Nve__V1__PlanReply m = NVE__V1__PLAN_REPLY__INIT;

	m.results = nve_arena_alloc(p->arena, p->n_steps * sizeof(*m.results));
	if (!m.results || p->no_memory)
		return -ENOMEM;
	m.fits = true;
	m.n_results = p->n_steps;
	for (size_t i = 0; i < p->n_steps; i++) {
		m.results[i] = &p->steps[i].result;
		m.fits &= m.results[i]->reason == NVE__V1__REASON__REASON_OK;
	}
	m.n_pools = p->n_pools;
	m.pools = p->pools;
	return nve_codec_pack(&m.base, p->arena, ret);
}

int nve_admin_plan(const struct nve_admin_env *env, const struct nve_admin_query *query,
		   struct nve_arena *arena, struct nve_bytes *ret, struct nve_refusal *why)
{
	struct plan *p = nve_arena_zalloc(arena, 1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	p->env = env;
	p->arena = arena;
	p->owner = query->owner;
	r = decode(p, query->plan, why);
	if (r < 0)
		return r;
	note_pools(p);
	nve_engine_plan(env->engine, &(struct nve_plan){ next, note_pools, p });
	return reply(p, ret);
}
