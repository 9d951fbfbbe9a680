/* SPDX-License-Identifier: Apache-2.0 */
/* nved.yaml's listeners with TLS, and what TLS needs (B12, S99). */
#include "config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

/* Five lines that are enough; what is added stands from line 6 on. */
#define ENOUGH                                                                                     \
	"nve: n1\n"                                                                                \
	"local_vtep: 192.0.2.1\n"                                                                  \
	"ports:\n"                                                                                 \
	"  - {name: p1, ifname: eth1, role: access}\n"                                             \
	"  - {name: up, ifname: eth0, role: underlay}\n"

static int load(const char *text, struct nve_config **config, char **err)
{
	static const char *const datapaths[] = { "fake", NULL }, *const stores[] = { "memory",
										     NULL };
	static const char *const nvas[] = { "local", NULL };
	static const struct nve_config_backends backends = { datapaths, stores, nvas };
	int fd = memfd_create("config", MFD_CLOEXEC), r;
	char path[64];

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = nve_config_load(path, &backends, config, err);
	close(fd);
	return r;
}

/* 'complaint' is what stands behind the file's name. */
static void refused(const char *text, const char *complaint)
{
	struct nve_config *config = NULL;
	char *err = NULL, *line;

	assert_int_equal(load(text, &config, &err), -EINVAL);
	assert_null(config);
	line = strchr(err, ':');
	assert_non_null(line);
	assert_string_equal(line + 1, complaint);
	free(err);
}

static struct nve_config *accepted(const char *text)
{
	struct nve_config *config = NULL;
	char *err = NULL;

	if (load(text, &config, &err))
		fail_msg("refused: %s", err);
	return config;
}

/* B12, S99: with TLS any address will do, so long as it is one. */
static void a_TLS_listener_takes_every_address_but_no_name(void **state)
{
	static const char *const good[] = { "192.0.2.1:4801",      "0.0.0.0:1",
					    "127.0.0.1:65535",     "[::]:4801",
					    "[2001:db8::1]:4801",  "[::ffff:192.0.2.1]:4801",
					    "[fe80::1%eth1]:4801", "[fe80::1%veth-0123456789]:1" };
	static const char *const bad[] = { "",
					   "4801",
					   ":4801",
					   "192.0.2.1",
					   "192.0.2.1:0",
					   "192.0.2.1:65536",
					   "192.0.2.1:+1",
					   "nve1.example:4801",
					   "localhost:4801",
					   "2001:db8::1:4801",
					   "[2001:db8::1:4801",
					   "[2001:db8::1%eth1]:4801",
					   "[fe80::1]:4801",
					   "[fe80::1%]:4801",
					   "[fe80::1%veth-01234567890]:1",
					   "[]:4801",
					   "unix:/run/x" };
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct nve_config *config;

		snprintf(text, sizeof(text),
			 ENOUGH "listeners: ['tls:%s']\n"
				"tls: {certificate: /c, key: /k, client_ca: /a}\n",
			 good[i]);
		config = accepted(text);
		assert_string_equal(config->listeners[0] + 4, good[i]);
		assert_string_equal(config->tls.client_ca, "/a");
		assert_null(config->tls.crl);
		nve_config_free(config);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char complaint[512];

		snprintf(text, sizeof(text),
			 ENOUGH "listeners: ['tls:%s']\n"
				"tls: {certificate: /c, key: /k, client_ca: /a}\n",
			 bad[i]);
		snprintf(complaint, sizeof(complaint),
			 "6: 'tls:%s' is no TLS listener; write tls:192.0.2.1:PORT, "
			 "tls:[2001:db8::1]:PORT, or tls:[fe80::1%%INTERFACE]:PORT",
			 bad[i]);
		refused(text, complaint);
	}
}

static void files_of_TLS_are_kept_only_for_a_listener_that_needs_them(void **state)
{
	struct nve_config *config =
		accepted(ENOUGH "tls: {certificate: /c, key: /k, client_ca: /a, crl: /r}\n");

	(void)state;
	assert_null(config->tls.certificate);
	assert_null(config->tls.crl);
	assert_int_equal(config->tls.handshakes, 64);
	assert_int_equal(config->tls.handshake_timeout_ms, 5000);
	nve_config_free(config);
}

static void what_TLS_lacks_is_told_with_its_line(void **state)
{
	(void)state;
	refused(ENOUGH "listeners: ['tls:192.0.2.1:1']\ntls: {certificate: /c, key: /k}\n",
		"7: tls: client_ca is missing, and a listener needs it; name a PEM file");
	refused(ENOUGH "tls: {certificate: c}\n",
		"6: 'c' is relative; write the whole path, from /");
	refused(ENOUGH "tls: {handshakes: 0}\n",
		"6: tls/handshakes: 0 is out of range; write 1 to 4096");
	refused(ENOUGH "tls: {handshake_timeout_ms: 99}\n",
		"6: tls/handshake_timeout_ms: 99 is out of range; write 100 to 60000");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_TLS_listener_takes_every_address_but_no_name),
		cmocka_unit_test(files_of_TLS_are_kept_only_for_a_listener_that_needs_them),
		cmocka_unit_test(what_TLS_lacks_is_told_with_its_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
