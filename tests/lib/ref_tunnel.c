/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The model's tunnels: VXLAN (RFC 7348) and Geneve (RFC 8926) over IPv4 and IPv6, DSCP and ECN
 * (RFC 6040, RFC 2983).  See model.h.
 */
#include <string.h>

#include "lib/ref.h"

enum { VXLAN_PORT = 4789, GENEVE_PORT = 6081, UDP = 17 };

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = v >> 8;
	p[1] = v & 0xff;
}

static uint16_t ip_sum(const uint8_t *p, size_t n)
{
	uint32_t s = 0;

	for (size_t i = 0; i < n; i += 2)
		s += ref_16(p + i);
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return s;
}

/* --- DSCP and ECN ----------------------------------------------------------------------------- */

int ref_tos(const struct frame *f)
{
	const uint8_t *ip = f->bytes + 14;

	if (f->len >= 14 + 20 && ref_16(f->bytes + 12) == 0x0800)
		return ip[1];
	if (f->len >= 14 + 40 && ref_16(f->bytes + 12) == 0x86dd)
		return (ip[0] & 15) << 4 | ip[1] >> 4;
	return -1;
}

static void set_tos(struct frame *f, uint8_t tos)
{
	uint8_t *ip = f->bytes + 14;
	uint32_t s;

	if (ref_16(f->bytes + 12) == 0x86dd) {
		ip[0] = (ip[0] & 0xf0) | tos >> 4;
		ip[1] = (ip[1] & 0x0f) | tos << 4;
		return;
	}
	/* The checksum changes by as much as the field (RFC 1624): a wrong one stays wrong. */
	s = (uint16_t)~ref_16(ip + 10) + (uint16_t)~ip[1] + tos;
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	put16(ip + 10, ~s);
	ip[1] = tos;
}

enum nve_drop ref_tos_in(struct frame *inner, uint8_t outer, bool uniform)
{
	/* RFC 6040 figure 4: rows are the inner ECN field, columns the outer one; -1: drop. */
	static const int ecn[4][4] = {
		{ 0, 0, 0, -1 }, /* Not-ECT */
		{ 1, 1, 1, 3 },  /* ECT(1) */
		{ 2, 1, 2, 3 },  /* ECT(0) */
		{ 3, 3, 3, 3 },  /* CE */
	};
	int was = ref_tos(inner), is;

	if (was < 0)
		return NVE_FORWARD;
	is = ecn[was & 3][outer & 3];
	if (is < 0)
		return NVE_DROP_ECN;
	is |= (uniform ? outer : was) & 0xfc;
	if (is != was)
		set_tos(inner, is);
	return NVE_FORWARD;
}

/* --- out of the tunnel ------------------------------------------------------------------------ */

struct packet {
	size_t ip_len; /* as its header says */
	size_t l4;     /* where UDP begins, from the start of the frame */
	bool options;
	bool whole; /* the header can be, and the packet is no fragment */
};

/* Is it UDP for this NVE's address?  False: the host's. */
static bool read_ip4(const struct ref *m, const struct frame *f, struct packet *p,
		     struct ref_tunnel *t)
{
	const uint8_t *ip = f->bytes + 14;
	struct ref_ip to;
	uint16_t frag;

	if (f->len < 14 + 20)
		return false;
	to = ref_ip4(ip + 16);
	frag = ref_16(ip + 6);
	if (!ref_same_ip(&to, &m->local4) || ip[9] != UDP || frag & 0x1fff || ip[0] >> 4 != 4 ||
	    (ip[0] & 15) < 5)
		return false;
	p->ip_len = ref_16(ip + 2);
	p->l4 = 14 + (ip[0] & 15) * 4;
	p->options = (ip[0] & 15) != 5;
	p->whole = !(frag & 0x2000) && ip_sum(ip, 20) == 0xffff;
	t->tos = ip[1];
	t->ttl = ip[8];
	t->from = ref_ip4(ip + 12);
	return true;
}

