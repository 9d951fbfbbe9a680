/* SPDX-License-Identifier: Apache-2.0 */
/* What libcyaml holds the local NVA's file to. */
#include "nva/local_yaml.h"

#include <cyaml/cyaml.h>

#define STRING(key, flags, type, member, min, max)                                                 \
	CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER | (flags), type, member, min, max)

static const cyaml_schema_field_t mapping_fields[] = {
	STRING("mac", 0, struct yaml_mapping, mac, 1, 64),
	STRING("ip", CYAML_FLAG_OPTIONAL, struct yaml_mapping, ip, 1, 64),
	STRING("vtep", 0, struct yaml_mapping, vtep, 1, 64),
	CYAML_FIELD_UINT("epoch", CYAML_FLAG_OPTIONAL, struct yaml_mapping, epoch),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t mapping_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct yaml_mapping, mapping_fields),
};
static const cyaml_schema_value_t vtep_schema = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, 64),
};
static const cyaml_strval_t encaps[] = { { "vxlan", NVE_NVA_VXLAN }, { "geneve", NVE_NVA_GENEVE } };
static const cyaml_strval_t toses[] = { { "pipe", NVE_NVA_PIPE }, { "uniform", NVE_NVA_UNIFORM } };
static const cyaml_strval_t securities[] = { { "trusted", NVE_NVA_TRUSTED },
					     { "verified", NVE_NVA_VERIFIED } };
static const cyaml_schema_field_t glean_fields[] = {
	CYAML_FIELD_UINT("max", CYAML_FLAG_DEFAULT, struct yaml_glean, max),
	CYAML_FIELD_UINT("age", CYAML_FLAG_OPTIONAL, struct yaml_glean, age),
	CYAML_FIELD_END,
};
static const cyaml_strval_t switches[] = { { "true", YAML_ON }, { "false", YAML_OFF } };
static const cyaml_strval_t unknowns[] = { { "flood", YAML_FLOOD }, { "drop", YAML_DROP } };
static const cyaml_schema_field_t vn_fields[] = {
	STRING("name", CYAML_FLAG_OPTIONAL, struct yaml_vn, name, 1, NVE_NAME_MAX),
	STRING("profile", CYAML_FLAG_OPTIONAL, struct yaml_vn, profile, 1, NVE_NAME_MAX),
	CYAML_FIELD_UINT("id", CYAML_FLAG_DEFAULT, struct yaml_vn, id),
	CYAML_FIELD_UINT("vni", CYAML_FLAG_OPTIONAL, struct yaml_vn, vni),
	CYAML_FIELD_UINT("mtu", CYAML_FLAG_OPTIONAL, struct yaml_vn, mtu),
	CYAML_FIELD_ENUM("encap", CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT, struct yaml_vn, encap,
			 encaps, 2),
	CYAML_FIELD_ENUM("tos", CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT, struct yaml_vn, tos, toses,
			 2),
	CYAML_FIELD_ENUM("security", CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT, struct yaml_vn,
			 security, securities, 2),
	CYAML_FIELD_MAPPING_PTR("glean", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct yaml_vn,
				glean, glean_fields),
	CYAML_FIELD_BOOL("fail_closed", CYAML_FLAG_OPTIONAL, struct yaml_vn, fail_closed),
	CYAML_FIELD_ENUM("suppress", CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT, struct yaml_vn,
			 suppress, switches, 2),
	CYAML_FIELD_ENUM("unknown_unicast", CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT, struct yaml_vn,
			 unknown_unicast, unknowns, 2),
	CYAML_FIELD_UINT("bum_rate", CYAML_FLAG_OPTIONAL, struct yaml_vn, bum_rate),
	CYAML_FIELD_UINT("bum_burst", CYAML_FLAG_OPTIONAL, struct yaml_vn, bum_burst),
	CYAML_FIELD_SEQUENCE_COUNT("vteps", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
				   struct yaml_vn, vteps, n_vteps, &vtep_schema, 0, 65536),
	CYAML_FIELD_SEQUENCE_COUNT("tsis", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct yaml_vn,
				   tsis, n_tsis, &nve_local_tsi_schema, 0, 1 << 20),
	CYAML_FIELD_SEQUENCE_COUNT("mappings", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
				   struct yaml_vn, mappings, n_mappings, &mapping_schema, 0,
				   1 << 20),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t vn_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct yaml_vn, vn_fields),
};
static const cyaml_schema_field_t file_fields[] = {
	CYAML_FIELD_SEQUENCE_COUNT("profiles", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
				   struct yaml_file, profiles, n_profiles,
				   &nve_local_profile_schema, 0, 65536),
	CYAML_FIELD_SEQUENCE_COUNT("vns", CYAML_FLAG_POINTER, struct yaml_file, vns, n_vns,
				   &vn_schema, 0, 1 << 20),
	CYAML_FIELD_END,
};
const struct cyaml_schema_value nve_local_file_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct yaml_file, file_fields),
};
