/* SPDX-License-Identifier: Apache-2.0 */
/* Counters: what the programs count per CPU, summed. */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "dp/ebpf_stats.h"

#include "dp/ebpf_lines.h"

static const struct {
	uint32_t number;
	const char *name, *text;
} reasons[] = {
#define REASON(NAME, number, text) { number, #NAME, text },
	NVE_DROP_REASONS(REASON)
#undef REASON
};
enum { REASONS = sizeof(reasons) / sizeof(reasons[0]) };

const char *nve_ebpf_reason(uint32_t number, const char **text)
{
	for (int i = 0; i < REASONS; i++) {
		if (reasons[i].number != number)
			continue;
		*text = reasons[i].text;
		return reasons[i].name;
	}
	*text = "";
	return "";
}

bool nve_ebpf_sum(struct nve_dp *dp, enum nve_ebpf_map map, const void *key, uint64_t *out,
		  size_t n)
{
	uint64_t *values = calloc(dp->n_cpus * n, sizeof(values[0]));
	bool found;

	memset(out, 0, n * sizeof(out[0]));
	found = values && bpf_map_lookup_elem(dp->map[map], key, values) == 0;
	for (size_t i = 0; found && i < dp->n_cpus * n; i++)
		out[i % n] += values[i];
	free(values);
	return found;
}

static bool known(const struct nve_dp *dp, uint32_t slot)
{
	return slot < dp->shadow.limits.max_tsis && dp->shadow.tsis[slot].now;
}

uint64_t nve_ebpf_last_seen(struct nve_dp *dp, uint32_t slot)
{
	return known(dp, slot) ? nve_ebpf_counts(dp, slot).seen : 0;
}

int nve_ebpf_tsi_stats(struct nve_dp *dp, uint32_t slot, struct nve_dp_tsi_stats *ret)
{
	struct nve_ebpf_counts s;

	if (!known(dp, slot))
		return -ENOENT;
	s = nve_ebpf_counts(dp, slot);
	*ret = (struct nve_dp_tsi_stats){
		.in = { s.in_frames, s.in_bytes },
		.out = { s.out_frames, s.out_bytes },
	};
	for (int i = 0; i < REASONS; i++) {
		struct nve_tsi_drop_key key = { .tsi = slot, .reason = reasons[i].number };
		uint64_t frames;

		nve_ebpf_sum(dp, NVE_MAP_TSI_DROPS, &key, &frames, 1);
		ret->dropped += frames;
	}
	return 0;
}

void nve_ebpf_drops(struct nve_dp *dp, nve_dp_drop_fn *fn, void *arg)
{
	for (int i = 0; i < REASONS; i++) {
		uint64_t frames;

		nve_ebpf_sum(dp, NVE_MAP_DROPS, &reasons[i].number, &frames, 1);
		fn(arg, reasons[i].name, reasons[i].text, frames);
	}
}

int nve_ebpf_tsi_drops(struct nve_dp *dp, uint32_t slot, nve_dp_drop_fn *fn, void *arg)
{
	if (!known(dp, slot))
		return -ENOENT;
	for (int i = 0; i < REASONS; i++) {
		struct nve_tsi_drop_key key = { .tsi = slot, .reason = reasons[i].number };
		uint64_t frames;

		if (nve_ebpf_sum(dp, NVE_MAP_TSI_DROPS, &key, &frames, 1) && frames)
			fn(arg, reasons[i].name, reasons[i].text, frames);
	}
	return 0;
}
