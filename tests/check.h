/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * check.h - what every CUnit program of ours begins and ends with.
 *
 * A program lists its cases in one table and calls check_main(); its exit code is 0, 1,
 * or CHECK_SKIPPED after check_skip() said why.
 */
#ifndef LANE53_CHECK_H
#define LANE53_CHECK_H

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <stdio.h>

#define CHECK_SKIPPED 77 /* meson's code for a skipped test */

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

struct check_case {
	const char *name;
	void (*run)(void);
};

static inline int check_skip(const char *why)
{
	printf("skipped: %s\n", why);
	return CHECK_SKIPPED;
}

static inline int check_main(const char *suite, const struct check_case *cases,
			     size_t count)
{
	CU_pSuite s;
	unsigned failed;

	if (CU_initialize_registry() != CUE_SUCCESS)
		return 1;
	s = CU_add_suite(suite, NULL, NULL);
	for (size_t i = 0; i < count; i++)
		if (!s || !CU_add_test(s, cases[i].name, cases[i].run))
			return 1;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed ? 1 : 0;
}

#define CHECK_MAIN(suite, cases)                                   \
	int main(void)                                             \
	{                                                          \
		return check_main(suite, cases, ARRAY_LEN(cases)); \
	}

#endif
