/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the shell may offer for the word under the cursor: commands and options out of the parser's
 * tables, names of ports, VNs, TSIs and tables from the agent, for as long as a person would wait.
 */
#include "nvectl/ctl.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nvectl/text.h"

#define PATIENCE_MS 1000

struct offer {
	const char *start;  /* of the word under the cursor, as far as it is typed */
	const char *prefix; /* printed before each candidate: "--port=" */
	int prefix_len;
};

/* Offers a word if it goes on from what is typed and needs no quotes in a shell. */
static void offer_word(const struct offer *o, const char *word)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				   "._:/@+,-";

	if (!*word || strncmp(word, o->start, strlen(o->start)) || word[strspn(word, safe)])
		return;
	printf("%.*s%s\n", o->prefix_len, o->prefix, word);
}

static int take_ports(void *arg, ProtobufCMessage **message)
{
	const Nve__V1__ListPortsReply *reply = (const void *)*message;

	for (size_t i = 0; i < reply->n_ports; i++)
		offer_word(arg, reply->ports[i]->name);
	return 0;
}

static int take_vns(void *arg, ProtobufCMessage **message)
{
	const Nve__V1__ListVnsReply *reply = (const void *)*message;
	char id[16];

	for (size_t i = 0; i < reply->n_vaps; i++) {
		snprintf(id, sizeof(id), "%u", reply->vaps[i]->vn_id);
		offer_word(arg, id);
		offer_word(arg, reply->vaps[i]->vn_name);
	}
	return 0;
}

static int take_tsis(void *arg, ProtobufCMessage **message)
{
	const Nve__V1__ListTsisReply *reply = (const void *)*message;
	char id[CTL_TSI_TEXT];

	for (size_t i = 0; i < reply->n_tsis; i++)
		if (reply->tsis[i]->key)
			offer_word(arg,
				   ctl_text_tsi_id(reply->tsis[i]->key->tsi_id, id, sizeof(id)));
	return 0;
}

static int take_tables(void *arg, ProtobufCMessage **message)
{
	const Nve__V1__ListTablesReply *reply = (const void *)*message;

	for (size_t i = 0; i < reply->n_tables; i++)
		offer_word(arg, reply->tables[i]->name);
	offer_word(arg, "published");
	return 0;
}

static void offer_names(struct ctl *ctl, enum ctl_words words, struct offer *o)
{
	Nve__V1__ListPortsRequest ports = NVE__V1__LIST_PORTS_REQUEST__INIT;
	Nve__V1__ListVnsRequest vns = NVE__V1__LIST_VNS_REQUEST__INIT;
	Nve__V1__ListTsisRequest tsis = NVE__V1__LIST_TSIS_REQUEST__INIT;
	Nve__V1__ListTablesRequest tables = NVE__V1__LIST_TABLES_REQUEST__INIT;
	const struct {
		const char *method;
		const ProtobufCMessage *request;
		const ProtobufCMessageDescriptor *reply;
		ctl_take take;
	} sources[] = {
		[CTL_WORDS_PORT] = { CTL_ADMIN("ListPorts"), &ports.base,
				     &nve__v1__list_ports_reply__descriptor, take_ports },
		[CTL_WORDS_VN] = { CTL_ADMIN("ListVns"), &vns.base,
				   &nve__v1__list_vns_reply__descriptor, take_vns },
		[CTL_WORDS_TSI] = { CTL_ADMIN("ListTsis"), &tsis.base,
				    &nve__v1__list_tsis_reply__descriptor, take_tsis },
		[CTL_WORDS_TABLE] = { CTL_ADMIN("ListTables"), &tables.base,
				      &nve__v1__list_tables_reply__descriptor, take_tables },
	};
	struct ctl_outcome outcome;
	struct ctl_call call;

	if (words < CTL_WORDS_PORT || words > CTL_WORDS_TABLE)
		return;
	call = (struct ctl_call){ sources[words].method, sources[words].request,
				  sources[words].reply, PATIENCE_MS, false };
	if (ctl_client_new(ctl->target, ctl->tls, &ctl->client) < 0)
		return;
	/* Without an agent there is nothing to offer, and nothing to say in the middle of a line.
	 */
	ctl_client_call(ctl->client, &call, sources[words].take, o, &outcome);
	ctl_outcome_free(&outcome);
}

static void offer_groups(const struct ctl *ctl, const struct offer *o)
{
	for (size_t i = 0; ctl->groups[i]; i++)
		offer_word(o, ctl->groups[i]->name);
}

static void offer_commands(const struct ctl_group *group, const struct offer *o)
{
	for (size_t i = 0; group->commands[i] && group->commands[i]->name; i++)
		offer_word(o, group->commands[i]->name);
}

