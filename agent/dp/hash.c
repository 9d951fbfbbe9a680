/* SPDX-License-Identifier: Apache-2.0 */
/* Hash table of intrusive nodes, see hash.h. */
#include "dp/hash.h"

#include <errno.h>
#include <stdlib.h>

enum { FIRST_BUCKETS = 64 };

/* FNV-1a with a final mix: keys are short, and the low bits are what is used. */
uint32_t nve_hash_bytes(const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * 16777619u;
	h ^= h >> 15;
	h *= 0x2c1b3c6du;
	return h ^ (h >> 13);
}

int nve_hash_init(struct nve_hash *h)
{
	h->buckets = calloc(FIRST_BUCKETS, sizeof(h->buckets[0]));
	if (!h->buckets)
		return -ENOMEM;
	h->mask = FIRST_BUCKETS - 1;
	h->n = 0;
	return 0;
}

void nve_hash_free(struct nve_hash *h)
{
	free(h->buckets);
	*h = (struct nve_hash){ 0 };
}

/* Without memory the chains grow instead: slower, and right. */
static void grow(struct nve_hash *h)
{
	uint32_t size = (h->mask + 1) * 2;
	struct nve_hash_node **buckets = calloc(size, sizeof(buckets[0]));

	if (!buckets)
		return;
	for (uint32_t i = 0; i <= h->mask; i++) {
		struct nve_hash_node *node = h->buckets[i], *next;

		for (; node; node = next) {
			next = node->next;
			node->next = buckets[node->hash & (size - 1)];
			buckets[node->hash & (size - 1)] = node;
		}
	}
	free(h->buckets);
	h->buckets = buckets;
	h->mask = size - 1;
}

void nve_hash_add(struct nve_hash *h, struct nve_hash_node *node, uint32_t hash)
{
	if (h->n > h->mask)
		grow(h);
	node->hash = hash;
	node->next = h->buckets[hash & h->mask];
	h->buckets[hash & h->mask] = node;
	h->n++;
}

void nve_hash_del(struct nve_hash *h, struct nve_hash_node *node)
{
	struct nve_hash_node **at = &h->buckets[node->hash & h->mask];

	while (*at != node)
		at = &(*at)->next;
	*at = node->next;
	h->n--;
}

struct nve_hash_node *nve_hash_first(const struct nve_hash *h, uint32_t hash)
{
	struct nve_hash_node *node = h->buckets[hash & h->mask];

	while (node && node->hash != hash)
		node = node->next;
	return node;
}

struct nve_hash_node *nve_hash_same(const struct nve_hash_node *node)
{
	uint32_t hash = node->hash;

	do
		node = node->next;
	while (node && node->hash != hash);
	return (struct nve_hash_node *)node;
}

struct nve_hash_node *nve_hash_next(const struct nve_hash *h, const struct nve_hash_node *node)
{
	uint32_t i = 0;

	if (node) {
		if (node->next)
			return node->next;
		i = (node->hash & h->mask) + 1;
	}
	for (; i <= h->mask; i++)
		if (h->buckets[i])
			return h->buckets[i];
	return NULL;
}
