/* SPDX-License-Identifier: Apache-2.0 */
/* The local NVA: its file, what it refuses and what it says then, and what a reload tells. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "nva/nva.h"

struct fixture {
	char path[40];
	struct nve_nva_config config;
	struct nve_nva *nva;
	char told[4096]; /* the callbacks */
};

static const struct nve_nva_ops *const ops = &nve_nva_local;

__attribute__((format(printf, 2, 3))) static void add(struct fixture *f, const char *fmt, ...)
{
	size_t len = strlen(f->told);
	va_list args;

	va_start(args, fmt);
	vsnprintf(f->told + len, sizeof(f->told) - len, fmt, args);
	va_end(args);
}

static void vn_changed(void *arg, uint32_t vn_id)
{
	add(arg, "vn %u; ", vn_id);
}

static void on_mapping(void *arg, const struct nve_mapping *m)
{
	add(arg, "%u %u/%u at %u epoch %lu; ", m->vn_id, m->addr.mac[5], m->addr.ip[3],
	    m->vtep.bytes[3], m->epoch);
}

static void mapping_changed(void *arg, const struct nve_mapping *m, bool gone)
{
	add(arg, gone ? "gone " : "set ");
	on_mapping(arg, m);
}

static void write_file(struct fixture *f, const char *text)
{
	FILE *file = fopen(f->path, "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

#define GOLD                                                                                       \
	"profiles:\n"                                                                              \
	"  - name: gold\n"                                                                         \
	"    default: deny\n"                                                                      \
	"    acl:\n"                                                                               \
	"      - {action: allow, ethertype: arp}\n"                                                \
	"      - {action: deny, direction: from-tsi, protocol: tcp, dst_ports: '22'}\n"            \
	"      - {action: allow, direction: to-tsi, src: 10.0.0.0/8, dst: 10.1.2.3}\n"             \
	"      - {action: allow, dst: '2001:db8::/33', protocol: udp, src_ports: 1000-2000}\n"
#define BLUE                                                                                       \
	GOLD "vns:\n"                                                                              \
	     "  - name: blue\n"                                                                    \
	     "    id: 100\n"                                                                       \
	     "    vni: 5100\n"                                                                     \
	     "    encap: geneve\n"                                                                 \
	     "    mtu: 1450\n"                                                                     \
	     "    security: verified\n"                                                            \
	     "    fail_closed: true\n"                                                             \
	     "    suppress: false\n"                                                               \
	     "    unknown_unicast: drop\n"                                                         \
	     "    bum_rate: 2000\n"                                                                \
	     "    glean: {max: 8, age: 60}\n"                                                      \
	     "    profile: gold\n"                                                                 \
	     "    vteps: [192.0.2.2, 192.0.2.1, '2001:db8::2']\n"                                  \
	     "    mappings:\n"                                                                     \
	     "      - {mac: '02:00:00:00:00:07', ip: 10.0.0.7, vtep: 192.0.2.3, epoch: 9}\n"       \
	     "      - {mac: '02:00:00:00:00:05', vtep: 192.0.2.2}\n"                               \
	     "      - {mac: '02:00:00:00:00:01', vtep: 192.0.2.1}\n"                               \
	     "  - id: 200\n"

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char *err = NULL;
	int fd;

	strcpy(f->path, "/tmp/nve-local-XXXXXX");
	fd = mkstemp(f->path);
	assert_true(fd >= 0);
	close(fd);
	write_file(f, BLUE);
	f->config = (struct nve_nva_config){
		.source = f->path,
		.local_vtep = { .family = 4, .bytes = { 192, 0, 2, 1 } },
		.callbacks = { vn_changed, mapping_changed, f },
	};
	if (ops->open(&f->config, &f->nva, &err) < 0)
		fail_msg("%s", err);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	ops->close(f->nva);
	unlink(f->path);
	free(f);
	return 0;
}

static void a_vn_is_found_by_id_and_by_name_with_all_that_the_file_says(void **state)
{
	struct fixture *f = *state;
	const struct nve_vn_context *vn, *same;

	assert_int_equal(ops->vn_by_id(f->nva, 100, &vn), 0);
	assert_int_equal(ops->vn_by_name(f->nva, "blue", &same), 0);
	assert_ptr_equal(vn, same);
	assert_string_equal(vn->name, "blue");
	assert_string_equal(vn->profile, "gold");
	assert_int_equal(vn->vni, 5100);
	assert_int_equal(vn->encap, NVE_NVA_GENEVE);
	assert_int_equal(vn->security, NVE_NVA_VERIFIED);
	assert_int_equal(vn->mtu, 1450);
	assert_true(vn->fail_closed);
	assert_int_equal(vn->glean_max, 8);
	assert_int_equal(vn->glean_age_ms, 60000);
	assert_false(vn->suppress);
	assert_true(vn->drop_unknown);
	assert_int_equal(vn->bum_rate, 2000);
	assert_int_equal(vn->bum_burst, 2000); /* a second's worth */
	assert_int_equal(vn->n_vteps, 2);      /* without itself */
	assert_int_equal(vn->vteps[0].bytes[3], 2);
	assert_int_equal(vn->vteps[1].family, 6);
	assert_string_equal(f->told, ""); /* nothing comes from within open() */
}

static void a_profile_is_found_by_name_with_its_rules_in_order(void **state)
{
	struct fixture *f = *state;
	const struct nve_acl *acl;

	assert_int_equal(ops->profile(f->nva, "gold", &acl), 0);
	assert_true(acl->deny);
	assert_int_equal(acl->n_rules, 4);
	assert_int_equal(acl->rules[0].type, 0x0806);
	assert_int_equal(acl->rules[0].ways, 3);
	assert_int_equal(acl->rules[0].has, NVE_ACL_HAS_TYPE);
	assert_int_equal(acl->rules[1].ways, 1 << NVE_ACL_FROM_TSI);
	assert_int_equal(acl->rules[1].deny, 1);
	assert_int_equal(acl->rules[1].protocol, 6);
	assert_int_equal(acl->rules[1].dst_ports[0], 22);
	assert_int_equal(acl->rules[1].dst_ports[1], 22);
	assert_int_equal(acl->rules[2].ways, 1 << NVE_ACL_TO_TSI);
	assert_int_equal(acl->rules[2].src_len, 8);
	assert_int_equal(acl->rules[2].dst_len, 32);
	assert_int_equal(acl->rules[3].dst.family, 6);
	assert_int_equal(acl->rules[3].dst_len, 33);
	assert_int_equal(acl->rules[3].src_ports[0], 1000);
	assert_int_equal(acl->rules[3].src_ports[1], 2000);
	assert_int_equal(ops->profile(f->nva, "silver", &acl), -ENOENT);
}

static void new_rules_of_a_profile_are_told_as_a_change_of_its_vns(void **state)
{
	struct fixture *f = *state;
	const struct nve_acl *acl;

	write_file(f, "profiles: [{name: gold}]\n"
		      "vns: [{id: 7, profile: gold}, {id: 8, profile: gold}, {id: 9}]\n");
	assert_int_equal(ops->reload(f->nva, NULL), 0);
	*f->told = '\0';
	write_file(f, "profiles: [{name: gold, acl: [{action: deny}]}]\n"
		      "vns: [{id: 7, profile: gold}, {id: 8, profile: gold}, {id: 9}]\n");
	assert_int_equal(ops->reload(f->nva, NULL), 0);
	assert_string_equal(f->told, "vn 7; vn 8; ");
	assert_int_equal(ops->profile(f->nva, "gold", &acl), 0);
	assert_int_equal(acl->n_rules, 1);
}

static void what_is_left_out_has_its_default(void **state)
{
	struct fixture *f = *state;
	const struct nve_vn_context *vn;

	assert_int_equal(ops->vn_by_id(f->nva, 200, &vn), 0);
	assert_int_equal(vn->vni, 200);
	assert_int_equal(vn->encap, NVE_NVA_VXLAN);
	assert_int_equal(vn->security, NVE_NVA_TRUSTED);
	assert_false(vn->fail_closed);
	assert_int_equal(vn->glean_max, 0);
	assert_true(vn->suppress);
	assert_false(vn->drop_unknown);
	assert_int_equal(vn->bum_rate + vn->bum_burst, 0);
	assert_int_equal(vn->mtu + vn->n_vteps, 0);
	assert_string_equal(vn->name, "");
}

static void a_vn_that_is_not_in_the_file_does_not_exist(void **state)
{
	struct fixture *f = *state;
	const struct nve_vn_context *vn;

	assert_int_equal(ops->vn_by_id(f->nva, 101, &vn), -ENOENT);
	assert_int_equal(ops->vn_by_name(f->nva, "red", &vn), -ENOENT);
	assert_int_equal(ops->vn_by_name(f->nva, "", &vn), -ENOENT);
}

static void mappings_are_those_behind_other_nves(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ops->mappings(f->nva, 100, on_mapping, f), 0);
	assert_string_equal(f->told, "100 5/0 at 2 epoch 0; 100 7/7 at 3 epoch 9; ");
}

