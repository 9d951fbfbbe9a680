/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows that the programs keep per CPU, and those of near, as the agent writes them.  See
 * datapath.h.
 */
#include <bpf/libbpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "lib/datapath.h"

struct nve_tsi_stats dp_stats(struct dp *dp, uint32_t tsi)
{
	struct nve_tsi_stats x, sum = { 0 };

	for (int i = 0; i < libbpf_num_possible_cpus(); i++) {
		dp_get(dp, "tsi_stats", &(uint32_t){ i * DP_TSIS + tsi }, &x);
		sum.in_frames += x.in_frames;
		sum.in_bytes += x.in_bytes;
		sum.out_frames += x.out_frames;
		sum.out_bytes += x.out_bytes;
		if (x.seen > sum.seen)
			sum.seen = x.seen;
	}
	return sum;
}

void dp_set_seen(struct dp *dp, uint32_t tsi, uint64_t seen)
{
	struct nve_tsi_stats x;

	for (int i = 0; i < libbpf_num_possible_cpus(); i++) {
		uint32_t at = i * DP_TSIS + tsi;

		dp_get(dp, "tsi_stats", &at, &x);
		x.seen = seen;
		dp_set(dp, "tsi_stats", &at, &x);
	}
}

void dp_near_empty(struct dp *dp)
{
	memset(dp_map(dp, "near"), 0, dp->sizes[2]);
	memset(dp_map(dp, "near_vn"), 0, dp->sizes[3]);
}

uint64_t dp_near_key(uint32_t number, const char *mac)
{
	uint64_t key = 0;

	dp_mac((uint8_t *)&key, mac);
	return key | (uint64_t)number << 48;
}

struct nve_near_bucket *dp_near_bucket(struct dp *dp, uint64_t key, bool second)
{
	struct nve_near_bucket *rows = dp_map(dp, "near");
	uint64_t h = nve_near_hash(key, 0);

	return &rows[(second ? h : h >> 32) % (dp->sizes[2] / sizeof(*rows))];
}

struct nve_near_entry *dp_near_put(struct dp *dp, const struct nve_near_entry *e)
{
	struct nve_near_bucket *b = dp_near_bucket(dp, e->key, false);

	for (int i = 0; i < NVE_NEAR_WAYS; i++) {
		if (b->e[i].key)
			continue;
		b->e[i] = *e;
		return &b->e[i];
	}
	fail_msg("the first bucket is full");
	return NULL;
}

void dp_near_hint(struct dp *dp, uint32_t ifindex, uint16_t vid, uint32_t number, uint32_t vn_id)
{
	struct nve_near_vn *rows = dp_map(dp, "near_vn");

	rows[ifindex % NVE_NEAR_PORTS * NVE_VID_COUNT + vid] =
		(struct nve_near_vn){ .number = number, .vn_id = vn_id };
}
