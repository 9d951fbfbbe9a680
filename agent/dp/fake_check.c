/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The check of the datapath in memory (dp_check.h): what frames meet is the shadow's 'now', what
 * was told its 'want'.  They are made to differ by tests, see nve_fake_corrupt().
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dp/fake.h"
#include "dp/fake_dp.h"
#include "dp/shadow_list.h"

struct pass {
	struct nve_dp *dp;
	struct nve_dp_check *check;
	nve_dp_diff_fn *fn;
	void *arg;
};

/* Both as text; "" if there is none, and they are the same if their text is. */
static void compare(struct pass *p, const char *table, const char *key, const char *want,
		    const char *have)
{
	p->check->rows += *want || *have;
	if (!strcmp(want, have))
		return;
	p->check->found++;
	p->check->mended += p->check->repair;
	p->fn(p->arg, &(struct nve_dp_diff){
			      .kind = !*want   ? NVE_DP_FOREIGN
				      : !*have ? NVE_DP_MISSING
					       : NVE_DP_DIFFERS,
			      .mended = p->check->repair,
			      .table = table,
			      .key = key,
			      .want = want,
			      .have = have,
		      });
}

/* --- objects as text -------------------------------------------------------------------------- */

enum { TEXT = 256 };

static void say_tsi(char to[TEXT], const struct nve_shadow_tsi_state *x)
{
	to[0] = '\0';
	if (x)
		snprintf(to, TEXT,
			 "{\"vn_id\":%u,\"port\":%u,\"vid\":%u,\"activated\":%d,\"addrs\":%u}",
			 x->key.vn_id, x->key.port, x->tag, x->activated, x->n_addrs);
}

static void say_ip(char to[TEXT], const struct nve_ip *ip)
{
	to[0] = '\0';
	for (int i = 0; ip->family && i < 16; i++)
		snprintf(to + 2 * i, 3, "%02x", ip->bytes[i]);
}

static void say_dests(char to[TEXT], bool there, const uint8_t *kind, const uint32_t *slot)
{
	to[0] = '\0';
	if (there)
		snprintf(to, TEXT, "{\"first\":[%u,%u],\"second\":[%u,%u]}", kind[0], slot[0],
			 kind[1], slot[1]);
}

static void say_claims(char to[TEXT], const struct nve_dp_claim *c)
{
	to[0] = '\0';
	if (nve_shadow_neigh_is(c))
		snprintf(to, TEXT, "{\"first\":[%u,\"%02x%02x\"],\"second\":[%u,\"%02x%02x\"]}",
			 c[0].kind, c[0].mac[4], c[0].mac[5], c[1].kind, c[1].mac[4], c[1].mac[5]);
}

static void say_vap(char to[TEXT], const struct nve_shadow_vap_state *x)
{
	to[0] = '\0';
	if (x->set)
		snprintf(to, TEXT, "{\"vn_id\":%u,\"n_activated\":%u,\"quarantined\":%d}", x->vn_id,
			 x->n_activated, x->quarantined);
}

static void say_vn(char to[TEXT], const struct nve_shadow_vn_state *x)
{
	to[0] = '\0';
	if (x)
		snprintf(to, TEXT, "{\"vni\":%u,\"encap\":%u,\"vteps\":%u}", x->vni, x->encap,
			 x->n_vteps);
}

/* --- stages: what differs is put on the shadow's lists, and committed ------------------------- */

static void list_add(struct nve_shadow_list *list, bool *listed, uint32_t x)
{
	if (*listed || nve_shadow_list_room(list, 1) < 0)
		return;
	nve_shadow_list_add(list, x);
	*listed = true;
}

static bool check_tsi(struct pass *p, uint32_t slot)
{
	struct nve_shadow_tsi *tsi = &p->dp->shadow.tsis[slot];
	char key[32], want[TEXT], have[TEXT];

	if (slot >= p->dp->shadow.limits.max_tsis)
		return false;
	snprintf(key, sizeof(key), "{\"tsi\":%u}", slot);
	say_tsi(want, tsi->want);
	say_tsi(have, tsi->now);
	compare(p, "tsi", key, want, have);
	list_add(&p->dp->shadow.tsi_list, &tsi->listed, slot);
	return true;
}

static bool check_vtep(struct pass *p, uint32_t slot)
{
	struct nve_shadow_vtep *vtep = &p->dp->shadow.vteps[slot];
	char key[32], want[TEXT], have[TEXT];

	if (slot >= p->dp->shadow.limits.max_vteps)
		return false;
	snprintf(key, sizeof(key), "{\"vtep\":%u}", slot);
	say_ip(want, &vtep->want);
	say_ip(have, &vtep->now);
	compare(p, "vtep", key, want, have);
	list_add(&p->dp->shadow.vtep_list, &vtep->listed, slot);
	return true;
}

