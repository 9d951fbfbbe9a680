/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who made a call (S99).  What the door lets in gRPC knows as "fd:7", after the descriptor that it
 * was given; a table says who that is.
 *
 * The number is right for as long as the call lives: a call holds its stream, the stream its
 * transport, and only the end of the transport closes the descriptor.  So no other connection can
 * get the number while somebody may still ask for the call's.
 */
#pragma once

#include <grpc/grpc.h>

#include "core/types.h"
#include "session/door.h"

struct nve_session_server;
struct nve_peers;

/* The door is made with nve_peers_ops and the table, which must outlive it. */
int nve_peers_new(struct nve_session_server *s, struct nve_peers **ret);
void nve_peers_free(struct nve_peers *peers); /* NULL is a no-op */
extern const struct nve_door_guest_ops nve_peers_ops;
/* grpc_tls.c: makes s->door, with the certificates that s->config names; as nve_session_open(). */
int nve_tls_door(struct nve_session_server *s, char **err);

/* The peer's address, for logs and events: an nve_engine_request's client. */
void nve_call_client(struct nve_session_server *s, grpc_call *call, char out[NVE_NAME_MAX + 1]);
/* Any thread that holds a reference of the call. */
void nve_call_peer_of(struct nve_session_server *s, grpc_call *call, struct nve_peer *out);
/* As nve_call_peer_of(), with where the peer is. */
void nve_call_visitor_of(struct nve_session_server *s, grpc_call *call, struct nve_visitor *out);
/* Whether to refuse it, whatever it asks. */
bool nve_call_barred(struct nve_session_server *s, grpc_call *call);
