/* SPDX-License-Identifier: Apache-2.0 */
/* Private to local*.c: what the file says, checked and in order. */
#pragma once

#include "nva/nva.h"

struct nve_local_vn {
	struct nve_vn_context context; /* 'vteps' are this record's own */
	struct nve_mapping *mappings;  /* by address, each once */
	size_t n_mappings;
	struct nve_nva_tsi *tsis; /* by ID, each once; all they point to is this record's own */
	size_t n_tsis;
};

struct nve_local_table {
	struct nve_acl **profiles; /* by name */
	size_t n_profiles;
	struct nve_local_vn *vns;      /* by ID */
	struct nve_local_vn **by_name; /* those that have a name */
	size_t n_vns, n_named;
	uint64_t max_epoch; /* of all mappings */
};

/*
 * Reads and checks the whole file.  -EINVAL, or what opening it gave; then '*err' (may be NULL)
 * says line or VN and what to do, and '*ret' is untouched.
 */
int nve_local_read(const char *path, const struct nve_ip self[2], struct nve_local_table *ret,
		   char **err);
void nve_local_free(struct nve_local_table *table);

/* --- profiles (local_profile.c) */
enum nve_local_action { NVE_LOCAL_ALLOW, NVE_LOCAL_DENY };
struct nve_local_yaml_rule;
struct nve_local_yaml_profile { /* as libcyaml gives it */
	char *name;
	enum nve_local_action otherwise;
	struct nve_local_yaml_rule *rules;
	unsigned n_rules;
};
extern const struct cyaml_schema_value nve_local_profile_schema;
/* Checks and takes them.  -EINVAL: '*err' says line and remedy. */
int nve_local_take_profiles(const char *path, const struct nve_local_yaml_profile *profiles,
			    unsigned n, struct nve_local_table *t, char **err);
void nve_local_free_profiles(struct nve_local_table *t);
/* NULL: there is none of that name. */
const struct nve_acl *nve_local_profile(const struct nve_local_table *t, const char *name);

/* --- records of TSIs (local_tsi.c) */
struct nve_local_yaml_tsi;
extern const struct cyaml_schema_value nve_local_tsi_schema;
/* Checks and takes the records of one VN.  -EINVAL: '*why' says what is wrong and the remedy. */
int nve_local_take_tsis(const struct nve_local_yaml_tsi *tsis, unsigned n, struct nve_local_vn *vn,
			char why[300]);
void nve_local_free_tsis(struct nve_local_vn *vn);
bool nve_local_same_tsis(const struct nve_local_vn *a, const struct nve_local_vn *b);

/* --- values (local_read.c): unicast addresses.  0 or -EINVAL. */
int nve_local_parse_ip(const char *text, struct nve_ip *ip);
int nve_local_parse_mac(const char *text, uint8_t mac[NVE_MAC_LEN]);

int nve_local_compare_mappings(const struct nve_mapping *a, const struct nve_mapping *b);
struct nve_local_vn *nve_local_find(const struct nve_local_table *table, uint32_t vn_id);