static bool read_ip6(const struct ref *m, const struct frame *f, struct packet *p,
		     struct ref_tunnel *t)
{
	const uint8_t *ip = f->bytes + 14;
	struct ref_ip to;

	if (f->len < 14 + 40)
		return false;
	to = ref_ip6(ip + 24);
	if (!ref_same_ip(&to, &m->local6) || ip[6] != UDP)
		return false;
	p->ip_len = 40 + ref_16(ip + 4);
	p->l4 = 14 + 40;
	p->whole = ip[0] >> 4 == 6;
	t->tos = (ip[0] & 15) << 4 | ip[1] >> 4;
	t->ttl = ip[7];
	t->from = ref_ip6(ip + 8);
	return true;
}

/* Options must fit exactly; none may be critical (RFC 8926 section 3.5). */
static enum nve_drop geneve_options(struct ref_view v, size_t len)
{
	size_t at = 0;

	if (v.len < len)
		return NVE_DROP_SHORT;
	while (at < len) {
		if (v.len < at + 4)
			return NVE_DROP_SHORT;
		if (v.p[at + 2] & 0x80)
			return NVE_DROP_GENEVE_OPTION;
		at += 4 + (v.p[at + 3] & 31) * 4;
	}
	return at == len ? NVE_FORWARD : NVE_DROP_TUNNEL_FLAGS;
}

/* 'v' begins with the tunnel header; sets how long that is. */
static enum nve_drop tunnel_header(struct ref_view v, bool geneve, size_t *len)
{
	*len = 8;
	if (!geneve) /* the I flag; reserved bits are ignored (RFC 7348 section 5) */
		return v.p[0] & 0x08 ? NVE_FORWARD : NVE_DROP_TUNNEL_FLAGS;
	if (v.p[0] & 0xc0)
		return NVE_DROP_TUNNEL_FLAGS;
	if (v.p[1] & 0x80)
		return NVE_DROP_GENEVE_CONTROL;
	if (ref_16(v.p + 2) != 0x6558)
		return NVE_DROP_TUNNEL_FLAGS;
	*len += (v.p[0] & 0x3f) * 4;
	return geneve_options(ref_skip(v, 8), *len - 8);
}

/* Who may send to a VN: its VTEPs, in its encapsulation. */
static enum nve_drop sender(const struct ref *m, uint32_t vni, bool geneve, struct ref_tunnel *t)
{
	enum nve_drop why = NVE_DROP_UNKNOWN_VNI;

	for (uint8_t i = 0; i < REF_VNS; i++) {
		const struct ref_vn *vn = &m->vns[i];

		if (vn->vni != vni || vn->geneve != geneve)
			continue;
		t->vn = i;
		why = NVE_DROP_UNKNOWN_VTEP;
		for (size_t k = 0; k < REF_VTEPS; k++)
			if (vn->vteps[k] && ref_same_ip(&m->vteps[k].ip, &t->from))
				return NVE_FORWARD;
	}
	return why;
}

enum nve_drop ref_unwrap(const struct ref *m, const struct frame *in, struct ref_tunnel *t)
{
	uint16_t type = in->len < 14 ? 0 : ref_16(in->bytes + 12);
	const uint8_t *udp, *head;
	struct packet p = { 0 };
	struct ref_view v;
	enum nve_drop why;
	uint16_t dport;
	size_t len;

