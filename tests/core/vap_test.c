/* SPDX-License-Identifier: Apache-2.0 */
/* VAPs and local tags: connecting, scopes, proposals, quarantine. */
#include "lib/core_world.h"

#include <stdlib.h>

/* S40, S91 */
static void an_explicit_connect_gives_a_tag_and_stays(void **state)
{
	struct world *w = *state;
	struct nve_tsi_key key = tsi_key(1, 0, 7);

	assert_ok(vn_connect(w, 0, 7));
	assert_int_equal(w->answer.tag, 100);
	assert_int_equal(world_notice(w, NVE_NOTICE_VN_CONNECTED)->tag, 100);
	assert_ok(vn_connect(w, 0, 7));
	assert_true(w->answer.unchanged);
	assert_ok(associate(w, key));
	assert_ok(clear(w, key));
	assert_non_null(nve_core_vap(w->core, 0, 7));
}

/* S41, D4, S82 */
static void the_first_tsi_connects_and_the_last_one_disconnects(void **state)
{
	struct world *w = *state;

	assert_ok(activate(w, tsi_key(1, 0, 7)));
	assert_ok(associate(w, tsi_key(2, 0, 7)));
	assert_int_equal(nve_core_vap(w->core, 0, 7)->n_tsi, 2);
	assert_int_equal(nve_core_vap(w->core, 0, 7)->n_activated, 1);
	assert_false(nve_core_vap(w->core, 0, 7)->connected_explicitly);
	assert_ok(clear(w, tsi_key(1, 0, 7)));
	assert_non_null(nve_core_vap(w->core, 0, 7));
	world_forget(w);
	assert_ok(clear(w, tsi_key(2, 0, 7)));
	assert_null(nve_core_vap(w->core, 0, 7));
	assert_int_equal(world_notices(w, NVE_NOTICE_VN_DISCONNECTED), 1);
}

static void an_explicit_connect_makes_an_implicit_one_stay(void **state)
{
	struct world *w = *state;

	assert_ok(associate(w, tsi_key(1, 0, 7)));
	assert_ok(vn_connect(w, 0, 7));
	assert_false(w->answer.unchanged);
	assert_ok(clear(w, tsi_key(1, 0, 7)));
	assert_true(nve_core_vap(w->core, 0, 7)->connected_explicitly);
}

/* S42, D3 */
static void a_disconnect_takes_all_tsis_of_that_port_and_vn(void **state)
{
	struct world *w = *state;
	struct nve_addr set[] = { mac(1), mac(2) };

	assert_ok(vn_connect(w, 0, 7));
	assert_ok(activate(w, tsi_key(1, 0, 7), SET_OF(set)));
	assert_ok(associate(w, tsi_key(2, 0, 7)));
	assert_ok(activate(w, tsi_key(1, 1, 7), SET_OF(set)));
	assert_refused(vn_disconnect(w, 0, 7, .flags = NVE_EV_ONLY_IF_UNUSED), VN_IN_USE);
	world_forget(w);
	assert_ok(vn_disconnect(w, 0, 7));
	assert_int_equal(w->answer.n_cleared, 2);
	assert_int_equal(world_notices(w, NVE_NOTICE_TSI_STATE), 2);
	assert_refused(world_notice(w, NVE_NOTICE_TSI_STATE)->reason, VN_DISCONNECTED);
	assert_ok(world_notice(w, NVE_NOTICE_VN_DISCONNECTED)->reason);
	assert_int_equal(world_state(w, tsi_key(1, 0, 7)), NVE_TSI_INIT);
	assert_int_equal(world_state(w, tsi_key(1, 1, 7)), NVE_TSI_ACTIVATED);
	assert_refused(vn_disconnect(w, 0, 7), VN_NOT_CONNECTED);
	assert_ok(vn_connect(w, 0, 8));
	assert_ok(vn_disconnect(w, 0, 8, .flags = NVE_EV_ONLY_IF_UNUSED));
}

