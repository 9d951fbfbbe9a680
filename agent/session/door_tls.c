/* SPDX-License-Identifier: Apache-2.0 */
/* The handshakes of TLS: bounded in number and in time, each with its result in the log (B16). */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "session/door_pipe.h"

enum {
	SHAKES = 4,         /* steps a turn: each may cost a millisecond, and others wait */
	UNACKED_MS = 30000, /* a client that takes nothing for so long is gone */
};

#define SLOW_NS  UINT64_C(1000000000) /* a handshake of that age may be pushed out */
#define PAUSE_NS UINT64_C(20000000)

/* Handshakes ---------------------------------------------------------------------------------- */

static void drain_ready(struct nve_watch *watch, uint32_t events)
{
	struct nve_pipe *p = ((struct nve_side *)watch)->pipe;
	ssize_t n;

	(void)events;
	if (nve_pipe_is_closed(p))
		return;
	n = recv(p->outer.fd, NULL, NVE_PIPE_BUFFER, MSG_TRUNC | MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		nve_pipe_close(p);
}

/*
 * The alert that says what was wrong is on its way: closing a socket with unread bytes would reset
 * the connection before the client has read it.
 */
static void linger(struct nve_pipe *p)
{
	struct nve_door *d = p->door;

	p->failed = true;
	if (d->leaving.n >= d->config.handshakes || shutdown(p->outer.fd, SHUT_WR) < 0 ||
	    !nve_pipe_poll(&p->outer, EPOLLIN)) {
		nve_pipe_close(p);
		return;
	}
	p->outer.watch.ready = drain_ready;
	nve_pipe_leave(p);
}

void nve_pipe_refuse(struct nve_pipe *p, const char *why)
{
	atomic_fetch_add(&p->door->refused, 1);
	nve_door_refused(p->door, &p->visitor, why);
	nve_pipe_close(p);
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
	unsigned long code = ERR_peek_last_error();

	if (verdict != X509_V_OK)
		return X509_verify_cert_error_string(verdict);
	if (error != SSL_ERROR_SSL || ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
		return "the client closed the connection; perhaps it does not trust the agent";
	if (ERR_GET_REASON(code) == SSL_R_WRONG_VERSION_NUMBER)
		return "the client does not speak TLS";
	return ERR_reason_error_string(code) ?: "TLS failed";
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

static void shaken(struct nve_pipe *p)
{
	struct nve_peer *peer = &p->visitor.peer;
	const unsigned char *alpn;
	unsigned int alpn_len;
	const char *why;

	SSL_get0_alpn_selected(p->ssl, &alpn, &alpn_len);
	if (alpn_len == 0) {
		nve_pipe_refuse(p, "the client does not ask for HTTP/2 (ALPN)");
		return;
	}
	if (!nve_tls_trusts(p->door->tls, p->ssl)) { /* reloaded in between */
		nve_pipe_refuse(p, "its certificate has been revoked just now");
		return;
	}
	if (make_inner(p, &p->guest_fd, &why) < 0) {
		nve_pipe_refuse(p, why);
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
		nve_pipe_close(p);
		return;
	}
	if (why)
		nve_pipe_leave(p);
	else
		nve_pipe_move_to(p, &p->door->open, 0);
	nve_pipe_open(p);
}

static void shaking_ready(struct nve_watch *watch, uint32_t events)
{
	struct nve_pipe *p = ((struct nve_side *)watch)->pipe;
	int r, error;

	(void)events;
	if (nve_pipe_is_closed(p) || p->door->shakes++ >= SHAKES)
		return; /* level-triggered: it comes again */
	ERR_clear_error();
	r = SSL_do_handshake(p->ssl);
	if (r == 1) {
		shaken(p);
		return;
	}
	error = SSL_get_error(p->ssl, r);
	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
		if (!nve_pipe_poll(&p->outer, error == SSL_ERROR_WANT_READ ? EPOLLIN : EPOLLOUT))
			nve_pipe_refuse(p, "the agent cannot wait for it");
		return;
	}
	atomic_fetch_add(&p->door->refused, 1);
	nve_door_refused(p->door, &p->visitor, why_failed(p, error));
	linger(p);
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
		nve_pipe_refuse(oldest, "its handshake was slow, and others were waiting");
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
	p->outer = (struct nve_side){ { shaking_ready }, p, fd, 0, false };
	p->inner = (struct nve_side){ { shaking_ready }, p, -1, 0, false };
	p->visitor = *visitor;
	p->ssl = nve_tls_connection(e->door->tls, fd, &p->owner);
	nve_pipe_move_to(p, &e->door->shaking,
			 nve_door_now() + e->door->config.handshake_ms * UINT64_C(1000000));
	if (!p->ssl || !nve_pipe_poll(&p->outer, EPOLLIN))
		nve_pipe_refuse(p, "the agent has no memory for it");
}
