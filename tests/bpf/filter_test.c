/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The source filter (S48, S49): TSI 1 is 02:..:01 with 10.0.0.1 and fd00::1, and speaks for nobody
 * else in IPv4, IPv6, ARP, RARP and neighbor discovery.
 */
#include "bpf/suite.h"

#define FROM_1    eth(.dst = MAC_R, .src = MAC_1), vlan(.vid = 10)
#define FE80      "fe80::1"
#define ALL_NODES "ff02::1"

static void passes(void **state, struct frame in)
{
	struct dp_outcome o = dp_run(&dp, MODE, DP_ACCESS, IF_A0, &in);

	assert_int_equal(o.why, NVE_FORWARD);
	assert_int_equal(o.fate, DP_SENT);
}

static void lost(void **state, struct frame in, enum nve_drop why)
{
	dp_loses(&dp, MODE, DP_ACCESS, IF_A0, &in, why);
}

/* Gives TSI 1's MAC other flags. */
static void set_flags(uint8_t flags)
{
	struct nve_src_key key = dp_src_key(IF_A0, 10, MAC_1);
	struct nve_src src;

	dp_get(&dp, "src", &key, &src);
	src.flags = flags;
	dp_set(&dp, "src", &key, &src);
}

static void add_ip(uint32_t owner, uint16_t vid, uint16_t mac, const char *ip, uint32_t tsi)
{
	struct nve_src_ip_key key = dp_src_ip_key(owner, vid, mac, ip);

	dp_set(&dp, "src_ip", &key, &(struct nve_src_ip){ .tsi = tsi });
}

static void an_ip_of_somebody_else_is_lost_as_SRC_IP(void **state)
{
	passes(state, FRAME(FROM_1, ipv4(.src = "10.0.0.1", .dst = "10.0.0.9"), bytes(20)));
	lost(state, FRAME(FROM_1, ipv4(.src = "10.0.0.2", .dst = "10.0.0.9"), bytes(20)),
	     NVE_DROP_SRC_IP);
	lost(state, FRAME(FROM_1, ipv4(.dst = "10.0.0.9"), bytes(20)), NVE_DROP_SRC_IP);
	passes(state, FRAME(FROM_1, ipv6(.src = "fd00::1", .dst = "fd00::9"), bytes(20)));
	passes(state, FRAME(FROM_1, ipv6(.src = "fd00::1", .dst = "fd00::9"), tcp(), bytes(20)));
	lost(state, FRAME(FROM_1, ipv6(.src = "fd00::2", .dst = "fd00::9"), bytes(20)),
	     NVE_DROP_SRC_IP);
	lost(state, FRAME(FROM_1, ipv6(.src = "fd00::2", .dst = "fd00::9"), udp(), bytes(20)),
	     NVE_DROP_SRC_IP);
	lost(state, FRAME(FROM_1, ipv6(.dst = "fd00::9"), udp(), bytes(20)), NVE_DROP_SRC_IP);
	passes(state, FRAME(FROM_1, ipv4(.src = "10.0.0.1", .ihl = 7), udp(), bytes(4)));
}

static void without_signaled_ips_any_ip_passes_but_arp_and_nd_name_the_own_mac(void **state)
{
	set_flags(0);
	passes(state, FRAME(FROM_1, ipv4(.src = "10.0.0.2"), bytes(20)));
	passes(state, FRAME(FROM_1, ipv6(.src = "fd00::2"), tcp(), bytes(20)));
	passes(state, FRAME(FROM_1, arp(.sender_mac = MAC_1, .sender_ip = "10.0.0.2")));
	lost(state, FRAME(FROM_1, arp(.sender_mac = MAC_2, .sender_ip = "10.0.0.2")),
	     NVE_DROP_SRC_ARP);
	passes(state, FRAME(FROM_1, ipv6(.src = "fd00::2"),
			    nd(.type = 136, .target = "fd00::2", .opt = 2, .opt_mac = MAC_1)));
	lost(state,
	     FRAME(FROM_1, ipv6(.src = "fd00::2"),
		   nd(.type = 136, .target = "fd00::2", .opt = 2, .opt_mac = MAC_2)),
	     NVE_DROP_SRC_ND);
}

