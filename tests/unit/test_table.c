/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_table.c - the answer table: what is published is found, what is not is not, and
 * no reader at any time gets another key's answer.
 *
 * Each key's answer is made from its number, so a reader can tell whose it is.
 */
#include "cache/answer.h"
#include "cache/table.h"
#include "check.h"
#include "lane53/hash.h"
#include "lane53/table.h"
#include "lane53/wire.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct lab {
	struct table_arrays arrays;
	struct table *table;
	uint32_t secret[LANE53_SECRET_WORDS];
};

static void lab_open(struct lab *lab, uint32_t slots, uint32_t blobs)
{
	memset(lab, 0, sizeof(*lab));
	srandom(slots);
	for (size_t i = 0; i < ARRAY_LEN(lab->secret); i++)
		lab->secret[i] = (uint32_t)random() << 16 ^ (uint32_t)random();
	lab->arrays = (struct table_arrays){
		.slots = calloc(slots, sizeof(struct lane53_slot)),
		.slot_count = slots,
		.small = calloc(blobs, sizeof(struct lane53_small)),
		.small_count = blobs,
		.large = calloc(blobs, sizeof(struct lane53_large)),
		.large_count = blobs,
		.names = calloc(slots, sizeof(struct lane53_cached_name)),
		.secret = lab->secret,
	};
	CU_ASSERT_EQUAL_FATAL(table_open(&lab->table, &lab->arrays), 0);
}

static void lab_reopen(struct lab *lab)
{
	table_close(lab->table);
	CU_ASSERT_EQUAL_FATAL(table_open(&lab->table, &lab->arrays), 0);
}

static void lab_close(struct lab *lab)
{
	table_close(lab->table);
	free(lab->arrays.slots);
	free(lab->arrays.small);
	free(lab->arrays.large);
	free(lab->arrays.names);
}

/* "kNNNNNNN.example." */
struct key {
	uint8_t name[24];
	struct table_key table;
};

static void key_make(struct key *key, unsigned number)
{
	memcpy(key->name, "\10k0000000\7example", 18);
	for (unsigned j = 0; j < 7; j++, number /= 10)
		key->name[8 - j] = (uint8_t)('0' + number % 10);
	key->table = (struct table_key){ key->name, 1, 1, 0 };
}

/* @len bytes that name @number and @version in each word; from 12: one plain RR. */
struct made {
	struct answer answer;
	uint8_t bytes[LANE53_LARGE_BYTES + 64];
};

static void made_fill(struct made *made, unsigned number, unsigned version, size_t len)
{
	memset(made, 0, sizeof(*made));
	for (size_t i = 0; i < sizeof(made->bytes); i++)
		made->bytes[i] = (uint8_t)(number >> 8 * (i & 1)) ^ (uint8_t)version;
	made->bytes[0] = 0xC0;
	made->bytes[1] = 0x0C;
	made->answer = (struct answer){
		.flags = FLAG_AA,
		.ancount = 1,
		.len = len,
		.room = sizeof(made->bytes),
		.bytes = made->bytes,
		.local = true,
	};
}

static const struct table_meta forever = { .expires_s = LANE53_NEVER_EXPIRES };

/* The same as `local` is: without names, so that answers share their blobs. */
static void lab_open_local(struct lab *lab, uint32_t slots, uint32_t blobs)
{
	lab_open(lab, slots, blobs);
	free(lab->arrays.names);
	lab->arrays.names = NULL;
	lab_reopen(lab);
}

/* Publish key @number with the answer that is made for @maker. */
static int put_as(struct lab *lab, unsigned number, unsigned maker, unsigned version,
		  size_t len)
{
	struct key key;
	struct made made;

	key_make(&key, number);
	made_fill(&made, maker, version, len);
	return table_publish(lab->table, &key.table, &made.answer, &forever);
}

static int put(struct lab *lab, unsigned number, unsigned version, size_t len)
{
	return put_as(lab, number, number, version, len);
}

static int look(const struct lab *lab, unsigned number, struct made *ret)
{
	struct table_meta meta;
	struct key key;

	key_make(&key, number);
	memset(ret, 0, sizeof(*ret));
	ret->answer.room = sizeof(ret->bytes);
	ret->answer.bytes = ret->bytes;
	return table_lookup(&lab->arrays, &key.table, 0, &ret->answer, &meta);
}

