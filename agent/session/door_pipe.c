/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of a TLS connection: between the client ("outer") and gRPC ("inner", one end of a
 * socket pair).  Each direction holds one buffer, and reads no more until that has gone: a side
 * that does not read makes the other wait, and nothing grows.
 *
 * Everything is level-triggered; a side is in epoll only while something is wanted of it, so that
 * one that hung up cannot spin the thread while bytes wait for the other.
 */
#include "session/door_pipe.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"

enum {
	ROUNDS = 4, /* of bytes, before it is another connection's turn */
};

#define LEAVING_NS UINT64_C(3000000000) /* to read why */

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

void nve_pipe_move_to(struct nve_pipe *p, struct nve_pipe_queue *queue, uint64_t due_ns)
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
	atomic_store(&d->n_open, d->open.n);
}

void nve_pipes_init(struct nve_door *d)
{
	struct nve_pipe_queue *all[] = { &d->shaking, &d->open, &d->leaving, &d->dead };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		all[i]->tail = &all[i]->head;
}

/* The end ------------------------------------------------------------------------------------- */

static void close_side(struct nve_side *side)
{
	if (side->fd >= 0)
		close(side->fd); /* which takes it out of epoll, too */
	side->fd = -1;
	side->polled = 0;
}

bool nve_pipe_is_closed(const struct nve_pipe *p)
{
	return p->queue == &p->door->dead;
}

/* Events of this turn may still name it: the memory goes at the turn's end. */
void nve_pipe_close(struct nve_pipe *p)
{
	if (nve_pipe_is_closed(p))
		return;
	ERR_clear_error();
	if (p->ssl && !p->failed && SSL_is_init_finished(p->ssl))
		SSL_shutdown(p->ssl);
	SSL_free(p->ssl);
	p->ssl = NULL;
	ERR_clear_error();
	close_side(&p->outer);
	close_side(&p->inner);
	nve_pipe_move_to(p, &p->door->dead, 0);
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

void nve_pipe_leave(struct nve_pipe *p)
{
	nve_pipe_move_to(p, &p->door->leaving, nve_door_now() + LEAVING_NS);
}

/* Polling ------------------------------------------------------------------------------------- */

bool nve_pipe_poll(struct nve_side *side, uint32_t events)
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

	return nve_pipe_poll(&p->outer, outer) && nve_pipe_poll(&p->inner, inner);
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
	struct nve_flow *f = p->in;
	ssize_t n;

	if (f->len == 0 && !p->outer.over) {
		int r;

		ERR_clear_error();
		r = SSL_read(p->ssl, f->bytes, NVE_PIPE_BUFFER);
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
	struct nve_flow *f = p->out;
	int r;

	if (f->len == 0 && !p->inner.over) {
		ssize_t n = recv(p->inner.fd, f->bytes, NVE_PIPE_BUFFER, MSG_DONTWAIT);

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
	struct nve_pipe *p = ((struct nve_side *)watch)->pipe;

	(void)events;
	if (nve_pipe_is_closed(p))
		return;
	if (!move_bytes(p) || !poll_open(p))
		nve_pipe_close(p);
}

void nve_pipe_open(struct nve_pipe *p)
{
	p->outer.watch.ready = p->inner.watch.ready = open_ready;
	open_ready(&p->outer.watch, 0); /* the first bytes may have come with the handshake */
}

/* All of them --------------------------------------------------------------------------------- */

void nve_pipes_turn(struct nve_door *d, uint64_t now)
{
	d->shakes = 0;
	while (d->shaking.head && d->shaking.head->due_ns <= now)
		nve_pipe_refuse(d->shaking.head, "its handshake took too long");
	while (d->leaving.head && d->leaving.head->due_ns <= now)
		nve_pipe_close(d->leaving.head);
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
		nve_pipe_leave(p);
		any = true;
	}
	if (any)
		ops->barred(d->config.arg);
}

void nve_pipes_close(struct nve_door *d)
{
	while (d->shaking.head)
		nve_pipe_close(d->shaking.head);
	while (d->open.head) {
		move_bytes(d->open.head);
		nve_pipe_close(d->open.head);
	}
	while (d->leaving.head) {
		if (d->leaving.head->guest_id)
			move_bytes(d->leaving.head);
		nve_pipe_close(d->leaving.head);
	}
	free_dead(d);
}
