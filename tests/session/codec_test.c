/* SPDX-License-Identifier: Apache-2.0 */
/* The codec: each field's range and the reason of its refusal (S94), and both ways round. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/codec_bench.h"
#include "nve/v1/reason.pb-c.h"

#define assert_accepted(b, method)                                                                 \
	do {                                                                                       \
		assert_int_equal(bench_decode(b, method), 0);                                      \
		bench_check_promises(&(b)->out);                                                   \
	} while (0)
#define assert_refused(b, method, why_, field_)                                                    \
	do {                                                                                       \
		assert_int_equal(bench_decode(b, method), -EBADMSG);                               \
		assert_string_equal(nve_reason_name((b)->why.reason), #why_);                      \
		assert_string_equal((b)->why.field, field_);                                       \
	} while (0)

static const enum nve_method with_key[] = { NVE_METHOD_ASSOCIATE, NVE_METHOD_ACTIVATE,
					    NVE_METHOD_DEACTIVATE, NVE_METHOD_DISASSOCIATE,
					    NVE_METHOD_UPDATE };
#define FOR_EACH_WITH_KEY(m)                                                                       \
	for (enum nve_method i_ = 0, m;                                                            \
	     i_ < sizeof(with_key) / sizeof(with_key[0]) && (m = with_key[i_], true); i_++)

static void every_valid_message_is_accepted(void **state)
{
	struct bench *b = *state;

	for (enum nve_method m = 0; m < NVE_METHOD_NONE; m++)
		assert_accepted(b, m);
}

static void the_proto_has_the_reasons_of_the_one_list(void **state)
{
	const ProtobufCEnumDescriptor *e = &nve__v1__reason__descriptor;
	size_t n = 0;

	(void)state;
#define COUNT(name_, number, code, text, remedy)                                                   \
	do {                                                                                       \
		const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(e, number);     \
                                                                                                   \
		assert_non_null(v);                                                                \
		assert_string_equal(v->name, "REASON_" #name_);                                    \
		n++;                                                                               \
	} while (0);
	NVE_REASONS(COUNT)
#undef COUNT
	assert_int_equal(e->n_values, n);
}

static void a_tsi_id_is_16_bytes_and_not_all_zero_S52(void **state)
{
	struct bench *b = *state;

	FOR_EACH_WITH_KEY(m)
	{
		b->key.tsi_id.len = 15;
		assert_refused(b, m, INVALID_TSI_ID, "tsi.tsi_id");
		b->key.tsi_id.len = 17;
		assert_refused(b, m, INVALID_TSI_ID, "tsi.tsi_id");
		b->key.tsi_id.len = 0;
		assert_refused(b, m, INVALID_TSI_ID, "tsi.tsi_id");
		b->key.tsi_id.len = 16;
		assert_accepted(b, m);
	}
	memset(b->tsi_id, 0, sizeof(b->tsi_id));
	FOR_EACH_WITH_KEY(m) assert_refused(b, m, INVALID_TSI_ID, "tsi.tsi_id");
	assert_refused(b, NVE_METHOD_CLEAR, INVALID_TSI_ID, "tsi_id");
	b->tsi_id[15] = 1;
	FOR_EACH_WITH_KEY(m) assert_accepted(b, m);
	assert_accepted(b, NVE_METHOD_CLEAR);
}

static void a_request_without_its_tsi_is_refused(void **state)
{
	struct bench *b = *state;

	b->associate.tsi = b->activate.tsi = b->deactivate.tsi = NULL;
	b->disassociate.tsi = b->update.tsi = NULL;
	FOR_EACH_WITH_KEY(m) assert_refused(b, m, INVALID_REQUEST, "tsi");
}

static void a_port_is_an_access_port_of_this_nve(void **state)
{
	struct bench *b = *state;
	char long_name[200];

	memset(long_name, 'p', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	for (int i = 0; i < 3; i++) {
		char *bad = i == 0 ? (char *)"p9" : i == 1 ? (char *)"" : long_name;

		b->key.port = b->vn_connect.port = b->vn_disconnect.port = b->clear.port = bad;
		FOR_EACH_WITH_KEY(m) assert_refused(b, m, UNKNOWN_PORT, "tsi.port");
		assert_refused(b, NVE_METHOD_VN_CONNECT, UNKNOWN_PORT, "port");
		assert_refused(b, NVE_METHOD_VN_DISCONNECT, UNKNOWN_PORT, "port");
		assert_refused(b, NVE_METHOD_CLEAR, UNKNOWN_PORT, "port");
	}
	b->key.port = (char *)"p3";
	b->update.new_port = (char *)"p9";
	assert_refused(b, NVE_METHOD_UPDATE, UNKNOWN_PORT, "new_port");
	b->update.new_port = (char *)"";
	assert_accepted(b, NVE_METHOD_UPDATE);
	assert_int_equal(b->out.requests[0].req.ev.new_port, NVE_PORT_NONE);
	assert_int_equal(b->out.requests[0].req.ev.key.port, 3);
}

static void a_vn_is_an_id_of_24_bits_or_a_name_S37(void **state)
{
	struct bench *b = *state;
	char name[66];

	b->vn.id = 0;
	FOR_EACH_WITH_KEY(m) assert_refused(b, m, INVALID_VN, "tsi.vn.id");
	assert_refused(b, NVE_METHOD_VN_CONNECT, INVALID_VN, "vn.id");
	assert_refused(b, NVE_METHOD_VN_DISCONNECT, INVALID_VN, "vn.id");
	b->vn.id = 1 << 24;
	FOR_EACH_WITH_KEY(m) assert_refused(b, m, INVALID_VN, "tsi.vn.id");
	b->vn.id = (1 << 24) - 1;
	FOR_EACH_WITH_KEY(m) assert_accepted(b, m);
	b->vn.vn_case = NVE__V1__VN_REF__VN_NAME;
	memset(name, 'v', sizeof(name));
	name[64] = '\0';
	b->vn.name = name;
	FOR_EACH_WITH_KEY(m) assert_refused(b, m, INVALID_VN, "tsi.vn.name");
	name[63] = '\0';
	FOR_EACH_WITH_KEY(m) assert_accepted(b, m);
	assert_string_equal(b->out.requests[0].req.vn_name, name);
	assert_int_equal(b->out.requests[0].req.ev.key.vn_id, 0);
	name[0] = '\0';
	FOR_EACH_WITH_KEY(m) assert_refused(b, m, INVALID_VN, "tsi.vn.name");
	b->key.vn = NULL;
	FOR_EACH_WITH_KEY(m) assert_refused(b, m, INVALID_VN, "tsi.vn");
	b->vn_connect.vn = NULL;
	assert_refused(b, NVE_METHOD_VN_CONNECT, INVALID_VN, "vn");
	assert_accepted(b, NVE_METHOD_CLEAR); /* absent: in every VN */
	assert_int_equal(b->out.requests[0].req.ev.key.vn_id, 0);
}

