/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the engine told a datapath, and what of it the tables show: the part of dp.h that all
 * backends have in common.  It checks references, takes room, notices what differs and keeps
 * lists of that; a backend's apply() walks the lists and commits object by object.
 *
 * 'want' is what was told, 'now' what the tables show.  An object without either is gone.
 */
#pragma once

#include "dp/dp.h"
#include "dp/hash.h"
#include "dp/shadow_acl.h"
#include "dp/shadow_neigh.h"
#include "dp/shadow_vn.h"

struct nve_shadow_addr {
	struct nve_addr addr;
	uint16_t active : 1, gleaned : 1; /* active: also of a TSI that is off, all of them */
	uint16_t mac : 14; /* the MAC's number in its TSI, from 1, kept while the MAC stays; 0 =
			      none */
};
_Static_assert(sizeof(struct nve_shadow_addr) == 26, "there may be a million of them");

struct nve_shadow_tsi_state {
	struct nve_tsi_key key;
	uint64_t epoch;
	uint64_t glean_every_ns;
	struct nve_qos qos;
	uint16_t tag;
	uint16_t n_addrs;
	uint8_t glean; /* enum nve_dp_glean */
	bool activated;
	bool has_mac; /* some address has one; else the TSI is known by IP alone */
	struct nve_shadow_addr addrs[];
};

struct nve_shadow_tsi {
	struct nve_shadow_tsi_state *now, *want; /* the same if nothing changed */
	uint32_t gen;                            /* this and the next are backends' */
	bool moved; /* the tables show 'want' already; ends with the commit */
	bool listed;
};

struct nve_shadow_fdb {
	uint32_t next; /* place of the next of its chain, or NVE_SLOT_NONE */
	uint32_t vn_id;
	uint32_t slot[2]; /* first, second: as last told, also while a deletion waits for apply() */
	uint8_t kind[2];
	uint8_t mac[NVE_MAC_LEN];
	bool now, want, listed;
};
_Static_assert(sizeof(struct nve_shadow_fdb) == 28, "there may be a million of them");

struct nve_shadow_list {
	uint32_t *v, n, room;
};

struct nve_shadow {
	struct nve_dp_limits limits;
	uint32_t max_peers;
	struct nve_dp_port ports[NVE_PORTS_MAX];
	bool port_is_set[NVE_PORTS_MAX];
	struct nve_shadow_vtep *vteps;
	struct nve_shadow_tsi *tsis;
	struct nve_hash vns, vaps;
	struct nve_shadow_fdb *fdb;
	uint32_t *fdb_buckets;
	uint32_t fdb_mask, fdb_free, fdb_top;
	struct nve_shadow_neighs neighs;
	uint32_t n_tsis, n_addrs, n_vns, n_fdb, n_vteps, n_peers, n_meters, n_acls,
		n_acl_rows;                              /* room taken, by 'want' */
	struct nve_shadow_acl acls[NVE_DP_ACLS_MAX + 1]; /* by id */
	/* What differs: ids, slots, VN IDs, port * 4096 + tag, slots, places in 'fdb'. */
	struct nve_shadow_list acl_list, vtep_list, vn_list, vap_list, tsi_list, fdb_list;
};

int nve_shadow_open(const struct nve_dp_limits *limits, struct nve_shadow *s);
void nve_shadow_close(struct nve_shadow *s);
/* Forgets every object but the ports. */
void nve_shadow_reset(struct nve_shadow *s);

/* As in nve_dp_ops.  Ports are only recorded. */
int nve_shadow_port_set(struct nve_shadow *s, const struct nve_dp_port *port);
void nve_shadow_port_del(struct nve_shadow *s, uint16_t slot);
int nve_shadow_vtep_set(struct nve_shadow *s, uint32_t slot, const struct nve_ip *ip);
int nve_shadow_vtep_del(struct nve_shadow *s, uint32_t slot);
int nve_shadow_vn_set(struct nve_shadow *s, const struct nve_dp_vn *vn);
int nve_shadow_vn_del(struct nve_shadow *s, uint32_t vn_id);
int nve_shadow_vap_set(struct nve_shadow *s, const struct nve_dp_vap *vap);
int nve_shadow_vap_del(struct nve_shadow *s, uint16_t port, uint16_t tag);
int nve_shadow_tsi_set(struct nve_shadow *s, const struct nve_dp_tsi *tsi);
int nve_shadow_tsi_del(struct nve_shadow *s, uint32_t slot);
bool nve_shadow_metered(const struct nve_shadow_tsi_state *state); /* NULL is not */
int nve_shadow_fdb_set(struct nve_shadow *s, const struct nve_dp_fdb *fdb);
int nve_shadow_fdb_del(struct nve_shadow *s, uint32_t vn_id, const uint8_t mac[NVE_MAC_LEN]);

/* Of a frame to be sent, as in nve_dp_ops: 0 and the VN, -ENOENT or -EINVAL. */
int nve_shadow_send_check(const struct nve_shadow *s, uint16_t port, uint16_t tag, size_t len,
			  uint32_t *vn_id);

/* NULL if there is neither a 'now' nor a 'want'. */
struct nve_shadow_vn *nve_shadow_vn(const struct nve_shadow *s, uint32_t vn_id);
struct nve_shadow_vap *nve_shadow_vap(const struct nve_shadow *s, uint16_t port, uint16_t tag);
struct nve_shadow_fdb *nve_shadow_fdb(const struct nve_shadow *s, uint32_t vn_id,
				      const uint8_t mac[NVE_MAC_LEN]);
/* Whether some address with that MAC is in use, or would be if the TSI, which is off, were on. */
bool nve_shadow_mac_active(const struct nve_shadow_tsi_state *state,
			   const uint8_t mac[NVE_MAC_LEN]);
/* Numbers those MACs that have no number (0) yet; 'now' may be NULL. */
void nve_shadow_number_macs(struct nve_shadow_tsi_state *state,
			    const struct nve_shadow_tsi_state *now);
/* Puts an object on the list of what differs, although nothing was told: -ENOMEM. */
int nve_shadow_touch_tsi(struct nve_shadow *s, uint32_t slot);
int nve_shadow_touch_vap(struct nve_shadow *s, struct nve_shadow_vap *vap);

/* The tables show what is wanted now: frees what that makes needless, empties the lists. */
void nve_shadow_tsi_commit(struct nve_shadow_tsi *tsi);
void nve_shadow_commit(struct nve_shadow *s);
