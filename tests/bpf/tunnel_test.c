/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tunnels other than plain VXLAN over IPv4: Geneve (RFC 8926), an IPv6 underlay (RFC 6935 and
 * 6936), and DSCP and ECN through the tunnel (RFC 6040), byte for byte, in XDP and in TC.
 */
#include "bpf/suite.h"

#define IP_VTEP6  "2001:db8::2"
#define IP_OTHER6 "2001:db8::3"
#define MAC_R6    "02:00:00:00:00:96" /* of VN 7, behind IP_VTEP6 */
#define ETH_IN    eth(.dst = MAC_NVE, .src = MAC_HOP)
#define ETH_OUT   eth(.dst = MAC_HOP, .src = MAC_NVE)
#define VXLAN_IN  udp(.sport = 50000, .dport = 4789, .no_check = true)
#define GENEVE_IN udp(.sport = 50000, .dport = 6081, .no_check = true)
#define IP4_IN    ipv4(.src = IP_VTEP, .dst = IP_NVE)
#define IP6_IN    ipv6(.src = IP_VTEP6, .dst = IP_NVE6, .hops = 64)

enum { SLOT6 = 5 };

/* The template as the agent makes it: lengths are 0. */
static struct nve_vtep vtep6(const char *ip)
{
	struct frame head = FRAME(ETH_OUT, ipv6(.src = IP_NVE6, .dst = ip, .hops = 64),
				  udp(.dport = 4789, .no_check = true), vxlan(.vni = 0));
	struct nve_vtep vtep = dp_vtep(IP_VTEP);

	memset(head.bytes + 18, 0, 2);
	memset(head.bytes + 58, 0, 2);
	memcpy(vtep.outer, head.bytes, head.len);
	vtep.outer_len = head.len;
	vtep.family = 6;
	memcpy(vtep.ip, dp_peer_key(0, ip).ip, sizeof(vtep.ip));
	return vtep;
}

static void peer(const char *ip, uint8_t tunnel)
{
	struct nve_peer row = { .vn_id = VN_7, .tunnel = tunnel };

	dp_set(&dp, "peer", &(struct nve_peer_key[]){ dp_peer_key(VNI_7, ip) }, &row);
}

/* How VN 7 uses the tunnel: its TSI, its peers, its VNI. */
static void vn_7_uses(uint8_t tunnel)
{
	struct nve_peer_key vni = { .vni = VNI_7 };
	struct nve_peer row = { .vn_id = VN_7, .tunnel = tunnel };
	struct nve_tsi_row tsi;

	dp_get(&dp, "tsi", &(uint32_t){ TSI_1 }, &tsi);
	tsi.tunnel = tunnel;
	dp_set(&dp, "tsi", &(uint32_t){ TSI_1 }, &tsi);
	dp_set(&dp, "peer", &vni, &row);
	peer(IP_VTEP, tunnel);
	peer("192.0.2.3", tunnel);
	peer(IP_VTEP6, tunnel);
	peer(IP_OTHER6, tunnel);
}

static int fill_6(void **state)
{
	struct nve_fdb remote = { .first = { .slot = SLOT6, .kind = NVE_DEST_VTEP } };

	refill(state);
	dp_set(&dp, "vtep", &(uint32_t){ SLOT6 }, &(struct nve_vtep[]){ vtep6(IP_VTEP6) });
	dp_set(&dp, "fdb", &(struct nve_fdb_key[]){ dp_fdb_key(VN_7, MAC_R6) }, &remote);
	vn_7_uses(0);
	return 0;
}

static struct frame from_1(const char *dst, uint8_t tos)
{
	return FRAME(eth(.dst = dst, .src = MAC_1),
		     ipv4(.src = "10.0.0.1", .dst = "10.0.0.9", .tos = tos),
		     udp(.sport = 1111, .dport = 2222), bytes(20));
}

static struct frame to_1(uint8_t tos)
{
	return FRAME(eth(.dst = MAC_1, .src = MAC_R),
		     ipv4(.src = "10.0.0.9", .dst = "10.0.0.1", .tos = tos),
		     udp(.sport = 2222, .dport = 1111), bytes(20));
}

