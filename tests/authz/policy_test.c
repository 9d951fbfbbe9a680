/* SPDX-License-Identifier: Apache-2.0 */
/* The policy file: what it takes and refuses, and what a compiled policy answers. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "authz/policy.h"
#include "core/glob.h"

static int parse(const char *text, struct nve_policy **policy, char **err)
{
	return nve_policy_parse("p", text, strlen(text), policy, err);
}

static struct nve_policy *accepted(const char *text)
{
	struct nve_policy *policy = NULL;
	char *err = NULL;

	if (parse(text, &policy, &err) < 0)
		fail_msg("refused: %s", err);
	return policy;
}

/* A policy of one role that everybody has, and that role. */
#define ROLE "roles:\n - name: r\n   identities: ['*']\n"
static const struct nve_role *role_of(struct nve_policy *policy)
{
	return nve_policy_role(policy, "unix:1");
}

static struct nve_addr mac_ip(uint8_t mac, const char *ip4)
{
	struct nve_addr addr = { .flags = NVE_ADDR_MAC, .mac = { 2, 0, 0, 0, mac, 1 } };

	if (ip4) {
		addr.flags |= NVE_ADDR_IPV4;
		assert_int_equal(sscanf(ip4, "%hhu.%hhu.%hhu.%hhu", &addr.ip[0], &addr.ip[1],
					&addr.ip[2], &addr.ip[3]),
				 4);
	}
	return addr;
}

