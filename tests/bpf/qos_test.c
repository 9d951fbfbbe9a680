/* SPDX-License-Identifier: Apache-2.0 */
/*
 * QoS in the programs (S96): what the marks make of frames, byte for byte, and what the rates count
 * and lose, in XDP and in TC.
 */
#include "bpf/suite.h"

#define ETH_IN   eth(.dst = MAC_NVE, .src = MAC_HOP)
#define ETH_OUT  eth(.dst = MAC_HOP, .src = MAC_NVE)
#define OUT4(t)  ipv4(.src = IP_NVE, .dst = IP_VTEP, .frag = 0x4000, .tos = (t))
#define VXLAN_IN udp(.sport = 50000, .dport = 4789, .no_check = true)

enum {
	ROW = 2,            /* of the meter of frames from TSI 1; 3: to it; 4, 5: TSI 2's */
	AF41 = 34,          /* a DSCP */
	BYTE_NS = 12500000, /* a byte at 640 bit/s: the time a test takes is next to nothing */
	BURST = 9216,
};

static struct nve_tsi_row row_of(uint32_t tsi)
{
	struct nve_tsi_row row;

	dp_get(&dp, "tsi", &tsi, &row);
	return row;
}

static void marks(uint32_t tsi, int pcp, int dscp)
{
	struct nve_tsi_row row = row_of(tsi);

	row.features |= NVE_TSI_MARK;
	row.pcp = pcp < 0 ? 0 : NVE_MARK_SET | pcp;
	row.dscp = dscp < 0 ? 0 : NVE_MARK_SET | dscp;
	dp_set(&dp, "tsi", &tsi, &row);
}

static void limits(uint32_t tsi, uint32_t meter, uint8_t features)
{
	struct nve_meter m = { .cost = (__u64)BYTE_NS << 16, .burst = (__u64)BURST * BYTE_NS };
	struct nve_tsi_row row = row_of(tsi);

	row.features |= features;
	row.meter = meter;
	dp_set(&dp, "meter", &meter, &m);
	dp_set(&dp, "meter", &(uint32_t){ meter + 1 }, &m);
	dp_set(&dp, "tsi", &tsi, &row);
}

static __u64 full_of(uint32_t meter)
{
	struct nve_meter m;

	dp_get(&dp, "meter", &meter, &m);
	return m.full;
}

static struct frame from_1(const char *dst, uint8_t tos)
{
	return FRAME(eth(.dst = dst, .src = MAC_1),
		     ipv4(.src = "10.0.0.1", .dst = "10.0.0.9", .tos = tos),
		     udp(.sport = 1111, .dport = 2222), bytes(20));
}

static struct frame from_1_by_6(const char *dst, uint8_t tos)
{
	return FRAME(eth(.dst = dst, .src = MAC_1),
		     ipv6(.src = "fd00::1", .dst = "fd00::9", .tos = tos, .flow = 0x1234),
		     udp(.sport = 1111, .dport = 2222), bytes(20));
}

static struct frame to_1(size_t n)
{
	return FRAME(eth(.dst = MAC_1, .src = MAC_R), bytes(n));
}

static struct frame tunneled(const struct frame *plain)
{
	return WRAP(plain, ETH_IN, ipv4(.src = IP_VTEP, .dst = IP_NVE), VXLAN_IN,
		    vxlan(.vni = VNI_7));
}

/* --- marks ------------------------------------------------------------------------------------ */

static void leaves(void **state, const struct frame *plain, const struct frame *is, uint8_t outer)
{
	struct frame in = frame_tag(plain, 0, 10);
	struct frame want = WRAP(is, ETH_OUT, OUT4(outer), udp(.dport = 4789, .no_check = true),
				 vxlan(.vni = VNI_7));

	dp_sends(&dp, MODE, DP_ACCESS, IF_A0, &in, &want);
}

