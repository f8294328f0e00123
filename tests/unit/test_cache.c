/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_cache.c - keys, life, limits and chains of the worker's cache.
 */
#include <string.h>
#include "cache/answer.h"
#include "cache/cache.h"
#include "check.h"
#include "dns/name.h"
#include "lane53/abi.h"
#include "lane53/wire.h"

static struct cache *cache;

static struct cache *fresh(unsigned entries, size_t bytes)
{
	struct cache_config config = { .max_entries = 4096,
				       .max_bytes = bytes,
				       .seed = 0x5eed };

	cache_close(cache);
	cache = NULL;
	CU_ASSERT_EQUAL_FATAL(cache_open(&cache, &config), 0);
	CU_ASSERT_EQUAL_FATAL(cache_limit(cache, entries, entries), 0);
	return cache;
}

static struct cache_key key_of(uint8_t room[255], const char *text, uint32_t view,
			       uint16_t qtype, uint8_t flags)
{
	return (struct cache_key){
		.qname = room,
		.qname_len = name_from_text(room, text),
		.view = view,
		.qtype = qtype,
		.flags = flags,
	};
}

/* An answer of @len bytes: one RR's head with @ttl, then a pattern drawn from @seed. */
static struct answer answer_of(uint8_t *bytes, size_t len, uint32_t ttl, uint8_t seed)
{
	struct answer answer = {
		.flags = FLAG_RA,
		.ancount = 1,
		.ttl_count = 1,
		.ttl_off = { 6 },
		.ttl_s = ttl,
		.cacheable = true,
		.len = len,
		.room = len,
		.bytes = bytes,
	};

	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(seed + i * 7);
	bytes[6] = (uint8_t)(ttl >> 24);
	bytes[7] = (uint8_t)(ttl >> 16);
	bytes[8] = (uint8_t)(ttl >> 8);
	bytes[9] = (uint8_t)ttl;
	return answer;
}

static int put(const char *name, uint16_t qtype, enum cache_kind kind, uint32_t ttl,
	       uint32_t now_s)
{
	uint8_t room[255], bytes[28];
	struct cache_key key = key_of(room, name, 1, qtype, 0);
	struct answer answer = answer_of(bytes, sizeof(bytes), ttl, (uint8_t)qtype);

	return cache_insert(cache, &key, kind, &answer, now_s);
}

static uint8_t got_bytes[65536];
static struct answer got;
static struct cache_hit hit;

static bool has(const char *name, uint16_t qtype, uint32_t now_s)
{
	uint8_t room[255];
	struct cache_key key = key_of(room, name, 1, qtype, 0);

	got.bytes = got_bytes;
	got.room = sizeof(got_bytes);
	return cache_lookup(cache, &key, now_s, &got, &hit);
}

static uint32_t shown_ttl(void)
{
	const uint8_t *at = got_bytes + 6;

	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 |
	       at[3];
}

static void every_part_of_the_key_counts(void)
{
	static const struct {
		const char *what, *name;
		uint32_t view;
		uint16_t qtype;
		uint8_t flags;
		bool want;
	} rows[] = {
		{ "the same", "www.example.org", 1, TYPE_A, 0, true },
		{ "another view", "www.example.org", 2, TYPE_A, 0, false },
		{ "another type", "www.example.org", 1, TYPE_AAAA, 0, false },
		{ "with DO", "www.example.org", 1, TYPE_A, LANE53_KEY_DO, false },
		{ "with CD", "www.example.org", 1, TYPE_A, LANE53_KEY_CD, false },
		{ "a name above", "example.org", 1, TYPE_A, 0, false },
		{ "same length", "wwx.example.org", 1, TYPE_A, 0, false },
	};
	uint8_t room[255];

	fresh(16, 1 << 20);
	CU_ASSERT_EQUAL(put("www.example.org", TYPE_A, CACHE_POSITIVE, 60, 0), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct cache_key key = key_of(room, rows[i].name, rows[i].view,
					      rows[i].qtype, rows[i].flags);

		got.bytes = got_bytes;
		got.room = sizeof(got_bytes);
		if (cache_lookup(cache, &key, 1, &got, &hit) != rows[i].want)
			CU_FAIL(rows[i].what);
	}
}

