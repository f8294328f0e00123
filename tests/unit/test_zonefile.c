/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_zonefile.c - master files, good and bad.
 */
#include "check.h"

#include <errno.h>

#include "source/zonefile.h"
#include "source_texts.h"

#define SOA   "@ 60 SOA ns host 7 2 3 4 5\n"
#define HEAD  SOA "@ 60 NS ns\n"
#define SHEAD "ex.org. 2 60 ns.ex.org.;ex.org. 6 60 [44];"

#define X60  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X63  X60 "xxx"
#define FORM "expected OWNER [TTL] [IN] TYPE RDATA"

#define BYTES(text) text, sizeof(text) - 1

static char path[64];

static void make_path(void)
{
	int fd;

	snprintf(path, sizeof(path), "/tmp/lane53-test-zonefile-XXXXXX");
	fd = mkstemp(path);
	CU_ASSERT_TRUE_FATAL(fd >= 0);
	close(fd);
}

static const struct {
	const char *name, *text;
	const char *want;     /* NULL: -EINVAL */
	const char *problems; /* what they begin with */
} all[] = {
	{ "plain", HEAD "ns 30 A 192.0.2.1\nWww A 192.0.2.2\n",
	  SHEAD "ns.ex.org. 1 30 192.0.2.1;www.ex.org. 1 3600 192.0.2.2;", "" },
	{ "$TTL, $ORIGIN, owner left out, parentheses, comments",
	  "$TTL 5m\n$ORIGIN ex.org.\n; head\n@ SOA ns host (\n 7 ; serial\n 2 3 4 5 )\n"
	  " NS ns\n$ORIGIN sub.ex.org.\na A 192.0.2.1\n  AAAA ::1\n",
	  "ex.org. 2 300 ns.ex.org.;ex.org. 6 300 [44];"
	  "a.sub.ex.org. 1 300 192.0.2.1;a.sub.ex.org. 28 300 ::1;",
	  "" },
	{ "CR LF, no newline at the end", HEAD "a A 192.0.2.1\r\nb A 192.0.2.2",
	  SHEAD "a.ex.org. 1 3600 192.0.2.1;b.ex.org. 1 3600 192.0.2.2;",
	  "4(no newline at the end: has the file been cut?)" },
	{ "tabs, class before TTL, lower case, nested parentheses",
	  HEAD "a\tin 7\ta\t192.0.2.1\nb ( 1h ( in\n ) AAAA\n ::1 )\n",
	  SHEAD "a.ex.org. 1 7 192.0.2.1;b.ex.org. 28 3600 ::1;", "" },
	{ "escapes and quotes",
	  HEAD "a\\.b\\099 A 192.0.2.1\nt TXT \"a\\\"; (\\059\" b\\;c\"d e\"\n"
	       "\\$TTL A 192.0.2.1\n",
	  SHEAD "\\$ttl.ex.org. 1 3600 192.0.2.1;a\\.bc.ex.org. 1 3600 192.0.2.1;"
		"t.ex.org. 16 3600 [16];",
	  "" },
	{ "$ORIGIN is relative", HEAD "$ORIGIN b\n$ORIGIN a\n@ A 192.0.2.1\n",
	  SHEAD "a.b.ex.org. 1 3600 192.0.2.1;", "" },
	{ "types that ldns reads in one go",
	  HEAD "a LOC 51 30 12.748 N 0 7 39.612 W 0.00m\na APL 1:192.0.2.0/24\n",
	  SHEAD "a.ex.org. 29 3600 [16];a.ex.org. 42 3600 [7];", "" },
	{ "known types in generic form",
	  HEAD "a TYPE1 \\# 4 c0000201\n"
	       "a MX \\# 5 ( 000a 016200 )\n",
	  SHEAD "a.ex.org. 1 3600 192.0.2.1;a.ex.org. 15 3600 [5];", "" },
	{ "the longest label, the largest TTL", HEAD X63 " 2147483647 A 192.0.2.1\n",
	  SHEAD X63 ".ex.org. 1 2147483647 192.0.2.1;", "" },
	{ "a TTL of 32 bits", HEAD "a 2147483648 A 192.0.2.1\n",
	  SHEAD "a.ex.org. 1 0 192.0.2.1;", "3(\"a\": a TTL above 2147483647 is 0" },
	{ "an address as a name", HEAD "a MX 1 192.0.2.1\n",
	  SHEAD "a.ex.org. 15 3600 [20];",
	  "3(\"192.0.2.1\": read as a name of this zone" },
	{ "the same record twice", HEAD "a A 192.0.2.1\na A 192.0.2.1\n",
	  SHEAD "a.ex.org. 1 3600 192.0.2.1;", "" },
	{ "the same SOA twice", HEAD SOA, SHEAD, "" },
	{ "generic types (RFC 3597)", HEAD "a TYPE65280 \\# 2 abcd\n",
	  SHEAD "a.ex.org. 65280 3600 [2];", "" },
	{ "other types",
	  HEAD "a TXT \"x y\" z\na SRV 1 2 3 b\na MX 1 b\n"
	       "a CAA 0 issue \"ca\"\na HTTPS 1 . alpn=h2 mandatory=alpn\n",
	  SHEAD "a.ex.org. 15 3600 [12];a.ex.org. 16 3600 [6];a.ex.org. 33 3600 [16];"
		"a.ex.org. 65 3600 [16];a.ex.org. 257 3600 [9];",
	  "" },
	{ "different TTLs", HEAD "a 9 A 192.0.2.1\na 8 A 192.0.2.2\n",
	  SHEAD "a.ex.org. 1 8 192.0.2.1 192.0.2.2;", "4(another TTL" },
	{ "no NS", SOA, "ex.org. 6 60 [44];", "0(no NS of \"ex.org.\"" },
	{ "out of the zone", HEAD "a.com. A 192.0.2.1\n", SHEAD,
	  "3(\"a.com.\": left out" },
	{ "DNSSEC's records beside a CNAME", HEAD "a CNAME b\na NSEC c.ex.org. CNAME\n",
	  SHEAD "a.ex.org. 5 3600 b.ex.org.;a.ex.org. 47 3600 [13];", "" },
	{ "signatures: NSEC3 and its own are left out, an expired one is told",
	  HEAD
	  "a A 192.0.2.1\na RRSIG A 8 3 3600 20200101000000 20190101000000 1 @ AAAA\n"
	  "a RRSIG TXT 8 3 60 4294967295 1 1 @ AAAA\n"
	  "h NSEC3 1 0 1 ab 0p9mhaveqvm6t7vbl5lop2u3t2rp3tom A\n"
	  "h RRSIG NSEC3 8 3 60 4294967295 1 1 @ AAAA\n@ NSEC3PARAM 1 0 1 ab\n",
	  SHEAD "a.ex.org. 1 3600 192.0.2.1;a.ex.org. 46 3600 [29] [29];",
	  "6(3 NSEC3 records and their signatures left out: " },
	{ "empty, one message", "", NULL, "!0(no SOA of \"ex.org.\": expected one)" },
	{ "no SOA", "a A 192.0.2.1\n", NULL, "!0(no SOA" },
	{ "two SOA", HEAD "@ 60 SOA ns host 8 2 3 4 5\n", NULL,
	  "!1(\"@ 60 SOA ns host 7 2 3 4 5\": expected one SOA" },
	{ "SOA elsewhere", HEAD "a SOA ns host 7 2 3 4 5\n", NULL,
	  "!3(\"a\": expected SOA only at" },
	{ "CNAME and other data", HEAD "a CNAME b\na A 192.0.2.1\n", NULL,
	  "!4(\"a A 192.0.2.1\": expected no other records beside a CNAME" },
	{ "other data and CNAME", HEAD "a A 192.0.2.1\na TXT x\na CNAME b\n", NULL,
	  "!5(\"a CNAME b\": expected no other records beside a CNAME" },
	{ "two CNAMEs", HEAD "a CNAME b\na CNAME c\n", NULL,
	  "!3(\"a CNAME b\": expected one CNAME" },
	{ "two DNAMEs", HEAD "a DNAME b\na DNAME c\n", NULL,
	  "!3(\"a DNAME b\": expected one DNAME" },
	{ "bad RDATA behind a comment", HEAD "; note\n\na A 192.0.2\n", NULL,
	  "!5(\"192.0.2\": expected an IPv4" },
	{ "every bad line is told", HEAD "a A x\nb A 192.0.2.1\nc NOSUCH x\n", NULL,
	  "!3(\"x\": expected an IPv4 address) !5(\"NOSUCH\": not a type of records" },
	{ "class CH", HEAD "a CH TXT x\n", NULL, "!3(\"CH\": expected class IN" },
	{ "a bad SOA is all there is to say", "@ SOA ns host 7 2 3 4\n", NULL,
	  "!1(\"4\": nothing behind it; expected 0 to 4294967295 seconds, or as "
	  "1w2d3h4m5s) " },
};

