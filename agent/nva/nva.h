/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contract of a network virtualization authority (NVA): who knows the VNs and where every
 * address lives.  local (a YAML file) is the first; etcd and EVPN follow.
 *
 * One thread.  Never blocks: what is not at hand is asked for, -EINPROGRESS says so, and a change
 * callback comes when the answer is there.
 */
#pragma once

#include "core/acl.h"
#include "core/types.h"

struct nve_nva;

enum nve_nva_encap { NVE_NVA_VXLAN, NVE_NVA_GENEVE };
enum nve_nva_tos { NVE_NVA_PIPE, NVE_NVA_UNIFORM };          /* of the DSCP, RFC 2983 */
enum nve_nva_security { NVE_NVA_TRUSTED, NVE_NVA_VERIFIED }; /* D17 */

/* The VN Context of RFC 8394 figure 5 (S39).  Owned by the NVA, valid until its next callback. */
struct nve_vn_context {
	uint32_t vn_id;
	char name[NVE_NAME_MAX + 1]; /* "" = it has none */
	uint32_t vni;
	uint8_t encap;                /* enum nve_nva_encap */
	uint8_t tos;                  /* enum nve_nva_tos */
	uint8_t security;             /* enum nve_nva_security */
	bool suppress;                /* ARP and ND are answered by the NVE */
	bool drop_unknown;            /* unknown unicast is dropped, not flooded */
	uint32_t bum_rate, bum_burst; /* frames (a second), as in struct nve_dp_bum; 0 = no limit */
	bool fail_closed;             /* D18: forwards only while the NVA is there */
	uint16_t mtu;                 /* tenant MTU; 0 = derived from the underlay's */
	char profile[NVE_NAME_MAX + 1]; /* VN Profile (S3) */
	uint16_t glean_max;             /* addresses that a TSI may glean (D8); 0 = none */
	uint32_t glean_age_ms;
	uint32_t n_vteps;
	/* The other NVEs of the VN: BUM goes to and may come from them. */
	const struct nve_ip *vteps;
};

/* An address of the VN behind another NVE. */
struct nve_mapping {
	uint32_t vn_id;
	struct nve_addr addr; /* MAC, or MAC and IP */
	struct nve_ip vtep;
	uint64_t epoch; /* D7: above a local activation's, the address is there and not here */
};

/* What this NVE tells the NVA about one address of one of its TSIs (S55, S60, S67, S77, S80). */
enum nve_publication {
	NVE_PUB_WITHDRAWN,  /* in no table */
	NVE_PUB_MAPPING,    /* reserved: in the mapping table, not in the forwarding table */
	NVE_PUB_FORWARDING, /* in use */
};

/*
 * What a verified VN (D17) says of one of its TSIs: where and by whom it may be brought in, and the
 * addresses that it has, each as it must be signaled.  The NVA's like a context.
 */
struct nve_nva_tsi {
	struct nve_tsi_id id;
	char port[NVE_NAME_MAX + 1]; /* "" = any */
	const char *identity;        /* pattern of core/glob.h over identities; NULL = any */
	uint32_t n_addrs;
	const struct nve_addr *addrs;
};

struct nve_nva_callbacks {
	/* The VN or its profile was added, changed or removed (vn_by_id() says which), or its
	 * context arrived. */
	void (*vn_changed)(void *arg, uint32_t vn_id);
	/* A mapping was added or changed, or 'gone'. */
	void (*mapping_changed)(void *arg, const struct nve_mapping *mapping, bool gone);
	void *arg;
};

struct nve_nva_config {
	const char *source;                    /* local: path of the file */
	struct nve_ip local_vtep, local_vtep6; /* as in dp.h */
	struct nve_nva_callbacks callbacks;
};

typedef void nve_mapping_fn(void *arg, const struct nve_mapping *mapping);

struct nve_nva_ops {
	const char *name; /* "local" */

	/* Callbacks may come from now on, but not from within open().  '*err' as in dp.h. */
	int (*open)(const struct nve_nva_config *config, struct nve_nva **ret, char **err);
	void (*close)(struct nve_nva *nva); /* NULL is a no-op; no callback comes any more */

	/*
	 * The context of a VN.  -ENOENT: there is no such VN.  -EINPROGRESS: asked for,
	 * vn_changed() will come.  -EHOSTUNREACH: the NVA cannot be asked now.
	 */
	int (*vn_by_id)(struct nve_nva *nva, uint32_t vn_id, const struct nve_vn_context **ret);
	int (*vn_by_name)(struct nve_nva *nva, const char *name, const struct nve_vn_context **ret);
	/* The rules of a VN Profile (S3), the NVA's like a context.  -ENOENT: it has none. */
	int (*profile)(struct nve_nva *nva, const char *name, const struct nve_acl **ret);
	/* The VN's records of TSIs, by rising ID; '*n' is 0 if there is none. */
	const struct nve_nva_tsi *(*tsis)(struct nve_nva *nva, uint32_t vn_id, size_t *n);
	/* All remote mappings of the VN that are known now. */
	int (*mappings)(struct nve_nva *nva, uint32_t vn_id, nve_mapping_fn *fn, void *arg);

	/* An epoch above all that were given before, also before a restart, if the engine hands in
	 * the greatest that it has stored (D7). */
	uint64_t (*next_epoch)(struct nve_nva *nva, uint64_t at_least);

	/* The same twice does no harm.  -EHOSTUNREACH: not said; the engine, which knows what was
	 * said, undoes or retries. */
	int (*publish)(struct nve_nva *nva, uint32_t vn_id, const struct nve_addr *addr,
		       enum nve_publication state, uint64_t epoch);

	/* SIGHUP: reads again; differences come as callbacks before it returns.  On a bad source
	 * the old contents stay, and '*err' says line and remedy. */
	int (*reload)(struct nve_nva *nva, char **err);

	int (*fd)(struct nve_nva *nva); /* readable when dispatch() has work, or -1 */
	void (*dispatch)(struct nve_nva *nva);
};

extern const struct nve_nva_ops nve_nva_local;
