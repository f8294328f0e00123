/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_hash.c - the key hash against a plain reading of its definition in hash.h.
 */
#include "check.h"
#include "lane53/hash.h"
#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static uint32_t secret[LANE53_SECRET_WORDS];

static void secret_draw(unsigned seed)
{
	srandom(seed);
	for (size_t i = 0; i < ARRAY_LEN(secret); i++)
		secret[i] = (uint32_t)random() << 16 ^ (uint32_t)random();
}

/* The definition, word by word, from a message of bytes. */
static uint64_t lane_of(const uint8_t *name, uint32_t len, uint16_t qtype,
			uint32_t view, uint32_t flags, unsigned lane)
{
	const uint32_t tail[4] = { len | (uint32_t)qtype << 16, view, flags, 0 };
	uint8_t message[HASH_NAME_ROOM] = { 0 };
	uint64_t sum = 0;

	for (uint32_t i = 0; i < len; i++)
		message[i] = (uint8_t)tolower(name[i]);
	for (uint32_t i = 0; i < (len + 7) / 8 * 2; i += 2) {
		uint32_t m[2];

		for (int j = 0; j < 2; j++)
			m[j] = message[4 * (i + j)] | message[4 * (i + j) + 1] << 8 |
			       message[4 * (i + j) + 2] << 16 |
			       (uint32_t)message[4 * (i + j) + 3] << 24;
		sum += (uint64_t)(uint32_t)(m[0] + secret[i + 2 * lane]) *
		       (uint32_t)(m[1] + secret[i + 1 + 2 * lane]);
	}
	for (unsigned i = 0; i < 4; i += 2)
		sum += (uint64_t)(uint32_t)(tail[i] + secret[64 + i + 2 * lane]) *
		       (uint32_t)(tail[i + 1] + secret[64 + i + 1 + 2 * lane]);
	return sum;
}

static struct key_hash hash_of(const uint8_t *name, uint32_t len, uint16_t qtype,
			       uint32_t view, uint32_t flags)
{
	return key_hash(secret, name_lanes(secret, name, len), len, qtype, view, flags);
}

static bool is_same(struct key_hash a, struct key_hash b)
{
	return a.hash[0] == b.hash[0] && a.hash[1] == b.hash[1];
}

static void agrees_with_the_definition(void)
{
	uint8_t name[NAME_MAX_BYTES];

	for (unsigned len = 1; len <= sizeof(name); len++) {
		struct key_hash hash;

		secret_draw(len);
		for (unsigned i = 0; i < len; i++)
			name[i] = (uint8_t)random();
		hash = hash_of(name, len, 28, 7, 3);
		CU_ASSERT_EQUAL(hash.hash[0], fmix64(lane_of(name, len, 28, 7, 3, 0)));
		CU_ASSERT_EQUAL(hash.hash[1], fmix64(lane_of(name, len, 28, 7, 3, 1)));
	}
}

/* RFC 4343: A to Z only; all 256 values in each of the eight places. */
static void lowers_letters_and_nothing_else(void)
{
	for (unsigned place = 0; place < 8; place++)
		for (unsigned c = 0; c < 256; c++) {
			uint64_t others = 0x5b40617a80ff7f41ull;
			uint64_t w = (others & ~(0xffull << place * 8)) |
				     (uint64_t)c << place * 8;
			uint64_t low = lower8(w);
			uint8_t want =
				c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : (uint8_t)c;

			CU_ASSERT_EQUAL((uint8_t)(low >> place * 8), want);
		}
}

static void case_does_not_matter(void)
{
	static const uint8_t lower[] = "\3www\7example\3org";
	static const uint8_t mixed[] = "\3wWw\7EXAMPLE\3oRG";

	secret_draw(1);
	CU_ASSERT_TRUE(is_same(hash_of(lower, sizeof(lower), 1, 1, 0),
			       hash_of(mixed, sizeof(mixed), 1, 1, 0)));
}

