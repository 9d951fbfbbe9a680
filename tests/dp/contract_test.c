/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contract of dp.h, one suite for every backend: what was set shows to frames after apply(),
 * and nothing else does.  The world is that of lib/dp_world.h.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/dp_world.h"

#define MAC_1   "02:00:00:00:00:01"
#define MAC_2   "02:00:00:00:00:02"
#define MAC_3   "02:00:00:00:00:03"
#define MAC_R   "02:00:00:00:00:99" /* behind VTEP 0 */
#define MAC_X   "02:00:00:00:00:ee" /* nobody's */
#define MAC_ALL "ff:ff:ff:ff:ff:ff"

static struct dpw w;
static const struct dpw *backend;

/* --- frames --------------------------------------------------------------------------------- */

static struct nve_fake_verdict send_to(uint16_t port, uint16_t tag, const char *src, const char *ip,
				       const char *dst)
{
	struct nve_fake_frame f = { .port = port, .tag = tag, .ip = dpw_addr(ip) };

	dpw_mac(f.src, src);
	dpw_mac(f.dst, dst);
	return dpw_from_port(&w, &f);
}

/* To the remote MAC, which only the source filter can keep from being sent. */
static bool passes(uint16_t port, uint16_t tag, const char *src, const char *ip)
{
	struct nve_fake_verdict v = send_to(port, tag, src, ip, MAC_R);

	assert_true(!v.pass || (v.dest.kind == NVE_DP_DEST_VTEP && v.dest.slot == 0));
	return v.pass;
}

/* Slot of the TSI that a frame from VTEP 0 reaches, or NVE_SLOT_NONE. */
static uint32_t reaches(const char *dst)
{
	struct nve_fake_verdict v = dpw_from_vtep(&w, "192.0.2.2", VNI_7, dst);

	return v.pass && v.dest.kind == NVE_DP_DEST_TSI ? v.dest.slot : NVE_SLOT_NONE;
}

/* TSI 1 at port a0, tag 10, with MAC_1; TSI 2 at a1, tag 20, with MAC_2; MAC_R. */
static void two_tsis(bool activated)
{
	dpw_vap(&w, A0, TAG_10, activated);
	dpw_vap(&w, A1, TAG_20, activated);
	dpw_tsi(&w, 1, A0, TAG_10, activated, ADDRS(MAC_1));
	dpw_tsi(&w, 2, A1, TAG_20, activated, ADDRS(MAC_2));
	dpw_fdb(&w, MAC_1, TSI(1), NONE);
	dpw_fdb(&w, MAC_2, TSI(2), NONE);
	dpw_fdb(&w, MAC_R, VTEP(0), NONE);
}

static int set_up(void **state)
{
	(void)state;
	dpw_open(&w, backend);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	dpw_close(&w);
	return 0;
}

/* --- apply ---------------------------------------------------------------------------------- */

static void what_was_set_shows_after_apply_and_not_before(void **state)
{
	(void)state;
	two_tsis(true);
	assert_false(passes(A0, TAG_10, MAC_1, ""));
	assert_int_equal(reaches(MAC_1), NVE_SLOT_NONE);
	dpw_apply(&w);
	assert_true(passes(A0, TAG_10, MAC_1, ""));
	assert_int_equal(reaches(MAC_1), 1);
	assert_int_equal(w.ops->tsi_del(w.dp, 1), 0);
	assert_true(passes(A0, TAG_10, MAC_1, ""));
	dpw_apply(&w);
	assert_false(passes(A0, TAG_10, MAC_1, ""));
	assert_int_equal(reaches(MAC_1), NVE_SLOT_NONE);
}

static void tsis_of_one_nve_reach_each_other(void **state)
{
	struct nve_fake_verdict v;

	(void)state;
	two_tsis(true);
	dpw_apply(&w);
	v = send_to(A0, TAG_10, MAC_1, "10.0.0.1", MAC_2);
	assert_true(v.pass);
	assert_int_equal(v.tsi, 1);
	assert_int_equal(v.dest.kind, NVE_DP_DEST_TSI);
	assert_int_equal(v.dest.slot, 2);
}