/* One entry behind the head of a zone, and what is said of it. */
static const struct {
	const char *entry, *problem;
} bad[] = {
	/* words that are missing, or too many */
	{ "rubbish in here", "!3(\"here\": not a type of records; " FORM ") " },
	{ "rubbish", "!3(\"rubbish\": nothing behind it; " FORM ") " },
	{ "a 60 IN", "!3(\"IN\": nothing behind it; " FORM ") " },
	{ "a A", "!3(\"A\": nothing behind it; expected an IPv4 address) " },
	{ "a MX 10", "!3(\"10\": nothing behind it; expected a domain name) " },
	{ "a TXT", "!3(\"TXT\": nothing behind it; expected text" },
	{ "a LOC", "!3(\"LOC\": nothing behind it; expected more of the record) " },
	{ "a A 192.0.2.1 192.0.2.2",
	  "!3(\"192.0.2.2\": expected the end of the A record) " },
	{ "a CNAME b ; c\nb CNAME c d", "!4(\"d\": expected the end of the CNAME" },
	{ "a IN IN A 192.0.2.1", "!3(\"IN\": not a type" },
	{ "a 60 60 A 192.0.2.1", "!3(\"60\": not a type" },
	/* types */
	{ "a TYPE65536 \\# 0", "!3(\"TYPE65536\": not a type" },
	{ "a ANY x", "!3(\"ANY\": a type of questions" },
	{ "a TYPE41 \\# 0", "!3(\"TYPE41\": a type of questions" },
	{ "a NSEC b A NOSUCH", "!3(\"NOSUCH\": expected a type of records) " },
	{ "a \"A\" 192.0.2.1", "!3(\"A\": not a type" },
	/* TTLs */
	{ "a 5x A 192.0.2.1", "!3(\"5x\": expected a TTL of 0 to 2147483647" },
	{ "a -1 A 192.0.2.1", "!3(\"-1\": expected a TTL" },
	{ "a 4294967296 A 192.0.2.1", "!3(\"4294967296\": expected a TTL" },
	{ "a 99999999999999999999 A 192.0.2.1", "!3(\"99999999999999999999\": exp" },
	{ "a 9999999w A 192.0.2.1", "!3(\"9999999w\": expected a TTL" },
	{ "$TTL rubbish", "!3(\"rubbish\": expected $TTL and 0 to 2147483647 sec" },
	{ "$TTL", "!3(\"$TTL\": expected $TTL and" },
	{ "$TTL 60 70", "!3(\"70\": expected $TTL and" },
	{ "$TTL 2147483648", "!3(\"2147483648\": expected $TTL and" },
	/* directives */
	{ "$ORIGIN", "!3(\"$ORIGIN\": expected $ORIGIN and a domain name) " },
	{ "$ORIGIN a..b", "!3(\"a..b\": an empty label; expected a domain name) " },
	{ "$ORIGIN a.ex.org. x", "!3(\"$ORIGIN\": expected $ORIGIN and" },
	{ "$INCLUDE other", "!3(\"$INCLUDE\": not supported: expected records" },
	{ "$GENERATE 1-2 a$ A 192.0.2.$", "!3(\"$GENERATE\": not supported" },
	{ "$NOSUCH x", "!3(\"$NOSUCH\": expected $ORIGIN, $TTL, or a record" },
	/* names */
	{ X63 "x A 192.0.2.1", "!3(\"" X63 "x\": a label of more than 63 bytes" },
	{ "a CNAME " X63 "x", "!3(\"" X63 "x\": a label of more than 63 bytes" },
	{ X63 "." X63 "." X63 "." X60 " A 192.0.2.1",
	  "!3(\"" X63 "....\": with its origin it is longer than 255 bytes" },
	{ "a..b A 192.0.2.1", "!3(\"a..b\": an empty label" },
	{ ".a A 192.0.2.1", "!3(\".a\": an empty label" },
	{ "a\\256 A 192.0.2.1", "!3(\"a\\256\": expected \\000 to \\255) " },
	{ "a\\12 A 192.0.2.1", "!3(\"a\\12\": expected \\000 to \\255) " },
	{ "\"a\" A 192.0.2.1", "!3(\"a\": expected a domain name without quotes) " },
	/* numbers and addresses */
	{ "a A 192.0.2.010", "!3(\"192.0.2.010\": expected an IPv4 address) " },
	{ "a A \"192.0.2.1\"", "!3(\"192.0.2.1\": expected an IPv4 address) " },
	{ "a AAAA 192.0.2.1", "!3(\"192.0.2.1\": expected an IPv6 address) " },
	{ "a MX 65536 b", "!3(\"65536\": expected a number of 0 to 65535) " },
	{ "a SRV 1 -2 3 b", "!3(\"-2\": expected a number of 0 to 65535) " },
	{ "@ SOA ns host 4294967296 2 3 4 5",
	  "!3(\"4294967296\": expected a number of 0 to 4294967295) " },
	{ "@ SOA ns host 1 2 3y 4 5", "!3(\"3y\": expected 0 to 4294967295 seconds" },
	{ "a CAA 300 issue x", "!3(\"300\": expected a number of 0 to 255) " },
	/* other values */
	{ "a TXT x\\999", "!3(\"x\\999\": expected text of up to 255 bytes" },
	{ "a TXT x\\", "!3(\"x\\\": expected text" },
	{ "a TXT " X63 X63 X63 X63 "xxxx", "!3(\"" X63 "x...\": expected text" },
	{ "a DS 1 8 2 abc", "!3(\"abc\": expected hexadecimal digits, two for" },
	{ "a DS 1 8 2 ab cd", "!3(\"cd\": expected a digest as long as its type" },
	{ "@ DNSKEY 256 3 8 ****", "!3(\"****\": expected base64) " },
	{ "@ DNSKEY 256 3 300 AAAA", "!3(\"300\": expected a number of 0 to 255) " },
	{ "a RRSIG A 8 3 60 20991399000000 20200101000000 1 ex.org. AAAA",
	  "!3(\"20991399000000\": expected a time as YYYYMMDDHHMMSS" },
	{ "a RRSIG X 8 3 60 1 1 1 ex.org. AAAA", "!3(\"X\": expected a type of rec" },
	{ "a HTTPS 1 . nosuchkey", "!3(\"nosuchkey\": expected KEY=VALUE" },
	{ "a HTTPS 1 . alpn=h2 alpn=h3", "!3(\"alpn=h2\": expected KEY=VALUE, each k" },
	{ "a HTTPS 1 . alpn", "!3(\"alpn\": expected KEY=VALUE" },
	{ "a HTTPS 1 . port=1 mandatory=alpn", "!3(\"port=1\": expected KEY=VALUE" },
	{ "a LOC 91 N 1 E 0", "!3(\"91\": expected up to 90 degrees N or S, 180" },
	{ "a LOC 9 N 181 E 0", "!3(\"9\": expected up to 90 degrees" },
	{ "a LOC x", "!3(\"x\": expected a value of the type LOC) " },
	/* generic */
	{ "a TYPE65280 abcd", "!3(\"abcd\": expected \\# LENGTH HEX (RFC 3597)" },
	{ "a TYPE65280", "!3(\"TYPE65280\": nothing behind it; expected \\# LENGTH" },
	{ "a TYPE65280 \\#", "!3(\"\\#\": nothing behind it; expected the length" },
	{ "a TYPE65280 \\# 3 abcd", "!3(\"3\": expected as many bytes as there are" },
	{ "a TYPE65280 \\# 2 abc", "!3(\"abc\": expected hexadecimal" },
	{ "a TYPE65280 \\# 2 xyzw", "!3(\"xyzw\": expected hexadecimal" },
	{ "a A \\# 3 c00002", "!3(\"A\": expected a value of the type A) " },
	{ "a NS \\# 2 c00c", "!3(\"NS\": expected a value of the type NS) " },
	/* parentheses and quotes */
	{ "a A ( 192.0.2.1\nb A 192.0.2.2", "!3(\"(\": it is not closed at the end" },
	{ "a A 192.0.2.1 )", "!3(\")\": nothing to close" },
	{ "a TXT \"x\nb A 192.0.2.1", "!3(\"x\": the quote is not closed" },
	{ "a HTTPS 1 . alpn=\"h2", "!3(\"alpn=\"h2\": the quote is not closed" },
	/* a file that is cut */
	{ "b A 192.0", "!3(\"192.0\": expected an IPv4 address) " },
	/* bytes */
	{ "a A\v192.0.2.1", "!3(\"\\011\": a control character" },
	{ "a\rb A 192.0.2.1", "!3(\"\\013\": a carriage return within a line" },
};

