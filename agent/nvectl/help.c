/* SPDX-License-Identifier: Apache-2.0 */
/* nvectl help: printed from the same tables that the parser reads. */
#include "nvectl/ctl.h"

#include <string.h>

#define COMMAND_WIDTH 28
#define OPTION_WIDTH  28

static void print_option(FILE *out, const struct ctl_option *o)
{
	const char *help = o->help;
	char head[64];

	snprintf(head, sizeof(head), "-%c, --%s%s%s%s", o->letter, o->name, o->arg ? " " : "",
		 o->arg ? o->arg : "", o->many ? "..." : "");
	fprintf(out, "  %-*s", OPTION_WIDTH, head);
	if (strlen(head) >= OPTION_WIDTH)
		fprintf(out, "\n  %*s", OPTION_WIDTH, "");
	for (const char *end; (end = strchr(help, '\n')); help = end + 1)
		fprintf(out, "%.*s\n  %*s", (int)(end - help), help, OPTION_WIDTH, "");
	fprintf(out, "%s%s\n", help, o->required ? " (required)" : "");
}

static void print_options(FILE *out, const char *title, const struct ctl_option *o)
{
	if (!o || !o->name)
		return;
	fprintf(out, "\n%s:\n", title);
	for (; o->name; o++)
		print_option(out, o);
}

static void print_usage(FILE *out, const struct ctl_group *group, const struct ctl_command *cmd)
{
	fprintf(out, "Usage: nvectl [OPTIONS] %s", group->name);
	if (cmd->name)
		fprintf(out, cmd == group->commands[0] ? " [%s]" : " %s", cmd->name);
	if (cmd->operands.usage)
		fprintf(out, " %s", cmd->operands.usage);
	for (const struct ctl_option *o = cmd->options; o && o->name; o++) {
		if (o->required)
			fprintf(out, " --%s %s", o->name, o->arg);
	}
	if (cmd->options)
		fputs(" [...]", out);
	putc('\n', out);
}

static void print_command(FILE *out, const struct ctl_group *group, const struct ctl_command *cmd)
{
	print_usage(out, group, cmd);
	fprintf(out, "\n%s.\n", cmd->summary);
	if (cmd->details)
		fputs(cmd->details, out);
	print_options(out, "Options", cmd->options);
	print_options(out, "Options of every command", ctl_global_options);
}

static void print_group(FILE *out, const struct ctl_group *group)
{
	const char *first = group->commands[0]->name;

	fprintf(out, "Usage: nvectl [OPTIONS] %s COMMAND ...\n\n%s.\n\nCommands:\n", group->name,
		group->summary);
	for (const struct ctl_command *const *c = group->commands; *c; c++)
		fprintf(out, "  %-*s%s\n", COMMAND_WIDTH, (*c)->name, (*c)->summary);
	fprintf(out, "\n'nvectl %s' alone is 'nvectl %s %s'.\n", group->name, group->name, first);
	fprintf(out, "'nvectl %s COMMAND --help' explains a command.\n", group->name);
}

static void print_overview(FILE *out, const struct ctl_group *const *groups)
{
	fputs("Usage: nvectl [OPTIONS] COMMAND ...\n\n"
	      "Asks and tells nved, the agent of an external NVE.\n\nCommands:\n",
	      out);
	for (; *groups; groups++) {
		const struct ctl_command *const *c = (*groups)->commands;
		char head[64];

		for (; *c; c++) {
			const char *usage = (*c)->operands.usage;

			snprintf(head, sizeof(head), "%s%s%s%s%s", (*groups)->name,
				 (*c)->name ? " " : "", (*c)->name ? (*c)->name : "",
				 usage ? " " : "", usage ? usage : "");
			fprintf(out, "  %-*s%s\n", COMMAND_WIDTH, head, (*c)->summary);
		}
	}
	print_options(out, "Options", ctl_global_options);
	fputs("\nA VN is an ID or a name; an ADDR a MAC, an IP or MAC/IP; a TSI-ID a UUID.\n"
	      "'nvectl COMMAND --help' explains a command, nvectl(8) all of them.\n"
	      "\nExit codes: 0 done; 1 refused by the NVE; 2 wrong usage; 3 the agent cannot be\n"
	      "reached; 4 nvectl itself failed (no memory, output not writable).\n",
	      out);
}

void ctl_help_print(FILE *out, const struct ctl *ctl, const struct ctl_group *group,
		    const struct ctl_command *command)
{
	if (!group)
		print_overview(out, ctl->groups);
	else if (command)
		print_command(out, group, command);
	else if (ctl_group_is_leaf(group))
		print_command(out, group, group->commands[0]);
	else
		print_group(out, group);
}

static int run(struct ctl *ctl)
{
	const struct ctl_group *group = NULL;
	const struct ctl_command *command = NULL;

	if (ctl->in.n_operands > 0) {
		group = ctl_group_find(ctl->groups, ctl->in.operands[0]);
		if (!group)
			return ctl_usage(ctl, "unknown command '%s'", ctl->in.operands[0]);
	}
	if (ctl->in.n_operands > 1) {
		command = ctl_command_find(group, ctl->in.operands[1]);
		if (!command)
			return ctl_usage(ctl, "unknown command '%s %s'", ctl->in.operands[0],
					 ctl->in.operands[1]);
	}
	ctl_help_print(stdout, ctl, group, command);
	return CTL_OK;
}

static const struct ctl_command help_command = {
	.summary = "explain nvectl or one of its commands",
	.operands = { "[COMMAND]", 0, 2, { CTL_WORDS_COMMAND, CTL_WORDS_COMMAND } },
	.run = run,
};

static const struct ctl_command *const commands[] = { &help_command, NULL };

const struct ctl_group ctl_help_group = { "help", "explain nvectl or one of its commands",
					  commands };
