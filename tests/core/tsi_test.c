/* SPDX-License-Identifier: Apache-2.0 */
/* The TSI machine: requirements 3.1 cell by cell, the decisions about it, updates, subsets. */
#include "lib/core_world.h"

#include <stdlib.h>
#include <string.h>

static struct nve_tsi_key K;

static int open_with_key(void **state)
{
	K = tsi_key(1, 0, 7);
	return world_open(state);
}

/* Takes K to 'to', from Init. */
static void bring(struct world *w, enum nve_tsi_state to)
{
	struct nve_addr set[] = { mac(1), ip4(1) };

	if (to == NVE_TSI_ASSOCIATED)
		assert_ok(associate(w, K, SET_OF(set)));
	if (to == NVE_TSI_ACTIVATED)
		assert_ok(activate(w, K, SET_OF(set)));
	assert_int_equal(world_state(w, K), to);
}

enum { REFUSED = -1 };

/* Requirements 3.1, row by row. */
static const struct cell {
	enum nve_tsi_state from;
	enum nve_event_kind kind;
	int to; /* or REFUSED */
	bool unchanged;
} cells[] = {
	{ NVE_TSI_INIT, NVE_EV_ASSOCIATE, NVE_TSI_ASSOCIATED, false },
	{ NVE_TSI_INIT, NVE_EV_ACTIVATE, NVE_TSI_ACTIVATED, false },
	{ NVE_TSI_INIT, NVE_EV_DEACTIVATE, REFUSED, false },
	{ NVE_TSI_INIT, NVE_EV_DISASSOCIATE, NVE_TSI_INIT, true },
	{ NVE_TSI_INIT, NVE_EV_CLEAR, NVE_TSI_INIT, true },
	{ NVE_TSI_INIT, NVE_EV_UPDATE, REFUSED, false },
	{ NVE_TSI_INIT, NVE_EV_KEEPALIVE, REFUSED, false },
	{ NVE_TSI_INIT, NVE_EV_KEEPACTIVE, REFUSED, false },
	{ NVE_TSI_INIT, NVE_EV_DATA_SEEN, REFUSED, false },
	{ NVE_TSI_INIT, NVE_EV_EXPIRE, REFUSED, false },
	{ NVE_TSI_INIT, NVE_EV_GLEAN, REFUSED, false },
	{ NVE_TSI_ASSOCIATED, NVE_EV_ASSOCIATE, NVE_TSI_ASSOCIATED, true },
	{ NVE_TSI_ASSOCIATED, NVE_EV_ACTIVATE, NVE_TSI_ACTIVATED, false },
	{ NVE_TSI_ASSOCIATED, NVE_EV_DEACTIVATE, NVE_TSI_ASSOCIATED, true },
	{ NVE_TSI_ASSOCIATED, NVE_EV_DISASSOCIATE, NVE_TSI_INIT, false },
	{ NVE_TSI_ASSOCIATED, NVE_EV_CLEAR, NVE_TSI_INIT, false },
	{ NVE_TSI_ASSOCIATED, NVE_EV_UPDATE, NVE_TSI_ASSOCIATED, true },
	{ NVE_TSI_ASSOCIATED, NVE_EV_KEEPALIVE, NVE_TSI_ASSOCIATED, true },
	{ NVE_TSI_ASSOCIATED, NVE_EV_KEEPACTIVE, REFUSED, false },
	{ NVE_TSI_ASSOCIATED, NVE_EV_DATA_SEEN, REFUSED, false },
	{ NVE_TSI_ASSOCIATED, NVE_EV_EXPIRE, NVE_TSI_INIT, false },
	{ NVE_TSI_ASSOCIATED, NVE_EV_GLEAN, REFUSED, false },
	{ NVE_TSI_ACTIVATED, NVE_EV_ASSOCIATE, REFUSED, false }, /* D1 */
	{ NVE_TSI_ACTIVATED, NVE_EV_ACTIVATE, NVE_TSI_ACTIVATED, true },
	{ NVE_TSI_ACTIVATED, NVE_EV_DEACTIVATE, NVE_TSI_ASSOCIATED, false },
	{ NVE_TSI_ACTIVATED, NVE_EV_DISASSOCIATE, NVE_TSI_INIT, false }, /* D2 */
	{ NVE_TSI_ACTIVATED, NVE_EV_CLEAR, NVE_TSI_INIT, false },
	{ NVE_TSI_ACTIVATED, NVE_EV_UPDATE, NVE_TSI_ACTIVATED, true },
	{ NVE_TSI_ACTIVATED, NVE_EV_KEEPALIVE, NVE_TSI_ACTIVATED, true },
	{ NVE_TSI_ACTIVATED, NVE_EV_KEEPACTIVE, NVE_TSI_ACTIVATED, true },
	{ NVE_TSI_ACTIVATED, NVE_EV_DATA_SEEN, NVE_TSI_ACTIVATED, true },
	{ NVE_TSI_ACTIVATED, NVE_EV_EXPIRE, NVE_TSI_ASSOCIATED, false },
	{ NVE_TSI_ACTIVATED, NVE_EV_GLEAN, REFUSED, false }, /* it is no option of this TSI */
};

