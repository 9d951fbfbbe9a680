/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ports: which programs hang on which interface, and how.
 *
 * A port always has the TC program, for what XDP passes on and for frames that only the stack
 * sees; in XDP mode it has the XDP program too, in the driver, never the generic one.  Links are
 * pinned under the interface's index, so that the next agent finds them and puts its own programs
 * in (bpf_link_update): no frame meets an interface without.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dp/ebpf_net.h"
#include "dp/ebpf_tables.h"

enum { CLSACT_HANDLE = 1, CLSACT_PRIORITY = 1 };

struct nve_port nve_ebpf_port_row(const struct nve_dp *dp, uint16_t slot)
{
	bool access = dp->shadow.ports[slot].role == NVE_DP_ACCESS;

	return (struct nve_port){
		.slot = slot,
		.role = access ? NVE_PORT_ACCESS : NVE_PORT_UNDERLAY,
		.flags = dp->ports[slot].flags,
	};
}

/* --- links ------------------------------------------------------------------------------------ */

static void pin_name(char name[32], const char *kind, uint32_t ifindex)
{
	snprintf(name, 32, "%s_%u", kind, ifindex);
}

static bool lives(int link)
{
	struct bpf_link_info info = { 0 };
	uint32_t len = sizeof(info);

	/* tcx has its interface at the same place. */
	return bpf_obj_get_info_by_fd(link, &info, &len) == 0 && info.xdp.ifindex;
}

/*
 * The link that an earlier agent left, now with our program; -1 if there is none that lives.  While
 * our maps are still empty its own program stays: see ebpf_migrate.c.
 */
static int link_take_over(const struct nve_dp *dp, const char *path, int prog)
{
	int fd = bpf_obj_get(path);

	if (fd < 0)
		return -1;
	if (dp->migrating ? lives(fd) : bpf_link_update(fd, prog, NULL) == 0)
		return fd;
	bpf_link_detach(fd);
	close(fd);
	unlink(path); /* its interface is gone, and the index was given to another */
	return -1;
}

int nve_ebpf_link_make(struct nve_dp *dp, const char *kind, int prog, uint32_t ifindex, int type)
{
	DECLARE_LIBBPF_OPTS(bpf_link_create_opts, opts,
			    .flags = type == BPF_XDP ? XDP_FLAGS_DRV_MODE : 0);
	char name[32], path[256];
	bool pinned;
	int fd;

	pin_name(name, kind, ifindex);
	pinned = nve_ebpf_pin_path(dp, path, name);
	fd = pinned ? link_take_over(dp, path, prog) : -1;
	if (fd >= 0)
		return fd;
	fd = bpf_link_create(prog, ifindex, type, &opts);
	if (fd < 0)
		return fd;
	if (pinned && bpf_obj_pin(fd, path) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	return fd;
}

void nve_ebpf_link_end(struct nve_dp *dp, const char *kind, uint32_t ifindex, int *fd)
{
	char name[32], path[256];

	pin_name(name, kind, ifindex);
	if (nve_ebpf_pin_path(dp, path, name)) {
		int old = *fd < 0 ? bpf_obj_get(path) : -1;

		if (old >= 0) {
			bpf_link_detach(old);
			close(old);
		}
		unlink(path);
	}
	if (*fd >= 0) {
		bpf_link_detach(*fd);
		close(*fd);
	}
	*fd = -1;
}

int nve_ebpf_clsact_make(struct nve_dp *dp, uint16_t slot, int prog)
{
	DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = dp->ports[slot].ifindex,
			    .attach_point = BPF_TC_INGRESS);
	DECLARE_LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = prog, .handle = CLSACT_HANDLE,
			    .priority = CLSACT_PRIORITY, .flags = BPF_TC_F_REPLACE);
	DECLARE_LIBBPF_OPTS(bpf_tc_opts, there, .handle = CLSACT_HANDLE,
			    .priority = CLSACT_PRIORITY);
	int r = bpf_tc_hook_create(&hook);

	if (r < 0 && r != -EEXIST)
		return r;
	/* As with links, an earlier agent's program stays while our maps are empty. */
	r = dp->migrating && bpf_tc_query(&hook, &there) == 0 ? 0 : bpf_tc_attach(&hook, &opts);
	dp->ports[slot].clsact = r == 0;
	return r;
}

uint32_t nve_ebpf_clsact_prog(const struct nve_dp *dp, uint16_t slot)
{
	DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = dp->ports[slot].ifindex,
			    .attach_point = BPF_TC_INGRESS);
	DECLARE_LIBBPF_OPTS(bpf_tc_opts, opts, .handle = CLSACT_HANDLE,
			    .priority = CLSACT_PRIORITY);

	return bpf_tc_query(&hook, &opts) == 0 ? opts.prog_id : 0;
}

