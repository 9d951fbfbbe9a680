/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Publication to the NVA (S45, S55, S60, S67, S68, S77, S80): each address as it was signaled.
 * What was said is kept, so that only differences are, and so that an address that is gone from
 * the core can be withdrawn.  Addresses with a MAC hang together by it, as ownership does.
 */
#include "engine_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct nve_addr binding_of(const struct nve_addr *addr)
{
	struct nve_addr mac = { .flags = NVE_ADDR_MAC };

	if (!(addr->flags & NVE_ADDR_MAC))
		return *addr;
	memcpy(mac.mac, addr->mac, NVE_MAC_LEN);
	return mac;
}

static bool bound_by(const struct nve_addr *addr, const struct nve_addr *binding)
{
	if (!(binding->flags & NVE_ADDR_MAC))
		return !memcmp(addr, binding, sizeof(*addr));
	return (addr->flags & NVE_ADDR_MAC) && !memcmp(addr->mac, binding->mac, NVE_MAC_LEN);
}

static uint32_t *bucket_of(struct nve_engine *e, uint32_t vn_id, const struct nve_addr *binding)
{
	const uint8_t *bytes = (const uint8_t *)binding;
	uint64_t h = vn_id;

	for (size_t i = 0; i < sizeof(*binding); i++)
		h = (h ^ bytes[i]) * 0x100000001b3ull;
	h *= 0x9e3779b97f4a7c15ull;
	return &e->pubs[(h >> 32) % NVE_HASH_BUCKETS];
}

int nve_pub_touch(struct nve_engine *e, uint32_t vn_id, const struct nve_addr *addr)
{
	struct nve_addr binding = binding_of(addr);
	struct nve_binding *last = e->n_bindings ? &e->bindings[e->n_bindings - 1] : NULL;
	int r;

	if (last && last->vn_id == vn_id && !memcmp(&last->addr, &binding, sizeof(binding)))
		return 0;
	r = nve_grow(&e->bindings, &e->cap_bindings, e->n_bindings + 1, sizeof(*e->bindings));
	if (r < 0)
		return r;
	e->bindings[e->n_bindings++] = (struct nve_binding){ vn_id, binding };
	return 0;
}

static int touch_tsi(struct nve_engine *e, uint32_t slot)
{
	const struct nve_tsi *tsi = nve_core_tsi(e->core, slot);
	int r = 0;

	if (!tsi)
		return 0; /* released: each of its addresses has an action of its own */
	nve_core_tsi_addrs(e->core, slot, e->addrs);
	for (size_t i = 0; i < tsi->n_addrs && !r; i++)
		r = nve_pub_touch(e, tsi->key.vn_id, &e->addrs[i].addr);
	return r;
}

int nve_pub_actions(struct nve_engine *e, const struct nve_action *actions, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && !r; i++) {
		if (actions[i].kind == NVE_ACT_BIND)
			r = nve_pub_touch(e, actions[i].vn_id, &actions[i].addr);
		else if (actions[i].kind == NVE_ACT_TSI)
			r = touch_tsi(e, actions[i].slot);
	}
	return r;
}

/* In use here and nowhere newer: this NVE owns it. */
static enum nve_publication state_of(const struct nve_tsi *tsi, bool active,
				     const struct nve_remote *remote)
{
	bool works = tsi->state == NVE_TSI_ACTIVATED && active;
	bool owned = !remote || remote->epoch <= tsi->epoch;

	return works && owned ? NVE_PUB_FORWARDING : NVE_PUB_MAPPING;
}

static struct nve_pub_want *find_want(struct nve_engine *e, const struct nve_addr *addr)
{
	for (size_t i = 0; i < e->n_wants; i++)
		if (!memcmp(&e->wants[i].addr, addr, sizeof(*addr)))
			return &e->wants[i];
	return NULL;
}

/* Owners come first; a later bearer counts for an address only if it does more with it. */
static int want(struct nve_engine *e, const struct nve_binding *b, uint32_t slot,
		const struct nve_remote *remote)
{
	const struct nve_tsi *tsi = nve_core_tsi(e->core, slot);

	nve_core_tsi_addrs(e->core, slot, e->addrs);
	for (size_t i = 0; i < tsi->n_addrs; i++) {
		const struct nve_addr *addr = &e->addrs[i].addr;
		enum nve_publication state = state_of(tsi, e->addrs[i].active, remote);
		struct nve_pub_want *w;
		int r;

		if (!bound_by(addr, &b->addr))
			continue;
		w = find_want(e, addr);
		if (w && w->state >= state)
			continue;
		if (!w) {
			r = nve_grow(&e->wants, &e->cap_wants, e->n_wants + 1, sizeof(*w));
			if (r < 0)
				return r;
			w = &e->wants[e->n_wants++];
		}
		*w = (struct nve_pub_want){ *addr, (uint8_t)state, false, tsi->epoch };
	}
	return 0;
}