static void life_and_age(void)
{
	static const struct {
		uint32_t now_s;
		bool fresh;
		uint32_t ttl;
	} rows[] = {
		{ 100, true, 30 }, { 101, true, 29 }, { 128, true, 2 },
		{ 129, true, 1 },  { 130, false, 0 }, { 131, false, 0 },
	};

	fresh(16, 1 << 20);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CU_ASSERT_EQUAL(put("a.test", TYPE_A, CACHE_POSITIVE, 30, 100), 0);
		CU_ASSERT_EQUAL(has("a.test", TYPE_A, rows[i].now_s), rows[i].fresh);
		if (!rows[i].fresh)
			continue;
		CU_ASSERT_EQUAL(shown_ttl(), rows[i].ttl);
		CU_ASSERT_EQUAL(got.ttl_s, rows[i].ttl);
		CU_ASSERT_EQUAL(hit.expires_s, 130);
	}
	CU_ASSERT_EQUAL(put("a.test", TYPE_A, CACHE_POSITIVE, 0, 100), CACHE_REFUSED);
	CU_ASSERT_FALSE(has("a.test", TYPE_A, 100));
}

/* Two RRs with different TTLs: each ages by itself, neither shows less than 1. */
static void ttls_age_one_by_one(void)
{
	uint8_t room[255], bytes[64];
	struct cache_key key = key_of(room, "two.test", 1, TYPE_A, 0);
	struct answer answer = answer_of(bytes, sizeof(bytes), 50, 1);

	fresh(16, 1 << 20);
	answer.ttl_count = 2;
	answer.ttl_off[1] = 40;
	memcpy(bytes + 40, (uint8_t[]){ 0, 0, 1, 0 }, 4);
	CU_ASSERT_EQUAL(cache_insert(cache, &key, CACHE_POSITIVE, &answer, 0), 0);
	CU_ASSERT_TRUE(has("two.test", TYPE_A, 49));
	CU_ASSERT_EQUAL(shown_ttl(), 1);
	CU_ASSERT_EQUAL(memcmp(got_bytes + 40, (uint8_t[]){ 0, 0, 0, 256 - 49 }, 4), 0);
}

static void chains_come_back_whole(void)
{
	static const size_t sizes[] = { 10, 200, 240, 251, 252, 253, 504, 2000, 65535 };
	static uint8_t bytes[65535];
	uint8_t room[255];
	const char *names[] = {
		"a", "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk."
		     "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk."
		     "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk."
		     "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefgh"
	};

	fresh(1024, 4 << 20);
	for (size_t n = 0; n < ARRAY_LEN(names); n++)
		for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
			struct cache_key key =
				key_of(room, names[n], 1, (uint16_t)(i + 1), 0);
			struct answer answer =
				answer_of(bytes, sizes[i], 60, (uint8_t)i);

			CU_ASSERT_TRUE_FATAL(key.qname_len > 0);
			CU_ASSERT_EQUAL(
				cache_insert(cache, &key, CACHE_POSITIVE, &answer, 0),
				0);
			CU_ASSERT_TRUE(has(names[n], (uint16_t)(i + 1), 0));
			CU_ASSERT_EQUAL(got.len, sizes[i]);
			CU_ASSERT_EQUAL(memcmp(got_bytes, bytes, sizes[i]), 0);
		}
}

