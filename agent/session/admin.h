/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the Admin service answers: reads the engine, writes messages.  Knows no gRPC.
 * The engine's thread.
 */
#pragma once

#include "doctor.h"
#include "session/authz.h"
#include "session/codec.h"
#include "session/door.h"

enum { NVE_ADMIN_PIECE = 256 };

/* What the engine does not know of the agent. */
struct nve_admin_env {
	struct nve_engine *engine;
	const struct nve_codec_ports *ports; /* access ports */
	struct nve_authz *authz;             /* NULL = everybody may do everything */
	const char *nve, *version, *store, *durability;
	struct nve_ip local_vtep;
	uint64_t started_unix_ns;
	uint32_t max_message_bytes, max_outstanding;
	uint32_t sessions, max_sessions;   /* now */
	const unsigned long long *refused; /* by the codec, of 64 */
	uint32_t n_listeners, n_notes;
	const char *const *listeners;
	const char *const *notes;
	void (*doctor)(void *arg, nve_finding_fn *fn, void *fn_arg); /* may be NULL */
	void *doctor_arg;
	const struct nve_door_counters *door; /* NULL: no listener is TLS */
};

enum nve_admin_call {
	NVE_ADMIN_STATUS,
	NVE_ADMIN_PORTS,
	NVE_ADMIN_VNS,
	NVE_ADMIN_TSIS,
	NVE_ADMIN_DROPS,
	NVE_ADMIN_TABLES,
	NVE_ADMIN_DUMP,
	NVE_ADMIN_WATCH,
	NVE_ADMIN_WHY,
	NVE_ADMIN_DIFF,
	NVE_ADMIN_DOCTOR,
	NVE_ADMIN_PLAN,
	NVE_ADMIN_DISCONNECT_VN,
	NVE_ADMIN_DEACTIVATE_TSI,
	NVE_ADMIN_DISASSOCIATE_TSI,
	NVE_ADMIN_DRAIN,
	NVE_ADMIN_FLUSH,
	NVE_ADMIN_CALLS,
};

/* Of operate.proto; the rest is in the query itself. */
struct nve_operate_query {
	enum nve_reason reason; /* of evictions */
	uint32_t wait_ms, n_addrs;
	const struct nve_addr *addrs; /* in the arena */
	bool undo, force;
};

/* A decoded request and how far its list has come. */
struct nve_admin_query {
	enum nve_admin_call call;
	bool has_tsi, has_vn, statistics;
	struct nve_tsi_id tsi;
	uint32_t vn_id; /* 0: vn_name says */
	char vn_name[NVE_NAME_MAX + 1];
	uint16_t port; /* NVE_PORT_NONE = all */
	char table[NVE_NAME_MAX + 1];
	uint32_t cursor;
	struct nve_bytes frame;    /* of Why; in the arena */
	struct nve_dp_check check; /* of Diff */
	bool over;
	const void *plan; /* of Plan: its message, in the arena */
	uint16_t owner;   /* who asks: the caller's to fill in */
	struct nve_operate_query operate;
};

/* 0, or -EBADMSG with 'why'.  'ports' finds underlay ports too.  Any thread. */
int nve_admin_decode(enum nve_admin_call call, const uint8_t *bytes, size_t len,
		     const struct nve_codec_ports *ports, struct nve_arena *arena,
		     struct nve_admin_query *ret, struct nve_refusal *why);
struct Nve__V1__Status;
/* What Status tells of checks: 0 or -ENOMEM. */
int nve_admin_checks(const struct nve_admin_env *env, struct nve_arena *arena,
		     struct Nve__V1__Status *status);
/* Whether query->owner may ask that; else 'why' is NOT_AUTHORIZED.  Lists hold what it sees. */
bool nve_admin_allowed(const struct nve_admin_env *env, const struct nve_admin_query *query,
		       struct nve_refusal *why);
/* admin_operate.c: takes the message of one of operate.proto's calls apart. */
struct nve_decode;
int nve_operate_decode(struct nve_decode *d, const void *msg, struct nve_admin_query *ret);
/* GetStatus, ListDrops, ListTables.  0 or -ENOMEM. */
int nve_admin_reply(const struct nve_admin_env *env, const struct nve_admin_query *query,
		    struct nve_arena *arena, struct nve_bytes *ret);
/* Why: asks the datapath.  0, -ENOMEM, or -EBADMSG with 'why'. */
int nve_admin_why(const struct nve_admin_env *env, const struct nve_admin_query *query,
		  struct nve_arena *arena, struct nve_bytes *ret, struct nve_refusal *why);
/* Plan: asks the engine.  As nve_admin_why(). */
int nve_admin_plan(const struct nve_admin_env *env, const struct nve_admin_query *query,
		   struct nve_arena *arena, struct nve_bytes *ret, struct nve_refusal *why);
/*
 * The next piece of ListPorts, ListVns, ListTsis.  1 with a piece in 'ret', 0 at the end (an empty
 * list has no piece), -ENOMEM, or -EBADMSG with 'why' (unknown VN).
 */
int nve_admin_next(const struct nve_admin_env *env, struct nve_admin_query *query,
		   struct nve_arena *arena, struct nve_bytes *ret, struct nve_refusal *why);
/* Doctor: 0 or -ENOMEM. */
int nve_admin_doctor(const struct nve_admin_env *env, struct nve_arena *arena,
		     struct nve_bytes *ret);
/* Diff: as nve_admin_next(); a piece may be empty. */
int nve_admin_diff(const struct nve_admin_env *env, struct nve_admin_query *query,
		   struct nve_arena *arena, struct nve_bytes *ret, struct nve_refusal *why);
/* DumpTable: calls emit() for each piece, whose bytes are gone afterwards.  -ENOENT: no such
 * table; -ENOMEM. */
int nve_admin_dump(const struct nve_admin_env *env, const char *table,
		   bool (*emit)(void *arg, struct nve_bytes piece), void *arg);
