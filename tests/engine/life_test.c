/* SPDX-License-Identifier: Apache-2.0 */
/* Timers, ownership, VNs that come and go at the NVA, restart, and a thousand TSIs. */
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

static int setup(void **state)
{
	struct world *w = malloc(sizeof(*w));

	world_init(w);
	world_open(w);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	world_done(*state);
	free(*state);
	return 0;
}

static uint8_t state_of(const struct world *w, uint8_t tsi, uint16_t port, uint32_t vn)
{
	const struct nve_core *core = nve_engine_core(w->engine);
	struct nve_tsi_key key = { .id = tsi_id(tsi), .vn_id = vn, .port = port };
	uint32_t slot = nve_core_find_tsi(core, &key);

	return slot == NVE_SLOT_NONE ? NVE_TSI_INIT : nve_core_tsi(core, slot)->state;
}

/* Runs whenever the engine wants to, up to 'until'. */
static void run_until(struct world *w, uint64_t until)
{
	for (unsigned i = 0; i < 1000 && nve_engine_next_deadline(w->engine) <= until; i++) {
		uint64_t next = nve_engine_next_deadline(w->engine);

		if (next > w->now_ns)
			w->now_ns = next;
		world_run(w);
	}
	assert_true(nve_engine_next_deadline(w->engine) > until);
	w->now_ns = until;
}

/* --- timers ---------------------------------------------------------------------------------- */

static void a_dead_hypervisor_is_cleaned_up_in_two_steps_and_its_tag_rests(void **state)
{
	struct world *w = *state;
	uint64_t start = w->now_ns;

	assert_int_equal(ask(w, NVE_EV_ACTIVATE, 1, P1, 100, 1), NVE_REASON_OK);
	run_until(w, start + 29 * SEC);
	assert_int_equal(state_of(w, 1, P1, 100), NVE_TSI_ACTIVATED);
	run_until(w, start + 31 * SEC);
	assert_int_equal(state_of(w, 1, P1, 100), NVE_TSI_ASSOCIATED);
	assert_false(frame(w, P1, 100, 1, 0x99).pass);
	assert_string_equal(published(w, 100, mac(1)), "mapping");
	assert_true(w->events[(w->n_events - 1) % 64].notice.by_nve);
	assert_int_equal(w->events[(w->n_events - 1) % 64].notice.reason,
			 NVE_REASON_KEEPACTIVE_EXPIRED);
	assert_string_equal(w->client, "");
	run_until(w, start + 331 * SEC);
	assert_int_equal(state_of(w, 1, P1, 100), NVE_TSI_INIT);
	assert_int_equal(nve_store_memory_count(STORE_PATH), 1); /* the tag's quarantine */
	run_until(w, start + 400 * SEC);
	assert_int_equal(nve_store_memory_count(STORE_PATH), 0);
	assert_int_equal(nve_engine_next_deadline(w->engine), NVE_NEVER_NS);
}

static void frames_of_the_tsi_keep_it_activated(void **state)
{
	struct world *w = *state;
	uint64_t start = w->now_ns;

	assert_int_equal(ask(w, NVE_EV_ACTIVATE, 1, P1, 100, 1), NVE_REASON_OK);
	nve_fake_seen(world_dp(w), 0, start + 20 * SEC);
	run_until(w, start + 49 * SEC);
	assert_int_equal(state_of(w, 1, P1, 100), NVE_TSI_ACTIVATED);
	run_until(w, start + 51 * SEC);
	assert_int_equal(state_of(w, 1, P1, 100), NVE_TSI_ASSOCIATED);
}

static void an_expiry_that_cannot_be_stored_waits_and_the_tsi_forwards_on(void **state)
{
	struct world *w = *state;
	uint64_t start = w->now_ns;

	assert_int_equal(ask(w, NVE_EV_ACTIVATE, 1, P1, 100, 1), NVE_REASON_OK);
	nve_store_memory_control(STORE_PATH)->commit = (struct nve_store_fault){ 0, 3, -EIO };
	run_until(w, start + 30 * SEC + SEC / 2);
	assert_int_equal(state_of(w, 1, P1, 100), NVE_TSI_ACTIVATED);
	assert_true(frame(w, P1, 100, 1, 0x99).pass);
	run_until(w, start + 33 * SEC);
	assert_int_equal(state_of(w, 1, P1, 100), NVE_TSI_ASSOCIATED);
}

