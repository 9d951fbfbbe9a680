/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The profiles of the local NVA's file (S3; local.example.yaml documents them): text to rules.
 * Which line a wrong value stands on is found by reading the file again, for its places alone.
 */
#include "nva/local_internal.h"

#include <arpa/inet.h>
#include <cyaml/cyaml.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "yaml_marks.h"

struct nve_local_yaml_rule {
	enum nve_local_action action;
	uint32_t direction; /* ways of struct nve_acl_rule */
	char *ethertype, *protocol, *src, *dst, *src_ports, *dst_ports, *src_mac, *dst_mac;
};

static const cyaml_strval_t actions[] = { { "allow", NVE_LOCAL_ALLOW },
					  { "deny", NVE_LOCAL_DENY } };
static const cyaml_strval_t directions[] = { { "both", 0 },
					     { "from-tsi", 1 << NVE_ACL_FROM_TSI },
					     { "to-tsi", 1 << NVE_ACL_TO_TSI } };

#define TEXT(member)                                                                               \
	CYAML_FIELD_STRING_PTR(#member, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,                  \
			       struct nve_local_yaml_rule, member, 1, 64)
static const cyaml_schema_field_t rule_fields[] = {
	CYAML_FIELD_ENUM("action", CYAML_FLAG_STRICT, struct nve_local_yaml_rule, action, actions,
			 2),
	CYAML_FIELD_ENUM("direction", CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT,
			 struct nve_local_yaml_rule, direction, directions, 3),
	TEXT(ethertype),
	TEXT(protocol),
	TEXT(src),
	TEXT(dst),
	TEXT(src_ports),
	TEXT(dst_ports),
	TEXT(src_mac),
	TEXT(dst_mac),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t rule_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct nve_local_yaml_rule, rule_fields),
};
static const cyaml_schema_field_t profile_fields[] = {
	CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, struct nve_local_yaml_profile, name, 1,
			       NVE_NAME_MAX),
	CYAML_FIELD_ENUM("default", CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT,
			 struct nve_local_yaml_profile, otherwise, actions, 2),
	CYAML_FIELD_SEQUENCE_COUNT("acl", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
				   struct nve_local_yaml_profile, rules, n_rules, &rule_schema, 0,
				   NVE_ACL_RULES_MAX),
	CYAML_FIELD_END,
};
const cyaml_schema_value_t nve_local_profile_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct nve_local_yaml_profile, profile_fields),
};

/* --- complaints ------------------------------------------------------------------------------- */

/* Where in the file a value is. */
struct place {
	const char *path;
	unsigned profile, rule;
	const char *name; /* of the profile */
	char **err;
};

static unsigned line_of(const struct place *at, const char *where)
{
	FILE *file = fopen(at->path, "r");
	struct nve_marks *marks = NULL;
	char *text = NULL, *what = NULL;
	size_t room = 0;
	ssize_t len = -1;
	unsigned line = 0;

	if (file)
		len = getdelim(&text, &room, '\0', file);
	if (len >= 0 && nve_marks_parse(text, (size_t)len, &marks, &line, &what) == 0)
		line = nve_marks_line(marks, where);
	nve_marks_free(marks);
	free(what);
	free(text);
	if (file)
		fclose(file);
	return line;
}

/* Always -EINVAL.  'field': of the rule; NULL: of the profile. */
__attribute__((format(printf, 3, 4))) static int bad(const struct place *at, const char *field,
						     const char *fmt, ...)
{
	char text[300], where[80];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (field)
		snprintf(where, sizeof(where), "profiles/%u/acl/%u/%s", at->profile, at->rule,
			 field);
	else
		snprintf(where, sizeof(where), "profiles/%u/name", at->profile);
	if (at->err && asprintf(at->err, "%s:%u: profile %s%s%s: %s", at->path, line_of(at, where),
				at->name, field ? ": " : "", field ? field : "", text) < 0)
		*at->err = NULL;
	return -EINVAL;
}

/* --- values ----------------------------------------------------------------------------------- */

static bool number(const char *text, unsigned long max, unsigned long *ret)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	*ret = strtoul(text, &end, 0);
	return !*end && *ret <= max;
}

static int take_prefix(const struct place *at, const char *field, const char *text,
		       struct nve_ip *ip, uint8_t *ret_len)
{
	char addr[64];
	const char *slash = strchr(text, '/');
	unsigned long len;

