/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_abi.c - what abi.h and wire.h promise beyond what the compiler asserts.
 */
#include "check.h"
#include "lane53/abi.h"
#include "lane53/wire.h"

static void type_classes_are_distinct(void)
{
	static const __u16 types[] = {
#define X(name, value) value,
		LANE53_TYPES(X)
#undef X
	};

	CU_ASSERT_TRUE(ARRAY_LEN(types) < LANE53_TYPE_CLASSES);
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		CU_ASSERT_EQUAL(lane53_type_class(types[i]), i + 1);
	CU_ASSERT_EQUAL(lane53_type_class(65280), 0);
}

/* XDP masks indices by these. */
static void series_have_room(void)
{
	CU_ASSERT_TRUE(LANE53_DIRECTIVE_COUNT <= LANE53_DIRECTIVE_MAX);
	CU_ASSERT_TRUE(LANE53_RESULT_COUNT <= LANE53_RESULT_MAX);
	CU_ASSERT_EQUAL(LANE53_DIRECTIVE_MAX & (LANE53_DIRECTIVE_MAX - 1), 0);
	CU_ASSERT_EQUAL(LANE53_TYPE_CLASSES & (LANE53_TYPE_CLASSES - 1), 0);
}

/* RFC 6840 5.7, 5.8: AD is shown to who asked for it. */
static void response_flags_follow_the_query(void)
{
	static const struct {
		const char *name;
		__u16 query, bits;
		int dnssec_ok;
		__u16 want;
	} cases[] = {
		{ "RD copied", FLAG_RD, FLAG_AA, 0, FLAG_QR | FLAG_RD | FLAG_AA },
		{ "CD copied", FLAG_CD, 0, 0, FLAG_QR | FLAG_CD },
		{ "Z cleared", FLAG_Z | FLAG_TC | FLAG_RA, 0, 0, FLAG_QR },
		{ "AD unasked", 0, FLAG_AD, 0, FLAG_QR },
		{ "AD by AD", FLAG_AD, FLAG_AD, 0, FLAG_QR | FLAG_AD },
		{ "AD by DO", 0, FLAG_AD, 1, FLAG_QR | FLAG_AD },
		{ "rcode", 0, RCODE_NXDOMAIN, 0, FLAG_QR | RCODE_NXDOMAIN },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		CU_ASSERT_EQUAL(response_flags(cases[i].query, cases[i].bits,
					       cases[i].dnssec_ok),
				cases[i].want);
}

static void udp_limits(void)
{
	CU_ASSERT_EQUAL(udp_limit(0, 1232), 512);
	CU_ASSERT_EQUAL(udp_limit(100, 1232), 512);
	CU_ASSERT_EQUAL(udp_limit(1000, 1232), 1000);
	CU_ASSERT_EQUAL(udp_limit(4096, 1232), 1232);
}

static const struct check_case cases[] = {
	{ "type classes are distinct", type_classes_are_distinct },
	{ "series have room", series_have_room },
	{ "response flags follow the query", response_flags_follow_the_query },
	{ "UDP limits", udp_limits },
};

CHECK_MAIN("abi", cases)
