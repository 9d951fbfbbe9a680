/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state machines of nved: VAPs (RFC 8394 figure 5), TSIs (figure 6, requirements 3.1), tags,
 * timers and the ownership of addresses, in one block of memory that never grows.
 *
 * Pure: no I/O, no clock, no log, and no allocation after nve_core_new().  One thread.  A refused
 * event changes nothing.  An accepted one can be taken back with all later ones until
 * nve_core_forget(): that is how the engine undoes what the store or the datapath did not take.
 */
#pragma once

#include "core/event.h"

struct nve_core;

struct nve_scope_config {
	uint16_t tag_min; /* NVE_TAG_MIN <= tag_min <= tag_max <= NVE_TAG_MAX */
	uint16_t tag_max;
};

struct nve_timer_config {
	uint32_t default_ms;
	uint32_t min_ms; /* a proposal outside [min, max] is granted the nearer bound */
	uint32_t max_ms;
	bool may_be_off; /* else a proposal of 0 is refused with INVALID_TIMER */
};

struct nve_core_config {
	uint32_t n_scopes;
	uint32_t n_ports;
	const struct nve_scope_config *scopes;
	const uint16_t *port_scope; /* n_ports entries; NVE_PORT_NONE: not an access port */
	uint32_t max_vaps;
	uint32_t max_vns; /* VNs with at least one VAP */
	uint32_t max_tsis;
	uint32_t max_addrs;  /* of all TSIs together */
	uint32_t max_owners; /* that are counted, 0 = none are; at most UINT16_MAX */
	struct nve_timer_config keepalive;
	struct nve_timer_config keepactive;
	uint64_t max_rate; /* bits a second: more is not granted to a TSI; 0 = any; core/qos.h */
	uint64_t quarantine_ns;      /* D6 */
	uint64_t duplicate_alarm_ns; /* D7; 0 = off */
	uint64_t hash_seed; /* secret and random, so that nobody can choose keys that collide */
};

/* -EINVAL on a configuration outside the ranges above, -ENOMEM.  Copies all of 'config'. */
int nve_core_new(const struct nve_core_config *config, struct nve_core **ret);
void nve_core_free(struct nve_core *core);

/*
 * Takes one event.  '*answer' is always filled in; answer->reason says whether it was accepted.
 * The actions are appended to the core's list, see nve_core_actions().
 */
void nve_core_step(struct nve_core *core, const struct nve_event *ev, struct nve_answer *answer);

/* The actions since the last nve_core_forget(), oldest first; valid until the next step. */
const struct nve_action *nve_core_actions(const struct nve_core *core, size_t *n);

/* A point to come back to.  Marks nest; rolling back to one drops all later ones. */
struct nve_core_mark {
	size_t undo;
	size_t actions;
};
struct nve_core_mark nve_core_mark(const struct nve_core *core);

/*
 * Takes back every step since 'mark', byte for byte.  The actions since then are removed from
 * the list: a caller who has already carried some out keeps a copy and carries it out again.
 */
void nve_core_rollback(struct nve_core *core, struct nve_core_mark mark);

/* Makes all steps final and empties the list of actions.  The turn is over. */
void nve_core_forget(struct nve_core *core);

/* When the next timer runs out, NVE_NEVER_NS if none is set. */
uint64_t nve_core_next_deadline(const struct nve_core *core);

/*
 * Finds a timer that has run out at 'now_ns'.  The caller gives the core either the
 * NVE_EV_EXPIRE that names it, or (a TSI in Activated whose frames were seen) a NVE_EV_DATA_SEEN
 * that moves the deadline beyond 'now_ns'; then asks again.  False: none is due.
 */
bool nve_core_due(const struct nve_core *core, uint64_t now_ns, struct nve_due *due);

