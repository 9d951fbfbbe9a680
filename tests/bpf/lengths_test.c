/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames of every length from 0 to 128 bytes through every program: good headers of each kind cut
 * off there, the headers followed by rubbish up to there, and rubbish alone.  Each frame has one
 * fate: it is forwarded, it is the host's, or it is lost and counted under one reason.
 *
 * What cannot be: a frame of less than 14 bytes.  The kernel takes none from a wire of any kind,
 * nor for a test run; a test below holds that.  For a test run TC's frames must have a whole IP
 * header too; those that have not are sent over a wire.
 */
#include "bpf/suite.h"
#include "lib/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "nve.skel.h"

enum { LONGEST = 128, SEED = 8926, KINDS_MAX = 24 };

#define IP_VTEP6 "2001:db8::2"
#define TENANT   eth(.dst = MAC_R, .src = MAC_1), vlan(.vid = 10)
#define IN       eth(.dst = MAC_NVE, .src = MAC_HOP)
#define IN4      ipv4(.src = IP_VTEP, .dst = IP_NVE)
#define IN6      ipv6(.src = IP_VTEP6, .dst = IP_NVE6, .hops = 64)
#define VXLAN    udp(.sport = 50000, .dport = 4789, .no_check = true), vxlan(.vni = VNI_7)
#define GENEVE(n)                                                                                  \
	udp(.sport = 50000, .dport = 6081, .no_check = true), geneve(.vni = VNI_8, .words = (n))

/* --- kinds of frames -------------------------------------------------------------------------- */

static size_t access_kinds(struct frame *f)
{
	struct frame kinds[] = {
		FRAME(TENANT, bytes(120)),
		FRAME(TENANT, ipv4(.src = "10.0.0.1"), tcp(), bytes(100)),
		FRAME(TENANT, ipv4(.src = "10.0.0.1", .ihl = 15), udp(), bytes(60)),
		FRAME(TENANT, ipv4(), udp(.sport = 68, .dport = 67), bytes(100)),
		FRAME(TENANT, ipv6(.src = "fd00::1"), udp(), bytes(100)),
		FRAME(TENANT, ipv6(.src = "fd00::1"), ext(.kind = 0, .words = 2), ext(.kind = 44),
		      nd(.type = 136), bytes(60)),
		FRAME(TENANT, ipv6(.src = "fd00::1"),
		      nd(.type = 136, .target = "fd00::1", .opt = 2, .opt_mac = MAC_1,
			 .nonce_first = true),
		      bytes(60)),
		FRAME(TENANT, ipv6(), nd(.type = 135, .target = "fd00::1"), bytes(60)),
		FRAME(TENANT, arp(.sender_mac = MAC_1, .sender_ip = "10.0.0.1"), bytes(90)),
		FRAME(TENANT, arp(.sender_mac = MAC_1, .rarp = true), bytes(90)),
		FRAME(eth(.dst = MAC_R, .src = MAC_1), vlan(.vid = 10, .type = 100),
		      raw("\xaa\xaa\x03", 3), bytes(120)),
		FRAME(TENANT, vlan(.vid = 10), bytes(110)),
		FRAME(eth(.dst = MAC_2, .src = MAC_1), vlan(.vid = 10), bytes(120)),
		FRAME(eth(.dst = MAC_ALL, .src = MAC_1), vlan(.vid = 10), bytes(120)),
		FRAME(eth(.dst = MAC_R, .src = MAC_1), bytes(120)),
		FRAME(eth(.dst = MAC_R, .src = MAC_1), vlan(.tpid = 0x88a8, .vid = 10), bytes(120)),
	};

	memcpy(f, kinds, sizeof(kinds));
	return sizeof(kinds) / sizeof(*kinds);
}

