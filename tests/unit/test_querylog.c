/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_querylog.c - lines as CoreDNS 1.14.7 writes them.
 */
#include "check.h"
#include "corefile/config.h"
#include "daemon/querylog.h"
#include "lane53/abi.h"
#include "lane53/wire.h"
#include <arpa/inet.h>
#include <string.h>

/* The example of CoreDNS's own documentation. */
static struct lane53_event example(void)
{
	struct lane53_event event = {
		.duration_ns = 37990251,
		.id_be = htons(29008),
		.remote = { [15] = 1 },
		.local = { [10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = 53 },
		.remote_port_be = htons(50759),
		.local_port_be = htons(53),
		.qtype = TYPE_A,
		.qclass = CLASS_IN,
		.request_bytes = 41,
		.response_bytes = 68,
		.edns_bytes = 4096,
		.response_flags = FLAG_QR | FLAG_RD | FLAG_RA | FLAG_AD,
		.proto = 17,
		.qname_len = 13,
	};

	memcpy(event.qname, "\7Example\3ORG", 13);
	return event;
}

static void expect(const char *format, const struct lane53_event *event,
		   const char *want)
{
	char line[QUERYLOG_ROOM];
	size_t len = querylog_format(line, sizeof(line), format, event);

	if (strcmp(line, want))
		printf("\n    %s\n    %s\n", line, want);
	CU_ASSERT_STRING_EQUAL(line, want);
	CU_ASSERT_EQUAL(len, strlen(want));
}

static void the_example(void)
{
	struct lane53_event event = example();

	expect(NULL, &event,
	       "[INFO] [::1]:50759 - 29008 \"A IN example.org. udp 41 false 4096\" "
	       "NOERROR qr,rd,ra,ad 68 0.037990251s");
	expect("{combined}", &event,
	       "[INFO] [::1]:50759 - 29008 \"A IN example.org. udp 41 false 4096\" "
	       "NOERROR qr,rd,ra,ad 68 0.037990251s \"0\"");
	expect("x {common}", &event,
	       "[INFO] x [::1]:50759 - 29008 \"A IN example.org. udp 41 false 4096\" "
	       "NOERROR qr,rd,ra,ad 68 0.037990251s");
}

static void placeholders(void)
{
	static const struct {
		const char *format, *want;
	} cases[] = {
		{ "{local}", "[INFO] 192.0.2.53" },
		{ "{remote}", "[INFO] [::1]" },
		{ "{type}{class}", "[INFO] AIN" },
		{ "plain", "[INFO] plain" },
		{ "", "[INFO] " },
		{ "{", "[INFO] {" },
		{ "{nosuch} }", "[INFO] {nosuch} }" },
		{ "{{name}}", "[INFO] {example.org.}" },
		{ "{/kubernetes/client}.", "[INFO] -." },
		{ "{/never", "[INFO] {/never" },
		{ "{>unknown}", "[INFO] {>unknown}" },
		{ "100%s%n", "[INFO] 100%s%n" },
	};
	struct lane53_event event = example();

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		expect(cases[i].format, &event, cases[i].want);
}

static void values(void)
{
	struct lane53_event event = example();

	event.proto = 6;
	event.edns_bytes = 1232;
	event.edns_do = 1;
	event.qtype = 65280;
	event.qclass = 7;
	event.duration_ns = 0;
	event.response_flags = FLAG_QR | FLAG_AA | FLAG_TC | FLAG_Z | FLAG_CD | 3;
	event.opcode = 4;
	expect("{proto} {>bufsize} {>do} {type} {class} {duration} {>rflags} {rcode} "
	       "{>opcode}",
	       &event,
	       "[INFO] tcp 65535 true TYPE65280 CLASS7 0s qr,aa,tc,z,cd NXDOMAIN 4");
	event = example();
	event.edns_bytes = 0;
	event.qtype = TYPE_HTTPS;
	event.qclass = CLASS_CH;
	event.duration_ns = 1500000000;
	event.response_flags = 0;
	event.qname_len = 1;
	event.qname[0] = 0;
	expect("{>bufsize} {type} {class} {duration} {>rflags} {name}", &event,
	       "[INFO] 512 HTTPS CH 1.5s - .");
	event.qtype = TYPE_ANY;
	event.duration_ns = 5000000000;
	event.response_flags = FLAG_QR | RCODE_SERVFAIL;
	event.qname_len = 0;
	expect("{type} {duration} {rcode} {name}", &event, "[INFO] ANY 5s SERVFAIL -");
}

/* A line stays one line, whatever the name holds. */
static void names_cannot_break_lines(void)
{
	struct lane53_event event = example();
	char line[QUERYLOG_ROOM];

	event.qname_len = 9;
	memcpy(event.qname, "\7a\n[INFO\0", 9);
	querylog_format(line, sizeof(line), "{name}", &event);
	CU_ASSERT_PTR_NULL(strchr(line, '\n'));
	CU_ASSERT_PTR_NOT_NULL(strstr(line, "\\010"));
}

static void long_lines_are_cut(void)
{
	struct lane53_event event = example();
	char line[20];

	CU_ASSERT_EQUAL(querylog_format(line, sizeof(line), NULL, &event), 19);
	CU_ASSERT_STRING_EQUAL(line, "[INFO] [::1]:50759 ");
}

static void classes(void)
{
	static const struct {
		uint16_t rcode;
		uint8_t nodata;
		unsigned want;
	} cases[] = {
		{ RCODE_NOERROR, 0, PLAN_LOG_SUCCESS },
		{ RCODE_NOERROR, 1, PLAN_LOG_DENIAL },
		{ RCODE_NXDOMAIN, 0, PLAN_LOG_DENIAL },
		{ RCODE_SERVFAIL, 0, PLAN_LOG_ERROR },
		{ RCODE_REFUSED, 0, PLAN_LOG_ERROR },
		{ RCODE_FORMERR, 0, PLAN_LOG_ERROR },
	};
	struct plan_name org = { 5, "\3org" }, net = { 5, "\3net" };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct lane53_event event = example();
		struct config_log rule = { .classes = cases[i].want };

		event.response_flags = FLAG_QR | cases[i].rcode;
		event.nodata = cases[i].nodata;
		CU_ASSERT_EQUAL(querylog_class(&event), cases[i].want);
		CU_ASSERT_TRUE(querylog_matches(&rule, &event));
		rule.classes = PLAN_LOG_ALL & ~cases[i].want;
		CU_ASSERT_FALSE(querylog_matches(&rule, &event));
		rule.classes = PLAN_LOG_ALL;
		rule.names = (struct plan_names){ &org, 1 };
		CU_ASSERT_TRUE(querylog_matches(&rule, &event));
		rule.names = (struct plan_names){ &net, 1 };
		CU_ASSERT_FALSE(querylog_matches(&rule, &event));
	}
}

static const struct check_case cases[] = {
	{ "the example", the_example },
	{ "placeholders", placeholders },
	{ "values", values },
	{ "names cannot break lines", names_cannot_break_lines },
	{ "long lines are cut", long_lines_are_cut },
	{ "classes", classes },
};

CHECK_MAIN("querylog", cases)
