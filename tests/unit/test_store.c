/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_store.c - the zone store: order, snapshots, numbers, damaged files.
 */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dns/name.h"
#include "lane53/wire.h"
#include "store/key.h"
#include "store/store.h"

static char dir[64];

static void make_dir(void)
{
	snprintf(dir, sizeof(dir), "/tmp/lane53-test-store-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
}

static void drop_dir(void)
{
	static const char *const files[] = { "data.mdb", "lock.mdb" };
	char path[128];

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		(void)unlink(path); /* not every test makes both */
	}
	CU_ASSERT_EQUAL(rmdir(dir), 0);
}

static const uint8_t *wire(const char *text)
{
	static uint8_t names[4][255];
	static unsigned turn;
	uint8_t *out = names[turn++ % 4];

	CU_ASSERT_NOT_EQUAL_FATAL(name_from_text(out, text), 0);
	return out;
}

/* One RR whose RDATA is the text's bytes. */
static void put(struct store_write *write, uint32_t source, const char *owner,
		uint16_t type, const char *rdata)
{
	uint8_t bytes[64];
	uint16_t len = (uint16_t)strlen(rdata);
	struct rrset set = { type, 60, 1, bytes, sizeof(len) + len };

	memcpy(bytes, &len, sizeof(len));
	memcpy(bytes + sizeof(len), rdata, len);
	CU_ASSERT_EQUAL(store_put(write, source, wire(owner), &set), 0);
}

static bool has(struct store_read *read, uint32_t source, const char *owner,
		uint16_t type, const char *rdata)
{
	const uint8_t *bytes;
	struct rrset set;
	uint16_t len;
	size_t pos = 0;

	return store_get(read, source, wire(owner), type, &set) && set.ttl_s == 60 &&
	       set.count == 1 && set.type == type &&
	       rrset_next(&set, &pos, &bytes, &len) && len == strlen(rdata) &&
	       memcmp(bytes, rdata, len) == 0 && !rrset_next(&set, &pos, &bytes, &len);
}

/* Byte order of keys is canonical order, and keys read back. */
static void keys(void)
{
	static const char *const order[] = {
		".",
		"example",
		"a.example",
		"yljkjljk.a.example",
		"Z.a.example",
		"zABC.a.example",
		"z.example",
		"\\000.z.example",
		"\\000\\000.z.example",
		"\\001.z.example",
		"\\001\\000.z.example",
		"\\002.z.example",
		"*.z.example",
		"\\200.z.example",
	};
	uint8_t a[KEY_NAME_ROOM], b[KEY_NAME_ROOM], back[255], lower[255];

	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		size_t an = key_of_name(a, wire(order[i]));

		CU_ASSERT_NOT_EQUAL(key_to_name(back, a, an), 0);
		name_lower(lower, wire(order[i]));
		CU_ASSERT_EQUAL(memcmp(lower, back, name_size(lower)), 0);
		for (size_t j = 0; j < ARRAY_LEN(order); j++) {
			size_t bn = key_of_name(b, wire(order[j]));
			int got = memcmp(a, b, an < bn ? an : bn);

			if (got == 0)
				got = (int)an - (int)bn;
			CU_ASSERT_EQUAL((got > 0) - (got < 0), (i > j) - (i < j));
		}
	}
	CU_ASSERT_EQUAL(key_to_name(back, (const uint8_t *)"a", 1), 0);
	CU_ASSERT_EQUAL(key_to_name(back, (const uint8_t *)"\1\0", 2), 0);
	CU_ASSERT_EQUAL(key_to_name(back, (const uint8_t *)"\0", 1), 0);
}

/* The longest key there can be fits. */
static void longest_key(void)
{
	uint8_t name[255] = { 0 }, key[KEY_NAME_ROOM];
	struct rrset set = { TYPE_A, 60, 0, NULL, 0 };
	struct store *store = NULL;
	struct store_write *write;
	struct store_read *read;

	for (size_t i = 0; i < 192; i += 64)
		name[i] = 63;
	name[192] = 61;
	CU_ASSERT_EQUAL(key_of_name(key, name), KEY_NAME_ROOM);
	make_dir();
	CU_ASSERT_EQUAL_FATAL(store_open(&store, dir, STORE_READ_WRITE, 1 << 24), 0);
	CU_ASSERT_EQUAL_FATAL(store_write_begin(store, &write), 0);
	CU_ASSERT_EQUAL(store_put(write, UINT32_MAX, name, &set), 0);
	CU_ASSERT_EQUAL(store_write_commit(write), 0);
	CU_ASSERT_EQUAL_FATAL(store_read_begin(store, &read), 0);
	CU_ASSERT_TRUE(store_get(read, UINT32_MAX, name, TYPE_A, &set));
	store_read_end(read);
	store_close(store);
	drop_dir();
}