static size_t underlay_kinds(struct frame *f)
{
	/* Whole within the lengths that are tried: what is beyond is a trailer. */
	struct frame to_1 = FRAME(eth(.dst = MAC_1, .src = MAC_R), ipv4(.dst = "10.0.0.1"),
				  udp(.sport = 9, .dport = 9), bytes(4));
	struct frame to_3 = FRAME(eth(.dst = MAC_3, .src = MAC_R), bytes(12));
	struct frame to_all = FRAME(eth(.dst = MAC_ALL, .src = MAC_R), bytes(30));
	struct frame on = FRAME(eth(.dst = MAC_R, .src = MAC_X), bytes(30));
	struct frame kinds[] = {
		WRAP(&to_1, IN, IN4, VXLAN),
		WRAP(&to_1, IN, IN6, VXLAN),
		WRAP(&to_3, IN, IN4, GENEVE(0)),
		WRAP(&to_3, IN, IN6, GENEVE(0)),
		WRAP(&to_3, IN, IN4, GENEVE(3), raw("\0\0\1\2\0\0\0\0\0\0\0", 12)),
		WRAP(&to_3, IN, IN6, GENEVE(3), raw("\0\0\1\2\0\0\0\0\0\0\0", 12)),
		WRAP(&to_3, IN, IN4, GENEVE(63), bytes(252)),
		WRAP(&to_3, IN, IN6, GENEVE(2), raw("\0\0\x80\1\0\0\0", 8)),
		WRAP(&to_all, IN, IN4, VXLAN),
		WRAP(&to_all, IN, IN6, VXLAN),
		WRAP(&on, IN, ipv4(.src = "192.0.2.3", .dst = IP_NVE), VXLAN),
		WRAP(&on, IN, IN6, VXLAN),
		WRAP(&to_1, IN, ipv4(.src = IP_VTEP, .dst = IP_NVE, .ihl = 15), VXLAN),
		FRAME(IN, arp(.sender_mac = MAC_HOP, .sender_ip = IP_VTEP), bytes(90)),
		FRAME(IN, vlan(.vid = 5), bytes(110)),
		FRAME(IN, bytes(114)),
	};

	memcpy(f, kinds, sizeof(kinds));
	return sizeof(kinds) / sizeof(*kinds);
}

/* VN 8 is Geneve; both have a peer in IPv6, and members to flood to. */
static int fill(void **state)
{
	struct nve_flood flood = { .n = 2,
				   .vni = VNI_7,
				   .members = { { .slot = 10, .kind = NVE_DEST_TSI },
						{ .slot = 0, .kind = NVE_DEST_VTEP } } };
	struct nve_peer seven = { .vn_id = VN_7 };
	struct nve_peer eight = { .vn_id = VN_8, .tunnel = NVE_TUNNEL_GENEVE };
	struct nve_peer_key any = { .vni = VNI_8 };

	refill(state);
	dp_set(&dp, "flood", &(uint32_t){ VN_7 }, &flood);
	dp_set(&dp, "peer", &(struct nve_peer_key[]){ dp_peer_key(VNI_7, IP_VTEP6) }, &seven);
	dp_set(&dp, "peer", &any, &eight);
	dp_set(&dp, "peer", &(struct nve_peer_key[]){ dp_peer_key(VNI_8, IP_VTEP6) }, &eight);
	dp_set(&dp, "peer", &(struct nve_peer_key[]){ dp_peer_key(VNI_8, IP_VTEP) }, &eight);
	srandom(SEED);
	return 0;
}

static void rubbish(struct frame *f, size_t from)
{
	for (size_t i = from; i < LONGEST; i++)
		f->bytes[i] = random();
}

/* --- by test runs ----------------------------------------------------------------------------- */

struct fates {
	unsigned int sent, host, lost, skipped;
};

/* dp_run() fails the test unless a frame that is lost is counted once. */
static void try_one(enum dp_mode mode, enum dp_side side, const struct frame *f, struct fates *n)
{
	struct dp_outcome o;

	if (!dp_runs(mode, f)) {
		n->skipped++;
		return;
	}
	o = dp_run(&dp, mode, side, side == DP_ACCESS ? IF_A0 : IF_U0, f);
	n->sent += o.fate == DP_SENT || o.fate == DP_FLOODED;
	n->host += o.fate == DP_HOST;
	n->lost += o.fate == DP_LOST;
}

