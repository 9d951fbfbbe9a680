/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the agent publishes in near, and when it withdraws it; and that a reader of an entry that
 * changes meets one of the two.  See agent/dp/ebpf_near.h and lib/dp_world.h.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "dp/ebpf_near.h"
#include "dp/ebpf_near_table.h"
#include "lib/dp_ask.h"

#define MAC_1 "02:00:00:00:00:01"
#define MAC_2 "02:00:00:00:00:02"
#define MAC_R "02:00:00:00:00:99" /* behind VTEP 0 */
#define PINS  "/sys/fs/bpf/nve-near"

static struct dpw w;
static const struct dpw *backend;

static void fill(void)
{
	dpw_set_vns(&w);
	dpw_vap(&w, A0, TAG_10, 1);
	dpw_vap(&w, A1, TAG_20, 1);
	dpw_tsi(&w, 1, A0, TAG_10, true, ADDRS(MAC_1 " 10.0.0.1"));
	dpw_tsi(&w, 2, A1, TAG_20, true, ADDRS(MAC_2 " 10.0.0.2"));
	dpw_fdb(&w, MAC_1, TSI(1), NONE);
	dpw_fdb(&w, MAC_2, TSI(2), NONE);
	dpw_fdb(&w, MAC_R, VTEP(0), NONE);
}

static int set_up(void **state)
{
	backend = *state;
	dpw_open(&w, backend);
	fill();
	dpw_apply(&w);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	dpw_close(&w);
	return 0;
}

/* Until the next call; NULL: there is none. */
static const struct nve_near_entry *in_near(uint64_t key)
{
	static struct nve_near_entry e;

	return nve_ebpf_near_get(w.dp, key, &e) ? &e : NULL;
}

static const struct nve_near_entry *entry(uint32_t vn_id, const char *mac)
{
	uint64_t key = (uint64_t)nve_shadow_vn(&w.dp->shadow, vn_id)->number << 48;

	dpw_mac((uint8_t *)&key, mac);
	return in_near(key);
}

static const struct nve_near_entry *peer(uint32_t vni, const char *ip)
{
	struct nve_ip addr = dpw_addr(ip);
	uint32_t word;

	memcpy(&word, addr.bytes, sizeof(word));
	return in_near(NVE_NEAR_PEER_KEY(vni, word));
}

static uint32_t reaches(const char *mac)
{
	return dpw_from_vtep(&w, "192.0.2.2", VNI_7, mac).dest.slot;
}

static bool passes(uint16_t port, uint16_t tag, const char *src, const char *ip)
{
	struct nve_fake_frame f = { .port = port, .tag = tag, .ip = dpw_addr(ip) };
	struct frame frame;

	dpw_mac(f.src, src);
	dpw_mac(f.dst, MAC_R);
	frame = dp_probe_frame(&f);
	assert_true(dp_ask_near_agrees(&w, port, &frame));
	return dpw_from_port(&w, &f).pass;
}

/* --- what is there ---------------------------------------------------------------------------- */

static void what_is_in_use_is_published_with_its_place_and_address(void **state)
{
	const struct nve_near_entry *e = entry(VN_7, MAC_1);
	const uint8_t ip[4] = { 10, 0, 0, 1 };

	(void)state;
	assert_int_equal(w.dp->n_near, 6); /* two TSIs, a remote MAC, three peers */
	assert_int_equal(e->kind, NVE_NEAR_TSI);
	assert_int_equal(e->slot, 1);
	assert_int_equal(e->ifindex, if_nametoindex("a0"));
	assert_int_equal(e->vid, TAG_10);
	assert_memory_equal(&e->ip4, ip, 4);
	assert_int_equal(e->net, VNI_7 << 8);
	assert_int_equal(e->flags & (NVE_NEAR_FILTER_IP | NVE_NEAR_IP4), 3);
	assert_int_equal(entry(VN_7, MAC_R)->kind, NVE_NEAR_VTEP);
	assert_int_equal(peer(VNI_7, "192.0.2.2")->slot,
			 nve_shadow_vn(&w.dp->shadow, VN_7)->number);
	assert_null(peer(VNI_8, "192.0.2.2"));
	assert_null(entry(VN_8, MAC_1));
	assert_true(passes(A0, TAG_10, MAC_1, "10.0.0.1"));
	assert_int_equal(reaches(MAC_1), 1);
}

