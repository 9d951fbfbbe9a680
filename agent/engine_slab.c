/* SPDX-License-Identifier: Apache-2.0 */
#include "engine_slab.h"

#include <stdlib.h>
#include <string.h>

static int add_chunk(struct nve_slab *slab)
{
	void **chunks = reallocarray(slab->chunks, slab->n_chunks + 1, sizeof(*chunks));
	void *chunk;

	if (!chunks)
		return -1;
	slab->chunks = chunks;
	chunk = calloc(NVE_SLAB_CHUNK, slab->size);
	if (!chunk)
		return -1;
	slab->chunks[slab->n_chunks++] = chunk;
	return 0;
}

uint32_t nve_slab_take(struct nve_slab *slab)
{
	uint32_t number = slab->free;

	if (number) {
		uint32_t *object = nve_slab_at(slab, number);

		slab->free = *object;
		memset(object, 0, slab->size);
		return number;
	}
	if (slab->used == slab->n_chunks * NVE_SLAB_CHUNK && add_chunk(slab) < 0)
		return 0;
	return ++slab->used;
}

void nve_slab_give(struct nve_slab *slab, uint32_t number)
{
	*(uint32_t *)nve_slab_at(slab, number) = slab->free;
	slab->free = number;
}

void nve_slab_clear(struct nve_slab *slab)
{
	for (uint32_t i = 0; i < slab->n_chunks; i++)
		free(slab->chunks[i]);
	free(slab->chunks);
	*slab = (struct nve_slab){ .size = slab->size };
}
