/* SPDX-License-Identifier: Apache-2.0 */
/* A pass of the check: its stages, what they report and how rows are mended.  See ebpf_check.h. */
#include "dp/ebpf_check.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "dp/ebpf_tables.h"
#include "dp/ebpf_why.h"

enum { BATCH = 256, BATCH_BYTES = 65536, TABLE_PREFIX = 4 /* "nve_" */ };

/* --- reports ---------------------------------------------------------------------------------- */

void nve_ebpf_check_count(struct nve_ebpf_check *c, uint32_t rows)
{
	c->left -= rows;
	c->pass->rows += rows;
}

void nve_ebpf_check_text(struct nve_ebpf_check *c, const struct nve_dp_diff *diff)
{
	c->pass->found++;
	c->pass->mended += diff->mended;
	c->fn(c->arg, diff);
}

void nve_ebpf_check_row(struct nve_ebpf_check *c, enum nve_ebpf_map map, const void *key,
			const void *want, const void *have, bool mended)
{
	struct nve_dp_diff diff = {
		.kind = !want   ? NVE_DP_FOREIGN
			: !have ? NVE_DP_MISSING
				: NVE_DP_DIFFERS,
		.mended = mended,
		.table = nve_ebpf_map_name(map) + TABLE_PREFIX,
		.key = "{}",
		.want = "",
		.have = "",
	};
	char *wanted = NULL;

	if (!c->text[map])
		nve_ebpf_dump_open(c->dp, diff.table, &c->text[map]);
	if (c->text[map]) { /* else there is no memory for more than its being so */
		nve_ebpf_dump_say(c->text[map], key, want, &diff.key, &diff.want);
		wanted = strdup(diff.want);
		diff.want = wanted ? wanted : "";
		nve_ebpf_dump_say(c->text[map], key, have, &diff.key, &diff.have);
	}
	nve_ebpf_check_text(c, &diff);
	free(wanted);
}

/* --- rows ------------------------------------------------------------------------------------- */

/* What the programs write stays as it is. */
static void keep_live(enum nve_ebpf_map map, const void *have, void *want)
{
	if (map == NVE_MAP_GLEANER)
		((struct nve_gleaner *)want)->meter.full =
			((const struct nve_gleaner *)have)->meter.full;
	else if (map == NVE_MAP_GLEANED)
		*(struct nve_gleaned *)want = *(const struct nve_gleaned *)have;
	else if (map == NVE_MAP_BUM || map == NVE_MAP_ICMP_METER)
		((struct nve_meter *)want)->full = ((const struct nve_meter *)have)->full;
}

int nve_ebpf_check_has(struct nve_ebpf_check *c, enum nve_ebpf_map map, const void *key,
		       const void *want)
{
	_Alignas(8) uint8_t have[sizeof(struct nve_flood)], shall[sizeof(struct nve_flood)];
	uint32_t size = c->dp->buffer[map].value_size;
	int r = bpf_map_lookup_elem(c->dp->map[map], key, have);
	bool mended = false;

	if (r < 0 && r != -ENOENT)
		return r;
	nve_ebpf_check_count(c, 1);
	memcpy(shall, want, size);
	if (r == 0)
		keep_live(map, have, shall);
	if (r == 0 && !memcmp(have, shall, size))
		return 0;
	if (c->pass->repair) {
		mended = bpf_map_update_elem(c->dp->map[map], key, shall, BPF_ANY) == 0;
		c->dp->written++;
	}
	nve_ebpf_check_row(c, map, key, shall, r == 0 ? have : NULL, mended);
	return 0;
}

/* --- rows that nobody wants ------------------------------------------------------------------- */

static const enum nve_ebpf_map hashes[] = {
	NVE_MAP_PORT,  NVE_MAP_SRC,   NVE_MAP_SRC_IP, NVE_MAP_FDB,     NVE_MAP_PEER,
	NVE_MAP_FLOOD, NVE_MAP_NEIGH, NVE_MAP_BUM,    NVE_MAP_GLEANER, NVE_MAP_GLEANED,
};
enum { HASHES = sizeof(hashes) / sizeof(hashes[0]) };

/* The kernel's batch may stop before the last row of a bucket that has none left in it; it then
 * says where to go on, which is all that is kept between two calls. */
struct batch {
	uint32_t n, room;
	uint8_t *keys, *values;
};

static int batch_read(const struct nve_ebpf_check *c, enum nve_ebpf_map map, struct batch *b)
{
	DECLARE_LIBBPF_OPTS(bpf_map_batch_opts, opts);
	const struct nve_ebpf_buffer *map_is = &c->dp->buffer[map];
	bool first = !c->pass->at;
	uint8_t pos[sizeof(c->pass->pos)];
	int r;

	for (;;) {
		b->keys = realloc(b->keys, (size_t)b->room * map_is->key_size);
		b->values = realloc(b->values, (size_t)b->room * map_is->value_size);
		if (!b->keys || !b->values)
			return -ENOMEM;
		b->n = b->room;
		memcpy(pos, c->pass->pos, sizeof(pos));
		r = bpf_map_lookup_batch(c->dp->map[map], first ? NULL : pos, c->pass->pos, b->keys,
					 b->values, &b->n, &opts);
		if (r != -ENOSPC)
			break;
		memcpy(c->pass->pos, pos, sizeof(pos));
		b->room *= 2; /* one bucket holds more than that */
	}
	if (r == -ENOENT)
		return 1;
	if (r < 0)
		b->n = 0;
	return r;
}

