/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A long random life of a world too large to be explored: turns of several events, some taken
 * back as the engine does, with the rows of the model compared throughout.
 */
#include "lib/core_model.h"

#include <stdlib.h>
#include <string.h>

enum { EVENTS = 100000, SEED = 20260101, CHECK_EVERY = 8 };

static uint64_t rng = SEED;

static uint32_t draw(uint32_t n)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (uint32_t)((rng >> 16) % n);
}

/* Up to MODEL_ADDRS different addresses with the model's bindings. */
static uint32_t draw_addrs(struct nve_addr *out)
{
	uint32_t n = draw(MODEL_ADDRS + 1), first = draw(16);

	for (uint32_t i = 0; i < n; i++) {
		uint32_t which = (first + 3 * i) % 16;

		out[i] = which < 4   ? mac(1 + which)
			 : which < 8 ? ip4(which - 3)
				     : mac_ip4(1 + which % 4, which);
	}
	return n;
}

static struct nve_event draw_event(struct world *w, struct nve_addr *addrs, struct nve_addr *only)
{
	uint32_t kind = draw(NVE_EVENTS + 3); /* few gleaned addresses fit */
	struct nve_event ev = { .kind = kind < NVE_EVENTS ? (uint8_t)kind : NVE_EV_GLEAN,
				.flags = (uint16_t)draw(128),
				.new_port = draw(3) ? NVE_PORT_NONE : (uint16_t)draw(4),
				.addrs = addrs,
				.only = only };
	uint32_t port = draw(4);

	ev.n_addrs = draw_addrs(addrs);
	ev.n_only = draw(3) ? 0 : draw_addrs(only);
	ev.key = tsi_key(1 + draw(5), (uint16_t)port, 1 + draw(MODEL_VNS));
	if (ev.kind == NVE_EV_CLEAR && !draw(3))
		ev.key.vn_id = 0;
	if (ev.kind == NVE_EV_UPDATE && !(ev.flags & NVE_EV_HAS_ADDRS))
		ev.n_addrs = 0;
	ev.glean_max = (uint16_t)draw(4);
	ev.glean_age_ms = 1000 + draw(4000);
	if (ev.kind == NVE_EV_GLEAN) {
		addrs[0] = draw(2) ? mac(1 + draw(4)) : mac_ip4(1 + draw(4), draw(6));
		ev.n_addrs = 1;
	}
	ev.tag = draw(6) ? 0 : (uint16_t)(99 + draw(6));
	ev.cause = (uint8_t)draw(4);
	ev.keepalive_ms = draw(2) ? 0 : draw(20000);
	ev.keepactive_ms = draw(2) ? 0 : draw(20000);
	if (!draw(3)) {
		ev.flags |= NVE_EV_HAS_QOS;
		ev.qos.from_tsi = draw(2) ? 64000 + draw(3) * 1000 : 0;
		ev.qos.from_tsi_burst = draw(20000);
	}
	ev.why = NVE_REASON_OPERATOR;
	ev.epoch = ++w->epoch;
	w->now_ns += draw(400) * MS;
	ev.now_ns = w->now_ns;
	if (ev.kind == NVE_EV_EXPIRE && !nve_core_due(w->core, ev.now_ns, &ev.due))
		ev.due = (struct nve_due){ (uint8_t)draw(4), draw(20) };
	return ev;
}

struct life {
	struct world w;
	struct model rows;
	size_t accepted[NVE_EVENTS], refused, taken_back;
};

/* Addresses of a TSI are bounded here so that the model can hold them. */
static bool model_holds(const struct nve_core *core)
{
	const struct nve_tsi *tsi;
	uint32_t cursor = 0, slot;

	while ((tsi = nve_core_next_tsi(core, &cursor, &slot)))
		if (tsi->n_addrs > MODEL_ADDRS)
			return false;
	return true;
}

static void step(struct life *life, bool check)
{
	struct nve_addr addrs[MODEL_ADDRS], only[MODEL_ADDRS];
	struct nve_event ev = draw_event(&life->w, addrs, only);
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
	if (!model_holds(core) || !draw(20)) {
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
	static const uint16_t ports[] = { 0, 0, 1, 2 };
	struct nve_core_config config = world_config;
	struct life life = { .w.core = NULL };

	(void)state;
	config.n_ports = MODEL_PORTS;
	config.port_scope = ports;
	config.max_tsis = MODEL_TSIS;
	config.max_vns = MODEL_VNS;
	config.max_vaps = 10;
	config.quarantine_ns = 5000 * MS;
	config.duplicate_alarm_ns = 4000 * MS;
	assert_int_equal(world_open_with(&life.w, &config), 0);
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
