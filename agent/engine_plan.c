/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Would it fit?  The requests are stepped like those of a turn, with the core's own checks and room
 * in the datapath's tables, and then taken back as a turn is that was refused: nothing is stored,
 * applied, published or told.
 */
#include "engine_internal.h"

static enum nve_reason waits_for(int wait)
{
	return wait == NVE_WAIT_NVA ? NVE_REASON_NVA_UNREACHABLE : NVE_REASON_TOO_MANY_REQUESTS;
}

void nve_engine_plan(struct nve_engine *e, const struct nve_plan *plan)
{
	const struct nve_engine_counters counters = e->counters;
	uint64_t epoch = e->epoch;
	uint32_t vtep_hint = e->vtep_hint;
	struct nve_request *req;

	while ((req = plan->next(plan->arg))) {
		int wait;

		req->ev.now_ns = e->now_ns;
		wait = nve_turn_step(e, req);
		if (wait)
			req->answer = (struct nve_answer){ .reason = waits_for(wait),
							   .slot = NVE_SLOT_NONE };
	}
	plan->peek(plan->arg);
	nve_turn_take_back(e);
	nve_core_forget(e->core);
	e->epoch = epoch;
	e->vtep_hint = vtep_hint;
	e->counters = counters;
}
