/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pools that a NO_RESOURCES answer can speak of.  What one request may be refused for is
 * refused when it reserves (S54, D12); the name is what clients are told.
 */
#pragma once

/* X(NAME, name, what is counted) */
#define NVE_RESOURCES(X)                                                                           \
	X(TSIS, "tsis", "TSI instances")                                                           \
	X(ADDRS, "addresses", "addresses of all TSIs, gleaned ones too")                           \
	X(VAPS, "vaps", "VNs on ports")                                                            \
	X(VNS, "vns", "VNs")                                                                       \
	X(TAGS, "tags", "tags of the port's scope, those in quarantine too")                       \
	X(VTEPS, "vteps", "other NVEs")                                                            \
	X(FDB, "fdb", "MACs, local and remote")                                                    \
	X(ACLS, "acls", "sets of rules")                                                           \
	X(METERS, "meters", "TSIs with a rate")                                                    \
	X(ACL_RULES, "acl_rules", "rules of all sets")                                             \
	X(FLOOD, "flood", "members of one VN: other NVEs and ports")                               \
	X(PEERS, "peers", "pairs of a VN and another NVE")                                         \
	X(NEIGH, "neigh", "IPs that are bound to a MAC, local and remote")                         \
	X(CLIENT, "client", "what one client may have: the field says of what")

enum nve_resource {
	NVE_RES_NONE,
#define NVE_RESOURCE_ENUM(name, text, what) NVE_RES_##name,
	NVE_RESOURCES(NVE_RESOURCE_ENUM)
#undef NVE_RESOURCE_ENUM
	NVE_RESOURCE_KINDS,
};

/* NULL for NONE, and for what is none. */
static inline const char *nve_resource_name(unsigned int resource)
{
	static const char *const names[NVE_RESOURCE_KINDS] = {
#define NVE_RESOURCE_NAME(name, text, what) [NVE_RES_##name] = text,
		NVE_RESOURCES(NVE_RESOURCE_NAME)
#undef NVE_RESOURCE_NAME
	};

	return resource < NVE_RESOURCE_KINDS ? names[resource] : (const char *)0;
}
