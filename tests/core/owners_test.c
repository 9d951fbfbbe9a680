/* SPDX-License-Identifier: Apache-2.0 */
/* Owners (B3): whose a TSI and a VN are, what they have, and that nobody takes another's along. */
#include "lib/core_world.h"

#include <stdlib.h>
#include <string.h>

enum { A = 1, B = 2, MAX_OWNERS = 4, UNCOUNTED = 9 };

static int open_owned(void **state)
{
	struct nve_core_config config = world_config;
	struct world *w = calloc(1, sizeof(*w));

	*state = w;
	config.max_owners = MAX_OWNERS;
	return w ? world_open_with(w, &config) : -1;
}

static void owner_has(const struct world *w, uint16_t owner, uint32_t tsis, uint32_t addrs,
		      uint32_t vaps)
{
	struct nve_owner_usage usage = nve_core_owner_usage(w->core, owner);

	assert_int_equal(usage.tsis, tsis);
	assert_int_equal(usage.addrs, addrs);
	assert_int_equal(usage.vaps, vaps);
}

static void what_an_owner_has_is_counted_and_given_back(void **state)
{
	struct nve_addr set[] = { mac(1), ip4(1) }, more[] = { mac(2) };
	struct nve_tsi_key one = tsi_key(1, 0, 7), two = tsi_key(2, 0, 7);
	struct world *w = *state;

	assert_ok(associate(w, one, SET_OF(set), .owner = A));
	assert_ok(activate(w, two, SET_OF(more), .owner = B));
	owner_has(w, A, 1, 2, 1);
	owner_has(w, B, 1, 1, 1);
	assert_ok(associate(w, tsi_key(1, 2, 7), .owner = A));
	assert_ok(vn_connect(w, 0, 7, .owner = A));
	owner_has(w, A, 2, 2, 2); /* the VN on port 0 counts once, whatever it is held by */
	assert_ok(UPDATE(w, one, REMOVING(set), .owner = A));
	owner_has(w, A, 2, 0, 2);
	assert_ok(clear(w, one, .owner = A));
	assert_ok(clear(w, tsi_key(1, 2, 7), .owner = A));
	owner_has(w, A, 0, 0, 1);
	assert_ok(vn_disconnect(w, 0, 7));
	owner_has(w, A, 0, 0, 0);
	owner_has(w, B, 0, 0, 0);
}

static void an_owner_without_a_count_is_kept_all_the_same(void **state)
{
	struct nve_tsi_key key = tsi_key(1, 0, 7);
	struct world *w = *state;

	assert_ok(associate(w, key, .owner = UNCOUNTED));
	assert_int_equal(world_tsi(w, key)->owner, UNCOUNTED);
	owner_has(w, UNCOUNTED, 0, 0, 0);
	assert_ok(clear(w, key, .owner = UNCOUNTED));
}

static void a_clear_in_every_vn_of_ones_own_leaves_anothers_instance(void **state)
{
	struct nve_tsi_key mine = tsi_key(1, 0, 7), theirs = tsi_key(1, 0, 8);
	struct world *w = *state;

	assert_ok(associate(w, mine, .owner = A));
	assert_ok(associate(w, theirs, .owner = B));
	assert_ok(clear(w, tsi_key(1, 0, 0), .owner = A, .flags = NVE_EV_OWN_ONLY));
	assert_int_equal(w->answer.n_cleared, 1);
	assert_int_equal(world_state(w, mine), NVE_TSI_INIT);
	assert_int_equal(world_state(w, theirs), NVE_TSI_ASSOCIATED);
	assert_ok(clear(w, tsi_key(1, 0, 0)));
	assert_int_equal(w->answer.n_cleared, 1);
}

