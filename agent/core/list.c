/* SPDX-License-Identifier: Apache-2.0 */
/* Chains, lists and pools over arrays of indexes; every write can be undone. */
#include "core/core_internal.h"

/* The values of nve_pool.next that are no index + 1. */
enum { NEVER_USED = 0 };
#define IN_USE UINT32_MAX
#define LAST   (UINT32_MAX - 1)

void nve_chain_push(struct nve_core *core, uint32_t *head, struct nve_link *links, uint32_t i)
{
	NVE_SET(core, links[i], ((struct nve_link){ .next = *head }));
	if (*head)
		NVE_SET(core, links[*head - 1].prev, i + 1);
	NVE_SET(core, *head, i + 1);
}

void nve_chain_remove(struct nve_core *core, uint32_t *head, struct nve_link *links, uint32_t i)
{
	struct nve_link link = links[i];

	if (link.next)
		NVE_SET(core, links[link.next - 1].prev, link.prev);
	if (link.prev)
		NVE_SET(core, links[link.prev - 1].next, link.next);
	else
		NVE_SET(core, *head, link.next);
	NVE_SET(core, links[i], ((struct nve_link){ 0 }));
}

void nve_list_insert(struct nve_core *core, struct nve_list *list, struct nve_link *links,
		     uint32_t before, uint32_t i)
{
	uint32_t after = before ? links[before - 1].prev : list->tail;

	NVE_SET(core, links[i], ((struct nve_link){ .next = before, .prev = after }));
	if (after)
		NVE_SET(core, links[after - 1].next, i + 1);
	else
		NVE_SET(core, list->head, i + 1);
	if (before)
		NVE_SET(core, links[before - 1].prev, i + 1);
	else
		NVE_SET(core, list->tail, i + 1);
}

void nve_list_remove(struct nve_core *core, struct nve_list *list, struct nve_link *links,
		     uint32_t i)
{
	struct nve_link link = links[i];

	if (link.next)
		NVE_SET(core, links[link.next - 1].prev, link.prev);
	else
		NVE_SET(core, list->tail, link.prev);
	if (link.prev)
		NVE_SET(core, links[link.prev - 1].next, link.next);
	else
		NVE_SET(core, list->head, link.next);
	NVE_SET(core, links[i], ((struct nve_link){ 0 }));
}

bool nve_pool_full(const struct nve_pool *pool)
{
	return pool->used == pool->max;
}

bool nve_pool_never_used(const struct nve_pool *pool, uint32_t i)
{
	return pool->next[i] == NEVER_USED;
}

/* The lowest never-used index, pool->max if there is none. */
static uint32_t find_fresh(const struct nve_pool *pool)
{
	uint32_t i = pool->fresh;

	while (i < pool->max && pool->next[i] != NEVER_USED)
		i++;
	return i;
}

void nve_pool_take_at(struct nve_core *core, struct nve_pool *pool, uint32_t i)
{
	NVE_SET(core, pool->next[i], IN_USE);
	NVE_SET(core, pool->used, pool->used + 1);
	if (i >= pool->high)
		NVE_SET(core, pool->high, i + 1);
}

static uint32_t take_freed(struct nve_core *core, struct nve_pool *pool)
{
	uint32_t i = pool->free.head - 1, next = pool->next[i];

	NVE_SET(core, pool->free.head, next == LAST ? 0 : next);
	if (next == LAST)
		NVE_SET(core, pool->free.tail, 0);
	NVE_SET(core, pool->n_free, pool->n_free - 1);
	return i;
}

uint32_t nve_pool_take(struct nve_core *core, struct nve_pool *pool)
{
	uint32_t i = pool->n_free > pool->rest ? pool->max : find_fresh(pool);

	if (i < pool->max)
		NVE_SET(core, pool->fresh, i + 1);
	else
		i = take_freed(core, pool);
	nve_pool_take_at(core, pool, i);
	return i;
}

void nve_pool_give(struct nve_core *core, struct nve_pool *pool, uint32_t i)
{
	if (pool->free.tail)
		NVE_SET(core, pool->next[pool->free.tail - 1], i + 1);
	else
		NVE_SET(core, pool->free.head, i + 1);
	NVE_SET(core, pool->free.tail, i + 1);
	NVE_SET(core, pool->next[i], LAST);
	NVE_SET(core, pool->used, pool->used - 1);
	NVE_SET(core, pool->n_free, pool->n_free + 1);
}
