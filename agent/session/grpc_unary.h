/* SPDX-License-Identifier: Apache-2.0 */
/* A unary call, for the methods whose reply comes later than their turn: grpc_operate.c. */
#pragma once

#include "session/grpc_internal.h"

struct nve_unary {
	struct nve_call base;
	struct nve_completion done_tag;
	struct nve_work admin_work;
	struct nve_admin_query query;
	struct nve_peer peer;
	grpc_byte_buffer *reply;
	int cancelled;
	struct nve_op op; /* last: see nve_op */
};

/* grpc_unary.c */
struct nve_call *nve_unary_alloc(void);
void nve_unary_unused(struct nve_call *call);
void nve_signaling_accepted(struct nve_call *call);
void nve_admin_accepted(struct nve_call *call);
void nve_health_check_accepted(struct nve_call *call);

/* Each of these ends the call and frees 'u'. */
void nve_unary_reply(struct nve_unary *u, struct nve_bytes bytes);
void nve_unary_refuse(struct nve_unary *u, const struct nve_refusal *why);
void nve_unary_refuse_for(struct nve_unary *u, enum nve_reason reason);
/* The engine has its requests and will not answer them: lets go of all but the memory. */
void nve_unary_abandon(struct nve_op *op);

/* grpc_operate.c: the engine's thread. */
bool nve_operates(enum nve_admin_call call);
void nve_operate(struct nve_unary *u);

/* grpc_evict.c: DisconnectVn, DeactivateTsi, DisassociateTsi, Flush. */
void nve_evict(struct nve_unary *u);
