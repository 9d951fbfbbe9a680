/* SPDX-License-Identifier: Apache-2.0 */
/* The datapath in memory, see fake.h.  What a frame meets is the shadow's 'now'. */
#include "dp/fake.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dp/shadow.h"

struct dests {
	uint32_t slot[2];
	uint8_t kind[2];
};

struct nve_dp {
	struct nve_shadow shadow;
	struct dests *dests; /* what the entry at the same place of shadow.fdb shows to frames */
	uint64_t *seen;      /* by TSI slot */
	uint64_t *drops;
	uint64_t applied;
	uint32_t fail_set;
	int fail_set_error;
	int fail_apply_error;
	bool in_resync;
};

/* --- what a frame meets -------------------------------------------------------------------------- */

static bool has_ip(const struct nve_addr *addr, const struct nve_ip *ip)
{
	uint8_t family = addr->flags & NVE_ADDR_IPV4 ? 4 : addr->flags & NVE_ADDR_IPV6 ? 6 : 0;

	return family && family == ip->family && !memcmp(addr->ip, ip->bytes, sizeof(addr->ip));
}

static bool has_mac(const struct nve_addr *addr, const uint8_t mac[NVE_MAC_LEN])
{
	return (addr->flags & NVE_ADDR_MAC) && !memcmp(addr->mac, mac, NVE_MAC_LEN);
}

/* IPs bound to the MAC, or to none, are a filter as soon as there is one. */
static bool ip_passes(const struct nve_shadow_tsi_state *tsi, const uint8_t mac[NVE_MAC_LEN],
		      const struct nve_ip *ip)
{
	bool filtered = false;

	for (uint16_t i = 0; i < tsi->n_addrs; i++) {
		const struct nve_addr *addr = &tsi->addrs[i].addr;

		if (!(addr->flags & (NVE_ADDR_IPV4 | NVE_ADDR_IPV6)) ||
		    ((addr->flags & NVE_ADDR_MAC) && !has_mac(addr, mac)))
			continue;
		filtered = true;
		if (tsi->addrs[i].active && has_ip(addr, ip))
			return true;
	}
	return !filtered || !ip->family;
}

static bool knows(const struct nve_shadow_tsi_state *tsi, const struct nve_fake_frame *frame)
{
	for (uint16_t i = 0; i < tsi->n_addrs; i++)
		if (tsi->has_mac ? has_mac(&tsi->addrs[i].addr, frame->src) :
				   has_ip(&tsi->addrs[i].addr, &frame->ip))
			return true;
	return false;
}

/* TSIs known by MAC come before those known by IP alone. */
static uint32_t find_source(const struct nve_dp *dp, const struct nve_fake_frame *frame)
{
	uint32_t found = NVE_SLOT_NONE;

	for (uint32_t i = 0; i < dp->shadow.limits.max_tsis; i++) {
		const struct nve_shadow_tsi_state *tsi = dp->shadow.tsis[i].now;

		if (!tsi || tsi->key.port != frame->port || tsi->tag != frame->tag ||
		    !knows(tsi, frame))
			continue;
		found = i;
		if (tsi->has_mac)
			break;
	}
	return found;
}

static bool tsi_takes(const struct nve_dp *dp, uint32_t slot, const uint8_t mac[NVE_MAC_LEN])
{
	const struct nve_shadow_tsi_state *tsi = dp->shadow.tsis[slot].now;

	return tsi && tsi->activated && nve_shadow_mac_active(tsi, mac);
}

static bool find_dest(const struct nve_dp *dp, uint32_t vn_id, const uint8_t mac[NVE_MAC_LEN],
		      struct nve_dp_dest *ret)
{
	const struct nve_shadow_fdb *entry = nve_shadow_fdb(&dp->shadow, vn_id, mac);
	const struct dests *to;
	int i;

	if (!entry || !entry->now)
		return false;
	to = &dp->dests[entry - dp->shadow.fdb];
	i = to->kind[1] == NVE_DP_DEST_TSI && tsi_takes(dp, to->slot[1], mac) ? 1 : 0;
	*ret = (struct nve_dp_dest){ .kind = to->kind[i], .slot = to->slot[i] };
	return ret->kind == NVE_DP_DEST_VTEP ||
	       (ret->kind == NVE_DP_DEST_TSI && tsi_takes(dp, ret->slot, mac));
}

static uint32_t vap_copies(const struct nve_dp *dp, uint32_t vn_id)
{
	struct nve_hash_node *node = NULL;
	uint32_t n = 0;

	while ((node = nve_hash_next(&dp->shadow.vaps, node))) {
		const struct nve_shadow_vap *vap =
			(void *)((char *)node - offsetof(struct nve_shadow_vap, node));

		n += vap->now.set && !vap->now.quarantined && vap->now.vn_id == vn_id &&
		     vap->now.n_activated;
	}
	return n;
}

