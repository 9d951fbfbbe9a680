/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The core against the reference model: the bytes are choices of events, of steps taken back and of
 * turns that end.  After every step the rows that the actions made equal those of the core, what
 * must hold of them holds, and the answer is one that the table of requirements 3.1 allows.
 */
#include "lib/core_draw.h"
#include "lib/core_oracle.h"
#include "lib/fuzz.h"

#include <stdlib.h>
#include <string.h>

enum { STEPS_MAX = 1000 };

static struct {
	struct world w;
	struct model turn; /* rows when the turn began */
	struct model rows; /* rows now */
	uint8_t *start;    /* the core's bytes when the turn began */
	uint8_t *empty;    /* and before anything happened */
} life;

static void no_fault(const char *fault)
{
	if (fault)
		fail_msg("%s", fault);
}

static void no_answer_fault(const char *fault, const struct nve_event *ev,
			    const struct nve_answer *answer)
{
	if (fault)
		fail_msg("event %u, answered %s: %s", ev->kind, nve_reason_name(answer->reason),
			 fault);
}

static void keep(uint8_t *bytes)
{
	memcpy(bytes, life.w.core->state, life.w.core->state_size);
}

static bool is(const uint8_t *bytes)
{
	return !memcmp(bytes, life.w.core->state, life.w.core->state_size);
}

static void end_turn(void)
{
	nve_core_forget(life.w.core);
	life.turn = life.rows;
	keep(life.start);
}

static void open_world(void)
{
	if (life.w.core) { /* as it was: cheaper than a new one */
		nve_core_forget(life.w.core);
		memcpy(life.w.core->state, life.empty, life.w.core->state_size);
		life.w.now_ns = 1000;
		life.w.epoch = 0;
	} else {
		fuzz_asserts_abort();
		fuzz_check(!world_open_with(&life.w, &draw_config));
		life.start = malloc(life.w.core->state_size);
		life.empty = malloc(life.w.core->state_size);
		fuzz_check(life.start && life.empty);
		keep(life.empty);
	}
	model_read(&life.rows, life.w.core);
	end_turn();
}

/* All that was done in this turn is undone. */
static void take_back(void)
{
	nve_core_rollback(life.w.core, (struct nve_core_mark){ 0 });
	fuzz_check(is(life.start));
	life.rows = life.turn;
}

/* What the actions of the turn make of the rows is what the core says they are. */
static void compare(void)
{
	struct nve_core *core = life.w.core;
	struct model before = life.rows, whole;
	const struct nve_action *actions;
	size_t n;

	life.rows = life.turn;
	actions = nve_core_actions(core, &n);
	model_apply(&life.rows, core, actions, n);
	model_read(&whole, core);
	fuzz_check(model_equal(&life.rows, &whole));
	no_fault(model_fault(&life.rows, core));
	no_fault(model_step_fault(&before, &life.rows, core));
	nve_core_check(core);
}

static void step(struct fuzz_bytes *in)
{
	struct nve_addr addrs[MODEL_ADDRS], only[MODEL_ADDRS];
	struct nve_event ev = draw_event(fuzz_draw, in, &life.w, addrs, only);
	struct nve_core *core = life.w.core;
	struct nve_core_mark mark = nve_core_mark(core);
	enum nve_tsi_state from = oracle_state(core, &ev.key);
	bool due = oracle_due(core, &ev);
	struct nve_answer answer;

	keep(life.w.bytes);
	nve_core_step(core, &ev, &answer);
	if (answer.reason == NVE_REASON_TOO_MANY_REQUESTS) { /* the turn is too long */
		fuzz_check(mark.undo && is(life.w.bytes));
		end_turn();
		return;
	}
	if (oracle_knows(&ev))
		no_answer_fault(oracle_fault(core, &ev, from, due, &answer), &ev, &answer);
	if (answer.reason != NVE_REASON_OK || answer.unchanged)
		fuzz_check(nve_core_mark(core).actions == mark.actions);
	if (answer.reason != NVE_REASON_OK) {
		fuzz_check(is(life.w.bytes) && nve_core_mark(core).undo == mark.undo);
		return;
	}
	if (!draw_model_holds(core)) {
		nve_core_rollback(core, mark);
		fuzz_check(is(life.w.bytes));
		return;
	}
	compare();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_bytes in = { data, data + size };

	open_world();
	for (int i = 0; i < STEPS_MAX && in.at < in.end; i++) {
		uint32_t what = fuzz_draw(&in, 16);

		if (what == 0)
			take_back();
		else if (what < 4)
			end_turn();
		else
			step(&in);
	}
	return 0;
}
