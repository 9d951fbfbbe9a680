/* SPDX-License-Identifier: Apache-2.0 */
/* nvectl tsi list, nvectl tsi show: instances of TSIs, a line or a page each. */
#include "nvectl/tsi.h"

#include <inttypes.h>
#include <string.h>

#include "nvectl/text.h"

#define LIST_COLUMNS                                                                               \
	{ "TSI" }, { "PORT" }, { "VN", true }, { "NAME" }, { "TAG", true }, { "STATE" },           \
		{ "FOR", true }, { "TIMER", true },                                                \
	{                                                                                          \
		"ADDRESSES"                                                                        \
	}

static const struct ctl_column columns[] = { LIST_COLUMNS, { 0 } };
static const struct ctl_column stats_columns[] = { LIST_COLUMNS,
						   { "IN FRAMES", true },
						   { "IN BYTES", true },
						   { "OUT FRAMES", true },
						   { "OUT BYTES", true },
						   { "DROPPED", true },
						   { 0 } };

struct listing {
	struct ctl_list list;
	bool statistics;
};

/* A message that the agent left out reads as its defaults. */
static const Nve__V1__TsiKey *key_of(const Nve__V1__Tsi *t)
{
	static const Nve__V1__TsiKey none = NVE__V1__TSI_KEY__INIT;

	return t->key ? t->key : &none;
}

static const Nve__V1__TsiStatistics *statistics_of(const Nve__V1__Tsi *t)
{
	static const Nve__V1__TsiStatistics none = NVE__V1__TSI_STATISTICS__INIT;

	return t->statistics ? t->statistics : &none;
}

/* The timer counts in Associated and Activated; 0 ms left means that it is off. */
static const char *timer_text(const Nve__V1__Tsi *t, char *buf, size_t len)
{
	if (t->state == NVE__V1__TSI_STATE__TSI_STATE_INIT)
		return "";
	return ctl_text_timer(t->timer_left_ms, buf, len);
}

static void add_addresses(struct ctl_columns *table, const Nve__V1__Tsi *t)
{
	char addr[CTL_ADDR_TEXT] = "";

	if (t->n_addresses)
		ctl_text_addr(t->addresses[0]->address, addr, sizeof(addr));
	if (t->n_addresses > 1)
		ctl_columns_add(table, "%s (+%zu)", addr, t->n_addresses - 1);
	else
		ctl_columns_add(table, "%s", addr);
}

static void add_row(struct listing *l, const Nve__V1__Tsi *t)
{
	const Nve__V1__TsiStatistics *st = statistics_of(t);
	const Nve__V1__TsiKey *key = key_of(t);
	struct ctl_columns *table = l->list.table;
	char text[CTL_VN_TEXT];

	ctl_columns_add(table, "%s", ctl_text_tsi_id(key->tsi_id, text, sizeof(text)));
	ctl_columns_add(table, "%s", key->port);
	ctl_columns_add(table, "%s", ctl_text_vn(key->vn, text, sizeof(text)));
	ctl_columns_add(table, "%s", t->vn_name);
	ctl_columns_add(table, "%u", t->tag);
	ctl_columns_add(table, "%s", ctl_text_state(t->state));
	ctl_columns_add(table, "%s", ctl_text_span(t->state_age_ms, text, sizeof(text)));
	ctl_columns_add(table, "%s", timer_text(t, text, sizeof(text)));
	add_addresses(table, t);
	if (!l->statistics)
		return;
	ctl_columns_add(table, "%" PRIu64, st->in_frames);
	ctl_columns_add(table, "%" PRIu64, st->in_bytes);
	ctl_columns_add(table, "%" PRIu64, st->out_frames);
	ctl_columns_add(table, "%" PRIu64, st->out_bytes);
	ctl_columns_add(table, "%" PRIu64, st->dropped);
}

