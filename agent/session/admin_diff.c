/* SPDX-License-Identifier: Apache-2.0 */
/* The Admin service: Diff, and what Status tells of checks. */
#include <errno.h>
#include <string.h>

#include "nve/v1/diff.pb-c.h"
#include "session/admin.h"
#include "session/codec_internal.h"

enum { SLICE_ROWS = 256, TEXT_MAX = 400, STALLS_MAX = 1000 };

struct found {
	struct nve_arena *arena;
	size_t n, lost;
	Nve__V1__Difference *list[2 * SLICE_ROWS];
};

/* Rows of flood are long: a piece must have room for as many as there are rows in it. */
static char *copy(struct nve_arena *arena, const char *text)
{
	size_t len = strlen(text), n = len < TEXT_MAX ? len : TEXT_MAX - 3;
	char *p = nve_arena_alloc(arena, n + 4);

	if (!p)
		return NULL;
	memcpy(p, text, n);
	strcpy(p + n, n < len ? "..." : "");
	return p;
}

static void add(void *arg, const struct nve_dp_diff *diff)
{
	static const Nve__V1__DifferenceKind kinds[] = {
		[NVE_DP_MISSING] = NVE__V1__DIFFERENCE_KIND__DIFFERENCE_KIND_MISSING,
		[NVE_DP_DIFFERS] = NVE__V1__DIFFERENCE_KIND__DIFFERENCE_KIND_DIFFERS,
		[NVE_DP_FOREIGN] = NVE__V1__DIFFERENCE_KIND__DIFFERENCE_KIND_FOREIGN,
	};
	struct found *f = arg;
	Nve__V1__Difference *m = nve_arena_alloc(f->arena, sizeof(*m));

	if (!m || f->n == 2 * SLICE_ROWS) {
		f->lost++;
		return;
	}
	nve__v1__difference__init(m);
	m->kind = kinds[diff->kind];
	m->table = copy(f->arena, diff->table);
	m->key = copy(f->arena, diff->key);
	m->want = copy(f->arena, diff->want);
	m->have = copy(f->arena, diff->have);
	m->mended = diff->mended;
	if (m->table && m->key && m->want && m->have)
		f->list[f->n++] = m;
	else
		f->lost++;
}

int nve_admin_diff(const struct nve_admin_env *env, struct nve_admin_query *query,
		   struct nve_arena *arena, struct nve_bytes *ret, struct nve_refusal *why)
{
	struct found *f = nve_arena_zalloc(arena, 1, sizeof(*f));
	Nve__V1__DiffReply m = NVE__V1__DIFF_REPLY__INIT;
	uint64_t before = query->check.rows;
	int r;

	if (query->over)
		return 0;
	if (!f)
		return -ENOMEM;
	f->arena = arena;
	r = nve_engine_check(env->engine, &query->check, SLICE_ROWS, add, f);
	query->cursor = r == 1 && query->check.rows == before ? query->cursor + 1 : 0;
	if (r < 0 || query->cursor > STALLS_MAX) {
		nve_refusal_init(why, NVE_REASON_DATAPATH_FAILED);
		return -EBADMSG;
	}
	if (f->lost)
		return -ENOMEM;
	query->over = r == 0;
	m.n_differences = f->n;
	m.differences = f->list;
	m.rows = query->check.rows;
	r = nve_codec_pack(&m.base, arena, ret);
	return r < 0 ? r : 1;
}

int nve_admin_checks(const struct nve_admin_env *env, struct nve_arena *arena, Nve__V1__Status *m)
{
	const struct nve_engine_checks *c = nve_engine_checks(env->engine);
	Nve__V1__TableChecks **list = nve_arena_zalloc(arena, NVE_CHECK_TABLES, sizeof(*list));

	if (!list)
		return -ENOMEM;
	m->checks = c->passes;
	m->checked_rows = c->rows;
	m->last_check_unix_ns = c->last_realtime_ns;
	m->last_check_found = c->last_found;
	m->table_checks = list;
	for (int i = 0; c->tables[i].table; i++) {
		list[i] = nve_arena_alloc(arena, sizeof(*list[i]));
		if (!list[i])
			return -ENOMEM;
		nve__v1__table_checks__init(list[i]);
		list[i]->table = (char *)c->tables[i].table;
		list[i]->found = c->tables[i].found;
		list[i]->mended = c->tables[i].mended;
		m->n_table_checks++;
	}
	return 0;
}
