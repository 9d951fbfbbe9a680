/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contract of a datapath: fake (memory), ebpf (kernel maps), p4rt (P4Runtime).
 *
 * The engine says what should be, object by object; a datapath finds the difference to what is
 * (it keeps what it was told), and makes it so at nve_dp apply().  Told the same twice, it does
 * nothing; told something else, it changes what differs.  So there is one way to do, to undo and
 * to repair: say it again.
 *
 * Set and del functions take room at once and change nothing that a frame can see: they are where
 * a full table is refused (S54, D12).  apply() makes all changes since the last one visible, in an
 * order that never lets a frame pass by half a change:
 *   1. what goes out of use is switched off (TSIs released, or replaced under their slot);
 *   2. new and changed rows of VNs, VAPs, VTEPs, addresses and forwarding are written, rows of
 *      addresses that are not yet in use so that they do not match;
 *   3. each changed TSI's record is flipped by one store, with which all its addresses change
 *      (S69);
 *   4. rows that no longer serve are removed.
 *
 * One thread.  Functions return 0 or -errno; after a failed set the object is as it was.
 */
#pragma once

#include "core/acl.h"
#include "core/reasons.h"
#include "core/types.h"
#include "dp/dp_check.h"

struct nve_dp;

enum nve_dp_mode { NVE_DP_AUTO, NVE_DP_XDP, NVE_DP_TC };
enum nve_dp_role { NVE_DP_ACCESS, NVE_DP_UNDERLAY };
enum nve_dp_untagged { NVE_DP_UNTAGGED_DROP, NVE_DP_UNTAGGED_HOST };

struct nve_dp_port {
	uint16_t slot; /* key: as in nve_tsi_key.port; underlay ports have slots too */
	char name[NVE_NAME_MAX + 1];
	char ifname[16];
	uint8_t role;     /* enum nve_dp_role */
	uint8_t mode;     /* enum nve_dp_mode wanted */
	uint8_t untagged; /* enum nve_dp_untagged: access frames without a tag (S11) */
};

/* What a datapath made of a port; 'why' is a sentence for people ("veth: XDP would cost GSO"). */
struct nve_dp_port_status {
	uint8_t mode; /* XDP or TC */
	bool up;
	uint32_t ifindex;
	char why[224];
};

struct nve_dp_limits {
	uint32_t max_tsis;
	uint32_t max_vns;
	uint32_t max_addrs; /* of all TSIs */
	uint32_t max_fdb;   /* local and remote MACs */
	uint32_t max_vteps;
	uint32_t max_flood;  /* VTEPs and access ports of one VN */
	uint32_t max_meters; /* TSIs with a rate; may be 0 */
};

/* A source address that a TSI sends from, seen at a port and tag: a MAC, or a MAC and an IP. */
struct nve_dp_gleaned {
	uint32_t slot;
	uint16_t port, tag;
	struct nve_addr addr;
};
typedef void nve_dp_gleaned_fn(void *arg, const struct nve_dp_gleaned *gleaned);

struct nve_dp_config {
	const char *pin_dir; /* below a bpffs, made if missing; NULL: nothing is pinned (tests) */
	struct nve_ip local_vtep;  /* IPv4; family 0 = none */
	struct nve_ip local_vtep6; /* IPv6; family 0 = none; one of the two there is */
	uint16_t vxlan_port;       /* host order; 0 = 4789 */
	uint16_t geneve_port;      /* 0 = 6081 */
	struct nve_dp_limits limits;
	bool unload; /* open() for flush() and close() alone, whatever layout the pins have */
	nve_dp_gleaned_fn *gleaned; /* from within dispatch(); NULL: nobody wants to know */
	void *gleaned_arg;
};

enum nve_dp_encap { NVE_DP_VXLAN, NVE_DP_GENEVE };
/* The outer DSCP: 0, and the inner one stays; or that of the frame, out and in (RFC 2983).  ECN
 * goes out and in with both (RFC 6040). */
enum nve_dp_tos { NVE_DP_TOS_PIPE, NVE_DP_TOS_UNIFORM };

/* What becomes of a VN's broadcast, unknown unicast and multicast. */
struct nve_dp_bum {
	bool suppress;     /* who asks for an address is answered, see struct nve_dp_neigh */
	bool drop_unknown; /* unknown unicast is dropped, not flooded */
	uint32_t rate;     /* frames a second that its TSIs may have flooded; 0 = no limit */
	uint32_t burst;    /* as many at once; at least 1 if there is a rate */
};

