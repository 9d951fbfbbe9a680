/* SPDX-License-Identifier: Apache-2.0 */
/* A bump allocator; knows protobuf-c's allocator interface and nothing else. */
#include "session/arena.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGN = 16, CHUNK_MIN = 8192 };

struct nve_arena_chunk {
	struct nve_arena_chunk *next;
	_Alignas(ALIGN) uint8_t bytes[];
};

static void *pb_alloc(void *arena, size_t size)
{
	return nve_arena_alloc(arena, size);
}

static void pb_free(void *arena, void *p)
{
	(void)arena;
	(void)p;
}

void nve_arena_init(struct nve_arena *arena)
{
	arena->pb = (ProtobufCAllocator){ pb_alloc, pb_free, arena };
	arena->chunks = NULL;
	arena->at = arena->first;
	arena->end = arena->first + sizeof(arena->first);
	arena->total = 0;
	arena->full = false;
}

/* Chunks double, so that a large request costs few of them. */
static bool grow(struct nve_arena *arena, size_t size)
{
	size_t want = arena->total > CHUNK_MIN ? arena->total : CHUNK_MIN;
	struct nve_arena_chunk *chunk;

	if (want < size)
		want = size;
	if (want > NVE_ARENA_LIMIT - arena->total)
		want = NVE_ARENA_LIMIT - arena->total;
	chunk = want >= size ? malloc(sizeof(*chunk) + want) : NULL;
	if (!chunk) {
		arena->full = true;
		return false;
	}
	chunk->next = arena->chunks;
	arena->chunks = chunk;
	arena->at = chunk->bytes;
	arena->end = chunk->bytes + want;
	arena->total += want;
	return true;
}

void *nve_arena_alloc(struct nve_arena *arena, size_t size)
{
	void *p;

	if (size > NVE_ARENA_LIMIT) {
		arena->full = true;
		return NULL;
	}
	size = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if (size > (size_t)(arena->end - arena->at) && !grow(arena, size))
		return NULL;
	p = arena->at;
	arena->at += size;
	return p;
}

void *nve_arena_zalloc(struct nve_arena *arena, size_t n, size_t size)
{
	size_t bytes;
	void *p;

	if (__builtin_mul_overflow(n, size, &bytes)) {
		arena->full = true;
		return NULL;
	}
	p = nve_arena_alloc(arena, bytes);
	return p ? memset(p, 0, bytes) : NULL;
}

void nve_arena_reset(struct nve_arena *arena)
{
	struct nve_arena_chunk *chunk;

	while ((chunk = arena->chunks)) {
		arena->chunks = chunk->next;
		free(chunk);
	}
	nve_arena_init(arena);
}
