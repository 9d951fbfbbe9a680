/* SPDX-License-Identifier: Apache-2.0 */
/* The table of those whom the door let in, by descriptor. */
#include "session/grpc_peer.h"

#include <errno.h>
#include <grpc/grpc_posix.h>
#include <grpc/grpc_security.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "session/grpc_stream.h"

enum {
	GUESTS_MAX = 8192,
	DESCRIPTORS_EACH = 4, /* of a connection through TLS, and a stream's share of the rest */
};

struct guest {
	uint64_t id;
	ino_t inode; /* of the socket: tells whether the connection is still open */
	struct nve_visitor visitor;
};

struct nve_peers {
	pthread_mutex_t lock;
	struct nve_session_server *s;
	struct nve_work expel;
	atomic_bool expelling; /* the work is posted */
	uint64_t last_id;
	uint32_t n, max;
	uint32_t size;         /* of 'guests' */
	struct guest **guests; /* by descriptor */
};

/* gRPC does not say when it closes a descriptor; the number may be another file's by now. */
static bool is_open(int fd, const struct guest *g)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode) && st.st_ino == g->inode;
}

static void sweep(struct nve_peers *p)
{
	for (uint32_t fd = 0; fd < p->size; fd++) {
		if (!p->guests[fd] || is_open((int)fd, p->guests[fd]))
			continue;
		free(p->guests[fd]);
		p->guests[fd] = NULL;
		p->n--;
	}
}

static bool make_room(struct nve_peers *p, uint32_t fd)
{
	uint32_t size = p->size ? p->size : 64;
	struct guest **guests;

	while (size <= fd)
		size *= 2;
	if (size == p->size)
		return true;
	guests = realloc(p->guests, size * sizeof(struct guest *));
	if (!guests)
		return false;
	memset(guests + p->size, 0, (size - p->size) * sizeof(struct guest *));
	p->guests = guests;
	p->size = size;
	return true;
}

/* With the lock. */
static uint64_t put(struct nve_peers *p, int fd, const struct nve_visitor *visitor)
{
	struct guest *g;
	struct stat st;

	if (p->n >= p->max)
		sweep(p);
	if (p->n >= p->max || fstat(fd, &st) < 0 || !make_room(p, (uint32_t)fd))
		return 0;
	g = p->guests[fd];
	if (!g) {
		g = malloc(sizeof(*g));
		if (!g)
			return 0;
		p->guests[fd] = g;
		p->n++;
	}
	*g = (struct guest){ ++p->last_id, st.st_ino, *visitor };
	return g->id;
}

static void hand_over(const struct nve_peers *p, int fd)
{
	grpc_server_credentials *creds = grpc_insecure_server_credentials_create();

	grpc_server_add_channel_from_fd(p->s->server, fd, creds);
	grpc_server_credentials_release(creds);
}

static uint64_t enter(void *arg, int fd, const struct nve_visitor *visitor)
{
	struct nve_peers *p = arg;
	uint64_t id;

	pthread_mutex_lock(&p->lock);
	id = put(p, fd, visitor);
	pthread_mutex_unlock(&p->lock);
	if (id > 0)
		hand_over(p, fd);
	return id;
}

static void bar(void *arg, int fd, uint64_t id)
{
	struct nve_peers *p = arg;

	pthread_mutex_lock(&p->lock);
	if ((uint32_t)fd < p->size && p->guests[fd] && p->guests[fd]->id == id)
		p->guests[fd]->visitor.barred = true;
	pthread_mutex_unlock(&p->lock);
}

/* Engine's thread.  Streams that open later look for themselves. */
static void expel(struct nve_work *work)
{
	struct nve_peers *p = container_of(work, struct nve_peers, expel);

	atomic_store(&p->expelling, false);
	for (struct nve_stream *st = p->s->streams; st; st = st->next) {
		if (nve_call_barred(p->s, st->base.call))
			nve_stream_bar(st);
	}
}

static void barred(void *arg)
{
	struct nve_peers *p = arg;

	if (!atomic_exchange(&p->expelling, true))
		nve_post(p->s, &p->s->own_source, &p->expel);
}

const struct nve_door_guest_ops nve_peers_ops = { enter, bar, barred };

/* Not the last descriptors: the store, the maps and gRPC itself need theirs. */
static uint32_t guests_max(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur == RLIM_INFINITY ||
	    files.rlim_cur / DESCRIPTORS_EACH >= GUESTS_MAX)
		return GUESTS_MAX;
	return (uint32_t)(files.rlim_cur / DESCRIPTORS_EACH);
}

int nve_peers_new(struct nve_session_server *s, struct nve_peers **ret)
{
	struct nve_peers *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	pthread_mutex_init(&p->lock, NULL);
	p->s = s;
	p->expel.run = expel;
	p->max = guests_max();
	*ret = p;
	return 0;
}

void nve_peers_free(struct nve_peers *p)
{
	if (!p)
		return;
	for (uint32_t fd = 0; fd < p->size; fd++)
		free(p->guests[fd]);
	free(p->guests);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

/* "fd:7" to 7; -1: another kind of address. */
static int descriptor_of(const char *peer)
{
	char *end;
	long fd;

	if (strncmp(peer, "fd:", 3) != 0)
		return -1;
	fd = strtol(peer + 3, &end, 10);
	return end > peer + 3 && *end == '\0' && fd >= 0 && fd <= INT32_MAX ? (int)fd : -1;
}

void nve_call_visitor_of(struct nve_session_server *s, grpc_call *call, struct nve_visitor *out)
{
	char *text = grpc_call_get_peer(call);
	int fd = descriptor_of(text);
	struct nve_peers *p = s->peers;

	memset(out, 0, sizeof(*out));
	if (fd < 0) { /* gRPC listens itself on loopback alone */
		out->peer.kind = NVE_PEER_LOOPBACK;
		strcpy(out->peer.identity, "loopback");
		snprintf(out->address, sizeof(out->address), "%s", text);
	} else {
		pthread_mutex_lock(&p->lock);
		if ((uint32_t)fd < p->size && p->guests[fd])
			*out = p->guests[fd]->visitor;
		else
			out->barred = true;
		pthread_mutex_unlock(&p->lock);
	}
	gpr_free(text);
}

bool nve_call_barred(struct nve_session_server *s, grpc_call *call)
{
	struct nve_visitor visitor;

	nve_call_visitor_of(s, call, &visitor);
	return visitor.barred;
}

void nve_call_peer_of(struct nve_session_server *s, grpc_call *call, struct nve_peer *out)
{
	struct nve_visitor visitor;

	nve_call_visitor_of(s, call, &visitor);
	*out = visitor.peer;
}

void nve_call_client(struct nve_session_server *s, grpc_call *call, char out[NVE_NAME_MAX + 1])
{
	struct nve_visitor visitor;

	_Static_assert(sizeof(visitor.address) == NVE_NAME_MAX + 1,
		       "an address is a client's name");
	nve_call_visitor_of(s, call, &visitor);
	memcpy(out, visitor.address, sizeof(visitor.address));
}
