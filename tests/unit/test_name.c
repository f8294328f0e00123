/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_name.c - domain names: text, wire, order.
 */
#include "check.h"

#include <string.h>

#include "dns/name.h"

/* 63 letters, and a name of exactly 255 bytes: 3 x 64 + 62 + 1. */
#define L61 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffg"
#define L63 L61 "hi"

static void text_to_wire_and_back(void)
{
	static const struct {
		const char *text;
		size_t want; /* 0: refused */
		const char *back;
	} cases[] = {
		{ ".", 1, "." },
		{ "com", 5, "com." },
		{ "com.", 5, "com." },
		{ "Www.Example.org", 17, "Www.Example.org." },
		{ "a\\.b.c", 7, "a\\.b.c." },
		{ "a\\046b.c", 7, "a\\.b.c." },
		{ "\\000\\255.x", 6, "\\000\\255.x." },
		{ "_dns._tcp.x", 13, "_dns._tcp.x." },
		{ "*.x", 5, "*.x." },
		{ L63, 65, L63 "." },
		{ L63 "." L63 "." L63 "." L61, 255, L63 "." L63 "." L63 "." L61 "." },
		{ L63 "." L63 "." L63 "." L61 "x", 0, NULL },
		{ L63 "x", 0, NULL },
		{ "", 0, NULL },
		{ "..", 0, NULL },
		{ ".a", 0, NULL },
		{ "a..b", 0, NULL },
		{ "a\\", 0, NULL },
		{ "a\\25", 0, NULL },
		{ "a\\256", 0, NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t wire[255];
		char text[NAME_TEXT_ROOM];
		size_t got = name_from_text(wire, cases[i].text);

		if (got != cases[i].want)
			printf("\n  \"%s\": got %zu", cases[i].text, got);
		CU_ASSERT_EQUAL(got, cases[i].want);
		if (!got || got != cases[i].want)
			continue;
		CU_ASSERT_EQUAL(name_length(wire, got), got);
		CU_ASSERT_EQUAL(name_length(wire, got - 1), 0);
		CU_ASSERT_EQUAL(name_size(wire), got);
		CU_ASSERT_EQUAL(name_to_text(text, wire), strlen(cases[i].back));
		CU_ASSERT_STRING_EQUAL(text, cases[i].back);
	}
}

static void wire_that_is_no_name(void)
{
	uint8_t wire[300];

	CU_ASSERT_EQUAL(name_length((const uint8_t *)"", 0), 0);
	CU_ASSERT_EQUAL(name_length((const uint8_t *)"\xc0\x0c", 2), 0);
	CU_ASSERT_EQUAL(name_length((const uint8_t *)"\x40", 1), 0);
	memset(wire, 1, sizeof(wire));
	wire[256] = 0; /* 257 bytes */
	CU_ASSERT_EQUAL(name_length(wire, sizeof(wire)), 0);
	wire[254] = 0; /* 255 bytes */
	CU_ASSERT_EQUAL(name_length(wire, sizeof(wire)), 255);
}

/* The longest presentation form there is must fit NAME_TEXT_ROOM. */
static void longest_text(void)
{
	uint8_t wire[255];
	char text[NAME_TEXT_ROOM];

	memset(wire, 1, sizeof(wire));
	for (size_t i = 0; i < 192; i += 64)
		wire[i] = 63;
	wire[192] = 61;
	wire[254] = 0;
	CU_ASSERT_EQUAL(name_length(wire, 255), 255);
	CU_ASSERT_EQUAL(name_to_text(text, wire), 250 * 4 + 4);
	CU_ASSERT_EQUAL(name_from_text(wire, text), 255);
}

/* RFC 4034 6.1's own list, in canonical order. */
static void canonical_order(void)
{
	static const char *const order[] = {
		".",           "example",         "a.example", "yljkjljk.a.example",
		"Z.a.example", "zABC.a.EXAMPLE",  "z.example", "\\001.z.example",
		"*.z.example", "\\200.z.example",
	};

	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		for (size_t j = 0; j < ARRAY_LEN(order); j++) {
			uint8_t a[255], b[255];
			int got;

			name_from_text(a, order[i]);
			name_from_text(b, order[j]);
			got = name_compare(a, b);
			CU_ASSERT_EQUAL((got > 0) - (got < 0), (i > j) - (i < j));
			CU_ASSERT_EQUAL(name_equal(a, b), i == j);
		}
	}
}

static void relations(void)
{
	static const struct {
		const char *name, *top;
		bool below;
	} cases[] = {
		{ "a.b.c", "b.C", true },    { "b.c", "b.c", true },
		{ "b.c", "a.b.c", false },   { "xb.c", "b.c", false },
		{ "a\\.b.c", "b.c", false }, { "x", ".", true },
		{ ".", ".", true },          { ".", "x", false },
	};
	uint8_t name[255], top[255];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		name_from_text(name, cases[i].name);
		name_from_text(top, cases[i].top);
		CU_ASSERT_EQUAL(name_is_below(name, top), cases[i].below);
	}
	name_from_text(name, "WwW.Example");
	CU_ASSERT_EQUAL(name_label_count(name), 2);
	CU_ASSERT_EQUAL(*name_parent(name_parent(name)), 0);
	CU_ASSERT_EQUAL(*name_parent(name_parent(name_parent(name))), 0);
	name_lower(name, name);
	CU_ASSERT_EQUAL(memcmp(name, "\3www\7example", 13), 0);
}

static void addresses(void)
{
	static const uint8_t v4[16] = { [10] = 255, 255, 192, 0, 2, 10 };
	static const uint8_t v6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 0x1f };
	uint8_t name[255];
	char text[NAME_TEXT_ROOM];

	CU_ASSERT_EQUAL(name_of_address(name, v4), name_size(name));
	name_to_text(text, name);
	CU_ASSERT_STRING_EQUAL(text, "10.2.0.192.in-addr.arpa.");
	CU_ASSERT_EQUAL(name_of_address(name, v6), name_size(name));
	name_to_text(text, name);
	CU_ASSERT_STRING_EQUAL(text, "f.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
				     "8.b.d.0.1.0.0.2.ip6.arpa.");
}

static const struct check_case cases[] = {
	{ "text to wire and back", text_to_wire_and_back },
	{ "wire that is no name", wire_that_is_no_name },
	{ "longest text", longest_text },
	{ "canonical order", canonical_order },
	{ "relations", relations },
	{ "addresses", addresses },
};

CHECK_MAIN("name", cases)
