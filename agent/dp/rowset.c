/* SPDX-License-Identifier: Apache-2.0 */
/* Rows to compare a table with, see rowset.h. */
#include "dp/rowset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dp/hash.h"

static size_t row_size(const struct nve_rowset *set)
{
	return set->key_size + set->value_size + 1;
}

static uint8_t *row_at(const struct nve_rowset *set, uint32_t i)
{
	return set->rows + i * row_size(set);
}

void nve_rowset_free(struct nve_rowset *set)
{
	free(set->rows);
	free(set->index);
	*set = (struct nve_rowset){ 0 };
}

static void index_add(uint32_t *index, uint32_t mask, uint32_t hash, uint32_t i)
{
	uint32_t at = hash & mask;

	while (index[at])
		at = (at + 1) & mask;
	index[at] = i + 1;
}

/* The index has twice as many places as there is room for rows. */
static bool grow(struct nve_rowset *set)
{
	uint32_t room = set->room ? set->room * 2 : 256;
	uint32_t *index = calloc(2 * (size_t)room, sizeof(index[0]));
	uint8_t *rows = realloc(set->rows, room * row_size(set));

	if (rows)
		set->rows = rows;
	if (!index || !rows) {
		free(index);
		return false;
	}
	for (uint32_t i = 0; i < set->n; i++)
		index_add(index, 2 * room - 1, nve_hash_bytes(row_at(set, i), set->key_size), i);
	free(set->index);
	set->index = index;
	set->mask = 2 * room - 1;
	set->room = room;
	return true;
}

void nve_rowset_add(struct nve_rowset *set, const void *key, const void *value)
{
	uint8_t *row;

	if (set->n == set->room && !grow(set)) {
		set->error = -ENOMEM;
		return;
	}
	row = row_at(set, set->n);
	memcpy(row, key, set->key_size);
	memcpy(row + set->key_size, value, set->value_size);
	row[set->key_size + set->value_size] = 0;
	index_add(set->index, set->mask, nve_hash_bytes(key, set->key_size), set->n++);
}

bool nve_rowset_match(struct nve_rowset *set, const void *key, const void *value)
{
	uint32_t at = nve_hash_bytes(key, set->key_size) & set->mask;

	for (; set->index && set->index[at]; at = (at + 1) & set->mask) {
		uint8_t *row = row_at(set, set->index[at] - 1);

		if (memcmp(row, key, set->key_size))
			continue;
		if (!memcmp(row + set->key_size, value, set->value_size))
			row[set->key_size + set->value_size] = 1;
		return true;
	}
	return false;
}

bool nve_rowset_matched(const struct nve_rowset *set, uint32_t i)
{
	return row_at(set, i)[set->key_size + set->value_size];
}

const void *nve_rowset_key(const struct nve_rowset *set, uint32_t i)
{
	return row_at(set, i);
}

const void *nve_rowset_value(const struct nve_rowset *set, uint32_t i)
{
	return row_at(set, i) + set->key_size;
}
