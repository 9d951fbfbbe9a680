/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The VNs in use here: their contexts, the slots of their VTEPs, and the MACs that the NVA places
 * elsewhere.  A VN is in use while it has a VAP; what was heard of it is kept until the turn is
 * over, so that undoing a disconnection does not depend on the NVA.
 */
#include "engine_internal.h"
#include "log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What the NVA says of a VN, complete before any of it counts. */
struct gathered {
	struct nve_engine *e;
	uint32_t vn_id;
	uint32_t *slots;
	size_t n_slots, cap_slots;
	struct nve_remote *remotes; /* 'mac', 'vtep', 'epoch' */
	size_t n_remotes, cap_remotes;
	struct nve_neigh_list neighs;
	int r;
};

struct nve_vn_rec *nve_vn_find(const struct nve_engine *e, uint32_t vn_id)
{
	struct nve_vn_rec *vn = e->vns[vn_id % NVE_VN_BUCKETS];

	while (vn && vn->context.vn_id != vn_id)
		vn = vn->next;
	return vn;
}

struct nve_vn_rec *nve_vn_find_name(const struct nve_engine *e, const char *name)
{
	for (size_t i = 0; i < NVE_VN_BUCKETS; i++)
		for (struct nve_vn_rec *vn = e->vns[i]; vn; vn = vn->next)
			if (vn->known && !strcmp(vn->context.name, name))
				return vn;
	return NULL;
}

bool nve_vn_in_use(const struct nve_engine *e, uint32_t vn_id)
{
	for (uint32_t port = 0; port < e->n_ports; port++)
		if (nve_core_vap(e->core, (uint16_t)port, vn_id))
			return true;
	return false;
}

bool nve_vn_live(const struct nve_engine *e, uint32_t vn_id)
{
	const struct nve_vn_rec *vn = nve_vn_find(e, vn_id);

	return vn && vn->live;
}

static struct nve_remote **remote_bucket(const struct nve_engine *e, uint32_t vn_id,
					 const uint8_t mac[NVE_MAC_LEN])
{
	uint64_t h = vn_id;

	for (size_t i = 0; i < NVE_MAC_LEN; i++)
		h = (h << 8 | h >> 56) ^ mac[i];
	h *= 0x9e3779b97f4a7c15ull;
	return (struct nve_remote **)&e->remotes[(h >> 32) % NVE_HASH_BUCKETS];
}

static struct nve_remote *find_remote(const struct nve_engine *e, uint32_t vn_id,
				      const uint8_t mac[NVE_MAC_LEN])
{
	struct nve_remote *at = *remote_bucket(e, vn_id, mac);

	while (at && (at->vn_id != vn_id || memcmp(at->mac, mac, NVE_MAC_LEN) != 0))
		at = at->next;
	return at;
}

const struct nve_remote *nve_remote_find(const struct nve_engine *e, uint32_t vn_id,
					 const uint8_t mac[NVE_MAC_LEN])
{
	return find_remote(e, vn_id, mac);
}

static void remote_unhash(struct nve_engine *e, const struct nve_remote *remote)
{
	struct nve_remote **at = remote_bucket(e, remote->vn_id, remote->mac);

	while (*at != remote)
		at = &(*at)->next;
	*at = remote->next;
}

static uint32_t gather_vtep(struct gathered *g, const struct nve_ip *ip)
{
	struct nve_engine *e = g->e;
	uint32_t slot = NVE_SLOT_NONE;

	if (g->r || !memcmp(ip, &e->local_vtep, sizeof(*ip)) ||
	    !memcmp(ip, &e->local_vtep6, sizeof(*ip)))
		return NVE_SLOT_NONE;
	g->r = nve_vtep_find(e, ip, &slot);
	if (g->r || e->vteps[slot].mark == e->mark)
		return slot;
	g->r = nve_grow(&g->slots, &g->cap_slots, g->n_slots + 1, sizeof(*g->slots));
	if (g->r)
		return NVE_SLOT_NONE;
	e->vteps[slot].mark = e->mark;
	g->slots[g->n_slots++] = slot;
	return slot;
}

