/* SPDX-License-Identifier: Apache-2.0 */
/* The standard services health and reflection, as bytes; no gRPC.  Any thread. */
#pragma once

#include "session/codec.h"

/* The numbers of grpc.health.v1. */
enum nve_health {
	NVE_HEALTH_SERVING = 1,
	NVE_HEALTH_NOT_SERVING = 2,
	NVE_HEALTH_UNKNOWN = 3, /* no such service here */
};

/* What a HealthCheckRequest is to be told: an enum nve_health, or -EBADMSG. */
int nve_health_status(const uint8_t *bytes, size_t len, bool serving, struct nve_arena *arena);
int nve_health_reply(int status, struct nve_arena *arena, struct nve_bytes *ret);

/*
 * The reply to a ServerReflectionRequest of v1 or v1alpha, which have the same wire form.
 * 0, -EBADMSG, -ENOMEM.
 */
int nve_reflection_reply(const uint8_t *bytes, size_t len, struct nve_arena *arena,
			 struct nve_bytes *ret);
