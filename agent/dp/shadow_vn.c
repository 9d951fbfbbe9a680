/* SPDX-License-Identifier: Apache-2.0 */
/* Shadow of what a datapath was told: VNs, VTEPs and VAPs.  See shadow.h. */
#include "dp/shadow_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- VNs -------------------------------------------------------------------------------------- */

static struct nve_shadow_vn *vn_of(struct nve_hash_node *node)
{
	return node ? (void *)((char *)node - offsetof(struct nve_shadow_vn, node)) : NULL;
}

struct nve_shadow_vn *nve_shadow_vn(const struct nve_shadow *s, uint32_t vn_id)
{
	struct nve_hash_node *node;

	node = nve_hash_first(&s->vns, nve_hash_bytes(&vn_id, sizeof(vn_id)));
	while (node && vn_of(node)->vn_id != vn_id)
		node = nve_hash_same(node);
	return vn_of(node);
}

static void vn_list(struct nve_shadow *s, struct nve_shadow_vn *vn)
{
	if (!vn->listed)
		nve_shadow_list_add(&s->vn_list, vn->vn_id);
	vn->listed = true;
}

static bool same_bum(const struct nve_dp_bum *a, const struct nve_dp_bum *b)
{
	return a->suppress == b->suppress && a->drop_unknown == b->drop_unknown &&
	       a->rate == b->rate && a->burst == b->burst;
}

static bool same_vn(const struct nve_shadow_vn_state *a, const struct nve_shadow_vn_state *b)
{
	return a && b && a->vni == b->vni && a->encap == b->encap && a->tos == b->tos &&
	       same_bum(&a->bum, &b->bum) && a->n_vteps == b->n_vteps &&
	       !memcmp(a->vteps, b->vteps, a->n_vteps * sizeof(a->vteps[0]));
}

static void vn_want(struct nve_shadow *s, struct nve_shadow_vn *vn,
		    struct nve_shadow_vn_state *state)
{
	if (vn->want) {
		s->n_vns--;
		s->n_peers -= 1 + vn->want->n_vteps;
	}
	if (vn->want != vn->now)
		free(vn->want);
	if (same_vn(state, vn->now)) {
		free(state);
		state = vn->now;
	}
	vn->want = state;
	if (state) {
		s->n_vns++;
		s->n_peers += 1 + state->n_vteps;
	}
	vn_list(s, vn);
}

static int vn_check(const struct nve_shadow *s, const struct nve_dp_vn *vn,
		    const struct nve_shadow_vn *old)
{
	uint32_t n_vaps = old ? old->n_vaps : 0;
	uint32_t n_peers = s->n_peers;

	if (!vn->vn_id || vn->vn_id > NVE_VN_ID_MAX || vn->vni > NVE_VN_ID_MAX)
		return -EINVAL;
	if (vn->bum.rate && !vn->bum.burst)
		return -EINVAL;
	if (vn->encap > NVE_DP_GENEVE || vn->tos > NVE_DP_TOS_UNIFORM)
		return -EOPNOTSUPP;
	for (uint32_t i = 0; i < vn->n_vteps; i++) {
		if (vn->vteps[i] >= s->limits.max_vteps || !s->vteps[vn->vteps[i]].want.family)
			return -ENOENT;
		for (uint32_t j = 0; j < i; j++)
			if (vn->vteps[j] == vn->vteps[i])
				return -EINVAL;
	}
	if (old && old->want)
		n_peers -= 1 + old->want->n_vteps;
	else if (s->n_vns >= s->limits.max_vns)
		return -ENOSPC;
	if (n_vaps + vn->n_vteps > s->limits.max_flood || n_peers + 1 + vn->n_vteps > s->max_peers)
		return -ENOSPC;
	return 0;
}

int nve_shadow_vn_set(struct nve_shadow *s, const struct nve_dp_vn *x)
{
	struct nve_shadow_vn *vn = nve_shadow_vn(s, x->vn_id);
	struct nve_shadow_vn_state *state;
	int r = vn_check(s, x, vn);

	if (r < 0)
		return r;
	state = malloc(sizeof(*state) + x->n_vteps * sizeof(state->vteps[0]));
	if (!state || nve_shadow_list_room(&s->vn_list, 1) < 0)
		goto no_memory;
	state->vni = x->vni;
	state->encap = x->encap;
	state->tos = x->tos;
	state->bum = x->bum;
	state->n_vteps = x->n_vteps;
	for (uint32_t i = 0; i < x->n_vteps; i++)
		state->vteps[i] = x->vteps[i];
	if (vn && same_vn(state, vn->want)) {
		free(state);
		return 0;
	}
	if (!vn) {
		vn = calloc(1, sizeof(*vn));
		if (!vn)
			goto no_memory;
		vn->vn_id = x->vn_id;
		nve_hash_add(&s->vns, &vn->node, nve_hash_bytes(&x->vn_id, sizeof(x->vn_id)));
	}
	vn_want(s, vn, state);
	return 0;
no_memory:
	free(state);
	return -ENOMEM;
}

