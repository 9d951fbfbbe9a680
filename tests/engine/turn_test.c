/* SPDX-License-Identifier: Apache-2.0 */
/* The turn: order of effects, undo at every step, group commit, the guilty one alone refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/engine_world.h"

static void an_activation_passes_frames_is_stored_and_published_when_the_answer_comes(void **state)
{
	struct world *w = *state;
	struct nve_addr addr = ew_mac_ip(1, 1);
	struct call c;

	ew_call_init(&c, NVE_EV_ACTIVATE, 1, P1, 100);
	ew_call_addrs(&c, &addr, 1);
	assert_int_equal(ew_call(w, &c), NVE_REASON_OK);
	assert_in_range(c.answer.tag, 100, 400);
	assert_true(c.answer.epoch > 4); /* above the file's */
	assert_true(ew_frame(w, P1, 100, 1, 0x99).pass);
	assert_int_equal(ew_frame(w, P1, 100, 1, 0x99).dest.kind, NVE_DP_DEST_VTEP);
	assert_string_equal(ew_published(w, 100, addr), "forwarding");
	assert_int_equal(nve_store_memory_count(STORE_PATH), 3); /* tag, VAP, TSI */
	assert_int_equal(w->n_events, 2);                        /* VN connected, TSI activated */
	assert_int_equal(w->events[0].seq + 1, w->events[1].seq);
	assert_string_equal(w->client, "client1");
}

static void associated_is_mapping_activated_forwarding_cleared_withdrawn(void **state)
{
	struct world *w = *state;

	assert_int_equal(ew_ask(w, NVE_EV_ASSOCIATE, 1, P1, 100, 1), NVE_REASON_OK);
	assert_string_equal(ew_published(w, 100, ew_mac(1)), "mapping");
	assert_false(ew_frame(w, P1, 100, 1, 0x99).pass);
	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 1, P1, 100, 0), NVE_REASON_OK);
	assert_string_equal(ew_published(w, 100, ew_mac(1)), "forwarding");
	assert_true(ew_frame(w, P1, 100, 1, 0x99).pass);
	assert_int_equal(ew_ask(w, NVE_EV_DEACTIVATE, 1, P1, 100, 0), NVE_REASON_OK);
	assert_string_equal(ew_published(w, 100, ew_mac(1)), "mapping");
	assert_false(ew_frame(w, P1, 100, 1, 0x99).pass);
	assert_int_equal(ew_ask(w, NVE_EV_CLEAR, 1, P1, 0, 0), NVE_REASON_OK);
	assert_string_equal(ew_published(w, 100, ew_mac(1)), "withdrawn");
}

/* --- undo at every step ---------------------------------------------------------------------- */

static struct nve_addr some[3];

/* The requests that are made to fail, each touching other objects. */
static void prepare(struct call *c, unsigned which)
{
	static struct nve_addr one, gone;

	one = ew_mac(3);
	gone = ew_mac(1);
	switch (which) {
	case 0: /* a VN is connected with its VTEPs and remote MACs, tag, VAP, TSI */
		ew_call_init(c, NVE_EV_ACTIVATE, 3, P3, 100);
		ew_call_addrs(c, some, 3);
		break;
	case 1:
		ew_call_init(c, NVE_EV_ASSOCIATE, 3, P2, 100);
		ew_call_addrs(c, &one, 1);
		break;
	case 2:
		ew_call_init(c, NVE_EV_DEACTIVATE, 1, P1, 100);
		break;
	case 3:
		ew_call_init(c, NVE_EV_CLEAR, 1, P1, 0);
		break;
	case 4: /* an address is replaced, and the port changes */
		ew_call_init(c, NVE_EV_UPDATE, 1, P1, 100);
		c->req.ev.addrs = some + 2;
		c->req.ev.n_addrs = 1;
		c->req.ev.only = &gone;
		c->req.ev.n_only = 1;
		c->req.ev.new_port = P2;
		break;
	case 5: /* the last VAP of a VN goes: its rows, VTEPs and remote MACs too */
		ew_call_init(c, NVE_EV_VN_DISCONNECT, 1, P1, 100);
		break;
	case 6: /* the other instance of the same MAC takes over (S87) */
		ew_call_init(c, NVE_EV_ACTIVATE, 1, P2, 100);
		ew_call_addrs(c, &gone, 1);
		break;
	default:
		ew_call_init(c, NVE_EV_VN_CONNECT, 0, P2, 200);
		break;
	}
}
enum { PREPARED = 8 };

static void two_activated(struct world *w)
{
	some[0] = ew_mac_ip(3, 3);
	some[1] = ew_only_ip(4);
	some[2] = ew_mac_ip(2, 9);
	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 1, P1, 100, 1), NVE_REASON_OK);
	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 2, P3, 200, 1), NVE_REASON_OK);
}

