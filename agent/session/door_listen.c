/* SPDX-License-Identifier: Apache-2.0 */
/* The door's sockets and addresses. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "session/door_internal.h"

int nve_door_bind_unix(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	mode_t old;
	int r = 0;

	if (fd < 0)
		return -errno;
	strcpy(sun.sun_path, path); /* nve_listeners_take() has measured it */
	old = umask(0117);          /* no moment in which a socket is open to others */
	if (bind(fd, (const struct sockaddr *)&sun, sizeof(sun)) < 0 || listen(fd, SOMAXCONN) < 0)
		r = -errno;
	umask(old);
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

/* "192.0.2.1:4801", "[2001:db8::1]:4801", "[fe80::1%eth0]:4801"; no name is resolved. */
static int parse(const char *text, struct addrinfo **ret)
{
	static const struct addrinfo hints = { .ai_flags =
						       AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
					       .ai_socktype = SOCK_STREAM };
	const char *colon = strrchr(text, ':');
	bool v6 = text[0] == '[';
	char host[NVE_ADDRESS_MAX + 1];
	size_t len;

	if (!colon || (v6 && colon[-1] != ']'))
		return -EINVAL;
	len = (size_t)(colon - text) - (v6 ? 2 : 0);
	if (len == 0 || len >= sizeof(host))
		return -EINVAL;
	memcpy(host, text + v6, len);
	host[len] = '\0';
	return getaddrinfo(host, colon + 1, &hints, ret) == 0 ? 0 : -EINVAL;
}

static int listen_on(const struct addrinfo *info, uint16_t *port)
{
	int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
	struct sockaddr_storage bound;
	socklen_t len = sizeof(bound);

	if (fd < 0)
		return -errno;
	/* [::] is IPv6 alone, so that 0.0.0.0 can be listed beside it. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    (info->ai_family == AF_INET6 &&
	     setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0) ||
	    bind(fd, info->ai_addr, info->ai_addrlen) < 0 || listen(fd, SOMAXCONN) < 0 ||
	    getsockname(fd, (struct sockaddr *)&bound, &len) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	*port = ntohs(((const struct sockaddr_in *)&bound)->sin_port); /* IPv6's is there, too */
	return fd;
}

int nve_door_bind_tls(const char *address, uint16_t *port)
{
	struct addrinfo *info;
	int r = parse(address, &info);

	if (r < 0)
		return r;
	r = listen_on(info, port);
	freeaddrinfo(info);
	return r;
}

void nve_door_write_address(const struct sockaddr_storage *from, char out[NVE_ADDRESS_MAX + 1])
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)from;
	const struct sockaddr_in *in = (const struct sockaddr_in *)from;
	char host[INET6_ADDRSTRLEN];

	if (from->ss_family == AF_INET6)
		snprintf(out, NVE_ADDRESS_MAX + 1, "ipv6:[%s]:%u",
			 inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host)),
			 ntohs(in6->sin6_port));
	else
		snprintf(out, NVE_ADDRESS_MAX + 1, "ipv4:%s:%u",
			 inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host)),
			 ntohs(in->sin_port));
}
