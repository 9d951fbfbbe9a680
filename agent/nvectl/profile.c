/* SPDX-License-Identifier: Apache-2.0 */
/* nvectl profile: the rules of VN profiles, in order, with what they have met (S3). */
#include "nvectl/ctl.h"

#include <stdlib.h>
#include <string.h>

#include "nvectl/json.h"

enum { FIELDS_MAX = 16 };

static const struct ctl_column columns[] = { { "PROFILE" },     { "RULE", true },
					     { "ACTION" },      { "DIRECTION" },
					     { "MATCH" },       { "FRAMES", true },
					     { "BYTES", true }, { 0 } };

struct rules {
	struct ctl_list list;
	const char *name; /* NULL: of all profiles */
};

struct fields {
	struct ctl_json_member m[FIELDS_MAX];
	int n;
};

static void parse(struct fields *f, const char *json)
{
	int n = ctl_json_object(json, f->m, FIELDS_MAX);

	f->n = n < 0 ? 0 : n > FIELDS_MAX ? FIELDS_MAX : n;
}

/* A value without its quotes. */
static int text_of(const struct ctl_json_member *m, const char **ret)
{
	bool quoted = m->value_len >= 2 && m->value[0] == '"';

	*ret = m->value + quoted;
	return (int)m->value_len - 2 * quoted;
}

static bool is(const struct ctl_json_member *m, const char *name)
{
	return m->name_len == strlen(name) && !memcmp(m->name, name, m->name_len);
}

static void add(struct ctl_columns *table, const struct fields *f, const char *name)
{
	const char *text = "";
	int len = 0;

	for (int i = 0; i < f->n; i++)
		if (is(&f->m[i], name))
			len = text_of(&f->m[i], &text);
	ctl_columns_add(table, "%.*s", len, text);
}

/* All that the other columns do not say. */
static void add_match(struct ctl_columns *table, const struct fields *f)
{
	char *match = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&match, &size);

	for (int i = 0; out && i < f->n; i++) {
		const struct ctl_json_member *m = &f->m[i];
		const char *text;
		int len = text_of(m, &text);

		if (is(m, "action") || is(m, "direction") || is(m, "frames") || is(m, "bytes"))
			continue;
		fprintf(out, "%s%.*s %.*s", ftell(out) ? ", " : "", (int)m->name_len, m->name, len,
			text);
	}
	if (out)
		fclose(out);
	ctl_columns_add(table, "%s", match && *match ? match : "any");
	free(match);
}

static bool wanted(const struct rules *rules, const struct fields *key)
{
	const char *text;
	int len;

	for (int i = 0; rules->name && i < key->n; i++) {
		if (!is(&key->m[i], "profile"))
			continue;
		len = text_of(&key->m[i], &text);
		return (size_t)len == strlen(rules->name) && !memcmp(text, rules->name, len);
	}
	return true;
}

static int take(void *arg, ProtobufCMessage **message)
{
	const Nve__V1__DumpTableReply *reply = (const void *)*message;
	struct rules *rules = arg;

	for (size_t i = 0; i < reply->n_rows; i++) {
		struct fields key, value;

		parse(&key, reply->rows[i]->key);
		parse(&value, reply->rows[i]->value);
		if (!wanted(rules, &key) || ctl_list_json(&rules->list, &reply->rows[i]->base))
			continue;
		add(rules->list.table, &key, "profile");
		add(rules->list.table, &key, "rule");
		add(rules->list.table, &value, "action");
		add(rules->list.table, &value, "direction");
		add_match(rules->list.table, &value);
		add(rules->list.table, &value, "frames");
		add(rules->list.table, &value, "bytes");
	}
	return 0;
}

static int run(struct ctl *ctl)
{
	Nve__V1__DumpTableRequest req = NVE__V1__DUMP_TABLE_REQUEST__INIT;
	struct ctl_call call = { CTL_ADMIN("DumpTable"), &req.base,
				 &nve__v1__dump_table_reply__descriptor, ctl->timeout_ms, false };
	struct rules rules = { .name = ctl->in.n_operands ? ctl->in.operands[0] : NULL };
	int r;

	req.table = (char *)"acl";
	r = ctl_list_start(&rules.list, ctl, columns);
	if (r != CTL_OK)
		return r;
	return ctl_list_end(&rules.list, ctl_call_stream(ctl, &call, take, &rules));
}

static const struct ctl_command profile_command = {
	.summary = "the rules of VN profiles and what they have met; with a name, of one",
	.details = "Rules are in order: the first that matches a frame decides and counts it.\n",
	.operands = { "[NAME]", 0, 1, { CTL_WORDS_ANY, CTL_WORDS_ANY } },
	.run = run,
};

static const struct ctl_command *const commands[] = { &profile_command, NULL };

const struct ctl_group ctl_profile_group = { "profile",
					     "the rules of VN profiles and what they have met",
					     commands };
