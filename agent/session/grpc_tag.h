/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tags on their way through gRPC.  ThreadSanitizer cannot see how gRPC, which is not built for it,
 * orders threads: here it is told that what was done before a tag was given is there once it comes
 * back.  In other builds these are the plain calls.
 */
#pragma once

#include "session/grpc_internal.h"

#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#define nve_tag_given(tag) __tsan_release(tag)
#define nve_tag_taken(tag) __tsan_acquire(tag)
#else
#define nve_tag_given(tag) ((void)(tag))
#define nve_tag_taken(tag) ((void)(tag))
#endif

/* grpc_call_start_batch(). */
static inline grpc_call_error nve_start_batch(grpc_call *call, const grpc_op *ops, size_t n,
					      struct nve_completion *tag)
{
	nve_tag_given(tag);
	return grpc_call_start_batch(call, ops, n, tag, NULL);
}

/* grpc_completion_queue_next(), which waits for as long as it takes, or not at all. */
static inline grpc_event nve_next_tag(grpc_completion_queue *cq, bool wait)
{
	gpr_timespec until =
		wait ? gpr_inf_future(GPR_CLOCK_REALTIME) : gpr_inf_past(GPR_CLOCK_REALTIME);
	grpc_event ev = grpc_completion_queue_next(cq, until, NULL);

	if (ev.type == GRPC_OP_COMPLETE)
		nve_tag_taken(ev.tag);
	return ev;
}
