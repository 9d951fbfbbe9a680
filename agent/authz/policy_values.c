/* SPDX-License-Identifier: Apache-2.0 */
/* The values of the policy file: text to sets. */
#include "authz/policy_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((format(printf, 2, 3))) static int bad(char why[NVE_POLICY_WHY], const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, NVE_POLICY_WHY, fmt, args);
	va_end(args);
	return -EINVAL;
}

static int add_pattern(struct nve_patterns *patterns, const char *text)
{
	char **list = realloc(patterns->list, (patterns->n + 1) * sizeof(char *));

	if (!list)
		return -ENOMEM;
	patterns->list = list;
	list[patterns->n] = strdup(text);
	if (!list[patterns->n])
		return -ENOMEM;
	patterns->n++;
	return 0;
}

static bool is_visible(const char *text)
{
	for (; *text; text++)
		if (*text <= ' ' || *text > '~')
			return false;
	return true;
}

static bool is_pattern(const char *text)
{
	return strpbrk(text, "*?") != NULL;
}

static bool is_all(const char *text)
{
	return !strcmp(text, "*");
}

/* Digits only, within [0, max]; false otherwise. */
static bool take_number(const char *text, size_t len, uint32_t max, uint32_t *ret)
{
	uint64_t value = 0;

	if (!len || len > 10)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		value = value * 10 + (uint64_t)(text[i] - '0');
	}
	*ret = (uint32_t)value;
	return value <= max;
}

/* Splits "VALUE/LEN"; without '/' the prefix is 'bits'.  'value' gets what is before it. */
static bool split_prefix(const char *text, unsigned bits, char value[64], uint32_t *prefix)
{
	size_t len = strcspn(text, "/");

	*prefix = bits;
	if (len >= 64)
		return false;
	memcpy(value, text, len);
	value[len] = '\0';
	return !text[len] || take_number(text + len + 1, strlen(text + len + 1), bits, prefix);
}

int nve_policy_take_identity(struct nve_role *role, const char *text, char why[NVE_POLICY_WHY])
{
	static const char *const kinds[] = { "unix:", "tls:uri:", "tls:dns:", "tls:*" };
	bool known = is_all(text) || !strcmp(text, "loopback");

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		known |= !strncmp(text, kinds[i], strlen(kinds[i])) && is_visible(text);
	if (!known)
		return bad(why,
			   "'%s' is no identity; write unix:UID, loopback, tls:uri:URI or "
			   "tls:dns:NAME, with * for any part of it",
			   text);
	return add_pattern(&role->sets->identities, text);
}

int nve_policy_take_port(struct nve_role *role, const char *text, char why[NVE_POLICY_WHY])
{
	if (!*text || strlen(text) > NVE_NAME_MAX || !is_visible(text))
		return bad(why, "'%s' is no port; write a name, or a pattern such as rack-1-*",
			   text);
	return add_pattern(&role->sets->ports, text);
}

/* "100", "100-199", or a name. */
int nve_policy_take_vn(struct nve_role *role, const char *text, char why[NVE_POLICY_WHY])
{
	size_t len = strspn(text, "0123456789");
	uint32_t first, last;

	role->all_vns |= is_all(text);
	if (!len || (text[len] && text[len] != '-') ||
	    (text[len] && strspn(text + len + 1, "0123456789") != strlen(text + len + 1))) {
		if (!*text || strlen(text) > NVE_NAME_MAX || !is_visible(text))
			return bad(why, "'%s' is no VN; write an ID, a range of IDs or a name",
				   text);
		return add_pattern(&role->sets->vn_names, text);
	}
	if (!take_number(text, len, NVE_VN_ID_MAX, &first) || !first)
		return bad(why, "'%s': no VN has that ID; use IDs in 1..%d", text, NVE_VN_ID_MAX);
	last = first;
	if (text[len] && !take_number(text + len + 1, strlen(text + len + 1), NVE_VN_ID_MAX, &last))
		return bad(why, "'%s': no VN has that ID; use IDs in 1..%d", text, NVE_VN_ID_MAX);
	if (last < first)
		return bad(why, "'%s': the range ends before it begins; swap its ends", text);
	return nve_ranges_add(&role->sets->vn_ids, (struct nve_number){ 0, first },
			      (struct nve_number){ 0, last });
}

static int digit_of(char c)
{
	const char *digits = "0123456789abcdef0123456789ABCDEF", *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) % 16 : -1;
}

/* Hexadecimal digits, dashes between them; returns how many, or -1. */
static int take_hex(const char *text, uint8_t out[NVE_TSI_ID_LEN])
{
	int n = 0;

	memset(out, 0, NVE_TSI_ID_LEN);
	for (; *text; text++) {
		int digit = digit_of(*text);

		if (*text == '-' && n)
			continue;
		if (digit < 0 || n == 2 * NVE_TSI_ID_LEN)
			return -1;
		out[n / 2] |= (uint8_t)(n % 2 ? digit : digit << 4);
		n++;
	}
	return n;
}