/* Fails the n-th occasion of one kind; returns false if there was no n-th. */
typedef bool fail_fn(struct world *w, unsigned n, int error, bool arm);

static bool fail_set(struct world *w, unsigned n, int error, bool arm)
{
	static struct nve_dp *dp;

	if (arm) {
		dp = ew_dp(w);
		nve_fake_fail_set(dp, n, error);
		return true;
	}
	nve_fake_fail_set(dp, 0, 0);
	return true;
}

static bool fail_store(struct nve_store_fault *fault, unsigned n, int error, bool arm)
{
	bool hit = !fault->fail;

	*fault = (struct nve_store_fault){ 0 };
	if (arm)
		*fault = (struct nve_store_fault){ n - 1, 1, error };
	return hit;
}

static bool fail_begin(struct world *w, unsigned n, int error, bool arm)
{
	(void)w;
	return fail_store(&nve_store_memory_control(STORE_PATH)->begin, n, error, arm);
}

static bool fail_put(struct world *w, unsigned n, int error, bool arm)
{
	(void)w;
	return fail_store(&nve_store_memory_control(STORE_PATH)->put, n, error, arm);
}

static bool fail_commit(struct world *w, unsigned n, int error, bool arm)
{
	(void)w;
	return fail_store(&nve_store_memory_control(STORE_PATH)->commit, n, error, arm);
}

static bool fail_apply(struct world *w, unsigned n, int error, bool arm)
{
	nve_fake_fail_apply(ew_dp(w), arm && n == 1 ? error : 0);
	return true;
}

static bool fail_publish(struct world *w, unsigned n, int error, bool arm)
{
	bool hit = !ew_nva_faults.publish_fail;

	(void)w;
	(void)error;
	ew_nva_faults.publish_skip = arm ? n - 1 : 0;
	ew_nva_faults.publish_fail = arm;
	return hit;
}

/* Fails each occasion in turn until the request succeeds for lack of one; counts the failures. */
static unsigned fail_all(struct world *w, unsigned which, fail_fn *inject, int error,
			 enum nve_reason want)
{
	for (unsigned n = 1;; n++) {
		char *before = ew_text(w);
		uint32_t events = w->n_events;
		struct call c;
		enum nve_reason got;

		assert_true(n < 100);
		prepare(&c, which);
		inject(w, n, error, true);
		got = ew_call(w, &c);
		inject(w, n, error, false);
		if (got == NVE_REASON_OK) {
			free(before);
			return n - 1;
		}
		assert_int_equal(got, want);
		assert_int_equal(w->n_events, events);
		ew_is_as(w, before);
		assert_int_equal(nve_engine_next_deadline(w->engine) > w->now_ns + 20 * SEC, true);
	}
}

static void failing(void **state, fail_fn *inject, int error, enum nve_reason want)
{
	(void)state;
	for (unsigned which = 0; which < PREPARED; which++) {
		struct world w;
		unsigned failures;

		ew_init(&w);
		ew_open(&w);
		two_activated(&w);
		failures = fail_all(&w, which, inject, error, want);
		/* Disconnecting sets nothing and deletes much; everything else sets or says. */
		if (inject != fail_set && inject != fail_publish)
			assert_true(failures >= 1);
		nve_core_check(nve_engine_core(w.engine));
		ew_done(&w);
	}
}

static void a_full_datapath_table_refuses_the_request_and_changes_nothing(void **state)
{
	failing(state, fail_set, -ENOSPC, NVE_REASON_NO_RESOURCES);
}

static void a_datapath_that_fails_to_set_refuses_the_request_and_changes_nothing(void **state)
{
	failing(state, fail_set, -EIO, NVE_REASON_DATAPATH_FAILED);
}

static void a_store_that_cannot_begin_refuses_the_request_and_changes_nothing(void **state)
{
	failing(state, fail_begin, -EIO, NVE_REASON_STORE_FAILED);
}

static void a_store_that_fails_at_any_record_refuses_the_request_and_changes_nothing(void **state)
{
	failing(state, fail_put, -ENOSPC, NVE_REASON_STORE_FAILED);
}

static void a_commit_that_fails_refuses_the_request_and_changes_nothing(void **state)
{
	failing(state, fail_commit, -EIO, NVE_REASON_STORE_FAILED);
}

static void an_apply_that_fails_half_way_refuses_the_request_and_changes_nothing(void **state)
{
	failing(state, fail_apply, -EIO, NVE_REASON_DATAPATH_FAILED);
}

static void an_nva_that_fails_at_any_publication_refuses_and_changes_nothing(void **state)
{
	failing(state, fail_publish, 0, NVE_REASON_NVA_UNREACHABLE);
}

/* --- groups ---------------------------------------------------------------------------------- */

enum { GROUP = 20 };

