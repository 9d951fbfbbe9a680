/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules against the reference that reads them one after the other: random rules, random frames, the
 * programs must decide alike, and count each frame with the rule that decided.  The seed is
 * printed, and taken from SEED.
 */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/acl.h"
#include "lib/dp_contract.h"
#include "lib/dp_probe.h"

enum { RULES = NVE_ACL_RULES_MAX, FRAMES = 400 };
static struct acl_random rnd;
static struct nve_acl_rule rules[RULES];
static uint64_t want[RULES + 1], got[RULES + 1];
static struct nve_acl acl = { .name = "gold", .rules = rules };

static void set_rules(uint32_t n, bool deny)
{
	const uint32_t vteps[] = { 0, 1 };
	struct nve_dp_vn vn = {
		.vn_id = VN_7, .vni = VNI_7, .acl = 1, .n_vteps = 2, .vteps = vteps
	};
	struct nve_dp_acl x = { .id = 1 };

	acl.n_rules = n;
	acl.deny = deny;
	x.acl = acl;
	assert_int_equal(dpc.ops->acl_set(dpc.dp, &x), 0);
	assert_int_equal(dpc.ops->vn_set(dpc.dp, &vn), 0);
	dpw_apply(&dpc);
}

static void forget_rules(void)
{
	const uint32_t vteps[] = { 0, 1 };
	const struct nve_dp_vn vn = { .vn_id = VN_7, .vni = VNI_7, .n_vteps = 2, .vteps = vteps };

	assert_int_equal(dpc.ops->vn_set(dpc.dp, &vn), 0);
	assert_int_equal(dpc.ops->acl_del(dpc.dp, 1), 0);
	dpw_apply(&dpc);
}

static void take_row(void *arg, const char *key, const char *value)
{
	const char *rule = strstr(key, "\"rule\":") + 7, *frames = strstr(value, "\"frames\":") + 9;
	uint32_t i = *rule == '"' ? acl.n_rules : strtoul(rule, NULL, 10) - 1;

	(void)arg;
	assert_in_range(i, 0, acl.n_rules);
	got[i] = strtoull(frames, NULL, 10);
}

/* Sent on; else lost.  The ways are those whose rules the frame meets. */
static bool passes(const struct frame *in, uint8_t role, const char *ifname)
{
	int r = dp_probe_run(&dpc, role, dpc.mode, if_nametoindex(ifname), in, NULL);

	assert_true(dpc.mode == NVE_DP_XDP ? r == 4 || r == 1 : r == 7 || r == 2);
	return r >= 4;
}

static bool expected(const struct nve_acl_frame *f, uint8_t ways)
{
	bool denied = false;

	for (int way = 0; way < NVE_ACL_WAYS && !denied; way++) {
		if (!(ways & 1 << way))
			continue;
		want[nve_acl_match(&acl, way, f)]++;
		denied = nve_acl_denies(&acl, way, f);
	}
	return !denied;
}

static void try_frame(uint32_t i)
{
	static const char *const dst[] = { MAC_R, MAC_2, MAC_1 };
	uint32_t kind = acl_random(&rnd, 3);
	struct frame plain, in;
	struct nve_acl_frame f;
	bool should, does;

	f = acl_random_frame(&rnd, kind == 2 ? MAC_3 : MAC_1, dst[kind], &plain);
	in = kind == 2 ? WRAP(&plain, eth(.dst = "02:aa:00:00:00:01", .src = "02:aa:00:00:00:02"),
			      ipv4(.src = "192.0.2.2", .dst = "192.0.2.1"),
			      udp(.sport = 50000, .dport = 4789, .no_check = true),
			      vxlan(.vni = VNI_7))
		       : frame_tag(&plain, 0, TAG_10);
	should = expected(&f, kind == 0 ? 1 : kind == 1 ? 3 : 2);
	does = passes(&in, kind == 2 ? NVE_DP_UNDERLAY : NVE_DP_ACCESS, kind == 2 ? "u0" : "a0");
	if (should != does)
		fail_msg("frame %u of kind %u: rule %u of %u decides, it %s", i, kind,
			 nve_acl_match(&acl, kind == 2, &f), acl.n_rules,
			 does ? "passes" : "is lost");
}

