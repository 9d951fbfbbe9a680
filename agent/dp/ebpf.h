/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the eBPF datapath share.  ebpf.c holds the ops; each other file one concern:
 * load (programs, maps, pins), rows (buffered map writes), addr (address rows), move (changes of a
 * TSI in use), fdb, vn, glean, apply, resync, migrate, attach, copier, probe, netlink, neigh, dump,
 * stats, send, suppress, acl, why.
 */
#pragma once

#include <linux/types.h>
#include <stdlib.h>

#include "acl_abi.h"
#include "copy_abi.h"
#include "dp/ebpf_ports.h"
#include "dp/shadow.h"
#include "near_abi.h"
#include "nve_abi.h"

/* In the order of struct map_spec of ebpf_load.c. */
enum nve_ebpf_map {
	NVE_MAP_PORT,
	NVE_MAP_VAP,
	NVE_MAP_TSI,
	NVE_MAP_SRC,
	NVE_MAP_SRC_IP,
	NVE_MAP_FDB,
	NVE_MAP_VTEP,
	NVE_MAP_PEER,
	NVE_MAP_FLOOD,
	NVE_MAP_NEIGH,
	NVE_MAP_BUM,
	NVE_MAP_ACL_SET,
	NVE_MAP_ACL,
	NVE_MAP_METER,
	NVE_MAP_ICMP_METER,
	NVE_MAP_GLEANER,
	NVE_MAP_GLEANED,
	NVE_MAP_ANSWERS,
	NVE_MAP_DROPS,
	NVE_MAP_TSI_DROPS,
	NVE_MAP_TSI_STATS,
	NVE_MAP_NEAR,
	NVE_MAP_NEAR_VN,
	NVE_MAPS,
};

enum nve_ebpf_prog {
	NVE_PROG_XDP_ACCESS,
	NVE_PROG_XDP_UNDERLAY,
	NVE_PROG_TC_ACCESS,
	NVE_PROG_TC_UNDERLAY,
	NVE_PROG_TC_SEND,
	NVE_PROG_XDP_COPY,
	NVE_PROGS,
};

/* Rows of one map on their way to the kernel: all are updates, or all deletions. */
struct nve_ebpf_buffer {
	uint32_t key_size, value_size; /* of per-CPU maps: for all CPUs */
	uint32_t max_entries;
	uint32_t n, room;
	bool deletes;
	bool no_batch; /* the kernel has no batches for this map */
	uint8_t *keys, *values;
};

struct nve_ebpf_acls;

struct nve_dp {
	struct nve_shadow shadow;
	struct nve_ip local_vtep, local_vtep6;
	uint16_t vxlan_port, geneve_port;
	void *object;             /* the skeleton */
	struct nve_ebpf_dry *dry; /* the programs of why(), from its first call on */
	int prog[NVE_PROGS];
	int map[NVE_MAPS];
	struct { /* in nve_ebpf_btf(); maps that were there before have the same layout */
		uint32_t key, value;
	} types[NVE_MAPS];
	struct nve_ebpf_buffer buffer[NVE_MAPS];
	struct nve_ebpf_acls *acls;
	uint32_t n_src, n_src_ip; /* rows in use */
	uint64_t written;         /* rows, by batches and updates; tests read it */
	int row_error;            /* the first since it was looked at; later writes are not tried */
	struct nve_tsi_row *tsi;  /* mapped */
	struct nve_vap_row *vap;
	struct nve_tsi_stats *stats; /* mapped: see ebpf_lines.h */
	uint32_t n_lines;
	uint32_t *line_first, *line_next; /* of a slot, and of a line: line + 1; 0: none */
	uint32_t *line_owner;             /* of a line: slot + 1; 0: none */
	bool lines_known;                 /* line_owner is right, whatever lines say */
	struct nve_near_bucket *near;     /* mapped: see ebpf_near.h */
	struct nve_near_vn *near_vn;
	uint32_t near_mask, n_near;
	uint64_t near_seed;
	uint64_t near_lost;                       /* entries that found no room */
	uint64_t near_lineless;                   /* ... of TSIs, no line, and went to near */
	uint32_t near_vni[NVE_NEAR_VN_MAX + 1];   /* by number: by which lines are looked for */
	uint32_t near_of[NVE_NEAR_VN_MAX + 1];    /* entries by number of their VN */
	uint32_t near_taken[NVE_NEAR_VN_MAX + 1]; /* by number: the VN that has it, or 0 */
	uint16_t near_last;
	struct nve_ebpf_meters *meters;
	uint32_t n_cpus;
	char *pin_dir; /* NULL: nothing is pinned */
	int pin_fd;    /* locked */
	int meta;      /* the map that says what version the pinned ones are; 0: none */
	struct nve_ebpf_port ports[NVE_PORTS_MAX];
	struct nve_ebpf_copier copier;
	struct nve_ebpf_hop *hops; /* by VTEP slot */
	int events, requests;      /* netlink sockets */
	int poll;                  /* of events and of what is gleaned */
	void *ring;                /* libbpf's, of the programs' events */
	nve_dp_gleaned_fn *gleaned;
	void *gleaned_arg;
	uint32_t seq;
	uint32_t moving; /* the TSI whose set changes under its frames, or NVE_SLOT_NONE */
	bool in_resync;
	bool migrating; /* the pins are of an earlier layout: ebpf_migrate.c */
	bool torn; /* an apply failed: the tables are neither old nor new, and must be compared */
};

/* --- load ------------------------------------------------------------------------------------- */
int nve_ebpf_load(struct nve_dp *dp, char **err);
void nve_ebpf_unload(struct nve_dp *dp);
int nve_ebpf_pins_open(struct nve_dp *dp, const char *dir, char **err);
/* The pin's path; false if it does not fit or nothing is pinned. */
bool nve_ebpf_pin_path(const struct nve_dp *dp, char path[256], const char *name);
/* Removes all pins, detaching what is pinned, and the directory. */
int nve_ebpf_pins_remove(struct nve_dp *dp);
int nve_ebpf_pins_remove_next(struct nve_dp *dp);
/* Pins all maps below a directory, which may be the pins' own; what is pinned there stays. */
int nve_ebpf_pin_maps(struct nve_dp *dp, const char *below, char **err);

/* --- migrate ---------------------------------------------------------------------------------- */
#define NVE_PIN_META "nve_meta" /* says which layout the pinned maps have */
#define NVE_PIN_NEXT "next"     /* the directory of those that are to be */
/* Looks at what is pinned: sets dp->migrating, or returns 1 if it is of our layout, 0 if there is
 * nothing; -EPROTO: it is of a newer one. */
int nve_ebpf_check_meta(struct nve_dp *dp, char **err);
/* The new maps are complete: they take the old ones' place. */
int nve_ebpf_migrate(struct nve_dp *dp);
const char *nve_ebpf_map_name(enum nve_ebpf_map map); /* "nve_src" */
/* The object's own, naming rows' fields: the kernel gives its copy to CAP_SYS_ADMIN alone. */
const struct btf *nve_ebpf_btf(const struct nve_dp *dp);
const char *nve_ebpf_prog_name(enum nve_ebpf_prog prog);
const char *nve_ebpf_copier_name(enum nve_ebpf_copier_map map);
/* Sets '*err' to a message if 'err' is not NULL; returns 'r'. */
int nve_ebpf_error(char **err, int r, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