static void every_part_of_the_key_matters(void)
{
	static const uint8_t name[] = "\3www\7example\3org";
	struct key_hash base;

	secret_draw(2);
	base = hash_of(name, sizeof(name), 1, 1, 0);
	CU_ASSERT_FALSE(is_same(base, hash_of(name, sizeof(name), 28, 1, 0)));
	CU_ASSERT_FALSE(is_same(base, hash_of(name, sizeof(name), 1, 2, 0)));
	CU_ASSERT_FALSE(
		is_same(base, hash_of(name, sizeof(name), 1, 1, LANE53_KEY_DO)));
	CU_ASSERT_FALSE(is_same(base, hash_of(name, sizeof(name) - 1, 1, 1, 0)));
	for (size_t i = 0; i < sizeof(name); i++) {
		uint8_t other[sizeof(name)];

		memcpy(other, name, sizeof(name));
		other[i] ^= 1;
		CU_ASSERT_FALSE(is_same(base, hash_of(other, sizeof(other), 1, 1, 0)));
	}
}

static void another_secret_is_another_hash(void)
{
	static const uint8_t name[] = "\7example";
	struct key_hash first;

	secret_draw(3);
	first = hash_of(name, sizeof(name), 1, 1, 0);
	secret_draw(4);
	CU_ASSERT_FALSE(is_same(first, hash_of(name, sizeof(name), 1, 1, 0)));
}

/* Room for a name may hold the rest of an older one: only @len bytes count. */
static void bytes_after_the_name_do_not_matter(void)
{
	uint8_t room[HASH_NAME_ROOM];

	secret_draw(5);
	for (unsigned len = 1; len <= NAME_MAX_BYTES; len++) {
		struct name_lanes clean, dirty;

		memset(room, 0xAA, sizeof(room));
		memset(room, 'b', len);
		dirty = name_lanes_room(secret, room, len);
		clean = name_lanes(secret, room, len);
		CU_ASSERT_EQUAL(clean.lane[0], dirty.lane[0]);
		CU_ASSERT_EQUAL(clean.lane[1], dirty.lane[1]);
	}
}

static int order(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct key_hash));
}

/* 100,000 names that differ little: no collision, and homes spread evenly. */
static void homes_spread(void)
{
	enum { NAMES = 100000, HOMES = 1024 };
	static struct key_hash hashes[NAMES];
	static unsigned homes[HOMES];
	unsigned most = 0;

	secret_draw(6);
	for (unsigned i = 0; i < NAMES; i++) {
		uint8_t name[16] = "\7h000000\2io";

		for (unsigned j = 0, n = i; j < 6; j++, n /= 10)
			name[7 - j] = (uint8_t)('0' + n % 10);
		hashes[i] = hash_of(name, 12, 1, 1, 0);
		homes[hashes[i].hash[0] % HOMES]++;
	}
	for (unsigned i = 0; i < HOMES; i++)
		most = homes[i] > most ? homes[i] : most;
	/* mean 98, deviation 10: seven deviations are one in 10^12 */
	CU_ASSERT_TRUE(most < 98 + 70);
	qsort(hashes, NAMES, sizeof(hashes[0]), order);
	for (unsigned i = 1; i < NAMES; i++)
		if (is_same(hashes[i - 1], hashes[i]))
			CU_FAIL("two names share a hash");
}

static const struct check_case cases[] = {
	{ "agrees with the definition", agrees_with_the_definition },
	{ "lowers letters and nothing else", lowers_letters_and_nothing_else },
	{ "case does not matter", case_does_not_matter },
	{ "every part of the key matters", every_part_of_the_key_matters },
	{ "another secret is another hash", another_secret_is_another_hash },
	{ "bytes after the name do not matter", bytes_after_the_name_do_not_matter },
	{ "homes spread", homes_spread },
};

CHECK_MAIN("hash", cases)
