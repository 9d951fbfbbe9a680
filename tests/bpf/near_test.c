/* SPDX-License-Identifier: Apache-2.0 */
/*
 * near, the short way: what it has is right without the other tables, and what it has not, or not
 * for this frame, is judged by them.  That a frame took the short way shows by taking their rows
 * away.
 */
#include "bpf/suite.h"

#include <arpa/inet.h>
#include <bpf/libbpf.h>

enum { NUMBER_7 = 5, NUMBER_8 = 6 };

static struct nve_near_entry tsi_entry(uint32_t slot, const char *mac, uint32_t ifindex,
				       uint16_t vid)
{
	return (struct nve_near_entry){
		.key = dp_near_key(NUMBER_7, mac),
		.slot = slot,
		.kind = NVE_NEAR_TSI,
		.flags = NVE_NEAR_FILTER_IP | NVE_NEAR_IP4 | NVE_NEAR_XDP,
		.ifindex = ifindex,
		.vid = vid,
		.port = ifindex == IF_A1,
		.ip4 = htonl(0x0a000000 + slot),
		.net = VNI_7 << 8,
	};
}

static struct nve_near_entry entry_1(void)
{
	return tsi_entry(TSI_1, MAC_1, IF_A0, 10);
}

static struct nve_near_entry entry_2(void)
{
	return tsi_entry(TSI_2, MAC_2, IF_A1, 20);
}

static struct nve_near_entry vtep_entry(const char *mac, uint32_t slot)
{
	return (struct nve_near_entry){ .key = dp_near_key(NUMBER_7, mac),
					.slot = slot,
					.kind = NVE_NEAR_VTEP };
}

static struct nve_near_entry peer_entry(void)
{
	return (struct nve_near_entry){
		.key = NVE_NEAR_PEER_KEY(VNI_7, inet_addr(IP_VTEP)),
		.slot = NUMBER_7,
		.kind = NVE_NEAR_PEER,
		.ifindex = VN_7,
		.net = VNI_7 << 8,
	};
}

/* TSIs have lines, all else is in near. */
static void put(struct nve_near_entry e)
{
	if (e.kind == NVE_NEAR_TSI)
		dp_line_put(&dp, &e, 0);
	else
		dp_near_put(&dp, &e);
}

static void fill_near(void)
{
	dp_near_hint(&dp, IF_A0, 10, NUMBER_7, VN_7);
	dp_near_hint(&dp, IF_A1, 20, NUMBER_7, VN_7);
	dp_near_hint(&dp, IF_A0, 11, NUMBER_8, VN_8);
	put(entry_1());
	put(entry_2());
	put(vtep_entry(MAC_R, 0));
	put(peer_entry());
}

/* From here on only what near has passes. */
static void forget_the_rest(void)
{
	static const char *const macs[] = { MAC_1, MAC_2, MAC_R };

	for (size_t i = 0; i < 3; i++) {
		struct nve_src_key at_a0 = dp_src_key(IF_A0, 10, macs[i]);
		struct nve_src_key at_a1 = dp_src_key(IF_A1, 20, macs[i]);
		struct nve_fdb_key fdb = dp_fdb_key(VN_7, macs[i]);

		dp_del(&dp, "src", &at_a0);
		dp_del(&dp, "src", &at_a1);
		dp_del(&dp, "fdb", &fdb);
	}
	dp_del(&dp, "peer", &(struct nve_peer_key[]){ dp_peer_key(VNI_7, IP_VTEP) });
}

static struct frame hello(const char *src, const char *ip, const char *dst)
{
	return FRAME(eth(.dst = dst, .src = src), ipv4(.src = ip, .dst = "10.0.0.9"),
		     udp(.sport = 1111, .dport = 2222), text("hello"));
}

static void remote_gets_it(enum dp_mode mode, const char *src, const char *ip, uint32_t ifindex,
			   uint16_t vid)
{
	struct frame plain = hello(src, ip, MAC_R), in = frame_tag(&plain, 0, vid);
	struct frame want = dp_tunnel(IP_NVE, IP_VTEP, VNI_7, 0, &plain);

	dp_sends(&dp, mode, DP_ACCESS, ifindex, &in, &want);
}

static void remote_gets_nothing(enum dp_mode mode, const char *src, const char *ip,
				uint32_t ifindex, uint16_t vid, enum nve_drop why)
{
	struct frame plain = hello(src, ip, MAC_R), in = frame_tag(&plain, 0, vid);

	dp_loses(&dp, mode, DP_ACCESS, ifindex, &in, why);
}

