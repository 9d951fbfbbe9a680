/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Headers as they are on the wire, and the constants that vmlinux.h lacks.  The structs are the
 * project's own because those of the kernel are partly packed, and clang reads packed fields byte
 * by byte.  Included after vmlinux.h; knows nothing of maps.
 */
#pragma once

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "nve_abi.h"

#define NVE_P_IP4    bpf_htons(0x0800)
#define NVE_P_ARP    bpf_htons(0x0806)
#define NVE_P_RARP   bpf_htons(0x8035)
#define NVE_P_8021Q  bpf_htons(0x8100)
#define NVE_P_QINQ   bpf_htons(0x9100)
#define NVE_P_IP6    bpf_htons(0x86dd)
#define NVE_P_8021AD bpf_htons(0x88a8)
#define NVE_P_TEB    bpf_htons(0x6558) /* Ethernet inside Geneve */

enum {
	NVE_VLAN_HLEN = 4,
	NVE_VID_MASK = 0x0fff,
	NVE_VLAN_DEI = 0x1000,
	NVE_PCP_SHIFT = 13,
	NVE_OUTER4_LEN = 50, /* Ethernet 14, IPv4 20, UDP 8, VXLAN or Geneve 8 */
	NVE_OUTER6_LEN = 70, /* IPv6 40 */
	NVE_IPPROTO_ICMP6 = 58,
	NVE_802_3_MAX = 1500, /* an EtherType up to this is an IEEE 802.3 length */
	NVE_TC_OK = 0,
	NVE_TC_SHOT = 2,
};

/* Wide accesses to bytes of frames and keys. */
typedef __u16 __attribute__((may_alias)) nve_u16;
typedef __u32 __attribute__((may_alias)) nve_u32;
typedef __u64 __attribute__((may_alias)) nve_u64;

struct nve_eth {
	__u8 dst[NVE_ETH_ALEN];
	__u8 src[NVE_ETH_ALEN];
	__be16 proto;
};

struct nve_vlan {
	__be16 tci;
	__be16 proto;
};

struct nve_ip4 {
	__u8 version_ihl;
	__u8 tos;
	__be16 tot_len;
	__be16 id;
	__be16 frag_off;
	__u8 ttl;
	__u8 protocol;
	__u16 check;
	__be32 saddr;
	__be32 daddr;
};
#define NVE_IP4_MF_OFFSET bpf_htons(0x3fff) /* a fragment: more to come, or an offset */
#define NVE_IP4_OFFSET    bpf_htons(0x1fff)

struct nve_ip6 {
	__be32 version_flow;
	__be16 payload_len;
	__u8 nexthdr;
	__u8 hop_limit;
	__u8 saddr[16];
	__u8 daddr[16];
};

struct nve_ip6_ext {
	__u8 nexthdr;
	__u8 len;
	__be16 frag_off; /* of a fragment header */
	__u8 rest[4];
};
#define NVE_IP6_OFFSET bpf_htons(0xfff8)

enum nve_icmp {
	NVE_ICMP_UNREACHABLE = 3,
	NVE_ICMP_SOURCE_QUENCH = 4,
	NVE_ICMP_REDIRECT = 5,
	NVE_ICMP_TIME_EXCEEDED = 11,
	NVE_ICMP_PARAMETER = 12,
	NVE_ICMP_FRAG_NEEDED = 4, /* code */
	NVE_ICMP6_TOO_BIG = 2,
	NVE_ICMP6_INFO = 128, /* and up: no errors */
};

struct nve_udp {
	__be16 sport;
	__be16 dport;
	__be16 len;
	__u16 check;
};

struct nve_vxlan {
	__be32 flags;
	__be32 vni; /* in the upper 24 bits */
};
#define NVE_VXLAN_I bpf_htonl(0x08000000)

/* The VNI is where VXLAN has it. */
struct nve_geneve {
	__u8 version_len; /* of the options, in 4 bytes: six bits */
	__u8 flags;
	__be16 proto;
	__be32 vni;
};
enum {
	NVE_GENEVE_VERSION = 0xc0,
	NVE_GENEVE_LEN = 0x3f,
	NVE_GENEVE_CONTROL = 0x80, /* the O bit */
	NVE_GENEVE_OPTIONS_MAX = NVE_GENEVE_LEN * 4,
};

struct nve_geneve_opt {
	__be16 class;
	__u8 type;
	__u8 len; /* of what follows, in 4 bytes: five bits */
};
enum { NVE_GENEVE_OPT_CRITICAL = 0x80, NVE_GENEVE_OPT_LEN = 0x1f };

struct nve_arp {
	__be16 htype;
	__be16 ptype;
	__u8 hlen;
	__u8 plen;
	__be16 op;
	__u8 sender_mac[NVE_ETH_ALEN];
	__u8 sender_ip[4];
	__u8 target_mac[NVE_ETH_ALEN];
	__u8 target_ip[4];
};

/* Neighbor discovery; 'target' is there in all but router messages (RFC 4861 section 4). */
struct nve_nd {
	__u8 type;
	__u8 code;
	__u16 check;
	__u8 rest[4];
	__u8 target[16];
};
enum nve_nd_type {
	NVE_MLD_REPORT = 131,
	NVE_MLD_DONE = 132,
	NVE_ND_RS = 133,
	NVE_ND_RA = 134,
	NVE_ND_NS = 135,
	NVE_ND_NA = 136,
	NVE_ND_REDIRECT = 137,
	NVE_MLD2_REPORT = 143,
};

struct nve_nd_opt {
	__u8 type;
	__u8 len; /* in 8 bytes */
	__u8 mac[NVE_ETH_ALEN];
};
enum { NVE_ND_OPT_SOURCE_MAC = 1, NVE_ND_OPT_TARGET_MAC = 2 };

static __always_inline bool nve_is_vlan(__be16 proto)
{
	return proto == NVE_P_8021Q || proto == NVE_P_8021AD || proto == NVE_P_QINQ;
}

/* By halves: in keys, on the stack, a MAC may start at an odd word, and there the verifier minds.
 */
static __always_inline void nve_mac_copy(void *dst, const void *src)
{
	((nve_u16 *)dst)[0] = ((const nve_u16 *)src)[0];
	((nve_u16 *)dst)[1] = ((const nve_u16 *)src)[1];
	((nve_u16 *)dst)[2] = ((const nve_u16 *)src)[2];
}

static __always_inline bool nve_mac_equal(const void *a, const void *b)
{
	const nve_u16 *x = a, *y = b;

	return x[0] == y[0] && x[1] == y[1] && x[2] == y[2];
}

static __always_inline bool nve_ip6_equal(const void *a, const void *b)
{
	const nve_u64 *x = a, *y = b;

	return x[0] == y[0] && x[1] == y[1];
}

static __always_inline bool nve_ip6_is_any(const void *a)
{
	const nve_u64 *x = a;

	return !(x[0] | x[1]);
}

/* IPv4 as ::ffff:a.b.c.d: the one form of addresses in keys. */
static __always_inline void nve_ip_from_4(void *ip, __be32 addr)
{
	nve_u32 *w = ip;

	w[0] = 0;
	w[1] = 0;
	w[2] = bpf_htonl(0xffff);
	w[3] = addr;
}

/* One's complement sum folded to 16 bits; the same in either byte order (RFC 1071). */
static __always_inline __u16 nve_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}
