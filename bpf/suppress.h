/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What becomes of BUM before it is flooded: a TSI that asks for an address that is known in its VN
 * gets the answer from here, and unknown unicast is dropped where the VN says so; the VN's rate of
 * BUM is asked for by who floods.
 *
 * An answer says what its owner would say, or there is none (RFC 9161 section 3.3).  neigh holds
 * who claims an IP.  A TSI is answered for while frames to the MAC go to it and the source filter
 * would let it say so itself: so answers follow each flip of its record, with no state of their
 * own.  A MAC behind another NVE is answered for while the NVA maps the IP to it and frames to it
 * go there.
 *
 * Flooded as ever is what must be heard by others, or only the owner can answer: announcements,
 * probes and duplicate address detection (RFC 5227, RFC 4862), what asks for the asker's own MAC or
 * for a neighbor behind its own port and tag, solicitations that are not plain (other options,
 * SEND).  Questions sent to one MAC, by which hosts see whether a neighbor is alive, are not BUM:
 * they go to it.
 */
#pragma once

#include "filter_nd.h"
#include "meter.h"

struct nve_ask {
	__u8 ip[16] __attribute__((aligned(8))); /* wanted */
	__u32 vn_id;
	__u32 ifindex; /* and vid: of who asks */
	__u32 vid;
	__u32 kind;             /* enum nve_answer + 1 */
	__u8 mac[NVE_ETH_ALEN]; /* of who asks; then the answer */
	__u8 pad[2];
};

/*
 * What is looked up on its behalf.  Not on the stack: the kernel counts 32 bytes of it for each
 * function at least, and there are five between a program and nve_owns().
 */
struct nve_suppressing {
	struct nve_ask ask;
	struct nve_neigh_key neigh;
	struct nve_fdb_key fdb;
	struct nve_src_key src;
	struct nve_neigh_mac claim[2];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nve_suppressing);
} nve_suppressing SEC(".maps");

static __always_inline struct nve_suppressing *nve_suppress_room(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&nve_suppressing, &zero);
}

/* A neighbor solicitation with the one option it needs; the advertisement is as long. */
struct nve_ns {
	struct nve_ip6 ip;
	struct nve_nd nd;
	struct nve_nd_opt opt;
};
_Static_assert(sizeof(struct nve_ns) == 72, "as on the wire");
#define NVE_NS_LEN (sizeof(struct nve_ns) - sizeof(struct nve_ip6))

__noinline int nve_flood_flags(__u32 vn_id)
{
	struct nve_flood *row = nve_lookup(flood, &vn_id);

	return row ? row->flags : 0;
}

/* --- is it a question? ------------------------------------------------------------------------ */

static __noinline int nve_arp_asks(const struct nve_arp *arp, void *end, struct nve_ask *ask)
{
	__be32 sender, target;

	if ((void *)(arp + 1) > end || arp->op != bpf_htons(1))
		return false;
	sender = *(const nve_u32 *)arp->sender_ip;
	target = *(const nve_u32 *)arp->target_ip;
	nve_ip_from_4(ask->ip, target);
	return sender && sender != target;
}

/* The checksum field must make it 0xffff (RFC 4443 section 2.3). */
static __always_inline __u16 nve_ns_sum(const struct nve_ns *ns)
{
	const nve_u32 *w = (const void *)ns->ip.saddr;
	__u64 sum = bpf_htonl(NVE_NS_LEN) + (__u64)bpf_htonl(NVE_IPPROTO_ICMP6);

#pragma unroll
	for (int i = 0; i < (int)(sizeof(*ns) - 8) / 4; i++)
		sum += w[i];
	return nve_fold(sum);
}

/* Sent to the solicited-node address (RFC 4291 section 2.7.1) of what it asks for. */
static __always_inline bool nve_is_solicited(const __u8 *to, const __u8 *target)
{
	const nve_u32 *a = (const void *)to, *b = (const void *)target;

	return a[0] == bpf_htonl(0xff020000) && !a[1] && a[2] == bpf_htonl(1) &&
	       a[3] == (b[3] | bpf_htonl(0xff000000));
}

