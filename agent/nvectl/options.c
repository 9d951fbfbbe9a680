/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line against its tables.  Options may stand anywhere; those of a command only after
 * its name.  Pure: neither prints nor exits.
 */
#include "nvectl/options.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DISTANCE_MAX 32

const struct ctl_option ctl_global_options[] = {
	{ "server", 's', "ADDR", CTL_WORDS_ANY, false, false,
	  "the agent: unix:PATH, loopback HOST:PORT, or with TLS\n"
	  "tls:HOST:PORT (default $NVED_SERVER, else\n"
	  "unix:/run/nved/nved.sock)" },
	{ "output", 'o', "table|json", CTL_WORDS_OUTPUT, false, false,
	  "a table for people (default), or one JSON document" },
	{ "timeout", 't', "SECONDS", CTL_WORDS_ANY, false, false,
	  "how long to wait for an answer (default 10)" },
	{ "tls-ca", 0, "FILE", CTL_WORDS_ANY, false, false,
	  "who may vouch for the agent (default $NVED_TLS_CA)" },
	{ "tls-cert", 0, "FILE", CTL_WORDS_ANY, false, false,
	  "this client's certificate (default $NVED_TLS_CERT)" },
	{ "tls-key", 0, "FILE", CTL_WORDS_ANY, false, false,
	  "and its key (default $NVED_TLS_KEY)" },
	{ "tls-name", 0, "NAME", CTL_WORDS_ANY, false, false,
	  "the agent's name in its certificate, if it is not HOST\n"
	  "(default $NVED_TLS_NAME)" },
	{ "help", 'h', NULL, CTL_WORDS_ANY, false, false, "explain the command" },
	{ "version", 'V', NULL, CTL_WORDS_ANY, false, false, "print nvectl's own version" },
	{ 0 },
};

static const char *const causes[] = { "create", "migrate-in", "resume", NULL };
static const char *const outputs[] = { "table", "json", NULL };
static const char *const shells[] = { "bash", "zsh", NULL };

