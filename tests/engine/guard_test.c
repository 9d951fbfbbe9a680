/* SPDX-License-Identifier: Apache-2.0 */
/* Owners, the guard and verified VNs in the engine (S98, S101, B3, D17). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine_guard.h"
#include "lib/engine_world.h"

/* A guard that says what the test tells it to. */
static struct {
	enum nve_reason reason;
	char vn_name[NVE_NAME_MAX + 1];
	struct nve_owner_usage max;
	bool gleans;
} says;

static enum nve_reason judge(void *arg, struct nve_event *ev, const char *vn_name,
			     struct nve_answer *answer)
{
	(void)arg, (void)ev;
	strcpy(says.vn_name, vn_name);
	answer->field = says.reason == NVE_REASON_OK ? NULL : "here";
	answer->item = UINT16_MAX;
	return says.reason;
}

static struct nve_owner_usage maxima(void *arg, uint16_t owner)
{
	(void)arg, (void)owner;
	return says.max;
}

static bool gleans(void *arg, const struct nve_tsi *tsi, const char *vn_name,
		   const struct nve_addr *addr)
{
	(void)arg, (void)tsi, (void)vn_name, (void)addr;
	return says.gleans;
}

static const struct nve_engine_guard guard = { judge, maxima, gleans, NULL };

static struct world *guarded(void **state)
{
	struct world *w = *state;

	memset(&says, 0, sizeof(says));
	says.max = (struct nve_owner_usage){ UINT32_MAX, UINT32_MAX, UINT32_MAX };
	nve_engine_set_guard(w->engine, &guard);
	return w;
}

/* One request of an owner, with one MAC and IP of that number (0: none). */
static enum nve_reason ask(struct world *w, uint16_t owner, enum nve_event_kind kind, uint8_t tsi,
			   uint8_t n, struct nve_answer *answer)
{
	struct nve_addr addr = ew_mac_ip(n, n);
	enum nve_reason reason;
	struct call c;

	ew_call_init(&c, kind, tsi, P1, 100);
	if (n)
		ew_call_addrs(&c, &addr, 1);
	c.req.ev.owner = owner;
	reason = ew_call(w, &c);
	if (answer)
		*answer = c.answer;
	return reason;
}

static const struct nve_tsi *tsi_of(const struct world *w, uint8_t n)
{
	const struct nve_core *core = nve_engine_core(w->engine);
	struct nve_tsi_key key = { .id = ew_tsi_id(n), .vn_id = 100, .port = P1 };

	return nve_core_tsi(core, nve_core_find_tsi(core, &key));
}

static void an_identity_has_one_number_and_a_number_one_identity(void **state)
{
	struct world *w = *state;
	uint16_t a = nve_engine_owner(w->engine, "unix:1"), b = nve_engine_owner(w->engine, "b");
	char name[16];

	assert_true(a && b && a != b);
	assert_int_equal(nve_engine_owner(w->engine, "unix:1"), a);
	assert_int_equal(nve_engine_find_owner(w->engine, "b"), b);
	assert_int_equal(nve_engine_find_owner(w->engine, "c"), 0);
	assert_int_equal(nve_engine_owner(w->engine, ""), 0);
	assert_string_equal(nve_engine_owner_name(w->engine, b), "b");
	assert_string_equal(nve_engine_owner_name(w->engine, 0), "");
	assert_string_equal(nve_engine_owner_name(w->engine, 99), "");
	for (int i = 2; i < NVE_ENGINE_OWNERS; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		assert_int_equal(nve_engine_owner(w->engine, name), i + 1);
	}
	assert_int_equal(nve_engine_owner(w->engine, "one too many"), 0);
	assert_int_equal(nve_engine_owner(w->engine, "n7"), 8);
}