static void further_ips_are_found_under_their_mac_or_under_any(void **state)
{
	uint8_t inline_ips = NVE_SRC_FILTER_IP | NVE_SRC_IP4 | NVE_SRC_IP6;

	add_ip(TSI_1, 0, 1, "10.0.0.50", TSI_1);
	add_ip(TSI_1, 0, 0, "fd00::50", TSI_1);
	add_ip(TSI_1, 0, 2, "10.0.0.60", TSI_1); /* bound to another MAC of the TSI */
	set_flags(inline_ips | NVE_SRC_MORE | NVE_SRC_ANY_MAC);
	passes(state, FRAME(FROM_1, ipv4(.src = "10.0.0.50"), bytes(20)));
	passes(state, FRAME(FROM_1, ipv6(.src = "fd00::50"), tcp(), bytes(20)));
	passes(state, FRAME(FROM_1, arp(.sender_mac = MAC_1, .sender_ip = "10.0.0.50")));
	passes(state, FRAME(FROM_1, ipv4(.src = "10.0.0.1"), bytes(20)));
	lost(state, FRAME(FROM_1, ipv4(.src = "10.0.0.60"), bytes(20)), NVE_DROP_SRC_IP);
	set_flags(inline_ips | NVE_SRC_MORE);
	lost(state, FRAME(FROM_1, ipv6(.src = "fd00::50"), tcp(), bytes(20)), NVE_DROP_SRC_IP);
	set_flags(inline_ips);
	lost(state, FRAME(FROM_1, ipv4(.src = "10.0.0.50"), bytes(20)), NVE_DROP_SRC_IP);
}

static void a_further_ip_that_is_not_in_use_is_lost_as_SRC_INACTIVE(void **state)
{
	struct nve_src_ip_key key = dp_src_ip_key(TSI_1, 0, 1, "10.0.0.50");

	dp_set(&dp, "src_ip", &key, &(struct nve_src_ip){ .tsi = TSI_1, .when = NVE_WHEN_NEVER });
	set_flags(NVE_SRC_FILTER_IP | NVE_SRC_MORE);
	lost(state, FRAME(FROM_1, ipv4(.src = "10.0.0.50"), bytes(20)), NVE_DROP_SRC_INACTIVE);
	/* Its row may have become another TSI's in between: then it is not this one's address. */
	add_ip(TSI_1, 0, 1, "10.0.0.50", TSI_2);
	lost(state, FRAME(FROM_1, ipv4(.src = "10.0.0.50"), bytes(20)), NVE_DROP_SRC_IP);
}

static void arp_speaks_for_the_own_addresses_only(void **state)
{
	for (uint16_t op = 1; op <= 2; op++) {
		passes(state, FRAME(FROM_1, arp(.op = op, .sender_mac = MAC_1,
						.sender_ip = "10.0.0.1", .target_ip = "10.0.0.9")));
		lost(state,
		     FRAME(FROM_1, arp(.op = op, .sender_mac = MAC_2, .sender_ip = "10.0.0.1")),
		     NVE_DROP_SRC_ARP);
		lost(state,
		     FRAME(FROM_1, arp(.op = op, .sender_mac = MAC_1, .sender_ip = "10.0.0.2")),
		     NVE_DROP_SRC_ARP);
	}
	lost(state, FRAME(FROM_1, arp(.htype = 6, .sender_mac = MAC_1, .sender_ip = "10.0.0.1")),
	     NVE_DROP_SRC_ARP);
}

static void an_arp_probe_asks_for_the_own_address_only(void **state)
{
	passes(state, FRAME(FROM_1, arp(.sender_mac = MAC_1, .target_ip = "10.0.0.1")));
	lost(state, FRAME(FROM_1, arp(.sender_mac = MAC_1, .target_ip = "10.0.0.2")),
	     NVE_DROP_SRC_ARP);
	lost(state, FRAME(FROM_1, arp(.op = 2, .sender_mac = MAC_1, .target_ip = "10.0.0.1")),
	     NVE_DROP_SRC_ARP);
}

