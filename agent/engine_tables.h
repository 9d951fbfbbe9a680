/* SPDX-License-Identifier: Apache-2.0 */
/* Private to engine*.c: the engine's own tables. */
#pragma once

#include "engine.h"
#include "engine_slab.h"
#include "engine_vn.h"

enum {
	NVE_TURN_REQUESTS = 1024, /* bounds the latency of the first one */
	NVE_VN_BUCKETS = 1024,
	NVE_VTEP_BUCKETS = 1024,
	NVE_HASH_BUCKETS = 65536,
	NVE_GLEANED_QUEUE = 1024, /* one turn's */
	NVE_OWNER_BUCKETS = 8192,
};
#define NVE_SEC_NS        1000000000ull
#define NVE_PARK_NS       (5 * NVE_SEC_NS) /* how long a request waits for the NVA */
#define NVE_SEEN_SLACK_NS 200000000ull     /* last_seen() is up to that much too early */
#define NVE_RETRY_MAX_NS  (60 * NVE_SEC_NS)
#define NVE_KEEP_NS       (2 * NVE_SEC_NS) /* how long the store may lag behind a keepalive */

/* What the NVA was told of one address. */
struct nve_pub {
	uint32_t next;                  /* number of the next in the bucket */
	uint32_t vn_id : 24, state : 8; /* enum nve_publication */
	uint64_t epoch;
	struct nve_addr addr;
};
_Static_assert(sizeof(struct nve_pub) == 40, "there may be a million of them");

/* What it should know of one address of the binding that is looked at. */
struct nve_pub_want {
	struct nve_addr addr;
	uint8_t state;
	bool said;
	uint64_t epoch;
};

struct nve_binding {
	uint32_t vn_id;
	struct nve_addr addr; /* MAC alone, or IP alone */
};

struct nve_turn_item {
	struct nve_request *req; /* NULL: the engine's own event */
	size_t actions;          /* its actions end here */
	char client[NVE_NAME_MAX + 1];
	char identity[NVE_IDENTITY_TEXT_MAX + 1];
};

struct nve_action_list {
	struct nve_action *list;
	size_t n, cap;
};

/* Identities, by number from 1. */
struct nve_owners {
	uint16_t n;
	uint16_t buckets[NVE_OWNER_BUCKETS];
	char *names[4096];
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
	struct nve_ip local_vtep, local_vtep6;
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
	struct nve_pub_want *wants; /* of one of them */
	size_t n_wants, cap_wants;
	struct nve_tsi_addr addrs[NVE_TSI_ADDRS_MAX];
	struct nve_addr verified[NVE_TSI_ADDRS_MAX];
	const struct nve_engine_guard *guard;
	struct nve_owner_usage per_owner; /* the most that each may have */
	struct nve_owners owners;

	struct nve_acl_rec acls[NVE_DP_ACLS_MAX + 1]; /* by id, from 1 */
	struct nve_vn_rec *vns[NVE_VN_BUCKETS];
	struct nve_remote *remotes[NVE_HASH_BUCKETS];
	struct nve_slab pub_slab, claim_slab;
	uint32_t pubs[NVE_HASH_BUCKETS];
	uint32_t claims[NVE_HASH_BUCKETS];
	uint32_t *tsi_claims; /* by slot: the first */
	uint32_t claim_mark;
	struct nve_vtep_slot *vteps;
	uint32_t vtep_buckets[NVE_VTEP_BUCKETS]; /* slot plus 1 */
	uint32_t vtep_hint, mark;
	bool vns_dirty, vns_idle, unpark;
	uint8_t full; /* enum nve_resource: what the last -ENOSPC was about */

	uint64_t epoch, epoch_stored, now_ns;
	uint64_t realtime_offset; /* CLOCK_REALTIME less CLOCK_MONOTONIC, of this run */
	uint64_t timers_after_ns, vns_after_ns, resync_at_ns, backoff_ns;
	/* What the store is told later: engine_deadline.c, engine_context.c. */
	uint64_t keep_at_ns;
	uint64_t *stored_deadlines; /* by slot: in the TSI's record, CLOCK_REALTIME */
	bool *moved;                /* by chunk of slots: some deadline is another one now */
	/* Arrivals: of this turn, and those that are to be announced.  Addresses of both. */
	struct nve_arrival *arrivals_noted, *arrivals;
	size_t n_arriving, n_before;
	bool was_activated; /* these two: of the TSI before its request's step */
	struct nve_tsi_addr before[NVE_TSI_ADDRS_MAX];
	uint64_t arrivals_after_ns;
	struct nve_dp_gleaned gleaned[NVE_GLEANED_QUEUE]; /* told, and not looked at yet */
	size_t n_gleaned;
	struct {
		struct nve_engine_check_config config;
		struct nve_dp_check pass; /* in the background */
		bool under_way;
		uint64_t at_ns, begun_ns, logs_since_ns;
		uint32_t logged, not_logged;
		struct nve_engine_checks done;
	} check;
	struct nve_engine_watch *watches;
	uint64_t seq;
	uint64_t draining_ns[NVE_PORTS_MAX]; /* by port: since when (CLOCK_REALTIME); 0 = not */
	struct nve_engine_counters counters;
};