	memset(t, 0, sizeof(*t));
	if (!(type == 0x0800 && read_ip4(m, in, &p, t)) &&
	    !(type == 0x86dd && read_ip6(m, in, &p, t)))
		return NVE_FORWARD;
	if (in->len < p.l4 + 8)
		return NVE_FORWARD;
	udp = in->bytes + p.l4;
	dport = ref_16(udp + 2);
	if (dport != VXLAN_PORT && dport != GENEVE_PORT)
		return NVE_FORWARD;
	t->mine = true;
	if (p.options)
		return NVE_DROP_OUTER_INVALID;
	if (in->len < p.l4 + 16)
		return NVE_DROP_SHORT;
	if (!p.whole || ref_16(udp + 4) + p.l4 != p.ip_len + 14 || p.ip_len + 14 > in->len ||
	    p.ip_len + 14 < p.l4 + 16)
		return NVE_DROP_OUTER_INVALID;
	/* What is behind the packet is nobody's. */
	head = udp + 8;
	v = (struct ref_view){ head, p.ip_len + 14 - (p.l4 + 8) };
	t->flow = ref_16(udp);
	why = tunnel_header(v, dport == GENEVE_PORT, &len);
	if (!why)
		why = sender(m, head[4] << 16 | head[5] << 8 | head[6], dport == GENEVE_PORT, t);
	if (why)
		return why;
	v = ref_skip(v, len);
	t->inner.len = v.len;
	memcpy(t->inner.bytes, v.p, v.len);
	return v.len < 14 ? NVE_DROP_SHORT : NVE_FORWARD;
}

/* --- into the tunnel -------------------------------------------------------------------------- */

static size_t put_ip4(uint8_t *ip, const struct ref *m, const struct ref_ip *to, uint8_t tos,
		      uint8_t ttl, size_t l4_len)
{
	ip[0] = 0x45;
	ip[1] = tos;
	put16(ip + 2, 20 + l4_len);
	put16(ip + 6, 0x4000); /* never fragmented */
	ip[8] = ttl;
	ip[9] = UDP;
	memcpy(ip + 12, m->local4.bytes, 4);
	memcpy(ip + 16, to->bytes, 4);
	put16(ip + 10, ~ip_sum(ip, 20));
	return 20;
}

static size_t put_ip6(uint8_t *ip, const struct ref *m, const struct ref_ip *to, uint8_t tos,
		      uint8_t ttl, size_t l4_len, uint16_t flow)
{
	ip[0] = 6 << 4 | tos >> 4;
	ip[1] = tos << 4;
	put16(ip + 2, flow); /* RFC 6438: the flow label has the entropy, too */
	put16(ip + 4, l4_len);
	ip[6] = UDP;
	ip[7] = ttl;
	memcpy(ip + 8, m->local6.bytes, 16);
	memcpy(ip + 24, to->bytes, 16);
	return 40;
}

struct ref_copy ref_wrap(const struct ref *m, uint8_t vn, size_t vtep, uint8_t tos, uint8_t ttl,
			 uint16_t flow, const struct frame *inner)
{
	const struct ref_vtep *to = &m->vteps[vtep];
	struct ref_copy c = { .wire = REF_U0, .any_flow = !flow };
	size_t l4_len = 8 + 8 + inner->len;
	uint8_t *p = c.frame.bytes;

	memcpy(p, to->hop, 6);
	memcpy(p + 6, m->nve_mac, 6);
	put16(p + 12, to->ip.family == 4 ? 0x0800 : 0x86dd);
	p += 14;
	p += to->ip.family == 4 ? put_ip4(p, m, &to->ip, tos, ttl, l4_len)
				: put_ip6(p, m, &to->ip, tos, ttl, l4_len, flow);
	put16(p, flow);
	put16(p + 2, m->vns[vn].geneve ? GENEVE_PORT : VXLAN_PORT);
	put16(p + 4, l4_len); /* the checksum stays zero (RFC 6935) */
	p += 8;
	if (m->vns[vn].geneve)
		put16(p + 2, 0x6558);
	else
		p[0] = 0x08;
	p[4] = m->vns[vn].vni >> 16;
	p[5] = m->vns[vn].vni >> 8;
	p[6] = m->vns[vn].vni;
	memcpy(p + 8, inner->bytes, inner->len);
	c.frame.len = p + 8 + inner->len - c.frame.bytes;
	return c;
}
