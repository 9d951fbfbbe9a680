/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/core_explorer.h"
#include "lib/core_oracle.h"

#include <stdlib.h>
#include <string.h>

enum { PRINT_LEN = 256 /* of a fingerprint */, SEEN_MIN = 1 << 12 };

struct node {
	uint8_t *state;
	uint64_t now_ns;
	uint64_t epoch;
};

struct explorer {
	const struct small_world *world;
	struct exploration *found;
	struct nve_core *core;
	struct node *nodes; /* in order of discovery; expanded ones keep no state */
	uint8_t (*prints)[PRINT_LEN];
	size_t n_nodes, max_nodes;
	uint32_t *seen; /* index + 1, open addressing */
	size_t n_seen_slots;
	uint8_t *before, *after;
	struct model start; /* of the state being expanded */
};

/* --- what makes two states the same ---------------------------------------------------------- */

struct print {
	uint8_t bytes[PRINT_LEN];
	size_t len;
};

static void put(struct print *print, unsigned int value)
{
	assert_in_range(value, 0, 255);
	assert_true(print->len < PRINT_LEN);
	print->bytes[print->len++] = (uint8_t)value;
}

static unsigned int addr_fate(const struct nve_core *core, uint32_t slot,
			      const struct nve_addr *addr)
{
	uint32_t head = core->tsis[slot].addrs.head;
	unsigned int rank = 0;

	for (uint32_t i = head; i; i = core->addrs[i - 1].next) {
		const struct nve_addr_rec *rec = &core->addrs[i - 1];

		if (memcmp(&rec->addr, addr, sizeof(*addr)) != 0)
			continue;
		if (!rec->gleaned)
			return rec->active ? 2 : 1;
		for (uint32_t k = head; k; k = core->addrs[k - 1].next)
			rank += core->addrs[k - 1].gleaned &&
				core->addrs[k - 1].seen_ns < rec->seen_ns;
		return 3 + rank;
	}
	return 0;
}

/* Gleaned addresses are looked at when the first of them may be old, which may be too early. */
static unsigned int glean_timer(const struct nve_core *core, uint32_t slot)
{
	const struct nve_tsi *tsi = &core->tsis[slot].pub;
	unsigned int n = 0;

	for (uint32_t i = core->tsis[slot].addrs.head; i; i = core->addrs[i - 1].next)
		n += core->addrs[i - 1].gleaned &&
		     core->addrs[i - 1].seen_ns + tsi->glean_age_ms * MS <= tsi->glean_ns;
	return n;
}

static void print_tsi(struct print *print, const struct small_world *world,
		      const struct nve_core *core, const struct nve_tsi_key *key)
{
	uint32_t slot = nve_core_find_tsi(core, key);
	const struct nve_tsi_rec *tsi;

	if (slot == NVE_SLOT_NONE) {
		put(print, NVE_TSI_INIT);
		return;
	}
	tsi = &core->tsis[slot];
	put(print, tsi->pub.state);
	put(print, (tsi->alarm_ns != 0) + 2u * tsi->alarmed + 4u * (tsi->heap_pos != 0));
	put(print, tsi->pub.keepalive_ms % 251);
	put(print, tsi->pub.keepactive_ms % 251);
	if (world->gleans) {
		put(print, tsi->pub.glean_max);
		put(print, glean_timer(core, slot));
	}
	put(print, (unsigned int)(tsi->pub.qos.from_tsi % 251));
	for (unsigned int i = 0; i < world->n_addrs; i++)
		put(print, addr_fate(core, slot, &world->addrs[i]));
}

/* Who owns an address is a matter of order among those where it works. */
static void print_owners(struct print *print, const struct nve_core *core, uint32_t vn_id,
			 const struct nve_addr *addr)
{
	struct nve_addr binding = nve_binding_of(addr);
	uint32_t slots[MODEL_PORTS];
	size_t n = nve_core_bearers(core, vn_id, &binding, slots, MODEL_PORTS);

	for (size_t i = 0; i < n; i++)
		if (nve_core_addr_works(core, slots[i], &binding)) {
			put(print, 1u + nve_core_tsi(core, slots[i])->key.port);
			put(print, nve_core_tsi(core, slots[i])->key.id.bytes[0]);
		}
	put(print, 255);
}

