/* SPDX-License-Identifier: Apache-2.0 */
/* Part of engine.h: the check of the datapath (dp/dp_check.h), in the background and on request. */
#pragma once

#include "dp/dp_check.h"

struct nve_engine;

struct nve_engine_check_config {
	uint32_t interval_s; /* a pass begins so often; 0: none does by itself */
	uint32_t rows_per_s; /* that a pass looks at, at most; not 0 */
	bool only_tell;      /* what is found is counted and logged, and not mended */
};

enum { NVE_CHECK_TABLES = 32 };
/* Since the start, of passes of both kinds. */
struct nve_engine_checks {
	uint64_t passes;            /* that came to their end */
	uint64_t rows;              /* looked at */
	uint64_t last_realtime_ns;  /* when the last pass in the background ended; 0: none did */
	uint64_t last_found;        /* in that pass */
	uint64_t took_ns, worst_ns; /* all slices of the background together; the longest */
	struct nve_check_count {
		const char *table; /* static; NULL: the list ends here */
		uint64_t found, mended;
	} tables[NVE_CHECK_TABLES + 1];
};
const struct nve_engine_checks *nve_engine_checks(const struct nve_engine *engine);

/* As the datapath's check; what is found is counted and logged, too. */
int nve_engine_check(struct nve_engine *engine, struct nve_dp_check *check, uint32_t rows,
		     nve_dp_diff_fn *fn, void *arg);
