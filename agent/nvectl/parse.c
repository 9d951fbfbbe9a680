/* SPDX-License-Identifier: Apache-2.0 */
/* Text to values: addresses, TSI IDs, VNs, timers, parameters, the agent's address.  Pure. */
#include "nvectl/parse.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { UUID_TEXT_LEN = 36, TSI_HEX_LEN = 2 * NVE_TSI_ID_LEN, MAC_TEXT_LEN = 17, DAY_S = 86400 };

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int hex_byte(const char *text, uint8_t *ret)
{
	int high = hex_digit(text[0]);
	int low = high < 0 ? -1 : hex_digit(text[1]);

	if (low < 0)
		return -EINVAL;
	*ret = (uint8_t)(high << 4 | low);
	return 0;
}

int ctl_parse_tsi_id(const char *text, struct nve_tsi_id *ret)
{
	size_t len = strlen(text);
	bool uuid = len == UUID_TEXT_LEN;
	struct nve_tsi_id id;

	if (!uuid && len != TSI_HEX_LEN)
		return -EINVAL;
	for (size_t i = 0; i < NVE_TSI_ID_LEN; i++) {
		if (uuid && (i == 4 || i == 6 || i == 8 || i == 10) && *text++ != '-')
			return -EINVAL;
		if (hex_byte(text, &id.bytes[i]) < 0)
			return -EINVAL;
		text += 2;
	}
	*ret = id;
	return 0;
}

static int parse_mac(const char *text, size_t len, uint8_t *mac)
{
	if (len != MAC_TEXT_LEN)
		return -EINVAL;
	for (size_t i = 0; i < NVE_MAC_LEN; i++) {
		if (hex_byte(text + 3 * i, &mac[i]) < 0)
			return -EINVAL;
		/* One kind of separator throughout. */
		if (i && (text[3 * i - 1] != text[2] || !strchr(":-", text[2])))
			return -EINVAL;
	}
	return 0;
}

static int parse_ip(const char *text, struct nve_addr *addr)
{
	if (inet_pton(AF_INET, text, addr->ip) == 1)
		addr->flags |= NVE_ADDR_IPV4;
	else if (inet_pton(AF_INET6, text, addr->ip) == 1)
		addr->flags |= NVE_ADDR_IPV6;
	else
		return -EINVAL;
	return 0;
}

int ctl_parse_addr(const char *text, struct nve_addr *ret)
{
	struct nve_addr addr = { 0 };
	size_t len = strcspn(text, "/");

	if (!parse_mac(text, len, addr.mac)) {
		addr.flags = NVE_ADDR_MAC;
		if (text[len] && parse_ip(text + len + 1, &addr) < 0)
			return -EINVAL;
	} else {
		addr = (struct nve_addr){ 0 };
		if (parse_ip(text, &addr) < 0)
			return -EINVAL;
	}
	*ret = addr;
	return 0;
}

int ctl_parse_u32(const char *text, uint32_t *ret)
{
	uint64_t value = 0;

	if (!*text)
		return -EINVAL;
	for (; *text; text++) {
		if (!isdigit((unsigned char)*text))
			return -EINVAL;
		value = 10 * value + (uint64_t)(*text - '0');
		if (value > UINT32_MAX)
			return -EINVAL;
	}
	*ret = (uint32_t)value;
	return 0;
}

int ctl_parse_vn(const char *text, struct ctl_vn *ret)
{
	struct ctl_vn vn = { 0 };

	if (text[strspn(text, "0123456789")])
		vn.name = strncmp(text, "name:", 5) ? text : text + 5;
	else if (ctl_parse_u32(text, &vn.id) < 0)
		return -EINVAL;
	*ret = vn;
	return 0;
}

int ctl_parse_timer(const char *text, uint32_t *ret)
{
	if (strcmp(text, "off"))
		return ctl_parse_u32(text, ret);
	*ret = 0;
	return 0;
}

