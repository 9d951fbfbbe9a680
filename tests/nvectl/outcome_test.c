/* SPDX-License-Identifier: Apache-2.0 */
/* What the client makes of grpc-status-details-bin, which any peer may have written. */
#include "nvectl/client.c" /* nvectl is in no library */

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct details {
	uint8_t bytes[512];
	size_t len;
};

/* A google.rpc.Status with two details, of which the second is an ErrorInfo called 'type'. */
static struct details details_of(const char *type)
{
	Google__Rpc__ErrorInfo__MetadataEntry entry = GOOGLE__RPC__ERROR_INFO__METADATA_ENTRY__INIT;
	Google__Rpc__ErrorInfo__MetadataEntry *entries[] = { &entry };
	Google__Rpc__ErrorInfo info = GOOGLE__RPC__ERROR_INFO__INIT;
	Google__Protobuf__Any other = GOOGLE__PROTOBUF__ANY__INIT, any = other;
	Google__Protobuf__Any *list[] = { &other, &any };
	Google__Rpc__Status status = GOOGLE__RPC__STATUS__INIT;
	struct details ret;
	uint8_t packed[256];

	entry.key = (char *)"tag";
	entry.value = (char *)"101";
	info.reason = (char *)"TAG_IN_USE";
	info.metadata = entries;
	info.n_metadata = 1;
	other.type_url = (char *)"type.googleapis.com/google.rpc.DebugInfo";
	any.type_url = (char *)type;
	any.value.len = google__rpc__error_info__pack(&info, packed);
	any.value.data = packed;
	status.details = list;
	status.n_details = 2;
	ret.len = google__rpc__status__pack(&status, ret.bytes);
	return ret;
}

static void the_error_info_is_found_among_the_details(void **state)
{
	struct details d = details_of("type.googleapis.com/google.rpc.ErrorInfo");
	Google__Rpc__ErrorInfo *info = ctl_outcome_info(d.bytes, d.len);

	(void)state;
	assert_non_null(info);
	assert_string_equal(info->reason, "TAG_IN_USE");
	assert_string_equal(info->metadata[0]->value, "101");
	google__rpc__error_info__free_unpacked(info, NULL);
}

static void another_type_is_not_taken_for_an_error_info(void **state)
{
	static const char *const types[] = { "", "google.rpc.ErrorInfo", "x/google.rpc.ErrorInfos",
					     "x/google.rpc.ErrorInfo/", "/" };

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct details d = details_of(types[i]);

		assert_null(ctl_outcome_info(d.bytes, d.len));
	}
}

static void details_cut_short_or_turned_are_none_or_sound(void **state)
{
	struct details d = details_of("x/google.rpc.ErrorInfo");
	unsigned int found = 0, seed = 1;

	(void)state;
	for (size_t len = 0; len < d.len; len++)
		assert_null(ctl_outcome_info(d.bytes, len));
	for (int i = 0; i < 20000; i++) {
		struct details turned = d;
		Google__Rpc__ErrorInfo *info;

		turned.bytes[(size_t)rand_r(&seed) % d.len] ^= (uint8_t)(1u << (rand_r(&seed) % 8));
		info = ctl_outcome_info(turned.bytes, turned.len);
		if (info)
			found += strlen(info->reason) <= d.len && info->n_metadata <= d.len;
		google__rpc__error_info__free_unpacked(info, NULL);
	}
	assert_true(found > 0); /* some turned bits are inside texts */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_error_info_is_found_among_the_details),
		cmocka_unit_test(another_type_is_not_taken_for_an_error_info),
		cmocka_unit_test(details_cut_short_or_turned_are_none_or_sound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
