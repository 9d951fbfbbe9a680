/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client has listed so far (D9): a bit for each TSI that is here.  Nothing is done with it
 * until the client says that these are all.  The engine's thread; knows no gRPC.
 */
#pragma once

#include "session/authz.h"

struct nve_resync;

/* Whose it is: others' TSIs are as if they were not there. */
struct nve_resync_who {
	struct nve_authz *authz;
	uint16_t owner;
};
/* Begins; NULL without memory. */
struct nve_resync *nve_resync_new(const struct nve_engine *engine, const struct nve_resync_who *who,
				  const uint16_t *ports, uint32_t n_ports);
void nve_resync_free(struct nve_resync *r); /* NULL is a no-op */

/* Lists the TSI that 'req' is about.  OK, UNKNOWN_TSI, or UNKNOWN_VN: which one is not certain. */
enum nve_reason nve_resync_list(struct nve_resync *r, const struct nve_engine *engine,
				const struct nve_request *req);
/* Something was listed that cannot be told. */
void nve_resync_doubt(struct nve_resync *r);
/* UNKNOWN_VN: something that was listed was not certain. */
enum nve_reason nve_resync_verdict(const struct nve_resync *r);
/* The next TSI that is to go; '*cursor' starts at 0.  False: there is none. */
bool nve_resync_next(const struct nve_resync *r, const struct nve_engine *engine, uint32_t *cursor,
		     struct nve_tsi_key *key);
