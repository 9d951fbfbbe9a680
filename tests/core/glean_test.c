/* SPDX-License-Identifier: Apache-2.0 */
/* Gleaning (S46, D8): what may be learned from frames, from whom, and for how long. */
#include "lib/core_world.h"

#include <stdlib.h>
#include <string.h>

enum { VN = 1, AGE_MS = 5000 };

#define GLEANING(max) .flags = NVE_EV_HAS_GLEAN, .glean_max = (max), .glean_age_ms = AGE_MS
#define SIGNALED_AND_GLEANING(array, max)                                                          \
	.flags = NVE_EV_HAS_ADDRS | NVE_EV_HAS_GLEAN, .addrs = (array),                            \
	.n_addrs = ARRAY_SIZE(array), .glean_max = (max), .glean_age_ms = AGE_MS

static enum nve_reason glean(struct world *w, struct nve_tsi_key key, struct nve_addr addr)
{
	return STEP(w, .kind = NVE_EV_GLEAN, .key = key, .addrs = &addr, .n_addrs = 1);
}

/* 0: it does not have it; 'S' signaled, 'G' gleaned. */
static char origin(const struct world *w, struct nve_tsi_key key, struct nve_addr addr)
{
	struct nve_tsi_addr addrs[NVE_TSI_ADDRS_MAX];
	size_t n = nve_core_tsi_addrs(w->core, nve_core_find_tsi(w->core, &key), addrs);

	for (size_t i = 0; i < n; i++)
		if (!memcmp(&addrs[i].addr, &addr, sizeof(addr)))
			return addrs[i].gleaned ? 'G' : 'S';
	return 0;
}

static void a_tsi_without_addresses_gets_those_it_sends_from(void **state)
{
	struct world *w = *state;
	struct nve_tsi_key k = tsi_key(1, 0, VN);
	struct nve_addr m = mac(1);

	assert_ok(activate(w, k, GLEANING(4)));
	world_forget(w);
	assert_ok(glean(w, k, mac_ip4(1, 7)));
	assert_int_equal(world_actions(w, NVE_ACT_TSI), 1);
	assert_int_equal(world_notices(w, NVE_NOTICE_TSI_UPDATED), 1);
	assert_true(world_notice(w, NVE_NOTICE_TSI_UPDATED)->by_nve);
	assert_int_equal(origin(w, k, mac(1)), 'G');
	assert_int_equal(origin(w, k, mac_ip4(1, 7)), 'G');
	assert_true(nve_core_addr_works(w->core, w->answer.slot, &m));
	assert_int_equal(world_tsi(w, k)->n_gleaned, 2);
	assert_ok(glean(w, k, mac_ip4(1, 7)));
	assert_true(w->answer.unchanged);
}

static void gleaning_needs_the_option_and_an_activated_tsi(void **state)
{
	struct world *w = *state;
	struct nve_tsi_key k = tsi_key(1, 0, VN);

	assert_refused(glean(w, k, mac(1)), UNKNOWN_TSI);
	assert_ok(associate(w, k, GLEANING(4)));
	assert_refused(glean(w, k, mac(1)), ILLEGAL_TRANSITION);
	assert_ok(activate(w, k));
	assert_ok(glean(w, k, mac(1)));
	assert_ok(UPDATE(w, k, .flags = NVE_EV_HAS_GLEAN));
	assert_int_equal(origin(w, k, mac(1)), 0);
	assert_refused(glean(w, k, mac(1)), ILLEGAL_TRANSITION);
}

/* S48: the signaled set is all there is. */
static void signaled_macs_are_never_widened_by_gleaned_ones(void **state)
{
	struct world *w = *state;
	struct nve_tsi_key k = tsi_key(1, 0, VN);
	struct nve_addr set[] = { mac(1) };

	assert_ok(activate(w, k, SIGNALED_AND_GLEANING(set, 4)));
	assert_refused(glean(w, k, mac(2)), UNKNOWN_ADDRESS);
	assert_refused(glean(w, k, mac_ip4(2, 7)), UNKNOWN_ADDRESS);
	assert_ok(glean(w, k, mac_ip4(1, 7)));
	assert_int_equal(origin(w, k, mac_ip4(1, 7)), 'G');
	assert_int_equal(origin(w, k, mac(1)), 'S');
}

