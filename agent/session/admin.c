/* SPDX-License-Identifier: Apache-2.0 */
/* The Admin service: requests, and the replies that come in one piece. */
#include "session/admin.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "session/codec_internal.h"

static const ProtobufCMessageDescriptor *const types[NVE_ADMIN_CALLS] = {
	[NVE_ADMIN_STATUS] = &nve__v1__get_status_request__descriptor,
	[NVE_ADMIN_PORTS] = &nve__v1__list_ports_request__descriptor,
	[NVE_ADMIN_VNS] = &nve__v1__list_vns_request__descriptor,
	[NVE_ADMIN_TSIS] = &nve__v1__list_tsis_request__descriptor,
	[NVE_ADMIN_DROPS] = &nve__v1__list_drops_request__descriptor,
	[NVE_ADMIN_TABLES] = &nve__v1__list_tables_request__descriptor,
	[NVE_ADMIN_DUMP] = &nve__v1__dump_table_request__descriptor,
	[NVE_ADMIN_WATCH] = &nve__v1__watch_request__descriptor,
	[NVE_ADMIN_WHY] = &nve__v1__why_request__descriptor,
	[NVE_ADMIN_DIFF] = &nve__v1__diff_request__descriptor,
	[NVE_ADMIN_DOCTOR] = &nve__v1__doctor_request__descriptor,
	[NVE_ADMIN_DISCONNECT_VN] = &nve__v1__evict_request__descriptor,
	[NVE_ADMIN_DEACTIVATE_TSI] = &nve__v1__evict_request__descriptor,
	[NVE_ADMIN_DISASSOCIATE_TSI] = &nve__v1__evict_request__descriptor,
	[NVE_ADMIN_DRAIN] = &nve__v1__drain_request__descriptor,
	[NVE_ADMIN_FLUSH] = &nve__v1__flush_request__descriptor,
	[NVE_ADMIN_PLAN] = &nve__v1__plan_request__descriptor,
};

/* What a request may name; NULL and empty mean "all". */
struct filter {
	const char *port;
	const Nve__V1__VnRef *vn;
	const ProtobufCBinaryData *tsi_id;
};

static int take_filter(struct nve_decode *d, const struct filter *f, struct nve_admin_query *q)
{
	struct nve_request req = { 0 };
	int r;

	if (f->port && f->port[0]) {
		r = nve_decode_port(d, "port", f->port, &q->port);
		if (r < 0)
			return r;
	}
	if (f->vn) {
		r = nve_decode_vn(d, "", f->vn, &req);
		if (r < 0)
			return r;
		q->has_vn = true;
		q->vn_id = req.ev.key.vn_id;
		memcpy(q->vn_name, req.vn_name, sizeof(q->vn_name));
	}
	if (f->tsi_id && f->tsi_id->len > 0) {
		r = nve_decode_tsi_id(d, "", *f->tsi_id, &req);
		if (r < 0)
			return r;
		q->has_tsi = true;
		q->tsi = req.ev.key.id;
	}
	return 0;
}

static int take_table(struct nve_decode *d, const char *table, struct nve_admin_query *q)
{
	if (!table[0] || strlen(table) > NVE_NAME_MAX)
		return nve_refuse(d, NVE_REASON_INVALID_REQUEST, "table");
	memcpy(q->table, table, strlen(table) + 1);
	return 0;
}

static int take_why(struct nve_decode *d, const Nve__V1__WhyRequest *m, struct nve_admin_query *q)
{
	if (m->frame.len < NVE_DP_FRAME_MIN || m->frame.len > NVE_DP_FRAME_MAX)
		return nve_refuse(d, NVE_REASON_INVALID_REQUEST, "frame");
	q->frame = (struct nve_bytes){ m->frame.data, m->frame.len };
	return nve_decode_port(d, "port", m->port, &q->port);
}

int nve_admin_decode(enum nve_admin_call call, const uint8_t *bytes, size_t len,
		     const struct nve_codec_ports *ports, struct nve_arena *arena,
		     struct nve_admin_query *ret, struct nve_refusal *why)
{
	struct nve_decode d = { ports, arena, NULL, why };
	const void *msg;

