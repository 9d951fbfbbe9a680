/* SPDX-License-Identifier: Apache-2.0 */
/* Gleaning (S46, D8): which source addresses are told to the agent, how often, and what is not. */
#include "bpf/suite.h"

#include <arpa/inet.h>
#include <bpf/libbpf.h>
#include <stdlib.h>
#include <time.h>

#include "nve.skel.h"

#define IP(a)  ipv4(.src = a, .dst = "10.0.0.9")
#define SEC_NS 1000000000ull

static struct nve_glean_event told[512];
static unsigned int n_told;
static struct ring_buffer *ring;

static int take(void *arg, void *data, size_t size)
{
	(void)arg;
	assert_int_equal(size, sizeof(told[0]));
	if (n_told < 512)
		told[n_told] = *(struct nve_glean_event *)data;
	n_told++;
	return 0;
}

static unsigned int events(void)
{
	if (!ring)
		ring = ring_buffer__new(bpf_map__fd(dp.skel->maps.nve_events), take, NULL, NULL);
	assert_non_null(ring);
	n_told = 0;
	assert_true(ring_buffer__consume(ring) >= 0);
	return n_told;
}

static uint64_t counted(enum nve_answer kind)
{
	uint64_t values[256], sum = 0;
	uint32_t key = kind;

	dp_get(&dp, "answers", &key, values);
	for (int i = 0; i < libbpf_num_possible_cpus(); i++)
		sum += values[i];
	return sum;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return t.tv_sec * SEC_NS + t.tv_nsec;
}

static void set_feature(uint32_t slot, uint8_t features)
{
	struct nve_tsi_row row;

	dp_get(&dp, "tsi", &slot, &row);
	row.features = features;
	dp_set(&dp, "tsi", &slot, &row);
}

/* TSI 5 at the same place as TSI 1, without addresses; a burst of so many. */
static void gleaner(uint64_t burst, uint64_t live)
{
	struct nve_tsi_row row = { .live = live,
				   .vn_id = VN_7,
				   .vni = VNI_7,
				   .ifindex = IF_A0,
				   .vid = 10,
				   .port_flags = NVE_PORT_XDP,
				   .features = NVE_TSI_GLEAN };
	struct nve_gleaner g = { .tsi = 5,
				 .every = 10 * SEC_NS,
				 .meter = { .cost = SEC_NS * 65536, .burst = SEC_NS * burst } };
	struct nve_gleaner_key vap_key = { .owner = IF_A0, .vid = 10 }, tsi_key = { .owner = 5 };
	struct nve_vap_row vap;
	uint32_t slot = 5, at = 10;

	dp_set(&dp, "tsi", &slot, &row);
	dp_get(&dp, "vap", &at, &vap);
	vap.glean = 1;
	dp_set(&dp, "vap", &at, &vap);
	dp_set(&dp, "gleaner", &vap_key, &g);
	dp_set(&dp, "gleaner", &tsi_key, &g);
	events(); /* of an earlier test */
}

static struct frame from(const char *mac)
{
	return FRAME(eth(.dst = MAC_R, .src = mac), vlan(.vid = 10), IP("10.0.0.5"), bytes(30));
}

static void lost(void **state, struct frame in, enum nve_drop why)
{
	dp_loses(&dp, MODE, DP_ACCESS, IF_A0, &in, why);
}

static void an_unknown_mac_is_lost_and_told_with_its_ip(void **state)
{
	gleaner(8, NVE_TSI_LIVE);
	lost(state, from(MAC_X), NVE_DROP_GLEANING);
	assert_int_equal(dp_tsi_drops(&dp, 5, NVE_DROP_GLEANING), 1);
	assert_int_equal(events(), 1);
	assert_int_equal(told[0].tsi, 5);
	assert_int_equal(told[0].ifindex, IF_A0);
	assert_int_equal(told[0].vid, 10);
	assert_int_equal(told[0].mac[5], 0xee);
	assert_int_equal(told[0].ip[11], 0xff);
	assert_int_equal(told[0].ip[15], 5);
}

