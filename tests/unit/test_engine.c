/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_engine.c - local answers, and every rule of a response, through a memory port.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include "check.h"
#include "engine_kit.h"
#include "io/port_memory.h"
#include "lane53/abi.h"
#include "lane53/wire.h"
#include "store/store.h"

static struct kit kit;
static struct kit_plan kp;

struct row {
	const char *question, *options, *want;
};

static void run(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *got = kit_ask(&kit, rows[i].question, rows[i].options);

		if (strcmp(got, rows[i].want) != 0) {
			printf("\n  ask  %s [%s]\n  want %s\n  got  %s\n",
			       rows[i].question, rows[i].options ? rows[i].options : "",
			       rows[i].want, got);
			CU_FAIL("another answer");
		} else {
			CU_PASS();
		}
	}
}

/* clang-format off */
static const char *const zone_records[] = {
	"1 example.org. 3600 IN SOA ns1.example.org. admin.example.org. 7 7200 1800 86400 300",
	"1 example.org. 3600 IN NS ns1.example.org.",
	"1 ns1.example.org. 3600 IN A 192.0.2.53",
	"1 www.example.org. 60 IN A 192.0.2.1",
	"1 www.example.org. 60 IN A 192.0.2.2",
	"1 www.example.org. 120 IN AAAA 2001:db8::1",
	"1 alias.example.org. 30 IN CNAME www.example.org.",
	"1 alias2.example.org. 30 IN CNAME alias.example.org.",
	"1 out.example.org. 30 IN CNAME www.other.net.",
	"1 far.example.org. 30 IN CNAME www.nowhere.test.",
	"1 dangling.example.org. 30 IN CNAME none.example.org.",
	"1 loop-a.example.org. 30 IN CNAME loop-b.example.org.",
	"1 loop-b.example.org. 30 IN CNAME loop-a.example.org.",
	"1 *.wild.example.org. 60 IN A 192.0.2.9",
	"1 deep.ent.example.org. 60 IN TXT \"here\"",
	"1 sub.example.org. 600 IN NS ns.sub.example.org.",
	"1 ns.sub.example.org. 600 IN A 192.0.2.77",
	"1 old.example.org. 600 IN DNAME example.org.",
	"1 mail.example.org. 60 IN MX 10 www.example.org.",
	"1 _sip._udp.example.org. 60 IN SRV 1 2 5060 www.example.org.",
	"2 other.net. 3600 IN SOA ns1.other.net. admin.other.net. 1 7200 1800 86400 30",
	"2 www.other.net. 40 IN A 198.51.100.1",
	"3 host.lan. 3600 IN A 10.0.0.1",
	"3 v6.lan. 3600 IN AAAA fd00::6",
	"3 1.0.0.10.in-addr.arpa. 3600 IN PTR host.lan.",
	"3 *.apps.lan. 3600 IN A 10.0.0.80",
	"4 www.example.org. 99 IN A 203.0.113.1",
	"4 www.example.org. 99 IN TXT \"by hand\"",
	"4 new.example.org. 99 IN A 203.0.113.2",
	"4 hand.lan. 99 IN A 203.0.113.3",
	"4 toother.lan. 99 IN CNAME www.other.net.",
	NULL
};

#define SOA "example.org. 300 IN SOA ns1.example.org. admin.example.org. 7 7200 1800 86400 300"
/* clang-format on */

static void open_local(uint32_t manual)
{
	kit_plan_init(&kp);
	kp.view.manual = manual;
	kit_block(&kp, "example.org");
	kit_step(&kp, STEP_ZONE, 1, "example.org");
	kit_block(&kp, "other.net");
	kit_step(&kp, STEP_ZONE, 2, "other.net");
	kit_block(&kp, "lan");
	kit_step(&kp, STEP_HOSTS, 3, NULL);
	kit_block(&kp, "10.in-addr.arpa");
	kit_step(&kp, STEP_HOSTS, 3, NULL);
	kit_open(&kit, zone_records, &kp.plan, false);
}

