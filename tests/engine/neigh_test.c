/* SPDX-License-Identifier: Apache-2.0 */
/* Who is answered for, as TSIs and the NVA's mappings come and go, on the fake datapath. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/engine_world.h"

static void ask_for(struct world *w, enum nve_event_kind kind, uint8_t tsi, uint16_t port,
		    const struct nve_addr *addrs, uint32_t n)
{
	struct call c;

	ew_call_init(&c, kind, tsi, port, 100);
	if (n)
		ew_call_addrs(&c, addrs, n);
	assert_int_equal(ew_call(w, &c), NVE_REASON_OK);
}

/* TSI 9 at p3 asks for 10.0.0.n or fd00::n: the last byte of the MAC it is told, 0 for none. */
static unsigned answer(const struct world *w, uint8_t family, uint8_t n)
{
	const struct nve_vap *vap = nve_core_vap(nve_engine_core(w->engine), P3, 100);
	struct nve_fake_frame f = { .port = P3, .src = { 2, [5] = 9 }, .dst = { 255 } };
	struct nve_ip ip = { .family = family, .bytes = { 10, 0, 0, n } };
	uint8_t mac[NVE_MAC_LEN];

	if (family == 6)
		memcpy(ip.bytes, (uint8_t[16]){ 0xfd, [15] = n }, 16);
	f.tag = vap->tag;
	return nve_fake_answer(ew_dp(w), &f, &ip, mac) ? mac[5] : 0;
}

static struct nve_addr mac_ip6(uint8_t n)
{
	struct nve_addr addr = ew_mac(n);

	addr.flags |= NVE_ADDR_IPV6;
	memcpy(addr.ip, (uint8_t[16]){ 0xfd, [15] = n }, 16);
	return addr;
}

static void reload(struct world *w, const char *more)
{
	char text[2048];

	snprintf(text, sizeof(text),
		 "vns:\n  - name: blue\n    id: 100\n    vteps: [192.0.2.2]\n%s", more);
	ew_yaml(w, text);
	assert_int_equal(nve_engine_reload(w->engine, w->now_ns, NULL), 0);
	ew_run(w);
}

static int setup(void **state)
{
	struct nve_addr asker = ew_mac(9);
	int r = ew_setup(state);

	reload(*state, "");
	ask_for(*state, NVE_EV_ACTIVATE, 9, P3, &asker, 1);
	return r;
}

static void answers_follow_the_life_of_a_tsi(void **state)
{
	struct nve_addr addrs[] = { ew_mac_ip(1, 1), mac_ip6(1) };
	struct world *w = *state;

	ask_for(w, NVE_EV_ASSOCIATE, 1, P1, addrs, 2);
	assert_int_equal(ew_used(w, "neigh"), 2); /* D12: the room is taken */
	assert_int_equal(answer(w, 4, 1), 0);
	ask_for(w, NVE_EV_ACTIVATE, 1, P1, NULL, 0);
	assert_int_equal(answer(w, 4, 1), 1);
	assert_int_equal(answer(w, 6, 1), 1);
	assert_int_equal(ew_ask(w, NVE_EV_DEACTIVATE, 1, P1, 100, 0), NVE_REASON_OK);
	assert_int_equal(answer(w, 4, 1), 0);
	ask_for(w, NVE_EV_ACTIVATE, 1, P1, NULL, 0);
	assert_int_equal(answer(w, 6, 1), 1);
	assert_int_equal(ew_ask(w, NVE_EV_CLEAR, 1, P1, 100, 0), NVE_REASON_OK);
	assert_int_equal(answer(w, 4, 1), 0);
	assert_int_equal(ew_used(w, "neigh"), 0);
}

static void an_ip_or_a_mac_alone_is_answered_by_its_owner_only(void **state)
{
	struct nve_addr addrs[] = { ew_mac(1), ew_only_ip(1) };
	struct world *w = *state;

	ask_for(w, NVE_EV_ACTIVATE, 1, P1, addrs, 2);
	assert_int_equal(answer(w, 4, 1), 0);
	assert_int_equal(ew_used(w, "neigh"), 0);
}