static void gather_mapping(void *arg, const struct nve_mapping *mapping)
{
	struct gathered *g = arg;
	uint32_t slot = gather_vtep(g, &mapping->vtep);
	struct nve_remote *remote;

	if (slot == NVE_SLOT_NONE || !(mapping->addr.flags & NVE_ADDR_MAC))
		return;
	g->r = nve_grow(&g->remotes, &g->cap_remotes, g->n_remotes + 1, sizeof(*g->remotes));
	if (g->r)
		return;
	g->r = nve_neigh_note(&g->neighs, &mapping->addr, mapping->epoch);
	remote = &g->remotes[g->n_remotes++];
	*remote = (struct nve_remote){ .vtep = slot, .epoch = mapping->epoch };
	memcpy(remote->mac, mapping->addr.mac, NVE_MAC_LEN);
}

static int by_slot(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

	return a < b ? -1 : a > b;
}

/* Reads only the NVA.  What was gathered is the caller's, also after a failure. */
static int gather(struct gathered *g, const struct nve_vn_context **context)
{
	struct nve_engine *e = g->e;
	int r = e->nva_ops->vn_by_id(e->nva, g->vn_id, context);

	if (r < 0)
		return r;
	e->mark++;
	for (uint32_t i = 0; i < (*context)->n_vteps; i++)
		gather_vtep(g, &(*context)->vteps[i]);
	if (!g->r)
		r = e->nva_ops->mappings(e->nva, g->vn_id, gather_mapping, g);
	if (!g->r && !r && g->n_slots)
		qsort(g->slots, g->n_slots, sizeof(*g->slots), by_slot);
	return g->r ? g->r : r;
}

/* Takes what was said of a MAC; it is returned if that is news. */
static const struct nve_remote *take_remote(struct nve_engine *e, struct nve_vn_rec *vn,
					    const struct nve_remote *said, int *r)
{
	struct nve_remote *remote = find_remote(e, vn->context.vn_id, said->mac);
	struct nve_remote **bucket;

	if (remote && remote->mark == e->mark && remote->epoch >= said->epoch)
		return NULL; /* the same MAC with another IP: the newest counts */
	if (!remote) {
		remote = calloc(1, sizeof(*remote));
		if (!remote) {
			*r = -ENOMEM;
			return NULL;
		}
		memcpy(remote->mac, said->mac, NVE_MAC_LEN);
		remote->vn_id = vn->context.vn_id;
		bucket = remote_bucket(e, remote->vn_id, remote->mac);
		remote->next = *bucket;
		*bucket = remote;
		remote->vn_next = vn->remotes;
		vn->remotes = remote;
	} else if (remote->vtep == said->vtep && remote->epoch == said->epoch) {
		remote->mark = e->mark;
		return NULL;
	}
	remote->mark = e->mark;
	remote->vtep = said->vtep;
	remote->epoch = said->epoch;
	return remote;
}

static int touch_mac(struct nve_engine *e, const struct nve_remote *remote)
{
	struct nve_addr addr = { .flags = NVE_ADDR_MAC };

	memcpy(addr.mac, remote->mac, NVE_MAC_LEN);
	return nve_pub_touch(e, remote->vn_id, &addr);
}

/* Unlinks the MACs that were not said this time; they are the caller's. */
static struct nve_remote *take_stale(struct nve_engine *e, struct nve_vn_rec *vn)
{
	struct nve_remote **at = &vn->remotes, *stale = NULL;

	while (*at) {
		struct nve_remote *remote = *at;

		if (remote->mark == e->mark) {
			at = &remote->vn_next;
			continue;
		}
		*at = remote->vn_next;
		remote_unhash(e, remote);
		remote->vn_next = stale;
		stale = remote;
	}
	return stale;
}

int nve_vn_say(struct nve_engine *e, struct nve_vn_rec *vn)
{
	struct nve_dp_vn row = {
		.vn_id = vn->context.vn_id,
		.vni = vn->context.vni,
		.encap = vn->context.encap == NVE_NVA_GENEVE ? NVE_DP_GENEVE : NVE_DP_VXLAN,
		.tos = vn->context.tos == NVE_NVA_UNIFORM ? NVE_DP_TOS_UNIFORM : NVE_DP_TOS_PIPE,
		.bum = { vn->context.suppress, vn->context.drop_unknown, vn->context.bum_rate,
			 vn->context.bum_burst },
		.n_vteps = vn->n_slots,
		.vteps = vn->slots
	};
	int r = nve_acl_say(e, vn, &row.acl);

	vn->unsaid = true;
	if (r < 0)
		return r;
	r = e->dp_ops->vn_set(e->dp, &row);
	if (r == -ENOSPC)
		nve_noting(e, r, nve_full_of_vn(e, vn));
	if (r < 0) {
		nve_acl_drop(e, row.acl);
		return r;
	}
	vn->unsaid = false;
	return nve_acl_take(e, vn, row.acl);
}

