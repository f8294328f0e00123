/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_records.c - RRsets out of records, and their difference from the store.
 */
#include "check.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dns/name.h"
#include "lane53/wire.h"
#include "source/records.h"
#include "store/store.h"

/* One RR: "owner type ttl rdata", rdata taken as bytes. */
struct row {
	const char *owner;
	uint16_t type;
	uint32_t ttl_s;
	const char *rdata;
};

static struct records *make(const struct row *rows, size_t count)
{
	struct records *records = NULL;

	CU_ASSERT_EQUAL_FATAL(records_open(&records), 0);
	for (size_t i = 0; i < count; i++) {
		uint8_t owner[255];
		struct record record = {
			owner,
			rows[i].type,
			rows[i].ttl_s,
			(const uint8_t *)rows[i].rdata,
			(uint16_t)strlen(rows[i].rdata),
			(unsigned)i + 1,
		};

		name_from_text(owner, rows[i].owner);
		CU_ASSERT_EQUAL(records_add(records, &record), 0);
	}
	CU_ASSERT_EQUAL_FATAL(records_end(records), 0);
	return records;
}

/* "owner type ttl rdata[,rdata...];" */
static int print_set(void *context, const uint8_t *owner, const struct rrset *set,
		     unsigned line)
{
	char *text = context, name[NAME_TEXT_ROOM];
	const uint8_t *rdata;
	uint16_t len;
	size_t pos = 0;

	(void)line;
	name_to_text(name, owner);
	sprintf(text + strlen(text), "%s %u %u", name, set->type, set->ttl_s);
	while (rrset_next(set, &pos, &rdata, &len))
		sprintf(text + strlen(text), " %.*s", len, (const char *)rdata);
	strcat(text, ";");
	return 0;
}

static bool print_stored(void *context, const uint8_t *owner, const struct rrset *set)
{
	return print_set(context, owner, set, 0) == 0;
}

static void sets(void)
{
	static const struct row rows[] = {
		{ "b.x", 1, 60, "one" },  { "A.x", 1, 60, "r" },
		{ "b.x", 1, 30, "two" },  { "x", 257, 5, "caa" },
		{ "b.X", 1, 90, "one" },  { "x", 6, 5, "soa" },
		{ "x", 257, 5, "again" }, { "b.x", 28, 7, "six" },
	};
	struct records *records = make(rows, ARRAY_LEN(rows));
	char text[512] = "";
	uint8_t name[255];
	struct rrset set;
	const uint8_t *owner;
	unsigned line = 0;

	records_each(records, print_set, text);
	CU_ASSERT_STRING_EQUAL(text, "x. 6 5 soa;x. 257 5 caa again;a.x. 1 60 r;"
				     "b.x. 1 30 one two;b.x. 28 7 six;");
	CU_ASSERT_EQUAL(records_count(records), 7);
	CU_ASSERT_EQUAL(records_ttl_differences(records, &line), 1);
	CU_ASSERT_TRUE(line == 3 || line == 5);
	CU_ASSERT_EQUAL(records_left_out(records, &owner), 0);
	name_from_text(name, "B.x");
	CU_ASSERT_TRUE(records_get(records, name, 1, &set));
	CU_ASSERT_EQUAL(set.count, 2);
	CU_ASSERT_FALSE(records_get(records, name, 2, &set));
	name_from_text(name, "c.x");
	CU_ASSERT_FALSE(records_get(records, name, 1, &set));
	records_close(records);
}

/* 0.0.0.0 of a block list has hundreds of thousands of PTRs. */
static void set_that_no_message_holds(void)
{
	struct records *records = NULL;
	uint8_t owner[255];
	const uint8_t *where = NULL;
	struct rrset set;
	char rdata[32];

	name_from_text(owner, "0.0.0.0.in-addr.arpa");
	CU_ASSERT_EQUAL_FATAL(records_open(&records), 0);
	for (unsigned i = 0; i < 100000; i++) {
		struct record record = { owner, TYPE_PTR, 60, (uint8_t *)rdata, 0, 0 };

		/* Each twice, apart. */
		record.rdata_len = (uint16_t)sprintf(rdata, "n%05u", i % 50000);
		CU_ASSERT_EQUAL_FATAL(records_add(records, &record), 0);
	}
	CU_ASSERT_EQUAL_FATAL(records_end(records), 0);
	CU_ASSERT_TRUE_FATAL(records_get(records, owner, TYPE_PTR, &set));
	CU_ASSERT_TRUE(set.count * 18u <= 65535 && set.count * 18u > 65000);
	CU_ASSERT_EQUAL(records_left_out(records, &where), 50000u - set.count);
	CU_ASSERT_TRUE(where && name_equal(where, owner));
	CU_ASSERT_EQUAL(memcmp(set.rdata + 2, "n00000", 6), 0);
	records_close(records);
}

/* ---- beside the store ---- */

static char dir[64];
static struct store *store;

