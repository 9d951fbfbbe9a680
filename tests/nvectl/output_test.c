/* SPDX-License-Identifier: Apache-2.0 */
/* Tables, JSON and texts, as bytes. */
#include "nvectl/columns.c" /* nvectl is in no library */
#include "nvectl/json.c"
#include "nvectl/jsonscan.c"
#include "nvectl/text.c"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static char *printed;
static size_t printed_len;

static FILE *paper(void)
{
	free(printed);
	return open_memstream(&printed, &printed_len);
}

static int forget(void **state)
{
	(void)state;
	free(printed);
	printed = NULL;
	return 0;
}

static const struct ctl_column columns[] = { { "NAME" }, { "N", true }, { "LAST" }, { 0 } };

static int lines(const char *text)
{
	int n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void a_table_is_aligned_and_has_no_blanks_at_line_ends(void **state)
{
	struct ctl_columns *t = ctl_columns_new(columns);
	FILE *out = paper();

	(void)state;
	assert_non_null(t);
	for (int i = 0; i < 100; i++) { /* more than the first allocation holds */
		ctl_columns_add(t, "%s",
				i ? "b"
				  : "\xc3\xa4"
				    "hre");
		ctl_columns_add(t, "%d", i ? 7 : 1234);
		ctl_columns_add(t, "%s", i ? "" : "x");
	}
	assert_int_equal(ctl_columns_print(t, out, false), 0);
	fclose(out);
	assert_non_null(strstr(printed, "NAME     N  LAST\n"
					"\xc3\xa4hre  1234  x\n"
					"b        7  -\n"));
	assert_null(strstr(printed, " \n"));
	assert_int_equal(lines(printed), 101);
	ctl_columns_free(t);
}

static void an_empty_table_is_its_header(void **state)
{
	struct ctl_columns *t = ctl_columns_new(columns);
	FILE *out = paper();

	(void)state;
	assert_int_equal(ctl_columns_print(t, out, true), 0);
	fclose(out);
	assert_string_equal(printed, "\033[1mNAME  N  LAST\033[0m\n");
	ctl_columns_free(t);
	ctl_columns_free(NULL);
}

static void a_cell_cannot_steer_the_terminal(void **state)
{
	FILE *out = paper();

	(void)state;
	ctl_text_print(out, "a\033[2Jb\n\x7f\xc2\x9b"
			    "c\xc3\xa4");
	fclose(out);
	assert_string_equal(printed, "a?[2Jb???c\xc3\xa4");
}

static const char *json_of(const ProtobufCMessage *m)
{
	FILE *out = paper();

	ctl_json_message(out, m);
	fclose(out);
	return printed;
}

static const char *json_string(const char *text)
{
	FILE *out = paper();

	ctl_json_string(out, text);
	fclose(out);
	return printed;
}

static void json_strings_are_escaped(void **state)
{
	(void)state;
	assert_string_equal(json_string("a\"b\\c\n\x01\x7f"),
			    "\"a\\\"b\\\\c\\u000a\\u0001\\u007f\"");
	assert_string_equal(json_string("\xc3\xa4\xf0\x9f\x98\x80"),
			    "\"\xc3\xa4\xf0\x9f\x98\x80\"");
}

static void what_is_no_utf8_becomes_the_replacement_character(void **state)
{
	(void)state;
	assert_string_equal(json_string("a\xff"), "\"a\\ufffd\"");
	assert_string_equal(json_string("\xc3"), "\"\\ufffd\"");            /* cut short */
	assert_string_equal(json_string("\xc0\x80"), "\"\\ufffd\\ufffd\""); /* overlong */
	assert_string_equal(json_string("\xed\xa0\x80"),
			    "\"\\ufffd\\ufffd\\ufffd\""); /* surrogate */
	assert_string_equal(json_string("\xf4\x90\x80\x80"),
			    "\"\\ufffd\\ufffd\\ufffd\\ufffd\""); /* beyond U+10FFFF */
}

static void a_message_shows_all_fields_by_their_proto_names(void **state)
{
	Nve__V1__VnConnectReply empty = NVE__V1__VN_CONNECT_REPLY__INIT;
	Nve__V1__TsiReply tsi = NVE__V1__TSI_REPLY__INIT;

	(void)state;
	assert_string_equal(json_of(&empty.base),
			    "{\"vn_id\":0,\"vn_name\":\"\",\"tag\":0,\"mtu\":0,"
			    "\"ignored_parameters\":[]}");
	tsi.state = NVE__V1__TSI_STATE__TSI_STATE_ACTIVATED;
	tsi.epoch = UINT64_MAX;
	tsi.unchanged = true;
	assert_string_equal(json_of(&tsi.base),
			    "{\"state\":\"TSI_STATE_ACTIVATED\",\"vn_id\":0,\"tag\":0,"
			    "\"keepalive_ms\":0,\"keepactive_ms\":0,"
			    "\"epoch\":18446744073709551615,\"unchanged\":true,\"mtu\":0,"
			    "\"ignored_parameters\":[]}");
	tsi.state = (Nve__V1__TsiState)9;
	assert_non_null(strstr(json_of(&tsi.base), "{\"state\":9,"));
}

static void bytes_are_uuid_mac_and_ip_by_the_fields_name(void **state)
{
	uint8_t id[16] = { 0xaa, [15] = 1 }, mac[6] = { 2, [5] = 1 }, ip[4] = { 10, 0, 0, 1 };
	Nve__V1__Address addr = NVE__V1__ADDRESS__INIT;
	Nve__V1__TsiKey key = NVE__V1__TSI_KEY__INIT;
	Nve__V1__VnRef vn = NVE__V1__VN_REF__INIT;

	(void)state;
	addr.mac = (ProtobufCBinaryData){ sizeof(mac), mac };
	addr.ip = (ProtobufCBinaryData){ sizeof(ip), ip };
	assert_string_equal(json_of(&addr.base),
			    "{\"mac\":\"02:00:00:00:00:01\",\"ip\":\"10.0.0.1\"}");
	addr.mac.len = 2; /* a broken peer */
	addr.ip.len = 0;
	assert_string_equal(json_of(&addr.base), "{\"mac\":\"0200\",\"ip\":\"\"}");
	key.tsi_id = (ProtobufCBinaryData){ sizeof(id), id };
	assert_string_equal(json_of(&key.base),
			    "{\"tsi_id\":\"aa000000-0000-0000-0000-000000000001\",\"port\":\"\"}");
	key.vn = &vn;
	vn.vn_case = NVE__V1__VN_REF__VN_NAME;
	vn.name = (char *)"blue";
	assert_non_null(strstr(json_of(&key.base), "\"vn\":{\"name\":\"blue\"}}"));
}

static void a_row_is_an_object_inside_the_document_only_if_it_is_json(void **state)
{
	Nve__V1__Row row = NVE__V1__ROW__INIT;

	(void)state;
	row.key = (char *)"{\"vni\": 100}";
	row.value = (char *)"{\"a\":1}, \"injected\": {}";
	assert_string_equal(json_of(&row.base),
			    "{\"key\":{\"vni\": 100},"
			    "\"value\":\"{\\\"a\\\":1}, \\\"injected\\\": {}\"}");
	row.value = (char *)"{\"a\":\"\xff\"}";
	assert_non_null(strstr(json_of(&row.base), "\"value\":\"{\\\"a\\\":\\\"\\ufffd\\\"}\""));
}

static void a_json_object_is_cut_into_its_members(void **state)
{
	struct ctl_json_member m[4];

	(void)state;
	assert_int_equal(
		ctl_json_object(" { \"a\" : 1 , \"b\":\"x\\\"y\",\"c\":[1,{\"d\":null}] } ", m, 4),
		3);
	assert_memory_equal(m[0].name, "a", m[0].name_len);
	assert_int_equal(m[0].value_len, 1);
	assert_memory_equal(m[1].value, "x\\\"y", m[1].value_len);
	assert_int_equal(m[1].value_len, 4);
	assert_int_equal(m[2].value_len, strlen("[1,{\"d\":null}]"));
	assert_int_equal(ctl_json_object("{}", m, 4), 0);
	assert_int_equal(ctl_json_object("{\"a\":1,\"b\":2,\"c\":3}", m, 1), 3);
	assert_int_equal(ctl_json_object("{\"a\":-0.5e+10}", NULL, 0), 1);
}

static void what_is_no_json_object_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"1",
		"[]",
		"{",
		"{\"a\"}",
		"{\"a\":}",
		"{\"a\":1,}",
		"{\"a\":01}",
		"{\"a\":1}x",
		"{\"a\":+1}",
		"{a:1}",
		"{\"a\":'x'}",
		"{\"a\":\"\n\"}",
		"{\"a\":\"\\x\"}",
		"{\"a\":\"\\u12g4\"}",
		"{\"a\":tru}",
		"{\"a\":1.}",
		"{\"a\":1e}",
		"{\"a\":\"x",
		"{\"a\":\"\\",
		"{\"a\":[1,]}",
		"{\"a\":-}",
		"{\"a\" 1}",
		"{\"a\":\"\\u12",
	};
	char deep[64];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(ctl_json_object(bad[i], NULL, 0), -EINVAL);
	strcpy(deep, "{\"a\":");
	memset(deep + 5, '[', 40);
	memset(deep + 45, ']', 18);
	deep[63] = '\0';
	assert_int_equal(ctl_json_object(deep, NULL, 0), -EINVAL);
}

