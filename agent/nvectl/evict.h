/* SPDX-License-Identifier: Apache-2.0 */
/* What 'nvectl evict' and 'nvectl drain' share. */
#pragma once

#include <errno.h>

#include "nvectl/ctl.h"

/* --wait in milliseconds, 0 if not given.  CTL_OK or CTL_USAGE. */
int ctl_get_wait(const struct ctl *ctl, uint64_t max_ms, uint32_t *ret);
/* A call that may take as long as it waits.  As ctl_call_unary(). */
int ctl_evict_call(struct ctl *ctl, const char *method, const Nve__V1__EvictRequest *req,
		   ProtobufCMessage **ret);
/* "3 of 3 VNs disconnected, 7 TSIs released", and who was told. */
void ctl_evict_print(const Nve__V1__EvictReply *reply, const char *what, const char *done);
