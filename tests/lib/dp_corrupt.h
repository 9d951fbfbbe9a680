/* SPDX-License-Identifier: Apache-2.0 */
/* Spoils rows of a datapath behind its back, as a stray tool could; see dp_world.h. */
#pragma once

#include "lib/dp_world.h"

/* One row of that table, in that way; false: it has none to spoil, or cannot differ in that way. */
bool dpx_spoil(struct dpw *w, const char *table, enum nve_dp_diff_kind how);

/* All rows of all tables but counters, as text; the caller frees it. */
char *dpx_snapshot(struct dpw *w);

/* A pass in slices of that many rows; what it told. */
struct dpx_found {
	uint32_t n, mended;
	uint8_t kind;   /* of the last */
	char table[32]; /* likewise */
	char want[512], have[512], key[128];
	uint64_t rows;
	uint32_t calls;
};
struct dpx_found dpx_check(struct dpw *w, bool repair, uint32_t slice);
