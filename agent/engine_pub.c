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

static struct nve_pub **bucket_of(struct nve_engine *e, uint32_t vn_id,
				  const struct nve_addr *binding)
{
	const uint8_t *bytes = (const uint8_t *)binding;
	uint64_t h = vn_id;

	for (size_t i = 0; i < sizeof(*binding); i++)
		h = (h ^ bytes[i]) * 0x100000001b3ull;
	h *= 0x9e3779b97f4a7c15ull;
	return &e->pubs[(h >> 32) % NVE_HASH_BUCKETS];
}

static struct nve_pub *get_pub(struct nve_engine *e, const struct nve_binding *b,
			       const struct nve_addr *addr)
{
	struct nve_pub **bucket = bucket_of(e, b->vn_id, &b->addr), *pub;

	for (pub = *bucket; pub; pub = pub->next)
		if (pub->vn_id == b->vn_id && !memcmp(&pub->addr, addr, sizeof(*addr)))
			return pub;
	pub = calloc(1, sizeof(*pub));
	if (!pub)
		return NULL;
	pub->vn_id = b->vn_id;
	pub->addr = *addr;
	pub->state = NVE_PUB_WITHDRAWN;
	pub->next = *bucket;
	*bucket = pub;
	return pub;
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

/* Owners come first; a later bearer counts for an address only if it does more with it. */
static int want(struct nve_engine *e, const struct nve_binding *b, uint32_t slot,
		const struct nve_remote *remote)
{
	const struct nve_tsi *tsi = nve_core_tsi(e->core, slot);

	nve_core_tsi_addrs(e->core, slot, e->addrs);
	for (size_t i = 0; i < tsi->n_addrs; i++) {
		enum nve_publication state = state_of(tsi, e->addrs[i].active, remote);
		struct nve_pub *pub;

		if (!bound_by(&e->addrs[i].addr, &b->addr))
			continue;
		pub = get_pub(e, b, &e->addrs[i].addr);
		if (!pub)
			return -ENOMEM;
		if (pub->mark == e->mark && pub->want >= state)
			continue;
		pub->mark = e->mark;
		pub->want = (uint8_t)state;
		pub->want_epoch = tsi->epoch;
	}
	return 0;
}

/* Says what differs.  What could not be said stays as it was, and differs the next time. */
static int say(struct nve_engine *e, const struct nve_binding *b)
{
	struct nve_pub **at = bucket_of(e, b->vn_id, &b->addr);
	int r, first = 0;

	while (*at) {
		struct nve_pub *pub = *at;

		if (pub->vn_id != b->vn_id || !bound_by(&pub->addr, &b->addr)) {
			at = &pub->next;
			continue;
		}
		if (pub->mark != e->mark) {
			pub->want = NVE_PUB_WITHDRAWN;
			pub->want_epoch = pub->epoch;
		}
		r = 0;
		if (pub->want != pub->state || pub->want_epoch != pub->epoch)
			r = e->nva_ops->publish(e->nva, pub->vn_id, &pub->addr, pub->want,
						pub->want_epoch);
		first = first ? first : r;
		if (!r) {
			pub->state = pub->want;
			pub->epoch = pub->want_epoch;
		}
		if (pub->state == NVE_PUB_WITHDRAWN) {
			*at = pub->next;
			free(pub);
		} else {
			at = &pub->next;
		}
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

	e->mark++;
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
	for (size_t i = 0; i < NVE_HASH_BUCKETS; i++) {
		while (e->pubs[i]) {
			struct nve_pub *pub = e->pubs[i];

			e->pubs[i] = pub->next;
			free(pub);
		}
	}
}
