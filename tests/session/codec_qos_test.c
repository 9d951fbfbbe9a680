/* SPDX-License-Identifier: Apache-2.0 */
/* The parameter "qos" in requests and replies (S96): ranges, later versions, places. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/codec_bench.h"

struct value {
	Nve__V1__Qos qos;
	Nve__V1__Rate from, to;
	uint8_t bytes[128];
};

static void init(struct value *v)
{
	nve__v1__qos__init(&v->qos);
	nve__v1__rate__init(&v->from);
	nve__v1__rate__init(&v->to);
}

/* As the first of the parameters of Associate, Activate, Update and Clear. */
static void give(struct bench *b, struct value *v, bool critical)
{
	size_t len = nve__v1__qos__pack(&v->qos, v->bytes);

	b->parameters[0].name = (char *)"qos";
	b->parameters[0].value = (ProtobufCBinaryData){ len, v->bytes };
	b->parameters[0].critical = critical;
	b->associate.parameters = b->activate.parameters = b->parameter_list;
	b->update.parameters = b->clear.parameters = b->parameter_list;
	b->associate.n_parameters = b->activate.n_parameters = 1;
	b->update.n_parameters = b->clear.n_parameters = 1;
}

static void refused(struct bench *b, enum nve_reason reason, const char *field)
{
	assert_int_equal(bench_decode(b, NVE_METHOD_ASSOCIATE), -EBADMSG);
	assert_int_equal(b->why.reason, reason);
	assert_string_equal(b->why.field, field);
	assert_string_equal(b->why.parameter, "qos");
}

static void what_is_said_arrives(void **state)
{
	static const enum nve_method methods[] = { NVE_METHOD_ASSOCIATE, NVE_METHOD_ACTIVATE,
						   NVE_METHOD_UPDATE };
	struct bench *b = *state;
	struct value v;

	init(&v);
	v.qos.from_tsi = &v.from;
	v.from.bits_per_second = 64000;
	v.from.burst_bytes = 7;
	v.qos.dscp_case = NVE__V1__QOS__DSCP_CODEPOINT;
	give(b, &v, true);
	for (size_t i = 0; i < 3; i++) {
		const struct nve_event *ev;

		assert_int_equal(bench_decode(b, methods[i]), 0);
		ev = &b->out.requests[0].req.ev;
		assert_true(ev->flags & NVE_EV_HAS_QOS);
		assert_int_equal(ev->qos.from_tsi, 64000);
		assert_int_equal(ev->qos.from_tsi_burst, 7);
		assert_int_equal(ev->qos.to_tsi, 0);
		assert_int_equal(ev->qos.flags, NVE_QOS_DSCP);
		assert_int_equal(b->out.n_ignored, 0);
	}
	b->associate.n_parameters = 0;
	assert_int_equal(bench_decode(b, NVE_METHOD_ASSOCIATE), 0);
	assert_false(b->out.requests[0].req.ev.flags & NVE_EV_HAS_QOS);
}

static void an_empty_value_says_that_there_is_none(void **state)
{
	const struct nve_qos none = { 0 };
	struct bench *b = *state;
	struct value v;

	init(&v);
	give(b, &v, true);
	assert_int_equal(b->parameters[0].value.len, 0);
	assert_int_equal(bench_decode(b, NVE_METHOD_ASSOCIATE), 0);
	assert_true(b->out.requests[0].req.ev.flags & NVE_EV_HAS_QOS);
	assert_memory_equal(&b->out.requests[0].req.ev.qos, &none, sizeof(none));
}

static void what_is_out_of_range_is_refused_by_its_field(void **state)
{
	static const uint64_t bad[] = { 0, 63999, 100000000001, UINT64_MAX };
	struct bench *b = *state;
	struct value v;

	for (size_t i = 0; i < 4; i++) {
		init(&v);
		v.qos.from_tsi = &v.from;
		v.from.bits_per_second = bad[i];
		give(b, &v, false);
		refused(b, NVE_REASON_INVALID_PARAMETER, "parameters[0].from_tsi.bits_per_second");
		v.qos.to_tsi = &v.from;
		v.qos.from_tsi = NULL;
		give(b, &v, false);
		refused(b, NVE_REASON_INVALID_PARAMETER, "parameters[0].to_tsi.bits_per_second");
	}
	init(&v);
	v.qos.pcp_case = NVE__V1__QOS__PCP_PRIORITY;
	v.qos.priority = 8;
	give(b, &v, false);
	refused(b, NVE_REASON_INVALID_PARAMETER, "parameters[0].priority");
	v.qos.priority = 7;
	v.qos.dscp_case = NVE__V1__QOS__DSCP_CODEPOINT;
	v.qos.codepoint = 64;
	give(b, &v, false);
	refused(b, NVE_REASON_INVALID_PARAMETER, "parameters[0].codepoint");
	v.qos.codepoint = 63;
	give(b, &v, false);
	assert_int_equal(bench_decode(b, NVE_METHOD_ASSOCIATE), 0);
}

