/* SPDX-License-Identifier: Apache-2.0 */
/* How the contract suite speaks, see dp_contract.h. */
#include "lib/dp_contract.h"

#include <stdio.h>
#include <unistd.h>

struct dpw dpc;
static const struct dpw *backend;

struct nve_fake_verdict dpc_send(uint16_t port, uint16_t tag, const char *src, const char *ip,
				 const char *dst)
{
	struct nve_fake_frame f = { .port = port, .tag = tag, .ip = dpw_addr(ip) };

	dpw_mac(f.src, src);
	dpw_mac(f.dst, dst);
	return dpw_from_port(&dpc, &f);
}

bool dpc_passes(uint16_t port, uint16_t tag, const char *src, const char *ip)
{
	struct nve_fake_verdict v = dpc_send(port, tag, src, ip, MAC_R);

	assert_true(!v.pass || (v.dest.kind == NVE_DP_DEST_VTEP && v.dest.slot == 0));
	return v.pass;
}

uint32_t dpc_reaches(const char *dst)
{
	struct nve_fake_verdict v = dpw_from_vtep(&dpc, "192.0.2.2", VNI_7, dst);

	return v.pass && v.dest.kind == NVE_DP_DEST_TSI ? v.dest.slot : NVE_SLOT_NONE;
}

void dpc_two_tsis(bool activated)
{
	dpw_vap(&dpc, A0, TAG_10, activated);
	dpw_vap(&dpc, A1, TAG_20, activated);
	dpw_tsi(&dpc, 1, A0, TAG_10, activated, ADDRS(MAC_1));
	dpw_tsi(&dpc, 2, A1, TAG_20, activated, ADDRS(MAC_2));
	dpw_fdb(&dpc, MAC_1, TSI(1), NONE);
	dpw_fdb(&dpc, MAC_2, TSI(2), NONE);
	dpw_fdb(&dpc, MAC_R, VTEP(0), NONE);
}

int dpc_set_up(void **state)
{
	(void)state;
	dpw_open(&dpc, backend);
	return 0;
}

int dpc_tear_down(void **state)
{
	(void)state;
	dpw_close(&dpc);
	return 0;
}

static int run_on(const struct CMUnitTest *tests, size_t n, bool fake)
{
	int failed = 0;

	for (size_t i = 0; i < dpw_n_backends; i++) {
		backend = &dpw_backends[i];
		if (!fake && backend->ops == &nve_dp_fake)
			continue;
		if (backend->ops == &nve_dp_ebpf && geteuid() != 0) {
			printf("%s: skipped, needs root\n", backend->name);
			continue;
		}
		printf("--- %s\n", backend->name);
		fflush(stdout);
		failed += _cmocka_run_group_tests(backend->name, tests, n, NULL, NULL);
	}
	return failed;
}

int dpc_run_on_all(const struct CMUnitTest *tests, size_t n)
{
	return run_on(tests, n, true);
}

int dpc_run_on_ebpf(const struct CMUnitTest *tests, size_t n)
{
	return run_on(tests, n, false);
}
