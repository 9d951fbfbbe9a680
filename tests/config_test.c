/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nved.yaml: what is taken, with which defaults, and that each mistake is told with its line and
 * what to do.  Runs in the top directory, where the example is.
 */
#include "config.h"

#include "config_raw.h"
#include "yaml_marks.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define EXAMPLE "agent/nved.example.yaml"
#define MANUAL  "agent/nved.yaml.5"
/* Five lines that are enough; what is added stands from line 6 on. */
#define ENOUGH                                                                                     \
	"nve: n1\n"                                                                                \
	"local_vtep: 192.0.2.1\n"                                                                  \
	"ports:\n"                                                                                 \
	"  - {name: p1, ifname: eth1, role: access}\n"                                             \
	"  - {name: up, ifname: eth0, role: underlay}\n"

#define OFF_HOST "what other machines can reach needs TLS: write tls: before it"
#define FORMS    "write unix:/PATH, 127.0.0.1:PORT, [::1]:PORT or tls:ADDRESS:PORT"

static const char *const datapaths[] = { "ebpf", "fake", NULL };
static const char *const stores[] = { "sqlite", "memory", NULL };
static const char *const nvas[] = { "local", NULL };
static const struct nve_config_backends backends = { datapaths, stores, nvas };

/* Loads 'text' from a file that is in memory only, so that no test leaves one behind. */
static int load(const char *text, struct nve_config **config, char **err)
{
	int fd = memfd_create("config", MFD_CLOEXEC);
	char path[64];
	int r;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = nve_config_load(path, &backends, config, err);
	close(fd);
	/* Complaints begin with the file's name: cut it off, so that tests read "LINE: what". */
	if (r == -EINVAL) {
		assert_memory_equal(*err, path, strlen(path));
		memmove(*err, *err + strlen(path) + 1, strlen(*err) - strlen(path));
	}
	return r;
}

/* One mistake, one line of complaint, and the result untouched. */
static void refused(const char *text, const char *complaint)
{
	struct nve_config *untouched = (struct nve_config *)&backends, *config = untouched;
	char *err = NULL;

	assert_int_equal(load(text, &config, &err), -EINVAL);
	assert_ptr_equal(config, untouched);
	assert_string_equal(err, complaint);
	free(err);
}

static struct nve_config *accepted(const char *text)
{
	struct nve_config *config = NULL;
	char *err = NULL;

	if (load(text, &config, &err))
		fail_msg("refused: %s", err);
	assert_null(err);
	return config;
}

static char *read_all(const char *path)
{
	char *text = calloc(1, 1 << 18);
	FILE *file = fopen(path, "re");

	assert_non_null(text);
	assert_non_null(file);
	assert_true(fread(text, 1, (1 << 18) - 1, file) > 0);
	fclose(file);
	return text;
}

