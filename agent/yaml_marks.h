/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Says on which line of a YAML text a value stands, so that a complaint about its meaning can name
 * the line.  libcyaml, which reads the values, keeps no positions.  Knows libyaml alone.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct nve_marks;

/*
 * Parses 'text', which is not kept.  -EINVAL: not one well-formed document, a key given twice in
 * one mapping, an alias, or nested more than 16 deep; then '*line' and '*what' say where and what
 * ("what; what to do", the caller frees it), and '*ret' is untouched.  An empty text is
 * well-formed.
 */
int nve_marks_parse(const char *text, size_t len, struct nve_marks **ret, unsigned *line,
		    char **what);
void nve_marks_free(struct nve_marks *marks); /* NULL is a no-op */

/*
 * The line, from 1, of the value at a path such as "ports/2/ifname" (sequences count from 0).
 * What is not there has the line of the mapping or sequence it should stand in.
 */
unsigned nve_marks_line(const struct nve_marks *marks, const char *path);
bool nve_marks_has(const struct nve_marks *marks, const char *path);

/*
 * The first key, in the order of the text, whose path 'known' denies, and its line; NULL if there
 * is none.  What is below a denied key is not looked at.
 */
const char *nve_marks_unknown_key(const struct nve_marks *marks, bool (*known)(const char *path),
				  unsigned *line);
