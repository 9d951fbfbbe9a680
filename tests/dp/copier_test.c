/* SPDX-License-Identifier: Apache-2.0 */
/* The loop that XDP makes copies on: when there is one, and what becomes of BUM without. */
#include <bpf/bpf.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dp/ebpf.h"
#include "lib/dp_probe.h"

#define PINS    "/sys/fs/bpf/nve-copier"
#define MAC_1   "02:00:00:00:00:01"
#define MAC_ALL "ff:ff:ff:ff:ff:ff"

static const struct dpw *tc, *xdp;
static struct dpw w;

static int enter(void **state)
{
	(void)state;
	for (size_t i = 0; i < dpw_n_backends; i++) {
		if (dpw_backends[i].ops == &nve_dp_ebpf && dpw_backends[i].mode == NVE_DP_XDP)
			xdp = &dpw_backends[i];
		else if (dpw_backends[i].ops == &nve_dp_ebpf)
			tc = &dpw_backends[i];
	}
	return tc && xdp ? 0 : -1;
}

static void open_pinned(const struct dpw *backend)
{
	dpw_open_pinned(&w, backend, PINS, &dpw_limits);
	assert_int_equal(w.ops->resync_begin(w.dp), 0);
	dpw_set_vns(&w);
	dpw_vap(&w, A0, TAG_10, 1);
	dpw_vap(&w, A1, TAG_20, 1);
	dpw_tsi(&w, 1, A0, TAG_10, true, ADDRS(MAC_1));
	assert_int_equal(w.ops->resync_end(w.dp), 0);
}

static int flush(void **state)
{
	(void)state;
	if (w.dp) {
		assert_int_equal(w.ops->flush(w.dp), 0);
		dpw_close(&w);
	}
	return 0;
}

/* Ends of loops in this namespace; the last one's name without its last letter. */
static int ends(char stem[IF_NAMESIZE])
{
	struct if_nameindex *all = if_nameindex();
	int n = 0;

	assert_non_null(all);
	for (struct if_nameindex *i = all; i->if_index; i++) {
		if (strncmp(i->if_name, "nve-", 4))
			continue;
		n++;
		snprintf(stem, IF_NAMESIZE, "%.*s", (int)strlen(i->if_name) - 1, i->if_name);
	}
	if_freenameindex(all);
	return n;
}

static uint32_t copies(void)
{
	struct nve_fake_frame f = { .port = A0, .tag = TAG_10 };

	dpw_mac(f.src, MAC_1);
	dpw_mac(f.dst, MAC_ALL);
	return dp_probe_port(&w, &f).copies;
}

/* Runs the live program alone. */
static bool copied_in_xdp(void)
{
	struct nve_fake_frame f = { .port = A0, .tag = TAG_10 };
	struct frame in, out;
	uint64_t before = dp_probe_on_loop(&w);
	int r;

	dpw_mac(f.src, MAC_1);
	dpw_mac(f.dst, MAC_ALL);
	in = dp_probe_frame(&f);
	r = dp_probe_run(&w, NVE_DP_ACCESS, NVE_DP_XDP, w.dp->ports[A0].ifindex, &in, &out);
	if (dp_probe_on_loop(&w) != before)
		assert_int_equal(dp_probe_turn_loop(&w, before, &out), 3);
	return r == 4; /* XDP_REDIRECT */
}

static void the_loop_comes_with_xdp_outlives_the_agent_and_goes_with_the_last_xdp_port(void **state)
{
	char stem[IF_NAMESIZE], again[IF_NAMESIZE];

	(void)state;
	open_pinned(tc);
	assert_int_equal(ends(stem), 0);
	dpw_close(&w);
	open_pinned(xdp);
	assert_int_equal(ends(stem), 2);
	assert_true(copied_in_xdp());
	dpw_close(&w);
	assert_int_equal(ends(again), 2);
	open_pinned(xdp);
	assert_int_equal(ends(again), 2);
	assert_string_equal(again, stem);
	assert_true(copied_in_xdp());
	dpw_close(&w);
	open_pinned(tc);
	assert_int_equal(ends(stem), 0);
	assert_int_equal(copies(), 3);
}

static void without_pins_it_goes_with_the_agent(void **state)
{
	char stem[IF_NAMESIZE];

	(void)state;
	dpw_open(&w, xdp);
	assert_int_equal(ends(stem), 2);
	dpw_close(&w);
	assert_int_equal(ends(stem), 0);
}

static void where_it_cannot_be_had_copies_are_tcs_and_the_port_says_so(void **state)
{
	struct nve_dp_port_status status;
	char stem[IF_NAMESIZE], command[64];

	(void)state;
	open_pinned(xdp);
	assert_int_equal(ends(stem), 2);
	flush(NULL);
	/* Something else has its names. */
	for (const char *end = "ab"; *end; end++) {
		snprintf(command, sizeof(command), "link add %s%c type bridge", stem, *end);
		dpw_ip(command);
	}
	open_pinned(xdp);
	assert_int_equal(w.ops->port_status(w.dp, A0, &status), 0);
	assert_int_equal(status.mode, NVE_DP_XDP);
	assert_non_null(strstr(status.why, "broadcasts are copied in TC"));
	assert_false(copied_in_xdp());
	assert_int_equal(copies(), 3);
	flush(NULL);
	assert_int_equal(ends(stem), 2); /* and is left alone */
	for (const char *end = "ab"; *end; end++) {
		snprintf(command, sizeof(command), "link del %s%c", stem, *end);
		dpw_ip(command);
	}
}

/* Whatever becomes of the pair, the agent hears of it. */
static void when_somebody_deletes_it_copies_are_tcs(void **state)
{
	char stem[IF_NAMESIZE], command[64];

	(void)state;
	open_pinned(xdp);
	assert_true(copied_in_xdp());
	assert_int_equal(ends(stem), 2);
	snprintf(command, sizeof(command), "link del %sa", stem);
	dpw_ip(command);
	w.ops->dispatch(w.dp);
	assert_false(copied_in_xdp());
	assert_int_equal(copies(), 3);
}

static void the_members_of_a_row_are_in_order(void **state)
{
	struct nve_flood row;

	(void)state;
	open_pinned(xdp);
	assert_int_equal(bpf_map_lookup_elem(w.dp->map[NVE_MAP_FLOOD], &(uint32_t){ VN_7 }, &row),
			 0);
	assert_int_equal(row.n, 4);
	for (uint32_t i = 1; i < row.n; i++) {
		const struct nve_member *a = &row.members[i - 1], *b = &row.members[i];

		assert_true(a->kind < b->kind || (a->kind == b->kind && a->slot < b->slot));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(
			the_loop_comes_with_xdp_outlives_the_agent_and_goes_with_the_last_xdp_port,
			flush),
		cmocka_unit_test_teardown(without_pins_it_goes_with_the_agent, flush),
		cmocka_unit_test_teardown(
			where_it_cannot_be_had_copies_are_tcs_and_the_port_says_so, flush),
		cmocka_unit_test_teardown(when_somebody_deletes_it_copies_are_tcs, flush),
		cmocka_unit_test_teardown(the_members_of_a_row_are_in_order, flush),
	};

	return cmocka_run_group_tests(tests, enter, NULL);
}
