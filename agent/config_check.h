/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the check of nved.yaml share.  Internal to config*.c. */
#pragma once

#include "config.h"
#include "config_raw.h"
#include "yaml_marks.h"

#include <stdio.h>

/* One check of one file.  Complaints are gathered, so that all are told at once. */
struct config_check {
	const char *file;
	const struct nve_marks *marks;
	const struct raw_config *raw;
	struct nve_config *config; /* filled in on the way */
	FILE *out;                 /* complaints, a line each */
	unsigned complaints;
	int error; /* -ENOMEM, once it happened */
};

/* "FILE:LINE: text", the line being that of 'path' (yaml_marks.h); 'text' says what to do, too. */
__attribute__((format(printf, 3, 4))) void
nve_config_complain(struct config_check *check, const char *path, const char *text, ...);

/* A copy of 'value', or of 'otherwise' if that is NULL; NULL only when memory is out. */
char *nve_config_strdup(struct config_check *check, const char *value, const char *otherwise);

/* True for what may be the name of an NVE, port or scope; complains otherwise, also of NULL. */
bool nve_config_check_name(struct config_check *check, const char *path, const char *name);

/* Limits and timers; the numbers of all other keys but the scopes' tags. */
void nve_config_check_numbers(struct config_check *check);
/* Scopes, ports and what must hold between them. */
void nve_config_check_ports(struct config_check *check);
/* The check of the datapath. */
void nve_config_check_reconcile(struct config_check *check);
/* The path of the policy file; the file is read when the agent starts. */
void nve_config_check_policy(struct config_check *check);
/* The audit log; config_operate.c. */
void nve_config_check_audit(struct config_check *check);
/* Where hypervisors may reach the agent. */
void nve_config_check_listeners(struct config_check *check);
/* What TLS needs; after the listeners. */
void nve_config_check_tls(struct config_check *check);
/* Below 'tls:' of a listener.  NULL, or what is wrong and what to do. */
const char *nve_config_wrong_tls_address(const char *text);
