/* SPDX-License-Identifier: Apache-2.0 */
/* The table near as such: entries in their places, and numbers of VNs. */
#pragma once

#include "dp/ebpf.h"

/* Readers need loads and stores in their order (bpf/near.h). */
bool nve_ebpf_near_possible(void);
/* Writes the entry of that key, if there is room where it may be. */
void nve_ebpf_near_put(struct nve_dp *dp, const struct nve_near_entry *e);
void nve_ebpf_near_cut(struct nve_dp *dp, uint64_t key);
void nve_ebpf_near_empty(struct nve_dp *dp);

/* 0: there is none left. */
uint16_t nve_ebpf_near_number_take(struct nve_dp *dp, uint32_t vn_id);
/* Withdraws what is left under the number. */
void nve_ebpf_near_number_free(struct nve_dp *dp, uint16_t number);
