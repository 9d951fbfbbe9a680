/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Live frames: a generator at one interface, a counter at another, and between them whatever is to
 * be measured.  Frames are made and carried on one CPU.  A failure ends the program.
 */
#pragma once

#include <stdint.h>

#include "bench/world.h"

struct bench;

/* What one run came to. */
struct bench_rate {
	uint64_t sent, seen; /* frames */
	uint64_t bytes;      /* of those seen */
	uint64_t ns;         /* spent on frames, on the generator's CPU */
};

/* Stays on that CPU, before everything else that wants it (SCHED_FIFO); says so if it may not. */
void bench_own_cpu(int cpu);

/* Loads the benchmark's programs.  They go when the process ends. */
struct bench *bench_open(void);

/* The generator's plan; frames go out at 'ifname', as if it had received and sent them on. */
void bench_send_at(struct bench *b, const char *ifname, const struct bench_plan *plan);
/* Counts and swallows what arrives there. */
void bench_sink(struct bench *b, const char *ifname);
/* Sends everything that arrives at 'from' out at 'to'. */
void bench_forward(struct bench *b, const char *from, const char *to);
/* Sends for 'ms', 'batch' frames at a time. */
struct bench_rate bench_run(struct bench *b, uint32_t ms, uint32_t batch);

/* ns a turn of 'prog' (-1: of none), each turn with another frame of the plan; 'prog' must
 * redirect. */
uint32_t bench_turns(struct bench *b, int prog, const struct bench_plan *plan, const char *ifname,
		     uint32_t turns);
