/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Gleaning (S46, D8): source addresses that frames bear are told to the agent, who decides whether
 * they are learned.  A frame from an unknown MAC is lost until then, some milliseconds later: were
 * it let pass, a TSI could send from more addresses than its bound allows, and from those of
 * others. Its sender repeats it; who asks by ARP or neighbor discovery does so after a second.
 *
 * What is told is bounded at the source: unknown addresses by a token bucket a gleaner, known ones
 * by a time between two reports of each.
 */
#pragma once

#include "filter_nd.h"
#include "meter.h"

/* Not a unicast address: nothing that can be somebody's. */
static __always_inline bool nve_glean_bad_4(const __u8 *ip)
{
	return ip[0] >= 224 || ip[0] == 127;
}

static __noinline int nve_glean_arp(const struct nve_arp *arp, void *end, const __u8 *mac,
				    __u64 *ip)
{
	if ((void *)(arp + 1) > end)
		return NVE_DROP_SHORT;
	if (arp->htype != bpf_htons(1) || arp->ptype != NVE_P_IP4 || arp->hlen != NVE_ETH_ALEN ||
	    arp->plen != 4 || !nve_mac_equal(arp->sender_mac, mac) ||
	    nve_glean_bad_4(arp->sender_ip))
		return NVE_DROP_SRC_ARP;
	if (*(const nve_u32 *)arp->sender_ip)
		nve_ip_from_4(ip, *(const nve_u32 *)arp->sender_ip);
	return NVE_FORWARD;
}

static __noinline int nve_glean_ip6(struct nve_ip6 *ip6, void *end, __u64 *ip)
{
	const struct nve_nd *nd = (void *)(ip6 + 1);
	const __u8 *from = ip6->saddr;

	if ((void *)(ip6 + 1) > end)
		return NVE_DROP_SHORT;
	if (from[0] == 0xff)
		return NVE_DROP_SRC_IP;
	if (ip6->nexthdr == NVE_IPPROTO_ICMP6) {
		if ((void *)nd + 8 > end)
			return NVE_DROP_SHORT;
		if (nd->type == NVE_ND_NA) {
			if ((void *)(nd + 1) > end)
				return NVE_DROP_SHORT;
			from = nd->target;
			if (from[0] == 0xff)
				return NVE_DROP_SRC_ND;
		}
	}
	ip[0] = ((const nve_u64 *)from)[0];
	ip[1] = ((const nve_u64 *)from)[1];
	return NVE_FORWARD;
}

/* The IP that the frame's sender has by its own word, zero if it claims none; or what is wrong. */
static __noinline int nve_glean_ip(void *l3, void *end, __u32 proto, const __u8 *mac, __u64 *ip)
{
	struct nve_ip4 *ip4 = l3;

	if (proto == NVE_P_ARP)
		return nve_glean_arp(l3, end, mac, ip);
	if (proto == NVE_P_IP6)
		return nve_glean_ip6(l3, end, ip);
	if (proto != NVE_P_IP4)
		return NVE_FORWARD;
	if ((void *)(ip4 + 1) > end)
		return NVE_DROP_SHORT;
	if (nve_glean_bad_4((const __u8 *)&ip4->saddr))
		return NVE_DROP_SRC_IP;
	if (ip4->saddr)
		nve_ip_from_4(ip, ip4->saddr);
	return NVE_FORWARD;
}

static __noinline int nve_glean_tell(const struct nve_gleaned_key *key, const struct nve_who *who,
				     struct nve_meter *meter)
{
#if !NVE_DRY
	struct nve_glean_event *ev;

	if (meter && !nve_meter_pass(meter, 1)) {
		nve_count_answer(NVE_ANSWER_GLEAN_LIMITED);
		return 0;
	}
	ev = bpf_ringbuf_reserve(&nve_events, sizeof(*ev), 0);
	if (!ev) {
		nve_count_answer(NVE_ANSWER_GLEAN_LOST);
		return 0;
	}
	ev->tsi = key->tsi;
	ev->ifindex = who->ifindex;
	ev->vid = who->vid;
	nve_mac_copy(ev->mac, key->mac);
	((__u64 *)(void *)ev->ip)[0] = ((const nve_u64 *)key->ip)[0];
	((__u64 *)(void *)ev->ip)[1] = ((const nve_u64 *)key->ip)[1];
	bpf_ringbuf_submit(ev, 0);
	nve_count_answer(NVE_ANSWER_GLEAN_TOLD);
#endif
	return 0;
}

