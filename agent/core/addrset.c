/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an event makes of the addresses of a TSI: which stay, go and come, and which are active in
 * the end.  Planned by reading only, in time linear in the addresses named, then applied.
 */
#include "core/core_internal.h"

#include <string.h>

enum {
	INDEX_SLOTS = 2 * NVE_TSI_ADDRS_MAX, /* a power of two */
	FEW = 8,                             /* up to here a scan is faster than hashing */
};

/* Finds addresses in a list of at most NVE_TSI_ADDRS_MAX. */
struct index {
	const struct nve_addr *items[NVE_TSI_ADDRS_MAX];
	uint32_t n;
	uint16_t slots[INDEX_SLOTS]; /* position + 1; used when n > FEW */
};

static void index_build(const struct nve_core *core, struct index *index)
{
	if (index->n <= FEW)
		return;
	memset(index->slots, 0, sizeof(index->slots));
	for (uint32_t i = 0; i < index->n; i++) {
		uint32_t at = nve_hash_address(core, index->items[i]) % INDEX_SLOTS;

		while (index->slots[at])
			at = (at + 1) % INDEX_SLOTS;
		index->slots[at] = (uint16_t)(i + 1);
	}
}

static bool same(const struct nve_addr *a, const struct nve_addr *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* The position, or -1. */
static int index_find(const struct nve_core *core, const struct index *index,
		      const struct nve_addr *addr)
{
	if (index->n <= FEW) {
		for (uint32_t i = 0; i < index->n; i++)
			if (same(index->items[i], addr))
				return (int)i;
		return -1;
	}
	for (uint32_t at = nve_hash_address(core, addr) % INDEX_SLOTS; index->slots[at];
	     at = (at + 1) % INDEX_SLOTS)
		if (same(index->items[index->slots[at] - 1], addr))
			return index->slots[at] - 1;
	return -1;
}

static void index_old(const struct nve_core *core, uint32_t slot, struct index *index,
		      struct nve_addr_set *set)
{
	index->n = 0;
	if (slot != NVE_SLOT_NONE)
		for (uint32_t i = core->tsis[slot].addrs.head; i; i = core->addrs[i - 1].next) {
			set->old[index->n] = (core->addrs[i - 1].active ? NVE_FATE_ON : 0) |
					     (core->addrs[i - 1].gleaned ? NVE_FATE_GLEANED : 0);
			index->items[index->n++] = &core->addrs[i - 1].addr;
		}
	set->n_old = (uint16_t)index->n;
	index_build(core, index);
}

/* The addresses the event lists as the TSI's own: its whole set, or (Update) more of them. */
static uint32_t n_listed(const struct nve_event *ev)
{
	bool whole = (ev->kind == NVE_EV_ASSOCIATE || ev->kind == NVE_EV_ACTIVATE) &&
		     (ev->flags & NVE_EV_HAS_ADDRS);

	return whole || ev->kind == NVE_EV_UPDATE ? ev->n_addrs : 0;
}

static void index_listed(const struct nve_core *core, const struct nve_event *ev,
			 struct index *index)
{
	index->n = n_listed(ev);
	for (uint32_t i = 0; i < index->n; i++)
		index->items[i] = &ev->addrs[i];
	index_build(core, index);
}

/*
 * Tells the new ones, among them those gleaned till now; where the list is the whole set, what it
 * does not name goes.
 */
static void plan_membership(const struct nve_core *core, const struct nve_event *ev,
			    const struct index *old, const struct index *listed,
			    struct nve_addr_set *set)
{
	bool whole = (ev->kind == NVE_EV_ASSOCIATE || ev->kind == NVE_EV_ACTIVATE) &&
		     (ev->flags & NVE_EV_HAS_ADDRS);

	for (uint32_t i = 0; i < listed->n; i++) {
		int at = index_find(core, old, listed->items[i]);
		bool gleaned = at >= 0 && (set->old[at] & NVE_FATE_GLEANED);

		set->add[i] = at < 0 || gleaned ? NVE_FATE_NEW : 0;
		if (gleaned)
			set->old[at] = NVE_FATE_DROP;
	}
	for (uint32_t i = 0; whole && i < old->n; i++)
		if (!(set->old[i] & NVE_FATE_GLEANED) &&
		    index_find(core, listed, old->items[i]) < 0)
			set->old[i] = NVE_FATE_DROP;
}

static enum nve_reason plan_removal(const struct nve_core *core, const struct nve_event *ev,
				    const struct index *old, const struct index *listed,
				    struct nve_addr_set *set)
{
	for (uint32_t i = 0; i < ev->n_only; i++) {
		int at = index_find(core, old, &ev->only[i]);

		if (at < 0)
			return NVE_REASON_UNKNOWN_ADDRESS;
		if (index_find(core, listed, &ev->only[i]) < 0)
			set->old[at] = NVE_FATE_DROP;
	}
	return NVE_REASON_OK;
}

static void switch_all(struct nve_addr_set *set, uint32_t n_listed_addrs, bool old_too, bool on)
{
	for (uint32_t i = 0; i < n_listed_addrs; i++)
		if (set->add[i] & NVE_FATE_NEW)
			set->add[i] = on ? NVE_FATE_NEW | NVE_FATE_ON : NVE_FATE_NEW;
	for (uint32_t i = 0; old_too && i < set->n_old; i++)
		if (!(set->old[i] & (NVE_FATE_DROP | NVE_FATE_GLEANED)))
			set->old[i] = on ? NVE_FATE_ON : 0;
}

/* D13: the event names the addresses to be switched. */
static enum nve_reason switch_only(const struct nve_core *core, const struct nve_event *ev,
				   const struct index *old, const struct index *listed, bool on,
				   struct nve_addr_set *set)
{
	for (uint32_t i = 0; i < ev->n_only; i++) {
		int at = index_find(core, old, &ev->only[i]);
		uint8_t *fate = at < 0 || set->old[at] == NVE_FATE_DROP ? NULL : &set->old[at];

		if (!fate) {
			at = index_find(core, listed, &ev->only[i]);
			fate = at < 0 ? NULL : &set->add[at];
		}
		if (!fate || (*fate & NVE_FATE_GLEANED))
			return NVE_REASON_UNKNOWN_ADDRESS;
		*fate = (uint8_t)((*fate & ~NVE_FATE_ON) | (on ? NVE_FATE_ON : 0));
	}
	return NVE_REASON_OK;
}

static enum nve_reason plan_switches(const struct nve_core *core, const struct nve_event *ev,
				     enum nve_tsi_state to, const struct index *old,
				     const struct index *listed, struct nve_addr_set *set)
{
	bool only = (ev->flags & NVE_EV_HAS_ONLY) &&
		    (ev->kind == NVE_EV_ACTIVATE || ev->kind == NVE_EV_DEACTIVATE);

	if (ev->kind == NVE_EV_UPDATE)
		switch_all(set, listed->n, false, to == NVE_TSI_ACTIVATED);
	else if (only)
		return switch_only(core, ev, old, listed, ev->kind == NVE_EV_ACTIVATE, set);
	else
		switch_all(set, listed->n, true, to == NVE_TSI_ACTIVATED);
	return NVE_REASON_OK;
}

static void count_kind(const struct nve_addr *addr, struct nve_addr_set *set)
{
	set->n_mac += (addr->flags & NVE_ADDR_MAC) != 0;
	set->n_ip += (addr->flags & (NVE_ADDR_IPV4 | NVE_ADDR_IPV6)) != 0;
}

static void count_signaled(const struct index *old, const struct index *listed,
			   struct nve_addr_set *set)
{
	for (uint32_t i = 0; i < old->n; i++)
		if (!(set->old[i] & (NVE_FATE_DROP | NVE_FATE_GLEANED)))
			count_kind(old->items[i], set);
	for (uint32_t i = 0; i < listed->n; i++)
		if (set->add[i] & NVE_FATE_NEW)
			count_kind(listed->items[i], set);
}

/* Whether a signaled address with that MAC is in use in the end. */
static bool mac_is_on(const struct index *old, const struct index *listed,
		      const struct nve_addr_set *set, const uint8_t *mac)
{
	for (uint32_t i = 0; i < old->n; i++)
		if (set->old[i] == NVE_FATE_ON && !memcmp(old->items[i]->mac, mac, NVE_MAC_LEN))
			return true;
	for (uint32_t i = 0; i < listed->n; i++)
		if (set->add[i] == (NVE_FATE_NEW | NVE_FATE_ON) &&
		    !memcmp(listed->items[i]->mac, mac, NVE_MAC_LEN))
			return true;
	return false;
}

/* D8: gleaned addresses stay while all that is signaled allows it, and last of all. */
static void plan_gleaned(const struct nve_event *ev, enum nve_tsi_state to, uint32_t max,
			 const struct index *old, const struct index *listed,
			 struct nve_addr_set *set)
{
	bool moves = ev->kind == NVE_EV_UPDATE && ev->new_port != NVE_PORT_NONE &&
		     ev->new_port != ev->key.port;
	bool stays = to == NVE_TSI_ACTIVATED ||
		     (ev->kind == NVE_EV_DEACTIVATE && (ev->flags & NVE_EV_HAS_ONLY) && set->n_mac);
	uint32_t n = 0, n_signaled = 0;

	for (uint32_t i = 0; i < old->n; i++)
		n_signaled += !(set->old[i] & (NVE_FATE_DROP | NVE_FATE_GLEANED));
	for (uint32_t i = 0; i < listed->n; i++)
		n_signaled += (set->add[i] & NVE_FATE_NEW) != 0;
	for (uint32_t i = 0; i < old->n; i++) {
		const struct nve_addr *addr = old->items[i];
		bool keep = stays && !moves && !set->n_ip && n < max &&
			    n_signaled + n < NVE_TSI_ADDRS_MAX;

		if (!(set->old[i] & NVE_FATE_GLEANED))
			continue;
		if (set->n_mac)
			keep = keep && addr->flags != NVE_ADDR_MAC &&
			       mac_is_on(old, listed, set, addr->mac);
		set->old[i] = keep ? NVE_FATE_GLEANED | NVE_FATE_ON : NVE_FATE_DROP;
		n += keep;
	}
}

static void count(const struct nve_core *core, uint32_t slot, uint32_t n_listed_addrs,
		  struct nve_addr_set *set)
{
	uint32_t i = set->n_old ? core->tsis[slot].addrs.head : 0;

	for (uint32_t at = 0; at < set->n_old; at++, i = core->addrs[i - 1].next) {
		bool on = set->old[at] & NVE_FATE_ON, was = core->addrs[i - 1].active;

		set->n_drop += set->old[at] == NVE_FATE_DROP;
		set->n_on += on;
		set->n_begin += on && !was;
		set->switched |= set->old[at] != NVE_FATE_DROP && on != was;
	}
	for (uint32_t at = 0; at < n_listed_addrs; at++) {
		bool on = set->add[at] == (NVE_FATE_NEW | NVE_FATE_ON);

		set->n_new += (set->add[at] & NVE_FATE_NEW) != 0;
		set->n_on += on;
		set->n_begin += on;
	}
}

enum nve_reason nve_set_plan(const struct nve_core *core, uint32_t slot, const struct nve_event *ev,
			     enum nve_tsi_state to, uint16_t glean_max, struct nve_addr_set *set)
{
	enum nve_reason reason = NVE_REASON_OK;
	struct index old, listed;

	if (n_listed(ev) > NVE_TSI_ADDRS_MAX || ev->n_only > NVE_TSI_ADDRS_MAX)
		return NVE_REASON_TOO_MANY_ADDRESSES;
	set->n_new = set->n_drop = set->n_on = set->n_begin = set->n_mac = set->n_ip = 0;
	set->switched = false;
	index_old(core, slot, &old, set);
	index_listed(core, ev, &listed);
	plan_membership(core, ev, &old, &listed, set);
	if (ev->kind == NVE_EV_UPDATE)
		reason = plan_removal(core, ev, &old, &listed, set);
	if (reason == NVE_REASON_OK)
		reason = plan_switches(core, ev, to, &old, &listed, set);
	if (reason != NVE_REASON_OK)
		return reason;
	count_signaled(&old, &listed, set);
	plan_gleaned(ev, to, glean_max, &old, &listed, set);
	count(core, slot, listed.n, set);
	if (set->n_old + set->n_new - set->n_drop > NVE_TSI_ADDRS_MAX)
		return NVE_REASON_TOO_MANY_ADDRESSES;
	return NVE_REASON_OK;
}

static bool taken(const struct nve_core *core, uint32_t slot, uint16_t port, uint32_t vn_id,
		  const struct nve_addr *addr)
{
	struct nve_addr binding = nve_binding_of(addr);
	uint32_t i = NVE_SLOT_NONE;

	while ((i = nve_bind_next(core, vn_id, &binding, i)) != NVE_SLOT_NONE)
		if (core->addrs[i].tsi != slot && !nve_glean_only(core, i) &&
		    core->tsis[core->addrs[i].tsi].pub.key.port == port)
			return true;
	return false;
}

enum nve_reason nve_set_conflicts(const struct nve_core *core, uint32_t slot,
				  const struct nve_event *ev, uint16_t port,
				  const struct nve_addr_set *set)
{
	uint32_t vn_id = ev->key.vn_id, at = 0;

	for (uint32_t i = 0; i < n_listed(ev); i++)
		if ((set->add[i] & NVE_FATE_NEW) && taken(core, slot, port, vn_id, &ev->addrs[i]))
			return NVE_REASON_ADDRESS_IN_USE;
	if (slot == NVE_SLOT_NONE || core->tsis[slot].pub.key.port == port)
		return NVE_REASON_OK;
	for (uint32_t i = core->tsis[slot].addrs.head; i; i = core->addrs[i - 1].next)
		if (set->old[at++] != NVE_FATE_DROP &&
		    taken(core, slot, port, vn_id, &core->addrs[i - 1].addr))
			return NVE_REASON_ADDRESS_IN_USE;
	return NVE_REASON_OK;
}

void nve_set_apply(struct nve_core *core, uint32_t slot, const struct nve_event *ev,
		   const struct nve_addr_set *set, bool epoch_changed)
{
	uint32_t before = NVE_SLOT_NONE, next;
	uint32_t at = 0;

	for (uint32_t i = core->tsis[slot].addrs.head; i && at < set->n_old; i = next) {
		uint8_t fate = set->old[at++];

		next = core->addrs[i - 1].next;
		if (fate == NVE_FATE_DROP) {
			nve_addr_remove(core, before, i - 1, ev->now_ns);
			continue;
		}
		before = i - 1;
		if (nve_addr_switch(core, i - 1, fate & NVE_FATE_ON, ev->now_ns) && !epoch_changed)
			nve_addr_emit(core, i - 1);
	}
	/* A new epoch may change the order of owners even where no switch was turned. */
	if (epoch_changed)
		nve_addr_emit_all(core, slot);
	for (uint32_t i = 0; i < n_listed(ev); i++)
		if (set->add[i] & NVE_FATE_NEW)
			nve_addr_add(core, slot, &ev->addrs[i],
				     set->add[i] & NVE_FATE_ON ? NVE_ADDR_HOW_ON : NVE_ADDR_HOW_OFF,
				     ev->now_ns);
}
