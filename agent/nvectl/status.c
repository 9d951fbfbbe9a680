/* SPDX-License-Identifier: Apache-2.0 */
/* nvectl status, nvectl drops, nvectl answers: the agent and the datapath as a whole. */
#include "nvectl/ctl.h"

#include <inttypes.h>

#include "nve/v1/diff.pb-c.h"
#include "nvectl/text.h"

static const struct ctl_column pool_columns[] = {
	{ "POOL" }, { "USED", true }, { "MAX", true }, { 0 }
};
static const struct ctl_column counter_columns[] = { { "COUNTER" }, { "VALUE", true }, { 0 } };
static const struct ctl_column refusal_columns[] = { { "REFUSED FOR" }, { "TIMES", true }, { 0 } };
static const struct ctl_column check_columns[] = {
	{ "DIFFERED" }, { "FOUND", true }, { "MENDED", true }, { 0 }
};
static const struct ctl_column drop_columns[] = {
	{ "REASON" }, { "FRAMES", true }, { "MEANING" }, { 0 }
};

static const struct ctl_column answer_columns[] = {
	{ "ANSWER" }, { "FRAMES", true }, { "MEANING" }, { 0 }
};

static void print_line(const char *label, const char *text)
{
	if (!text || !*text)
		return;
	printf("%-12s", label);
	ctl_text_print(stdout, text);
	putchar('\n');
}

static int print_counts(const struct ctl *ctl, const struct ctl_column *columns,
			Nve__V1__Count *const *counts, size_t n)
{
	struct ctl_list list;
	int r;

	if (!n)
		return CTL_OK;
	r = ctl_list_start(&list, ctl, columns);
	if (r != CTL_OK)
		return r;
	putchar('\n');
	for (size_t i = 0; i < n; i++) {
		ctl_columns_add(list.table, "%s", counts[i]->name);
		ctl_columns_add(list.table, "%" PRIu64, counts[i]->value);
	}
	return ctl_list_end(&list, CTL_OK);
}

static int print_pools(const struct ctl *ctl, const Nve__V1__Status *st)
{
	struct ctl_list list;
	int r;

	if (!st->n_pools)
		return CTL_OK;
	r = ctl_list_start(&list, ctl, pool_columns);
	if (r != CTL_OK)
		return r;
	putchar('\n');
	for (size_t i = 0; i < st->n_pools; i++) {
		ctl_columns_add(list.table, "%s", st->pools[i]->name);
		ctl_columns_add(list.table, "%" PRIu64, st->pools[i]->used);
		ctl_columns_add(list.table, "%" PRIu64, st->pools[i]->max);
	}
	return ctl_list_end(&list, CTL_OK);
}

static int print_checks(const struct ctl *ctl, const Nve__V1__Status *st)
{
	struct ctl_list list;
	int r;

	if (!st->n_table_checks)
		return CTL_OK;
	r = ctl_list_start(&list, ctl, check_columns);
	if (r != CTL_OK)
		return r;
	putchar('\n');
	for (size_t i = 0; i < st->n_table_checks; i++) {
		ctl_columns_add(list.table, "%s", st->table_checks[i]->table);
		ctl_columns_add(list.table, "%" PRIu64, st->table_checks[i]->found);
		ctl_columns_add(list.table, "%" PRIu64, st->table_checks[i]->mended);
	}
	return ctl_list_end(&list, CTL_OK);
}

static void print_last_check(const Nve__V1__Status *st)
{
	char text[CTL_TIME_TEXT];

	if (st->last_check_unix_ns)
		printf("%-12s%s, %" PRIu64 " differences\n", "Checked",
		       ctl_text_time(st->last_check_unix_ns, text, sizeof(text)),
		       st->last_check_found);
}

static void print_policy(const Nve__V1__Status *st)
{
	char text[CTL_ADDR_TEXT];

	if (!*st->role) /* an agent that knows no policy */
		return;
	print_line("Policy", *st->policy ? st->policy : "none");
	if (*st->policy)
		printf("%-12s%u, loaded %s\n", "Roles", st->policy_roles,
		       ctl_text_time(st->policy_loaded_unix_ns, text, sizeof(text)));
	fputs("You are     ", stdout);
	ctl_text_print(stdout, st->identity);
	fputs(", role ", stdout);
	ctl_text_print(stdout, st->role);
	putchar('\n');
}

static void print_audit(const Nve__V1__AuditLog *audit)
{
	if (!audit || !*audit->path)
		return;
	print_line("Audit", audit->path);
	printf("%-12s%" PRIu64 " lines, %" PRIu64 " lost, %" PRIu64 " failures", "", audit->lines,
	       audit->lost, audit->failures);
	if (*audit->error)
		printf("; now: %s", audit->error);
	putchar('\n');
}

static void print_tls(const Nve__V1__TlsState *tls)
{
	char until[CTL_ADDR_TEXT], crl[CTL_ADDR_TEXT] = "none";

	ctl_text_time(tls->certificate_until * 1000000000, until, sizeof(until));
	if (tls->crl_until)
		ctl_text_time(tls->crl_until * 1000000000, crl, sizeof(crl));
	printf("%-12scertificate until %s, revocations until %s\n", "TLS", until, crl);
	printf("%-12s%u connected, %u at the handshake; %" PRIu64 " accepted, %" PRIu64
	       " refused, %" PRIu64 " revoked\n",
	       "", tls->connections, tls->handshakes, tls->accepted, tls->refused, tls->revoked);
}