static void programs_and_reference_decide_alike_and_count_alike(void **state)
{
	static const uint32_t sizes[] = { 0, 1, 2, 63, 64, 65, 500, RULES };
	(void)state;
	dpc_two_tsis(true);
	for (size_t round = 0; round < sizeof(sizes) / sizeof(sizes[0]); round++) {
		memset(want, 0, sizeof(want));
		memset(got, 0, sizeof(got));
		for (uint32_t i = 0; i < sizes[round]; i++) {
			rules[i] = acl_random_rule(&rnd);
			/* Among thousands of wide rules only the first would ever match. */
			if (sizes[round] >= 500 && i < sizes[round] - 40)
				rules[i].has |= NVE_ACL_HAS_DST_PORTS | NVE_ACL_HAS_SRC_MAC;
		}
		forget_rules(); /* and their counts */
		set_rules(sizes[round], acl_random(&rnd, 2));
		memset(want, 0, sizeof(want));
		for (uint32_t i = 0; i < FRAMES; i++)
			try_frame(i);
		assert_int_equal(dpc.ops->dump(dpc.dp, "acl", take_row, NULL), 0);
		for (uint32_t i = 0; i <= acl.n_rules; i++)
			assert_int_equal(got[i], want[i]);
	}
}

static uint32_t best_ns(const struct frame *in)
{
	uint32_t best = UINT32_MAX;

	for (int i = 0; i < 2000; i++) {
		assert_true(passes(in, NVE_DP_ACCESS, "a0"));
		best = dp_probe_ns < best ? dp_probe_ns : best;
	}
	return best;
}

static struct nve_acl_rule far_rule(uint32_t i)
{
	struct nve_acl_rule r = { .ways = 1,
				  .deny = 1,
				  .has = NVE_ACL_HAS_DST | NVE_ACL_HAS_PROTOCOL |
					 NVE_ACL_HAS_DST_PORTS,
				  .protocol = 6,
				  .dst_len = 32,
				  .dst = { .family = 4, .bytes = { 10, 1, i >> 8, i } } };

	r.dst_ports[0] = r.dst_ports[1] = 1 + i;
	return r;
}

/* The last of the rules decides: one after the other would take a thousand times as long. */
static void thousands_of_rules_are_not_looked_at_one_by_one(void **state)
{
	struct frame plain = FRAME(eth(.dst = MAC_R, .src = MAC_1),
				   ipv4(.src = "10.0.0.1", .dst = "10.2.0.1"), tcp(.dport = 443));
	struct frame in = frame_tag(&plain, 0, TAG_10);
	uint32_t off, one, many;

	(void)state;
	dpc_two_tsis(true);
	dpw_apply(&dpc);
	off = best_ns(&in);
	for (uint32_t i = 0; i < RULES; i++)
		rules[i] = far_rule(i);
	set_rules(1, false);
	one = best_ns(&in);
	rules[RULES - 1] =
		(struct nve_acl_rule){ .ways = 1,
				       .has = NVE_ACL_HAS_DST,
				       .dst_len = 32,
				       .dst = { .family = 4, .bytes = { 10, 2, 0, 1 } } };
	set_rules(RULES, true);
	many = best_ns(&in);
	printf("%s: %u ns a frame without rules, %u with 1, %u with %u\n", dpc.name, off, one, many,
	       RULES);
	assert_true(many < one * 8);
}

static int set_up(void **state)
{
	snprintf(acl.name, sizeof(acl.name), "gold");
	return dpc_set_up(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(programs_and_reference_decide_alike_and_count_alike,
						set_up, dpc_tear_down),
		cmocka_unit_test_setup_teardown(thousands_of_rules_are_not_looked_at_one_by_one,
						set_up, dpc_tear_down),
	};
	const char *seed = getenv("SEED");

	rnd.state = seed ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL) << 20 | getpid();
	printf("SEED=%llu\n", (unsigned long long)rnd.state);
	return dpc_run_ebpf(tests);
}