static void the_dscp_of_a_packet_from_the_tsi_becomes_its_mark_and_ecn_stays(void **state)
{
	static const uint8_t was[] = { 0, 1, 2, 3, 0xb8, 0xbb, 0xff, AF41 << 2, AF41 << 2 | 2 };

	marks(TSI_1, -1, AF41);
	for (size_t i = 0; i < sizeof(was); i++) {
		uint8_t ecn = was[i] & 3, is = AF41 << 2 | ecn;
		struct frame in = from_1(MAC_R, was[i]), want = from_1(MAC_R, is);

		leaves(state, &in, &want, ecn);
		in = from_1_by_6(MAC_R, was[i]);
		want = from_1_by_6(MAC_R, is);
		leaves(state, &in, &want, ecn);
	}
}

static void a_mark_of_0_is_a_mark(void **state)
{
	struct frame in = from_1(MAC_R, 0xba), want = from_1(MAC_R, 2);

	marks(TSI_1, -1, 0);
	leaves(state, &in, &want, 2);
	marks(TSI_1, -1, -1);
	leaves(state, &in, &in, 2);
}

static void where_the_vn_is_uniform_the_outer_dscp_is_the_mark_too(void **state)
{
	struct nve_tsi_row row;
	struct frame in = from_1(MAC_R, 0xb9), want = from_1(MAC_R, AF41 << 2 | 1);
	struct frame arp_in =
		FRAME(eth(.dst = MAC_R, .src = MAC_1),
		      arp(.sender_mac = MAC_1, .sender_ip = "10.0.0.1", .target_ip = "10.0.0.9"));

	marks(TSI_1, -1, AF41);
	row = row_of(TSI_1);
	row.tunnel = NVE_TUNNEL_UNIFORM;
	dp_set(&dp, "tsi", &(uint32_t){ TSI_1 }, &row);
	leaves(state, &in, &want, AF41 << 2 | 1);
	in = from_1_by_6(MAC_R, 2);
	want = from_1_by_6(MAC_R, AF41 << 2 | 2);
	leaves(state, &in, &want, AF41 << 2 | 2);
	leaves(state, &arp_in, &arp_in, 0); /* no IP, no DSCP */
}

static void frames_to_a_neighbor_tsi_bear_the_senders_dscp_and_the_receivers_priority(void **state)
{
	struct frame plain = from_1(MAC_2, 3), is = from_1(MAC_2, AF41 << 2 | 3);
	struct frame in = frame_tag(&plain, 2, 10), want = frame_tag(&is, 2, 20);

	marks(TSI_1, 1, AF41);
	dp_sends(&dp, MODE, DP_ACCESS, IF_A0, &in, &want);
	marks(TSI_2, 6, 0);
	want = frame_tag(&is, 6, 20);
	dp_sends(&dp, MODE, DP_ACCESS, IF_A0, &in, &want);
	marks(TSI_2, 0, -1); /* a priority of 0 is one, too */
	want = frame_tag(&is, 0, 20);
	dp_sends(&dp, MODE, DP_ACCESS, IF_A0, &in, &want);
	in.bytes[14] |= 0x10; /* drop eligible: the sender's to say */
	want.bytes[14] |= 0x10;
	dp_sends(&dp, MODE, DP_ACCESS, IF_A0, &in, &want);
}

static void frames_from_the_underlay_bear_the_receivers_priority(void **state)
{
	struct frame plain = to_1(46), in = tunneled(&plain), want = frame_tag(&plain, 7, 10);

	marks(TSI_1, 7, AF41);
	dp_sends(&dp, MODE, DP_UNDERLAY, IF_U0, &in, &want);
	want = frame_tag(&plain, 0, 10);
	marks(TSI_1, -1, AF41);
	dp_sends(&dp, MODE, DP_UNDERLAY, IF_U0, &in, &want);
}

/* --- rates ------------------------------------------------------------------------------------ */

static bool passes(void **state, enum dp_side side, uint32_t ifindex, const struct frame *in)
{
	struct dp_outcome o = dp_run(&dp, MODE, side, ifindex, in);

	assert_true(o.fate == DP_SENT || (o.fate == DP_LOST && o.why == NVE_DROP_RATE));
	return o.fate == DP_SENT;
}

/* How many of 30 pass: the burst, for in this time not one more frame's worth flows in. */
static unsigned of_30(void **state, enum dp_side side, uint32_t ifindex, const struct frame *in)
{
	unsigned n = 0;

	for (int i = 0; i < 30; i++)
		n += passes(state, side, ifindex, in);
	return n;
}

