/* SPDX-License-Identifier: Apache-2.0 */
/* Shadow of what a datapath was told: who has which IP.  Part of shadow.h. */
#pragma once

#include "dp/dp.h"
#include "dp/hash.h"

struct nve_shadow;

struct nve_shadow_neigh {
	struct nve_hash_node node;
	struct nve_shadow_neigh *next; /* of those that differ */
	uint32_t vn_id;
	struct nve_ip ip;
	struct nve_dp_claim now[2], want[2]; /* first, second; both kinds 0: there is no entry */
	bool listed;
};

struct nve_shadow_neighs {
	struct nve_hash all;
	struct nve_shadow_neigh *differ;
	uint32_t n; /* room taken, by 'want' */
};

static inline bool nve_shadow_neigh_is(const struct nve_dp_claim claims[2])
{
	return claims[0].kind || claims[1].kind;
}

int nve_shadow_neigh_open(struct nve_shadow *s);
void nve_shadow_neigh_close(struct nve_shadow *s);
void nve_shadow_neigh_clear(struct nve_shadow *s);
void nve_shadow_neigh_commit(struct nve_shadow *s);

/* How many entries there can be. */
uint32_t nve_shadow_max_neighs(const struct nve_dp_limits *limits);
/* As in nve_dp_ops. */
int nve_shadow_neigh_set(struct nve_shadow *s, const struct nve_dp_neigh *neigh);
int nve_shadow_neigh_del(struct nve_shadow *s, uint32_t vn_id, const struct nve_ip *ip);
/* NULL if there is neither a 'now' nor a 'want'. */
struct nve_shadow_neigh *nve_shadow_neigh(const struct nve_shadow *s, uint32_t vn_id,
					  const struct nve_ip *ip);
/* Iterates over all, as nve_hash_next(). */
struct nve_shadow_neigh *nve_shadow_neigh_next(const struct nve_shadow *s,
					       const struct nve_shadow_neigh *entry);
