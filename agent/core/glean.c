/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gleaning (S46, D8): addresses that a TSI is seen to send from.  It never widens what was
 * signaled: nothing signaled     MACs are gleaned, and IPs seen with them; one such TSI a VAP at
 * most, else nobody could say whose an unknown MAC is; MACs alone signaled  IPs seen with those
 * MACs are gleaned; any IP signaled      the set is complete: nothing is gleaned. Gleaned IPs are
 * told, to the NVA and to those who answer for the TSI; no frame is judged by them. They yield to
 * whatever is signaled, and are never taken from another TSI of the VN, but from an earlier
 * instance of the same one (D7).
 */
#include "core/core_internal.h"

#include <string.h>

enum { IPS = NVE_ADDR_IPV4 | NVE_ADDR_IPV6 };

bool nve_glean_is_gleaner(const struct nve_tsi_rec *tsi)
{
	return tsi->pub.glean_max && !tsi->n_sig_mac && !tsi->n_sig_ip;
}

/* Of a TSI that signaled a MAC, each MAC is signaled. */
bool nve_glean_only(const struct nve_core *core, uint32_t i)
{
	return (core->addrs[i].addr.flags & NVE_ADDR_MAC) &&
	       !core->tsis[core->addrs[i].tsi].n_sig_mac;
}

static bool gleans(const struct nve_tsi_rec *tsi)
{
	return tsi->pub.state == NVE_TSI_ACTIVATED && tsi->pub.glean_max && !tsi->n_sig_ip;
}

static struct nve_addr ip_of(const struct nve_addr *addr)
{
	struct nve_addr ip = { .flags = addr->flags & IPS };

	memcpy(ip.ip, addr->ip, sizeof(ip.ip));
	return ip;
}

/* --- the chains of addresses by IP ----------------------------------------------------------- */

static uint32_t *ip_bucket(const struct nve_core *core, uint32_t vn_id, const struct nve_addr *addr)
{
	struct nve_addr ip = ip_of(addr);

	return &core->ip_buckets[nve_hash_binding(core, vn_id, &ip)];
}

void nve_glean_link(struct nve_core *core, uint32_t i)
{
	const struct nve_addr_rec *rec = &core->addrs[i];

	if (rec->addr.flags & IPS)
		nve_chain_push(core,
			       ip_bucket(core, core->tsis[rec->tsi].pub.key.vn_id, &rec->addr),
			       core->by_ip, i);
}

void nve_glean_unlink(struct nve_core *core, uint32_t i)
{
	const struct nve_addr_rec *rec = &core->addrs[i];

	if (rec->addr.flags & IPS)
		nve_chain_remove(core,
				 ip_bucket(core, core->tsis[rec->tsi].pub.key.vn_id, &rec->addr),
				 core->by_ip, i);
}

/* Walks the addresses of the VN with that IP; start with NVE_SLOT_NONE, which is also the end. */
static uint32_t ip_next(const struct nve_core *core, uint32_t vn_id, const struct nve_addr *addr,
			uint32_t after)
{
	uint32_t i =
		after == NVE_SLOT_NONE ? *ip_bucket(core, vn_id, addr) : core->by_ip[after].next;

	for (; i; i = core->by_ip[i - 1].next) {
		const struct nve_addr_rec *rec = &core->addrs[i - 1];

		if (core->tsis[rec->tsi].pub.key.vn_id == vn_id &&
		    (rec->addr.flags & IPS) == (addr->flags & IPS) &&
		    !memcmp(rec->addr.ip, addr->ip, sizeof(addr->ip)))
			return i - 1;
	}
	return NVE_SLOT_NONE;
}

/* --- whose it is ----------------------------------------------------------------------------- */

static bool same_id(const struct nve_tsi *a, const struct nve_tsi *b)
{
	return !memcmp(&a->key.id, &b->key.id, sizeof(a->key.id));
}

/* An earlier instance of the same TSI, at another port, leaves its addresses to this one. */
static bool yields(const struct nve_core *core, uint32_t other, uint32_t slot)
{
	const struct nve_tsi *a = &core->tsis[other].pub, *b = &core->tsis[slot].pub;

	return other == slot || (same_id(a, b) && a->epoch < b->epoch);
}

static bool mac_is_anothers(const struct nve_core *core, uint32_t slot, const struct nve_addr *mac)
{
	uint32_t vn_id = core->tsis[slot].pub.key.vn_id, i = NVE_SLOT_NONE;

	while ((i = nve_bind_next(core, vn_id, mac, i)) != NVE_SLOT_NONE)
		if (!yields(core, core->addrs[i].tsi, slot))
			return true;
	return false;
}