static void frames_from_a_tsi_over_its_rate_are_lost_and_counted_there(void **state)
{
	struct frame plain = FRAME(eth(.dst = MAC_R, .src = MAC_1), bytes(1000 - 14));
	struct frame in = frame_tag(&plain, 0, 10), back = tunneled(&plain);
	struct frame other = FRAME(eth(.dst = MAC_1, .src = MAC_2), bytes(1000 - 14));

	other = frame_tag(&other, 0, 20);
	back = to_1(986);
	back = tunneled(&back);
	limits(TSI_1, ROW, NVE_TSI_METER_IN);
	assert_int_equal(of_30(state, DP_ACCESS, IF_A0, &in), 9);
	assert_int_equal(dp_tsi_drops(&dp, TSI_1, NVE_DROP_RATE), 21);
	assert_int_equal(dp_stats(&dp, TSI_1).in_frames, 9);
	/* Neither the other direction nor another TSI is touched by it. */
	assert_int_equal(of_30(state, DP_UNDERLAY, IF_U0, &back), 30);
	assert_int_equal(of_30(state, DP_ACCESS, IF_A1, &other), 30);
	assert_int_equal(full_of(ROW + 1), 0);
}

static void frames_to_a_tsi_over_its_rate_are_lost_and_counted_there(void **state)
{
	struct frame plain = to_1(986), in = tunneled(&plain);
	struct frame near = FRAME(eth(.dst = MAC_1, .src = MAC_2), bytes(1000 - 14));
	struct frame out = FRAME(eth(.dst = MAC_R, .src = MAC_1), bytes(986));

	near = frame_tag(&near, 0, 20);
	out = frame_tag(&out, 0, 10);
	limits(TSI_1, ROW, NVE_TSI_METER_OUT);
	for (int i = 0; i < 4; i++)
		assert_true(passes(state, DP_ACCESS, IF_A1, &near));
	assert_int_equal(of_30(state, DP_UNDERLAY, IF_U0, &in), 5);
	assert_int_equal(of_30(state, DP_ACCESS, IF_A1, &near), 0);
	assert_int_equal(dp_tsi_drops(&dp, TSI_1, NVE_DROP_RATE), 25 + 30);
	assert_int_equal(dp_tsi_drops(&dp, TSI_2, NVE_DROP_RATE), 0);
	assert_int_equal(dp_stats(&dp, TSI_1).out_frames, 9);
	assert_int_equal(of_30(state, DP_ACCESS, IF_A0, &out), 30);
	assert_int_equal(full_of(ROW), 0);
}

/* While the bucket is not full again, 'full' moves by what is taken and by nothing else. */
static void a_frame_costs_its_length_without_tag_and_tunnel(void **state)
{
	static const size_t lengths[] = { 1514, 100, 60 };
	__u64 before;

	limits(TSI_1, ROW, NVE_TSI_METER_IN | NVE_TSI_METER_OUT);
	for (size_t i = 0; i < 3; i++) {
		struct frame out = FRAME(eth(.dst = MAC_R, .src = MAC_1), bytes(lengths[i] - 14));
		struct frame in = to_1(lengths[i] - 14);

		out = frame_tag(&out, 0, 10);
		in = tunneled(&in);
		assert_true(passes(state, DP_ACCESS, IF_A0, &out));
		assert_true(passes(state, DP_UNDERLAY, IF_U0, &in));
		before = full_of(ROW);
		assert_true(passes(state, DP_ACCESS, IF_A0, &out));
		assert_int_equal(full_of(ROW) - before, lengths[i] * BYTE_NS);
		before = full_of(ROW + 1);
		assert_true(passes(state, DP_UNDERLAY, IF_U0, &in));
		assert_int_equal(full_of(ROW + 1) - before, lengths[i] * BYTE_NS);
	}
}

