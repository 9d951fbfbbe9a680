/* SPDX-License-Identifier: Apache-2.0 */
/* The audit log's part of nved.yaml. */
#include "config_check.h"

enum { MAX_MIB = 64, MAX_MIB_MAX = 1 << 20, KEEP = 8, KEEP_MAX = 1000 };

static uint32_t check_number(struct config_check *check, const char *path, const uint32_t *given,
			     uint32_t value, uint32_t max)
{
	if (!given)
		return value;
	if (*given > max)
		nve_config_complain(check, path, "%s: %u is out of range; write 0 to %u", path,
				    *given, max);
	return *given;
}

void nve_config_check_audit(struct config_check *check)
{
	const struct raw_audit *raw = &check->raw->audit;
	struct nve_audit_config *audit = &check->config->audit;

	audit->max_bytes =
		(uint64_t)check_number(check, "audit/max_mib", raw->max_mib, MAX_MIB, MAX_MIB_MAX)
		<< 20;
	audit->keep = check_number(check, "audit/keep", raw->keep, KEEP, KEEP_MAX);
	audit->sync = raw->sync == RAW_TRUE;
	if (raw->path && *raw->path != '/')
		nve_config_complain(check, "audit/path",
				    "'%s' is relative; write the whole path, from /", raw->path);
	else if (raw->path)
		audit->path = nve_config_strdup(check, raw->path, NULL);
}
