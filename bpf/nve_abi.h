/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The map layout: the one header that the BPF programs and agent/dp/ebpf*.c share.  Fixed widths,
 * visible padding, sizes pinned.  Integers are in host order unless their type is __be.  Names are
 * those of the P4 tables.  Whoever includes it brings __u8 .. __be32 (vmlinux.h or linux/types.h).
 */
#pragma once

/* Of all maps' layout.  Another one is another set of maps: agent/dp/ebpf_migrate.c. */
#ifndef NVE_ABI_VERSION /* a test builds an agent of the next one */
#define NVE_ABI_VERSION 3
#endif

enum {
	NVE_ETH_ALEN = 6,
	NVE_VID_COUNT = 4096,
	NVE_FLOOD_MAX = 128,    /* members of one VN */
	NVE_OUTER_MAX = 72,     /* Ethernet + IPv6 + UDP + VXLAN, rounded up */
	NVE_ICMP_METERS = 1024, /* TSIs that are so many slots apart share one */
	NVE_SEEN_SHIFT = 24,    /* a TSI's 'seen' is in units of 2^24 ns (17 ms), */
	NVE_SEEN_STEP = 5,      /* and written at most every so many of them (S73) */
};

/*
 * Why a frame was not forwarded.  The one list: enum, name, text, metric and P4 counter index.
 * The numbers are ABI: append, never reuse.
 * X(NAME, number, text)
 */
#define NVE_DROP_REASONS(X)                                                                        \
	X(SHORT, 1, "frame ends inside a header")                                                  \
	X(NO_TAG, 2, "no 802.1Q tag, or a priority tag, on an access port")                        \
	X(DOUBLE_TAG, 3, "a second VLAN tag behind the first")                                     \
	X(NO_VAP, 4, "no VN for this port and tag")                                                \
	X(TAG_QUARANTINED, 5, "the tag was released and is in quarantine")                         \
	X(SRC_MAC, 6, "source MAC is not one of the VAP's TSIs")                                   \
	X(SRC_IP, 7, "source IP is not one of the TSI's")                                          \
	X(SRC_ARP, 8, "ARP sender is not an address of the TSI")                                   \
	X(SRC_ND, 9, "neighbor discovery speaks for an address that is not the TSI's")             \
	X(SRC_INACTIVE, 10, "source TSI or address is not activated")                              \
	X(DST_INACTIVE, 11, "destination TSI or address is not activated")                         \
	X(DST_UNKNOWN, 12, "destination MAC unknown, and the VN does not flood")                   \
	X(SAME_PORT, 13, "destination is behind the port and tag the frame came from")             \
	X(LINK_LOCAL, 14, "bridge-local destination (01:80:c2:00:00:0x)")                          \
	X(NO_MEMBER, 15, "broadcast or multicast, and the VN has no other member")                 \
	X(VTEP_UNRESOLVED, 16, "no next hop towards the remote VTEP yet")                          \
	X(TOO_LARGE, 17, "larger than the underlay can carry")                                     \
	X(NO_ROOM, 18, "the kernel gave no room for the tunnel header or tag")                     \
	X(OUTER_INVALID, 19, "outer IP or UDP header invalid, fragmented or with options")         \
	X(TUNNEL_FLAGS, 20, "VXLAN flags, or Geneve version, protocol or options, invalid")        \
	X(UNKNOWN_VNI, 21, "no connected VN has this VNI in this encapsulation")                   \
	X(UNKNOWN_VTEP, 22, "sender is not a known VTEP of the VN")                                \
	X(INNER_TAG, 23, "a VLAN tag inside the tunnel (RFC 7348 section 6.1)")                    \
	X(TTL, 24, "forwarded on between NVEs too often")                                          \
	X(REDIRECT, 25, "the kernel refused to redirect or clone the frame")                       \
	X(INTERNAL, 26, "tables contradict each other; report it")                                 \
	X(GENEVE_OPTION, 27, "a critical Geneve option that this NVE does not know")               \
	X(GENEVE_CONTROL, 28, "a Geneve control packet, of which this NVE knows none")             \
	X(ECN, 29, "congestion was marked on a packet that does not know ECN (RFC 6040)")          \
	X(RATE, 30, "over the rate of its TSI (QoS)")                                              \
	X(ACL, 31, "a rule of the VN's profile forbids it")                                        \
	X(BUM_RATE, 32, "over the VN's rate of broadcast, unknown unicast and multicast")          \
	X(GLEANING, 33, "source MAC not known yet, and told to the agent to be learned")

