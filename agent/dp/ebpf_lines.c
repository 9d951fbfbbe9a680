/* SPDX-License-Identifier: Apache-2.0 */
/* Lines: entries of TSIs, and the books of what is counted in them.  See ebpf_lines.h. */
#include "dp/ebpf_lines.h"

#include <errno.h>
#include <string.h>
#include <time.h>

enum { LINES_MIN = 64, NOBODY = 0 };

uint32_t nve_ebpf_n_lines(uint32_t max_tsis)
{
	uint64_t n = max_tsis + (uint64_t)max_tsis / 2;

	return n < LINES_MIN ? LINES_MIN : n;
}

static uint32_t max_tsis(const struct nve_dp *dp)
{
	return dp->shadow.limits.max_tsis;
}

static size_t rows_of_cpu(const struct nve_dp *dp)
{
	return (size_t)dp->n_lines + max_tsis(dp);
}

uint32_t nve_ebpf_stats_rows(const struct nve_dp *dp)
{
	return dp->n_cpus * rows_of_cpu(dp) + max_tsis(dp) + 1;
}

int nve_ebpf_lines_open(struct nve_dp *dp)
{
	dp->line_next = calloc(dp->n_lines + 1, sizeof(dp->line_next[0]));
	dp->line_owner = calloc(dp->n_lines, sizeof(dp->line_owner[0]));
	dp->line_first = calloc(max_tsis(dp), sizeof(dp->line_first[0]));
	dp->lines_known = false;
	return dp->line_next && dp->line_owner && dp->line_first ? 0 : -ENOMEM;
}

void nve_ebpf_lines_close(struct nve_dp *dp)
{
	free(dp->line_next);
	free(dp->line_owner);
	free(dp->line_first);
	dp->line_next = dp->line_owner = dp->line_first = NULL;
}

/* --- rows ------------------------------------------------------------------------------------- */

static struct nve_tsi_stats *line_of(const struct nve_dp *dp, uint32_t cpu, uint32_t line)
{
	return &dp->stats[cpu * rows_of_cpu(dp) + line];
}

static struct nve_tsi_stats *long_way(const struct nve_dp *dp, uint32_t cpu, uint32_t slot)
{
	return line_of(dp, cpu, dp->n_lines + slot);
}

static struct nve_tsi_stats *ledger(const struct nve_dp *dp, uint32_t slot)
{
	return &dp->stats[dp->n_cpus * rows_of_cpu(dp) + slot];
}

static struct nve_line_plan *plan_of(const struct nve_dp *dp)
{
	return (void *)ledger(dp, max_tsis(dp));
}

