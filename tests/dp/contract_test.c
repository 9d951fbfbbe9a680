/* SPDX-License-Identifier: Apache-2.0 */
/* The contract of dp.h: apply, room, forwarding, resync.  See lib/dp_contract.h. */
#include <errno.h>
#include <string.h>

#include "lib/dp_contract.h"

/* --- apply ------------------------------------------------------------------------------------ */

static void what_was_set_shows_after_apply_and_not_before(void **state)
{
	(void)state;
	dpc_two_tsis(true);
	assert_false(dpc_passes(A0, TAG_10, MAC_1, ""));
	assert_int_equal(dpc_reaches(MAC_1), NVE_SLOT_NONE);
	dpw_apply(&dpc);
	assert_true(dpc_passes(A0, TAG_10, MAC_1, ""));
	assert_int_equal(dpc_reaches(MAC_1), 1);
	assert_int_equal(dpc.ops->tsi_del(dpc.dp, 1), 0);
	assert_true(dpc_passes(A0, TAG_10, MAC_1, ""));
	dpw_apply(&dpc);
	assert_false(dpc_passes(A0, TAG_10, MAC_1, ""));
	assert_int_equal(dpc_reaches(MAC_1), NVE_SLOT_NONE);
}

static void tsis_of_one_nve_reach_each_other(void **state)
{
	struct nve_fake_verdict v;

	(void)state;
	dpc_two_tsis(true);
	dpw_apply(&dpc);
	v = dpc_send(A0, TAG_10, MAC_1, "10.0.0.1", MAC_2);
	assert_true(v.pass);
	assert_int_equal(v.tsi, 1);
	assert_int_equal(v.dest.kind, NVE_DP_DEST_TSI);
	assert_int_equal(v.dest.slot, 2);
}

static void an_associated_tsi_neither_sends_nor_receives(void **state)
{
	(void)state;
	dpc_two_tsis(false);
	dpw_apply(&dpc);
	assert_false(dpc_passes(A0, TAG_10, MAC_1, ""));
	assert_int_equal(dpc_reaches(MAC_1), NVE_SLOT_NONE);
	assert_false(dpc_send(A0, TAG_10, MAC_1, "", MAC_ALL).pass);
	assert_false(dpw_from_vtep(&dpc, "192.0.2.2", VNI_7, MAC_ALL).pass);
}

static void activation_and_deactivation_switch_all_addresses_both_ways(void **state)
{
	(void)state;
	dpc_two_tsis(false);
	dpw_tsi(&dpc, 1, A0, TAG_10, false, ADDRS(MAC_1, MAC_3));
	dpw_fdb(&dpc, MAC_3, TSI(1), NONE);
	dpw_apply(&dpc);
	for (int on = 1; on >= 0; on--) {
		dpw_tsi(&dpc, 1, A0, TAG_10, on, ADDRS(MAC_1, MAC_3));
		dpw_apply(&dpc);
		assert_int_equal(dpc_passes(A0, TAG_10, MAC_1, "10.0.0.1"), on);
		assert_int_equal(dpc_passes(A0, TAG_10, MAC_3, ""), on);
		assert_int_equal(dpc_reaches(MAC_1), on ? 1 : NVE_SLOT_NONE);
		assert_int_equal(dpc_reaches(MAC_3), on ? 1 : NVE_SLOT_NONE);
	}
}

static void what_was_said_back_before_apply_never_shows(void **state)
{
	(void)state;
	dpc_two_tsis(true);
	dpw_apply(&dpc);
	dpw_tsi(&dpc, 1, A0, TAG_10, true, ADDRS(MAC_3));
	dpw_fdb(&dpc, MAC_1, VTEP(1), NONE);
	assert_int_equal(dpc.ops->tsi_del(dpc.dp, 2), 0);
	dpw_tsi(&dpc, 1, A0, TAG_10, true, ADDRS(MAC_1));
	dpw_fdb(&dpc, MAC_1, TSI(1), NONE);
	dpw_tsi(&dpc, 2, A1, TAG_20, true, ADDRS(MAC_2));
	dpw_apply(&dpc);
	assert_true(dpc_passes(A0, TAG_10, MAC_1, ""));
	assert_false(dpc_passes(A0, TAG_10, MAC_3, ""));
	assert_int_equal(dpc_reaches(MAC_1), 1);
	assert_int_equal(dpc_reaches(MAC_2), 2);
}