static void clsact_end(struct nve_dp *dp, uint16_t slot)
{
	DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = dp->ports[slot].ifindex,
			    .attach_point = BPF_TC_INGRESS);
	DECLARE_LIBBPF_OPTS(bpf_tc_opts, opts, .handle = CLSACT_HANDLE,
			    .priority = CLSACT_PRIORITY);

	if (dp->ports[slot].clsact)
		bpf_tc_detach(&hook, &opts);
	dp->ports[slot].clsact = false;
}

static int port_update(struct nve_dp *dp, uint16_t slot)
{
	const struct nve_ebpf_port *p = &dp->ports[slot];
	bool access = dp->shadow.ports[slot].role == NVE_DP_ACCESS;
	int xdp = dp->prog[access ? NVE_PROG_XDP_ACCESS : NVE_PROG_XDP_UNDERLAY];
	int tc = dp->prog[access ? NVE_PROG_TC_ACCESS : NVE_PROG_TC_UNDERLAY];
	int r = 0;

	if (p->clsact)
		r = nve_ebpf_clsact_make(dp, slot, tc);
	if (r == 0 && p->tc_link >= 0)
		r = bpf_link_update(p->tc_link, tc, NULL);
	if (r == 0 && p->xdp_link >= 0)
		r = bpf_link_update(p->xdp_link, xdp, NULL);
	return r;
}

/* What is sent to the loop is understood there by the program of the same agent: it goes first. */
int nve_ebpf_links_update(struct nve_dp *dp)
{
	int r = 0;

	dp->migrating = false; /* from now on the new maps are those that count */
	if (dp->copier.link >= 0)
		r = bpf_link_update(dp->copier.link, dp->prog[NVE_PROG_XDP_COPY], NULL);
	for (uint16_t i = 0; i < NVE_PORTS_MAX && r == 0; i++)
		if (dp->shadow.port_is_set[i] && dp->ports[i].ifindex)
			r = port_update(dp, i);
	return r;
}

/* --- one port --------------------------------------------------------------------------------- */

static int attach_tc(struct nve_dp *dp, uint16_t slot)
{
	struct nve_ebpf_port *p = &dp->ports[slot];
	bool access = dp->shadow.ports[slot].role == NVE_DP_ACCESS;
	int prog = dp->prog[access ? NVE_PROG_TC_ACCESS : NVE_PROG_TC_UNDERLAY];

	p->tc_link = nve_ebpf_link_make(dp, "tc", prog, p->ifindex, NVE_ATTACH_TCX_INGRESS);
	if (p->tc_link >= 0)
		return 0;
	if (p->tc_link != -EINVAL)
		return p->tc_link;
	p->tc_link = -1;
	return nve_ebpf_clsact_make(dp, slot, prog);
}

static int attach_xdp(struct nve_dp *dp, uint16_t slot)
{
	struct nve_ebpf_port *p = &dp->ports[slot];
	bool access = dp->shadow.ports[slot].role == NVE_DP_ACCESS;
	int prog = dp->prog[access ? NVE_PROG_XDP_ACCESS : NVE_PROG_XDP_UNDERLAY];
	int fd = nve_ebpf_link_make(dp, "xdp", prog, p->ifindex, BPF_XDP);

	if (fd < 0)
		return fd;
	p->xdp_link = fd;
	return 0;
}

static void detach(struct nve_dp *dp, uint16_t slot)
{
	struct nve_ebpf_port *p = &dp->ports[slot];

	if (!p->ifindex)
		return;
	nve_ebpf_copier_del(dp, slot);
	clsact_end(dp, slot);
	nve_ebpf_link_end(dp, "xdp", p->ifindex, &p->xdp_link);
	nve_ebpf_link_end(dp, "tc", p->ifindex, &p->tc_link);
	bpf_map_delete_elem(dp->map[NVE_MAP_PORT], &p->ifindex);
}

