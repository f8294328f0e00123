/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * run_corpus.c - a fuzz target over its corpus, without libFuzzer: each file given, each
 * file of each directory given, and every prefix of it.
 */
#include "fuzz.h"
#include <dirent.h>
#include <stdio.h>
#include <string.h>

/* Larger files are run whole only: prefixes would take quadratic time. */
#define PREFIX_MAX 4096

static unsigned inputs;

static void run(const uint8_t *bytes, size_t len)
{
	/* a block of exactly this size: ASan sees a read past it */
	uint8_t *copy = malloc(len ? len : 1);

	memcpy(copy, bytes, len);
	LLVMFuzzerTestOneInput(copy, len);
	free(copy);
	inputs++;
}

static int run_file(const char *path)
{
	static uint8_t bytes[1 << 20];
	FILE *file = fopen(path, "rb");
	size_t len;

	if (!file) {
		perror(path);
		return 1;
	}
	len = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	run(bytes, len);
	for (size_t cut = 0; len <= PREFIX_MAX && cut < len; cut++)
		run(bytes, cut);
	return 0;
}

static int run_directory(const char *path, DIR *dir)
{
	char file[4096];
	struct dirent *entry;
	int failed = 0;

	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
		failed |= run_file(file);
	}
	return failed;
}

int main(int argc, char **argv)
{
	int failed = 0;

	for (int i = 1; i < argc; i++) {
		DIR *dir = opendir(argv[i]);

		if (dir) {
			failed |= run_directory(argv[i], dir);
			closedir(dir);
		} else {
			failed |= run_file(argv[i]);
		}
	}
	printf("%u inputs\n", inputs);
	return failed || !inputs; /* an empty corpus tests nothing */
}
