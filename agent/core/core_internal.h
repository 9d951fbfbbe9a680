/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The block of memory behind struct nve_core.  For agent/core/ and its tests only.
 *
 * All state lies in [state, state + state_size) of the block, is zero at first and is linked by
 * index, so that a copy of those bytes is a copy of the state.  Stored links are index + 1 with
 * 0 for none; functions speak of plain indexes with NVE_SLOT_NONE for none.  Nothing writes to
 * the state but through NVE_SET or after nve_undo_save(): that is what rollback rests on.
 */
#pragma once

#include "core/core.h"
#include "core/list.h"
#include "core/owners.h"

struct nve_tsi_rec {
	struct nve_tsi pub;
	uint64_t alarm_ns; /* of a duplicate (D7); 0 = none */
	uint32_t vap;
	struct nve_list addrs; /* linked by nve_addr_rec.next, in the order signaled */
	uint32_t heap_pos;     /* + 1; 0 = no timer runs */
	uint32_t glean_pos;    /* the same, of glean_ns */
	uint16_t n_sig_mac;    /* signaled addresses with a MAC, */
	uint16_t n_sig_ip;     /* and with an IP */
	uint16_t n_overlap;    /* its working bindings that work elsewhere too */
	bool alarmed;          /* once, for as long as n_overlap > 0 */
};

/*
 * A binding is a MAC, or an IP signaled without one.  Of the addresses of a TSI that share it one
 * is the leader: it alone is in the hash chain, and it counts.  So a chain holds one record per
 * instance, however many IPs share a MAC.
 */
struct nve_addr_rec {
	struct nve_addr addr;
	uint32_t tsi;
	uint32_t next;
	uint16_t n_sharing; /* leader: addresses of the TSI with this binding, itself included */
	uint16_t n_working; /* leader: of those, active.  Only an Activated TSI has active ones */
	bool leader;
	bool active;
	bool gleaned;
	uint64_t seen_ns; /* a gleaned one as source; else 0 */
};

struct nve_vap_rec {
	struct nve_vap pub;
	uint32_t vn;
	uint32_t gleaner; /* TSI + 1 that unknown source MACs are gleaned for; 0 = none */
	struct nve_list tsis;
};

struct nve_vn_rec {
	uint32_t vn_id;
	uint32_t n_vaps;
};

struct nve_tag_rec {
	uint64_t until_ns;
	uint32_t vn_id;
	uint16_t scope;
	uint16_t tag;
	uint16_t n_vaps;
	uint8_t use;
	bool ever;     /* was bound once; then a FREE tag is in its scope's list */
	bool promised; /* restored as bound, its VAP is still to come */
};

struct nve_scope {
	uint32_t base;        /* index of tag_min's record */
	uint32_t used;        /* bound or quarantined */
	uint16_t fresh;       /* no never-used tag is below */
	struct nve_list free; /* used before, least recently released first */
};

struct nve_timer {
	uint64_t deadline_ns;
	uint32_t slot;
	uint32_t gleaning; /* 1: the TSI's glean_ns, 0: its deadline_ns */
};

struct nve_state {
	struct nve_pool tsis, addrs, vaps, vns, holders;
	struct nve_list quarantine; /* of tags, by until_ns */
	struct nve_list alarms;     /* of TSIs, by alarm_ns */
	uint32_t n_timers, n_tags;  /* n_tags is constant */
};

/* The most that one step can write to the journal. */
enum {
	NVE_UNDO_PER_STEP = 4096,
	NVE_UNDO_PER_TSI = 3584, /* and 128 for each level of the heap of timers */
	NVE_UNDO_PER_ADDR = 1088,
	NVE_ACTIONS_PER_STEP = 16,
	NVE_ACTIONS_PER_TSI = 6,
	NVE_ACTIONS_PER_ADDR = 2,
};

struct nve_core {
	struct nve_core_config config; /* its arrays are in the block too */
	size_t block_size, state_size;
	uint32_t tsi_mask, addr_mask, vap_mask, vn_mask, tag_mask, holder_mask; /* buckets - 1 */

	/* The turn: not state. */
	uint8_t *undo;
	size_t undo_len, undo_size, undo_top;
	size_t undo_per_tsi;
	struct nve_action *actions;
	size_t n_actions, max_actions, actions_top;

	struct nve_state *state;
	struct nve_scope *scopes;
	struct nve_tsi_rec *tsis;
	struct nve_addr_rec *addrs;
	struct nve_vap_rec *vaps;
	struct nve_vn_rec *vns;
	struct nve_tag_rec *tags;
	struct nve_owner_rec *owners; /* by number */
	struct nve_holder_rec *holders;
	struct nve_timer *timers;                              /* a binary heap */
	struct nve_link *by_key, *by_port, *by_vap, *by_alarm; /* of TSIs */
	struct nve_link *by_binding, *by_ip;                   /* of addresses */
	struct nve_link *vap_chain, *vn_chain, *tag_chain, *tag_order, *holder_chain;
	uint32_t *key_buckets, *port_buckets, *addr_buckets, *ip_buckets;
	uint32_t *vap_buckets, *vn_buckets, *tag_buckets, *holder_buckets;
};

/* For the notices. */
struct nve_why {
	uint64_t now_ns;
	enum nve_reason reason;
	bool by_nve;
	uint16_t owner; /* whose event it is, or whose TSI it was about */
};

/* Saves what is about to be overwritten.  Room was made sure of by nve_journal_has_room(). */
void nve_undo_save(struct nve_core *core, const void *at, size_t len);
#define NVE_SET(core, field, value)                                                                \
	(nve_undo_save(core, &(field), sizeof(field)), (void)((field) = (value)))

#include "core/parts.h"
