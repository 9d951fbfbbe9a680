/* SPDX-License-Identifier: Apache-2.0 */
/* Random tables and frames, see ref_gen.h. */
#include "lib/ref_gen.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MACS = 6, IPS = 6, TEXT = 48 };

static uint32_t pick(unsigned int *seed, uint32_t n)
{
	return rand_r(seed) % n;
}

static bool one_in(unsigned int *seed, uint32_t n)
{
	return pick(seed, n) == 0;
}

/* --- tables ----------------------------------------------------------------------------------- */

static void put_mac(uint8_t mac[6], uint32_t i)
{
	memcpy(mac, (uint8_t[]){ 2, 0, 0, 0, 0, i }, 6);
}

static struct ref_ip nth_ip(uint32_t i)
{
	struct ref_ip ip = { .family = i % 2 ? 6 : 4 };
	const char *text[] = {
		"10.0.0.1", "fd00::1", "10.0.0.2", "fd00::2", "10.0.0.3", "fe80::3"
	};

	inet_pton(i % 2 ? AF_INET6 : AF_INET, text[i], ip.bytes);
	return ip;
}

void ref_world(struct ref *m)
{
	static const char *const vteps[REF_VTEPS] = { "192.0.2.2", "192.0.2.3", "2001:db8::2",
						      "2001:db8::3" };
	static const uint16_t vids[REF_VAPS] = { 10, 11, 12, 10, 20, 4094 };

	memset(m, 0, sizeof(*m));
	memcpy(m->nve_mac, (uint8_t[]){ 2, 0xaa, 0, 0, 0, 1 }, 6);
	m->local4.family = 4;
	m->local6.family = 6;
	inet_pton(AF_INET, "192.0.2.1", m->local4.bytes);
	inet_pton(AF_INET6, "2001:db8::1", m->local6.bytes);
	for (uint8_t i = 0; i < REF_VTEPS; i++) {
		m->vteps[i].ip.family = i < 2 ? 4 : 6;
		inet_pton(i < 2 ? AF_INET : AF_INET6, vteps[i], m->vteps[i].ip.bytes);
		memcpy(m->vteps[i].hop, (uint8_t[]){ 2, 0xaa, 0, 0, 0, 2 + i }, 6);
	}
	for (uint8_t i = 0; i < REF_VAPS; i++) {
		m->vaps[i].port = i < 3 ? REF_A0 : REF_A1;
		m->vaps[i].vid = vids[i];
	}
	m->vns[0].vni = 100;
	m->vns[1].vni = 0x123456;
}

static bool at_vap(const struct ref_tsi *t, const struct ref_vap *v)
{
	return t->set && t->port == v->port && t->vid == v->vid;
}

/* Its TSIs go first when a VAP does. */
static void change_vap(struct ref *m, unsigned int *seed)
{
	struct ref_vap *v = &m->vaps[pick(seed, REF_VAPS)];
	uint8_t vn = pick(seed, REF_VNS);
	bool live = !one_in(seed, 4);

	if (!live || !v->live || v->vn != vn)
		for (size_t i = 0; i < REF_TSIS; i++)
			m->tsis[i].set = m->tsis[i].set && !at_vap(&m->tsis[i], v);
	v->live = live;
	v->quarantined = !live && one_in(seed, 2);
	v->vn = vn;
	v->has_activated = !one_in(seed, 4);
}

static void change_vn(struct ref *m, unsigned int *seed)
{
	struct ref_vn *vn = &m->vns[pick(seed, REF_VNS)];

	vn->geneve = one_in(seed, 2);
	vn->uniform = one_in(seed, 2);
	for (size_t i = 0; i < REF_VTEPS; i++)
		vn->vteps[i] = one_in(seed, 2);
}

/* Of one TSI the same thing twice; of others at that VAP, the same MAC or the same IP. */
static bool clash(const struct ref_addr *a, const struct ref_addr *b, bool same_tsi)
{
	bool mac = a->has_mac && b->has_mac && !memcmp(a->mac, b->mac, 6);
	bool ip = ref_same_ip(&a->ip, &b->ip);

	return same_tsi ? ip && (mac || (!a->has_mac && !b->has_mac)) : mac || (ip && a->ip.family);
}

static bool taken(const struct ref *m, const struct ref_tsi *t, const struct ref_addr *a)
{
	for (size_t i = 0; i < REF_TSIS; i++) {
		const struct ref_tsi *o = &m->tsis[i];

		if (o != t && (!o->set || o->port != t->port || o->vid != t->vid))
			continue;
		for (size_t k = 0; k < o->n; k++)
			if (clash(a, &o->addrs[k], o == t))
				return true;
	}
	return false;
}

