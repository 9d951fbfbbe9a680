/* SPDX-License-Identifier: Apache-2.0 */
/* What frames meet in the datapath in memory, see fake.h: the shadow's 'now'. */
#include <string.h>

#include "dp/fake.h"
#include "dp/fake_dp.h"

static bool has_ip(const struct nve_addr *addr, const struct nve_ip *ip)
{
	uint8_t family = addr->flags & NVE_ADDR_IPV4 ? 4 : addr->flags & NVE_ADDR_IPV6 ? 6 : 0;

	return family && family == ip->family && !memcmp(addr->ip, ip->bytes, sizeof(addr->ip));
}

static bool has_mac(const struct nve_addr *addr, const uint8_t mac[NVE_MAC_LEN])
{
	return (addr->flags & NVE_ADDR_MAC) && !memcmp(addr->mac, mac, NVE_MAC_LEN);
}

/* IPs bound to the MAC, or to none, are a filter as soon as there is one. */
static bool ip_passes(const struct nve_shadow_tsi_state *tsi, const uint8_t mac[NVE_MAC_LEN],
		      const struct nve_ip *ip)
{
	bool filtered = false;

	for (uint16_t i = 0; i < tsi->n_addrs; i++) {
		const struct nve_addr *addr = &tsi->addrs[i].addr;

		if (tsi->addrs[i].gleaned || !(addr->flags & (NVE_ADDR_IPV4 | NVE_ADDR_IPV6)) ||
		    ((addr->flags & NVE_ADDR_MAC) && !has_mac(addr, mac)))
			continue;
		filtered = true;
		if (tsi->addrs[i].active && has_ip(addr, ip))
			return true;
	}
	return !filtered || !ip->family;
}

static bool knows(const struct nve_shadow_tsi_state *tsi, const struct nve_fake_frame *frame)
{
	for (uint16_t i = 0; i < tsi->n_addrs; i++)
		if (tsi->has_mac ? has_mac(&tsi->addrs[i].addr, frame->src)
				 : has_ip(&tsi->addrs[i].addr, &frame->ip))
			return true;
	return false;
}

/*
 * A TSI that has the MAC in use comes first, then one known by IP alone, then one that has the MAC
 * out of use: its frame is lost, but it is known whose it was.
 */
static uint32_t find_source(const struct nve_dp *dp, const struct nve_fake_frame *frame)
{
	uint32_t found = NVE_SLOT_NONE;
	int best = 0;

	for (uint32_t i = 0; i < dp->shadow.limits.max_tsis; i++) {
		const struct nve_shadow_tsi_state *tsi = dp->shadow.tsis[i].now;
		int rank;

		if (!tsi || tsi->key.port != frame->port || tsi->tag != frame->tag ||
		    !knows(tsi, frame))
			continue;
		rank = !tsi->has_mac ? 2 : nve_shadow_mac_active(tsi, frame->src) ? 3 : 1;
		if (rank > best)
			found = i;
		best = rank > best ? rank : best;
	}
	return found;
}

static bool tsi_takes(const struct nve_dp *dp, uint32_t slot, const uint8_t mac[NVE_MAC_LEN])
{
	const struct nve_shadow_tsi_state *tsi = dp->shadow.tsis[slot].now;

	return tsi && tsi->activated && nve_shadow_mac_active(tsi, mac);
}

/* False: dropped.  An unknown MAC is flooded, and has no destination. */
static bool find_dest(const struct nve_dp *dp, uint32_t vn_id, const uint8_t mac[NVE_MAC_LEN],
		      struct nve_dp_dest *ret)
{
	const struct nve_shadow_fdb *entry = nve_shadow_fdb(&dp->shadow, vn_id, mac);
	const struct nve_fake_dests *to;
	int i;

	*ret = (struct nve_dp_dest){ .kind = NVE_DP_DEST_NONE };
	if (!entry || !entry->now)
		return true;
	to = &dp->dests[entry - dp->shadow.fdb];
	i = to->kind[1] == NVE_DP_DEST_TSI && tsi_takes(dp, to->slot[1], mac) ? 1 : 0;
	*ret = (struct nve_dp_dest){ .kind = to->kind[i], .slot = to->slot[i] };
	return ret->kind == NVE_DP_DEST_VTEP ||
	       (ret->kind == NVE_DP_DEST_TSI && tsi_takes(dp, ret->slot, mac));
}