static void try_all(enum dp_mode mode, enum dp_side side, const struct frame *kinds, size_t n,
		    struct fates *fates)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t len = 14; len <= LONGEST; len++) {
			struct frame f = kinds[i];

			f.len = len;
			try_one(mode, side, &f, fates);
			/* The same with all but the beginning rubbish, where a header may end. */
			f.len = LONGEST;
			rubbish(&f, len);
			try_one(mode, side, &f, fates);
		}
	}
}

static void every_cut_and_spoilt_header_has_one_fate_at_an_access_port(void **state)
{
	struct frame kinds[KINDS_MAX];
	struct fates n = { 0 };

	try_all(MODE, DP_ACCESS, kinds, access_kinds(kinds), &n);
	assert_in_range(n.sent, 500, 10000);
	assert_in_range(n.lost, 500, 10000);
	assert_int_equal(n.skipped, 0);
}

static void every_cut_and_spoilt_header_has_one_fate_at_an_underlay_port(void **state)
{
	struct frame kinds[KINDS_MAX];
	struct fates n = { 0 };

	try_all(MODE, DP_UNDERLAY, kinds, underlay_kinds(kinds), &n);
	assert_in_range(n.sent, 100, 10000);
	assert_in_range(n.lost, 500, 10000);
	assert_in_range(n.host, 500, 10000);
	assert_in_range(n.skipped, 0, MODE == DP_TC ? 1000 : 0);
}

static void rubbish_of_every_length_has_one_fate(void **state)
{
	struct fates n = { 0 };
	struct frame f = { 0 };

	for (size_t len = 14; len <= LONGEST; len++) {
		for (int i = 0; i < 8; i++) {
			rubbish(&f, 0);
			if (i % 2)
				memcpy(f.bytes + 12, (uint8_t[]){ 0x81, 0, 0, 10 }, 4);
			f.len = len;
			try_one(MODE, DP_ACCESS, &f, &n);
			if (i % 2)
				memcpy(f.bytes + 12, i % 4 == 1 ? "\x08\x00\x45" : "\x86\xdd\x60",
				       3);
			try_one(MODE, DP_UNDERLAY, &f, &n);
		}
	}
	assert_in_range(n.lost, 500, 10000);
	assert_in_range(n.host, 100, 10000);
}

/* --- by wires --------------------------------------------------------------------------------- */

struct near {
	struct wire wire;
	int host; /* frames that u0 gives to the host's stack, behind the programs */
	uint64_t drops;
};

/* One socket a protocol: those of all protocols are asked before the programs. */
static int listen_behind(uint16_t protocol)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(protocol),
				  .sll_ifindex = IF_U0 };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	assert_return_code(fd, errno);
	assert_return_code(bind(fd, (struct sockaddr *)&at, sizeof(at)), errno);
	return fd;
}

static unsigned int take(int fd)
{
	uint8_t bytes[FRAME_MAX];
	unsigned int n = 0;

	while (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) >= 0)
		n++;
	assert_int_equal(errno, EAGAIN);
	return n;
}

static uint64_t all_drops(void)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < NVE_DROP_COUNT; i++)
		sum += dp_drops(&dp, i);
	return sum;
}

/* Frames that came out, were counted as lost, or went to the host, since the last call. */
static unsigned int fates_of(struct near *n)
{
	uint64_t drops = all_drops();
	unsigned int sum = drops - n->drops + take(n->host);

	n->drops = drops;
	for (int i = 0; i < WIRES; i++)
		sum += take(n->wire.fd[i]);
	return sum;
}

static void one_fate(struct near *n, int wire, const struct frame *f)
{
	unsigned int sum = 0;

	wire_send(&n->wire, wire, f);
	for (int ms = 0; !sum && ms < 2000; ms++) {
		sum = fates_of(n);
		if (!sum)
			poll(NULL, 0, 1);
	}
	if (sum != 1)
		fail_msg("%u fates of %zu bytes at wire %d", sum, f->len, wire);
}

