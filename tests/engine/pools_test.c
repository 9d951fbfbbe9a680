/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every pool and table there is, filled up (S54, S94, D12).  In each case: what does not fit is
 * refused at Associate with the name of what is full, and leaves no trace; what was associated is
 * activated all the same; and when something has been given back the next one fits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/engine_world.h"

/* A world with room for little; 'tight' says what is scarce. */
static struct world *open_tight(void (*tight)(struct world *w), const char *vns)
{
	struct world *w = malloc(sizeof(*w));

	assert_non_null(w);
	ew_init(w);
	tight(w);
	ew_yaml(w, vns ? vns : ew_vns);
	ew_open(w);
	return w;
}

static void close_tight(struct world *w)
{
	ew_done(w);
	free(w);
}

struct ask {
	uint8_t tsi;
	uint16_t port;
	uint32_t vn;
	uint8_t addr; /* MAC and IP of that number; 0 = none */
	uint8_t n;    /* so many of them, 0 = one */
};

static enum nve_reason ask(struct world *w, struct call *c, enum nve_event_kind kind,
			   const struct ask *what)
{
	struct nve_addr addrs[8];
	uint32_t n = what->n ? what->n : 1;

	ew_call_init(c, kind, what->tsi, what->port, what->vn);
	for (uint32_t i = 0; i < n; i++)
		addrs[i] = ew_mac_ip((uint8_t)(what->addr + i), (uint8_t)(what->addr + i));
	if (what->addr)
		ew_call_addrs(c, addrs, n);
	return ew_call(w, c);
}

/* 'fills' are taken; 'next' is not, until fills[0] has gone. */
struct full_case {
	void (*tight)(struct world *w);
	const char *vns;
	const char *resource;
	uint32_t used, max;
	struct ask fills[4], next;
	bool disconnects; /* the VN of fills[0] goes, and not that TSI alone */
	uint64_t rest_ns; /* until what was given back can be used */
};

static void refused(struct world *w, const struct full_case *fc, enum nve_event_kind kind)
{
	char *before = ew_text(w);
	struct call c;

	assert_int_equal(ask(w, &c, kind, &fc->next), NVE_REASON_NO_RESOURCES);
	assert_string_equal(nve_resource_name(c.answer.resource), fc->resource);
	assert_int_equal(c.answer.used, fc->used);
	assert_int_equal(c.answer.max, fc->max);
	ew_is_as(w, before);
}

static void fill_up(const struct full_case *fc)
{
	struct world *w = open_tight(fc->tight, fc->vns);
	const struct ask *first = &fc->fills[0];
	struct call c;

	for (size_t i = 0; i < 4 && fc->fills[i].tsi; i++)
		assert_int_equal(ask(w, &c, NVE_EV_ASSOCIATE, &fc->fills[i]), NVE_REASON_OK);
	refused(w, fc, NVE_EV_ASSOCIATE);
	refused(w, fc, NVE_EV_ACTIVATE); /* from Init it reserves, too */
	for (size_t i = 0; i < 4 && fc->fills[i].tsi; i++)
		assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, fc->fills[i].tsi, fc->fills[i].port,
					fc->fills[i].vn, 0),
				 NVE_REASON_OK);
	refused(w, fc, NVE_EV_ASSOCIATE);
	assert_int_equal(ew_ask(w, fc->disconnects ? NVE_EV_VN_DISCONNECT : NVE_EV_DISASSOCIATE,
				first->tsi, first->port, first->vn, 0),
			 NVE_REASON_OK);
	if (fc->rest_ns) {
		refused(w, fc, NVE_EV_ASSOCIATE);
		ew_run_until(w, w->now_ns + fc->rest_ns);
	}
	assert_int_equal(ask(w, &c, NVE_EV_ASSOCIATE, &fc->next), NVE_REASON_OK);
	assert_int_equal(ew_ask(w, NVE_EV_ACTIVATE, fc->next.tsi, fc->next.port, fc->next.vn, 0),
			 NVE_REASON_OK);
	close_tight(w);
}

static void two_tsis(struct world *w)
{
	w->config.core.max_tsis = w->config.dp.limits.max_tsis = 2;
}

static void tsis_are_refused_when_there_are_as_many_as_there_can_be(void **state)
{
	(void)state;
	fill_up(&(struct full_case){ two_tsis,
				     NULL,
				     "tsis",
				     2,
				     2,
				     { { 1, P1, 100, 1 }, { 2, P3, 200, 2 } },
				     { 3, P1, 200, 3 } });
}

static void five_addresses(struct world *w)
{
	w->config.core.max_addrs = w->config.dp.limits.max_addrs = 5;
}

static void addresses_are_refused_when_too_few_are_left_for_all_of_a_tsi(void **state)
{
	(void)state;
	fill_up(&(struct full_case){ five_addresses,
				     NULL,
				     "addresses",
				     4,
				     5,
				     { { 1, P1, 100, 1, 2 }, { 2, P1, 100, 3, 2 } },
				     { 3, P1, 100, 5, 2 } });
}

static void two_vaps(struct world *w)
{
	w->config.core.max_vaps = 2;
}

static void a_vn_on_one_port_more_is_refused_when_the_vaps_are_out(void **state)
{
	(void)state;
	fill_up(&(struct full_case){ two_vaps,
				     NULL,
				     "vaps",
				     2,
				     2,
				     { { 1, P1, 100, 1 }, { 2, P3, 100, 2 } },
				     { 3, P1, 200, 3 } });
}

static void one_vn(struct world *w)
{
	w->config.core.max_vns = w->config.dp.limits.max_vns = 1;
}

