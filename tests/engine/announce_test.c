/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames of an arrival, byte for byte.  The expected ones were made by scapy, padded to 60 bytes:
 * another hand than the one that wrote the code.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine_announce.h"

static const struct nve_addr mac = { .flags = NVE_ADDR_MAC, .mac = { 2, 0, 0, 0, 0, 1 } };

static struct nve_addr with_ip(uint8_t flag, const uint8_t ip[16])
{
	struct nve_addr addr = mac;

	addr.flags |= flag;
	memcpy(addr.ip, ip, 16);
	return addr;
}

static bool is_hex(const uint8_t *frame, size_t len, const char *hex)
{
	char got[2 * NVE_ANNOUNCE_MAX + 1] = "";

	for (size_t i = 0; i < len; i++)
		snprintf(got + 2 * i, 3, "%02x", frame[i]);
	if (strcmp(got, hex) != 0)
		print_message("got  %s\nwant %s\n", got, hex);
	return !strcmp(got, hex);
}

static const char garp[] = "ffffffffffff02000000000108060001"
			   "0800060400010200000000010a000007"
			   "0000000000000a000007000000000000"
			   "000000000000000000000000";

static void an_ipv4_with_mac_is_announced_by_gratuitous_arp(void **state)
{
	struct nve_addr addr = with_ip(NVE_ADDR_IPV4, (const uint8_t[16]){ 10, 0, 0, 7 });
	uint8_t frame[NVE_ANNOUNCE_MAX];
	size_t len = nve_announce_addr(&addr, frame);

	(void)state;
	assert_true(is_hex(frame, len, garp));
}

static void the_comparer_rejects_a_frame_with_one_bit_wrong(void **state)
{
	struct nve_addr addr = with_ip(NVE_ADDR_IPV4, (const uint8_t[16]){ 10, 0, 0, 7 });
	uint8_t frame[NVE_ANNOUNCE_MAX];
	size_t len = nve_announce_addr(&addr, frame);

	(void)state;
	frame[41] ^= 1;
	assert_false(is_hex(frame, len, garp));
}

static void an_ipv6_with_mac_is_announced_by_an_overriding_advertisement_to_all_nodes(void **state)
{
	static const uint8_t ip[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 7 };
	struct nve_addr addr = with_ip(NVE_ADDR_IPV6, ip);
	uint8_t frame[NVE_ANNOUNCE_MAX];
	size_t len = nve_announce_addr(&addr, frame);

	(void)state;
	assert_true(is_hex(frame, len,
			   "33330000000102000000000186dd6000"
			   "000000203aff20010db8000000000000"
			   "000000000007ff020000000000000000"
			   "0000000000018800791ea00000002001"
			   "0db80000000000000000000000070201"
			   "020000000001"));
}

static void a_mac_alone_is_announced_by_rarp(void **state)
{
	uint8_t frame[NVE_ANNOUNCE_MAX];
	size_t len = nve_announce_addr(&mac, frame);

	(void)state;
	assert_true(is_hex(frame, len,
			   "ffffffffffff02000000000180350001"
			   "08000604000302000000000100000000"
			   "02000000000100000000000000000000"
			   "000000000000000000000000"));
}

static void an_ip_alone_is_not_announced(void **state)
{
	const struct nve_addr addr = { .flags = NVE_ADDR_IPV4, .ip = { 10, 0, 0, 7 } };
	uint8_t frame[NVE_ANNOUNCE_MAX];

	(void)state;
	assert_int_equal(nve_announce_addr(&addr, frame), 0);
}

static void the_igmp_query_is_version_3_from_nobody_with_router_alert(void **state)
{
	uint8_t frame[NVE_ANNOUNCE_MAX];
	size_t len = nve_announce_igmp_query(frame);

	(void)state;
	assert_true(is_hex(frame, len,
			   "01005e000001026e76656400080046c0"
			   "0024000000000102441300000000e000"
			   "000194040000110aec7800000000027d"
			   "000000000000000000000000"));
}

static void the_mld_query_is_version_2_from_a_link_local_address_with_router_alert(void **state)
{
	uint8_t frame[NVE_ANNOUNCE_MAX];
	size_t len = nve_announce_mld_query(frame);

	(void)state;
	assert_true(is_hex(frame, len,
			   "333300000001026e7665640086dd6000"
			   "000000240001fe80000000000000ffff"
			   "ffffffffffffff020000000000000000"
			   "0000000000013a000502000001008200"
			   "79bf03e8000000000000000000000000"
			   "000000000000027d0000"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_ipv4_with_mac_is_announced_by_gratuitous_arp),
		cmocka_unit_test(the_comparer_rejects_a_frame_with_one_bit_wrong),
		cmocka_unit_test(
			an_ipv6_with_mac_is_announced_by_an_overriding_advertisement_to_all_nodes),
		cmocka_unit_test(a_mac_alone_is_announced_by_rarp),
		cmocka_unit_test(an_ip_alone_is_not_announced),
		cmocka_unit_test(the_igmp_query_is_version_3_from_nobody_with_router_alert),
		cmocka_unit_test(
			the_mld_query_is_version_2_from_a_link_local_address_with_router_alert),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