static void patterns_match_as_they_say(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool matches;
	} cases[] = {
		{ "", "", true },
		{ "*", "", true },
		{ "?", "", false },
		{ "a", "a", true },
		{ "a", "ab", false },
		{ "a*", "ab", true },
		{ "*b", "aab", true },
		{ "*b", "aba", false },
		{ "a*b*c", "axxbyyc", true },
		{ "a*b*c", "axxb", false },
		{ "a?c", "abc", true },
		{ "**", "x", true },
		{ "*a*a*a*", "aa", false },
		{ "unix:*", "tls:", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (nve_glob_match(cases[i].pattern, cases[i].text) != cases[i].matches)
			fail_msg("'%s' against '%s'", cases[i].pattern, cases[i].text);
}

static void a_pattern_made_to_be_slow_is_not(void **state)
{
	char pattern[256], text[256];

	(void)state;
	for (int i = 0; i < 254; i += 2)
		memcpy(pattern + i, "*a", 2);
	memcpy(pattern + 252, "*b", 3);
	memset(text, 'a', 255);
	text[255] = '\0';
	/* Backtracking into every '*' would take longer than the world is old. */
	for (int i = 0; i < 1000; i++)
		assert_false(nve_glob_match(pattern, text));
}

static void the_first_role_that_names_an_identity_is_its_only_one(void **state)
{
	struct nve_policy *policy =
		accepted("roles:\n"
			 "  - {name: a, identities: ['unix:0', 'tls:uri:s/a*']}\n"
			 "  - {name: b, identities: ['unix:*'], vns: ['*']}\n");

	(void)state;
	assert_int_equal(nve_policy_n_roles(policy), 2);
	assert_string_equal(nve_policy_role(policy, "unix:0")->name, "a");
	assert_string_equal(nve_policy_role(policy, "unix:01")->name, "b");
	assert_string_equal(nve_policy_role(policy, "tls:uri:s/ab")->name, "a");
	assert_null(nve_policy_role(policy, "tls:dns:s/ab"));
	assert_null(nve_policy_role(policy, "loopback"));
	assert_int_equal(nve_policy_role(policy, "unix:0")->line, 2);
	assert_false(nve_role_vn(nve_policy_role(policy, "unix:0"), 1, ""));
	nve_policy_free(policy);
}

static void who_was_not_proven_to_be_anybody_has_no_role_at_all(void **state)
{
	struct nve_policy *policy = accepted(ROLE);

	(void)state;
	assert_non_null(nve_policy_role(policy, "unix:7"));
	assert_null(nve_policy_role(policy, ""));
	nve_policy_free(policy);
}

static const char *port_name(const void *arg, uint16_t slot)
{
	static const char *const names[] = { "rack-1", "rack-2", "up", NULL };

	(void)arg;
	return names[slot];
}

static void what_a_role_does_not_name_it_does_not_allow(void **state)
{
	struct nve_policy *policy = accepted(ROLE);
	const struct nve_role *role = role_of(policy);
	struct nve_addr addr = mac_ip(1, "10.0.0.1"), bare = mac_ip(1, NULL);
	struct nve_tsi_id id = { { 1 } };

	(void)state;
	nve_policy_bind_ports(policy, 4, port_name, NULL);
	for (uint16_t slot = 0; slot < 4; slot++)
		assert_false(nve_role_port(role, slot));
	assert_false(nve_role_vn(role, 1, "red"));
	assert_false(nve_role_tsi(role, &id));
	assert_false(nve_role_addr(role, &addr));
	assert_false(nve_role_addr(role, &bare));
	for (uint32_t verb = 0; verb < NVE_VERBS; verb++)
		assert_false(nve_role_verb(role, (enum nve_policy_verb)verb));
	assert_int_equal(role->parameters, 0);
	assert_int_equal(role->owns, NVE_OWNS_OWN);
	assert_int_equal(role->max_tsis, UINT32_MAX);
	nve_policy_free(policy);
}

static void ports_vns_and_tsis_are_those_that_are_named(void **state)
{
	struct nve_policy *policy =
		accepted(ROLE "   ports: [rack-1, 'u*']\n"
			      "   vns: ['100', '200-299', '250-310', red, 'blue-*']\n"
			      "   tsis: [6e766564-0000/48, '11111111-*',"
			      " 22222222-2222-2222-2222-222222222222]\n");
	const struct nve_role *role = role_of(policy);
	struct nve_tsi_id in = { { 0x6e, 0x76, 0x65, 0x64, 0, 0, 7 } }, out = in, two, ones;

	(void)state;
	nve_policy_bind_ports(policy, 4, port_name, NULL);
	assert_true(nve_role_port(role, 0) && nve_role_port(role, 2));
	assert_false(nve_role_port(role, 1) || nve_role_port(role, 3));
	assert_false(nve_role_port(role, NVE_PORT_NONE));
	assert_true(nve_role_vn(role, 100, "") && nve_role_vn(role, 200, "x") &&
		    nve_role_vn(role, 310, "x"));
	assert_false(nve_role_vn(role, 99, "") || nve_role_vn(role, 101, "") ||
		     nve_role_vn(role, 199, "") || nve_role_vn(role, 311, "reds"));
	/* By name or by ID: either is enough, whichever the client has spelt. */
	assert_true(nve_role_vn(role, 5, "red") && nve_role_vn(role, 5, "blue-7"));
	assert_false(nve_role_vn(role, 0, ""));
	out.bytes[5] = 1;
	memset(&two, 0x22, sizeof(two));
	memset(&ones, 0x11, sizeof(ones));
	assert_true(nve_role_tsi(role, &in) && nve_role_tsi(role, &two) &&
		    nve_role_tsi(role, &ones));
	ones.bytes[3] = 0;
	two.bytes[15] = 0x23;
	assert_false(nve_role_tsi(role, &out) || nve_role_tsi(role, &two) ||
		     nve_role_tsi(role, &ones));
	nve_policy_free(policy);
}

static void an_address_is_allowed_when_all_its_parts_are(void **state)
{
	struct nve_policy *policy =
		accepted(ROLE "   macs: [02:00:00:00:01:00/40]\n"
			      "   ips: [10.1.0.0/16, 10.2.0.7, 2001:db8::/32]\n");
	const struct nve_role *role = role_of(policy);
	struct nve_addr both = mac_ip(1, "10.1.2.3"), ip = mac_ip(1, "10.2.0.8");
	struct nve_addr mac = mac_ip(2, "10.1.2.3"), bare = mac_ip(1, NULL);
	struct nve_addr v6 = { .flags = NVE_ADDR_IPV6, .ip = { 0x20, 1, 0xd, 0xb8, 1 } };

	(void)state;
	assert_true(nve_role_addr(role, &both) && nve_role_addr(role, &bare) &&
		    nve_role_addr(role, &v6));
	assert_false(nve_role_addr(role, &ip) || nve_role_addr(role, &mac));
	v6.ip[3] = 0xb9;
	assert_false(nve_role_addr(role, &v6));
	/* 10.1.2.3's bytes as an IPv6 address are no IPv4 address. */
	both.flags = NVE_ADDR_IPV6;
	assert_false(nve_role_addr(role, &both));
	nve_policy_free(policy);
	policy = accepted(ROLE "   macs: ['*']\n   ips: ['*']\n   ip_required: true\n");
	assert_false(nve_role_addr(role_of(policy), &bare));
	assert_true(nve_role_addr(role_of(policy), &mac));
	nve_policy_free(policy);
}

static void verbs_parameters_maxima_and_ownership_are_as_written(void **state)
{
	struct nve_policy *policy = accepted(ROLE "   admin: [list, why]\n   parameters: [glean]\n"
						  "   max: {tsis: 3, vns: 0}\n   owns: take\n");
	const struct nve_role *role = role_of(policy);

	(void)state;
	assert_int_equal(role->verbs, 1 << NVE_VERB_LIST | 1 << NVE_VERB_WHY);
	assert_int_equal(role->parameters, NVE_PARAM_GLEAN);
	assert_int_equal(role->max_tsis, 3);
	assert_int_equal(role->max_addrs, UINT32_MAX);
	assert_int_equal(role->max_vns, 0);
	assert_int_equal(role->owns, NVE_OWNS_TAKE);
	nve_policy_free(policy);
}

static void without_a_policy_root_oneself_and_loopback_may_do_everything(void **state)
{
	struct nve_policy *policy;
	struct nve_addr addr = mac_ip(1, "10.0.0.1");
	struct nve_tsi_id id = { { 1 } };

	(void)state;
	assert_int_equal(nve_policy_default(77, &policy), 0);
	nve_policy_bind_ports(policy, 4, port_name, NULL);
	assert_ptr_equal(nve_policy_role(policy, "unix:0"), nve_policy_role(policy, "unix:77"));
	assert_non_null(nve_policy_role(policy, "loopback"));
	assert_null(nve_policy_role(policy, "unix:78"));
	assert_null(nve_policy_role(policy, "tls:uri:spiffe://x"));
	assert_true(nve_role_port(nve_policy_role(policy, "loopback"), 0) &&
		    nve_role_vn(nve_policy_role(policy, "loopback"), 5, "") &&
		    nve_role_tsi(nve_policy_role(policy, "loopback"), &id) &&
		    nve_role_addr(nve_policy_role(policy, "loopback"), &addr));
	assert_int_equal(nve_policy_role(policy, "unix:0")->owns, NVE_OWNS_ANY);
	nve_policy_free(policy);
}

#define R "roles:\n - name: r\n   identities: [loopback]\n"
static void each_mistake_is_told_with_its_line_and_what_to_do(void **state)
{
	static const struct {
		const char *text, *said;
	} cases[] = {
		{ "", "p:1: " },
		{ "roles: 7\n", "p:1: " },
		{ "roles: [\n", "p:2: " },
		{ "rules: []\n", "p:1: unknown key 'rules'; remove it" },
		{ "roles: []\nroles: []\n", "p:2: " },
		{ "roles:\n - name: r\n", "p:2: a role without identities" },
		{ R " - name: r\n   identities: [loopback]\n", "p:4: name: another role has it" },
		{ "roles:\n - {name: 'a b', identities: [loopback]}\n", "p:2: name: it may have" },
		{ "roles:\n - {name: a, identities: [root]}\n", "p:2: identities: 'root' is no" },
		{ "roles:\n - {name: a, identities: ['unix:a b']}\n", "p:2: identities: " },
		{ R "   vns: [5,\n     0]\n", "p:5: vns: '0': no VN has that ID" },
		{ R "   vns: [16777216]\n", "p:4: vns: '16777216': no VN" },
		{ R "   vns: ['9-5']\n", "p:4: vns: '9-5': the range ends before" },
		{ R "   vns: ['5-99999999999999999999']\n", "p:4: vns: " },
		{ R "   macs: [02:00:00:00:00]\n", "p:4: macs: '02:00:00:00:00' is no MAC" },
		{ R "   macs: [02:00:00:00:00:01/24]\n", "p:4: macs: '02:00:00:00:00:01/24' has" },
		{ R "   macs: [02:00:00:00:00:00/49]\n", "p:4: macs: " },
		{ R "   macs: ['02:00:00:00:00:0x']\n", "p:4: macs: " },
		{ R "   ips: [10.0.0.1/8]\n", "p:4: ips: '10.0.0.1/8' has bits set behind" },
		{ R "   ips: [10.0.0.0/33]\n", "p:4: ips: '10.0.0.0/33' is no address" },
		{ R "   ips: ['::1/-1']\n", "p:4: ips: " },
		{ R "   ips: [host]\n", "p:4: ips: 'host' is no address; write" },
		{ R "   tsis: [abc]\n", "p:4: tsis: 'abc' is no TSI ID; write a UUID" },
		{ R "   tsis: [ff/4]\n", "p:4: tsis: 'ff/4' has bits set" },
		{ R "   tsis: ['x*']\n", "p:4: tsis: 'x*' is no pattern" },
		{ R "   ports: ['a b']\n", "p:4: ports: 'a b' is no port" },
		{ R "   admin: [all]\n", "p:4: admin: 'all' is not known; write status" },
		{ R "   parameters: [qos, mtu]\n", "p:4: parameters: 'mtu' is no parameter" },
		{ R "   owns: mine\n", "p:4: owns: " },
		{ R "   owner: own\n", "p:4: unknown key 'owner'" },
		{ R "   max: {tsis: many}\n", "p:4: tsis: " },
		{ R "   max: {tsis: -1}\n", "p:4: tsis: " },
		{ R "   max: {slots: 1}\n", "p:4: unknown key 'slots'" },
		{ R "   vns: {a: b}\n", "p:" },
		{ "a: &x [*x]\n", "p:" },
		{ "roles: &r\n - {name: a, identities: [loopback], vns: &v [x]}\n"
		  " - {name: b, identities: [loopback], vns: *v}\n",
		  "p:" },
		{ "roles: []\n---\nroles: []\n", "p:" },
		{ "\xff\xfe", "p:" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct nve_policy *untouched = (struct nve_policy *)&cases, *policy = untouched;
		char *err = NULL;

		if (parse(cases[i].text, &policy, &err) != -EINVAL)
			fail_msg("taken: %s", cases[i].text);
		if (!err || strncmp(err, cases[i].said, strlen(cases[i].said)) != 0)
			fail_msg("'%s' was said of: %s", err, cases[i].text);
		assert_ptr_equal(policy, untouched);
		free(err);
	}
}

/* Every beginning of a good file, and that file with each byte spoiled: refused or taken, no more.
 */
static void spoiled_files_do_no_harm(void **state)
{
	static const char good[] =
		R "   ports: ['a*']\n   vns: ['1-9', x]\n   tsis: [6e76/16]\n"
		  "   macs: ['*']\n   ips: [10.0.0.0/8, '::/0']\n   admin: [list]\n"
		  "   max: {tsis: 1}\n   owns: any\n";
	char text[sizeof(good)];
	struct nve_policy *policy;

	(void)state;
	for (size_t len = 0; len < sizeof(good); len++) {
		char *err = NULL;

		policy = NULL;
		nve_policy_parse("p", good, len, &policy, &err);
		nve_policy_free(policy);
		free(err);
	}
	for (size_t i = 0; i < 2 * sizeof(good); i++) {
		char *err = NULL;

		memcpy(text, good, sizeof(good));
		text[i % sizeof(good)] = "\0*"[i / sizeof(good)];
		policy = NULL;
		nve_policy_parse("p", text, sizeof(good) - 1, &policy, &err);
		nve_policy_free(policy);
		free(err);
	}
}

/* libyaml would take minutes: with the agent's loop, when it comes by SIGHUP. */
static void nesting_without_end_is_refused_at_once(void **state)
{
	static const char *const units[] = { "[", "{", "- ", "[{a: " };
	size_t len = 1000000;
	char *text = malloc(len + 1);

	(void)state;
	for (size_t u = 0; u < sizeof(units) / sizeof(*units); u++) {
		struct nve_policy *policy = NULL;
		char *err = NULL;

		for (size_t i = 0; i < len; i++)
			text[i] = units[u][i % strlen(units[u])];
		text[len] = '\0';
		assert_int_equal(parse(text, &policy, &err), -EINVAL);
		assert_string_equal(err, "p:1: nested too deeply; no file of nved goes that deep");
		assert_null(policy);
		free(err);
	}
	free(text);
}

/* Runs in the top directory. */
static void the_example_is_a_policy(void **state)
{
	struct nve_policy *policy = NULL;
	char *err = NULL;

	(void)state;
	if (nve_policy_load("agent/nved-policy.example.yaml", &policy, &err) < 0)
		fail_msg("%s", err);
	assert_int_equal(nve_policy_n_roles(policy), 3);
	assert_int_equal(nve_policy_role(policy, "unix:0")->owns, NVE_OWNS_ANY);
	nve_policy_free(policy);
}

static void a_file_that_cannot_be_read_is_told_by_its_name(void **state)
{
	static const struct {
		const char *path;
		int error;
	} cases[] = { { "/nowhere", -ENOENT }, { "/", -EISDIR }, { "/dev/zero", -EFBIG } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct nve_policy *policy = NULL;
		char *err = NULL;

		assert_int_equal(nve_policy_load(cases[i].path, &policy, &err), cases[i].error);
		assert_memory_equal(err, cases[i].path, strlen(cases[i].path));
		assert_null(policy);
		free(err);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(patterns_match_as_they_say),
		cmocka_unit_test(a_pattern_made_to_be_slow_is_not),
		cmocka_unit_test(the_first_role_that_names_an_identity_is_its_only_one),
		cmocka_unit_test(who_was_not_proven_to_be_anybody_has_no_role_at_all),
		cmocka_unit_test(what_a_role_does_not_name_it_does_not_allow),
		cmocka_unit_test(ports_vns_and_tsis_are_those_that_are_named),
		cmocka_unit_test(an_address_is_allowed_when_all_its_parts_are),
		cmocka_unit_test(verbs_parameters_maxima_and_ownership_are_as_written),
		cmocka_unit_test(without_a_policy_root_oneself_and_loopback_may_do_everything),
		cmocka_unit_test(each_mistake_is_told_with_its_line_and_what_to_do),
		cmocka_unit_test(spoiled_files_do_no_harm),
		cmocka_unit_test(nesting_without_end_is_refused_at_once),
		cmocka_unit_test(the_example_is_a_policy),
		cmocka_unit_test(a_file_that_cannot_be_read_is_told_by_its_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
