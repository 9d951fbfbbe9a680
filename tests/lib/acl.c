/* SPDX-License-Identifier: Apache-2.0 */
/* Random rules and frames, see acl.h. */
#include "lib/acl.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

uint32_t acl_random(struct acl_random *r, uint32_t below)
{
	r->state ^= r->state << 13;
	r->state ^= r->state >> 7;
	r->state ^= r->state << 17;
	return (uint32_t)((r->state * 0x2545f4914f6cdd1dull) >> 32) % below;
}

/* Few values, so that rules overlap and frames meet them. */
static struct nve_ip random_ip(struct acl_random *r, uint8_t family)
{
	static const uint8_t parts[] = { 0, 1, 2, 127, 128, 255 };
	struct nve_ip ip = { .family = family, .bytes = { family == 4 ? 10 : 0xfd } };

	for (int i = 1; i < (family == 4 ? 4 : 16); i++)
		if (family == 4 || i % 7 == 1)
			ip.bytes[i] = parts[acl_random(r, 6)];
	return ip;
}

static uint8_t random_prefix(struct acl_random *r, struct nve_ip *ip, uint8_t family)
{
	uint8_t most = family == 4 ? 32 : 128, len = acl_random(r, most + 1);

	if (!acl_random(r, 3))
		len = most;
	*ip = random_ip(r, family);
	for (int bit = len; bit < 128; bit++)
		ip->bytes[bit / 8] &= ~(0x80 >> bit % 8);
	return len;
}

static uint16_t random_port(struct acl_random *r)
{
	static const uint16_t edges[] = { 0, 1, 22, 80, 443, 1023, 1024, 65534, 65535 };

	return acl_random(r, 2) ? edges[acl_random(r, 9)] : acl_random(r, 65536);
}

static void random_ports(struct acl_random *r, uint16_t ports[2])
{
	uint16_t a = random_port(r), b = acl_random(r, 2) ? a : random_port(r);

	ports[0] = a < b ? a : b;
	ports[1] = a < b ? b : a;
}

static uint8_t random_protocol(struct acl_random *r)
{
	static const uint8_t some[] = { 1, 6, 17, 58, 132, 200 };

	return some[acl_random(r, 6)];
}

struct nve_acl_rule acl_random_rule(struct acl_random *r)
{
	struct nve_acl_rule rule = { .ways = 1 + acl_random(r, 3), .deny = acl_random(r, 2) };
	uint8_t family = acl_random(r, 2) ? 4 : 6;

	rule.has = acl_random(r, 256) & acl_random(r, 256);
	if (rule.has & NVE_ACL_HAS_SRC)
		rule.src_len = random_prefix(r, &rule.src, family);
	if (rule.has & NVE_ACL_HAS_DST)
		rule.dst_len = random_prefix(r, &rule.dst, family);
	if (rule.has & NVE_ACL_HAS_TYPE)
		rule.type = family == 4 ? 0x0800 : 0x86dd;
	if (rule.has & NVE_ACL_HAS_TYPE && !(rule.has & (NVE_ACL_HAS_SRC | NVE_ACL_HAS_DST)) &&
	    !acl_random(r, 3))
		rule.type = 0x88b5;
	if (rule.has & NVE_ACL_HAS_PROTOCOL)
		rule.protocol = random_protocol(r);
	if (rule.has & NVE_ACL_HAS_SRC_PORTS)
		random_ports(r, rule.src_ports);
	if (rule.has & NVE_ACL_HAS_DST_PORTS)
		random_ports(r, rule.dst_ports);
	/* 02:00:00:00:00:0x, or one that nobody has. */
	if (rule.has & NVE_ACL_HAS_SRC_MAC)
		memcpy(rule.src_mac, (uint8_t[]){ 2, 0, 0, 0, 0, acl_random(r, 4) }, NVE_MAC_LEN);
	if (rule.has & NVE_ACL_HAS_DST_MAC)
		memcpy(rule.dst_mac, (uint8_t[]){ 2, 0, 0, 0, 0, acl_random(r, 4) }, NVE_MAC_LEN);
	return rule;
}

static void to_mac(uint8_t mac[NVE_MAC_LEN], const char *text)
{
	sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4],
	       &mac[5]);
}

static struct layer random_l4(struct acl_random *r, struct nve_acl_frame *f)
{
	f->src_port = random_port(r);
	f->dst_port = random_port(r);
	f->has_ports = f->protocol == 6 || f->protocol == 17;
	if (f->protocol == 6)
		return tcp(.sport = f->src_port, .dport = f->dst_port);
	if (f->protocol == 17)
		return udp(.sport = f->src_port, .dport = f->dst_port);
	return bytes(8);
}

/* SCTP's ports are those of the bytes 0, 1, 2, 3. */
static void take_sctp(struct nve_acl_frame *f)
{
	if (f->protocol != 132)
		return;
	f->has_ports = true;
	f->src_port = 0x0001;
	f->dst_port = 0x0203;
}

struct nve_acl_frame acl_random_frame(struct acl_random *r, const char *src_mac,
				      const char *dst_mac, struct frame *ret)
{
	struct nve_acl_frame f = { .type = 0x88b5 };
	char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN];
	uint32_t kind = acl_random(r, 8);
	struct layer l4;

	to_mac(f.src_mac, src_mac);
	to_mac(f.dst_mac, dst_mac);
	if (!kind) {
		*ret = FRAME(eth(.dst = dst_mac, .src = src_mac, .type = 0x88b5), bytes(46));
		return f;
	}
	f.is_ip = true;
	f.protocol = random_protocol(r);
	f.src = random_ip(r, kind < 5 ? 4 : 6);
	f.dst = random_ip(r, f.src.family);
	f.type = kind < 5 ? 0x0800 : 0x86dd;
	inet_ntop(kind < 5 ? AF_INET : AF_INET6, f.src.bytes, src, sizeof(src));
	inet_ntop(kind < 5 ? AF_INET : AF_INET6, f.dst.bytes, dst, sizeof(dst));
	l4 = random_l4(r, &f);
	take_sctp(&f);
	if (kind == 4) /* a later fragment, with bytes like ports */
		*ret = FRAME(eth(.dst = dst_mac, .src = src_mac),
			     ipv4(.src = src, .dst = dst, .proto = f.protocol, .frag = 100),
			     bytes(40));
	else if (kind == 3) /* with options */
		*ret = FRAME(eth(.dst = dst_mac, .src = src_mac),
			     ipv4(.src = src, .dst = dst, .proto = f.protocol, .ihl = 8), l4,
			     bytes(30));
	else if (kind < 5)
		*ret = FRAME(eth(.dst = dst_mac, .src = src_mac),
			     ipv4(.src = src, .dst = dst, .proto = f.protocol), l4, bytes(30));
	else if (kind == 5) /* behind extension headers */
		*ret = FRAME(eth(.dst = dst_mac, .src = src_mac), ipv6(.src = src, .dst = dst),
			     ext(.kind = 0), ext(.kind = 60, .next = f.protocol, .words = 1), l4,
			     bytes(10));
	else
		*ret = FRAME(eth(.dst = dst_mac, .src = src_mac),
			     ipv6(.src = src, .dst = dst, .next = f.protocol), l4, bytes(10));
	if (kind == 4)
		f.has_ports = false;
	return f;
}
