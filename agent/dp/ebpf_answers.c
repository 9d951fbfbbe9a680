/* SPDX-License-Identifier: Apache-2.0 */
/* What the eBPF datapath answers by itself, and the MTU that its answers are about. */
#include "dp/ebpf_answers.h"

#include <bpf/bpf.h>

#include "dp/ebpf_stats.h"
#include "dp/shadow_mtu.h"

/* ICMP errors a second to one TSI, and how many at once: each flow needs one for each path. */
enum { ICMP_RATE = 100, ICMP_BURST = 50 };

static const struct {
	uint32_t number;
	const char *name, *text;
} answers[] = {
#define ANSWER(NAME, number, text) { number, #NAME, text },
	NVE_ANSWERS(ANSWER)
#undef ANSWER
};

struct nve_meter nve_ebpf_icmp_meter(void)
{
	const uint64_t each = 1000000000 / ICMP_RATE; /* ns */

	return (struct nve_meter){ .cost = each << 16, .burst = each * ICMP_BURST };
}

int nve_ebpf_icmp_rate(struct nve_dp *dp)
{
	const struct nve_meter meter = nve_ebpf_icmp_meter();

	for (uint32_t i = 0; i < NVE_ICMP_METERS; i++) {
		int r = bpf_map_update_elem(dp->map[NVE_MAP_ICMP_METER], &i, &meter, BPF_ANY);

		if (r < 0)
			return r;
	}
	return 0;
}

void nve_ebpf_answers(struct nve_dp *dp, nve_dp_drop_fn *fn, void *arg)
{
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		uint64_t frames;

		nve_ebpf_sum(dp, NVE_MAP_ANSWERS, &answers[i].number, &frames, 1);
		fn(arg, answers[i].name, answers[i].text, frames);
	}
}

/* Of the port that the VTEP is behind; else of the narrowest. */
static uint32_t way_mtu(const struct nve_dp *dp, uint32_t vtep)
{
	uint32_t ifindex = vtep == NVE_SLOT_NONE ? 0 : dp->hops[vtep].ifindex;
	uint32_t least = 0;

	for (uint16_t i = 0; i < NVE_PORTS_MAX; i++) {
		const struct nve_ebpf_port *port = &dp->ports[i];

		if (!dp->shadow.port_is_set[i] || dp->shadow.ports[i].role != NVE_DP_UNDERLAY ||
		    !port->ifindex)
			continue;
		if (port->ifindex == ifindex)
			return port->mtu;
		if (!least || port->mtu < least)
			least = port->mtu;
	}
	return least;
}

uint32_t nve_ebpf_tenant_mtu(struct nve_dp *dp, uint32_t vn_id)
{
	return nve_shadow_tenant_mtu(&dp->shadow, vn_id, dp->local_vtep6.family, way_mtu, dp);
}
