/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of agent/core/ offer each other; included by core_internal.h alone.  Functions
 * that change something cannot fail: their callers have checked first.
 */
#pragma once

/* journal.c: the undo log and the list of actions. */
bool nve_journal_has_room(const struct nve_core *core, uint64_t n_tsis, uint64_t n_addrs);
void nve_emit_tag(struct nve_core *core, const struct nve_tag_rec *tag);
void nve_emit_vap(struct nve_core *core, const struct nve_vap *vap);
void nve_emit_tsi(struct nve_core *core, uint32_t slot);
void nve_emit_bind(struct nve_core *core, uint32_t vn_id, const struct nve_addr *binding);
void nve_emit_notice(struct nve_core *core, const struct nve_notice *notice);

/* list.c: chains have a head only, lists both ends; pools hand out indexes. */
void nve_chain_push(struct nve_core *core, uint32_t *head, struct nve_link *links, uint32_t i);
void nve_chain_remove(struct nve_core *core, uint32_t *head, struct nve_link *links, uint32_t i);
/* 'before' is an index + 1; 0 = at the end. */
void nve_list_insert(struct nve_core *core, struct nve_list *list, struct nve_link *links,
		     uint32_t before, uint32_t i);
void nve_list_remove(struct nve_core *core, struct nve_list *list, struct nve_link *links,
		     uint32_t i);
bool nve_pool_full(const struct nve_pool *pool);
bool nve_pool_never_used(const struct nve_pool *pool, uint32_t i);
uint32_t nve_pool_take(struct nve_core *core, struct nve_pool *pool);
void nve_pool_take_at(struct nve_core *core, struct nve_pool *pool, uint32_t i);
void nve_pool_give(struct nve_core *core, struct nve_pool *pool, uint32_t i);

/* hash.c: seeded, so that whoever chooses keys cannot choose collisions. */
uint32_t nve_hash(const struct nve_core *core, const uint64_t *words, size_t n);
uint32_t nve_hash_key(const struct nve_core *core, const struct nve_tsi_key *key);
uint32_t nve_hash_port(const struct nve_core *core, const struct nve_tsi_key *key);
uint32_t nve_hash_binding(const struct nve_core *core, uint32_t vn_id,
			  const struct nve_addr *binding);
uint32_t nve_hash_address(const struct nve_core *core, const struct nve_addr *addr);
uint32_t nve_hash_pair(const struct nve_core *core, uint32_t a, uint32_t b);

/* timers.c */
void nve_timer_set(struct nve_core *core, uint32_t slot, uint64_t deadline_ns);
/* The deadline of a TSI's one timer when it is started in its present state at 'now_ns'. */
uint64_t nve_timer_deadline(const struct nve_tsi *tsi, uint64_t now_ns);
void nve_glean_timer_set(struct nve_core *core, uint32_t slot, uint64_t deadline_ns);
void nve_alarm_set(struct nve_core *core, uint32_t slot, uint64_t deadline_ns);
void nve_alarm_clear(struct nve_core *core, uint32_t slot);

/* tags.c */
/*
 * The tag that (scope, vn_id) gets when 'proposed' (0 = none) is asked for: OK, INVALID_TAG,
 * NO_RESOURCES, or TAG_IN_USE with the counter-offer (0 = none) in '*tag'.
 */
enum nve_reason nve_tags_choose(const struct nve_core *core, uint16_t scope, uint32_t vn_id,
				uint16_t proposed, uint16_t *tag);
struct nve_tag_rec *nve_tags_rec(const struct nve_core *core, uint16_t scope, uint16_t tag);
void nve_tags_bind(struct nve_core *core, uint16_t scope, uint16_t tag, uint32_t vn_id);
void nve_tags_release(struct nve_core *core, uint16_t scope, uint16_t tag, uint64_t now_ns);
enum nve_reason nve_tags_expire(struct nve_core *core, const struct nve_event *ev,
				struct nve_answer *answer);
uint32_t nve_tags_range(const struct nve_core *core, uint16_t scope);
/* Restore: 'tag' was never bound; it goes to quarantine until 'until_ns', or to the free ones. */
void nve_tags_put_back(struct nve_core *core, const struct nve_tag *tag);
bool nve_tags_vn_has_promise(const struct nve_core *core, uint16_t scope, uint32_t vn_id);

/* vap.c */
uint32_t nve_vap_find(const struct nve_core *core, uint16_t port, uint32_t vn_id);
/* Finds the VAP or checks that it can be made; answers with its tag, or with who is full. */
enum nve_reason nve_vap_check(const struct nve_core *core, uint16_t port, uint32_t vn_id,
			      uint16_t proposed, struct nve_answer *answer);
uint32_t nve_vap_connect(struct nve_core *core, uint16_t port, uint32_t vn_id, uint16_t tag,
			 bool explicitly, const struct nve_why *why);
