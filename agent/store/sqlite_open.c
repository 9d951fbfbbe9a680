/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening a SQLite store: file, lock, version, schema, statements, and a first reading that finds
 * damage while there is somebody to tell.
 */
#include "store/sqlite_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SCHEMA_VERSION 3
#define APPLICATION_ID 0x6e766564 /* "nved" */
#define STR_(x)        #x
#define STR(x)         STR_(x)

static const char *const sql[STATEMENTS] = {
	[Q_BEGIN] = "BEGIN IMMEDIATE",
	[Q_COMMIT] = "COMMIT",
	[Q_ROLLBACK] = "ROLLBACK",
	/* What is as it was costs no page of the log. */
	[Q_PUT_TAG] = "INSERT INTO tag(scope, tag, quarantined, vn_id, until_ns)"
		      " VALUES(?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
		      " quarantined = excluded.quarantined, vn_id = excluded.vn_id,"
		      " until_ns = excluded.until_ns WHERE quarantined != excluded.quarantined"
		      " OR vn_id != excluded.vn_id OR until_ns != excluded.until_ns",
	[Q_DEL_TAG] = "DELETE FROM tag WHERE scope = ? AND tag = ?",
	[Q_PUT_VAP] = "INSERT INTO vap(port, vn_id, tag, explicit, owner) VALUES(?, ?, ?, ?, ?)"
		      " ON CONFLICT DO UPDATE SET tag = excluded.tag, explicit = excluded.explicit,"
		      " owner = excluded.owner WHERE tag != excluded.tag"
		      " OR explicit != excluded.explicit OR owner != excluded.owner",
	[Q_DEL_VAP] = "DELETE FROM vap WHERE port = ? AND vn_id = ?",
	[Q_PUT_TSI] = "INSERT OR REPLACE INTO tsi(slot, port, vn_id, id, state, cause, n_active,"
		      " epoch, since_ns, deadline_ns, keepalive_ms, keepactive_ms, addrs,"
		      " glean_max, glean_age_ms, qos, owner)"
		      " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[Q_DEL_TSI] = "DELETE FROM tsi WHERE slot = ?",
	[Q_PUT_EPOCH] = "INSERT OR REPLACE INTO meta(key, value) VALUES('epoch', ?)",
	[Q_GET_EPOCH] = "SELECT value FROM meta WHERE key = 'epoch'",
	[Q_LOAD_TAGS] = "SELECT scope, tag, quarantined, vn_id, until_ns FROM tag",
	[Q_LOAD_VAPS] = "SELECT port, vn_id, tag, explicit, owner FROM vap",
	[Q_LOAD_TSIS] = "SELECT slot, port, vn_id, id, state, cause, n_active, epoch, since_ns,"
			" deadline_ns, keepalive_ms, keepactive_ms, addrs, glean_max,"
			" glean_age_ms, qos, owner FROM tsi ORDER BY slot",
};

static const char schema[] =
	"BEGIN IMMEDIATE;"
	"CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
	"CREATE TABLE tag(scope TEXT NOT NULL, tag INTEGER NOT NULL, quarantined INTEGER NOT NULL,"
	" vn_id INTEGER NOT NULL, until_ns INTEGER NOT NULL, PRIMARY KEY(scope, tag))"
	" STRICT, WITHOUT ROWID;"
	"CREATE TABLE vap(port TEXT NOT NULL, vn_id INTEGER NOT NULL, tag INTEGER NOT NULL,"
	" explicit INTEGER NOT NULL, owner TEXT NOT NULL DEFAULT '',"
	" PRIMARY KEY(port, vn_id)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE tsi(slot INTEGER PRIMARY KEY, port TEXT NOT NULL, vn_id INTEGER NOT NULL,"
	" id BLOB NOT NULL, state INTEGER NOT NULL, cause INTEGER NOT NULL,"
	" n_active INTEGER NOT NULL, epoch INTEGER NOT NULL, since_ns INTEGER NOT NULL,"
	" deadline_ns INTEGER NOT NULL, keepalive_ms INTEGER NOT NULL,"
	" keepactive_ms INTEGER NOT NULL, addrs BLOB NOT NULL,"
	" glean_max INTEGER NOT NULL DEFAULT 0, glean_age_ms INTEGER NOT NULL DEFAULT 0,"
	" qos BLOB NOT NULL DEFAULT x'', owner TEXT NOT NULL DEFAULT '') STRICT;"
	"PRAGMA application_id = " STR(APPLICATION_ID) ";"
						       "PRAGMA user_version = " STR(
							       SCHEMA_VERSION) ";"
									       "COMMIT;";

