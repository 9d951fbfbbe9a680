/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The nouns of nved: what a request, a record of the core, a datapath row and a stored row all
 * speak of.  Plain values, no pointers to anything a module owns.  Everybody may include this.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	NVE_TSI_ID_LEN = 16,
	NVE_MAC_LEN = 6,
	NVE_NAME_MAX = 63,       /* bytes of a VN or port name, without the final NUL */
	NVE_TSI_ADDRS_MAX = 256, /* addresses of one TSI instance (S7) */
	NVE_TAG_MIN = 1,         /* 802.1Q: 0 is a priority tag, 4095 is reserved */
	NVE_TAG_MAX = 4094,
	NVE_PORTS_MAX = 256,
	NVE_GLEAN_MAX = 64, /* gleaned addresses of one TSI instance (D8) */
	NVE_GLEAN_AGE_MIN_MS = 1000,
	NVE_GLEAN_AGE_MAX_MS = 86400000,
	NVE_GLEAN_AGE_MS = 300000,     /* where nobody says another */
	NVE_VN_ID_MAX = (1 << 24) - 1, /* 0 is never a VN */
};

#define NVE_SLOT_NONE UINT32_MAX
#define NVE_PORT_NONE UINT16_MAX
#define NVE_NEVER_NS  UINT64_MAX

/* Chosen by the tNVE, the same on every NVE and port where that interface shows up (S87). */
struct nve_tsi_id {
	uint8_t bytes[NVE_TSI_ID_LEN];
};

enum nve_addr_flags {
	NVE_ADDR_MAC = 1 << 0,
	NVE_ADDR_IPV4 = 1 << 1,
	NVE_ADDR_IPV6 = 1 << 2,
};

/*
 * One address of a TSI: a MAC, an IP, or an IP bound to a MAC (S93).  Bytes that 'flags' does not
 * name are zero, so that two addresses are equal exactly when their bytes are.
 */
struct nve_addr {
	uint8_t flags; /* enum nve_addr_flags; IPV4 and IPV6 never together; at least one set */
	uint8_t mac[NVE_MAC_LEN];
	uint8_t pad;
	uint8_t ip[16]; /* network order; IPv4 in the first four bytes */
};
_Static_assert(sizeof(struct nve_addr) == 24, "nve_addr is compared and hashed as bytes");

/* An underlay address: of a VTEP, or of a tenant where only the IP matters. */
struct nve_ip {
	uint8_t family; /* 0 none, 4 or 6 */
	uint8_t pad[3];
	uint8_t bytes[16]; /* network order; IPv4 in the first four bytes, the rest zero */
};
_Static_assert(sizeof(struct nve_ip) == 20, "nve_ip is compared and hashed as bytes");

/* RFC 8394 figure 6. */
enum nve_tsi_state { NVE_TSI_INIT, NVE_TSI_ASSOCIATED, NVE_TSI_ACTIVATED, NVE_TSI_STATES };

/* Why a hypervisor associates or activates (S95, D16). */
enum nve_cause {
	NVE_CAUSE_UNSPECIFIED,
	NVE_CAUSE_CREATE,
	NVE_CAUSE_MIGRATE_IN,
	NVE_CAUSE_RESUME,
};

/* One TSI instance: the TSI at one port in one VN (section 3.1 of the requirements). */
struct nve_tsi_key {
	struct nve_tsi_id id;
	uint32_t vn_id;
	uint16_t port; /* slot in the configured port table */
	uint16_t pad;  /* zero */
};
_Static_assert(sizeof(struct nve_tsi_key) == 24, "nve_tsi_key is compared and hashed as bytes");

enum nve_qos_flags { NVE_QOS_PCP = 1 << 0, NVE_QOS_DSCP = 1 << 1 };

/*
 * What a TSI's traffic is held to (S96): see nve.proto.  A rate of 0 is no limit, and then its
 * burst is 0; bytes that 'flags' does not name are zero, so that two are equal when their bytes
 * are.
 */
struct nve_qos {
	uint64_t from_tsi, to_tsi;             /* bits a second */
	uint32_t from_tsi_burst, to_tsi_burst; /* bytes */
	uint8_t flags;                         /* enum nve_qos_flags */
	uint8_t pcp;                           /* of the tag on unicast frames to the TSI */
	uint8_t dscp;                          /* of IP packets from the TSI */
	uint8_t pad[5];                        /* zero */
};
_Static_assert(sizeof(struct nve_qos) == 32, "nve_qos is compared as bytes");

/* RFC 8394 figure 5, one per (port, VN): the access side's view of a VN. */
struct nve_vap {
	uint32_t vn_id;
	uint16_t port;
	uint16_t tag;              /* Local_Tag, the same on every port of the scope */
	uint32_t n_tsi;            /* Num_TSI_Associated: instances in Associated or Activated */
	uint32_t n_activated;      /* of those, in Activated */
	bool connected_explicitly; /* by VnConnect: stays when the last TSI leaves (D4) */
	uint16_t owner;            /* who connected it explicitly; event.h */
};

/* RFC 8394 figure 6. */
struct nve_tsi {
	struct nve_tsi_key key;
	uint8_t state; /* enum nve_tsi_state */
	uint8_t cause; /* enum nve_cause of the last Associate or Activate */
	uint16_t n_addrs;
	uint16_t n_active;     /* addresses in use: all of them unless D13 was asked for */
	uint16_t n_gleaned;    /* of n_addrs */
	uint64_t epoch;        /* of the last activation; 0 = never activated (D7) */
	uint64_t since_ns;     /* when the state was entered */
	uint64_t deadline_ns;  /* of the one timer (D5); NVE_NEVER_NS = off */
	uint32_t keepalive_ms; /* granted; 0 = off */
	uint32_t keepactive_ms;
	uint64_t glean_ns; /* when gleaned addresses are looked at; NVE_NEVER_NS = there are none */
	uint32_t glean_age_ms; /* a gleaned address unseen for so long is forgotten (D8) */
	uint16_t glean_max;    /* how many there can be; 0 = nothing is gleaned */
	uint16_t owner;        /* whose it is, a number of the engine's; 0 = nobody's (event.h) */
	struct nve_qos qos;    /* granted */
};

/* One address of a TSI with its own switch (D13). */
struct nve_tsi_addr {
	struct nve_addr addr;
	bool active;  /* functions while the TSI is Activated */
	bool gleaned; /* learned from its frames, not signaled (S46) */
};

enum nve_tag_use {
	NVE_TAG_FREE,
	NVE_TAG_BOUND,
	NVE_TAG_QUARANTINED, /* was bound to vn_id, must not be reused before until_ns (D6) */
};

struct nve_tag {
	uint16_t scope;
	uint16_t tag;
	uint8_t use; /* enum nve_tag_use */
	uint32_t vn_id;
	uint64_t until_ns;
};