static void an_associated_tsi_neither_sends_nor_receives(void **state)
{
	(void)state;
	two_tsis(false);
	dpw_apply(&w);
	assert_false(passes(A0, TAG_10, MAC_1, ""));
	assert_int_equal(reaches(MAC_1), NVE_SLOT_NONE);
	assert_false(send_to(A0, TAG_10, MAC_1, "", MAC_ALL).pass);
	assert_false(dpw_from_vtep(&w, "192.0.2.2", VNI_7, MAC_ALL).pass);
}

static void activation_and_deactivation_switch_all_addresses_both_ways(void **state)
{
	(void)state;
	two_tsis(false);
	dpw_tsi(&w, 1, A0, TAG_10, false, ADDRS(MAC_1, MAC_3));
	dpw_fdb(&w, MAC_3, TSI(1), NONE);
	dpw_apply(&w);
	for (int on = 1; on >= 0; on--) {
		dpw_tsi(&w, 1, A0, TAG_10, on, ADDRS(MAC_1, MAC_3));
		dpw_apply(&w);
		assert_int_equal(passes(A0, TAG_10, MAC_1, "10.0.0.1"), on);
		assert_int_equal(passes(A0, TAG_10, MAC_3, ""), on);
		assert_int_equal(reaches(MAC_1), on ? 1 : NVE_SLOT_NONE);
		assert_int_equal(reaches(MAC_3), on ? 1 : NVE_SLOT_NONE);
	}
}

static void what_was_said_back_before_apply_never_shows(void **state)
{
	(void)state;
	two_tsis(true);
	dpw_apply(&w);
	dpw_tsi(&w, 1, A0, TAG_10, true, ADDRS(MAC_3));
	dpw_fdb(&w, MAC_1, VTEP(1), NONE);
	assert_int_equal(w.ops->tsi_del(w.dp, 2), 0);
	dpw_tsi(&w, 1, A0, TAG_10, true, ADDRS(MAC_1));
	dpw_fdb(&w, MAC_1, TSI(1), NONE);
	dpw_tsi(&w, 2, A1, TAG_20, true, ADDRS(MAC_2));
	dpw_apply(&w);
	assert_true(passes(A0, TAG_10, MAC_1, ""));
	assert_false(passes(A0, TAG_10, MAC_3, ""));
	assert_int_equal(reaches(MAC_1), 1);
	assert_int_equal(reaches(MAC_2), 2);
}

static void deleting_everything_leaves_no_row(void **state)
{
	uint64_t before = dpw_used(&w);

	(void)state;
	two_tsis(true);
	dpw_tsi(&w, 3, A0, TAG_10, true, ADDRS("10.0.0.7", "fd00::7"));
	dpw_apply(&w);
	assert_true(dpw_used(&w) > before);
	assert_false(passes(A0, TAG_10, MAC_X, ""));
	for (uint32_t slot = 1; slot <= 3; slot++)
		assert_int_equal(w.ops->tsi_del(w.dp, slot), 0);
	for (const char *const *m = ADDRS(MAC_1, MAC_2, MAC_R, MAC_X); *m; m++) {
		uint8_t mac[NVE_MAC_LEN];

		dpw_mac(mac, *m);
		assert_int_equal(w.ops->fdb_del(w.dp, VN_7, mac), 0);
	}
	assert_int_equal(w.ops->vap_del(w.dp, A0, TAG_10), 0);
	assert_int_equal(w.ops->vap_del(w.dp, A1, TAG_20), 0);
	dpw_apply(&w);
	assert_int_equal(dpw_used(&w), before);
}

/* --- references and room -------------------------------------------------------------------- */

