/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sets of rules in the tables.  A set is a map of its own, filled before anything leads to it, so
 * new rules replace old ones by one update of the slot.  It is made when it is told, for that is
 * where room is refused; during a resync it is made at the end, when it is known what is there.
 */
#include "dp/ebpf_acl.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dp/ebpf_tables.h"

/* --- room ------------------------------------------------------------------------------------- */

static void mark_rows(struct nve_ebpf_acls *a, const struct nve_ebpf_acl *set, bool used)
{
	for (uint32_t i = set->rows; i < set->rows + set->n_rows && i < NVE_ACL_ROWS; i++) {
		a->rows_used[i / 64] &= ~(1ull << i % 64);
		a->rows_used[i / 64] |= (uint64_t)used << i % 64;
	}
}

static int take_rows(struct nve_ebpf_acls *a, struct nve_ebpf_acl *set)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < NVE_ACL_ROWS; i++) {
		n = a->rows_used[i / 64] >> i % 64 & 1 ? 0 : n + 1;
		if (n < set->n_rows)
			continue;
		set->rows = i + 1 - n;
		mark_rows(a, set, true);
		return 0;
	}
	return -ENOSPC;
}

static int take_slot(struct nve_ebpf_acls *a, uint32_t id)
{
	for (uint32_t slot = 1; slot < NVE_ACL_SETS && !a->slot[id]; slot++) {
		if (a->used[slot])
			continue;
		a->used[slot] = 1;
		a->slot[id] = slot;
	}
	return a->slot[id] ? 0 : -ENOSPC;
}

static void release(struct nve_ebpf_acls *a, struct nve_ebpf_acl *set)
{
	if (!set->fd)
		return;
	mark_rows(a, set, false);
	close(set->fd);
	*set = (struct nve_ebpf_acl){ 0 };
}

static void hold(struct nve_ebpf_acls *a, const struct nve_ebpf_acl *set)
{
	if (set->fd && a->held.n < NVE_ACL_SETS)
		a->held.fd[a->held.n++] = set->fd;
	else if (set->fd)
		close(set->fd);
}

static void let_go(struct nve_ebpf_acls *a)
{
	while (a->held.n)
		close(a->held.fd[--a->held.n]);
}

static void forget(struct nve_ebpf_acls *a)
{
	for (uint32_t id = 1; id <= NVE_DP_ACLS_MAX; id++) {
		if (a->now[id].fd != a->want[id].fd)
			hold(a, &a->now[id]);
		hold(a, &a->want[id]);
	}
}

void nve_ebpf_acls_reset(struct nve_dp *dp)
{
	struct nve_ebpf_acls *a = dp->acls;

	forget(a);
	*a = (struct nve_ebpf_acls){ .held = a->held };
}

void nve_ebpf_acls_close(struct nve_dp *dp)
{
	if (!dp->acls)
		return;
	forget(dp->acls);
	let_go(dp->acls);
	free(dp->acls);
	dp->acls = NULL;
}

/* --- making ----------------------------------------------------------------------------------- */

static int zero_rows(struct nve_dp *dp, const struct nve_ebpf_acl *set)
{
	void *zero = calloc(1, dp->buffer[NVE_MAP_ACL].value_size);

	if (!zero)
		return -ENOMEM;
	for (uint32_t i = 0; i < set->n_rows; i++) {
		uint32_t row = set->rows + i;

		nve_ebpf_put(dp, NVE_MAP_ACL, &row, zero);
	}
	free(zero);
	return 0;
}

static int fill(int fd, const struct nve_ebpf_cells *cells)
{
	DECLARE_LIBBPF_OPTS(bpf_map_batch_opts, opts);
	uint32_t *keys = malloc(cells->n * sizeof(keys[0])), n = cells->n;
	int r = keys ? 0 : -ENOMEM;

	for (uint32_t i = 0; keys && i < n; i++)
		keys[i] = i;
	if (keys)
		r = bpf_map_update_batch(fd, keys, cells->v, &n, &opts);
	free(keys);
	return r;
}

