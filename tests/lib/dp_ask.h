/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions to the eBPF datapath (why of dp.h), for tests: each is held to change nothing, and can
 * be held against what the live programs then do.  Functions assert (cmocka).
 */
#pragma once

#include "lib/dp_probe.h"

struct said {
	struct nve_dp_why why;
	char tables[4096]; /* "src tsi fdb! vtep": ! for no such row */
	uint32_t sent, lost;
	char last_key[256], last_value[4096];
};

/* Takes the steps of why() into a struct said. */
void dp_ask_step(void *arg, const struct nve_dp_step *step);
/* Asks; that must have changed no table and sent no frame.  Valid until the next question. */
struct said *dp_ask(struct dpw *w, uint16_t port, const struct frame *f);
struct said *dp_ask_bytes(struct dpw *w, uint16_t port, const uint8_t *bytes, size_t len);
/* Asks, then lets it happen: verdict, reason and frame must be the same. */
struct said *dp_ask_agrees(struct dpw *w, uint16_t port, const struct frame *f);
/* What the live programs do with the frame: a verdict, and the reason they count. */
uint8_t dp_ask_live(struct dpw *w, uint16_t port, const struct frame *f, struct frame *out,
		    const char **reason);
/* A hash over all that is in the tables, counters and 'seen' included. */
uint64_t dp_ask_tables(struct dpw *w);

/* Lets it happen with near and without: the same must come of it.  False: something else did. */
bool dp_ask_near_agrees(struct dpw *w, uint16_t port, const struct frame *f);