static void what_refers_to_nothing_is_refused_and_changes_nothing(void **state)
{
	const uint32_t vteps[] = { 3 };
	const struct nve_dp_vn vn = { .vn_id = VN_7, .vni = 5, .n_vteps = 1, .vteps = vteps };
	const struct nve_dp_vap vap = { .port = A0, .tag = TAG_10, .vn_id = 9 };
	const struct nve_dp_vap underlay = { .port = U0, .tag = TAG_10, .vn_id = VN_7 };
	struct nve_dp_tsi tsi = { .slot = 1, .key = { .vn_id = 9, .port = A0 }, .tag = TAG_10 };
	struct nve_dp_fdb fdb = { .vn_id = VN_7, .first = TSI(5) };

	(void)state;
	two_tsis(true);
	dpw_apply(&w);
	assert_int_equal(w.ops->vn_set(w.dp, &vn), -ENOENT);
	assert_int_equal(w.ops->vap_set(w.dp, &vap), -ENOENT);
	assert_int_equal(w.ops->vap_set(w.dp, &underlay), -ENOENT);
	assert_int_equal(w.ops->tsi_set(w.dp, &tsi), -ENOENT);
	tsi.key = (struct nve_tsi_key){ .vn_id = VN_7, .port = 77 };
	assert_int_equal(w.ops->tsi_set(w.dp, &tsi), -ENOENT);
	dpw_mac(fdb.mac, MAC_1);
	assert_int_equal(w.ops->fdb_set(w.dp, &fdb), -ENOENT);
	fdb.first = VTEP(3);
	assert_int_equal(w.ops->fdb_set(w.dp, &fdb), -ENOENT);
	dpw_apply(&w);
	assert_true(passes(A0, TAG_10, MAC_1, ""));
	assert_int_equal(reaches(MAC_1), 1);
}

static void deleting_what_is_not_there_is_no_error(void **state)
{
	const uint8_t mac[NVE_MAC_LEN] = { 2 };

	(void)state;
	assert_int_equal(w.ops->tsi_del(w.dp, 9), 0);
	assert_int_equal(w.ops->tsi_del(w.dp, 999999), 0);
	assert_int_equal(w.ops->vn_del(w.dp, 99), 0);
	assert_int_equal(w.ops->vtep_del(w.dp, 3), 0);
	assert_int_equal(w.ops->vap_del(w.dp, A0, 99), 0);
	assert_int_equal(w.ops->fdb_del(w.dp, VN_7, mac), 0);
	assert_int_equal(w.ops->port_del(w.dp, 200), 0);
	dpw_apply(&w);
}

static int set_fdb(uint32_t i)
{
	struct nve_dp_fdb fdb = { .vn_id = VN_7, .mac = { 2, 9, [5] = i }, .first = VTEP(0) };

	return w.ops->fdb_set(w.dp, &fdb);
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
	assert_int_equal(w.ops->fdb_del(w.dp, VN_7, mac), 0);
	assert_int_equal(set_fdb(n), 0);
	dpw_apply(&w);
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
	return w.ops->tsi_set(w.dp, &tsi);
}

static void room_for_addresses_and_tsis_is_taken_at_set(void **state)
{
	(void)state;
	assert_int_equal(set_many_addrs(1, 256), 0);
	assert_int_equal(set_many_addrs(2, 256), 0);
	assert_int_equal(set_many_addrs(3, 89), -ENOSPC); /* of 600 */
	assert_int_equal(set_many_addrs(3, 88), 0);
	dpw_apply(&w);
	assert_int_equal(set_many_addrs(4, 1), -ENOSPC);
	assert_int_equal(set_many_addrs(1, 255), 0);
	assert_int_equal(set_many_addrs(4, 1), 0);
	assert_int_equal(set_many_addrs(dpw_limits.max_tsis, 0), -ENOSPC);
	dpw_apply(&w);
	/* Full tables take one set for another, any number of times. */
	for (int i = 0; i < 3; i++) {
		assert_int_equal(set_many_addrs(1, 1), 0);
		assert_int_equal(set_many_addrs(4, 255), 0);
		dpw_apply(&w);
		assert_int_equal(set_many_addrs(4, 1), 0);
		assert_int_equal(set_many_addrs(1, 255), 0);
		dpw_apply(&w);
	}
}

static void a_vn_has_room_for_so_many_members(void **state)
{
	const struct nve_dp_vap seventh = { .port = A0, .tag = 104, .vn_id = VN_7 };
	const struct nve_dp_vn third = { .vn_id = 1, .vni = 1 }, fourth = { .vn_id = 2, .vni = 2 };
	const struct nve_dp_vn fifth = { .vn_id = 3, .vni = 3 };

	(void)state;
	for (uint16_t tag = 100; tag < 104; tag++)
		dpw_vap(&w, A0, tag, 1);
	assert_int_equal(w.ops->vap_set(w.dp, &seventh), -ENOSPC); /* 2 VTEPs, 4 VAPs */
	assert_int_equal(w.ops->vn_set(w.dp, &third), 0);
	assert_int_equal(w.ops->vn_set(w.dp, &fourth), 0);
	assert_int_equal(w.ops->vn_set(w.dp, &fifth), -ENOSPC);
	dpw_apply(&w);
	assert_int_equal(w.ops->vap_del(w.dp, A0, 100), 0);
	assert_int_equal(w.ops->vap_set(w.dp, &seventh), 0);
	dpw_apply(&w);
}