static void signaled_ips_end_all_gleaning(void **state)
{
	struct world *w = *state;
	struct nve_tsi_key k = tsi_key(1, 0, VN);
	struct nve_addr macs[] = { mac(1) }, pair[] = { mac_ip4(1, 1) };

	assert_refused(activate(w, k, SIGNALED_AND_GLEANING(pair, 4)), INVALID_PARAMETER);
	assert_ok(activate(w, k, SIGNALED_AND_GLEANING(macs, 4)));
	assert_ok(glean(w, k, mac_ip4(1, 7)));
	assert_ok(UPDATE(w, k, ADDING(pair)));
	assert_int_equal(world_tsi(w, k)->n_gleaned, 0);
	assert_refused(glean(w, k, mac_ip4(1, 7)), ILLEGAL_TRANSITION);
}

static void a_gleaned_address_that_is_signaled_is_gleaned_no_more(void **state)
{
	struct world *w = *state;
	struct nve_tsi_key k = tsi_key(1, 0, VN);
	struct nve_addr set[] = { mac(1) };

	assert_ok(activate(w, k, GLEANING(4)));
	assert_ok(glean(w, k, mac_ip4(1, 7)));
	assert_ok(glean(w, k, mac(2)));
	assert_ok(UPDATE(w, k, ADDING(set)));
	assert_int_equal(origin(w, k, mac(1)), 'S');
	assert_int_equal(origin(w, k, mac_ip4(1, 7)), 'G'); /* an IP of a signaled MAC */
	assert_int_equal(origin(w, k, mac(2)), 0);
	world_expire_until(w, w->now_ns + AGE_MS * MS);
	assert_int_equal(origin(w, k, mac(1)), 'S');
	assert_int_equal(origin(w, k, mac_ip4(1, 7)), 0);
}

static void gleaned_addresses_are_bounded_for_each_tsi(void **state)
{
	struct world *w = *state;
	struct nve_tsi_key k = tsi_key(1, 0, VN);

	assert_ok(activate(w, k, GLEANING(3)));
	for (unsigned int i = 1; i <= 3; i++)
		assert_ok(glean(w, k, mac(i)));
	for (unsigned int i = 4; i < 250; i++) {
		assert_refused(glean(w, k, mac(i)), NO_RESOURCES);
		assert_int_equal(w->answer.used, 3);
		assert_int_equal(w->answer.max, 3);
	}
	assert_ok(glean(w, k, mac_ip4(1, 7))); /* the MAC was seen; its IP has no room */
	assert_true(w->answer.unchanged);
	assert_int_equal(world_tsi(w, k)->n_addrs, 3);
	assert_ok(UPDATE(w, k, GLEANING(1)));
	assert_int_equal(world_tsi(w, k)->n_addrs, 1);
}

static void an_address_is_forgotten_when_it_was_not_seen_for_its_age(void **state)
{
	struct world *w = *state;
	struct nve_tsi_key k = tsi_key(1, 0, VN);
	uint64_t seen;

	assert_ok(activate(w, k, .flags = NVE_EV_HAS_GLEAN | NVE_EV_HAS_KEEPACTIVE, .glean_max = 4,
			   .glean_age_ms = AGE_MS));
	assert_ok(glean(w, k, mac_ip4(1, 7)));
	assert_ok(glean(w, k, mac(2)));
	w->now_ns += 3000 * MS;
	assert_ok(glean(w, k, mac(1))); /* without its IP */
	seen = w->now_ns;
	world_expire_until(w, seen + 2500 * MS);
	assert_int_equal(origin(w, k, mac(1)), 'G');
	assert_int_equal(origin(w, k, mac_ip4(1, 7)), 0);
	assert_int_equal(origin(w, k, mac(2)), 0);
	world_expire_until(w, seen + AGE_MS * MS - 1);
	assert_int_equal(origin(w, k, mac(1)), 'G');
	world_forget(w);
	world_expire_until(w, seen + AGE_MS * MS);
	assert_int_equal(world_tsi(w, k)->n_addrs, 0);
	assert_int_equal(world_notices(w, NVE_NOTICE_TSI_UPDATED), 1);
	assert_int_equal(world_tsi(w, k)->state, NVE_TSI_ACTIVATED);
}

