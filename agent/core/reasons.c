/* SPDX-License-Identifier: Apache-2.0 */
/* The texts of the one list of reasons. */
#include "core/reasons.h"

#include <stddef.h>

static const struct reason {
	const char *name;
	const char *text;
	const char *remedy;
} reasons[] = {
#define REASON(name, number, code, text, remedy) [number] = { #name, text, remedy },
	NVE_REASONS(REASON)
#undef REASON
};

static const struct reason *find(enum nve_reason reason)
{
	size_t i = (size_t)reason;

	if (i >= sizeof(reasons) / sizeof(reasons[0]) || !reasons[i].name)
		i = NVE_REASON_INTERNAL;
	return &reasons[i];
}

const char *nve_reason_name(enum nve_reason reason)
{
	return find(reason)->name;
}

const char *nve_reason_text(enum nve_reason reason)
{
	return find(reason)->text;
}

const char *nve_reason_remedy(enum nve_reason reason)
{
	return find(reason)->remedy;
}
