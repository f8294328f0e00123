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
	{ "CRLF, no newline at the end", HEAD "a A 192.0.2.1\r\nb A 192.0.2.2",
	  SHEAD "a.ex.org. 1 3600 192.0.2.1;b.ex.org. 1 3600 192.0.2.2;", "" },
	{ "the same record twice", HEAD "a A 192.0.2.1\na A 192.0.2.1\n",
	  SHEAD "a.ex.org. 1 3600 192.0.2.1;", "" },
	{ "the same SOA twice", HEAD SOA, SHEAD, "" },
	{ "generic types (RFC 3597)", HEAD "a TYPE65280 \\# 2 abcd\n",
	  SHEAD "a.ex.org. 65280 3600 [2];", "" },
	{ "other types",
	  HEAD "a TXT \"x y\" z\na SRV 1 2 3 b\na MX 1 b\n"
	       "a CAA 0 issue \"ca\"\na HTTPS 1 . alpn=h2\n",
	  SHEAD "a.ex.org. 15 3600 [12];a.ex.org. 16 3600 [6];a.ex.org. 33 3600 [16];"
		"a.ex.org. 65 3600 [10];a.ex.org. 257 3600 [9];",
	  "" },
	{ "different TTLs", HEAD "a 9 A 192.0.2.1\na 8 A 192.0.2.2\n",
	  SHEAD "a.ex.org. 1 8 192.0.2.1 192.0.2.2;", "4(another TTL" },
	{ "no NS", SOA, "ex.org. 6 60 [44];", "0(no NS of \"ex.org.\"" },
	{ "out of the zone", HEAD "a.com. A 192.0.2.1\n", SHEAD,
	  "3(\"a.com. A 192.0.2.1\": left out" },
	{ "DNSSEC's records beside a CNAME", HEAD "a CNAME b\na NSEC c.ex.org. CNAME\n",
	  SHEAD "a.ex.org. 5 3600 b.ex.org.;a.ex.org. 47 3600 [13];", "" },
	{ "empty", "", NULL, "!0(no SOA of \"ex.org.\": expected one)" },
	{ "no SOA", "a A 192.0.2.1\n", NULL, "!0(no SOA" },
	{ "two SOA", HEAD "@ 60 SOA ns host 8 2 3 4 5\n", NULL,
	  "!1(\"@ 60 SOA ns host 7 2 3 4 5\": expected one SOA" },
	{ "SOA elsewhere", HEAD "a SOA ns host 7 2 3 4 5\n", NULL,
	  "!3(\"a SOA ns host 7 2 3 4 5\": expected SOA only at" },
	{ "CNAME and other data", HEAD "a CNAME b\na A 192.0.2.1\n", NULL,
	  "!4(\"a A 192.0.2.1\": expected no other records beside a CNAME" },
	{ "other data and CNAME", HEAD "a A 192.0.2.1\na TXT x\na CNAME b\n", NULL,
	  "!5(\"a CNAME b\": expected no other records beside a CNAME" },
	{ "two CNAMEs", HEAD "a CNAME b\na CNAME c\n", NULL,
	  "!3(\"a CNAME b\": expected one CNAME" },
	{ "bad RDATA behind a comment", HEAD "; note\n\na A 192.0.2\n", NULL,
	  "!5(\"a A 192.0.2\": Syntax error" },
	{ "every bad line is told", HEAD "a A x\nb A 192.0.2.1\nc NOSUCH x\n", NULL,
	  "!3(\"a A x\": Syntax error, could not parse the RR's rdata; expected OWNER "
	  "[TTL] [IN] TYPE RDATA) !5(\"c NOSUCH x\": " },
	{ "class CH", HEAD "a CH TXT x\n", NULL,
	  "!3(\"a CH TXT x\": expected class IN" },
	{ "$INCLUDE", HEAD "$INCLUDE other\n", NULL,
	  "!3(\"$INCLUDE other\": $INCLUDE is" },
	{ "$GENERATE", HEAD "$GENERATE 1-2 a$ A 192.0.2.$\n", NULL,
	  "!3(\"$GENERATE 1-2" },
	{ "not text",
	  "\x7f"
	  "ELF\x02\x01\x01\xff\xfe\n",
	  NULL, "!" },
};

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
	{ "serial", serial },
	{ "unreadable file", unreadable_file },
	{ "many bad lines", many_bad_lines },
};

CHECK_MAIN("zonefile", cases)
