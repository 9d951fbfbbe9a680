/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rtnetlink: one socket for questions, whose answers are awaited (the kernel gives them at once),
 * and one that tells what happens to links, routes and neighbors.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dp/ebpf_net.h"

enum {
	BUFFER = 32768,
	READS_MAX = 64, /* of one dispatch: the loop has other work too */
};

int nve_ebpf_netlink_socket(uint32_t groups)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_groups = groups };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	int one = 1, room = 1 << 20;

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	return fd;
}

int nve_ebpf_netlink_open(struct nve_dp *dp)
{
	dp->requests = nve_ebpf_netlink_socket(0);
	dp->events = nve_ebpf_netlink_socket(RTMGRP_LINK | RTMGRP_NEIGH | RTMGRP_IPV4_ROUTE |
					     RTMGRP_IPV6_ROUTE);
	if (dp->requests < 0)
		return dp->requests;
	return dp->events < 0 ? dp->events : 0;
}

void nve_ebpf_netlink_close(struct nve_dp *dp)
{
	if (dp->requests >= 0)
		close(dp->requests);
	if (dp->events >= 0)
		close(dp->events);
	dp->requests = dp->events = -1;
}

void nve_ebpf_attr(struct nlmsghdr *msg, uint16_t type, const void *data, uint16_t len)
{
	struct rtattr *attr = (void *)((char *)msg + NLMSG_ALIGN(msg->nlmsg_len));

	attr->rta_type = type;
	attr->rta_len = RTA_LENGTH(len);
	memcpy(RTA_DATA(attr), data, len);
	msg->nlmsg_len = NLMSG_ALIGN(msg->nlmsg_len) + RTA_SPACE(len);
}

/* True when the answer is complete; '*r' is the kernel's verdict. */
static bool take_answer(struct nve_dp *dp, const struct nlmsghdr *msg, nve_ebpf_answer_fn *fn,
			void *arg, int *r)
{
	if (msg->nlmsg_seq != dp->seq)
		return false; /* late, of a question that was given up */
	if (msg->nlmsg_type == NLMSG_ERROR) {
		*r = ((const struct nlmsgerr *)NLMSG_DATA(msg))->error;
		return true;
	}
	if (fn)
		fn(arg, msg);
	return false;
}

int nve_ebpf_ask(struct nve_dp *dp, struct nlmsghdr *request, nve_ebpf_answer_fn *fn, void *arg)
{
	_Alignas(struct nlmsghdr) char buf[BUFFER];
	int r = 0;

	request->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	request->nlmsg_seq = ++dp->seq;
	if (send(dp->requests, request, request->nlmsg_len, 0) < 0)
		return -errno;
	for (;;) {
		ssize_t n = recv(dp->requests, buf, sizeof(buf), 0);
		const struct nlmsghdr *msg = (void *)buf;

		if (n < 0 && errno != EINTR)
			return -errno;
		for (; n > 0 && NLMSG_OK(msg, n); msg = NLMSG_NEXT(msg, n))
			if (take_answer(dp, msg, fn, arg, &r))
				return r;
	}
}

/* --- links ------------------------------------------------------------------------------------ */

static void link_parse(const struct nlmsghdr *msg, struct nve_ebpf_link *ret)
{
	const struct ifinfomsg *info = NLMSG_DATA(msg);
	const struct rtattr *a = IFLA_RTA(info);
	int len = IFLA_PAYLOAD(msg);

	*ret = (struct nve_ebpf_link){
		.ifindex = info->ifi_index,
		.up = (info->ifi_flags & IFF_UP) && (info->ifi_flags & IFF_RUNNING),
	};
	for (; RTA_OK(a, len); a = RTA_NEXT(a, len)) {
		uint32_t mtu;

		if (a->rta_type == IFLA_MTU && RTA_PAYLOAD(a) == sizeof(mtu)) {
			memcpy(&mtu, RTA_DATA(a), sizeof(mtu));
			ret->mtu = mtu < UINT16_MAX ? mtu : UINT16_MAX;
		} else if (a->rta_type == IFLA_ADDRESS && RTA_PAYLOAD(a) == NVE_MAC_LEN) {
			memcpy(ret->mac, RTA_DATA(a), NVE_MAC_LEN);
		} else if (a->rta_type == IFLA_IFNAME && RTA_PAYLOAD(a) <= sizeof(ret->name)) {
			memcpy(ret->name, RTA_DATA(a), RTA_PAYLOAD(a));
			ret->name[sizeof(ret->name) - 1] = '\0';
		}
	}
}

