/* SPDX-License-Identifier: Apache-2.0 */
/* Entries of near as text: a row is half of a bucket, and its key is not its place. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "dp/ebpf_lines.h"
#include "dp/ebpf_near.h"

static void say_key(const struct nve_dp *dp, uint64_t key, char *to, size_t size)
{
	uint32_t number = key >> 48, ip = key;
	char text[INET_ADDRSTRLEN];
	uint8_t m[8];

	if (key >> 56 == 0xff) {
		inet_ntop(AF_INET, &ip, text, sizeof(text));
		snprintf(to, size, "{\"vni\":%u,\"ip\":\"%s\"}",
			 (uint32_t)(key >> 32) & NVE_VN_ID_MAX, text);
		return;
	}
	memcpy(m, &key, sizeof(m));
	snprintf(to, size, "{\"vn_id\":%u,\"mac\":\"%02x:%02x:%02x:%02x:%02x:%02x\"}",
		 number <= NVE_NEAR_VN_MAX ? dp->near_taken[number] : 0, m[0], m[1], m[2], m[3],
		 m[4], m[5]);
}

static void say_tsi(const struct nve_near_entry *e, char *to, size_t size)
{
	char ip[INET_ADDRSTRLEN] = "", source[64] = "";

	inet_ntop(AF_INET, &e->ip4, ip, sizeof(ip));
	if (e->flags & NVE_NEAR_IP4)
		snprintf(source, sizeof(source), ",\"ip4\":\"%s\"", ip);
	snprintf(to, size,
		 "{\"tsi\":%u,\"ifindex\":%u,\"vid\":%u,\"port\":%u,\"filter_ip\":%d%s,\"xdp\":%d,"
		 "\"vni\":%u,\"tunnel\":%u}",
		 e->slot, e->ifindex, e->vid, e->port, !!(e->flags & NVE_NEAR_FILTER_IP), source,
		 !!(e->flags & NVE_NEAR_XDP), e->net >> 8, e->net & 0xff);
}

void nve_ebpf_near_say(const struct nve_dp *dp, uint64_t key, const struct nve_near_entry *e,
		       struct nve_near_text *ret)
{
	say_key(dp, key, ret->key, sizeof(ret->key));
	ret->value[0] = '\0';
	if (!e)
		return;
	if (e->kind == NVE_NEAR_TSI)
		say_tsi(e, ret->value, sizeof(ret->value));
	else if (e->kind == NVE_NEAR_VTEP)
		snprintf(ret->value, sizeof(ret->value), "{\"vtep\":%u}", e->slot);
	else
		snprintf(ret->value, sizeof(ret->value), "{\"vn_id\":%u,\"tunnel\":%u}", e->ifindex,
			 e->net & 0xff);
}

static void dump_entry(const struct nve_dp *dp, const struct nve_near_entry *e, nve_dp_row_fn *fn,
		       void *arg)
{
	struct nve_near_text text;

	nve_ebpf_near_say(dp, e->key, e, &text);
	fn(arg, text.key, text.value);
}

void nve_ebpf_near_dump(const struct nve_dp *dp, nve_dp_row_fn *fn, void *arg)
{
	struct nve_near_entry e;

	for (uint32_t i = 0; i < (dp->near_mask + 1) * NVE_NEAR_WAYS; i++) {
		e = dp->near[i / NVE_NEAR_WAYS].e[i % NVE_NEAR_WAYS];
		if (e.key)
			dump_entry(dp, &e, fn, arg);
	}
	for (uint32_t i = 0; i < dp->n_lines; i++)
		if (nve_ebpf_line_read(dp, i, &e))
			dump_entry(dp, &e, fn, arg);
}
