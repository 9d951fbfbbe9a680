/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes the set of addresses, or the port, of a TSI under its frames (S69, S70, D13).
 *
 * All rows are made ready to change with the TSI's generation, g: those that come count FROM g+1,
 * those that go UNTIL g+1.  Then one store to the record makes the generation g+1, and every
 * address changes in that moment.  After it rows are made plain again, and those that no longer
 * count are removed; that changes no verdict.
 *
 * A row of src holds one version, and cannot count for g and g+1 with different contents.  For a
 * MAC in use before and after (at one place), whose row differs, in the order of the cases:
 * - Filtered before and after: its IPs all go through src_ip while the TSI changes, where each has
 *   a row of its own with its own FROM or UNTIL.  They are written first; then the row that sends
 *   frames there replaces the old one, which changes no verdict of g.
 * - Filtered before, not after: the new row goes in before the flip.  It lets pass all that the
 *   old row did.
 * - Filtered after, not before: the new row goes in after the flip.
 * In the last two the flip of this MAC's IPs is the write of its row.  A frame bears one source
 * MAC and is judged by its row and rows under its number, so its verdict is always that of the old
 * set or of the new one.
 *
 * All this holds for frames that meet one step, or two that follow each other.  So the agent waits
 * between steps, for many times as long as a program runs: programs are not preempted.  To be
 * certain it would have to wait for RCU (by membarrier), which takes 10 ms and more a step.
 *
 * A MAC's number never passes to another MAC in one change (see shadow_tsi.c), so a row under it
 * means that MAC throughout.
 *
 * When the TSI moves, the rows of both places lead to one record, whose ifindex, tag and port are
 * one word: that is stored just before the flip.  For the nanoseconds between the two stores,
 * frames of neither place are taken from it; frames to it always reach one of the two.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "dp/ebpf_tables.h"

enum { WAIT_NS = 5000 };

struct ip_row {
	struct nve_src_ip_key key;
	struct nve_src_ip row;
};

struct ip_rows {
	uint32_t n;
	struct ip_row v[NVE_TSI_ADDRS_MAX];
};

struct move {
	struct nve_dp *dp;
	uint16_t gen;   /* the new one */
	bool elsewhere; /* another port or tag */
	bool flipped;
	struct nve_ebpf_view old, new;   /* as they are and shall be */
	struct nve_ebpf_view from, to;   /* the same without IPs inside the rows of 'mixed' MACs */
	bool mixed[NVE_MAC_NUMBERS];     /* filtered before and after, and the rows differ */
	struct ip_rows old_ips, new_ips; /* as of 'from' and 'to', sorted */
};

bool nve_ebpf_stays(const struct nve_shadow_tsi *tsi)
{
	const struct nve_shadow_tsi_state *a = tsi->now, *b = tsi->want;

	return a && b && a->activated && b->activated && a->key.vn_id == b->key.vn_id &&
	       !memcmp(&a->key.id, &b->key.id, sizeof(a->key.id));
}

uint32_t nve_ebpf_row_ifindex(const struct nve_dp *dp, const struct nve_shadow_tsi_state *state,
			      bool now)
{
	const struct nve_ebpf_port *port;

	if (!state)
		return 0;
	port = &dp->ports[state->key.port];
	return now ? port->row_ifindex : port->ifindex;
}

bool nve_ebpf_set_differs(const struct nve_dp *dp, const struct nve_shadow_tsi *tsi)
{
	const struct nve_shadow_tsi_state *a = tsi->now, *b = tsi->want;

	if (!a || !b)
		return a != b;
	return nve_ebpf_row_ifindex(dp, a, true) != nve_ebpf_row_ifindex(dp, b, false) ||
	       a->key.port != b->key.port || a->tag != b->tag || a->n_addrs != b->n_addrs ||
	       memcmp(a->addrs, b->addrs, a->n_addrs * sizeof(a->addrs[0]));
}

static int by_key(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct nve_src_ip_key));
}

static void list_ips(struct ip_rows *rows, const struct nve_ebpf_view *v)
{
	rows->n = 0;
	for (uint32_t i = 0; v->state && i < v->state->n_addrs; i++) {
		struct ip_row *r = &rows->v[rows->n];

		rows->n += nve_ebpf_src_ip_row(v, i, &r->key, &r->row);
	}
	qsort(rows->v, rows->n, sizeof(rows->v[0]), by_key);
}

static bool same_row(const struct move *m, uint32_t number)
{
	struct nve_src_key key[2];
	struct nve_src row[2];

	nve_ebpf_src_row(&m->old, number, &key[0], &row[0]);
	nve_ebpf_src_row(&m->new, number, &key[1], &row[1]);
	return !memcmp(&key[0], &key[1], sizeof(key[0])) &&
	       !memcmp(&row[0], &row[1], sizeof(row[0]));
}

