/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_corefile_value.c - single words of a Corefile: times, numbers, addresses, zones,
 * and the word that was meant.
 */
#include <string.h>
#include "check.h"
#include "config_dump.h"
#include "corefile/arena.h"
#include "corefile/value.h"

#define BAD UINT32_MAX

static void times_are_as_in_go(void)
{
	static const struct {
		const char *text;
		uint32_t ms;
	} times[] = {
		{ "0", 0 },
		{ "0s", 0 },
		{ "30s", 30000 },
		{ "1m30s", 90000 },
		{ "1h", 3600000 },
		{ "0.5s", 500 },
		{ ".5s", 500 },
		{ "1.s", 1000 },
		{ "250ms", 250 },
		{ "1500us", 2 },
		{ "1ns", 1 },
		{ "1h1m1s1ms", 3661001 },
		{ "100000h", BAD },
		{ "", BAD },
		{ "5", BAD },
		{ "s", BAD },
		{ ".s", BAD },
		{ "5 s", BAD },
		{ "-5s", BAD },
		{ "+5s", BAD },
		{ "5d", BAD },
		{ "5S", BAD },
		{ "5s5", BAD },
		{ "1e3s", BAD },
		{ "99999999999999999999999s", BAD },
	};

	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		uint32_t ms = BAD;
		bool good = value_duration(times[i].text, &ms);

		CU_ASSERT_EQUAL(good, times[i].ms != BAD);
		CU_ASSERT_EQUAL(ms, times[i].ms);
		if (ms != times[i].ms)
			printf("%s: %u\n", times[i].text, ms);
	}
}

static void numbers_have_bounds(void)
{
	uint32_t n = 7;

	CU_ASSERT_TRUE(value_number("4294967295", 0, UINT32_MAX, &n));
	CU_ASSERT_EQUAL(n, UINT32_MAX);
	CU_ASSERT_FALSE(value_number("4294967296", 0, UINT32_MAX, &n));
	CU_ASSERT_FALSE(value_number("99999999999999999999", 0, UINT32_MAX, &n));
	CU_ASSERT_FALSE(value_number("", 0, 9, &n));
	CU_ASSERT_FALSE(value_number("-1", 0, 9, &n));
	CU_ASSERT_FALSE(value_number("1x", 0, 9, &n));
	CU_ASSERT_FALSE(value_number("1", 2, 9, &n));
	CU_ASSERT_TRUE(value_number("002", 2, 9, &n));
	CU_ASSERT_EQUAL(n, 2);
}

