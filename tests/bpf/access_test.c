/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames from hypervisors that must not pass: tags, source MACs, and the rows of TSIs.  What the
 * filter says of IP, ARP and ND is in filter_test.c.
 */
#include "bpf/suite.h"

#include <stdio.h>

#define IP_1 ipv4(.src = "10.0.0.1", .dst = "10.0.0.9")

static void lost(void **state, struct frame in, enum nve_drop why)
{
	dp_loses(&dp, MODE, DP_ACCESS, IF_A0, &in, why);
}

static void without_a_tag_a_frame_is_lost_as_NO_TAG(void **state)
{
	lost(state, FRAME(eth(.dst = MAC_R, .src = MAC_1), IP_1, bytes(30)), NVE_DROP_NO_TAG);
	lost(state,
	     FRAME(eth(.dst = MAC_R, .src = MAC_1), vlan(.vid = 0, .pcp = 7), IP_1, bytes(30)),
	     NVE_DROP_NO_TAG);
	lost(state,
	     FRAME(eth(.dst = MAC_R, .src = MAC_1), vlan(.tpid = 0x88a8, .vid = 10), IP_1,
		   bytes(30)),
	     NVE_DROP_NO_TAG);
}

static void without_a_tag_a_frame_is_the_hosts_where_the_port_says_so(void **state)
{
	struct nve_port port = { .role = NVE_PORT_ACCESS, .flags = NVE_PORT_UNTAGGED_HOST };
	struct frame in[] = {
		FRAME(eth(.dst = MAC_NVE, .src = MAC_X), IP_1, bytes(30)),
		FRAME(eth(.dst = "01:80:c2:00:00:0e", .src = MAC_X, .type = 0x88cc), bytes(46)),
		FRAME(eth(.dst = MAC_NVE, .src = MAC_X), vlan(.vid = 0), IP_1, bytes(30)),
	};
	struct dp_outcome o;

	dp_set(&dp, "port", &(uint32_t){ IF_A0 }, &port);
	for (size_t i = 0; i < sizeof(in) / sizeof(*in); i++) {
		o = dp_run(&dp, MODE, DP_ACCESS, IF_A0, &in[i]);
		assert_int_equal(o.fate, DP_HOST);
		assert_true(frame_equal(&o.out, &in[i]));
	}
	lost(state,
	     FRAME(eth(.dst = MAC_R, .src = MAC_1), vlan(.tpid = 0x88a8, .vid = 10), IP_1,
		   bytes(30)),
	     NVE_DROP_NO_TAG);
}

static void a_second_tag_is_lost_as_DOUBLE_TAG(void **state)
{
	static const uint16_t tpids[] = { 0x8100, 0x88a8, 0x9100 };

	for (size_t i = 0; i < 3; i++)
		lost(state,
		     FRAME(eth(.dst = MAC_R, .src = MAC_1), vlan(.vid = 10),
			   vlan(.tpid = tpids[i], .vid = 11), IP_1, bytes(30)),
		     NVE_DROP_DOUBLE_TAG);
}

static void a_tag_without_a_vn_is_lost_as_NO_VAP(void **state)
{
	lost(state, FRAME(eth(.dst = MAC_R, .src = MAC_1), vlan(.vid = 12), IP_1, bytes(30)),
	     NVE_DROP_NO_VAP);
	lost(state, FRAME(eth(.dst = MAC_R, .src = MAC_1), vlan(.vid = 4095), IP_1, bytes(30)),
	     NVE_DROP_NO_VAP);
	dp_del(&dp, "port", &(uint32_t){ IF_A0 });
	lost(state, FRAME(eth(.dst = MAC_R, .src = MAC_X), vlan(.vid = 10), IP_1, bytes(30)),
	     NVE_DROP_NO_VAP);
}

static void a_port_slot_beyond_the_table_is_NO_VAP_and_no_other_ports_row(void **state)
{
	struct nve_port port = { .slot = 2, .role = NVE_PORT_ACCESS };

	dp_set(&dp, "port", &(uint32_t){ IF_A0 }, &port);
	lost(state, FRAME(eth(.dst = MAC_R, .src = MAC_X), vlan(.vid = 10), IP_1, bytes(30)),
	     NVE_DROP_NO_VAP);
}

static void a_tag_in_quarantine_is_lost_as_TAG_QUARANTINED(void **state)
{
	struct nve_vap_row vap = { .state = NVE_VAP_QUARANTINED };

	dp_set(&dp, "vap", &(uint32_t){ 12 }, &vap);
	lost(state, FRAME(eth(.dst = MAC_R, .src = MAC_1), vlan(.vid = 12), IP_1, bytes(30)),
	     NVE_DROP_TAG_QUARANTINED);
}

static void a_source_mac_of_nobody_is_lost_as_SRC_MAC(void **state)
{
	static const char *const macs[] = { MAC_X,   MAC_2,     MAC_R,
					    MAC_ALL, MAC_GROUP, "00:00:00:00:00:00" };

	for (size_t i = 0; i < sizeof(macs) / sizeof(*macs); i++)
		lost(state,
		     FRAME(eth(.dst = MAC_R, .src = macs[i]), vlan(.vid = 10), IP_1, bytes(30)),
		     NVE_DROP_SRC_MAC);
	assert_int_equal(dp_tsi_drops(&dp, TSI_1, NVE_DROP_SRC_MAC), 0);
}

