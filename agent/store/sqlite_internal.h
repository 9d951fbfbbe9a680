/* SPDX-License-Identifier: Apache-2.0 */
/* Private to sqlite*.c: the open store and its statements. */
#pragma once

#include "store/store.h"

#include <sqlite3.h>

/* One address as stored: its bytes, then whether it is active (1), and gleaned (2). */
enum { NVE_PACKED_ADDR = sizeof(struct nve_addr) + 1 };

enum { NVE_OWNER_TEXT_MAX = 255 };

enum nve_sqlite_statement {
	Q_BEGIN,
	Q_COMMIT,
	Q_ROLLBACK,
	Q_PUT_TAG,
	Q_DEL_TAG,
	Q_PUT_VAP,
	Q_DEL_VAP,
	Q_PUT_TSI,
	Q_DEL_TSI,
	Q_PUT_EPOCH,
	Q_GET_EPOCH,
	Q_PUT_SETTING,
	Q_DEL_SETTING,
	Q_GET_SETTING,
	Q_LOAD_TAGS,
	Q_LOAD_VAPS,
	Q_LOAD_TSIS,
	Q_PUT_DEADLINES,
	Q_LOAD_DEADLINES,
	Q_PUT_VN,
	Q_DEL_VN,
	Q_GET_VN,
	Q_LOAD_VNS,
	Q_PUT_ACL,
	Q_GET_ACL,
	STATEMENTS,
};

struct nve_store {
	sqlite3 *db;
	sqlite3_stmt *stmt[STATEMENTS];
	bool in_transaction;
	char bad[160]; /* the record that could not be decoded */
	uint8_t packed[NVE_TSI_ADDRS_MAX * NVE_PACKED_ADDR];
	struct nve_tsi_addr addrs[NVE_TSI_ADDRS_MAX];
	struct nve_stored_deadline
		deadlines[NVE_STORED_DEADLINES]; /* of the chunk, while loading */
	uint32_t chunk, next_chunk;              /* UINT32_MAX: none */
};

int nve_sqlite_errno(sqlite3 *db, int code);
/* A message for the caller's caller; what to do about an error of the disk. */
void nve_sqlite_explain(char **err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *nve_sqlite_remedy(int r);

/* sqlite_schema.c: what is prepared, and how a store of any version comes to be of today's. */
enum { NVE_SQLITE_SCHEMA = 4, NVE_SQLITE_APPLICATION = 0x6e766564 /* "nved" */ };
extern const char *const nve_sqlite_statements[STATEMENTS];
/* All steps from 'version' (0: a new store) in one transaction; the lock is taken for good.
 * Returns a code of SQLite. */
int nve_sqlite_migrate(sqlite3 *db, int64_t version);

/* Open with its schema checked or made, all statements prepared; '*err' as in store.h. */
int nve_sqlite_open(const struct nve_store_config *config, struct nve_store **ret, char **err);
void nve_sqlite_close(struct nve_store *store);
/* As store.h's load(); -EBADMSG with store->bad set for a record that cannot be decoded. */
int nve_sqlite_load(struct nve_store *store, const struct nve_store_reader *reader);

/* Within a transaction: runs the statement, whose binding returned 'code'; a failure ends it. */
int nve_sqlite_put(struct nve_store *store, enum nve_sqlite_statement q, int code);

/* sqlite_vn.c: contexts of VNs, and deadlines; as in store.h. */
int nve_sqlite_put_vn(struct nve_store *store, const struct nve_stored_vn *vn);
int nve_sqlite_del_vn(struct nve_store *store, uint32_t vn_id);
int nve_sqlite_get_vn(struct nve_store *store, uint32_t vn_id, nve_stored_vn_fn *fn, void *arg);
int nve_sqlite_put_deadlines(struct nve_store *store, uint32_t chunk,
			     const struct nve_stored_deadline *list);
/* While the TSIs are loaded: sets tsi->moved_ns; false: a chunk cannot be decoded. */
void nve_sqlite_deadlines_begin(struct nve_store *store);
bool nve_sqlite_deadline(struct nve_store *store, struct nve_stored_tsi *tsi);
