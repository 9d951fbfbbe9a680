/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames that mean harm: of every length, of random bytes, and good ones with bytes changed.  Each
 * is forwarded, given to the host, or lost under exactly one reason (dp_run() checks that); none of
 * them gets a foreign source past the filter.
 */
#include "bpf/suite.h"
#include "lib/share.h"

#include <stdlib.h>

enum { RANDOM_FRAMES = 20000, SEED = 20180501 };

static void try_all(enum dp_mode mode, const struct frame *f)
{
	if (!dp_runs(mode, f))
		return;
	dp_run(&dp, mode, DP_ACCESS, IF_A0, f);
	dp_run(&dp, mode, DP_UNDERLAY, IF_U0, f);
}

static void frames_of_every_length_have_exactly_one_fate(void **state)
{
	struct frame inner = FRAME(eth(.dst = MAC_1, .src = MAC_R), bytes(100));
	struct frame whole[] = {
		FRAME(eth(.dst = MAC_R, .src = MAC_1), vlan(.vid = 10), ipv4(.src = "10.0.0.1"),
		      tcp(), bytes(100)),
		FRAME(eth(.dst = MAC_R, .src = MAC_1), vlan(.vid = 10), ipv4(.dst = "1.2.3.4"),
		      udp(.sport = 68, .dport = 67), bytes(100)),
		FRAME(eth(.dst = MAC_R, .src = MAC_1), vlan(.vid = 10), ipv6(.src = "fd00::1"),
		      ext(.kind = 0, .words = 2), ext(.kind = 44), nd(.type = 136), bytes(60)),
		FRAME(eth(.dst = MAC_R, .src = MAC_1), vlan(.vid = 10), ipv6(.src = "fd00::1"),
		      nd(.type = 136, .target = "fd00::1", .opt = 2, .opt_mac = MAC_1,
			 .nonce_first = true),
		      bytes(60)),
		FRAME(eth(.dst = MAC_R, .src = MAC_1), vlan(.vid = 10),
		      arp(.sender_mac = MAC_1, .sender_ip = "10.0.0.1"), bytes(80)),
		FRAME(eth(.dst = MAC_R, .src = MAC_1), vlan(.vid = 10, .type = 100),
		      text("\xaa\xaa\x03"), bytes(120)),
		FRAME(eth(.dst = MAC_R, .src = MAC_1), vlan(.vid = 10), vlan(.vid = 10),
		      bytes(120)),
		FRAME(eth(.dst = MAC_2, .src = MAC_1), vlan(.vid = 10), bytes(120)),
		FRAME(eth(.dst = MAC_ALL, .src = MAC_1), vlan(.vid = 10), bytes(120)),
		dp_tunnel(IP_VTEP, IP_NVE, VNI_7, 50000, &inner),
	};

	for (size_t i = 0; i < sizeof(whole) / sizeof(*whole); i++) {
		for (size_t len = 0; len <= 128; len++) {
			struct frame f = whole[i];

			f.len = len;
			try_all(MODE, &f);
		}
	}
}

static void a_cut_arp_or_ip_header_is_SHORT(void **state)
{
	struct frame f = FRAME(eth(.dst = MAC_R, .src = MAC_1), vlan(.vid = 10),
			       arp(.sender_mac = MAC_1, .sender_ip = "10.0.0.1"));
	struct frame ip6 = FRAME(eth(.dst = MAC_R, .src = MAC_1), vlan(.vid = 10),
				 ipv6(.src = "fd00::1"), nd(.type = 136, .target = "fd00::1"));

	for (f.len = 18; f.len < 18 + 28; f.len++)
		dp_loses(&dp, MODE, DP_ACCESS, IF_A0, &f, NVE_DROP_SHORT);
	for (ip6.len = 18; ip6.len < 18 + 64; ip6.len++)
		dp_loses(&dp, MODE, DP_ACCESS, IF_A0, &ip6, NVE_DROP_SHORT);
}

