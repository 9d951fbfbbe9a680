/* SPDX-License-Identifier: Apache-2.0 */
/* Draining: what a port that drains takes, and what it keeps through failures and restarts. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine_drain.h"
#include "lib/engine_world.h"

static int drain(struct world *w, uint16_t port, bool on)
{
	const struct nve_drain_request request = { .port = port, .on = on, .client = "operator" };

	return nve_engine_drain(w->engine, &request);
}

static void what_is_new_is_refused_and_what_is_there_goes_on(void **state)
{
	struct world *w = *state;
	struct call move;

	assert_int_equal(ew_ask(w, NVE_EV_ASSOCIATE, 1, P1, 100, 1), NVE_REASON_OK);
	assert_int_equal(drain(w, P1, true), 0);
	assert_int_equal(ew_ask(w, NVE_EV_ASSOCIATE, 2, P1, 100, 2), NVE_REASON_DRAINING);
	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 2, P1, 100, 2), NVE_REASON_DRAINING);
	assert_int_equal(ew_ask(w, NVE_EV_VN_CONNECT, 0, P1, 200, 0), NVE_REASON_DRAINING);
	assert_int_equal(ew_ask(w, NVE_EV_ASSOCIATE, 2, P3, 100, 2), NVE_REASON_OK);
	ew_call_init(&move, NVE_EV_UPDATE, 2, P3, 100);
	move.req.ev.new_port = P1;
	assert_int_equal(ew_call(w, &move), NVE_REASON_DRAINING);
	/* What is there: every transition, the VN that is connected, and the way out. */
	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 1, P1, 100, 0), NVE_REASON_OK);
	assert_int_equal(ew_ask(w, NVE_EV_DEACTIVATE, 1, P1, 100, 0), NVE_REASON_OK);
	assert_int_equal(ew_ask(w, NVE_EV_KEEPALIVE, 1, P1, 100, 0), NVE_REASON_OK);
	assert_int_equal(ew_ask(w, NVE_EV_VN_CONNECT, 0, P1, 100, 0), NVE_REASON_OK);
	ew_call_init(&move, NVE_EV_UPDATE, 1, P1, 100);
	move.req.ev.new_port = P2;
	assert_int_equal(ew_call(w, &move), NVE_REASON_OK);
	assert_int_equal(drain(w, P1, false), 0);
	assert_int_equal(ew_ask(w, NVE_EV_ASSOCIATE, 3, P1, 100, 3), NVE_REASON_OK);
}

static void it_outlives_a_restart_and_ends_when_it_is_undone(void **state)
{
	struct world *w = *state;

	assert_false(nve_engine_all_draining(w->engine));
	assert_int_equal(drain(w, NVE_PORT_NONE, true), 0);
	assert_true(nve_engine_all_draining(w->engine));
	assert_int_equal(nve_engine_draining(w->engine, U0), 0); /* no hypervisor is there */
	ew_close(w);
	ew_open(w);
	assert_true(nve_engine_all_draining(w->engine));
	assert_int_equal(ew_ask(w, NVE_EV_ASSOCIATE, 1, P2, 100, 1), NVE_REASON_DRAINING);
	assert_int_equal(drain(w, P2, false), 0);
	assert_false(nve_engine_all_draining(w->engine));
	assert_int_equal(drain(w, NVE_PORT_NONE, false), 0);
	ew_close(w);
	ew_open(w);
	assert_int_equal(nve_engine_draining(w->engine, P1), 0);
	assert_int_equal(ew_ask(w, NVE_EV_ASSOCIATE, 1, P1, 100, 1), NVE_REASON_OK);
}

static void each_port_is_announced_once_it_is_so_and_its_end_only_if_it_drained(void **state)
{
	struct world *w = *state;
	uint32_t before = w->n_events;

	assert_int_equal(drain(w, P3, false), 0);
	assert_int_equal(w->n_events, before);
	assert_int_equal(drain(w, NVE_PORT_NONE, true), 0);
	assert_int_equal(w->n_events, before + 3);
	assert_int_equal(w->events[before % 64].notice.kind, NVE_NOTICE_DRAINING);
	assert_int_equal(w->events[before % 64].notice.key.port, P1);
	assert_int_equal(w->events[before % 64].notice.to, 1);
	assert_string_equal(w->client, "operator");
	assert_int_equal(drain(w, P3, false), 0);
	assert_int_equal(w->n_events, before + 4);
	assert_int_equal(w->events[(before + 3) % 64].notice.to, 0);
}

static void a_store_that_fails_leaves_the_ports_as_they_were_and_tells_nobody(void **state)
{
	struct world *w = *state;
	struct nve_store_memory_control *control = nve_store_memory_control(STORE_PATH);
	uint32_t before = w->n_events;

	control->commit = (struct nve_store_fault){ 0, 1, -ENOSPC };
	assert_int_equal(drain(w, P1, true), -ENOSPC);
	control->put = (struct nve_store_fault){ 1, 1, -EIO };
	assert_int_equal(drain(w, NVE_PORT_NONE, true), -EIO);
	assert_int_equal(nve_engine_draining(w->engine, P1), 0);
	assert_int_equal(w->n_events, before);
	assert_int_equal(ew_ask(w, NVE_EV_ASSOCIATE, 1, P1, 100, 1), NVE_REASON_OK);
	assert_int_equal(drain(w, P1, true), 0);
	assert_true(nve_engine_draining(w->engine, P1) > 0);
}

#define IN_A_WORLD(test) cmocka_unit_test_setup_teardown(test, ew_setup, ew_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_A_WORLD(what_is_new_is_refused_and_what_is_there_goes_on),
		IN_A_WORLD(it_outlives_a_restart_and_ends_when_it_is_undone),
		IN_A_WORLD(each_port_is_announced_once_it_is_so_and_its_end_only_if_it_drained),
		IN_A_WORLD(a_store_that_fails_leaves_the_ports_as_they_were_and_tells_nobody),
	};

	return cmocka_run_group_tests_name("drain", tests, NULL, NULL);
}