/* Each is told once, and by its own word. */
static void every_bad_entry(void)
{
	uint8_t origin[255];

	make_path();
	name_from_text(origin, "ex.org");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		char problems[TEXT_ROOM] = "", text[1000];
		struct report report = { .each = print_problem, .context = problems };
		struct records *records = NULL;
		int len = snprintf(text, sizeof(text), HEAD "%s\n", bad[i].entry);

		write_text(path, text, (size_t)len);
		CU_ASSERT_EQUAL(zonefile_read(&records, path, origin, &report),
				-EINVAL);
		if (strncmp(problems, bad[i].problem, strlen(bad[i].problem)) ||
		    strstr(problems + 1, "!"))
			printf("\n  %s\n  %s\n", bad[i].entry, problems);
		CU_ASSERT_EQUAL(
			strncmp(problems, bad[i].problem, strlen(bad[i].problem)), 0);
		CU_ASSERT_PTR_NULL(strstr(problems + 1, "!"));
	}
	unlink(path);
}

static const struct {
	const char *text;
	size_t len;
	const char *problem;
} bytes[] = {
	{ BYTES(HEAD "a\0b A 192.0.2.1\nrubbish\n"), "!3(\"\\000\": this is no text" },
	{ BYTES("\x7f"
		"ELF\x02\x01\x01\xff\xfe\n"),
	  "!1(\"\\127\": a control char" },
	{ BYTES("\xff\xfe@\0 \0"), "!1(\"\\000\": this is no text" },
	{ BYTES("\xef\xbb\xbf" HEAD), "!1(\"\\239\\187\\191\": a byte order mark" },
	{ BYTES(HEAD "   \n\n A 192.0.2.1"), "5(no newline at the end" },
	{ BYTES(" A 192.0.2.1\n" HEAD), "!1(\"A\": it begins with a blank, and no" },
};

