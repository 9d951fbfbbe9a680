/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose a TSI is, and how much each owner has (B3, S99).  An owner is a small number that the
 * engine stands for a client's identity; the core only keeps and counts.  Numbers at or above
 * nve_core_config.max_owners are kept and not counted.
 */
#pragma once

#include "core/list.h"

#include <stdint.h>

struct nve_core;

struct nve_owner_rec {
	uint32_t n_tsis, n_addrs, n_vaps;
};

/* An owner has something on a VAP: TSIs, or its explicit connection. */
struct nve_holder_rec {
	uint32_t vap;
	uint32_t n; /* 0 = free */
	uint16_t owner;
};

/* One more, or one less, that the owner has on that VAP. */
void nve_owner_join(struct nve_core *core, uint16_t owner, uint32_t vap);
void nve_owner_leave(struct nve_core *core, uint16_t owner, uint32_t vap);
/* 'tsis' and 'addrs' are 1, 0 or -1, or more at once. */
void nve_owner_count(struct nve_core *core, uint16_t owner, int tsis, int addrs);
/* The TSI is another's from now on. */
void nve_owner_give(struct nve_core *core, uint32_t slot, uint16_t owner);
void nve_owner_check(const struct nve_core *core); /* see nve_core_check() */