static void what_is_not_simple_is_left_to_the_complete_tables(void **state)
{
	(void)state;
	dpw_tsi(&w, 1, A0, TAG_10, false, ADDRS(MAC_1 " 10.0.0.1")); /* Associated */
	dpw_tsi(&w, 2, A1, TAG_20, true, ADDRS("-" MAC_2 " 10.0.0.2", "10.0.0.3"));
	dpw_fdb(&w, MAC_R, VTEP(0), TSI(1)); /* about to be taken over */
	dpw_fdb(&w, "03:00:00:00:00:05", VTEP(0), NONE);
	dpw_apply(&w);
	assert_null(entry(VN_7, MAC_1));
	assert_null(entry(VN_7, MAC_2));
	assert_null(entry(VN_7, MAC_R));
	assert_null(entry(VN_7, "03:00:00:00:00:05"));
	assert_int_equal(w.dp->n_near, 3);
}

static void a_tsi_with_features_is_withdrawn_before_and_published_after(void **state)
{
	(void)state;
	nve_ebpf_near_tsi_begin(w.dp, 1);
	w.dp->tsi[1].features = NVE_TSI_METER_IN;
	nve_ebpf_near_tsi_end(w.dp, 1);
	assert_null(entry(VN_7, MAC_1));
	assert_true(passes(A0, TAG_10, MAC_1, "10.0.0.1"));
	nve_ebpf_near_tsi_begin(w.dp, 1);
	w.dp->tsi[1].features = 0;
	nve_ebpf_near_tsi_end(w.dp, 1);
	assert_non_null(entry(VN_7, MAC_1));
}

/* --- changes ---------------------------------------------------------------------------------- */

static void a_tsi_that_is_deactivated_is_gone_from_near(void **state)
{
	(void)state;
	dpw_tsi(&w, 1, A0, TAG_10, false, ADDRS(MAC_1 " 10.0.0.1"));
	dpw_apply(&w);
	assert_false(passes(A0, TAG_10, MAC_1, "10.0.0.1"));
	assert_false(dpw_from_vtep(&w, "192.0.2.2", VNI_7, MAC_1).pass);
	dpw_tsi(&w, 1, A0, TAG_10, true, ADDRS(MAC_1 " 10.0.0.1"));
	dpw_apply(&w);
	assert_non_null(entry(VN_7, MAC_1));
	assert_true(passes(A0, TAG_10, MAC_1, "10.0.0.1"));
}

static void a_tsi_that_moves_is_found_at_its_new_port_alone(void **state)
{
	(void)state;
	dpw_tsi(&w, 1, A1, TAG_20, true, ADDRS(MAC_1 " 10.0.0.1"));
	dpw_apply(&w);
	assert_int_equal(entry(VN_7, MAC_1)->ifindex, if_nametoindex("a1"));
	assert_false(passes(A0, TAG_10, MAC_1, "10.0.0.1"));
	assert_true(passes(A1, TAG_20, MAC_1, "10.0.0.1"));
	assert_int_equal(reaches(MAC_1), 1);
}

static void an_address_that_changes_changes_in_near(void **state)
{
	(void)state;
	dpw_tsi(&w, 1, A0, TAG_10, true, ADDRS(MAC_1 " 10.0.0.5"));
	dpw_apply(&w);
	assert_true(passes(A0, TAG_10, MAC_1, "10.0.0.5"));
	assert_false(passes(A0, TAG_10, MAC_1, "10.0.0.1"));
	dpw_tsi(&w, 1, A0, TAG_10, true, ADDRS("02:00:00:00:00:03 10.0.0.5"));
	dpw_apply(&w);
	assert_null(entry(VN_7, MAC_1));
	assert_false(passes(A0, TAG_10, MAC_1, "10.0.0.5"));
}

static void a_second_destination_takes_over_and_is_published_when_it_is_the_only_one(void **state)
{
	(void)state;
	dpw_tsi(&w, 3, A1, TAG_20, false, ADDRS(MAC_R " 10.0.0.9"));
	dpw_fdb(&w, MAC_R, VTEP(0), TSI(3));
	dpw_apply(&w);
	assert_null(entry(VN_7, MAC_R));
	dpw_tsi(&w, 3, A1, TAG_20, true, ADDRS(MAC_R " 10.0.0.9"));
	dpw_apply(&w);
	assert_int_equal(reaches(MAC_R), 3);
	dpw_fdb(&w, MAC_R, TSI(3), NONE);
	dpw_apply(&w);
	assert_int_equal(entry(VN_7, MAC_R)->slot, 3);
	assert_int_equal(reaches(MAC_R), 3);
}

