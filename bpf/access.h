/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A frame from a hypervisor: 802.1Q tag, then whose it is (one lookup in src), then the source
 * filter.  What src does not know is looked at again, slowly, for the exact reason.
 */
#pragma once

#include "glean.h"

/* Without a tag there is no VN (S11); the host may want such frames for in-band signaling. */
static __noinline int nve_untagged(__u32 ifindex)
{
	struct nve_port *port = nve_lookup(port, &ifindex);

	return port && port->flags & NVE_PORT_UNTAGGED_HOST ? NVE_TO_HOST : NVE_DROP_NO_TAG;
}

static __always_inline int nve_parse_access(struct nve_frame *f)
{
	struct nve_eth *eth = f->data;
	struct nve_vlan *tag = (void *)(eth + 1);

	if ((void *)(eth + 1) > f->end)
		return NVE_DROP_SHORT;
	nve_mac_copy(f->who.mac, eth->src);
	f->proto = eth->proto;
	f->l3 = tag;
	if (!f->tag_in_meta) {
		if (eth->proto != NVE_P_8021Q)
			return nve_is_vlan(eth->proto) ? NVE_DROP_NO_TAG
						       : nve_untagged(f->who.ifindex);
		if ((void *)(tag + 1) > f->end)
			return NVE_DROP_SHORT;
		f->tci = bpf_ntohs(tag->tci);
		f->proto = tag->proto;
		f->l3 = tag + 1;
		f->len -= sizeof(*tag);
	}
	f->who.vid = f->tci & NVE_VID_MASK;
	if (!f->who.vid)
		return nve_untagged(f->who.ifindex);
	return nve_is_vlan(f->proto) ? NVE_DROP_DOUBLE_TAG : NVE_FORWARD;
}

/* Takes the TSI that a row of src or src_ip leads to; it must be Activated, and of this VAP. */
static __always_inline int nve_from_tsi(struct nve_frame *f, __u32 slot, __u8 when, __u16 gen)
{
	struct nve_tsi_row *row = nve_lookup(tsi, &slot);
	union nve_where at;

	if (!row)
		return NVE_DROP_INTERNAL;
	/* Read once a frame: rows of old and new addresses are judged at the same moment. */
	if (slot != f->who.tsi)
		f->who.live = nve_live(row);
	f->who.tsi = slot;
	at = nve_where(row);
	if (f->who.live < NVE_TSI_LIVE || !nve_counts(when, gen, f->who.live) ||
	    at.ifindex != f->who.ifindex || at.vid != f->who.vid)
		return NVE_DROP_SRC_INACTIVE;
	f->vn_id = row->vn_id;
	f->vni = row->vni;
	f->tunnel = row->tunnel;
	f->in_features = row->features;
	f->from = row;
	return NVE_FORWARD;
}

/* The IP that a frame claims to come from, as in keys; the reason if it claims none. */
static __noinline int nve_claimed_ip(void *l3, void *end, __u32 proto, __u64 *ip)
{
	struct nve_ip4 *ip4 = l3;
	struct nve_ip6 *ip6 = l3;
	struct nve_arp *arp = l3;
	struct nve_nd *nd = (void *)(ip6 + 1);
	const __u8 *from;

	if (proto == NVE_P_IP4) {
		if ((void *)(ip4 + 1) > end)
			return NVE_DROP_SHORT;
		nve_ip_from_4(ip, ip4->saddr);
		return NVE_FORWARD;
	}
	if (proto == NVE_P_ARP || proto == NVE_P_RARP) {
		if ((void *)(arp + 1) > end)
			return NVE_DROP_SHORT;
		from = *(nve_u32 *)arp->sender_ip ? arp->sender_ip : arp->target_ip;
		nve_ip_from_4(ip, *(nve_u32 *)from);
		return NVE_FORWARD;
	}
	if (proto != NVE_P_IP6)
		return NVE_DROP_SRC_MAC;
	if ((void *)(ip6 + 1) > end)
		return NVE_DROP_SHORT;
	from = ip6->saddr;
	if (nve_ip6_is_any(from) && ip6->nexthdr == NVE_IPPROTO_ICMP6) {
		if ((void *)(nd + 1) > end)
			return NVE_DROP_SHORT;
		if (nd->type == NVE_ND_NS)
			from = nd->target;
	}
	ip[0] = ((nve_u64 *)from)[0];
	ip[1] = ((nve_u64 *)from)[1];
	return NVE_FORWARD;
}

