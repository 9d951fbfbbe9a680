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
	NVE_TC_PULL = 512,           /* more than any header chain that is looked at */
	NVE_TC_INNER_HEAD = 14 + 40, /* what is looked at of a frame in the tunnel */
};

/* UAPI by hand: macros, of which vmlinux.h has none, and what Debian's 6.1 does not know. */
#define NVE_TC_ENCAP_L2      ((__u64)sizeof(struct nve_eth) << 56) /* BPF_F_ADJ_ROOM_ENCAP_L2() */
#define NVE_TC_DECAP_L3_IPV4 (1 << 7) /* BPF_F_ADJ_ROOM_DECAP_L3_IPV4, since Linux 6.6 */
#define NVE_TC_DECAP_L3_IPV6 (1 << 8) /* and .._IPV6 */
#define NVE_TC_ENCAP                                                                               \
	(BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_ENCAP_L4_UDP | BPF_F_ADJ_ROOM_ENCAP_L2_ETH |    \
	 NVE_TC_ENCAP_L2)

static __always_inline struct nve_frame nve_tc_frame(struct __sk_buff *skb)
{
	barrier_var(skb); /* the verifier wants each field read off the context pointer itself */
	return (struct nve_frame){
		.ctx = skb,
		.data = (void *)(long)skb->data,
		.end = (void *)(long)skb->data_end,
		.len = skb->len,
		.segs = nve_dry ? 1 : skb->gso_segs ?: 1, /* why() asks of one frame */
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

static __always_inline __u32 nve_tc_underlay_head(struct __sk_buff *skb)
{
	return NVE_TC_INNER_HEAD + (skb->protocol == NVE_P_IP6 ? NVE_OUTER6_LEN : NVE_OUTER4_LEN);
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

/* Geneve options may reach beyond what was made linear. */
static __always_inline bool nve_tc_has_options(const struct nve_frame *f)
{
	const struct nve_eth *eth = f->data;
	const struct nve_udp *udp = (void *)(eth + 1) + sizeof(struct nve_ip4);
	const struct nve_geneve *geneve;

	if ((void *)(eth + 1) > f->end)
		return false;
	if (eth->proto == NVE_P_IP6)
		udp = (void *)(eth + 1) + sizeof(struct nve_ip6);
	geneve = (void *)(udp + 1);
	return (void *)(geneve + 1) <= f->end && udp->dport == nve_geneve_port &&
	       geneve->version_len & NVE_GENEVE_LEN;
}

/* In bytes, the longest frame that a tenant's frame is once it is segmented. */
static __always_inline __u32 nve_tc_len(struct __sk_buff *skb, const struct nve_frame *f)
{
	__u32 headers = sizeof(struct nve_ip6) + 60; /* at most, when they cannot be read */
	__u8 proto = 0;
	__u32 at = nve_ports_at(f, &proto);
	const __u8 *l4 = f->l3 + at;

	if (!f->gso)
		return f->len;
	if (proto == IPPROTO_UDP)
		headers = at + sizeof(struct nve_udp);
	else if (proto == IPPROTO_TCP && (void *)(l4 + 13) <= f->end)
		headers = at + (l4[12] >> 4) * 4;
	return sizeof(struct nve_eth) + headers + skb->gso_size;
}

/* Makes room for the tunnel header before a frame without a tag. */
static __always_inline int nve_tc_grow(struct __sk_buff *skb, bool outer6)
{
	__u32 len = outer6 ? NVE_OUTER6_LEN : NVE_OUTER4_LEN;
	__u64 flags = outer6 ? BPF_F_ADJ_ROOM_ENCAP_L3_IPV6 : BPF_F_ADJ_ROOM_ENCAP_L3_IPV4;
	__u32 proto = skb->protocol;

	/* This one keeps bulk TCP whole, but takes IP only, and one tunnel only. */
	if ((proto == NVE_P_IP4 || proto == NVE_P_IP6) &&
	    !bpf_skb_adjust_room(skb, len, BPF_ADJ_ROOM_MAC, NVE_TC_ENCAP | flags))
		return NVE_FORWARD;
	if (skb->gso_size || bpf_skb_change_head(skb, len, 0))
		return NVE_DROP_NO_ROOM;
	return NVE_FORWARD;
}

static __always_inline void nve_tc_eth(void *at, const struct nve_eth *eth)
{
	nve_u16 *to = at;

	nve_mac_copy(to, eth->dst);
	nve_mac_copy(to + 3, eth->src);
}

/* Outer header of that family, and behind it the tenant's Ethernet header, 'eth' in the frame. */
static __always_inline void nve_tc_head(struct nve_tc_head *head, const struct nve_frame *f,
					const struct nve_eth *eth, __u8 ttl, bool outer6)
{
	struct nve_outer outer = nve_outer_of(f, ttl);
	void *at = (void *)head + (outer6 ? NVE_OUTER6_LEN : NVE_OUTER4_LEN);

	nve_outer_write(head, f->vtep, &outer, outer6);
	nve_tc_eth(at, eth);
	((nve_u16 *)at)[6] = f->proto;
}

/* Gives the tenant's packet, in no tunnel and without tag, its DSCP and ECN. */
static __noinline int nve_tc_set_tos(struct __sk_buff *skb, __u32 proto, __u8 tos)
{
	__u32 at = sizeof(struct nve_eth);
	__u8 was[2], is[2];

	if (bpf_skb_load_bytes(skb, at, was, sizeof(was)))
		return NVE_DROP_NO_ROOM;
	is[0] = was[0];
	is[1] = tos;
	if (proto == NVE_P_IP6) {
		is[0] = (was[0] & 0xf0) | tos >> 4;
		is[1] = (was[1] & 0x0f) | tos << 4;
	} else if (bpf_l3_csum_replace(skb, at + __builtin_offsetof(struct nve_ip4, check),
				       bpf_htons(was[1]), bpf_htons(tos), sizeof(__u16))) {
		return NVE_DROP_NO_ROOM;
	}
	return bpf_skb_store_bytes(skb, at, is, sizeof(is), 0) ? NVE_DROP_NO_ROOM : NVE_FORWARD;
}

/* The same for a packet from a TSI that has a DSCP of its own. */
static __noinline int nve_tc_mark(struct __sk_buff *skb, __u32 proto, __u8 dscp)
{
	__u8 was[2], tos;

	if (proto != NVE_P_IP4 && proto != NVE_P_IP6)
		return NVE_FORWARD;
	if (bpf_skb_load_bytes(skb, sizeof(struct nve_eth), was, sizeof(was)))
		return NVE_DROP_NO_ROOM;
	tos = nve_tos_of(proto, was);
	if (nve_qos_tos(dscp, tos) == tos)
		return NVE_FORWARD;
	return nve_tc_set_tos(skb, proto, nve_qos_tos(dscp, tos));
}

/* Tag out; a frame of the NVE's own is from nobody. */
static __always_inline int nve_tc_untag(struct __sk_buff *skb, const struct nve_frame *f)
{
	__u8 dscp = nve_qos_dscp(f);
	__u32 proto = f->proto;

	if (bpf_skb_vlan_pop(skb))
		return NVE_DROP_NO_ROOM;
	return dscp ? nve_tc_mark(skb, proto, dscp) : NVE_FORWARD;
}

/* Tag out, tunnel in. */
static __always_inline int nve_tc_wrap(struct __sk_buff *skb, const struct nve_frame *f,
				       bool outer6)
{
	__u32 len = (outer6 ? NVE_OUTER6_LEN : NVE_OUTER4_LEN) + sizeof(struct nve_eth);
	struct nve_tc_head *head = nve_tc_room_here();
	int why;

	if (!head)
		return NVE_DROP_INTERNAL;
	nve_tc_head(head, f, f->data, 0, outer6);
	/* From here on the frame moves: no pointer into it is used again. */
	why = nve_tc_untag(skb, f) ?: nve_tc_grow(skb, outer6);
	if (why)
		return why;
	return bpf_skb_store_bytes(skb, 0, head, len, 0) ? NVE_DROP_NO_ROOM : NVE_FORWARD;
}

static __always_inline int nve_tc_encap(struct __sk_buff *skb, struct nve_frame *f)
{
	int why = nve_check_vtep(f->vtep, nve_tc_len(skb, f));

	if (why)
		return why;
	return nve_vtep_is6(f->vtep) ? nve_tc_wrap(skb, f, true) : nve_tc_wrap(skb, f, false);
}

/*
 * Takes the tunnel header out.  A flag tells the kernel that the packet is of the other family now;
 * older kernels do not know it.  adjust_room leaves no less than an IP header of that family, so
 * too short a frame is padded, and cut to its length again.
 */
static __always_inline int nve_tc_shrink(struct __sk_buff *skb, const struct nve_frame *f)
{
	bool ip6 = f->proto == NVE_P_IP6 && f->len >= NVE_TC_INNER_HEAD;
	__u32 least = sizeof(struct nve_eth) +
		      (f->outer6 ? sizeof(struct nve_ip6) : sizeof(struct nve_ip4));
	__u64 flag = 0;

	if (f->len < least && bpf_skb_change_tail(skb, f->outer_len + least, 0))
		return NVE_DROP_NO_ROOM;
	if (f->outer6 != ip6)
		flag = ip6 ? NVE_TC_DECAP_L3_IPV6 : NVE_TC_DECAP_L3_IPV4;
	if ((!flag || bpf_skb_adjust_room(skb, -(int)f->outer_len, BPF_ADJ_ROOM_MAC,
					  BPF_F_ADJ_ROOM_FIXED_GSO | flag)) &&
	    bpf_skb_adjust_room(skb, -(int)f->outer_len, BPF_ADJ_ROOM_MAC,
				BPF_F_ADJ_ROOM_FIXED_GSO))
		return NVE_DROP_NO_ROOM;
	if ((f->len < least || f->trailer) && bpf_skb_change_tail(skb, f->len, 0))
		return NVE_DROP_NO_ROOM;
	return NVE_FORWARD;
}

/* Takes the tunnel off, adds no tag. */
static __always_inline int nve_tc_unwrap(struct __sk_buff *skb, const struct nve_frame *f)
{
	struct nve_eth inner = { .proto = f->proto };
	int why;

	nve_tc_eth(&inner, f->inner);
	why = nve_tc_shrink(skb, f);
	if (why)
		return why;
	if (bpf_skb_store_bytes(skb, 0, &inner, sizeof(inner), 0))
		return NVE_DROP_NO_ROOM;
	return f->set_tos ? nve_tc_set_tos(skb, f->proto, f->set_tos) : NVE_FORWARD;
}

static __always_inline int nve_tc_tag(struct __sk_buff *skb, __u16 tci)
{
	if (nve_dry)
		nve_trace_tag(tci);
	return bpf_skb_vlan_push(skb, NVE_P_8021Q, tci) ? NVE_DROP_NO_ROOM : NVE_FORWARD;
}

/* From one local TSI to another: another VID. */
static __always_inline int nve_tc_retag(struct __sk_buff *skb, const struct nve_frame *f)
{
	return nve_tc_untag(skb, f) ?: nve_tc_tag(skb, nve_tci(f));
}

/* The new header is as long as the old one, or the old one is taken out first. */
static __always_inline int nve_tc_rewrap(struct __sk_buff *skb, const struct nve_frame *f,
					 bool outer6)
{
	__u32 len = outer6 ? NVE_OUTER6_LEN : NVE_OUTER4_LEN;
	struct nve_tc_head *head = nve_tc_room_here();
	int why;

	if (!head)
		return NVE_DROP_INTERNAL;
	nve_tc_head(head, f, f->inner, f->ttl - 1, outer6);
	if (f->outer_len == len && f->outer6 == outer6) {
		if (f->trailer && bpf_skb_change_tail(skb, len + f->len, 0))
			return NVE_DROP_NO_ROOM;
	} else {
		why = nve_tc_shrink(skb, f) ?: nve_tc_grow(skb, outer6);
		if (why)
			return why;
	}
	len += sizeof(struct nve_eth);
	return bpf_skb_store_bytes(skb, 0, head, len, 0) ? NVE_DROP_NO_ROOM : NVE_FORWARD;
}

/* On to the NVE that a TSI moved to: same frame, other outer header, one hop less. */
static __always_inline int nve_tc_relay(struct __sk_buff *skb, struct nve_frame *f)
{
	int why = nve_check_vtep(f->vtep, nve_tc_len(skb, f));

	if (why)
		return why;
	return nve_vtep_is6(f->vtep) ? nve_tc_rewrap(skb, f, true) : nve_tc_rewrap(skb, f, false);
}
