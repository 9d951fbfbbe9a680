/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dry run: what why() says of a frame is what the live programs then do with it, and why()
 * itself leaves no trace in any table, counter or interface.  The world is that of lib/dp_world.h.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "dp/ebpf.h"
#include "lib/dp_ask.h"
#include "nve.skel.h"

#define MAC_1   "02:00:00:00:00:01" /* TSI 1, at A0: 10.0.0.1 and fd00::1 */
#define MAC_2   "02:00:00:00:00:02" /* TSI 2, at A1 */
#define MAC_3   "02:00:00:00:00:03" /* TSI 3, at A0, only Associated */
#define MAC_R   "02:00:00:00:00:99" /* behind VTEP 0 */
#define MAC_S   "02:00:00:00:00:98" /* behind VTEP 1 */
#define MAC_U   "02:00:00:00:00:97" /* behind VTEP 2, to which there is no route */
#define MAC_X   "02:00:00:00:00:ee" /* nobody's */
#define MAC_ALL "ff:ff:ff:ff:ff:ff"
#define IP_NVE  "192.0.2.1"
#define IP_R    "192.0.2.2"

enum { TAG_QUARANTINED = 30, VTEP_LOST = 2 };

static struct dpw w;

static void fill(void)
{
	const struct nve_dp_vap quarantined = { .port = A0,
						.tag = TAG_QUARANTINED,
						.quarantined = true };
	const struct nve_ip nowhere = dpw_addr("203.0.113.9");

	assert_int_equal(w.ops->vtep_set(w.dp, VTEP_LOST, &nowhere), 0);
	assert_int_equal(w.ops->vap_set(w.dp, &quarantined), 0);
	dpw_vap(&w, A0, TAG_10, 1);
	dpw_vap(&w, A1, TAG_20, 1);
	dpw_tsi(&w, 1, A0, TAG_10, true, ADDRS(MAC_1 " 10.0.0.1", MAC_1 " fd00::1"));
	dpw_tsi(&w, 2, A1, TAG_20, true, ADDRS(MAC_2));
	dpw_tsi(&w, 3, A0, TAG_10, false, ADDRS(MAC_3));
	dpw_fdb(&w, MAC_1, TSI(1), NONE);
	dpw_fdb(&w, MAC_2, TSI(2), NONE);
	dpw_fdb(&w, MAC_3, TSI(3), NONE);
	dpw_fdb(&w, MAC_R, VTEP(0), NONE);
	dpw_fdb(&w, MAC_S, VTEP(1), NONE);
	dpw_fdb(&w, MAC_U, VTEP(VTEP_LOST), NONE);
	dpw_apply(&w);
}

static int open_world(void **state)
{
	dpw_open(&w, *state);
	fill();
	return 0;
}

static int close_world(void **state)
{
	(void)state;
	dpw_close(&w);
	return 0;
}

static void is_dropped(uint16_t port, const struct frame *f, const char *reason)
{
	struct said *s = dp_ask_agrees(&w, port, f);

	if (s->why.verdict != NVE_DP_DROPPED || strcmp(s->why.reason, reason))
		fail_msg("verdict %d, %s instead of %s", s->why.verdict, s->why.reason, reason);
	assert_true(s->why.text[0]);
	assert_int_equal(s->why.n_out, 0);
}

#define FROM_1(to, ...)                                                                            \
	FRAME(eth(.dst = (to), .src = MAC_1), vlan(.vid = TAG_10), __VA_ARGS__, bytes(30))
#define TUNNEL(vtep, number, inner)                                                                \
	WRAP(&(inner), eth(.dst = MAC_X, .src = MAC_X),                                            \
	     ipv4(.src = (vtep), .dst = IP_NVE, .frag = 0x4000),                                   \
	     udp(.sport = 50000, .dport = 4789, .no_check = true), vxlan(.vni = (number)))
#define TO(mac) FRAME(eth(.dst = (mac), .src = MAC_R), bytes(46))

/* --- tests ----------------------------------------------------------------------------------- */

