/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/core_world.h"

#include <stdlib.h>
#include <string.h>

const struct nve_core_config world_config = {
	.n_scopes = 3,
	.n_ports = 5,
	.scopes = (const struct nve_scope_config[]){ { 100, 103 }, { 100, 103 }, { 100, 103 } },
	.port_scope = (const uint16_t[]){ 0, 0, 1, 2, NVE_PORT_NONE },
	.max_vaps = 6,
	.max_vns = 3,
	.max_tsis = 8,
	.max_addrs = 24,
	.keepalive = { .default_ms = 300000, .min_ms = 1000, .max_ms = 1000000 },
	.keepactive = { .default_ms = 30000,
			.min_ms = 1000,
			.max_ms = 1000000,
			.may_be_off = true },
	.quarantine_ns = 30000 * MS,
	.duplicate_alarm_ns = 60000 * MS,
};

int world_open_with(struct world *w, const struct nve_core_config *config)
{
	*w = (struct world){ .now_ns = 1000 };
	if (nve_core_new(config, &w->core) != 0)
		return -1;
	w->bytes = malloc(w->core->state_size);
	return w->bytes ? 0 : -1;
}

int world_open(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	*state = w;
	return w ? world_open_with(w, &world_config) : -1;
}

int world_close(void **state)
{
	struct world *w = *state;

	nve_core_free(w->core);
	free(w->bytes);
	free(w);
	return 0;
}

struct nve_tsi_key tsi_key(unsigned int id, uint16_t port, uint32_t vn_id)
{
	struct nve_tsi_key key = { .vn_id = vn_id, .port = port };

	memset(key.id.bytes, 0xa0, sizeof(key.id.bytes));
	key.id.bytes[0] = (uint8_t)id;
	key.id.bytes[1] = (uint8_t)(id >> 8);
	return key;
}

struct nve_addr mac(unsigned int n)
{
	return (struct nve_addr){ .flags = NVE_ADDR_MAC,
				  .mac = { 2, 0, 0, 0, (uint8_t)(n >> 8), (uint8_t)n } };
}

struct nve_addr ip4(unsigned int n)
{
	return (struct nve_addr){ .flags = NVE_ADDR_IPV4,
				  .ip = { 10, 0, (uint8_t)(n >> 8), (uint8_t)n } };
}

struct nve_addr ip6(unsigned int n)
{
	struct nve_addr addr = { .flags = NVE_ADDR_IPV6, .ip = { 0xfd } };

	addr.ip[14] = (uint8_t)(n >> 8);
	addr.ip[15] = (uint8_t)n;
	return addr;
}

struct nve_addr mac_ip4(unsigned int m, unsigned int n)
{
	struct nve_addr addr = mac(m), ip = ip4(n);

	addr.flags |= NVE_ADDR_IPV4;
	memcpy(addr.ip, ip.ip, sizeof(addr.ip));
	return addr;
}

enum nve_reason world_step(struct world *w, const struct nve_event *ev)
{
	struct nve_event mine = *ev;
	struct nve_core_mark mark = nve_core_mark(w->core), after;

	memcpy(w->bytes, w->core->state, w->core->state_size);
	if (!mine.now_ns)
		mine.now_ns = ++w->now_ns;
	if (mine.kind == NVE_EV_ACTIVATE && !mine.epoch)
		mine.epoch = ++w->epoch;
	nve_core_step(w->core, &mine, &w->answer);
	nve_core_check(w->core);
	after = nve_core_mark(w->core);
	if (w->answer.reason != NVE_REASON_OK) {
		assert_memory_equal(w->bytes, w->core->state, w->core->state_size);
		assert_int_equal(after.undo, mark.undo);
		assert_int_equal(after.actions, mark.actions);
	}
	if (w->answer.unchanged)
		assert_int_equal(after.actions, mark.actions);
	return w->answer.reason;
}

unsigned int world_expire_until(struct world *w, uint64_t now_ns)
{
	struct nve_event ev = { .kind = NVE_EV_EXPIRE };
	unsigned int n = 0;

	while (nve_core_next_deadline(w->core) <= now_ns) {
		ev.now_ns = nve_core_next_deadline(w->core);
		if (ev.now_ns < w->now_ns)
			ev.now_ns = w->now_ns;
		w->now_ns = ev.now_ns;
		assert_true(nve_core_due(w->core, ev.now_ns, &ev.due));
		assert_ok(world_step(w, &ev));
		n++;
	}
	assert_false(nve_core_due(w->core, now_ns, &ev.due));
	w->now_ns = now_ns;
	return n;
}

void world_forget(struct world *w)
{
	nve_core_forget(w->core);
}

const struct nve_tsi *world_tsi(const struct world *w, struct nve_tsi_key key)
{
	return nve_core_tsi(w->core, nve_core_find_tsi(w->core, &key));
}

enum nve_tsi_state world_state(const struct world *w, struct nve_tsi_key key)
{
	const struct nve_tsi *tsi = world_tsi(w, key);

	return tsi ? tsi->state : NVE_TSI_INIT;
}

unsigned int world_actions(const struct world *w, enum nve_action_kind kind)
{
	size_t n;
	const struct nve_action *actions = nve_core_actions(w->core, &n);
	unsigned int count = 0;

	for (size_t i = 0; i < n; i++)
		count += actions[i].kind == kind;
	return count;
}

static const struct nve_notice *find_notice(const struct world *w, enum nve_notice_kind kind,
					    unsigned int *count)
{
	size_t n;
	const struct nve_action *actions = nve_core_actions(w->core, &n);
	const struct nve_notice *found = NULL;

	*count = 0;
	for (size_t i = 0; i < n; i++) {
		if (actions[i].kind != NVE_ACT_NOTICE || actions[i].notice.kind != kind)
			continue;
		found = &actions[i].notice;
		++*count;
	}
	return found;
}

unsigned int world_notices(const struct world *w, enum nve_notice_kind kind)
{
	unsigned int count;

	find_notice(w, kind, &count);
	return count;
}

const struct nve_notice *world_notice(const struct world *w, enum nve_notice_kind kind)
{
	unsigned int count;
	const struct nve_notice *notice = find_notice(w, kind, &count);

	assert_non_null(notice);
	return notice;
}
