/* SPDX-License-Identifier: Apache-2.0 */
/* The way back to Init: everything of a TSI is released (S8, S42, S79). */
#include "core/core_internal.h"

#include <string.h>

struct nve_why nve_why_of(const struct nve_event *ev)
{
	bool by_nve = ev->flags & NVE_EV_BY_NVE;

	return (struct nve_why){ .now_ns = ev->now_ns,
				 .reason = by_nve ? ev->why : NVE_REASON_OK,
				 .by_nve = by_nve,
				 .owner = ev->owner };
}

void nve_tsi_release(struct nve_core *core, uint32_t slot, const struct nve_why *why)
{
	struct nve_tsi_rec *tsi = &core->tsis[slot];
	struct nve_notice notice = { .kind = NVE_NOTICE_TSI_STATE,
				     .from = tsi->pub.state,
				     .to = NVE_TSI_INIT,
				     .by_nve = why->by_nve,
				     .tag = core->vaps[tsi->vap].pub.tag,
				     .new_port = NVE_PORT_NONE,
				     .owner = tsi->pub.owner,
				     .key = tsi->pub.key,
				     .reason = why->reason };

	nve_emit_tsi(core, slot);
	while (tsi->addrs.head)
		nve_addr_remove(core, NVE_SLOT_NONE, tsi->addrs.head - 1, why->now_ns);
	nve_timer_set(core, slot, NVE_NEVER_NS);
	nve_glean_timer_set(core, slot, NVE_NEVER_NS);
	nve_vap_detach(core, slot);
	nve_tsi_unlink(core, slot);
	nve_undo_save(core, tsi, sizeof(*tsi));
	memset(tsi, 0, sizeof(*tsi));
	nve_pool_give(core, &core->state->tsis, slot);
	nve_emit_notice(core, &notice);
}

/* Walks the instances of one TSI on one port that 'ev' speaks of; start with NVE_SLOT_NONE, which
 * is also the end. */
static uint32_t next_instance(const struct nve_core *core, const struct nve_event *ev,
			      uint32_t after)
{
	bool own_only = ev->flags & NVE_EV_OWN_ONLY;
	const struct nve_tsi_key *key = &ev->key;
	uint32_t i;

	if (after == NVE_SLOT_NONE)
		i = core->port_buckets[nve_hash_port(core, key)];
	else
		i = core->by_port[after].next;
	for (; i; i = core->by_port[i - 1].next) {
		const struct nve_tsi_key *its = &core->tsis[i - 1].pub.key;

		if (own_only && core->tsis[i - 1].pub.owner != ev->owner)
			continue;
		if (its->port == key->port && memcmp(&its->id, &key->id, sizeof(its->id)) == 0)
			return i - 1;
	}
	return NVE_SLOT_NONE;
}

enum nve_reason nve_tsi_clear_all(struct nve_core *core, const struct nve_event *ev,
				  struct nve_answer *answer)
{
	struct nve_why why = nve_why_of(ev);
	uint32_t slot = NVE_SLOT_NONE, next;
	uint64_t n_tsis = 0, n_addrs = 0;

	while ((slot = next_instance(core, ev, slot)) != NVE_SLOT_NONE) {
		n_tsis++;
		n_addrs += core->tsis[slot].pub.n_addrs;
	}
	if (!nve_journal_has_room(core, n_tsis, n_addrs))
		return NVE_REASON_TOO_MANY_REQUESTS;
	for (slot = next_instance(core, ev, NVE_SLOT_NONE); slot != NVE_SLOT_NONE; slot = next) {
		uint32_t vap = core->tsis[slot].vap;

		next = next_instance(core, ev, slot);
		nve_tsi_release(core, slot, &why);
		nve_vap_drop_if_idle(core, vap, &why);
		answer->n_cleared++;
	}
	answer->unchanged = !answer->n_cleared;
	return NVE_REASON_OK;
}