static void put_src(struct move *m, const struct nve_ebpf_view *v, uint32_t number, uint8_t when)
{
	struct nve_src_key key;
	struct nve_src row;

	nve_ebpf_src_row(v, number, &key, &row);
	row.when = when;
	row.gen = when == NVE_WHEN_FROM || when == NVE_WHEN_UNTIL ? m->gen : 0;
	nve_ebpf_put(m->dp, NVE_MAP_SRC, &key, &row);
}

/*
 * Whether the row at this key of src still is this TSI's.  One that moved earlier in this apply()
 * may have taken the address over: only if two TSIs of a VAP swap addresses does that cost frames,
 * those of the address until the second one has moved too.
 */
static bool ours(const struct move *m, const struct nve_src_key *key)
{
	struct nve_src there;

	return bpf_map_lookup_elem(m->dp->map[NVE_MAP_SRC], key, &there) == 0 &&
	       there.tsi == m->old.slot;
}

/* The same of src_ip; rows under a TSI's slot are its own. */
static bool ours_ip(const struct move *m, const struct nve_src_ip_key *key)
{
	struct nve_src_ip there;

	return !key->vid || (bpf_map_lookup_elem(m->dp->map[NVE_MAP_SRC_IP], key, &there) == 0 &&
			     there.tsi == m->old.slot);
}

static void put_until(struct move *m, uint32_t number)
{
	struct nve_src_key key;
	struct nve_src row;

	nve_ebpf_src_row(&m->old, number, &key, &row);
	if (ours(m, &key))
		put_src(m, &m->old, number, NVE_WHEN_UNTIL);
}

static void plan(struct move *m)
{
	m->from = m->old;
	m->to = m->new;
	for (uint32_t i = 1; i < NVE_MAC_NUMBERS; i++) {
		const struct nve_ebpf_mac *a = &m->old.macs[i], *b = &m->new.macs[i];

		m->mixed[i] = !m->elsewhere && a->active && b->active && a->filtered &&
			      b->filtered && !same_row(m, i);
		if (!m->mixed[i])
			continue;
		m->from.macs[i].ip4 = m->from.macs[i].ip6 = NULL;
		m->to.macs[i].ip4 = m->to.macs[i].ip6 = NULL;
		m->to.macs[i].more = true;
	}
	list_ips(&m->old_ips, &m->from);
	list_ips(&m->new_ips, &m->to);
}

/* Both lists are sorted: the next key of either, and in 'a' and 'b' who has it; NULL at the end. */
static const struct nve_src_ip_key *merge(const struct move *m, uint32_t *i, uint32_t *j,
					  const struct ip_row **a, const struct ip_row **b)
{
	const struct ip_row *x = *i < m->old_ips.n ? &m->old_ips.v[*i] : NULL;
	const struct ip_row *y = *j < m->new_ips.n ? &m->new_ips.v[*j] : NULL;
	int order = !x ? 1 : !y ? -1 : by_key(x, y);

	*a = x && order <= 0 ? x : NULL;
	*b = y && order >= 0 ? y : NULL;
	*i += !!*a;
	*j += !!*b;
	return *a ? &(*a)->key : *b ? &(*b)->key : NULL;
}

static void stage_ips(struct move *m)
{
	const struct ip_row *a, *b;
	const struct nve_src_ip_key *key;
	uint32_t i = 0, j = 0;

	while ((key = merge(m, &i, &j, &a, &b))) {
		bool was = a && a->row.when == NVE_WHEN_ALWAYS;
		bool is = b && b->row.when == NVE_WHEN_ALWAYS;
		struct nve_src_ip row = { .tsi = m->old.slot, .gen = m->gen };

		if (was == is && a && b && !m->mixed[key->mac])
			continue;
		row.when = was ? (is ? NVE_WHEN_ALWAYS : NVE_WHEN_UNTIL)
			       : (is ? NVE_WHEN_FROM : NVE_WHEN_NEVER);
		if (was == is)
			row.gen = 0;
		if (!b && !ours_ip(m, key))
			continue;
		nve_ebpf_put(m->dp, NVE_MAP_SRC_IP, key, &row);
	}
}

/* Whether the set that is left after the change has this row of src_ip. */
static bool kept(const struct move *m, const struct nve_src_ip_key *key)
{
	struct nve_src_ip_key k;
	struct nve_src_ip row;

	for (uint32_t i = 0; i < m->new.state->n_addrs; i++)
		if (nve_ebpf_src_ip_row(&m->new, i, &k, &row) && !memcmp(&k, key, sizeof(k)))
			return true;
	return false;
}

static void settle_ips(struct move *m, bool removing)
{
	const struct ip_row *a, *b;
	const struct nve_src_ip_key *key;
	uint32_t i = 0, j = 0;

	while ((key = merge(m, &i, &j, &a, &b))) {
		bool stays = b && (!m->mixed[key->mac] || kept(m, key));

		if (removing && !stays && ours_ip(m, key))
			nve_ebpf_cut(m->dp, NVE_MAP_SRC_IP, key);
		else if (!removing && stays &&
			 (!a || a->row.when != b->row.when || m->mixed[key->mac]))
			nve_ebpf_put(m->dp, NVE_MAP_SRC_IP, key, &b->row);
	}
}

