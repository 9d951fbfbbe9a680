/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Suppression: who asks for an address of the VN is answered by the NVE, and nobody else hears it.
 *
 * VN 7 suppresses; TSI 1 (10.0.0.1, fd::1) asks at a0, vid 10; TSI 2 (10.0.0.2, fd::2) is at a1,
 * MAC_R behind a VTEP is 10.0.0.9 and fd00::9.
 */
#include "bpf/suite.h"
#include "lib/wire.h"

#include <bpf/libbpf.h>

static struct wire wire;

static struct nve_neigh_mac claim(const char *mac, uint8_t flags)
{
	struct nve_neigh_mac m = { .flags = NVE_NEIGH_SET | flags };

	dp_mac(m.mac, mac);
	return m;
}

static void set_neigh(const char *ip, const char *mac, uint8_t flags, const char *second)
{
	struct nve_neigh row = { .first = claim(mac, flags) };
	struct nve_neigh_key key = { .vn_id = VN_7 };

	memcpy(key.ip, dp_src_ip_key(0, 0, 0, ip).ip, sizeof(key.ip));
	if (second)
		row.second = claim(second, 0);
	dp_set(&dp, "neigh", &key, &row);
}

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
	static const uint64_t none[256];

	refill(state);
	for (uint32_t i = 0; i < NVE_ANSWER_COUNT; i++)
		dp_set(&dp, "answers", &i, none);
	set_flood(NVE_FLOOD_SUPPRESS);
	set_neigh("10.0.0.2", MAC_2, 0, NULL);
	set_neigh("fd00::2", MAC_2, 0, NULL);
	set_neigh("10.0.0.9", MAC_R, NVE_NEIGH_REMOTE, NULL);
	set_neigh("fd00::9", MAC_R, NVE_NEIGH_REMOTE, NULL);
	set_neigh("10.0.0.1", MAC_1, 0, NULL);
	set_neigh("fd00::1", MAC_1, 0, NULL);
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

static uint64_t answers(enum nve_answer kind)
{
	uint64_t values[256], sum = 0;

	dp_get(&dp, "answers", &(uint32_t){ kind }, values);
	for (int i = 0; i < libbpf_num_possible_cpus(); i++)
		sum += values[i];
	return sum;
}

static uint64_t all_answers(void)
{
	return answers(NVE_ANSWER_ARP) + answers(NVE_ANSWER_ND);
}

static void answered(enum dp_mode mode, const struct frame *in, const struct frame *want)
{
	uint64_t before = all_answers();
	struct dp_outcome o = dp_run(&dp, mode, DP_ACCESS, IF_A0, in);

	assert_int_equal(o.fate, DP_SENT);
	assert_true(frame_equal(&o.out, want));
	assert_int_equal(all_answers(), before + 1);
}

/* As ever: XDP leaves it to TC, which makes copies. */
static void flooded(enum dp_mode mode, const struct frame *in)
{
	uint64_t before = all_answers();
	struct dp_outcome o = dp_run(&dp, mode, DP_ACCESS, IF_A0, in);

	if (o.fate != (mode == DP_XDP ? DP_HOST : DP_FLOODED))
		fail_msg("fate %d, drop %d", o.fate, o.why);
	assert_int_equal(all_answers(), before);
}

