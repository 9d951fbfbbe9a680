/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing intent down: one transaction a turn, each touched object once, as the core has it now.
 */
#include "engine_internal.h"

#include <stdlib.h>
#include <string.h>

/* An object as one number, so that repeats are found by sorting: kind, then its key. */
#define KEY_TAG(scope, tag) (1ull << 56 | (uint64_t)(scope) << 16 | (tag))
#define KEY_VAP(port, vn)   (2ull << 56 | (uint64_t)(port) << 32 | (vn))
#define KEY_TSI(slot)       (3ull << 56 | (slot))
#define KEY_VN(vn)          (4ull << 56 | (vn))

/* What is stored is above all epochs given so far (store.h), and so seldom has to be written. */
enum { EPOCHS_AHEAD = 1000 };

uint64_t nve_to_realtime(const struct nve_engine *e, uint64_t monotonic_ns)
{
	return monotonic_ns == NVE_NEVER_NS ? NVE_NEVER_NS : monotonic_ns + e->realtime_offset;
}

const char *nve_port_name(const struct nve_engine *e, uint16_t port)
{
	return port < e->n_ports ? e->ports[port].dp.name : "?";
}

static int gather(struct nve_engine *e, const struct nve_action *actions, size_t n)
{
	int r = nve_grow(&e->keys, &e->cap_keys, 2 * n, sizeof(*e->keys));

	e->n_keys = 0;
	for (size_t i = 0; i < n && !r; i++) {
		const struct nve_action *a = &actions[i];

		if (a->kind == NVE_ACT_TAG)
			e->keys[e->n_keys++] = KEY_TAG(a->scope, a->tag);
		else if (a->kind == NVE_ACT_VAP) {
			e->keys[e->n_keys++] = KEY_VAP(a->port, a->vn_id);
			e->keys[e->n_keys++] = KEY_VN(a->vn_id);
		} else if (a->kind == NVE_ACT_TSI)
			e->keys[e->n_keys++] = KEY_TSI(a->slot);
	}
	return r;
}

static int store_tag(struct nve_engine *e, uint16_t scope, uint16_t tag)
{
	struct nve_tag t = nve_core_tag(e->core, scope, tag);
	struct nve_stored_tag stored = { .tag = tag,
					 .quarantined = t.use == NVE_TAG_QUARANTINED,
					 .vn_id = t.vn_id };

	if (t.use == NVE_TAG_FREE)
		return e->store_ops->del_tag(e->store, e->scopes[scope].name, tag);
	memcpy(stored.scope, e->scopes[scope].name, sizeof(stored.scope));
	if (stored.quarantined)
		stored.until_ns = nve_to_realtime(e, t.until_ns);
	return e->store_ops->put_tag(e->store, &stored);
}

static int store_vap(struct nve_engine *e, uint16_t port, uint32_t vn_id)
{
	const struct nve_vap *vap = nve_core_vap(e->core, port, vn_id);
	struct nve_stored_vap stored = { .vn_id = vn_id };

	if (!vap)
		return e->store_ops->del_vap(e->store, nve_port_name(e, port), vn_id);
	memcpy(stored.port, e->ports[port].dp.name, sizeof(stored.port));
	stored.tag = vap->tag;
	stored.connected_explicitly = vap->connected_explicitly;
	stored.owner = vap->owner == NVE_OWNER_SHARED ? NVE_STORED_SHARED
						      : nve_engine_owner_name(e, vap->owner);
	return e->store_ops->put_vap(e->store, &stored);
}

static int store_tsi(struct nve_engine *e, uint32_t slot)
{
	const struct nve_tsi *tsi = nve_core_tsi(e->core, slot);
	struct nve_stored_tsi stored = { .slot = slot, .addrs = e->addrs };

	if (!tsi)
		return e->store_ops->del_tsi(e->store, slot);
	memcpy(stored.port, e->ports[tsi->key.port].dp.name, sizeof(stored.port));
	stored.tsi = *tsi;
	stored.owner = nve_engine_owner_name(e, tsi->owner);
	stored.tsi.since_ns = nve_to_realtime(e, tsi->since_ns);
	stored.tsi.deadline_ns = nve_to_realtime(e, tsi->deadline_ns);
	stored.tsi.glean_ns = NVE_NEVER_NS; /* would be written with each frame told */
	e->stored_deadlines[slot] = stored.tsi.deadline_ns;
	nve_core_tsi_addrs(e->core, slot, e->addrs);
	return e->store_ops->put_tsi(e->store, &stored);
}

static int store_one(struct nve_engine *e, uint64_t key)
{
	switch (key >> 56) {
	case 1:
		return store_tag(e, (uint16_t)(key >> 16), (uint16_t)key);
	case 2:
		return store_vap(e, (uint16_t)(key >> 32), (uint32_t)key);
	case 4:
		return nve_context_store(e, (uint32_t)key);
	default:
		return store_tsi(e, (uint32_t)key);
	}
}

static int by_value(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return a < b ? -1 : a > b;
}

/* After a failed put the transaction is over: store.h. */
static int store_objects(struct nve_engine *e)
{
	int r = 0;

	qsort(e->keys, e->n_keys, sizeof(*e->keys), by_value);
	for (size_t i = 0; i < e->n_keys && !r; i++)
		if (!i || e->keys[i] != e->keys[i - 1])
			r = store_one(e, e->keys[i]);
	if (!r && e->epoch > e->epoch_stored)
		r = e->store_ops->put_epoch(e->store, e->epoch + EPOCHS_AHEAD);
	return r;
}

int nve_sync_store(struct nve_engine *e, const struct nve_action *actions, size_t n)
{
	int r = gather(e, actions, n);

	if (r < 0 || !e->n_keys)
		return r;
	r = e->store_ops->begin(e->store);
	if (!r)
		r = store_objects(e);
	if (!r)
		r = e->store_ops->commit(e->store);
	for (size_t i = 0; r && i < e->n_keys; i++)
		if (e->keys[i] >> 56 == 4)
			nve_context_unsure(e, (uint32_t)e->keys[i]);
	if (r)
		return r;
	if (e->epoch > e->epoch_stored)
		e->epoch_stored = e->epoch + EPOCHS_AHEAD;
	e->counters.commits++;
	return 0;
}
