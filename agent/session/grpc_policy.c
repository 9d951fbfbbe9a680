/* SPDX-License-Identifier: Apache-2.0 */
/* SIGHUP, as far as the policy goes. */
#include "log.h"
#include "session/grpc_internal.h"

#include <stdlib.h>

void nve_session_reload_policy(struct nve_session_server *server)
{
	struct nve_authz *authz = server->config.authz;
	char *err = NULL;
	int r;

	if (!authz)
		return;
	r = nve_authz_reload(authz, &err);
	if (r)
		nve_log(ERROR, "policy_not_reloaded", LOG_S("why", err),
			LOG_S("so", "the policy in force stays"), LOG_E(r));
	else
		nve_log(INFO, "policy_loaded", LOG_S("path", nve_authz_info(authz).path),
			LOG_U("roles", nve_authz_info(authz).n_roles));
	free(err);
}
