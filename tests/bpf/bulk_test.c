/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Real TCP between two hosts through two NVEs, with ARP, ND, and in TC mode all offloads on.
 *
 *	host 1: a0x ---- a0 [NVE 1] u0 ==== u0x [NVE 2] a1 ---- a1x :host 2
 *	10.0.0.1, fd00::1  vid 10    192.0.2.1   192.0.2.2    vid 20  10.0.0.9, fd00::9
 *
 * Passes when: what is sent arrives, byte for byte, in both directions; in TC mode in frames that
 * that on average no link could carry (segmentation is left to whom it costs least); in XDP mode at
 *all.
 */
#include "bpf/suite.h"
#include "lib/wire.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BULK = 24 << 20, CHUNK = 64 << 10, WAIT_S = 20, PORT = 5001 };

static struct dp far_dp;
static int home, host[2]; /* network namespaces */

static const char *const addresses[2][2] = { { "10.0.0.1", "10.0.0.9" }, { "fd00::1", "fd00::9" } };

static void enter(int ns)
{
	assert_return_code(setns(ns, CLONE_NEWNET), errno);
}

static int this_ns(void)
{
	int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	assert_return_code(fd, errno);
	return fd;
}

__attribute__((format(printf, 1, 2))) static void shell(const char *format, ...)
{
	char command[512];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	if (system(command))
		fail_msg("failed: %s", command);
}

/* A program of two instructions' worth: push this tag, or (vid 0) pop one. */
static int tag_program(uint16_t vid)
{
	const struct bpf_insn push[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 2, .imm = htons(0x8100) },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 3, .imm = vid },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_skb_vlan_push },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	const struct bpf_insn pop[] = {
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_skb_vlan_pop },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "tag", "GPL", vid ? push : pop, vid ? 5 : 3,
			       NULL);

	assert_return_code(fd, errno);
	return fd;
}

/* What a hypervisor's switch does: tags out, untags in. */
static void tag_at(uint32_t ifindex, uint16_t vid)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_EGRESS);
	LIBBPF_OPTS(bpf_tc_opts, out, .prog_fd = tag_program(vid), .handle = 1, .priority = 1);
	LIBBPF_OPTS(bpf_tc_opts, in, .prog_fd = tag_program(0), .handle = 1, .priority = 1);

	assert_int_equal(bpf_tc_hook_create(&hook), 0);
	assert_int_equal(bpf_tc_attach(&hook, &out), 0);
	hook.attach_point = BPF_TC_INGRESS;
	assert_int_equal(bpf_tc_attach(&hook, &in), 0);
	close(out.prog_fd);
	close(in.prog_fd);
}

static int make_host(const char *link, uint32_t ifindex, uint16_t vid, const char *mac, int which)
{
	int ns;

	assert_return_code(unshare(CLONE_NEWNET), errno);
	ns = this_ns();
	enter(home);
	shell("ip link set %s netns /proc/%d/fd/%d", link, getpid(), ns);
	enter(ns);
	shell("echo 0 >/proc/sys/net/ipv6/conf/%s/disable_ipv6", link);
	shell("ip link set %s address %s mtu 1500 up", link, mac);
	shell("ip addr add %s/24 dev %s", addresses[0][which], link);
	shell("ip addr add %s/64 dev %s nodad", addresses[1][which], link);
	tag_at(ifindex, vid);
	enter(home);
	return ns;
}