static struct frame to_1_by_6(uint8_t tos)
{
	return FRAME(eth(.dst = MAC_1, .src = MAC_R),
		     ipv6(.src = "fd00::9", .dst = "fd00::1", .tos = tos, .flow = 0x1234),
		     udp(.sport = 2222, .dport = 1111), bytes(20));
}

static void leaves(void **state, const struct frame *plain, struct frame want)
{
	struct frame in = frame_tag(plain, 0, 10);

	dp_sends(&dp, MODE, DP_ACCESS, IF_A0, &in, &want);
}

static void arrives(void **state, struct frame in, const struct frame *plain)
{
	struct frame want = frame_tag(plain, 0, 10);

	dp_sends(&dp, MODE, DP_UNDERLAY, IF_U0, &in, &want);
}

static void lost(void **state, struct frame in, enum nve_drop why)
{
	dp_loses(&dp, MODE, DP_UNDERLAY, IF_U0, &in, why);
}

/* --- IPv6 underlay ------------------------------------------------------------------------------
 */

static void vxlan_over_ipv6_leaves_with_a_udp_checksum_of_zero(void **state)
{
	struct frame plain[] = {
		from_1(MAC_R6, 0),
		FRAME(eth(.dst = MAC_R6, .src = MAC_1), ipv6(.src = "fd00::1", .dst = "fd00::9"),
		      tcp(.sport = 5, .dport = 6), bytes(100)),
		FRAME(eth(.dst = MAC_R6, .src = MAC_1), bytes(46)),
		FRAME(eth(.dst = MAC_R6, .src = MAC_1)),
	};

	for (size_t i = 0; i < 4; i++)
		leaves(state, &plain[i],
		       WRAP(&plain[i], ETH_OUT, ipv6(.src = IP_NVE6, .dst = IP_VTEP6, .hops = 64),
			    udp(.dport = 4789, .no_check = true), vxlan(.vni = VNI_7)));
}

static void frames_of_every_length_and_protocol_come_out_of_an_ipv6_tunnel(void **state)
{
	for (size_t n = 0; n <= 128; n++) {
		struct frame plain[] = {
			FRAME(eth(.dst = MAC_1, .src = MAC_R), bytes(n)),
			FRAME(eth(.dst = MAC_1, .src = MAC_R, .type = 0x0800), bytes(n)),
			FRAME(eth(.dst = MAC_1, .src = MAC_R, .type = 0x86dd), bytes(n)),
		};
		for (size_t i = 0; i < 3; i++)
			arrives(state,
				WRAP(&plain[i], ETH_IN, IP6_IN, VXLAN_IN, vxlan(.vni = VNI_7)),
				&plain[i]);
	}
}

static void a_udp_checksum_over_ipv6_may_be_there(void **state)
{
	struct frame plain = to_1(0);

	arrives(state,
		WRAP(&plain, ETH_IN, IP6_IN, udp(.sport = 50000, .dport = 4789),
		     vxlan(.vni = VNI_7)),
		&plain);
}

static void over_ipv6_too_only_the_tunnels_ports_are_the_tunnels(void **state)
{
	struct frame plain = to_1(0);
	struct frame in[] = {
		WRAP(&plain, ETH_IN, IP6_IN, udp(.dport = 4790, .no_check = true),
		     vxlan(.vni = VNI_7)),
		WRAP(&plain, ETH_IN, ipv6(.src = IP_VTEP6, .dst = "2001:db8::77"), VXLAN_IN,
		     vxlan(.vni = VNI_7)),
		WRAP(&plain, ETH_IN, ipv6(.src = IP_VTEP6, .dst = IP_NVE6), ext(.kind = 60),
		     VXLAN_IN, vxlan(.vni = VNI_7)),
		FRAME(ETH_IN, ipv6(.src = IP_VTEP6, .dst = IP_NVE6),
		      nd(.type = 135, .target = IP_NVE6)),
	};

	for (size_t i = 0; i < 4; i++)
		assert_int_equal(dp_run(&dp, MODE, DP_UNDERLAY, IF_U0, &in[i]).fate, DP_HOST);
}

