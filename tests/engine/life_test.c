/* SPDX-License-Identifier: Apache-2.0 */
/* Timers, ownership, and VNs that come and go at the NVA. */
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

/* --- timers ---------------------------------------------------------------------------------- */

static void a_dead_hypervisor_is_cleaned_up_in_two_steps_and_its_tag_rests(void **state)
{
	struct world *w = *state;
	uint64_t start = w->now_ns;

	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 1, P1, 100, 1), NVE_REASON_OK);
	ew_run_until(w, start + 29 * SEC);
	assert_int_equal(ew_state_of(w, 1, P1, 100), NVE_TSI_ACTIVATED);
	ew_run_until(w, start + 31 * SEC);
	assert_int_equal(ew_state_of(w, 1, P1, 100), NVE_TSI_ASSOCIATED);
	assert_false(ew_frame(w, P1, 100, 1, 0x99).pass);
	assert_string_equal(ew_published(w, 100, ew_mac(1)), "mapping");
	assert_true(w->events[(w->n_events - 1) % 64].notice.by_nve);
	assert_int_equal(w->events[(w->n_events - 1) % 64].notice.reason,
			 NVE_REASON_KEEPACTIVE_EXPIRED);
	assert_string_equal(w->client, "");
	ew_run_until(w, start + 331 * SEC);
	assert_int_equal(ew_state_of(w, 1, P1, 100), NVE_TSI_INIT);
	assert_int_equal(nve_store_memory_count(STORE_PATH), 1); /* the tag's quarantine */
	ew_run_until(w, start + 400 * SEC);
	assert_int_equal(nve_store_memory_count(STORE_PATH), 0);
	assert_int_equal(nve_engine_next_deadline(w->engine), NVE_NEVER_NS);
}

static void frames_of_the_tsi_keep_it_activated(void **state)
{
	struct world *w = *state;
	uint64_t start = w->now_ns;

	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 1, P1, 100, 1), NVE_REASON_OK);
	nve_fake_seen(ew_dp(w), 0, start + 20 * SEC);
	ew_run_until(w, start + 49 * SEC);
	assert_int_equal(ew_state_of(w, 1, P1, 100), NVE_TSI_ACTIVATED);
	ew_run_until(w, start + 51 * SEC);
	assert_int_equal(ew_state_of(w, 1, P1, 100), NVE_TSI_ASSOCIATED);
}

static void an_expiry_that_cannot_be_stored_waits_and_the_tsi_forwards_on(void **state)
{
	struct world *w = *state;
	uint64_t start = w->now_ns;

	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 1, P1, 100, 1), NVE_REASON_OK);
	nve_store_memory_control(STORE_PATH)->commit = (struct nve_store_fault){ 0, 3, -EIO };
	ew_run_until(w, start + 30 * SEC + SEC / 2);
	assert_int_equal(ew_state_of(w, 1, P1, 100), NVE_TSI_ACTIVATED);
	assert_true(ew_frame(w, P1, 100, 1, 0x99).pass);
	ew_run_until(w, start + 33 * SEC);
	assert_int_equal(ew_state_of(w, 1, P1, 100), NVE_TSI_ASSOCIATED);
}

static void an_address_that_stays_activated_twice_is_told_once(void **state)
{
	struct world *w = *state;
	struct call c;

	for (uint16_t port = P1; port <= P2; port++) {
		struct nve_addr addr = ew_mac(1);

		ew_call_init(&c, NVE_EV_ACTIVATE, 1, port, 100);
		ew_call_addrs(&c, &addr, 1);
		c.req.ev.flags |= NVE_EV_HAS_KEEPACTIVE;
		c.req.ev.keepactive_ms = 0;
		assert_int_equal(ew_call(w, &c), NVE_REASON_OK);
	}
	ew_run_until(w, w->now_ns + 200 * SEC);
	assert_int_equal(nve_engine_counters(w->engine)->duplicates, 1);
}

/* --- ownership ------------------------------------------------------------------------------- */

static void
the_later_activation_of_an_address_gets_its_frames_and_the_earlier_gets_them_back(void **state)
{
	struct world *w = *state;
	struct nve_fake_verdict v;

	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 9, P3, 100, 3), NVE_REASON_OK);
	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 1, P1, 100, 1), NVE_REASON_OK);
	assert_int_equal(ew_frame(w, P3, 100, 3, 1).dest.slot, 1);
	assert_int_equal(ew_ask(w, NVE_EV_ASSOCIATE, 1, P2, 100, 1), NVE_REASON_OK);
	assert_int_equal(ew_frame(w, P3, 100, 3, 1).dest.slot, 1);
	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 1, P2, 100, 0), NVE_REASON_OK);
	assert_int_equal(ew_frame(w, P3, 100, 3, 1).dest.slot, 2);
	assert_int_equal(ew_ask(w, NVE_EV_DEACTIVATE, 1, P2, 100, 0), NVE_REASON_OK);
	assert_int_equal(ew_frame(w, P3, 100, 3, 1).dest.slot, 1);
	assert_int_equal(ew_ask(w, NVE_EV_CLEAR, 1, P1, 100, 0), NVE_REASON_OK);
	assert_false(ew_frame(w, P3, 100, 3, 1).pass);
	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 1, P2, 100, 0), NVE_REASON_OK);
	v = ew_frame(w, P3, 100, 3, 1);
	assert_true(v.pass);
	assert_int_equal(v.dest.slot, 2);
}

