/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From rules to cells.  For each way and dimension: the values where the set of satisfied rules
 * changes are sorted, and one sweep over them, with the bits of the rules that are satisfied now,
 * gives the intervals.
 */
#include <errno.h>
#include <string.h>

#include "dp/ebpf_acl.h"

enum { WORDS = NVE_ACL_RULES / 64 };
_Static_assert((int)NVE_ACL_RULES == NVE_ACL_RULES_MAX, "as the contract has it");
_Static_assert((int)NVE_ACL_WAY_IN == NVE_ACL_FROM_TSI && (int)NVE_ACL_WAY_OUT == NVE_ACL_TO_TSI,
	       "ways are copied into the tables");

/* A value of a dimension. */
struct value {
	uint64_t hi, lo;
};

/* From this value on, a rule is satisfied, or no longer. */
struct edge {
	struct value at;
	uint32_t rule;
	bool ends;
};

struct maker {
	const struct nve_acl *acl;
	struct nve_ebpf_cells cells;
	uint64_t *words; /* of bits; they go behind the intervals */
	uint32_t n_words, room_words;
	struct edge edges[2 * NVE_ACL_RULES];
	uint32_t n_edges;
	uint64_t now[WORDS]; /* rules that are satisfied */
};

static int grow(void *array, uint32_t *room, uint32_t n, size_t size)
{
	uint32_t want = *room ? *room : 256;
	void **at = array, *bigger;

	if (n <= *room)
		return 0;
	while (want < n)
		want *= 2;
	bigger = realloc(*at, want * size);
	if (!bigger)
		return -ENOMEM;
	memset((uint8_t *)bigger + *room * size, 0, (want - *room) * size);
	*at = bigger;
	*room = want;
	return 0;
}

/* --- ranges of values ------------------------------------------------------------------------- */

static struct value of_mac(const uint8_t mac[NVE_MAC_LEN])
{
	struct value v = { 0 };

	for (int i = 0; i < NVE_MAC_LEN; i++)
		v.lo = v.lo << 8 | mac[i];
	return v;
}

static struct value of_ip(const struct nve_ip *ip)
{
	uint8_t bytes[16] = { [10] = 0xff, [11] = 0xff };
	struct value v = { 0 };

	if (ip->family == 4)
		memcpy(bytes + 12, ip->bytes, 4);
	else
		memcpy(bytes, ip->bytes, 16);
	for (int i = 0; i < 8; i++) {
		v.hi = v.hi << 8 | bytes[i];
		v.lo = v.lo << 8 | bytes[8 + i];
	}
	return v;
}

/* The last address of the prefix. */
static struct value prefix_end(const struct nve_ip *ip, uint32_t len)
{
	struct value v = of_ip(ip);

	len += ip->family == 4 ? 96 : 0;
	if (len < 64)
		v.hi |= UINT64_MAX >> len;
	if (len <= 64)
		v.lo = UINT64_MAX;
	else if (len < 128)
		v.lo |= UINT64_MAX >> (len - 64);
	return v;
}

/* EtherType: prefixes say one too. */
static bool type_range(const struct nve_acl_rule *r, struct value range[2])
{
	uint8_t family = r->has & NVE_ACL_HAS_SRC ? r->src.family : r->dst.family;

	range[0] = range[1] = (struct value){ 0, r->type };
	if (r->has & NVE_ACL_HAS_TYPE)
		return true;
	range[0].lo = range[1].lo = family == 4 ? 0x0800 : 0x86dd;
	return r->has & (NVE_ACL_HAS_SRC | NVE_ACL_HAS_DST);
}