static void epochs_rise_above_each_other_the_stored_ones_and_the_files(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ops->next_epoch(f->nva, 0), 10);
	assert_int_equal(ops->next_epoch(f->nva, 5), 11);
	assert_int_equal(ops->next_epoch(f->nva, 1000), 1001);
	assert_int_equal(ops->next_epoch(f->nva, 0), 1002);
}

static const char *reload(struct fixture *f, const char *text)
{
	char *err = NULL;

	write_file(f, text);
	f->told[0] = '\0';
	if (ops->reload(f->nva, &err) < 0)
		fail_msg("%s", err);
	return f->told;
}

static void a_reload_tells_what_differs_and_nothing_else(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(reload(f, BLUE), "");
	assert_string_equal(reload(f, BLUE "    vni: 7200\n  - {id: 300, mappings: [{mac: "
					   "'02:00:00:00:00:09', vtep: 192.0.2.9}]}\n"),
			    "vn 200; vn 300; set 300 9/0 at 9 epoch 0; ");
	assert_string_equal(reload(f, "vns: [{id: 300}, {id: 200, vni: 7200}]"),
			    "vn 100; gone 100 5/0 at 2 epoch 0; gone 100 7/7 at 3 epoch 9; "
			    "gone 300 9/0 at 9 epoch 0; ");
	assert_string_equal(reload(f, "vns: [{id: 300, mappings: [{mac: '02:00:00:00:00:09', "
				      "vtep: 192.0.2.9}]}, {id: 200, vni: 7200}]"),
			    "set 300 9/0 at 9 epoch 0; ");
	assert_string_equal(reload(f, "vns: [{id: 300, mappings: [{mac: '02:00:00:00:00:09', "
				      "vtep: 192.0.2.8, epoch: 1}]}, {id: 200, vni: 7200}]"),
			    "set 300 9/0 at 8 epoch 1; ");
	assert_string_equal(reload(f, "vns: []"), "vn 200; vn 300; gone 300 9/0 at 8 epoch 1; ");
}

