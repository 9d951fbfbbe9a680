/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The check of arrays: records of TSIs, VAPs, VTEPs, meters; and of near.  Most are mapped, and
 * looked through as memory.
 *
 * A port whose interface has just gone, or come back as another, has rows that still name the old
 * one until they are rewritten: those of its VAPs and TSIs are left out until then.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "dp/ebpf_answers.h"
#include "dp/ebpf_check.h"
#include "dp/ebpf_near.h"
#include "dp/ebpf_net.h"
#include "dp/ebpf_tables.h"

enum { WORDS = sizeof(struct nve_tsi_row) / sizeof(uint64_t) };
/* Of mapped rows, that nobody has to ask the kernel for, so many count as one. */
enum { EMPTY_ROWS = 64, MAPPED_ROWS = 4 };

static bool empty(const void *row, size_t size)
{
	const uint8_t *p = row;

	return !p[0] && !memcmp(p, p + 1, size - 1);
}

/* What is mapped was looked at: every so often that counts. */
static void count_mapped(struct nve_ebpf_check *c, uint64_t at, uint32_t of)
{
	c->pass->rows++;
	if (at % of == 0)
		c->left--;
}

/* All zero is no row. */
static void report(struct nve_ebpf_check *c, enum nve_ebpf_map map, uint32_t at, const void *want,
		   const void *have, size_t size, bool mended)
{
	nve_ebpf_check_row(c, map, &at, empty(want, size) ? NULL : want,
			   empty(have, size) ? NULL : have, mended);
}

static bool settled(const struct nve_dp *dp, uint16_t port)
{
	return dp->ports[port].ifindex == dp->ports[port].row_ifindex;
}

/* --- tsi -------------------------------------------------------------------------------------- */

/* Word by word, 'live' being the first of what goes off and the last of what goes on. */
static void mend_tsi(struct nve_tsi_row *to, const struct nve_tsi_row *want)
{
	bool on = want->live >> 32;
	uint64_t word[WORDS];

	memcpy(word, want, sizeof(word));
	if (!on)
		__atomic_store_n(&to->live, want->live, __ATOMIC_RELEASE);
	for (int i = 1; i < WORDS; i++)
		__atomic_store_n((uint64_t *)(void *)to + i, word[i], __ATOMIC_RELEASE);
	if (on)
		__atomic_store_n(&to->live, want->live, __ATOMIC_RELEASE);
}

static void check_tsi(struct nve_ebpf_check *c, uint32_t slot)
{
	const struct nve_shadow_tsi_state *state = c->dp->shadow.tsis[slot].want;
	struct nve_tsi_row *row = &c->dp->tsi[slot], want, have;

	if (state && !settled(c->dp, state->key.port))
		return;
	nve_ebpf_tsi_row(c->dp, slot, &want);
	memcpy(&have, row, sizeof(have));
	if (!memcmp(&have, &want, sizeof(want)))
		return;
	if (c->pass->repair)
		mend_tsi(row, &want);
	report(c, NVE_MAP_TSI, slot, &want, &have, sizeof(want), c->pass->repair);
}

int nve_ebpf_check_tsis(struct nve_ebpf_check *c)
{
	for (; c->pass->at < c->dp->shadow.limits.max_tsis; c->pass->at++) {
		if (c->left <= 0)
			return 0;
		count_mapped(c, c->pass->at, MAPPED_ROWS);
		check_tsi(c, c->pass->at);
	}
	return 1;
}

/* --- vap: those that there are, then the rows of nobody --------------------------------------- */

static void check_vap(struct nve_ebpf_check *c, struct nve_shadow_vap *vap)
{
	uint32_t at = vap->port * NVE_VID_COUNT + vap->tag;
	struct nve_vap_row want, have;

	count_mapped(c, 0, 1);
	if (!settled(c->dp, vap->port))
		return;
	nve_ebpf_vap_want(c->dp, vap, &want);
	memcpy(&have, &c->dp->vap[at], sizeof(have));
	if (!memcmp(&have, &want, sizeof(want)))
		return;
	if (c->pass->repair)
		nve_ebpf_vap_row(c->dp, vap, true);
	report(c, NVE_MAP_VAP, at, &want, &have, sizeof(want), c->pass->repair);
}

int nve_ebpf_check_vaps(struct nve_ebpf_check *c)
{
	const struct nve_hash *h = &c->dp->shadow.vaps;

	for (; c->pass->at <= h->mask; c->pass->at++) {
		struct nve_hash_node *node = h->buckets[c->pass->at];

		if (c->left <= 0)
			return 0;
		for (; node; node = node->next)
			check_vap(c,
				  (void *)((char *)node - offsetof(struct nve_shadow_vap, node)));
	}
	return 1;
}

int nve_ebpf_check_vap_rows(struct nve_ebpf_check *c)
{
	const struct nve_vap_row none = { 0 };

	for (; c->pass->at < NVE_PORTS_MAX * NVE_VID_COUNT; c->pass->at++) {
		uint32_t at = c->pass->at;
		struct nve_vap_row have;

		if (c->left <= 0)
			return 0;
		if (at % EMPTY_ROWS == 0)
			nve_ebpf_check_count(c, 1);
		if (empty(&c->dp->vap[at], sizeof(have)) ||
		    nve_shadow_vap(&c->dp->shadow, at / NVE_VID_COUNT, at % NVE_VID_COUNT))
			continue;
		memcpy(&have, &c->dp->vap[at], sizeof(have));
		if (c->pass->repair)
			memset(&c->dp->vap[at], 0, sizeof(have));
		report(c, NVE_MAP_VAP, at, &none, &have, sizeof(have), c->pass->repair);
	}
	return 1;
}

