/* SPDX-License-Identifier: Apache-2.0 */
/* The audit log's part of nved.yaml.  Runs in the top directory, where the example is. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "config.h"

#define ENOUGH                                                                                     \
	"nve: n\nlocal_vtep: 192.0.2.1\nports:\n"                                                  \
	"  - {name: p1, ifname: e1, role: access}\n  - {name: u, ifname: e0, role: underlay}\n"

static const char *const one_datapath[] = { "ebpf", NULL };
static const char *const one_store[] = { "sqlite", NULL };
static const char *const one_nva[] = { "local", NULL };
static const struct nve_config_backends backends = { one_datapath, one_store, one_nva };

static int load(const char *text, struct nve_config **ret, char **err)
{
	char path[] = "/tmp/nve-config-XXXXXX";
	int fd = mkstemp(path), r;

	assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
	r = nve_config_load(path, &backends, ret, err);
	unlink(path);
	return r;
}

static struct nve_config *accepted(const char *text)
{
	struct nve_config *config = NULL;
	char *err = NULL;

	assert_int_equal(load(text, &config, &err), 0);
	return config;
}

static void there_is_no_audit_log_without_a_path(void **state)
{
	struct nve_config *config = accepted(ENOUGH "audit: {max_mib: 1}\n");

	(void)state;
	assert_null(config->audit.path);
	nve_config_free(config);
}

static void what_is_given_is_taken(void **state)
{
	struct nve_config *config =
		accepted(ENOUGH "audit: {path: /a, max_mib: 3, keep: 0, sync: true}\n");

	(void)state;
	assert_string_equal(config->audit.path, "/a");
	assert_int_equal(config->audit.max_bytes, 3 << 20);
	assert_int_equal(config->audit.keep, 0);
	assert_true(config->audit.sync);
	nve_config_free(config);
}

static void the_example_shows_the_defaults(void **state)
{
	struct nve_config *little = accepted(ENOUGH "audit: {path: /a}\n"), *example = NULL;
	char *err = NULL;

	(void)state;
	assert_int_equal(nve_config_load("agent/nved.example.yaml", &backends, &example, &err), 0);
	assert_int_equal(little->audit.max_bytes, example->audit.max_bytes);
	assert_int_equal(little->audit.keep, example->audit.keep);
	assert_int_equal(little->audit.sync, example->audit.sync);
	nve_config_free(little);
	nve_config_free(example);
}

static void what_is_wrong_is_refused_with_its_remedy(void **state)
{
	static const char *const cases[][2] = {
		{ ENOUGH "audit: {keep: 1001}\n",
		  ":6: audit/keep: 1001 is out of range; write 0 to 1000" },
		{ ENOUGH "audit: {max_mib: 1048577}\n",
		  ":6: audit/max_mib: 1048577 is out of range; write 0 to 1048576" },
		{ ENOUGH "audit: {path: audit}\n",
		  ":6: 'audit' is relative; write the whole path, from /" },
		{ ENOUGH "audit: {size: 1}\n", ":6: unknown key 'size'; " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct nve_config *config = NULL;
		char *err = NULL;

		assert_int_equal(load(cases[i][0], &config, &err), -EINVAL);
		assert_non_null(strstr(err, cases[i][1]));
		free(err);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_is_no_audit_log_without_a_path),
		cmocka_unit_test(what_is_given_is_taken),
		cmocka_unit_test(the_example_shows_the_defaults),
		cmocka_unit_test(what_is_wrong_is_refused_with_its_remedy),
	};

	return cmocka_run_group_tests_name("audit configuration", tests, NULL, NULL);
}