static void the_example_is_accepted_and_says_what_it_shows(void **state)
{
	struct nve_config *config = NULL;
	char *err = NULL;

	(void)state;
	assert_int_equal(nve_config_load(EXAMPLE, &backends, &config, &err), 0);
	assert_string_equal(config->nve, "leaf-7");
	assert_int_equal(config->local_vtep.family, 4);
	assert_memory_equal(config->local_vtep.bytes, "\xc0\0\2\1\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	assert_int_equal(config->n_listeners, 2);
	assert_string_equal(config->listeners[1], "127.0.0.1:4800");
	assert_int_equal(config->n_scopes, 1);
	assert_string_equal(config->scopes[0].name, "rack-1");
	assert_int_equal(config->n_ports, 2);
	assert_string_equal(config->ports[0].dp.name, "p1");
	assert_string_equal(config->ports[0].dp.ifname, "eth1");
	assert_int_equal(config->ports[0].scope, 0);
	assert_int_equal(config->ports[1].dp.role, NVE_DP_UNDERLAY);
	assert_int_equal(config->ports[1].dp.slot, 1);
	assert_int_equal(config->ports[1].scope, NVE_PORT_NONE);
	nve_config_free(config);
}

/* Everything of the configuration that has a default. */
static void same_defaults(const struct nve_config *a, const struct nve_config *b)
{
	assert_int_equal(a->vxlan_port, b->vxlan_port);
	assert_int_equal(a->geneve_port, b->geneve_port);
	assert_string_equal(a->pin_dir, b->pin_dir);
	assert_string_equal(a->datapath, b->datapath);
	assert_string_equal(a->store, b->store);
	assert_string_equal(a->store_path, b->store_path);
	assert_int_equal(a->durability, b->durability);
	assert_string_equal(a->nva, b->nva);
	assert_string_equal(a->nva_source, b->nva_source);
	assert_string_equal(a->listeners[0], b->listeners[0]);
	assert_int_equal(a->scopes[0].tags.tag_min, b->scopes[0].tags.tag_min);
	assert_int_equal(a->scopes[0].tags.tag_max, b->scopes[0].tags.tag_max);
	assert_int_equal(a->ports[0].dp.mode, b->ports[0].dp.mode);
	assert_int_equal(a->ports[0].dp.untagged, b->ports[0].dp.untagged);
	assert_memory_equal(&a->limits, &b->limits, sizeof(a->limits));
	assert_int_equal(a->keepalive.may_be_off, b->keepalive.may_be_off);
	assert_int_equal(a->keepalive.default_ms, b->keepalive.default_ms);
	assert_int_equal(a->keepalive.min_ms, b->keepalive.min_ms);
	assert_int_equal(a->keepalive.max_ms, b->keepalive.max_ms);
	assert_int_equal(a->keepactive.may_be_off, b->keepactive.may_be_off);
	assert_int_equal(a->keepactive.default_ms, b->keepactive.default_ms);
	assert_int_equal(a->keepactive.min_ms, b->keepactive.min_ms);
	assert_int_equal(a->keepactive.max_ms, b->keepactive.max_ms);
	assert_int_equal(a->quarantine_ms, b->quarantine_ms);
	assert_int_equal(a->duplicate_alarm_ms, b->duplicate_alarm_ms);
	assert_int_equal(a->log_level, b->log_level);
}

static void the_example_shows_the_defaults(void **state)
{
	struct nve_config *little = accepted(ENOUGH), *example = NULL;
	char *err = NULL;

	(void)state;
	assert_int_equal(nve_config_load(EXAMPLE, &backends, &example, &err), 0);
	same_defaults(little, example);
	nve_config_free(little);
	nve_config_free(example);
}

struct documents {
	struct nve_marks *example;
	char *manual;
	unsigned keys;
};

static void check_documented(void *arg, const char *path)
{
	struct documents *documents = arg;
	const char *key = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	char macro[80];

	documents->keys++;
	if (!nve_marks_has(documents->example, path))
		fail_msg("%s lacks %s", EXAMPLE, path);
	if (!strcmp(key, "0")) /* a list: its own key stands before */
		return;
	snprintf(macro, sizeof(macro), "\n.B %s\n", key);
	if (!strstr(documents->manual, macro))
		fail_msg("%s lacks %s", MANUAL, path);
}

static void every_key_is_in_the_example_and_in_the_manual(void **state)
{
	struct documents documents = { .manual = read_all(MANUAL) };
	char *text = read_all(EXAMPLE), *what = NULL;
	unsigned line;

	(void)state;
	assert_int_equal(nve_marks_parse(text, strlen(text), &documents.example, &line, &what), 0);
	nve_config_raw_each_key(check_documented, &documents);
	assert_true(documents.keys >= 40);
	nve_marks_free(documents.example);
	free(documents.manual);
	free(text);
}

static void ports_without_a_scope_get_one_each_by_their_name(void **state)
{
	struct nve_config *config =
		accepted("nve: n1\nlocal_vtep: 192.0.2.1\ndatapath: fake\n"
			 "scopes: [{name: rack, tag_min: 100, tag_max: 199}]\nports:\n"
			 "  - {name: a, ifname: e1, role: access}\n"
			 "  - {name: b, ifname: e2, role: access, scope: rack, mode: xdp}\n"
			 "  - {name: c, ifname: e3, role: access, untagged: host, mode: tc}\n"
			 "  - {name: d, ifname: e4, role: access, scope: rack}\n");

	(void)state;
	assert_int_equal(config->n_scopes, 3);
	assert_string_equal(config->scopes[config->ports[0].scope].name, "a");
	assert_int_equal(config->scopes[config->ports[0].scope].tags.tag_min, 2);
	assert_int_equal(config->ports[1].scope, 0);
	assert_int_equal(config->scopes[0].tags.tag_max, 199);
	assert_string_equal(config->scopes[config->ports[2].scope].name, "c");
	assert_int_equal(config->ports[3].scope, 0);
	assert_int_equal(config->ports[1].dp.mode, NVE_DP_XDP);
	assert_int_equal(config->ports[2].dp.mode, NVE_DP_TC);
	assert_int_equal(config->ports[2].dp.untagged, NVE_DP_UNTAGGED_HOST);
	nve_config_free(config);
}

static void the_memory_store_and_a_set_log_level_are_taken(void **state)
{
	struct nve_config *config = accepted(ENOUGH "store: {backend: memory}\n"
						    "log: {level: debug}\n"
						    "timers: {keepalive: {may_be_off: false}}\n"
						    "listeners: ['[::1]:1', '127.1.2.3:65535']\n");

	(void)state;
	assert_string_equal(config->store, "memory");
	assert_null(config->store_path);
	assert_int_equal(config->log_level, NVE_LOG_DEBUG);
	assert_false(config->keepalive.may_be_off);
	assert_true(config->keepactive.may_be_off);
	assert_int_equal(config->n_listeners, 2);
	nve_config_free(config);
}

static const struct {
	const char *text, *complaint;
} mistakes[] = {
	/* What is not YAML, or not ours. */
	{ "nve: n1\nports:\n\t- x\n",
	  "3: not YAML: found character that cannot start any token; check indentation (spaces, no "
	  "tabs), quotes and brackets" },
	{ ENOUGH "vxlan_port: 1\nvxlan_port: 2\n", "7: 'vxlan_port' is given twice; remove one" },
	{ ENOUGH "---\nnve: n2\n",
	  "7: a second document; put everything into one, without '---' in between" },
	{ ENOUGH "vxlan_prot: 1\n",
	  "6: unknown key 'vxlan_prot'; remove it, nved.yaml(5) lists the keys" },
	{ ENOUGH "limits:\n  tsis: 1\n  tsi: 1\n",
	  "8: unknown key 'tsi'; remove it, nved.yaml(5) lists the keys" },
	{ ENOUGH "vxlan_port: many\n", "6: vxlan_port: 'many' is not a whole number of 32 bits; "
				       "write digits only, no unit" },
	{ ENOUGH "limits: {tsis: -1}\n", "6: tsis: '-1' is not a whole number of 32 bits; write "
					 "digits only, no unit" },
	{ ENOUGH "limits: {tsis: 99999999999999999999}\n",
	  "6: tsis: '99999999999999999999' is not a whole number of 32 bits; write digits only, no "
	  "unit" },
	{ ENOUGH "log:\n  level: loud\n",
	  "7: level: 'loud' is not known; write error, warning, info or debug" },
	{ ENOUGH "timers: {keepalive: {may_be_off: flase}}\n",
	  "6: may_be_off: 'flase' is not known; write false, true, no or yes" },
	{ ENOUGH "listeners: unix:/x\n", "6: listeners is of the wrong kind (Expecting SEQUENCE, "
					 "got event: SCALAR); see nved.yaml(5) for its form" },
	/* Single values. */
	{ ENOUGH "vxlan_port: 65536\n", "6: vxlan_port: 65536 is out of range; write 1 to 65535" },
	{ ENOUGH "datapath: dpdk\n", "6: 'dpdk' is not known; write ebpf or fake" },
	{ ENOUGH "nva: {backend: etcd}\n", "6: 'etcd' is not known; write local" },
	{ ENOUGH "store:\n  backend: disk\n", "7: 'disk' is not known; write sqlite or memory" },
	{ ENOUGH "store: {backend: memory, path: /x}\n",
	  "6: the memory store has no path; remove it, or 'backend: memory'" },
	{ ENOUGH "store: {path: nved.db}\n",
	  "6: 'nved.db' is relative; write the whole path, from /" },
	{ ENOUGH "nva: {source: v}\n", "6: 'v' is relative; write the whole path, from /" },
	{ ENOUGH "pin_dir: /sys/fs/bpf/n.1\n",
	  "6: pin_dir: the BPF file system refuses a '.' in a name; choose another" },
	{ ENOUGH "limits:\n  tsis: 0\n", "7: limits/tsis: 0 is out of range; write 1 to 1000000" },
	{ ENOUGH "limits:\n  flood: 129\n",
	  "7: limits/flood: 129 is out of range; write 1 to 128" },
	{ ENOUGH "limits: {message_bytes: 1048577}\n",
	  "6: limits/message_bytes: 1048577 is out of range; write 1024 to 1048576" },
	{ ENOUGH "timers:\n  keepalive:\n    min_ms: 500000\n    max_ms: 400000\n",
	  "8: timers/keepalive: min_ms 500000 is above max_ms 400000; swap them" },
	{ ENOUGH "timers:\n  keepactive:\n    default_ms: 999\n",
	  "8: timers/keepactive: default_ms 999 is out of range; write min_ms 1000 to max_ms "
	  "3600000, or move those" },
	{ ENOUGH "timers:\n  keepactive:\n    default_ms: 0\n    may_be_off: false\n",
	  "8: timers/keepactive: default_ms 0 means off, but may_be_off is false; change one of "
	  "them" },
	{ ENOUGH "timers: {duplicate_alarm_ms: 0}\n",
	  "6: timers/duplicate_alarm_ms: 0 is out of range; write 1 to 86400000" },
	/* Listeners. */
	{ ENOUGH "listeners: []\n", "6: no listener; add unix:/run/nved/nved.sock, or remove the "
				    "key for that default" },
	{ ENOUGH "listeners:\n  - 127.0.0.1:1\n  - 0.0.0.0:4800\n",
	  "8: '0.0.0.0:4800' is not a loopback address; " OFF_HOST },
	{ ENOUGH "listeners: ['[2001:db8::1]:1']\n",
	  "6: '[2001:db8::1]:1' is not a loopback address; " OFF_HOST },
	{ ENOUGH "listeners: ['localhost:1']\n",
	  "6: 'localhost:1' is not a loopback address; " OFF_HOST },
	{ ENOUGH "listeners: ['127.0.0.1:0']\n", "6: '127.0.0.1:0' is no listener; " FORMS },
	{ ENOUGH "listeners: ['127.0.0.1:65536']\n",
	  "6: '127.0.0.1:65536' is no listener; " FORMS },
	{ ENOUGH "listeners: ['[::1:1']\n", "6: '[::1:1' lacks a bracket; write [::1]:PORT" },
	{ ENOUGH "listeners: ['unix:x']\n",
	  "6: 'unix:x' is not a whole path; write unix:/run/nved/nved.sock" },
	{ ENOUGH "listeners:\n  - unix:/x\n  - 127.0.0.1:1\n  - unix:/x\n",
	  "9: 'unix:/x' is listed twice; remove one" },
	/* Scopes and ports. */
	{ ENOUGH "scopes:\n  - {name: a}\n  - {name: a}\n",
	  "8: scope 'a' is there already; rename or remove one" },
	{ ENOUGH "scopes:\n  - {name: a, tag_min: 10, tag_max: 9}\n",
	  "7: tags 10 to 9 are no range; write 1 <= tag_min <= tag_max <= 4094" },
	{ ENOUGH "scopes:\n  - {name: a, tag_max: 4095}\n",
	  "7: tags 2 to 4095 are no range; write 1 <= tag_min <= tag_max <= 4094" },
	{ ENOUGH "scopes:\n  - {tag_max: 9}\n", "7: a name is missing; add 'name: NAME'" },
	{ ENOUGH "scopes: [{name: p1}]\n",
	  "4: port 'p1' would have a scope of its own, but there is one named so; add 'scope: p1', "
	  "or rename one" },
	{ ENOUGH "  - {name: p1, ifname: eth2, role: underlay}\n",
	  "6: port 'p1' is there already; rename one" },
	{ ENOUGH "  - name: p2\n    role: access\n    ifname: eth0\n",
	  "8: interface 'eth0' is port 'up' already; remove one" },
	{ ENOUGH "  - {name: p2, role: access}\n",
	  "6: port without ifname; add the interface's name" },
	{ ENOUGH "  - {name: p2, role: access, ifname: eth0123456789012}\n",
	  "6: 'eth0123456789012' is no interface name; 'ip link' lists those there are" },
	{ ENOUGH "  - {name: p2, ifname: eth2}\n",
	  "6: port without role; add role: access (towards hypervisors) or role: underlay "
	  "(towards other NVEs)" },
	{ ENOUGH "  - {name: p2, ifname: eth2, role: trunk}\n",
	  "6: role: 'trunk' is not known; write access or underlay" },
	{ ENOUGH "  - {name: 'p 2', ifname: eth2, role: access}\n",
	  "6: 'p 2' is no name; use 1 to 63 letters, digits and . _ : / -" },
	{ ENOUGH "  - {name: p2, ifname: eth2, role: access, scope: rack}\n",
	  "6: no scope 'rack'; add it under scopes, or remove the key for a scope of the port's "
	  "own" },
	{ ENOUGH "  - {name: p2, ifname: eth2, role: access, scope: p1}\n",
	  "6: no scope 'p1'; add it under scopes, or remove the key for a scope of the port's "
	  "own" },
	{ ENOUGH "  - {name: p2, ifname: eth2, role: underlay, scope: p1}\n",
	  "6: an underlay port has no tags; remove scope" },
	{ ENOUGH "  - {name: p2, ifname: eth2, role: underlay, untagged: drop}\n",
	  "6: an underlay port takes untagged frames; remove untagged" },
	/* What is missing. */
	{ "nve: n1\nports: [{name: p, ifname: e, role: access}]\ndatapath: fake\n",
	  "1: local_vtep is missing; add this NVE's underlay address, or local_vtep6" },
	{ "nve: n1\nlocal_vtep: 192.0.2.1\nports:\n  - {name: p, ifname: e, role: access}\n",
	  "4: no underlay port; add the one towards the other NVEs, with role: underlay" },
	{ "nve: n1\nlocal_vtep: 192.0.2.1\nports:\n  - {name: p, ifname: e, role: underlay}\n",
	  "4: no access port; add the one that hypervisors are behind" },
	{ "nve: n1\nlocal_vtep: 2001:db8::1\nports: [{name: p, ifname: e, role: access}]\n"
	  "datapath: fake\n",
	  "2: local_vtep: '2001:db8::1' is no IPv4 address; write the underlay port's, an IPv6 "
	  "address is local_vtep6" },
	{ "nve: n1\nlocal_vtep6: 192.0.2.1\nports: [{name: p, ifname: e, role: access}]\n"
	  "datapath: fake\n",
	  "2: local_vtep6: '192.0.2.1' is no IPv6 address; write the underlay port's, an IPv4 "
	  "address is local_vtep" },
	{ "nve: n1\nlocal_vtep6: fe80::1\nports: [{name: p, ifname: e, role: access}]\n"
	  "datapath: fake\n",
	  "2: local_vtep6: fe80::1 is no global unicast address; write the underlay port's "
	  "address" },
	{ ENOUGH "geneve_port: 4789\n", "6: geneve_port: 4789 is VXLAN's; write another one" },
	{ ENOUGH "geneve_port: 0\n", "6: geneve_port: 0 is out of range; write 1 to 65535" },
	{ "nve: n1\nlocal_vtep: 239.0.0.1\nports: [{name: p, ifname: e, role: access}]\n"
	  "datapath: fake\n",
	  "2: local_vtep: 239.0.0.1 is no unicast address; write the underlay port's address" },
};

static void every_mistake_is_told_with_its_line_and_what_to_do(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(*mistakes); i++) {
		/* Each says what to do, behind a semicolon. */
		assert_non_null(strstr(mistakes[i].complaint, "; "));
		refused(mistakes[i].text, mistakes[i].complaint);
	}
}

