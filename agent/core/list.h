/* SPDX-License-Identifier: Apache-2.0 */
/* Lists and pools of records by index, as they lie in the core's state; parts.h has what they do.
 */
#pragma once

#include <stdint.h>

struct nve_link {
	uint32_t next;
	uint32_t prev;
};

struct nve_list {
	uint32_t head;
	uint32_t tail;
};

/*
 * Hands out the least recently freed index once more than 'rest' are free, else the lowest
 * never-used one: so an index rests before it means something else, and yet a core that frees as
 * much as it takes does not walk through all its memory.
 */
struct nve_pool {
	uint32_t max;
	uint32_t rest;
	uint32_t used;
	uint32_t n_free; /* used before, and free now */
	uint32_t fresh;  /* no never-used index is below */
	uint32_t high;   /* no used one is at or above */
	struct nve_list free;
	uint32_t *next; /* 0 = never used, see list.c for the rest */
};
