/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reference model of an NVE's forwarding, written from the requirements (S11, S33..S36, S48, S49,
 * S53, S59, D6, D7, D12, D13) and the RFCs of the headers, for comparison with the programs.  It
 * knows nothing of maps: TSIs are lists of addresses that are searched from end to end, headers
 * are read byte by byte, checksums are added up anew.  Slow, and meant to be read.
 *
 * A frame comes in at a wire, as its bytes are there; frames come out at wires, or it is lost for
 * a reason, or it is the host's, and then nothing comes out.
 */
#pragma once

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/frame.h"
#include "nve_abi.h"

enum {
	REF_A0,
	REF_A1,
	REF_U0,
	REF_WIRES,
	REF_PORTS = 2, /* access ports */
};
enum { REF_TSIS = 6, REF_ADDRS = 5, REF_VAPS = 6, REF_VTEPS = 4, REF_VNS = 2 };
enum { REF_FDB = 24, REF_COPIES = 16 };

struct ref_ip {
	uint8_t family; /* 4, 6, or 0 for none */
	uint8_t bytes[16];
};

struct ref_addr {
	bool has_mac, active;
	uint8_t mac[6];
	struct ref_ip ip;
};

struct ref_tsi {
	bool set, activated;
	uint8_t vn, port; /* index, wire */
	uint16_t vid;
	size_t n;
	struct ref_addr addrs[REF_ADDRS];
};

struct ref_vap {
	uint8_t port;
	uint16_t vid;
	bool live, quarantined; /* neither: nothing is there */
	uint8_t vn;
	bool has_activated;
};

struct ref_vn {
	uint32_t vni;
	bool geneve, uniform;
	bool vteps[REF_VTEPS]; /* that belong to it */
};

enum ref_dest_kind { REF_NONE, REF_TSI, REF_VTEP };
struct ref_dest {
	enum ref_dest_kind kind;
	size_t n; /* TSI or VTEP */
};

struct ref_fdb {
	bool set;
	uint8_t vn;
	uint8_t mac[6];
	struct ref_dest first, second; /* the second while it can take the frame (D7) */
};

struct ref_vtep {
	struct ref_ip ip;
	uint8_t hop[6]; /* MAC of the next hop */
};

struct ref {
	uint8_t nve_mac[6]; /* of u0 */
	struct ref_ip local4, local6;
	struct ref_vtep vteps[REF_VTEPS];
	struct ref_vn vns[REF_VNS];
	struct ref_vap vaps[REF_VAPS];
	struct ref_tsi tsis[REF_TSIS];
	struct ref_fdb fdb[REF_FDB];
};

struct ref_copy {
	uint8_t wire;
	bool any_flow; /* the tunnel's source port (and flow label) is the NVE's choice */
	struct frame frame;
};

struct ref_fate {
	enum nve_drop why; /* NVE_FORWARD: not lost */
	size_t n;          /* of 'copies'; 0 and not lost: the host's */
	struct ref_copy copies[REF_COPIES];
};

/* What becomes of a frame. */
void ref_run(const struct ref *m, uint8_t wire, const struct frame *in, struct ref_fate *ret);

/* Are these the same?  The order of copies does not matter; any flow is as good as another in the
 * range of RFC 7348.  If not, says why on stderr unless frame_quiet. */
bool ref_equal(const struct ref_fate *got, const struct ref_fate *want);

/* --- parts, for the files of the model alone */

/* A frame as it is looked at: from 'at' on, up to its end. */
struct ref_view {
	const uint8_t *p;
	size_t len;
};

static inline uint16_t ref_16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

struct ref_view ref_skip(struct ref_view v, size_t n);
bool ref_same_ip(const struct ref_ip *a, const struct ref_ip *b);
struct ref_ip ref_ip4(const uint8_t *p);
struct ref_ip ref_ip6(const uint8_t *p);

/* ref_filter.c: whose frame it is, and whether that TSI may send it.  'l3': what follows the
 * EtherType 'type'. */
enum nve_drop ref_source(const struct ref *m, const struct ref_vap *vap, const uint8_t *mac,
			 uint16_t type, struct ref_view l3);

/* ref_tunnel.c: the tenant's frame in the tunnel of 'vn' to that VTEP. */
struct ref_tunnel {
	bool mine; /* a tunnel packet for this NVE; else the host's */
	uint8_t vn, tos, ttl;
	uint16_t flow; /* source port */
	struct ref_ip from;
	struct frame inner;
};
/* Takes a packet off the underlay apart. */
enum nve_drop ref_unwrap(const struct ref *m, const struct frame *in, struct ref_tunnel *ret);
/* 'flow' 0: the NVE chooses. */
struct ref_copy ref_wrap(const struct ref *m, uint8_t vn, size_t vtep, uint8_t tos, uint8_t ttl,
			 uint16_t flow, const struct frame *inner);
/* The DSCP and ECN of an Ethernet frame's IP packet; -1: it has none. */
int ref_tos(const struct frame *f);
/* RFC 6040 section 4.2: gives the inner packet what the way made of it. */
enum nve_drop ref_tos_in(struct frame *inner, uint8_t outer, bool uniform);
