/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the door share. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "session/door.h"

enum { NVE_ENTRANCES_MAX = 64 };

/* What a descriptor in epoll belongs to. */
struct nve_watch {
	void (*ready)(struct nve_watch *watch, uint32_t events);
};

struct nve_entrance {
	struct nve_watch watch; /* first */
	struct nve_door *door;
	int fd; /* -1 = closed */
	bool tls;
	uint64_t resume_ns; /* not listening until then; 0 = listening */
};

/* Connections in the order of the time at which something is done about them. */
struct nve_pipe;
struct nve_pipe_queue {
	struct nve_pipe *head, **tail;
	uint32_t n;
};

struct nve_door {
	struct nve_watch watch; /* first: of 'wake' */
	struct nve_door_config config;
	int epoll, wake;
	pthread_t thread;
	bool running;
	atomic_bool shut, over;
	_Atomic(struct nve_tls *) loaded; /* to take the place of 'tls' */
	atomic_ullong accepted, refused, barred;
	atomic_uint n_shaking, n_open;
	struct nve_tls_dates dates; /* the reloading thread's */

	/* The thread's alone, once it runs. */
	uint32_t n_entrances;
	struct nve_entrance entrances[NVE_ENTRANCES_MAX];
	struct nve_tls *tls;
	struct nve_pipe_queue shaking; /* handshakes, the oldest first */
	struct nve_pipe_queue open;
	struct nve_pipe_queue leaving; /* barred, and soon disconnected */
	struct nve_pipe_queue dead;    /* closed; freed at the end of the turn */
	unsigned int shakes;           /* steps of handshakes in this turn */
	uint64_t log_second;
	unsigned int logged, unlogged; /* refusals, in that second */
};

static inline uint64_t nve_door_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Hands the socket on and logs it; 0: there was no room, and it was closed. */
uint64_t nve_door_enter(struct nve_door *door, int fd, const struct nve_visitor *visitor);
/* There is no room: 'entrance' accepts nothing for so long. */
void nve_entrance_pause(struct nve_entrance *entrance, uint64_t ns);
/* A line of the log for each, but for what a flood has above some a second: that is counted. */
void nve_door_refused(struct nve_door *door, const struct nve_visitor *visitor, const char *why);

/* door_listen.c: a listening socket, or -errno. */
int nve_door_bind_unix(const char *path);
int nve_door_bind_tls(const char *address, uint16_t *port);
struct sockaddr_storage;
void nve_door_write_address(const struct sockaddr_storage *from, char out[NVE_ADDRESS_MAX + 1]);

/* door_tls.c and door_pipe.c */
void nve_pipes_init(struct nve_door *door);
/* Takes the accepted socket: a handshake begins. */
void nve_pipe_begin(struct nve_entrance *entrance, int fd, const struct nve_visitor *visitor);
/* True if one more handshake may begin; else the entrance has been paused. */
bool nve_pipe_room(struct nve_entrance *entrance);
/* What is due at this time, and the memory of those that have gone. */
void nve_pipes_turn(struct nve_door *door, uint64_t now);
uint64_t nve_pipes_next(const struct nve_door *door); /* when turn() is due; UINT64_MAX: never */
void nve_pipes_recheck(struct nve_door *door);        /* door->tls is a new one */
void nve_pipes_close(struct nve_door *door);          /* all, with what gRPC has sent delivered */