static void zone_answers(void)
{
	static const struct row rows[] = {
		{ "www.example.org A", NULL,
		  "NOERROR aa | www.example.org. 60 IN A 192.0.2.1 ; www.example.org. "
		  "60 "
		  "IN A 192.0.2.2" },
		{ "WwW.eXample.ORG AAAA", NULL,
		  "NOERROR aa | WwW.eXample.ORG. 120 IN AAAA 2001:db8::1" },
		{ "www.example.org TXT", NULL, "NOERROR aa ns| " SOA },
		{ "none.example.org A", NULL, "NXDOMAIN aa ns| " SOA },
		{ "ent.example.org A", NULL, "NOERROR aa ns| " SOA },
		{ "example.org SOA", NULL,
		  "NOERROR aa | example.org. 3600 IN SOA ns1.example.org. "
		  "admin.example.org. 7 7200 1800 86400 300" },
		{ "example.org NS", NULL,
		  "NOERROR aa | example.org. 3600 IN NS ns1.example.org." },
		{ "any.wild.example.org A", NULL,
		  "NOERROR aa | any.wild.example.org. 60 IN A 192.0.2.9" },
		{ "any.wild.example.org AAAA", NULL, "NOERROR aa ns| " SOA },
		{ "mail.example.org MX", NULL,
		  "NOERROR aa | mail.example.org. 60 IN MX 10 www.example.org." },
		{ "_sip._udp.example.org SRV", NULL,
		  "NOERROR aa | _sip._udp.example.org. 60 IN SRV 1 2 5060 "
		  "www.example.org." },
		{ "www.example.org ANY", NULL,
		  "NOERROR aa | www.example.org. 60 IN A 192.0.2.1 ; www.example.org. "
		  "60 "
		  "IN A 192.0.2.2" },
		{ "none.example.org ANY", NULL, "NXDOMAIN aa ns| " SOA },
		{ "ent.example.org ANY", NULL, "NOERROR aa ns| " SOA },
		{ "a.sub.example.org A", NULL,
		  "NOERROR ns| sub.example.org. 600 IN NS ns.sub.example.org. ar| "
		  "ns.sub.example.org. 600 IN A 192.0.2.77" },
		{ "sub.example.org DS", NULL, "NOERROR aa ns| " SOA },
		{ "outside.test A", NULL, "REFUSED" },
		{ "org A", NULL, "REFUSED" },
		{ "www.example.org AXFR", NULL, "REFUSED" },
		{ "www.example.org IXFR", "tcp", "REFUSED" },
		{ "www.example.org A", "ch", "REFUSED" },
		{ "www.example.org A", "any", "REFUSED" },
		{ "www.example.org A", "view=9", "REFUSED" },
	};

	open_local(0);
	run(rows, ARRAY_LEN(rows));
	kit_close(&kit);
}

static void aliases(void)
{
	static const struct row rows[] = {
		{ "alias.example.org A", NULL,
		  "NOERROR aa | alias.example.org. 30 IN CNAME www.example.org. ; "
		  "www.example.org. 60 IN A 192.0.2.1 ; www.example.org. 60 IN A "
		  "192.0.2.2" },
		{ "alias.example.org CNAME", NULL,
		  "NOERROR aa | alias.example.org. 30 IN CNAME www.example.org." },
		{ "alias.example.org ANY", NULL,
		  "NOERROR aa | alias.example.org. 30 IN CNAME www.example.org." },
		{ "alias2.example.org AAAA", NULL,
		  "NOERROR aa | alias2.example.org. 30 IN CNAME alias.example.org. ; "
		  "alias.example.org. 30 IN CNAME www.example.org. ; www.example.org. "
		  "120 IN AAAA 2001:db8::1" },
		{ "alias.example.org TXT", NULL,
		  "NOERROR aa | alias.example.org. 30 IN CNAME www.example.org. "
		  "ns| " SOA },
		/* RFC 6604: the rcode of the end of the chain */
		{ "dangling.example.org A", NULL,
		  "NXDOMAIN aa | dangling.example.org. 30 IN CNAME none.example.org. "
		  "ns| " SOA },
		/* into another block of the view */
		{ "out.example.org A", NULL,
		  "NOERROR aa | out.example.org. 30 IN CNAME www.other.net. ; "
		  "www.other.net. 40 IN A 198.51.100.1" },
		/* to where nobody answers */
		{ "far.example.org A", NULL,
		  "NOERROR aa | far.example.org. 30 IN CNAME www.nowhere.test." },
		{ "www.old.example.org A", NULL,
		  "NOERROR aa | old.example.org. 600 IN DNAME example.org. ; "
		  "www.old.example.org. 600 IN CNAME www.example.org. ; "
		  "www.example.org. 60 IN A 192.0.2.1 ; www.example.org. 60 IN A "
		  "192.0.2.2" },
		{ "loop-a.example.org A", NULL, "SERVFAIL" },
	};

	open_local(0);
	run(rows, ARRAY_LEN(rows));
	kit_close(&kit);
}

