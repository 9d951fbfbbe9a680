/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is counted of a TSI is exact and its own, whoever had its line before, and wherever the
 * agent was ended.  See agent/dp/ebpf_lines.h and lib/dp_world.h.
 */
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "dp/ebpf_lines.h"
#include "dp/ebpf_near.h"
#include "dp/ebpf_near_table.h"
#include "lib/dp_ask.h"
#include "lib/share.h"

#define MAC_1 "02:00:00:00:00:01"
#define MAC_2 "02:00:00:00:00:02"
#define MAC_R "02:00:00:00:00:99" /* behind VTEP 0 */
#define PINS  "/sys/fs/bpf/nve-lines"

static struct dpw w;
static const struct dpw *backend;

static void fill(void)
{
	dpw_set_vns(&w);
	dpw_vap(&w, A0, TAG_10, 1);
	dpw_tsi(&w, 1, A0, TAG_10, true, ADDRS(MAC_1 " 10.0.0.1"));
	dpw_fdb(&w, MAC_1, TSI(1), NONE);
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

static void send_frames(const char *mac, int n)
{
	struct nve_fake_frame f = { .port = A0, .tag = TAG_10, .ip = dpw_addr("10.0.0.1") };

	dpw_mac(f.src, mac);
	dpw_mac(f.dst, MAC_R);
	for (int i = 0; i < n; i++)
		assert_true(dpw_from_port(&w, &f).pass);
}

static void get_frames(const char *mac, int n)
{
	for (int i = 0; i < n; i++)
		assert_true(dpw_from_vtep(&w, "192.0.2.2", VNI_7, mac).pass);
}

static void counts_are(uint32_t slot, uint64_t in, uint64_t out)
{
	struct nve_dp_tsi_stats stats;

	assert_int_equal(w.ops->tsi_stats(w.dp, slot, &stats), 0);
	assert_int_equal(stats.in.frames, in);
	assert_int_equal(stats.out.frames, out);
	assert_int_equal(!stats.in.bytes, !in);
	assert_int_equal(!stats.out.bytes, !out);
}

static bool has_line(uint32_t slot)
{
	return w.dp->line_first[slot];
}

/* --- frames ----------------------------------------------------------------------------------- */

static void what_is_counted_stays_when_the_line_goes_and_comes_back(void **state)
{
	(void)state;
	assert_true(has_line(1));
	send_frames(MAC_1, 3);
	get_frames(MAC_1, 2);
	counts_are(1, 3, 2);
	nve_ebpf_near_tsi_begin(w.dp, 1);
	assert_false(has_line(1));
	counts_are(1, 3, 2);
	send_frames(MAC_1, 2); /* the long way */
	get_frames(MAC_1, 1);
	counts_are(1, 5, 3);
	nve_ebpf_near_tsi_end(w.dp, 1);
	assert_true(has_line(1));
	counts_are(1, 5, 3);
	send_frames(MAC_1, 1);
	counts_are(1, 6, 3);
	assert_int_not_equal(w.ops->last_seen(w.dp, 1), 0);
}

/* The same MAC in the same VN: the same two lines. */
static void who_gets_anothers_line_gets_neither_its_counters_nor_its_time(void **state)
{
	uint64_t seen;

	(void)state;
	send_frames(MAC_1, 3);
	get_frames(MAC_1, 2);
	seen = w.ops->last_seen(w.dp, 1);
	assert_int_not_equal(seen, 0);
	dpw_tsi(&w, 1, A0, TAG_10, true, ADDRS(MAC_2 " 10.0.0.1"));
	dpw_tsi(&w, 2, A0, TAG_10, true, ADDRS(MAC_1 " 10.0.0.1"));
	dpw_fdb(&w, MAC_1, TSI(2), NONE);
	dpw_apply(&w);
	assert_true(has_line(2));
	counts_are(1, 3, 2);
	counts_are(2, 0, 0);
	assert_int_equal(w.ops->last_seen(w.dp, 1), seen);
	assert_int_equal(w.ops->last_seen(w.dp, 2), 0);
	send_frames(MAC_1, 4);
	counts_are(1, 3, 2);
	counts_are(2, 4, 0);
	assert_int_not_equal(w.ops->last_seen(w.dp, 2), 0);
}

static void a_slot_that_another_tsi_gets_begins_with_nothing(void **state)
{
	(void)state;
	send_frames(MAC_1, 3);
	assert_int_equal(w.ops->tsi_del(w.dp, 1), 0);
	dpw_apply(&w);
	assert_false(has_line(1));
	fill();
	dpw_apply(&w);
	counts_are(1, 0, 0);
	assert_int_equal(w.ops->last_seen(w.dp, 1), 0);
	get_frames(MAC_1, 1);
	counts_are(1, 0, 1);
}

static void counters_and_time_outlive_the_agent(void **state)
{
	uint64_t seen;

	(void)state;
	dpw_close(&w);
	dpw_open_pinned(&w, backend, PINS, &dpw_limits);
	fill();
	dpw_apply(&w);
	send_frames(MAC_1, 3);
	get_frames(MAC_1, 2);
	seen = w.ops->last_seen(w.dp, 1);
	for (int i = 0; i < 3; i++) {
		dpw_close(&w);
		dpw_open_pinned(&w, backend, PINS, &dpw_limits);
		assert_int_equal(w.ops->resync_begin(w.dp), 0);
		fill();
		assert_int_equal(w.ops->resync_end(w.dp), 0);
		assert_true(has_line(1));
		counts_are(1, 3 + i, 2);
		if (!i)
			assert_int_equal(w.ops->last_seen(w.dp, 1), seen);
		send_frames(MAC_1, 1);
	}
	counts_are(1, 6, 2);
	assert_int_equal(w.ops->flush(w.dp), 0);
}

/* --- books ------------------------------------------------------------------------------------ */

enum { SLOTS = 8, KEYS = 48 }; /* several addresses a TSI; more than fit without moving */

static struct nve_near_entry entry_of(uint32_t i, uint32_t slot)
{
	return (struct nve_near_entry){
		.key = 1ull << 48 | (i + 1) << 8,
		.slot = slot,
		.kind = NVE_NEAR_TSI,
		.net = VNI_7 << 8,
	};
}

/* As a program that forwards a frame; false: the entry has no line. */
static bool count_frame(uint32_t key, uint32_t cpu)
{
	const struct nve_near_entry e = entry_of(key, 0);
	uint64_t hash = nve_line_hash(VNI_7, e.key & 0xffffffffffff, w.dp->near_seed);

	for (int i = 0; i < 2; i++) {
		struct nve_tsi_stats *s =
			&w.dp->stats[cpu * (w.dp->n_lines + w.dp->shadow.limits.max_tsis) +
				     nve_line_at(hash, w.dp->n_lines, i)];

		if (s->key != e.key)
			continue;
		s->in_frames++;
		s->in_bytes += 100;
		return true;
	}
	return false;
}

static void empty_books(void)
{
	nve_ebpf_near_clear(w.dp);
	for (uint32_t slot = 0; slot < SLOTS; slot++)
		nve_ebpf_counts_clear(w.dp, slot);
	w.dp->near_vni[1] = VNI_7;
}

static void books_say(const uint64_t frames[SLOTS])
{
	for (uint32_t slot = 0; slot < SLOTS; slot++) {
		struct nve_ebpf_counts c = nve_ebpf_counts(w.dp, slot);

		assert_int_equal(c.in_frames, frames[slot]);
		assert_int_equal(c.in_bytes, 100 * frames[slot]);
		assert_int_equal(c.out_frames, 0);
		assert_int_equal(c.seen, 0);
	}
}

static void whatever_becomes_of_lines_each_frame_is_counted_once_and_for_its_tsi(void **state)
{
	uint64_t frames[SLOTS] = { 0 };
	uint32_t slots[KEYS] = { 0 }, counted = 0, before;

	(void)state;
	empty_books();
	before = w.dp->near_lineless;
	for (uint32_t turn = 0; turn < 20000; turn++) {
		uint32_t key = rand() % KEYS, slot = rand() % SLOTS;
		struct nve_near_entry e = entry_of(key, slot);

		if (rand() % 8 == 0) {
			nve_ebpf_near_cut(w.dp, e.key);
		} else if (rand() % 4 == 0) {
			nve_ebpf_near_put(w.dp, &e);
			slots[key] = slot;
		} else if (count_frame(key, rand() % w.dp->n_cpus)) {
			frames[slots[key]]++;
			counted++;
		}
		if (turn % 16 == 0)
			books_say(frames);
	}
	assert_true(counted > 5000);
	print_message("%u entries without a line\n", (uint32_t)w.dp->near_lineless - before);
	nve_ebpf_near_clear(w.dp);
	books_say(frames);
}

/* The key's line on the first CPU; NULL: it has none. */
static struct nve_tsi_stats *line_of(uint32_t key)
{
	const struct nve_near_entry e = entry_of(key, 0);
	uint64_t hash = nve_line_hash(VNI_7, e.key & 0xffffffffffff, w.dp->near_seed);

	for (int i = 0; i < 2; i++) {
		struct nve_tsi_stats *s = &w.dp->stats[nve_line_at(hash, w.dp->n_lines, i)];

		if (s->key == e.key)
			return s;
	}
	return NULL;
}

static void what_others_write_into_lines_leads_no_agent_astray(void **state)
{
	static const uint32_t lies[] = { 0xffffff, SLOTS - 1, 0 };
	uint64_t frames[SLOTS] = { 0 };

	(void)state;
	for (size_t lie = 0; lie < sizeof(lies) / sizeof(lies[0]); lie++) {
		uint32_t n = 0;

		empty_books();
		memset(frames, 0, sizeof(frames));
		for (uint32_t i = 0; i < KEYS; i++) {
			struct nve_near_entry e = entry_of(i, i % (SLOTS - 1));

			nve_ebpf_near_put(w.dp, &e);
			if (!line_of(i))
				continue;
			frames[e.slot] += count_frame(i, 0);
			line_of(i)->who = NVE_LINE_WHO(lies[lie], 0);
			if (i % 3 == 0) /* nobody's, as it seems, on one CPU */
				line_of(i)->key = 0;
			n++;
		}
		assert_true(n > KEYS / 2);
		for (uint32_t i = 0; i < KEYS; i++) {
			struct nve_near_entry e = entry_of(KEYS - i, i % SLOTS);

			nve_ebpf_near_put(w.dp, &e);
		}
		books_say(frames);
		nve_ebpf_near_clear(w.dp);
		books_say(frames);
	}
}

static volatile uint32_t *changes; /* of the other process */

static void await_changes(uint32_t n)
{
	while (*changes < n)
		sched_yield();
}

/* An agent that changes lines until it is killed. */
static pid_t start_agent(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid)
		return pid;
	for (uint32_t i = 0;; i++, ++*changes) {
		struct nve_near_entry e = entry_of(i * 7 % KEYS, i % SLOTS);

		if (i % 5 == 0)
			nve_ebpf_near_cut(w.dp, e.key);
		else
			nve_ebpf_near_put(w.dp, &e);
	}
}

