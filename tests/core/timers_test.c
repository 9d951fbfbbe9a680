/* SPDX-License-Identifier: Apache-2.0 */
/* One timer per TSI with two meanings (D5, S71-S75), and the alarm for duplicates (D7, S22). */
#include "lib/core_world.h"

#include <stdlib.h>

#define S (1000 * MS)

static struct nve_tsi_key K, THERE;

static int open_with_keys(void **state)
{
	K = tsi_key(1, 0, 7);
	THERE = tsi_key(1, 1, 7);
	return world_open(state);
}

/* S74, S75: a dead hypervisor is cleaned in two steps. */
static void keepactive_then_keepalive_expire(void **state)
{
	struct world *w = *state;
	uint64_t start;

	assert_ok(activate(w, K));
	start = w->now_ns;
	assert_int_equal(nve_core_next_deadline(w->core), start + 30 * S);
	world_forget(w);
	assert_int_equal(world_expire_until(w, start + 30 * S), 1);
	assert_int_equal(world_state(w, K), NVE_TSI_ASSOCIATED);
	assert_refused(world_notice(w, NVE_NOTICE_TSI_STATE)->reason, KEEPACTIVE_EXPIRED);
	assert_true(world_notice(w, NVE_NOTICE_TSI_STATE)->by_nve);
	assert_int_equal(nve_core_next_deadline(w->core), start + 330 * S);
	world_forget(w);
	assert_int_equal(world_expire_until(w, start + 330 * S), 1);
	assert_int_equal(world_state(w, K), NVE_TSI_INIT);
	assert_refused(world_notice(w, NVE_NOTICE_TSI_STATE)->reason, KEEPALIVE_EXPIRED);
	assert_int_equal(nve_core_usage(w->core).vaps, 0);
}

/* S72: and the store does not hear of it. */
static void keepalive_and_keepactive_restart_the_timer_silently(void **state)
{
	struct world *w = *state;

	assert_ok(activate(w, K));
	world_forget(w);
	w->now_ns += 20 * S;
	assert_ok(STEP(w, .kind = NVE_EV_KEEPACTIVE, .key = K));
	assert_int_equal(nve_core_next_deadline(w->core), w->now_ns + 30 * S);
	w->now_ns += 20 * S;
	assert_ok(STEP(w, .kind = NVE_EV_KEEPALIVE, .key = K));
	assert_int_equal(nve_core_next_deadline(w->core), w->now_ns + 30 * S);
	assert_ok(deactivate(w, K));
	world_forget(w);
	w->now_ns += 200 * S;
	assert_ok(STEP(w, .kind = NVE_EV_KEEPALIVE, .key = K));
	assert_int_equal(nve_core_next_deadline(w->core), w->now_ns + 300 * S);
	assert_int_equal(nve_core_mark(w->core).actions, 0);
}

/* S73 */
static void a_frame_restarts_the_timer_but_never_takes_time_away(void **state)
{
	struct world *w = *state;
	uint64_t start;

	assert_ok(activate(w, K));
	start = w->now_ns;
	assert_ok(STEP(w, .kind = NVE_EV_DATA_SEEN, .key = K, .now_ns = start + 5 * S));
	assert_int_equal(nve_core_next_deadline(w->core), start + 35 * S);
	assert_ok(STEP(w, .kind = NVE_EV_DATA_SEEN, .key = K, .now_ns = start + 2 * S));
	assert_int_equal(nve_core_next_deadline(w->core), start + 35 * S);
}

static void what_is_not_due_does_not_expire(void **state)
{
	struct world *w = *state;
	struct nve_event ev = { .kind = NVE_EV_EXPIRE };

	assert_ok(activate(w, K));
	ev.now_ns = nve_core_next_deadline(w->core) - 1;
	ev.due = (struct nve_due){ NVE_DUE_TSI, w->answer.slot };
	assert_refused(world_step(w, &ev), ILLEGAL_TRANSITION);
	for (uint8_t kind = 0; kind < 9; kind++)
		for (uint32_t slot = 1; slot < UINT32_MAX / 2; slot *= 3) {
			ev.due = (struct nve_due){ kind, slot };
			assert_refused(world_step(w, &ev), ILLEGAL_TRANSITION);
		}
	assert_false(nve_core_due(w->core, ev.now_ns, &ev.due));
}

/* D5 */
static void proposed_timers_are_granted_within_bounds(void **state)
{
	struct world *w = *state;
	uint16_t both = NVE_EV_HAS_KEEPALIVE | NVE_EV_HAS_KEEPACTIVE;

	assert_refused(associate(w, K, .flags = both, .keepactive_ms = 5000), INVALID_TIMER);
	assert_ok(associate(w, K, .flags = both, .keepalive_ms = 1, .keepactive_ms = 2000000));
	assert_int_equal(w->answer.keepalive_ms, 1000);
	assert_int_equal(w->answer.keepactive_ms, 1000000);
	assert_int_equal(nve_core_next_deadline(w->core), w->now_ns + 1 * S);
	assert_ok(associate(w, K)); /* absent: stays */
	assert_true(w->answer.unchanged);
	assert_int_equal(w->answer.keepalive_ms, 1000);
	assert_ok(associate(w, K, .flags = NVE_EV_HAS_KEEPALIVE, .keepalive_ms = 7000));
	assert_false(w->answer.unchanged);
	assert_int_equal(nve_core_next_deadline(w->core), w->now_ns + 7 * S);
}

