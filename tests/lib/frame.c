/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames for tests.  Built in two passes: the bytes of each layer in order, then, from the
 * innermost layer outwards, the fields that depend on what follows.
 */
#include "lib/frame.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const layer_names[] = {
	[LAYER_ETH] = "eth",     [LAYER_VLAN] = "vlan",   [LAYER_IPV4] = "ipv4",
	[LAYER_IPV6] = "ipv6",   [LAYER_EXT] = "ext",     [LAYER_ARP] = "arp",
	[LAYER_ND] = "nd",       [LAYER_UDP] = "udp",     [LAYER_TCP] = "tcp",
	[LAYER_VXLAN] = "vxlan", [LAYER_RAW] = "payload",
};

bool frame_quiet;

static void die(const char *what, const char *why)
{
	fprintf(stderr, "frame: %s: %s\n", what, why);
	abort();
}

static uint8_t *push(struct frame *f, size_t n)
{
	uint8_t *p = f->bytes + f->len;

	if (f->len + n > FRAME_MAX)
		die("push", "frame too long");
	f->len += n;
	return p;
}

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = v >> 8;
	p[1] = v & 0xff;
}

static void put_mac(uint8_t *p, const char *mac)
{
	if (mac && sscanf(mac, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &p[0], &p[1], &p[2], &p[3], &p[4],
			  &p[5]) != 6)
		die(mac, "no MAC address");
}

static void put_ip(uint8_t *p, int family, const char *ip)
{
	if (ip && inet_pton(family, ip, p) != 1)
		die(ip, "no IP address");
}

static uint32_t sum(const uint8_t *p, size_t n, uint32_t s)
{
	for (size_t i = 0; i < n; i++)
		s += i % 2 ? p[i] : p[i] << 8;
	return s;
}

static uint16_t check(uint32_t s)
{
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return ~s;
}

static uint16_t type_of(const struct layer *l)
{
	switch (l->kind) {
	case LAYER_VLAN:
		return l->vlan.tpid ?: 0x8100;
	case LAYER_IPV4:
		return 0x0800;
	case LAYER_IPV6:
		return 0x86dd;
	case LAYER_ARP:
		return l->arp.rarp ? 0x8035 : 0x0806;
	default:
		return 0x88b5; /* for local experiments */
	}
}

static uint8_t proto_of(const struct layer *l)
{
	switch (l->kind) {
	case LAYER_UDP:
		return 17;
	case LAYER_TCP:
		return 6;
	case LAYER_ND:
		return 58;
	case LAYER_EXT:
		return l->ext.kind;
	default:
		return 253; /* for experiments */
	}
}

static void add_arp(struct frame *f, const struct layer_arp *a)
{
	uint8_t *p = push(f, 28);

	put16(p, a->htype ?: 1);
	put16(p + 2, 0x0800);
	p[4] = 6;
	p[5] = 4;
	put16(p + 6, a->op ?: (a->rarp ? 3 : 1));
	put_mac(p + 8, a->sender_mac);
	put_ip(p + 14, AF_INET, a->sender_ip);
	put_mac(p + 18, a->target_mac);
	put_ip(p + 24, AF_INET, a->target_ip);
}

static void add_nd(struct frame *f, const struct layer_nd *n)
{
	uint8_t *p;

	p = push(f, 8);
	p[0] = n->type;
	p[4] = n->flags;
	if (n->type == 134)
		push(f, 8);
	if (n->type >= 135 && n->type <= 137)
		put_ip(push(f, 16), AF_INET6, n->target);
	if (n->type == 137)
		push(f, 16);
	if (n->nonce_first) {
		p = push(f, 8);
		p[0] = 14;
		p[1] = 1;
	}
	if (n->opt) {
		p = push(f, 8);
		p[0] = n->opt;
		p[1] = 1;
		put_mac(p + 2, n->opt_mac);
	}
}

static void add_ipv4(struct frame *f, const struct layer *l)
{
	const struct layer_ipv4 *ip = &l->ip4;
	uint8_t *p = push(f, (ip->ihl ?: 5) * 4);

	p[0] = 0x40 | (ip->ihl ?: 5);
	p[1] = ip->tos;
	put16(p + 4, ip->id);
	put16(p + 6, ip->frag);
	p[8] = ip->ttl ?: 64;
	p[9] = ip->proto ?: proto_of(l + 1);
	put_ip(p + 12, AF_INET, ip->src);
	put_ip(p + 16, AF_INET, ip->dst);
}