static void a_frame_to_a_remote_mac_is_explained_by_near_and_vtep(void **state)
{
	struct frame f = FROM_1(MAC_R, ipv4(.src = "10.0.0.1"));
	struct said *s = dp_ask_agrees(&w, A0, &f);
	const uint8_t vtep[4] = { 192, 0, 2, 2 };

	(void)state;
	assert_int_equal(s->why.verdict, NVE_DP_FORWARDED);
	assert_string_equal(s->tables, "near near vtep");
	assert_string_equal(s->last_key, "{\"vtep\":0}");
	assert_non_null(strstr(s->last_value, "\"ip\":\"192.0.2.2\""));
	assert_int_equal(s->why.out_port, U0);
	assert_string_equal(s->why.out_ifname, "u0");
	assert_int_equal(s->why.vtep.family, 4);
	assert_memory_equal(s->why.vtep.bytes, vtep, 4);
	assert_int_equal(s->why.out_len, f.len - 4 + 50);
	assert_int_equal(s->why.n_programs, 1);
	assert_string_equal(s->why.programs[0], w.mode == NVE_DP_XDP ? "xdp_access" : "tc_access");
}

static void what_near_does_not_tell_is_explained_by_src_tsi_fdb_and_vtep(void **state)
{
	struct frame f = FROM_1(MAC_R, ipv6(.src = "fd00::1"));
	struct frame spoofed = FROM_1(MAC_R, ipv4(.src = "10.0.0.7"));
	struct said *s = dp_ask_agrees(&w, A0, &f);

	(void)state;
	assert_int_equal(s->why.verdict, NVE_DP_FORWARDED);
	assert_string_equal(s->tables, "src tsi fdb vtep");
	is_dropped(A0, &spoofed, "SRC_IP");
	s = dp_ask_agrees(&w, A0, &spoofed);
	assert_string_equal(s->tables, "near src tsi");
}

static void a_frame_to_a_local_tsi_comes_out_with_that_ones_tag(void **state)
{
	struct frame f = FROM_1(MAC_2, ipv4(.src = "10.0.0.1"));
	struct said *s = dp_ask_agrees(&w, A0, &f);

	(void)state;
	assert_int_equal(s->why.verdict, NVE_DP_FORWARDED);
	assert_string_equal(s->tables, "near near");
	assert_int_equal(s->why.out_port, A1);
	assert_int_equal(s->why.vtep.family, 0);
	assert_int_equal(s->why.out_len, f.len);
	assert_int_equal(s->why.out[15], TAG_20);
	assert_int_equal(f.bytes[15], TAG_10);
}

static void a_frame_from_a_vtep_is_explained_by_near(void **state)
{
	struct frame inner = TO(MAC_1), f = TUNNEL(IP_R, VNI_7, inner);
	struct said *s = dp_ask_agrees(&w, U0, &f);

	(void)state;
	assert_int_equal(s->why.verdict, NVE_DP_FORWARDED);
	assert_string_equal(s->tables, "near near");
	assert_int_equal(s->why.out_port, A0);
	assert_int_equal(s->why.out_len, inner.len + 4);
}

static void a_flooded_frame_lists_its_members_and_nobody_gets_a_copy(void **state)
{
	struct frame f = FROM_1(MAC_ALL, arp(.sender_mac = MAC_1, .sender_ip = "10.0.0.1",
					     .target_ip = "10.0.0.9"));
	struct frame inner = TO(MAC_ALL), tunnel = TUNNEL(IP_R, VNI_7, inner);
	struct said *s = dp_ask_agrees(&w, A0, &f);

	(void)state;
	assert_int_equal(s->why.verdict, NVE_DP_FLOODED);
	assert_non_null(strstr(s->tables, "flood"));
	assert_int_equal(s->sent, 3); /* the VAP at A1, and two VTEPs */
	assert_int_equal(s->lost, 0);
	assert_int_equal(s->why.n_programs, w.mode == NVE_DP_XDP ? 2 : 1);
	s = dp_ask_agrees(&w, U0, &tunnel);
	assert_int_equal(s->why.verdict, NVE_DP_FLOODED);
	assert_int_equal(s->sent, 2); /* both VAPs */
}

