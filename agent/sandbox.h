/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is taken from the agent once it has loaded all and before it listens, so that whoever breaks
 * into it through a request has little: capabilities, new privileges, system calls.
 */
#pragma once

#include <stdint.h>

/* The capabilities that an agent with the kernel's datapath keeps, by number as bits. */
uint64_t nve_sandbox_datapath_caps(void);

/*
 * Gives up all capabilities but 'keep' (of those it has), for good; no new privileges; no core
 * dumps and no debugger; and a filter of system calls (sandbox_filter.c says which).  All threads
 * to come inherit that, so the caller must be the only one: -EBUSY else.  -errno: the kernel lacks
 * something; '*err' then says what, and how far it came is not defined: end the process.
 */
int nve_sandbox_enter(uint64_t keep, char **err);

/* Installs the filter alone; -errno.  Part of the above. */
int nve_sandbox_filter(void);
