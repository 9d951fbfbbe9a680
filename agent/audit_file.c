/* SPDX-License-Identifier: Apache-2.0 */
/* The file of the audit log: appended to in whole lines, and turned over by size. */
#include "audit_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int failed(struct nve_audit_file *file, int r)
{
	file->failures++;
	return r;
}

void nve_audit_file_close(struct nve_audit_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
}

/* An agent that was killed, or a disk that filled, may have left half a line: it gets its end. */
static void end_torn_line(struct nve_audit_file *file, int fd)
{
	char last = '\n';

	if (file->size && pread(fd, &last, 1, (off_t)file->size - 1) == 1 && last != '\n' &&
	    write(fd, "\n", 1) == 1)
		file->size++;
}

int nve_audit_file_open(struct nve_audit_file *file)
{
	struct stat st;
	int fd = open(file->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return failed(file, -errno);
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		return failed(file, -EINVAL);
	}
	nve_audit_file_close(file);
	file->fd = fd;
	file->size = (uint64_t)st.st_size;
	end_torn_line(file, fd);
	return 0;
}

static void numbered(const struct nve_audit_file *file, char out[PATH_MAX], uint32_t i)
{
	if (i)
		snprintf(out, PATH_MAX, "%s.%u", file->path, i);
	else
		snprintf(out, PATH_MAX, "%s", file->path);
}

/* PATH.1 becomes PATH.2, and so on; the last falls off.  A gap in the row is no error. */
static int shift(struct nve_audit_file *file)
{
	char from[PATH_MAX], to[PATH_MAX];

	for (uint32_t i = file->keep; i > 0; i--) {
		numbered(file, from, i - 1);
		numbered(file, to, i);
		if (rename(from, to) && errno != ENOENT)
			return -errno;
	}
	if (!file->keep && unlink(file->path) && errno != ENOENT)
		return -errno;
	return 0;
}

/* If it cannot be turned over, the file grows: that is better than to lose lines. */
static int rotate(struct nve_audit_file *file)
{
	int r;

	if (file->sync && fdatasync(file->fd))
		failed(file, -errno);
	r = shift(file);
	if (r) {
		failed(file, r);
		file->size = 0; /* tried again after as much again */
		return 0;
	}
	nve_audit_file_close(file); /* what it was must not be shifted once more */
	r = nve_audit_file_open(file);
	file->rotated += !r;
	return r;
}

static size_t whole_lines(const char *text, size_t len)
{
	const char *end = memrchr(text, '\n', len);

	return end ? (size_t)(end - text) + 1 : 0;
}

/* How much fits before the file is turned over; at least one line into an empty one. */
static size_t fitting(const struct nve_audit_file *file, const char *text, size_t len)
{
	uint64_t room = file->max_bytes > file->size ? file->max_bytes - file->size : 0;
	size_t n = len;

	if (file->max_bytes && room < len)
		n = whole_lines(text, (size_t)room);
	if (n || file->size)
		return n;
	return (size_t)((const char *)memchr(text, '\n', len) - text) + 1;
}

/* What was written of a line that is not whole is taken off the file again. */
static size_t write_lines(struct nve_audit_file *file, const char *text, size_t len, int *r)
{
	ssize_t n = write(file->fd, text, len);
	size_t whole;
	struct stat st;

	*r = n < 0 ? -errno : (size_t)n < len ? -ENOSPC : 0;
	if (n <= 0)
		return 0;
	whole = whole_lines(text, (size_t)n);
	file->size += whole;
	if (whole < (size_t)n && !fstat(file->fd, &st) && st.st_size >= n - (ssize_t)whole &&
	    ftruncate(file->fd, st.st_size - (n - (ssize_t)whole)))
		failed(file, -errno);
	return whole;
}

size_t nve_audit_file_write(struct nve_audit_file *file, const char *text, size_t len, int *r)
{
	size_t done = 0;

	*r = file->fd < 0 ? nve_audit_file_open(file) : 0;
	while (!*r && done < len) {
		size_t n = fitting(file, text + done, len - done);

		if (!n) {
			*r = rotate(file);
			continue;
		}
		done += write_lines(file, text + done, n, r);
		if (*r == -EINTR)
			*r = 0;
		else if (*r)
			failed(file, *r);
	}
	if (!*r && file->sync && fdatasync(file->fd))
		*r = failed(file, -errno);
	return done;
}