/* Reading.  Pointers are valid until the next step; NULL = no such object. */
const struct nve_tsi *nve_core_tsi(const struct nve_core *core, uint32_t slot);
uint32_t nve_core_find_tsi(const struct nve_core *core, const struct nve_tsi_key *key);
uint32_t nve_core_max_tsis(const struct nve_core *core); /* slots are below this */
/* Copies the TSI's addresses, in the order they were signaled, to 'out' (n_addrs of them). */
size_t nve_core_tsi_addrs(const struct nve_core *core, uint32_t slot,
			  struct nve_tsi_addr out[NVE_TSI_ADDRS_MAX]);
const struct nve_vap *nve_core_vap(const struct nve_core *core, uint16_t port, uint32_t vn_id);
/* Iterates: '*cursor' starts at 0.  NULL at the end.  Order is not defined. */
const struct nve_vap *nve_core_next_vap(const struct nve_core *core, uint32_t *cursor);
const struct nve_tsi *nve_core_next_tsi(const struct nve_core *core, uint32_t *cursor,
					uint32_t *slot);
struct nve_tag nve_core_tag(const struct nve_core *core, uint16_t scope, uint16_t tag);
uint16_t nve_core_port_scope(const struct nve_core *core, uint16_t port);

/*
 * The instances that bear (vn_id, addr), addr being a MAC alone or an IP alone, and whose address
 * is active or could become so: Activated ones first, then by falling epoch.  Returns how many
 * were written to 'slots', at most 'max'.
 */
size_t nve_core_bearers(const struct nve_core *core, uint32_t vn_id, const struct nve_addr *addr,
			uint32_t *slots, size_t max);

/* What the TSI gleans from its frames when it is Activated (D8). */
enum nve_gleans { NVE_GLEANS_NOTHING, NVE_GLEANS_IPS, NVE_GLEANS_MACS };
enum nve_gleans nve_core_glean(const struct nve_core *core, uint32_t slot);

/* Whether 'addr' (MAC alone or IP alone) of that TSI is in use: active, and the TSI Activated. */
bool nve_core_addr_works(const struct nve_core *core, uint32_t slot, const struct nve_addr *addr);

struct nve_core_usage {
	uint32_t tsis, max_tsis, addrs, max_addrs, vaps, max_vaps, vns, max_vns;
};
struct nve_core_usage nve_core_usage(const struct nve_core *core);

/* What an owner has; 'vaps' counts a VN once on each port. */
struct nve_owner_usage {
	uint32_t tsis, addrs, vaps;
};
struct nve_owner_usage nve_core_owner_usage(const struct nve_core *core, uint16_t owner);
/* What it has on one VAP; false if nothing.  O(TSIs of the VAP). */
bool nve_core_owner_holds(const struct nve_core *core, uint16_t owner, const struct nve_vap *vap,
			  uint32_t *n_tsi, uint32_t *n_activated);

/*
 * Start-up: puts back what the store kept, before the first step, in the order tags, VAPs, TSIs.
 * A TSI keeps its slot.  -EINVAL for a record that contradicts the configuration or another
 * record; then nothing has changed and the caller decides.  A tag restored as bound and a VAP not
 * connected explicitly hold only while something uses them: such a tag is due at once when its
 * VAP does not come; such a VAP whose TSIs were refused is the caller's to disconnect.
 */
int nve_core_restore_tag(struct nve_core *core, const struct nve_tag *tag);
int nve_core_restore_vap(struct nve_core *core, uint16_t port, uint32_t vn_id, uint16_t tag,
			 bool connected_explicitly);
/* Who connected it explicitly; after nve_core_restore_vap().  -EINVAL: it was not. */
int nve_core_restore_vap_owner(struct nve_core *core, uint16_t port, uint32_t vn_id,
			       uint16_t owner);
int nve_core_restore_tsi(struct nve_core *core, uint32_t slot, const struct nve_tsi *tsi,
			 const struct nve_tsi_addr *addrs);

/* Aborts with a message if an invariant is broken; for tests and debug builds.  O(state). */
void nve_core_check(const struct nve_core *core);
