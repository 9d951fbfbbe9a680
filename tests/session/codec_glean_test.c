/* SPDX-License-Identifier: Apache-2.0 */
/* The codec and the parameter "glean" (S46, S96). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "lib/codec_bench.h"

#define VALUE(bytes) ((ProtobufCBinaryData){ sizeof(bytes), bytes })

static const struct nve_event *accepted(struct bench *b, enum nve_method method)
{
	assert_int_equal(bench_decode(b, method), 0);
	bench_check_promises(&b->out);
	return &b->out.requests[0].req.ev;
}

static void give(struct bench *b, ProtobufCBinaryData value, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		b->parameters[i].name = (char *)"glean";
		b->parameters[i].critical = 1;
		b->parameters[i].value = value;
	}
	b->associate.parameters = b->activate.parameters = b->update.parameters =
		b->vn_connect.parameters = b->parameter_list;
	b->associate.n_parameters = b->activate.n_parameters = b->update.n_parameters =
		b->vn_connect.n_parameters = n;
}

static void glean_is_read_where_it_belongs_and_named_nowhere(void **state)
{
	static const enum nve_method methods[] = { NVE_METHOD_ASSOCIATE, NVE_METHOD_ACTIVATE,
						   NVE_METHOD_UPDATE };
	static uint8_t four[] = { 8, 4, 16, 0xd0, 0x0f, 24, 1 }; /* and a field of the future */
	struct bench *b = *state;

	give(b, VALUE(four), 1);
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		const struct nve_event *ev = accepted(b, methods[i]);

		assert_true(ev->flags & NVE_EV_HAS_GLEAN);
		assert_int_equal(ev->glean_max, 4);
		assert_int_equal(ev->glean_age_ms, 2000);
		assert_int_equal(b->out.n_ignored, 0);
	}
	assert_int_equal(bench_decode(b, NVE_METHOD_VN_CONNECT), -EBADMSG);
	assert_int_equal(b->why.reason, NVE_REASON_UNKNOWN_PARAMETER);
}

static void off_and_the_default_age_are_values_of_their_own(void **state)
{
	static uint8_t off[] = { 8, 0 }, most[] = { 8, 64 };
	struct bench *b = *state;
	const struct nve_event *ev;

	assert_false(accepted(b, NVE_METHOD_ASSOCIATE)->flags & NVE_EV_HAS_GLEAN);
	give(b, VALUE(off), 1);
	ev = accepted(b, NVE_METHOD_ASSOCIATE);
	assert_true(ev->flags & NVE_EV_HAS_GLEAN);
	assert_int_equal(ev->glean_max, 0);
	give(b, VALUE(most), 1);
	ev = accepted(b, NVE_METHOD_ASSOCIATE);
	assert_int_equal(ev->glean_max, 64);
	assert_int_equal(ev->glean_age_ms, 300000);
}

static void a_value_that_does_not_fit_is_refused_and_so_is_a_second_one(void **state)
{
	static uint8_t many[] = { 8, 65 }, young[] = { 8, 4, 16, 1 }, cut[] = { 8 };
	static uint8_t old[] = { 16, 0xff, 0xff, 0xff, 0xff, 0x0f }, four[] = { 8, 4 };
	const ProtobufCBinaryData bad[] = { VALUE(many), VALUE(young), VALUE(cut), VALUE(old) };
	struct bench *b = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		give(b, bad[i], 1);
		assert_int_equal(bench_decode(b, NVE_METHOD_ASSOCIATE), -EBADMSG);
		assert_int_equal(b->why.reason, NVE_REASON_INVALID_PARAMETER);
		assert_string_equal(b->why.field, "parameters[0]");
		assert_string_equal(b->why.parameter, "glean");
	}
	give(b, VALUE(four), 2);
	assert_int_equal(bench_decode(b, NVE_METHOD_ASSOCIATE), -EBADMSG);
	assert_string_equal(b->why.field, "parameters[1]");
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, bench_setup, bench_teardown)
	const struct CMUnitTest tests[] = {
		T(glean_is_read_where_it_belongs_and_named_nowhere),
		T(off_and_the_default_age_are_values_of_their_own),
		T(a_value_that_does_not_fit_is_refused_and_so_is_a_second_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
