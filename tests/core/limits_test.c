/* SPDX-License-Identifier: Apache-2.0 */
/* What is full, what is taken back, and that the checker would notice if it were not. */
#include "lib/core_model.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void assert_full(const struct world *w, enum nve_resource which, uint32_t max)
{
	assert_refused(w->answer.reason, NO_RESOURCES);
	assert_int_equal(w->answer.resource, which);
	assert_int_equal(w->answer.used, max);
	assert_int_equal(w->answer.max, max);
}

/* S17, S54, S58: world_step() asserts that nothing changed. */
static void a_full_pool_refuses_and_says_which(void **state)
{
	struct world *w = *state;
	struct nve_addr set[24], more[] = { mac(99) };

	for (unsigned int i = 0; i < 24; i++)
		set[i] = mac(i);
	assert_ok(associate(w, tsi_key(1, 0, 7), SET_OF(set)));
	assert_ok(associate(w, tsi_key(2, 0, 7)));
	UPDATE(w, tsi_key(2, 0, 7), ADDING(more));
	assert_full(w, NVE_RES_ADDRS, 24);
	assert_ok(activate(w, tsi_key(1, 0, 7)));
	assert_ok(UPDATE(w, tsi_key(1, 0, 7), ADDING(more), .only = set, .n_only = 1));
	for (unsigned int id = 3; id <= 8; id++)
		assert_ok(associate(w, tsi_key(id, 0, 7)));
	associate(w, tsi_key(9, 0, 7));
	assert_full(w, NVE_RES_TSIS, 8);
	assert_ok(vn_connect(w, 1, 7));
	assert_ok(vn_connect(w, 0, 8));
	assert_ok(vn_connect(w, 1, 8));
	assert_ok(vn_connect(w, 2, 9));
	vn_connect(w, 2, 10);
	assert_full(w, NVE_RES_VNS, 3);
	assert_ok(vn_connect(w, 2, 8));
	vn_connect(w, 3, 8);
	assert_full(w, NVE_RES_VAPS, 6);
	STEP(w, .kind = NVE_EV_UPDATE, .key = tsi_key(1, 0, 7), .new_port = 3);
	assert_full(w, NVE_RES_VAPS, 6);
}

static void a_configuration_out_of_range_is_refused(void **state)
{
	struct nve_scope_config ranges[] = { { 0, 10 }, { 10, 9 }, { 1, 4095 } };
	struct nve_core_config config = world_config;
	struct nve_core *core = NULL;

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(ranges); i++) {
		config = world_config;
		config.n_scopes = 1;
		config.n_ports = 2;
		config.scopes = &ranges[i];
		assert_int_equal(nve_core_new(&config, &core), -EINVAL);
	}
	config = world_config;
	config.n_scopes = 2; /* port 3 is in the third */
	assert_int_equal(nve_core_new(&config, &core), -EINVAL);
	config = world_config;
	config.max_tsis = 0;
	assert_int_equal(nve_core_new(&config, &core), -EINVAL);
	config = world_config;
	config.keepalive.default_ms = 0;
	assert_int_equal(nve_core_new(&config, &core), -EINVAL);
	assert_null(core);
	nve_core_free(core);
}

static void rollback_goes_back_to_any_mark(void **state)
{
	struct world *w = *state;
	size_t size = w->core->state_size;
	uint8_t *first = malloc(size), *second = malloc(size);
	struct nve_addr set[] = { mac(1), mac_ip4(1, 2), ip6(3) };
	struct nve_core_mark at_first, at_second;

	at_first = nve_core_mark(w->core);
	memcpy(first, w->core->state, size);
	assert_ok(activate(w, tsi_key(1, 0, 7), SET_OF(set)));
	assert_ok(associate(w, tsi_key(1, 1, 7), SET_OF(set)));
	at_second = nve_core_mark(w->core);
	memcpy(second, w->core->state, size);
	assert_ok(STEP(w, .kind = NVE_EV_UPDATE, .key = tsi_key(1, 0, 7), .new_port = 2));
	assert_ok(vn_disconnect(w, 1, 7));
	nve_core_rollback(w->core, at_second);
	assert_memory_equal(w->core->state, second, size);
	nve_core_check(w->core);
	nve_core_rollback(w->core, at_first);
	assert_memory_equal(w->core->state, first, size);
	assert_int_equal(nve_core_mark(w->core).actions, 0);
	free(first);
	free(second);
}

static struct nve_core_config large_config(void)
{
	static const struct nve_scope_config scope = { 1, 4094 };
	static const uint16_t ports[] = { 0, 0 };
	struct nve_core_config config = world_config;