/* Is what @number has exactly what @maker made of @version with @len bytes? */
static bool holds_of(const struct lab *lab, unsigned number, unsigned maker,
		     unsigned version, size_t len)
{
	struct made got, want;

	if (look(lab, number, &got))
		return false;
	made_fill(&want, maker, version, len);
	return got.answer.len == len && !memcmp(got.bytes, want.bytes, len);
}

static bool holds(const struct lab *lab, unsigned number, unsigned version, size_t len)
{
	return holds_of(lab, number, number, version, len);
}

static bool is_absent(const struct lab *lab, unsigned number)
{
	struct made got;

	return look(lab, number, &got) == TABLE_ABSENT;
}

static struct table_usage usage_of(const struct lab *lab)
{
	struct table_usage usage;

	table_usage(lab->table, &usage);
	return usage;
}

static void refuses_bad_arrays(void)
{
	struct lane53_slot slots[LANE53_SLOTS_MIN];
	uint32_t secret[LANE53_SECRET_WORDS] = { 0 };
	struct table_arrays arrays = { .slots = slots,
				       .slot_count = LANE53_SLOTS_MIN - 1,
				       .secret = secret };
	struct table *table = NULL;

	CU_ASSERT_EQUAL(table_open(&table, &arrays), -EINVAL);
	arrays.slot_count = LANE53_SLOTS_MIN;
	arrays.secret = NULL;
	CU_ASSERT_EQUAL(table_open(&table, &arrays), -EINVAL);
	CU_ASSERT_PTR_NULL(table);
}

static void sizes_go_where_they_fit(void)
{
	static const struct {
		size_t len;
		int want;
		unsigned small, large;
	} cases[] = {
		{ 0, 0, 0, 0 },
		{ 16, 0, 0, 0 },
		{ LANE53_INLINE_BYTES, 0, 0, 0 },
		{ LANE53_INLINE_BYTES + 1, 0, 1, 0 },
		{ LANE53_SMALL_BYTES, 0, 1, 0 },
		{ LANE53_SMALL_BYTES + 1, 0, 0, 1 },
		{ LANE53_LARGE_BYTES, 0, 0, 1 },
		{ LANE53_LARGE_BYTES + 1, TABLE_TOO_LARGE, 0, 0 },
	};
	struct lab lab;

	lab_open(&lab, 64, 4);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CU_ASSERT_EQUAL(put(&lab, 1, 1, cases[i].len), cases[i].want);
		CU_ASSERT_EQUAL(holds(&lab, 1, 1, cases[i].len), !cases[i].want);
		CU_ASSERT_EQUAL(usage_of(&lab).small_used, cases[i].small);
		CU_ASSERT_EQUAL(usage_of(&lab).large_used, cases[i].large);
	}
	CU_ASSERT_TRUE(is_absent(&lab, 1)); /* never an old answer */
	lab_close(&lab);
}

static void shows_what_was_published(void)
{
	struct made made,
		got = { .answer = { .room = sizeof(got.bytes), .bytes = got.bytes } };
	struct table_meta meta = { .stored_s = 100,
				   .expires_s = 160,
				   .label = 7,
				   .log = true,
				   .needs_rd = true,
				   .no_do = true };
	struct table_meta ret;
	struct key key;
	struct lab lab;

	lab_open(&lab, 64, 4);
	key_make(&key, 3);
	key.table.flags = LANE53_KEY_DO;
	made_fill(&made, 3, 1, 100);
	made.answer.local = false;
	made.answer.flags = FLAG_RA | FLAG_AD | RCODE_NXDOMAIN;
	made.answer.ancount = 2;
	made.answer.nscount = 1;
	made.answer.ttl_count = 2;
	made.answer.ttl_off[0] = 6;
	made.answer.ttl_off[1] = 50;
	memcpy(made.bytes + 6, "\0\0\0\74", 4);  /* 60 */
	memcpy(made.bytes + 50, "\0\0\0\12", 4); /* 10 */
	CU_ASSERT_EQUAL(table_publish(lab.table, &key.table, &made.answer, &meta), 0);
	CU_ASSERT_EQUAL(table_lookup(&lab.arrays, &key.table, 115, &got.answer, &ret),
			0);
	CU_ASSERT_EQUAL(got.answer.flags, made.answer.flags);
	CU_ASSERT_EQUAL(got.answer.ancount, 2);
	CU_ASSERT_EQUAL(got.answer.nscount, 1);
	CU_ASSERT_EQUAL(got.answer.ttl_count, 2);
	CU_ASSERT_EQUAL(got.answer.ttl_s, 45);
	CU_ASSERT_FALSE(got.answer.local);
	CU_ASSERT_EQUAL(got.bytes[9], 45);
	CU_ASSERT_EQUAL(got.bytes[53], 1); /* aged past its end: never below 1 */
	CU_ASSERT_EQUAL(ret.label, 7);
	CU_ASSERT_EQUAL(ret.stored_s, 100);
	CU_ASSERT_TRUE(ret.log && ret.needs_rd && ret.no_do);
	CU_ASSERT_EQUAL(table_lookup(&lab.arrays, &key.table, 160, &got.answer, &ret),
			TABLE_ABSENT);
	key.table.flags = 0;
	CU_ASSERT_EQUAL(table_lookup(&lab.arrays, &key.table, 115, &got.answer, &ret),
			TABLE_ABSENT);
	lab_close(&lab);
}