/* Spec 4.14, `hosts`. */
static void hosts_answers(void)
{
	static const struct row rows[] = {
		{ "host.lan A", NULL, "NOERROR aa | host.lan. 3600 IN A 10.0.0.1" },
		{ "HOST.lan A", NULL, "NOERROR aa | HOST.lan. 3600 IN A 10.0.0.1" },
		{ "host.lan AAAA", NULL, "NOERROR aa" },
		{ "v6.lan A", NULL, "NOERROR aa" },
		{ "v6.lan AAAA", NULL, "NOERROR aa | v6.lan. 3600 IN AAAA fd00::6" },
		{ "host.lan TXT", NULL, "NOERROR aa" },
		{ "host.lan HTTPS", NULL, "NOERROR aa" },
		{ "none.lan A", NULL, "SERVFAIL" },
		{ "none.lan TXT", NULL, "SERVFAIL" },
		{ "x.apps.lan A", NULL,
		  "NOERROR aa | x.apps.lan. 3600 IN A 10.0.0.80" },
		{ "x.y.apps.lan A", NULL, "SERVFAIL" }, /* one label only */
		{ "apps.lan A", NULL, "SERVFAIL" },
		{ "1.0.0.10.in-addr.arpa PTR", NULL,
		  "NOERROR aa | 1.0.0.10.in-addr.arpa. 3600 IN PTR host.lan." },
		/* no entry: the next step, and there is none */
		{ "2.0.0.10.in-addr.arpa PTR", NULL, "SERVFAIL" },
		{ "1.0.0.10.in-addr.arpa A", NULL, "SERVFAIL" },
	};

	open_local(0);
	run(rows, ARRAY_LEN(rows));
	kit_close(&kit);
}

static void fallthrough(void)
{
	static const struct row rows[] = {
		{ "host.lan A", NULL, "NOERROR aa ra | host.lan. 3600 IN A 10.0.0.1" },
		{ "host.lan TXT", NULL, "NOERROR aa ra" }, /* known: never on */
		{ "none.lan A", NULL, "(later)" },
		{ "9.0.0.10.in-addr.arpa PTR", NULL, "(later)" },
		{ "www.example.org TXT", NULL, "NOERROR aa ra ns| " SOA },
		{ "none.example.org A", NULL, "(later)" },
		{ "a.none.wild.example.org A", NULL,
		  "NOERROR aa ra | a.none.wild.example.org. 60 IN A 192.0.2.9" },
	};
	struct plan_step *step;

	kit_plan_init(&kp);
	kit_block(&kp, ".");
	step = kit_step(&kp, STEP_HOSTS, 3, NULL);
	step->fallthrough.on = true;
	step = kit_step(&kp, STEP_ZONE, 1, "example.org");
	step->fallthrough.on = true;
	kit_forward(&kp, POLICY_SEQUENTIAL, 1);
	kit_open(&kit, zone_records, &kp.plan, false);
	run(rows, ARRAY_LEN(rows));
	CU_ASSERT_EQUAL(kit_open_count(&kit), 3);
	kit_close(&kit);

	/* Only for the zones named. */
	kp.steps[0][0].fallthrough.zones = kit_names(&kp, "elsewhere");
	kit_open(&kit, zone_records, &kp.plan, false);
	CU_ASSERT_STRING_EQUAL(kit_ask(&kit, "none.lan A", NULL), "SERVFAIL ra");
	CU_ASSERT_STRING_EQUAL(kit_ask(&kit, "none.elsewhere A", NULL), "(later)");
	kit_close(&kit);
}

/* A zone and one below it, in one block or two: the lower answers, but for its DS. */
static void nested_zones(void)
{
	static const char *const records[] = {
		"1 org. 60 IN SOA a. b. 1 2 3 4 60",
		"1 www.org. 60 IN A 192.0.2.1",
		"1 sub.org. 60 IN DS 1 8 2 "
		"0102030405060708091011121314151617181920212223242526272829303132",
		"1 sub.org. 60 IN NS ns.sub.org.",
		"2 sub.org. 60 IN SOA c. d. 1 2 3 4 60",
		"2 www.sub.org. 60 IN A 192.0.2.2",
		NULL,
	};
	static const struct row rows[] = {
		{ "www.org A", NULL, "NOERROR aa | www.org. 60 IN A 192.0.2.1" },
		{ "www.sub.org A", NULL,
		  "NOERROR aa | www.sub.org. 60 IN A 192.0.2.2" },
		{ "x.sub.org A", NULL,
		  "NXDOMAIN aa ns| sub.org. 60 IN SOA c. d. 1 2 3 4 60" },
		{ "sub.org SOA", NULL,
		  "NOERROR aa | sub.org. 60 IN SOA c. d. 1 2 3 4 60" },
		{ "sub.org DS", NULL,
		  "NOERROR aa | sub.org. 60 IN DS 1 8 2 "
		  "0102030405060708091011121314151617181920212223242526272829303132" },
		{ "org DS", NULL, "NOERROR aa ns| org. 60 IN SOA a. b. 1 2 3 4 60" },
	};

	for (int way = 0; way < 4; way++) {
		const bool swap = way & 1, apart = way & 2;

		kit_plan_init(&kp);
		kit_block(&kp, !apart ? "." : swap ? "sub.org" : "org");
		kit_step(&kp, STEP_ZONE, swap ? 2 : 1, swap ? "sub.org" : "org");
		if (apart)
			kit_block(&kp, swap ? "org" : "sub.org");
		kit_step(&kp, STEP_ZONE, swap ? 1 : 2, swap ? "org" : "sub.org");
		kit_open(&kit, records, &kp.plan, false);
		run(rows, ARRAY_LEN(rows));
		kit_close(&kit);
	}
}

