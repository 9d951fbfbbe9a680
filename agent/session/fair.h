/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose work is done next: the engine's thread is shared out between clients, and each client's
 * share between its streams and connections, by deficit round robin on both levels.  So one that
 * asks for much waits for itself, and another's request waits for at most one share of each
 * client that has work.  No lock here: the caller's holds.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Something to do on the engine's thread; the memory is the poster's until run() is called. */
struct nve_work {
	struct nve_work *next;
	void (*run)(struct nve_work *work);
	uint32_t cost; /* in requests; 0 counts as 1, above NVE_FAIR_COST_MAX as that */
	bool alone;    /* its client waits for this and nothing else, and it is soon done */
};

enum { NVE_FAIR_QUANTUM = 16, NVE_FAIR_COST_MAX = 64, NVE_FAIR_ALONE_MAX = 4 };

struct nve_flow;

/* Where work comes from; its own is done in order. */
struct nve_source {
	struct nve_work *head, **tail;
	struct nve_source *next; /* of its flow, while it has work */
	struct nve_flow *flow;   /* its client; NULL = the server's own */
	int32_t credit;
};

/* A client: its sources that have work. */
struct nve_flow {
	struct nve_source *head, **tail;
	struct nve_flow *next; /* while it has work */
	int32_t credit;
};

struct nve_fair {
	struct nve_flow *head, **tail;
	struct nve_flow own;
};

void nve_fair_init(struct nve_fair *fair);
/* Zeroed memory is a source without work, and a flow. */
void nve_fair_push(struct nve_fair *fair, struct nve_source *source, struct nve_work *work);
bool nve_fair_empty(const struct nve_fair *fair);
/* Takes the next piece of work; NULL if there is none. */
struct nve_work *nve_fair_take(struct nve_fair *fair);
