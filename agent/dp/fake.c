/* SPDX-License-Identifier: Apache-2.0 */
/* The datapath in memory, see fake.h: the shadow, and what the operator reads. */
#include "dp/fake.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dp/fake_dp.h"
#include "dp/shadow_mtu.h"

/* --- what tests may do ------------------------------------------------------------------------ */

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

/* --- ops -------------------------------------------------------------------------------------- */

static void fake_close(struct nve_dp *dp)
{
	if (!dp)
		return;
	nve_fake_forget_sent(dp);
	nve_shadow_close(&dp->shadow);
	free(dp->dests);
	free(dp->seen);
	free(dp);
}

static int fake_open(const struct nve_dp_config *config, struct nve_dp **ret, char **err)
{
	struct nve_dp *dp = calloc(1, sizeof(*dp));
	int r;

	if (!dp)
		return -ENOMEM;
	dp->v6 = config->local_vtep6.family;
	r = nve_shadow_open(&config->limits, &dp->shadow);
	if (r < 0) {
		if (err && r == -EINVAL)
			*err = strdup("each limit must be from 1 to 16777216");
		free(dp);
		return r;
	}
	dp->dests = calloc(2 * config->limits.max_fdb, sizeof(dp->dests[0]));
	dp->seen = calloc(config->limits.max_tsis, sizeof(dp->seen[0]));
	if (!dp->dests || !dp->seen) {
		fake_close(dp);
		return -ENOMEM;
	}
	dp->gleaned = config->gleaned;
	dp->gleaned_arg = config->gleaned_arg;
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

static int fake_acl_set(struct nve_dp *dp, const struct nve_dp_acl *acl)
{
	return may_fail(dp) ?: nve_shadow_acl_set(&dp->shadow, acl);
}

static int fake_acl_del(struct nve_dp *dp, uint32_t id)
{
	return nve_shadow_acl_del(&dp->shadow, id);
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

static int fake_neigh_set(struct nve_dp *dp, const struct nve_dp_neigh *neigh)
{
	return may_fail(dp) ?: nve_shadow_neigh_set(&dp->shadow, neigh);
}

static int fake_neigh_del(struct nve_dp *dp, uint32_t vn_id, const struct nve_ip *ip)
{
	return nve_shadow_neigh_del(&dp->shadow, vn_id, ip);
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
	for (uint32_t i = 0; i < s->tsi_list.n; i++)
		if (!s->tsis[s->tsi_list.v[i]].want)
			dp->seen[s->tsi_list.v[i]] = 0;
	for (uint32_t i = 0; i < s->fdb_list.n; i++) {
		const struct nve_shadow_fdb *entry = &s->fdb[s->fdb_list.v[i]];
		struct nve_fake_dests *to = &dp->dests[s->fdb_list.v[i]];

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
	*ret = (struct nve_dp_tsi_stats){ 0 };
	return 0;
}

static void fake_drops(struct nve_dp *dp, nve_dp_drop_fn *fn, void *arg)
{
	(void)dp, (void)fn, (void)arg;
}

static void fake_answers(struct nve_dp *dp, nve_dp_drop_fn *fn, void *arg)
{
	(void)dp, (void)fn, (void)arg;
}

static uint32_t link_mtu(const struct nve_dp *dp, uint32_t vtep)
{
	(void)dp, (void)vtep;
	return NVE_FAKE_MTU;
}

static uint32_t fake_tenant_mtu(struct nve_dp *dp, uint32_t vn_id)
{
	return nve_shadow_tenant_mtu(&dp->shadow, vn_id, dp->v6, link_mtu, dp);
}

static int fake_tsi_drops(struct nve_dp *dp, uint32_t slot, nve_dp_drop_fn *fn, void *arg)
{
	(void)fn, (void)arg;
	if (slot >= dp->shadow.limits.max_tsis || !dp->shadow.tsis[slot].now)
		return -ENOENT;
	return 0;
}

static int dump_tsis(struct nve_dp *dp, nve_dp_row_fn *fn, void *arg)
{
	char key[64], value[160];

	for (uint32_t i = 0; i < dp->shadow.limits.max_tsis; i++) {
		const struct nve_shadow_tsi_state *tsi = dp->shadow.tsis[i].now;

		if (!tsi)
			continue;
		snprintf(key, sizeof(key), "{\"tsi\":%u}", i);
		snprintf(value, sizeof(value),
			 "{\"vn_id\":%u,\"port\":%u,\"vid\":%u,\"activated\":%s,\"addrs\":%u}",
			 tsi->key.vn_id, tsi->key.port, tsi->tag, tsi->activated ? "true" : "false",
			 tsi->n_addrs);
		fn(arg, key, value);
	}
	return 0;
}

static int dump_meters(struct nve_dp *dp, nve_dp_row_fn *fn, void *arg)
{
	char key[64], value[160];

	for (uint32_t i = 0; i < dp->shadow.limits.max_tsis; i++) {
		const struct nve_shadow_tsi_state *tsi = dp->shadow.tsis[i].now;

		if (!nve_shadow_metered(tsi))
			continue;
		snprintf(key, sizeof(key), "{\"tsi\":%u}", i);
		snprintf(value, sizeof(value),
			 "{\"from_tsi\":%lu,\"from_tsi_burst\":%u,\"to_tsi\":%lu,"
			 "\"to_tsi_burst\":%u}",
			 tsi->qos.from_tsi, tsi->qos.from_tsi_burst, tsi->qos.to_tsi,
			 tsi->qos.to_tsi_burst);
		fn(arg, key, value);
	}
	return 0;
}

static int dump_vns(struct nve_dp *dp, nve_dp_row_fn *fn, void *arg)
{
	struct nve_hash_node *node = NULL;
	char key[64], value[96];

	while ((node = nve_hash_next(&dp->shadow.vns, node))) {
		const struct nve_shadow_vn *vn =
			(void *)((char *)node - offsetof(struct nve_shadow_vn, node));

		if (!vn->now)
			continue;
		snprintf(key, sizeof(key), "{\"vn_id\":%u}", vn->vn_id);
		snprintf(value, sizeof(value), "{\"vni\":%u,\"vteps\":%u}", vn->now->vni,
			 vn->now->n_vteps);
		fn(arg, key, value);
	}
	return 0;
}

static int dump_vteps(struct nve_dp *dp, nve_dp_row_fn *fn, void *arg)
{
	char key[64], value[96], ip[INET6_ADDRSTRLEN];

	for (uint32_t i = 0; i < dp->shadow.limits.max_vteps; i++) {
		const struct nve_ip *now = &dp->shadow.vteps[i].now;

		if (!now->family)
			continue;
		inet_ntop(now->family == 4 ? AF_INET : AF_INET6, now->bytes, ip, sizeof(ip));
		snprintf(key, sizeof(key), "{\"vtep\":%u}", i);
		snprintf(value, sizeof(value), "{\"ip\":\"%s\"}", ip);
		fn(arg, key, value);
	}
	return 0;
}

static int dump_fdb(struct nve_dp *dp, nve_dp_row_fn *fn, void *arg)
{
	char key[64], value[160];

	for (uint32_t i = 0; i < dp->shadow.fdb_top; i++) {
		const struct nve_shadow_fdb *e = &dp->shadow.fdb[i];
		const struct nve_fake_dests *to = &dp->dests[i];

		if (!e->now)
			continue;
		snprintf(key, sizeof(key),
			 "{\"vn_id\":%u,\"mac\":\"%02x:%02x:%02x:%02x:%02x:%02x\"}", e->vn_id,
			 e->mac[0], e->mac[1], e->mac[2], e->mac[3], e->mac[4], e->mac[5]);
		snprintf(value, sizeof(value),
			 "{\"first\":{\"kind\":%u,\"slot\":%u},\"second\":{\"kind\":%u,\"slot\":%u}"
			 "}",
			 to->kind[0], to->slot[0], to->kind[1], to->slot[1]);
		fn(arg, key, value);
	}
	return 0;
}

static int say_claim(char *to, size_t size, const struct nve_dp_claim *c)
{
	return snprintf(to, size, "{\"kind\":%u,\"mac\":\"%02x:%02x:%02x:%02x:%02x:%02x\"}",
			c->kind, c->mac[0], c->mac[1], c->mac[2], c->mac[3], c->mac[4], c->mac[5]);
}

static int dump_neighs(struct nve_dp *dp, nve_dp_row_fn *fn, void *arg)
{
	char key[96], value[160], claims[2][64], ip[INET6_ADDRSTRLEN];
	const struct nve_shadow_neigh *e = NULL;

	while ((e = nve_shadow_neigh_next(&dp->shadow, e))) {
		if (!nve_shadow_neigh_is(e->now))
			continue;
		inet_ntop(e->ip.family == 4 ? AF_INET : AF_INET6, e->ip.bytes, ip, sizeof(ip));
		snprintf(key, sizeof(key), "{\"vn_id\":%u,\"ip\":\"%s\"}", e->vn_id, ip);
		for (int i = 0; i < 2; i++)
			say_claim(claims[i], sizeof(claims[i]), &e->now[i]);
		snprintf(value, sizeof(value), "{\"first\":%s,\"second\":%s}", claims[0],
			 claims[1]);
		fn(arg, key, value);
	}
	return 0;
}

static const struct {
	const char *name;
	int (*dump)(struct nve_dp *dp, nve_dp_row_fn *fn, void *arg);
} tables[] = {
	{ "tsi", dump_tsis }, { "flood", dump_vns },    { "vtep", dump_vteps },
	{ "fdb", dump_fdb },  { "neigh", dump_neighs }, { "meter", dump_meters },
};
enum { TABLES = sizeof(tables) / sizeof(tables[0]) };

static int fake_dump(struct nve_dp *dp, const char *table, nve_dp_row_fn *fn, void *arg)
{
	for (int i = 0; i < TABLES; i++)
		if (!strcmp(tables[i].name, table))
			return tables[i].dump(dp, fn, arg);
	return -ENOENT;
}

static const char *fake_table(struct nve_dp *dp, size_t i, uint64_t *used, uint64_t *max)
{
	const struct nve_shadow *s = &dp->shadow;
	const uint64_t sizes[TABLES][2] = {
		{ s->n_tsis, s->limits.max_tsis },
		{ s->n_vns, s->limits.max_vns },
		{ s->n_vteps, s->limits.max_vteps },
		{ s->n_fdb, s->limits.max_fdb },
		{ s->neighs.n, nve_shadow_max_neighs(&s->limits) },
		{ s->n_meters, s->limits.max_meters },
	};

	if (i >= TABLES)
		return NULL;
	*used = sizes[i][0];
	*max = sizes[i][1];
	return tables[i].name;
}

static int fake_fd(struct nve_dp *dp)
{
	(void)dp;
	return -1;
}

static void fake_dispatch(struct nve_dp *dp)
{
	for (size_t i = 0; i < dp->n_told && dp->gleaned; i++)
		dp->gleaned(dp->gleaned_arg, &dp->told[i]);
	dp->n_told = 0;
}

/* The model has no frames of bytes. */
static int fake_why(struct nve_dp *dp, uint16_t port, const uint8_t *frame, size_t len,
		    struct nve_dp_why *ret, nve_dp_step_fn *fn, void *arg)
{
	(void)dp;
	(void)port;
	(void)frame;
	(void)len;
	(void)ret;
	(void)fn;
	(void)arg;
	return -EOPNOTSUPP;
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
	.acl_set = fake_acl_set,
	.acl_del = fake_acl_del,
	.vn_set = fake_vn_set,
	.vn_del = fake_vn_del,
	.vap_set = fake_vap_set,
	.vap_del = fake_vap_del,
	.tsi_set = fake_tsi_set,
	.tsi_del = fake_tsi_del,
	.fdb_set = fake_fdb_set,
	.fdb_del = fake_fdb_del,
	.neigh_set = fake_neigh_set,
	.neigh_del = fake_neigh_del,
	.apply = fake_apply,
	.resync_begin = fake_resync_begin,
	.resync_end = fake_resync_end,
	.check = nve_fake_check,
	.send = nve_fake_send,
	.last_seen = fake_last_seen,
	.tsi_stats = fake_tsi_stats,
	.drops = fake_drops,
	.tsi_drops = fake_tsi_drops,
	.answers = fake_answers,
	.tenant_mtu = fake_tenant_mtu,
	.dump = fake_dump,
	.why = fake_why,
	.table = fake_table,
	.fd = fake_fd,
	.dispatch = fake_dispatch,
};