enum nve_drop {
	NVE_FORWARD = 0,
	NVE_DROP_COUNT = 64, /* room to append without a new map */
#define NVE_DROP_ENUM(name, number, text) NVE_DROP_##name = number,
	NVE_DROP_REASONS(NVE_DROP_ENUM)
#undef NVE_DROP_ENUM
};

/*
 * Frames that the programs make of a frame they take, by kind: names, texts, metrics.
 * X(NAME, number, text)
 */
#define NVE_ANSWERS(X)                                                                             \
	X(ARP, 0, "ARP requests answered from the VN's addresses")                                 \
	X(ND, 1, "neighbor solicitations answered from the VN's addresses")                        \
	X(FRAG_NEEDED, 2, "ICMP fragmentation-needed sent to the frame's source")                  \
	X(PACKET_TOO_BIG, 3, "ICMPv6 packet-too-big sent to the frame's source")                   \
	X(LIMITED, 4, "ICMP errors not sent: over their rate")                                     \
	X(GLEAN_TOLD, 5, "source addresses told to the agent, to be learned or kept")              \
	X(GLEAN_LIMITED, 6, "source addresses not told: over their TSI's rate")                    \
	X(GLEAN_LOST, 7, "source addresses not told: the agent's queue was full")

enum nve_answer {
#define NVE_ANSWER_ENUM(name, number, text) NVE_ANSWER_##name = number,
	NVE_ANSWERS(NVE_ANSWER_ENUM)
#undef NVE_ANSWER_ENUM
		NVE_ANSWER_COUNT = 16, /* room to append without a new map */
};

/*
 * A token bucket, as the moment when it will be full again: one word, changed without a lock.
 * Made by the agent; the programs write 'full'.
 */
struct nve_meter {
	__u64 full;  /* CLOCK_MONOTONIC, ns */
	__u64 cost;  /* ns * 65536 that a unit (byte or frame) takes; 0: no limit */
	__u64 burst; /* ns that the bucket holds when it is full */
	__u64 pad;
};
_Static_assert(sizeof(struct nve_meter) == 32, "map ABI");

/* --- port: ifindex -> what is attached there.  Off the fast path. */

enum nve_port_role { NVE_PORT_ACCESS = 1, NVE_PORT_UNDERLAY = 2 };
enum nve_port_flags {
	NVE_PORT_XDP = 1 << 0,           /* takes frames by XDP redirect */
	NVE_PORT_UNTAGGED_HOST = 1 << 1, /* untagged frames go to the host (in-band signaling) */
};

struct nve_port {
	__u16 slot;
	__u8 role;  /* enum nve_port_role */
	__u8 flags; /* enum nve_port_flags */
};
_Static_assert(sizeof(struct nve_port) == 4, "map ABI");

/* --- vap: port slot * 4096 + vid -> VN.  An array, mapped by the agent. */

enum nve_vap_state { NVE_VAP_NONE = 0, NVE_VAP_LIVE = 1, NVE_VAP_QUARANTINED = 2 };

struct nve_vap_row {
	__u32 vn_id;
	__u32 n_activated; /* BUM copies are delivered while above 0 */
	__u32 ifindex;
	__u8 state;      /* enum nve_vap_state */
	__u8 ip_only;    /* some TSI here has IPs alone: try src_ip when src has no row */
	__u8 port_flags; /* enum nve_port_flags */
	__u8 glean;      /* some TSI here has no address: try gleaner when src has no row */
};
_Static_assert(sizeof(struct nve_vap_row) == 16, "map ABI");