static void an_address_that_stays_activated_twice_is_told_once(void **state)
{
	struct world *w = *state;
	struct call c;

	for (uint16_t port = P1; port <= P2; port++) {
		struct nve_addr addr = mac(1);

		call_init(&c, NVE_EV_ACTIVATE, 1, port, 100);
		call_addrs(&c, &addr, 1);
		c.req.ev.flags |= NVE_EV_HAS_KEEPACTIVE;
		c.req.ev.keepactive_ms = 0;
		assert_int_equal(call(w, &c), NVE_REASON_OK);
	}
	run_until(w, w->now_ns + 200 * SEC);
	assert_int_equal(nve_engine_counters(w->engine)->duplicates, 1);
}

/* --- ownership ------------------------------------------------------------------------------- */

static void
the_later_activation_of_an_address_gets_its_frames_and_the_earlier_gets_them_back(void **state)
{
	struct world *w = *state;
	struct nve_fake_verdict v;

	assert_int_equal(ask(w, NVE_EV_ACTIVATE, 9, P3, 100, 3), NVE_REASON_OK);
	assert_int_equal(ask(w, NVE_EV_ACTIVATE, 1, P1, 100, 1), NVE_REASON_OK);
	assert_int_equal(frame(w, P3, 100, 3, 1).dest.slot, 1);
	assert_int_equal(ask(w, NVE_EV_ASSOCIATE, 1, P2, 100, 1), NVE_REASON_OK);
	assert_int_equal(frame(w, P3, 100, 3, 1).dest.slot, 1);
	assert_int_equal(ask(w, NVE_EV_ACTIVATE, 1, P2, 100, 0), NVE_REASON_OK);
	assert_int_equal(frame(w, P3, 100, 3, 1).dest.slot, 2);
	assert_int_equal(ask(w, NVE_EV_DEACTIVATE, 1, P2, 100, 0), NVE_REASON_OK);
	assert_int_equal(frame(w, P3, 100, 3, 1).dest.slot, 1);
	assert_int_equal(ask(w, NVE_EV_CLEAR, 1, P1, 100, 0), NVE_REASON_OK);
	assert_false(frame(w, P3, 100, 3, 1).pass);
	assert_int_equal(ask(w, NVE_EV_ACTIVATE, 1, P2, 100, 0), NVE_REASON_OK);
	v = frame(w, P3, 100, 3, 1);
	assert_true(v.pass);
	assert_int_equal(v.dest.slot, 2);
}

static const char moved_away[] =
	"vns:\n"
	"  - {id: 100, name: blue, vni: 5100, vteps: [192.0.2.2],\n"
	"     mappings: [{mac: '02:00:00:00:00:01', vtep: 192.0.2.2, epoch: 1000}]}\n";

