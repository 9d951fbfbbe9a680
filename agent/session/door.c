/* SPDX-License-Identifier: Apache-2.0 */
/* The door's thread and its listening sockets. */
#include "session/door.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"
#include "session/door_internal.h"

enum {
	EVENTS = 64,
	ACCEPTS = 16,        /* of one socket in a row, before it is the others' turn */
	PAUSE_NS = 100000000 /* when there is no room: look again after so long */
};

static void close_entrances(struct nve_door *d)
{
	for (uint32_t i = 0; i < d->n_entrances; i++) {
		if (d->entrances[i].fd >= 0)
			close(d->entrances[i].fd); /* which takes it out of epoll, too */
		d->entrances[i].fd = -1;
	}
}

/* Polls the listening sockets, or lets new connections wait in the kernel's queue. */
static void set_listening(struct nve_door *d, bool on)
{
	d->listening = on;
	for (uint32_t i = 0; i < d->n_entrances; i++) {
		struct nve_entrance *e = &d->entrances[i];
		struct epoll_event ev = { .events = on ? EPOLLIN : 0, .data.ptr = &e->watch };

		if (e->fd >= 0)
			epoll_ctl(d->epoll, EPOLL_CTL_MOD, e->fd, &ev);
	}
}

void nve_door_pause(struct nve_door *d)
{
	set_listening(d, false);
	d->resume_ns = nve_door_now() + PAUSE_NS;
}

static void enter_unix(struct nve_door *d, int fd)
{
	struct nve_visitor v = { .peer.kind = NVE_PEER_UNIX };
	socklen_t len = sizeof(struct ucred);
	struct ucred cred;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0) {
		nve_log(WARNING, "client_refused", LOG_S("address", "unix"), LOG_E(-errno));
		close(fd);
		return;
	}
	v.peer.uid = cred.uid;
	v.peer.gid = cred.gid;
	v.peer.pid = cred.pid;
	snprintf(v.peer.identity, sizeof(v.peer.identity), "unix:%u", cred.uid);
	snprintf(v.address, sizeof(v.address), "unix:uid=%u,pid=%d", cred.uid, cred.pid);
	nve_door_enter(d, fd, &v);
}

uint64_t nve_door_enter(struct nve_door *d, int fd, const struct nve_visitor *v)
{
	uint64_t id = d->config.ops->enter(d->config.arg, fd, v);

	if (id > 0) {
		nve_log(INFO, "client_authenticated", LOG_S("address", v->address),
			LOG_S("identity", v->peer.identity));
		return id;
	}
	nve_log(WARNING, "client_refused", LOG_S("address", v->address),
		LOG_S("identity", v->peer.identity),
		LOG_S("why", "there are as many connections as there may be"));
	close(fd);
	nve_door_pause(d);
	return 0;
}

static void entrance_ready(struct nve_watch *watch, uint32_t events)
{
	struct nve_entrance *e = (struct nve_entrance *)watch; /* its first member */
	struct nve_door *d = e->door;

	(void)events;
	for (int i = 0; i < ACCEPTS && d->listening; i++) {
		int fd = accept4(e->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			enter_unix(d, fd);
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
			   errno == ENOBUFS) {
			nve_log(ERROR, "accept_failed", LOG_E(-errno));
			nve_door_pause(d);
		} else if (errno != EINTR && errno != ECONNABORTED) {
			return; /* EAGAIN: no more */
		}
	}
}

static int bind_unix(const char *path)
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

int nve_door_listen(struct nve_door *d, const char *address)
{
	struct nve_entrance *e = &d->entrances[d->n_entrances];
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = &e->watch };
	int fd;

	if (d->n_entrances == NVE_ENTRANCES_MAX)
		return -E2BIG;
	fd = bind_unix(address + strlen("unix:"));
	if (fd < 0)
		return fd;
	*e = (struct nve_entrance){ .watch.ready = entrance_ready, .door = d, .fd = fd };
	if (epoll_ctl(d->epoll, EPOLL_CTL_ADD, fd, &ev) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	d->n_entrances++;
	return 0;
}

/* The thread ---------------------------------------------------------------------------------- */

static void called(struct nve_watch *watch, uint32_t events)
{
	struct nve_door *d = (struct nve_door *)watch; /* its first member */
	uint64_t n;

	(void)events;
	if (read(d->wake, &n, sizeof(n)) < 0)
		return;
	if (atomic_load(&d->shut))
		close_entrances(d);
}

static int timeout_ms(const struct nve_door *d)
{
	uint64_t now = nve_door_now();

	if (d->listening)
		return -1;
	return d->resume_ns > now ? (int)((d->resume_ns - now) / 1000000 + 1) : 0;
}

static void *run(void *arg)
{
	struct nve_door *d = arg;
	struct epoll_event events[EVENTS];

	while (!atomic_load(&d->over)) {
		int n = epoll_wait(d->epoll, events, EVENTS, timeout_ms(d));

		for (int i = 0; i < n; i++) {
			struct nve_watch *watch = events[i].data.ptr;

			watch->ready(watch, events[i].events);
		}
		if (!d->listening && nve_door_now() >= d->resume_ns)
			set_listening(d, true);
	}
	return NULL;
}

static void call(struct nve_door *d)
{
	ssize_t n = write(d->wake, &(uint64_t){ 1 }, sizeof(uint64_t));

	(void)n; /* a full counter is awake enough */
}

int nve_door_new(const struct nve_door_config *config, struct nve_door **ret)
{
	struct nve_door *d = calloc(1, sizeof(*d));
	struct epoll_event ev = { .events = EPOLLIN };
	int r;

	if (!d)
		return -ENOMEM;
	d->config = *config;
	d->watch.ready = called;
	d->listening = true;
	d->epoll = epoll_create1(EPOLL_CLOEXEC);
	d->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	ev.data.ptr = &d->watch;
	if (d->epoll < 0 || d->wake < 0 || epoll_ctl(d->epoll, EPOLL_CTL_ADD, d->wake, &ev) < 0) {
		r = -errno;
		nve_door_free(d);
		return r;
	}
	*ret = d;
	return 0;
}

/* Signals are for the loop's thread. */
int nve_door_start(struct nve_door *d)
{
	sigset_t all, old;
	int r;

	if (d->n_entrances == 0)
		return 0;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&d->thread, NULL, run, d);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	d->running = r == 0;
	return -r;
}

void nve_door_shut(struct nve_door *d)
{
	atomic_store(&d->shut, true);
	call(d);
}

void nve_door_free(struct nve_door *d)
{
	if (!d)
		return;
	if (d->running) {
		atomic_store(&d->over, true);
		call(d);
		pthread_join(d->thread, NULL);
	}
	close_entrances(d);
	if (d->epoll >= 0)
		close(d->epoll);
	if (d->wake >= 0)
		close(d->wake);
	free(d);
}