/* For kernels without batches for this kind of map: the next key after the one that was last. */
static int single_read(const struct nve_ebpf_check *c, enum nve_ebpf_map map, struct batch *b)
{
	const struct nve_ebpf_buffer *map_is = &c->dp->buffer[map];
	int fd = c->dp->map[map], r = 0;

	_Static_assert(sizeof(struct nve_gleaned_key) <= sizeof(c->pass->pos), "keys fit");
	for (b->n = 0; b->n < b->room; b->n++) {
		uint8_t *key = b->keys + (size_t)b->n * map_is->key_size;

		r = bpf_map_get_next_key(fd, c->pass->at || b->n ? c->pass->pos : NULL, key);
		if (r < 0)
			break;
		memcpy(c->pass->pos, key, map_is->key_size);
		r = bpf_map_lookup_elem(fd, key, b->values + (size_t)b->n * map_is->value_size);
		if (r < 0)
			break;
	}
	return r == -ENOENT ? 1 : r;
}

static void sweep_row(struct nve_ebpf_check *c, enum nve_ebpf_map map, const void *key,
		      const void *have)
{
	bool mended = false;

	nve_ebpf_check_count(c, 1);
	if (nve_ebpf_check_wanted(c, map, key, have))
		return;
	if (c->pass->repair) {
		mended = bpf_map_delete_elem(c->dp->map[map], key) == 0;
		c->dp->written++;
	}
	nve_ebpf_check_row(c, map, key, NULL, have, mended);
}

static int sweep(struct nve_ebpf_check *c, enum nve_ebpf_map map)
{
	const struct nve_ebpf_buffer *map_is = &c->dp->buffer[map];
	struct batch b = { .room = BATCH_BYTES / map_is->value_size };
	int r;

	if (b.room > BATCH)
		b.room = BATCH;
	if (b.room > c->left)
		b.room = c->left;
	r = batch_read(c, map, &b);
	if (r < 0 && r != -ENOMEM)
		r = single_read(c, map, &b);
	for (uint32_t i = 0; r >= 0 && i < b.n; i++)
		sweep_row(c, map, b.keys + (size_t)i * map_is->key_size,
			  b.values + (size_t)i * map_is->value_size);
	c->pass->at++;
	free(b.keys);
	free(b.values);
	return r;
}

/* --- the pass --------------------------------------------------------------------------------- */

/* What rows are judged by comes before them.  The sweeps of 'hashes' follow. */
static const struct {
	nve_ebpf_check_fn *fn;
	bool attached; /* no table */
} stages[] = {
	{ nve_ebpf_check_pins, true },      { nve_ebpf_check_ports, true },
	{ nve_ebpf_check_copier, true },    { nve_ebpf_check_port_rows, false },
	{ nve_ebpf_check_acls, false },     { nve_ebpf_check_icmp, false },
	{ nve_ebpf_check_vteps, false },    { nve_ebpf_check_vns, false },
	{ nve_ebpf_check_meters, false },   { nve_ebpf_check_tsis, false },
	{ nve_ebpf_check_addrs, false },    { nve_ebpf_check_vaps, false },
	{ nve_ebpf_check_fdb, false },      { nve_ebpf_check_neighs, false },
	{ nve_ebpf_check_vap_rows, false }, { nve_ebpf_check_near, false },
};
enum { STAGES = sizeof(stages) / sizeof(stages[0]) };

static int step(struct nve_ebpf_check *c)
{
	struct nve_dp_check *pass = c->pass;
	int r = 1;

	if (pass->stage >= STAGES)
		r = pass->attached_only ? 1 : sweep(c, hashes[pass->stage - STAGES]);
	else if (!pass->attached_only || stages[pass->stage].attached)
		r = stages[pass->stage].fn(c);
	if (r <= 0)
		return r;
	pass->stage++;
	pass->at = 0;
	memset(pass->pos, 0, sizeof(pass->pos));
	return 0;
}

/* What was told and is not carried out yet is no difference. */
static bool waits_for_apply(const struct nve_dp *dp)
{
	const struct nve_shadow *s = &dp->shadow;

	return dp->in_resync || dp->torn || s->tsi_list.n || s->vap_list.n || s->vn_list.n ||
	       s->fdb_list.n || s->vtep_list.n || s->acl_list.n || s->neighs.differ;
}

int nve_ebpf_check(struct nve_dp *dp, struct nve_dp_check *pass, uint32_t rows, nve_dp_diff_fn *fn,
		   void *arg)
{
	struct nve_ebpf_check c = { .dp = dp, .pass = pass, .fn = fn, .arg = arg, .left = rows };
	int r = 0;

	if (waits_for_apply(dp))
		return 1;
	while (!r && c.left > 0 && pass->stage < STAGES + HASHES)
		r = step(&c);
	for (int i = 0; i < NVE_MAPS; i++)
		nve_ebpf_dump_close(c.text[i]);
	return r < 0 ? r : pass->stage < STAGES + HASHES;
}
