/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies of BUM in XDP (bpf/replicate.h), on the wires of wire_test.c: what is made there without
 * TC's help, what is left to TC, and what is counted.
 *
 *	a0x ---- a0 [NVE] u0 ---- u0x      VN 7: vid 10 on a0, vid 20 on a1, vid 15 on a0 too;
 *	a1x ---- a1  loop-a = loop-b       VTEPs .2 and .3, one over IPv6, and .4
 */
#include "bpf/suite.h"
#include "lib/wire.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_packet.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "nve.skel.h"
#include "tests/burst.skel.h"

enum { LEN = sizeof(((struct burst *)0)->bss->frames[0]), NUMBERS = 512, SLOT6 = 5, OUTER4 = 50 };
#define IP_VTEP6 "2001:db8::2"

static struct wire wire;
static struct burst *gun;

#define HELLO ipv4(.src = "10.0.0.1", .dst = "10.0.0.9"), udp(.sport = 1, .dport = 2), text("hello")
#define VTEP(i)                                                                                    \
	{                                                                                          \
		.slot = (i), .kind = NVE_DEST_VTEP, .ip6 = (i) == SLOT6                            \
	}
#define VAP(port, vid)                                                                             \
	{                                                                                          \
		.slot = (port)*NVE_VID_COUNT + (vid), .kind = NVE_DEST_TSI                         \
	}

static const struct nve_flood everybody = {
	.n = 7,
	.vni = VNI_7,
	.members = { VAP(0, 10), VAP(0, 15), VAP(1, 20), VTEP(0), VTEP(1), VTEP(2), VTEP(SLOT6) },
};

static void set_flood(const struct nve_flood *flood)
{
	dp_set(&dp, "flood", &(uint32_t){ VN_7 }, flood);
}

/* The template as the agent makes it: lengths are 0. */
static struct nve_vtep vtep6(void)
{
	struct frame head = FRAME(eth(.dst = MAC_HOP, .src = MAC_NVE),
				  ipv6(.src = IP_NVE6, .dst = IP_VTEP6, .hops = 64),
				  udp(.dport = 4789, .no_check = true), vxlan(.vni = 0));
	struct nve_vtep vtep = dp_vtep(IP_VTEP);

	memset(head.bytes + 18, 0, 2);
	memset(head.bytes + 58, 0, 2);
	memcpy(vtep.outer, head.bytes, head.len);
	vtep.outer_len = head.len;
	vtep.family = 6;
	memcpy(vtep.ip, dp_peer_key(0, IP_VTEP6).ip, sizeof(vtep.ip));
	return vtep;
}

static int plug(void **state)
{
	const struct nve_vap_row vap = { .vn_id = VN_7,
					 .n_activated = 1,
					 .ifindex = IF_A0,
					 .state = NVE_VAP_LIVE,
					 .port_flags = NVE_PORT_XDP };

	refill(state);
	dp_set(&dp, "vap", &(uint32_t){ 15 }, &vap);
	dp_set(&dp, "vtep", &(uint32_t){ SLOT6 }, &(struct nve_vtep[]){ vtep6() });
	set_flood(&everybody);
	wire_open(&wire, &dp, DP_XDP);
	return 0;
}

static int unplug(void **state)
{
	(void)state;
	wire_close(&wire);
	return 0;
}

static void without_tc(void)
{
	static const uint32_t ports[] = { IF_A0, IF_A1, IF_U0 };

	for (int i = 0; i < WIRES; i++) {
		LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ports[i], .attach_point = BPF_TC_INGRESS);
		LIBBPF_OPTS(bpf_tc_opts, opts, .handle = 1, .priority = 1);

		assert_int_equal(bpf_tc_detach(&hook, &opts), 0);
	}
}

/* What a broadcast in VN 7 is at its remote members, in the order of 'everybody'. */
struct copies {
	struct frame f[4];
};

