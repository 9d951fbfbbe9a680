/* SPDX-License-Identifier: Apache-2.0 */
/* One buffer a line, one write(2) a line.  Knows nobody. */
#include "log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 1024 }; /* longer lines are cut */

struct line {
	char text[LINE_MAX_BYTES];
	size_t len;
};

static const struct {
	const char *name;
	int priority; /* of syslog(3) */
} levels[] = {
	[NVE_LOG_ERROR] = { "error", 3 },
	[NVE_LOG_WARNING] = { "warning", 4 },
	[NVE_LOG_INFO] = { "info", 6 },
	[NVE_LOG_DEBUG] = { "debug", 7 },
};
enum { LEVELS = sizeof(levels) / sizeof(*levels) };

static atomic_int threshold = NVE_LOG_INFO;

/* systemd names the device and inode of the stream it gave us; a redirected stderr differs. */
static bool is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uintmax_t dev = 0, ino = 0;
	struct stat st;

	if (!stream || sscanf(stream, "%" SCNuMAX ":%" SCNuMAX, &dev, &ino) != 2)
		return false;
	return !fstat(STDERR_FILENO, &st) && st.st_dev == dev && st.st_ino == ino;
}

__attribute__((format(printf, 2, 3))) static void add(struct line *line, const char *fmt, ...)
{
	size_t room = sizeof(line->text) - 1 - line->len; /* one is kept for the newline */
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(line->text + line->len, room, fmt, args);
	va_end(args);
	if (n > 0)
		line->len += (size_t)n < room ? (size_t)n : room - 1;
}

static bool needs_quotes(const char *value)
{
	if (!*value)
		return true;
	for (; *value; value++)
		if ((unsigned char)*value <= ' ' || *value == '"' || *value == '=' ||
		    *value == '\\' || *value == 0x7f)
			return true;
	return false;
}

/* Control characters are escaped, so that no value can end the line or start another. */
static void add_string(struct line *line, const char *value)
{
	if (!needs_quotes(value)) {
		add(line, "%s", value);
		return;
	}
	add(line, "\"");
	for (; *value; value++) {
		unsigned char c = (unsigned char)*value;

		if (c == '"' || c == '\\')
			add(line, "\\%c", c);
		else if (c == '\n')
			add(line, "\\n");
		else if (c < ' ' || c == 0x7f)
			add(line, "\\x%02x", c);
		else
			add(line, "%c", c);
	}
	add(line, "\"");
}

static void add_field(struct line *line, const struct nve_log_field *field)
{
	if ((field->type == NVE_LOG_STR && !field->str) ||
	    (field->type == NVE_LOG_BYTES && !field->bytes))
		return;
	add(line, " %s=", field->key);
	switch (field->type) {
	case NVE_LOG_STR:
		add_string(line, field->str);
		break;
	case NVE_LOG_UINT:
		add(line, "%" PRIu64, field->num);
		break;
	case NVE_LOG_INT:
		add(line, "%" PRId64, field->integer);
		break;
	case NVE_LOG_ERRNO:
		add_string(line, strerrordesc_np((int)-field->integer) ?: "unknown error");
		break;
	case NVE_LOG_BYTES:
		for (uint32_t i = 0; i < field->len; i++)
			add(line, "%02x", field->bytes[i]);
		break;
	}
}

static void add_prefix(struct line *line, enum nve_log_level level)
{
	struct timespec now;
	struct tm tm;

	if (is_journal()) {
		add(line, "<%d>", levels[level].priority);
		return;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	add(line, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ %s ", tm.tm_year + 1900, tm.tm_mon + 1,
	    tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, now.tv_nsec / 1000000,
	    levels[level].name);
}

void nve_log_set_level(enum nve_log_level level)
{
	atomic_store(&threshold, (int)level);
}

int nve_log_parse_level(const char *name)
{
	for (int i = 0; i < LEVELS; i++)
		if (!strcmp(name, levels[i].name))
			return i;
	return -1;
}

int nve_log_enabled(enum nve_log_level level)
{
	return (int)level <= atomic_load_explicit(&threshold, memory_order_relaxed);
}

void nve_log_fields(enum nve_log_level level, const char *event, const struct nve_log_field *fields)
{
	struct line line = { .len = 0 };
	ssize_t written;

	add_prefix(&line, level);
	add(&line, "%s", event);
	for (; fields->key; fields++)
		add_field(&line, fields);
	line.text[line.len++] = '\n';
	written = write(STDERR_FILENO, line.text, line.len);
	(void)written; /* there is nowhere to complain */
}
