/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to a datapath, held against what its live programs do.  See dp_ask.h. */
#include "lib/dp_ask.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dp/ebpf_tables.h"

/* --- asking ---------------------------------------------------------------------------------- */

void dp_ask_step(void *arg, const struct nve_dp_step *step)
{
	struct said *s = arg;
	size_t n = strlen(s->tables);

	snprintf(s->tables + n, sizeof(s->tables) - n, "%s%s%s", n ? " " : "", step->table,
		 step->value[0] ? "" : "!");
	s->sent += step->copy == NVE_DP_COPY_SENT;
	s->lost += step->copy == NVE_DP_COPY_LOST;
	assert_int_equal(step->key[0], '{');
	assert_true(!step->value[0] || step->value[0] == '{');
	snprintf(s->last_key, sizeof(s->last_key), "%s", step->key);
	snprintf(s->last_value, sizeof(s->last_value), "%s", step->value);
}

static int hash_row(struct nve_dp *dp, void *arg, const void *key, const void *value)
{
	uint64_t *h = ((uint64_t **)arg)[0];
	const struct nve_ebpf_buffer *b = ((struct nve_ebpf_buffer **)arg)[1];

	(void)dp;
	for (uint32_t i = 0; i < b->key_size; i++)
		*h = (*h ^ ((const uint8_t *)key)[i]) * 0x100000001b3;
	for (uint32_t i = 0; i < b->value_size; i++)
		*h = (*h ^ ((const uint8_t *)value)[i]) * 0x100000001b3;
	return 0;
}

/* All that is in the tables, counters of all CPUs and 'seen' included. */
uint64_t dp_ask_tables(struct dpw *w)
{
	uint64_t h = 0xcbf29ce484222325;

	for (int i = 0; i < NVE_MAPS; i++) {
		void *arg[] = { &h, &w->dp->buffer[i] };

		/* Large and mostly empty: what is in use is hashed below. */
		if (i != NVE_MAP_VAP && i != NVE_MAP_NEAR_VN)
			assert_int_equal(nve_ebpf_each(w->dp, i, hash_row, arg), 0);
	}
	for (size_t i = 0; i < (size_t)NVE_VID_COUNT * NVE_NEAR_PORTS; i++)
		if (w->dp->near_vn[i].number)
			h = (h ^ w->dp->near_vn[i].number ^ i << 32) * 0x100000001b3;
	for (size_t i = 0; i < (size_t)NVE_VID_COUNT * (U0 + 1) * sizeof(*w->dp->vap); i++)
		h = (h ^ ((const uint8_t *)w->dp->vap)[i]) * 0x100000001b3;
	return h;
}

static uint64_t frames_sent(void)
{
	static const char *const names[] = { "a0", "a1", "u0" };
	char line[512], name[32];
	uint64_t sum = 0, sent;
	FILE *f = fopen("/proc/thread-self/net/dev", "re");

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		for (int i = 0; i < 3; i++)
			if (sscanf(line, " %31[^:]: %*u %*u %*u %*u %*u %*u %*u %*u %*u %lu", name,
				   &sent) == 2 &&
			    !strcmp(name, names[i]))
				sum += sent;
	fclose(f);
	return sum;
}

/* Asks; that must have changed nothing. */
struct said *dp_ask_bytes(struct dpw *w, uint16_t port, const uint8_t *bytes, size_t len)
{
	static struct said s;
	uint64_t tables = dp_ask_tables(w), sent = frames_sent();

	memset(&s, 0, sizeof(s));
	assert_int_equal(w->ops->why(w->dp, port, bytes, len, &s.why, dp_ask_step, &s), 0);
	assert_true(dp_ask_tables(w) == tables);
	assert_int_equal(frames_sent(), sent);
	return &s;
}

struct said *dp_ask(struct dpw *w, uint16_t port, const struct frame *f)
{
	return dp_ask_bytes(w, port, f->bytes, f->len);
}

/* --- the live programs ----------------------------------------------------------------------- */

struct counted {
	uint64_t n[64], sum;
	const char *names[64];
	int i;
};

static void take_drop(void *arg, const char *name, const char *text, uint64_t frames)
{
	struct counted *c = arg;

	(void)text;
	c->names[c->i] = name;
	c->sum += frames;
	c->n[c->i++] = frames;
}