static void try_cell(const struct cell *cell)
{
	struct world w;
	struct nve_event ev = { .kind = cell->kind, .key = K, .new_port = NVE_PORT_NONE };
	const char *want = "OK";

	assert_int_equal(world_open_with(&w, &world_config), 0);
	bring(&w, cell->from);
	if (cell->kind == NVE_EV_EXPIRE) {
		ev.now_ns = w.now_ns + 400000 * MS;
		ev.due = (struct nve_due){ NVE_DUE_TSI, nve_core_find_tsi(w.core, &K) };
	}
	if (cell->to == REFUSED)
		want = cell->from == NVE_TSI_INIT && cell->kind != NVE_EV_EXPIRE
			       ? "UNKNOWN_TSI"
			       : "ILLEGAL_TRANSITION";
	assert_string_equal(nve_reason_name(world_step(&w, &ev)), want);
	assert_int_equal(w.answer.unchanged, cell->unchanged);
	assert_int_equal(w.answer.state, cell->to == REFUSED ? (int)cell->from : cell->to);
	assert_int_equal(world_state(&w, K), w.answer.state);
	nve_core_free(w.core);
	free(w.bytes);
}

static void every_cell_of_the_table_does_what_the_requirements_say(void **state)
{
	(void)state;
	assert_int_equal(ARRAY_SIZE(cells), NVE_TSI_STATES * (NVE_EVENTS - NVE_EV_ASSOCIATE));
	for (size_t i = 0; i < ARRAY_SIZE(cells); i++)
		try_cell(&cells[i]);
}

/* S13, S63: the answer says all that was granted. */
static void the_answer_to_activate_says_what_was_granted(void **state)
{
	struct world *w = *state;

	bring(w, NVE_TSI_ACTIVATED);
	assert_int_equal(w->answer.tag, 100);
	assert_int_equal(w->answer.vn_id, 7);
	assert_int_equal(w->answer.epoch, w->epoch);
	assert_int_equal(w->answer.keepalive_ms, 300000);
	assert_int_equal(w->answer.keepactive_ms, 30000);
	assert_int_equal(w->answer.slot, nve_core_find_tsi(w->core, &K));
}

static void a_tsi_knows_since_when_it_is_in_its_state(void **state)
{
	struct world *w = *state;
	struct nve_addr more[] = { mac(8) };
	uint64_t since;

	bring(w, NVE_TSI_ASSOCIATED);
	assert_int_equal(world_tsi(w, K)->since_ns, w->now_ns);
	assert_ok(activate(w, K, .cause = NVE_CAUSE_MIGRATE_IN));
	since = w->now_ns;
	assert_int_equal(world_tsi(w, K)->cause, NVE_CAUSE_MIGRATE_IN);
	assert_ok(UPDATE(w, K, ADDING(more)));
	assert_int_equal(world_tsi(w, K)->since_ns, since);
	assert_int_equal(world_tsi(w, K)->cause, NVE_CAUSE_MIGRATE_IN);
	assert_ok(deactivate(w, K));
	assert_int_equal(world_tsi(w, K)->since_ns, w->now_ns);
}

/* A repeat with other parameters is an update, never a silent accept. */
static void a_repeat_with_other_addresses_becomes_exactly_that_set(void **state)
{
	struct world *w = *state;
	struct nve_addr set[] = { ip4(1), ip6(9) };
	struct nve_tsi_addr has[NVE_TSI_ADDRS_MAX];

	for (unsigned int to = NVE_TSI_ASSOCIATED; to <= NVE_TSI_ACTIVATED; to++) {
		bring(w, to);
		world_forget(w);
		assert_ok(STEP(
			w, .kind = to == NVE_TSI_ASSOCIATED ? NVE_EV_ASSOCIATE : NVE_EV_ACTIVATE,
			.key = K, SET_OF(set)));
		assert_false(w->answer.unchanged);
		assert_int_equal(world_notices(w, NVE_NOTICE_TSI_UPDATED), 1);
		assert_int_equal(world_notices(w, NVE_NOTICE_TSI_STATE), 0);
		assert_int_equal(nve_core_tsi_addrs(w->core, w->answer.slot, has), 2);
		assert_memory_equal(&has[0].addr, &set[0], sizeof(set[0]));
		assert_memory_equal(&has[1].addr, &set[1], sizeof(set[1]));
		assert_int_equal(has[1].active, to == NVE_TSI_ACTIVATED);
		assert_int_equal(world_state(w, K), to);
		assert_ok(clear(w, K));
	}
}

