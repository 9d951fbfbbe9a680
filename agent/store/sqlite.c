/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The durable store over SQLite: write-ahead log, one transaction a turn, statements prepared once.
 * Locked against every other process for as long as it is open; the kernel drops the lock when the
 * agent dies.  Called by the engine alone; knows no ports, scopes or clocks, only their records.
 */
#include "store/sqlite_internal.h"

#include <errno.h>
#include <string.h>

static void end_transaction(struct nve_store *store)
{
	if (!sqlite3_get_autocommit(store->db)) {
		sqlite3_step(store->stmt[Q_ROLLBACK]);
		sqlite3_reset(store->stmt[Q_ROLLBACK]);
	}
	store->in_transaction = false;
}

/* Runs a statement without result; a failure ends the transaction. */
static int run(struct nve_store *store, enum nve_sqlite_statement q)
{
	int code = sqlite3_step(store->stmt[q]);

	sqlite3_reset(store->stmt[q]);
	if (code == SQLITE_DONE)
		return 0;
	end_transaction(store);
	return nve_sqlite_errno(store->db, code);
}

static int bind_name(sqlite3_stmt *stmt, int at, const char *name)
{
	return sqlite3_bind_text(stmt, at, name, -1, SQLITE_STATIC);
}

/* All integers fit, or are uint64_t whose bits are kept. */
static int bind_ints(sqlite3_stmt *stmt, int at, size_t n, const uint64_t *values)
{
	int code = SQLITE_OK;

	for (size_t i = 0; i < n && code == SQLITE_OK; i++)
		code = sqlite3_bind_int64(stmt, at + (int)i, (int64_t)values[i]);
	return code;
}

static int sqlite_store_epoch(struct nve_store *store, uint64_t *ret)
{
	sqlite3_stmt *stmt = store->stmt[Q_GET_EPOCH];
	int code = sqlite3_step(stmt);

	if (code == SQLITE_ROW || code == SQLITE_DONE)
		*ret = code == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(stmt, 0) : 0;
	sqlite3_reset(stmt);
	return code == SQLITE_ROW ? 0 : nve_sqlite_errno(store->db, code);
}

static int sqlite_store_begin(struct nve_store *store)
{
	int r = run(store, Q_BEGIN);

	store->in_transaction = !r;
	return r;
}

/* A bind fails for want of memory alone; a statement half bound must not run. */
int nve_sqlite_put(struct nve_store *store, enum nve_sqlite_statement q, int code)
{
	if (!store->in_transaction)
		return -EINVAL;
	if (code == SQLITE_OK)
		return run(store, q);
	end_transaction(store);
	return nve_sqlite_errno(store->db, code);
}

static int sqlite_store_put_tag(struct nve_store *store, const struct nve_stored_tag *tag)
{
	const uint64_t v[] = { tag->tag, tag->quarantined, tag->vn_id, tag->until_ns };
	sqlite3_stmt *stmt = store->stmt[Q_PUT_TAG];
	int code = bind_name(stmt, 1, tag->scope);

	return nve_sqlite_put(store, Q_PUT_TAG, code ? code : bind_ints(stmt, 2, 4, v));
}

static int sqlite_store_del_tag(struct nve_store *store, const char *scope, uint16_t tag)
{
	const uint64_t v[] = { tag };
	sqlite3_stmt *stmt = store->stmt[Q_DEL_TAG];
	int code = bind_name(stmt, 1, scope);

	return nve_sqlite_put(store, Q_DEL_TAG, code ? code : bind_ints(stmt, 2, 1, v));
}

static int sqlite_store_put_vap(struct nve_store *store, const struct nve_stored_vap *vap)
{
	const uint64_t v[] = { vap->vn_id, vap->tag, vap->connected_explicitly };
	sqlite3_stmt *stmt = store->stmt[Q_PUT_VAP];
	int code = bind_name(stmt, 1, vap->port);

	if (code == SQLITE_OK)
		code = bind_name(stmt, 5, vap->owner ? vap->owner : "");
	return nve_sqlite_put(store, Q_PUT_VAP, code ? code : bind_ints(stmt, 2, 3, v));
}

static int sqlite_store_del_vap(struct nve_store *store, const char *port, uint32_t vn_id)
{
	const uint64_t v[] = { vn_id };
	sqlite3_stmt *stmt = store->stmt[Q_DEL_VAP];
	int code = bind_name(stmt, 1, port);

	return nve_sqlite_put(store, Q_DEL_VAP, code ? code : bind_ints(stmt, 2, 1, v));
}

static size_t pack_addrs(struct nve_store *store, const struct nve_stored_tsi *tsi)
{
	uint8_t *to = store->packed;

	for (size_t i = 0; i < tsi->tsi.n_addrs; i++, to += NVE_PACKED_ADDR) {
		memcpy(to, &tsi->addrs[i].addr, sizeof(struct nve_addr));
		to[sizeof(struct nve_addr)] =
			(uint8_t)(tsi->addrs[i].active | tsi->addrs[i].gleaned << 1);
	}
	return (size_t)(to - store->packed);
}