static int take_row(void *arg, ProtobufCMessage **message)
{
	const Nve__V1__ListTsisReply *reply = (const void *)*message;
	struct listing *l = arg;

	for (size_t i = 0; i < reply->n_tsis; i++)
		if (!ctl_list_json(&l->list, &reply->tsis[i]->base))
			add_row(l, reply->tsis[i]);
	return 0;
}

/* What --port and --vn narrow the list to; 'ref' is where the VN is kept. */
static int get_filter(const struct ctl *ctl, Nve__V1__ListTsisRequest *req, Nve__V1__VnRef *ref)
{
	const char *port = ctl_option_value(&ctl->in, "port");
	const char *vn = ctl_option_value(&ctl->in, "vn");

	req->port = (char *)(port ? port : "");
	req->vn = vn ? ref : NULL;
	return vn ? ctl_get_vn(ctl, vn, ref) : CTL_OK;
}

static int run_list(struct ctl *ctl)
{
	Nve__V1__ListTsisRequest req = NVE__V1__LIST_TSIS_REQUEST__INIT;
	struct ctl_call call = { CTL_ADMIN("ListTsis"), &req.base,
				 &nve__v1__list_tsis_reply__descriptor, ctl->timeout_ms, false };
	struct listing l = { .statistics = ctl_option_value(&ctl->in, "stats") != NULL };
	Nve__V1__VnRef vn;
	int r;

	req.statistics = l.statistics;
	r = get_filter(ctl, &req, &vn);
	if (r == CTL_OK)
		r = ctl_list_start(&l.list, ctl, l.statistics ? stats_columns : columns);
	if (r != CTL_OK)
		return r;
	return ctl_list_end(&l.list, ctl_call_stream(ctl, &call, take_row, &l));
}

static void print_state(FILE *out, const Nve__V1__Tsi *t)
{
	char age[CTL_SPAN_TEXT], left[CTL_SPAN_TEXT], alive[CTL_SPAN_TEXT], active[CTL_SPAN_TEXT];

	fprintf(out, "  state       %s for %s, cause %s, epoch %" PRIu64 "\n",
		ctl_text_state(t->state), ctl_text_span(t->state_age_ms, age, sizeof(age)),
		ctl_text_cause(t->cause), t->epoch);
	fprintf(out, "  timer       %s%s; keepalive %s, keepactive %s\n",
		ctl_text_timer(t->timer_left_ms, left, sizeof(left)),
		t->timer_left_ms ? " left" : "",
		ctl_text_timer(t->keepalive_ms, alive, sizeof(alive)),
		ctl_text_timer(t->keepactive_ms, active, sizeof(active)));
}

static void print_statistics(FILE *out, const Nve__V1__TsiStatistics *st)
{
	fprintf(out, "  in          %" PRIu64 " frames, %" PRIu64 " bytes\n", st->in_frames,
		st->in_bytes);
	fprintf(out, "  out         %" PRIu64 " frames, %" PRIu64 " bytes\n", st->out_frames,
		st->out_bytes);
	fprintf(out, "  dropped     %" PRIu64 " frames\n", st->dropped);
	for (size_t i = 0; i < st->n_drops; i++) {
		if (!st->drops[i]->frames)
			continue;
		fprintf(out, "              %" PRIu64 " ", st->drops[i]->frames);
		ctl_text_print(out, st->drops[i]->reason);
		fputs(": ", out);
		ctl_text_print(out, st->drops[i]->text);
		putc('\n', out);
	}
}