/* Set by hand: wins at its name and type, and makes its name exist. */
static void manual_records(void)
{
	static const struct row rows[] = {
		{ "www.example.org A", NULL,
		  "NOERROR aa | www.example.org. 99 IN A 203.0.113.1" },
		{ "www.example.org TXT", NULL,
		  "NOERROR aa | www.example.org. 99 IN TXT \"by hand\"" },
		{ "www.example.org AAAA", NULL,
		  "NOERROR aa | www.example.org. 120 IN AAAA 2001:db8::1" },
		{ "alias.example.org A", NULL,
		  "NOERROR aa | alias.example.org. 30 IN CNAME www.example.org. ; "
		  "www.example.org. 99 IN A 203.0.113.1" },
		{ "new.example.org A", NULL,
		  "NOERROR aa | new.example.org. 99 IN A 203.0.113.2" },
		{ "new.example.org AAAA", NULL, "NOERROR aa ns| " SOA },
		{ "hand.lan A", NULL, "NOERROR aa | hand.lan. 99 IN A 203.0.113.3" },
		{ "hand.lan AAAA", NULL, "NOERROR aa" },
		{ "toother.lan A", NULL,
		  "NOERROR aa | toother.lan. 99 IN CNAME www.other.net. ; "
		  "www.other.net. 40 IN A 198.51.100.1" },
		{ "none.lan A", NULL, "SERVFAIL" },
	};
	static const char *const change[] = {
		"4 changed.example.org. 5 IN A 203.0.113.9",
		"-4 new.example.org. A",
		NULL,
	};

	open_local(4);
	run(rows, ARRAY_LEN(rows));
	kit_commit(&kit, change, NULL);
	CU_ASSERT_STRING_EQUAL(kit_ask(&kit, "changed.example.org A", NULL),
			       "NOERROR aa | changed.example.org. 5 IN A 203.0.113.9");
	CU_ASSERT_STRING_EQUAL(kit_ask(&kit, "new.example.org A", NULL),
			       "NXDOMAIN aa ns| " SOA);
	kit_close(&kit);
}

static void put_raw(const char *text, uint32_t source, uint16_t type,
		    const uint8_t *rdata, uint16_t len)
{
	static uint8_t layout[2 + 1024];
	struct plan_name owner = kit_name(text);
	struct rrset set = { .type = type, .ttl_s = 60, .count = 1, .rdata = layout };
	struct store_write *write;

	memcpy(layout, &len, 2);
	memcpy(layout + 2, rdata, len);
	set.rdata_bytes = 2u + len;
	CU_ASSERT_EQUAL_FATAL(store_write_begin(kit.store, &write), 0);
	CU_ASSERT_EQUAL(store_put(write, source, owner.wire, &set), 0);
	CU_ASSERT_EQUAL(store_write_commit(write), 0);
}

/* LMDB has no checksums (store/check.c): a name of the store may be none. */
static void damaged_names(void)
{
	uint8_t endless[1024];

	memset(endless, 1, sizeof(endless)); /* 512 labels and no end */
	open_local(4);
	put_raw("hurt.example.org", 4, TYPE_CNAME, endless, sizeof(endless));
	put_raw("hurt2.example.org", 1, TYPE_CNAME, endless, sizeof(endless));
	put_raw("cut.example.org", 1, TYPE_NS, endless, sizeof(endless));
	put_raw("dname.example.org", 1, TYPE_DNAME, endless, sizeof(endless));
	CU_ASSERT_STRING_EQUAL(kit_ask(&kit, "hurt.example.org A", NULL), "SERVFAIL");
	CU_ASSERT_STRING_EQUAL(kit_ask(&kit, "hurt2.example.org A", NULL),
			       "NOERROR aa ns| " SOA);
	CU_ASSERT_STRING_EQUAL(kit_ask(&kit, "www.cut.example.org A", NULL),
			       "SERVFAIL");
	kit_ask(&kit, "www.dname.example.org A", NULL);
	kit_close(&kit);
}