static void deleting_everything_leaves_no_row(void **state)
{
	uint64_t before = dpw_used(&dpc);

	(void)state;
	dpc_two_tsis(true);
	dpw_tsi(&dpc, 3, A0, TAG_10, true, ADDRS("10.0.0.7", "fd00::7"));
	dpw_apply(&dpc);
	assert_true(dpw_used(&dpc) > before);
	assert_false(dpc_passes(A0, TAG_10, MAC_X, ""));
	for (uint32_t slot = 1; slot <= 3; slot++)
		assert_int_equal(dpc.ops->tsi_del(dpc.dp, slot), 0);
	for (const char *const *m = ADDRS(MAC_1, MAC_2, MAC_R, MAC_X); *m; m++) {
		uint8_t mac[NVE_MAC_LEN];

		dpw_mac(mac, *m);
		assert_int_equal(dpc.ops->fdb_del(dpc.dp, VN_7, mac), 0);
	}
	assert_int_equal(dpc.ops->vap_del(dpc.dp, A0, TAG_10), 0);
	assert_int_equal(dpc.ops->vap_del(dpc.dp, A1, TAG_20), 0);
	dpw_apply(&dpc);
	assert_int_equal(dpw_used(&dpc), before);
}

/* --- references and room ---------------------------------------------------------------------- */

static void what_refers_to_nothing_is_refused_and_changes_nothing(void **state)
{
	const uint32_t vteps[] = { 3 };
	const struct nve_dp_vn vn = { .vn_id = VN_7, .vni = 5, .n_vteps = 1, .vteps = vteps };
	const struct nve_dp_vap vap = { .port = A0, .tag = TAG_10, .vn_id = 9 };
	const struct nve_dp_vap underlay = { .port = U0, .tag = TAG_10, .vn_id = VN_7 };
	struct nve_dp_tsi tsi = { .slot = 1, .key = { .vn_id = 9, .port = A0 }, .tag = TAG_10 };
	struct nve_dp_fdb fdb = { .vn_id = VN_7, .first = TSI(5) };

	(void)state;
	dpc_two_tsis(true);
	dpw_apply(&dpc);
	assert_int_equal(dpc.ops->vn_set(dpc.dp, &vn), -ENOENT);
	assert_int_equal(dpc.ops->vap_set(dpc.dp, &vap), -ENOENT);
	assert_int_equal(dpc.ops->vap_set(dpc.dp, &underlay), -ENOENT);
	assert_int_equal(dpc.ops->tsi_set(dpc.dp, &tsi), -ENOENT);
	tsi.key = (struct nve_tsi_key){ .vn_id = VN_7, .port = 77 };
	assert_int_equal(dpc.ops->tsi_set(dpc.dp, &tsi), -ENOENT);
	dpw_mac(fdb.mac, MAC_1);
	assert_int_equal(dpc.ops->fdb_set(dpc.dp, &fdb), -ENOENT);
	fdb.first = VTEP(3);
	assert_int_equal(dpc.ops->fdb_set(dpc.dp, &fdb), -ENOENT);
	dpw_apply(&dpc);
	assert_true(dpc_passes(A0, TAG_10, MAC_1, ""));
	assert_int_equal(dpc_reaches(MAC_1), 1);
}

