/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Changing frames in TC: the kernel keeps the tag beside the frame, frames may be bulk TCP yet to
 * be segmented, and part of a frame may lie outside its linear head.  Headers are made on the stack
 * and stored by helper: a program that writes to frames directly makes the kernel copy every
 * cloned frame's head before it runs.
 */
#pragma once

#include "forward.h"

enum {
	NVE_TC_PULL = 512, /* more than any header chain that is looked at */
	NVE_TC_UNDERLAY_HEAD = NVE_OUTER4_LEN + 14 + 40,
	NVE_TC_DECAP_MIN = 34, /* adjust_room leaves no less than Ethernet and IPv4 headers */
};

/* UAPI by hand: macros, of which vmlinux.h has none, and what Debian's 6.1 does not know. */
#define NVE_TC_ENCAP_L2      ((__u64)sizeof(struct nve_eth) << 56) /* BPF_F_ADJ_ROOM_ENCAP_L2() */
#define NVE_TC_DECAP_L3_IPV6 (1 << 8) /* BPF_F_ADJ_ROOM_DECAP_L3_IPV6, since Linux 6.6 */
#define NVE_TC_ENCAP                                                                               \
	(BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 | BPF_F_ADJ_ROOM_ENCAP_L4_UDP |   \
	 BPF_F_ADJ_ROOM_ENCAP_L2_ETH | NVE_TC_ENCAP_L2)

/* What stands before a tenant's payload in the tunnel. */
struct nve_tc_head {
	__u64 bytes[8]; /* outer header, and the tenant's Ethernet header */
};
_Static_assert(sizeof(struct nve_tc_head) == NVE_OUTER4_LEN + sizeof(struct nve_eth), "no gap");

static __always_inline struct nve_frame nve_tc_frame(struct __sk_buff *skb)
{
	barrier_var(skb); /* the verifier wants each field read off the context pointer itself */
	return (struct nve_frame){
		.data = (void *)(long)skb->data,
		.end = (void *)(long)skb->data_end,
		.len = skb->len,
		.segs = skb->gso_segs ?: 1,
		.gso = skb->gso_size,
		.tci = skb->vlan_tci,
		.tag_in_meta = skb->vlan_present,
		.who = { .tsi = NVE_NO_TSI, .ifindex = skb->ifindex },
		.to_tsi = NVE_NO_TSI,
	};
}

/*
 * How much of a frame from a hypervisor is looked at.  No more than TCP/IP leaves in the linear
 * head of bulk traffic, for to pull means to copy; only what is rare in IPv6 is wanted whole.
 */
static __always_inline __u32 nve_tc_access_head(struct __sk_buff *skb)
{
	const struct nve_ip6 *ip = (void *)(long)skb->data + sizeof(struct nve_eth);

	if (skb->protocol != NVE_P_IP6)
		return sizeof(struct nve_eth) + 40;
	if ((void *)(ip + 1) <= (void *)(long)skb->data_end &&
	    (ip->nexthdr == IPPROTO_TCP || ip->nexthdr == IPPROTO_UDP))
		return sizeof(struct nve_eth) + 60;
	return NVE_TC_PULL;
}

/* Makes the first 'want' bytes linear, where there are as many; a failure shows as SHORT. */
static __always_inline void nve_tc_linear(struct __sk_buff *skb, __u32 want)
{
	void *data, *end;

	if (want > skb->len)
		want = skb->len;
	barrier_var(skb);
	data = (void *)(long)skb->data;
	end = (void *)(long)skb->data_end;
	if (data + want > end)
		bpf_skb_pull_data(skb, want);
}

/* In bytes, the longest outer IP packet that a frame becomes. */
static __always_inline __u32 nve_tc_outer_len(struct __sk_buff *skb, const struct nve_frame *f)
{
	__u32 headers = sizeof(struct nve_ip6) + 60; /* at most, when they cannot be read */
	__u8 proto = 0;
	__u32 at = nve_ports_at(f, &proto);
	const __u8 *l4 = f->l3 + at;

	if (!f->gso)
		return f->len + NVE_OUTER4_IP_LEN;
	if (proto == IPPROTO_UDP)
		headers = at + sizeof(struct nve_udp);
	else if (proto == IPPROTO_TCP && (void *)(l4 + 13) <= f->end)
		headers = at + (l4[12] >> 4) * 4;
	return sizeof(struct nve_eth) + headers + skb->gso_size + NVE_OUTER4_IP_LEN;
}