static void header_and_edns(void)
{
	static const struct row rows[] = {
		{ "host.lan A", "do",
		  "NOERROR aa opt=1232 do | host.lan. 3600 IN A 10.0.0.1" },
		{ "host.lan A", "edns=4096",
		  "NOERROR aa opt=1232 | host.lan. 3600 IN A 10.0.0.1" },
		{ "host.lan A", "edns=100",
		  "NOERROR aa opt=1232 | host.lan. 3600 IN A 10.0.0.1" },
		{ "host.lan A", "nord cd",
		  "NOERROR aa cd | host.lan. 3600 IN A 10.0.0.1" },
		{ "host.lan A", "ad", "NOERROR aa | host.lan. 3600 IN A 10.0.0.1" },
		{ "host.lan A", "edns1", "BADVERS opt=1232" },
		{ "none.test A", "do", "REFUSED opt=1232 do" },
		{ "host.lan A", "tcp", "NOERROR aa | host.lan. 3600 IN A 10.0.0.1" },
	};

	open_local(0);
	run(rows, ARRAY_LEN(rows));
	kit_close(&kit);
}

/* Spec 1.8 and DESIGN "Errors"; each row is a change to a good query. */
static void broken_queries(void)
{
	static const struct {
		const char *what;
		int off, value; /* -1: cut to `value` bytes */
		const char *want;
	} rows[] = {
		{ "QR=1", 2, 0x81, "(none)" },
		{ "QR=1 and cut", -1, 0, "(none)" },
		{ "11 bytes", -1, 11, "(none)" },
		{ "header only", -1, 12, "FORMERR header" },
		{ "QNAME cut", -1, 16, "FORMERR header" },
		{ "QTYPE cut", -1, 24, "FORMERR header" },
		{ "opcode IQUERY", 2, 0x09, "NOTIMPL header" },
		{ "opcode NOTIFY", 2, 0x21, "NOTIMPL header" },
		{ "opcode UPDATE", 2, 0x29, "NOTIMPL header" },
		{ "QDCOUNT 0", 5, 0, "FORMERR header" },
		{ "QDCOUNT 2", 5, 2, "FORMERR header" },
		{ "ANCOUNT 2", 7, 2, "FORMERR header" },
		{ "ARCOUNT 3", 11, 3, "FORMERR header" },
		{ "ARCOUNT 1 without", 11, 1, "FORMERR header" },
		{ "pointer to itself", 12, 0xC0, "FORMERR header" },
		{ "label of 64", 12, 64, "FORMERR header" },
		{ "TC, AA, Z set", 2, 0x07,
		  "NOERROR aa | host.lan. 3600 IN A 10.0.0.1" },
	};
	uint8_t message[600];

	open_local(0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t len = kit_query(&kit, message, "host.lan A", NULL);
		const char *got;

		if (rows[i].off >= 0)
			message[rows[i].off] = (uint8_t)rows[i].value;
		else
			len = (size_t)rows[i].value;
		got = kit_ask_raw(&kit, message, len);
		if (strcmp(got, rows[i].want) != 0) {
			printf("\n  %s: want %s, got %s\n", rows[i].what, rows[i].want,
			       got);
			CU_FAIL("another answer");
		}
	}
	CU_ASSERT_EQUAL(kit.stats->dropped, 3);
	kit_close(&kit);
}

/* The question comes back byte for byte, and the rest points at it. */
static void the_question_is_kept(void)
{
	uint8_t message[600];
	size_t len, got_len;
	const uint8_t *got;

	open_local(0);
	len = kit_query(&kit, message, "hOsT.LaN A", NULL);
	kit_ask_raw(&kit, message, len);
	got = kit_bytes(&got_len);
	CU_ASSERT_EQUAL(memcmp(got, message, 2), 0);
	CU_ASSERT_EQUAL(memcmp(got + 12, message + 12, len - 12), 0);
	CU_ASSERT_EQUAL(got_len, len + 16);
	CU_ASSERT_EQUAL(got[len], 0xC0);
	CU_ASSERT_EQUAL(got[len + 1], 0x0C);
	kit_close(&kit);
}

/* Answers that do not fit: TC with question and OPT only, whole over TCP. */
static void truncation(void)
{
	static char lines[64][64];
	const char *records[65];
	size_t len;

	for (unsigned i = 0; i < 64; i++) {
		snprintf(lines[i], sizeof(lines[i]), "5 many.lan. 60 IN A 10.1.%u.%u",
			 i, i);
		records[i] = lines[i];
	}
	records[64] = NULL;
	kit_plan_init(&kp);
	kit_block(&kp, "lan");
	kit_step(&kp, STEP_HOSTS, 5, NULL);
	kit_open(&kit, records, &kp.plan, false);

	CU_ASSERT_STRING_EQUAL(kit_ask(&kit, "many.lan A", NULL), "NOERROR aa tc");
	CU_ASSERT_STRING_EQUAL(kit_ask(&kit, "many.lan A", "edns=600"),
			       "NOERROR aa tc opt=1232");
	kit_ask(&kit, "many.lan A", "edns=4096");
	kit_bytes(&len);
	CU_ASSERT_EQUAL(len, 12 + 14 + 64 * 16 + 11); /* 1061 <= 1232 */
	kit_ask(&kit, "many.lan A", "tcp");
	kit_bytes(&len);
	CU_ASSERT_EQUAL(len, 12 + 14 + 64 * 16);
	kit_close(&kit);

	kp.plan.udp_payload = 1000;
	kit_open(&kit, records, &kp.plan, false);
	CU_ASSERT_STRING_EQUAL(kit_ask(&kit, "many.lan A", "edns=4096"),
			       "NOERROR aa tc opt=1232");
	kit_close(&kit);
}

