/* SPDX-License-Identifier: Apache-2.0 */
/* Arrival by migration (D16, B20, S88): when the engine announces what, on the fake datapath. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/engine_world.h"

static int setup(void **state)
{
	struct world *w = malloc(sizeof(*w));

	ew_init(w);
	ew_open(w);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	ew_done(*state);
	free(*state);
	return 0;
}

/* Sends all that is to be sent within 'ms'. */
static void wait_ms(struct world *w, uint64_t ms)
{
	ew_run_until(w, w->now_ns + ms * 1000000);
}

/* "V:garp A:igmp" ..: what was sent since the last call; V into the VN, A to the VAP. */
static const char *sent(struct world *w)
{
	static char text[8192];
	const struct nve_fake_sent *s;
	size_t n, at = 0;

	s = nve_fake_sent(ew_dp(w), &n);
	*text = '\0';
	for (size_t i = 0; i < n && at + 32 < sizeof(text); i++) {
		const uint8_t *b = s[i].bytes;
		unsigned type = (unsigned)b[12] << 8 | b[13];
		const char *name = type == 0x0806   ? "garp"
				   : type == 0x8035 ? "rarp"
				   : type == 0x0800 ? "igmp"
				   : b[54] == 136   ? "na"
						    : "mld";

		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s:%s", at ? " " : "",
				       s[i].to_vn ? "V" : "A", name);
		if (s[i].to_vn)
			at += (size_t)snprintf(text + at, sizeof(text) - at, "%u", b[11]);
	}
	nve_fake_forget_sent(ew_dp(w));
	return text;
}

static struct nve_addr mac_ip6(uint8_t n)
{
	struct nve_addr addr = ew_mac(n);

	addr.flags |= NVE_ADDR_IPV6;
	memcpy(addr.ip, (uint8_t[]){ 0xfd, [15] = n }, 16);
	return addr;
}

static void arrival(struct call *c, uint8_t tsi, uint16_t port, const struct nve_addr *addrs,
		    uint32_t n)
{
	ew_call_init(c, NVE_EV_ACTIVATE, tsi, port, 100);
	ew_call_addrs(c, addrs, n);
	c->req.ev.cause = NVE_CAUSE_MIGRATE_IN;
}

static void an_arrival_is_announced_into_the_vn_and_the_tsi_is_queried(void **state)
{
	struct nve_addr addrs[] = { ew_mac_ip(1, 1), mac_ip6(1), ew_mac(2), ew_only_ip(9) };
	const struct nve_fake_sent *s;
	struct world *w = *state;
	struct call c;
	size_t n;

	arrival(&c, 1, P1, addrs, 4);
	assert_int_equal(ew_call(w, &c), NVE_REASON_OK);
	wait_ms(w, 100);
	s = nve_fake_sent(ew_dp(w), &n);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(s[i].vn_id, 100);
		assert_int_equal(s[i].port, P1);
		assert_int_equal(s[i].tag, c.answer.tag);
	}
	assert_string_equal(sent(w), "V:garp1 V:na1 V:rarp2 A:igmp A:mld");
	assert_int_equal(nve_engine_counters(w->engine)->announced, 5);
	wait_ms(w, 10000);
	assert_string_equal(sent(w), "");
}

static void other_causes_and_associate_announce_nothing(void **state)
{
	static const uint8_t causes[] = { NVE_CAUSE_UNSPECIFIED, NVE_CAUSE_CREATE,
					  NVE_CAUSE_RESUME };
	struct nve_addr addr = ew_mac_ip(1, 1);
	struct world *w = *state;
	struct call c;

	arrival(&c, 1, P1, &addr, 1);
	c.req.ev.kind = NVE_EV_ASSOCIATE;
	assert_int_equal(ew_call(w, &c), NVE_REASON_OK);
	for (size_t i = 0; i < 3; i++) {
		arrival(&c, 1, P1, &addr, 1);
		c.req.ev.cause = causes[i];
		assert_int_equal(ew_call(w, &c), NVE_REASON_OK);
		assert_int_equal(ew_ask(w, NVE_EV_DEACTIVATE, 1, P1, 100, 0), NVE_REASON_OK);
	}
	wait_ms(w, 1000);
	assert_string_equal(sent(w), "");
}

static void a_repeated_activate_announces_nothing(void **state)
{
	struct nve_addr addr = ew_mac_ip(1, 1);
	struct world *w = *state;
	struct call c;

	arrival(&c, 1, P1, &addr, 1);
	assert_int_equal(ew_call(w, &c), NVE_REASON_OK);
	wait_ms(w, 100);
	assert_string_equal(sent(w), "V:garp1 A:igmp A:mld");
	assert_int_equal(ew_call(w, &c), NVE_REASON_OK);
	assert_true(c.answer.unchanged);
	c.req.ev.flags |= NVE_EV_HAS_KEEPACTIVE; /* a change, but nothing arrives by it */
	c.req.ev.keepactive_ms = 60000;
	assert_int_equal(ew_call(w, &c), NVE_REASON_OK);
	assert_false(c.answer.unchanged);
	wait_ms(w, 1000);
	assert_string_equal(sent(w), "");
}

