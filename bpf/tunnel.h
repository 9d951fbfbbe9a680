/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Reading and checking the tunnel header: VXLAN (RFC 7348) or Geneve (RFC 8926) over IPv4 or IPv6.
 * A UDP checksum of zero is taken over both (RFC 6935, RFC 6936), on the tunnel's ports alone:
 * nothing else is looked at here.
 */
#pragma once

#include "near.h"
#include "tos.h"

static __always_inline bool nve_is_tunnel_port(const struct nve_udp *udp, void *end)
{
	return (void *)(udp + 1) <= end &&
	       (udp->dport == nve_vxlan_port || udp->dport == nve_geneve_port);
}

/* With options in the IP header: for the tunnel, and thus invalid, or the host's. */
static __noinline int nve_odd_tunnel4(const struct nve_ip4 *ip, void *end)
{
	__u32 words = ip->version_ihl & 15;

	if (ip->version_ihl >> 4 != 4 || words < 5)
		return NVE_TO_HOST;
	return nve_is_tunnel_port((void *)ip + words * 4, end) ? NVE_DROP_OUTER_INVALID
							       : NVE_TO_HOST;
}

/* Is it for the tunnel at all?  Everything else is the host's. */
static __always_inline int nve_is_tunnel4(const struct nve_ip4 *ip, void *end)
{
	__be32 local = nve_local_vtep;

	if (ip->daddr != local || !local || ip->protocol != IPPROTO_UDP ||
	    ip->frag_off & NVE_IP4_OFFSET)
		return NVE_TO_HOST;
	if (ip->version_ihl != 0x45)
		return nve_odd_tunnel4(ip, end);
	return nve_is_tunnel_port((void *)(ip + 1), end) ? NVE_FORWARD : NVE_TO_HOST;
}

/* With extension headers it is the host's: fragments, and what no NVE sends. */
static __always_inline bool nve_is_tunnel6(const struct nve_ip6 *ip, void *end)
{
	const nve_u32 *to = (const void *)ip->daddr;

	if (ip->nexthdr != IPPROTO_UDP || to[3] != nve_local_vtep6[3] ||
	    to[2] != nve_local_vtep6[2] || to[1] != nve_local_vtep6[1] ||
	    to[0] != nve_local_vtep6[0] || !(to[0] | to[1] | to[2] | to[3]))
		return false;
	return nve_is_tunnel_port((void *)(ip + 1), end);
}

/* The packet's own length counts; what is behind it is cut off. */
static __always_inline int nve_check_len(struct nve_frame *f, __u32 ip_len, __u32 least)
{
	__u32 len = ip_len + sizeof(struct nve_eth);

	if (len < least || len > f->len)
		return NVE_DROP_OUTER_INVALID;
	f->trailer = f->len - len;
	if (nve_dry)
		f->trailer = nve_trace_cut(f->trailer);
	f->len = len;
	return NVE_FORWARD;
}

/* A tunnel frame must be whole, in one piece and without options. */
static __always_inline int nve_check_outer4(struct nve_frame *f, const struct nve_ip4 *ip,
					    const struct nve_udp *udp)
{
	const nve_u32 *w = (const void *)ip;
	__u32 ip_len = bpf_ntohs(ip->tot_len);

	if (ip->frag_off & NVE_IP4_MF_OFFSET ||
	    nve_fold((__u64)w[0] + w[1] + w[2] + w[3] + w[4]) != 0xffff)
		return NVE_DROP_OUTER_INVALID;
	/* The lengths of a frame not yet segmented are filled in later, by who segments it. */
	if (f->gso)
		return NVE_FORWARD;
	if (bpf_ntohs(udp->len) + sizeof(*ip) != ip_len)
		return NVE_DROP_OUTER_INVALID;
	return nve_check_len(f, ip_len, NVE_OUTER4_LEN);
}

static __always_inline int nve_check_outer6(struct nve_frame *f, const struct nve_ip6 *ip,
					    const struct nve_udp *udp)
{
	if (*(const __u8 *)ip >> 4 != 6)
		return NVE_DROP_OUTER_INVALID;
	if (f->gso)
		return NVE_FORWARD;
	if (udp->len != ip->payload_len)
		return NVE_DROP_OUTER_INVALID;
	return nve_check_len(f, bpf_ntohs(ip->payload_len) + sizeof(*ip), NVE_OUTER6_LEN);
}