/* Exactly the limit fits; one byte less does not. */
static void truncation_to_the_byte(void)
{
	/* Head 12, question 14, RR without RDATA 12, two strings: 520; OPT: 531. */
	const size_t whole = 520, strings = whole - 12 - 14 - 12 - 2;
	char x[251], y[256], txt[600];
	const char *const records[] = { txt, NULL };
	size_t len;

	memset(x, 'x', sizeof(x) - 1);
	memset(y, 'y', sizeof(y) - 1);
	x[250] = 0;
	y[strings - 250] = 0;
	snprintf(txt, sizeof(txt), "6 long.lan. 60 IN TXT \"%s\" \"%s\"", x, y);
	for (unsigned limit = 512; limit <= 540; limit++) {
		kit_plan_init(&kp);
		kp.view.manual = 6;
		kp.plan.udp_payload = (uint16_t)limit;
		kit_block(&kp, "lan");
		kit_open(&kit, records, &kp.plan, false);
		kit_ask(&kit, "long.lan TXT", "edns=4096");
		kit_bytes(&len);
		CU_ASSERT_EQUAL(len, limit >= 531 ? 531u : 12 + 14 + 11);
		/* without OPT the limit is 512 whatever is configured */
		kit_ask(&kit, "long.lan TXT", NULL);
		kit_bytes(&len);
		CU_ASSERT_EQUAL(len, 12u + 14);
		kit_ask(&kit, "long.lan TXT", "tcp");
		kit_bytes(&len);
		CU_ASSERT_EQUAL(len, whole);
		kit_close(&kit);
	}
}

static void chaos_whoami_loop(void)
{
	static const struct row rows[] = {
		{ "version.bind TXT", "ch",
		  "NOERROR aa | version.bind. 0 CH TXT \"lane53-1\"" },
		{ "VERSION.server TXT", "ch",
		  "NOERROR aa | VERSION.server. 0 CH TXT \"lane53-1\"" },
		{ "authors.bind TXT", "ch",
		  "NOERROR aa | authors.bind. 0 CH TXT \"Ada\" ; authors.bind. 0 CH "
		  "TXT "
		  "\"Grace\"" },
		{ "version.bind A", "ch", "REFUSED" },
		{ "other.bind TXT", "ch", "REFUSED" },
		{ "version.bind TXT", NULL,
		  "NOERROR aa ar| version.bind. 0 IN A 198.51.100.7 ; "
		  "_udp.version.bind. 0 IN SRV 0 0 40000 ." },
		{ "a.test A", "tcp do",
		  "NOERROR aa opt=1232 do ar| a.test. 0 IN A 198.51.100.7 ; "
		  "_tcp.a.test. "
		  "0 IN SRV 0 0 40000 ." },
		{ "a.test A", "any", "REFUSED" },
		{ "7.9.test HINFO", NULL,
		  "NOERROR aa ar| 7.9.test. 0 IN A 198.51.100.7 ; _udp.7.9.test. 0 IN "
		  "SRV 0 0 40000 ." },
	};
	struct plan_step *step;

	kit_plan_init(&kp);
	kit_block(&kp, ".");
	step = kit_step(&kp, STEP_CHAOS, 0, NULL);
	kp.texts[0] = "lane53-1";
	kp.texts[1] = "Ada";
	kp.texts[2] = "Grace";
	kp.texts[3] = "7.9.test.";
	step->texts = kp.texts;
	step->text_count = 3;
	step = kit_step(&kp, STEP_LOOP, 0, NULL);
	step->texts = &kp.texts[3];
	step->text_count = 1;
	kit_step(&kp, STEP_WHOAMI, 0, NULL);
	kit_open(&kit, NULL, &kp.plan, false);
	run(rows, ARRAY_LEN(rows));
	CU_ASSERT_EQUAL(kit.stats->loop_probes, 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(kit_ask(&kit, "hostname.bind TXT", "ch"),
				      "hostname.bind. 0 CH TXT \""));
	CU_ASSERT_PTR_NOT_NULL(
		strstr(kit_ask(&kit, "id.server TXT", "ch"), "id.server. 0 CH TXT \""));
	kit_close(&kit);
}

