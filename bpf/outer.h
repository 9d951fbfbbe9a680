/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The tunnel header, VXLAN over IPv4 (RFC 7348): reading it, checking it, and writing it from a
 * VTEP's template.  Moving the frame to make room for it is the business of xdp.h and tc.h.
 */
#pragma once

#include "frame.h"

/* Is it for the tunnel at all?  Everything else is the host's. */
static __always_inline bool nve_is_tunnel(const struct nve_ip4 *ip, void *end)
{
	const struct nve_udp *udp = (void *)ip + (ip->version_ihl & 15) * 4;

	if (ip->daddr != nve_local_vtep || ip->protocol != IPPROTO_UDP ||
	    ip->version_ihl >> 4 != 4 || (ip->version_ihl & 15) < 5 ||
	    ip->frag_off & NVE_IP4_OFFSET)
		return false;
	return (void *)(udp + 1) <= end && udp->dport == nve_vxlan_port;
}

/* A tunnel frame must be whole, in one piece and without options. */
static __always_inline int nve_check_outer(struct nve_frame *f, const struct nve_ip4 *ip,
					   const struct nve_udp *udp)
{
	const nve_u32 *w = (const void *)ip;
	__u32 ip_len = bpf_ntohs(ip->tot_len);
	__u32 len = ip_len + sizeof(struct nve_eth);

	if (ip->version_ihl != 0x45 || ip->frag_off & NVE_IP4_MF_OFFSET ||
	    nve_fold((__u64)w[0] + w[1] + w[2] + w[3] + w[4]) != 0xffff)
		return NVE_DROP_OUTER_INVALID;
	/* The lengths of a frame not yet segmented are filled in later, by who segments it. */
	if (f->gso)
		return NVE_FORWARD;
	if (len < NVE_OUTER4_LEN || len > f->len || bpf_ntohs(udp->len) + sizeof(*ip) != ip_len)
		return NVE_DROP_OUTER_INVALID;
	f->trailer = f->len - len;
	if (nve_dry)
		f->trailer = nve_trace_cut(f->trailer);
	f->len = len;
	return NVE_FORWARD;
}

static __always_inline int nve_parse_outer(struct nve_frame *f)
{
	struct nve_eth *eth = f->data;
	struct nve_ip4 *ip = (void *)(eth + 1);
	struct nve_udp *udp = (void *)(ip + 1);
	struct nve_vxlan *vxlan = (void *)(udp + 1);
	int why;

	if ((void *)(ip + 1) > f->end || eth->proto != NVE_P_IP4 || !nve_is_tunnel(ip, f->end))
		return NVE_TO_HOST;
	if ((void *)(vxlan + 1) > f->end)
		return NVE_DROP_SHORT;
	why = nve_check_outer(f, ip, udp);
	if (why)
		return why;
	/* Only the I flag counts: reserved bits are ignored on receipt (RFC 7348 section 5). */
	if (!(vxlan->flags & NVE_VXLAN_I))
		return NVE_DROP_TUNNEL_FLAGS;
	f->vni = bpf_ntohl(vxlan->vni) >> 8;
	f->outer_src = ip->saddr;
	f->ttl = ip->ttl;
	f->sport = udp->sport;
	f->len -= NVE_OUTER4_LEN;
	return NVE_FORWARD;
}

/* Only known VTEPs of a VN may send to it. */
static __always_inline int nve_peer_find(struct nve_frame *f)
{
	struct nve_peer_key key = { .vni = f->vni };
	struct nve_peer *peer;

	nve_ip_from_4(key.ip, f->outer_src);
	peer = nve_lookup(peer, &key);
	if (peer) {
		f->vn_id = peer->vn_id;
		return NVE_FORWARD;
	}
	__builtin_memset(key.ip, 0, sizeof(key.ip));
	return nve_lookup(peer, &key) ? NVE_DROP_UNKNOWN_VTEP : NVE_DROP_UNKNOWN_VNI;
}

static __always_inline int nve_check_inner(const struct nve_eth *eth)
{
	if (nve_is_vlan(eth->proto))
		return NVE_DROP_INNER_TAG;
	return eth->src[0] & 1 ? NVE_DROP_SRC_MAC : NVE_FORWARD;
}

