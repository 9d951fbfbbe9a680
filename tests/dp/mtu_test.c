/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tenants' MTU, and the counters of what a datapath answers by itself, on every backend.  See
 * lib/dp_world.h.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "dp/ebpf.h"
#include "lib/dp_contract.h"

static void open_with_ipv6(const struct dpw *backend)
{
	struct nve_dp_config config = {
		.local_vtep = dpw_addr("192.0.2.1"),
		.local_vtep6 = dpw_addr("2001:db8::1"),
		.limits = dpw_limits,
	};
	struct nve_dp_port port = { .slot = U0,
				    .name = "u0",
				    .ifname = "u0",
				    .role = NVE_DP_UNDERLAY,
				    .mode = backend->mode };
	const struct nve_ip v4 = dpw_addr("192.0.2.2"), v6 = dpw_addr("2001:db8::2");

	dpc = *backend;
	assert_int_equal(dpc.ops->open(&config, &dpc.dp, NULL), 0);
	assert_int_equal(dpc.ops->port_set(dpc.dp, &port, NULL), 0);
	assert_int_equal(dpc.ops->vtep_set(dpc.dp, 0, &v4), 0);
	assert_int_equal(dpc.ops->vtep_set(dpc.dp, 1, &v6), 0);
}

static void set_vn(uint32_t vn_id, const uint32_t *vteps, uint32_t n)
{
	const struct nve_dp_vn vn = { .vn_id = vn_id, .vni = vn_id, .n_vteps = n, .vteps = vteps };

	assert_int_equal(dpc.ops->vn_set(dpc.dp, &vn), 0);
	dpw_apply(&dpc);
}

static uint32_t mtu(uint32_t vn_id)
{
	return dpc.ops->tenant_mtu(dpc.dp, vn_id);
}

static void the_mtu_is_what_the_largest_header_of_the_vns_vteps_leaves(void **state)
{
	static const uint32_t v4[] = { 0 }, v6[] = { 1 }, both[] = { 0, 1 };

	(void)state;
	for (size_t i = 0; i < dpw_n_backends; i++) {
		open_with_ipv6(&dpw_backends[i]);
		set_vn(1, v4, 1);
		set_vn(2, v6, 1);
		set_vn(3, both, 2);
		set_vn(4, NULL, 0);
		assert_int_equal(mtu(1), 1450);
		assert_int_equal(mtu(2), 1430);
		assert_int_equal(mtu(3), 1430);
		/* Without VTEPs, or not set: as small as any can be. */
		assert_int_equal(mtu(4), 1430);
		assert_int_equal(mtu(5), 1430);
		/* It follows what the VN is told. */
		set_vn(3, v4, 1);
		assert_int_equal(mtu(3), 1450);
		dpw_close(&dpc);
	}
}

static void an_nve_without_ipv6_has_no_ipv6_header_to_leave_room_for(void **state)
{
	(void)state;
	assert_int_equal(mtu(VN_7), 1450);
	assert_int_equal(mtu(99), 1450);
}

static void the_mtu_follows_the_underlay_port(void **state)
{
	struct pollfd p = { .fd = dpc.ops->fd(dpc.dp), .events = POLLIN };

	(void)state;
	if (dpc.ops == &nve_dp_fake) { /* whose ports are all alike */
		assert_int_equal(mtu(VN_7), NVE_FAKE_MTU - 50);
		return;
	}
	dpw_ip("link set u0 mtu 1400");
	while (mtu(VN_7) != 1350) {
		assert_int_equal(poll(&p, 1, 1000), 1);
		dpc.ops->dispatch(dpc.dp);
	}
	dpw_ip("link set u0 mtu 1500");
}

struct seen {
	char names[200];
	uint64_t frames;
};

static void note(void *arg, const char *name, const char *text, uint64_t frames)
{
	struct seen *seen = arg;

	assert_non_null(strchr(text, ' '));
	strcat(strcat(seen->names, name), " ");
	seen->frames += frames;
}

static void each_kind_of_answer_is_counted_from_zero(void **state)
{
	struct seen seen = { "", 0 };

	(void)state;
	dpc.ops->answers(dpc.dp, note, &seen);
	assert_int_equal(seen.frames, 0);
	if (dpc.ops == &nve_dp_ebpf)
		assert_non_null(strstr(seen.names, "FRAG_NEEDED PACKET_TOO_BIG LIMITED "));
}

int main(void)
{
	const struct CMUnitTest contract[] = {
		CONTRACT(an_nve_without_ipv6_has_no_ipv6_header_to_leave_room_for),
		CONTRACT(the_mtu_follows_the_underlay_port),
		CONTRACT(each_kind_of_answer_is_counted_from_zero),
	};
	const struct CMUnitTest both_families[] = {
		cmocka_unit_test(the_mtu_is_what_the_largest_header_of_the_vns_vteps_leaves),
	};

	if (geteuid() != 0) {
		puts("skipped: needs root");
		return 0;
	}
	dpw_enter();
	return dpc_run(contract) + cmocka_run_group_tests(both_families, NULL, NULL);
}
