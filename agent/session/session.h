/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gRPC front end: proto/nve/v1 over TLS, TCP on loopback and unix sockets, with the standard
 * health and reflection services.
 *
 * A thread of its own sits on gRPC's completion queue: it decodes, refuses what is malformed, and
 * queues the rest.  All else happens on the engine's thread, the caller's, or whichever holds the
 * engine at the time (turn() below): drain() hands what is queued to the engine, whose done()
 * starts the replies.  So a turn of the loop is:
 *
 *   nve_session_drain(server);
 *   nve_engine_run(engine, now);
 *
 * Fairness: drain() takes requests in rounds, a few of each client at a time, and of those a few of
 * each of its Sessions and connections: see fair.h and clients.h.
 */
#pragma once

#include "doctor.h"
#include "engine.h"
#include "session/authz.h"
#include "session/clients.h"
#include "session/tls.h"

struct nve_session_server;

struct nve_session_limits {
	uint32_t sessions;      /* Session and Watch streams at a time */
	uint32_t outstanding;   /* requests of one Session that wait for their answer */
	uint32_t message_bytes; /* of one request */
	struct nve_client_limits per_client;
};

struct nve_session_config {
	struct nve_engine *engine; /* must outlive the server, but for nve_engine_close() */
	const char *nve;           /* all strings are copied */
	const char *version;
	uint32_t n_listeners;
	const char *const
		*listeners;      /* "unix:/path", "127.0.0.1:4800", "[::1]:4800"; port 0: any */
	struct nve_authz *authz; /* the caller's; NULL = everybody may do everything */
	struct nve_session_limits limits; /* 0 = default: 1024, 256, 64 KiB, .. */
	struct nve_tls_files
		tls; /* for "tls:192.0.2.1:4801"; all NULL: there is no such listener */
	uint32_t handshakes, handshake_ms; /* at a time, and how long each; 0 = default: 64, 5 s */
	/* Called on any thread when drain() has something to do; must not block or call back. */
	void (*wake)(void *arg);
	/*
	 * drain() and nve_engine_run() here and now, on the completion queue's thread: false if
	 * that cannot be, because they are under way for example.  NULL: never.  For engines whose
	 * turns are short: while it lasts nothing is received.
	 */
	bool (*turn)(void *arg);
	void *wake_arg;
	/* For Admin.GetStatus. */
	const char *store;
	const char *durability;
	struct nve_ip local_vtep;
	uint64_t started_unix_ns;
	uint32_t n_notes;
	const char *const *notes;
	/* For Admin.Doctor; on the thread of drain(). */
	void (*doctor)(void *arg, nve_finding_fn *fn, void *fn_arg);
	void *doctor_arg;
};

/*
 * Listens.  -EINVAL: a listener is malformed, or neither loopback nor unix nor TLS, or a file of
 * 'tls' is not as it should be; -EADDRINUSE: somebody
 * has it, another agent perhaps; -ENAMETOOLONG and other errors of sockets.  '*err', if not NULL,
 * is then a message that says what to do (the caller frees it).
 * Starts threads: fork before.
 */
int nve_session_open(const struct nve_session_config *config, struct nve_session_server **ret,
		     char **err);

/*
 * Reads the policy again; says in the log whether it was good, else the old one stays.  It counts
 * from the next request on, on open Sessions too.
 */
void nve_session_reload_policy(struct nve_session_server *server);

/* Hands to the engine what came in, does what Admin calls ask, moves the streams on. */
void nve_session_drain(struct nve_session_server *server);

/* When it must be called next if nothing wakes the caller; NVE_NEVER_NS = not. */
uint64_t nve_session_next_deadline(const struct nve_session_server *server);
/* An operator wants the agent to end, and its datapath with it (Admin.Flush). */
bool nve_session_flush_asked(const struct nve_session_server *server);

/*
 * Reads the files of 'tls' again, if there are any: all are good and take effect, or none does.
 * Says in the log which.  Sessions go on, but for those whose client is trusted no more: they end
 * with NOT_AUTHORIZED.
 */
void nve_session_reload(struct nve_session_server *server);

/*
 * Begins to stop: health says NOT_SERVING, new requests are refused, Sessions end (UNAVAILABLE,
 * SHUTTING_DOWN) when their outstanding requests are answered, then it listens no more.  Drain and
 * run until stopped() or until the caller's grace time is over.
 */
void nve_session_stop(struct nve_session_server *server);
bool nve_session_stopped(const struct nve_session_server *server);
/*
 * No call is under way any more.  What stopped() still waits for is that each client confirms the
 * end of its connection; one that is idle may take seconds over it (gRPC's own looks every 5 s),
 * so a caller in a hurry closes a moment (0.2 s, say) after idle().
 */
bool nve_session_idle(struct nve_session_server *server);

/*
 * Ends what has not ended, gives sockets and memory back.  Call it before nve_engine_close();
 * requests that the engine still holds are freed in their done().  NULL is a no-op.
 */
void nve_session_close(struct nve_session_server *server);

/* The TCP port that listener 'i' got; 0 for a unix socket. */
uint16_t nve_session_port(const struct nve_session_server *server, uint32_t i);