static void text_is_utf8_without_control_characters(void **state)
{
	static const char *const bad[] = {
		"a\nb",     "\x7f",         "a\x1b[2J",         "\xc2\x85",
		"\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff",
		"\xe2\x82"
	};
	static const char *const good[] = { "tenant-a", "Mandant \xc3\xbc", "\xe2\x82\xac",
					    "\xf0\x9f\x98\x80" };
	struct bench *b = *state;

	b->vn.vn_case = NVE__V1__VN_REF__VN_NAME;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		b->vn.name = (char *)bad[i];
		assert_refused(b, NVE_METHOD_VN_CONNECT, INVALID_VN, "vn.name");
		assert_refused(b, NVE_METHOD_ASSOCIATE, INVALID_VN, "tsi.vn.name");
		b->hello.client = (char *)bad[i];
		assert_refused(b, NVE_METHOD_HELLO, INVALID_REQUEST, "client");
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		b->vn.name = (char *)good[i];
		assert_accepted(b, NVE_METHOD_VN_CONNECT);
	}
}

static void a_nul_inside_a_name_does_not_hide_the_rest(void **state)
{
	/* port "p1\0x", which protobuf-c alone would hand over as "p1" */
	static const uint8_t bytes[] = { 0x0a, 4, 'p', '1', 0, 'x', 0x12, 2, 0x08, 9 };
	struct bench *b = *state;

	assert_int_equal(bench_decode_bytes(b, NVE_METHOD_VN_CONNECT, bytes, sizeof(bytes)),
			 -EBADMSG);
	assert_int_equal(b->why.reason, NVE_REASON_INVALID_REQUEST);
	assert_string_equal(b->why.field, "port");
}

