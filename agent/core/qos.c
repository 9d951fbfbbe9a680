/* SPDX-License-Identifier: Apache-2.0 */
#include "core/qos.h"

#include <string.h>

enum {
	BURST_DEFAULT_MIN = 65536, /* bytes: bulk TCP comes in pieces of this size */
	BURST_DEFAULT_PARTS = 50,  /* of a second, at the rate */
};

static uint32_t burst_max(uint64_t rate)
{
	uint64_t bytes = rate / 8 * NVE_QOS_BURST_SECONDS;

	if (bytes < NVE_QOS_BURST_MIN)
		return NVE_QOS_BURST_MIN;
	return bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;
}

static uint32_t grant_burst(uint64_t rate, uint64_t burst)
{
	if (!rate)
		return 0;
	if (!burst) {
		burst = rate / 8 / BURST_DEFAULT_PARTS;
		if (burst < BURST_DEFAULT_MIN)
			burst = BURST_DEFAULT_MIN;
	}
	if (burst < NVE_QOS_BURST_MIN)
		burst = NVE_QOS_BURST_MIN;
	return burst < burst_max(rate) ? (uint32_t)burst : burst_max(rate);
}

static bool direction_valid(uint64_t rate, uint32_t burst)
{
	if (!rate)
		return !burst;
	return nve_qos_rate_fits(rate) && burst >= NVE_QOS_BURST_MIN && burst <= burst_max(rate);
}

bool nve_qos_valid(const struct nve_qos *qos)
{
	static const uint8_t zero[sizeof(qos->pad)];

	return direction_valid(qos->from_tsi, qos->from_tsi_burst) &&
	       direction_valid(qos->to_tsi, qos->to_tsi_burst) &&
	       !(qos->flags & ~(NVE_QOS_PCP | NVE_QOS_DSCP)) &&
	       qos->pcp <= (qos->flags & NVE_QOS_PCP ? NVE_QOS_PCP_MAX : 0) &&
	       qos->dscp <= (qos->flags & NVE_QOS_DSCP ? NVE_QOS_DSCP_MAX : 0) &&
	       !memcmp(qos->pad, zero, sizeof(zero));
}

static uint64_t at_most(uint64_t rate, uint64_t max)
{
	return max && rate > max ? max : rate;
}

struct nve_qos nve_qos_grant(const struct nve_qos *proposed, uint64_t max_rate)
{
	struct nve_qos qos = *proposed;

	qos.from_tsi = at_most(qos.from_tsi, max_rate);
	qos.to_tsi = at_most(qos.to_tsi, max_rate);
	qos.from_tsi_burst = grant_burst(qos.from_tsi, qos.from_tsi_burst);
	qos.to_tsi_burst = grant_burst(qos.to_tsi, qos.to_tsi_burst);
	return qos;
}
