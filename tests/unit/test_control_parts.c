/* SPDX-License-Identifier: BSD-3-Clause */
/* test_control_parts.c - small parts of lane53d: records in text, agreement, degraded. */
#include "check.h"

#include <errno.h>
#include <string.h>
#include "daemon/agree.h"
#include "daemon/ask.h"
#include "daemon/degraded.h"
#include "daemon/rrtext.h"
#include "dns/name.h"
#include "io/hugepages.h"
#include "lane53/wire.h"
#include "problem.h"

/* ---- rrtext ---- */

static const struct {
	const char *text;
	uint16_t type;
	uint32_t ttl_s;
	size_t rdata_len; /* 0 = refused */
} records[] = {
	{ "a.example. 30 IN A 192.0.2.1", TYPE_A, 30, 4 },
	{ "A.Example. A 192.0.2.1", TYPE_A, 3600, 4 },
	{ "a.example. 5 AAAA 2001:db8::1", TYPE_AAAA, 5, 16 },
	{ "a.example. 5 TXT \"one two\"", TYPE_TXT, 5, 8 },
	{ "a.example. 5 MX 10 m.example.", TYPE_MX, 5, 13 },
	{ "a.example. 0 CNAME b.example.", TYPE_CNAME, 0, 11 },
	{ "a.example. 5 IN TYPE65280 \\# 2 abcd", 65280, 5, 2 },
	{ "a.example. 5 IN A 192.0.2.256", 0, 0, 0 },
	{ "a.example. 5 CH TXT x", 0, 0, 0 },
	{ "a.example.", 0, 0, 0 },
	{ "", 0, 0, 0 },
};

static void records_in_text(void)
{
	for (size_t i = 0; i < ARRAY_LEN(records); i++) {
		struct rrtext rrs = { NULL, 0 };
		struct problem problem = { .text = "" };
		int r = rrtext_add(&rrs, records[i].text, &problem);

		CU_ASSERT_EQUAL(r == 0, records[i].rdata_len != 0);
		if (r < 0) {
			CU_ASSERT_NOT_EQUAL(problem.text[0], 0);
		} else {
			CU_ASSERT_EQUAL(rrs.at[0].set.type, records[i].type);
			CU_ASSERT_EQUAL(rrs.at[0].set.ttl_s, records[i].ttl_s);
			CU_ASSERT_EQUAL(rrs.at[0].set.rdata_bytes,
					2 + records[i].rdata_len);
			CU_ASSERT_TRUE(name_equal(rrs.at[0].owner,
						  (const uint8_t *)"\1a\7example"));
		}
		rrtext_deinit(&rrs);
	}
}

static void records_become_sets(void)
{
	static const char *const texts[] = { "a.example. A 192.0.2.1",
					     "a.example. 7 A 192.0.2.2",
					     "A.example. 7 A 192.0.2.1",
					     "a.example. AAAA ::1" };
	struct rrtext rrs = { NULL, 0 };

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		CU_ASSERT_EQUAL(rrtext_add(&rrs, texts[i], NULL), 0);
	CU_ASSERT_EQUAL_FATAL(rrs.count, 2);
	CU_ASSERT_EQUAL(rrs.at[0].set.count, 2);
	CU_ASSERT_EQUAL(rrs.at[0].set.ttl_s, 7);
	rrtext_deinit(&rrs);
}

static const struct {
	const char *text;
	int type; /* -1 = refused */
	size_t rrs;
} targets[] = {
	{ "a.example.", 0, 0 },
	{ "a.example", 0, 0 },
	{ "a.example. TXT", TYPE_TXT, 0 },
	{ "a.example. A 192.0.2.1", TYPE_A, 1 },
	{ "a.example. 60 IN A 192.0.2.1", TYPE_A, 1 },
	{ "a.example. NOTATYPE", -1, 0 },
	{ "a..example.", -1, 0 },
};

static void what_is_to_be_deleted(void)
{
	for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
		struct rrtext rrs = { NULL, 0 };
		uint8_t owner[255];
		uint16_t type = 0;
		int r = rrtext_target(&rrs, targets[i].text, owner, &type, NULL);

		CU_ASSERT_EQUAL(r == 0, targets[i].type >= 0);
		if (r == 0) {
			CU_ASSERT_EQUAL(type, targets[i].type);
			CU_ASSERT_EQUAL(rrs.count, targets[i].rrs);
		}
		rrtext_deinit(&rrs);
	}
}

/* ---- agree ---- */

#define RESULT(rcode, answers)                             \
	"{\"path\":\"x\",\"rcode\":\"" rcode               \
	"\",\"flags\":[\"qr\"],\"answers\":[" answers "]," \
	"\"authority\":[]}"

