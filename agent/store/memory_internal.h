/* SPDX-License-Identifier: Apache-2.0 */
/* Private to memory*.c: the store and its records. */
#pragma once

#include "store/memory.h"

enum kind { TAG, VAP, TSI, DEADLINES, VN, SETTING };
enum { BUCKETS = 4096 };

struct record {
	struct record *next;
	enum kind kind;
	union {
		struct nve_stored_tag tag;
		struct nve_stored_vap vap;
		struct nve_stored_tsi tsi;
		struct nve_stored_vn vn;
		struct setting {
			char name[80];
			uint64_t value;
		} setting;
		uint32_t chunk;
	};
	char owner[256]; /* of a VAP or TSI */
	union {          /* what the record points to */
		struct nve_tsi_addr addrs[0];
		struct nve_stored_deadline deadlines[0];
		uint8_t lists[0];
		uint64_t align;
	};
};

/* One change of the open transaction; either side may be NULL. */
struct change {
	struct change *next;
	struct record *was;
	struct record *is;
};

struct nve_store {
	struct nve_store *next; /* named ones only */
	char *path;
	bool open, in_transaction;
	size_t n;
	uint64_t epoch, epoch_before;
	struct change *changes; /* latest first */
	struct record *buckets[BUCKETS];
	struct nve_store_memory_control control;
};

/* Makes 'rec' (NULL: nothing) the record of that key.  Takes 'rec' in any case. */
int nve_memory_change(struct nve_store *store, enum kind kind, const char *name, uint32_t number,
		      struct record *rec, bool no_memory);
/* A record without a name. */
struct record *nve_memory_lookup(const struct nve_store *store, enum kind kind, uint32_t number);

/* memory_vn.c: as in store.h. */
int nve_memory_put_deadlines(struct nve_store *store, uint32_t chunk,
			     const struct nve_stored_deadline *list);
int nve_memory_put_vn(struct nve_store *store, const struct nve_stored_vn *vn);
int nve_memory_del_vn(struct nve_store *store, uint32_t vn_id);
int nve_memory_get_vn(struct nve_store *store, uint32_t vn_id, nve_stored_vn_fn *fn, void *arg);