static void stage_mac(struct move *m, uint32_t number)
{
	const struct nve_ebpf_mac *a = &m->old.macs[number], *b = &m->new.macs[number];

	if (m->elsewhere) {
		if (a->active)
			put_until(m, number);
		if (b->present)
			put_src(m, &m->new, number, b->active ? NVE_WHEN_FROM : NVE_WHEN_NEVER);
	} else if (a->active && !b->active) {
		put_until(m, number);
	} else if (b->active && !a->active) {
		put_src(m, &m->new, number, NVE_WHEN_FROM);
	} else if (m->mixed[number]) {
		struct nve_ebpf_view *to = &m->to;
		bool any_ip = to->any_ip;

		to->any_ip |= m->from.any_ip;
		put_src(m, to, number, NVE_WHEN_ALWAYS);
		to->any_ip = any_ip;
	} else if (a->active && a->filtered && !b->filtered) {
		put_src(m, &m->new, number, NVE_WHEN_ALWAYS);
	}
}

static void settle_mac(struct move *m, uint32_t number)
{
	const struct nve_ebpf_mac *a = &m->old.macs[number], *b = &m->new.macs[number];

	if (b->present && (m->elsewhere || !a->present || !same_row(m, number)))
		put_src(m, &m->new, number, b->active ? NVE_WHEN_ALWAYS : NVE_WHEN_NEVER);
}

static void remove_mac(struct move *m, uint32_t number)
{
	struct nve_src_key key;
	struct nve_src row;

	if (!m->old.macs[number].present || (m->new.macs[number].present && !m->elsewhere))
		return;
	nve_ebpf_src_row(&m->old, number, &key, &row);
	if (ours(m, &key))
		nve_ebpf_cut(m->dp, NVE_MAP_SRC, &key);
}

/* Frames that saw the tables before this are through. */
static void let_frames_pass(struct nve_dp *dp)
{
	struct timespec now, until;

	nve_ebpf_rows_flush(dp);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += WAIT_NS;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	do
		clock_gettime(CLOCK_MONOTONIC, &now);
	while (now.tv_sec < until.tv_sec ||
	       (now.tv_sec == until.tv_sec && now.tv_nsec < until.tv_nsec));
}

/*
 * A hash table gives the place of a row that was replaced to the next one it replaces.  A frame
 * looks into its MAC's row several times, so rows that frames may hold are replaced one by one.
 */
static void each_mac(struct move *m, void (*fn)(struct move *m, uint32_t number))
{
	for (uint32_t i = 1; i < NVE_MAC_NUMBERS; i++) {
		if (!m->old.macs[i].present && !m->new.macs[i].present)
			continue;
		fn(m, i);
		if (m->dp->buffer[NVE_MAP_SRC].n && !m->dp->buffer[NVE_MAP_SRC].deletes &&
		    (m->old.macs[i].active || m->flipped))
			let_frames_pass(m->dp);
	}
}

static void flip(struct move *m)
{
	struct nve_dp *dp = m->dp;
	struct nve_shadow_tsi *tsi = &dp->shadow.tsis[m->old.slot];

	let_frames_pass(dp);
	nve_ebpf_tsi_record(dp, m->old.slot);
	tsi->gen++;
	nve_ebpf_tsi_live(dp, m->old.slot, true);
}

void nve_ebpf_move(struct nve_dp *dp, uint32_t slot)
{
	struct nve_shadow_tsi *tsi = &dp->shadow.tsis[slot];
	struct move *m = calloc(1, sizeof(*m));

	if (!m) {
		dp->row_error = -ENOMEM;
		return;
	}
	m->dp = dp;
	m->gen = tsi->gen + 1;
	nve_ebpf_view(&m->old, slot, tsi->now, nve_ebpf_row_ifindex(dp, tsi->now, true));
	nve_ebpf_view(&m->new, slot, tsi->want, nve_ebpf_row_ifindex(dp, tsi->want, false));
	m->elsewhere = m->old.ifindex != m->new.ifindex || tsi->now->tag != tsi->want->tag ||
		       tsi->now->key.port != tsi->want->key.port;
	plan(m);
	dp->moving = slot;
	stage_ips(m);
	nve_ebpf_rows_flush(dp); /* src_ip first, see above */
	each_mac(m, stage_mac);
	nve_ebpf_fdb_follow(dp, &m->old, &m->new);
	flip(m);
	dp->moving = NVE_SLOT_NONE;
	tsi->moved = m->flipped = true;
	each_mac(m, settle_mac);
	settle_ips(m, false);
	nve_ebpf_fdb_follow(dp, &m->old, &m->new);
	let_frames_pass(dp);
	each_mac(m, remove_mac);
	settle_ips(m, true);
	let_frames_pass(dp); /* a removed row may become another's */
	free(m);
}
