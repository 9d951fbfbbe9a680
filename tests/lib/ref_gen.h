/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random tables and frames for the model: tables as the core would make them (a TSI only where its
 * VN is connected, no address twice at a VAP), and frames that get far before something is wrong
 * with them.  The same seed makes the same.
 */
#pragma once

#include "lib/ref.h"

/* A world with its VTEPs and VAPs, and nobody there. */
void ref_world(struct ref *m);
/* Changes something; anything may be different afterwards but the VTEPs. */
void ref_change(struct ref *m, unsigned int *seed);
/* A frame for one of the wires. */
struct frame ref_frame(const struct ref *m, unsigned int *seed, uint8_t *wire);
