/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop on which XDP makes copies of BUM (bpf/replicate.h): a veth pair of the agent's, with a
 * program at one end, and for each port in XDP mode a devmap of that port and the loop.
 *
 * The pair is there while some port is in XDP mode, and outlives the agent as programs and pins
 * do; its name is made of the pin directory's, so that the next agent finds it.  Where it cannot
 * be had, or somebody takes it away or down, copies are made in TC.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dp/ebpf_net.h"

enum {
	MTU = 3400,        /* a frame and its headers; the most that XDP allows a veth is 3506 */
	NO_ADDRESSES = 1,  /* IN6_ADDR_GEN_MODE_NONE */
	QUEUES_MAX = 4096, /* of a veth */
};

struct link_request {
	struct nlmsghdr h;
	struct ifinfomsg info;
	char attrs[512];
};

/* --- the pair --------------------------------------------------------------------------------- */

static void name_of(const struct nve_dp *dp, char name[IFNAMSIZ], char end)
{
	char text[256];
	uint32_t hash = 2166136261;

	/* Nothing is pinned: nobody else's, and nobody is to find it. */
	if (!nve_ebpf_pin_path(dp, text, ""))
		snprintf(text, sizeof(text), "%d %p", getpid(), (const void *)dp);
	for (const char *p = text; *p; p++)
		hash = (hash ^ (uint8_t)*p) * 16777619;
	snprintf(name, IFNAMSIZ, "nve-%08x-%c", hash, end);
}

static struct rtattr *nest(struct nlmsghdr *msg, uint16_t type)
{
	struct rtattr *attr = (void *)((char *)msg + NLMSG_ALIGN(msg->nlmsg_len));

	nve_ebpf_attr(msg, type, "", 0);
	return attr;
}

static void nest_end(struct nlmsghdr *msg, struct rtattr *attr)
{
	attr->rta_len = (char *)msg + msg->nlmsg_len - (char *)attr;
}

/* A queue for each CPU, so that none waits for another. */
static void put_end(const struct nve_dp *dp, struct nlmsghdr *msg, char end)
{
	uint32_t queues = dp->n_cpus < QUEUES_MAX ? dp->n_cpus : QUEUES_MAX, mtu = MTU;
	char name[IFNAMSIZ];

	name_of(dp, name, end);
	nve_ebpf_attr(msg, IFLA_IFNAME, name, strlen(name) + 1);
	nve_ebpf_attr(msg, IFLA_MTU, &mtu, sizeof(mtu));
	nve_ebpf_attr(msg, IFLA_NUM_RX_QUEUES, &queues, sizeof(queues));
	nve_ebpf_attr(msg, IFLA_NUM_TX_QUEUES, &queues, sizeof(queues));
}

static int pair_make(struct nve_dp *dp)
{
	const struct ifinfomsg none = { 0 };
	struct link_request req = {
		.h = { .nlmsg_len = NLMSG_LENGTH(sizeof(req.info)),
		       .nlmsg_type = RTM_NEWLINK,
		       .nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL },
	};
	struct rtattr *info, *data, *peer;

	put_end(dp, &req.h, 'a');
	info = nest(&req.h, IFLA_LINKINFO);
	nve_ebpf_attr(&req.h, IFLA_INFO_KIND, "veth", 4);
	data = nest(&req.h, IFLA_INFO_DATA);
	peer = nest(&req.h, VETH_INFO_PEER);
	memcpy((char *)&req.h + req.h.nlmsg_len, &none, sizeof(none));
	req.h.nlmsg_len += NLMSG_ALIGN(sizeof(none));
	put_end(dp, &req.h, 'b');
	nest_end(&req.h, peer);
	nest_end(&req.h, data);
	nest_end(&req.h, info);
	return nve_ebpf_ask(dp, &req.h, NULL, NULL);
}

/* The host has no business on it, and is to get no addresses there. */
static int end_up(struct nve_dp *dp, uint32_t ifindex)
{
	const uint8_t mode = NO_ADDRESSES;
	struct link_request req = {
		.h = { .nlmsg_len = NLMSG_LENGTH(sizeof(req.info)), .nlmsg_type = RTM_NEWLINK },
		.info = { .ifi_index = ifindex },
	};
	struct link_request up = req;
	struct rtattr *spec = nest(&req.h, IFLA_AF_SPEC), *ip6 = nest(&req.h, AF_INET6);

	nve_ebpf_attr(&req.h, IFLA_INET6_ADDR_GEN_MODE, &mode, sizeof(mode));
	nest_end(&req.h, ip6);
	nest_end(&req.h, spec);
	nve_ebpf_ask(dp, &req.h, NULL, NULL); /* fails where there is no IPv6 */
	up.info.ifi_flags = up.info.ifi_change = IFF_UP | IFF_NOARP;
	return nve_ebpf_ask(dp, &up.h, NULL, NULL);
}

static int end_find(struct nve_dp *dp, char end, uint32_t *ifindex)
{
	struct nve_ebpf_link link;
	struct nve_ebpf_nic nic;
	char name[IFNAMSIZ];
	int r;

	name_of(dp, name, end);
	r = nve_ebpf_link_get(dp, 0, name, &link);
	if (r < 0)
		return r;
	nve_ebpf_probe(name, &nic);
	if (strcmp(nic.driver, "veth"))
		return -EEXIST; /* somebody else's */
	*ifindex = link.ifindex;
	return 0;
}