static void no_room_shows_the_length_only(void)
{
	uint8_t room[255];
	struct cache_key key = key_of(room, "a.test", 1, TYPE_A, 0);

	fresh(16, 1 << 20);
	CU_ASSERT_EQUAL(put("a.test", TYPE_A, CACHE_POSITIVE, 30, 0), 0);
	memset(got_bytes, 0xEE, 32);
	got.bytes = got_bytes;
	got.room = 27;
	CU_ASSERT_TRUE(cache_lookup(cache, &key, 0, &got, &hit));
	CU_ASSERT_EQUAL(got.len, 28);
	CU_ASSERT_EQUAL(got_bytes[0], 0xEE);
}

/* What is read stays; what nobody asked for again goes. */
static void eviction_spares_what_is_read(void)
{
	struct cache_usage usage;
	char name[32];

	fresh(100, 1 << 20);
	for (unsigned i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "n%u.test", i);
		CU_ASSERT_EQUAL(put(name, TYPE_A, CACHE_POSITIVE, 60, 0), 0);
	}
	for (unsigned i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "n%u.test", i);
		CU_ASSERT_TRUE(has(name, TYPE_A, 1));
	}
	for (unsigned i = 100; i < 150; i++) {
		snprintf(name, sizeof(name), "n%u.test", i);
		CU_ASSERT_EQUAL(put(name, TYPE_A, CACHE_POSITIVE, 60, 1), 0);
	}
	for (unsigned i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "n%u.test", i);
		CU_ASSERT_TRUE(has(name, TYPE_A, 2));
	}
	cache_usage(cache, &usage);
	CU_ASSERT_EQUAL(usage.entries[CACHE_POSITIVE], 100);
	CU_ASSERT_EQUAL(usage.evictions, 50);
}

/* Evictions since the last call; the label is no part of the key. */
static void entries_are_counted_by_label(void)
{
	uint8_t room[255], bytes[28];
	struct answer answer = answer_of(bytes, sizeof(bytes), 60, 1);
	struct cache_counts counts;
	char name[32];

	fresh(4, 1 << 20);
	for (unsigned i = 0; i < 6; i++) {
		struct cache_key key;

		snprintf(name, sizeof(name), "n%u.test", i);
		key = key_of(room, name, 1, TYPE_A, 0);
		key.label = i < 3 ? 5 : 6;
		CU_ASSERT_EQUAL(cache_insert(cache, &key, CACHE_POSITIVE, &answer, 0),
				0);
		CU_ASSERT_TRUE(has(name, TYPE_A, 0)); /* under another label */
	}
	cache_take_counts(cache, 5, &counts);
	CU_ASSERT_EQUAL(
		counts.entries[CACHE_POSITIVE] + counts.evictions[CACHE_POSITIVE], 3);
	CU_ASSERT_EQUAL(counts.evictions[CACHE_POSITIVE], 2);
	CU_ASSERT_EQUAL(counts.entries[CACHE_NEGATIVE], 0);
	cache_take_counts(cache, 5, &counts);
	CU_ASSERT_EQUAL(counts.evictions[CACHE_POSITIVE], 0);
	cache_take_counts(cache, 6, &counts);
	CU_ASSERT_EQUAL(counts.entries[CACHE_POSITIVE], 3);
	cache_flush(cache, 0, NULL);
	cache_take_counts(cache, 6, &counts);
	CU_ASSERT_EQUAL(counts.entries[CACHE_POSITIVE], 0);
}

/* ARCHITECTURE 8: a flood of absent names does not cost the names that exist. */
static void a_negative_flood_evicts_no_positive(void)
{
	char name[32];

	fresh(64, 1 << 20);
	CU_ASSERT_EQUAL(put("kept.test", TYPE_A, CACHE_POSITIVE, 60, 0), 0);
	for (unsigned i = 0; i < 5000; i++) {
		snprintf(name, sizeof(name), "flood%u.test", i);
		CU_ASSERT_EQUAL(put(name, TYPE_A, CACHE_NEGATIVE, 60, 0), 0);
	}
	CU_ASSERT_TRUE(has("kept.test", TYPE_A, 1));
	CU_ASSERT_TRUE(has("flood4999.test", TYPE_A, 1));
	CU_ASSERT_FALSE(has("flood0.test", TYPE_A, 1));
}

