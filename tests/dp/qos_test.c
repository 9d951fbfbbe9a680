/* SPDX-License-Identifier: Apache-2.0 */
/*
 * QoS in datapaths (S96, D12): on each backend, a rate takes a meter when it is told and gives it
 * back; on the eBPF one, what records and meters say of it, through changes and restarts.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dp/ebpf_tables.h"
#include "lib/dp_contract.h"

enum { METERS = 3, MBIT = 1000000 };

static const struct nve_qos slow = { .from_tsi = MBIT,
				     .to_tsi = 2 * MBIT,
				     .from_tsi_burst = 10000,
				     .to_tsi_burst = 20000,
				     .flags = NVE_QOS_PCP | NVE_QOS_DSCP,
				     .pcp = 5,
				     .dscp = 46 };
static const struct nve_qos marked = { .flags = NVE_QOS_DSCP, .dscp = 0 };
static const struct nve_qos none;

static int say(struct dpw *w, uint32_t slot, bool activated, struct nve_qos qos)
{
	char mac[] = "02:00:00:00:00:01";
	struct nve_tsi_addr addr;
	struct nve_dp_tsi tsi = { .slot = slot,
				  .key = { .id = { { slot + 1 } }, .vn_id = VN_7, .port = A0 },
				  .tag = TAG_10,
				  .activated = activated,
				  .qos = qos,
				  .n_addrs = 1,
				  .addrs = &addr };

	mac[16] += slot;
	addr = dpw_tsi_addr(mac);
	addr.active = activated;
	return w->ops->tsi_set(w->dp, &tsi);
}

static void table(struct dpw *w, uint64_t *used, uint64_t *max)
{
	const char *name;

	for (size_t i = 0; (name = w->ops->table(w->dp, i, used, max)); i++)
		if (!strcmp(name, "meter"))
			return;
	fail_msg("there is no table 'meter'");
}

static uint64_t used(struct dpw *w)
{
	uint64_t n, max;

	table(w, &n, &max);
	assert_int_equal(max, METERS);
	return n;
}

/* --- every backend ---------------------------------------------------------------------------- */

static void a_rate_takes_a_meter_at_once_and_is_refused_without_one(void **state)
{
	(void)state;
	dpw_vap(&dpc, A0, TAG_10, 0);
	for (uint32_t slot = 0; slot < METERS; slot++)
		assert_int_equal(say(&dpc, slot, false, slow), 0);
	assert_int_equal(used(&dpc), METERS);
	assert_int_equal(say(&dpc, 4, false, slow), -EDQUOT);
	assert_int_equal(say(&dpc, 4, false, marked), 0); /* marks need none */
	dpw_apply(&dpc);
	assert_int_equal(say(&dpc, 4, false, slow), -EDQUOT);
	/* Activate and a repeat take nothing more (S54). */
	for (uint32_t slot = 0; slot < METERS; slot++)
		assert_int_equal(say(&dpc, slot, true, slow), 0);
	dpw_apply(&dpc);
	assert_int_equal(used(&dpc), METERS);
}

static void a_meter_is_given_back_by_another_qos_by_the_end_and_by_undoing(void **state)
{
	(void)state;
	dpw_vap(&dpc, A0, TAG_10, 0);
	for (uint32_t slot = 0; slot < METERS; slot++)
		assert_int_equal(say(&dpc, slot, false, slow), 0);
	assert_int_equal(say(&dpc, 1, false, marked), 0); /* undone before apply */
	assert_int_equal(used(&dpc), METERS - 1);
	assert_int_equal(say(&dpc, 4, false, slow), 0);
	dpw_apply(&dpc);
	assert_int_equal(dpc.ops->tsi_del(dpc.dp, 2), 0);
	assert_int_equal(say(&dpc, 5, false, slow), 0); /* one goes and one comes in one apply */
	dpw_apply(&dpc);
	assert_int_equal(used(&dpc), METERS);
	assert_int_equal(say(&dpc, 0, false, none), 0);
	assert_int_equal(say(&dpc, 0, false, slow), 0); /* taken back: nothing changed */
	dpw_apply(&dpc);
	assert_int_equal(used(&dpc), METERS);
	for (uint32_t slot = 0; slot < 6; slot++)
		assert_int_equal(dpc.ops->tsi_del(dpc.dp, slot), 0);
	dpw_apply(&dpc);
	assert_int_equal(used(&dpc), 0);
}