/* S46: ARP and neighbor discovery say who their sender is. */
static void arp_and_nd_tell_their_senders_ip(void **state)
{
	gleaner(8, NVE_TSI_LIVE);
	lost(state,
	     FRAME(eth(.dst = MAC_ALL, .src = MAC_X), vlan(.vid = 10),
		   arp(.sender_mac = MAC_X, .sender_ip = "10.0.0.77", .target_ip = "10.0.0.9")),
	     NVE_DROP_GLEANING);
	lost(state,
	     FRAME(eth(.dst = MAC_ALL, .src = MAC_X), vlan(.vid = 10),
		   arp(.sender_mac = MAC_X, .sender_ip = "0.0.0.0", .target_ip = "10.0.0.9")),
	     NVE_DROP_GLEANING); /* a probe claims nothing yet */
	lost(state,
	     FRAME(eth(.dst = MAC_R, .src = MAC_X), vlan(.vid = 10),
		   ipv6(.src = "fd00::77", .dst = "fd00::9"), bytes(40)),
	     NVE_DROP_GLEANING);
	assert_int_equal(events(), 3);
	assert_int_equal(told[0].ip[15], 77);
	assert_int_equal(told[1].ip[15], 0);
	assert_int_equal(told[2].ip[0], 0xfd);
	assert_int_equal(told[2].ip[15], 0x77);
}

static void what_is_malformed_or_no_unicast_source_is_not_told(void **state)
{
	gleaner(8, NVE_TSI_LIVE);
	lost(state,
	     FRAME(eth(.dst = MAC_ALL, .src = MAC_X), vlan(.vid = 10),
		   arp(.sender_mac = MAC_1, .sender_ip = "10.0.0.77", .target_ip = "10.0.0.9")),
	     NVE_DROP_SRC_ARP);
	lost(state,
	     FRAME(eth(.dst = MAC_R, .src = MAC_X), vlan(.vid = 10), IP("224.0.0.1"), bytes(30)),
	     NVE_DROP_SRC_IP);
	lost(state,
	     FRAME(eth(.dst = MAC_R, .src = MAC_X), vlan(.vid = 10),
		   ipv6(.src = "ff02::1", .dst = "fd00::9"), bytes(40)),
	     NVE_DROP_SRC_IP);
	lost(state, from(MAC_GROUP), NVE_DROP_SRC_MAC);
	lost(state, from("00:00:00:00:00:00"), NVE_DROP_SRC_MAC);
	lost(state,
	     FRAME(eth(.dst = MAC_R, .src = MAC_X, .type = 0), vlan(.vid = 10, .type = 0x0806),
		   bytes(10)),
	     NVE_DROP_SHORT);
	assert_int_equal(events(), 0);
}

static void unknown_macs_are_told_no_faster_than_their_rate_and_all_are_counted(void **state)
{
	uint64_t limited = counted(NVE_ANSWER_GLEAN_LIMITED), n = counted(NVE_ANSWER_GLEAN_TOLD);
	char mac[18];

	gleaner(3, NVE_TSI_LIVE);
	for (int i = 0; i < 20; i++) {
		snprintf(mac, sizeof(mac), "02:00:00:00:0f:%02x", i);
		lost(state, from(mac), NVE_DROP_GLEANING);
	}
	assert_in_range(events(), 3, 4); /* a second may have gone by */
	assert_int_equal(counted(NVE_ANSWER_GLEAN_TOLD) - n, n_told);
	assert_int_equal(counted(NVE_ANSWER_GLEAN_LIMITED) - limited, 20 - n_told);
	assert_int_equal(dp_tsi_drops(&dp, 5, NVE_DROP_GLEANING), 20);
}

static void a_gleaner_that_is_not_activated_or_elsewhere_gets_nothing(void **state)
{
	struct nve_tsi_row row;
	uint32_t slot = 5;

	gleaner(8, 0);
	lost(state, from(MAC_X), NVE_DROP_SRC_INACTIVE);
	dp_get(&dp, "tsi", &slot, &row);
	row.live = NVE_TSI_LIVE;
	row.vid = 11;
	dp_set(&dp, "tsi", &slot, &row);
	lost(state, from(MAC_X), NVE_DROP_SRC_MAC);
	assert_int_equal(events(), 0);
}

