/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/engine_world.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "log.h"

const char ew_vns[] =
	"vns:\n"
	"  - {id: 100, name: blue, vni: 5100, vteps: [192.0.2.2],\n"
	"     mappings: [{mac: '02:00:00:00:00:99', ip: 10.0.0.99, vtep: 192.0.2.3, epoch: 4}]}\n"
	"  - {id: 200, name: green}\n"
	"  - {id: 300, name: closed, fail_closed: true}\n";

struct ew_nva_faults ew_nva_faults;
static struct nve_nva_ops nva_ops;
static uint64_t realtime_now;

static int nva_publish(struct nve_nva *nva, uint32_t vn_id, const struct nve_addr *addr,
		       enum nve_publication state, uint64_t epoch)
{
	if (ew_nva_faults.publish_skip) {
		ew_nva_faults.publish_skip--;
	} else if (ew_nva_faults.publish_fail) {
		ew_nva_faults.publish_fail--;
		return -EHOSTUNREACH;
	}
	return nve_nva_local.publish(nva, vn_id, addr, state, epoch);
}

static int nva_vn_by_id(struct nve_nva *nva, uint32_t vn_id, const struct nve_vn_context **ret)
{
	return ew_nva_faults.vn_error ? ew_nva_faults.vn_error
				      : nve_nva_local.vn_by_id(nva, vn_id, ret);
}

static int nva_vn_by_name(struct nve_nva *nva, const char *name, const struct nve_vn_context **ret)
{
	return ew_nva_faults.vn_error ? ew_nva_faults.vn_error
				      : nve_nva_local.vn_by_name(nva, name, ret);
}

static uint64_t realtime(void)
{
	return realtime_now;
}

static void port(struct world *w, uint16_t slot, const char *name, uint16_t scope)
{
	struct nve_engine_port *p = &w->ports[slot];

	snprintf(p->dp.name, sizeof(p->dp.name), "%s", name);
	snprintf(p->dp.ifname, sizeof(p->dp.ifname), "%s", name);
	p->dp.role = scope == NVE_PORT_NONE ? NVE_DP_UNDERLAY : NVE_DP_ACCESS;
	p->scope = scope;
}