/* --- eBPF ------------------------------------------------------------------------------------- */

static const struct nve_meter *meters(struct dpw *w, uint32_t slot)
{
	const struct nve_meter *rows = nve_ebpf_meter_map(w->dp);

	return &rows[w->dp->tsi[slot].meter];
}

static bool is_ebpf(void)
{
	return dpc.ops == &nve_dp_ebpf;
}

static void the_record_and_two_buckets_say_what_was_told(void **state)
{
	const struct nve_tsi_row *row;

	(void)state;
	dpw_vap(&dpc, A0, TAG_10, 1);
	assert_int_equal(say(&dpc, 1, true, slow), 0);
	assert_int_equal(say(&dpc, 2, true, marked), 0);
	dpw_apply(&dpc);
	row = &dpc.dp->tsi[1];
	assert_int_equal(row->features, NVE_TSI_METER_IN | NVE_TSI_METER_OUT | NVE_TSI_MARK);
	assert_int_equal(row->pcp, NVE_MARK_SET | 5);
	assert_int_equal(row->dscp, NVE_MARK_SET | 46);
	assert_true(row->meter);
	assert_int_equal(meters(&dpc, 1)[0].cost, 8000ull << 16); /* 8 us a byte */
	assert_int_equal(meters(&dpc, 1)[0].burst, 80000000);
	assert_int_equal(meters(&dpc, 1)[1].cost, 4000ull << 16);
	assert_int_equal(meters(&dpc, 1)[1].burst, 80000000);
	row = &dpc.dp->tsi[2];
	assert_int_equal(row->features, NVE_TSI_MARK);
	assert_int_equal(row->pcp, 0);
	assert_int_equal(row->dscp, NVE_MARK_SET);
	assert_int_equal(row->meter, 0);
	assert_int_equal(say(&dpc, 1, true, none), 0);
	dpw_apply(&dpc);
	row = &dpc.dp->tsi[1];
	assert_int_equal(row->features, 0);
	assert_int_equal(row->meter | row->pcp | row->dscp, 0);
}