static bool append_line(void *context, const uint8_t *owner, const struct rrset *set)
{
	char *text = context, name[NAME_TEXT_ROOM];

	name_to_text(name, owner);
	sprintf(text + strlen(text), "%s/%u ", name, set->type);
	return strlen(text) < 180;
}

static bool append_type(void *context, const struct rrset *set)
{
	char *text = context;

	sprintf(text + strlen(text), "%u ", set->type);
	return true;
}

/* Several types in one descent, in any order, some absent, one twice. */
static void find_types(struct store_read *read)
{
	static const uint16_t types[] = { 65280, TYPE_A, TYPE_NS, 257, TYPE_A };
	struct rrset sets[ARRAY_LEN(types)];

	CU_ASSERT_EQUAL(
		store_find(read, 2, wire("EX.org"), types, ARRAY_LEN(types), sets),
		STORE_NAME);
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		CU_ASSERT_EQUAL(sets[i].rdata != NULL, types[i] != TYPE_NS);
		if (sets[i].rdata)
			CU_ASSERT_EQUAL(sets[i].type, types[i]);
	}
	CU_ASSERT_EQUAL(store_find(read, 2, wire("b.ex.org"), types, 2, sets),
			STORE_EMPTY_NAME);
	CU_ASSERT_PTR_NULL(sets[1].rdata);
	CU_ASSERT_EQUAL(store_find(read, 2, wire("ex.orga"), types, 2, sets),
			STORE_NAME);
	CU_ASSERT_PTR_NOT_NULL(sets[1].rdata);
	CU_ASSERT_EQUAL(store_find(read, 2, wire("ex.orgb"), types, 2, sets),
			STORE_NO_NAME);
	CU_ASSERT_PTR_NULL(sets[1].rdata);
}

