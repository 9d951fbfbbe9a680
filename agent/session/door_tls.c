/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TLS connection: its handshake, then the bytes between the client ("outer") and gRPC ("inner",
 * one end of a socket pair).  Each direction holds one buffer, and reads no more until that has
 * gone: a side that does not read makes the other wait, and nothing grows.
 *
 * Everything is level-triggered; a side is in epoll only while something is wanted of it, so that
 * one that hung up cannot spin the thread while bytes wait for the other.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "session/door_internal.h"
#include "session/tls.h"

enum {
	BUFFER = SSL3_RT_MAX_PLAIN_LENGTH, /* so that a read never leaves half a record behind */
	ROUNDS = 4,                        /* of bytes, before it is another connection's turn */
	SHAKES = 4,                        /* steps of handshakes a turn: they cost a millisecond */
	UNACKED_MS = 30000,                /* a client that takes nothing for so long is gone */
};

#define SLOW_NS    UINT64_C(1000000000) /* a handshake of that age may be pushed out */
#define PAUSE_NS   UINT64_C(20000000)
#define LEAVING_NS UINT64_C(3000000000) /* to read why it is barred */

/* Bytes on their way in one direction. */
struct flow {
	size_t at, len;
	uint8_t bytes[BUFFER];
};

struct side {
	struct nve_watch watch; /* first */
	struct nve_pipe *pipe;
	int fd;
	uint32_t polled; /* events in epoll; 0 = not there */
	bool over;       /* sends no more */
};

struct nve_pipe {
	struct nve_tls_owner owner; /* first */
	struct nve_door *door;
	struct nve_pipe_queue *queue;
	struct nve_pipe *next, **link;
	uint64_t due_ns; /* in 'shaking' and 'leaving' */
	struct side outer, inner;
	SSL *ssl;
	bool want_write; /* TLS itself */
	bool failed;     /* no goodbye: the connection or its TLS is broken */
	int guest_fd;    /* as gRPC knows it, with its number */
	uint64_t guest_id;
	struct nve_visitor visitor;
	struct flow *in, *out; /* once open */
};

/* Queues -------------------------------------------------------------------------------------- */

static void unlink_pipe(struct nve_pipe *p)
{
	if (!p->queue)
		return;
	*p->link = p->next;
	if (p->next)
		p->next->link = p->link;
	else
		p->queue->tail = p->link;
	p->queue->n--;
	p->queue = NULL;
}

static void move_to(struct nve_pipe *p, struct nve_pipe_queue *queue, uint64_t due_ns)
{
	struct nve_door *d = p->door;

	unlink_pipe(p);
	p->due_ns = due_ns;
	p->next = NULL;
	p->queue = queue;
	p->link = queue->tail;
	*queue->tail = p;
	queue->tail = &p->next;
	queue->n++;
	atomic_store(&d->n_shaking, d->shaking.n);
	atomic_store(&d->n_open, d->open.n + d->leaving.n);
}

void nve_pipes_init(struct nve_door *d)
{
	struct nve_pipe_queue *all[] = { &d->shaking, &d->open, &d->leaving, &d->dead };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		all[i]->tail = &all[i]->head;
}

/* The end ------------------------------------------------------------------------------------- */

static void close_side(struct side *side)
{
	if (side->fd >= 0)
		close(side->fd); /* which takes it out of epoll, too */
	side->fd = -1;
	side->polled = 0;
}

/* Events of this turn may still name it: the memory goes at the turn's end. */
static void close_pipe(struct nve_pipe *p)
{
	if (p->queue == &p->door->dead)
		return;
	ERR_clear_error();
	if (p->ssl && !p->failed && SSL_is_init_finished(p->ssl))
		SSL_shutdown(p->ssl);
	SSL_free(p->ssl);
	p->ssl = NULL;
	ERR_clear_error();
	close_side(&p->outer);
	close_side(&p->inner);
	move_to(p, &p->door->dead, 0);
}

static void free_dead(struct nve_door *d)
{
	while (d->dead.head) {
		struct nve_pipe *p = d->dead.head;

		unlink_pipe(p);
		free(p->in);
		free(p->out);
		free(p);
	}
}

/* Polling ------------------------------------------------------------------------------------- */

static bool poll_side(struct side *side, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = &side->watch };
	int op = !events ? EPOLL_CTL_DEL : side->polled ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (events == side->polled)
		return true;
	side->polled = events;
	return epoll_ctl(side->pipe->door->epoll, op, side->fd, &ev) == 0;
}

static bool poll_open(struct nve_pipe *p)
{
	uint32_t outer = (p->in->len == 0 && !p->outer.over ? EPOLLIN : 0u) |
			 (p->want_write ? EPOLLOUT : 0u);
	uint32_t inner = (p->out->len == 0 && !p->inner.over ? EPOLLIN : 0u) |
			 (p->in->len > 0 ? EPOLLOUT : 0u);

	return poll_side(&p->outer, outer) && poll_side(&p->inner, inner);
}