struct nve_options {
	void *at, *end;
	__u32 len, done;
	int why;
};

static long nve_geneve_option(__u32 i, struct nve_options *run)
{
	struct nve_geneve_opt *opt = run->at + (run->done & 0xff);

	if (run->done >= run->len)
		return 1;
	if ((void *)(opt + 1) > run->end)
		run->why = NVE_DROP_SHORT;
	else if (opt->type & NVE_GENEVE_OPT_CRITICAL)
		run->why = NVE_DROP_GENEVE_OPTION;
	else
		run->done += sizeof(*opt) + (opt->len & NVE_GENEVE_OPT_LEN) * 4;
	return run->why != NVE_FORWARD;
}

/*
 * Options are others' and skipped, but for critical ones: who does not know those must not take the
 * packet (RFC 8926 section 3.5).  Each is looked at, whatever the C bit of the header says, and
 * together they must be as long as the header says.
 */
static __noinline int nve_geneve_options(void *at, void *end, __u32 len)
{
	struct nve_options run = { .at = at, .end = end, .len = len };

	bpf_loop(NVE_GENEVE_LEN, nve_geneve_option, &run, 0);
	if (run.why)
		return run.why;
	return run.done == len ? NVE_FORWARD : NVE_DROP_TUNNEL_FLAGS;
}

static __always_inline int nve_parse_geneve(struct nve_frame *f, struct nve_geneve *geneve)
{
	__u32 len = (geneve->version_len & NVE_GENEVE_LEN) * 4;

	f->tunnel = NVE_TUNNEL_GENEVE;
	if (geneve->version_len & NVE_GENEVE_VERSION)
		return NVE_DROP_TUNNEL_FLAGS;
	if (geneve->flags & NVE_GENEVE_CONTROL)
		return NVE_DROP_GENEVE_CONTROL;
	if (geneve->proto != NVE_P_TEB)
		return NVE_DROP_TUNNEL_FLAGS;
	if (!len)
		return NVE_FORWARD;
	f->outer_len += len;
	if (f->len < f->outer_len)
		return NVE_DROP_SHORT;
	return nve_geneve_options(geneve + 1, f->end, len);
}

/* What follows the UDP header; the outer IP header is right. */
static __always_inline int nve_parse_tunnel(struct nve_frame *f, struct nve_udp *udp)
{
	struct nve_vxlan *vxlan = (void *)(udp + 1);
	int why = NVE_FORWARD;

	f->vni = bpf_ntohl(vxlan->vni) >> 8;
	if (udp->dport != nve_vxlan_port)
		why = nve_parse_geneve(f, (void *)vxlan);
	/* Only the I flag counts: reserved bits are ignored on receipt (RFC 7348 section 5). */
	else if (!(vxlan->flags & NVE_VXLAN_I))
		why = NVE_DROP_TUNNEL_FLAGS;
	f->inner = f->data + f->outer_len;
	f->len -= f->outer_len;
	return why;
}

/* Only known VTEPs of a VN may send to it, and in its own encapsulation. */
static __always_inline int nve_peer_find(struct nve_frame *f, __u32 ip0, __u32 ip1, __u32 ip2,
					 __u32 ip3)
{
	struct nve_peer_key key = { .vni = f->vni };
	nve_u32 *ip = (void *)key.ip;
	struct nve_peer *peer;

	ip[0] = ip0;
	ip[1] = ip1;
	ip[2] = ip2;
	ip[3] = ip3;
	peer = nve_lookup(peer, &key);
	if (peer) {
		f->vn_id = peer->vn_id;
		if ((peer->tunnel ^ f->tunnel) & NVE_TUNNEL_GENEVE)
			return NVE_DROP_UNKNOWN_VNI;
		f->tunnel = peer->tunnel;
		return NVE_FORWARD;
	}
	__builtin_memset(key.ip, 0, sizeof(key.ip));
	peer = nve_lookup(peer, &key);
	return peer && !((peer->tunnel ^ f->tunnel) & NVE_TUNNEL_GENEVE) ? NVE_DROP_UNKNOWN_VTEP
									 : NVE_DROP_UNKNOWN_VNI;
}

