/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A slot that is given to another TSI after it was listed does not matter: the newcomer's state has
 * changed since the beginning, so it stays in any case.
 */
#include "session/resync.h"

#include <stdlib.h>

enum { BITS = 64 };

struct nve_resync {
	struct nve_resync_who who;
	uint64_t begun_ns;
	uint64_t ports[NVE_PORTS_MAX / BITS];
	bool doubt;
	uint64_t listed[]; /* by slot */
};

struct nve_resync *nve_resync_new(const struct nve_engine *engine, const struct nve_resync_who *who,
				  const uint16_t *ports, uint32_t n_ports)
{
	uint32_t n = nve_core_max_tsis(nve_engine_core(engine)) / BITS + 1;
	struct nve_resync *r = calloc(1, sizeof(*r) + n * sizeof(r->listed[0]));

	if (!r)
		return NULL;
	r->who = *who;
	r->begun_ns = nve_engine_now(engine);
	for (uint32_t i = 0; i < n_ports; i++)
		r->ports[ports[i] / BITS] |= UINT64_C(1) << ports[i] % BITS;
	return r;
}

void nve_resync_free(struct nve_resync *r)
{
	free(r);
}

static bool has_bit(const uint64_t *bits, uint32_t i)
{
	return bits[i / BITS] >> i % BITS & 1;
}

enum nve_reason nve_resync_list(struct nve_resync *r, const struct nve_engine *engine,
				const struct nve_request *req)
{
	const struct nve_vn_context *vn =
		*req->vn_name ? nve_engine_vn_by_name(engine, req->vn_name) : NULL;
	struct nve_tsi_key key = req->ev.key;
	uint32_t slot;

	if (*req->vn_name && !vn) {
		r->doubt = true;
		return NVE_REASON_UNKNOWN_VN;
	}
	if (vn)
		key.vn_id = vn->vn_id;
	slot = nve_core_find_tsi(nve_engine_core(engine), &key);
	if (slot == NVE_SLOT_NONE ||
	    !nve_authz_sees_tsi(r->who.authz, r->who.owner,
				nve_core_tsi(nve_engine_core(engine), slot)))
		return NVE_REASON_UNKNOWN_TSI;
	r->listed[slot / BITS] |= UINT64_C(1) << slot % BITS;
	return NVE_REASON_OK;
}

void nve_resync_doubt(struct nve_resync *r)
{
	r->doubt = true;
}

enum nve_reason nve_resync_verdict(const struct nve_resync *r)
{
	return r->doubt ? NVE_REASON_UNKNOWN_VN : NVE_REASON_OK;
}

bool nve_resync_next(const struct nve_resync *r, const struct nve_engine *engine, uint32_t *cursor,
		     struct nve_tsi_key *key)
{
	const struct nve_core *core = nve_engine_core(engine);
	const struct nve_tsi *tsi;
	uint32_t slot;

	while ((tsi = nve_core_next_tsi(core, cursor, &slot))) {
		if (has_bit(r->listed, slot) || !has_bit(r->ports, tsi->key.port) ||
		    tsi->since_ns > r->begun_ns ||
		    (tsi->owner != r->who.owner && tsi->owner != NVE_OWNER_NONE))
			continue;
		*key = tsi->key;
		return true;
	}
	return false;
}