static struct copies remote(const struct frame *plain)
{
	return (struct copies){ {
		dp_tunnel(IP_NVE, "192.0.2.2", VNI_7, 0, plain),
		dp_tunnel(IP_NVE, "192.0.2.3", VNI_7, 0, plain),
		dp_tunnel(IP_NVE, "192.0.2.4", VNI_7, 0, plain),
	} };
}

static struct frame by_6(const struct frame *plain, const struct frame *got)
{
	struct frame want = WRAP(
		plain, eth(.dst = MAC_HOP, .src = MAC_NVE),
		ipv6(.src = IP_NVE6, .dst = IP_VTEP6, .hops = 64),
		udp(.sport = got->bytes[54] << 8 | got->bytes[55], .dport = 4789, .no_check = true),
		vxlan(.vni = VNI_7));

	memcpy(want.bytes + 16, got->bytes + 54, 2); /* the flow label is the source port */
	return want;
}

/* At u0: three copies over IPv4, and one over IPv6. */
static void expect_remote(const struct frame *plain)
{
	struct copies want = remote(plain);
	struct frame got, want6;

	wire_mark(&wire, WIRE_U0);
	for (int i = 0; i < 3; i++) {
		assert_true(wire_next(&wire, WIRE_U0, &got));
		memcpy(want.f[i].bytes + 34, got.bytes + 34, 2);
		assert_true(frame_equal(&got, &want.f[i]));
	}
	assert_true(wire_next(&wire, WIRE_U0, &got));
	want6 = by_6(plain, &got);
	assert_true(frame_equal(&got, &want6));
	assert_false(wire_next(&wire, WIRE_U0, &got));
}

static void copies_of_every_size_are_made_without_tc_in_both_directions(void **state)
{
	(void)state;
	without_tc();
	for (size_t n = 2; n <= 1500; n += n < 64 ? 1 : 97) {
		struct frame out = FRAME(eth(.dst = MAC_ALL, .src = MAC_1), bytes(n));
		struct frame back = FRAME(eth(.dst = MAC_ALL, .src = MAC_R), bytes(n));
		struct frame in = frame_tag(&out, 5, 10), on_0 = frame_tag(&out, 5, 15);
		struct frame on_1 = frame_tag(&out, 5, 20), back_1 = frame_tag(&back, 0, 20);
		struct frame back_0[] = { frame_tag(&back, 0, 10), frame_tag(&back, 0, 15) };
		struct frame tunnel = dp_tunnel(IP_VTEP, IP_NVE, VNI_7, 50000, &back);

		wire_send(&wire, WIRE_A0, &in);
		expect_remote(&out);
		wire_expect(&wire, WIRE_A0, &on_0, 1);
		wire_expect(&wire, WIRE_A1, &on_1, 1);
		wire_send(&wire, WIRE_U0, &tunnel);
		wire_expect(&wire, WIRE_A0, back_0, 2);
		wire_expect(&wire, WIRE_A1, &back_1, 1);
		wire_expect(&wire, WIRE_U0, NULL, 0);
	}
}

/* A trailer behind the outer packet is no part of it; ECN goes inwards, to every copy. */
static void copies_from_the_underlay_are_of_the_tenants_frame_alone(void **state)
{
	struct frame plain = FRAME(eth(.dst = MAC_ALL, .src = MAC_R),
				   ipv4(.src = "10.0.0.9", .dst = "10.0.0.255", .tos = 1),
				   udp(.sport = 1, .dport = 2), text("hello"));
	struct frame marked = FRAME(eth(.dst = MAC_ALL, .src = MAC_R),
				    ipv4(.src = "10.0.0.9", .dst = "10.0.0.255", .tos = 3),
				    udp(.sport = 1, .dport = 2), text("hello"));
	struct frame in =
		WRAP(&plain, eth(.dst = MAC_NVE, .src = MAC_HOP),
		     ipv4(.src = IP_VTEP, .dst = IP_NVE, .tos = 3),
		     udp(.sport = 50000, .dport = 4789, .no_check = true), vxlan(.vni = VNI_7));
	struct frame on_a0[] = { frame_tag(&marked, 0, 10), frame_tag(&marked, 0, 15) };
	struct frame on_a1 = frame_tag(&marked, 0, 20);

	(void)state;
	without_tc();
	memset(in.bytes + in.len, 0x77, 6);
	in.len += 6;
	wire_send(&wire, WIRE_U0, &in);
	wire_expect(&wire, WIRE_A0, on_a0, 2);
	wire_expect(&wire, WIRE_A1, &on_a1, 1);
}

