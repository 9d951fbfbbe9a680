/* SPDX-License-Identifier: Apache-2.0 */
/* Spoils rows of a datapath behind its back, see dp_corrupt.h. */
#include "lib/dp_corrupt.h"

#include <bpf/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "dp/ebpf.h"

/* Where a table's rows can be spoilt: a byte of the key that makes another, one of the value that
 * says something.  SPARE: a row of an array that nobody has.  -1: not in that way. */
static const struct spot {
	const char *name;
	enum nve_ebpf_map map;
	int key_byte, value_byte;
	int64_t row, spare; /* of an array; -1: it is a hash */
} spots[] = {
	{ "port", NVE_MAP_PORT, 1, 3, -1, -1 },
	{ "src", NVE_MAP_SRC, 7, 7, -1, -1 },
	{ "src_ip", NVE_MAP_SRC_IP, 20, 6, -1, -1 },
	{ "gleaner", NVE_MAP_GLEANER, 1, 8, -1, -1 },
	{ "gleaned", NVE_MAP_GLEANED, 5, -1, -1, -1 },
	{ "fdb", NVE_MAP_FDB, 5, 0, -1, -1 },
	{ "peer", NVE_MAP_PEER, 18, 0, -1, -1 },
	{ "flood", NVE_MAP_FLOOD, 1, 4, -1, -1 },
	{ "neigh", NVE_MAP_NEIGH, 19, 5, -1, -1 },
	{ "bum", NVE_MAP_BUM, 1, 9, -1, -1 },
	{ "tsi", NVE_MAP_TSI, 0, offsetof(struct nve_tsi_row, vni), 4, 13 },
	{ "vap", NVE_MAP_VAP, 0, 4, A0 *NVE_VID_COUNT + TAG_10, A1 *NVE_VID_COUNT + 4000 },
	{ "vtep", NVE_MAP_VTEP, 0, 20, 0, 3 },
	{ "meter", NVE_MAP_METER, 0, 9, 2, 6 },
	{ "icmp_meter", NVE_MAP_ICMP_METER, 0, 9, 7, -1 },
	{ "near", NVE_MAP_NEAR, 0, 0, -1, -1 },
};

static void spoil_hash(int fd, const struct spot *s, enum nve_dp_diff_kind how, uint8_t *key,
		       uint8_t *value)
{
	assert_int_equal(bpf_map_get_next_key(fd, NULL, key), 0);
	assert_int_equal(bpf_map_lookup_elem(fd, key, value), 0);
	if (how == NVE_DP_MISSING) {
		assert_int_equal(bpf_map_delete_elem(fd, key), 0);
		return;
	}
	if (how == NVE_DP_FOREIGN)
		key[s->key_byte] ^= 0x40;
	else
		value[s->value_byte] ^= 1;
	assert_int_equal(bpf_map_update_elem(fd, key, value, BPF_ANY), 0);
}

static bool spoil_array(int fd, const struct spot *s, enum nve_dp_diff_kind how, uint32_t size,
			uint8_t *value)
{
	uint32_t row = s->row;

	assert_int_equal(bpf_map_lookup_elem(fd, &row, value), 0);
	if (s->spare < 0 && how != NVE_DP_DIFFERS)
		return false;
	if (how == NVE_DP_MISSING)
		memset(value, 0, size);
	else if (how == NVE_DP_FOREIGN)
		row = s->spare;
	else
		value[s->value_byte] ^= 1;
	assert_int_equal(bpf_map_update_elem(fd, &row, value, BPF_ANY), 0);
	return true;
}

/* A line that is somebody's, on the last CPU: changed, or said again as another's where none is. */
static bool spoil_line(struct nve_dp *dp, enum nve_dp_diff_kind how)
{
	size_t a_cpu = (size_t)dp->n_lines + dp->shadow.limits.max_tsis;
	struct nve_tsi_stats *lines = dp->stats + (dp->n_cpus - 1) * a_cpu, *from = NULL,
			     *to = NULL;

	for (uint32_t i = 0; i < dp->n_lines; i++) {
		from = lines[i].key ? &lines[i] : from;
		to = lines[i].key ? to : &lines[i];
	}
	if (!from || !to || how == NVE_DP_MISSING)
		return false;
	if (how == NVE_DP_DIFFERS) {
		from->place ^= 1ull << 32; /* vid */
		return true;
	}
	*to = *from;
	to->key ^= 0x40;
	return true;
}

/* An entry in a bucket likewise. */
static bool spoil_bucket(struct nve_dp *dp, enum nve_dp_diff_kind how)
{
	struct nve_near_entry *from = NULL, *to = NULL;

	for (uint32_t i = 0; i < NVE_NEAR_WAYS * (dp->near_mask + 1); i++) {
		struct nve_near_entry *e = &dp->near[i / NVE_NEAR_WAYS].e[i % NVE_NEAR_WAYS];

		from = e->key ? e : from;
		to = e->key ? to : e;
	}
	if (!from || !to || how == NVE_DP_MISSING)
		return false;
	if (how == NVE_DP_DIFFERS) {
		from->net ^= 1 << 8;
		return true;
	}
	*to = *from;
	to->key ^= 0x40;
	return true;
}

