/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets that the underlay cannot carry are lost, and their sender is told, byte for byte, in XDP
 * and in TC.
 */
#include "bpf/suite.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "nve.skel.h"

enum { MTU = 1300, QUOTE4 = 548, QUOTE6 = 1232 };

/* VTEP 0 is behind a port that leaves tenants so much. */
static void narrow_to(uint32_t tenant_mtu)
{
	struct nve_vtep vtep = dp_vtep(IP_VTEP);

	vtep.mtu = tenant_mtu + 50;
	dp_set(&dp, "vtep", &(uint32_t){ 0 }, &vtep);
}

static uint64_t answers(enum nve_answer kind)
{
	uint64_t values[256], sum = 0;
	int n = libbpf_num_possible_cpus();

	assert_in_range(n, 1, 256);
	dp_get(&dp, "answers", &(uint32_t){ kind }, values);
	for (int i = 0; i < n; i++)
		sum += values[i];
	return sum;
}

/* 'quoted' without its Ethernet header, cut to 'n' bytes. */
static struct layer quote(const struct frame *quoted, size_t n)
{
	size_t all = quoted->len - 14;

	return raw(quoted->bytes + 14, n < all ? n : all);
}

static void put_sum(uint8_t *at, uint32_t sum, const uint8_t *from, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? from[i] : from[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	at[0] = ~sum >> 8;
	at[1] = ~sum;
}

/* What the sender of 'plain' is told: written here from the RFCs, not from the program. */
static struct frame too_big4(const struct frame *plain, uint16_t mtu)
{
	const uint8_t icmp[8] = { 3, 4, [6] = mtu >> 8, mtu & 0xff };
	struct frame f = FRAME(eth(.dst = MAC_1, .src = MAC_R),
			       ipv4(.src = "10.0.0.9", .dst = "10.0.0.1", .proto = 1, .tos = 0xc0),
			       raw(icmp, 8), quote(plain, QUOTE4));

	put_sum(f.bytes + 36, 0, f.bytes + 34, f.len - 34);
	return f;
}

static struct frame too_big6(const struct frame *plain, uint16_t mtu)
{
	const uint8_t icmp[8] = { 2, 0, [6] = mtu >> 8, mtu & 0xff };
	struct frame f = FRAME(eth(.dst = MAC_1, .src = MAC_R),
			       ipv6(.src = "fd00::9", .dst = "fd00::1", .next = 58, .hops = 64),
			       raw(icmp, 8), quote(plain, QUOTE6));
	size_t len = f.len - 54;

	put_sum(f.bytes + 56, len + 58, f.bytes + 22, f.len - 22);
	return f;
}

/* It goes out where it came in, with its tag, and counts as an answer and as a loss. */
static void is_told(enum dp_mode mode, const struct frame *plain, const struct frame *want,
		    enum nve_answer kind)
{
	uint64_t before = answers(kind), lost = dp_drops(&dp, NVE_DROP_TOO_LARGE);
	uint64_t of_tsi = dp_tsi_drops(&dp, TSI_1, NVE_DROP_TOO_LARGE);
	struct frame in = frame_tag(plain, 3, 10), back = frame_tag(want, 3, 10);
	uint64_t in_frames = dp_stats(&dp, TSI_1).in_frames;
	struct dp_outcome o = dp_run(&dp, mode, DP_ACCESS, IF_A0, &in);

	assert_int_equal(o.fate, DP_ANSWERED);
	assert_true(frame_equal(&o.out, mode == DP_TC ? want : &back));
	assert_int_equal(answers(kind), before + 1);
	assert_int_equal(dp_drops(&dp, NVE_DROP_TOO_LARGE), lost + 1);
	assert_int_equal(dp_tsi_drops(&dp, TSI_1, NVE_DROP_TOO_LARGE), of_tsi + 1);
	assert_int_equal(dp_stats(&dp, TSI_1).in_frames, in_frames);
}

static void is_not_told(enum dp_mode mode, const struct frame *plain)
{
	uint64_t v4 = answers(NVE_ANSWER_FRAG_NEEDED), v6 = answers(NVE_ANSWER_PACKET_TOO_BIG);
	struct frame in = frame_tag(plain, 0, 10);

	dp_loses(&dp, mode, DP_ACCESS, IF_A0, &in, NVE_DROP_TOO_LARGE);
	assert_int_equal(answers(NVE_ANSWER_FRAG_NEEDED), v4);
	assert_int_equal(answers(NVE_ANSWER_PACKET_TOO_BIG), v6);
}

#define TO_R          eth(.dst = MAC_R, .src = MAC_1)
#define FROM_1(...)   ipv4(.src = "10.0.0.1", .dst = "10.0.0.9", __VA_ARGS__)
#define FROM_1_6(...) ipv6(.src = "fd00::1", .dst = "fd00::9", __VA_ARGS__)

static void the_sender_of_an_ipv4_packet_is_told_with_and_without_DF(void **state)
{
	struct frame plain[] = {
		FRAME(TO_R, FROM_1(.frag = 0x4000), tcp(.sport = 5, .dport = 6), bytes(1300)),
		FRAME(TO_R, FROM_1(), udp(.sport = 5, .dport = 6), bytes(1273)),
		FRAME(TO_R, FROM_1(.ihl = 15), udp(.sport = 5, .dport = 6), bytes(1400)),
		/* The first fragment; a ping; a protocol that nobody knows. */
		FRAME(TO_R, FROM_1(.frag = 0x2000), udp(.sport = 5, .dport = 6), bytes(1300)),
		FRAME(TO_R, FROM_1(.proto = 1), raw("\x08\0\0\0\0\0\0\0", 8), bytes(1400)),
		FRAME(TO_R, FROM_1(.proto = 250), bytes(1281)),
	};

	narrow_to(MTU);
	for (size_t i = 0; i < sizeof(plain) / sizeof(*plain); i++) {
		struct frame want = too_big4(&plain[i], MTU);

		is_told(MODE, &plain[i], &want, NVE_ANSWER_FRAG_NEEDED);
	}
}

static void the_sender_of_an_ipv6_packet_is_told(void **state)
{
	struct frame plain[] = {
		FRAME(TO_R, FROM_1_6(), tcp(.sport = 5, .dport = 6), bytes(1300)),
		FRAME(TO_R, FROM_1_6(), ext(.kind = 0, .words = 2), udp(.sport = 5, .dport = 6),
		      bytes(1400)),
		FRAME(TO_R, FROM_1_6(), ext(.kind = 44, .frag = 1), udp(.sport = 5, .dport = 6),
		      bytes(1400)),
		FRAME(TO_R, FROM_1_6(.next = 58), raw("\x80\0\0\0\0\0\0\0", 8), bytes(1300)),
		FRAME(TO_R, FROM_1_6(.next = 59), bytes(1261)),
	};

	narrow_to(MTU);
	for (size_t i = 0; i < sizeof(plain) / sizeof(*plain); i++) {
		struct frame want = too_big6(&plain[i], MTU);

		is_told(MODE, &plain[i], &want, NVE_ANSWER_PACKET_TOO_BIG);
	}
}

static void a_packet_of_just_the_mtu_passes_and_one_byte_more_is_told(void **state)
{
	for (uint32_t mtu = 68; mtu < 700; mtu += 37) {
		struct frame fits = FRAME(TO_R, FROM_1(), bytes(mtu - 20));
		struct frame more = FRAME(TO_R, FROM_1(), bytes(mtu - 19));
		struct frame in = frame_tag(&fits, 0, 10), want = too_big4(&more, mtu);

		narrow_to(mtu);
		assert_int_equal(dp_run(&dp, MODE, DP_ACCESS, IF_A0, &in).fate, DP_SENT);
		is_told(MODE, &more, &want, NVE_ANSWER_FRAG_NEEDED);
		dp_fill(&dp);
	}
}

static void what_is_quoted_of_short_ipv6_packets_is_all_there_is(void **state)
{
	for (uint32_t mtu = 100; mtu < 1320; mtu += 61) {
		struct frame more = FRAME(TO_R, FROM_1_6(.next = 59), bytes(mtu - 39));
		struct frame want = too_big6(&more, mtu);

		narrow_to(mtu);
		is_told(MODE, &more, &want, NVE_ANSWER_PACKET_TOO_BIG);
	}
}

static void over_an_ipv6_underlay_the_mtu_told_is_smaller_by_its_header(void **state)
{
	struct frame plain = FRAME(TO_R, FROM_1(), bytes(1400)), want = too_big4(&plain, 1230);
	struct nve_vtep vtep = dp_vtep(IP_VTEP);

	vtep.outer_len = 70;
	vtep.family = 6;
	vtep.mtu = 1300;
	dp_set(&dp, "vtep", &(uint32_t){ 0 }, &vtep);
	is_told(MODE, &plain, &want, NVE_ANSWER_FRAG_NEEDED);
}

static void nobody_is_told_in_answer_to_an_ICMP_error(void **state)
{
	static const uint8_t types4[] = { 3, 4, 5, 11, 12 }, types6[] = { 0, 1, 2, 4, 127 };

	narrow_to(MTU);
	for (size_t i = 0; i < sizeof(types4); i++) {
		struct frame f = FRAME(TO_R, FROM_1(.proto = 1), raw(&types4[i], 1), bytes(1400));

		is_not_told(MODE, &f);
	}
	for (size_t i = 0; i < sizeof(types6); i++) {
		struct frame f = FRAME(TO_R, FROM_1_6(.next = 58), raw(&types6[i], 1), bytes(1400));
		struct frame g = FRAME(TO_R, FROM_1_6(), ext(.kind = 60, .next = 58),
				       raw(&types6[i], 1), bytes(1400));

		is_not_told(MODE, &f);
		is_not_told(MODE, &g);
	}
}

static void nobody_is_told_of_what_cannot_be_judged(void **state)
{
	struct frame plain[] = {
		/* Not the first fragment. */
		FRAME(TO_R, FROM_1(.frag = 0x2005, .proto = 17), bytes(1400)),
		FRAME(TO_R, FROM_1_6(), ext(.kind = 44, .next = 17, .frag = 0x0008), bytes(1400)),
		/* Headers without end. */
		FRAME(TO_R, FROM_1_6(), ext(.kind = 60, .next = 17, .words = 40), bytes(1400)),
		/* No IP; IP that is none; a packet that is not too large, in a frame that is. */
		FRAME(eth(.dst = MAC_R, .src = MAC_1, .type = 0x88b5), bytes(1400)),
	};

	narrow_to(MTU);
	for (size_t i = 0; i < sizeof(plain) / sizeof(*plain); i++)
		is_not_told(MODE, &plain[i]);
}

static void trailers_are_no_packets(void **state)
{
	struct frame small = FRAME(TO_R, FROM_1(), bytes(100));
	struct frame in = FRAME(raw(small.bytes, small.len), bytes(1300));

	narrow_to(MTU);
	is_not_told(MODE, &in);
}

/* Addresses that are no host's, with the source filter off. */
static void no_answer_goes_to_or_comes_from_an_address_that_is_no_hosts(void **state)
{
	static const char *const none4[] = { "0.0.0.0", "127.0.0.1", "224.0.0.5", "255.255.255.255",
					     "240.1.2.3" };
	static const char *const none6[] = { "::", "::1", "ff02::1" };
	struct nve_src_key key = dp_src_key(IF_A0, 10, MAC_1);
	struct nve_src src = { .tsi = TSI_1, .mac = 1 };

	dp_set(&dp, "src", &key, &src);
	narrow_to(MTU);
	for (size_t i = 0; i < sizeof(none4) / sizeof(*none4); i++) {
		struct frame from =
			FRAME(TO_R, ipv4(.src = none4[i], .dst = "10.0.0.9"), bytes(1400));
		struct frame to =
			FRAME(TO_R, ipv4(.src = "10.0.0.1", .dst = none4[i]), bytes(1400));

		is_not_told(MODE, &from);
		is_not_told(MODE, &to);
	}
	for (size_t i = 0; i < sizeof(none6) / sizeof(*none6); i++) {
		struct frame from = FRAME(TO_R, ipv6(.src = none6[i], .dst = "fd00::9", .next = 59),
					  bytes(1400));
		struct frame to = FRAME(TO_R, ipv6(.src = "fd00::1", .dst = none6[i], .next = 59),
					bytes(1400));

		is_not_told(MODE, &from);
		is_not_told(MODE, &to);
	}
}

static void answers_have_a_rate_for_each_TSI(void **state)
{
	const uint64_t second = 1000000000;
	/* One in a hundred seconds, three at once. */
	struct nve_meter meter = { .cost = 100 * second << 16, .burst = 300 * second };
	struct frame plain = FRAME(TO_R, FROM_1(), bytes(1400)), want = too_big4(&plain, MTU);
	uint64_t limited = answers(NVE_ANSWER_LIMITED);

	narrow_to(MTU);
	dp_set(&dp, "icmp_meter", &(uint32_t){ TSI_1 }, &meter);
	for (int i = 0; i < 3; i++)
		is_told(MODE, &plain, &want, NVE_ANSWER_FRAG_NEEDED);
	for (int i = 1; i <= 3; i++) {
		is_not_told(MODE, &plain);
		assert_int_equal(answers(NVE_ANSWER_LIMITED), limited + i);
	}
	dp_set(&dp, "icmp_meter", &(uint32_t){ TSI_1 }, &(struct nve_meter){ 0 });
	dp_set(&dp, "icmp_meter", &(uint32_t){ TSI_2 }, &meter);
	is_told(MODE, &plain, &want, NVE_ANSWER_FRAG_NEEDED);
}

static void an_xdp_port_that_takes_no_xdp_frames_leaves_it_to_tc_uncounted(void **state)
{
	struct frame plain = FRAME(TO_R, FROM_1(), bytes(1400)), in = frame_tag(&plain, 0, 10);
	struct nve_tsi_row row;
	struct dp_outcome o;

	(void)state;
	narrow_to(MTU);
	dp_get(&dp, "tsi", &(uint32_t){ TSI_1 }, &row);
	row.port_flags = 0;
	dp_set(&dp, "tsi", &(uint32_t){ TSI_1 }, &row);
	o = dp_run(&dp, DP_XDP, DP_ACCESS, IF_A0, &in);
	assert_int_equal(o.fate, DP_HOST);
	assert_true(frame_equal(&o.out, &in));
}

/* Bulk TCP is too large only if its segments are. */
static void of_frames_yet_to_be_segmented_the_segments_count(void **state)
{
	struct frame plain =
		FRAME(TO_R, FROM_1(.frag = 0x4000), tcp(.sport = 5, .dport = 6), bytes(1900));
	struct frame in = frame_tag(&plain, 0, 10), want;

	(void)state;
	narrow_to(MTU);
	dp.gso_size = MTU - 40;
	/* The kernel's test run has no bulk TCP that could be encapsulated. */
	dp_loses(&dp, DP_TC, DP_ACCESS, IF_A0, &in, NVE_DROP_NO_ROOM);
	dp.gso_size++;
	want = too_big4(&plain, MTU);
	is_told(DP_TC, &plain, &want, NVE_ANSWER_FRAG_NEEDED);
	dp.gso_size = 0;
}

static void what_is_flooded_or_forwarded_on_is_lost_in_silence(void **state)
{
	struct frame plain = FRAME(eth(.dst = MAC_R, .src = MAC_X),
				   ipv4(.src = "10.0.0.7", .dst = "10.0.0.9"), bytes(1400));
	struct frame in = dp_tunnel("192.0.2.3", IP_NVE, VNI_7, 50000, &plain);

	narrow_to(MTU);
	dp_loses(&dp, MODE, DP_UNDERLAY, IF_U0, &in, NVE_DROP_TOO_LARGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(the_sender_of_an_ipv4_packet_is_told_with_and_without_DF),
		BOTH(the_sender_of_an_ipv6_packet_is_told),
		BOTH(a_packet_of_just_the_mtu_passes_and_one_byte_more_is_told),
		BOTH(what_is_quoted_of_short_ipv6_packets_is_all_there_is),
		BOTH(over_an_ipv6_underlay_the_mtu_told_is_smaller_by_its_header),
		BOTH(nobody_is_told_in_answer_to_an_ICMP_error),
		BOTH(nobody_is_told_of_what_cannot_be_judged),
		BOTH(trailers_are_no_packets),
		BOTH(no_answer_goes_to_or_comes_from_an_address_that_is_no_hosts),
		BOTH(answers_have_a_rate_for_each_TSI),
		BOTH(what_is_flooded_or_forwarded_on_is_lost_in_silence),
		cmocka_unit_test_setup(
			an_xdp_port_that_takes_no_xdp_frames_leaves_it_to_tc_uncounted, refill),
		cmocka_unit_test_setup(of_frames_yet_to_be_segmented_the_segments_count, refill),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
