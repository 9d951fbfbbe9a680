/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy (S98, S99): what each identity may do.  nved-policy.yaml(5) documents the file.  Roles
 * stand in the file's order, and the first one that names an identity is that identity's only one.
 * What a role does not name, it does not allow; who has no role may do nothing.
 *
 * Pure but for reading the file.  A policy is compiled when it is read: no question allocates, or
 * walks through anything that grows with the file but patterns.
 */
#pragma once

#include "core/types.h"

struct nve_policy;

enum nve_policy_owns {
	NVE_OWNS_OWN,  /* sees and touches what it has associated itself */
	NVE_OWNS_TAKE, /* and may take over another's TSI by signaling it with a cause */
	NVE_OWNS_ANY,  /* whatever the role's ports, VNs and TSIs allow, whose ever it is */
};

enum nve_policy_verb {
	NVE_VERB_STATUS, /* GetStatus, drops, tables */
	NVE_VERB_LIST,
	NVE_VERB_DUMP,
	NVE_VERB_WHY,
	NVE_VERB_WATCH,
	NVE_VERB_OPERATE, /* what changes something for others: drain, flush, disconnect */
	NVE_VERB_DIFF,
	NVE_VERB_REPAIR,
	NVE_VERBS,
};

enum nve_policy_parameter { NVE_PARAM_QOS = 1 << 0, NVE_PARAM_GLEAN = 1 << 1 };

/* Compiled.  The part that others may read; questions go through the functions below. */
struct nve_role {
	char name[NVE_NAME_MAX + 1];
	unsigned line;                             /* of the file */
	enum nve_policy_owns owns;                 /* (B3) */
	bool ip_required;                          /* an address without IP is not allowed */
	uint32_t verbs;                            /* 1 << enum nve_policy_verb */
	uint32_t parameters;                       /* enum nve_policy_parameter */
	uint32_t max_tsis, max_addrs, max_vns;     /* of each identity; UINT32_MAX = no maximum */
	uint64_t ports[(NVE_PORTS_MAX + 63) / 64]; /* by slot: nve_policy_bind_ports() */
	bool all_vns;
	struct nve_role_sets *sets;
};

/*
 * Reads and checks the whole file.  -errno of open(2) and read(2), -EFBIG, or -EINVAL; then '*err'
 * says "FILE:LINE: what is wrong; what to do" (the caller frees it) and '*ret' is untouched.
 */
int nve_policy_load(const char *path, struct nve_policy **ret, char **err);
/* The same of a text; 'name' stands for the file in messages. */
int nve_policy_parse(const char *name, const char *text, size_t len, struct nve_policy **ret,
		     char **err);
/* Where none is configured: root, the agent's own user, and loopback may do everything. */
int nve_policy_default(uint32_t uid, struct nve_policy **ret);
void nve_policy_free(struct nve_policy *policy); /* NULL is a no-op */

/* Roles name ports; from now on they are asked by slot.  'name' is NULL for none of that slot. */
void nve_policy_bind_ports(struct nve_policy *policy, uint32_t n,
			   const char *(*name)(const void *arg, uint16_t slot), const void *arg);
uint32_t nve_policy_n_roles(const struct nve_policy *policy);
/* NULL: it may do nothing.  Walks through all patterns: ask once for each identity. */
const struct nve_role *nve_policy_role(const struct nve_policy *policy, const char *identity);

bool nve_role_port(const struct nve_role *role, uint16_t slot);
/* 'id' 0 or 'name' "": not known; either is enough. */
bool nve_role_vn(const struct nve_role *role, uint32_t id, const char *name);
bool nve_role_tsi(const struct nve_role *role, const struct nve_tsi_id *id);
bool nve_role_all_tsis(const struct nve_role *role);
bool nve_role_addr(const struct nve_role *role, const struct nve_addr *addr);
bool nve_role_verb(const struct nve_role *role, enum nve_policy_verb verb);

/* "status", ... */
const char *nve_verb_name(enum nve_policy_verb verb);