static void print_tags(struct print *print, const struct nve_core *core)
{
	const struct nve_state *state = core->state;

	for (uint32_t i = 0; i < state->n_tags; i++) {
		put(print, core->tags[i].use + 4u * core->tags[i].ever);
		put(print, core->tags[i].vn_id);
	}
	for (uint32_t s = 0; s < core->config.n_scopes; s++) {
		for (uint32_t i = core->scopes[s].free.head; i; i = core->tag_order[i - 1].next)
			put(print, i);
		put(print, 255);
	}
	for (uint32_t i = state->quarantine.head; i; i = core->tag_order[i - 1].next)
		put(print, i);
	put(print, 255);
}

static struct print print_of(const struct small_world *world, const struct nve_core *core)
{
	struct print print = { .len = 0 };

	for (uint16_t port = 0; port < world->n_ports; port++)
		for (uint32_t vn_id = 1; vn_id <= world->n_vns; vn_id++) {
			const struct nve_vap *vap = nve_core_vap(core, port, vn_id);

			put(&print, vap ? 1u + vap->connected_explicitly : 0);
			for (unsigned int id = 1; id <= world->n_ids; id++) {
				struct nve_tsi_key key = tsi_key(id, port, vn_id);

				print_tsi(&print, world, core, &key);
			}
		}
	for (uint32_t vn_id = 1; vn_id <= world->n_vns; vn_id++)
		for (unsigned int i = 0; i < world->n_addrs; i++)
			print_owners(&print, core, vn_id, &world->addrs[i]);
	print_tags(&print, core);
	return print;
}

/* --- the set of states seen ------------------------------------------------------------------ */

static size_t seen_slot(const struct explorer *x, const uint8_t *bytes)
{
	uint64_t hash = 14695981039346656037u;
	size_t at;

	for (size_t i = 0; i < PRINT_LEN; i += 8) {
		uint64_t word;

		memcpy(&word, bytes + i, sizeof(word));
		hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
		hash ^= hash >> 29;
	}
	for (at = hash % x->n_seen_slots; x->seen[at]; at = (at + 1) % x->n_seen_slots)
		if (memcmp(x->prints[x->seen[at] - 1], bytes, PRINT_LEN) == 0)
			break;
	return at;
}

static void grow(struct explorer *x)
{
	if (x->n_nodes < x->max_nodes)
		return;
	x->max_nodes = x->max_nodes ? 2 * x->max_nodes : SEEN_MIN;
	x->nodes = realloc(x->nodes, x->max_nodes * sizeof(*x->nodes));
	x->prints = realloc(x->prints, x->max_nodes * sizeof(*x->prints));
	free(x->seen);
	x->n_seen_slots = 4 * x->max_nodes;
	x->seen = calloc(x->n_seen_slots, sizeof(*x->seen));
	assert_true(x->nodes && x->prints && x->seen);
	for (size_t i = 0; i < x->n_nodes; i++)
		x->seen[seen_slot(x, x->prints[i])] = (uint32_t)i + 1;
}

/* Notes the core's present state if it is new; true if so. */
static bool note(struct explorer *x, uint64_t now_ns, uint64_t epoch)
{
	struct print print = print_of(x->world, x->core);
	size_t at;

	memset(print.bytes + print.len, 0, PRINT_LEN - print.len);
	grow(x);
	at = seen_slot(x, print.bytes);
	if (x->seen[at])
		return false;
	memcpy(x->prints[x->n_nodes], print.bytes, PRINT_LEN);
	x->nodes[x->n_nodes].now_ns = now_ns;
	x->nodes[x->n_nodes].epoch = epoch;
	x->nodes[x->n_nodes].state = malloc(x->core->state_size);
	assert_non_null(x->nodes[x->n_nodes].state);
	memcpy(x->nodes[x->n_nodes].state, x->core->state, x->core->state_size);
	x->seen[at] = (uint32_t)++x->n_nodes;
	return true;
}

