/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A gRPC client that does one call at a time and waits for it.  The only header of nvectl's that
 * stands for <grpc/>.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "google/rpc/error_details.pb-c.h"

/* Canonical numbers, as in <grpc/status.h>. */
enum ctl_code {
	CTL_CODE_OK = 0,
	CTL_CODE_CANCELLED = 1,
	CTL_CODE_DEADLINE_EXCEEDED = 4,
	CTL_CODE_INTERNAL = 13,
	CTL_CODE_UNAVAILABLE = 14,
};

/* How a call ended. */
struct ctl_outcome {
	int code; /* canonical */
	char *message;
	Google__Rpc__ErrorInfo *info; /* NULL: the answer had none */
};

struct ctl_client;

struct ctl_call {
	const char *method; /* "/nve.v1.Admin/GetStatus" */
	const ProtobufCMessage *request;
	const ProtobufCMessageDescriptor *reply;
	uint64_t timeout_ms; /* 0: none */
	bool lasts;          /* that it lasts until the timeout is no failure */
};

/*
 * Is handed one message; keeps it by setting '*message' to NULL, else it is freed.  Returns 0 to go
 * on, above 0 to end the call, -errno to give up.
 */
typedef int (*ctl_take)(void *arg, ProtobufCMessage **message);

/* What TLS needs, read: the texts of PEM files. */
struct ctl_tls {
	char *ca, *cert, *key;
	const char *name; /* in the agent's certificate; NULL: that of the target */
};

/* 'target' as gRPC names it; 'tls' NULL: without.  Does not connect yet.  Returns 0 or -ENOMEM. */
int ctl_client_new(const char *target, const struct ctl_tls *tls, struct ctl_client **ret);
void ctl_client_free(struct ctl_client *client); /* NULL is fine */

/*
 * Calls and hands each message of the answer to 'take'.  Returns 0; -EREMOTE: the call failed, the
 * outcome says how; -EBADMSG: the answer is not what the proto says; -ENOMEM.  The outcome is freed
 * by ctl_outcome_free() in any case.
 */
int ctl_client_call(struct ctl_client *client, const struct ctl_call *call, ctl_take take,
		    void *arg, struct ctl_outcome *outcome);
void ctl_outcome_free(struct ctl_outcome *outcome);

/* Finds the ErrorInfo in the bytes of a google.rpc.Status; NULL: none, or not decodable. */
Google__Rpc__ErrorInfo *ctl_outcome_info(const uint8_t *status, size_t len);
