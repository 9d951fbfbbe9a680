/* SPDX-License-Identifier: Apache-2.0 */
/* The contract of dp.h: who is answered for, and what is not flooded.  See lib/dp_contract.h. */
#include <errno.h>
#include <string.h>

#include "lib/dp_contract.h"

static const struct nve_dp_bum suppress = { .suppress = true };

/* TSI 1 asks; TSI 2 has an IPv4 and an IPv6 address, and so has MAC_R behind a VTEP. */
static void two_tsis_with_ips(bool activated)
{
	dpc_two_tsis(activated);
	dpw_tsi(&dpc, 1, A0, TAG_10, true, ADDRS(MAC_1 " 10.0.0.1", MAC_1 " fd00::1"));
	dpw_tsi(&dpc, 2, A1, TAG_20, activated, ADDRS(MAC_2 " 10.0.0.2", MAC_2 " fd00::2"));
	dpw_bum(&dpc, &suppress);
	dpw_neigh(&dpc, "10.0.0.2", NOBODY, HERE(MAC_2));
	dpw_neigh(&dpc, "fd00::2", NOBODY, HERE(MAC_2));
	dpw_neigh(&dpc, "10.0.0.9", NOBODY, THERE(MAC_R));
	dpw_neigh(&dpc, "fd00::9", NOBODY, THERE(MAC_R));
}

static const char *ask(const char *ip)
{
	return dpw_answer(&dpc, A0, TAG_10, MAC_1, strchr(ip, ':') ? "fd00::1" : "10.0.0.1", ip);
}

static void a_claim_is_answered_after_apply_while_it_holds(void **state)
{
	(void)state;
	two_tsis_with_ips(true);
	dpw_apply(&dpc);
	assert_string_equal(ask("10.0.0.2"), MAC_2);
	assert_string_equal(ask("fd00::2"), MAC_2);
	assert_string_equal(ask("10.0.0.9"), MAC_R);
	assert_string_equal(ask("fd00::9"), MAC_R);
	assert_string_equal(ask("10.0.0.7"), "");
	assert_string_equal(ask("fd00::7"), "");
}

static void nothing_is_answered_in_a_vn_that_does_not_suppress(void **state)
{
	const struct nve_dp_bum none = { 0 };

	(void)state;
	two_tsis_with_ips(true);
	dpw_bum(&dpc, &none);
	dpw_apply(&dpc);
	assert_string_equal(ask("10.0.0.2"), "");
	assert_string_equal(ask("fd00::9"), "");
	dpw_bum(&dpc, &suppress);
	dpw_apply(&dpc);
	assert_string_equal(ask("10.0.0.2"), MAC_2);
	assert_string_equal(ask("fd00::9"), MAC_R);
}

static void answers_follow_activate_and_deactivate(void **state)
{
	(void)state;
	two_tsis_with_ips(false);
	dpw_apply(&dpc);
	assert_string_equal(ask("10.0.0.2"), "");
	for (int i = 0; i < 2; i++) {
		dpw_tsi(&dpc, 2, A1, TAG_20, true, ADDRS(MAC_2 " 10.0.0.2", MAC_2 " fd00::2"));
		assert_string_equal(ask("10.0.0.2"), "");
		dpw_apply(&dpc);
		assert_string_equal(ask("10.0.0.2"), MAC_2);
		assert_string_equal(ask("fd00::2"), MAC_2);
		dpw_tsi(&dpc, 2, A1, TAG_20, false, ADDRS(MAC_2 " 10.0.0.2", MAC_2 " fd00::2"));
		dpw_apply(&dpc);
		assert_string_equal(ask("10.0.0.2"), "");
		assert_string_equal(ask("fd00::2"), "");
	}
}

/* D13: one address of a MAC is in use, the other is not. */
static void answers_follow_each_address_of_a_tsi_in_use(void **state)
{
	(void)state;
	two_tsis_with_ips(true);
	dpw_tsi(&dpc, 2, A1, TAG_20, true, ADDRS(MAC_2 " 10.0.0.2", "-" MAC_2 " fd00::2"));
	dpw_apply(&dpc);
	assert_string_equal(ask("10.0.0.2"), MAC_2);
	assert_string_equal(ask("fd00::2"), "");
	dpw_tsi(&dpc, 2, A1, TAG_20, true, ADDRS("-" MAC_2 " 10.0.0.2", MAC_2 " fd00::2"));
	dpw_apply(&dpc);
	assert_string_equal(ask("10.0.0.2"), "");
	assert_string_equal(ask("fd00::2"), MAC_2);
	dpw_tsi(&dpc, 2, A1, TAG_20, true, ADDRS(MAC_2));
	dpw_apply(&dpc);
	assert_string_equal(ask("fd00::2"), "");
}