static void records(void)
{
	struct store *store = NULL;
	struct store_write *write;
	struct store_read *read, *own;
	char text[512] = "";

	make_dir();
	CU_ASSERT_EQUAL_FATAL(store_open(&store, dir, STORE_READ_WRITE, 1 << 24), 0);
	CU_ASSERT_EQUAL_FATAL(store_write_begin(store, &write), 0);
	put(write, 2, "Www.ex.org", TYPE_A, "four");
	put(write, 2, "ex.org", 257, "caa");
	put(write, 2, "ex.org", 65280, "private");
	put(write, 2, "ex.org", TYPE_A, "addr");
	put(write, 2, "\\001.ex.org", TYPE_A, "low");
	put(write, 2, "a.b.ex.org", TYPE_A, "deep");
	put(write, 2, "ex.orga", TYPE_A, "other");
	put(write, 1, "ex.org", TYPE_TXT, "another source");
	put(write, 3, "ex.org", TYPE_TXT, "another source");
	own = store_write_reader(write);
	CU_ASSERT_TRUE(has(own, 2, "www.EX.org", TYPE_A, "four"));
	CU_ASSERT_EQUAL(store_presence(own, 2, wire("b.ex.org")), STORE_EMPTY_NAME);
	CU_ASSERT_EQUAL(store_write_commit(write), 0);

	CU_ASSERT_EQUAL_FATAL(store_read_begin(store, &read), 0);
	CU_ASSERT_TRUE(has(read, 2, "www.ex.ORG", TYPE_A, "four"));
	CU_ASSERT_FALSE(has(read, 1, "www.ex.org", TYPE_A, "four"));
	CU_ASSERT_FALSE(has(read, 2, "www.ex.org", TYPE_AAAA, "four"));
	CU_ASSERT_EQUAL(store_presence(read, 2, wire("ex.org")), STORE_NAME);
	CU_ASSERT_EQUAL(store_presence(read, 2, wire("b.ex.org")), STORE_EMPTY_NAME);
	CU_ASSERT_EQUAL(store_presence(read, 2, wire("org")), STORE_EMPTY_NAME);
	CU_ASSERT_EQUAL(store_presence(read, 2, wire(".")), STORE_EMPTY_NAME);
	CU_ASSERT_EQUAL(store_presence(read, 2, wire("x.org")), STORE_NO_NAME);
	CU_ASSERT_EQUAL(store_presence(read, 2, wire("ww.ex.org")), STORE_NO_NAME);
	CU_ASSERT_EQUAL(store_presence(read, 4, wire(".")), STORE_NO_NAME);

	find_types(read);

	/* Types above 255 still come before the names below. */
	store_each(read, 2, wire("ex.org"), append_line, text);
	CU_ASSERT_STRING_EQUAL(text,
			       "ex.org./1 ex.org./257 ex.org./65280 \\001.ex.org./1 "
			       "a.b.ex.org./1 www.ex.org./1 ");
	text[0] = 0;
	store_each_type(read, 2, wire("ex.org"), append_type, text);
	CU_ASSERT_STRING_EQUAL(text, "1 257 65280 ");
	text[0] = 0;
	store_each_type(read, 2, wire("b.ex.org"), append_type, text);
	CU_ASSERT_STRING_EQUAL(text, "");
	store_read_end(read);

	CU_ASSERT_EQUAL_FATAL(store_write_begin(store, &write), 0);
	CU_ASSERT_EQUAL(store_delete(write, 2, wire("ex.org"), 257), 0);
	CU_ASSERT_EQUAL(store_delete(write, 2, wire("ex.org"), 257), STORE_ABSENT);
	CU_ASSERT_EQUAL(store_write_commit(write), 0);
	CU_ASSERT_EQUAL_FATAL(store_write_begin(store, &write), 0);
	CU_ASSERT_EQUAL(store_clear(write, 2), 0);
	CU_ASSERT_EQUAL(store_clear(write, 9), 0);
	CU_ASSERT_EQUAL(store_write_commit(write), 0);
	CU_ASSERT_EQUAL_FATAL(store_read_begin(store, &read), 0);
	CU_ASSERT_EQUAL(store_presence(read, 2, wire(".")), STORE_NO_NAME);
	CU_ASSERT_TRUE(has(read, 1, "ex.org", TYPE_TXT, "another source"));
	CU_ASSERT_TRUE(has(read, 3, "ex.org", TYPE_TXT, "another source"));
	store_read_end(read);
	store_close(store);
	drop_dir();
}