static void a_message_field_that_stands_twice_is_refused(void **state)
{
	static const uint8_t bytes[] = { 0x0a, 2, 'p', '1', 0x12, 2, 0x08, 9, 0x12, 2, 0x08, 9 };
	struct bench *b = *state;

	assert_int_equal(bench_decode_bytes(b, NVE_METHOD_VN_CONNECT, bytes, 8), 0);
	assert_int_equal(bench_decode_bytes(b, NVE_METHOD_VN_CONNECT, bytes, sizeof(bytes)),
			 -EBADMSG);
	assert_string_equal(b->why.field, "vn");
}

static void fields_of_a_later_version_are_ignored_S96(void **state)
{
	static const uint8_t bytes[] = { 0x0a, 2,    'p', '1', 0x12, 2,   0x08,
					 9,    0xa2, 6,   3,   'x',  'y', 'z' };
	struct bench *b = *state;

	assert_int_equal(bench_decode_bytes(b, NVE_METHOD_VN_CONNECT, bytes, sizeof(bytes)), 0);
	assert_int_equal(b->out.requests[0].req.ev.key.vn_id, 9);
}

static void a_proposed_tag_is_at_most_4094_D14(void **state)
{
	struct bench *b = *state;

	b->vn_connect.tag = b->associate.tag = b->activate.tag = 4095;
	assert_refused(b, NVE_METHOD_VN_CONNECT, INVALID_TAG, "tag");
	assert_refused(b, NVE_METHOD_ASSOCIATE, INVALID_TAG, "tag");
	assert_refused(b, NVE_METHOD_ACTIVATE, INVALID_TAG, "tag");
	b->associate.tag = 65536 + 5;
	assert_refused(b, NVE_METHOD_ASSOCIATE, INVALID_TAG, "tag");
	b->vn_connect.tag = b->associate.tag = b->activate.tag = 4094;
	assert_accepted(b, NVE_METHOD_VN_CONNECT);
	assert_accepted(b, NVE_METHOD_ASSOCIATE);
	assert_accepted(b, NVE_METHOD_ACTIVATE);
	assert_int_equal(b->out.requests[0].req.ev.tag, 4094);
}

/* One address, and whether it may be a source. */
static const struct {
	uint8_t mac_len, ip_len;
	uint8_t mac[8], ip[17];
	bool good;
} addresses[] = {
	{ 6, 0, { 2, 1, 1, 1, 1, 1 }, { 0 }, true },
	{ 0, 4, { 0 }, { 10, 0, 0, 1 }, true },
	{ 0, 16, { 0 }, { 0x20, 1, 0xd, 0xb8 }, true },
	{ 0, 16, { 0 }, { 0xfe, 0x80, 1 }, true },
	{ 6, 16, { 2, 1, 1, 1, 1, 1 }, { 0x20, 1, 0xd, 0xb8 }, true },
	{ 0, 0, { 0 }, { 0 }, false },
	{ 5, 0, { 2, 1, 1, 1, 1 }, { 0 }, false },
	{ 7, 0, { 2, 1, 1, 1, 1, 1, 1 }, { 0 }, false },
	{ 6, 0, { 3, 1, 1, 1, 1, 1 }, { 0 }, false },
	{ 6, 0, { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, { 0 }, false },
	{ 6, 0, { 0 }, { 0 }, false },
	{ 0, 3, { 0 }, { 10, 0, 0 }, false },
	{ 0, 5, { 0 }, { 10, 0, 0, 1, 1 }, false },
	{ 0, 15, { 0 }, { 0x20, 1 }, false },
	{ 0, 17, { 0 }, { 0x20, 1 }, false },
	{ 0, 4, { 0 }, { 0 }, false },
	{ 0, 4, { 0 }, { 224, 0, 0, 1 }, false },
	{ 0, 4, { 0 }, { 239, 255, 255, 255 }, false },
	{ 0, 4, { 0 }, { 255, 255, 255, 255 }, false },
	{ 0, 16, { 0 }, { 0 }, false },
	{ 0, 16, { 0 }, { 0xff, 2, 1 }, false },
	{ 6, 4, { 2, 1, 1, 1, 1, 1 }, { 224, 0, 0, 1 }, false },
	{ 6, 4, { 1, 1, 1, 1, 1, 1 }, { 10, 0, 0, 1 }, false },
};

static void an_address_is_a_unicast_mac_or_ip_or_both_S93(void **state)
{
	struct bench *b = *state;

	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		b->addrs[0].mac =
			(ProtobufCBinaryData){ addresses[i].mac_len, (uint8_t *)addresses[i].mac };
		b->addrs[0].ip =
			(ProtobufCBinaryData){ addresses[i].ip_len, (uint8_t *)addresses[i].ip };
		if (addresses[i].good) {
			assert_accepted(b, NVE_METHOD_ASSOCIATE);
			continue;
		}
		assert_refused(b, NVE_METHOD_ASSOCIATE, INVALID_ADDRESS, "addresses[0]");
		assert_refused(b, NVE_METHOD_UPDATE, INVALID_ADDRESS, "add[0]");
		b->activate.n_addresses = 0;
		assert_refused(b, NVE_METHOD_ACTIVATE, INVALID_ADDRESS, "only[0]");
		b->deactivate.n_only = 1;
		b->deactivate.only = b->addr_list;
		assert_refused(b, NVE_METHOD_DEACTIVATE, INVALID_ADDRESS, "only[0]");
	}
}

