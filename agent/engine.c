/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, closing, and the order in which one run does its work.  The rest is in engine_*.c. */
#include "engine_internal.h"
#include "log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum { TURNS_A_RUN = 16 }; /* then the loop gets a chance to do other things */

static uint64_t clock_realtime(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * NVE_SEC_NS + (uint64_t)now.tv_nsec;
}

static void engine_free(struct nve_engine *e)
{
	if (!e)
		return;
	if (e->dp)
		e->dp_ops->close(e->dp);
	if (e->nva)
		e->nva_ops->close(e->nva);
	if (e->store)
		e->store_ops->close(e->store);
	if (e->core) {
		nve_vn_free_all(e);
		nve_neigh_free_all(e);
	}
	nve_core_free(e->core);
	nve_pub_free_all(e);
	nve_arrival_free_all(e);
	nve_owners_free(e);
	free(e->vteps);
	free(e->stored_deadlines);
	free(e->moved);
	free(e->bindings);
	free(e->keys);
	free(e->copy.list);
	free(e->late.list);
	free(e->ports);
	free(e->scopes);
	free(e);
}

static void freep(struct nve_engine **e)
{
	engine_free(*e);
}

/* Gives '*err' a message where a backend gave none. */
static int explain(char **err, const char *what, int r)
{
	if (r < 0 && err && !*err &&
	    asprintf(err, "%s: %s", what, strerrordesc_np(-r) ?: "unknown error") < 0)
		*err = NULL;
	return r;
}

static int make_core(struct nve_engine *e, const struct nve_engine_config *config)
{
	struct nve_core_config core = config->core;
	struct nve_scope_config *scopes = calloc(e->n_scopes + 1, sizeof(*scopes));
	uint16_t *port_scope = calloc(e->n_ports + 1, sizeof(*port_scope));
	int r = -ENOMEM;

	if (scopes && port_scope) {
		for (uint32_t i = 0; i < e->n_scopes; i++)
			scopes[i] = e->scopes[i].tags;
		for (uint32_t i = 0; i < e->n_ports; i++)
			port_scope[i] = e->ports[i].dp.role == NVE_DP_ACCESS ? e->ports[i].scope
									     : NVE_PORT_NONE;
		core.n_scopes = e->n_scopes;
		core.n_ports = e->n_ports;
		core.scopes = scopes;
		core.port_scope = port_scope;
		core.max_owners = NVE_ENGINE_OWNERS + 1;
		if (!core.hash_seed && getrandom(&core.hash_seed, sizeof(core.hash_seed), 0) < 0)
			core.hash_seed = (uintptr_t)e ^ e->realtime_offset;
		r = nve_core_new(&core, &e->core);
	}
	free(scopes);
	free(port_scope);
	return r;
}

static int engine_new(const struct nve_engine_config *config, uint64_t now_ns,
		      struct nve_engine **ret)
{
	__attribute__((cleanup(freep))) struct nve_engine *e = calloc(1, sizeof(*e));
	uint32_t n_tsis;
	int r;

	if (!e)
		return -ENOMEM;
	if (config->n_ports > NVE_PORTS_MAX)
		return -EINVAL;
	e->n_ports = config->n_ports;
	e->n_scopes = config->n_scopes;
	e->ports = calloc(config->n_ports + 1, sizeof(*e->ports));
	e->scopes = calloc(config->n_scopes + 1, sizeof(*e->scopes));
	e->vteps = calloc(config->dp.limits.max_vteps + 1, sizeof(*e->vteps));
	if (!e->ports || !e->scopes || !e->vteps)
		return -ENOMEM;
	for (uint32_t i = 0; i < e->n_ports; i++) {
		e->ports[i] = config->ports[i];
		e->ports[i].dp.slot = (uint16_t)i;
	}
	for (uint32_t i = 0; i < e->n_scopes; i++)
		e->scopes[i] = config->scopes[i];
	e->limits = config->dp.limits;
	e->per_owner = (struct nve_owner_usage){ config->per_owner.tsis ?: UINT32_MAX,
						 config->per_owner.addrs ?: UINT32_MAX,
						 config->per_owner.vaps ?: UINT32_MAX };
	e->local_vtep = config->dp.local_vtep;
	e->local_vtep6 = config->dp.local_vtep6;
	e->dp_ops = config->dp_ops;
	e->nva_ops = config->nva_ops;
	e->store_ops = config->store_ops;
	e->realtime_ns = config->realtime_ns ? config->realtime_ns : clock_realtime;
	e->now_ns = now_ns;
	e->realtime_offset = e->realtime_ns() - now_ns;
	e->queue_end = &e->queue;
	e->parked_end = &e->parked;
	e->resync_at_ns = e->keep_at_ns = NVE_NEVER_NS;
	r = make_core(e, config);
	if (r < 0)
		return r;
	e->pub_slab.size = sizeof(struct nve_pub);
	e->claim_slab.size = sizeof(struct nve_claim);
	n_tsis = nve_core_max_tsis(e->core);
	e->tsi_claims = calloc(n_tsis, sizeof(e->tsi_claims[0]));
	e->stored_deadlines = calloc(n_tsis, sizeof(*e->stored_deadlines));
	e->moved = calloc(n_tsis / NVE_STORED_DEADLINES + 1, sizeof(*e->moved));
	if (!e->tsi_claims || !e->stored_deadlines || !e->moved)
		return -ENOMEM;
	*ret = e;
	e = NULL;
	return 0;
}