int nve_shadow_vn_del(struct nve_shadow *s, uint32_t vn_id)
{
	struct nve_shadow_vn *vn = nve_shadow_vn(s, vn_id);

	if (!vn || !vn->want)
		return 0;
	if (nve_shadow_list_room(&s->vn_list, 1) < 0)
		return -ENOMEM;
	vn_want(s, vn, NULL);
	return 0;
}

/* --- VTEPs ------------------------------------------------------------------------------------ */

static bool vn_has(const struct nve_shadow_vn_state *vn, uint32_t slot)
{
	for (uint32_t i = 0; vn && i < vn->n_vteps; i++)
		if (vn->vteps[i] == slot)
			return true;
	return false;
}

/* The rows of a VN bear the addresses of its VTEPs. */
static int vtep_want(struct nve_shadow *s, uint32_t slot, const struct nve_ip *ip)
{
	struct nve_shadow_vtep *vtep = &s->vteps[slot];
	struct nve_hash_node *node = NULL;

	if (!memcmp(&vtep->want, ip, sizeof(*ip)))
		return 0;
	if (nve_shadow_list_room(&s->vtep_list, 1) < 0)
		return -ENOMEM;
	while ((node = nve_hash_next(&s->vns, node))) {
		struct nve_shadow_vn *vn = vn_of(node);

		if (!vn_has(vn->now, slot) && !vn_has(vn->want, slot))
			continue;
		if (nve_shadow_list_room(&s->vn_list, 1) < 0)
			return -ENOMEM;
		vn_list(s, vn);
	}
	s->n_vteps += !!ip->family - !!vtep->want.family;
	vtep->want = *ip;
	if (!vtep->listed)
		nve_shadow_list_add(&s->vtep_list, slot);
	vtep->listed = true;
	return 0;
}

int nve_shadow_vtep_set(struct nve_shadow *s, uint32_t slot, const struct nve_ip *ip)
{
	if (ip->family != 4 && ip->family != 6)
		return -EINVAL;
	if (slot >= s->limits.max_vteps)
		return -ENOSPC;
	return vtep_want(s, slot, ip);
}

int nve_shadow_vtep_del(struct nve_shadow *s, uint32_t slot)
{
	const struct nve_ip none = { 0 };

	return slot < s->limits.max_vteps ? vtep_want(s, slot, &none) : 0;
}

/* --- VAPs ------------------------------------------------------------------------------------- */

static struct nve_shadow_vap *vap_of(struct nve_hash_node *node)
{
	return node ? (void *)((char *)node - offsetof(struct nve_shadow_vap, node)) : NULL;
}

static uint32_t vap_hash(uint16_t port, uint16_t tag)
{
	uint32_t key = (uint32_t)port << 16 | tag;

	return nve_hash_bytes(&key, sizeof(key));
}

struct nve_shadow_vap *nve_shadow_vap(const struct nve_shadow *s, uint16_t port, uint16_t tag)
{
	struct nve_hash_node *node = nve_hash_first(&s->vaps, vap_hash(port, tag));

	while (node && (vap_of(node)->port != port || vap_of(node)->tag != tag))
		node = nve_hash_same(node);
	return vap_of(node);
}

struct nve_shadow_vap *nve_shadow_vap_get(struct nve_shadow *s, uint16_t port, uint16_t tag)
{
	struct nve_shadow_vap *vap = nve_shadow_vap(s, port, tag);

	if (vap)
		return vap;
	vap = calloc(1, sizeof(*vap));
	if (!vap)
		return NULL;
	vap->port = port;
	vap->tag = tag;
	nve_hash_add(&s->vaps, &vap->node, vap_hash(port, tag));
	return vap;
}

void nve_shadow_vap_put(struct nve_shadow *s, struct nve_shadow_vap *vap)
{
	if (vap->listed || vap->now.set || vap->want.set || vap->n_ip_only || vap->n_glean)
		return;
	nve_hash_del(&s->vaps, &vap->node);
	free(vap);
}

int nve_shadow_touch_vap(struct nve_shadow *s, struct nve_shadow_vap *vap)
{
	if (vap->listed)
		return 0;
	if (nve_shadow_list_room(&s->vap_list, 1) < 0)
		return -ENOMEM;
	nve_shadow_list_add(&s->vap_list, (uint32_t)vap->port << 12 | vap->tag);
	vap->listed = true;
	return 0;
}

static bool in_vn(const struct nve_shadow_vap_state *state, uint32_t vn_id)
{
	return state->set && !state->quarantined && state->vn_id == vn_id;
}