static void an_address_stands_once_in_a_list(void **state)
{
	struct bench *b = *state;

	b->associate.n_addresses = NVE_TSI_ADDRS_MAX;
	assert_accepted(b, NVE_METHOD_ASSOCIATE);
	b->addr_list[255] = b->addr_list[17];
	assert_refused(b, NVE_METHOD_ASSOCIATE, INVALID_ADDRESS, "addresses[255]");
	/* The same MAC with another IP is another address. */
	b->addr_list[255] = &b->addrs[255];
	b->addrs[255].mac = b->addrs[17].mac;
	assert_accepted(b, NVE_METHOD_ASSOCIATE);
}

static void a_tsi_takes_256_addresses_and_no_more_S7(void **state)
{
	struct bench *b = *state;

	b->associate.n_addresses = b->activate.n_addresses = 257;
	assert_refused(b, NVE_METHOD_ASSOCIATE, TOO_MANY_ADDRESSES, "addresses");
	assert_refused(b, NVE_METHOD_ACTIVATE, TOO_MANY_ADDRESSES, "addresses");
	b->activate.n_addresses = 256;
	b->activate.n_only = 257;
	assert_refused(b, NVE_METHOD_ACTIVATE, TOO_MANY_ADDRESSES, "only");
	b->activate.n_only = 256;
	assert_accepted(b, NVE_METHOD_ACTIVATE);
	assert_int_equal(b->out.requests[0].req.ev.n_addrs, 256);
	assert_int_equal(b->out.requests[0].req.ev.n_only, 256);
	b->update.n_add = 257;
	assert_refused(b, NVE_METHOD_UPDATE, TOO_MANY_ADDRESSES, "add");
	b->update.n_add = 0;
	b->update.n_remove = 257;
	assert_refused(b, NVE_METHOD_UPDATE, TOO_MANY_ADDRESSES, "remove");
}

static void absent_empty_and_given_are_told_apart(void **state)
{
	struct bench *b = *state;
	struct nve_event *ev;

	b->associate.n_addresses = 0;
	assert_accepted(b, NVE_METHOD_ASSOCIATE);
	assert_int_equal(b->out.requests[0].req.ev.flags, 0);
	b->associate.timers = &b->timers;
	assert_accepted(b, NVE_METHOD_ASSOCIATE);
	assert_int_equal(b->out.requests[0].req.ev.flags, 0);
	b->timers.keepalive_case = NVE__V1__TIMERS__KEEPALIVE_KEEPALIVE_MS;
	assert_accepted(b, NVE_METHOD_ASSOCIATE);
	assert_int_equal(b->out.requests[0].req.ev.flags, NVE_EV_HAS_KEEPALIVE);
	b->timers.keepactive_case = NVE__V1__TIMERS__KEEPACTIVE_KEEPACTIVE_MS;
	b->timers.keepactive_ms = 5000;
	b->associate.n_addresses = 1;
	assert_accepted(b, NVE_METHOD_ASSOCIATE);
	ev = &b->out.requests[0].req.ev;
	assert_int_equal(ev->flags,
			 NVE_EV_HAS_ADDRS | NVE_EV_HAS_KEEPALIVE | NVE_EV_HAS_KEEPACTIVE);
	assert_int_equal(ev->keepalive_ms, 0);
	assert_int_equal(ev->keepactive_ms, 5000);
	assert_accepted(b, NVE_METHOD_VN_DISCONNECT);
	assert_int_equal(b->out.requests[0].req.ev.flags, 0);
	b->vn_disconnect.only_if_unused = 1;
	assert_accepted(b, NVE_METHOD_VN_DISCONNECT);
	assert_int_equal(b->out.requests[0].req.ev.flags, NVE_EV_ONLY_IF_UNUSED);
}

