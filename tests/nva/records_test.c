/* SPDX-License-Identifier: Apache-2.0 */
/* The local NVA's records of TSIs (D17): what the file may say, and when a change of it is told. */
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

static const struct nve_nva_ops *const ops = &nve_nva_local;

struct fixture {
	char path[40];
	struct nve_nva *nva;
	unsigned told; /* VNs that changed */
};

static void vn_changed(void *arg, uint32_t vn_id)
{
	struct fixture *f = arg;

	assert_int_equal(vn_id, 7);
	f->told++;
}

static void mapping_changed(void *arg, const struct nve_mapping *mapping, bool gone)
{
	(void)arg, (void)mapping, (void)gone;
	fail();
}

#define VN(tsis) "vns: [{id: 7, security: verified, tsis: [" tsis "]}]\n"
#define ID1      "id: 11111111-2222-3333-4444-555555555555"
#define ID2      "id: '00000000000000000000000000000002'"

static void write_file(const struct fixture *f, const char *text)
{
	FILE *file = fopen(f->path, "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct nve_nva_config config = { .callbacks = { vn_changed, mapping_changed, f } };
	char *err = NULL;

	strcpy(f->path, "/tmp/nve-records-XXXXXX");
	close(mkstemp(f->path));
	write_file(f,
		   VN("{" ID1 ", port: p1, identity: 'unix:1*', addresses: "
		      "[{mac: 02:00:00:00:00:01, ip: 10.0.0.1}, {ip: '2001:db8::1'}]}, {" ID2 "}"));
	config.source = f->path;
	if (ops->open(&config, &f->nva, &err) < 0)
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

static void a_vn_has_its_records_by_rising_id(void **state)
{
	struct fixture *f = *state;
	const struct nve_nva_tsi *list;
	size_t n = 9;

	list = ops->tsis(f->nva, 7, &n);
	assert_int_equal(n, 2);
	assert_int_equal(list[0].id.bytes[15], 2);
	assert_string_equal(list[0].port, "");
	assert_null(list[0].identity);
	assert_int_equal(list[0].n_addrs, 0);
	assert_int_equal(list[1].id.bytes[0], 0x11);
	assert_int_equal(list[1].id.bytes[4], 0x22);
	assert_string_equal(list[1].port, "p1");
	assert_string_equal(list[1].identity, "unix:1*");
	assert_int_equal(list[1].n_addrs, 2);
	assert_int_equal(list[1].addrs[0].flags, NVE_ADDR_MAC | NVE_ADDR_IPV4);
	assert_int_equal(list[1].addrs[1].flags, NVE_ADDR_IPV6);
	assert_int_equal(list[1].addrs[1].ip[15], 1);
	ops->tsis(f->nva, 8, &n);
	assert_int_equal(n, 0);
}

static void a_reload_tells_of_a_vn_whose_records_changed_and_of_no_other(void **state)
{
	static const char *const texts[] = {
		VN("{" ID2 "}"),
		VN("{" ID2 ", port: p1}"),
		VN("{" ID2 ", port: p2}"),
		VN("{" ID2 ", port: p2, identity: a}"),
		VN("{" ID2 ", port: p2, identity: b}"),
		VN("{" ID2 ", port: p2, identity: b, addresses: [{ip: 10.0.0.1}]}"),
		VN("{" ID2 ", port: p2, identity: b, addresses: [{ip: 10.0.0.2}]}"),
		VN("{" ID1 ", port: p2, identity: b, addresses: [{ip: 10.0.0.2}]}"),
		VN(""),
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		write_file(f, texts[i]);
		f->told = 0;
		assert_int_equal(ops->reload(f->nva, NULL), 0);
		assert_int_equal(f->told, 1);
		assert_int_equal(ops->reload(f->nva, NULL), 0);
		assert_int_equal(f->told, 1);
	}
}

static void a_wrong_record_is_refused_with_what_to_do_and_changes_nothing(void **state)
{
	static const struct {
		const char *text, *said;
	} cases[] = {
		{ VN("{id: x}"), "tsi 'x' is no TSI ID; write 32" },
		{ VN("{id: '00000000000000000000000000000000'}"), "is no TSI ID" },
		{ VN("{id: '000000000000000000000000000000011'}"), "is no TSI ID" },
		{ VN("{id: 111-11111-2222-3333-4444-555555555555}"), "is no TSI ID" },
		{ VN("{" ID2 "}, {" ID2 "}"), "is there twice; join them" },
		{ VN("{" ID2 ", addresses: [{}]}"), "has neither mac nor ip; write one" },
		{ VN("{" ID2 ", addresses: [{mac: 01:00:00:00:00:01}]}"), "not a unicast MAC" },
		{ VN("{" ID2 ", addresses: [{mac: '02:00:00:00:00:+1'}]}"), "not a unicast MAC" },
		{ VN("{" ID2 ", addresses: [{ip: 224.0.0.1}]}"), "not a unicast IP" },
		{ VN("{" ID2 ", addresses: [{ip: 10.0.0.1}, {ip: 10.0.0.1}]}"),
		  "address 2 is there twice; remove one" },
		{ VN("{" ID2 ", colour: red}"), "near line 1" },
		{ VN("{port: p1}"), "near line 1" },
	};
	struct fixture *f = *state;
	size_t n = 0;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *err = NULL;

		write_file(f, cases[i].text);
		assert_int_equal(ops->reload(f->nva, &err), -EINVAL);
		if (!strstr(err, cases[i].said))
			fail_msg("'%s' was said of: %s", err, cases[i].text);
		free(err);
	}
	assert_int_equal(f->told, 0);
	ops->tsis(f->nva, 7, &n);
	assert_int_equal(n, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_vn_has_its_records_by_rising_id),
		TEST(a_reload_tells_of_a_vn_whose_records_changed_and_of_no_other),
		TEST(a_wrong_record_is_refused_with_what_to_do_and_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
