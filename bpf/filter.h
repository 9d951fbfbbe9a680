/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The source filter (S48, S49): a TSI speaks for its own addresses only, in IP headers, in ARP and
 * RARP.  Neighbor discovery has a file of its own, filter_nd.h.
 *
 * The case of one IPv4 and one IPv6 address a MAC is decided inline, without a further lookup; the
 * rest is out of line, so that it costs the fast path no registers.
 */
#pragma once

#include "frame.h"

/* Is 'ip' the TSI's, under this key?  SRC_IP: no; SRC_INACTIVE: yes, but it is not in use. */
static __always_inline enum nve_drop nve_src_ip_find(const struct nve_who *who, __u32 owner,
						     __u16 vid, __u16 mac, const void *ip)
{
	struct nve_src_ip_key key = { .owner = owner, .vid = vid, .mac = mac };
	struct nve_src_ip *row;

	((nve_u64 *)key.ip)[0] = ((const nve_u64 *)ip)[0];
	((nve_u64 *)key.ip)[1] = ((const nve_u64 *)ip)[1];
	row = nve_lookup(src_ip, &key);
	if (!row || row->tsi != who->tsi)
		return NVE_DROP_SRC_IP;
	return nve_counts(row->when, row->gen, who->live) ? NVE_FORWARD : NVE_DROP_SRC_INACTIVE;
}

/* Is 'ip' (IPv4 as ::ffff:a.b.c.d) an address of the TSI?  Complete, out of line. */
static __noinline int nve_owns(const struct nve_who *who, const void *ip)
{
	const struct nve_src *src;
	const nve_u64 *x = ip;
	const nve_u32 *w = ip;
	int why, any;

	src = who->src;
	if (!src)
		return nve_src_ip_find(who, who->ifindex, who->vid, 0, ip);
	if (src->flags & NVE_SRC_IP4 && !x[0] && w[2] == bpf_htonl(0xffff) && w[3] == src->ip4)
		return NVE_FORWARD;
	if (src->flags & NVE_SRC_IP6 && nve_ip6_equal(ip, src->ip6))
		return NVE_FORWARD;
	why = NVE_DROP_SRC_IP;
	if (src->flags & NVE_SRC_MORE)
		why = nve_src_ip_find(who, who->tsi, 0, src->mac, ip);
	/* An IP may be bound to the MAC and out of use, and to none and in use. */
	if (why && src->flags & NVE_SRC_ANY_MAC) {
		any = nve_src_ip_find(who, who->tsi, 0, 0, ip);
		if (any != NVE_DROP_SRC_IP)
			why = any;
	}
	return why;
}

static __always_inline int nve_owns_4(const struct nve_who *who, __be32 addr)
{
	__u64 ip[2];

	nve_ip_from_4(ip, addr);
	return nve_owns(who, ip);
}

/* A TSI that has no address yet may ask for one: DHCP, client to server. */
static __always_inline bool nve_is_dhcp_request(const struct nve_ip4 *ip, void *end)
{
	const struct nve_udp *udp = (void *)ip + (ip->version_ihl & 15) * 4;

	return ip->protocol == IPPROTO_UDP && !(ip->frag_off & NVE_IP4_MF_OFFSET) &&
	       (ip->version_ihl & 15) >= 5 && (void *)(udp + 1) <= end &&
	       udp->sport == bpf_htons(68) && udp->dport == bpf_htons(67);
}

static __noinline int nve_filter_ip4_slow(const struct nve_who *who, const struct nve_ip4 *ip,
					  void *end)
{
	if ((void *)(ip + 1) > end)
		return NVE_DROP_SHORT;
	if (!ip->saddr && who->src)
		return nve_is_dhcp_request(ip, end) ? NVE_FORWARD : NVE_DROP_SRC_IP;
	return nve_owns_4(who, ip->saddr);
}

static __always_inline int nve_filter_ip4(struct nve_frame *f)
{
	const struct nve_src *src = f->who.src;
	const struct nve_ip4 *ip = f->l3;
	struct nve_who who;

	if ((void *)(ip + 1) > f->end)
		return NVE_DROP_SHORT;
	if (src && (!(src->flags & NVE_SRC_FILTER_IP) ||
		    (src->flags & NVE_SRC_IP4 && ip->saddr == src->ip4)))
		return NVE_FORWARD;
	who = f->who;
	return nve_filter_ip4_slow(&who, ip, f->end);
}

/* What ARP says of its sender must be the frame's source MAC and an address of the TSI. */
static __noinline int nve_filter_arp(const struct nve_who *who, const struct nve_arp *arp,
				     void *end)
{
	__be32 sender, target;
	int why;

	if ((void *)(arp + 1) > end)
		return NVE_DROP_SHORT;
	if (arp->htype != bpf_htons(1) || arp->ptype != NVE_P_IP4 || arp->hlen != NVE_ETH_ALEN ||
	    arp->plen != 4 || !nve_mac_equal(arp->sender_mac, who->mac))
		return NVE_DROP_SRC_ARP;
	if (who->src && !(who->src->flags & NVE_SRC_FILTER_IP))
		return NVE_FORWARD;
	sender = *(const nve_u32 *)arp->sender_ip;
	target = *(const nve_u32 *)arp->target_ip;
	if (sender)
		why = nve_owns_4(who, sender);
	else if (arp->op == bpf_htons(1)) /* a probe (RFC 5227 section 2.1.1) asks for its own */
		why = nve_owns_4(who, target);
	else
		return NVE_DROP_SRC_ARP;
	return why == NVE_DROP_SRC_IP ? NVE_DROP_SRC_ARP : why;
}

/* RARP, as hypervisors send it to announce a VM: no IP, or an own one. */
static __noinline int nve_filter_rarp(const struct nve_who *who, const struct nve_arp *arp,
				      void *end)
{
	__be32 sender;
	int why;

	if ((void *)(arp + 1) > end)
		return NVE_DROP_SHORT;
	if (!nve_mac_equal(arp->sender_mac, who->mac))
		return NVE_DROP_SRC_ARP;
	sender = *(const nve_u32 *)arp->sender_ip;
	if (!sender || (who->src && !(who->src->flags & NVE_SRC_FILTER_IP)))
		return NVE_FORWARD;
	why = nve_owns_4(who, sender);
	return why == NVE_DROP_SRC_IP ? NVE_DROP_SRC_ARP : why;
}

/*
 * IP in an LLC/SNAP frame (RFC 1042): some stacks take it for IP, so a TSI whose IPs are signaled
 * must not get past the filter that way.  Nobody needs it on Ethernet.
 */
static __noinline int nve_filter_llc(const struct nve_who *who, const __u8 *llc, void *end)
{
	const __u8 *oui = llc + 3;

	if (who->src && !(who->src->flags & NVE_SRC_FILTER_IP))
		return NVE_FORWARD;
	if ((void *)(llc + 8) > end)
		return NVE_FORWARD; /* too short for SNAP */
	if (llc[0] != 0xaa || llc[1] != 0xaa)
		return NVE_FORWARD;
	return oui[0] || oui[1] || (oui[2] && oui[2] != 0xf8) ? NVE_FORWARD : NVE_DROP_SRC_IP;
}
