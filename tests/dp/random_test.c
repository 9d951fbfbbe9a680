/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The eBPF datapath against the model in memory: both are told the same random things, and must
 * make the same of every frame there can be in a small world.  And against itself without near, to
 * the byte and the reason.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "dp/ebpf_near.h"
#include "dp/ebpf_near_table.h"
#include "lib/dp_ask.h"
#include "lib/dp_corrupt.h"
#include "lib/dp_probe.h"
#include "lib/share.h"

enum { MACS = 3, IPS = 4, SLOTS = 5, TAGS = 2, ROUNDS = 200 };

static const char *const macs[MACS] = { "02:00:00:00:00:01", "02:00:00:00:00:02",
					"02:00:00:00:00:03" };
static const char *const ips[IPS] = { "10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2" };
static const uint16_t tags[TAGS] = { TAG_10, TAG_20 };

static struct dpw model, ebpf;
static unsigned int seed;

static uint32_t pick(uint32_t n)
{
	return rand_r(&seed) % n;
}

/* --- random things to say --------------------------------------------------------------------- */

/* Which TSI has an address at a place: no two may (the core sees to it). */
struct claims {
	bool mac[2][TAGS][MACS], ip[2][TAGS][IPS];
};

struct spec {
	bool set, activated;
	uint16_t port, tag; /* index of the tag */
	uint16_t n;
	struct nve_tsi_addr addrs[8];
};

static struct spec specs[SLOTS];

static void claims_of_others(uint32_t slot, struct claims *c)
{
	memset(c, 0, sizeof(*c));
	for (uint32_t i = 0; i < SLOTS; i++) {
		const struct spec *s = &specs[i];

		for (uint16_t j = 0; i != slot && s->set && j < s->n; j++) {
			const struct nve_addr *a = &s->addrs[j].addr;

			for (int m = 0; m < MACS; m++) {
				struct nve_tsi_addr x = dpw_tsi_addr(macs[m]);

				c->mac[s->port][s->tag][m] |=
					(a->flags & NVE_ADDR_MAC) && !memcmp(a->mac, x.addr.mac, 6);
			}
			for (int k = 0; k < IPS; k++) {
				struct nve_tsi_addr x = dpw_tsi_addr(ips[k]);

				c->ip[s->port][s->tag][k] |=
					(a->flags & ~NVE_ADDR_MAC) && !memcmp(a->ip, x.addr.ip, 16);
			}
		}
	}
}

static bool has(const struct spec *s, const struct nve_addr *addr)
{
	for (uint16_t i = 0; i < s->n; i++)
		if (!memcmp(&s->addrs[i].addr, addr, sizeof(*addr)))
			return true;
	return false;
}

static void add_random(struct spec *s, const struct claims *c)
{
	uint32_t mac = pick(MACS), ip = pick(IPS), kind = pick(4);
	struct nve_tsi_addr a = { 0 }, m = dpw_tsi_addr(macs[mac]), i = dpw_tsi_addr(ips[ip]);

	if (c->mac[s->port][s->tag][mac] || c->ip[s->port][s->tag][ip])
		return;
	if (kind)
		a = m;
	if (kind != 1) {
		a.addr.flags |= i.addr.flags;
		memcpy(a.addr.ip, i.addr.ip, 16);
	}
	a.active = pick(4) != 0;
	if (!has(s, &a.addr))
		s->addrs[s->n++] = a;
}

static void say_tsi(struct dpw *w, uint32_t slot)
{
	const struct spec *s = &specs[slot];
	const struct nve_dp_tsi tsi = {
		.slot = slot,
		.key = { .id = { { slot + 1 } }, .vn_id = VN_7, .port = s->port },
		.tag = tags[s->tag],
		.activated = s->activated,
		.n_addrs = s->n,
		.addrs = s->addrs,
	};

	if (s->set)
		assert_int_equal(w->ops->tsi_set(w->dp, &tsi), 0);
	else
		assert_int_equal(w->ops->tsi_del(w->dp, slot), 0);
}

