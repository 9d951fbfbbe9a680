/* SPDX-License-Identifier: Apache-2.0 */
/* TLS: addresses that listen with it, and the files it needs.  What is in those the session says.
 */
#include "config_check.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

static bool is_port(const char *text)
{
	size_t digits = strspn(text, "0123456789");
	long port = strtol(text, NULL, 10);

	return digits && digits <= 5 && !text[digits] && port > 0 && port <= UINT16_MAX;
}

/* "fe80::1%eth0": only a link-local address has a link, and needs one. */
static bool is_v6(char *host)
{
	char *link = strchr(host, '%');
	struct in6_addr addr;

	if (link)
		*link++ = '\0';
	if (inet_pton(AF_INET6, host, &addr) != 1)
		return false;
	if (!IN6_IS_ADDR_LINKLOCAL(&addr))
		return !link;
	return link && *link && strlen(link) < IF_NAMESIZE;
}

const char *nve_config_wrong_tls_address(const char *text)
{
	static const char wrong[] =
		"is no TLS listener; write tls:192.0.2.1:PORT, tls:[2001:db8::1]"
		":PORT, or tls:[fe80::1%INTERFACE]:PORT";
	char host[INET6_ADDRSTRLEN + IF_NAMESIZE + 2];
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : 0;
	bool v6 = *text == '[';
	struct in_addr addr;

	if (!len || len >= sizeof(host) || !is_port(colon + 1) || (v6 && colon[-1] != ']'))
		return wrong;
	memcpy(host, text + v6, len - 2 * v6);
	host[len - 2 * v6] = '\0';
	return (v6 ? is_v6(host) : inet_pton(AF_INET, host, &addr) == 1) ? NULL : wrong;
}

static bool has_tls_listener(const struct nve_config *config)
{
	for (uint32_t i = 0; config->listeners && i < config->n_listeners; i++)
		if (config->listeners[i] && !strncmp(config->listeners[i], "tls:", 4))
			return true;
	return false;
}

/* Of files that no listener needs only the form is looked at. */
static char *check_path(struct config_check *check, const char *key, const char *value, bool needed)
{
	char path[32];

	snprintf(path, sizeof(path), "tls/%s", key);
	if (value && *value != '/')
		nve_config_complain(check, path, "'%s' is relative; write the whole path, from /",
				    value);
	if (value && needed)
		return nve_config_strdup(check, value, "");
	if (needed && strcmp(key, "crl"))
		nve_config_complain(check, "tls",
				    "tls: %s is missing, and a listener needs it; name a PEM file",
				    key);
	return NULL;
}

void nve_config_check_tls(struct config_check *check)
{
	const struct raw_tls *raw = &check->raw->tls;
	struct nve_config_tls *tls = &check->config->tls;
	bool needed = has_tls_listener(check->config);

	tls->certificate = check_path(check, "certificate", raw->certificate, needed);
	tls->key = check_path(check, "key", raw->key, needed);
	tls->client_ca = check_path(check, "client_ca", raw->client_ca, needed);
	tls->crl = check_path(check, "crl", raw->crl, needed);
}