static void rarp_names_the_own_mac_and_no_foreign_ip(void **state)
{
	passes(state, FRAME(FROM_1, arp(.rarp = true, .sender_mac = MAC_1, .target_mac = MAC_1)));
	lost(state, FRAME(FROM_1, arp(.rarp = true, .sender_mac = MAC_2, .target_mac = MAC_2)),
	     NVE_DROP_SRC_ARP);
	lost(state, FRAME(FROM_1, arp(.rarp = true, .sender_mac = MAC_1, .sender_ip = "10.0.0.2")),
	     NVE_DROP_SRC_ARP);
}

static void dhcp_alone_may_come_from_no_address(void **state)
{
	passes(state, FRAME(FROM_1, ipv4(.dst = "255.255.255.255"), udp(.sport = 68, .dport = 67),
			    bytes(240)));
	lost(state,
	     FRAME(FROM_1, ipv4(.dst = "255.255.255.255"), udp(.sport = 67, .dport = 68),
		   bytes(240)),
	     NVE_DROP_SRC_IP);
	lost(state,
	     FRAME(FROM_1, ipv4(.dst = "255.255.255.255", .frag = 0x2000),
		   udp(.sport = 68, .dport = 67), bytes(240)),
	     NVE_DROP_SRC_IP);
	lost(state, FRAME(FROM_1, ipv4(.dst = "255.255.255.255"), tcp(.sport = 68, .dport = 67)),
	     NVE_DROP_SRC_IP);
}

static void neighbor_advertisements_are_for_the_own_address_and_mac(void **state)
{
	passes(state, FRAME(FROM_1, ipv6(.src = "fd00::1", .dst = ALL_NODES),
			    nd(.type = 136, .target = "fd00::1", .opt = 2, .opt_mac = MAC_1)));
	passes(state, FRAME(FROM_1, ipv6(.src = "fd00::1"), nd(.type = 136, .target = "fd00::1")));
	lost(state,
	     FRAME(FROM_1, ipv6(.src = "fd00::1"),
		   nd(.type = 136, .target = "fd00::2", .opt = 2, .opt_mac = MAC_1)),
	     NVE_DROP_SRC_ND);
	lost(state,
	     FRAME(FROM_1, ipv6(.src = "fd00::1"),
		   nd(.type = 136, .target = "fd00::1", .opt = 2, .opt_mac = MAC_2)),
	     NVE_DROP_SRC_ND);
	lost(state,
	     FRAME(FROM_1, ipv6(.src = "fd00::1"),
		   nd(.type = 136, .target = "fd00::1", .opt = 2, .opt_mac = MAC_2,
		      .nonce_first = true)),
	     NVE_DROP_SRC_ND);
	lost(state, FRAME(FROM_1, ipv6(), nd(.type = 136, .target = "fd00::1")), NVE_DROP_SRC_IP);
}

static void neighbor_solicitations_come_from_the_own_address_and_mac(void **state)
{
	passes(state, FRAME(FROM_1, ipv6(.src = "fd00::1"),
			    nd(.type = 135, .target = "fd00::9", .opt = 1, .opt_mac = MAC_1)));
	lost(state,
	     FRAME(FROM_1, ipv6(.src = "fd00::1"),
		   nd(.type = 135, .target = "fd00::9", .opt = 1, .opt_mac = MAC_2)),
	     NVE_DROP_SRC_ND);
	lost(state,
	     FRAME(FROM_1, ipv6(.src = "fd00::2"),
		   nd(.type = 135, .target = "fd00::9", .opt = 1, .opt_mac = MAC_1)),
	     NVE_DROP_SRC_IP);
}

