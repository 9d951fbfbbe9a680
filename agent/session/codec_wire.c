/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk over the wire form: what must be known before protobuf-c unpacks.
 * protobuf-c checks neither UTF-8 nor NUL in strings, and hands strings over without their length.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "session/codec_internal.h"

static bool take_varint(struct nve_wire *c, uint64_t *ret)
{
	uint64_t value = 0;

	for (unsigned int shift = 0; shift < 70 && c->at < c->end; shift += 7) {
		uint8_t byte = *c->at++;

		value |= (uint64_t)(byte & 0x7f) << (shift < 64 ? shift : 63);
		if (!(byte & 0x80)) {
			*ret = value;
			return true;
		}
	}
	return false;
}

static bool skip(struct nve_wire *c, uint64_t n)
{
	if (n > (uint64_t)(c->end - c->at))
		return false;
	c->at += n;
	return true;
}

bool nve_wire_next(struct nve_wire *c, struct nve_wire_field *f)
{
	uint64_t key;

	if (!take_varint(c, &key) || key >> 3 == 0 || key >> 3 > (1u << 29) - 1)
		return false;
	f->number = (uint32_t)(key >> 3);
	f->type = key & 7;
	switch (f->type) {
	case NVE_WIRE_VARINT:
		return take_varint(c, &f->varint);
	case NVE_WIRE_I64:
		return skip(c, 8);
	case NVE_WIRE_I32:
		return skip(c, 4);
	case NVE_WIRE_LEN:
		if (!take_varint(c, &f->varint))
			return false;
		f->data = c->at;
		f->len = f->varint;
		return skip(c, f->varint);
	}
	return false; /* groups, and what does not exist */
}

/* Length of the well-formed character at 'p', 0 if it is none or a control character. */
static size_t char_len(const uint8_t *p, size_t left)
{
	uint32_t code;
	size_t n;

	if (p[0] < 0x80)
		return p[0] >= 0x20 && p[0] != 0x7f;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (left < n)
		return 0;
	code = p[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (p[i] & 0x3f);
	}
	/* C1 controls, overlong forms, surrogates, beyond Unicode. */
	if (code < 0xa0 || (n == 3 && code < 0x800) || (n == 4 && code < 0x10000))
		return 0;
	return (code >= 0xd800 && code <= 0xdfff) || code > 0x10ffff ? 0 : n;
}

static bool is_text(const uint8_t *p, size_t len)
{
	for (size_t n; len > 0; p += n, len -= n) {
		n = char_len(p, len);
		if (!n)
			return false;
	}
	return true;
}

/* Whose strings have a reason of their own when they are not text. */
static enum nve_reason text_reason(const ProtobufCMessageDescriptor *type)
{
	if (type == &nve__v1__vn_ref__descriptor)
		return NVE_REASON_INVALID_VN;
	if (type == &nve__v1__parameter__descriptor)
		return NVE_REASON_INVALID_PARAMETER;
	return NVE_REASON_INVALID_REQUEST;
}

static int refuse(struct nve_refusal *why, enum nve_reason reason, const char *field)
{
	nve_refusal_init(why, reason);
	snprintf(why->field, sizeof(why->field), "%s", field);
	return -EBADMSG;
}

/* Puts the name of the enclosing field before the path that was found inside it. */
static void prepend(struct nve_refusal *why, const char *name)
{
	char inner[sizeof(why->field)];

	memcpy(inner, why->field, sizeof(inner));
	snprintf(why->field, sizeof(why->field), "%.24s%s%.38s", name, inner[0] ? "." : "", inner);
}

static int check_field(const ProtobufCMessageDescriptor *type, const ProtobufCFieldDescriptor *fd,
		       const struct nve_wire_field *f, uint32_t *seen, struct nve_refusal *why)
{
	uint32_t bit;
	int r;

	if (f->type != NVE_WIRE_LEN)
		return 0;
	if (fd->type == PROTOBUF_C_TYPE_STRING)
		return is_text(f->data, f->len) ? 0 : refuse(why, text_reason(type), fd->name);
	if (fd->type != PROTOBUF_C_TYPE_MESSAGE)
		return 0;
	/* Nobody's encoder writes one twice; merging them is protobuf-c's most fragile corner. */
	bit = fd->label == PROTOBUF_C_LABEL_REPEATED ? 0 : 1u << (fd->id & 31);
	if (*seen & bit)
		return refuse(why, NVE_REASON_INVALID_REQUEST, fd->name);
	*seen |= bit;
	r = nve_wire_check(fd->descriptor, f->data, f->len, why);
	if (r < 0)
		prepend(why, fd->name);
	return r;
}

int nve_wire_check(const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t len,
		   struct nve_refusal *why)
{
	struct nve_wire c = { bytes, bytes + len };
	uint32_t seen = 0;
	struct nve_wire_field f;

	while (c.at < c.end) {
		const ProtobufCFieldDescriptor *fd;
		int r;

		if (!nve_wire_next(&c, &f))
			return refuse(why, NVE_REASON_INVALID_REQUEST, "");
		fd = protobuf_c_message_descriptor_get_field(type, f.number);
		if (!fd)
			continue;
		r = check_field(type, fd, &f, &seen, why);
		if (r < 0)
			return r;
	}
	return 0;
}

uint64_t nve_wire_request_id(const uint8_t *bytes, size_t len)
{
	struct nve_wire c = { bytes, bytes + len };
	uint64_t id = 0;
	struct nve_wire_field f;

	while (c.at < c.end && nve_wire_next(&c, &f)) {
		if (f.number == 1 && f.type == NVE_WIRE_VARINT)
			id = f.varint;
	}
	return id;
}