/* A reader sees one commit, whole, until it begins again; an abort leaves no trace. */
static void snapshots(void)
{
	struct store *writer = NULL, *reader = NULL;
	struct store_write *write;
	struct store_read *read;
	uint64_t before;
	uint32_t id = 0, again = 0;
	const void *bytes;
	size_t len;

	make_dir();
	CU_ASSERT_EQUAL(store_open(&reader, dir, STORE_READ_ONLY, 0), STORE_ABSENT);
	CU_ASSERT_EQUAL_FATAL(store_open(&writer, dir, STORE_READ_WRITE, 0), 0);
	CU_ASSERT_EQUAL_FATAL(store_open(&reader, dir, STORE_READ_ONLY, 0), 0);
	CU_ASSERT_EQUAL_FATAL(store_read_begin(reader, &read), 0);
	before = store_read_commit_id(read);

	CU_ASSERT_EQUAL_FATAL(store_write_begin(writer, &write), 0);
	put(write, 1, "ex.org", TYPE_A, "new");
	CU_ASSERT_EQUAL(store_id(write, "view", "one", &id), 0);
	CU_ASSERT_EQUAL(id, 1);
	CU_ASSERT_EQUAL(store_id(write, "view", "two", &id), 0);
	CU_ASSERT_EQUAL(id, 2);
	CU_ASSERT_EQUAL(store_id(write, "source", "one", &again), 0);
	CU_ASSERT_EQUAL(again, 1);
	CU_ASSERT_EQUAL(store_meta_put(write, "plan", "text", 4), 0);
	CU_ASSERT_EQUAL(store_write_commit(write), 0);
	CU_ASSERT_FALSE(has(read, 1, "ex.org", TYPE_A, "new"));
	CU_ASSERT_FALSE(store_meta_get(read, "plan", &bytes, &len));
	store_read_end(read);

	CU_ASSERT_EQUAL_FATAL(store_read_begin(reader, &read), 0);
	CU_ASSERT_TRUE(store_read_commit_id(read) > before);
	CU_ASSERT_TRUE(has(read, 1, "ex.org", TYPE_A, "new"));
	CU_ASSERT_EQUAL(store_presence(read, 1, wire("ex.org")), STORE_NAME);
	CU_ASSERT_TRUE(store_meta_get(read, "plan", &bytes, &len));
	CU_ASSERT_TRUE(len == 4 && memcmp(bytes, "text", 4) == 0);
	CU_ASSERT_TRUE(store_id_find(read, "view", "two", &again));
	CU_ASSERT_EQUAL(again, 2);
	CU_ASSERT_FALSE(store_id_find(read, "view", "three", &again));
	store_read_end(read);

	CU_ASSERT_EQUAL_FATAL(store_write_begin(writer, &write), 0);
	CU_ASSERT_EQUAL(store_clear(write, 1), 0);
	store_write_abort(write);
	CU_ASSERT_EQUAL_FATAL(store_read_begin(reader, &read), 0);
	CU_ASSERT_TRUE(has(read, 1, "ex.org", TYPE_A, "new"));
	store_read_end(read);
	store_close(writer);

	/* The environment lives until its last handle, and then on disk. */
	CU_ASSERT_EQUAL_FATAL(store_read_begin(reader, &read), 0);
	CU_ASSERT_TRUE(has(read, 1, "ex.org", TYPE_A, "new"));
	store_read_end(read);
	store_close(reader);
	CU_ASSERT_EQUAL_FATAL(store_open(&reader, dir, STORE_READ_ONLY, 0), 0);
	CU_ASSERT_EQUAL(store_open(&writer, dir, STORE_READ_WRITE, 0), -EBUSY);
	CU_ASSERT_EQUAL(store_write_begin(reader, &write), -EACCES);
	store_close(reader);
	CU_ASSERT_EQUAL_FATAL(store_open(&writer, dir, STORE_READ_WRITE, 0), 0);
	CU_ASSERT_EQUAL_FATAL(store_write_begin(writer, &write), 0);
	CU_ASSERT_EQUAL(store_id(write, "view", "three", &id), 0);
	CU_ASSERT_EQUAL(id, 3);
	store_write_abort(write);
	store_close(writer);
	drop_dir();
}

/* Sorted, backwards, mixed with deletions: the same content. */
static void any_order_of_puts(void)
{
	enum { COUNT = 5000 };
	struct store *store = NULL;
	struct store_write *write;
	struct store_read *read;
	char name[64];

	make_dir();
	CU_ASSERT_EQUAL_FATAL(store_open(&store, dir, STORE_READ_WRITE, 1 << 26), 0);
	CU_ASSERT_EQUAL_FATAL(store_write_begin(store, &write), 0);
	for (unsigned i = 0; i < COUNT; i++) {
		unsigned n = i * 7919u % COUNT; /* a permutation: 7919 is prime */

		snprintf(name, sizeof(name), "n%06u.ex.org", i);
		put(write, 1, name, TYPE_A, name);
		snprintf(name, sizeof(name), "n%06u.ex.org", COUNT - i - 1);
		put(write, 2, name, TYPE_A, name);
		snprintf(name, sizeof(name), "n%06u.ex.org", n);
		put(write, 3, name, TYPE_A, name);
		if (i % 100 == 0)
			CU_ASSERT_EQUAL(store_delete(write, 3, wire(name), TYPE_A), 0);
		if (i % 100 == 1)
			put(write, 3, name, TYPE_A, name);
	}
	CU_ASSERT_EQUAL(store_write_commit(write), 0);
	CU_ASSERT_EQUAL_FATAL(store_read_begin(store, &read), 0);
	for (unsigned i = 0; i < COUNT; i++) {
		unsigned n = i * 7919u % COUNT;

		snprintf(name, sizeof(name), "n%06u.ex.org", n);
		CU_ASSERT_TRUE_FATAL(has(read, 1, name, TYPE_A, name));
		CU_ASSERT_TRUE_FATAL(has(read, 2, name, TYPE_A, name));
		CU_ASSERT_EQUAL_FATAL(has(read, 3, name, TYPE_A, name), i % 100 != 0);
	}
	store_read_end(read);
	store_close(store);
	drop_dir();
}

