/* SPDX-License-Identifier: Apache-2.0 */
/* What a restart finds beside intent: contexts of VNs that the NVA does not know (D18), timers. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/engine_world.h"

/* --- contexts --------------------------------------------------------------------------------- */

static void restart_without_nva(struct world *w, int error)
{
	ew_close(w);
	ew_nva_faults.vn_error = error;
	ew_open(w);
	ew_run(w);
}

static void both_forward(const struct world *w)
{
	assert_true(ew_frame(w, P3, 100, 3, 1).pass);
	assert_true(ew_frame(w, P3, 100, 3, 0x99).pass); /* behind another NVE */
	assert_int_equal(ew_used(w, "tsi"), 2);
	assert_int_equal(ew_used(w, "vtep"), 2);
}

static void two_tsis(struct world *w)
{
	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 9, P3, 100, 3), NVE_REASON_OK);
	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 1, P1, 100, 1), NVE_REASON_OK);
	both_forward(w);
}

static void a_vn_that_the_nva_cannot_say_at_the_restart_forwards_as_before(void **state)
{
	static const int errors[] = { -ENOENT, -EHOSTUNREACH, -EINPROGRESS };
	struct world *w = *state;
	char *before;

	two_tsis(w);
	for (size_t i = 0; i < 3; i++) {
		before = ew_text(w);
		restart_without_nva(w, errors[i]);
		both_forward(w);
		ew_is_as(w, before);
		/* It can be used, not entered, until the NVA answers. */
		assert_int_equal(ew_ask(w, NVE_EV_DEACTIVATE, 9, P3, 100, 0), NVE_REASON_OK);
		assert_false(ew_frame(w, P3, 100, 3, 1).pass);
		ew_nva_faults.vn_error = 0;
		assert_int_equal(nve_engine_reload(w->engine, w->now_ns, NULL), 0);
		assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 9, P3, 100, 0), NVE_REASON_OK);
		both_forward(w);
	}
}

static void what_the_nva_says_at_last_counts(void **state)
{
	struct world *w = *state;

	two_tsis(w);
	restart_without_nva(w, -EHOSTUNREACH);
	both_forward(w);
	ew_nva_faults.vn_error = 0;
	ew_yaml(w, "vns:\n  - {id: 100, name: blue, vni: 5100, vteps: [192.0.2.2]}\n");
	assert_int_equal(nve_engine_reload(w->engine, w->now_ns, NULL), 0);
	assert_int_equal(ew_used(w, "vtep"), 1);
	assert_int_equal(ew_used(w, "fdb"), 2); /* the TSIs' own */
	/* And that is what the next restart finds, a little later. */
	w->now_ns += 3 * SEC;
	ew_run(w);
	restart_without_nva(w, -EHOSTUNREACH);
	assert_int_equal(ew_used(w, "vtep"), 1);
	assert_int_equal(ew_used(w, "fdb"), 2);
}

static void a_vn_that_must_fail_closed_does_not_forward_by_what_was(void **state)
{
	struct world *w = *state;

	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 1, P1, 300, 1), NVE_REASON_OK);
	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 2, P3, 300, 2), NVE_REASON_OK);
	assert_true(ew_frame(w, P1, 300, 1, 2).pass);
	restart_without_nva(w, -EINPROGRESS);
	assert_int_equal(ew_state_of(w, 1, P1, 300), NVE_TSI_ACTIVATED);
	assert_int_equal(ew_used(w, "tsi"), 0);
	ew_nva_faults.vn_error = 0;
	assert_int_equal(nve_engine_reload(w->engine, w->now_ns, NULL), 0);
	restart_without_nva(w, 0);
	assert_true(ew_frame(w, P1, 300, 1, 2).pass);
	restart_without_nva(w, -ENOENT); /* it is gone: as for a running agent */
	assert_int_equal(ew_state_of(w, 1, P1, 300), NVE_TSI_INIT);
	assert_int_equal(ew_used(w, "tsi"), 0);
}

static void rules_of_a_profile_hold_without_the_nva(void **state)
{
	static const char yaml[] = "profiles:\n"
				   "  - {name: shut, default: deny, acl: []}\n"
				   "vns:\n"
				   "  - {id: 100, name: blue, profile: shut}\n";
	struct world *w = *state;

	ew_yaml(w, yaml);
	assert_int_equal(nve_engine_reload(w->engine, w->now_ns, NULL), 0);
	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 1, P1, 100, 1), NVE_REASON_OK);
	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 2, P3, 100, 2), NVE_REASON_OK);
	assert_false(ew_frame(w, P1, 100, 1, 2).pass);
	ew_close(w);
	ew_yaml(w, "vns: []\n"); /* neither VN nor profile */
	ew_open(w);
	ew_run(w);
	assert_int_equal(ew_used(w, "tsi"), 2);
	assert_false(ew_frame(w, P1, 100, 1, 2).pass);
}

