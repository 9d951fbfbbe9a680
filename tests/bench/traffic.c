/* SPDX-License-Identifier: Apache-2.0 */
/* Live frames and test runs, see traffic.h. */
#include "bench/traffic.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tests/bench.skel.h"

enum { FRAME_MAX = 2048, A_CALL = 65536 };

struct bench {
	struct bench_skel *skel;
	uint32_t ifindex; /* of the generator */
	uint8_t frame[FRAME_MAX];
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static uint32_t ifindex_of(const char *ifname)
{
	uint32_t ifindex = if_nametoindex(ifname);

	if (!ifindex)
		bench_die("no interface %s", ifname);
	return ifindex;
}

void bench_own_cpu(int cpu)
{
	const struct sched_param first = { .sched_priority = 1 };
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		bench_die("CPU %d: %s", cpu, strerror(errno));
	if (sched_setscheduler(0, SCHED_FIFO, &first))
		fprintf(stderr, "bench: not alone on its CPU: %s\n", strerror(errno));
}

struct bench *bench_open(void)
{
	struct bench *b = calloc(1, sizeof(*b));

	if (!b)
		bench_die("out of memory");
	b->skel = bench_skel__open_and_load();
	if (!b->skel)
		bench_die("the benchmark's programs do not load: %s", strerror(errno));
	return b;
}

static void set_plan(struct bench *b, const struct bench_plan *plan, uint32_t ifindex)
{
	memcpy(&b->skel->bss->plan, plan, sizeof(*plan));
	b->skel->bss->plan.ifindex = ifindex;
	b->ifindex = ifindex;
	if (plan->len > sizeof(b->frame))
		bench_die("frames of %u bytes", plan->len);
}

void bench_send_at(struct bench *b, const char *ifname, const struct bench_plan *plan)
{
	set_plan(b, plan, ifindex_of(ifname));
}

static void attach(struct bpf_program *prog, const char *ifname)
{
	if (!bpf_program__attach_xdp(prog, ifindex_of(ifname)))
		bench_die("%s: XDP: %s", ifname, strerror(errno));
}

void bench_sink(struct bench *b, const char *ifname)
{
	attach(b->skel->progs.sink, ifname);
}

void bench_forward(struct bench *b, const char *from, const char *to)
{
	b->skel->bss->forward_to = ifindex_of(to);
	attach(b->skel->progs.null_forward, from);
}

static void add_seen(const struct bench *b, struct bench_rate *rate, int sign)
{
	for (int i = 0; i < BENCH_CPUS; i++) {
		rate->seen += sign * b->skel->bss->seen[i].frames;
		rate->bytes += sign * b->skel->bss->seen[i].bytes;
	}
}

struct bench_rate bench_run(struct bench *b, uint32_t ms, uint32_t batch)
{
	uint32_t len = b->skel->bss->plan.len;
	struct xdp_md ctx = { .data_end = len, .ingress_ifindex = b->ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = b->frame, .data_size_in = len,
		    .ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .repeat = A_CALL,
		    .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = batch);
	struct bench_rate rate = { 0 };
	uint64_t end = now_ns() + ms * 1000000ull;

	add_seen(b, &rate, -1);
	do {
		if (bpf_prog_test_run_opts(bpf_program__fd(b->skel->progs.generate), &opts))
			bench_die("live frames: %s", strerror(errno));
		rate.sent += A_CALL;
		/* Of the frames alone: to begin and end a call takes the kernel milliseconds. */
		rate.ns += (uint64_t)A_CALL * opts.duration;
	} while (now_ns() < end);
	add_seen(b, &rate, 1);
	return rate;
}

uint32_t bench_turns(struct bench *b, int prog, const struct bench_plan *plan, const char *ifname,
		     uint32_t turns)
{
	int nothing = bpf_program__fd(b->skel->progs.nothing);
	int jump = bpf_map__fd(b->skel->maps.jump);
	struct xdp_md ctx = { .data_end = plan->len, .ingress_ifindex = ifindex_of(ifname) };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = b->frame, .data_size_in = plan->len,
		    .ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .repeat = turns);

	set_plan(b, plan, ctx.ingress_ifindex);
	if (bpf_map_update_elem(jump, &(uint32_t){ 0 }, prog < 0 ? &nothing : &prog, BPF_ANY))
		bench_die("tail call: %s", strerror(errno));
	if (bpf_prog_test_run_opts(bpf_program__fd(b->skel->progs.turn), &opts))
		bench_die("test run: %s", strerror(errno));
	if (opts.retval != XDP_REDIRECT)
		bench_die("the program under test run returned %u", opts.retval);
	return opts.duration;
}
