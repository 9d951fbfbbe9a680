/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The codec against bytes that nobody's encoder wrote, and the replies it writes itself.
 * What decodes keeps the promises of event.h; what does not has a reason; ASan watches.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"
#include "lib/codec_bench.h"

static uint64_t seed = 0x9e3779b97f4a7c15u;

static uint32_t random32(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 32);
}

static void decode_anything(struct bench *b, enum nve_method m, const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);
	int r;

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	r = bench_decode_bytes(b, m, copy, len);
	free(copy);
	if (r == 0) {
		bench_check_promises(&b->out);
		return;
	}
	assert_int_equal(r, -EBADMSG);
	assert_true(b->why.reason != NVE_REASON_OK);
}

static void random_bytes_are_refused_or_keep_the_promises(void **state)
{
	struct bench *b = *state;
	uint8_t *bytes = malloc(10000);

	assert_non_null(bytes);
	for (enum nve_method m = 0; m <= NVE_METHOD_NONE; m++) {
		for (int i = 0; i < 10000; i++)
			bytes[i] = (uint8_t)random32();
		decode_anything(b, m, bytes, 10000);
		for (int i = 0; i < 1000; i++)
			decode_anything(b, m, bytes + random32() % 9900, random32() % 100);
	}
	free(bytes);
}

static void every_truncation_and_bit_flip_of_a_valid_message_is_safe(void **state)
{
	struct bench *b = *state;

	for (enum nve_method m = 0; m < NVE_METHOD_NONE; m++) {
		uint8_t *bytes;
		size_t len;

		for (int session = 0; session < 2; session++) {
			bench_session(b, m);
			bytes = bench_pack(session ? &b->session.base : bench_message(b, m), &len);
			for (size_t n = 0; n < len; n++)
				decode_anything(b, session ? NVE_METHOD_NONE : m, bytes, n);
			for (size_t bit = 0; bit < 8 * len; bit++) {
				bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
				decode_anything(b, session ? NVE_METHOD_NONE : m, bytes, len);
				bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
			}
			free(bytes);
		}
	}
}

static void a_message_of_empty_parts_cannot_take_more_than_the_arena(void **state)
{
	struct bench *b = *state;
	size_t len = 4 << 20;
	uint8_t *bytes = calloc(1, len);

	assert_non_null(bytes);
	for (size_t i = 0; i < len; i += 2)
		bytes[i] = 0x12; /* addresses, length 0 */
	assert_int_equal(bench_decode_bytes(b, NVE_METHOD_ASSOCIATE, bytes, len), -EBADMSG);
	assert_int_equal(b->why.reason, NVE_REASON_TOO_LARGE);
	assert_true(b->arena.total <= NVE_ARENA_LIMIT);
	free(bytes);
}

static void a_refusal_carries_code_reason_and_metadata_S94(void **state)
{
	struct bench *b = *state;
	struct nve_answer answer = {
		.reason = NVE_REASON_NO_RESOURCES, .resource = NVE_RES_TSIS, .used = 10, .max = 10
	};
	Google__Rpc__ErrorInfo *info;
	Google__Rpc__Status *status;
	struct nve_bytes bytes;
	const char *message;

	nve_codec_refusal(&answer, &b->why);
	assert_int_equal(nve_codec_status(&b->why, &b->arena, &bytes, &message), 0);
	assert_string_equal(message, "a table or pool of this NVE is full; tsis: 10 of 10");
	status = google__rpc__status__unpack(NULL, bytes.len, bytes.data);
	assert_non_null(status);
	assert_int_equal(status->code, 8);
	assert_int_equal(status->n_details, 1);
	assert_string_equal(status->details[0]->type_url,
			    "type.googleapis.com/google.rpc.ErrorInfo");
	info = google__rpc__error_info__unpack(NULL, status->details[0]->value.len,
					       status->details[0]->value.data);
	assert_non_null(info);
	assert_string_equal(info->reason, "NO_RESOURCES");
	assert_string_equal(info->domain, "nve.v1");
	assert_int_equal(info->n_metadata, 4);
	assert_string_equal(info->metadata[1]->key, "resource");
	assert_string_equal(info->metadata[1]->value, "tsis");
	google__rpc__error_info__free_unpacked(info, NULL);
	google__rpc__status__free_unpacked(status, NULL);
}

