/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A long random life of a world too large to be explored: turns of several events, some taken
 * back as the engine does, with the rows of the model compared throughout.
 */
#include "lib/core_draw.h"

#include <stdlib.h>
#include <string.h>

enum { EVENTS = 100000, SEED = 20260101, CHECK_EVERY = 8 };

static uint64_t rng = SEED;

static uint32_t draw_random(void *arg, uint32_t n)
{
	(void)arg;
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (uint32_t)((rng >> 16) % n);
}

static uint32_t draw(uint32_t n)
{
	return draw_random(NULL, n);
}

struct life {
	struct world w;
	struct model rows;
	size_t accepted[NVE_EVENTS], refused, taken_back;
};

static void step(struct life *life, bool check)
{
	struct nve_addr addrs[MODEL_ADDRS], only[MODEL_ADDRS];
	struct nve_event ev = draw_event(draw_random, NULL, &life->w, addrs, only);
	struct nve_core *core = life->w.core;
	struct nve_core_mark mark = nve_core_mark(core);
	struct nve_answer answer;

	if (check)
		memcpy(life->w.bytes, core->state, core->state_size);
	nve_core_step(core, &ev, &answer);
	if (answer.reason != NVE_REASON_OK) {
		life->refused++;
		assert_int_equal(nve_core_mark(core).undo, mark.undo);
		return;
	}
	if (!draw_model_holds(core) || !draw(20)) {
		nve_core_rollback(core, mark);
		life->taken_back++;
		if (check)
			assert_memory_equal(life->w.bytes, core->state, core->state_size);
		return;
	}
	life->accepted[ev.kind]++;
}

static void end_turn(struct life *life)
{
	struct nve_core *core = life->w.core;
	struct model whole;
	const struct nve_action *actions;
	size_t n;

	actions = nve_core_actions(core, &n);
	model_apply(&life->rows, core, actions, n);
	model_read(&whole, core);
	if (!model_equal(&life->rows, &whole))
		fail_msg("an action is missing: the rows differ from the core");
	assert_null(model_fault(&life->rows, core));
	nve_core_forget(core);
}

static void a_long_random_life_keeps_core_and_rows_equal(void **state)
{
	struct life life = { .w.core = NULL };

	(void)state;
	assert_int_equal(world_open_with(&life.w, &draw_config), 0);
	model_read(&life.rows, life.w.core);
	print_message("seed %d, %d events\n", SEED, EVENTS);
	for (unsigned int i = 0; i < EVENTS; i++) {
		step(&life, i % CHECK_EVERY == 0);
		if (!draw(6))
			end_turn(&life);
		if (i % CHECK_EVERY == 0)
			nve_core_check(life.w.core);
	}
	for (unsigned int kind = 0; kind < NVE_EVENTS; kind++) {
		print_message("event %u: %zu accepted\n", kind, life.accepted[kind]);
		assert_true(life.accepted[kind] > 100);
	}
	assert_true(life.refused > 1000 && life.taken_back > 1000);
	nve_core_free(life.w.core);
	free(life.w.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_long_random_life_keeps_core_and_rows_equal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