static bool ip_is_anothers(const struct nve_core *core, uint32_t slot, const struct nve_addr *addr)
{
	uint32_t vn_id = core->tsis[slot].pub.key.vn_id, i = NVE_SLOT_NONE;

	while ((i = ip_next(core, vn_id, addr, i)) != NVE_SLOT_NONE)
		if (!yields(core, core->addrs[i].tsi, slot))
			return true;
	return false;
}

/* --- learning -------------------------------------------------------------------------------- */

static uint32_t find(const struct nve_core *core, uint32_t slot, const struct nve_addr *addr)
{
	for (uint32_t i = core->tsis[slot].addrs.head; i; i = core->addrs[i - 1].next)
		if (!memcmp(&core->addrs[i - 1].addr, addr, sizeof(*addr)))
			return i - 1;
	return NVE_SLOT_NONE;
}

static bool touch(struct nve_core *core, uint32_t i, uint64_t now_ns)
{
	if (i == NVE_SLOT_NONE)
		return false;
	if (core->addrs[i].gleaned && core->addrs[i].seen_ns != now_ns)
		NVE_SET(core, core->addrs[i].seen_ns, now_ns);
	return true;
}

/* Room for one more gleaned address of the TSI. */
static enum nve_reason room(const struct nve_core *core, uint32_t slot, uint32_t taken,
			    struct nve_answer *answer)
{
	const struct nve_tsi *tsi = &core->tsis[slot].pub;
	const struct nve_pool *pool = &core->state->addrs;
	bool mine = tsi->n_gleaned + taken >= tsi->glean_max ||
		    tsi->n_addrs + taken >= NVE_TSI_ADDRS_MAX;

	if (!mine && pool->used + taken < pool->max)
		return NVE_REASON_OK;
	answer->resource = NVE_RES_ADDRS;
	answer->used = mine ? tsi->n_gleaned : pool->used;
	answer->max = mine ? tsi->glean_max : pool->max;
	return NVE_REASON_NO_RESOURCES;
}

/* What is to be learned of an address; why not is only told if nothing is. */
struct lesson {
	bool mac, ip;
	enum nve_reason why;
};

static void plan_mac(const struct nve_core *core, uint32_t slot, const struct nve_addr *mac,
		     struct nve_answer *answer, struct lesson *lesson)
{
	if (core->tsis[slot].n_sig_mac) /* another one than those signaled */
		lesson->why = NVE_REASON_UNKNOWN_ADDRESS;
	else if (mac_is_anothers(core, slot, mac))
		lesson->why = NVE_REASON_ADDRESS_IN_USE;
	else
		lesson->why = room(core, slot, 0, answer);
	lesson->mac = lesson->why == NVE_REASON_OK;
}

static void plan_ip(const struct nve_core *core, uint32_t slot, const struct nve_addr *addr,
		    struct nve_answer *answer, struct lesson *lesson)
{
	enum nve_reason why = ip_is_anothers(core, slot, addr)
				      ? NVE_REASON_ADDRESS_IN_USE
				      : room(core, slot, lesson->mac, answer);

	lesson->ip = why == NVE_REASON_OK;
	if (!lesson->mac)
		lesson->why = why;
}

static void changed(struct nve_core *core, uint32_t slot)
{
	const struct nve_tsi_rec *tsi = &core->tsis[slot];
	struct nve_notice notice = { .kind = NVE_NOTICE_TSI_UPDATED,
				     .from = tsi->pub.state,
				     .to = tsi->pub.state,
				     .by_nve = true,
				     .tag = core->vaps[tsi->vap].pub.tag,
				     .new_port = NVE_PORT_NONE,
				     .owner = tsi->pub.owner,
				     .key = tsi->pub.key,
				     .reason = NVE_REASON_OK };

	nve_emit_tsi(core, slot);
	nve_emit_notice(core, &notice);
}

enum nve_reason nve_glean_step(struct nve_core *core, const struct nve_event *ev,
			       struct nve_answer *answer)
{
	uint32_t slot = nve_core_find_tsi(core, &ev->key), at_mac, at;
	struct lesson lesson = { .why = NVE_REASON_OK };
	const struct nve_addr *addr = ev->addrs;
	struct nve_addr mac;