static void spans_of_time_are_as_long_as_a_person_needs(void **state)
{
	static const struct {
		uint64_t ms;
		const char *want;
	} rows[] = {
		{ 0, "0 s" },
		{ 250, "0.250 s" },
		{ 12345, "12.3 s" },
		{ 30000, "30 s" },
		{ 300000, "300 s" },
		{ 603000, "10 min 3 s" },
		{ 7800000, "2 h 10 min" },
		{ 273600000, "3 d 4 h" },
	};
	char text[CTL_SPAN_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(ctl_text_span(rows[i].ms, text, sizeof(text)), rows[i].want);
	assert_string_equal(ctl_text_timer(0, text, sizeof(text)), "off");
}

static void names_of_enums_are_told_and_unknown_numbers_too(void **state)
{
	(void)state;
	assert_string_equal(ctl_text_state(NVE__V1__TSI_STATE__TSI_STATE_ASSOCIATED), "Associated");
	assert_string_equal(ctl_text_state((Nve__V1__TsiState)7), "7");
	assert_string_equal(ctl_text_cause(NVE__V1__CAUSE__CAUSE_MIGRATE_IN), "migrate-in");
	assert_string_equal(ctl_text_cause((Nve__V1__Cause)-1), "-1");
	assert_string_equal(ctl_text_reason(NVE__V1__REASON__REASON_TAG_IN_USE), "TAG_IN_USE");
	assert_string_equal(ctl_text_reason((Nve__V1__Reason)999), "999");
}

static void texts_never_overrun_their_buffer(void **state)
{
	uint8_t bytes[64] = { 0xff, 0xff };
	ProtobufCBinaryData data = { sizeof(bytes), bytes };
	char small[8];

	(void)state;
	for (size_t n = 0; n <= sizeof(bytes); n++) {
		data.len = n;
		assert_true(strlen(ctl_text_hex(data, small, sizeof(small))) < sizeof(small));
		assert_true(strlen(ctl_text_tsi_id(data, small, sizeof(small))) < sizeof(small));
		assert_true(strlen(ctl_text_mac(data, small, sizeof(small))) < sizeof(small));
		assert_true(strlen(ctl_text_ip(data, small, sizeof(small))) < sizeof(small));
	}
	assert_true(strlen(ctl_text_time(1, small, sizeof(small))) < sizeof(small));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_table_is_aligned_and_has_no_blanks_at_line_ends),
		cmocka_unit_test(an_empty_table_is_its_header),
		cmocka_unit_test(a_cell_cannot_steer_the_terminal),
		cmocka_unit_test(json_strings_are_escaped),
		cmocka_unit_test(what_is_no_utf8_becomes_the_replacement_character),
		cmocka_unit_test(a_message_shows_all_fields_by_their_proto_names),
		cmocka_unit_test(bytes_are_uuid_mac_and_ip_by_the_fields_name),
		cmocka_unit_test(a_row_is_an_object_inside_the_document_only_if_it_is_json),
		cmocka_unit_test(a_json_object_is_cut_into_its_members),
		cmocka_unit_test(what_is_no_json_object_is_refused),
		cmocka_unit_test(spans_of_time_are_as_long_as_a_person_needs),
		cmocka_unit_test(names_of_enums_are_told_and_unknown_numbers_too),
		cmocka_unit_test(texts_never_overrun_their_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, forget);
}