static void add_ipv6(struct frame *f, const struct layer *l)
{
	uint8_t *p = push(f, 40);

	p[0] = 0x60 | l->ip6.tos >> 4;
	p[1] = l->ip6.tos << 4;
	put16(p + 2, l->ip6.flow);
	p[6] = l->ip6.next ?: proto_of(l + 1);
	p[7] = l->ip6.hops ?: 255;
	put_ip(p + 8, AF_INET6, l->ip6.src);
	put_ip(p + 24, AF_INET6, l->ip6.dst);
}

static void add_raw(struct frame *f, const struct layer_raw *r)
{
	uint8_t *p = push(f, r->len);

	if (r->bytes) {
		memcpy(p, r->bytes, r->len);
		return;
	}
	for (size_t i = 0; i < r->len; i++)
		p[i] = i;
}

static void add_tunnel(struct frame *f, const struct layer_vxlan *v)
{
	uint8_t *p = push(f, 8);

	if (v->geneve) {
		p[0] = v->version << 6 | v->words;
		p[1] = v->flags;
		put16(p + 2, v->proto ?: 0x6558);
	} else {
		p[0] = v->no_flags ? 0 : v->flags ?: 0x08;
	}
	p[4] = v->vni >> 16;
	p[5] = v->vni >> 8;
	p[6] = v->vni;
	p[7] = v->reserved;
}

static void add(struct frame *f, const struct layer *l)
{
	uint8_t *p;

	switch (l->kind) {
	case LAYER_ETH:
		p = push(f, 14);
		put_mac(p, l->eth.dst);
		put_mac(p + 6, l->eth.src);
		put16(p + 12, l->eth.type ?: type_of(l + 1));
		return;
	case LAYER_VLAN:
		p = push(f, 4);
		put16(p, l->vlan.pcp << 13 | l->vlan.vid);
		put16(p + 2, l->vlan.type ?: type_of(l + 1));
		return;
	case LAYER_EXT:
		p = push(f, 8 + l->ext.words * 8);
		p[0] = l->ext.next ?: proto_of(l + 1);
		p[1] = l->ext.words;
		put16(p + 2, l->ext.frag);
		return;
	case LAYER_UDP:
		p = push(f, 8);
		put16(p, l->udp.sport);
		put16(p + 2, l->udp.dport);
		return;
	case LAYER_TCP:
		p = push(f, 20);
		put16(p, l->tcp.sport);
		put16(p + 2, l->tcp.dport);
		p[12] = 5 << 4;
		return;
	case LAYER_IPV4:
		return add_ipv4(f, l);
	case LAYER_IPV6:
		return add_ipv6(f, l);
	case LAYER_ARP:
		return add_arp(f, &l->arp);
	case LAYER_ND:
		return add_nd(f, &l->nd);
	case LAYER_VXLAN:
		return add_tunnel(f, &l->vxlan);
	case LAYER_RAW:
		return add_raw(f, &l->raw);
	default:
		die("add", "no such layer");
	}
}

/* Pseudo header of the nearest IP layer before layer 'i', without the length. */
static uint32_t pseudo(const struct frame *f, size_t i, uint8_t proto)
{
	const uint8_t *p;

	while (i--) {
		p = f->bytes + f->layers[i].at;
		if (f->layers[i].kind == LAYER_IPV4)
			return sum(p + 12, 8, proto);
		if (f->layers[i].kind == LAYER_IPV6)
			return sum(p + 8, 32, proto);
	}
	return proto;
}

static uint16_t l4_check(const struct frame *f, size_t i, uint8_t proto)
{
	size_t at = f->layers[i].at, len = f->len - at;

	return check(sum(f->bytes + at, len, pseudo(f, i, proto) + len));
}

