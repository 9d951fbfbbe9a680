/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gleaning (S46, D8): what the datapath tells of source addresses becomes events of the core, in
 * turns of their own.  What is told while the queue is full is told again by the next frames.
 */
#include "engine_internal.h"
#include "log.h"

#include <string.h>

void nve_engine_gleaned(void *arg, const struct nve_dp_gleaned *gleaned)
{
	struct nve_engine *e = arg;

	if (e->n_gleaned == NVE_GLEANED_QUEUE)
		e->counters.not_gleaned++;
	else
		e->gleaned[e->n_gleaned++] = *gleaned;
}

/* A VN's default is the core's to grant where it fits; a request that asks for something itself
 * has said so. */
void nve_glean_default(const struct nve_vn_context *context, struct nve_event *ev)
{
	if (ev->flags & NVE_EV_HAS_GLEAN)
		return;
	ev->glean_max = context->glean_max;
	ev->glean_age_ms = context->glean_age_ms;
}

static bool usable(const struct nve_addr *addr)
{
	static const uint8_t zero[16];

	if ((addr->mac[0] & 1) || !memcmp(addr->mac, zero, NVE_MAC_LEN))
		return false;
	if (addr->flags & NVE_ADDR_IPV4)
		return addr->ip[0] && addr->ip[0] != 127 && addr->ip[0] < 224;
	return !(addr->flags & NVE_ADDR_IPV6) ||
	       (addr->ip[0] != 0xff && memcmp(addr->ip, zero, sizeof(addr->ip)));
}

/*
 * The TSI must still be where the frame was seen, and nobody gleans what the NVA places elsewhere:
 * an address comes here by signaling, or when the NVA has let it go.
 */
static bool may(const struct nve_engine *e, const struct nve_dp_gleaned *g)
{
	const struct nve_tsi *tsi = nve_core_tsi(e->core, g->slot);
	const struct nve_vap *vap;

	if (!tsi || tsi->key.port != g->port || !usable(&g->addr))
		return false;
	vap = nve_core_vap(e->core, tsi->key.port, tsi->key.vn_id);
	return vap && vap->tag == g->tag && !nve_remote_find(e, tsi->key.vn_id, g->addr.mac);
}

static enum nve_reason take(struct nve_engine *e, const struct nve_dp_gleaned *g)
{
	struct nve_event ev = { .kind = NVE_EV_GLEAN,
				.new_port = NVE_PORT_NONE,
				.now_ns = e->now_ns,
				.addrs = &g->addr,
				.n_addrs = 1 };
	uint32_t before = nve_core_usage(e->core).addrs;
	enum nve_reason reason;

	if (!may(e, g) || !nve_guard_gleans(e, g->slot, &g->addr)) {
		e->counters.not_gleaned++;
		return NVE_REASON_OK;
	}
	ev.key = nve_core_tsi(e->core, g->slot)->key;
	reason = nve_own_step(e, &ev);
	if (reason == NVE_REASON_OK)
		e->counters.gleaned += nve_core_usage(e->core).addrs - before;
	else
		e->counters.not_gleaned++;
	return reason;
}

void nve_run_gleaned(struct nve_engine *e)
{
	enum nve_reason reason;
	size_t n = e->n_gleaned;

	if (!n)
		return;
	e->n_items = 0;
	e->n_gleaned = 0;
	for (size_t i = 0; i < n; i++)
		take(e, &e->gleaned[i]);
	reason = nve_own_finish(e);
	if (reason != NVE_REASON_OK)
		nve_log(ERROR, "gleaning_failed", LOG_U("addresses", n),
			LOG_S("reason", nve_reason_name(reason)));
}
