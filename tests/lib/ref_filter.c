/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The model's source filter: whose frame it is (S44, S48, S49), and what ARP (RFC 826, 5227), RARP
 * and neighbor discovery (RFC 4861, 4862, 6980) in it say of its sender.  See model.h.
 */
#include <string.h>

#include "lib/ref.h"

enum { ICMP6 = 58, TCP = 6, UDP = 17 };
enum { ARP = 0x0806, RARP = 0x8035, IP4 = 0x0800, IP6 = 0x86dd };

/* Who sends, and what it may claim: everything that concerns one frame. */
struct sender {
	const struct ref_tsi *tsi;
	const uint8_t *mac; /* the frame's */
	bool by_ip;         /* known by its IP alone */
};

struct ref_view ref_skip(struct ref_view v, size_t n)
{
	return n > v.len ? (struct ref_view){ v.p + v.len, 0 }
			 : (struct ref_view){ v.p + n, v.len - n };
}

bool ref_same_ip(const struct ref_ip *a, const struct ref_ip *b)
{
	return a->family == b->family && !memcmp(a->bytes, b->bytes, a->family == 4 ? 4 : 16);
}

struct ref_ip ref_ip4(const uint8_t *p)
{
	struct ref_ip ip = { .family = 4 };

	memcpy(ip.bytes, p, 4);
	return ip;
}

struct ref_ip ref_ip6(const uint8_t *p)
{
	struct ref_ip ip = { .family = 6 };

	memcpy(ip.bytes, p, 16);
	return ip;
}

static bool is_any(const struct ref_ip *ip)
{
	static const uint8_t zero[16];

	return !memcmp(ip->bytes, zero, ip->family == 4 ? 4 : 16);
}

/* An address counts for this sender's frames if it is bound to their MAC, or to none. */
static bool is_bound(const struct sender *s, const struct ref_addr *a)
{
	return a->ip.family && (!a->has_mac || !memcmp(a->mac, s->mac, 6));
}

/* As soon as there is one IP, only IPs that were signaled may be used. */
static bool has_ips(const struct sender *s)
{
	for (size_t i = 0; i < s->tsi->n; i++)
		if (is_bound(s, &s->tsi->addrs[i]))
			return true;
	return false;
}

/* SRC_IP: the address is not its own; SRC_INACTIVE: it is, but not in use (D13). */
static enum nve_drop owns(const struct sender *s, struct ref_ip ip)
{
	enum nve_drop why = NVE_DROP_SRC_IP;

	for (size_t i = 0; i < s->tsi->n; i++) {
		const struct ref_addr *a = &s->tsi->addrs[i];

		if (!is_bound(s, a) || !ref_same_ip(&a->ip, &ip))
			continue;
		if (a->active)
			return NVE_FORWARD;
		why = NVE_DROP_SRC_INACTIVE;
	}
	return why;
}

static enum nve_drop as(enum nve_drop why, enum nve_drop instead)
{
	return why == NVE_DROP_SRC_IP ? instead : why;
}

/* --- IPv4, ARP, LLC --------------------------------------------------------------------------- */

static enum nve_drop filter_ip4(const struct sender *s, struct ref_view l3)
{
	struct ref_view l4;
	struct ref_ip from;

	if (l3.len < 20)
		return NVE_DROP_SHORT;
	from = ref_ip4(l3.p + 12);
	if (!has_ips(s))
		return NVE_FORWARD;
	if (!is_any(&from) || s->by_ip)
		return owns(s, from);
	/* Who has no address yet asks for one: DHCP, in one piece. */
	l4 = ref_skip(l3, (l3.p[0] & 15) * 4);
	return l3.p[9] == UDP && (l3.p[0] & 15) >= 5 && !(ref_16(l3.p + 6) & 0x3fff) &&
			       l4.len >= 8 && ref_16(l4.p) == 68 && ref_16(l4.p + 2) == 67
		       ? NVE_FORWARD
		       : NVE_DROP_SRC_IP;
}

static enum nve_drop filter_arp(const struct sender *s, struct ref_view l3)
{
	static const uint8_t ethernet_ip4[] = { 0, 1, 8, 0, 6, 4 };
	struct ref_ip from, to;

	if (l3.len < 28)
		return NVE_DROP_SHORT;
	if (memcmp(l3.p, ethernet_ip4, sizeof(ethernet_ip4)) || memcmp(l3.p + 8, s->mac, 6))
		return NVE_DROP_SRC_ARP;
	if (!has_ips(s))
		return NVE_FORWARD;
	from = ref_ip4(l3.p + 14);
	to = ref_ip4(l3.p + 24);
	if (!is_any(&from))
		return as(owns(s, from), NVE_DROP_SRC_ARP);
	/* A probe (RFC 5227 section 2.1.1): a request for an address that it will use itself. */
	return ref_16(l3.p + 6) == 1 ? as(owns(s, to), NVE_DROP_SRC_ARP) : NVE_DROP_SRC_ARP;
}