static void note_sum(struct nve_ebpf_acl *set, const struct nve_ebpf_cells *cells)
{
	set->sum = nve_ebpf_cells_sum(cells->v, 0, cells->n, 0);
	set->n_cells = cells->n;
}

static int make_map(const struct nve_ebpf_cells *cells)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_INNER_MAP);
	int r, fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "nve_acl_cells", sizeof(uint32_t),
				   sizeof(cells->v[0]), cells->n, &opts);

	if (fd < 0)
		return fd;
	r = fill(fd, cells);
	if (r < 0)
		close(fd);
	return r < 0 ? r : fd;
}

static int make(struct nve_dp *dp, const struct nve_acl *acl, struct nve_ebpf_acl *ret)
{
	struct nve_ebpf_acl set = { .n_rows = acl->n_rules + 1 };
	struct nve_ebpf_cells cells = { 0 };
	int r = take_rows(dp->acls, &set);

	if (r < 0)
		return r;
	r = nve_ebpf_cells_make(acl, set.rows, &cells);
	if (r == 0) {
		memcpy(set.fingerprint, cells.v[0].head.fingerprint, sizeof(set.fingerprint));
		note_sum(&set, &cells);
		set.fd = make_map(&cells);
		r = set.fd < 0 ? set.fd : zero_rows(dp, &set);
	}
	free(cells.v);
	if (r < 0) {
		mark_rows(dp->acls, &set, false);
		if (set.fd > 0)
			close(set.fd);
		return r == -E2BIG ? -ENOSPC : r;
	}
	*ret = set;
	return 0;
}

static void replace_want(struct nve_ebpf_acls *a, uint32_t id, const struct nve_ebpf_acl *set)
{
	if (a->want[id].fd != a->now[id].fd)
		release(a, &a->want[id]);
	a->want[id] = *set;
}

int nve_ebpf_acl_set(struct nve_dp *dp, const struct nve_dp_acl *x)
{
	struct nve_ebpf_acls *a = dp->acls;
	struct nve_ebpf_acl set = { 0 };
	int r = nve_shadow_acl_check(&dp->shadow, x);

	if (r <= 0)
		return r;
	if (dp->in_resync)
		return nve_shadow_acl_set(&dp->shadow, x);
	if (nve_acl_equal(dp->shadow.acls[x->id].now, &x->acl)) {
		r = nve_shadow_acl_set(&dp->shadow, x);
		if (r == 0)
			replace_want(a, x->id, &a->now[x->id]);
		return r;
	}
	r = take_slot(a, x->id);
	if (r == 0)
		r = make(dp, &x->acl, &set);
	if (r == 0)
		r = nve_shadow_acl_set(&dp->shadow, x);
	if (r == 0) {
		replace_want(a, x->id, &set);
		return 0;
	}
	release(a, &set);
	if (!a->now[x->id].fd && !a->want[x->id].fd) {
		a->used[a->slot[x->id]] = 0;
		a->slot[x->id] = 0;
	}
	return r;
}

int nve_ebpf_acl_del(struct nve_dp *dp, uint32_t id)
{
	const struct nve_ebpf_acl none = { 0 };
	int r = nve_shadow_acl_del(&dp->shadow, id);

	if (r == 0 && id && id <= NVE_DP_ACLS_MAX)
		replace_want(dp->acls, id, &none);
	return r;
}

/* --- apply ------------------------------------------------------------------------------------ */

/* A rule that stays, in the same order, keeps its count. */
static void carry_rows(struct nve_dp *dp, uint32_t id)
{
	const struct nve_acl *was = dp->shadow.acls[id].now, *is = dp->shadow.acls[id].want;
	const struct nve_ebpf_acls *a = dp->acls;
	uint8_t *value = calloc(1, dp->buffer[NVE_MAP_ACL].value_size);
	uint32_t from = 0;

	for (uint32_t i = 0; value && i <= is->n_rules; i++) {
		uint32_t k = i == is->n_rules ? was->n_rules : from;
		uint32_t old, row = a->want[id].rows + i;

		while (k < was->n_rules &&
		       memcmp(&was->rules[k], &is->rules[i], sizeof(is->rules[i])) != 0)
			k++;
		if (k == was->n_rules && (i < is->n_rules || was->deny != is->deny))
			continue;
		from = k + 1;
		old = a->now[id].rows + k;
		if (bpf_map_lookup_elem(dp->map[NVE_MAP_ACL], &old, value) == 0)
			nve_ebpf_put(dp, NVE_MAP_ACL, &row, value);
	}
	free(value);
}

