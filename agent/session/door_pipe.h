/* SPDX-License-Identifier: Apache-2.0 */
/* A TLS connection: between door_tls.c, which shakes hands, and door_pipe.c, which does the rest.
 */
#pragma once

#include <openssl/ssl.h>

#include "session/door_internal.h"
#include "session/tls.h"

enum {
	NVE_PIPE_BUFFER = SSL3_RT_MAX_PLAIN_LENGTH, /* so that a read takes a whole record */
};

/* Bytes on their way in one direction. */
struct nve_flow {
	size_t at, len;
	uint8_t bytes[NVE_PIPE_BUFFER];
};

struct nve_side {
	struct nve_watch watch; /* first */
	struct nve_pipe *pipe;
	int fd;
	uint32_t polled; /* events in epoll; 0 = not there */
	bool over;       /* sends no more */
};

struct nve_pipe {
	struct nve_tls_owner owner; /* first */
	struct nve_door *door;
	struct nve_pipe_queue *queue;
	struct nve_pipe *next, **link;
	uint64_t due_ns; /* in 'shaking' and 'leaving' */
	struct nve_side outer, inner;
	SSL *ssl;
	bool want_write; /* TLS itself */
	bool failed;     /* no goodbye: the connection or its TLS is broken */
	int guest_fd;    /* as gRPC knows it, with its number */
	uint64_t guest_id;
	struct nve_visitor visitor;
	struct nve_flow *in, *out; /* once open */
};

/* Takes it out of its queue, and puts it at the end of that one. */
void nve_pipe_move_to(struct nve_pipe *p, struct nve_pipe_queue *queue, uint64_t due_ns);
/* Nothing happens with it any more; its memory goes at the end of the turn. */
void nve_pipe_close(struct nve_pipe *p);
bool nve_pipe_is_closed(const struct nve_pipe *p);
/* It is barred or refused, and goes in a few seconds. */
void nve_pipe_leave(struct nve_pipe *p);
/* Waits for these events of epoll at that side; 0: for none.  False: it cannot. */
bool nve_pipe_poll(struct nve_side *side, uint32_t events);
/* The handshake is over: bytes flow. */
void nve_pipe_open(struct nve_pipe *p);
/* A line of the log, a count, and the end. */
void nve_pipe_refuse(struct nve_pipe *p, const char *why);