/* D7: the same MAC and IP here and there. */
static void answers_go_with_the_mac_that_moves(void **state)
{
	(void)state;
	two_tsis_with_ips(false);
	dpw_neigh(&dpc, "10.0.0.2", NOBODY, THERE(MAC_2));
	dpw_fdb(&dpc, MAC_2, VTEP(1), TSI(2));
	dpw_apply(&dpc);
	assert_string_equal(ask("10.0.0.2"), MAC_2); /* there */
	assert_string_equal(ask("fd00::2"), "");     /* nobody maps that to it */
	dpw_tsi(&dpc, 2, A1, TAG_20, true, ADDRS(MAC_2 " fd00::2"));
	dpw_apply(&dpc);
	assert_string_equal(ask("10.0.0.2"), ""); /* the MAC is here now, without that IP */
	assert_string_equal(ask("fd00::2"), MAC_2);
}

static void of_two_macs_the_second_is_answered_while_it_holds(void **state)
{
	(void)state;
	two_tsis_with_ips(false);
	dpw_neigh(&dpc, "10.0.0.2", THERE(MAC_R), HERE(MAC_2));
	dpw_apply(&dpc);
	assert_string_equal(ask("10.0.0.2"), MAC_R);
	dpw_tsi(&dpc, 2, A1, TAG_20, true, ADDRS(MAC_2 " 10.0.0.2"));
	dpw_apply(&dpc);
	assert_string_equal(ask("10.0.0.2"), MAC_2);
	dpw_tsi(&dpc, 2, A1, TAG_20, false, ADDRS(MAC_2 " 10.0.0.2"));
	dpw_apply(&dpc);
	assert_string_equal(ask("10.0.0.2"), MAC_R);
}

static void who_asks_at_the_same_port_and_tag_is_not_answered(void **state)
{
	(void)state;
	two_tsis_with_ips(true);
	dpw_tsi(&dpc, 2, A0, TAG_10, true, ADDRS(MAC_2 " 10.0.0.2"));
	dpw_apply(&dpc);
	assert_string_equal(ask("10.0.0.2"), "");
}

static void an_entry_that_is_removed_or_replaced_is_that_after_apply(void **state)
{
	const struct nve_ip ip = dpw_addr("10.0.0.9");

	(void)state;
	two_tsis_with_ips(true);
	dpw_apply(&dpc);
	assert_int_equal(dpc.ops->neigh_del(dpc.dp, VN_7, &ip), 0);
	assert_int_equal(dpc.ops->neigh_del(dpc.dp, VN_7, &ip), 0);
	assert_string_equal(ask("10.0.0.9"), MAC_R);
	dpw_apply(&dpc);
	assert_string_equal(ask("10.0.0.9"), "");
	dpw_neigh(&dpc, "10.0.0.9", NOBODY, THERE(MAC_X)); /* of which the fdb knows nothing */
	dpw_apply(&dpc);
	assert_string_equal(ask("10.0.0.9"), "");
	dpw_neigh(&dpc, "10.0.0.9", NOBODY, THERE(MAC_R));
	dpw_apply(&dpc);
	assert_string_equal(ask("10.0.0.9"), MAC_R);
}

/* D12: a full table is refused when it is told, and what is there stays. */
static void room_for_an_entry_is_taken_when_it_is_set(void **state)
{
	struct nve_dp_neigh neigh = { .vn_id = VN_7, .ip.family = 4, .second = HERE(MAC_2) };
	uint32_t n = dpw_limits.max_addrs + dpw_limits.max_fdb;
	uint64_t used = dpw_used(&dpc);

	(void)state;
	for (uint32_t i = 0; i <= n; i++) {
		memcpy(neigh.ip.bytes, &(uint32_t){ i }, 4);
		assert_int_equal(dpc.ops->neigh_set(dpc.dp, &neigh), i < n ? 0 : -ENOSPC);
	}
	memset(neigh.ip.bytes, 0, 4);
	neigh.second = HERE(MAC_1);
	assert_int_equal(dpc.ops->neigh_set(dpc.dp, &neigh), 0); /* it has its room */
	dpw_apply(&dpc);
	assert_int_equal(dpw_used(&dpc), used + n);
	for (uint32_t i = 0; i < n; i++) {
		memcpy(neigh.ip.bytes, &(uint32_t){ i }, 4);
		assert_int_equal(dpc.ops->neigh_del(dpc.dp, VN_7, &neigh.ip), 0);
	}
	dpw_apply(&dpc);
	assert_int_equal(dpw_used(&dpc), used);
}

