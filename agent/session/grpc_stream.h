/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that stream: Session, Watch, the lists of Admin, health Watch, reflection. */
#pragma once

#include "session/grpc_internal.h"

enum {
	NVE_FEED_MAX = 1024, /* events that wait for one client; the next are lost, and counted */
};

struct nve_msg {
	grpc_slice slice;
	uint64_t seq; /* of an event */
};

struct nve_ring {
	struct nve_msg *at;
	uint32_t cap, head, n;
};

/* False: no memory, or 'max' reached; the slice stays the caller's. */
bool nve_ring_push(struct nve_ring *ring, uint32_t max, struct nve_msg msg);
bool nve_ring_pop(struct nve_ring *ring, struct nve_msg *ret);
void nve_ring_clear(struct nve_ring *ring);

/* Events on their way to one client. */
struct nve_feed {
	bool on, session; /* 'session': wrapped into SessionReply */
	bool all_ports;
	uint64_t ports[NVE_PORTS_MAX / 64];
	struct nve_ring ring;
	uint64_t lost, lost_seq, lost_ns;         /* after those in the ring */
	uint32_t window, n_unacked, unacked_head; /* window 0: not acknowledged */
	uint64_t *unacked;
	uint64_t acked; /* the greatest that the client has named */
};

bool nve_feed_set_window(struct nve_feed *feed, uint32_t window);
void nve_feed_ack(struct nve_feed *feed, uint64_t seq);
bool nve_feed_wants(const struct nve_feed *feed, const struct nve_notice *notice);
/* Takes a reference of the slice. */
void nve_feed_push(struct nve_feed *feed, grpc_slice slice, uint64_t seq, uint64_t ns);
bool nve_feed_ready(const struct nve_feed *feed);
bool nve_feed_next(struct nve_feed *feed, struct nve_msg *ret);
void nve_feed_clear(struct nve_feed *feed);

struct nve_stream;

/* All but 'open' and 'closed' (engine's thread) and 'free' run with the stream's lock. */
struct nve_stream_ops {
	void (*open)(struct nve_stream *st);
	/* Queue's thread: a message came; NULL: the client has sent its last. */
	void (*message)(struct nve_stream *st, grpc_byte_buffer *message);
	void (*resume)(struct nve_stream *st); /* after nve_stream_resume_later() */
	void (*picked)(struct nve_stream *st); /* an answer is about to be sent */
	void (*idle)(struct nve_stream *st);   /* nothing to send: may push, finish or post */
	void (*stop)(struct nve_stream *st);   /* engine's thread: the agent stops */
	void (*bar)(struct nve_stream *st);    /* engine's thread: see nve_stream_bar() */
	void (*closed)(struct nve_stream *st);
	void (*free)(struct nve_stream *st); /* what the kind added, but not the memory */
};

struct nve_stream {
	struct nve_call base;
	const struct nve_stream_ops *ops;
	struct nve_completion recv_tag, send_tag, close_tag, status_tag;
	struct nve_source source;
	struct nve_work open_work, close_work, step_work;
	struct nve_peer peer;
	uint16_t owner;                 /* engine's thread, from open() on */
	struct nve_stream *prev, *next; /* engine's thread: all open ones */
	bool listed;

	pthread_mutex_t lock;
	unsigned int refs;
	grpc_byte_buffer *incoming, *outgoing;
	int cancelled;
	size_t gathered; /* bytes that gRPC may keep until there are more */
	struct nve_ring answers;
	size_t answer_bytes; /* in the ring; taken of the client's share */
	struct nve_feed feed;
	bool event_turn; /* answers and events alternate */
	bool initial_sent, sending, receiving;
	bool finish; /* send the status when there is nothing left to send */
	bool status_sent, dead;
	bool barred;              /* no new request, and NOT_AUTHORIZED at the end */
	struct nve_refusal final; /* reason OK: an OK status */
};

/* Queue's thread, from accepted(): open() is called next on the engine's thread. */
void nve_stream_start(struct nve_stream *st, const struct nve_stream_ops *ops);
void nve_stream_unref(struct nve_stream *st);
/* Engine's thread: its client is no longer trusted.  'bar' NULL: ends at once. */
void nve_stream_bar(struct nve_stream *st);
/* With the lock: */
void nve_stream_receive(struct nve_stream *st);
/* From message(): resume() is called once what was posted is done.  False: it is not. */
bool nve_stream_resume_later(struct nve_stream *st);
/* Copies the bytes; false if there is no memory, then the call is cancelled. */
bool nve_stream_push(struct nve_stream *st, struct nve_bytes bytes);
void nve_stream_pump(struct nve_stream *st);
void nve_stream_finish(struct nve_stream *st, enum nve_reason reason);

struct nve_call *nve_session_alloc(void);
void nve_session_accepted(struct nve_call *call);
struct nve_call *nve_list_alloc(void);
void nve_list_accepted(struct nve_call *call);
struct nve_call *nve_health_watch_alloc(void);
void nve_health_watch_accepted(struct nve_call *call);
struct nve_call *nve_reflection_alloc(void);
void nve_reflection_accepted(struct nve_call *call);
void nve_stream_unused(struct nve_call *call);
