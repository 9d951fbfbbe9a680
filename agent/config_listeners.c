/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the agent may listen: unix sockets, loopback, and with TLS anywhere.  Without it a peer's
 * identity is not known (S99), so nothing that another machine can reach is let through.
 */
#include "config_check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define DEFAULT_LISTENER "unix:/run/nved/nved.sock"

static bool is_loopback(const char *host, bool v6)
{
	struct in6_addr in6;
	struct in_addr in;

	if (v6)
		return inet_pton(AF_INET6, host, &in6) == 1 && IN6_IS_ADDR_LOOPBACK(&in6);
	return inet_pton(AF_INET, host, &in) == 1 && ntohl(in.s_addr) >> 24 == IN_LOOPBACKNET;
}

static bool is_port(const char *text)
{
	char *end;
	unsigned long port = strtoul(text, &end, 10);

	return text[strspn(text, "0123456789")] == '\0' && *text && !*end && port > 0 &&
	       port <= UINT16_MAX;
}

/* NULL, or what is wrong and what to do. */
static const char *check_unix(const char *path)
{
	if (*path != '/')
		return "is not a whole path; write unix:/run/nved/nved.sock";
	if (strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return "is too long for a socket; choose a path of at most 107 bytes";
	return NULL;
}

static const char *check_tcp(const char *text)
{
	char host[INET6_ADDRSTRLEN + 2];
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : 0;
	bool v6 = *text == '[';

	if (!len || len >= sizeof(host) || !is_port(colon + 1))
		return "is no listener; write unix:/PATH, 127.0.0.1:PORT, [::1]:PORT or "
		       "tls:ADDRESS:PORT";
	memcpy(host, text, len);
	host[len] = '\0';
	if (v6) {
		if (host[len - 1] != ']')
			return "lacks a bracket; write [::1]:PORT";
		host[len - 1] = '\0';
	}
	if (!is_loopback(host + v6, v6))
		return "is not a loopback address; what other machines can reach needs TLS: write "
		       "tls: before it";
	return NULL;
}

static void check_listener(struct config_check *check, uint32_t i)
{
	const char *text = check->raw->listeners[i];
	const char *wrong;
	char path[32];

	snprintf(path, sizeof(path), "listeners/%u", i);
	if (!strncmp(text, "tls:", 4))
		wrong = nve_config_wrong_tls_address(text + 4);
	else
		wrong = strncmp(text, "unix:", 5) ? check_tcp(text) : check_unix(text + 5);
	if (wrong)
		nve_config_complain(check, path, "'%s' %s", text, wrong);
	for (uint32_t j = 0; j < i; j++)
		if (!strcmp(text, check->raw->listeners[j]))
			nve_config_complain(check, path, "'%s' is listed twice; remove one", text);
}

void nve_config_check_listeners(struct config_check *check)
{
	char by_default[] = DEFAULT_LISTENER;
	const struct raw_config *raw = check->raw;
	struct nve_config *config = check->config;
	bool given = nve_marks_has(check->marks, "listeners");
	uint32_t n = given ? raw->n_listeners : 1;

	if (!n)
		nve_config_complain(check, "listeners",
				    "no listener; add %s, or remove the key for that default",
				    DEFAULT_LISTENER);
	for (uint32_t i = 0; given && i < n; i++)
		check_listener(check, i);
	config->listeners = calloc(n + 1, sizeof(*config->listeners));
	if (!config->listeners) {
		check->error = -ENOMEM;
		return;
	}
	config->n_listeners = n;
	for (uint32_t i = 0; i < n; i++)
		config->listeners[i] =
			nve_config_strdup(check, given ? raw->listeners[i] : by_default, "");
}