	config.n_scopes = 1;
	config.n_ports = 2;
	config.scopes = &scope;
	config.port_scope = ports;
	config.max_vaps = config.max_vns = 100;
	config.max_tsis = 20000;
	config.max_addrs = 60000;
	return config;
}

static void fill(struct world *w)
{
	struct nve_event ev = { .kind = NVE_EV_ACTIVATE, .flags = NVE_EV_HAS_ADDRS, .n_addrs = 3 };

	for (unsigned int i = 0; i < 20000; i++) {
		struct nve_addr set[] = { mac(i), ip4(i), ip6(i) };

		ev.key = tsi_key(i, 0, 7);
		ev.now_ns = ++w->now_ns;
		ev.epoch = ++w->epoch;
		ev.addrs = set;
		nve_core_step(w->core, &ev, &w->answer);
		assert_ok(w->answer.reason);
		nve_core_forget(w->core);
	}
}

/* S42: the worst step there is, every TSI at once, fits the journal and can be taken back. */
static void a_disconnect_of_all_there_is_can_be_taken_back(void **state)
{
	struct nve_core_config config = large_config();
	struct nve_event ev = { .kind = NVE_EV_VN_DISCONNECT, .key = tsi_key(0, 0, 7) };
	struct world w;

	(void)state;
	assert_int_equal(world_open_with(&w, &config), 0);
	fill(&w);
	memcpy(w.bytes, w.core->state, w.core->state_size);
	ev.now_ns = ++w.now_ns;
	for (int round = 0; round < 2; round++) {
		nve_core_step(w.core, &ev, &w.answer);
		assert_ok(w.answer.reason);
		assert_int_equal(w.answer.n_cleared, 20000);
		assert_true(w.core->undo_len < w.core->undo_size / 2);
		nve_core_rollback(w.core, (struct nve_core_mark){ 0 });
		assert_true(memcmp(w.bytes, w.core->state, w.core->state_size) == 0);
	}
	nve_core_step(w.core, &ev, &w.answer);
	nve_core_forget(w.core);
	nve_core_check(w.core);
	assert_int_equal(nve_core_usage(w.core).addrs, 0);
	nve_core_free(w.core);
	free(w.bytes);
}

/* A turn without end is refused more, and goes on after nve_core_forget(). */
static void a_turn_that_is_too_long_is_refused_more(void **state)
{
	struct world *w = *state;
	struct nve_tsi_key key = tsi_key(1, 0, 7);
	struct nve_event ev = { .key = key };
	unsigned int n = 0;

	do {
		ev.kind = n++ % 2 ? NVE_EV_CLEAR : NVE_EV_ASSOCIATE;
		ev.now_ns = ++w->now_ns;
		nve_core_step(w->core, &ev, &w->answer);
	} while (w->answer.reason == NVE_REASON_OK && n < 1000000);
	assert_refused(w->answer.reason, TOO_MANY_REQUESTS);
	assert_in_range(n, 1000, 999999);
	nve_core_forget(w->core);
	assert_ok(world_step(w, &ev));
}

/* Issue 4: the core's part of 1 KiB a TSI with 3 addresses. */
static void a_tsi_with_three_addresses_costs_less_than_half_a_kibibyte(void **state)
{
	(void)state;
	assert_in_range(sizeof(struct nve_tsi_rec) + 4 * sizeof(struct nve_link) +
				sizeof(struct nve_timer) + 5 * sizeof(uint32_t) +
				3 * (sizeof(struct nve_addr_rec) + sizeof(struct nve_link) +
				     3 * sizeof(uint32_t)),
			64, 512);
}

/* --- habit 26: the checkers reject ---------------------------------------------------------- */

/* How the check of a core with that byte turned ends; 0 if it has no objection. */
static int signal_of_check(struct nve_core *core, size_t at)
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		fclose(stderr);
		((uint8_t *)core->state)[at] ^= 1;
		nve_core_check(core);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static size_t offset_of(const struct nve_core *core, const void *at)
{
	return (size_t)((const uint8_t *)at - (const uint8_t *)core->state);
}

