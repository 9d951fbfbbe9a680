/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The programs on real wires: what bpf_prog_test_run cannot show, that is where frames come out,
 * under which tag, and the copies of BUM.  In TC, and in XDP with TC behind it.
 *
 *	a0x ---- a0 [NVE] u0 ---- u0x      VN 7: vid 10 on a0, vid 20 on a1, vid 15 on a0 too;
 *	a1x ---- a1                        VTEPs .2, .3 and .4
 */
#include "bpf/suite.h"
#include "lib/wire.h"

static struct wire wire;

#define HELLO ipv4(.src = "10.0.0.1", .dst = "10.0.0.9"), udp(.sport = 1, .dport = 2), text("hello")
#define VAP(port, vid)                                                                             \
	{                                                                                          \
		.slot = (port)*NVE_VID_COUNT + (vid), .kind = NVE_DEST_TSI                         \
	}

static int plug(void **state)
{
	struct nve_vap_row vap = {
		.vn_id = VN_7,
		.n_activated = 1,
		.ifindex = IF_A0,
		.state = NVE_VAP_LIVE,
		.port_flags = NVE_PORT_XDP,
	};
	struct nve_flood flood = {
		.n = 6,
		.vni = VNI_7,
		.members = { VAP(0, 10),
			     { .slot = 0, .kind = NVE_DEST_VTEP },
			     VAP(1, 20),
			     { .slot = 1, .kind = NVE_DEST_VTEP },
			     VAP(0, 15),
			     { .slot = 2, .kind = NVE_DEST_VTEP } },
	};

	refill(state);
	dp_set(&dp, "vap", &(uint32_t){ 15 }, &vap);
	dp_set(&dp, "flood", &(uint32_t){ VN_7 }, &flood);
	wire_open(&wire, &dp, MODE);
	return 0;
}

static int unplug(void **state)
{
	(void)state;
	wire_close(&wire);
	return 0;
}

static void expect_nothing(int at)
{
	wire_expect(&wire, at, NULL, 0);
}

static void a_frame_to_a_remote_mac_comes_out_of_the_underlay_port(void **state)
{
	struct frame plain = FRAME(eth(.dst = MAC_R, .src = MAC_1), HELLO);
	struct frame in = frame_tag(&plain, 3, 10);
	struct frame want = dp_tunnel(IP_NVE, IP_VTEP, VNI_7, 0, &plain);

	(void)state;
	wire_send(&wire, WIRE_A0, &in);
	wire_expect(&wire, WIRE_U0, &want, 1);
	expect_nothing(WIRE_A0);
	expect_nothing(WIRE_A1);
}

static void frames_of_every_size_go_through_and_back(void **state)
{
	(void)state;
	/* A receiving kernel itself takes no tag with less than two bytes behind it. */
	for (size_t n = 2; n <= 1500; n += n < 128 ? 1 : 97) {
		struct frame out = FRAME(eth(.dst = MAC_R, .src = MAC_1), bytes(n));
		struct frame back = FRAME(eth(.dst = MAC_1, .src = MAC_R), bytes(n));
		struct frame in = frame_tag(&out, 0, 10), got = frame_tag(&back, 0, 10);
		struct frame tunnel = dp_tunnel(IP_NVE, IP_VTEP, VNI_7, 0, &out);
		struct frame reply = dp_tunnel(IP_VTEP, IP_NVE, VNI_7, 50000, &back);

		wire_send(&wire, WIRE_A0, &in);
		wire_expect(&wire, WIRE_U0, &tunnel, 1);
		wire_send(&wire, WIRE_U0, &reply);
		wire_expect(&wire, WIRE_A0, &got, 1);
	}
}

static void arp_and_ipv6_go_through_and_back(void **state)
{
	struct frame out[] = {
		FRAME(eth(.dst = MAC_R, .src = MAC_1),
		      arp(.op = 2, .sender_mac = MAC_1, .sender_ip = "10.0.0.1")),
		FRAME(eth(.dst = MAC_R, .src = MAC_1), ipv6(.src = "fd00::1", .dst = "fd00::9"),
		      tcp(), text("hello")),
	};
	struct frame back[] = {
		FRAME(eth(.dst = MAC_1, .src = MAC_R),
		      arp(.op = 2, .sender_mac = MAC_R, .sender_ip = "10.0.0.9")),
		FRAME(eth(.dst = MAC_1, .src = MAC_R), ipv6(.src = "fd00::9", .dst = "fd00::1"),
		      tcp(), text("hello")),
	};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct frame in = frame_tag(&out[i], 0, 10), got = frame_tag(&back[i], 0, 10);
		struct frame tunnel = dp_tunnel(IP_NVE, IP_VTEP, VNI_7, 0, &out[i]);
		struct frame reply = dp_tunnel(IP_VTEP, IP_NVE, VNI_7, 50000, &back[i]);

		wire_send(&wire, WIRE_A0, &in);
		wire_expect(&wire, WIRE_U0, &tunnel, 1);
		wire_send(&wire, WIRE_U0, &reply);
		wire_expect(&wire, WIRE_A0, &got, 1);
	}
}

