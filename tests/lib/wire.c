/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The programs attached, and packet sockets at the far ends.  See wire.h.
 */
#include "lib/wire.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "nve.skel.h"

enum { WAIT_MS = 5000 };

static const uint32_t near_ends[WIRES] = { IF_A0, IF_A1, IF_U0 };
static const uint32_t far_ends[WIRES] = { IF_A0X, IF_A1X, IF_U0X };

void wire_attach(struct dp *dp, uint32_t ifindex, enum dp_mode mode, enum dp_side side)
{
	struct nve *s = dp->skel;
	struct bpf_program *tc = side == DP_ACCESS ? s->progs.tc_access : s->progs.tc_underlay;
	struct bpf_program *xdp = side == DP_ACCESS ? s->progs.xdp_access : s->progs.xdp_underlay;
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = bpf_program__fd(tc), .handle = 1, .priority = 1,
		    .flags = BPF_TC_F_REPLACE);

	assert_int_equal(bpf_tc_hook_create(&hook), 0);
	assert_int_equal(bpf_tc_attach(&hook, &opts), 0);
	assert_int_equal(bpf_xdp_attach(ifindex, mode == DP_XDP ? bpf_program__fd(xdp) : -1,
					XDP_FLAGS_DRV_MODE, NULL),
			 0);
}

void wire_detach(uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex,
		    .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);

	assert_int_equal(bpf_tc_hook_destroy(&hook), 0);
	assert_int_equal(bpf_xdp_detach(ifindex, XDP_FLAGS_DRV_MODE, NULL), 0);
}

static int listen_at(uint32_t ifindex)
{
	struct sockaddr_ll at = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = ifindex,
	};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), on = 1, room = 64 << 20;

	assert_return_code(fd, errno);
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)), 0);
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)), 0);
	assert_return_code(bind(fd, (struct sockaddr *)&at, sizeof(at)), errno);
	return fd;
}

/* What XDP on veth asks of the far ends: they receive by NAPI, and send whole frames. */
static void prepare_far_ends(void)
{
	static const char *const names[WIRES] = { "a0x", "a1x", "u0x" };
	char command[128];

	for (int i = 0; i < WIRES; i++) {
		snprintf(command, sizeof(command),
			 "ethtool -K %s gro on tx off txvlan off >/dev/null", names[i]);
		assert_int_equal(system(command), 0);
	}
}

/* The loop that copies are made on in XDP, as the agent makes it; it goes with the namespace. */
static void attach_loop(struct dp *dp)
{
	int copies = bpf_map__fd(dp->skel->maps.nve_copies);
	int prog = bpf_program__fd(dp->skel->progs.xdp_copy);

	if (!if_nametoindex("loop-a") &&
	    (system("ip link add loop-a index 20 mtu 3400 type veth peer name loop-b index 21 mtu "
		    "3400") ||
	     system("ip link set loop-a up && ip link set loop-b up")))
		fail_msg("no loop");
	assert_int_equal(bpf_xdp_attach(IF_LOOP_B, prog, XDP_FLAGS_DRV_MODE, NULL), 0);
	for (uint32_t slot = 0; slot < WIRES; slot++) {
		const uint32_t at[] = { near_ends[slot], IF_LOOP_A };
		int fd = bpf_map_create(BPF_MAP_TYPE_DEVMAP, "copy", 4, 4, 2, NULL);

		assert_return_code(fd, errno);
		for (uint32_t i = 0; i < 2; i++)
			assert_int_equal(bpf_map_update_elem(fd, &i, &at[i], BPF_ANY), 0);
		assert_int_equal(bpf_map_update_elem(copies, &slot, &fd, BPF_ANY), 0);
		close(fd);
	}
}

void wire_loop(struct dp *dp, bool on)
{
	if (on)
		attach_loop(dp);
	dp_set(dp, "copier", &(uint32_t){ 0 }, &(uint32_t){ on ? IF_LOOP_A : 0 });
}

