/* SPDX-License-Identifier: Apache-2.0 */
/* What the operator reads of the eBPF datapath: members of nve_dp_ops, see there. */
#pragma once

#include "dp/ebpf.h"

/* Adds the counters of all CPUs, 'n' in a row; false: no such row. */
bool nve_ebpf_sum(struct nve_dp *dp, enum nve_ebpf_map map, const void *key, uint64_t *out,
		  size_t n);
uint64_t nve_ebpf_last_seen(struct nve_dp *dp, uint32_t slot);
int nve_ebpf_tsi_stats(struct nve_dp *dp, uint32_t slot, struct nve_dp_tsi_stats *ret);
void nve_ebpf_drops(struct nve_dp *dp, nve_dp_drop_fn *fn, void *arg);
int nve_ebpf_tsi_drops(struct nve_dp *dp, uint32_t slot, nve_dp_drop_fn *fn, void *arg);
int nve_ebpf_dump(struct nve_dp *dp, const char *table, nve_dp_row_fn *fn, void *arg);
/* Name and text of a drop reason; "" if there is none of that number. */
const char *nve_ebpf_reason(uint32_t number, const char **text);
const char *nve_ebpf_table(struct nve_dp *dp, size_t i, uint64_t *used, uint64_t *max);