static void every_odd_file(void)
{
	uint8_t origin[255];

	make_path();
	name_from_text(origin, "ex.org");
	for (size_t i = 0; i < ARRAY_LEN(bytes); i++) {
		char problems[TEXT_ROOM] = "";
		struct report report = { .each = print_problem, .context = problems };
		struct records *records = NULL;
		const size_t len = strlen(bytes[i].problem);

		write_text(path, bytes[i].text, bytes[i].len);
		CU_ASSERT_EQUAL(zonefile_read(&records, path, origin, &report),
				bytes[i].problem[0] == '!' ? -EINVAL : 0);
		if (strncmp(problems, bytes[i].problem, len))
			printf("\n  %zu: %s\n", i, problems);
		CU_ASSERT_EQUAL(strncmp(problems, bytes[i].problem, len), 0);
		records_close(records);
	}
	unlink(path);
}

/* An entry that is longer than any record, in a file and open. */
static void endless_entries(void)
{
	static const char *const wants[] = {
		"!3(\"a\": this entry is longer than 256 KiB; ",
		"!3(\"(\": no ')' within 256 KiB; ",
		"!3(\"TXT\": more than 64 KiB; ",
	};
	uint8_t origin[255];

	make_path();
	name_from_text(origin, "ex.org");
	for (size_t i = 0; i < ARRAY_LEN(wants); i++) {
		const unsigned words = i == 2 ? 4500 : 20000;
		char problems[TEXT_ROOM] = "";
		struct report report = { .each = print_problem, .context = problems };
		struct records *records = NULL;
		FILE *file = fopen(path, "w");

		CU_ASSERT_PTR_NOT_NULL_FATAL(file);
		fprintf(file, HEAD "a TXT%s", i == 1 ? " (" : "");
		for (unsigned n = 0; n < words; n++)
			fprintf(file, " 0123456789abcdef");
		fprintf(file, "\nb A 192.0.2.1\n");
		fclose(file);
		CU_ASSERT_EQUAL(zonefile_read(&records, path, origin, &report),
				-EINVAL);
		if (strncmp(problems, wants[i], strlen(wants[i])))
			printf("\n  %s\n", problems);
		CU_ASSERT_EQUAL(strncmp(problems, wants[i], strlen(wants[i])), 0);
		CU_ASSERT_PTR_NULL(strstr(problems + 1, "!"));
	}
	unlink(path);
}

