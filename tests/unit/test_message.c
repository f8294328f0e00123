/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_message.c - records to the wire and back, and packets that lie.
 */
#include "check.h"

#include <errno.h>
#include <string.h>

#include "dns/message.h"
#include "dns/name.h"
#include "lane53/wire.h"

#define BYTES(s) (const uint8_t *)(s), sizeof(s) - 1

/* Header and question for @qname into @message; returns where the answer begins. */
static size_t put_question(uint8_t *message, const uint8_t *qname, uint8_t ancount)
{
	size_t size = name_size(qname);

	memset(message, 0, 12);
	message[2] = 0x80;
	message[5] = 1;
	message[7] = ancount;
	memcpy(message + 12, qname, size);
	memcpy(message + 12 + size, "\0\1\0\1", 4);
	return 12 + size + 4;
}

static size_t put_rr(struct message_writer *w, const char *owner, uint16_t type,
		     const uint8_t *rdata, size_t len)
{
	uint8_t name[255];
	struct message_rr rr = { name, type, CLASS_IN, 300, rdata, (uint16_t)len };

	name_from_text(name, owner);
	return message_write_rr(w, &rr);
}

static void compression(void)
{
	static const struct {
		const char *name, *owner;
		uint16_t type;
		const uint8_t *rdata;
		size_t rdata_len;
		const uint8_t *want;
		size_t want_len;
	} cases[] = {
		{ "owner is the QNAME, other case", "WWW.ex.com", TYPE_A,
		  BYTES("\1\2\3\4"), BYTES("\xc0\x0c\0\1\0\1\0\0\1\x2c\0\4\1\2\3\4") },
		{ "owner above the QNAME", "ex.com", TYPE_A, BYTES("\1\2\3\4"),
		  BYTES("\xc0\x10\0\1\0\1\0\0\1\x2c\0\4\1\2\3\4") },
		{ "owner shares the end", "a.com", TYPE_A, BYTES("\1\2\3\4"),
		  BYTES("\1a\xc0\x13\0\1\0\1\0\0\1\x2c\0\4\1\2\3\4") },
		{ "owner is the root", ".", TYPE_A, BYTES("\1\2\3\4"),
		  BYTES("\0\0\1\0\1\0\0\1\x2c\0\4\1\2\3\4") },
		{ "CNAME target is compressed", "www.ex.com", TYPE_CNAME,
		  BYTES("\1b\2Ex\3com\0"),
		  BYTES("\xc0\x0c\0\5\0\1\0\0\1\x2c\0\4\1b\xc0\x10") },
		{ "MX", "www.ex.com", TYPE_MX, BYTES("\0\12\2ex\3com\0"),
		  BYTES("\xc0\x0c\0\17\0\1\0\0\1\x2c\0\4\0\12\xc0\x10") },
		{ "SRV target is not (RFC 3597 4)", "www.ex.com", TYPE_SRV,
		  BYTES("\0\1\0\2\0\3\2ex\3com\0"),
		  BYTES("\xc0\x0c\0\41\0\1\0\0\1\x2c\0\16\0\1\0\2\0\3\2ex\3com\0") },
		{ "SOA", "ex.com", TYPE_SOA,
		  BYTES("\2ns\2ex\3com\0\2ns\2ex\3com\0"
			"12345678901234567890"),
		  BYTES("\xc0\x10\0\6\0\1\0\0\1\x2c\0\x1b\2ns\xc0\x10\xc0\x28"
			"12345678901234567890") },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct message_writer w;
		uint8_t qname[255], out[512];
		size_t ttl;

		name_from_text(qname, "wWw.ex.com");
		message_write_begin(&w, out, sizeof(out), qname);
		ttl = put_rr(&w, cases[i].owner, cases[i].type, cases[i].rdata,
			     cases[i].rdata_len);
		CU_ASSERT_FALSE(w.overflow);
		if (w.len != cases[i].want_len ||
		    memcmp(out, cases[i].want, cases[i].want_len))
			printf("\n  %s: differs", cases[i].name);
		CU_ASSERT_EQUAL(w.len, cases[i].want_len);
		CU_ASSERT_EQUAL(memcmp(out, cases[i].want, cases[i].want_len), 0);
		CU_ASSERT_EQUAL(memcmp(out + ttl, "\0\0\1\x2c", 4), 0);
	}
}