static int pair_find(struct nve_dp *dp)
{
	uint32_t a, b;
	int r = end_find(dp, 'a', &a) ?: end_find(dp, 'b', &b);

	if (r < 0)
		return r;
	dp->copier.a = a;
	dp->copier.b = b;
	return 0;
}

static void pair_end(struct nve_dp *dp)
{
	struct link_request req = {
		.h = { .nlmsg_len = NLMSG_LENGTH(sizeof(req.info)), .nlmsg_type = RTM_DELLINK },
		.info = { .ifi_index = dp->copier.a },
	};

	nve_ebpf_ask(dp, &req.h, NULL, NULL);
}

/* --- the loop --------------------------------------------------------------------------------- */

static int loop_switch(struct nve_dp *dp, bool on)
{
	uint32_t zero = 0, ifindex = on ? dp->copier.a : 0;

	dp->copier.on = on;
	return bpf_map_update_elem(dp->copier.map[NVE_COPIER_LOOP], &zero, &ifindex, BPF_ANY);
}

static void loop_end(struct nve_dp *dp)
{
	if (!dp->copier.a)
		return;
	loop_switch(dp, false);
	nve_ebpf_link_end(dp, "xdp", dp->copier.b, &dp->copier.link);
	pair_end(dp);
	dp->copier.a = dp->copier.b = 0;
}

static int loop_attach(struct nve_dp *dp)
{
	struct nve_ebpf_copier *c = &dp->copier;
	int r;

	c->link = nve_ebpf_link_make(dp, "xdp", dp->prog[NVE_PROG_XDP_COPY], c->b, BPF_XDP);
	r = c->link < 0 ? c->link : end_up(dp, c->b);
	r = r < 0 ? r : end_up(dp, c->a);
	/* Last: a pair that is down takes no frames, and nobody would count what it does not. */
	return r < 0 ? r : loop_switch(dp, true);
}

static int loop_make(struct nve_dp *dp)
{
	bool made = false;
	int r = pair_find(dp);

	if (r < 0) {
		r = pair_make(dp);
		made = r == 0;
		r = r < 0 ? r : pair_find(dp);
	}
	r = r < 0 ? r : loop_attach(dp);
	if (r == 0)
		return 0;
	if (made)
		loop_end(dp);
	dp->copier.a = dp->copier.b = 0;
	return r;
}

static void forget_port(struct nve_dp *dp, uint16_t slot)
{
	if (dp->copier.of_port[slot] > 0)
		close(dp->copier.of_port[slot]);
	dp->copier.of_port[slot] = 0;
}

int nve_ebpf_copier_add(struct nve_dp *dp, uint16_t slot)
{
	uint32_t at[NVE_COPY_DEVS], key = slot;
	int r = dp->copier.a ? 0 : loop_make(dp), fd;

	if (r < 0)
		return r;
	at[NVE_COPY_PORT] = dp->ports[slot].ifindex;
	at[NVE_COPY_LOOP] = dp->copier.a;
	fd = bpf_map_create(BPF_MAP_TYPE_DEVMAP, "nve_copy", sizeof(uint32_t), sizeof(uint32_t),
			    NVE_COPY_DEVS, NULL);
	if (fd < 0)
		return fd;
	for (uint32_t i = 0; i < NVE_COPY_DEVS && r == 0; i++)
		r = bpf_map_update_elem(fd, &i, &at[i], BPF_ANY);
	if (r == 0)
		r = bpf_map_update_elem(dp->copier.map[NVE_COPIER_PORTS], &key, &fd, BPF_ANY);
	if (r < 0) {
		close(fd);
		return r;
	}
	forget_port(dp, slot);
	dp->copier.of_port[slot] = fd;
	return 0;
}

void nve_ebpf_copier_del(struct nve_dp *dp, uint16_t slot)
{
	uint32_t key = slot;

	bpf_map_delete_elem(dp->copier.map[NVE_COPIER_PORTS], &key);
	forget_port(dp, slot);
}

void nve_ebpf_copier_follow(struct nve_dp *dp, const struct nve_ebpf_link *link, bool gone)
{
	struct nve_ebpf_link a, b;

	if (!dp->copier.a || (link->ifindex != dp->copier.a && link->ifindex != dp->copier.b))
		return;
	if (gone) {
		loop_switch(dp, false);
		nve_ebpf_link_end(dp, "xdp", dp->copier.b, &dp->copier.link);
		dp->copier.a = dp->copier.b = 0;
		return;
	}
	/* What the event says may be history. */
	nve_ebpf_link_get(dp, dp->copier.a, NULL, &a);
	nve_ebpf_link_get(dp, dp->copier.b, NULL, &b);
	if (dp->copier.on != (a.up && b.up))
		loop_switch(dp, a.up && b.up);
}

void nve_ebpf_copier_sweep(struct nve_dp *dp)
{
	for (uint16_t i = 0; i < NVE_PORTS_MAX; i++)
		if (dp->shadow.port_is_set[i] && dp->ports[i].mode == NVE_DP_XDP)
			return;
	if (dp->copier.a || pair_find(dp) == 0)
		loop_end(dp);
}

void nve_ebpf_copier_close(struct nve_dp *dp)
{
	if (!dp->pin_dir)
		loop_end(dp);
	if (dp->copier.link >= 0)
		close(dp->copier.link);
	for (uint16_t i = 0; i < NVE_PORTS_MAX; i++)
		forget_port(dp, i);
}