/* Each: a file, and what its refusal says. */
static const struct {
	const char *file, *says[2];
} wrong[] = {
	{ "vns:\n  - id: 1\n    colour: red\n", { "near line 2", "Unexpected key: colour" } },
	{ "vns:\n  - name: blue\n", { "line 2", "id" } },
	{ "vns:\n  - id: many\n",
	  { "near line 2, field id", "'many'; compare with local.example.yaml" } },
	{ "vns:\n  - id: 1\n    encap: gre\n", { "near line 3, field encap", "gre" } },
	{ "vns:\n  - id: 1\n   name: x\n", { "near line 2", "compare with local.example.yaml" } },
	{ "vns: [{id: 1, mappings: [{mac: '02:00:00:00:00:01'}]}]\n", { "line 1", "vtep" } },
	{ "", { "empty", "vns: []" } },
	{ "vns: [{id: 1, profile: gold}]\n", { "no profile 'gold'", "below 'profiles:'" } },
	{ "profiles:\n  - name: a\n    acl:\n      - {action: refuse}\nvns: []\n",
	  { "near line 4, field action", "refuse" } },
	{ "profiles:\n  - name: a\n    acl:\n      - {action: deny}\n      - action: deny\n"
	  "        src: 10.0.0\nvns: []\n",
	  { ":6: profile a: src: '10.0.0'", "write 10.0.0.0/8" } },
	{ "profiles:\n  - name: a\n    acl:\n      - {action: deny, src: 10.0.0.1/8}\nvns: []\n",
	  { ":4: profile a: src:", "longer prefix" } },
	{ "profiles:\n  - name: a\n    acl:\n      - {action: deny, dst: '::/129'}\nvns: []\n",
	  { ":4: profile a: dst:", "write 10.0.0.0/8" } },
	{ "profiles: [{name: a, acl: [{action: deny, src: 10.0.0.1, dst: '::1'}]}]\nvns: []\n",
	  { ":1: profile a: dst: src and dst", "two rules" } },
	{ "profiles: [{name: a, acl: [{action: deny, protocol: 256}]}]\nvns: []\n",
	  { "protocol: '256'", "to 255" } },
	{ "profiles: [{name: a, acl: [{action: deny, ethertype: 1500}]}]\nvns: []\n",
	  { "ethertype: '1500'", "from 0x0600" } },
	{ "profiles: [{name: a, acl: [{action: deny, ethertype: arp, src: 10.0.0.1}]}]\nvns: []\n",
	  { "ethertype: the addresses", "leave it out" } },
	{ "profiles: [{name: a, acl: [{action: deny, dst_ports: 22}]}]\nvns: []\n",
	  { "dst_ports: the rule's protocol has no ports", "protocol: tcp" } },
	{ "profiles: [{name: a, acl: [{action: deny, protocol: udp, src_ports: 9-1}]}]\nvns: []\n",
	  { "src_ports: '9-1' ends", "smaller port first" } },
	{ "profiles: [{name: a, acl: [{action: deny, protocol: udp, src_ports: 65536}]}]\nvns: "
	  "[]\n",
	  { "src_ports: '65536'", "write 22" } },
	{ "profiles: [{name: a, acl: [{action: deny, src_mac: 2}]}]\nvns: []\n",
	  { "src_mac: '2' is no MAC", "write it as" } },
	{ "profiles:\n  - name: a\n  - name: a\nvns: []\n",
	  { ":3: profile a: is there twice", "its own name" } },
	{ "vns: [{id: 0, name: nil}]\n", { "VN nil (id 0)", "use one in 1..16777215" } },
	{ "vns: [{id: 16777216}]\n", { "id 16777216", "use one in 1..16777215" } },
	{ "vns: [{id: 1, bum_rate: 10000001}]\n", { "bum_rate", "up to 10000000" } },
	{ "vns: [{id: 1, bum_burst: 5}]\n", { "bum_burst", "no burst without a rate" } },
	{ "vns: [{id: 1, suppress: perhaps}]\n", { "near line 1", "suppress" } },
	{ "vns: [{id: 1, unknown_unicast: keep}]\n", { "near line 1", "unknown_unicast" } },
	{ "vns: [{id: 1, vni: 16777216}]\n", { "the vni is out of range", "leave it out" } },
	{ "vns: [{id: 1, mtu: 60}]\n", { "mtu", "576..9216" } },
	{ "vns: [{id: 1, glean: {max: 65}}]\n", { "glean: max", "1..64" } },
	{ "vns: [{id: 1, glean: {max: 8, age: 90000}}]\n", { "glean: age", "1..86400" } },
	{ "vns: [{id: 1, glean: {age: 9}}]\n", { "line 1", "max" } },
	{ "vns: [{id: 1, name: 'a b'}]\n", { "visible", "rename" } },
	{ "vns: [{id: 1, name: a}, {id: 1, name: b}]\n", { "has the id of VN", "its own" } },
	{ "vns: [{id: 1, name: a}, {id: 2, name: a}]\n", { "has the name of VN a", "its own" } },
	{ "vns: [{id: 1, name: a}, {id: 2, vni: 1}]\n", { "has the vni of VN", "its own" } },
	{ "vns: [{id: 1, name: a, vteps: [10.0.0]}]\n", { "VN a (id 1)", "'10.0.0'" } },
	{ "vns: [{id: 1, vteps: [224.0.0.1]}]\n", { "vteps: '224.0.0.1'", "unicast" } },
	{ "vns: [{id: 1, vteps: [0.0.0.0]}]\n", { "vteps: '0.0.0.0'", "unicast" } },
	{ "vns: [{id: 1, vteps: ['ff02::1']}]\n", { "vteps: 'ff02::1'", "unicast" } },
	{ "vns: [{id: 1, vteps: [1.1.1.1, 1.1.1.1]}]\n", { "1.1.1.1 is listed twice", "remove" } },
	{ "vns: [{id: 1, mappings: [{mac: '01:00:00:00:00:01', vtep: 1.1.1.1}]}]\n",
	  { "'01:00:00:00:00:01' is not a unicast MAC", "write it as" } },
	{ "vns: [{id: 1, mappings: [{mac: '2:0:0:0:0:1', vtep: 1.1.1.1}]}]\n",
	  { "'2:0:0:0:0:1'", "write it as" } },
	{ "vns: [{id: 1, mappings: [{mac: '02:00:00:00:00:01x', vtep: 1.1.1.1}]}]\n",
	  { "01x", "write it as" } },
	{ "vns: [{id: 1, mappings: [{mac: '02:00:00:00:00:01', vtep: here}]}]\n",
	  { "vtep 'here'", "name the other NVE's" } },
	{ "vns: [{id: 1, mappings: [{mac: '02:00:00:00:00:01', ip: x, vtep: 1.1.1.1}]}]\n",
	  { "'x' is not a unicast IP", "correct it" } },
	{ "vns: [{id: 1, mappings: [{mac: '02:00:00:00:00:01', vtep: 1.1.1.1,"
	  " epoch: 0x7fffffffffffffff}]}]\n",
	  { "epoch is too large", "use a small one" } },
	{ "vns: [{id: 1, mappings: [{mac: '02:00:00:00:00:01', vtep: 1.1.1.1},"
	  " {mac: '02:00:00:00:00:01', vtep: 1.1.1.2}]}]\n",
	  { "02:00:00:00:00:01 is mapped twice", "keep one" } },
};