static void deactivate_and_a_move_forget_what_was_gleaned(void **state)
{
	struct world *w = *state;
	struct nve_tsi_key k = tsi_key(1, 0, VN), there = tsi_key(1, 1, VN);

	assert_ok(activate(w, k, GLEANING(4)));
	assert_ok(glean(w, k, mac_ip4(1, 7)));
	assert_ok(deactivate(w, k));
	assert_int_equal(world_tsi(w, k)->n_addrs, 0);
	assert_ok(activate(w, k));
	assert_ok(glean(w, k, mac(1)));
	assert_ok(STEP(w, .kind = NVE_EV_UPDATE, .key = k, .new_port = 1));
	assert_int_equal(world_tsi(w, there)->n_addrs, 0);
	assert_ok(glean(w, there, mac(1)));
	assert_ok(clear(w, there));
	assert_int_equal(nve_core_usage(w->core).addrs, 0);
}

static void one_tsi_of_a_vap_gleans_unknown_macs_and_no_second(void **state)
{
	struct world *w = *state;
	struct nve_tsi_key a = tsi_key(1, 0, VN), b = tsi_key(2, 0, VN), c = tsi_key(3, 1, VN);
	struct nve_addr set[] = { mac(2) };

	assert_ok(associate(w, a, GLEANING(4)));
	assert_refused(associate(w, b, GLEANING(4)), GLEANING_CONFLICT);
	assert_ok(associate(w, c, GLEANING(4))); /* another port */
	assert_refused(STEP(w, .kind = NVE_EV_UPDATE, .key = c, .new_port = 0), GLEANING_CONFLICT);
	assert_ok(associate(w, b, SIGNALED_AND_GLEANING(set, 4)));
	assert_refused(UPDATE(w, b, REMOVING(set)), GLEANING_CONFLICT);
	assert_ok(clear(w, a));
	assert_ok(UPDATE(w, b, REMOVING(set)));
	assert_refused(associate(w, a, GLEANING(4)), GLEANING_CONFLICT);
}

static void a_default_that_does_not_fit_is_not_granted(void **state)
{
	struct world *w = *state;
	struct nve_addr pair[] = { mac_ip4(1, 1) };

	assert_ok(associate(w, tsi_key(1, 0, VN), .glean_max = 4, .glean_age_ms = AGE_MS));
	assert_ok(associate(w, tsi_key(2, 0, VN), .glean_max = 4, .glean_age_ms = AGE_MS));
	assert_int_equal(world_tsi(w, tsi_key(1, 0, VN))->glean_max, 4);
	assert_int_equal(world_tsi(w, tsi_key(2, 0, VN))->glean_max, 0);
	assert_ok(activate(w, tsi_key(3, 0, VN), SET_OF(pair), .glean_max = 4,
			   .glean_age_ms = AGE_MS));
	assert_refused(glean(w, tsi_key(3, 0, VN), mac(5)), ILLEGAL_TRANSITION);
}

static void nothing_is_gleaned_that_another_tsi_of_the_vn_has(void **state)
{
	struct world *w = *state;
	struct nve_tsi_key k = tsi_key(1, 0, VN);
	struct nve_addr here[] = { mac(2) }, there[] = { mac_ip4(3, 3), ip4(4) };

	assert_ok(activate(w, k, GLEANING(4)));
	assert_ok(associate(w, tsi_key(2, 0, VN), SET_OF(here)));
	assert_ok(associate(w, tsi_key(3, 1, VN), SET_OF(there)));
	assert_refused(glean(w, k, mac(2)), ADDRESS_IN_USE);
	assert_refused(glean(w, k, mac(3)), ADDRESS_IN_USE);
	assert_ok(glean(w, k, mac_ip4(5, 3))); /* the MAC, not the IP */
	assert_int_equal(origin(w, k, mac(5)), 'G');
	assert_int_equal(origin(w, k, mac_ip4(5, 3)), 0);
	assert_ok(glean(w, k, mac_ip4(5, 4)));
	assert_int_equal(origin(w, k, mac_ip4(5, 4)), 0);
	assert_int_equal(world_tsi(w, k)->n_gleaned, 1);
	assert_ok(activate(w, tsi_key(1, 0, 2), GLEANING(4))); /* another VN */
	assert_ok(glean(w, tsi_key(1, 0, 2), mac_ip4(2, 3)));
	assert_int_equal(origin(w, tsi_key(1, 0, 2), mac_ip4(2, 3)), 'G');
}

