/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON, written and read.
 *
 * A message becomes an object with the proto's own field names.  All fields are there, also those
 * at their default; a message that is not set and a oneof's other members are left out.  Enums are
 * the proto's names, integers of all widths numbers, bytes text: UUID, MAC or IP by the field's
 * name, else hex digits.
 */
#pragma once

#include <stddef.h>
#include <stdio.h>

#include <protobuf-c/protobuf-c.h>

/* With quotes; what is no UTF-8 becomes U+FFFD. */
void ctl_json_string(FILE *out, const char *text);
void ctl_json_message(FILE *out, const ProtobufCMessage *message);

/* The members of one object, as slices of its text. */
struct ctl_json_member {
	const char *name; /* between its quotes, escapes as written */
	size_t name_len;
	const char *value; /* a string without its quotes */
	size_t value_len;
};

/*
 * Reads one JSON object, which must fill all of 'text'.  Returns the number of its members, of
 * which at most 'max' are written to 'ret'; -EINVAL: no JSON object, or nested deeper than 16.
 */
int ctl_json_object(const char *text, struct ctl_json_member *ret, size_t max);