void ew_yaml(const struct world *w, const char *text)
{
	FILE *f = fopen(w->yaml, "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

void ew_init(struct world *w)
{
	int fd;

	memset(w, 0, sizeof(*w));
	memset(&ew_nva_faults, 0, sizeof(ew_nva_faults));
	nve_log_set_level(getenv("NVE_TEST_LOG") ? NVE_LOG_DEBUG : (enum nve_log_level) - 1);
	w->now_ns = 1000 * SEC;
	snprintf(w->yaml, sizeof(w->yaml), "/tmp/nve-world-XXXXXX");
	fd = mkstemp(w->yaml);
	assert_true(fd >= 0);
	close(fd);
	ew_yaml(w, ew_vns);
	port(w, P1, "p1", 0);
	port(w, P2, "p2", 0);
	port(w, P3, "p3", 1);
	port(w, U0, "u0", NVE_PORT_NONE);
	w->scopes[0] = (struct nve_engine_scope){ "br", { 100, 400 } };
	w->scopes[1] = (struct nve_engine_scope){ "p3", { 100, 400 } };
	nva_ops = nve_nva_local;
	nva_ops.publish = nva_publish;
	nva_ops.vn_by_id = nva_vn_by_id;
	nva_ops.vn_by_name = nva_vn_by_name;
	w->config = (struct nve_engine_config){
		.n_ports = 4,
		.ports = w->ports,
		.n_scopes = 2,
		.scopes = w->scopes,
		.core = { .max_vaps = 512,
			  .max_vns = 256,
			  .max_tsis = 1024,
			  .max_addrs = 4096,
			  .keepalive = { 300000, 1000, 3600000, true },
			  .keepactive = { 30000, 1000, 3600000, true },
			  .quarantine_ns = 30 * SEC,
			  .duplicate_alarm_ns = 60 * SEC,
			  .hash_seed = 1 },
		.dp_ops = &nve_dp_fake,
		.dp = { .limits = { 1024, 256, 4096, 8192, 64, 128 } },
		.nva_ops = &nva_ops,
		.nva = { .source = w->yaml },
		.store_ops = &nve_store_memory,
		.store = { .path = STORE_PATH },
		.realtime_ns = realtime,
	};
	w->config.dp.local_vtep = (struct nve_ip){ .family = 4, .bytes = { 192, 0, 2, 1 } };
	w->config.nva.local_vtep = w->config.dp.local_vtep;
}

static void on_event(void *arg, const struct nve_engine_event *event)
{
	struct world *w = arg;

	w->events[w->n_events++ % 64] = *event;
	snprintf(w->client, sizeof(w->client), "%s", event->client);
}

void ew_open(struct world *w)
{
	char *err = NULL;
	int r;

	/* The two clocks go on together, whatever a test sets the one to. */
	realtime_now = w->now_ns + 1700000000 * SEC;
	r = nve_engine_open(&w->config, w->now_ns, &w->engine, &err);
	if (r < 0)
		fail_msg("%s", err ? err : strerror(-r));
	w->watch = (struct nve_engine_watch){ .fn = on_event, .arg = w };
	nve_engine_watch(w->engine, &w->watch);
}

void ew_close(struct world *w)
{
	nve_engine_close(w->engine);
	w->engine = NULL;
}

void ew_done(struct world *w)
{
	ew_close(w);
	nve_store_memory_drop(NULL);
	unlink(w->yaml);
}

struct nve_dp *ew_dp(const struct world *w)
{
	struct nve_dp *dp;

	nve_engine_dp(w->engine, &dp);
	return dp;
}

struct nve_tsi_id ew_tsi_id(uint8_t n)
{
	return (struct nve_tsi_id){ { 0xee, [15] = n } };
}

struct nve_addr ew_mac(uint8_t n)
{
	return (struct nve_addr){ .flags = NVE_ADDR_MAC, .mac = { 2, 0, 0, 0, 0, n } };
}

struct nve_addr ew_mac_ip(uint8_t n, uint8_t ip)
{
	struct nve_addr addr = ew_mac(n);

	addr.flags |= NVE_ADDR_IPV4;
	memcpy(addr.ip, (uint8_t[]){ 10, 0, 0, ip }, 4);
	return addr;
}

struct nve_addr ew_only_ip(uint8_t ip)
{
	return (struct nve_addr){ .flags = NVE_ADDR_IPV4, .ip = { 10, 0, 0, ip } };
}

static void on_done(struct nve_request *req, const struct nve_answer *answer)
{
	struct call *c = (struct call *)req; /* its first member */

	c->answer = *answer;
	c->answered++;
	if (c->order)
		c->at = (*c->order)++;
}

void ew_call_init(struct call *c, enum nve_event_kind kind, uint8_t tsi, uint16_t slot, uint32_t vn)
{
	memset(c, 0, sizeof(*c));
	c->req.ev.kind = (uint8_t)kind;
	c->req.ev.new_port = NVE_PORT_NONE;
	c->req.ev.key = (struct nve_tsi_key){ .id = ew_tsi_id(tsi), .vn_id = vn, .port = slot };
	c->req.done = on_done;
	snprintf(c->req.client, sizeof(c->req.client), "client%u", tsi);
}

void ew_call_addrs(struct call *c, const struct nve_addr *addrs, uint32_t n)
{
	c->req.ev.flags |= NVE_EV_HAS_ADDRS;
	c->req.ev.addrs = addrs;
	c->req.ev.n_addrs = n;
}

void ew_call_submit(struct world *w, struct call *c)
{
	c->answered = 0;
	nve_engine_submit(w->engine, &c->req);
}

void ew_run(struct world *w)
{
	realtime_now = w->now_ns + 1700000000 * SEC;
	nve_engine_run(w->engine, w->now_ns);
}

enum nve_reason ew_call(struct world *w, struct call *c)
{
	ew_call_submit(w, c);
	ew_run(w);
	assert_int_equal(c->answered, 1);
	return c->answer.reason;
}

enum nve_reason ew_ask(struct world *w, enum nve_event_kind kind, uint8_t tsi, uint16_t slot,
		       uint32_t vn, uint8_t n)
{
	struct nve_addr addr = ew_mac(n);
	struct call c;

	ew_call_init(&c, kind, tsi, slot, vn);
	if (n)
		ew_call_addrs(&c, &addr, 1);
	return ew_call(w, &c);
}

/* --- everything as text ---------------------------------------------------------------------- */

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
			" deadline %lu timers %u %u\n",
			tsi->state, tsi->cause, tsi->n_addrs, tsi->n_active, tsi->epoch,
			tsi->since_ns, tsi->deadline_ns, tsi->keepalive_ms, tsi->keepactive_ms);
		nve_core_tsi_addrs(core, slot, addrs);
		for (size_t i = 0; i < tsi->n_addrs; i++) {
			hex(t->f, &addrs[i].addr, sizeof(addrs[i].addr));
			fprintf(t->f, " %s\n", addrs[i].active ? "on" : "off");
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
	struct nve_nva *nva;
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
	nve_engine_nva(w->engine, &nva);
	nve_nva_local.published(nva, pub_text, &t);
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

struct nve_fake_verdict ew_frame(const struct world *w, uint16_t slot, uint32_t vn, uint8_t src,
				 uint8_t dst)
{
	const struct nve_vap *vap = nve_core_vap(nve_engine_core(w->engine), slot, vn);
	struct nve_fake_frame f = { .port = slot, .tag = vap ? vap->tag : 0 };

	memcpy(f.src, ew_mac(src).mac, NVE_MAC_LEN);
	memcpy(f.dst, ew_mac(dst).mac, NVE_MAC_LEN);
	return nve_fake_from_port(ew_dp(w), &f);
}

struct search {
	uint32_t vn;
	struct nve_addr addr;
	enum nve_publication state;
};

static void find_pub(void *arg, uint32_t vn_id, const struct nve_addr *addr,
		     enum nve_publication state, uint64_t epoch)
{
	struct search *s = arg;

	(void)epoch;
	if (vn_id == s->vn && !memcmp(addr, &s->addr, sizeof(*addr)))
		s->state = state;
}

const char *ew_published(const struct world *w, uint32_t vn, struct nve_addr addr)
{
	static const char *const names[] = { "withdrawn", "mapping", "forwarding" };
	struct search s = { vn, addr, NVE_PUB_WITHDRAWN };
	struct nve_nva *nva;

	nve_engine_nva(w->engine, &nva);
	nve_nva_local.published(nva, find_pub, &s);
	return names[s.state];
}

uint8_t ew_state_of(const struct world *w, uint8_t tsi, uint16_t port, uint32_t vn)
{
	const struct nve_core *core = nve_engine_core(w->engine);
	struct nve_tsi_key key = { .id = ew_tsi_id(tsi), .vn_id = vn, .port = port };
	uint32_t slot = nve_core_find_tsi(core, &key);

	return slot == NVE_SLOT_NONE ? NVE_TSI_INIT : nve_core_tsi(core, slot)->state;
}

void ew_run_until(struct world *w, uint64_t until)
{
	for (unsigned i = 0; i < 1000 && nve_engine_next_deadline(w->engine) <= until; i++) {
		uint64_t next = nve_engine_next_deadline(w->engine);

		if (next > w->now_ns)
			w->now_ns = next;
		ew_run(w);
	}
	assert_true(nve_engine_next_deadline(w->engine) > until);
	w->now_ns = until;
}

uint64_t ew_used(const struct world *w, const char *table)
{
	uint64_t n, max;
	const char *name;

	for (size_t i = 0; (name = nve_dp_fake.table(ew_dp(w), i, &n, &max)); i++)
		if (!strcmp(name, table))
			return n;
	fail_msg("no table %s", table);
	return 0;
}