static void every_case(void)
{
	make_path();
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		char problems[TEXT_ROOM] = "", got[TEXT_ROOM] = "";
		struct report report = { .each = print_problem, .context = problems };
		struct records *records = NULL;
		uint8_t origin[255];
		int r;

		name_from_text(origin, "ex.org");
		write_text(path, all[i].text, strlen(all[i].text));
		r = zonefile_read(&records, path, origin, &report);
		if (r == 0)
			records_each(records, print_records, got);
		if (r != (all[i].want ? 0 : -EINVAL) ||
		    (all[i].want && strcmp(got, all[i].want)) ||
		    strncmp(problems, all[i].problems, strlen(all[i].problems)))
			printf("\n  %s: %d\n  got %s\n  problems %s\n", all[i].name, r,
			       got, problems);
		CU_ASSERT_EQUAL(r, all[i].want ? 0 : -EINVAL);
		if (all[i].want)
			CU_ASSERT_STRING_EQUAL(got, all[i].want);
		CU_ASSERT_EQUAL(
			strncmp(problems, all[i].problems, strlen(all[i].problems)), 0);
		if (!*all[i].problems)
			CU_ASSERT_STRING_EQUAL(problems, "");
		CU_ASSERT_EQUAL(r == 0, records != NULL);
		records_close(records);
	}
	unlink(path);
}