#define FROM_1(to)  eth(.dst = (to), .src = MAC_1), vlan(.vid = 10, .pcp = 5)
#define ASKS(...)   FROM_1(MAC_ALL), arp(.sender_mac = MAC_1, __VA_ARGS__)
#define WHO_HAS(ip) ASKS(.sender_ip = "10.0.0.1", .target_ip = (ip))
/* A solicitation of TSI 1 for an address that ends in the given byte. */
#define GROUP_OF(n) "33:33:ff:00:00:0" #n
#define NODE_OF(n)  "ff02::1:ff00:" #n
#define NS_FOR(n)                                                                                  \
	FROM_1(GROUP_OF(n)), ipv6(.src = "fd00::1", .dst = NODE_OF(n)),                            \
		nd(.type = 135, .target = "fd00::" #n, .opt = 1, .opt_mac = MAC_1)
#define NA_FROM(mac, ip)                                                                           \
	eth(.dst = MAC_1, .src = (mac)), vlan(.vid = 10, .pcp = 5),                                \
		ipv6(.src = (ip), .dst = "fd00::1"),                                               \
		nd(.type = 136, .flags = 0xe0, .target = (ip), .opt = 2, .opt_mac = (mac))
#define IS_AT(mac, ip)                                                                             \
	eth(.dst = MAC_1, .src = (mac)), vlan(.vid = 10, .pcp = 5),                                \
		arp(.op = 2, .sender_mac = (mac), .sender_ip = (ip), .target_mac = MAC_1,          \
		    .target_ip = "10.0.0.1")

static void who_asks_by_arp_for_a_local_or_remote_address_is_answered_and_nobody_hears(void **state)
{
	struct frame in = FRAME(WHO_HAS("10.0.0.2"), bytes(18)), want;

	want = FRAME(IS_AT(MAC_2, "10.0.0.2"), bytes(18));
	answered(MODE, &in, &want);
	in = FRAME(WHO_HAS("10.0.0.9"));
	want = FRAME(IS_AT(MAC_R, "10.0.0.9"));
	answered(MODE, &in, &want);
	assert_int_equal(answers(NVE_ANSWER_ARP), 2);
	assert_int_equal(dp_stats(&dp, TSI_1).in_frames, 0);
}

static void who_solicits_a_local_or_remote_neighbor_gets_a_solicited_advertisement(void **state)
{
	struct frame in = FRAME(NS_FOR(2)), want = FRAME(NA_FROM(MAC_2, "fd00::2"));

	answered(MODE, &in, &want);
	in = FRAME(NS_FOR(9));
	want = FRAME(NA_FROM(MAC_R, "fd00::9"));
	answered(MODE, &in, &want);
	assert_int_equal(answers(NVE_ANSWER_ND), 2);
}

static void on_the_wire_the_answer_goes_to_who_asked_with_its_tag_and_to_nobody_else(void **state)
{
	struct frame asks[] = { FRAME(WHO_HAS("10.0.0.2")), FRAME(NS_FOR(9)), FRAME(NS_FOR(2)),
				FRAME(WHO_HAS("10.0.0.9")) };
	struct frame want[] = { FRAME(IS_AT(MAC_2, "10.0.0.2")), FRAME(NA_FROM(MAC_R, "fd00::9")),
				FRAME(NA_FROM(MAC_2, "fd00::2")), FRAME(IS_AT(MAC_R, "10.0.0.9")) };

	(void)state;
	for (int i = 0; i < 4; i++)
		wire_send(&wire, WIRE_A0, &asks[i]);
	wire_expect(&wire, WIRE_A0, want, 4);
	wire_expect(&wire, WIRE_A1, NULL, 0);
	wire_expect(&wire, WIRE_U0, NULL, 0);
	assert_int_equal(answers(NVE_ANSWER_ARP), 2);
	assert_int_equal(answers(NVE_ANSWER_ND), 2);
}

static void an_address_that_nobody_signaled_is_flooded_as_ever(void **state)
{
	struct frame arp = FRAME(WHO_HAS("10.0.0.7")), ns = FRAME(NS_FOR(7));

	flooded(MODE, &arp);
	flooded(MODE, &ns);
}

static void a_vn_that_does_not_suppress_floods_what_is_known_too(void **state)
{
	struct frame arp = FRAME(WHO_HAS("10.0.0.2")), ns = FRAME(NS_FOR(2));

	set_flood(0);
	flooded(MODE, &arp);
	flooded(MODE, &ns);
}

static void announcements_probes_and_replies_go_to_all_that_must_hear_them(void **state)
{
	struct frame in[] = {
		FRAME(WHO_HAS("10.0.0.1")),           /* gratuitous */
		FRAME(ASKS(.target_ip = "10.0.0.1")), /* a probe */
		FRAME(ASKS(.sender_ip = "10.0.0.1", .target_ip = "10.0.0.2", .op = 2)),
		FRAME(ASKS(.sender_ip = "10.0.0.1", .target_ip = "10.0.0.2", .op = 8)),
		FRAME(FROM_1(MAC_ALL), arp(.sender_mac = MAC_1, .target_mac = MAC_1, .rarp = true)),
		FRAME(NS_FOR(1)),
		FRAME(FROM_1(GROUP_OF(1)), ipv6(.dst = NODE_OF(1)), /* DAD */
		      nd(.type = 135, .target = "fd00::1")),
		FRAME(FROM_1("33:33:00:00:00:01"), ipv6(.src = "fd00::1", .dst = "ff02::1"),
		      nd(.type = 136, .flags = 0x20, .target = "fd00::1", .opt = 2,
			 .opt_mac = MAC_1)),
	};

	for (size_t i = 0; i < sizeof(in) / sizeof(*in); i++)
		flooded(MODE, &in[i]);
}

/* RFC 5227: somebody else has it, so this one must be heard by them; it passes the source filter
 * because both signaled the address. */
static void a_probe_for_anothers_address_goes_to_its_owner(void **state)
{
	struct frame probe = FRAME(ASKS(.target_ip = "10.0.0.1"));
	struct frame dad = FRAME(FROM_1(GROUP_OF(1)), ipv6(.dst = NODE_OF(1)),
				 nd(.type = 135, .target = "fd00::1"));

	set_neigh("10.0.0.1", MAC_R, NVE_NEIGH_REMOTE, NULL);
	set_neigh("fd00::1", MAC_R, NVE_NEIGH_REMOTE, NULL);
	flooded(MODE, &probe);
	flooded(MODE, &dad);
}

static void a_question_to_one_mac_goes_to_it_and_shows_whether_it_is_alive(void **state)
{
	struct frame in = FRAME(FROM_1(MAC_2), arp(.sender_mac = MAC_1, .sender_ip = "10.0.0.1",
						   .target_ip = "10.0.0.2"));
	struct frame plain = frame_untag(&in), want = frame_tag(&plain, 5, 20);

	dp_sends(&dp, MODE, DP_ACCESS, IF_A0, &in, &want);
	assert_int_equal(all_answers(), 0);
	in = FRAME(FROM_1(MAC_X),
		   arp(.sender_mac = MAC_1, .sender_ip = "10.0.0.1", .target_ip = "10.0.0.2"));
	flooded(MODE, &in);
}

static void who_asks_for_a_neighbor_at_its_own_port_and_tag_was_heard_by_it(void **state)
{
	struct nve_tsi_row row;
	struct frame arp = FRAME(WHO_HAS("10.0.0.2"));

	dp_get(&dp, "tsi", &(uint32_t){ TSI_2 }, &row);
	row.ifindex = IF_A0;
	row.vid = 10;
	dp_set(&dp, "tsi", &(uint32_t){ TSI_2 }, &row);
	flooded(MODE, &arp);
}

static void a_spoofed_question_is_dropped_before_it_is_looked_at(void **state)
{
	struct frame in = FRAME(ASKS(.sender_ip = "10.0.0.66", .target_ip = "10.0.0.2"));

	dp_loses(&dp, MODE, DP_ACCESS, IF_A0, &in, NVE_DROP_SRC_ARP);
	in = FRAME(FROM_1(GROUP_OF(2)), ipv6(.src = "fd00::1", .dst = NODE_OF(2)),
		   nd(.type = 135, .target = "fd00::2", .opt = 1, .opt_mac = MAC_X));
	dp_loses(&dp, MODE, DP_ACCESS, IF_A0, &in, NVE_DROP_SRC_ND);
	in = FRAME(FROM_1(GROUP_OF(2)), ipv6(.src = "fd00::66", .dst = NODE_OF(2)),
		   nd(.type = 135, .target = "fd00::2", .opt = 1, .opt_mac = MAC_1));
	dp_loses(&dp, MODE, DP_ACCESS, IF_A0, &in, NVE_DROP_SRC_IP);
	assert_int_equal(all_answers(), 0);
}

static void a_solicitation_that_a_host_would_discard_is_not_answered(void **state)
{
	struct frame in[] = {
		FRAME(FROM_1(GROUP_OF(2)), ipv6(.src = "fd00::1", .dst = NODE_OF(2), .hops = 254),
		      nd(.type = 135, .target = "fd00::2", .opt = 1, .opt_mac = MAC_1)),
		FRAME(FROM_1(GROUP_OF(2)), ipv6(.src = "fd00::1", .dst = "ff02::1"),
		      nd(.type = 135, .target = "fd00::2", .opt = 1, .opt_mac = MAC_1)),
		FRAME(FROM_1(GROUP_OF(2)), ipv6(.src = "fd00::1", .dst = NODE_OF(2)),
		      nd(.type = 135, .target = "fd00::2")),
		FRAME(FROM_1(GROUP_OF(2)), ipv6(.src = "fd00::1", .dst = NODE_OF(2)),
		      nd(.type = 135, .target = "fd00::2", .nonce_first = true, .opt = 1,
			 .opt_mac = MAC_1)),
		FRAME(NS_FOR(2)),
		FRAME(NS_FOR(2)),
		FRAME(NS_FOR(2)),
	};
	size_t n = sizeof(in) / sizeof(*in);

	in[4].bytes[18 + 40 + 2] ^= 1; /* checksum */
	in[5].bytes[18 + 40 + 1] = 1;  /* code, with the right checksum */
	in[5].bytes[18 + 40 + 3] -= 1;
	in[6].bytes[18] = 0x50; /* IP version */
	for (size_t i = 0; i < n; i++)
		flooded(MODE, &in[i]);
}

/* Whatever its length, a question is answered whole, or lost, or flooded: never read past its end.
 */
static void a_question_cut_short_is_never_answered(void **state)
{
	struct frame whole[] = { FRAME(WHO_HAS("10.0.0.2")), FRAME(NS_FOR(2)) };

	for (int i = 0; i < 2; i++) {
		for (size_t len = 18; len < whole[i].len; len++) {
			struct frame cut = whole[i];

			cut.len = len;
			if (dp_runs(MODE, &cut) && (MODE == DP_XDP || len > 60))
				assert_int_not_equal(dp_run(&dp, MODE, DP_ACCESS, IF_A0, &cut).fate,
						     DP_SENT);
		}
	}
	assert_int_equal(all_answers(), 0);
}

static void what_stands_behind_the_question_stays_behind_the_answer(void **state)
{
	struct frame in = FRAME(NS_FOR(2)), want = FRAME(NA_FROM(MAC_2, "fd00::2"));

	memset(in.bytes + in.len, 0xaa, 10);
	memset(want.bytes + want.len, 0xaa, 10);
	in.len += 10;
	want.len += 10;
	answered(MODE, &in, &want);
}

static void set_live(uint32_t tsi, uint64_t live)
{
	struct nve_tsi_row *rows = dp_map(&dp, "tsi");

	__atomic_store_n(&rows[tsi].live, live, __ATOMIC_RELEASE);
}

static void one_store_switches_the_answers_for_all_addresses_of_a_tsi(void **state)
{
	struct frame arp = FRAME(WHO_HAS("10.0.0.2")), ns = FRAME(NS_FOR(2));
	struct frame reply = FRAME(IS_AT(MAC_2, "10.0.0.2"));
	struct frame na = FRAME(NA_FROM(MAC_2, "fd00::2"));

	set_live(TSI_2, 5);
	flooded(MODE, &arp);
	flooded(MODE, &ns);
	set_live(TSI_2, NVE_TSI_LIVE | 5);
	answered(MODE, &arp, &reply);
	answered(MODE, &ns, &na);
}

/* D13, S69: the rows of the source filter change with the generation, and so do the answers. */
static void an_address_is_answered_from_and_until_the_generation_in_which_it_counts(void **state)
{
	struct nve_src_ip_key key = dp_src_ip_key(TSI_2, 0, 1, "10.0.0.22");
	struct nve_src_key src_key = dp_src_key(IF_A1, 20, MAC_2);
	struct nve_src_ip row = { .tsi = TSI_2, .gen = 6, .when = NVE_WHEN_FROM };
	struct frame arp = FRAME(WHO_HAS("10.0.0.22"));
	struct frame reply = FRAME(IS_AT(MAC_2, "10.0.0.22"));
	struct nve_src src;

	set_neigh("10.0.0.22", MAC_2, 0, NULL);
	flooded(MODE, &arp); /* claimed, and not the TSI's */
	dp_get(&dp, "src", &src_key, &src);
	src.flags |= NVE_SRC_MORE;
	dp_set(&dp, "src", &src_key, &src);
	dp_set(&dp, "src_ip", &key, &row);
	set_live(TSI_2, NVE_TSI_LIVE | 5);
	flooded(MODE, &arp);
	set_live(TSI_2, NVE_TSI_LIVE | 6);
	answered(MODE, &arp, &reply);
	row.when = NVE_WHEN_UNTIL;
	row.gen = 7;
	dp_set(&dp, "src_ip", &key, &row);
	answered(MODE, &arp, &reply);
	set_live(TSI_2, NVE_TSI_LIVE | 7);
	assert_int_not_equal(dp_run(&dp, MODE, DP_ACCESS, IF_A0, &arp).fate, DP_SENT);
}

/* D7: the later claim counts once it holds, and the earlier one again when it does not. */
static void an_address_that_moves_to_another_mac_is_answered_by_who_has_it_now(void **state)
{
	struct frame arp = FRAME(WHO_HAS("10.0.0.9"));
	struct frame was = FRAME(IS_AT(MAC_R, "10.0.0.9")), is = FRAME(IS_AT(MAC_2, "10.0.0.9"));
	struct nve_src_key key = dp_src_key(IF_A1, 20, MAC_2);
	struct nve_src src;

	set_neigh("10.0.0.9", MAC_R, NVE_NEIGH_REMOTE, MAC_2);
	dp_get(&dp, "src", &key, &src);
	src.ip4 = dp_src_ip_key(0, 0, 0, "10.0.0.9").ip[15] << 24 | 10;
	dp_set(&dp, "src", &key, &src);
	set_live(TSI_2, 0);
	answered(MODE, &arp, &was);
	set_live(TSI_2, NVE_TSI_LIVE);
	answered(MODE, &arp, &is);
}

/* The MAC is somewhere else now, with or without that address. */
static void a_mac_behind_a_vtep_is_answered_only_for_what_the_nva_maps_to_it(void **state)
{
	struct frame arp = FRAME(WHO_HAS("10.0.0.9"));

	set_neigh("10.0.0.9", MAC_R, 0, NULL);
	flooded(MODE, &arp);
	set_neigh("10.0.0.9", MAC_X, NVE_NEIGH_REMOTE, NULL); /* nobody knows where that is */
	flooded(MODE, &arp);
	set_neigh("10.0.0.9", MAC_1, NVE_NEIGH_REMOTE, NULL); /* the asker's own */
	flooded(MODE, &arp);
}

static void an_answer_that_xdp_cannot_send_is_left_to_tc(void **state)
{
	struct frame arp = FRAME(WHO_HAS("10.0.0.2"));
	struct nve_tsi_row row;

	(void)state;
	dp_get(&dp, "tsi", &(uint32_t){ TSI_1 }, &row);
	row.port_flags = 0;
	dp_set(&dp, "tsi", &(uint32_t){ TSI_1 }, &row);
	assert_int_equal(dp_run(&dp, DP_XDP, DP_ACCESS, IF_A0, &arp).fate, DP_HOST);
	assert_int_equal(all_answers(), 0);
	assert_int_equal(dp_run(&dp, DP_TC, DP_ACCESS, IF_A0, &arp).fate, DP_SENT);
	assert_int_equal(answers(NVE_ANSWER_ARP), 1);
}

static void a_question_from_the_underlay_is_not_answered(void **state)
{
	struct frame ask =
		FRAME(eth(.dst = MAC_ALL, .src = MAC_R),
		      arp(.sender_mac = MAC_R, .sender_ip = "10.0.0.9", .target_ip = "10.0.0.2"));
	struct frame in = dp_tunnel(IP_VTEP, IP_NVE, VNI_7, 50000, &ask);

	assert_int_equal(dp_run(&dp, MODE, DP_UNDERLAY, IF_U0, &in).fate,
			 MODE == DP_XDP ? DP_HOST : DP_FLOODED);
	assert_int_equal(all_answers(), 0);
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
		BOTH(who_asks_by_arp_for_a_local_or_remote_address_is_answered_and_nobody_hears),
		BOTH(who_solicits_a_local_or_remote_neighbor_gets_a_solicited_advertisement),
		ON_WIRE(on_the_wire_the_answer_goes_to_who_asked_with_its_tag_and_to_nobody_else),
		BOTH(an_address_that_nobody_signaled_is_flooded_as_ever),
		BOTH(a_vn_that_does_not_suppress_floods_what_is_known_too),
		BOTH(announcements_probes_and_replies_go_to_all_that_must_hear_them),
		BOTH(a_probe_for_anothers_address_goes_to_its_owner),
		BOTH(a_question_to_one_mac_goes_to_it_and_shows_whether_it_is_alive),
		BOTH(who_asks_for_a_neighbor_at_its_own_port_and_tag_was_heard_by_it),
		BOTH(a_spoofed_question_is_dropped_before_it_is_looked_at),
		BOTH(a_solicitation_that_a_host_would_discard_is_not_answered),
		BOTH(a_question_cut_short_is_never_answered),
		BOTH(what_stands_behind_the_question_stays_behind_the_answer),
		BOTH(one_store_switches_the_answers_for_all_addresses_of_a_tsi),
		BOTH(an_address_is_answered_from_and_until_the_generation_in_which_it_counts),
		BOTH(an_address_that_moves_to_another_mac_is_answered_by_who_has_it_now),
		BOTH(a_mac_behind_a_vtep_is_answered_only_for_what_the_nva_maps_to_it),
		cmocka_unit_test_setup(an_answer_that_xdp_cannot_send_is_left_to_tc, set_up),
		BOTH(a_question_from_the_underlay_is_not_answered),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