static void random_bytes_have_exactly_one_fate(void **state)
{
	int frames = test_share(RANDOM_FRAMES);
	struct frame f = { 0 };

	srandom(SEED);
	for (int i = 0; i < frames; i++) {
		f.len = 14 + random() % 200;
		for (size_t k = 0; k < f.len; k++)
			f.bytes[k] = random();
		if (i % 2) /* half of them get as far as the tag */
			memcpy(f.bytes + 12, "\x81\x00\x00\x0a", 4);
		if (i % 4 == 1) { /* and these past the source MAC */
			dp_mac(f.bytes + 6, MAC_1);
			memcpy(f.bytes + 16, random() % 2 ? "\x08\x06" : "\x86\xdd", 2);
		}
		try_all(MODE, &f);
	}
}

/* A model of the filter, the other way round: what came out must bear the TSI's own addresses. */
static bool is_honest(const struct frame *f)
{
	const uint8_t *l3 = f->bytes + 18;
	static const uint8_t ip6[16] = { 0xfd, [15] = 1 }, any[16];
	uint8_t mac[6];

	dp_mac(mac, MAC_1);
	if (memcmp(f->bytes + 6, mac, 6))
		return false;
	switch (f->bytes[16] << 8 | f->bytes[17]) {
	case 0x0800:
		return !memcmp(l3 + 12, "\x0a\x00\x00\x01", 4) ||
		       (!memcmp(l3 + 12, any, 4) && l3[9] == 17);
	case 0x0806:
		return !memcmp(l3 + 8, mac, 6) &&
		       (!memcmp(l3 + 14, "\x0a\x00\x00\x01", 4) ||
			(!memcmp(l3 + 14, any, 4) && !memcmp(l3 + 24, "\x0a\x00\x00\x01", 4)));
	case 0x86dd:
		if (l3[6] == 58 && l3[40] == 136 && memcmp(l3 + 48, ip6, 16))
			return false;
		return !memcmp(l3 + 8, ip6, 16) || !memcmp(l3 + 8, any, 16);
	default:
		return true;
	}
}

static void changed_bytes_never_get_a_foreign_source_past_the_filter(void **state)
{
	const struct frame good[] = {
		FRAME(eth(.dst = MAC_R, .src = MAC_1), vlan(.vid = 10), ipv4(.src = "10.0.0.1"),
		      udp(.sport = 68, .dport = 67), bytes(40)),
		FRAME(eth(.dst = MAC_R, .src = MAC_1), vlan(.vid = 10),
		      arp(.sender_mac = MAC_1, .sender_ip = "10.0.0.1", .target_ip = "10.0.0.1")),
		FRAME(eth(.dst = MAC_R, .src = MAC_1), vlan(.vid = 10), ipv6(.src = "fd00::1"),
		      nd(.type = 136, .target = "fd00::1", .opt = 2, .opt_mac = MAC_1)),
		FRAME(eth(.dst = MAC_R, .src = MAC_1), vlan(.vid = 10), ipv6(.src = "fd00::1"),
		      ext(.kind = 60), udp(), bytes(40)),
	};
	int sent = 0, lost = 0, frames = test_share(RANDOM_FRAMES);

	srandom(SEED + 1);
	for (int i = 0; i < frames; i++) {
		struct frame f = good[i % 4];
		struct dp_outcome o;

		for (long n = 1 + random() % 3; n--;)
			f.bytes[6 + random() % (f.len - 6)] = random() % 4 ? random() : 0;
		o = dp_run(&dp, MODE, DP_ACCESS, IF_A0, &f);
		if (o.fate == DP_SENT)
			assert_true(is_honest(&f));
		sent += o.fate == DP_SENT;
		lost += o.fate == DP_LOST;
	}
	/* Both happen, or the test shows nothing. */
	assert_in_range(sent, frames / 10, frames);
	assert_in_range(lost, frames / 10, frames);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(frames_of_every_length_have_exactly_one_fate),
		BOTH(a_cut_arp_or_ip_header_is_SHORT),
		BOTH(random_bytes_have_exactly_one_fate),
		BOTH(changed_bytes_never_get_a_foreign_source_past_the_filter),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
