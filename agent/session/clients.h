/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is calling, and how much each may have under way: connections, streams, unary calls, bytes.
 * A client is an identity (peer.h); where nothing is proven, on loopback without TLS, each
 * connection is a client of its own.  Entries are there while calls are: their number is bounded by
 * that of calls.  Any thread.
 */
#pragma once

#include <pthread.h>
#include <stddef.h>

#include "core/types.h"
#include "session/fair.h"
#include "session/peer.h"

enum { NVE_CLIENT_BUCKETS = 1024, NVE_PEER_TEXT = 95 };

/* Of one client at a time; 0 = the default. */
struct nve_client_limits {
	uint32_t connections; /* that have calls under way: 64 */
	uint32_t streams;     /* Sessions, Watches and lists: 256 */
	uint32_t calls;       /* unary: 512 */
	uint32_t bytes;       /* of requests that wait and answers that were not read: 8 MiB */
};

struct nve_client {
	struct nve_client *next;
	struct nve_flow flow;
	uint32_t connections, streams, calls, refs;
	uint64_t bytes;
	char key[NVE_IDENTITY_MAX + 1];
};

struct nve_conn {
	struct nve_conn *next;
	struct nve_client *client;
	struct nve_source source; /* its unary calls */
	uint32_t refs;            /* its calls of both kinds */
	char peer[NVE_PEER_TEXT + 1];
};

struct nve_clients {
	pthread_mutex_t lock;
	struct nve_client_limits limits;
	struct nve_client *clients[NVE_CLIENT_BUCKETS];
	struct nve_conn *conns[NVE_CLIENT_BUCKETS];
	uint32_t n_clients, n_conns;
	uint64_t bytes; /* of all */
};

enum nve_use { NVE_USE_STREAM, NVE_USE_CALL };

/* Which of its limits a client has reached. */
struct nve_client_full {
	const char *resource; /* static; NULL: no memory */
	uint64_t used, max;
};

void nve_clients_init(struct nve_clients *c, const struct nve_client_limits *limits);
void nve_clients_free(struct nve_clients *c);

/*
 * A call begins.  'peer' names the connection.  NULL: the client has as much as it may, 'full' says
 * of what.  Everything that was entered is left again.
 */
struct nve_conn *nve_clients_enter(struct nve_clients *c, const struct nve_peer *who,
				   const char *peer, enum nve_use use,
				   struct nve_client_full *full);
void nve_clients_leave(struct nve_clients *c, struct nve_conn *conn, enum nve_use use);

/* Bytes that the client makes the agent hold; give() may be called for each take(). */
void nve_clients_take(struct nve_clients *c, struct nve_conn *conn, size_t bytes);
void nve_clients_give(struct nve_clients *c, struct nve_conn *conn, size_t bytes);
/* Whether it has as many as it may. */
bool nve_clients_heavy(struct nve_clients *c, const struct nve_conn *conn,
		       struct nve_client_full *full);
