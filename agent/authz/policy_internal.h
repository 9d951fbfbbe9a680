/* SPDX-License-Identifier: Apache-2.0 */
/* Private to agent/authz/: the file as it is written, and a role's compiled sets. */
#pragma once

#include "authz/policy.h"
#include "authz/ranges.h"

struct nve_patterns {
	size_t n;
	char **list;
};

struct nve_role_sets {
	struct nve_patterns identities, ports, vn_names, tsi_texts;
	struct nve_ranges vn_ids, tsis, macs, ip4, ip6;
};

struct nve_policy {
	size_t n;
	struct nve_role *roles;
};

/* Strings are NULL, counts 0 and numbers NULL where the key is missing. */
struct raw_list {
	char **list;
	unsigned n;
};

struct raw_max {
	uint32_t *tsis, *addresses, *vns;
};

enum raw_switch { RAW_SWITCH_NO = 1, RAW_SWITCH_YES };

struct raw_role {
	char *name;
	struct raw_list identities, ports, vns, tsis, macs, ips, parameters, admin;
	uint32_t owns;        /* enum nve_policy_owns + 1 */
	uint32_t ip_required; /* enum raw_switch */
	struct raw_max max;
};

struct raw_policy {
	struct raw_role *roles;
	unsigned n_roles;
};

/* policy_raw.c: as nve_config_raw_load(). */
int nve_policy_raw_load(const char *text, size_t len, struct raw_policy **ret, unsigned *line,
			char **what);
void nve_policy_raw_free(struct raw_policy *raw);
bool nve_policy_raw_known(const char *path);

/*
 * policy_values.c: one entry of a list, added to the role.  0, -ENOMEM, or -EINVAL with what is
 * wrong and the remedy in 'why'.
 */
enum { NVE_POLICY_WHY = 256 };
typedef int nve_policy_take_fn(struct nve_role *role, const char *text, char why[NVE_POLICY_WHY]);
nve_policy_take_fn nve_policy_take_identity, nve_policy_take_port, nve_policy_take_vn,
	nve_policy_take_tsi, nve_policy_take_mac, nve_policy_take_ip, nve_policy_take_parameter,
	nve_policy_take_verb;
