/* SPDX-License-Identifier: Apache-2.0 */
/* One run of the agent, from a checked configuration to the exit code. */
#pragma once

#include "config.h"

/* Part of the interface of nved(8): numbers never change. */
enum nve_exit {
	NVE_EXIT_OK = 0,
	NVE_EXIT_FAILURE = 1, /* anything else that went wrong at run time */
	NVE_EXIT_USAGE = 2,
	NVE_EXIT_CONFIG = 3,   /* nved.yaml, or the NVA's source */
	NVE_EXIT_RUNNING = 4,  /* another agent has the datapath, the store or a listener */
	NVE_EXIT_DATAPATH = 5, /* cannot load it, or attach a port */
	NVE_EXIT_STORE = 6,
};

/* The backends that 'config' names. */
struct nve_backends {
	const struct nve_dp_ops *dp;
	const struct nve_nva_ops *nva;
	const struct nve_store_ops *store;
};

/* Starts, serves until told to stop, and stops; logs what goes wrong. */
enum nve_exit nve_daemon_run(const struct nve_config *config, const struct nve_backends *backends,
			     const char *version);

/* Unloads the datapath of config->pin_dir; refused while an agent has it. */
enum nve_exit nve_daemon_flush(const struct nve_config *config,
			       const struct nve_backends *backends);
