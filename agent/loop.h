/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's one loop (libuv): turns of session and engine, the engine's deadlines, the
 * descriptors of datapath and NVA, signals, and what systemd is told.  The only place that reads
 * a clock for the engine.
 */
#pragma once

#include "engine.h"
#include "session/session.h"

struct nve_loop;

int nve_loop_new(struct nve_loop **ret);
void nve_loop_free(struct nve_loop *loop); /* NULL is a no-op */

/* Makes the loop take a turn soon.  Any thread, from nve_loop_new() to nve_loop_free(). */
void nve_loop_wake(void *loop);

/*
 * Takes a turn of session and engine at once, unless one is under way: then, and when the loop does
 * not run, false.  Any thread but the loop's own, as above.
 */
bool nve_loop_turn(void *loop);

/*
 * Runs until SIGTERM or SIGINT, and then until the front end has answered what is outstanding,
 * five seconds at most; a second signal ends it at once.  SIGHUP reloads the NVA and TLS.
 * 0 or -errno; engine and server stay the caller's.
 */
int nve_loop_run(struct nve_loop *loop, struct nve_engine *engine,
		 struct nve_session_server *server);
