/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Draining: a port, or the whole NVE, takes nothing new while what is there moves away.
 *
 * A port that drains refuses TSIs and VNs that are not there yet (DRAINING); what is there goes on
 * as before.  It is durable, and announced to watchers when it begins and when it is over.
 */
#pragma once

#include "engine.h"

struct nve_drain_request {
	uint16_t port; /* NVE_PORT_NONE = every access port */
	bool on;
	uint32_t
		wait_ms; /* announced: the NVE clears what is left after so long; 0 = it does not */
	const char *client, *identity;
};

/* 0, or the store's error, and then nothing has changed.  Repeating it announces it again. */
int nve_engine_drain(struct nve_engine *engine, const struct nve_drain_request *request);
/* Since when (CLOCK_REALTIME), 0 = it does not. */
uint64_t nve_engine_draining(const struct nve_engine *engine, uint16_t port);
/* Every access port drains. */
bool nve_engine_all_draining(const struct nve_engine *engine);

/*
 * Takes the datapath off the machine: links, programs, pins.  Only nve_engine_close() may follow.
 * 0 or -errno.
 */
int nve_engine_flush(struct nve_engine *engine);
