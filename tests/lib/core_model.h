/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A datapath that knows of the core only what the actions tell it to read again: the rows that a
 * real one would hold.  If it ever differs from the core, an action was missing.
 */
#pragma once

#include "lib/core_world.h"

enum {
	MODEL_TSIS = 16,
	MODEL_ADDRS = 4, /* of one TSI */
	MODEL_PORTS = 4,
	MODEL_VNS = 4, /* VN IDs 1..4 */
	MODEL_SCOPES = 4,
	MODEL_TAGS = 4, /* tags 100..103 */
	MODEL_TAG_MIN = 100,
	MODEL_BINDINGS = 8, /* mac(1..4), ip4(1..4) */
};

struct model_tsi {
	struct nve_tsi pub; /* without its deadlines: keepalives are not told, nor frames */
	struct nve_tsi_addr addrs[MODEL_ADDRS];
};

struct model_owners {
	uint32_t n;
	uint32_t slots[MODEL_PORTS];
	uint32_t works[MODEL_PORTS];
};

struct model {
	struct model_tsi tsis[MODEL_TSIS];
	struct nve_vap vaps[MODEL_PORTS][MODEL_VNS];
	struct nve_tag tags[MODEL_SCOPES][MODEL_TAGS];
	struct model_owners owners[MODEL_VNS][MODEL_BINDINGS];
};

struct nve_addr model_binding(unsigned int i);
/* Reads everything; the two of them are equal as bytes. */
void model_read(struct model *model, const struct nve_core *core);
void model_apply(struct model *model, const struct nve_core *core, const struct nve_action *actions,
		 size_t n);
bool model_equal(const struct model *a, const struct model *b);

/*
 * Whether the rows let a frame with that tag and source in at that port.  By the rows alone: tag
 * to VN, source to an instance of that VN and port that is Activated with that address active.
 */
bool model_admits(const struct model *model, uint16_t port, uint16_t tag, unsigned int binding,
		  uint32_t *vn_id);

/* What must hold of the rows and the core whatever happened; NULL, or what is wrong. */
const char *model_fault(const struct model *model, const struct nve_core *core);
/* What must hold between the rows before and after one step. */
const char *model_step_fault(const struct model *before, const struct model *after,
			     const struct nve_core *core);
/* No TSI, VAP, owner or bound tag. */
bool model_empty(const struct model *model);
