/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arrival by migration (D16, B20, S88): after an Activate with that cause, each address that came
 * into use with it is announced in its VN, and the TSI is asked for its multicast memberships.
 *
 * An arrival is noted with its request's step, counts when the turn is over (what frames meet has
 * changed then, so answers reach the TSI), and is sent by later runs, a few frames each, so that
 * a host's worth of TSIs that move at once do not hold up requests.  It is not durable: after a
 * crash the hypervisor's own announcements and the TSI's traffic must do.
 */
#include "engine_announce.h"
#include "engine_internal.h"
#include "log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	FRAMES_A_RUN = 16,
	ADDRS_MAX = 65536, /* of all arrivals that wait */
};
#define PACE_NS     5000000ull
#define PATIENCE_NS NVE_SEC_NS /* for next hops of VTEPs that came with the TSI's VN */

struct nve_arrival {
	struct nve_arrival *next;
	struct nve_tsi_key key;
	uint32_t slot;
	uint64_t noted_ns;
	uint32_t n, done; /* of 'addrs' */
	uint32_t frames, failed;
	struct nve_addr addrs[];
};

enum verdict { SENT, NOT_YET, NO_MORE };

/* --- noting ---------------------------------------------------------------------------------- */

static size_t active_addrs(const struct nve_engine *e, uint32_t slot,
			   struct nve_tsi_addr all[NVE_TSI_ADDRS_MAX])
{
	const struct nve_tsi *tsi = nve_core_tsi(e->core, slot);
	size_t n = 0, n_all;

	if (!tsi || tsi->state != NVE_TSI_ACTIVATED)
		return 0;
	n_all = nve_core_tsi_addrs(e->core, slot, all);
	for (size_t i = 0; i < n_all; i++)
		if (all[i].active)
			all[n++] = all[i];
	return n;
}

static bool is_among(const struct nve_tsi_addr *addrs, size_t n, const struct nve_addr *addr)
{
	for (size_t i = 0; i < n; i++)
		if (!memcmp(&addrs[i].addr, addr, sizeof(*addr)))
			return true;
	return false;
}

static bool arrives(const struct nve_event *ev)
{
	return ev->kind == NVE_EV_ACTIVATE && ev->cause == NVE_CAUSE_MIGRATE_IN;
}

void nve_arrival_before(struct nve_engine *e, const struct nve_event *ev)
{
	uint32_t slot;

	e->n_before = 0;
	if (!arrives(ev))
		return;
	slot = nve_core_find_tsi(e->core, &ev->key);
	e->was_activated =
		slot != NVE_SLOT_NONE && nve_core_tsi(e->core, slot)->state == NVE_TSI_ACTIVATED;
	e->n_before = active_addrs(e, slot, e->before);
}

void nve_arrival_after(struct nve_engine *e, const struct nve_event *ev,
		       const struct nve_answer *answer)
{
	struct nve_arrival *a;
	size_t n;

	if (!arrives(ev) || answer->reason != NVE_REASON_OK || answer->unchanged)
		return;
	n = active_addrs(e, answer->slot, e->addrs);
	a = calloc(1, sizeof(*a) + n * sizeof(a->addrs[0]));
	if (!a || e->n_arriving + n > ADDRS_MAX) {
		nve_log(WARNING, "arrival_not_announced", LOG_U("vn", ev->key.vn_id),
			LOG_X("tsi", ev->key.id.bytes, NVE_TSI_ID_LEN), LOG_U("addresses", n),
			LOG_E(a ? -ENOSPC : -ENOMEM));
		free(a);
		return;
	}
	a->key = ev->key;
	a->slot = answer->slot;
	a->noted_ns = e->now_ns;
	for (size_t i = 0; i < n; i++)
		if (!is_among(e->before, e->n_before, &e->addrs[i].addr))
			a->addrs[a->n++] = e->addrs[i].addr;
	if (e->was_activated && !a->n) {
		free(a); /* only its timers changed */
		return;
	}
	e->n_arriving += a->n;
	a->next = e->arrivals_noted;
	e->arrivals_noted = a;
}

static void arrival_free(struct nve_engine *e, struct nve_arrival *a)
{
	e->n_arriving -= a->n;
	free(a);
}

void nve_arrival_drop_noted(struct nve_engine *e)
{
	struct nve_arrival *a;

	while ((a = e->arrivals_noted)) {
		e->arrivals_noted = a->next;
		arrival_free(e, a);
	}
}

void nve_arrival_keep_noted(struct nve_engine *e)
{
	struct nve_arrival **end = &e->arrivals, *a, *first = NULL;

	if (!e->arrivals_noted)
		return;
	while ((a = e->arrivals_noted)) { /* noted last, first */
		e->arrivals_noted = a->next;
		a->next = first;
		first = a;
	}
	while (*end)
		end = &(*end)->next;
	*end = first;
}