static bool check_fdb(struct pass *p, uint32_t i)
{
	struct nve_shadow_fdb *e = &p->dp->shadow.fdb[i];
	struct nve_fake_dests *to = &p->dp->dests[i];
	char key[64], want[TEXT], have[TEXT];

	if (i >= p->dp->shadow.fdb_top)
		return false;
	if (!e->now && !e->want)
		return true;
	snprintf(key, sizeof(key), "{\"vn_id\":%u,\"mac\":\"%02x:%02x:%02x:%02x:%02x:%02x\"}",
		 e->vn_id, e->mac[0], e->mac[1], e->mac[2], e->mac[3], e->mac[4], e->mac[5]);
	say_dests(want, e->want, e->kind, e->slot);
	say_dests(have, e->now, to->kind, to->slot);
	compare(p, "fdb", key, want, have);
	if (!p->check->repair)
		return true;
	memcpy(to->slot, e->slot, sizeof(to->slot));
	memcpy(to->kind, e->kind, sizeof(to->kind));
	list_add(&p->dp->shadow.fdb_list, &e->listed, i);
	return true;
}

static bool check_vns(struct pass *p, uint32_t i)
{
	struct nve_shadow *s = &p->dp->shadow;
	struct nve_hash_node *node = NULL;
	char key[32], want[TEXT], have[TEXT];

	while (!i && (node = nve_hash_next(&s->vns, node))) {
		struct nve_shadow_vn *vn =
			(void *)((char *)node - offsetof(struct nve_shadow_vn, node));

		snprintf(key, sizeof(key), "{\"vn_id\":%u}", vn->vn_id);
		say_vn(want, vn->want);
		say_vn(have, vn->now);
		compare(p, "flood", key, want, have);
		list_add(&s->vn_list, &vn->listed, vn->vn_id);
	}
	return false;
}

static bool check_vaps(struct pass *p, uint32_t i)
{
	struct nve_shadow *s = &p->dp->shadow;
	struct nve_hash_node *node = NULL;
	char key[48], want[TEXT], have[TEXT];

	while (!i && (node = nve_hash_next(&s->vaps, node))) {
		struct nve_shadow_vap *vap =
			(void *)((char *)node - offsetof(struct nve_shadow_vap, node));

		snprintf(key, sizeof(key), "{\"port\":%u,\"vid\":%u}", vap->port, vap->tag);
		say_vap(want, &vap->want);
		say_vap(have, &vap->now);
		compare(p, "vap", key, want, have);
		list_add(&s->vap_list, &vap->listed, vap->port * 4096u + vap->tag);
	}
	return false;
}

static bool check_neighs(struct pass *p, uint32_t i)
{
	struct nve_shadow *s = &p->dp->shadow;
	struct nve_shadow_neigh *e = NULL;
	char key[96], want[TEXT], have[TEXT], ip[TEXT];

	while (!i && (e = nve_shadow_neigh_next(s, e))) {
		say_ip(ip, &e->ip);
		snprintf(key, sizeof(key), "{\"vn_id\":%u,\"ip\":\"%.40s\"}", e->vn_id, ip);
		say_claims(want, e->want);
		say_claims(have, e->now);
		compare(p, "neigh", key, want, have);
		if (e->listed)
			continue;
		e->next = s->neighs.differ;
		s->neighs.differ = e;
		e->listed = true;
	}
	return false;
}

static bool (*const stages[])(struct pass *p, uint32_t i) = {
	check_vtep, check_vns, check_vaps, check_tsi, check_fdb, check_neighs,
};
enum { STAGES = sizeof(stages) / sizeof(stages[0]) };

static bool waits_for_apply(const struct nve_shadow *s)
{
	return s->tsi_list.n || s->vap_list.n || s->vn_list.n || s->fdb_list.n || s->vtep_list.n ||
	       s->acl_list.n || s->neighs.differ;
}

/* Nothing was told, so what is on the lists is what was looked at. */
static void unlist(struct nve_shadow *s)
{
	for (uint32_t i = 0; i < s->tsi_list.n; i++)
		s->tsis[s->tsi_list.v[i]].listed = false;
	for (uint32_t i = 0; i < s->vtep_list.n; i++)
		s->vteps[s->vtep_list.v[i]].listed = false;
	for (uint32_t i = 0; i < s->vn_list.n; i++)
		nve_shadow_vn(s, s->vn_list.v[i])->listed = false;
	for (uint32_t i = 0; i < s->vap_list.n; i++)
		nve_shadow_vap(s, s->vap_list.v[i] >> 12, s->vap_list.v[i] & 0xfff)->listed = false;
	for (; s->neighs.differ; s->neighs.differ = s->neighs.differ->next)
		s->neighs.differ->listed = false;
	s->tsi_list.n = s->vtep_list.n = s->vn_list.n = s->vap_list.n = 0;
}

