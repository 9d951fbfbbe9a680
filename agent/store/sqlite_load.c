/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a SQLite store: each column is checked, since a file can hold anything. */
#include "store/sqlite_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int get_name(sqlite3_stmt *stmt, int at, char name[NVE_NAME_MAX + 1])
{
	const char *text = (const char *)sqlite3_column_text(stmt, at);
	size_t len = text ? strlen(text) : 0;

	if (!len || len > NVE_NAME_MAX || (int)len != sqlite3_column_bytes(stmt, at))
		return -EBADMSG;
	memcpy(name, text, len + 1);
	return 0;
}

/* The text lives until the statement's next step. */
static const char *get_owner(sqlite3_stmt *stmt, int at, bool *bad)
{
	const char *text = (const char *)sqlite3_column_text(stmt, at);
	size_t len = text ? strlen(text) : 0;

	if (!text || len > NVE_OWNER_TEXT_MAX || (int)len != sqlite3_column_bytes(stmt, at))
		*bad = true;
	return text ? text : "";
}

/* Sets '*bad' unless the column is in [min, max]. */
static uint32_t get_int(sqlite3_stmt *stmt, int at, uint32_t min, uint32_t max, bool *bad)
{
	int64_t value = sqlite3_column_int64(stmt, at);

	if (value >= min && value <= max)
		return (uint32_t)value;
	*bad = true;
	return 0;
}

static int undecodable(struct nve_store *store, const char *table, sqlite3_stmt *stmt)
{
	const char *key = (const char *)sqlite3_column_text(stmt, 0);
	const char *key2 = (const char *)sqlite3_column_text(stmt, 1);

	snprintf(store->bad, sizeof(store->bad), "table %s, record %.40s %.40s", table,
		 key ? key : "", key2 ? key2 : "");
	return -EBADMSG;
}

static int load_tag(struct nve_store *store, sqlite3_stmt *stmt, const struct nve_store_reader *rd)
{
	struct nve_stored_tag tag = { 0 };
	bool bad = get_name(stmt, 0, tag.scope) < 0;

	tag.tag = (uint16_t)get_int(stmt, 1, NVE_TAG_MIN, NVE_TAG_MAX, &bad);
	tag.quarantined = get_int(stmt, 2, 0, 1, &bad);
	tag.vn_id = get_int(stmt, 3, 0, NVE_VN_ID_MAX, &bad);
	tag.until_ns = (uint64_t)sqlite3_column_int64(stmt, 4);
	if (bad)
		return undecodable(store, "tag", stmt);
	return rd->tag(rd->arg, &tag);
}

static int load_vap(struct nve_store *store, sqlite3_stmt *stmt, const struct nve_store_reader *rd)
{
	struct nve_stored_vap vap = { 0 };
	bool bad = get_name(stmt, 0, vap.port) < 0;

	vap.vn_id = get_int(stmt, 1, 1, NVE_VN_ID_MAX, &bad);
	vap.tag = (uint16_t)get_int(stmt, 2, NVE_TAG_MIN, NVE_TAG_MAX, &bad);
	vap.connected_explicitly = get_int(stmt, 3, 0, 1, &bad);
	vap.owner = get_owner(stmt, 4, &bad);
	if (bad)
		return undecodable(store, "vap", stmt);
	return rd->vap(rd->arg, &vap);
}

static bool get_addrs(struct nve_store *store, sqlite3_stmt *stmt, int at, uint16_t *n)
{
	const uint8_t *blob = sqlite3_column_blob(stmt, at);
	size_t len = (size_t)sqlite3_column_bytes(stmt, at);

	if (len % NVE_PACKED_ADDR || len > sizeof(store->packed))
		return false;
	*n = (uint16_t)(len / NVE_PACKED_ADDR);
	for (size_t i = 0; i < *n; i++, blob += NVE_PACKED_ADDR) {
		memcpy(&store->addrs[i].addr, blob, sizeof(struct nve_addr));
		if (blob[sizeof(struct nve_addr)] > 3)
			return false;
		store->addrs[i].active = blob[sizeof(struct nve_addr)] & 1;
		store->addrs[i].gleaned = blob[sizeof(struct nve_addr)] >> 1;
	}
	return true;
}

/* Empty: there is none.  Whether it can be is the core's to say. */
static bool get_qos(sqlite3_stmt *stmt, int at, struct nve_qos *qos)
{
	const void *blob = sqlite3_column_blob(stmt, at);
	size_t len = (size_t)sqlite3_column_bytes(stmt, at);

	if (!len)
		return true;
	if (len != sizeof(*qos))
		return false;
	memcpy(qos, blob, len);
	return true;
}

