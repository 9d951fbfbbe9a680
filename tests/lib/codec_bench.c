/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/codec_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint16_t find(const void *arg, const char *name)
{
	(void)arg;
	if (name[0] != 'p' || name[1] < '0' || name[1] > '3' || name[2])
		return NVE_PORT_NONE;
	return (uint16_t)(name[1] - '0');
}

const struct nve_codec_ports bench_ports = { find, NULL };

static void fill_parts(struct bench *b)
{
	memset(b->tsi_id, 0xab, sizeof(b->tsi_id));
	nve__v1__vn_ref__init(&b->vn);
	b->vn.vn_case = NVE__V1__VN_REF__VN_ID;
	b->vn.id = 7001;
	nve__v1__tsi_key__init(&b->key);
	b->key.tsi_id = (ProtobufCBinaryData){ NVE_TSI_ID_LEN, b->tsi_id };
	b->key.port = (char *)"p1";
	b->key.vn = &b->vn;
	nve__v1__timers__init(&b->timers);
	for (int i = 0; i < BENCH_ADDRS; i++) {
		memcpy(b->macs[i], (uint8_t[]){ 2, 0, 0, 1, (uint8_t)(i >> 8), (uint8_t)i }, 6);
		memcpy(b->ips[i], (uint8_t[]){ 10, 0, (uint8_t)(i >> 8), (uint8_t)(i + 1) }, 4);
		nve__v1__address__init(&b->addrs[i]);
		b->addrs[i].mac = (ProtobufCBinaryData){ 6, b->macs[i] };
		b->addrs[i].ip = (ProtobufCBinaryData){ 4, b->ips[i] };
		b->addr_list[i] = &b->addrs[i];
	}
	for (int i = 0; i < BENCH_TSIS; i++)
		b->tsi_list[i] = &b->key;
	for (int i = 0; i < BENCH_PARAMETERS; i++) {
		nve__v1__parameter__init(&b->parameters[i]);
		b->parameters[i].name = (char *)"org.example.qos";
		b->parameter_list[i] = &b->parameters[i];
	}
}

static void fill_tsi_messages(struct bench *b)
{
	nve__v1__associate_request__init(&b->associate);
	b->associate.tsi = &b->key;
	b->associate.n_addresses = 2;
	b->associate.addresses = b->addr_list;
	nve__v1__activate_request__init(&b->activate);
	b->activate.tsi = &b->key;
	b->activate.n_addresses = 2;
	b->activate.addresses = b->addr_list;
	b->activate.n_only = 1;
	b->activate.only = b->addr_list;
	nve__v1__deactivate_request__init(&b->deactivate);
	b->deactivate.tsi = &b->key;
	nve__v1__disassociate_request__init(&b->disassociate);
	b->disassociate.tsi = &b->key;
	nve__v1__update_request__init(&b->update);
	b->update.tsi = &b->key;
	b->update.n_add = 1;
	b->update.add = b->addr_list;
	b->update.n_remove = 1;
	b->update.remove = b->addr_list;
	b->update.new_port = (char *)"p2";
	nve__v1__clear_request__init(&b->clear);
	b->clear.tsi_id = b->key.tsi_id;
	b->clear.port = b->key.port;
	nve__v1__keepalive_request__init(&b->keepalive);
	b->keepalive.n_tsis = 3;
	b->keepalive.tsis = b->tsi_list;
	nve__v1__keepactive_request__init(&b->keepactive);
	b->keepactive.n_tsis = 3;
	b->keepactive.tsis = b->tsi_list;
	nve__v1__resync_request__init(&b->resync);
	b->resync.n_tsis = 3;
	b->resync.tsis = b->tsi_list;
	b->resync.done = true;
}

int bench_setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	if (!b)
		return -1;
	nve_arena_init(&b->arena);
	fill_parts(b);
	nve__v1__vn_connect_request__init(&b->vn_connect);
	b->vn_connect.port = (char *)"p1";
	b->vn_connect.vn = &b->vn;
	nve__v1__vn_disconnect_request__init(&b->vn_disconnect);
	b->vn_disconnect.port = (char *)"p1";
	b->vn_disconnect.vn = &b->vn;
	fill_tsi_messages(b);
	nve__v1__hello__init(&b->hello);
	b->hello.client = (char *)"hypervisor 1";
	nve__v1__event_ack__init(&b->event_ack);
	b->event_ack.seq = 99;
	nve__v1__session_request__init(&b->session);
	b->session.request_id = 4711;
	*state = b;
	return 0;
}

int bench_teardown(void **state)
{
	struct bench *b = *state;

	nve_arena_reset(&b->arena);
	free(b);
	return 0;
}

ProtobufCMessage *bench_message(struct bench *b, enum nve_method method)
{
	ProtobufCMessage *const messages[NVE_METHOD_NONE] = {
		[NVE_METHOD_VN_CONNECT] = &b->vn_connect.base,
		[NVE_METHOD_VN_DISCONNECT] = &b->vn_disconnect.base,
		[NVE_METHOD_ASSOCIATE] = &b->associate.base,
		[NVE_METHOD_ACTIVATE] = &b->activate.base,
		[NVE_METHOD_DEACTIVATE] = &b->deactivate.base,
		[NVE_METHOD_DISASSOCIATE] = &b->disassociate.base,
		[NVE_METHOD_CLEAR] = &b->clear.base,
		[NVE_METHOD_UPDATE] = &b->update.base,
		[NVE_METHOD_KEEPALIVE] = &b->keepalive.base,
		[NVE_METHOD_KEEPACTIVE] = &b->keepactive.base,
		[NVE_METHOD_RESYNC] = &b->resync.base,
		[NVE_METHOD_HELLO] = &b->hello.base,
		[NVE_METHOD_EVENT_ACK] = &b->event_ack.base,
	};

	return messages[method];
}

