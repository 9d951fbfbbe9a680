/* SPDX-License-Identifier: Apache-2.0 */
/* Draining, and the end of the datapath. */
#include "engine_drain.h"

#include "engine_internal.h"

#include <stdio.h>

enum { SETTING_MAX = 80 };

static void setting_of(const struct nve_engine *e, uint32_t port, char out[SETTING_MAX])
{
	snprintf(out, SETTING_MAX, "drain:%s", e->ports[port].dp.name);
}

static bool concerns(const struct nve_engine *e, const struct nve_drain_request *r, uint32_t port)
{
	return e->ports[port].dp.role == NVE_DP_ACCESS &&
	       (r->port == NVE_PORT_NONE || r->port == port);
}

static int store(struct nve_engine *e, const struct nve_drain_request *request, uint64_t since)
{
	char name[SETTING_MAX];
	int r = e->store_ops->begin(e->store);

	for (uint32_t port = 0; port < e->n_ports && !r; port++) {
		uint64_t was = e->draining_ns[port];

		setting_of(e, port, name);
		if (concerns(e, request, port) && !was != !since)
			r = e->store_ops->put_setting(e->store, name, since);
	}
	return r ? r : e->store_ops->commit(e->store);
}

static void tell(struct nve_engine *e, const struct nve_drain_request *request, uint32_t port)
{
	struct nve_engine_event event = { .client = request->client,
					  .identity = request->identity,
					  .wait_ms = request->wait_ms };

	event.notice = (struct nve_notice){ .kind = NVE_NOTICE_DRAINING,
					    .to = request->on,
					    .by_nve = true,
					    .key.port = (uint16_t)port,
					    .new_port = NVE_PORT_NONE,
					    .reason = NVE_REASON_DRAINING };
	nve_tell(e, &event);
}

/* Who is told of one port may look at the others: first it is so, then it is told. */
int nve_engine_drain(struct nve_engine *e, const struct nve_drain_request *request)
{
	uint64_t since = request->on ? e->realtime_ns() : 0;
	bool tells[NVE_PORTS_MAX] = { false };
	int r = store(e, request, since);

	for (uint32_t port = 0; port < e->n_ports && !r; port++) {
		tells[port] = concerns(e, request, port) && (since || e->draining_ns[port]);
		if (tells[port] && (!since || !e->draining_ns[port]))
			e->draining_ns[port] = since;
	}
	for (uint32_t port = 0; port < e->n_ports; port++)
		if (tells[port])
			tell(e, request, port);
	return r;
}

uint64_t nve_engine_draining(const struct nve_engine *e, uint16_t port)
{
	return port < e->n_ports ? e->draining_ns[port] : 0;
}

bool nve_engine_all_draining(const struct nve_engine *e)
{
	bool any = false;

	for (uint32_t port = 0; port < e->n_ports; port++) {
		if (e->ports[port].dp.role != NVE_DP_ACCESS)
			continue;
		if (!e->draining_ns[port])
			return false;
		any = true;
	}
	return any;
}

bool nve_drain_lets(const struct nve_engine *e, const struct nve_event *ev)
{
	uint16_t port = ev->key.port;

	switch (ev->kind) {
	case NVE_EV_UPDATE:
		return ev->new_port == NVE_PORT_NONE || ev->new_port == port ||
		       !nve_engine_draining(e, ev->new_port);
	case NVE_EV_VN_CONNECT:
		return !nve_engine_draining(e, port) || nve_core_vap(e->core, port, ev->key.vn_id);
	case NVE_EV_ASSOCIATE:
	case NVE_EV_ACTIVATE:
		return !nve_engine_draining(e, port) ||
		       nve_core_find_tsi(e->core, &ev->key) != NVE_SLOT_NONE;
	default:
		return true;
	}
}

/* A port that is configured no more keeps its setting: it may come back. */
int nve_drain_restore(struct nve_engine *e)
{
	char name[SETTING_MAX];
	int r = 0;

	for (uint32_t port = 0; port < e->n_ports && !r; port++) {
		setting_of(e, port, name);
		r = e->store_ops->setting(e->store, name, &e->draining_ns[port]);
	}
	return r;
}

int nve_engine_flush(struct nve_engine *e)
{
	return e->dp_ops->flush(e->dp);
}