static void large_set_and_full_map(void)
{
	size_t size = 300000;
	uint8_t *bytes = calloc(1, size);
	struct rrset set = { TYPE_TXT, 1, 0, bytes, 0 }, got;
	struct store *store = NULL;
	struct store_write *write;
	struct store_read *read;
	int r = 0;

	make_dir();
	CU_ASSERT_EQUAL_FATAL(store_open(&store, dir, STORE_READ_WRITE, 4 << 20), 0);
	CU_ASSERT_EQUAL_FATAL(store_write_begin(store, &write), 0);
	while (set.rdata_bytes + 202 <= size) {
		memcpy(bytes + set.rdata_bytes, &(uint16_t){ 200 }, 2);
		set.rdata_bytes += 202;
		set.count++;
	}
	CU_ASSERT_EQUAL(store_put(write, 1, wire("big"), &set), 0);
	CU_ASSERT_EQUAL(store_write_commit(write), 0);
	CU_ASSERT_EQUAL_FATAL(store_read_begin(store, &read), 0);
	CU_ASSERT_TRUE(store_get(read, 1, wire("big"), TYPE_TXT, &got));
	CU_ASSERT_EQUAL(got.count, set.count);
	CU_ASSERT_EQUAL(got.rdata_bytes, set.rdata_bytes);
	CU_ASSERT_EQUAL(memcmp(got.rdata, bytes, set.rdata_bytes), 0);
	store_read_end(read);

	CU_ASSERT_EQUAL_FATAL(store_write_begin(store, &write), 0);
	for (unsigned i = 0; i < 100 && r == 0; i++) {
		char name[16];

		snprintf(name, sizeof(name), "n%u", i);
		r = store_put(write, 1, wire(name), &set);
	}
	CU_ASSERT_EQUAL(r, -ENOSPC);
	store_write_abort(write);
	CU_ASSERT_EQUAL_FATAL(store_read_begin(store, &read), 0);
	CU_ASSERT_TRUE(store_get(read, 1, wire("big"), TYPE_TXT, &got));
	store_read_end(read);
	store_close(store);
	drop_dir();
	free(bytes);
}

/* RDATA that lies about its length ends the walk. */
static void rdata_walk_is_bounded(void)
{
	const uint8_t bytes[] = { 3, 0, 'a', 'b' };
	struct rrset set = { TYPE_A, 1, 1, bytes, sizeof(bytes) };
	const uint8_t *rdata;
	uint16_t len;
	size_t pos = 0;

	CU_ASSERT_FALSE(rrset_next(&set, &pos, &rdata, &len));
	set.rdata_bytes = 1;
	CU_ASSERT_FALSE(rrset_next(&set, &pos, &rdata, &len));
	pos = 9;
	CU_ASSERT_FALSE(rrset_next(&set, &pos, &rdata, &len));
}

/* ---- damaged files ---- */

enum damage { GARBAGE, TEXT, CUT, ZEROED, OTHER_VERSION };

static void fill(void)
{
	struct store *store = NULL;
	struct store_write *write;
	char name[32];

	CU_ASSERT_EQUAL_FATAL(store_open(&store, dir, STORE_READ_WRITE, 1 << 26), 0);
	CU_ASSERT_EQUAL_FATAL(store_write_begin(store, &write), 0);
	for (unsigned i = 0; i < 5000; i++) {
		snprintf(name, sizeof(name), "n%05u", i);
		put(write, 1, name, TYPE_A, name);
	}
	CU_ASSERT_EQUAL(store_write_commit(write), 0);
	store_close(store);
}

