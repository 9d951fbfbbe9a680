/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random tables and random frames: what comes out of the wires, and what is counted as lost for
 * which reason, must be what the model says (tests/lib/ref.h), in TC and in XDP, byte for byte.
 * The tables are told to the datapath as the engine tells them, and the frames are real.
 *
 *	a0x ---- a0 [NVE] u0 ---- u0x
 *	a1x ---- a1
 *
 * NVE_SEED=n chooses another seed ("random": a new one), NVE_SECONDS=n goes on for as long.
 */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "lib/ref_rig.h"
#include "lib/share.h"

enum { ROUNDS = 60, FRAMES = 60, WAIT_MS = 2000, SEED = 20180501 };

static struct ref_rig rig;

static unsigned int first_seed(void)
{
	const char *text = getenv("NVE_SEED");

	if (!text)
		return SEED;
	return strcmp(text, "random") ? strtoul(text, NULL, 0) : (unsigned int)time(NULL);
}

static int close_rig(void **state)
{
	(void)state;
	ref_close(&rig);
	return 0;
}

static int stay_on_one_cpu(void **state)
{
	cpu_set_t cpus;

	(void)state;
	CPU_ZERO(&cpus);
	CPU_SET(sched_getcpu(), &cpus);
	return sched_setaffinity(0, sizeof(cpus), &cpus);
}

/* --- the property ----------------------------------------------------------------------------- */

static void print_row(void *arg, const char *key, const char *value)
{
	fprintf(stderr, "  %s %s %s\n", (const char *)arg, key, value);
}

