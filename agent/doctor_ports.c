/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The doctor: interfaces of ports.  Offloads that merge or change frames before a program sees them
 * cost frames, or tags; an underlay that is no larger than the tenants' frames costs those.
 */
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "doctor_say.h"

enum { REMEDY = 160, OUTER4 = 50, OUTER6 = 70 }; /* headers around a tenant's Ethernet frame */

struct port {
	const struct nve_engine_port *is;
	const char *name;
	struct ifreq req;
	int fd;
	char driver[33];
};

static int ask(struct port *p, unsigned long what, void *data)
{
	memset(&p->req, 0, sizeof(p->req));
	snprintf(p->req.ifr_name, sizeof(p->req.ifr_name), "%s", p->is->dp.ifname);
	if (data)
		p->req.ifr_data = data;
	return ioctl(p->fd, what, &p->req) < 0 ? -errno : 0;
}

/* By its name among the driver's features; false also where it has none of that name. */
static bool feature_on(struct port *p, const char *name)
{
	struct {
		struct ethtool_sset_info info;
		uint32_t n;
	} sset = { .info = { .cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ull << ETH_SS_FEATURES } };
	struct ethtool_gstrings *names;
	struct ethtool_gfeatures *is;
	bool on = false;

	if (ask(p, SIOCETHTOOL, &sset) < 0 || !sset.n)
		return false;
	names = calloc(1, sizeof(*names) + sset.n * ETH_GSTRING_LEN);
	is = calloc(1, sizeof(*is) + (sset.n + 31) / 32 * sizeof(is->features[0]));
	if (names && is) {
		*names = (struct ethtool_gstrings){ ETHTOOL_GSTRINGS, ETH_SS_FEATURES, sset.n };
		*is = (struct ethtool_gfeatures){ ETHTOOL_GFEATURES, (sset.n + 31) / 32 };
		if (ask(p, SIOCETHTOOL, names) == 0 && ask(p, SIOCETHTOOL, is) == 0)
			for (uint32_t i = 0; i < sset.n; i++)
				on |= !strncmp((char *)names->data + i * ETH_GSTRING_LEN, name,
					       ETH_GSTRING_LEN) &&
				      (is->features[i / 32].active >> i % 32 & 1);
	}
	free(names);
	free(is);
	return on;
}

static void check_offloads(const struct doctor *d, struct port *p)
{
	struct ethtool_value flags = { .cmd = ETHTOOL_GFLAGS };
	const char *ifname = p->is->dp.ifname;
	bool xdp = p->is->dp.mode == NVE_DP_XDP;
	char remedy[REMEDY];

	if (ask(p, SIOCETHTOOL, &flags) < 0)
		return;
	snprintf(remedy, sizeof(remedy), "ethtool -K %s lro off", ifname);
	if (flags.data & ETH_FLAG_LRO)
		nve_doctor_say(d, xdp ? NVE_DOCTOR_FAIL : NVE_DOCTOR_WARN, "lro", p->name, remedy,
			       "%s merges packets that cannot be forwarded as they came", ifname);
	snprintf(remedy, sizeof(remedy), "ethtool -K %s rx-gro-hw off", ifname);
	if (xdp && feature_on(p, "rx-gro-hw"))
		nve_doctor_say(d, NVE_DOCTOR_FAIL, "gro-hw", p->name, remedy,
			       "%s merges packets before XDP sees them", ifname);
	snprintf(remedy, sizeof(remedy), "ethtool -K %s rxvlan off", ifname);
	if (xdp && p->is->dp.role == NVE_DP_ACCESS && (flags.data & ETH_FLAG_RXVLAN))
		nve_doctor_say(d, NVE_DOCTOR_FAIL, "rxvlan", p->name, remedy,
			       "%s takes VLAN tags out of frames before XDP sees them", ifname);
}

static int mtu_of(struct port *p)
{
	return ask(p, SIOCGIFMTU, NULL) == 0 ? p->req.ifr_mtu : 0;
}

static bool check_link(const struct doctor *d, struct port *p)
{
	const char *ifname = p->is->dp.ifname;
	char remedy[REMEDY];
	int r = ask(p, SIOCGIFFLAGS, NULL);

	if (r < 0) {
		nve_doctor_say(d, NVE_DOCTOR_FAIL, "interface", p->name,
			       "make it, or correct the port's ifname", "%s: %s", ifname,
			       strerror(-r));
		return false;
	}
	snprintf(remedy, sizeof(remedy), "ip link set %s up", ifname);
	if (!(p->req.ifr_flags & IFF_UP))
		nve_doctor_say(d, NVE_DOCTOR_FAIL, "interface", p->name, remedy, "%s is down",
			       ifname);
	else if (!(p->req.ifr_flags & IFF_RUNNING))
		nve_doctor_say(d, NVE_DOCTOR_WARN, "interface", p->name, "look at the cable",
			       "%s has no carrier", ifname);
	else
		nve_doctor_say(d, NVE_DOCTOR_OK, "interface", p->name, "", "%s is up, MTU %d",
			       ifname, mtu_of(p));
	return true;
}

static void compare_mtus(const struct doctor *d, int access, int underlay)
{
	int outer = d->config->local_vtep6.family ? OUTER6 : OUTER4;
	char remedy[REMEDY];

	if (!access || !underlay)
		return;
	snprintf(remedy, sizeof(remedy),
		 "set the underlay's MTU to %d or more, or give the VNs an mtu of %d",
		 access + outer, underlay - outer);
	if (underlay < access + outer)
		nve_doctor_say(d, NVE_DOCTOR_WARN, "mtu", "", remedy,
			       "the underlay carries %d bytes: packets of tenants beyond %d, whose "
			       "ports take %d, are answered with 'too big' or lost",
			       underlay, underlay - outer, access);
	else
		nve_doctor_say(d, NVE_DOCTOR_OK, "mtu", "", "",
			       "the underlay (%d) has room for tenants' packets of %d", underlay,
			       access);
}

void nve_doctor_ports(const struct doctor *d)
{
	int least_underlay = 0, most_access = 0;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	for (uint32_t i = 0; fd >= 0 && i < d->config->n_ports; i++) {
		struct port p = { .is = &d->config->ports[i], .fd = fd };
		bool access = p.is->dp.role == NVE_DP_ACCESS;
		int mtu;

		p.name = p.is->dp.name;
		if (!check_link(d, &p))
			continue;
		check_offloads(d, &p);
		mtu = mtu_of(&p);
		if (access && mtu > most_access)
			most_access = mtu;
		if (!access && (!least_underlay || mtu < least_underlay))
			least_underlay = mtu;
	}
	compare_mtus(d, most_access, least_underlay);
	if (fd >= 0)
		close(fd);
}
