/* SPDX-License-Identifier: Apache-2.0 */
/* The addresses of a TSI, in the order they were signaled, each with its own switch (D13). */
#include "core/core_internal.h"

static uint32_t *bucket_of(struct nve_core *core, uint32_t i)
{
	const struct nve_addr_rec *rec = &core->addrs[i];
	struct nve_addr binding = nve_binding_of(&rec->addr);

	return &core->addr_buckets[nve_hash_binding(core, core->tsis[rec->tsi].pub.key.vn_id,
						    &binding)];
}

static uint32_t leader_of(const struct nve_core *core, uint32_t i)
{
	const struct nve_addr_rec *rec = &core->addrs[i];
	struct nve_addr binding = nve_binding_of(&rec->addr);

	return rec->leader ? i : nve_bind_leader(core, rec->tsi, &binding);
}

void nve_addr_emit(struct nve_core *core, uint32_t i)
{
	const struct nve_addr_rec *rec = &core->addrs[i];
	struct nve_addr binding = nve_binding_of(&rec->addr);

	nve_emit_bind(core, core->tsis[rec->tsi].pub.key.vn_id, &binding);
}

void nve_addr_emit_all(struct nve_core *core, uint32_t slot)
{
	for (uint32_t i = core->tsis[slot].addrs.head; i; i = core->addrs[i - 1].next)
		if (core->addrs[i - 1].leader)
			nve_addr_emit(core, i - 1);
}

bool nve_addr_switch(struct nve_core *core, uint32_t i, bool on, uint64_t now_ns)
{
	struct nve_addr_rec *rec = &core->addrs[i], *leader;
	struct nve_tsi *tsi = &core->tsis[rec->tsi].pub;
	int change = on ? 1 : -1;
	uint32_t at;

	if (rec->active == on)
		return false;
	at = leader_of(core, i);
	leader = &core->addrs[at];
	NVE_SET(core, rec->active, on);
	NVE_SET(core, tsi->n_active, (uint16_t)(tsi->n_active + change));
	NVE_SET(core, leader->n_working, (uint16_t)(leader->n_working + change));
	if (leader->n_working != (on ? 1 : 0))
		return false;
	nve_bind_switched(core, at, now_ns);
	return true;
}

static void append(struct nve_core *core, uint32_t slot, uint32_t i)
{
	struct nve_tsi_rec *tsi = &core->tsis[slot];

	if (tsi->addrs.tail)
		NVE_SET(core, core->addrs[tsi->addrs.tail - 1].next, i + 1);
	else
		NVE_SET(core, tsi->addrs.head, i + 1);
	NVE_SET(core, tsi->addrs.tail, i + 1);
	NVE_SET(core, tsi->pub.n_addrs, tsi->pub.n_addrs + 1);
}

/* What a TSI has of each kind decides what it may glean. */
static void count_kind(struct nve_core *core, uint32_t i, int by)
{
	const struct nve_addr_rec *rec = &core->addrs[i];
	struct nve_tsi_rec *tsi = &core->tsis[rec->tsi];

	if (rec->gleaned) {
		NVE_SET(core, tsi->pub.n_gleaned, (uint16_t)(tsi->pub.n_gleaned + by));
		return;
	}
	if (rec->addr.flags & NVE_ADDR_MAC)
		NVE_SET(core, tsi->n_sig_mac, (uint16_t)(tsi->n_sig_mac + by));
	if (rec->addr.flags & (NVE_ADDR_IPV4 | NVE_ADDR_IPV6))
		NVE_SET(core, tsi->n_sig_ip, (uint16_t)(tsi->n_sig_ip + by));
}

void nve_addr_add(struct nve_core *core, uint32_t slot, const struct nve_addr *addr,
		  enum nve_addr_how how, uint64_t now_ns)
{
	struct nve_addr binding = nve_binding_of(addr);
	uint32_t leader = nve_bind_leader(core, slot, &binding);
	uint32_t i = nve_pool_take(core, &core->state->addrs);
	struct nve_addr_rec *rec = &core->addrs[i];
	bool emit = leader == NVE_SLOT_NONE;