/* --- source filter -------------------------------------------------------------------------- */

static void a_mac_without_ip_sends_with_any_ip_and_no_other_mac_does(void **state)
{
	(void)state;
	two_tsis(true);
	dpw_apply(&w);
	assert_true(passes(A0, TAG_10, MAC_1, ""));
	assert_true(passes(A0, TAG_10, MAC_1, "10.0.0.77"));
	assert_true(passes(A0, TAG_10, MAC_1, "fd00::77"));
	assert_false(passes(A0, TAG_10, MAC_2, ""));
	assert_false(passes(A0, TAG_20, MAC_1, ""));
	assert_false(passes(A1, TAG_10, MAC_1, ""));
}

static void an_ip_bound_to_a_mac_is_good_with_that_mac_only(void **state)
{
	(void)state;
	two_tsis(true);
	dpw_tsi(&w, 1, A0, TAG_10, true,
		ADDRS(MAC_1 " 10.0.0.1", MAC_1 " 10.0.0.2", MAC_1 " fd00::1", MAC_1 " fd00::2",
		      MAC_3 " 10.0.0.3"));
	dpw_apply(&w);
	for (const char *const *ip = ADDRS("10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2"); *ip;
	     ip++) {
		assert_true(passes(A0, TAG_10, MAC_1, *ip));
		assert_false(passes(A0, TAG_10, MAC_3, *ip));
	}
	assert_true(passes(A0, TAG_10, MAC_3, "10.0.0.3"));
	assert_false(passes(A0, TAG_10, MAC_1, "10.0.0.3"));
	assert_false(passes(A0, TAG_10, MAC_3, "fd00::3"));
}

static void an_ip_bound_to_no_mac_is_good_with_each_mac_of_the_tsi(void **state)
{
	(void)state;
	two_tsis(true);
	dpw_tsi(&w, 1, A0, TAG_10, true, ADDRS(MAC_1, MAC_3 " 10.0.0.3", "10.0.0.9", "fd00::9"));
	dpw_apply(&w);
	assert_true(passes(A0, TAG_10, MAC_1, "10.0.0.9"));
	assert_true(passes(A0, TAG_10, MAC_3, "fd00::9"));
	assert_true(passes(A0, TAG_10, MAC_3, "10.0.0.3"));
	assert_false(passes(A0, TAG_10, MAC_1, "10.0.0.3"));
	assert_false(passes(A0, TAG_10, MAC_1, "10.0.0.8"));
	assert_false(passes(A0, TAG_10, MAC_X, "10.0.0.9"));
}

static void a_tsi_known_by_ip_alone_sends_from_any_mac(void **state)
{
	(void)state;
	two_tsis(true);
	dpw_tsi(&w, 3, A0, TAG_10, true, ADDRS("10.0.0.7", "fd00::7"));
	dpw_apply(&w);
	assert_true(passes(A0, TAG_10, MAC_X, "10.0.0.7"));
	assert_true(passes(A0, TAG_10, MAC_X, "fd00::7"));
	assert_false(passes(A0, TAG_10, MAC_X, "10.0.0.8"));
	assert_false(passes(A1, TAG_20, MAC_X, "10.0.0.7"));
	assert_int_equal(w.ops->tsi_del(w.dp, 3), 0);
	dpw_apply(&w);
	assert_false(passes(A0, TAG_10, MAC_X, "10.0.0.7"));
}

