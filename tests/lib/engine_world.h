/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An engine with the fake datapath, a local NVA over a temporary file, and a store in memory, for
 * tests: requests by a line, and everything that can be seen from outside as one text.
 *
 * Ports: p1 and p2 behind one switch (scope "br"), p3 on its own (scope "p3"), u0 underlay.
 * VNs: 100 "blue" (remote 02:..:99 behind 192.0.2.2), 200 "green", 300 "closed" (fail-closed).
 */
#pragma once

#include "dp/fake.h"
#include "engine.h"
#include "store/memory.h"

#define SEC        1000000000ull
#define STORE_PATH "world"

enum { P1, P2, P3, U0 };

struct world {
	struct nve_engine *engine;
	struct nve_engine_config config;
	struct nve_engine_port ports[4];
	struct nve_engine_scope scopes[2];
	uint64_t now_ns;
	char yaml[64];
	struct nve_engine_watch watch;
	uint32_t n_events;
	struct nve_engine_event events[64]; /* the last ones; 'client' is not kept */
	char client[64];                    /* of the last event */
};

/* Which NVA call fails, and how; all zero: none. */
struct ew_nva_faults {
	unsigned publish_skip, publish_fail; /* the next so many succeed, so many more fail */
	int vn_error;                        /* of vn_by_id and vn_by_name */
};
extern struct ew_nva_faults ew_nva_faults;

void ew_init(struct world *w);  /* configured, the file written, not yet open */
void ew_open(struct world *w);  /* asserts that it opens */
void ew_close(struct world *w); /* the store stays: ew_open() is a restart */
void ew_done(struct world *w);  /* closes, and forgets store and file */
void ew_yaml(const struct world *w, const char *text); /* writes the NVA's file */
extern const char ew_vns[];

/* For cmocka: an open world in '*state', and its end. */
int ew_setup(void **state);
int ew_teardown(void **state);

struct nve_dp *ew_dp(const struct world *w);
struct nve_tsi_id ew_tsi_id(uint8_t n);
struct nve_addr ew_mac(uint8_t n);                /* 02:00:00:00:00:n */
struct nve_addr ew_mac_ip(uint8_t n, uint8_t ip); /* with 10.0.0.ip */
struct nve_addr ew_only_ip(uint8_t ip);

/* A request on the caller's stack: kind, TSI number, port, VN; the addresses are the caller's. */
struct call {
	struct nve_request req;
	struct nve_answer answer;
	unsigned answered; /* how often */
	unsigned *order;   /* counts up at each answer, if set */
	unsigned at;       /* its value then */
};
void ew_call_init(struct call *c, enum nve_event_kind kind, uint8_t tsi, uint16_t port,
		  uint32_t vn);
void ew_call_addrs(struct call *c, const struct nve_addr *addrs, uint32_t n);
void ew_call_submit(struct world *w, struct call *c);
void ew_run(struct world *w); /* at w->now_ns */
/* Submits, runs, and returns the reason of the answer. */
enum nve_reason ew_call(struct world *w, struct call *c);
/* The same in one line, with one MAC (0 = none given). */
enum nve_reason ew_ask(struct world *w, enum nve_event_kind kind, uint8_t tsi, uint16_t port,
		       uint32_t vn, uint8_t mac);

/* All of core, store, datapath and publications as text; the caller frees it. */
char *ew_text(const struct world *w);
/* Asserts that it is as it was, and frees 'before'. */
void ew_is_as(const struct world *w, char *before);
/* Whether a frame from MAC 'src' at the VN's tag on 'port' to MAC 'dst' goes through. */
struct nve_fake_verdict ew_frame(const struct world *w, uint16_t port, uint32_t vn, uint8_t src,
				 uint8_t dst);
/* "forwarding", "mapping" or "withdrawn". */
const char *ew_published(const struct world *w, uint32_t vn, struct nve_addr addr);
/* What the NVA was told and not told to forget. */
void ew_each_heard(nve_published_fn *fn, void *arg);
/* The TSI's state. */
uint8_t ew_state_of(const struct world *w, uint8_t tsi, uint16_t port, uint32_t vn);
/* Runs whenever the engine wants to, up to 'until'. */
void ew_run_until(struct world *w, uint64_t until);
/* Entries in use of a table of the datapath. */
uint64_t ew_used(const struct world *w, const char *table);
