/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the codec share; nobody else includes this. */
#pragma once

#include "nve/v1/nve.pb-c.h"
#include "session/codec.h"

enum nve_wire_type { NVE_WIRE_VARINT = 0, NVE_WIRE_I64 = 1, NVE_WIRE_LEN = 2, NVE_WIRE_I32 = 5 };

struct nve_wire {
	const uint8_t *at;
	const uint8_t *end;
};

struct nve_wire_field {
	uint32_t number;
	enum nve_wire_type type;
	uint64_t varint;
	const uint8_t *data; /* NVE_WIRE_LEN */
	size_t len;
};

/* Takes the next field off; false if what is left is none. */
bool nve_wire_next(struct nve_wire *w, struct nve_wire_field *ret);

/*
 * Walks the wire form before anything is unpacked, and sees what protobuf-c does not tell: bytes
 * of strings that are no UTF-8 or are control characters (a NUL among them), singular messages
 * that stand twice.  0 or -EBADMSG; then 'why' is filled in.  Recurses only as deep as the message
 * types nest, which are not recursive.
 */
int nve_wire_check(const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t len,
		   struct nve_refusal *why);
/* Field 1 of a SessionRequest as far as the bytes can be read; 0 if it is not there. */
uint64_t nve_wire_request_id(const uint8_t *bytes, size_t len);

struct nve_decode {
	const struct nve_codec_ports *ports;
	struct nve_arena *arena;
	struct nve_decoded *out;
	struct nve_refusal *why;
};

void nve_refusal_init(struct nve_refusal *why, enum nve_reason reason);
/* Fills in d->why, the field as with printf(); returns -EBADMSG. */
int nve_refuse(struct nve_decode *d, enum nve_reason reason, const char *field, ...)
	__attribute__((format(printf, 3, 4)));

/* Parts of requests.  'prefix' is the path of the message that holds them, "" or "tsi." for
 * example.  0, or -EBADMSG with d->why filled in. */
int nve_decode_vn(struct nve_decode *d, const char *prefix, const Nve__V1__VnRef *vn,
		  struct nve_request *req);
int nve_decode_tsi_id(struct nve_decode *d, const char *prefix, ProtobufCBinaryData id,
		      struct nve_request *req);
int nve_decode_port(struct nve_decode *d, const char *field, const char *name, uint16_t *slot);
int nve_decode_key(struct nve_decode *d, const char *prefix, const Nve__V1__TsiKey *key,
		   struct nve_request *req);
int nve_decode_addrs(struct nve_decode *d, const char *field, size_t n, Nve__V1__Address **list,
		     const struct nve_addr **ret, uint32_t *ret_n);
int nve_decode_tag(struct nve_decode *d, uint32_t tag, struct nve_request *req);
void nve_decode_timers(const Nve__V1__Timers *timers, struct nve_request *req);
/* 'req' is NULL where no parameter is known. */
int nve_decode_parameters(struct nve_decode *d, size_t n, Nve__V1__Parameter **list,
			  struct nve_request *req);

/* QoS as a message; NULL if there is none.  Points into 'm'. */
struct nve_codec_qos {
	Nve__V1__Qos qos;
	Nve__V1__Rate from_tsi, to_tsi;
};
Nve__V1__Qos *nve_encode_qos(const struct nve_qos *qos, struct nve_codec_qos *m);

/* admin_tls.c: how the agent is reached; false: no memory. */
struct nve_admin_env;
bool nve_admin_tls(const struct nve_admin_env *env, struct nve_arena *arena, Nve__V1__Status *m);

/* Packs into the arena; 0 or -ENOMEM. */
int nve_codec_pack(const ProtobufCMessage *msg, struct nve_arena *arena, struct nve_bytes *ret);
