/* SPDX-License-Identifier: Apache-2.0 */
/* A plan says what would be answered, and leaves everything as it was, byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/core_internal.h"
#include "lib/engine_world.h"

enum { CALLS = 24 };

/* The same requests for a plan and for doing them. */
struct script {
	struct world *w;
	struct call calls[CALLS];
	struct nve_addr addrs[CALLS];
	uint32_t n, next;
	struct nve_answer answers[CALLS];
	struct nve_core_usage peeked;
	uint32_t peeks;
};

static struct nve_request *next(void *arg)
{
	struct script *s = arg;

	if (s->next > 0)
		s->answers[s->next - 1] = s->calls[s->next - 1].req.answer;
	return s->next == s->n ? NULL : &s->calls[s->next++].req;
}

static void peek(void *arg)
{
	struct script *s = arg;

	s->peeked = nve_core_usage(nve_engine_core(s->w->engine));
	s->peeks++;
}

static void add(struct script *s, enum nve_event_kind kind, uint8_t tsi, uint16_t port, uint32_t vn,
		uint8_t addr)
{
	struct call *c = &s->calls[s->n];

	assert_true(s->n < CALLS);
	ew_call_init(c, kind, tsi, port, vn);
	s->addrs[s->n] = ew_mac_ip(addr, addr);
	if (addr)
		ew_call_addrs(c, &s->addrs[s->n], 1);
	s->n++;
}

static uint64_t sum(const void *bytes, size_t n)
{
	const uint8_t *at = bytes;
	uint64_t h = 1469598103934665603ull;

	for (size_t i = 0; i < n; i++)
		h = (h ^ at[i]) * 1099511628211ull;
	return h;
}

static uint64_t core_sum(const struct world *w)
{
	const struct nve_core *core = nve_engine_core(w->engine);

	assert_int_equal(core->undo_len, 0);
	assert_int_equal(core->n_actions, 0);
	return sum(core->state, core->state_size);
}

/* Plans, and asserts that core, store, datapath, NVA, counters and watchers know nothing of it. */
static void plan(struct world *w, struct script *s)
{
	struct nve_engine_counters counters = *nve_engine_counters(w->engine);
	uint64_t deadline = nve_engine_next_deadline(w->engine);
	uint64_t core = core_sum(w);
	uint32_t n_events = w->n_events;
	char *before = ew_text(w);

	s->w = w;
	s->next = 0;
	nve_engine_plan(w->engine, &(struct nve_plan){ next, peek, s });
	assert_int_equal(s->next, s->n);
	assert_int_equal(s->peeks, 1);
	assert_int_equal(core_sum(w), core);
	nve_core_check(nve_engine_core(w->engine));
	assert_int_equal(w->n_events, n_events);
	assert_int_equal(nve_engine_next_deadline(w->engine), deadline);
	assert_memory_equal(&counters, nve_engine_counters(w->engine), sizeof(counters));
	ew_is_as(w, before);
	for (uint32_t i = 0; i < s->n; i++)
		assert_int_equal(s->calls[i].answered, 0);
}

/* Does what was planned: each answer is the one that was told. */
static void carry_out(struct world *w, struct script *s)
{
	struct nve_core_usage use;

	for (uint32_t i = 0; i < s->n; i++) {
		const struct nve_answer *told = &s->answers[i];
		const struct nve_answer *got = &s->calls[i].answer;

		ew_call(w, &s->calls[i]);
		assert_int_equal(got->reason, told->reason);
		assert_int_equal(got->state, told->state);
		assert_int_equal(got->tag, told->tag);
		assert_int_equal(got->resource, told->resource);
		assert_int_equal(got->used, told->used);
		assert_int_equal(got->max, told->max);
	}
	use = nve_core_usage(nve_engine_core(w->engine));
	assert_memory_equal(&use, &s->peeked, sizeof(use));
}