/* B7 */
static void the_nve_disconnects_a_vn_with_a_reason_for_all(void **state)
{
	struct world *w = *state;

	assert_ok(activate(w, tsi_key(1, 0, 7)));
	world_forget(w);
	assert_ok(vn_disconnect(w, 0, 7, .flags = NVE_EV_BY_NVE, .why = NVE_REASON_VN_WITHDRAWN));
	assert_refused(world_notice(w, NVE_NOTICE_TSI_STATE)->reason, VN_WITHDRAWN);
	assert_refused(world_notice(w, NVE_NOTICE_VN_DISCONNECTED)->reason, VN_WITHDRAWN);
	assert_true(world_notice(w, NVE_NOTICE_VN_DISCONNECTED)->by_nve);
}

static void connecting_needs_an_access_port_and_a_vn(void **state)
{
	struct world *w = *state;

	assert_refused(vn_connect(w, 4, 7), UNKNOWN_PORT);
	assert_refused(vn_connect(w, 5, 7), UNKNOWN_PORT);
	assert_refused(vn_connect(w, 0, 0), INVALID_VN);
	assert_refused(vn_connect(w, 0, 1 << 24), INVALID_VN);
	assert_refused(associate(w, tsi_key(1, 4, 7)), UNKNOWN_PORT);
}

/* S34 */
static void one_tag_means_two_vns_on_ports_of_two_scopes(void **state)
{
	struct world *w = *state;

	assert_ok(vn_connect(w, 0, 7));
	assert_int_equal(w->answer.tag, 100);
	assert_ok(vn_connect(w, 2, 8));
	assert_int_equal(w->answer.tag, 100);
	assert_int_equal(nve_core_tag(w->core, 0, 100).vn_id, 7);
	assert_int_equal(nve_core_tag(w->core, 1, 100).vn_id, 8);
}

/* S35 */
static void in_one_scope_a_vn_has_one_tag_and_two_vns_have_two(void **state)
{
	struct world *w = *state;

	assert_ok(vn_connect(w, 0, 7));
	assert_ok(vn_connect(w, 1, 7));
	assert_int_equal(w->answer.tag, 100);
	assert_ok(vn_connect(w, 1, 8));
	assert_int_equal(w->answer.tag, 101);
	assert_ok(vn_disconnect(w, 0, 7));
	assert_int_equal(nve_core_tag(w->core, 0, 100).use, NVE_TAG_BOUND);
	assert_ok(vn_disconnect(w, 1, 7));
	assert_int_equal(nve_core_tag(w->core, 0, 100).use, NVE_TAG_QUARANTINED);
}

/* D14, B8 */
static void a_proposed_tag_is_taken_or_refused_with_a_counter_offer(void **state)
{
	struct world *w = *state;

	assert_ok(vn_connect(w, 0, 7, .tag = 102));
	assert_int_equal(w->answer.tag, 102);
	assert_refused(vn_connect(w, 1, 8, .tag = 102), TAG_IN_USE);
	assert_int_equal(w->answer.tag, 100);
	assert_refused(vn_connect(w, 1, 7, .tag = 101), TAG_IN_USE);
	assert_int_equal(w->answer.tag, 102);
	assert_refused(activate(w, tsi_key(1, 0, 7), .tag = 101), TAG_IN_USE);
	assert_int_equal(w->answer.tag, 102);
	assert_ok(activate(w, tsi_key(1, 0, 7), .tag = 102));
	assert_refused(vn_connect(w, 1, 8, .tag = 99), INVALID_TAG);
	assert_refused(vn_connect(w, 1, 8, .tag = 104), INVALID_TAG);
	assert_ok(vn_connect(w, 1, 8));
	assert_ok(vn_connect(w, 1, 9));
	assert_int_equal(w->answer.tag, 101);
}