	memset(ret, 0, sizeof(*ret));
	ret->call = call;
	ret->port = NVE_PORT_NONE;
	if (nve_wire_check(types[call], bytes, len, why) < 0)
		return -EBADMSG;
	msg = protobuf_c_message_unpack(types[call], &arena->pb, len, bytes);
	if (!msg)
		return nve_refuse(&d, NVE_REASON_INVALID_REQUEST, "%s", "");
	if (call == NVE_ADMIN_PORTS) {
		const Nve__V1__ListPortsRequest *m = msg;

		return take_filter(&d, &(struct filter){ .port = m->port }, ret);
	}
	if (call == NVE_ADMIN_VNS) {
		const Nve__V1__ListVnsRequest *m = msg;

		return take_filter(&d, &(struct filter){ m->port, m->vn, NULL }, ret);
	}
	if (call == NVE_ADMIN_TSIS) {
		const Nve__V1__ListTsisRequest *m = msg;

		ret->statistics = m->statistics;
		return take_filter(&d, &(struct filter){ m->port, m->vn, &m->tsi_id }, ret);
	}
	if (call == NVE_ADMIN_WATCH) {
		const Nve__V1__WatchRequest *m = msg;

		return take_filter(&d, &(struct filter){ .port = m->port }, ret);
	}
	ret->plan = call == NVE_ADMIN_PLAN ? msg : NULL;
	if (call == NVE_ADMIN_WHY)
		return take_why(&d, msg, ret);
	if (call == NVE_ADMIN_DIFF)
		ret->check.repair = ((const Nve__V1__DiffRequest *)msg)->repair;
	if (call == NVE_ADMIN_DUMP) {
		const Nve__V1__DumpTableRequest *m = msg;

		return take_table(&d, m->table, ret);
	}
	return call >= NVE_ADMIN_DISCONNECT_VN ? nve_operate_decode(&d, msg, ret) : 0;
}

/* A list of {name, number}; grows by doubling inside the arena. */
struct numbers {
	struct nve_arena *arena;
	size_t n, cap;
	void **list;
	bool full;
};

static void *add(struct numbers *l, size_t size)
{
	void *item = nve_arena_zalloc(l->arena, 1, size);

	if (l->n == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 16;
		void **list = nve_arena_alloc(l->arena, cap * sizeof(*list));

		if (list && l->n)
			memcpy(list, l->list, l->n * sizeof(*list));
		l->cap = list ? cap : l->cap;
		l->list = list ? list : l->list;
		l->full |= !list;
	}
	l->full |= !item;
	if (l->full)
		return NULL;
	l->list[l->n++] = item;
	return item;
}

static void add_count(struct numbers *l, const char *name, uint64_t value)
{
	Nve__V1__Count *c = add(l, sizeof(*c));

	if (!c)
		return;
	nve__v1__count__init(c);
	c->name = (char *)name;
	c->value = value;
}

static void add_pool(struct numbers *l, const char *name, uint64_t used, uint64_t max)
{
	Nve__V1__Pool *p = add(l, sizeof(*p));

	if (!p)
		return;
	nve__v1__pool__init(p);
	p->name = (char *)name;
	p->used = used;
	p->max = max;
}

static void add_tables(const struct nve_admin_env *env, struct numbers *l)
{
	const struct nve_dp_ops *ops;
	uint64_t used = 0, max = 0;
	struct nve_dp *dp;
	const char *name;

	ops = nve_engine_dp(env->engine, &dp);
	for (size_t i = 0; (name = ops->table(dp, i, &used, &max)); i++)
		add_pool(l, name, used, max);
}

static void add_pools(const struct nve_admin_env *env, struct numbers *l)
{
	struct nve_core_usage u = nve_core_usage(nve_engine_core(env->engine));

	add_pool(l, "tsis", u.tsis, u.max_tsis);
	add_pool(l, "addresses", u.addrs, u.max_addrs);
	add_pool(l, "vaps", u.vaps, u.max_vaps);
	add_pool(l, "vns", u.vns, u.max_vns);
	add_pool(l, "sessions", env->sessions, env->max_sessions);
}

static void add_refusals(const struct nve_admin_env *env, struct numbers *l)
{
	const struct nve_engine_counters *c = nve_engine_counters(env->engine);

	for (int i = 1; i < 64; i++) {
		uint64_t n = c->refused[i] + env->refused[i];

		if (n > 0)
			add_count(l, nve_reason_name((enum nve_reason)i), n);
	}
}

static void add_counters(const struct nve_admin_env *env, struct numbers *l)
{
	const struct nve_engine_counters *c = nve_engine_counters(env->engine);
	const struct nve_engine_checks *k = nve_engine_checks(env->engine);

	add_count(l, "turns", c->turns);
	add_count(l, "requests", c->requests);
	add_count(l, "commits", c->commits);
	add_count(l, "undone_turns", c->undone_turns);
	add_count(l, "events", c->events);
	add_count(l, "duplicates", c->duplicates);
	add_count(l, "gleaned", c->gleaned);
	add_count(l, "not_gleaned", c->not_gleaned);
	add_count(l, "announced", c->announced);
	add_count(l, "not_announced", c->not_announced);
	add_count(l, "check_us", k->took_ns / 1000);
	add_count(l, "check_slice_us_max", k->worst_ns / 1000);
}

