/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The protocol's bytes and what the engine speaks, both ways.  Every check of untrusted input is
 * here: what decodes with 0 keeps all that event.h promises the core.  Pure: no gRPC, no log, no
 * clock, no allocation but from the arena; any thread.
 */
#pragma once

#include "engine.h"
#include "session/arena.h"
#include "session/refusal.h"

enum nve_method {
	NVE_METHOD_VN_CONNECT,
	NVE_METHOD_VN_DISCONNECT,
	NVE_METHOD_ASSOCIATE,
	NVE_METHOD_ACTIVATE,
	NVE_METHOD_DEACTIVATE,
	NVE_METHOD_DISASSOCIATE,
	NVE_METHOD_CLEAR,
	NVE_METHOD_UPDATE,
	NVE_METHOD_KEEPALIVE,
	NVE_METHOD_KEEPACTIVE,
	NVE_METHOD_RESYNC,
	NVE_UNARY_METHODS,
	NVE_METHOD_HELLO = NVE_UNARY_METHODS, /* on a Session only */
	NVE_METHOD_EVENT_ACK,
	NVE_METHOD_NONE,
};

enum {
	NVE_CODEC_PARAMETERS_MAX = 32,
	NVE_CODEC_VALUE_MAX = 1024,
	NVE_CODEC_BATCH_MAX = 512,
	NVE_CODEC_EVENT_BYTES = 768, /* no encoded event is longer */
};

struct nve_bytes {
	uint8_t *data;
	size_t len;
};

/* Finds an access port's slot by name, NVE_PORT_NONE if there is none; called on any thread. */
struct nve_codec_ports {
	uint16_t (*find)(const void *arg, const char *name);
	const void *arg;
};

struct nve_decoded;

/* One request to the engine; a keepalive batch is several. */
struct nve_decoded_request {
	struct nve_request req;
	struct nve_decoded *decoded;
	uint32_t index; /* place in the batch */
};

struct nve_batch_failure {
	uint32_t index;
	enum nve_reason reason;
};

/* What a message said.  All pointers go into the arena. */
struct nve_decoded {
	enum nve_method method;
	uint64_t request_id; /* on a Session; also set on failure, as far as it could be read */
	uint32_t n_requests;
	uint32_t left; /* for the caller: how many done() are still to come */
	struct nve_decoded_request *requests;
	uint32_t n_failures; /* of a batch: refused here already, by rising index */
	struct nve_batch_failure *failures;
	uint32_t n_ignored; /* parameters */
	char **ignored;
	/* Hello and EventAck */
	const char *hello_client;
	uint32_t event_window;
	uint32_t n_ports;
	const uint16_t *ports;
	uint64_t ack_seq;
	/* Resync: of its own; 'ports' as in Hello, 'requests' are what is listed. */
	bool done;
	uint32_t n_cleared;
	enum nve_reason refused; /* by the sweep */
};

/*
 * Decodes one request message.  0, and 'ret' is filled in but for the members of each request
 * that are the engine's or the caller's (done, client); or -EBADMSG, and 'why' says what to
 * answer, and of 'ret' only method and request_id count.
 */
int nve_codec_decode(enum nve_method method, const uint8_t *bytes, size_t len,
		     const struct nve_codec_ports *ports, struct nve_arena *arena,
		     struct nve_decoded *ret, struct nve_refusal *why);
/* The same for a SessionRequest. */
int nve_codec_decode_session(const uint8_t *bytes, size_t len, const struct nve_codec_ports *ports,
			     struct nve_arena *arena, struct nve_decoded *ret,
			     struct nve_refusal *why);

/* What an answer of the engine says when its reason is not OK. */
void nve_codec_refusal(const struct nve_answer *answer, struct nve_refusal *ret);

/* What the VN's own reply and those of its TSIs say beyond the answer. */
struct nve_codec_vn {
	const char *name;
	uint32_t mtu;
};

/*
 * Encodes the reply of a request whose answers are in requests[i].req.answer.
 * 0; -EREMOTE: it was refused, '*why' says how; -ENOMEM: the arena is full.
 */
int nve_codec_reply(const struct nve_decoded *d, const struct nve_codec_vn *vn,
		    struct nve_arena *arena, struct nve_bytes *ret, struct nve_refusal *why);
/* The same as a SessionReply with an Answer, refused or not.  0 or -ENOMEM. */
int nve_codec_session_answer(const struct nve_decoded *d, const struct nve_codec_vn *vn,
			     struct nve_arena *arena, struct nve_bytes *ret);
int nve_codec_session_refusal(uint64_t request_id, const struct nve_refusal *why,
			      struct nve_arena *arena, struct nve_bytes *ret);

struct nve_codec_welcome {
	const char *nve;
	const char *version;
	uint32_t max_outstanding;
	uint32_t max_message_bytes;
	uint64_t next_event_seq;
};
int nve_codec_welcome(const struct nve_codec_welcome *w, struct nve_arena *arena,
		      struct nve_bytes *ret);

/* google.rpc.Status with ErrorInfo.  'message' is text for people, in the arena; may be NULL. */
int nve_codec_status(const struct nve_refusal *why, struct nve_arena *arena, struct nve_bytes *ret,
		     const char **message);
/* The number of the canonical gRPC code of a reason. */
int nve_codec_grpc_code(enum nve_reason reason);

/* An event, or (event NULL) the news that 'lost' of them were lost, the last of them 'seq'. */
struct nve_codec_event {
	const struct nve_engine_event *event;
	uint64_t seq, realtime_ns, lost;
	const char *port;     /* name of notice.key.port */
	const char *new_port; /* name of notice.new_port, "" = stays */
	bool session;         /* wrapped into a SessionReply, else bare */
};
/* Returns the length written to 'out', 0 if it cannot be told. */
size_t nve_codec_event(const struct nve_codec_event *e, uint8_t out[NVE_CODEC_EVENT_BYTES]);