static void explain(unsigned int seed, uint32_t round, uint8_t wire, const struct frame *f)
{
	for (const char *const *t = ADDRS("vap", "tsi", "src", "src_ip", "fdb", "peer", "flood");
	     *t; t++)
		rig.ops->dump(rig.dp, *t, print_row, (void *)*t);
	fprintf(stderr, "  seed %u (NVE_SEED), round %u, frame at %s:", seed, round,
		ref_wires[wire]);
	for (size_t i = 0; i < f->len; i++)
		fprintf(stderr, " %02x", f->bytes[i]);
	fputc('\n', stderr);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* Kinds of fates that were met: a test that meets few shows little. */
struct tally {
	uint32_t frames, hosts, sent, flooded, by_reason[NVE_DROP_COUNT];
};

static void count(struct tally *t, const struct ref_fate *fate)
{
	t->frames++;
	t->hosts += !fate->why && !fate->n;
	t->sent += fate->n == 1;
	t->flooded += fate->n > 1;
	t->by_reason[fate->why]++;
}

static bool same_fate(const struct ref *m, unsigned int *seed, struct tally *t, uint8_t *wire,
		      struct frame *f)
{
	struct ref_fate want, got;

	*f = ref_frame(m, seed, wire);
	ref_run(m, *wire, f, &want);
	ref_send(&rig, *wire, f, &want, &got);
	count(t, &want);
	return ref_equal(&got, &want);
}

static void the_programs_do_what_the_model_does(void **state)
{
	const struct dpw *backend = *state;
	const char *text = getenv("NVE_SECONDS");
	double end = seconds() + (text ? atof(text) : 0);
	unsigned int begin = first_seed(), seed = begin;
	struct tally t = { 0 };
	struct ref m;
	struct frame f;
	uint32_t reasons = 0, rounds = ROUNDS / 2 + test_share(ROUNDS / 2);
	uint8_t wire;

	rig.patience_ms = WAIT_MS;
	ref_open(&rig, &m, backend);
	for (uint32_t round = 0; text ? seconds() < end : round < rounds; round++) {
		for (int n = round ? 4 : 40; n; n--)
			ref_change(&m, &seed);
		ref_tell(&rig, &m);
		for (int i = 0; i < FRAMES; i++) {
			if (same_fate(&m, &seed, &t, &wire, &f))
				continue;
			explain(begin, round, wire, &f);
			fail_msg("seed %u, round %u: not what the model says", begin, round);
		}
	}
	for (int i = 1; i < NVE_DROP_COUNT; i++)
		reasons += t.by_reason[i] > 0;
	print_message(
		"seed %u: %u frames: %u sent, %u flooded, %u the host's, lost for %u reasons\n",
		begin, t.frames, t.sent, t.flooded, t.hosts, reasons);
	assert_in_range(t.sent, t.frames / 20, t.frames);
	assert_in_range(t.flooded, t.frames / 50, t.frames);
	assert_in_range(reasons, 18, NVE_DROP_COUNT);
}

/* --- and that it can fail --------------------------------------------------------------------- */

/* The datapath is told one thing, the model believes another: some frame must show it. */
static void shows(const struct ref *believed, unsigned int seed, const char *what)
{
	struct tally t = { 0 };
	struct frame f;
	uint8_t wire;

	frame_quiet = true;
	rig.patience_ms = 100;
	for (int i = 0; i < 4000; i++)
		if (!same_fate(believed, &seed, &t, &wire, &f)) {
			frame_quiet = false;
			return;
		}
	fail_msg("seed %u: no frame shows that %s", seed, what);
}

static struct ref_tsi *some_tsi(struct ref *m)
{
	for (size_t i = 0; i < REF_TSIS; i++)
		if (m->tsis[i].set && m->tsis[i].activated && m->tsis[i].addrs[0].active &&
		    m->tsis[i].addrs[0].has_mac)
			return &m->tsis[i];
	return NULL;
}

static struct ref_fdb *some_fdb(struct ref *m)
{
	for (size_t i = 0; i < REF_FDB; i++)
		if (m->fdb[i].set && m->fdb[i].first.kind == REF_VTEP && !m->fdb[i].second.kind)
			return &m->fdb[i];
	return NULL;
}

static void a_row_that_differs_from_the_model_is_noticed(void **state)
{
	unsigned int seed = SEED; /* not all tables have frames that show all of it */
	struct ref m, other;

	ref_open(&rig, &m, *state);
	for (int n = 0; n < 60 || !some_tsi(&m) || !some_fdb(&m); n++)
		ref_change(&m, &seed);
	ref_tell(&rig, &m);
	other = m;
	some_tsi(&other)->activated = false;
	shows(&other, seed, "a TSI is Activated");
	other = m;
	some_tsi(&other)->addrs[0].mac[5] ^= 0x40;
	shows(&other, seed, "a source MAC is another");
	other = m;
	some_fdb(&other)->first.n ^= 1;
	shows(&other, seed, "a MAC is behind another VTEP");
	other = m;
	other.vns[some_tsi(&m)->vn].vni ^= 1;
	shows(&other, seed, "a VNI is another");
	other = m;
	other.vns[some_tsi(&m)->vn].uniform ^= 1;
	shows(&other, seed, "the DSCP goes out");
}

static void the_comparer_rejects_any_other_fate(void **state)
{
	struct frame f = FRAME(eth(.type = 0x0800), ipv4(.src = "192.0.2.1", .dst = "192.0.2.2"),
			       udp(.sport = 50000, .dport = 4789), vxlan(.vni = 1), bytes(20));
	struct ref_fate want = {
		.n = 2, .copies = { { .wire = REF_U0, .any_flow = true }, { .wire = REF_A0 } }
	};
	struct ref_fate got;

	(void)state;
	want.copies[0].frame = want.copies[1].frame = f;
	got = want;
	frame_quiet = true;
	assert_true(ref_equal(&got, &want));
	got.copies[0].frame.bytes[35] ^= 1; /* another flow is as good, outside the range is not */
	assert_true(ref_equal(&got, &want));
	got.copies[0].frame.bytes[34] = 1;
	assert_false(ref_equal(&got, &want));
	for (size_t i = 0; i < f.len * 8; i++) {
		got = want;
		got.copies[1].frame.bytes[i / 8] ^= 1 << i % 8;
		assert_false(ref_equal(&got, &want));
	}
	got = want;
	got.copies[1].wire = REF_A1;
	assert_false(ref_equal(&got, &want));
	got = want;
	got.n = 1;
	assert_false(ref_equal(&got, &want));
	got = want;
	got.copies[1] = got.copies[0];
	assert_false(ref_equal(&got, &want));
	got = want;
	got.why = NVE_DROP_SHORT;
	assert_false(ref_equal(&got, &want));
	frame_quiet = false;
}

#define IN(f, mode, i)                                                                             \
	{                                                                                          \
#f " [" mode "]", f, NULL, close_rig, (void *)&dpw_backends[i]                     \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_comparer_rejects_any_other_fate),
		IN(the_programs_do_what_the_model_does, "tc", 1),
		IN(a_row_that_differs_from_the_model_is_noticed, "tc", 1),
		IN(the_programs_do_what_the_model_does, "xdp", 2),
		IN(a_row_that_differs_from_the_model_is_noticed, "xdp", 2),
	};

	return cmocka_run_group_tests(tests, stay_on_one_cpu, NULL);
}
