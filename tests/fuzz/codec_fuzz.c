/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The codec: the first byte chooses the message (one beyond them: a SessionRequest), the rest is
 * its bytes.  What decodes keeps the promises of event.h, and has a reply that can be encoded.
 */
#include "lib/codec_bench.h"
#include "lib/fuzz.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Answers of all kinds, chosen by what the message happens to hold. */
static void answer(struct nve_decoded *d, uint32_t salt)
{
	for (uint32_t i = 0; i < d->n_requests; i++) {
		struct nve_answer *a = &d->requests[i].req.answer;

		memset(a, 0, sizeof(*a));
		a->reason = (salt + i) % 3 ? NVE_REASON_OK : NVE_REASON_NO_RESOURCES;
		a->resource = NVE_RES_TAGS;
		a->state = (uint8_t)(salt % NVE_TSI_STATES);
		a->vn_id = salt;
		a->tag = (uint16_t)(salt & 0xfff);
	}
}

static void reply(struct bench *b, bool session, uint32_t salt)
{
	static const struct nve_codec_vn vn = { "blue", 1450 };
	struct nve_bytes bytes;
	int r;

	answer(&b->out, salt);
	if (session) {
		if (b->out.method < NVE_UNARY_METHODS)
			fuzz_check(!nve_codec_session_answer(&b->out, &vn, &b->arena, &bytes) ||
				   b->arena.full);
		return;
	}
	r = nve_codec_reply(&b->out, &vn, &b->arena, &bytes, &b->why);
	fuzz_check(r == 0 || r == -EREMOTE || (r == -ENOMEM && b->arena.full));
}

static void refuse(struct bench *b)
{
	struct nve_bytes bytes;
	const char *message;

	fuzz_check(b->why.reason != NVE_REASON_OK);
	nve_arena_reset(&b->arena);
	fuzz_check(!nve_codec_status(&b->why, &b->arena, &bytes, &message));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct bench *b;
	enum nve_method method;
	uint32_t salt;
	int r;

	if (!b) {
		fuzz_asserts_abort();
		fuzz_check(!bench_setup((void **)&b));
	}
	if (size < 2)
		return 0;
	method = data[0] % (NVE_UNARY_METHODS + 1);
	if (method == NVE_UNARY_METHODS)
		method = NVE_METHOD_NONE;
	salt = data[size - 1];
	r = bench_decode_bytes(b, method, data + 1, size - 1);
	fuzz_check(b->arena.total <= NVE_ARENA_LIMIT);
	if (r == 0) {
		bench_check_promises(&b->out);
		reply(b, method == NVE_METHOD_NONE, salt);
	} else {
		fuzz_check(r == -EBADMSG);
		refuse(b);
	}
	nve_arena_reset(&b->arena);
	return 0;
}