/* From each version to the next, in a transaction of its own. */
static const char *const upgrades[SCHEMA_VERSION] = {
	[1] = "BEGIN IMMEDIATE;"
	      "ALTER TABLE tsi ADD COLUMN glean_max INTEGER NOT NULL DEFAULT 0;"
	      "ALTER TABLE tsi ADD COLUMN glean_age_ms INTEGER NOT NULL DEFAULT 0;"
	      "ALTER TABLE tsi ADD COLUMN qos BLOB NOT NULL DEFAULT x'';"
	      "PRAGMA user_version = 2;"
	      "COMMIT;",
	[2] = "BEGIN IMMEDIATE;"
	      "ALTER TABLE tsi ADD COLUMN owner TEXT NOT NULL DEFAULT '';"
	      "ALTER TABLE vap ADD COLUMN owner TEXT NOT NULL DEFAULT '';"
	      "PRAGMA user_version = 3;"
	      "COMMIT;",
};

int nve_sqlite_errno(int code)
{
	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_DONE:
		return 0;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_READONLY:
	case SQLITE_PERM:
		return -EROFS;
	case SQLITE_CANTOPEN:
		return -EACCES;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EBADMSG;
	default:
		return -EIO;
	}
}

static const char *remedy(int r)
{
	switch (r) {
	case -EBUSY:
		return "another process has it open; stop that one first";
	case -EROFS:
	case -EACCES:
		return "make the file and its directory writable for the agent";
	case -ENOSPC:
		return "make room on its disk";
	case -EBADMSG:
		return "it is damaged or not a store of nved; restore a copy, or move it away";
	default:
		return "check the disk and the kernel's log";
	}
}

__attribute__((format(printf, 2, 3))) static void explain(char **err, const char *fmt, ...)
{
	va_list args;

	if (!err)
		return;
	va_start(args, fmt);
	if (vasprintf(err, fmt, args) < 0)
		*err = NULL;
	va_end(args);
}

