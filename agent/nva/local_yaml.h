/* SPDX-License-Identifier: Apache-2.0 */
/* The local NVA's file as libcyaml gives it; what is left out is 0 or NULL. */
#pragma once

#include "nva/local_internal.h"

struct yaml_mapping {
	char *mac, *ip, *vtep;
	uint64_t epoch;
};

struct yaml_address {
	char *mac, *ip;
};

struct nve_local_yaml_tsi {
	char *id, *port, *identity;
	struct yaml_address *addresses;
	unsigned n_addresses;
};

struct yaml_glean {
	uint32_t max, age;
};

enum yaml_switch { YAML_ON, YAML_OFF };
enum yaml_unknown { YAML_FLOOD, YAML_DROP };

struct yaml_vn {
	char *name, *profile;
	uint32_t id, vni;
	uint16_t mtu;
	enum nve_nva_encap encap;
	enum nve_nva_tos tos;
	enum nve_nva_security security;
	bool fail_closed;
	struct yaml_glean *glean;
	enum yaml_switch suppress;
	enum yaml_unknown unknown_unicast;
	uint32_t bum_rate, bum_burst;
	char **vteps;
	unsigned n_vteps;
	struct nve_local_yaml_tsi *tsis;
	unsigned n_tsis;
	struct yaml_mapping *mappings;
	unsigned n_mappings;
};

struct yaml_file {
	struct nve_local_yaml_profile *profiles;
	unsigned n_profiles;
	struct yaml_vn *vns;
	unsigned n_vns;
};

/* Of a struct yaml_file. */
extern const struct cyaml_schema_value nve_local_file_schema;
