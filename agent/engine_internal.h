/* SPDX-License-Identifier: Apache-2.0 */
/* Private to engine*.c: what its files do for each other. */
#pragma once

#include "engine_guard.h"
#include "engine_keep.h"
#include "engine_tables.h"

/* engine_sync.c: makes the outside equal to the core for each object that 'actions' name. */
int nve_sync_dp(struct nve_engine *e, const struct nve_action *actions, size_t n);
int nve_sync_vap_row(struct nve_engine *e, uint16_t port, uint16_t tag, bool set);
int nve_sync_tsi(struct nve_engine *e, uint32_t slot, bool set);
int nve_actions_append(struct nve_action_list *to, const struct nve_action *from, size_t n);
/* Room for one more of 'size' bytes in a growing array. */
int nve_grow(void *array, size_t *cap, size_t n, size_t size);

const char *nve_port_name(const struct nve_engine *e, uint16_t port);

/* engine_vtep.c: slots of VTEPs. */
/* The slot of 'ip', a new one if it has none; a slot just freed is the last to be used again. */
int nve_vtep_find(struct nve_engine *e, const struct nve_ip *ip, uint32_t *ret);
/* One more VN that lists these slots is in the datapath, or one less. */
int nve_vteps_live(struct nve_engine *e, const uint32_t *slots, size_t n);
int nve_vteps_idle(struct nve_engine *e, const uint32_t *slots, size_t n);
/* 'change' is 1 or UINT32_MAX (-1). */
void nve_vteps_ref(struct nve_engine *e, const uint32_t *slots, size_t n, uint32_t change);

/* engine_vn.c: the VNs in use here, their VTEPs and their remote MACs. */
struct nve_vn_rec *nve_vn_find(const struct nve_engine *e, uint32_t vn_id);
struct nve_vn_rec *nve_vn_find_name(const struct nve_engine *e, const char *name);
bool nve_vn_in_use(const struct nve_engine *e, uint32_t vn_id);
bool nve_vn_live(const struct nve_engine *e, uint32_t vn_id);
struct nve_vn_rec *nve_vn_make(struct nve_engine *e, uint32_t vn_id);
int nve_vn_enter(struct nve_engine *e, uint32_t vn_id);
int nve_vn_leave(struct nve_engine *e, uint32_t vn_id);
int nve_vn_say(struct nve_engine *e, struct nve_vn_rec *vn);
int nve_vn_say_remotes(struct nve_engine *e, struct nve_vn_rec *vn); /* after its TSIs */
int nve_vn_refresh(struct nve_engine *e, struct nve_vn_rec *vn);
void nve_vn_reap(struct nve_engine *e);
void nve_vn_free_all(struct nve_engine *e);
const struct nve_remote *nve_remote_find(const struct nve_engine *e, uint32_t vn_id,
					 const uint8_t mac[NVE_MAC_LEN]);

/*
 * engine_neigh.c: who claims which IP, and what the datapath is told of it.  What a TSI or a VN
 * claims is replaced as a whole, and said again.
 */
struct nve_neigh_list {
	struct nve_neigh_said {
		struct nve_addr addr;
		uint64_t epoch;
	} * list;
	size_t n, cap;
};
/* Notes an address if it has MAC and IP; -ENOMEM. */
int nve_neigh_note(struct nve_neigh_list *to, const struct nve_addr *addr, uint64_t epoch);
int nve_neigh_of_vn(struct nve_engine *e, struct nve_vn_rec *vn, const struct nve_neigh_list *said);
/* 'n' addresses in e->addrs; none: the TSI is gone, 'vn_id' does not matter. */
int nve_neigh_of_tsi(struct nve_engine *e, uint32_t slot, uint32_t vn_id, size_t n);
int nve_neigh_say_vn(struct nve_engine *e, const struct nve_vn_rec *vn);
void nve_neigh_free(struct nve_engine *e, uint32_t *owner);
void nve_neigh_free_all(struct nve_engine *e);
/* engine_acl.c: the rules of VN profiles, in the datapath while a VN there has them. */
int nve_acl_say(struct nve_engine *e, const struct nve_vn_rec *vn, uint32_t *ret);
void nve_acl_drop(struct nve_engine *e, uint32_t acl); /* it was not taken */
int nve_acl_take(struct nve_engine *e, struct nve_vn_rec *vn, uint32_t acl);

/* engine_fdb.c and engine_pub.c */
int nve_fdb_sync(struct nve_engine *e, uint32_t vn_id, const uint8_t mac[NVE_MAC_LEN]);
int nve_pub_touch(struct nve_engine *e, uint32_t vn_id, const struct nve_addr *addr);
int nve_pub_actions(struct nve_engine *e, const struct nve_action *actions, size_t n);
int nve_pub_flush(struct nve_engine *e); /* tells the NVA what changed of the touched */
void nve_pub_free_all(struct nve_engine *e);

