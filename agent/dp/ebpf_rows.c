/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows on their way to the maps.  Writes are gathered and go out in batches: of one map in the
 * order they were made, of different maps in any order until nve_ebpf_rows_flush().  Errors are
 * kept until somebody asks, so that a phase reads as what it does.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "dp/ebpf_tables.h"

enum { ROWS = 256, ROOM_BYTES = 65536 };

int nve_ebpf_rows_open(struct nve_ebpf_buffer *b)
{
	b->room = ROOM_BYTES / b->value_size < ROWS ? ROOM_BYTES / b->value_size : ROWS;
	if (!b->room)
		b->room = 1;
	b->keys = malloc((size_t)b->room * b->key_size);
	b->values = malloc((size_t)b->room * b->value_size);
	return b->keys && b->values ? 0 : -ENOMEM;
}

void nve_ebpf_rows_close(struct nve_ebpf_buffer *b)
{
	free(b->keys);
	free(b->values);
	b->keys = b->values = NULL;
}

static int one(int fd, const struct nve_ebpf_buffer *b, uint32_t i)
{
	const uint8_t *key = b->keys + (size_t)i * b->key_size;
	int r;

	if (!b->deletes)
		return bpf_map_update_elem(fd, key, b->values + (size_t)i * b->value_size, BPF_ANY);
	r = bpf_map_delete_elem(fd, key);
	return r == -ENOENT ? 0 : r;
}

/* Sends rows from 'i' on; returns how many went, at least one, or -errno. */
static int some(int fd, struct nve_ebpf_buffer *b, uint32_t i)
{
	DECLARE_LIBBPF_OPTS(bpf_map_batch_opts, opts);
	const uint8_t *keys = b->keys + (size_t)i * b->key_size;
	uint32_t count = b->n - i;
	int r = -EINVAL;

	if (!b->no_batch && count > 1) {
		if (b->deletes)
			r = bpf_map_delete_batch(fd, keys, &count, &opts);
		else
			r = bpf_map_update_batch(fd, keys, b->values + (size_t)i * b->value_size,
						 &count, &opts);
		if (r == 0)
			return b->n - i;
		if (r == -EFAULT)
			return r;
		if (r == -EINVAL || r == -524 || r == -EOPNOTSUPP) { /* 524: ENOTSUPP */
			b->no_batch = true;
			count = 0;
		}
		if (count && count < b->n - i)
			return count;
	}
	/* Alone, the row at fault says what is wrong, and a missing one is no fault. */
	r = one(fd, b, i);
	return r < 0 ? r : 1;
}

static void flush(struct nve_dp *dp, enum nve_ebpf_map map)
{
	struct nve_ebpf_buffer *b = &dp->buffer[map];
	uint32_t i = 0;

	dp->written += b->n;
	while (i < b->n && !dp->row_error) {
		int r = some(dp->map[map], b, i);

		if (r < 0)
			dp->row_error = r == -E2BIG ? -ENOSPC : r;
		else
			i += r;
	}
	b->n = 0;
}

static uint32_t slot(struct nve_dp *dp, enum nve_ebpf_map map, bool deletes)
{
	struct nve_ebpf_buffer *b = &dp->buffer[map];

	if (b->n == b->room || (b->n && b->deletes != deletes))
		flush(dp, map);
	b->deletes = deletes;
	return b->n++;
}

void nve_ebpf_put(struct nve_dp *dp, enum nve_ebpf_map map, const void *key, const void *value)
{
	struct nve_ebpf_buffer *b = &dp->buffer[map];
	uint32_t i = slot(dp, map, false);

	memcpy(b->keys + (size_t)i * b->key_size, key, b->key_size);
	memcpy(b->values + (size_t)i * b->value_size, value, b->value_size);
}

void nve_ebpf_cut(struct nve_dp *dp, enum nve_ebpf_map map, const void *key)
{
	struct nve_ebpf_buffer *b = &dp->buffer[map];
	uint32_t i = slot(dp, map, true);

	memcpy(b->keys + (size_t)i * b->key_size, key, b->key_size);
}

void nve_ebpf_rows_flush(struct nve_dp *dp)
{
	for (int map = 0; map < NVE_MAPS; map++)
		flush(dp, map);
}

int nve_ebpf_rows_error(struct nve_dp *dp)
{
	int r;

	nve_ebpf_rows_flush(dp);
	r = dp->row_error;
	dp->row_error = 0;
	return r;
}
