/* SPDX-License-Identifier: Apache-2.0 */
/* VAPs (RFC 8394 figure 5): one per (port, VN), made and unmade explicitly or by TSIs (D3, D4). */
#include "core/core_internal.h"

#include <errno.h>

static uint32_t *bucket_of(const struct nve_core *core, uint16_t port, uint32_t vn_id)
{
	return &core->vap_buckets[nve_hash_pair(core, port, vn_id) & core->vap_mask];
}

static uint32_t *vn_bucket_of(const struct nve_core *core, uint32_t vn_id)
{
	return &core->vn_buckets[nve_hash_pair(core, 0, vn_id) & core->vn_mask];
}

uint32_t nve_vap_find(const struct nve_core *core, uint16_t port, uint32_t vn_id)
{
	for (uint32_t i = *bucket_of(core, port, vn_id); i; i = core->vap_chain[i - 1].next)
		if (core->vaps[i - 1].pub.port == port && core->vaps[i - 1].pub.vn_id == vn_id)
			return i - 1;
	return NVE_SLOT_NONE;
}

static uint32_t find_vn(const struct nve_core *core, uint32_t vn_id)
{
	for (uint32_t i = *vn_bucket_of(core, vn_id); i; i = core->vn_chain[i - 1].next)
		if (core->vns[i - 1].vn_id == vn_id)
			return i - 1;
	return NVE_SLOT_NONE;
}

static enum nve_reason full(struct nve_answer *answer, enum nve_resource resource, uint32_t used,
			    uint32_t max)
{
	answer->resource = resource;
	answer->used = used;
	answer->max = max;
	return NVE_REASON_NO_RESOURCES;
}

enum nve_reason nve_vap_check(const struct nve_core *core, uint16_t port, uint32_t vn_id,
			      uint16_t proposed, struct nve_answer *answer)
{
	const struct nve_state *state = core->state;
	uint16_t scope = nve_core_port_scope(core, port);
	enum nve_reason reason;

	if (scope == NVE_PORT_NONE)
		return NVE_REASON_UNKNOWN_PORT;
	if (vn_id == 0 || vn_id > NVE_VN_ID_MAX)
		return NVE_REASON_INVALID_VN;
	reason = nve_tags_choose(core, scope, vn_id, proposed, &answer->tag);
	if (reason == NVE_REASON_NO_RESOURCES)
		return full(answer, NVE_RES_TAGS, core->scopes[scope].used,
			    nve_tags_range(core, scope));
	if (reason != NVE_REASON_OK || nve_vap_find(core, port, vn_id) != NVE_SLOT_NONE)
		return reason;
	if (nve_pool_full(&state->vaps))
		return full(answer, NVE_RES_VAPS, state->vaps.used, state->vaps.max);
	if (nve_pool_full(&state->vns) && find_vn(core, vn_id) == NVE_SLOT_NONE)
		return full(answer, NVE_RES_VNS, state->vns.used, state->vns.max);
	return NVE_REASON_OK;
}

static void emit_notice(struct nve_core *core, const struct nve_vap *vap, enum nve_notice_kind kind,
			const struct nve_why *why)
{
	struct nve_notice notice = { .kind = kind,
				     .by_nve = why->by_nve,
				     .tag = vap->tag,
				     .new_port = NVE_PORT_NONE,
				     .owner = vap->owner ? vap->owner : why->owner,
				     .reason = why->reason };

	notice.key.port = vap->port;
	notice.key.vn_id = vap->vn_id;
	nve_emit_notice(core, &notice);
}

static uint32_t hold_vn(struct nve_core *core, uint32_t vn_id)
{
	uint32_t vn = find_vn(core, vn_id);

	if (vn == NVE_SLOT_NONE) {
		vn = nve_pool_take(core, &core->state->vns);
		NVE_SET(core, core->vns[vn].vn_id, vn_id);
		nve_chain_push(core, vn_bucket_of(core, vn_id), core->vn_chain, vn);
	}
	NVE_SET(core, core->vns[vn].n_vaps, core->vns[vn].n_vaps + 1);
	return vn;
}

static void let_go_vn(struct nve_core *core, uint32_t vn)
{
	struct nve_vn_rec *rec = &core->vns[vn];

	NVE_SET(core, rec->n_vaps, rec->n_vaps - 1);
	if (rec->n_vaps)
		return;
	nve_chain_remove(core, vn_bucket_of(core, rec->vn_id), core->vn_chain, vn);
	NVE_SET(core, rec->vn_id, 0);
	nve_pool_give(core, &core->state->vns, vn);
}