static void damage_file(enum damage how)
{
	uint8_t junk[65536];
	char path[128];
	uint32_t version = STORE_VERSION + 1;
	struct store *store = NULL;
	struct store_write *write;
	int fd;

	if (how == OTHER_VERSION) {
		CU_ASSERT_EQUAL_FATAL(store_open(&store, dir, STORE_READ_WRITE, 0), 0);
		CU_ASSERT_EQUAL_FATAL(store_write_begin(store, &write), 0);
		CU_ASSERT_EQUAL(store_meta_put(write, "version", &version, 4), 0);
		CU_ASSERT_EQUAL(store_write_commit(write), 0);
		store_close(store);
		return;
	}
	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	CU_ASSERT_TRUE_FATAL(fd >= 0);
	srandom(1);
	for (size_t i = 0; i < sizeof(junk); i++)
		junk[i] = how == GARBAGE ? (uint8_t)random() : 0;
	switch (how) {
	case TEXT:
		CU_ASSERT_EQUAL(ftruncate(fd, 0), 0);
		CU_ASSERT_EQUAL(pwrite(fd, "hello\n", 6, 0), 6);
		break;
	case GARBAGE:
		CU_ASSERT_EQUAL(pwrite(fd, junk, sizeof(junk), 0), sizeof(junk));
		break;
	case CUT:
		CU_ASSERT_EQUAL(ftruncate(fd, 4 * 4096), 0);
		break;
	case ZEROED:
		CU_ASSERT_EQUAL(pwrite(fd, junk, 65536, 4 * 4096), 65536);
		break;
	case OTHER_VERSION:
		break;
	}
	close(fd);
}

static void damaged_files(void)
{
	static const struct {
		const char *name;
		enum damage how;
		int want, or_want;
	} cases[] = {
		{ "random bytes", GARBAGE, -EINVAL, -EIO },
		{ "a text file", TEXT, -EINVAL, -EIO },
		{ "cut short", CUT, -EIO, -EINVAL },
		{ "pages of zeros", ZEROED, -EIO, -EINVAL },
		{ "another version", OTHER_VERSION, STORE_OTHER_VERSION,
		  STORE_OTHER_VERSION },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct store *store = NULL;
		int r;

		make_dir();
		fill();
		damage_file(cases[i].how);
		r = store_open(&store, dir, STORE_READ_WRITE, 1 << 26);
		if (r != cases[i].want && r != cases[i].or_want)
			printf("\n  %s: got %d", cases[i].name, r);
		CU_ASSERT_TRUE(r == cases[i].want || r == cases[i].or_want);
		CU_ASSERT_PTR_NULL(store);
		store_close(store);
		drop_dir();
	}
}

/* A page of random bytes anywhere: LMDB itself would die of most of them. */
static void random_damage(void)
{
	unsigned refused = 0;

	srandom(7);
	for (unsigned round = 0; round < 40; round++) {
		struct store *store = NULL;
		uint8_t page[4096];
		char path[128];
		struct stat st;
		int fd, r;

		make_dir();
		fill();
		snprintf(path, sizeof(path), "%s/data.mdb", dir);
		fd = open(path, O_RDWR);
		CU_ASSERT_TRUE_FATAL(fd >= 0 && fstat(fd, &st) == 0);
		for (size_t i = 0; i < sizeof(page); i++)
			page[i] = (uint8_t)random();
		/* Behind the two pages that say what is current. */
		CU_ASSERT_EQUAL(pwrite(fd, page, sizeof(page),
				       (2 + random() % (st.st_size / 4096 - 2)) * 4096),
				sizeof(page));
		close(fd);
		r = store_open(&store, dir, STORE_READ_WRITE, 1 << 26);
		CU_ASSERT_TRUE(r == 0 || r == -EIO);
		refused += r == -EIO;
		store_close(store);
		drop_dir();
	}
	/* Pages that are free are as good as before. */
	CU_ASSERT_TRUE(refused >= 35);
}

/* ---- a writer that is killed ---- */

#define NAMES 100

