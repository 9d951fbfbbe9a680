/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table near (near_abi.h), as the agent keeps it.
 *
 * An entry is there only while all that it says holds in the other tables: the TSI's record is on
 * and asks for no feature, the address counts, the forwarding row leads there alone.  So whatever
 * changes one of these withdraws first, and publishes when the other tables have settled; between
 * the two the frames take the long way, where the rules of dp.h hold to the letter.
 *
 * A frame may have read an entry just before it is withdrawn: it is one that came a moment earlier,
 * as a frame is that read a TSI's record just before the flip.  VNs' numbers are not used again
 * before all others have been, so that a number a frame has read means one VN.
 */
#pragma once

#include "dp/ebpf.h"

/* What apply() is about to change: all on the shadow's lists. */
void nve_ebpf_near_withdraw(struct nve_dp *dp);
/* What apply() has done: the same, before the shadow's commit. */
void nve_ebpf_near_publish(struct nve_dp *dp);
/* Withdraws everything, also what an earlier agent published. */
void nve_ebpf_near_clear(struct nve_dp *dp);
/* Publishes everything there is, after clear(); 'now' and 'want' are the same. */
void nve_ebpf_near_fill(struct nve_dp *dp);

/*
 * For who changes a TSI's record apart from tsi_set(), such as its features: withdraws its
 * addresses, and publishes those that may be.
 */
void nve_ebpf_near_tsi_begin(struct nve_dp *dp, uint32_t slot);
void nve_ebpf_near_tsi_end(struct nve_dp *dp, uint32_t slot);

/* For the check: what an entry of that one's key should say; false: there should be none. */
bool nve_ebpf_near_want(struct nve_dp *dp, const struct nve_near_entry *e,
			struct nve_near_entry *ret);
bool nve_ebpf_near_same(const struct nve_dp *dp, const struct nve_near_entry *a,
			const struct nve_near_entry *b);

/* For the check, place by place: is there an entry, and is it where it would be put? */
uint32_t nve_ebpf_near_places(const struct nve_dp *dp);
bool nve_ebpf_near_at(const struct nve_dp *dp, uint32_t at, struct nve_near_entry *ret,
		      bool *in_place);
/* False: there is none. */
bool nve_ebpf_near_get(const struct nve_dp *dp, uint64_t key, struct nve_near_entry *ret);
/* Key and value as in dump(); 'e' NULL: value "". */
struct nve_near_text {
	char key[64];
	char value[192];
};
void nve_ebpf_near_say(const struct nve_dp *dp, uint64_t key, const struct nve_near_entry *e,
		       struct nve_near_text *ret);
void nve_ebpf_near_dump(const struct nve_dp *dp, nve_dp_row_fn *fn, void *arg);
uint32_t nve_ebpf_near_max(const struct nve_dp *dp);