/* --- how frames of a VN cross the underlay: in tsi for those that leave, in peer for the others.
 */

enum nve_tunnel_flags {
	NVE_TUNNEL_GENEVE = 1 << 0,  /* Geneve (RFC 8926); else VXLAN */
	NVE_TUNNEL_UNIFORM = 1 << 1, /* the DSCP too goes out and in (RFC 2983); else ECN alone */
};

/* --- tsi: TSI slot -> the record that Activate flips.  An array, mapped by the agent. */

/* What a TSI's frames need beyond the plain way; 0 on the fast path. */
enum nve_tsi_features {
	NVE_TSI_METER_IN = 1 << 0, /* a rate for frames from it */
	NVE_TSI_METER_OUT = 1 << 1,
	NVE_TSI_MARK = 1 << 2,    /* PCP or DSCP are written */
	NVE_TSI_ACL_IN = 1 << 3,  /* the VN's rules on frames from TSIs */
	NVE_TSI_ACL_OUT = 1 << 4, /* ... on frames to TSIs */
	NVE_TSI_GLEAN = 1 << 5,   /* source addresses are learned */
};

#define NVE_MARK_SET 0x80 /* in pcp and dscp of a TSI's row */

/*
 * 'live' is stored by the agent in one piece, and all that a frame's fate depends on hangs on it:
 * the high half is nonzero when Activated, the low half is the generation of the TSI's addresses.
 */
#define NVE_TSI_LIVE 0x100000000ull
struct nve_tsi_row {
	__u64 live;
	__u64 reserved8;
	__u32 vn_id;
	__u32 vni;     /* 24 bits, host order */
	__u32 ifindex; /* of its access port */
	__u16 vid;
	__u16 port;      /* slot */
	__u8 port_flags; /* enum nve_port_flags of that port */
	__u8 tunnel;     /* enum nve_tunnel_flags of the VN */
	__u8 features;   /* enum nve_tsi_features */
	__u8 pad;
	__u32 meter; /* of frames from it, the next row is of those to it; 0 = none */
	__u64 epoch;
	__u32 acl; /* acl_set of the VN's rules; 0 = none */
	__u8 pcp;  /* of the tag on frames to it, with NVE_MARK_SET; else 0 */
	__u8 dscp; /* of packets from it, with NVE_MARK_SET; else 0 */
	__u8 reserved[10];
};
_Static_assert(sizeof(struct nve_tsi_row) == 64, "map ABI, one cache line");

/*
 * A row of an address counts or not, depending on its TSI's generation, so that one store to the
 * TSI's record changes any number of addresses at once (S69, D13).
 */
enum nve_when {
	NVE_WHEN_ALWAYS = 0,
	NVE_WHEN_NEVER = 1, /* reserved, not in use (D13) */
	NVE_WHEN_FROM = 2,  /* counts once the TSI's generation is 'gen' */
	NVE_WHEN_UNTIL = 3, /* counts until the TSI's generation is 'gen' */
};

/* --- src: ifindex, vid, source MAC -> TSI.  Source filter and classification in one lookup. */

struct nve_src_key {
	__u32 ifindex;
	__u16 vid;
	__u8 mac[NVE_ETH_ALEN];
};
_Static_assert(sizeof(struct nve_src_key) == 12, "map ABI");

enum nve_src_flags {
	NVE_SRC_FILTER_IP = 1 << 0, /* IPs are signaled: a source IP must match */
	NVE_SRC_IP4 = 1 << 1,       /* ip4 holds one that matches */
	NVE_SRC_IP6 = 1 << 2,       /* ip6 holds one that matches */
	NVE_SRC_MORE = 1 << 3,      /* others are in src_ip, under this mac number */
	NVE_SRC_ANY_MAC = 1 << 4, /* ... and under mac number 0 (IPs that are not bound to a MAC) */
};