static void copies_that_are_lost_have_their_own_reason(void **state)
{
	struct frame f = FRAME(eth(.dst = MAC_ALL, .src = MAC_2), vlan(.vid = TAG_20), bytes(1990));
	struct said *s = dp_ask(&w, A1, &f);

	(void)state;
	assert_int_equal(s->why.verdict, NVE_DP_FLOODED);
	assert_int_equal(s->sent, 1);
	assert_int_equal(s->lost, 2); /* too long for the tunnel */
}

static void a_question_that_is_answered_shows_who_has_the_address_and_the_answer(void **state)
{
	const struct nve_dp_bum suppress = { .suppress = true };
	struct frame f =
		FRAME(eth(.dst = MAC_ALL, .src = MAC_1), vlan(.vid = TAG_10),
		      arp(.sender_mac = MAC_1, .sender_ip = "10.0.0.1", .target_ip = "10.0.0.9"),
		      bytes(18));
	struct frame answer = FRAME(eth(.dst = MAC_1, .src = MAC_R), vlan(.vid = TAG_10),
				    arp(.op = 2, .sender_mac = MAC_R, .sender_ip = "10.0.0.9",
					.target_mac = MAC_1, .target_ip = "10.0.0.1"),
				    bytes(18));
	struct said *s;

	(void)state;
	dpw_bum(&w, &suppress);
	dpw_neigh(&w, "10.0.0.9", NOBODY, THERE(MAC_R));
	dpw_apply(&w);
	s = dp_ask_agrees(&w, A0, &f);
	assert_int_equal(s->why.verdict, NVE_DP_ANSWERED);
	assert_string_equal(s->tables, "src tsi flood neigh fdb");
	assert_int_equal(s->why.out_port, A0);
	assert_string_equal(s->why.out_ifname, "a0");
	assert_int_equal(s->why.out_len, answer.len);
	assert_memory_equal(s->why.out, answer.bytes, answer.len);
}

