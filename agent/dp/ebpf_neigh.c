/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ways to remote VTEPs: a route to the VTEP, the neighbor on it, and of both the header that
 * the programs put in front of frames.
 *
 * The kernel resolves neighbors and keeps them so on our behalf (NTF_EXT_MANAGED; before Linux
 * 5.16 NTF_USE, said again when an entry grows stale).  A way that was found stays in use until
 * another one is known: a neighbor that does not answer now is no reason to stop (D18).
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <string.h>

#include "dp/ebpf_net.h"
#include "dp/ebpf_tables.h"

/* Entries of the operator: they need no resolving, and asking for it would take them from him. */
enum { FIXED = NUD_PERMANENT | NUD_NOARP };
enum { HOP_LIMIT = 64 };
enum { VALID = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP };

struct neigh_request {
	struct nlmsghdr h;
	struct ndmsg nd;
	char attrs[64];
};

struct neigh {
	uint32_t ifindex;
	struct nve_ip ip;
	uint16_t state;
	bool has_mac;
	uint8_t mac[NVE_MAC_LEN];
};

/* --- asking the kernel ------------------------------------------------------------------------ */

static uint8_t family_of(const struct nve_ip *ip)
{
	return ip->family == 6 ? AF_INET6 : AF_INET;
}

static uint16_t size_of(const struct nve_ip *ip)
{
	return ip->family == 6 ? 16 : 4;
}

/* An address of the kernel's families; others are none. */
static void take_ip(const struct rtattr *a, uint8_t family, struct nve_ip *ip)
{
	struct nve_ip taken = { .family = family == AF_INET6 ? 6 : 4 };

	if ((family != AF_INET && family != AF_INET6) || RTA_PAYLOAD(a) != size_of(&taken))
		return;
	memcpy(taken.bytes, RTA_DATA(a), size_of(&taken));
	*ip = taken;
}

