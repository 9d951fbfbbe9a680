/* SPDX-License-Identifier: Apache-2.0 */
/* All that can be seen of an engine, as one text that two moments can be compared by. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/engine_world.h"

struct text {
	char *text;
	FILE *f;
	const struct world *w;
	char **lines; /* of what comes in no order */
	size_t n;
	char *line; /* being written */
	size_t line_size;
	const char *table;
};

static void hex(FILE *f, const void *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		fprintf(f, "%02x", ((const uint8_t *)bytes)[i]);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void core_text(struct text *t)
{
	const struct nve_core *core = nve_engine_core(t->w->engine);
	struct nve_tsi_addr addrs[NVE_TSI_ADDRS_MAX];
	uint32_t n = nve_core_max_tsis(core);

	for (uint32_t slot = 0; slot < n; slot++) {
		const struct nve_tsi *tsi = nve_core_tsi(core, slot);

		if (!tsi)
			continue;
		fprintf(t->f, "tsi %u ", slot);
		hex(t->f, &tsi->key, sizeof(tsi->key));
		fprintf(t->f,
			" state %u cause %u addrs %u active %u epoch %lu since %lu"
			" deadline %lu timers %u %u glean %u %u\n",
			tsi->state, tsi->cause, tsi->n_addrs, tsi->n_active, tsi->epoch,
			tsi->since_ns, tsi->deadline_ns, tsi->keepalive_ms, tsi->keepactive_ms,
			tsi->glean_max, tsi->glean_age_ms);
		fputs("qos ", t->f);
		hex(t->f, &tsi->qos, sizeof(tsi->qos));
		nve_core_tsi_addrs(core, slot, addrs);
		for (size_t i = 0; i < tsi->n_addrs; i++) {
			hex(t->f, &addrs[i].addr, sizeof(addrs[i].addr));
			fprintf(t->f, " %s%s\n", addrs[i].active ? "on" : "off",
				addrs[i].gleaned ? " gleaned" : "");
		}
	}
	for (uint16_t p = 0; p < 4; p++)
		for (uint32_t vn = 1; vn < 400; vn++) {
			const struct nve_vap *vap = nve_core_vap(core, p, vn);

			if (vap)
				fprintf(t->f, "vap %u %u tag %u tsis %u %u %d\n", p, vn, vap->tag,
					vap->n_tsi, vap->n_activated, vap->connected_explicitly);
		}
	for (uint16_t scope = 0; scope < 2; scope++)
		for (uint16_t tag = 1; tag < 4095; tag++) {
			struct nve_tag got = nve_core_tag(core, scope, tag);

			if (got.use != NVE_TAG_FREE)
				fprintf(t->f, "tag %u %u use %u vn %u until %lu\n", scope, tag,
					got.use, got.vn_id, got.until_ns);
		}
}

static int tag_text(void *arg, const struct nve_stored_tag *tag)
{
	fprintf(((struct text *)arg)->f, "stored tag %s %u %d %u %lu\n", tag->scope, tag->tag,
		tag->quarantined, tag->vn_id, tag->until_ns);
	return 0;
}

static int vap_text(void *arg, const struct nve_stored_vap *vap)
{
	fprintf(((struct text *)arg)->f, "stored vap %s %u %u %d\n", vap->port, vap->vn_id,
		vap->tag, vap->connected_explicitly);
	return 0;
}

static int stored_text(void *arg, const struct nve_stored_tsi *s)
{
	FILE *f = ((struct text *)arg)->f;

	fprintf(f, "stored tsi %u %s ", s->slot, s->port);
	hex(f, &s->tsi.key, sizeof(s->tsi.key));
	fprintf(f, " %u %u %u %u %lu %lu %lu %u %u ", s->tsi.state, s->tsi.cause, s->tsi.n_addrs,
		s->tsi.n_active, s->tsi.epoch, s->tsi.since_ns, s->tsi.deadline_ns,
		s->tsi.keepalive_ms, s->tsi.keepactive_ms);
	hex(f, &s->tsi.qos, sizeof(s->tsi.qos));
	for (size_t i = 0; i < s->tsi.n_addrs; i++) {
		hex(f, &s->addrs[i].addr, sizeof(s->addrs[i].addr));
		fprintf(f, "/%d ", s->addrs[i].active);
	}
	fputc('\n', f);
	return 0;
}

/* Rows come in no order; they are sorted at the end. */
static FILE *line_begin(struct text *t)
{
	t->line = NULL;
	return open_memstream(&t->line, &t->line_size);
}

static void line_end(struct text *t, FILE *f)
{
	assert_int_equal(fclose(f), 0);
	t->lines = realloc(t->lines, (t->n + 1) * sizeof(char *));
	assert_non_null(t->lines);
	t->lines[t->n++] = t->line;
}

static void row_text(void *arg, const char *key, const char *value)
{
	struct text *t = arg;
	FILE *f = line_begin(t);

	fprintf(f, "dp %s %s %s\n", t->table, key, value);
	line_end(t, f);
}

/* What becomes of frames between all the MACs that the tests use. */
static void frames_text(struct text *t)
{
	static const uint8_t macs[] = { 1, 2, 3, 0x99 };

	for (uint16_t p = P1; p <= P3; p++)
		for (uint32_t vn = 100; vn <= 300; vn += 100)
			for (size_t i = 0; i < 16; i++) {
				struct nve_fake_verdict v =
					ew_frame(t->w, p, vn, macs[i / 4], macs[i % 4]);

				if (v.tsi != NVE_SLOT_NONE)
					fprintf(t->f, "frame %u %u %zu: %d %u %u %u\n", p, vn, i,
						v.pass, v.tsi, v.dest.kind, v.dest.slot);
			}
}

static void pub_text(void *arg, uint32_t vn_id, const struct nve_addr *addr,
		     enum nve_publication state, uint64_t epoch)
{
	struct text *t = arg;
	FILE *f = line_begin(t);

	fprintf(f, "published %u ", vn_id);
	hex(f, addr, sizeof(*addr));
	fprintf(f, " %d %lu\n", (int)state, epoch);
	line_end(t, f);
}

char *ew_text(const struct world *w)
{
	struct text t = { .w = w };
	struct nve_store_reader reader = { tag_text, vap_text, stored_text, &t };
	const char *table;
	uint64_t used, max;
	size_t size;

	t.f = open_memstream(&t.text, &size);
	core_text(&t);
	if (w->config.store_ops == &nve_store_memory)
		assert_int_equal(nve_store_memory_read(STORE_PATH, &reader), 0);
	for (size_t i = 0; (table = nve_dp_fake.table(ew_dp(w), i, &used, &max)); i++) {
		t.table = table;
		fprintf(t.f, "table %s %lu\n", table, used);
		assert_int_equal(nve_dp_fake.dump(ew_dp(w), table, row_text, &t), 0);
	}
	frames_text(&t);
	ew_each_heard(pub_text, &t);
	if (t.n)
		qsort(t.lines, t.n, sizeof(char *), by_text);
	for (size_t i = 0; i < t.n; i++) {
		fputs(t.lines[i], t.f);
		free(t.lines[i]);
	}
	free(t.lines);
	fclose(t.f);
	return t.text;
}

void ew_is_as(const struct world *w, char *before)
{
	char *now = ew_text(w);

	assert_string_equal(now, before);
	free(now);
	free(before);
}