static void
an_address_that_the_nva_places_elsewhere_later_goes_there_until_activated_here(void **state)
{
	struct world *w = *state;

	assert_int_equal(ask(w, NVE_EV_ACTIVATE, 9, P3, 100, 3), NVE_REASON_OK);
	assert_int_equal(ask(w, NVE_EV_ACTIVATE, 1, P1, 100, 1), NVE_REASON_OK);
	assert_true(frame(w, P3, 100, 3, 0x99).pass);
	world_yaml(w, moved_away);
	assert_int_equal(nve_engine_reload(w->engine, w->now_ns, NULL), 0);
	assert_int_equal(frame(w, P3, 100, 3, 1).dest.kind, NVE_DP_DEST_VTEP);
	assert_string_equal(published(w, 100, mac(1)), "mapping");
	assert_false(frame(w, P3, 100, 3, 0x99).pass); /* its mapping is gone */
	/* Back here: the epoch is above the file's. */
	assert_int_equal(ask(w, NVE_EV_DEACTIVATE, 1, P1, 100, 0), NVE_REASON_OK);
	assert_int_equal(ask(w, NVE_EV_ACTIVATE, 1, P1, 100, 0), NVE_REASON_OK);
	assert_int_equal(frame(w, P3, 100, 3, 1).dest.kind, NVE_DP_DEST_TSI);
	assert_string_equal(published(w, 100, mac(1)), "forwarding");
	/* Deactivated: what the NVA says of it is what is left. */
	assert_int_equal(ask(w, NVE_EV_DEACTIVATE, 1, P1, 100, 0), NVE_REASON_OK);
	assert_int_equal(frame(w, P3, 100, 3, 1).dest.kind, NVE_DP_DEST_VTEP);
}

static uint64_t used(const struct world *w, const char *table)
{
	uint64_t n, max;
	const char *name;

	for (size_t i = 0; (name = nve_dp_fake.table(world_dp(w), i, &n, &max)); i++)
		if (!strcmp(name, table))
			return n;
	fail_msg("no table %s", table);
	return 0;
}

static void vteps_and_remote_macs_are_there_as_long_as_their_vn_has_a_vap(void **state)
{
	struct world *w = *state;

	assert_int_equal(used(w, "vtep") + used(w, "fdb") + used(w, "vn"), 0);
	assert_int_equal(ask(w, NVE_EV_VN_CONNECT, 0, P1, 100, 0), NVE_REASON_OK);
	assert_int_equal(ask(w, NVE_EV_VN_CONNECT, 0, P3, 100, 0), NVE_REASON_OK);
	assert_int_equal(used(w, "vtep"), 2); /* one listed, one in a mapping */
	assert_int_equal(used(w, "fdb"), 1);
	assert_int_equal(ask(w, NVE_EV_VN_DISCONNECT, 0, P1, 100, 0), NVE_REASON_OK);
	assert_int_equal(used(w, "vtep"), 2);
	assert_int_equal(ask(w, NVE_EV_VN_DISCONNECT, 0, P3, 100, 0), NVE_REASON_OK);
	assert_int_equal(used(w, "vtep") + used(w, "fdb") + used(w, "vn"), 0);
}

/* --- the NVA --------------------------------------------------------------------------------- */

static void a_vn_is_found_by_name_and_unknown_ones_are_refused(void **state)
{
	struct world *w = *state;
	struct call c;

	call_init(&c, NVE_EV_VN_CONNECT, 0, P1, 0);
	strcpy(c.req.vn_name, "green");
	assert_int_equal(call(w, &c), NVE_REASON_OK);
	assert_int_equal(c.answer.vn_id, 200);
	call_init(&c, NVE_EV_VN_CONNECT, 0, P1, 0);
	strcpy(c.req.vn_name, "red");
	assert_int_equal(call(w, &c), NVE_REASON_UNKNOWN_VN);
	assert_int_equal(ask(w, NVE_EV_ACTIVATE, 1, P1, 999, 1), NVE_REASON_UNKNOWN_VN);
	assert_int_equal(ask(w, NVE_EV_DEACTIVATE, 1, P1, 999, 0), NVE_REASON_UNKNOWN_VN);
}

