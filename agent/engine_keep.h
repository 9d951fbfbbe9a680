/* SPDX-License-Identifier: Apache-2.0 */
/* Private to engine*.c: what is written into the store, and when. */
#pragma once

#include "engine_tables.h"

/* engine_store.c: one transaction with all objects that 'actions' name, as the core has them. */
int nve_sync_store(struct nve_engine *e, const struct nve_action *actions, size_t n);

/*
 * engine_context.c: the last known contexts of the VNs in use are in the store, for a restart at
 * which the NVA does not know them (D18).
 */
uint64_t nve_context_digest(const struct nve_engine *e, const struct nve_vn_rec *vn);
/* Within a transaction: puts or deletes the VN's, if that differs from what is stored. */
int nve_context_store(struct nve_engine *e, uint32_t vn_id);
void nve_context_unsure(struct nve_engine *e, uint32_t vn_id); /* that transaction failed */
void nve_context_unpack(const struct nve_stored_vn *stored, struct nve_vn_context *ret);

/* engine_deadline.c: where timers have got to, and all else that is written down later. */
void nve_deadline_moved(struct nve_engine *e, uint32_t slot);
/* At a restart: what is left of a timer of 'period_ms', whose deadline was stored. */
uint64_t nve_deadline_restored(const struct nve_engine *e, uint64_t deadline_ns,
			       uint32_t period_ms);
/* The start is over: no time that it took is taken from a timer. */
void nve_deadlines_opened(struct nve_engine *e);
void nve_keep_contexts(struct nve_engine *e); /* the NVA said something of VNs in use */
void nve_run_keep(struct nve_engine *e);
uint64_t nve_to_realtime(const struct nve_engine *e, uint64_t monotonic_ns);
