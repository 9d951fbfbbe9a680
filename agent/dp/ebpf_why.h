/* SPDX-License-Identifier: Apache-2.0 */
/* The dry run of the eBPF datapath, and the text of single rows. */
#pragma once

#include "dp/ebpf.h"

/* The op of dp.h. */
int nve_ebpf_why(struct nve_dp *dp, uint16_t port, const uint8_t *frame, size_t len,
		 struct nve_dp_why *ret, nve_dp_step_fn *fn, void *arg);
/* Unloads what the first why() loaded; nothing if there was none. */
void nve_ebpf_why_close(struct nve_dp *dp);

/* --- dump: single rows of one table ------------------------------------------------------------
 */
struct nve_ebpf_dump;
/* -ENOENT: no such table.  On failure '*ret' is untouched. */
int nve_ebpf_dump_open(struct nve_dp *dp, const char *table, struct nve_ebpf_dump **ret);
void nve_ebpf_dump_close(struct nve_ebpf_dump *d); /* NULL is a no-op */
/*
 * Tells 'fn' one row, with "" for the value if there is none; 1 or 0.  'value' has room for a row,
 * and then holds it.  Not for per-CPU tables.
 */
int nve_ebpf_dump_one(struct nve_dp *dp, struct nve_ebpf_dump *d, const void *key, void *value,
		      nve_dp_row_fn *fn, void *arg);
/* Both as text that stays until the next; value NULL: "". */
void nve_ebpf_dump_say(struct nve_ebpf_dump *d, const void *key, const void *value,
		       const char **key_text, const char **value_text);
