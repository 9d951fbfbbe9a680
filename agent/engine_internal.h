/* SPDX-License-Identifier: Apache-2.0 */
/* Private to engine*.c: the engine's own tables, and what its files do for each other. */
#pragma once

#include "engine.h"

enum {
	NVE_TURN_REQUESTS = 1024, /* bounds the latency of the first one */
	NVE_VN_BUCKETS = 1024,
	NVE_VTEP_BUCKETS = 1024,
	NVE_HASH_BUCKETS = 65536,
};
#define NVE_SEC_NS 1000000000ull
#define NVE_PARK_NS (5 * NVE_SEC_NS)        /* how long a request waits for the NVA */
#define NVE_SEEN_SLACK_NS 200000000ull      /* last_seen() is up to that much too early */
#define NVE_RETRY_MAX_NS (60 * NVE_SEC_NS)

/* A VTEP slot of the datapath.  Its place is the slot. */
struct nve_vtep_slot {
	struct nve_ip ip;
	uint32_t refs; /* VNs that list it; 0 = free */
	uint32_t live; /* of those, VNs that the datapath has */
	uint32_t mark; /* of the gathering that saw it last */
	uint32_t next; /* in its bucket, plus 1 */
};

/* Where the NVA says that a MAC is. */
struct nve_remote {
	struct nve_remote *next;    /* in its bucket */
	struct nve_remote *vn_next; /* of the same VN */
	uint32_t vn_id;
	uint8_t mac[NVE_MAC_LEN];
	uint32_t vtep;
	uint32_t mark;
	uint64_t epoch;
};

/* A VN with a VAP here.  Kept to the end of the turn in which its last VAP goes, for undoing. */
struct nve_vn_rec {
	struct nve_vn_rec *next;
	struct nve_vn_context context; /* as last heard; its 'vteps' are in 'slots' */
	bool known;     /* 'context' was heard at all */
	bool live;      /* the datapath has the VN */
	bool entering;  /* its remote MACs are still to be said */
	bool dirty;     /* the NVA changed it */
	bool withdrawn; /* the NVA does not know it any more (said once) */
	uint32_t n_slots;
	uint32_t *slots; /* rising */
	struct nve_remote *remotes;
};

/* What the NVA was told of one address. */
struct nve_pub {
	struct nve_pub *next;
	uint32_t vn_id;
	uint32_t mark;
	struct nve_addr addr;
	uint8_t state, want; /* enum nve_publication */
	uint64_t epoch, want_epoch;
};

struct nve_binding {
	uint32_t vn_id;
	struct nve_addr addr; /* MAC alone, or IP alone */
};

struct nve_turn_item {
	struct nve_request *req; /* NULL: the engine's own event */
	size_t actions;          /* its actions end here */
	char client[NVE_NAME_MAX + 1];
};

struct nve_action_list {
	struct nve_action *list;
	size_t n, cap;
};

struct nve_engine {
	struct nve_engine_port *ports;
	struct nve_engine_scope *scopes;
	uint32_t n_ports, n_scopes;
	struct nve_core *core;
	const struct nve_dp_ops *dp_ops;
	const struct nve_nva_ops *nva_ops;
	const struct nve_store_ops *store_ops;
	struct nve_dp *dp;
	struct nve_nva *nva;
	struct nve_store *store;
	struct nve_dp_limits limits;
	struct nve_ip local_vtep;
	uint64_t (*realtime_ns)(void);

	struct nve_request *queue, **queue_end, *parked, **parked_end;
	struct nve_turn_item items[NVE_TURN_REQUESTS];
	size_t n_items;
	struct nve_action_list copy; /* of what is being undone */
	struct nve_action_list late; /* whose undoing failed: to be said again */
	uint64_t *keys;              /* objects to be stored */
	size_t n_keys, cap_keys;
	struct nve_binding *bindings; /* whose publication may have to change */
	size_t n_bindings, cap_bindings;
	struct nve_tsi_addr addrs[NVE_TSI_ADDRS_MAX];

	struct nve_vn_rec *vns[NVE_VN_BUCKETS];
	struct nve_remote *remotes[NVE_HASH_BUCKETS];
	struct nve_pub *pubs[NVE_HASH_BUCKETS];
	struct nve_vtep_slot *vteps;
	uint32_t vtep_buckets[NVE_VTEP_BUCKETS]; /* slot plus 1 */
	uint32_t vtep_hint, mark;
	bool vns_dirty, vns_idle, unpark;
	uint8_t full; /* enum nve_resource: what the last -ENOSPC was about */