static void random_tsi(void)
{
	uint32_t slot = pick(SLOTS), n = pick(6);
	struct spec *s = &specs[slot];
	struct claims c;
	bool stay = s->set && pick(3);

	claims_of_others(slot, &c);
	s->set = pick(8) != 0;
	s->activated = pick(5) != 0;
	if (!stay) {
		s->port = pick(2);
		s->tag = pick(TAGS);
	}
	s->n = 0;
	for (uint32_t i = 0; i < n; i++)
		add_random(s, &c);
	say_tsi(&model, slot);
	say_tsi(&ebpf, slot);
}

static struct nve_dp_dest random_dest(void)
{
	uint32_t slot = pick(SLOTS);

	if (pick(4) == 0)
		return VTEP(pick(2));
	return specs[slot].set ? TSI(slot) : NONE;
}

static void random_fdb(void)
{
	const char *mac = macs[pick(MACS)];
	struct nve_dp_dest first = random_dest(), second = random_dest();
	uint8_t m[NVE_MAC_LEN];

	if (second.kind == NVE_DP_DEST_VTEP)
		second = NONE;
	dpw_mac(m, mac);
	if (pick(6) == 0) {
		assert_int_equal(model.ops->fdb_del(model.dp, VN_7, m), 0);
		assert_int_equal(ebpf.ops->fdb_del(ebpf.dp, VN_7, m), 0);
		return;
	}
	if (first.kind == NVE_DP_DEST_NONE && second.kind == NVE_DP_DEST_NONE)
		return;
	dpw_fdb(&model, mac, first, second);
	dpw_fdb(&ebpf, mac, first, second);
}

/* As the engine says it: a MAC is where its TSI is, or remote. */
static void settled_fdb(void)
{
	for (int m = 0; m < MACS; m++) {
		struct nve_dp_dest first = VTEP(pick(2));
		struct nve_tsi_addr x = dpw_tsi_addr(macs[m]);

		for (uint32_t slot = 0; slot < SLOTS; slot++)
			for (uint16_t i = 0; specs[slot].set && i < specs[slot].n; i++)
				if (!memcmp(specs[slot].addrs[i].addr.mac, x.addr.mac, NVE_MAC_LEN))
					first = TSI(slot);
		dpw_fdb(&model, macs[m], first, NONE);
		dpw_fdb(&ebpf, macs[m], first, NONE);
	}
}

static void print_row(void *arg, const char *key, const char *value)
{
	printf("%s %s %s\n", (const char *)arg, key, value);
}

/* What there is, for whoever looks into a failure. */
static void print_tables(void)
{
	for (const char *const *t = ADDRS("vap", "tsi", "src", "src_ip", "fdb"); *t; t++)
		ebpf.ops->dump(ebpf.dp, *t, print_row, (void *)*t);
	for (uint32_t i = 0; i < SLOTS; i++) {
		const struct spec *s = &specs[i];

		if (!s->set)
			continue;
		printf("told: tsi %u port %u tag %u activated %d\n", i, s->port, tags[s->tag],
		       s->activated);
		for (uint16_t j = 0; j < s->n; j++)
			printf("\tflags %d mac ..%02x ip %d..%d active %d\n",
			       s->addrs[j].addr.flags, s->addrs[j].addr.mac[5],
			       s->addrs[j].addr.ip[0],
			       s->addrs[j].addr.ip[3] | s->addrs[j].addr.ip[15],
			       s->addrs[j].active);
	}
}

/* --- every frame there can be ----------------------------------------------------------------- */

static void same(const struct nve_fake_verdict *a, const struct nve_fake_verdict *b,
		 const char *what)
{
	if (a->pass != b->pass)
		print_tables();
	if (a->pass != b->pass)
		fail_msg("seed %u: %s: model %d, ebpf %d", seed, what, a->pass, b->pass);
	if (!a->pass)
		return;
	assert_int_equal(a->dest.kind, b->dest.kind);
	assert_int_equal(a->dest.slot, b->dest.slot);
	assert_int_equal(a->copies, b->copies);
}

