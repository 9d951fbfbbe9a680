/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a command line may say, as tables, and the parser that holds it to them.  Help and shell
 * completion are printed from the same tables.  Knows neither gRPC nor what a command does.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct ctl;

/* What a value names; completion offers such words, and the parser refuses others of a fixed set.
 */
enum ctl_words {
	CTL_WORDS_ANY,
	CTL_WORDS_PORT, /* asked of the agent, down to TABLE */
	CTL_WORDS_VN,
	CTL_WORDS_TSI,
	CTL_WORDS_TABLE,
	CTL_WORDS_CAUSE, /* fixed sets, down to COMMAND */
	CTL_WORDS_OUTPUT,
	CTL_WORDS_SHELL,
	CTL_WORDS_COMMAND,
};

struct ctl_option {
	const char *name; /* without the dashes; NULL ends a table */
	char letter;      /* 0: no short form */
	const char *arg;  /* NULL: a switch */
	enum ctl_words words;
	bool required;
	bool many; /* may stand more than once */
	const char *help;
};

struct ctl_operands {
	const char *usage; /* "PORT VN" */
	size_t min;
	size_t max;
	enum ctl_words words[2]; /* of the first; of the second and all later ones */
};

struct ctl_command {
	const char *name; /* NULL: the group's name alone is the command */
	const char *summary;
	const char *details; /* further help, whole lines; may be NULL */
	struct ctl_operands operands;
	const struct ctl_option *options; /* may be NULL */
	int (*run)(struct ctl *ctl);      /* returns an enum ctl_exit */
};

/* The first command of a group is what its name alone does. */
struct ctl_group {
	const char *name;
	const char *summary;
	const struct ctl_command *const *commands; /* ends with NULL */
};

struct ctl_value {
	const struct ctl_option *option;
	const char *value; /* NULL for a switch */
};

struct ctl_input {
	const struct ctl_group *group;     /* NULL: none was named */
	const struct ctl_command *command; /* NULL: none was named, or help for a whole group */
	const char **operands;
	size_t n_operands;
	struct ctl_value *values;
	size_t n_values;
};

extern const struct ctl_option ctl_global_options[];

/*
 * Reads a command line; 'ret' points into 'argv' and is freed by ctl_input_free() in any case.
 * Returns 0; -EINVAL with the sentence to print in 'why'; -ENOMEM.  With --help, --version or no
 * command at all it does not ask for what is missing.
 */
int ctl_options_parse(const struct ctl_group *const *groups, int argc, char **argv,
		      struct ctl_input *ret, char *why, size_t why_len);
void ctl_input_free(struct ctl_input *in);

/* The value of an option, "" for a switch; NULL: not given. */
const char *ctl_option_value(const struct ctl_input *in, const char *name);
/* How often it was given, and its next value after '*at', which starts as 0; NULL: no more. */
size_t ctl_option_count(const struct ctl_input *in, const char *name);
const char *ctl_option_next(const struct ctl_input *in, const char *name, size_t *at);

/* NULL: there is none of that name.  'token' may go on behind 'len'. */
const struct ctl_option *ctl_option_find(const struct ctl_command *cmd, const char *token,
					 size_t len);
const struct ctl_group *ctl_group_find(const struct ctl_group *const *groups, const char *name);
const struct ctl_command *ctl_command_find(const struct ctl_group *group, const char *name);
bool ctl_group_is_leaf(const struct ctl_group *group);

/* The words of a fixed set, ended by NULL; NULL for a set that only the agent knows. */
const char *const *ctl_words_fixed(enum ctl_words words);

/* Steps that turn one word into the other: a letter more, less, other, or swapped with the next. */
size_t ctl_distance(const char *a, const char *b);
