/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the JSON objects that stand in rows of the agent's tables, as RFC 8259 has them.  They come
 * from a peer: everything is checked before it is embedded in a document or cut into columns.
 */
#include "nvectl/json.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#define DEPTH_MAX 16

static const char *skip_space(const char *at)
{
	return at + strspn(at, " \t\r\n");
}

/* The scan_*() return what follows the value, NULL if there is none. */

/* What follows a backslash; returns its last character. */
static const char *scan_escape(const char *at)
{
	if (*at != 'u')
		return *at && strchr("\"\\/bfnrt", *at) ? at : NULL;
	for (int i = 0; i < 4; i++)
		if (!isxdigit((unsigned char)*++at))
			return NULL;
	return at;
}

static const char *scan_string(const char *at)
{
	if (*at++ != '"')
		return NULL;
	for (; *at != '"'; at++) {
		if ((unsigned char)*at < ' ')
			return NULL;
		if (*at == '\\')
			at = scan_escape(at + 1);
		if (!at)
			return NULL;
	}
	return at + 1;
}

static const char *scan_digits(const char *at)
{
	if (!isdigit((unsigned char)*at))
		return NULL;
	while (isdigit((unsigned char)*at))
		at++;
	return at;
}

static const char *scan_number(const char *at)
{
	at += *at == '-';
	if (*at == '0')
		at++;
	else
		at = scan_digits(at);
	if (at && *at == '.')
		at = scan_digits(at + 1);
	if (at && (*at == 'e' || *at == 'E')) {
		at++;
		at += *at == '+' || *at == '-';
		at = scan_digits(at);
	}
	return at;
}

static const char *scan_word(const char *at)
{
	static const char *const words[] = { "true", "false", "null" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strncmp(at, words[i], strlen(words[i])))
			return at + strlen(words[i]);
	return NULL;
}

static const char *scan_value(const char *at, int depth);

/* "name" : value, or a value alone in a list; 'member' may be NULL. */
static const char *scan_member(const char *at, bool named, int depth,
			       struct ctl_json_member *member)
{
	const char *name = at + 1, *end;
	size_t name_len = 0;

	if (named) {
		at = scan_string(at);
		if (!at)
			return NULL;
		name_len = (size_t)(at - 1 - name);
		at = skip_space(at);
		if (*at++ != ':')
			return NULL;
		at = skip_space(at);
	}
	end = scan_value(at, depth);
	if (end && member) {
		bool text = *at == '"';

		*member = (struct ctl_json_member){ name, name_len, at + text,
						    (size_t)(end - at) - 2 * text };
	}
	return end;
}

/* An object or a list; '*n' counts its members. */
static const char *scan_nest(const char *at, int depth, struct ctl_json_member *ret, size_t max,
			     size_t *n)
{
	char close = *at == '{' ? '}' : ']';

	*n = 0;
	if (depth > DEPTH_MAX)
		return NULL;
	at = skip_space(at + 1);
	if (*at == close)
		return at + 1;
	for (;; (*n)++) {
		at = scan_member(at, close == '}', depth, *n < max ? &ret[*n] : NULL);
		if (!at)
			return NULL;
		at = skip_space(at);
		if (*at == close)
			break;
		if (*at++ != ',')
			return NULL;
		at = skip_space(at);
	}
	(*n)++;
	return at + 1;
}

static const char *scan_value(const char *at, int depth)
{
	size_t n;

	if (*at == '{' || *at == '[')
		return scan_nest(at, depth + 1, NULL, 0, &n);
	if (*at == '"')
		return scan_string(at);
	if (*at == '-' || isdigit((unsigned char)*at))
		return scan_number(at);
	return scan_word(at);
}

int ctl_json_object(const char *text, struct ctl_json_member *ret, size_t max)
{
	const char *at = skip_space(text);
	size_t n;

	if (*at != '{')
		return -EINVAL;
	at = scan_nest(at, 1, ret, max, &n);
	if (!at || *skip_space(at) || n > INT_MAX)
		return -EINVAL;
	return (int)n;
}
