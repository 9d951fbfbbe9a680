/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void fuzz_broken(const char *expr, const char *file, int line)
{
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, expr);
	abort();
}

void fuzz_asserts_abort(void)
{
	setenv("CMOCKA_TEST_ABORT", "1", 1);
}

const char *fuzz_file(const uint8_t *data, size_t size)
{
	static int fd = -1;
	static char path[40];

	if (fd < 0) {
		fd = memfd_create("fuzz", MFD_CLOEXEC);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	fuzz_check(fd >= 0 && !ftruncate(fd, 0));
	fuzz_check(pwrite(fd, data, size, 0) == (ssize_t)size);
	return path;
}

char *fuzz_text(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	fuzz_check(text);
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

uint32_t fuzz_draw(void *arg, uint32_t n)
{
	struct fuzz_bytes *bytes = arg;
	uint32_t value = 0;

	for (uint32_t range = n - 1; range && bytes->at < bytes->end; range >>= 8)
		value = value << 8 | *bytes->at++;
	return value % n;
}
