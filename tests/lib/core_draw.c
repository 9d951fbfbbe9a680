/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/core_draw.h"

const struct nve_core_config draw_config = {
	.n_scopes = 3,
	.n_ports = MODEL_PORTS,
	.scopes = (const struct nve_scope_config[]){ { 100, 103 }, { 100, 103 }, { 100, 103 } },
	.port_scope = (const uint16_t[]){ 0, 0, 1, 2 },
	.max_vaps = 10,
	.max_vns = MODEL_VNS,
	.max_tsis = MODEL_TSIS,
	.max_addrs = 24,
	.keepalive = { .default_ms = 300000, .min_ms = 1000, .max_ms = 1000000 },
	.keepactive = { .default_ms = 30000,
			.min_ms = 1000,
			.max_ms = 1000000,
			.may_be_off = true },
	.quarantine_ns = 5000 * MS,
	.duplicate_alarm_ns = 4000 * MS,
};

struct source {
	draw_fn *fn;
	void *arg;
};

static uint32_t draw(const struct source *s, uint32_t n)
{
	return s->fn(s->arg, n);
}

/* Up to MODEL_ADDRS different addresses with the model's bindings. */
static uint32_t draw_addrs(const struct source *s, struct nve_addr *out)
{
	uint32_t n = draw(s, MODEL_ADDRS + 1), first = draw(s, 16);

	for (uint32_t i = 0; i < n; i++) {
		uint32_t which = (first + 3 * i) % 16;

		out[i] = which < 4   ? mac(1 + which)
			 : which < 8 ? ip4(which - 3)
				     : mac_ip4(1 + which % 4, which);
	}
	return n;
}

static void draw_parameters(const struct source *s, struct nve_event *ev)
{
	ev->tag = draw(s, 6) ? 0 : (uint16_t)(99 + draw(s, 6));
	ev->cause = (uint8_t)draw(s, 4);
	ev->keepalive_ms = draw(s, 2) ? 0 : draw(s, 20000);
	ev->keepactive_ms = draw(s, 2) ? 0 : draw(s, 20000);
	if (!draw(s, 3)) {
		ev->flags |= NVE_EV_HAS_QOS;
		ev->qos.from_tsi = draw(s, 2) ? 64000 + draw(s, 3) * 1000 : 0;
		ev->qos.from_tsi_burst = draw(s, 20000);
	}
	ev->why = NVE_REASON_OPERATOR;
}

struct nve_event draw_event(draw_fn *fn, void *arg, struct world *w,
			    struct nve_addr addrs[MODEL_ADDRS], struct nve_addr only[MODEL_ADDRS])
{
	const struct source s = { fn, arg };
	uint32_t kind = draw(&s, NVE_EVENTS + 3); /* few gleaned addresses fit */
	struct nve_event ev = { .kind = kind < NVE_EVENTS ? (uint8_t)kind : NVE_EV_GLEAN,
				.flags = (uint16_t)draw(&s, 128),
				.new_port = draw(&s, 3) ? NVE_PORT_NONE : (uint16_t)draw(&s, 4),
				.addrs = addrs,
				.only = only };
	uint32_t port = draw(&s, 4);
	const struct nve_tsi *tsi;

	ev.n_addrs = draw_addrs(&s, addrs);
	ev.n_only = draw(&s, 3) ? 0 : draw_addrs(&s, only);
	ev.key = tsi_key(1 + draw(&s, 5), (uint16_t)port, 1 + draw(&s, MODEL_VNS));
	if (ev.kind == NVE_EV_CLEAR && !draw(&s, 3))
		ev.key.vn_id = 0;
	if (ev.kind == NVE_EV_UPDATE && !(ev.flags & NVE_EV_HAS_ADDRS))
		ev.n_addrs = 0;
	ev.glean_max = (uint16_t)draw(&s, 4);
	ev.glean_age_ms = 1000 + draw(&s, 4000);
	if (ev.kind == NVE_EV_GLEAN) {
		addrs[0] =
			draw(&s, 2) ? mac(1 + draw(&s, 4)) : mac_ip4(1 + draw(&s, 4), draw(&s, 6));
		ev.n_addrs = 1;
	}
	draw_parameters(&s, &ev);
	ev.epoch = ++w->epoch;
	w->now_ns += draw(&s, 400) * MS;
	ev.now_ns = w->now_ns;
	if (ev.kind == NVE_EV_EXPIRE && !nve_core_due(w->core, ev.now_ns, &ev.due))
		ev.due = (struct nve_due){ (uint8_t)draw(&s, 4), draw(&s, 20) };
	tsi = nve_core_tsi(w->core, ev.due.slot);
	if (ev.due.kind == NVE_DUE_TSI && tsi)
		ev.key = tsi->key;
	return ev;
}

bool draw_model_holds(const struct nve_core *core)
{
	const struct nve_tsi *tsi;
	uint32_t cursor = 0, slot;

	while ((tsi = nve_core_next_tsi(core, &cursor, &slot)))
		if (tsi->n_addrs > MODEL_ADDRS)
			return false;
	return true;
}
