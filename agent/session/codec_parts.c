/* SPDX-License-Identifier: Apache-2.0 */
/* The parts that requests are made of: VN, TSI key, addresses, timers, parameters. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "session/codec_internal.h"

void nve_refusal_init(struct nve_refusal *why, enum nve_reason reason)
{
	memset(why, 0, sizeof(*why));
	why->reason = reason;
	why->tag = -1;
}

int nve_refuse(struct nve_decode *d, enum nve_reason reason, const char *field, ...)
{
	va_list ap;

	nve_refusal_init(d->why, reason);
	va_start(ap, field);
	vsnprintf(d->why->field, sizeof(d->why->field), field, ap);
	va_end(ap);
	return -EBADMSG;
}

int nve_decode_vn(struct nve_decode *d, const char *prefix, const Nve__V1__VnRef *vn,
		  struct nve_request *req)
{
	size_t len;

	if (vn && vn->vn_case == NVE__V1__VN_REF__VN_ID) {
		if (vn->id < 1 || vn->id > NVE_VN_ID_MAX)
			return nve_refuse(d, NVE_REASON_INVALID_VN, "%svn.id", prefix);
		req->ev.key.vn_id = vn->id;
		return 0;
	}
	if (!vn || vn->vn_case != NVE__V1__VN_REF__VN_NAME)
		return nve_refuse(d, NVE_REASON_INVALID_VN, "%svn", prefix);
	len = strlen(vn->name);
	if (len < 1 || len > NVE_NAME_MAX)
		return nve_refuse(d, NVE_REASON_INVALID_VN, "%svn.name", prefix);
	memcpy(req->vn_name, vn->name, len + 1);
	return 0;
}

int nve_decode_tsi_id(struct nve_decode *d, const char *prefix, ProtobufCBinaryData id,
		      struct nve_request *req)
{
	static const uint8_t zero[NVE_TSI_ID_LEN];

	if (id.len != NVE_TSI_ID_LEN || memcmp(id.data, zero, NVE_TSI_ID_LEN) == 0)
		return nve_refuse(d, NVE_REASON_INVALID_TSI_ID, "%stsi_id", prefix);
	memcpy(req->ev.key.id.bytes, id.data, NVE_TSI_ID_LEN);
	return 0;
}

int nve_decode_port(struct nve_decode *d, const char *field, const char *name, uint16_t *slot)
{
	*slot = d->ports->find(d->ports->arg, name);
	if (*slot == NVE_PORT_NONE)
		return nve_refuse(d, NVE_REASON_UNKNOWN_PORT, "%s", field);
	return 0;
}

int nve_decode_key(struct nve_decode *d, const char *prefix, const Nve__V1__TsiKey *key,
		   struct nve_request *req)
{
	char field[48];
	int r;

	if (!key) /* without the dot that ends the prefix */
		return nve_refuse(d, NVE_REASON_INVALID_REQUEST, "%.*s", (int)strlen(prefix) - 1,
				  prefix);
	r = nve_decode_tsi_id(d, prefix, key->tsi_id, req);
	if (r < 0)
		return r;
	snprintf(field, sizeof(field), "%sport", prefix);
	r = nve_decode_port(d, field, key->port, &req->ev.key.port);
	if (r < 0)
		return r;
	return nve_decode_vn(d, prefix, key->vn, req);
}

static bool mac_is_usable(const uint8_t *mac)
{
	static const uint8_t zero[NVE_MAC_LEN];

	return !(mac[0] & 1) && memcmp(mac, zero, NVE_MAC_LEN) != 0;
}

static bool ip_is_usable(const uint8_t *ip, size_t len)
{
	static const uint8_t zero[16], ones[4] = { 0xff, 0xff, 0xff, 0xff };

	if (memcmp(ip, zero, len) == 0)
		return false;
	if (len == 4)
		return (ip[0] & 0xf0) != 0xe0 && memcmp(ip, ones, 4) != 0;
	return ip[0] != 0xff;
}