static void all_mistakes_are_told_at_once(void **state)
{
	struct nve_config *config = NULL;
	char *err = NULL, *second;

	(void)state;
	assert_int_equal(load(ENOUGH "datapath: dpdk\nvxlan_port: 0\n", &config, &err), -EINVAL);
	second = strchr(err, '\n');
	assert_non_null(second);
	*second++ = '\0';
	assert_string_equal(err, "6: 'dpdk' is not known; write ebpf or fake");
	assert_non_null(strstr(second, ":7: vxlan_port: 0 is out of range; write 1 to 65535"));
	assert_null(strchr(second, '\n'));
	free(err);
}

static void an_empty_file_is_told_what_it_lacks(void **state)
{
	struct nve_config *config = NULL;
	char *err = NULL;

	(void)state;
	assert_int_equal(load("# nothing\n", &config, &err), -EINVAL);
	assert_non_null(strstr(err, "1: local_vtep is missing; "));
	assert_non_null(strstr(err, ":1: no access port; "));
	assert_null(config);
	free(err);
}

static void a_path_too_long_for_a_socket_is_refused(void **state)
{
	char text[1024], path[109];
	struct nve_config *config = NULL;
	char *err = NULL;

	(void)state;
	memset(path, 'x', sizeof(path) - 1);
	path[0] = '/';
	path[107] = '\0';
	snprintf(text, sizeof(text), "%slisteners: ['unix:%s']\n", ENOUGH, path);
	nve_config_free(accepted(text));
	path[107] = 'x';
	path[108] = '\0';
	snprintf(text, sizeof(text), "%slisteners: ['unix:%s']\n", ENOUGH, path);
	assert_int_equal(load(text, &config, &err), -EINVAL);
	assert_non_null(strstr(err, "is too long for a socket; choose a path of at most 107"));
	free(err);
}

