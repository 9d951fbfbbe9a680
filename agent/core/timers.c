/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deadlines: a binary heap of the TSIs' one timer each (D5) and of their gleaned addresses' age
 * (D8), and two lists in order of time, since quarantine (D6) and duplicate alarm (D7) have one
 * duration each.
 */
#include "core/core_internal.h"

static uint32_t *pos_of(const struct nve_core *core, uint32_t slot, uint32_t gleaning)
{
	return gleaning ? &core->tsis[slot].glean_pos : &core->tsis[slot].heap_pos;
}

static void place(struct nve_core *core, uint32_t pos, struct nve_timer timer)
{
	NVE_SET(core, core->timers[pos], timer);
	NVE_SET(core, *pos_of(core, timer.slot, timer.gleaning), pos + 1);
}

static void sift_up(struct nve_core *core, uint32_t pos, struct nve_timer timer)
{
	while (pos > 0 && core->timers[(pos - 1) / 2].deadline_ns > timer.deadline_ns) {
		place(core, pos, core->timers[(pos - 1) / 2]);
		pos = (pos - 1) / 2;
	}
	place(core, pos, timer);
}

static void sift_down(struct nve_core *core, uint32_t pos, struct nve_timer timer)
{
	uint32_t n = core->state->n_timers;

	for (uint32_t child = 2 * pos + 1; child < n; child = 2 * pos + 1) {
		if (child + 1 < n &&
		    core->timers[child + 1].deadline_ns < core->timers[child].deadline_ns)
			child++;
		if (core->timers[child].deadline_ns >= timer.deadline_ns)
			break;
		place(core, pos, core->timers[child]);
		pos = child;
	}
	place(core, pos, timer);
}

static void sift(struct nve_core *core, uint32_t pos, struct nve_timer timer)
{
	if (pos > 0 && core->timers[(pos - 1) / 2].deadline_ns > timer.deadline_ns)
		sift_up(core, pos, timer);
	else
		sift_down(core, pos, timer);
}

static void stop(struct nve_core *core, uint32_t slot, uint32_t gleaning)
{
	uint32_t pos = *pos_of(core, slot, gleaning);
	uint32_t last = core->state->n_timers - 1;
	struct nve_timer moved;

	if (!pos)
		return;
	moved = core->timers[last];
	NVE_SET(core, core->timers[last], ((struct nve_timer){ 0 }));
	NVE_SET(core, core->state->n_timers, last);
	NVE_SET(core, *pos_of(core, slot, gleaning), 0);
	if (pos - 1 != last)
		sift(core, pos - 1, moved);
}

static void set(struct nve_core *core, struct nve_timer timer)
{
	uint32_t pos = *pos_of(core, timer.slot, timer.gleaning);

	if (timer.deadline_ns == NVE_NEVER_NS) {
		stop(core, timer.slot, timer.gleaning);
		return;
	}
	if (!pos) {
		NVE_SET(core, core->state->n_timers, core->state->n_timers + 1);
		pos = core->state->n_timers;
	}
	sift(core, pos - 1, timer);
}

void nve_timer_set(struct nve_core *core, uint32_t slot, uint64_t deadline_ns)
{
	NVE_SET(core, core->tsis[slot].pub.deadline_ns, deadline_ns);
	set(core, (struct nve_timer){ .deadline_ns = deadline_ns, .slot = slot });
}

void nve_glean_timer_set(struct nve_core *core, uint32_t slot, uint64_t deadline_ns)
{
	NVE_SET(core, core->tsis[slot].pub.glean_ns, deadline_ns);
	set(core, (struct nve_timer){ deadline_ns, slot, 1 });
}

uint64_t nve_timer_deadline(const struct nve_tsi *tsi, uint64_t now_ns)
{
	uint32_t ms = tsi->state == NVE_TSI_ACTIVATED ? tsi->keepactive_ms : tsi->keepalive_ms;

	return ms ? now_ns + ms * UINT64_C(1000000) : NVE_NEVER_NS;
}

void nve_alarm_set(struct nve_core *core, uint32_t slot, uint64_t deadline_ns)
{
	struct nve_list *alarms = &core->state->alarms;
	uint32_t before = 0, i = alarms->tail;

	/* Only restoring finds later ones: time does not go back. */
	for (; i && core->tsis[i - 1].alarm_ns > deadline_ns; i = core->by_alarm[i - 1].prev)
		before = i;
	NVE_SET(core, core->tsis[slot].alarm_ns, deadline_ns);
	nve_list_insert(core, alarms, core->by_alarm, before, slot);
}

void nve_alarm_clear(struct nve_core *core, uint32_t slot)
{
	if (!core->tsis[slot].alarm_ns)
		return;
	NVE_SET(core, core->tsis[slot].alarm_ns, 0);
	nve_list_remove(core, &core->state->alarms, core->by_alarm, slot);
}

uint64_t nve_core_next_deadline(const struct nve_core *core)
{
	const struct nve_state *state = core->state;
	uint64_t next = NVE_NEVER_NS;

	if (state->n_timers)
		next = core->timers[0].deadline_ns;
	if (state->quarantine.head && core->tags[state->quarantine.head - 1].until_ns < next)
		next = core->tags[state->quarantine.head - 1].until_ns;
	if (state->alarms.head && core->tsis[state->alarms.head - 1].alarm_ns < next)
		next = core->tsis[state->alarms.head - 1].alarm_ns;
	return next;
}

bool nve_core_due(const struct nve_core *core, uint64_t now_ns, struct nve_due *due)
{
	const struct nve_state *state = core->state;
	const struct nve_tag_rec *tag;

	*due = (struct nve_due){ .kind = NVE_DUE_NONE };
	if (state->n_timers && core->timers[0].deadline_ns <= now_ns) {
		*due = (struct nve_due){ .kind = core->timers[0].gleaning ? NVE_DUE_GLEAN
									  : NVE_DUE_TSI,
					 .slot = core->timers[0].slot };
		return true;
	}
	tag = state->quarantine.head ? &core->tags[state->quarantine.head - 1] : NULL;
	if (tag && tag->until_ns <= now_ns) {
		*due = (struct nve_due){ .kind = NVE_DUE_TAG,
					 .slot = (uint32_t)tag->scope << 16 | tag->tag };
		return true;
	}
	if (state->alarms.head && core->tsis[state->alarms.head - 1].alarm_ns <= now_ns) {
		*due = (struct nve_due){ .kind = NVE_DUE_DUPLICATE,
					 .slot = state->alarms.head - 1 };
		return true;
	}
	return false;
}