/* 'owner' 0 with 'explicitly' is a connection of nobody in particular. */
static void set_explicit(struct nve_core *core, uint32_t i, bool explicitly, uint16_t owner)
{
	struct nve_vap *pub = &core->vaps[i].pub;

	if (pub->connected_explicitly)
		nve_owner_leave(core, pub->owner, i);
	NVE_SET(core, pub->connected_explicitly, explicitly);
	NVE_SET(core, pub->owner, owner);
	if (explicitly)
		nve_owner_join(core, owner, i);
}

uint32_t nve_vap_connect(struct nve_core *core, uint16_t port, uint32_t vn_id, uint16_t tag,
			 bool explicitly, const struct nve_why *why)
{
	uint32_t i = nve_pool_take(core, &core->state->vaps);
	struct nve_vap_rec *rec = &core->vaps[i];

	nve_tags_bind(core, nve_core_port_scope(core, port), tag, vn_id);
	NVE_SET(core, rec->pub.port, port);
	NVE_SET(core, rec->pub.vn_id, vn_id);
	NVE_SET(core, rec->pub.tag, tag);
	set_explicit(core, i, explicitly, explicitly ? why->owner : NVE_OWNER_NONE);
	NVE_SET(core, rec->vn, hold_vn(core, vn_id));
	nve_chain_push(core, bucket_of(core, port, vn_id), core->vap_chain, i);
	nve_emit_vap(core, &rec->pub);
	emit_notice(core, &rec->pub, NVE_NOTICE_VN_CONNECTED, why);
	return i;
}

static void disconnect(struct nve_core *core, uint32_t i, const struct nve_why *why)
{
	struct nve_vap_rec *rec = &core->vaps[i];
	struct nve_vap was = rec->pub;

	nve_chain_remove(core, bucket_of(core, was.port, was.vn_id), core->vap_chain, i);
	let_go_vn(core, rec->vn);
	set_explicit(core, i, false, NVE_OWNER_NONE);
	nve_undo_save(core, rec, sizeof(*rec));
	*rec = (struct nve_vap_rec){ 0 };
	nve_pool_give(core, &core->state->vaps, i);
	nve_emit_vap(core, &was);
	nve_tags_release(core, nve_core_port_scope(core, was.port), was.tag, why->now_ns);
	emit_notice(core, &was, NVE_NOTICE_VN_DISCONNECTED, why);
}

void nve_vap_drop_if_idle(struct nve_core *core, uint32_t vap, const struct nve_why *why)
{
	const struct nve_vap *pub = &core->vaps[vap].pub;

	if (!pub->n_tsi && !pub->connected_explicitly)
		disconnect(core, vap, why);
}

void nve_vap_count_activated(struct nve_core *core, uint32_t vap, int change)
{
	struct nve_vap *pub = &core->vaps[vap].pub;

	NVE_SET(core, pub->n_activated, pub->n_activated + (uint32_t)change);
	nve_emit_vap(core, pub);
}

void nve_vap_attach(struct nve_core *core, uint32_t vap, uint32_t slot)
{
	struct nve_vap_rec *rec = &core->vaps[vap];

	nve_list_insert(core, &rec->tsis, core->by_vap, 0, slot);
	NVE_SET(core, core->tsis[slot].vap, vap);
	nve_owner_count(core, core->tsis[slot].pub.owner, 1, 0);
	nve_owner_join(core, core->tsis[slot].pub.owner, vap);
	NVE_SET(core, rec->pub.n_tsi, rec->pub.n_tsi + 1);
	nve_vap_count_activated(core, vap, core->tsis[slot].pub.state == NVE_TSI_ACTIVATED);
}

void nve_vap_detach(struct nve_core *core, uint32_t slot)
{
	uint32_t vap = core->tsis[slot].vap;
	struct nve_vap_rec *rec = &core->vaps[vap];

	nve_list_remove(core, &rec->tsis, core->by_vap, slot);
	nve_owner_count(core, core->tsis[slot].pub.owner, -1, 0);
	nve_owner_leave(core, core->tsis[slot].pub.owner, vap);
	if (rec->gleaner == slot + 1)
		NVE_SET(core, rec->gleaner, 0);
	NVE_SET(core, rec->pub.n_tsi, rec->pub.n_tsi - 1);
	nve_vap_count_activated(core, vap, -(core->tsis[slot].pub.state == NVE_TSI_ACTIVATED));
}

enum nve_reason nve_vap_step_connect(struct nve_core *core, const struct nve_event *ev,
				     struct nve_answer *answer)
{
	uint16_t port = ev->key.port;
	struct nve_why why = nve_why_of(ev);
	enum nve_reason reason;
	uint32_t vap;