static const char moved_away[] =
	"vns:\n"
	"  - {id: 100, name: blue, vni: 5100, vteps: [192.0.2.2],\n"
	"     mappings: [{mac: '02:00:00:00:00:01', vtep: 192.0.2.2, epoch: 1000}]}\n";

static void
an_address_that_the_nva_places_elsewhere_later_goes_there_until_activated_here(void **state)
{
	struct world *w = *state;

	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 9, P3, 100, 3), NVE_REASON_OK);
	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 1, P1, 100, 1), NVE_REASON_OK);
	assert_true(ew_frame(w, P3, 100, 3, 0x99).pass);
	ew_yaml(w, moved_away);
	assert_int_equal(nve_engine_reload(w->engine, w->now_ns, NULL), 0);
	assert_int_equal(ew_frame(w, P3, 100, 3, 1).dest.kind, NVE_DP_DEST_VTEP);
	assert_string_equal(ew_published(w, 100, ew_mac(1)), "mapping");
	assert_int_not_equal(ew_frame(w, P3, 100, 3, 0x99).dest.kind, NVE_DP_DEST_VTEP); /* gone */
	/* Back here: the epoch is above the file's. */
	assert_int_equal(ew_ask(w, NVE_EV_DEACTIVATE, 1, P1, 100, 0), NVE_REASON_OK);
	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 1, P1, 100, 0), NVE_REASON_OK);
	assert_int_equal(ew_frame(w, P3, 100, 3, 1).dest.kind, NVE_DP_DEST_TSI);
	assert_string_equal(ew_published(w, 100, ew_mac(1)), "forwarding");
	/* Deactivated: what the NVA says of it is what is left. */
	assert_int_equal(ew_ask(w, NVE_EV_DEACTIVATE, 1, P1, 100, 0), NVE_REASON_OK);
	assert_int_equal(ew_frame(w, P3, 100, 3, 1).dest.kind, NVE_DP_DEST_VTEP);
}

static void vteps_and_remote_macs_are_there_as_long_as_their_vn_has_a_vap(void **state)
{
	struct world *w = *state;

	assert_int_equal(ew_used(w, "vtep") + ew_used(w, "fdb") + ew_used(w, "flood"), 0);
	assert_int_equal(ew_ask(w, NVE_EV_VN_CONNECT, 0, P1, 100, 0), NVE_REASON_OK);
	assert_int_equal(ew_ask(w, NVE_EV_VN_CONNECT, 0, P3, 100, 0), NVE_REASON_OK);
	assert_int_equal(ew_used(w, "vtep"), 2); /* one listed, one in a mapping */
	assert_int_equal(ew_used(w, "fdb"), 1);
	assert_int_equal(ew_ask(w, NVE_EV_VN_DISCONNECT, 0, P1, 100, 0), NVE_REASON_OK);
	assert_int_equal(ew_used(w, "vtep"), 2);
	assert_int_equal(ew_ask(w, NVE_EV_VN_DISCONNECT, 0, P3, 100, 0), NVE_REASON_OK);
	assert_int_equal(ew_used(w, "vtep") + ew_used(w, "fdb") + ew_used(w, "flood"), 0);
}

/* --- the NVA --------------------------------------------------------------------------------- */

static void a_vn_is_found_by_name_and_unknown_ones_are_refused(void **state)
{
	struct world *w = *state;
	struct call c;

	ew_call_init(&c, NVE_EV_VN_CONNECT, 0, P1, 0);
	strcpy(c.req.vn_name, "green");
	assert_int_equal(ew_call(w, &c), NVE_REASON_OK);
	assert_int_equal(c.answer.vn_id, 200);
	ew_call_init(&c, NVE_EV_VN_CONNECT, 0, P1, 0);
	strcpy(c.req.vn_name, "red");
	assert_int_equal(ew_call(w, &c), NVE_REASON_UNKNOWN_VN);
	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 1, P1, 999, 1), NVE_REASON_UNKNOWN_VN);
	assert_int_equal(ew_ask(w, NVE_EV_DEACTIVATE, 1, P1, 999, 0), NVE_REASON_UNKNOWN_VN);
}

