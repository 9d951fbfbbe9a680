/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the eBPF datapath: how they are written, and which ones an object of dp.h has. */
#pragma once

#include "dp/ebpf.h"
#include "dp/rowset.h"

/* --- rows: buffered writes -------------------------------------------------------------------- */
int nve_ebpf_rows_open(struct nve_ebpf_buffer *b); /* sizes are filled in */
void nve_ebpf_rows_close(struct nve_ebpf_buffer *b);
void nve_ebpf_put(struct nve_dp *dp, enum nve_ebpf_map map, const void *key, const void *value);
void nve_ebpf_cut(struct nve_dp *dp, enum nve_ebpf_map map, const void *key);
/* All before is in the kernel before anything after. */
void nve_ebpf_rows_flush(struct nve_dp *dp);
/* Flushes; the first error since it was last called, or 0. */
int nve_ebpf_rows_error(struct nve_dp *dp);
/* Calls 'fn' with each row until it returns nonzero, which is returned. */
typedef int nve_ebpf_each_fn(struct nve_dp *dp, void *arg, const void *key, const void *value);
int nve_ebpf_each(struct nve_dp *dp, enum nve_ebpf_map map, nve_ebpf_each_fn *fn, void *arg);

/* --- addr: rows of a TSI's addresses ---------------------------------------------------------- */
enum { NVE_MAC_NUMBERS = 2 * NVE_TSI_ADDRS_MAX + 1 };

struct nve_ebpf_mac {
	bool present, active;
	bool filtered; /* its frames need a source IP of the TSI */
	bool more;     /* some IPs are in src_ip */
	const struct nve_addr *addr;
	const struct nve_addr *ip4, *ip6; /* those inside the row */
};

/* A TSI's addresses as the tables have them. */
struct nve_ebpf_view {
	const struct nve_shadow_tsi_state *state;
	uint32_t slot, ifindex;
	bool any_ip; /* some IPs are bound to no MAC of those there are */
	struct nve_ebpf_mac macs[NVE_MAC_NUMBERS]; /* by number */
};

/* 'state' may be NULL: no addresses. */
void nve_ebpf_view(struct nve_ebpf_view *v, uint32_t slot, const struct nve_shadow_tsi_state *state,
		   uint32_t ifindex);
void nve_ebpf_src_row(const struct nve_ebpf_view *v, uint32_t number, struct nve_src_key *key,
		      struct nve_src *row);
/* The src_ip row of the i-th address; false if it has none. */
bool nve_ebpf_src_ip_row(const struct nve_ebpf_view *v, uint32_t i, struct nve_src_ip_key *key,
			 struct nve_src_ip *row);
/* How many rows of src and src_ip the view has. */
void nve_ebpf_count(const struct nve_ebpf_view *v, uint32_t *src, uint32_t *src_ip);
/* Writes all rows of the view. */
void nve_ebpf_addrs_put(struct nve_dp *dp, const struct nve_ebpf_view *v);
void nve_ebpf_ip16(uint8_t to[16], bool v4, const uint8_t *ip);

/* --- what objects have in the tables; all but 'live' and what hangs on it --------------------- */
void nve_ebpf_fdb_put(struct nve_dp *dp, const struct nve_shadow_fdb *entry);
void nve_ebpf_fdb_row(struct nve_dp *dp, const struct nve_shadow_fdb *entry,
		      struct nve_fdb_key *key, struct nve_fdb *row);
/* Frames pass by it until a TSI's set has changed: if it is to go, then after that. */
bool nve_ebpf_fdb_in_use(const struct nve_dp *dp, const struct nve_shadow_fdb *entry);
/* Writes the forwarding rows of the MACs whose use differs between the two. */
void nve_ebpf_fdb_follow(struct nve_dp *dp, const struct nve_ebpf_view *a,
			 const struct nve_ebpf_view *b);
void nve_ebpf_flood_row(struct nve_dp *dp, const struct nve_shadow_vn *vn, struct nve_flood *row);
/* Rows of a VN's peers as they are (now) or shall be; false: the i-th has none. */
uint32_t nve_ebpf_n_peers(const struct nve_shadow_vn *vn, bool now);
bool nve_ebpf_peer_row(struct nve_dp *dp, const struct nve_shadow_vn *vn, bool now, uint32_t i,
		       struct nve_peer_key *key, struct nve_peer *row);
/* Whether a change of the VN changes the records of its TSIs: tunnels, rules. */
bool nve_ebpf_vn_shows_in_tsis(const struct nve_shadow_vn *vn);
/* Takes that over into the records. */
void nve_ebpf_tunnel_write(struct nve_dp *dp, const struct nve_shadow_vn *vn);
/* The TSI's record; its VN may be gone. */
void nve_ebpf_tsi_record(struct nve_dp *dp, uint32_t slot);
void nve_ebpf_tsi_live(struct nve_dp *dp, uint32_t slot, bool live);
/* The record and the VAP's row as they shall be; 'row' is zero where there is nobody. */
void nve_ebpf_tsi_row(const struct nve_dp *dp, uint32_t slot, struct nve_tsi_row *row);
void nve_ebpf_vap_want(const struct nve_dp *dp, const struct nve_shadow_vap *vap,
		       struct nve_vap_row *row);