static void submit_group(struct world *w, struct call calls[GROUP], struct nve_addr addrs[GROUP],
			 unsigned *order)
{
	for (uint8_t i = 0; i < GROUP; i++) {
		addrs[i] = ew_mac((uint8_t)(0x10 + i));
		ew_call_init(&calls[i], NVE_EV_ACTIVATE, (uint8_t)(0x10 + i), P1, 100);
		ew_call_addrs(&calls[i], &addrs[i], 1);
		calls[i].order = order;
		ew_call_submit(w, &calls[i]);
	}
}

static void requests_of_one_run_share_one_commit_and_are_answered_in_order(void **state)
{
	struct world *w = *state;
	unsigned long commits = nve_store_memory_control(STORE_PATH)->commits;
	struct nve_addr addrs[GROUP];
	struct call calls[GROUP];
	unsigned order = 0;

	submit_group(w, calls, addrs, &order);
	assert_int_equal(order, 0); /* never from within submit() */
	ew_run(w);
	for (unsigned i = 0; i < GROUP; i++) {
		assert_int_equal(calls[i].answered, 1);
		assert_int_equal(calls[i].answer.reason, NVE_REASON_OK);
		assert_int_equal(calls[i].at, i);
	}
	assert_int_equal(nve_store_memory_control(STORE_PATH)->commits, commits + 1);
}

static void a_passing_failure_of_the_nva_undoes_the_turn_and_refuses_nobody(void **state)
{
	struct world *w = *state;
	struct nve_addr addrs[GROUP];
	struct call calls[GROUP];
	unsigned order = 0, refused = 0;

	ew_nva_faults.publish_skip = 7;
	ew_nva_faults.publish_fail = 1;
	submit_group(w, calls, addrs, &order);
	ew_run(w);
	for (unsigned i = 0; i < GROUP; i++)
		refused += calls[i].answer.reason != NVE_REASON_OK;
	assert_int_equal(order, GROUP);
	assert_int_equal(refused, 0);
	assert_int_equal(nve_engine_counters(w->engine)->undone_turns, 1);
}

static void the_guilty_request_alone_is_refused_with_the_reason_of_its_step(void **state)
{
	struct world *w = *state;
	struct nve_store_memory_control *control = nve_store_memory_control(STORE_PATH);
	struct nve_addr addrs[GROUP];
	struct call calls[GROUP];
	unsigned order = 0;

	/* The commit of all fails, then the first alone succeeds, and the second alone fails. */
	submit_group(w, calls, addrs, &order);
	control->commit = (struct nve_store_fault){ 0, 1, -EIO };
	control->begin = (struct nve_store_fault){ 2, 1, -ENOSPC };
	ew_run(w);
	for (unsigned i = 0; i < GROUP; i++) {
		enum nve_reason want = i == 1 ? NVE_REASON_STORE_FAILED : NVE_REASON_OK;

		assert_int_equal(calls[i].answer.reason, want);
		assert_int_equal(calls[i].at, i);
	}
	assert_false(ew_frame(w, P1, 100, 0x11, 0x99).pass);
	assert_true(ew_frame(w, P1, 100, 0x12, 0x99).pass);
	assert_int_equal(nve_engine_counters(w->engine)->refused[NVE_REASON_STORE_FAILED], 1);
}

static void a_refused_request_in_a_group_leaves_the_others_alone(void **state)
{
	struct world *w = *state;
	struct nve_addr addr = ew_mac(1);
	struct call a, b, c;

	ew_call_init(&a, NVE_EV_ACTIVATE, 1, P1, 100);
	ew_call_addrs(&a, &addr, 1);
	ew_call_init(&b, NVE_EV_ACTIVATE, 2, P1, 100); /* the same address on the same port */
	ew_call_addrs(&b, &addr, 1);
	ew_call_init(&c, NVE_EV_DEACTIVATE, 1, P1, 100);
	ew_call_submit(w, &a);
	ew_call_submit(w, &b);
	ew_call_submit(w, &c);
	ew_run(w);
	assert_int_equal(a.answer.reason, NVE_REASON_OK);
	assert_int_equal(b.answer.reason, NVE_REASON_ADDRESS_IN_USE);
	assert_int_equal(c.answer.reason, NVE_REASON_OK);
	assert_string_equal(ew_published(w, 100, ew_mac(1)), "mapping");
}

static void a_keepalive_and_a_repeat_do_not_touch_the_store(void **state)
{
	struct world *w = *state;
	unsigned long commits;

	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 1, P1, 100, 1), NVE_REASON_OK);
	commits = nve_store_memory_control(STORE_PATH)->commits;
	w->now_ns += SEC;
	assert_int_equal(ew_ask(w, NVE_EV_KEEPACTIVE, 1, P1, 100, 0), NVE_REASON_OK);
	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 1, P1, 100, 1), NVE_REASON_OK);
	assert_int_equal(nve_store_memory_control(STORE_PATH)->commits, commits);
}