static void what_is_here_can_be_taken_down_while_the_nva_is_away(void **state)
{
	struct world *w = *state;
	struct call c;

	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 1, P1, 100, 1), NVE_REASON_OK);
	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 2, P1, 100, 2), NVE_REASON_OK);
	ew_nva_faults.vn_error = -EHOSTUNREACH;
	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 3, P1, 100, 3), NVE_REASON_NVA_UNREACHABLE);
	assert_int_equal(ew_ask(w, NVE_EV_KEEPACTIVE, 1, P1, 100, 0), NVE_REASON_OK);
	assert_int_equal(ew_ask(w, NVE_EV_DEACTIVATE, 1, P1, 100, 0), NVE_REASON_OK);
	assert_int_equal(ew_ask(w, NVE_EV_DISASSOCIATE, 1, P1, 100, 0), NVE_REASON_OK);
	assert_int_equal(ew_ask(w, NVE_EV_CLEAR, 2, P1, 0, 0), NVE_REASON_OK);
	ew_nva_faults.vn_error = 0;
	assert_int_equal(ew_ask(w, NVE_EV_VN_CONNECT, 0, P1, 100, 0), NVE_REASON_OK);
	ew_nva_faults.vn_error = -ENOENT;
	ew_call_init(&c, NVE_EV_VN_DISCONNECT, 0, P1, 0);
	strcpy(c.req.vn_name, "blue");
	assert_int_equal(ew_call(w, &c), NVE_REASON_OK);
}

static void a_request_whose_vn_is_being_asked_for_waits_for_it_and_no_longer_than_5_s(void **state)
{
	struct world *w = *state;
	struct call a, b;

	ew_nva_faults.vn_error = -EINPROGRESS;
	ew_call_init(&a, NVE_EV_VN_CONNECT, 0, P1, 100);
	ew_call_init(&b, NVE_EV_VN_CONNECT, 0, P1, 200);
	ew_call_submit(w, &a);
	ew_run(w);
	assert_int_equal(a.answered, 0);
	assert_int_equal(nve_engine_next_deadline(w->engine), w->now_ns + 5 * SEC);
	/* The NVA learns of another VN: the callback comes, and the answer is there. */
	ew_nva_faults.vn_error = 0;
	ew_yaml(w, "vns: [{id: 100}, {id: 200}]\n");
	assert_int_equal(nve_engine_reload(w->engine, w->now_ns, NULL), 0);
	assert_int_equal(a.answered, 1);
	assert_int_equal(a.answer.reason, NVE_REASON_OK);

	ew_nva_faults.vn_error = -EINPROGRESS;
	ew_call_submit(w, &b);
	ew_run(w);
	w->now_ns += 4 * SEC;
	ew_run(w);
	assert_int_equal(b.answered, 0);
	w->now_ns += SEC;
	ew_run(w);
	assert_int_equal(b.answered, 1);
	assert_int_equal(b.answer.reason, NVE_REASON_NVA_UNREACHABLE);
}

static void a_withdrawn_vn_forwards_on_and_a_fail_closed_one_is_disconnected(void **state)
{
	struct world *w = *state;
	const struct nve_notice *last;

	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 9, P3, 100, 3), NVE_REASON_OK);
	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 1, P1, 100, 1), NVE_REASON_OK);
	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 2, P1, 300, 2), NVE_REASON_OK);
	assert_int_equal(ew_ask(w, NVE_EV_VN_CONNECT, 0, P3, 300, 0), NVE_REASON_OK);
	ew_yaml(w, "vns: []\n");
	assert_int_equal(nve_engine_reload(w->engine, w->now_ns, NULL), 0);
	assert_true(ew_frame(w, P3, 100, 3, 1).pass);
	assert_int_equal(ew_state_of(w, 1, P1, 100), NVE_TSI_ACTIVATED);
	assert_int_equal(ew_state_of(w, 2, P1, 300), NVE_TSI_INIT);
	assert_null(nve_core_vap(nve_engine_core(w->engine), P3, 300));
	last = &w->events[(w->n_events - 1) % 64].notice;
	assert_int_equal(last->kind, NVE_NOTICE_VN_DISCONNECTED);
	assert_int_equal(last->reason, NVE_REASON_VN_WITHDRAWN);
	assert_true(last->by_nve);
	/* The last of the withdrawn VN can still go, and nothing of it stays. */
	assert_int_equal(ew_ask(w, NVE_EV_CLEAR, 1, P1, 0, 0), NVE_REASON_OK);
	assert_int_equal(ew_ask(w, NVE_EV_CLEAR, 9, P3, 0, 0), NVE_REASON_OK);
	assert_int_equal(ew_used(w, "vtep") + ew_used(w, "fdb") + ew_used(w, "flood") +
				 ew_used(w, "tsi"),
			 0);
}

