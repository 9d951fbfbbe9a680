/* SPDX-License-Identifier: Apache-2.0 */
/* What a person types for addresses, TSI IDs, VNs, timers, parameters and the agent's address. */
#include "nvectl/parse.c" /* nvectl is in no library */

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void a_tsi_id_is_a_uuid_or_32_hex_digits(void **state)
{
	static const uint8_t want[16] = { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
					  0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10 };
	static const char *const good[] = { "01234567-89ab-cdef-fedc-ba9876543210",
					    "01234567-89AB-CDEF-FEDC-BA9876543210",
					    "0123456789abcdeffedcba9876543210" };
	static const char *const bad[] = { "",
					   "0123456789abcdeffedcba987654321",
					   "0123456789abcdeffedcba98765432100",
					   "0123456789abcdeffedcba987654321g",
					   "0123456789ab-cdef-fedc-ba9876543210-",
					   "01234567-89ab-cdef-fedc-ba98765432-0",
					   "01234567:89ab:cdef:fedc:ba9876543210" };
	struct nve_tsi_id id;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		memset(&id, 0, sizeof(id));
		assert_int_equal(ctl_parse_tsi_id(good[i], &id), 0);
		assert_memory_equal(id.bytes, want, sizeof(want));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(ctl_parse_tsi_id(bad[i], &id), -EINVAL);
		assert_memory_equal(id.bytes, want, sizeof(want));
	}
}

static void assert_addr(const char *text, struct nve_addr want)
{
	struct nve_addr got;

	assert_int_equal(ctl_parse_addr(text, &got), 0);
	assert_memory_equal(&got, &want, sizeof(got));
}

/* S93 */
static void an_address_is_a_mac_an_ip_or_both(void **state)
{
	struct nve_addr mac = { NVE_ADDR_MAC, { 2, 0, 0, 0, 0xab, 1 }, 0, { 0 } };
	struct nve_addr ip4 = { NVE_ADDR_IPV4, { 0 }, 0, { 10, 0, 0, 1 } };
	struct nve_addr ip6 = { NVE_ADDR_IPV6, { 0 }, 0, { 0x20, 1, 0x0d, 0xb8, [15] = 1 } };
	struct nve_addr both = {
		NVE_ADDR_MAC | NVE_ADDR_IPV4, { 2, 0, 0, 0, 0xab, 1 }, 0, { 10, 0, 0, 1 }
	};
	struct nve_addr both6 = { NVE_ADDR_MAC | NVE_ADDR_IPV6,
				  { 2, 0, 0, 0, 0xab, 1 },
				  0,
				  { 0x20, 1, 0x0d, 0xb8, [15] = 1 } };

	(void)state;
	assert_addr("02:00:00:00:ab:01", mac);
	assert_addr("02-00-00-00-AB-01", mac);
	assert_addr("10.0.0.1", ip4);
	assert_addr("2001:db8::1", ip6);
	assert_addr("02:00:00:00:ab:01/10.0.0.1", both);
	assert_addr("02:00:00:00:ab:01/2001:db8::1", both6);
}

static void what_is_no_address_leaves_the_result_alone(void **state)
{
	static const char *const bad[] = { "",
					   "02:00:00:00:ab",
					   "02:00:00:00:ab:01:02",
					   "02:00:00:00:ab-01",
					   "02.00.00.00.ab.01",
					   "2:0:0:0:ab:1",
					   "02:00:00:00:ab:01/",
					   "02:00:00:00:ab:01/24",
					   "02:00:00:00:ab:01/10.0.0.1/24",
					   "10.0.0.1/02:00:00:00:ab:01",
					   "/10.0.0.1",
					   "10.0.0",
					   "10.0.0.256",
					   "10.0.0.1/24",
					   "fe80::1%eth0",
					   "02:00:00:00:ab:0g" };
	struct nve_addr before, got;

	(void)state;
	memset(&before, 0x5a, sizeof(before));
	got = before;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(ctl_parse_addr(bad[i], &got), -EINVAL);
		assert_memory_equal(&got, &before, sizeof(got));
	}
}