static void what_is_here_can_be_taken_down_while_the_nva_is_away(void **state)
{
	struct world *w = *state;
	struct call c;

	assert_int_equal(ask(w, NVE_EV_ACTIVATE, 1, P1, 100, 1), NVE_REASON_OK);
	assert_int_equal(ask(w, NVE_EV_ACTIVATE, 2, P1, 100, 2), NVE_REASON_OK);
	nva_faults.vn_error = -EHOSTUNREACH;
	assert_int_equal(ask(w, NVE_EV_ACTIVATE, 3, P1, 100, 3), NVE_REASON_NVA_UNREACHABLE);
	assert_int_equal(ask(w, NVE_EV_KEEPACTIVE, 1, P1, 100, 0), NVE_REASON_OK);
	assert_int_equal(ask(w, NVE_EV_DEACTIVATE, 1, P1, 100, 0), NVE_REASON_OK);
	assert_int_equal(ask(w, NVE_EV_DISASSOCIATE, 1, P1, 100, 0), NVE_REASON_OK);
	assert_int_equal(ask(w, NVE_EV_CLEAR, 2, P1, 0, 0), NVE_REASON_OK);
	nva_faults.vn_error = 0;
	assert_int_equal(ask(w, NVE_EV_VN_CONNECT, 0, P1, 100, 0), NVE_REASON_OK);
	nva_faults.vn_error = -ENOENT;
	call_init(&c, NVE_EV_VN_DISCONNECT, 0, P1, 0);
	strcpy(c.req.vn_name, "blue");
	assert_int_equal(call(w, &c), NVE_REASON_OK);
}

static void a_request_whose_vn_is_being_asked_for_waits_for_it_and_no_longer_than_5_s(void **state)
{
	struct world *w = *state;
	struct call a, b;

	nva_faults.vn_error = -EINPROGRESS;
	call_init(&a, NVE_EV_VN_CONNECT, 0, P1, 100);
	call_init(&b, NVE_EV_VN_CONNECT, 0, P1, 200);
	call_submit(w, &a);
	world_run(w);
	assert_int_equal(a.answered, 0);
	assert_int_equal(nve_engine_next_deadline(w->engine), w->now_ns + 5 * SEC);
	/* The NVA learns of another VN: the callback comes, and the answer is there. */
	nva_faults.vn_error = 0;
	world_yaml(w, "vns: [{id: 100}, {id: 200}]\n");
	assert_int_equal(nve_engine_reload(w->engine, w->now_ns, NULL), 0);
	assert_int_equal(a.answered, 1);
	assert_int_equal(a.answer.reason, NVE_REASON_OK);

	nva_faults.vn_error = -EINPROGRESS;
	call_submit(w, &b);
	world_run(w);
	w->now_ns += 4 * SEC;
	world_run(w);
	assert_int_equal(b.answered, 0);
	w->now_ns += SEC;
	world_run(w);
	assert_int_equal(b.answered, 1);
	assert_int_equal(b.answer.reason, NVE_REASON_NVA_UNREACHABLE);
}

static void a_withdrawn_vn_forwards_on_and_a_fail_closed_one_is_disconnected(void **state)
{
	struct world *w = *state;
	const struct nve_notice *last;

	assert_int_equal(ask(w, NVE_EV_ACTIVATE, 9, P3, 100, 3), NVE_REASON_OK);
	assert_int_equal(ask(w, NVE_EV_ACTIVATE, 1, P1, 100, 1), NVE_REASON_OK);
	assert_int_equal(ask(w, NVE_EV_ACTIVATE, 2, P1, 300, 2), NVE_REASON_OK);
	assert_int_equal(ask(w, NVE_EV_VN_CONNECT, 0, P3, 300, 0), NVE_REASON_OK);
	world_yaml(w, "vns: []\n");
	assert_int_equal(nve_engine_reload(w->engine, w->now_ns, NULL), 0);
	assert_true(frame(w, P3, 100, 3, 1).pass);
	assert_int_equal(state_of(w, 1, P1, 100), NVE_TSI_ACTIVATED);
	assert_int_equal(state_of(w, 2, P1, 300), NVE_TSI_INIT);
	assert_null(nve_core_vap(nve_engine_core(w->engine), P3, 300));
	last = &w->events[(w->n_events - 1) % 64].notice;
	assert_int_equal(last->kind, NVE_NOTICE_VN_DISCONNECTED);
	assert_int_equal(last->reason, NVE_REASON_VN_WITHDRAWN);
	assert_true(last->by_nve);
	/* The last of the withdrawn VN can still go, and nothing of it stays. */
	assert_int_equal(ask(w, NVE_EV_CLEAR, 1, P1, 0, 0), NVE_REASON_OK);
	assert_int_equal(ask(w, NVE_EV_CLEAR, 9, P3, 0, 0), NVE_REASON_OK);
	assert_int_equal(used(w, "vtep") + used(w, "fdb") + used(w, "vn") + used(w, "tsi"), 0);
}

