/* SPDX-License-Identifier: Apache-2.0 */
/* A set of rows (key and value as bytes) to compare a table with.  Lives for one comparison. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero but for the sizes: the empty set. */
struct nve_rowset {
	size_t key_size, value_size;
	uint32_t n, room;
	uint8_t *rows;   /* key, value, one byte that tells whether it matched */
	uint32_t *index; /* open addressing: place + 1 */
	uint32_t mask;
	int error; /* -ENOMEM: rows are missing */
};

void nve_rowset_free(struct nve_rowset *set);
/* The key must not be in the set.  Errors are kept in the set. */
void nve_rowset_add(struct nve_rowset *set, const void *key, const void *value);
/* Whether the key is in the set; with that value, the row is marked as matched. */
bool nve_rowset_match(struct nve_rowset *set, const void *key, const void *value);
bool nve_rowset_matched(const struct nve_rowset *set, uint32_t i);
const void *nve_rowset_key(const struct nve_rowset *set, uint32_t i);
const void *nve_rowset_value(const struct nve_rowset *set, uint32_t i);
