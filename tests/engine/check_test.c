/* SPDX-License-Identifier: Apache-2.0 */
/* The engine checks its datapath in the background, and counts what it mends (D11, D18). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/engine_world.h"

enum { INTERVAL_S = 60, ROWS_PER_S = 256000 }; /* a slice each millisecond */

static struct world world;

static void open_with(uint32_t interval_s, bool only_tell)
{
	ew_init(&world);
	world.config.check = (struct nve_engine_check_config){ interval_s, ROWS_PER_S, only_tell };
	ew_open(&world);
	assert_int_equal(ew_ask(&world, NVE_EV_ACTIVATE, 1, P1, 100, 1), NVE_REASON_OK);
}

static int tear_down(void **state)
{
	(void)state;
	ew_done(&world);
	return 0;
}

/* The world's timers are of no concern here: the TSI is kept alive. */
static void pass_time(uint32_t seconds)
{
	for (uint32_t i = 0; i < seconds; i += 10) {
		assert_int_equal(ew_ask(&world, NVE_EV_KEEPACTIVE, 1, P1, 100, 0), NVE_REASON_OK);
		ew_run_until(&world, world.now_ns + 10 * SEC);
	}
}

static const struct nve_check_count *count_of(const char *table)
{
	const struct nve_engine_checks *c = nve_engine_checks(world.engine);

	for (int i = 0; c->tables[i].table; i++)
		if (!strcmp(c->tables[i].table, table))
			return &c->tables[i];
	return NULL;
}

static void a_pass_begins_once_an_interval_and_looks_at_all(void **state)
{
	(void)state;
	open_with(INTERVAL_S, false);
	pass_time(INTERVAL_S - 10);
	assert_int_equal(nve_engine_checks(world.engine)->passes, 0);
	pass_time(20);
	assert_int_equal(nve_engine_checks(world.engine)->passes, 1);
	assert_true(nve_engine_checks(world.engine)->rows >= 3);
	pass_time(3 * INTERVAL_S);
	assert_int_equal(nve_engine_checks(world.engine)->passes, 4);
	assert_null(nve_engine_checks(world.engine)->tables[0].table);
}

static void what_differs_is_mended_and_counted_by_table(void **state)
{
	(void)state;
	open_with(INTERVAL_S, false);
	assert_true(ew_frame(&world, P1, 100, 1, 0x99).pass);
	assert_true(nve_fake_corrupt(ew_dp(&world), "tsi", NVE_DP_DIFFERS));
	assert_false(ew_frame(&world, P1, 100, 1, 0x99).pass);
	pass_time(INTERVAL_S + 10);
	assert_true(ew_frame(&world, P1, 100, 1, 0x99).pass);
	assert_non_null(count_of("tsi"));
	assert_int_equal(count_of("tsi")->found, 1);
	assert_int_equal(count_of("tsi")->mended, 1);
	assert_int_equal(nve_engine_checks(world.engine)->last_found, 1);
	assert_true(nve_fake_corrupt(ew_dp(&world), "fdb", NVE_DP_FOREIGN));
	pass_time(2 * INTERVAL_S);
	assert_int_equal(count_of("tsi")->found, 1);
	assert_int_equal(count_of("fdb")->mended, 1);
	assert_int_equal(nve_engine_checks(world.engine)->last_found, 0);
}

static void told_only_to_tell_it_mends_nothing(void **state)
{
	(void)state;
	open_with(INTERVAL_S, true);
	assert_true(nve_fake_corrupt(ew_dp(&world), "tsi", NVE_DP_DIFFERS));
	pass_time(2 * INTERVAL_S + 10);
	assert_false(ew_frame(&world, P1, 100, 1, 0x99).pass);
	assert_int_equal(count_of("tsi")->found, 2);
	assert_int_equal(count_of("tsi")->mended, 0);
}

static void without_an_interval_none_runs_but_on_request(void **state)
{
	struct nve_dp_check pass = { .repair = true };

	(void)state;
	open_with(0, false);
	assert_true(nve_fake_corrupt(ew_dp(&world), "tsi", NVE_DP_DIFFERS));
	pass_time(10 * INTERVAL_S);
	assert_int_equal(nve_engine_checks(world.engine)->passes, 0);
	while (nve_engine_check(world.engine, &pass, 100, NULL, NULL) == 1)
		;
	assert_int_equal(pass.mended, 1);
	assert_int_equal(count_of("tsi")->mended, 1);
	assert_true(ew_frame(&world, P1, 100, 1, 0x99).pass);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_pass_begins_once_an_interval_and_looks_at_all,
					  tear_down),
		cmocka_unit_test_teardown(what_differs_is_mended_and_counted_by_table, tear_down),
		cmocka_unit_test_teardown(told_only_to_tell_it_mends_nothing, tear_down),
		cmocka_unit_test_teardown(without_an_interval_none_runs_but_on_request, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
