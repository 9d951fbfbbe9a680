/* SPDX-License-Identifier: Apache-2.0 */
/* Identities as numbers, and what is asked of the guard before and after the core's step. */
#include "engine_internal.h"

#include <stdlib.h>
#include <string.h>

static uint32_t hash(const char *text)
{
	uint32_t h = 2166136261u;

	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * 16777619u;
	return h;
}

/* Linear probing; at most half full, and nothing is ever removed. */
static const uint16_t *place_of(const struct nve_owners *o, const char *identity)
{
	uint32_t at = hash(identity);

	for (;; at++) {
		const uint16_t *place = &o->buckets[at % NVE_OWNER_BUCKETS];

		if (!*place || !strcmp(o->names[*place], identity))
			return place;
	}
}

uint16_t nve_engine_owner(struct nve_engine *engine, const char *identity)
{
	struct nve_owners *o = &engine->owners;
	uint16_t *place = (uint16_t *)place_of(o, identity);

	if (*place || !*identity || o->n == NVE_ENGINE_OWNERS)
		return *place;
	o->names[o->n + 1] = strdup(identity);
	if (!o->names[o->n + 1])
		return 0;
	*place = ++o->n;
	return *place;
}

uint16_t nve_engine_find_owner(const struct nve_engine *engine, const char *identity)
{
	return *place_of(&engine->owners, identity);
}

const char *nve_engine_owner_name(const struct nve_engine *engine, uint16_t owner)
{
	const struct nve_owners *o = &engine->owners;

	return owner && owner <= o->n ? o->names[owner] : "";
}

void nve_owners_free(struct nve_engine *e)
{
	for (uint16_t i = 1; i <= e->owners.n; i++)
		free(e->owners.names[i]);
}

void nve_engine_set_guard(struct nve_engine *engine, const struct nve_engine_guard *guard)
{
	engine->guard = guard;
}

static const char *vn_name(const struct nve_engine *e, uint32_t vn_id)
{
	const struct nve_vn_context *context = nve_engine_vn(e, vn_id);
	const struct nve_vn_rec *vn = context ? NULL : nve_vn_find(e, vn_id);

	return context ? context->name : vn ? vn->context.name : "";
}

/* Taking down what is not there is done already. */
static enum nve_reason as_if_absent(const struct nve_event *ev, struct nve_answer *answer)
{
	answer->vn_id = ev->key.vn_id;
	if (ev->kind != NVE_EV_DISASSOCIATE && ev->kind != NVE_EV_CLEAR)
		return NVE_REASON_UNKNOWN_TSI;
	answer->unchanged = true;
	return NVE_REASON_OK;
}

bool nve_guard_unknown_vn(struct nve_engine *e, const struct nve_request *req,
			  struct nve_answer *answer)
{
	struct nve_event ev = req->ev;

	if (!e->guard)
		return false;
	answer->reason = e->guard->judge(e->guard->arg, &ev, req->vn_name, answer);
	return answer->reason == NVE_REASON_NOT_AUTHORIZED;
}

bool nve_guard_lets(struct nve_engine *e, struct nve_event *ev, struct nve_answer *answer)
{
	enum nve_reason reason = NVE_REASON_OK;

	if (e->guard)
		reason = e->guard->judge(e->guard->arg, ev, vn_name(e, ev->key.vn_id), answer);
	if (reason == NVE_REASON_OK)
		reason = nve_verify(e, ev, answer);
	if (reason == NVE_REASON_OK)
		return true;
	answer->reason = reason == NVE_REASON_UNKNOWN_TSI ? as_if_absent(ev, answer) : reason;
	return false;
}

static bool exceeds(uint32_t had, uint32_t has, uint32_t max, const char *what,
		    struct nve_answer *answer)
{
	if (has <= max || has <= had)
		return false;
	*answer = (struct nve_answer){ .reason = NVE_REASON_NO_RESOURCES,
				       .slot = NVE_SLOT_NONE,
				       .resource = NVE_RES_CLIENT,
				       .used = had,
				       .max = max,
				       .field = what,
				       .item = UINT16_MAX };
	return true;
}

bool nve_guard_fits(struct nve_engine *e, const struct nve_event *ev,
		    const struct nve_owner_usage *had, struct nve_answer *answer)
{
	struct nve_owner_usage max, has;

	if (!ev->owner)
		return true;
	has = nve_core_owner_usage(e->core, ev->owner);
	max = e->per_owner;
	if (exceeds(had->tsis, has.tsis, max.tsis, "limits.per_client.tsis", answer) ||
	    exceeds(had->addrs, has.addrs, max.addrs, "limits.per_client.addresses", answer) ||
	    exceeds(had->vaps, has.vaps, max.vaps, "limits.per_client.vns", answer))
		return false;
	if (!e->guard)
		return true;
	max = e->guard->maxima(e->guard->arg, ev->owner);
	return !exceeds(had->tsis, has.tsis, max.tsis, "max.tsis", answer) &&
	       !exceeds(had->addrs, has.addrs, max.addrs, "max.addresses", answer) &&
	       !exceeds(had->vaps, has.vaps, max.vaps, "max.vns", answer);
}

bool nve_guard_gleans(struct nve_engine *e, uint32_t slot, const struct nve_addr *addr)
{
	const struct nve_tsi *tsi = nve_core_tsi(e->core, slot);

	return !e->guard || e->guard->gleans(e->guard->arg, tsi, vn_name(e, tsi->key.vn_id), addr);
}