/* A frame that passed the filter: its addresses are kept alive, a new IP is told. */
static __noinline int nve_glean_seen(const struct nve_who *who, void *l3, void *end, __u32 proto)
{
	struct nve_gleaner_key owner = { .owner = who->tsi };
	struct nve_gleaned_key key = { .tsi = who->tsi };
	struct nve_gleaned *known;
	struct nve_gleaner *row;
	__u64 now, ip[2] = { 0 };

	row = nve_lookup(gleaner, &owner);
	if (!row)
		return 0;
	/* By 0, which the verifier does not know: else all it learns of the frame here makes the way
	 * of the frame after this another one, to be walked again. */
	l3 += row->pad & 1;
	if (nve_glean_ip(l3, end, proto, who->mac, ip))
		return 0;
	nve_mac_copy(key.mac, who->mac);
	((nve_u64 *)key.ip)[0] = ip[0];
	((nve_u64 *)key.ip)[1] = ip[1];
	known = bpf_map_lookup_elem(&nve_gleaned, &key);
	if (!known)
		return ip[0] || ip[1] ? nve_glean_tell(&key, who, &row->meter) : 0;
	now = bpf_ktime_get_coarse_ns();
	if (nve_dry || now - known->told < row->every)
		return 0;
	known->told = now;
	return nve_glean_tell(&key, who, NULL);
}

/* A frame from a MAC that nobody on the VAP has: the reason it is lost. */
static __noinline int nve_glean_mac(struct nve_who *who, void *l3, void *end, __u32 proto)
{
	struct nve_gleaner_key owner = { .owner = who->ifindex, .vid = who->vid };
	struct nve_gleaned_key key = { 0 };
	struct nve_gleaner *row;
	struct nve_tsi_row *tsi;
	union nve_where at;
	__u64 ip[2] = { 0 };
	int why;

	row = nve_lookup(gleaner, &owner);
	if (!row)
		return NVE_DROP_SRC_MAC;
	key.tsi = row->tsi;
	tsi = nve_lookup(tsi, &key.tsi);
	if (!tsi)
		return NVE_DROP_INTERNAL;
	at = nve_where(tsi);
	if (at.ifindex != who->ifindex || at.vid != who->vid)
		return NVE_DROP_SRC_MAC;
	who->tsi = key.tsi;
	if (nve_live(tsi) < NVE_TSI_LIVE)
		return NVE_DROP_SRC_INACTIVE;
	nve_mac_copy(key.mac, who->mac);
	if (!*(nve_u32 *)key.mac && !key.mac[4] && !key.mac[5])
		return NVE_DROP_SRC_MAC;
	why = nve_glean_ip(l3, end, proto, who->mac, ip);
	if (why)
		return why;
	((nve_u64 *)key.ip)[0] = ip[0];
	((nve_u64 *)key.ip)[1] = ip[1];
	nve_glean_tell(&key, who, &row->meter);
	return NVE_DROP_GLEANING;
}

/* Copies of 'who', so that the frame's own stays in registers. */
static __always_inline int nve_glean_unknown(struct nve_frame *f)
{
	struct nve_who who = f->who;
	int why = nve_glean_mac(&who, f->l3, f->end, f->proto);

	f->who.tsi = who.tsi;
	return why;
}

/* Copies no more than is looked at: what else there is would part the ways of the verifier. */
static __always_inline void nve_glean_known(struct nve_frame *f)
{
	struct nve_who who = { .tsi = f->who.tsi, .ifindex = f->who.ifindex, .vid = f->who.vid };

	nve_mac_copy(who.mac, f->who.mac);
	nve_glean_seen(&who, f->l3, f->end, f->proto);
	asm volatile("" ::: "memory");
}