static bool decode_addr(const Nve__V1__Address *a, struct nve_addr *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (a->mac.len == 0 && a->ip.len == 0)
		return false;
	if (a->mac.len != 0) {
		if (a->mac.len != NVE_MAC_LEN || !mac_is_usable(a->mac.data))
			return false;
		ret->flags |= NVE_ADDR_MAC;
		memcpy(ret->mac, a->mac.data, NVE_MAC_LEN);
	}
	if (a->ip.len != 0) {
		if ((a->ip.len != 4 && a->ip.len != 16) || !ip_is_usable(a->ip.data, a->ip.len))
			return false;
		ret->flags |= a->ip.len == 4 ? NVE_ADDR_IPV4 : NVE_ADDR_IPV6;
		memcpy(ret->ip, a->ip.data, a->ip.len);
	}
	return true;
}

/* A small open-addressed set of places in a list; at most half full. */
struct addr_set {
	uint16_t place[2 * NVE_TSI_ADDRS_MAX]; /* 0 = free, else place + 1 */
};

static uint32_t hash(const struct nve_addr *addr)
{
	uint64_t words[3], h;

	memcpy(words, addr, sizeof(words));
	h = (words[0] ^ words[1] * 0x9e3779b97f4a7c15u ^ words[2] * 0xc2b2ae3d27d4eb4fu) *
	    0xff51afd7ed558ccdu;
	return (uint32_t)(h >> 32);
}

/* False if it is there already. */
static bool insert(struct addr_set *set, const struct nve_addr *list, uint16_t i)
{
	uint32_t at = hash(&list[i]);

	for (;; at++) {
		uint16_t *slot = &set->place[at % (2 * NVE_TSI_ADDRS_MAX)];

		if (*slot == 0) {
			*slot = (uint16_t)(i + 1);
			return true;
		}
		if (memcmp(&list[*slot - 1], &list[i], sizeof(list[i])) == 0)
			return false;
	}
}

int nve_decode_addrs(struct nve_decode *d, const char *field, size_t n, Nve__V1__Address **list,
		     const struct nve_addr **ret, uint32_t *ret_n)
{
	struct addr_set set;
	struct nve_addr *out;

	if (n > NVE_TSI_ADDRS_MAX)
		return nve_refuse(d, NVE_REASON_TOO_MANY_ADDRESSES, "%s", field);
	if (n == 0)
		return 0;
	out = nve_arena_alloc(d->arena, n * sizeof(*out));
	if (!out)
		return nve_refuse(d, NVE_REASON_TOO_LARGE, "%s", field);
	if (n > 1)
		memset(&set, 0, sizeof(set));
	for (size_t i = 0; i < n; i++) {
		if (!decode_addr(list[i], &out[i]) || (n > 1 && !insert(&set, out, (uint16_t)i)))
			return nve_refuse(d, NVE_REASON_INVALID_ADDRESS, "%s[%zu]", field, i);
	}
	*ret = out;
	*ret_n = (uint32_t)n;
	return 0;
}

int nve_decode_tag(struct nve_decode *d, uint32_t tag, struct nve_request *req)
{
	if (tag > NVE_TAG_MAX)
		return nve_refuse(d, NVE_REASON_INVALID_TAG, "tag");
	req->ev.tag = (uint16_t)tag;
	return 0;
}

void nve_decode_timers(const Nve__V1__Timers *timers, struct nve_request *req)
{
	if (!timers)
		return;
	if (timers->keepalive_case == NVE__V1__TIMERS__KEEPALIVE_KEEPALIVE_MS) {
		req->ev.flags |= NVE_EV_HAS_KEEPALIVE;
		req->ev.keepalive_ms = timers->keepalive_ms;
	}
	if (timers->keepactive_case == NVE__V1__TIMERS__KEEPACTIVE_KEEPACTIVE_MS) {
		req->ev.flags |= NVE_EV_HAS_KEEPACTIVE;
		req->ev.keepactive_ms = timers->keepactive_ms;
	}
}