/* Frames without IP have address 0, and match no ::/n: their EtherType is another. */
static bool range_of(const struct nve_acl_rule *r, enum nve_acl_dim dim, struct value range[2])
{
	const uint16_t *ports = dim == NVE_ACL_SRC_PORT ? r->src_ports : r->dst_ports;
	const struct nve_ip *ip = dim == NVE_ACL_SRC_IP ? &r->src : &r->dst;

	switch (dim) {
	case NVE_ACL_TYPE:
		return type_range(r, range);
	case NVE_ACL_PROTOCOL:
		range[0] = range[1] = (struct value){ 0, r->protocol };
		return r->has & NVE_ACL_HAS_PROTOCOL;
	case NVE_ACL_SRC_IP:
	case NVE_ACL_DST_IP:
		range[0] = of_ip(ip);
		range[1] = prefix_end(ip, dim == NVE_ACL_SRC_IP ? r->src_len : r->dst_len);
		return r->has & (dim == NVE_ACL_SRC_IP ? NVE_ACL_HAS_SRC : NVE_ACL_HAS_DST);
	case NVE_ACL_SRC_PORT:
	case NVE_ACL_DST_PORT:
		range[0] = (struct value){ 0, ports[0] };
		range[1] = (struct value){ 0, ports[1] };
		return r->has &
		       (dim == NVE_ACL_SRC_PORT ? NVE_ACL_HAS_SRC_PORTS : NVE_ACL_HAS_DST_PORTS);
	case NVE_ACL_SRC_MAC:
		range[0] = range[1] = of_mac(r->src_mac);
		return r->has & NVE_ACL_HAS_SRC_MAC;
	default:
		range[0] = range[1] = of_mac(r->dst_mac);
		return r->has & NVE_ACL_HAS_DST_MAC;
	}
}

/* --- one dimension ---------------------------------------------------------------------------- */

static int compare(const struct value *a, const struct value *b)
{
	if (a->hi != b->hi)
		return a->hi < b->hi ? -1 : 1;
	return a->lo < b->lo ? -1 : a->lo > b->lo;
}

static int by_value(const void *a, const void *b)
{
	return compare(&((const struct edge *)a)->at, &((const struct edge *)b)->at);
}

static void add_edges(struct maker *m, uint32_t rule, const struct value range[2])
{
	struct value after = { range[1].hi + (range[1].lo == UINT64_MAX), range[1].lo + 1 };

	m->edges[m->n_edges++] = (struct edge){ .at = range[0], .rule = rule };
	if (after.hi || after.lo) /* else the range goes on to the end */
		m->edges[m->n_edges++] = (struct edge){ .at = after, .rule = rule, .ends = true };
}

/* Those that do not look at the dimension are satisfied by every value of it. */
static void find_edges(struct maker *m, enum nve_acl_way way, enum nve_acl_dim dim)
{
	struct value range[2];

	m->n_edges = 0;
	memset(m->now, 0, sizeof(m->now));
	for (uint32_t i = 0; i < m->acl->n_rules; i++) {
		const struct nve_acl_rule *r = &m->acl->rules[i];

		if (!(r->ways & 1 << way))
			continue;
		if (range_of(r, dim, range))
			add_edges(m, i, range);
		else
			m->now[i / 64] |= 1ull << i % 64;
	}
	if (m->n_edges)
		qsort(m->edges, m->n_edges, sizeof(m->edges[0]), by_value);
}

/* An interval that begins at 'at', with the rules of now. */
static int add_interval(struct maker *m, const struct value *at)
{
	struct nve_acl_interval *interval;
	uint32_t cell = m->cells.n;

	if (grow(&m->cells.v, &m->cells.room, cell + 1, sizeof(m->cells.v[0])) < 0 ||
	    grow(&m->words, &m->room_words, m->n_words + WORDS, sizeof(m->words[0])) < 0)
		return -ENOMEM;
	m->cells.n++;
	interval = &m->cells.v[cell].interval;
	*interval = (struct nve_acl_interval){ .from = { at->hi, at->lo }, .words = m->n_words };
	for (uint32_t i = 0; i < WORDS; i++) {
		if (!m->now[i])
			continue;
		interval->summary |= 1ull << i;
		m->words[m->n_words++] = m->now[i];
	}
	return 0;
}

