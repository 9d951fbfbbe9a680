/* SPDX-License-Identifier: Apache-2.0 */
/* What the programs of the control plane's benchmark share.  All end the process on an error. */
#pragma once

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/support/alloc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nve/v1/nve.pb-c.h"

#define CONTROL_METHOD "/nve.v1.Signaling/Session"
enum { CONTROL_MESSAGE_MAX = 65536, CONTROL_GATHER = 16384 };

struct control {
	const char *address;                /* "127.0.0.1:4800" */
	const char *ca, *certificate, *key; /* PEM files: with TLS, both sides prove themselves */
	const char *what;                   /* load: fill, flip, keep */
	const char *store;
	uint32_t tsis, vns, first_vn, first_tsi, outstanding, seconds, bytes;
	bool associate, events;
};

__attribute__((noreturn, format(printf, 1, 2))) void control_die(const char *format, ...);
uint64_t control_ns(void); /* CLOCK_MONOTONIC */

grpc_server_credentials *control_server_creds(const struct control *c);
grpc_channel_credentials *control_channel_creds(const struct control *c);

/* One message as gRPC has it; the caller destroys it. */
grpc_byte_buffer *control_pack(const ProtobufCMessage *message);
/* The bytes of a message, copied to 'out' of CONTROL_MESSAGE_MAX bytes; returns their number. */
size_t control_bytes(grpc_byte_buffer *buffer, uint8_t *out);

/* Serves until SIGTERM: answers each request of a Session with a message of an answer's size. */
int control_echo(const struct control *c);
/* Drives one Session, of an agent's or of echo's; prints a line of JSON. */
int control_load(const struct control *c);
/* Times the loading of a store, without anything being done with it; a line of JSON. */
int control_read_store(const struct control *c);
/* 'bytes' appended and synced again and again for 'seconds', at c->store; a line of JSON. */
int control_disk(const struct control *c);