static void deleting_what_is_not_there_is_no_error(void **state)
{
	const uint8_t mac[NVE_MAC_LEN] = { 2 };

	(void)state;
	assert_int_equal(dpc.ops->tsi_del(dpc.dp, 9), 0);
	assert_int_equal(dpc.ops->tsi_del(dpc.dp, 999999), 0);
	assert_int_equal(dpc.ops->vn_del(dpc.dp, 99), 0);
	assert_int_equal(dpc.ops->vtep_del(dpc.dp, 3), 0);
	assert_int_equal(dpc.ops->vap_del(dpc.dp, A0, 99), 0);
	assert_int_equal(dpc.ops->fdb_del(dpc.dp, VN_7, mac), 0);
	assert_int_equal(dpc.ops->port_del(dpc.dp, 200), 0);
	dpw_apply(&dpc);
}

static int set_fdb(uint32_t i)
{
	struct nve_dp_fdb fdb = { .vn_id = VN_7, .mac = { 2, 9, [5] = i }, .first = VTEP(0) };

	return dpc.ops->fdb_set(dpc.dp, &fdb);
}

static void a_full_table_is_refused_at_set_and_room_comes_back_with_del(void **state)
{
	const uint8_t mac[NVE_MAC_LEN] = { 2, 9, [5] = 1 };
	uint32_t n = 0;

	(void)state;
	for (n = 0; n < dpw_limits.max_fdb; n++)
		assert_int_equal(set_fdb(n), 0);
	assert_int_equal(set_fdb(n), -ENOSPC);
	assert_int_equal(set_fdb(1), 0); /* is there already */
	assert_int_equal(dpc.ops->fdb_del(dpc.dp, VN_7, mac), 0);
	assert_int_equal(set_fdb(n), 0);
	dpw_apply(&dpc);
	assert_int_equal(set_fdb(1), -ENOSPC);
}

static int set_many_addrs(uint32_t slot, uint16_t n)
{
	static struct nve_tsi_addr addrs[NVE_TSI_ADDRS_MAX];
	struct nve_dp_tsi tsi = {
		.slot = slot,
		.key = { .id = { { slot + 1 } }, .vn_id = VN_7, .port = A0 },
		.tag = TAG_10,
		.activated = true,
		.n_addrs = n,
		.addrs = addrs,
	};

	for (uint16_t i = 0; i < n; i++)
		addrs[i] = (struct nve_tsi_addr){
			.addr = { .flags = NVE_ADDR_MAC, .mac = { 2, slot, [4] = i >> 8, i } },
			.active = true,
		};
	return dpc.ops->tsi_set(dpc.dp, &tsi);
}

static void room_for_addresses_and_tsis_is_taken_at_set(void **state)
{
	(void)state;
	assert_int_equal(set_many_addrs(1, 256), 0);
	assert_int_equal(set_many_addrs(2, 256), 0);
	assert_int_equal(set_many_addrs(3, 89), -ENOSPC); /* of 600 */
	assert_int_equal(set_many_addrs(3, 88), 0);
	dpw_apply(&dpc);
	assert_int_equal(set_many_addrs(4, 1), -ENOSPC);
	assert_int_equal(set_many_addrs(1, 255), 0);
	assert_int_equal(set_many_addrs(4, 1), 0);
	assert_int_equal(set_many_addrs(dpw_limits.max_tsis, 0), -ENOSPC);
	dpw_apply(&dpc);
	/* Full tables take one set for another, any number of times. */
	for (int i = 0; i < 3; i++) {
		assert_int_equal(set_many_addrs(1, 1), 0);
		assert_int_equal(set_many_addrs(4, 255), 0);
		dpw_apply(&dpc);
		assert_int_equal(set_many_addrs(4, 1), 0);
		assert_int_equal(set_many_addrs(1, 255), 0);
		dpw_apply(&dpc);
	}
}