/* The daemon publishes this: it must be the same answer, and pure. */
static void answer_local_is_what_is_sent(void)
{
	static const char *const names[] = { "www.example.org", "alias.example.org",
					     "none.example.org", "out.example.org",
					     "far.example.org" };
	static uint8_t bytes[2][4096];

	open_local(0);
	CU_ASSERT_EQUAL(engine_batch_begin(kit.engine, kit.now_ns), 0);
	engine_batch_end(kit.engine);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct plan_name name = kit_name(names[i]);
		size_t len, question = 12u + name.len + 4;
		char ask[64];
		struct answer answer[2];
		struct store_read *read;
		const struct plan_block *block;
		const struct plan_zone *zone;
		uint8_t sname[255];

		CU_ASSERT_EQUAL(store_read_begin(kit.store, &read), 0);
		for (int n = 0; n < 2; n++) {
			answer[n] = (struct answer){ .bytes = bytes[n],
						     .room = sizeof(bytes[n]) };
			CU_ASSERT_EQUAL(engine_answer_local(engine_plan(kit.engine),
							    read, 1, name.wire, TYPE_A,
							    &answer[n], sname, &block,
							    &zone),
					ANSWER_DONE);
		}
		store_read_end(read);
		CU_ASSERT_EQUAL(answer[0].len, answer[1].len);
		CU_ASSERT_EQUAL(memcmp(bytes[0], bytes[1], answer[0].len), 0);
		CU_ASSERT_PTR_NOT_NULL(block);
		CU_ASSERT_EQUAL(zone->label, 1);
		snprintf(ask, sizeof(ask), "%s A", names[i]);
		kit_ask(&kit, ask, NULL);
		CU_ASSERT_EQUAL(
			memcmp(kit_bytes(&len) + question, bytes[0], answer[0].len), 0);
		CU_ASSERT_EQUAL(len, question + answer[0].len);
	}
	kit_close(&kit);
}

static void no_plan_and_new_plans(void)
{
	kit_open(&kit, zone_records, NULL, false);
	CU_ASSERT_STRING_EQUAL(kit_ask(&kit, "host.lan A", NULL), "SERVFAIL");
	CU_ASSERT_PTR_NULL(engine_plan(kit.engine));

	kit_plan_init(&kp);
	kit_block(&kp, "lan");
	kit_step(&kp, STEP_HOSTS, 3, NULL);
	kit_commit(&kit, NULL, &kp.plan);
	CU_ASSERT_STRING_EQUAL(kit_ask(&kit, "host.lan A", NULL),
			       "NOERROR aa | host.lan. 3600 IN A 10.0.0.1");
	kp.plan.generation = 2;
	kit_block(&kp, "example.org");
	kit_step(&kp, STEP_ZONE, 1, "example.org");
	kit_commit(&kit, NULL, &kp.plan);
	CU_ASSERT_STRING_EQUAL(kit_ask(&kit, "example.org NS", NULL),
			       "NOERROR aa | example.org. 3600 IN NS ns1.example.org.");
	CU_ASSERT_EQUAL(engine_plan(kit.engine)->generation, 2);
	kit_close(&kit);
}