static void change_tsi(struct ref *m, unsigned int *seed)
{
	struct ref_tsi *t = &m->tsis[pick(seed, REF_TSIS)];
	const struct ref_vap *v = &m->vaps[pick(seed, REF_VAPS)];
	bool any_mac = !one_in(seed, 4);

	t->set = v->live && !one_in(seed, 8);
	if (!t->set)
		return;
	t->vn = v->vn;
	t->port = v->port;
	t->vid = v->vid;
	t->activated = !one_in(seed, 5);
	t->n = 0;
	for (uint32_t n = 1 + pick(seed, REF_ADDRS); n; n--) {
		struct ref_addr a = { .has_mac = any_mac && !one_in(seed, 5),
				      .active = !one_in(seed, 5) };

		if (a.has_mac)
			put_mac(a.mac, pick(seed, MACS));
		if (!a.has_mac || !one_in(seed, 3))
			a.ip = nth_ip(pick(seed, IPS));
		if (!taken(m, t, &a))
			t->addrs[t->n++] = a;
	}
	t->set = t->n > 0;
}

static struct ref_dest any_dest(const struct ref *m, unsigned int *seed)
{
	struct ref_dest d = { .kind = REF_TSI, .n = pick(seed, REF_TSIS) };

	if (!m->tsis[d.n].set || one_in(seed, 3))
		d = (struct ref_dest){ .kind = REF_VTEP, .n = pick(seed, REF_VTEPS) };
	return d;
}

static void change_fdb(struct ref *m, unsigned int *seed)
{
	size_t i = pick(seed, 2 * MACS);
	struct ref_fdb *row = &m->fdb[i];

	row->vn = i / MACS;
	put_mac(row->mac, i % MACS);
	row->set = !one_in(seed, 5);
	row->first = any_dest(m, seed);
	row->second = any_dest(m, seed);
	if (row->second.kind != REF_TSI)
		row->second = (struct ref_dest){ .kind = REF_NONE };
}

/* Rows lead to what is there: those of a TSI that goes are taken away with it. */
static void sweep(struct ref *m)
{
	for (size_t i = 0; i < REF_FDB; i++) {
		struct ref_fdb *row = &m->fdb[i];

		if (row->second.kind == REF_TSI && !m->tsis[row->second.n].set)
			row->second.kind = REF_NONE;
		if (row->first.kind == REF_TSI && !m->tsis[row->first.n].set)
			row->set = false;
	}
}

void ref_change(struct ref *m, unsigned int *seed)
{
	uint32_t kind = pick(seed, 12);

	if (kind < 2)
		change_vap(m, seed);
	else if (kind == 2)
		change_vn(m, seed);
	else if (kind < 8)
		change_tsi(m, seed);
	else
		change_fdb(m, seed);
	sweep(m);
}

/* --- frames ----------------------------------------------------------------------------------- */

struct texts {
	char src[TEXT], dst[TEXT], ip4[TEXT], ip6[TEXT], other[TEXT];
};

