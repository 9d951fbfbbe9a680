/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Part of dp.h: what a datapath was told, compared with what its tables hold and with what is
 * attached, at any time and bit by bit (D11, D18).
 *
 * A pass looks at all there is: at each row that is wanted, whether it is there and says what it
 * shall; at each row that is there, whether anybody wants it; at programs, links and pins.  What
 * programs write by themselves (counters, what is in buckets, when something was told) is no
 * difference.  Frames pass as before while a pass runs and mends; what is right is not written.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nve_dp;

enum nve_dp_diff_kind {
	NVE_DP_MISSING, /* wanted, and not there */
	NVE_DP_DIFFERS, /* there, and says something else */
	NVE_DP_FOREIGN, /* there, and nobody wants it */
};

/* One difference.  All strings stay until the function that is told returns. */
struct nve_dp_diff {
	uint8_t kind; /* enum nve_dp_diff_kind */
	bool mended;
	const char *table;       /* as in dump(); or "program", "link", "pin" */
	const char *key;         /* a JSON object, as in dump() */
	const char *want, *have; /* the same; "" if there is none */
};
/* Must not call the datapath. */
typedef void nve_dp_diff_fn(void *arg, const struct nve_dp_diff *diff);

/* A pass, the caller's.  All zero but for the first two: at its begin. */
struct nve_dp_check {
	bool repair;        /* mend what is found; what is not the agent's to change stays */
	bool attached_only; /* programs, links and pins, no tables */
	uint64_t rows;      /* looked at so far */
	uint64_t found, mended;
	/* The datapath's: where the pass has come to. */
	uint32_t stage, hash;
	uint64_t at, sum;
	uint8_t pos[32];
};

/*
 * Goes on with a pass, and looks at about 'rows' rows.  1: there is more to do; 0: the pass is
 * over; or -errno, and the pass may be gone on with.  Between set functions and their apply()
 * nothing is looked at, and 1 returned.  What changes while a pass goes on is seen as it is when
 * the pass comes there.
 */
typedef int nve_dp_check_op(struct nve_dp *dp, struct nve_dp_check *check, uint32_t rows,
			    nve_dp_diff_fn *fn, void *arg);
