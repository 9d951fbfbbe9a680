/* SPDX-License-Identifier: Apache-2.0 */
/* A refusal on its way to the wire: part of codec.h. */
#pragma once

#include "core/reasons.h"
#include "core/types.h"

/* Why a request was not done; what becomes of it on the wire is told in reason.proto. */
struct nve_refusal {
	enum nve_reason reason;
	char field[64];                   /* path of the guilty field, "" = none */
	char parameter[NVE_NAME_MAX + 1]; /* "" = none */
	const char *resource;             /* NULL = none, else used and max count */
	uint64_t used, max;
	const char *state; /* of the TSI; NULL = not told */
	int32_t tag;       /* counter-offer; -1 = not told */
};