struct nve_src {
	__u32 tsi;
	__u16 gen;  /* low 16 bits of the generation */
	__u8 when;  /* enum nve_when, of MAC and inline IPs together */
	__u8 flags; /* enum nve_src_flags */
	__u16 mac;  /* the MAC's number within its TSI, from 1 */
	__u16 pad;
	__be32 ip4;
	__u8 ip6[16];
};
_Static_assert(sizeof(struct nve_src) == 32, "map ABI");

/*
 * --- src_ip: further source IPs of a TSI; and TSIs that are known by IP alone. -----------------
 * owner = TSI slot, vid = 0:          an IP of that TSI, for its MAC number 'mac', 0 = any of them
 * owner = ifindex, vid != 0, mac = 0: an IP-only TSI of that VAP: any source MAC
 */
struct nve_src_ip_key {
	__u32 owner;
	__u16 vid;
	__u16 mac;
	__u8 ip[16]; /* IPv4 as ::ffff:a.b.c.d */
};
_Static_assert(sizeof(struct nve_src_ip_key) == 24, "map ABI");

struct nve_src_ip {
	__u32 tsi;
	__u16 gen;
	__u8 when; /* enum nve_when */
	__u8 pad;
};
_Static_assert(sizeof(struct nve_src_ip) == 8, "map ABI");

/*
 * --- gleaner: for which TSI source addresses are learned (S46, D8). ------------------------------
 * owner = ifindex, vid != 0: unknown source MACs of that VAP, with their IPs
 * owner = TSI slot, vid = 0: further IPs of that TSI's MACs
 */
struct nve_gleaner_key {
	__u32 owner;
	__u16 vid;
	__u16 pad;
};
_Static_assert(sizeof(struct nve_gleaner_key) == 8, "map ABI");

struct nve_gleaner {
	__u32 tsi;
	__u32 pad;
	__u64 every;            /* ns: a known address that is in use is told again so often */
	struct nve_meter meter; /* of unknown ones */
};
_Static_assert(sizeof(struct nve_gleaner) == 48, "map ABI");

/* --- gleaned: TSI, source MAC, source IP (or zero) -> a known one. */

struct nve_gleaned_key {
	__u32 tsi;
	__u8 mac[NVE_ETH_ALEN];
	__u16 pad;
	__u8 ip[16]; /* IPv4 as ::ffff:a.b.c.d */
};
_Static_assert(sizeof(struct nve_gleaned_key) == 28, "map ABI");

struct nve_gleaned {
	__u64 told; /* written by the programs too: coarse CLOCK_MONOTONIC */
};
_Static_assert(sizeof(struct nve_gleaned) == 8, "map ABI");

/* --- events: a ring buffer to the agent.  A source address that a TSI sends from. */
struct nve_glean_event {
	__u32 tsi;
	__u32 ifindex;
	__u16 vid;
	__u8 mac[NVE_ETH_ALEN];
	__u8 ip[16]; /* as above; zero: none */
};
_Static_assert(sizeof(struct nve_glean_event) == 32, "map ABI");

enum {
	NVE_GLEAN_RATE = 16,  /* unknown addresses told of one gleaner in a second, */
	NVE_GLEAN_BURST = 64, /* and at once */
};

/* --- fdb: VN, destination MAC -> TSI or VTEP. */

struct nve_fdb_key {
	__u32 vn_id;
	__u8 mac[NVE_ETH_ALEN];
	__u16 pad;
};
_Static_assert(sizeof(struct nve_fdb_key) == 12, "map ABI");

enum nve_dest_kind { NVE_DEST_NONE = 0, NVE_DEST_TSI = 1, NVE_DEST_VTEP = 2 };

struct nve_dest {
	__u32 slot;
	__u16 gen;
	__u8 when; /* enum nve_when; of a TSI's address */
	__u8 kind; /* enum nve_dest_kind */
};

