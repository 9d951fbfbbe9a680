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
	uint32_t *of;    /* by TSI slot: the first row of its pair, 0: it has none */
	uint32_t *owner; /* by pair: TSI slot + 1 */
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

static void meters_free(struct nve_ebpf_meters *m)
{
	if (!m)
		return;
	free(m->of);
	free(m->owner);
	free(m);
}

int nve_ebpf_meters_open(struct nve_dp *dp)
{
	uint32_t n = nve_ebpf_meter_rows(dp);
	struct nve_ebpf_meters *m = calloc(1, sizeof(*m) + n / PAIR * sizeof(m->free[0]));
	void *rows = mmap(NULL, n * sizeof(m->rows[0]), PROT_READ | PROT_WRITE, MAP_SHARED,
			  dp->map[NVE_MAP_METER], 0);

	if (m) {
		m->of = calloc(dp->shadow.limits.max_tsis, sizeof(m->of[0]));
		m->owner = calloc(n / PAIR, sizeof(m->owner[0]));
	}
	if (!m || !m->of || !m->owner || rows == MAP_FAILED) {
		if (rows != MAP_FAILED)
			munmap(rows, n * sizeof(m->rows[0]));
		meters_free(m);
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
	meters_free(dp->meters);
	dp->meters = NULL;
}

struct nve_meter *nve_ebpf_meter_at(const struct nve_dp *dp, uint32_t at)
{
	return &dp->meters->rows[at];
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

static void assign(struct nve_ebpf_meters *m, uint32_t slot, uint32_t at)
{
	m->of[slot] = at;
	m->owner[at / PAIR] = slot + 1;
}

static void give(struct nve_dp *dp, uint32_t slot)
{
	struct nve_ebpf_meters *m = dp->meters;
	struct nve_tsi_row *row = &dp->tsi[slot];
	uint32_t at = m->of[slot];

	set_features(row, row->features & NVE_TSI_MARK);
	__atomic_store_n(&row->meter, 0, __ATOMIC_RELEASE);
	memset(&m->rows[at], 0, PAIR * sizeof(m->rows[0]));
	m->free[m->n_free++] = at;
	m->of[slot] = m->owner[at / PAIR] = 0;
}

void nve_ebpf_meter_leave(struct nve_dp *dp, uint32_t slot)
{
	const struct nve_shadow_tsi *tsi = &dp->shadow.tsis[slot];

	if (!dp->meters->of[slot])
		return;
	/* Else the record is emptied, or becomes another TSI's. */
	if (nve_shadow_metered(tsi->want) &&
	    (nve_ebpf_stays(tsi) ||
	     (tsi->now && !memcmp(&tsi->now->key, &tsi->want->key, sizeof(tsi->now->key)))))
		return;
	give(dp, slot);
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

static uint64_t burst_of(uint64_t rate, uint32_t bytes)
{
	return rate ? bytes * (uint64_t)NS / (rate / 8) : 0;
}

static uint64_t cost_of(uint64_t rate)
{
	return rate ? ((8ull * NS) << COST_BITS) / rate : 0;
}

/* In an order in which a frame in between meets the wider of both buckets. */
static void set_rate(struct nve_meter *m, uint64_t rate, uint32_t bytes)
{
	uint64_t burst = burst_of(rate, bytes), cost = cost_of(rate);
	uint64_t old_cost = m->cost;

	if (old_cost == cost && m->burst == burst)
		return;
	if (burst > m->burst)
		__atomic_store_n(&m->burst, burst, __ATOMIC_RELEASE);
	__atomic_store_n(&m->cost, cost, __ATOMIC_RELEASE);
	carry_over(m, old_cost, cost, burst);
	__atomic_store_n(&m->burst, burst, __ATOMIC_RELEASE);
}

static bool take(struct nve_dp *dp, uint32_t slot)
{
	struct nve_ebpf_meters *m = dp->meters;

	if (!m->of[slot] && !m->n_free) {
		dp->row_error = dp->row_error ?: -ENOSPC;
		return false;
	}
	if (!m->of[slot])
		assign(m, slot, m->free[--m->n_free]);
	__atomic_store_n(&dp->tsi[slot].meter, m->of[slot], __ATOMIC_RELEASE);
	return true;
}

static uint8_t meter_features(const struct nve_qos *qos)
{
	return (qos->from_tsi ? NVE_TSI_METER_IN : 0) | (qos->to_tsi ? NVE_TSI_METER_OUT : 0);
}

static uint8_t pcp_of(const struct nve_qos *qos)
{
	return qos->flags & NVE_QOS_PCP ? NVE_MARK_SET | qos->pcp : 0;
}

static uint8_t dscp_of(const struct nve_qos *qos)
{
	return qos->flags & NVE_QOS_DSCP ? NVE_MARK_SET | qos->dscp : 0;
}

void nve_ebpf_meter_write(struct nve_dp *dp, uint32_t slot)
{
	const struct nve_shadow_tsi_state *state = dp->shadow.tsis[slot].want;
	const struct nve_qos *qos = &state->qos;
	struct nve_tsi_row *row = &dp->tsi[slot];
	uint8_t features = qos->flags ? NVE_TSI_MARK : 0;

	if (nve_shadow_metered(state) && take(dp, slot)) {
		uint32_t at = dp->meters->of[slot];

		set_rate(&dp->meters->rows[at], qos->from_tsi, qos->from_tsi_burst);
		set_rate(&dp->meters->rows[at + 1], qos->to_tsi, qos->to_tsi_burst);
		features |= meter_features(qos);
	}
	row->pcp = pcp_of(qos);
	row->dscp = dscp_of(qos);
	set_features(row, features);
}

void nve_ebpf_meter_row(const struct nve_dp *dp, uint32_t slot, struct nve_tsi_row *row)
{
	const struct nve_qos *qos = &dp->shadow.tsis[slot].want->qos;

	row->meter = dp->meters->of[slot];
	row->pcp = pcp_of(qos);
	row->dscp = dscp_of(qos);
	row->features |= (qos->flags ? NVE_TSI_MARK : 0) | (row->meter ? meter_features(qos) : 0);
}

uint32_t nve_ebpf_meter_want(const struct nve_dp *dp, uint32_t at, struct nve_meter *ret)
{
	const struct nve_ebpf_meters *m = dp->meters;
	uint32_t slot = m->owner[at / PAIR] - 1;
	const struct nve_shadow_tsi_state *state =
		m->owner[at / PAIR] ? dp->shadow.tsis[slot].want : NULL;

	*ret = (struct nve_meter){ .full = __atomic_load_n(&m->rows[at].full, __ATOMIC_RELAXED) };
	if (!state)
		return NVE_SLOT_NONE;
	ret->cost = cost_of(at % PAIR ? state->qos.to_tsi : state->qos.from_tsi);
	ret->burst = at % PAIR ? burst_of(state->qos.to_tsi, state->qos.to_tsi_burst)
			       : burst_of(state->qos.from_tsi, state->qos.from_tsi_burst);
	return slot;
}

/* A pair has one owner; whatever an earlier agent left, the first that claims it. */
void nve_ebpf_meters_adopt(struct nve_dp *dp)
{
	struct nve_ebpf_meters *m = dp->meters;

	memset(m->of, 0, dp->shadow.limits.max_tsis * sizeof(m->of[0]));
	memset(m->owner, 0, m->n_rows / PAIR * sizeof(m->owner[0]));
	for (uint32_t slot = 0; slot < dp->shadow.limits.max_tsis; slot++) {
		struct nve_tsi_row *row = &dp->tsi[slot];
		uint32_t at = row->meter;

		if (!at)
			continue;
		if (at < m->n_rows && at % PAIR == 0 && !m->owner[at / PAIR] &&
		    nve_shadow_metered(dp->shadow.tsis[slot].want)) {
			assign(m, slot, at);
			continue;
		}
		set_features(row, row->features & NVE_TSI_MARK);
		__atomic_store_n(&row->meter, 0, __ATOMIC_RELEASE);
	}
	m->n_free = 0;
	for (uint32_t at = m->n_rows - PAIR; at; at -= PAIR) {
		if (m->owner[at / PAIR])
			continue;
		memset(&m->rows[at], 0, PAIR * sizeof(m->rows[0]));
		m->free[m->n_free++] = at;
	}
}