static void a_changed_vni_reaches_the_datapath_with_the_reload(void **state)
{
	struct world *w = *state;
	struct nve_ip vtep = { .family = 4, .bytes = { 192, 0, 2, 2 } };

	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 1, P1, 100, 1), NVE_REASON_OK);
	assert_true(nve_fake_from_vtep(ew_dp(w), &vtep, 5100, ew_mac(1).mac).pass);
	ew_yaml(w, "vns: [{id: 100, vni: 6100, vteps: [192.0.2.2]}]\n");
	assert_int_equal(nve_engine_reload(w->engine, w->now_ns, NULL), 0);
	assert_false(nve_fake_from_vtep(ew_dp(w), &vtep, 5100, ew_mac(1).mac).pass);
	assert_true(nve_fake_from_vtep(ew_dp(w), &vtep, 6100, ew_mac(1).mac).pass);
}

static void a_bad_file_changes_nothing(void **state)
{
	struct world *w = *state;
	char *before, *err = NULL;

	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 1, P1, 100, 1), NVE_REASON_OK);
	before = ew_text(w);
	ew_yaml(w, "vns: [{id: 0}]\n");
	assert_int_equal(nve_engine_reload(w->engine, w->now_ns, &err), -EINVAL);
	assert_non_null(err);
	free(err);
	ew_is_as(w, before);
}

static void a_reload_that_the_datapath_does_not_take_is_tried_again(void **state)
{
	struct world *w = *state;

	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 9, P3, 100, 3), NVE_REASON_OK);
	ew_yaml(w, moved_away);
	nve_fake_fail_apply(ew_dp(w), -EIO);
	assert_int_equal(nve_engine_reload(w->engine, w->now_ns, NULL), 0);
	assert_int_equal(nve_engine_next_deadline(w->engine), w->now_ns + SEC);
	w->now_ns += SEC;
	ew_run(w);
	assert_int_equal(ew_frame(w, P3, 100, 3, 1).dest.kind, NVE_DP_DEST_VTEP);
	w->now_ns += 2 * SEC; /* the store has heard of it */
	ew_run(w);
	assert_true(nve_engine_next_deadline(w->engine) > w->now_ns + SEC);
}

static const char verified[] =
	"vns:\n"
	"  - {id: 100, name: blue, vni: 5100, vteps: [192.0.2.2], security: verified}\n";

static void
a_verified_vn_lets_nobody_in_while_nothing_can_verify_and_what_is_there_can_go(void **state)
{
	struct world *w = *state;

	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 1, P1, 100, 1), NVE_REASON_OK);
	ew_yaml(w, verified);
	assert_int_equal(nve_engine_reload(w->engine, w->now_ns, NULL), 0);
	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 2, P1, 100, 2), NVE_REASON_NOT_AUTHORIZED);
	assert_int_equal(ew_ask(w, NVE_EV_ASSOCIATE, 2, P1, 100, 2), NVE_REASON_NOT_AUTHORIZED);
	assert_int_equal(ew_ask(w, NVE_EV_VN_CONNECT, 0, P2, 100, 0), NVE_REASON_NOT_AUTHORIZED);
	assert_int_equal(ew_state_of(w, 2, P1, 100), NVE_TSI_INIT);
	assert_int_equal(ew_ask(w, NVE_EV_CLEAR, 1, P1, 100, 0), NVE_REASON_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, ew_setup, ew_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_dead_hypervisor_is_cleaned_up_in_two_steps_and_its_tag_rests),
		TEST(frames_of_the_tsi_keep_it_activated),
		TEST(an_expiry_that_cannot_be_stored_waits_and_the_tsi_forwards_on),
		TEST(an_address_that_stays_activated_twice_is_told_once),
		TEST(the_later_activation_of_an_address_gets_its_frames_and_the_earlier_gets_them_back),
		TEST(an_address_that_the_nva_places_elsewhere_later_goes_there_until_activated_here),
		TEST(vteps_and_remote_macs_are_there_as_long_as_their_vn_has_a_vap),
		TEST(a_vn_is_found_by_name_and_unknown_ones_are_refused),
		TEST(what_is_here_can_be_taken_down_while_the_nva_is_away),
		TEST(a_request_whose_vn_is_being_asked_for_waits_for_it_and_no_longer_than_5_s),
		TEST(a_withdrawn_vn_forwards_on_and_a_fail_closed_one_is_disconnected),
		TEST(a_changed_vni_reaches_the_datapath_with_the_reload),
		TEST(a_bad_file_changes_nothing),
		TEST(a_verified_vn_lets_nobody_in_while_nothing_can_verify_and_what_is_there_can_go),
		TEST(a_reload_that_the_datapath_does_not_take_is_tried_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
