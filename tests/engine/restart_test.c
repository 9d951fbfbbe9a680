/* SPDX-License-Identifier: Apache-2.0 */
/* Restart, and a thousand TSIs that come and go. */
#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/engine_world.h"

/* --- restart --------------------------------------------------------------------------------- */

static void fill(struct world *w)
{
	const struct nve_addr addrs[] = { ew_mac_ip(1, 1), ew_mac_ip(1, 2), ew_only_ip(7),
					  ew_mac(2) };
	struct nve_addr only = addrs[0], addrs3 = ew_mac(3);
	struct call c;

	ew_call_init(&c, NVE_EV_ACTIVATE, 1, P1, 100);
	ew_call_addrs(&c, addrs, 4);
	c.req.ev.cause = NVE_CAUSE_MIGRATE_IN;
	assert_int_equal(ew_call(w, &c), NVE_REASON_OK);
	ew_call_init(&c, NVE_EV_DEACTIVATE, 1, P1, 100); /* one of its addresses (D13) */
	c.req.ev.flags |= NVE_EV_HAS_ONLY;
	c.req.ev.only = &only;
	c.req.ev.n_only = 1;
	assert_int_equal(ew_call(w, &c), NVE_REASON_OK);
	w->now_ns += SEC;
	ew_call_init(&c, NVE_EV_ASSOCIATE, 2, P2, 100);
	ew_call_addrs(&c, &addrs3, 1);
	c.req.ev.flags |= NVE_EV_HAS_QOS;
	c.req.ev.qos = (struct nve_qos){ .from_tsi = 1000000, .flags = NVE_QOS_PCP, .pcp = 5 };
	assert_int_equal(ew_call(w, &c), NVE_REASON_OK);
	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 3, P3, 200, 1), NVE_REASON_OK);
	assert_int_equal(ew_ask(w, NVE_EV_VN_CONNECT, 0, P3, 300, 0), NVE_REASON_OK);
	assert_int_equal(ew_ask(w, NVE_EV_VN_CONNECT, 0, P1, 300, 0), NVE_REASON_OK);
	assert_int_equal(ew_ask(w, NVE_EV_VN_DISCONNECT, 0, P1, 300, 0), NVE_REASON_OK);
}

static void a_restart_restores_everything_byte_for_byte(void **state)
{
	struct world *w = *state;
	struct call c;
	char *before;
	uint64_t epoch;

	fill(w);
	before = ew_text(w);
	ew_close(w);
	w->now_ns += 5 * SEC;
	ew_open(w);
	ew_is_as(w, before);
	epoch = nve_core_tsi(nve_engine_core(w->engine), 0)->epoch;
	ew_call_init(&c, NVE_EV_ACTIVATE, 2, P2, 100);
	assert_int_equal(ew_call(w, &c), NVE_REASON_OK);
	assert_true(c.answer.epoch > epoch);
}

static void a_restart_from_sqlite_restores_everything_byte_for_byte(void **state)
{
	char path[] = "/tmp/nve-engine-XXXXXX", file[64], side[80];
	struct world w;
	char *before;

	(void)state;
	assert_non_null(mkdtemp(path));
	snprintf(file, sizeof(file), "%s/intent.db", path);
	ew_init(&w);
	w.config.store_ops = &nve_store_sqlite;
	w.config.store = (struct nve_store_config){ file, NVE_DURABLE_POWER };
	ew_open(&w);
	fill(&w);
	before = ew_text(&w);
	ew_close(&w);
	w.now_ns += 5 * SEC;
	ew_open(&w);
	ew_is_as(&w, before);
	ew_done(&w);
	unlink(file);
	for (unsigned i = 0; i < 2; i++) {
		snprintf(side, sizeof(side), "%s-%s", file, i ? "wal" : "shm");
		unlink(side);
	}
	assert_int_equal(rmdir(path), 0);
}

