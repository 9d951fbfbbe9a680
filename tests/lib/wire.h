/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The world of datapath.h with its programs attached, seen from the far ends of its wires.  The
 * process runs on one CPU, so that frames arrive in the order in which they were sent.
 */
#pragma once

#include "lib/datapath.h"

enum { WIRE_A0, WIRE_A1, WIRE_U0, WIRES };

struct wire {
	struct dp *dp;
	int fd[WIRES];
};

/* TC on every port, and XDP in front of it in XDP mode; links go with the namespace. */
void wire_attach(struct dp *dp, uint32_t ifindex, enum dp_mode mode, enum dp_side side);
void wire_detach(uint32_t ifindex);
/* What the copies of BUM are made on in XDP; off: they are TC's.  wire_open() does it too. */
enum { IF_LOOP_A = 20, IF_LOOP_B };
void wire_loop(struct dp *dp, bool on);
/* Attaches all three ports and listens at their far ends. */
void wire_open(struct wire *w, struct dp *dp, enum dp_mode mode);
void wire_close(struct wire *w);

void wire_send(struct wire *w, int wire, const struct frame *f);
/*
 * What came out of the wire since the last call, tags in the frames: exactly these 'n' frames, in
 * order?  Sends one frame of its own through the datapath to know where to stop; fails if that
 * does not arrive within seconds.
 */
void wire_expect(struct wire *w, int wire, const struct frame *want, size_t n);
/* The same one by one, where the order is not known: wire_mark() and then this while it is true. */
void wire_mark(struct wire *w, int wire);
bool wire_next(struct wire *w, int wire, struct frame *ret);
