/* SPDX-License-Identifier: Apache-2.0 */
/* The door's thread: accepts, and gives each connection to whom it belongs. */
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
#include <unistd.h>

#include "log.h"
#include "session/door_internal.h"
#include "session/tls.h"

enum {
	EVENTS = 64,
	ACCEPTS = 16, /* of one socket in a row, before it is the others' turn */
	LOGS = 50,    /* refusals that are logged in a second */
	HANDSHAKES = 64,
	HANDSHAKE_MS = 5000,
};

#define PAUSE_NS UINT64_C(100000000) /* when there is no room: look again after so long */

/* Listening sockets --------------------------------------------------------------------------- */

static void close_entrances(struct nve_door *d)
{
	for (uint32_t i = 0; i < d->n_entrances; i++) {
		if (d->entrances[i].fd >= 0)
			close(d->entrances[i].fd); /* which takes it out of epoll, too */
		d->entrances[i].fd = -1;
	}
}

static void poll_entrance(struct nve_entrance *e, uint64_t resume_ns)
{
	struct epoll_event ev = { .events = resume_ns ? 0 : EPOLLIN, .data.ptr = &e->watch };

	e->resume_ns = resume_ns;
	if (e->fd >= 0)
		epoll_ctl(e->door->epoll, EPOLL_CTL_MOD, e->fd, &ev);
}

/* New connections wait in the kernel's queue. */
void nve_entrance_pause(struct nve_entrance *e, uint64_t ns)
{
	poll_entrance(e, nve_door_now() + ns);
}

static void pause_all(struct nve_door *d)
{
	for (uint32_t i = 0; i < d->n_entrances; i++)
		nve_entrance_pause(&d->entrances[i], PAUSE_NS);
}

static void resume(struct nve_door *d, uint64_t now)
{
	for (uint32_t i = 0; i < d->n_entrances; i++) {
		if (d->entrances[i].resume_ns && d->entrances[i].resume_ns <= now)
			poll_entrance(&d->entrances[i], 0);
	}
}

/* Those who come ------------------------------------------------------------------------------ */

void nve_door_refused(struct nve_door *d, const struct nve_visitor *v, const char *why)
{
	uint64_t second = nve_door_now() / 1000000000u;

	if (second != d->log_second) {
		if (d->unlogged)
			nve_log(WARNING, "clients_refused", LOG_U("more", d->unlogged));
		d->log_second = second;
		d->logged = d->unlogged = 0;
	}
	if (d->logged++ < LOGS)
		nve_log(WARNING, "client_refused", LOG_S("address", v->address),
			LOG_S("claims", *v->peer.identity ? v->peer.identity : NULL),
			LOG_S("why", why));
	else
		d->unlogged++;
}

uint64_t nve_door_enter(struct nve_door *d, int fd, const struct nve_visitor *v)
{
	uint64_t id = d->config.ops->enter(d->config.arg, fd, v);

	if (id > 0) {
		if (!v->barred)
			nve_log(INFO, "client_authenticated", LOG_S("address", v->address),
				LOG_S("identity", v->peer.identity));
		return id;
	}
	nve_door_refused(d, v, "there are as many connections as there may be");
	close(fd);
	pause_all(d);
	return 0;
}