static void bum_over_the_rate_is_told_and_asking_takes_no_token(void **state)
{
	const struct nve_dp_bum slow = { .drop_unknown = true, .rate = 1, .burst = 1 };
	const uint64_t minutes = 240000000000; /* a token: none comes in the time of a test */
	const struct nve_meter meter = { .cost = minutes << 16, .burst = minutes };
	const uint32_t vn_id = VN_7;
	struct frame f = FRAME(eth(.dst = MAC_ALL, .src = MAC_2), vlan(.vid = TAG_20), bytes(46));
	struct frame unknown =
		FRAME(eth(.dst = MAC_X, .src = MAC_2), vlan(.vid = TAG_20), bytes(46));

	(void)state;
	dpw_bum(&w, &slow);
	dpw_apply(&w);
	assert_int_equal(bpf_map_update_elem(w.dp->map[NVE_MAP_BUM], &vn_id, &meter, BPF_EXIST), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(dp_ask(&w, A1, &f)->why.verdict, NVE_DP_FLOODED);
	assert_int_equal(dp_ask_agrees(&w, A1, &f)->why.verdict, NVE_DP_FLOODED);
	is_dropped(A1, &f, "BUM_RATE");
	is_dropped(A1, &unknown, "DST_UNKNOWN");
}

static void what_is_none_of_the_tunnels_is_left_to_the_host(void **state)
{
	struct frame f = FRAME(eth(.dst = MAC_X, .src = MAC_X),
			       ipv4(.src = "192.0.2.9", .dst = IP_NVE), udp(.dport = 53));
	struct frame cut = FRAME(eth(.dst = MAC_X, .src = MAC_X, .type = 0x0800), bytes(3));
	struct said *s = dp_ask_agrees(&w, U0, &f);

	(void)state;
	assert_int_equal(s->why.verdict, NVE_DP_TO_HOST);
	assert_string_equal(s->tables, "");
	assert_int_equal(dp_ask(&w, U0, &cut)->why.verdict, NVE_DP_TO_HOST);
}

static void every_drop_on_an_access_port_is_told_by_its_reason(void **state)
{
	struct frame f;

	(void)state;
#define DROPPED(reason, port, ...) (f = FRAME(__VA_ARGS__), is_dropped(port, &f, reason))
#define FROM(mac, tag)             eth(.dst = MAC_R, .src = (mac)), vlan(.vid = (tag))
	DROPPED("NO_TAG", A0, eth(.dst = MAC_R, .src = MAC_1), bytes(50));
	DROPPED("DOUBLE_TAG", A0, FROM(MAC_1, TAG_10), vlan(.vid = 5), bytes(50));
	f = FRAME(FROM(MAC_1, TAG_10), raw("\x45", 1));
	f.bytes[16] = 0x08, f.bytes[17] = 0; /* IPv4, of one byte */
	is_dropped(A0, &f, "SHORT");
	DROPPED("NO_VAP", A0, FROM(MAC_1, 99), bytes(50));
	DROPPED("TAG_QUARANTINED", A0, FROM(MAC_1, TAG_QUARANTINED), bytes(50));
	DROPPED("SRC_MAC", A0, FROM(MAC_X, TAG_10), bytes(50));
	DROPPED("SRC_IP", A0, FROM(MAC_1, TAG_10), ipv4(.src = "10.0.0.7"));
	DROPPED("SRC_ARP", A0, FROM(MAC_1, TAG_10),
		arp(.sender_mac = MAC_1, .sender_ip = "10.0.0.7"));
	DROPPED("SRC_ND", A0, FROM(MAC_1, TAG_10), ipv6(.src = "fd00::1"),
		nd(.type = 136, .target = "fd00::7"));
	DROPPED("SRC_INACTIVE", A0, FROM(MAC_3, TAG_10), bytes(50));
	DROPPED("DST_INACTIVE", A0, eth(.dst = MAC_3, .src = MAC_1), vlan(.vid = TAG_10),
		bytes(50));
	DROPPED("SAME_PORT", A0, eth(.dst = MAC_1, .src = MAC_1), vlan(.vid = TAG_10), bytes(50));
	DROPPED("LINK_LOCAL", A0, eth(.dst = "01:80:c2:00:00:02", .src = MAC_1),
		vlan(.vid = TAG_10), bytes(50));
	DROPPED("VTEP_UNRESOLVED", A0, eth(.dst = MAC_U, .src = MAC_1), vlan(.vid = TAG_10),
		bytes(50));
	DROPPED("TOO_LARGE", A0, FROM(MAC_1, TAG_10), bytes(1990));
}

static void every_drop_on_an_underlay_port_is_told_by_its_reason(void **state)
{
	struct frame inner = TO(MAC_1), tagged = frame_tag(&inner, 0, 5), to_3 = TO(MAC_3);
	struct frame to_r = TO(MAC_R), to_s = TO(MAC_S), all = TO(MAC_ALL), f;

	(void)state;
#define LOST(reason, frame) (f = (frame), is_dropped(U0, &f, reason))
	LOST("UNKNOWN_VNI", TUNNEL(IP_R, 555, inner));
	LOST("UNKNOWN_VTEP", TUNNEL("192.0.2.77", VNI_7, inner));
	LOST("INNER_TAG", TUNNEL(IP_R, VNI_7, tagged));
	LOST("DST_INACTIVE", TUNNEL(IP_R, VNI_7, to_3));
	LOST("DST_INACTIVE", TUNNEL(IP_R, VNI_7, to_r)); /* back to where it came from */
	LOST("NO_MEMBER", TUNNEL("192.0.2.3", VNI_8, all));
	LOST("OUTER_INVALID",
	     WRAP(&inner, eth(), ipv4(.src = IP_R, .dst = IP_NVE, .bad_check = true),
		  udp(.dport = 4789), vxlan(.vni = VNI_7)));
	LOST("TUNNEL_FLAGS", WRAP(&inner, eth(), ipv4(.src = IP_R, .dst = IP_NVE),
				  udp(.dport = 4789), vxlan(.vni = VNI_7, .no_flags = true)));
	LOST("TTL", WRAP(&to_s, eth(), ipv4(.src = IP_R, .dst = IP_NVE, .ttl = 1),
			 udp(.dport = 4789), vxlan(.vni = VNI_7)));
}

static void a_missing_row_is_told_with_its_key(void **state)
{
	struct frame f = FROM_1("02:00:00:00:00:55", ipv4(.src = "10.0.0.7"));
	struct said *s = dp_ask_agrees(&w, A0, &f);

	(void)state;
	assert_string_equal(s->why.reason, "SRC_IP");
	f = FRAME(eth(.dst = MAC_R, .src = MAC_X), vlan(.vid = 99), bytes(50));
	s = dp_ask_agrees(&w, A0, &f);
	assert_string_equal(s->tables, "src! port vap!");
	assert_string_equal(s->last_key, "{\"port\":0,\"vid\":99}");
}

static void frames_beyond_a_page_are_judged_by_their_whole_length(void **state)
{
	struct frame f = FROM_1(MAC_2, ipv4(.src = "10.0.0.1"));
	static uint8_t jumbo[NVE_DP_FRAME_MAX + 1];
	struct said *s;

	(void)state;
	memcpy(jumbo, f.bytes, f.len);
	s = dp_ask_bytes(&w, A0, jumbo, 9000);
	assert_int_equal(s->why.verdict, NVE_DP_FORWARDED);
	assert_int_equal(s->why.out_len, 9000);
	assert_in_range(s->why.n_out, 3000, 3100);
	f = FROM_1(MAC_R, ipv4(.src = "10.0.0.1"));
	memcpy(jumbo, f.bytes, f.len);
	assert_string_equal(dp_ask_bytes(&w, A0, jumbo, NVE_DP_FRAME_MAX)->why.reason, "TOO_LARGE");
	assert_int_equal(w.ops->why(w.dp, A0, jumbo, sizeof(jumbo), &s->why, dp_ask_step, s),
			 -EINVAL);
	assert_int_equal(w.ops->why(w.dp, A0, jumbo, 13, &s->why, dp_ask_step, s), -EINVAL);
	assert_int_equal(w.ops->why(w.dp, 9, jumbo, 60, &s->why, dp_ask_step, s), -ENODEV);
}

/* A generator of our own, so that a failure can be repeated. */
static uint32_t random_of(uint64_t *state, uint32_t n)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*state >> 33) % n;
}

