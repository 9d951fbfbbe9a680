/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies of BUM in XDP (bpf/replicate.h) as they are on the wire: made without TC's help, each
 * once, whatever else is in the same batch.
 */
#include "bpf/replicate.h"

#include <stdio.h>

#include "tests/burst.skel.h"

enum { LEN = sizeof(((struct burst *)0)->bss->frames[0]), NUMBERS = 512 };

static struct burst *gun;

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		PLUGGED(copies_of_every_size_are_made_without_tc_in_both_directions),
		PLUGGED(copies_from_the_underlay_are_of_the_tenants_frame_alone),
		PLUGGED(a_vn_of_geneve_gets_copies_in_geneve),
		PLUGGED(copies_and_unicast_frames_of_one_batch_each_go_their_own_way_once),
		PLUGGED(no_copy_is_lost_when_the_loop_is_full),
	};

	return cmocka_run_group_tests(tests, open_both, close_both);
}