	if (slot == NVE_SLOT_NONE)
		return NVE_REASON_UNKNOWN_TSI;
	answer->state = core->tsis[slot].pub.state;
	if (!gleans(&core->tsis[slot]))
		return NVE_REASON_ILLEGAL_TRANSITION;
	if (ev->n_addrs != 1 || !(addr->flags & NVE_ADDR_MAC))
		return NVE_REASON_INVALID_ADDRESS;
	mac = nve_binding_of(addr);
	at = find(core, slot, addr);
	at_mac = nve_bind_leader(core, slot, &mac);
	if (at_mac == NVE_SLOT_NONE)
		plan_mac(core, slot, &mac, answer, &lesson);
	else if (!core->addrs[at_mac].n_working)
		lesson.why = NVE_REASON_UNKNOWN_ADDRESS;
	if (lesson.why == NVE_REASON_OK && (addr->flags & IPS) && at == NVE_SLOT_NONE)
		plan_ip(core, slot, addr, answer, &lesson);
	if (!lesson.mac && !lesson.ip && lesson.why != NVE_REASON_OK &&
	    (at_mac == NVE_SLOT_NONE || !nve_glean_only(core, at_mac)))
		return lesson.why;
	touch(core, find(core, slot, &mac), ev->now_ns);
	touch(core, at, ev->now_ns);
	if (lesson.mac)
		nve_addr_add(core, slot, &mac, NVE_ADDR_HOW_GLEANED, ev->now_ns);
	if (lesson.ip)
		nve_addr_add(core, slot, addr, NVE_ADDR_HOW_GLEANED, ev->now_ns);
	nve_glean_settled(core, slot);
	nve_tsi_answer(core, slot, answer);
	answer->unchanged = !lesson.mac && !lesson.ip;
	if (!answer->unchanged)
		changed(core, slot);
	return NVE_REASON_OK;
}

/* --- forgetting ------------------------------------------------------------------------------ */

typedef bool forget_fn(const struct nve_core *core, const struct nve_addr_rec *rec,
		       const struct nve_event *ev, const struct nve_addr *addr);

static uint32_t forget(struct nve_core *core, uint32_t slot, forget_fn *fn,
		       const struct nve_event *ev, const struct nve_addr *addr)
{
	uint32_t before = NVE_SLOT_NONE, n = 0, next;

	for (uint32_t i = core->tsis[slot].addrs.head; i; i = next) {
		next = core->addrs[i - 1].next;
		if (!core->addrs[i - 1].gleaned || !fn(core, &core->addrs[i - 1], ev, addr)) {
			before = i - 1;
			continue;
		}
		nve_addr_remove(core, before, i - 1, ev->now_ns);
		n++;
	}
	if (!n)
		return 0;
	nve_glean_settled(core, slot);
	changed(core, slot);
	return n;
}

static uint64_t age_ns(const struct nve_tsi *tsi)
{
	return tsi->glean_age_ms * UINT64_C(1000000);
}

static bool is_old(const struct nve_core *core, const struct nve_addr_rec *rec,
		   const struct nve_event *ev, const struct nve_addr *addr)
{
	(void)addr;
	return rec->seen_ns + age_ns(&core->tsis[rec->tsi].pub) <= ev->now_ns;
}

enum nve_reason nve_glean_expire(struct nve_core *core, const struct nve_event *ev,
				 struct nve_answer *answer)
{
	uint32_t slot = ev->due.slot;
	const struct nve_tsi *tsi = nve_core_tsi(core, slot);

	if (!tsi || tsi->glean_ns > ev->now_ns)
		return NVE_REASON_ILLEGAL_TRANSITION;
	nve_glean_timer_set(core, slot, NVE_NEVER_NS);
	answer->unchanged = !forget(core, slot, is_old, ev, NULL);
	nve_glean_settled(core, slot);
	nve_tsi_answer(core, slot, answer);
	return NVE_REASON_OK;
}

static bool has_its_mac(const struct nve_core *core, const struct nve_addr_rec *rec,
			const struct nve_event *ev, const struct nve_addr *addr)
{
	(void)core;
	(void)ev;
	return !memcmp(rec->addr.mac, addr->mac, sizeof(addr->mac));
}

static bool has_its_ip(const struct nve_core *core, const struct nve_addr_rec *rec,
		       const struct nve_event *ev, const struct nve_addr *addr)
{
	(void)core;
	(void)ev;
	return (rec->addr.flags & IPS) == (addr->flags & IPS) &&
	       !memcmp(rec->addr.ip, addr->ip, sizeof(addr->ip));
}