/* Bytes --------------------------------------------------------------------------------------- */

/* After an operation of TLS that did not succeed: whether it may go on later. */
static bool tls_waits(struct nve_pipe *p, int result)
{
	int why = SSL_get_error(p->ssl, result);

	if (why == SSL_ERROR_WANT_WRITE)
		p->want_write = true;
	p->failed |= why == SSL_ERROR_SSL || why == SSL_ERROR_SYSCALL;
	return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
}

/* Both: 1 = bytes moved, 0 = none can now, -1 = this direction is at its end. */
static int move_in(struct nve_pipe *p)
{
	struct flow *f = p->in;
	ssize_t n;

	if (f->len == 0 && !p->outer.over) {
		int r;

		ERR_clear_error();
		r = SSL_read(p->ssl, f->bytes, BUFFER);
		f->at = 0;
		if (r > 0)
			f->len = (size_t)r;
		else if (!tls_waits(p, r))
			p->outer.over = true;
	}
	if (f->len == 0)
		return p->outer.over ? -1 : 0;
	n = send(p->inner.fd, f->bytes + f->at, f->len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	f->at += (size_t)n;
	f->len -= (size_t)n;
	return 1;
}

static int move_out(struct nve_pipe *p)
{
	struct flow *f = p->out;
	int r;

	if (f->len == 0 && !p->inner.over) {
		ssize_t n = recv(p->inner.fd, f->bytes, BUFFER, MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		if (n <= 0)
			p->inner.over = true;
		else
			f->len = (size_t)n;
		f->at = 0;
	}
	if (f->len == 0)
		return -1;
	ERR_clear_error();
	r = SSL_write(p->ssl, f->bytes + f->at, (int)f->len);
	if (r <= 0)
		return tls_waits(p, r) ? 0 : -1;
	f->at += (size_t)r;
	f->len -= (size_t)r;
	return 1;
}

/* False: the connection is over.  gRPC never ends one direction alone. */
static bool move_bytes(struct nve_pipe *p)
{
	int in = 1, out = 1;

	p->want_write = false;
	for (int i = 0; i < ROUNDS && (in > 0 || out > 0); i++) {
		in = move_in(p);
		out = move_out(p);
		if (in < 0 || out < 0)
			return false;
	}
	return true;
}

static void open_ready(struct nve_watch *watch, uint32_t events)
{
	struct nve_pipe *p = ((struct side *)watch)->pipe;

	(void)events;
	if (p->queue == &p->door->dead)
		return;
	if (!move_bytes(p) || !poll_open(p))
		close_pipe(p);
}

/* Handshakes ---------------------------------------------------------------------------------- */

static void refuse(struct nve_pipe *p, const char *why)
{
	atomic_fetch_add(&p->door->refused, 1);
	nve_door_refused(p->door, &p->visitor, why);
	close_pipe(p);
}

static void distrusted(struct nve_tls_owner *owner, X509 *claimed)
{
	struct nve_pipe *p = (struct nve_pipe *)owner; /* its first member */

	/* For the log alone: it is what the client claims to be. */
	nve_tls_identity(claimed, p->visitor.peer.identity, sizeof(p->visitor.peer.identity));
}

static const char *why_failed(const struct nve_pipe *p, int error)
{
	long verdict = SSL_get_verify_result(p->ssl);

	if (verdict != X509_V_OK)
		return X509_verify_cert_error_string(verdict);
	if (error == SSL_ERROR_SSL)
		return ERR_reason_error_string(ERR_peek_last_error()) ?: "TLS failed";
	return "the client closed the connection";
}

/* -errno, with 'why' for the log. */
static int make_inner(struct nve_pipe *p, int *guest, const char **why)
{
	int pair[2];

	p->in = malloc(sizeof(*p->in)); /* of which an idle connection touches a page or two */
	p->out = malloc(sizeof(*p->out));
	*why = "the agent has no memory or descriptor for it";
	if (!p->in || !p->out)
		return -ENOMEM;
	p->in->len = p->out->len = 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	p->inner.fd = pair[0];
	*guest = pair[1];
	return 0;
}

static void bar_later(struct nve_pipe *p)
{
	move_to(p, &p->door->leaving, nve_door_now() + LEAVING_NS);
}

static void shaken(struct nve_pipe *p)
{
	struct nve_peer *peer = &p->visitor.peer;
	const unsigned char *alpn;
	unsigned int alpn_len;
	const char *why;

	SSL_get0_alpn_selected(p->ssl, &alpn, &alpn_len);
	if (alpn_len == 0) {
		refuse(p, "the client does not ask for HTTP/2 (ALPN)");
		return;
	}
	if (!nve_tls_trusts(p->door->tls, p->ssl)) { /* reloaded in between */
		refuse(p, "its certificate has been revoked just now");
		return;
	}
	if (make_inner(p, &p->guest_fd, &why) < 0) {
		refuse(p, why);
		return;
	}
	why = nve_tls_identity(SSL_get0_peer_certificate(p->ssl), peer->identity,
			       sizeof(peer->identity));
	p->visitor.barred = why != NULL;
	if (why)
		nve_door_refused(p->door, &p->visitor, why);
	atomic_fetch_add(why ? &p->door->refused : &p->door->accepted, 1);
	p->guest_id = nve_door_enter(p->door, p->guest_fd, &p->visitor);
	if (!p->guest_id) {
		close_pipe(p);
		return;
	}
	p->outer.watch.ready = p->inner.watch.ready = open_ready;
	if (why)
		bar_later(p);
	else
		move_to(p, &p->door->open, 0);
	open_ready(&p->outer.watch, 0); /* the first bytes may have come with the handshake */
}

static void shaking_ready(struct nve_watch *watch, uint32_t events)
{
	struct nve_pipe *p = ((struct side *)watch)->pipe;
	int r, error;

	(void)events;
	if (p->queue == &p->door->dead || p->door->shakes++ >= SHAKES)
		return; /* level-triggered: it comes again */
	ERR_clear_error();
	r = SSL_do_handshake(p->ssl);
	if (r == 1) {
		shaken(p);
		return;
	}
	error = SSL_get_error(p->ssl, r);
	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
		if (!poll_side(&p->outer, error == SSL_ERROR_WANT_READ ? EPOLLIN : EPOLLOUT))
			refuse(p, "the agent cannot wait for it");
		return;
	}
	p->failed = true;
	refuse(p, why_failed(p, error));
}

bool nve_pipe_room(struct nve_entrance *e)
{
	struct nve_door *d = e->door;
	struct nve_pipe *oldest = d->shaking.head;

	if (d->shaking.n < d->config.handshakes)
		return true;
	/* Who is slow must not keep others out; who is merely in a crowd is not slow. */
	if (oldest && oldest->due_ns - d->config.handshake_ms * UINT64_C(1000000) + SLOW_NS <=
			      nve_door_now()) {
		refuse(oldest, "its handshake was slow, and others were waiting");
		return true;
	}
	nve_entrance_pause(e, PAUSE_NS);
	return false;
}

void nve_pipe_begin(struct nve_entrance *e, int fd, const struct nve_visitor *visitor)
{
	struct nve_pipe *p = calloc(1, sizeof(*p));
	int on = 1, unacked = UNACKED_MS;

	if (!p) {
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacked, sizeof(unacked));
	p->owner.distrusted = distrusted;
	p->door = e->door;
	p->outer = (struct side){ { shaking_ready }, p, fd, 0, false };
	p->inner = (struct side){ { shaking_ready }, p, -1, 0, false };
	p->visitor = *visitor;
	p->ssl = nve_tls_connection(e->door->tls, fd, &p->owner);
	move_to(p, &e->door->shaking,
		nve_door_now() + e->door->config.handshake_ms * UINT64_C(1000000));
	if (!p->ssl || !poll_side(&p->outer, EPOLLIN))
		refuse(p, "the agent has no memory for it");
}

/* All of them --------------------------------------------------------------------------------- */

void nve_pipes_turn(struct nve_door *d, uint64_t now)
{
	d->shakes = 0;
	while (d->shaking.head && d->shaking.head->due_ns <= now)
		refuse(d->shaking.head, "its handshake took too long");
	while (d->leaving.head && d->leaving.head->due_ns <= now)
		close_pipe(d->leaving.head);
	free_dead(d);
}

uint64_t nve_pipes_next(const struct nve_door *d)
{
	uint64_t a = d->shaking.head ? d->shaking.head->due_ns : UINT64_MAX;
	uint64_t b = d->leaving.head ? d->leaving.head->due_ns : UINT64_MAX;

	return a < b ? a : b;
}

void nve_pipes_recheck(struct nve_door *d)
{
	const struct nve_door_guest_ops *ops = d->config.ops;
	struct nve_pipe *next;
	bool any = false;

	for (struct nve_pipe *p = d->open.head; p; p = next) {
		next = p->next;
		if (nve_tls_trusts(d->tls, p->ssl))
			continue;
		nve_log(WARNING, "client_revoked", LOG_S("address", p->visitor.address),
			LOG_S("identity", p->visitor.peer.identity));
		atomic_fetch_add(&d->barred, 1);
		ops->bar(d->config.arg, p->guest_fd, p->guest_id);
		bar_later(p);
		any = true;
	}
	if (any)
		ops->barred(d->config.arg);
}

void nve_pipes_close(struct nve_door *d)
{
	while (d->shaking.head)
		close_pipe(d->shaking.head);
	while (d->open.head) {
		move_bytes(d->open.head);
		close_pipe(d->open.head);
	}
	while (d->leaving.head) {
		move_bytes(d->leaving.head);
		close_pipe(d->leaving.head);
	}
	free_dead(d);
}