static void at_most_256_ports_are_taken(void **state)
{
	char *text = calloc(1, 1 << 16), *err = NULL;
	struct nve_config *config = NULL;
	size_t len = (size_t)sprintf(text, "%s", ENOUGH);

	(void)state;
	for (int i = 2; i < NVE_PORTS_MAX; i++)
		len += (size_t)sprintf(text + len, "  - {name: x%d, ifname: x%d, role: access}\n",
				       i, i);
	config = accepted(text);
	assert_int_equal(config->n_ports, NVE_PORTS_MAX);
	nve_config_free(config);
	sprintf(text + len, "  - {name: one, ifname: more, role: access}\n");
	config = NULL;
	assert_int_equal(load(text, &config, &err), -EINVAL);
	assert_string_equal(err, "4: more than 256 entries; remove some");
	assert_null(config);
	free(err);
	free(text);
}

static void a_file_that_cannot_be_read_says_so_by_its_errno(void **state)
{
	struct nve_config *config = NULL;
	char *err = NULL;

	(void)state;
	assert_int_equal(nve_config_load("/nonexistent/nved.yaml", &backends, &config, &err),
			 -ENOENT);
	assert_int_equal(nve_config_load("/", &backends, &config, &err), -EISDIR);
	assert_null(err);
	assert_null(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_example_is_accepted_and_says_what_it_shows),
		cmocka_unit_test(the_example_shows_the_defaults),
		cmocka_unit_test(every_key_is_in_the_example_and_in_the_manual),
		cmocka_unit_test(ports_without_a_scope_get_one_each_by_their_name),
		cmocka_unit_test(the_memory_store_and_a_set_log_level_are_taken),
		cmocka_unit_test(every_mistake_is_told_with_its_line_and_what_to_do),
		cmocka_unit_test(all_mistakes_are_told_at_once),
		cmocka_unit_test(an_empty_file_is_told_what_it_lacks),
		cmocka_unit_test(a_path_too_long_for_a_socket_is_refused),
		cmocka_unit_test(at_most_256_ports_are_taken),
		cmocka_unit_test(a_file_that_cannot_be_read_says_so_by_its_errno),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
