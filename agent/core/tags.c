/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Local tags (S33-S35, S43, D6, D14).  In a scope a VN has one tag, however many of the scope's
 * ports it is connected on.  A tag goes FREE -> BOUND -> QUARANTINED -> FREE; while it is in
 * quarantine only the VN that had it may have it again, since there it means the same.
 */
#include "core/core_internal.h"

struct nve_tag_rec *nve_tags_rec(const struct nve_core *core, uint16_t scope, uint16_t tag)
{
	const struct nve_scope_config *range = &core->config.scopes[scope];

	return &core->tags[core->scopes[scope].base + tag - range->tag_min];
}

uint32_t nve_tags_range(const struct nve_core *core, uint16_t scope)
{
	const struct nve_scope_config *range = &core->config.scopes[scope];

	return (uint32_t)range->tag_max - range->tag_min + 1;
}

static bool in_range(const struct nve_core *core, uint16_t scope, uint16_t tag)
{
	return tag >= core->config.scopes[scope].tag_min &&
	       tag <= core->config.scopes[scope].tag_max;
}

static uint32_t index_of(const struct nve_core *core, const struct nve_tag_rec *rec)
{
	return (uint32_t)(rec - core->tags);
}

static uint32_t *bucket_of(const struct nve_core *core, uint16_t scope, uint32_t vn_id)
{
	return &core->tag_buckets[nve_hash_pair(core, scope, vn_id) & core->tag_mask];
}

/* The VN's tag in that scope: the bound one, else the one that left it last; NULL if none. */
static const struct nve_tag_rec *find_vn(const struct nve_core *core, uint16_t scope,
					 uint32_t vn_id)
{
	const struct nve_tag_rec *best = NULL;

	for (uint32_t i = *bucket_of(core, scope, vn_id); i; i = core->tag_chain[i - 1].next) {
		const struct nve_tag_rec *rec = &core->tags[i - 1];

		if (rec->scope != scope || rec->vn_id != vn_id)
			continue;
		if (rec->use == NVE_TAG_BOUND)
			return rec;
		if (!best || rec->promised > best->promised ||
		    (rec->promised == best->promised && rec->until_ns > best->until_ns))
			best = rec;
	}
	return best;
}

bool nve_tags_vn_has_promise(const struct nve_core *core, uint16_t scope, uint32_t vn_id)
{
	const struct nve_tag_rec *rec = find_vn(core, scope, vn_id);

	return rec && rec->promised;
}

/* The lowest tag that never had a meaning, else the one that lost its meaning first; 0 = none. */
static uint16_t pick(const struct nve_core *core, uint16_t scope)
{
	uint16_t tag = core->scopes[scope].fresh;

	for (; tag <= core->config.scopes[scope].tag_max; tag++)
		if (!nve_tags_rec(core, scope, tag)->ever)
			return tag;
	if (core->scopes[scope].free.head)
		return core->tags[core->scopes[scope].free.head - 1].tag;
	return 0;
}

enum nve_reason nve_tags_choose(const struct nve_core *core, uint16_t scope, uint32_t vn_id,
				uint16_t proposed, uint16_t *tag)
{
	const struct nve_tag_rec *own = find_vn(core, scope, vn_id), *rec;

	if (proposed && !in_range(core, scope, proposed))
		return NVE_REASON_INVALID_TAG;
	if (own && own->use == NVE_TAG_BOUND) {
		*tag = own->tag;
		return !proposed || proposed == own->tag ? NVE_REASON_OK : NVE_REASON_TAG_IN_USE;
	}
	*tag = own ? own->tag : pick(core, scope);
	if (!proposed)
		return *tag ? NVE_REASON_OK : NVE_REASON_NO_RESOURCES;
	rec = nve_tags_rec(core, scope, proposed);
	if (rec->use != NVE_TAG_FREE && rec->vn_id != vn_id)
		return NVE_REASON_TAG_IN_USE;
	*tag = proposed;
	return NVE_REASON_OK;
}

/* Into the list at its place in time; nearly always that is the end. */
static void insert_by_time(struct nve_core *core, struct nve_list *list, uint32_t i)
{
	uint32_t before = 0, after = list->tail;

	for (; after && core->tags[after - 1].until_ns > core->tags[i].until_ns;
	     after = core->tag_order[after - 1].prev)
		before = after;
	nve_list_insert(core, list, core->tag_order, before, i);
}

static void leave_list(struct nve_core *core, struct nve_tag_rec *rec)
{
	if (rec->use == NVE_TAG_QUARANTINED)
		nve_list_remove(core, &core->state->quarantine, core->tag_order,
				index_of(core, rec));
	else if (rec->ever)
		nve_list_remove(core, &core->scopes[rec->scope].free, core->tag_order,
				index_of(core, rec));
}