/* --- sending --------------------------------------------------------------------------------- */

static int send_frame(struct nve_engine *e, struct nve_arrival *a, enum nve_dp_send_to to,
		      const uint8_t *frame, size_t len)
{
	const struct nve_vap *vap = nve_core_vap(e->core, a->key.port, a->key.vn_id);
	int r;

	if (!vap)
		return -ENOENT;
	r = e->dp_ops->send(e->dp, a->key.port, vap->tag, to, frame, len);
	if (r == -EAGAIN)
		return r;
	a->frames += r == 0;
	a->failed += r < 0;
	e->counters.announced += r == 0;
	e->counters.not_announced += r < 0;
	return 0;
}

/* A MAC that arrives with an IP is known by the IP's announcement. */
static bool speaks(const struct nve_arrival *a, uint32_t i)
{
	const struct nve_addr *addr = &a->addrs[i];

	if (addr->flags != NVE_ADDR_MAC)
		return true;
	for (uint32_t j = 0; j < a->n; j++)
		if (a->addrs[j].flags > NVE_ADDR_MAC && (a->addrs[j].flags & NVE_ADDR_MAC) &&
		    !memcmp(a->addrs[j].mac, addr->mac, NVE_MAC_LEN))
			return false;
	return true;
}

/* 'now' are the addresses in use: one that has gone meanwhile is not spoken for. */
static enum verdict announce(struct nve_engine *e, struct nve_arrival *a,
			     const struct nve_tsi_addr *now, size_t n_now)
{
	bool patient = e->now_ns - a->noted_ns < PATIENCE_NS;
	uint8_t frame[NVE_ANNOUNCE_MAX];
	size_t len;

	len = speaks(a, a->done) ? nve_announce_addr(&a->addrs[a->done], frame) : 0;
	if (len && is_among(now, n_now, &a->addrs[a->done]) &&
	    send_frame(e, a, patient ? NVE_DP_SEND_WHOLE_VN : NVE_DP_SEND_VN, frame, len) ==
		    -EAGAIN)
		return NOT_YET;
	a->done++;
	return SENT;
}

/* The TSI is still, or again, in use as the same instance. */
static bool is_here(const struct nve_engine *e, const struct nve_arrival *a)
{
	const struct nve_tsi *tsi = nve_core_tsi(e->core, a->slot);

	return tsi && !memcmp(&tsi->key, &a->key, sizeof(a->key)) &&
	       tsi->state == NVE_TSI_ACTIVATED;
}

/* One query serves all TSIs of the VAP: the last that arrives asks for all of them. */
static void query(struct nve_engine *e, struct nve_arrival *a)
{
	uint8_t frame[NVE_ANNOUNCE_MAX];
	size_t len;

	for (const struct nve_arrival *b = a->next; b; b = b->next)
		if (b->key.port == a->key.port && b->key.vn_id == a->key.vn_id && is_here(e, b))
			return;
	len = nve_announce_igmp_query(frame);
	send_frame(e, a, NVE_DP_SEND_VAP, frame, len);
	len = nve_announce_mld_query(frame);
	send_frame(e, a, NVE_DP_SEND_VAP, frame, len);
}

static enum verdict carry_on(struct nve_engine *e, struct nve_arrival *a, int *budget)
{
	size_t n;

	if (!is_here(e, a))
		return NO_MORE;
	n = active_addrs(e, a->slot, e->addrs);
	for (; a->done < a->n; --*budget) {
		if (*budget <= 0)
			return SENT;
		if (announce(e, a, e->addrs, n) == NOT_YET)
			return NOT_YET;
	}
	query(e, a);
	*budget -= 2;
	return NO_MORE;
}

void nve_run_arrivals(struct nve_engine *e)
{
	struct nve_arrival **at = &e->arrivals, *a;
	int budget = FRAMES_A_RUN;

	if (!e->arrivals || e->now_ns < e->arrivals_after_ns)
		return;
	while (budget > 0 && (a = *at)) {
		if (carry_on(e, a, &budget) != NO_MORE) {
			at = &a->next;
			continue;
		}
		nve_log(INFO, "arrival_announced", LOG_S("port", nve_port_name(e, a->key.port)),
			LOG_U("vn", a->key.vn_id), LOG_X("tsi", a->key.id.bytes, NVE_TSI_ID_LEN),
			LOG_U("frames", a->frames), LOG_U("failed", a->failed));
		*at = a->next;
		arrival_free(e, a);
	}
	e->arrivals_after_ns = e->now_ns + PACE_NS;
}

void nve_arrival_free_all(struct nve_engine *e)
{
	nve_arrival_keep_noted(e);
	while (e->arrivals) {
		struct nve_arrival *a = e->arrivals;

		e->arrivals = a->next;
		free(a);
	}
}