/* D13: each address is announced when it comes into use, not again with the next one. */
static void addresses_that_were_in_use_before_are_not_announced_again(void **state)
{
	struct nve_addr addrs[] = { ew_mac_ip(1, 1), ew_mac_ip(2, 2) };
	struct world *w = *state;
	struct call c;

	arrival(&c, 1, P1, addrs, 2);
	c.req.ev.flags |= NVE_EV_HAS_ONLY;
	c.req.ev.only = &addrs[1];
	c.req.ev.n_only = 1;
	assert_int_equal(ew_call(w, &c), NVE_REASON_OK);
	wait_ms(w, 100);
	assert_string_equal(sent(w), "V:garp2 A:igmp A:mld");
	c.req.ev.only = &addrs[0];
	assert_int_equal(ew_call(w, &c), NVE_REASON_OK);
	wait_ms(w, 100);
	assert_string_equal(sent(w), "V:garp1 A:igmp A:mld");
}

static void a_mac_that_arrives_with_an_ip_needs_no_rarp(void **state)
{
	struct nve_addr addrs[] = { ew_mac(1), ew_mac_ip(1, 1) };
	struct world *w = *state;
	struct call c;

	arrival(&c, 1, P1, addrs, 2);
	assert_int_equal(ew_call(w, &c), NVE_REASON_OK);
	wait_ms(w, 100);
	assert_string_equal(sent(w), "V:garp1 A:igmp A:mld");
}

static void a_refused_or_undone_activate_announces_nothing(void **state)
{
	struct nve_addr addr = ew_mac_ip(1, 1);
	struct world *w = *state;
	struct call c;

	arrival(&c, 1, P1, &addr, 1);
	nve_store_memory_control(STORE_PATH)->commit = (struct nve_store_fault){ 0, 1, -EIO };
	assert_int_equal(ew_call(w, &c), NVE_REASON_STORE_FAILED);
	nve_fake_fail_apply(ew_dp(w), -EIO);
	assert_int_equal(ew_call(w, &c), NVE_REASON_DATAPATH_FAILED);
	c.req.ev.key.vn_id = 999;
	assert_int_equal(ew_call(w, &c), NVE_REASON_UNKNOWN_VN);
	wait_ms(w, 1000);
	assert_string_equal(sent(w), "");
	c.req.ev.key.vn_id = 100;
	assert_int_equal(ew_call(w, &c), NVE_REASON_OK);
	wait_ms(w, 100);
	assert_string_equal(sent(w), "V:garp1 A:igmp A:mld");
}

static void a_turn_that_is_run_again_one_by_one_announces_each_arrival_once(void **state)
{
	struct nve_addr addrs[] = { ew_mac_ip(1, 1), ew_mac_ip(2, 2) };
	struct world *w = *state;
	struct call a, b;

	arrival(&a, 1, P1, &addrs[0], 1);
	arrival(&b, 2, P2, &addrs[1], 1);
	nve_store_memory_control(STORE_PATH)->commit = (struct nve_store_fault){ 0, 1, -EIO };
	ew_call_submit(w, &a);
	ew_call_submit(w, &b);
	ew_run(w);
	assert_int_equal(a.answer.reason, NVE_REASON_OK);
	assert_int_equal(b.answer.reason, NVE_REASON_OK);
	wait_ms(w, 100);
	assert_string_equal(sent(w), "V:garp1 A:igmp A:mld V:garp2 A:igmp A:mld");
}

static void it_waits_a_second_for_the_next_hops_of_the_vns_vteps_and_no_longer(void **state)
{
	struct nve_addr addr = ew_mac_ip(1, 1);
	struct world *w = *state;
	struct call c;

	nve_fake_unresolved(ew_dp(w), true);
	arrival(&c, 1, P1, &addr, 1);
	assert_int_equal(ew_call(w, &c), NVE_REASON_OK);
	wait_ms(w, 500);
	assert_string_equal(sent(w), "");
	nve_fake_unresolved(ew_dp(w), false);
	wait_ms(w, 20);
	assert_string_equal(sent(w), "V:garp1 A:igmp A:mld");

	nve_fake_unresolved(ew_dp(w), true);
	addr = ew_mac_ip(2, 2);
	arrival(&c, 2, P1, &addr, 1);
	assert_int_equal(ew_call(w, &c), NVE_REASON_OK);
	wait_ms(w, 980);
	assert_string_equal(sent(w), "");
	wait_ms(w, 40);
	assert_string_equal(sent(w), "V:garp2 A:igmp A:mld");
}

