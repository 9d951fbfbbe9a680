/* SPDX-License-Identifier: Apache-2.0 */
/*
 * QoS of TSIs: token buckets in the table "meter", a pair for each TSI that has a rate, and what
 * the TSI's record says of them.
 *
 * The shadow has taken room for as many TSIs with a rate as there are pairs.  apply() first takes
 * the meters away that nobody wants any more, so those that are wanted are there.  A frame that
 * still holds such a record may pass unmeasured, or count at the pair's next owner: one for each
 * CPU, once.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "dp/ebpf_tables.h"

enum {
	PAIR = 2, /* rows of a TSI: from it, to it */
	NS = 1000000000,
	COST_BITS = 16, /* of the fraction in nve_meter.cost */
};

struct nve_ebpf_meters {
	struct nve_meter *rows; /* mapped */
	uint32_t n_rows, n_free;
	uint32_t free[]; /* first rows of pairs */
};

uint32_t nve_ebpf_meter_rows(const struct nve_dp *dp)
{
	return PAIR * (dp->shadow.limits.max_meters + 1);
}

/* Those with low numbers come first. */
static void free_all(struct nve_ebpf_meters *m)
{
	m->n_free = 0;
	for (uint32_t row = m->n_rows - PAIR; row; row -= PAIR)
		m->free[m->n_free++] = row;
}

int nve_ebpf_meters_open(struct nve_dp *dp)
{
	uint32_t n = nve_ebpf_meter_rows(dp);
	struct nve_ebpf_meters *m = calloc(1, sizeof(*m) + n / PAIR * sizeof(m->free[0]));
	void *rows = mmap(NULL, n * sizeof(m->rows[0]), PROT_READ | PROT_WRITE, MAP_SHARED,
			  dp->map[NVE_MAP_METER], 0);

	if (!m || rows == MAP_FAILED) {
		if (rows != MAP_FAILED)
			munmap(rows, n * sizeof(m->rows[0]));
		free(m);
		return -ENOMEM;
	}
	m->rows = rows;
	m->n_rows = n;
	free_all(m);
	dp->meters = m;
	return 0;
}

void nve_ebpf_meters_close(struct nve_dp *dp)
{
	if (!dp->meters)
		return;
	munmap(dp->meters->rows, dp->meters->n_rows * sizeof(dp->meters->rows[0]));
	free(dp->meters);
	dp->meters = NULL;
}

const void *nve_ebpf_meter_map(const struct nve_dp *dp)
{
	return dp->meters->rows;
}

/* Bits of other features are others'. */
static void set_features(struct nve_tsi_row *row, uint8_t features)
{
	const uint8_t ours = NVE_TSI_METER_IN | NVE_TSI_METER_OUT | NVE_TSI_MARK;
	uint8_t is = (row->features & ~ours) | features;

	if (row->features != is)
		__atomic_store_n(&row->features, is, __ATOMIC_RELEASE);
}

static void give(struct nve_ebpf_meters *m, struct nve_tsi_row *row)
{
	uint32_t at = row->meter;

	set_features(row, row->features & NVE_TSI_MARK);
	__atomic_store_n(&row->meter, 0, __ATOMIC_RELEASE);
	memset(&m->rows[at], 0, PAIR * sizeof(m->rows[0]));
	m->free[m->n_free++] = at;
}

void nve_ebpf_meter_leave(struct nve_dp *dp, uint32_t slot)
{
	const struct nve_shadow_tsi *tsi = &dp->shadow.tsis[slot];

	if (!dp->tsi[slot].meter)
		return;
	/* Else the record is emptied, or becomes another TSI's. */
	if (nve_shadow_metered(tsi->want) &&
	    (nve_ebpf_stays(tsi) ||
	     (tsi->now && !memcmp(&tsi->now->key, &tsi->want->key, sizeof(tsi->now->key)))))
		return;
	give(dp->meters, &dp->tsi[slot]);
}

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS + (uint64_t)now.tv_nsec;
}

/*
 * What the TSI owes is bytes, and stays as many: the time that takes is another.  Added, not
 * stored, so that what frames add meanwhile is kept.
 */