static void owners_outlive_the_agent(void **state)
{
	struct world *w = *state;
	uint16_t a = nve_engine_owner(w->engine, "a"), b = nve_engine_owner(w->engine, "b");
	struct call c;

	assert_int_equal(ask(w, b, NVE_EV_ASSOCIATE, 1, 1, NULL), NVE_REASON_OK);
	assert_int_equal(ask(w, 0, NVE_EV_ASSOCIATE, 2, 2, NULL), NVE_REASON_OK);
	ew_call_init(&c, NVE_EV_VN_CONNECT, 0, P3, 200);
	c.req.ev.owner = b;
	assert_int_equal(ew_call(w, &c), NVE_REASON_OK);
	ew_call_init(&c, NVE_EV_VN_CONNECT, 0, P1, 200);
	c.req.ev.owner = b;
	assert_int_equal(ew_call(w, &c), NVE_REASON_OK);
	ew_call_init(&c, NVE_EV_VN_CONNECT, 0, P1, 200);
	c.req.ev.owner = a;
	assert_int_equal(ew_call(w, &c), NVE_REASON_OK);
	ew_close(w);
	ew_open(w);
	assert_string_equal(nve_engine_owner_name(w->engine, tsi_of(w, 1)->owner), "b");
	assert_int_equal(tsi_of(w, 2)->owner, 0);
	b = nve_engine_find_owner(w->engine, "b");
	assert_int_equal(nve_core_vap(nve_engine_core(w->engine), P3, 200)->owner, b);
	assert_int_equal(nve_core_vap(nve_engine_core(w->engine), P1, 200)->owner,
			 NVE_OWNER_SHARED);
	assert_int_equal(nve_core_owner_usage(nve_engine_core(w->engine), b).vaps, 2);
}

static void what_the_guard_denies_is_refused_with_its_field_and_changes_nothing(void **state)
{
	struct world *w = guarded(state);
	struct nve_answer answer;
	char *before = ew_text(w);
	struct call c;

	says.reason = NVE_REASON_NOT_AUTHORIZED;
	assert_int_equal(ask(w, 1, NVE_EV_ACTIVATE, 1, 1, &answer), NVE_REASON_NOT_AUTHORIZED);
	assert_string_equal(answer.field, "here");
	assert_string_equal(says.vn_name, "blue"); /* though the request had its ID alone */
	/* Nor is it told that there is no such VN. */
	ew_call_init(&c, NVE_EV_ACTIVATE, 1, P1, 0);
	strcpy(c.req.vn_name, "nowhere");
	assert_int_equal(ew_call(w, &c), NVE_REASON_NOT_AUTHORIZED);
	assert_string_equal(says.vn_name, "nowhere");
	says.reason = NVE_REASON_OK;
	ew_call_init(&c, NVE_EV_ACTIVATE, 1, P1, 0);
	strcpy(c.req.vn_name, "nowhere");
	assert_int_equal(ew_call(w, &c), NVE_REASON_UNKNOWN_VN);
	ew_is_as(w, before);
}

static void what_the_guard_hides_is_answered_as_if_it_were_not_there(void **state)
{
	static const enum nve_event_kind kinds[] = { NVE_EV_DEACTIVATE, NVE_EV_DISASSOCIATE,
						     NVE_EV_CLEAR,      NVE_EV_UPDATE,
						     NVE_EV_KEEPALIVE,  NVE_EV_KEEPACTIVE };
	struct world *w = guarded(state);

	assert_int_equal(ask(w, 1, NVE_EV_ACTIVATE, 1, 1, NULL), NVE_REASON_OK);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		struct nve_answer hidden, absent;

		says.reason = NVE_REASON_OK;
		ask(w, 1, kinds[i], 9, 0, &absent);
		says.reason = NVE_REASON_UNKNOWN_TSI;
		ask(w, 1, kinds[i], 1, 0, &hidden);
		assert_int_equal(hidden.reason, absent.reason);
		assert_int_equal(hidden.state, absent.state);
		assert_int_equal(hidden.unchanged, absent.unchanged);
		assert_int_equal(hidden.n_cleared, absent.n_cleared);
		assert_int_equal(hidden.vn_id, absent.vn_id);
		assert_int_equal(hidden.tag, absent.tag);
	}
	assert_int_equal(ew_state_of(w, 1, P1, 100), NVE_TSI_ACTIVATED);
}