static void cut_frames_of_hypervisors_have_one_fate_on_a_wire_too(void **state)
{
	struct frame kinds[KINDS_MAX];
	struct near n = { .host = listen_behind(ETH_P_IP) };

	wire_open(&n.wire, &dp, MODE);
	fates_of(&n);
	for (size_t i = 0, end = access_kinds(kinds); i < end; i++) {
		if (!memcmp(kinds[i].bytes, (uint8_t[6]){ 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, 6))
			continue; /* has several fates */
		/* From a wire the kernel takes the tag out, and needs 20 bytes for that. */
		for (size_t len = 20; len <= LONGEST; len++) {
			struct frame f = kinds[i];

			f.len = len;
			one_fate(&n, WIRE_A0, &f);
		}
	}
	close(n.host);
	wire_close(&n.wire);
}

static void cut_ip_headers_on_the_underlay_have_one_fate(void **state)
{
	struct frame kinds[KINDS_MAX];
	struct near n = { 0 };

	wire_open(&n.wire, &dp, MODE);
	for (size_t i = 0, end = underlay_kinds(kinds); i < end; i++) {
		uint16_t type = kinds[i].bytes[12] << 8 | kinds[i].bytes[13];

		if (type != ETH_P_IP && type != ETH_P_IPV6)
			continue;
		n.host = listen_behind(type);
		fates_of(&n);
		for (size_t len = 14; len <= LONGEST; len++) {
			struct frame f = kinds[i];

			f.len = len;
			one_fate(&n, WIRE_U0, &f);
		}
		close(n.host);
	}
	wire_close(&n.wire);
}

/* --- what is shorter -------------------------------------------------------------------------- */

static int open_tap(void)
{
	struct ifreq req = { .ifr_flags = IFF_TAP | IFF_NO_PI, .ifr_name = "t0" };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	assert_return_code(fd, errno);
	assert_return_code(ioctl(fd, TUNSETIFF, &req), errno);
	assert_int_equal(system("ip link set t0 up"), 0);
	return fd;
}

static void the_kernel_takes_no_frame_shorter_than_an_ethernet_header(void **state)
{
	struct frame f = FRAME(eth(.dst = MAC_R, .src = MAC_1));
	struct bpf_program *programs[] = { dp.skel->progs.xdp_access, dp.skel->progs.xdp_underlay,
					   dp.skel->progs.tc_access, dp.skel->progs.tc_underlay };
	int tap = open_tap();
	struct wire w;

	wire_open(&w, &dp, MODE);
	for (size_t len = 0; len < 14; len++) {
		LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = f.bytes,
			    .data_size_in = (uint32_t)len);

		for (int i = 0; i < 4; i++)
			assert_int_equal(
				bpf_prog_test_run_opts(bpf_program__fd(programs[i]), &opts),
				-EINVAL);
		assert_int_equal(send(w.fd[WIRE_A0], f.bytes, len, 0), -1);
		assert_int_equal(errno, EINVAL);
		if (!len) /* nothing at all is not even a write */
			continue;
		assert_int_equal(write(tap, f.bytes, len), -1);
		assert_int_equal(errno, EINVAL);
	}
	close(tap);
	wire_close(&w);
}

#define BOTH_FILLED(f)                                                                             \
	{ #f " [xdp]", f, fill, NULL, &modes[0] },                                                 \
	{                                                                                          \
#f " [tc]", f, fill, NULL, &modes[1]                                               \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH_FILLED(every_cut_and_spoilt_header_has_one_fate_at_an_access_port),
		BOTH_FILLED(every_cut_and_spoilt_header_has_one_fate_at_an_underlay_port),
		BOTH_FILLED(rubbish_of_every_length_has_one_fate),
		BOTH_FILLED(cut_frames_of_hypervisors_have_one_fate_on_a_wire_too),
		BOTH_FILLED(cut_ip_headers_on_the_underlay_have_one_fate),
		BOTH_FILLED(the_kernel_takes_no_frame_shorter_than_an_ethernet_header),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
