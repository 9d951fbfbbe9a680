/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames from the underlay: what is the host's, and each way to be refused.
 */
#include "bpf/suite.h"

#define ETH_IN eth(.dst = MAC_NVE, .src = MAC_HOP)
#define IP_IN  .src = IP_VTEP, .dst = IP_NVE
#define UDP_IN udp(.sport = 50000, .dport = 4789, .no_check = true)

static struct frame to_1(void)
{
	return FRAME(eth(.dst = MAC_1, .src = MAC_R), ipv4(.src = "10.0.0.9", .dst = "10.0.0.1"),
		     bytes(40));
}

static void lost(void **state, struct frame in, enum nve_drop why)
{
	dp_loses(&dp, MODE, DP_UNDERLAY, IF_U0, &in, why);
}

static void is_hosts(void **state, struct frame in)
{
	struct dp_outcome o = dp_run(&dp, MODE, DP_UNDERLAY, IF_U0, &in);

	assert_int_equal(o.fate, DP_HOST);
	assert_true(frame_equal(&o.out, &in));
}

static void passes(void **state, struct frame in)
{
	struct frame plain = to_1(), want = frame_tag(&plain, 0, 10);

	dp_sends(&dp, MODE, DP_UNDERLAY, IF_U0, &in, &want);
}

static void what_is_not_for_the_tunnel_is_the_hosts(void **state)
{
	struct frame in = to_1();

	is_hosts(state, FRAME(ETH_IN, arp(.sender_mac = MAC_HOP, .sender_ip = IP_VTEP)));
	is_hosts(state,
		 FRAME(ETH_IN, ipv6(.src = "fd00::1", .dst = "fd00::2"), udp(.dport = 4789)));
	is_hosts(state, FRAME(ETH_IN, ipv4(IP_IN), tcp(.dport = 4789)));
	is_hosts(state, FRAME(ETH_IN, ipv4(IP_IN), udp(.dport = 4790), bytes(60)));
	is_hosts(state, WRAP(&in, ETH_IN, ipv4(.src = IP_VTEP, .dst = "192.0.2.77"), UDP_IN,
			     vxlan(.vni = VNI_7)));
	is_hosts(state,
		 WRAP(&in, ETH_IN, vlan(.vid = 5), ipv4(IP_IN), UDP_IN, vxlan(.vni = VNI_7)));
	/* What belongs to some first fragment: only that one has ports. */
	is_hosts(state, FRAME(ETH_IN, ipv4(IP_IN, .proto = 17, .frag = 100), bytes(60)));
}

static void an_outer_header_that_cannot_be_is_lost_as_OUTER_INVALID(void **state)
{
	struct frame in = to_1();

	passes(state, WRAP(&in, ETH_IN, ipv4(IP_IN), UDP_IN, vxlan(.vni = VNI_7)));
	lost(state, WRAP(&in, ETH_IN, ipv4(IP_IN, .bad_check = true), UDP_IN, vxlan(.vni = VNI_7)),
	     NVE_DROP_OUTER_INVALID);
	lost(state, WRAP(&in, ETH_IN, ipv4(IP_IN, .frag = 0x2000), UDP_IN, vxlan(.vni = VNI_7)),
	     NVE_DROP_OUTER_INVALID);
	lost(state, WRAP(&in, ETH_IN, ipv4(IP_IN, .ihl = 6), UDP_IN, vxlan(.vni = VNI_7)),
	     NVE_DROP_OUTER_INVALID);
	lost(state, WRAP(&in, ETH_IN, ipv4(IP_IN, .extra_len = 1), UDP_IN, vxlan(.vni = VNI_7)),
	     NVE_DROP_OUTER_INVALID);
	lost(state,
	     WRAP(&in, ETH_IN, ipv4(IP_IN),
		  udp(.sport = 50000, .dport = 4789, .no_check = true, .extra_len = 1),
		  vxlan(.vni = VNI_7)),
	     NVE_DROP_OUTER_INVALID);
}

static void dscp_ecn_and_a_udp_checksum_do_not_matter(void **state)
{
	struct frame in = to_1();

	passes(state, WRAP(&in, ETH_IN, ipv4(IP_IN, .tos = 0xb9), UDP_IN, vxlan(.vni = VNI_7)));
	passes(state, WRAP(&in, ETH_IN, ipv4(IP_IN), udp(.sport = 50000, .dport = 4789),
			   vxlan(.vni = VNI_7)));
}