static void an_ipv6_header_that_cannot_be_is_OUTER_INVALID(void **state)
{
	struct frame plain = to_1(0);
	struct frame in = WRAP(&plain, ETH_IN, IP6_IN, VXLAN_IN, vxlan(.vni = VNI_7));

	lost(state,
	     WRAP(&plain, ETH_IN, IP6_IN,
		  udp(.sport = 50000, .dport = 4789, .no_check = true, .extra_len = 1),
		  vxlan(.vni = VNI_7)),
	     NVE_DROP_OUTER_INVALID);
	for (size_t len = 70; len < in.len; len++) {
		struct frame cut = in;

		cut.len = len;
		lost(state, cut, NVE_DROP_OUTER_INVALID);
	}
	in.bytes[14] = 0x50;
	lost(state, in, NVE_DROP_OUTER_INVALID);
}

static void a_trailer_over_ipv6_is_cut_off_and_an_unknown_vtep_is_told(void **state)
{
	struct frame plain = to_1(0);
	struct frame in = WRAP(&plain, ETH_IN, IP6_IN, VXLAN_IN, vxlan(.vni = VNI_7));

	in.len += 7;
	arrives(state, in, &plain);
	lost(state,
	     WRAP(&plain, ETH_IN, ipv6(.src = "2001:db8::9", .dst = IP_NVE6), VXLAN_IN,
		  vxlan(.vni = VNI_7)),
	     NVE_DROP_UNKNOWN_VTEP);
}

static void the_mtu_of_an_ipv6_underlay_is_a_limit_to_the_byte(void **state)
{
	struct nve_vtep vtep = vtep6(IP_VTEP6);

	vtep.mtu = 14 + 100 + 56;
	dp_set(&dp, "vtep", &(uint32_t){ SLOT6 }, &vtep);
	for (int more = 0; more <= 1; more++) {
		struct frame plain = FRAME(eth(.dst = MAC_R6, .src = MAC_1), bytes(100 + more));
		struct frame in = frame_tag(&plain, 0, 10);

		if (more)
			dp_loses(&dp, MODE, DP_ACCESS, IF_A0, &in, NVE_DROP_TOO_LARGE);
		else
			leaves(state, &plain,
			       WRAP(&plain, ETH_OUT,
				    ipv6(.src = IP_NVE6, .dst = IP_VTEP6, .hops = 64),
				    udp(.dport = 4789, .no_check = true), vxlan(.vni = VNI_7)));
	}
}

/* Forwarded on, one hop less, from any family to any other. */
static void a_tsi_that_moved_on_is_reached_over_either_family(void **state)
{
	struct frame to_6 = FRAME(eth(.dst = MAC_R6, .src = MAC_X), bytes(60));
	struct frame to_4 = FRAME(eth(.dst = MAC_R, .src = MAC_X), bytes(60));
	struct frame in[] = {
		WRAP(&to_6, ETH_IN, ipv6(.src = IP_OTHER6, .dst = IP_NVE6, .hops = 64), VXLAN_IN,
		     vxlan(.vni = VNI_7)),
		WRAP(&to_6, ETH_IN, ipv4(.src = "192.0.2.3", .dst = IP_NVE), VXLAN_IN,
		     vxlan(.vni = VNI_7)),
		WRAP(&to_4, ETH_IN, ipv6(.src = IP_OTHER6, .dst = IP_NVE6, .hops = 64), VXLAN_IN,
		     vxlan(.vni = VNI_7)),
	};
	struct frame want6 = WRAP(&to_6, ETH_OUT,
				  ipv6(.src = IP_NVE6, .dst = IP_VTEP6, .hops = 63, .flow = 50000),
				  VXLAN_IN, vxlan(.vni = VNI_7));
	struct frame want4 =
		WRAP(&to_4, ETH_OUT, ipv4(.src = IP_NVE, .dst = IP_VTEP, .frag = 0x4000, .ttl = 63),
		     VXLAN_IN, vxlan(.vni = VNI_7));
	struct frame back = WRAP(&to_6, ETH_IN, IP6_IN, VXLAN_IN, vxlan(.vni = VNI_7));
	struct frame old = in[0];

	for (int i = 0; i < 3; i++)
		dp_sends(&dp, MODE, DP_UNDERLAY, IF_U0, &in[i], i < 2 ? &want6 : &want4);
	lost(state, back, NVE_DROP_DST_INACTIVE);
	old.bytes[21] = 1;
	lost(state, old, NVE_DROP_TTL);
}