/* Makes room for the tunnel header before a frame without a tag. */
static __always_inline int nve_tc_grow(struct __sk_buff *skb)
{
	__u32 proto = skb->protocol;

	/* This one keeps bulk TCP whole, but takes IP only, and one tunnel only. */
	if ((proto == NVE_P_IP4 || proto == NVE_P_IP6) &&
	    !bpf_skb_adjust_room(skb, NVE_OUTER4_LEN, BPF_ADJ_ROOM_MAC, NVE_TC_ENCAP))
		return NVE_FORWARD;
	if (skb->gso_size || bpf_skb_change_head(skb, NVE_OUTER4_LEN, 0))
		return NVE_DROP_NO_ROOM;
	return NVE_FORWARD;
}

static __always_inline void nve_tc_head_inner(struct nve_tc_head *head, const struct nve_frame *f)
{
	nve_u16 *to = (void *)head + NVE_OUTER4_LEN;

	nve_mac_copy(to, f->data);
	nve_mac_copy(to + 3, f->data + NVE_ETH_ALEN);
	to[6] = f->proto;
}

/* Tag out, tunnel in. */
static __always_inline int nve_tc_encap(struct __sk_buff *skb, struct nve_frame *f)
{
	struct nve_tc_head head;
	int why;

	why = nve_check_vtep(f->vtep, nve_tc_outer_len(skb, f));
	if (why)
		return why;
	nve_outer_write(&head, f->vtep, f->len, f->vni, f->sport, 0);
	nve_tc_head_inner(&head, f);
	/* From here on the frame moves: no pointer into it is used again. */
	if (bpf_skb_vlan_pop(skb))
		return NVE_DROP_NO_ROOM;
	why = nve_tc_grow(skb);
	if (why)
		return why;
	return bpf_skb_store_bytes(skb, 0, &head, sizeof(head), 0) ? NVE_DROP_NO_ROOM : NVE_FORWARD;
}

/* Takes the tunnel off, adds no tag. */
static __always_inline int nve_tc_unwrap(struct __sk_buff *skb, const struct nve_frame *f)
{
	const struct nve_eth *eth = f->data + NVE_OUTER4_LEN;
	bool is_ip6, is_short = f->len < NVE_TC_DECAP_MIN;
	struct nve_eth inner;
	bool cut = is_short || f->trailer;
	__u32 len = f->len;

	nve_mac_copy(inner.dst, eth->dst);
	nve_mac_copy(inner.src, eth->src);
	inner.proto = eth->proto;
	is_ip6 = inner.proto == NVE_P_IP6 && len >= sizeof(inner) + sizeof(struct nve_ip6);
	/* Too short a frame is padded, and cut to its length again. */
	if (is_short && bpf_skb_change_tail(skb, NVE_OUTER4_LEN + NVE_TC_DECAP_MIN, 0))
		return NVE_DROP_NO_ROOM;
	/* The flag tells the kernel that it is IPv6 now; older ones do not know it. */
	if ((!is_ip6 || bpf_skb_adjust_room(skb, -NVE_OUTER4_LEN, BPF_ADJ_ROOM_MAC,
					    BPF_F_ADJ_ROOM_FIXED_GSO | NVE_TC_DECAP_L3_IPV6)) &&
	    bpf_skb_adjust_room(skb, -NVE_OUTER4_LEN, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO))
		return NVE_DROP_NO_ROOM;
	if (bpf_skb_store_bytes(skb, 0, &inner, sizeof(inner), 0) ||
	    (cut && bpf_skb_change_tail(skb, len, 0)))
		return NVE_DROP_NO_ROOM;
	return NVE_FORWARD;
}

static __always_inline int nve_tc_tag(struct __sk_buff *skb, __u16 tci)
{
	if (nve_dry)
		nve_trace_tag(tci);
	return bpf_skb_vlan_push(skb, NVE_P_8021Q, tci) ? NVE_DROP_NO_ROOM : NVE_FORWARD;
}

static __always_inline int nve_tc_retag(struct __sk_buff *skb, __u16 tci)
{
	return bpf_skb_vlan_pop(skb) ? NVE_DROP_NO_ROOM : nve_tc_tag(skb, tci);
}

/* On to the NVE that a TSI moved to: same frame, other outer header, one hop less. */
static __always_inline int nve_tc_relay(struct __sk_buff *skb, struct nve_frame *f)
{
	struct nve_tc_head head;
	int why;

	why = nve_check_vtep(f->vtep, nve_tc_outer_len(skb, f));
	if (why)
		return why;
	nve_outer_write(&head, f->vtep, f->len, f->vni, f->sport, f->ttl - 1);
	if (bpf_skb_store_bytes(skb, 0, &head, NVE_OUTER4_LEN, 0) ||
	    (f->trailer && bpf_skb_change_tail(skb, NVE_OUTER4_LEN + f->len, 0)))
		return NVE_DROP_NO_ROOM;
	return NVE_FORWARD;
}