static void take_link(void *arg, const struct nlmsghdr *msg)
{
	if (msg->nlmsg_type == RTM_NEWLINK)
		link_parse(msg, arg);
}

int nve_ebpf_link_get(struct nve_dp *dp, uint32_t ifindex, const char *name,
		      struct nve_ebpf_link *ret)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg info;
		char attrs[64];
	} req = {
		.h = { .nlmsg_len = NLMSG_LENGTH(sizeof(req.info)), .nlmsg_type = RTM_GETLINK },
		.info = { .ifi_index = ifindex },
	};
	int r;

	*ret = (struct nve_ebpf_link){ 0 };
	if (!ifindex)
		nve_ebpf_attr(&req.h, IFLA_IFNAME, name, strlen(name) + 1);
	r = nve_ebpf_ask(dp, &req.h, take_link, ret);
	return r < 0 ? r : ret->ifindex ? 0 : -ENODEV;
}

/* --- events ----------------------------------------------------------------------------------- */

static void follow_link(struct nve_dp *dp, const struct nlmsghdr *msg)
{
	const struct nve_ebpf_link gone = { 0 };
	struct nve_ebpf_link link;

	link_parse(msg, &link);
	nve_ebpf_copier_follow(dp, &link, msg->nlmsg_type == RTM_DELLINK);
	for (uint16_t i = 0; i < NVE_PORTS_MAX; i++) {
		const struct nve_dp_port *port = &dp->shadow.ports[i];

		if (!dp->shadow.port_is_set[i])
			continue;
		if (msg->nlmsg_type == RTM_NEWLINK && !strcmp(port->ifname, link.name))
			nve_ebpf_port_follow(dp, i, &link);
		else if (dp->ports[i].ifindex == link.ifindex) /* deleted, or renamed */
			nve_ebpf_port_follow(dp, i, &gone);
	}
}

/* After an overrun events are missing: looks at each port and VTEP. */
static void follow_all(struct nve_dp *dp)
{
	for (uint16_t i = 0; i < NVE_PORTS_MAX; i++) {
		struct nve_ebpf_link link;

		if (!dp->shadow.port_is_set[i])
			continue;
		nve_ebpf_link_get(dp, 0, dp->shadow.ports[i].ifname, &link);
		nve_ebpf_port_follow(dp, i, &link);
	}
	nve_ebpf_vteps_resolve(dp);
}

/* Returns whether the ways to all VTEPs must be looked up again. */
static bool follow(struct nve_dp *dp, const struct nlmsghdr *msg)
{
	switch (msg->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		follow_link(dp, msg);
		return true;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return true;
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		nve_ebpf_neigh_follow(dp, msg);
		return false;
	default:
		return false;
	}
}

void nve_ebpf_netlink_dispatch(struct nve_dp *dp)
{
	_Alignas(struct nlmsghdr) char buf[BUFFER];
	bool all = false;

	for (int i = 0; i < READS_MAX; i++) {
		ssize_t n = recv(dp->events, buf, sizeof(buf), MSG_DONTWAIT);
		const struct nlmsghdr *msg = (void *)buf;

		if (n < 0 && errno == ENOBUFS) {
			follow_all(dp);
			continue;
		}
		if (n <= 0)
			break;
		for (; NLMSG_OK(msg, n); msg = NLMSG_NEXT(msg, n))
			all |= follow(dp, msg);
	}
	if (all)
		nve_ebpf_vteps_resolve(dp);
}