static enum nve_drop filter_rarp(const struct sender *s, struct ref_view l3)
{
	struct ref_ip from;

	if (l3.len < 28)
		return NVE_DROP_SHORT;
	if (memcmp(l3.p + 8, s->mac, 6))
		return NVE_DROP_SRC_ARP;
	from = ref_ip4(l3.p + 14);
	return is_any(&from) || !has_ips(s) ? NVE_FORWARD : as(owns(s, from), NVE_DROP_SRC_ARP);
}

/* IP in SNAP (RFC 1042, and Ethernet tunneled in it) is no way around the filter. */
static enum nve_drop filter_llc(const struct sender *s, struct ref_view l3)
{
	if (!has_ips(s) || l3.len < 8 || l3.p[0] != 0xaa || l3.p[1] != 0xaa)
		return NVE_FORWARD;
	return l3.p[3] || l3.p[4] || (l3.p[5] && l3.p[5] != 0xf8) ? NVE_FORWARD : NVE_DROP_SRC_IP;
}

/* --- IPv6 ------------------------------------------------------------------------------------- */

static bool is_ext(uint8_t next)
{
	static const uint8_t kinds[] = { 0, 43, 44, 60, 135, 139, 140 };

	return memchr(kinds, next, sizeof(kinds));
}

/* The ICMPv6 message at the end of the chain of headers. */
struct message {
	int type;    /* 0: there is none, or it is not seen from here */
	bool direct; /* no header stands between */
	struct ref_view body;
};

enum { CHAIN_MAX = 6 };

static enum nve_drop find_message(struct ref_view l3, struct message *ret)
{
	struct ref_view at = ref_skip(l3, 40);
	uint8_t next = l3.p[6], length;

	*ret = (struct message){ .direct = true };
	for (int n = 0; is_ext(next); n++) {
		if (at.len < 8)
			return NVE_DROP_SHORT;
		if (next == 44 && ref_16(at.p + 2) & 0xfff8)
			return NVE_FORWARD; /* a later fragment */
		length = next == 44 ? 0 : at.p[1];
		next = at.p[0];
		at = ref_skip(at, (length + 1) * 8);
		ret->direct = false;
		if (n == CHAIN_MAX - 1)
			return NVE_DROP_SRC_ND; /* longer than anybody needs */
	}
	if (next != ICMP6)
		return NVE_FORWARD;
	if (!at.len)
		return NVE_DROP_SHORT;
	ret->type = at.p[0];
	ret->body = at;
	return NVE_FORWARD;
}

/* Options of that type name the frame's source MAC, each of them. */
static enum nve_drop find_option(const struct sender *s, struct ref_view v, uint8_t mine,
				 bool *found)
{
	for (int n = 0; n < 8; n++) {
		if (v.len < 2 || !v.p[1])
			return NVE_FORWARD;
		if (v.len < 8)
			return NVE_DROP_SHORT;
		if (v.p[0] == mine) {
			if (v.p[1] != 1 || memcmp(v.p + 2, s->mac, 6))
				return NVE_DROP_SRC_ND;
			*found = true;
		}
		v = ref_skip(v, v.p[1] * 8);
	}
	return NVE_DROP_SRC_ND; /* more of them than can be judged */
}

static enum nve_drop filter_nd(const struct sender *s, const struct ref_ip *from, int type,
			       struct ref_view body)
{
	static const uint8_t options_at[] = { 8, 16, 24, 24, 40 }; /* RS, RA, NS, NA, redirect */
	bool speaks_for = type == 136 || (type == 135 && is_any(from)), found = false;
	enum nve_drop why;

	if (speaks_for && body.len < 24)
		return NVE_DROP_SHORT;
	if (speaks_for && has_ips(s)) {
		why = as(owns(s, ref_ip6(body.p + 8)), NVE_DROP_SRC_ND);
		if (why)
			return why;
	}
	if (type == 137) /* its option names another's MAC */
		return NVE_FORWARD;
	why = find_option(s, ref_skip(body, options_at[type - 133]), type == 136 ? 2 : 1, &found);
	if (why)
		return why;
	return is_any(from) && found ? NVE_DROP_SRC_ND : NVE_FORWARD;
}

static enum nve_drop filter_ip6(const struct sender *s, struct ref_view l3)
{
	struct ref_ip from;
	struct message icmp;
	bool nd, without;
	enum nve_drop why;

	if (l3.len < 40)
		return NVE_DROP_SHORT;
	from = ref_ip6(l3.p + 8);
	why = find_message(l3, &icmp);
	if (why)
		return why;
	nd = icmp.type >= 133 && icmp.type <= 137;
	if (nd && !icmp.direct)
		return NVE_DROP_SRC_ND; /* RFC 6980 */
	if (nd && icmp.body.len < 8)
		return NVE_DROP_SHORT;
	/* Before it has an address: RS, DAD, reports of multicast listeners. */
	without = icmp.type == 133 || icmp.type == 135 || icmp.type == 131 || icmp.type == 132 ||
		  icmp.type == 143;
	if (has_ips(s) && !(without && is_any(&from))) {
		why = owns(s, from);
		if (why)
			return why;
	}
	return nd ? filter_nd(s, &from, icmp.type, icmp.body) : NVE_FORWARD;
}