/* Offset of TCP or UDP ports from the network header; 0: none, or not in every frame of a flow. */
static __always_inline __u32 nve_ports_at(const struct nve_frame *f, __u8 *ret_proto)
{
	const struct nve_ip4 *ip4 = f->l3;
	const struct nve_ip6 *ip6 = f->l3;
	__u8 proto;

	if (f->proto == NVE_P_IP4) {
		if ((void *)(ip4 + 1) > f->end || ip4->frag_off & NVE_IP4_MF_OFFSET)
			return 0;
		proto = ip4->protocol;
		if (proto == IPPROTO_TCP || proto == IPPROTO_UDP) {
			*ret_proto = proto;
			return (ip4->version_ihl & 15) * 4;
		}
	} else if (f->proto == NVE_P_IP6) {
		if ((void *)(ip6 + 1) > f->end)
			return 0;
		proto = ip6->nexthdr;
		if (proto == IPPROTO_TCP || proto == IPPROTO_UDP) {
			*ret_proto = proto;
			return sizeof(*ip6);
		}
	}
	return 0;
}

/*
 * Outer source port from the inner flow, in 49152..65535 (RFC 7348 section 5), the same for XDP and
 * TC, so that a flow keeps its path when a port changes its mode.
 */
static __always_inline void nve_entropy(struct nve_frame *f)
{
	const struct nve_eth *eth = f->data;
	const struct nve_ip4 *ip4 = f->l3;
	const struct nve_ip6 *ip6 = f->l3;
	__u64 h = *(const nve_u64 *)eth->dst ^ ((__u64) * (const nve_u32 *)(eth->src + 2) << 29);
	__u8 proto;
	__u32 at = nve_ports_at(f, &proto);
	const nve_u32 *ports = f->l3 + at;

	if (f->proto == NVE_P_IP4 && (void *)(ip4 + 1) <= f->end)
		h = (__u64)ip4->saddr << 32 | ip4->daddr;
	else if (f->proto == NVE_P_IP6 && (void *)(ip6 + 1) <= f->end)
		h = ((const nve_u64 *)ip6->saddr)[0] * 3 ^ ((const nve_u64 *)ip6->saddr)[1] ^
		    ((const nve_u64 *)ip6->daddr)[0] * 5 ^ ((const nve_u64 *)ip6->daddr)[1] * 7;
	h *= 0x9e3779b97f4a7c15ull;
	h ^= h >> 32;
	if (at && (void *)(ports + 1) <= f->end)
		h += *ports;
	h *= 0xbf58476d1ce4e5b9ull;
	f->sport = bpf_htons(49152 + (h >> 50));
}

/* Whether the VTEP can be sent to, and by this much ('ip_len': longest outer packet). */
static __always_inline int nve_check_vtep(const struct nve_vtep *vtep, __u32 ip_len)
{
	if (!(vtep->flags & NVE_VTEP_RESOLVED) || vtep->outer_len != NVE_OUTER4_LEN)
		return NVE_DROP_VTEP_UNRESOLVED;
	return ip_len > vtep->mtu ? NVE_DROP_TOO_LARGE : NVE_FORWARD;
}

/*
 * Writes the tunnel header at 'at', in the frame or on the stack.  'ttl' 0: as in the template.
 * The checksum of the template is that of a total length of 0, so adding is all there is to do
 * (RFC 1624).
 */
static __always_inline void nve_outer_write(void *at, const struct nve_vtep *vtep, __u32 len,
					    __u32 vni, __be16 sport, __u8 ttl)
{
	const nve_u64 *from = (const void *)vtep->outer;
	nve_u64 *to = at;
	struct nve_ip4 *ip = at + sizeof(struct nve_eth);
	struct nve_udp *udp = (void *)(ip + 1);
	nve_u16 *vni_at = (void *)(udp + 1) + 4;
	__u32 sum;

#pragma unroll
	for (int i = 0; i < 6; i++)
		to[i] = from[i];
	/* By halves: on the stack it is not aligned. */
	vni_at[0] = bpf_htons(vni >> 8);
	vni_at[1] = bpf_htons((vni & 0xff) << 8);
	ip->tot_len = bpf_htons(len + NVE_OUTER4_IP_LEN);
	udp->sport = sport;
	udp->len = bpf_htons(len + sizeof(*udp) + sizeof(struct nve_vxlan));
	sum = (__u16)~ip->check + ip->tot_len;
	if (ttl) {
		sum += (__u16)~bpf_htons(ip->ttl << 8) + bpf_htons(ttl << 8);
		ip->ttl = ttl;
	}
	ip->check = ~nve_fold(sum);
}