static void a_changed_vni_reaches_the_datapath_with_the_reload(void **state)
{
	struct world *w = *state;
	struct nve_ip vtep = { .family = 4, .bytes = { 192, 0, 2, 2 } };

	assert_int_equal(ask(w, NVE_EV_ACTIVATE, 1, P1, 100, 1), NVE_REASON_OK);
	assert_true(nve_fake_from_vtep(world_dp(w), &vtep, 5100, mac(1).mac).pass);
	world_yaml(w, "vns: [{id: 100, vni: 6100, vteps: [192.0.2.2]}]\n");
	assert_int_equal(nve_engine_reload(w->engine, w->now_ns, NULL), 0);
	assert_false(nve_fake_from_vtep(world_dp(w), &vtep, 5100, mac(1).mac).pass);
	assert_true(nve_fake_from_vtep(world_dp(w), &vtep, 6100, mac(1).mac).pass);
}

static void a_bad_file_changes_nothing(void **state)
{
	struct world *w = *state;
	char *before, *err = NULL;

	assert_int_equal(ask(w, NVE_EV_ACTIVATE, 1, P1, 100, 1), NVE_REASON_OK);
	before = world_text(w);
	world_yaml(w, "vns: [{id: 0}]\n");
	assert_int_equal(nve_engine_reload(w->engine, w->now_ns, &err), -EINVAL);
	assert_non_null(err);
	free(err);
	world_is_as(w, before);
}

static void a_reload_that_the_datapath_does_not_take_is_tried_again(void **state)
{
	struct world *w = *state;

	assert_int_equal(ask(w, NVE_EV_ACTIVATE, 9, P3, 100, 3), NVE_REASON_OK);
	world_yaml(w, moved_away);
	nve_fake_fail_apply(world_dp(w), -EIO);
	assert_int_equal(nve_engine_reload(w->engine, w->now_ns, NULL), 0);
	assert_int_equal(nve_engine_next_deadline(w->engine), w->now_ns + SEC);
	w->now_ns += SEC;
	world_run(w);
	assert_int_equal(frame(w, P3, 100, 3, 1).dest.kind, NVE_DP_DEST_VTEP);
	assert_true(nve_engine_next_deadline(w->engine) > w->now_ns + SEC);
}

/* --- restart --------------------------------------------------------------------------------- */

static void fill(struct world *w)
{
	const struct nve_addr addrs[] = { mac_ip(1, 1), mac_ip(1, 2), only_ip(7), mac(2) };
	struct nve_addr only = addrs[0];
	struct call c;

	call_init(&c, NVE_EV_ACTIVATE, 1, P1, 100);
	call_addrs(&c, addrs, 4);
	c.req.ev.cause = NVE_CAUSE_MIGRATE_IN;
	assert_int_equal(call(w, &c), NVE_REASON_OK);
	call_init(&c, NVE_EV_DEACTIVATE, 1, P1, 100); /* one of its addresses (D13) */
	c.req.ev.flags |= NVE_EV_HAS_ONLY;
	c.req.ev.only = &only;
	c.req.ev.n_only = 1;
	assert_int_equal(call(w, &c), NVE_REASON_OK);
	w->now_ns += SEC;
	assert_int_equal(ask(w, NVE_EV_ASSOCIATE, 2, P2, 100, 3), NVE_REASON_OK);
	assert_int_equal(ask(w, NVE_EV_ACTIVATE, 3, P3, 200, 1), NVE_REASON_OK);
	assert_int_equal(ask(w, NVE_EV_VN_CONNECT, 0, P3, 300, 0), NVE_REASON_OK);
	assert_int_equal(ask(w, NVE_EV_VN_CONNECT, 0, P1, 300, 0), NVE_REASON_OK);
	assert_int_equal(ask(w, NVE_EV_VN_DISCONNECT, 0, P1, 300, 0), NVE_REASON_OK);
}