static int count_vns(void *arg, uint32_t vn_id, uint64_t digest)
{
	(void)vn_id, (void)digest;
	++*(unsigned *)arg;
	return 0;
}

static int no_tag(void *arg, const struct nve_stored_tag *tag)
{
	(void)arg, (void)tag;
	return 0;
}

static int no_vap(void *arg, const struct nve_stored_vap *vap)
{
	(void)arg, (void)vap;
	return 0;
}

static int no_tsi(void *arg, const struct nve_stored_tsi *tsi)
{
	(void)arg, (void)tsi;
	return 0;
}

static unsigned stored_vns(void)
{
	unsigned n = 0;
	const struct nve_store_reader reader = { no_tag, no_vap, no_tsi, &n, count_vns };

	assert_int_equal(nve_store_memory_read(STORE_PATH, &reader), 0);
	return n;
}

static void contexts_come_with_the_first_vap_and_go_with_the_last(void **state)
{
	struct world *w = *state;

	two_tsis(w);
	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 2, P1, 200, 5), NVE_REASON_OK);
	assert_int_equal(stored_vns(), 2);
	assert_int_equal(ew_ask(w, NVE_EV_CLEAR, 9, P3, 100, 0), NVE_REASON_OK);
	assert_int_equal(stored_vns(), 2);
	assert_int_equal(ew_ask(w, NVE_EV_CLEAR, 1, P1, 100, 0), NVE_REASON_OK);
	assert_int_equal(stored_vns(), 1);
	ew_close(w);
	strcpy(w->ports[P1].dp.name, "p9"); /* the VN's only port is not configured any more */
	ew_open(w);
	assert_int_equal(stored_vns(), 0);
}

static void a_store_that_fails_is_told_the_context_again(void **state)
{
	struct world *w = *state;
	struct nve_store_memory_control *control = nve_store_memory_control(STORE_PATH);

	control->commit = (struct nve_store_fault){ 0, 2, -ENOSPC };
	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 1, P1, 100, 1), NVE_REASON_STORE_FAILED);
	control->commit = (struct nve_store_fault){ 0 };
	assert_int_equal(stored_vns(), 0);
	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 1, P1, 100, 1), NVE_REASON_OK);
	assert_int_equal(stored_vns(), 1);
	restart_without_nva(w, -ENOENT);
	assert_int_equal(ew_used(w, "tsi"), 1);
}

/* --- timers ----------------------------------------------------------------------------------- */

static void restart_after(struct world *w, uint64_t away_ns)
{
	ew_close(w);
	w->now_ns += away_ns;
	ew_open(w);
}

static void changes_in(struct world *w, uint64_t ns, uint8_t from, uint8_t to)
{
	ew_run_until(w, w->now_ns + ns - SEC / 10);
	assert_int_equal(ew_state_of(w, 1, P1, 100), from);
	ew_run_until(w, w->now_ns + SEC / 5);
	assert_int_equal(ew_state_of(w, 1, P1, 100), to);
}

static void timers_go_on_with_what_was_left(void **state)
{
	struct world *w = *state;

	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 1, P1, 100, 1), NVE_REASON_OK);
	w->now_ns += 5 * SEC;
	ew_run(w);
	restart_after(w, SEC);
	changes_in(w, 24 * SEC, NVE_TSI_ACTIVATED, NVE_TSI_ASSOCIATED);
	w->now_ns += 100 * SEC;
	ew_run(w);
	restart_after(w, SEC / 10);
	changes_in(w, 300 * SEC - 100 * SEC - SEC / 5, NVE_TSI_ASSOCIATED, NVE_TSI_INIT);
}

static void keepalives_are_not_forgotten_and_do_not_each_cost_a_commit(void **state)
{
	struct world *w = *state;
	struct nve_store_memory_control *control = nve_store_memory_control(STORE_PATH);
	unsigned long commits;

	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 1, P1, 100, 1), NVE_REASON_OK);
	commits = control->commits;
	for (unsigned i = 0; i < 80; i++) { /* 20 s */
		w->now_ns += SEC / 4;
		assert_int_equal(ew_ask(w, NVE_EV_KEEPACTIVE, 1, P1, 100, 0), NVE_REASON_OK);
	}
	ew_run_until(w, w->now_ns + 3 * SEC);
	assert_in_range(control->commits - commits, 5, 12);
	restart_after(w, SEC); /* 26 s left of the last one's */
	changes_in(w, 26 * SEC, NVE_TSI_ACTIVATED, NVE_TSI_ASSOCIATED);
}

