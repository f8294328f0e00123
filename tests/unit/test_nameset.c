/* SPDX-License-Identifier: BSD-3-Clause */
/* test_nameset.c - a set of (view, name). */
#include "check.h"

#include <string.h>
#include "daemon/nameset.h"

#define MANY 50000

static void make_name(uint8_t out[16], unsigned i)
{
	out[0] = 6;
	for (unsigned d = 0; d < 6; d++, i /= 10)
		out[1 + d] = (uint8_t)('0' + i % 10);
	memcpy(out + 7, "\1z", 3);
}

static void many_names_two_views(void)
{
	struct nameset set;
	uint8_t name[16];

	nameset_init(&set);
	CU_ASSERT_EQUAL(nameset_find(&set, 1, (const uint8_t *)"\1z"), NAMESET_NONE);
	for (unsigned i = 0; i < MANY; i++) {
		make_name(name, i);
		CU_ASSERT_EQUAL(nameset_add(&set, 1, name), i);
	}
	for (unsigned i = 0; i < MANY; i++) {
		make_name(name, i);
		CU_ASSERT_EQUAL(nameset_add(&set, 1, name), i);
		CU_ASSERT_EQUAL(nameset_find(&set, 1, name), i);
		CU_ASSERT_EQUAL(nameset_find(&set, 2, name), NAMESET_NONE);
	}
	make_name(name, 7);
	CU_ASSERT_EQUAL(nameset_add(&set, 2, name), MANY);
	CU_ASSERT_EQUAL(set.at[MANY].word, 0);
	CU_ASSERT_EQUAL(set.count, MANY + 1);
	nameset_deinit(&set);
}

static const struct check_case tests[] = {
	{ "many names in two views", many_names_two_views },
};

CHECK_MAIN("nameset", tests)
