/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of an arrival, see engine_announce.h.  Written byte by byte, in network order. */
#include "engine_announce.h"

#include <string.h>

enum {
	ETH_LEN = 14,
	ETH_MIN = 60, /* without FCS */
	ARP_LEN = 28,
	IP6_LEN = 40,
	NA_LEN = 32,
	IGMP_LEN = 12,
	IGMP_IP_LEN = 24, /* IPv4 header with the Router Alert option */
	MLD_LEN = 28,
	HBH_LEN = 8, /* hop-by-hop header with Router Alert */
	ICMP6 = 58,
	MAX_RESPONSE_MS = 1000,
	ROBUSTNESS = 2, /* these two are the RFCs' defaults: hosts adopt them */
	QUERY_INTERVAL_S = 125,
};

/*
 * Where queries come from: locally administered, the same at every NVE, never a destination.  As a
 * querier the NVE must win over no router or switch that is one, and the lowest address wins: hence
 * IPv4 0.0.0.0, which does not take part (RFC 4541 section 2.1.1), and the highest link-local
 * address there is; MLD must have one (RFC 3810 section 5.1.14).
 */
static const uint8_t own_mac[NVE_MAC_LEN] = { 0x02, 0x6e, 0x76, 0x65, 0x64, 0x00 };
static const uint8_t own_ip6[16] = { 0xfe, 0x80, 0,    0,    0,    0,    0,    0,
				     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
static const uint8_t all_nodes[16] = { 0xff, 0x02, [15] = 0x01 };
static const uint8_t all_nodes_mac[NVE_MAC_LEN] = { 0x33, 0x33, 0, 0, 0, 0x01 };
static const uint8_t all_hosts_mac[NVE_MAC_LEN] = { 0x01, 0x00, 0x5e, 0, 0, 0x01 };
static const uint8_t broadcast[NVE_MAC_LEN] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* Not yet folded; lengths are even here. */
static uint32_t add(uint32_t sum, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	return sum;
}

static uint32_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

/* Clears the frame and writes its Ethernet header; returns what follows. */
static uint8_t *begin(uint8_t frame[NVE_ANNOUNCE_MAX], const uint8_t *dst, const uint8_t *src,
		      uint16_t type)
{
	memset(frame, 0, NVE_ANNOUNCE_MAX);
	memcpy(frame, dst, NVE_MAC_LEN);
	memcpy(frame + 6, src, NVE_MAC_LEN);
	put16(frame + 12, type);
	return frame + ETH_LEN;
}

static size_t padded(size_t payload)
{
	return ETH_LEN + payload < ETH_MIN ? ETH_MIN : ETH_LEN + payload;
}

/* An ARP announcement is a request for oneself (RFC 5227 section 2.3). */
static size_t gratuitous_arp(const struct nve_addr *addr, uint8_t frame[NVE_ANNOUNCE_MAX])
{
	static const uint8_t head[8] = { 0, 1, 0x08, 0x00, 6, 4, 0, 1 };
	uint8_t *arp = begin(frame, broadcast, addr->mac, 0x0806);

	memcpy(arp, head, sizeof(head));
	memcpy(arp + 8, addr->mac, NVE_MAC_LEN);
	memcpy(arp + 14, addr->ip, 4);
	memcpy(arp + 24, addr->ip, 4);
	return padded(ARP_LEN);
}

/* Who is at this MAC?  Nobody answers; switches and VTEPs that learn have seen the MAC. */
static size_t rarp(const struct nve_addr *addr, uint8_t frame[NVE_ANNOUNCE_MAX])
{
	static const uint8_t head[8] = { 0, 1, 0x08, 0x00, 6, 4, 0, 3 };
	uint8_t *arp = begin(frame, broadcast, addr->mac, 0x8035);

	memcpy(arp, head, sizeof(head));
	memcpy(arp + 8, addr->mac, NVE_MAC_LEN);
	memcpy(arp + 18, addr->mac, NVE_MAC_LEN);
	return padded(ARP_LEN);
}

static void ip6_header(uint8_t *ip, uint16_t len, uint8_t next, uint8_t hops, const uint8_t *src)
{
	ip[0] = 0x60;
	put16(ip + 4, len);
	ip[6] = next;
	ip[7] = hops;
	memcpy(ip + 8, src, 16);
	memcpy(ip + 24, all_nodes, 16);
}

static void icmp6_checksum(const uint8_t *ip, uint8_t *icmp, uint16_t len)
{
	uint32_t sum = add(len + ICMP6, ip + 8, 32);

	put16(icmp + 2, fold(add(sum, icmp, len)));
}

/*
 * Override, not solicited (RFC 4861 section 7.2.6).  The router flag is set: nobody told whether
 * the TSI is one.  To claim it of a host does nothing, for it makes nobody a default router; to
 * deny it of a router would take it from every host that has it for one (section 7.2.5).
 */
static size_t neighbor_advertisement(const struct nve_addr *addr, uint8_t frame[NVE_ANNOUNCE_MAX])
{
	uint8_t *ip = begin(frame, all_nodes_mac, addr->mac, 0x86dd);
	uint8_t *na = ip + IP6_LEN;

	ip6_header(ip, NA_LEN, ICMP6, 255, addr->ip);
	na[0] = 136;
	na[4] = 0xa0;
	memcpy(na + 8, addr->ip, 16);
	na[24] = 2; /* target link-layer address, in one unit of 8 bytes */
	na[25] = 1;
	memcpy(na + 26, addr->mac, NVE_MAC_LEN);
	icmp6_checksum(ip, na, NA_LEN);
	return padded(IP6_LEN + NA_LEN);
}

size_t nve_announce_addr(const struct nve_addr *addr, uint8_t frame[NVE_ANNOUNCE_MAX])
{
	if (!(addr->flags & NVE_ADDR_MAC))
		return 0;
	if (addr->flags & NVE_ADDR_IPV4)
		return gratuitous_arp(addr, frame);
	if (addr->flags & NVE_ADDR_IPV6)
		return neighbor_advertisement(addr, frame);
	return rarp(addr, frame);
}

/* RFC 3376 section 4: TTL 1, precedence, Router Alert. */
size_t nve_announce_igmp_query(uint8_t frame[NVE_ANNOUNCE_MAX])
{
	static const uint8_t head[IGMP_IP_LEN] = { 0x46, 0xc0, 0, IGMP_IP_LEN + IGMP_LEN,
						   0,    0,    0, 0,
						   1,    2,    0, 0,
						   0,    0,    0, 0,
						   224,  0,    0, 1,
						   0x94, 4,    0, 0 };
	uint8_t *ip = begin(frame, all_hosts_mac, own_mac, 0x0800);
	uint8_t *igmp = ip + IGMP_IP_LEN;

	memcpy(ip, head, sizeof(head));
	put16(ip + 10, fold(add(0, ip, IGMP_IP_LEN)));
	igmp[0] = 0x11;
	igmp[1] = MAX_RESPONSE_MS / 100;
	igmp[8] = ROBUSTNESS;
	igmp[9] = QUERY_INTERVAL_S;
	put16(igmp + 2, fold(add(0, igmp, IGMP_LEN)));
	return padded(IGMP_IP_LEN + IGMP_LEN);
}

/* RFC 3810 section 5: hop limit 1, Router Alert for MLD, padded by PadN. */
size_t nve_announce_mld_query(uint8_t frame[NVE_ANNOUNCE_MAX])
{
	static const uint8_t hop_by_hop[HBH_LEN] = { ICMP6, 0, 5, 2, 0, 0, 1, 0 };
	uint8_t *ip = begin(frame, all_nodes_mac, own_mac, 0x86dd);
	uint8_t *mld = ip + IP6_LEN + HBH_LEN;

	ip6_header(ip, HBH_LEN + MLD_LEN, 0, 1, own_ip6);
	memcpy(ip + IP6_LEN, hop_by_hop, sizeof(hop_by_hop));
	mld[0] = 130;
	put16(mld + 4, MAX_RESPONSE_MS);
	mld[24] = ROBUSTNESS;
	mld[25] = QUERY_INTERVAL_S;
	icmp6_checksum(ip, mld, MLD_LEN);
	return padded(IP6_LEN + HBH_LEN + MLD_LEN);
}
