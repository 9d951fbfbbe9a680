/* SPDX-License-Identifier: Apache-2.0 */
/* check: of nved.yaml: how the datapath is compared with the intent in the background. */
#include "config_check.h"

enum {
	INTERVAL_S = 300,
	INTERVAL_MAX_S = 86400,
	ROWS = 20000,
	ROWS_MIN = 100,
	ROWS_MAX = 10000000
};

static uint32_t number(struct config_check *check, const char *path, const uint32_t *given,
		       uint32_t otherwise, uint32_t min, uint32_t max)
{
	uint32_t value = given ? *given : otherwise;

	if (value < min || value > max)
		nve_config_complain(check, path, "%s: %u is out of range; write %u to %u", path,
				    value, min, max);
	return value;
}

void nve_config_check_reconcile(struct config_check *check)
{
	const struct raw_reconcile *raw = &check->raw->check;

	check->config->check = (struct nve_engine_check_config){
		.interval_s = number(check, "check/interval_s", raw->interval_s, INTERVAL_S, 0,
				     INTERVAL_MAX_S),
		.rows_per_s = number(check, "check/rows_per_s", raw->rows_per_s, ROWS, ROWS_MIN,
				     ROWS_MAX),
		.only_tell = raw->repair == RAW_FALSE,
	};
}
