/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is at the other end of a connection, as far as it was proven (S99, B12).
 *
 * 'identity' is what the policy and the audit log know it by:
 *   "unix:1000"            peer's uid of a unix socket, as the kernel says it (SO_PEERCRED)
 *   "loopback"             TCP on loopback without TLS: nothing is proven but the machine
 *   "tls:uri:spiffe://..." the URI SAN of a client certificate that was verified
 *   "tls:dns:host.example" its first DNS SAN, if it has no URI SAN
 * The prefixes are ours: no certificate can claim to be a unix peer.
 */
#pragma once

#include <stdint.h>

enum { NVE_IDENTITY_MAX = 255 };

enum nve_peer_kind { NVE_PEER_LOOPBACK, NVE_PEER_UNIX, NVE_PEER_TLS };

struct nve_peer {
	uint8_t kind;
	uint32_t uid, gid; /* NVE_PEER_UNIX */
	int32_t pid;       /* NVE_PEER_UNIX; for logs alone: it may be another process by now */
	char identity[NVE_IDENTITY_MAX + 1];
};
