/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contract of the durable store of intent: what must be there again after a restart.
 *
 * Times are CLOCK_REALTIME nanoseconds here (the core's are monotonic; the engine converts), and
 * ports go by name, since slots follow the order of the configuration.  One thread; blocks for as
 * long as the disk takes.  Functions return 0 or -errno.
 */
#pragma once

#include "core/types.h"

struct nve_store;

enum nve_durability { NVE_DURABLE_POWER, NVE_DURABLE_PROCESS };

struct nve_store_config {
	const char *path;   /* created if missing, mode 0600 */
	uint8_t durability; /* enum nve_durability: what a commit outlives */
};

struct nve_stored_tag {
	char scope[NVE_NAME_MAX + 1]; /* key: scope and tag */
	uint16_t tag;
	bool quarantined; /* else bound */
	uint32_t vn_id;
	uint64_t until_ns; /* quarantined */
};

/* Owners are identities as texts; this one is several, of a VAP. */
#define NVE_STORED_SHARED "*"

struct nve_stored_vap {
	char port[NVE_NAME_MAX + 1]; /* key: port and vn_id */
	uint32_t vn_id;
	uint16_t tag;
	bool connected_explicitly;
	const char *owner; /* never NULL when loaded, nor later than the reader's return; put: NULL
			      is "" */
};

struct nve_stored_tsi {
	uint32_t slot; /* key */
	char port[NVE_NAME_MAX + 1];
	struct nve_tsi tsi;               /* key.port is not stored; times are CLOCK_REALTIME */
	const struct nve_tsi_addr *addrs; /* tsi.n_addrs of them; the caller's */
	const char *owner;                /* as in nve_stored_vap; tsi.owner is not stored */
};

struct nve_store_reader {
	int (*tag)(void *arg, const struct nve_stored_tag *tag);
	int (*vap)(void *arg, const struct nve_stored_vap *vap);
	int (*tsi)(void *arg, const struct nve_stored_tsi *tsi);
	void *arg;
};

struct nve_store_ops {
	const char *name; /* "sqlite", "memory" */

	/*
	 * -EBUSY: another process has it.  -EPROTO: written by a newer version, untouched.
	 * '*err' as in dp.h.
	 */
	int (*open)(const struct nve_store_config *config, struct nve_store **ret, char **err);
	void (*close)(struct nve_store *store); /* an open transaction is dropped; NULL: no-op */

	/* Tags first, then VAPs, then TSIs by rising slot; stops at a reader's first non-zero
	 * return and returns it. */
	int (*load)(struct nve_store *store, const struct nve_store_reader *reader);
	/* The greatest epoch ever stored; 0 in a new store. */
	int (*epoch)(struct nve_store *store, uint64_t *ret);

	/* All changes lie between begin and commit.  After a failed put or commit the transaction
	 * is rolled back and over; the store is as before begin(). */
	int (*begin)(struct nve_store *store);
	int (*put_tag)(struct nve_store *store, const struct nve_stored_tag *tag);
	int (*del_tag)(struct nve_store *store, const char *scope, uint16_t tag);
	int (*put_vap)(struct nve_store *store, const struct nve_stored_vap *vap);
	int (*del_vap)(struct nve_store *store, const char *port, uint32_t vn_id);
	int (*put_tsi)(struct nve_store *store, const struct nve_stored_tsi *tsi);
	int (*del_tsi)(struct nve_store *store, uint32_t slot);
	int (*put_epoch)(struct nve_store *store, uint64_t epoch);
	/* Returns 0 only when the changes outlive what the durability promises. */
	int (*commit)(struct nve_store *store);
	void (*rollback)(struct nve_store *store);
};

extern const struct nve_store_ops nve_store_sqlite;
extern const struct nve_store_ops nve_store_memory; /* for tests and 'store: none' */