static void a_vn_of_geneve_gets_copies_in_geneve(void **state)
{
	struct frame plain = FRAME(eth(.dst = MAC_ALL, .src = MAC_1), HELLO);
	struct frame in = frame_tag(&plain, 0, 10), got;
	const uint8_t geneve[] = { 0, 0, 0x65, 0x58, 0, 0, VNI_7, 0 };
	struct nve_tsi_row tsi;

	(void)state;
	without_tc();
	dp_get(&dp, "tsi", &(uint32_t){ TSI_1 }, &tsi);
	tsi.tunnel = NVE_TUNNEL_GENEVE;
	dp_set(&dp, "tsi", &(uint32_t){ TSI_1 }, &tsi);
	wire_send(&wire, WIRE_A0, &in);
	wire_mark(&wire, WIRE_U0);
	for (int i = 0; i < 4; i++) {
		size_t at = i < 3 ? 34 : 54;

		assert_true(wire_next(&wire, WIRE_U0, &got));
		assert_int_equal(got.bytes[at + 2] << 8 | got.bytes[at + 3], 6081);
		assert_memory_equal(got.bytes + at + 8, geneve, 8);
		assert_int_equal(got.len, at + 16 + plain.len);
		assert_memory_equal(got.bytes + at + 16, plain.bytes, plain.len);
	}
	assert_false(wire_next(&wire, WIRE_U0, &got));
}

/* --- bursts ------------------------------------------------------------------------------------
 */

static void load(uint32_t kind, const struct frame *f)
{
	assert_int_equal(f->len, LEN);
	memcpy(gun->bss->frames[kind], f->bytes, LEN);
}

/* 'n' frames of the loaded kinds by turns, in batches. */
static void fire(uint32_t kinds, uint32_t n, uint32_t batch)
{
	uint8_t frame[LEN] = { 0 };
	struct xdp_md ctx = { .data_end = LEN, .ingress_ifindex = IF_A0X };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = LEN, .ctx_in = &ctx,
		    .ctx_size_in = sizeof(ctx), .repeat = n, .batch_size = batch,
		    .flags = BPF_F_TEST_XDP_LIVE_FRAMES);

	gun->data->n_kinds = kinds;
	gun->bss->next = 0;
	gun->bss->ifindex = IF_A0X;
	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(gun->progs.burst), &opts), 0);
}

/* A frame as long as the gun's, the number at its end. */
static struct frame bullet(const char *dst)
{
	struct frame plain = FRAME(eth(.dst = dst, .src = MAC_1), bytes(LEN - 4 - 14));

	return frame_tag(&plain, 0, 10);
}

static uint32_t number_of(const struct frame *f)
{
	const uint8_t *p = f->bytes + f->len - 4;
	uint32_t n = (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];

	assert_in_range(n, 0, NUMBERS - 1);
	return n;
}

