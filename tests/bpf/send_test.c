/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames of the NVE's own (D16): what comes out of the wires when the agent runs tc_send on one.
 * The copies must be those of a frame that the VAP's hypervisor would have sent.
 *
 *	a0x ---- a0 [NVE] u0 ---- u0x      VN 7: vid 10 on a0, vid 20 on a1, vid 15 on a0 too;
 *	a1x ---- a1                        VTEPs .2, .3 and .4
 */
#include "bpf/suite.h"
#include "lib/wire.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "nve.skel.h"

static struct wire wire;

#define VAP(port, vid)                                                                             \
	{                                                                                          \
		.slot = (port)*NVE_VID_COUNT + (vid), .kind = NVE_DEST_TSI                         \
	}

static int plug(void **state)
{
	struct nve_vap_row vap = {
		.vn_id = VN_7,
		.n_activated = 1,
		.ifindex = IF_A0,
		.state = NVE_VAP_LIVE,
	};
	struct nve_flood flood = {
		.n = 6,
		.vni = VNI_7,
		.members = { VAP(0, 10),
			     { .slot = 0, .kind = NVE_DEST_VTEP },
			     VAP(1, 20),
			     { .slot = 1, .kind = NVE_DEST_VTEP },
			     VAP(0, 15),
			     { .slot = 2, .kind = NVE_DEST_VTEP } },
	};

	refill(state);
	dp_set(&dp, "vap", &(uint32_t){ 15 }, &vap);
	dp_set(&dp, "flood", &(uint32_t){ VN_7 }, &flood);
	wire_open(&wire, &dp, MODE);
	return 0;
}

static int unplug(void **state)
{
	(void)state;
	wire_close(&wire);
	return 0;
}

/* As from the VAP of a0, vid 10. */
static int run(enum nve_send_kind kind, uint32_t vn_id, const struct frame *f)
{
	struct __sk_buff skb = { .cb = { [NVE_SEND_KIND] = kind,
					 [NVE_SEND_VN] = vn_id,
					 [NVE_SEND_IFINDEX] = IF_A0,
					 [NVE_SEND_VID] = 10 } };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = f->bytes, .data_size_in = (uint32_t)f->len,
		    .ctx_in = &skb, .ctx_size_in = sizeof(skb));

	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(dp.skel->progs.tc_send), &opts), 0);
	return (int)opts.retval;
}

static void goes_to_all_but_its_own_vap(const struct frame *f)
{
	struct frame want[3], at_a0 = frame_tag(f, 0, 15), at_a1 = frame_tag(f, 0, 20);

	want[0] = dp_tunnel(IP_NVE, "192.0.2.2", VNI_7, 0, f);
	want[1] = dp_tunnel(IP_NVE, "192.0.2.3", VNI_7, 0, f);
	want[2] = dp_tunnel(IP_NVE, "192.0.2.4", VNI_7, 0, f);
	assert_int_equal(run(NVE_SEND_TO_VN, VN_7, f), NVE_FORWARD);
	wire_expect(&wire, WIRE_U0, want, 3);
	wire_expect(&wire, WIRE_A0, &at_a0, 1);
	wire_expect(&wire, WIRE_A1, &at_a1, 1);
}

static void arp_and_rarp_go_to_all_but_their_own_vap(void **state)
{
	struct frame garp =
		FRAME(eth(.dst = MAC_ALL, .src = MAC_1),
		      arp(.sender_mac = MAC_1, .sender_ip = "10.0.0.1", .target_ip = "10.0.0.1"));
	struct frame rarp = FRAME(
		eth(.dst = MAC_ALL, .src = MAC_1),
		arp(.sender_mac = MAC_1, .target_mac = MAC_1, .op = 3, .rarp = true), bytes(18));

	(void)state;
	goes_to_all_but_its_own_vap(&garp);
	goes_to_all_but_its_own_vap(&rarp);
}

