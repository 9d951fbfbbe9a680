/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of the benchmark's world (plan.bpf.h), set up through agent/dp/dp.h as the agent does
 * it. Interfaces and routes are there already.  A failure ends the program with a message.
 */
#pragma once

#include <linux/types.h>

#include "dp/ebpf.h"
#include "plan.bpf.h"

struct bench_world {
	const char *access, *underlay; /* interfaces */
	uint8_t mode;                  /* enum nve_dp_mode */
	uint8_t net; /* this NVE is 192.0.net.self, VTEP k 192.0.net.(peers + k) */
	uint8_t self, peers;
	uint32_t n_tsis, n_vns, n_vteps;
	uint32_t local,
		remote; /* numbers of the first TSI here and of its peer (TSI i: plan.bpf.h) */
	bool by_mac;    /* no IPs are signaled */
};

__attribute__((noreturn, format(printf, 1, 2))) void bench_die(const char *format, ...);

/* Loads the programs, attaches them and fills the tables. */
struct nve_dp *bench_world_open(const struct bench_world *w);

/* Frames that the datapath has dropped, for all reasons. */
uint64_t bench_world_drops(struct nve_dp *dp);

/* What the generator is to send into that world; 'len' of a tenant's frame with its tag. */
struct bench_plan bench_world_plan(const struct bench_world *w, enum bench_shape shape,
				   uint32_t len, const uint8_t nve_mac[6],
				   const uint8_t hop_mac[6]);
