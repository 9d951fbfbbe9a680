/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store that keeps nothing on disk: for 'store: none', and for tests, which can make it fail.
 *
 * With a path its contents outlive close(), for the life of the process, so that a test can restart
 * an engine on it; without one (NULL or "") they are gone with close().
 */
#pragma once

#include "store/store.h"

/* The next 'skip' calls succeed, 'fail' more return 'error', and later ones succeed again. */
struct nve_store_fault {
	unsigned skip;
	unsigned fail;
	int error; /* negative errno */
};

struct nve_store_memory_control {
	struct nve_store_fault begin;
	struct nve_store_fault put; /* puts and dels alike */
	struct nve_store_fault commit;
	unsigned long commits, puts; /* that succeeded */
};

/* The knobs of the store of that path, which is made if missing; NULL if out of memory. */
struct nve_store_memory_control *nve_store_memory_control(const char *path);
/* How many records (tags, VAPs, TSIs) it holds. */
size_t nve_store_memory_count(const char *path);
/* As load() of store.h, also while it is open. */
int nve_store_memory_read(const char *path, const struct nve_store_reader *reader);
/* Forgets the store of that path, or all of them if NULL; none may be open. */
void nve_store_memory_drop(const char *path);