/* RFC 4861 section 7.1.1; that the option names the frame's source MAC was seen to before. */
static __noinline int nve_ns_asks(const struct nve_ns *ns, void *end, struct nve_ask *ask)
{
	if ((void *)(ns + 1) > end || *(const __u8 *)ns >> 4 != 6 || ns->nd.type != NVE_ND_NS ||
	    ns->nd.code || ns->ip.nexthdr != NVE_IPPROTO_ICMP6 || ns->ip.hop_limit != 255 ||
	    ns->ip.payload_len != bpf_htons(NVE_NS_LEN) || ns->opt.type != NVE_ND_OPT_SOURCE_MAC ||
	    ns->opt.len != 1)
		return false;
	((nve_u64 *)ask->ip)[0] = ((const nve_u64 *)ns->nd.target)[0];
	((nve_u64 *)ask->ip)[1] = ((const nve_u64 *)ns->nd.target)[1];
	return !nve_ip6_is_any(ns->ip.saddr) && ns->ip.saddr[0] != 0xff &&
	       nve_is_solicited(ns->ip.daddr, ns->nd.target) && nve_ns_sum(ns) == 0xffff;
}

/* Is it a question?  enum nve_answer + 1. */
static __noinline int nve_asks(struct nve_ask *ask, void *l3, void *end, __u32 proto)
{
	if (proto == NVE_P_ARP)
		return nve_arp_asks(l3, end, ask) ? NVE_ANSWER_ARP + 1 : 0;
	if (proto == NVE_P_IP6)
		return nve_ns_asks(l3, end, ask) ? NVE_ANSWER_ND + 1 : 0;
	return 0;
}

/* --- who has it? ------------------------------------------------------------------------------ */

enum nve_has { NVE_HAS_NOT, NVE_HAS, NVE_HAS_GONE /* the TSI is not in use */ };

/* Frames to the MAC go to this TSI: does it have the IP, and elsewhere than where it is asked? */
static __noinline int nve_tsi_has(struct nve_suppressing *s, const struct nve_dest *dest,
				  const __u8 *mac)
{
	const struct nve_ask *ask = &s->ask;
	struct nve_who who = { .tsi = dest->slot };
	struct nve_tsi_row *row = nve_lookup(tsi, &who.tsi);
	union nve_where at;

	if (!row)
		return NVE_HAS_GONE;
	who.live = nve_live(row);
	at = nve_where(row);
	if (who.live < NVE_TSI_LIVE || !nve_counts(dest->when, dest->gen, who.live) ||
	    row->vn_id != ask->vn_id)
		return NVE_HAS_GONE;
	if (at.ifindex == ask->ifindex && at.vid == ask->vid)
		return NVE_HAS_NOT;
	s->src.ifindex = at.ifindex;
	s->src.vid = at.vid;
	nve_mac_copy(s->src.mac, mac);
	who.src = nve_lookup(src, &s->src);
	if (!who.src || who.src->tsi != who.tsi ||
	    !nve_counts(who.src->when, who.src->gen, who.live))
		return NVE_HAS_NOT;
	return nve_owns(&who, ask->ip) ? NVE_HAS_NOT : NVE_HAS;
}

/* By the way that frames to the MAC take now, as nve_find() does. */
static __always_inline int nve_mac_has(struct nve_suppressing *s, const struct nve_neigh_mac *claim)
{
	struct nve_fdb *row;
	int has;

	s->fdb.vn_id = s->ask.vn_id;
	nve_mac_copy(s->fdb.mac, claim->mac);
	if (!(claim->flags & NVE_NEIGH_SET) || nve_mac_equal(s->fdb.mac, s->ask.mac))
		return NVE_HAS_NOT;
	row = nve_lookup(fdb, &s->fdb);
	if (!row)
		return NVE_HAS_NOT;
	if (row->second.kind == NVE_DEST_TSI) {
		has = nve_tsi_has(s, &row->second, s->fdb.mac);
		if (has != NVE_HAS_GONE)
			return has;
	}
	if (row->first.kind == NVE_DEST_VTEP)
		return claim->flags & NVE_NEIGH_REMOTE ? NVE_HAS : NVE_HAS_NOT;
	return row->first.kind == NVE_DEST_TSI &&
	       nve_tsi_has(s, &row->first, s->fdb.mac) == NVE_HAS;
}

