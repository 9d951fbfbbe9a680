/* SPDX-License-Identifier: Apache-2.0 */
/* The schema of nved.yaml for libcyaml, and its complaints put into words with line and remedy. */
#include "config_raw.h"

#include <cyaml/cyaml.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORD_MAX = 128 };

/* Not cyaml's own booleans, which take any misspelt word for true. */
static const cyaml_strval_t bools[] = {
	{ "false", RAW_FALSE }, { "true", RAW_TRUE }, { "no", RAW_FALSE }, { "yes", RAW_TRUE }
};
static const cyaml_strval_t roles[] = { { "access", RAW_ACCESS }, { "underlay", RAW_UNDERLAY } };
static const cyaml_strval_t modes[] = { { "auto", RAW_AUTO },
					{ "xdp", RAW_XDP },
					{ "tc", RAW_TC } };
static const cyaml_strval_t untaggeds[] = { { "drop", RAW_DROP }, { "host", RAW_HOST } };
static const cyaml_strval_t durabilities[] = { { "power", RAW_POWER }, { "process", RAW_PROCESS } };
static const cyaml_strval_t switches[] = { { "off", RAW_OFF }, { "on", RAW_ON } };
static const cyaml_strval_t levels[] = { { "error", RAW_ERROR },
					 { "warning", RAW_WARNING },
					 { "info", RAW_INFO },
					 { "debug", RAW_DEBUG } };

#define STRING(key, type, member)                                                                  \
	CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER_NULL | CYAML_FLAG_OPTIONAL, type, member,   \
			       0, CYAML_UNLIMITED)
#define NUMBER(key, type, member)                                                                  \
	CYAML_FIELD_UINT_PTR(key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, type, member)
#define CHOICE(key, type, member, words)                                                           \
	CYAML_FIELD_ENUM(key, CYAML_FLAG_STRICT | CYAML_FLAG_OPTIONAL, type, member, words,        \
			 sizeof(words) / sizeof(*(words)))
#define MAPPING(key, type, member, fields)                                                         \
	CYAML_FIELD_MAPPING(key, CYAML_FLAG_OPTIONAL, type, member, fields)
#define LIST(key, member, count, entry)                                                            \
	CYAML_FIELD_SEQUENCE_COUNT(key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,                  \
				   struct raw_config, member, count, &(entry), 0, CYAML_UNLIMITED)

