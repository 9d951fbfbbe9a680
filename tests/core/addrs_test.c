/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of a TSI and who owns them: sets, conflicts, order of ownership. */
#include "lib/core_world.h"

#include <stdlib.h>
#include <string.h>

static struct nve_tsi_key K, THERE;

static int open_large(void **state)
{
	struct nve_core_config config = world_config;
	struct world *w = calloc(1, sizeof(*w));

	K = tsi_key(1, 0, 7);
	THERE = tsi_key(1, 1, 7);
	config.max_addrs = 4096;
	*state = w;
	return w ? world_open_with(w, &config) : -1;
}

static size_t bearers(const struct world *w, uint32_t vn_id, struct nve_addr addr,
		      uint32_t slots[8])
{
	return nve_core_bearers(w->core, vn_id, &addr, slots, 8);
}

/* S8, S9 */
static void clear_takes_the_addresses_of_that_vn_and_no_other(void **state)
{
	struct world *w = *state;
	struct nve_addr set[] = { mac(1), ip4(1), ip6(1) };
	uint32_t slots[8];

	assert_ok(activate(w, K, SET_OF(set)));
	assert_ok(activate(w, tsi_key(1, 0, 8), SET_OF(set)));
	assert_ok(clear(w, K));
	assert_int_equal(bearers(w, 7, mac(1), slots), 0);
	assert_int_equal(bearers(w, 8, mac(1), slots), 1);
	assert_int_equal(nve_core_usage(w->core).addrs, 3);
}

/* D2: one message for all VNs. */
static void clear_without_a_vn_takes_every_instance_on_that_port(void **state)
{
	struct world *w = *state;

	for (uint32_t vn_id = 7; vn_id <= 9; vn_id++)
		assert_ok(activate(w, tsi_key(1, 0, vn_id)));
	assert_ok(activate(w, tsi_key(2, 0, 7)));
	assert_ok(activate(w, THERE));
	assert_ok(clear(w, tsi_key(1, 0, 0)));
	assert_int_equal(w->answer.n_cleared, 3);
	assert_int_equal(nve_core_usage(w->core).tsis, 2);
	assert_ok(clear(w, tsi_key(1, 0, 0)));
	assert_true(w->answer.unchanged);
}

/* S7, S44: 1, 16 and 256 addresses, v4 and v6, and one message to be rid of them. */
static void a_tsi_takes_up_to_256_addresses(void **state)
{
	static const unsigned int sizes[] = { 1, 16, 256 };
	static struct nve_tsi_addr has[NVE_TSI_ADDRS_MAX];
	struct world *w = *state;
	struct nve_addr set[NVE_TSI_ADDRS_MAX], more[] = { mac(999) };

	for (unsigned int i = 0; i < NVE_TSI_ADDRS_MAX; i++)
		set[i] = i % 4 == 0   ? mac(i)
			 : i % 4 == 1 ? ip4(i)
			 : i % 4 == 2 ? ip6(i)
				      : mac_ip4(1, i);
	for (unsigned int s = 0; s < ARRAY_SIZE(sizes); s++) {
		assert_ok(activate(w, K, .flags = NVE_EV_HAS_ADDRS, .addrs = set,
				   .n_addrs = sizes[s]));
		assert_int_equal(nve_core_tsi_addrs(w->core, w->answer.slot, has), sizes[s]);
		for (unsigned int i = 0; i < sizes[s]; i++) {
			assert_memory_equal(&has[i].addr, &set[i], sizeof(set[i]));
			assert_true(has[i].active);
		}
	}
	assert_refused(UPDATE(w, K, ADDING(more)), TOO_MANY_ADDRESSES);
	assert_ok(UPDATE(w, K, .only = &set[128], .n_only = 128));
	assert_int_equal(world_tsi(w, K)->n_addrs, 128);
	assert_ok(clear(w, K));
	assert_int_equal(nve_core_usage(w->core).addrs, 0);
	assert_int_equal(nve_core_usage(w->core).vaps, 0);
}

/* S93: a pair binds by its MAC; the binding lives as long as one address has it. */
static void pairs_of_one_mac_are_one_binding(void **state)
{
	struct world *w = *state;
	struct nve_addr set[] = { mac_ip4(1, 1), mac_ip4(1, 2), mac(1) };
	uint32_t slots[8];

	assert_ok(activate(w, K, SET_OF(set)));
	assert_int_equal(bearers(w, 7, mac(1), slots), 1);
	assert_int_equal(bearers(w, 7, ip4(1), slots), 0);
	world_forget(w);
	assert_ok(UPDATE(w, K, .only = &set[0], .n_only = 1));
	assert_int_equal(world_actions(w, NVE_ACT_BIND), 0);
	assert_true(nve_core_addr_works(w->core, slots[0], &set[2]));
	assert_ok(UPDATE(w, K, .only = &set[1], .n_only = 2));
	assert_int_equal(world_actions(w, NVE_ACT_BIND), 1);
	assert_int_equal(bearers(w, 7, mac(1), slots), 0);
}