static bool spoil_acl(struct nve_dp *dp, enum nve_dp_diff_kind how)
{
	int map = dp->map[NVE_MAP_ACL_SET], fd;
	uint32_t slot = 1, other = 9, id, cell = 0;
	union nve_acl_cell head;

	assert_int_equal(bpf_map_lookup_elem(map, &slot, &id), 0);
	fd = bpf_map_get_fd_by_id(id);
	assert_true(fd >= 0);
	if (how == NVE_DP_MISSING) {
		assert_int_equal(bpf_map_delete_elem(map, &slot), 0);
	} else if (how == NVE_DP_FOREIGN) {
		assert_int_equal(bpf_map_update_elem(map, &other, &fd, BPF_ANY), 0);
	} else {
		assert_int_equal(bpf_map_lookup_elem(fd, &cell, &head), 0);
		head.head.deny ^= 1;
		assert_int_equal(bpf_map_update_elem(fd, &cell, &head, BPF_ANY), 0);
	}
	close(fd);
	return true;
}

static bool spoil_ebpf(struct nve_dp *dp, const char *table, enum nve_dp_diff_kind how)
{
	uint8_t key[64], value[sizeof(struct nve_flood)];

	if (!strcmp(table, "near"))
		return spoil_line(dp, how);
	if (!strcmp(table, "near.buckets"))
		return spoil_bucket(dp, how);
	if (!strcmp(table, "acl_set"))
		return spoil_acl(dp, how);
	for (size_t i = 0; i < sizeof(spots) / sizeof(spots[0]); i++) {
		const struct spot *s = &spots[i];

		if (strcmp(s->name, table))
			continue;
		if (s->row >= 0)
			return spoil_array(dp->map[s->map], s, how, dp->buffer[s->map].value_size,
					   value);
		if (how == NVE_DP_DIFFERS && s->value_byte < 0)
			return false;
		spoil_hash(dp->map[s->map], s, how, key, value);
		return true;
	}
	return false;
}

bool dpx_spoil(struct dpw *w, const char *table, enum nve_dp_diff_kind how)
{
	return w->ops == &nve_dp_fake ? nve_fake_corrupt(w->dp, table, how)
				      : spoil_ebpf(w->dp, table, how);
}

/* --- what is there ---------------------------------------------------------------------------- */

struct lines {
	char **v;
	size_t n, room;
	const char *table;
};

/* What is in a bucket is the programs' to write. */
static void without_full(char *line)
{
	static const char name[] = "\"full\":";
	char *at = strstr(line, name);

	for (at = at ? at + strlen(name) : NULL; at && *at >= '0' && *at <= '9';)
		memmove(at, at + 1, strlen(at));
}

static void add_line(void *arg, const char *key, const char *value)
{
	struct lines *l = arg;

	if (l->n == l->room) {
		l->room = l->room ? 2 * l->room : 256;
		l->v = realloc(l->v, l->room * sizeof(l->v[0]));
		assert_non_null(l->v);
	}
	assert_true(asprintf(&l->v[l->n], "%s %s %s\n", l->table, key, value) > 0);
	without_full(l->v[l->n++]);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Rows that programs write, and where near has put what it has, are no intent. */
static bool counts(const char *table)
{
	static const char *const live[] = { "drops", "answers", "tsi_drops", "tsi_stats",
					    "acl",   "near",    "gleaned",   "near_vn" };

	for (size_t i = 0; i < sizeof(live) / sizeof(live[0]); i++)
		if (!strcmp(live[i], table))
			return false;
	return true;
}

char *dpx_snapshot(struct dpw *w)
{
	struct lines l = { 0 };
	uint64_t used, max;
	char *text = NULL;
	size_t len;
	FILE *out;

	for (size_t i = 0; (l.table = w->ops->table(w->dp, i, &used, &max)); i++)
		if (counts(l.table))
			assert_int_equal(w->ops->dump(w->dp, l.table, add_line, &l), 0);
	qsort(l.v, l.n, sizeof(l.v[0]), by_text);
	out = open_memstream(&text, &len);
	for (size_t i = 0; i < l.n; i++) {
		fputs(l.v[i], out);
		free(l.v[i]);
	}
	fclose(out);
	free(l.v);
	return text;
}

/* --- a pass ----------------------------------------------------------------------------------- */

static void take(void *arg, const struct nve_dp_diff *diff)
{
	struct dpx_found *f = arg;

	f->n++;
	f->mended += diff->mended;
	f->kind = diff->kind;
	snprintf(f->table, sizeof(f->table), "%s", diff->table);
	snprintf(f->key, sizeof(f->key), "%s", diff->key);
	snprintf(f->want, sizeof(f->want), "%s", diff->want);
	snprintf(f->have, sizeof(f->have), "%s", diff->have);
}

struct dpx_found dpx_check(struct dpw *w, bool repair, uint32_t slice)
{
	struct nve_dp_check pass = { .repair = repair };
	struct dpx_found f = { 0 };
	int r;

	do {
		r = w->ops->check(w->dp, &pass, slice, take, &f);
		assert_true(r >= 0);
		f.calls++;
		if (f.calls > 100000)
			fail_msg("stands still at stage %u, %lu", pass.stage, pass.at);
	} while (r == 1);
	assert_int_equal(pass.found, f.n);
	assert_int_equal(pass.mended, f.mended);
	f.rows = pass.rows;
	return f;
}