/* S37 */
static void a_vn_is_a_number_or_a_name(void **state)
{
	struct ctl_vn vn;

	(void)state;
	assert_int_equal(ctl_parse_vn("100", &vn), 0);
	assert_null(vn.name);
	assert_int_equal(vn.id, 100);
	assert_int_equal(ctl_parse_vn("blue", &vn), 0);
	assert_string_equal(vn.name, "blue");
	assert_int_equal(ctl_parse_vn("7up", &vn), 0);
	assert_string_equal(vn.name, "7up");
	assert_int_equal(ctl_parse_vn("name:7", &vn), 0);
	assert_string_equal(vn.name, "7");
	assert_int_equal(ctl_parse_vn("", &vn), -EINVAL);
	assert_int_equal(ctl_parse_vn("4294967296", &vn), -EINVAL);
	assert_string_equal(vn.name, "7");
}

static void numbers_and_timers_are_decimal_and_fit(void **state)
{
	uint32_t n = 5;

	(void)state;
	assert_int_equal(ctl_parse_u32("4294967295", &n), 0);
	assert_int_equal(n, UINT32_MAX);
	assert_int_equal(ctl_parse_u32("4294967296", &n), -EINVAL);
	assert_int_equal(ctl_parse_u32("99999999999999999999999", &n), -EINVAL);
	assert_int_equal(ctl_parse_u32("-1", &n), -EINVAL);
	assert_int_equal(ctl_parse_u32("0x10", &n), -EINVAL);
	assert_int_equal(ctl_parse_u32("", &n), -EINVAL);
	assert_int_equal(n, UINT32_MAX);
	assert_int_equal(ctl_parse_timer("30000", &n), 0);
	assert_int_equal(n, 30000);
	assert_int_equal(ctl_parse_timer("off", &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(ctl_parse_timer("never", &n), -EINVAL);
}

static void seconds_have_a_fraction_and_bounds(void **state)
{
	static const char *const bad[] = {
		"", "0", "-1", "1s", "nan", "inf", "86401", "1e400", " 1"
	};
	uint64_t ms = 0;

	(void)state;
	assert_int_equal(ctl_parse_seconds("2.5", &ms), 0);
	assert_int_equal(ms, 2500);
	assert_int_equal(ctl_parse_seconds(".001", &ms), 0);
	assert_int_equal(ms, 1);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(ctl_parse_seconds(bad[i], &ms), -EINVAL);
	assert_int_equal(ms, 1);
}

/* S96 */
static void a_parameter_is_critical_with_an_exclamation_mark(void **state)
{
	char plain[] = "org.example.qos=a=b", critical[] = "x=y!", empty[] = "x=", bang[] = "x=!";
	char none[] = "=x", bare[] = "x";
	struct ctl_param p;

	(void)state;
	assert_int_equal(ctl_parse_param(plain, &p), 0);
	assert_string_equal(p.name, "org.example.qos");
	assert_int_equal(p.value_len, 3);
	assert_memory_equal(p.value, "a=b", 3);
	assert_false(p.critical);
	assert_int_equal(ctl_parse_param(critical, &p), 0);
	assert_int_equal(p.value_len, 1);
	assert_true(p.critical);
	assert_int_equal(ctl_parse_param(empty, &p), 0);
	assert_int_equal(p.value_len, 0);
	assert_false(p.critical);
	assert_int_equal(ctl_parse_param(bang, &p), 0);
	assert_int_equal(p.value_len, 0);
	assert_true(p.critical);
	assert_int_equal(ctl_parse_param(none, &p), -EINVAL);
	assert_int_equal(ctl_parse_param(bare, &p), -EINVAL);
}

static void assert_server(const char *text, const char *want, bool want_tls)
{
	char got[64];
	bool tls = !want_tls;

	assert_int_equal(ctl_parse_server(text, got, sizeof(got), &tls), 0);
	assert_string_equal(got, want);
	assert_int_equal(tls, want_tls);
}

static void the_agent_is_at_a_unix_socket_or_a_loopback_port(void **state)
{
	(void)state;
	assert_server("unix:/run/x.sock", "unix:/run/x.sock", false);
	assert_server("/run/x.sock", "unix:/run/x.sock", false);
	assert_server("unix-abstract:x", "unix-abstract:x", false);
	assert_server("127.0.0.1:50051", "dns:///127.0.0.1:50051", false);
	assert_server("localhost:1", "dns:///localhost:1", false);
	assert_server("[::1]:65535", "ipv6:[::1]:65535", false);
}

static void off_this_machine_it_is_reached_through_TLS_and_elsewhere_on_request(void **state)
{
	(void)state;
	assert_server("10.0.0.1:5", "dns:///10.0.0.1:5", true);
	assert_server("nve.example:5", "dns:///nve.example:5", true);
	assert_server("[2001:db8::1]:5", "ipv6:[2001:db8::1]:5", true);
	assert_server("tls:10.0.0.1:5", "dns:///10.0.0.1:5", true);
	assert_server("tls:127.0.0.1:5", "dns:///127.0.0.1:5", true);
	assert_server("tls:[::1]:5", "ipv6:[::1]:5", true);
}

static void a_misspelt_address_is_refused_and_nothing_is_written(void **state)
{
	static const char *const bad[] = {
		"",     "unix:",   "host",        "127.0.0.1",       "127.0.0.1:",
		":5",   "::1:5",   "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:x",
		"tls:", "tls:nve", "tls:unix:/x"
	};
	char got[64] = "as it was", small[8];
	bool tls;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(ctl_parse_server(bad[i], got, sizeof(got), &tls), -EINVAL);
	assert_string_equal(got, "as it was");
	assert_int_equal(ctl_parse_server("unix:/long", small, sizeof(small), &tls), -EINVAL);
	assert_int_equal(ctl_parse_server("127.0.0.1:50051", small, sizeof(small), &tls), -EINVAL);
}

static void a_rate_is_bits_and_behind_a_slash_the_burst(void **state)
{
	static const char *const bad[] = { "",   "M",    "10X",  "10M/", "10M/64k/1",
					   "-1", "10 M", "1.5M", "1/5G", "99999999999999999999" };
	static const struct {
		const char *text;
		uint64_t rate;
		uint32_t burst;
	} good[] = { { "64000", 64000, 0 },
		     { "10M", 10000000, 0 },
		     { "100G/4G", 100000000000, 4000000000 },
		     { "64k/9216", 64000, 9216 },
		     { "0", 0, 0 } };
	uint64_t rate = 7;
	uint32_t burst = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(ctl_parse_rate(bad[i], &rate, &burst), -EINVAL);
	assert_true(rate == 7 && burst == 7);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(ctl_parse_rate(good[i].text, &rate, &burst), 0);
		assert_int_equal(rate, good[i].rate);
		assert_int_equal(burst, good[i].burst);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tsi_id_is_a_uuid_or_32_hex_digits),
		cmocka_unit_test(an_address_is_a_mac_an_ip_or_both),
		cmocka_unit_test(what_is_no_address_leaves_the_result_alone),
		cmocka_unit_test(a_vn_is_a_number_or_a_name),
		cmocka_unit_test(numbers_and_timers_are_decimal_and_fit),
		cmocka_unit_test(seconds_have_a_fraction_and_bounds),
		cmocka_unit_test(a_parameter_is_critical_with_an_exclamation_mark),
		cmocka_unit_test(the_agent_is_at_a_unix_socket_or_a_loopback_port),
		cmocka_unit_test(a_rate_is_bits_and_behind_a_slash_the_burst),
		cmocka_unit_test(
			off_this_machine_it_is_reached_through_TLS_and_elsewhere_on_request),
		cmocka_unit_test(a_misspelt_address_is_refused_and_nothing_is_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
