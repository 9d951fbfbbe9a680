/* SPDX-License-Identifier: Apache-2.0 */
/* What a SQLite store keeps beside intent: contexts of VNs (D18), and where timers have got to. */
#include "store/sqlite_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- deadlines -------------------------------------------------------------------------------- */

int nve_sqlite_put_deadlines(struct nve_store *store, uint32_t chunk,
			     const struct nve_stored_deadline *list)
{
	sqlite3_stmt *stmt = store->stmt[Q_PUT_DEADLINES];
	int code = sqlite3_bind_int64(stmt, 1, chunk);

	if (code == SQLITE_OK)
		code = sqlite3_bind_blob(stmt, 2, list, NVE_STORED_DEADLINES * (int)sizeof(*list),
					 SQLITE_STATIC);
	return nve_sqlite_put(store, Q_PUT_DEADLINES, code);
}

void nve_sqlite_deadlines_begin(struct nve_store *store)
{
	sqlite3_reset(store->stmt[Q_LOAD_DEADLINES]);
	store->chunk = UINT32_MAX;
	store->next_chunk = 0;
}

/* Chunks and TSIs both come by rising slot: each is read once. */
static bool read_chunk(struct nve_store *store, uint32_t chunk)
{
	sqlite3_stmt *stmt = store->stmt[Q_LOAD_DEADLINES];

	while (store->next_chunk <= chunk) {
		if (sqlite3_step(stmt) != SQLITE_ROW) {
			store->next_chunk = UINT32_MAX;
			break;
		}
		if (sqlite3_column_bytes(stmt, 1) != sizeof(store->deadlines)) {
			snprintf(store->bad, sizeof(store->bad), "table deadline, record %.40s",
				 (const char *)sqlite3_column_text(stmt, 0));
			return false;
		}
		store->chunk = (uint32_t)sqlite3_column_int64(stmt, 0);
		store->next_chunk = store->chunk + 1;
		memcpy(store->deadlines, sqlite3_column_blob(stmt, 1), sizeof(store->deadlines));
	}
	return true;
}

bool nve_sqlite_deadline(struct nve_store *store, struct nve_stored_tsi *tsi)
{
	uint32_t chunk = tsi->slot / NVE_STORED_DEADLINES;
	const struct nve_stored_deadline *d = &store->deadlines[tsi->slot % NVE_STORED_DEADLINES];

	tsi->moved_ns = tsi->tsi.deadline_ns;
	if (!read_chunk(store, chunk))
		return false;
	if (store->chunk == chunk && d->base_ns == tsi->tsi.deadline_ns && d->deadline_ns)
		tsi->moved_ns = d->deadline_ns;
	return true;
}

/* --- VNs -------------------------------------------------------------------------------------- */

/* A pointer to nothing would be bound as NULL. */
static int bind_list(sqlite3_stmt *stmt, int at, const void *list, uint32_t n, size_t size)
{
	return sqlite3_bind_blob64(stmt, at, n ? list : "", n * size, SQLITE_STATIC);
}

static int put_rules(struct nve_store *store, const struct nve_acl *acl)
{
	sqlite3_stmt *stmt = store->stmt[Q_PUT_ACL];
	int code = sqlite3_bind_text(stmt, 1, acl->name, -1, SQLITE_STATIC);

	if (code == SQLITE_OK)
		code = sqlite3_bind_int64(stmt, 2, acl->deny);
	if (code == SQLITE_OK)
		code = bind_list(stmt, 3, acl->rules, acl->n_rules, sizeof(*acl->rules));
	return nve_sqlite_put(store, Q_PUT_ACL, code);
}

int nve_sqlite_put_vn(struct nve_store *store, const struct nve_stored_vn *vn)
{
	sqlite3_stmt *stmt = store->stmt[Q_PUT_VN];
	int r, code = sqlite3_bind_int64(stmt, 1, vn->vn_id);

	if (code == SQLITE_OK)
		code = sqlite3_bind_int64(stmt, 2, (int64_t)vn->digest);
	if (code == SQLITE_OK)
		code = sqlite3_bind_text(stmt, 3, vn->context.profile, -1, SQLITE_STATIC);
	if (code == SQLITE_OK)
		code = bind_list(stmt, 4, &vn->context, 1, sizeof(vn->context));
	if (code == SQLITE_OK)
		code = bind_list(stmt, 5, vn->vteps, vn->n_vteps, sizeof(*vn->vteps));
	if (code == SQLITE_OK)
		code = bind_list(stmt, 6, vn->remotes, vn->n_remotes, sizeof(*vn->remotes));
	if (code == SQLITE_OK)
		code = bind_list(stmt, 7, vn->neighs, vn->n_neighs, sizeof(*vn->neighs));
	r = nve_sqlite_put(store, Q_PUT_VN, code);
	return r || !vn->rules ? r : put_rules(store, vn->rules);
}

