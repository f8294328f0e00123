/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz.h - what a fuzz target is: one function, run by libFuzzer (meson -Dfuzz=true, with
 * clang) or over the files of its corpus by run_corpus.c (always, as a unit test).
 */
#ifndef LANE53_FUZZ_H
#define LANE53_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Stop here: the input breaks what must hold. */
#define FUZZ_CHECK(cond)         \
	do {                     \
		if (!(cond))     \
			abort(); \
	} while (0)

#endif
