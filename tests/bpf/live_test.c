/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What hangs on the one record that Activate flips (S53, S59, S76, D7, D12, D13).
 */
#include "bpf/suite.h"

static struct frame from_1(void)
{
	return FRAME(eth(.dst = MAC_R, .src = MAC_1), vlan(.vid = 10), ipv4(.src = "10.0.0.1"),
		     bytes(20));
}

static struct frame to_1(void)
{
	struct frame plain = FRAME(eth(.dst = MAC_1, .src = MAC_R), bytes(46));

	return dp_tunnel(IP_VTEP, IP_NVE, VNI_7, 50000, &plain);
}

static struct dp_outcome send_from_1(void **state)
{
	struct frame in = from_1();

	return dp_run(&dp, MODE, DP_ACCESS, IF_A0, &in);
}

static struct dp_outcome send_to_1(void **state)
{
	struct frame in = to_1();

	return dp_run(&dp, MODE, DP_UNDERLAY, IF_U0, &in);
}

static void set_live(uint32_t tsi, uint64_t live)
{
	struct nve_tsi_row row;

	dp_get(&dp, "tsi", &tsi, &row);
	row.live = live;
	dp_set(&dp, "tsi", &tsi, &row);
}

static void set_src(uint8_t when, uint16_t gen)
{
	struct nve_src_key key = dp_src_key(IF_A0, 10, MAC_1);
	struct nve_src src;

	dp_get(&dp, "src", &key, &src);
	src.when = when;
	src.gen = gen;
	dp_set(&dp, "src", &key, &src);
}

static void set_dest(uint8_t when, uint16_t gen)
{
	struct nve_fdb row = {
		.first = { .slot = TSI_1, .kind = NVE_DEST_TSI, .when = when, .gen = gen },
	};

	dp_set(&dp, "fdb", &(struct nve_fdb_key[]){ dp_fdb_key(VN_7, MAC_1) }, &row);
}

static void associated_passes_nothing_in_either_direction(void **state)
{
	struct dp_outcome o;

	set_live(TSI_1, 5); /* a generation, not Activated */
	o = send_from_1(state);
	assert_int_equal(o.why, NVE_DROP_SRC_INACTIVE);
	o = send_to_1(state);
	assert_int_equal(o.why, NVE_DROP_DST_INACTIVE);
	assert_int_equal(dp_tsi_drops(&dp, TSI_1, NVE_DROP_SRC_INACTIVE), 1);
	assert_int_equal(dp_tsi_drops(&dp, TSI_1, NVE_DROP_DST_INACTIVE), 1);
}

static void one_store_switches_both_directions_for_the_very_next_frame(void **state)
{
	struct nve_tsi_row *rows = dp_map(&dp, "tsi");
	volatile __u64 *live = &rows[TSI_1].live;

	for (int i = 0; i < 100; i++) {
		*live = 0;
		assert_int_equal(send_from_1(state).fate, DP_LOST);
		assert_int_equal(send_to_1(state).fate, DP_LOST);
		*live = NVE_TSI_LIVE;
		assert_int_equal(send_from_1(state).fate, DP_SENT);
		assert_int_equal(send_to_1(state).fate, DP_SENT);
	}
}

/* Tries every kind of row against a generation: counts it or not? */
static void try_gen(void **state, uint8_t when, uint16_t gen, uint32_t now, bool counts)
{
	set_live(TSI_1, NVE_TSI_LIVE | now);
	set_src(when, gen);
	assert_int_equal(send_from_1(state).why, counts ? NVE_FORWARD : NVE_DROP_SRC_INACTIVE);
	set_dest(when, gen);
	assert_int_equal(send_to_1(state).why, counts ? NVE_FORWARD : NVE_DROP_DST_INACTIVE);
}

static void an_address_counts_from_or_until_a_generation(void **state)
{
	try_gen(state, NVE_WHEN_ALWAYS, 0, 77, true);
	try_gen(state, NVE_WHEN_NEVER, 0, 0, false);
	try_gen(state, NVE_WHEN_FROM, 6, 5, false);
	try_gen(state, NVE_WHEN_FROM, 6, 6, true);
	try_gen(state, NVE_WHEN_FROM, 6, 7, true);
	try_gen(state, NVE_WHEN_UNTIL, 6, 5, true);
	try_gen(state, NVE_WHEN_UNTIL, 6, 6, false);
	try_gen(state, NVE_WHEN_UNTIL, 6, 7, false);
	try_gen(state, 99, 0, 0, false);
}

static void generations_wrap_around(void **state)
{
	try_gen(state, NVE_WHEN_FROM, 0xffff, 0x1fffe, false);
	try_gen(state, NVE_WHEN_FROM, 0xffff, 0x20000, true);
	try_gen(state, NVE_WHEN_FROM, 0, 0x1ffff, false);
	try_gen(state, NVE_WHEN_UNTIL, 0, 0xffffffff, true);
	try_gen(state, NVE_WHEN_UNTIL, 0, 0x10000, false);
}

/* An update swaps an address: the store that raises the generation switches both rows (S69). */
static void one_store_swaps_one_address_for_another(void **state)
{
	struct nve_src_key key = dp_src_key(IF_A0, 10, MAC_X);
	struct frame in = FRAME(eth(.dst = MAC_R, .src = MAC_X), vlan(.vid = 10),
				ipv4(.src = "10.0.0.1"), bytes(20));
	struct nve_src src;

	dp_get(&dp, "src", &(struct nve_src_key[]){ dp_src_key(IF_A0, 10, MAC_1) }, &src);
	src.when = NVE_WHEN_FROM;
	src.gen = 1;
	dp_set(&dp, "src", &key, &src);
	set_src(NVE_WHEN_UNTIL, 1);
	assert_int_equal(send_from_1(state).fate, DP_SENT);
	assert_int_equal(dp_run(&dp, MODE, DP_ACCESS, IF_A0, &in).why, NVE_DROP_SRC_INACTIVE);
	set_live(TSI_1, NVE_TSI_LIVE | 1);
	assert_int_equal(send_from_1(state).why, NVE_DROP_SRC_INACTIVE);
	assert_int_equal(dp_run(&dp, MODE, DP_ACCESS, IF_A0, &in).fate, DP_SENT);
}