static void refuses_what_readers_cannot_show(void)
{
	static const struct {
		const char *name;
		unsigned ttls, glue, rcode;
	} cases[] = {
		{ "too many TTLs", LANE53_BLOB_TTLS + 1, 0, 0 },
		{ "glue", 1, 1, 0 },
		{ "another rcode", 1, 0, RCODE_SERVFAIL },
	};
	struct lab lab;

	lab_open(&lab, 64, 4);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct made made;
		struct key key;

		key_make(&key, 1);
		made_fill(&made, 1, 1, 200);
		made.answer.local = false;
		made.answer.ttl_count = (uint16_t)cases[i].ttls;
		made.answer.arcount = (uint16_t)cases[i].glue;
		made.answer.flags = (uint16_t)cases[i].rcode;
		CU_ASSERT_EQUAL(put(&lab, 1, 1, 20), 0);
		CU_ASSERT_EQUAL(
			table_publish(lab.table, &key.table, &made.answer, &forever),
			TABLE_TOO_LARGE);
		CU_ASSERT_TRUE(is_absent(&lab, 1));
	}
	lab_close(&lab);
}

/* Ones' complement, as the checksum of a packet counts it. */
static void sums_the_answer(void)
{
	static const size_t lens[] = { 12, 13, 28, 101, 1000 };
	struct lab lab;

	lab_open(&lab, 64, 4);
	for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
		struct made made;
		uint32_t sum = 0;
		bool found = false;

		made_fill(&made, 0xBEEF, 3, lens[i]);
		for (size_t j = 0; j < lens[i]; j++) /* little endian: low byte first */
			sum += (uint32_t)made.bytes[j] << 8 * (j & 1);
		while (sum >> 16)
			sum = (sum & 0xffff) + (sum >> 16);
		CU_ASSERT_EQUAL(put(&lab, 0xBEEF, 3, lens[i]), 0);
		for (uint32_t j = 0; j < 64; j++)
			if (lab.arrays.slots[j].flags & LANE53_SLOT_USED) {
				CU_ASSERT_EQUAL(lab.arrays.slots[j].csum, sum);
				found = true;
			}
		CU_ASSERT_TRUE(found);
	}
	lab_close(&lab);
}

/*
 * As load rises, a few names find their neighbourhood full of others that cannot move
 * (eight slots is a short reach); what was taken in stays readable.
 */
static void fills_to_a_high_load(void)
{
	enum { SLOTS = 1 << 16 };
	static const struct {
		unsigned percent, refused_ppm;
	} cases[] = {
		{ 40, 0 }, { 50, 100 }, { 60, 1000 }, { 70, 3000 }, { 80, 30000 }
	};
	static bool taken[SLOTS];
	unsigned count = 0, refused = 0;
	struct lab lab;

	lab_open(&lab, SLOTS, 16);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (; count < SLOTS / 100 * cases[i].percent; count++) {
			taken[count] = put(&lab, count, 1, 20) == 0;
			refused += !taken[count];
		}
		printf("(%u%%: %u refused) ", cases[i].percent, refused);
		CU_ASSERT_TRUE(refused * 1e6 / count <= cases[i].refused_ppm);
	}
	CU_ASSERT_TRUE(usage_of(&lab).moved > 0);
	CU_ASSERT_EQUAL(usage_of(&lab).slots_used, count - refused);
	CU_ASSERT_EQUAL(usage_of(&lab).full, refused);
	for (unsigned i = 0; i < count; i++)
		CU_ASSERT_EQUAL(holds(&lab, i, 1, 20), taken[i]);
	lab_close(&lab);
}