/* The chain TSI -> VAP -> VN (S5), then the state, the addresses, the counters. */
static void print_page(FILE *out, const Nve__V1__Tsi *t)
{
	const Nve__V1__TsiKey *key = key_of(t);
	char text[CTL_VN_TEXT];

	fprintf(out, "TSI %s\n", ctl_text_tsi_id(key->tsi_id, text, sizeof(text)));
	fputs("  VAP         port ", out);
	ctl_text_print(out, key->port);
	fprintf(out, ", tag %u, slot %u\n  VN          ", t->tag, t->slot);
	ctl_text_print(out, ctl_text_vn(key->vn, text, sizeof(text)));
	if (*t->vn_name) {
		fputs(" (", out);
		ctl_text_print(out, t->vn_name);
		putc(')', out);
	}
	putc('\n', out);
	print_state(out, t);
	if (*t->owner) {
		fputs("  owner       ", out);
		ctl_text_print(out, t->owner);
		putc('\n', out);
	}
	if (t->qos) {
		fputs("  QoS         ", out);
		ctl_tsi_print_qos(out, t->qos);
		putc('\n', out);
	}
	for (size_t i = 0; i < t->n_addresses; i++)
		fprintf(out, "  %-12s%s%s%s\n", i ? "" : "addresses",
			ctl_text_addr(t->addresses[i]->address, text, sizeof(text)),
			t->addresses[i]->active ? "" : " (inactive)",
			t->addresses[i]->gleaned ? " (gleaned)" : "");
	if (!t->n_addresses)
		fputs("  addresses   none\n", out);
	if (t->glean_max)
		fprintf(out, "  gleaning    up to %u, for %s unseen\n", t->glean_max,
			ctl_text_span(t->glean_age_ms, text, sizeof(text)));
	print_statistics(out, statistics_of(t));
}

static int take_page(void *arg, ProtobufCMessage **message)
{
	const Nve__V1__ListTsisReply *reply = (const void *)*message;
	struct ctl_list *list = arg;

	for (size_t i = 0; i < reply->n_tsis; i++) {
		if (ctl_list_json(list, &reply->tsis[i]->base))
			continue;
		if (list->n > 1)
			putc('\n', list->pages);
		print_page(list->pages, reply->tsis[i]);
	}
	return 0;
}

static int run_show(struct ctl *ctl)
{
	Nve__V1__ListTsisRequest req = NVE__V1__LIST_TSIS_REQUEST__INIT;
	struct ctl_call call = { CTL_ADMIN("ListTsis"), &req.base,
				 &nve__v1__list_tsis_reply__descriptor, ctl->timeout_ms, false };
	struct ctl_list list;
	struct nve_tsi_id id;
	Nve__V1__VnRef vn;
	int r;

	r = ctl_get_tsi_id(ctl, ctl->in.operands[0], &id);
	if (r == CTL_OK)
		r = get_filter(ctl, &req, &vn);
	if (r == CTL_OK)
		r = ctl_list_start(&list, ctl, NULL);
	if (r != CTL_OK)
		return r;
	req.tsi_id.data = id.bytes;
	req.tsi_id.len = sizeof(id.bytes);
	req.statistics = true;
	r = ctl_call_stream(ctl, &call, take_page, &list);
	if (r == CTL_OK && !list.n)
		r = ctl_refused("UNKNOWN_TSI",
				"this NVE has no TSI %s there. What to do: list "
				"the TSIs with 'nvectl tsi'.",
				ctl->in.operands[0]);
	return ctl_list_end(&list, r);
}

static const struct ctl_option list_options[] = {
	{ "port", 'p', "PORT", CTL_WORDS_PORT, false, false, "only at this port" },
	{ "vn", 'n', "VN", CTL_WORDS_VN, false, false, "only in this VN, by ID or name" },
	{ "stats", 'S', NULL, CTL_WORDS_ANY, false, false, "with frames, bytes and drops" },
	{ 0 },
};

static const struct ctl_option show_options[] = {
	{ "port", 'p', "PORT", CTL_WORDS_PORT, false, false, "only the instance at this port" },
	{ "vn", 'n', "VN", CTL_WORDS_VN, false, false, "only the instance in this VN" },
	{ 0 },
};

const struct ctl_command ctl_tsi_list_command = {
	.name = "list",
	.summary = "TSI instances: state, timer, first address",
	.options = list_options,
	.run = run_list,
};

const struct ctl_command ctl_tsi_show_command = {
	.name = "show",
	.summary = "all about a TSI: every instance, address and drop",
	.operands = CTL_OPERAND_TSI,
	.options = show_options,
	.run = run_show,
};