static struct frame from_vtep(const char *vtep, uint32_t vni, const char *dst)
{
	struct frame plain = hello(MAC_R, "10.0.0.9", dst);

	return dp_tunnel(vtep, IP_NVE, vni, 50000, &plain);
}

static void tsi_1_gets_it(enum dp_mode mode)
{
	struct frame plain = hello(MAC_R, "10.0.0.9", MAC_1), want = frame_tag(&plain, 0, 10);
	struct frame in = from_vtep(IP_VTEP, VNI_7, MAC_1);

	dp_sends(&dp, mode, DP_UNDERLAY, IF_U0, &in, &want);
}

/* --- hits ------------------------------------------------------------------------------------- */

static void a_frame_to_a_remote_mac_needs_near_alone(void **state)
{
	fill_near();
	forget_the_rest();
	remote_gets_it(MODE, MAC_1, "10.0.0.1", IF_A0, 10);
	assert_int_equal(dp_stats(&dp, TSI_1).in_frames, 1);
	assert_int_not_equal(dp_stats(&dp, TSI_1).seen, 0);
	dp_near_empty(&dp);
	remote_gets_nothing(MODE, MAC_1, "10.0.0.1", IF_A0, 10, NVE_DROP_SRC_MAC);
}

static void a_frame_from_one_tsi_to_another_needs_near_alone(void **state)
{
	struct frame plain = hello(MAC_1, "10.0.0.1", MAC_2);
	struct frame in = frame_tag(&plain, 3, 10), want = frame_tag(&plain, 3, 20);

	fill_near();
	forget_the_rest();
	dp_sends(&dp, MODE, DP_ACCESS, IF_A0, &in, &want);
	assert_int_equal(dp_stats(&dp, TSI_1).in_frames, 1);
	assert_int_equal(dp_stats(&dp, TSI_2).out_frames, 1);
}

static void a_frame_from_a_known_vtep_needs_near_alone(void **state)
{
	struct frame in = from_vtep(IP_VTEP, VNI_7, MAC_1);

	fill_near();
	forget_the_rest();
	tsi_1_gets_it(MODE);
	assert_int_equal(dp_stats(&dp, TSI_1).out_frames, 1);
	dp_near_empty(&dp);
	dp_loses(&dp, MODE, DP_UNDERLAY, IF_U0, &in, NVE_DROP_UNKNOWN_VTEP);
}

/* TSI 1 with everything else that it needs. */
static void fill_around(void)
{
	dp_near_empty(&dp);
	dp_near_hint(&dp, IF_A0, 10, NUMBER_7, VN_7);
	put(vtep_entry(MAC_R, 0));
	put(peer_entry());
}

static void tsi_1_sends_and_gets(enum dp_mode mode, uint32_t frames)
{
	tsi_1_gets_it(mode);
	remote_gets_it(mode, MAC_1, "10.0.0.1", IF_A0, 10);
	assert_int_equal(dp_stats(&dp, TSI_1).in_frames, frames);
	assert_int_equal(dp_stats(&dp, TSI_1).out_frames, frames);
}

static void a_tsi_is_found_in_either_of_its_lines(void **state)
{
	struct nve_near_entry e = entry_1();

	forget_the_rest();
	for (int way = 0; way < 2; way++) {
		fill_around();
		for (int cpu = 0; cpu < libbpf_num_possible_cpus(); cpu++)
			dp_line(&dp, cpu, e.key, VNI_7, !way)->key = 1; /* nobody's */
		dp_line_put(&dp, &e, way);
		tsi_1_sends_and_gets(MODE, way + 1);
	}
}

static void a_tsi_that_no_line_was_left_to_is_in_near_and_counts_apart(void **state)
{
	struct nve_near_entry e = entry_1();
	struct nve_near_bucket *first = dp_near_bucket(&dp, e.key, false);

	forget_the_rest();
	for (int i = 0; i < NVE_NEAR_WAYS; i++) {
		fill_around();
		dp_near_put(&dp, &e);
		tsi_1_sends_and_gets(MODE, 2 * i + 1);
		fill_around();
		first->e[0].key = first->e[0].key ?: 1; /* nobody's, and no free place */
		first->e[1].key = first->e[1].key ?: 2;
		dp_near_bucket(&dp, e.key, true)->e[i] = e;
		tsi_1_sends_and_gets(MODE, 2 * i + 2);
	}
}