static uint64_t load(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static void store(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static void store32(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static uint64_t key_at(const struct nve_dp *dp, uint32_t line)
{
	return load((const uint64_t *)&line_of(dp, 0, line)->key);
}

/* --- adding up -------------------------------------------------------------------------------- */

static uint32_t later(uint32_t a, uint32_t b)
{
	if (!a || !b)
		return a | b;
	return (int32_t)(a - b) > 0 ? a : b;
}

/* 'sign' is 1 or -1. */
static void add(struct nve_tsi_stats *sum, const struct nve_tsi_stats *row, int sign)
{
	const volatile struct nve_tsi_stats *s = row; /* the programs write it */

	sum->in_frames += sign * s->in_frames;
	sum->in_bytes += sign * s->in_bytes;
	sum->out_frames += sign * s->out_frames;
	sum->out_bytes += sign * s->out_bytes;
	sum->seen = later(sum->seen, s->seen);
}

static void add_line(const struct nve_dp *dp, struct nve_tsi_stats *sum, uint32_t line, int sign)
{
	for (uint32_t cpu = 0; cpu < dp->n_cpus; cpu++)
		add(sum, line_of(dp, cpu, line), sign);
}

/* 'seen' is half of a word that may have run over. */
static uint64_t seen_ns(uint32_t seen)
{
	struct timespec t;
	uint64_t now;

	if (!seen)
		return 0;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	now = (t.tv_sec * 1000000000ull + t.tv_nsec) >> NVE_SEEN_SHIFT;
	return (now - (uint32_t)((uint32_t)now - seen)) << NVE_SEEN_SHIFT;
}

struct nve_ebpf_counts nve_ebpf_counts(const struct nve_dp *dp, uint32_t slot)
{
	struct nve_tsi_stats sum = { 0 };

	add(&sum, ledger(dp, slot), 1);
	for (uint32_t cpu = 0; cpu < dp->n_cpus; cpu++)
		add(&sum, long_way(dp, cpu, slot), 1);
	for (uint32_t line = dp->line_first[slot]; line; line = dp->line_next[line])
		add_line(dp, &sum, line - 1, 1);
	return (struct nve_ebpf_counts){
		.in_frames = sum.in_frames,
		.in_bytes = sum.in_bytes,
		.out_frames = sum.out_frames,
		.out_bytes = sum.out_bytes,
		.seen = seen_ns(sum.seen),
	};
}

/* --- whose a line is -------------------------------------------------------------------------- */

static void link_line(struct nve_dp *dp, uint32_t line, uint32_t slot)
{
	dp->line_next[line + 1] = dp->line_first[slot];
	dp->line_first[slot] = line + 1;
	dp->line_owner[line] = slot + 1;
}

static void unlink_line(struct nve_dp *dp, uint32_t line, uint32_t slot)
{
	uint32_t *at = &dp->line_first[slot];

	while (*at && *at != line + 1)
		at = &dp->line_next[*at];
	if (*at)
		*at = dp->line_next[line + 1];
	dp->line_owner[line] = 0;
}

/* The plan, and that 'sum' is what its TSI has without the line; the state comes last. */
static void make_plan(struct nve_dp *dp, uint32_t line, uint32_t slot,
		      const struct nve_tsi_stats *sum, uint32_t state)
{
	struct nve_line_plan *plan = plan_of(dp);

	store32(&plan->line, line);
	store32(&plan->slot, slot);
	store32(&plan->seen, sum->seen);
	store((uint64_t *)&plan->in_frames, sum->in_frames);
	store((uint64_t *)&plan->in_bytes, sum->in_bytes);
	store((uint64_t *)&plan->out_frames, sum->out_frames);
	store((uint64_t *)&plan->out_bytes, sum->out_bytes);
	store32(&plan->state, state);
}

static void write_ledger(struct nve_dp *dp, uint32_t slot, const struct nve_tsi_stats *sum)
{
	struct nve_tsi_stats *to = ledger(dp, slot);

	store((uint64_t *)&to->in_frames, sum->in_frames);
	store((uint64_t *)&to->in_bytes, sum->in_bytes);
	store((uint64_t *)&to->out_frames, sum->out_frames);
	store((uint64_t *)&to->out_bytes, sum->out_bytes);
	store32(&to->seen, sum->seen);
}

static void clear_keys(struct nve_dp *dp, uint32_t line)
{
	for (uint32_t cpu = 0; cpu < dp->n_cpus; cpu++)
		store((uint64_t *)&line_of(dp, cpu, line)->key, NOBODY);
}

/* May be done again from the beginning at any point. */
static void carry_out(struct nve_dp *dp)
{
	struct nve_line_plan *plan = plan_of(dp);
	struct nve_tsi_stats sum = { 0 };

	if (plan->state == NVE_LINE_IDLE || plan->line >= dp->n_lines || plan->slot >= max_tsis(dp))
		return;
	clear_keys(dp, plan->line);
	if (plan->state == NVE_LINE_LEAVES) {
		add(&sum, ledger(dp, plan->slot), 1);
		add_line(dp, &sum, plan->line, 1);
		make_plan(dp, plan->line, plan->slot, &sum, NVE_LINE_IS_LEFT);
	}
	sum = (struct nve_tsi_stats){
		.in_frames = plan->in_frames,
		.in_bytes = plan->in_bytes,
		.out_frames = plan->out_frames,
		.out_bytes = plan->out_bytes,
		.seen = plan->seen,
	};
	write_ledger(dp, plan->slot, &sum);
	store32(&plan->state, NVE_LINE_IDLE);
}

void nve_ebpf_lines_recover(struct nve_dp *dp)
{
	carry_out(dp);
	store32(&plan_of(dp)->state, NVE_LINE_IDLE);
}

void nve_ebpf_line_cut_at(struct nve_dp *dp, uint32_t line)
{
	uint32_t owner = dp->line_owner[line];
	uint32_t slot = owner ? owner - 1 : NVE_LINE_SLOT(line_of(dp, 0, line)->who);

	/* What nobody has counts for nobody, whatever somebody else has written there. */
	if (slot >= max_tsis(dp) || (dp->lines_known && !owner)) {
		clear_keys(dp, line);
		return;
	}
	make_plan(dp, line, slot, &(struct nve_tsi_stats){ 0 }, NVE_LINE_LEAVES);
	carry_out(dp);
	unlink_line(dp, line, slot);
}

/* The key comes last, and everything else differs from what a reader may be reading. */
static void write_line(struct nve_tsi_stats *to, const struct nve_near_entry *e, uint32_t seq)
{
	uint32_t net = e->net | (uint32_t)e->flags << NVE_LINE_FLAGS_SHIFT;

	store32(&to->who, NVE_LINE_WHO(e->slot, seq));
	store((uint64_t *)&to->place,
	      e->ifindex | (uint64_t)e->vid << 32 | (uint64_t)e->port << 48);
	store((uint64_t *)(void *)&to->ip4, e->ip4 | (uint64_t)net << 32);
	store32(&to->seen, 0);
	store((uint64_t *)&to->key, e->key);
}

static void take_line(struct nve_dp *dp, uint32_t line, const struct nve_near_entry *e)
{
	uint32_t seq = line_of(dp, 0, line)->who + 1;
	struct nve_tsi_stats sum = { 0 };

	if (dp->line_owner[line]) /* its key was not the agent's to clear */
		nve_ebpf_line_cut_at(dp, line);
	add(&sum, ledger(dp, e->slot), 1);
	make_plan(dp, line, e->slot, &sum, NVE_LINE_IS_LEFT);
	for (uint32_t cpu = 0; cpu < dp->n_cpus; cpu++)
		store32(&line_of(dp, cpu, line)->seen, 0);
	add_line(dp, &sum, line, -1);
	write_ledger(dp, e->slot, &sum);
	for (uint32_t cpu = 0; cpu < dp->n_cpus; cpu++)
		write_line(line_of(dp, cpu, line), e, seq);
	store32(&plan_of(dp)->state, NVE_LINE_IDLE);
	link_line(dp, line, e->slot);
}

/* --- entries ---------------------------------------------------------------------------------- */

static uint32_t way(const struct nve_dp *dp, uint64_t key, uint32_t vni, int i)
{
	uint64_t hash = nve_line_hash(vni, key & 0xffffffffffff, dp->near_seed);

	return nve_line_at(hash, dp->n_lines, i);
}

static bool read_copy(const struct nve_dp *dp, uint32_t cpu, uint32_t line,
		      struct nve_near_entry *ret)
{
	const struct nve_tsi_stats *s = line_of(dp, cpu, line);

	if (!load((const uint64_t *)&s->key))
		return false;
	*ret = (struct nve_near_entry){
		.key = s->key,
		.ifindex = s->place,
		.vid = s->place >> 32,
		.port = s->place >> 48,
		.slot = NVE_LINE_SLOT(s->who),
		.kind = NVE_NEAR_TSI,
		.flags = (s->net & 0xff) >> NVE_LINE_FLAGS_SHIFT,
		.ip4 = s->ip4,
		.net = s->net & ~(0xffu & ~NVE_LINE_TUNNEL),
	};
	return true;
}

bool nve_ebpf_line_read(const struct nve_dp *dp, uint32_t line, struct nve_near_entry *ret)
{
	return read_copy(dp, 0, line, ret);
}

bool nve_ebpf_line_copy(const struct nve_dp *dp, uint32_t copy, struct nve_near_entry *ret)
{
	return read_copy(dp, copy / dp->n_lines, copy % dp->n_lines, ret);
}

bool nve_ebpf_line_in_place(const struct nve_dp *dp, uint32_t copy, const struct nve_near_entry *e,
			    uint32_t vni)
{
	uint32_t line = copy % dp->n_lines;

	return dp->line_owner[line] == e->slot + 1 &&
	       (way(dp, e->key, vni, 0) == line || way(dp, e->key, vni, 1) == line);
}

void nve_ebpf_lines_empty(struct nve_dp *dp)
{
	nve_ebpf_lines_recover(dp);
	for (uint32_t line = 0; line < dp->n_lines; line++) {
		bool any = dp->line_owner[line];

		for (uint32_t cpu = 0; cpu < dp->n_cpus && !any; cpu++)
			any = load((const uint64_t *)&line_of(dp, cpu, line)->key);
		if (any)
			nve_ebpf_line_cut_at(dp, line);
	}
	dp->lines_known = true;
}

static uint32_t find(const struct nve_dp *dp, uint64_t key, uint32_t vni)
{
	for (int i = 0; i < 2; i++)
		if (key_at(dp, way(dp, key, vni, i)) == key)
			return way(dp, key, vni, i);
	return dp->n_lines;
}

bool nve_ebpf_line_get(const struct nve_dp *dp, uint64_t key, uint32_t vni,
		       struct nve_near_entry *ret)
{
	uint32_t line = find(dp, key, vni);

	return line < dp->n_lines && nve_ebpf_line_read(dp, line, ret);
}

/* Empties the line by moving whoever has it to its other one, and so on. */
static bool make_room(struct nve_dp *dp, uint32_t line, int depth)
{
	struct nve_near_entry e;
	uint32_t other;

	if (!nve_ebpf_line_read(dp, line, &e))
		return true;
	if (dp->line_owner[line] != e.slot + 1) { /* somebody else has written it */
		nve_ebpf_line_cut_at(dp, line);
		return true;
	}
	other = way(dp, e.key, e.net >> 8, way(dp, e.key, e.net >> 8, 0) == line);
	if (other == line || !depth || !make_room(dp, other, depth - 1))
		return false;
	/* The chain may have come back here. */
	if (key_at(dp, line) != e.key || key_at(dp, other))
		return !key_at(dp, line);
	nve_ebpf_line_cut_at(dp, line);
	take_line(dp, other, &e);
	return true;
}

bool nve_ebpf_line_put(struct nve_dp *dp, const struct nve_near_entry *e, uint32_t vni)
{
	enum { CHAIN = 16 };

	/* Its VNI is found again in 'net'. */
	if (e->slot >= max_tsis(dp) || e->net >> 8 != vni)
		return false;
	for (int depth = 0; depth <= CHAIN; depth += CHAIN)
		for (int i = 0; i < 2; i++) {
			if (!make_room(dp, way(dp, e->key, vni, i), depth))
				continue;
			take_line(dp, way(dp, e->key, vni, i), e);
			return true;
		}
	return false;
}

bool nve_ebpf_line_cut(struct nve_dp *dp, uint64_t key, uint32_t vni)
{
	uint32_t line = find(dp, key, vni);

	if (line == dp->n_lines)
		return false;
	nve_ebpf_line_cut_at(dp, line);
	return true;
}

void nve_ebpf_counts_clear(struct nve_dp *dp, uint32_t slot)
{
	while (dp->line_first[slot])
		nve_ebpf_line_cut_at(dp, dp->line_first[slot] - 1);
	for (uint32_t cpu = 0; cpu < dp->n_cpus; cpu++)
		memset(long_way(dp, cpu, slot), 0, sizeof(dp->stats[0]));
	memset(ledger(dp, slot), 0, sizeof(dp->stats[0]));
}
