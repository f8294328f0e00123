/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_errorlog.c - causes in words, and what `consolidate` makes of many of them; time
 * is an argument, so minutes pass at once.
 */
#include "check.h"
#include "corefile/config.h"
#include "daemon/errorlog.h"
#include "lane53/abi.h"
#include "lane53/wire.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#define UPSTREAM(proto_, cause_, number_)                                           \
	{                                                                           \
		.upstream = { [10] = 0xff, [11] = 0xff, 192, 0, 2, 1 }, .port = 53, \
		.proto = proto_, .cause = LANE53_CAUSE_##cause_, .number = number_  \
	}

/* ---- causes ---- */

static void causes_are_told_in_words(void)
{
	static const struct {
		struct lane53_failure failure;
		const char *text;
	} cases[] = {
		{ UPSTREAM(17, IO, ETIMEDOUT), "read udp 192.0.2.1:53: i/o timeout" },
		{ UPSTREAM(17, IO, ECONNREFUSED),
		  "read udp 192.0.2.1:53: connection refused" },
		{ UPSTREAM(6, IO, ECONNREFUSED),
		  "dial tcp 192.0.2.1:53: connect: connection refused" },
		{ UPSTREAM(6, IO, ENETUNREACH),
		  "dial tcp 192.0.2.1:53: connect: network is unreachable" },
		{ UPSTREAM(6, IO, ETIMEDOUT), "read tcp 192.0.2.1:53: i/o timeout" },
		{ UPSTREAM(6, IO, ECONNRESET),
		  "read tcp 192.0.2.1:53: connection reset by peer" },
		{ UPSTREAM(17, MALFORMED, 0),
		  "read udp 192.0.2.1:53: malformed response" },
		{ UPSTREAM(17, MISMATCHED, 0),
		  "read udp 192.0.2.1:53: response to another question" },
		{ UPSTREAM(17, SERVFAIL, 0),
		  "read udp 192.0.2.1:53: the upstream's response is SERVFAIL" },
		{ { .upstream = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 },
		    .port = 5353,
		    .proto = 17,
		    .cause = LANE53_CAUSE_IO,
		    .number = ETIMEDOUT,
		    .flags = LANE53_FAILURE_ALL_DOWN },
		  "all upstreams are down: read udp [2001:db8::1]:5353: i/o timeout" },
		{ { .cause = LANE53_CAUSE_NO_UPSTREAM }, "no healthy proxies" },
		{ { .cause = LANE53_CAUSE_LIMIT, .number = 1000 },
		  "concurrent queries exceeded maximum 1000" },
		{ { .cause = LANE53_CAUSE_NOT_FOUND }, "no next plugin found" },
		{ { .cause = 200 }, "unknown" },
	};
	char text[ERRORLOG_CAUSE_ROOM];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		errorlog_cause(text, &cases[i].failure);
		CU_ASSERT_STRING_EQUAL(text, cases[i].text);
	}
}

/* ---- consolidate ---- */

static char said[16384];

static void note(void *context, enum config_level level, const char *line)
{
	static const char *const levels[] = { "E", "W", "I", "D" };
	size_t len = strlen(said);

	(void)context;
	snprintf(said + len, sizeof(said) - len, "%s %s\n", levels[level], line);
}

/* One step of a scene: @count errors at @at_ms, or a tick (count 0), and what it says. */
struct step {
	unsigned at_ms;
	unsigned count;
	enum { TIMEOUT, REFUSED } what;
	const char *says;
};

#define TIMEOUT_LINE \
	"plugin/errors: 2 www.example. A: read udp 192.0.2.1:53: i/o timeout\n"
#define REFUSED_LINE                                     \
	"plugin/errors: 2 www.example. A: read udp 192." \
	"0.2.1:53: connection refused\n"