static void set_used(struct nve_core *core, struct nve_tag_rec *rec, uint16_t scope, uint16_t tag,
		     uint32_t vn_id)
{
	struct nve_scope *in = &core->scopes[scope];

	NVE_SET(core, rec->scope, scope);
	NVE_SET(core, rec->tag, tag);
	NVE_SET(core, rec->vn_id, vn_id);
	NVE_SET(core, rec->ever, true);
	nve_chain_push(core, bucket_of(core, scope, vn_id), core->tag_chain, index_of(core, rec));
	NVE_SET(core, in->used, in->used + 1);
}

static void set_free(struct nve_core *core, struct nve_tag_rec *rec)
{
	struct nve_scope *scope = &core->scopes[rec->scope];

	nve_chain_remove(core, bucket_of(core, rec->scope, rec->vn_id), core->tag_chain,
			 index_of(core, rec));
	NVE_SET(core, rec->vn_id, 0);
	NVE_SET(core, rec->use, NVE_TAG_FREE);
	NVE_SET(core, rec->promised, false);
	NVE_SET(core, scope->used, scope->used - 1);
	insert_by_time(core, &scope->free, index_of(core, rec));
}

void nve_tags_bind(struct nve_core *core, uint16_t scope, uint16_t tag, uint32_t vn_id)
{
	struct nve_tag_rec *rec = nve_tags_rec(core, scope, tag);
	struct nve_scope *in = &core->scopes[scope];

	if (rec->use == NVE_TAG_BOUND) {
		NVE_SET(core, rec->n_vaps, rec->n_vaps + 1);
		return;
	}
	leave_list(core, rec);
	if (rec->use == NVE_TAG_FREE)
		set_used(core, rec, scope, tag, vn_id);
	if (tag == in->fresh)
		NVE_SET(core, in->fresh, tag + 1);
	NVE_SET(core, rec->use, NVE_TAG_BOUND);
	NVE_SET(core, rec->promised, false);
	NVE_SET(core, rec->until_ns, 0);
	NVE_SET(core, rec->n_vaps, 1);
	nve_emit_tag(core, rec);
}

void nve_tags_release(struct nve_core *core, uint16_t scope, uint16_t tag, uint64_t now_ns)
{
	struct nve_tag_rec *rec = nve_tags_rec(core, scope, tag);

	NVE_SET(core, rec->n_vaps, rec->n_vaps - 1);
	if (rec->n_vaps)
		return;
	NVE_SET(core, rec->until_ns, now_ns + core->config.quarantine_ns);
	if (core->config.quarantine_ns) {
		NVE_SET(core, rec->use, NVE_TAG_QUARANTINED);
		insert_by_time(core, &core->state->quarantine, index_of(core, rec));
	} else {
		set_free(core, rec);
	}
	nve_emit_tag(core, rec);
}

enum nve_reason nve_tags_expire(struct nve_core *core, const struct nve_event *ev,
				struct nve_answer *answer)
{
	uint32_t scope = ev->due.slot >> 16;
	uint16_t tag = ev->due.slot & 0xffff;
	struct nve_tag_rec *rec;

	if (scope >= core->config.n_scopes || !in_range(core, (uint16_t)scope, tag))
		return NVE_REASON_ILLEGAL_TRANSITION;
	rec = nve_tags_rec(core, (uint16_t)scope, tag);
	if (rec->use != NVE_TAG_QUARANTINED || rec->until_ns > ev->now_ns)
		return NVE_REASON_ILLEGAL_TRANSITION;
	answer->vn_id = rec->vn_id;
	answer->tag = tag;
	leave_list(core, rec);
	set_free(core, rec);
	nve_emit_tag(core, rec);
	return NVE_REASON_OK;
}

void nve_tags_put_back(struct nve_core *core, const struct nve_tag *tag)
{
	struct nve_tag_rec *rec = nve_tags_rec(core, tag->scope, tag->tag);

	set_used(core, rec, tag->scope, tag->tag, tag->vn_id);
	if (tag->use == NVE_TAG_FREE) {
		set_free(core, rec);
		return;
	}
	/* A bound one waits for its VAP; if none comes, nothing holds it and it is due at once. */
	NVE_SET(core, rec->promised, tag->use == NVE_TAG_BOUND);
	NVE_SET(core, rec->until_ns, rec->promised ? 0 : tag->until_ns);
	NVE_SET(core, rec->use, NVE_TAG_QUARANTINED);
	insert_by_time(core, &core->state->quarantine, index_of(core, rec));
}

struct nve_tag nve_core_tag(const struct nve_core *core, uint16_t scope, uint16_t tag)
{
	struct nve_tag ret = { .scope = scope, .tag = tag, .use = NVE_TAG_FREE };
	const struct nve_tag_rec *rec;

	if (scope >= core->config.n_scopes || !in_range(core, scope, tag))
		return ret;
	rec = nve_tags_rec(core, scope, tag);
	ret.use = rec->use;
	ret.vn_id = rec->vn_id;
	ret.until_ns = rec->use == NVE_TAG_QUARANTINED ? rec->until_ns : 0;
	return ret;
}