static void a_repeat_with_the_same_set_in_another_order_changes_nothing(void **state)
{
	struct world *w = *state;
	struct nve_addr turned[] = { ip4(1), mac(1) };

	bring(w, NVE_TSI_ACTIVATED);
	world_forget(w);
	assert_ok(activate(w, K, SET_OF(turned)));
	assert_true(w->answer.unchanged);
	assert_int_equal(w->answer.epoch, w->epoch - 1);
}

static void activating_with_another_set_updates_and_activates_in_one(void **state)
{
	struct world *w = *state;
	struct nve_addr set[] = { mac(1), mac(2), mac(3) };

	bring(w, NVE_TSI_ASSOCIATED);
	world_forget(w);
	assert_ok(activate(w, K, SET_OF(set)));
	assert_int_equal(world_tsi(w, K)->n_addrs, 3);
	assert_int_equal(world_tsi(w, K)->n_active, 3);
	assert_int_equal(world_notices(w, NVE_NOTICE_TSI_UPDATED), 1);
	assert_int_equal(world_notice(w, NVE_NOTICE_TSI_STATE)->from, NVE_TSI_ASSOCIATED);
}

/* S14, S66: addresses may come later. */
static void a_tsi_may_be_associated_without_addresses(void **state)
{
	struct world *w = *state;
	struct nve_addr later[] = { mac(5) };

	assert_ok(activate(w, K));
	assert_int_equal(world_tsi(w, K)->n_addrs, 0);
	assert_ok(UPDATE(w, K, ADDING(later)));
	assert_int_equal(world_tsi(w, K)->n_active, 1);
}

/* S50, S66, S67 */
static void an_update_adds_and_removes_and_never_changes_the_state(void **state)
{
	struct world *w = *state;
	struct nve_addr add[] = { mac(9) }, remove[] = { mac(1), ip4(1) }, last[] = { mac(9) };

	for (unsigned int to = NVE_TSI_ASSOCIATED; to <= NVE_TSI_ACTIVATED; to++) {
		bring(w, to);
		assert_ok(UPDATE(w, K, ADDING(add)));
		assert_int_equal(world_tsi(w, K)->n_addrs, 3);
		assert_int_equal(world_tsi(w, K)->n_active, to == NVE_TSI_ACTIVATED ? 3 : 0);
		assert_ok(UPDATE(w, K, ADDING(add)));
		assert_true(w->answer.unchanged);
		assert_ok(UPDATE(w, K, REMOVING(remove)));
		assert_int_equal(world_tsi(w, K)->n_addrs, 1);
		assert_refused(UPDATE(w, K, REMOVING(remove)), UNKNOWN_ADDRESS);
		assert_ok(UPDATE(w, K, REMOVING(last)));
		assert_int_equal(world_tsi(w, K)->n_addrs, 0);
		assert_int_equal(world_state(w, K), to);
		assert_ok(clear(w, K));
	}
}

/* S67: a new IP for a MAC, in one message. */
static void an_update_changes_an_address_in_one_step(void **state)
{
	struct world *w = *state;
	struct nve_addr old[] = { mac_ip4(1, 1) }, new[] = { mac_ip4(1, 2) };
	struct nve_tsi_addr has[NVE_TSI_ADDRS_MAX];

	assert_ok(activate(w, K, SET_OF(old)));
	assert_ok(UPDATE(w, K, ADDING(new), REMOVING(old)));
	assert_int_equal(nve_core_tsi_addrs(w->core, w->answer.slot, has), 1);
	assert_memory_equal(&has[0].addr, &new[0], sizeof(new[0]));
	assert_true(has[0].active);
}

