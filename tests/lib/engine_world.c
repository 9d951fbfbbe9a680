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

/* What the NVA has heard, as it heard it. */
static struct {
	uint32_t vn;
	struct nve_addr addr;
	enum nve_publication state;
	uint64_t epoch;
} heard[4096];
static size_t n_heard;

static void hear(uint32_t vn, const struct nve_addr *addr, enum nve_publication state,
		 uint64_t epoch)
{
	size_t i = 0;

	while (i < n_heard && (heard[i].vn != vn || memcmp(&heard[i].addr, addr, sizeof(*addr))))
		i++;
	assert_true(i < sizeof(heard) / sizeof(heard[0]));
	heard[i].vn = vn;
	heard[i].addr = *addr;
	heard[i].state = state;
	heard[i].epoch = epoch;
	n_heard += i == n_heard;
}

void ew_each_heard(nve_published_fn *fn, void *arg)
{
	for (size_t i = 0; i < n_heard; i++)
		if (heard[i].state != NVE_PUB_WITHDRAWN)
			fn(arg, heard[i].vn, &heard[i].addr, heard[i].state, heard[i].epoch);
}

static int nva_publish(struct nve_nva *nva, uint32_t vn_id, const struct nve_addr *addr,
		       enum nve_publication state, uint64_t epoch)
{
	if (ew_nva_faults.publish_skip) {
		ew_nva_faults.publish_skip--;
	} else if (ew_nva_faults.publish_fail) {
		ew_nva_faults.publish_fail--;
		return -EHOSTUNREACH;
	}
	hear(vn_id, addr, state, epoch);
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
	n_heard = 0;
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
		.dp = { .limits = { 1024, 256, 4096, 8192, 64, 128, 2 } },
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

int ew_setup(void **state)
{
	struct world *w = malloc(sizeof(*w));

	assert_non_null(w);
	ew_init(w);
	ew_open(w);
	*state = w;
	return 0;
}

int ew_teardown(void **state)
{
	ew_done(*state);
	free(*state);
	return 0;
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
	enum nve_publication at_nva = NVE_PUB_WITHDRAWN;

	nve_engine_published(w->engine, find_pub, &s);
	for (size_t i = 0; i < n_heard; i++)
		if (heard[i].vn == vn && !memcmp(&heard[i].addr, &addr, sizeof(addr)))
			at_nva = heard[i].state;
	assert_int_equal(at_nva, s.state);
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