void nve_vap_attach(struct nve_core *core, uint32_t vap, uint32_t slot);
void nve_vap_detach(struct nve_core *core, uint32_t slot);
void nve_vap_count_activated(struct nve_core *core, uint32_t vap, int change);
/* D4: an implicit VAP without TSIs goes. */
void nve_vap_drop_if_idle(struct nve_core *core, uint32_t vap, const struct nve_why *why);
enum nve_reason nve_vap_step_connect(struct nve_core *core, const struct nve_event *ev,
				     struct nve_answer *answer);
enum nve_reason nve_vap_step_disconnect(struct nve_core *core, const struct nve_event *ev,
					struct nve_answer *answer);

/* binds.c: who bears an address. */
struct nve_addr nve_binding_of(const struct nve_addr *addr);
bool nve_binds(const struct nve_addr *addr, const struct nve_addr *binding);
/* Walks the leaders of (vn_id, binding); start with NVE_SLOT_NONE, which is also the end. */
uint32_t nve_bind_next(const struct nve_core *core, uint32_t vn_id, const struct nve_addr *binding,
		       uint32_t after);
uint32_t nve_bind_leader(const struct nve_core *core, uint32_t slot,
			 const struct nve_addr *binding);
/* The leader began or ceased to work; at NVE_NEVER_NS no alarm is set. */
void nve_bind_switched(struct nve_core *core, uint32_t leader, uint64_t now_ns);
void nve_bind_restore_alarms(struct nve_core *core, uint32_t slot);
enum nve_reason nve_bind_expire(struct nve_core *core, const struct nve_event *ev,
				struct nve_answer *answer);

/* addrs.c: the addresses of a TSI. */
enum nve_addr_how { NVE_ADDR_HOW_OFF, NVE_ADDR_HOW_ON, NVE_ADDR_HOW_GLEANED };
void nve_addr_add(struct nve_core *core, uint32_t slot, const struct nve_addr *addr,
		  enum nve_addr_how how, uint64_t now_ns);
/* 'before' is the address in front of it, NVE_SLOT_NONE if it is the first. */
void nve_addr_remove(struct nve_core *core, uint32_t before, uint32_t i, uint64_t now_ns);
/* Switches; true if its binding began or ceased to work.  Emits nothing. */
bool nve_addr_switch(struct nve_core *core, uint32_t i, bool on, uint64_t now_ns);
void nve_addr_emit(struct nve_core *core, uint32_t i);
void nve_addr_emit_all(struct nve_core *core, uint32_t slot);

/* addrset.c: what an event makes of a TSI's addresses. */
enum nve_fate {
	NVE_FATE_DROP = 1 << 0,
	NVE_FATE_ON = 1 << 1,
	NVE_FATE_NEW = 1 << 2,
	NVE_FATE_GLEANED = 1 << 3,
};
struct nve_addr_set {
	uint16_t n_old, n_new, n_drop, n_on; /* n_on: active in the end */
	uint16_t n_begin;                    /* of those, not active before */
	uint16_t n_mac, n_ip;                /* signaled in the end, with a MAC, with an IP */
	bool switched;                       /* some kept address changes its switch */
	uint8_t old[NVE_TSI_ADDRS_MAX];      /* in the TSI's order */
	uint8_t add[NVE_TSI_ADDRS_MAX];      /* in the event's; without NEW: it is an old one */
};
/* 'slot' may be NVE_SLOT_NONE: a TSI to be.  'to' and 'glean_max' are as they will be. */
enum nve_reason nve_set_plan(const struct nve_core *core, uint32_t slot, const struct nve_event *ev,
			     enum nve_tsi_state to, uint16_t glean_max, struct nve_addr_set *set);
/* ADDRESS_IN_USE if another TSI on (port, VN) has one of those that come to that port. */
enum nve_reason nve_set_conflicts(const struct nve_core *core, uint32_t slot,
				  const struct nve_event *ev, uint16_t port,
				  const struct nve_addr_set *set);
void nve_set_apply(struct nve_core *core, uint32_t slot, const struct nve_event *ev,
		   const struct nve_addr_set *set, bool epoch_changed);

#include "core/glean.h"

/* release.c: the way back to Init. */
void nve_tsi_release(struct nve_core *core, uint32_t slot, const struct nve_why *why);
/* Every instance of the TSI on that port (D2, S8). */
enum nve_reason nve_tsi_clear_all(struct nve_core *core, const struct nve_event *ev,
				  struct nve_answer *answer);
struct nve_why nve_why_of(const struct nve_event *ev);

/* settle.c: everything that ends with the TSI in Associated or Activated. */
enum nve_reason nve_tsi_settle(struct nve_core *core, uint32_t slot, const struct nve_event *ev,
			       enum nve_tsi_state to, struct nve_answer *answer);
void nve_tsi_link(struct nve_core *core, uint32_t slot);
void nve_tsi_unlink(struct nve_core *core, uint32_t slot);

/* tsi.c: the machine. */
enum nve_reason nve_tsi_step(struct nve_core *core, const struct nve_event *ev,
			     struct nve_answer *answer);
void nve_tsi_answer(const struct nve_core *core, uint32_t slot, struct nve_answer *answer);