/* Where a frame to MAC_1 goes once TSI 2, of the same VN on the other port, may take it over. */
static void a_second_destination_takes_over_when_it_is_activated(void **state)
{
	struct nve_fdb row = {
		.first = { .slot = TSI_1, .kind = NVE_DEST_TSI },
		.second = { .slot = TSI_2, .kind = NVE_DEST_TSI },
	};
	struct nve_fdb_key key = dp_fdb_key(VN_7, MAC_1);

	dp_set(&dp, "fdb", &key, &row);
	set_live(TSI_2, 0);
	assert_int_equal(send_to_1(state).fate, DP_SENT);
	assert_int_equal(dp_stats(&dp, TSI_1).out_frames, 1);
	set_live(TSI_2, NVE_TSI_LIVE);
	assert_int_equal(send_to_1(state).fate, DP_SENT);
	assert_int_equal(dp_stats(&dp, TSI_1).out_frames, 1);
	assert_int_equal(dp_stats(&dp, TSI_2).out_frames, 1);
	/* The old one stays Activated (S23), and gets it back only when the new one goes. */
	set_live(TSI_2, 0);
	set_live(TSI_1, 0);
	assert_int_equal(send_to_1(state).why, NVE_DROP_DST_INACTIVE);
}

static void a_tsi_that_arrives_takes_over_from_a_remote_nve(void **state)
{
	struct nve_fdb row = {
		.first = { .slot = 0, .kind = NVE_DEST_VTEP },
		.second = { .slot = TSI_2, .kind = NVE_DEST_TSI },
	};
	struct frame in = FRAME(eth(.dst = MAC_2, .src = MAC_1), vlan(.vid = 10),
				ipv4(.src = "10.0.0.1"), bytes(20));
	struct dp_outcome o;

	dp_set(&dp, "fdb", &(struct nve_fdb_key[]){ dp_fdb_key(VN_7, MAC_2) }, &row);
	set_live(TSI_2, 0);
	o = dp_run(&dp, MODE, DP_ACCESS, IF_A0, &in);
	assert_int_equal(o.fate, DP_SENT);
	assert_int_equal(o.out.len, in.len - 4 + 50);
	set_live(TSI_2, NVE_TSI_LIVE);
	o = dp_run(&dp, MODE, DP_ACCESS, IF_A0, &in);
	assert_int_equal(o.fate, DP_SENT);
	assert_int_equal(o.out.len, in.len - (MODE == DP_TC ? 4 : 0));
	assert_int_equal(dp_stats(&dp, TSI_2).out_frames, 1);
}

/* The rows of src may outlive a TSI for a moment: its slot is another port's or tag's by then. */
static void a_stale_source_row_does_not_lead_into_another_vap(void **state)
{
	struct nve_src_key key = dp_src_key(IF_A0, 10, MAC_1);
	struct nve_src src;

	dp_get(&dp, "src", &key, &src);
	src.tsi = TSI_3; /* same port, another tag, another VN */
	dp_set(&dp, "src", &key, &src);
	assert_int_equal(send_from_1(state).why, NVE_DROP_SRC_INACTIVE);
	src.tsi = TSI_4; /* another port, the same tag */
	dp_set(&dp, "src", &key, &src);
	assert_int_equal(send_from_1(state).why, NVE_DROP_SRC_INACTIVE);
	src.tsi = 1 << 20;
	dp_set(&dp, "src", &key, &src);
	assert_int_equal(send_from_1(state).why, NVE_DROP_INTERNAL);
}

static void last_seen_moves_for_what_the_filter_accepts_only(void **state)
{
	struct frame spoofed = FRAME(eth(.dst = MAC_R, .src = MAC_1), vlan(.vid = 10),
				     ipv4(.src = "10.0.0.2"), bytes(20));
	uint64_t seen, now;

	dp_run(&dp, MODE, DP_ACCESS, IF_A0, &spoofed);
	send_to_1(state);
	assert_int_equal(dp_stats(&dp, TSI_1).seen, 0);
	send_from_1(state);
	seen = dp_stats(&dp, TSI_1).seen;
	assert_int_not_equal(seen, 0);
	/* Not written again within a step; and again after it. */
	seen -= NVE_SEEN_STEP / 2;
	dp_set_seen(&dp, TSI_1, seen);
	send_from_1(state);
	now = dp_stats(&dp, TSI_1).seen;
	assert_true(now == seen || now - seen >= NVE_SEEN_STEP);
	dp_set_seen(&dp, TSI_1, seen - 2 * NVE_SEEN_STEP);
	send_from_1(state);
	assert_true(dp_stats(&dp, TSI_1).seen >= seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(associated_passes_nothing_in_either_direction),
		BOTH(one_store_switches_both_directions_for_the_very_next_frame),
		BOTH(an_address_counts_from_or_until_a_generation),
		BOTH(generations_wrap_around),
		BOTH(one_store_swaps_one_address_for_another),
		BOTH(a_second_destination_takes_over_when_it_is_activated),
		BOTH(a_tsi_that_arrives_takes_over_from_a_remote_nve),
		BOTH(a_stale_source_row_does_not_lead_into_another_vap),
		BOTH(last_seen_moves_for_what_the_filter_accepts_only),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
