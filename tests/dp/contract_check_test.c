/* SPDX-License-Identifier: Apache-2.0 */
/* The contract of dp.h: the check finds and mends what differs, D11 and D18.  See dp_check.h. */
#include "lib/dp_contract.h"

#include <stdlib.h>
#include <string.h>

#include "lib/dp_corrupt.h"

static const char *const tables[] = {
	"port", "vap",   "tsi",   "src",        "src_ip",  "fdb",     "vtep",    "peer", "flood",
	"bum",  "meter", "neigh", "icmp_meter", "gleaner", "gleaned", "acl_set", "near",
};
enum { TABLES = sizeof(tables) / sizeof(tables[0]) };

static const struct nve_acl_rule no_udp = {
	.ways = 1 << NVE_ACL_FROM_TSI, .deny = 1, .has = NVE_ACL_HAS_PROTOCOL, .protocol = 17
};

/* A TSI of slot 1 with a rate, one whose addresses are learned, rules for VN 8. */
static void fill_rest(void)
{
	const uint32_t vteps[] = { 1 };
	const struct nve_dp_bum bum = { .suppress = true, .rate = 1000, .burst = 100 };
	const struct nve_dp_acl acl = { .id = 5,
					.acl = { .name = "a", .n_rules = 1, .rules = &no_udp } };
	const struct nve_dp_vn vn8 = {
		.vn_id = VN_8, .vni = VNI_8, .acl = 5, .n_vteps = 1, .vteps = vteps
	};
	struct nve_tsi_addr rated[] = { dpw_tsi_addr("02:00:00:00:00:04 10.0.0.4") };
	struct nve_tsi_addr learned[] = { dpw_tsi_addr("02:00:00:00:00:05 10.0.0.5") };
	const struct nve_dp_tsi with_rate = {
		.slot = 4,
		.key = { .id = { { 44 } }, .vn_id = VN_7, .port = A0 },
		.tag = TAG_10,
		.activated = true,
		.qos = { .from_tsi = 8000000, .from_tsi_burst = 10000 },
		.n_addrs = 1,
		.addrs = rated,
	};
	struct nve_dp_tsi gleaning = {
		.slot = 5,
		.key = { .id = { { 55 } }, .vn_id = VN_7, .port = A1 },
		.tag = TAG_20,
		.activated = true,
		.glean = NVE_DP_GLEAN_MACS,
		.glean_every_ns = 1000000000,
		.n_addrs = 1,
		.addrs = learned,
	};

	learned[0].gleaned = true;
	dpw_bum(&dpc, &bum);
	assert_int_equal(dpc.ops->acl_set(dpc.dp, &acl), 0);
	assert_int_equal(dpc.ops->vn_set(dpc.dp, &vn8), 0);
	assert_int_equal(dpc.ops->tsi_set(dpc.dp, &with_rate), 0);
	assert_int_equal(dpc.ops->tsi_set(dpc.dp, &gleaning), 0);
}

static void fill(void)
{
	dpc_two_tsis(true);
	dpw_tsi(&dpc, 1, A0, TAG_10, true, ADDRS(MAC_1 " 10.0.0.1", MAC_1 " 10.0.0.2", "fd00::1"));
	dpw_tsi(&dpc, 3, A0, TAG_10, true, ADDRS("10.0.0.3"));
	dpw_neigh(&dpc, "10.0.0.1", HERE(MAC_1), NOBODY);
	fill_rest();
	dpw_apply(&dpc);
}

static void what_was_told_and_applied_is_found_as_told(void **state)
{
	struct dpx_found f;

	(void)state;
	f = dpx_check(&dpc, false, 1000000);
	assert_int_equal(f.n, 0);
	fill();
	f = dpx_check(&dpc, false, 1000000);
	if (f.n)
		fail_msg("%s %s: want %s have %s", f.table, f.key, f.want, f.have);
	assert_int_equal(f.n, 0);
	assert_true(f.rows > 10);
}

static void nothing_is_looked_at_between_set_and_apply(void **state)
{
	struct nve_dp_check pass = { .repair = true };

	(void)state;
	fill();
	dpw_tsi(&dpc, 6, A0, TAG_10, true, ADDRS(MAC_3));
	assert_int_equal(dpc.ops->check(dpc.dp, &pass, 1000, NULL, NULL), 1);
	assert_int_equal(pass.rows, 0);
	dpw_apply(&dpc);
	assert_int_equal(dpx_check(&dpc, true, 1000).n, 0);
}

/* A row that is gone may be how another's says that it is there: only then is more than one told.
 */