/* What is left to flood: nothing, of unknown unicast in a VN that drops it. */
static bool may_flood(const struct nve_shadow_vn *vn, const uint8_t dst[NVE_MAC_LEN])
{
	return (dst[0] & 1) || !vn->now->bum.drop_unknown;
}

static uint32_t vap_copies(const struct nve_dp *dp, uint32_t vn_id)
{
	struct nve_hash_node *node = NULL;
	uint32_t n = 0;

	while ((node = nve_hash_next(&dp->shadow.vaps, node))) {
		const struct nve_shadow_vap *vap =
			(void *)((char *)node - offsetof(struct nve_shadow_vap, node));

		n += vap->now.set && !vap->now.quarantined && vap->now.vn_id == vn_id &&
		     vap->now.n_activated;
	}
	return n;
}

static void to_group(struct nve_fake_verdict *v, uint32_t copies)
{
	v->copies = copies;
	v->pass = copies > 0;
}

static void tell(struct nve_dp *dp, uint32_t slot, const struct nve_fake_frame *frame)
{
	struct nve_dp_gleaned *told;

	if (dp->n_told == NVE_FAKE_TOLD_MAX || (frame->src[0] & 1))
		return;
	told = &dp->told[dp->n_told++];
	*told = (struct nve_dp_gleaned){ .slot = slot, .port = frame->port, .tag = frame->tag };
	told->addr.flags = NVE_ADDR_MAC;
	memcpy(told->addr.mac, frame->src, NVE_MAC_LEN);
	if (!frame->ip.family)
		return;
	told->addr.flags |= frame->ip.family == 4 ? NVE_ADDR_IPV4 : NVE_ADDR_IPV6;
	memcpy(told->addr.ip, frame->ip.bytes, sizeof(told->addr.ip));
}

/* A frame that nobody is known to send: lost, but it may be told. */
static uint32_t find_gleaner(const struct nve_dp *dp, const struct nve_fake_frame *frame)
{
	for (uint32_t i = 0; i < dp->shadow.limits.max_tsis; i++) {
		const struct nve_shadow_tsi_state *tsi = dp->shadow.tsis[i].now;

		if (tsi && tsi->glean == NVE_DP_GLEAN_MACS && tsi->activated &&
		    tsi->key.port == frame->port && tsi->tag == frame->tag)
			return i;
	}
	return NVE_SLOT_NONE;
}

struct nve_fake_verdict nve_fake_from_port(const struct nve_dp *dp,
					   const struct nve_fake_frame *frame)
{
	const struct nve_shadow_vap *vap = nve_shadow_vap(&dp->shadow, frame->port, frame->tag);
	struct nve_fake_verdict v = { .tsi = find_source(dp, frame) };
	const struct nve_shadow_tsi_state *from, *to;
	const struct nve_shadow_vn *vn;

	if (!vap || !vap->now.set || vap->now.quarantined)
		return v;
	if (v.tsi == NVE_SLOT_NONE) {
		v.tsi = find_gleaner(dp, frame);
		return v;
	}
	from = dp->shadow.tsis[v.tsi].now;
	vn = nve_shadow_vn(&dp->shadow, from->key.vn_id);
	if (!vn || !vn->now || !from->activated ||
	    (from->has_mac && !nve_shadow_mac_active(from, frame->src)) ||
	    !ip_passes(from, frame->src, &frame->ip))
		return v;
	if (!(frame->dst[0] & 1))
		v.pass = find_dest(dp, vn->vn_id, frame->dst, &v.dest);
	if (v.pass && v.dest.kind == NVE_DP_DEST_NONE)
		v.pass = may_flood(vn, frame->dst);
	if ((frame->dst[0] & 1) || (v.pass && v.dest.kind == NVE_DP_DEST_NONE))
		to_group(&v, vn->now->n_vteps + vap_copies(dp, vn->vn_id) - !!vap->now.n_activated);
	if (!v.pass || v.dest.kind != NVE_DP_DEST_TSI)
		return v;
	to = dp->shadow.tsis[v.dest.slot].now;
	v.pass = to->key.port != from->key.port || to->tag != from->tag;
	return v;
}

