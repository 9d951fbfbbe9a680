/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every reachable state of small worlds, every event in each (issue 2, item 2).  One world with
 * all dimensions at once would have billions of states; each of these leaves some out and has all
 * combinations of the others: none bounds the depth.
 */
#include "lib/core_explorer.h"

#include <stdlib.h>
#include <string.h>

static struct exploration total;

static struct small_world *world_new(const char *name, bool one_scope, unsigned int n_vns,
				     unsigned int n_ids, uint16_t n_tags)
{
	static struct nve_scope_config ranges[2];
	static const uint16_t in_one[] = { 0, 0 }, in_two[] = { 0, 1 };
	struct small_world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	for (unsigned int i = 0; i < 2; i++)
		ranges[i] = (struct nve_scope_config){ 100, (uint16_t)(99 + n_tags) };
	world->name = name;
	world->n_ports = 2;
	world->n_vns = n_vns;
	world->n_ids = n_ids;
	world->config = world_config;
	world->config.n_scopes = one_scope ? 1 : 2;
	world->config.n_ports = 2;
	world->config.scopes = ranges;
	world->config.port_scope = one_scope ? in_one : in_two;
	world->config.max_tsis = 2 * n_vns * n_ids;
	world->config.max_addrs = world->config.max_tsis * 3;
	world->config.max_vaps = 2 * n_vns;
	world->config.max_vns = n_vns;
	world->config.duplicate_alarm_ns = 0;
	world->config.quarantine_ns = 0;
	return world;
}

static void run(struct small_world *world)
{
	struct exploration found = { 0 };

	explore(world, &found);
	assert_int_equal(found.n_unexpanded, 0);
	assert_true(found.n_states > 50);
	for (unsigned int s = 0; s < NVE_TSI_STATES; s++)
		for (unsigned int e = 0; e < NVE_EVENTS; e++)
			total.visited[s][e] += found.visited[s][e];
	free(world);
}

#define PROBE(...) world_probe(world, PROBE_NOW, (struct nve_event){ __VA_ARGS__ })

static void probe_plain(struct small_world *world, struct nve_tsi_key key, enum nve_event_kind kind)
{
	PROBE(.kind = kind, .key = key, .new_port = NVE_PORT_NONE);
}

static void probe_set(struct small_world *world, struct nve_tsi_key key, enum nve_event_kind kind,
		      unsigned int first, unsigned int n)
{
	PROBE(.kind = kind, .key = key, .new_port = NVE_PORT_NONE, .flags = NVE_EV_HAS_ADDRS,
	      .addrs = &world->addrs[first], .n_addrs = n);
}

static void probe_only(struct small_world *world, struct nve_tsi_key key, enum nve_event_kind kind,
		       unsigned int which)
{
	PROBE(.kind = kind, .key = key, .new_port = NVE_PORT_NONE, .flags = NVE_EV_HAS_ONLY,
	      .only = &world->addrs[which], .n_only = 1);
}

static void probe_update(struct small_world *world, struct nve_tsi_key key, int add, int remove,
			 uint16_t new_port)
{
	PROBE(.kind = NVE_EV_UPDATE, .key = key, .new_port = new_port,
	      .addrs = add < 0 ? NULL : &world->addrs[add], .n_addrs = add >= 0,
	      .only = remove < 0 ? NULL : &world->addrs[remove], .n_only = remove >= 0);
}

static void probe_expiry(struct small_world *world, struct nve_tsi_key key, enum nve_due_kind kind)
{
	struct nve_event ev = { .kind = NVE_EV_EXPIRE, .key = key, .due = { .kind = kind } };

	world_probe(world, PROBE_AT_DEADLINE, ev);
	world_probe(world, PROBE_EARLY, ev);
}

static void probe_tags(struct small_world *world, uint16_t scope, uint16_t n_tags)
{
	for (uint32_t tag = 100; tag < 100u + n_tags; tag++) {
		struct nve_event ev = { .kind = NVE_EV_EXPIRE,
					.due = { .kind = NVE_DUE_TAG,
						 .slot = (uint32_t)scope << 16 | tag } };

		world_probe(world, PROBE_AT_DEADLINE, ev);
		world_probe(world, PROBE_EARLY, ev);
	}
}