static void an_address_that_is_not_active_is_reserved_and_not_in_use(void **state)
{
	(void)state;
	two_tsis(true);
	dpw_fdb(&w, MAC_3, TSI(1), NONE);
	dpw_tsi(&w, 1, A0, TAG_10, true,
		ADDRS(MAC_1 " 10.0.0.1", "-" MAC_1 " 10.0.0.2", "-" MAC_3 " 10.0.0.3"));
	dpw_apply(&w);
	assert_true(passes(A0, TAG_10, MAC_1, "10.0.0.1"));
	assert_false(passes(A0, TAG_10, MAC_1, "10.0.0.2"));
	assert_false(passes(A0, TAG_10, MAC_3, "10.0.0.3"));
	assert_int_equal(reaches(MAC_1), 1);
	assert_int_equal(reaches(MAC_3), NVE_SLOT_NONE);
	dpw_tsi(&w, 1, A0, TAG_10, true,
		ADDRS("-" MAC_1 " 10.0.0.1", MAC_1 " 10.0.0.2", MAC_3 " 10.0.0.3"));
	dpw_apply(&w);
	assert_false(passes(A0, TAG_10, MAC_1, "10.0.0.1"));
	assert_true(passes(A0, TAG_10, MAC_1, "10.0.0.2"));
	assert_true(passes(A0, TAG_10, MAC_3, "10.0.0.3"));
	assert_int_equal(reaches(MAC_3), 1);
}

/* --- updates of a TSI in use ---------------------------------------------------------------- */

static void addresses_of_a_tsi_in_use_are_added_changed_and_removed(void **state)
{
	(void)state;
	two_tsis(true);
	dpw_fdb(&w, MAC_3, TSI(1), NONE);
	dpw_tsi(&w, 1, A0, TAG_10, true, ADDRS(MAC_1 " 10.0.0.1"));
	dpw_apply(&w);
	dpw_tsi(&w, 1, A0, TAG_10, true, ADDRS(MAC_1 " 10.0.0.2", MAC_3));
	dpw_apply(&w);
	assert_false(passes(A0, TAG_10, MAC_1, "10.0.0.1"));
	assert_true(passes(A0, TAG_10, MAC_1, "10.0.0.2"));
	assert_true(passes(A0, TAG_10, MAC_3, "10.0.0.8"));
	assert_int_equal(reaches(MAC_3), 1);
	dpw_tsi(&w, 1, A0, TAG_10, true, ADDRS(MAC_1, MAC_3 " 10.0.0.3"));
	dpw_apply(&w);
	assert_true(passes(A0, TAG_10, MAC_1, "10.0.0.1"));
	assert_true(passes(A0, TAG_10, MAC_3, "10.0.0.3"));
	assert_false(passes(A0, TAG_10, MAC_3, "10.0.0.8"));
	dpw_tsi(&w, 1, A0, TAG_10, true, ADDRS(MAC_3 " 10.0.0.3"));
	dpw_apply(&w);
	assert_false(passes(A0, TAG_10, MAC_1, "10.0.0.1"));
	assert_int_equal(reaches(MAC_1), NVE_SLOT_NONE);
	assert_int_equal(reaches(MAC_3), 1);
}

static void a_tsi_moves_to_another_port_and_tag(void **state)
{
	(void)state;
	two_tsis(true);
	dpw_vap(&w, A1, TAG_10, 1);
	dpw_tsi(&w, 1, A0, TAG_10, true, ADDRS(MAC_1 " 10.0.0.1", MAC_1 " 10.0.0.2"));
	dpw_apply(&w);
	dpw_tsi(&w, 1, A1, TAG_10, true, ADDRS(MAC_1 " 10.0.0.1", MAC_1 " 10.0.0.2"));
	dpw_apply(&w);
	for (const char *const *ip = ADDRS("10.0.0.1", "10.0.0.2"); *ip; ip++) {
		assert_false(passes(A0, TAG_10, MAC_1, *ip));
		assert_true(passes(A1, TAG_10, MAC_1, *ip));
	}
	assert_int_equal(reaches(MAC_1), 1);
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
	two_tsis(true);
	dpw_apply(&w);
	assert_int_equal(w.ops->tsi_set(w.dp, &other), 0);
	dpw_apply(&w);
	assert_false(passes(A0, TAG_10, MAC_1, ""));
	assert_int_equal(reaches(MAC_1), NVE_SLOT_NONE); /* its entry still names the slot */
	dpw_mac(mac, MAC_1);
	assert_int_equal(w.ops->fdb_del(w.dp, VN_7, mac), 0);
	dpw_apply(&w);
	assert_int_equal(reaches(MAC_1), NVE_SLOT_NONE);
}