/* What comes out of the underlay: whose number, to which VTEP (2, 3, 4, or 6). */
static void take_remote(uint8_t seen[NUMBERS][8])
{
	struct frame got, want, in = { 0 };

	memset(seen, 0, NUMBERS * 8);
	wire_mark(&wire, WIRE_U0);
	while (wire_next(&wire, WIRE_U0, &got)) {
		bool six = got.bytes[12] == 0x86;
		uint32_t number = number_of(&got);
		uint8_t to = six ? 6 : got.bytes[33];
		char ip[16];

		assert_in_range(to, 2, 6);
		memcpy(in.bytes, gun->bss->frames[number % gun->data->n_kinds], LEN);
		memmove(in.bytes + 12, in.bytes + 16, LEN - 16);
		in.len = LEN - 4;
		memcpy(in.bytes + in.len - 4, got.bytes + got.len - 4, 4);
		snprintf(ip, sizeof(ip), "192.0.2.%u", to);
		want = six ? by_6(&in, &got) : dp_tunnel(IP_NVE, ip, VNI_7, 0, &in);
		if (!six)
			memcpy(want.bytes + 34, got.bytes + 34, 2);
		assert_true(frame_equal(&got, &want));
		seen[number][to]++;
	}
}

static void take_local(int at, uint16_t vid, uint8_t seen[NUMBERS])
{
	struct frame got;

	memset(seen, 0, NUMBERS);
	wire_mark(&wire, at);
	while (wire_next(&wire, at, &got)) {
		assert_int_equal((got.bytes[14] << 8 | got.bytes[15]) & 0xfff, vid);
		seen[number_of(&got)]++;
	}
}

/* Kind 0 is broadcast; the others, if any, go to TSI 1's remote peer alone. */
static void expect_burst(uint32_t kinds, uint32_t n)
{
	static uint8_t there[NUMBERS][8], on_a0[NUMBERS], on_a1[NUMBERS];

	take_remote(there);
	take_local(WIRE_A0, 15, on_a0);
	take_local(WIRE_A1, 20, on_a1);
	for (uint32_t i = 0; i < NUMBERS; i++) {
		bool sent = i < n, bum = sent && i % kinds == 0;

		assert_int_equal(there[i][2], sent);
		assert_int_equal(there[i][3], bum);
		assert_int_equal(there[i][4], bum);
		assert_int_equal(there[i][6], bum);
		assert_int_equal(on_a0[i], bum);
		assert_int_equal(on_a1[i], bum);
	}
}

/* In one batch of a driver, where a devmap's egress program would run for all frames or for none.
 */
static void copies_and_unicast_frames_of_one_batch_each_go_their_own_way_once(void **state)
{
	struct frame bum = bullet(MAC_ALL), known = bullet(MAC_R);

	(void)state;
	without_tc();
	load(0, &bum);
	load(1, &known);
	for (int round = 0; round < 4; round++) {
		fire(2, 64, 64);
		expect_burst(2, 64);
	}
	load(0, &bum);
	load(1, &known);
	load(2, &known);
	fire(3, 48, 16);
	expect_burst(3, 48);
}

/* More at once than the loop may hold: TC takes what is too many. */
static void no_copy_is_lost_when_the_loop_is_full(void **state)
{
	struct frame bum = bullet(MAC_ALL);

	(void)state;
	load(0, &bum);
	fire(1, 240, 240);
	expect_burst(1, 240);
	assert_int_equal(dp_drops(&dp, NVE_DROP_REDIRECT), 0);
}

/* --- accounts ----------------------------------------------------------------------------------
 */

