/* SPDX-License-Identifier: Apache-2.0 */
/* The contract of dp.h: the rules of a VN's profile (S3, S56, S61, S78, S81). */
#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/dp_contract.h"

/* 'n' rules under that id, and VN 7 refers to it ('refer'). */
static int set_acl(uint32_t id, bool deny, const struct nve_acl_rule *rules, uint32_t n)
{
	struct nve_dp_acl acl = { .id = id, .acl = { .name = "gold", .deny = deny, .n_rules = n } };

	acl.acl.rules = rules;
	return dpc.ops->acl_set(dpc.dp, &acl);
}

static int refer(uint32_t id)
{
	const uint32_t vteps[] = { 0, 1 };
	const struct nve_dp_vn vn = {
		.vn_id = VN_7, .vni = VNI_7, .acl = id, .n_vteps = 2, .vteps = vteps
	};

	return dpc.ops->vn_set(dpc.dp, &vn);
}

static const struct nve_acl_rule no_udp_2000 = { .ways = 1 << NVE_ACL_FROM_TSI,
						 .deny = 1,
						 .has = NVE_ACL_HAS_PROTOCOL |
							NVE_ACL_HAS_DST_PORTS,
						 .protocol = 17,
						 .dst_ports = { 2000, 2000 } };
static const struct nve_acl_rule not_from_10 = {
	.ways = 1 << NVE_ACL_FROM_TSI,
	.deny = 1,
	.has = NVE_ACL_HAS_SRC,
	.src_len = 24,
	.src = { .family = 4, .bytes = { 10, 0, 0 } },
};
static const struct nve_acl_rule not_to_tsis = { .ways = 1 << NVE_ACL_TO_TSI, .deny = 1 };
static const struct nve_acl_rule all = { .ways = 3 };

static void rules_are_in_force_after_apply_and_gone_with_the_reference(void **state)
{
	(void)state;
	dpc_two_tsis(true);
	dpw_apply(&dpc);
	assert_int_equal(set_acl(1, false, &no_udp_2000, 1), 0);
	assert_int_equal(refer(1), 0);
	assert_true(dpc_passes(A0, TAG_10, MAC_1, "10.0.0.1"));
	dpw_apply(&dpc);
	assert_false(dpc_passes(A0, TAG_10, MAC_1, "10.0.0.1"));
	assert_false(dpc_passes(A0, TAG_10, MAC_1, "fd00::1"));
	assert_true(dpc_passes(A0, TAG_10, MAC_1, ""));
	assert_int_equal(refer(0), 0);
	assert_int_equal(dpc.ops->acl_del(dpc.dp, 1), 0);
	dpw_apply(&dpc);
	assert_true(dpc_passes(A0, TAG_10, MAC_1, "10.0.0.1"));
}

static void the_first_rule_that_matches_decides(void **state)
{
	const struct nve_acl_rule rules[] = { not_from_10, all };
	const struct nve_acl_rule other[] = { all, not_from_10 };

	(void)state;
	dpc_two_tsis(true);
	assert_int_equal(set_acl(1, true, rules, 2), 0);
	assert_int_equal(refer(1), 0);
	dpw_apply(&dpc);
	assert_false(dpc_passes(A0, TAG_10, MAC_1, "10.0.0.1"));
	assert_true(dpc_passes(A0, TAG_10, MAC_1, "10.0.1.1"));
	assert_int_equal(set_acl(1, true, other, 2), 0);
	dpw_apply(&dpc);
	assert_true(dpc_passes(A0, TAG_10, MAC_1, "10.0.0.1"));
}

static void what_no_rule_matches_meets_the_default(void **state)
{
	(void)state;
	dpc_two_tsis(true);
	assert_int_equal(set_acl(1, true, NULL, 0), 0);
	assert_int_equal(refer(1), 0);
	dpw_apply(&dpc);
	assert_false(dpc_passes(A0, TAG_10, MAC_1, "10.0.0.1"));
	assert_int_equal(dpc_reaches(MAC_1), NVE_SLOT_NONE);
	assert_int_equal(set_acl(1, false, NULL, 0), 0);
	dpw_apply(&dpc);
	assert_true(dpc_passes(A0, TAG_10, MAC_1, "10.0.0.1"));
	assert_int_equal(dpc_reaches(MAC_1), 1);
}

static void rules_to_tsis_hold_from_other_tsis_and_from_vteps(void **state)
{
	(void)state;
	dpc_two_tsis(true);
	assert_int_equal(set_acl(1, false, &not_to_tsis, 1), 0);
	assert_int_equal(refer(1), 0);
	dpw_apply(&dpc);
	assert_true(dpc_passes(A0, TAG_10, MAC_1, "10.0.0.1"));
	assert_false(dpc_send(A0, TAG_10, MAC_1, "10.0.0.1", MAC_2).pass);
	assert_int_equal(dpc_reaches(MAC_1), NVE_SLOT_NONE);
}