void bench_session(struct bench *b, enum nve_method method)
{
	static const Nve__V1__SessionRequest__RequestCase cases[NVE_METHOD_NONE] = {
		[NVE_METHOD_VN_CONNECT] = NVE__V1__SESSION_REQUEST__REQUEST_VN_CONNECT,
		[NVE_METHOD_VN_DISCONNECT] = NVE__V1__SESSION_REQUEST__REQUEST_VN_DISCONNECT,
		[NVE_METHOD_ASSOCIATE] = NVE__V1__SESSION_REQUEST__REQUEST_ASSOCIATE,
		[NVE_METHOD_ACTIVATE] = NVE__V1__SESSION_REQUEST__REQUEST_ACTIVATE,
		[NVE_METHOD_DEACTIVATE] = NVE__V1__SESSION_REQUEST__REQUEST_DEACTIVATE,
		[NVE_METHOD_DISASSOCIATE] = NVE__V1__SESSION_REQUEST__REQUEST_DISASSOCIATE,
		[NVE_METHOD_CLEAR] = NVE__V1__SESSION_REQUEST__REQUEST_CLEAR,
		[NVE_METHOD_UPDATE] = NVE__V1__SESSION_REQUEST__REQUEST_UPDATE,
		[NVE_METHOD_KEEPALIVE] = NVE__V1__SESSION_REQUEST__REQUEST_KEEPALIVE,
		[NVE_METHOD_KEEPACTIVE] = NVE__V1__SESSION_REQUEST__REQUEST_KEEPACTIVE,
		[NVE_METHOD_RESYNC] = NVE__V1__SESSION_REQUEST__REQUEST_RESYNC,
		[NVE_METHOD_HELLO] = NVE__V1__SESSION_REQUEST__REQUEST_HELLO,
		[NVE_METHOD_EVENT_ACK] = NVE__V1__SESSION_REQUEST__REQUEST_EVENT_ACK,
	};

	b->session.request_case = cases[method];
	b->session.hello = (void *)bench_message(b, method);
}

uint8_t *bench_pack(const ProtobufCMessage *msg, size_t *len)
{
	uint8_t *bytes;

	*len = protobuf_c_message_get_packed_size(msg);
	bytes = malloc(*len ? *len : 1);
	assert_non_null(bytes);
	assert_int_equal(protobuf_c_message_pack(msg, bytes), *len);
	return bytes;
}

int bench_decode_bytes(struct bench *b, enum nve_method method, const void *bytes, size_t len)
{
	nve_arena_reset(&b->arena);
	memset(&b->why, 0, sizeof(b->why));
	if (method == NVE_METHOD_NONE)
		return nve_codec_decode_session(bytes, len, &bench_ports, &b->arena, &b->out,
						&b->why);
	return nve_codec_decode(method, bytes, len, &bench_ports, &b->arena, &b->out, &b->why);
}

int bench_decode(struct bench *b, enum nve_method method)
{
	size_t len;
	uint8_t *bytes = bench_pack(bench_message(b, method), &len);
	int r = bench_decode_bytes(b, method, bytes, len);

	free(bytes);
	return r;
}

int bench_decode_session(struct bench *b)
{
	size_t len;
	uint8_t *bytes = bench_pack(&b->session.base, &len);
	int r = bench_decode_bytes(b, NVE_METHOD_NONE, bytes, len);

	free(bytes);
	return r;
}

static void check_addrs(const struct nve_addr *addrs, uint32_t n)
{
	assert_true(n <= NVE_TSI_ADDRS_MAX);
	for (uint32_t i = 0; i < n; i++) {
		const struct nve_addr *a = &addrs[i];
		uint8_t ip = a->flags & (NVE_ADDR_IPV4 | NVE_ADDR_IPV6);

		assert_true(a->flags != 0 && ip != (NVE_ADDR_IPV4 | NVE_ADDR_IPV6));
		assert_int_equal(a->pad, 0);
		assert_false((a->flags & NVE_ADDR_MAC) && (a->mac[0] & 1));
		for (uint32_t j = 0; j < i; j++)
			assert_memory_not_equal(a, &addrs[j], sizeof(*a));
	}
}

void bench_check_promises(const struct nve_decoded *out)
{
	static const uint8_t zero[NVE_TSI_ID_LEN];

	for (uint32_t i = 0; i < out->n_requests; i++) {
		const struct nve_event *ev = &out->requests[i].req.ev;
		bool has_tsi = ev->kind != NVE_EV_VN_CONNECT && ev->kind != NVE_EV_VN_DISCONNECT;

		assert_true(ev->kind < NVE_EV_DATA_SEEN);
		assert_true(ev->key.port < 4);
		assert_true(ev->key.vn_id <= NVE_VN_ID_MAX);
		assert_int_equal(ev->key.pad, 0);
		assert_true(ev->kind == NVE_EV_CLEAR || ev->key.vn_id != 0 ||
			    out->requests[i].req.vn_name[0]);
		assert_true(!has_tsi || memcmp(ev->key.id.bytes, zero, sizeof(zero)) != 0);
		assert_true(ev->tag <= NVE_TAG_MAX);
		assert_true(ev->cause <= NVE_CAUSE_RESUME);
		assert_true(ev->new_port < 4 || ev->new_port == NVE_PORT_NONE);
		assert_true(strlen(out->requests[i].req.vn_name) <= NVE_NAME_MAX);
		check_addrs(ev->addrs, ev->n_addrs);
		check_addrs(ev->only, ev->n_only);
	}
}