static __always_inline int nve_parse_outer4(struct nve_frame *f, struct nve_ip4 *ip)
{
	struct nve_udp *udp = (void *)(ip + 1);
	int why;

	if ((void *)(ip + 1) > f->end)
		return NVE_TO_HOST;
	why = nve_is_tunnel4(ip, f->end);
	if (why)
		return why;
	if ((void *)(udp + 1) + sizeof(struct nve_vxlan) > f->end)
		return NVE_DROP_SHORT;
	why = nve_check_outer4(f, ip, udp);
	if (why)
		return why;
	f->tos = ip->tos;
	f->outer_len = NVE_OUTER4_LEN;
	why = nve_parse_tunnel(f, udp);
	if (why || nve_near_peer(f, ip->saddr))
		return why;
	return nve_peer_find(f, 0, 0, bpf_htonl(0xffff), ip->saddr);
}

static __always_inline int nve_parse_outer6(struct nve_frame *f, struct nve_ip6 *ip)
{
	struct nve_udp *udp = (void *)(ip + 1);
	const nve_u32 *from = (const void *)ip->saddr;
	int why;

	if ((void *)(ip + 1) > f->end || !nve_is_tunnel6(ip, f->end))
		return NVE_TO_HOST;
	if ((void *)(udp + 1) + sizeof(struct nve_vxlan) > f->end)
		return NVE_DROP_SHORT;
	why = nve_check_outer6(f, ip, udp);
	if (why)
		return why;
	f->tos = nve_tos_of(NVE_P_IP6, (void *)ip);
	f->outer6 = true;
	f->outer_len = NVE_OUTER6_LEN;
	return nve_parse_tunnel(f, udp) ?: nve_peer_find(f, from[0], from[1], from[2], from[3]);
}

static __always_inline int nve_parse_outer(struct nve_frame *f)
{
	struct nve_eth *eth = f->data;

	if ((void *)(eth + 1) > f->end)
		return NVE_TO_HOST;
	if (eth->proto == NVE_P_IP4)
		return nve_parse_outer4(f, (void *)(eth + 1));
	if (eth->proto == NVE_P_IP6)
		return nve_parse_outer6(f, (void *)(eth + 1));
	return NVE_TO_HOST;
}

/*
 * What is carried over when a frame is forwarded on, which is rare: read again, so that it takes up
 * no registers of frames that end here.
 */
static __always_inline int nve_read_outer(struct nve_frame *f)
{
	struct nve_eth *eth = f->data;
	struct nve_ip4 *ip4 = (void *)(eth + 1);
	struct nve_ip6 *ip6 = (void *)(eth + 1);
	struct nve_udp *udp = (void *)(ip4 + 1);
	struct nve_vxlan *vxlan;

	if ((void *)(eth + 1) > f->end)
		return NVE_DROP_INTERNAL;
	f->outer6 = eth->proto == NVE_P_IP6;
	if (f->outer6)
		udp = (void *)(ip6 + 1);
	vxlan = (void *)(udp + 1);
	if ((void *)(vxlan + 1) > f->end)
		return NVE_DROP_INTERNAL;
	f->tos = f->outer6 ? nve_tos_of(NVE_P_IP6, (void *)ip6) : ip4->tos;
	f->ttl = f->outer6 ? ip6->hop_limit : ip4->ttl;
	f->sport = udp->sport;
	f->tunnel = udp->dport == nve_vxlan_port ? 0 : NVE_TUNNEL_GENEVE;
	f->vni = bpf_ntohl(vxlan->vni) >> 8;
	return NVE_FORWARD;
}

static __always_inline bool nve_came_from(const struct nve_frame *f, const struct nve_vtep *vtep)
{
	const struct nve_ip4 *ip4 = f->data + sizeof(struct nve_eth);
	const struct nve_ip6 *ip6 = (void *)ip4;
	const nve_u32 *a = (const void *)vtep->ip;
	const nve_u32 *b = (const void *)ip6->saddr;

	if (f->outer6)
		return a[0] == b[0] && a[1] == b[1] && a[2] == b[2] && a[3] == b[3];
	return !a[0] && !a[1] && a[2] == bpf_htonl(0xffff) && a[3] == ip4->saddr;
}

static __always_inline int nve_check_inner(const struct nve_eth *eth)
{
	if (nve_is_vlan(eth->proto))
		return NVE_DROP_INNER_TAG;
	return eth->src[0] & 1 ? NVE_DROP_SRC_MAC : NVE_FORWARD;
}