static void one_vn_more_is_refused_when_the_vns_are_out(void **state)
{
	(void)state;
	fill_up(&(struct full_case){
		one_vn, NULL, "vns", 1, 1, { { 1, P1, 100, 1 } }, { 2, P1, 200, 2 } });
}

static void two_tags(struct world *w)
{
	w->scopes[0].tags = (struct nve_scope_config){ 100, 101 };
}

static void tags_are_refused_also_while_one_rests_in_quarantine(void **state)
{
	(void)state;
	fill_up(&(struct full_case){ two_tags,
				     NULL,
				     "tags",
				     2,
				     2,
				     { { 1, P1, 100, 1 }, { 2, P1, 200, 2 } },
				     { 3, P1, 300, 3 },
				     .rest_ns = 31 * SEC });
}

static void two_vteps(struct world *w)
{
	w->config.dp.limits.max_vteps = 2;
}

/* 100 brings two of its own. */
static const char far_vns[] = "vns:\n"
			      "  - {id: 100, vteps: [192.0.2.2, 192.0.2.3]}\n"
			      "  - {id: 200, vteps: [192.0.2.3]}\n"
			      "  - {id: 300, vteps: [192.0.2.4]}\n";

static void vteps_are_refused_when_the_vn_brings_one_too_many(void **state)
{
	(void)state;
	fill_up(&(struct full_case){ two_vteps,
				     far_vns,
				     "vteps",
				     2,
				     2,
				     { { 1, P1, 100, 1 }, { 2, P1, 200, 2 } },
				     { 3, P1, 300, 3 } });
}

static void three_macs(struct world *w)
{
	w->config.dp.limits.max_fdb = 3;
}

static const char mapped_vns[] =
	"vns:\n"
	"  - {id: 100, mappings: [{mac: '02:00:00:00:00:99', vtep: 192.0.2.3, epoch: 4}]}\n"
	"  - {id: 200}\n";

static void macs_are_refused_be_they_local_or_remote(void **state)
{
	(void)state;
	fill_up(&(struct full_case){ three_macs,
				     mapped_vns,
				     "fdb",
				     3,
				     3,
				     { { 1, P1, 100, 1 }, { 2, P1, 100, 2 } },
				     { 3, P1, 200, 3 } });
	/* The VN's own mapping is what does not fit. */
	fill_up(&(struct full_case){
		three_macs, mapped_vns, "fdb", 3, 3, { { 1, P1, 200, 1, 3 } }, { 2, P1, 100, 0 } });
}

static void two_members(struct world *w)
{
	w->config.dp.limits.max_flood = 2;
}

static const char flooded_vns[] = "vns:\n"
				  "  - {id: 100, vteps: [192.0.2.2]}\n"
				  "  - {id: 200, vteps: [192.0.2.2, 192.0.2.3, 192.0.2.4]}\n"
				  "  - {id: 300, vteps: [192.0.2.2, 192.0.2.3]}\n";

static void a_vn_takes_no_more_members_than_its_broadcasts_can_go_to(void **state)
{
	struct full_case fc = { two_members, flooded_vns,           "flood",          2,
				2,           { { 1, P1, 100, 1 } }, { 2, P3, 100, 2 } };

	(void)state;
	fill_up(&fc);
	/* It has too many before anybody is there, or with the first port. */
	for (uint32_t vn = 200; vn <= 300; vn += 100) {
		struct world *w = open_tight(two_members, flooded_vns);

		fc.next.vn = vn;
		refused(w, &fc, NVE_EV_ASSOCIATE);
		close_tight(w);
	}
}

static void few_bindings(struct world *w)
{
	w->config.core.max_addrs = w->config.dp.limits.max_addrs = 2;
	w->config.dp.limits.max_fdb = 3;
}

/* One MAC with many IPs: one row of the fdb, but five of the neighbors'. */
static const char bound_vns[] =
	"vns:\n"
	"  - id: 100\n"
	"    mappings:\n"
	"      - {mac: '02:00:00:00:00:99', ip: 10.0.0.91, vtep: 192.0.2.3, epoch: 4}\n"
	"      - {mac: '02:00:00:00:00:99', ip: 10.0.0.92, vtep: 192.0.2.3, epoch: 4}\n"
	"      - {mac: '02:00:00:00:00:99', ip: 10.0.0.93, vtep: 192.0.2.3, epoch: 4}\n"
	"      - {mac: '02:00:00:00:00:99', ip: 10.0.0.94, vtep: 192.0.2.3, epoch: 4}\n";

static void bindings_of_ip_and_mac_are_refused_when_the_vns_own_fill_the_table(void **state)
{
	(void)state;
	fill_up(&(struct full_case){
		few_bindings, bound_vns, "neigh", 5, 5, { { 1, P1, 100, 1 } }, { 2, P1, 100, 2 } });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tsis_are_refused_when_there_are_as_many_as_there_can_be),
		cmocka_unit_test(addresses_are_refused_when_too_few_are_left_for_all_of_a_tsi),
		cmocka_unit_test(a_vn_on_one_port_more_is_refused_when_the_vaps_are_out),
		cmocka_unit_test(one_vn_more_is_refused_when_the_vns_are_out),
		cmocka_unit_test(tags_are_refused_also_while_one_rests_in_quarantine),
		cmocka_unit_test(vteps_are_refused_when_the_vn_brings_one_too_many),
		cmocka_unit_test(macs_are_refused_be_they_local_or_remote),
		cmocka_unit_test(a_vn_takes_no_more_members_than_its_broadcasts_can_go_to),
		cmocka_unit_test(
			bindings_of_ip_and_mac_are_refused_when_the_vns_own_fill_the_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