static int open_backends(struct nve_engine *e, const struct nve_engine_config *config, char **err)
{
	struct nve_nva_config nva = config->nva;
	struct nve_dp_config dp = config->dp;
	int r;

	nva.callbacks =
		(struct nve_nva_callbacks){ nve_engine_vn_changed, nve_engine_mapping_changed, e };
	r = e->nva_ops->open(&nva, &e->nva, err);
	if (r < 0)
		return explain(err, "NVA", r);
	r = e->store_ops->open(&config->store, &e->store, err);
	if (r < 0)
		return explain(err, "store", r);
	dp.gleaned = nve_engine_gleaned;
	dp.gleaned_arg = e;
	r = e->dp_ops->open(&dp, &e->dp, err);
	return explain(err, "datapath", r);
}

static int attach_ports(struct nve_engine *e, char **err)
{
	int r = 0;

	for (uint32_t i = 0; i < e->n_ports && !r; i++) {
		char *why = NULL;

		r = e->dp_ops->port_set(e->dp, &e->ports[i].dp, &why);
		if (r < 0 && err &&
		    asprintf(err, "port %s: %s", e->ports[i].dp.name,
			     why ? why : strerrordesc_np(-r) ?: "unknown error") < 0)
			*err = NULL;
		free(why);
	}
	return r;
}

/* A VAP that TSIs alone held, and whose TSIs were dropped from the store, has no reason to be. */
static void drop_idle_vaps(struct nve_engine *e)
{
	struct nve_event ev = { .kind = NVE_EV_VN_DISCONNECT,
				.flags = NVE_EV_BY_NVE,
				.new_port = NVE_PORT_NONE,
				.now_ns = e->now_ns,
				.why = NVE_REASON_OPERATOR };
	const struct nve_vap *vap;
	uint32_t cursor = 0;

	while ((vap = nve_core_next_vap(e->core, &cursor))) {
		if (vap->connected_explicitly || vap->n_tsi)
			continue;
		ev.key.port = vap->port;
		ev.key.vn_id = vap->vn_id;
		e->n_items = 0;
		if (nve_own_step(e, &ev) != NVE_REASON_OK || nve_own_finish(e) != NVE_REASON_OK)
			return;
		cursor = 0; /* the table has changed */
	}
}

int nve_engine_open(const struct nve_engine_config *config, uint64_t now_ns,
		    struct nve_engine **ret, char **err)
{
	__attribute__((cleanup(freep))) struct nve_engine *e = NULL;
	struct nve_core_usage use;
	int r;

