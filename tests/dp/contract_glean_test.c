/* SPDX-License-Identifier: Apache-2.0 */
/* The contract of dp.h: gleaning (S46, D8).  See lib/dp_contract.h. */
#include "lib/dp_contract.h"

#include <poll.h>
#include <string.h>

enum { GLEANER = 3 };
#define SEC_NS 1000000000ull

/* What was told since it was asked last; the contract asks for no more than that it comes. */
static struct nve_dp_gleaned told[64];
static unsigned int n_told;

static void on_told(void *arg, const struct nve_dp_gleaned *gleaned)
{
	assert_ptr_equal(arg, &n_told);
	if (n_told < 64)
		told[n_told] = *gleaned;
	n_told++;
}

static unsigned int events(void)
{
	struct pollfd p = { .fd = dpc.ops->fd(dpc.dp), .events = POLLIN };

	n_told = 0;
	if (p.fd >= 0)
		poll(&p, 1, 0);
	dpc.ops->dispatch(dpc.dp);
	return n_told;
}

/* The TSI at a0, tag 10, beside TSI 1; those of 'gleaned' were learned. */
static void gleaner(uint8_t glean, bool activated, const char *const *addrs,
		    const char *const *gleaned)
{
	struct nve_tsi_addr list[8];
	struct nve_dp_tsi tsi = { .slot = GLEANER,
				  .key = { .id = { { 77 } }, .vn_id = VN_7, .port = A0 },
				  .tag = TAG_10,
				  .activated = activated,
				  .glean = glean,
				  .glean_every_ns = 3600 * SEC_NS,
				  .addrs = list };

	for (; *addrs; addrs++)
		list[tsi.n_addrs++] = dpw_tsi_addr(*addrs);
	for (; *gleaned; gleaned++) {
		list[tsi.n_addrs] = dpw_tsi_addr(*gleaned);
		list[tsi.n_addrs++].gleaned = true;
	}
	assert_int_equal(dpc.ops->tsi_set(dpc.dp, &tsi), 0);
	dpw_apply(&dpc);
	events();
}
#define NO_ADDRS ((const char *const[]){ NULL })

static void an_unknown_mac_is_lost_and_told(void **state)
{
	struct nve_tsi_addr want = dpw_tsi_addr(MAC_X " 10.0.0.7");

	(void)state;
	dpc_two_tsis(true);
	gleaner(NVE_DP_GLEAN_MACS, true, NO_ADDRS, NO_ADDRS);
	assert_false(dpc_passes(A0, TAG_10, MAC_X, "10.0.0.7"));
	assert_int_equal(events(), 1);
	assert_int_equal(told[0].slot, GLEANER);
	assert_int_equal(told[0].port, A0);
	assert_int_equal(told[0].tag, TAG_10);
	assert_memory_equal(&told[0].addr, &want.addr, sizeof(want.addr));
	assert_false(dpc_passes(A1, TAG_20, MAC_X, "10.0.0.7"));
	assert_true(dpc_passes(A0, TAG_10, MAC_1, "10.0.0.7"));
	assert_int_equal(events(), 0);
}

static void nothing_is_told_of_a_tsi_that_is_not_activated_or_does_not_glean(void **state)
{
	(void)state;
	dpc_two_tsis(true);
	gleaner(NVE_DP_GLEAN_MACS, false, NO_ADDRS, NO_ADDRS);
	assert_false(dpc_passes(A0, TAG_10, MAC_X, ""));
	assert_int_equal(events(), 0);
	gleaner(NVE_DP_GLEAN_MACS, true, NO_ADDRS, NO_ADDRS);
	assert_false(dpc_passes(A0, TAG_10, MAC_X, ""));
	assert_int_equal(events(), 1);
	gleaner(NVE_DP_GLEAN_NONE, true, NO_ADDRS, NO_ADDRS);
	assert_false(dpc_passes(A0, TAG_10, MAC_X, ""));
	assert_int_equal(events(), 0);
	gleaner(NVE_DP_GLEAN_MACS, true, NO_ADDRS, NO_ADDRS);
	assert_int_equal(dpc.ops->tsi_del(dpc.dp, GLEANER), 0);
	dpw_apply(&dpc);
	assert_false(dpc_passes(A0, TAG_10, MAC_X, ""));
	assert_int_equal(events(), 0);
}

static void a_gleaned_mac_sends_with_any_ip_and_is_reached(void **state)
{
	(void)state;
	dpc_two_tsis(true);
	gleaner(NVE_DP_GLEAN_MACS, true, NO_ADDRS,
		ADDRS(MAC_3, MAC_3 " 10.0.0.3", MAC_3 " fd00::3"));
	dpw_fdb(&dpc, MAC_3, TSI(GLEANER), NONE);
	dpw_apply(&dpc);
	assert_true(dpc_passes(A0, TAG_10, MAC_3, "10.0.0.3"));
	assert_true(dpc_passes(A0, TAG_10, MAC_3, "10.0.0.99")); /* no filter */
	assert_true(dpc_passes(A0, TAG_10, MAC_3, ""));
	assert_int_equal(dpc_reaches(MAC_3), GLEANER);
	assert_false(dpc_passes(A0, TAG_10, MAC_X, "10.0.0.3"));
	gleaner(NVE_DP_GLEAN_MACS, true, NO_ADDRS, NO_ADDRS);
	assert_false(dpc_passes(A0, TAG_10, MAC_3, "10.0.0.3"));
	assert_int_equal(dpc_reaches(MAC_3), NVE_SLOT_NONE);
	assert_int_equal(dpc.ops->fdb_del(dpc.dp, VN_7, (uint8_t[]){ 2, 0, 0, 0, 0, 3 }), 0);
}

/* D8: a signaled MAC is not widened, and gleaned IPs do not narrow it. */
static void new_ips_of_a_signaled_mac_are_told_and_its_frames_pass(void **state)
{
	(void)state;
	dpc_two_tsis(true);
	gleaner(NVE_DP_GLEAN_IPS, true, ADDRS(MAC_3), ADDRS(MAC_3 " 10.0.0.3"));
	assert_true(dpc_passes(A0, TAG_10, MAC_3, "10.0.0.4"));
	assert_int_equal(events(), 1);
	assert_int_equal(told[0].addr.ip[3], 4);
	assert_false(dpc_passes(A0, TAG_10, MAC_X, "10.0.0.4"));
	assert_int_equal(events(), 0);
}

static int set_up(void **state)
{
	int r = dpc_set_up(state);

	events();
	return r;
}

#define GLEANING(f) cmocka_unit_test_setup_teardown(f, set_up, dpc_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		GLEANING(an_unknown_mac_is_lost_and_told),
		GLEANING(nothing_is_told_of_a_tsi_that_is_not_activated_or_does_not_glean),
		GLEANING(a_gleaned_mac_sends_with_any_ip_and_is_reached),
		GLEANING(new_ips_of_a_signaled_mac_are_told_and_its_frames_pass),
	};

	dpw_gleaned = on_told;
	dpw_gleaned_arg = &n_told;
	return dpc_run(tests);
}
