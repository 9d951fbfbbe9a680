/* SPDX-License-Identifier: Apache-2.0 */
/* What others may see of the engine: ports, VNs, counters, watchers. */
#include "engine_internal.h"

#include <string.h>

void nve_engine_watch(struct nve_engine *engine, struct nve_engine_watch *watch)
{
	watch->next = engine->watches;
	engine->watches = watch;
}

void nve_engine_unwatch(struct nve_engine *engine, struct nve_engine_watch *watch)
{
	struct nve_engine_watch **at = &engine->watches;

	while (*at && *at != watch)
		at = &(*at)->next;
	if (*at)
		*at = watch->next;
}

uint64_t nve_engine_now(const struct nve_engine *engine)
{
	return engine->now_ns;
}

const struct nve_core *nve_engine_core(const struct nve_engine *engine)
{
	return engine->core;
}

uint32_t nve_engine_n_ports(const struct nve_engine *engine)
{
	return engine->n_ports;
}

const struct nve_engine_port *nve_engine_port(const struct nve_engine *engine, uint16_t slot)
{
	return slot < engine->n_ports ? &engine->ports[slot] : NULL;
}

uint16_t nve_engine_find_port(const struct nve_engine *engine, const char *name)
{
	for (uint32_t i = 0; i < engine->n_ports; i++)
		if (!strcmp(engine->ports[i].dp.name, name))
			return (uint16_t)i;
	return NVE_PORT_NONE;
}

const char *nve_engine_scope_name(const struct nve_engine *engine, uint16_t scope)
{
	return scope < engine->n_scopes ? engine->scopes[scope].name : "";
}

const struct nve_vn_context *nve_engine_vn(const struct nve_engine *engine, uint32_t vn_id)
{
	const struct nve_vn_context *vn;

	return engine->nva_ops->vn_by_id(engine->nva, vn_id, &vn) ? NULL : vn;
}

const struct nve_vn_context *nve_engine_vn_by_name(const struct nve_engine *engine,
						   const char *name)
{
	const struct nve_vn_context *vn;

	return engine->nva_ops->vn_by_name(engine->nva, name, &vn) ? NULL : vn;
}

uint32_t nve_engine_tenant_mtu(const struct nve_engine *engine, const struct nve_vn_context *vn)
{
	uint32_t fits = engine->dp_ops->tenant_mtu(engine->dp, vn->vn_id);

	return vn->mtu && (!fits || vn->mtu < fits) ? vn->mtu : fits;
}

const struct nve_dp_ops *nve_engine_dp(const struct nve_engine *engine, struct nve_dp **dp)
{
	*dp = engine->dp;
	return engine->dp_ops;
}

const struct nve_nva_ops *nve_engine_nva(const struct nve_engine *engine, struct nve_nva **nva)
{
	*nva = engine->nva;
	return engine->nva_ops;
}

const struct nve_engine_counters *nve_engine_counters(const struct nve_engine *engine)
{
	return &engine->counters;
}