int nve_fake_check(struct nve_dp *dp, struct nve_dp_check *check, uint32_t rows, nve_dp_diff_fn *fn,
		   void *arg)
{
	struct pass p = { dp, check, fn, arg };
	uint64_t until = check->rows + rows;

	if (dp->in_resync || waits_for_apply(&dp->shadow))
		return 1;
	if (check->attached_only)
		check->stage = STAGES;
	while (check->stage < STAGES && check->rows < until) {
		if (stages[check->stage](&p, check->at)) {
			check->at++;
			continue;
		}
		check->stage++;
		check->at = 0;
	}
	if (check->repair)
		nve_shadow_commit(&dp->shadow);
	else
		unlist(&dp->shadow);
	return check->stage < STAGES;
}

/* --- what tests may do ------------------------------------------------------------------------ */

static struct nve_shadow_tsi_state *copy_of(const struct nve_shadow_tsi_state *x)
{
	size_t size = sizeof(*x) + x->n_addrs * sizeof(x->addrs[0]);
	struct nve_shadow_tsi_state *copy = malloc(size);

	return copy ? memcpy(copy, x, size) : NULL;
}

static bool corrupt_tsi(struct nve_shadow *s, enum nve_dp_diff_kind how)
{
	uint32_t slot = 0, spare = 0;

	while (slot < s->limits.max_tsis && !s->tsis[slot].want)
		slot++;
	while (spare < s->limits.max_tsis && s->tsis[spare].want)
		spare++;
	if (slot == s->limits.max_tsis || spare == s->limits.max_tsis)
		return false;
	if (how == NVE_DP_FOREIGN)
		return (s->tsis[spare].now = copy_of(s->tsis[slot].want));
	s->tsis[slot].now = how == NVE_DP_DIFFERS ? copy_of(s->tsis[slot].want) : NULL;
	if (s->tsis[slot].now)
		s->tsis[slot].now->activated = !s->tsis[slot].now->activated;
	return true;
}

static bool corrupt_vtep(struct nve_shadow *s, enum nve_dp_diff_kind how)
{
	uint32_t last = s->limits.max_vteps - 1;

	if (!s->vteps[0].want.family || s->vteps[last].want.family)
		return false;
	if (how == NVE_DP_FOREIGN)
		s->vteps[last].now = s->vteps[0].want;
	else if (how == NVE_DP_DIFFERS)
		s->vteps[0].now.bytes[3] ^= 1;
	else
		s->vteps[0].now = (struct nve_ip){ 0 };
	return true;
}

static bool corrupt_fdb(struct nve_dp *dp, enum nve_dp_diff_kind how)
{
	struct nve_shadow *s = &dp->shadow;
	struct nve_shadow_fdb *e = NULL;
	struct nve_dp_fdb foreign;

	for (uint32_t i = 0; i < s->fdb_top && !e; i++)
		e = s->fdb[i].want ? &s->fdb[i] : NULL;
	if (!e)
		return false;
	if (how == NVE_DP_MISSING)
		e->now = false;
	else if (how == NVE_DP_DIFFERS)
		dp->dests[e - s->fdb].kind[0] = NVE_DP_DEST_NONE;
	if (how != NVE_DP_FOREIGN)
		return true;
	foreign = (struct nve_dp_fdb){ .vn_id = e->vn_id,
				       .mac = { 2, 0xee },
				       .first = { e->kind[0], e->slot[0] } };
	if (nve_shadow_fdb_set(s, &foreign) < 0)
		return false;
	e = nve_shadow_fdb(s, foreign.vn_id, foreign.mac);
	memcpy(dp->dests[e - s->fdb].kind, e->kind, sizeof(e->kind));
	memcpy(dp->dests[e - s->fdb].slot, e->slot, sizeof(e->slot));
	nve_shadow_commit(s);
	e->want = false;
	s->n_fdb--;
	return true;
}

static bool corrupt_neigh(struct nve_shadow *s, enum nve_dp_diff_kind how)
{
	struct nve_shadow_neigh *e = nve_shadow_neigh_next(s, NULL);

	if (!e || how == NVE_DP_FOREIGN)
		return false;
	if (how == NVE_DP_MISSING)
		memset(e->now, 0, sizeof(e->now));
	else
		e->now[0].mac[5] ^= 1, e->now[1].mac[5] ^= 1;
	return true;
}

bool nve_fake_corrupt(struct nve_dp *dp, const char *table, enum nve_dp_diff_kind how)
{
	if (!strcmp(table, "tsi"))
		return corrupt_tsi(&dp->shadow, how);
	if (!strcmp(table, "vtep"))
		return corrupt_vtep(&dp->shadow, how);
	if (!strcmp(table, "fdb"))
		return corrupt_fdb(dp, how);
	if (!strcmp(table, "neigh"))
		return corrupt_neigh(&dp->shadow, how);
	return false;
}