/* 'second' is taken if it is a TSI in use; else 'first' (see struct nve_dp_fdb). */
struct nve_fdb {
	struct nve_dest first;
	struct nve_dest second;
};
_Static_assert(sizeof(struct nve_fdb) == 16, "map ABI");

/* --- vtep: VTEP slot -> ready-made outer header. */

enum nve_vtep_flags {
	NVE_VTEP_RESOLVED = 1 << 0, /* the Ethernet header is right; else frames are dropped */
	NVE_VTEP_XDP = 1 << 1,      /* the egress port takes frames by XDP redirect */
};

/*
 * outer: Ethernet, IPv4 (total length 0, ID 0, DF, TTL 64, checksum over that) or IPv6 (payload
 * length 0, hop limit 64), UDP (source port and length 0, checksum 0), VXLAN (I flag, VNI 0).  The
 * programs patch lengths, checksum, DSCP and ECN, flow label, source port and VNI, and make it
 * Geneve where the VN wants that.
 */
struct nve_vtep {
	__u8 outer[NVE_OUTER_MAX];
	__u8 outer_len; /* 50 for IPv4, 70 for IPv6 */
	__u8 family;    /* 4 or 6 */
	__u8 flags;     /* enum nve_vtep_flags */
	__u8 pad;
	__u32 ifindex; /* egress */
	__u16 mtu;     /* of the egress port: outer IP packets beyond it are not sent */
	__u16 port;    /* slot of the egress port */
	__u8 pad2[4];
	__u8 ip[16]; /* as in peer; split horizon compares it */
};
_Static_assert(sizeof(struct nve_vtep) == 104, "map ABI");

/* --- peer: VNI, outer source IP -> VN.  Decapsulation accepts nothing else. */

struct nve_peer_key {
	__u32 vni;   /* with ip all zero: the row of the VNI itself, which tells UNKNOWN_VNI
		      * from UNKNOWN_VTEP */
	__u8 ip[16]; /* IPv4 as ::ffff:a.b.c.d */
};
_Static_assert(sizeof(struct nve_peer_key) == 20, "map ABI");

struct nve_peer {
	__u32 vn_id;
	__u16 vtep;  /* slot; of the VNI's own row 0xffff */
	__u8 tunnel; /* enum nve_tunnel_flags of the VN */
	__u8 pad;
};
_Static_assert(sizeof(struct nve_peer) == 8, "map ABI");

/* --- flood: VN -> members for BUM, in order of kind and slot (see replicate.h). */

struct nve_member {
	__u32 slot; /* VTEP slot, or index into vap */
	__u8 kind;  /* enum nve_dest_kind: VTEP, or TSI for a local VAP */
	__u8 ip6;   /* of a VTEP: its header is IPv6 */
	__u8 pad[2];
};

/* What becomes of frames that would be flooded. */
enum nve_flood_flags {
	NVE_FLOOD_SUPPRESS = 1 << 0,   /* who asks for a known address is answered (neigh) */
	NVE_FLOOD_NO_UNKNOWN = 1 << 1, /* unknown unicast is dropped */
	NVE_FLOOD_METER = 1 << 2,      /* what TSIs send is limited (bum) */
};

struct nve_flood {
	__u16 n;
	__u16 flags; /* enum nve_flood_flags */
	__u32 vni;
	__u32 acl; /* as in tsi */
	__u32 pad;
	struct nve_member members[NVE_FLOOD_MAX];
};
_Static_assert(sizeof(struct nve_flood) == 16 + 8 * NVE_FLOOD_MAX, "map ABI");

/* --- bum: VN -> struct nve_meter, in frames. */

/* --- neigh: VN, IP -> MAC, for who asks by ARP or neighbor solicitation. */

struct nve_neigh_key {
	__u32 vn_id;
	__u8 ip[16]; /* IPv4 as ::ffff:a.b.c.d */
};
_Static_assert(sizeof(struct nve_neigh_key) == 20, "map ABI");

