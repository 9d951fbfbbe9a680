/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TSI state machine (requirements 3.1, RFC 8394 figure 6) as a table: a new state is a row, a
 * new event a column, and an empty cell refuses.
 */
#include "core/core_internal.h"

enum effect {
	REFUSE, /* an empty cell */
	NOTHING,
	SETTLE,  /* work out what it shall be, and make it so: settle.c */
	RELEASE, /* give everything back: release.c */
	RESTART, /* the timer */
};

struct transition {
	uint8_t effect;
	uint8_t to; /* SETTLE: D13 may keep a Deactivate in Activated */
};

#define INIT       NVE_TSI_INIT
#define ASSOCIATED NVE_TSI_ASSOCIATED
#define ACTIVATED  NVE_TSI_ACTIVATED

static const struct transition table[NVE_TSI_STATES][NVE_EVENTS] = {
	[INIT] = {
		[NVE_EV_ASSOCIATE]    = { SETTLE, ASSOCIATED },
		[NVE_EV_ACTIVATE]     = { SETTLE, ACTIVATED },
		[NVE_EV_DISASSOCIATE] = { NOTHING, INIT },
		[NVE_EV_CLEAR]        = { NOTHING, INIT },
	},
	[ASSOCIATED] = {
		[NVE_EV_ASSOCIATE]    = { SETTLE, ASSOCIATED },
		[NVE_EV_ACTIVATE]     = { SETTLE, ACTIVATED },
		[NVE_EV_DEACTIVATE]   = { SETTLE, ASSOCIATED },
		[NVE_EV_DISASSOCIATE] = { RELEASE, INIT },
		[NVE_EV_CLEAR]        = { RELEASE, INIT },
		[NVE_EV_UPDATE]       = { SETTLE, ASSOCIATED },
		[NVE_EV_KEEPALIVE]    = { RESTART, ASSOCIATED },
		[NVE_EV_EXPIRE]       = { RELEASE, INIT },
	},
	[ACTIVATED] = {
		/* Associate: D1. */
		[NVE_EV_ACTIVATE]     = { SETTLE, ACTIVATED },
		[NVE_EV_DEACTIVATE]   = { SETTLE, ASSOCIATED },
		[NVE_EV_DISASSOCIATE] = { RELEASE, INIT }, /* D2 */
		[NVE_EV_CLEAR]        = { RELEASE, INIT },
		[NVE_EV_UPDATE]       = { SETTLE, ACTIVATED },
		[NVE_EV_KEEPALIVE]    = { RESTART, ACTIVATED },
		[NVE_EV_KEEPACTIVE]   = { RESTART, ACTIVATED },
		[NVE_EV_DATA_SEEN]    = { RESTART, ACTIVATED },
		[NVE_EV_EXPIRE]       = { SETTLE, ASSOCIATED },
	},
};

void nve_tsi_answer(const struct nve_core *core, uint32_t slot, struct nve_answer *answer)
{
	const struct nve_tsi *tsi = &core->tsis[slot].pub;

	answer->state = tsi->state;
	answer->tag = core->vaps[core->tsis[slot].vap].pub.tag;
	answer->slot = slot;
	answer->vn_id = tsi->key.vn_id;
	answer->keepalive_ms = tsi->keepalive_ms;
	answer->keepactive_ms = tsi->keepactive_ms;
	answer->qos = tsi->qos;
	answer->epoch = tsi->epoch;
}

static enum nve_reason release(struct nve_core *core, uint32_t slot, const struct nve_event *ev,
			       struct nve_answer *answer)
{
	struct nve_why why = nve_why_of(ev);
	uint32_t vap = core->tsis[slot].vap;

	if (ev->kind == NVE_EV_EXPIRE)
		why = (struct nve_why){ ev->now_ns, NVE_REASON_KEEPALIVE_EXPIRED, true, 0 };
	if (!why.owner)
		why.owner = core->tsis[slot].pub.owner;
	nve_tsi_answer(core, slot, answer);
	nve_tsi_release(core, slot, &why);
	nve_vap_drop_if_idle(core, vap, &why);
	answer->state = NVE_TSI_INIT;
	answer->slot = NVE_SLOT_NONE;
	answer->n_cleared = 1;
	return NVE_REASON_OK;
}

static enum nve_reason restart(struct nve_core *core, uint32_t slot, const struct nve_event *ev,
			       struct nve_answer *answer)
{
	const struct nve_tsi *tsi = &core->tsis[slot].pub;
	uint64_t deadline_ns = nve_timer_deadline(tsi, ev->now_ns);

	/* A frame is told of later than it was seen: it never takes time away. */
	if (ev->kind != NVE_EV_DATA_SEEN || deadline_ns > tsi->deadline_ns)
		nve_timer_set(core, slot, deadline_ns);
	nve_tsi_answer(core, slot, answer);
	answer->unchanged = true;
	return NVE_REASON_OK;
}

enum nve_reason nve_tsi_step(struct nve_core *core, const struct nve_event *ev,
			     struct nve_answer *answer)
{
	bool expires = ev->kind == NVE_EV_EXPIRE;
	uint32_t slot = expires ? ev->due.slot : nve_core_find_tsi(core, &ev->key);
	const struct nve_tsi *tsi = nve_core_tsi(core, slot);
	const struct transition *transition;
	struct nve_event due = { .kind = ev->kind, .now_ns = ev->now_ns };

	answer->state = tsi ? tsi->state : NVE_TSI_INIT;
	transition = &table[answer->state][ev->kind];
	if (expires && (!tsi || tsi->deadline_ns > ev->now_ns))
		return NVE_REASON_ILLEGAL_TRANSITION;
	switch ((enum effect)transition->effect) {
	case REFUSE:
		break;
	case NOTHING:
		answer->unchanged = true;
		return NVE_REASON_OK;
	case SETTLE:
		if (!expires)
			return nve_tsi_settle(core, slot, ev, transition->to, answer);
		due.key = tsi->key;
		return nve_tsi_settle(core, slot, &due, transition->to, answer);
	case RELEASE:
		return release(core, slot, ev, answer);
	case RESTART:
		return restart(core, slot, ev, answer);
	}
	return tsi ? NVE_REASON_ILLEGAL_TRANSITION : NVE_REASON_UNKNOWN_TSI;
}