/* Raise the TTL of every name by one, commit, again, for ever. */
static void write_for_ever(void)
{
	struct store *store;
	struct store_write *write;
	struct rrset set = { .type = TYPE_A };
	uint32_t ttl_s = 0;
	char name[16];

	if (store_open(&store, dir, STORE_READ_WRITE, 1 << 26))
		_exit(1);
	for (;;) {
		if (store_write_begin(store, &write))
			_exit(1);
		if (store_get(store_write_reader(write), 1, wire("n0"), TYPE_A, &set))
			ttl_s = set.ttl_s;
		set = (struct rrset){ TYPE_A, ttl_s + 1, 0, NULL, 0 };
		for (unsigned i = 0; i < NAMES; i++) {
			snprintf(name, sizeof(name), "n%u", i);
			if (store_put(write, 1, wire(name), &set))
				_exit(1);
		}
		if (store_write_commit(write))
			_exit(1);
	}
}

/* The TTL that all names have; 0 = none is there yet, UINT32_MAX = they differ. */
static uint32_t common_ttl(struct store *store)
{
	struct store_read *read;
	struct rrset set;
	uint32_t ttl_s = 0;
	char name[16];

	CU_ASSERT_EQUAL_FATAL(store_read_begin(store, &read), 0);
	for (unsigned i = 0; i < NAMES; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		if (!store_get(read, 1, wire(name), TYPE_A, &set))
			set.ttl_s = 0;
		if (i > 0 && set.ttl_s != ttl_s)
			set.ttl_s = UINT32_MAX;
		ttl_s = set.ttl_s;
	}
	store_read_end(read);
	return ttl_s;
}

/* Whenever it dies, readers see whole commits that only go forward. */
static void killed_writer(void)
{
	struct store *store = NULL;
	uint32_t last = 0;

	make_dir();
	CU_ASSERT_EQUAL_FATAL(store_open(&store, dir, STORE_READ_WRITE, 1 << 26), 0);
	store_close(store);
	CU_ASSERT_EQUAL_FATAL(store_open(&store, dir, STORE_READ_ONLY, 1 << 26), 0);
	for (unsigned kills = 0; kills < 20; kills++) {
		uint32_t target = last + 10 + kills;
		pid_t writer;
		int status = 0;

		writer = fork();
		if (writer == 0)
			write_for_ever();
		CU_ASSERT_TRUE_FATAL(writer > 0);
		while (last < target && waitpid(writer, &status, WNOHANG) == 0) {
			uint32_t now = common_ttl(store);

			CU_ASSERT_TRUE_FATAL(now >= last && now != UINT32_MAX);
			last = now;
		}
		kill(writer, SIGKILL);
		waitpid(writer, &status, 0);
		CU_ASSERT_TRUE(WIFSIGNALED(status));
	}
	store_close(store);
	drop_dir();
}

