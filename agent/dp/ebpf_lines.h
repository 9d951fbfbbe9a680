/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines (near_abi.h): entries of TSIs with what is counted of their frames.
 *
 * The programs alone write counters, which therefore only grow, whoever's the line is.  So a TSI's
 * row of the agent's ("ledger") is less by what a line had when it became the TSI's, and more by
 * what it has when it is so no longer: ledger, the TSI's lines and its rows of the long way are
 * together what was counted of it, modulo 2^64.  A plan (struct nve_line_plan) is made before a
 * line changes hands, so that who starts after a kill -9 finishes or undoes that.
 *
 * A frame that found an entry just before it was withdrawn may be counted later than the agent adds
 * up: it is in no one's counters, or, if the line is another's by then, in that one's.  That takes
 * a frame as long on its way as the agent's change, and is a frame a change at most on each CPU.
 */
#pragma once

#include "dp/ebpf.h"

struct nve_ebpf_counts {
	uint64_t in_frames, in_bytes, out_frames, out_bytes;
	uint64_t seen; /* coarse CLOCK_MONOTONIC, ns; 0: never */
};

/* Lines of a CPU, and rows of nve_tsi_stats, where there may be so many TSIs. */
uint32_t nve_ebpf_n_lines(uint32_t max_tsis);
uint32_t nve_ebpf_stats_rows(const struct nve_dp *dp);
int nve_ebpf_lines_open(struct nve_dp *dp);
void nve_ebpf_lines_close(struct nve_dp *dp);

/* What an agent began that was ended meanwhile. */
void nve_ebpf_lines_recover(struct nve_dp *dp);
/* All lines are nobody's, whatever was in them; before all else, at first. */
void nve_ebpf_lines_empty(struct nve_dp *dp);
/* Takes the entry of a TSI, whose key has no line; 'vni' is its VN's.  False: there is no room. */
bool nve_ebpf_line_put(struct nve_dp *dp, const struct nve_near_entry *e, uint32_t vni);
/* False: the key has no line. */
bool nve_ebpf_line_cut(struct nve_dp *dp, uint64_t key, uint32_t vni);
bool nve_ebpf_line_get(const struct nve_dp *dp, uint64_t key, uint32_t vni,
		       struct nve_near_entry *ret);
/* The entry in that line; false: it is nobody's. */
bool nve_ebpf_line_read(const struct nve_dp *dp, uint32_t line, struct nve_near_entry *ret);
void nve_ebpf_line_cut_at(struct nve_dp *dp, uint32_t line);
/* For the check, of the copies that CPUs have of lines, dp->n_lines on each: what is in one; and
 * whether that was put there by this agent. */
bool nve_ebpf_line_copy(const struct nve_dp *dp, uint32_t copy, struct nve_near_entry *ret);
bool nve_ebpf_line_in_place(const struct nve_dp *dp, uint32_t copy, const struct nve_near_entry *e,
			    uint32_t vni);

/* All that is counted of a TSI. */
struct nve_ebpf_counts nve_ebpf_counts(const struct nve_dp *dp, uint32_t slot);
/* Its counters are zero, and it was never seen: the slot has, or gets, another TSI. */
void nve_ebpf_counts_clear(struct nve_dp *dp, uint32_t slot);
