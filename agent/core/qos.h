/* SPDX-License-Identifier: Apache-2.0 */
/* QoS of a TSI (S96): what may be proposed, and what of it is granted.  Pure. */
#pragma once

#include "core/types.h"

#define NVE_QOS_RATE_MIN  UINT64_C(64000)        /* bits a second */
#define NVE_QOS_RATE_MAX  UINT64_C(100000000000) /* frames take whole ns: so far it is precise */
#define NVE_QOS_BURST_MIN 9216                   /* bytes: the largest frame there is */
enum {
	NVE_QOS_BURST_SECONDS = 10, /* no bucket holds more than its rate fills in so many */
	NVE_QOS_PCP_MAX = 7,
	NVE_QOS_DSCP_MAX = 63,
};

/* A rate that can be asked for; 0 is none, and no limit. */
static inline bool nve_qos_rate_fits(uint64_t rate)
{
	return rate >= NVE_QOS_RATE_MIN && rate <= NVE_QOS_RATE_MAX;
}

/* Whether all that nve_qos promises holds: rates fit or are 0, bursts are within their bounds. */
bool nve_qos_valid(const struct nve_qos *qos);

/*
 * What is granted of a proposal whose rates fit: rates no higher than 'max_rate' (0: any), bursts
 * brought into their bounds; a burst of 0 asks for the one of choice.  Valid; and granting it again
 * grants the same.
 */
struct nve_qos nve_qos_grant(const struct nve_qos *proposed, uint64_t max_rate);