struct nve_fake_verdict nve_fake_from_port(const struct nve_dp *dp,
					   const struct nve_fake_frame *frame)
{
	const struct nve_shadow_vap *vap = nve_shadow_vap(&dp->shadow, frame->port, frame->tag);
	struct nve_fake_verdict v = { .tsi = find_source(dp, frame) };
	const struct nve_shadow_tsi_state *from, *to;
	const struct nve_shadow_vn *vn;

	if (v.tsi == NVE_SLOT_NONE || !vap || !vap->now.set || vap->now.quarantined)
		return v;
	from = dp->shadow.tsis[v.tsi].now;
	vn = nve_shadow_vn(&dp->shadow, from->key.vn_id);
	if (!vn || !vn->now || !tsi_takes(dp, v.tsi, frame->src) ||
	    !ip_passes(from, frame->src, &frame->ip))
		return v;
	if (frame->dst[0] & 1) {
		v.copies = vn->now->n_vteps + vap_copies(dp, vn->vn_id) - !!vap->now.n_activated;
		v.pass = v.copies > 0;
		return v;
	}
	v.pass = find_dest(dp, vn->vn_id, frame->dst, &v.dest);
	if (!v.pass || v.dest.kind != NVE_DP_DEST_TSI)
		return v;
	to = dp->shadow.tsis[v.dest.slot].now;
	v.pass = to->key.port != from->key.port || to->tag != from->tag;
	return v;
}

static bool sends_to(const struct nve_dp *dp, const struct nve_shadow_vn *vn,
		     const struct nve_ip *vtep, uint32_t vni)
{
	if (!vn->now || vn->now->vni != vni)
		return false;
	for (uint32_t i = 0; i < vn->now->n_vteps; i++)
		if (!memcmp(&dp->shadow.vteps[vn->now->vteps[i]].now, vtep, sizeof(*vtep)))
			return true;
	return false;
}

struct nve_fake_verdict nve_fake_from_vtep(const struct nve_dp *dp, const struct nve_ip *vtep,
					   uint32_t vni, const uint8_t dst[NVE_MAC_LEN])
{
	struct nve_fake_verdict v = { .tsi = NVE_SLOT_NONE };
	struct nve_hash_node *node = NULL;

	while ((node = nve_hash_next(&dp->shadow.vns, node))) {
		const struct nve_shadow_vn *vn =
			(void *)((char *)node - offsetof(struct nve_shadow_vn, node));

		if (!sends_to(dp, vn, vtep, vni))
			continue;
		if (dst[0] & 1)
			v.copies = vap_copies(dp, vn->vn_id);
		else
			v.pass = find_dest(dp, vn->vn_id, dst, &v.dest) &&
				 v.dest.kind == NVE_DP_DEST_TSI;
		v.pass |= v.copies > 0;
		break;
	}
	return v;
}

/* --- what tests may do ---------------------------------------------------------------------------- */

void nve_fake_fail_set(struct nve_dp *dp, uint32_t n, int error)
{
	dp->fail_set = n;
	dp->fail_set_error = error;
}

void nve_fake_fail_apply(struct nve_dp *dp, int error)
{
	dp->fail_apply_error = error;
}

void nve_fake_seen(struct nve_dp *dp, uint32_t slot, uint64_t ns)
{
	dp->seen[slot] = ns;
}

void nve_fake_drop(struct nve_dp *dp, uint32_t slot)
{
	dp->drops[slot]++;
}

uint64_t nve_fake_applied(const struct nve_dp *dp)
{
	return dp->applied;
}

/* --- ops ------------------------------------------------------------------------------------------- */

static void fake_close(struct nve_dp *dp)
{
	if (!dp)
		return;
	nve_shadow_close(&dp->shadow);
	free(dp->dests);
	free(dp->seen);
	free(dp->drops);
	free(dp);
}

static int fake_open(const struct nve_dp_config *config, struct nve_dp **ret, char **err)
{
	struct nve_dp *dp = calloc(1, sizeof(*dp));
	int r;

	if (!dp)
		return -ENOMEM;
	r = nve_shadow_open(&config->limits, &dp->shadow);
	if (r < 0) {
		if (err && r == -EINVAL)
			*err = strdup("each limit must be from 1 to 16777216");
		free(dp);
		return r;
	}
	dp->dests = calloc(2 * config->limits.max_fdb, sizeof(dp->dests[0]));
	dp->seen = calloc(config->limits.max_tsis, sizeof(dp->seen[0]));
	dp->drops = calloc(config->limits.max_tsis, sizeof(dp->drops[0]));
	if (!dp->dests || !dp->seen || !dp->drops) {
		fake_close(dp);
		return -ENOMEM;
	}
	*ret = dp;
	return 0;
}