struct nve_dp_vn {
	uint32_t vn_id; /* key */
	uint32_t vni;
	uint8_t encap; /* enum nve_dp_encap */
	uint8_t tos;   /* enum nve_dp_tos */
	struct nve_dp_bum bum;
	uint32_t acl; /* id of its profile's rules; 0: none */
	uint32_t n_vteps;
	const uint32_t *vteps; /* slots: those that get BUM copies, and may send to this VN */
};

/* The rules of a profile, which VNs may share (S3). */
enum { NVE_DP_ACLS_MAX = 255, NVE_DP_ACL_ROWS_MAX = 16384 }; /* rows: rules of all, 1 more each */
struct nve_dp_acl {
	uint32_t id; /* key, from 1 */
	struct nve_acl acl;
};

struct nve_dp_vap {
	uint16_t port; /* key: port and tag */
	uint16_t tag;
	bool quarantined; /* D6: frames dropped under a counter of their own, vn_id unused */
	uint32_t vn_id;
	uint32_t n_activated; /* BUM is delivered while this is above 0 */
};

/*
 * Which source addresses are told, when unknown and, known ones, every so often (S46, D8).  Frames
 * from an unknown MAC are lost.  The IPs of gleaned addresses are no filter.
 */
enum nve_dp_glean {
	NVE_DP_GLEAN_NONE,
	NVE_DP_GLEAN_IPS,  /* of its MACs */
	NVE_DP_GLEAN_MACS, /* and MACs that no TSI has on its port and tag; one there at most */
};

struct nve_dp_tsi {
	uint32_t slot; /* key */
	struct nve_tsi_key key;
	uint16_t tag;
	bool activated;
	uint8_t glean; /* enum nve_dp_glean */
	uint64_t epoch;
	uint64_t glean_every_ns;
	struct nve_qos qos; /* valid (core/qos.h); what is owed under an old rate stays owed */
	uint16_t n_addrs;
	const struct nve_tsi_addr *addrs; /* the caller's; copied */
};

struct nve_dp_dest {
	uint8_t kind; /* 0 none, 1 TSI, 2 VTEP */
	uint32_t slot;
};
enum { NVE_DP_DEST_NONE, NVE_DP_DEST_TSI, NVE_DP_DEST_VTEP };

enum nve_dp_send_to { NVE_DP_SEND_VAP, NVE_DP_SEND_VN, NVE_DP_SEND_WHOLE_VN };
enum { NVE_DP_SEND_MIN = 14, NVE_DP_SEND_MAX = 1514 };

/*
 * Where frames to a MAC go.  'second' is used while it is a TSI that is Activated with that
 * address active; else 'first', on the same condition if it is a TSI.  So an activation at another
 * port takes the address over in the moment its TSI's record flips (D7, D12).
 */
struct nve_dp_fdb {
	uint32_t vn_id; /* key: vn_id and mac */
	uint8_t mac[NVE_MAC_LEN];
	struct nve_dp_dest first;
	struct nve_dp_dest second;
};

/* Somebody who claims an IP: 0 nobody, 1 TSIs, 2 (also) somebody behind a VTEP, as in the fdb. */
struct nve_dp_claim {
	uint8_t kind;
	uint8_t mac[NVE_MAC_LEN];
};

/*
 * The MACs that an IP has, for VNs that suppress.  A TSI that asks for it (ARP request to all, or
 * plain neighbor solicitation to the group) is answered with the MAC of 'second', else of 'first',
 * if that holds: frames to the MAC now go to a TSI, at another port or tag than the asker's, which
 * has MAC and IP in use as one address; or to a VTEP, and the claim is of kind 2.  So the answers
 * change with the fdb and with each TSI's record (D7, D12, D13).  If none holds, the question is
 * flooded.  max_addrs + max_fdb of these there can be.
 */
struct nve_dp_neigh {
	uint32_t vn_id; /* key: vn_id and ip */
	struct nve_ip ip;
	struct nve_dp_claim first;
	struct nve_dp_claim second;
};

struct nve_dp_counter {
	uint64_t frames;
	uint64_t bytes;
};

struct nve_dp_tsi_stats {
	struct nve_dp_counter in;  /* from the TSI, forwarded */
	struct nve_dp_counter out; /* delivered to the TSI */
	uint64_t dropped;          /* all reasons; dump "tsi_drops" for each */
};