/* The other NVE: its rows mirror those of the first. */
static void fill_far(void)
{
	struct nve_tsi_row tsi = { .live = NVE_TSI_LIVE,
				   .vn_id = VN_7,
				   .vni = VNI_7,
				   .ifindex = IF_A1,
				   .vid = 20,
				   .port = 1,
				   .port_flags = NVE_PORT_XDP };
	struct nve_vap_row vap = {
		.vn_id = VN_7, .n_activated = 1, .ifindex = IF_A1, .state = NVE_VAP_LIVE
	};
	struct nve_src src = { .tsi = TSI_2,
			       .mac = 1,
			       .flags = NVE_SRC_FILTER_IP | NVE_SRC_IP4 | NVE_SRC_IP6,
			       .ip4 = inet_addr("10.0.0.9"),
			       .ip6 = { 0xfd, [15] = 9 } };
	struct nve_flood flood = { .n = 2,
				   .vni = VNI_7,
				   .members = {
					   { .slot = NVE_VID_COUNT + 20, .kind = NVE_DEST_TSI },
					   { .slot = 0, .kind = NVE_DEST_VTEP } } };

	dp_set(&far_dp, "tsi", &(uint32_t){ TSI_2 }, &tsi);
	dp_set(&far_dp, "vap", &(uint32_t){ NVE_VID_COUNT + 20 }, &vap);
	dp_set(&far_dp, "src", &(struct nve_src_key[]){ dp_src_key(IF_A1, 20, MAC_R) }, &src);
	dp_set(&far_dp, "fdb", &(struct nve_fdb_key[]){ dp_fdb_key(VN_7, MAC_R) },
	       &(struct nve_fdb){ .first = { .slot = TSI_2, .kind = NVE_DEST_TSI } });
	dp_set(&far_dp, "fdb", &(struct nve_fdb_key[]){ dp_fdb_key(VN_7, MAC_1) },
	       &(struct nve_fdb){ .first = { .slot = 0, .kind = NVE_DEST_VTEP } });
	dp_set(&far_dp, "vtep", &(uint32_t){ 0 },
	       &(struct nve_vtep[]){ dp_vtep_from(IP_VTEP, IP_NVE, IF_U0X) });
	dp_set(&far_dp, "peer", &(struct nve_peer_key[]){ dp_peer_key(VNI_7, IP_NVE) },
	       &(struct nve_peer){ .vn_id = VN_7 });
	dp_set(&far_dp, "flood", &(uint32_t){ VN_7 }, &flood);
}

/* Its underlay carries exactly what the hosts' MTU becomes. */
static void fill_near(void)
{
	struct nve_vtep vtep = dp_vtep(IP_VTEP);
	struct nve_flood flood = { .n = 2,
				   .vni = VNI_7,
				   .members = { { .slot = 10, .kind = NVE_DEST_TSI },
						{ .slot = 0, .kind = NVE_DEST_VTEP } } };

	vtep.mtu = 1500 + 50;
	dp_set(&dp, "vtep", &(uint32_t){ 0 }, &vtep);
	dp_set(&dp, "flood", &(uint32_t){ VN_7 }, &flood);
}

static int open_two(void **state)
{
	open_all(state);
	dp_load(&far_dp, IP_VTEP);
	fill_far();
	home = this_ns();
	host[0] = make_host("a0x", IF_A0X, 10, MAC_1, 0);
	host[1] = make_host("a1x", IF_A1X, 20, MAC_R, 1);
	return 0;
}

static int close_two(void **state)
{
	for (int i = 0; i < 2; i++)
		close(host[i]);
	close(home);
	dp_close(&far_dp);
	return close_all(state);
}

static int attach_two(void **state)
{
	const char *offloads = MODE == DP_TC ? "on" : "off";
	static const char *const links[] = { "a0x", "a1x" };

	refill(state);
	fill_near();
	wire_attach(&dp, IF_A0, MODE, DP_ACCESS);
	wire_attach(&dp, IF_U0, MODE, DP_UNDERLAY);
	wire_attach(&far_dp, IF_A1, MODE, DP_ACCESS);
	wire_attach(&far_dp, IF_U0X, MODE, DP_UNDERLAY);
	for (int i = 0; i < 2; i++) {
		enter(host[i]);
		shell("ethtool -K %s gro on tx %s txvlan %s >/dev/null 2>&1", links[i], offloads,
		      offloads);
		shell("ip neigh flush dev %s", links[i]);
	}
	enter(home);
	return 0;
}

static int detach_two(void **state)
{
	static const uint32_t ports[] = { IF_A0, IF_U0, IF_A1, IF_U0X };

	(void)state;
	for (int i = 0; i < 4; i++)
		wire_detach(ports[i]);
	return 0;
}

static socklen_t address_of(const char *text, struct sockaddr_storage *at)
{
	struct sockaddr_in *v4 = (void *)at;
	struct sockaddr_in6 *v6 = (void *)at;

	memset(at, 0, sizeof(*at));
	if (strchr(text, ':')) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(PORT);
		assert_int_equal(inet_pton(AF_INET6, text, &v6->sin6_addr), 1);
		return sizeof(*v6);
	}
	v4->sin_family = AF_INET;
	v4->sin_port = htons(PORT);
	assert_int_equal(inet_pton(AF_INET, text, &v4->sin_addr), 1);
	return sizeof(*v4);
}

