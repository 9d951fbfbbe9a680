/* SPDX-License-Identifier: Apache-2.0 */
/* Shadow of what a datapath was told: life and ports.  See shadow.h. */
#include "dp/shadow_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PEERS = 1 << 20 };

int nve_shadow_list_room(struct nve_shadow_list *list, uint32_t n)
{
	uint32_t room = list->room ? list->room : 64;
	uint32_t *v;

	if (list->n + n <= list->room)
		return 0;
	while (room < list->n + n)
		room *= 2;
	v = realloc(list->v, room * sizeof(v[0]));
	if (!v)
		return -ENOMEM;
	list->v = v;
	list->room = room;
	return 0;
}

void nve_shadow_list_add(struct nve_shadow_list *list, uint32_t x)
{
	list->v[list->n++] = x;
}

/* --- ports ------------------------------------------------------------------------------------ */

int nve_shadow_port_set(struct nve_shadow *s, const struct nve_dp_port *port)
{
	if (port->slot >= NVE_PORTS_MAX)
		return -ENOSPC;
	if (port->role > NVE_DP_UNDERLAY || port->mode > NVE_DP_TC || !port->ifname[0] ||
	    port->untagged > NVE_DP_UNTAGGED_HOST)
		return -EINVAL;
	s->ports[port->slot] = *port;
	s->port_is_set[port->slot] = true;
	return 0;
}

void nve_shadow_port_del(struct nve_shadow *s, uint16_t slot)
{
	if (slot < NVE_PORTS_MAX)
		s->port_is_set[slot] = false;
}

bool nve_shadow_access_port(const struct nve_shadow *s, uint16_t slot)
{
	return slot < NVE_PORTS_MAX && s->port_is_set[slot] && s->ports[slot].role == NVE_DP_ACCESS;
}

/* --- life ------------------------------------------------------------------------------------- */

static bool limits_fit(const struct nve_dp_limits *l)
{
	const uint32_t most = 1 << 24;

	return l->max_tsis && l->max_vns && l->max_addrs && l->max_fdb && l->max_vteps &&
	       l->max_flood && l->max_tsis <= most && l->max_vns <= most && l->max_addrs <= most &&
	       l->max_fdb <= most && l->max_vteps <= most && l->max_flood <= most &&
	       l->max_meters <= most;
}

static uint32_t max_peers(const struct nve_dp_limits *l)
{
	uint64_t vteps = l->max_vteps < l->max_flood ? l->max_vteps : l->max_flood;
	uint64_t peers = l->max_vns * (1 + vteps);

	return peers < MAX_PEERS ? peers : MAX_PEERS;
}

int nve_shadow_open(const struct nve_dp_limits *limits, struct nve_shadow *s)
{
	*s = (struct nve_shadow){ .limits = *limits };
	if (!limits_fit(limits))
		return -EINVAL;
	s->max_peers = max_peers(limits);
	s->vteps = calloc(limits->max_vteps, sizeof(s->vteps[0]));
	s->tsis = calloc(limits->max_tsis, sizeof(s->tsis[0]));
	if (!s->vteps || !s->tsis || nve_hash_init(&s->vns) < 0 || nve_hash_init(&s->vaps) < 0 ||
	    nve_shadow_fdb_open(s) < 0 || nve_shadow_neigh_open(s) < 0) {
		nve_shadow_close(s);
		return -ENOMEM;
	}
	return 0;
}

/* Half of what open() makes may be missing. */
void nve_shadow_close(struct nve_shadow *s)
{
	if (s->vns.buckets && s->vaps.buckets)
		nve_shadow_vn_clear(s);
	nve_shadow_acl_clear(s);
	nve_shadow_tsi_clear(s);
	nve_shadow_fdb_close(s);
	nve_shadow_neigh_close(s);
	nve_hash_free(&s->vns);
	nve_hash_free(&s->vaps);
	free(s->vteps);
	free(s->tsis);
	free(s->acl_list.v);
	free(s->vtep_list.v);
	free(s->vn_list.v);
	free(s->vap_list.v);
	free(s->tsi_list.v);
	free(s->fdb_list.v);
	*s = (struct nve_shadow){ 0 };
}

void nve_shadow_reset(struct nve_shadow *s)
{
	nve_shadow_vn_clear(s);
	nve_shadow_acl_clear(s);
	nve_shadow_tsi_clear(s);
	nve_shadow_fdb_clear(s);
	nve_shadow_neigh_clear(s);
	memset(s->vteps, 0, s->limits.max_vteps * sizeof(s->vteps[0]));
	s->vtep_list.n = s->vn_list.n = s->vap_list.n = s->tsi_list.n = s->fdb_list.n = 0;
	s->n_tsis = s->n_addrs = s->n_vns = s->n_fdb = s->n_vteps = s->n_peers = s->n_meters = 0;
}

void nve_shadow_commit(struct nve_shadow *s)
{
	for (uint32_t i = 0; i < s->tsi_list.n; i++)
		nve_shadow_tsi_commit(&s->tsis[s->tsi_list.v[i]]);
	for (uint32_t i = 0; i < s->vtep_list.n; i++) {
		struct nve_shadow_vtep *vtep = &s->vteps[s->vtep_list.v[i]];

		vtep->now = vtep->want;
		vtep->listed = false;
	}
	for (uint32_t i = 0; i < s->vap_list.n; i++) {
		uint32_t index = s->vap_list.v[i];
		struct nve_shadow_vap *vap = nve_shadow_vap(s, index >> 12, index & 0xfff);

		vap->now = vap->want;
		vap->listed = false;
		nve_shadow_vap_put(s, vap);
	}
	for (uint32_t i = 0; i < s->vn_list.n; i++)
		nve_shadow_vn_commit(s, nve_shadow_vn(s, s->vn_list.v[i]));
	nve_shadow_fdb_commit(s);
	nve_shadow_neigh_commit(s);
	nve_shadow_acl_commit(s);
	s->tsi_list.n = s->vtep_list.n = s->vap_list.n = s->vn_list.n = s->fdb_list.n = 0;
}
