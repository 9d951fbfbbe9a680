/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The datapath in memory: a model of what frames meet, for tests.  Its ops are nve_dp_fake; this
 * header is what tests may do to it besides.
 */
#pragma once

#include "dp/dp.h"

/* Of each underlay port. */
enum { NVE_FAKE_MTU = 1500 };

/* The n-th set function from now (1 = the next) fails with 'error' (negative); 0 = none does. */
void nve_fake_fail_set(struct nve_dp *dp, uint32_t n, int error);
/* The next apply() does the first half of its work, and then fails with 'error' (negative). */
void nve_fake_fail_apply(struct nve_dp *dp, int error);
/*
 * Makes what frames meet differ in that way from what was told, in one row of "tsi", "vtep", "fdb"
 * or "neigh"; false: that table has none to spoil, or not in that way.
 */
bool nve_fake_corrupt(struct nve_dp *dp, const char *table, enum nve_dp_diff_kind how);
/* A frame of the TSI was seen at 'ns'. */
void nve_fake_seen(struct nve_dp *dp, uint32_t slot, uint64_t ns);

/* What send() was given, oldest first; valid until the next one. */
struct nve_fake_sent {
	uint32_t vn_id;
	uint16_t port, tag;
	bool to_vn; /* else to the VAP */
	size_t len;
	uint8_t bytes[128]; /* the first ones */
};
const struct nve_fake_sent *nve_fake_sent(const struct nve_dp *dp, size_t *n);
void nve_fake_forget_sent(struct nve_dp *dp);
/* The way to some VTEP is not known, or is again. */
void nve_fake_unresolved(struct nve_dp *dp, bool unresolved);
/* send() fails with 'error' (negative) from now on; 0 = no more. */
void nve_fake_fail_send(struct nve_dp *dp, int error);

/*
 * An IP frame is UDP, to 10.9.9.9 or fd09::9.  One from a VTEP is so too, from MAC ..:99 and from
 * 10.9.9.9 to 10.0.0.1.
 */
enum { NVE_FAKE_SRC_PORT = 1000, NVE_FAKE_DST_PORT = 2000, NVE_FAKE_TYPE = 0x88b5 };
struct nve_fake_frame {
	uint16_t port, tag;
	uint8_t src[NVE_MAC_LEN];
	uint8_t dst[NVE_MAC_LEN];
	struct nve_ip ip; /* the source's; family 0: no IP frame */
};

struct nve_fake_verdict {
	bool pass;
	uint32_t tsi;            /* who sent it, or NVE_SLOT_NONE */
	struct nve_dp_dest dest; /* of a unicast frame that passes */
	uint32_t copies;         /* of another frame: VTEPs and VAPs that get one */
};

/* What would happen to a frame from an access port; the same from a VTEP, with a VNI. */
struct nve_fake_verdict nve_fake_from_port(const struct nve_dp *dp,
					   const struct nve_fake_frame *frame);
struct nve_fake_verdict nve_fake_from_vtep(const struct nve_dp *dp, const struct nve_ip *vtep,
					   uint32_t vni, const uint8_t dst[NVE_MAC_LEN]);

/* The frame is there: what is gleaned from it is told in dispatch(). */
struct nve_fake_verdict nve_fake_take(struct nve_dp *dp, const struct nve_fake_frame *frame);
/* Whether who sends that frame to all, to ask for the IP, is answered, and with which MAC. */
bool nve_fake_answer(const struct nve_dp *dp, const struct nve_fake_frame *asker,
		     const struct nve_ip *ip, uint8_t mac[NVE_MAC_LEN]);