int nve_policy_take_tsi(struct nve_role *role, const char *text, char why[NVE_POLICY_WHY])
{
	struct nve_number number;
	uint8_t bytes[NVE_TSI_ID_LEN];
	char value[64], lower[64];
	uint32_t prefix;
	int digits;

	role->sets->tsis.all |= is_all(text);
	if (is_pattern(text)) {
		if (strlen(text) >= sizeof(lower) ||
		    strspn(text, "0123456789abcdefABCDEF-*?") != strlen(text))
			return bad(why,
				   "'%s' is no pattern of TSI IDs; write one of UUIDs such as "
				   "6e766564-*",
				   text);
		for (size_t i = 0; i <= strlen(text); i++)
			lower[i] =
				(char)(text[i] >= 'A' && text[i] <= 'F' ? text[i] + 32 : text[i]);
		return is_all(text) ? 0 : add_pattern(&role->sets->tsi_texts, lower);
	}
	digits = split_prefix(text, 128, value, &prefix) ? take_hex(value, bytes) : -1;
	if (digits < 1 || (!strchr(text, '/') && digits != 2 * NVE_TSI_ID_LEN))
		return bad(why,
			   "'%s' is no TSI ID; write a UUID, or the beginning of one and its bits "
			   "such as 6e766564/32",
			   text);
	number = nve_number_of(bytes, sizeof(bytes));
	if (nve_number_exceeds(number, 128, prefix))
		return bad(why, "'%s' has bits set behind the prefix; clear them, or lengthen it",
			   text);
	return nve_ranges_add_prefix(&role->sets->tsis, number, 128, prefix);
}

int nve_policy_take_mac(struct nve_role *role, const char *text, char why[NVE_POLICY_WHY])
{
	struct nve_number number;
	uint8_t mac[NVE_MAC_LEN];
	uint32_t prefix;
	char value[64];
	int used = 0;

	if (is_all(text)) {
		role->sets->macs.all = true;
		return 0;
	}
	if (!split_prefix(text, 48, value, &prefix) ||
	    strspn(value, "0123456789abcdefABCDEF:") != 17 ||
	    sscanf(value, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &mac[0], &mac[1], &mac[2],
		   &mac[3], &mac[4], &mac[5], &used) != NVE_MAC_LEN ||
	    used != 17)
		return bad(why, "'%s' is no MAC; write 02:00:00:00:00:01, or 02:00:00:00:00:00/24",
			   text);
	number = nve_number_of(mac, sizeof(mac));
	if (nve_number_exceeds(number, 48, prefix))
		return bad(why, "'%s' has bits set behind the prefix; clear them, or lengthen it",
			   text);
	return nve_ranges_add_prefix(&role->sets->macs, number, 48, prefix);
}

int nve_policy_take_ip(struct nve_role *role, const char *text, char why[NVE_POLICY_WHY])
{
	bool v6 = strchr(text, ':') != NULL;
	unsigned bits = v6 ? 128 : 32;
	struct nve_number number;
	uint8_t ip[16];
	uint32_t prefix;
	char value[64];

	if (is_all(text)) {
		role->sets->ip4.all = role->sets->ip6.all = true;
		return 0;
	}
	if (!split_prefix(text, bits, value, &prefix) ||
	    inet_pton(v6 ? AF_INET6 : AF_INET, value, ip) != 1)
		return bad(why, "'%s' is no address; write 10.0.0.1, 10.0.0.0/8 or 2001:db8::/32",
			   text);
	number = nve_number_of(ip, bits / 8);
	if (nve_number_exceeds(number, bits, prefix))
		return bad(why, "'%s' has bits set behind the prefix; clear them, or lengthen it",
			   text);
	return nve_ranges_add_prefix(v6 ? &role->sets->ip6 : &role->sets->ip4, number, bits,
				     prefix);
}

int nve_policy_take_parameter(struct nve_role *role, const char *text, char why[NVE_POLICY_WHY])
{
	if (is_all(text))
		role->parameters = UINT32_MAX;
	else if (!strcmp(text, "qos"))
		role->parameters |= NVE_PARAM_QOS;
	else if (!strcmp(text, "glean"))
		role->parameters |= NVE_PARAM_GLEAN;
	else
		return bad(why, "'%s' is no parameter; write qos, glean or \"*\"", text);
	return 0;
}

static const char *const verbs[NVE_VERBS] = {
	[NVE_VERB_STATUS] = "status", [NVE_VERB_LIST] = "list",     [NVE_VERB_DUMP] = "dump",
	[NVE_VERB_WHY] = "why",       [NVE_VERB_WATCH] = "watch",   [NVE_VERB_OPERATE] = "operate",
	[NVE_VERB_DIFF] = "diff",     [NVE_VERB_REPAIR] = "repair",
};

const char *nve_verb_name(enum nve_policy_verb verb)
{
	return verb < NVE_VERBS ? verbs[verb] : "?";
}

int nve_policy_take_verb(struct nve_role *role, const char *text, char why[NVE_POLICY_WHY])
{
	for (uint32_t i = 0; i < NVE_VERBS; i++) {
		if (strcmp(text, verbs[i]) != 0 && !is_all(text))
			continue;
		role->verbs |= 1u << i;
		if (!is_all(text))
			return 0;
	}
	if (is_all(text))
		return 0;
	return bad(why,
		   "'%s' is not known; write status, list, dump, why, watch, operate, diff, repair "
		   "or \"*\"",
		   text);
}