static void mac_text(char *text, const uint8_t *p)
{
	snprintf(text, TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", p[0], p[1], p[2], p[3], p[4], p[5]);
}

static void any_mac(char *text, unsigned int *seed)
{
	static const char *const special[] = { "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01",
					       "33:33:00:00:00:01", "01:80:c2:00:00:0e",
					       "02:00:00:00:00:99" };
	uint8_t mac[6];

	put_mac(mac, pick(seed, MACS));
	if (one_in(seed, 4))
		snprintf(text, TEXT, "%s", special[pick(seed, 5)]);
	else
		mac_text(text, mac);
}

static void ip_text(struct texts *t, const struct ref_ip *ip)
{
	if (ip->family)
		inet_ntop(ip->family == 4 ? AF_INET : AF_INET6, ip->bytes,
			  ip->family == 4 ? t->ip4 : t->ip6, TEXT);
}

/* Mostly what some TSI may say. */
static void any_texts(const struct ref_tsi *tsi, unsigned int *seed, struct texts *t)
{
	struct ref_ip ip = nth_ip(2 * pick(seed, IPS / 2));

	any_mac(t->src, seed);
	any_mac(t->dst, seed);
	mac_text(t->other, (uint8_t[]){ 2, 0, 0, 0, 0, 0x77 });
	ip_text(t, &ip);
	ip = nth_ip(1 + 2 * pick(seed, IPS / 2));
	ip_text(t, &ip);
	for (size_t n = 0; tsi->set && n < 3; n++) {
		const struct ref_addr *a = &tsi->addrs[pick(seed, tsi->n)];

		if (a->has_mac && !one_in(seed, 20))
			mac_text(t->src, a->mac);
		if (!one_in(seed, 6))
			ip_text(t, &a->ip);
	}
}

static struct frame arp_frame(const struct texts *t, unsigned int *seed)
{
	const char *mac = one_in(seed, 6) ? t->other : t->src;
	bool probe = one_in(seed, 3);

	return FRAME(eth(.dst = t->dst, .src = t->src),
		     arp(.sender_mac = mac, .sender_ip = probe ? NULL : t->ip4,
			 .target_ip = probe ? t->ip4 : "10.0.0.9", .op = 1 + pick(seed, 2),
			 .rarp = one_in(seed, 4)),
		     bytes(pick(seed, 20)));
}

static struct frame nd_frame(const struct texts *t, unsigned int *seed)
{
	static const uint8_t types[] = {
		128, 130, 131, 132, 133, 134, 135, 135, 136, 136, 137, 143
	};
	const char *from = one_in(seed, 4) ? NULL : t->ip6;
	struct layer icmp =
		nd(.type = types[pick(seed, sizeof(types))],
		   .target = one_in(seed, 6) ? "fd00::77" : t->ip6, .opt = pick(seed, 3),
		   .opt_mac = one_in(seed, 6) ? t->other : t->src, .nonce_first = one_in(seed, 3));

	if (one_in(seed, 4))
		return FRAME(eth(.dst = t->dst, .src = t->src), ipv6(.src = from),
			     ext(.kind = one_in(seed, 2) ? 0 : 44, .frag = 8 * pick(seed, 2)),
			     icmp);
	return FRAME(eth(.dst = t->dst, .src = t->src), ipv6(.src = from), icmp);
}

static struct frame tenant_frame(const struct texts *t, unsigned int *seed)
{
	struct layer head = eth(.dst = t->dst, .src = t->src);
	struct layer ip4 = ipv4(.src = t->ip4, .dst = "10.0.0.9", .tos = pick(seed, 256),
				.ihl = one_in(seed, 4) ? 6 : 5);
	struct layer ip6 = ipv6(.src = t->ip6, .dst = "fd00::9", .tos = pick(seed, 256));
	struct layer body = bytes(pick(seed, 80));
	static const uint8_t snap[] = { 0xaa, 0xaa, 3, 0, 0, 0, 8, 0 };

	switch (pick(seed, 10)) {
	case 0:
		return FRAME(head, ip4, tcp(.sport = pick(seed, 9)), body);
	case 1:
		return FRAME(head, ip4, udp(.sport = 1, .dport = 2), body);
	case 2:
		return FRAME(head, ipv4(.dst = "255.255.255.255"),
			     udp(.sport = 68, .dport = one_in(seed, 4) ? 68 : 67), body);
	case 3:
		return FRAME(head, ip6, tcp(.sport = pick(seed, 9)), body);
	case 4:
		return FRAME(head, ip6, udp(.sport = 1, .dport = 2), body);
	case 5:
		return FRAME(head, ip6, ext(.kind = 60, .words = pick(seed, 3)), udp(.dport = 9),
			     body);
	case 6:
		return nd_frame(t, seed);
	case 7:
		return FRAME(eth(.dst = t->dst, .src = t->src, .type = 8 + 40), raw(snap, 8),
			     bytes(40));
	case 8:
		return FRAME(head, body);
	default:
		return arp_frame(t, seed);
	}
}

/* Now and then something in it is different, or missing. */
static void spoil(struct frame *f, unsigned int *seed, size_t least)
{
	if (one_in(seed, 4))
		for (uint32_t n = 1 + pick(seed, 2); n; n--)
			f->bytes[pick(seed, f->len)] = one_in(seed, 3) ? 0 : pick(seed, 256);
	if (one_in(seed, 8) && f->len > least)
		f->len = least + pick(seed, f->len - least);
}

/* Mostly one that is there. */
static const struct ref_tsi *some_tsi(const struct ref *m, unsigned int *seed)
{
	const struct ref_tsi *tsi = &m->tsis[pick(seed, REF_TSIS)];

	for (int n = 0; n < 4 && !tsi->set; n++)
		tsi = &m->tsis[pick(seed, REF_TSIS)];
	return tsi;
}

static struct frame access_frame(const struct ref *m, unsigned int *seed, uint8_t *wire)
{
	static const uint8_t tpids[][2] = { { 0x81, 0x00 }, { 0x88, 0xa8 }, { 0x91, 0x00 } };
	const struct ref_tsi *tsi = some_tsi(m, seed);
	const struct ref_vap *v = &m->vaps[pick(seed, REF_VAPS)];
	uint16_t vid = tsi->set && !one_in(seed, 6) ? tsi->vid : v->vid;
	struct texts t = { 0 };
	struct frame f;

	*wire = tsi->set && !one_in(seed, 10) ? tsi->port : v->port;
	any_texts(tsi, seed, &t);
	f = tenant_frame(&t, seed);
	if (one_in(seed, 30))
		f = frame_tag(&f, 0, 5);
	if (!one_in(seed, 30))
		f = frame_tag(&f, pick(seed, 8), one_in(seed, 30) ? 0 : vid);
	if (one_in(seed, 30))
		memcpy(f.bytes + 12, tpids[pick(seed, 3)], 2);
	spoil(&f, seed, 20);
	/* The kernel itself loses tagged frames of less than that before TC sees them. */
	if (f.len < 20)
		f.len = 20;
	return f;
}

/* Mostly from one of the VN's VTEPs. */
static struct layer outer_ip(const struct ref *m, const struct ref_vn *vn, unsigned int *seed,
			     char from[TEXT])
{
	uint32_t vtep = pick(seed, REF_VTEPS);
	const struct ref_ip *ip;
	uint8_t ttl[] = { 64, 64, 1, 2 }, tos = one_in(seed, 2) ? 0 : pick(seed, 256);

	for (int n = 0; n < 4 && !vn->vteps[vtep]; n++)
		vtep = pick(seed, REF_VTEPS);
	ip = &m->vteps[vtep].ip;
	inet_ntop(ip->family == 4 ? AF_INET : AF_INET6, ip->bytes, from, TEXT);
	if (ip->family == 4)
		return ipv4(.src = one_in(seed, 20) ? "192.0.2.99" : from,
			    .dst = one_in(seed, 20) ? "192.0.2.7" : "192.0.2.1", .tos = tos,
			    .ttl = ttl[pick(seed, 4)], .ihl = one_in(seed, 20) ? 6 : 5,
			    .frag = one_in(seed, 20) ? 0x2000 : 0x4000,
			    .bad_check = one_in(seed, 20), .extra_len = one_in(seed, 20));
	return ipv6(.src = one_in(seed, 20) ? "2001:db8::99" : from,
		    .dst = one_in(seed, 20) ? "2001:db8::7" : "2001:db8::1", .tos = tos,
		    .hops = ttl[pick(seed, 4)]);
}

static struct frame underlay_frame(const struct ref *m, unsigned int *seed)
{
	const struct ref_tsi *tsi = some_tsi(m, seed);
	const struct ref_vn *vn =
		&m->vns[tsi->set && !one_in(seed, 6) ? tsi->vn : pick(seed, REF_VNS)];
	bool geneve = one_in(seed, 15) ? !vn->geneve : vn->geneve;
	uint32_t words = geneve && one_in(seed, 3) ? 1 + pick(seed, 6) : 0;
	uint8_t options[24] = { 0 };
	char from[TEXT], dst[TEXT];
	struct layer ip = outer_ip(m, vn, seed, from);
	struct frame inner, f;
	struct texts t = { 0 };

	any_texts(tsi, seed, &t);
	inner = tenant_frame(&t, seed);
	if (one_in(seed, 30))
		inner = frame_tag(&inner, 0, 5);
	if (tsi->set && tsi->addrs[0].has_mac && !one_in(seed, 3))
		memcpy(inner.bytes, tsi->addrs[0].mac, 6);
	spoil(&inner, seed, 16);
	if (inner.len < 16) /* with its tag, no less than the far end's kernel takes */
		inner.len = 16;
	for (uint32_t i = 0; i < words;
	     i++) /* each an option without a body, or part of a longer one */
		options[i * 4 + 3] = one_in(seed, 4);
	if (words && one_in(seed, 6))
		options[2] = 0x80;
	mac_text(dst, m->nve_mac);
	f = WRAP(&inner, eth(.dst = dst, .src = t.other), ip,
		 udp(.sport = 49152 + pick(seed, 9), .dport = geneve ? 6081 : 4789,
		     .no_check = true, .extra_len = one_in(seed, 30)),
		 vxlan(.vni = one_in(seed, 20) ? 101 : vn->vni, .geneve = geneve, .words = words,
		       .reserved = pick(seed, 256), .flags = geneve ? one_in(seed, 30) << 7 : 0),
		 raw(options, words * 4));
	if (one_in(seed, 8)) /* a trailer */
		f.len += pick(seed, 30);
	spoil(&f, seed, 14);
	return f;
}

struct frame ref_frame(const struct ref *m, unsigned int *seed, uint8_t *wire)
{
	if (!one_in(seed, 3))
		return access_frame(m, seed, wire);
	*wire = REF_U0;
	return underlay_frame(m, seed);
}