static void enter_unix(struct nve_door *d, int fd)
{
	struct nve_visitor v = { .peer.kind = NVE_PEER_UNIX, .address = "unix" };
	socklen_t len = sizeof(struct ucred);
	struct ucred cred;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0) {
		nve_door_refused(d, &v, strerror(errno));
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

static bool accept_one(struct nve_entrance *e)
{
	struct nve_visitor v = { .peer.kind = NVE_PEER_TLS };
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	int fd = accept4(e->fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0 && e->tls) {
		nve_door_write_address(&from, v.address);
		nve_pipe_begin(e, fd, &v);
	} else if (fd >= 0) {
		enter_unix(e->door, fd);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
		nve_log(ERROR, "accept_failed", LOG_E(-errno));
		pause_all(e->door);
	} else {
		return errno == EINTR || errno == ECONNABORTED;
	}
	return true;
}

static void entrance_ready(struct nve_watch *watch, uint32_t events)
{
	struct nve_entrance *e = (struct nve_entrance *)watch; /* its first member */

	(void)events;
	for (int i = 0; i < ACCEPTS && e->fd >= 0 && !e->resume_ns; i++) {
		if ((e->tls && !nve_pipe_room(e)) || !accept_one(e))
			return;
	}
}

int nve_door_listen(struct nve_door *d, const char *address, uint16_t *port)
{
	struct nve_entrance *e = &d->entrances[d->n_entrances];
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = &e->watch };
	bool tls = strncmp(address, "tls:", 4) == 0;
	int fd, r;

	if (d->n_entrances == NVE_ENTRANCES_MAX)
		return -E2BIG;
	*port = 0;
	fd = tls ? nve_door_bind_tls(address + 4, port) : nve_door_bind_unix(address + 5);
	if (fd < 0)
		return fd;
	*e = (struct nve_entrance){ { entrance_ready }, d, fd, tls, 0 };
	if (epoll_ctl(d->epoll, EPOLL_CTL_ADD, fd, &ev) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	d->n_entrances++;
	return 0;
}

/* The thread ---------------------------------------------------------------------------------- */

static void take_loaded(struct nve_door *d)
{
	struct nve_tls *tls = atomic_exchange(&d->loaded, NULL);

	if (!tls)
		return;
	nve_tls_free(d->tls);
	d->tls = tls;
	nve_pipes_recheck(d);
}

static void called(struct nve_watch *watch, uint32_t events)
{
	struct nve_door *d = (struct nve_door *)watch; /* its first member */
	uint64_t n;

	(void)events;
	if (read(d->wake, &n, sizeof(n)) < 0)
		return;
	take_loaded(d);
	if (atomic_load(&d->shut))
		close_entrances(d);
}

static int timeout_ms(const struct nve_door *d)
{
	uint64_t next = nve_pipes_next(d), now = nve_door_now();

	for (uint32_t i = 0; i < d->n_entrances; i++) {
		uint64_t resume_ns = d->entrances[i].resume_ns;

		if (resume_ns && resume_ns < next)
			next = resume_ns;
	}
	if (next == UINT64_MAX)
		return -1;
	return next > now ? (int)((next - now) / 1000000 + 1) : 0;
}

static void *run(void *arg)
{
	struct nve_door *d = arg;
	struct epoll_event events[EVENTS];
	uint64_t now;

	while (!atomic_load(&d->over)) {
		int n = epoll_wait(d->epoll, events, EVENTS, timeout_ms(d));

		for (int i = 0; i < n; i++) {
			struct nve_watch *watch = events[i].data.ptr;

			watch->ready(watch, events[i].events);
		}
		now = nve_door_now();
		nve_pipes_turn(d, now);
		resume(d, now);
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
	d->config.handshakes = config->handshakes ?: HANDSHAKES;
	d->config.handshake_ms = config->handshake_ms ?: HANDSHAKE_MS;
	d->watch.ready = called;
	nve_pipes_init(d);
	d->epoll = epoll_create1(EPOLL_CLOEXEC);
	d->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	ev.data.ptr = &d->watch;
	if (d->epoll < 0 || d->wake < 0 || epoll_ctl(d->epoll, EPOLL_CTL_ADD, d->wake, &ev) < 0) {
		r = -errno;
		nve_door_free(d);
		return r;
	}
	d->tls = config->tls;
	if (d->tls)
		nve_tls_dates(d->tls, &d->dates);
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

void nve_door_reload(struct nve_door *d, struct nve_tls *tls)
{
	nve_tls_dates(tls, &d->dates);
	nve_tls_free(atomic_exchange(&d->loaded, tls)); /* one that was not taken yet */
	call(d);
}

bool nve_door_count(struct nve_door *d, struct nve_door_counters *ret)
{
	if (!d->dates.loaded)
		return false;
	ret->accepted = atomic_load(&d->accepted);
	ret->refused = atomic_load(&d->refused);
	ret->barred = atomic_load(&d->barred);
	ret->shaking = atomic_load(&d->n_shaking);
	ret->connections = atomic_load(&d->n_open);
	ret->dates = d->dates;
	return true;
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
	nve_pipes_close(d);
	nve_tls_free(d->tls);
	nve_tls_free(atomic_load(&d->loaded));
	if (d->epoll >= 0)
		close(d->epoll);
	if (d->wake >= 0)
		close(d->wake);
	free(d);
}