static void an_unknown_cause_is_taken_as_unspecified_D16(void **state)
{
	struct bench *b = *state;

	b->associate.cause = NVE__V1__CAUSE__CAUSE_MIGRATE_IN;
	assert_accepted(b, NVE_METHOD_ASSOCIATE);
	assert_int_equal(b->out.requests[0].req.ev.cause, NVE_CAUSE_MIGRATE_IN);
	b->associate.cause = (Nve__V1__Cause)4;
	assert_accepted(b, NVE_METHOD_ASSOCIATE);
	assert_int_equal(b->out.requests[0].req.ev.cause, NVE_CAUSE_UNSPECIFIED);
	b->associate.cause = (Nve__V1__Cause)-1;
	assert_accepted(b, NVE_METHOD_ASSOCIATE);
	assert_int_equal(b->out.requests[0].req.ev.cause, NVE_CAUSE_UNSPECIFIED);
}

static void unknown_parameters_are_refused_if_critical_else_named_S96(void **state)
{
	static uint8_t value[1025];
	struct bench *b = *state;
	char name[65];

	b->associate.parameters = b->parameter_list;
	b->associate.n_parameters = 32;
	assert_accepted(b, NVE_METHOD_ASSOCIATE);
	assert_int_equal(b->out.n_ignored, 32);
	assert_string_equal(b->out.ignored[31], "org.example.qos");
	b->associate.n_parameters = 33;
	assert_refused(b, NVE_METHOD_ASSOCIATE, TOO_LARGE, "parameters");
	b->associate.n_parameters = 2;
	b->parameters[1].critical = 1;
	b->parameters[1].name = (char *)"org.example.burst";
	assert_refused(b, NVE_METHOD_ASSOCIATE, UNKNOWN_PARAMETER, "parameters[1]");
	assert_string_equal(b->why.parameter, "org.example.burst");
	b->parameters[0].value = (ProtobufCBinaryData){ 1024, value };
	b->associate.n_parameters = 1;
	assert_accepted(b, NVE_METHOD_ASSOCIATE);
	b->parameters[0].value.len = 1025;
	assert_refused(b, NVE_METHOD_ASSOCIATE, INVALID_PARAMETER, "parameters[0]");
	b->parameters[0].value.len = 0;
	b->parameters[0].name = (char *)"";
	assert_refused(b, NVE_METHOD_ASSOCIATE, INVALID_PARAMETER, "parameters[0]");
	memset(name, 'n', sizeof(name));
	name[64] = '\0';
	b->parameters[0].name = name;
	assert_refused(b, NVE_METHOD_ASSOCIATE, INVALID_PARAMETER, "parameters[0]");
	name[63] = '\0';
	assert_accepted(b, NVE_METHOD_ASSOCIATE);
}

static void a_batch_has_1_to_512_tsis_and_each_its_own_result_S72(void **state)
{
	struct bench *b = *state;
	Nve__V1__TsiKey bad_id = b->key, bad_port = b->key;

	b->keepalive.n_tsis = 0;
	assert_refused(b, NVE_METHOD_KEEPALIVE, INVALID_REQUEST, "tsis");
	b->keepalive.n_tsis = 513;
	assert_refused(b, NVE_METHOD_KEEPALIVE, TOO_LARGE, "tsis");
	b->keepalive.n_tsis = 512;
	assert_accepted(b, NVE_METHOD_KEEPALIVE);
	assert_int_equal(b->out.n_requests, 512);
	bad_id.tsi_id.len = 3;
	bad_port.port = (char *)"nowhere";
	b->tsi_list[1] = &bad_id;
	b->tsi_list[3] = &bad_port;
	b->keepactive.n_tsis = 5;
	assert_accepted(b, NVE_METHOD_KEEPACTIVE);
	assert_int_equal(b->out.n_requests, 3);
	assert_int_equal(b->out.requests[1].index, 2);
	assert_int_equal(b->out.n_failures, 2);
	assert_int_equal(b->out.failures[0].index, 1);
	assert_int_equal(b->out.failures[0].reason, NVE_REASON_INVALID_TSI_ID);
	assert_int_equal(b->out.failures[1].index, 3);
	assert_int_equal(b->out.failures[1].reason, NVE_REASON_UNKNOWN_PORT);
}

