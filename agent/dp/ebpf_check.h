/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The check of the eBPF datapath (dp_check.h), in stages; each walks one table or one kind of
 * object from pass->at on, as far as 'left' reaches.
 *
 * Nothing is remembered between two calls but that place: what is wanted is asked of the shadow
 * row by row, so that the set may change between them, and a pass costs no memory.
 */
#pragma once

#include "dp/ebpf.h"

struct nve_ebpf_dump;

struct nve_ebpf_check {
	struct nve_dp *dp;
	struct nve_dp_check *pass;
	nve_dp_diff_fn *fn;
	void *arg;
	int64_t left;                         /* rows that this call may still look at */
	struct nve_ebpf_dump *text[NVE_MAPS]; /* from a map's first difference on */
};

/* 1: the stage is over; 0: its share of this call is; or -errno. */
typedef int nve_ebpf_check_fn(struct nve_ebpf_check *c);

/* --- what stages are made of (ebpf_check.c) --------------------------------------------------- */
/* One row was looked at. */
void nve_ebpf_check_count(struct nve_ebpf_check *c, uint32_t rows);
/* A difference: of a map, 'want' or 'have' NULL if there is none; or of anything else, as text. */
void nve_ebpf_check_row(struct nve_ebpf_check *c, enum nve_ebpf_map map, const void *key,
			const void *want, const void *have, bool mended);
void nve_ebpf_check_text(struct nve_ebpf_check *c, const struct nve_dp_diff *diff);
/* Looks a row up, and mends it: of a hash, or an array that is not mapped. */
int nve_ebpf_check_has(struct nve_ebpf_check *c, enum nve_ebpf_map map, const void *key,
		       const void *want);

/* --- stages ----------------------------------------------------------------------------------- */
/* attach: programs, links, pins, the copier's loop. */
nve_ebpf_check_fn nve_ebpf_check_pins, nve_ebpf_check_ports, nve_ebpf_check_copier;
/* arrays */
nve_ebpf_check_fn nve_ebpf_check_tsis, nve_ebpf_check_vaps, nve_ebpf_check_vap_rows,
	nve_ebpf_check_vteps, nve_ebpf_check_meters, nve_ebpf_check_icmp, nve_ebpf_check_near;
nve_ebpf_check_fn nve_ebpf_check_acls;
/* rows: those that are wanted */
nve_ebpf_check_fn nve_ebpf_check_port_rows, nve_ebpf_check_addrs, nve_ebpf_check_fdb,
	nve_ebpf_check_vns, nve_ebpf_check_neighs;
/* Whether somebody wants the row of that key.  'have' is a hint: whose the row says it is. */
bool nve_ebpf_check_wanted(struct nve_ebpf_check *c, enum nve_ebpf_map map, const void *key,
			   const void *have);

/* The op. */
int nve_ebpf_check(struct nve_dp *dp, struct nve_dp_check *pass, uint32_t rows, nve_dp_diff_fn *fn,
		   void *arg);