static void a_frame_to_a_local_tsi_comes_out_under_its_tag_and_priority(void **state)
{
	struct frame plain = FRAME(eth(.dst = MAC_2, .src = MAC_1), HELLO);
	struct frame in = frame_tag(&plain, 6, 10), want = frame_tag(&plain, 6, 20);

	(void)state;
	wire_send(&wire, WIRE_A0, &in);
	wire_expect(&wire, WIRE_A1, &want, 1);
	expect_nothing(WIRE_U0);
}

static void a_frame_for_a_tsi_that_moved_on_goes_back_to_the_underlay(void **state)
{
	struct frame plain = FRAME(eth(.dst = MAC_R, .src = MAC_X), HELLO);
	struct frame in = dp_tunnel("192.0.2.3", IP_NVE, VNI_7, 50000, &plain);
	struct frame want =
		WRAP(&plain, eth(.dst = MAC_HOP, .src = MAC_NVE),
		     ipv4(.src = IP_NVE, .dst = IP_VTEP, .frag = 0x4000, .ttl = 63),
		     udp(.sport = 50000, .dport = 4789, .no_check = true), vxlan(.vni = VNI_7));

	(void)state;
	wire_send(&wire, WIRE_U0, &in);
	wire_expect(&wire, WIRE_U0, &want, 1);
}

/* Broadcast, multicast and unknown unicast; IPv4, ARP and neither. */
static void bum_from_a_hypervisor_reaches_all_others_once_and_never_its_origin(void **state)
{
	struct frame plain[] = {
		FRAME(eth(.dst = MAC_ALL, .src = MAC_1), HELLO),
		FRAME(eth(.dst = MAC_ALL, .src = MAC_1),
		      arp(.sender_mac = MAC_1, .sender_ip = "10.0.0.1", .target_ip = "10.0.0.9")),
		FRAME(eth(.dst = MAC_GROUP, .src = MAC_1), bytes(300)),
		FRAME(eth(.dst = MAC_X, .src = MAC_1), bytes(46)),
	};

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct frame in = frame_tag(&plain[i], 5, 10);
		struct frame on_a0 = frame_tag(&plain[i], 5, 15);
		struct frame on_a1 = frame_tag(&plain[i], 5, 20);
		struct frame remote[] = {
			dp_tunnel(IP_NVE, "192.0.2.2", VNI_7, 0, &plain[i]),
			dp_tunnel(IP_NVE, "192.0.2.3", VNI_7, 0, &plain[i]),
			dp_tunnel(IP_NVE, "192.0.2.4", VNI_7, 0, &plain[i]),
		};

		wire_send(&wire, WIRE_A0, &in);
		wire_expect(&wire, WIRE_U0, remote, 3);
		wire_expect(&wire, WIRE_A1, &on_a1, 1);
		wire_expect(&wire, WIRE_A0, &on_a0, 1);
	}
	/* And the frames that end the looks at u0 and a1. */
	assert_int_equal(dp_stats(&dp, TSI_1).in_frames, 4 + 4 * 2);
}

static void bum_from_the_underlay_reaches_local_ports_only(void **state)
{
	struct frame plain = FRAME(eth(.dst = MAC_ALL, .src = MAC_R),
				   arp(.sender_mac = MAC_R, .sender_ip = "10.0.0.9"));
	struct frame in = dp_tunnel(IP_VTEP, IP_NVE, VNI_7, 50000, &plain);
	struct frame on_a0[] = { frame_tag(&plain, 0, 10), frame_tag(&plain, 0, 15) };
	struct frame on_a1 = frame_tag(&plain, 0, 20);

	(void)state;
	wire_send(&wire, WIRE_U0, &in);
	wire_expect(&wire, WIRE_A0, on_a0, 2);
	wire_expect(&wire, WIRE_A1, &on_a1, 1);
	expect_nothing(WIRE_U0);
}

static void bum_skips_vaps_without_an_activated_tsi_and_vaps_of_other_vns(void **state)
{
	struct frame plain = FRAME(eth(.dst = MAC_ALL, .src = MAC_R), bytes(46));
	struct frame in = dp_tunnel(IP_VTEP, IP_NVE, VNI_7, 50000, &plain);
	struct frame on_a0 = frame_tag(&plain, 0, 10);
	struct nve_vap_row *vap = dp_map(&dp, "vap");

	(void)state;
	vap[15].n_activated = 0;
	vap[NVE_VID_COUNT + 20].vn_id = VN_8;
	wire_send(&wire, WIRE_U0, &in);
	wire_expect(&wire, WIRE_A0, &on_a0, 1);
	expect_nothing(WIRE_A1);
	vap[15].n_activated = 1;
	vap[15].state = NVE_VAP_QUARANTINED;
	wire_send(&wire, WIRE_U0, &in);
	wire_expect(&wire, WIRE_A0, &on_a0, 1);
}