/* Empties the record and the counters of a slot. */
void nve_ebpf_tsi_clear(struct nve_dp *dp, uint32_t slot);
/* 'final': as it shall be; else so that BUM reaches nobody too many. */
void nve_ebpf_vap_row(struct nve_dp *dp, struct nve_shadow_vap *vap, bool final);
uint32_t nve_ebpf_row_ifindex(const struct nve_dp *dp, const struct nve_shadow_tsi_state *state,
			      bool now);

/* --- glean ------------------------------------------------------------------------------------ */
int nve_ebpf_glean_open(struct nve_dp *dp);
void nve_ebpf_glean_close(struct nve_dp *dp);
void nve_ebpf_glean_dispatch(struct nve_dp *dp);
/* At the end of apply(): the rows of what is gleaned. */
void nve_ebpf_glean_apply(struct nve_dp *dp);
struct nve_rowset;
void nve_ebpf_glean_want(struct nve_dp *dp, struct nve_rowset *gleaner, struct nve_rowset *gleaned);
/* The rows of gleaner that a TSI has as the tables show it: none, its own, and its VAP's. */
struct nve_ebpf_gleaners {
	uint32_t n;
	struct nve_gleaner_key keys[2];
	struct nve_gleaner row;
};
void nve_ebpf_gleaners(const struct nve_dp *dp, uint32_t slot,
		       const struct nve_shadow_tsi_state *state, bool now,
		       struct nve_ebpf_gleaners *ret);
struct nve_gleaned_key nve_ebpf_gleaned_key(uint32_t slot, const struct nve_addr *addr);
/* Rows that are not judged by: a gleaned IP is in no row of src or src_ip. */
bool nve_ebpf_glean_only(const struct nve_shadow_addr *a);
/* --- suppress: neigh and bum -------------------------------------------------------------------
 */
uint16_t nve_ebpf_flood_flags(const struct nve_dp_bum *bum);
/* Rows of what was told since the last apply(): those that go, and the others. */
void nve_ebpf_neigh_remove(struct nve_dp *dp);
void nve_ebpf_neigh_write(struct nve_dp *dp);
void nve_ebpf_bum_remove(struct nve_dp *dp, const struct nve_shadow_vn *vn);
void nve_ebpf_bum_write(struct nve_dp *dp, const struct nve_shadow_vn *vn);
/* All rows that there shall be; of a bucket that is right, what is in it stays. */
void nve_ebpf_neigh_want(struct nve_dp *dp, struct nve_rowset *rows);
void nve_ebpf_neigh_row(const struct nve_shadow_neigh *entry, struct nve_neigh_key *key,
			struct nve_neigh *row);
/* The full bucket of a VN that has a rate. */
struct nve_meter nve_ebpf_bum_row(const struct nve_dp_bum *bum);
void nve_ebpf_bum_want(struct nve_dp *dp, struct nve_rowset *rows);
/* --- meter: rates and marks of TSIs ----------------------------------------------------------- */
uint32_t nve_ebpf_meter_rows(const struct nve_dp *dp);
int nve_ebpf_meters_open(struct nve_dp *dp); /* the map is there */
void nve_ebpf_meters_close(struct nve_dp *dp);
/* The rows, mapped. */
const void *nve_ebpf_meter_map(const struct nve_dp *dp);
/* Takes the meter of a slot, unless the TSI that is wanted there goes on with it. */
void nve_ebpf_meter_leave(struct nve_dp *dp, uint32_t slot);
/* Makes rates, marks and features of the slot's record what is wanted. */
void nve_ebpf_meter_write(struct nve_dp *dp, uint32_t slot);
/* What the record of a TSI that is wanted says of them. */
void nve_ebpf_meter_row(const struct nve_dp *dp, uint32_t slot, struct nve_tsi_row *row);
/* What row 'at' of the table shall be, and whose it is: NVE_SLOT_NONE, nobody's. */
uint32_t nve_ebpf_meter_want(const struct nve_dp *dp, uint32_t at, struct nve_meter *ret);
struct nve_meter *nve_ebpf_meter_at(const struct nve_dp *dp, uint32_t at);
/* Records of TSIs that are not wanted are empty: the meters that are referred to are in use. */
void nve_ebpf_meters_adopt(struct nve_dp *dp);

/* --- apply, move, resync ---------------------------------------------------------------------- */
/* In use before and after, as the same TSI: frames go on passing while it changes. */
bool nve_ebpf_stays(const struct nve_shadow_tsi *tsi);
/* Whether rows of addresses differ. */
bool nve_ebpf_set_differs(const struct nve_dp *dp, const struct nve_shadow_tsi *tsi);
void nve_ebpf_move(struct nve_dp *dp, uint32_t slot);
int nve_ebpf_apply(struct nve_dp *dp);
/* Makes the tables what is wanted, whatever is in them. */
int nve_ebpf_sweep(struct nve_dp *dp);