static void a_tsi_counts_in_its_line_and_nowhere_else(void **state)
{
	struct nve_near_entry e = entry_1();
	struct nve_tsi_stats sum = { 0 };

	fill_near();
	tsi_1_sends_and_gets(MODE, 1);
	for (int cpu = 0; cpu < libbpf_num_possible_cpus(); cpu++) {
		const struct nve_tsi_stats *s = dp_line(&dp, cpu, e.key, VNI_7, 0);

		sum.in_frames += s->in_frames;
		sum.out_frames += s->out_frames;
		sum.seen |= s->seen;
	}
	assert_int_equal(sum.in_frames, 1);
	assert_int_equal(sum.out_frames, 1);
	assert_int_not_equal(sum.seen, 0);
}

static void where_no_ip_is_signaled_any_may_be_the_source(void **state)
{
	struct nve_near_entry e = entry_1();

	fill_around();
	e.flags = NVE_NEAR_XDP;
	put(e);
	forget_the_rest();
	remote_gets_it(MODE, MAC_1, "10.77.0.1", IF_A0, 10);
}

/* --- misses ----------------------------------------------------------------------------------- */

static void what_near_has_not_is_looked_for_in_the_complete_tables(void **state)
{
	fill_near();
	for (int i = 0; i < 4; i++) {
		struct nve_near_entry all[] = { entry_1(), entry_2(), vtep_entry(MAC_R, 0),
						peer_entry() };

		dp_near_empty(&dp);
		dp_near_hint(&dp, IF_A0, 10, NUMBER_7, VN_7);
		for (int j = 0; j < 4; j++)
			if (j != i)
				put(all[j]);
		remote_gets_it(MODE, MAC_1, "10.0.0.1", IF_A0, 10);
		tsi_1_gets_it(MODE);
	}
}

static void what_is_no_plain_ipv4_from_the_one_address_is_judged_by_the_source_filter(void **state)
{
	struct frame v6 = FRAME(eth(.dst = MAC_R, .src = MAC_1), vlan(.vid = 10),
				ipv6(.src = "fd00::2"), bytes(20));
	struct frame arp = FRAME(eth(.dst = MAC_R, .src = MAC_1), vlan(.vid = 10),
				 arp(.sender_mac = MAC_2, .sender_ip = "10.0.0.1", .op = 2));
	struct frame cut =
		FRAME(eth(.dst = MAC_R, .src = MAC_1), vlan(.vid = 10, .type = 0x0800), bytes(19));

	fill_near();
	remote_gets_nothing(MODE, MAC_1, "10.0.0.2", IF_A0, 10, NVE_DROP_SRC_IP);
	remote_gets_nothing(MODE, MAC_1, "0.0.0.0", IF_A0, 10, NVE_DROP_SRC_IP);
	dp_loses(&dp, MODE, DP_ACCESS, IF_A0, &v6, NVE_DROP_SRC_IP);
	dp_loses(&dp, MODE, DP_ACCESS, IF_A0, &arp, NVE_DROP_SRC_ARP);
	dp_loses(&dp, MODE, DP_ACCESS, IF_A0, &cut, NVE_DROP_SHORT);
	assert_int_equal(dp_stats(&dp, TSI_1).seen, 0);
}

static void a_mac_at_another_port_or_tag_than_its_own_is_refused(void **state)
{
	fill_near();
	dp_near_hint(&dp, IF_A0, 11, NUMBER_7, VN_7); /* as wrong as hints may be */
	dp_near_hint(&dp, IF_A1, 10, NUMBER_7, VN_7);
	remote_gets_nothing(MODE, MAC_1, "10.0.0.1", IF_A1, 20, NVE_DROP_SRC_MAC);
	remote_gets_nothing(MODE, MAC_1, "10.0.0.1", IF_A0, 11, NVE_DROP_SRC_MAC);
	remote_gets_nothing(MODE, MAC_1, "10.0.0.1", IF_A1, 10, NVE_DROP_SRC_MAC);
}

static void a_remote_mac_is_nobodys_source(void **state)
{
	fill_near();
	remote_gets_nothing(MODE, MAC_R, "10.0.0.1", IF_A0, 10, NVE_DROP_SRC_MAC);
}

static void a_hint_of_another_vn_changes_nothing(void **state)
{
	fill_near();
	dp_near_hint(&dp, IF_A0, 10, NUMBER_8, VN_8);
	remote_gets_it(MODE, MAC_1, "10.0.0.1", IF_A0, 10);
}

