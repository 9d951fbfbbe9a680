/* SPDX-License-Identifier: Apache-2.0 */
/* What the underlay leaves of its MTU for the tenants of a VN. */
#include "dp/shadow_mtu.h"

/* In an outer packet, before a tenant's: IP, UDP, VXLAN or Geneve, and the tenant's Ethernet. */
enum { OVERHEAD4 = 20 + 8 + 8 + 14, OVERHEAD6 = 40 + 8 + 8 + 14 };

/* 0: not known, or nothing is left. */
static uint32_t less(uint32_t mtu, bool v6)
{
	uint32_t overhead = v6 ? OVERHEAD6 : OVERHEAD4;

	return mtu > overhead ? mtu - overhead : 0;
}

uint32_t nve_shadow_tenant_mtu(const struct nve_shadow *s, uint32_t vn_id, bool v6,
			       nve_shadow_mtu_fn *mtu, const struct nve_dp *dp)
{
	const struct nve_shadow_vn *vn = nve_shadow_vn(s, vn_id);
	const struct nve_shadow_vn_state *state = vn ? vn->want : NULL;
	uint32_t least = UINT32_MAX;

	if (!state || !state->n_vteps)
		return less(mtu(dp, NVE_SLOT_NONE), v6);
	for (uint32_t i = 0; i < state->n_vteps; i++) {
		uint32_t slot = state->vteps[i];
		uint32_t here = less(mtu(dp, slot), s->vteps[slot].want.family == 6);

		if (here < least)
			least = here;
	}
	return least;
}
