/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The check of sets of rules: each slot of acl_set holds the map that was made for it, or none, and
 * that map's cells are those that were made: by their sum, for they may be many, and are read some
 * at a time.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dp/ebpf_acl.h"
#include "dp/ebpf_check.h"

enum { CELLS = 256 };

uint64_t nve_ebpf_cells_sum(const union nve_acl_cell *v, uint32_t first, uint32_t n, uint64_t sum)
{
	union nve_acl_cell cell;

	for (uint32_t i = 0; i < n; i++) {
		cell = v[i];
		if (first + i == 0)
			cell.head.rows = 0;
		for (int w = 0; w < 4; w++) {
			sum = (sum ^ cell.words[w]) * 0x9e3779b97f4a7c15ull;
			sum ^= sum >> 29;
		}
	}
	return sum;
}

static uint32_t map_id(int fd)
{
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info);

	return fd > 0 && bpf_obj_get_info_by_fd(fd, &info, &len) == 0 ? info.id : 0;
}

static uint32_t owner_of(const struct nve_dp *dp, uint32_t slot)
{
	for (uint32_t id = 1; id <= NVE_DP_ACLS_MAX; id++)
		if (dp->acls->slot[id] == slot && dp->acls->now[id].fd)
			return id;
	return 0;
}

/* The map in the slot; true: it is the right one, or none where there shall be none. */
static bool check_slot(struct nve_ebpf_check *c, uint32_t slot, uint32_t owner)
{
	int map = c->dp->map[NVE_MAP_ACL_SET], r = 0;
	int fd = owner ? c->dp->acls->now[owner].fd : 0;
	uint32_t have = 0, want = map_id(fd);
	char key[32], texts[2][32] = { "", "" };

	nve_ebpf_check_count(c, 1);
	if (bpf_map_lookup_elem(map, &slot, &have) < 0)
		have = 0;
	if (have == want)
		return true;
	if (c->pass->repair)
		r = owner ? bpf_map_update_elem(map, &slot, &fd, BPF_ANY)
			  : bpf_map_delete_elem(map, &slot);
	snprintf(key, sizeof(key), "{\"set\":%u}", slot);
	if (want)
		snprintf(texts[0], sizeof(texts[0]), "{\"map_id\":%u}", want);
	if (have)
		snprintf(texts[1], sizeof(texts[1]), "{\"map_id\":%u}", have);
	nve_ebpf_check_text(c, &(struct nve_dp_diff){
				       .kind = !want   ? NVE_DP_FOREIGN
					       : !have ? NVE_DP_MISSING
						       : NVE_DP_DIFFERS,
				       .mended = c->pass->repair && r == 0,
				       .table = "acl_set",
				       .key = key,
				       .want = texts[0],
				       .have = texts[1],
			       });
	return c->pass->repair && r == 0;
}

static int read_cells(int fd, uint32_t first, uint32_t n, union nve_acl_cell *cells)
{
	int r = 0;

	for (uint32_t i = 0; i < n && r == 0; i++) {
		uint32_t at = first + i;

		r = bpf_map_lookup_elem(fd, &at, &cells[i]);
	}
	return r;
}

static void report_cells(struct nve_ebpf_check *c, uint32_t slot, uint32_t owner, uint64_t sum)
{
	char key[32], want[64], have[64];

	snprintf(key, sizeof(key), "{\"set\":%u}", slot);
	snprintf(want, sizeof(want), "{\"cells_sum\":\"%016" PRIx64 "\"}",
		 c->dp->acls->now[owner].sum);
	snprintf(have, sizeof(have), "{\"cells_sum\":\"%016" PRIx64 "\"}", sum);
	nve_ebpf_check_text(
		c, &(struct nve_dp_diff){
			   .kind = NVE_DP_DIFFERS,
			   .mended = c->pass->repair && nve_ebpf_acl_refill(c->dp, owner) == 0,
			   .table = "acl_set",
			   .key = key,
			   .want = want,
			   .have = have,
		   });
}

/* 1: all cells were read. */
static int check_cells(struct nve_ebpf_check *c, uint32_t slot, uint32_t owner, uint32_t *cell)
{
	const struct nve_ebpf_acl *set = &c->dp->acls->now[owner];
	union nve_acl_cell cells[CELLS];

	if (!*cell)
		c->pass->sum = 0;
	/* At least some, so that the smallest share comes to an end. */
	while (*cell < set->n_cells) {
		uint32_t n = set->n_cells - *cell < CELLS ? set->n_cells - *cell : CELLS;
		int r;

		if (c->left <= 0 && *cell)
			return 0;
		r = read_cells(set->fd, *cell, n, cells);
		if (r < 0)
			return r;
		c->pass->sum = nve_ebpf_cells_sum(cells, *cell, n, c->pass->sum);
		*cell += n;
		nve_ebpf_check_count(c, n);
	}
	if (c->pass->sum != set->sum)
		report_cells(c, slot, owner, c->pass->sum);
	return 1;
}

/* at: the slot, and the cell in it. */
int nve_ebpf_check_acls(struct nve_ebpf_check *c)
{
	for (uint32_t slot = c->pass->at >> 32; slot < NVE_ACL_SETS; slot++) {
		uint32_t cell = c->pass->at, owner = slot ? owner_of(c->dp, slot) : 0;
		int r = 1;

		c->pass->at = (uint64_t)slot << 32 | cell;
		if (c->left <= 0)
			return 0;
		/* The slot was given other rules meanwhile: from their begin. */
		if (cell && c->pass->hash != map_id(c->dp->acls->now[owner].fd))
			cell = 0;
		if (cell || (check_slot(c, slot, owner) && owner)) {
			c->pass->hash = map_id(c->dp->acls->now[owner].fd);
			r = check_cells(c, slot, owner, &cell);
		}
		c->pass->at = (uint64_t)slot << 32 | cell;
		if (r <= 0)
			return r;
		c->pass->at = (uint64_t)(slot + 1) << 32;
	}
	return 1;
}
