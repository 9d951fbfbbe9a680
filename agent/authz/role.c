/* SPDX-License-Identifier: Apache-2.0 */
/* What a compiled policy answers. */
#include "authz/policy_internal.h"
#include "core/glob.h"

#include <string.h>

static bool matches(const struct nve_patterns *patterns, const char *text)
{
	for (size_t i = 0; i < patterns->n; i++)
		if (nve_glob_match(patterns->list[i], text))
			return true;
	return false;
}

void nve_policy_bind_ports(struct nve_policy *policy, uint32_t n,
			   const char *(*name)(const void *arg, uint16_t slot), const void *arg)
{
	for (size_t i = 0; i < policy->n; i++) {
		struct nve_role *role = &policy->roles[i];

		memset(role->ports, 0, sizeof(role->ports));
		for (uint16_t slot = 0; slot < n && slot < NVE_PORTS_MAX; slot++) {
			const char *text = name(arg, slot);

			if (text && matches(&role->sets->ports, text))
				role->ports[slot / 64] |= UINT64_C(1) << (slot % 64);
		}
	}
}

uint32_t nve_policy_n_roles(const struct nve_policy *policy)
{
	return (uint32_t)policy->n;
}

const struct nve_role *nve_policy_role(const struct nve_policy *policy, const char *identity)
{
	if (!*identity) /* nobody was proven to be there: not even '*' is that */
		return NULL;
	for (size_t i = 0; i < policy->n; i++)
		if (matches(&policy->roles[i].sets->identities, identity))
			return &policy->roles[i];
	return NULL;
}

bool nve_role_port(const struct nve_role *role, uint16_t slot)
{
	return slot < NVE_PORTS_MAX && (role->ports[slot / 64] >> (slot % 64) & 1);
}

bool nve_role_vn(const struct nve_role *role, uint32_t id, const char *name)
{
	if (role->all_vns ||
	    (id && nve_ranges_has(&role->sets->vn_ids, (struct nve_number){ 0, id })))
		return true;
	return *name && matches(&role->sets->vn_names, name);
}

static void write_uuid(const struct nve_tsi_id *id, char out[37])
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 0;

	for (size_t i = 0; i < NVE_TSI_ID_LEN; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			out[n++] = '-';
		out[n++] = digits[id->bytes[i] >> 4];
		out[n++] = digits[id->bytes[i] & 15];
	}
	out[n] = '\0';
}

bool nve_role_tsi(const struct nve_role *role, const struct nve_tsi_id *id)
{
	const struct nve_role_sets *sets = role->sets;
	char text[37];

	if (nve_ranges_has(&sets->tsis, nve_number_of(id->bytes, NVE_TSI_ID_LEN)))
		return true;
	if (!sets->tsi_texts.n)
		return false;
	write_uuid(id, text);
	return matches(&sets->tsi_texts, text);
}

bool nve_role_all_tsis(const struct nve_role *role)
{
	return role->sets->tsis.all;
}

bool nve_role_addr(const struct nve_role *role, const struct nve_addr *addr)
{
	const struct nve_role_sets *sets = role->sets;

	if ((addr->flags & NVE_ADDR_MAC) &&
	    !nve_ranges_has(&sets->macs, nve_number_of(addr->mac, NVE_MAC_LEN)))
		return false;
	if (addr->flags & NVE_ADDR_IPV4)
		return nve_ranges_has(&sets->ip4, nve_number_of(addr->ip, 4));
	if (addr->flags & NVE_ADDR_IPV6)
		return nve_ranges_has(&sets->ip6, nve_number_of(addr->ip, 16));
	return !role->ip_required;
}

bool nve_role_verb(const struct nve_role *role, enum nve_policy_verb verb)
{
	return role->verbs >> verb & 1;
}