static void duplicate_address_detection_asks_for_the_own_address_only(void **state)
{
	passes(state,
	       FRAME(FROM_1, ipv6(.dst = "ff02::1:ff00:1"), nd(.type = 135, .target = "fd00::1")));
	passes(state, FRAME(FROM_1, ipv6(.dst = "ff02::1:ff00:1"),
			    nd(.type = 135, .target = "fd00::1", .nonce_first = true)));
	lost(state, FRAME(FROM_1, ipv6(), nd(.type = 135, .target = "fd00::2")), NVE_DROP_SRC_ND);
	lost(state,
	     FRAME(FROM_1, ipv6(),
		   nd(.type = 135, .target = "fd00::1", .opt = 1, .opt_mac = MAC_1)),
	     NVE_DROP_SRC_ND);
}

static void router_messages_and_redirects_come_from_the_own_address(void **state)
{
	passes(state, FRAME(FROM_1, ipv6(), nd(.type = 133)));
	passes(state,
	       FRAME(FROM_1, ipv6(.src = "fd00::1"), nd(.type = 133, .opt = 1, .opt_mac = MAC_1)));
	lost(state,
	     FRAME(FROM_1, ipv6(.src = "fd00::1"), nd(.type = 133, .opt = 1, .opt_mac = MAC_2)),
	     NVE_DROP_SRC_ND);
	passes(state,
	       FRAME(FROM_1, ipv6(.src = "fd00::1"), nd(.type = 134, .opt = 1, .opt_mac = MAC_1)));
	lost(state, FRAME(FROM_1, ipv6(.src = FE80), nd(.type = 134, .opt = 1, .opt_mac = MAC_1)),
	     NVE_DROP_SRC_IP);
	lost(state,
	     FRAME(FROM_1, ipv6(.src = "fd00::1"), nd(.type = 134, .opt = 1, .opt_mac = MAC_2)),
	     NVE_DROP_SRC_ND);
	lost(state, FRAME(FROM_1, ipv6(), nd(.type = 134)), NVE_DROP_SRC_IP);
	/* The option of a redirect names the better router. */
	passes(state, FRAME(FROM_1, ipv6(.src = "fd00::1"),
			    nd(.type = 137, .target = FE80, .opt = 2, .opt_mac = MAC_2)));
	lost(state, FRAME(FROM_1, ipv6(.src = FE80), nd(.type = 137, .target = FE80)),
	     NVE_DROP_SRC_IP);
}

static void multicast_listener_reports_may_come_from_no_address(void **state)
{
	static const uint8_t types[] = { 131, 132, 143 };

	for (size_t i = 0; i < sizeof(types); i++)
		passes(state, FRAME(FROM_1, ipv6(.dst = "ff02::16"), ext(.kind = 0),
				    nd(.type = types[i]), bytes(20)));
	lost(state, FRAME(FROM_1, ipv6(.dst = "ff02::1"), ext(.kind = 0), nd(.type = 130)),
	     NVE_DROP_SRC_IP);
	lost(state, FRAME(FROM_1, ipv6(), nd(.type = 128)), NVE_DROP_SRC_IP);
}

static void neighbor_discovery_behind_other_headers_is_lost_as_SRC_ND(void **state)
{
	static const uint8_t kinds[] = { 0, 43, 44, 60, 135, 139, 140 };

	for (size_t i = 0; i < sizeof(kinds); i++) {
		lost(state,
		     FRAME(FROM_1, ipv6(.src = "fd00::1"), ext(.kind = kinds[i]),
			   nd(.type = 136, .target = "fd00::1", .opt = 2, .opt_mac = MAC_1)),
		     NVE_DROP_SRC_ND);
		/* Anything else may have them. */
		passes(state, FRAME(FROM_1, ipv6(.src = "fd00::1"), ext(.kind = kinds[i]),
				    udp(.sport = 1, .dport = 2), bytes(20)));
	}
	lost(state,
	     FRAME(FROM_1, ipv6(.src = "fd00::1"), ext(.kind = 60, .words = 3), ext(.kind = 44),
		   nd(.type = 135, .target = "fd00::9")),
	     NVE_DROP_SRC_ND);
}