static int publish(struct nve_engine *e, uint32_t vn_id, const struct nve_pub_want *w)
{
	return e->nva_ops->publish(e->nva, vn_id, &w->addr, w->state, w->epoch);
}

/* What the NVA was told already.  What cannot be said stays as it was, and differs the next time.
 */
static int say_known(struct nve_engine *e, const struct nve_binding *b)
{
	uint32_t *at = bucket_of(e, b->vn_id, &b->addr), number;
	int r, first = 0;

	while ((number = *at)) {
		struct nve_pub *pub = nve_slab_at(&e->pub_slab, number);
		struct nve_pub_want *found, w = { .state = NVE_PUB_WITHDRAWN };

		if (pub->vn_id != b->vn_id || !bound_by(&pub->addr, &b->addr)) {
			at = &pub->next;
			continue;
		}
		found = find_want(e, &pub->addr);
		w.addr = pub->addr;
		w.epoch = pub->epoch;
		if (found) {
			w = *found;
			found->said = true;
		}
		r = w.state != pub->state || w.epoch != pub->epoch ? publish(e, b->vn_id, &w) : 0;
		first = first ? first : r;
		if (!r && !found) {
			*at = pub->next;
			nve_slab_give(&e->pub_slab, number);
			continue;
		}
		if (!r) {
			pub->state = w.state;
			pub->epoch = w.epoch;
		}
		at = &pub->next;
	}
	return first;
}

static int say_new(struct nve_engine *e, const struct nve_binding *b, const struct nve_pub_want *w)
{
	uint32_t *bucket = bucket_of(e, b->vn_id, &b->addr), number;
	struct nve_pub *pub;
	int r;

	number = nve_slab_take(&e->pub_slab);
	if (!number)
		return -ENOMEM;
	r = publish(e, b->vn_id, w);
	if (r) {
		nve_slab_give(&e->pub_slab, number);
		return r;
	}
	pub = nve_slab_at(&e->pub_slab, number);
	*pub = (struct nve_pub){ .next = *bucket,
				 .vn_id = b->vn_id,
				 .state = w->state,
				 .epoch = w->epoch,
				 .addr = w->addr };
	*bucket = number;
	return 0;
}

static int say(struct nve_engine *e, const struct nve_binding *b)
{
	int r, first = say_known(e, b);

	for (size_t i = 0; i < e->n_wants; i++) {
		if (e->wants[i].said)
			continue;
		r = say_new(e, b, &e->wants[i]);
		first = first ? first : r;
	}
	return first;
}

static int by_binding(const void *left, const void *right)
{
	return memcmp(left, right, sizeof(struct nve_binding));
}

static int flush_one(struct nve_engine *e, const struct nve_binding *b)
{
	uint32_t slots[NVE_PORTS_MAX];
	size_t n = nve_core_bearers(e->core, b->vn_id, &b->addr, slots, NVE_PORTS_MAX);
	const struct nve_remote *remote = NULL;

	e->n_wants = 0;
	if (b->addr.flags & NVE_ADDR_MAC)
		remote = nve_remote_find(e, b->vn_id, b->addr.mac);
	for (size_t i = 0; i < n; i++)
		if (want(e, b, slots[i], remote) < 0)
			return -ENOMEM;
	return say(e, b);
}

int nve_pub_flush(struct nve_engine *e)
{
	int r, first = 0;

	_Static_assert(sizeof(struct nve_binding) == 28, "compared as bytes");
	if (e->n_bindings > 1)
		qsort(e->bindings, e->n_bindings, sizeof(*e->bindings), by_binding);
	for (size_t i = 0; i < e->n_bindings; i++) {
		if (i && !by_binding(&e->bindings[i - 1], &e->bindings[i]))
			continue;
		r = flush_one(e, &e->bindings[i]);
		first = first ? first : r;
	}
	e->n_bindings = 0;
	return first;
}

void nve_pub_free_all(struct nve_engine *e)
{
	nve_slab_clear(&e->pub_slab);
	free(e->wants);
}

void nve_engine_published(const struct nve_engine *e, nve_published_fn *fn, void *arg)
{
	for (size_t i = 0; i < NVE_HASH_BUCKETS; i++) {
		const struct nve_pub *pub = nve_slab_at(&e->pub_slab, e->pubs[i]);

		for (; pub; pub = nve_slab_at(&e->pub_slab, pub->next))
			fn(arg, pub->vn_id, &pub->addr, pub->state, pub->epoch);
	}
}