static void damaged_frames_of_all_kinds_fare_live_as_why_says(void **state)
{
	struct frame inner = TO(MAC_1), bum = TO(MAC_ALL);
	const struct frame seeds[] = {
		FROM_1(MAC_R, ipv4(.src = "10.0.0.1"), udp(.sport = 1, .dport = 2)),
		FROM_1(MAC_2, ipv6(.src = "fd00::1"), tcp(.sport = 1, .dport = 2)),
		FROM_1(MAC_ALL, arp(.sender_mac = MAC_1, .sender_ip = "10.0.0.1")),
		FROM_1(MAC_R, ipv6(.src = "fd00::1"), nd(.type = 136, .target = "fd00::1")),
		TUNNEL(IP_R, VNI_7, inner),
		TUNNEL(IP_R, VNI_7, bum),
	};
	uint64_t seed = 42;

	(void)state;
	for (int i = 0; i < 600; i++) {
		uint32_t k = random_of(&seed, 6);
		struct frame f = seeds[k];
		uint32_t damage = random_of(&seed, 4);

		while (damage--)
			f.bytes[random_of(&seed, f.len)] = random_of(&seed, 256);
		if (random_of(&seed, 4) == 0)
			f.len = 60 + random_of(&seed, f.len - 60);
		dp_ask_agrees(&w, k < 4 ? A0 : U0, &f);
	}
}