/* Digits, and maybe one letter; '*end' is behind them. */
static int parse_amount(const char *text, const char **end, uint64_t *ret)
{
	static const char letters[] = "kMG";
	uint64_t n = 0, unit = 1;
	const char *letter;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	for (; isdigit((unsigned char)*text); text++) {
		n = n * 10 + (uint64_t)(*text - '0');
		if (n > UINT32_MAX * UINT64_C(1000))
			return -EINVAL;
	}
	letter = *text ? strchr(letters, *text) : NULL;
	for (const char *l = letters; letter && l <= letter; l++)
		unit *= 1000;
	*end = text + !!letter;
	*ret = n * unit;
	return n > UINT64_MAX / 2 / unit ? -EINVAL : 0;
}

int ctl_parse_rate(const char *text, uint64_t *ret_rate, uint32_t *ret_burst)
{
	uint64_t rate, burst = 0;
	const char *end;

	if (parse_amount(text, &end, &rate) < 0)
		return -EINVAL;
	if (*end == '/' && parse_amount(end + 1, &end, &burst) < 0)
		return -EINVAL;
	if (*end || burst > UINT32_MAX)
		return -EINVAL;
	*ret_rate = rate;
	*ret_burst = (uint32_t)burst;
	return 0;
}

int ctl_parse_seconds(const char *text, uint64_t *ret_ms)
{
	char *end;
	double seconds;

	if (!isdigit((unsigned char)text[0]) && text[0] != '.')
		return -EINVAL;
	seconds = strtod(text, &end);
	if (*end || !isfinite(seconds) || seconds < 0.001 || seconds > DAY_S)
		return -EINVAL;
	*ret_ms = (uint64_t)(seconds * 1000);
	return 0;
}

int ctl_parse_param(char *text, struct ctl_param *ret)
{
	char *equals = strchr(text, '=');
	size_t len;

	if (!equals || equals == text)
		return -EINVAL;
	len = strlen(equals + 1);
	ret->critical = len && equals[len] == '!';
	ret->name = text;
	ret->value = equals + 1;
	ret->value_len = len - ret->critical;
	*equals = '\0';
	return 0;
}

static bool is_loopback(const char *host)
{
	struct in6_addr six;
	struct in_addr four;

	if (!strcmp(host, "localhost"))
		return true;
	if (inet_pton(AF_INET, host, &four) == 1)
		return ntohl(four.s_addr) >> 24 == 127;
	return inet_pton(AF_INET6, host, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

static int parse_host_port(const char *text, char *ret, size_t len, bool *tls)
{
	const char *colon = strrchr(text, ':');
	char host[256];
	uint32_t port;
	size_t n;

	if (!colon || colon == text || ctl_parse_u32(colon + 1, &port) < 0 || !port ||
	    port > UINT16_MAX)
		return -EINVAL;
	n = (size_t)(colon - text);
	if (text[0] == '[' && text[n - 1] == ']') {
		text++;
		n -= 2;
	} else if (memchr(text, ':', n)) {
		return -EINVAL; /* an IPv6 address needs its brackets */
	}
	if (n >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, n);
	host[n] = '\0';
	*tls |= !is_loopback(host);
	n = (size_t)snprintf(ret, len, strchr(host, ':') ? "ipv6:[%s]:%u" : "dns:///%s:%u", host,
			     port);
	return n < len ? 0 : -EINVAL;
}

int ctl_parse_server(const char *text, char *ret, size_t len, bool *tls)
{
	static const char unix_prefix[] = "unix:", abstract_prefix[] = "unix-abstract:";
	const char *prefix = "";

	*tls = !strncmp(text, "tls:", 4);
	if (*tls)
		return parse_host_port(text + 4, ret, len, tls);
	if (text[0] == '/')
		prefix = unix_prefix;
	else if (!strncmp(text, unix_prefix, sizeof(unix_prefix) - 1))
		text += text[5] ? 0 : 5; /* no path: refused below */
	else if (strncmp(text, abstract_prefix, sizeof(abstract_prefix) - 1))
		return parse_host_port(text, ret, len, tls);
	if (!*text || strlen(prefix) + strlen(text) >= len)
		return -EINVAL;
	snprintf(ret, len, "%s%s", prefix, text);
	return 0;
}