static enum nve_reason replace_mac(struct world *w, uint8_t old, uint8_t new)
{
	struct nve_addr gone = ew_mac(old), added = ew_mac(new);
	struct call c;

	ew_call_init(&c, NVE_EV_UPDATE, 1, P1, 200);
	c.req.ev.addrs = &added;
	c.req.ev.n_addrs = 1;
	c.req.ev.only = &gone;
	c.req.ev.n_only = 1;
	return ew_call(w, &c);
}

static void in_a_full_table_an_address_can_be_replaced_and_the_replacement_undone(void **state)
{
	struct world w;
	char *before;

	(void)state;
	ew_init(&w);
	w.config.dp.limits.max_fdb = 2;
	ew_open(&w);
	assert_int_equal(ew_ask(&w, NVE_EV_ACTIVATE, 1, P1, 200, 1), NVE_REASON_OK);
	assert_int_equal(ew_ask(&w, NVE_EV_ACTIVATE, 2, P1, 200, 2), NVE_REASON_OK);
	assert_int_equal(ew_ask(&w, NVE_EV_ACTIVATE, 3, P1, 200, 3), NVE_REASON_NO_RESOURCES);
	before = ew_text(&w);
	nve_fake_fail_apply(ew_dp(&w), -EIO);
	assert_int_equal(replace_mac(&w, 1, 3), NVE_REASON_DATAPATH_FAILED);
	ew_is_as(&w, before);
	assert_int_equal(replace_mac(&w, 1, 3), NVE_REASON_OK);
	ew_done(&w);
}

static void an_undoing_that_fails_is_repaired_when_the_backends_are_back(void **state)
{
	struct world *w = *state;
	struct nve_store_memory_control *control = nve_store_memory_control(STORE_PATH);
	char *before;

	two_activated(w);
	before = ew_text(w);
	/* Stored; then the datapath fails, and the store too when the turn is taken back. */
	nve_fake_fail_apply(ew_dp(w), -EIO);
	control->commit = (struct nve_store_fault){ 1, 1, -EIO };
	assert_int_equal(ew_ask(w, NVE_EV_CLEAR, 1, P1, 100, 0), NVE_REASON_DATAPATH_FAILED);
	assert_int_equal(nve_engine_next_deadline(w->engine), w->now_ns + SEC);
	assert_true(ew_frame(w, P1, 100, 1, 0x99).pass);
	w->now_ns += SEC;
	ew_run(w);
	assert_true(nve_engine_next_deadline(w->engine) > w->now_ns + SEC);
	ew_is_as(w, before);
}

static void requests_queued_at_the_end_are_answered_with_shutting_down(void **state)
{
	struct world w;
	struct call c;

	(void)state;
	ew_init(&w);
	ew_open(&w);
	ew_call_init(&c, NVE_EV_VN_CONNECT, 0, P1, 100);
	ew_call_submit(&w, &c);
	ew_done(&w);
	assert_int_equal(c.answered, 1);
	assert_int_equal(c.answer.reason, NVE_REASON_SHUTTING_DOWN);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, ew_setup, ew_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_activation_passes_frames_is_stored_and_published_when_the_answer_comes),
		TEST(associated_is_mapping_activated_forwarding_cleared_withdrawn),
		cmocka_unit_test(a_full_datapath_table_refuses_the_request_and_changes_nothing),
		cmocka_unit_test(
			a_datapath_that_fails_to_set_refuses_the_request_and_changes_nothing),
		cmocka_unit_test(a_store_that_cannot_begin_refuses_the_request_and_changes_nothing),
		cmocka_unit_test(
			a_store_that_fails_at_any_record_refuses_the_request_and_changes_nothing),
		cmocka_unit_test(a_commit_that_fails_refuses_the_request_and_changes_nothing),
		cmocka_unit_test(
			an_apply_that_fails_half_way_refuses_the_request_and_changes_nothing),
		cmocka_unit_test(an_nva_that_fails_at_any_publication_refuses_and_changes_nothing),
		TEST(requests_of_one_run_share_one_commit_and_are_answered_in_order),
		TEST(a_passing_failure_of_the_nva_undoes_the_turn_and_refuses_nobody),
		TEST(the_guilty_request_alone_is_refused_with_the_reason_of_its_step),
		TEST(a_refused_request_in_a_group_leaves_the_others_alone),
		TEST(a_keepalive_and_a_repeat_do_not_touch_the_store),
		cmocka_unit_test(
			in_a_full_table_an_address_can_be_replaced_and_the_replacement_undone),
		TEST(an_undoing_that_fails_is_repaired_when_the_backends_are_back),
		cmocka_unit_test(requests_queued_at_the_end_are_answered_with_shutting_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