/* --- Geneve -------------------------------------------------------------------------------------
 */

static void a_vn_of_geneve_sends_geneve_without_options(void **state)
{
	struct frame four = from_1(MAC_R, 0), six = from_1(MAC_R6, 0);

	vn_7_uses(NVE_TUNNEL_GENEVE);
	leaves(state, &four,
	       WRAP(&four, ETH_OUT, ipv4(.src = IP_NVE, .dst = IP_VTEP, .frag = 0x4000),
		    udp(.dport = 6081, .no_check = true), geneve(.vni = VNI_7)));
	leaves(state, &six,
	       WRAP(&six, ETH_OUT, ipv6(.src = IP_NVE6, .dst = IP_VTEP6, .hops = 64),
		    udp(.dport = 6081, .no_check = true), geneve(.vni = VNI_7)));
}

/* One option that takes all words: class 0x0102, type not critical. */
static struct frame with_options(bool six, const struct frame *plain, uint8_t words)
{
	uint8_t opts[252] = { 0 };

	for (int at = 0; at < words;) {
		int n = words - at < 32 ? words - at : 32;

		memcpy(opts + at * 4, (uint8_t[]){ 1, 2, 3, n - 1 }, 4);
		at += n;
	}
	if (six)
		return WRAP(plain, ETH_IN, IP6_IN, GENEVE_IN, geneve(.vni = VNI_7, .words = words),
			    raw(opts, words * 4));
	return WRAP(plain, ETH_IN, IP4_IN, GENEVE_IN, geneve(.vni = VNI_7, .words = words),
		    raw(opts, words * 4));
}

static void options_of_others_of_every_length_are_skipped(void **state)
{
	struct frame plain = to_1(0);

	vn_7_uses(NVE_TUNNEL_GENEVE);
	for (uint8_t words = 0; words < 64; words++) {
		arrives(state, with_options(false, &plain, words), &plain);
		arrives(state, with_options(true, &plain, words), &plain);
	}
}

/* What is forwarded on has no options any more. */
static void options_do_not_travel_on(void **state)
{
	struct frame plain = FRAME(eth(.dst = MAC_R6, .src = MAC_X), bytes(60));
	struct frame in = with_options(false, &plain, 9);
	struct frame want = WRAP(&plain, ETH_OUT,
				 ipv6(.src = IP_NVE6, .dst = IP_VTEP6, .hops = 63, .flow = 50000),
				 GENEVE_IN, geneve(.vni = VNI_7));

	vn_7_uses(NVE_TUNNEL_GENEVE);
	dp_sends(&dp, MODE, DP_UNDERLAY, IF_U0, &in, &want);
}

static void a_critical_option_is_lost_wherever_it_stands(void **state)
{
	struct frame plain = to_1(0);

	vn_7_uses(NVE_TUNNEL_GENEVE);
	for (int at = 0; at < 8; at++) {
		uint8_t opts[32] = { 0 };

		opts[at * 4 + 2] = 0x80;
		for (int flag = 0; flag <= 0x40; flag += 0x40)
			lost(state,
			     WRAP(&plain, ETH_IN, IP4_IN, GENEVE_IN,
				  geneve(.vni = VNI_7, .words = 8, .flags = flag),
				  raw(opts, sizeof(opts))),
			     NVE_DROP_GENEVE_OPTION);
	}
}