static void a_restart_restores_everything_byte_for_byte(void **state)
{
	struct world *w = *state;
	struct call c;
	char *before;
	uint64_t epoch;

	fill(w);
	before = world_text(w);
	world_close(w);
	w->now_ns += 5 * SEC;
	world_open(w);
	world_is_as(w, before);
	epoch = nve_core_tsi(nve_engine_core(w->engine), 0)->epoch;
	call_init(&c, NVE_EV_ACTIVATE, 2, P2, 100);
	assert_int_equal(call(w, &c), NVE_REASON_OK);
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
	world_init(&w);
	w.config.store_ops = &nve_store_sqlite;
	w.config.store = (struct nve_store_config){ file, NVE_DURABLE_POWER };
	world_open(&w);
	fill(&w);
	before = world_text(&w);
	world_close(&w);
	w.now_ns += 5 * SEC;
	world_open(&w);
	world_is_as(&w, before);
	world_done(&w);
	unlink(file);
	for (unsigned i = 0; i < 2; i++) {
		snprintf(side, sizeof(side), "%s-%s", file, i ? "wal" : "shm");
		unlink(side);
	}
	assert_int_equal(rmdir(path), 0);
}

static void a_deadline_that_passed_while_no_agent_was_there_starts_again(void **state)
{
	struct world *w = *state;

	assert_int_equal(ask(w, NVE_EV_ACTIVATE, 1, P1, 100, 1), NVE_REASON_OK);
	world_close(w);
	w->now_ns += 1000 * SEC;
	world_open(w);
	run_until(w, w->now_ns + 29 * SEC);
	assert_int_equal(state_of(w, 1, P1, 100), NVE_TSI_ACTIVATED);
	run_until(w, w->now_ns + 2 * SEC);
	assert_int_equal(state_of(w, 1, P1, 100), NVE_TSI_ASSOCIATED);
}

static void records_of_a_port_that_is_no_longer_configured_are_dropped_from_the_store(void **state)
{
	struct world *w = *state;

	fill(w);
	assert_int_equal(ask(w, NVE_EV_ACTIVATE, 5, P1, 200, 5), NVE_REASON_OK);
	world_close(w);
	strcpy(w->ports[P3].dp.name, "p9");
	strcpy(w->scopes[1].name, "p9");
	world_open(w);
	assert_int_equal(state_of(w, 1, P1, 100), NVE_TSI_ACTIVATED);
	assert_int_equal(state_of(w, 3, P3, 200), NVE_TSI_INIT);
	assert_null(nve_core_vap(nve_engine_core(w->engine), P3, 200));
	/* br: tags of 100 and 200, one in quarantine; VAPs p1/100, p2/100, p1/200; TSIs 1, 2, 5 */
	assert_int_equal(nve_store_memory_count(STORE_PATH), 9);
}