static void an_address_of_another_tsi_on_that_port_and_vn_is_refused(void **state)
{
	struct world *w = *state;
	struct nve_tsi_key other = tsi_key(2, 0, 7);
	struct nve_addr set[] = { mac(1), ip4(1) }, pair[] = { mac_ip4(1, 9) }, ip[] = { ip4(1) };
	struct nve_addr free_pair[] = { mac_ip4(2, 1) };

	assert_ok(associate(w, K, SET_OF(set)));
	assert_refused(activate(w, other, SET_OF(pair)), ADDRESS_IN_USE);
	assert_refused(activate(w, other, SET_OF(ip)), ADDRESS_IN_USE);
	assert_ok(activate(w, other, SET_OF(free_pair)));
	assert_refused(UPDATE(w, other, ADDING(ip)), ADDRESS_IN_USE);
	assert_ok(associate(w, tsi_key(2, 0, 8), SET_OF(set)));
	assert_ok(clear(w, K));
	assert_ok(UPDATE(w, other, ADDING(ip)));
}

/* D7: the later activation owns; the earlier stays Activated and gets it back when it may. */
static void ownership_follows_the_epoch(void **state)
{
	struct world *w = *state;
	struct nve_addr set[] = { mac(1) };
	uint32_t here, there, slots[8];

	assert_ok(activate(w, K, SET_OF(set)));
	here = w->answer.slot;
	assert_ok(associate(w, THERE, SET_OF(set)));
	there = w->answer.slot;
	assert_int_equal(bearers(w, 7, mac(1), slots), 2);
	assert_int_equal(slots[0], here);
	world_forget(w);
	assert_ok(activate(w, THERE));
	assert_int_equal(world_actions(w, NVE_ACT_BIND), 1);
	assert_int_equal(bearers(w, 7, mac(1), slots), 2);
	assert_int_equal(slots[0], there);
	assert_int_equal(world_state(w, K), NVE_TSI_ACTIVATED);
	assert_ok(activate(w, K)); /* a repeat is no new activation */
	assert_int_equal(bearers(w, 7, mac(1), slots), 2);
	assert_int_equal(slots[0], there);
	assert_ok(deactivate(w, THERE));
	bearers(w, 7, mac(1), slots);
	assert_int_equal(slots[0], here);
}

static void an_inactive_address_ranks_behind_an_older_active_one(void **state)
{
	struct world *w = *state;
	struct nve_addr set[] = { mac(1), mac(2) };
	uint32_t here, slots[8];

	assert_ok(activate(w, K, SET_OF(set)));
	here = w->answer.slot;
	assert_ok(STEP(w, .kind = NVE_EV_ACTIVATE, .key = THERE,
		       .flags = NVE_EV_HAS_ADDRS | NVE_EV_HAS_ONLY, .addrs = set, .n_addrs = 2,
		       .only = &set[1], .n_only = 1));
	bearers(w, 7, mac(1), slots);
	assert_int_equal(slots[0], here);
	bearers(w, 7, mac(2), slots);
	assert_int_not_equal(slots[0], here);
}

/* The hash is seeded: the same keys, other chains, the same answers. */
static void the_seed_of_the_hash_changes_no_answer(void **state)
{
	struct nve_core_config config = world_config;
	struct world a, b;
	uint64_t words[] = { 1, 2 };

	(void)state;
	assert_int_equal(world_open_with(&a, &config), 0);
	config.hash_seed = 0x0123456789abcdef;
	assert_int_equal(world_open_with(&b, &config), 0);
	assert_int_not_equal(nve_hash(a.core, words, 2), nve_hash(b.core, words, 2));
	for (unsigned int i = 1; i <= 8; i++) {
		struct nve_addr set[] = { mac(i), ip6(i) };

		assert_ok(activate(&a, tsi_key(i, 0, 7), SET_OF(set)));
		assert_ok(activate(&b, tsi_key(i, 0, 7), SET_OF(set)));
		assert_memory_equal(&a.answer, &b.answer, sizeof(a.answer));
	}
	nve_core_free(a.core);
	nve_core_free(b.core);
	free(a.bytes);
	free(b.bytes);
}

#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, open_large, world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_WORLD(clear_takes_the_addresses_of_that_vn_and_no_other),
		IN_WORLD(clear_without_a_vn_takes_every_instance_on_that_port),
		IN_WORLD(a_tsi_takes_up_to_256_addresses),
		IN_WORLD(pairs_of_one_mac_are_one_binding),
		IN_WORLD(an_address_of_another_tsi_on_that_port_and_vn_is_refused),
		IN_WORLD(ownership_follows_the_epoch),
		IN_WORLD(an_inactive_address_ranks_behind_an_older_active_one),
		cmocka_unit_test(the_seed_of_the_hash_changes_no_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