/* --- vtep ------------------------------------------------------------------------------------- */

int nve_ebpf_check_vteps(struct nve_ebpf_check *c)
{
	for (; c->pass->at < c->dp->shadow.limits.max_vteps; c->pass->at++) {
		struct nve_vtep want, have;
		uint32_t slot = c->pass->at;
		int r;

		if (c->left <= 0)
			return 0;
		nve_ebpf_check_count(c, 1);
		r = bpf_map_lookup_elem(c->dp->map[NVE_MAP_VTEP], &slot, &have);
		if (r < 0)
			return r;
		nve_ebpf_vtep_row(c->dp, slot, &want);
		if (!memcmp(&have, &want, sizeof(want)))
			continue;
		if (c->pass->repair)
			r = nve_ebpf_vtep_write(c->dp, slot);
		report(c, NVE_MAP_VTEP, slot, &want, &have, sizeof(want),
		       c->pass->repair && r == 0);
	}
	return 1;
}

/* --- meters ----------------------------------------------------------------------------------- */

int nve_ebpf_check_meters(struct nve_ebpf_check *c)
{
	/* The first two rows are nobody's, and nothing refers to them. */
	for (; c->pass->at + 2 < nve_ebpf_meter_rows(c->dp); c->pass->at++) {
		uint32_t at = c->pass->at + 2;
		struct nve_meter *row = nve_ebpf_meter_at(c->dp, at);
		struct nve_meter want, have;

		if (c->left <= 0)
			return 0;
		count_mapped(c, at, MAPPED_ROWS);
		nve_ebpf_meter_want(c->dp, at, &want);
		memcpy(&have, row, sizeof(have));
		want.full = have.full; /* the programs' */
		if (have.cost == want.cost && have.burst == want.burst && !have.pad)
			continue;
		if (c->pass->repair) {
			__atomic_store_n(&row->cost, want.cost, __ATOMIC_RELEASE);
			__atomic_store_n(&row->burst, want.burst, __ATOMIC_RELEASE);
			row->pad = 0;
		}
		report(c, NVE_MAP_METER, at, &want, &have, sizeof(want), c->pass->repair);
	}
	return 1;
}

int nve_ebpf_check_icmp(struct nve_ebpf_check *c)
{
	const struct nve_meter want = nve_ebpf_icmp_meter();

	for (; c->pass->at < NVE_ICMP_METERS; c->pass->at++) {
		uint32_t at = c->pass->at;
		int r;

		if (c->left <= 0)
			return 0;
		r = nve_ebpf_check_has(c, NVE_MAP_ICMP_METER, &at, &want);
		if (r < 0)
			return r;
	}
	return 1;
}

/* --- near: what is there must be right; that something is not there is none of its faults ----- */

/* The TSI's record must be right before an entry that repeats it can be judged. */
static bool record_right(const struct nve_dp *dp, uint32_t slot)
{
	const struct nve_shadow_tsi_state *state;
	struct nve_tsi_row want;

	if (slot >= dp->shadow.limits.max_tsis)
		return true;
	state = dp->shadow.tsis[slot].want;
	nve_ebpf_tsi_row(dp, slot, &want);
	return !(state && !settled(dp, state->key.port)) &&
	       !memcmp(&want, &dp->tsi[slot], sizeof(want));
}

static void check_near(struct nve_ebpf_check *c, uint32_t at)
{
	struct nve_near_text have, shall;
	struct nve_near_entry e, want;
	bool wanted, in_place;

	if (!nve_ebpf_near_at(c->dp, at, &e, &in_place))
		return;
	wanted = nve_ebpf_near_want(c->dp, &e, &want);
	if (wanted && in_place && nve_ebpf_near_same(c->dp, &e, &want))
		return;
	if (e.kind == NVE_NEAR_TSI && !record_right(c->dp, e.slot))
		return;
	nve_ebpf_near_say(c->dp, e.key, &e, &have);
	nve_ebpf_near_say(c->dp, e.key, wanted ? &want : NULL, &shall);
	c->pass->sum += c->pass->repair; /* mended together, at the stage's end */
	nve_ebpf_check_text(c, &(struct nve_dp_diff){
				       .kind = wanted ? NVE_DP_DIFFERS : NVE_DP_FOREIGN,
				       .mended = c->pass->repair,
				       .table = "near",
				       .key = have.key,
				       .want = shall.value,
				       .have = have.value,
			       });
}

int nve_ebpf_check_near(struct nve_ebpf_check *c)
{
	uint32_t n = nve_ebpf_near_places(c->dp);

	if (!c->pass->at)
		c->pass->sum = 0;
	for (; c->pass->at < n; c->pass->at++) {
		if (c->left <= 0)
			return 0;
		count_mapped(c, c->pass->at, MAPPED_ROWS);
		check_near(c, c->pass->at);
	}
	/* It only makes things faster: while it is filled anew, frames take the long way. */
	if (c->pass->sum) {
		nve_ebpf_near_clear(c->dp);
		nve_ebpf_near_fill(c->dp);
	}
	c->pass->sum = 0;
	return 1;
}
