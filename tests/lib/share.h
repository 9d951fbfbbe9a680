/* SPDX-License-Identifier: Apache-2.0 */
/* Tests that repeat themselves thousands of times: less often where a machine is emulated. */
#pragma once

#include <stdlib.h>

/* 'n', or the part of it that NVE_TEST_SHARE says (10: a tenth). */
static inline int test_share(int n)
{
	const char *text = getenv("NVE_TEST_SHARE");
	int share = text ? atoi(text) : 1;

	return share > 1 && n > share ? n / share : n;
}