/* Of the claims the one that came later counts, if it holds. */
static __always_inline int nve_neigh_find(struct nve_suppressing *s)
{
	struct nve_ask *ask = &s->ask;
	struct nve_neigh *row;

	s->neigh.vn_id = ask->vn_id;
	((nve_u32 *)s->neigh.ip)[0] = ((const nve_u32 *)ask->ip)[0];
	((nve_u32 *)s->neigh.ip)[1] = ((const nve_u32 *)ask->ip)[1];
	((nve_u32 *)s->neigh.ip)[2] = ((const nve_u32 *)ask->ip)[2];
	((nve_u32 *)s->neigh.ip)[3] = ((const nve_u32 *)ask->ip)[3];
	row = nve_lookup(neigh, &s->neigh);
	if (!row)
		return false;
	s->claim[0] = row->second;
	s->claim[1] = row->first;
	/* A row that was removed may have become another's while it was read. */
	if (bpf_map_lookup_elem(&nve_neigh, &s->neigh) != row)
		return false;
	for (int i = 0; i < 2; i++) {
		if (nve_mac_has(s, &s->claim[i]) != NVE_HAS)
			continue;
		nve_mac_copy(ask->mac, s->claim[i].mac);
		return true;
	}
	return false;
}

/* ask.kind, and the answer in ask.mac; 0: there is none.  Global, so verified once. */
__noinline int nve_answer_of(__u32 group)
{
	struct nve_suppressing *s = nve_suppress_room();

	if (!s || !group || !s->ask.kind || !(nve_flood_flags(s->ask.vn_id) & NVE_FLOOD_SUPPRESS) ||
	    !nve_neigh_find(s))
		return 0;
	return s->ask.kind;
}

/* --- the hooks -------------------------------------------------------------------------------- */

/* Whether a frame that nobody is known to take is dropped: to one MAC, not to a group. */
__noinline int nve_unknown(__u32 vn_id, __u32 group)
{
	return !group && nve_flood_flags(vn_id) & NVE_FLOOD_NO_UNKNOWN ? NVE_DROP_DST_UNKNOWN
								       : NVE_FORWARD;
}

/* From a TSI, to be flooded. */
static __always_inline int nve_suppress(struct nve_frame *f, const __u8 *dst)
{
	__u32 group = dst[0] & 1;
	struct nve_suppressing *s = nve_suppress_room();
	int why = nve_unknown(f->vn_id, group);

	if (why || !s)
		return why;
	s->ask.vn_id = f->vn_id;
	s->ask.ifindex = f->who.ifindex;
	s->ask.vid = f->who.vid;
	nve_mac_copy(s->ask.mac, f->who.mac);
	s->ask.kind = nve_asks(&s->ask, f->l3, f->end, f->proto);
	f->answer = nve_answer_of(group);
	nve_mac_copy(f->answer_mac, s->ask.mac);
	return NVE_FORWARD;
}

/*
 * Asked once for a frame that is about to be flooded.  Frames from TSIs alone are limited: a storm
 * is stopped at its first NVE, before it is copied, and none from elsewhere uses up the tokens.
 */
__noinline int nve_bum_rate(__u32 vn_id, __u32 frames)
{
	struct nve_meter *meter;

	if (!(nve_flood_flags(vn_id) & NVE_FLOOD_METER))
		return NVE_FORWARD;
	meter = nve_lookup(bum, &vn_id);
	return !meter || nve_meter_pass(meter, frames) ? NVE_FORWARD : NVE_DROP_BUM_RATE;
}
