/* SPDX-License-Identifier: Apache-2.0 */
/* Where the policy file is. */
#include "config_check.h"

void nve_config_check_policy(struct config_check *check)
{
	const char *path = check->raw->policy;

	if (!path)
		return;
	if (*path != '/')
		nve_config_complain(check, "policy",
				    "policy: '%s' is not a whole path; write it from /", path);
	check->config->policy = nve_config_strdup(check, path, "");
}