static void the_byte_budget_holds(void)
{
	static uint8_t bytes[8000];
	struct answer big = answer_of(bytes, sizeof(bytes), 60, 3);
	struct cache_usage usage;
	uint8_t room[255];
	char name[32];

	fresh(4096, 64 * 1024);
	for (unsigned i = 0; i < 1000; i++) {
		struct cache_key key;

		snprintf(name, sizeof(name), "big%u.test", i);
		key = key_of(room, name, 1, TYPE_TXT, 0);
		CU_ASSERT_EQUAL(cache_insert(cache, &key, i & 1, &big, 0), 0);
		cache_usage(cache, &usage);
		CU_ASSERT_TRUE(usage.bytes <= 64 * 1024);
		CU_ASSERT_TRUE(has(name, TYPE_TXT, 1));
	}
	CU_ASSERT_EQUAL(cache_flush(cache, 0, NULL),
			usage.entries[0] + usage.entries[1]);
	cache_usage(cache, &usage);
	CU_ASSERT_EQUAL(usage.bytes, 0);

	big.len = big.room = 65535;
	fresh(16, 4096);
	struct cache_key key = key_of(room, "huge.test", 1, TYPE_TXT, 0);
	CU_ASSERT_EQUAL(cache_insert(cache, &key, CACHE_POSITIVE, &big, 0),
			CACHE_REFUSED);
}

static void flush_is_at_and_below_in_a_view(void)
{
	static const char *const names[] = {
		"example.org", "www.example.org", "a.b.example.org", "badexample.org",
		"org",         "other.net"
	};
	static const struct {
		const char *top;
		uint32_t view;
		unsigned want; /* of the names, in view 1 and 2 */
	} rows[] = {
		{ "example.org", 1, 3 },
		{ "EXAMPLE.org", 0, 6 },
		{ "www.example.org", 2, 1 },
		{ "org", 1, 5 },
		{ ".", 0, 12 },
		{ NULL, 2, 6 },
		{ NULL, 0, 12 },
		{ "nothing.here", 0, 0 },
	};
	uint8_t room[255], top[255], bytes[28];
	struct answer answer = answer_of(bytes, sizeof(bytes), 60, 0);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		fresh(64, 1 << 20);
		for (size_t n = 0; n < ARRAY_LEN(names); n++)
			for (uint32_t view = 1; view <= 2; view++) {
				struct cache_key key =
					key_of(room, names[n], view, TYPE_A, 0);

				CU_ASSERT_EQUAL(
					cache_insert(cache, &key, n & 1, &answer, 0),
					0);
			}
		if (rows[i].top)
			name_from_text(top, rows[i].top);
		CU_ASSERT_EQUAL(
			cache_flush(cache, rows[i].view, rows[i].top ? top : NULL),
			rows[i].want);
	}
	CU_ASSERT_TRUE(has("org", TYPE_A, 0));
}

static void sweeping_frees_what_expired(void)
{
	struct cache_usage usage;
	char name[32];
	unsigned freed = 0;

	fresh(128, 1 << 20);
	for (unsigned i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "n%u.test", i);
		CU_ASSERT_EQUAL(put(name, TYPE_A, i & 1, 10 + i, 0), 0);
	}
	for (unsigned i = 0; i < 12; i++)
		freed += cache_sweep(cache, 60, 10);
	CU_ASSERT_EQUAL(freed, 51);
	cache_usage(cache, &usage);
	CU_ASSERT_EQUAL(usage.entries[0] + usage.entries[1], 49);
	CU_ASSERT_TRUE(has("n51.test", TYPE_A, 60));
}

static bool count_item(void *context, const struct cache_item *item)
{
	unsigned *counts = context;

	CU_ASSERT_EQUAL(item->ttl_s, 50);
	CU_ASSERT_EQUAL(name_length(item->key.qname, 255), item->key.qname_len);
	counts[0]++;
	counts[1] += item->published;
	return counts[0] < 3;
}