/* Ethernet trailers are nobody's: the length of the packet says where it ends. */
static void what_follows_the_outer_packet_is_cut_off(void **state)
{
	struct frame plain = to_1();
	struct frame in = WRAP(&plain, ETH_IN, ipv4(IP_IN), UDP_IN, vxlan(.vni = VNI_7));

	in.len += 7;
	passes(state, in);
}

/* DSCP and ECN are an IP packet's, and this one ends before its header does. */
static void a_header_that_ends_in_the_trailer_is_none(void **state)
{
	struct nve_peer peer = { .vn_id = VN_7, .tunnel = NVE_TUNNEL_UNIFORM };
	struct frame plain = FRAME(eth(.dst = MAC_1, .src = MAC_R, .type = 0x0800), bytes(7));
	struct frame want = frame_tag(&plain, 0, 10);
	struct frame in =
		WRAP(&plain, ETH_IN, ipv4(IP_IN, .tos = 0xb8), UDP_IN, vxlan(.vni = VNI_7));

	dp_set(&dp, "peer", &(struct nve_peer_key[]){ dp_peer_key(VNI_7, IP_VTEP) }, &peer);
	in.len += 17;
	dp_sends(&dp, MODE, DP_UNDERLAY, IF_U0, &in, &want);
}

static void what_is_forwarded_on_is_cut_too(void **state)
{
	struct frame plain = FRAME(eth(.dst = MAC_R, .src = MAC_X), bytes(60));
	struct frame in = dp_tunnel("192.0.2.3", IP_NVE, VNI_7, 50000, &plain);
	struct frame want = WRAP(&plain, eth(.dst = MAC_HOP, .src = MAC_NVE),
				 ipv4(.src = IP_NVE, .dst = IP_VTEP, .frag = 0x4000, .ttl = 63),
				 UDP_IN, vxlan(.vni = VNI_7));

	in.len += 7;
	dp_sends(&dp, MODE, DP_UNDERLAY, IF_U0, &in, &want);
}

static void only_the_I_flag_counts(void **state)
{
	struct frame in = to_1();

	lost(state, WRAP(&in, ETH_IN, ipv4(IP_IN), UDP_IN, vxlan(.vni = VNI_7, .no_flags = true)),
	     NVE_DROP_TUNNEL_FLAGS);
	lost(state, WRAP(&in, ETH_IN, ipv4(IP_IN), UDP_IN, vxlan(.vni = VNI_7, .flags = 0xf7)),
	     NVE_DROP_TUNNEL_FLAGS);
	passes(state, WRAP(&in, ETH_IN, ipv4(IP_IN), UDP_IN,
			   vxlan(.vni = VNI_7, .flags = 0xff, .reserved = 0xff)));
}

static void unknown_vnis_and_unknown_vteps_are_told_apart(void **state)
{
	struct frame in = to_1();

	lost(state, dp_tunnel(IP_VTEP, IP_NVE, 101, 50000, &in), NVE_DROP_UNKNOWN_VNI);
	lost(state, dp_tunnel(IP_VTEP, IP_NVE, VNI_7 << 16, 50000, &in), NVE_DROP_UNKNOWN_VNI);
	lost(state, dp_tunnel("192.0.2.9", IP_NVE, VNI_7, 50000, &in), NVE_DROP_UNKNOWN_VTEP);
	lost(state, dp_tunnel(IP_NVE, IP_NVE, VNI_7, 50000, &in), NVE_DROP_UNKNOWN_VTEP);
}

static void one_vn_does_not_reach_into_another(void **state)
{
	struct frame plain = to_1(), in = dp_tunnel(IP_VTEP, IP_NVE, VNI_8, 50000, &plain);

	/* VN 8 knows no such MAC, and floods to none of VN 7. */
	if (MODE == DP_XDP)
		assert_int_equal(dp_run(&dp, MODE, DP_UNDERLAY, IF_U0, &in).fate, DP_HOST);
	else
		lost(state, in, NVE_DROP_NO_MEMBER);
}

static void a_tag_inside_the_tunnel_is_lost_as_INNER_TAG(void **state)
{
	static const uint16_t tpids[] = { 0x8100, 0x88a8, 0x9100 };

	for (size_t i = 0; i < 3; i++) {
		struct frame in = FRAME(eth(.dst = MAC_1, .src = MAC_R),
					vlan(.tpid = tpids[i], .vid = 10), bytes(40));

		lost(state, dp_tunnel(IP_VTEP, IP_NVE, VNI_7, 50000, &in), NVE_DROP_INNER_TAG);
	}
}