enum nve_neigh_flags {
	NVE_NEIGH_SET = 1 << 0,    /* there is one */
	NVE_NEIGH_REMOTE = 1 << 1, /* the NVA has it behind another NVE, too */
};

struct nve_neigh_mac {
	__u8 mac[NVE_ETH_ALEN];
	__u8 flags; /* enum nve_neigh_flags */
	__u8 pad;
};

/* Says who claims the IP; whether that one is answered for, fdb, tsi and src say (suppress.h). */
struct nve_neigh {
	struct nve_neigh_mac first;
	struct nve_neigh_mac second; /* asked first: it came later */
};
_Static_assert(sizeof(struct nve_neigh) == 16, "map ABI");

/* --- counters, per CPU. */

/* drops: enum nve_drop -> frames (index 0 unused). */

struct nve_tsi_drop_key {
	__u32 tsi;
	__u32 reason; /* enum nve_drop */
};

/*
 * tsi_stats: each CPU has lines, which are looked for by address (near_abi.h), and behind them the
 * rows of the long way, by TSI slot; these use the last five fields alone, and 'seen'.  Then comes,
 * once, what the agent alone writes: per TSI what lines counted that are not its any more.
 */
struct nve_tsi_stats {
	__u64 key; /* this and the next three as in near_abi.h */
	__u64 place;
	__u32 who;  /* slot << 8 | seq */
	__u32 seen; /* the last frame from it, on this CPU: coarse CLOCK_MONOTONIC in 2^24 ns */
	__be32 ip4;
	__u32 net;
	__u64 in_frames; /* from the TSI, forwarded */
	__u64 in_bytes;
	__u64 out_frames; /* delivered to the TSI; BUM copies count with their VAP's, not here */
	__u64 out_bytes;
};
_Static_assert(sizeof(struct nve_tsi_stats) == 64, "map ABI, one cache line");

/* --- frames of the NVE's own: what send.h is told in the control block. */

enum nve_send_arg {
	NVE_SEND_KIND, /* enum nve_send_kind */
	NVE_SEND_VN,
	NVE_SEND_IFINDEX, /* and vid: of the VAP */
	NVE_SEND_VID,
};
enum nve_send_kind { NVE_SEND_TO_VAP, NVE_SEND_TO_VN };

/* --- trace: what a dry run looked for (nvectl why).  Not among the live maps. ---------------- */

#define NVE_TRACED(X)                                                                              \
	X(port)                                                                                    \
	X(vap)                                                                                     \
	X(tsi)                                                                                     \
	X(src)                                                                                     \
	X(src_ip) X(fdb) X(vtep) X(peer) X(flood) X(neigh) X(bum) X(acl) X(gleaner) X(near) X(meter)
enum nve_traced {
#define NVE_TRACED_ENUM(name) NVE_TRACED_##name,
	NVE_TRACED(NVE_TRACED_ENUM)
#undef NVE_TRACED_ENUM
		NVE_TRACED_COUNT,
};

enum { NVE_TRACE_MAX = 256, NVE_TRACE_KEY_MAX = 24 };
enum nve_trace_copied { NVE_TRACE_COPY = 1, NVE_TRACE_COPY_LOST = 2 };

struct nve_trace_step {
	__u8 table; /* enum nve_traced */
	__u8 copy;  /* enum nve_trace_copied: a member of a flood */
	__u16 why;  /* enum nve_drop: that copy is lost */
	__u32 key[NVE_TRACE_KEY_MAX / 4];
	__u32 pad;
};
_Static_assert(sizeof(struct nve_trace_step) == 32, "map ABI");

struct nve_trace {
	__u32 n;    /* steps, also those beyond the last that has room */
	__u32 why;  /* enum nve_drop */
	__u32 more; /* set before: by so much the frame is longer than what the run is given */
	__u16 tci;  /* of the tag that TC puts on, if 'tagged' */
	__u8 tagged;
	__u8 answered; /* what comes out is the NVE's answer to the frame */
	struct nve_trace_step steps[NVE_TRACE_MAX];
};
