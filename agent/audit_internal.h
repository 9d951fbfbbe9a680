/* SPDX-License-Identifier: Apache-2.0 */
/* Private to audit*.c: the text of a line, and the file. */
#pragma once

#include "audit.h"

#include <stddef.h>
#include <sys/types.h>

enum {
	NVE_AUDIT_BODY_BYTES = 6144, /* fields beyond are left out, and "cut":true says so */
	NVE_AUDIT_HEAD_BYTES = 128,
};

/* audit_json.c: what follows seq and time, from '"event"' to the newline.  Returns its length. */
size_t nve_audit_body(char out[NVE_AUDIT_BODY_BYTES], const char *event,
		      const struct nve_log_field *fields);
/* '{"seq":..,"time":"..",' */
size_t nve_audit_head(char out[NVE_AUDIT_HEAD_BYTES], uint64_t seq, uint64_t realtime_ns);

/* audit_file.c; the writer's thread alone. */
struct nve_audit_file {
	const char *path;
	uint64_t max_bytes;
	uint32_t keep;
	bool sync;
	int fd;        /* -1: not open */
	uint64_t size; /* of the file */
	uint64_t rotated, failures;
};

/* -errno as of open(2); an open file stays.  A last line that is torn is ended. */
int nve_audit_file_open(struct nve_audit_file *file);
void nve_audit_file_close(struct nve_audit_file *file);
/*
 * Writes whole lines, rotating where they would not fit.  Returns how many bytes of 'text' are in
 * the file for good, always whole lines; '*r' is 0 or what stopped it.
 */
size_t nve_audit_file_write(struct nve_audit_file *file, const char *text, size_t len, int *r);