int nve_vn_say_remotes(struct nve_engine *e, struct nve_vn_rec *vn)
{
	int r, first = 0;

	for (const struct nve_remote *m = vn->remotes; m; m = m->vn_next) {
		r = nve_fdb_sync(e, m->vn_id, m->mac);
		first = first ? first : r;
	}
	r = nve_neigh_say_vn(e, vn);
	first = first ? first : r;
	vn->entering = first != 0; /* what was not said is said again by the next pass */
	return first;
}

/* What was gathered becomes what holds; a live VN is said again, then the old slots go. */
static int take_over(struct nve_engine *e, struct nve_vn_rec *vn, struct gathered *g)
{
	uint32_t *old_slots = vn->slots, n_old = vn->n_slots;
	struct nve_remote *stale;
	int r = 0, first = 0;

	nve_vteps_ref(e, g->slots, g->n_slots, 1);
	for (size_t i = 0; i < g->n_remotes; i++) {
		const struct nve_remote *news = take_remote(e, vn, &g->remotes[i], &first);

		if (news && !first)
			first = touch_mac(e, news);
	}
	stale = take_stale(e, vn);
	r = nve_neigh_of_vn(e, vn, &g->neighs);
	first = first ? first : r;
	vn->slots = g->slots;
	vn->n_slots = (uint32_t)g->n_slots;
	g->slots = NULL;
	if (vn->live) {
		r = nve_vteps_live(e, vn->slots, vn->n_slots);
		first = first ? first : r;
		r = nve_vn_say(e, vn);
		first = first ? first : r;
		r = nve_vn_say_remotes(e, vn);
		first = first ? first : r;
	}
	while (stale) {
		struct nve_remote *remote = stale;

		stale = remote->vn_next;
		r = nve_fdb_sync(e, remote->vn_id, remote->mac);
		first = first ? first : r;
		r = touch_mac(e, remote);
		first = first ? first : r;
		free(remote);
	}
	if (vn->live)
		nve_vteps_idle(e, old_slots, n_old);
	nve_vteps_ref(e, old_slots, n_old, UINT32_MAX);
	free(old_slots);
	return first;
}

static void gathered_free(struct gathered *g)
{
	free(g->slots);
	free(g->remotes);
	free(g->neighs.list);
}

int nve_vn_refresh(struct nve_engine *e, struct nve_vn_rec *vn)
{
	struct gathered g = { .e = e, .vn_id = vn->context.vn_id };
	const struct nve_vn_context *context = NULL;
	int r = gather(&g, &context);

	if (!r) {
		vn->context = *context;
		vn->context.vteps = NULL; /* the NVA's */
		vn->context.n_vteps = 0;
		vn->known = true;
		vn->withdrawn = vn->recalled = false;
		free(vn->rules);
		vn->rules = NULL;
		r = take_over(e, vn, &g);
		vn->digest = nve_context_digest(e, vn);
	}
	gathered_free(&g);
	return r;
}

struct recall {
	struct gathered g;
	struct nve_vn_rec *vn;
};

static int recall(void *arg, const struct nve_stored_vn *stored)
{
	struct recall *rc = arg;
	struct gathered *g = &rc->g;
	struct nve_mapping m = { .vn_id = stored->vn_id };
	int r = 0;

	g->e->mark++;
	nve_context_unpack(stored, &rc->vn->context);
	for (uint32_t i = 0; i < stored->n_vteps; i++)
		gather_vtep(g, &stored->vteps[i]);
	for (uint32_t i = 0; i < stored->n_remotes; i++) {
		m.addr = (struct nve_addr){ .flags = NVE_ADDR_MAC };
		memcpy(m.addr.mac, stored->remotes[i].mac, NVE_MAC_LEN);
		m.vtep = stored->remotes[i].vtep;
		m.epoch = stored->remotes[i].epoch;
		gather_mapping(g, &m);
	}
	for (uint32_t i = 0; i < stored->n_neighs && !r; i++)
		r = nve_neigh_note(&g->neighs, &stored->neighs[i].addr, stored->neighs[i].epoch);
	if (g->n_slots)
		qsort(g->slots, g->n_slots, sizeof(*g->slots), by_slot);
	rc->vn->rules = stored->rules ? nve_acl_copy(stored->rules) : NULL;
	return g->r ? g->r : r;
}

