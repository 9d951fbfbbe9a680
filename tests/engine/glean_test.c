/* SPDX-License-Identifier: Apache-2.0 */
/* Gleaning through the whole engine (S46, D8): datapath, store, NVA, and what is left of it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/engine_world.h"

static const char gleaning_vns[] =
	"vns:\n"
	"  - {id: 100, name: blue, vni: 5100, vteps: [192.0.2.2], glean: {max: 4, age: 20},\n"
	"     mappings: [{mac: '02:00:00:00:00:99', ip: 10.0.0.99, vtep: 192.0.2.3, epoch: 4}]}\n"
	"  - {id: 200, name: green}\n";

static const struct nve_tsi *tsi_of(const struct world *w, uint8_t tsi, uint16_t port, uint32_t vn)
{
	const struct nve_core *core = nve_engine_core(w->engine);
	struct nve_tsi_key key = { .id = ew_tsi_id(tsi), .vn_id = vn, .port = port };

	return nve_core_tsi(core, nve_core_find_tsi(core, &key));
}

/* A frame from 10.0.0.ip, and what follows from it. */
static struct nve_fake_verdict frame(struct world *w, uint16_t port, uint32_t vn, uint8_t mac,
				     uint8_t ip)
{
	const struct nve_vap *vap = nve_core_vap(nve_engine_core(w->engine), port, vn);
	struct nve_fake_frame f = { .port = port, .tag = vap ? vap->tag : 0 };
	struct nve_fake_verdict v;

	memcpy(f.src, ew_mac(mac).mac, NVE_MAC_LEN);
	memcpy(f.dst, ew_mac(0x99).mac, NVE_MAC_LEN);
	if (ip) {
		f.ip.family = 4;
		memcpy(f.ip.bytes, (uint8_t[]){ 10, 0, 0, ip }, 4);
	}
	v = nve_fake_take(ew_dp(w), &f);
	nve_dp_fake.dispatch(ew_dp(w));
	ew_run(w);
	return v;
}

static enum nve_reason activate(struct world *w, uint8_t tsi, uint16_t port, uint32_t vn,
				uint16_t glean_max)
{
	struct call c;

	ew_call_init(&c, NVE_EV_ACTIVATE, tsi, port, vn);
	c.req.ev.flags = NVE_EV_HAS_GLEAN | NVE_EV_HAS_KEEPACTIVE; /* off */
	c.req.ev.glean_max = glean_max;
	c.req.ev.glean_age_ms = 20000;
	return ew_call(w, &c);
}

static void a_frame_is_learned_from_and_the_next_one_passes(void **state)
{
	struct world *w = *state;
	uint32_t events;

	assert_int_equal(activate(w, 1, P1, 100, 4), NVE_REASON_OK);
	events = w->n_events;
	assert_false(frame(w, P1, 100, 1, 7).pass);
	assert_int_equal(w->n_events, events + 1);
	assert_int_equal(w->events[events % 64].notice.kind, NVE_NOTICE_TSI_UPDATED);
	assert_true(frame(w, P1, 100, 1, 7).pass);
	assert_string_equal(ew_published(w, 100, ew_mac(1)), "forwarding");
	assert_string_equal(ew_published(w, 100, ew_mac_ip(1, 7)), "forwarding");
	assert_int_equal(nve_engine_counters(w->engine)->gleaned, 2);
	assert_int_equal(ew_used(w, "fdb"), 2); /* with the remote one */
}

static void the_option_of_the_vn_is_every_new_tsis_default(void **state)
{
	struct world *w = *state;

	ew_yaml(w, gleaning_vns);
	assert_int_equal(nve_engine_reload(w->engine, w->now_ns, NULL), 0);
	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 1, P1, 100, 0), NVE_REASON_OK);
	assert_int_equal(tsi_of(w, 1, P1, 100)->glean_max, 4);
	assert_int_equal(tsi_of(w, 1, P1, 100)->glean_age_ms, 20000);
	frame(w, P1, 100, 1, 7);
	assert_int_equal(tsi_of(w, 1, P1, 100)->n_gleaned, 2);
	assert_int_equal(activate(w, 2, P2, 100, 0), NVE_REASON_OK); /* asks for none */
	assert_int_equal(tsi_of(w, 2, P2, 100)->glean_max, 0);
	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 3, P1, 200, 0), NVE_REASON_OK);
	assert_int_equal(tsi_of(w, 3, P1, 200)->glean_max, 0);
}

static void a_flood_of_sources_stays_within_the_bound_and_is_counted(void **state)
{
	struct world *w = *state;

	assert_int_equal(activate(w, 1, P1, 100, 4), NVE_REASON_OK);
	for (unsigned int i = 1; i < 90; i++)
		frame(w, P1, 100, (uint8_t)i, 0);
	assert_int_equal(tsi_of(w, 1, P1, 100)->n_addrs, 4);
	assert_int_equal(nve_engine_counters(w->engine)->gleaned, 4);
	assert_int_equal(nve_engine_counters(w->engine)->not_gleaned, 85);
	assert_int_equal(ew_used(w, "fdb"), 5);
}

/* What the NVA places at another NVE is not taken by sending from it. */
static void a_remote_address_is_not_gleaned(void **state)
{
	struct world *w = *state;

	assert_int_equal(activate(w, 1, P1, 100, 4), NVE_REASON_OK);
	frame(w, P1, 100, 0x99, 0);
	assert_int_equal(tsi_of(w, 1, P1, 100)->n_addrs, 0);
	assert_int_equal(nve_engine_counters(w->engine)->not_gleaned, 1);
}