static void nobody_gets_more_than_the_guards_maxima_but_may_have_less(void **state)
{
	struct world *w = guarded(state);
	struct nve_answer answer;
	char *before;

	assert_int_equal(ask(w, 1, NVE_EV_ASSOCIATE, 1, 1, NULL), NVE_REASON_OK);
	assert_int_equal(ask(w, 1, NVE_EV_ASSOCIATE, 2, 2, NULL), NVE_REASON_OK);
	before = ew_text(w);
	says.max.tsis = 1; /* the policy was changed */
	assert_int_equal(ask(w, 1, NVE_EV_ASSOCIATE, 3, 3, &answer), NVE_REASON_NO_RESOURCES);
	assert_int_equal(answer.resource, NVE_RES_CLIENT);
	assert_int_equal(answer.used, 2);
	assert_int_equal(answer.max, 1);
	assert_string_equal(answer.field, "max.tsis");
	says.max.tsis = 3;
	says.max.addrs = 2;
	assert_int_equal(ask(w, 1, NVE_EV_ASSOCIATE, 3, 3, &answer), NVE_REASON_NO_RESOURCES);
	assert_string_equal(answer.field, "max.addresses");
	ew_is_as(w, before);
	assert_int_equal(ask(w, 1, NVE_EV_ASSOCIATE, 3, 0, NULL), NVE_REASON_OK);
	assert_int_equal(ask(w, 2, NVE_EV_ASSOCIATE, 4, 4, NULL), NVE_REASON_OK);
	says.max.tsis = 1;
	assert_int_equal(ask(w, 1, NVE_EV_CLEAR, 3, 0, NULL), NVE_REASON_OK);
}

/* --- verified VNs ----------------------------------------------------------------------------- */

static void reload(struct world *w, const char *text)
{
	char *err = NULL;

	ew_yaml(w, text);
	if (nve_engine_reload(w->engine, w->now_ns, &err) < 0)
		fail_msg("%s", err);
}

static char *text_of(uint8_t n, const char *more)
{
	struct nve_tsi_id id = ew_tsi_id(n);
	char hex[2 * NVE_TSI_ID_LEN + 1], *text = NULL;

	for (int i = 0; i < NVE_TSI_ID_LEN; i++)
		snprintf(hex + 2 * i, 3, "%02x", id.bytes[i]);
	assert_true(asprintf(&text,
			     "vns:\n  - {id: 100, name: blue, vni: 5100, security: verified, "
			     "tsis: [{id: '%s'%s}]}\n",
			     hex, more) > 0);
	return text;
}

static void records(struct world *w, uint8_t n, const char *more)
{
	char *text = text_of(n, more);

	reload(w, text);
	free(text);
}

#define TWO ", addresses: [{mac: 02:00:00:00:00:01, ip: 10.0.0.1}, {mac: 02:00:00:00:00:02}]"

static void a_request_is_held_against_the_record_and_filled_in_from_it(void **state)
{
	struct nve_tsi_addr addrs[NVE_TSI_ADDRS_MAX];
	struct world *w = *state;
	struct nve_answer answer;

	records(w, 1, TWO);
	assert_int_equal(ask(w, 0, NVE_EV_ACTIVATE, 2, 1, &answer), NVE_REASON_NOT_AUTHORIZED);
	assert_string_equal(answer.field, "tsi.tsi_id");
	assert_int_equal(ask(w, 0, NVE_EV_ACTIVATE, 1, 2, &answer), NVE_REASON_NOT_AUTHORIZED);
	assert_string_equal(answer.field, "addresses");
	assert_int_equal(answer.item, 0);
	assert_int_equal(ask(w, 0, NVE_EV_ACTIVATE, 1, 0, NULL), NVE_REASON_OK);
	assert_int_equal(tsi_of(w, 1)->n_addrs, 2);
	assert_int_equal(ask(w, 0, NVE_EV_ACTIVATE, 1, 1, NULL), NVE_REASON_OK);
	assert_int_equal(tsi_of(w, 1)->n_addrs, 1);
	assert_int_equal(ask(w, 0, NVE_EV_UPDATE, 1, 3, &answer), NVE_REASON_NOT_AUTHORIZED);
	assert_string_equal(answer.field, "add");
	/* S101: a MAC alone stands for all that the record has with it. */
	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, 1, P1, 100, 1), NVE_REASON_OK);
	nve_core_tsi_addrs(nve_engine_core(w->engine), 0, addrs);
	assert_int_equal(addrs[0].addr.flags, NVE_ADDR_MAC | NVE_ADDR_IPV4);
}

