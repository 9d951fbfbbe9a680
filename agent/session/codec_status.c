/* SPDX-License-Identifier: Apache-2.0 */
/* Refusals: google.rpc.Status with one google.rpc.ErrorInfo, see reason.proto. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"
#include "session/codec_internal.h"

/* The canonical codes, under the names that reasons.h uses. */
enum code {
	CODE_OK = 0,
	CODE_INVALID_ARGUMENT = 3,
	CODE_DEADLINE_EXCEEDED = 4,
	CODE_NOT_FOUND = 5,
	CODE_ALREADY_EXISTS = 6,
	CODE_PERMISSION_DENIED = 7,
	CODE_RESOURCE_EXHAUSTED = 8,
	CODE_FAILED_PRECONDITION = 9,
	CODE_ABORTED = 10,
	CODE_UNIMPLEMENTED = 12,
	CODE_INTERNAL = 13,
	CODE_UNAVAILABLE = 14,
};

int nve_codec_grpc_code(enum nve_reason reason)
{
	static const uint8_t codes[] = {
#define REASON(name, number, code, text, remedy) [number] = CODE_##code,
		NVE_REASONS(REASON)
#undef REASON
	};

	return (size_t)reason < sizeof(codes) ? codes[reason] : CODE_INTERNAL;
}

static const char *state_name(uint8_t state)
{
	static const char *const names[NVE_TSI_STATES] = {
		[NVE_TSI_INIT] = "INIT",
		[NVE_TSI_ASSOCIATED] = "ASSOCIATED",
		[NVE_TSI_ACTIVATED] = "ACTIVATED",
	};

	return state < NVE_TSI_STATES ? names[state] : NULL;
}

void nve_codec_refusal(const struct nve_answer *answer, struct nve_refusal *ret)
{
	nve_refusal_init(ret, answer->reason);
	if (answer->field && !strncmp(answer->field, "parameter:", 10))
		snprintf(ret->parameter, sizeof(ret->parameter), "%s", answer->field + 10);
	else if (answer->field && answer->item != UINT16_MAX)
		snprintf(ret->field, sizeof(ret->field), "%s[%u]", answer->field, answer->item);
	else if (answer->field)
		snprintf(ret->field, sizeof(ret->field), "%s", answer->field);
	if (answer->reason == NVE_REASON_ILLEGAL_TRANSITION)
		ret->state = state_name(answer->state);
	if (answer->reason == NVE_REASON_TAG_IN_USE)
		ret->tag = answer->tag;
	if (answer->reason == NVE_REASON_NO_RESOURCES) {
		ret->resource = nve_resource_name(answer->resource);
		ret->used = answer->used;
		ret->max = answer->max;
	}
}

/* The message for developers: the reason's text, and what it speaks of. */
static void write_message(const struct nve_refusal *why, char *out, size_t size)
{
	int n = snprintf(out, size, "%s", nve_reason_text(why->reason));

	if (why->field[0])
		n += snprintf(out + n, size - n, "; field %s", why->field);
	if (why->parameter[0])
		n += snprintf(out + n, size - n, "; parameter '%s'", why->parameter);
	if (why->state)
		n += snprintf(out + n, size - n, "; it is %s", why->state);
	if (why->tag > 0)
		n += snprintf(out + n, size - n, "; tag %d is free", why->tag);
	else if (why->tag == 0)
		n += snprintf(out + n, size - n, "; no tag is free");
	if (why->resource)
		snprintf(out + n, size - n, "; %s: %" PRIu64 " of %" PRIu64, why->resource,
			 why->used, why->max);
}

enum { METADATA_MAX = 8 };

struct error_info {
	Google__Rpc__ErrorInfo msg;
	Google__Rpc__ErrorInfo__MetadataEntry entries[METADATA_MAX];
	Google__Rpc__ErrorInfo__MetadataEntry *list[METADATA_MAX];
	char tag[12], used[24], max[24];
};

static void put(struct error_info *info, const char *key, const char *value)
{
	Google__Rpc__ErrorInfo__MetadataEntry *e = &info->entries[info->msg.n_metadata];

	google__rpc__error_info__metadata_entry__init(e);
	e->key = (char *)key;
	e->value = (char *)value;
	info->list[info->msg.n_metadata++] = e;
}

static void fill_error_info(const struct nve_refusal *why, struct error_info *info)
{
	google__rpc__error_info__init(&info->msg);
	info->msg.reason = (char *)nve_reason_name(why->reason);
	info->msg.domain = (char *)"nve.v1";
	info->msg.metadata = info->list;
	if (nve_reason_remedy(why->reason)[0])
		put(info, "remedy", nve_reason_remedy(why->reason));
	if (why->field[0])
		put(info, "field", why->field);
	if (why->parameter[0])
		put(info, "parameter", why->parameter);
	if (why->state)
		put(info, "state", why->state);
	if (why->tag >= 0) {
		snprintf(info->tag, sizeof(info->tag), "%d", why->tag);
		put(info, "tag", info->tag);
	}
	if (why->resource) {
		snprintf(info->used, sizeof(info->used), "%" PRIu64, why->used);
		snprintf(info->max, sizeof(info->max), "%" PRIu64, why->max);
		put(info, "resource", why->resource);
		put(info, "used", info->used);
		put(info, "max", info->max);
	}
}

/* A google.rpc.Status that lives in the arena; NULL if that is full. */
static Google__Rpc__Status *make_status(const struct nve_refusal *why, struct nve_arena *arena)
{
	enum { MESSAGE_MAX = 384 };
	struct {
		Google__Rpc__Status status;
		Google__Protobuf__Any any, *list[1];
		char message[MESSAGE_MAX];
	} *s = nve_arena_alloc(arena, sizeof(*s));
	struct error_info info;
	struct nve_bytes packed;

	if (!s)
		return NULL;
	fill_error_info(why, &info);
	if (nve_codec_pack(&info.msg.base, arena, &packed) < 0)
		return NULL;
	google__protobuf__any__init(&s->any);
	s->any.type_url = (char *)"type.googleapis.com/google.rpc.ErrorInfo";
	s->any.value.data = packed.data;
	s->any.value.len = packed.len;
	s->list[0] = &s->any;
	google__rpc__status__init(&s->status);
	write_message(why, s->message, sizeof(s->message));
	s->status.code = nve_codec_grpc_code(why->reason);
	s->status.message = s->message;
	s->status.n_details = 1;
	s->status.details = s->list;
	return &s->status;
}

int nve_codec_status(const struct nve_refusal *why, struct nve_arena *arena, struct nve_bytes *ret,
		     const char **message)
{
	Google__Rpc__Status *status = make_status(why, arena);

	if (!status)
		return -ENOMEM;
	if (message)
		*message = status->message;
	return nve_codec_pack(&status->base, arena, ret);
}

int nve_codec_session_refusal(uint64_t request_id, const struct nve_refusal *why,
			      struct nve_arena *arena, struct nve_bytes *ret)
{
	Nve__V1__Answer answer = NVE__V1__ANSWER__INIT;
	Nve__V1__SessionReply reply = NVE__V1__SESSION_REPLY__INIT;

	answer.request_id = request_id;
	answer.status = make_status(why, arena);
	if (!answer.status)
		return -ENOMEM;
	reply.reply_case = NVE__V1__SESSION_REPLY__REPLY_ANSWER;
	reply.answer = &answer;
	return nve_codec_pack(&reply.base, arena, ret);
}
