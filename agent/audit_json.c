/* SPDX-License-Identifier: Apache-2.0 */
/* The text of a line of the audit log.  Whatever a client sent, it is one line of valid JSON. */
#include "audit_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct text {
	char *at;
	size_t len, max;
	bool full;
};

static void add(struct text *t, const char *bytes, size_t len)
{
	if (t->full || t->len + len > t->max) {
		t->full = true;
		return;
	}
	memcpy(t->at + t->len, bytes, len);
	t->len += len;
}

static void add_text(struct text *t, const char *text)
{
	add(t, text, strlen(text));
}

static bool follows(const unsigned char *s, int n)
{
	for (int i = 0; i < n; i++)
		if ((s[i] & 0xc0) != 0x80) /* a NUL ends it, too */
			return false;
	return true;
}

/* Bytes of the UTF-8 sequence at 's', 0 if there is none (RFC 3629: no surrogates, none overlong).
 */
static size_t utf8_len(const unsigned char *s)
{
	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		return follows(s + 1, 1) ? 2 : 0;
	if ((s[0] & 0xf0) == 0xe0) {
		if (!follows(s + 1, 2) || (s[0] == 0xe0 && s[1] < 0xa0) ||
		    (s[0] == 0xed && s[1] > 0x9f))
			return 0;
		return 3;
	}
	if (s[0] < 0xf0 || s[0] > 0xf4 || !follows(s + 1, 3))
		return 0;
	return (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f) ? 0 : 4;
}

/* What is no UTF-8 becomes U+FFFD, a byte each; control characters, DEL among them, are escaped. */
static void add_string(struct text *t, const char *value)
{
	const unsigned char *s = (const unsigned char *)value;
	char escape[8];

	add(t, "\"", 1);
	while (*s) {
		size_t n = utf8_len(s);

		if (n == 0) {
			add_text(t, "\\ufffd");
			n = 1;
		} else if (*s == '"' || *s == '\\') {
			add(t, "\\", 1);
			add(t, (const char *)s, 1);
		} else if (*s < ' ' || *s == 0x7f) {
			snprintf(escape, sizeof(escape), "\\u%04x", *s);
			add_text(t, escape);
		} else {
			add(t, (const char *)s, n);
		}
		s += n;
	}
	add(t, "\"", 1);
}

static void add_value(struct text *t, const struct nve_log_field *field)
{
	char number[24];

	switch (field->type) {
	case NVE_LOG_STR:
		add_string(t, field->str);
		break;
	case NVE_LOG_UINT:
		snprintf(number, sizeof(number), "%" PRIu64, field->num);
		add_text(t, number);
		break;
	case NVE_LOG_INT:
		snprintf(number, sizeof(number), "%" PRId64, field->integer);
		add_text(t, number);
		break;
	case NVE_LOG_ERRNO:
		add_string(t, strerrordesc_np((int)-field->integer) ?: "unknown error");
		break;
	case NVE_LOG_BYTES:
		add(t, "\"", 1);
		for (uint32_t i = 0; i < field->len; i++) {
			snprintf(number, sizeof(number), "%02x", field->bytes[i]);
			add_text(t, number);
		}
		add(t, "\"", 1);
		break;
	}
}

/* All of it or nothing. */
static bool add_field(struct text *t, const struct nve_log_field *field)
{
	size_t was = t->len;

	add(t, ",", 1);
	add_string(t, field->key);
	add(t, ":", 1);
	add_value(t, field);
	if (!t->full)
		return true;
	t->len = was;
	t->full = false;
	return false;
}

size_t nve_audit_body(char out[NVE_AUDIT_BODY_BYTES], const char *event,
		      const struct nve_log_field *fields)
{
	static const char cut_text[] = ",\"cut\":true", end[] = "}\n";
	struct text t = { .at = out, .max = NVE_AUDIT_BODY_BYTES - sizeof(cut_text) - sizeof(end) };
	bool cut = false;

	add_text(&t, "\"event\":");
	add_string(&t, event);
	for (; fields->key; fields++) {
		bool left_out = (fields->type == NVE_LOG_STR && !fields->str) ||
				(fields->type == NVE_LOG_BYTES && !fields->bytes);

		if (!left_out && !add_field(&t, fields))
			cut = true;
	}
	t.max = NVE_AUDIT_BODY_BYTES;
	if (cut)
		add_text(&t, cut_text);
	add_text(&t, end);
	return t.len;
}

size_t nve_audit_head(char out[NVE_AUDIT_HEAD_BYTES], uint64_t seq, uint64_t realtime_ns)
{
	time_t seconds = (time_t)(realtime_ns / 1000000000);
	struct tm tm;
	int n;

	gmtime_r(&seconds, &tm);
	n = snprintf(out, NVE_AUDIT_HEAD_BYTES,
		     "{\"seq\":%" PRIu64 ",\"time\":\"%04d-%02d-%02dT%02d:%02d:%02d.%09" PRIu64
		     "Z\",",
		     seq, tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
		     tm.tm_sec, realtime_ns % 1000000000);
	return (size_t)n;
}