static void a_record_may_name_the_port_and_the_identity(void **state)
{
	struct world *w = *state;
	uint16_t a = nve_engine_owner(w->engine, "unix:1"), b = nve_engine_owner(w->engine, "b");
	struct nve_answer answer;

	records(w, 1, ", port: p3");
	assert_int_equal(ask(w, a, NVE_EV_ASSOCIATE, 1, 0, &answer), NVE_REASON_NOT_AUTHORIZED);
	assert_string_equal(answer.field, "tsi.port");
	assert_int_equal(ew_ask(w, NVE_EV_VN_CONNECT, 0, P1, 100, 0), NVE_REASON_NOT_AUTHORIZED);
	assert_int_equal(ew_ask(w, NVE_EV_VN_CONNECT, 0, P3, 100, 0), NVE_REASON_OK);
	records(w, 1, ", identity: 'unix:*'");
	assert_int_equal(ask(w, b, NVE_EV_ASSOCIATE, 1, 0, &answer), NVE_REASON_NOT_AUTHORIZED);
	assert_string_equal(answer.field, "tsi.tsi_id");
	assert_int_equal(ask(w, a, NVE_EV_ASSOCIATE, 1, 0, NULL), NVE_REASON_OK);
}

static void nothing_is_gleaned_in_a_verified_vn(void **state)
{
	struct world *w = *state;
	struct nve_answer answer;
	struct call c;

	records(w, 1, "");
	ew_call_init(&c, NVE_EV_ASSOCIATE, 1, P1, 100);
	c.req.ev.flags |= NVE_EV_HAS_GLEAN;
	c.req.ev.glean_max = 4;
	c.req.ev.glean_age_ms = NVE_GLEAN_AGE_MS;
	assert_int_equal(ew_call(w, &c), NVE_REASON_NOT_AUTHORIZED);
	assert_string_equal(c.answer.field, "parameter:glean");
	assert_int_equal(ask(w, 0, NVE_EV_ASSOCIATE, 1, 0, &answer), NVE_REASON_OK);
	assert_int_equal(tsi_of(w, 1)->glean_max, 0);
}

static void what_a_record_no_longer_allows_goes_with_a_reason(void **state)
{
	struct world *w = *state;
	uint32_t seen;

	records(w, 1, TWO);
	assert_int_equal(ask(w, 0, NVE_EV_ACTIVATE, 1, 0, NULL), NVE_REASON_OK);
	records(w, 1, ", addresses: [{mac: 02:00:00:00:00:02}]");
	assert_int_equal(tsi_of(w, 1)->n_addrs, 1);
	assert_int_equal(tsi_of(w, 1)->state, NVE_TSI_ACTIVATED);
	seen = w->n_events;
	records(w, 2, "");
	assert_null(tsi_of(w, 1));
	assert_true(w->n_events > seen);
	assert_int_equal(w->events[seen % 64].notice.reason, NVE_REASON_RECORD_WITHDRAWN);
	assert_true(w->events[seen % 64].notice.by_nve);
}

static void a_trusted_vn_that_becomes_verified_keeps_only_what_is_recorded(void **state)
{
	struct world *w = *state;

	assert_int_equal(ask(w, 0, NVE_EV_ACTIVATE, 1, 1, NULL), NVE_REASON_OK);
	assert_int_equal(ask(w, 0, NVE_EV_ACTIVATE, 2, 3, NULL), NVE_REASON_OK);
	records(w, 1, TWO);
	assert_non_null(tsi_of(w, 1));
	assert_null(tsi_of(w, 2));
}

static void what_was_withdrawn_while_no_agent_ran_goes_at_the_first_run(void **state)
{
	struct world *w = *state;
	char *text = text_of(2, "");

	records(w, 1, TWO);
	assert_int_equal(ask(w, 0, NVE_EV_ACTIVATE, 1, 0, NULL), NVE_REASON_OK);
	ew_close(w);
	ew_yaml(w, text);
	free(text);
	ew_open(w);
	assert_non_null(tsi_of(w, 1));
	ew_run(w);
	assert_null(tsi_of(w, 1));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, ew_setup, ew_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_identity_has_one_number_and_a_number_one_identity),
		TEST(owners_outlive_the_agent),
		TEST(what_the_guard_denies_is_refused_with_its_field_and_changes_nothing),
		TEST(what_the_guard_hides_is_answered_as_if_it_were_not_there),
		TEST(nobody_gets_more_than_the_guards_maxima_but_may_have_less),
		TEST(a_request_is_held_against_the_record_and_filled_in_from_it),
		TEST(a_record_may_name_the_port_and_the_identity),
		TEST(nothing_is_gleaned_in_a_verified_vn),
		TEST(what_a_record_no_longer_allows_goes_with_a_reason),
		TEST(a_trusted_vn_that_becomes_verified_keeps_only_what_is_recorded),
		TEST(what_was_withdrawn_while_no_agent_ran_goes_at_the_first_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
