/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

void store_open(struct store_fixture *f)
{
	char *err = NULL;
	int r = f->ops->open(&f->config, &f->store, &err);

	if (r < 0)
		fail_msg("%s", err ? err : strerror(-r));
}

static int make(void **state, const struct nve_store_ops *ops)
{
	struct store_fixture *f = calloc(1, sizeof(*f));

	strcpy(f->dir, "/tmp/nve-store-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/intent.db", f->dir);
	f->ops = ops;
	f->config.path = f->path;
	store_open(f);
	*state = f;
	return 0;
}

int store_setup_sqlite(void **state)
{
	return make(state, &nve_store_sqlite);
}

int store_setup_memory(void **state)
{
	return make(state, &nve_store_memory);
}

int store_teardown(void **state)
{
	static const char *const ends[] = { "", "-wal", "-shm", "-journal" };
	struct store_fixture *f = *state;
	char path[80];

	f->ops->close(f->store);
	nve_store_memory_drop(NULL);
	for (size_t i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s%s", f->path, ends[i]);
		unlink(path);
	}
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

void store_reopen(struct store_fixture *f)
{
	f->ops->close(f->store);
	f->store = NULL;
	store_open(f);
}

int store_add(struct store_fixture *f, const char *fmt, ...)
{
	size_t len = strlen(f->text);
	va_list args;

	va_start(args, fmt);
	vsnprintf(f->text + len, sizeof(f->text) - len, fmt, args);
	va_end(args);
	return 0;
}

int store_on_tag(void *arg, const struct nve_stored_tag *t)
{
	return store_add(arg, "T %s %u %d %u %lu; ", t->scope, t->tag, t->quarantined, t->vn_id,
			 t->until_ns);
}

int store_on_vap(void *arg, const struct nve_stored_vap *v)
{
	return store_add(arg, "V %s %u %u %d; ", v->port, v->vn_id, v->tag,
			 v->connected_explicitly);
}

int store_on_tsi(void *arg, const struct nve_stored_tsi *s)
{
	const struct nve_tsi *t = &s->tsi;

	store_add(arg, "S %u %s %u %u id %u %u %u %u %u %u %lu %lu %lu %u %u", s->slot, s->port,
		  t->key.vn_id, t->key.port, t->key.id.bytes[0], t->key.id.bytes[15], t->state,
		  t->cause, t->n_addrs, t->n_active, t->epoch, t->since_ns, t->deadline_ns,
		  t->keepalive_ms, t->keepactive_ms);
	for (unsigned i = 0; i < t->n_addrs; i++)
		store_add(arg, " %u/%u/%u/%d", s->addrs[i].addr.flags, s->addrs[i].addr.mac[5],
			  s->addrs[i].addr.ip[15], s->addrs[i].active);
	return store_add(arg, "; ");
}

const char *store_contents(struct store_fixture *f)
{
	const struct nve_store_reader reader = { store_on_tag, store_on_vap, store_on_tsi, f };

	f->text[0] = '\0';
	assert_int_equal(f->ops->load(f->store, &reader), 0);
	return f->text;
}

struct nve_stored_tag store_a_tag(uint16_t tag, bool quarantined)
{
	return (struct nve_stored_tag){ .scope = "br",
					.tag = tag,
					.quarantined = quarantined,
					.vn_id = 100,
					.until_ns = quarantined ? 77 : 0 };
}

struct nve_stored_vap store_a_vap(const char *port, uint32_t vn)
{
	struct nve_stored_vap vap = { .vn_id = vn, .tag = 7, .connected_explicitly = true };

	strcpy(vap.port, port);
	return vap;
}

static struct nve_tsi_addr addrs[NVE_TSI_ADDRS_MAX];

struct nve_stored_tsi store_a_tsi(uint32_t slot, uint16_t n)
{
	for (unsigned i = 0; i < n; i++)
		addrs[i] = (struct nve_tsi_addr){ { .flags = NVE_ADDR_MAC | NVE_ADDR_IPV6,
						    .mac = { 2, [5] = (uint8_t)i },
						    .ip = { 0xfd, [15] = (uint8_t)(i + 1) } },
						  i % 2 };
	return (struct nve_stored_tsi){
		.slot = slot,
		.port = "p1",
		.addrs = addrs,
		.tsi = { .key = { .id = { { 1, [15] = 2 } }, .vn_id = 100, .port = 5 },
			 .state = NVE_TSI_ACTIVATED,
			 .cause = NVE_CAUSE_RESUME,
			 .n_addrs = n,
			 .n_active = n / 2,
			 .epoch = UINT64_MAX - 1,
			 .since_ns = 1ull << 60,
			 .deadline_ns = NVE_NEVER_NS,
			 .keepalive_ms = UINT32_MAX,
			 .keepactive_ms = 30000 }
	};
}

void store_put_first(struct store_fixture *f)
{
	struct nve_stored_tag bound = store_a_tag(5, false), quarantined = store_a_tag(6, true);
	struct nve_stored_vap p1 = store_a_vap("p1", 100), p2 = store_a_vap("p2", 100);
	struct nve_stored_tsi nine = store_a_tsi(9, 0), three = store_a_tsi(3, 2);

	assert_int_equal(f->ops->begin(f->store), 0);
	assert_int_equal(f->ops->put_tsi(f->store, &nine), 0);
	assert_int_equal(f->ops->put_tsi(f->store, &three), 0);
	assert_int_equal(f->ops->put_vap(f->store, &p1), 0);
	assert_int_equal(f->ops->put_vap(f->store, &p2), 0);
	assert_int_equal(f->ops->put_tag(f->store, &bound), 0);
	assert_int_equal(f->ops->put_tag(f->store, &quarantined), 0);
	assert_int_equal(f->ops->put_epoch(f->store, 1ull << 63), 0);
	assert_int_equal(f->ops->commit(f->store), 0);
}

void store_has_first(struct store_fixture *f)
{
	assert_string_equal(store_contents(f), FIRST);
}