/* Sixteen slots: everything collides. */
static void the_smallest_table_works(void)
{
	struct lab lab;

	lab_open(&lab, LANE53_SLOTS_MIN, 2);
	for (unsigned round = 0; round < 50; round++) {
		unsigned first = round * 100, count = 0;

		while (put(&lab, first + count, round, 20) == 0)
			count++;
		/* any eight fit, wherever their homes are */
		CU_ASSERT_TRUE(count >= LANE53_HOP_RANGE && count <= LANE53_SLOTS_MIN);
		CU_ASSERT_EQUAL(usage_of(&lab).slots_used, count);
		for (unsigned i = 0; i < count; i++)
			CU_ASSERT_TRUE(holds(&lab, first + i, round, 20));
		table_clear(lab.table);
		CU_ASSERT_EQUAL(usage_of(&lab).slots_used, 0);
	}
	lab_close(&lab);
}

/* Replacing needs a blob to write while the old one may still be read. */
static void out_of_blobs_is_full_and_absent(void)
{
	struct lab lab;

	lab_open(&lab, 64, 2);
	CU_ASSERT_EQUAL(put(&lab, 1, 1, 300), 0);
	CU_ASSERT_EQUAL(put(&lab, 2, 1, 300), 0);
	CU_ASSERT_EQUAL(put(&lab, 3, 1, 300), TABLE_FULL);
	CU_ASSERT_TRUE(is_absent(&lab, 3));
	CU_ASSERT_EQUAL(put(&lab, 1, 2, 300), TABLE_FULL);
	CU_ASSERT_TRUE(is_absent(&lab, 1));
	CU_ASSERT_EQUAL(put(&lab, 1, 3, 300), 0);
	CU_ASSERT_TRUE(holds(&lab, 1, 3, 300));
	CU_ASSERT_TRUE(holds(&lab, 2, 1, 300));
	lab_close(&lab);
}

/* 200,000 random steps against a plain array that says what must be there. */
static void compare_with_model(struct lab *lab, unsigned makers)
{
	enum { KEYS = 300, STEPS = 200000 };
	static const size_t lens[] = { 20, 28, 100, 216, 500 };
	struct {
		unsigned maker, version;
		size_t len;
	} model[KEYS] = { 0 };

	for (unsigned step = 1; step <= STEPS; step++) {
		unsigned number = (unsigned)random() % KEYS;
		struct key key;

		key_make(&key, number);
		if (random() % 3) {
			model[number].maker = makers ? step % makers : number;
			model[number].version = makers ? 1 : step & 0xff;
			model[number].len = lens[(size_t)random() % ARRAY_LEN(lens)];
			CU_ASSERT_EQUAL_FATAL(put_as(lab, number, model[number].maker,
						     model[number].version,
						     model[number].len),
					      0);
		} else {
			CU_ASSERT_EQUAL_FATAL(table_retract(lab->table, &key.table),
					      model[number].len ? 0 : TABLE_ABSENT);
			model[number].len = 0;
		}
		if (step % 40000 == 0)
			lab_reopen(lab);
	}
	for (unsigned i = 0; i < KEYS; i++)
		CU_ASSERT_EQUAL(holds_of(lab, i, model[i].maker, model[i].version,
					 model[i].len),
				model[i].len != 0);
}

static void agrees_with_a_model(void)
{
	struct lab lab;

	lab_open(&lab, 512, 400);
	compare_with_model(&lab, 0);
	lab_close(&lab);
}

/* Seven different answers of each length: with blobs of their own 300 keys need more. */
static void agrees_with_a_model_when_shared(void)
{
	struct lab lab;

	lab_open_local(&lab, 512, 7 * 3);
	compare_with_model(&lab, 7);
	table_clear(lab.table);
	CU_ASSERT_EQUAL(usage_of(&lab).small_used, 0);
	CU_ASSERT_EQUAL(usage_of(&lab).large_used, 0);
	lab_close(&lab);
}