static void a_vn_has_room_for_so_many_members(void **state)
{
	const struct nve_dp_vap seventh = { .port = A0, .tag = 104, .vn_id = VN_7 };
	const struct nve_dp_vn third = { .vn_id = 1, .vni = 1 }, fourth = { .vn_id = 2, .vni = 2 };
	const struct nve_dp_vn fifth = { .vn_id = 3, .vni = 3 };

	(void)state;
	for (uint16_t tag = 100; tag < 104; tag++)
		dpw_vap(&dpc, A0, tag, 1);
	assert_int_equal(dpc.ops->vap_set(dpc.dp, &seventh), -ENOSPC); /* 2 VTEPs, 4 VAPs */
	assert_int_equal(dpc.ops->vn_set(dpc.dp, &third), 0);
	assert_int_equal(dpc.ops->vn_set(dpc.dp, &fourth), 0);
	assert_int_equal(dpc.ops->vn_set(dpc.dp, &fifth), -ENOSPC);
	dpw_apply(&dpc);
	assert_int_equal(dpc.ops->vap_del(dpc.dp, A0, 100), 0);
	assert_int_equal(dpc.ops->vap_set(dpc.dp, &seventh), 0);
	dpw_apply(&dpc);
}

/* --- forwarding ------------------------------------------------------------------------------- */

static void the_second_destination_takes_over_while_it_is_in_use(void **state)
{
	(void)state;
	dpc_two_tsis(true);
	dpw_tsi(&dpc, 3, A1, TAG_20, false, ADDRS(MAC_1));
	dpw_fdb(&dpc, MAC_1, TSI(1), TSI(3));
	dpw_apply(&dpc);
	assert_int_equal(dpc_reaches(MAC_1), 1);
	dpw_tsi(&dpc, 3, A1, TAG_20, true, ADDRS(MAC_1));
	dpw_apply(&dpc);
	assert_int_equal(dpc_reaches(MAC_1), 3);
	dpw_tsi(&dpc, 3, A1, TAG_20, true, ADDRS("-" MAC_1, MAC_3));
	dpw_apply(&dpc);
	assert_int_equal(dpc_reaches(MAC_1), 1);
	dpw_tsi(&dpc, 3, A1, TAG_20, false, ADDRS(MAC_1));
	dpw_tsi(&dpc, 1, A0, TAG_10, false, ADDRS(MAC_1));
	dpw_apply(&dpc);
	assert_int_equal(dpc_reaches(MAC_1), NVE_SLOT_NONE);
}

static void a_remote_address_moves_between_vteps(void **state)
{
	(void)state;
	dpc_two_tsis(true);
	dpw_fdb(&dpc, MAC_3, VTEP(0), NONE);
	dpw_apply(&dpc);
	assert_int_equal(dpc_send(A0, TAG_10, MAC_1, "", MAC_3).dest.slot, 0);
	dpw_fdb(&dpc, MAC_3, VTEP(1), NONE);
	dpw_apply(&dpc);
	assert_int_equal(dpc_send(A0, TAG_10, MAC_1, "", MAC_3).dest.slot, 1);
	/* From VTEP 0 it is sent on to where the address went (D7), from VTEP 1 not back. */
	assert_true(dpw_from_vtep(&dpc, "192.0.2.2", VNI_7, MAC_3).pass);
	assert_false(dpw_from_vtep(&dpc, "192.0.2.3", VNI_7, MAC_3).pass);
}

static void only_vteps_of_the_vn_may_send_to_it(void **state)
{
	const uint32_t vteps[] = { 1 };
	const struct nve_dp_vn vn = { .vn_id = VN_7, .vni = 300, .n_vteps = 1, .vteps = vteps };

	(void)state;
	dpc_two_tsis(true);
	dpw_apply(&dpc);
	assert_true(dpw_from_vtep(&dpc, "192.0.2.3", VNI_7, MAC_1).pass);
	assert_false(dpw_from_vtep(&dpc, "192.0.2.4", VNI_7, MAC_1).pass);
	assert_false(dpw_from_vtep(&dpc, "192.0.2.3", VNI_8, MAC_1).pass);
	assert_false(dpw_from_vtep(&dpc, "192.0.2.2", 999, MAC_1).pass);
	assert_int_equal(dpc.ops->vn_set(dpc.dp, &vn), 0);
	dpw_apply(&dpc);
	assert_false(dpw_from_vtep(&dpc, "192.0.2.2", VNI_7, MAC_1).pass);
	assert_false(dpw_from_vtep(&dpc, "192.0.2.2", 300, MAC_1).pass);
	assert_true(dpw_from_vtep(&dpc, "192.0.2.3", 300, MAC_1).pass);
}