static int make_dim(struct maker *m, enum nve_acl_way way, enum nve_acl_dim dim)
{
	uint32_t cell = NVE_ACL_AT_RANGES + way * NVE_ACL_RANGE_CELLS + dim / 4;
	struct nve_acl_range range = { .at = m->cells.n };
	struct value at = { 0 };
	int r = 0;

	find_edges(m, way, dim);
	/* The first dimension also says which rules are of this way at all. */
	if (!m->n_edges && dim != NVE_ACL_TYPE)
		return 0;
	for (uint32_t i = 0; !r;) {
		for (; i < m->n_edges && !compare(&m->edges[i].at, &at); i++)
			m->now[m->edges[i].rule / 64] ^= 1ull << m->edges[i].rule % 64;
		r = add_interval(m, &at);
		if (i == m->n_edges)
			break;
		at = m->edges[i].at;
	}
	range.n = m->cells.n - range.at;
	m->cells.v[cell].ranges[dim % 4] = range;
	return r;
}

/* --- all of it -------------------------------------------------------------------------------- */

static void hash(uint64_t h[2], const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < len; i++) {
		h[0] = (h[0] ^ p[i]) * 0x100000001b3ull;
		h[1] = (h[1] + p[i]) * 0x9e3779b97f4a7c15ull;
		h[1] ^= h[1] >> 29;
	}
}

static void make_head(struct maker *m, uint32_t rows)
{
	uint64_t h[2] = { 0xcbf29ce484222325ull, 1 };

	hash(h, m->acl->name, strlen(m->acl->name));
	hash(h, &m->acl->deny, sizeof(m->acl->deny));
	hash(h, m->acl->rules, m->acl->n_rules * sizeof(m->acl->rules[0]));
	m->cells.v[0].head = (struct nve_acl_head){ .fingerprint = { h[0], h[1] },
						    .n_rules = m->acl->n_rules,
						    .rows = rows,
						    .deny = m->acl->deny,
						    .n_cells = m->cells.n };
	for (uint32_t i = 0; i < m->acl->n_rules; i++)
		if (m->acl->rules[i].deny)
			m->cells.v[NVE_ACL_AT_DENY + i / 256].words[i / 64 % 4] |= 1ull << i % 64;
}

/* Behind the intervals, which so far count their words from 0. */
static int add_words(struct maker *m)
{
	uint32_t at = m->cells.n, n = at + (m->n_words + 3) / 4;

	if (grow(&m->cells.v, &m->cells.room, n, sizeof(m->cells.v[0])) < 0)
		return -ENOMEM;
	for (uint32_t i = NVE_ACL_AT_INTERVALS; i < at; i++)
		m->cells.v[i].interval.words += at * 4;
	if (m->n_words)
		memcpy(m->cells.v + at, m->words, m->n_words * sizeof(m->words[0]));
	m->cells.n = n;
	return 0;
}

int nve_ebpf_cells_make(const struct nve_acl *acl, uint32_t rows, struct nve_ebpf_cells *ret)
{
	struct maker *m = calloc(1, sizeof(*m));
	int r = -ENOMEM;

	if (!m)
		return r;
	m->acl = acl;
	m->cells.n = NVE_ACL_AT_INTERVALS;
	r = grow(&m->cells.v, &m->cells.room, m->cells.n, sizeof(m->cells.v[0]));
	for (int way = 0; way < NVE_ACL_WAYS; way++)
		for (int dim = 0; dim < NVE_ACL_DIMS && !r; dim++)
			r = make_dim(m, way, dim);
	if (!r)
		r = add_words(m);
	if (!r) {
		make_head(m, rows);
		*ret = m->cells;
	} else {
		free(m->cells.v);
	}
	free(m->words);
	free(m);
	return r;
}
