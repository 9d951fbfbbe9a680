/* SPDX-License-Identifier: Apache-2.0 */
/* Part of engine.h: reading what the engine has.  One thread, the loop's. */
#pragma once

#include "engine.h"

/* When the last run was. */
uint64_t nve_engine_now(const struct nve_engine *engine);

/* Reading, between runs.  All are valid until the next nve_engine_run(). */
const struct nve_core *nve_engine_core(const struct nve_engine *engine);
uint32_t nve_engine_n_ports(const struct nve_engine *engine);
const struct nve_engine_port *nve_engine_port(const struct nve_engine *engine, uint16_t slot);
/* NVE_PORT_NONE if there is none of that name. */
uint16_t nve_engine_find_port(const struct nve_engine *engine, const char *name);
const char *nve_engine_scope_name(const struct nve_engine *engine, uint16_t scope);
/* NULL if the NVA does not know it (now). */
const struct nve_vn_context *nve_engine_vn(const struct nve_engine *engine, uint32_t vn_id);
const struct nve_vn_context *nve_engine_vn_by_name(const struct nve_engine *engine,
						   const char *name);
/* What the VN's tenants are told, in bytes of IP: what it says itself, if that fits the underlay.
 * 0: not known. */
uint32_t nve_engine_tenant_mtu(const struct nve_engine *engine, const struct nve_vn_context *vn);
/* What the NVA was told and is to know still; in no order. */
typedef void nve_published_fn(void *arg, uint32_t vn_id, const struct nve_addr *addr,
			      enum nve_publication state, uint64_t epoch);
void nve_engine_published(const struct nve_engine *engine, nve_published_fn *fn, void *arg);
/* The backends, for what only the operator reads (dumps, counters). */
const struct nve_dp_ops *nve_engine_dp(const struct nve_engine *engine, struct nve_dp **dp);
const struct nve_nva_ops *nve_engine_nva(const struct nve_engine *engine, struct nve_nva **nva);

struct nve_engine_counters {
	uint64_t turns, requests, commits, undone_turns;
	uint64_t events, duplicates;
	uint64_t announced, not_announced; /* frames of arrivals (D16) */
	uint64_t gleaned, not_gleaned;     /* addresses learned; told and not learned */
	uint64_t refused[64];              /* by enum nve_reason */
};
const struct nve_engine_counters *nve_engine_counters(const struct nve_engine *engine);