static void probe_liveness(struct small_world *world, struct nve_tsi_key key)
{
	probe_plain(world, key, NVE_EV_KEEPALIVE);
	probe_plain(world, key, NVE_EV_KEEPACTIVE);
	probe_plain(world, key, NVE_EV_DATA_SEEN);
	probe_expiry(world, key, NVE_DUE_TSI);
	PROBE(.kind = NVE_EV_GLEAN, .key = key, .addrs = world->addrs, .n_addrs = 1);
}

/* Two ports, two VNs, two TSIs with an address each: the whole table, everywhere at once. */
static void probe_machine(struct small_world *world, unsigned int n_ids)
{
	world->n_addrs = 2;
	world->addrs[0] = mac(1);
	world->addrs[1] = ip4(2);
	for (uint16_t port = 0; port < 2; port++)
		for (uint32_t vn_id = 1; vn_id <= 2; vn_id++) {
			for (unsigned int id = 1; id <= n_ids; id++) {
				struct nve_tsi_key key = tsi_key(id, port, vn_id);

				probe_set(world, key, NVE_EV_ASSOCIATE, id - 1, 1);
				probe_set(world, key, NVE_EV_ACTIVATE, id - 1, 1);
				probe_plain(world, key, NVE_EV_DEACTIVATE);
				probe_plain(world, key, NVE_EV_DISASSOCIATE);
				probe_plain(world, key, NVE_EV_CLEAR);
				probe_update(world, key, (int)id - 1, -1, NVE_PORT_NONE);
				probe_liveness(world, key);
			}
			PROBE(.kind = NVE_EV_VN_DISCONNECT, .key = tsi_key(0, port, vn_id));
		}
	for (unsigned int id = 1; id <= n_ids; id++)
		PROBE(.kind = NVE_EV_CLEAR, .key = tsi_key(id, 0, 0));
}

static void every_state_of_two_ports_in_one_scope_is_sound(void **state)
{
	struct small_world *world = world_new("machine, one scope", true, 2, 2, 2);

	(void)state;
	probe_machine(world, world->n_ids);
	run(world);
}

/* No QoS, one and another one, by each of the events that can bring it (S96). */
static void probe_qos(struct small_world *world, struct nve_tsi_key key)
{
	static const struct nve_qos values[] = { { 0 },
						 { .from_tsi = 64001 },
						 { .from_tsi = 64002, .flags = NVE_QOS_PCP } };
	static const enum nve_event_kind kinds[] = { NVE_EV_ASSOCIATE, NVE_EV_ACTIVATE,
						     NVE_EV_UPDATE };

	for (unsigned int k = 0; k < 3; k++)
		for (unsigned int i = 0; i < 3; i++)
			PROBE(.kind = kinds[k], .key = key, .new_port = NVE_PORT_NONE,
			      .flags = NVE_EV_HAS_QOS, .qos = values[i]);
	probe_update(world, key, -1, -1, (uint16_t)!key.port);
	probe_plain(world, key, NVE_EV_DEACTIVATE);
	probe_plain(world, key, NVE_EV_CLEAR);
	probe_liveness(world, key);
}

static void every_state_of_two_tsis_with_qos_is_sound(void **state)
{
	struct small_world *world = world_new("qos", true, 1, 2, 1);

	(void)state;
	for (uint16_t port = 0; port < 2; port++)
		for (unsigned int id = 1; id <= 2; id++)
			probe_qos(world, tsi_key(id, port, 1));
	run(world);
}

static void every_state_of_two_ports_in_two_scopes_is_sound(void **state)
{
	struct small_world *world = world_new("machine, two scopes", false, 2, 1, 2);

	(void)state;
	probe_machine(world, world->n_ids);
	run(world);
}

