/* SPDX-License-Identifier: Apache-2.0 */
/* Part of shadow.h: VTEPs, VAPs and VNs. */
#pragma once

#include "dp/dp.h"
#include "dp/hash.h"

struct nve_shadow_vtep {
	struct nve_ip now, want; /* family 0 = none */
	bool listed;
};

struct nve_shadow_vap_state {
	uint32_t vn_id;
	uint32_t n_activated;
	bool set;
	bool quarantined;
	uint16_t pad; /* zero: states are compared as bytes */
};

struct nve_shadow_vap {
	struct nve_hash_node node;
	uint16_t port, tag;
	bool listed;
	struct nve_shadow_vap_state now, want;
	uint32_t n_ip_only, n_glean;    /* TSIs of 'want' here: without MAC; with GLEAN_MACS */
	struct nve_shadow_vap *vn_next; /* of the same VN, as of 'want' */
};

struct nve_shadow_vn_state {
	uint32_t vni, acl;
	uint8_t encap, tos;
	struct nve_dp_bum bum;
	uint32_t n_vteps;
	uint32_t vteps[];
};

struct nve_shadow_vn {
	struct nve_hash_node node;
	uint32_t vn_id;
	uint32_t n_vaps;
	bool listed;
	uint16_t number; /* backends' */
	struct nve_shadow_vn_state *now, *want;
	struct nve_shadow_vap *vaps; /* as of 'want', without quarantined ones */
};
