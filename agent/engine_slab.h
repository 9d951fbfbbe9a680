/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects of one size, known by a number: for tables of which there may be a million entries, where
 * malloc's rounding and pointers of eight bytes would be a third of the memory.  Grows, never
 * shrinks; what is given back is the first to be taken again.  An object stays where it is.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { NVE_SLAB_CHUNK = 1024 }; /* objects that are allocated at a time */

struct nve_slab {
	size_t size; /* of an object; at least 4, a multiple of its alignment.  Set this, the rest 0
		      */
	void **chunks;
	uint32_t n_chunks;
	uint32_t used; /* objects that were ever taken */
	uint32_t free; /* the first given back, or 0 */
};

/* A zeroed object's number, from 1; 0: no memory. */
uint32_t nve_slab_take(struct nve_slab *slab);
void nve_slab_give(struct nve_slab *slab, uint32_t number);
/* Frees all objects at once. */
void nve_slab_clear(struct nve_slab *slab);

/* NULL for 0, so that a chain of numbers ends as one of pointers does. */
static inline void *nve_slab_at(const struct nve_slab *slab, uint32_t number)
{
	uint32_t i = number - 1;

	if (!number)
		return NULL;
	return (char *)slab->chunks[i / NVE_SLAB_CHUNK] + i % NVE_SLAB_CHUNK * slab->size;
}
