/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listeners: loopback and unix sockets, and any address with TLS.  Binding alone would take over a
 * unix socket that another process serves, unnoticed.
 */
#include "session/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct guard {
	char *path; /* of a unix socket, else NULL */
	char *lock_path;
	int lock; /* -1 = not taken */
	bool bound;
};

struct nve_listeners {
	uint32_t n;
	struct guard guards[];
};

__attribute__((format(printf, 3, 4))) static int fail(char **err, int r, const char *format, ...)
{
	va_list ap;

	if (!err)
		return r;
	va_start(ap, format);
	if (vasprintf(err, format, ap) < 0)
		*err = NULL;
	va_end(ap);
	return r;
}

static bool is_loopback(const char *host, bool v6)
{
	struct in6_addr a6;
	struct in_addr a4;

	if (v6)
		return inet_pton(AF_INET6, host, &a6) == 1 && IN6_IS_ADDR_LOOPBACK(&a6);
	return inet_pton(AF_INET, host, &a4) == 1 && (ntohl(a4.s_addr) >> 24) == 127;
}

static bool is_port(const char *text)
{
	char *end;
	long port;

	if (text[0] < '0' || text[0] > '9')
		return false;
	port = strtol(text, &end, 10);
	return *end == '\0' && end - text <= 5 && port <= 65535;
}

/* "127.0.0.1:4800" or "[::1]:4800" */
static int check_tcp(const char *address, char **err)
{
	const char *colon = strrchr(address, ':');
	bool v6 = address[0] == '[';
	char host[INET6_ADDRSTRLEN];
	size_t len;

	if (!colon || !is_port(colon + 1) || colon - address < (v6 ? 3 : 1) ||
	    (v6 && colon[-1] != ']'))
		return fail(err, -EINVAL,
			    "listener '%s': not an address; write unix:/path, 127.0.0.1:port, "
			    "[::1]:port or tls:ADDRESS:port",
			    address);
	len = (size_t)(colon - address) - (v6 ? 2 : 0);
	if (len < sizeof(host)) {
		memcpy(host, address + v6, len);
		host[len] = '\0';
		if (is_loopback(host, v6))
			return 0;
	}
	return fail(err, -EINVAL,
		    "listener '%s': not loopback; without TLS the agent listens on loopback and "
		    "unix sockets only, write tls:%s",
		    address, address);
}

/* Opens and locks the lock file, and makes sure that it is still the one of that name. */
static int lock_file(const char *path)
{
	for (;;) {
		struct stat mine, there;
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

		if (fd < 0)
			return -errno;
		if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
			int r = errno == EWOULDBLOCK ? -EADDRINUSE : -errno;

			close(fd);
			return r;
		}
		if (fstat(fd, &mine) == 0 && stat(path, &there) == 0 &&
		    mine.st_ino == there.st_ino && mine.st_dev == there.st_dev)
			return fd;
		close(fd); /* its owner removed it while we opened it: once more */
	}
}

static int remove_stale(const char *path, char **err)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return fail(err, -EEXIST,
			    "listener 'unix:%s': there is a file that is not a socket; remove it",
			    path);
	return unlink(path) < 0 ? -errno : 0;
}

static int take_unix(struct guard *g, const char *path, char **err)
{
	char *lock_path;
	int r;

	if (path[0] != '/')
		return fail(err, -EINVAL, "listener 'unix:%s': the path must begin with '/'", path);
	if (strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return fail(err, -ENAMETOOLONG, "listener 'unix:%s': the path is too long", path);
	if (asprintf(&lock_path, "%s.lock", path) < 0)
		return -ENOMEM;
	g->lock_path = lock_path;
	g->lock = lock_file(lock_path);
	if (g->lock == -EADDRINUSE)
		return fail(err, g->lock,
			    "listener 'unix:%s': another agent serves it (it holds %s)", path,
			    g->lock_path);
	if (g->lock < 0)
		return fail(err, g->lock, "listener 'unix:%s': cannot lock %s: %s", path,
			    g->lock_path, strerror(-g->lock));
	g->path = strdup(path);
	if (!g->path)
		return -ENOMEM;
	r = remove_stale(path, err);
	if (r < 0 && err && !*err)
		return fail(err, r, "listener 'unix:%s': cannot remove the old socket: %s", path,
			    strerror(-r));
	return r;
}

int nve_listeners_take(const char *const *addresses, uint32_t n, struct nve_listeners **ret,
		       char **err)
{
	struct nve_listeners *l = calloc(1, sizeof(*l) + n * sizeof(l->guards[0]));
	int r = 0;

	if (err)
		*err = NULL;
	if (!l)
		return -ENOMEM;
	for (; l->n < n && r == 0;) {
		const char *address = addresses[l->n];
		struct guard *g = &l->guards[l->n++];

		g->lock = -1;
		if (strncmp(address, "unix:", 5) == 0)
			r = take_unix(g, address + 5, err);
		else if (strncmp(address, "tls:", 4) != 0) /* whose address bind() looks at */
			r = check_tcp(address, err);
	}
	if (r < 0) {
		nve_listeners_free(l);
		return r;
	}
	*ret = l;
	return 0;
}

int nve_listeners_bound(struct nve_listeners *l, uint32_t i)
{
	struct guard *g = &l->guards[i];

	if (!g->path)
		return 0;
	g->bound = true;
	return chmod(g->path, 0660) < 0 ? -errno : 0;
}

void nve_listeners_free(struct nve_listeners *l)
{
	if (!l)
		return;
	for (uint32_t i = 0; i < l->n; i++) {
		struct guard *g = &l->guards[i];

		if (g->bound)
			unlink(g->path);
		if (g->lock >= 0) {
			unlink(g->lock_path); /* while it is ours: see lock_file() */
			close(g->lock);
		}
		free(g->path);
		free(g->lock_path);
	}
	free(l);
}