static void each_error_is_told_with_place_and_remedy_and_changes_nothing(void **state)
{
	struct fixture *f = *state;
	const struct nve_vn_context *vn;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct nve_nva *second = NULL;
		char *err = NULL;

		write_file(f, wrong[i].file);
		assert_int_equal(ops->reload(f->nva, &err), -EINVAL);
		assert_non_null(err);
		if (!strstr(err, wrong[i].says[0]) || !strstr(err, wrong[i].says[1]) ||
		    strncmp(err, f->path, strlen(f->path)) != 0)
			fail_msg("%s\n%s", wrong[i].file, err);
		free(err);
		assert_int_equal(ops->open(&f->config, &second, NULL), -EINVAL);
		assert_null(second);
	}
	assert_string_equal(f->told, "");
	assert_int_equal(ops->vn_by_name(f->nva, "blue", &vn), 0);
	assert_int_equal(ops->mappings(f->nva, 100, on_mapping, f), 0);
	assert_string_equal(f->told, "100 5/0 at 2 epoch 0; 100 7/7 at 3 epoch 9; ");
}

static void a_file_that_is_not_there_is_named(void **state)
{
	struct fixture *f = *state;
	char *err = NULL;

	unlink(f->path);
	assert_int_equal(ops->reload(f->nva, &err), -ENOENT);
	assert_non_null(strstr(err, f->path));
	free(err);
}