static void addresses_and_ports(void)
{
	static const struct {
		const char *text, *want; /* NULL = none */
	} addresses[] = {
		{ "192.0.2.1", "192.0.2.1#53" },
		{ "192.0.2.1:5353", "192.0.2.1#5353" },
		{ "2001:db8::1", "2001:db8::1#53" },
		{ "[2001:db8::1]", "2001:db8::1#53" },
		{ "[2001:db8::1]:54", "2001:db8::1#54" },
		{ "::ffff:192.0.2.1", "192.0.2.1#53" },
		{ "192.0.2.1:0", NULL },
		{ "192.0.2.1:65536", NULL },
		{ "192.0.2.1:", NULL },
		{ "192.0.2", NULL },
		{ "192.0.2.01", NULL },
		{ "[192.0.2.1]:53", NULL },
		{ "[2001:db8::1", NULL },
		{ "2001:db8::1::2", NULL },
		{ "fe80::1%eth0", NULL },
		{ "localhost", NULL },
		{ "", NULL },
		{ ":53", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
		struct plan_address address;
		char got[128] = "";
		FILE *out = fmemopen(got, sizeof(got), "w");
		bool good = value_address_port(addresses[i].text, 53, &address);

		CU_ASSERT_EQUAL(good, addresses[i].want != NULL);
		if (good) {
			dump_address(out, address.addr);
			fprintf(out, "#%u", address.port);
		}
		fclose(out);
		CU_ASSERT_STRING_EQUAL(got, addresses[i].want ? addresses[i].want : "");
		if (good != (addresses[i].want != NULL))
			printf("%s: %s\n", addresses[i].text, got);
	}
}

static void places_to_listen(void)
{
	static const uint8_t any[16];
	struct plan_address address;

	CU_ASSERT_TRUE(value_listen(":8080", &address));
	CU_ASSERT_EQUAL(memcmp(address.addr, any, 16), 0);
	CU_ASSERT_EQUAL(address.port, 8080);
	CU_ASSERT_TRUE(value_listen("0.0.0.0:1", &address));
	CU_ASSERT_EQUAL(memcmp(address.addr, any, 16), 0);
	CU_ASSERT_TRUE(value_listen("[::]:1", &address));
	CU_ASSERT_EQUAL(memcmp(address.addr, any, 16), 0);
	CU_ASSERT_TRUE(value_listen("localhost:1", &address));
	CU_ASSERT_EQUAL(address.addr[12], 127);
	CU_ASSERT_FALSE(value_listen("::1:8080", &address));
	CU_ASSERT_FALSE(value_listen("8080", &address));
	CU_ASSERT_FALSE(value_listen("host.example:8080", &address));
}

static void networks_are_their_reverse_zones(void)
{
	static const struct {
		const char *text;
		unsigned count;
		const char *first, *last;
	} networks[] = {
		{ "Example.ORG", 1, "example.org.", "example.org." },
		{ ".", 1, ".", "." },
		{ "10.0.0.0/8", 1, "10.in-addr.arpa.", "10.in-addr.arpa." },
		{ "10.1.2.3/8", 1, "10.in-addr.arpa.", "10.in-addr.arpa." },
		{ "10.96.0.0/12", 16, "96.10.in-addr.arpa.", "111.10.in-addr.arpa." },
		{ "10.128.0.0/9", 128, "128.10.in-addr.arpa.", "255.10.in-addr.arpa." },
		{ "172.20.0.0/17", 128, "0.20.172.in-addr.arpa.",
		  "127.20.172.in-addr.arpa." },
		{ "192.0.2.0/31", 2, "0.2.0.192.in-addr.arpa.",
		  "1.2.0.192.in-addr.arpa." },
		{ "0.0.0.0/0", 1, "in-addr.arpa.", "in-addr.arpa." },
		{ "128.0.0.0/1", 128, "128.in-addr.arpa.", "255.in-addr.arpa." },
		{ "2001:db8::/32", 1, "8.b.d.0.1.0.0.2.ip6.arpa.",
		  "8.b.d.0.1.0.0.2.ip6.arpa." },
		{ "2001:db8:8000::/33", 8, "8.8.b.d.0.1.0.0.2.ip6.arpa.",
		  "f.8.b.d.0.1.0.0.2.ip6.arpa." },
		{ "fd00::/7", 2, "c.f.ip6.arpa.", "d.f.ip6.arpa." },
		{ "::/0", 1, "ip6.arpa.", "ip6.arpa." },
		{ "10.0.0.0/33", 0, NULL, NULL },
		{ "2001:db8::/129", 0, NULL, NULL },
		{ "10.0.0/8", 0, NULL, NULL },
		{ "a.example/8", 0, NULL, NULL },
		{ "/8", 0, NULL, NULL },
		{ "10.0.0.0/", 0, NULL, NULL },
		{ "a..b", 0, NULL, NULL },
		{ "", 0, NULL, NULL },
		{ "a b", 0, NULL, NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(networks); i++) {
		struct arena *arena = arena_open();
		struct plan_names names = { 0 };
		char text[NAME_TEXT_ROOM];

		CU_ASSERT_EQUAL(value_zones(networks[i].text, arena, &names),
				networks[i].count > 0);
		CU_ASSERT_EQUAL(names.count, networks[i].count);
		if (names.count) {
			(void)name_to_text(text, names.at[0].wire);
			CU_ASSERT_STRING_EQUAL(text, networks[i].first);
			(void)name_to_text(text, names.at[names.count - 1].wire);
			CU_ASSERT_STRING_EQUAL(text, networks[i].last);
			CU_ASSERT_EQUAL(name_size(names.at[0].wire), names.at[0].len);
		}
		arena_close(arena);
	}
}

static void near_words_are_found(void)
{
	static const char *const words[] = { "forward", "cache",  "hosts", "log",
					     "loop",    "health", "bind" };
	static const struct {
		const char *word, *want;
	} nears[] = {
		{ "forwrd", "forward" },
		{ "foward", "forward" },
		{ "ofrward", "forward" },
		{ "Cache", "cache" },
		{ "host", "hosts" },
		{ "lop", "log" },
		{ "heatlh", "health" },
		{ "bin", "bind" },
		{ "kubernetes", NULL },
		{ "", NULL },
		{ "x", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(nears); i++) {
		const char *got = value_nearest(nears[i].word, words, ARRAY_LEN(words));

		if (nears[i].want)
			CU_ASSERT_STRING_EQUAL(got ? got : "none", nears[i].want);
		if (!nears[i].want)
			CU_ASSERT_PTR_NULL(got);
		if (got != nears[i].want && (!got || !nears[i].want))
			printf("%s: %s\n", nears[i].word, got ? got : "none");
	}
}

/* Elements keep their places' contents while the array grows. */
static void arrays_grow(void)
{
	struct arena *arena = arena_open();
	unsigned *at = NULL, count = 0;

	for (unsigned i = 0; i < 10000; i++)
		*ARENA_PUSH(arena, at, count) = i * 3;
	for (unsigned i = 0; i < 10000; i++)
		CU_ASSERT_EQUAL(at[i], i * 3);
	CU_ASSERT_STRING_EQUAL(arena_format(arena, "%s-%d", "a", 7), "a-7");
	arena_close(arena);
}

static const struct check_case cases[] = {
	{ "times are as in Go", times_are_as_in_go },
	{ "numbers have bounds", numbers_have_bounds },
	{ "addresses and ports", addresses_and_ports },
	{ "places to listen", places_to_listen },
	{ "networks are their reverse zones", networks_are_their_reverse_zones },
	{ "near words are found", near_words_are_found },
	{ "arrays grow", arrays_grow },
};
CHECK_MAIN("corefile_value", cases)
