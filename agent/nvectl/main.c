/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nvectl: the operator's end of nved.  This file is the table of subcommands and what comes before
 * and after each of them; one file a subcommand does the rest.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nvectl/ctl.h"

static const struct ctl_group *const groups[] = {
	&ctl_status_group,
	&ctl_port_group,
	&ctl_vn_group,
	&ctl_tsi_group,
	&ctl_drops_group,
	&ctl_answers_group,
	&ctl_profile_group,
	&ctl_table_group,
	&ctl_why_group,
	&ctl_plan_group,
	&ctl_diff_group,
	&ctl_doctor_group,
	&ctl_watch_group,
	&ctl_evict_group,
	&ctl_drain_group,
	&ctl_flush_group,
	&ctl_completion_group,
	&ctl_help_group,
	NULL,
};

static bool wants_bold(void)
{
	const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) && !(no_color && *no_color) && term && strcmp(term, "dumb");
}

/* The options that every command has. */
static int read_globals(struct ctl *ctl)
{
	const char *server = ctl_option_value(&ctl->in, "server");
	const char *timeout = ctl_option_value(&ctl->in, "timeout");
	const char *output = ctl_option_value(&ctl->in, "output");
	char why[512];
	bool tls;

	if (server)
		ctl->server = server;
	if (ctl_parse_server(ctl->server, ctl->target, sizeof(ctl->target), &tls) < 0)
		return ctl_usage(ctl,
				 "'%s' is no address of an agent: use unix:PATH, HOST:PORT or "
				 "tls:HOST:PORT",
				 ctl->server);
	if (tls && ctl_tls_load(ctl, why, sizeof(why)) < 0)
		return ctl_usage(ctl, "%s", why);
	if (timeout && ctl_parse_seconds(timeout, &ctl->timeout_ms) < 0)
		return ctl_usage(ctl, "--timeout '%s': use seconds, from 0.001 to 86400", timeout);
	ctl->timeout_given = timeout != NULL;
	ctl->json = output && !strcmp(output, "json");
	ctl->bold = wants_bold();
	return CTL_OK;
}

static int run(struct ctl *ctl)
{
	int r;

	if (ctl_option_value(&ctl->in, "version")) {
		puts("nvectl " NVED_VERSION);
		return CTL_OK;
	}
	if (ctl_option_value(&ctl->in, "help")) {
		ctl_help_print(stdout, ctl, ctl->in.group, ctl->in.command);
		return CTL_OK;
	}
	if (!ctl->in.command) {
		ctl_help_print(stderr, ctl, NULL, NULL);
		return CTL_USAGE;
	}
	r = read_globals(ctl);
	return r == CTL_OK ? ctl->in.command->run(ctl) : r;
}

static int parse_and_run(struct ctl *ctl, int argc, char **argv)
{
	char why[512];
	int r = ctl_options_parse(groups, argc, argv, &ctl->in, why, sizeof(why));

	if (r == -ENOMEM)
		return ctl_broken(r, "cannot start");
	return r < 0 ? ctl_usage(ctl, "%s", why) : run(ctl);
}

int main(int argc, char **argv)
{
	const char *server = getenv("NVED_SERVER");
	struct ctl ctl = {
		.groups = groups,
		.server = server && *server ? server : CTL_SERVER_DEFAULT,
		.timeout_ms = CTL_TIMEOUT_DEFAULT_MS,
	};
	int r;

	if (argc > 1 && !strcmp(argv[1], "__complete"))
		r = ctl_complete(&ctl, argc - 2, argv + 2);
	else
		r = parse_and_run(&ctl, argc, argv);
	ctl_client_free(ctl.client);
	ctl_tls_free(&ctl);
	ctl_input_free(&ctl.in);
	if ((fflush(stdout) || ferror(stdout)) && r == CTL_OK)
		r = ctl_broken(errno ? -errno : -EIO, "cannot write the output");
	return r;
}
