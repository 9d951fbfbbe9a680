/* SPDX-License-Identifier: Apache-2.0 */
/* Each call is counted as its client's, from when it is accepted until it is freed. */
#include "session/grpc_internal.h"

bool nve_call_enter(struct nve_call *call, enum nve_use use, struct nve_refusal *why)
{
	struct nve_client_full full;
	struct nve_peer who;
	char *peer = grpc_call_get_peer(call->call);

	nve_call_peer_of(call->server, call->call, &who);
	call->use = use;
	call->conn = nve_clients_enter(&call->server->clients, &who, peer, use, &full);
	gpr_free(peer);
	if (call->conn)
		return true;
	*why = (struct nve_refusal){ .reason = NVE_REASON_TOO_MANY_REQUESTS,
				     .resource = full.resource,
				     .used = full.used,
				     .max = full.max,
				     .tag = -1 };
	return false;
}

void nve_call_take(struct nve_call *call, size_t bytes)
{
	nve_clients_take(&call->server->clients, call->conn, bytes);
	call->bytes += bytes;
}

void nve_call_leave(struct nve_call *call)
{
	if (!call->conn)
		return;
	nve_clients_give(&call->server->clients, call->conn, call->bytes);
	nve_clients_leave(&call->server->clients, call->conn, call->use);
	call->conn = NULL;
	call->bytes = 0;
}