static void group_sources_and_bridge_local_groups_are_lost_here_too(void **state)
{
	struct frame source = FRAME(eth(.dst = MAC_1, .src = MAC_GROUP), bytes(40));
	struct frame local = FRAME(eth(.dst = "01:80:c2:00:00:02", .src = MAC_R), bytes(40));

	lost(state, dp_tunnel(IP_VTEP, IP_NVE, VNI_7, 50000, &source), NVE_DROP_SRC_MAC);
	lost(state, dp_tunnel(IP_VTEP, IP_NVE, VNI_7, 50000, &local), NVE_DROP_LINK_LOCAL);
}

static void a_frame_to_a_tsi_not_activated_is_counted_as_that_tsis(void **state)
{
	struct frame in = to_1();
	struct nve_tsi_row row;

	dp_get(&dp, "tsi", &(uint32_t){ TSI_1 }, &row);
	row.live = 0;
	dp_set(&dp, "tsi", &(uint32_t){ TSI_1 }, &row);
	lost(state, dp_tunnel(IP_VTEP, IP_NVE, VNI_7, 50000, &in), NVE_DROP_DST_INACTIVE);
	assert_int_equal(dp_tsi_drops(&dp, TSI_1, NVE_DROP_DST_INACTIVE), 1);
	assert_int_equal(dp_stats(&dp, TSI_1).out_frames, 0);
}

/* A row of the FDB outlives its TSI for a moment; the slot may be another VN's by then. */
static void a_stale_row_does_not_lead_into_another_vn(void **state)
{
	struct nve_fdb row = { .first = { .slot = TSI_3, .kind = NVE_DEST_TSI } };
	struct frame in = to_1();

	dp_set(&dp, "fdb", &(struct nve_fdb_key[]){ dp_fdb_key(VN_7, MAC_1) }, &row);
	lost(state, dp_tunnel(IP_VTEP, IP_NVE, VNI_7, 50000, &in), NVE_DROP_DST_INACTIVE);
}

static void a_tunnel_frame_cut_anywhere_passes_nowhere(void **state)
{
	struct frame plain = to_1();
	struct frame whole = dp_tunnel(IP_VTEP, IP_NVE, VNI_7, 50000, &plain);

	for (size_t len = 14; len < whole.len; len++) {
		struct frame in = whole;
		struct dp_outcome o;

		in.len = len;
		if (!dp_runs(MODE, &in))
			continue;
		o = dp_run(&dp, MODE, DP_UNDERLAY, IF_U0, &in);
		assert_int_equal(o.fate, len < 42 ? DP_HOST : DP_LOST);
		if (len >= 42)
			assert_int_equal(o.why, len < 50 ? NVE_DROP_SHORT : NVE_DROP_OUTER_INVALID);
	}
}

static void a_tunnel_with_less_than_an_ethernet_header_in_it_is_SHORT(void **state)
{
	for (size_t n = 0; n < 14; n++)
		lost(state, FRAME(ETH_IN, ipv4(IP_IN), UDP_IN, vxlan(.vni = VNI_7), bytes(n)),
		     NVE_DROP_SHORT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(what_is_not_for_the_tunnel_is_the_hosts),
		BOTH(an_outer_header_that_cannot_be_is_lost_as_OUTER_INVALID),
		BOTH(dscp_ecn_and_a_udp_checksum_do_not_matter),
		BOTH(what_follows_the_outer_packet_is_cut_off),
		BOTH(a_header_that_ends_in_the_trailer_is_none),
		BOTH(what_is_forwarded_on_is_cut_too),
		BOTH(only_the_I_flag_counts),
		BOTH(unknown_vnis_and_unknown_vteps_are_told_apart),
		BOTH(one_vn_does_not_reach_into_another),
		BOTH(a_tag_inside_the_tunnel_is_lost_as_INNER_TAG),
		BOTH(group_sources_and_bridge_local_groups_are_lost_here_too),
		BOTH(a_frame_to_a_tsi_not_activated_is_counted_as_that_tsis),
		BOTH(a_stale_row_does_not_lead_into_another_vn),
		BOTH(a_tunnel_frame_cut_anywhere_passes_nowhere),
		BOTH(a_tunnel_with_less_than_an_ethernet_header_in_it_is_SHORT),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