static void the_checker_rejects_a_corrupted_core(void **state)
{
	struct world *w = *state;
	struct nve_core *core = w->core;
	struct nve_addr set[] = { mac(1), ip4(1) };

	assert_ok(activate(w, tsi_key(1, 0, 7), SET_OF(set)));
	assert_ok(activate(w, tsi_key(1, 1, 7), SET_OF(set)));
	assert_ok(vn_connect(w, 2, 8));
	assert_ok(vn_disconnect(w, 2, 8));

	const void *const wounds[] = {
		&core->tsis[0].pub.n_active,
		&core->tsis[0].pub.key.vn_id,
		&core->tsis[0].pub.deadline_ns,
		&core->tsis[0].n_overlap,
		&core->tsis[0].vap,
		&core->tsis[5].pub.epoch,
		&core->vaps[0].pub.n_tsi,
		&core->vaps[0].pub.n_activated,
		&core->vaps[0].pub.tag,
		&core->addrs[0].active,
		&core->addrs[0].leader,
		&core->addrs[0].n_working,
		&core->addrs[0].addr.mac[5],
		&core->tags[0].use,
		&core->tags[0].n_vaps,
		&core->state->tsis.used,
		&core->state->addrs.used,
		&core->state->n_timers,
		&core->timers[0].slot,
		&core->tsis[0].pub.n_gleaned,
		&core->tsis[0].n_sig_mac,
		&core->addrs[0].gleaned,
		&core->vaps[0].gleaner,
		&core->scopes[0].used,
		&core->vns[0].n_vaps,
		&core->state->quarantine.head,
	};

	assert_int_equal(signal_of_check(core, offset_of(core, &core->tsis[0].pub.epoch)), 0);
	for (size_t i = 0; i < ARRAY_SIZE(wounds); i++)
		assert_int_equal(signal_of_check(core, offset_of(core, wounds[i])), SIGABRT);
}

static void the_model_notices_a_missing_action_and_a_wrong_row(void **state)
{
	struct nve_core_config config = world_config;
	struct nve_addr set[] = { mac(1) };
	struct model before, rows, whole;
	const struct nve_action *actions;
	struct world w;
	size_t n;

	(void)state;
	config.n_ports = MODEL_PORTS;
	assert_int_equal(world_open_with(&w, &config), 0);
	model_read(&before, w.core);
	assert_ok(activate(&w, tsi_key(1, 0, 1), SET_OF(set)));
	model_read(&whole, w.core);
	actions = nve_core_actions(w.core, &n);
	rows = before;
	model_apply(&rows, w.core, actions, n);
	assert_true(model_equal(&rows, &whole));
	assert_null(model_fault(&rows, w.core));
	for (enum nve_action_kind kind = NVE_ACT_TAG; kind < NVE_ACT_NOTICE; kind++) {
		rows = before;
		for (size_t i = 0; i < n; i++)
			if (actions[i].kind != kind)
				model_apply(&rows, w.core, &actions[i], 1);
		assert_false(model_equal(&rows, &whole));
	}
	rows = whole;
	rows.tsis[0].pub.state = NVE_TSI_ASSOCIATED;
	assert_non_null(model_fault(&rows, w.core));
	rows = whole;
	rows.vaps[1][1] = (struct nve_vap){ .vn_id = 2, .port = 1, .tag = 100 };
	assert_non_null(model_fault(&rows, w.core));
	rows = whole;
	rows.tags[0][0].vn_id = 2;
	assert_non_null(model_step_fault(&whole, &rows, w.core));
	assert_ok(deactivate(&w, tsi_key(1, 0, 1)));
	assert_non_null(model_fault(&whole, w.core));
	nve_core_free(w.core);
	free(w.bytes);
}

/* Bounded memory for any number of lives, although a slot rests before it is another TSI. */
static void lives_one_after_the_other_walk_through_few_slots(void **state)
{
	struct nve_core_config config = world_config;
	uint32_t highest = 0, last = NVE_SLOT_NONE;
	struct world w = { 0 };

	(void)state;
	config.max_tsis = 4096;
	assert_int_equal(world_open_with(&w, &config), 0);
	for (unsigned int i = 0; i < 2000; i++) {
		assert_ok(associate(&w, tsi_key(1 + i % 7, 0, 7)));
		assert_int_not_equal(w.answer.slot, last);
		last = w.answer.slot;
		highest = last > highest ? last : highest;
		assert_ok(clear(&w, tsi_key(1 + i % 7, 0, 7)));
		world_forget(&w);
	}
	assert_in_range(highest, 200, 300);
	nve_core_free(w.core);
	free(w.bytes);
}

#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, world_open, world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_WORLD(a_full_pool_refuses_and_says_which),
		cmocka_unit_test(a_configuration_out_of_range_is_refused),
		IN_WORLD(rollback_goes_back_to_any_mark),
		cmocka_unit_test(a_disconnect_of_all_there_is_can_be_taken_back),
		IN_WORLD(a_turn_that_is_too_long_is_refused_more),
		cmocka_unit_test(a_tsi_with_three_addresses_costs_less_than_half_a_kibibyte),
		cmocka_unit_test(lives_one_after_the_other_walk_through_few_slots),
		IN_WORLD(the_checker_rejects_a_corrupted_core),
		cmocka_unit_test(the_model_notices_a_missing_action_and_a_wrong_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
