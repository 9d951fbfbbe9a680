/* SPDX-License-Identifier: Apache-2.0 */
/* Part of engine_tables.h: what a VN in use has, mostly by the NVA's word. */
#pragma once

#include "engine.h"

/* A VTEP slot of the datapath.  Its place is the slot. */
struct nve_vtep_slot {
	struct nve_ip ip;
	uint32_t refs; /* VNs that list it; 0 = free */
	uint32_t live; /* of those, VNs that the datapath has */
	uint32_t mark; /* of the gathering that saw it last */
	uint32_t next; /* in its bucket, plus 1 */
};

/* Where the NVA says that a MAC is. */
struct nve_remote {
	struct nve_remote *next;    /* in its bucket */
	struct nve_remote *vn_next; /* of the same VN */
	uint32_t vn_id;
	uint8_t mac[NVE_MAC_LEN];
	uint32_t vtep;
	uint32_t mark;
	uint64_t epoch;
};

/* Somebody who claims an IP: a TSI here, or somebody behind another NVE. */
struct nve_claim {
	uint32_t next;       /* number of the next in the bucket, by VN and IP */
	uint32_t owner_next; /* of the same TSI, or of the mappings of the same VN */
	uint32_t vn_id;
	uint32_t slot;        /* of the TSI; NVE_SLOT_NONE: behind another NVE */
	struct nve_addr addr; /* MAC and IP */
	uint64_t epoch;
	uint32_t mark;
};
_Static_assert(sizeof(struct nve_claim) == 56, "there may be a million of them");

/* A VN profile whose rules the datapath has (S3). */
struct nve_acl_rec {
	char name[NVE_NAME_MAX + 1];
	uint32_t refs; /* VNs that the datapath has with it; 0 = free */
};

/* A VN with a VAP here.  Kept to the end of the turn in which its last VAP goes, for undoing. */
struct nve_vn_rec {
	struct nve_vn_rec *next;
	struct nve_vn_context context;  /* as last heard; its 'vteps' are in 'slots' */
	bool known;                     /* 'context' was heard at all */
	bool live;                      /* the datapath has the VN */
	bool unsaid;                    /* it is live, but the datapath had no room for it */
	bool entering;                  /* its remote MACs are still to be said */
	bool dirty;                     /* the NVA changed it */
	bool withdrawn;                 /* the NVA does not know it any more (said once) */
	bool recalled;                  /* the store said it, the NVA has not spoken of it yet */
	bool stored;                    /* the store has a context of it, of 'stored_digest' */
	uint64_t digest, stored_digest; /* engine_context.c */
	struct nve_acl *rules;          /* of its profile, while it is recalled; may be NULL */
	uint32_t acl;                   /* of its profile's rules in the datapath; 0: none */
	uint32_t n_slots;
	uint32_t *slots; /* rising */
	struct nve_remote *remotes;
	uint32_t claims; /* of IPs behind other NVEs: the first */
};
