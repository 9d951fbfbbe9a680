/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the fuzz targets share.  A target is one LLVMFuzzerTestOneInput(): libFuzzer calls it
 * ('make fuzz'), or tests/fuzz/replay.c with the files of its corpus ('make test').
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold whatever the input is: aborts, which both drivers report with the input. */
#define fuzz_check(expr)                                                                           \
	do {                                                                                       \
		if (!(expr))                                                                       \
			fuzz_broken(#expr, __FILE__, __LINE__);                                    \
	} while (0)
_Noreturn void fuzz_broken(const char *expr, const char *file, int line);

/* Makes cmocka's assertions abort: there is no test around them that could fail. */
void fuzz_asserts_abort(void);

/* The bytes as a file: a path, good until the next call. */
const char *fuzz_file(const uint8_t *data, size_t size);
/* A copy with a NUL behind it, which the caller frees; ASan sees what reads beyond. */
char *fuzz_text(const uint8_t *data, size_t size);

/* Choices, taken off the input byte by byte; all zero when it is used up. */
struct fuzz_bytes {
	const uint8_t *at, *end;
};
/* Below 'n', which is not 0. */
uint32_t fuzz_draw(void *bytes, uint32_t n);