/* One drop reason and its count; name and text are static. */
typedef void nve_dp_drop_fn(void *arg, const char *name, const char *text, uint64_t frames);
/* One row as text: "key" and "value" are JSON objects with named fields. */
typedef void nve_dp_row_fn(void *arg, const char *key, const char *value);

enum { NVE_DP_FRAME_MIN = 14, NVE_DP_FRAME_MAX = 9216, NVE_DP_OUT_MAX = NVE_DP_FRAME_MAX + 80 };
enum nve_dp_verdict {
	NVE_DP_DROPPED,
	NVE_DP_FORWARDED,
	NVE_DP_FLOODED,
	NVE_DP_TO_HOST,
	NVE_DP_ANSWERED, /* the NVE sends an answer instead: 'out' */
};

/* What would become of a frame. */
struct nve_dp_why {
	uint8_t verdict;    /* enum nve_dp_verdict */
	const char *reason; /* as in drops(), static; "" unless it is dropped */
	const char *text;
	uint32_t n_programs;     /* that it goes through, one after the other */
	const char *programs[2]; /* static */
	/* Of a frame that is forwarded, or of the answer: */
	char out_ifname[16];
	uint16_t out_port;  /* slot, or NVE_PORT_NONE */
	struct nve_ip vtep; /* family 0: not to a VTEP */
	uint32_t out_len;
	uint32_t n_out; /* the bytes there are of it: a long frame's end is not told */
	uint8_t out[NVE_DP_OUT_MAX];
};

enum nve_dp_copy { NVE_DP_COPY_NONE, NVE_DP_COPY_SENT, NVE_DP_COPY_LOST };
/* A row that was looked for. */
struct nve_dp_step {
	const char *table;
	const char *key, *value; /* as in dump(); value "" if there is none */
	uint8_t copy;            /* enum nve_dp_copy: a member of a flood */
	const char *reason;      /* of a copy that is lost, else "" */
};
typedef void nve_dp_step_fn(void *arg, const struct nve_dp_step *step);

struct nve_dp_ops {
	const char *name; /* "fake", "ebpf", "p4rt" */

	/*
	 * Opens the datapath; one with pins finds the rows that an earlier agent left, which go on
	 * forwarding.  -EBUSY: another agent has it.  On failure '*err', if not NULL, is set to a
	 * message (the caller frees it) saying what to do.
	 */
	int (*open)(const struct nve_dp_config *config, struct nve_dp **ret, char **err);
	/* Forgets; touches no map, link or pin.  NULL is a no-op. */
	void (*close)(struct nve_dp *dp);
	/* Unloads: removes programs, links, maps and pins.  Only on the operator's word. */
	int (*flush)(struct nve_dp *dp);

	/* Attaches to an interface; at once.  -ENODEV: no such interface. */
	int (*port_set)(struct nve_dp *dp, const struct nve_dp_port *port, char **err);
	int (*port_del)(struct nve_dp *dp, uint16_t slot);
	int (*port_status)(struct nve_dp *dp, uint16_t slot, struct nve_dp_port_status *ret);

	/*
	 * Objects.  -ENOSPC: that table is full (nothing taken).  -ENOENT: refers to an object that
	 * was not set.  Deleting what is not there returns 0.  The pointers in 'x' are not kept.
	 */
	/* -EAFNOSUPPORT: this NVE has no address of that family. */
	int (*vtep_set)(struct nve_dp *dp, uint32_t slot, const struct nve_ip *ip);
	int (*vtep_del)(struct nve_dp *dp, uint32_t slot);
	/* A VN's frames meet the rules while their TSIs are Activated (S61, S78), the old ones or
	 * the new ones; what no VN refers to is deleted after the VNs' change. */
	int (*acl_set)(struct nve_dp *dp, const struct nve_dp_acl *acl);
	int (*acl_del)(struct nve_dp *dp, uint32_t id);
	int (*vn_set)(struct nve_dp *dp, const struct nve_dp_vn *vn);
	int (*vn_del)(struct nve_dp *dp, uint32_t vn_id);
	int (*vap_set)(struct nve_dp *dp, const struct nve_dp_vap *vap);
	int (*vap_del)(struct nve_dp *dp, uint16_t port, uint16_t tag);
	/* -EDQUOT: it has a rate, and no meter is left. */
	int (*tsi_set)(struct nve_dp *dp, const struct nve_dp_tsi *tsi);
	int (*tsi_del)(struct nve_dp *dp, uint32_t slot);
	int (*fdb_set)(struct nve_dp *dp, const struct nve_dp_fdb *fdb);
	int (*fdb_del)(struct nve_dp *dp, uint32_t vn_id, const uint8_t mac[NVE_MAC_LEN]);
	int (*neigh_set)(struct nve_dp *dp, const struct nve_dp_neigh *neigh);
	int (*neigh_del)(struct nve_dp *dp, uint32_t vn_id, const struct nve_ip *ip);

