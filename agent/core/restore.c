/* SPDX-License-Identifier: Apache-2.0 */
/* Start-up: puts back what the store kept.  Trusts no record; emits no action. */
#include "core/core_internal.h"
#include "core/qos.h"

#include <errno.h>
#include <string.h>

static bool vn_valid(uint32_t vn_id)
{
	return vn_id > 0 && vn_id <= NVE_VN_ID_MAX;
}

static bool tag_in_range(const struct nve_core *core, uint16_t scope, uint16_t tag)
{
	return scope < core->config.n_scopes && tag >= core->config.scopes[scope].tag_min &&
	       tag <= core->config.scopes[scope].tag_max;
}

int nve_core_restore_tag(struct nve_core *core, const struct nve_tag *tag)
{
	if (!tag_in_range(core, tag->scope, tag->tag) || tag->use > NVE_TAG_QUARANTINED)
		return -EINVAL;
	if (nve_tags_rec(core, tag->scope, tag->tag)->ever)
		return -EINVAL;
	if (tag->use != NVE_TAG_FREE && !vn_valid(tag->vn_id))
		return -EINVAL;
	if (tag->use == NVE_TAG_BOUND && nve_tags_vn_has_promise(core, tag->scope, tag->vn_id))
		return -EINVAL;
	nve_tags_put_back(core, tag);
	nve_core_forget(core);
	return 0;
}

int nve_core_restore_vap(struct nve_core *core, uint16_t port, uint32_t vn_id, uint16_t tag,
			 bool connected_explicitly)
{
	uint16_t scope = nve_core_port_scope(core, port);
	struct nve_why why = { 0 };
	struct nve_answer answer;

	if (!tag || nve_vap_check(core, port, vn_id, tag, &answer) != NVE_REASON_OK ||
	    nve_vap_find(core, port, vn_id) != NVE_SLOT_NONE)
		return -EINVAL;
	/* The VN's tag was restored, and is another one. */
	if (nve_tags_vn_has_promise(core, scope, vn_id) &&
	    !nve_tags_rec(core, scope, tag)->promised)
		return -EINVAL;
	nve_vap_connect(core, port, vn_id, tag, connected_explicitly, &why);
	nve_core_forget(core);
	return 0;
}

static bool addr_valid(const struct nve_addr *addr)
{
	uint8_t known = NVE_ADDR_MAC | NVE_ADDR_IPV4 | NVE_ADDR_IPV6;
	uint8_t both = NVE_ADDR_IPV4 | NVE_ADDR_IPV6;

	return addr->flags && !(addr->flags & ~known) && (addr->flags & both) != both;
}

static bool addrs_valid(const struct nve_tsi *tsi, const struct nve_tsi_addr *addrs)
{
	uint32_t n_active = 0;

	if (tsi->n_addrs > NVE_TSI_ADDRS_MAX || tsi->glean_max > NVE_GLEAN_MAX)
		return false;
	for (uint32_t i = 0; i < tsi->n_addrs; i++) {
		if (!addr_valid(&addrs[i].addr))
			return false;
		for (uint32_t k = 0; k < i; k++)
			if (memcmp(&addrs[i].addr, &addrs[k].addr, sizeof(addrs[i].addr)) == 0)
				return false;
		n_active += addrs[i].active;
	}
	return n_active == tsi->n_active && (tsi->state == NVE_TSI_ACTIVATED || !n_active);
}

/* Gleaned addresses are such as glean.c would have learned. */
static bool gleaned_valid(const struct nve_core *core, const struct nve_tsi *tsi,
			  const struct nve_tsi_addr *addrs)
{
	uint32_t vap = nve_vap_find(core, tsi->key.port, tsi->key.vn_id);
	uint32_t n = 0, n_mac = 0, n_ip = 0;

	for (uint32_t i = 0; i < tsi->n_addrs; i++) {
		n += addrs[i].gleaned;
		n_mac += !addrs[i].gleaned && (addrs[i].addr.flags & NVE_ADDR_MAC);
		n_ip += !addrs[i].gleaned && (addrs[i].addr.flags & ~NVE_ADDR_MAC);
		if (addrs[i].gleaned && (!addrs[i].active || !(addrs[i].addr.flags & NVE_ADDR_MAC)))
			return false;
	}
	if (n > tsi->glean_max || (n && n_ip) || (n && tsi->glean_ns == NVE_NEVER_NS))
		return false;
	return !tsi->glean_max || n_mac || n_ip || !core->vaps[vap].gleaner;
}

