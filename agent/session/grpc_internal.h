/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the gRPC front end share; only they include <grpc/>. */
#pragma once

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/slice.h>
#include <grpc/support/alloc.h>
#include <pthread.h>
#include <stdatomic.h>

#include "session/admin.h"
#include "session/clients.h"
#include "session/codec.h"
#include "session/grpc_operate.h"
#include "session/grpc_peer.h"
#include "session/grpc_turn.h"
#include "session/session.h"

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* What a completion is delivered to, on the completion queue's thread. */
struct nve_completion {
	void (*done)(struct nve_completion *tag, bool ok);
};

/* A request on its way through the engine. */
struct nve_op {
	struct nve_work work;
	struct nve_session_server *server;  /* NULL: the server is gone, finish() only frees */
	struct nve_op *prev, *next;         /* those that the engine has */
	void (*finish)(struct nve_op *op);  /* engine's thread: answered, or server NULL */
	void (*abandon)(struct nve_op *op); /* engine's thread: let go of all that is gRPC's */
	char client[NVE_NAME_MAX + 1];
	struct nve_resync **resync, *own_resync; /* the Session's, or this one's */
	const char *identity;                    /* kept until submitted */
	struct nve_decoded decoded;
	struct nve_arena arena; /* last: its memory is not cleared */
};

/* Any call from the moment it is waited for. */
struct nve_call {
	struct nve_completion accept;
	struct nve_session_server *server;
	const struct nve_method_entry *method;
	grpc_call *call;
	struct nve_conn *conn; /* once it was let in: see nve_call_enter() */
	enum nve_use use;
	size_t bytes; /* taken of the client's share */
	gpr_timespec deadline;
	grpc_metadata_array metadata;
	grpc_byte_buffer *payload; /* the first message, unless method->stream_in */
	grpc_metadata trailer;     /* grpc-status-details-bin */
	grpc_slice status_text;
};

/* One method of one service. */
struct nve_method_entry {
	const char *path;
	struct nve_call *(*alloc)(void);
	void (*accepted)(struct nve_call *call); /* queue's thread; owns the call */
	void (*unused)(struct nve_call *call);   /* frees one that never came */
	int arg;                                 /* enum nve_method, enum nve_admin_list, ... */
	bool stream_in; /* the client streams: no first message is read for us */
	uint8_t armed;  /* calls waited for at a time */
};

struct nve_session_server {
	struct nve_session_config config;
	struct nve_admin_env env;
	struct nve_codec_ports ports, all_ports;
	struct nve_listeners *listeners;
	grpc_server *server;
	grpc_completion_queue *cq;
	pthread_t thread;
	struct nve_turn turn; /* that thread's */
	struct nve_door *door;
	struct nve_peers *peers;
	uint16_t *bound;   /* TCP ports of the listeners */
	void **registered; /* one for each method of nve_methods */
	struct nve_completion shutdown_tag;
	atomic_bool stopping, shutdown_done;
	atomic_uint unary; /* calls under way */
	atomic_uint sessions, dumps, resyncs;
	atomic_ullong refused[64]; /* by the codec */

	pthread_mutex_t lock;
	pthread_cond_t changed; /* work was posted, or a call has ended; for close() */
	struct nve_fair fair;
	struct nve_source own_source; /* work of nobody's call */
	struct nve_clients clients;   /* has a lock of its own */
	unsigned int live;            /* accepted calls */

	/* The engine's thread alone. */
	bool closing, shutdown_begun;
	struct nve_op in_engine; /* head of a ring */
	struct nve_stream *streams;
	struct nve_engine_watch watch;
	uint64_t last_seq;
	struct nve_operate_state operate;
};

/* grpc_call.c */
void nve_post(struct nve_session_server *s, struct nve_source *source, struct nve_work *work);
/* Frees what the call holds of gRPC's. */
void nve_call_clear(struct nve_call *call);
void nve_call_began(struct nve_session_server *s);
void nve_call_ended(struct nve_session_server *s);
/* The bytes of a message: points into 'buffer', or is copied to the arena; data NULL: no memory. */
struct nve_bytes nve_read_message(grpc_byte_buffer *buffer, struct nve_arena *arena);
grpc_byte_buffer *nve_make_message(struct nve_bytes bytes);
/* Fills in call->trailer and status_text; returns the op to send. */
grpc_op nve_status_op(struct nve_call *call, const struct nve_refusal *why,
		      struct nve_arena *arena);
void nve_count_refusal(struct nve_session_server *s, enum nve_reason reason);

/* grpc_config.c */
int nve_config_copy(struct nve_session_config *to, const struct nve_session_config *from);
void nve_config_release(struct nve_session_config *config);
grpc_server *nve_make_server(const struct nve_session_config *config);
/* Binds all listeners; see nve_session_open() for errors. */
int nve_bind(struct nve_session_server *s, char **err);

/* grpc_event.c: the watcher that hands the engine's events to all streams that want them. */
nve_engine_event_fn nve_event_occurred;

/* grpc_unknown.c */
void nve_unknown_arm(struct nve_session_server *s);

/*
 * grpc_server.c: tells gRPC to shut down, once all streams have their status.  Earlier, gRPC closes
 * a connection with its last stream, and a client that still writes never sees its status.
 */
void nve_begin_shutdown(struct nve_session_server *s);

/* grpc_op.c */
void nve_op_submit(struct nve_work *work);
void nve_op_init(struct nve_op *op, struct nve_session_server *s);
/* All of it is answered. */
void nve_op_finish(struct nve_op *op);
uint32_t nve_op_cost(const struct nve_op *op); /* as struct nve_work has it */
struct nve_codec_vn nve_op_vn(const struct nve_op *op);

#include "session/grpc_client.h"