/* One VN; two TSIs share two addresses: sets, subsets, updates, moves, conflicts. */
static void every_state_of_address_sets_and_moves_is_sound(void **state)
{
	struct small_world *world = world_new("addresses", true, 1, 2, 1);

	(void)state;
	world->n_addrs = 2;
	world->addrs[0] = mac(1);
	world->addrs[1] = ip4(2);
	for (uint16_t port = 0; port < 2; port++)
		for (unsigned int id = 1; id <= 2; id++) {
			struct nve_tsi_key key = tsi_key(id, port, 1);

			probe_set(world, key, NVE_EV_ASSOCIATE, 0, 0);
			probe_set(world, key, NVE_EV_ASSOCIATE, 0, 1);
			probe_plain(world, key, NVE_EV_ACTIVATE);
			probe_set(world, key, NVE_EV_ACTIVATE, 0, 2);
			for (unsigned int a = 0; a < 2; a++) {
				probe_only(world, key, NVE_EV_ACTIVATE, a);
				probe_only(world, key, NVE_EV_DEACTIVATE, a);
				probe_update(world, key, (int)a, -1, NVE_PORT_NONE);
				probe_update(world, key, -1, (int)a, NVE_PORT_NONE);
			}
			probe_update(world, key, 0, 1, NVE_PORT_NONE);
			probe_update(world, key, -1, -1, (uint16_t)!port);
			probe_plain(world, key, NVE_EV_DEACTIVATE);
			probe_plain(world, key, NVE_EV_CLEAR);
		}
	run(world);
}

/* One TSI on two ports with a MAC, a pair of the same MAC and an IP: leaders, alarms (D7). */
static void every_state_of_shared_bindings_and_alarms_is_sound(void **state)
{
	struct small_world *world = world_new("bindings", false, 1, 1, 1);

	(void)state;
	world->config.duplicate_alarm_ns = 60000 * MS;
	world->n_addrs = 3;
	world->addrs[0] = mac(1);
	world->addrs[1] = mac_ip4(1, 3);
	world->addrs[2] = ip4(2);
	for (uint16_t port = 0; port < 2; port++) {
		struct nve_tsi_key key = tsi_key(1, port, 1);

		probe_set(world, key, NVE_EV_ASSOCIATE, 0, 3);
		probe_set(world, key, NVE_EV_ACTIVATE, 1, 2);
		probe_plain(world, key, NVE_EV_ACTIVATE);
		for (unsigned int a = 0; a < 3; a++) {
			probe_only(world, key, NVE_EV_ACTIVATE, a);
			probe_only(world, key, NVE_EV_DEACTIVATE, a);
			probe_update(world, key, (int)a, -1, NVE_PORT_NONE);
			probe_update(world, key, -1, (int)a, NVE_PORT_NONE);
		}
		probe_update(world, key, -1, -1, (uint16_t)!port);
		probe_plain(world, key, NVE_EV_DISASSOCIATE);
		probe_liveness(world, key);
		probe_expiry(world, key, NVE_DUE_DUPLICATE);
	}
	run(world);
}

/*
 * Two TSIs on two ports of a VN with gleaning asked for, a MAC, its pair and another MAC: seen in
 * any order, signaled by the one or the other, growing old (S46, D8).
 */
static void probe_gleaning(struct small_world *world, struct nve_tsi_key key, uint16_t glean_max)
{
	struct nve_event ev = { .key = key,
				.new_port = NVE_PORT_NONE,
				.flags = NVE_EV_HAS_GLEAN,
				.glean_max = glean_max,
				.glean_age_ms = 5000 };

	ev.kind = NVE_EV_ACTIVATE;
	world_probe(world, PROBE_NOW, ev);
	ev.kind = NVE_EV_UPDATE;
	ev.glean_max = 0;
	world_probe(world, PROBE_NOW, ev);
	probe_set(world, key, NVE_EV_ACTIVATE, 0, 1);
	for (unsigned int a = 0; a < 3; a++)
		PROBE(.kind = NVE_EV_GLEAN, .key = key, .addrs = &world->addrs[a], .n_addrs = 1);
	probe_update(world, key, -1, 0, NVE_PORT_NONE);
	probe_plain(world, key, NVE_EV_DEACTIVATE);
	probe_plain(world, key, NVE_EV_CLEAR);
	probe_expiry(world, key, NVE_DUE_GLEAN);
}

static void every_state_of_gleaning_is_bounded_and_beside_what_is_signaled(void **state)
{
	struct small_world *world = world_new("gleaning", true, 1, 2, 1);

	(void)state;
	world->gleans = true;
	world->n_addrs = 3;
	world->addrs[0] = mac(1);
	world->addrs[1] = mac_ip4(1, 3);
	world->addrs[2] = mac(2);
	probe_gleaning(world, tsi_key(1, 0, 1), 2);
	probe_gleaning(world, tsi_key(2, 0, 1), 1);
	probe_gleaning(world, tsi_key(1, 1, 1), 3);
	probe_update(world, tsi_key(2, 0, 1), 1, -1, NVE_PORT_NONE);
	run(world);
}

