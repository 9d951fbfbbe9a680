/* SPDX-License-Identifier: Apache-2.0 */
/* A workbench for tests of the codec: one valid message of each kind to bend, and what it said. */
#pragma once

#include "nve/v1/nve.pb-c.h"
#include "session/codec.h"

enum { BENCH_ADDRS = 300, BENCH_TSIS = 600, BENCH_PARAMETERS = 40 };

struct bench {
	struct nve_arena arena;
	struct nve_decoded out;
	struct nve_refusal why;

	/* The parts that all messages share; tests change these. */
	uint8_t tsi_id[32];
	Nve__V1__VnRef vn;
	Nve__V1__TsiKey key;
	Nve__V1__Timers timers;
	uint8_t macs[BENCH_ADDRS][6];
	uint8_t ips[BENCH_ADDRS][16];
	Nve__V1__Address addrs[BENCH_ADDRS], *addr_list[BENCH_ADDRS];
	Nve__V1__TsiKey *tsi_list[BENCH_TSIS];
	Nve__V1__Parameter parameters[BENCH_PARAMETERS], *parameter_list[BENCH_PARAMETERS];

	Nve__V1__VnConnectRequest vn_connect;
	Nve__V1__VnDisconnectRequest vn_disconnect;
	Nve__V1__AssociateRequest associate;
	Nve__V1__ActivateRequest activate;
	Nve__V1__DeactivateRequest deactivate;
	Nve__V1__DisassociateRequest disassociate;
	Nve__V1__ClearRequest clear;
	Nve__V1__UpdateRequest update;
	Nve__V1__KeepaliveRequest keepalive;
	Nve__V1__KeepactiveRequest keepactive;
	Nve__V1__ResyncRequest resync;
	Nve__V1__Hello hello;
	Nve__V1__EventAck event_ack;
	Nve__V1__SessionRequest session;
};

/* Ports "p0".."p3" are access ports with slots 0..3. */
extern const struct nve_codec_ports bench_ports;

/* cmocka setup and teardown: *state is a struct bench with valid messages. */
int bench_setup(void **state);
int bench_teardown(void **state);

ProtobufCMessage *bench_message(struct bench *b, enum nve_method method);
/* Sets the oneof of b->session. */
void bench_session(struct bench *b, enum nve_method method);
/* Packs into malloc'ed memory of exactly that size, so that ASan sees a read beyond. */
uint8_t *bench_pack(const ProtobufCMessage *msg, size_t *len);
/* Packs and decodes; returns what nve_codec_decode() does. */
int bench_decode(struct bench *b, enum nve_method method);
int bench_decode_session(struct bench *b);
/* NVE_METHOD_NONE: as a SessionRequest. */
int bench_decode_bytes(struct bench *b, enum nve_method method, const void *bytes, size_t len);

/* Fails the test unless 'out' keeps what event.h promises the core. */
void bench_check_promises(const struct nve_decoded *out);
