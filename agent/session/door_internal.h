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
};

struct nve_door {
	struct nve_watch watch; /* first: of 'wake' */
	struct nve_door_config config;
	int epoll, wake;
	pthread_t thread;
	bool running;
	atomic_bool shut, over;

	/* The thread's alone, once it runs. */
	uint32_t n_entrances;
	struct nve_entrance entrances[NVE_ENTRANCES_MAX];
	bool listening;
	uint64_t resume_ns; /* to listen again, if not */
};

static inline uint64_t nve_door_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Hands the socket on and logs it; 0: there was no room, and it was closed. */
uint64_t nve_door_enter(struct nve_door *door, int fd, const struct nve_visitor *visitor);
/* There is no room: accepts nothing for a moment. */
void nve_door_pause(struct nve_door *door);
