/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Start-up: what the store kept goes back into the core, and what the core then holds is said to
 * the datapath and to the NVA.
 *
 * Timers go on with what was left: engine_deadline.c.  Quarantines run on: time alone decides about
 * them.
 */
#include "engine_internal.h"
#include "log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct restore {
	struct nve_engine *e;
	struct nve_action_list stale; /* records to be deleted: scope or port in other tables */
	struct nve_stored_tag *tags;
	struct nve_stored_vap *vaps;
	size_t n_tags, cap_tags, n_vaps, cap_vaps;
	uint32_t *slots;
	size_t n_slots, cap_slots;
	bool idle_vns;
};

/* Before the boot of this machine is as good as at its boot. */
static uint64_t to_monotonic(const struct nve_engine *e, uint64_t realtime_ns)
{
	if (realtime_ns == NVE_NEVER_NS)
		return NVE_NEVER_NS;
	return realtime_ns > e->realtime_offset ? realtime_ns - e->realtime_offset : 0;
}

static uint16_t find_scope(const struct nve_engine *e, const char *name)
{
	for (uint32_t i = 0; i < e->n_scopes; i++)
		if (!strcmp(e->scopes[i].name, name))
			return (uint16_t)i;
	return NVE_PORT_NONE;
}

static int drop_tag(struct restore *rs, const struct nve_stored_tag *tag, const char *why)
{
	int r = nve_grow(&rs->tags, &rs->cap_tags, rs->n_tags + 1, sizeof(*tag));

	nve_log(WARNING, "dropped_tag", LOG_S("scope", tag->scope), LOG_U("tag", tag->tag),
		LOG_U("vn", tag->vn_id), LOG_S("why", why));
	if (!r)
		rs->tags[rs->n_tags++] = *tag;
	return r;
}

static int drop_vap(struct restore *rs, const struct nve_stored_vap *vap, const char *why)
{
	int r = nve_grow(&rs->vaps, &rs->cap_vaps, rs->n_vaps + 1, sizeof(*vap));

	nve_log(WARNING, "dropped_vap", LOG_S("port", vap->port), LOG_U("vn", vap->vn_id),
		LOG_U("tag", vap->tag), LOG_S("why", why));
	if (!r)
		rs->vaps[rs->n_vaps++] = *vap;
	return r;
}

static int drop_tsi(struct restore *rs, const struct nve_stored_tsi *tsi, const char *why)
{
	int r = nve_grow(&rs->slots, &rs->cap_slots, rs->n_slots + 1, sizeof(*rs->slots));

	nve_log(WARNING, "dropped_tsi", LOG_S("port", tsi->port), LOG_U("vn", tsi->tsi.key.vn_id),
		LOG_X("tsi", tsi->tsi.key.id.bytes, NVE_TSI_ID_LEN), LOG_U("slot", tsi->slot),
		LOG_S("why", why));
	if (!r)
		rs->slots[rs->n_slots++] = tsi->slot;
	return r;
}

static int restore_tag(void *arg, const struct nve_stored_tag *stored)
{
	struct restore *rs = arg;
	struct nve_tag tag = { .scope = find_scope(rs->e, stored->scope),
			       .tag = stored->tag,
			       .use = stored->quarantined ? NVE_TAG_QUARANTINED : NVE_TAG_BOUND,
			       .vn_id = stored->vn_id };

	if (tag.scope == NVE_PORT_NONE)
		return drop_tag(rs, stored, "its scope is not configured any more");
	if (stored->quarantined)
		tag.until_ns = to_monotonic(rs->e, stored->until_ns);
	if (nve_core_restore_tag(rs->e->core, &tag) < 0)
		return drop_tag(rs, stored, "contradicts the configuration");
	return 0;
}

/* Identities have other numbers in each run of the agent. */
static uint16_t find_owner(struct restore *rs, const char *identity)
{
	uint16_t owner = nve_engine_owner(rs->e, identity);

	if (!owner && *identity)
		nve_log(WARNING, "owner_dropped", LOG_S("identity", identity));
	return owner;
}