static void copies_that_cannot_be_made_are_counted_each(void **state)
{
	struct frame plain = FRAME(eth(.dst = MAC_ALL, .src = MAC_1), bytes(46));
	struct frame in = frame_tag(&plain, 0, 10);
	struct frame want = dp_tunnel(IP_NVE, "192.0.2.3", VNI_7, 0, &plain);
	struct nve_vtep unresolved = dp_vtep("192.0.2.2"), narrow = dp_vtep("192.0.2.4");
	struct nve_flood three = { .n = 3, .vni = VNI_7, .members = { VTEP(0), VTEP(1), VTEP(2) } };
	uint64_t before[] = { dp_drops(&dp, NVE_DROP_VTEP_UNRESOLVED),
			      dp_drops(&dp, NVE_DROP_TOO_LARGE) };

	(void)state;
	without_tc();
	set_flood(&three);
	unresolved.flags = 0;
	narrow.mtu = 14 + 46 + 35;
	dp_set(&dp, "vtep", &(uint32_t){ 0 }, &unresolved);
	dp_set(&dp, "vtep", &(uint32_t){ 2 }, &narrow);
	dp_set(&dp, "fdb", &(struct nve_fdb_key[]){ dp_fdb_key(VN_7, MAC_R) },
	       &(struct nve_fdb){ .first = { .slot = 1, .kind = NVE_DEST_VTEP } });
	for (uint64_t i = 1; i <= 3; i++) {
		wire_send(&wire, WIRE_A0, &in);
		wire_expect(&wire, WIRE_U0, &want, 1);
		assert_int_equal(dp_drops(&dp, NVE_DROP_VTEP_UNRESOLVED) - before[0], i);
		assert_int_equal(dp_drops(&dp, NVE_DROP_TOO_LARGE) - before[1], i);
		assert_int_equal(dp_tsi_drops(&dp, TSI_1, NVE_DROP_TOO_LARGE), i);
	}
	set_flood(&(struct nve_flood){ .n = 1, .vni = VNI_7, .members = { VAP(0, 10) } });
	wire_send(&wire, WIRE_A0, &in);
	wire_expect(&wire, WIRE_U0, NULL, 0);
	assert_int_equal(dp_tsi_drops(&dp, TSI_1, NVE_DROP_NO_MEMBER), 1);
}

/* The kernel takes a device that goes out of every devmap, before the agent hears of it. */
static void copies_for_a_port_that_is_gone_are_counted_and_the_others_go_out(void **state)
{
	struct frame plain = FRAME(eth(.dst = MAC_ALL, .src = MAC_1), bytes(46));
	struct frame in = frame_tag(&plain, 0, 10);
	struct copies want = remote(&plain);
	struct nve_flood three = { .n = 3, .vni = VNI_7, .members = { VTEP(0), VTEP(1), VTEP(2) } };
	struct nve_vtep gone = dp_vtep("192.0.2.3");
	int copies = bpf_map__fd(dp.skel->maps.nve_copies);
	int fd = bpf_map_create(BPF_MAP_TYPE_DEVMAP, "gone", 4, 4, NVE_COPY_DEVS, NULL);
	uint64_t before = dp_drops(&dp, NVE_DROP_REDIRECT);

	(void)state;
	without_tc();
	set_flood(&three);
	gone.port = 7;
	assert_return_code(fd, errno);
	assert_int_equal(bpf_map_update_elem(fd, &(uint32_t){ NVE_COPY_LOOP },
					     &(uint32_t){ IF_LOOP_A }, BPF_ANY),
			 0);
	assert_int_equal(bpf_map_update_elem(copies, &(uint32_t){ 7 }, &fd, BPF_ANY), 0);
	dp_set(&dp, "vtep", &(uint32_t){ 1 }, &gone);
	want.f[1] = want.f[2];
	wire_send(&wire, WIRE_A0, &in);
	wire_expect(&wire, WIRE_U0, want.f, 2);
	assert_int_equal(dp_drops(&dp, NVE_DROP_REDIRECT) - before, 1);
	three.n = 2; /* now it is the last */
	set_flood(&three);
	wire_send(&wire, WIRE_A0, &in);
	wire_expect(&wire, WIRE_U0, want.f, 1);
	assert_int_equal(dp_drops(&dp, NVE_DROP_REDIRECT) - before, 2);
	assert_int_equal(bpf_map_delete_elem(copies, &(uint32_t){ 7 }), 0);
	close(fd);
}

static void set_on_loop(uint64_t n, uint64_t age_ns)
{
	struct nve_copying on = { .n = n };
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	on.since = now.tv_sec * 1000000000ull + now.tv_nsec - age_ns;
	dp_set(&dp, "copying", &(uint32_t){ sched_getcpu() }, &on);
}