static const struct {
	const char *results;
	bool agree;
} agreements[] = {
	{ RESULT("NOERROR", "\"a. 5 IN A 1\"") "," RESULT("NOERROR", "\"a. 4 IN A 1\""),
	  true },
	{ RESULT("NOERROR", "\"a. 5 IN A 1\",\"a. 5 IN A 2\"") "," RESULT(
		  "NOERROR", "\"a. 5 IN A 2\",\"a. 5 IN A 1\""),
	  true },
	{ RESULT("NOERROR", "\"a. 5 IN A 1\"") "," RESULT("NOERROR", "\"a. 5 IN A 2\""),
	  false },
	{ RESULT("NOERROR", "\"a. 5 IN A 1\"") "," RESULT("NOERROR", ""), false },
	{ RESULT("NOERROR", "") "," RESULT("NXDOMAIN", ""), false },
	{ RESULT("NOERROR", "") ",{\"error\":\"no\"}", true },
	{ "{\"error\":\"no\"}", false },
};

static void results_that_agree(void)
{
	for (size_t i = 0; i < ARRAY_LEN(agreements); i++) {
		char text[1024];
		json_t *results;

		snprintf(text, sizeof(text), "[%s]", agreements[i].results);
		results = json_loads(text, 0, NULL);
		CU_ASSERT_PTR_NOT_NULL_FATAL(results);
		CU_ASSERT_EQUAL(results_agree(results), agreements[i].agree);
		json_decref(results);
	}
}

/* ---- ask ---- */

static void a_query_described(void)
{
	uint8_t query[512];
	size_t len = ask_build(query, (const uint8_t *)"\1a\7example", TYPE_AAAA);
	json_t *object = json_object();

	CU_ASSERT_EQUAL(ask_describe(object, query, len), 0);
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(object, "rcode")),
			       "NOERROR");
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(object, "bytes")),
			(json_int_t)len);
	CU_ASSERT_EQUAL(ask_describe(object, query, 11), -EBADMSG);
	CU_ASSERT_EQUAL(ask_describe(object, query, len - 3), -EBADMSG);
	json_decref(object);
}

/* ---- degraded ---- */

static size_t count_of(const struct degraded *degraded)
{
	json_t *list = degraded_list(degraded);
	size_t count = json_array_size(list);

	json_decref(list);
	return count;
}

static void what_is_degraded(void)
{
	struct degraded degraded = { NULL };
	char key[600];

	degraded_note(&degraded, "k/1", "one %d", 1);
	degraded_note(&degraded, "k/2", "two");
	degraded_note(&degraded, "other", "three");
	degraded_note(&degraded, "k/1", "one %d", 1);
	CU_ASSERT_EQUAL(count_of(&degraded), 3);
	CU_ASSERT_TRUE(degraded_has(&degraded, "k/"));

	degraded_begin(&degraded, "k/");
	degraded_note(&degraded, "k/2", "two");
	degraded_end(&degraded, "k/");
	CU_ASSERT_EQUAL(count_of(&degraded), 2);
	degraded_clear(&degraded, "k/2");
	degraded_clear(&degraded, "never set");

	/* a key may hold a path of any length */
	memset(key, 'k', sizeof(key) - 1);
	key[sizeof(key) - 1] = 0;
	degraded_note(&degraded, key, "long");
	degraded_note(&degraded, key, "long");
	CU_ASSERT_EQUAL(count_of(&degraded), 2);
	degraded_clear(&degraded, key);
	CU_ASSERT_FALSE(degraded_has(&degraded, "k/"));
	CU_ASSERT_EQUAL(count_of(&degraded), 1);
	degraded_deinit(&degraded);
	CU_ASSERT_EQUAL(count_of(&degraded), 0);
}

/* ---- hugepages ---- */

static void hugepages_that_are_to_be_had(void)
{
	static const struct {
		const char *meminfo;
		uint64_t mb;
	} cases[] = {
		{ "MemFree: 1 kB\nHugePages_Total: 150\nHugePages_Free: 140\n"
		  "HugePages_Rsvd: 0\nHugePages_Surp: 0\nHugepagesize: 2048 kB\n",
		  280 },
		{ "HugePages_Free: 140\nHugePages_Rsvd: 130\nHugepagesize: 2048 kB\n",
		  20 },
		{ "HugePages_Free: 2\nHugePages_Rsvd: 2\nHugepagesize: 1048576 kB\n",
		  0 },
		{ "MemFree: 1 kB\n", 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		FILE *meminfo = fmemopen((void *)cases[i].meminfo,
					 strlen(cases[i].meminfo), "r");

		CU_ASSERT_PTR_NOT_NULL_FATAL(meminfo);
		CU_ASSERT_EQUAL(hugepages_free_in(meminfo), cases[i].mb << 20);
		fclose(meminfo);
	}
	CU_ASSERT_FALSE(hugepages_may_take(1ull << 46)); /* more than any machine has */
}

static const struct check_case tests[] = {
	{ "records in text", records_in_text },
	{ "records become sets", records_become_sets },
	{ "what is to be deleted", what_is_to_be_deleted },
	{ "results that agree", results_that_agree },
	{ "a query described", a_query_described },
	{ "what is degraded", what_is_degraded },
	{ "hugepages that are to be had", hugepages_that_are_to_be_had },
};

CHECK_MAIN("control parts", tests)
