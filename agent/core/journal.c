/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal of a turn: before-images of all that was overwritten, and the list of actions.
 * Both lie in the core's block and were sized for the worst step when it was made.
 */
#include "core/core_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
	KEEP_RESIDENT = 1 << 20, /* bytes of a log that stay with the process between turns */
	PAGE = 4096,
};

/* A before-image is its bytes, filled up to eight, then this word: popping reads backwards. */
#define TRAILER(offset, len) ((uint64_t)(offset) << 24 | (uint64_t)(len))
#define TRAILER_OFFSET(word) ((size_t)((word) >> 24))
#define TRAILER_LEN(word)    ((size_t)((word)&0xffffff))
#define FILLED(len)          (((len) + 7) & ~(size_t)7)

static void defect(const char *what)
{
	fprintf(stderr, "nved core: %s\n", what);
	abort();
}

void nve_undo_save(struct nve_core *core, const void *at, size_t len)
{
	size_t offset = (size_t)((const uint8_t *)at - (const uint8_t *)core->state);
	uint64_t word = TRAILER(offset, len);

	if (offset + len > core->state_size)
		defect("a write outside the state");
	if (core->undo_len + FILLED(len) + sizeof(word) > core->undo_size)
		defect("the undo log is full");
	memcpy(core->undo + core->undo_len, at, len);
	core->undo_len += FILLED(len);
	memcpy(core->undo + core->undo_len, &word, sizeof(word));
	core->undo_len += sizeof(word);
	if (core->undo_top < core->undo_len)
		core->undo_top = core->undo_len;
}

bool nve_journal_has_room(const struct nve_core *core, uint64_t n_tsis, uint64_t n_addrs)
{
	uint64_t undo =
		NVE_UNDO_PER_STEP + n_tsis * core->undo_per_tsi + n_addrs * NVE_UNDO_PER_ADDR;
	uint64_t actions = NVE_ACTIONS_PER_STEP + n_tsis * NVE_ACTIONS_PER_TSI +
			   n_addrs * NVE_ACTIONS_PER_ADDR;

	return undo <= core->undo_size - core->undo_len &&
	       actions <= core->max_actions - core->n_actions;
}

static struct nve_action *emit(struct nve_core *core, enum nve_action_kind kind)
{
	struct nve_action *action;

	if (core->n_actions == core->max_actions)
		defect("the list of actions is full");
	action = &core->actions[core->n_actions++];
	if (core->actions_top < core->n_actions)
		core->actions_top = core->n_actions;
	memset(action, 0, sizeof(*action));
	action->kind = kind;
	action->port = NVE_PORT_NONE;
	action->slot = NVE_SLOT_NONE;
	return action;
}

void nve_emit_tag(struct nve_core *core, const struct nve_tag_rec *tag)
{
	struct nve_action *action = emit(core, NVE_ACT_TAG);

	action->scope = tag->scope;
	action->tag = tag->tag;
	action->vn_id = tag->vn_id;
}

void nve_emit_vap(struct nve_core *core, const struct nve_vap *vap)
{
	struct nve_action *action = emit(core, NVE_ACT_VAP);

	action->port = vap->port;
	action->scope = nve_core_port_scope(core, vap->port);
	action->tag = vap->tag;
	action->vn_id = vap->vn_id;
}

void nve_emit_tsi(struct nve_core *core, uint32_t slot)
{
	struct nve_action *action = emit(core, NVE_ACT_TSI);

	action->slot = slot;
	action->port = core->tsis[slot].pub.key.port;
	action->vn_id = core->tsis[slot].pub.key.vn_id;
}

void nve_emit_bind(struct nve_core *core, uint32_t vn_id, const struct nve_addr *binding)
{
	struct nve_action *action = emit(core, NVE_ACT_BIND);

	action->vn_id = vn_id;
	action->addr = *binding;
}

void nve_emit_notice(struct nve_core *core, const struct nve_notice *notice)
{
	struct nve_action *action = emit(core, NVE_ACT_NOTICE);

	action->port = notice->key.port;
	action->vn_id = notice->key.vn_id;
	action->tag = notice->tag;
	action->notice = *notice;
}

const struct nve_action *nve_core_actions(const struct nve_core *core, size_t *n)
{
	*n = core->n_actions;
	return core->actions;
}

struct nve_core_mark nve_core_mark(const struct nve_core *core)
{
	return (struct nve_core_mark){ .undo = core->undo_len, .actions = core->n_actions };
}

void nve_core_rollback(struct nve_core *core, struct nve_core_mark mark)
{
	uint8_t *state = (uint8_t *)core->state;

	while (core->undo_len > mark.undo) {
		uint64_t word;

		core->undo_len -= sizeof(word);
		memcpy(&word, core->undo + core->undo_len, sizeof(word));
		core->undo_len -= FILLED(TRAILER_LEN(word));
		memcpy(state + TRAILER_OFFSET(word), core->undo + core->undo_len,
		       TRAILER_LEN(word));
	}
	core->n_actions = mark.actions;
}

/* One huge turn must not keep its pages for ever.  Failing to give them back is harmless. */
static void trim(void *log, size_t top)
{
	if (top > KEEP_RESIDENT)
		madvise((uint8_t *)log + KEEP_RESIDENT, (top - KEEP_RESIDENT + PAGE - 1) & -PAGE,
			MADV_DONTNEED);
}

void nve_core_forget(struct nve_core *core)
{
	trim(core->undo, core->undo_top);
	trim(core->actions, core->actions_top * sizeof(*core->actions));
	core->undo_len = core->undo_top = 0;
	core->n_actions = core->actions_top = 0;
}