/* Whatever room there is, the writer stays in it, and says so. */
static void every_room(void)
{
	uint8_t qname[255], out[256];

	name_from_text(qname, "www.ex.com");
	for (size_t room = 0; room <= 64; room++) {
		struct message_writer w;

		memset(out, 0xa5, sizeof(out));
		message_write_begin(&w, out, room, qname);
		put_rr(&w, "other.org", TYPE_CNAME, BYTES("\1b\5other\3org\0"));
		/* 11 + 10 + (2 + 2) bytes */
		CU_ASSERT_EQUAL(w.overflow, room < 25);
		CU_ASSERT_TRUE(w.len <= room);
		for (size_t i = room; i < sizeof(out); i++)
			CU_ASSERT_EQUAL_FATAL(out[i], 0xa5);
	}
}

static void bad_rdata_is_an_overflow(void)
{
	struct message_writer w;
	uint8_t qname[255], out[256];

	name_from_text(qname, "x");
	message_write_begin(&w, out, sizeof(out), qname);
	put_rr(&w, "x", TYPE_MX, BYTES("\0"));
	CU_ASSERT_TRUE(w.overflow);
	message_write_begin(&w, out, sizeof(out), qname);
	put_rr(&w, "x", TYPE_CNAME, BYTES("\1a\0more"));
	CU_ASSERT_TRUE(w.overflow);
	message_write_begin(&w, out, sizeof(out), qname);
	put_rr(&w, "x", TYPE_CNAME, BYTES("\5a"));
	CU_ASSERT_TRUE(w.overflow);
}

/* Many names, more than the table of labels holds, far beyond 16 KiB: read back. */
static void round_trip_of_many(void)
{
	static uint8_t message[60000];
	struct message_writer w;
	struct message_reader r;
	struct message_rr rr;
	enum message_section section;
	uint8_t qname[255];
	size_t start;
	unsigned count = 0;

	name_from_text(qname, "www.ex.com");
	start = put_question(message, qname, 0);
	message_write_begin(&w, message + start, sizeof(message) - start, qname);
	for (unsigned i = 0; i < 1000; i++) {
		char text[80];
		uint8_t target[255];

		snprintf(text, sizeof(text), "n%u.some-longer-label.zone%u.ex.com", i,
			 i % 7);
		put_rr(&w, text, TYPE_NS, target, name_from_text(target, text));
	}
	CU_ASSERT_FALSE_FATAL(w.overflow);
	message[6] = 1000 >> 8;
	message[7] = 1000 & 255;
	CU_ASSERT_EQUAL_FATAL(message_read_begin(&r, message, start + w.len), 0);
	CU_ASSERT_TRUE(message_answers(&r, qname, TYPE_A, CLASS_IN));
	while (message_read_rr(&r, &rr, &section) == MESSAGE_RR) {
		char text[80], got[NAME_TEXT_ROOM];

		snprintf(text, sizeof(text), "n%u.some-longer-label.zone%u.ex.com.",
			 count, count % 7);
		name_to_text(got, rr.owner);
		CU_ASSERT_STRING_EQUAL(got, text);
		CU_ASSERT_EQUAL(rr.rdata_len, name_size(rr.owner));
		CU_ASSERT_TRUE(name_equal(rr.rdata, rr.owner));
		count++;
	}
	CU_ASSERT_EQUAL(count, 1000);
}

