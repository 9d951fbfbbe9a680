/* SPDX-License-Identifier: Apache-2.0 */
/* Rules and their counters as text, in their order: the tables "acl" and "acl_set". */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "dp/ebpf_acl.h"
#include "dp/ebpf_tables.h"

struct text {
	size_t len;
	char s[512];
};

__attribute__((format(printf, 2, 3))) static void say(struct text *t, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(t->s + t->len, sizeof(t->s) - t->len, format, args);
	va_end(args);
	if (n > 0)
		t->len += n;
	if (t->len >= sizeof(t->s))
		t->len = sizeof(t->s) - 1;
}

static void say_prefix(struct text *t, const char *name, const struct nve_ip *ip, uint8_t len)
{
	char s[INET6_ADDRSTRLEN];

	inet_ntop(ip->family == 4 ? AF_INET : AF_INET6, ip->bytes, s, sizeof(s));
	say(t, ",\"%s\":\"%s/%u\"", name, s, len);
}

static void say_ports(struct text *t, const char *name, const uint16_t ports[2])
{
	if (ports[0] == ports[1])
		say(t, ",\"%s\":\"%u\"", name, ports[0]);
	else
		say(t, ",\"%s\":\"%u-%u\"", name, ports[0], ports[1]);
}

static void say_mac(struct text *t, const char *name, const uint8_t m[NVE_MAC_LEN])
{
	say(t, ",\"%s\":\"%02x:%02x:%02x:%02x:%02x:%02x\"", name, m[0], m[1], m[2], m[3], m[4],
	    m[5]);
}

static void say_rule(struct text *t, const struct nve_acl_rule *r)
{
	static const char *const ways[] = { "none", "from-tsi", "to-tsi", "both" };

	say(t, "{\"action\":\"%s\",\"direction\":\"%s\"", r->deny ? "deny" : "allow",
	    ways[r->ways & 3]);
	if (r->has & NVE_ACL_HAS_TYPE)
		say(t, ",\"ethertype\":\"0x%04x\"", r->type);
	if (r->has & NVE_ACL_HAS_PROTOCOL)
		say(t, ",\"protocol\":%u", r->protocol);
	if (r->has & NVE_ACL_HAS_SRC)
		say_prefix(t, "src", &r->src, r->src_len);
	if (r->has & NVE_ACL_HAS_DST)
		say_prefix(t, "dst", &r->dst, r->dst_len);
	if (r->has & NVE_ACL_HAS_SRC_PORTS)
		say_ports(t, "src_ports", r->src_ports);
	if (r->has & NVE_ACL_HAS_DST_PORTS)
		say_ports(t, "dst_ports", r->dst_ports);
	if (r->has & NVE_ACL_HAS_SRC_MAC)
		say_mac(t, "src_mac", r->src_mac);
	if (r->has & NVE_ACL_HAS_DST_MAC)
		say_mac(t, "dst_mac", r->dst_mac);
}

static struct nve_acl_row count(struct nve_dp *dp, uint32_t row)
{
	struct nve_acl_row *values = calloc(1, dp->buffer[NVE_MAP_ACL].value_size);
	struct nve_acl_row sum = { 0 };

	if (values && bpf_map_lookup_elem(dp->map[NVE_MAP_ACL], &row, values) == 0) {
		for (uint32_t cpu = 0; cpu < dp->n_cpus; cpu++) {
			sum.frames += values[cpu].frames;
			sum.bytes += values[cpu].bytes;
		}
	}
	free(values);
	return sum;
}

/* Rule 'i' of the profile, counted from 1 as the file is read; the default is the last one's. */
static void tell(struct nve_dp *dp, uint32_t id, uint32_t i, nve_dp_row_fn *fn, void *arg)
{
	const struct nve_acl *acl = dp->shadow.acls[id].now;
	struct nve_acl_row sum = count(dp, dp->acls->now[id].rows + i);
	struct text key = { 0 }, value = { 0 };

	if (i < acl->n_rules) {
		say(&key, "{\"profile\":\"%s\",\"rule\":%u}", acl->name, i + 1);
		say_rule(&value, &acl->rules[i]);
	} else {
		say(&key, "{\"profile\":\"%s\",\"rule\":\"default\"}", acl->name);
		say(&value, "{\"action\":\"%s\",\"direction\":\"both\"",
		    acl->deny ? "deny" : "allow");
	}
	say(&value, ",\"frames\":%" PRIu64 ",\"bytes\":%" PRIu64 "}", (uint64_t)sum.frames,
	    (uint64_t)sum.bytes);
	fn(arg, key.s, value.s);
}

static void tell_set(struct nve_dp *dp, uint32_t id, nve_dp_row_fn *fn, void *arg)
{
	const struct nve_acl *acl = dp->shadow.acls[id].now;
	struct text key = { 0 }, value = { 0 };

	say(&key, "{\"acl\":%u}", dp->acls->slot[id]);
	say(&value, "{\"profile\":\"%s\",\"rules\":%u,\"default\":\"%s\"}", acl->name, acl->n_rules,
	    acl->deny ? "deny" : "allow");
	fn(arg, key.s, value.s);
}

bool nve_ebpf_acl_dump(struct nve_dp *dp, const char *table, nve_dp_row_fn *fn, void *arg)
{
	bool sets = !strcmp(table, "acl_set");

	if (!sets && strcmp(table, "acl") != 0)
		return false;
	for (uint32_t id = 1; id <= NVE_DP_ACLS_MAX; id++) {
		const struct nve_acl *acl = dp->shadow.acls[id].now;

		if (acl && sets)
			tell_set(dp, id, fn, arg);
		for (uint32_t i = 0; acl && !sets && i <= acl->n_rules; i++)
			tell(dp, id, i, fn, arg);
	}
	return true;
}

bool nve_ebpf_acl_dump_one(struct nve_dp *dp, uint32_t row, nve_dp_row_fn *fn, void *arg)
{
	for (uint32_t id = 1; id <= NVE_DP_ACLS_MAX; id++) {
		const struct nve_ebpf_acl *set = &dp->acls->now[id];

		if (!set->fd || row < set->rows || row >= set->rows + set->n_rows)
			continue;
		tell(dp, id, row - set->rows, fn, arg);
		return true;
	}
	fn(arg, "{}", "");
	return false;
}
