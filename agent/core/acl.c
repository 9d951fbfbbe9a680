/* SPDX-License-Identifier: Apache-2.0 */
/* What rules mean, see acl.h: one after the other.  Datapaths find another way to the same end. */
#include "core/acl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool in_prefix(const struct nve_ip *prefix, uint8_t len, const struct nve_ip *ip)
{
	uint8_t rest = len % 8;

	if (ip->family != prefix->family || memcmp(ip->bytes, prefix->bytes, len / 8) != 0)
		return false;
	return !rest || !((ip->bytes[len / 8] ^ prefix->bytes[len / 8]) >> (8 - rest));
}

static bool prefix_valid(const struct nve_ip *prefix, uint8_t len)
{
	uint8_t most = prefix->family == 4 ? 32 : 128;

	if ((prefix->family != 4 && prefix->family != 6) || len > most)
		return false;
	for (uint8_t bit = len; bit < 128; bit++)
		if (prefix->bytes[bit / 8] & 0x80 >> bit % 8)
			return false;
	return true;
}

/* An EtherType besides a prefix says the same, or the rule is for nothing. */
static bool type_valid(const struct nve_acl_rule *r)
{
	uint8_t family = r->has & NVE_ACL_HAS_SRC ? r->src.family : r->dst.family;

	if (!(r->has & NVE_ACL_HAS_TYPE) || !(r->has & (NVE_ACL_HAS_SRC | NVE_ACL_HAS_DST)))
		return true;
	return r->type == (family == 4 ? 0x0800 : 0x86dd);
}

static bool rule_valid(const struct nve_acl_rule *r)
{
	const uint8_t both = NVE_ACL_HAS_SRC | NVE_ACL_HAS_DST;

	if (!r->ways || r->ways >= 1 << NVE_ACL_WAYS || r->deny > 1)
		return false;
	if ((r->has & NVE_ACL_HAS_SRC && !prefix_valid(&r->src, r->src_len)) ||
	    (r->has & NVE_ACL_HAS_DST && !prefix_valid(&r->dst, r->dst_len)) ||
	    ((r->has & both) == both && r->src.family != r->dst.family))
		return false;
	return type_valid(r) && r->src_ports[0] <= r->src_ports[1] &&
	       r->dst_ports[0] <= r->dst_ports[1];
}

int nve_acl_check(const struct nve_acl *acl)
{
	if (acl->n_rules > NVE_ACL_RULES_MAX)
		return -EINVAL;
	for (uint32_t i = 0; i < acl->n_rules; i++)
		if (!rule_valid(&acl->rules[i]))
			return -EINVAL;
	return 0;
}

bool nve_acl_equal(const struct nve_acl *a, const struct nve_acl *b)
{
	return a == b ||
	       (a && b && !strcmp(a->name, b->name) && a->deny == b->deny &&
		a->n_rules == b->n_rules &&
		(!a->n_rules || !memcmp(a->rules, b->rules, a->n_rules * sizeof(a->rules[0]))));
}

static bool matches(const struct nve_acl_rule *r, const struct nve_acl_frame *f)
{
	if (r->has & NVE_ACL_HAS_TYPE && r->type != f->type)
		return false;
	if (r->has & NVE_ACL_HAS_PROTOCOL && (!f->is_ip || r->protocol != f->protocol))
		return false;
	if (r->has & NVE_ACL_HAS_SRC && (!f->is_ip || !in_prefix(&r->src, r->src_len, &f->src)))
		return false;
	if (r->has & NVE_ACL_HAS_DST && (!f->is_ip || !in_prefix(&r->dst, r->dst_len, &f->dst)))
		return false;
	if (r->has & NVE_ACL_HAS_SRC_PORTS &&
	    (!f->has_ports || f->src_port < r->src_ports[0] || f->src_port > r->src_ports[1]))
		return false;
	if (r->has & NVE_ACL_HAS_DST_PORTS &&
	    (!f->has_ports || f->dst_port < r->dst_ports[0] || f->dst_port > r->dst_ports[1]))
		return false;
	if (r->has & NVE_ACL_HAS_SRC_MAC && memcmp(r->src_mac, f->src_mac, NVE_MAC_LEN) != 0)
		return false;
	return !(r->has & NVE_ACL_HAS_DST_MAC) || !memcmp(r->dst_mac, f->dst_mac, NVE_MAC_LEN);
}

uint32_t nve_acl_match(const struct nve_acl *acl, enum nve_acl_way way,
		       const struct nve_acl_frame *f)
{
	for (uint32_t i = 0; i < acl->n_rules; i++)
		if (acl->rules[i].ways & 1 << way && matches(&acl->rules[i], f))
			return i;
	return acl->n_rules;
}

bool nve_acl_denies(const struct nve_acl *acl, enum nve_acl_way way, const struct nve_acl_frame *f)
{
	uint32_t i = nve_acl_match(acl, way, f);

	return i < acl->n_rules ? acl->rules[i].deny : acl->deny;
}

struct nve_acl *nve_acl_copy(const struct nve_acl *acl)
{
	size_t size = acl->n_rules * sizeof(acl->rules[0]);
	struct nve_acl *copy = malloc(sizeof(*copy) + size);

	if (!copy)
		return NULL;
	*copy = *acl;
	copy->rules = (void *)(copy + 1);
	if (size)
		memcpy(copy + 1, acl->rules, size);
	return copy;
}
