/* SPDX-License-Identifier: Apache-2.0 */
/* The check of the eBPF datapath: what is attached and pinned.  See dp/dp_check.h. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "dp/ebpf.h"
#include "lib/dp_corrupt.h"
#include "lib/dp_probe.h"

#define PINS "/sys/fs/bpf/nve-check"

static const struct dpw *backend;
static struct dpw w;

static int set_up(void **state)
{
	backend = *state;
	dpw_open_pinned(&w, backend, PINS, &dpw_limits);
	assert_int_equal(w.ops->resync_begin(w.dp), 0);
	dpw_set_vns(&w);
	assert_int_equal(w.ops->resync_end(w.dp), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	assert_int_equal(w.ops->flush(w.dp), 0);
	dpw_close(&w);
	return 0;
}

/* Found, as told; mended; and gone. */
static void mended(const char *table, enum nve_dp_diff_kind kind, uint32_t n)
{
	struct dpx_found f = dpx_check(&w, false, 100);

	if (f.n != n || strcmp(f.table, table) || f.kind != kind)
		fail_msg("%u found, the last in %s, %d: %s want %s have %s", f.n, f.table, f.kind,
			 f.key, f.want, f.have);
	f = dpx_check(&w, true, 100);
	assert_int_equal(f.mended, n);
	f = dpx_check(&w, false, 100);
	if (f.n)
		fail_msg("still: %s %s want %s have %s", f.table, f.key, f.want, f.have);
}

static int *port_link(uint16_t slot)
{
	struct nve_ebpf_port *p = &w.dp->ports[slot];

	return p->mode == NVE_DP_XDP ? &p->xdp_link : &p->tc_link;
}

static void a_detached_program_is_attached_again(void **state)
{
	(void)state;
	assert_int_equal(bpf_link_detach(*port_link(A0)), 0);
	mended("program", NVE_DP_MISSING, 1);
	assert_int_equal(bpf_link_detach(*port_link(U0)), 0);
	assert_int_equal(bpf_link_detach(w.dp->ports[A1].tc_link), 0);
	assert_int_equal(dp_probe_attached("a1"), 0);
	mended("program", NVE_DP_MISSING, 2);
	assert_int_equal(dp_probe_attached("a1"), 1);
}

static void another_program_under_our_link_is_replaced(void **state)
{
	bool xdp = w.mode == NVE_DP_XDP;
	int other = w.dp->prog[xdp ? NVE_PROG_XDP_UNDERLAY : NVE_PROG_TC_UNDERLAY];

	(void)state;
	assert_int_equal(bpf_link_update(*port_link(A0), other, NULL), 0);
	mended("program", NVE_DP_DIFFERS, 1);
}

static void a_program_of_others_in_the_way_is_told_and_stays(void **state)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, q);
	uint32_t ifindex = w.dp->ports[A0].ifindex;
	struct dpx_found f;

	(void)state;
	if (w.mode == NVE_DP_XDP) {
		/* Ours keeps others out: it must go first. */
		assert_int_equal(bpf_link_detach(w.dp->ports[A0].xdp_link), 0);
	}
	assert_int_equal(
		bpf_xdp_attach(ifindex, w.dp->prog[NVE_PROG_XDP_COPY], XDP_FLAGS_DRV_MODE, NULL),
		0);
	f = dpx_check(&w, true, 100);
	assert_int_equal(f.mended, 0);
	assert_int_equal(f.n, w.mode == NVE_DP_XDP ? 2 : 1);
	assert_string_equal(f.table, "program");
	assert_int_equal(bpf_xdp_query(ifindex, 0, &q), 0);
	assert_true(q.drv_prog_id != 0);
	assert_int_equal(bpf_xdp_detach(ifindex, XDP_FLAGS_DRV_MODE, NULL), 0);
	f = dpx_check(&w, true, 100);
	assert_int_equal(f.n, w.mode == NVE_DP_XDP ? 1 : 0);
	assert_int_equal(dpx_check(&w, true, 100).n, 0);
}