static void offer_options(const struct ctl_option *options, const struct offer *o)
{
	char token[40];

	for (; options && options->name; options++) {
		snprintf(token, sizeof(token), "--%s", options->name);
		offer_word(o, token);
	}
}

static void offer_set(struct ctl *ctl, enum ctl_words words, struct offer *o)
{
	const char *const *fixed = ctl_words_fixed(words);

	for (; fixed && *fixed; fixed++)
		offer_word(o, *fixed);
	offer_names(ctl, words, o);
}

/* How far the words before the cursor lead. */
struct place {
	const struct ctl_group *group;
	const struct ctl_command *command;
	const struct ctl_option *option; /* whose value comes next */
	const char *first_operand;
	size_t n_operands;
};

static void walk_word(const struct ctl *ctl, struct place *p, const char *word)
{
	if (!p->group) {
		p->group = ctl_group_find(ctl->groups, word);
		if (p->group && ctl_group_is_leaf(p->group))
			p->command = p->group->commands[0];
	} else if (!p->command) {
		p->command = ctl_command_find(p->group, word);
	} else if (!p->n_operands++) {
		p->first_operand = word;
	}
}

static void walk_option(struct ctl *ctl, struct place *p, const char *word)
{
	size_t len = strncmp(word, "--", 2) ? 2 : strcspn(word, "=");
	const struct ctl_option *opt;

	if (p->group && !p->command && !ctl_option_find(NULL, word, len))
		p->command = p->group->commands[0];
	opt = ctl_option_find(p->command, word, len);
	if (!opt || !opt->arg)
		return;
	if (!word[len])
		p->option = opt;
	else if (!strcmp(opt->name, "server")) /* the value is in the same word */
		ctl->server = word + len + (word[1] == '-');
}

static void walk(struct ctl *ctl, struct place *p, const char *word)
{
	if (p->option) {
		if (!strcmp(p->option->name, "server"))
			ctl->server = word;
		p->option = NULL;
	} else if (word[0] == '-' && word[1]) {
		walk_option(ctl, p, word);
	} else {
		walk_word(ctl, p, word);
	}
}

static void offer_operand(struct ctl *ctl, const struct place *p, struct offer *o)
{
	const struct ctl_operands *want = &p->command->operands;
	enum ctl_words words = want->words[p->n_operands > 0];
	const struct ctl_group *named;

	if (p->n_operands >= want->max)
		return;
	if (words != CTL_WORDS_COMMAND) {
		offer_set(ctl, words, o);
		return;
	}
	named = p->n_operands ? ctl_group_find(ctl->groups, p->first_operand) : NULL;
	if (named)
		offer_commands(named, o);
	else if (!p->n_operands)
		offer_groups(ctl, o);
}

/* "--port=p": what goes on from "p" is offered with "--port=" before it. */
static const struct ctl_option *split_value(const struct place *p, const char *word,
					    struct offer *o)
{
	const struct ctl_command *cmd = p->command;
	size_t len = strcspn(word, "=");
	const struct ctl_option *opt;

	if (strncmp(word, "--", 2) || !word[len])
		return NULL;
	if (!cmd && p->group)
		cmd = p->group->commands[0];
	opt = ctl_option_find(cmd, word, len);
	if (!opt || !opt->arg)
		return NULL;
	*o = (struct offer){ word + len + 1, word, (int)len + 1 };
	return opt;
}

int ctl_complete(struct ctl *ctl, int n_words, char **words)
{
	const char *last = n_words ? words[n_words - 1] : "";
	struct offer o = { last, "", 0 };
	struct place p = { 0 };
	const struct ctl_option *opt;
	char why[512];
	bool tls;

	for (int i = 0; i + 1 < n_words; i++)
		walk(ctl, &p, words[i]);
	if (ctl_parse_server(ctl->server, ctl->target, sizeof(ctl->target), &tls) < 0 ||
	    (tls && ctl_tls_load(ctl, why, sizeof(why)) < 0))
		return CTL_OK;
	opt = p.option ? p.option : split_value(&p, last, &o);
	if (opt) {
		offer_set(ctl, opt->words, &o);
	} else if (last[0] == '-') {
		const struct ctl_command *cmd = p.command;

		if (!cmd && p.group)
			cmd = p.group->commands[0];
		offer_options(cmd ? cmd->options : NULL, &o);
		offer_options(ctl_global_options, &o);
	} else if (p.command) {
		offer_operand(ctl, &p, &o);
	} else if (p.group) {
		offer_commands(p.group, &o);
	} else {
		offer_groups(ctl, &o);
	}
	return CTL_OK;
}
