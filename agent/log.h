/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log: one line per event on stderr, 'event key=value ...', keys in the order they are given.
 * Only engine, session and main write to it; everything below returns its errors.
 *
 * When stderr is the journal, each line bears its priority (<6>) and the journal adds the time;
 * else level and time come first.  Any thread may log; a line is written in one piece.
 */
#pragma once

#include <stdint.h>

enum nve_log_level { NVE_LOG_ERROR, NVE_LOG_WARNING, NVE_LOG_INFO, NVE_LOG_DEBUG };

/* Lines above 'level' are dropped; INFO until this is called. */
void nve_log_set_level(enum nve_log_level level);
/* "error", "warning", "info", "debug" to the level; -1 for anything else. */
int nve_log_parse_level(const char *name);
int nve_log_enabled(enum nve_log_level level);

enum nve_log_type { NVE_LOG_STR, NVE_LOG_UINT, NVE_LOG_INT, NVE_LOG_ERRNO, NVE_LOG_BYTES };

struct nve_log_field {
	const char *key; /* NULL: the list ends here */
	enum nve_log_type type;
	union {
		const char *str; /* NULL: the field is left out; quoted where it needs it */
		uint64_t num;
		int64_t integer;      /* ERRNO: negative errno, as its text */
		const uint8_t *bytes; /* as hex digits; NULL: left out too */
	};
	uint32_t len; /* of 'bytes' */
};

void nve_log_fields(enum nve_log_level level, const char *event,
		    const struct nve_log_field *fields);

/* nve_log(INFO, "vn_connected", LOG_S("port", name), LOG_U("vn", id)) */
#define nve_log(level, event, ...)                                                                 \
	do {                                                                                       \
		if (nve_log_enabled(NVE_LOG_##level))                                              \
			nve_log_fields(NVE_LOG_##level, event,                                     \
				       (const struct nve_log_field[]){ __VA_ARGS__, { 0 } });      \
	} while (0)
#define LOG_FIELD(...) ((const struct nve_log_field){ __VA_ARGS__ })
#define LOG_S(k, v)    LOG_FIELD(.key = (k), .type = NVE_LOG_STR, .str = (v))
#define LOG_U(k, v)    LOG_FIELD(.key = (k), .type = NVE_LOG_UINT, .num = (v))
#define LOG_E(r)       LOG_FIELD(.key = "error", .type = NVE_LOG_ERRNO, .integer = (r))
#define LOG_X(k, v, n) LOG_FIELD(.key = (k), .type = NVE_LOG_BYTES, .bytes = (v), .len = (n))
