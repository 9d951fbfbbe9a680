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

/* An I/O error is often one that the operator can do something about. */
static int system_error(sqlite3 *db)
{
	switch (db ? sqlite3_system_errno(db) : 0) {
	case ENOSPC:
	case EDQUOT:
		return -ENOSPC;
	case EROFS:
		return -EROFS;
	default:
		return -EIO;
	}
}

int nve_sqlite_errno(sqlite3 *db, int code)
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
		return system_error(db);
	}
}

const char *nve_sqlite_remedy(int r)
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

void nve_sqlite_explain(char **err, const char *fmt, ...)
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
	return nve_sqlite_errno(db, code);
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
	if (r == -EEXIST && access(path, W_OK) == 0)
		return 0;
	if (r == -EEXIST) {
		r = -errno; /* SQLite would only read it */
		nve_sqlite_explain(err, "store %s: %s; %s", path, strerror(-r),
				   nve_sqlite_remedy(r));
		return r;
	}
	nve_sqlite_explain(err, "store %s: cannot be created: %s; %s", path, strerror(-r),
			   r == -ENOENT ? "make its directory first" : nve_sqlite_remedy(r));
	return r;
}

/* Reads only: a store that is refused stays as it is, its write-ahead log included. */
static int check_version(struct nve_store *store, const char *path, int64_t *version, char **err)
{
	int64_t app = 0, tables = 0;
	int r;

	sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	r = nve_sqlite_errno(store->db, sqlite3_exec(store->db, "PRAGMA locking_mode = EXCLUSIVE",
						     NULL, NULL, NULL));
	if (!r)
		r = pragma_int(store->db, "PRAGMA user_version", version);
	if (!r)
		r = pragma_int(store->db, "PRAGMA application_id", &app);
	if (!r)
		r = pragma_int(store->db, "SELECT count(*) FROM sqlite_schema", &tables);
	if (r) {
		nve_sqlite_explain(err, "store %s: %s; %s", path, sqlite3_errmsg(store->db),
				   nve_sqlite_remedy(r));
		return r;
	}
	if (app != NVE_SQLITE_APPLICATION && (app || *version || tables)) {
		nve_sqlite_explain(
			err, "store %s: a database, but not one of nved; name another path", path);
		return -EBADMSG;
	}
	if (*version > NVE_SQLITE_SCHEMA) {
		nve_sqlite_explain(err,
				   "store %s: schema %lld is newer than this agent's %d; "
				   "run the newer agent, or move the store away",
				   path, (long long)*version, NVE_SQLITE_SCHEMA);
		return -EPROTO;
	}
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	return 0;
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
		code = nve_sqlite_migrate(store->db, version);
	for (size_t i = 0; i < STATEMENTS && code == SQLITE_OK; i++)
		code = sqlite3_prepare_v3(store->db, nve_sqlite_statements[i], -1,
					  SQLITE_PREPARE_PERSISTENT, &store->stmt[i], NULL);
	return nve_sqlite_errno(store->db, code);
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
	const struct nve_store_reader reader = { ignore_tag, ignore_vap, ignore_tsi, NULL, NULL };
	int r = nve_sqlite_load(store, &reader);

	if (r && *store->bad)
		nve_sqlite_explain(err,
				   "store %s: %s cannot be decoded; restore a copy, or delete it",
				   path, store->bad);
	else if (r)
		nve_sqlite_explain(err, "store %s: %s; %s", path, sqlite3_errmsg(store->db),
				   nve_sqlite_remedy(r));
	return r;
}

int nve_sqlite_open(const struct nve_store_config *config, struct nve_store **ret, char **err)
{
	__attribute__((cleanup(closep))) struct nve_store *store = calloc(1, sizeof(*store));
	int64_t version = 0;
	int r, code;

	if (!store)
		return -ENOMEM;
	r = make_file(config->path, err);
	if (r < 0)
		return r;
	code = sqlite3_open_v2(config->path, &store->db,
			       SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW,
			       NULL);
	r = nve_sqlite_errno(store->db, code);
	if (r < 0) {
		nve_sqlite_explain(err, "store %s: %s; %s", config->path,
				   store->db ? sqlite3_errmsg(store->db) : "no memory",
				   nve_sqlite_remedy(r));
		return r;
	}
	r = check_version(store, config->path, &version, err);
	if (r < 0)
		return r;
	r = set_up(store, config, version);
	if (r < 0) {
		nve_sqlite_explain(err, "store %s: %s; %s", config->path, sqlite3_errmsg(store->db),
				   nve_sqlite_remedy(r));
		return r;
	}
	r = verify(store, config->path, err);
	if (r < 0)
		return r;
	*ret = store;
	store = NULL;
	return 0;
}