static void tables_that_change_are_asked_as_they_are_now(void **state)
{
	struct frame f = FROM_1(MAC_R, ipv4(.src = "10.0.0.1"));

	(void)state;
	assert_int_equal(dp_ask_agrees(&w, A0, &f)->why.verdict, NVE_DP_FORWARDED);
	dpw_tsi(&w, 1, A0, TAG_10, false, ADDRS(MAC_1 " 10.0.0.1"));
	dpw_apply(&w);
	is_dropped(A0, &f, "SRC_INACTIVE");
	dpw_tsi(&w, 1, A0, TAG_10, true, ADDRS(MAC_1 " 10.0.0.1"));
	dpw_apply(&w);
	assert_int_equal(dp_ask_agrees(&w, A0, &f)->why.verdict, NVE_DP_FORWARDED);
}

static void the_comparison_of_tables_sees_one_counted_frame(void **state)
{
	struct frame f = FROM_1(MAC_R, ipv4(.src = "10.0.0.1")), out;
	uint64_t before = dp_ask_tables(&w);
	const char *reason;

	(void)state;
	assert_true(dp_ask_tables(&w) == before);
	dp_ask_live(&w, A0, &f, &out, &reason);
	assert_true(dp_ask_tables(&w) != before);
}

static void the_live_programs_have_no_part_in_it(void **state)
{
	const struct nve *skel = w.dp->object;
	struct frame f = FROM_1(MAC_R, ipv4(.src = "10.0.0.1"));

	(void)state;
	assert_null(bpf_object__find_map_by_name(skel->obj, "nve_trace"));
	assert_null(w.dp->dry); /* and what has one is not loaded until somebody asks */
	dp_ask(&w, A0, &f);
	assert_non_null(w.dp->dry);
}

static void the_fake_says_that_it_cannot_tell(void **state)
{
	static struct nve_dp_why why;
	const uint8_t frame[60] = { 0 };

	(void)state;
	assert_int_equal(nve_dp_fake.why(NULL, A0, frame, sizeof(frame), &why, dp_ask_step, NULL),
			 -EOPNOTSUPP);
}

#define BOTH(f)                                                                                    \
	{ #f " [tc]", f, open_world, close_world, (void *)&dpw_backends[1] },                      \
	{                                                                                          \
#f " [xdp]", f, open_world, close_world, (void *)&dpw_backends[2]                  \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_fake_says_that_it_cannot_tell),
		BOTH(the_live_programs_have_no_part_in_it),
		BOTH(the_comparison_of_tables_sees_one_counted_frame),
		BOTH(a_frame_to_a_remote_mac_is_explained_by_near_and_vtep),
		BOTH(what_near_does_not_tell_is_explained_by_src_tsi_fdb_and_vtep),
		BOTH(a_frame_to_a_local_tsi_comes_out_with_that_ones_tag),
		BOTH(a_frame_from_a_vtep_is_explained_by_near),
		BOTH(a_flooded_frame_lists_its_members_and_nobody_gets_a_copy),
		BOTH(copies_that_are_lost_have_their_own_reason),
		BOTH(a_question_that_is_answered_shows_who_has_the_address_and_the_answer),
		BOTH(bum_over_the_rate_is_told_and_asking_takes_no_token),
		BOTH(what_is_none_of_the_tunnels_is_left_to_the_host),
		BOTH(every_drop_on_an_access_port_is_told_by_its_reason),
		BOTH(every_drop_on_an_underlay_port_is_told_by_its_reason),
		BOTH(a_missing_row_is_told_with_its_key),
		BOTH(frames_beyond_a_page_are_judged_by_their_whole_length),
		BOTH(tables_that_change_are_asked_as_they_are_now),
		BOTH(damaged_frames_of_all_kinds_fare_live_as_why_says),
	};

	if (geteuid() != 0) {
		puts("skipped: needs root");
		return 0;
	}
	dpw_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
