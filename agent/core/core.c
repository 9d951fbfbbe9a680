/* SPDX-License-Identifier: Apache-2.0 */
/* The core as a whole: its block of memory, the entry for events, and reading. */
#include "core/core_internal.h"
#include "core/qos.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

enum {
	MAX_TSIS = 1 << 24,
	MAX_ADDRS = 1 << 26,
	MAX_VAPS = 1 << 22,
	UNDO_OF_A_TURN = 16 << 20, /* room for many ordinary steps beside one of the worst */
	ACTIONS_OF_A_TURN = 1 << 16,
	/* A TSI's own addresses, those listed, and those to be removed. */
	ADDRS_OF_A_STEP = 3 * NVE_TSI_ADDRS_MAX,
	TSI_REST = 256, /* frees before a TSI's slot means another TSI */
	LINE = 64,
	PAGE = 4096,
};

/* Walks the block twice: without a base to learn its size, then to hand out its parts. */
struct carver {
	uint8_t *base;
	size_t at;
};

static void *carve(struct carver *carver, size_t n, size_t size, size_t align)
{
	size_t at = (carver->at + align - 1) / align * align;

	carver->at = at + n * size;
	return carver->base ? carver->base + at : NULL;
}

#define CARVE(carver, field, n) ((field) = carve(carver, n, sizeof(*(field)), 8))

static uint32_t mask_for(uint32_t n)
{
	uint32_t size = 1;

	while (size < n)
		size *= 2;
	return size - 1;
}

static bool timer_valid(const struct nve_timer_config *timer)
{
	if (!timer->min_ms || timer->min_ms > timer->max_ms)
		return false;
	if (!timer->default_ms)
		return timer->may_be_off;
	return timer->default_ms >= timer->min_ms && timer->default_ms <= timer->max_ms;
}

static bool within(uint32_t value, uint32_t max)
{
	return value > 0 && value <= max;
}

static bool config_valid(const struct nve_core_config *config)
{
	if (!within(config->n_scopes, NVE_PORTS_MAX) || !within(config->n_ports, NVE_PORTS_MAX) ||
	    !within(config->max_tsis, MAX_TSIS) || !within(config->max_addrs, MAX_ADDRS) ||
	    !within(config->max_vaps, MAX_VAPS) || !within(config->max_vns, MAX_VAPS))
		return false;
	for (uint32_t i = 0; i < config->n_scopes; i++)
		if (config->scopes[i].tag_min < NVE_TAG_MIN ||
		    config->scopes[i].tag_min > config->scopes[i].tag_max ||
		    config->scopes[i].tag_max > NVE_TAG_MAX)
			return false;
	for (uint32_t i = 0; i < config->n_ports; i++)
		if (config->port_scope[i] >= config->n_scopes &&
		    config->port_scope[i] != NVE_PORT_NONE)
			return false;
	if (config->max_owners > UINT16_MAX)
		return false;
	if (config->max_rate && !nve_qos_rate_fits(config->max_rate))
		return false;
	return timer_valid(&config->keepalive) && timer_valid(&config->keepactive);
}

static uint32_t count_tags(const struct nve_core_config *config)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < config->n_scopes; i++)
		n += (uint32_t)config->scopes[i].tag_max - config->scopes[i].tag_min + 1;
	return n;
}

/* Each TSI and each VAP is one that somebody has, at most. */
static uint32_t max_holders(const struct nve_core_config *config)
{
	return config->max_owners ? config->max_tsis + config->max_vaps : 0;
}

