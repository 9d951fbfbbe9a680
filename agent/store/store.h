/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contract of the durable store of intent: what must be there again after a restart.
 *
 * Times are CLOCK_REALTIME nanoseconds here (the core's are monotonic; the engine converts), and
 * ports go by name, since slots follow the order of the configuration.  One thread; blocks for as
 * long as the disk takes.  Functions return 0 or -errno.
 */
#pragma once

#include "core/acl.h"
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
	uint64_t moved_ns; /* load(): its deadline by put_deadlines(), or that of 'tsi' */
	const char *owner; /* as in nve_stored_vap; tsi.owner is not stored */
};

/*
 * Deadlines move with every keepalive, so they are written many at once and of many TSIs: those of
 * a chunk of slots.  One counts while 'base_ns' is the deadline in the TSI's own record.
 */
enum { NVE_STORED_DEADLINES = 128 };
struct nve_stored_deadline {
	uint64_t base_ns, deadline_ns;
};

/*
 * The last known context of a VN in use (D18): what is needed to forward, not what the NVA needs
 * to be right.  Fixed widths: stored as bytes.  Who changes it lets the next schema drop the rows.
 */
struct nve_stored_context {
	char name[NVE_NAME_MAX + 1], profile[NVE_NAME_MAX + 1]; /* as in nva.h, like all of it */
	uint32_t vni, bum_rate, bum_burst, glean_age_ms;
	uint16_t mtu, glean_max;
	uint8_t encap, tos, security;
	uint8_t flags; /* enum nve_stored_flags */
};
_Static_assert(sizeof(struct nve_stored_context) == 152, "stored as bytes");
enum nve_stored_flags { NVE_STORED_SUPPRESS = 1, NVE_STORED_DROP = 2, NVE_STORED_CLOSED = 4 };

struct nve_stored_remote { /* a MAC behind another NVE */
	struct nve_ip vtep;
	uint8_t mac[NVE_MAC_LEN];
	uint8_t pad[6];
	uint64_t epoch;
};
struct nve_stored_neigh { /* a MAC and IP there */
	struct nve_addr addr;
	uint64_t epoch;
};

struct nve_stored_vn {
	uint32_t vn_id;  /* key */
	uint64_t digest; /* of the rest, by the engine: whoever has the same has the same rest */
	struct nve_stored_context context;
	uint32_t n_vteps, n_remotes, n_neighs;
	const struct nve_ip *vteps;
	const struct nve_stored_remote *remotes;
	const struct nve_stored_neigh *neighs;
	const struct nve_acl *rules; /* of the profile, shared by its VNs; NULL: none are known */
};
typedef int nve_stored_vn_fn(void *arg, const struct nve_stored_vn *vn);

struct nve_store_reader {
	int (*tag)(void *arg, const struct nve_stored_tag *tag);
	int (*vap)(void *arg, const struct nve_stored_vap *vap);
	int (*tsi)(void *arg, const struct nve_stored_tsi *tsi);
	void *arg;
	int (*vn)(void *arg, uint32_t vn_id, uint64_t digest); /* NULL: not wanted */
};

struct nve_store_ops {
	const char *name; /* "sqlite", "memory" */

	/*
	 * -EBUSY: another process has it.  -EPROTO: written by a newer version, untouched.
	 * '*err' as in dp.h.
	 */
	int (*open)(const struct nve_store_config *config, struct nve_store **ret, char **err);
	void (*close)(struct nve_store *store); /* an open transaction is dropped; NULL: no-op */

	/* Tags first, then VAPs, then TSIs by rising slot, then VNs; stops at a reader's first
	 * non-zero return and returns it. */
	int (*load)(struct nve_store *store, const struct nve_store_reader *reader);
	/* One VN, within 'fn', whose return is returned.  -ENOENT; -EBADMSG: it is damaged. */
	int (*get_vn)(struct nve_store *store, uint32_t vn_id, nve_stored_vn_fn *fn, void *arg);
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
	/* 'list' has NVE_STORED_DEADLINES, from slot chunk * NVE_STORED_DEADLINES on. */
	int (*put_deadlines)(struct nve_store *store, uint32_t chunk,
			     const struct nve_stored_deadline *list);
	int (*put_vn)(struct nve_store *store, const struct nve_stored_vn *vn);
	int (*del_vn)(struct nve_store *store, uint32_t vn_id);
	int (*put_epoch)(struct nve_store *store, uint64_t epoch);
	/* A number under a name of up to 79 bytes; 0 = there is none of that name. */
	int (*put_setting)(struct nve_store *store, const char *name, uint64_t value);
	int (*setting)(struct nve_store *store, const char *name, uint64_t *ret);
	/* Returns 0 only when the changes outlive what the durability promises. */
	int (*commit)(struct nve_store *store);
	void (*rollback)(struct nve_store *store);
};

extern const struct nve_store_ops nve_store_sqlite;
extern const struct nve_store_ops nve_store_memory; /* for tests and 'store: none' */
