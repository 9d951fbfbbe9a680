/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of copies in XDP have in common: the wires of wire_test.c, every port in XDP mode,
 * and a VN whose members are of all kinds.
 *
 *	a0x ---- a0 [NVE] u0 ---- u0x      VN 7: vid 10 on a0, vid 20 on a1, vid 15 on a0 too;
 *	a1x ---- a1  loop-a = loop-b       VTEPs .2, .3 and .4, and one over IPv6
 */
#pragma once

#include "bpf/suite.h"
#include "lib/wire.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>

enum { SLOT6 = 5 };
#define IP_VTEP6 "2001:db8::2"

static struct wire wire;

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

#define PLUGGED(f)                                                                                 \
	{                                                                                          \
#f, f, plug, unplug, &modes[0]                                                     \
	}