static uint64_t on_loop(void)
{
	struct nve_copying on;

	dp_get(&dp, "copying", &(uint32_t){ sched_getcpu() }, &on);
	return on.n;
}

static void
frames_that_the_loop_never_gave_back_are_counted_and_their_room_is_free_again(void **state)
{
	struct frame plain = FRAME(eth(.dst = MAC_ALL, .src = MAC_1), bytes(46));
	struct frame in = frame_tag(&plain, 0, 10);
	uint64_t before = dp_drops(&dp, NVE_DROP_REDIRECT);

	(void)state;
	wire_send(&wire, WIRE_A0, &in);
	expect_remote(&plain);
	assert_int_equal(on_loop(), 0);
	set_on_loop(NVE_COPY_ROOM, 0); /* full: TC does it, over IPv6 first or last */
	wire_send(&wire, WIRE_A0, &in);
	expect_remote(&plain);
	assert_int_equal(on_loop(), NVE_COPY_ROOM);
	set_on_loop(NVE_COPY_ROOM, 2000000000);
	wire_send(&wire, WIRE_A0, &in);
	expect_remote(&plain);
	assert_int_equal(on_loop(), 0);
	assert_int_equal(dp_drops(&dp, NVE_DROP_REDIRECT) - before, NVE_COPY_ROOM);
}

static void what_cannot_be_copied_in_xdp_is_left_to_tc_whole(void **state)
{
	struct frame plain = FRAME(eth(.dst = MAC_ALL, .src = MAC_1), bytes(46));
	struct frame in = frame_tag(&plain, 0, 10);
	struct nve_vap_row *vap = dp_map(&dp, "vap");
	struct dp_outcome o;

	(void)state;
	o = dp_run(&dp, DP_XDP, DP_ACCESS, IF_A0, &in);
	assert_int_equal(o.fate, DP_SENT);
	set_on_loop(0, 0);
	vap[NVE_VID_COUNT + 20].port_flags = 0;
	o = dp_run(&dp, DP_XDP, DP_ACCESS, IF_A0, &in);
	assert_int_equal(o.fate, DP_HOST);
	assert_true(frame_equal(&o.out, &in));
	vap[NVE_VID_COUNT + 20].port_flags = NVE_PORT_XDP;
	wire_loop(&dp, false);
	o = dp_run(&dp, DP_XDP, DP_ACCESS, IF_A0, &in);
	assert_int_equal(o.fate, DP_HOST);
	assert_true(frame_equal(&o.out, &in));
}

static void inject(uint32_t ifindex, const struct frame *f)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = ifindex };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	assert_return_code(fd, errno);
	assert_int_equal(sendto(fd, f->bytes, f->len, 0, (void *)&to, sizeof(to)), f->len);
	close(fd);
}

static void what_the_host_sends_into_the_loop_comes_out_nowhere(void **state)
{
	struct frame f = FRAME(eth(.dst = MAC_ALL, .src = MAC_1), bytes(200));
	struct frame tunnel = dp_tunnel(IP_NVE, IP_VTEP, VNI_7, 50000, &f);

	(void)state;
	inject(IF_LOOP_A, &f);
	inject(IF_LOOP_A, &tunnel);
	wire_expect(&wire, WIRE_A0, NULL, 0);
	wire_expect(&wire, WIRE_A1, NULL, 0);
	wire_expect(&wire, WIRE_U0, NULL, 0);
}

/* --- members that come and go between two turns ------------------------------------------------
 */

