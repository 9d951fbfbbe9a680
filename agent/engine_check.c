/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The check of the datapath, D11 and D18.  In the background a pass is cut into slices short enough
 * for the loop, and spread out by the rate; nobody waits for it.
 */
#include <string.h>
#include <time.h>

#include "engine_internal.h"
#include "log.h"

enum {
	SLICE_ROWS = 256, /* a third of a millisecond, with 100,000 TSIs */
	LOGS_MAX = 20,    /* differences that are logged in LOGS_NS; the others are counted */
	TEXT_MAX = 240,   /* of a row in the log */
};
#define LOGS_NS (10 * NVE_SEC_NS)

struct teller {
	struct nve_engine *e;
	nve_dp_diff_fn *fn; /* may be NULL */
	void *arg;
};

static uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NVE_SEC_NS + (uint64_t)now.tv_nsec;
}

static void count(struct nve_engine_checks *c, const struct nve_dp_diff *diff)
{
	int i = 0;

	while (i < NVE_CHECK_TABLES - 1 && c->tables[i].table &&
	       strcmp(c->tables[i].table, diff->table) != 0)
		i++;
	if (!c->tables[i].table)
		c->tables[i].table = diff->table;
	c->tables[i].found++;
	c->tables[i].mended += diff->mended;
}

static void clip(char to[TEXT_MAX], const char *text)
{
	size_t n = strlen(text);

	if (n >= TEXT_MAX)
		n = TEXT_MAX - 1;
	memcpy(to, text, n);
	to[n] = '\0';
}

static void log_diff(struct nve_engine *e, const struct nve_dp_diff *diff)
{
	static const char *const kinds[] = { "missing", "differs", "foreign" };
	char want[TEXT_MAX], have[TEXT_MAX];

	if (e->now_ns - e->check.logs_since_ns >= LOGS_NS) {
		if (e->check.not_logged)
			nve_log(WARNING, "datapath_differs_more",
				LOG_U("rows", e->check.not_logged));
		e->check.logs_since_ns = e->now_ns;
		e->check.logged = e->check.not_logged = 0;
	}
	if (e->check.logged == LOGS_MAX) {
		e->check.not_logged++;
		return;
	}
	e->check.logged++;
	clip(want, diff->want);
	clip(have, diff->have);
	nve_log(WARNING, "datapath_differs", LOG_S("table", diff->table),
		LOG_S("row", kinds[diff->kind]), LOG_S("key", diff->key),
		LOG_S("want", *want ? want : NULL), LOG_S("have", *have ? have : NULL),
		LOG_S("mended", diff->mended ? "yes" : "no"));
}

static void tell(void *arg, const struct nve_dp_diff *diff)
{
	struct teller *t = arg;

	count(&t->e->check.done, diff);
	log_diff(t->e, diff);
	if (t->fn)
		t->fn(t->arg, diff);
}

int nve_engine_check(struct nve_engine *e, struct nve_dp_check *check, uint32_t rows,
		     nve_dp_diff_fn *fn, void *arg)
{
	struct teller t = { e, fn, arg };
	uint64_t before = check->rows;
	int r = e->dp_ops->check(e->dp, check, rows, tell, &t);

	e->check.done.rows += check->rows - before;
	e->check.done.passes += r == 0;
	return r;
}

const struct nve_engine_checks *nve_engine_checks(const struct nve_engine *e)
{
	return &e->check.done;
}

/* --- in the background ------------------------------------------------------------------------ */

void nve_check_open(struct nve_engine *e, const struct nve_engine_check_config *config)
{
	e->check.config = *config;
	e->check.at_ns = NVE_NEVER_NS;
	if (config->interval_s && config->rows_per_s)
		e->check.at_ns = e->now_ns + config->interval_s * NVE_SEC_NS;
}

static void end_pass(struct nve_engine *e)
{
	struct nve_engine_checks *done = &e->check.done;

	done->last_realtime_ns = e->realtime_offset + e->now_ns;
	done->last_found = e->check.pass.found;
	if (e->check.pass.found)
		nve_log(WARNING, "datapath_checked", LOG_U("rows", e->check.pass.rows),
			LOG_U("differences", e->check.pass.found),
			LOG_U("mended", e->check.pass.mended));
	e->check.at_ns = e->check.begun_ns + e->check.config.interval_s * NVE_SEC_NS;
	if (e->check.at_ns <= e->now_ns)
		e->check.at_ns = e->now_ns + 1;
	e->check.under_way = false;
}

static void begin_pass(struct nve_engine *e)
{
	e->check.pass = (struct nve_dp_check){ .repair = !e->check.config.only_tell };
	e->check.under_way = true;
	e->check.begun_ns = e->now_ns;
}

void nve_run_check(struct nve_engine *e)
{
	uint64_t begin, took;
	int r;

	if (e->now_ns < e->check.at_ns)
		return;
	if (!e->check.under_way)
		begin_pass(e);
	begin = clock_ns();
	r = nve_engine_check(e, &e->check.pass, SLICE_ROWS, NULL, NULL);
	took = clock_ns() - begin;
	e->check.done.took_ns += took;
	if (took > e->check.done.worst_ns)
		e->check.done.worst_ns = took;
	if (r == 0) {
		end_pass(e);
		return;
	}
	e->check.at_ns = e->now_ns + SLICE_ROWS * NVE_SEC_NS / e->check.config.rows_per_s;
	if (r > 0)
		return;
	nve_log(WARNING, "check_failed", LOG_U("rows", e->check.pass.rows), LOG_E(r));
	e->check.under_way = false;
	e->check.at_ns = e->now_ns + e->check.config.interval_s * NVE_SEC_NS;
}
