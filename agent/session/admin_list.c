/* SPDX-License-Identifier: Apache-2.0 */
/* The Admin service: lists that come in pieces, and dumps of tables. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "session/admin.h"
#include "session/codec_internal.h"

/* What one piece gathers. */
struct piece {
	const struct nve_admin_env *env;
	struct nve_admin_query *q;
	struct nve_arena *arena;
	size_t n;
	void *items[NVE_ADMIN_PIECE];
};

/* Addresses make entries large: a piece also ends when half of its memory is used. */
static bool has_room(const struct piece *p)
{
	return p->n < NVE_ADMIN_PIECE && p->arena->total < NVE_ARENA_LIMIT / 2;
}

static const char *port_name(const struct nve_admin_env *env, uint16_t slot)
{
	return slot < nve_engine_n_ports(env->engine) ? nve_engine_port(env->engine, slot)->dp.name
						      : "";
}

static void fill_port_use(const struct piece *p, uint16_t slot, Nve__V1__Port *m)
{
	const struct nve_core *core = nve_engine_core(p->env->engine);
	uint32_t cursor = 0, n_tsi, n_activated;
	const struct nve_vap *vap;

	while ((vap = nve_core_next_vap(core, &cursor))) {
		if (vap->port != slot ||
		    !nve_authz_sees_vap(p->env->authz, p->q->owner, vap, &n_tsi, &n_activated))
			continue;
		m->vaps++;
		m->tsis += n_tsi;
	}
}

static int add_port(struct piece *p, uint16_t slot)
{
	const struct nve_engine_port *port = nve_engine_port(p->env->engine, slot);
	bool access = port->dp.role == NVE_DP_ACCESS;
	struct nve_dp_port_status *st = nve_arena_zalloc(p->arena, 1, sizeof(*st));
	Nve__V1__Port *m = nve_arena_alloc(p->arena, sizeof(*m));
	const struct nve_dp_ops *ops;
	struct nve_dp *dp;

	if (!m || !st)
		return -ENOMEM;
	nve__v1__port__init(m);
	m->name = (char *)port->dp.name;
	m->ifname = (char *)port->dp.ifname;
	m->role = (char *)(access ? "access" : "underlay");
	if (access)
		m->scope = (char *)nve_engine_scope_name(p->env->engine, port->scope);
	ops = nve_engine_dp(p->env->engine, &dp);
	if (ops->port_status(dp, slot, st) == 0) {
		m->up = st->up;
		m->mode = (char *)(st->mode == NVE_DP_XDP ? "xdp" : "tc");
		m->why = st->why;
		m->ifindex = st->ifindex;
	}
	fill_port_use(p, slot, m);
	p->items[p->n++] = m;
	return 0;
}

