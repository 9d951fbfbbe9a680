/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What else the front end decodes: the first byte chooses a call of Admin, the health check or
 * reflection, the rest is its request.
 */
#include "lib/codec_bench.h"
#include "lib/fuzz.h"
#include "session/admin.h"
#include "session/standard.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void admin(enum nve_admin_call call, const uint8_t *bytes, size_t len,
		  struct nve_arena *arena)
{
	struct nve_refusal why = { .reason = NVE_REASON_OK };
	struct nve_admin_query q;
	int r = nve_admin_decode(call, bytes, len, &bench_ports, arena, &q, &why);

	if (r < 0) {
		fuzz_check(r == -EBADMSG && why.reason != NVE_REASON_OK);
		return;
	}
	fuzz_check(memchr(q.vn_name, '\0', sizeof(q.vn_name)));
	fuzz_check(memchr(q.table, '\0', sizeof(q.table)));
	fuzz_check(q.vn_id <= NVE_VN_ID_MAX);
	fuzz_check(q.port < 4 || q.port == NVE_PORT_NONE);
	free(fuzz_text(q.frame.data, q.frame.len)); /* ASan: all of it is there */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nve_arena arena;
	struct nve_bytes out;
	int what, r;

	if (size < 1)
		return 0;
	nve_arena_init(&arena);
	what = *data++ % (NVE_ADMIN_CALLS + 2);
	size--;
	if (what < NVE_ADMIN_CALLS) {
		admin((enum nve_admin_call)what, data, size, &arena);
	} else if (what == NVE_ADMIN_CALLS) {
		r = nve_health_status(data, size, true, &arena);
		fuzz_check(r == -EBADMSG || !nve_health_reply(r, &arena, &out));
	} else {
		r = nve_reflection_reply(data, size, &arena, &out);
		fuzz_check(r == 0 || r == -EBADMSG || (r == -ENOMEM && arena.full));
	}
	nve_arena_reset(&arena);
	return 0;
}
