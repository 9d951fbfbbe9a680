/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the front end may listen, and the guard of unix sockets: a lock beside each path, so that
 * no second agent takes it over, and a socket that a dead agent left is removed only under it.
 */
#pragma once

#include <stdint.h>

struct nve_listeners;

/*
 * Checks the addresses, takes the locks, removes stale sockets.  -EINVAL, -EADDRINUSE or an error
 * of open(2); '*err' (may be NULL) then says what to do.
 */
int nve_listeners_take(const char *const *addresses, uint32_t n, struct nve_listeners **ret,
		       char **err);
/* The listener is bound: a unix socket gets its mode. */
int nve_listeners_bound(struct nve_listeners *l, uint32_t i);
/* Removes the sockets and gives the locks back.  NULL is a no-op. */
void nve_listeners_free(struct nve_listeners *l);
