/* SPDX-License-Identifier: Apache-2.0 */
/* Calls as their clients', and Resyncs: part of grpc_internal.h. */
#pragma once

/* grpc_client.c: counts the call as its client's; false: it has enough under way, 'why' says. */
bool nve_call_enter(struct nve_call *call, enum nve_use use, struct nve_refusal *why);
void nve_call_take(struct nve_call *call, size_t bytes);
void nve_call_leave(struct nve_call *call);

/* grpc_resync.c: a Resync; takes over from nve_op_submit(). */
void nve_resync_run(struct nve_op *op);
void nve_resync_drop(struct nve_session_server *s, struct nve_resync **resync);