/* What the live programs do with the frame: a verdict, and the reason they count. */
uint8_t dp_ask_live(struct dpw *w, uint16_t port, const struct frame *f, struct frame *out,
		    const char **reason)
{
	enum { XDP_PASSED = 2, XDP_SENT = 4, TC_PASSED = 0, TC_SENT = 7 };
	uint8_t role = port == U0 ? NVE_DP_UNDERLAY : NVE_DP_ACCESS;
	struct counted before = { 0 }, after = { 0 };
	uint32_t ifindex = w->dp->ports[port].ifindex;
	uint64_t looping = dp_probe_on_loop(w);
	int r = XDP_PASSED;

	w->ops->drops(w->dp, take_drop, &before);
	if (w->mode == NVE_DP_XDP)
		r = dp_probe_run(w, role, NVE_DP_XDP, ifindex, f, out);
	if (dp_probe_on_loop(w) != looping) {
		dp_probe_turn_loop(w, looping, out);
		r = 0;
	}
	if (r == XDP_PASSED) {
		r = dp_probe_run(w, role, NVE_DP_TC, ifindex, f, out);
		r = r == TC_SENT ? XDP_SENT : r == TC_PASSED ? XDP_PASSED : 0;
	}
	w->ops->drops(w->dp, take_drop, &after);
	*reason = "";
	for (int i = 0; i < after.i; i++)
		if (after.n[i] != before.n[i])
			*reason = after.names[i];
	if (r == XDP_SENT)
		return NVE_DP_FORWARDED;
	if (r == XDP_PASSED)
		return NVE_DP_TO_HOST;
	return after.sum != before.sum ? NVE_DP_DROPPED : NVE_DP_FLOODED;
}

/* A test run shows no tag that TC keeps beside the frame, so it may lack in what is live. */
static bool same_frame(const struct said *s, const struct frame *out)
{
	const uint8_t *got = s->why.out;
	size_t n = s->why.n_out;

	if (n == out->len)
		return !memcmp(got, out->bytes, n);
	return n == out->len + 4 && !memcmp(got, out->bytes, 12) && got[12] == 0x81 && !got[13] &&
	       !memcmp(got + 16, out->bytes + 12, n - 16);
}

static int add_row(struct nve_dp *dp, void *arg, const void *key, const void *value)
{
	(void)key;
	for (uint32_t cpu = 0; cpu < dp->n_cpus; cpu++)
		*(uint64_t *)arg += ((const uint64_t *)value)[cpu];
	return 0;
}

static uint64_t answers(struct dpw *w)
{
	uint64_t sum = 0;

	assert_int_equal(nve_ebpf_each(w->dp, NVE_MAP_ANSWERS, add_row, &sum), 0);
	return sum;
}

/* Asks, then lets it happen: the same must come of it. */
struct said *dp_ask_agrees(struct dpw *w, uint16_t port, const struct frame *f)
{
	struct said *s = dp_ask(w, port, f);
	const char *reason;
	struct frame out = { 0 };
	uint64_t before = answers(w);
	uint8_t verdict = dp_ask_live(w, port, f, &out, &reason);

	/* It goes out by what is counted as an answer. */
	if (verdict == NVE_DP_FORWARDED && answers(w) != before)
		verdict = NVE_DP_ANSWERED;
	if (verdict != s->why.verdict || strcmp(reason, s->why.reason))
		fail_msg("why says %d %s, live is %d %s", s->why.verdict, s->why.reason, verdict,
			 reason);
	if (verdict == NVE_DP_FORWARDED || verdict == NVE_DP_ANSWERED)
		assert_true(same_frame(s, &out));
	return s;
}

/* Takes the keys of all lines out, or puts them back. */
static void swap_lines(struct dpw *w, uint64_t *keys)
{
	uint32_t rows = w->dp->n_lines + w->dp->shadow.limits.max_tsis;

	for (size_t i = 0; i < (size_t)w->dp->n_cpus * w->dp->n_lines; i++) {
		struct nve_tsi_stats *s =
			&w->dp->stats[i / w->dp->n_lines * rows + i % w->dp->n_lines];
		uint64_t key = s->key;

		s->key = keys[i];
		keys[i] = key;
	}
}

bool dp_ask_near_agrees(struct dpw *w, uint16_t port, const struct frame *f)
{
	size_t size = (w->dp->near_mask + 1) * sizeof(*w->dp->near);
	uint64_t *keys = calloc((size_t)w->dp->n_cpus * w->dp->n_lines, sizeof(*keys));
	void *there = malloc(size);
	struct frame with = { 0 }, without = { 0 };
	const char *why_with, *why_without;
	uint8_t a, b;

	assert_non_null(there);
	assert_non_null(keys);
	a = dp_ask_live(w, port, f, &with, &why_with);
	memcpy(there, w->dp->near, size);
	memset(w->dp->near, 0, size);
	swap_lines(w, keys);
	b = dp_ask_live(w, port, f, &without, &why_without);
	memcpy(w->dp->near, there, size);
	swap_lines(w, keys);
	free(there);
	free(keys);
	if (a != b || strcmp(why_with, why_without))
		return false;
	return a != NVE_DP_FORWARDED ||
	       (with.len == without.len && !memcmp(with.bytes, without.bytes, with.len));
}