	if (err)
		*err = NULL;
	r = explain(err, "configuration", engine_new(config, now_ns, &e));
	if (r < 0)
		return r;
	r = open_backends(e, config, err);
	if (r < 0)
		return r;
	r = explain(err, "restoring from the store", nve_restore(e));
	if (r < 0)
		return r;
	r = attach_ports(e, err);
	if (r < 0)
		return r;
	r = explain(err, "bringing the datapath in line", nve_resync_dp(e));
	if (r < 0)
		return r;
	r = nve_pub_flush(e);
	if (r < 0) {
		nve_log(WARNING, "publication_late", LOG_E(r));
		e->backoff_ns = NVE_SEC_NS;
		e->resync_at_ns = now_ns + e->backoff_ns;
	}
	drop_idle_vaps(e);
	nve_keep_contexts(e);
	nve_deadlines_opened(e);
	nve_check_open(e, &config->check);
	nve_verify_restored(e);
	use = nve_core_usage(e->core);
	nve_log(INFO, "engine_open", LOG_S("datapath", e->dp_ops->name),
		LOG_S("nva", e->nva_ops->name), LOG_S("store", e->store_ops->name),
		LOG_U("ports", e->n_ports), LOG_U("vns", use.vns), LOG_U("vaps", use.vaps),
		LOG_U("tsis", use.tsis));
	*ret = e;
	e = NULL;
	return 0;
}

void nve_engine_close(struct nve_engine *engine)
{
	struct nve_request *req;

	if (!engine)
		return;
	if (engine->parked) {
		*engine->parked_end = engine->queue;
		if (!engine->queue)
			engine->queue_end = engine->parked_end;
		engine->queue = engine->parked;
		engine->parked = NULL;
	}
	while ((req = engine->queue)) {
		engine->queue = req->next;
		if (!engine->queue)
			engine->queue_end = &engine->queue;
		req->next = NULL;
		req->answer = (struct nve_answer){ .reason = NVE_REASON_SHUTTING_DOWN,
						   .slot = NVE_SLOT_NONE };
		nve_reply(engine, req);
	}
	engine_free(engine);
}

void nve_engine_submit(struct nve_engine *engine, struct nve_request *req)
{
	req->next = NULL;
	req->ev.now_ns = 0; /* since when it waits: not looked at yet */
	*engine->queue_end = req;
	engine->queue_end = &req->next;
}

/* Parked requests go before new ones, so that a client's order holds within one VN. */
static void unpark(struct nve_engine *e)
{
	if (!e->parked)
		return;
	*e->parked_end = e->queue;
	if (!e->queue)
		e->queue_end = e->parked_end;
	e->queue = e->parked;
	e->parked = NULL;
	e->parked_end = &e->parked;
}

static bool park_is_over(const struct nve_engine *e)
{
	return e->parked && e->now_ns - e->parked->ev.now_ns >= NVE_PARK_NS;
}

void nve_engine_run(struct nve_engine *engine, uint64_t now_ns)
{
	struct nve_engine *e = engine;

	e->now_ns = now_ns;
	e->realtime_offset = e->realtime_ns() - now_ns;
	nve_run_vns(e);
	if (e->unpark || park_is_over(e))
		unpark(e);
	e->unpark = false;
	for (int i = 0; i < TURNS_A_RUN && nve_turn_requests(e); i++)
		;
	nve_run_gleaned(e);
	nve_run_timers(e);
	nve_run_resync(e);
	nve_run_arrivals(e);
	nve_run_keep(e);
	nve_run_check(e);
}

uint64_t nve_engine_next_deadline(const struct nve_engine *engine)
{
	uint64_t timers = nve_core_next_deadline(engine->core), next;

	if (engine->queue || engine->unpark || engine->n_gleaned)
		return engine->now_ns;
	next = timers > engine->timers_after_ns ? timers : engine->timers_after_ns;
	if (timers == NVE_NEVER_NS)
		next = NVE_NEVER_NS;
	if (engine->parked && engine->parked->ev.now_ns + NVE_PARK_NS < next)
		next = engine->parked->ev.now_ns + NVE_PARK_NS;
	if (engine->vns_dirty && engine->vns_after_ns < next)
		next = engine->vns_after_ns;
	if (engine->keep_at_ns < next)
		next = engine->keep_at_ns;
	if (engine->arrivals && engine->arrivals_after_ns < next)
		next = engine->arrivals_after_ns;
	if (engine->check.at_ns < next)
		next = engine->check.at_ns;
	return engine->resync_at_ns < next ? engine->resync_at_ns : next;
}

int nve_engine_reload(struct nve_engine *engine, uint64_t now_ns, char **err)
{
	int r = engine->nva_ops->reload(engine->nva, err);

	if (r < 0)
		return r;
	nve_engine_run(engine, now_ns);
	return 0;
}
