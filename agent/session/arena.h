/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory of one request: taken in small pieces, given back all at once.  It has a ceiling, so that
 * no message, however it is made up, unpacks into more than that.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Enough for a request with a few addresses and its reply: no malloc at all. */
enum { NVE_ARENA_INLINE = 2560, NVE_ARENA_LIMIT = 1 << 20 };

struct nve_arena_chunk;

struct nve_arena {
	ProtobufCAllocator pb; /* the same memory, as protobuf-c wants it */
	struct nve_arena_chunk *chunks;
	uint8_t *at;
	uint8_t *end;
	size_t total; /* taken from malloc */
	bool full;    /* the ceiling was met, or malloc failed */
	_Alignas(16) uint8_t first[NVE_ARENA_INLINE];
};

/* The arena must stay where it is from now on. */
void nve_arena_init(struct nve_arena *arena);
/* 16-byte aligned, not cleared; NULL when full.  Valid until reset. */
void *nve_arena_alloc(struct nve_arena *arena, size_t size);
/* The same, cleared; NULL also when n * size overflows. */
void *nve_arena_zalloc(struct nve_arena *arena, size_t n, size_t size);
/* Gives everything back.  The arena can be used again, or forgotten. */
void nve_arena_reset(struct nve_arena *arena);