/* Says in 'why' what the choice rests on.  In XDP mode the program is attached here. */
static int choose_mode(struct nve_dp *dp, uint16_t slot)
{
	const struct nve_dp_port *port = &dp->shadow.ports[slot];
	struct nve_ebpf_port *p = &dp->ports[slot];
	char ifname[sizeof(port->ifname)];
	struct nve_ebpf_nic nic;
	bool changed, off;
	int r;

	p->mode = NVE_DP_TC;
	memcpy(ifname, port->ifname, sizeof(ifname));
	nve_ebpf_probe(ifname, &nic);
	if (port->mode == NVE_DP_TC) {
		snprintf(p->why, sizeof(p->why), "TC, as configured");
		return 0;
	}
	if (port->mode == NVE_DP_AUTO && !nic.hardware) {
		snprintf(p->why, sizeof(p->why), "%s: XDP would cost GSO", nic.driver);
		return 0;
	}
	off = nve_ebpf_rxvlan_off(ifname, &changed);
	if (!off && port->role == NVE_DP_ACCESS) {
		snprintf(p->why, sizeof(p->why),
			 "%s: VLAN tags are taken out of frames before XDP sees them "
			 "(ethtool -K %s rxvlan off failed)",
			 nic.driver, ifname);
		return port->mode == NVE_DP_AUTO ? 0 : -EOPNOTSUPP;
	}
	r = attach_xdp(dp, slot);
	if (r < 0) {
		snprintf(p->why, sizeof(p->why), "%s takes no XDP program: %s", nic.driver,
			 strerror(-r));
		return port->mode == NVE_DP_AUTO ? 0 : r;
	}
	p->mode = NVE_DP_XDP;
	if (nic.hardware)
		snprintf(p->why, sizeof(p->why), "%s has XDP%s", nic.driver,
			 changed ? "; rxvlan was switched off" : "");
	else
		snprintf(p->why, sizeof(p->why),
			 "XDP, as configured; the far end of this %s needs "
			 "'ethtool -K .. tx off txvlan off gro on'%s",
			 nic.driver, changed ? "; rxvlan was switched off" : "");
	return 0;
}

/* Without them it does as well, but slower. */
static void add_copies(struct nve_dp *dp, uint16_t slot)
{
	struct nve_ebpf_port *p = &dp->ports[slot];
	int r = nve_ebpf_copier_add(dp, slot);
	size_t n = strlen(p->why);

	if (r < 0)
		snprintf(p->why + n, sizeof(p->why) - n, "; broadcasts are copied in TC: %s",
			 strerror(-r));
}

static void set_flags(struct nve_dp *dp, uint16_t slot)
{
	bool host = dp->shadow.ports[slot].untagged == NVE_DP_UNTAGGED_HOST;
	bool xdp = dp->ports[slot].mode == NVE_DP_XDP;

	dp->ports[slot].flags = (xdp ? NVE_PORT_XDP : 0) | (host ? NVE_PORT_UNTAGGED_HOST : 0);
}

/* The row first: a program looks its port up. */
static int attach(struct nve_dp *dp, uint16_t slot)
{
	struct nve_ebpf_port *p = &dp->ports[slot];
	struct nve_port row;
	int r = choose_mode(dp, slot);

	if (r < 0)
		return r;
	set_flags(dp, slot);
	row = nve_ebpf_port_row(dp, slot);
	r = bpf_map_update_elem(dp->map[NVE_MAP_PORT], &p->ifindex, &row, BPF_ANY);
	if (r < 0)
		return r;
	if (p->mode == NVE_DP_XDP)
		add_copies(dp, slot);
	else
		nve_ebpf_link_end(dp, "xdp", p->ifindex, &p->xdp_link); /* an earlier agent's */
	r = attach_tc(dp, slot);
	if (r < 0)
		snprintf(p->why, sizeof(p->why), "the TC program cannot be attached: %s",
			 strerror(-r));
	return r;
}

/* What lies in rows about the port: of its VAPs and TSIs.  Does nothing amid the engine's turn. */
static void rewrite(struct nve_dp *dp, uint16_t slot)
{
	struct nve_hash_node *node = NULL;
	bool idle = !dp->shadow.tsi_list.n && !dp->shadow.vap_list.n && !dp->shadow.vn_list.n &&
		    !dp->shadow.fdb_list.n && !dp->shadow.vtep_list.n;

	for (uint32_t i = 0; i < dp->shadow.limits.max_tsis; i++) {
		const struct nve_shadow_tsi *tsi = &dp->shadow.tsis[i];

		if ((tsi->now && tsi->now->key.port == slot) ||
		    (tsi->want && tsi->want->key.port == slot))
			nve_shadow_touch_tsi(&dp->shadow, i);
	}
	while ((node = nve_hash_next(&dp->shadow.vaps, node))) {
		struct nve_shadow_vap *vap =
			(void *)((char *)node - offsetof(struct nve_shadow_vap, node));

		if (vap->port == slot)
			nve_shadow_touch_vap(&dp->shadow, vap);
	}
	if (idle && !dp->in_resync)
		nve_ebpf_apply(dp);
}

static void take_link(struct nve_dp *dp, uint16_t slot, const struct nve_ebpf_link *link)
{
	struct nve_ebpf_port *p = &dp->ports[slot];

	p->ifindex = link->ifindex;
	p->mtu = link->mtu;
	memcpy(p->mac, link->mac, sizeof(p->mac));
}

