/* SPDX-License-Identifier: Apache-2.0 */
/* QoS of TSIs in the core (S96): what is granted, kept, changed and repeated. */
#include "lib/core_world.h"

#include <string.h>

#include "core/qos.h"

static const struct nve_qos gold = {
	.from_tsi = 10000000, .from_tsi_burst = 20000, .flags = NVE_QOS_DSCP, .dscp = 46
};

static struct nve_event asks(enum nve_event_kind kind, struct nve_qos qos)
{
	return (struct nve_event){ .kind = (uint8_t)kind,
				   .key = tsi_key(1, 0, 7),
				   .new_port = NVE_PORT_NONE,
				   .flags = NVE_EV_HAS_QOS,
				   .qos = qos };
}

static struct nve_answer ask(struct world *w, struct nve_event ev)
{
	struct nve_answer answer;

	ev.now_ns = w->now_ns += MS;
	ev.epoch = ++w->epoch;
	nve_core_step(w->core, &ev, &answer);
	nve_core_check(w->core);
	assert_int_equal(answer.reason, NVE_REASON_OK);
	return answer;
}

static void same(const struct nve_qos *a, const struct nve_qos *b)
{
	assert_memory_equal(a, b, sizeof(*a));
}

static void has(struct world *w, const struct nve_qos *qos)
{
	struct nve_tsi_key key = tsi_key(1, 0, 7);

	same(&nve_core_tsi(w->core, nve_core_find_tsi(w->core, &key))->qos, qos);
}

static void qos_is_kept_until_it_is_given_anew(void **state)
{
	struct world *w = *state;
	const struct nve_qos none = { 0 };
	struct nve_event plain = asks(NVE_EV_ACTIVATE, none);
	struct nve_answer answer;

	assert_false(ask(w, asks(NVE_EV_ASSOCIATE, gold)).unchanged);
	has(w, &gold);
	plain.flags = 0;
	answer = ask(w, plain);
	same(&answer.qos, &gold);
	plain.kind = NVE_EV_DEACTIVATE;
	ask(w, plain);
	has(w, &gold);
	plain.kind = NVE_EV_UPDATE;
	assert_true(ask(w, plain).unchanged);
	has(w, &gold);
	assert_false(ask(w, asks(NVE_EV_UPDATE, none)).unchanged);
	has(w, &none);
}

static void a_repeat_is_none_and_another_value_is_an_update(void **state)
{
	struct world *w = *state;
	struct nve_qos other = gold;

	ask(w, asks(NVE_EV_ACTIVATE, gold));
	assert_true(ask(w, asks(NVE_EV_ACTIVATE, gold)).unchanged);
	assert_true(ask(w, asks(NVE_EV_UPDATE, gold)).unchanged);
	other.dscp = 0;
	assert_false(ask(w, asks(NVE_EV_ACTIVATE, other)).unchanged);
	has(w, &other);
	other.flags = other.dscp = 0; /* DSCP 0 is another thing than none */
	assert_false(ask(w, asks(NVE_EV_UPDATE, other)).unchanged);
	has(w, &other);
}

static void another_event_does_not_bring_qos(void **state)
{
	struct world *w = *state;
	struct nve_qos none = { 0 };

	ask(w, asks(NVE_EV_ACTIVATE, none));
	ask(w, asks(NVE_EV_DEACTIVATE, gold));
	has(w, &none);
	ask(w, asks(NVE_EV_KEEPALIVE, gold));
	has(w, &none);
}

static void what_is_granted_is_valid_and_granted_again_as_it_is(void **state)
{
	static const uint64_t rates[] = { 0, 64000, 1000000, 999999999, NVE_QOS_RATE_MAX };
	static const uint32_t bursts[] = { 0, 1, 9215, 9216, 65536, 1u << 30, UINT32_MAX };

	(void)state;
	for (size_t r = 0; r < 5; r++)
		for (size_t b = 0; b < 7; b++) {
			struct nve_qos asked = { .to_tsi = rates[r], .to_tsi_burst = bursts[b] };
			struct nve_qos q = nve_qos_grant(&asked, 0), again = nve_qos_grant(&q, 0);

			assert_true(nve_qos_valid(&q));
			same(&q, &again);
			assert_int_equal(q.to_tsi, rates[r]);
			q = nve_qos_grant(&asked, 500000);
			assert_true(nve_qos_valid(&q));
			assert_true(q.to_tsi <= 500000);
		}
}

static void a_burst_holds_a_frame_and_no_more_than_ten_seconds(void **state)
{
	struct nve_qos q = { .from_tsi = 64000, .from_tsi_burst = 1 };

	(void)state;
	assert_int_equal(nve_qos_grant(&q, 0).from_tsi_burst, 9216);
	q.from_tsi_burst = UINT32_MAX;
	assert_int_equal(nve_qos_grant(&q, 0).from_tsi_burst, 80000);
	q.from_tsi_burst = 0;
	assert_int_equal(nve_qos_grant(&q, 0).from_tsi_burst, 65536);
	q.from_tsi = 1000000000;
	assert_int_equal(nve_qos_grant(&q, 0).from_tsi_burst, 2500000);
}

static void records_of_a_store_that_are_not_valid_are_found(void **state)
{
	struct nve_qos bad[] = { { .from_tsi = 63999, .from_tsi_burst = 9216 },
				 { .from_tsi = 64000, .from_tsi_burst = 9215 },
				 { .from_tsi = 64000, .from_tsi_burst = 80001 },
				 { .to_tsi_burst = 9216 },
				 { .flags = 4 },
				 { .pcp = 1 },
				 { .flags = NVE_QOS_PCP, .pcp = 8 },
				 { .flags = NVE_QOS_DSCP, .dscp = 64 },
				 { .pad = { 1 } } };

	(void)state;
	assert_true(nve_qos_valid(&gold));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(nve_qos_valid(&bad[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(qos_is_kept_until_it_is_given_anew, world_open,
						world_close),
		cmocka_unit_test_setup_teardown(a_repeat_is_none_and_another_value_is_an_update,
						world_open, world_close),
		cmocka_unit_test_setup_teardown(another_event_does_not_bring_qos, world_open,
						world_close),
		cmocka_unit_test(what_is_granted_is_valid_and_granted_again_as_it_is),
		cmocka_unit_test(a_burst_holds_a_frame_and_no_more_than_ten_seconds),
		cmocka_unit_test(records_of_a_store_that_are_not_valid_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