static void finish(struct frame *f, size_t i, const struct layer *l)
{
	uint8_t *p = f->bytes + f->layers[i].at;
	size_t len = f->len - f->layers[i].at;
	size_t ihl;

	switch (l->kind) {
	case LAYER_IPV4:
		ihl = (p[0] & 15) * 4;
		put16(p + 2, len + l->ip4.extra_len);
		put16(p + 10, 0);
		put16(p + 10, check(sum(p, ihl, 0)) ^ l->ip4.bad_check);
		return;
	case LAYER_IPV6:
		put16(p + 4, len - 40);
		return;
	case LAYER_UDP:
		put16(p + 4, len + l->udp.extra_len);
		if (!l->udp.no_check)
			put16(p + 6, l4_check(f, i, 17));
		return;
	case LAYER_TCP:
		put16(p + 16, l4_check(f, i, 6));
		return;
	case LAYER_ND:
		put16(p + 2, l4_check(f, i, 58));
		return;
	default:
		return;
	}
}

struct frame frame_wrap(const struct layer *head, const struct frame *tail)
{
	struct frame f = { 0 };
	size_t n = 0;

	for (; head[n].kind != LAYER_END; n++) {
		if (n == FRAME_LAYERS_MAX)
			die("make", "too many layers");
		f.layers[n].kind = head[n].kind;
		f.layers[n].at = f.len;
		add(&f, &head[n]);
	}
	if (tail)
		memcpy(push(&f, tail->len), tail->bytes, tail->len);
	for (size_t i = n; i--;)
		finish(&f, i, &head[i]);
	f.n_layers = n;
	for (size_t i = 0; tail && i < tail->n_layers && f.n_layers < FRAME_LAYERS_MAX; i++) {
		f.layers[f.n_layers].kind = tail->layers[i].kind;
		f.layers[f.n_layers++].at = tail->layers[i].at + f.len - tail->len;
	}
	return f;
}

struct frame frame_make(const struct layer *layers)
{
	return frame_wrap(layers, NULL);
}

struct frame frame_tag(const struct frame *f, uint16_t pcp, uint16_t vid)
{
	struct frame out = *f;
	uint16_t tci = pcp << 13 | vid;

	memmove(out.bytes + 16, f->bytes + 12, f->len - 12);
	memcpy(out.bytes + 12, (uint8_t[]){ 0x81, 0x00, tci >> 8, tci & 0xff }, 4);
	out.len += 4;
	out.n_layers++;
	for (size_t i = f->n_layers; i > 1; i--) {
		out.layers[i] = f->layers[i - 1];
		out.layers[i].at += 4;
	}
	out.layers[1].kind = LAYER_VLAN;
	out.layers[1].at = 14;
	return out;
}

struct frame frame_untag(const struct frame *f)
{
	struct frame out = *f;

	if (f->n_layers < 2 || f->layers[1].kind != LAYER_VLAN)
		return out;
	memmove(out.bytes + 12, f->bytes + 16, f->len - 16);
	out.len -= 4;
	out.n_layers--;
	for (size_t i = 1; i < out.n_layers; i++) {
		out.layers[i] = f->layers[i + 1];
		out.layers[i].at -= 4;
	}
	return out;
}

static void print_bytes(const char *name, const struct frame *f, size_t from, size_t to)
{
	fprintf(stderr, "    %s", name);
	for (size_t i = from; i < to && i < f->len; i++)
		fprintf(stderr, " %02x", f->bytes[i]);
	fputc('\n', stderr);
}

bool frame_equal(const struct frame *got, const struct frame *want)
{
	size_t n = got->len < want->len ? got->len : want->len;
	size_t from, to;

	if (got->len == want->len && !memcmp(got->bytes, want->bytes, n))
		return true;
	if (frame_quiet)
		return false;
	if (got->len != want->len)
		fprintf(stderr, "  length: got %zu, want %zu\n", got->len, want->len);
	for (size_t i = 0; i < want->n_layers; i++) {
		from = want->layers[i].at;
		to = i + 1 < want->n_layers ? want->layers[i + 1].at : want->len;
		if (to <= n && !memcmp(got->bytes + from, want->bytes + from, to - from))
			continue;
		fprintf(stderr, "  %s at %zu differs:\n", layer_names[want->layers[i].kind], from);
		print_bytes("got ", got, from, to);
		print_bytes("want", want, from, to);
	}
	return false;
}
