/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The schema of a SQLite store and all that is asked of it.
 *
 * The schema is the sum of its steps: a new store takes all of them, an older one those that it
 * lacks, in one transaction, so that a store is of one version at any moment.  A step that was
 * released never changes; the next version is one more.
 */
#include "store/sqlite_internal.h"

#include <stdio.h>

const char *const nve_sqlite_statements[STATEMENTS] = {
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
	[Q_PUT_SETTING] = "INSERT OR REPLACE INTO meta(key, value) VALUES('set:' || ?, ?)",
	[Q_DEL_SETTING] = "DELETE FROM meta WHERE key = 'set:' || ?",
	[Q_GET_SETTING] = "SELECT value FROM meta WHERE key = 'set:' || ?",
	[Q_LOAD_TAGS] = "SELECT scope, tag, quarantined, vn_id, until_ns FROM tag",
	[Q_LOAD_VAPS] = "SELECT port, vn_id, tag, explicit, owner FROM vap",
	[Q_LOAD_TSIS] = "SELECT slot, port, vn_id, id, state, cause, n_active, epoch, since_ns,"
			" deadline_ns, keepalive_ms, keepactive_ms, addrs, glean_max,"
			" glean_age_ms, qos, owner FROM tsi ORDER BY slot",
	[Q_PUT_DEADLINES] = "INSERT OR REPLACE INTO deadline(chunk, list) VALUES(?, ?)",
	[Q_LOAD_DEADLINES] = "SELECT chunk, list FROM deadline ORDER BY chunk",
	/* An update, not a replacement: those fire no trigger. */
	[Q_PUT_VN] = "INSERT INTO vn(vn_id, digest, profile, context, vteps, remotes, neighs)"
		     " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT(vn_id) DO UPDATE SET"
		     " digest = ?2, profile = ?3, context = ?4, vteps = ?5, remotes = ?6,"
		     " neighs = ?7",
	[Q_DEL_VN] = "DELETE FROM vn WHERE vn_id = ?",
	[Q_GET_VN] = "SELECT digest, profile, context, vteps, remotes, neighs FROM vn"
		     " WHERE vn_id = ?",
	[Q_LOAD_VNS] = "SELECT vn_id, digest FROM vn",
	[Q_PUT_ACL] = "INSERT INTO acl(name, deny, rules) VALUES(?1, ?2, ?3)"
		      " ON CONFLICT(name) DO UPDATE SET deny = ?2, rules = ?3"
		      " WHERE deny <> ?2 OR rules <> ?3",
	[Q_GET_ACL] = "SELECT deny, rules FROM acl WHERE name = ?",
};

/* From each version to the next. */
static const char *const steps[NVE_SQLITE_SCHEMA] = {
	[0] = "CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL)"
	      " STRICT, WITHOUT ROWID;"
	      "CREATE TABLE tag(scope TEXT NOT NULL, tag INTEGER NOT NULL,"
	      " quarantined INTEGER NOT NULL, vn_id INTEGER NOT NULL, until_ns INTEGER NOT NULL,"
	      " PRIMARY KEY(scope, tag)) STRICT, WITHOUT ROWID;"
	      "CREATE TABLE vap(port TEXT NOT NULL, vn_id INTEGER NOT NULL, tag INTEGER NOT NULL,"
	      " explicit INTEGER NOT NULL, PRIMARY KEY(port, vn_id)) STRICT, WITHOUT ROWID;"
	      "CREATE TABLE tsi(slot INTEGER PRIMARY KEY, port TEXT NOT NULL,"
	      " vn_id INTEGER NOT NULL, id BLOB NOT NULL, state INTEGER NOT NULL,"
	      " cause INTEGER NOT NULL, n_active INTEGER NOT NULL, epoch INTEGER NOT NULL,"
	      " since_ns INTEGER NOT NULL, deadline_ns INTEGER NOT NULL,"
	      " keepalive_ms INTEGER NOT NULL, keepactive_ms INTEGER NOT NULL,"
	      " addrs BLOB NOT NULL) STRICT;",
	[1] = "ALTER TABLE tsi ADD COLUMN glean_max INTEGER NOT NULL DEFAULT 0;"
	      "ALTER TABLE tsi ADD COLUMN glean_age_ms INTEGER NOT NULL DEFAULT 0;"
	      "ALTER TABLE tsi ADD COLUMN qos BLOB NOT NULL DEFAULT x'';",
	[2] = "ALTER TABLE tsi ADD COLUMN owner TEXT NOT NULL DEFAULT '';"
	      "ALTER TABLE vap ADD COLUMN owner TEXT NOT NULL DEFAULT '';",
	[3] = "CREATE TABLE deadline(chunk INTEGER PRIMARY KEY, list BLOB NOT NULL) STRICT;"
	      "CREATE TABLE vn(vn_id INTEGER PRIMARY KEY, digest INTEGER NOT NULL,"
	      " profile TEXT NOT NULL, context BLOB NOT NULL, vteps BLOB NOT NULL,"
	      " remotes BLOB NOT NULL, neighs BLOB NOT NULL) STRICT;"
	      "CREATE INDEX vn_profile ON vn(profile) WHERE profile <> '';"
	      "CREATE TABLE acl(name TEXT PRIMARY KEY, deny INTEGER NOT NULL,"
	      " rules BLOB NOT NULL) STRICT, WITHOUT ROWID;"
	      /* A profile's rules stay while a VN has it. */
	      "CREATE TRIGGER vn_gone AFTER DELETE ON vn WHEN OLD.profile <> '' BEGIN"
	      " DELETE FROM acl WHERE name = OLD.profile AND NOT EXISTS"
	      " (SELECT 1 FROM vn WHERE profile = OLD.profile AND profile <> ''); END;"
	      "CREATE TRIGGER vn_changed AFTER UPDATE ON vn"
	      " WHEN OLD.profile <> '' AND OLD.profile <> NEW.profile BEGIN"
	      " DELETE FROM acl WHERE name = OLD.profile AND NOT EXISTS"
	      " (SELECT 1 FROM vn WHERE profile = OLD.profile AND profile <> ''); END;",
};

int nve_sqlite_migrate(sqlite3 *db, int64_t version)
{
	char end[128];
	int code = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);

	snprintf(end, sizeof(end), "PRAGMA application_id = %d; PRAGMA user_version = %d",
		 NVE_SQLITE_APPLICATION, NVE_SQLITE_SCHEMA);
	for (int64_t at = version; at < NVE_SQLITE_SCHEMA && code == SQLITE_OK; at++)
		code = sqlite3_exec(db, steps[at], NULL, NULL, NULL);
	if (code == SQLITE_OK && version != NVE_SQLITE_SCHEMA)
		code = sqlite3_exec(db, end, NULL, NULL, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
	return code; /* what is left open is dropped when the store is closed */
}