/* False: there is none. */
static bool in_near(const uint8_t mac[NVE_MAC_LEN], struct nve_near_entry *ret)
{
	uint64_t key = (uint64_t)nve_shadow_vn(&ebpf.dp->shadow, VN_7)->number << 48;

	memcpy(&key, mac, NVE_MAC_LEN);
	return nve_ebpf_near_get(ebpf.dp, key, ret);
}

/* Frames that near may decide, and what of those does. */
static uint32_t asked, short_ways;

static void compare_near(const struct nve_fake_frame *f, const char *what)
{
	struct nve_near_entry from, to;
	struct frame frame = dp_probe_frame(f);
	uint32_t ip = 0;

	memcpy(&ip, f->ip.bytes, sizeof(ip));
	asked++;
	if (in_near(f->src, &from) && in_near(f->dst, &to) && from.kind == NVE_NEAR_TSI &&
	    from.port == f->port && from.vid == f->tag && f->ip.family == 4 && ip == from.ip4)
		short_ways++;
	else if (asked % 8) /* of the others, some */
		return;
	if (!dp_ask_near_agrees(&ebpf, f->port, &frame))
		fail_msg("seed %u: %s: not the same without near", seed, what);
}

static void compare_from_port(uint16_t port, uint16_t tag)
{
	for (int m = 0; m < MACS; m++)
		for (int i = 0; i <= IPS; i++)
			for (int d = 0; d < MACS; d++) {
				struct nve_fake_frame f = {
					.port = port,
					.tag = tag,
					.ip = dpw_addr(i < IPS ? ips[i] : ""),
				};
				struct nve_fake_verdict a, b;
				char what[96];

				dpw_mac(f.src, macs[m]);
				dpw_mac(f.dst, macs[d]);
				snprintf(what, sizeof(what), "port %u tag %u %s %s to %s", port,
					 tag, macs[m], i < IPS ? ips[i] : "no IP", macs[d]);
				a = dpw_from_port(&model, &f);
				b = dpw_from_port(&ebpf, &f);
				same(&a, &b, what);
				compare_near(&f, what);
			}
}

static void compare(void)
{
	for (uint16_t port = A0; port <= A1; port++)
		for (int t = 0; t < TAGS; t++)
			compare_from_port(port, tags[t]);
	for (int d = 0; d < MACS; d++) {
		struct nve_fake_verdict a = dpw_from_vtep(&model, "192.0.2.2", VNI_7, macs[d]);
		struct nve_fake_verdict b = dpw_from_vtep(&ebpf, "192.0.2.2", VNI_7, macs[d]);

		same(&a, &b, macs[d]);
	}
}

/* The check, which works out what rows should be in ways of its own, agrees with apply(). */
static void nothing_differs(void)
{
	struct dpx_found f = dpx_check(&ebpf, false, 1000);

	if (f.n)
		fail_msg("%s %s: want %s have %s", f.table, f.key, f.want, f.have);
	assert_int_equal(dpx_check(&model, false, 1000).n, 0);
}

static int set_up(void **state)
{
	memset(specs, 0, sizeof(specs));
	dpw_open(&model, &dpw_backends[0]);
	dpw_open(&ebpf, &dpw_backends[*(int *)*state]);
	asked = short_ways = 0;
	for (int i = 0; i < 2; i++) {
		struct dpw *w = i ? &ebpf : &model;

		for (uint16_t port = A0; port <= A1; port++)
			for (int t = 0; t < TAGS; t++)
				dpw_vap(w, port, tags[t], 1);
	}
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	dpw_close(&model);
	dpw_close(&ebpf);
	return 0;
}