static void a_vn_is_disconnected_for_its_owner_alone(void **state)
{
	struct nve_tsi_key mine = tsi_key(1, 0, 7), theirs = tsi_key(2, 0, 7);
	struct world *w = *state;

	assert_ok(associate(w, mine, .owner = A));
	assert_ok(associate(w, theirs, .owner = B));
	assert_refused(vn_disconnect(w, 0, 7, .owner = 3, .flags = NVE_EV_OWN_ONLY),
		       VN_NOT_CONNECTED);
	assert_refused(vn_disconnect(w, 0, 7, .owner = A,
				     .flags = NVE_EV_OWN_ONLY | NVE_EV_ONLY_IF_UNUSED),
		       VN_IN_USE);
	assert_ok(vn_disconnect(w, 0, 7, .owner = A, .flags = NVE_EV_OWN_ONLY));
	assert_int_equal(w->answer.n_cleared, 1);
	assert_int_equal(world_state(w, mine), NVE_TSI_INIT);
	assert_int_equal(world_state(w, theirs), NVE_TSI_ASSOCIATED);
	world_forget(w);
	assert_ok(vn_disconnect(w, 0, 7, .owner = B, .flags = NVE_EV_OWN_ONLY));
	assert_null(nve_core_vap(w->core, 0, 7));
	assert_int_equal(world_notice(w, NVE_NOTICE_VN_DISCONNECTED)->owner, B);
}

static void a_vn_that_two_have_connected_is_neither_ones_to_disconnect(void **state)
{
	struct world *w = *state;

	assert_ok(vn_connect(w, 0, 7, .owner = A));
	assert_ok(vn_connect(w, 0, 7, .owner = A));
	assert_true(w->answer.unchanged);
	assert_ok(vn_connect(w, 0, 7, .owner = B));
	assert_int_equal(nve_core_vap(w->core, 0, 7)->owner, NVE_OWNER_SHARED);
	for (uint16_t owner = A; owner <= B; owner++)
		assert_refused(vn_disconnect(w, 0, 7, .owner = owner, .flags = NVE_EV_OWN_ONLY),
			       VN_NOT_CONNECTED);
	assert_ok(vn_disconnect(w, 0, 7, .owner = 3));
	assert_null(nve_core_vap(w->core, 0, 7));
}

/* D16: who signals it with a cause says that it is there now. */
static void a_tsi_changes_hands_with_a_cause_and_both_are_told(void **state)
{
	struct nve_tsi_key key = tsi_key(1, 0, 7);
	struct nve_addr set[] = { mac(1) };
	struct world *w = *state;
	const struct nve_notice *notice;

	assert_ok(activate(w, key, SET_OF(set), .owner = A));
	assert_ok(activate(w, key, .owner = B));
	assert_int_equal(world_tsi(w, key)->owner, A);
	assert_ok(deactivate(w, key, .owner = B));
	assert_ok(activate(w, key, .owner = A));
	world_forget(w);
	assert_ok(activate(w, key, .owner = B, .cause = NVE_CAUSE_MIGRATE_IN));
	assert_int_equal(world_tsi(w, key)->owner, B);
	assert_false(w->answer.unchanged);
	notice = world_notice(w, NVE_NOTICE_TSI_UPDATED);
	assert_int_equal(notice->owner, B);
	assert_int_equal(notice->was_owner, A);
	owner_has(w, A, 0, 0, 0);
	owner_has(w, B, 1, 1, 1);
}

static void nobodys_tsi_is_whose_signals_it(void **state)
{
	struct nve_tsi_key key = tsi_key(1, 0, 7);
	struct world *w = *state;

	assert_ok(associate(w, key));
	assert_ok(associate(w, key, .owner = A));
	assert_int_equal(world_tsi(w, key)->owner, A);
	assert_ok(UPDATE(w, key, .owner = B));
	assert_int_equal(world_tsi(w, key)->owner, A);
}

static void what_a_timer_does_is_told_as_the_owners(void **state)
{
	struct nve_tsi_key key = tsi_key(1, 0, 7);
	struct world *w = *state;

	assert_ok(associate(w, key, .owner = A));
	world_forget(w);
	world_expire_until(w, w->now_ns + 400000 * MS);
	assert_int_equal(world_notice(w, NVE_NOTICE_TSI_STATE)->owner, A);
	assert_int_equal(world_notice(w, NVE_NOTICE_VN_DISCONNECTED)->owner, A);
	owner_has(w, A, 0, 0, 0);
}