static void two_vns_swap_their_vnis_in_one_apply(void **state)
{
	const uint32_t vteps[] = { 0, 1 };
	const struct nve_dp_vn vns[] = {
		{ .vn_id = VN_7, .vni = VNI_8, .n_vteps = 2, .vteps = vteps },
		{ .vn_id = VN_8, .vni = VNI_7, .n_vteps = 2, .vteps = vteps },
	};

	(void)state;
	dpc_two_tsis(true);
	dpw_apply(&dpc);
	assert_int_equal(dpc.ops->vn_set(dpc.dp, &vns[0]), 0);
	assert_int_equal(dpc.ops->vn_set(dpc.dp, &vns[1]), 0);
	dpw_apply(&dpc);
	assert_true(dpw_from_vtep(&dpc, "192.0.2.2", VNI_8, MAC_1).pass);
	assert_int_equal(dpw_from_vtep(&dpc, "192.0.2.2", VNI_7, MAC_1).dest.kind,
			 NVE_DP_DEST_NONE);
}

static void a_vtep_slot_takes_another_address(void **state)
{
	const struct nve_ip other = dpw_addr("192.0.2.3"), third = dpw_addr("192.0.2.4");

	(void)state;
	dpc_two_tsis(true);
	dpw_apply(&dpc);
	assert_int_equal(dpc.ops->vtep_set(dpc.dp, 1, &third), 0);
	assert_int_equal(dpc.ops->vtep_set(dpc.dp, 0, &other), 0);
	dpw_apply(&dpc);
	assert_true(dpw_from_vtep(&dpc, "192.0.2.3", VNI_7, MAC_1).pass);
	assert_true(dpw_from_vtep(&dpc, "192.0.2.4", VNI_7, MAC_1).pass);
	assert_false(dpw_from_vtep(&dpc, "192.0.2.2", VNI_7, MAC_1).pass);
}

static void bum_goes_to_vteps_and_vaps_in_use_and_not_back(void **state)
{
	(void)state;
	dpc_two_tsis(true);
	dpw_apply(&dpc);
	assert_int_equal(dpc_send(A0, TAG_10, MAC_1, "", MAC_ALL).copies, 3); /* 2 VTEPs, a1 */
	assert_int_equal(dpc_send(A0, TAG_10, MAC_1, "", MAC_X).copies, 3);   /* unknown */
	assert_int_equal(dpw_from_vtep(&dpc, "192.0.2.2", VNI_7, MAC_ALL).copies, 2);
	dpw_vap(&dpc, A1, TAG_20, 0);
	dpw_apply(&dpc);
	assert_int_equal(dpc_send(A0, TAG_10, MAC_1, "", MAC_ALL).copies, 2);
	dpw_vap(&dpc, A1, TAG_20, 5);
	dpw_vap(&dpc, A1, 99, 1);
	dpw_apply(&dpc);
	assert_int_equal(dpc_send(A0, TAG_10, MAC_1, "", MAC_ALL).copies, 4);
	assert_int_equal(dpc.ops->vap_del(dpc.dp, A1, 99), 0);
	dpw_apply(&dpc);
	assert_int_equal(dpc_send(A0, TAG_10, MAC_1, "", MAC_ALL).copies, 3);
}

static void a_quarantined_tag_carries_nothing(void **state)
{
	const struct nve_dp_vap vap = { .port = A1, .tag = TAG_20, .quarantined = true };

	(void)state;
	dpc_two_tsis(true);
	dpw_apply(&dpc);
	assert_int_equal(dpc.ops->tsi_del(dpc.dp, 2), 0);
	assert_int_equal(dpc.ops->vap_set(dpc.dp, &vap), 0);
	dpw_apply(&dpc);
	assert_false(dpc_passes(A1, TAG_20, MAC_2, ""));
	assert_int_equal(dpc_send(A0, TAG_10, MAC_1, "", MAC_ALL).copies, 2);
	dpw_vap(&dpc, A1, TAG_20, 1);
	dpw_tsi(&dpc, 2, A1, TAG_20, true, ADDRS(MAC_2));
	dpw_apply(&dpc);
	assert_true(dpc_passes(A1, TAG_20, MAC_2, ""));
	assert_int_equal(dpc_send(A0, TAG_10, MAC_1, "", MAC_ALL).copies, 3);
}

