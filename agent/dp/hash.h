/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A chained hash table of nodes that live inside their objects.  Grows, never shrinks; allocates
 * its buckets alone, so inserting cannot fail once there is one bucket.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct nve_hash_node {
	struct nve_hash_node *next;
	uint32_t hash;
};

struct nve_hash {
	struct nve_hash_node **buckets;
	uint32_t mask;
	uint32_t n;
};

uint32_t nve_hash_bytes(const void *bytes, size_t len);

/* -ENOMEM. */
int nve_hash_init(struct nve_hash *h);
/* Frees the buckets, not the objects. */
void nve_hash_free(struct nve_hash *h);
void nve_hash_add(struct nve_hash *h, struct nve_hash_node *node, uint32_t hash);
void nve_hash_del(struct nve_hash *h, struct nve_hash_node *node);
/* The first node of that hash, and the next one after 'node'; NULL at the end. */
struct nve_hash_node *nve_hash_first(const struct nve_hash *h, uint32_t hash);
struct nve_hash_node *nve_hash_same(const struct nve_hash_node *node);
/* Iterates: NULL gives the first node, NULL is returned at the end.  Order is not defined. */
struct nve_hash_node *nve_hash_next(const struct nve_hash *h, const struct nve_hash_node *node);