static uint64_t monotonic(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

/* The TSI owes 8000 bytes: 64 ms at 1 Mbit/s, 6.4 at ten; the test is quicker than a second. */
static void a_change_of_rate_keeps_what_is_owed_in_bytes_and_the_bucket(void **state)
{
	const uint64_t sec = 1000000000, bytes = 100000;
	struct nve_qos qos = { .from_tsi = 64000, .from_tsi_burst = 80000 };
	struct nve_meter *rows;
	uint32_t at;
	uint64_t owed;

	(void)state;
	dpw_vap(&dpc, A0, TAG_10, 1);
	assert_int_equal(say(&dpc, 1, true, qos), 0);
	dpw_apply(&dpc);
	rows = (struct nve_meter *)nve_ebpf_meter_map(dpc.dp);
	at = dpc.dp->tsi[1].meter;
	rows[at].full = monotonic() + bytes / 2 * sec / 8000; /* 50000 bytes at 8000 a second */
	qos.from_tsi = 128000;
	assert_int_equal(say(&dpc, 1, true, qos), 0);
	dpw_apply(&dpc);
	assert_int_equal(dpc.dp->tsi[1].meter, at);
	owed = rows[at].full - monotonic();
	assert_in_range(owed, 50000 * sec / 16000 - 2 * sec, 50000 * sec / 16000);
	/* More than the new bucket holds is not owed any more. */
	qos.from_tsi_burst = 16000;
	qos.from_tsi = 64000;
	assert_int_equal(say(&dpc, 1, true, qos), 0);
	dpw_apply(&dpc);
	assert_in_range(rows[at].full - monotonic(), 0, 2 * sec);
	assert_int_equal(rows[at].burst, 2 * sec);
}

static void meters_of_released_tsis_are_empty_and_used_again(void **state)
{
	const struct nve_meter empty = { 0 };
	uint32_t at;

	(void)state;
	dpw_vap(&dpc, A0, TAG_10, 1);
	for (int i = 0; i < 3 * METERS; i++) {
		const struct nve_meter *rows = nve_ebpf_meter_map(dpc.dp);

		assert_int_equal(say(&dpc, i % 5, i % 2, slow), 0);
		dpw_apply(&dpc);
		at = dpc.dp->tsi[i % 5].meter;
		assert_in_range(at, 2, 2 * METERS);
		if (i % 3) /* the slot becomes another TSI's, without and with a step between */
			assert_int_equal(dpc.ops->tsi_del(dpc.dp, i % 5), 0);
		else
			assert_int_equal(say(&dpc, i % 5, false, none), 0);
		dpw_apply(&dpc);
		assert_memory_equal(&rows[at], &empty, sizeof(empty));
		assert_memory_equal(&rows[at + 1], &empty, sizeof(empty));
	}
}

static void an_inactive_tsi_that_changes_its_port_keeps_a_meter(void **state)
{
	struct nve_dp_tsi tsi = { .slot = 1,
				  .key = { .id = { { 2 } }, .vn_id = VN_7, .port = A0 },
				  .tag = TAG_10,
				  .qos = slow };

	(void)state;
	dpw_vap(&dpc, A0, TAG_10, 0);
	dpw_vap(&dpc, A1, TAG_20, 0);
	for (int i = 0; i < 3 * METERS; i++) {
		tsi.key.port = i % 2 ? A1 : A0;
		tsi.tag = i % 2 ? TAG_20 : TAG_10;
		assert_int_equal(dpc.ops->tsi_set(dpc.dp, &tsi), 0);
		dpw_apply(&dpc);
		assert_int_equal(used(&dpc), 1);
		if (is_ebpf())
			assert_true(dpc.dp->tsi[1].meter);
	}
}

/* As after a restart with the maps pinned: what forwards keeps its bucket. */
static void a_resync_keeps_the_buckets_of_those_that_stay_and_frees_the_others(void **state)
{
	struct nve_meter *rows;
	uint32_t at[3];
	uint64_t full;

	(void)state;
	dpw_vap(&dpc, A0, TAG_10, 1);
	for (uint32_t slot = 0; slot < 3; slot++)
		assert_int_equal(say(&dpc, slot, true, slow), 0);
	dpw_apply(&dpc);
	for (uint32_t slot = 0; slot < 3; slot++)
		at[slot] = dpc.dp->tsi[slot].meter;
	rows = (struct nve_meter *)nve_ebpf_meter_map(dpc.dp);
	full = rows[at[1]].full = monotonic() + 50000000;
	dpc.dp->tsi[2].meter = at[1]; /* as no agent leaves it */
	assert_int_equal(dpc.ops->resync_begin(dpc.dp), 0);
	dpw_set_vns(&dpc);
	dpw_vap(&dpc, A0, TAG_10, 1);
	assert_int_equal(say(&dpc, 0, true, none), 0);
	assert_int_equal(say(&dpc, 1, true, slow), 0);
	assert_int_equal(say(&dpc, 2, true, slow), 0);
	assert_int_equal(say(&dpc, 5, true, slow), 0);
	assert_int_equal(dpc.ops->resync_end(dpc.dp), 0);
	assert_int_equal(used(&dpc), METERS);
	assert_int_equal(dpc.dp->tsi[0].meter, 0);
	assert_int_equal(dpc.dp->tsi[0].features, 0);
	assert_int_equal(dpc.dp->tsi[1].meter, at[1]);
	assert_int_equal(rows[at[1]].full, full);
	assert_int_not_equal(dpc.dp->tsi[2].meter, at[1]);
	assert_int_not_equal(dpc.dp->tsi[5].meter, dpc.dp->tsi[2].meter);
	assert_int_equal(dpc.dp->tsi[5].features,
			 NVE_TSI_METER_IN | NVE_TSI_METER_OUT | NVE_TSI_MARK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CONTRACT(a_rate_takes_a_meter_at_once_and_is_refused_without_one),
		CONTRACT(a_meter_is_given_back_by_another_qos_by_the_end_and_by_undoing),
		CONTRACT(an_inactive_tsi_that_changes_its_port_keeps_a_meter),
	};
	const struct CMUnitTest of_maps[] = {
		CONTRACT(the_record_and_two_buckets_say_what_was_told),
		CONTRACT(a_change_of_rate_keeps_what_is_owed_in_bytes_and_the_bucket),
		CONTRACT(meters_of_released_tsis_are_empty_and_used_again),
		CONTRACT(a_resync_keeps_the_buckets_of_those_that_stay_and_frees_the_others),
	};

	return dpc_run(tests) + dpc_run_ebpf(of_maps);
}