static void hello_has_a_short_name_and_known_ports(void **state)
{
	struct bench *b = *state;
	char name[65], *ports[257];

	memset(name, 'h', sizeof(name));
	name[64] = '\0';
	b->hello.client = name;
	assert_refused(b, NVE_METHOD_HELLO, INVALID_REQUEST, "hello.client");
	name[63] = '\0';
	assert_accepted(b, NVE_METHOD_HELLO);
	for (int i = 0; i < 257; i++)
		ports[i] = (char *)"p2";
	b->hello.ports = ports;
	b->hello.n_ports = 257;
	assert_refused(b, NVE_METHOD_HELLO, TOO_LARGE, "hello.ports");
	b->hello.n_ports = 256;
	assert_accepted(b, NVE_METHOD_HELLO);
	assert_int_equal(b->out.n_ports, 256);
	assert_int_equal(b->out.ports[255], 2);
	ports[3] = (char *)"p7";
	assert_refused(b, NVE_METHOD_HELLO, UNKNOWN_PORT, "hello.ports");
}

static void each_request_comes_through_the_session_with_its_id(void **state)
{
	struct bench *b = *state;

	for (enum nve_method m = 0; m < NVE_METHOD_NONE; m++) {
		bench_session(b, m);
		assert_int_equal(bench_decode_session(b), 0);
		bench_check_promises(&b->out);
		assert_int_equal(b->out.method, m);
		assert_int_equal(b->out.request_id, 4711);
	}
	b->session.request_case = NVE__V1__SESSION_REQUEST__REQUEST__NOT_SET;
	assert_int_equal(bench_decode_session(b), -EBADMSG);
	assert_int_equal(b->why.reason, NVE_REASON_INVALID_REQUEST);
	assert_int_equal(b->out.request_id, 4711);
}

static void a_broken_session_message_keeps_its_id_if_that_could_be_read(void **state)
{
	static const uint8_t bytes[] = { 0x08, 77, 0x1a, 200, 1, 0 };
	struct bench *b = *state;

	assert_int_equal(bench_decode_bytes(b, NVE_METHOD_NONE, bytes, sizeof(bytes)), -EBADMSG);
	assert_int_equal(b->out.request_id, 77);
	assert_int_equal(bench_decode_bytes(b, NVE_METHOD_NONE, bytes + 2, 4), -EBADMSG);
	assert_int_equal(b->out.request_id, 0);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, bench_setup, bench_teardown)
	const struct CMUnitTest tests[] = {
		T(every_valid_message_is_accepted),
		T(the_proto_has_the_reasons_of_the_one_list),
		T(a_tsi_id_is_16_bytes_and_not_all_zero_S52),
		T(a_request_without_its_tsi_is_refused),
		T(a_port_is_an_access_port_of_this_nve),
		T(a_vn_is_an_id_of_24_bits_or_a_name_S37),
		T(text_is_utf8_without_control_characters),
		T(a_nul_inside_a_name_does_not_hide_the_rest),
		T(a_message_field_that_stands_twice_is_refused),
		T(fields_of_a_later_version_are_ignored_S96),
		T(a_proposed_tag_is_at_most_4094_D14),
		T(an_address_is_a_unicast_mac_or_ip_or_both_S93),
		T(an_address_stands_once_in_a_list),
		T(a_tsi_takes_256_addresses_and_no_more_S7),
		T(absent_empty_and_given_are_told_apart),
		T(an_unknown_cause_is_taken_as_unspecified_D16),
		T(unknown_parameters_are_refused_if_critical_else_named_S96),
		T(a_batch_has_1_to_512_tsis_and_each_its_own_result_S72),
		T(hello_has_a_short_name_and_known_ports),
		T(each_request_comes_through_the_session_with_its_id),
		T(a_broken_session_message_keeps_its_id_if_that_could_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