/* The NVA cannot say: what it said last counts, until it can (D18). */
static int recall_vn(struct nve_engine *e, struct nve_vn_rec *vn)
{
	struct recall rc = { .g = { .e = e, .vn_id = vn->context.vn_id }, .vn = vn };
	int r = e->store_ops->get_vn(e->store, vn->context.vn_id, recall, &rc);

	if (!r)
		r = take_over(e, vn, &rc.g);
	gathered_free(&rc.g);
	if (r && r != -ENOENT)
		nve_log(ERROR, "vn_not_recalled", LOG_U("vn", vn->context.vn_id), LOG_E(r));
	if (r)
		return r;
	vn->known = vn->recalled = true;
	nve_log(WARNING, "vn_recalled", LOG_U("vn", vn->context.vn_id),
		LOG_S("name", vn->context.name),
		LOG_S("action",
		      vn->context.fail_closed ? "waits for the NVA" : "forwards as before"));
	return 0;
}

struct nve_vn_rec *nve_vn_make(struct nve_engine *e, uint32_t vn_id)
{
	struct nve_vn_rec *vn = calloc(1, sizeof(*vn));

	if (!vn)
		return NULL;
	vn->context.vn_id = vn_id;
	vn->next = e->vns[vn_id % NVE_VN_BUCKETS];
	e->vns[vn_id % NVE_VN_BUCKETS] = vn;
	return vn;
}

int nve_vn_enter(struct nve_engine *e, uint32_t vn_id)
{
	struct nve_vn_rec *vn = nve_vn_find(e, vn_id);
	int r, said;

	if (vn && vn->live) /* the pass before this may have had no room for it */
		return vn->unsaid ? nve_vn_say(e, vn) : 0;
	if (!vn)
		vn = nve_vn_make(e, vn_id);
	if (!vn)
		return -ENOMEM;
	e->vns_idle = true; /* until it proves to be in use at the end of the turn */
	r = nve_vn_refresh(e, vn);
	if (r == -ENOSPC || r == -ENOMEM)
		return r;
	if (!vn->known)
		recall_vn(e, vn);
	if (!vn->known || vn->recalled) {
		vn->dirty = true; /* the NVA is asked again */
		e->vns_dirty = true;
	}
	/* Restored, and neither can say, or it must not go by what was: it forwards when the NVA
	 * says so. */
	if (!vn->known || (vn->recalled && vn->context.fail_closed))
		return 0;
	vn->live = vn->entering = true;
	r = nve_vteps_live(e, vn->slots, vn->n_slots);
	said = nve_vn_say(e, vn);
	return r ? r : said;
}

int nve_vn_leave(struct nve_engine *e, uint32_t vn_id)
{
	struct nve_vn_rec *vn = nve_vn_find(e, vn_id);
	int r, first = 0;

	e->vns_idle = true;
	if (!vn || !vn->live)
		return 0;
	vn->live = vn->entering = false;
	for (const struct nve_remote *m = vn->remotes; m; m = m->vn_next) {
		r = nve_fdb_sync(e, vn_id, m->mac);
		first = first ? first : r;
	}
	r = nve_neigh_say_vn(e, vn);
	first = first ? first : r;
	r = e->dp_ops->vn_del(e->dp, vn_id);
	first = first ? first : r;
	r = nve_acl_take(e, vn, 0);
	first = first ? first : r;
	r = nve_vteps_idle(e, vn->slots, vn->n_slots);
	return first ? first : r;
}

static void vn_free(struct nve_engine *e, struct nve_vn_rec *vn)
{
	while (vn->remotes) {
		struct nve_remote *remote = vn->remotes;

		vn->remotes = remote->vn_next;
		remote_unhash(e, remote);
		free(remote);
	}
	nve_neigh_free(e, &vn->claims);
	nve_vteps_ref(e, vn->slots, vn->n_slots, UINT32_MAX);
	free(vn->slots);
	free(vn->rules);
	free(vn);
}

static void reap(struct nve_engine *e, bool all)
{
	for (size_t i = 0; i < NVE_VN_BUCKETS; i++) {
		struct nve_vn_rec **at = &e->vns[i];

		while (*at) {
			struct nve_vn_rec *vn = *at;

			if (!all && (vn->live || nve_vn_in_use(e, vn->context.vn_id))) {
				at = &vn->next;
				continue;
			}
			*at = vn->next;
			vn_free(e, vn);
		}
	}
}

void nve_vn_reap(struct nve_engine *e)
{
	if (e->vns_idle)
		reap(e, false);
	e->vns_idle = false;
}

void nve_vn_free_all(struct nve_engine *e)
{
	reap(e, true);
}
