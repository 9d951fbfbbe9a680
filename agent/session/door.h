/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The door: accepts connections itself, on a thread of its own, so that it is known who is there
 * before a byte of theirs reaches gRPC (S99).  Whom it lets in it hands on as a socket.
 *
 *   unix socket  the kernel says who it is (SO_PEERCRED); the socket itself is handed on
 *   TLS          the client proves it by its certificate; what is handed on is one end of a pair,
 *                and the thread carries bytes between the other end and TLS
 *
 * Loopback TCP without TLS is not here: there nothing is proven, and gRPC listens itself.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "session/peer.h"
#include "session/tls.h"

enum {
	NVE_ADDRESS_MAX = 63, /* "unix:/path" is cut, "tls:[ipv6%scope]:port" always fits */
};

struct nve_door;

/* Somebody at the door. */
struct nve_visitor {
	struct nve_peer peer;
	char address[NVE_ADDRESS_MAX + 1]; /* for logs, as gRPC writes it: "ipv4:192.0.2.1:4000" */
	bool barred; /* let in to be told NOT_AUTHORIZED: proven, but without a usable identity */
};

/* All on the door's thread. */
struct nve_door_guest_ops {
	/*
	 * Takes the non-blocking socket over.  Returns a number of its own for it, above 0; 0: too
	 * many are here, and the socket stays the door's.
	 */
	uint64_t (*enter)(void *arg, int fd, const struct nve_visitor *visitor);
	/* Who entered with that socket and got that number is barred from now on. */
	void (*bar)(void *arg, int fd, uint64_t id);
	void (*barred)(void *arg); /* at the end of a row of bar() */
};

struct nve_door_config {
	const struct nve_door_guest_ops *ops;
	void *arg;
	struct nve_tls *tls;   /* the door's once new() has succeeded; NULL: no TLS */
	uint32_t handshakes;   /* at a time; the next waits, or takes the place of a slow one */
	uint32_t handshake_ms; /* how long one may take */
};

struct nve_door_counters {
	uint64_t accepted, refused;    /* TLS handshakes */
	uint64_t barred;               /* whom a reload found revoked */
	uint32_t shaking, connections; /* now */
	struct nve_tls_dates dates;    /* of what was loaded last */
};

int nve_door_new(const struct nve_door_config *config, struct nve_door **ret);
/*
 * Before start(): opens the listening socket of a "unix:/path" or "tls:ADDRESS:PORT", and says its
 * TCP port.  -errno of bind(2), -EINVAL for an address that is none.
 */
int nve_door_listen(struct nve_door *door, const char *address, uint16_t *port);
/* Starts to accept. */
int nve_door_start(struct nve_door *door);
/* Listens no more.  Those who are inside stay.  Any thread; may be called again. */
void nve_door_shut(struct nve_door *door);
/*
 * From the next handshake on these certificates hold; the door's from now on.  Who is inside is
 * looked at again: whom these do not trust is barred, and a little later disconnected.  Any thread.
 */
void nve_door_reload(struct nve_door *door, struct nve_tls *tls);
/* On the thread that reloads.  False: no listener is TLS. */
bool nve_door_count(struct nve_door *door, struct nve_door_counters *ret);
/* Ends the thread.  NULL is a no-op. */
void nve_door_free(struct nve_door *door);