static void print_listeners(const Nve__V1__Status *st)
{
	for (size_t i = 0; i < st->n_listeners; i++) {
		char text[256];

		snprintf(text, sizeof(text), "%s%s%s%s", st->listeners[i],
			 i < st->n_listening ? " (" : "",
			 i < st->n_listening ? st->listening[i]->security : "",
			 i < st->n_listening ? ")" : "");
		print_line(i ? "" : "Listens on", text);
	}
	if (st->tls)
		print_tls(st->tls);
}

static void print_facts(const Nve__V1__Status *st)
{
	char text[CTL_ADDR_TEXT];

	print_line("NVE", st->nve);
	print_line("Version", st->version);
	if (st->started_unix_ns)
		print_line("Started", ctl_text_time(st->started_unix_ns, text, sizeof(text)));
	print_line("VTEP", ctl_text_ip(st->local_vtep, text, sizeof(text)));
	print_line("Datapath", st->datapath);
	print_line("NVA", st->nva);
	print_line("Store", st->store);
	print_line("Durability", st->durability);
	print_listeners(st);
	printf("%-12s%u\n", "Sessions", st->sessions);
	printf("%-12s%u bytes a message, %u requests outstanding\n", "Limits",
	       st->max_message_bytes, st->max_outstanding);
	print_last_check(st);
	print_policy(st);
	for (size_t i = 0; i < st->n_draining; i++)
		printf("%-12s%s: %u TSIs left\n", i ? "" : "Draining", st->draining[i]->port,
		       st->draining[i]->tsis);
	print_audit(st->audit);
	for (size_t i = 0; i < st->n_notes; i++)
		print_line(i ? "" : "Note", st->notes[i]);
}

static int run_status(struct ctl *ctl)
{
	Nve__V1__GetStatusRequest req = NVE__V1__GET_STATUS_REQUEST__INIT;
	ProtobufCMessage *reply = NULL;
	const Nve__V1__Status *st;
	int r;

	r = ctl_call_unary(ctl, CTL_ADMIN("GetStatus"), &req.base, &nve__v1__status__descriptor,
			   &reply);
	if (r != CTL_OK)
		return r;
	st = (const Nve__V1__Status *)reply;
	if (ctl->json) {
		ctl_print_json(reply);
	} else {
		print_facts(st);
		r = print_pools(ctl, st);
		if (r == CTL_OK)
			r = print_counts(ctl, counter_columns, st->counters, st->n_counters);
		if (r == CTL_OK)
			r = print_counts(ctl, refusal_columns, st->refusals, st->n_refusals);
		if (r == CTL_OK)
			r = print_checks(ctl, st);
	}
	protobuf_c_message_free_unpacked(reply, NULL);
	return r;
}

static void add_count(struct ctl_list *list, const ProtobufCMessage *m, const char *name,
		      uint64_t frames, const char *text)
{
	if (ctl_list_json(list, m))
		return;
	ctl_columns_add(list->table, "%s", name);
	ctl_columns_add(list->table, "%" PRIu64, frames);
	ctl_columns_add(list->table, "%s", text);
}

static void add_drops(struct ctl_list *list, const Nve__V1__ListDropsReply *m)
{
	for (size_t i = 0; i < m->n_drops; i++)
		add_count(list, &m->drops[i]->base, m->drops[i]->reason, m->drops[i]->frames,
			  m->drops[i]->text);
}

static void add_answers(struct ctl_list *list, const Nve__V1__ListDropsReply *m)
{
	for (size_t i = 0; i < m->n_answers; i++)
		add_count(list, &m->answers[i]->base, m->answers[i]->kind, m->answers[i]->frames,
			  m->answers[i]->text);
}

static int list_frames(struct ctl *ctl, const struct ctl_column *columns,
		       void (*add)(struct ctl_list *list, const Nve__V1__ListDropsReply *m))
{
	Nve__V1__ListDropsRequest req = NVE__V1__LIST_DROPS_REQUEST__INIT;
	ProtobufCMessage *reply = NULL;
	struct ctl_list list;
	int r;

	r = ctl_call_unary(ctl, CTL_ADMIN("ListDrops"), &req.base,
			   &nve__v1__list_drops_reply__descriptor, &reply);
	if (r != CTL_OK)
		return r;
	r = ctl_list_start(&list, ctl, columns);
	if (r == CTL_OK) {
		add(&list, (const Nve__V1__ListDropsReply *)reply);
		r = ctl_list_end(&list, r);
	}
	protobuf_c_message_free_unpacked(reply, NULL);
	return r;
}

static int run_drops(struct ctl *ctl)
{
	return list_frames(ctl, drop_columns, add_drops);
}

static int run_answers(struct ctl *ctl)
{
	return list_frames(ctl, answer_columns, add_answers);
}

static const struct ctl_command status_command = {
	.summary = "the agent: version, backends, pools, counters, notes",
	.run = run_status,
};

static const struct ctl_command drops_command = {
	.summary = "frames that were not forwarded, by reason",
	.run = run_drops,
};

static const struct ctl_command answers_command = {
	.summary = "frames that the NVE made in answer to others, by kind",
	.run = run_answers,
};

static const struct ctl_command *const status_commands[] = { &status_command, NULL };
static const struct ctl_command *const drops_commands[] = { &drops_command, NULL };
static const struct ctl_command *const answers_commands[] = { &answers_command, NULL };

const struct ctl_group ctl_status_group = { "status",
					    "the agent: version, backends, pools, counters, notes",
					    status_commands };
const struct ctl_group ctl_drops_group = { "drops", "frames that were not forwarded, by reason",
					   drops_commands };
const struct ctl_group ctl_answers_group = {
	"answers", "frames that the NVE made in answer to others, by kind", answers_commands
};