static const cyaml_schema_field_t store_fields[] = {
	STRING("backend", struct raw_store, backend),
	STRING("path", struct raw_store, path),
	CHOICE("durability", struct raw_store, durability, durabilities),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t tls_fields[] = {
	STRING("certificate", struct raw_tls, certificate),
	STRING("key", struct raw_tls, key),
	STRING("client_ca", struct raw_tls, client_ca),
	STRING("crl", struct raw_tls, crl),
	NUMBER("handshakes", struct raw_tls, handshakes),
	NUMBER("handshake_timeout_ms", struct raw_tls, handshake_timeout_ms),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t nva_fields[] = {
	STRING("backend", struct raw_nva, backend),
	STRING("source", struct raw_nva, source),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t scope_fields[] = {
	STRING("name", struct raw_scope, name),
	NUMBER("tag_min", struct raw_scope, tag_min),
	NUMBER("tag_max", struct raw_scope, tag_max),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t port_fields[] = {
	STRING("name", struct raw_port, name),
	STRING("ifname", struct raw_port, ifname),
	CHOICE("role", struct raw_port, role, roles),
	CHOICE("mode", struct raw_port, mode, modes),
	STRING("scope", struct raw_port, scope),
	CHOICE("untagged", struct raw_port, untagged, untaggeds),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t per_client_fields[] = {
	NUMBER("tsis", struct raw_per_client, tsis),
	NUMBER("addresses", struct raw_per_client, addresses),
	NUMBER("vns", struct raw_per_client, vns),
	NUMBER("connections", struct raw_per_client, connections),
	NUMBER("streams", struct raw_per_client, streams),
	NUMBER("calls", struct raw_per_client, calls),
	NUMBER("bytes", struct raw_per_client, bytes),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t limits_fields[] = {
	NUMBER("tsis", struct raw_limits, tsis),
	NUMBER("addresses", struct raw_limits, addresses),
	NUMBER("vns", struct raw_limits, vns),
	NUMBER("vaps", struct raw_limits, vaps),
	NUMBER("fdb", struct raw_limits, fdb),
	NUMBER("vteps", struct raw_limits, vteps),
	NUMBER("flood", struct raw_limits, flood),
	NUMBER("meters", struct raw_limits, meters),
	NUMBER("rate_mbit", struct raw_limits, rate_mbit),
	NUMBER("sessions", struct raw_limits, sessions),
	NUMBER("outstanding", struct raw_limits, outstanding),
	NUMBER("message_bytes", struct raw_limits, message_bytes),
	MAPPING("per_client", struct raw_limits, per_client, per_client_fields),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t timer_fields[] = {
	NUMBER("default_ms", struct raw_timer, default_ms),
	NUMBER("min_ms", struct raw_timer, min_ms),
	NUMBER("max_ms", struct raw_timer, max_ms),
	CHOICE("may_be_off", struct raw_timer, may_be_off, bools),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t timers_fields[] = {
	MAPPING("keepalive", struct raw_timers, keepalive, timer_fields),
	MAPPING("keepactive", struct raw_timers, keepactive, timer_fields),
	NUMBER("quarantine_ms", struct raw_timers, quarantine_ms),
	NUMBER("duplicate_alarm_ms", struct raw_timers, duplicate_alarm_ms),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t log_fields[] = {
	CHOICE("level", struct raw_log, level, levels),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t check_fields[] = {
	NUMBER("interval_s", struct raw_reconcile, interval_s),
	NUMBER("rows_per_s", struct raw_reconcile, rows_per_s),
	CHOICE("repair", struct raw_reconcile, repair, bools),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t audit_fields[] = {
	STRING("path", struct raw_audit, path),
	NUMBER("max_mib", struct raw_audit, max_mib),
	NUMBER("keep", struct raw_audit, keep),
	CHOICE("sync", struct raw_audit, sync, bools),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t listener_entry = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char *, 0, CYAML_UNLIMITED),
};
static const cyaml_schema_value_t scope_entry = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_scope, scope_fields),
};
static const cyaml_schema_value_t port_entry = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_port, port_fields),
};

static const cyaml_schema_field_t top_fields[] = {
	STRING("nve", struct raw_config, nve),
	STRING("local_vtep", struct raw_config, local_vtep),
	STRING("local_vtep6", struct raw_config, local_vtep6),
	NUMBER("vxlan_port", struct raw_config, vxlan_port),
	NUMBER("geneve_port", struct raw_config, geneve_port),
	STRING("pin_dir", struct raw_config, pin_dir),
	STRING("datapath", struct raw_config, datapath),
	STRING("policy", struct raw_config, policy),
	MAPPING("store", struct raw_config, store, store_fields),
	MAPPING("nva", struct raw_config, nva, nva_fields),
	MAPPING("tls", struct raw_config, tls, tls_fields),
	LIST("listeners", listeners, n_listeners, listener_entry),
	LIST("scopes", scopes, n_scopes, scope_entry),
	LIST("ports", ports, n_ports, port_entry),
	MAPPING("limits", struct raw_config, limits, limits_fields),
	MAPPING("timers", struct raw_config, timers, timers_fields),
	MAPPING("log", struct raw_config, log, log_fields),
	MAPPING("check", struct raw_config, check, check_fields),
	CHOICE("sandbox", struct raw_config, sandbox, switches),
	MAPPING("audit", struct raw_config, audit, audit_fields),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t top = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct raw_config, top_fields),
};

/* What libcyaml said: the first message, and the innermost place of its backtrace. */
struct complaint {
	char text[WORD_MAX * 2];
	char field[WORD_MAX];
	unsigned line;
};

__attribute__((format(printf, 3, 0))) static void take_log(cyaml_log_t level, void *arg,
							   const char *fmt, va_list args)
{
	struct complaint *complaint = arg;
	char text[sizeof(complaint->text)];
	const char *place;

	(void)level;
	vsnprintf(text, sizeof(text), fmt, args);
	text[strcspn(text, "\n")] = '\0';
	if (!*complaint->text) {
		const char *prefix = "Load: ";
		size_t skip = strncmp(text, prefix, strlen(prefix)) ? 0 : strlen(prefix);

		memcpy(complaint->text, text + skip, sizeof(text) - skip);
	}
	place = strstr(text, "(line: ");
	if (complaint->line || !place)
		return;
	complaint->line = (unsigned)strtoul(place + strlen("(line: "), NULL, 10);
	if (sscanf(text, "  in mapping field '%127[^']'", complaint->field) != 1)
		*complaint->field = '\0';
}

static const cyaml_schema_field_t *fields_of(const cyaml_schema_value_t *value)
{
	if (value->type == CYAML_SEQUENCE)
		value = value->sequence.entry;
	return value->type == CYAML_MAPPING ? value->mapping.fields : NULL;
}

/* Words that an enum of that name takes; no two enums of the schema share a name but not words. */
static const cyaml_schema_field_t *find_enum(const cyaml_schema_field_t *field, const char *key)
{
	for (; field->key; field++) {
		const cyaml_schema_field_t *below = fields_of(&field->value);
		const cyaml_schema_field_t *found = below ? find_enum(below, key) : NULL;

		if (found)
			return found;
		if (field->value.type == CYAML_ENUM && !strcmp(field->key, key))
			return field;
	}
	return NULL;
}

static void join_words(const cyaml_schema_field_t *field, char *out, size_t size)
{
	size_t len = 0;

	for (uint32_t i = 0; i < field->value.enumeration.count && len < size; i++) {
		const char *sep = i ? i + 1 < field->value.enumeration.count ? ", " : " or " : "";

		len += (size_t)snprintf(out + len, size - len, "%s%s", sep,
					field->value.enumeration.strings[i].str);
	}
}

static int put_into_words(const struct complaint *complaint, char **what)
{
	const cyaml_schema_field_t *choice = find_enum(top_fields, complaint->field);
	const char *field = *complaint->field ? complaint->field : "the file";
	const char *value = strstr(complaint->text, ": ");
	char words[WORD_MAX];
	int r;

	value = value ? value + 2 : "";
	if (!strncmp(complaint->text, "Invalid ENUM", 12) && choice) {
		join_words(choice, words, sizeof(words));
		r = asprintf(what, "%s: '%s' is not known; write %s", field, value, words);
	} else if (!strncmp(complaint->text, "Invalid U", 9) ||
		   !strncmp(complaint->text, "Invalid u", 9))
		r = asprintf(what,
			     "%s: %s is not a whole number of 32 bits; write digits only, no unit",
			     field, value);
	else if (!strncmp(complaint->text, "Expecting", 9))
		r = asprintf(what, "%s is of the wrong kind (%s); see nved.yaml(5) for its form",
			     field, complaint->text);
	else
		r = asprintf(what, "%s: %s; see nved.yaml(5)", field, complaint->text);
	return r < 0 ? -ENOMEM : -EINVAL;
}

static const cyaml_config_t reader = {
	.mem_fn = cyaml_mem,
	.log_fn = take_log,
	.log_level = CYAML_LOG_ERROR,
};

int nve_config_raw_load(const char *text, size_t len, struct raw_config **ret, unsigned *line,
			char **what)
{
	struct complaint complaint = { .line = 0 };
	cyaml_config_t config = reader;
	cyaml_data_t *data = NULL;
	cyaml_err_t err;

	config.log_ctx = &complaint;
	err = cyaml_load_data((const uint8_t *)text, len, &config, &top, &data, NULL);
	if (err == CYAML_ERR_OOM)
		return -ENOMEM;
	if (err != CYAML_OK) {
		if (!*complaint.text)
			snprintf(complaint.text, sizeof(complaint.text), "%s", cyaml_strerror(err));
		*line = complaint.line ?: 1;
		return put_into_words(&complaint, what);
	}
	*ret = data;
	return 0;
}

void nve_config_raw_free(struct raw_config *raw)
{
	cyaml_free(&reader, &top, raw, 0);
}

bool nve_config_raw_known(const char *path)
{
	const cyaml_schema_field_t *field = top_fields;

	while (field) {
		size_t len = strcspn(path, "/");

		while (field->key && (strlen(field->key) != len || memcmp(field->key, path, len)))
			field++;
		if (!field->key)
			return false;
		path += len;
		if (!*path)
			return true;
		if (field->value.type == CYAML_SEQUENCE) /* skip the place in the list */
			path += 1 + strcspn(path + 1, "/");
		path += *path == '/';
		field = fields_of(&field->value);
	}
	return false;
}

static void each_key(const cyaml_schema_field_t *field, const char *above,
		     void (*fn)(void *arg, const char *path), void *arg)
{
	for (; field->key; field++) {
		const cyaml_schema_field_t *below = fields_of(&field->value);
		char path[WORD_MAX];

		snprintf(path, sizeof(path), "%s%s%s", above, field->key,
			 field->value.type == CYAML_SEQUENCE ? "/0" : "");
		fn(arg, path);
		snprintf(path + strlen(path), sizeof(path) - strlen(path), "/");
		if (below)
			each_key(below, path, fn, arg);
	}
}

void nve_config_raw_each_key(void (*fn)(void *arg, const char *path), void *arg)
{
	each_key(top_fields, "", fn, arg);
}
