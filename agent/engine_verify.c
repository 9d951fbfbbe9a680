/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verified VNs (S101, D17, B17): a hypervisor is not taken at its word.  The NVA has a record of
 * each TSI that may join; what a request says is held against it, and what it leaves out is filled
 * in from it.  A record that no longer allows what is there takes it away.
 */
#include "core/glob.h"
#include "engine_internal.h"
#include "log.h"

#include <errno.h>
#include <string.h>

static const struct nve_nva_tsi *find(const struct nve_engine *e, uint32_t vn_id,
				      const struct nve_tsi_id *id)
{
	size_t n = 0, low = 0;
	const struct nve_nva_tsi *list = e->nva_ops->tsis(e->nva, vn_id, &n);

	while (low < n) {
		size_t mid = low + (n - low) / 2;
		int order = memcmp(&list[mid].id, id, sizeof(*id));

		if (!order)
			return &list[mid];
		if (order < 0)
			low = mid + 1;
		else
			n = mid;
	}
	return NULL;
}

static bool allows_port(const struct nve_engine *e, const struct nve_nva_tsi *rec, uint16_t port)
{
	return !*rec->port || !strcmp(rec->port, nve_port_name(e, port));
}

static bool allows_owner(const struct nve_engine *e, const struct nve_nva_tsi *rec, uint16_t owner)
{
	return !rec->identity || nve_glob_match(rec->identity, nve_engine_owner_name(e, owner));
}

static bool has(const struct nve_nva_tsi *rec, const struct nve_addr *addr)
{
	for (uint32_t i = 0; i < rec->n_addrs; i++)
		if (!memcmp(&rec->addrs[i], addr, sizeof(*addr)))
			return true;
	return false;
}

static void add(struct nve_addr *list, uint32_t *n, const struct nve_addr *addr)
{
	for (uint32_t i = 0; i < *n; i++)
		if (!memcmp(&list[i], addr, sizeof(*addr)))
			return;
	if (*n < NVE_TSI_ADDRS_MAX)
		list[(*n)++] = *addr;
}

/* An address stands in the record as it is, or is the MAC that the record completes (S101). */
static bool complete(struct nve_engine *e, const struct nve_nva_tsi *rec,
		     const struct nve_addr *addr, uint32_t *n)
{
	uint32_t before = *n;
	bool found = false;

	if (has(rec, addr)) {
		add(e->verified, n, addr);
		return true;
	}
	for (uint32_t i = 0; addr->flags == NVE_ADDR_MAC && i < rec->n_addrs; i++) {
		if (!(rec->addrs[i].flags & NVE_ADDR_MAC) ||
		    memcmp(rec->addrs[i].mac, addr->mac, NVE_MAC_LEN) != 0)
			continue;
		add(e->verified, n, &rec->addrs[i]);
		found = true;
	}
	return found || *n > before;
}

static enum nve_reason deny(struct nve_answer *answer, const char *field, uint16_t item)
{
	answer->field = field;
	answer->item = item;
	return NVE_REASON_NOT_AUTHORIZED;
}

static enum nve_reason verify_addrs(struct nve_engine *e, const struct nve_nva_tsi *rec,
				    struct nve_event *ev, struct nve_answer *answer)
{
	bool update = ev->kind == NVE_EV_UPDATE;
	uint32_t n = 0;

	for (uint32_t i = 0; i < ev->n_addrs; i++)
		if (!complete(e, rec, &ev->addrs[i], &n))
			return deny(answer, update ? "add" : "addresses", (uint16_t)i);
	if (!update && !ev->n_addrs)
		for (uint32_t i = 0; i < rec->n_addrs; i++)
			add(e->verified, &n, &rec->addrs[i]);
	if (!n)
		return NVE_REASON_OK;
	ev->addrs = e->verified;
	ev->n_addrs = n;
	if (!update)
		ev->flags |= NVE_EV_HAS_ADDRS;
	return NVE_REASON_OK;
}

static enum nve_reason verify_tsi(struct nve_engine *e, struct nve_event *ev,
				  struct nve_answer *answer)
{
	const struct nve_nva_tsi *rec = find(e, ev->key.vn_id, &ev->key.id);
	bool moves = ev->kind == NVE_EV_UPDATE && ev->new_port != NVE_PORT_NONE;

	if (!rec || !allows_owner(e, rec, ev->owner))
		return deny(answer, "tsi.tsi_id", UINT16_MAX);
	if (!allows_port(e, rec, ev->key.port))
		return deny(answer, "tsi.port", UINT16_MAX);
	if (moves && !allows_port(e, rec, ev->new_port))
		return deny(answer, "new_port", UINT16_MAX);
	/* What is gleaned is nobody's word at all. */
	if (ev->flags & NVE_EV_HAS_GLEAN && ev->glean_max)
		return deny(answer, "parameter:glean", UINT16_MAX);
	ev->glean_max = 0;
	return verify_addrs(e, rec, ev, answer);
}

