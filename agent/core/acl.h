/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of a VN's profile (S3): in order, the first that matches a frame decides.  Nouns, like
 * those of types.h; and what the rules mean, as one reads them: nve_acl_match().
 */
#pragma once

#include "core/types.h"

enum { NVE_ACL_RULES_MAX = 4096 }; /* of one profile */

enum nve_acl_way { NVE_ACL_FROM_TSI, NVE_ACL_TO_TSI, NVE_ACL_WAYS };

/* What a rule looks at; a frame that has no such thing does not match. */
enum nve_acl_has {
	NVE_ACL_HAS_TYPE = 1 << 0, /* EtherType */
	NVE_ACL_HAS_PROTOCOL = 1 << 1,
	NVE_ACL_HAS_SRC = 1 << 2, /* IP prefixes */
	NVE_ACL_HAS_DST = 1 << 3,
	NVE_ACL_HAS_SRC_PORTS = 1 << 4,
	NVE_ACL_HAS_DST_PORTS = 1 << 5,
	NVE_ACL_HAS_SRC_MAC = 1 << 6,
	NVE_ACL_HAS_DST_MAC = 1 << 7,
};

/* Bytes that 'has' does not name are zero: rules are compared as bytes. */
struct nve_acl_rule {
	uint8_t ways; /* 1 << enum nve_acl_way */
	uint8_t deny;
	uint8_t has; /* enum nve_acl_has */
	uint8_t protocol;
	uint16_t type;
	uint8_t src_len, dst_len; /* of the prefixes, in bits; behind them src and dst are zero */
	struct nve_ip src, dst;   /* of the same family, if both are there */
	uint16_t src_ports[2], dst_ports[2]; /* from, to */
	uint8_t src_mac[NVE_MAC_LEN], dst_mac[NVE_MAC_LEN];
};
_Static_assert(sizeof(struct nve_acl_rule) == 68, "no padding");

struct nve_acl {
	char name[NVE_NAME_MAX + 1]; /* of the profile */
	bool deny;                   /* what no rule matches */
	uint32_t n_rules;
	const struct nve_acl_rule *rules;
};

/* What rules look at in a frame. */
struct nve_acl_frame {
	uint16_t type;
	bool is_ip, has_ports;
	uint8_t protocol;
	struct nve_ip src, dst;
	uint16_t src_port, dst_port;
	uint8_t src_mac[NVE_MAC_LEN], dst_mac[NVE_MAC_LEN];
};

/* 0 or -EINVAL: a rule that cannot be. */
int nve_acl_check(const struct nve_acl *acl);
bool nve_acl_equal(const struct nve_acl *a, const struct nve_acl *b);
/* The number of the first rule that matches, or n_rules. */
uint32_t nve_acl_match(const struct nve_acl *acl, enum nve_acl_way way,
		       const struct nve_acl_frame *f);
bool nve_acl_denies(const struct nve_acl *acl, enum nve_acl_way way, const struct nve_acl_frame *f);
/* A copy in one piece, which free() frees; NULL: no memory. */
struct nve_acl *nve_acl_copy(const struct nve_acl *acl);
