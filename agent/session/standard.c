/* SPDX-License-Identifier: Apache-2.0 */
/* Health and reflection: what they say is known when the agent is built. */
#include "session/standard.h"

#include <errno.h>
#include <string.h>

#include "descriptors.h"
#include "grpc/health/v1/health.pb-c.h"
#include "grpc/reflection/v1/reflection.pb-c.h"
#include "session/codec_internal.h"

static const char *const services[] = {
	"nve.v1.Signaling",
	"nve.v1.Admin",
	"grpc.health.v1.Health",
	"grpc.reflection.v1.ServerReflection",
	"grpc.reflection.v1alpha.ServerReflection",
};

enum {
	N_SERVICES = sizeof(services) / sizeof(services[0]),
	N_OURS = 2, /* those whose health is told, with "" for all of it */
	N_FILES = sizeof(nve_descriptors) / sizeof(nve_descriptors[0]),
	/* Canonical gRPC codes, which an ErrorResponse holds. */
	CODE_NOT_FOUND = 5,
	CODE_UNIMPLEMENTED = 12,
};

static void *unpack(const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t len,
		    struct nve_arena *arena)
{
	struct nve_refusal why;

	if (nve_wire_check(type, bytes, len, &why) < 0)
		return NULL;
	return protobuf_c_message_unpack(type, &arena->pb, len, bytes);
}

int nve_health_status(const uint8_t *bytes, size_t len, bool serving, struct nve_arena *arena)
{
	const Grpc__Health__V1__HealthCheckRequest *m =
		unpack(&grpc__health__v1__health_check_request__descriptor, bytes, len, arena);
	bool known;

	if (!m)
		return -EBADMSG;
	known = !m->service[0];
	for (int i = 0; i < N_OURS; i++)
		known |= strcmp(m->service, services[i]) == 0;
	if (!known)
		return NVE_HEALTH_UNKNOWN;
	return serving ? NVE_HEALTH_SERVING : NVE_HEALTH_NOT_SERVING;
}

int nve_health_reply(int status, struct nve_arena *arena, struct nve_bytes *ret)
{
	Grpc__Health__V1__HealthCheckResponse m = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;

	m.status = (Grpc__Health__V1__HealthCheckResponse__ServingStatus)status;
	return nve_codec_pack(&m.base, arena, ret);
}

/* Numbers of descriptor.proto. */
enum {
	FILE_PACKAGE = 2,
	FILE_MESSAGE = 4,
	FILE_ENUM = 5,
	FILE_SERVICE = 6,
	ANY_NAME = 1,
	MESSAGE_NESTED = 3,
	MESSAGE_ENUM = 4,
	ANY_CHILD = 2, /* a field, an enum's value, a method */
};

/* Takes 'name' and what separates it off 'symbol'; NULL if it does not begin so. */
static const char *after(const char *symbol, const struct nve_wire_field *name)
{
	if (strncmp(symbol, (const char *)name->data, name->len) != 0)
		return NULL;
	symbol += name->len;
	return *symbol == '\0' ? symbol : *symbol == '.' ? symbol + 1 : NULL;
}

static bool get(const struct nve_wire_field *in, uint32_t number, struct nve_wire_field *ret)
{
	struct nve_wire w = { in->data, in->data + in->len };

	while (w.at < w.end && nve_wire_next(&w, ret)) {
		if (ret->number == number && ret->type == NVE_WIRE_LEN)
			return true;
	}
	return false;
}

/* Whether 'symbol' is the thing 'it' (a message, enum, service, field or method) or inside it. */
static bool names(const char *symbol, const struct nve_wire_field *it, bool is_message)
{
	struct nve_wire w = { it->data, it->data + it->len };
	struct nve_wire_field name, f;
	const char *rest;

	if (!get(it, ANY_NAME, &name))
		return false;
	rest = after(symbol, &name);
	if (!rest || *rest == '\0')
		return rest != NULL;
	while (w.at < w.end && nve_wire_next(&w, &f)) {
		bool nested = is_message && f.number == MESSAGE_NESTED;
		bool leaf = f.number == ANY_CHILD || (is_message && f.number == MESSAGE_ENUM);

		if (f.type == NVE_WIRE_LEN && (nested || leaf) && names(rest, &f, nested))
			return true;
	}
	return false;
}