static void a_header_chain_that_hides_its_end_is_lost(void **state)
{
	/* Nothing is behind the first fragment's extension header: it would come in the next. */
	lost(state,
	     FRAME(FROM_1, ipv6(.src = "fd00::1"), ext(.kind = 44, .frag = 1),
		   ext(.kind = 60, .next = 58)),
	     NVE_DROP_SHORT);
	lost(state,
	     FRAME(FROM_1, ipv6(.src = "fd00::1"), ext(.kind = 60), ext(.kind = 60),
		   ext(.kind = 60), ext(.kind = 60), ext(.kind = 60), ext(.kind = 60),
		   ext(.kind = 60), nd(.type = 136, .target = "fd00::2")),
	     NVE_DROP_SRC_ND);
	/* Later fragments are nobody's message by themselves. */
	passes(state, FRAME(FROM_1, ipv6(.src = "fd00::1"), ext(.kind = 44, .frag = 8, .next = 58),
			    bytes(64)));
}

static void ip_in_snap_does_not_get_around_the_filter(void **state)
{
	static const uint8_t ip4[] = { 0xaa, 0xaa, 3, 0, 0, 0, 0x08, 0x00, 0x45 };
	static const uint8_t tunnel[] = { 0xaa, 0xaa, 3, 0, 0, 0xf8, 0x08, 0x06, 0 };
	static const uint8_t cisco[] = { 0xaa, 0xaa, 3, 0, 0, 0x0c, 0x20, 0x00, 1 };
	static const uint8_t stp[] = { 0x42, 0x42, 3, 0, 0, 0, 0, 0, 0 };
#define LLC eth(.dst = MAC_R, .src = MAC_1), vlan(.vid = 10, .type = 9)

	lost(state, FRAME(LLC, raw(ip4, sizeof(ip4)), bytes(40)), NVE_DROP_SRC_IP);
	lost(state, FRAME(LLC, raw(tunnel, sizeof(tunnel)), bytes(40)), NVE_DROP_SRC_IP);
	passes(state, FRAME(LLC, raw(cisco, sizeof(cisco)), bytes(40)));
	passes(state, FRAME(LLC, raw(stp, sizeof(stp)), bytes(40)));
	set_flags(0);
	passes(state, FRAME(LLC, raw(ip4, sizeof(ip4)), bytes(40)));
}

/* A VAP with a TSI that signaled no MAC: any source MAC, but its IPs only. */
static void make_ip_only(void)
{
	struct nve_tsi_row row;
	struct nve_vap_row vap;

	dp_get(&dp, "tsi", &(uint32_t){ TSI_1 }, &row);
	dp_set(&dp, "tsi", &(uint32_t){ TSI_IP_ONLY }, &row);
	dp_get(&dp, "vap", &(uint32_t){ 10 }, &vap);
	vap.ip_only = 1;
	dp_set(&dp, "vap", &(uint32_t){ 10 }, &vap);
	add_ip(IF_A0, 10, 0, "10.0.0.70", TSI_IP_ONLY);
	add_ip(IF_A0, 10, 0, "fd00::70", TSI_IP_ONLY);
}

