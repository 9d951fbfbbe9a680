/* SPDX-License-Identifier: Apache-2.0 */
/* Meters are reserved by Associate, and a full table refuses it whole (S54, D12, S96). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/engine_world.h"

enum { METERS = 2 }; /* of the world */

static enum nve_reason ask(struct world *w, struct call *c, enum nve_event_kind kind, uint8_t tsi,
			   uint64_t rate)
{
	ew_call_init(c, kind, tsi, P1, 100);
	c->req.ev.flags |= NVE_EV_HAS_QOS;
	c->req.ev.qos.from_tsi = rate;
	return ew_call(w, c);
}

static void a_full_table_of_meters_refuses_and_leaves_no_trace(void **state)
{
	struct world *w = *state;
	struct call c;
	char *before;

	for (uint8_t tsi = 1; tsi <= METERS; tsi++)
		assert_int_equal(ask(w, &c, NVE_EV_ASSOCIATE, tsi, 1000000), NVE_REASON_OK);
	assert_int_equal(c.answer.qos.from_tsi, 1000000);
	assert_int_equal(c.answer.qos.from_tsi_burst, 65536);
	assert_int_equal(ask(w, &c, NVE_EV_ASSOCIATE, 4, 0), NVE_REASON_OK);
	before = ew_text(w);
	assert_int_equal(ask(w, &c, NVE_EV_ASSOCIATE, 3, 1000000), NVE_REASON_NO_RESOURCES);
	assert_int_equal(c.answer.resource, NVE_RES_METERS);
	assert_int_equal(c.answer.used, METERS);
	assert_int_equal(c.answer.max, METERS);
	assert_int_equal(ask(w, &c, NVE_EV_UPDATE, 4, 1000000), NVE_REASON_NO_RESOURCES);
	ew_is_as(w, before);
	for (uint8_t tsi = 1; tsi <= METERS; tsi++)
		assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, tsi, P1, 100, 0), NVE_REASON_OK);
}

static void a_meter_that_is_given_back_serves_the_next(void **state)
{
	struct world *w = *state;
	struct call c;

	for (uint8_t tsi = 1; tsi <= METERS; tsi++)
		assert_int_equal(ask(w, &c, NVE_EV_ACTIVATE, tsi, 1000000), NVE_REASON_OK);
	assert_int_equal(ew_used(w, "meter"), METERS);
	assert_int_equal(ask(w, &c, NVE_EV_UPDATE, 1, 0), NVE_REASON_OK);
	assert_int_equal(ask(w, &c, NVE_EV_ACTIVATE, 3, 2000000), NVE_REASON_OK);
	assert_int_equal(ew_ask(w, NVE_EV_CLEAR, 2, P1, 0, 0), NVE_REASON_OK);
	assert_int_equal(ask(w, &c, NVE_EV_UPDATE, 1, 3000000), NVE_REASON_OK);
	assert_int_equal(ew_used(w, "meter"), METERS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_full_table_of_meters_refuses_and_leaves_no_trace,
						ew_setup, ew_teardown),
		cmocka_unit_test_setup_teardown(a_meter_that_is_given_back_serves_the_next,
						ew_setup, ew_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