/* In XDP it is TC that floods, after XDP has left the frame alone. */
static void flooded_frames_meet_them_too(void **state)
{
	struct nve_fake_verdict v;

	(void)state;
	dpc_two_tsis(true);
	assert_int_equal(set_acl(1, false, &not_to_tsis, 1), 0);
	dpw_apply(&dpc);
	assert_int_equal(dpc_send(A0, TAG_10, MAC_1, "", MAC_ALL).copies, 3);
	assert_int_equal(dpw_from_vtep(&dpc, "192.0.2.2", VNI_7, MAC_ALL).copies, 2);
	assert_int_equal(refer(1), 0);
	dpw_apply(&dpc);
	v = dpc_send(A0, TAG_10, MAC_1, "", MAC_ALL);
	assert_true(v.pass);
	assert_int_equal(v.copies, 2);
	assert_int_equal(dpw_from_vtep(&dpc, "192.0.2.2", VNI_7, MAC_ALL).copies, 0);
}

static void a_vn_without_a_profile_is_not_concerned(void **state)
{
	(void)state;
	dpc_two_tsis(true);
	assert_int_equal(set_acl(1, true, NULL, 0), 0);
	dpw_apply(&dpc);
	assert_true(dpc_passes(A0, TAG_10, MAC_1, "10.0.0.1"));
}

static void room_is_refused_when_it_is_told_and_nothing_changes(void **state)
{
	struct nve_acl_rule *many = calloc(NVE_ACL_RULES_MAX + 1, sizeof(*many));
	int r = 0;

	(void)state;
	assert_non_null(many);
	for (uint32_t i = 0; i <= NVE_ACL_RULES_MAX; i++)
		many[i] = no_udp_2000;
	assert_int_equal(set_acl(1, false, many, NVE_ACL_RULES_MAX + 1), -EINVAL);
	assert_int_equal(set_acl(0, false, many, 1), -EINVAL);
	assert_int_equal(set_acl(NVE_DP_ACLS_MAX + 1, false, many, 1), -ENOSPC);
	assert_int_equal(refer(1), -ENOENT);
	for (uint32_t id = 1; id < 9 && !r; id++)
		r = set_acl(id, false, many, NVE_ACL_RULES_MAX);
	assert_int_equal(r, -ENOSPC);
	assert_int_equal(set_acl(9, false, many, 1000), 0);
	free(many);
}

static void rules_that_cannot_be_are_refused(void **state)
{
	struct nve_acl_rule rule = not_from_10;

	(void)state;
	rule.src_len = 16; /* bits behind it are zero: fine */
	assert_int_equal(set_acl(1, false, &rule, 1), 0);
	rule.src.bytes[2] = 1;
	assert_int_equal(set_acl(1, false, &rule, 1), -EINVAL);
	rule = no_udp_2000;
	rule.dst_ports[1] = 1999;
	assert_int_equal(set_acl(1, false, &rule, 1), -EINVAL);
	rule = all;
	rule.ways = 0;
	assert_int_equal(set_acl(1, false, &rule, 1), -EINVAL);
}

static void a_resync_keeps_or_replaces_the_rules(void **state)
{
	(void)state;
	for (int round = 0; round < 2; round++) {
		assert_int_equal(dpc.ops->resync_begin(dpc.dp), 0);
		assert_int_equal(set_acl(2, false, round ? &not_from_10 : &no_udp_2000, 1), 0);
		dpw_set_vns(&dpc);
		assert_int_equal(refer(2), 0);
		dpc_two_tsis(true);
		assert_int_equal(dpc.ops->resync_end(dpc.dp), 0);
		assert_int_equal(dpc_passes(A0, TAG_10, MAC_1, "fd00::1"), round);
		assert_false(dpc_passes(A0, TAG_10, MAC_1, "10.0.0.1"));
	}
}

/* What the sandbox leaves an agent that serves lacks it. */
static void sys_admin(bool on)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3];

	assert_int_equal(syscall(SYS_capget, &head, caps), 0);
	caps[0].effective &= ~(1u << CAP_SYS_ADMIN);
	caps[0].effective |= (uint32_t)on << CAP_SYS_ADMIN;
	assert_int_equal(syscall(SYS_capset, &head, caps), 0);
}

static void without_cap_sys_admin_a_resync_knows_the_rules_that_were_there(void **state)
{
	(void)state;
	for (int round = 0; round < 3; round++) {
		sys_admin(!round);
		assert_int_equal(dpc.ops->resync_begin(dpc.dp), 0);
		assert_int_equal(set_acl(2, false, round == 2 ? &not_from_10 : &no_udp_2000, 1), 0);
		dpw_set_vns(&dpc);
		assert_int_equal(refer(2), 0);
		dpc_two_tsis(true);
		assert_int_equal(dpc.ops->resync_end(dpc.dp), 0);
		sys_admin(true);
		assert_int_equal(dpc_passes(A0, TAG_10, MAC_1, "fd00::1"), round == 2);
		assert_false(dpc_passes(A0, TAG_10, MAC_1, "10.0.0.1"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CONTRACT(rules_are_in_force_after_apply_and_gone_with_the_reference),
		CONTRACT(the_first_rule_that_matches_decides),
		CONTRACT(what_no_rule_matches_meets_the_default),
		CONTRACT(rules_to_tsis_hold_from_other_tsis_and_from_vteps),
		CONTRACT(flooded_frames_meet_them_too),
		CONTRACT(a_vn_without_a_profile_is_not_concerned),
		CONTRACT(room_is_refused_when_it_is_told_and_nothing_changes),
		CONTRACT(rules_that_cannot_be_are_refused),
		CONTRACT(a_resync_keeps_or_replaces_the_rules),
		CONTRACT(without_cap_sys_admin_a_resync_knows_the_rules_that_were_there),
	};

	return dpc_run(tests);
}