static void a_vn_that_changes_its_vni_or_peers_is_followed(void **state)
{
	const uint32_t vteps[] = { 1 };
	const struct nve_dp_vn vn = { .vn_id = VN_7, .vni = 4242, .n_vteps = 1, .vteps = vteps };

	(void)state;
	assert_int_equal(w.ops->vn_set(w.dp, &vn), 0);
	dpw_apply(&w);
	assert_int_equal(entry(VN_7, MAC_1)->net, 4242 << 8);
	assert_null(peer(VNI_7, "192.0.2.3"));
	assert_null(peer(4242, "192.0.2.2"));
	assert_non_null(peer(4242, "192.0.2.3"));
	assert_true(passes(A0, TAG_10, MAC_1, "10.0.0.1"));
	assert_int_equal(dpw_from_vtep(&w, "192.0.2.3", 4242, MAC_1).dest.slot, 1);
	assert_false(dpw_from_vtep(&w, "192.0.2.3", VNI_7, MAC_1).pass);
}

static void delete_vn_7(void)
{
	uint8_t mac[NVE_MAC_LEN];

	dpw_mac(mac, MAC_1);
	assert_int_equal(w.ops->fdb_del(w.dp, VN_7, mac), 0);
	dpw_mac(mac, MAC_2);
	assert_int_equal(w.ops->fdb_del(w.dp, VN_7, mac), 0);
	for (uint32_t slot = 1; slot <= 2; slot++)
		assert_int_equal(w.ops->tsi_del(w.dp, slot), 0);
	assert_int_equal(w.ops->vap_del(w.dp, A0, TAG_10), 0);
	assert_int_equal(w.ops->vap_del(w.dp, A1, TAG_20), 0);
	assert_int_equal(w.ops->vn_del(w.dp, VN_7), 0);
	dpw_apply(&w);
}

static void a_vn_that_goes_takes_all_its_entries_along_and_its_number_rests(void **state)
{
	uint16_t number = nve_shadow_vn(&w.dp->shadow, VN_7)->number;

	(void)state;
	delete_vn_7(); /* MAC_R's forwarding row was not deleted */
	assert_int_equal(w.dp->near_of[number], 0);
	assert_int_equal(w.dp->n_near, 1); /* VN 8's peer */
	fill();
	dpw_apply(&w);
	assert_int_not_equal(nve_shadow_vn(&w.dp->shadow, VN_7)->number, number);
	assert_int_equal(w.dp->n_near, 5); /* that row is old, so it is not looked at again */
	assert_true(passes(A0, TAG_10, MAC_1, "10.0.0.1"));
}

/* --- room, and restarts ----------------------------------------------------------------------- */

/* Fills the table, and empties it entry by entry; returns what was lost when it was half full. */
static uint64_t fill_near(uint64_t seed)
{
	uint32_t room = (w.dp->near_mask + 1) * NVE_NEAR_WAYS, kept = 0;
	uint64_t lost_before = w.dp->near_lost, lost_half = 0;

	w.dp->near_seed = seed;
	for (uint32_t i = 1; i <= room; i++) {
		struct nve_near_entry e = { .key = (uint64_t)i << 20, .slot = i };

		nve_ebpf_near_put(w.dp, &e);
		if (i == room / 2)
			lost_half = w.dp->near_lost - lost_before;
	}
	for (uint32_t i = 1; i <= room; i++) {
		const struct nve_near_entry *e = in_near((uint64_t)i << 20);

		if (!e)
			continue;
		kept++;
		assert_int_equal(e->slot, i);
		nve_ebpf_near_cut(w.dp, (uint64_t)i << 20);
		assert_null(in_near((uint64_t)i << 20));
	}
	assert_int_equal(kept + w.dp->near_lost - lost_before, room);
	assert_int_equal(w.dp->n_near, 0);
	return lost_half;
}

static void entries_find_room_by_moving_others_and_are_found_where_they_are(void **state)
{
	enum { SEEDS = 64 };
	uint64_t lost = 0;

	(void)state;
	nve_ebpf_near_clear(w.dp);
	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		lost += fill_near(seed);
	assert_in_range(lost, 0, SEEDS * (w.dp->near_mask + 1) * NVE_NEAR_WAYS / 2 / 1000);
}