static void what_cannot_be_is_refused(void **state)
{
	struct nve_dp_neigh neigh = { .vn_id = 99, .ip.family = 4, .second = HERE(MAC_2) };
	const struct nve_dp_vn no_burst = { .vn_id = VN_8, .vni = VNI_8, .bum = { .rate = 5 } };

	(void)state;
	assert_int_equal(dpc.ops->neigh_set(dpc.dp, &neigh), -ENOENT);
	neigh.vn_id = VN_7;
	neigh.ip.family = 5;
	assert_int_equal(dpc.ops->neigh_set(dpc.dp, &neigh), -EINVAL);
	neigh.ip.family = 4;
	neigh.second.kind = NVE_DP_DEST_NONE;
	assert_int_equal(dpc.ops->neigh_set(dpc.dp, &neigh), -EINVAL);
	neigh.second.kind = 3;
	assert_int_equal(dpc.ops->neigh_set(dpc.dp, &neigh), -EINVAL);
	assert_int_equal(dpc.ops->vn_set(dpc.dp, &no_burst), -EINVAL);
}

static void unknown_unicast_is_dropped_in_a_vn_that_says_so(void **state)
{
	const struct nve_dp_bum drop = { .drop_unknown = true }, flood = { 0 };

	(void)state;
	dpc_two_tsis(true);
	dpw_apply(&dpc);
	assert_int_equal(dpc_send(A0, TAG_10, MAC_1, "", MAC_X).copies, 3);
	assert_int_equal(dpw_from_vtep(&dpc, "192.0.2.2", VNI_7, MAC_X).copies, 2);
	dpw_bum(&dpc, &drop);
	dpw_apply(&dpc);
	assert_false(dpc_send(A0, TAG_10, MAC_1, "", MAC_X).pass);
	assert_false(dpw_from_vtep(&dpc, "192.0.2.2", VNI_7, MAC_X).pass);
	assert_int_equal(dpc_send(A0, TAG_10, MAC_1, "", MAC_ALL).copies, 3);
	assert_true(dpc_passes(A0, TAG_10, MAC_1, ""));
	dpw_bum(&dpc, &flood);
	dpw_apply(&dpc);
	assert_int_equal(dpc_send(A0, TAG_10, MAC_1, "", MAC_X).copies, 3);
}

/* The fake has no clock. */
static void
bum_beyond_its_burst_is_dropped_and_a_bucket_that_stays_keeps_what_is_in_it(void **state)
{
	const struct nve_dp_bum slow = { .rate = 1, .burst = 300 };
	const struct nve_dp_bum other = { .rate = 1, .burst = 300, .suppress = true };
	const struct nve_dp_bum none = { 0 };
	uint32_t passed = 0;

	(void)state;
	if (dpc.ops == &nve_dp_fake)
		skip();
	dpc_two_tsis(true);
	dpw_bum(&dpc, &slow);
	dpw_apply(&dpc);
	for (int i = 0; i < 400; i++)
		passed += dpc_send(A0, TAG_10, MAC_1, "", MAC_ALL).pass;
	assert_in_range(passed, 300, 320); /* a token a second comes meanwhile */
	assert_int_equal(dpc_send(A0, TAG_10, MAC_1, "", MAC_R).pass, true);
	dpw_bum(&dpc, &other);
	dpw_apply(&dpc);
	passed = 0;
	for (int i = 0; i < 50; i++)
		passed += dpc_send(A0, TAG_10, MAC_1, "", MAC_ALL).pass;
	assert_in_range(passed, 0, 20);
	dpw_bum(&dpc, &none);
	dpw_apply(&dpc);
	for (int i = 0; i < 50; i++)
		assert_true(dpc_send(A0, TAG_10, MAC_1, "", MAC_ALL).pass);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CONTRACT(a_claim_is_answered_after_apply_while_it_holds),
		CONTRACT(nothing_is_answered_in_a_vn_that_does_not_suppress),
		CONTRACT(answers_follow_activate_and_deactivate),
		CONTRACT(answers_follow_each_address_of_a_tsi_in_use),
		CONTRACT(answers_go_with_the_mac_that_moves),
		CONTRACT(of_two_macs_the_second_is_answered_while_it_holds),
		CONTRACT(who_asks_at_the_same_port_and_tag_is_not_answered),
		CONTRACT(an_entry_that_is_removed_or_replaced_is_that_after_apply),
		CONTRACT(room_for_an_entry_is_taken_when_it_is_set),
		CONTRACT(what_cannot_be_is_refused),
		CONTRACT(unknown_unicast_is_dropped_in_a_vn_that_says_so),
		CONTRACT(
			bum_beyond_its_burst_is_dropped_and_a_bucket_that_stays_keeps_what_is_in_it),
	};

	return dpc_run(tests);
}
