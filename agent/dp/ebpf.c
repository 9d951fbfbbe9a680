/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The eBPF datapath: the ops of dp.h.  What was told is kept in the shadow (shadow.h), which
 * checks it and takes room; tables have as many rows as the limits allow objects, and hash tables
 * are allocated beforehand, so that what the shadow takes the kernel takes too.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dp/ebpf_acl.h"
#include "dp/ebpf_answers.h"
#include "dp/ebpf_check.h"
#include "dp/ebpf_net.h"
#include "dp/ebpf_stats.h"
#include "dp/ebpf_tables.h"
#include "dp/ebpf_why.h"

enum { VXLAN_PORT = 4789, GENEVE_PORT = 6081 };

/* Half of what open() makes may be missing. */
static void ebpf_close(struct nve_dp *dp)
{
	if (!dp)
		return;
	for (uint16_t i = 0; i < NVE_PORTS_MAX; i++) {
		if (dp->ports[i].tc_link >= 0)
			close(dp->ports[i].tc_link);
		if (dp->ports[i].xdp_link >= 0)
			close(dp->ports[i].xdp_link);
	}
	nve_ebpf_glean_close(dp);
	nve_ebpf_copier_close(dp);
	nve_ebpf_netlink_close(dp);
	nve_ebpf_why_close(dp);
	nve_ebpf_unload(dp);
	nve_ebpf_acls_close(dp);
	nve_shadow_close(&dp->shadow);
	if (dp->pin_fd >= 0)
		close(dp->pin_fd);
	free(dp->pin_dir);
	free(dp->hops);
	free(dp);
}

static int check_config(const struct nve_dp_config *config, char **err)
{
	uint8_t v4 = config->local_vtep.family, v6 = config->local_vtep6.family;

	if ((v4 && v4 != 4) || (v6 && v6 != 6))
		return nve_ebpf_error(err, -EAFNOSUPPORT,
				      "the local VTEP's address is one of the other family");
	if (!v4 && !v6)
		return nve_ebpf_error(err, -EINVAL, "the local VTEP has no address");
	if (config->limits.max_flood > NVE_FLOOD_MAX)
		return nve_ebpf_error(err, -EINVAL,
				      "max_flood is %u, this datapath floods to %d members at most",
				      config->limits.max_flood, NVE_FLOOD_MAX);
	return 0;
}

static struct nve_dp *dp_new(const struct nve_dp_config *config)
{
	struct nve_dp *dp = calloc(1, sizeof(*dp));

	if (!dp)
		return NULL;
	dp->local_vtep = config->local_vtep;
	dp->local_vtep6 = config->local_vtep6;
	dp->vxlan_port = config->vxlan_port ? config->vxlan_port : VXLAN_PORT;
	dp->geneve_port = config->geneve_port ? config->geneve_port : GENEVE_PORT;
	dp->pin_fd = dp->events = dp->requests = dp->poll = dp->copier.link = -1;
	dp->gleaned = config->gleaned;
	dp->gleaned_arg = config->gleaned_arg;
	dp->moving = NVE_SLOT_NONE;
	for (uint16_t i = 0; i < NVE_PORTS_MAX; i++)
		dp->ports[i].tc_link = dp->ports[i].xdp_link = -1;
	dp->acls = calloc(1, sizeof(*dp->acls));
	dp->hops = calloc(config->limits.max_vteps, sizeof(dp->hops[0]));
	return dp;
}

static int set_up(struct nve_dp *dp, const struct nve_dp_config *config, char **err)
{
	int r = nve_shadow_open(&config->limits, &dp->shadow);

	if (r < 0)
		return nve_ebpf_error(err, r,
				      r == -EINVAL ? "each limit must be 1 to 16777216"
						   : "no memory for the tables");
	if (config->pin_dir)
		r = nve_ebpf_pins_open(dp, config->pin_dir, err);
	if (r < 0)
		return r;
	r = nve_ebpf_netlink_open(dp);
	if (r < 0)
		return nve_ebpf_error(err, r, "rtnetlink: %s", strerror(-r));
	r = config->unload ? 0 : nve_ebpf_load(dp, err);
	if (r < 0 || config->unload)
		return r;
	r = nve_ebpf_glean_open(dp);
	return r < 0 ? nve_ebpf_error(err, r, "the ring buffer of events: %s", strerror(-r)) : 0;
}

static int ebpf_open(const struct nve_dp_config *config, struct nve_dp **ret, char **err)
{
	struct nve_dp *dp;
	int r = check_config(config, err);

	if (r < 0)
		return r;
	dp = dp_new(config);
	if (!dp || !dp->hops || !dp->acls) {
		ebpf_close(dp);
		return -ENOMEM;
	}
	r = set_up(dp, config, err);
	if (r < 0) {
		ebpf_close(dp);
		return r;
	}
	*ret = dp;
	return 0;
}

static int ebpf_flush(struct nve_dp *dp)
{
	nve_ebpf_neigh_forget(dp);
	nve_ebpf_detach_all(dp);
	return nve_ebpf_pins_remove(dp);
}

/* --- told ------------------------------------------------------------------------------------- */