static void the_same_bytes_are_stored_once(void)
{
	struct lab lab;

	lab_open_local(&lab, 64, 2);
	for (unsigned i = 0; i < 20; i++)
		CU_ASSERT_EQUAL(put_as(&lab, i, 99, 1, 100), 0);
	CU_ASSERT_EQUAL(usage_of(&lab).small_used, 1);
	/* one of them changes: the others keep theirs */
	CU_ASSERT_EQUAL(put_as(&lab, 3, 98, 1, 100), 0);
	CU_ASSERT_EQUAL(usage_of(&lab).small_used, 2);
	lab_reopen(&lab);
	CU_ASSERT_EQUAL(usage_of(&lab).small_used, 2);
	CU_ASSERT_TRUE(holds_of(&lab, 3, 98, 1, 100));
	CU_ASSERT_TRUE(holds_of(&lab, 4, 99, 1, 100));
	/* no third one: the refusal is counted, the large ones take it */
	CU_ASSERT_EQUAL(put_as(&lab, 5, 97, 1, 100), 0);
	CU_ASSERT_EQUAL(usage_of(&lab).large_used, 1);
	for (unsigned i = 0; i < 20; i++) {
		struct key key;

		key_make(&key, i);
		CU_ASSERT_EQUAL(table_retract(lab.table, &key.table), 0);
	}
	CU_ASSERT_EQUAL(usage_of(&lab).small_used, 0);
	lab_close(&lab);

	/* answers that age keep a blob each: their TTLs are counted from their own times */
	lab_open(&lab, 64, 2);
	CU_ASSERT_EQUAL(put_as(&lab, 1, 99, 1, 300), 0);
	CU_ASSERT_EQUAL(put_as(&lab, 2, 99, 1, 300), 0);
	CU_ASSERT_EQUAL(usage_of(&lab).large_used, 2);
	CU_ASSERT_EQUAL(put_as(&lab, 3, 99, 1, 300), TABLE_FULL);
	CU_ASSERT_EQUAL(usage_of(&lab).large_refused, 1);
	lab_close(&lab);
}

static void sweeps_what_expired(void)
{
	struct lab lab;
	unsigned freed = 0;

	lab_open(&lab, 256, 200);
	for (unsigned i = 0; i < 100; i++) {
		struct table_meta meta = { .expires_s = i < 50 ? 10 : 20 };
		struct made made;
		struct key key;

		key_make(&key, i);
		made_fill(&made, i, 1, 100);
		CU_ASSERT_EQUAL(
			table_publish(lab.table, &key.table, &made.answer, &meta), 0);
	}
	CU_ASSERT_EQUAL(put(&lab, 500, 1, 20), 0);
	for (unsigned i = 0; i < 8; i++)
		freed += table_sweep(lab.table, 10, 32); /* 8 x 32: once around */
	CU_ASSERT_EQUAL(freed, 50);
	CU_ASSERT_EQUAL(usage_of(&lab).slots_used, 51);
	CU_ASSERT_EQUAL(usage_of(&lab).small_used, 50);
	CU_ASSERT_EQUAL(table_sweep(lab.table, UINT32_MAX - 1, 10000), 50);
	CU_ASSERT_TRUE(holds(&lab, 500, 1, 20));
	lab_close(&lab);
}

static void publish_name(struct lab *lab, const uint8_t *name, uint32_t view)
{
	struct table_key key = { name, 1, view, 0 };
	struct made made;

	made_fill(&made, 1, 1, 20);
	CU_ASSERT_EQUAL(table_publish(lab->table, &key, &made.answer, &forever), 0);
}

static void retracts_below_a_name(void)
{
	static const uint8_t *const names[] = {
		(const uint8_t *)"\7Example",
		(const uint8_t *)"\3www\7example",
		(const uint8_t *)"\1a\3WWW\7example",
		(const uint8_t *)"\10xexample",
		(const uint8_t *)"\3org",
	};
	struct lab lab;

	lab_open(&lab, 64, 4);
	for (uint32_t view = 1; view <= 2; view++)
		for (size_t i = 0; i < ARRAY_LEN(names); i++)
			publish_name(&lab, names[i], view);
	CU_ASSERT_EQUAL(
		table_retract_below(lab.table, 1, (const uint8_t *)"\3wwW\7EXAMPLE"),
		2);
	CU_ASSERT_EQUAL(table_retract_below(lab.table, 0, (const uint8_t *)"\7example"),
			4);
	CU_ASSERT_EQUAL(table_retract_below(lab.table, 2, NULL), 2);
	CU_ASSERT_EQUAL(table_retract_below(lab.table, 0, NULL), 2);
	CU_ASSERT_EQUAL(usage_of(&lab).slots_used, 0);
	lab_close(&lab);
}

