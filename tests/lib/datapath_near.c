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

static struct nve_tsi_stats *rows_of(struct dp *dp, int cpu)
{
	return (struct nve_tsi_stats *)dp_map(dp, "tsi_stats") + cpu * (DP_LINES + DP_TSIS);
}

static void add(struct nve_tsi_stats *sum, const struct nve_tsi_stats *x)
{
	sum->in_frames += x->in_frames;
	sum->in_bytes += x->in_bytes;
	sum->out_frames += x->out_frames;
	sum->out_bytes += x->out_bytes;
	if (x->seen > sum->seen)
		sum->seen = x->seen;
}

struct nve_tsi_stats dp_stats(struct dp *dp, uint32_t tsi)
{
	struct nve_tsi_stats sum = { 0 };

	for (int cpu = 0; cpu < libbpf_num_possible_cpus(); cpu++) {
		add(&sum, &rows_of(dp, cpu)[DP_LINES + tsi]);
		for (int i = 0; i < DP_LINES; i++)
			if (NVE_LINE_SLOT(rows_of(dp, cpu)[i].who) == tsi)
				add(&sum, &rows_of(dp, cpu)[i]);
	}
	return sum;
}

void dp_set_seen(struct dp *dp, uint32_t tsi, uint32_t seen)
{
	for (int cpu = 0; cpu < libbpf_num_possible_cpus(); cpu++)
		rows_of(dp, cpu)[DP_LINES + tsi].seen = seen;
}

struct nve_tsi_stats *dp_line(struct dp *dp, int cpu, uint64_t key, uint32_t vni, int way)
{
	uint64_t hash = nve_line_hash(vni, key & 0xffffffffffff, 0);

	return &rows_of(dp, cpu)[nve_line_at(hash, DP_LINES, way)];
}

void dp_line_put(struct dp *dp, const struct nve_near_entry *e, int way)
{
	for (int cpu = 0; cpu < libbpf_num_possible_cpus(); cpu++) {
		struct nve_tsi_stats *s = dp_line(dp, cpu, e->key, e->net >> 8, way);

		assert_int_equal(s->key, 0);
		s->key = e->key;
		s->place = e->ifindex | (uint64_t)e->vid << 32 | (uint64_t)e->port << 48;
		s->who = NVE_LINE_WHO(e->slot, 1);
		s->ip4 = e->ip4;
		s->net = e->net | (uint32_t)e->flags << NVE_LINE_FLAGS_SHIFT;
	}
}

void dp_line_cut(struct dp *dp, const struct nve_near_entry *e, int way)
{
	for (int cpu = 0; cpu < libbpf_num_possible_cpus(); cpu++)
		dp_line(dp, cpu, e->key, e->net >> 8, way)->key = 0;
}

void dp_near_empty(struct dp *dp)
{
	memset(dp_map(dp, "near"), 0, dp->sizes[2]);
	memset(dp_map(dp, "near_vn"), 0, dp->sizes[3]);
	for (int cpu = 0; cpu < libbpf_num_possible_cpus(); cpu++)
		for (int i = 0; i < DP_LINES; i++)
			rows_of(dp, cpu)[i].key = 0;
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

	uint64_t word = NVE_NEAR_VN(number, vn_id == VN_7 ? VNI_7 : VNI_8, vn_id);

	memcpy(&rows[ifindex % NVE_NEAR_PORTS * NVE_VID_COUNT + vid], &word, sizeof(word));
}
