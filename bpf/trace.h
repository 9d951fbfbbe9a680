/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The dry run (nvectl why).  nve_why.bpf.c is nve.bpf.c compiled with NVE_DRY 1; the agent loads it
 * over the live maps, and hands it a frame by bpf_prog_test_run.  It decides as the live programs
 * do, but counts nothing, writes no 'seen', clones nothing, and notes each row it looks for.  So
 * whatever writes to a map, or sends a frame in another way than bpf_redirect(), must ask nve_dry
 * first.
 *
 * A constant of the compiler's, not of the load: the verifier would take the branches out of the
 * live programs, but leave the loads of the flag, 2 to 4 % of all instructions.
 */
#pragma once

#ifndef NVE_DRY
#define NVE_DRY 0
#endif

#include "maps.h"

static const bool nve_dry = NVE_DRY;

#if NVE_DRY
/* What a dry run notes. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nve_trace);
} nve_trace SEC(".maps");

static __always_inline struct nve_trace *nve_tracing(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&nve_trace, &zero);
}
#else
static __always_inline struct nve_trace *nve_tracing(void)
{
	return NULL;
}
#endif

static __noinline int nve_trace_step(__u32 table, const void *key, __u32 size)
{
	struct nve_trace *t = nve_tracing();
	struct nve_trace_step *step;
	const nve_u32 *from = key;
	__u32 n;

	if (!t)
		return 0;
	n = t->n++;
	if (n >= NVE_TRACE_MAX)
		return 0;
	step = &t->steps[n & (NVE_TRACE_MAX - 1)];
	step->table = table;
	for (__u32 i = 0; i < NVE_TRACE_KEY_MAX / 4; i++) {
		if (i * 4 < size)
			step->key[i] = from[i];
	}
	return 0;
}

/* A row of a table, by the table's name without "nve_"; every lookup that decides goes here. */
#define nve_lookup(name, at)                                                                       \
	({                                                                                         \
		_Static_assert(sizeof(*(at)) <= NVE_TRACE_KEY_MAX, "key fits the trace");          \
		if (nve_dry)                                                                       \
			nve_trace_step(NVE_TRACED_##name, (at), sizeof(*(at)));                    \
		bpf_map_lookup_elem(&nve_##name, (at));                                            \
	})

/* The row last looked for is a member of the flood that gets a copy, or would but for 'why'. */
static __noinline int nve_trace_copy(__u32 why)
{
	struct nve_trace *t = nve_tracing();
	struct nve_trace_step *step;

	if (!t || t->n - 1 >= NVE_TRACE_MAX)
		return 0;
	step = &t->steps[(t->n - 1) & (NVE_TRACE_MAX - 1)];
	step->copy = why ? NVE_TRACE_COPY_LOST : NVE_TRACE_COPY;
	step->why = why;
	return 0;
}

static __noinline int nve_trace_drop(__u32 why)
{
	struct nve_trace *t = nve_tracing();

	if (t)
		t->why = why;
	return 0;
}

/* TC keeps a tag beside the frame, where a test run does not show it. */
static __noinline int nve_trace_tag(__u32 tci)
{
	struct nve_trace *t = nve_tracing();

	if (t) {
		t->tagged = 1;
		t->tci = tci;
	}
	return 0;
}

/* The frame goes back as an answer to itself. */
static __noinline int nve_trace_answer(void)
{
	struct nve_trace *t = nve_tracing();

	if (t)
		t->answered = 1;
	return 0;
}

/* How much longer the frame is than what a test run takes. */
static __noinline __u32 nve_trace_more(void)
{
	struct nve_trace *t = nve_tracing();

	return t ? t->more : 0;
}

/* The part of a trailer that the test run was given. */
static __noinline __u32 nve_trace_cut(__u32 trailer)
{
	__u32 more = nve_trace_more();

	return trailer > more ? trailer - more : 0;
}