static void records_of_a_port_that_is_no_longer_configured_are_dropped_from_the_store(void **state)
{
	struct world *w = *state;

	fill(w);
	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 5, P1, 200, 5), NVE_REASON_OK);
	ew_close(w);
	strcpy(w->ports[P3].dp.name, "p9");
	strcpy(w->scopes[1].name, "p9");
	ew_open(w);
	assert_int_equal(ew_state_of(w, 1, P1, 100), NVE_TSI_ACTIVATED);
	assert_int_equal(ew_state_of(w, 3, P3, 200), NVE_TSI_INIT);
	assert_null(nve_core_vap(nve_engine_core(w->engine), P3, 200));
	/* br: tags of 100 and 200, one in quarantine; VAPs p1/100, p2/100, p1/200; TSIs 1, 2, 5 */
	assert_int_equal(nve_store_memory_count(STORE_PATH), 9);
}

/* --- many ------------------------------------------------------------------------------------ */

enum { TSIS = 1000, VNS = 100 };

static void many_vns(const struct world *w)
{
	FILE *f = fopen(w->yaml, "w");

	assert_non_null(f);
	fputs("vns:\n", f);
	for (unsigned i = 1; i <= VNS; i++)
		fprintf(f, "  - {id: %u, vteps: [192.0.2.2, 192.0.2.3]}\n", i);
	assert_int_equal(fclose(f), 0);
}

static void round_of_all(struct world *w, struct call *calls, struct nve_addr (*addrs)[3])
{
	for (unsigned i = 0; i < TSIS; i++) {
		ew_call_init(&calls[i], NVE_EV_ACTIVATE, 0, P1, 1 + i % VNS);
		memcpy(calls[i].req.ev.key.id.bytes, &i, sizeof(i));
		for (unsigned k = 0; k < 3; k++) {
			addrs[i][k] = ew_mac_ip((uint8_t)k, (uint8_t)i);
			addrs[i][k].mac[1] = (uint8_t)(i >> 8);
			addrs[i][k].mac[2] = (uint8_t)i;
			addrs[i][k].ip[1] = (uint8_t)(i >> 8);
			addrs[i][k].ip[2] = (uint8_t)k;
		}
		ew_call_addrs(&calls[i], addrs[i], 3);
		ew_call_submit(w, &calls[i]);
	}
	ew_run(w);
	for (unsigned i = 0; i < TSIS; i++)
		assert_int_equal(calls[i].answer.reason, NVE_REASON_OK);
	assert_int_equal(ew_used(w, "tsi"), TSIS);
	assert_int_equal(ew_used(w, "fdb"), 3 * TSIS);
	for (unsigned i = 0; i < TSIS; i++) {
		calls[i].req.ev.kind = NVE_EV_CLEAR;
		calls[i].req.ev.flags = 0;
		ew_call_submit(w, &calls[i]);
	}
	ew_run(w);
	for (unsigned i = 0; i < TSIS; i++)
		assert_int_equal(calls[i].answer.n_cleared, 1);
	ew_run_until(w, w->now_ns + 31 * SEC); /* the quarantines */
}

static void a_thousand_tsis_come_and_go_and_nothing_is_left(void **state)
{
	struct call *calls = calloc(TSIS, sizeof(*calls));
	struct nve_addr(*addrs)[3] = calloc(TSIS, sizeof(*addrs));
	struct nve_nva *nva;
	struct world w;
	char *empty, *first;
	size_t in_use;

	(void)state;
	ew_init(&w);
	many_vns(&w);
	ew_open(&w);
	empty = ew_text(&w);
	round_of_all(&w, calls, addrs);
	ew_is_as(&w, empty);
	assert_int_equal(nve_store_memory_count(STORE_PATH), 0);
	first = ew_text(&w);
	free(first);
	in_use = mallinfo2().uordblks;
	round_of_all(&w, calls, addrs);
	nve_engine_nva(w.engine, &nva);
	assert_true(mallinfo2().uordblks <= in_use + 4096);
	assert_int_equal(nve_store_memory_count(STORE_PATH), 0);
	assert_int_equal(nve_engine_counters(w.engine)->commits, 6);
	ew_done(&w);
	free(calls);
	free(addrs);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, ew_setup, ew_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_restart_restores_everything_byte_for_byte),
		cmocka_unit_test(a_restart_from_sqlite_restores_everything_byte_for_byte),
		TEST(records_of_a_port_that_is_no_longer_configured_are_dropped_from_the_store),
		cmocka_unit_test(a_thousand_tsis_come_and_go_and_nothing_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