/* Nobody keeps an address from its owner by sending from it first. */
static void what_is_signaled_displaces_what_others_gleaned(void **state)
{
	struct world *w = *state;
	struct nve_tsi_key thief = tsi_key(1, 0, VN), far = tsi_key(2, 1, VN);
	struct nve_addr near[] = { mac(2) }, pair[] = { mac_ip4(6, 3) };

	assert_ok(activate(w, thief, GLEANING(6)));
	assert_ok(glean(w, thief, mac_ip4(2, 2)));
	assert_ok(glean(w, thief, mac_ip4(5, 3)));
	assert_ok(associate(w, tsi_key(3, 0, VN), SET_OF(near)));
	assert_int_equal(origin(w, thief, mac(2)), 0);
	assert_int_equal(origin(w, thief, mac_ip4(2, 2)), 0);
	assert_ok(associate(w, far, SET_OF(pair)));
	assert_int_equal(origin(w, thief, mac_ip4(5, 3)), 0);
	assert_int_equal(origin(w, thief, mac(5)), 'G');
}

/* D7: the same TSI at its new port takes its addresses along with its first frames. */
static void an_earlier_instance_leaves_its_addresses_to_the_later_one(void **state)
{
	struct world *w = *state;
	struct nve_tsi_key old = tsi_key(1, 0, VN), new = tsi_key(1, 1, VN);
	struct nve_addr m = mac(1);
	uint32_t slots[2];

	assert_ok(activate(w, old, GLEANING(4)));
	assert_ok(glean(w, old, mac_ip4(1, 7)));
	assert_ok(activate(w, new, GLEANING(4)));
	assert_ok(glean(w, new, mac_ip4(1, 7)));
	assert_int_equal(origin(w, new, mac_ip4(1, 7)), 'G');
	assert_int_equal(nve_core_bearers(w->core, VN, &m, slots, 2), 2);
	assert_int_equal(nve_core_tsi(w->core, slots[0])->key.port, 1);
	assert_ok(glean(w, old, mac(2)));
	assert_ok(glean(w, new, mac(2)));
	assert_ok(glean(w, new, mac(3)));
	assert_refused(glean(w, old, mac(3)), ADDRESS_IN_USE);
}

#define IN_WORLD(f) cmocka_unit_test_setup_teardown(f, world_open, world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_WORLD(a_tsi_without_addresses_gets_those_it_sends_from),
		IN_WORLD(gleaning_needs_the_option_and_an_activated_tsi),
		IN_WORLD(signaled_macs_are_never_widened_by_gleaned_ones),
		IN_WORLD(signaled_ips_end_all_gleaning),
		IN_WORLD(a_gleaned_address_that_is_signaled_is_gleaned_no_more),
		IN_WORLD(gleaned_addresses_are_bounded_for_each_tsi),
		IN_WORLD(an_address_is_forgotten_when_it_was_not_seen_for_its_age),
		IN_WORLD(deactivate_and_a_move_forget_what_was_gleaned),
		IN_WORLD(one_tsi_of_a_vap_gleans_unknown_macs_and_no_second),
		IN_WORLD(a_default_that_does_not_fit_is_not_granted),
		IN_WORLD(nothing_is_gleaned_that_another_tsi_of_the_vn_has),
		IN_WORLD(what_is_signaled_displaces_what_others_gleaned),
		IN_WORLD(an_earlier_instance_leaves_its_addresses_to_the_later_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