static int fake_flush(struct nve_dp *dp)
{
	nve_shadow_reset(&dp->shadow);
	memset(dp->shadow.port_is_set, 0, sizeof(dp->shadow.port_is_set));
	return 0;
}

static int fake_port_set(struct nve_dp *dp, const struct nve_dp_port *port, char **err)
{
	int r = nve_shadow_port_set(&dp->shadow, port);

	if (r < 0 && err)
		*err = strdup(r == -ENOSPC ? "too many ports" : "a port needs role and interface");
	return r;
}

static int fake_port_del(struct nve_dp *dp, uint16_t slot)
{
	nve_shadow_port_del(&dp->shadow, slot);
	return 0;
}

static int fake_port_status(struct nve_dp *dp, uint16_t slot, struct nve_dp_port_status *ret)
{
	if (slot >= NVE_PORTS_MAX || !dp->shadow.port_is_set[slot])
		return -ENOENT;
	*ret = (struct nve_dp_port_status){ .mode = NVE_DP_TC, .up = true, .ifindex = slot + 1 };
	if (dp->shadow.ports[slot].mode == NVE_DP_XDP)
		ret->mode = NVE_DP_XDP;
	snprintf(ret->why, sizeof(ret->why), "memory only, no interface");
	return 0;
}

static int may_fail(struct nve_dp *dp)
{
	if (!dp->fail_set || --dp->fail_set)
		return 0;
	return dp->fail_set_error;
}

static int fake_vtep_set(struct nve_dp *dp, uint32_t slot, const struct nve_ip *ip)
{
	return may_fail(dp) ?: nve_shadow_vtep_set(&dp->shadow, slot, ip);
}

static int fake_vtep_del(struct nve_dp *dp, uint32_t slot)
{
	return nve_shadow_vtep_del(&dp->shadow, slot);
}

static int fake_vn_set(struct nve_dp *dp, const struct nve_dp_vn *vn)
{
	return may_fail(dp) ?: nve_shadow_vn_set(&dp->shadow, vn);
}

static int fake_vn_del(struct nve_dp *dp, uint32_t vn_id)
{
	return nve_shadow_vn_del(&dp->shadow, vn_id);
}

static int fake_vap_set(struct nve_dp *dp, const struct nve_dp_vap *vap)
{
	return may_fail(dp) ?: nve_shadow_vap_set(&dp->shadow, vap);
}

static int fake_vap_del(struct nve_dp *dp, uint16_t port, uint16_t tag)
{
	return nve_shadow_vap_del(&dp->shadow, port, tag);
}

static int fake_tsi_set(struct nve_dp *dp, const struct nve_dp_tsi *tsi)
{
	return may_fail(dp) ?: nve_shadow_tsi_set(&dp->shadow, tsi);
}

static int fake_tsi_del(struct nve_dp *dp, uint32_t slot)
{
	return nve_shadow_tsi_del(&dp->shadow, slot);
}

static int fake_fdb_set(struct nve_dp *dp, const struct nve_dp_fdb *fdb)
{
	return may_fail(dp) ?: nve_shadow_fdb_set(&dp->shadow, fdb);
}

static int fake_fdb_del(struct nve_dp *dp, uint32_t vn_id, const uint8_t mac[NVE_MAC_LEN])
{
	return nve_shadow_fdb_del(&dp->shadow, vn_id, mac);
}

static bool nothing_differs(const struct nve_shadow *s)
{
	return !s->vtep_list.n && !s->vn_list.n && !s->vap_list.n && !s->tsi_list.n &&
	       !s->fdb_list.n;
}

static int fake_apply(struct nve_dp *dp)
{
	struct nve_shadow *s = &dp->shadow;
	int r = dp->fail_apply_error;

	if (dp->in_resync)
		return -EBUSY;
	dp->fail_apply_error = 0;
	if (r < 0) {
		for (uint32_t i = 0; i < s->tsi_list.n / 2; i++)
			nve_shadow_tsi_commit(&s->tsis[s->tsi_list.v[i]]);
		return r;
	}
	dp->applied += !nothing_differs(s);
	for (uint32_t i = 0; i < s->tsi_list.n; i++)
		if (!s->tsis[s->tsi_list.v[i]].want)
			dp->seen[s->tsi_list.v[i]] = dp->drops[s->tsi_list.v[i]] = 0;
	for (uint32_t i = 0; i < s->fdb_list.n; i++) {
		const struct nve_shadow_fdb *entry = &s->fdb[s->fdb_list.v[i]];
		struct dests *to = &dp->dests[s->fdb_list.v[i]];

		memcpy(to->slot, entry->slot, sizeof(to->slot));
		memcpy(to->kind, entry->kind, sizeof(to->kind));
	}
	nve_shadow_commit(s);
	return 0;
}