	nve_undo_save(core, rec, sizeof(*rec));
	rec->addr = *addr;
	rec->tsi = slot;
	rec->gleaned = how == NVE_ADDR_HOW_GLEANED;
	rec->seen_ns = rec->gleaned ? now_ns : 0;
	append(core, slot, i);
	count_kind(core, i, 1);
	nve_owner_count(core, core->tsis[slot].pub.owner, 0, 1);
	nve_glean_link(core, i);
	if (leader == NVE_SLOT_NONE) {
		rec->leader = true;
		leader = i;
		nve_chain_push(core, bucket_of(core, i), core->by_binding, i);
	}
	NVE_SET(core, core->addrs[leader].n_sharing, core->addrs[leader].n_sharing + 1);
	if (how != NVE_ADDR_HOW_OFF)
		emit |= nve_addr_switch(core, i, true, now_ns);
	if (emit)
		nve_addr_emit(core, i);
}

/* Another address of the TSI with the same binding takes the leader's place. */
static void promote_other(struct nve_core *core, uint32_t i)
{
	struct nve_addr_rec *rec = &core->addrs[i];
	struct nve_addr binding = nve_binding_of(&rec->addr);
	uint32_t other = core->tsis[rec->tsi].addrs.head - 1;

	while (other == i || !nve_binds(&core->addrs[other].addr, &binding))
		other = core->addrs[other].next - 1;
	nve_chain_remove(core, bucket_of(core, i), core->by_binding, i);
	nve_chain_push(core, bucket_of(core, other), core->by_binding, other);
	NVE_SET(core, core->addrs[other].leader, true);
	NVE_SET(core, core->addrs[other].n_sharing, rec->n_sharing - 1);
	NVE_SET(core, core->addrs[other].n_working, rec->n_working);
}

static void unlink_from_tsi(struct nve_core *core, uint32_t before, uint32_t i)
{
	struct nve_tsi_rec *tsi = &core->tsis[core->addrs[i].tsi];
	uint32_t next = core->addrs[i].next;

	if (before == NVE_SLOT_NONE)
		NVE_SET(core, tsi->addrs.head, next);
	else
		NVE_SET(core, core->addrs[before].next, next);
	if (!next)
		NVE_SET(core, tsi->addrs.tail, before == NVE_SLOT_NONE ? 0 : before + 1);
	NVE_SET(core, tsi->pub.n_addrs, tsi->pub.n_addrs - 1);
}

void nve_addr_remove(struct nve_core *core, uint32_t before, uint32_t i, uint64_t now_ns)
{
	struct nve_addr_rec *rec = &core->addrs[i];
	bool emit = nve_addr_switch(core, i, false, now_ns);
	uint32_t leader = leader_of(core, i);

	if (leader != i) {
		NVE_SET(core, core->addrs[leader].n_sharing, core->addrs[leader].n_sharing - 1);
	} else if (rec->n_sharing > 1) {
		promote_other(core, i);
	} else {
		nve_chain_remove(core, bucket_of(core, i), core->by_binding, i);
		emit = true;
	}
	if (emit)
		nve_addr_emit(core, i);
	count_kind(core, i, -1);
	nve_owner_count(core, core->tsis[rec->tsi].pub.owner, 0, -1);
	nve_glean_unlink(core, i);
	unlink_from_tsi(core, before, i);
	nve_undo_save(core, rec, sizeof(*rec));
	*rec = (struct nve_addr_rec){ 0 };
	nve_pool_give(core, &core->state->addrs, i);
}

size_t nve_core_tsi_addrs(const struct nve_core *core, uint32_t slot,
			  struct nve_tsi_addr out[NVE_TSI_ADDRS_MAX])
{
	size_t n = 0;

	if (!nve_core_tsi(core, slot))
		return 0;
	for (uint32_t i = core->tsis[slot].addrs.head; i; i = core->addrs[i - 1].next) {
		out[n].addr = core->addrs[i - 1].addr;
		out[n].active = core->addrs[i - 1].active;
		out[n++].gleaned = core->addrs[i - 1].gleaned;
	}
	return n;
}