void wire_open(struct wire *w, struct dp *dp, enum dp_mode mode)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(sched_getcpu(), &cpus);
	assert_return_code(sched_setaffinity(0, sizeof(cpus), &cpus), errno);
	w->dp = dp;
	prepare_far_ends();
	wire_loop(dp, mode == DP_XDP);
	wire_attach(dp, IF_A0, mode, DP_ACCESS);
	wire_attach(dp, IF_A1, mode, DP_ACCESS);
	wire_attach(dp, IF_U0, mode, DP_UNDERLAY);
	for (int i = 0; i < WIRES; i++)
		w->fd[i] = listen_at(far_ends[i]);
}

void wire_close(struct wire *w)
{
	for (int i = 0; i < WIRES; i++) {
		wire_detach(near_ends[i]);
		close(w->fd[i]);
	}
}

void wire_send(struct wire *w, int wire, const struct frame *f)
{
	assert_int_equal(send(w->fd[wire], f->bytes, f->len, 0), f->len);
}

/* The kernel hands out a tag beside its frame: puts it back in. */
static void put_tag_back(struct frame *f, struct msghdr *msg)
{
	struct tpacket_auxdata aux;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA)
			continue;
		memcpy(&aux, CMSG_DATA(c), sizeof(aux));
		if (aux.tp_status & TP_STATUS_VLAN_VALID) {
			f->n_layers = 1;
			*f = frame_tag(f, aux.tp_vlan_tci >> 13, aux.tp_vlan_tci & 0xfff);
		}
	}
}

static struct frame receive(struct wire *w, int wire)
{
	struct pollfd p = { .fd = w->fd[wire], .events = POLLIN };
	char control[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	struct frame f = { 0 };
	struct iovec iov = { f.bytes, sizeof(f.bytes) - 4 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	ssize_t n;

	if (poll(&p, 1, WAIT_MS) != 1)
		fail_msg("nothing came out of wire %d", wire);
	n = recvmsg(w->fd[wire], &msg, 0);
	assert_return_code(n, errno);
	f.len = n;
	put_tag_back(&f, &msg);
	return f;
}

/* A frame that takes the plainest way to that wire, unlike any other. */
static bool is_marker(const struct frame *f)
{
	static const char mark[] = "the end of this test";

	return f->len > sizeof(mark) &&
	       !memcmp(f->bytes + f->len - sizeof(mark) + 1, mark, sizeof(mark) - 1);
}

void wire_mark(struct wire *w, int wire)
{
#define MARK text("the end of this test")
	struct frame to_remote =
		FRAME(eth(.dst = MAC_R, .src = MAC_1), vlan(.vid = 10), bytes(40), MARK);
	struct frame to_2 =
		FRAME(eth(.dst = MAC_2, .src = MAC_1), vlan(.vid = 10), bytes(40), MARK);
	struct frame plain = FRAME(eth(.dst = MAC_1, .src = MAC_R), bytes(40), MARK);
	struct frame to_1 = dp_tunnel(IP_VTEP, IP_NVE, VNI_7, 50000, &plain);

	if (wire == WIRE_U0)
		wire_send(w, WIRE_A0, &to_remote);
	else if (wire == WIRE_A1)
		wire_send(w, WIRE_A0, &to_2);
	else
		wire_send(w, WIRE_U0, &to_1);
}

bool wire_next(struct wire *w, int wire, struct frame *ret)
{
	*ret = receive(w, wire);
	return !is_marker(ret);
}

void wire_expect(struct wire *w, int wire, const struct frame *want, size_t n)
{
	struct frame got, exact;

	wire_mark(w, wire);
	for (size_t i = 0; i < n; i++) {
		got = receive(w, wire);
		if (is_marker(&got))
			fail_msg("wire %d: %zu frames, %zu were expected", wire, i, n);
		exact = want[i];
		if (exact.n_layers > 3 && exact.layers[3].kind == LAYER_VXLAN && !exact.bytes[34])
			memcpy(exact.bytes + 34, got.bytes + 34, 2);
		assert_true(frame_equal(&got, &exact));
	}
	got = receive(w, wire);
	if (!is_marker(&got))
		fail_msg("wire %d: more than %zu frames (%zu bytes)", wire, n, got.len);
}