static void a_tsi_that_leaves_before_its_turn_is_not_spoken_for(void **state)
{
	struct nve_addr addrs[] = { ew_mac_ip(1, 1), ew_mac_ip(2, 2) };
	struct world *w = *state;
	struct call c;

	nve_fake_unresolved(ew_dp(w), true);
	arrival(&c, 1, P1, addrs, 2);
	assert_int_equal(ew_call(w, &c), NVE_REASON_OK);
	ew_call_init(&c, NVE_EV_UPDATE, 1, P1, 100);
	c.req.ev.flags |= NVE_EV_HAS_ONLY;
	c.req.ev.only = &addrs[0];
	c.req.ev.n_only = 1;
	assert_int_equal(ew_call(w, &c), NVE_REASON_OK);
	arrival(&c, 2, P2, (struct nve_addr[]){ ew_mac_ip(3, 3) }, 1);
	assert_int_equal(ew_call(w, &c), NVE_REASON_OK);
	assert_int_equal(ew_ask(w, NVE_EV_DEACTIVATE, 2, P2, 100, 0), NVE_REASON_OK);
	nve_fake_unresolved(ew_dp(w), false);
	wait_ms(w, 100);
	assert_string_equal(sent(w), "V:garp2 A:igmp A:mld");
}

static void many_addresses_are_sent_a_few_at_a_time_while_requests_go_on(void **state)
{
	struct nve_addr addrs[NVE_TSI_ADDRS_MAX];
	struct world *w = *state;
	struct call c;
	size_t n;

	for (size_t i = 0; i < NVE_TSI_ADDRS_MAX; i++)
		addrs[i] = ew_mac_ip(1, (uint8_t)i);
	arrival(&c, 1, P1, addrs, NVE_TSI_ADDRS_MAX);
	assert_int_equal(ew_call(w, &c), NVE_REASON_OK);
	nve_fake_sent(ew_dp(w), &n);
	assert_int_equal(n, 16);
	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 2, P2, 100, 2), NVE_REASON_OK);
	nve_fake_sent(ew_dp(w), &n);
	assert_int_equal(n, 16); /* not yet: the pace is held whatever else happens */
	wait_ms(w, 40);
	nve_fake_sent(ew_dp(w), &n);
	assert_true(n > 16 && n < 256);
	wait_ms(w, 100);
	nve_fake_sent(ew_dp(w), &n);
	assert_int_equal(n, 258);
}

static void tsis_that_arrive_together_at_one_vap_cause_one_query(void **state)
{
	struct call calls[8];
	struct nve_addr addrs[8];
	struct world *w = *state;

	for (uint8_t i = 0; i < 8; i++) {
		addrs[i] = ew_mac(i + 1);
		arrival(&calls[i], i, i < 6 ? P1 : P2, &addrs[i], 1);
		ew_call_submit(w, &calls[i]);
	}
	ew_run(w);
	wait_ms(w, 100);
	assert_string_equal(sent(w), "V:rarp1 V:rarp2 V:rarp3 V:rarp4 V:rarp5 V:rarp6 A:igmp A:mld "
				     "V:rarp7 V:rarp8 A:igmp A:mld");
}

static void what_cannot_be_sent_is_counted_and_not_tried_for_ever(void **state)
{
	struct nve_addr addr = ew_mac_ip(1, 1);
	struct world *w = *state;
	struct call c;

	nve_fake_fail_send(ew_dp(w), -EIO);
	arrival(&c, 1, P1, &addr, 1);
	c.req.ev.flags |= NVE_EV_HAS_KEEPACTIVE;
	c.req.ev.keepactive_ms = 0;
	assert_int_equal(ew_call(w, &c), NVE_REASON_OK);
	wait_ms(w, 2000);
	assert_int_equal(nve_engine_counters(w->engine)->not_announced, 3);
	assert_int_equal(nve_engine_counters(w->engine)->announced, 0);
	assert_int_equal(nve_engine_next_deadline(w->engine), NVE_NEVER_NS);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_arrival_is_announced_into_the_vn_and_the_tsi_is_queried),
		T(other_causes_and_associate_announce_nothing),
		T(a_repeated_activate_announces_nothing),
		T(addresses_that_were_in_use_before_are_not_announced_again),
		T(a_mac_that_arrives_with_an_ip_needs_no_rarp),
		T(a_refused_or_undone_activate_announces_nothing),
		T(a_turn_that_is_run_again_one_by_one_announces_each_arrival_once),
		T(it_waits_a_second_for_the_next_hops_of_the_vns_vteps_and_no_longer),
		T(a_tsi_that_leaves_before_its_turn_is_not_spoken_for),
		T(many_addresses_are_sent_a_few_at_a_time_while_requests_go_on),
		T(tsis_that_arrive_together_at_one_vap_cause_one_query),
		T(what_cannot_be_sent_is_counted_and_not_tried_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
