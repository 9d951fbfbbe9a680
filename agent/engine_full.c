/* SPDX-License-Identifier: Apache-2.0 */
/* A table of the datapath was full: which, and what the requester is told of it. */
#include "engine_internal.h"

#include <errno.h>
#include <string.h>

int nve_noting(struct nve_engine *e, int r, enum nve_resource resource)
{
	if (r == -ENOSPC && e->full == NVE_RES_NONE)
		e->full = (uint8_t)resource;
	return r;
}

/* -1: this datapath has no such table. */
static int64_t rows_of(const struct nve_engine *e, const char *table)
{
	uint64_t used = 0, max = 0;
	const char *name;

	for (size_t i = 0; (name = e->dp_ops->table(e->dp, i, &used, &max)); i++)
		if (!strcmp(name, table))
			return (int64_t)used;
	return -1;
}

/* vn_set() has no room: because it is one VN more, or because of what it is. */
enum nve_resource nve_full_of_vn(const struct nve_engine *e, const struct nve_vn_rec *vn)
{
	uint32_t members = vn->n_slots;

	for (uint32_t port = 0; port < e->n_ports; port++)
		members += !!nve_core_vap(e->core, (uint16_t)port, vn->context.vn_id);
	if (members > e->limits.max_flood)
		return NVE_RES_FLOOD;
	/* The only way to come here with fewer VNs than there can be. */
	return nve_core_usage(e->core).vns < e->limits.max_vns ? NVE_RES_PEERS : NVE_RES_VNS;
}

/* What there can be of it; 0: as much as there is. */
static uint32_t limit_of(const struct nve_engine *e, enum nve_resource resource)
{
	struct nve_core_usage use = nve_core_usage(e->core);

	switch (resource) {
	case NVE_RES_TSIS:
		return use.max_tsis;
	case NVE_RES_ADDRS:
		return use.max_addrs;
	case NVE_RES_VNS:
		return use.max_vns;
	case NVE_RES_VTEPS:
		return e->limits.max_vteps;
	case NVE_RES_FDB:
		return e->limits.max_fdb;
	case NVE_RES_METERS:
		return e->limits.max_meters;
	case NVE_RES_FLOOD:
		return e->limits.max_flood;
	case NVE_RES_NEIGH:
		return e->limits.max_addrs + e->limits.max_fdb;
	case NVE_RES_ACLS:
		return NVE_DP_ACLS_MAX;
	case NVE_RES_ACL_RULES:
		return NVE_DP_ACL_ROWS_MAX;
	default:
		return 0;
	}
}

static uint32_t used_of(const struct nve_engine *e, enum nve_resource resource)
{
	static const char *const tables[NVE_RESOURCE_KINDS] = {
		[NVE_RES_FDB] = "fdb",      [NVE_RES_METERS] = "meter",  [NVE_RES_NEIGH] = "neigh",
		[NVE_RES_ACLS] = "acl_set", [NVE_RES_ACL_RULES] = "acl", [NVE_RES_PEERS] = "peer",
	};
	struct nve_core_usage use = nve_core_usage(e->core);
	int64_t rows;

	if (resource == NVE_RES_TSIS)
		return use.tsis;
	if (resource == NVE_RES_ADDRS)
		return use.addrs;
	if (resource == NVE_RES_VNS)
		return use.vns;
	rows = tables[resource] ? rows_of(e, tables[resource]) : -1;
	return rows < 0 ? limit_of(e, resource) : (uint32_t)rows;
}

void nve_answer_full(struct nve_engine *e, enum nve_resource resource, struct nve_answer *answer)
{
	uint32_t max = limit_of(e, resource), used = used_of(e, resource);

	*answer = (struct nve_answer){ .reason = NVE_REASON_NO_RESOURCES,
				       .slot = NVE_SLOT_NONE,
				       .resource = (uint8_t)resource,
				       .used = used,
				       .max = max ? max : used };
}