/* A turn for a frame of which VTEP 1, then the member number 'next' - 1, had the last copy. */
static uint8_t turn(uint16_t next, const struct nve_flood *flood)
{
	struct frame plain = FRAME(eth(.dst = MAC_ALL, .src = MAC_1), bytes(46));
	struct nve_copy copy = { .vn_id = VN_7,
				 .tsi = TSI_1,
				 .ifindex = IF_A0,
				 .vid = 10,
				 .next = next,
				 .last = 1,
				 .last_kind = NVE_DEST_VTEP,
				 .to_vteps = 1 };
	uint8_t data[sizeof(copy) + FRAME_MAX], out[FRAME_MAX];
	struct xdp_md xdp = { .data = sizeof(copy),
			      .data_end = sizeof(copy) + plain.len,
			      .ingress_ifindex = IF_LOOP_B };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = data,
		    .data_size_in = sizeof(copy) + plain.len, .data_out = out,
		    .data_size_out = sizeof(out), .ctx_in = &xdp, .ctx_size_in = sizeof(xdp),
		    .repeat = 1);
	int prog = bpf_program__fd(dp.skel->progs.xdp_copy);

	memcpy(data, &copy, sizeof(copy));
	memcpy(data + sizeof(copy), plain.bytes, plain.len);
	set_flood(flood);
	assert_int_equal(bpf_prog_test_run_opts(prog, &opts), 0);
	if (opts.retval == XDP_DROP)
		return 0;
	assert_int_equal(opts.retval, XDP_REDIRECT);
	/* Test runs show metadata in front. */
	return out[opts.data_size_out - plain.len - OUTER4 + 33];
}

static void members_that_stay_get_one_copy_each_whoever_comes_or_goes_meanwhile(void **state)
{
	const struct nve_flood was = { .n = 3, .vni = 1, .members = { VTEP(0), VTEP(1), VTEP(2) } };
	const struct nve_flood less = { .n = 2, .vni = 1, .members = { VTEP(1), VTEP(2) } };
	const struct nve_flood more = { .n = 4,
					.vni = 1,
					.members = { VAP(0, 15), VTEP(0), VTEP(1), VTEP(2) } };
	const struct nve_flood without = { .n = 2, .vni = 1, .members = { VTEP(0), VTEP(2) } };
	const struct nve_flood last = { .n = 2, .vni = 1, .members = { VTEP(0), VTEP(1) } };
	const struct nve_flood first = { .n = 1, .vni = 1, .members = { VTEP(0) } };
	const struct nve_flood none = { .n = 0 };

	(void)state;
	assert_int_equal(turn(2, &was), 4);
	assert_int_equal(turn(2, &less), 4);
	assert_int_equal(turn(2, &more), 4);
	assert_int_equal(turn(2, &without), 4);
	assert_int_equal(turn(2, &last), 0);
	assert_int_equal(turn(2, &first), 0);
	assert_int_equal(turn(2, &none), 0);
}

static int open_both(void **state)
{
	gun = burst__open_and_load();
	assert_non_null(gun);
	return open_all(state);
}

static int close_both(void **state)
{
	burst__destroy(gun);
	return close_all(state);
}

#define PLUGGED(f)                                                                                 \
	{                                                                                          \
#f, f, plug, unplug, &modes[0]                                                     \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PLUGGED(copies_of_every_size_are_made_without_tc_in_both_directions),
		PLUGGED(copies_from_the_underlay_are_of_the_tenants_frame_alone),
		PLUGGED(a_vn_of_geneve_gets_copies_in_geneve),
		PLUGGED(copies_and_unicast_frames_of_one_batch_each_go_their_own_way_once),
		PLUGGED(no_copy_is_lost_when_the_loop_is_full),
		PLUGGED(copies_that_cannot_be_made_are_counted_each),
		PLUGGED(copies_for_a_port_that_is_gone_are_counted_and_the_others_go_out),
		PLUGGED(frames_that_the_loop_never_gave_back_are_counted_and_their_room_is_free_again),
		PLUGGED(what_cannot_be_copied_in_xdp_is_left_to_tc_whole),
		PLUGGED(what_the_host_sends_into_the_loop_comes_out_nowhere),
		PLUGGED(members_that_stay_get_one_copy_each_whoever_comes_or_goes_meanwhile),
	};

	return cmocka_run_group_tests(tests, open_both, close_both);
}
