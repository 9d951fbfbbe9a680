/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who gets work joins at the end of the line with a quantum of credit.  At the head, work is taken
 * while there is credit, and may overdraw it; then it gets another quantum and goes to the end.
 * What was overdrawn is paid by passing: at most NVE_FAIR_COST_MAX / NVE_FAIR_QUANTUM turns.
 */
#include "session/fair.h"

#include <stddef.h>

static int32_t cost_of(const struct nve_work *work)
{
	if (work->cost == 0)
		return 1;
	return work->cost < NVE_FAIR_COST_MAX ? (int32_t)work->cost : NVE_FAIR_COST_MAX;
}

/* Who was away has saved nothing up, but still owes what it owed. */
static int32_t on_return(int32_t credit)
{
	return (credit < 0 ? credit : 0) + NVE_FAIR_QUANTUM;
}

static void push_source(struct nve_flow *flow, struct nve_source *source)
{
	source->next = NULL;
	if (!flow->head)
		flow->tail = &flow->head;
	*flow->tail = source;
	flow->tail = &source->next;
}

static void push_flow(struct nve_fair *fair, struct nve_flow *flow)
{
	flow->next = NULL;
	if (!fair->head)
		fair->tail = &fair->head;
	*fair->tail = flow;
	fair->tail = &flow->next;
}

void nve_fair_init(struct nve_fair *fair)
{
	*fair = (struct nve_fair){ 0 };
}

bool nve_fair_empty(const struct nve_fair *fair)
{
	return !fair->head;
}

void nve_fair_push(struct nve_fair *fair, struct nve_source *source, struct nve_work *work)
{
	struct nve_flow *flow = source->flow ? source->flow : &fair->own;

	work->next = NULL;
	if (!source->head) {
		source->tail = &source->head;
		source->credit = on_return(source->credit);
		if (!flow->head) {
			flow->credit = on_return(flow->credit);
			push_flow(fair, flow);
		}
		push_source(flow, source);
	}
	*source->tail = work;
	source->tail = &work->next;
}

/* The source at the head of the flow that may be served now. */
static struct nve_source *turn_of_source(struct nve_flow *flow)
{
	for (;;) {
		struct nve_source *source = flow->head;

		if (source->credit > 0)
			return source;
		source->credit += NVE_FAIR_QUANTUM;
		flow->head = source->next;
		push_source(flow, source);
	}
}

static struct nve_flow *turn_of_flow(struct nve_fair *fair)
{
	for (;;) {
		struct nve_flow *flow = fair->head;

		if (flow->credit > 0)
			return flow;
		flow->credit += NVE_FAIR_QUANTUM;
		fair->head = flow->next;
		push_flow(fair, flow);
	}
}

struct nve_work *nve_fair_take(struct nve_fair *fair)
{
	struct nve_source *source;
	struct nve_flow *flow;
	struct nve_work *work;

	if (!fair->head)
		return NULL;
	flow = turn_of_flow(fair);
	source = turn_of_source(flow);
	work = source->head;
	source->head = work->next;
	source->credit -= cost_of(work);
	flow->credit -= cost_of(work);
	if (!source->head)
		flow->head = source->next;
	if (!flow->head)
		fair->head = flow->next;
	return work;
}
