/* SPDX-License-Identifier: Apache-2.0 */
/* nvectl table: the datapath's tables, and what was published to the NVA. */
#include "nvectl/ctl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "nvectl/json.h"

#define FIELDS_MAX 64

static const struct ctl_column list_columns[] = {
	{ "TABLE" }, { "USED", true }, { "MAX", true }, { 0 }
};
static const struct ctl_column row_columns[] = { { "KEY" }, { "VALUE" }, { 0 } };

static int run_list(struct ctl *ctl)
{
	Nve__V1__ListTablesRequest req = NVE__V1__LIST_TABLES_REQUEST__INIT;
	const Nve__V1__ListTablesReply *tables;
	ProtobufCMessage *reply = NULL;
	struct ctl_list list;
	int r;

	r = ctl_call_unary(ctl, CTL_ADMIN("ListTables"), &req.base,
			   &nve__v1__list_tables_reply__descriptor, &reply);
	if (r != CTL_OK)
		return r;
	tables = (const Nve__V1__ListTablesReply *)reply;
	r = ctl_list_start(&list, ctl, list_columns);
	for (size_t i = 0; r == CTL_OK && i < tables->n_tables; i++) {
		const Nve__V1__Pool *t = tables->tables[i];

		if (ctl_list_json(&list, &t->base))
			continue;
		ctl_columns_add(list.table, "%s", t->name);
		ctl_columns_add(list.table, "%" PRIu64, t->used);
		ctl_columns_add(list.table, "%" PRIu64, t->max);
	}
	if (r == CTL_OK)
		r = ctl_list_end(&list, r);
	protobuf_c_message_free_unpacked(reply, NULL);
	return r;
}

void ctl_columns_add_fields(struct ctl_columns *table, const char *json)
{
	struct ctl_json_member m[FIELDS_MAX];
	int n = ctl_json_object(json, m, FIELDS_MAX);
	char *text = NULL;
	size_t len = 0;
	FILE *out = n < 0 || n > FIELDS_MAX ? NULL : open_memstream(&text, &len);

	if (!out) {
		ctl_columns_add(table, "%s", json);
		return;
	}
	for (int i = 0; i < n; i++)
		fprintf(out, "%s%.*s %.*s", i ? ", " : "", (int)m[i].name_len, m[i].name,
			(int)m[i].value_len, m[i].value);
	fclose(out);
	ctl_columns_add(table, "%s", text ? text : json);
	free(text);
}

static int take_rows(void *arg, ProtobufCMessage **message)
{
	const Nve__V1__DumpTableReply *reply = (const void *)*message;
	struct ctl_list *list = arg;

	for (size_t i = 0; i < reply->n_rows; i++) {
		if (ctl_list_json(list, &reply->rows[i]->base))
			continue;
		ctl_columns_add_fields(list->table, reply->rows[i]->key);
		ctl_columns_add_fields(list->table, reply->rows[i]->value);
	}
	return 0;
}

static int run(struct ctl *ctl)
{
	Nve__V1__DumpTableRequest req = NVE__V1__DUMP_TABLE_REQUEST__INIT;
	struct ctl_call call = { CTL_ADMIN("DumpTable"), &req.base,
				 &nve__v1__dump_table_reply__descriptor, ctl->timeout_ms, false };
	struct ctl_list list;
	int r;

	if (!ctl->in.n_operands)
		return run_list(ctl);
	req.table = (char *)ctl->in.operands[0];
	r = ctl_list_start(&list, ctl, row_columns);
	if (r != CTL_OK)
		return r;
	return ctl_list_end(&list, ctl_call_stream(ctl, &call, take_rows, &list));
}

static const struct ctl_command table_command = {
	.summary = "the datapath's tables; with a name, its rows",
	.details = "The table \"published\" is what this NVE told the NVA.\n",
	.operands = { "[NAME]", 0, 1, { CTL_WORDS_TABLE, CTL_WORDS_TABLE } },
	.run = run,
};

static const struct ctl_command *const commands[] = { &table_command, NULL };

const struct ctl_group ctl_table_group = { "table", "the datapath's tables; with a name, its rows",
					   commands };