static void a_withdrawn_entry_leaves_the_word_to_the_record(void **state)
{
	struct frame in = from_vtep(IP_VTEP, VNI_7, MAC_1);
	struct nve_tsi_row *rows = dp_map(&dp, "tsi");
	struct nve_near_entry e = entry_1();

	fill_near();
	dp_line_cut(&dp, &e, 0);
	remote_gets_it(MODE, MAC_1, "10.0.0.1", IF_A0, 10);
	tsi_1_gets_it(MODE);
	rows[TSI_1].live = 0;
	remote_gets_nothing(MODE, MAC_1, "10.0.0.1", IF_A0, 10, NVE_DROP_SRC_INACTIVE);
	dp_loses(&dp, MODE, DP_UNDERLAY, IF_U0, &in, NVE_DROP_DST_INACTIVE);
}

static void a_frame_back_to_its_own_port_and_tag_is_dropped_as_ever(void **state)
{
	struct frame plain = hello(MAC_1, "10.0.0.1", MAC_1), in = frame_tag(&plain, 0, 10);

	fill_near();
	forget_the_rest();
	dp_loses(&dp, MODE, DP_ACCESS, IF_A0, &in, NVE_DROP_SAME_PORT);
}

static void groups_are_flooded_whatever_near_says(void **state)
{
	struct frame plain = hello(MAC_1, "10.0.0.1", MAC_GROUP), in = frame_tag(&plain, 0, 10);

	fill_near();
	put(vtep_entry(MAC_GROUP, 0));
	assert_int_not_equal(dp_run(&dp, MODE, DP_ACCESS, IF_A0, &in).fate, DP_SENT);
}

static void only_known_vteps_are_heard_and_in_the_vns_encapsulation_alone(void **state)
{
	struct frame stranger = from_vtep("192.0.2.77", VNI_7, MAC_1);
	struct frame nowhere = from_vtep(IP_VTEP, 12345, MAC_1);
	struct frame vxlan = from_vtep(IP_VTEP, VNI_7, MAC_1);
	struct nve_near_entry e = peer_entry();
	struct nve_near_bucket *b;

	fill_near();
	dp_loses(&dp, MODE, DP_UNDERLAY, IF_U0, &stranger, NVE_DROP_UNKNOWN_VTEP);
	dp_loses(&dp, MODE, DP_UNDERLAY, IF_U0, &nowhere, NVE_DROP_UNKNOWN_VNI);
	/* The VN is Geneve's, in both tables. */
	b = dp_near_bucket(&dp, e.key, false);
	b->e[b->e[0].key != e.key].net |= NVE_TUNNEL_GENEVE;
	dp_set(&dp, "peer", &(struct nve_peer_key[]){ dp_peer_key(VNI_7, IP_VTEP) },
	       &(struct nve_peer){ .vn_id = VN_7, .tunnel = NVE_TUNNEL_GENEVE });
	dp_loses(&dp, MODE, DP_UNDERLAY, IF_U0, &vxlan, NVE_DROP_UNKNOWN_VNI);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(a_frame_to_a_remote_mac_needs_near_alone),
		BOTH(a_frame_from_one_tsi_to_another_needs_near_alone),
		BOTH(a_frame_from_a_known_vtep_needs_near_alone),
		BOTH(a_tsi_is_found_in_either_of_its_lines),
		BOTH(a_tsi_that_no_line_was_left_to_is_in_near_and_counts_apart),
		BOTH(a_tsi_counts_in_its_line_and_nowhere_else),
		BOTH(where_no_ip_is_signaled_any_may_be_the_source),
		BOTH(what_near_has_not_is_looked_for_in_the_complete_tables),
		BOTH(what_is_no_plain_ipv4_from_the_one_address_is_judged_by_the_source_filter),
		BOTH(a_mac_at_another_port_or_tag_than_its_own_is_refused),
		BOTH(a_remote_mac_is_nobodys_source),
		BOTH(a_hint_of_another_vn_changes_nothing),
		BOTH(a_withdrawn_entry_leaves_the_word_to_the_record),
		BOTH(a_frame_back_to_its_own_port_and_tag_is_dropped_as_ever),
		BOTH(groups_are_flooded_whatever_near_says),
		BOTH(only_known_vteps_are_heard_and_in_the_vns_encapsulation_alone),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
