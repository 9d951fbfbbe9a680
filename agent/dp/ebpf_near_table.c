/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table near as such.  A key has two buckets, the first of which is taken while it has room;
 * where both are full, an entry of theirs is moved to its other bucket.  It is written there before
 * it goes here, so that it is found at any time.
 */
#include "dp/ebpf_near_table.h"

#include "dp/ebpf_lines.h"
#include "dp/ebpf_near.h"

static uint64_t load(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static struct nve_near_bucket *bucket(const struct nve_dp *dp, uint64_t key, bool second)
{
	uint64_t h = nve_near_hash(key, dp->near_seed);

	return &dp->near[(second ? h : h >> 32) & dp->near_mask];
}

/* The entry of that key in the bucket; key 0: a free place. */
static struct nve_near_entry *in_bucket(struct nve_near_bucket *b, uint64_t key)
{
	for (int i = 0; i < NVE_NEAR_WAYS; i++)
		if (load((uint64_t *)&b->e[i].key) == key)
			return &b->e[i];
	return NULL;
}

static struct nve_near_entry *find(const struct nve_dp *dp, uint64_t key)
{
	return in_bucket(bucket(dp, key, false), key) ?: in_bucket(bucket(dp, key, true), key);
}

static uint32_t owner(uint64_t key)
{
	return key >> 56 == 0xff ? 0 : key >> 48;
}

static uint32_t vni_of(const struct nve_dp *dp, uint64_t key)
{
	return dp->near_vni[owner(key)];
}

bool nve_ebpf_near_get(const struct nve_dp *dp, uint64_t key, struct nve_near_entry *ret)
{
	const struct nve_near_entry *e = key ? find(dp, key) : NULL;

	if (e)
		*ret = *e;
	return e || (key && nve_ebpf_line_get(dp, key, vni_of(dp, key), ret));
}

uint32_t nve_ebpf_near_places(const struct nve_dp *dp)
{
	return (dp->near_mask + 1) * NVE_NEAR_WAYS + dp->n_lines * dp->n_cpus;
}

bool nve_ebpf_near_at(const struct nve_dp *dp, uint32_t at, struct nve_near_entry *ret,
		      bool *in_place)
{
	uint32_t n = (dp->near_mask + 1) * NVE_NEAR_WAYS;
	const struct nve_near_entry *e;

	if (at >= n) {
		if (!nve_ebpf_line_copy(dp, at - n, ret))
			return false;
		*in_place = nve_ebpf_line_in_place(dp, at - n, ret, vni_of(dp, ret->key));
		return true;
	}
	e = &dp->near[at / NVE_NEAR_WAYS].e[at % NVE_NEAR_WAYS];
	*ret = *e;
	*in_place = ret->key && find(dp, ret->key) == e;
	return ret->key;
}

uint32_t nve_ebpf_near_max(const struct nve_dp *dp)
{
	return (dp->near_mask + 1) * NVE_NEAR_WAYS + dp->n_lines;
}

bool nve_ebpf_near_possible(void)
{
#ifdef __x86_64__
	return true;
#else
	return false;
#endif
}

/* In the order that readers count on. */
static void write_entry(struct nve_near_entry *to, const struct nve_near_entry *from)
{
	uint64_t *w = (void *)to;
	const uint64_t *x = (const void *)from;
	uint64_t seq = (load(&w[2]) >> 48) + 1;

	__atomic_store_n(&w[0], 0, __ATOMIC_RELEASE);
	__atomic_store_n(&w[2], (x[2] & 0xffffffffffff) | seq << 48, __ATOMIC_RELEASE);
	__atomic_store_n(&w[1], x[1], __ATOMIC_RELEASE);
	__atomic_store_n(&w[3], x[3], __ATOMIC_RELEASE);
	__atomic_store_n(&w[0], x[0], __ATOMIC_RELEASE);
}

static void clear_entry(struct nve_near_entry *e)
{
	__atomic_store_n((uint64_t *)&e->key, 0, __ATOMIC_RELEASE);
}

/* Makes a place in the bucket by moving one of its entries to the entry's other bucket. */
static struct nve_near_entry *make_room(struct nve_dp *dp, struct nve_near_bucket *b)
{
	for (int i = 0; i < NVE_NEAR_WAYS; i++) {
		struct nve_near_entry *e = &b->e[i];
		struct nve_near_bucket *other = bucket(dp, e->key, bucket(dp, e->key, false) == b);
		struct nve_near_entry *place = in_bucket(other, 0);

		if (!place)
			continue;
		write_entry(place, e);
		clear_entry(e);
		return e;
	}
	return NULL;
}

/* In near itself. */
static bool put(struct nve_dp *dp, const struct nve_near_entry *e)
{
	struct nve_near_bucket *a = bucket(dp, e->key, false), *b = bucket(dp, e->key, true);
	struct nve_near_entry *place = in_bucket(a, 0);

	if (!place)
		place = in_bucket(b, 0);
	if (!place)
		place = make_room(dp, a);
	if (!place)
		place = make_room(dp, b);
	if (place)
		write_entry(place, e);
	return place;
}

void nve_ebpf_near_put(struct nve_dp *dp, const struct nve_near_entry *e)
{
	bool line;

	nve_ebpf_near_cut(dp, e->key);
	line = e->kind == NVE_NEAR_TSI && nve_ebpf_line_put(dp, e, vni_of(dp, e->key));
	if (e->kind == NVE_NEAR_TSI && !line)
		dp->near_lineless++;
	if (!line && !put(dp, e)) {
		dp->near_lost++;
		return;
	}
	dp->n_near++;
	dp->near_of[owner(e->key)]++;
}

void nve_ebpf_near_cut(struct nve_dp *dp, uint64_t key)
{
	struct nve_near_entry *e = dp->n_near ? find(dp, key) : NULL;

	if (e)
		clear_entry(e);
	else if (!dp->n_near || !nve_ebpf_line_cut(dp, key, vni_of(dp, key)))
		return;
	dp->n_near--;
	dp->near_of[owner(key)]--;
}

/* Entries in near itself: all, or those of the VN that has the number. */
static void sweep(struct nve_dp *dp, uint32_t number)
{
	for (uint32_t i = 0; i < (dp->near_mask + 1) * NVE_NEAR_WAYS; i++) {
		struct nve_near_entry *e = &dp->near[i / NVE_NEAR_WAYS].e[i % NVE_NEAR_WAYS];
		uint64_t key = load((uint64_t *)&e->key);

		if (key && (!number || owner(key) == number))
			clear_entry(e);
	}
}

static void sweep_lines(struct nve_dp *dp, uint32_t number)
{
	for (uint32_t i = 0; i < dp->n_lines; i++) {
		struct nve_near_entry e;

		if (nve_ebpf_line_read(dp, i, &e) && owner(e.key) == number)
			nve_ebpf_line_cut_at(dp, i);
	}
}

void nve_ebpf_near_empty(struct nve_dp *dp)
{
	nve_ebpf_lines_empty(dp);
	sweep(dp, 0);
	for (uint32_t i = 0; i < NVE_NEAR_PORTS * NVE_VID_COUNT; i++)
		if (load((uint64_t *)(void *)&dp->near_vn[i]))
			__atomic_store_n((uint64_t *)(void *)&dp->near_vn[i], 0, __ATOMIC_RELEASE);
	for (uint32_t i = 0; i <= NVE_NEAR_VN_MAX; i++) {
		dp->near_of[i] = 0;
		dp->near_taken[i] = 0;
	}
	dp->n_near = 0;
}

/* --- numbers of VNs --------------------------------------------------------------------------- */

uint16_t nve_ebpf_near_number_take(struct nve_dp *dp, uint32_t vn_id)
{
	for (uint32_t i = 0; i < NVE_NEAR_VN_MAX; i++) {
		dp->near_last = dp->near_last % NVE_NEAR_VN_MAX + 1;
		if (dp->near_taken[dp->near_last])
			continue;
		dp->near_taken[dp->near_last] = vn_id;
		return dp->near_last;
	}
	return 0;
}

/* Its forwarding entries went with it, or before; what is left of them would be the next VN's. */
void nve_ebpf_near_number_free(struct nve_dp *dp, uint16_t number)
{
	if (dp->near_of[number]) {
		sweep(dp, number);
		sweep_lines(dp, number);
	}
	dp->n_near -= dp->near_of[number];
	dp->near_of[number] = 0;
	dp->near_taken[number] = 0;
}