static void names_tell_what_is_there(void)
{
	struct lab lab;
	struct key key;
	unsigned seen = 0;

	lab_open(&lab, 64, 4);
	key_make(&key, 42);
	CU_ASSERT_EQUAL(put(&lab, 42, 1, 20), 0);
	for (uint32_t i = 0; i < 64; i++) {
		const struct lane53_cached_name *name = &lab.arrays.names[i];

		if (!name->name_len)
			continue;
		seen++;
		CU_ASSERT_EQUAL(name->view, 1);
		CU_ASSERT_EQUAL(name->qtype, 1);
		CU_ASSERT_EQUAL(name->name_len, 18);
		CU_ASSERT_EQUAL(memcmp(name->name, key.name, 18), 0);
	}
	CU_ASSERT_EQUAL(seen, 1);
	lab_close(&lab);
}

/* ---- what a killed writer leaves ---- */

static uint32_t slot_of(const struct lab *lab, unsigned number)
{
	struct key key;

	key_make(&key, number);
	for (uint32_t i = 0; i < lab->arrays.slot_count; i++)
		if (lab->arrays.names[i].name_len == 18 &&
		    !memcmp(lab->arrays.names[i].name, key.name, 18))
			return i;
	CU_FAIL_FATAL("not in the table");
	return 0;
}

static void after_kill_in_a_slot(void)
{
	struct lab lab;
	uint32_t idx;

	lab_open(&lab, 64, 8);
	CU_ASSERT_EQUAL(put(&lab, 1, 1, 100), 0);
	CU_ASSERT_EQUAL(put(&lab, 2, 1, 100), 0);
	idx = slot_of(&lab, 1);
	lab.arrays.slots[idx].seq++;
	lab.arrays.slots[idx].blob = 0xffffffff;
	CU_ASSERT_TRUE(is_absent(&lab, 1)); /* readers already refuse it */
	lab_reopen(&lab);
	CU_ASSERT_EQUAL(lab.arrays.slots[idx].seq & 1, 0);
	CU_ASSERT_TRUE(is_absent(&lab, 1));
	CU_ASSERT_TRUE(holds(&lab, 2, 1, 100));
	CU_ASSERT_EQUAL(usage_of(&lab).slots_used, 1);
	CU_ASSERT_EQUAL(usage_of(&lab).small_used, 1);
	CU_ASSERT_EQUAL(put(&lab, 1, 2, 100), 0);
	CU_ASSERT_TRUE(holds(&lab, 1, 2, 100));
	lab_close(&lab);
}

static void after_kill_before_the_hop_bit(void)
{
	struct lab lab;
	uint32_t idx, home;

	lab_open(&lab, 64, 8);
	CU_ASSERT_EQUAL(put(&lab, 1, 1, 100), 0);
	idx = slot_of(&lab, 1);
	home = table_home(lab.arrays.slots[idx].hash, 64);
	lab.arrays.slots[home].hop = 0;
	lab_reopen(&lab);
	CU_ASSERT_EQUAL(usage_of(&lab).slots_used, 0);
	CU_ASSERT_EQUAL(usage_of(&lab).small_used, 0);
	CU_ASSERT_EQUAL(lab.arrays.slots[idx].flags, 0);
	lab_close(&lab);
}

/* Killed in the middle of a move: the entry stands in two slots, once, twice led to. */
static void after_kill_in_a_move(void)
{
	for (int led_twice = 0; led_twice < 2; led_twice++) {
		struct lab lab;
		uint32_t idx, home, to;

		lab_open(&lab, 64, 8);
		CU_ASSERT_EQUAL(put(&lab, 1, 1, 100), 0);
		idx = slot_of(&lab, 1);
		home = table_home(lab.arrays.slots[idx].hash, 64);
		to = home + 5;
		lab.arrays.slots[to] = lab.arrays.slots[idx];
		lab.arrays.slots[to].hop = 0;
		lab.arrays.names[to] = lab.arrays.names[idx];
		if (led_twice)
			lab.arrays.slots[home].hop |= 1u << 5;
		CU_ASSERT_TRUE(holds(&lab, 1, 1, 100));
		lab_reopen(&lab);
		CU_ASSERT_TRUE(holds(&lab, 1, 1, 100));
		CU_ASSERT_EQUAL(usage_of(&lab).slots_used, 1);
		CU_ASSERT_EQUAL(usage_of(&lab).small_used, 1);
		CU_ASSERT_EQUAL(put(&lab, 1, 2, 100), 0);
		lab_reopen(&lab);
		CU_ASSERT_TRUE(holds(&lab, 1, 2, 100));
		CU_ASSERT_EQUAL(usage_of(&lab).small_used, 1);
		lab_close(&lab);
	}
}