static void a_plan_tells_what_is_then_answered_and_changes_nothing(void **state)
{
	struct world *w = *state;
	struct script s = { 0 };

	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 1, P1, 100, 1), NVE_REASON_OK);
	assert_int_equal(ew_ask(w, NVE_EV_ASSOCIATE, 2, P3, 200, 2), NVE_REASON_OK);
	add(&s, NVE_EV_VN_CONNECT, 0, P2, 200, 0);
	add(&s, NVE_EV_ASSOCIATE, 3, P1, 100, 3);
	add(&s, NVE_EV_ASSOCIATE, 4, P1, 100, 3); /* ADDRESS_IN_USE, by the one before */
	add(&s, NVE_EV_ASSOCIATE, 1, P1, 100, 1); /* ILLEGAL_TRANSITION */
	add(&s, NVE_EV_ACTIVATE, 2, P3, 200, 0);
	add(&s, NVE_EV_ACTIVATE, 5, P3, 300, 5);
	add(&s, NVE_EV_ASSOCIATE, 6, P1, 999, 6); /* UNKNOWN_VN */
	add(&s, NVE_EV_DISASSOCIATE, 1, P1, 100, 0);
	add(&s, NVE_EV_ASSOCIATE, 6, P1, 100, 1); /* its address is free then */
	plan(w, &s);
	assert_int_equal(s.answers[2].reason, NVE_REASON_ADDRESS_IN_USE);
	assert_int_equal(s.answers[3].reason, NVE_REASON_ILLEGAL_TRANSITION);
	assert_int_equal(s.answers[6].reason, NVE_REASON_UNKNOWN_VN);
	assert_int_equal(s.answers[8].reason, NVE_REASON_OK);
	carry_out(w, &s);
}

static void a_plan_tells_which_pool_would_be_full(void **state)
{
	struct world *w = malloc(sizeof(*w));
	struct script s = { 0 };

	(void)state;
	assert_non_null(w);
	ew_init(w);
	w->config.core.max_tsis = w->config.dp.limits.max_tsis = 3;
	ew_open(w);
	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 1, P1, 100, 1), NVE_REASON_OK);
	for (uint8_t i = 2; i <= 5; i++)
		add(&s, NVE_EV_ACTIVATE, i, P1, 200, i);
	plan(w, &s);
	plan(w, &(struct script){ .n = 0 }); /* of nothing */
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(s.answers[i].reason,
				 i < 2 ? NVE_REASON_OK : NVE_REASON_NO_RESOURCES);
	assert_int_equal(s.answers[2].resource, NVE_RES_TSIS);
	assert_int_equal(s.answers[2].used, 3);
	assert_int_equal(s.answers[2].max, 3);
	assert_int_equal(s.peeked.tsis, 3);
	carry_out(w, &s);
	ew_done(w);
	free(w);
}

/* Steps at random, also such as are refused, among things that happen. */
static void many_random_plans_change_nothing(void **state)
{
	static const enum nve_event_kind kinds[] = { NVE_EV_VN_CONNECT, NVE_EV_ASSOCIATE,
						     NVE_EV_ACTIVATE,   NVE_EV_UPDATE,
						     NVE_EV_DEACTIVATE, NVE_EV_DISASSOCIATE,
						     NVE_EV_CLEAR,      NVE_EV_VN_DISCONNECT };
	struct world *w = *state;
	unsigned int seed = 20261123;

	for (int round = 0; round < 250; round++) {
		struct script s = { 0 };
		uint32_t n = 1 + rand_r(&seed) % (CALLS - 1);

		for (uint32_t i = 0; i < n; i++)
			add(&s, kinds[rand_r(&seed) % 8], (uint8_t)(1 + rand_r(&seed) % 12),
			    (uint16_t)(rand_r(&seed) % 3), 100 * (1 + rand_r(&seed) % 3),
			    (uint8_t)(rand_r(&seed) % 8));
		plan(w, &s);
		if (round % 4 == 0) { /* now and then it is done, too */
			carry_out(w, &s);
			w->now_ns += rand_r(&seed) % (10 * SEC);
			ew_run(w);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_plan_tells_what_is_then_answered_and_changes_nothing, ew_setup,
			ew_teardown),
		cmocka_unit_test(a_plan_tells_which_pool_would_be_full),
		cmocka_unit_test_setup_teardown(many_random_plans_change_nothing, ew_setup,
						ew_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