static void pins_that_are_gone_or_another_are_put_right(void **state)
{
	char path[256];

	(void)state;
	assert_int_equal(unlink(PINS "/nve_tsi"), 0);
	assert_int_equal(unlink(PINS "/nve_meta"), 0);
	mended("pin", NVE_DP_MISSING, 2);
	assert_int_equal(access(PINS "/nve_tsi", F_OK), 0);
	assert_int_equal(unlink(PINS "/nve_src"), 0);
	assert_int_equal(bpf_obj_pin(w.dp->map[NVE_MAP_FDB], PINS "/nve_src"), 0);
	mended("pin", NVE_DP_DIFFERS, 1);
	assert_true(nve_ebpf_pin_path(w.dp, path, "tc"));
	snprintf(path, sizeof(path), PINS "/tc_%u", w.dp->ports[A0].ifindex);
	assert_int_equal(unlink(path), 0);
	mended("pin", NVE_DP_MISSING, 1);
}

static void a_pin_directory_that_was_removed_is_made_and_locked_again(void **state)
{
	struct nve_dp_config config = { .pin_dir = PINS,
					.local_vtep = dpw_addr("192.0.2.1"),
					.limits = dpw_limits };
	struct nve_dp *second = NULL;
	struct dpx_found f;

	(void)state;
	assert_int_equal(system("rm -r " PINS), 0);
	f = dpx_check(&w, true, 100);
	assert_true(f.n > 20);
	assert_int_equal(f.mended, f.n);
	assert_int_equal(dpx_check(&w, true, 100).n, 0);
	assert_int_equal(w.ops->open(&config, &second, NULL), -EBUSY);
}

static void the_loop_of_copies_is_put_right(void **state)
{
	uint32_t zero = 0, none = 0, slot = A0;

	(void)state;
	if (w.mode != NVE_DP_XDP) {
		assert_int_equal(w.dp->copier.a, 0);
		return;
	}
	assert_int_equal(
		bpf_map_update_elem(w.dp->copier.map[NVE_COPIER_LOOP], &zero, &none, BPF_ANY), 0);
	mended("copier", NVE_DP_MISSING, 1);
	assert_int_equal(bpf_map_delete_elem(w.dp->copier.map[NVE_COPIER_PORTS], &slot), 0);
	mended("copies", NVE_DP_MISSING, 1);
	assert_int_equal(bpf_link_detach(w.dp->copier.link), 0);
	mended("program", NVE_DP_MISSING, 1);
}

#define BOTH(f)                                                                                    \
	{ #f " [tc]", f, set_up, tear_down, (void *)&dpw_backends[1] },                            \
	{                                                                                          \
#f " [xdp]", f, set_up, tear_down, (void *)&dpw_backends[2]                        \
	}

/* Of VTEPs and peers, in buckets; contract_check_test.c has those of TSIs, in lines. */
static void entries_of_near_that_are_not_right_are_told_and_gone(void **state)
{
	(void)state;
	assert_true(dpx_spoil(&w, "near.buckets", NVE_DP_DIFFERS));
	mended("near", NVE_DP_DIFFERS, 1);
	assert_true(dpx_spoil(&w, "near.buckets", NVE_DP_FOREIGN));
	mended("near", NVE_DP_FOREIGN, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(a_detached_program_is_attached_again),
		BOTH(another_program_under_our_link_is_replaced),
		BOTH(a_program_of_others_in_the_way_is_told_and_stays),
		BOTH(pins_that_are_gone_or_another_are_put_right),
		BOTH(a_pin_directory_that_was_removed_is_made_and_locked_again),
		BOTH(the_loop_of_copies_is_put_right),
		BOTH(entries_of_near_that_are_not_right_are_told_and_gone),
	};

	if (geteuid() != 0) {
		puts("skipped: needs root");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