static int next_ports(struct piece *p)
{
	for (; p->q->cursor < nve_engine_n_ports(p->env->engine) && has_room(p); p->q->cursor++) {
		uint16_t slot = (uint16_t)p->q->cursor;

		if ((p->q->port == NVE_PORT_NONE || p->q->port == slot) &&
		    nve_authz_sees_port(p->env->authz, p->q->owner, slot) && add_port(p, slot) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int fill_vn_context(struct piece *p, const struct nve_vn_context *vn, Nve__V1__Vap *m)
{
	ProtobufCBinaryData *vteps = nve_arena_alloc(p->arena, vn->n_vteps * sizeof(*vteps));
	struct nve_ip *ips = nve_arena_alloc(p->arena, vn->n_vteps * sizeof(*ips));

	if (!vteps || !ips)
		return -ENOMEM;
	for (uint32_t i = 0; i < vn->n_vteps; i++) {
		ips[i] = vn->vteps[i];
		vteps[i].data = ips[i].bytes;
		vteps[i].len = ips[i].family == 6 ? 16 : 4;
	}
	m->vn_name = (char *)vn->name;
	m->vni = vn->vni;
	m->n_vteps = vn->n_vteps;
	m->vteps = vteps;
	m->encap = (char *)(vn->encap == NVE_NVA_GENEVE ? "geneve" : "vxlan");
	m->mtu = nve_engine_tenant_mtu(p->env->engine, vn);
	return 0;
}

static int add_vap(struct piece *p, const struct nve_vap *vap, uint32_t n_tsi, uint32_t n_activated)
{
	const struct nve_vn_context *vn = nve_engine_vn(p->env->engine, vap->vn_id);
	Nve__V1__Vap *m = nve_arena_alloc(p->arena, sizeof(*m));

	if (!m)
		return -ENOMEM;
	nve__v1__vap__init(m);
	if (vn && fill_vn_context(p, vn, m) < 0)
		return -ENOMEM;
	m->vn_id = vap->vn_id;
	m->port = (char *)port_name(p->env, vap->port);
	m->tag = vap->tag;
	m->tsis = n_tsi;
	m->activated = n_activated;
	m->connected_explicitly = vap->connected_explicitly;
	p->items[p->n++] = m;
	return 0;
}

static int next_vns(struct piece *p)
{
	const struct nve_core *core = nve_engine_core(p->env->engine);
	uint32_t n_tsi, n_activated;
	const struct nve_vap *vap;

	while (has_room(p) && (vap = nve_core_next_vap(core, &p->q->cursor))) {
		if ((p->q->port != NVE_PORT_NONE && p->q->port != vap->port) ||
		    (p->q->has_vn && p->q->vn_id != vap->vn_id) ||
		    !nve_authz_sees_vap(p->env->authz, p->q->owner, vap, &n_tsi, &n_activated))
			continue;
		if (add_vap(p, vap, n_tsi, n_activated) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int fill_addresses(struct piece *p, uint32_t slot, uint32_t n, Nve__V1__Tsi *m)
{
	struct entry {
		Nve__V1__TsiAddress outer;
		Nve__V1__Address inner;
	} *e = nve_arena_alloc(p->arena, n * sizeof(*e));
	struct nve_tsi_addr *addrs = nve_arena_alloc(p->arena, n * sizeof(*addrs));
	Nve__V1__TsiAddress **list = nve_arena_alloc(p->arena, n * sizeof(*list));
	struct nve_tsi_addr all[NVE_TSI_ADDRS_MAX];
	size_t got = nve_core_tsi_addrs(nve_engine_core(p->env->engine), slot, all);

	if (!e || !addrs || !list)
		return -ENOMEM;
	memcpy(addrs, all, n * sizeof(*addrs));
	for (size_t i = 0; i < n && i < got; i++) {
		struct nve_addr *a = &addrs[i].addr;

		nve__v1__address__init(&e[i].inner);
		nve__v1__tsi_address__init(&e[i].outer);
		if (a->flags & NVE_ADDR_MAC)
			e[i].inner.mac = (ProtobufCBinaryData){ NVE_MAC_LEN, a->mac };
		if (a->flags & (NVE_ADDR_IPV4 | NVE_ADDR_IPV6))
			e[i].inner.ip =
				(ProtobufCBinaryData){ a->flags & NVE_ADDR_IPV4 ? 4 : 16, a->ip };
		e[i].outer.address = &e[i].inner;
		e[i].outer.active = addrs[i].active;
		e[i].outer.gleaned = addrs[i].gleaned;
		list[i] = &e[i].outer;
		m->n_addresses++;
	}
	m->addresses = list;
	return 0;
}

struct drops {
	struct nve_arena *arena;
	size_t n;
	Nve__V1__Drop *list[128];
};

static void add_drop(void *arg, const char *name, const char *text, uint64_t frames)
{
	struct drops *d = arg;
	Nve__V1__Drop *m;

	if (frames == 0 || d->n == sizeof(d->list) / sizeof(d->list[0]))
		return;
	m = nve_arena_alloc(d->arena, sizeof(*m));
	if (!m)
		return;
	nve__v1__drop__init(m);
	m->reason = (char *)name;
	m->text = (char *)text;
	m->frames = frames;
	d->list[d->n++] = m;
}

static int fill_statistics(struct piece *p, uint32_t slot, Nve__V1__Tsi *m)
{
	Nve__V1__TsiStatistics *s = nve_arena_alloc(p->arena, sizeof(*s));
	struct drops *d = nve_arena_zalloc(p->arena, 1, sizeof(*d));
	struct nve_dp_tsi_stats stats;
	const struct nve_dp_ops *ops;
	struct nve_dp *dp;

	if (!s || !d)
		return -ENOMEM;
	ops = nve_engine_dp(p->env->engine, &dp);
	if (ops->tsi_stats(dp, slot, &stats) < 0)
		return 0;
	d->arena = p->arena;
	nve__v1__tsi_statistics__init(s);
	s->in_frames = stats.in.frames;
	s->in_bytes = stats.in.bytes;
	s->out_frames = stats.out.frames;
	s->out_bytes = stats.out.bytes;
	s->dropped = stats.dropped;
	ops->tsi_drops(dp, slot, add_drop, d);
	s->n_drops = d->n;
	s->drops = d->list;
	m->statistics = s;
	return 0;
}

static uint64_t monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void fill_times(const struct nve_tsi *tsi, Nve__V1__Tsi *m)
{
	uint64_t now = monotonic_ns();

	m->state_age_ms = now > tsi->since_ns ? (now - tsi->since_ns) / 1000000 : 0;
	if (tsi->deadline_ns != NVE_NEVER_NS) /* 0 would say "off" */
		m->timer_left_ms =
			tsi->deadline_ns > now ? (tsi->deadline_ns - now) / 1000000 + 1 : 1;
	m->keepalive_ms = tsi->keepalive_ms;
	m->keepactive_ms = tsi->keepactive_ms;
}

static int add_tsi(struct piece *p, uint32_t slot, const struct nve_tsi *tsi)
{
	struct entry {
		Nve__V1__Tsi tsi;
		Nve__V1__TsiKey key;
		Nve__V1__VnRef vn;
		struct nve_tsi_id id;
		struct nve_codec_qos qos;
	} *e = nve_arena_alloc(p->arena, sizeof(*e));
	const struct nve_core *core = nve_engine_core(p->env->engine);
	const struct nve_vap *vap = nve_core_vap(core, tsi->key.port, tsi->key.vn_id);
	const struct nve_vn_context *vn = nve_engine_vn(p->env->engine, tsi->key.vn_id);

	if (!e)
		return -ENOMEM;
	nve__v1__tsi__init(&e->tsi);
	nve__v1__tsi_key__init(&e->key);
	nve__v1__vn_ref__init(&e->vn);
	e->id = tsi->key.id;
	e->vn.vn_case = NVE__V1__VN_REF__VN_ID;
	e->vn.id = tsi->key.vn_id;
	e->key.tsi_id = (ProtobufCBinaryData){ NVE_TSI_ID_LEN, e->id.bytes };
	e->key.port = (char *)port_name(p->env, tsi->key.port);
	e->key.vn = &e->vn;
	e->tsi.key = &e->key;
	e->tsi.state = (Nve__V1__TsiState)tsi->state;
	e->tsi.cause = (Nve__V1__Cause)tsi->cause;
	e->tsi.vn_name = (char *)(vn ? vn->name : "");
	e->tsi.tag = vap ? vap->tag : 0;
	e->tsi.epoch = tsi->epoch;
	e->tsi.slot = slot;
	e->tsi.owner = (char *)nve_engine_owner_name(p->env->engine, tsi->owner);
	e->tsi.glean_max = tsi->glean_max;
	e->tsi.glean_age_ms = tsi->glean_max ? tsi->glean_age_ms : 0;
	e->tsi.qos = nve_encode_qos(&tsi->qos, &e->qos);
	fill_times(tsi, &e->tsi);
	if (fill_addresses(p, slot, tsi->n_addrs, &e->tsi) < 0 ||
	    (p->q->statistics && fill_statistics(p, slot, &e->tsi) < 0))
		return -ENOMEM;
	p->items[p->n++] = &e->tsi;
	return 0;
}

static int next_tsis(struct piece *p)
{
	const struct nve_core *core = nve_engine_core(p->env->engine);
	const struct nve_tsi *tsi;
	uint32_t slot;

	while (has_room(p) && (tsi = nve_core_next_tsi(core, &p->q->cursor, &slot))) {
		if ((p->q->port != NVE_PORT_NONE && p->q->port != tsi->key.port) ||
		    (p->q->has_vn && p->q->vn_id != tsi->key.vn_id) ||
		    (p->q->has_tsi && memcmp(&p->q->tsi, &tsi->key.id, sizeof(p->q->tsi)) != 0) ||
		    !nve_authz_sees_tsi(p->env->authz, p->q->owner, tsi))
			continue;
		if (add_tsi(p, slot, tsi) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int pack_piece(struct piece *p, struct nve_bytes *ret)
{
	Nve__V1__ListPortsReply ports = NVE__V1__LIST_PORTS_REPLY__INIT;
	Nve__V1__ListTsisReply tsis = NVE__V1__LIST_TSIS_REPLY__INIT;
	Nve__V1__ListVnsReply vns = NVE__V1__LIST_VNS_REPLY__INIT;

	switch (p->q->call) {
	case NVE_ADMIN_PORTS:
		ports.n_ports = p->n;
		ports.ports = (Nve__V1__Port **)p->items;
		return nve_codec_pack(&ports.base, p->arena, ret);
	case NVE_ADMIN_VNS:
		vns.n_vaps = p->n;
		vns.vaps = (Nve__V1__Vap **)p->items;
		return nve_codec_pack(&vns.base, p->arena, ret);
	default:
		tsis.n_tsis = p->n;
		tsis.tsis = (Nve__V1__Tsi **)p->items;
		return nve_codec_pack(&tsis.base, p->arena, ret);
	}
}

int nve_admin_next(const struct nve_admin_env *env, struct nve_admin_query *query,
		   struct nve_arena *arena, struct nve_bytes *ret, struct nve_refusal *why)
{
	struct piece p = { .env = env, .q = query, .arena = arena };
	int r;

	if (query->has_vn && query->vn_name[0]) {
		const struct nve_vn_context *vn =
			nve_engine_vn_by_name(env->engine, query->vn_name);

		/* Who may not know of it is not told that it is there. */
		if (!vn || !nve_authz_sees_vn(env->authz, query->owner, vn->vn_id, vn->name)) {
			nve_refusal_init(why, NVE_REASON_UNKNOWN_VN);
			return -EBADMSG;
		}
		query->vn_id = vn->vn_id;
	}
	r = query->call == NVE_ADMIN_PORTS ? next_ports(&p)
	    : query->call == NVE_ADMIN_VNS ? next_vns(&p)
					   : next_tsis(&p);
	if (r < 0)
		return r;
	if (p.n == 0)
		return 0;
	r = pack_piece(&p, ret);
	return r < 0 ? r : 1;
}
