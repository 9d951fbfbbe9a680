/* SPDX-License-Identifier: Apache-2.0 */
/* What an operator's verbs need of the rest of the front end. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct nve_call;
struct nve_engine_event;
struct nve_session_server;
struct nve_stream;

/* Part of the server. */
struct nve_operate_state {
	struct nve_evict *evicts; /* under way; the engine's thread */
	atomic_uint waiting;      /* of these, for acknowledgements */
	atomic_bool draining;     /* every access port does */
	bool flush;               /* the agent shall end, and its datapath with it */
};

/* Ends what has been acknowledged or waits for too long.  At the end of each drain(). */
void nve_evict_poll(struct nve_session_server *s);
/* 'st' (NULL: anybody) was told of an event that an eviction may have caused. */
void nve_evict_told(struct nve_session_server *s, const struct nve_engine_event *event,
		    struct nve_stream *st);
/* A client has acknowledged something; any thread. */
void nve_evict_acked(struct nve_session_server *s);

/* What health says. */
bool nve_is_serving(struct nve_session_server *s);
/* grpc_standard.c: tells those that watch it. */
void nve_health_changed(struct nve_session_server *s);
/* After the engine's draining ports have changed, and at start. */
void nve_drain_changed(struct nve_session_server *s);

/* The audit log's line of an Admin call, unless it only reads state; queue's thread. */
void nve_audit_call(struct nve_session_server *s, struct nve_call *call);
