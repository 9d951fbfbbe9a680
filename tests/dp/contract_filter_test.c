/* SPDX-License-Identifier: Apache-2.0 */
/* The contract of dp.h: the source filter, and updates of a TSI in use.  See lib/dp_contract.h. */
#include "lib/dp_contract.h"

/* --- source filter ---------------------------------------------------------------------------- */

static void a_mac_without_ip_sends_with_any_ip_and_no_other_mac_does(void **state)
{
	(void)state;
	dpc_two_tsis(true);
	dpw_apply(&dpc);
	assert_true(dpc_passes(A0, TAG_10, MAC_1, ""));
	assert_true(dpc_passes(A0, TAG_10, MAC_1, "10.0.0.77"));
	assert_true(dpc_passes(A0, TAG_10, MAC_1, "fd00::77"));
	assert_false(dpc_passes(A0, TAG_10, MAC_2, ""));
	assert_false(dpc_passes(A0, TAG_20, MAC_1, ""));
	assert_false(dpc_passes(A1, TAG_10, MAC_1, ""));
}

static void an_ip_bound_to_a_mac_is_good_with_that_mac_only(void **state)
{
	(void)state;
	dpc_two_tsis(true);
	dpw_tsi(&dpc, 1, A0, TAG_10, true,
		ADDRS(MAC_1 " 10.0.0.1", MAC_1 " 10.0.0.2", MAC_1 " fd00::1", MAC_1 " fd00::2",
		      MAC_3 " 10.0.0.3"));
	dpw_apply(&dpc);
	for (const char *const *ip = ADDRS("10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2"); *ip;
	     ip++) {
		assert_true(dpc_passes(A0, TAG_10, MAC_1, *ip));
		assert_false(dpc_passes(A0, TAG_10, MAC_3, *ip));
	}
	assert_true(dpc_passes(A0, TAG_10, MAC_3, "10.0.0.3"));
	assert_false(dpc_passes(A0, TAG_10, MAC_1, "10.0.0.3"));
	assert_false(dpc_passes(A0, TAG_10, MAC_3, "fd00::3"));
}

static void an_ip_bound_to_no_mac_is_good_with_each_mac_of_the_tsi(void **state)
{
	(void)state;
	dpc_two_tsis(true);
	dpw_tsi(&dpc, 1, A0, TAG_10, true, ADDRS(MAC_1, MAC_3 " 10.0.0.3", "10.0.0.9", "fd00::9"));
	dpw_apply(&dpc);
	assert_true(dpc_passes(A0, TAG_10, MAC_1, "10.0.0.9"));
	assert_true(dpc_passes(A0, TAG_10, MAC_3, "fd00::9"));
	assert_true(dpc_passes(A0, TAG_10, MAC_3, "10.0.0.3"));
	assert_false(dpc_passes(A0, TAG_10, MAC_1, "10.0.0.3"));
	assert_false(dpc_passes(A0, TAG_10, MAC_1, "10.0.0.8"));
	assert_false(dpc_passes(A0, TAG_10, MAC_X, "10.0.0.9"));
}

static void a_tsi_known_by_ip_alone_sends_from_any_mac(void **state)
{
	(void)state;
	dpc_two_tsis(true);
	dpw_tsi(&dpc, 3, A0, TAG_10, true, ADDRS("10.0.0.7", "fd00::7"));
	dpw_apply(&dpc);
	assert_true(dpc_passes(A0, TAG_10, MAC_X, "10.0.0.7"));
	assert_true(dpc_passes(A0, TAG_10, MAC_X, "fd00::7"));
	assert_false(dpc_passes(A0, TAG_10, MAC_X, "10.0.0.8"));
	assert_false(dpc_passes(A1, TAG_20, MAC_X, "10.0.0.7"));
	assert_int_equal(dpc.ops->tsi_del(dpc.dp, 3), 0);
	dpw_apply(&dpc);
	assert_false(dpc_passes(A0, TAG_10, MAC_X, "10.0.0.7"));
}

