/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where timers have got to (D5), over a restart.
 *
 * A change of state is stored with its deadline, before the reply.  A keepalive only moves the
 * deadline, and there are thousands of them a second: the store learns of those within NVE_KEEP_NS,
 * all at once.  What it does not know when the agent dies, and the time for which there is no
 * agent that could take a keepalive, a restart makes good: it leaves a TSI at least half its
 * period, GRACE_MAX_NS at most.  So who sends a keepalive in each half of a period (and minute)
 * never loses a TSI by a restart; and who is silent gains no more than that, and never a deadline
 * that is further away than one that was just set.
 */
#include "engine_internal.h"
#include "log.h"

#include <errno.h>

#define GRACE_MAX_NS (60 * NVE_SEC_NS)

static void keep_later(struct nve_engine *e)
{
	if (e->keep_at_ns == NVE_NEVER_NS)
		e->keep_at_ns = e->now_ns + NVE_KEEP_NS;
}

void nve_deadline_moved(struct nve_engine *e, uint32_t slot)
{
	if (slot >= nve_core_max_tsis(e->core))
		return;
	e->moved[slot / NVE_STORED_DEADLINES] = true;
	keep_later(e);
}

uint64_t nve_deadline_restored(const struct nve_engine *e, uint64_t deadline_ns, uint32_t period_ms)
{
	uint64_t period = period_ms * 1000000ull;
	uint64_t grace = period / 2 < GRACE_MAX_NS ? period / 2 : GRACE_MAX_NS;

	if (deadline_ns == NVE_NEVER_NS || !period)
		return NVE_NEVER_NS;
	if (deadline_ns < e->now_ns + grace)
		return e->now_ns + grace;
	return deadline_ns < e->now_ns + period ? deadline_ns : e->now_ns + period;
}

/* A start can take long, and nobody is served before its end: the grace is from there. */
void nve_deadlines_opened(struct nve_engine *e)
{
	uint64_t now = e->realtime_ns() - e->realtime_offset, began = e->now_ns;
	uint32_t cursor = 0, slot;
	const struct nve_tsi *tsi;

	if (now <= began)
		return;
	e->now_ns = now;
	while ((tsi = nve_core_next_tsi(e->core, &cursor, &slot))) {
		uint32_t ms =
			tsi->state == NVE_TSI_ACTIVATED ? tsi->keepactive_ms : tsi->keepalive_ms;
		uint64_t deadline = nve_deadline_restored(e, tsi->deadline_ns, ms);
		struct nve_event ev = { .kind = NVE_EV_KEEPALIVE,
					.new_port = NVE_PORT_NONE,
					.key = tsi->key,
					.now_ns = deadline - ms * 1000000ull };
		struct nve_answer answer;

		if (deadline == tsi->deadline_ns)
			continue;
		nve_core_step(e->core, &ev, &answer);
		nve_core_forget(e->core);
	}
	e->now_ns = began;
}

static int put_chunk(struct nve_engine *e, uint32_t chunk)
{
	struct nve_stored_deadline list[NVE_STORED_DEADLINES] = { 0 };

	for (uint32_t i = 0; i < NVE_STORED_DEADLINES; i++) {
		uint32_t slot = chunk * NVE_STORED_DEADLINES + i;
		const struct nve_tsi *tsi = nve_core_tsi(e->core, slot);

		if (!tsi || tsi->deadline_ns == NVE_NEVER_NS)
			continue;
		list[i].base_ns = e->stored_deadlines[slot];
		list[i].deadline_ns = nve_to_realtime(e, tsi->deadline_ns);
	}
	return e->store_ops->put_deadlines(e->store, chunk, list);
}

static int put_moved(struct nve_engine *e)
{
	uint32_t n = nve_core_max_tsis(e->core) / NVE_STORED_DEADLINES + 1;
	int r = 0;

	for (uint32_t chunk = 0; chunk < n && !r; chunk++)
		if (e->moved[chunk])
			r = put_chunk(e, chunk);
	return r;
}

static int put_contexts(struct nve_engine *e)
{
	int r = 0;

	for (size_t i = 0; !r && i < NVE_VN_BUCKETS; i++)
		for (struct nve_vn_rec *vn = e->vns[i]; vn && !r; vn = vn->next)
			r = nve_context_store(e, vn->context.vn_id);
	return r;
}

static bool contexts_differ(const struct nve_engine *e)
{
	for (size_t i = 0; i < NVE_VN_BUCKETS; i++)
		for (const struct nve_vn_rec *vn = e->vns[i]; vn; vn = vn->next)
			if (!vn->recalled && vn->known &&
			    (!vn->stored || vn->digest != vn->stored_digest))
				return true;
	return false;
}

void nve_keep_contexts(struct nve_engine *e)
{
	if (contexts_differ(e))
		keep_later(e);
}

static bool any_moved(const struct nve_engine *e)
{
	uint32_t n = nve_core_max_tsis(e->core) / NVE_STORED_DEADLINES + 1;

	for (uint32_t chunk = 0; chunk < n; chunk++)
		if (e->moved[chunk])
			return true;
	return false;
}

static void put_failed(struct nve_engine *e, int r)
{
	for (size_t i = 0; i < NVE_VN_BUCKETS; i++)
		for (struct nve_vn_rec *vn = e->vns[i]; vn; vn = vn->next)
			nve_context_unsure(e, vn->context.vn_id);
	nve_log(ERROR, "keep_failed", LOG_S("what", "moved deadlines, contexts of VNs"), LOG_E(r));
	keep_later(e);
}

void nve_run_keep(struct nve_engine *e)
{
	uint32_t n = nve_core_max_tsis(e->core) / NVE_STORED_DEADLINES + 1;
	int r;

	if (e->now_ns < e->keep_at_ns)
		return;
	e->keep_at_ns = NVE_NEVER_NS;
	if (!contexts_differ(e) && !any_moved(e))
		return;
	r = e->store_ops->begin(e->store);
	if (!r)
		r = put_moved(e);
	if (!r)
		r = put_contexts(e);
	if (!r)
		r = e->store_ops->commit(e->store);
	if (r) {
		put_failed(e, r);
		return;
	}
	for (uint32_t chunk = 0; chunk < n; chunk++)
		e->moved[chunk] = false;
	e->counters.commits++;
}