static void an_address_passes_from_one_tsi_to_another_in_one_apply(void **state)
{
	(void)state;
	two_tsis(true);
	dpw_tsi(&w, 3, A0, TAG_10, true, ADDRS(MAC_3));
	dpw_fdb(&w, MAC_3, TSI(3), NONE);
	dpw_apply(&w);
	/* Both in use: they swap. */
	dpw_tsi(&w, 1, A0, TAG_10, true, ADDRS(MAC_3));
	dpw_tsi(&w, 3, A0, TAG_10, true, ADDRS(MAC_1));
	dpw_fdb(&w, MAC_1, TSI(3), NONE);
	dpw_fdb(&w, MAC_3, TSI(1), NONE);
	dpw_apply(&w);
	assert_int_equal(send_to(A0, TAG_10, MAC_1, "", MAC_R).tsi, 3);
	assert_int_equal(send_to(A0, TAG_10, MAC_3, "", MAC_R).tsi, 1);
	assert_int_equal(reaches(MAC_1), 3);
	assert_int_equal(reaches(MAC_3), 1);
	/* One goes, the other takes over. */
	assert_int_equal(w.ops->tsi_del(w.dp, 3), 0);
	dpw_tsi(&w, 1, A0, TAG_10, true, ADDRS(MAC_3, MAC_1));
	dpw_fdb(&w, MAC_1, TSI(1), NONE);
	dpw_apply(&w);
	assert_int_equal(send_to(A0, TAG_10, MAC_1, "", MAC_R).tsi, 1);
	assert_int_equal(reaches(MAC_1), 1);
}

/* --- forwarding ----------------------------------------------------------------------------- */

static void the_second_destination_takes_over_while_it_is_in_use(void **state)
{
	(void)state;
	two_tsis(true);
	dpw_tsi(&w, 3, A1, TAG_20, false, ADDRS(MAC_1));
	dpw_fdb(&w, MAC_1, TSI(1), TSI(3));
	dpw_apply(&w);
	assert_int_equal(reaches(MAC_1), 1);
	dpw_tsi(&w, 3, A1, TAG_20, true, ADDRS(MAC_1));
	dpw_apply(&w);
	assert_int_equal(reaches(MAC_1), 3);
	dpw_tsi(&w, 3, A1, TAG_20, true, ADDRS("-" MAC_1, MAC_3));
	dpw_apply(&w);
	assert_int_equal(reaches(MAC_1), 1);
	dpw_tsi(&w, 3, A1, TAG_20, false, ADDRS(MAC_1));
	dpw_tsi(&w, 1, A0, TAG_10, false, ADDRS(MAC_1));
	dpw_apply(&w);
	assert_int_equal(reaches(MAC_1), NVE_SLOT_NONE);
}

static void a_remote_address_moves_between_vteps(void **state)
{
	(void)state;
	two_tsis(true);
	dpw_fdb(&w, MAC_3, VTEP(0), NONE);
	dpw_apply(&w);
	assert_int_equal(send_to(A0, TAG_10, MAC_1, "", MAC_3).dest.slot, 0);
	dpw_fdb(&w, MAC_3, VTEP(1), NONE);
	dpw_apply(&w);
	assert_int_equal(send_to(A0, TAG_10, MAC_1, "", MAC_3).dest.slot, 1);
	/* From VTEP 0 it is sent on to where the address went (D7), from VTEP 1 not back. */
	assert_true(dpw_from_vtep(&w, "192.0.2.2", VNI_7, MAC_3).pass);
	assert_false(dpw_from_vtep(&w, "192.0.2.3", VNI_7, MAC_3).pass);
}

static void only_vteps_of_the_vn_may_send_to_it(void **state)
{
	const uint32_t vteps[] = { 1 };
	const struct nve_dp_vn vn = { .vn_id = VN_7, .vni = 300, .n_vteps = 1, .vteps = vteps };

	(void)state;
	two_tsis(true);
	dpw_apply(&w);
	assert_true(dpw_from_vtep(&w, "192.0.2.3", VNI_7, MAC_1).pass);
	assert_false(dpw_from_vtep(&w, "192.0.2.4", VNI_7, MAC_1).pass);
	assert_false(dpw_from_vtep(&w, "192.0.2.3", VNI_8, MAC_1).pass);
	assert_false(dpw_from_vtep(&w, "192.0.2.2", 999, MAC_1).pass);
	assert_int_equal(w.ops->vn_set(w.dp, &vn), 0);
	dpw_apply(&w);
	assert_false(dpw_from_vtep(&w, "192.0.2.2", VNI_7, MAC_1).pass);
	assert_false(dpw_from_vtep(&w, "192.0.2.2", 300, MAC_1).pass);
	assert_true(dpw_from_vtep(&w, "192.0.2.3", 300, MAC_1).pass);
}

