/* SPDX-License-Identifier: Apache-2.0 */
/* The Admin service: dumps of the datapath's tables, and what was published to the NVA. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "session/admin.h"
#include "session/codec_internal.h"

struct dump {
	bool (*emit)(void *arg, struct nve_bytes piece);
	void *arg;
	struct nve_arena arena;
	size_t n;
	Nve__V1__Row *rows[NVE_ADMIN_PIECE];
	bool failed;
};

static void flush(struct dump *d)
{
	Nve__V1__DumpTableReply m = NVE__V1__DUMP_TABLE_REPLY__INIT;
	struct nve_bytes piece;

	if (d->n == 0)
		return;
	m.n_rows = d->n;
	m.rows = d->rows;
	if (nve_codec_pack(&m.base, &d->arena, &piece) < 0 || !d->emit(d->arg, piece))
		d->failed = true;
	nve_arena_reset(&d->arena);
	d->n = 0;
}

static char *copy(struct dump *d, const char *text)
{
	size_t size = strlen(text) + 1;
	char *p = nve_arena_alloc(&d->arena, size);

	return p ? memcpy(p, text, size) : NULL;
}

static void add_row(void *arg, const char *key, const char *value)
{
	struct dump *d = arg;
	Nve__V1__Row *row = nve_arena_alloc(&d->arena, sizeof(*row));

	if (d->failed)
		return;
	if (row) {
		nve__v1__row__init(row);
		row->key = copy(d, key);
		row->value = copy(d, value);
	}
	if (!row || !row->key || !row->value) {
		d->failed = true;
		return;
	}
	d->rows[d->n++] = row;
	if (d->n == NVE_ADMIN_PIECE || d->arena.total > NVE_ARENA_LIMIT / 4)
		flush(d);
}

static void add_published(void *arg, uint32_t vn_id, const struct nve_addr *addr,
			  enum nve_publication state, uint64_t epoch)
{
	static const char *const states[] = { "withdrawn", "mapping", "forwarding" };
	char key[192], value[96], ip[INET6_ADDRSTRLEN] = "";
	const uint8_t *m = addr->mac;
	int n;

	n = snprintf(key, sizeof(key), "{\"vn\":%" PRIu32, vn_id);
	if (addr->flags & NVE_ADDR_MAC)
		n += snprintf(key + n, sizeof(key) - (size_t)n,
			      ",\"mac\":\"%02x:%02x:%02x:%02x:%02x:%02x\"", m[0], m[1], m[2], m[3],
			      m[4], m[5]);
	if (addr->flags & (NVE_ADDR_IPV4 | NVE_ADDR_IPV6)) {
		inet_ntop(addr->flags & NVE_ADDR_IPV4 ? AF_INET : AF_INET6, addr->ip, ip,
			  sizeof(ip));
		n += snprintf(key + n, sizeof(key) - (size_t)n, ",\"ip\":\"%s\"", ip);
	}
	snprintf(key + n, sizeof(key) - (size_t)n, "}");
	snprintf(value, sizeof(value), "{\"state\":\"%s\",\"epoch\":%" PRIu64 "}", states[state],
		 epoch);
	add_row(arg, key, value);
}

int nve_admin_dump(const struct nve_admin_env *env, const char *table,
		   bool (*emit)(void *arg, struct nve_bytes piece), void *arg)
{
	struct dump d = { .emit = emit, .arg = arg };
	int r = 0;

	nve_arena_init(&d.arena);
	if (strcmp(table, "published") == 0) {
		nve_engine_published(env->engine, add_published, &d);
	} else {
		struct nve_dp *dp;
		const struct nve_dp_ops *ops = nve_engine_dp(env->engine, &dp);

		r = ops->dump(dp, table, add_row, &d);
	}
	if (r == 0)
		flush(&d);
	nve_arena_reset(&d.arena);
	return r < 0 ? r : d.failed ? -ENOMEM : 0;
}