static void serial(void)
{
	struct report report = { .each = NULL };
	struct records *records = NULL;
	uint8_t origin[255], other[255];
	uint32_t got = 0;

	make_path();
	name_from_text(origin, "ex.org");
	name_from_text(other, "org");
	write_text(path, HEAD, strlen(HEAD));
	CU_ASSERT_EQUAL_FATAL(zonefile_read(&records, path, origin, &report), 0);
	CU_ASSERT_TRUE(zonefile_serial(records, origin, &got));
	CU_ASSERT_EQUAL(got, 7);
	CU_ASSERT_FALSE(zonefile_serial(records, other, &got));
	records_close(records);
	unlink(path);
}

static void unreadable_file(void)
{
	char problems[TEXT_ROOM] = "";
	struct report report = { .each = print_problem, .context = problems };
	struct records *records = NULL;

	CU_ASSERT_EQUAL(zonefile_read(&records, "/nonexistent/zone",
				      (const uint8_t *)"", &report),
			-EINVAL);
	CU_ASSERT_STRING_EQUAL(problems,
			       "!0(cannot be read: No such file or directory; "
			       "expected a readable file) ");
	CU_ASSERT_PTR_NULL(records);
}

/* Ten thousand bad lines take no longer than good ones, and are told as a number. */
static void many_bad_lines(void)
{
	char problems[TEXT_ROOM] = "";
	struct report report = { .each = print_problem, .context = problems };
	struct records *records = NULL;
	uint8_t origin[255];
	FILE *file;

	make_path();
	name_from_text(origin, "ex.org");
	file = fopen(path, "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	fputs(HEAD, file);
	for (unsigned i = 0; i < 10000; i++)
		fprintf(file, "n%u A 192.0.2\n", i);
	fclose(file);
	CU_ASSERT_EQUAL(zonefile_read(&records, path, origin, &report), -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(problems, "!0(9980 more lines like these) "));
	CU_ASSERT_EQUAL(report.count, 0);
	unlink(path);
}

static const struct check_case cases[] = {
	{ "every case", every_case },
	{ "every bad entry", every_bad_entry },
	{ "every odd file", every_odd_file },
	{ "endless entries", endless_entries },
	{ "serial", serial },
	{ "unreadable file", unreadable_file },
	{ "many bad lines", many_bad_lines },
};

CHECK_MAIN("zonefile", cases)
