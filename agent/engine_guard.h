/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may do what (S98, S99): the engine asks, a guard of the front end's answers.  All on the
 * engine's thread, between the resolution of the VN and the core's step, so that what was judged is
 * what is done.
 */
#pragma once

#include "engine.h"

/*
 * The number that stands for a client's identity in this run of the agent; the same text has the
 * same number.  0: there are NVE_ENGINE_OWNERS already, or no memory.
 */
enum { NVE_ENGINE_OWNERS = 4095 };
uint16_t nve_engine_owner(struct nve_engine *engine, const char *identity);
/* The same, but 0 for one that has no number yet. */
uint16_t nve_engine_find_owner(const struct nve_engine *engine, const char *identity);
/* "" for 0, and for numbers that stand for nobody. */
const char *nve_engine_owner_name(const struct nve_engine *engine, uint16_t owner);

struct nve_engine_guard {
	/*
	 * Whether ev->owner may do 'ev'.  'vn_name' is the VN's, "" if it has none; of a VN that is
	 * not known, it and ev->key.vn_id are as the client spelt it, and the answer must not tell
	 * that.  OK: go on; the guard may have set NVE_EV_OWN_ONLY.  UNKNOWN_TSI: the answer is as
	 * if the TSI were not there.  Else answer->field may say more.
	 */
	enum nve_reason (*judge)(void *arg, struct nve_event *ev, const char *vn_name,
				 struct nve_answer *answer);
	/* The most that an owner may have; UINT32_MAX = as much as there is. */
	struct nve_owner_usage (*maxima)(void *arg, uint16_t owner);
	/* Whether the owner of 'tsi' may have an address that was gleaned. */
	bool (*gleans)(void *arg, const struct nve_tsi *tsi, const char *vn_name,
		       const struct nve_addr *addr);
	void *arg;
};

/* NULL, as at first: everybody may do everything.  The caller's; must outlive its use. */
void nve_engine_set_guard(struct nve_engine *engine, const struct nve_engine_guard *guard);