static void a_tsi_known_by_ip_alone_may_use_any_mac_but_no_other_ip(void **state)
{
#define FROM_X eth(.dst = MAC_R, .src = MAC_X), vlan(.vid = 10)
	make_ip_only();
	passes(state, FRAME(FROM_X, ipv4(.src = "10.0.0.70"), bytes(20)));
	passes(state, FRAME(FROM_X, ipv6(.src = "fd00::70"), tcp(), bytes(20)));
	passes(state, FRAME(FROM_X, arp(.sender_mac = MAC_X, .sender_ip = "10.0.0.70")));
	passes(state, FRAME(FROM_X, arp(.sender_mac = MAC_X, .target_ip = "10.0.0.70")));
	passes(state, FRAME(FROM_X, ipv6(), nd(.type = 135, .target = "fd00::70")));
	assert_int_equal(dp_stats(&dp, TSI_IP_ONLY).in_frames, 5);
	lost(state, FRAME(FROM_X, ipv4(.src = "10.0.0.71"), bytes(20)), NVE_DROP_SRC_IP);
	lost(state, FRAME(FROM_X, ipv4(.src = "10.0.0.1"), bytes(20)), NVE_DROP_SRC_IP);
	lost(state, FRAME(FROM_X, arp(.sender_mac = MAC_X, .sender_ip = "10.0.0.71")),
	     NVE_DROP_SRC_ARP);
	lost(state, FRAME(FROM_X, arp(.sender_mac = MAC_2, .sender_ip = "10.0.0.70")),
	     NVE_DROP_SRC_ARP);
	lost(state, FRAME(FROM_X, ipv6(.src = "fd00::70"), nd(.type = 136, .target = "fd00::71")),
	     NVE_DROP_SRC_ND);
	lost(state, FRAME(FROM_X, bytes(46)), NVE_DROP_SRC_MAC);
}

static void a_tsi_known_by_ip_alone_must_be_activated_too(void **state)
{
	struct nve_tsi_row row;

	make_ip_only();
	dp_get(&dp, "tsi", &(uint32_t){ TSI_IP_ONLY }, &row);
	row.live = 0;
	dp_set(&dp, "tsi", &(uint32_t){ TSI_IP_ONLY }, &row);
	lost(state, FRAME(FROM_X, ipv4(.src = "10.0.0.70"), bytes(20)), NVE_DROP_SRC_INACTIVE);
	assert_int_equal(dp_tsi_drops(&dp, TSI_IP_ONLY, NVE_DROP_SRC_INACTIVE), 1);
}

/* A TSI changes from a MAC with IPs to IPs alone: its MAC's row stops counting in that moment. */
static void a_mac_row_that_does_not_count_leaves_the_frame_to_the_ips(void **state)
{
	struct nve_src_key key = dp_src_key(IF_A0, 10, MAC_1);
	struct nve_src src;

	make_ip_only();
	dp_get(&dp, "src", &key, &src);
	src.when = NVE_WHEN_UNTIL;
	dp_set(&dp, "src", &key, &src);
	passes(state, FRAME(FROM_1, ipv4(.src = "10.0.0.70"), bytes(20)));
	lost(state, FRAME(FROM_1, ipv4(.src = "10.0.0.1"), bytes(20)), NVE_DROP_SRC_IP);
	assert_int_equal(dp_stats(&dp, TSI_IP_ONLY).in_frames, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(an_ip_of_somebody_else_is_lost_as_SRC_IP),
		BOTH(without_signaled_ips_any_ip_passes_but_arp_and_nd_name_the_own_mac),
		BOTH(further_ips_are_found_under_their_mac_or_under_any),
		BOTH(a_further_ip_that_is_not_in_use_is_lost_as_SRC_INACTIVE),
		BOTH(arp_speaks_for_the_own_addresses_only),
		BOTH(an_arp_probe_asks_for_the_own_address_only),
		BOTH(rarp_names_the_own_mac_and_no_foreign_ip),
		BOTH(dhcp_alone_may_come_from_no_address),
		BOTH(neighbor_advertisements_are_for_the_own_address_and_mac),
		BOTH(neighbor_solicitations_come_from_the_own_address_and_mac),
		BOTH(duplicate_address_detection_asks_for_the_own_address_only),
		BOTH(router_messages_and_redirects_come_from_the_own_address),
		BOTH(multicast_listener_reports_may_come_from_no_address),
		BOTH(neighbor_discovery_behind_other_headers_is_lost_as_SRC_ND),
		BOTH(a_header_chain_that_hides_its_end_is_lost),
		BOTH(ip_in_snap_does_not_get_around_the_filter),
		BOTH(a_tsi_known_by_ip_alone_may_use_any_mac_but_no_other_ip),
		BOTH(a_tsi_known_by_ip_alone_must_be_activated_too),
		BOTH(a_mac_row_that_does_not_count_leaves_the_frame_to_the_ips),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
