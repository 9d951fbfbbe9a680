/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shell around the core: takes requests, runs the core, and carries its actions out through
 * store, datapath and NVA.  The only place that joins them; knows no front end.
 *
 * Requests are gathered and run in turns.  One turn (D11):
 *   1. each request in order: the VN's context from the NVA, then the core's check and step, then
 *      room in the datapath (its set functions); a failure refuses that request alone, undone at
 *      once, before the next is looked at;
 *   2. one store transaction for the whole turn, committed;
 *   3. the datapath's apply(): what a frame can see changes only now;
 *   4. publication to the NVA;
 *   5. replies, in order.
 * If 2, 3 or 4 fails, the whole turn is taken back (core, store, datapath, NVA) and its requests
 * are run again one a turn, so that only the guilty one is refused, with the reason of its step.
 *
 * One thread, the loop's.  Time is an argument: CLOCK_MONOTONIC, nanoseconds.
 */
#pragma once

#include "core/core.h"
#include "dp/dp.h"
#include "engine_check.h"
#include "nva/nva.h"
#include "store/store.h"

struct nve_engine;

enum { NVE_IDENTITY_TEXT_MAX = 255 };

/* One configured port, access or underlay; its slot is its place in the table. */
struct nve_engine_port {
	struct nve_dp_port dp;
	uint16_t scope; /* access ports: index into the scopes; else NVE_PORT_NONE */
};

struct nve_engine_scope {
	char name[NVE_NAME_MAX + 1];
	struct nve_scope_config tags;
};

struct nve_engine_config {
	uint32_t n_ports;
	const struct nve_engine_port *ports; /* copied */
	uint32_t n_scopes;
	const struct nve_engine_scope *scopes; /* copied */
	struct nve_owner_usage per_owner; /* the most that each may have; 0 = as much as there is */
	struct nve_core_config core;      /* n_ports, n_scopes, scopes, port_scope are filled in */
	const struct nve_dp_ops *dp_ops;
	struct nve_dp_config dp;
	const struct nve_nva_ops *nva_ops;
	struct nve_nva_config nva; /* callbacks are filled in */
	const struct nve_store_ops *store_ops;
	struct nve_store_config store;
	struct nve_engine_check_config check;
	uint64_t (*realtime_ns)(void); /* for the store; NULL = clock_gettime */
};

/*
 * Opens NVA, store and datapath, restores the core, attaches the ports and brings the datapath in
 * line with the intent.  '*err' as in dp.h; on failure everything is closed again and the
 * datapath's tables are as they were.
 */
int nve_engine_open(const struct nve_engine_config *config, uint64_t now_ns,
		    struct nve_engine **ret, char **err);
/* Answers what is queued with SHUTTING_DOWN, closes all three; the datapath forwards on. */
void nve_engine_close(struct nve_engine *engine);

/*
 * One request of a client.  The memory and all it points to are the caller's, and must stay until
 * done() is called, which happens exactly once, on the loop's thread, never from within submit().
 */
struct nve_request {
	struct nve_event ev; /* vn_id 0 if vn_name says which VN; now_ns and epoch are filled in */
	char vn_name[NVE_NAME_MAX + 1]; /* "" = ev.key.vn_id counts */
	char client[NVE_NAME_MAX + 1];  /* for logs and events */
	const char
		*identity; /* what was proven of it (session/peer.h), for the audit log; or NULL */
	void (*done)(struct nve_request *req, const struct nve_answer *answer);
	/* The engine's until done(). */
	struct nve_request *next;
	struct nve_answer answer;
};

void nve_engine_submit(struct nve_engine *engine, struct nve_request *req);
/* Runs what was submitted, and the timers that are due; as many turns as it takes. */
void nve_engine_run(struct nve_engine *engine, uint64_t now_ns);
/* When nve_engine_run() must be called next if nothing is submitted; NVE_NEVER_NS = not. */
uint64_t nve_engine_next_deadline(const struct nve_engine *engine);

/*
 * Would these fit?  Each is checked and takes room as if those before it were done and kept; then
 * all is as it was.  The answer of one is in it when next() is called again.  Between runs.
 */
struct nve_plan {
	struct nve_request *(*next)(void *arg); /* NULL: no more; its done() is not called */
	void (*peek)(void *arg);                /* now usage and tables are as they would be */
	void *arg;
};
void nve_engine_plan(struct nve_engine *engine, const struct nve_plan *plan);

/* SIGHUP: the NVA reads its source again. */
int nve_engine_reload(struct nve_engine *engine, uint64_t now_ns, char **err);

/* What watchers are told, in the order it became durable and visible. */
struct nve_engine_event {
	uint64_t seq; /* rises by one */
	uint64_t realtime_ns;
	struct nve_notice notice;
	const char *client;   /* who asked; "" for the NVE itself */
	const char *identity; /* what was proven of them; "" = nothing */
	uint32_t wait_ms;     /* DRAINING: what was announced */
	/* Which request did it, NULL if none: for comparing, its memory may be gone. */
	const struct nve_request *req;
};
typedef void nve_engine_event_fn(void *arg, const struct nve_engine_event *event);

struct nve_engine_watch {
	nve_engine_event_fn *fn; /* must not call back into the engine but to read */
	void *arg;
	struct nve_engine_watch *next; /* the engine's */
};
void nve_engine_watch(struct nve_engine *engine, struct nve_engine_watch *watch);
void nve_engine_unwatch(struct nve_engine *engine, struct nve_engine_watch *watch);

#include "engine_read.h"