static int tcp_socket(int family)
{
	struct timeval wait = { .tv_sec = WAIT_S };
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	assert_return_code(fd, errno);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	return fd;
}

/* Byte 'at' of the stream: no two places near each other look alike. */
static uint8_t pattern(size_t at)
{
	return at ^ at >> 8 ^ at >> 16;
}

static void send_bulk(const struct sockaddr_storage *to, socklen_t len)
{
	static uint8_t chunk[CHUNK];
	int fd = tcp_socket(to->ss_family);

	if (connect(fd, (const struct sockaddr *)to, len))
		_exit(1);
	for (size_t done = 0; done < BULK;) {
		ssize_t n;

		for (size_t i = 0; i < CHUNK; i++)
			chunk[i] = pattern(done + i);
		n = send(fd, chunk, CHUNK, MSG_WAITALL);
		if (n <= 0)
			_exit(2);
		done += n;
	}
	_exit(close(fd));
}

static size_t receive_bulk(int listener)
{
	static uint8_t chunk[CHUNK];
	int fd = accept(listener, NULL, NULL);
	size_t done = 0;
	ssize_t n;

	assert_return_code(fd, errno);
	while ((n = recv(fd, chunk, CHUNK, 0)) > 0) {
		for (ssize_t i = 0; i < n; i++, done++)
			assert_int_equal(chunk[i], pattern(done));
	}
	assert_int_equal(n, 0);
	close(fd);
	return done;
}

/* Frames and bytes that a link of this namespace has sent. */
static void sent_by(const char *link, uint64_t *frames, uint64_t *octets)
{
	FILE *f = popen("ip -s -o link", "r");
	char line[1024], want[32], *tx;

	assert_non_null(f);
	snprintf(want, sizeof(want), ": %s@", link);
	while (fgets(line, sizeof(line), f)) {
		tx = strstr(line, want) ? strstr(line, "TX:") : NULL;
		if (tx && (tx = strchr(tx, '\\')))
			assert_int_equal(sscanf(tx + 1, "%lu %lu", octets, frames), 2);
	}
	pclose(f);
}

/* From host 'from' to the other.  Returns bytes a frame on the tunnel, on average. */
static uint64_t transfer(int from, int family)
{
	const char *link = from ? "u0x" : "u0";
	struct sockaddr_storage at;
	socklen_t len = address_of(addresses[family][!from], &at);
	uint64_t frames[2] = { 0 }, octets[2] = { 0 };
	int listener, status;
	pid_t child;

	sent_by(link, &frames[0], &octets[0]);
	enter(host[!from]);
	listener = tcp_socket(at.ss_family);
	assert_return_code(bind(listener, (struct sockaddr *)&at, len), errno);
	assert_return_code(listen(listener, 1), errno);
	enter(host[from]);
	child = fork();
	if (!child)
		send_bulk(&at, len);
	enter(home);
	assert_int_equal(receive_bulk(listener), BULK);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	close(listener);
	sent_by(link, &frames[1], &octets[1]);
	assert_true(frames[1] > frames[0]);
	return (octets[1] - octets[0]) / (frames[1] - frames[0]);
}

static void bulk_tcp_arrives_as_it_was_sent_in_both_directions(void **state)
{
	for (int family = 0; family < 2; family++) {
		for (int from = 0; from < 2; from++) {
			uint64_t size = transfer(from, family);

			if (MODE == DP_TC)
				assert_in_range(size, 1600, 100000);
			else
				assert_in_range(size, 500, 1600);
		}
	}
	assert_int_equal(dp_drops(&dp, NVE_DROP_TOO_LARGE), 0);
	assert_int_equal(dp_drops(&dp, NVE_DROP_NO_ROOM), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{ "bulk_tcp_arrives_as_it_was_sent_in_both_directions [tc]",
		  bulk_tcp_arrives_as_it_was_sent_in_both_directions, attach_two, detach_two,
		  &modes[1] },
		{ "bulk_tcp_arrives_as_it_was_sent_in_both_directions [xdp]",
		  bulk_tcp_arrives_as_it_was_sent_in_both_directions, attach_two, detach_two,
		  &modes[0] },
	};

	return cmocka_run_group_tests(tests, open_two, close_two);
}