static void copies_that_cannot_be_sent_are_counted_and_the_others_go_out(void **state)
{
	struct frame plain = FRAME(eth(.dst = MAC_ALL, .src = MAC_1), bytes(46));
	struct frame in = frame_tag(&plain, 0, 10);
	struct frame want = dp_tunnel(IP_NVE, "192.0.2.3", VNI_7, 0, &plain);
	struct nve_vtep unresolved = dp_vtep("192.0.2.2"), lost = dp_vtep("192.0.2.4");
	uint64_t before[] = { dp_drops(&dp, NVE_DROP_VTEP_UNRESOLVED),
			      dp_drops(&dp, NVE_DROP_REDIRECT) };

	(void)state;
	unresolved.flags = 0;
	lost.ifindex = 9999;
	lost.port = 9; /* XDP knows no such port, and leaves the frame to TC */
	dp_set(&dp, "vtep", &(uint32_t){ 2 }, &lost);
	dp_set(&dp, "fdb", &(struct nve_fdb_key[]){ dp_fdb_key(VN_7, MAC_R) },
	       &(struct nve_fdb){ .first = { .slot = 1, .kind = NVE_DEST_VTEP } });
	dp_set(&dp, "vtep", &(uint32_t){ 0 }, &unresolved);
	wire_send(&wire, WIRE_A0, &in);
	wire_expect(&wire, WIRE_U0, &want, 1);
	assert_int_equal(dp_drops(&dp, NVE_DROP_VTEP_UNRESOLVED) - before[0], 1);
	assert_int_equal(dp_drops(&dp, NVE_DROP_REDIRECT) - before[1], 1);
	assert_int_equal(dp_tsi_drops(&dp, TSI_1, NVE_DROP_REDIRECT), 1);
}

static void a_spoofed_frame_comes_out_nowhere_and_is_counted(void **state)
{
	struct frame in = FRAME(eth(.dst = MAC_R, .src = MAC_1), vlan(.vid = 10),
				ipv4(.src = "10.0.0.2"), bytes(20));
	uint64_t before = dp_drops(&dp, NVE_DROP_SRC_IP);

	(void)state;
	wire_send(&wire, WIRE_A0, &in);
	expect_nothing(WIRE_U0);
	expect_nothing(WIRE_A1);
	expect_nothing(WIRE_A0);
	assert_int_equal(dp_drops(&dp, NVE_DROP_SRC_IP) - before, 1);
}

/* The kernel takes off the first tag, and hides it from who looks at bytes alone. */
static void two_tags_and_foreign_tags_are_refused_on_the_wire_too(void **state)
{
	struct frame two =
		FRAME(eth(.dst = MAC_R, .src = MAC_1), vlan(.vid = 10), vlan(.vid = 11), HELLO);
	struct frame service =
		FRAME(eth(.dst = MAC_R, .src = MAC_1), vlan(.tpid = 0x88a8, .vid = 10), HELLO);
	uint64_t double_tag = dp_drops(&dp, NVE_DROP_DOUBLE_TAG);
	uint64_t no_tag = dp_drops(&dp, NVE_DROP_NO_TAG);

	(void)state;
	wire_send(&wire, WIRE_A0, &two);
	wire_send(&wire, WIRE_A0, &service);
	expect_nothing(WIRE_U0);
	assert_int_equal(dp_drops(&dp, NVE_DROP_DOUBLE_TAG) - double_tag, 1);
	assert_int_equal(dp_drops(&dp, NVE_DROP_NO_TAG) - no_tag, 1);
}

#define PLUGGED(f)                                                                                 \
	{ #f " [xdp]", f, plug, unplug, &modes[0] },                                               \
	{                                                                                          \
#f " [tc]", f, plug, unplug, &modes[1]                                             \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PLUGGED(a_frame_to_a_remote_mac_comes_out_of_the_underlay_port),
		PLUGGED(frames_of_every_size_go_through_and_back),
		PLUGGED(arp_and_ipv6_go_through_and_back),
		PLUGGED(a_frame_to_a_local_tsi_comes_out_under_its_tag_and_priority),
		PLUGGED(a_frame_for_a_tsi_that_moved_on_goes_back_to_the_underlay),
		PLUGGED(bum_from_a_hypervisor_reaches_all_others_once_and_never_its_origin),
		PLUGGED(bum_from_the_underlay_reaches_local_ports_only),
		PLUGGED(bum_skips_vaps_without_an_activated_tsi_and_vaps_of_other_vns),
		PLUGGED(copies_that_cannot_be_sent_are_counted_and_the_others_go_out),
		PLUGGED(a_spoofed_frame_comes_out_nowhere_and_is_counted),
		PLUGGED(two_tags_and_foreign_tags_are_refused_on_the_wire_too),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