/* engine_full.c */
/* Remembers the first table that was full, for the answer; returns 'r'. */
int nve_noting(struct nve_engine *e, int r, enum nve_resource resource);
enum nve_resource nve_full_of_vn(const struct nve_engine *e, const struct nve_vn_rec *vn);
/* After the undoing: says what was full, and how full it is. */
void nve_answer_full(struct nve_engine *e, enum nve_resource resource, struct nve_answer *answer);

/* engine_turn.c: a turn of what is queued; one of the engine's own events, counted by n_items. */
bool nve_turn_requests(struct nve_engine *e);
/* Not an answer: the request waits for the NVA, or for the next turn. */
enum { NVE_WAIT_NVA = -1, NVE_WAIT_TURN = -2 };
/* Step 1 of one request; 0 when req->answer is filled in, else NVE_WAIT_. */
int nve_turn_step(struct nve_engine *e, struct nve_request *req);
void nve_turn_take_back(struct nve_engine *e); /* of a turn that is only stepped */
enum nve_reason nve_own_step(struct nve_engine *e, const struct nve_event *ev);
enum nve_reason nve_own_finish(struct nve_engine *e); /* not OK: all are taken back */
void nve_reply(struct nve_engine *e, struct nve_request *req);

/* engine_tell.c: log, audit log and watchers, of all notices of the turn; of one that is no step's.
 */
void nve_tell_watchers(struct nve_engine *e);
void nve_tell(struct nve_engine *e, struct nve_engine_event *event);

/* engine_drain.c */
bool nve_drain_lets(const struct nve_engine *e, const struct nve_event *ev);
int nve_drain_restore(struct nve_engine *e);

/* engine_own.c: what the engine does unasked. */
void nve_run_timers(struct nve_engine *e);
void nve_run_vns(struct nve_engine *e);
void nve_run_resync(struct nve_engine *e);
void nve_engine_vn_changed(void *arg, uint32_t vn_id);
void nve_engine_mapping_changed(void *arg, const struct nve_mapping *mapping, bool gone);

/*
 * engine_arrival.c: before() and after() the step of a request; what it noted is kept when the turn
 * is over, or dropped when it is taken back.
 */
void nve_arrival_before(struct nve_engine *e, const struct nve_event *ev);
void nve_arrival_after(struct nve_engine *e, const struct nve_event *ev,
		       const struct nve_answer *answer);
void nve_arrival_drop_noted(struct nve_engine *e);
void nve_arrival_keep_noted(struct nve_engine *e);
void nve_run_arrivals(struct nve_engine *e);
void nve_arrival_free_all(struct nve_engine *e);

/* engine_glean.c: what the datapath tells of source addresses. */
void nve_engine_gleaned(void *arg, const struct nve_dp_gleaned *gleaned);
void nve_run_gleaned(struct nve_engine *e);
void nve_glean_default(const struct nve_vn_context *context, struct nve_event *ev);

/* engine_check.c: the next slice of the check, if it is due. */
void nve_check_open(struct nve_engine *e, const struct nve_engine_check_config *config);
void nve_run_check(struct nve_engine *e);
/* engine_guard.c.  False: 'answer' says why not, or that there is nothing to do. */
bool nve_guard_lets(struct nve_engine *e, struct nve_event *ev, struct nve_answer *answer);
/* True: who may not do it anyway is not told that the VN is unknown. */
bool nve_guard_unknown_vn(struct nve_engine *e, const struct nve_request *req,
			  struct nve_answer *answer);
/* After the step: false if the owner has more now than it may, and then 'answer' says so. */
bool nve_guard_fits(struct nve_engine *e, const struct nve_event *ev,
		    const struct nve_owner_usage *had, struct nve_answer *answer);
bool nve_guard_gleans(struct nve_engine *e, uint32_t slot, const struct nve_addr *addr);
void nve_owners_free(struct nve_engine *e);

/* engine_verify.c: may fill in ev->addrs from the NVA's record (D17). */
enum nve_reason nve_verify(struct nve_engine *e, struct nve_event *ev, struct nve_answer *answer);
/* Takes away what the records of a verified VN do not allow.  0 or -EAGAIN. */
int nve_verify_vn(struct nve_engine *e, uint32_t vn_id);
void nve_verify_restored(struct nve_engine *e); /* the first run looks at such VNs */

/* engine_restore.c */
int nve_restore(struct nve_engine *e);
int nve_resync_dp(struct nve_engine *e);