/* What the next one finds, and does first. */
static void start_over(void)
{
	nve_ebpf_lines_close(w.dp);
	assert_int_equal(nve_ebpf_lines_open(w.dp), 0);
	nve_ebpf_near_clear(w.dp);
	w.dp->near_vni[1] = VNI_7;
}

static void an_agent_killed_at_any_moment_leaves_counters_that_are_right(void **state)
{
	int rounds = test_share(400), status, torn = 0;
	uint64_t frames[SLOTS] = { 0 };

	(void)state;
	changes = mmap(NULL, sizeof(*changes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	assert_ptr_not_equal(changes, MAP_FAILED);
	empty_books();
	for (int round = 0; round < rounds; round++) {
		pid_t pid;

		for (uint32_t i = 0; i < KEYS; i++) {
			struct nve_near_entry e = entry_of(i, (i + round) % SLOTS);

			nve_ebpf_near_put(w.dp, &e);
			if (count_frame(i, i % w.dp->n_cpus))
				frames[e.slot]++;
		}
		books_say(frames);
		*changes = 0;
		pid = start_agent();
		await_changes(rand() % 500);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		torn += ((struct nve_line_plan *)&w.dp->stats[nve_ebpf_stats_rows(w.dp) - 1])
				->state != NVE_LINE_IDLE;
		start_over();
		books_say(frames);
	}
	print_message("%d times of %d in the middle of a change\n", torn, rounds);
	assert_true(torn > 0);
	munmap((void *)changes, sizeof(*changes));
}

static void nearly_all_tsis_find_a_line(void **state)
{
	enum { SEEDS = 64 };
	uint32_t n = w.dp->n_lines * 2 / 3, slots = w.dp->shadow.limits.max_tsis;
	uint64_t before = w.dp->near_lineless;

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		empty_books();
		w.dp->near_seed = seed;
		for (uint32_t i = 0; i < n; i++) {
			struct nve_near_entry e = entry_of(i, i % slots), found;

			nve_ebpf_near_put(w.dp, &e);
			assert_true(nve_ebpf_near_get(w.dp, e.key, &found));
			assert_int_equal(found.slot, e.slot);
		}
		nve_ebpf_near_clear(w.dp);
	}
	assert_in_range(w.dp->near_lineless - before, 0, SEEDS * n * 6 / 100);
}

#define BOTH(f)                                                                                    \
	{ #f " [tc]", f, set_up, tear_down, (void *)&dpw_backends[1] },                            \
	{                                                                                          \
#f " [xdp]", f, set_up, tear_down, (void *)&dpw_backends[2]                        \
	}
#define ONCE(f)                                                                                    \
	{                                                                                          \
#f, f, set_up, tear_down, (void *)&dpw_backends[1]                                 \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(what_is_counted_stays_when_the_line_goes_and_comes_back),
		BOTH(who_gets_anothers_line_gets_neither_its_counters_nor_its_time),
		BOTH(a_slot_that_another_tsi_gets_begins_with_nothing),
		BOTH(counters_and_time_outlive_the_agent),
		ONCE(whatever_becomes_of_lines_each_frame_is_counted_once_and_for_its_tsi),
		ONCE(what_others_write_into_lines_leads_no_agent_astray),
		ONCE(an_agent_killed_at_any_moment_leaves_counters_that_are_right),
		ONCE(nearly_all_tsis_find_a_line),
	};

	if (geteuid() != 0) {
		puts("skipped: needs root");
		return 0;
	}
	dpw_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