/* The store lags behind, and keepalives cannot come while no agent is there. */
static void a_restart_leaves_a_timer_half_its_period_and_no_more_than_all_of_it(void **state)
{
	struct world *w = *state;

	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 1, P1, 100, 1), NVE_REASON_OK);
	restart_after(w, 1000 * SEC);
	changes_in(w, 15 * SEC, NVE_TSI_ACTIVATED, NVE_TSI_ASSOCIATED);
	restart_after(w, 1000 * SEC);
	changes_in(w, 60 * SEC, NVE_TSI_ASSOCIATED, NVE_TSI_INIT); /* at most a minute */
	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 1, P1, 100, 1), NVE_REASON_OK);
	ew_close(w);
	w->now_ns -= 500 * SEC; /* the clock was wrong */
	ew_open(w);
	changes_in(w, 30 * SEC, NVE_TSI_ACTIVATED, NVE_TSI_ASSOCIATED);
}

static uint64_t slow_ns;

/* Of a machine that needs 20 s between two looks at it. */
static uint64_t slow_clock(void)
{
	return slow_ns += 20 * SEC;
}

static void what_the_start_takes_is_not_taken_from_a_timer(void **state)
{
	struct world *w = *state;

	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 1, P1, 100, 1), NVE_REASON_OK);
	ew_close(w);
	slow_ns = w->now_ns + 1700000000 * SEC;
	w->config.realtime_ns = slow_clock;
	ew_open(w); /* the deadline is 15 s from its beginning, and from its end */
	w->now_ns += 20 * SEC;
	ew_run(w);
	changes_in(w, 15 * SEC, NVE_TSI_ACTIVATED, NVE_TSI_ASSOCIATED);
}

static void a_timer_that_is_off_stays_off(void **state)
{
	struct world *w = *state;
	struct nve_addr addr = ew_mac(1);
	struct call c;

	ew_call_init(&c, NVE_EV_ACTIVATE, 1, P1, 100);
	ew_call_addrs(&c, &addr, 1);
	c.req.ev.flags |= NVE_EV_HAS_KEEPACTIVE;
	assert_int_equal(ew_call(w, &c), NVE_REASON_OK);
	restart_after(w, 1000 * SEC);
	ew_run_until(w, w->now_ns + 100000 * SEC);
	assert_int_equal(ew_state_of(w, 1, P1, 100), NVE_TSI_ACTIVATED);
}

/* D6: no agent, no mercy. */
static void a_tag_in_quarantine_stays_there_for_its_time_over_restarts(void **state)
{
	struct world *w = *state;
	uint16_t tag;
	struct nve_tag t;

	assert_int_equal(ew_ask(w, NVE_EV_VN_CONNECT, 0, P1, 100, 0), NVE_REASON_OK);
	tag = nve_core_vap(nve_engine_core(w->engine), P1, 100)->tag;
	assert_int_equal(ew_ask(w, NVE_EV_VN_DISCONNECT, 0, P1, 100, 0), NVE_REASON_OK);
	restart_after(w, 10 * SEC);
	restart_after(w, 10 * SEC);
	t = nve_core_tag(nve_engine_core(w->engine), 0, tag);
	assert_int_equal(t.use, NVE_TAG_QUARANTINED);
	assert_int_equal(t.until_ns, w->now_ns + 10 * SEC);
	ew_run_until(w, w->now_ns + 9 * SEC);
	assert_int_equal(nve_core_tag(nve_engine_core(w->engine), 0, tag).use, NVE_TAG_QUARANTINED);
	restart_after(w, 2 * SEC);
	ew_run(w);
	assert_int_equal(nve_core_tag(nve_engine_core(w->engine), 0, tag).use, NVE_TAG_FREE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, ew_setup, ew_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_vn_that_the_nva_cannot_say_at_the_restart_forwards_as_before),
		TEST(what_the_nva_says_at_last_counts),
		TEST(a_vn_that_must_fail_closed_does_not_forward_by_what_was),
		TEST(rules_of_a_profile_hold_without_the_nva),
		TEST(contexts_come_with_the_first_vap_and_go_with_the_last),
		TEST(a_store_that_fails_is_told_the_context_again),
		TEST(timers_go_on_with_what_was_left),
		TEST(keepalives_are_not_forgotten_and_do_not_each_cost_a_commit),
		TEST(a_restart_leaves_a_timer_half_its_period_and_no_more_than_all_of_it),
		TEST(what_the_start_takes_is_not_taken_from_a_timer),
		TEST(a_timer_that_is_off_stays_off),
		TEST(a_tag_in_quarantine_stays_there_for_its_time_over_restarts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