/* S70 */
static void a_move_takes_slot_state_epoch_and_timer_along(void **state)
{
	struct world *w = *state;
	struct nve_tsi_key there = tsi_key(1, 1, 7);
	struct nve_tsi was;

	bring(w, NVE_TSI_ACTIVATED);
	was = *world_tsi(w, K);
	world_forget(w);
	assert_ok(STEP(w, .kind = NVE_EV_UPDATE, .key = K, .new_port = 1));
	assert_int_equal(w->answer.slot, nve_core_find_tsi(w->core, &there));
	assert_int_equal(w->answer.tag, 100);
	assert_null(nve_core_vap(w->core, 0, 7));
	assert_non_null(nve_core_vap(w->core, 1, 7));
	assert_int_equal(world_notice(w, NVE_NOTICE_TSI_UPDATED)->new_port, 1);
	assert_int_equal(world_actions(w, NVE_ACT_TAG), 0); /* the scope is the same */
	was.key.port = 1;
	assert_memory_equal(world_tsi(w, there), &was, sizeof(was));
}

static void a_move_to_another_scope_gets_that_scopes_tag(void **state)
{
	struct world *w = *state;

	assert_ok(vn_connect(w, 2, 8)); /* takes 100 in scope 1 */
	bring(w, NVE_TSI_ACTIVATED);
	assert_ok(STEP(w, .kind = NVE_EV_UPDATE, .key = K, .new_port = 2));
	assert_int_equal(w->answer.tag, 101);
	assert_int_equal(nve_core_tag(w->core, 0, 100).use, NVE_TAG_QUARANTINED);
}

static void a_move_is_refused_where_it_cannot_be(void **state)
{
	struct world *w = *state;
	struct nve_addr same[] = { mac(1) };

	bring(w, NVE_TSI_ACTIVATED);
	assert_refused(STEP(w, .kind = NVE_EV_UPDATE, .key = K, .new_port = 4), UNKNOWN_PORT);
	assert_refused(STEP(w, .kind = NVE_EV_UPDATE, .key = K, .new_port = 99), UNKNOWN_PORT);
	assert_ok(associate(w, tsi_key(2, 2, 7), SET_OF(same)));
	assert_refused(STEP(w, .kind = NVE_EV_UPDATE, .key = K, .new_port = 2), ADDRESS_IN_USE);
	assert_ok(associate(w, tsi_key(1, 1, 7)));
	assert_refused(STEP(w, .kind = NVE_EV_UPDATE, .key = K, .new_port = 1), ILLEGAL_TRANSITION);
}

/* D13, B9 */
static void some_addresses_can_be_activated_and_deactivated_alone(void **state)
{
	struct world *w = *state;
	struct nve_addr first[] = { mac(1) }, second[] = { ip4(1) }, unknown[] = { mac(77) };

	bring(w, NVE_TSI_ASSOCIATED);
	assert_refused(activate(w, K, ONLY(unknown)), UNKNOWN_ADDRESS);
	assert_ok(activate(w, K, ONLY(first)));
	assert_int_equal(world_tsi(w, K)->n_active, 1);
	assert_ok(activate(w, K, ONLY(second)));
	assert_int_equal(world_tsi(w, K)->n_active, 2);
	assert_int_equal(world_tsi(w, K)->epoch, w->epoch);
	assert_refused(deactivate(w, K, ONLY(unknown)), UNKNOWN_ADDRESS);
	assert_ok(deactivate(w, K, ONLY(first)));
	assert_int_equal(world_state(w, K), NVE_TSI_ACTIVATED);
	assert_false(nve_core_addr_works(w->core, w->answer.slot, &first[0]));
	assert_true(nve_core_addr_works(w->core, w->answer.slot, &second[0]));
	assert_ok(deactivate(w, K, ONLY(first)));
	assert_true(w->answer.unchanged);
	assert_ok(deactivate(w, K, ONLY(second)));
	assert_int_equal(world_state(w, K), NVE_TSI_ASSOCIATED);
}

static void from_init_all_are_reserved_and_only_the_named_are_active(void **state)
{
	struct world *w = *state;
	struct nve_addr set[] = { mac(1), mac(2), mac(3) };

	assert_ok(STEP(w, .kind = NVE_EV_ACTIVATE, .key = K,
		       .flags = NVE_EV_HAS_ADDRS | NVE_EV_HAS_ONLY, .addrs = set, .n_addrs = 3,
		       .only = &set[1], .n_only = 1));
	assert_int_equal(world_tsi(w, K)->n_addrs, 3);
	assert_int_equal(world_tsi(w, K)->n_active, 1);
	assert_true(nve_core_addr_works(w->core, w->answer.slot, &set[1]));
	assert_ok(activate(w, K));
	assert_int_equal(world_tsi(w, K)->n_active, 3);
	assert_refused(STEP(w, .kind = NVE_EV_ACTIVATE, .key = K, .flags = NVE_EV_HAS_ONLY),
		       INVALID_REQUEST);
}