static void the_longest_refusal_fits_its_message(void **state)
{
	struct bench *b = *state;
	struct nve_bytes bytes;

	for (int reason = 1; reason <= NVE_REASON_GLEANING_CONFLICT; reason++) {
		memset(&b->why, 0, sizeof(b->why));
		b->why.reason = (enum nve_reason)reason;
		memset(b->why.field, 'f', sizeof(b->why.field) - 1);
		memset(b->why.parameter, 'p', sizeof(b->why.parameter) - 1);
		b->why.resource = "addresses";
		b->why.used = b->why.max = UINT64_MAX;
		b->why.state = "ASSOCIATED";
		b->why.tag = 4094;
		nve_arena_reset(&b->arena);
		assert_int_equal(nve_codec_status(&b->why, &b->arena, &bytes, NULL), 0);
		assert_int_not_equal(nve_codec_grpc_code(b->why.reason), 0);
	}
	assert_int_equal(nve_codec_grpc_code((enum nve_reason)9999), 13);
}

static void a_batch_reply_lists_failures_of_codec_and_engine_by_place(void **state)
{
	struct bench *b = *state;
	Nve__V1__TsiKey bad = b->key;
	Nve__V1__KeepaliveReply *reply;
	struct nve_bytes bytes;

	bad.port = (char *)"nowhere";
	b->tsi_list[0] = b->tsi_list[4] = &bad;
	b->keepalive.n_tsis = 5;
	assert_int_equal(bench_decode(b, NVE_METHOD_KEEPALIVE), 0);
	b->out.requests[1].req.answer.reason = NVE_REASON_UNKNOWN_TSI; /* place 2 */
	assert_int_equal(nve_codec_reply(&b->out, NULL, &b->arena, &bytes, &b->why), 0);
	reply = nve__v1__keepalive_reply__unpack(NULL, bytes.len, bytes.data);
	assert_non_null(reply);
	assert_int_equal(reply->n_failures, 3);
	assert_int_equal(reply->failures[0]->index, 0);
	assert_int_equal(reply->failures[1]->index, 2);
	assert_int_equal(reply->failures[1]->reason, NVE__V1__REASON__REASON_UNKNOWN_TSI);
	assert_int_equal(reply->failures[2]->index, 4);
	assert_int_equal(reply->failures[2]->reason, NVE__V1__REASON__REASON_UNKNOWN_PORT);
	nve__v1__keepalive_reply__free_unpacked(reply, NULL);
}

static void an_answer_says_all_that_the_engine_said(void **state)
{
	struct bench *b = *state;
	Nve__V1__SessionReply *reply;
	struct nve_bytes bytes;
	Nve__V1__TsiReply *tsi;

	bench_session(b, NVE_METHOD_ACTIVATE);
	assert_int_equal(bench_decode_session(b), 0);
	b->out.requests[0].req.answer = (struct nve_answer){ .state = NVE_TSI_ACTIVATED,
							     .unchanged = true,
							     .tag = 12,
							     .vn_id = 7001,
							     .keepalive_ms = 300000,
							     .keepactive_ms = 30000,
							     .epoch = 1ull << 40 };
	assert_int_equal(nve_codec_session_answer(&b->out, NULL, &b->arena, &bytes), 0);
	reply = nve__v1__session_reply__unpack(NULL, bytes.len, bytes.data);
	assert_non_null(reply);
	assert_int_equal(reply->reply_case, NVE__V1__SESSION_REPLY__REPLY_ANSWER);
	assert_int_equal(reply->answer->request_id, 4711);
	assert_null(reply->answer->status);
	assert_int_equal(reply->answer->reply_case, NVE__V1__ANSWER__REPLY_TSI);
	tsi = reply->answer->tsi;
	assert_int_equal(tsi->state, NVE__V1__TSI_STATE__TSI_STATE_ACTIVATED);
	assert_int_equal(tsi->tag, 12);
	assert_int_equal(tsi->vn_id, 7001);
	assert_int_equal(tsi->keepalive_ms, 300000);
	assert_int_equal(tsi->keepactive_ms, 30000);
	assert_true(tsi->epoch == 1ull << 40);
	assert_true(tsi->unchanged);
	nve__v1__session_reply__free_unpacked(reply, NULL);
}

