/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All rows of a map, in batches: large tables are looked through on the engine's thread.  One by
 * one where the kernel has no batches for a map.
 */
#include <bpf/bpf.h>
#include <errno.h>

#include "dp/ebpf_tables.h"

enum { ROWS = 256, ROOM_BYTES = 65536 };

/* Rows that one call brings.  'pos' is the kernel's: a key, or the number of a bucket. */
struct batch {
	uint32_t room, n;
	uint8_t *keys, *values, *pos;
};

static void batch_free(struct batch *x)
{
	free(x->keys);
	free(x->values);
	free(x->pos);
}

static int batch_alloc(struct batch *x, const struct nve_ebpf_buffer *b, uint32_t room)
{
	size_t pos = b->key_size > sizeof(uint32_t) ? b->key_size : sizeof(uint32_t);

	x->room = room;
	x->keys = malloc((size_t)room * b->key_size);
	x->values = calloc(room, b->value_size);
	x->pos = malloc(pos);
	return x->keys && x->values && x->pos ? 0 : -ENOMEM;
}

/* More entries of a hash are in one bucket than there is room for. */
static int batch_grow(struct batch *x, const struct nve_ebpf_buffer *b)
{
	uint8_t *keys = realloc(x->keys, 2 * (size_t)x->room * b->key_size);
	uint8_t *values = realloc(x->values, 2 * (size_t)x->room * b->value_size);

	x->keys = keys ? keys : x->keys;
	x->values = values ? values : x->values;
	if (!keys || !values)
		return -ENOMEM;
	x->room *= 2;
	return 0;
}

static int next_batch(int fd, struct batch *x, bool first)
{
	DECLARE_LIBBPF_OPTS(bpf_map_batch_opts, opts);
	int r;

	x->n = x->room;
	r = bpf_map_lookup_batch(fd, first ? NULL : x->pos, x->pos, x->keys, x->values, &x->n,
				 &opts);
	if (r < 0 && r != -ENOENT) /* ENOENT: these are the last */
		x->n = 0;
	return r;
}

static int one_by_one(struct nve_dp *dp, enum nve_ebpf_map map, nve_ebpf_each_fn *fn, void *arg)
{
	const struct nve_ebpf_buffer *b = &dp->buffer[map];
	uint8_t *keys = malloc(2 * (size_t)b->key_size);
	uint8_t *value = calloc(1, b->value_size);
	const void *prev = NULL;
	int r = keys && value ? 0 : -ENOMEM;

	while (!r) {
		uint8_t *key = keys + (prev == keys ? b->key_size : 0);

		r = bpf_map_get_next_key(dp->map[map], prev, key);
		if (r < 0)
			break;
		prev = key;
		if (bpf_map_lookup_elem(dp->map[map], key, value) == 0)
			r = fn(dp, arg, key, value);
	}
	free(keys);
	free(value);
	return r == -ENOENT ? 0 : r;
}

int nve_ebpf_each(struct nve_dp *dp, enum nve_ebpf_map map, nve_ebpf_each_fn *fn, void *arg)
{
	const struct nve_ebpf_buffer *b = &dp->buffer[map];
	uint32_t room = ROOM_BYTES / b->value_size < ROWS ? ROOM_BYTES / b->value_size : ROWS;
	struct batch x = { 0 };
	bool first = true, last = false;
	int r = batch_alloc(&x, b, room ? room : 1);

	while (!r && !last) {
		r = next_batch(dp->map[map], &x, first);
		if (r == -ENOSPC) {
			r = batch_grow(&x, b);
			continue;
		}
		if (r < 0 && r != -ENOENT)
			break;
		last = r == -ENOENT;
		r = 0;
		first = false;
		for (uint32_t i = 0; i < x.n && !r; i++)
			r = fn(dp, arg, x.keys + (size_t)i * b->key_size,
			       x.values + (size_t)i * b->value_size);
	}
	batch_free(&x);
	return r < 0 && first && r != -ENOMEM ? one_by_one(dp, map, fn, arg) : r;
}
