/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The BPF programs on a small world of their own, for tests: a private network namespace with three
 * veth pairs, nothing pinned, so that the process's exit cleans up.
 *
 *	a0 (10, access, slot 0)   vid 10: TSI 1, VN 7      vid 11: TSI 3, VN 8
 *	a1 (12, access, slot 1)   vid 20: TSI 2, VN 7      vid 10: TSI 4, VN 8
 *	u0 (14, underlay)         VTEPs 192.0.2.2, .3, .4; this NVE is 192.0.2.1
 *	VN 7 = VNI 100, VN 8 = VNI 200; MAC_R of VN 7 is behind VTEP 0
 *
 * The far ends are a0x (11), a1x (13) and u0x (15).  Functions assert (cmocka) that they succeed.
 */
#pragma once

#include <linux/types.h>
#include <stdbool.h>
#include <stdint.h>

#include "copy_abi.h"
#include "lib/frame.h"
#include "near_abi.h"
#include "nve_abi.h"

enum { IF_A0 = 10, IF_A0X, IF_A1, IF_A1X, IF_U0, IF_U0X };
enum { VN_7 = 7, VN_8 = 8, VNI_7 = 100, VNI_8 = 200 };
enum { TSI_1 = 1, TSI_2, TSI_3, TSI_4, TSI_IP_ONLY };

#define MAC_1     "02:00:00:00:00:01" /* of TSI 1; 10.0.0.1 and fd00::1 */
#define MAC_2     "02:00:00:00:00:02"
#define MAC_3     "02:00:00:00:00:03"
#define MAC_4     "02:00:00:00:00:04"
#define MAC_R     "02:00:00:00:00:99" /* remote */
#define MAC_X     "02:00:00:00:00:ee" /* nobody's */
#define MAC_ALL   "ff:ff:ff:ff:ff:ff"
#define MAC_GROUP "01:00:5e:00:00:01"
#define MAC_NVE   "02:aa:00:00:00:01" /* of u0 */
#define MAC_HOP   "02:aa:00:00:00:02" /* the next hop to all VTEPs */
#define IP_NVE    "192.0.2.1"
#define IP_VTEP   "192.0.2.2"
#define IP_NVE6   "2001:db8::1"

enum dp_mode { DP_XDP, DP_TC };
enum dp_side { DP_ACCESS, DP_UNDERLAY };
/* DP_ANSWERED: lost, and something else was sent in its place. */
enum dp_fate { DP_SENT, DP_HOST, DP_LOST, DP_FLOODED, DP_ANSWERED };

struct dp_outcome {
	enum dp_fate fate;
	enum nve_drop why; /* when lost */
	struct frame out;  /* as it is then; in TC a pushed tag is beside the frame */
};

enum { DP_MAPS = 5, DP_TSIS = 64, DP_LINES = 64 };
struct nve;
struct dp {
	struct nve *skel;
	void *maps[DP_MAPS]; /* of tsi, vap, near and near_vn, once mapped */
	size_t sizes[DP_MAPS];
	uint32_t gso_size; /* of frames in TC test runs: 0, unless a test says otherwise */
};

/* Enters a new network namespace, loads the programs, fills the tables. */
void dp_open(struct dp *dp);
/* Loads the programs alone, for an NVE of that address; the tables stay empty. */
void dp_load(struct dp *dp, const char *local_vtep);
/* Fills the tables anew: what a test changed is gone. */
void dp_fill(struct dp *dp);
void dp_close(struct dp *dp);

/* Does the kernel's test run take a frame of that length?  It refuses runts, and cut IP headers. */
bool dp_runs(enum dp_mode mode, const struct frame *f);
/* Runs the program of that side, as if 'in' came in at 'ifindex', and says what became of it. */
struct dp_outcome dp_run(struct dp *dp, enum dp_mode mode, enum dp_side side, uint32_t ifindex,
			 const struct frame *in);

/* Of the above: the fate must be this (what is answered is lost too).  On success the counters have
 * moved by this frame only. */
void dp_sends(struct dp *dp, enum dp_mode mode, enum dp_side side, uint32_t ifindex,
	      const struct frame *in, const struct frame *want);
void dp_loses(struct dp *dp, enum dp_mode mode, enum dp_side side, uint32_t ifindex,
	      const struct frame *in, enum nve_drop why);

/* In XDP, with all headroom taken up by metadata. */
void dp_loses_without_room(struct dp *dp, uint32_t ifindex, const struct frame *in,
			   enum nve_drop why);

/* A tunnel header from 'src' to 'dst' around 'inner'; 'sport' 0: any in the range is right. */
struct frame dp_tunnel(const char *src, const char *dst, uint32_t vni, uint16_t sport,
		       const struct frame *inner);

/* Rows; 'map' by its name without "nve_". */
void dp_set(struct dp *dp, const char *map, const void *key, const void *value);
void dp_get(struct dp *dp, const char *map, const void *key, void *value);
void dp_del(struct dp *dp, const char *map, const void *key);
/* The rows of "tsi", "vap", "near", "near_vn" or "tsi_stats" as the agent maps them; unmapped by
 * dp_close(). */
void *dp_map(struct dp *dp, const char *map);
uint64_t dp_drops(struct dp *dp, enum nve_drop why);
uint64_t dp_tsi_drops(struct dp *dp, uint32_t tsi, enum nve_drop why);
/* Of all CPUs, and of the long way and lines together. */
struct nve_tsi_stats dp_stats(struct dp *dp, uint32_t tsi);
/* Of the long way. */
void dp_set_seen(struct dp *dp, uint32_t tsi, uint32_t seen);

/* near: empty unless a test fills it, by its own numbers of VNs. */
void dp_near_empty(struct dp *dp);
uint64_t dp_near_key(uint32_t number, const char *mac);
/* One of the two buckets where the key may be. */
struct nve_near_bucket *dp_near_bucket(struct dp *dp, uint64_t key, bool second);
/* Puts the entry into its first bucket. */
struct nve_near_entry *dp_near_put(struct dp *dp, const struct nve_near_entry *e);
/* One of the two lines where the key of that VNI may be, of a CPU. */
struct nve_tsi_stats *dp_line(struct dp *dp, int cpu, uint64_t key, uint32_t vni, int way);
/* Puts the TSI's entry into that line of each CPU. */
void dp_line_put(struct dp *dp, const struct nve_near_entry *e, int way);
/* Takes the key out of it. */
void dp_line_cut(struct dp *dp, const struct nve_near_entry *e, int way);
/* What VN the VAP is of. */
void dp_near_hint(struct dp *dp, uint32_t ifindex, uint16_t vid, uint32_t number, uint32_t vn_id);

void dp_mac(uint8_t mac[6], const char *text);
struct nve_src_key dp_src_key(uint32_t ifindex, uint16_t vid, const char *mac);
struct nve_fdb_key dp_fdb_key(uint32_t vn_id, const char *mac);
struct nve_src_ip_key dp_src_ip_key(uint32_t owner, uint16_t vid, uint16_t mac, const char *ip);
struct nve_vtep dp_vtep(const char *ip);
/* The same for another NVE, at another port. */
struct nve_vtep dp_vtep_from(const char *src, const char *dst, uint32_t ifindex);
struct nve_peer_key dp_peer_key(uint32_t vni, const char *ip);