	*ip = (struct nve_ip){ .family = strchr(text, ':') ? 6 : 4 };
	snprintf(addr, sizeof(addr), "%.*s", slash ? (int)(slash - text) : 63, text);
	len = ip->family == 4 ? 32 : 128;
	if (inet_pton(ip->family == 4 ? AF_INET : AF_INET6, addr, ip->bytes) != 1 ||
	    (slash && !number(slash + 1, len, &len)))
		return bad(at, field,
			   "'%s' is no address or prefix; write 10.0.0.0/8 or 2001:db8::/32", text);
	for (unsigned long bit = len; bit < (ip->family == 4 ? 32 : 128); bit++)
		if (ip->bytes[bit / 8] & 0x80 >> bit % 8)
			return bad(at, field,
				   "'%s' has bits behind its length; set them to zero, or write a "
				   "longer prefix",
				   text);
	*ret_len = (uint8_t)len;
	return 0;
}

static int take_ports(const struct place *at, const char *field, const char *text,
		      uint16_t ports[2])
{
	char from[16];
	const char *dash = strchr(text, '-');
	unsigned long a = 0, b = 0;

	snprintf(from, sizeof(from), "%.*s", dash ? (int)(dash - text) : 15, text);
	if (!number(from, UINT16_MAX, &a) || (dash && !number(dash + 1, UINT16_MAX, &b)))
		return bad(at, field, "'%s' is no port or range; write 22 or \"8000-8080\"", text);
	if (dash && b < a)
		return bad(at, field, "'%s' ends before it begins; write the smaller port first",
			   text);
	ports[0] = (uint16_t)a;
	ports[1] = (uint16_t)(dash ? b : a);
	return 0;
}

static int take_mac(const struct place *at, const char *field, const char *text,
		    uint8_t mac[NVE_MAC_LEN])
{
	int used = 0;

	if (sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &mac[0], &mac[1], &mac[2],
		   &mac[3], &mac[4], &mac[5], &used) != NVE_MAC_LEN ||
	    text[used] || used != 17)
		return bad(at, field, "'%s' is no MAC; write it as 02:00:00:00:00:01", text);
	return 0;
}

struct name {
	const char *name;
	uint16_t value;
};
static const struct name protocols[] = { { "icmp", 1 },   { "tcp", 6 },    { "udp", 17 },
					 { "icmp6", 58 }, { "sctp", 132 }, { "udplite", 136 },
					 { NULL, 0 } };
static const struct name ethertypes[] = {
	{ "ipv4", 0x0800 }, { "arp", 0x0806 }, { "rarp", 0x8035 }, { "ipv6", 0x86dd }, { NULL, 0 }
};

static bool named(const struct name *names, const char *text, unsigned long max, unsigned long *ret)
{
	for (; names->name; names++) {
		if (strcmp(names->name, text) != 0)
			continue;
		*ret = names->value;
		return true;
	}
	return number(text, max, ret);
}

/* --- rules ------------------------------------------------------------------------------------ */

static int take_kind(const struct place *at, const struct nve_local_yaml_rule *y,
		     struct nve_acl_rule *r)
{
	unsigned long x;

	if (y->ethertype) {
		if (!named(ethertypes, y->ethertype, UINT16_MAX, &x) || x < 0x600)
			return bad(at, "ethertype",
				   "'%s' is unknown; write ipv4, ipv6, arp, rarp, or a number from "
				   "0x0600",
				   y->ethertype);
		r->type = (uint16_t)x;
		r->has |= NVE_ACL_HAS_TYPE;
	}
	if (y->protocol) {
		if (!named(protocols, y->protocol, UINT8_MAX, &x))
			return bad(
				at, "protocol",
				"'%s' is unknown; write tcp, udp, icmp, icmp6, sctp, udplite, or "
				"a number to 255",
				y->protocol);
		r->protocol = (uint8_t)x;
		r->has |= NVE_ACL_HAS_PROTOCOL;
	}
	return 0;
}

static int take_addresses(const struct place *at, const struct nve_local_yaml_rule *y,
			  struct nve_acl_rule *r)
{
	int e = 0;

	if (y->src)
		e = take_prefix(at, "src", y->src, &r->src, &r->src_len);
	if (!e && y->dst)
		e = take_prefix(at, "dst", y->dst, &r->dst, &r->dst_len);
	if (!e && y->src_mac)
		e = take_mac(at, "src_mac", y->src_mac, r->src_mac);
	if (!e && y->dst_mac)
		e = take_mac(at, "dst_mac", y->dst_mac, r->dst_mac);
	if (!e && y->src && y->dst && r->src.family != r->dst.family)
		return bad(at, "dst", "src and dst are of two families; make it two rules");
	r->has |= (y->src ? NVE_ACL_HAS_SRC : 0) | (y->dst ? NVE_ACL_HAS_DST : 0) |
		  (y->src_mac ? NVE_ACL_HAS_SRC_MAC : 0) | (y->dst_mac ? NVE_ACL_HAS_DST_MAC : 0);
	return e;
}