	reason = nve_vap_check(core, port, ev->key.vn_id, ev->tag, answer);
	if (reason != NVE_REASON_OK)
		return reason;
	vap = nve_vap_find(core, port, ev->key.vn_id);
	if (vap == NVE_SLOT_NONE) {
		nve_vap_connect(core, port, ev->key.vn_id, answer->tag, true, &why);
	} else if (!core->vaps[vap].pub.connected_explicitly) {
		set_explicit(core, vap, true, ev->owner);
		nve_emit_vap(core, &core->vaps[vap].pub);
	} else if (core->vaps[vap].pub.owner != ev->owner &&
		   core->vaps[vap].pub.owner != NVE_OWNER_SHARED) {
		set_explicit(core, vap, true, NVE_OWNER_SHARED);
		nve_emit_vap(core, &core->vaps[vap].pub);
	} else {
		answer->unchanged = true;
	}
	return NVE_REASON_OK;
}

static bool is_meant(const struct nve_core *core, const struct nve_event *ev, uint32_t slot)
{
	return !(ev->flags & NVE_EV_OWN_ONLY) || core->tsis[slot].pub.owner == ev->owner;
}

/* What stays is the others'; with nothing left of them the VAP goes. */
static void leave(struct nve_core *core, uint32_t vap, const struct nve_event *ev,
		  const struct nve_why *why)
{
	const struct nve_vap *pub = &core->vaps[vap].pub;

	if (!(ev->flags & NVE_EV_OWN_ONLY)) {
		disconnect(core, vap, why);
		return;
	}
	if (pub->connected_explicitly && pub->owner == ev->owner) {
		set_explicit(core, vap, false, NVE_OWNER_NONE);
		nve_emit_vap(core, pub);
	}
	nve_vap_drop_if_idle(core, vap, why);
}

enum nve_reason nve_vap_step_disconnect(struct nve_core *core, const struct nve_event *ev,
					struct nve_answer *answer)
{
	uint32_t vap = nve_vap_find(core, ev->key.port, ev->key.vn_id), next;
	struct nve_why why = nve_why_of(ev), cascade = why;
	uint64_t n_tsis = 0, n_addrs = 0;
	const struct nve_vap_rec *rec;
	bool holds;

	if (vap == NVE_SLOT_NONE)
		return NVE_REASON_VN_NOT_CONNECTED;
	rec = &core->vaps[vap];
	for (uint32_t i = rec->tsis.head; i; i = core->by_vap[i - 1].next) {
		n_tsis += is_meant(core, ev, i - 1);
		n_addrs += is_meant(core, ev, i - 1) ? core->tsis[i - 1].pub.n_addrs : 0;
	}
	holds = rec->pub.connected_explicitly && rec->pub.owner == ev->owner;
	if ((ev->flags & NVE_EV_OWN_ONLY) && !n_tsis && !holds)
		return NVE_REASON_VN_NOT_CONNECTED;
	if ((ev->flags & NVE_EV_ONLY_IF_UNUSED) && n_tsis)
		return NVE_REASON_VN_IN_USE;
	if (!nve_journal_has_room(core, n_tsis, n_addrs))
		return NVE_REASON_TOO_MANY_REQUESTS;
	if (!why.by_nve)
		cascade.reason = NVE_REASON_VN_DISCONNECTED;
	for (uint32_t i = rec->tsis.head; i; i = next) {
		next = core->by_vap[i - 1].next;
		if (!is_meant(core, ev, i - 1))
			continue;
		nve_tsi_release(core, i - 1, &cascade);
		answer->n_cleared++;
	}
	leave(core, vap, ev, &why);
	return NVE_REASON_OK;
}

int nve_core_restore_vap_owner(struct nve_core *core, uint16_t port, uint32_t vn_id, uint16_t owner)
{
	uint32_t vap = nve_vap_find(core, port, vn_id);

	if (vap == NVE_SLOT_NONE || !core->vaps[vap].pub.connected_explicitly)
		return -EINVAL;
	set_explicit(core, vap, true, owner);
	nve_core_forget(core);
	return 0;
}

const struct nve_vap *nve_core_vap(const struct nve_core *core, uint16_t port, uint32_t vn_id)
{
	uint32_t vap = nve_vap_find(core, port, vn_id);

	return vap == NVE_SLOT_NONE ? NULL : &core->vaps[vap].pub;
}

const struct nve_vap *nve_core_next_vap(const struct nve_core *core, uint32_t *cursor)
{
	while (*cursor < core->state->vaps.high) {
		const struct nve_vap *vap = &core->vaps[(*cursor)++].pub;

		if (vap->vn_id)
			return vap;
	}
	return NULL;
}