static void a_restart_publishes_anew_what_is_wanted_and_nothing_else(void **state)
{
	(void)state;
	dpw_close(&w);
	dpw_open_pinned(&w, backend, PINS, &dpw_limits);
	fill();
	dpw_apply(&w);
	dpw_close(&w);
	dpw_open_pinned(&w, backend, PINS, &dpw_limits);
	assert_int_equal(w.ops->resync_begin(w.dp), 0);
	fill();
	dpw_tsi(&w, 1, A0, TAG_10, true, ADDRS(MAC_1 " 10.0.0.7"));
	assert_int_equal(w.ops->tsi_del(w.dp, 2), 0);
	assert_int_equal(w.ops->resync_end(w.dp), 0);
	assert_int_equal(w.dp->n_near, 5);
	assert_true(passes(A0, TAG_10, MAC_1, "10.0.0.7"));
	assert_false(passes(A0, TAG_10, MAC_1, "10.0.0.1"));
	assert_null(entry(VN_7, MAC_2));
	assert_int_equal(w.ops->flush(w.dp), 0);
}

/* --- readers of what changes ------------------------------------------------------------------ */

static struct nve_near_entry versions[2];
static bool stop;

static void own_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

static void *change_it(void *arg)
{
	(void)arg;
	own_cpu(1);
	for (uint32_t i = 0; !__atomic_load_n(&stop, __ATOMIC_RELAXED); i++)
		nve_ebpf_near_put(w.dp, &versions[i % 2]);
	return NULL;
}

/*
 * TSI 1 is here with another address, or elsewhere with this one: who reads half of each takes the
 * frame for its own.  Whatever near says, the complete tables refuse it.
 */
static void an_entry_that_changes_is_read_as_it_was_or_as_it_is(void **state)
{
	enum { TURNS = 1500000 };
	struct nve_fake_frame f = { .port = A0, .tag = TAG_10, .ip = dpw_addr("10.0.0.9") };
	struct xdp_md ctx = { .ingress_ifindex = if_nametoindex("a0") };
	struct __sk_buff skb = { .ifindex = ctx.ingress_ifindex };
	bool xdp = w.mode == NVE_DP_XDP;
	struct frame in;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .repeat = TURNS);
	pthread_t thread;

	(void)state;
	dpw_mac(f.src, MAC_1);
	dpw_mac(f.dst, MAC_R);
	in = dp_probe_frame(&f);
	ctx.data_end = opts.data_size_in = in.len;
	opts.data_in = in.bytes;
	opts.ctx_in = xdp ? (void *)&ctx : (void *)&skb;
	opts.ctx_size_in = xdp ? sizeof(ctx) : sizeof(skb);
	versions[0] = versions[1] = *entry(VN_7, MAC_1);
	versions[1].ifindex++;
	memcpy(&versions[1].ip4, f.ip.bytes, sizeof(versions[1].ip4));
	stop = false;
	own_cpu(0);
	assert_int_equal(pthread_create(&thread, NULL, change_it, NULL), 0);
	assert_int_equal(bpf_prog_test_run_opts(
				 w.dp->prog[xdp ? NVE_PROG_XDP_ACCESS : NVE_PROG_TC_ACCESS], &opts),
			 0);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	assert_int_equal(w.ops->last_seen(w.dp, 1), 0);
}

#define BOTH(f)                                                                                    \
	{ #f " [tc]", f, set_up, tear_down, (void *)&dpw_backends[1] },                            \
	{                                                                                          \
#f " [xdp]", f, set_up, tear_down, (void *)&dpw_backends[2]                        \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(what_is_in_use_is_published_with_its_place_and_address),
		BOTH(what_is_not_simple_is_left_to_the_complete_tables),
		BOTH(a_tsi_with_features_is_withdrawn_before_and_published_after),
		BOTH(a_tsi_that_is_deactivated_is_gone_from_near),
		BOTH(a_tsi_that_moves_is_found_at_its_new_port_alone),
		BOTH(an_address_that_changes_changes_in_near),
		BOTH(a_second_destination_takes_over_and_is_published_when_it_is_the_only_one),
		BOTH(a_vn_that_changes_its_vni_or_peers_is_followed),
		BOTH(a_vn_that_goes_takes_all_its_entries_along_and_its_number_rests),
		BOTH(entries_find_room_by_moving_others_and_are_found_where_they_are),
		BOTH(a_restart_publishes_anew_what_is_wanted_and_nothing_else),
		BOTH(an_entry_that_changes_is_read_as_it_was_or_as_it_is),
	};

	if (geteuid() != 0) {
		puts("skipped: needs root");
		return 0;
	}
	dpw_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