static void open_store(void)
{
	snprintf(dir, sizeof(dir), "/tmp/lane53-test-records-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	CU_ASSERT_EQUAL_FATAL(store_open(&store, dir, STORE_READ_WRITE, 1 << 28), 0);
}

static void close_store(void)
{
	char path[128];

	store_close(store);
	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/lock.mdb", dir);
	unlink(path);
	CU_ASSERT_EQUAL(rmdir(dir), 0);
}

static int print_owner(void *context, const uint8_t *owner)
{
	char *text = context, name[NAME_TEXT_ROOM];

	name_to_text(name, owner);
	strcat(strcat(text, name), " ");
	return 0;
}

static int refuse(void *context, const uint8_t *owner)
{
	(void)context;
	(void)owner;
	return -5;
}

static void check_step(struct records *records, const char *want_changed)
{
	char changed[512] = "", want[512] = "", got[512] = "";
	struct store_write *write;
	struct store_read *read;
	uint64_t before;

	CU_ASSERT_EQUAL_FATAL(store_read_begin(store, &read), 0);
	before = store_read_commit_id(read);
	CU_ASSERT_EQUAL(records_diff(records, read, 2, print_owner, changed), 0);
	CU_ASSERT_STRING_EQUAL(changed, want_changed);
	CU_ASSERT_EQUAL(records_diff(records, read, 2, refuse, NULL),
			*want_changed ? -5 : 0);
	store_read_end(read);

	CU_ASSERT_EQUAL_FATAL(store_write_begin(store, &write), 0);
	CU_ASSERT_EQUAL(records_commit(records, write, 2), 0);
	CU_ASSERT_EQUAL(store_write_commit(write), 0);
	CU_ASSERT_EQUAL_FATAL(store_read_begin(store, &read), 0);
	store_each(read, 2, (const uint8_t *)"", print_stored, got);
	if (records)
		records_each(records, print_set, want);
	CU_ASSERT_STRING_EQUAL(got, want);
	/* Nothing to write: nothing written. */
	CU_ASSERT_EQUAL(store_read_commit_id(read) > before, *want_changed != 0);
	store_read_end(read);
}

static void differences(void)
{
	static const struct row first[] = {
		{ "x", 6, 5, "soa" },  { "a.x", 1, 60, "1" }, { "a.x", 28, 60, "6" },
		{ "b.x", 1, 60, "1" }, { "c.x", 1, 60, "1" },
	};
	static const struct row second[] = {
		{ "x", 6, 5, "soa" },        /* as before */
		{ "a.x", 1, 60, "1" },       /* its AAAA has gone */
		{ "b.x", 1, 61, "1" },       /* another TTL */
		{ "bb.x", 1, 60, "1" },      /* new */
		{ "c.x", 1, 60, "2" },       /* other RDATA */
		{ "d.c.x", 1, 60, "1" },     /* new, at the end */
		{ "d.c.x", 16, 60, "text" }, /* told once */
	};
	static const struct row other[] = { { "q", 1, 1, "other source" } };
	struct records *records;
	struct store_write *write;
	struct store_read *read;
	struct rrset set;
	uint8_t name[255];

	open_store();
	CU_ASSERT_EQUAL_FATAL(store_write_begin(store, &write), 0);
	records = make(other, 1);
	CU_ASSERT_EQUAL(records_commit(records, write, 1), 0);
	CU_ASSERT_EQUAL(records_commit(records, write, 3), 0);
	records_close(records);
	CU_ASSERT_EQUAL(store_write_commit(write), 0);

	records = make(first, ARRAY_LEN(first));
	check_step(records, "x. a.x. b.x. c.x. ");
	check_step(records, "");
	records_close(records);
	records = make(second, ARRAY_LEN(second));
	check_step(records, "a.x. b.x. bb.x. c.x. d.c.x. ");
	records_close(records);
	check_step(NULL, "x. a.x. b.x. bb.x. c.x. d.c.x. ");
	check_step(NULL, "");

	name_from_text(name, "q");
	CU_ASSERT_EQUAL_FATAL(store_read_begin(store, &read), 0);
	CU_ASSERT_TRUE(store_get(read, 1, name, 1, &set));
	CU_ASSERT_TRUE(store_get(read, 3, name, 1, &set));
	store_read_end(read);
	close_store();
}

/* Any two random states: afterwards the store has the second. */
static void random_states(void)
{
	open_store();
	srandom(53);
	for (unsigned round = 0; round < 50; round++) {
		struct records *records = NULL;
		static char got[60000], want[60000];
		struct store_write *write;
		struct store_read *read;

		CU_ASSERT_EQUAL_FATAL(records_open(&records), 0);
		for (unsigned i = (unsigned)random() % 200; i-- > 0;) {
			uint8_t owner[255];
			char text[32];
			struct record record = { owner, 1, 60, (uint8_t *)text, 1, 0 };

			sprintf(text, "%ld.%ld", random() % 20, random() % 10);
			name_from_text(owner, text);
			record.type = (uint16_t)(1 + random() % 2);
			CU_ASSERT_EQUAL(records_add(records, &record), 0);
		}
		CU_ASSERT_EQUAL_FATAL(records_end(records), 0);
		CU_ASSERT_EQUAL_FATAL(store_write_begin(store, &write), 0);
		CU_ASSERT_EQUAL(records_commit(records, write, 2), 0);
		CU_ASSERT_EQUAL(store_write_commit(write), 0);
		got[0] = want[0] = 0;
		CU_ASSERT_EQUAL_FATAL(store_read_begin(store, &read), 0);
		store_each(read, 2, (const uint8_t *)"", print_stored, got);
		store_read_end(read);
		records_each(records, print_set, want);
		CU_ASSERT_STRING_EQUAL(got, want);
		records_close(records);
	}
	close_store();
}

static const struct check_case cases[] = {
	{ "sets", sets },
	{ "set that no message holds", set_that_no_message_holds },
	{ "differences", differences },
	{ "random states", random_states },
};

CHECK_MAIN("records", cases)
