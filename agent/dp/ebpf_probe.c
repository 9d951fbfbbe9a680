/* SPDX-License-Identifier: Apache-2.0 */
/* What kind of interface a port is, asked over the ethtool ioctl. */
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dp/ebpf_net.h"

static int ethtool(const char *ifname, void *data)
{
	struct ifreq req = { .ifr_data = data };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return -1;
	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", ifname);
	r = ioctl(fd, SIOCETHTOOL, &req);
	close(fd);
	return r;
}

/* Drivers of hardware tell the bus it is on. */
void nve_ebpf_probe(const char *ifname, struct nve_ebpf_nic *ret)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };

	*ret = (struct nve_ebpf_nic){ .driver = "unknown driver" };
	if (ethtool(ifname, &info) < 0 || !info.driver[0])
		return;
	snprintf(ret->driver, sizeof(ret->driver), "%.31s", info.driver);
	ret->hardware = info.bus_info[0] && strcmp(info.bus_info, "N/A") != 0 &&
			strcmp(info.driver, "tun") != 0;
}

bool nve_ebpf_rxvlan_off(const char *ifname, bool *changed)
{
	struct ethtool_value flags = { .cmd = ETHTOOL_GFLAGS };

	*changed = false;
	if (ethtool(ifname, &flags) < 0 || !(flags.data & ETH_FLAG_RXVLAN))
		return true;
	flags.cmd = ETHTOOL_SFLAGS;
	flags.data &= ~(uint32_t)ETH_FLAG_RXVLAN;
	if (ethtool(ifname, &flags) < 0)
		return false;
	flags.cmd = ETHTOOL_GFLAGS;
	*changed = ethtool(ifname, &flags) == 0 && !(flags.data & ETH_FLAG_RXVLAN);
	return *changed;
}