static void an_address_in_use_is_kept_and_an_idle_one_is_withdrawn(void **state)
{
	struct world *w = *state;

	assert_int_equal(activate(w, 1, P1, 100, 4), NVE_REASON_OK);
	frame(w, P1, 100, 1, 7);
	frame(w, P1, 100, 2, 0);
	ew_run_until(w, w->now_ns + 15 * SEC);
	frame(w, P1, 100, 1, 7);
	ew_run_until(w, w->now_ns + 15 * SEC);
	assert_true(frame(w, P1, 100, 1, 7).pass);
	assert_false(ew_frame(w, P1, 100, 2, 0x99).pass);
	assert_string_equal(ew_published(w, 100, ew_mac(2)), "withdrawn");
	ew_run_until(w, w->now_ns + 21 * SEC);
	assert_int_equal(tsi_of(w, 1, P1, 100)->n_addrs, 0);
	assert_string_equal(ew_published(w, 100, ew_mac_ip(1, 7)), "withdrawn");
	assert_int_equal(ew_used(w, "fdb"), 1);
}

static void signaling_takes_a_gleaned_address_from_a_thief(void **state)
{
	struct world *w = *state;

	assert_int_equal(activate(w, 1, P1, 100, 4), NVE_REASON_OK);
	frame(w, P1, 100, 5, 7);
	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 2, P1, 100, 5), NVE_REASON_OK);
	assert_int_equal(tsi_of(w, 1, P1, 100)->n_addrs, 0);
	assert_true(ew_frame(w, P1, 100, 5, 0x99).pass);
	assert_int_equal(
		ew_frame(w, P1, 100, 5, 0x99).tsi,
		nve_core_find_tsi(nve_engine_core(w->engine), &tsi_of(w, 2, P1, 100)->key));
}

static void survives(struct world *w)
{
	uint64_t left;
	char *before;

	assert_int_equal(activate(w, 1, P1, 100, 4), NVE_REASON_OK);
	frame(w, P1, 100, 1, 7);
	before = ew_text(w);
	ew_close(w);
	w->now_ns += 60 * SEC; /* longer than their age: nobody could see them */
	ew_open(w);
	ew_is_as(w, before);
	assert_int_equal(tsi_of(w, 1, P1, 100)->n_gleaned, 2);
	assert_int_equal(tsi_of(w, 1, P1, 100)->glean_max, 4);
	assert_true(frame(w, P1, 100, 1, 7).pass);
	assert_string_equal(ew_published(w, 100, ew_mac_ip(1, 7)), "forwarding");
	left = w->now_ns + 19 * SEC;
	ew_run_until(w, left);
	assert_int_equal(tsi_of(w, 1, P1, 100)->n_gleaned, 2);
	ew_run_until(w, left + 3 * SEC);
	assert_int_equal(tsi_of(w, 1, P1, 100)->n_gleaned, 0);
}

static void gleaned_addresses_survive_a_restart_with_their_whole_time(void **state)
{
	survives(*state);
}

static void gleaned_addresses_survive_a_restart_from_sqlite(void **state)
{
	char dir[] = "/tmp/nve-glean-XXXXXX", file[64], side[80];
	struct world w;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/intent.db", dir);
	ew_init(&w);
	w.config.store_ops = &nve_store_sqlite;
	w.config.store = (struct nve_store_config){ file, NVE_DURABLE_PROCESS };
	ew_open(&w);
	survives(&w);
	ew_done(&w);
	for (const char *const *end = (const char *const[]){ "", "-wal", "-shm", NULL }; *end;
	     end++) {
		snprintf(side, sizeof(side), "%s%s", file, *end);
		unlink(side);
	}
	rmdir(dir);
}

/* Nothing is lost but the lesson: the next frame brings it again. */
static void a_lesson_that_cannot_be_stored_is_taken_back_and_learned_again(void **state)
{
	struct world *w = *state;
	char *before;

	assert_int_equal(activate(w, 1, P1, 100, 4), NVE_REASON_OK);
	before = ew_text(w);
	nve_fake_fail_apply(ew_dp(w), -EIO);
	frame(w, P1, 100, 1, 7);
	ew_is_as(w, before);
	frame(w, P1, 100, 1, 7);
	assert_int_equal(tsi_of(w, 1, P1, 100)->n_gleaned, 2);
}

#define IN_WORLD(f) cmocka_unit_test_setup_teardown(f, ew_setup, ew_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_WORLD(a_frame_is_learned_from_and_the_next_one_passes),
		IN_WORLD(the_option_of_the_vn_is_every_new_tsis_default),
		IN_WORLD(a_flood_of_sources_stays_within_the_bound_and_is_counted),
		IN_WORLD(a_remote_address_is_not_gleaned),
		IN_WORLD(an_address_in_use_is_kept_and_an_idle_one_is_withdrawn),
		IN_WORLD(signaling_takes_a_gleaned_address_from_a_thief),
		IN_WORLD(gleaned_addresses_survive_a_restart_with_their_whole_time),
		cmocka_unit_test(gleaned_addresses_survive_a_restart_from_sqlite),
		IN_WORLD(a_lesson_that_cannot_be_stored_is_taken_back_and_learned_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