static void found_and_mended(const char *table, enum nve_dp_diff_kind how, const char *before)
{
	struct dpx_found f = dpx_check(&dpc, false, 7);
	char *after;

	if (f.n != 1 || strcmp(f.table, table) || f.kind != how || f.mended)
		fail_msg("%s, %d: %u found, the last in %s, %d: %s want %s have %s", table, how,
			 f.n, f.table, f.kind, f.key, f.want, f.have);
	assert_true(!!*f.want == (how != NVE_DP_FOREIGN));
	assert_true(!!*f.have == (how != NVE_DP_MISSING));
	assert_string_not_equal(f.want, f.have);
	f = dpx_check(&dpc, true, 7);
	assert_int_equal(f.n, 1);
	assert_int_equal(f.mended, 1);
	after = dpx_snapshot(&dpc);
	assert_string_equal(after, before);
	free(after);
	f = dpx_check(&dpc, true, 7);
	assert_int_equal(f.n, 0);
}

static void every_row_that_is_gone_other_or_foreign_is_found_once_and_mended(void **state)
{
	uint32_t spoilt = 0;
	char *before;

	(void)state;
	fill();
	before = dpx_snapshot(&dpc);
	for (int i = 0; i < TABLES; i++) {
		for (int how = NVE_DP_MISSING; how <= NVE_DP_FOREIGN; how++) {
			if (!dpx_spoil(&dpc, tables[i], how))
				continue;
			spoilt++;
			/* Frames meet what is spoilt, whatever becomes of them. */
			dpc_send(A1, TAG_20, MAC_2, "", MAC_R);
			found_and_mended(tables[i], how, before);
			assert_true(dpc_passes(A0, TAG_10, MAC_1, "10.0.0.1"));
			assert_true(dpc_passes(A0, TAG_10, MAC_1, "10.0.0.2"));
			assert_false(dpc_passes(A0, TAG_10, MAC_1, "10.0.0.9"));
			assert_int_equal(dpc_reaches(MAC_2), 2);
		}
	}
	free(before);
	assert_true(spoilt >= (dpc.ops == &nve_dp_fake ? 10 : 40));
}

static void many_at_once_are_all_mended_in_one_pass(void **state)
{
	uint32_t spoilt = 0;
	struct dpx_found f;
	char *before, *after;

	(void)state;
	fill();
	before = dpx_snapshot(&dpc);
	/* The foreign row last, or it might be the one that is made to differ.  near is judged by
	 * what others say. */
	for (int i = 0; i < TABLES; i++) {
		if (!strcmp(tables[i], "near"))
			continue;
		spoilt += dpx_spoil(&dpc, tables[i], NVE_DP_DIFFERS);
		spoilt += dpx_spoil(&dpc, tables[i], NVE_DP_FOREIGN);
	}
	f = dpx_check(&dpc, true, 3);
	assert_int_equal(f.n, f.mended);
	assert_int_equal(f.n, spoilt);
	after = dpx_snapshot(&dpc);
	assert_string_equal(after, before);
	free(before);
	free(after);
	assert_int_equal(dpx_check(&dpc, true, 100).n, 0);
}

static void a_pass_of_small_slices_looks_at_as_much_as_one_of_large_ones(void **state)
{
	struct dpx_found small, large;

	(void)state;
	fill();
	small = dpx_check(&dpc, false, 1);
	large = dpx_check(&dpc, false, UINT32_MAX);
	assert_int_equal(small.rows, large.rows);
	assert_int_equal(large.calls, 1);
	assert_true(small.calls > 5);
}

/* One of them is the TSI whose record is spoilt; in the kernel one that near does not help. */
static bool both_pass(void)
{
	return dpc_passes(A0, TAG_10, MAC_1, "10.0.0.1") &&
	       dpc_passes(A0, TAG_10, "02:00:00:00:00:04", "10.0.0.4");
}

static void a_tsi_whose_record_was_switched_off_passes_again(void **state)
{
	(void)state;
	fill();
	assert_true(both_pass());
	assert_true(dpx_spoil(&dpc, "tsi", NVE_DP_MISSING));
	assert_false(both_pass());
	assert_int_equal(dpx_check(&dpc, true, 1000).mended, 1);
	assert_true(both_pass());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CONTRACT(what_was_told_and_applied_is_found_as_told),
		CONTRACT(nothing_is_looked_at_between_set_and_apply),
		CONTRACT(every_row_that_is_gone_other_or_foreign_is_found_once_and_mended),
		CONTRACT(many_at_once_are_all_mended_in_one_pass),
		CONTRACT(a_pass_of_small_slices_looks_at_as_much_as_one_of_large_ones),
		CONTRACT(a_tsi_whose_record_was_switched_off_passes_again),
	};

	return dpc_run(tests);
}
