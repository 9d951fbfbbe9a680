/* SPDX-License-Identifier: Apache-2.0 */
/* A store in a directory of its own, records to put into it, and what it holds as text. */
#pragma once

#include "store/memory.h"

struct store_fixture {
	const struct nve_store_ops *ops;
	struct nve_store_config config;
	struct nve_store *store;
	char dir[40], path[64];
	char text[4096]; /* what load() gave */
};

void store_open(struct store_fixture *f);
int store_setup_sqlite(void **state);
int store_setup_memory(void **state);
int store_teardown(void **state);
void store_reopen(struct store_fixture *f);
__attribute__((format(printf, 2, 3))) int store_add(struct store_fixture *f, const char *fmt, ...);
int store_on_tag(void *arg, const struct nve_stored_tag *t);
int store_on_vap(void *arg, const struct nve_stored_vap *v);
int store_on_tsi(void *arg, const struct nve_stored_tsi *s);
const char *store_contents(struct store_fixture *f);
struct nve_stored_tag store_a_tag(uint16_t tag, bool quarantined);
struct nve_stored_vap store_a_vap(const char *port, uint32_t vn);
struct nve_stored_tsi store_a_tsi(uint32_t slot, uint16_t n);
void store_put_first(struct store_fixture *f);
void store_has_first(struct store_fixture *f);

/* What store_put_first() puts, as text.  Ports of TSIs go by name: key.port reads as 0. */
#define FIRST                                                                                      \
	"T br 5 0 100 0; T br 6 1 100 77; V p1 100 7 1; V p2 100 7 1; "                            \
	"S 3 p1 100 0 id 1 2 2 3 2 1 18446744073709551614 1152921504606846976 "                    \
	"18446744073709551615 4294967295 30000 5/0/1/0 5/1/2/1; "                                  \
	"S 9 p1 100 0 id 1 2 2 3 0 0 18446744073709551614 1152921504606846976 "                    \
	"18446744073709551615 4294967295 30000; "
