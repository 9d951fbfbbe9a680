/* SPDX-License-Identifier: Apache-2.0 */
/* The codec and Resync (D9): what begins, what lists, what ends. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "lib/codec_bench.h"

static void a_resync_lists_up_to_512_and_may_list_none(void **state)
{
	struct bench *b = *state;
	Nve__V1__TsiKey bad = b->key;

	b->resync.n_tsis = 513;
	assert_int_equal(bench_decode(b, NVE_METHOD_RESYNC), -EBADMSG);
	assert_int_equal(b->why.reason, NVE_REASON_TOO_LARGE);
	assert_string_equal(b->why.field, "tsis");
	b->resync.n_tsis = 0; /* begins, or ends */
	assert_int_equal(bench_decode(b, NVE_METHOD_RESYNC), 0);
	assert_true(b->out.done);
	assert_int_equal(b->out.n_requests + b->out.n_failures, 0);
	bad.tsi_id.len = 3;
	b->tsi_list[1] = &bad;
	b->resync.n_tsis = 3;
	b->resync.done = false;
	assert_int_equal(bench_decode(b, NVE_METHOD_RESYNC), 0);
	assert_false(b->out.done);
	assert_int_equal(b->out.n_requests, 2);
	assert_int_equal(b->out.n_failures, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_resync_lists_up_to_512_and_may_list_none,
						bench_setup, bench_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