static bool has_ports(const struct nve_acl_rule *r)
{
	return r->protocol == 6 || r->protocol == 17 || r->protocol == 33 || r->protocol == 132 ||
	       r->protocol == 136;
}

static int take_rule_ports(const struct place *at, const struct nve_local_yaml_rule *y,
			   struct nve_acl_rule *r)
{
	int e = 0;

	if (y->src_ports)
		e = take_ports(at, "src_ports", y->src_ports, r->src_ports);
	if (!e && y->dst_ports)
		e = take_ports(at, "dst_ports", y->dst_ports, r->dst_ports);
	r->has |= (y->src_ports ? NVE_ACL_HAS_SRC_PORTS : 0) |
		  (y->dst_ports ? NVE_ACL_HAS_DST_PORTS : 0);
	if (!e && (y->src_ports || y->dst_ports) && !has_ports(r))
		return bad(at, y->dst_ports ? "dst_ports" : "src_ports",
			   "the rule's protocol has no ports; write 'protocol: tcp' or udp beside "
			   "them");
	return e;
}

static int take_rule(const struct place *at, const struct nve_local_yaml_rule *y,
		     struct nve_acl_rule *r)
{
	uint8_t family;
	int e;

	*r = (struct nve_acl_rule){ .ways = y->direction ? (uint8_t)y->direction : 3,
				    .deny = y->action == NVE_LOCAL_DENY };
	e = take_kind(at, y, r) ?: take_addresses(at, y, r) ?: take_rule_ports(at, y, r);
	if (e || !y->ethertype || !(y->src || y->dst))
		return e;
	family = y->src ? r->src.family : r->dst.family;
	if (r->type != (family == 4 ? 0x0800 : 0x86dd))
		return bad(at, "ethertype", "the addresses are of another; leave it out");
	return 0;
}

static int take_profile(struct place *at, const struct nve_local_yaml_profile *y,
			struct nve_acl **ret)
{
	struct nve_acl_rule *rules = calloc(y->n_rules + 1, sizeof(*rules));
	struct nve_acl acl = { .deny = y->otherwise == NVE_LOCAL_DENY, .n_rules = y->n_rules };
	int r = rules ? 0 : -ENOMEM;

	snprintf(acl.name, sizeof(acl.name), "%s", y->name);
	for (const char *c = y->name; *c && !r; c++)
		if (*c <= ' ' || *c > '~' || *c == '"' || *c == '\\')
			r = bad(at, NULL, "a name has visible ASCII characters; rename it");
	for (at->rule = 0; at->rule < y->n_rules && !r; at->rule++)
		r = take_rule(at, &y->rules[at->rule], &rules[at->rule]);
	acl.rules = rules;
	if (!r) {
		*ret = nve_acl_copy(&acl);
		r = *ret ? 0 : -ENOMEM;
	}
	free(rules);
	return r;
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(struct nve_acl *const *)a)->name, (*(struct nve_acl *const *)b)->name);
}

int nve_local_take_profiles(const char *path, const struct nve_local_yaml_profile *profiles,
			    unsigned n, struct nve_local_table *t, char **err)
{
	struct place at = { .path = path, .err = err };
	int r = 0;

	t->profiles = calloc(n + 1, sizeof(struct nve_acl *));
	if (!t->profiles)
		return -ENOMEM;
	for (at.profile = 0; at.profile < n && !r; at.profile++) {
		at.name = profiles[at.profile].name;
		for (size_t i = 0; i < t->n_profiles; i++)
			if (t->profiles[i] && !strcmp(t->profiles[i]->name, at.name))
				return bad(&at, NULL, "is there twice; give each its own name");
		r = take_profile(&at, &profiles[at.profile], &t->profiles[t->n_profiles]);
		t->n_profiles += !r;
	}
	if (!r)
		qsort(t->profiles, t->n_profiles, sizeof(struct nve_acl *), by_name);
	return r;
}

void nve_local_free_profiles(struct nve_local_table *t)
{
	for (size_t i = 0; i < t->n_profiles; i++)
		free(t->profiles[i]);
	free(t->profiles);
	t->profiles = NULL;
	t->n_profiles = 0;
}

static int name_against(const void *name, const void *acl)
{
	return strcmp(name, (*(struct nve_acl *const *)acl)->name);
}

const struct nve_acl *nve_local_profile(const struct nve_local_table *t, const char *name)
{
	struct nve_acl **acl = NULL;

	if (t->n_profiles && *name)
		acl = bsearch(name, t->profiles, t->n_profiles, sizeof(struct nve_acl *),
			      name_against);
	return acl ? *acl : NULL;
}