static int restore_vap(void *arg, const struct nve_stored_vap *stored)
{
	struct restore *rs = arg;
	uint16_t port = nve_engine_find_port(rs->e, stored->port);

	if (port == NVE_PORT_NONE)
		return drop_vap(rs, stored, "its port is not configured any more");
	if (nve_core_restore_vap(rs->e->core, port, stored->vn_id, stored->tag,
				 stored->connected_explicitly) < 0)
		return drop_vap(rs, stored, "contradicts the configuration");
	if (stored->connected_explicitly)
		nve_core_restore_vap_owner(rs->e->core, port, stored->vn_id,
					   strcmp(stored->owner, NVE_STORED_SHARED)
						   ? find_owner(rs, stored->owner)
						   : NVE_OWNER_SHARED);
	return 0;
}

static int restore_tsi(void *arg, const struct nve_stored_tsi *stored)
{
	struct restore *rs = arg;
	struct nve_engine *e = rs->e;
	struct nve_tsi tsi = stored->tsi;
	uint32_t period = tsi.state == NVE_TSI_ACTIVATED ? tsi.keepactive_ms : tsi.keepalive_ms;

	tsi.key.port = nve_engine_find_port(e, stored->port);
	if (tsi.key.port == NVE_PORT_NONE)
		return drop_tsi(rs, stored, "its port is not configured any more");
	tsi.owner = find_owner(rs, stored->owner);
	tsi.since_ns = to_monotonic(e, tsi.since_ns);
	tsi.deadline_ns = nve_deadline_restored(e, to_monotonic(e, stored->moved_ns), period);
	/* How old gleaned addresses are is not kept: they get their whole time again. */
	tsi.glean_ns = tsi.n_gleaned ? e->now_ns + tsi.glean_age_ms * 1000000ull : NVE_NEVER_NS;
	if (nve_core_restore_tsi(e->core, stored->slot, &tsi, stored->addrs) < 0)
		return drop_tsi(rs, stored, "contradicts the configuration");
	e->stored_deadlines[stored->slot] = stored->tsi.deadline_ns;
	return 0;
}

static int restore_vn(void *arg, uint32_t vn_id, uint64_t digest)
{
	struct restore *rs = arg;
	struct nve_vn_rec *vn = nve_vn_make(rs->e, vn_id);

	if (!vn)
		return -ENOMEM;
	vn->stored = true;
	vn->stored_digest = digest;
	if (!nve_vn_in_use(rs->e, vn_id))
		rs->idle_vns = rs->e->vns_idle = true;
	return 0;
}

/* Contexts of VNs that are not in use any more. */
static int delete_vns(struct nve_engine *e)
{
	int r = 0;

	for (size_t i = 0; i < NVE_VN_BUCKETS && !r; i++) {
		for (struct nve_vn_rec *vn = e->vns[i]; vn && !r; vn = vn->next) {
			if (nve_vn_in_use(e, vn->context.vn_id))
				continue;
			r = e->store_ops->del_vn(e->store, vn->context.vn_id);
			vn->stored = false;
		}
	}
	return r;
}

static int delete_dropped(struct restore *rs)
{
	struct nve_engine *e = rs->e;
	int r;

	if (!rs->n_tags && !rs->n_vaps && !rs->n_slots && !rs->idle_vns)
		return 0;
	r = e->store_ops->begin(e->store);
	for (size_t i = 0; i < rs->n_tags && !r; i++)
		r = e->store_ops->del_tag(e->store, rs->tags[i].scope, rs->tags[i].tag);
	for (size_t i = 0; i < rs->n_vaps && !r; i++)
		r = e->store_ops->del_vap(e->store, rs->vaps[i].port, rs->vaps[i].vn_id);
	for (size_t i = 0; i < rs->n_slots && !r; i++)
		r = e->store_ops->del_tsi(e->store, rs->slots[i]);
	if (!r)
		r = delete_vns(e);
	if (!r)
		r = e->store_ops->commit(e->store);
	nve_log(WARNING, "dropped", LOG_U("tags", rs->n_tags), LOG_U("vaps", rs->n_vaps),
		LOG_U("tsis", rs->n_slots));
	return r;
}

