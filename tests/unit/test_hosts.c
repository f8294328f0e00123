/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_hosts.c - hosts files and inline lines.
 */
#include "check.h"

#include "corefile/config.h"
#include "source/hosts.h"
#include "source_texts.h"

static char path[64];

static void make_path(void)
{
	int fd;

	snprintf(path, sizeof(path), "/tmp/lane53-test-hosts-XXXXXX");
	fd = mkstemp(path);
	CU_ASSERT_TRUE_FATAL(fd >= 0);
	close(fd);
}

struct hosts_case {
	const char *name, *file;
	const char *lines[4]; /* inline */
	bool no_reverse;
	const char *zone;     /* NULL: all */
	const char *want;     /* A and AAAA and PTR as print_records() has them */
	const char *problems; /* as print_problem() has them */
};

#define ADDRESS "expected an IPv4 or IPv6 address in front of names"
#define NAME    "expected a domain name: labels of 1 to 63 bytes, 255 in all"

static const struct hosts_case all[] = {
	{ "names and aliases, case, tabs, CRLF, comments",
	  "# all\n\n \t \n192.0.2.1\tWWW.ex.org  ftp # tail\r\n192.0.2.1 www.ex.org",
	  { NULL },
	  true,
	  NULL,
	  "ftp. 1 7 192.0.2.1;www.ex.org. 1 7 192.0.2.1;",
	  "" },
	{ "both families, in the order of the file",
	  "192.0.2.2 a\n192.0.2.1 a\n2001:db8::1 a\n",
	  { NULL },
	  true,
	  NULL,
	  "a. 1 7 192.0.2.2 192.0.2.1;a. 28 7 2001:db8::1;",
	  "" },
	{ "IPv4 in IPv6's clothes is IPv4",
	  "::ffff:192.0.2.1 a\n",
	  { NULL },
	  true,
	  NULL,
	  "a. 1 7 192.0.2.1;",
	  "" },
	{ "addresses with a zone are ignored",
	  "fe80::1%eth0 a\n192.0.2.1 b\n",
	  { NULL },
	  true,
	  NULL,
	  "b. 1 7 192.0.2.1;",
	  "" },
	{ "reverse, but of no wildcard",
	  "192.0.2.1 a b *.w\n",
	  { NULL },
	  false,
	  NULL,
	  "a. 1 7 192.0.2.1;1.2.0.192.in-addr.arpa. 12 7 a. b.;b. 1 7 192.0.2.1;"
	  "*.w. 1 7 192.0.2.1;",
	  "" },
	{ "reverse of IPv6",
	  "2001:db8::1 a\n",
	  { NULL },
	  false,
	  NULL,
	  "a. 28 7 2001:db8::1;1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
	  "8.b.d.0.1.0.0.2.ip6.arpa. 12 7 a.;",
	  "" },
	{ "inline lines override names of the file, whatever the family",
	  "192.0.2.1 a b\n2001:db8::1 a\n",
	  { "192.0.2.9 A", "192.0.2.8 a" },
	  false,
	  NULL,
	  "a. 1 7 192.0.2.9 192.0.2.8;1.2.0.192.in-addr.arpa. 12 7 b.;"
	  "8.2.0.192.in-addr.arpa. 12 7 a.;9.2.0.192.in-addr.arpa. 12 7 a.;"
	  "b. 1 7 192.0.2.1;",
	  "" },
	{ "only names in the directive's zones",
	  "192.0.2.1 a.ex.org ex.org b.com\n",
	  { "192.0.2.2 c.com d.ex.org" },
	  false,
	  "ex.org",
	  "1.2.0.192.in-addr.arpa. 12 7 a.ex.org. ex.org.;"
	  "2.2.0.192.in-addr.arpa. 12 7 d.ex.org.;ex.org. 1 7 192.0.2.1;"
	  "a.ex.org. 1 7 192.0.2.1;d.ex.org. 1 7 192.0.2.2;",
	  "" },
	{ "bad lines are said, the rest is used",
	  "192.0.2.256 a\n192.0.2.1\nname 192.0.2.1\n192.0.2.2 b..c d\n"
	  "010.0.0.1 e\n\x01\x02 f\n192.0.2.3 . g\n",
	  { NULL },
	  true,
	  NULL,
	  "d. 1 7 192.0.2.2;g. 1 7 192.0.2.3;",
	  "1(\"192.0.2.256\": " ADDRESS ") "
	  "2(\"192.0.2.1\": expected a name behind the address) "
	  "3(\"name\": " ADDRESS ") "
	  "4(\"b..c\": " NAME ") "
	  "5(\"010.0.0.1\": " ADDRESS ") "
	  "6(\"?"
	  "?\": " ADDRESS ") "
	  "7(\".\": " NAME ") " },
	{ "bad inline lines are said with their place in the Corefile",
	  "",
	  { "192.0.2.1 a", "x y" },
	  true,
	  NULL,
	  "a. 1 7 192.0.2.1;",
	  "101(\"x\": " ADDRESS ") " },
};

