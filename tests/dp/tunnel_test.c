/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The eBPF datapath's tunnels beyond IPv4 and VXLAN: next hops of IPv6 VTEPs, and the encapsulation
 * of a VN in its rows.  See lib/dp_world.h.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "dp/ebpf.h"
#include "lib/dp_world.h"

static const struct dpw *const ebpf = &dpw_backends[1];
static struct dpw w;

static int close_it(void **state)
{
	(void)state;
	dpw_close(&w);
	return 0;
}

static bool dispatch_until(bool (*done)(void))
{
	struct pollfd p = { .fd = w.ops->fd(w.dp), .events = POLLIN };

	while (!done()) {
		if (poll(&p, 1, 1000) != 1)
			return false;
		w.ops->dispatch(w.dp);
	}
	return true;
}

static struct nve_vtep vtep_row(uint32_t slot)
{
	struct nve_vtep row;

	assert_int_equal(bpf_map_lookup_elem(w.dp->map[NVE_MAP_VTEP], &slot, &row), 0);
	return row;
}

static bool hop6_is_new(void)
{
	return vtep_row(2).outer[5] == 0x62;
}

static bool hop6_has_answered(void)
{
	return vtep_row(3).flags & NVE_VTEP_RESOLVED;
}

static void open_with_ipv6(void)
{
	struct nve_dp_config config = {
		.local_vtep = dpw_addr("192.0.2.1"),
		.local_vtep6 = dpw_addr("2001:db8::1"),
		.limits = dpw_limits,
	};
	struct nve_dp_port port = {
		.slot = U0, .name = "u0", .ifname = "u0", .role = NVE_DP_UNDERLAY
	};

	dpw_enter();
	w = *ebpf;
	assert_int_equal(w.ops->open(&config, &w.dp, NULL), 0);
	port.mode = w.mode;
	assert_int_equal(w.ops->port_set(w.dp, &port, NULL), 0);
	if (system("echo 0 >/proc/sys/net/ipv6/conf/u0/disable_ipv6"))
		fail();
	dpw_ip("addr replace 2001:db8::1/64 dev u0 nodad");
	dpw_ip("neigh replace 2001:db8::2 dev u0 lladdr 02:aa:00:00:00:61");
}

static void close_ipv6(void)
{
	assert_int_equal(w.ops->flush(w.dp), 0);
	dpw_ip("neigh flush dev u0 nud all to 2001:db8::/64");
	dpw_ip("addr del 2001:db8::1/64 dev u0");
	if (system("echo 1 >/proc/sys/net/ipv6/conf/u0/disable_ipv6"))
		fail();
}

static void next_hops_of_ipv6_vteps_are_found_asked_for_and_followed(void **state)
{
	const struct nve_ip known = dpw_addr("2001:db8::2"), fresh = dpw_addr("2001:db8::50");
	const uint8_t head[] = { 0x86, 0xdd, 0x60, 0, 0, 0, 0, 0, 17, 64 };
	struct nve_vtep row;

	(void)state;
	open_with_ipv6();
	assert_int_equal(w.ops->vtep_set(w.dp, 2, &known), 0);
	assert_int_equal(w.ops->vtep_set(w.dp, 3, &fresh), 0);
	dpw_apply(&w);
	row = vtep_row(2);
	assert_int_equal(row.flags, NVE_VTEP_RESOLVED);
	assert_int_equal(row.family, 6);
	assert_int_equal(row.outer_len, 70);
	assert_int_equal(row.outer[5], 0x61);
	assert_memory_equal(row.outer + 12, head, sizeof(head));
	assert_memory_equal(row.outer + 22, dpw_addr("2001:db8::1").bytes, 16);
	assert_memory_equal(row.outer + 38, known.bytes, 16);
	assert_memory_equal(row.outer + 54, "\0\0\x12\xb5\0\0\0\0\x08\0\0\0\0\0\0\0", 16);
	assert_memory_equal(row.ip, known.bytes, 16);
	assert_false(hop6_has_answered());
	dpw_ip("neigh replace 2001:db8::2 dev u0 lladdr 02:aa:00:00:00:62");
	assert_true(dispatch_until(hop6_is_new));
	dpw_ip("neigh replace 2001:db8::50 dev u0 lladdr 02:aa:00:00:00:50 nud reachable");
	assert_true(dispatch_until(hop6_has_answered));
	assert_int_equal(vtep_row(3).outer[5], 0x50);
	close_ipv6();
}

static void an_ipv6_route_through_a_router_and_its_change_are_followed(void **state)
{
	const struct nve_ip far = dpw_addr("2001:db8:9::9");

	(void)state;
	open_with_ipv6();
	assert_int_equal(w.ops->vtep_set(w.dp, 3, &far), 0);
	dpw_apply(&w);
	assert_false(hop6_has_answered());
	dpw_ip("route add 2001:db8:9::/64 via 2001:db8::2");
	assert_true(dispatch_until(hop6_has_answered));
	assert_int_equal(vtep_row(3).outer[5], 0x61);
	dpw_ip("route del 2001:db8:9::/64");
	close_ipv6();
}

static void the_encapsulation_of_a_vn_is_in_its_rows_and_follows_it(void **state)
{
	const uint32_t vteps[] = { 0, 1 };
	struct nve_dp_vn vn = {
		.vn_id = VN_7,
		.vni = VNI_7,
		.encap = NVE_DP_GENEVE,
		.tos = NVE_DP_TOS_UNIFORM,
		.n_vteps = 2,
		.vteps = vteps,
	};
	struct nve_peer_key key = { .vni = VNI_7 };
	struct nve_peer row;

	(void)state;
	dpw_open(&w, ebpf);
	dpw_vap(&w, A0, TAG_10, 1);
	dpw_tsi(&w, 1, A0, TAG_10, true, ADDRS("02:00:00:00:00:01"));
	dpw_apply(&w);
	assert_int_equal(w.dp->tsi[1].tunnel, 0);
	assert_int_equal(w.ops->vn_set(w.dp, &vn), 0);
	dpw_apply(&w);
	assert_int_equal(w.dp->tsi[1].tunnel, NVE_TUNNEL_GENEVE | NVE_TUNNEL_UNIFORM);
	assert_int_equal(bpf_map_lookup_elem(w.dp->map[NVE_MAP_PEER], &key, &row), 0);
	assert_int_equal(row.tunnel, NVE_TUNNEL_GENEVE | NVE_TUNNEL_UNIFORM);
	vn.encap = NVE_DP_GENEVE + 1;
	assert_int_equal(w.ops->vn_set(w.dp, &vn), -EOPNOTSUPP);
}

#define OPENED(f) cmocka_unit_test_teardown(f, close_it)

int main(void)
{
	const struct CMUnitTest tests[] = {
		OPENED(next_hops_of_ipv6_vteps_are_found_asked_for_and_followed),
		OPENED(an_ipv6_route_through_a_router_and_its_change_are_followed),
		OPENED(the_encapsulation_of_a_vn_is_in_its_rows_and_follows_it),
	};

	if (geteuid() != 0) {
		puts("skipped: needs root");
		return 0;
	}
	dpw_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