/* What kind of claim was wrong, where nobody has that IP. */
static __always_inline int nve_wrong_ip(__be16 proto)
{
	return proto == NVE_P_ARP || proto == NVE_P_RARP ? NVE_DROP_SRC_ARP : NVE_DROP_SRC_IP;
}

/* The TSI of this VAP that is known by IP alone. */
static __always_inline int nve_classify_by_ip(struct nve_frame *f)
{
	struct nve_src_ip_key key = { .owner = f->who.ifindex, .vid = f->who.vid };
	struct nve_src_ip *row = NULL;
	int why;

	why = nve_claimed_ip(f->l3, f->end, f->proto, (__u64 *)(void *)key.ip);
	if (!why)
		row = nve_lookup(src_ip, &key);
	if (!row) {
		f->who.tsi = NVE_NO_TSI;
		return why ?: nve_wrong_ip(f->proto);
	}
	return nve_from_tsi(f, row->tsi, row->when, row->gen);
}

/* No row for this source MAC, or none that counts ('why' says which). */
static __always_inline int nve_classify_slow(struct nve_frame *f, int why)
{
	struct nve_port *port = nve_lookup(port, &f->who.ifindex);
	struct nve_vap_row *vap = NULL;
	__u32 key;
	int by_ip;

	if (port && port->slot < nve_n_ports) {
		key = port->slot * NVE_VID_COUNT + f->who.vid;
		vap = nve_lookup(vap, &key);
	}
	if (!vap || vap->state == NVE_VAP_NONE)
		return NVE_DROP_NO_VAP;
	if (vap->state == NVE_VAP_QUARANTINED)
		return NVE_DROP_TAG_QUARANTINED;
	if (f->who.mac[0] & 1)
		return why;
	if (vap->ip_only) {
		f->who.src = NULL;
		by_ip = nve_classify_by_ip(f);
		if (!vap->glean || !by_ip || f->who.tsi != NVE_NO_TSI || why != NVE_DROP_SRC_MAC)
			return by_ip;
	}
	return vap->glean && why == NVE_DROP_SRC_MAC ? nve_glean_unknown(f) : why;
}

static __always_inline int nve_classify(struct nve_frame *f)
{
	struct nve_src_key key = { .ifindex = f->who.ifindex, .vid = f->who.vid };
	int why = NVE_DROP_SRC_MAC;
	struct nve_src *src;

	nve_mac_copy(key.mac, f->who.mac);
	src = nve_lookup(src, &key);
	f->who.src = src;
	if (src) {
		why = nve_from_tsi(f, src->tsi, src->when, src->gen);
		/* A row that does not count is as good as none: a TSI may be changing to IP alone.
		 */
		if (why != NVE_DROP_SRC_INACTIVE || src->when == NVE_WHEN_ALWAYS)
			return why;
	}
	return nve_classify_slow(f, why);
}

static __always_inline int nve_filter(struct nve_frame *f)
{
	struct nve_who who;

	if (f->proto == NVE_P_IP4)
		return nve_filter_ip4(f);
	if (f->proto == NVE_P_IP6)
		return nve_filter_ip6(f);
	who = f->who;
	if (f->proto == NVE_P_ARP)
		return nve_filter_arp(&who, f->l3, f->end);
	if (f->proto == NVE_P_RARP)
		return nve_filter_rarp(&who, f->l3, f->end);
	if (bpf_ntohs(f->proto) <= NVE_802_3_MAX)
		return nve_filter_llc(&who, f->l3, f->end);
	return NVE_FORWARD;
}