int nve_sqlite_del_vn(struct nve_store *store, uint32_t vn_id)
{
	return nve_sqlite_put(store, Q_DEL_VN, sqlite3_bind_int64(store->stmt[Q_DEL_VN], 1, vn_id));
}

/* Lists in a place of their own: SQLite's have no alignment. */
struct lists {
	uint8_t *at;
	bool bad;
};

static const void *get_list(struct lists *to, sqlite3_stmt *stmt, int at, size_t size, uint32_t *n)
{
	size_t bytes = (size_t)sqlite3_column_bytes(stmt, at);
	void *copy = to->at;

	*n = (uint32_t)(bytes / size);
	if (bytes % size)
		to->bad = true;
	if (bytes)
		memcpy(copy, sqlite3_column_blob(stmt, at), bytes);
	to->at += (bytes + 7) & ~(size_t)7;
	return copy;
}

/* False: there are none, or they cannot be read. */
static bool find_rules(struct nve_store *store, const char *profile)
{
	sqlite3_stmt *stmt = store->stmt[Q_GET_ACL];

	return *profile && sqlite3_bind_text(stmt, 1, profile, -1, SQLITE_STATIC) == SQLITE_OK &&
	       sqlite3_step(stmt) == SQLITE_ROW;
}

static void get_rules(struct nve_store *store, struct lists *to, struct nve_acl *acl)
{
	sqlite3_stmt *stmt = store->stmt[Q_GET_ACL];

	acl->deny = sqlite3_column_int64(stmt, 0);
	acl->rules = get_list(to, stmt, 1, sizeof(*acl->rules), &acl->n_rules);
	if (acl->n_rules > NVE_ACL_RULES_MAX)
		to->bad = true;
}

static bool get_context(sqlite3_stmt *stmt, int at, struct nve_stored_context *context)
{
	if (sqlite3_column_bytes(stmt, at) != sizeof(*context))
		return false;
	memcpy(context, sqlite3_column_blob(stmt, at), sizeof(*context));
	return !context->name[NVE_NAME_MAX] && !context->profile[NVE_NAME_MAX];
}

static int decode(struct nve_store *store, struct nve_stored_vn *vn, nve_stored_vn_fn *fn,
		  void *arg)
{
	sqlite3_stmt *stmt = store->stmt[Q_GET_VN];
	struct nve_acl acl = { 0 };
	struct lists lists = { 0 };
	size_t room = 64;
	uint8_t *copies;
	bool rules;
	int r;

	if (!get_context(stmt, 2, &vn->context))
		return -EBADMSG;
	rules = find_rules(store, vn->context.profile);
	for (int i = 3; i < 6; i++)
		room += (size_t)sqlite3_column_bytes(stmt, i);
	room += rules ? (size_t)sqlite3_column_bytes(store->stmt[Q_GET_ACL], 1) : 0;
	lists.at = copies = malloc(room);
	if (!copies)
		return -ENOMEM;
	vn->digest = (uint64_t)sqlite3_column_int64(stmt, 0);
	vn->vteps = get_list(&lists, stmt, 3, sizeof(*vn->vteps), &vn->n_vteps);
	vn->remotes = get_list(&lists, stmt, 4, sizeof(*vn->remotes), &vn->n_remotes);
	vn->neighs = get_list(&lists, stmt, 5, sizeof(*vn->neighs), &vn->n_neighs);
	if (rules) {
		memcpy(acl.name, vn->context.profile, sizeof(acl.name));
		get_rules(store, &lists, &acl);
		vn->rules = &acl;
	}
	r = lists.bad ? -EBADMSG : fn(arg, vn);
	free(copies);
	return r;
}

int nve_sqlite_get_vn(struct nve_store *store, uint32_t vn_id, nve_stored_vn_fn *fn, void *arg)
{
	sqlite3_stmt *stmt = store->stmt[Q_GET_VN];
	struct nve_stored_vn vn = { .vn_id = vn_id };
	int r, code = sqlite3_bind_int64(stmt, 1, vn_id);

	if (code == SQLITE_OK)
		code = sqlite3_step(stmt);
	if (code == SQLITE_ROW)
		r = decode(store, &vn, fn, arg);
	else
		r = code == SQLITE_DONE ? -ENOENT : nve_sqlite_errno(store->db, code);
	sqlite3_reset(store->stmt[Q_GET_ACL]);
	sqlite3_reset(stmt);
	return r;
}
