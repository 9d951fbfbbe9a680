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
	Q_LOAD_TAGS,
	Q_LOAD_VAPS,
	Q_LOAD_TSIS,
	STATEMENTS,
};

struct nve_store {
	sqlite3 *db;
	sqlite3_stmt *stmt[STATEMENTS];
	bool in_transaction;
	char bad[160]; /* the record that could not be decoded */
	uint8_t packed[NVE_TSI_ADDRS_MAX * NVE_PACKED_ADDR];
	struct nve_tsi_addr addrs[NVE_TSI_ADDRS_MAX];
};

int nve_sqlite_errno(int code);

/* Open with its schema checked or made, all statements prepared; '*err' as in store.h. */
int nve_sqlite_open(const struct nve_store_config *config, struct nve_store **ret, char **err);
void nve_sqlite_close(struct nve_store *store);
/* As store.h's load(); -EBADMSG with store->bad set for a record that cannot be decoded. */
int nve_sqlite_load(struct nve_store *store, const struct nve_store_reader *reader);
