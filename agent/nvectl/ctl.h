/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the subcommands share: one run of nvectl, its calls and its errors.  A command's run()
 * builds a request, calls, prints, and returns an exit code; whatever goes wrong was said already.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "nve/v1/nve.pb-c.h"
#include "nvectl/client.h"
#include "nvectl/columns.h"
#include "nvectl/options.h"
#include "nvectl/parse.h"

/* Documented in --help and nvectl(8). */
enum ctl_exit {
	CTL_OK = 0,
	CTL_REFUSED = 1,     /* the NVE refused, and said why */
	CTL_USAGE = 2,       /* the command line is wrong; nothing was sent */
	CTL_UNREACHABLE = 3, /* no agent there, or no answer in time */
	CTL_BROKEN = 4,      /* nvectl itself: no memory, unwritable output, unreadable answer */
};

#define CTL_SERVER_DEFAULT     "unix:/run/nved/nved.sock"
#define CTL_TIMEOUT_DEFAULT_MS 10000

#define CTL_SIGNALING(method) "/nve.v1.Signaling/" method
#define CTL_ADMIN(method)     "/nve.v1.Admin/" method

struct ctl {
	const struct ctl_group *const *groups;
	struct ctl_input in;
	char target[256];    /* of the agent, as gRPC names it */
	const char *server;  /* as the user named it */
	struct ctl_tls *tls; /* NULL: none */
	uint64_t timeout_ms; /* 0: none */
	bool timeout_given;
	bool json;
	bool bold;
	struct ctl_client *client; /* from the first call on */
};

/*
 * Reads the files that the options --tls-* name, or $NVED_TLS_*, into ctl->tls.  -EINVAL with the
 * sentence to print in 'why'.
 */
int ctl_tls_load(struct ctl *ctl, char *why, size_t why_len);
void ctl_tls_free(struct ctl *ctl);

/* Each prints "nvectl: ..." on stderr and returns the exit code. */
int ctl_usage(const struct ctl *ctl, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int ctl_refused(const char *reason, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int ctl_broken(int err, const char *what);
int ctl_failed(const struct ctl *ctl, int err, const struct ctl_outcome *outcome);

/* The text and the remedy of a reason that came without ErrorInfo, from the one list. */
const char *ctl_reason_text(Nve__V1__Reason reason);
const char *ctl_reason_remedy(Nve__V1__Reason reason);

/*
 * One call with one reply, which the caller frees with protobuf_c_message_free_unpacked().  Returns
 * CTL_OK and a reply, or another exit code.
 */
int ctl_call_unary(struct ctl *ctl, const char *method, const ProtobufCMessage *request,
		   const ProtobufCMessageDescriptor *type, ProtobufCMessage **ret);
typedef void (*ctl_print)(const struct ctl *ctl, const ProtobufCMessage *reply);
/* The same, and prints the reply: as JSON if that is asked for, else by 'print'. */
int ctl_call_print(struct ctl *ctl, const char *method, const ProtobufCMessage *request,
		   const ProtobufCMessageDescriptor *type, ctl_print print);
/* One call with a stream of replies.  Returns an exit code. */
int ctl_call_stream(struct ctl *ctl, const struct ctl_call *call, ctl_take take, void *arg);

/* Values of the command line; CTL_OK or, after saying what is wrong, CTL_USAGE. */
int ctl_get_vn(const struct ctl *ctl, const char *text, Nve__V1__VnRef *ret);
int ctl_get_tsi_id(const struct ctl *ctl, const char *text, struct nve_tsi_id *ret);
int ctl_get_u32(const struct ctl *ctl, const char *option, uint32_t *ret); /* 0 if not given */

/* Commands that take --param: the list and what it points to. */
struct ctl_params {
	void *value; /* of the one that was added */
	Nve__V1__Parameter *params;
	Nve__V1__Parameter **list;
	size_t n;
};
#define CTL_OPTION_PARAM                                                                           \
	{                                                                                          \
		"param", 'P', "NAME=VALUE[!]", CTL_WORDS_ANY, false, true,                         \
			"a further parameter; with ! the NVE must know it"                         \
	}
int ctl_get_params(const struct ctl *ctl, struct ctl_params *ret);
/* One more, whose value of that size is to be filled in; keeps 'name'.  NULL without memory. */
Nve__V1__Parameter *ctl_params_add(struct ctl_params *params, const char *name, size_t size);
void ctl_params_free(struct ctl_params *params);
/* "ignored parameters: ..." if there are any. */
void ctl_print_ignored(size_t n, char *const *names);

/* The reply as one line of JSON. */
void ctl_print_json(const ProtobufCMessage *message);

/*
 * The entries of a list, which arrive in pieces: a JSON array, a table, or pages of text.  Printed
 * when all are there, so that a call that fails half way prints nothing.
 */
struct ctl_list {
	const struct ctl *ctl;
	struct ctl_columns *table; /* NULL: JSON or pages */
	FILE *pages;               /* NULL: a table */
	char *text;
	size_t len;
	size_t n;
};
/* With 'columns' NULL people get pages. */
int ctl_list_start(struct ctl_list *list, const struct ctl *ctl, const struct ctl_column *columns);
/* True: the message was taken as JSON; false: the caller adds the table's row or the page. */
bool ctl_list_json(struct ctl_list *list, const ProtobufCMessage *message);
/* Prints if 'r' is CTL_OK; frees; returns the exit code. */
int ctl_list_end(struct ctl_list *list, int r);

/* {"vni":100,"mac":"02:..."} as "vni 100, mac 02:..."; what is no object stays as it is. */
void ctl_columns_add_fields(struct ctl_columns *table, const char *json);

extern const struct ctl_group ctl_status_group, ctl_port_group, ctl_vn_group, ctl_tsi_group,
	ctl_drops_group, ctl_answers_group, ctl_profile_group, ctl_table_group, ctl_watch_group,
	ctl_why_group, ctl_plan_group, ctl_diff_group, ctl_doctor_group, ctl_completion_group,
	ctl_help_group, ctl_evict_group, ctl_drain_group, ctl_flush_group;

/* Prints the candidates for the last of 'words', one a line. */
int ctl_complete(struct ctl *ctl, int n_words, char **words);
/* The overview, or the help of what 'in' names. */
void ctl_help_print(FILE *out, const struct ctl *ctl, const struct ctl_group *group,
		    const struct ctl_command *command);