void nve_sqlite_close(struct nve_store *store)
{
	if (!store)
		return;
	for (size_t i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(store->stmt[i]);
	sqlite3_close(store->db); /* drops an open transaction */
	free(store);
}

static void closep(struct nve_store **store)
{
	nve_sqlite_close(*store);
}

static int pragma_int(sqlite3 *db, const char *text, int64_t *ret)
{
	sqlite3_stmt *stmt = NULL;
	int code = sqlite3_prepare_v2(db, text, -1, &stmt, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_step(stmt);
	if (code == SQLITE_ROW) {
		*ret = sqlite3_column_int64(stmt, 0);
		code = SQLITE_OK;
	}
	sqlite3_finalize(stmt);
	return nve_sqlite_errno(code);
}

/* Made here, not by SQLite, so that it never exists with other permissions. */
static int make_file(const char *path, char **err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r = -errno;

	if (fd >= 0) {
		close(fd);
		return 0;
	}
	if (r == -EEXIST)
		return 0;
	explain(err, "store %s: cannot be created: %s; %s", path, strerror(-r),
		r == -ENOENT ? "make its directory first" : remedy(r));
	return r;
}

/* Reads only: a store that is refused stays as it is, its write-ahead log included. */
static int check_version(struct nve_store *store, const char *path, int64_t *version, char **err)
{
	int64_t app = 0, tables = 0;
	int r;

	sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	r = nve_sqlite_errno(
		sqlite3_exec(store->db, "PRAGMA locking_mode = EXCLUSIVE", NULL, NULL, NULL));
	if (!r)
		r = pragma_int(store->db, "PRAGMA user_version", version);
	if (!r)
		r = pragma_int(store->db, "PRAGMA application_id", &app);
	if (!r)
		r = pragma_int(store->db, "SELECT count(*) FROM sqlite_schema", &tables);
	if (r) {
		explain(err, "store %s: %s; %s", path, sqlite3_errmsg(store->db), remedy(r));
		return r;
	}
	if (app != APPLICATION_ID && (app || *version || tables)) {
		explain(err, "store %s: a database, but not one of nved; name another path", path);
		return -EBADMSG;
	}
	if (*version > SCHEMA_VERSION) {
		explain(err,
			"store %s: schema %lld is newer than this agent's %d; "
			"run the newer agent, or move the store away",
			path, (long long)*version, SCHEMA_VERSION);
		return -EPROTO;
	}
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	return 0;
}

/* A store that is new gets the schema of today; either way the lock is taken for good. */
static int bring_up_to_date(sqlite3 *db, int64_t version)
{
	const char *first = version ? "BEGIN IMMEDIATE; COMMIT" : schema;
	int code = sqlite3_exec(db, first, NULL, NULL, NULL);

	for (; version && version < SCHEMA_VERSION && code == SQLITE_OK; version++)
		code = sqlite3_exec(db, upgrades[version], NULL, NULL, NULL);
	return code;
}

static int set_up(struct nve_store *store, const struct nve_store_config *config, int64_t version)
{
	const char *sync = config->durability == NVE_DURABLE_PROCESS ? "PRAGMA synchronous = NORMAL"
								     : "PRAGMA synchronous = FULL";
	int code = sqlite3_exec(store->db,
				"PRAGMA journal_mode = WAL; PRAGMA journal_size_limit = 16777216",
				NULL, NULL, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_exec(store->db, sync, NULL, NULL, NULL);
	if (code == SQLITE_OK)
		code = bring_up_to_date(store->db, version);
	for (size_t i = 0; i < STATEMENTS && code == SQLITE_OK; i++)
		code = sqlite3_prepare_v3(store->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT,
					  &store->stmt[i], NULL);
	return nve_sqlite_errno(code);
}

static int ignore_tag(void *arg, const struct nve_stored_tag *tag)
{
	(void)arg, (void)tag;
	return 0;
}

static int ignore_vap(void *arg, const struct nve_stored_vap *vap)
{
	(void)arg, (void)vap;
	return 0;
}

static int ignore_tsi(void *arg, const struct nve_stored_tsi *tsi)
{
	(void)arg, (void)tsi;
	return 0;
}

/* Decodes everything once, since only open() can say what is wrong with a record. */
static int verify(struct nve_store *store, const char *path, char **err)
{
	const struct nve_store_reader reader = { ignore_tag, ignore_vap, ignore_tsi, NULL };
	int r = nve_sqlite_load(store, &reader);

	if (r && *store->bad)
		explain(err, "store %s: %s cannot be decoded; restore a copy, or delete it", path,
			store->bad);
	else if (r)
		explain(err, "store %s: %s; %s", path, sqlite3_errmsg(store->db), remedy(r));
	return r;
}

int nve_sqlite_open(const struct nve_store_config *config, struct nve_store **ret, char **err)
{
	__attribute__((cleanup(closep))) struct nve_store *store = calloc(1, sizeof(*store));
	int64_t version = 0;
	int r;

	if (!store)
		return -ENOMEM;
	r = make_file(config->path, err);
	if (r < 0)
		return r;
	r = nve_sqlite_errno(sqlite3_open_v2(
		config->path, &store->db,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, NULL));
	if (r < 0) {
		explain(err, "store %s: %s; %s", config->path,
			store->db ? sqlite3_errmsg(store->db) : "no memory", remedy(r));
		return r;
	}
	r = check_version(store, config->path, &version, err);
	if (r < 0)
		return r;
	r = set_up(store, config, version);
	if (r < 0) {
		explain(err, "store %s: %s; %s", config->path, sqlite3_errmsg(store->db),
			remedy(r));
		return r;
	}
	r = verify(store, config->path, err);
	if (r < 0)
		return r;
	*ret = store;
	store = NULL;
	return 0;
}
