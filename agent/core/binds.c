/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who bears an address in a VN (D7, S87): the hash chains of leaders, the order of ownership, and
 * the alarm for an address that stays in use twice (S22).
 */
#include "core/core_internal.h"

#include <string.h>

struct nve_addr nve_binding_of(const struct nve_addr *addr)
{
	struct nve_addr binding = { .flags = NVE_ADDR_MAC };

	if (!(addr->flags & NVE_ADDR_MAC))
		return *addr;
	memcpy(binding.mac, addr->mac, sizeof(binding.mac));
	return binding;
}

bool nve_binds(const struct nve_addr *addr, const struct nve_addr *binding)
{
	if (!(binding->flags & NVE_ADDR_MAC))
		return memcmp(addr, binding, sizeof(*addr)) == 0;
	return (addr->flags & NVE_ADDR_MAC) &&
	       memcmp(addr->mac, binding->mac, sizeof(addr->mac)) == 0;
}

uint32_t nve_bind_next(const struct nve_core *core, uint32_t vn_id, const struct nve_addr *binding,
		       uint32_t after)
{
	uint32_t i;

	if (after == NVE_SLOT_NONE)
		i = core->addr_buckets[nve_hash_binding(core, vn_id, binding)];
	else
		i = core->by_binding[after].next;
	for (; i; i = core->by_binding[i - 1].next) {
		const struct nve_addr_rec *rec = &core->addrs[i - 1];

		if (core->tsis[rec->tsi].pub.key.vn_id == vn_id && nve_binds(&rec->addr, binding))
			return i - 1;
	}
	return NVE_SLOT_NONE;
}

uint32_t nve_bind_leader(const struct nve_core *core, uint32_t slot, const struct nve_addr *binding)
{
	uint32_t vn_id = core->tsis[slot].pub.key.vn_id;
	uint32_t i = nve_bind_next(core, vn_id, binding, NVE_SLOT_NONE);

	while (i != NVE_SLOT_NONE && core->addrs[i].tsi != slot)
		i = nve_bind_next(core, vn_id, binding, i);
	return i;
}

static void count_overlap(struct nve_core *core, uint32_t slot, int change)
{
	struct nve_tsi_rec *tsi = &core->tsis[slot];

	NVE_SET(core, tsi->n_overlap, (uint16_t)(tsi->n_overlap + change));
	if (tsi->n_overlap)
		return;
	nve_alarm_clear(core, slot);
	if (tsi->alarmed)
		NVE_SET(core, tsi->alarmed, false);
}

static void arm(struct nve_core *core, uint32_t slot, uint64_t since_ns)
{
	const struct nve_tsi_rec *tsi = &core->tsis[slot];

	if (core->config.duplicate_alarm_ns && !tsi->alarm_ns && !tsi->alarmed)
		nve_alarm_set(core, slot, since_ns + core->config.duplicate_alarm_ns);
}

void nve_bind_switched(struct nve_core *core, uint32_t leader, uint64_t now_ns)
{
	const struct nve_addr_rec *rec = &core->addrs[leader];
	struct nve_addr binding = nve_binding_of(&rec->addr);
	uint32_t vn_id = core->tsis[rec->tsi].pub.key.vn_id;
	uint32_t n = 0, other = NVE_SLOT_NONE, i = NVE_SLOT_NONE;
	int change = rec->n_working ? 1 : -1;

	while ((i = nve_bind_next(core, vn_id, &binding, i)) != NVE_SLOT_NONE) {
		if (i == leader || !core->addrs[i].n_working)
			continue;
		other = core->addrs[i].tsi;
		n++;
	}
	if (!n)
		return;
	count_overlap(core, rec->tsi, change);
	if (n == 1)
		count_overlap(core, other, change);
	/* Whoever came second is watched: one alarm for a pair. */
	if (change > 0 && now_ns != NVE_NEVER_NS)
		arm(core, rec->tsi, now_ns);
}