/* --- one step, with all that must hold around it --------------------------------------------- */

static void no_fault(const char *fault)
{
	if (fault)
		fail_msg("%s", fault);
}

static uint64_t deadline_of(const struct nve_core *core, struct nve_event *ev)
{
	const struct nve_tsi *tsi;

	if (ev->due.kind == NVE_DUE_TAG)
		return nve_core_tag(core, (uint16_t)(ev->due.slot >> 16),
				    (uint16_t)(ev->due.slot & 0xffff))
			.until_ns;
	ev->due.slot = nve_core_find_tsi(core, &ev->key);
	tsi = nve_core_tsi(core, ev->due.slot);
	if (!tsi)
		return 0;
	if (ev->due.kind == NVE_DUE_GLEAN)
		return tsi->glean_ns;
	return ev->due.kind == NVE_DUE_TSI ? tsi->deadline_ns : core->tsis[ev->due.slot].alarm_ns;
}

/* The event of a probe in the present state; false if it makes no sense there. */
static bool aim(const struct explorer *x, const struct node *from, const struct probe *probe,
		struct nve_event *ev)
{
	uint64_t deadline_ns;

	*ev = probe->ev;
	ev->now_ns = from->now_ns + 1;
	ev->epoch = from->epoch + 1;
	if (ev->kind != NVE_EV_EXPIRE)
		return true;
	deadline_ns = deadline_of(x->core, ev);
	if (probe->time == PROBE_EARLY) {
		ev->now_ns = deadline_ns - 1;
		return deadline_ns > from->now_ns + 1 && deadline_ns != NVE_NEVER_NS;
	}
	if (deadline_ns != NVE_NEVER_NS && deadline_ns > ev->now_ns)
		ev->now_ns = deadline_ns;
	return true;
}

static void must_be(const struct explorer *x, const uint8_t *bytes)
{
	assert_true(memcmp(x->core->state, bytes, x->core->state_size) == 0);
}

/* The step is taken back and done again: first nothing of it is left, then all of it is there. */
static void there_and_back(struct explorer *x, const struct nve_event *ev,
			   const struct nve_answer *answer)
{
	struct nve_core_mark start = { 0 };
	struct nve_answer again;
	size_t n;
	struct nve_core_mark end = nve_core_mark(x->core);

	memcpy(x->after, x->core->state, x->core->state_size);
	nve_core_rollback(x->core, start);
	must_be(x, x->before);
	nve_core_actions(x->core, &n);
	assert_int_equal(n, 0);
	nve_core_step(x->core, ev, &again);
	must_be(x, x->after);
	assert_memory_equal(&again, answer, sizeof(again));
	assert_int_equal(nve_core_mark(x->core).undo, end.undo);
	assert_int_equal(nve_core_mark(x->core).actions, end.actions);
}

static bool attempt(struct explorer *x, const struct nve_event *ev)
{
	struct model model, whole;
	enum nve_tsi_state from = oracle_state(x->core, &ev->key);
	bool due = oracle_due(x->core, ev);
	const struct nve_action *actions;
	struct nve_answer answer;
	size_t n;

	nve_core_step(x->core, ev, &answer);
	x->found->n_steps++;
	if (oracle_knows(ev)) {
		x->found->visited[from][ev->kind]++;
		no_fault(oracle_fault(x->core, ev, from, due, &answer));
	}
	actions = nve_core_actions(x->core, &n);
	if (answer.reason != NVE_REASON_OK || answer.unchanged)
		assert_int_equal(n, 0);
	if (answer.reason != NVE_REASON_OK) {
		must_be(x, x->before);
		assert_int_equal(nve_core_mark(x->core).undo, 0);
		return false;
	}
	x->found->n_accepted++;
	nve_core_check(x->core);
	model = x->start;
	model_apply(&model, x->core, actions, n);
	model_read(&whole, x->core);
	if (!model_equal(&model, &whole))
		fail_msg("an action is missing: the rows differ from the core");
	no_fault(model_step_fault(&x->start, &model, x->core));
	there_and_back(x, ev, &answer);
	return true;
}