static void the_programs_make_of_each_frame_what_the_model_does(void **state)
{
	int rounds = test_share(ROUNDS);

	(void)state;
	seed = 1;
	for (int round = 0; round < rounds; round++) {
		for (uint32_t n = 1 + pick(4); n; n--)
			pick(3) ? random_tsi() : random_fdb();
		if (pick(2))
			settled_fdb();
		dpw_apply(&model);
		dpw_apply(&ebpf);
		nothing_differs();
		compare();
	}
	print_message("%u frames the short way\n", short_ways);
	assert_true(short_ways > ROUNDS / 2);
}

static void an_entry_of_near_that_is_wrong_is_noticed(void **state)
{
	struct nve_fake_frame f = { .port = A0, .tag = TAG_10, .ip = dpw_addr("10.0.0.1") };
	struct nve_near_entry from, to;
	struct frame frame;

	(void)state;
	dpw_mac(f.src, macs[0]);
	dpw_mac(f.dst, macs[1]);
	frame = dp_probe_frame(&f);
	dpw_tsi(&ebpf, 1, A0, TAG_10, true, ADDRS("02:00:00:00:00:01 10.0.0.1"));
	dpw_fdb(&ebpf, macs[0], TSI(1), NONE);
	dpw_fdb(&ebpf, macs[1], VTEP(0), NONE);
	dpw_apply(&ebpf);
	assert_true(dp_ask_near_agrees(&ebpf, A0, &frame));
	assert_true(in_near(f.dst, &to));
	to.slot = 1;
	nve_ebpf_near_put(ebpf.dp, &to);
	assert_false(dp_ask_near_agrees(&ebpf, A0, &frame));
	to.slot = 0;
	nve_ebpf_near_put(ebpf.dp, &to);
	assert_true(dp_ask_near_agrees(&ebpf, A0, &frame));
	assert_true(in_near(f.src, &from));
	from.ip4 = 0;
	nve_ebpf_near_put(ebpf.dp, &from);
	assert_true(dp_ask_near_agrees(&ebpf, A0, &frame));
	from.flags = 0;
	from.kind = NVE_NEAR_TSI;
	from.net |= NVE_TUNNEL_GENEVE;
	nve_ebpf_near_put(ebpf.dp, &from);
	assert_false(dp_ask_near_agrees(&ebpf, A0, &frame));
}

static void what_a_restart_finds_is_what_was_there_whatever_came_before(void **state)
{
	int rounds = test_share(40);

	(void)state;
	seed = 2;
	for (int round = 0; round < rounds; round++) {
		for (uint32_t n = 1 + pick(6); n; n--)
			random_tsi();
		dpw_apply(&model);
		dpw_apply(&ebpf);
		ebpf.ops->resync_begin(ebpf.dp);
		dpw_set_vns(&ebpf);
		for (uint16_t port = A0; port <= A1; port++)
			for (int t = 0; t < TAGS; t++)
				dpw_vap(&ebpf, port, tags[t], 1);
		for (uint32_t slot = 0; slot < SLOTS; slot++)
			say_tsi(&ebpf, slot);
		ebpf.dp->written = 0;
		assert_int_equal(ebpf.ops->resync_end(ebpf.dp), 0);
		assert_int_equal(ebpf.dp->written, 0);
		nothing_differs();
		compare();
	}
}

static int modes[] = { 1, 2 }; /* of dpw_backends: TC, XDP */

#define BOTH(f)                                                                                    \
	{ #f " [tc]", f, set_up, tear_down, &modes[0] },                                           \
	{                                                                                          \
#f " [xdp]", f, set_up, tear_down, &modes[1]                                       \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(the_programs_make_of_each_frame_what_the_model_does),
		BOTH(what_a_restart_finds_is_what_was_there_whatever_came_before),
		BOTH(an_entry_of_near_that_is_wrong_is_noticed),
	};

	if (geteuid() != 0) {
		puts("skipped: needs root");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