int nve_ebpf_port_set(struct nve_dp *dp, const struct nve_dp_port *port, char **err)
{
	struct nve_dp_port before;
	struct nve_ebpf_port *p;
	struct nve_ebpf_link link;
	bool known;
	int r = nve_ebpf_link_get(dp, 0, port->ifname, &link);

	if (port->slot >= NVE_PORTS_MAX)
		return nve_ebpf_error(err, -ENOSPC, "port %s: at most %d ports", port->name,
				      NVE_PORTS_MAX);
	if (r < 0)
		return nve_ebpf_error(err, r, "port %s: interface %s: %s", port->name, port->ifname,
				      strerror(-r));
	p = &dp->ports[port->slot];
	before = dp->shadow.ports[port->slot];
	known = dp->shadow.port_is_set[port->slot];
	if (known && !memcmp(&before, port, sizeof(before)) && p->ifindex == link.ifindex)
		return 0;
	r = nve_shadow_port_set(&dp->shadow, port);
	if (r < 0)
		return nve_ebpf_error(err, r, "port %s: %s", port->name, strerror(-r));
	if (known &&
	    (before.role != port->role || p->ifindex != link.ifindex || before.mode != port->mode))
		detach(dp, port->slot);
	take_link(dp, port->slot, &link);
	r = attach(dp, port->slot);
	if (r < 0) {
		nve_ebpf_error(err, r, "port %s (%s): %s", port->name, port->ifname, p->why);
		detach(dp, port->slot);
		p->ifindex = 0;
		dp->shadow.port_is_set[port->slot] = false;
		return r;
	}
	if (known)
		rewrite(dp, port->slot);
	else
		p->row_ifindex = p->ifindex;
	nve_ebpf_vteps_resolve(dp);
	return 0;
}

int nve_ebpf_port_del(struct nve_dp *dp, uint16_t slot)
{
	if (slot >= NVE_PORTS_MAX || !dp->shadow.port_is_set[slot])
		return 0;
	detach(dp, slot);
	nve_shadow_port_del(&dp->shadow, slot);
	dp->ports[slot] = (struct nve_ebpf_port){ .tc_link = -1, .xdp_link = -1 };
	nve_ebpf_vteps_resolve(dp);
	return 0;
}

int nve_ebpf_port_status(struct nve_dp *dp, uint16_t slot, struct nve_dp_port_status *ret)
{
	const struct nve_ebpf_port *p;
	struct nve_ebpf_link link = { 0 };

	if (slot >= NVE_PORTS_MAX || !dp->shadow.port_is_set[slot])
		return -ENOENT;
	p = &dp->ports[slot];
	if (p->ifindex)
		nve_ebpf_link_get(dp, p->ifindex, NULL, &link);
	*ret = (struct nve_dp_port_status){
		.mode = p->mode,
		.up = link.up,
		.ifindex = p->ifindex,
	};
	snprintf(ret->why, sizeof(ret->why), "%s", p->ifindex ? p->why : "no such interface now");
	return 0;
}

void nve_ebpf_port_follow(struct nve_dp *dp, uint16_t slot, const struct nve_ebpf_link *link)
{
	struct nve_ebpf_port *p = &dp->ports[slot];

	if (p->ifindex == link->ifindex) {
		take_link(dp, slot, link);
		return;
	}
	detach(dp, slot);
	p->tc_link = p->xdp_link = -1;
	take_link(dp, slot, link);
	if (!link->ifindex)
		return;
	if (attach(dp, slot) < 0)
		return; /* 'why' says it */
	rewrite(dp, slot);
}

/* --- all -------------------------------------------------------------------------------------- */

static bool ours(const struct nve_dp *dp, const char *name)
{
	uint32_t ifindex;

	if (sscanf(name, "tc_%u", &ifindex) != 1 && sscanf(name, "xdp_%u", &ifindex) != 1)
		return true; /* no link */
	for (uint16_t i = 0; i < NVE_PORTS_MAX; i++)
		if (dp->shadow.port_is_set[i] && dp->ports[i].ifindex == ifindex)
			return true;
	return ifindex == dp->copier.b;
}

void nve_ebpf_detach_others(struct nve_dp *dp)
{
	DIR *dir = dp->pin_dir ? opendir(dp->pin_dir) : NULL;
	char path[256];
	struct dirent *d;

	nve_ebpf_copier_sweep(dp);
	while (dir && (d = readdir(dir))) {
		int fd;

		if (ours(dp, d->d_name) || !nve_ebpf_pin_path(dp, path, d->d_name))
			continue;
		fd = bpf_obj_get(path);
		if (fd >= 0) {
			bpf_link_detach(fd);
			close(fd);
		}
		unlink(path);
	}
	if (dir)
		closedir(dir);
}

void nve_ebpf_detach_all(struct nve_dp *dp)
{
	for (uint16_t i = 0; i < NVE_PORTS_MAX; i++)
		if (dp->shadow.port_is_set[i])
			nve_ebpf_port_del(dp, i);
	nve_ebpf_detach_others(dp);
}
