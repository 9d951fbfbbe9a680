/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The token bucket of the programs, compiled for user space, at times that the test chooses, held
 * against a plain one that counts tokens.
 */
#include <linux/types.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/qos.h"
#include "nve_abi.h"

static uint64_t now_ns;
static bool nve_dry;

static uint64_t bpf_ktime_get_ns(void)
{
	return now_ns;
}

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif
#include "meter.h"

#define SEC 1000000000.0

/* As the agent makes it (ebpf_meter.c). */
static struct nve_meter meter_of(uint64_t rate, uint32_t burst)
{
	return (struct nve_meter){ .cost = (8000000000ull << 16) / rate,
				   .burst = burst * 1000000000ull / (rate / 8) };
}

static void a_bucket_gives_its_burst_at_once_and_then_its_rate(void **state)
{
	struct nve_meter m = meter_of(8000000, 10000); /* a byte a microsecond */
	unsigned passed = 0;

	(void)state;
	now_ns = 5000000000;
	for (int i = 0; i < 20; i++)
		passed += nve_meter_pass(&m, 1000);
	assert_int_equal(passed, 10);
	now_ns += 999000;
	assert_false(nve_meter_pass(&m, 1000));
	now_ns += 1000;
	assert_true(nve_meter_pass(&m, 1000));
	assert_false(nve_meter_pass(&m, 1));
	now_ns += 3600000000000; /* an hour saves up no more than the burst */
	for (passed = 0; nve_meter_pass(&m, 1000);)
		passed++;
	assert_int_equal(passed, 10);
}

static void a_frame_beyond_the_burst_passes_when_the_bucket_is_full_and_is_paid_for(void **state)
{
	struct nve_meter m = meter_of(8000000, 10000);

	(void)state;
	now_ns = 1;
	assert_true(nve_meter_pass(&m, 64000));
	now_ns += 64000000 - 1000;
	assert_false(nve_meter_pass(&m, 64000));
	assert_true(nve_meter_pass(&m, 9000));
	assert_false(nve_meter_pass(&m, 64000));
	now_ns += 9001000;
	assert_true(nve_meter_pass(&m, 64000));
}

static void without_a_rate_all_passes_and_a_dry_run_takes_nothing(void **state)
{
	struct nve_meter none = { 0 }, m = meter_of(64000, 9216);

	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_true(nve_meter_pass(&none, 65536));
	nve_dry = true;
	for (int i = 0; i < 10; i++)
		assert_true(nve_meter_pass(&m, 9216));
	nve_dry = false;
	assert_int_equal(m.full, 0);
	assert_true(nve_meter_pass(&m, 9216));
	nve_dry = true;
	assert_false(nve_meter_pass(&m, 60));
	nve_dry = false;
}

/* A bucket of tokens, which are bytes. */
struct plain {
	double tokens, burst, rate;
	uint64_t at;
};

static bool plain_pass(struct plain *p, uint32_t len)
{
	p->tokens += (now_ns - p->at) * p->rate / SEC;
	p->at = now_ns;
	if (p->tokens > p->burst)
		p->tokens = p->burst;
	if (p->tokens < len && p->tokens < p->burst)
		return false;
	p->tokens -= len;
	return true;
}

static uint32_t length(void)
{
	static const uint32_t lengths[] = { 60, 64, 590, 1514, 9014, 65226, 524288 };

	return random() % 4 ? lengths[random() % 4] : lengths[random() % 7];
}

/* In bytes that passed; a verdict on the edge may differ, and is made up for at once. */
static void at_every_rate_it_lets_as_much_pass_as_a_bucket_of_tokens(void **state)
{
	static const uint64_t rates[] = { NVE_QOS_RATE_MIN, 1000000,     10000000,
					  1000000000,       10000000000, NVE_QOS_RATE_MAX };

	(void)state;
	srandom(96);
	for (size_t r = 0; r < sizeof(rates) / sizeof(rates[0]); r++)
		for (int round = 0; round < 20; round++) {
			struct nve_qos asked = { .from_tsi = rates[r],
						 .from_tsi_burst = (uint32_t)random() % 1000000 };
			struct nve_qos q = nve_qos_grant(&asked, 0);
			struct nve_meter m = meter_of(q.from_tsi, q.from_tsi_burst);
			struct plain p = { .tokens = q.from_tsi_burst,
					   .burst = q.from_tsi_burst,
					   .rate = q.from_tsi / 8.0 };
			double got = 0, want = 0;

			now_ns = p.at = 1 + (uint64_t)random();
			for (int i = 0; i < 2000; i++) {
				uint32_t len = length();

				got += nve_meter_pass(&m, len) ? len : 0;
				want += plain_pass(&p, len) ? len : 0;
				/* Offered: from half of the rate to four times as much. */
				now_ns += (uint64_t)(len * SEC / p.rate *
						     ((random() % 175 + 25) / 100.0));
			}
			if (fabs(got - want) > want * 0.02 + 2 * 524288)
				fail_msg("%lu bit/s, burst %u: %.0f bytes, not %.0f", q.from_tsi,
					 q.from_tsi_burst, got, want);
		}
}

enum { THREADS = 4, TRIES = 200000 };

static void *hammer(void *arg)
{
	uintptr_t passed = 0;

	for (int i = 0; i < TRIES; i++)
		passed += nve_meter_pass(arg, 100);
	return (void *)passed;
}

/* Time stands: what passes is the burst, and no more than one frame a thread beyond it. */
static void cpus_that_race_let_at_most_one_frame_each_too_many_pass(void **state)
{
	struct nve_meter m = meter_of(8000000, 1000000);
	pthread_t threads[THREADS];
	uintptr_t passed = 0, n;

	(void)state;
	now_ns = 1000;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hammer, &m), 0);
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], (void **)&n), 0);
		passed += n;
	}
	assert_in_range(passed, 10000, 10000 + THREADS);
	assert_int_equal(m.full, now_ns + passed * 100000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bucket_gives_its_burst_at_once_and_then_its_rate),
		cmocka_unit_test(
			a_frame_beyond_the_burst_passes_when_the_bucket_is_full_and_is_paid_for),
		cmocka_unit_test(without_a_rate_all_passes_and_a_dry_run_takes_nothing),
		cmocka_unit_test(at_every_rate_it_lets_as_much_pass_as_a_bucket_of_tokens),
		cmocka_unit_test(cpus_that_race_let_at_most_one_frame_each_too_many_pass),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
