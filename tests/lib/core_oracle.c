/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/core_oracle.h"

/* I, A, V: the state after it; a dot: refused.  V is Activated. */
static const char *const oracle[NVE_TSI_STATES] = {
	/* connect disconnect | associate activate deactivate disassociate clear update keepalive
	 * keepactive data expiry glean */
	[NVE_TSI_INIT] = "??"
			 "AV.II......",
	[NVE_TSI_ASSOCIATED] = "??"
			       "AVAIIAA..I.",
	[NVE_TSI_ACTIVATED] = "??"
			      ".VAIIVVVVAV",
};

enum nve_tsi_state oracle_state(const struct nve_core *core, const struct nve_tsi_key *key)
{
	const struct nve_tsi *tsi = nve_core_tsi(core, nve_core_find_tsi(core, key));

	return tsi ? tsi->state : NVE_TSI_INIT;
}

bool oracle_due(const struct nve_core *core, const struct nve_event *ev)
{
	const struct nve_tsi *tsi = nve_core_tsi(core, ev->due.slot);

	return ev->kind == NVE_EV_EXPIRE && tsi && tsi->deadline_ns <= ev->now_ns;
}

bool oracle_knows(const struct nve_event *ev)
{
	return ev->kind >= NVE_EV_ASSOCIATE && ev->key.vn_id &&
	       (ev->kind != NVE_EV_EXPIRE || ev->due.kind == NVE_DUE_TSI);
}

static bool refusable(const struct nve_event *ev, enum nve_reason reason)
{
	switch (reason) {
	case NVE_REASON_UNKNOWN_ADDRESS:
		return ev->n_only > 0 || ev->kind == NVE_EV_GLEAN;
	case NVE_REASON_GLEANING_CONFLICT:
	case NVE_REASON_INVALID_PARAMETER:
		return ev->kind <= NVE_EV_UPDATE;
	case NVE_REASON_ADDRESS_IN_USE:
		return ev->n_addrs > 0 || ev->new_port != NVE_PORT_NONE;
	case NVE_REASON_TAG_IN_USE:
	case NVE_REASON_INVALID_TAG:
		return ev->tag != 0;
	case NVE_REASON_INVALID_TIMER:
		return ev->flags & (NVE_EV_HAS_KEEPALIVE | NVE_EV_HAS_KEEPACTIVE);
	case NVE_REASON_INVALID_REQUEST: /* to switch nothing */
		return (ev->flags & NVE_EV_HAS_ONLY) && !ev->n_only;
	case NVE_REASON_NO_RESOURCES:
		return true;
	case NVE_REASON_ILLEGAL_TRANSITION: /* an instance is at the port it would move to */
		return (ev->kind == NVE_EV_UPDATE && ev->new_port != NVE_PORT_NONE) ||
		       ev->kind == NVE_EV_GLEAN; /* nothing is to be gleaned */
	default:
		return false;
	}
}

static enum nve_tsi_state state_in(char cell)
{
	return cell == 'I' ? NVE_TSI_INIT : cell == 'A' ? NVE_TSI_ASSOCIATED : NVE_TSI_ACTIVATED;
}

const char *oracle_fault(const struct nve_core *core, const struct nve_event *ev,
			 enum nve_tsi_state from, bool was_due, const struct nve_answer *answer)
{
	char cell = oracle[from][ev->kind];
	struct nve_tsi_key at = ev->key;
	enum nve_reason refusal = NVE_REASON_ILLEGAL_TRANSITION;
	enum nve_tsi_state to;

	if (ev->kind == NVE_EV_EXPIRE && !was_due)
		cell = '.';
	if (from == NVE_TSI_INIT && ev->kind != NVE_EV_EXPIRE)
		refusal = NVE_REASON_UNKNOWN_TSI;
	if (cell == '.')
		return answer->reason == refusal ? NULL : "the table refuses it otherwise";
	if (answer->reason != NVE_REASON_OK)
		return refusable(ev, answer->reason) ? NULL : "the table allows it";
	if (ev->kind == NVE_EV_UPDATE && ev->new_port != NVE_PORT_NONE)
		at.port = ev->new_port;
	to = oracle_state(core, &at);
	if (answer->state != to)
		return "the answer has another state than the TSI";
	if (ev->kind == NVE_EV_DEACTIVATE && (ev->flags & NVE_EV_HAS_ONLY) &&
	    from == NVE_TSI_ACTIVATED && to == NVE_TSI_ACTIVATED)
		return nve_core_tsi(core, answer->slot)->n_active ? NULL : "Activated with nothing";
	return to == state_in(cell) ? NULL : "the table leads to another state";
}