static void report_of(struct lane53_report *ret, unsigned what)
{
	static const struct lane53_failure failures[] = {
		UPSTREAM(17, IO, ETIMEDOUT), UPSTREAM(17, IO, ECONNREFUSED)
	};

	*ret = (struct lane53_report){
		.event = { .qtype = TYPE_A,
			   .qname_len = 13,
			   .response_flags = FLAG_QR | RCODE_SERVFAIL },
		.failure = failures[what],
	};
	memcpy(ret->event.qname, "\3WWW\7Example", 13);
}

static void play(const struct config_consolidate *rules, unsigned rule_count,
		 const struct step *steps, unsigned step_count)
{
	struct config_block blocks[2] = {
		{ .errors = true },
		{ .errors = true,
		  .consolidates = (struct config_consolidate *)rules,
		  .consolidate_count = rule_count },
	};
	const struct config config = { .blocks = blocks, .block_count = 2 };
	struct lane53_report report;
	struct errorlog *errorlog;

	CU_ASSERT_EQUAL_FATAL(errorlog_open(&errorlog, note, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(errorlog_set(errorlog, &config), 0);
	for (unsigned i = 0; i < step_count; i++) {
		said[0] = 0;
		report_of(&report, steps[i].what);
		for (unsigned n = 0; n < steps[i].count; n++)
			errorlog_take(errorlog, 1, &report, steps[i].at_ms);
		if (!steps[i].count)
			(void)errorlog_tick(errorlog, steps[i].at_ms);
		CU_ASSERT_STRING_EQUAL(said, steps[i].says);
		if (strcmp(said, steps[i].says))
			printf("\n  step %u: %s", i, said);
	}
	/* the other block has no rules */
	said[0] = 0;
	report_of(&report, REFUSED);
	errorlog_take(errorlog, 0, &report, 0);
	CU_ASSERT_STRING_EQUAL(said, "E " REFUSED_LINE);
	said[0] = 0;
	errorlog_close(errorlog);
}

static void errors_alike_are_one_line(void)
{
	static const struct config_consolidate rules[] = {
		{ ".* i/o timeout$", 30000, LEVEL_ERROR, false },
	};
	static const struct step steps[] = {
		{ 0, 1, REFUSED, "E " REFUSED_LINE }, /* no rule: as it is, each */
		{ 1, 2, REFUSED, "E " REFUSED_LINE "E " REFUSED_LINE },
		{ 1000, 3, TIMEOUT, "" },
		{ 30999, 0, 0, "" },
		{ 31000, 0, 0,
		  "E plugin/errors: 3 errors like '.* i/o timeout$' occurred in last "
		  "30s\n" },
		{ 31001, 0, 0, "" },
		{ 40000, 1, TIMEOUT,
		  "" }, /* without show_first even one is summed up */
		{ 70000, 0, 0,
		  "E plugin/errors: 1 errors like '.* i/o timeout$' occurred in last "
		  "30s\n" },
		{ 80000, 2, TIMEOUT, "" },
		/* the timer is late: the next period begins all the same */
		{ 120000, 1, TIMEOUT,
		  "E plugin/errors: 2 errors like '.* i/o timeout$' occurred in last "
		  "30s\n" },
		{ 150000, 0, 0,
		  "E plugin/errors: 1 errors like '.* i/o timeout$' occurred in last "
		  "30s\n" },
	};

	play(rules, ARRAY_LEN(rules), steps, ARRAY_LEN(steps));
}

static void the_first_is_shown(void)
{
	static const struct config_consolidate rules[] = {
		{ "refused", 5400000, LEVEL_WARNING, true },
	};
	static const struct step steps[] = {
		{ 0, 1, REFUSED, "W " REFUSED_LINE },
		{ 5400000, 0, 0, "" }, /* the only one: it was said already */
		{ 6000000, 4, REFUSED, "W " REFUSED_LINE },
		{ 11400000, 0, 0,
		  "W plugin/errors: 4 errors like 'refused' occurred in last "
		  "1h30m0s\n" },
	};

	play(rules, ARRAY_LEN(rules), steps, ARRAY_LEN(steps));
}

static void the_first_rule_that_matches_counts(void)
{
	static const struct config_consolidate rules[] = {
		{ "^read udp .* refused$", 1500, LEVEL_INFO, false },
		{ "udp", 300000, LEVEL_WARNING, true },
		{ ".*", 250, LEVEL_ERROR, true },
	};
	static const struct step steps[] = {
		{ 0, 2, REFUSED, "" },
		{ 0, 2, TIMEOUT, "W " TIMEOUT_LINE },
		{ 1500, 0, 0,
		  "I plugin/errors: 2 errors like '^read udp .* refused$' occurred in "
		  "last 1.5s\n" },
		{ 300000, 0, 0,
		  "W plugin/errors: 2 errors like 'udp' occurred in last 5m0s\n" },
	};

	play(rules, ARRAY_LEN(rules), steps, ARRAY_LEN(steps));
}

static void debug_is_not_shown(void)
{
	static const struct config_consolidate rules[] = {
		{ "refused", 1000, LEVEL_DEBUG, true },
	};
	static const struct step steps[] = { { 0, 3, REFUSED, "" },
					     { 1000, 0, 0, "" },
					     { 1001, 1, TIMEOUT, "E " TIMEOUT_LINE } };

	play(rules, ARRAY_LEN(rules), steps, ARRAY_LEN(steps));
}

/* A reload and the end tell what was counted; and when to come again is told. */
static void what_was_counted_is_told_at_the_end(void)
{
	struct config_consolidate rules[] = {
		{ "refused", 1000, LEVEL_ERROR, false },
		{ "timeout", 500, LEVEL_ERROR, false },
	};
	struct config_block block = { .consolidates = rules, .consolidate_count = 2 };
	const struct config config = { .blocks = &block, .block_count = 1 };
	struct lane53_report report;
	struct errorlog *errorlog;

	said[0] = 0;
	CU_ASSERT_EQUAL_FATAL(errorlog_open(&errorlog, note, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(errorlog_set(errorlog, &config), 0);
	CU_ASSERT_EQUAL(errorlog_tick(errorlog, 5), UINT64_MAX);
	report_of(&report, REFUSED);
	errorlog_take(errorlog, 0, &report, 10);
	CU_ASSERT_EQUAL(errorlog_tick(errorlog, 20), 1010);
	report_of(&report, TIMEOUT);
	errorlog_take(errorlog, 0, &report, 30);
	CU_ASSERT_EQUAL(errorlog_tick(errorlog, 40), 530);
	CU_ASSERT_STRING_EQUAL(said, "");
	CU_ASSERT_EQUAL_FATAL(errorlog_set(errorlog, &config), 0);
	CU_ASSERT_STRING_EQUAL(
		said, "E plugin/errors: 1 errors like 'refused' occurred in last 1s\n"
		      "E plugin/errors: 1 errors like 'timeout' occurred in last "
		      "500ms\n");
	said[0] = 0;
	CU_ASSERT_EQUAL(errorlog_tick(errorlog, 5000), UINT64_MAX);
	errorlog_take(errorlog, 0, &report, 5000);
	errorlog_close(errorlog);
	CU_ASSERT_STRING_EQUAL(said, "E plugin/errors: 1 errors like 'timeout' "
				     "occurred in last 500ms\n");
}

static const struct check_case cases[] = {
	{ "causes are told in words", causes_are_told_in_words },
	{ "errors alike are one line", errors_alike_are_one_line },
	{ "the first is shown", the_first_is_shown },
	{ "the first rule that matches counts", the_first_rule_that_matches_counts },
	{ "debug is not shown", debug_is_not_shown },
	{ "what was counted is told at the end", what_was_counted_is_told_at_the_end },
};

CHECK_MAIN("errorlog", cases)
