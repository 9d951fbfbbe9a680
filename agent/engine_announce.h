/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames that the NVE sends in the name of an arrival by migration (D16, B20, S88): what tells a VN
 * where an address is now, and what makes the TSI tell its multicast memberships again.  Pure.
 */
#pragma once

#include "core/types.h"

enum { NVE_ANNOUNCE_MAX = 96 };

/*
 * From the address, to everybody: gratuitous ARP for an IPv4 with MAC, unsolicited neighbor
 * advertisement for an IPv6 with MAC, RARP for a MAC alone.  Returns the frame's length; 0 for an
 * IP alone, of which nobody here knows the MAC.
 */
size_t nve_announce_addr(const struct nve_addr *addr, uint8_t frame[NVE_ANNOUNCE_MAX]);
/* General queries, answered within a second: IGMPv3, MLDv2. */
size_t nve_announce_igmp_query(uint8_t frame[NVE_ANNOUNCE_MAX]);
size_t nve_announce_mld_query(uint8_t frame[NVE_ANNOUNCE_MAX]);