static void the_longest_event_fits_and_every_kind_comes_back(void **state)
{
	static const int cases[] = { [NVE_NOTICE_TSI_STATE] = NVE__V1__EVENT__EVENT_TSI_STATE,
				     [NVE_NOTICE_TSI_UPDATED] = NVE__V1__EVENT__EVENT_TSI_UPDATED,
				     [NVE_NOTICE_VN_CONNECTED] = NVE__V1__EVENT__EVENT_VN_CONNECTED,
				     [NVE_NOTICE_VN_DISCONNECTED] =
					     NVE__V1__EVENT__EVENT_VN_DISCONNECTED,
				     [NVE_NOTICE_DUPLICATE] =
					     NVE__V1__EVENT__EVENT_DUPLICATE_ADDRESS };
	char name[NVE_NAME_MAX + 1];
	struct nve_engine_event ev = { .seq = UINT64_MAX,
				       .realtime_ns = UINT64_MAX,
				       .client = name };
	struct nve_codec_event e = { .event = &ev, .port = name, .new_port = name };
	uint8_t out[NVE_CODEC_EVENT_BYTES];

	(void)state;
	memset(name, 'n', NVE_NAME_MAX);
	name[NVE_NAME_MAX] = '\0';
	memset(&ev.notice.key, 0xff, sizeof(ev.notice.key));
	for (int kind = 0; kind < (int)(sizeof(cases) / sizeof(cases[0])); kind++) {
		Nve__V1__SessionReply *reply;
		Nve__V1__Event *msg;
		size_t len;

		ev.notice.kind = (uint8_t)kind;
		e.session = false;
		len = nve_codec_event(&e, out);
		assert_true(len > 0);
		msg = nve__v1__event__unpack(NULL, len, out);
		assert_non_null(msg);
		assert_int_equal(msg->event_case, cases[kind]);
		assert_string_equal(msg->client, name);
		nve__v1__event__free_unpacked(msg, NULL);
		e.session = true;
		len = nve_codec_event(&e, out);
		reply = nve__v1__session_reply__unpack(NULL, len, out);
		assert_non_null(reply);
		assert_int_equal(reply->event->event_case, cases[kind]);
		nve__v1__session_reply__free_unpacked(reply, NULL);
	}
}

static void the_arena_gives_disjoint_aligned_pieces_up_to_its_ceiling(void **state)
{
	struct bench *b = *state;
	uint8_t *last = NULL;
	size_t n = 0;

	nve_arena_reset(&b->arena);
	for (;; n++) {
		uint8_t *p = nve_arena_alloc(&b->arena, 1000);

		if (!p)
			break;
		assert_int_equal((uintptr_t)p % 16, 0);
		assert_ptr_not_equal(p, last);
		memset(p, 0x5a, 1000);
		last = p;
	}
	assert_true(b->arena.full);
	assert_true(n >= 1000 && n <= (NVE_ARENA_LIMIT + NVE_ARENA_INLINE) / 1000);
	assert_null(nve_arena_zalloc(&b->arena, SIZE_MAX / 2, 3));
	nve_arena_reset(&b->arena);
	assert_non_null(nve_arena_alloc(&b->arena, 1000));
	assert_false(b->arena.full);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, bench_setup, bench_teardown)
	const struct CMUnitTest tests[] = {
		T(random_bytes_are_refused_or_keep_the_promises),
		T(every_truncation_and_bit_flip_of_a_valid_message_is_safe),
		T(a_message_of_empty_parts_cannot_take_more_than_the_arena),
		T(a_refusal_carries_code_reason_and_metadata_S94),
		T(the_longest_refusal_fits_its_message),
		T(a_batch_reply_lists_failures_of_codec_and_engine_by_place),
		T(an_answer_says_all_that_the_engine_said),
		T(the_longest_event_fits_and_every_kind_comes_back),
		T(the_arena_gives_disjoint_aligned_pieces_up_to_its_ceiling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