static void a_group_source_mac_is_lost_even_where_tsis_are_known_by_ip_alone(void **state)
{
	struct nve_vap_row vap;

	dp_get(&dp, "vap", &(uint32_t){ 10 }, &vap);
	vap.ip_only = 1;
	dp_set(&dp, "vap", &(uint32_t){ 10 }, &vap);
	lost(state, FRAME(eth(.dst = MAC_R, .src = MAC_GROUP), vlan(.vid = 10), IP_1, bytes(30)),
	     NVE_DROP_SRC_MAC);
}

static void bridge_local_groups_are_lost_as_LINK_LOCAL(void **state)
{
	char mac[32];

	for (int i = 0; i < 16; i++) {
		snprintf(mac, sizeof(mac), "01:80:c2:00:00:%02x", i);
		lost(state, FRAME(eth(.dst = mac, .src = MAC_1), vlan(.vid = 10), bytes(46)),
		     NVE_DROP_LINK_LOCAL);
	}
	assert_int_equal(dp_tsi_drops(&dp, TSI_1, NVE_DROP_LINK_LOCAL), 16);
}

static void a_group_without_members_is_NO_MEMBER(void **state)
{
	struct frame in =
		FRAME(eth(.dst = MAC_ALL, .src = MAC_1), vlan(.vid = 10), IP_1, bytes(30));

	if (MODE == DP_XDP) {
		assert_int_equal(dp_run(&dp, MODE, DP_ACCESS, IF_A0, &in).fate, DP_HOST);
		return;
	}
	lost(state, in, NVE_DROP_NO_MEMBER);
	/* A list that names only where the frame came from is no better. */
	dp_set(&dp, "flood", &(uint32_t){ VN_7 },
	       &(struct nve_flood){ .n = 1, .members = { { .slot = 10, .kind = NVE_DEST_TSI } } });
	lost(state, in, NVE_DROP_NO_MEMBER);
}

/* NO_ROOM: metadata of another program takes up the headroom. */
static void a_frame_without_headroom_is_lost_as_NO_ROOM(void **state)
{
	struct frame in = FRAME(eth(.dst = MAC_R, .src = MAC_1), vlan(.vid = 10), IP_1, bytes(30));

	(void)state;
	dp_loses_without_room(&dp, IF_A0, &in, NVE_DROP_NO_ROOM);
	assert_int_equal(dp_stats(&dp, TSI_1).in_frames, 0);
}

/*
 * A bulk frame is judged by what it will be cut into.  The test run cannot make a true one: what is
 * not too large here ends as NO_ROOM, for the kernel does not know how to cut it.
 */
static void bulk_frames_are_judged_by_their_segments(void **state)
{
	struct frame in[] = {
		FRAME(eth(.dst = MAC_R, .src = MAC_1), vlan(.vid = 10), IP_1, tcp(), bytes(900)),
		FRAME(eth(.dst = MAC_R, .src = MAC_1), vlan(.vid = 10), IP_1, udp(), bytes(900)),
		FRAME(eth(.dst = MAC_R, .src = MAC_1), vlan(.vid = 10), ipv6(.src = "fd00::1"),
		      tcp(), bytes(900)),
	};
	static const uint16_t headers[] = { 20 + 20, 20 + 8, 40 + 20 };
	struct nve_vtep vtep = dp_vtep(IP_VTEP);

	(void)state;
	dp.gso_size = 500;
	for (int i = 0; i < 3; i++) {
		vtep.mtu = 36 + 14 + headers[i] + 500;
		dp_set(&dp, "vtep", &(uint32_t){ 0 }, &vtep);
		dp_loses(&dp, DP_TC, DP_ACCESS, IF_A0, &in[i], NVE_DROP_NO_ROOM);
		vtep.mtu--;
		dp_set(&dp, "vtep", &(uint32_t){ 0 }, &vtep);
		dp_loses(&dp, DP_TC, DP_ACCESS, IF_A0, &in[i], NVE_DROP_TOO_LARGE);
	}
	dp.gso_size = 0;
}

static void drops_of_a_known_tsi_are_counted_for_it(void **state)
{
	for (int i = 1; i <= 3; i++) {
		lost(state,
		     FRAME(eth(.dst = MAC_R, .src = MAC_1), vlan(.vid = 10),
			   ipv4(.src = "10.0.0.77", .dst = "10.0.0.9"), bytes(30)),
		     NVE_DROP_SRC_IP);
		assert_int_equal(dp_tsi_drops(&dp, TSI_1, NVE_DROP_SRC_IP), i);
	}
	assert_int_equal(dp_stats(&dp, TSI_1).in_frames, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(without_a_tag_a_frame_is_lost_as_NO_TAG),
		BOTH(without_a_tag_a_frame_is_the_hosts_where_the_port_says_so),
		BOTH(a_second_tag_is_lost_as_DOUBLE_TAG),
		BOTH(a_tag_without_a_vn_is_lost_as_NO_VAP),
		BOTH(a_port_slot_beyond_the_table_is_NO_VAP_and_no_other_ports_row),
		BOTH(a_tag_in_quarantine_is_lost_as_TAG_QUARANTINED),
		BOTH(a_source_mac_of_nobody_is_lost_as_SRC_MAC),
		BOTH(a_group_source_mac_is_lost_even_where_tsis_are_known_by_ip_alone),
		BOTH(bridge_local_groups_are_lost_as_LINK_LOCAL),
		BOTH(a_group_without_members_is_NO_MEMBER),
		BOTH(drops_of_a_known_tsi_are_counted_for_it),
		cmocka_unit_test_setup(bulk_frames_are_judged_by_their_segments, refill),
		cmocka_unit_test_setup(a_frame_without_headroom_is_lost_as_NO_ROOM, refill),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