static void listing_and_marks(void)
{
	unsigned counts[2] = { 0, 0 };
	uint8_t top[255];

	fresh(16, 1 << 20);
	put("a.example.org", TYPE_A, CACHE_POSITIVE, 60, 0);
	put("b.example.org", TYPE_A, CACHE_NEGATIVE, 60, 0);
	put("c.example.net", TYPE_A, CACHE_POSITIVE, 60, 0);
	put("gone.example.org", TYPE_A, CACHE_POSITIVE, 10, 0);
	CU_ASSERT_TRUE(has("a.example.org", TYPE_A, 1));
	CU_ASSERT_EQUAL(hit.hits, 1);
	CU_ASSERT_FALSE(hit.published);
	cache_mark(cache, &hit, true);
	CU_ASSERT_TRUE(has("a.example.org", TYPE_A, 1));
	CU_ASSERT_EQUAL(hit.hits, 2);
	CU_ASSERT_TRUE(hit.published);

	name_from_text(top, "example.org");
	cache_each(cache, top, 10, count_item, counts);
	CU_ASSERT_EQUAL(counts[0], 2);
	CU_ASSERT_EQUAL(counts[1], 1);
	cache_each(cache, NULL, 10, count_item, counts);
	CU_ASSERT_EQUAL(counts[0], 3); /* stopped by the callback */

	cache_unmark_all(cache);
	CU_ASSERT_TRUE(has("a.example.org", TYPE_A, 1));
	CU_ASSERT_FALSE(hit.published);
	/* A new answer starts anew. */
	put("a.example.org", TYPE_A, CACHE_POSITIVE, 60, 1);
	CU_ASSERT_TRUE(has("a.example.org", TYPE_A, 1));
	CU_ASSERT_EQUAL(hit.hits, 1);
}

static void limits_shrink_and_grow(void)
{
	struct cache_usage usage;
	char name[32];

	fresh(100, 1 << 20);
	for (unsigned i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "n%u.test", i);
		put(name, TYPE_A, CACHE_POSITIVE, 60, 0);
	}
	CU_ASSERT_EQUAL(cache_limit(cache, 10, 0), 0);
	cache_usage(cache, &usage);
	CU_ASSERT_EQUAL(usage.entries[CACHE_POSITIVE], 10);
	CU_ASSERT_EQUAL(put("no.test", TYPE_A, CACHE_NEGATIVE, 60, 0), CACHE_REFUSED);
	CU_ASSERT_EQUAL(cache_limit(cache, 4096, 1u << 30), 0);
	for (unsigned i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "m%u.test", i);
		CU_ASSERT_EQUAL(put(name, TYPE_A, CACHE_POSITIVE, 60, 0), 0);
	}
	for (unsigned i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "m%u.test", i);
		CU_ASSERT_TRUE(has(name, TYPE_A, 1));
	}
	cache_close(cache);
	cache = NULL;
}

static const struct check_case cases[] = {
	{ "every part of the key counts", every_part_of_the_key_counts },
	{ "life and age", life_and_age },
	{ "TTLs age one by one", ttls_age_one_by_one },
	{ "chains come back whole", chains_come_back_whole },
	{ "no room shows the length only", no_room_shows_the_length_only },
	{ "eviction spares what is read", eviction_spares_what_is_read },
	{ "entries are counted by label", entries_are_counted_by_label },
	{ "a negative flood evicts no positive", a_negative_flood_evicts_no_positive },
	{ "the byte budget holds", the_byte_budget_holds },
	{ "flush is at and below, in a view", flush_is_at_and_below_in_a_view },
	{ "sweeping frees what expired", sweeping_frees_what_expired },
	{ "listing and marks", listing_and_marks },
	{ "limits shrink and grow", limits_shrink_and_grow },
};

CHECK_MAIN("cache", cases)