static int sqlite_store_put_tsi(struct nve_store *store, const struct nve_stored_tsi *tsi)
{
	const struct nve_tsi *t = &tsi->tsi;
	const uint64_t v[] = { t->state,    t->cause,       t->n_active,     t->epoch,
			       t->since_ns, t->deadline_ns, t->keepalive_ms, t->keepactive_ms };
	sqlite3_stmt *stmt = store->stmt[Q_PUT_TSI];
	static const struct nve_qos none;
	bool has_qos = memcmp(&t->qos, &none, sizeof(none));
	int code;

	if (t->n_addrs > NVE_TSI_ADDRS_MAX) {
		end_transaction(store);
		return -EINVAL;
	}
	code = sqlite3_bind_int64(stmt, 1, tsi->slot);
	if (code == SQLITE_OK)
		code = bind_name(stmt, 2, tsi->port);
	if (code == SQLITE_OK)
		code = sqlite3_bind_int64(stmt, 3, t->key.vn_id);
	if (code == SQLITE_OK)
		code = sqlite3_bind_blob(stmt, 4, &t->key.id, NVE_TSI_ID_LEN, SQLITE_STATIC);
	if (code == SQLITE_OK)
		code = bind_ints(stmt, 5, sizeof(v) / sizeof(*v), v);
	if (code == SQLITE_OK)
		code = sqlite3_bind_blob(stmt, 13, store->packed, (int)pack_addrs(store, tsi),
					 SQLITE_STATIC);
	if (code == SQLITE_OK)
		code = sqlite3_bind_int64(stmt, 14, t->glean_max);
	if (code == SQLITE_OK)
		code = sqlite3_bind_int64(stmt, 15, t->glean_age_ms);
	if (code == SQLITE_OK)
		code = sqlite3_bind_blob(stmt, 16, &t->qos, has_qos ? sizeof(t->qos) : 0,
					 SQLITE_STATIC);
	if (code == SQLITE_OK)
		code = bind_name(stmt, 17, tsi->owner ? tsi->owner : "");
	return nve_sqlite_put(store, Q_PUT_TSI, code);
}

static int sqlite_store_del_tsi(struct nve_store *store, uint32_t slot)
{
	return nve_sqlite_put(store, Q_DEL_TSI,
			      sqlite3_bind_int64(store->stmt[Q_DEL_TSI], 1, slot));
}

static int sqlite_store_put_epoch(struct nve_store *store, uint64_t epoch)
{
	return nve_sqlite_put(store, Q_PUT_EPOCH,
			      sqlite3_bind_int64(store->stmt[Q_PUT_EPOCH], 1, (int64_t)epoch));
}

static int sqlite_store_put_setting(struct nve_store *store, const char *name, uint64_t value)
{
	enum nve_sqlite_statement q = value ? Q_PUT_SETTING : Q_DEL_SETTING;
	int code = bind_name(store->stmt[q], 1, name);

	if (code == SQLITE_OK && value)
		code = sqlite3_bind_int64(store->stmt[q], 2, (int64_t)value);
	return nve_sqlite_put(store, q, code);
}

static int sqlite_store_setting(struct nve_store *store, const char *name, uint64_t *ret)
{
	sqlite3_stmt *stmt = store->stmt[Q_GET_SETTING];
	int code = bind_name(stmt, 1, name);

	*ret = 0;
	if (code == SQLITE_OK)
		code = sqlite3_step(stmt);
	if (code == SQLITE_ROW)
		*ret = (uint64_t)sqlite3_column_int64(stmt, 0);
	sqlite3_reset(stmt);
	return code == SQLITE_ROW ? 0 : nve_sqlite_errno(store->db, code);
}

static int sqlite_store_commit(struct nve_store *store)
{
	int r = nve_sqlite_put(store, Q_COMMIT, SQLITE_OK);

	store->in_transaction = false;
	return r;
}

const struct nve_store_ops nve_store_sqlite = {
	.name = "sqlite",
	.open = nve_sqlite_open,
	.close = nve_sqlite_close,
	.load = nve_sqlite_load,
	.get_vn = nve_sqlite_get_vn,
	.epoch = sqlite_store_epoch,
	.begin = sqlite_store_begin,
	.put_tag = sqlite_store_put_tag,
	.del_tag = sqlite_store_del_tag,
	.put_vap = sqlite_store_put_vap,
	.del_vap = sqlite_store_del_vap,
	.put_tsi = sqlite_store_put_tsi,
	.del_tsi = sqlite_store_del_tsi,
	.put_deadlines = nve_sqlite_put_deadlines,
	.put_vn = nve_sqlite_put_vn,
	.del_vn = nve_sqlite_del_vn,
	.put_epoch = sqlite_store_put_epoch,
	.put_setting = sqlite_store_put_setting,
	.setting = sqlite_store_setting,
	.commit = sqlite_store_commit,
	.rollback = end_transaction,
};