static void an_address_that_is_not_active_is_reserved_and_not_in_use(void **state)
{
	(void)state;
	dpc_two_tsis(true);
	dpw_fdb(&dpc, MAC_3, TSI(1), NONE);
	dpw_tsi(&dpc, 1, A0, TAG_10, true,
		ADDRS(MAC_1 " 10.0.0.1", "-" MAC_1 " 10.0.0.2", "-" MAC_3 " 10.0.0.3"));
	dpw_apply(&dpc);
	assert_true(dpc_passes(A0, TAG_10, MAC_1, "10.0.0.1"));
	assert_false(dpc_passes(A0, TAG_10, MAC_1, "10.0.0.2"));
	assert_false(dpc_passes(A0, TAG_10, MAC_3, "10.0.0.3"));
	assert_int_equal(dpc_reaches(MAC_1), 1);
	assert_int_equal(dpc_reaches(MAC_3), NVE_SLOT_NONE);
	dpw_tsi(&dpc, 1, A0, TAG_10, true,
		ADDRS("-" MAC_1 " 10.0.0.1", MAC_1 " 10.0.0.2", MAC_3 " 10.0.0.3"));
	dpw_apply(&dpc);
	assert_false(dpc_passes(A0, TAG_10, MAC_1, "10.0.0.1"));
	assert_true(dpc_passes(A0, TAG_10, MAC_1, "10.0.0.2"));
	assert_true(dpc_passes(A0, TAG_10, MAC_3, "10.0.0.3"));
	assert_int_equal(dpc_reaches(MAC_3), 1);
}

/* --- updates of a TSI in use ------------------------------------------------------------------ */

static void addresses_of_a_tsi_in_use_are_added_changed_and_removed(void **state)
{
	(void)state;
	dpc_two_tsis(true);
	dpw_fdb(&dpc, MAC_3, TSI(1), NONE);
	dpw_tsi(&dpc, 1, A0, TAG_10, true, ADDRS(MAC_1 " 10.0.0.1"));
	dpw_apply(&dpc);
	dpw_tsi(&dpc, 1, A0, TAG_10, true, ADDRS(MAC_1 " 10.0.0.2", MAC_3));
	dpw_apply(&dpc);
	assert_false(dpc_passes(A0, TAG_10, MAC_1, "10.0.0.1"));
	assert_true(dpc_passes(A0, TAG_10, MAC_1, "10.0.0.2"));
	assert_true(dpc_passes(A0, TAG_10, MAC_3, "10.0.0.8"));
	assert_int_equal(dpc_reaches(MAC_3), 1);
	dpw_tsi(&dpc, 1, A0, TAG_10, true, ADDRS(MAC_1, MAC_3 " 10.0.0.3"));
	dpw_apply(&dpc);
	assert_true(dpc_passes(A0, TAG_10, MAC_1, "10.0.0.1"));
	assert_true(dpc_passes(A0, TAG_10, MAC_3, "10.0.0.3"));
	assert_false(dpc_passes(A0, TAG_10, MAC_3, "10.0.0.8"));
	dpw_tsi(&dpc, 1, A0, TAG_10, true, ADDRS(MAC_3 " 10.0.0.3"));
	dpw_apply(&dpc);
	assert_false(dpc_passes(A0, TAG_10, MAC_1, "10.0.0.1"));
	assert_int_equal(dpc_reaches(MAC_1), NVE_SLOT_NONE);
	assert_int_equal(dpc_reaches(MAC_3), 1);
}

static void a_tsi_moves_to_another_port_and_tag(void **state)
{
	(void)state;
	dpc_two_tsis(true);
	dpw_vap(&dpc, A1, TAG_10, 1);
	dpw_tsi(&dpc, 1, A0, TAG_10, true, ADDRS(MAC_1 " 10.0.0.1", MAC_1 " 10.0.0.2"));
	dpw_apply(&dpc);
	dpw_tsi(&dpc, 1, A1, TAG_10, true, ADDRS(MAC_1 " 10.0.0.1", MAC_1 " 10.0.0.2"));
	dpw_apply(&dpc);
	for (const char *const *ip = ADDRS("10.0.0.1", "10.0.0.2"); *ip; ip++) {
		assert_false(dpc_passes(A0, TAG_10, MAC_1, *ip));
		assert_true(dpc_passes(A1, TAG_10, MAC_1, *ip));
	}
	assert_int_equal(dpc_reaches(MAC_1), 1);
}