static void vn_leave(struct nve_shadow *s, struct nve_shadow_vap *vap)
{
	struct nve_shadow_vn *vn = nve_shadow_vn(s, vap->want.vn_id);
	struct nve_shadow_vap **at = &vn->vaps;

	while (*at != vap)
		at = &(*at)->vn_next;
	*at = vap->vn_next;
	vn->n_vaps--;
	vn_list(s, vn);
}

/* Changes what is wanted of a VAP; there is room on the lists of VAPs and (twice) VNs. */
static void vap_want(struct nve_shadow *s, struct nve_shadow_vap *vap,
		     const struct nve_shadow_vap_state *state)
{
	bool was = in_vn(&vap->want, vap->want.vn_id);
	bool is = in_vn(state, state->vn_id);
	struct nve_shadow_vn *vn;

	if (was && is && vap->want.vn_id == state->vn_id) {
		vap->want = *state;
		return;
	}
	if (was)
		vn_leave(s, vap);
	vap->want = *state;
	if (!is)
		return;
	vn = nve_shadow_vn(s, state->vn_id);
	vap->vn_next = vn->vaps;
	vn->vaps = vap;
	vn->n_vaps++;
	vn_list(s, vn);
}

static int vap_change(struct nve_shadow *s, uint16_t port, uint16_t tag,
		      const struct nve_shadow_vap_state *state)
{
	struct nve_shadow_vap *vap;

	if (nve_shadow_list_room(&s->vn_list, 2) < 0) /* leaves one VN, joins another */
		return -ENOMEM;
	vap = nve_shadow_vap_get(s, port, tag);
	if (!vap)
		return -ENOMEM;
	if (nve_shadow_touch_vap(s, vap) < 0) {
		nve_shadow_vap_put(s, vap);
		return -ENOMEM;
	}
	vap_want(s, vap, state);
	return 0;
}

int nve_shadow_vap_set(struct nve_shadow *s, const struct nve_dp_vap *x)
{
	struct nve_shadow_vap *vap = nve_shadow_vap(s, x->port, x->tag);
	struct nve_shadow_vn *vn = nve_shadow_vn(s, x->vn_id);
	struct nve_shadow_vap_state state = { .set = true, .quarantined = x->quarantined };

	if (x->tag < NVE_TAG_MIN || x->tag > NVE_TAG_MAX)
		return -EINVAL;
	if (!nve_shadow_access_port(s, x->port))
		return -ENOENT;
	if (!x->quarantined) {
		if (!vn || !vn->want)
			return -ENOENT;
		if (!(vap && in_vn(&vap->want, x->vn_id)) &&
		    vn->n_vaps + vn->want->n_vteps >= s->limits.max_flood)
			return -ENOSPC;
		state.vn_id = x->vn_id;
		state.n_activated = x->n_activated;
	}
	if (vap && !memcmp(&vap->want, &state, sizeof(state)))
		return 0;
	return vap_change(s, x->port, x->tag, &state);
}

int nve_shadow_vap_del(struct nve_shadow *s, uint16_t port, uint16_t tag)
{
	const struct nve_shadow_vap_state none = { 0 };
	struct nve_shadow_vap *vap = nve_shadow_vap(s, port, tag);

	if (!vap || !vap->want.set)
		return 0;
	return vap_change(s, port, tag, &none);
}

int nve_shadow_send_check(const struct nve_shadow *s, uint16_t port, uint16_t tag, size_t len,
			  uint32_t *vn_id)
{
	const struct nve_shadow_vap *vap = nve_shadow_vap(s, port, tag);

	if (len < NVE_DP_SEND_MIN || len > NVE_DP_SEND_MAX)
		return -EINVAL;
	if (!vap || !in_vn(&vap->now, vap->now.vn_id))
		return -ENOENT;
	*vn_id = vap->now.vn_id;
	return 0;
}

void nve_shadow_vn_commit(struct nve_shadow *s, struct nve_shadow_vn *vn)
{
	if (vn->now != vn->want)
		free(vn->now);
	vn->now = vn->want;
	vn->listed = false;
	if (vn->now || vn->n_vaps)
		return;
	nve_hash_del(&s->vns, &vn->node);
	free(vn);
}

static void vn_free(struct nve_shadow_vn *vn)
{
	if (vn->now != vn->want)
		free(vn->now);
	free(vn->want);
	free(vn);
}

void nve_shadow_vn_clear(struct nve_shadow *s)
{
	struct nve_hash_node *node, *next;

	for (node = nve_hash_next(&s->vns, NULL); node; node = next) {
		next = nve_hash_next(&s->vns, node);
		nve_hash_del(&s->vns, node);
		vn_free(vn_of(node));
	}
	for (node = nve_hash_next(&s->vaps, NULL); node; node = next) {
		next = nve_hash_next(&s->vaps, node);
		nve_hash_del(&s->vaps, node);
		free(vap_of(node));
	}
}