static void owners_are_restored(void **state)
{
	struct nve_tsi tsi = { .key = tsi_key(1, 0, 7),
			       .state = NVE_TSI_ASSOCIATED,
			       .deadline_ns = NVE_NEVER_NS,
			       .glean_ns = NVE_NEVER_NS,
			       .n_addrs = 1,
			       .owner = B };
	struct nve_tsi_addr addr = { .addr = mac(1) };
	struct world *w = *state;

	assert_int_equal(nve_core_restore_vap(w->core, 0, 7, 100, true), 0);
	assert_int_equal(nve_core_restore_vap(w->core, 2, 7, 100, false), 0);
	assert_int_equal(nve_core_restore_vap_owner(w->core, 0, 7, A), 0);
	assert_int_not_equal(nve_core_restore_vap_owner(w->core, 2, 7, A), 0);
	assert_int_not_equal(nve_core_restore_vap_owner(w->core, 1, 7, A), 0);
	assert_int_equal(nve_core_restore_tsi(w->core, 0, &tsi, &addr), 0);
	owner_has(w, A, 0, 0, 1);
	owner_has(w, B, 1, 1, 1);
	assert_ok(vn_disconnect(w, 2, 7));
	assert_ok(clear(w, tsi.key, .owner = B));
	owner_has(w, B, 0, 0, 0);
}

static uint32_t draw(uint64_t *seed, uint32_t n)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33) % n;
}

/* The invariants (nve_owner_check() among them) hold after each step, and all can be taken back. */
static void whatever_happens_the_counts_are_right_and_rollback_restores_them(void **state)
{
	struct world *w = *state;
	uint8_t *before = malloc(w->core->state_size);
	struct nve_core_mark mark = nve_core_mark(w->core);
	uint64_t seed = 4711;

	memcpy(before, w->core->state, w->core->state_size);
	for (int i = 0; i < 3000; i++) {
		struct nve_addr set[] = { mac(draw(&seed, 9)), ip4(draw(&seed, 9)) };
		struct nve_event ev = { .kind = (uint8_t)draw(&seed, NVE_EV_DATA_SEEN),
					.cause = (uint8_t)draw(&seed, 4),
					.owner = (uint16_t)draw(&seed, MAX_OWNERS + 2),
					.key = tsi_key(1 + draw(&seed, 3), (uint16_t)draw(&seed, 4),
						       7 + draw(&seed, 2)),
					.new_port = NVE_PORT_NONE };

		if (draw(&seed, 2)) {
			ev.addrs = set;
			ev.n_addrs = 2;
			ev.flags |= NVE_EV_HAS_ADDRS;
		}
		if (draw(&seed, 2))
			ev.flags |= NVE_EV_OWN_ONLY;
		if (ev.kind == NVE_EV_UPDATE && draw(&seed, 2))
			ev.new_port = (uint16_t)draw(&seed, 4);
		if (ev.kind == NVE_EV_CLEAR && draw(&seed, 4) == 0)
			ev.key.vn_id = 0;
		world_step(w, &ev);
		if (draw(&seed, 50))
			continue;
		nve_core_rollback(w->core, mark);
		assert_memory_equal(before, w->core->state, w->core->state_size);
		world_expire_until(w, w->now_ns + draw(&seed, 400000) * MS);
		nve_core_forget(w->core);
		mark = nve_core_mark(w->core);
		memcpy(before, w->core->state, w->core->state_size);
	}
	free(before);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_owned, world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_an_owner_has_is_counted_and_given_back),
		TEST(an_owner_without_a_count_is_kept_all_the_same),
		TEST(a_clear_in_every_vn_of_ones_own_leaves_anothers_instance),
		TEST(a_vn_is_disconnected_for_its_owner_alone),
		TEST(a_vn_that_two_have_connected_is_neither_ones_to_disconnect),
		TEST(a_tsi_changes_hands_with_a_cause_and_both_are_told),
		TEST(nobodys_tsi_is_whose_signals_it),
		TEST(what_a_timer_does_is_told_as_the_owners),
		TEST(owners_are_restored),
		TEST(whatever_happens_the_counts_are_right_and_rollback_restores_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