static void two_vns_swap_their_vnis_in_one_apply(void **state)
{
	const uint32_t vteps[] = { 0, 1 };
	const struct nve_dp_vn vns[] = {
		{ .vn_id = VN_7, .vni = VNI_8, .n_vteps = 2, .vteps = vteps },
		{ .vn_id = VN_8, .vni = VNI_7, .n_vteps = 2, .vteps = vteps },
	};

	(void)state;
	two_tsis(true);
	dpw_apply(&w);
	assert_int_equal(w.ops->vn_set(w.dp, &vns[0]), 0);
	assert_int_equal(w.ops->vn_set(w.dp, &vns[1]), 0);
	dpw_apply(&w);
	assert_true(dpw_from_vtep(&w, "192.0.2.2", VNI_8, MAC_1).pass);
	assert_int_equal(dpw_from_vtep(&w, "192.0.2.2", VNI_7, MAC_1).dest.kind, NVE_DP_DEST_NONE);
}

static void a_vtep_slot_takes_another_address(void **state)
{
	const struct nve_ip other = dpw_addr("192.0.2.3"), third = dpw_addr("192.0.2.4");

	(void)state;
	two_tsis(true);
	dpw_apply(&w);
	assert_int_equal(w.ops->vtep_set(w.dp, 1, &third), 0);
	assert_int_equal(w.ops->vtep_set(w.dp, 0, &other), 0);
	dpw_apply(&w);
	assert_true(dpw_from_vtep(&w, "192.0.2.3", VNI_7, MAC_1).pass);
	assert_true(dpw_from_vtep(&w, "192.0.2.4", VNI_7, MAC_1).pass);
	assert_false(dpw_from_vtep(&w, "192.0.2.2", VNI_7, MAC_1).pass);
}

static void bum_goes_to_vteps_and_vaps_in_use_and_not_back(void **state)
{
	(void)state;
	two_tsis(true);
	dpw_apply(&w);
	assert_int_equal(send_to(A0, TAG_10, MAC_1, "", MAC_ALL).copies, 3); /* 2 VTEPs, a1 */
	assert_int_equal(send_to(A0, TAG_10, MAC_1, "", MAC_X).copies, 3);   /* unknown */
	assert_int_equal(dpw_from_vtep(&w, "192.0.2.2", VNI_7, MAC_ALL).copies, 2);
	dpw_vap(&w, A1, TAG_20, 0);
	dpw_apply(&w);
	assert_int_equal(send_to(A0, TAG_10, MAC_1, "", MAC_ALL).copies, 2);
	dpw_vap(&w, A1, TAG_20, 5);
	dpw_vap(&w, A1, 99, 1);
	dpw_apply(&w);
	assert_int_equal(send_to(A0, TAG_10, MAC_1, "", MAC_ALL).copies, 4);
	assert_int_equal(w.ops->vap_del(w.dp, A1, 99), 0);
	dpw_apply(&w);
	assert_int_equal(send_to(A0, TAG_10, MAC_1, "", MAC_ALL).copies, 3);
}

static void a_quarantined_tag_carries_nothing(void **state)
{
	const struct nve_dp_vap vap = { .port = A1, .tag = TAG_20, .quarantined = true };

	(void)state;
	two_tsis(true);
	dpw_apply(&w);
	assert_int_equal(w.ops->tsi_del(w.dp, 2), 0);
	assert_int_equal(w.ops->vap_set(w.dp, &vap), 0);
	dpw_apply(&w);
	assert_false(passes(A1, TAG_20, MAC_2, ""));
	assert_int_equal(send_to(A0, TAG_10, MAC_1, "", MAC_ALL).copies, 2);
	dpw_vap(&w, A1, TAG_20, 1);
	dpw_tsi(&w, 2, A1, TAG_20, true, ADDRS(MAC_2));
	dpw_apply(&w);
	assert_true(passes(A1, TAG_20, MAC_2, ""));
	assert_int_equal(send_to(A0, TAG_10, MAC_1, "", MAC_ALL).copies, 3);
}

/* --- resync --------------------------------------------------------------------------------- */

