/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What may be wrong with an NVE and its machine, each with its remedy: Admin.Doctor, and what
 * nvectl finds by itself where no agent runs.  Looks, and changes nothing.
 */
#pragma once

#include <stdint.h>

struct nve_config;
struct nve_engine;

enum nve_doctor_health {
	NVE_DOCTOR_OK,
	NVE_DOCTOR_WARN, /* works, not as well as it could, or not for long */
	NVE_DOCTOR_FAIL, /* does not work */
};

/* The strings stay until the function that is told returns. */
struct nve_finding {
	uint8_t health;      /* enum nve_doctor_health */
	const char *check;   /* "bpffs", .. */
	const char *subject; /* a port, a table, a path; "" = the NVE as a whole */
	const char *text;    /* what was found */
	const char *remedy;  /* "" if it is ok */
};
typedef void nve_finding_fn(void *arg, const struct nve_finding *finding);

/*
 * What the machine tells: kernel, file systems, clock, interfaces.  With 'config' NULL, only what
 * needs none.
 */
void nve_doctor_host(const struct nve_config *config, nve_finding_fn *fn, void *arg);
/* What an agent that runs tells: its rights and limits, its datapath.  On the engine's thread. */
void nve_doctor_agent(const struct nve_config *config, struct nve_engine *engine,
		      nve_finding_fn *fn, void *arg);
/* Where no agent answers: the configuration at 'path', and the host by it. */
void nve_doctor_offline(const char *path, nve_finding_fn *fn, void *arg);