static int ebpf_vtep_set(struct nve_dp *dp, uint32_t slot, const struct nve_ip *ip)
{
	if (!(ip->family == 6 ? dp->local_vtep6 : dp->local_vtep).family)
		return -EAFNOSUPPORT;
	return nve_shadow_vtep_set(&dp->shadow, slot, ip);
}

static int ebpf_vtep_del(struct nve_dp *dp, uint32_t slot)
{
	return nve_shadow_vtep_del(&dp->shadow, slot);
}

static int ebpf_vn_set(struct nve_dp *dp, const struct nve_dp_vn *vn)
{
	return nve_shadow_vn_set(&dp->shadow, vn);
}

static int ebpf_vn_del(struct nve_dp *dp, uint32_t vn_id)
{
	return nve_shadow_vn_del(&dp->shadow, vn_id);
}

static int ebpf_vap_set(struct nve_dp *dp, const struct nve_dp_vap *vap)
{
	return nve_shadow_vap_set(&dp->shadow, vap);
}

static int ebpf_vap_del(struct nve_dp *dp, uint16_t port, uint16_t tag)
{
	return nve_shadow_vap_del(&dp->shadow, port, tag);
}

static int ebpf_tsi_set(struct nve_dp *dp, const struct nve_dp_tsi *tsi)
{
	return nve_shadow_tsi_set(&dp->shadow, tsi);
}

static int ebpf_tsi_del(struct nve_dp *dp, uint32_t slot)
{
	return nve_shadow_tsi_del(&dp->shadow, slot);
}

static int ebpf_fdb_set(struct nve_dp *dp, const struct nve_dp_fdb *fdb)
{
	return nve_shadow_fdb_set(&dp->shadow, fdb);
}

static int ebpf_fdb_del(struct nve_dp *dp, uint32_t vn_id, const uint8_t mac[NVE_MAC_LEN])
{
	return nve_shadow_fdb_del(&dp->shadow, vn_id, mac);
}

static int ebpf_neigh_set(struct nve_dp *dp, const struct nve_dp_neigh *neigh)
{
	return nve_shadow_neigh_set(&dp->shadow, neigh);
}

static int ebpf_neigh_del(struct nve_dp *dp, uint32_t vn_id, const struct nve_ip *ip)
{
	return nve_shadow_neigh_del(&dp->shadow, vn_id, ip);
}

/* --- done ------------------------------------------------------------------------------------- */

static int ebpf_apply(struct nve_dp *dp)
{
	return dp->in_resync ? -EBUSY : nve_ebpf_apply(dp);
}

static int ebpf_resync_begin(struct nve_dp *dp)
{
	nve_shadow_reset(&dp->shadow);
	nve_ebpf_acls_reset(dp);
	dp->in_resync = true;
	return 0;
}

static int ebpf_resync_end(struct nve_dp *dp)
{
	int r;

	if (!dp->in_resync)
		return -EINVAL;
	r = nve_ebpf_sweep(dp);
	dp->in_resync = false;
	nve_ebpf_detach_others(dp);
	return r;
}

static int ebpf_fd(struct nve_dp *dp)
{
	return dp->poll;
}

static void ebpf_dispatch(struct nve_dp *dp)
{
	nve_ebpf_netlink_dispatch(dp);
	nve_ebpf_glean_dispatch(dp);
}

const struct nve_dp_ops nve_dp_ebpf = {
	.name = "ebpf",
	.open = ebpf_open,
	.close = ebpf_close,
	.flush = ebpf_flush,
	.port_set = nve_ebpf_port_set,
	.port_del = nve_ebpf_port_del,
	.port_status = nve_ebpf_port_status,
	.vtep_set = ebpf_vtep_set,
	.vtep_del = ebpf_vtep_del,
	.acl_set = nve_ebpf_acl_set,
	.acl_del = nve_ebpf_acl_del,
	.vn_set = ebpf_vn_set,
	.vn_del = ebpf_vn_del,
	.vap_set = ebpf_vap_set,
	.vap_del = ebpf_vap_del,
	.tsi_set = ebpf_tsi_set,
	.tsi_del = ebpf_tsi_del,
	.fdb_set = ebpf_fdb_set,
	.fdb_del = ebpf_fdb_del,
	.neigh_set = ebpf_neigh_set,
	.neigh_del = ebpf_neigh_del,
	.apply = ebpf_apply,
	.resync_begin = ebpf_resync_begin,
	.resync_end = ebpf_resync_end,
	.check = nve_ebpf_check,
	.send = nve_ebpf_send,
	.last_seen = nve_ebpf_last_seen,
	.tsi_stats = nve_ebpf_tsi_stats,
	.drops = nve_ebpf_drops,
	.tsi_drops = nve_ebpf_tsi_drops,
	.answers = nve_ebpf_answers,
	.tenant_mtu = nve_ebpf_tenant_mtu,
	.dump = nve_ebpf_dump,
	.why = nve_ebpf_why,
	.table = nve_ebpf_table,
	.fd = ebpf_fd,
	.dispatch = ebpf_dispatch,
};