static void what_xdp_leaves_to_tc_is_counted_once(void **state)
{
	struct nve_vtep vtep = dp_vtep(IP_VTEP);
	struct frame bum = FRAME(eth(.dst = MAC_ALL, .src = MAC_1), bytes(46));
	struct frame known = FRAME(eth(.dst = MAC_R, .src = MAC_1), bytes(46));
	__u64 before;

	vtep.flags &= ~NVE_VTEP_XDP;
	dp_set(&dp, "vtep", &(uint32_t){ 0 }, &vtep);
	limits(TSI_1, ROW, NVE_TSI_METER_IN);
	bum = frame_tag(&bum, 0, 10);
	known = frame_tag(&known, 0, 10);
	assert_int_equal(dp_run(&dp, DP_TC, DP_ACCESS, IF_A0, &known).fate, DP_SENT);
	before = full_of(ROW);
	if (MODE == DP_XDP) {
		assert_int_equal(dp_run(&dp, DP_XDP, DP_ACCESS, IF_A0, &bum).fate, DP_HOST);
		assert_int_equal(dp_run(&dp, DP_XDP, DP_ACCESS, IF_A0, &known).fate, DP_HOST);
		assert_int_equal(full_of(ROW), before);
	}
	/* That the VN has no other member shows later. */
	assert_int_equal(dp_run(&dp, DP_TC, DP_ACCESS, IF_A0, &bum).why, NVE_DROP_NO_MEMBER);
	assert_int_equal(dp_run(&dp, DP_TC, DP_ACCESS, IF_A0, &known).fate, DP_SENT);
	assert_int_equal(full_of(ROW) - before, 120ull * BYTE_NS);
}

static void frames_that_are_lost_before_cost_nothing(void **state)
{
	struct frame spoofed = from_1(MAC_R, 0);
	struct frame nowhere = FRAME(eth(.dst = "01:80:c2:00:00:0e", .src = MAC_1), bytes(46));

	spoofed.bytes[29] ^= 1;
	spoofed = frame_tag(&spoofed, 0, 10);
	nowhere = frame_tag(&nowhere, 0, 10);
	limits(TSI_1, ROW, NVE_TSI_METER_IN);
	dp_loses(&dp, MODE, DP_ACCESS, IF_A0, &spoofed, NVE_DROP_SRC_IP);
	dp_loses(&dp, MODE, DP_ACCESS, IF_A0, &nowhere, NVE_DROP_LINK_LOCAL);
	assert_int_equal(full_of(ROW), 0);
}

/*
 * In TC only: a frame of 1000 bytes in two segments has its headers twice.  The test run cannot
 * make a true one: it ends as NO_ROOM, after it was counted.
 */
static void bulk_tcp_costs_what_its_segments_cost(void **state)
{
	struct frame plain =
		FRAME(eth(.dst = MAC_R, .src = MAC_1), ipv4(.src = "10.0.0.1", .dst = "10.0.0.9"),
		      tcp(.sport = 1, .dport = 2), bytes(1000 - 54));
	struct frame in = frame_tag(&plain, 0, 10);
	__u64 before;

	(void)state;
	limits(TSI_1, ROW, NVE_TSI_METER_IN);
	assert_int_equal(dp_run(&dp, DP_TC, DP_ACCESS, IF_A0, &in).fate, DP_SENT);
	before = full_of(ROW);
	dp.gso_size = 500;
	assert_int_equal(dp_run(&dp, DP_TC, DP_ACCESS, IF_A0, &in).why, NVE_DROP_NO_ROOM);
	dp.gso_size = 0;
	assert_int_equal(full_of(ROW) - before, 1054ull * BYTE_NS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(the_dscp_of_a_packet_from_the_tsi_becomes_its_mark_and_ecn_stays),
		BOTH(a_mark_of_0_is_a_mark),
		BOTH(where_the_vn_is_uniform_the_outer_dscp_is_the_mark_too),
		BOTH(frames_to_a_neighbor_tsi_bear_the_senders_dscp_and_the_receivers_priority),
		BOTH(frames_from_the_underlay_bear_the_receivers_priority),
		BOTH(frames_from_a_tsi_over_its_rate_are_lost_and_counted_there),
		BOTH(frames_to_a_tsi_over_its_rate_are_lost_and_counted_there),
		BOTH(a_frame_costs_its_length_without_tag_and_tunnel),
		BOTH(what_xdp_leaves_to_tc_is_counted_once),
		BOTH(frames_that_are_lost_before_cost_nothing),
		cmocka_unit_test_setup(bulk_tcp_costs_what_its_segments_cost, refill),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