static void a_timer_that_is_off_never_runs_out(void **state)
{
	struct world *w = *state;

	assert_ok(activate(w, K, .flags = NVE_EV_HAS_KEEPACTIVE));
	assert_int_equal(w->answer.keepactive_ms, 0);
	assert_int_equal(nve_core_next_deadline(w->core), NVE_NEVER_NS);
	assert_ok(STEP(w, .kind = NVE_EV_DATA_SEEN, .key = K));
	assert_int_equal(nve_core_next_deadline(w->core), NVE_NEVER_NS);
	assert_ok(UPDATE(w, K, .flags = NVE_EV_HAS_KEEPACTIVE, .keepactive_ms = 4000));
	assert_int_equal(nve_core_next_deadline(w->core), w->now_ns + 4 * S);
}

static void an_update_of_the_other_timer_leaves_the_running_one(void **state)
{
	struct world *w = *state;
	uint64_t deadline;

	assert_ok(activate(w, K));
	deadline = nve_core_next_deadline(w->core);
	assert_ok(UPDATE(w, K, .flags = NVE_EV_HAS_KEEPALIVE, .keepalive_ms = 9000));
	assert_int_equal(nve_core_next_deadline(w->core), deadline);
	assert_int_equal(world_tsi(w, K)->keepalive_ms, 9000);
}

static void timers_run_out_in_the_order_of_their_deadlines(void **state)
{
	struct world *w = *state;
	static const uint32_t ms[] = { 9000, 3000, 7000, 1000, 8000, 2000 };
	struct nve_due due;
	uint32_t last = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(ms); i++)
		assert_ok(associate(w, tsi_key(i + 1, 0, 7), .flags = NVE_EV_HAS_KEEPALIVE,
				    .keepalive_ms = ms[i]));
	for (unsigned int i = 0; i < ARRAY_SIZE(ms); i++) {
		uint64_t at = nve_core_next_deadline(w->core);
		uint32_t its;

		assert_true(nve_core_due(w->core, at, &due));
		its = nve_core_tsi(w->core, due.slot)->keepalive_ms;
		assert_true(its > last);
		last = its;
		assert_int_equal(world_expire_until(w, at), 1);
	}
}

/* D7, S22 */
static void two_activated_instances_raise_one_alarm_for_an_overlap(void **state)
{
	struct world *w = *state;
	struct nve_addr set[] = { mac(1), mac(2) };
	uint16_t off = NVE_EV_HAS_ADDRS | NVE_EV_HAS_KEEPACTIVE;

	assert_ok(activate(w, K, .flags = off, .addrs = set, .n_addrs = 2));
	assert_ok(activate(w, THERE, .flags = off, .addrs = set, .n_addrs = 2));
	assert_int_equal(nve_core_next_deadline(w->core), w->now_ns + 60 * S);
	assert_int_equal(world_expire_until(w, w->now_ns + 59 * S), 0);
	assert_int_equal(world_expire_until(w, w->now_ns + 200 * S), 1);
	assert_int_equal(world_notices(w, NVE_NOTICE_DUPLICATE), 1);
	assert_int_equal(world_notice(w, NVE_NOTICE_DUPLICATE)->key.port, 1);
	assert_int_equal(world_state(w, K), NVE_TSI_ACTIVATED);
	assert_int_equal(world_state(w, THERE), NVE_TSI_ACTIVATED);
	assert_ok(deactivate(w, K));
	assert_ok(activate(w, K));
	assert_int_equal(world_expire_until(w, w->now_ns + 60 * S), 1);
	assert_int_equal(world_notices(w, NVE_NOTICE_DUPLICATE), 2);
	assert_int_equal(world_notice(w, NVE_NOTICE_DUPLICATE)->key.port, 0);
}

static void an_overlap_that_ended_in_time_raises_no_alarm(void **state)
{
	struct world *w = *state;
	struct nve_addr set[] = { mac(1) };

	assert_ok(activate(w, K, SET_OF(set)));
	assert_ok(activate(w, THERE, SET_OF(set)));
	assert_ok(deactivate(w, K));
	for (uint64_t end = w->now_ns + 100 * S; w->now_ns < end; w->now_ns += 10 * S) {
		assert_ok(STEP(w, .kind = NVE_EV_KEEPACTIVE, .key = THERE));
		assert_ok(STEP(w, .kind = NVE_EV_KEEPALIVE, .key = K));
		world_expire_until(w, w->now_ns);
	}
	assert_int_equal(world_notices(w, NVE_NOTICE_DUPLICATE), 0);
}

#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, open_with_keys, world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_WORLD(keepactive_then_keepalive_expire),
		IN_WORLD(keepalive_and_keepactive_restart_the_timer_silently),
		IN_WORLD(a_frame_restarts_the_timer_but_never_takes_time_away),
		IN_WORLD(what_is_not_due_does_not_expire),
		IN_WORLD(proposed_timers_are_granted_within_bounds),
		IN_WORLD(a_timer_that_is_off_never_runs_out),
		IN_WORLD(an_update_of_the_other_timer_leaves_the_running_one),
		IN_WORLD(timers_run_out_in_the_order_of_their_deadlines),
		IN_WORLD(two_activated_instances_raise_one_alarm_for_an_overlap),
		IN_WORLD(an_overlap_that_ended_in_time_raises_no_alarm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
