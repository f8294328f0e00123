/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_question.c - the one parser: every status, every cut, every byte beyond the end.
 *
 * Messages are written as hexadecimal text; each is parsed from a heap block of exactly
 * its size, so that ASan sees a read past it.
 */
#include "check.h"
#include "lane53/question.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct message {
	__u8 *bytes;
	size_t len;
};

static int nibble(char c)
{
	return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

/* @hex may hold spaces. */
static struct message message_make(const char *hex)
{
	struct message m = { malloc(strlen(hex) / 2 + 1), 0 };

	for (; *hex; hex++) {
		if (*hex == ' ')
			continue;
		m.bytes[m.len++] = (__u8)(nibble(hex[0]) << 4 | nibble(hex[1]));
		hex++;
	}
	m.bytes = realloc(m.bytes, m.len ? m.len : 1);
	return m;
}

static enum question_status read_at(const __u8 *bytes, size_t len, struct question *q)
{
	const struct cursor c = { bytes, bytes + len };

	return question_read(&c, q);
}

#define HEAD(flags, counts) "1234 " flags " " counts " "
#define ONE                 "0001 0000 0000 0000"
#define ONE_OPT             "0001 0000 0000 0001"
/* "Ab." A IN */
#define AB_A "024162 00 0001 0001 "
#define OPT  "00 0029 04d0 00 00 8000 "

static void statuses(void)
{
	static const struct {
		const char *name;
		const char *hex;
		enum question_status want;
	} cases[] = {
		{ "empty", "", QUESTION_SHORT },
		{ "eleven bytes", "1234 0100 0001 0000 0000 00", QUESTION_SHORT },
		{ "plain", HEAD("0100", ONE) AB_A, QUESTION_OK },
		{ "every flag of a query", HEAD("07ff", ONE) AB_A, QUESTION_OK },
		{ "root", HEAD("0100", ONE) "00 0002 0001", QUESTION_OK },
		{ "class CH", HEAD("0100", ONE) "00 0010 0003", QUESTION_OK },
		{ "trailing bytes", HEAD("0100", ONE) AB_A "ffff", QUESTION_OK },
		{ "response", HEAD("8100", ONE) AB_A, QUESTION_RESPONSE },
		{ "response before opcode", HEAD("a100", ONE) AB_A, QUESTION_RESPONSE },
		{ "notify", HEAD("2000", ONE) AB_A, QUESTION_OPCODE },
		{ "opcode 15", HEAD("7800", ONE) AB_A, QUESTION_OPCODE },
		{ "no question", HEAD("0100", "0000 0000 0000 0000"), QUESTION_COUNTS },
		{ "two questions", HEAD("0100", "0002 0000 0000 0000") AB_A AB_A,
		  QUESTION_COUNTS },
		{ "header only", HEAD("0100", ONE), QUESTION_NAME },
		{ "cut in a label", HEAD("0100", ONE) "0241", QUESTION_NAME },
		{ "cut before the root", HEAD("0100", ONE) "024162", QUESTION_NAME },
		{ "cut in the type", HEAD("0100", ONE) "024162 00 00", QUESTION_NAME },
		{ "cut in the class", HEAD("0100", ONE) "024162 00 0001 00",
		  QUESTION_NAME },
		{ "pointer", HEAD("0100", ONE) "c00c 0001 0001", QUESTION_NAME },
		{ "pointer after a label", HEAD("0100", ONE) "0161c00c 0001 0001",
		  QUESTION_NAME },
		{ "label type 01", HEAD("0100", ONE) "41 00 0001 0001", QUESTION_NAME },
		{ "answer in a query", HEAD("0100", "0001 0001 0000 0000") AB_A,
		  QUESTION_SECTIONS },
		{ "authority in a query", HEAD("0100", "0001 0000 0001 0000") AB_A,
		  QUESTION_SECTIONS },
		{ "two additional", HEAD("0100", "0001 0000 0000 0002") AB_A OPT "0000",
		  QUESTION_SECTIONS },
		{ "counted, not there", HEAD("0100", ONE_OPT) AB_A, QUESTION_SECTIONS },
		{ "an A record",
		  HEAD("0100", ONE_OPT) AB_A "00 0001 0001 00000000 0004 c0000201",
		  QUESTION_SECTIONS },
		{ "OPT", HEAD("0100", ONE_OPT) AB_A OPT "0000", QUESTION_OK },
		{ "OPT cut", HEAD("0100", ONE_OPT) AB_A OPT "00", QUESTION_SECTIONS },
		{ "OPT of a name",
		  HEAD("0100", ONE_OPT) AB_A "0161 00 0029 04d0 00000000 0000",
		  QUESTION_SECTIONS },
		{ "OPT by pointer",
		  HEAD("0100", ONE_OPT) AB_A "c00f 0029 04d0 00000000 0000",
		  QUESTION_SECTIONS },
		{ "OPT longer than the message", HEAD("0100", ONE_OPT) AB_A OPT "0001",
		  QUESTION_EDNS },
		{ "option header cut", HEAD("0100", ONE_OPT) AB_A OPT "0003 000300",
		  QUESTION_EDNS },
		{ "option longer than the OPT",
		  HEAD("0100", ONE_OPT) AB_A OPT "0004 0003 0001", QUESTION_EDNS },
		{ "NSID", HEAD("0100", ONE_OPT) AB_A OPT "0004 0003 0000",
		  QUESTION_OK },
		{ "EDNS version 1",
		  HEAD("0100", ONE_OPT) AB_A "00 0029 04d0 00 01 0000 0000",
		  QUESTION_OK },
		{ "TSIG", HEAD("0100", ONE_OPT) AB_A "00 00fa 00ff 00000000 0000",
		  QUESTION_TSIG },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct message m = message_make(cases[i].hex);
		struct question q;
		enum question_status got = read_at(m.bytes, m.len, &q);

		if (got != cases[i].want)
			printf("\n    %s: %d, not %d", cases[i].name, got,
			       cases[i].want);
		CU_ASSERT_EQUAL(got, cases[i].want);
		free(m.bytes);
	}
}

static void fields(void)
{
	struct message m =
		message_make(HEAD("0130", ONE_OPT) AB_A "00 0029 1000 00 03 8000 0015 "
							"0003 0000 "    /* NSID */
							"0008 0001 aa " /* ECS */
							"000a 0000 "    /* COOKIE */
							"000c 0000 "    /* padding */
							"ffff");
	struct question q;

	CU_ASSERT_EQUAL(read_at(m.bytes, m.len, &q),
			QUESTION_EDNS); /* 0x15 is 4 too many */
	m.bytes[30] = 17;
	CU_ASSERT_EQUAL(read_at(m.bytes, m.len, &q), QUESTION_OK);
	CU_ASSERT_EQUAL(memcmp(&q.id_be, "\x12\x34", 2), 0);
	CU_ASSERT_EQUAL(q.flags, FLAG_RD | FLAG_AD | FLAG_CD);
	CU_ASSERT_EQUAL(q.qdcount, 1);
	CU_ASSERT_EQUAL(q.arcount, 1);
	CU_ASSERT_EQUAL(q.qname_len, 4);
	CU_ASSERT_EQUAL(q.qtype, TYPE_A);
	CU_ASSERT_EQUAL(q.qclass, CLASS_IN);
	CU_ASSERT_EQUAL(q.question_end, 20);
	CU_ASSERT_EQUAL(q.end, 48);
	CU_ASSERT_EQUAL(m.len, 50);
	CU_ASSERT_TRUE(q.edns.present);
	CU_ASSERT_EQUAL(q.edns.version, 3);
	CU_ASSERT_EQUAL(q.edns.udp_payload_size, 4096);
	CU_ASSERT_EQUAL(q.edns.flags, QUESTION_EDNS_DO | QUESTION_EDNS_HAS_NSID |
					      QUESTION_EDNS_HAS_ECS |
					      QUESTION_EDNS_HAS_COOKIE |
					      QUESTION_EDNS_HAS_OTHER);
	CU_ASSERT_EQUAL(q.edns.options_off, 31);
	CU_ASSERT_EQUAL(q.edns.options_len, 17);
	free(m.bytes);
}

/* Every prefix of a good query is refused, and none is read past its end (ASan). */
static void every_cut(void)
{
	struct message m =
		message_make(HEAD("0100", ONE_OPT) AB_A OPT "0008 0003 0000 000a 0000");

	for (size_t len = 0; len < m.len; len++) {
		__u8 *cut = malloc(len ? len : 1);
		enum question_status want = len < 12   ? QUESTION_SHORT
					    : len < 20 ? QUESTION_NAME
					    : len < 31 ? QUESTION_SECTIONS
						       : QUESTION_EDNS;
		struct question q;

		memcpy(cut, m.bytes, len);
		CU_ASSERT_EQUAL(read_at(cut, len, &q), want);
		free(cut);
	}
	free(m.bytes);
}

/* Names at the limits of RFC 1035 2.3.4: 255 bytes, 63 a label, 127 labels. */
static void name_limits(void)
{
	static const struct {
		const char *name;
		unsigned label, count,
			last; /* count labels of label bytes, one of last */
		size_t want;  /* 0 = refused */
	} cases[] = {
		{ "63-byte label", 63, 1, 0, 65 }, { "64-byte label", 64, 1, 0, 0 },
		{ "255 bytes", 63, 3, 61, 255 },   { "256 bytes", 63, 3, 62, 0 },
		{ "127 labels", 1, 127, 0, 255 },  { "128 labels", 1, 128, 0, 0 },
		{ "500 labels", 1, 500, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		__u8 bytes[1200] = { 0x12, 0x34, 1, 0, 0, 1 };
		size_t len = 12;
		struct question q;
		enum question_status got;

		for (unsigned j = 0; j < cases[i].count; j++) {
			bytes[len] = (__u8)cases[i].label;
			memset(bytes + len + 1, 'x', cases[i].label);
			len += cases[i].label + 1;
		}
		if (cases[i].last) {
			bytes[len] = (__u8)cases[i].last;
			memset(bytes + len + 1, 'y', cases[i].last);
			len += cases[i].last + 1;
		}
		len += 1 + 4;
		got = read_at(bytes, len, &q);
		CU_ASSERT_EQUAL(got, cases[i].want ? QUESTION_OK : QUESTION_NAME);
		if (cases[i].want)
			CU_ASSERT_EQUAL(q.qname_len, cases[i].want);
	}
}

/* More options than BPF walks: user space reads them all. */
static void many_options(void)
{
	__u8 bytes[31 + 400] = { 0 };
	struct message m = message_make(HEAD("0100", ONE_OPT) AB_A OPT "0190");
	struct question q;

	memcpy(bytes, m.bytes, m.len);
	for (size_t i = 0; i < 100; i++)
		bytes[31 + 4 * i + 1] = i == 99 ? EDNS_NSID : 12;
	CU_ASSERT_EQUAL(read_at(bytes, sizeof(bytes), &q), QUESTION_OK);
	CU_ASSERT_TRUE(q.edns.flags & QUESTION_EDNS_HAS_NSID);
	CU_ASSERT_EQUAL(q.end, sizeof(bytes));
	free(m.bytes);
}

#define A_RR   "c00c 0001 0001 0000003c 0004 c0000201 "
#define TSIG   "0161 00 00fa 00ff 00000000 0002 abcd "
#define OPT_RR OPT "0000 "

/* What CoreDNS takes as well: at most one answer, one authority, two additional. */
static void the_rest(void)
{
	static const struct {
		const char *name;
		const char *hex;
		enum question_status want;
		bool edns;
	} cases[] = {
		{ "answer and OPT",
		  HEAD("0100", "0001 0001 0000 0001") AB_A A_RR OPT_RR, QUESTION_OK,
		  true },
		{ "OPT and a record",
		  HEAD("0100", "0001 0000 0000 0002") AB_A OPT_RR A_RR, QUESTION_OK,
		  true },
		{ "OPT and TSIG", HEAD("0100", "0001 0000 0000 0002") AB_A OPT_RR TSIG,
		  QUESTION_TSIG, true },
		{ "TSIG alone", HEAD("0100", ONE_OPT) AB_A TSIG, QUESTION_TSIG, false },
		{ "two OPT", HEAD("0100", "0001 0000 0000 0002") AB_A OPT_RR OPT_RR,
		  QUESTION_EDNS, true },
		{ "OPT among answers", HEAD("0100", "0001 0001 0000 0000") AB_A OPT_RR,
		  QUESTION_OK, false },
		{ "no OPT", HEAD("0100", "0001 0001 0001 0000") AB_A A_RR A_RR,
		  QUESTION_OK, false },
		{ "record cut",
		  HEAD("0100", "0001 0001 0000 0000") AB_A
		  "c00c 0001 0001 0000003c 0004 c00002",
		  QUESTION_EDNS, false },
		{ "owner cut", HEAD("0100", "0001 0001 0000 0000") AB_A "c0",
		  QUESTION_EDNS, false },
		{ "owner never ends", HEAD("0100", "0001 0001 0000 0000") AB_A "3f61",
		  QUESTION_EDNS, false },
		{ "OPT of a name",
		  HEAD("0100", ONE_OPT) AB_A "0161 00 0029 04d0 00000000 0000",
		  QUESTION_EDNS, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct message m = message_make(cases[i].hex);
		const struct cursor c = { m.bytes, m.bytes + m.len };
		enum question_status got;
		struct question q;

		CU_ASSERT_EQUAL(question_read(&c, &q), QUESTION_SECTIONS);
		got = question_read_rest(&c, &q);
		if (got != cases[i].want)
			printf("\n    %s: %d, not %d", cases[i].name, got,
			       cases[i].want);
		CU_ASSERT_EQUAL(got, cases[i].want);
		CU_ASSERT_EQUAL(q.edns.present, cases[i].edns);
		if (got == QUESTION_OK)
			CU_ASSERT_EQUAL(q.end, m.len);
		free(m.bytes);
	}
}

static void a_failed_take_leaves_the_cursor(void)
{
	const __u8 bytes[3] = { 1, 2, 3 };
	struct cursor c = { bytes, bytes + 3 };

	CU_ASSERT_PTR_NULL(cursor_take(&c, 4));
	CU_ASSERT_PTR_EQUAL(cursor_take(&c, 2), bytes);
	CU_ASSERT_PTR_NULL(cursor_take(&c, 2));
	CU_ASSERT_PTR_EQUAL(cursor_take(&c, 1), bytes + 2);
	CU_ASSERT_PTR_NULL(cursor_take(&c, 1));
}

static const struct check_case cases[] = {
	{ "statuses", statuses },
	{ "fields", fields },
	{ "every cut", every_cut },
	{ "name limits", name_limits },
	{ "many options", many_options },
	{ "the rest", the_rest },
	{ "a failed take leaves the cursor", a_failed_take_leaves_the_cursor },
};

CHECK_MAIN("question", cases)