void nve_ebpf_acls_write(struct nve_dp *dp)
{
	struct nve_ebpf_acls *a = dp->acls;

	for (uint32_t i = 0; i < dp->shadow.acl_list.n; i++) {
		uint32_t id = dp->shadow.acl_list.v[i], slot = a->slot[id];
		int r;

		if (!a->want[id].fd || a->want[id].fd == a->now[id].fd)
			continue;
		if (a->now[id].fd)
			carry_rows(dp, id);
		nve_ebpf_rows_flush(dp);
		r = bpf_map_update_elem(dp->map[NVE_MAP_ACL_SET], &slot, &a->want[id].fd, BPF_ANY);
		if (r < 0 && !dp->row_error)
			dp->row_error = r;
	}
}

/*
 * The kernel waits, after an update here, until no program runs any more that could have seen what
 * was before: so that comes first, and no frame finds the slot that its row named empty.
 */
static void empty_slot(struct nve_dp *dp, uint32_t slot, int fd)
{
	bpf_map_update_elem(dp->map[NVE_MAP_ACL_SET], &slot, &fd, BPF_ANY);
	bpf_map_delete_elem(dp->map[NVE_MAP_ACL_SET], &slot);
}

void nve_ebpf_acls_remove(struct nve_dp *dp)
{
	struct nve_ebpf_acls *a = dp->acls;

	for (uint32_t i = 0; i < dp->shadow.acl_list.n; i++) {
		uint32_t id = dp->shadow.acl_list.v[i];

		if (!a->want[id].fd && a->slot[id]) {
			if (a->now[id].fd)
				empty_slot(dp, a->slot[id], a->now[id].fd);
			a->used[a->slot[id]] = 0;
			a->slot[id] = 0;
		}
		if (a->now[id].fd != a->want[id].fd)
			release(a, &a->now[id]);
		a->now[id] = a->want[id];
	}
}

int nve_ebpf_acl_refill(struct nve_dp *dp, uint32_t id)
{
	const struct nve_ebpf_acl *set = &dp->acls->now[id];
	struct nve_ebpf_cells cells = { 0 };
	int r = nve_ebpf_cells_make(dp->shadow.acls[id].now, set->rows, &cells);

	if (r == 0)
		r = fill(set->fd, &cells);
	free(cells.v);
	return r;
}

/* --- resync ----------------------------------------------------------------------------------- */

static int open_set(const struct nve_ebpf_acls *a, uint32_t map_id)
{
	for (uint32_t i = 0; i < a->held.n; i++) {
		struct bpf_map_info info = { 0 };
		uint32_t len = sizeof(info);
		int fd;

		if (bpf_obj_get_info_by_fd(a->held.fd[i], &info, &len) < 0 || info.id != map_id)
			continue;
		fd = fcntl(a->held.fd[i], F_DUPFD_CLOEXEC, 0);
		return fd < 0 ? -errno : fd;
	}
	return bpf_map_get_fd_by_id(map_id);
}

static int read_slot(struct nve_dp *dp, uint32_t slot, struct nve_ebpf_acl *ret)
{
	uint32_t map_id, zero = 0;
	union nve_acl_cell cell;
	int fd;

	*ret = (struct nve_ebpf_acl){ 0 };
	if (bpf_map_lookup_elem(dp->map[NVE_MAP_ACL_SET], &slot, &map_id) < 0)
		return 0;
	fd = open_set(dp->acls, map_id);
	if (fd == -EPERM)
		return 0; /* not this agent's: no slot that is in use */
	if (fd < 0)
		return fd;
	if (bpf_map_lookup_elem(fd, &zero, &cell) < 0) {
		close(fd);
		return -EIO;
	}
	*ret = (struct nve_ebpf_acl){ .fd = fd,
				      .rows = cell.head.rows,
				      .n_rows = cell.head.n_rules + 1 };
	memcpy(ret->fingerprint, cell.head.fingerprint, sizeof(ret->fingerprint));
	mark_rows(dp->acls, ret, true);
	dp->acls->used[slot] = 1;
	return 0;
}