struct nve_fake_verdict nve_fake_take(struct nve_dp *dp, const struct nve_fake_frame *frame)
{
	struct nve_fake_verdict v = nve_fake_from_port(dp, frame);
	bool known = v.pass || v.tsi == find_gleaner(dp, frame);

	if (v.tsi != NVE_SLOT_NONE && known && dp->shadow.tsis[v.tsi].now->glean)
		tell(dp, v.tsi, frame);
	return v;
}

static bool sends_to(const struct nve_dp *dp, const struct nve_shadow_vn *vn,
		     const struct nve_ip *vtep, uint32_t vni)
{
	if (!vn->now || vn->now->vni != vni)
		return false;
	for (uint32_t i = 0; i < vn->now->n_vteps; i++)
		if (!memcmp(&dp->shadow.vteps[vn->now->vteps[i]].now, vtep, sizeof(*vtep)))
			return true;
	return false;
}

struct nve_fake_verdict nve_fake_from_vtep(const struct nve_dp *dp, const struct nve_ip *vtep,
					   uint32_t vni, const uint8_t dst[NVE_MAC_LEN])
{
	struct nve_fake_verdict v = { .tsi = NVE_SLOT_NONE };
	struct nve_hash_node *node = NULL;

	while ((node = nve_hash_next(&dp->shadow.vns, node))) {
		const struct nve_shadow_vn *vn =
			(void *)((char *)node - offsetof(struct nve_shadow_vn, node));

		if (!sends_to(dp, vn, vtep, vni))
			continue;
		if (!(dst[0] & 1))
			v.pass = find_dest(dp, vn->vn_id, dst, &v.dest);
		if (v.pass && v.dest.kind == NVE_DP_DEST_NONE)
			v.pass = may_flood(vn, dst);
		if ((dst[0] & 1) || (v.pass && v.dest.kind == NVE_DP_DEST_NONE))
			to_group(&v, vap_copies(dp, vn->vn_id));
		/* On to another VTEP, but never back to where it came from. */
		if (v.dest.kind == NVE_DP_DEST_VTEP)
			v.pass = memcmp(&dp->shadow.vteps[v.dest.slot].now, vtep, sizeof(*vtep)) !=
				 0;
		break;
	}
	return v;
}

static bool holds(const struct nve_dp *dp, const struct nve_fake_frame *asker, uint32_t vn_id,
		  const struct nve_dp_claim *claim, const struct nve_ip *ip)
{
	const struct nve_shadow_tsi_state *tsi;
	struct nve_dp_dest dest;

	if (!claim->kind || !memcmp(claim->mac, asker->src, NVE_MAC_LEN) ||
	    !find_dest(dp, vn_id, claim->mac, &dest))
		return false;
	if (dest.kind != NVE_DP_DEST_TSI)
		return dest.kind == NVE_DP_DEST_VTEP && claim->kind == NVE_DP_DEST_VTEP;
	tsi = dp->shadow.tsis[dest.slot].now;
	if (tsi->key.port == asker->port && tsi->tag == asker->tag)
		return false;
	for (uint16_t i = 0; i < tsi->n_addrs; i++)
		if (tsi->addrs[i].active && has_mac(&tsi->addrs[i].addr, claim->mac) &&
		    has_ip(&tsi->addrs[i].addr, ip))
			return true;
	return false;
}

bool nve_fake_answer(const struct nve_dp *dp, const struct nve_fake_frame *asker,
		     const struct nve_ip *ip, uint8_t mac[NVE_MAC_LEN])
{
	const struct nve_shadow_vap *vap = nve_shadow_vap(&dp->shadow, asker->port, asker->tag);
	const struct nve_shadow_neigh *entry;
	const struct nve_shadow_vn *vn;

	if (!vap || !nve_fake_from_port(dp, asker).pass)
		return false;
	vn = nve_shadow_vn(&dp->shadow, vap->now.vn_id);
	entry = nve_shadow_neigh(&dp->shadow, vap->now.vn_id, ip);
	if (!vn || !vn->now || !vn->now->bum.suppress || !entry)
		return false;
	for (int i = 1; i >= 0; i--) {
		if (!holds(dp, asker, vn->vn_id, &entry->now[i], ip))
			continue;
		memcpy(mac, entry->now[i].mac, NVE_MAC_LEN);
		return true;
	}
	return false;
}
