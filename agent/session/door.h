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

enum {
	NVE_ADDRESS_MAX = 63, /* "unix:/path" is cut, "tls:[ipv6%scope]:port" always fits */
};

struct nve_door;
struct nve_tls;

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
};

struct nve_door_config {
	const struct nve_door_guest_ops *ops;
	void *arg;
};

int nve_door_new(const struct nve_door_config *config, struct nve_door **ret);
/* Before start(): opens the listening socket of a "unix:/path".  -errno of bind(2). */
int nve_door_listen(struct nve_door *door, const char *address);
/* Starts to accept. */
int nve_door_start(struct nve_door *door);
/* Listens no more.  Those who are inside stay.  Any thread; may be called again. */
void nve_door_shut(struct nve_door *door);
/* Ends the thread.  NULL is a no-op. */
void nve_door_free(struct nve_door *door);