static void carve_state(struct carver *carver, struct nve_core *core, uint32_t n_tags)
{
	const struct nve_core_config *config = &core->config;
	uint32_t n_holders = max_holders(config);
	uint32_t *tsi_next, *addr_next, *vap_next, *vn_next, *holder_next;

	core->state = carve(carver, 1, sizeof(*core->state), LINE);
	CARVE(carver, core->scopes, config->n_scopes);
	CARVE(carver, core->tsis, config->max_tsis);
	CARVE(carver, core->addrs, config->max_addrs);
	CARVE(carver, core->vaps, config->max_vaps);
	CARVE(carver, core->vns, config->max_vns);
	CARVE(carver, core->tags, n_tags);
	CARVE(carver, core->owners, config->max_owners + 1);
	CARVE(carver, core->holders, n_holders);
	CARVE(carver, core->timers, 2 * (size_t)config->max_tsis);
	CARVE(carver, core->by_key, config->max_tsis);
	CARVE(carver, core->by_port, config->max_tsis);
	CARVE(carver, core->by_vap, config->max_tsis);
	CARVE(carver, core->by_alarm, config->max_tsis);
	CARVE(carver, core->by_binding, config->max_addrs);
	CARVE(carver, core->by_ip, config->max_addrs);
	CARVE(carver, core->vap_chain, config->max_vaps);
	CARVE(carver, core->vn_chain, config->max_vns);
	CARVE(carver, core->tag_chain, n_tags);
	CARVE(carver, core->tag_order, n_tags);
	CARVE(carver, core->holder_chain, n_holders);
	CARVE(carver, core->holder_buckets, core->holder_mask + 1);
	CARVE(carver, core->key_buckets, core->tsi_mask + 1);
	CARVE(carver, core->port_buckets, core->tsi_mask + 1);
	CARVE(carver, core->addr_buckets, core->addr_mask + 1);
	CARVE(carver, core->ip_buckets, core->addr_mask + 1);
	CARVE(carver, core->vap_buckets, core->vap_mask + 1);
	CARVE(carver, core->vn_buckets, core->vn_mask + 1);
	CARVE(carver, core->tag_buckets, core->tag_mask + 1);
	CARVE(carver, tsi_next, config->max_tsis);
	CARVE(carver, addr_next, config->max_addrs);
	CARVE(carver, vap_next, config->max_vaps);
	CARVE(carver, vn_next, config->max_vns);
	CARVE(carver, holder_next, n_holders);
	if (!carver->base)
		return;
	core->state_size = (size_t)(carver->base + carver->at - (uint8_t *)core->state);
	core->state->tsis =
		(struct nve_pool){ .max = config->max_tsis, .rest = TSI_REST, .next = tsi_next };
	core->state->addrs = (struct nve_pool){ .max = config->max_addrs, .next = addr_next };
	core->state->vaps = (struct nve_pool){ .max = config->max_vaps, .next = vap_next };
	core->state->vns = (struct nve_pool){ .max = config->max_vns, .next = vn_next };
	core->state->holders = (struct nve_pool){ .max = n_holders, .next = holder_next };
	core->state->n_tags = n_tags;
}

/* 'core' is the one in the block, or a sketch of it while the size is being learnt. */
static void carve_block(struct carver *carver, struct nve_core *core,
			const struct nve_core_config *config)
{
	uint32_t n_tags = count_tags(config), levels = 0;
	struct nve_scope_config *scopes;
	uint16_t *ports;

	core->config = *config;
	core->tsi_mask = mask_for(config->max_tsis);
	core->addr_mask = mask_for(config->max_addrs);
	core->vap_mask = mask_for(config->max_vaps);
	core->vn_mask = mask_for(config->max_vns);
	core->tag_mask = mask_for(n_tags);
	core->holder_mask = mask_for(max_holders(config));
	while (config->max_tsis >> levels)
		levels++;
	core->undo_per_tsi = NVE_UNDO_PER_TSI + 128 * (levels + 1);
	core->undo_size = UNDO_OF_A_TURN + config->max_tsis * core->undo_per_tsi +
			  (size_t)config->max_addrs * NVE_UNDO_PER_ADDR;
	core->max_actions = ACTIONS_OF_A_TURN + (size_t)config->max_tsis * NVE_ACTIONS_PER_TSI +
			    (size_t)config->max_addrs * NVE_ACTIONS_PER_ADDR;

	carve(carver, 1, sizeof(*core), LINE);
	CARVE(carver, scopes, config->n_scopes);
	CARVE(carver, ports, config->n_ports);
	carve_state(carver, core, n_tags);
	core->undo = carve(carver, core->undo_size, 1, PAGE);
	core->actions = carve(carver, core->max_actions, sizeof(*core->actions), PAGE);
	core->block_size = carver->at;
	if (!carver->base)
		return;
	memcpy(scopes, config->scopes, config->n_scopes * sizeof(*scopes));
	memcpy(ports, config->port_scope, config->n_ports * sizeof(*ports));
	core->config.scopes = scopes;
	core->config.port_scope = ports;
}