static void the_commented_example_is_a_valid_file(void **state)
{
	struct nve_nva_config config = { .source = "agent/nva/local.example.yaml" };
	const struct nve_vn_context *vn;
	struct nve_nva *nva;
	char *err = NULL;

	(void)state;
	if (ops->open(&config, &nva, &err) < 0)
		fail_msg("%s", err);
	assert_int_equal(ops->vn_by_name(nva, "blue", &vn), 0);
	assert_int_equal(vn->n_vteps, 2);
	assert_int_equal(ops->fd(nva), -1);
	ops->dispatch(nva);
	ops->close(nva);
	ops->close(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_vn_is_found_by_id_and_by_name_with_all_that_the_file_says),
		TEST(a_profile_is_found_by_name_with_its_rules_in_order),
		TEST(new_rules_of_a_profile_are_told_as_a_change_of_its_vns),
		TEST(what_is_left_out_has_its_default),
		TEST(a_vn_that_is_not_in_the_file_does_not_exist),
		TEST(mappings_are_those_behind_other_nves),
		TEST(epochs_rise_above_each_other_the_stored_ones_and_the_files),
		TEST(a_reload_tells_what_differs_and_nothing_else),
		TEST(each_error_is_told_with_place_and_remedy_and_changes_nothing),
		TEST(a_file_that_is_not_there_is_named),
		cmocka_unit_test(the_commented_example_is_a_valid_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
