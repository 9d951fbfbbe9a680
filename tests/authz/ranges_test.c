/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of ranges, and what a question to a large policy costs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "authz/policy.h"
#include "authz/ranges.h"

static void the_first_and_the_last_number_of_a_prefix_are_in_it(void **state)
{
	static const struct {
		unsigned bits, prefix;
		struct nve_number first, last;
	} cases[] = {
		{ 32, 0, { 0, 0 }, { 0, UINT32_MAX } },
		{ 32, 32, { 0, 7 }, { 0, 7 } },
		{ 48, 24, { 0, 0x020000000000 }, { 0, 0x020000ffffff } },
		{ 128, 64, { 5, 0 }, { 5, UINT64_MAX } },
		{ 128, 65, { 5, 0 }, { 5, UINT64_MAX >> 1 } },
		{ 128, 60, { 16, 0 }, { 31, UINT64_MAX } },
		{ 128, 0, { 0, 0 }, { UINT64_MAX, UINT64_MAX } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct nve_number first = cases[i].first, last = cases[i].last;
		struct nve_ranges ranges = { 0 };

		assert_int_equal(
			nve_ranges_add_prefix(&ranges, first, cases[i].bits, cases[i].prefix), 0);
		assert_int_equal(ranges.list[0].first.high, first.high);
		assert_int_equal(ranges.list[0].first.low, first.low);
		assert_int_equal(ranges.list[0].last.high, last.high);
		assert_int_equal(ranges.list[0].last.low, last.low);
		assert_false(nve_number_exceeds(first, cases[i].bits, cases[i].prefix));
		assert_true(cases[i].prefix == cases[i].bits ||
			    nve_number_exceeds(last, cases[i].bits, cases[i].prefix));
		nve_ranges_free(&ranges);
	}
}

static void ranges_that_touch_or_lie_in_one_another_are_as_one(void **state)
{
	struct nve_ranges ranges = { 0 };
	uint32_t has = 0;

	(void)state;
	for (uint64_t i = 0; i < 50; i++) {
		uint64_t first = i * 37 % 50 * 20;

		assert_int_equal(nve_ranges_add(&ranges, (struct nve_number){ 0, first },
						(struct nve_number){ 0, first + i % 30 }),
				 0);
	}
	nve_ranges_seal(&ranges);
	for (uint64_t value = 0; value < 1100; value++) {
		bool in = false;

		for (uint64_t i = 0; i < 50; i++) {
			uint64_t first = i * 37 % 50 * 20;

			in |= value >= first && value <= first + i % 30;
		}
		assert_int_equal(nve_ranges_has(&ranges, (struct nve_number){ 0, value }), in);
		assert_false(nve_ranges_has(&ranges, (struct nve_number){ 1, value }));
		has += in;
	}
	assert_true(has > 100);
	nve_ranges_free(&ranges);
}

#define ROLE "roles:\n - name: r\n   identities: ['*']\n"

static struct nve_policy *policy_of(unsigned rules)
{
	size_t size = 65536 + rules * 200, len = 0;
	char *text = malloc(size);
	static const char *const keys[] = { "vns", "macs", "ips", "tsis" };
	struct nve_policy *policy;

	len += (size_t)snprintf(text, size, ROLE);
	for (size_t k = 0; k < 4; k++) {
		len += (size_t)snprintf(text + len, size - len, "   %s: [", keys[k]);
		for (unsigned i = 0; i < rules; i++) {
			const char *sep = i ? "," : "";

			if (k == 0)
				len += (size_t)snprintf(text + len, size - len, "%s'%u'", sep,
							2 * i + 1);
			if (k == 1)
				len += (size_t)snprintf(text + len, size - len,
							"%s'02:00:%02x:%02x:00:00/32'", sep,
							i >> 7 & 255, 2 * i & 255);
			if (k == 2)
				len += (size_t)snprintf(text + len, size - len, "%s10.%u.%u.0/24",
							sep, i >> 7 & 255, 2 * i & 255);
			if (k == 3)
				len += (size_t)snprintf(text + len, size - len, "%s'%08x/32'", sep,
							2 * i + 1);
		}
		len += (size_t)snprintf(text + len, size - len, "]\n");
	}
	assert_int_equal(nve_policy_parse("p", text, len, &policy, NULL), 0);
	free(text);
	return policy;
}

/* The least time of one whole check, in nanoseconds. */
static double cost(const struct nve_policy *policy, unsigned rules)
{
	const struct nve_role *role = nve_policy_role(policy, "unix:1");
	double least = 1e9;

	for (int round = 0; round < 20; round++) {
		struct timespec begin, end;
		unsigned allowed = 0;
		double ns;

		clock_gettime(CLOCK_MONOTONIC, &begin);
		for (unsigned i = 0; i < 2000; i++) {
			unsigned rule = i * 7919 % rules;
			struct nve_addr addr = {
				.flags = NVE_ADDR_MAC | NVE_ADDR_IPV4,
				.mac = { 2, 0, (uint8_t)(rule >> 7), (uint8_t)(2 * rule), 1, 1 },
				.ip = { 10, (uint8_t)(rule >> 7), (uint8_t)(2 * rule), 9 }
			};
			uint32_t first = 2 * rule + 1;
			struct nve_tsi_id id = { { (uint8_t)(first >> 24), (uint8_t)(first >> 16),
						   (uint8_t)(first >> 8), (uint8_t)first } };

			allowed += nve_role_vn(role, first, "") && nve_role_tsi(role, &id) &&
				   nve_role_addr(role, &addr);
		}
		clock_gettime(CLOCK_MONOTONIC, &end);
		assert_int_equal(allowed, 2000);
		ns = (double)(end.tv_sec - begin.tv_sec) * 1e9 +
		     (double)(end.tv_nsec - begin.tv_nsec);
		least = ns / 2000 < least ? ns / 2000 : least;
	}
	return least;
}

/* A linear search would take 100 times as long. */
static void a_check_against_a_thousand_rules_costs_little_more_than_against_ten(void **state)
{
	struct nve_policy *few = policy_of(10), *many = policy_of(1000);
	double ten = cost(few, 10), thousand = cost(many, 1000);

	(void)state;
	print_message("VN, TSI, MAC and IP: %.0f ns with 10 rules each, %.0f ns with 1000\n", ten,
		      thousand);
	assert_true(thousand < 8 * ten);
	nve_policy_free(few);
	nve_policy_free(many);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_and_the_last_number_of_a_prefix_are_in_it),
		cmocka_unit_test(ranges_that_touch_or_lie_in_one_another_are_as_one),
		cmocka_unit_test(
			a_check_against_a_thousand_rules_costs_little_more_than_against_ten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