/* The slot whose set is the one that is wanted, or 0. */
static uint32_t find_slot(const struct nve_acl *acl, struct nve_ebpf_acl *found)
{
	struct nve_ebpf_cells cells = { 0 };
	uint32_t slot = 0;

	if (nve_ebpf_cells_make(acl, 0, &cells) < 0)
		return 0;
	for (uint32_t i = 1; i < NVE_ACL_SETS && !slot; i++)
		if (found[i].fd && !memcmp(found[i].fingerprint, cells.v[0].head.fingerprint,
					   sizeof(found[i].fingerprint)))
			slot = i;
	if (slot)
		note_sum(&found[slot], &cells);
	free(cells.v);
	return slot;
}

static int adopt_one(struct nve_dp *dp, uint32_t id, struct nve_ebpf_acl *found)
{
	struct nve_ebpf_acls *a = dp->acls;
	const struct nve_acl *acl = dp->shadow.acls[id].want;
	uint32_t slot = find_slot(acl, found);
	int r;

	if (slot) {
		a->slot[id] = slot;
		a->want[id] = a->now[id] = found[slot];
		found[slot].fd = 0;
		return 0;
	}
	r = take_slot(a, id);
	if (r == 0)
		r = make(dp, acl, &a->want[id]);
	if (r < 0)
		return r;
	nve_ebpf_rows_flush(dp);
	a->now[id] = a->want[id];
	slot = a->slot[id];
	return bpf_map_update_elem(dp->map[NVE_MAP_ACL_SET], &slot, &a->want[id].fd, BPF_ANY);
}

int nve_ebpf_acls_adopt(struct nve_dp *dp)
{
	struct nve_ebpf_acl found[NVE_ACL_SETS] = { 0 };
	int r = 0;

	nve_ebpf_acls_reset(dp);
	for (uint32_t slot = 1; slot < NVE_ACL_SETS && !r; slot++)
		r = read_slot(dp, slot, &found[slot]);
	for (uint32_t id = 1; id <= NVE_DP_ACLS_MAX && !r; id++)
		if (dp->shadow.acls[id].want)
			r = adopt_one(dp, id, found);
	/* The others stay, for their rows may be in use, until nve_ebpf_acls_sweep(). */
	for (uint32_t slot = 1; slot < NVE_ACL_SETS; slot++)
		if (found[slot].fd > 0)
			close(found[slot].fd);
	return r;
}

void nve_ebpf_acls_sweep(struct nve_dp *dp)
{
	struct nve_ebpf_acls *a = dp->acls;
	bool wanted[NVE_ACL_SETS] = { false };

	for (uint32_t id = 1; id <= NVE_DP_ACLS_MAX; id++)
		wanted[a->slot[id]] = true;
	for (uint32_t slot = 1; slot < NVE_ACL_SETS; slot++) {
		struct nve_ebpf_acl set;

		if (!a->used[slot] || wanted[slot] || read_slot(dp, slot, &set) < 0)
			continue;
		if (set.fd)
			empty_slot(dp, slot, set.fd);
		release(a, &set);
		a->used[slot] = 0;
	}
	let_go(a);
}

/* --- what VNs' rows say ----------------------------------------------------------------------- */

uint32_t nve_ebpf_acl_slot(const struct nve_dp *dp, const struct nve_shadow_vn_state *vn)
{
	return vn ? dp->acls->slot[vn->acl] : 0;
}

uint8_t nve_ebpf_acl_features(const struct nve_dp *dp, const struct nve_shadow_vn_state *vn)
{
	return nve_ebpf_acl_slot(dp, vn) ? NVE_TSI_ACL_IN | NVE_TSI_ACL_OUT : 0;
}