/* --- whose it is ------------------------------------------------------------------------------ */

/* The IP by which a frame says who sends it; false: none ('why' says what is wrong). */
static bool claimed_ip(uint16_t type, struct ref_view l3, struct ref_ip *ip, enum nve_drop *why)
{
	size_t least = type == IP4 ? 20 : type == IP6 ? 40 : 28;

	*why = type == IP4 || type == IP6 || type == ARP || type == RARP ? NVE_DROP_SHORT
									 : NVE_DROP_SRC_MAC;
	if (*why == NVE_DROP_SRC_MAC || l3.len < least)
		return false;
	if (type == IP4) {
		*ip = ref_ip4(l3.p + 12);
		return true;
	}
	if (type != IP6) {
		*ip = ref_ip4(l3.p + 14);
		if (is_any(ip)) /* a probe */
			*ip = ref_ip4(l3.p + 24);
		return true;
	}
	*ip = ref_ip6(l3.p + 8);
	if (is_any(ip) && l3.p[6] == ICMP6) { /* duplicate address detection */
		if (l3.len < 64)
			return false;
		if (l3.p[40] == 135)
			*ip = ref_ip6(l3.p + 48);
	}
	return true;
}

static bool is_ip_only(const struct ref_tsi *tsi)
{
	for (size_t i = 0; i < tsi->n; i++)
		if (tsi->addrs[i].has_mac)
			return false;
	return tsi->n > 0;
}

static bool at_vap(const struct ref_tsi *tsi, const struct ref_vap *vap)
{
	return tsi->set && tsi->port == vap->port && tsi->vid == vap->vid;
}

static const struct ref_tsi *by_ip(const struct ref *m, const struct ref_vap *vap,
				   const struct ref_ip *ip)
{
	for (size_t i = 0; i < REF_TSIS; i++) {
		const struct ref_tsi *tsi = &m->tsis[i];

		if (!at_vap(tsi, vap) || !is_ip_only(tsi))
			continue;
		for (size_t k = 0; k < tsi->n; k++)
			if (ref_same_ip(&tsi->addrs[k].ip, ip))
				return tsi;
	}
	return NULL;
}

static bool has_ip_only(const struct ref *m, const struct ref_vap *vap)
{
	for (size_t i = 0; i < REF_TSIS; i++)
		if (at_vap(&m->tsis[i], vap) && is_ip_only(&m->tsis[i]))
			return true;
	return false;
}

/* A TSI has a MAC; it is in use if one of its addresses with that MAC is. */
static const struct ref_tsi *by_mac(const struct ref *m, const struct ref_vap *vap,
				    const uint8_t *mac, bool *active)
{
	const struct ref_tsi *found = NULL;

	*active = false;
	for (size_t i = 0; i < REF_TSIS; i++)
		for (size_t k = 0; at_vap(&m->tsis[i], vap) && k < m->tsis[i].n; k++) {
			const struct ref_addr *a = &m->tsis[i].addrs[k];

			if (!a->has_mac || memcmp(a->mac, mac, 6))
				continue;
			found = &m->tsis[i];
			*active |= a->active;
		}
	return found;
}

static enum nve_drop filter(const struct sender *s, uint16_t type, struct ref_view l3)
{
	switch (type) {
	case IP4:
		return filter_ip4(s, l3);
	case IP6:
		return filter_ip6(s, l3);
	case ARP:
		return filter_arp(s, l3);
	case RARP:
		return filter_rarp(s, l3);
	default:
		return type <= 1500 ? filter_llc(s, l3) : NVE_FORWARD;
	}
}

enum nve_drop ref_source(const struct ref *m, const struct ref_vap *vap, const uint8_t *mac,
			 uint16_t type, struct ref_view l3)
{
	struct sender s = { .mac = mac };
	struct ref_ip ip;
	enum nve_drop why;
	bool active;

	s.tsi = by_mac(m, vap, mac, &active);
	/* A MAC that is not in use leaves the frame to who is known by IP alone. */
	if (!s.tsi || !active) {
		why = s.tsi ? NVE_DROP_SRC_INACTIVE : NVE_DROP_SRC_MAC;
		if (!has_ip_only(m, vap) || mac[0] & 1)
			return why;
		s.by_ip = true;
		if (!claimed_ip(type, l3, &ip, &why))
			return why;
		s.tsi = by_ip(m, vap, &ip);
		if (!s.tsi)
			return type == ARP || type == RARP ? NVE_DROP_SRC_ARP : NVE_DROP_SRC_IP;
		why = owns(&s, ip);
		if (why)
			return why;
	}
	if (!s.tsi->activated)
		return NVE_DROP_SRC_INACTIVE;
	return filter(&s, type, l3);
}