/* D13 */
static void answers_follow_each_address_that_is_switched_added_or_removed(void **state)
{
	struct nve_addr addrs[] = { ew_mac_ip(1, 1), ew_mac_ip(1, 2) }, more = ew_mac_ip(1, 3);
	struct world *w = *state;
	struct call c;

	ew_call_init(&c, NVE_EV_ACTIVATE, 1, P1, 100);
	ew_call_addrs(&c, addrs, 2);
	c.req.ev.flags |= NVE_EV_HAS_ONLY;
	c.req.ev.only = &addrs[1];
	c.req.ev.n_only = 1;
	assert_int_equal(ew_call(w, &c), NVE_REASON_OK);
	assert_int_equal(answer(w, 4, 1), 0);
	assert_int_equal(answer(w, 4, 2), 1);
	ew_call_init(&c, NVE_EV_UPDATE, 1, P1, 100);
	c.req.ev.addrs = &more;
	c.req.ev.n_addrs = 1;
	c.req.ev.only = &addrs[1];
	c.req.ev.n_only = 1;
	assert_int_equal(ew_call(w, &c), NVE_REASON_OK);
	assert_int_equal(answer(w, 4, 2), 0);
	assert_int_equal(ew_used(w, "neigh"), 2);
}

static void a_refused_or_undone_request_leaves_no_claim(void **state)
{
	struct nve_addr addr = ew_mac_ip(1, 1);
	struct world *w = *state;
	struct call c;
	char *before = ew_text(w);

	ew_call_init(&c, NVE_EV_ACTIVATE, 1, P1, 100);
	ew_call_addrs(&c, &addr, 1);
	nve_store_memory_control(STORE_PATH)->commit = (struct nve_store_fault){ 0, 1, -EIO };
	assert_int_equal(ew_call(w, &c), NVE_REASON_STORE_FAILED);
	for (uint32_t n = 1; n <= 4; n++) {
		nve_fake_fail_set(ew_dp(w), n, -ENOSPC);
		if (ew_call(w, &c) == NVE_REASON_OK)
			break;
		nve_fake_fail_set(ew_dp(w), 0, 0);
		assert_int_equal(ew_used(w, "neigh"), 0);
	}
	nve_fake_fail_set(ew_dp(w), 0, 0);
	assert_int_equal(ew_ask(w, NVE_EV_CLEAR, 1, P1, 100, 0), NVE_REASON_OK);
	assert_int_equal(ew_used(w, "neigh"), 0);
	free(before);
}

static void the_later_of_two_macs_is_answered_and_then_the_other_again(void **state)
{
	struct nve_addr a = ew_mac_ip(1, 7), b = ew_mac_ip(2, 7);
	struct world *w = *state;

	ask_for(w, NVE_EV_ACTIVATE, 1, P1, &a, 1);
	ask_for(w, NVE_EV_ASSOCIATE, 2, P2, &b, 1);
	assert_int_equal(answer(w, 4, 7), 1);
	ask_for(w, NVE_EV_ACTIVATE, 2, P2, NULL, 0);
	assert_int_equal(answer(w, 4, 7), 2);
	assert_int_equal(ew_ask(w, NVE_EV_DEACTIVATE, 2, P2, 100, 0), NVE_REASON_OK);
	assert_int_equal(answer(w, 4, 7), 1);
	assert_int_equal(ew_ask(w, NVE_EV_CLEAR, 1, P1, 100, 0), NVE_REASON_OK);
	assert_int_equal(answer(w, 4, 7), 0);
	ask_for(w, NVE_EV_ACTIVATE, 2, P2, NULL, 0);
	assert_int_equal(answer(w, 4, 7), 2);
	assert_int_equal(ew_used(w, "neigh"), 1);
}

/* S86, D7: the same address at another port, make before break. */
static void an_address_that_migrates_between_ports_is_answered_throughout(void **state)
{
	struct nve_addr addr = ew_mac_ip(1, 1);
	struct world *w = *state;

	ask_for(w, NVE_EV_ACTIVATE, 1, P1, &addr, 1);
	ask_for(w, NVE_EV_ASSOCIATE, 1, P2, &addr, 1);
	assert_int_equal(answer(w, 4, 1), 1);
	ask_for(w, NVE_EV_ACTIVATE, 1, P2, NULL, 0);
	assert_int_equal(answer(w, 4, 1), 1);
	assert_int_equal(ew_ask(w, NVE_EV_CLEAR, 1, P1, 100, 0), NVE_REASON_OK);
	assert_int_equal(answer(w, 4, 1), 1);
}