const char *const *ctl_words_fixed(enum ctl_words words)
{
	switch (words) {
	case CTL_WORDS_CAUSE:
		return causes;
	case CTL_WORDS_OUTPUT:
		return outputs;
	case CTL_WORDS_SHELL:
		return shells;
	default:
		return NULL;
	}
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

size_t ctl_distance(const char *a, const char *b)
{
	/* Three rows of the edit matrix: the one before the last is for swapped letters. */
	size_t rows[3][DISTANCE_MAX + 1], *before = rows[0], *last = rows[1], *row = rows[2];
	size_t na = strlen(a), nb = strlen(b);

	if (na > DISTANCE_MAX || nb > DISTANCE_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= nb; j++) {
		before[j] = 0;
		last[j] = j;
	}
	for (size_t i = 1; i <= na; i++) {
		size_t *spare = before;

		row[0] = i;
		for (size_t j = 1; j <= nb; j++) {
			row[j] = smaller(smaller(last[j], row[j - 1]) + 1,
					 last[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = smaller(row[j], before[j - 2] + 1);
		}
		before = last;
		last = row;
		row = spare;
	}
	return last[nb];
}

struct nearest {
	const char *word;
	const char *best;
	size_t distance;
};

static void nearest_try(struct nearest *near, const char *candidate)
{
	size_t n = strlen(near->word);
	size_t d = ctl_distance(near->word, candidate);

	if (n >= 2 && !strncmp(near->word, candidate, n))
		d = 1; /* cut short is nearer than misspelt */
	if (d <= 1 + strlen(candidate) / 4 && d < strlen(candidate) && d < near->distance) {
		near->best = candidate;
		near->distance = d;
	}
}

/* Writes "<what>; did you mean '<prefix><best>'?", without the question if nothing is near. */
static int unknown(char *why, size_t len, const char *what, const struct nearest *near,
		   const char *prefix)
{
	snprintf(why, len, "unknown %s '%s'%s%s%s%s", what, near->word,
		 near->best ? "; did you mean '" : "", near->best ? prefix : "",
		 near->best ? near->best : "", near->best ? "'?" : "");
	return -EINVAL;
}

static const struct ctl_option *find_in(const struct ctl_option *table, const char *name,
					size_t len)
{
	for (; table && table->name; table++)
		if (strlen(table->name) == len && !memcmp(table->name, name, len))
			return table;
	return NULL;
}

static const struct ctl_option *find_letter(const struct ctl_option *table, char letter)
{
	for (; table && table->name; table++)
		if (table->letter && table->letter == letter)
			return table;
	return NULL;
}

const struct ctl_option *ctl_option_find(const struct ctl_command *cmd, const char *token,
					 size_t len)
{
	const struct ctl_option *own = cmd ? cmd->options : NULL, *opt;

	if (len >= 2 && token[0] == '-' && token[1] == '-') {
		opt = find_in(ctl_global_options, token + 2, len - 2);
		return opt ? opt : find_in(own, token + 2, len - 2);
	}
	if (len < 2 || token[0] != '-')
		return NULL;
	opt = find_letter(ctl_global_options, token[1]);
	return opt ? opt : find_letter(own, token[1]);
}

const struct ctl_group *ctl_group_find(const struct ctl_group *const *groups, const char *name)
{
	for (; *groups; groups++)
		if (!strcmp((*groups)->name, name))
			return *groups;
	return NULL;
}

const struct ctl_command *ctl_command_find(const struct ctl_group *group, const char *name)
{
	for (const struct ctl_command *const *cmd = group->commands; *cmd; cmd++)
		if ((*cmd)->name && !strcmp((*cmd)->name, name))
			return *cmd;
	return NULL;
}

bool ctl_group_is_leaf(const struct ctl_group *group)
{
	return !group->commands[0]->name;
}

const char *ctl_option_next(const struct ctl_input *in, const char *name, size_t *at)
{
	while (*at < in->n_values) {
		const struct ctl_value *v = &in->values[(*at)++];

		/* take_option() sets 'option' wherever it counts n_values up.
		 * NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
		if (!strcmp(v->option->name, name))
			return v->value ? v->value : "";
	}
	return NULL;
}

const char *ctl_option_value(const struct ctl_input *in, const char *name)
{
	size_t at = 0;

	return ctl_option_next(in, name, &at);
}

size_t ctl_option_count(const struct ctl_input *in, const char *name)
{
	size_t n = 0, at = 0;

	while (ctl_option_next(in, name, &at))
		n++;
	return n;
}

void ctl_input_free(struct ctl_input *in)
{
	free(in->operands);
	free(in->values);
	*in = (struct ctl_input){ 0 };
}

/* The state of one run over argv. */
struct scan {
	const struct ctl_group *const *groups;
	struct ctl_input *in;
	char **argv;
	int argc;
	int at;
	char *why;
	size_t why_len;
};

#define SAY(scan, ...) (snprintf((scan)->why, (scan)->why_len, __VA_ARGS__), -EINVAL)

static int unknown_option(struct scan *s, const char *token, size_t len)
{
	const struct ctl_command *cmd = s->in->command;
	char name[DISTANCE_MAX + 1] = "";
	struct nearest near = { name, NULL, SIZE_MAX };
	const char *bare = token + strspn(token, "-");

	if (token[1] == '-')
		snprintf(name, sizeof(name), "%.*s", (int)(len - (size_t)(bare - token)), bare);
	for (const struct ctl_option *o = cmd ? cmd->options : NULL; o && o->name; o++)
		nearest_try(&near, o->name);
	for (const struct ctl_option *o = ctl_global_options; o->name; o++)
		nearest_try(&near, o->name);
	if (near.best)
		return SAY(s, "unknown option '%.*s'; did you mean '--%s'?", (int)len, token,
			   near.best);
	return SAY(s, "unknown option '%.*s'", (int)len, token);
}

static int fixed_word(struct scan *s, enum ctl_words words, const char *what, const char *value)
{
	const char *const *fixed = ctl_words_fixed(words);
	char list[128] = "";

	if (!fixed)
		return 0;
	for (size_t i = 0; fixed[i]; i++) {
		size_t n = strlen(list);

		/* 'value' comes out of argv, below argc.
		 * NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker) */
		if (!strcmp(fixed[i], value))
			return 0;
		snprintf(list + n, sizeof(list) - n, "%s%s", i ? ", " : "", fixed[i]);
	}
	return SAY(s, "%s must be one of %s, not '%s'", what, list, value);
}

static int take_option(struct scan *s, const char *token)
{
	bool is_long = token[1] == '-';
	size_t len = is_long ? strcspn(token, "=") : 2;
	const struct ctl_option *opt;
	const char *value = NULL;
	char what[40];

	/* An option that is no global one: 'vn --port p1' means 'vn list --port p1'. */
	if (s->in->group && !s->in->command && !ctl_option_find(NULL, token, len))
		s->in->command = s->in->group->commands[0];
	opt = ctl_option_find(s->in->command, token, len);
	if (!opt)
		return unknown_option(s, token, len);
	if (token[len])
		value = token + len + is_long;
	if (!opt->arg && value)
		return SAY(s, "option '%.*s' takes no value", (int)len, token);
	if (opt->arg && !value) {
		if (s->at >= s->argc)
			return SAY(s, "option '%s' needs a value: %s", token, opt->arg);
		value = s->argv[s->at++];
	}
	if (!opt->many && ctl_option_value(s->in, opt->name))
		return SAY(s, "option '--%s' is given twice", opt->name);
	snprintf(what, sizeof(what), "--%s", opt->name);
	s->in->values[s->in->n_values++] = (struct ctl_value){ opt, value };
	return value ? fixed_word(s, opt->words, what, value) : 0;
}

static int take_word(struct scan *s, const char *word)
{
	struct ctl_input *in = s->in;
	struct nearest near = { word, NULL, SIZE_MAX };
	char prefix[32] = "";

	if (in->command) {
		in->operands[in->n_operands++] = word;
		return 0;
	}
	if (!in->group) {
		in->group = ctl_group_find(s->groups, word);
		if (in->group && ctl_group_is_leaf(in->group))
			in->command = in->group->commands[0];
		for (size_t i = 0; s->groups[i]; i++)
			nearest_try(&near, s->groups[i]->name);
		return in->group ? 0 : unknown(s->why, s->why_len, "command", &near, "");
	}
	in->command = ctl_command_find(in->group, word);
	if (in->command)
		return 0;
	for (size_t i = 0; in->group->commands[i]; i++)
		nearest_try(&near, in->group->commands[i]->name);
	snprintf(prefix, sizeof(prefix), "%s ", in->group->name);
	unknown(s->why, s->why_len, "command", &near, prefix);
	return -EINVAL;
}

static int check_complete(struct scan *s)
{
	struct ctl_input *in = s->in;
	const struct ctl_operands *want;
	int r;

	if (!in->group || ctl_option_value(in, "help") || ctl_option_value(in, "version"))
		return 0;
	if (!in->command)
		in->command = in->group->commands[0];
	want = &in->command->operands;
	if (in->n_operands < want->min)
		return SAY(s, "%s is missing", want->usage);
	if (in->n_operands > want->max)
		return SAY(s, "unexpected argument '%s'", in->operands[want->max]);
	for (size_t i = 0; i < in->n_operands; i++) {
		r = fixed_word(s, want->words[i > 0], want->usage, in->operands[i]);
		if (r < 0)
			return r;
	}
	for (const struct ctl_option *o = in->command->options; o && o->name; o++)
		if (o->required && !ctl_option_value(in, o->name))
			return SAY(s, "option '--%s %s' is missing", o->name, o->arg);
	return 0;
}

int ctl_options_parse(const struct ctl_group *const *groups, int argc, char **argv,
		      struct ctl_input *ret, char *why, size_t why_len)
{
	struct scan s = { groups, ret, argv, argc, 1, why, why_len };
	bool only_words = false;
	int r = 0;

	*ret = (struct ctl_input){ 0 };
	ret->operands = calloc((size_t)argc + 1, sizeof(*ret->operands));
	ret->values = calloc((size_t)argc + 1, sizeof(*ret->values));
	if (!ret->operands || !ret->values)
		return -ENOMEM;
	while (!r && s.at < argc) {
		const char *token = argv[s.at++];

		if (!only_words && !strcmp(token, "--"))
			only_words = true;
		else if (!only_words && token[0] == '-' && token[1])
			r = take_option(&s, token);
		else
			r = take_word(&s, token);
	}
	return r ? r : check_complete(&s);
}