/* An instance at 'port' that gleaned the MAC, or one anywhere that gleaned the IP; not 'slot'. */
static uint32_t holder_of_mac(const struct nve_core *core, uint32_t vn_id, uint16_t port,
			      uint32_t slot, const struct nve_addr *addr)
{
	struct nve_addr mac = nve_binding_of(addr);
	uint32_t i = NVE_SLOT_NONE;

	if (!(addr->flags & NVE_ADDR_MAC))
		return NVE_SLOT_NONE;
	while ((i = nve_bind_next(core, vn_id, &mac, i)) != NVE_SLOT_NONE)
		if (nve_glean_only(core, i) && core->addrs[i].tsi != slot &&
		    core->tsis[core->addrs[i].tsi].pub.key.port == port)
			return core->addrs[i].tsi;
	return NVE_SLOT_NONE;
}

static uint32_t holder_of_ip(const struct nve_core *core, uint32_t vn_id,
			     const struct nve_tsi_key *key, const struct nve_addr *addr,
			     uint32_t after)
{
	uint32_t i = after;

	if (!(addr->flags & IPS))
		return NVE_SLOT_NONE;
	while ((i = ip_next(core, vn_id, addr, i)) != NVE_SLOT_NONE)
		if (core->addrs[i].gleaned &&
		    memcmp(&core->tsis[core->addrs[i].tsi].pub.key.id, &key->id, sizeof(key->id)))
			return i;
	return NVE_SLOT_NONE;
}

uint32_t nve_glean_n_in_way(const struct nve_core *core, uint32_t slot,
			    const struct nve_tsi_key *key, const struct nve_addr *addr)
{
	uint32_t other = holder_of_mac(core, key->vn_id, key->port, slot, addr);
	uint32_t n = other == NVE_SLOT_NONE ? 0 : core->tsis[other].pub.n_gleaned;
	uint32_t i = NVE_SLOT_NONE;

	while ((i = holder_of_ip(core, key->vn_id, key, addr, i)) != NVE_SLOT_NONE)
		n++;
	return n;
}

void nve_glean_make_way(struct nve_core *core, uint32_t slot, const struct nve_addr *addr,
			const struct nve_event *ev)
{
	const struct nve_tsi_key *key = &core->tsis[slot].pub.key;
	uint32_t other = holder_of_mac(core, key->vn_id, key->port, slot, addr), i;

	if (other != NVE_SLOT_NONE)
		forget(core, other, has_its_mac, ev, addr);
	while ((i = holder_of_ip(core, key->vn_id, key, addr, NVE_SLOT_NONE)) != NVE_SLOT_NONE)
		forget(core, core->addrs[i].tsi, has_its_ip, ev, addr);
}

/* --- what follows from a changed set --------------------------------------------------------- */

void nve_glean_settled(struct nve_core *core, uint32_t slot)
{
	struct nve_tsi_rec *tsi = &core->tsis[slot];
	struct nve_vap_rec *vap = &core->vaps[tsi->vap];
	bool is = nve_glean_is_gleaner(tsi);
	uint64_t first = NVE_NEVER_NS;

	if (is != (vap->gleaner == slot + 1))
		NVE_SET(core, vap->gleaner, is ? slot + 1 : 0);
	if (tsi->pub.n_gleaned && tsi->pub.glean_ns != NVE_NEVER_NS)
		return; /* it looks again when that is due */
	for (uint32_t i = tsi->addrs.head; i && tsi->pub.n_gleaned; i = core->addrs[i - 1].next)
		if (core->addrs[i - 1].gleaned && core->addrs[i - 1].seen_ns < first)
			first = core->addrs[i - 1].seen_ns;
	if (first != NVE_NEVER_NS)
		first += age_ns(&tsi->pub);
	if (first != tsi->pub.glean_ns)
		nve_glean_timer_set(core, slot, first);
}

enum nve_gleans nve_core_glean(const struct nve_core *core, uint32_t slot)
{
	const struct nve_tsi_rec *tsi = &core->tsis[slot];

	if (!nve_core_tsi(core, slot) || !tsi->pub.glean_max || tsi->n_sig_ip)
		return NVE_GLEANS_NOTHING;
	return tsi->n_sig_mac ? NVE_GLEANS_IPS : NVE_GLEANS_MACS;
}