/* Random bytes instead of a table: opening neither crashes nor shows an answer. */
static void after_garbage(void)
{
	struct lab lab;

	lab_open(&lab, 256, 16);
	for (unsigned round = 0; round < 50; round++) {
		uint8_t *bytes = (uint8_t *)lab.arrays.slots;

		for (size_t i = 0; i < 256 * sizeof(struct lane53_slot); i++)
			bytes[i] = (uint8_t)random();
		lab_reopen(&lab);
		for (uint32_t i = 0; i < 256; i++)
			CU_ASSERT_EQUAL(lab.arrays.slots[i].seq & 1, 0);
		for (unsigned i = 0; i < 20; i++)
			CU_ASSERT_EQUAL(put(&lab, i, round, 20), 0);
		for (unsigned i = 0; i < 20; i++)
			CU_ASSERT_TRUE(holds(&lab, i, round, 20));
		table_clear(lab.table);
		CU_ASSERT_EQUAL(usage_of(&lab).slots_used, 0);
	}
	lab_close(&lab);
}

/* ---- readers beside the writer ---- */

static const struct lane53_slot *slot_at(void *slots, __u32 idx)
{
	return (const struct lane53_slot *)slots + idx;
}

/*
 * A reader that was stopped between finding a slot and copying its blob: whatever the
 * writer did to that entry meanwhile, the second look at seq tells.
 */
static void a_stopped_reader_notices(void)
{
	for (int what = 0; what < 4; what++) {
		const struct lane53_slot *slot = NULL;
		struct lane53_slot copy;
		struct key_hash hash;
		struct key key;
		struct lab lab;

		lab_open(&lab, LANE53_SLOTS_MIN, 1);
		key_make(&key, 1);
		hash = key_hash(lab.secret, name_lanes(lab.secret, key.name, 18), 18, 1,
				1, 0);
		CU_ASSERT_EQUAL(put(&lab, 1, 1, 100), 0);
		CU_ASSERT_EQUAL_FATAL(table_find(slot_at, lab.arrays.slots,
						 LANE53_SLOTS_MIN, hash.hash, &copy,
						 &slot),
				      TABLE_FIND_HIT);
		CU_ASSERT_EQUAL(put(&lab, 2, 1, 20),
				0); /* another's entry: no matter */
		CU_ASSERT_TRUE(table_is_still(slot, &copy));
		if (what == 0)
			CU_ASSERT_EQUAL(put(&lab, 1, 2, 20), 0);
		if (what == 1)
			CU_ASSERT_EQUAL(table_retract(lab.table, &key.table), 0);
		if (what == 2)
			table_clear(lab.table);
		if (what == 3) {
			CU_ASSERT_EQUAL(table_retract(lab.table, &key.table), 0);
			CU_ASSERT_EQUAL(put(&lab, 1, 1, 100), 0); /* the very same */
		}
		CU_ASSERT_FALSE(table_is_still(slot, &copy));
		CU_ASSERT_EQUAL(table_find(slot_at, lab.arrays.slots, LANE53_SLOTS_MIN,
					   hash.hash, &copy, &slot),
				what == 0 || what == 3 ? TABLE_FIND_HIT
						       : TABLE_FIND_MISS);
		lab_close(&lab);
	}
}

/* A slot that is being written is refused at the first look. */
static void a_slot_being_written_is_torn(void)
{
	const struct lane53_slot *slot = NULL;
	struct lane53_slot copy;
	struct key_hash hash;
	struct key key;
	struct lab lab;

	lab_open(&lab, LANE53_SLOTS_MIN, 1);
	key_make(&key, 1);
	hash = key_hash(lab.secret, name_lanes(lab.secret, key.name, 18), 18, 1, 1, 0);
	CU_ASSERT_EQUAL(put(&lab, 1, 1, 20), 0);
	lab.arrays.slots[slot_of(&lab, 1)].seq++;
	CU_ASSERT_EQUAL(table_find(slot_at, lab.arrays.slots, LANE53_SLOTS_MIN,
				   hash.hash, &copy, &slot),
			TABLE_FIND_TORN);
	lab_close(&lab);
}

