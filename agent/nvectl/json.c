/* SPDX-License-Identifier: Apache-2.0 */
/* Protobuf messages as JSON, by protobuf-c's descriptors: a new field needs no line here. */
#include "nvectl/json.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "nvectl/text.h"

/* The longest field of bytes: a frame, with a tunnel around it. */
#define BYTES_MAX 9472

/* Length of the UTF-8 sequence at 'at'; 0: it is none. */
static size_t utf8_len(const unsigned char *at)
{
	size_t n = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;

	if (at[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] >= 0xa0) ||
	    (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] >= 0x90))
		return 0;
	return n;
}

void ctl_json_string(FILE *out, const char *text)
{
	const unsigned char *at = (const unsigned char *)text;

	putc('"', out);
	while (*at) {
		size_t n = utf8_len(at);

		if (!n)
			fputs("\\ufffd", out);
		else if (*at == '"' || *at == '\\')
			fprintf(out, "\\%c", *at);
		else if (*at < ' ' || *at == 0x7f)
			fprintf(out, "\\u%04x", *at);
		else
			fwrite(at, 1, n, out);
		at += n ? n : 1;
	}
	putc('"', out);
}

static void write_bytes(FILE *out, const char *field, ProtobufCBinaryData bytes)
{
	char text[2 * BYTES_MAX + 1];

	if (!strcmp(field, "tsi_id"))
		ctl_text_tsi_id(bytes, text, sizeof(text));
	else if (!strcmp(field, "mac"))
		ctl_text_mac(bytes, text, sizeof(text));
	else if (!strcmp(field, "ip") || strstr(field, "vtep"))
		ctl_text_ip(bytes, text, sizeof(text));
	else
		ctl_text_hex(bytes, text, sizeof(text));
	ctl_json_string(out, text);
}

static void write_enum(FILE *out, const ProtobufCEnumDescriptor *type, int value)
{
	const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(type, value);

	if (v)
		ctl_json_string(out, v->name);
	else
		fprintf(out, "%d", value);
}

static bool is_utf8(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	size_t n;

	for (; *at; at += n) {
		n = utf8_len(at);
		if (!n)
			return false;
	}
	return true;
}

/* A row's texts are JSON objects themselves, and stand in the document as such. */
static void write_row_text(FILE *out, const char *text)
{
	if (text && is_utf8(text) && ctl_json_object(text, NULL, 0) >= 0)
		fputs(text, out);
	else
		ctl_json_string(out, text ? text : "");
}

static void write_value(FILE *out, const ProtobufCFieldDescriptor *f, const void *at)
{
	const char *text;

	switch (f->type) {
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		fprintf(out, "%" PRIu32, *(const uint32_t *)at);
		break;
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
		fprintf(out, "%" PRId32, *(const int32_t *)at);
		break;
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		fprintf(out, "%" PRIu64, *(const uint64_t *)at);
		break;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		fprintf(out, "%" PRId64, *(const int64_t *)at);
		break;
	case PROTOBUF_C_TYPE_FLOAT:
		fprintf(out, "%.9g", (double)*(const float *)at);
		break;
	case PROTOBUF_C_TYPE_DOUBLE:
		fprintf(out, "%.17g", *(const double *)at);
		break;
	case PROTOBUF_C_TYPE_BOOL:
		fputs(*(const protobuf_c_boolean *)at ? "true" : "false", out);
		break;
	case PROTOBUF_C_TYPE_ENUM:
		write_enum(out, f->descriptor, *(const int *)at);
		break;
	case PROTOBUF_C_TYPE_STRING:
		text = *(const char *const *)at;
		ctl_json_string(out, text ? text : "");
		break;
	case PROTOBUF_C_TYPE_BYTES:
		write_bytes(out, f->name, *(const ProtobufCBinaryData *)at);
		break;
	case PROTOBUF_C_TYPE_MESSAGE:
		ctl_json_message(out, *(const ProtobufCMessage *const *)at);
		break;
	}
}

static size_t value_size(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return 8;
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	default:
		return 4;
	}
}

static void write_list(FILE *out, const ProtobufCFieldDescriptor *f, const uint8_t *base)
{
	size_t n = *(const size_t *)(base + f->quantifier_offset);
	const uint8_t *at = *(const uint8_t *const *)(base + f->offset);

	putc('[', out);
	for (size_t i = 0; i < n; i++) {
		if (i)
			putc(',', out);
		write_value(out, f, at + i * value_size(f->type));
	}
	putc(']', out);
}

static bool is_set(const ProtobufCFieldDescriptor *f, const uint8_t *base)
{
	if (f->label == PROTOBUF_C_LABEL_REPEATED)
		return true;
	if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
		return *(const uint32_t *)(base + f->quantifier_offset) == f->id;
	return f->type != PROTOBUF_C_TYPE_MESSAGE || *(const void *const *)(base + f->offset);
}

static bool is_step_row(const ProtobufCMessageDescriptor *type, const ProtobufCFieldDescriptor *f)
{
	return type == &nve__v1__why_step__descriptor &&
	       (!strcmp(f->name, "key") || !strcmp(f->name, "value"));
}

/* The proto has no message that holds itself, so neither does this recurse without end. */
void ctl_json_message(FILE *out, const ProtobufCMessage *message)
{
	const ProtobufCMessageDescriptor *type = message->descriptor;
	const uint8_t *base = (const uint8_t *)message;
	const char *comma = "";

	putc('{', out);
	for (unsigned int i = 0; i < type->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &type->fields[i];

		if (!is_set(f, base))
			continue;
		fprintf(out, "%s\"%s\":", comma, f->name);
		comma = ",";
		if (f->label == PROTOBUF_C_LABEL_REPEATED)
			write_list(out, f, base);
		else if (type == &nve__v1__row__descriptor || is_step_row(type, f))
			write_row_text(out, *(const char *const *)(base + f->offset));
		else
			write_value(out, f, base + f->offset);
	}
	putc('}', out);
}
