/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is flooded no more: unknown unicast where the VN says so, and BUM over the VN's rate.
 * TSI 1 sends at a0, vid 10, to VN 7: TSI 2 at a1, and a VTEP.
 */
#include "bpf/suite.h"
#include "lib/wire.h"

static struct wire wire;

static void set_flood(uint16_t flags)
{
	struct nve_flood flood = {
		.n = 2,
		.flags = flags,
		.vni = VNI_7,
		.members = { { .slot = NVE_VID_COUNT + 20, .kind = NVE_DEST_TSI },
			     { .slot = 0, .kind = NVE_DEST_VTEP } },
	};

	dp_set(&dp, "flood", &(uint32_t){ VN_7 }, &flood);
}

static int set_up(void **state)
{
	refill(state);
	set_flood(0);
	return 0;
}

static int plug(void **state)
{
	set_up(state);
	wire_open(&wire, &dp, MODE);
	return 0;
}

static int unplug(void **state)
{
	(void)state;
	wire_close(&wire);
	return 0;
}

/* XDP leaves it to TC, which makes copies. */
static void flooded(enum dp_mode mode, const struct frame *in)
{
	struct dp_outcome o = dp_run(&dp, mode, DP_ACCESS, IF_A0, in);

	if (o.fate != (mode == DP_XDP ? DP_HOST : DP_FLOODED))
		fail_msg("fate %d, drop %d", o.fate, o.why);
}

#define FROM_1(to) eth(.dst = (to), .src = MAC_1), vlan(.vid = 10, .pcp = 5)

static void unknown_unicast_is_dropped_in_both_directions_where_the_vn_says_so(void **state)
{
	struct frame plain = FRAME(eth(.dst = MAC_X, .src = MAC_R), bytes(46));
	struct frame out = FRAME(FROM_1(MAC_X), bytes(46)), all = FRAME(FROM_1(MAC_ALL), bytes(46));
	struct frame in = dp_tunnel(IP_VTEP, IP_NVE, VNI_7, 50000, &plain);
	struct frame known = FRAME(FROM_1(MAC_2), bytes(46)), untagged = frame_untag(&known);
	struct frame want = frame_tag(&untagged, 5, 20);

	flooded(MODE, &out);
	set_flood(NVE_FLOOD_NO_UNKNOWN);
	dp_loses(&dp, MODE, DP_ACCESS, IF_A0, &out, NVE_DROP_DST_UNKNOWN);
	assert_int_equal(dp_tsi_drops(&dp, TSI_1, NVE_DROP_DST_UNKNOWN), 1);
	dp_loses(&dp, MODE, DP_UNDERLAY, IF_U0, &in, NVE_DROP_DST_UNKNOWN);
	flooded(MODE, &all);
	dp_sends(&dp, MODE, DP_ACCESS, IF_A0, &known, &want);
}

/* So slow that no token comes in the time of a test: what passes is the burst, exactly. */
static void set_rate(uint64_t burst)
{
	const uint64_t ns = 3600000000000ull / 16; /* a frame in four minutes */
	struct nve_meter meter = { .cost = ns << 16, .burst = ns * burst };

	dp_set(&dp, "bum", &(uint32_t){ VN_7 }, &meter);
	set_flood(NVE_FLOOD_SUPPRESS | NVE_FLOOD_METER);
}

static void beyond_its_burst_bum_of_a_vn_is_dropped_and_counted(void **state)
{
	struct frame bum[] = { FRAME(FROM_1(MAC_ALL), bytes(46)), FRAME(FROM_1(MAC_X), bytes(46)),
			       FRAME(FROM_1(MAC_GROUP), bytes(46)) };
	struct frame known = FRAME(FROM_1(MAC_R), bytes(46));
	struct frame ask = FRAME(FROM_1(MAC_ALL), arp(.sender_mac = MAC_1, .sender_ip = "10.0.0.1",
						      .target_ip = "10.0.0.2"));
	struct nve_neigh_key key = { .vn_id = VN_7, .ip = { [10] = 0xff, 0xff, 10, 0, 0, 2 } };
	struct nve_neigh row = { .first = { .mac = { 2, [5] = 2 }, .flags = NVE_NEIGH_SET } };

	(void)state;
	dp_set(&dp, "neigh", &key, &row);
	set_rate(7);
	for (int i = 0; i < 7; i++)
		assert_int_equal(dp_run(&dp, DP_TC, DP_ACCESS, IF_A0, &bum[i % 3]).fate,
				 DP_FLOODED);
	for (int i = 0; i < 5; i++)
		dp_loses(&dp, DP_TC, DP_ACCESS, IF_A0, &bum[i % 3], NVE_DROP_BUM_RATE);
	assert_int_equal(dp_tsi_drops(&dp, TSI_1, NVE_DROP_BUM_RATE), 5);
	/* Neither what is known nor what is answered is BUM. */
	assert_int_equal(dp_run(&dp, DP_TC, DP_ACCESS, IF_A0, &known).fate, DP_SENT);
	assert_int_equal(dp_run(&dp, DP_TC, DP_ACCESS, IF_A0, &ask).fate, DP_SENT);
}

static void on_the_wire_a_storm_passes_up_to_the_burst_in_either_mode(void **state)
{
	struct frame storm = FRAME(FROM_1(MAC_ALL), bytes(46)), plain = frame_untag(&storm);
	struct frame to_2 = frame_tag(&plain, 5, 20), local[10], remote[10];
	struct frame tunneled = dp_tunnel(IP_NVE, IP_VTEP, VNI_7, 0, &plain);

	(void)state;
	set_rate(10);
	for (int i = 0; i < 10; i++) {
		local[i] = to_2;
		remote[i] = tunneled;
	}
	for (int i = 0; i < 60; i++)
		wire_send(&wire, WIRE_A0, &storm);
	wire_expect(&wire, WIRE_A1, local, 10);
	wire_expect(&wire, WIRE_U0, remote, 10);
	assert_int_equal(dp_tsi_drops(&dp, TSI_1, NVE_DROP_BUM_RATE), 50);
}

static void what_comes_from_the_underlay_takes_no_token(void **state)
{
	struct frame plain = FRAME(eth(.dst = MAC_ALL, .src = MAC_R), bytes(46));
	struct frame in = dp_tunnel(IP_VTEP, IP_NVE, VNI_7, 50000, &plain);
	struct frame bum = FRAME(FROM_1(MAC_ALL), bytes(46));

	(void)state;
	set_rate(1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(dp_run(&dp, DP_TC, DP_UNDERLAY, IF_U0, &in).fate, DP_FLOODED);
	assert_int_equal(dp_run(&dp, DP_TC, DP_ACCESS, IF_A0, &bum).fate, DP_FLOODED);
	dp_loses(&dp, DP_TC, DP_ACCESS, IF_A0, &bum, NVE_DROP_BUM_RATE);
}

#undef BOTH
#define MODES(f, up, down)                                                                         \
	{ #f " [xdp]", f, up, down, &modes[0] },                                                   \
	{                                                                                          \
#f " [tc]", f, up, down, &modes[1]                                                 \
	}
#define BOTH(f)    MODES(f, set_up, NULL)
#define ON_WIRE(f) MODES(f, plug, unplug)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(unknown_unicast_is_dropped_in_both_directions_where_the_vn_says_so),
		cmocka_unit_test_setup(beyond_its_burst_bum_of_a_vn_is_dropped_and_counted, set_up),
		ON_WIRE(on_the_wire_a_storm_passes_up_to_the_burst_in_either_mode),
		cmocka_unit_test_setup(what_comes_from_the_underlay_takes_no_token, set_up),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