static void carry_over(struct nve_meter *m, uint64_t old_cost, uint64_t cost, uint64_t burst)
{
	uint64_t now = monotonic_ns(), full = __atomic_load_n(&m->full, __ATOMIC_ACQUIRE);
	double owed;

	if (!old_cost || full <= now)
		return;
	owed = (double)(full - now) * (double)cost / (double)old_cost;
	if (owed > (double)burst)
		owed = (double)burst;
	__atomic_fetch_add(&m->full, (uint64_t)owed - (full - now), __ATOMIC_RELEASE);
}

/* In an order in which a frame in between meets the wider of both buckets. */
static void set_rate(struct nve_meter *m, uint64_t rate, uint32_t bytes)
{
	uint64_t burst = rate ? bytes * (uint64_t)NS / (rate / 8) : 0;
	uint64_t cost = rate ? ((8ull * NS) << COST_BITS) / rate : 0;
	uint64_t old_cost = m->cost;

	if (old_cost == cost && m->burst == burst)
		return;
	if (burst > m->burst)
		__atomic_store_n(&m->burst, burst, __ATOMIC_RELEASE);
	__atomic_store_n(&m->cost, cost, __ATOMIC_RELEASE);
	carry_over(m, old_cost, cost, burst);
	__atomic_store_n(&m->burst, burst, __ATOMIC_RELEASE);
}

static bool take(struct nve_dp *dp, struct nve_tsi_row *row)
{
	struct nve_ebpf_meters *m = dp->meters;

	if (row->meter)
		return true;
	if (!m->n_free) {
		dp->row_error = dp->row_error ?: -ENOSPC;
		return false;
	}
	__atomic_store_n(&row->meter, m->free[--m->n_free], __ATOMIC_RELEASE);
	return true;
}

void nve_ebpf_meter_write(struct nve_dp *dp, uint32_t slot)
{
	const struct nve_shadow_tsi_state *state = dp->shadow.tsis[slot].want;
	const struct nve_qos *qos = &state->qos;
	struct nve_tsi_row *row = &dp->tsi[slot];
	uint8_t features = qos->flags ? NVE_TSI_MARK : 0;

	if (nve_shadow_metered(state) && take(dp, row)) {
		set_rate(&dp->meters->rows[row->meter], qos->from_tsi, qos->from_tsi_burst);
		set_rate(&dp->meters->rows[row->meter + 1], qos->to_tsi, qos->to_tsi_burst);
		features |= (qos->from_tsi ? NVE_TSI_METER_IN : 0) |
			    (qos->to_tsi ? NVE_TSI_METER_OUT : 0);
	}
	row->pcp = qos->flags & NVE_QOS_PCP ? NVE_MARK_SET | qos->pcp : 0;
	row->dscp = qos->flags & NVE_QOS_DSCP ? NVE_MARK_SET | qos->dscp : 0;
	set_features(row, features);
}

/* A pair has one owner; whatever an earlier agent left, the first that claims it. */
void nve_ebpf_meters_adopt(struct nve_dp *dp)
{
	struct nve_ebpf_meters *m = dp->meters;
	bool *used = calloc(m->n_rows, sizeof(*used));

	if (!used) {
		dp->row_error = dp->row_error ?: -ENOMEM;
		return;
	}
	for (uint32_t slot = 0; slot < dp->shadow.limits.max_tsis; slot++) {
		struct nve_tsi_row *row = &dp->tsi[slot];
		uint32_t at = row->meter;

		if (!at)
			continue;
		if (at < m->n_rows && at % PAIR == 0 && !used[at] &&
		    nve_shadow_metered(dp->shadow.tsis[slot].want)) {
			used[at] = true;
			continue;
		}
		set_features(row, row->features & NVE_TSI_MARK);
		__atomic_store_n(&row->meter, 0, __ATOMIC_RELEASE);
	}
	m->n_free = 0;
	for (uint32_t at = m->n_rows - PAIR; at; at -= PAIR) {
		if (used[at])
			continue;
		memset(&m->rows[at], 0, PAIR * sizeof(m->rows[0]));
		m->free[m->n_free++] = at;
	}
	free(used);
}
