/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames for tests, written as layers:
 *
 *	struct frame f = FRAME(eth(.dst = B, .src = A), vlan(.vid = 10),
 *			       ipv4(.src = "10.0.0.1", .dst = "10.0.0.2"), udp(.sport = 1, .dport =
 *2), text("hello"));
 *
 * What follows from the other layers is filled in unless it is given: EtherTypes, protocols,
 * lengths, checksums.  Knows nothing of the datapath.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FRAME_MAX = 2048, FRAME_LAYERS_MAX = 16 };

enum layer_kind {
	LAYER_END,
	LAYER_ETH,
	LAYER_VLAN,
	LAYER_IPV4,
	LAYER_IPV6,
	LAYER_EXT,
	LAYER_ARP,
	LAYER_ND,
	LAYER_UDP,
	LAYER_TCP,
	LAYER_VXLAN,
	LAYER_RAW,
};

/* Addresses are text; NULL is the zero address. */
struct layer_eth {
	const char *dst, *src;
	uint16_t type; /* 0: of the next layer */
};
struct layer_vlan {
	uint16_t vid, pcp, tpid, type; /* tpid 0: 0x8100 */
};
struct layer_ipv4 {
	const char *src, *dst;
	uint8_t proto, ttl, ihl, tos; /* 0: of the next layer, 64, 5 (more: options of zeros) */
	uint16_t frag, id;
	uint16_t extra_len; /* added to the total length: a lie */
	bool bad_check;
};
struct layer_ipv6 {
	const char *src, *dst;
	uint8_t next, tos, hops; /* 0: of the next layer, 0, 255 */
	uint16_t flow;
};
struct layer_ext {
	uint8_t kind, next; /* 0 hop-by-hop, 43, 44, 60 */
	uint16_t frag;
	uint8_t words; /* 8-byte words beyond the first */
};
struct layer_arp {
	const char *sender_mac, *sender_ip, *target_mac, *target_ip;
	uint16_t op, htype; /* 0: request, Ethernet */
	bool rarp;
};
struct layer_nd {
	uint8_t type, flags; /* of an NA: 0xe0 is router, solicited, override */
	const char *target;  /* NS, NA, redirect */
	uint8_t opt;         /* 1 source, 2 target link-layer address; 0 none */
	const char *opt_mac;
	bool nonce_first; /* another option before that one */
};
struct layer_udp {
	uint16_t sport, dport;
	uint16_t extra_len;
	bool no_check;
};
struct layer_tcp {
	uint16_t sport, dport;
};
struct layer_vxlan {
	uint32_t vni;
	uint8_t flags; /* 0: 0x08 */
	bool no_flags, geneve;
	uint8_t reserved, words, version; /* Geneve: 4-byte words of options, which follow */
	uint16_t proto;                   /* 0: 0x6558 */
};
struct layer_raw {
	const void *bytes; /* NULL: 0, 1, 2 .. */
	size_t len;
};

struct layer {
	enum layer_kind kind;
	union {
		struct layer_eth eth;
		struct layer_vlan vlan;
		struct layer_ipv4 ip4;
		struct layer_ipv6 ip6;
		struct layer_ext ext;
		struct layer_arp arp;
		struct layer_nd nd;
		struct layer_udp udp;
		struct layer_tcp tcp;
		struct layer_vxlan vxlan;
		struct layer_raw raw;
	};
};

#define eth(...)    ((struct layer){ .kind = LAYER_ETH, .eth = { __VA_ARGS__ } })
#define vlan(...)   ((struct layer){ .kind = LAYER_VLAN, .vlan = { __VA_ARGS__ } })
#define ipv4(...)   ((struct layer){ .kind = LAYER_IPV4, .ip4 = { __VA_ARGS__ } })
#define ipv6(...)   ((struct layer){ .kind = LAYER_IPV6, .ip6 = { __VA_ARGS__ } })
#define ext(...)    ((struct layer){ .kind = LAYER_EXT, .ext = { __VA_ARGS__ } })
#define arp(...)    ((struct layer){ .kind = LAYER_ARP, .arp = { __VA_ARGS__ } })
#define nd(...)     ((struct layer){ .kind = LAYER_ND, .nd = { __VA_ARGS__ } })
#define udp(...)    ((struct layer){ .kind = LAYER_UDP, .udp = { __VA_ARGS__ } })
#define tcp(...)    ((struct layer){ .kind = LAYER_TCP, .tcp = { __VA_ARGS__ } })
#define vxlan(...)  ((struct layer){ .kind = LAYER_VXLAN, .vxlan = { __VA_ARGS__ } })
#define geneve(...) vxlan(.geneve = true, __VA_ARGS__)
#define raw(b, n)   ((struct layer){ .kind = LAYER_RAW, .raw = { (b), (n) } })
#define text(s)     raw((s), sizeof(s) - 1)
#define bytes(n)    raw(NULL, (n))

struct frame {
	size_t len;
	uint8_t bytes[FRAME_MAX];
	size_t n_layers;
	struct {
		uint8_t kind; /* enum layer_kind */
		uint16_t at;
	} layers[FRAME_LAYERS_MAX];
};

#define FRAME(...) frame_make((const struct layer[]){ __VA_ARGS__, { .kind = LAYER_END } })

/* Aborts on a layer that cannot be (unknown address text, too long). */
struct frame frame_make(const struct layer *layers);
/* 'head' followed by the bytes of 'tail'; lengths and checksums in 'head' cover the tail. */
struct frame frame_wrap(const struct layer *head, const struct frame *tail);
#define WRAP(tail, ...)                                                                            \
	frame_wrap((const struct layer[]){ __VA_ARGS__, { .kind = LAYER_END } }, (tail))
/* The frame with an 802.1Q tag. */
struct frame frame_tag(const struct frame *f, uint16_t pcp, uint16_t vid);
/* The frame without its outermost 802.1Q tag. */
struct frame frame_untag(const struct frame *f);

/* Equal in length and bytes?  If not, says on stderr in which layers of 'want' they differ. */
extern bool frame_quiet; /* says nothing: for tests of the comparer itself */
bool frame_equal(const struct frame *got, const struct frame *want);
