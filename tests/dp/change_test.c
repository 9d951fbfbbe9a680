/* SPDX-License-Identifier: Apache-2.0 */
/*
 * While the addresses of a TSI in use change, frames that pass before and after must pass, and
 * those that pass neither before nor after must not (S69): a thread sends them all the while.
 */
#include <net/if.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "dp/ebpf.h"
#include "lib/dp_probe.h"

enum { MACS = 3, IPS = 4 };

static const char *const macs[MACS] = { "02:00:00:00:00:01", "02:00:00:00:00:02",
					"02:00:00:00:00:03" };
static const char *const ips[IPS] = { "10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2" };
static const uint16_t tags[] = { TAG_10, TAG_20 };

static struct dpw ebpf;

/* Two sets of TSI 1, and frames with their fate under both. */
struct change {
	const char *name;
	uint16_t port[2], tag[2];
	const char *const *sets[2];
};

struct stream {
	struct frame frame;
	uint32_t ifindex;
	int want; /* what the program returns, throughout */
};

enum { STREAMS_MAX = 128, CHANGES = 1500, FRAMES = 20000, CHANGES_MAX = 2000000, QUICK_NS = 2000 };
static uint64_t n_frames, n_wrong;
static struct stream streams[STREAMS_MAX];
static size_t n_streams;
static bool stop;

static void *pump(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		for (size_t i = 0; i < n_streams; i++) {
			struct stream *s = &streams[i];
			int r = dp_probe_run(&ebpf, NVE_DP_ACCESS, NVE_DP_TC, s->ifindex, &s->frame,
					     NULL);

			/* Test runs, unlike frames, are preempted amid the program. */
			if (dp_probe_ns > QUICK_NS)
				continue;
			__atomic_fetch_add(&n_frames, 1, __ATOMIC_RELAXED);
			__atomic_fetch_add(&n_wrong, r != s->want, __ATOMIC_RELAXED);
		}
	return NULL;
}

static uint64_t read_count(const uint64_t *n)
{
	return __atomic_load_n(n, __ATOMIC_RELAXED);
}

static void say_change(const struct change *c, int i)
{
	dpw_tsi(&ebpf, 1, c->port[i], c->tag[i], true, c->sets[i]);
	dpw_apply(&ebpf);
}

static int run(const struct nve_fake_frame *f, struct stream *s)
{
	s->frame = dp_probe_frame(f);
	s->ifindex = if_nametoindex(f->port == A0 ? "a0" : "a1");
	return dp_probe_run(&ebpf, NVE_DP_ACCESS, NVE_DP_TC, s->ifindex, &s->frame, NULL);
}

/* All frames whose fate is the same under both sets. */
static void find_streams(const struct change *c)
{
	struct nve_fake_frame all[STREAMS_MAX];
	int first[STREAMS_MAX];
	size_t n = 0;

	for (int p = 0; p < 4; p++)
		for (int m = 0; m < MACS; m++)
			for (int i = 0; i <= IPS; i++) {
				all[n] = (struct nve_fake_frame){
					.port = p & 1,
					.tag = tags[p >> 1],
					.ip = dpw_addr(i < IPS ? ips[i] : ""),
				};
				dpw_mac(all[n].src, macs[m]);
				dpw_mac(all[n].dst, "02:00:00:00:00:99");
				n++;
			}
	say_change(c, 0);
	for (size_t i = 0; i < n; i++)
		first[i] = run(&all[i], &streams[0]);
	say_change(c, 1);
	n_streams = 0;
	for (size_t i = 0; i < n; i++) {
		struct stream *s = &streams[n_streams];

		*s = (struct stream){ .want = first[i] };
		n_streams += run(&all[i], s) == first[i];
	}
}

