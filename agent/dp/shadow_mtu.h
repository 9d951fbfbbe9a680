/* SPDX-License-Identifier: Apache-2.0 */
/* What the underlay leaves of its MTU for the tenants of a VN. */
#pragma once

#include "dp/shadow.h"

/* The MTU of the way to a VTEP, or without one (NVE_SLOT_NONE) the least there is; 0: unknown. */
typedef uint32_t nve_shadow_mtu_fn(const struct nve_dp *dp, uint32_t vtep);
/* As in nve_dp_ops; 'v6': this NVE has an IPv6 address. */
uint32_t nve_shadow_tenant_mtu(const struct nve_shadow *s, uint32_t vn_id, bool v6,
			       nve_shadow_mtu_fn *mtu, const struct nve_dp *dp);
