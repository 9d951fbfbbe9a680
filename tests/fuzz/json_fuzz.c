/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON in nvectl.  The first byte chooses: 0 reads the text as an object; else it is a message of
 * the agent's, unpacked, written as JSON, which must then read as an object.
 */
#include "lib/fuzz.h"
#include "nve/v1/nve.pb-c.h"
#include "nvectl/json.c" /* nvectl is in no library */
#include "nvectl/jsonscan.c"
#include "nvectl/text.c"

#include <stdlib.h>

enum { MEMBERS = 8 };

static void read_text(const char *text)
{
	struct ctl_json_member members[MEMBERS];
	const char *end = text + strlen(text);
	int n = ctl_json_object(text, members, MEMBERS);

	fuzz_check(n >= 0 || n == -EINVAL);
	for (int i = 0; i < n && i < MEMBERS; i++) {
		fuzz_check(members[i].name > text && members[i].name + members[i].name_len < end);
		fuzz_check(members[i].value > text);
		fuzz_check(members[i].value + members[i].value_len < end);
	}
}

/* The types of the requests and replies of both services, counted through. */
static const ProtobufCMessageDescriptor *type_of(unsigned n)
{
	static const ProtobufCServiceDescriptor *const services[] = {
		&nve__v1__signaling__descriptor, &nve__v1__admin__descriptor
	};
	const ProtobufCMethodDescriptor *method;
	unsigned methods = services[0]->n_methods + services[1]->n_methods;

	n %= 2 * methods;
	method = n / 2 < services[0]->n_methods
			 ? &services[0]->methods[n / 2]
			 : &services[1]->methods[n / 2 - services[0]->n_methods];
	return n % 2 ? method->input : method->output;
}

static void write_message(const ProtobufCMessageDescriptor *type, const uint8_t *data, size_t size)
{
	ProtobufCMessage *message = protobuf_c_message_unpack(type, NULL, size, data);
	char *text = NULL;
	size_t len;
	FILE *out;

	if (!message)
		return;
	out = open_memstream(&text, &len);
	fuzz_check(out);
	ctl_json_message(out, message);
	fclose(out);
	fuzz_check(strlen(text) == len && ctl_json_object(text, NULL, 0) >= 0);
	free(text);
	protobuf_c_message_free_unpacked(message, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (size < 1)
		return 0;
	if (*data) {
		write_message(type_of(*data - 1u), data + 1, size - 1);
		return 0;
	}
	text = fuzz_text(data + 1, size - 1);
	read_text(text);
	free(text);
	return 0;
}