static int load_tsi(struct nve_store *store, sqlite3_stmt *stmt, const struct nve_store_reader *rd)
{
	struct nve_stored_tsi tsi = { .addrs = store->addrs };
	const void *id = sqlite3_column_blob(stmt, 3);
	bool bad = get_name(stmt, 1, tsi.port) < 0;

	tsi.slot = get_int(stmt, 0, 0, NVE_SLOT_NONE - 1, &bad);
	tsi.tsi.key.vn_id = get_int(stmt, 2, 1, NVE_VN_ID_MAX, &bad);
	if (!id || sqlite3_column_bytes(stmt, 3) != NVE_TSI_ID_LEN)
		bad = true;
	else
		memcpy(&tsi.tsi.key.id, id, NVE_TSI_ID_LEN);
	tsi.tsi.state = (uint8_t)get_int(stmt, 4, NVE_TSI_ASSOCIATED, NVE_TSI_ACTIVATED, &bad);
	tsi.tsi.cause = (uint8_t)get_int(stmt, 5, 0, NVE_CAUSE_RESUME, &bad);
	tsi.tsi.n_active = (uint16_t)get_int(stmt, 6, 0, NVE_TSI_ADDRS_MAX, &bad);
	tsi.tsi.epoch = (uint64_t)sqlite3_column_int64(stmt, 7);
	tsi.tsi.since_ns = (uint64_t)sqlite3_column_int64(stmt, 8);
	tsi.tsi.deadline_ns = (uint64_t)sqlite3_column_int64(stmt, 9);
	tsi.tsi.keepalive_ms = get_int(stmt, 10, 0, UINT32_MAX, &bad);
	tsi.tsi.keepactive_ms = get_int(stmt, 11, 0, UINT32_MAX, &bad);
	if (!get_addrs(store, stmt, 12, &tsi.tsi.n_addrs) || !get_qos(stmt, 15, &tsi.tsi.qos))
		bad = true;
	tsi.tsi.glean_max = (uint16_t)get_int(stmt, 13, 0, NVE_GLEAN_MAX, &bad);
	tsi.tsi.glean_age_ms = get_int(stmt, 14, 0, NVE_GLEAN_AGE_MAX_MS, &bad);
	tsi.tsi.glean_ns = NVE_NEVER_NS; /* their ages are not kept */
	tsi.owner = get_owner(stmt, 16, &bad);
	for (size_t i = 0; i < tsi.tsi.n_addrs; i++)
		tsi.tsi.n_gleaned += store->addrs[i].gleaned;
	if (bad)
		return undecodable(store, "tsi", stmt);
	return nve_sqlite_deadline(store, &tsi) ? rd->tsi(rd->arg, &tsi) : -EBADMSG;
}

static int load_vn(struct nve_store *store, sqlite3_stmt *stmt, const struct nve_store_reader *rd)
{
	bool bad = false;
	uint32_t vn_id = get_int(stmt, 0, 1, NVE_VN_ID_MAX, &bad);

	if (bad)
		return undecodable(store, "vn", stmt);
	return rd->vn(rd->arg, vn_id, (uint64_t)sqlite3_column_int64(stmt, 1));
}

typedef int load_fn(struct nve_store *store, sqlite3_stmt *stmt, const struct nve_store_reader *rd);

static int load_all(struct nve_store *store, enum nve_sqlite_statement q, load_fn *fn,
		    const struct nve_store_reader *rd)
{
	sqlite3_stmt *stmt = store->stmt[q];
	int code, r = 0;

	while (!r && (code = sqlite3_step(stmt)) == SQLITE_ROW)
		r = fn(store, stmt, rd);
	sqlite3_reset(stmt);
	return r ? r : nve_sqlite_errno(store->db, code);
}

int nve_sqlite_load(struct nve_store *store, const struct nve_store_reader *reader)
{
	int r = load_all(store, Q_LOAD_TAGS, load_tag, reader);

	if (!r)
		r = load_all(store, Q_LOAD_VAPS, load_vap, reader);
	nve_sqlite_deadlines_begin(store);
	if (!r)
		r = load_all(store, Q_LOAD_TSIS, load_tsi, reader);
	sqlite3_reset(store->stmt[Q_LOAD_DEADLINES]);
	if (!r && reader->vn)
		r = load_all(store, Q_LOAD_VNS, load_vn, reader);
	return r;
}