static void read_case(const struct hosts_case *c)
{
	static const struct config_place places[] = { { "Corefile", 100 },
						      { "Corefile", 101 },
						      { "Corefile", 102 } };
	struct plan_name zone;
	char problems[TEXT_ROOM] = "", got[TEXT_ROOM] = "";
	struct report report = { .each = print_problem, .context = problems };
	struct config_source source = {
		.path = path,
		.ttl_s = 7,
		.no_reverse = c->no_reverse,
		.lines = c->lines,
		.line_places = places,
	};
	struct records *records = NULL;

	write_text(path, c->file, strlen(c->file));
	while (c->lines[source.line_count])
		source.line_count++;
	if (c->zone) {
		zone.len = (uint8_t)name_from_text(zone.wire, c->zone);
		source.zones = (struct plan_names){ &zone, 1 };
	}
	CU_ASSERT_EQUAL_FATAL(hosts_read(&records, &source, &report), 0);
	records_each(records, print_records, got);
	if (strcmp(got, c->want) || strcmp(problems, c->problems))
		printf("\n  %s:\n  got %s\n  problems %s\n", c->name, got, problems);
	CU_ASSERT_STRING_EQUAL(got, c->want);
	CU_ASSERT_STRING_EQUAL(problems, c->problems);
	records_close(records);
}

static void every_case(void)
{
	make_path();
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		read_case(&all[i]);
	unlink(path);
}

/* A file that is not there, or not a file, does not take the inline lines with it. */
static void unreadable_files(void)
{
	static const char *const paths[] = { "/nonexistent/hosts", "/tmp", "/dev/log" };
	static const char *const lines[] = { "192.0.2.1 a" };
	static const struct config_place place = { "Corefile", 1 };

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		char problems[TEXT_ROOM] = "";
		struct report report = { .each = print_problem, .context = problems };
		struct config_source source = {
			.path = paths[i],
			.no_reverse = true,
			.lines = lines,
			.line_places = &place,
			.line_count = 1,
		};
		struct records *records = NULL;

		CU_ASSERT_EQUAL(hosts_read(&records, &source, &report), HOSTS_NO_FILE);
		CU_ASSERT_PTR_NOT_NULL_FATAL(records);
		CU_ASSERT_EQUAL(records_count(records), 1);
		CU_ASSERT_EQUAL(strncmp(problems, "!0(cannot be read: ", 19), 0);
		records_close(records);
	}
}

/* Random bytes: no crash, and a bounded number of problems. */
static void garbage(void)
{
	char *bytes = malloc(1 << 20), problems[TEXT_ROOM] = "";
	struct report report = { .each = print_problem, .context = problems };
	struct config_source source = { .path = path };
	struct records *records = NULL;
	unsigned told = 0;

	make_path();
	srandom(5);
	for (size_t i = 0; i < 1 << 20; i++)
		bytes[i] = (char)random();
	write_text(path, bytes, 1 << 20);
	CU_ASSERT_EQUAL(hosts_read(&records, &source, &report), 0);
	for (const char *p = problems; (p = strstr(p, ": expected")); p++)
		told++;
	CU_ASSERT_EQUAL(told, REPORT_MAX);
	CU_ASSERT_PTR_NOT_NULL(strstr(problems, "more lines like these"));
	records_close(records);
	unlink(path);
	free(bytes);
}

static const struct check_case cases[] = {
	{ "every case", every_case },
	{ "unreadable files", unreadable_files },
	{ "garbage", garbage },
};

CHECK_MAIN("hosts", cases)
