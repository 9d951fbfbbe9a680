/* SPDX-License-Identifier: Apache-2.0 */
/* The schema of the policy file for libcyaml, and its complaints put into words. */
#include "authz/policy_internal.h"

#include <cyaml/cyaml.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LISTS_MAX = 65536, TEXT_MAX = 255 };

static const cyaml_strval_t ownses[] = { { "own", NVE_OWNS_OWN + 1 },
					 { "take", NVE_OWNS_TAKE + 1 },
					 { "any", NVE_OWNS_ANY + 1 } };
static const cyaml_strval_t switches[] = { { "no", RAW_SWITCH_NO },
					   { "yes", RAW_SWITCH_YES },
					   { "false", RAW_SWITCH_NO },
					   { "true", RAW_SWITCH_YES } };

static const cyaml_schema_value_t text_entry = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char *, 1, TEXT_MAX),
};

#define LIST(key)                                                                                  \
	CYAML_FIELD_SEQUENCE_COUNT(#key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,                 \
				   struct raw_role, key.list, key.n, &text_entry, 0, LISTS_MAX)
#define NUMBER(key)                                                                                \
	CYAML_FIELD_UINT_PTR(#key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct raw_max, key)
static const cyaml_schema_field_t max_fields[] = {
	NUMBER(tsis),
	NUMBER(addresses),
	NUMBER(vns),
	CYAML_FIELD_END,
};
static const cyaml_schema_field_t role_fields[] = {
	CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, struct raw_role, name, 1, NVE_NAME_MAX),
	LIST(identities),
	LIST(ports),
	LIST(vns),
	LIST(tsis),
	LIST(macs),
	LIST(ips),
	LIST(parameters),
	LIST(admin),
	CYAML_FIELD_ENUM("owns", CYAML_FLAG_STRICT | CYAML_FLAG_OPTIONAL, struct raw_role, owns,
			 ownses, 3),
	CYAML_FIELD_ENUM("ip_required", CYAML_FLAG_STRICT | CYAML_FLAG_OPTIONAL, struct raw_role,
			 ip_required, switches, 4),
	CYAML_FIELD_MAPPING("max", CYAML_FLAG_OPTIONAL, struct raw_role, max, max_fields),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t role_entry = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_role, role_fields),
};
static const cyaml_schema_field_t top_fields[] = {
	CYAML_FIELD_SEQUENCE_COUNT("roles", CYAML_FLAG_POINTER, struct raw_policy, roles, n_roles,
				   &role_entry, 0, LISTS_MAX),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t top = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct raw_policy, top_fields),
};

/* What libcyaml said first, and the innermost place that it named. */
struct complaint {
	char text[256];
	char field[64];
	unsigned line;
};

static void hear(cyaml_log_t level, void *arg, const char *fmt, va_list args)
{
	struct complaint *c = arg;
	char text[sizeof(c->text)];
	const char *place;

	(void)level;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	vsnprintf(text, sizeof(text), fmt, args);
#pragma GCC diagnostic pop
	text[strcspn(text, "\n")] = '\0';
	if (!*c->text) {
		size_t skip = strncmp(text, "Load: ", 6) ? 0 : 6;

		memcpy(c->text, text + skip, sizeof(text) - skip);
	}
	place = strstr(text, "(line: ");
	if (c->line || !place)
		return;
	c->line = (unsigned)strtoul(place + 7, NULL, 10);
	if (sscanf(text, "  in mapping field '%63[^']'", c->field) != 1)
		*c->field = '\0';
}

static const cyaml_config_t reader = {
	.mem_fn = cyaml_mem,
	.log_fn = hear,
	.log_level = CYAML_LOG_ERROR,
	.flags = CYAML_CFG_NO_ALIAS,
};

static int put_into_words(const struct complaint *c, char **what)
{
	const char *field = *c->field ? c->field : "the file";
	int r;

	if (!strcmp(field, "owns"))
		r = asprintf(what, "owns: %s; write own, take or any", c->text);
	else
		r = asprintf(what, "%s: %s; nved-policy.yaml(5) has the form", field, c->text);
	return r < 0 ? -ENOMEM : -EINVAL;
}

int nve_policy_raw_load(const char *text, size_t len, struct raw_policy **ret, unsigned *line,
			char **what)
{
	struct complaint c = { .line = 0 };
	cyaml_config_t config = reader;
	cyaml_data_t *data = NULL;
	cyaml_err_t err;

	config.log_ctx = &c;
	err = cyaml_load_data((const uint8_t *)text, len, &config, &top, &data, NULL);
	if (err == CYAML_ERR_OOM)
		return -ENOMEM;
	if (err == CYAML_OK && data) {
		*ret = data;
		return 0;
	}
	if (!*c.text)
		snprintf(c.text, sizeof(c.text), "%s",
			 err == CYAML_OK ? "it is empty" : cyaml_strerror(err));
	*line = c.line ? c.line : 1;
	return put_into_words(&c, what);
}

void nve_policy_raw_free(struct raw_policy *raw)
{
	cyaml_free(&reader, &top, raw, 0);
}

static bool is_key(const cyaml_schema_field_t *field, const char *text, size_t len)
{
	for (; field->key; field++)
		if (strlen(field->key) == len && !memcmp(field->key, text, len))
			return true;
	return false;
}

/* "roles", "roles/0", "roles/0/max", "roles/0/max/tsis", "roles/0/ports/3". */
bool nve_policy_raw_known(const char *path)
{
	size_t len = strcspn(path, "/");

	if (!is_key(top_fields, path, len))
		return false;
	for (int i = 0; i < 2; i++) { /* past "roles/N" */
		path += len;
		if (!*path++)
			return true;
		len = strcspn(path, "/");
	}
	if (!is_key(role_fields, path, len))
		return false;
	if (strncmp(path, "max/", 4) != 0)
		return true;
	return is_key(max_fields, path + 4, strlen(path + 4));
}