static void counted_and_logged(void)
{
	open_local(0);
	kit_close(&kit);
	kp.blocks[2].log = PLAN_LOG_SUCCESS | PLAN_LOG_ERROR;
	kp.blocks[0].log = PLAN_LOG_DENIAL;
	kp.view.label = 9;
	kit_open(&kit, zone_records, &kp.plan, false);

	kit_ask(&kit, "Host.lan A", "do");
	CU_ASSERT_EQUAL(kit.events, 1);
	CU_ASSERT_EQUAL(kit.event->qtype, TYPE_A);
	CU_ASSERT_EQUAL(kit.event->label, 3);
	CU_ASSERT_EQUAL(kit.event->view, 1);
	CU_ASSERT_EQUAL(kit.event->qname_len, 10);
	CU_ASSERT_EQUAL(memcmp(kit.event->qname, "\4Host\3lan", 10), 0);
	CU_ASSERT_EQUAL(kit.event->edns_bytes, 1232);
	CU_ASSERT_EQUAL(kit.event->edns_do, 1);
	CU_ASSERT_EQUAL(kit.event->request_bytes, 12 + 14 + 11);
	CU_ASSERT_EQUAL(kit.event->response_bytes, 12 + 14 + 16 + 11);
	CU_ASSERT_EQUAL(kit.event->response_flags, FLAG_QR | FLAG_AA | FLAG_RD);
	CU_ASSERT_EQUAL(kit.event->remote_port_be, htons(40000));
	CU_ASSERT_EQUAL(kit.event->proto, 17);
	kit_ask(&kit, "none.lan A", NULL);
	CU_ASSERT_EQUAL(kit.events, 2);
	kit_ask(&kit, "www.example.org A", NULL); /* success is not logged there */
	CU_ASSERT_EQUAL(kit.events, 2);
	kit_ask(&kit, "www.example.org TXT", NULL);
	CU_ASSERT_EQUAL(kit.event->nodata, 1);
	kit_ask(&kit, "none.example.org TXT", NULL);
	CU_ASSERT_EQUAL(kit.event->nodata, 0);
	CU_ASSERT_EQUAL(kit.events, 4);
	kit_ask(&kit, "a.sub.example.org A", NULL); /* a referral is no denial */
	CU_ASSERT_EQUAL(kit.events, 4);
	kit_ask(&kit, "not.served A", "tcp");

	CU_ASSERT_EQUAL(kit.stats->queries, 7);
	CU_ASSERT_EQUAL(kit.stats->responses, 7);
	CU_ASSERT_EQUAL(kit.stats->refused, 1);
	CU_ASSERT_EQUAL(kit.stats->servfail, 1);
	CU_ASSERT_EQUAL(kit.stats->label[3].requests[0][0][lane53_type_class(TYPE_A)],
			2);
	CU_ASSERT_EQUAL(kit.stats->label[3].responses[LANE53_BY_HOSTS][RCODE_NOERROR],
			1);
	CU_ASSERT_EQUAL(kit.stats->label[3].responses[LANE53_BY_NONE][RCODE_SERVFAIL],
			1);
	CU_ASSERT_EQUAL(kit.stats->label[3].do_requests, 1);
	CU_ASSERT_EQUAL(kit.stats->label[1].responses[LANE53_BY_FILE][RCODE_NXDOMAIN],
			1);
	/* what met no block of the view */
	CU_ASSERT_EQUAL(kit.stats->label[9].requests[1][0][lane53_type_class(TYPE_A)],
			1);
	CU_ASSERT_EQUAL(kit.stats->label[9].responses[LANE53_BY_NONE][RCODE_REFUSED],
			1);
	kit_close(&kit);

	/* `errors` without `log`: failures only */
	kp.blocks[2].log = 0;
	kp.blocks[2].errors = true;
	kit_open(&kit, zone_records, &kp.plan, false);
	kit_ask(&kit, "host.lan A", NULL);
	CU_ASSERT_EQUAL(kit.events, 0);
	kit_ask(&kit, "none.lan A", NULL);
	CU_ASSERT_EQUAL(kit.events, 1);
	kit_close(&kit);
}

static void put_plan(const char *text)
{
	struct store_write *write;

	CU_ASSERT_EQUAL_FATAL(store_write_begin(kit.store, &write), 0);
	CU_ASSERT_EQUAL(store_meta_put(write, PLAN_KEY, text, strlen(text)), 0);
	CU_ASSERT_EQUAL(store_write_commit(write), 0);
}

static int batch_error(void)
{
	int r = engine_batch_begin(kit.engine, kit.now_ns);

	engine_batch_end(kit.engine);
	return r;
}

/* Whoever asks by `wake` may not be who saw the commit first. */
static void a_bad_plan_is_told(void)
{
	static const char *const change[] = { "3 more.lan. 60 IN A 10.0.0.2", NULL };

	open_local(0);
	put_plan("{\"format\":99}");
	CU_ASSERT_EQUAL(batch_error(), -EPROTO);
	CU_ASSERT_EQUAL(batch_error(), -EPROTO);
	kit_commit(&kit, change, NULL); /* other records, the same plan */
	CU_ASSERT_EQUAL(batch_error(), -EPROTO);
	kp.plan.generation++;
	kit_commit(&kit, NULL, &kp.plan);
	CU_ASSERT_EQUAL(batch_error(), 0);
	CU_ASSERT_EQUAL(batch_error(), 0);
	kit_close(&kit);
}

static const struct check_case cases[] = {
	{ "zone answers", zone_answers },
	{ "aliases", aliases },
	{ "hosts answers", hosts_answers },
	{ "fallthrough", fallthrough },
	{ "nested zones", nested_zones },
	{ "manual records", manual_records },
	{ "damaged names", damaged_names },
	{ "header and EDNS", header_and_edns },
	{ "broken queries", broken_queries },
	{ "the question is kept", the_question_is_kept },
	{ "truncation", truncation },
	{ "truncation to the byte", truncation_to_the_byte },
	{ "CHAOS, whoami, loop", chaos_whoami_loop },
	{ "answer_local is what is sent", answer_local_is_what_is_sent },
	{ "no plan, and new plans", no_plan_and_new_plans },
	{ "a bad plan is told until it is mended", a_bad_plan_is_told },
	{ "counted and logged", counted_and_logged },
};

CHECK_MAIN("engine", cases)