#define MAPS(epoch)                                                                                \
	"    mappings:\n"                                                                          \
	"      - {mac: '02:00:00:00:00:98', ip: 10.0.0.8, vtep: 192.0.2.2, epoch: " epoch "}\n"    \
	"      - {mac: '02:00:00:00:00:98', ip: 'fd00::8', vtep: 192.0.2.2, epoch: " epoch "}\n"

static void answers_follow_the_mappings_of_the_nva(void **state)
{
	struct world *w = *state;

	assert_int_equal(answer(w, 4, 8), 0);
	reload(w, MAPS("1"));
	assert_int_equal(answer(w, 4, 8), 0x98);
	assert_int_equal(answer(w, 6, 8), 0x98);
	assert_int_equal(ew_used(w, "neigh"), 2);
	reload(w, "    mappings:\n"
		  "      - {mac: '02:00:00:00:00:98', vtep: 192.0.2.2}\n");
	assert_int_equal(answer(w, 4, 8), 0);
	assert_int_equal(ew_used(w, "neigh"), 0);
}

static void an_address_here_and_behind_another_nve_is_where_its_epoch_is_greater(void **state)
{
	struct nve_addr addr = ew_mac_ip(0x70, 8);
	struct world *w = *state;

	reload(w, MAPS("1"));
	ask_for(w, NVE_EV_ACTIVATE, 1, P1, &addr, 1);
	assert_int_equal(answer(w, 4, 8), 0x70);
	reload(w, MAPS("1000"));
	assert_int_equal(answer(w, 4, 8), 0x98);
	assert_int_equal(answer(w, 6, 8), 0x98);
}

static void a_vn_says_how_its_bum_is_treated_and_changes_it_on_reload(void **state)
{
	struct nve_addr addr = ew_mac_ip(1, 1);
	struct world *w = *state;

	ask_for(w, NVE_EV_ACTIVATE, 1, P1, &addr, 1);
	assert_int_equal(answer(w, 4, 1), 1); /* the default */
	reload(w, "    suppress: false\n");
	assert_int_equal(answer(w, 4, 1), 0);
	assert_true(ew_frame(w, P3, 100, 9, 0x55).pass);
	reload(w, "    unknown_unicast: drop\n");
	assert_int_equal(answer(w, 4, 1), 1);
	assert_false(ew_frame(w, P3, 100, 9, 0x55).pass);
	assert_true(ew_frame(w, P3, 100, 9, 1).pass);
}

static void claims_are_said_again_after_a_restart_and_a_repair(void **state)
{
	struct nve_addr addr = ew_mac_ip(1, 1);
	struct world *w = *state;

	ask_for(w, NVE_EV_ACTIVATE, 1, P1, &addr, 1);
	reload(w, MAPS("1"));
	ew_close(w);
	ew_open(w);
	assert_int_equal(answer(w, 4, 1), 1);
	assert_int_equal(answer(w, 4, 8), 0x98);
	assert_int_equal(ew_used(w, "neigh"), 3);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, ew_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(answers_follow_the_life_of_a_tsi),
		T(an_ip_or_a_mac_alone_is_answered_by_its_owner_only),
		T(answers_follow_each_address_that_is_switched_added_or_removed),
		T(a_refused_or_undone_request_leaves_no_claim),
		T(the_later_of_two_macs_is_answered_and_then_the_other_again),
		T(an_address_that_migrates_between_ports_is_answered_throughout),
		T(answers_follow_the_mappings_of_the_nva),
		T(an_address_here_and_behind_another_nve_is_where_its_epoch_is_greater),
		T(a_vn_says_how_its_bum_is_treated_and_changes_it_on_reload),
		T(claims_are_said_again_after_a_restart_and_a_repair),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