static void a_vn_that_the_nva_does_not_know_at_the_restart_forwards_when_it_does(void **state)
{
	struct world *w = *state;

	assert_int_equal(ask(w, NVE_EV_ACTIVATE, 9, P3, 100, 3), NVE_REASON_OK);
	assert_int_equal(ask(w, NVE_EV_ACTIVATE, 1, P1, 100, 1), NVE_REASON_OK);
	world_close(w);
	world_yaml(w, "vns: []\n");
	world_open(w);
	world_run(w);
	assert_int_equal(state_of(w, 1, P1, 100), NVE_TSI_ACTIVATED);
	assert_int_equal(used(w, "tsi"), 0);
	world_yaml(w, world_vns);
	assert_int_equal(nve_engine_reload(w->engine, w->now_ns, NULL), 0);
	assert_true(frame(w, P3, 100, 3, 1).pass);
	assert_true(frame(w, P3, 100, 3, 0x99).pass);
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
		call_init(&calls[i], NVE_EV_ACTIVATE, 0, P1, 1 + i % VNS);
		memcpy(calls[i].req.ev.key.id.bytes, &i, sizeof(i));
		for (unsigned k = 0; k < 3; k++) {
			addrs[i][k] = mac_ip((uint8_t)k, (uint8_t)i);
			addrs[i][k].mac[1] = (uint8_t)(i >> 8);
			addrs[i][k].mac[2] = (uint8_t)i;
			addrs[i][k].ip[1] = (uint8_t)(i >> 8);
			addrs[i][k].ip[2] = (uint8_t)k;
		}
		call_addrs(&calls[i], addrs[i], 3);
		call_submit(w, &calls[i]);
	}
	world_run(w);
	for (unsigned i = 0; i < TSIS; i++)
		assert_int_equal(calls[i].answer.reason, NVE_REASON_OK);
	assert_int_equal(used(w, "tsi"), TSIS);
	assert_int_equal(used(w, "fdb"), 3 * TSIS);
	for (unsigned i = 0; i < TSIS; i++) {
		calls[i].req.ev.kind = NVE_EV_CLEAR;
		calls[i].req.ev.flags = 0;
		call_submit(w, &calls[i]);
	}
	world_run(w);
	for (unsigned i = 0; i < TSIS; i++)
		assert_int_equal(calls[i].answer.n_cleared, 1);
	run_until(w, w->now_ns + 31 * SEC); /* the quarantines */
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
	world_init(&w);
	many_vns(&w);
	world_open(&w);
	empty = world_text(&w);
	round_of_all(&w, calls, addrs);
	world_is_as(&w, empty);
	assert_int_equal(nve_store_memory_count(STORE_PATH), 0);
	first = world_text(&w);
	free(first);
	in_use = mallinfo2().uordblks;
	round_of_all(&w, calls, addrs);
	nve_engine_nva(w.engine, &nva);
	assert_true(mallinfo2().uordblks <= in_use + 4096);
	assert_int_equal(nve_store_memory_count(STORE_PATH), 0);
	assert_int_equal(nve_engine_counters(w.engine)->commits, 6);
	world_done(&w);
	free(calls);
	free(addrs);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_dead_hypervisor_is_cleaned_up_in_two_steps_and_its_tag_rests),
		TEST(frames_of_the_tsi_keep_it_activated),
		TEST(an_expiry_that_cannot_be_stored_waits_and_the_tsi_forwards_on),
		TEST(an_address_that_stays_activated_twice_is_told_once),
		TEST(the_later_activation_of_an_address_gets_its_frames_and_the_earlier_gets_them_back),
		TEST(an_address_that_the_nva_places_elsewhere_later_goes_there_until_activated_here),
		TEST(vteps_and_remote_macs_are_there_as_long_as_their_vn_has_a_vap),
		TEST(a_vn_is_found_by_name_and_unknown_ones_are_refused),
		TEST(what_is_here_can_be_taken_down_while_the_nva_is_away),
		TEST(a_request_whose_vn_is_being_asked_for_waits_for_it_and_no_longer_than_5_s),
		TEST(a_withdrawn_vn_forwards_on_and_a_fail_closed_one_is_disconnected),
		TEST(a_changed_vni_reaches_the_datapath_with_the_reload),
		TEST(a_bad_file_changes_nothing),
		TEST(a_reload_that_the_datapath_does_not_take_is_tried_again),
		TEST(a_restart_restores_everything_byte_for_byte),
		cmocka_unit_test(a_restart_from_sqlite_restores_everything_byte_for_byte),
		TEST(a_deadline_that_passed_while_no_agent_was_there_starts_again),
		TEST(records_of_a_port_that_is_no_longer_configured_are_dropped_from_the_store),
		TEST(a_vn_that_the_nva_does_not_know_at_the_restart_forwards_when_it_does),
		cmocka_unit_test(a_thousand_tsis_come_and_go_and_nothing_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