/* D6, S43 */
static void a_released_tag_rests_before_another_vn_gets_it(void **state)
{
	struct world *w = *state;
	uint64_t released;

	for (uint32_t vn_id = 1; vn_id <= 3; vn_id++)
		assert_ok(vn_connect(w, 0, vn_id)); /* 100, 101, 102 */
	assert_ok(vn_disconnect(w, 0, 1));
	released = w->now_ns;
	assert_ok(vn_disconnect(w, 0, 2));
	assert_refused(vn_connect(w, 0, 4, .tag = 100), TAG_IN_USE);
	assert_int_equal(w->answer.tag, 103);
	assert_ok(vn_connect(w, 0, 4)); /* never used first */
	assert_int_equal(w->answer.tag, 103);
	assert_ok(vn_disconnect(w, 0, 3));
	assert_refused(vn_connect(w, 0, 5), NO_RESOURCES);
	assert_int_equal(w->answer.resource, NVE_RES_TAGS);
	assert_int_equal(w->answer.used, 4);
	assert_int_equal(w->answer.max, 4);
	assert_int_equal(nve_core_next_deadline(w->core), released + 30000 * MS);
	assert_int_equal(world_expire_until(w, released + 30000 * MS), 1);
	assert_int_equal(nve_core_tag(w->core, 0, 100).use, NVE_TAG_FREE);
	assert_ok(vn_connect(w, 0, 5));
	assert_int_equal(w->answer.tag, 100);
}

static void the_least_recently_released_tag_is_reused_first(void **state)
{
	struct world *w = *state;

	for (uint16_t i = 0; i < 4; i++) {
		assert_ok(vn_connect(w, 0, 7, .tag = 103 - i));
		assert_ok(vn_disconnect(w, 0, 7));
	}
	assert_int_equal(world_expire_until(w, w->now_ns + 30001 * MS), 4);
	for (uint16_t i = 0; i < 3; i++) {
		assert_ok(vn_connect(w, 0, 1 + i));
		assert_int_equal(w->answer.tag, 103 - i);
	}
}

static void a_vn_that_returns_in_time_gets_its_tag_back(void **state)
{
	struct world *w = *state;

	assert_ok(vn_connect(w, 0, 8));
	assert_ok(vn_connect(w, 0, 7));
	assert_ok(vn_disconnect(w, 0, 7));
	assert_ok(vn_connect(w, 1, 7));
	assert_int_equal(w->answer.tag, 101);
	assert_int_equal(world_expire_until(w, w->now_ns + 60000 * MS), 0);
	assert_ok(vn_disconnect(w, 1, 7));
	assert_ok(vn_connect(w, 1, 7, .tag = 103)); /* it may ask for another, too */
	assert_int_equal(nve_core_tag(w->core, 0, 101).use, NVE_TAG_QUARANTINED);
}

static void without_quarantine_a_tag_is_free_at_once(void **state)
{
	struct nve_core_config config = world_config;
	struct world w;

	(void)state;
	config.quarantine_ns = 0;
	assert_int_equal(world_open_with(&w, &config), 0);
	assert_ok(vn_connect(&w, 0, 7));
	assert_ok(vn_disconnect(&w, 0, 7));
	assert_int_equal(nve_core_tag(w.core, 0, 100).use, NVE_TAG_FREE);
	assert_int_equal(nve_core_next_deadline(w.core), NVE_NEVER_NS);
	assert_ok(vn_connect(&w, 0, 8, .tag = 100));
	nve_core_free(w.core);
	free(w.bytes);
}

#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, world_open, world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_WORLD(an_explicit_connect_gives_a_tag_and_stays),
		IN_WORLD(the_first_tsi_connects_and_the_last_one_disconnects),
		IN_WORLD(an_explicit_connect_makes_an_implicit_one_stay),
		IN_WORLD(a_disconnect_takes_all_tsis_of_that_port_and_vn),
		IN_WORLD(the_nve_disconnects_a_vn_with_a_reason_for_all),
		IN_WORLD(connecting_needs_an_access_port_and_a_vn),
		IN_WORLD(one_tag_means_two_vns_on_ports_of_two_scopes),
		IN_WORLD(in_one_scope_a_vn_has_one_tag_and_two_vns_have_two),
		IN_WORLD(a_proposed_tag_is_taken_or_refused_with_a_counter_offer),
		IN_WORLD(a_released_tag_rests_before_another_vn_gets_it),
		IN_WORLD(the_least_recently_released_tag_is_reused_first),
		IN_WORLD(a_vn_that_returns_in_time_gets_its_tag_back),
		cmocka_unit_test(without_quarantine_a_tag_is_free_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
