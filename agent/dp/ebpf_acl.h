/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of profiles in the eBPF datapath: made into cells, and put where the programs look. */
#pragma once

#include "dp/ebpf.h"

/* --- cells: as in nve_abi.h, "acl_set" -------------------------------------------------------- */
struct nve_ebpf_cells {
	union nve_acl_cell *v;
	uint32_t n, room;
};
/* 'rows': the first row of acl that is theirs.  The cells are the caller's to free: -ENOMEM. */
/* Of cells from 'first' on, whatever their counters' rows are; 'sum' 0 to begin with. */
uint64_t nve_ebpf_cells_sum(const union nve_acl_cell *v, uint32_t first, uint32_t n, uint64_t sum);
int nve_ebpf_cells_make(const struct nve_acl *acl, uint32_t rows, struct nve_ebpf_cells *ret);

/* --- sets ------------------------------------------------------------------------------------- */
/* One generation of an ACL of dp.h in the tables. */
struct nve_ebpf_acl {
	int fd;        /* of its cells; 0: there is none */
	uint32_t rows; /* of acl: its first, and how many */
	uint32_t n_rows;
	uint64_t fingerprint[2];
	uint64_t sum; /* of the cells, see nve_ebpf_cells_sum() */
	uint32_t n_cells;
};

struct nve_ebpf_acls {
	struct nve_ebpf_acl now[NVE_DP_ACLS_MAX + 1], want[NVE_DP_ACLS_MAX + 1]; /* by id */
	uint8_t slot[NVE_DP_ACLS_MAX + 1]; /* of acl_set; 0: none yet */
	uint8_t used[NVE_ACL_SETS];        /* by slot */
	uint64_t rows_used[NVE_ACL_ROWS / 64];
	/* Sets of before a resync, until its end: the kernel opens maps by their ID for
	 * CAP_SYS_ADMIN alone, which a serving agent does not have. */
	struct {
		int fd[NVE_ACL_SETS];
		uint32_t n;
	} held;
};
_Static_assert((int)NVE_ACL_SETS <= 256 && (int)NVE_DP_ACLS_MAX < (int)NVE_ACL_SETS, "slots fit");

int nve_ebpf_acl_set(struct nve_dp *dp, const struct nve_dp_acl *acl);
int nve_ebpf_acl_del(struct nve_dp *dp, uint32_t id);
/* apply(): before any row leads to them, and after the last one has gone. */
void nve_ebpf_acls_write(struct nve_dp *dp);
void nve_ebpf_acls_remove(struct nve_dp *dp);
/* Writes all cells of a set that is in use again, as they were made. */
int nve_ebpf_acl_refill(struct nve_dp *dp, uint32_t id);
/* resync: takes over the sets that are in the tables and right. */
int nve_ebpf_acls_adopt(struct nve_dp *dp);
/* ... and empties the slots that nobody has. */
void nve_ebpf_acls_sweep(struct nve_dp *dp);
void nve_ebpf_acls_reset(struct nve_dp *dp);
void nve_ebpf_acls_close(struct nve_dp *dp);
/* The slot of acl_set that the VN's rows name; 0: none. */
uint32_t nve_ebpf_acl_slot(const struct nve_dp *dp, const struct nve_shadow_vn_state *vn);
uint8_t nve_ebpf_acl_features(const struct nve_dp *dp, const struct nve_shadow_vn_state *vn);

/* --- text: rows of acl as dump() and why() tell them ------------------------------------------ */
/* False: not a table of rules. */
bool nve_ebpf_acl_dump(struct nve_dp *dp, const char *table, nve_dp_row_fn *fn, void *arg);
/* One row; false if it is nobody's. */
bool nve_ebpf_acl_dump_one(struct nve_dp *dp, uint32_t row, nve_dp_row_fn *fn, void *arg);