int nve_core_new(const struct nve_core_config *config, struct nve_core **ret)
{
	struct carver carver = { 0 };
	struct nve_core sketch, *core;
	uint32_t base = 0;

	if (!config_valid(config))
		return -EINVAL;
	carve_block(&carver, &sketch, config);
	carver.base = mmap(NULL, sketch.block_size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (carver.base == MAP_FAILED)
		return -ENOMEM;
	carver.at = 0;
	core = (struct nve_core *)carver.base;
	carve_block(&carver, core, config);
	for (uint16_t i = 0; i < config->n_scopes; i++) {
		core->scopes[i].base = base;
		core->scopes[i].fresh = config->scopes[i].tag_min;
		base += nve_tags_range(core, i);
	}
	*ret = core;
	return 0;
}

void nve_core_free(struct nve_core *core)
{
	if (core)
		munmap(core, core->block_size);
}

static enum nve_reason step_clear(struct nve_core *core, const struct nve_event *ev,
				  struct nve_answer *answer)
{
	if (ev->key.vn_id)
		return nve_tsi_step(core, ev, answer);
	return nve_tsi_clear_all(core, ev, answer);
}

static enum nve_reason step_expire(struct nve_core *core, const struct nve_event *ev,
				   struct nve_answer *answer)
{
	switch (ev->due.kind) {
	case NVE_DUE_TSI:
		return nve_tsi_step(core, ev, answer);
	case NVE_DUE_TAG:
		return nve_tags_expire(core, ev, answer);
	case NVE_DUE_DUPLICATE:
		return nve_bind_expire(core, ev, answer);
	case NVE_DUE_GLEAN:
		return nve_glean_expire(core, ev, answer);
	default:
		return NVE_REASON_ILLEGAL_TRANSITION;
	}
}

typedef enum nve_reason (*step_fn)(struct nve_core *core, const struct nve_event *ev,
				   struct nve_answer *answer);

static const step_fn steps[NVE_EVENTS] = {
	[NVE_EV_VN_CONNECT] = nve_vap_step_connect,
	[NVE_EV_VN_DISCONNECT] = nve_vap_step_disconnect,
	[NVE_EV_ASSOCIATE] = nve_tsi_step,
	[NVE_EV_ACTIVATE] = nve_tsi_step,
	[NVE_EV_DEACTIVATE] = nve_tsi_step,
	[NVE_EV_DISASSOCIATE] = nve_tsi_step,
	[NVE_EV_CLEAR] = step_clear,
	[NVE_EV_UPDATE] = nve_tsi_step,
	[NVE_EV_KEEPALIVE] = nve_tsi_step,
	[NVE_EV_KEEPACTIVE] = nve_tsi_step,
	[NVE_EV_DATA_SEEN] = nve_tsi_step,
	[NVE_EV_EXPIRE] = step_expire,
	[NVE_EV_GLEAN] = nve_glean_step,
};

void nve_core_step(struct nve_core *core, const struct nve_event *ev, struct nve_answer *answer)
{
	*answer = (struct nve_answer){ .slot = NVE_SLOT_NONE, .vn_id = ev->key.vn_id };
	if (ev->kind >= NVE_EVENTS)
		answer->reason = NVE_REASON_INVALID_REQUEST;
	else if (!nve_journal_has_room(core, 1, ADDRS_OF_A_STEP))
		answer->reason = NVE_REASON_TOO_MANY_REQUESTS;
	else
		answer->reason = steps[ev->kind](core, ev, answer);
}

const struct nve_tsi *nve_core_tsi(const struct nve_core *core, uint32_t slot)
{
	if (slot >= core->config.max_tsis || core->tsis[slot].pub.state == NVE_TSI_INIT)
		return NULL;
	return &core->tsis[slot].pub;
}

uint32_t nve_core_find_tsi(const struct nve_core *core, const struct nve_tsi_key *key)
{
	for (uint32_t i = core->key_buckets[nve_hash_key(core, key)]; i;
	     i = core->by_key[i - 1].next)
		if (memcmp(&core->tsis[i - 1].pub.key, key, sizeof(*key)) == 0)
			return i - 1;
	return NVE_SLOT_NONE;
}

uint32_t nve_core_max_tsis(const struct nve_core *core)
{
	return core->config.max_tsis;
}

const struct nve_tsi *nve_core_next_tsi(const struct nve_core *core, uint32_t *cursor,
					uint32_t *slot)
{
	while (*cursor < core->state->tsis.high) {
		const struct nve_tsi *tsi = nve_core_tsi(core, (*cursor)++);

		if (!tsi)
			continue;
		*slot = *cursor - 1;
		return tsi;
	}
	return NULL;
}

uint16_t nve_core_port_scope(const struct nve_core *core, uint16_t port)
{
	return port < core->config.n_ports ? core->config.port_scope[port] : NVE_PORT_NONE;
}

struct nve_core_usage nve_core_usage(const struct nve_core *core)
{
	const struct nve_state *state = core->state;

	return (struct nve_core_usage){
		.tsis = state->tsis.used,
		.max_tsis = state->tsis.max,
		.addrs = state->addrs.used,
		.max_addrs = state->addrs.max,
		.vaps = state->vaps.used,
		.max_vaps = state->vaps.max,
		.vns = state->vns.used,
		.max_vns = state->vns.max,
	};
}