static void options_longer_than_the_header_says_are_TUNNEL_FLAGS(void **state)
{
	const uint8_t opts[8] = { 1, 2, 3, 2 };
	struct frame plain = to_1(0);

	vn_7_uses(NVE_TUNNEL_GENEVE);
	lost(state,
	     WRAP(&plain, ETH_IN, IP4_IN, GENEVE_IN, geneve(.vni = VNI_7, .words = 2),
		  raw(opts, 8)),
	     NVE_DROP_TUNNEL_FLAGS);
}

static void options_cut_anywhere_pass_nowhere(void **state)
{
	struct frame plain = to_1(0);
	struct frame whole = with_options(false, &plain, 63);

	vn_7_uses(NVE_TUNNEL_GENEVE);
	for (size_t len = 50; len < whole.len; len++) {
		struct frame in = whole;

		in.len = len;
		lost(state, in, NVE_DROP_OUTER_INVALID);
	}
	/* The lengths agree, and the options reach beyond. */
	lost(state, FRAME(ETH_IN, IP4_IN, GENEVE_IN, geneve(.vni = VNI_7, .words = 63), bytes(100)),
	     NVE_DROP_SHORT);
}

static void other_versions_control_packets_and_other_payloads_are_lost(void **state)
{
	struct frame p = to_1(0);

	vn_7_uses(NVE_TUNNEL_GENEVE);
	for (int version = 1; version < 4; version++)
		lost(state,
		     WRAP(&p, ETH_IN, IP4_IN, GENEVE_IN, geneve(.vni = VNI_7, .version = version)),
		     NVE_DROP_TUNNEL_FLAGS);
	lost(state, WRAP(&p, ETH_IN, IP4_IN, GENEVE_IN, geneve(.vni = VNI_7, .flags = 0x80)),
	     NVE_DROP_GENEVE_CONTROL);
	lost(state, WRAP(&p, ETH_IN, IP4_IN, GENEVE_IN, geneve(.vni = VNI_7, .proto = 0x0800)),
	     NVE_DROP_TUNNEL_FLAGS);
	arrives(state,
		WRAP(&p, ETH_IN, IP4_IN, GENEVE_IN,
		     geneve(.vni = VNI_7, .flags = 0x3f, .reserved = 0xff)),
		&p);
}

static void a_vn_takes_its_own_encapsulation_alone(void **state)
{
	struct frame p = to_1(0);

	lost(state, WRAP(&p, ETH_IN, IP4_IN, GENEVE_IN, geneve(.vni = VNI_7)),
	     NVE_DROP_UNKNOWN_VNI);
	vn_7_uses(NVE_TUNNEL_GENEVE);
	lost(state, WRAP(&p, ETH_IN, IP4_IN, VXLAN_IN, vxlan(.vni = VNI_7)), NVE_DROP_UNKNOWN_VNI);
}

/* --- DSCP and ECN -------------------------------------------------------------------------------
 */

static void pipe_sends_the_ecn_alone_and_uniform_the_dscp_too(void **state)
{
	for (int tos = 0; tos < 256; tos += 13) {
		struct frame four = from_1(MAC_R, tos), six = from_1(MAC_R6, tos);

		for (int uniform = 0; uniform <= 1; uniform++) {
			uint8_t out = uniform ? tos : tos & 3;

			vn_7_uses(uniform ? NVE_TUNNEL_UNIFORM : 0);
			leaves(state, &four,
			       WRAP(&four, ETH_OUT,
				    ipv4(.src = IP_NVE, .dst = IP_VTEP, .frag = 0x4000, .tos = out),
				    udp(.dport = 4789, .no_check = true), vxlan(.vni = VNI_7)));
			leaves(state, &six,
			       WRAP(&six, ETH_OUT,
				    ipv6(.src = IP_NVE6, .dst = IP_VTEP6, .hops = 64, .tos = out),
				    udp(.dport = 4789, .no_check = true), vxlan(.vni = VNI_7)));
		}
	}
}

