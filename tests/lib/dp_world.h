/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small world for tests of datapaths: each backend of dp.h with three ports, and what it makes of
 * a frame.
 *
 *	a0, a1 (access, slots 0 and 1)     u0 (underlay, slot 2): 192.0.2.1
 *	VN 7 = VNI 100, VN 8 = VNI 200     VTEPs 0 and 1: 192.0.2.2 and .3
 *
 * For the eBPF datapath that is a network namespace with veths and a bpffs, and frames run through
 * the programs by bpf_prog_test_run; for the fake it asks the model.  Functions assert (cmocka)
 * that they succeed.
 */
#pragma once

#include "dp/dp.h"
#include "dp/fake.h"

enum { A0, A1, U0 };
enum { VN_7 = 7, VN_8 = 8, VNI_7 = 100, VNI_8 = 200 };
enum { TAG_10 = 10, TAG_20 = 20 };

struct dpw {
	const char *name;
	const struct nve_dp_ops *ops;
	uint8_t mode; /* enum nve_dp_mode of the ports */
	struct nve_dp *dp;
};

/* Who is told of source addresses (dp.h); set before a world is opened. */
extern nve_dp_gleaned_fn *dpw_gleaned;
extern void *dpw_gleaned_arg;

extern const struct dpw dpw_backends[];
extern const size_t dpw_n_backends;

/* Small enough to be filled by a test. */
extern const struct nve_dp_limits dpw_limits;

/* Enters namespaces of network and mounts with the interfaces above; once a process. */
void dpw_enter(void);
/* Runs 'ip' with these arguments. */
void dpw_ip(const char *args);

/* Opens the backend with its ports, VTEPs and VNs; VN 7 has both VTEPs, VN 8 the second. */
void dpw_open(struct dpw *w, const struct dpw *backend);
/* The same, over pins below that directory; nothing is set but the ports. */
void dpw_open_pinned(struct dpw *w, const struct dpw *backend, const char *pin_dir,
		     const struct nve_dp_limits *limits);
void dpw_set_vns(struct dpw *w);
void dpw_close(struct dpw *w);

struct nve_fake_verdict dpw_from_port(struct dpw *w, const struct nve_fake_frame *frame);
struct nve_fake_verdict dpw_from_vtep(struct dpw *w, const char *vtep, uint32_t vni,
				      const char *dst);

/* "10.0.0.1", "fd00::1", or "" for none. */
struct nve_ip dpw_addr(const char *text);
void dpw_mac(uint8_t mac[NVE_MAC_LEN], const char *text);
/* "02:00:00:00:00:01", "10.0.0.1", or "02:00:00:00:00:01 fd00::1"; inactive with a '-' in front. */
struct nve_tsi_addr dpw_tsi_addr(const char *text);

/* A TSI of VN 7 with the addresses of the texts, up to a NULL. */
void dpw_tsi(struct dpw *w, uint32_t slot, uint16_t port, uint16_t tag, bool activated,
	     const char *const *addrs);
#define ADDRS(...) ((const char *const[]){ __VA_ARGS__, NULL })
/* The VAP, in VN 7. */
void dpw_vap(struct dpw *w, uint16_t port, uint16_t tag, uint32_t n_activated);
void dpw_fdb(struct dpw *w, const char *mac, struct nve_dp_dest first, struct nve_dp_dest second);
#define NONE    ((struct nve_dp_dest){ .kind = NVE_DP_DEST_NONE })
#define TSI(s)  ((struct nve_dp_dest){ .kind = NVE_DP_DEST_TSI, .slot = (s) })
#define VTEP(s) ((struct nve_dp_dest){ .kind = NVE_DP_DEST_VTEP, .slot = (s) })
/* Who claims an IP of VN 7. */
void dpw_neigh(struct dpw *w, const char *ip, struct nve_dp_claim first,
	       struct nve_dp_claim second);
struct nve_dp_claim dpw_claim(uint8_t kind, const char *mac);
#define NOBODY     ((struct nve_dp_claim){ .kind = NVE_DP_DEST_NONE })
#define HERE(mac)  dpw_claim(NVE_DP_DEST_TSI, (mac))
#define THERE(mac) dpw_claim(NVE_DP_DEST_VTEP, (mac))
/* VN 7 as dpw_set_vns() sets it, but for this. */
void dpw_bum(struct dpw *w, const struct nve_dp_bum *bum);
/* The MAC that who asks for 'ip' is answered with, as text; "" for none. */
const char *dpw_answer(struct dpw *w, uint16_t port, uint16_t tag, const char *src,
		       const char *src_ip, const char *ip);
void dpw_apply(struct dpw *w);
/* Rows in use, of all tables that hold what was told. */
uint64_t dpw_used(struct dpw *w);
