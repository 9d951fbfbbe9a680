/* SPDX-License-Identifier: Apache-2.0 */
/* Part of parts.h: addresses learned from frames (S46, D8), by glean.c. */
#pragma once

void nve_glean_link(struct nve_core *core, uint32_t i); /* an address, by its IP */
void nve_glean_unlink(struct nve_core *core, uint32_t i);
bool nve_glean_is_gleaner(const struct nve_tsi_rec *tsi);
/* Whether the MAC of address 'i' was gleaned by its TSI, and not signaled. */
bool nve_glean_only(const struct nve_core *core, uint32_t i);
enum nve_reason nve_glean_step(struct nve_core *core, const struct nve_event *ev,
			       struct nve_answer *answer);
enum nve_reason nve_glean_expire(struct nve_core *core, const struct nve_event *ev,
				 struct nve_answer *answer);
/* Gleaned addresses of others that an address signaled by the TSI of 'key' displaces. */
uint32_t nve_glean_n_in_way(const struct nve_core *core, uint32_t slot,
			    const struct nve_tsi_key *key, const struct nve_addr *addr);
void nve_glean_make_way(struct nve_core *core, uint32_t slot, const struct nve_addr *addr,
			const struct nve_event *ev);
/* The TSI's set or its option has changed: whose unknown MACs of its VAP are, and the timer. */
void nve_glean_settled(struct nve_core *core, uint32_t slot);
