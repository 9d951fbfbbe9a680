/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * All maps, and the constants of one load.  The sizes here are those of a test: the agent sets its
 * own between open and load.  Unless said otherwise, agent/dp/ebpf*.c writes and the programs read.
 *
 * Rows change under frames that are using them:
 * - Hash rows are replaced whole, but a row that was removed may be given to another key at once,
 *   while a frame still reads it.  So what a row of src, src_ip, fdb or flood leads to is checked
 *   against the frame: the TSI's port, tag and VN, the VAP's VN.
 * - 'live' of a TSI is one store, and so is the word of its ifindex, vid and port: it moves under
 *   its frames.  The other fields of a TSI's or VAP's row change only while nothing that counts
 *   leads there.
 * - A VTEP's row is replaced by one map update, which is no single store: for some nanoseconds a
 *   frame can meet half a row.  The outer addresses of a slot are therefore constant: a slot gets
 *   another VTEP only after its rows in fdb, flood and peer are gone.  What changes in place is the
 *   next hop; a frame between two next hops is lost like one sent to the old next hop.
 */
#pragma once

#include "acl_abi.h"
#include "copy_abi.h"
#include "near_abi.h"
#include "wire.h"

const volatile __be32 nve_local_vtep;     /* 0: none */
const volatile __be32 nve_local_vtep6[4]; /* all 0: none */
const volatile __be16 nve_vxlan_port = bpf_htons(4789);
const volatile __be16 nve_geneve_port = bpf_htons(6081);
const volatile __u32 nve_n_ports = 1; /* rows of nve_vap, divided by NVE_VID_COUNT */
const volatile __u32 nve_n_tsis = 1;  /* rows of nve_tsi */
const volatile __u32 nve_near_mask = 63;
const volatile __u32 nve_n_lines = 64;  /* of a CPU, in nve_tsi_stats */
const volatile __u32 nve_cpu_rows = 65; /* all of a CPU's rows there: nve_n_lines + nve_n_tsis */
const volatile __u64
	nve_near_seed; /* so that nobody can choose MACs that get in each other's way */

/* ifindex -> port.  Read when a frame was not classified. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, struct nve_port);
} nve_port SEC(".maps");

/* port slot * NVE_VID_COUNT + vid -> VAP.  Mapped by the agent. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, NVE_VID_COUNT);
	__type(key, __u32);
	__type(value, struct nve_vap_row);
} nve_vap SEC(".maps");

/* TSI slot -> TSI.  Mapped by the agent. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct nve_tsi_row);
} nve_tsi SEC(".maps");

/* ifindex, vid, source MAC -> TSI and its first addresses. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct nve_src_key);
	__type(value, struct nve_src);
} nve_src SEC(".maps");

/* Further source IPs, and TSIs known by IP alone. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct nve_src_ip_key);
	__type(value, struct nve_src_ip);
} nve_src_ip SEC(".maps");

/* Whose source addresses are learned. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024);
	__type(key, struct nve_gleaner_key);
	__type(value, struct nve_gleaner);
} nve_gleaner SEC(".maps");

/* Those learned; the programs write when they were last told. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024);
	__type(key, struct nve_gleaned_key);
	__type(value, struct nve_gleaned);
} nve_gleaned SEC(".maps");

#if !NVE_DRY
/* To the agent.  Not pinned: what nobody has read when the agent ends comes again. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} nve_events SEC(".maps");
#endif

/* VN, destination MAC -> TSI or VTEP. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct nve_fdb_key);
	__type(value, struct nve_fdb);
} nve_fdb SEC(".maps");

/* What src, fdb and peer say in the simple case; see near_abi.h.  Both mapped by the agent. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, struct nve_near_bucket);
} nve_near SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, NVE_NEAR_PORTS *NVE_VID_COUNT);
	__type(key, __u32);
	__type(value, struct nve_near_vn);
} nve_near_vn SEC(".maps");

/* VTEP slot -> outer header. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, struct nve_vtep);
} nve_vtep SEC(".maps");

/* VNI, outer source -> VN. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct nve_peer_key);
	__type(value, struct nve_peer);
} nve_peer SEC(".maps");

/* VN -> members for BUM. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, struct nve_flood);
} nve_flood SEC(".maps");

/* VN, IP -> MAC. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct nve_neigh_key);
	__type(value, struct nve_neigh);
} nve_neigh SEC(".maps");

/* VN -> how much BUM its TSIs may send.  The programs write 'full'. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, struct nve_meter);
} nve_bum SEC(".maps");
/* What meters of TSIs refer to; row 0 is none.  Mapped by the agent; the programs write 'full'. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, struct nve_meter);
} nve_meter SEC(".maps");

/* TSI slot % NVE_ICMP_METERS -> rate of the ICMP errors that it is sent. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NVE_ICMP_METERS);
	__type(key, __u32);
	__type(value, struct nve_meter);
} nve_icmp_meter SEC(".maps");

/* enum nve_answer -> frames.  Written by the programs, as are the next three. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, NVE_ANSWER_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} nve_answers SEC(".maps");

/* enum nve_drop -> frames. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, NVE_DROP_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} nve_drops SEC(".maps");

/* TSI, reason -> frames.  Rows come into being with the first such frame. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, struct nve_tsi_drop_key);
	__type(value, __u64);
} nve_tsi_drops SEC(".maps");

/* CPU * nve_cpu_rows + line, or + nve_n_lines + TSI slot -> frames and bytes.  No per-CPU array,
 * which takes two cache lines to find a third.  Mapped by the agent; the programs write the
 * counters and 'seen', each CPU its own rows'. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct nve_tsi_stats);
} nve_tsi_stats SEC(".maps");

/* The rules of a VN's profile, in cells; each slot's array as large as they need. */
struct nve_acl_cells {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_INNER_MAP);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(union nve_acl_cell));
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, NVE_ACL_SETS);
	__type(key, __u32);
	__array(values, struct nve_acl_cells);
} nve_acl_set SEC(".maps");

/* Rule, counted through all sets -> frames and bytes.  Written by the programs. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, NVE_ACL_ROWS);
	__type(key, __u32);
	__type(value, struct nve_acl_row);
} nve_acl SEC(".maps");