/* RFC 6040 figure 4; -1: lost.  Columns: outer Not-ECT, ECT(1), ECT(0), CE. */
static const int figure_4[4][4] = {
	{ 0, 0, 0, -1 }, /* inner Not-ECT */
	{ 1, 1, 1, 3 },  /* ECT(1) */
	{ 2, 1, 2, 3 },  /* ECT(0) */
	{ 3, 3, 3, 3 },  /* CE */
};

static void one_case(void **state, int in, int out, bool uniform)
{
	uint8_t inner = 0x28 | in, outer = 0xb8 | out;
	int ecn = figure_4[in][out];
	uint8_t is = (uniform ? 0xb8 : 0x28) | ecn;
	struct frame plain[] = { to_1(inner), to_1_by_6(inner) };
	struct frame want[] = { to_1(is), to_1_by_6(is) };

	for (int i = 0; i < 4; i++) {
		const struct frame *p = &plain[i / 2];
		struct frame f =
			i % 2 ? WRAP(p, ETH_IN, ipv6(.src = IP_VTEP6, .dst = IP_NVE6, .tos = outer),
				     VXLAN_IN, vxlan(.vni = VNI_7))
			      : WRAP(p, ETH_IN, ipv4(.src = IP_VTEP, .dst = IP_NVE, .tos = outer),
				     VXLAN_IN, vxlan(.vni = VNI_7));

		if (ecn < 0)
			lost(state, f, NVE_DROP_ECN);
		else
			arrives(state, f, &want[i / 2]);
	}
}

static void decapsulation_follows_figure_4_of_rfc_6040(void **state)
{
	for (int uniform = 0; uniform <= 1; uniform++) {
		vn_7_uses(uniform ? NVE_TUNNEL_UNIFORM : 0);
		for (int in = 0; in < 4; in++)
			for (int out = 0; out < 4; out++)
				one_case(state, in, out, uniform);
	}
}

static void congestion_on_a_frame_that_is_no_ip_changes_nothing(void **state)
{
	struct frame plain = FRAME(eth(.dst = MAC_1, .src = MAC_R),
				   arp(.sender_mac = MAC_R, .sender_ip = "10.0.0.9"));

	arrives(state,
		WRAP(&plain, ETH_IN, ipv4(.src = IP_VTEP, .dst = IP_NVE, .tos = 3), VXLAN_IN,
		     vxlan(.vni = VNI_7)),
		&plain);
}

#define BOTH6(f)                                                                                   \
	{ #f " [xdp]", f, fill_6, NULL, &modes[0] },                                               \
	{                                                                                          \
#f " [tc]", f, fill_6, NULL, &modes[1]                                             \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH6(vxlan_over_ipv6_leaves_with_a_udp_checksum_of_zero),
		BOTH6(frames_of_every_length_and_protocol_come_out_of_an_ipv6_tunnel),
		BOTH6(a_udp_checksum_over_ipv6_may_be_there),
		BOTH6(over_ipv6_too_only_the_tunnels_ports_are_the_tunnels),
		BOTH6(an_ipv6_header_that_cannot_be_is_OUTER_INVALID),
		BOTH6(a_trailer_over_ipv6_is_cut_off_and_an_unknown_vtep_is_told),
		BOTH6(the_mtu_of_an_ipv6_underlay_is_a_limit_to_the_byte),
		BOTH6(a_tsi_that_moved_on_is_reached_over_either_family),
		BOTH6(a_vn_of_geneve_sends_geneve_without_options),
		BOTH6(options_of_others_of_every_length_are_skipped),
		BOTH6(options_do_not_travel_on),
		BOTH6(a_critical_option_is_lost_wherever_it_stands),
		BOTH6(options_longer_than_the_header_says_are_TUNNEL_FLAGS),
		BOTH6(options_cut_anywhere_pass_nowhere),
		BOTH6(other_versions_control_packets_and_other_payloads_are_lost),
		BOTH6(a_vn_takes_its_own_encapsulation_alone),
		BOTH6(pipe_sends_the_ecn_alone_and_uniform_the_dscp_too),
		BOTH6(decapsulation_follows_figure_4_of_rfc_6040),
		BOTH6(congestion_on_a_frame_that_is_no_ip_changes_nothing),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