/* One RR behind the question `x A IN` (12 + 3 + 4 bytes: the RR is at 19). */
static void hostile_records(void)
{
	static const struct {
		const char *name;
		const uint8_t *rr;
		size_t len;
		enum message_status want;
		uint32_t ttl_s;
	} cases[] = {
		{ "plain", BYTES("\xc0\x0c\0\1\0\1\0\0\0\5\0\4abcd"), MESSAGE_RR, 5 },
		{ "top bit of the TTL", BYTES("\xc0\x0c\0\1\0\1\x80\0\0\5\0\4abcd"),
		  MESSAGE_RR, 0 },
		{ "OPT's TTL is flags", BYTES("\0\0\x29\4\xd0\x80\0\x80\0\0\0"),
		  MESSAGE_RR, 0x80008000 },
		{ "nothing there", BYTES(""), MESSAGE_BAD, 0 },
		{ "points at itself", BYTES("\xc0\x13\0\1\0\1\0\0\0\5\0\4abcd"),
		  MESSAGE_BAD, 0 },
		{ "points forward", BYTES("\xc0\x15\0\1\0\1\0\0\0\5\0\4abcd"),
		  MESSAGE_BAD, 0 },
		{ "points into the header", BYTES("\xc0\4\0\1\0\1\0\0\0\5\0\4abcd"),
		  MESSAGE_BAD, 0 },
		{ "label, then back to itself",
		  BYTES("\1a\xc0\x13\0\1\0\1\0\0\0\5\0\4abcd"), MESSAGE_BAD, 0 },
		{ "half a pointer", BYTES("\xc0"), MESSAGE_BAD, 0 },
		{ "label type 01", BYTES("\x41x\0\0\1\0\1\0\0\0\5\0\4abcd"),
		  MESSAGE_BAD, 0 },
		{ "fixed part cut", BYTES("\xc0\x0c\0\1\0\1\0\0\0\5\0"), MESSAGE_BAD,
		  0 },
		{ "RDATA cut", BYTES("\xc0\x0c\0\1\0\1\0\0\0\5\0\4abc"), MESSAGE_BAD,
		  0 },
		{ "A of 5 bytes", BYTES("\xc0\x0c\0\1\0\1\0\0\0\5\0\5abcde"),
		  MESSAGE_BAD, 0 },
		{ "CH A is something else", BYTES("\xc0\x0c\0\1\0\3\0\0\0\5\0\3\0ab"),
		  MESSAGE_RR, 5 },
		{ "empty CNAME", BYTES("\xc0\x0c\0\5\0\1\0\0\0\5\0\0"), MESSAGE_BAD,
		  0 },
		{ "CNAME runs out of its RDATA",
		  BYTES("\xc0\x0c\0\5\0\1\0\0\0\5\0\2\1a\0"), MESSAGE_BAD, 0 },
		{ "CNAME with a tail", BYTES("\xc0\x0c\0\5\0\1\0\0\0\5\0\3\xc0\x0cx"),
		  MESSAGE_BAD, 0 },
		{ "NAPTR string runs out",
		  BYTES("\xc0\x0c\0\x23\0\1\0\0\0\5\0\6\0\1\0\1\xffx"), MESSAGE_BAD,
		  0 },
		{ "SOA without its numbers",
		  BYTES("\xc0\x0c\0\6\0\1\0\0\0\5\0\4\xc0\x0c\xc0\x0c"), MESSAGE_BAD,
		  0 },
		{ "unknown type is opaque",
		  BYTES("\xc0\x0c\xff\x01\0\1\0\0\0\5\0\2\xff\xff"), MESSAGE_RR, 5 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t message[64];
		struct message_reader r;
		struct message_rr rr = { 0 };
		enum message_section section;
		enum message_status got;
		size_t start = put_question(message, (const uint8_t *)"\1x", 1);

		memcpy(message + start, cases[i].rr, cases[i].len);
		CU_ASSERT_EQUAL(message_read_begin(&r, message, start + cases[i].len),
				0);
		got = message_read_rr(&r, &rr, &section);
		if (got != cases[i].want)
			printf("\n  %s: got %d", cases[i].name, (int)got);
		CU_ASSERT_EQUAL(got, cases[i].want);
		if (got != MESSAGE_RR)
			continue;
		CU_ASSERT_EQUAL(rr.ttl_s, cases[i].ttl_s);
		CU_ASSERT_EQUAL(section, SECTION_ANSWER);
		CU_ASSERT_EQUAL(message_read_rr(&r, &rr, &section), MESSAGE_END);
	}
}

/* An opaque record of @count pointers, each to the one before; then a name at the last. */
static enum message_status read_chain(unsigned count)
{
	static uint8_t message[8192];
	struct message_reader r;
	struct message_rr rr;
	enum message_section section;
	size_t len = put_question(message, (const uint8_t *)"\1x", 2);
	unsigned to = 12;

	memcpy(message + len, "\xc0\x0c\xff\x01\0\1\0\0\0\5", 10);
	message[len + 10] = (uint8_t)(2 * count >> 8);
	message[len + 11] = (uint8_t)(2 * count);
	len += 12;
	for (unsigned i = 0; i < count; i++) {
		message[len] = (uint8_t)(0xc0 | to >> 8);
		message[len + 1] = (uint8_t)to;
		to = (unsigned)len;
		len += 2;
	}
	message[len] = (uint8_t)(0xc0 | to >> 8);
	message[len + 1] = (uint8_t)to;
	memcpy(message + len + 2, "\0\1\0\1\0\0\0\5\0\4abcd", 14);
	CU_ASSERT_EQUAL(message_read_begin(&r, message, len + 16), 0);
	CU_ASSERT_EQUAL(message_read_rr(&r, &rr, &section), MESSAGE_RR);
	return message_read_rr(&r, &rr, &section);
}

static void chains_of_pointers(void)
{
	CU_ASSERT_EQUAL(read_chain(1), MESSAGE_RR);
	CU_ASSERT_EQUAL(read_chain(126), MESSAGE_RR);
	CU_ASSERT_EQUAL(read_chain(127), MESSAGE_BAD);
	CU_ASSERT_EQUAL(read_chain(4000), MESSAGE_BAD);
}

static void headers(void)
{
	struct message_reader r;
	uint8_t message[64] = { 0 };
	size_t len = put_question(message, (const uint8_t *)"\1x", 0);

	CU_ASSERT_EQUAL(message_read_begin(&r, message, 11), -EBADMSG);
	CU_ASSERT_EQUAL(message_read_begin(&r, message, len - 1), -EBADMSG);
	CU_ASSERT_EQUAL(message_read_begin(&r, message, len), 0);
	CU_ASSERT_TRUE(message_answers(&r, (const uint8_t *)"\1X", TYPE_A, CLASS_IN));
	CU_ASSERT_FALSE(message_answers(&r, (const uint8_t *)"\1y", TYPE_A, CLASS_IN));
	CU_ASSERT_FALSE(message_answers(&r, (const uint8_t *)"\1x", TYPE_NS, CLASS_IN));
	CU_ASSERT_FALSE(message_answers(&r, (const uint8_t *)"\1x", TYPE_A, CLASS_CH));
	message[2] = 0; /* a query */
	CU_ASSERT_EQUAL(message_read_begin(&r, message, len), 0);
	CU_ASSERT_FALSE(message_answers(&r, (const uint8_t *)"\1x", TYPE_A, CLASS_IN));
	message[5] = 2;
	CU_ASSERT_EQUAL(message_read_begin(&r, message, len), -EBADMSG);
	message[5] = 0; /* some servers say FORMERR with a bare header */
	CU_ASSERT_EQUAL(message_read_begin(&r, message, 12), 0);
	CU_ASSERT_FALSE(message_answers(&r, (const uint8_t *)"\1x", TYPE_A, CLASS_IN));
}

/* Every record at the size that decompression can give at most. */
static void largest_rdata(void)
{
	uint8_t message[2048], name[255];
	struct message_reader r;
	struct message_rr rr;
	enum message_section section;
	size_t start;

	memset(name, 'a', sizeof(name));
	for (size_t i = 0; i < 192; i += 64)
		name[i] = 63;
	name[192] = 61;
	name[254] = 0;
	start = put_question(message, name, 1);
	memcpy(message + start, "\xc0\x0c\0\x23\0\1\0\0\0\5\3\6\0\0\0\0", 16);
	memset(message + start + 16, 255, 768);
	memcpy(message + start + 16 + 768, "\xc0\x0c", 2);
	CU_ASSERT_EQUAL(message_read_begin(&r, message, start + 16 + 770), 0);
	CU_ASSERT_EQUAL(message_read_rr(&r, &rr, &section), MESSAGE_RR);
	CU_ASSERT_EQUAL(rr.rdata_len, 4 + 768 + 255);
}

static const struct check_case cases[] = {
	{ "compression", compression },
	{ "every room", every_room },
	{ "bad RDATA is an overflow", bad_rdata_is_an_overflow },
	{ "round trip of many", round_trip_of_many },
	{ "hostile records", hostile_records },
	{ "chains of pointers", chains_of_pointers },
	{ "headers", headers },
	{ "largest RDATA", largest_rdata },
};

CHECK_MAIN("message", cases)