static void fill_policy(const struct nve_admin_env *env, uint16_t owner, Nve__V1__Status *m)
{
	const struct nve_role *role;
	struct nve_authz_info info;

	if (!env->authz)
		return;
	info = nve_authz_info(env->authz);
	role = nve_authz_role(env->authz, owner);
	m->policy = (char *)info.path;
	m->policy_roles = info.n_roles;
	m->policy_loaded_unix_ns = info.loaded_unix_ns;
	m->identity = (char *)nve_engine_owner_name(env->engine, owner);
	m->role = (char *)(role ? role->name : "");
}

static int reply_status(const struct nve_admin_env *env, uint16_t owner, struct nve_arena *arena,
			struct nve_bytes *ret)
{
	struct numbers pools = { arena }, counters = { arena }, refusals = { arena };
	Nve__V1__Status m = NVE__V1__STATUS__INIT;
	struct nve_dp *dp;
	struct nve_nva *nva;

	add_pools(env, &pools);
	add_counters(env, &counters);
	add_refusals(env, &refusals);
	if (pools.full || counters.full || refusals.full || !nve_admin_tls(env, arena, &m) ||
	    nve_admin_checks(env, arena, &m) < 0)
		return -ENOMEM;
	m.nve = (char *)env->nve;
	m.version = (char *)env->version;
	m.started_unix_ns = env->started_unix_ns;
	m.datapath = (char *)nve_engine_dp(env->engine, &dp)->name;
	m.nva = (char *)nve_engine_nva(env->engine, &nva)->name;
	m.store = (char *)env->store;
	m.durability = (char *)env->durability;
	m.local_vtep.data = (uint8_t *)env->local_vtep.bytes;
	m.local_vtep.len = env->local_vtep.family == 4 ? 4 : env->local_vtep.family == 6 ? 16 : 0;
	m.n_pools = pools.n;
	m.pools = (Nve__V1__Pool **)pools.list;
	m.n_counters = counters.n;
	m.counters = (Nve__V1__Count **)counters.list;
	m.n_refusals = refusals.n;
	m.refusals = (Nve__V1__Count **)refusals.list;
	m.sessions = env->sessions;
	m.n_listeners = env->n_listeners;
	m.listeners = (char **)env->listeners;
	m.n_notes = env->n_notes;
	m.notes = (char **)env->notes;
	m.max_message_bytes = env->max_message_bytes;
	m.max_outstanding = env->max_outstanding;
	fill_policy(env, owner, &m);
	if (nve_status_operate(env, arena, &m) < 0)
		return -ENOMEM;
	return nve_codec_pack(&m.base, arena, ret);
}

static void add_drop(void *arg, const char *name, const char *text, uint64_t frames)
{
	Nve__V1__Drop *d = add(arg, sizeof(*d));

	if (!d)
		return;
	nve__v1__drop__init(d);
	d->reason = (char *)name;
	d->text = (char *)text;
	d->frames = frames;
}

static void add_answer(void *arg, const char *name, const char *text, uint64_t frames)
{
	Nve__V1__Answered *a = add(arg, sizeof(*a));

	if (!a)
		return;
	nve__v1__answered__init(a);
	a->kind = (char *)name;
	a->text = (char *)text;
	a->frames = frames;
}

static int reply_drops(const struct nve_admin_env *env, struct nve_arena *arena,
		       struct nve_bytes *ret)
{
	Nve__V1__ListDropsReply m = NVE__V1__LIST_DROPS_REPLY__INIT;
	struct numbers drops = { arena }, answers = { arena };
	const struct nve_dp_ops *ops;
	struct nve_dp *dp;

	ops = nve_engine_dp(env->engine, &dp);
	ops->drops(dp, add_drop, &drops);
	ops->answers(dp, add_answer, &answers);
	if (drops.full || answers.full)
		return -ENOMEM;
	m.n_drops = drops.n;
	m.drops = (Nve__V1__Drop **)drops.list;
	m.n_answers = answers.n;
	m.answers = (Nve__V1__Answered **)answers.list;
	return nve_codec_pack(&m.base, arena, ret);
}

int nve_admin_reply(const struct nve_admin_env *env, const struct nve_admin_query *query,
		    struct nve_arena *arena, struct nve_bytes *ret)
{
	Nve__V1__ListTablesReply m = NVE__V1__LIST_TABLES_REPLY__INIT;
	struct numbers tables = { arena };

	if (query->call == NVE_ADMIN_STATUS)
		return reply_status(env, query->owner, arena, ret);
	if (query->call == NVE_ADMIN_DROPS)
		return reply_drops(env, arena, ret);
	add_tables(env, &tables);
	if (tables.full)
		return -ENOMEM;
	m.n_tables = tables.n;
	m.tables = (Nve__V1__Pool **)tables.list;
	return nve_codec_pack(&m.base, arena, ret);
}
