/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A VTEP that is told for the first time has no next hop yet: ARP or ND must ask.  What apply()
 * makes visible is a promise that the next frame passes (S13, S21), so it waits for the answer:
 * once for each VTEP, and not long, since a dead one would hold up everybody else.
 */
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "dp/ebpf_net.h"

enum {
	WAIT_MS = 250, /* a neighbor that lives answers in less; its frames are counted meanwhile */
	WAKES_MAX = 256,
};

static bool is_pending(const struct nve_dp *dp, uint32_t slot)
{
	return dp->shadow.vteps[slot].want.family && dp->hops[slot].ifindex &&
	       !dp->hops[slot].resolved;
}

/* Looks again at those that are pending, and returns how many still are. */
static uint32_t look(struct nve_dp *dp)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < dp->shadow.vtep_list.n; i++) {
		uint32_t slot = dp->shadow.vtep_list.v[i];

		if (!is_pending(dp, slot))
			continue;
		nve_ebpf_vtep_resolve(dp, slot);
		n += is_pending(dp, slot);
	}
	return n;
}

static bool any_pending(const struct nve_dp *dp)
{
	for (uint32_t i = 0; i < dp->shadow.vtep_list.n; i++)
		if (is_pending(dp, dp->shadow.vtep_list.v[i]))
			return true;
	return false;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* What it says does not matter: look() asks the kernel. */
static void drain(int fd)
{
	char buf[4096];

	for (int i = 0; i < WAKES_MAX && recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0; i++)
		;
}

void nve_ebpf_vteps_await(struct nve_dp *dp)
{
	int64_t left = WAIT_MS, end;
	struct pollfd watch = { .events = POLLIN };

	if (!any_pending(dp))
		return;
	/* A socket of its own: what the other one tells must not be lost, nor followed from here.
	 */
	watch.fd = nve_ebpf_netlink_socket(RTMGRP_NEIGH);
	if (watch.fd < 0)
		return;
	end = now_ms() + WAIT_MS;
	for (int i = 0; i < WAKES_MAX && look(dp) && left > 0; i++) {
		poll(&watch, 1, (int)left);
		drain(watch.fd);
		left = end - now_ms();
	}
	close(watch.fd);
}