/* A VN can be connected where one of its TSIs may be. */
static enum nve_reason verify_vn(const struct nve_engine *e, const struct nve_event *ev,
				 struct nve_answer *answer)
{
	size_t n = 0;
	const struct nve_nva_tsi *list = e->nva_ops->tsis(e->nva, ev->key.vn_id, &n);

	for (size_t i = 0; i < n; i++)
		if (allows_port(e, &list[i], ev->key.port) && allows_owner(e, &list[i], ev->owner))
			return NVE_REASON_OK;
	return deny(answer, "vn", UINT16_MAX);
}

enum nve_reason nve_verify(struct nve_engine *e, struct nve_event *ev, struct nve_answer *answer)
{
	const struct nve_vn_context *context;

	switch ((enum nve_event_kind)ev->kind) {
	case NVE_EV_VN_CONNECT:
	case NVE_EV_ASSOCIATE:
	case NVE_EV_ACTIVATE:
	case NVE_EV_UPDATE:
		break;
	default:
		return NVE_REASON_OK;
	}
	if (e->nva_ops->vn_by_id(e->nva, ev->key.vn_id, &context)) {
		const struct nve_vn_rec *vn = nve_vn_find(e, ev->key.vn_id);

		/* An Update while the NVA is away: its records are needed. */
		return vn && vn->known && vn->context.security == NVE_NVA_VERIFIED
			       ? NVE_REASON_NVA_UNREACHABLE
			       : NVE_REASON_OK;
	}
	if (context->security != NVE_NVA_VERIFIED)
		return NVE_REASON_OK;
	return ev->kind == NVE_EV_VN_CONNECT ? verify_vn(e, ev, answer) : verify_tsi(e, ev, answer);
}

/* --- what is there already -------------------------------------------------------------------- */

/* Fills in the event that takes away what the record does not allow; false: it allows all. */
static bool find_wrong(struct nve_engine *e, uint32_t slot, struct nve_event *ev)
{
	const struct nve_tsi *tsi = nve_core_tsi(e->core, slot);
	const struct nve_nva_tsi *rec = find(e, tsi->key.vn_id, &tsi->key.id);
	uint32_t n = 0;

	*ev = (struct nve_event){ .kind = NVE_EV_CLEAR,
				  .flags = NVE_EV_BY_NVE,
				  .new_port = NVE_PORT_NONE,
				  .key = tsi->key,
				  .now_ns = e->now_ns,
				  .why = NVE_REASON_RECORD_WITHDRAWN };
	if (!rec || !allows_port(e, rec, tsi->key.port) || !allows_owner(e, rec, tsi->owner))
		return true;
	nve_core_tsi_addrs(e->core, slot, e->addrs);
	for (uint32_t i = 0; i < tsi->n_addrs; i++)
		if (!has(rec, &e->addrs[i].addr))
			e->verified[n++] = e->addrs[i].addr;
	ev->kind = NVE_EV_UPDATE;
	ev->only = e->verified;
	ev->n_only = n;
	return n > 0;
}

int nve_verify_vn(struct nve_engine *e, uint32_t vn_id)
{
	enum nve_reason reason = NVE_REASON_OK;
	uint32_t cursor = 0, slot, n = 0;
	const struct nve_tsi *tsi;
	struct nve_event ev;

	e->n_items = 0;
	while (reason == NVE_REASON_OK && (tsi = nve_core_next_tsi(e->core, &cursor, &slot))) {
		if (tsi->key.vn_id != vn_id || !find_wrong(e, slot, &ev))
			continue;
		if (e->n_items == NVE_TURN_REQUESTS)
			reason = nve_own_finish(e);
		if (reason == NVE_REASON_OK)
			reason = nve_own_step(e, &ev);
		n += reason == NVE_REASON_OK;
	}
	if (e->n_items) {
		enum nve_reason last = nve_own_finish(e);

		reason = reason == NVE_REASON_OK ? last : reason;
	}
	if (n)
		nve_log(WARNING, "records_withdrawn", LOG_U("vn", vn_id), LOG_U("tsis", n));
	return reason == NVE_REASON_OK ? 0 : -EAGAIN;
}

void nve_verify_restored(struct nve_engine *e)
{
	uint32_t cursor = 0, slot;
	const struct nve_tsi *tsi;
	struct nve_event ev;

	while ((tsi = nve_core_next_tsi(e->core, &cursor, &slot))) {
		const struct nve_vn_context *context = nve_engine_vn(e, tsi->key.vn_id);

		if (context && context->security == NVE_NVA_VERIFIED && find_wrong(e, slot, &ev))
			nve_engine_vn_changed(e, tsi->key.vn_id);
	}
}