int nve_restore(struct nve_engine *e)
{
	struct restore rs = { .e = e };
	const struct nve_store_reader reader = { restore_tag, restore_vap, restore_tsi, &rs,
						 restore_vn };
	int r = e->store_ops->load(e->store, &reader);

	if (!r)
		r = delete_dropped(&rs);
	free(rs.tags);
	free(rs.vaps);
	free(rs.slots);
	if (!r)
		r = e->store_ops->epoch(e->store, &e->epoch);
	e->epoch_stored = e->epoch;
	return r ? r : nve_drain_restore(e);
}

static int say_tags(struct nve_engine *e)
{
	int r = 0;

	for (uint32_t port = 0; port < e->n_ports && !r; port++) {
		if (nve_core_port_scope(e->core, (uint16_t)port) == NVE_PORT_NONE)
			continue;
		for (uint16_t tag = NVE_TAG_MIN; tag <= NVE_TAG_MAX && !r; tag++)
			r = nve_sync_vap_row(e, (uint16_t)port, tag, true);
	}
	return r;
}

static int say_vns(struct nve_engine *e)
{
	const struct nve_vap *vap;
	uint32_t cursor = 0;
	int r = 0;

	while (!r && (vap = nve_core_next_vap(e->core, &cursor)))
		r = nve_vn_enter(e, vap->vn_id);
	for (size_t i = 0; i < NVE_VN_BUCKETS && !r; i++)
		for (struct nve_vn_rec *vn = e->vns[i]; vn && !r; vn = vn->next)
			if (vn->live)
				r = nve_vn_say(e, vn);
	return r;
}

static int say_vteps(struct nve_engine *e)
{
	int r = 0;

	for (uint32_t i = 0; i < e->limits.max_vteps && !r; i++)
		if (e->vteps[i].live)
			r = e->dp_ops->vtep_set(e->dp, i, &e->vteps[i].ip);
	return r;
}

static int say_tsis(struct nve_engine *e)
{
	const struct nve_tsi *tsi;
	uint32_t cursor = 0, slot;
	int r = 0;

	while (!r && (tsi = nve_core_next_tsi(e->core, &cursor, &slot))) {
		r = nve_sync_tsi(e, slot, true);
		nve_core_tsi_addrs(e->core, slot, e->addrs);
		for (size_t i = 0; i < tsi->n_addrs && !r; i++) {
			r = nve_pub_touch(e, tsi->key.vn_id, &e->addrs[i].addr);
			if (!r && (e->addrs[i].addr.flags & NVE_ADDR_MAC))
				r = nve_fdb_sync(e, tsi->key.vn_id, e->addrs[i].addr.mac);
		}
	}
	return r;
}

static int say_remotes(struct nve_engine *e)
{
	int r = 0;

	for (size_t i = 0; i < NVE_VN_BUCKETS && !r; i++)
		for (struct nve_vn_rec *vn = e->vns[i]; vn && !r; vn = vn->next)
			if (vn->live)
				r = nve_vn_say_remotes(e, vn);
	return r;
}

int nve_resync_dp(struct nve_engine *e)
{
	int r = e->dp_ops->resync_begin(e->dp);

	if (!r)
		r = say_vteps(e);
	if (!r)
		r = say_vns(e);
	if (!r)
		r = say_tags(e);
	if (!r)
		r = say_tsis(e);
	if (!r)
		r = say_remotes(e);
	return r ? r : e->dp_ops->resync_end(e->dp);
}