/* --- from every state everything can be given back ------------------------------------------- */

static void clear_everything(struct explorer *x, uint64_t now_ns)
{
	const struct small_world *world = x->world;
	struct nve_event ev = { .now_ns = now_ns };
	struct nve_answer answer;
	struct model model;
	uint32_t cursor;
	const struct nve_vap *vap;

	for (uint16_t port = 0; port < world->n_ports; port++)
		for (unsigned int id = 1; id <= world->n_ids; id++) {
			ev.kind = NVE_EV_CLEAR;
			ev.key = tsi_key(id, port, 0);
			nve_core_step(x->core, &ev, &answer);
			assert_int_equal(answer.reason, NVE_REASON_OK);
		}
	assert_int_equal(nve_core_usage(x->core).tsis, 0);
	assert_int_equal(nve_core_usage(x->core).addrs, 0);
	for (cursor = 0; (vap = nve_core_next_vap(x->core, &cursor)); cursor = 0) {
		assert_true(vap->connected_explicitly);
		ev.kind = NVE_EV_VN_DISCONNECT;
		ev.key = tsi_key(0, vap->port, vap->vn_id);
		nve_core_step(x->core, &ev, &answer);
		assert_int_equal(answer.reason, NVE_REASON_OK);
	}
	model_read(&model, x->core);
	assert_true(model_empty(&model));
	assert_int_equal(nve_core_usage(x->core).vns, 0);
	nve_core_check(x->core);
	nve_core_rollback(x->core, (struct nve_core_mark){ 0 });
}

static void load(struct explorer *x, const uint8_t *bytes)
{
	nve_core_forget(x->core);
	memcpy(x->core->state, bytes, x->core->state_size);
}

static void expand(struct explorer *x, size_t at)
{
	struct node from = x->nodes[at];

	memcpy(x->before, from.state, x->core->state_size);
	load(x, x->before);
	model_read(&x->start, x->core);
	no_fault(model_fault(&x->start, x->core));
	clear_everything(x, from.now_ns + 1);
	must_be(x, x->before);
	for (unsigned int i = 0; i < x->world->n_probes; i++) {
		struct nve_event ev;

		if (!aim(x, &from, &x->world->probes[i], &ev) || !attempt(x, &ev))
			continue;
		note(x, ev.now_ns, ev.epoch);
		load(x, x->before);
	}
	free(x->nodes[at].state);
	x->nodes[at].state = NULL;
}

void world_probe(struct small_world *world, enum probe_time time, struct nve_event ev)
{
	assert_true(world->n_probes < PROBES_MAX);
	world->probes[world->n_probes++] = (struct probe){ .ev = ev, .time = time };
}

void explore(const struct small_world *world, struct exploration *found)
{
	struct explorer x = { .world = world, .found = found };
	size_t at = 0;

	assert_int_equal(nve_core_new(&world->config, &x.core), 0);
	x.before = malloc(x.core->state_size);
	x.after = malloc(x.core->state_size);
	assert_true(x.before && x.after);
	note(&x, 1000, 0);
	for (; at < x.n_nodes; at++)
		expand(&x, at);
	found->n_states = x.n_nodes;
	for (at = 0; at < x.n_nodes; at++)
		found->n_unexpanded += x.nodes[at].state != NULL;
	print_message("%s: %zu states, %zu steps, %zu accepted\n", world->name, found->n_states,
		      found->n_steps, found->n_accepted);
	nve_core_free(x.core);
	free(x.nodes);
	free(x.prints);
	free(x.seen);
	free(x.before);
	free(x.after);
}