/* D10: who asked is told, and why. */
static void what_the_nve_does_by_itself_says_so_and_why(void **state)
{
	struct world *w = *state;
	const struct nve_notice *notice;

	bring(w, NVE_TSI_ACTIVATED);
	assert_ok(deactivate(w, K, .flags = NVE_EV_BY_NVE, .why = NVE_REASON_OPERATOR));
	notice = world_notice(w, NVE_NOTICE_TSI_STATE);
	assert_true(notice->by_nve);
	assert_refused(notice->reason, OPERATOR);
	assert_int_equal(notice->from, NVE_TSI_ACTIVATED);
	assert_int_equal(notice->to, NVE_TSI_ASSOCIATED);
	world_forget(w);
	assert_ok(clear(w, K));
	assert_false(world_notice(w, NVE_NOTICE_TSI_STATE)->by_nve);
	assert_ok(world_notice(w, NVE_NOTICE_TSI_STATE)->reason);
}

/* S87: told apart by port; the old one's end does not hurt the new one. */
static void two_instances_of_a_tsi_on_two_ports_are_two(void **state)
{
	struct world *w = *state;
	struct nve_tsi_key there = tsi_key(1, 1, 7);
	struct nve_addr set[] = { mac(1), ip4(1) };

	bring(w, NVE_TSI_ACTIVATED);
	assert_ok(activate(w, there, SET_OF(set)));
	assert_int_equal(nve_core_vap(w->core, 0, 7)->n_activated, 1);
	assert_ok(clear(w, K));
	assert_int_equal(world_state(w, K), NVE_TSI_INIT);
	assert_int_equal(world_state(w, there), NVE_TSI_ACTIVATED);
	assert_true(nve_core_addr_works(w->core, nve_core_find_tsi(w->core, &there), &set[0]));
}

static void a_freed_slot_is_not_recycled_at_once(void **state)
{
	struct world *w = *state;
	uint32_t first;

	bring(w, NVE_TSI_ASSOCIATED);
	first = w->answer.slot;
	assert_ok(clear(w, K));
	for (uint32_t i = 1; i < world_config.max_tsis; i++) {
		assert_ok(associate(w, K));
		assert_int_not_equal(w->answer.slot, first);
		assert_ok(clear(w, K));
	}
	assert_ok(associate(w, K));
	assert_int_equal(w->answer.slot, first);
}

static void every_reason_has_a_name_a_text_and_a_remedy(void **state)
{
	(void)state;
	for (int i = 1; i <= NVE_REASON_GLEANING_CONFLICT; i++) {
		assert_true(strlen(nve_reason_name(i)) > 2);
		assert_true(strlen(nve_reason_text(i)) > 5);
		assert_true(strlen(nve_reason_remedy(i)) > 5);
	}
	assert_string_equal(nve_reason_remedy(NVE_REASON_OK), "");
	assert_string_equal(nve_reason_name(4711), "INTERNAL");
	assert_string_equal(nve_reason_text(-1), nve_reason_text(NVE_REASON_INTERNAL));
}

#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, open_with_key, world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_WORLD(every_cell_of_the_table_does_what_the_requirements_say),
		IN_WORLD(the_answer_to_activate_says_what_was_granted),
		IN_WORLD(a_tsi_knows_since_when_it_is_in_its_state),
		IN_WORLD(a_repeat_with_other_addresses_becomes_exactly_that_set),
		IN_WORLD(a_repeat_with_the_same_set_in_another_order_changes_nothing),
		IN_WORLD(activating_with_another_set_updates_and_activates_in_one),
		IN_WORLD(a_tsi_may_be_associated_without_addresses),
		IN_WORLD(an_update_adds_and_removes_and_never_changes_the_state),
		IN_WORLD(an_update_changes_an_address_in_one_step),
		IN_WORLD(a_move_takes_slot_state_epoch_and_timer_along),
		IN_WORLD(a_move_to_another_scope_gets_that_scopes_tag),
		IN_WORLD(a_move_is_refused_where_it_cannot_be),
		IN_WORLD(some_addresses_can_be_activated_and_deactivated_alone),
		IN_WORLD(from_init_all_are_reserved_and_only_the_named_are_active),
		IN_WORLD(what_the_nve_does_by_itself_says_so_and_why),
		IN_WORLD(two_instances_of_a_tsi_on_two_ports_are_two),
		IN_WORLD(a_freed_slot_is_not_recycled_at_once),
		cmocka_unit_test(every_reason_has_a_name_a_text_and_a_remedy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