static void ipv4_and_ipv6_go_to_all_but_their_own_vap(void **state)
{
	struct frame na = FRAME(eth(.dst = "33:33:00:00:00:01", .src = MAC_1),
				ipv6(.src = "fd00::1", .dst = "ff02::1"),
				nd(.type = 136, .target = "fd00::1", .opt = 2, .opt_mac = MAC_1));
	struct frame ip = FRAME(eth(.dst = MAC_GROUP, .src = MAC_1),
				ipv4(.src = "10.0.0.1", .dst = "224.0.0.1", .proto = 2), bytes(26));

	(void)state;
	goes_to_all_but_its_own_vap(&na);
	goes_to_all_but_its_own_vap(&ip);
}

static void every_size_goes_out_unchanged(void **state)
{
	(void)state;
	for (size_t n = 2; n <= 1500; n += n < 64 ? 1 : 359) {
		struct frame f = FRAME(eth(.dst = MAC_ALL, .src = MAC_1), bytes(n));

		goes_to_all_but_its_own_vap(&f);
	}
}

static void a_frame_to_the_vap_goes_there_alone(void **state)
{
	struct frame query =
		FRAME(eth(.dst = MAC_GROUP, .src = MAC_X),
		      ipv4(.src = "0.0.0.0", .dst = "224.0.0.1", .proto = 2), bytes(26));
	struct frame want = frame_tag(&query, 0, 10);

	(void)state;
	assert_int_equal(run(NVE_SEND_TO_VAP, VN_7, &query), NVE_FORWARD);
	wire_expect(&wire, WIRE_A0, &want, 1);
	wire_expect(&wire, WIRE_A1, NULL, 0);
	wire_expect(&wire, WIRE_U0, NULL, 0);
}

static void an_unresolved_vtep_loses_its_copy_alone_and_that_is_counted(void **state)
{
	struct frame f = FRAME(eth(.dst = MAC_ALL, .src = MAC_1), bytes(46)), want[2];
	struct nve_vtep vtep = dp_vtep("192.0.2.3");
	uint64_t before = dp_drops(&dp, NVE_DROP_VTEP_UNRESOLVED);

	(void)state;
	vtep.flags = 0;
	dp_set(&dp, "vtep", &(uint32_t){ 1 }, &vtep);
	want[0] = dp_tunnel(IP_NVE, "192.0.2.2", VNI_7, 0, &f);
	want[1] = dp_tunnel(IP_NVE, "192.0.2.4", VNI_7, 0, &f);
	assert_int_equal(run(NVE_SEND_TO_VN, VN_7, &f), NVE_FORWARD);
	wire_expect(&wire, WIRE_U0, want, 2);
	assert_int_equal(dp_drops(&dp, NVE_DROP_VTEP_UNRESOLVED), before + 1);
}

static void a_vn_without_other_members_is_no_loss(void **state)
{
	struct frame f = FRAME(eth(.dst = MAC_ALL, .src = MAC_1), bytes(46));
	const struct nve_flood alone = { .n = 1, .vni = VNI_7, .members = { VAP(0, 10) } };
	uint64_t before = dp_drops(&dp, NVE_DROP_NO_MEMBER);

	(void)state;
	dp_set(&dp, "flood", &(uint32_t){ VN_7 }, &alone);
	assert_int_equal(run(NVE_SEND_TO_VN, VN_7, &f), NVE_DROP_NO_MEMBER);
	assert_int_equal(run(NVE_SEND_TO_VN, 999, &f), NVE_DROP_NO_MEMBER);
	assert_int_equal(dp_drops(&dp, NVE_DROP_NO_MEMBER), before);
	wire_expect(&wire, WIRE_A0, NULL, 0);
	wire_expect(&wire, WIRE_A1, NULL, 0);
	wire_expect(&wire, WIRE_U0, NULL, 0);
}

#define WIRED(f)                                                                                   \
	{ #f " [xdp]", f, plug, unplug, &modes[0] },                                               \
	{                                                                                          \
#f " [tc]", f, plug, unplug, &modes[1]                                             \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WIRED(arp_and_rarp_go_to_all_but_their_own_vap),
		WIRED(ipv4_and_ipv6_go_to_all_but_their_own_vap),
		WIRED(every_size_goes_out_unchanged),
		WIRED(a_frame_to_the_vap_goes_there_alone),
		WIRED(an_unresolved_vtep_loses_its_copy_alone_and_that_is_counted),
		WIRED(a_vn_without_other_members_is_no_loss),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
