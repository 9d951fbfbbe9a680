/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies of BUM in XDP (bpf/replicate.h) that are lost, or TC's, and members that come and go while
 * they are made: what is counted, and who gets what.
 */
#include "bpf/replicate.h"

#include <linux/if_packet.h>
#include <sched.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "nve.skel.h"

enum { OUTER4 = 50 };

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		PLUGGED(copies_that_cannot_be_made_are_counted_each),
		PLUGGED(copies_for_a_port_that_is_gone_are_counted_and_the_others_go_out),
		PLUGGED(frames_that_the_loop_never_gave_back_are_counted_and_their_room_is_free_again),
		PLUGGED(what_cannot_be_copied_in_xdp_is_left_to_tc_whole),
		PLUGGED(what_the_host_sends_into_the_loop_comes_out_nowhere),
		PLUGGED(members_that_stay_get_one_copy_each_whoever_comes_or_goes_meanwhile),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