struct race {
	struct lab lab;
	atomic_bool stop;
	atomic_ulong hits, misses, wrong;
};

enum { RACE_KEYS = 180, RACE_SLOTS = 256, RACE_STEPS = 400000 };

/* Any version will do, but it must be this key's, in one piece. */
static bool is_whole(const struct made *got, unsigned number)
{
	uint8_t version = got->bytes[2] ^ (uint8_t)number;

	for (size_t i = 2; i < got->answer.len; i++)
		if (got->bytes[i] !=
		    (uint8_t)((uint8_t)(number >> 8 * (i & 1)) ^ version))
			return false;
	return got->answer.len >= 20;
}

static void *race_reader(void *context)
{
	struct race *race = context;
	unsigned long hits = 0, misses = 0, wrong = 0;
	struct made got;

	for (unsigned i = 0; !atomic_load(&race->stop); i++) {
		/* 257: the two bytes of a number differ from its neighbours' */
		unsigned number = i % RACE_KEYS * 257;

		if (look(&race->lab, number, &got))
			misses++;
		else if (is_whole(&got, number))
			hits++;
		else
			wrong++;
	}
	atomic_fetch_add(&race->hits, hits);
	atomic_fetch_add(&race->misses, misses);
	atomic_fetch_add(&race->wrong, wrong);
	return NULL;
}

/*
 * A nearly full small table with few blobs, rewritten without a pause: slots are moved,
 * replaced and freed, and blobs come back as other keys' within microseconds.
 */
static void readers_never_get_another_keys_answer(void)
{
	static const size_t lens[] = { 20, 28, 60, 216, 400, 1240 };
	static struct race race;
	pthread_t readers[2];

	lab_open(&race.lab, RACE_SLOTS, 100);
	for (size_t i = 0; i < ARRAY_LEN(readers); i++)
		CU_ASSERT_EQUAL_FATAL(
			pthread_create(&readers[i], NULL, race_reader, &race), 0);
	for (unsigned step = 0; step < RACE_STEPS; step++) {
		unsigned number = (unsigned)random() % RACE_KEYS * 257;
		struct key key;

		key_make(&key, number);
		if (random() % 4)
			(void)put(&race.lab, number, step & 0xff,
				  lens[(size_t)random() % ARRAY_LEN(lens)]);
		else
			(void)table_retract(race.lab.table, &key.table);
	}
	atomic_store(&race.stop, true);
	for (size_t i = 0; i < ARRAY_LEN(readers); i++)
		pthread_join(readers[i], NULL);
	printf("(%lu hits, %lu misses, %lu moves) ", atomic_load(&race.hits),
	       atomic_load(&race.misses), (unsigned long)usage_of(&race.lab).moved);
	CU_ASSERT_EQUAL(atomic_load(&race.wrong), 0);
	CU_ASSERT_TRUE(atomic_load(&race.hits) > 0);
	CU_ASSERT_TRUE(usage_of(&race.lab).moved > 0);
	lab_close(&race.lab);
}

static const struct check_case cases[] = {
	{ "refuses bad arrays", refuses_bad_arrays },
	{ "sizes go where they fit", sizes_go_where_they_fit },
	{ "shows what was published", shows_what_was_published },
	{ "refuses what readers cannot show", refuses_what_readers_cannot_show },
	{ "sums the answer", sums_the_answer },
	{ "fills to a high load", fills_to_a_high_load },
	{ "the smallest table works", the_smallest_table_works },
	{ "out of blobs is full and absent", out_of_blobs_is_full_and_absent },
	{ "agrees with a model", agrees_with_a_model },
	{ "agrees with a model when shared", agrees_with_a_model_when_shared },
	{ "the same bytes are stored once", the_same_bytes_are_stored_once },
	{ "sweeps what expired", sweeps_what_expired },
	{ "retracts below a name", retracts_below_a_name },
	{ "names tell what is there", names_tell_what_is_there },
	{ "after a kill in a slot", after_kill_in_a_slot },
	{ "after a kill before the hop bit", after_kill_before_the_hop_bit },
	{ "after a kill in a move", after_kill_in_a_move },
	{ "after garbage", after_garbage },
	{ "a stopped reader notices", a_stopped_reader_notices },
	{ "a slot being written is torn", a_slot_being_written_is_torn },
	{ "readers never get another key's answer",
	  readers_never_get_another_keys_answer },
};

CHECK_MAIN("table", cases)