static bool borne_by_another(const struct nve_core *core, const struct nve_tsi_key *key,
			     const struct nve_addr *addr)
{
	struct nve_addr binding = nve_binding_of(addr);
	uint32_t i = NVE_SLOT_NONE;

	while ((i = nve_bind_next(core, key->vn_id, &binding, i)) != NVE_SLOT_NONE)
		if (core->tsis[core->addrs[i].tsi].pub.key.port == key->port)
			return true;
	return false;
}

static bool tsi_valid(const struct nve_core *core, uint32_t slot, const struct nve_tsi *tsi,
		      const struct nve_tsi_addr *addrs)
{
	const struct nve_pool *pool = &core->state->addrs;

	if (slot >= core->config.max_tsis || !nve_pool_never_used(&core->state->tsis, slot))
		return false;
	if (tsi->state != NVE_TSI_ASSOCIATED && tsi->state != NVE_TSI_ACTIVATED)
		return false;
	if (tsi->key.pad || nve_vap_find(core, tsi->key.port, tsi->key.vn_id) == NVE_SLOT_NONE ||
	    nve_core_find_tsi(core, &tsi->key) != NVE_SLOT_NONE)
		return false;
	if (!nve_qos_valid(&tsi->qos) || !addrs_valid(tsi, addrs) ||
	    !gleaned_valid(core, tsi, addrs) || tsi->n_addrs > pool->max - pool->used)
		return false;
	for (uint32_t i = 0; i < tsi->n_addrs; i++)
		if (borne_by_another(core, &tsi->key, &addrs[i].addr))
			return false;
	return true;
}

/* Alarms are set when all addresses are there. */
static void put_addr(struct nve_core *core, uint32_t slot, const struct nve_tsi_addr *addr,
		     uint64_t seen_ns)
{
	enum nve_addr_how how = addr->gleaned  ? NVE_ADDR_HOW_GLEANED
				: addr->active ? NVE_ADDR_HOW_ON
					       : NVE_ADDR_HOW_OFF;

	nve_addr_add(core, slot, &addr->addr, how, NVE_NEVER_NS);
	if (addr->gleaned)
		NVE_SET(core, core->addrs[core->tsis[slot].addrs.tail - 1].seen_ns, seen_ns);
}

int nve_core_restore_tsi(struct nve_core *core, uint32_t slot, const struct nve_tsi *tsi,
			 const struct nve_tsi_addr *addrs)
{
	struct nve_tsi_rec *rec;

	if (!tsi_valid(core, slot, tsi, addrs))
		return -EINVAL;
	nve_pool_take_at(core, &core->state->tsis, slot);
	rec = &core->tsis[slot];
	nve_undo_save(core, rec, sizeof(*rec));
	rec->pub = *tsi;
	rec->pub.n_addrs = rec->pub.n_active = rec->pub.n_gleaned = 0;
	rec->pub.glean_ns = NVE_NEVER_NS;
	nve_tsi_link(core, slot);
	nve_vap_attach(core, nve_vap_find(core, tsi->key.port, tsi->key.vn_id), slot);
	for (uint32_t i = 0; i < tsi->n_addrs; i++)
		put_addr(core, slot, &addrs[i],
			 tsi->glean_ns - tsi->glean_age_ms * UINT64_C(1000000));
	nve_glean_settled(core, slot);
	nve_timer_set(core, slot, tsi->deadline_ns);
	nve_bind_restore_alarms(core, slot);
	nve_core_forget(core);
	return 0;
}
