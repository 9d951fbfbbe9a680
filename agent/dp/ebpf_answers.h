/* SPDX-License-Identifier: Apache-2.0 */
/* What the eBPF datapath answers by itself, and the MTU that its answers are about. */
#pragma once

#include "dp/ebpf.h"

/* The full bucket of every row of icmp_meter. */
struct nve_meter nve_ebpf_icmp_meter(void);
/* Sets the rate of ICMP errors (nve_icmp_meter): -errno. */
int nve_ebpf_icmp_rate(struct nve_dp *dp);
/* Members of nve_dp_ops, see there. */
void nve_ebpf_answers(struct nve_dp *dp, nve_dp_drop_fn *fn, void *arg);
uint32_t nve_ebpf_tenant_mtu(struct nve_dp *dp, uint32_t vn_id);