static void after_a_resync_there_is_what_was_set_during_it(void **state)
{
	(void)state;
	two_tsis(true);
	dpw_tsi(&w, 3, A1, TAG_20, true, ADDRS(MAC_3));
	dpw_apply(&w);
	assert_int_equal(w.ops->resync_begin(w.dp), 0);
	dpw_set_vns(&w);
	two_tsis(true);
	assert_int_equal(w.ops->apply(w.dp), -EBUSY);
	assert_int_equal(w.ops->resync_end(w.dp), 0);
	assert_true(passes(A0, TAG_10, MAC_1, ""));
	assert_int_equal(reaches(MAC_2), 2);
	assert_false(passes(A1, TAG_20, MAC_3, ""));
	dpw_tsi(&w, 1, A0, TAG_10, true, ADDRS(MAC_1 " 10.0.0.1"));
	dpw_apply(&w);
	assert_false(passes(A0, TAG_10, MAC_1, "10.0.0.2"));
}

static void what_the_operator_reads_is_of_tsis_that_there_are(void **state)
{
	struct nve_dp_tsi_stats stats;
	struct nve_dp_port_status status;

	(void)state;
	two_tsis(true);
	dpw_apply(&w);
	assert_int_equal(w.ops->tsi_stats(w.dp, 1, &stats), 0);
	assert_int_equal(w.ops->tsi_stats(w.dp, 5, &stats), -ENOENT);
	assert_int_equal(w.ops->last_seen(w.dp, 5), 0);
	assert_int_equal(w.ops->dump(w.dp, "no such table", NULL, NULL), -ENOENT);
	assert_int_equal(w.ops->port_status(w.dp, A0, &status), 0);
	assert_true(status.up && status.ifindex && status.why[0]);
	assert_int_equal(w.ops->port_status(w.dp, 77, &status), -ENOENT);
}

/* -------------------------------------------------------------------------------------------- */

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_was_set_shows_after_apply_and_not_before),
		T(tsis_of_one_nve_reach_each_other),
		T(an_associated_tsi_neither_sends_nor_receives),
		T(activation_and_deactivation_switch_all_addresses_both_ways),
		T(what_was_said_back_before_apply_never_shows),
		T(deleting_everything_leaves_no_row),
		T(what_refers_to_nothing_is_refused_and_changes_nothing),
		T(deleting_what_is_not_there_is_no_error),
		T(a_full_table_is_refused_at_set_and_room_comes_back_with_del),
		T(room_for_addresses_and_tsis_is_taken_at_set),
		T(a_vn_has_room_for_so_many_members),
		T(a_mac_without_ip_sends_with_any_ip_and_no_other_mac_does),
		T(an_ip_bound_to_a_mac_is_good_with_that_mac_only),
		T(an_ip_bound_to_no_mac_is_good_with_each_mac_of_the_tsi),
		T(a_tsi_known_by_ip_alone_sends_from_any_mac),
		T(an_address_that_is_not_active_is_reserved_and_not_in_use),
		T(addresses_of_a_tsi_in_use_are_added_changed_and_removed),
		T(a_tsi_moves_to_another_port_and_tag),
		T(a_slot_given_to_another_tsi_keeps_nothing_of_the_first),
		T(an_address_passes_from_one_tsi_to_another_in_one_apply),
		T(the_second_destination_takes_over_while_it_is_in_use),
		T(a_remote_address_moves_between_vteps),
		T(only_vteps_of_the_vn_may_send_to_it),
		T(two_vns_swap_their_vnis_in_one_apply),
		T(a_vtep_slot_takes_another_address),
		T(bum_goes_to_vteps_and_vaps_in_use_and_not_back),
		T(a_quarantined_tag_carries_nothing),
		T(after_a_resync_there_is_what_was_set_during_it),
		T(what_the_operator_reads_is_of_tsis_that_there_are),
	};
	int failed = 0;

	for (size_t i = 0; i < dpw_n_backends; i++) {
		backend = &dpw_backends[i];
		if (backend->ops == &nve_dp_ebpf && geteuid() != 0) {
			printf("%s: skipped, needs root\n", backend->name);
			continue;
		}
		printf("--- %s\n", backend->name);
		fflush(stdout);
		failed += cmocka_run_group_tests_name(backend->name, tests, NULL, NULL);
	}
	return failed;
}