static bool same_ip(const struct nve_ip *a, const struct nve_ip *b)
{
	return a->family == b->family && !memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

struct route {
	uint32_t ifindex;
	struct nve_ip via;
	bool unicast;
};

/* An IPv4 route may lead over a neighbor that is known by its IPv6 address (RFC 5549). */
static void take_via(const struct rtattr *a, struct nve_ip *ip)
{
	const struct rtvia *via = RTA_DATA(a);

	if (RTA_PAYLOAD(a) != sizeof(*via) + 16 || via->rtvia_family != AF_INET6)
		return;
	*ip = (struct nve_ip){ .family = 6 };
	memcpy(ip->bytes, via->rtvia_addr, 16);
}

static void take_route(void *arg, const struct nlmsghdr *msg)
{
	const struct rtmsg *rt = NLMSG_DATA(msg);
	const struct rtattr *a = RTM_RTA(rt);
	int len = RTM_PAYLOAD(msg);
	struct route *route = arg;

	if (msg->nlmsg_type != RTM_NEWROUTE)
		return;
	route->unicast = rt->rtm_type == RTN_UNICAST;
	for (; RTA_OK(a, len); a = RTA_NEXT(a, len)) {
		if (a->rta_type == RTA_OIF && RTA_PAYLOAD(a) == 4)
			memcpy(&route->ifindex, RTA_DATA(a), 4);
		else if (a->rta_type == RTA_GATEWAY)
			take_ip(a, rt->rtm_family, &route->via);
		else if (a->rta_type == RTA_VIA)
			take_via(a, &route->via);
	}
}

static bool find_route(struct nve_dp *dp, const struct nve_ip *ip, struct route *ret)
{
	struct {
		struct nlmsghdr h;
		struct rtmsg rt;
		char attrs[64];
	} req = {
		.h = { .nlmsg_len = NLMSG_LENGTH(sizeof(req.rt)), .nlmsg_type = RTM_GETROUTE },
		.rt = { .rtm_family = family_of(ip), .rtm_dst_len = size_of(ip) * 8 },
	};

	*ret = (struct route){ .via = *ip };
	nve_ebpf_attr(&req.h, RTA_DST, ip->bytes, size_of(ip));
	return nve_ebpf_ask(dp, &req.h, take_route, ret) == 0 && ret->unicast;
}

static void take_neigh(void *arg, const struct nlmsghdr *msg)
{
	const struct ndmsg *nd = NLMSG_DATA(msg);
	const struct rtattr *a = (const void *)((const char *)nd + NLMSG_ALIGN(sizeof(*nd)));
	int len = NLMSG_PAYLOAD(msg, sizeof(*nd));
	struct neigh *n = arg;

	if (msg->nlmsg_type != RTM_NEWNEIGH && msg->nlmsg_type != RTM_DELNEIGH)
		return;
	*n = (struct neigh){ .ifindex = nd->ndm_ifindex, .state = nd->ndm_state };
	for (; RTA_OK(a, len); a = RTA_NEXT(a, len)) {
		if (a->rta_type == NDA_DST)
			take_ip(a, nd->ndm_family, &n->ip);
		n->has_mac |= a->rta_type == NDA_LLADDR && RTA_PAYLOAD(a) == NVE_MAC_LEN;
		if (a->rta_type == NDA_LLADDR && RTA_PAYLOAD(a) == NVE_MAC_LEN)
			memcpy(n->mac, RTA_DATA(a), NVE_MAC_LEN);
	}
}

static struct neigh_request neigh_request(uint16_t type, const struct nve_ebpf_hop *hop)
{
	struct neigh_request req = {
		.h = { .nlmsg_len = NLMSG_LENGTH(sizeof(req.nd)), .nlmsg_type = type },
		.nd = { .ndm_family = family_of(&hop->via), .ndm_ifindex = hop->ifindex },
	};

	nve_ebpf_attr(&req.h, NDA_DST, hop->via.bytes, size_of(&hop->via));
	return req;
}

static bool find_neigh(struct nve_dp *dp, const struct nve_ebpf_hop *hop, struct neigh *ret)
{
	struct neigh_request req = neigh_request(RTM_GETNEIGH, hop);

	*ret = (struct neigh){ 0 };
	return nve_ebpf_ask(dp, &req.h, take_neigh, ret) == 0;
}

static void keep_resolved(struct nve_dp *dp, struct nve_ebpf_hop *hop)
{
	struct neigh_request req = neigh_request(RTM_NEWNEIGH, hop);
	uint32_t managed = NTF_EXT_MANAGED;
	int r;

	req.h.nlmsg_flags = NLM_F_CREATE | NLM_F_REPLACE;
	nve_ebpf_attr(&req.h, NDA_FLAGS_EXT, &managed, sizeof(managed));
	r = nve_ebpf_ask(dp, &req.h, NULL, NULL);
	hop->asked = r == 0;
	if (r == 0)
		return;
	req = neigh_request(RTM_NEWNEIGH, hop);
	req.h.nlmsg_flags = NLM_F_CREATE | NLM_F_REPLACE;
	req.nd.ndm_flags = NTF_USE;
	nve_ebpf_ask(dp, &req.h, NULL, NULL);
}

/* What is managed for us is of no use to anybody else: the kernel may forget it. */
void nve_ebpf_neigh_forget(struct nve_dp *dp)
{
	for (uint32_t i = 0; i < dp->shadow.limits.max_vteps; i++) {
		struct neigh_request req = neigh_request(RTM_DELNEIGH, &dp->hops[i]);

		if (dp->hops[i].asked)
			nve_ebpf_ask(dp, &req.h, NULL, NULL);
		dp->hops[i].asked = false;
	}
}

/* --- the row ---------------------------------------------------------------------------------- */

static uint16_t checksum(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i += 2)
		sum += p[i] << 8 | p[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static uint8_t *append(uint8_t *to, const void *from, size_t len)
{
	memcpy(to, from, len);
	return to + len;
}

static uint8_t *append_ip4(const struct nve_dp *dp, const struct nve_ip *to, uint8_t *p)
{
	struct iphdr ip;

	memset(&ip, 0, sizeof(ip)); /* as bytes: so they are summed up */
	ip.version = 4;
	ip.ihl = 5;
	ip.frag_off = htons(IP_DF);
	ip.ttl = HOP_LIMIT;
	ip.protocol = IPPROTO_UDP;
	memcpy(&ip.saddr, dp->local_vtep.bytes, 4);
	memcpy(&ip.daddr, to->bytes, 4);
	ip.check = htons(checksum((uint8_t *)&ip, sizeof(ip)));
	return append(p, &ip, sizeof(ip));
}

static uint8_t *append_ip6(const struct nve_dp *dp, const struct nve_ip *to, uint8_t *p)
{
	struct ip6_hdr ip = {
		.ip6_flow = htonl(6u << 28),
		.ip6_nxt = IPPROTO_UDP,
		.ip6_hlim = HOP_LIMIT,
	};

	memcpy(&ip.ip6_src, dp->local_vtep6.bytes, 16);
	memcpy(&ip.ip6_dst, to->bytes, 16);
	return append(p, &ip, sizeof(ip));
}

static void outer_header(const struct nve_dp *dp, const struct nve_ip *to, const uint8_t *dmac,
			 const uint8_t *smac, struct nve_vtep *row)
{
	bool v6 = to->family == 6;
	struct ether_header eth = { .ether_type = htons(v6 ? ETHERTYPE_IPV6 : ETHERTYPE_IP) };
	struct udphdr udp = { .dest = htons(dp->vxlan_port) };
	const uint8_t vxlan[8] = { 0x08 };
	uint8_t *p = row->outer;

	memcpy(eth.ether_dhost, dmac, NVE_MAC_LEN);
	memcpy(eth.ether_shost, smac, NVE_MAC_LEN);
	p = append(p, &eth, sizeof(eth));
	p = v6 ? append_ip6(dp, to, p) : append_ip4(dp, to, p);
	p = append(p, &udp, sizeof(udp));
	p = append(p, vxlan, sizeof(vxlan));
	row->outer_len = p - row->outer;
}

static const struct nve_ebpf_port *underlay(const struct nve_dp *dp, uint32_t ifindex)
{
	for (uint16_t i = 0; ifindex && i < NVE_PORTS_MAX; i++)
		if (dp->shadow.port_is_set[i] && dp->shadow.ports[i].role == NVE_DP_UNDERLAY &&
		    dp->ports[i].ifindex == ifindex)
			return &dp->ports[i];
	return NULL;
}

/*
 * Writes the row if it differs.  It takes more than one store, so a row in use is first marked as
 * not resolved: a frame that comes just then is lost rather than sent with half a header.
 */
static int write_row(struct nve_dp *dp, uint32_t slot, struct nve_vtep *row)
{
	int fd = dp->map[NVE_MAP_VTEP];
	struct nve_vtep there;
	int r = bpf_map_lookup_elem(fd, &slot, &there);

	if (r < 0)
		return r;
	if (!memcmp(&there, row, sizeof(there)))
		return 0;
	dp->written++;
	if (there.flags & NVE_VTEP_RESOLVED) {
		there.flags &= ~NVE_VTEP_RESOLVED;
		r = bpf_map_update_elem(fd, &slot, &there, BPF_ANY);
	}
	return r < 0 ? r : bpf_map_update_elem(fd, &slot, row, BPF_ANY);
}

void nve_ebpf_vtep_row(const struct nve_dp *dp, uint32_t slot, struct nve_vtep *row)
{
	const struct nve_ip *ip = &dp->shadow.vteps[slot].want;
	const struct nve_ebpf_hop *hop = &dp->hops[slot];
	const struct nve_ebpf_port *port = underlay(dp, hop->ifindex);
	const uint8_t none[NVE_MAC_LEN] = { 0 };
	bool resolved = port && hop->resolved;

	*row = (struct nve_vtep){ .family = ip->family };
	if (!ip->family)
		return;
	nve_ebpf_ip16(row->ip, ip->family == 4, ip->bytes);
	outer_header(dp, ip, resolved ? hop->mac : none, resolved ? port->mac : none, row);
	if (!resolved)
		return;
	row->flags = NVE_VTEP_RESOLVED;
	row->flags |= port->flags & NVE_PORT_XDP ? NVE_VTEP_XDP : 0;
	row->ifindex = hop->ifindex;
	row->mtu = port->mtu;
	row->port = port - dp->ports;
}

int nve_ebpf_vtep_write(struct nve_dp *dp, uint32_t slot)
{
	struct nve_vtep row;

	nve_ebpf_vtep_row(dp, slot, &row);
	return write_row(dp, slot, &row);
}

/* --- finding and following -------------------------------------------------------------------- */

/* An earlier agent's row knows a neighbor that the kernel has forgotten since: good until another.
 */
static void adopt_neigh(struct nve_dp *dp, uint32_t slot, struct nve_ebpf_hop *hop)
{
	const struct nve_ip *want = &dp->shadow.vteps[slot].want;
	struct nve_vtep there;
	uint8_t ip[16];

	nve_ebpf_ip16(ip, want->family == 4, want->bytes);
	if (bpf_map_lookup_elem(dp->map[NVE_MAP_VTEP], &slot, &there) < 0 ||
	    !(there.flags & NVE_VTEP_RESOLVED) || there.ifindex != hop->ifindex ||
	    memcmp(there.ip, ip, sizeof(ip)))
		return;
	memcpy(hop->mac, there.outer, NVE_MAC_LEN);
	hop->resolved = true;
}

static void take_mac(struct nve_ebpf_hop *hop, const struct neigh *n)
{
	if (!n->has_mac || !(n->state & VALID))
		return;
	memcpy(hop->mac, n->mac, NVE_MAC_LEN);
	hop->resolved = true;
}

int nve_ebpf_vtep_resolve(struct nve_dp *dp, uint32_t slot)
{
	const struct nve_ip *ip = &dp->shadow.vteps[slot].want;
	struct nve_ebpf_hop *hop = &dp->hops[slot];
	struct route route;
	struct neigh n;

	if (!ip->family || !find_route(dp, ip, &route) || !underlay(dp, route.ifindex)) {
		*hop = (struct nve_ebpf_hop){ 0 };
		return nve_ebpf_vtep_write(dp, slot);
	}
	if (hop->ifindex != route.ifindex || !same_ip(&hop->via, &route.via)) {
		*hop = (struct nve_ebpf_hop){ .ifindex = route.ifindex, .via = route.via };
		adopt_neigh(dp, slot, hop);
	}
	if (find_neigh(dp, hop, &n))
		take_mac(hop, &n);
	if (!hop->asked && !(n.state & FIXED))
		keep_resolved(dp, hop);
	return nve_ebpf_vtep_write(dp, slot);
}

void nve_ebpf_vteps_resolve(struct nve_dp *dp)
{
	for (uint32_t i = 0; i < dp->shadow.limits.max_vteps; i++)
		if (dp->shadow.vteps[i].now.family && !dp->shadow.vteps[i].listed)
			nve_ebpf_vtep_resolve(dp, i);
}

void nve_ebpf_neigh_follow(struct nve_dp *dp, const struct nlmsghdr *msg)
{
	struct neigh n = { 0 };

	take_neigh(&n, msg);
	if (!n.ip.family)
		return;
	for (uint32_t i = 0; i < dp->shadow.limits.max_vteps; i++) {
		struct nve_ebpf_hop *hop = &dp->hops[i];

		if (!hop->ifindex || hop->ifindex != n.ifindex || !same_ip(&hop->via, &n.ip))
			continue;
		if (msg->nlmsg_type == RTM_DELNEIGH)
			hop->asked = false;
		else
			take_mac(hop, &n);
		if (!hop->asked &&
		    (msg->nlmsg_type == RTM_DELNEIGH || !(n.state & (NUD_REACHABLE | FIXED))))
			keep_resolved(dp, hop);
		nve_ebpf_vtep_write(dp, i);
	}
}
