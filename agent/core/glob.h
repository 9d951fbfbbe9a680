/* SPDX-License-Identifier: Apache-2.0 */
/* Patterns of names: '*' is any run of characters, also none; '?' is one; all else is itself. */
#pragma once

#include <stdbool.h>

/* Time is at most the product of the lengths, memory none. */
bool nve_glob_match(const char *pattern, const char *text);
