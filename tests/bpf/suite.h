/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the test programs of the datapath have in common: one world, and each test run for XDP and
 * for TC, the tables filled anew.  Included by one file each.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "lib/datapath.h"

static struct dp dp;
static enum dp_mode modes[] = { DP_XDP, DP_TC };

/* In a test: the mode it runs in. */
#define MODE (*(enum dp_mode *)*state)
#define BOTH(f)                                                                                    \
	{ #f " [xdp]", f, refill, NULL, &modes[0] },                                               \
	{                                                                                          \
#f " [tc]", f, refill, NULL, &modes[1]                                             \
	}

static int refill(void **state)
{
	(void)state;
	dp_fill(&dp);
	return 0;
}

static int open_all(void **state)
{
	(void)state;
	dp_open(&dp);
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	dp_close(&dp);
	return 0;
}
