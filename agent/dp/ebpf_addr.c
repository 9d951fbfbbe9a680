/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of a TSI's addresses.  A MAC has one row in src, with the first IPv4 and IPv6 that are
 * bound to it inside; what does not fit there is in src_ip.  An IP inside counts whenever its MAC
 * does, so it must be as active as that.
 */
#include <string.h>

#include "dp/ebpf_tables.h"

enum { IP_FLAGS = NVE_ADDR_IPV4 | NVE_ADDR_IPV6 };

void nve_ebpf_ip16(uint8_t to[16], bool v4, const uint8_t *ip)
{
	memset(to, 0, 16);
	if (v4) {
		to[10] = to[11] = 0xff;
		memcpy(to + 12, ip, 4);
	} else {
		memcpy(to, ip, 16);
	}
}

static void view_ip(struct nve_ebpf_mac *mac, const struct nve_shadow_addr *a)
{
	const struct nve_addr **inside = a->addr.flags & NVE_ADDR_IPV4 ? &mac->ip4 : &mac->ip6;

	mac->filtered = true;
	if (!*inside && a->active == mac->active)
		*inside = &a->addr;
	else
		mac->more = true;
}

void nve_ebpf_view(struct nve_ebpf_view *v, uint32_t slot, const struct nve_shadow_tsi_state *state,
		   uint32_t ifindex)
{
	uint16_t n = state ? state->n_addrs : 0;

	memset(v, 0, sizeof(*v));
	v->state = state;
	v->slot = slot;
	v->ifindex = ifindex;
	for (uint16_t i = 0; i < n; i++) {
		const struct nve_shadow_addr *a = &state->addrs[i];
		struct nve_ebpf_mac *mac = &v->macs[a->mac];

		if (nve_ebpf_glean_only(a))
			continue;
		if (!a->mac) {
			v->any_ip = state->has_mac;
			continue;
		}
		mac->present = true;
		mac->active |= a->active;
		mac->addr = &a->addr;
	}
	for (uint16_t i = 0; i < n; i++)
		if (state->addrs[i].mac && (state->addrs[i].addr.flags & IP_FLAGS) &&
		    !nve_ebpf_glean_only(&state->addrs[i]))
			view_ip(&v->macs[state->addrs[i].mac], &state->addrs[i]);
	for (uint32_t i = 1; i < NVE_MAC_NUMBERS; i++)
		v->macs[i].filtered |= v->macs[i].present && v->any_ip;
}

void nve_ebpf_src_row(const struct nve_ebpf_view *v, uint32_t number, struct nve_src_key *key,
		      struct nve_src *row)
{
	const struct nve_ebpf_mac *mac = &v->macs[number];

	*key = (struct nve_src_key){ .ifindex = v->ifindex, .vid = v->state->tag };
	memcpy(key->mac, mac->addr->mac, sizeof(key->mac));
	*row = (struct nve_src){
		.tsi = v->slot,
		.when = mac->active ? NVE_WHEN_ALWAYS : NVE_WHEN_NEVER,
		.mac = number,
		.flags = (mac->filtered ? NVE_SRC_FILTER_IP : 0) | (mac->ip4 ? NVE_SRC_IP4 : 0) |
			 (mac->ip6 ? NVE_SRC_IP6 : 0) | (mac->more ? NVE_SRC_MORE : 0) |
			 (v->any_ip ? NVE_SRC_ANY_MAC : 0),
	};
	if (mac->ip4)
		memcpy(&row->ip4, mac->ip4->ip, sizeof(row->ip4));
	if (mac->ip6)
		memcpy(row->ip6, mac->ip6->ip, sizeof(row->ip6));
}

bool nve_ebpf_src_ip_row(const struct nve_ebpf_view *v, uint32_t i, struct nve_src_ip_key *key,
			 struct nve_src_ip *row)
{
	const struct nve_shadow_addr *a = &v->state->addrs[i];
	const struct nve_ebpf_mac *mac = &v->macs[a->mac];

	if (!(a->addr.flags & IP_FLAGS) || nve_ebpf_glean_only(a) || mac->ip4 == &a->addr ||
	    mac->ip6 == &a->addr)
		return false;
	*key = (struct nve_src_ip_key){ .owner = v->slot, .mac = a->mac };
	if (!v->state->has_mac) {
		key->owner = v->ifindex;
		key->vid = v->state->tag;
	}
	nve_ebpf_ip16(key->ip, a->addr.flags & NVE_ADDR_IPV4, a->addr.ip);
	*row = (struct nve_src_ip){
		.tsi = v->slot,
		.when = a->active ? NVE_WHEN_ALWAYS : NVE_WHEN_NEVER,
	};
	return true;
}

void nve_ebpf_count(const struct nve_ebpf_view *v, uint32_t *src, uint32_t *src_ip)
{
	struct nve_src_ip_key key;
	struct nve_src_ip row;

	*src = *src_ip = 0;
	for (uint32_t i = 0; v->state && i < v->state->n_addrs; i++)
		*src_ip += nve_ebpf_src_ip_row(v, i, &key, &row);
	for (uint32_t i = 1; i < NVE_MAC_NUMBERS; i++)
		*src += v->macs[i].present;
}

void nve_ebpf_addrs_put(struct nve_dp *dp, const struct nve_ebpf_view *v)
{
	struct nve_src_ip_key ip_key;
	struct nve_src_key key;
	struct nve_src_ip ip_row;
	struct nve_src row;

	if (!v->state)
		return;
	for (uint32_t i = 0; i < v->state->n_addrs; i++)
		if (nve_ebpf_src_ip_row(v, i, &ip_key, &ip_row))
			nve_ebpf_put(dp, NVE_MAP_SRC_IP, &ip_key, &ip_row);
	for (uint32_t i = 1; i < NVE_MAC_NUMBERS; i++) {
		if (!v->macs[i].present)
			continue;
		nve_ebpf_src_row(v, i, &key, &row);
		nve_ebpf_put(dp, NVE_MAP_SRC, &key, &row);
	}
}