/* Restored in any order, so the one that came second is told by its epoch. */
static void restore_alarm(struct nve_core *core, uint32_t a, uint32_t b)
{
	const struct nve_tsi *x = &core->tsis[a].pub, *y = &core->tsis[b].pub;
	uint64_t since_ns = x->since_ns > y->since_ns ? x->since_ns : y->since_ns;

	arm(core, x->epoch > y->epoch ? a : b, since_ns);
}

void nve_bind_restore_alarms(struct nve_core *core, uint32_t slot)
{
	const struct nve_tsi_rec *tsi = &core->tsis[slot];

	for (uint32_t a = tsi->addrs.head; a; a = core->addrs[a - 1].next) {
		struct nve_addr binding = nve_binding_of(&core->addrs[a - 1].addr);
		uint32_t i = NVE_SLOT_NONE;

		if (!core->addrs[a - 1].n_working)
			continue;
		while ((i = nve_bind_next(core, tsi->pub.key.vn_id, &binding, i)) != NVE_SLOT_NONE)
			if (core->addrs[i].tsi != slot && core->addrs[i].n_working)
				restore_alarm(core, slot, core->addrs[i].tsi);
	}
}

enum nve_reason nve_bind_expire(struct nve_core *core, const struct nve_event *ev,
				struct nve_answer *answer)
{
	uint32_t slot = ev->due.slot;
	const struct nve_tsi_rec *tsi;
	struct nve_notice notice = { .kind = NVE_NOTICE_DUPLICATE,
				     .by_nve = true,
				     .new_port = NVE_PORT_NONE,
				     .reason = NVE_REASON_DUPLICATE_ADDRESS };

	if (slot >= core->config.max_tsis)
		return NVE_REASON_ILLEGAL_TRANSITION;
	tsi = &core->tsis[slot];
	if (!tsi->alarm_ns || tsi->alarm_ns > ev->now_ns)
		return NVE_REASON_ILLEGAL_TRANSITION;
	nve_alarm_clear(core, slot);
	NVE_SET(core, core->tsis[slot].alarmed, true);
	notice.key = tsi->pub.key;
	notice.owner = tsi->pub.owner;
	notice.from = notice.to = tsi->pub.state;
	notice.tag = core->vaps[tsi->vap].pub.tag;
	nve_emit_notice(core, &notice);
	nve_tsi_answer(core, slot, answer);
	return NVE_REASON_OK;
}

/* Whether 'a' comes before 'b' in the order of ownership. */
static bool owns_before(const struct nve_core *core, uint32_t a, uint32_t b)
{
	const struct nve_addr_rec *x = &core->addrs[a], *y = &core->addrs[b];
	uint64_t ex = core->tsis[x->tsi].pub.epoch, ey = core->tsis[y->tsi].pub.epoch;

	if (!x->n_working != !y->n_working)
		return x->n_working;
	return ex != ey ? ex > ey : x->tsi < y->tsi;
}

size_t nve_core_bearers(const struct nve_core *core, uint32_t vn_id, const struct nve_addr *addr,
			uint32_t *slots, size_t max)
{
	uint32_t leaders[NVE_PORTS_MAX]; /* one instance a port at most can bear it */
	uint32_t i = NVE_SLOT_NONE;
	size_t n = 0;

	while ((i = nve_bind_next(core, vn_id, addr, i)) != NVE_SLOT_NONE && n < NVE_PORTS_MAX) {
		size_t at = n++;

		for (; at > 0 && owns_before(core, i, leaders[at - 1]); at--)
			leaders[at] = leaders[at - 1];
		leaders[at] = i;
	}
	if (n > max)
		n = max;
	for (size_t at = 0; at < n; at++)
		slots[at] = core->addrs[leaders[at]].tsi;
	return n;
}

bool nve_core_addr_works(const struct nve_core *core, uint32_t slot, const struct nve_addr *addr)
{
	uint32_t leader;

	if (!nve_core_tsi(core, slot))
		return false;
	leader = nve_bind_leader(core, slot, addr);
	return leader != NVE_SLOT_NONE && core->addrs[leader].n_working;
}
