/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit log (B16): one JSON object a line, for each change of state, each session, each proof
 * of identity that succeeded or failed, each refusal of the policy, each verb of an operator.
 *
 *   {"seq":7,"time":"2026-11-23T01:02:03.123456789Z","event":"tsi_state","tsi_id":"0a..",...}
 *
 * Like the log there is one in a process, and any thread may write to it.  No call blocks: lines
 * are queued, and a thread of its own writes them.  'seq' begins with 1 at each start and rises by
 * one a line; lines for which the queue has no room are counted, and in their place, once there is
 * room, stands one line "audit_lost" with the number of them and the 'seq' of the last.
 *
 * What a write failure (a full disk) holds back stays queued, and is tried again each second.  No
 * line is ever torn by it.  Before nve_audit_open() and after nve_audit_close() calls do nothing.
 */
#pragma once

#include "log.h"

#include <stdbool.h>
#include <stdint.h>

struct nve_peer; /* session/peer.h */

struct nve_audit_config {
	const char *path;     /* opened for appending, created with mode 0600; NULL: no audit log */
	uint64_t max_bytes;   /* then it becomes PATH.1, and PATH.1 PATH.2; 0 = never */
	uint32_t keep;        /* of those; what would be one more is removed */
	bool sync;            /* to the disk after each write; no reply waits for it */
	uint32_t queue_bytes; /* 0 = 4 MiB */
};

/*
 * Starts the writer.  -errno if the file cannot be opened for a reason that only an operator can
 * mend (no such directory, not permitted); '*err' says what to do (the caller frees it).  A disk
 * that is full or read-only is not one: lines wait in the queue.
 */
int nve_audit_open(const struct nve_audit_config *config, char **err);
/* Writes what is queued, for two seconds at most, and stops.  Not from two threads at a time. */
void nve_audit_close(void);
bool nve_audit_on(void);
/* The writer closes the file and opens it by its name again: after logrotate has renamed it. */
void nve_audit_reopen(void);

struct nve_audit_status {
	const char *path; /* NULL: there is no audit log */
	uint64_t lines;   /* written */
	uint64_t lost;
	uint64_t rotated;
	uint64_t failures; /* of write, open, rename, sync */
	int error;         /* of the last attempt: -errno, or 0: all is well */
};
void nve_audit_status(struct nve_audit_status *ret);

/* Fields as in the log: numbers become numbers, bytes hex digits, the rest strings. */
void nve_audit_fields(const char *event, const struct nve_log_field *fields);
#define nve_audit(event, ...)                                                                      \
	do {                                                                                       \
		if (nve_audit_on())                                                                \
			nve_audit_fields(event,                                                    \
					 (const struct nve_log_field[]){ __VA_ARGS__, { 0 } });    \
	} while (0)

/*
 * Whether a peer proved who it is: "auth", result "accepted" or "refused".  'peer' may be NULL or
 * without identity where it did not, and what it says of itself is "claims"; 'address' is gRPC's
 * text of it; 'why' may be NULL.
 */
void nve_audit_auth(const struct nve_peer *peer, const char *address, bool accepted,
		    const char *why);