static void what_is_no_qos_at_all_is_refused(void **state)
{
	static uint8_t junk[] = { 0x0a, 200, 1, 2 }, twice[] = { 0x0a, 0, 0x0a, 0 };
	struct bench *b = *state;
	struct value v;

	init(&v);
	give(b, &v, false);
	b->parameters[0].value = (ProtobufCBinaryData){ sizeof(junk), junk };
	refused(b, NVE_REASON_INVALID_PARAMETER, "parameters[0].value");
	b->parameters[0].value = (ProtobufCBinaryData){ sizeof(twice), twice };
	refused(b, NVE_REASON_INVALID_PARAMETER, "parameters[0].value");
}

/* Field 9 of a Qos, which this version does not know. */
static void fields_of_a_later_version_are_ignored_unless_critical_S96(void **state)
{
	static uint8_t later[] = { 0x18, 5, 0x48, 1 },
		       deep[] = { 0x0a, 6, 8, 0x80, 0xf4, 3, 0x48, 1 };
	struct bench *b = *state;
	struct value v;

	init(&v);
	give(b, &v, false);
	b->parameters[0].value = (ProtobufCBinaryData){ sizeof(later), later };
	assert_int_equal(bench_decode(b, NVE_METHOD_ASSOCIATE), 0);
	assert_int_equal(b->out.requests[0].req.ev.qos.pcp, 5);
	b->parameters[0].critical = true;
	refused(b, NVE_REASON_UNKNOWN_PARAMETER, "parameters[0].value");
	b->parameters[0].value = (ProtobufCBinaryData){ sizeof(deep), deep };
	refused(b, NVE_REASON_UNKNOWN_PARAMETER, "parameters[0].value");
	b->parameters[0].critical = false;
	assert_int_equal(bench_decode(b, NVE_METHOD_ASSOCIATE), 0);
	assert_int_equal(b->out.requests[0].req.ev.qos.from_tsi, 64000);
}

static void it_stands_once_and_where_it_is_known(void **state)
{
	struct bench *b = *state;
	struct value v;

	init(&v);
	give(b, &v, true);
	assert_int_equal(bench_decode(b, NVE_METHOD_CLEAR), -EBADMSG);
	assert_int_equal(b->why.reason, NVE_REASON_UNKNOWN_PARAMETER);
	give(b, &v, false);
	assert_int_equal(bench_decode(b, NVE_METHOD_CLEAR), 0);
	assert_int_equal(b->out.n_ignored, 1);
	b->parameters[1] = b->parameters[0];
	b->associate.n_parameters = 2;
	refused(b, NVE_REASON_INVALID_PARAMETER, "parameters[1]");
}

static void the_reply_says_what_was_granted(void **state)
{
	struct bench *b = *state;
	struct nve_bytes bytes;
	struct nve_answer *answer;
	Nve__V1__TsiReply *reply;

	assert_int_equal(bench_decode(b, NVE_METHOD_ASSOCIATE), 0);
	answer = &b->out.requests[0].req.answer;
	answer->state = NVE_TSI_ASSOCIATED;
	answer->qos = (struct nve_qos){ .to_tsi = 100000000000,
					.to_tsi_burst = UINT32_MAX,
					.flags = NVE_QOS_PCP };
	assert_int_equal(nve_codec_reply(&b->out, NULL, &b->arena, &bytes, &b->why), 0);
	reply = nve__v1__tsi_reply__unpack(NULL, bytes.len, bytes.data);
	assert_non_null(reply->qos);
	assert_null(reply->qos->from_tsi);
	assert_int_equal(reply->qos->to_tsi->bits_per_second, 100000000000);
	assert_int_equal(reply->qos->to_tsi->burst_bytes, UINT32_MAX);
	assert_int_equal(reply->qos->pcp_case, NVE__V1__QOS__PCP_PRIORITY);
	assert_int_equal(reply->qos->dscp_case, NVE__V1__QOS__DSCP__NOT_SET);
	nve__v1__tsi_reply__free_unpacked(reply, NULL);
}

#define T(f) cmocka_unit_test_setup_teardown(f, bench_setup, bench_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_is_said_arrives),
		T(an_empty_value_says_that_there_is_none),
		T(what_is_out_of_range_is_refused_by_its_field),
		T(what_is_no_qos_at_all_is_refused),
		T(fields_of_a_later_version_are_ignored_unless_critical_S96),
		T(it_stands_once_and_where_it_is_known),
		T(the_reply_says_what_was_granted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