	uint64_t epoch, epoch_stored, now_ns;
	uint64_t realtime_offset; /* CLOCK_REALTIME less CLOCK_MONOTONIC, of this run */
	uint64_t timers_after_ns, vns_after_ns, resync_at_ns, backoff_ns;
	struct nve_engine_watch *watches;
	uint64_t seq;
	struct nve_engine_counters counters;
};

/* engine_sync.c: makes the outside equal to the core for each object that 'actions' name. */
int nve_sync_dp(struct nve_engine *e, const struct nve_action *actions, size_t n);
int nve_unsync_dp(struct nve_engine *e, const struct nve_action *actions, size_t n);
int nve_sync_vap_row(struct nve_engine *e, uint16_t port, uint16_t tag, bool set);
int nve_sync_tsi(struct nve_engine *e, uint32_t slot, bool set);
int nve_actions_append(struct nve_action_list *to, const struct nve_action *from, size_t n);
/* Room for one more of 'size' bytes in a growing array. */
int nve_grow(void *array, size_t *cap, size_t n, size_t size);

/* engine_store.c: one transaction with all objects that 'actions' name, as the core has them. */
int nve_sync_store(struct nve_engine *e, const struct nve_action *actions, size_t n);

uint64_t nve_to_realtime(const struct nve_engine *e, uint64_t monotonic_ns);
const char *nve_port_name(const struct nve_engine *e, uint16_t port);

/* engine_vn.c: the VNs in use here, their VTEPs and their remote MACs. */
struct nve_vn_rec *nve_vn_find(const struct nve_engine *e, uint32_t vn_id);
struct nve_vn_rec *nve_vn_find_name(const struct nve_engine *e, const char *name);
bool nve_vn_in_use(const struct nve_engine *e, uint32_t vn_id);
bool nve_vn_live(const struct nve_engine *e, uint32_t vn_id);
int nve_vn_enter(struct nve_engine *e, uint32_t vn_id);
int nve_vn_leave(struct nve_engine *e, uint32_t vn_id);
int nve_vn_say(struct nve_engine *e, const struct nve_vn_rec *vn);
int nve_vn_say_remotes(struct nve_engine *e, struct nve_vn_rec *vn); /* after its TSIs */
int nve_vn_refresh(struct nve_engine *e, struct nve_vn_rec *vn);
void nve_vn_reap(struct nve_engine *e);
void nve_vn_free_all(struct nve_engine *e);
const struct nve_remote *nve_remote_find(const struct nve_engine *e, uint32_t vn_id,
					 const uint8_t mac[NVE_MAC_LEN]);

/* engine_fdb.c and engine_pub.c */
int nve_fdb_sync(struct nve_engine *e, uint32_t vn_id, const uint8_t mac[NVE_MAC_LEN]);
int nve_pub_touch(struct nve_engine *e, uint32_t vn_id, const struct nve_addr *addr);
int nve_pub_actions(struct nve_engine *e, const struct nve_action *actions, size_t n);
int nve_pub_flush(struct nve_engine *e); /* tells the NVA what changed of the touched */
void nve_pub_free_all(struct nve_engine *e);

/* engine_turn.c: a turn of what is queued; one of the engine's own events, which e->n_items counts. */
bool nve_turn_requests(struct nve_engine *e);
enum nve_reason nve_own_step(struct nve_engine *e, const struct nve_event *ev);
enum nve_reason nve_own_finish(struct nve_engine *e); /* not OK: all are taken back */
void nve_reply(struct nve_engine *e, struct nve_request *req);

/* engine_own.c: what the engine does unasked. */
void nve_run_timers(struct nve_engine *e);
void nve_run_vns(struct nve_engine *e);
void nve_run_resync(struct nve_engine *e);
void nve_engine_vn_changed(void *arg, uint32_t vn_id);
void nve_engine_mapping_changed(void *arg, const struct nve_mapping *mapping, bool gone);

/* engine_restore.c */
int nve_restore(struct nve_engine *e);
int nve_resync_dp(struct nve_engine *e);