static void a_signaled_tsi_beside_it_is_neither_told_nor_lost(void **state)
{
	struct frame in =
		FRAME(eth(.dst = MAC_R, .src = MAC_1), vlan(.vid = 10), IP("10.0.0.1"), bytes(30));

	gleaner(8, NVE_TSI_LIVE);
	assert_int_equal(dp_run(&dp, MODE, DP_ACCESS, IF_A0, &in).fate, DP_SENT);
	assert_int_equal(events(), 0);
}

/* A known address is told again after its time, and by a new IP of its MAC at once. */
static void a_known_address_is_told_again_only_after_its_time(void **state)
{
	struct nve_src src = { .tsi = 5, .mac = 1 };
	struct nve_gleaned_key key = { .tsi = 5 };
	struct nve_gleaned known = { .told = now_ns() };
	struct frame in = from(MAC_X);

	gleaner(8, NVE_TSI_LIVE);
	dp_mac(key.mac, MAC_X);
	key.ip[10] = key.ip[11] = 0xff;
	memcpy(key.ip + 12, (uint8_t[]){ 10, 0, 0, 5 }, 4);
	dp_set(&dp, "src", &(struct nve_src_key[]){ dp_src_key(IF_A0, 10, MAC_X) }, &src);
	dp_set(&dp, "gleaned", &key, &known);
	assert_int_equal(dp_run(&dp, MODE, DP_ACCESS, IF_A0, &in).fate, DP_SENT);
	assert_int_equal(events(), 0);
	known.told -= 11 * SEC_NS;
	dp_set(&dp, "gleaned", &key, &known);
	for (int i = 0; i < 3; i++)
		assert_int_equal(dp_run(&dp, MODE, DP_ACCESS, IF_A0, &in).fate, DP_SENT);
	assert_int_equal(events(), 1);
	assert_int_equal(told[0].ip[15], 5);
	in = FRAME(eth(.dst = MAC_R, .src = MAC_X), vlan(.vid = 10), IP("10.0.0.6"), bytes(30));
	assert_int_equal(dp_run(&dp, MODE, DP_ACCESS, IF_A0, &in).fate, DP_SENT);
	assert_int_equal(events(), 1);
	assert_int_equal(told[0].ip[15], 6);
	set_feature(5, 0);
	assert_int_equal(dp_run(&dp, MODE, DP_ACCESS, IF_A0, &in).fate, DP_SENT);
	assert_int_equal(events(), 0);
}

/* A full ring loses events, and says how many; frames are treated as before. */
static void events_that_find_the_ring_full_are_counted_as_lost(void **state)
{
	uint64_t was = counted(NVE_ANSWER_GLEAN_LOST);
	unsigned int n = 256 * 1024 / 40 + 10;
	struct frame in = from(MAC_X);

	gleaner(1 << 20, NVE_TSI_LIVE);
	for (unsigned int i = 0; i < n; i++)
		assert_int_equal(dp_run(&dp, MODE, DP_ACCESS, IF_A0, &in).why, NVE_DROP_GLEANING);
	assert_true(counted(NVE_ANSWER_GLEAN_LOST) > was);
	assert_int_equal(events() + counted(NVE_ANSWER_GLEAN_LOST) - was, n);
}

static int end(void **state)
{
	ring_buffer__free(ring);
	return close_all(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(an_unknown_mac_is_lost_and_told_with_its_ip),
		BOTH(arp_and_nd_tell_their_senders_ip),
		BOTH(what_is_malformed_or_no_unicast_source_is_not_told),
		BOTH(unknown_macs_are_told_no_faster_than_their_rate_and_all_are_counted),
		BOTH(a_gleaner_that_is_not_activated_or_elsewhere_gets_nothing),
		BOTH(a_signaled_tsi_beside_it_is_neither_told_nor_lost),
		BOTH(a_known_address_is_told_again_only_after_its_time),
		BOTH(events_that_find_the_ring_full_are_counted_as_lost),
	};

	return cmocka_run_group_tests(tests, open_all, end);
}