static int fake_resync_begin(struct nve_dp *dp)
{
	nve_shadow_reset(&dp->shadow);
	dp->in_resync = true;
	return 0;
}

static int fake_resync_end(struct nve_dp *dp)
{
	if (!dp->in_resync)
		return -EINVAL;
	dp->in_resync = false;
	return fake_apply(dp);
}

static uint64_t fake_last_seen(struct nve_dp *dp, uint32_t slot)
{
	return slot < dp->shadow.limits.max_tsis ? dp->seen[slot] : 0;
}

static int fake_tsi_stats(struct nve_dp *dp, uint32_t slot, struct nve_dp_tsi_stats *ret)
{
	if (slot >= dp->shadow.limits.max_tsis || !dp->shadow.tsis[slot].now)
		return -ENOENT;
	*ret = (struct nve_dp_tsi_stats){ .dropped = dp->drops[slot] };
	return 0;
}

static const char drop_text[] = "a test said that a frame was dropped";

static void fake_drops(struct nve_dp *dp, nve_dp_drop_fn *fn, void *arg)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < dp->shadow.limits.max_tsis; i++)
		sum += dp->drops[i];
	fn(arg, "TEST", drop_text, sum);
}

static int fake_tsi_drops(struct nve_dp *dp, uint32_t slot, nve_dp_drop_fn *fn, void *arg)
{
	if (slot >= dp->shadow.limits.max_tsis || !dp->shadow.tsis[slot].now)
		return -ENOENT;
	if (dp->drops[slot])
		fn(arg, "TEST", drop_text, dp->drops[slot]);
	return 0;
}

static int fake_dump(struct nve_dp *dp, const char *table, nve_dp_row_fn *fn, void *arg)
{
	char key[64], value[160];

	if (strcmp(table, "tsi"))
		return strcmp(table, "vn") && strcmp(table, "vtep") && strcmp(table, "fdb") ?
			       -ENOENT :
			       0;
	for (uint32_t i = 0; i < dp->shadow.limits.max_tsis; i++) {
		const struct nve_shadow_tsi_state *tsi = dp->shadow.tsis[i].now;

		if (!tsi)
			continue;
		snprintf(key, sizeof(key), "{\"slot\":%u}", i);
		snprintf(value, sizeof(value),
			 "{\"vn_id\":%u,\"port\":%u,\"tag\":%u,\"activated\":%s,\"addrs\":%u}",
			 tsi->key.vn_id, tsi->key.port, tsi->tag,
			 tsi->activated ? "true" : "false", tsi->n_addrs);
		fn(arg, key, value);
	}
	return 0;
}

static const char *fake_table(struct nve_dp *dp, size_t i, uint64_t *used, uint64_t *max)
{
	const struct nve_shadow *s = &dp->shadow;
	const struct {
		const char *name;
		uint64_t used, max;
	} tables[] = {
		{ "tsi", s->n_tsis, s->limits.max_tsis },
		{ "vn", s->n_vns, s->limits.max_vns },
		{ "vtep", s->n_vteps, s->limits.max_vteps },
		{ "fdb", s->n_fdb, s->limits.max_fdb },
	};

	if (i >= sizeof(tables) / sizeof(tables[0]))
		return NULL;
	*used = tables[i].used;
	*max = tables[i].max;
	return tables[i].name;
}

static int fake_fd(struct nve_dp *dp)
{
	(void)dp;
	return -1;
}

static void fake_dispatch(struct nve_dp *dp)
{
	(void)dp;
}

const struct nve_dp_ops nve_dp_fake = {
	.name = "fake",
	.open = fake_open,
	.close = fake_close,
	.flush = fake_flush,
	.port_set = fake_port_set,
	.port_del = fake_port_del,
	.port_status = fake_port_status,
	.vtep_set = fake_vtep_set,
	.vtep_del = fake_vtep_del,
	.vn_set = fake_vn_set,
	.vn_del = fake_vn_del,
	.vap_set = fake_vap_set,
	.vap_del = fake_vap_del,
	.tsi_set = fake_tsi_set,
	.tsi_del = fake_tsi_del,
	.fdb_set = fake_fdb_set,
	.fdb_del = fake_fdb_del,
	.apply = fake_apply,
	.resync_begin = fake_resync_begin,
	.resync_end = fake_resync_end,
	.last_seen = fake_last_seen,
	.tsi_stats = fake_tsi_stats,
	.drops = fake_drops,
	.tsi_drops = fake_tsi_drops,
	.dump = fake_dump,
	.table = fake_table,
	.fd = fake_fd,
	.dispatch = fake_dispatch,
};
