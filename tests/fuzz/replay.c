/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gives a fuzz target every file of its corpus, tests/fuzz/corpus/NAME/, or those named as
 * arguments.  What once broke it is there, so it is a test like any other; no clang is needed.
 */
#include "lib/fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INPUT_MAX = 1 << 21 };

static bool replay(const char *path)
{
	uint8_t *bytes = malloc(INPUT_MAX), *exact;
	FILE *file = fopen(path, "rbe");
	size_t n;

	if (!bytes || !file) {
		perror(path);
		free(bytes);
		return false;
	}
	n = fread(bytes, 1, INPUT_MAX, file);
	fclose(file);
	exact = realloc(bytes, n ? n : 1); /* so that ASan sees a read beyond */
	fprintf(stderr, "%s\n", path);
	LLVMFuzzerTestOneInput(exact ? exact : bytes, n);
	free(exact ? exact : bytes);
	return true;
}

static void replay_folder(const char *folder, int *passed, int *failed)
{
	DIR *dir = opendir(folder);
	char path[512];

	for (struct dirent *e; dir && (e = readdir(dir));) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		++*(replay(path) ? passed : failed);
	}
	if (dir)
		closedir(dir);
	else
		fprintf(stderr, "%s: %s\n", folder, strerror(errno));
}

int main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
	int passed = 0, failed = 0;
	char folder[256];

	for (int i = 1; i < argc; i++)
		++*(replay(argv[i]) ? &passed : &failed);
	if (argc < 2) {
		snprintf(folder, sizeof(folder), "tests/fuzz/corpus/%s", name);
		replay_folder(folder, &passed, &failed);
	}
	printf("%d passed, %d failed\n", passed, failed);
	return failed || !passed;
}