static void probe_connecting(struct small_world *world, uint16_t port, uint32_t vn_id)
{
	struct nve_tsi_key vap = tsi_key(0, port, vn_id), key = tsi_key(1, port, vn_id);

	for (uint16_t tag = 0; tag < 3; tag++)
		PROBE(.kind = NVE_EV_VN_CONNECT, .key = vap, .tag = tag ? 99 + tag : 0);
	PROBE(.kind = NVE_EV_VN_DISCONNECT, .key = vap);
	PROBE(.kind = NVE_EV_VN_DISCONNECT, .key = vap, .flags = NVE_EV_ONLY_IF_UNUSED);
	PROBE(.kind = NVE_EV_VN_DISCONNECT, .key = vap, .flags = NVE_EV_BY_NVE,
	      .why = NVE_REASON_VN_WITHDRAWN);
	PROBE(.kind = NVE_EV_ASSOCIATE, .key = key, .tag = 101);
	probe_plain(world, key, NVE_EV_ACTIVATE);
	PROBE(.kind = NVE_EV_DEACTIVATE, .key = key, .flags = NVE_EV_BY_NVE,
	      .why = NVE_REASON_OPERATOR);
	probe_plain(world, key, NVE_EV_CLEAR);
	probe_update(world, key, -1, -1, (uint16_t)!port);
}

/* Explicit and implicit connections, proposals, quarantine (S34, S35, S43, D3, D4, D6, D14). */
static void every_state_of_tags_in_one_scope_is_sound(void **state)
{
	struct small_world *world = world_new("tags, one scope", true, 2, 1, 3);

	(void)state;
	world->config.quarantine_ns = 30000 * MS;
	for (uint16_t port = 0; port < 2; port++)
		for (uint32_t vn_id = 1; vn_id <= 2; vn_id++)
			probe_connecting(world, port, vn_id);
	probe_tags(world, 0, 3);
	run(world);
}

static void every_state_of_tags_in_two_scopes_is_sound(void **state)
{
	struct small_world *world = world_new("tags, two scopes", false, 2, 1, 2);

	(void)state;
	world->config.quarantine_ns = 30000 * MS;
	for (uint16_t port = 0; port < 2; port++)
		for (uint32_t vn_id = 1; vn_id <= 2; vn_id++)
			probe_connecting(world, port, vn_id);
	probe_tags(world, 0, 2);
	probe_tags(world, 1, 2);
	run(world);
}

/* Pools smaller than the world: every limit is met from every side. */
static void every_state_of_scarce_pools_is_sound(void **state)
{
	struct small_world *world = world_new("scarce", true, 2, 2, 1);

	(void)state;
	probe_machine(world, world->n_ids);
	world->config.max_tsis = 3;
	world->config.max_addrs = 2;
	world->config.max_vaps = 2;
	run(world);
}

static void every_cell_of_the_table_was_visited(void **state)
{
	(void)state;
	for (unsigned int s = 0; s < NVE_TSI_STATES; s++)
		for (unsigned int e = NVE_EV_ASSOCIATE; e < NVE_EVENTS; e++)
			assert_true(total.visited[s][e] > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_state_of_two_ports_in_one_scope_is_sound),
		cmocka_unit_test(every_state_of_two_tsis_with_qos_is_sound),
		cmocka_unit_test(every_state_of_two_ports_in_two_scopes_is_sound),
		cmocka_unit_test(every_state_of_address_sets_and_moves_is_sound),
		cmocka_unit_test(every_state_of_shared_bindings_and_alarms_is_sound),
		cmocka_unit_test(every_state_of_gleaning_is_bounded_and_beside_what_is_signaled),
		cmocka_unit_test(every_state_of_tags_in_one_scope_is_sound),
		cmocka_unit_test(every_state_of_tags_in_two_scopes_is_sound),
		cmocka_unit_test(every_state_of_scarce_pools_is_sound),
		cmocka_unit_test(every_cell_of_the_table_was_visited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