static bool file_has(const struct nve_wire_field *file, const char *symbol)
{
	struct nve_wire w = { file->data, file->data + file->len };
	struct nve_wire_field package, f;
	const char *rest;

	if (!get(file, FILE_PACKAGE, &package))
		return false;
	rest = after(symbol, &package);
	if (!rest || *rest == '\0')
		return false;
	while (w.at < w.end && nve_wire_next(&w, &f)) {
		if (f.type != NVE_WIRE_LEN)
			continue;
		if (f.number != FILE_MESSAGE && f.number != FILE_ENUM && f.number != FILE_SERVICE)
			continue;
		if (names(rest, &f, f.number == FILE_MESSAGE))
			return true;
	}
	return false;
}

static int file_of_name(const char *filename)
{
	for (int i = 0; i < N_FILES; i++)
		if (strcmp(filename, nve_descriptors[i].path) == 0)
			return i;
	return -1;
}

static int file_of_symbol(const char *symbol)
{
	for (int i = 0; i < N_FILES; i++) {
		struct nve_wire_field file = { .data = nve_descriptors[i].data,
					       .len = nve_descriptors[i].len };

		if (file_has(&file, symbol))
			return i;
	}
	return -1;
}

/* A response with all that it may point to. */
struct response {
	Grpc__Reflection__V1__ServerReflectionResponse msg;
	Grpc__Reflection__V1__ErrorResponse error;
	Grpc__Reflection__V1__FileDescriptorResponse file;
	ProtobufCBinaryData data;
	Grpc__Reflection__V1__ListServiceResponse list;
	Grpc__Reflection__V1__ServiceResponse service[N_SERVICES], *service_list[N_SERVICES];
};

static void fill_error(struct response *r, int code, const char *text)
{
	grpc__reflection__v1__error_response__init(&r->error);
	r->error.error_code = code;
	r->error.error_message = (char *)text;
	r->msg.message_response_case =
		GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE;
	r->msg.error_response = &r->error;
}

static void fill_file(struct response *r, int i)
{
	if (i < 0) {
		fill_error(r, CODE_NOT_FOUND, "not found");
		return;
	}
	grpc__reflection__v1__file_descriptor_response__init(&r->file);
	r->data.data = (uint8_t *)nve_descriptors[i].data;
	r->data.len = nve_descriptors[i].len;
	r->file.n_file_descriptor_proto = 1;
	r->file.file_descriptor_proto = &r->data;
	r->msg.message_response_case =
		GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE;
	r->msg.file_descriptor_response = &r->file;
}

static void fill_list(struct response *r)
{
	grpc__reflection__v1__list_service_response__init(&r->list);
	for (int i = 0; i < N_SERVICES; i++) {
		grpc__reflection__v1__service_response__init(&r->service[i]);
		r->service[i].name = (char *)services[i];
		r->service_list[i] = &r->service[i];
	}
	r->list.n_service = N_SERVICES;
	r->list.service = r->service_list;
	r->msg.message_response_case =
		GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_LIST_SERVICES_RESPONSE;
	r->msg.list_services_response = &r->list;
}

int nve_reflection_reply(const uint8_t *bytes, size_t len, struct nve_arena *arena,
			 struct nve_bytes *ret)
{
	Grpc__Reflection__V1__ServerReflectionRequest *m = unpack(
		&grpc__reflection__v1__server_reflection_request__descriptor, bytes, len, arena);
	struct response r;

	if (!m)
		return -EBADMSG;
	grpc__reflection__v1__server_reflection_response__init(&r.msg);
	r.msg.valid_host = m->host;
	r.msg.original_request = m;
	switch (m->message_request_case) {
	case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME:
		fill_file(&r, file_of_name(m->file_by_filename));
		break;
	case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL:
		fill_file(&r, file_of_symbol(m->file_containing_symbol));
		break;
	case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES:
		fill_list(&r);
		break;
	default: /* proto3 has no extensions */
		fill_error(&r, CODE_UNIMPLEMENTED, "no extensions here");
		break;
	}
	return nve_codec_pack(&r.msg.base, arena, ret);
}