/* --- resync ----------------------------------------------------------------------------------- */

static void after_a_resync_there_is_what_was_set_during_it(void **state)
{
	(void)state;
	dpc_two_tsis(true);
	dpw_tsi(&dpc, 3, A1, TAG_20, true, ADDRS(MAC_3));
	dpw_apply(&dpc);
	assert_int_equal(dpc.ops->resync_begin(dpc.dp), 0);
	dpw_set_vns(&dpc);
	dpc_two_tsis(true);
	assert_int_equal(dpc.ops->apply(dpc.dp), -EBUSY);
	assert_int_equal(dpc.ops->resync_end(dpc.dp), 0);
	assert_true(dpc_passes(A0, TAG_10, MAC_1, ""));
	assert_int_equal(dpc_reaches(MAC_2), 2);
	assert_false(dpc_passes(A1, TAG_20, MAC_3, ""));
	dpw_tsi(&dpc, 1, A0, TAG_10, true, ADDRS(MAC_1 " 10.0.0.1"));
	dpw_apply(&dpc);
	assert_false(dpc_passes(A0, TAG_10, MAC_1, "10.0.0.2"));
}

static void what_the_operator_reads_is_of_tsis_that_there_are(void **state)
{
	struct nve_dp_tsi_stats stats;
	struct nve_dp_port_status status;

	(void)state;
	dpc_two_tsis(true);
	dpw_apply(&dpc);
	assert_int_equal(dpc.ops->tsi_stats(dpc.dp, 1, &stats), 0);
	assert_int_equal(dpc.ops->tsi_stats(dpc.dp, 5, &stats), -ENOENT);
	assert_int_equal(dpc.ops->last_seen(dpc.dp, 5), 0);
	assert_int_equal(dpc.ops->dump(dpc.dp, "no such table", NULL, NULL), -ENOENT);
	assert_int_equal(dpc.ops->port_status(dpc.dp, A0, &status), 0);
	assert_true(status.up && status.ifindex && status.why[0]);
	assert_int_equal(dpc.ops->port_status(dpc.dp, 77, &status), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CONTRACT(what_was_set_shows_after_apply_and_not_before),
		CONTRACT(tsis_of_one_nve_reach_each_other),
		CONTRACT(an_associated_tsi_neither_sends_nor_receives),
		CONTRACT(activation_and_deactivation_switch_all_addresses_both_ways),
		CONTRACT(what_was_said_back_before_apply_never_shows),
		CONTRACT(deleting_everything_leaves_no_row),
		CONTRACT(what_refers_to_nothing_is_refused_and_changes_nothing),
		CONTRACT(deleting_what_is_not_there_is_no_error),
		CONTRACT(a_full_table_is_refused_at_set_and_room_comes_back_with_del),
		CONTRACT(room_for_addresses_and_tsis_is_taken_at_set),
		CONTRACT(a_vn_has_room_for_so_many_members),
		CONTRACT(the_second_destination_takes_over_while_it_is_in_use),
		CONTRACT(a_remote_address_moves_between_vteps),
		CONTRACT(only_vteps_of_the_vn_may_send_to_it),
		CONTRACT(two_vns_swap_their_vnis_in_one_apply),
		CONTRACT(a_vtep_slot_takes_another_address),
		CONTRACT(bum_goes_to_vteps_and_vaps_in_use_and_not_back),
		CONTRACT(a_quarantined_tag_carries_nothing),
		CONTRACT(after_a_resync_there_is_what_was_set_during_it),
		CONTRACT(what_the_operator_reads_is_of_tsis_that_there_are),
	};

	return dpc_run(tests);
}