/* Until there were enough changes and frames, or, if looked for, a wrong one; returns those. */
static uint64_t pump_while_changing(const struct change *c,
				    void (*change)(const struct change *, int), bool look)
{
	pthread_t thread;
	int n = 0;

	find_streams(c);
	stop = false;
	n_frames = n_wrong = 0;
	assert_int_equal(pthread_create(&thread, NULL, pump, NULL), 0);
	while (n < CHANGES || (read_count(&n_frames) < FRAMES && n < CHANGES_MAX)) {
		change(c, n++ & 1);
		if (look && read_count(&n_wrong))
			break;
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	return n_wrong;
}

#define M1 "02:00:00:00:00:01"
#define M2 "02:00:00:00:00:02"

static void no_frame_meets_a_set_that_is_neither_old_nor_new(void **state)
{
	const struct change changes[] = {
		{ "another inline IP",
		  { A0, A0 },
		  { TAG_10, TAG_10 },
		  { ADDRS(M1 " 10.0.0.1", M1 " fd00::1"), ADDRS(M1 " 10.0.0.2", M1 " fd00::1") } },
		{ "inside and outside swap",
		  { A0, A0 },
		  { TAG_10, TAG_10 },
		  { ADDRS(M1 " 10.0.0.1", M1 " 10.0.0.2"),
		    ADDRS(M1 " 10.0.0.2", M1 " 10.0.0.1") } },
		{ "a MAC comes first",
		  { A0, A0 },
		  { TAG_10, TAG_10 },
		  { ADDRS(M1 " 10.0.0.1", M1 " 10.0.0.2"),
		    ADDRS(M2 " fd00::1", M1 " 10.0.0.1", M1 " 10.0.0.2") } },
		{ "filter on and off",
		  { A0, A0 },
		  { TAG_10, TAG_10 },
		  { ADDRS(M1, M2 " 10.0.0.1"), ADDRS(M1 " 10.0.0.1", M1 " 10.0.0.2", M2) } },
		{ "an IP for all MACs",
		  { A0, A0 },
		  { TAG_10, TAG_10 },
		  { ADDRS(M1 " 10.0.0.1", M2 " fd00::1"),
		    ADDRS(M1 " 10.0.0.1", M2 " fd00::1", "fd00::2") } },
		{ "MACs give way to IPs alone",
		  { A0, A0 },
		  { TAG_10, TAG_10 },
		  { ADDRS(M1 " 10.0.0.1", M2 " fd00::1"), ADDRS("10.0.0.1", "fd00::2") } },
		{ "an IP is bound and set free",
		  { A0, A0 },
		  { TAG_10, TAG_10 },
		  { ADDRS(M1 " 10.0.0.1", M1 " 10.0.0.2", M2 " fd00::1"),
		    ADDRS(M1 " 10.0.0.1", M2 " fd00::1", "10.0.0.2") } },
		{ "addresses of their own",
		  { A0, A0 },
		  { TAG_10, TAG_10 },
		  { ADDRS(M1 " 10.0.0.1", "-" M1 " 10.0.0.2", "-" M2),
		    ADDRS(M1 " 10.0.0.1", M1 " 10.0.0.2", M2) } },
	};

	(void)state;
	dpw_fdb(&ebpf, "02:00:00:00:00:99", VTEP(0), NONE);
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		uint64_t wrong = pump_while_changing(&changes[i], say_change, false);

		if (wrong)
			fail_msg("%s: %lu frames", changes[i].name, wrong);
	}
}

static void say_off_and_on(const struct change *c, int i)
{
	dpw_tsi(&ebpf, 1, c->port[0], c->tag[0], i, c->sets[0]);
	dpw_apply(&ebpf);
}

static void the_pump_sees_a_set_that_is_missing_for_a_moment(void **state)
{
	const struct change c = {
		"off and on", { A0, A0 }, { TAG_10, TAG_10 }, { ADDRS(M1), ADDRS(M1) }
	};

	(void)state;
	dpw_fdb(&ebpf, "02:00:00:00:00:99", VTEP(0), NONE);
	assert_true(pump_while_changing(&c, say_off_and_on, true) > 0);
}

static int set_up(void **state)
{
	(void)state;
	dpw_open(&ebpf, &dpw_backends[1]);
	dpw_vap(&ebpf, A0, TAG_10, 1);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	dpw_close(&ebpf);
	return 0;
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(no_frame_meets_a_set_that_is_neither_old_nor_new),
		T(the_pump_sees_a_set_that_is_missing_for_a_moment),
	};

	if (geteuid() != 0) {
		puts("skipped: needs root");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
