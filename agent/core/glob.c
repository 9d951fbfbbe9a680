/* SPDX-License-Identifier: Apache-2.0 */
#include "core/glob.h"

#include <stddef.h>

/* Only the last '*' can need another try: what an earlier one could take, this one can too. */
bool nve_glob_match(const char *pattern, const char *text)
{
	const char *star = NULL, *again = NULL;

	while (*text) {
		if (*pattern == '*') {
			star = ++pattern;
			again = text;
		} else if (*pattern == '?' || *pattern == *text) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star;
			text = ++again;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}
