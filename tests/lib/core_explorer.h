/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Visits every reachable state of a small world, breadth first, and tries every event in each.
 *
 * Two states count as one if they differ only in absolute times and epochs, in slots, and in the
 * order of what lies unused: none of that decides what an event does.  All timers that run may run
 * out next, in any order: the deadline is waited for.
 */
#pragma once

#include "lib/core_model.h"

enum { PROBES_MAX = 256, WORLD_ADDRS_MAX = 4 };

enum probe_time {
	PROBE_NOW,
	PROBE_AT_DEADLINE,
	PROBE_EARLY, /* one nanosecond before it, if that is still to come */
};

/* One event to be tried; the explorer fills in time, epoch and the slot that is due. */
struct probe {
	struct nve_event ev;
	enum probe_time time;
};

struct small_world {
	const char *name;
	struct nve_core_config config;
	unsigned int n_ports, n_vns, n_ids, n_addrs;
	bool gleans;
	struct nve_addr addrs[WORLD_ADDRS_MAX];
	struct probe probes[PROBES_MAX];
	unsigned int n_probes;
};

struct exploration {
	size_t n_states;
	size_t n_steps;
	size_t n_accepted;
	size_t n_unexpanded; /* states found but not tried with every event: none */
	size_t visited[NVE_TSI_STATES][NVE_EVENTS];
};

void world_probe(struct small_world *world, enum probe_time time, struct nve_event ev);
/* Explores until no new state is found; fails the test at the first fault. */
void explore(const struct small_world *world, struct exploration *found);