	/*
	 * Carries out all that was set and deleted since the last apply, in the order above.  When
	 * it returns 0, the next frame meets the new state (S13, S21).  On failure some of it may
	 * be done: the engine says again what was before, and applies that.
	 */
	int (*apply)(struct nve_dp *dp);
	/*
	 * Start-up: between begin and end the engine sets all there should be; end() compares with
	 * what the tables hold, writes only differences, and removes what was not set.
	 */
	int (*resync_begin)(struct nve_dp *dp);
	int (*resync_end)(struct nve_dp *dp);
	nve_dp_check_op *check; /* see dp_check.h */

	/*
	 * Sends a frame of the NVE's own, without tag, by what the tables show: to a VAP alone, or
	 * into its VN as BUM from it, to each other VAP and VTEP.  -EAGAIN, nothing sent: WHOLE_VN,
	 * and the way to some VTEP is not known yet.  A copy that is lost is counted in drops().
	 * -ENOENT: no VAP there; -ENODEV: its interface is gone; -EIO: nothing was sent.
	 */
	int (*send)(struct nve_dp *dp, uint16_t port, uint16_t tag, enum nve_dp_send_to to,
		    const void *frame, size_t len);

	/* When a frame of the TSI was last forwarded, on CLOCK_MONOTONIC; 0 = never.  Coarse: up to
	 * 200 ms too early (S73). */
	uint64_t (*last_seen)(struct nve_dp *dp, uint32_t slot);
	int (*tsi_stats)(struct nve_dp *dp, uint32_t slot, struct nve_dp_tsi_stats *ret);
	void (*drops)(struct nve_dp *dp, nve_dp_drop_fn *fn, void *arg);
	/* The same of frames that the datapath itself made, in answer to others. */
	void (*answers)(struct nve_dp *dp, nve_dp_drop_fn *fn, void *arg);
	/*
	 * The largest IP packet of a tenant that reaches every VTEP of the VN, whatever their
	 * families.  A VN without VTEPs, or one not set, has that of the largest header this NVE
	 * may have to write, and so has the narrowest underlay port where no way to a VTEP is
	 * known.  0: not known.
	 */
	uint32_t (*tenant_mtu)(struct nve_dp *dp, uint32_t vn_id);
	/* The drop reasons that hit one TSI. */
	int (*tsi_drops)(struct nve_dp *dp, uint32_t slot, nve_dp_drop_fn *fn, void *arg);
	/* Dumps a table by its name of the architecture ("src", "fdb", ..); -ENOENT: no such. */
	int (*dump)(struct nve_dp *dp, const char *table, nve_dp_row_fn *fn, void *arg);
	/*
	 * What would become of a frame that came in at a port, now, by the programs' own code and
	 * tables; each row they look for goes to 'fn'.  Sends nothing, changes no table and no
	 * counter.  'len' is NVE_DP_FRAME_MIN to _MAX.  -ENODEV: the port has no interface now;
	 * -EOPNOTSUPP: this datapath cannot tell.
	 */
	int (*why)(struct nve_dp *dp, uint16_t port, const uint8_t *frame, size_t len,
		   struct nve_dp_why *ret, nve_dp_step_fn *fn, void *arg);
	/* Names of the tables, NULL at the end; entries in use and the most there can be. */
	const char *(*table)(struct nve_dp *dp, size_t i, uint64_t *used, uint64_t *max);

	/* A descriptor, readable when dispatch() has work (links, neighbours); or -1. */
	int (*fd)(struct nve_dp *dp);
	void (*dispatch)(struct nve_dp *dp);
};

extern const struct nve_dp_ops nve_dp_fake;
extern const struct nve_dp_ops nve_dp_ebpf;