static void a_slot_given_to_another_tsi_keeps_nothing_of_the_first(void **state)
{
	const struct nve_tsi_addr addr = dpw_tsi_addr(MAC_3);
	const struct nve_dp_tsi other = {
		.slot = 1,
		.key = { .id = { { 99 } }, .vn_id = VN_8, .port = A0 },
		.tag = TAG_20,
		.activated = true,
		.n_addrs = 1,
		.addrs = &addr,
	};
	uint8_t mac[NVE_MAC_LEN];

	(void)state;
	dpc_two_tsis(true);
	dpw_apply(&dpc);
	assert_int_equal(dpc.ops->tsi_set(dpc.dp, &other), 0);
	dpw_apply(&dpc);
	assert_false(dpc_passes(A0, TAG_10, MAC_1, ""));
	assert_int_equal(dpc_reaches(MAC_1), NVE_SLOT_NONE); /* its entry still names the slot */
	dpw_mac(mac, MAC_1);
	assert_int_equal(dpc.ops->fdb_del(dpc.dp, VN_7, mac), 0);
	dpw_apply(&dpc);
	assert_int_equal(dpc_reaches(MAC_1), NVE_SLOT_NONE);
}

static void an_address_passes_from_one_tsi_to_another_in_one_apply(void **state)
{
	(void)state;
	dpc_two_tsis(true);
	dpw_tsi(&dpc, 3, A0, TAG_10, true, ADDRS(MAC_3));
	dpw_fdb(&dpc, MAC_3, TSI(3), NONE);
	dpw_apply(&dpc);
	/* Both in use: they swap. */
	dpw_tsi(&dpc, 1, A0, TAG_10, true, ADDRS(MAC_3));
	dpw_tsi(&dpc, 3, A0, TAG_10, true, ADDRS(MAC_1));
	dpw_fdb(&dpc, MAC_1, TSI(3), NONE);
	dpw_fdb(&dpc, MAC_3, TSI(1), NONE);
	dpw_apply(&dpc);
	assert_int_equal(dpc_send(A0, TAG_10, MAC_1, "", MAC_R).tsi, 3);
	assert_int_equal(dpc_send(A0, TAG_10, MAC_3, "", MAC_R).tsi, 1);
	assert_int_equal(dpc_reaches(MAC_1), 3);
	assert_int_equal(dpc_reaches(MAC_3), 1);
	/* One goes, the other takes over. */
	assert_int_equal(dpc.ops->tsi_del(dpc.dp, 3), 0);
	dpw_tsi(&dpc, 1, A0, TAG_10, true, ADDRS(MAC_3, MAC_1));
	dpw_fdb(&dpc, MAC_1, TSI(1), NONE);
	dpw_apply(&dpc);
	assert_int_equal(dpc_send(A0, TAG_10, MAC_1, "", MAC_R).tsi, 1);
	assert_int_equal(dpc_reaches(MAC_1), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CONTRACT(a_mac_without_ip_sends_with_any_ip_and_no_other_mac_does),
		CONTRACT(an_ip_bound_to_a_mac_is_good_with_that_mac_only),
		CONTRACT(an_ip_bound_to_no_mac_is_good_with_each_mac_of_the_tsi),
		CONTRACT(a_tsi_known_by_ip_alone_sends_from_any_mac),
		CONTRACT(an_address_that_is_not_active_is_reserved_and_not_in_use),
		CONTRACT(addresses_of_a_tsi_in_use_are_added_changed_and_removed),
		CONTRACT(a_tsi_moves_to_another_port_and_tag),
		CONTRACT(a_slot_given_to_another_tsi_keeps_nothing_of_the_first),
		CONTRACT(an_address_passes_from_one_tsi_to_another_in_one_apply),
	};

	return dpc_run(tests);
}
