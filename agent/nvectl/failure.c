/* SPDX-License-Identifier: Apache-2.0 */
/* What went wrong, in one place and one form: what happened, why, what to do. */
#include "nvectl/ctl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/reasons.h"
#include "nvectl/text.h"

static bool is_known(Nve__V1__Reason reason)
{
	return protobuf_c_enum_descriptor_get_value(&nve__v1__reason__descriptor, (int)reason);
}

const char *ctl_reason_text(Nve__V1__Reason reason)
{
	return is_known(reason) ? nve_reason_text((enum nve_reason)reason)
				: "a reason that this nvectl does not know";
}

const char *ctl_reason_remedy(Nve__V1__Reason reason)
{
	return is_known(reason) ? nve_reason_remedy((enum nve_reason)reason)
				: "use the nvectl of the NVE's version";
}

/* A sentence of the peer's, without its full stop: more may follow. */
static void print_sentence(const char *text)
{
	char line[1024];
	size_t n = (size_t)snprintf(line, sizeof(line), "%s", text);

	if (n > 0 && n < sizeof(line) && line[n - 1] == '.')
		line[n - 1] = '\0';
	ctl_text_print(stderr, line);
}

static void print_remedy(const char *remedy)
{
	if (!remedy || !*remedy)
		return;
	fputs(". What to do: ", stderr);
	print_sentence(remedy);
	putc('.', stderr);
}

int ctl_usage(const struct ctl *ctl, const char *fmt, ...)
{
	const struct ctl_group *group = ctl->in.group;
	const struct ctl_command *cmd = ctl->in.command;
	va_list args;

	fputs("nvectl: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fprintf(stderr, "\nTry 'nvectl%s%s%s%s --help'.\n", group ? " " : "",
		group ? group->name : "", cmd && cmd->name ? " " : "",
		cmd && cmd->name ? cmd->name : "");
	return CTL_USAGE;
}

int ctl_refused(const char *reason, const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "nvectl: %s: ", reason);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	putc('\n', stderr);
	return CTL_REFUSED;
}

int ctl_broken(int err, const char *what)
{
	fprintf(stderr, "nvectl: %s: %s\n", what, strerror(-err));
	return CTL_BROKEN;
}

/* "" if there is none of that name. */
static const char *metadata(const Google__Rpc__ErrorInfo *info, const char *key)
{
	for (size_t i = 0; i < info->n_metadata; i++)
		if (!strcmp(info->metadata[i]->key, key))
			return info->metadata[i]->value;
	return "";
}

/* "(proposed 100; counter-offer 101)": what the reason speaks of. */
static void print_details(const struct ctl *ctl, const Google__Rpc__ErrorInfo *info)
{
	const char *proposed = ctl_option_value(&ctl->in, "tag"), *sep = " (";

	if (*metadata(info, "tag") && proposed) {
		fprintf(stderr, "%sproposed %s", sep, proposed);
		sep = "; ";
	}
	for (size_t i = 0; i < info->n_metadata; i++) {
		const char *key = info->metadata[i]->key, *value = info->metadata[i]->value;

		if (!strcmp(key, "remedy") || !*key)
			continue;
		fputs(sep, stderr);
		sep = "; ";
		if (!strcmp(key, "tag") && !strcmp(value, "0")) {
			fputs("no tag is free", stderr);
			continue;
		}
		ctl_text_print(stderr, strcmp(key, "tag") ? key : "counter-offer");
		putc(' ', stderr);
		ctl_text_print(stderr, value);
	}
	if (*sep == ';')
		putc(')', stderr);
}

/*
 * The message is the reason's text and then, for clients that read nothing else, "; " and the
 * metadata in words: these are left to print_details().  Any other message is printed whole.
 */
static void print_message(const struct ctl_outcome *outcome)
{
	char name[64], *message = outcome->message;
	const ProtobufCEnumValue *known;
	const char *text;

	snprintf(name, sizeof(name), "REASON_%s", outcome->info ? outcome->info->reason : "");
	known = protobuf_c_enum_descriptor_get_value_by_name(&nve__v1__reason__descriptor, name);
	text = known ? nve_reason_text((enum nve_reason)known->value) : NULL;
	if (text && !strncmp(message, text, strlen(text)) && message[strlen(text)] == ';')
		message[strlen(text)] = '\0';
	print_sentence(*message ? message : "the NVE refused, without a text");
}

static int print_refusal(const struct ctl *ctl, const struct ctl_outcome *outcome)
{
	const Google__Rpc__ErrorInfo *info = outcome->info;

	fputs("nvectl: ", stderr);
	if (info) {
		ctl_text_print(stderr, info->reason);
		fputs(": ", stderr);
	}
	print_message(outcome);
	if (info) {
		print_details(ctl, info);
		print_remedy(metadata(info, "remedy"));
	} else {
		fprintf(stderr, " (gRPC code %d; no reason was given)", outcome->code);
	}
	putc('\n', stderr);
	return CTL_REFUSED;
}

/* Tries the socket itself: its errno says more than gRPC does.  0: somebody accepts. */
static int probe_unix(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd, r = 0;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 && errno != EAGAIN)
		r = -errno;
	close(fd);
	return r;
}

static const char *advice(int err)
{
	switch (err) {
	case -ENOENT:
		return "start nved, or name its socket with --server or NVED_SERVER";
	case -ECONNREFUSED:
		return "the socket is there but no agent listens: start nved, and see its log";
	case -EACCES:
		return "use sudo, or ask for access to that socket";
	case -EPROTOTYPE:
	case -ENOTSOCK:
		return "that is not the agent's socket; name it with --server or NVED_SERVER";
	default:
		return "check that nved runs and listens there (listeners in its configuration), "
		       "or "
		       "name another address with --server or NVED_SERVER";
	}
}

static const char tls_advice[] =
	"check that nved listens there with tls:, and that each trusts the "
	"other's certificate: nved's log says whom it refused and why";

static int print_unreachable(const struct ctl *ctl, const struct ctl_outcome *outcome)
{
	const char *path = strncmp(ctl->target, "unix:", 5) ? NULL : ctl->target + 5;
	const char *what = outcome->message, *last;
	int err = path ? probe_unix(path) : 0;

	if (outcome->code == CTL_CODE_DEADLINE_EXCEEDED) {
		fprintf(stderr, "nvectl: the agent at %s did not answer within %g s", ctl->server,
			(double)ctl->timeout_ms / 1000);
		print_remedy("see nved's log, or allow it more time with --timeout");
	} else {
		/* Of gRPC's chain of causes the last one is the system's. */
		while ((last = strstr(what, ": ")))
			what = last + 2;
		fprintf(stderr, "nvectl: cannot reach the agent at %s: ", ctl->server);
		print_sentence(err ? strerror(-err) : *what ? what : "the connection was lost");
		print_remedy(ctl->tls ? tls_advice : advice(err));
	}
	putc('\n', stderr);
	return CTL_UNREACHABLE;
}

int ctl_failed(const struct ctl *ctl, int err, const struct ctl_outcome *outcome)
{
	bool lost = outcome->code == CTL_CODE_UNAVAILABLE ||
		    outcome->code == CTL_CODE_DEADLINE_EXCEEDED ||
		    outcome->code == CTL_CODE_CANCELLED;

	if (err != -EREMOTE)
		return ctl_broken(err, err == -EBADMSG ? "cannot read the agent's answer"
						       : "cannot take the agent's answer");
	if (lost && !outcome->info)
		return print_unreachable(ctl, outcome);
	return print_refusal(ctl, outcome);
}