static void directories(void)
{
	struct store *store = NULL;
	struct stat st;
	char path[128];

	make_dir();
	snprintf(path, sizeof(path), "%s/a/b", dir);
	CU_ASSERT_EQUAL(store_open(&store, path, STORE_READ_ONLY, 0), STORE_ABSENT);
	CU_ASSERT_EQUAL_FATAL(store_open(&store, path, STORE_READ_WRITE, 0), 0);
	CU_ASSERT_EQUAL(stat(path, &st), 0);
	CU_ASSERT_EQUAL(st.st_mode & 0777, 0700);
	store_close(store);
	snprintf(path, sizeof(path), "%s/a/b/data.mdb", dir);
	CU_ASSERT_EQUAL(store_open(&store, path, STORE_READ_ONLY, 0), -ENOTDIR);
	CU_ASSERT_EQUAL(store_open(&store, path, STORE_READ_WRITE, 0), -ENOTDIR);
	unlink(path);
	snprintf(path, sizeof(path), "%s/a/b/lock.mdb", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/a/b", dir);
	rmdir(path);
	snprintf(path, sizeof(path), "%s/a", dir);
	rmdir(path);
	drop_dir();
}

/* The NSEC that covers a name, across names that have none, and of this source only. */
static void what_stands_before(void)
{
	static const struct {
		const char *name, *want; /* NULL: nothing */
	} asked[] = {
		{ "org", NULL },
		{ "ex.org", "ex.org." },
		{ "0.ex.org", "ex.org." },
		{ "b.ex.org", "b.ex.org." },
		{ "a.b.ex.org", "b.ex.org." },
		{ "c.ex.org", "b.ex.org." },
		{ "x.c.ex.org", "b.ex.org." },
		{ "d.ex.org", "d.ex.org." },
		{ "zz.ex.org", "d.ex.org." },
		{ "orga", "d.ex.org." },
	};
	struct store_write *write;
	struct store_read *read;
	struct store *store;

	make_dir();
	CU_ASSERT_EQUAL_FATAL(store_open(&store, dir, STORE_READ_WRITE, 1 << 20), 0);
	CU_ASSERT_EQUAL_FATAL(store_write_begin(store, &write), 0);
	put(write, 1, "a.ex.org", TYPE_NSEC, "other");
	put(write, 2, "ex.org", TYPE_NSEC, "1");
	put(write, 2, "ex.org", TYPE_DNSKEY, "1");
	put(write, 2, "b.ex.org", TYPE_A, "1");
	put(write, 2, "b.ex.org", TYPE_NSEC, "1");
	put(write, 2, "c.ex.org", TYPE_A, "1");
	put(write, 2, "d.ex.org", TYPE_NSEC, "1");
	CU_ASSERT_EQUAL_FATAL(store_write_commit(write), 0);
	CU_ASSERT_EQUAL_FATAL(store_read_begin(store, &read), 0);
	for (int later = 0; later < 2; later++) {
		for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
			char text[NAME_TEXT_ROOM] = "";
			uint8_t owner[255];
			struct rrset set;
			bool found = store_get_before(read, 2, wire(asked[i].name),
						      TYPE_NSEC, owner, &set);

			CU_ASSERT_EQUAL(found, asked[i].want != NULL);
			if (!found)
				continue;
			name_to_text(text, owner);
			CU_ASSERT_STRING_EQUAL(text, asked[i].want);
			CU_ASSERT_EQUAL(set.type, TYPE_NSEC);
		}
		store_read_end(read);
		/* now with a source behind it */
		CU_ASSERT_EQUAL_FATAL(store_write_begin(store, &write), 0);
		put(write, 3, "a.ex.org", TYPE_NSEC, "other");
		CU_ASSERT_EQUAL_FATAL(store_write_commit(write), 0);
		CU_ASSERT_EQUAL_FATAL(store_read_begin(store, &read), 0);
	}
	store_read_end(read);
	store_close(store);
	drop_dir();
}

/* A zone signed with NSEC3 has none: a query must not walk over all of it for that. */
static void little_is_walked_over(void)
{
	static const struct {
		unsigned names; /* without the type */
		bool found;
	} walks[] = { { STORE_BEFORE_MAX - 1, true }, { STORE_BEFORE_MAX, false } };

	for (size_t i = 0; i < ARRAY_LEN(walks); i++) {
		struct store_write *write;
		struct store_read *read;
		struct store *store;
		struct rrset set;
		uint8_t owner[255];
		char name[32];

		make_dir();
		CU_ASSERT_EQUAL_FATAL(
			store_open(&store, dir, STORE_READ_WRITE, 1 << 20), 0);
		CU_ASSERT_EQUAL_FATAL(store_write_begin(store, &write), 0);
		put(write, 1, "ex.org", TYPE_NSEC, "1");
		for (unsigned n = 0; n < walks[i].names; n++) {
			snprintf(name, sizeof(name), "n%u.ex.org", n);
			put(write, 1, name, TYPE_A, "1");
		}
		CU_ASSERT_EQUAL_FATAL(store_write_commit(write), 0);
		CU_ASSERT_EQUAL_FATAL(store_read_begin(store, &read), 0);
		CU_ASSERT_EQUAL(store_get_before(read, 1, wire("z.ex.org"), TYPE_NSEC,
						 owner, &set),
				walks[i].found);
		store_read_end(read);
		store_close(store);
		drop_dir();
	}
}

static const struct check_case cases[] = {
	{ "keys", keys },
	{ "longest key", longest_key },
	{ "records", records },
	{ "what stands before", what_stands_before },
	{ "a look for what stands before ends soon", little_is_walked_over },
	{ "snapshots", snapshots },
	{ "any order of puts", any_order_of_puts },
	{ "large set and full map", large_set_and_full_map },
	{ "RDATA walk is bounded", rdata_walk_is_bounded },
	{ "damaged files", damaged_files },
	{ "random damage", random_damage },
	{ "killed writer", killed_writer },
	{ "directories", directories },
};

CHECK_MAIN("store", cases)
