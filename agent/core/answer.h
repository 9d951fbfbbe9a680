/* SPDX-License-Identifier: Apache-2.0 */
/* What the core says to one event: part of event.h. */
#pragma once

#include "core/reasons.h"
#include "core/resource.h"
#include "core/types.h"

/* What the requester is told.  On refusal only reason and the fields said below mean anything. */
struct nve_answer {
	enum nve_reason reason;
	uint8_t state;  /* enum nve_tsi_state after the event; also on ILLEGAL_TRANSITION */
	bool unchanged; /* a legal repeat: nothing had to be done */
	uint16_t tag;   /* the VN's local tag; the counter-offer on TAG_IN_USE (0 = none free) */
	uint32_t slot;  /* the TSI's slot, or NVE_SLOT_NONE */
	uint32_t vn_id;
	uint32_t n_cleared;    /* Clear, VnDisconnect: TSI instances taken to Init */
	uint32_t keepalive_ms; /* granted */
	uint32_t keepactive_ms;
	struct nve_qos qos; /* granted */
	uint64_t epoch;
	uint8_t resource; /* enum nve_resource, on NO_RESOURCES */
	uint32_t used;
	uint32_t max;
	/* Refused by what the engine asks before the core: the field's path, static text; NULL =
	 * not told, "parameter:NAME" = a parameter.  'item' is its place in a list, UINT16_MAX = it
	 * is none. */
	const char *field;
	uint16_t item;
};
