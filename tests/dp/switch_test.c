/* SPDX-License-Identifier: Apache-2.0 */
/* D12 in the eBPF datapath: what switching a TSI on and off costs.  See lib/dp_world.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "dp/ebpf.h"
#include "lib/dp_probe.h"

#define MAC_1 "02:00:00:00:00:01"
#define MAC_R "02:00:00:00:00:99" /* behind VTEP 0 */

static const struct dpw *const ebpf = &dpw_backends[1];
static struct dpw w;

static bool passes(const char *ip)
{
	struct nve_fake_frame f = { .port = A0, .tag = TAG_10, .ip = dpw_addr(ip) };

	dpw_mac(f.src, MAC_1);
	dpw_mac(f.dst, MAC_R);
	return dpw_from_port(&w, &f).pass;
}

/* As the core has them: the addresses of a TSI that is off are off, too. */
static void switch_tsi_1(bool on)
{
	struct nve_tsi_addr addrs[] = { dpw_tsi_addr(MAC_1 " 10.0.0.1"),
					dpw_tsi_addr(MAC_1 " 10.0.0.2"), dpw_tsi_addr("fd00::1") };
	struct nve_dp_tsi tsi = { .slot = 1,
				  .key = { .id = { { 2 } }, .vn_id = VN_7, .port = A0 },
				  .tag = TAG_10,
				  .activated = on,
				  .n_addrs = 3,
				  .addrs = addrs };

	for (int i = 0; i < 3; i++)
		addrs[i].active = on;
	assert_int_equal(w.ops->tsi_set(w.dp, &tsi), 0);
	dpw_apply(&w);
}

static void a_tsi_is_switched_on_and_off_by_its_record_alone(void **state)
{
	(void)state;
	dpw_open(&w, ebpf);
	dpw_vap(&w, A0, TAG_10, 1);
	switch_tsi_1(false);
	dpw_fdb(&w, MAC_1, TSI(1), NONE);
	dpw_fdb(&w, MAC_R, VTEP(0), NONE);
	dpw_apply(&w);
	w.dp->written = 0;
	for (int i = 0; i < 2; i++) {
		switch_tsi_1(false);
		assert_false(passes("10.0.0.2"));
		switch_tsi_1(true);
		assert_true(passes("10.0.0.2"));
		assert_false(passes("10.0.0.3"));
	}
	assert_int_equal(w.dp->written, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tsi_is_switched_on_and_off_by_its_record_alone),
	};
	int failed;

	if (geteuid() != 0) {
		puts("skipped: needs root");
		return 0;
	}
	dpw_enter();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	dpw_close(&w);
	return failed;
}
