/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_forward.c - upstreams that answer, lie, are slow or silent, and what clients see.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "cache/answer.h"
#include "cache/cache.h"
#include "check.h"
#include "engine_kit.h"
#include "lane53/abi.h"
#include "lane53/wire.h"

static struct kit kit;
static struct kit_plan kp;

#define SEEN(got, want) seen(__LINE__, got, want)

static void seen(int line, const char *got, const char *want)
{
	if (strcmp(got, want) == 0) {
		CU_PASS();
		return;
	}
	printf("\n  line %d\n  want %s\n  got  %s\n", line, want, got);
	CU_FAIL("another answer");
}

/* "." forwards to @count upstreams, with a cache. */
static struct plan_forward *plan(enum plan_policy policy, unsigned count)
{
	struct plan_forward *forward;

	kit_plan_init(&kp);
	kit_block(&kp, ".");
	forward = kit_forward(&kp, policy, count);
	kit_cache(&kp);
	return forward;
}

static void start(enum plan_policy policy, unsigned count)
{
	plan(policy, count);
	kit_open(&kit, NULL, &kp.plan, false);
}

#define WWW     "www.example.org. 300 IN A 192.0.2.80"
#define GOOD    "NOERROR | " WWW
#define SOA_300 "example.org. 3600 IN SOA ns.example.org. a.example.org. 1 2 3 4 300"
#define SHOWN   "example.org. 300 IN SOA ns.example.org. a.example.org. 1 2 3 4 300"

static void there_and_back(void)
{
	const struct kit_sent *sent;

	start(POLICY_SEQUENTIAL, 1);
	SEEN(kit_ask(&kit, "WWW.Example.ORG A", "edns=4096"), "(later)");
	CU_ASSERT_EQUAL(kit_open_count(&kit), 1);
	sent = kit_sent(&kit, -1);
	CU_ASSERT_EQUAL(sent->tcp, false);
	CU_ASSERT_EQUAL(sent->upstream->remote.addr[15], 1);
	CU_ASSERT_EQUAL(sent->len, 12 + 17 + 4 + 11);
	CU_ASSERT_EQUAL(sent->query[2], FLAG_RD >> 8);
	CU_ASSERT_EQUAL(sent->query[3], FLAG_AD);
	CU_ASSERT_EQUAL(memcmp(sent->query + 12,
			       "\3www\7example\3org\0\0\1\0\1"
			       "\0\0\51\4\320\0\0\0\0\0\0",
			       32),
			0);
	kit_respond(&kit, kit_sent(&kit, -1), GOOD " | example.org. 9 IN NS a.test.");
	SEEN(kit_later(&kit),
	     "NOERROR ra opt=1232 | WWW.Example.ORG. 300 IN A 192.0.2.80");
	SEEN(kit_later(&kit), "(none)");

	/* The second time: from the cache, aged, in this client's case, still AA=0. */
	kit_pass(&kit, 100 * 1000);
	SEEN(kit_ask(&kit, "wwW.example.org A", NULL),
	     "NOERROR ra | wwW.example.org. 200 IN A 192.0.2.80");
	kit_pass(&kit, 199 * 1000);
	SEEN(kit_ask(&kit, "www.example.org A", NULL),
	     "NOERROR ra | www.example.org. 1 IN A 192.0.2.80");
	kit_pass(&kit, 1000);
	SEEN(kit_ask(&kit, "www.example.org A", NULL), "(later)");
	CU_ASSERT_EQUAL(kit.sent_count, 2);
	CU_ASSERT_EQUAL(kit.stats->label[1].cache_hits_success, 2);
	CU_ASSERT_EQUAL(kit.stats->label[1].cache_requests, 4);
	kit_close(&kit);
}

/* What each upstream response becomes: at once, and when asked again 2 s later. */
static void what_is_cached_and_how(void)
{
	static const struct {
		const char *question, *response, *first,
			*second; /* NULL: asked again */
	} rows[] = {
		{ "a.example.org A", "NOERROR | a.example.org. 60 IN A 192.0.2.1",
		  "NOERROR ra | a.example.org. 60 IN A 192.0.2.1",
		  "NOERROR ra | a.example.org. 58 IN A 192.0.2.1" },
		{ "each.example.org A",
		  "NOERROR | each.example.org. 60 IN CNAME b.test. ; b.test. 7 IN A "
		  "192.0.2.1",
		  "NOERROR ra | each.example.org. 60 IN CNAME b.test. ; b.test. 7 IN A "
		  "192.0.2.1",
		  "NOERROR ra | each.example.org. 58 IN CNAME b.test. ; b.test. 5 IN A "
		  "192.0.2.1" },
		{ "short.example.org A",
		  "NOERROR | short.example.org. 1 IN A 192.0.2.1",
		  "NOERROR ra | short.example.org. 5 IN A 192.0.2.1",
		  "NOERROR ra | short.example.org. 3 IN A 192.0.2.1" },
		{ "long.example.org A",
		  "NOERROR | long.example.org. 9999 IN A 192.0.2.1",
		  "NOERROR ra | long.example.org. 3600 IN A 192.0.2.1",
		  "NOERROR ra | long.example.org. 3598 IN A 192.0.2.1" },
		{ "zero.example.org A", "NOERROR | zero.example.org. 0 IN A 192.0.2.1",
		  "NOERROR ra | zero.example.org. 0 IN A 192.0.2.1", NULL },
		{ "half.example.org A",
		  "NOERROR | half.example.org. 60 IN CNAME b.test. ; b.test. 0 IN A "
		  "192.0.2.1",
		  "NOERROR ra | half.example.org. 60 IN CNAME b.test. ; b.test. 0 IN A "
		  "192.0.2.1",
		  NULL },
		{ "nx.example.org A", "NXDOMAIN | | " SOA_300, "NXDOMAIN ra ns| " SHOWN,
		  "NXDOMAIN ra ns| example.org. 298 IN SOA ns.example.org. "
		  "a.example.org. 1 2 3 4 300" },
		{ "nodata.example.org AAAA", "NOERROR | | " SOA_300,
		  "NOERROR ra ns| " SHOWN,
		  "NOERROR ra ns| example.org. 298 IN SOA ns.example.org. "
		  "a.example.org. 1 2 3 4 300" },
		{ "nxcname.example.org A",
		  "NXDOMAIN | nxcname.example.org. 60 IN CNAME gone.example.org. "
		  "| " SOA_300,
		  "NXDOMAIN ra | nxcname.example.org. 60 IN CNAME gone.example.org. "
		  "ns| " SHOWN,
		  "NXDOMAIN ra | nxcname.example.org. 58 IN CNAME gone.example.org. "
		  "ns| example.org. 298 IN SOA ns.example.org. a.example.org. 1 2 3 4 "
		  "300" },
		{ "minsoa.example.org A",
		  "NXDOMAIN | | example.org. 2 IN SOA ns.example.org. a.example.org. 1 "
		  "2 "
		  "3 4 300",
		  "NXDOMAIN ra ns| example.org. 5 IN SOA ns.example.org. "
		  "a.example.org. "
		  "1 2 3 4 300",
		  "NXDOMAIN ra ns| example.org. 3 IN SOA ns.example.org. "
		  "a.example.org. "
		  "1 2 3 4 300" },
		{ "maxsoa.example.org A",
		  "NXDOMAIN | | example.org. 86400 IN SOA ns.example.org. "
		  "a.example.org. "
		  "1 2 3 4 86400",
		  "NXDOMAIN ra ns| example.org. 1800 IN SOA ns.example.org. "
		  "a.example.org. 1 2 3 4 86400",
		  "NXDOMAIN ra ns| example.org. 1798 IN SOA ns.example.org. "
		  "a.example.org. 1 2 3 4 86400" },
		{ "zerosoa.example.org A",
		  "NXDOMAIN | | example.org. 3600 IN SOA ns.example.org. "
		  "a.example.org. "
		  "1 2 3 4 0",
		  "NXDOMAIN ra ns| example.org. 0 IN SOA ns.example.org. "
		  "a.example.org. "
		  "1 2 3 4 0",
		  NULL },
		{ "nosoa.example.org A", "NXDOMAIN", "NXDOMAIN ra", NULL },
		{ "empty.example.org A", "NOERROR", "NOERROR ra", NULL },
		{ "cnameonly.example.org A",
		  "NOERROR | cnameonly.example.org. 60 IN CNAME b.test.",
		  "NOERROR ra | cnameonly.example.org. 60 IN CNAME b.test.", NULL },
		{ "cname.example.org CNAME",
		  "NOERROR | cname.example.org. 60 IN CNAME b.test.",
		  "NOERROR ra | cname.example.org. 60 IN CNAME b.test.",
		  "NOERROR ra | cname.example.org. 58 IN CNAME b.test." },
		{ "fail.example.org A", "SERVFAIL", "SERVFAIL ra", "SERVFAIL ra" },
		{ "refused.example.org A", "REFUSED", "REFUSED ra", NULL },
		{ "notimp.example.org A", "NOTIMPL", "NOTIMPL ra", NULL },
		{ "formerr.example.org A", "FORMERR", "FORMERR ra", NULL },
		{ "meta.example.org TYPE130", "NOERROR | | " SOA_300,
		  "NOERROR ra ns| " SHOWN, NULL },
		{ "mx.example.org MX",
		  "NOERROR | mx.example.org. 60 IN MX 5 mail.mx.example.org. | "
		  "mx.example.org. "
		  "60 IN NS ns.example.org.",
		  "NOERROR ra | mx.example.org. 60 IN MX 5 mail.mx.example.org.",
		  "NOERROR ra | mx.example.org. 58 IN MX 5 mail.mx.example.org." },
	};

	start(POLICY_SEQUENTIAL, 1);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		SEEN(kit_ask(&kit, rows[i].question, NULL), "(later)");
		kit_respond(&kit, kit_sent(&kit, -1), rows[i].response);
		SEEN(kit_later(&kit), rows[i].first);
		kit_pass(&kit, 2000);
		if (rows[i].second) {
			SEEN(kit_ask(&kit, rows[i].question, NULL), rows[i].second);
			continue;
		}
		SEEN(kit_ask(&kit, rows[i].question, NULL), "(later)");
		kit_respond(&kit, kit_sent(&kit, -1), rows[i].response);
		SEEN(kit_later(&kit), rows[i].first);
	}
	/* A failure is remembered for failure_s only. */
	kit_ask(&kit, "fail.example.org A", NULL);
	kit_respond(&kit, kit_sent(&kit, -1), "SERVFAIL");
	SEEN(kit_later(&kit), "SERVFAIL ra");
	kit_pass(&kit, 4000);
	SEEN(kit_ask(&kit, "fail.example.org A", NULL), "SERVFAIL ra");
	kit_pass(&kit, 1000);
	SEEN(kit_ask(&kit, "fail.example.org A", NULL), "(later)");
	kit_close(&kit);
}

static void cache_directive(void)
{
	static const struct {
		const char *what;
		bool on, no_success, no_denial;
		const char *zone, *denial_zone; /* NULL: all */
		bool success_kept, denial_kept;
	} rows[] = {
		{ "on", true, false, false, NULL, NULL, true, true },
		{ "off", false, false, false, NULL, NULL, false, false },
		{ "no success", true, true, false, NULL, NULL, false, true },
		{ "no denial", true, false, true, NULL, NULL, true, false },
		{ "no denial here", true, false, true, NULL, "example.org", true,
		  false },
		{ "no denial there", true, false, true, NULL, "other", true, true },
		{ "for this zone", true, false, false, "example.org", NULL, true,
		  true },
		{ "for another", true, false, false, "other", NULL, false, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct plan_cache *cache;

		plan(POLICY_SEQUENTIAL, 1);
		cache = &kp.blocks[0].cache;
		cache->on = rows[i].on;
		cache->zones = kit_names(&kp, rows[i].zone);
		cache->disable_success = rows[i].no_success;
		cache->disable_denial = rows[i].no_denial;
		cache->disable_denial_zones = kit_names(&kp, rows[i].denial_zone);
		kit_open(&kit, NULL, &kp.plan, false);
		kit_ask(&kit, "www.example.org A", NULL);
		kit_respond(&kit, kit_sent(&kit, -1), GOOD);
		kit_ask(&kit, "nx.example.org A", NULL);
		kit_respond(&kit, kit_sent(&kit, -1), "NXDOMAIN | | " SOA_300);
		kit_ask(&kit, "www.example.org A", NULL);
		if (kit_open_count(&kit) != !rows[i].success_kept)
			CU_FAIL(rows[i].what);
		kit_ask(&kit, "nx.example.org A", NULL);
		if (kit_open_count(&kit) !=
		    (unsigned)!rows[i].success_kept + !rows[i].denial_kept)
			CU_FAIL(rows[i].what);
		kit_close(&kit);
	}
}

/* However many clients wait, one question goes up; each gets its own response. */
static void coalescing(void)
{
	uint8_t message[600];
	size_t len;

	start(POLICY_SEQUENTIAL, 2);
	SEEN(kit_ask(&kit, "www.example.org A", NULL), "(later)");
	SEEN(kit_ask(&kit, "WWW.example.org A", "edns=1400"), "(later)");
	len = kit_query(&kit, message, "www.EXAMPLE.org A", "ad");
	SEEN(kit_ask_raw(&kit, message, len), "(later)");
	for (int i = 0; i < 20; i++)
		kit_ask(&kit, "www.example.org A", "tcp");
	CU_ASSERT_EQUAL(kit_open_count(&kit), 1);
	CU_ASSERT_EQUAL(kit.stats->coalesced, 22);
	CU_ASSERT_EQUAL(kit.stats->waiting, 23);

	/* Not the same question. */
	kit_ask(&kit, "www.example.org A", "do");
	kit_ask(&kit, "www.example.org A", "cd");
	kit_ask(&kit, "www.example.org A", "nord");
	kit_ask(&kit, "www.example.org AAAA", NULL);
	kit_ask(&kit, "ww.example.org A", NULL);
	kit_ask(&kit, "www.example.org A", "any");
	CU_ASSERT_EQUAL(kit_open_count(&kit), 7);
	CU_ASSERT_EQUAL(kit_sent(&kit, 1)->query[12 + 17 + 4 + 7], 0x80); /* DO */
	CU_ASSERT_EQUAL(kit_sent(&kit, 2)->query[3], FLAG_AD | FLAG_CD);
	CU_ASSERT_EQUAL(kit_sent(&kit, 3)->query[2], 0); /* RD=0 goes up as it came */

	kit_respond(&kit, kit_sent(&kit, 0), "NOERROR ad | " WWW);
	SEEN(kit_later(&kit), "NOERROR ra | " WWW);
	SEEN(kit_later(&kit),
	     "NOERROR ra opt=1232 | WWW.example.org. 300 IN A 192.0.2.80");
	SEEN(kit_later(&kit), "NOERROR ra ad | www.EXAMPLE.org. 300 IN A 192.0.2.80");
	CU_ASSERT_EQUAL(memcmp(kit_bytes(&len), message, 2), 0); /* its own ID */
	for (int i = 0; i < 20; i++)
		SEEN(kit_later(&kit), "NOERROR ra | " WWW);
	SEEN(kit_later(&kit), "(none)");
	CU_ASSERT_EQUAL(kit.stats->waiting, 6);
	kit_close(&kit);
}

static void without_rd_nothing_is_cached(void)
{
	start(POLICY_SEQUENTIAL, 1);
	kit_ask(&kit, "www.example.org A", NULL);
	kit_respond(&kit, kit_sent(&kit, -1), GOOD);
	SEEN(kit_later(&kit), "NOERROR ra | " WWW);
	for (int i = 0; i < 2; i++) {
		SEEN(kit_ask(&kit, "www.example.org A", "nord"), "(later)");
		kit_respond(&kit, kit_sent(&kit, -1),
			    "NOERROR | | example.org. 60 IN NS ns.test.");
		SEEN(kit_later(&kit), "NOERROR ra ns| example.org. 60 IN NS ns.test.");
	}
	SEEN(kit_ask(&kit, "www.example.org A", NULL), "NOERROR ra | " WWW);
	kit_close(&kit);
}

static void dnssec_records_with_do_only(void)
{
#define SIG                                                                        \
	"www.example.org. 300 IN RRSIG A 8 3 300 20300101000000 20200101000000 1 " \
	"example.org. AAAA"
	start(POLICY_SEQUENTIAL, 1);
	kit_ask(&kit, "www.example.org A", "do");
	kit_respond(&kit, kit_sent(&kit, -1), "NOERROR ad | " WWW ";" SIG);
	SEEN(kit_later(&kit), "NOERROR ra ad opt=1232 do | " WWW " ; " SIG);
	SEEN(kit_ask(&kit, "www.example.org A", "do"),
	     "NOERROR ra ad opt=1232 do | " WWW " ; " SIG);
	kit_ask(&kit, "www.example.org A", NULL);
	kit_respond(&kit, kit_sent(&kit, -1), "NOERROR ad | " WWW ";" SIG);
	SEEN(kit_later(&kit), "NOERROR ra | " WWW);
	SEEN(kit_ask(&kit, "www.example.org A", "ad"), "NOERROR ra ad | " WWW);
	kit_ask(&kit, "nx.example.org A", "do");
	kit_respond(&kit, kit_sent(&kit, -1),
		    "NXDOMAIN | | " SOA_300
		    "; example.org. 300 IN NSEC a.example.org. A");
	SEEN(kit_later(&kit), "NXDOMAIN ra opt=1232 do ns| " SHOWN
			      " ; example.org. 300 IN NSEC a.example.org. A ");
	kit_close(&kit);
}

static void truncated_goes_over_tcp(void)
{
	start(POLICY_SEQUENTIAL, 2);
	kit_ask(&kit, "www.example.org A", "tcp");
	CU_ASSERT_FALSE(kit_sent(&kit, -1)->tcp); /* UDP first, whatever the client */
	kit_respond(&kit, kit_sent(&kit, -1), "NOERROR tc");
	CU_ASSERT_EQUAL(kit.sent_count, 2);
	CU_ASSERT_TRUE(kit_sent(&kit, -1)->tcp);
	CU_ASSERT_EQUAL(kit_sent(&kit, -1)->upstream->remote.addr[15], 1);
	kit_respond(&kit, kit_sent(&kit, -1), GOOD);
	SEEN(kit_later(&kit), "NOERROR ra | " WWW);
	CU_ASSERT_EQUAL(kit.stats->upstream[0].tcp_retries, 1);
	CU_ASSERT_EQUAL(kit.stats->upstream[0].asked_by[STATS_FORWARD][0], 1);
	CU_ASSERT_EQUAL(kit.stats->upstream[0].asked_by[STATS_FORWARD][1], 1);
	CU_ASSERT_EQUAL(
		kit.stats->upstream[0].duration[STATS_FORWARD][RCODE_NOERROR][0], 2);

	/* TC over TCP is no answer at all: the next upstream. */
	kit_ask(&kit, "b.example.org A", NULL);
	kit_respond(&kit, kit_sent(&kit, -1), "NOERROR tc");
	kit_respond(&kit, kit_sent(&kit, -1), "NOERROR tc");
	CU_ASSERT_EQUAL(kit_sent(&kit, -1)->upstream->remote.addr[15], 2);
	CU_ASSERT_FALSE(kit_sent(&kit, -1)->tcp);
	kit_close(&kit);

	plan(POLICY_SEQUENTIAL, 1)->force_tcp = true;
	kit_open(&kit, NULL, &kp.plan, false);
	kit_ask(&kit, "www.example.org A", NULL);
	CU_ASSERT_TRUE(kit_sent(&kit, -1)->tcp);
	kit_close(&kit);

	/* Asked again after a failure, and not because of a TC. */
	plan(POLICY_PARALLEL, 1)->force_tcp = true;
	kit_open(&kit, NULL, &kp.plan, false);
	kit_ask(&kit, "www.example.org A", NULL);
	kit_fail(&kit, kit_sent(&kit, -1), -ECONNREFUSED);
	kit_pass(&kit, 200);
	CU_ASSERT_EQUAL(kit.sent_count, 2);
	CU_ASSERT_EQUAL(kit.stats->upstream[0].tcp_retries, 0);
	CU_ASSERT_EQUAL(kit.stats->upstream[0].asked_by[STATS_FANOUT][1], 2);
	kit_close(&kit);

	plan(POLICY_SEQUENTIAL, 1)->upstreams[0].proto = PLAN_TCP;
	kit_open(&kit, NULL, &kp.plan, false);
	kit_ask(&kit, "www.example.org A", NULL);
	CU_ASSERT_TRUE(kit_sent(&kit, -1)->tcp);
	kit_close(&kit);
}

static void without_edns_if_need_be(void)
{
	start(POLICY_SEQUENTIAL, 1);
	kit_ask(&kit, "www.example.org A", "do");
	kit_respond(&kit, kit_sent(&kit, -1), "FORMERR noedns");
	CU_ASSERT_EQUAL(kit.sent_count, 2);
	CU_ASSERT_EQUAL(kit_sent(&kit, -1)->len, 12 + 17 + 4);
	CU_ASSERT_EQUAL(kit_sent(&kit, -1)->query[11], 0);
	kit_respond(&kit, kit_sent(&kit, -1), "NOERROR noedns | " WWW);
	SEEN(kit_later(&kit), "NOERROR ra opt=1232 do | " WWW);
	kit_close(&kit);
}

/* Responses that fit no question of ours never reach a client. */
static void forged_and_broken_responses(void)
{
	static const struct {
		const char *what;
		int off, value; /* -1: cut */
		bool mismatched;
	} rows[] = {
		{ "QR=0", 2, 0x01, true },
		{ "opcode", 2, 0x91, true },
		{ "another name", 13, 'x', true },
		{ "another type", 12 + 17 + 1, 28, true },
		{ "another class", 12 + 17 + 3, 3, true },
		{ "no question", 5, 0, true },
		{ "two questions", 5, 2, false },
		{ "answer missing", 7, 9, false },
		{ "empty", -1, 0, true },
		{ "cut header", -1, 11, true },
		{ "cut in the question", -1, 20, false },
		{ "cut in the answer", -1, 40, false },
		{ "pointer loop", 12 + 17 + 4, 0xC0, false },
	};
	uint8_t message[600];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t len;

		start(POLICY_SEQUENTIAL, 2);
		kit_ask(&kit, "www.example.org A", NULL);
		len = kit_response(kit_sent(&kit, -1), GOOD, message);
		if (rows[i].off >= 0)
			message[rows[i].off] = (uint8_t)rows[i].value;
		else
			len = (size_t)rows[i].value;
		if (rows[i].value == 0xC0)
			message[rows[i].off + 1] = (uint8_t)rows[i].off;
		kit_respond_raw(&kit, kit_sent(&kit, -1), message, len);
		if (kit.stats->upstream_mismatched != rows[i].mismatched)
			CU_FAIL(rows[i].what);
		/* and the next upstream is asked */
		SEEN(kit_later(&kit), "(none)");
		CU_ASSERT_EQUAL(kit_sent(&kit, -1)->upstream->remote.addr[15], 2);
		kit_respond(&kit, kit_sent(&kit, -1), GOOD);
		SEEN(kit_later(&kit), "NOERROR ra | " WWW);
		kit_close(&kit);
	}
}

static void silence_and_retries(void)
{
	start(POLICY_SEQUENTIAL, 3);
	kit_ask(&kit, "www.example.org A", NULL);
	kit_pass(&kit, 1999);
	CU_ASSERT_EQUAL(kit.sent_count, 1);
	kit_pass(&kit, 1);
	CU_ASSERT_EQUAL(kit.sent_count, 2);
	CU_ASSERT_FALSE(kit_sent(&kit, 0)->open); /* cancelled: late is never */
	kit_fail(&kit, kit_sent(&kit, 1), -ECONNREFUSED);
	CU_ASSERT_EQUAL(kit_sent(&kit, -1)->upstream->remote.addr[15], 3);
	kit_pass(&kit, 2000);
	/* All were tried once: the first again. */
	CU_ASSERT_EQUAL(kit_sent(&kit, -1)->upstream->remote.addr[15], 1);
	CU_ASSERT_TRUE(kit_sent(&kit, -1)->open);
	SEEN(kit_later(&kit), "(none)");
	kit_pass(&kit, 999);
	SEEN(kit_later(&kit), "(none)");
	kit_pass(&kit, 1); /* the whole query's 5 s are over */
	SEEN(kit_later(&kit), "SERVFAIL ra");
	CU_ASSERT_FALSE(kit_sent(&kit, 3)->open);
	/* RFC 9520: known for a while. */
	SEEN(kit_ask(&kit, "www.example.org A", NULL), "SERVFAIL ra");
	kit_pass(&kit, 5000);
	SEEN(kit_ask(&kit, "www.example.org A", NULL), "(later)");
	CU_ASSERT_EQUAL(kit.stats->upstream[0].timeouts +
				kit.stats->upstream[1].timeouts +
				kit.stats->upstream[2].timeouts,
			2);
	kit_close(&kit);

	/* Attempts run out before the time does. */
	start(POLICY_SEQUENTIAL, 2);
	kit_ask(&kit, "www.example.org A", NULL);
	for (int i = 0; i < 4; i++) {
		SEEN(kit_later(&kit), "(none)");
		kit_fail(&kit, kit_sent(&kit, -1), -ECONNREFUSED);
	}
	SEEN(kit_later(&kit), "SERVFAIL ra");
	CU_ASSERT_EQUAL(kit_open_count(&kit), 0);
	kit_close(&kit);

	/* Nothing can even be sent. */
	start(POLICY_SEQUENTIAL, 2);
	kit.refuse_all = true;
	SEEN(kit_ask(&kit, "www.example.org A", NULL), "(later)");
	SEEN(kit_later(&kit), "SERVFAIL ra");
	kit_close(&kit);
}

static bool first_upstream(void *context, const struct engine_upstream *upstream)
{
	if (upstream->upstream->remote.addr[15] == 1)
		*(struct engine_upstream *)context = *upstream;
	return true;
}

static bool by_proto(void *context, const struct engine_upstream *upstream)
{
	((struct engine_upstream *)context)[upstream->upstream->proto] = *upstream;
	return true;
}

/* One address asked over UDP and over TCP: two upstreams, each with its own counts. */
static void counted_by_protocol(void)
{
	struct engine_upstream of[2] = { { 0 } };
	struct plan_forward *forward = plan(POLICY_SEQUENTIAL, 2);

	forward->upstreams[1] = forward->upstreams[0];
	forward->upstreams[1].proto = PLAN_TCP;
	kit_open(&kit, NULL, &kp.plan, false);
	kit_ask(&kit, "www.example.org A", NULL);
	kit_fail(&kit, kit_sent(&kit, -1), -ECONNREFUSED);
	CU_ASSERT_TRUE(kit_sent(&kit, -1)->tcp);
	kit_respond(&kit, kit_sent(&kit, -1), GOOD);
	engine_upstream_each(kit.engine, by_proto, of);
	CU_ASSERT_EQUAL(of[PLAN_UDP].counts->failures, 1);
	CU_ASSERT_EQUAL(of[PLAN_UDP].counts->answered[0], 0);
	CU_ASSERT_EQUAL(of[PLAN_TCP].counts->failures, 0);
	CU_ASSERT_EQUAL(of[PLAN_TCP].counts->answered[0], 1);
	kit_close(&kit);
}

static bool is_probe(const struct kit_sent *sent)
{
	return sent->len == 17 && !memcmp(sent->query + 12, "\0\0\2\0\1", 5);
}

/* CoreDNS: down after more than max_fails failures, probed until it answers. */
/* More than a pending has tries for: the rest is never asked, nothing is overrun. */
static void too_many_upstreams(void)
{
	static struct plan_upstream many[200];
	struct plan_forward *forward = plan(POLICY_PARALLEL, 1);

	for (unsigned i = 0; i < ARRAY_LEN(many); i++) {
		many[i] = forward->upstreams[0];
		many[i].remote.port = (uint16_t)(1000 + i);
	}
	forward->upstreams = many;
	forward->upstream_count = ARRAY_LEN(many);
	kit_open(&kit, NULL, &kp.plan, false);
	kit_ask(&kit, "www.example.org A", NULL);
	CU_ASSERT_EQUAL(kit_open_count(&kit), 128);
	kit_respond(&kit, kit_sent(&kit, -1), GOOD);
	SEEN(kit_later(&kit), "NOERROR ra | www.example.org. 300 IN A 192.0.2.80");
	CU_ASSERT_EQUAL(kit_open_count(&kit), 0);
	CU_ASSERT_EQUAL(kit.stats->upstream[0].asked_by[STATS_FANOUT][0], 1);
	CU_ASSERT_EQUAL(kit.stats->upstream[0].asked_by[STATS_FORWARD][0], 0);
	kit_close(&kit);
}

static void health(void)
{
	struct engine_upstream first = { 0 };

	start(POLICY_SEQUENTIAL, 2);
	for (int i = 0; i < 3; i++) {
		char question[32];

		snprintf(question, sizeof(question), "n%d.example.org A", i);
		kit_ask(&kit, question, NULL);
		CU_ASSERT_EQUAL(kit_sent(&kit, -1)->upstream->remote.addr[15], 1);
		kit_fail(&kit, kit_sent(&kit, -1), -ECONNREFUSED);
		CU_ASSERT_EQUAL(kit_sent(&kit, -1)->upstream->remote.addr[15], 2);
		kit_respond(&kit, kit_sent(&kit, -1), "NOERROR");
	}
	engine_upstream_each(kit.engine, first_upstream, &first);
	CU_ASSERT_TRUE(first.down);
	/* Down: the second is asked straight away. */
	kit_ask(&kit, "n4.example.org A", NULL);
	CU_ASSERT_EQUAL(kit_sent(&kit, -1)->upstream->remote.addr[15], 2);
	kit_respond(&kit, kit_sent(&kit, -1), "NOERROR");

	/* The probe, again each half second, until there is an answer of any kind. */
	kit_pass(&kit, 500);
	CU_ASSERT_TRUE(is_probe(kit_sent(&kit, -1)));
	CU_ASSERT_EQUAL(kit_sent(&kit, -1)->query[2], FLAG_RD >> 8);
	CU_ASSERT_EQUAL(kit_sent(&kit, -1)->upstream->remote.addr[15], 1);
	kit_pass(&kit, 1000); /* its time-out */
	CU_ASSERT_EQUAL(kit_open_count(&kit), 0);
	kit_pass(&kit, 500);
	CU_ASSERT_TRUE(is_probe(kit_sent(&kit, -1)) && kit_open_count(&kit) == 1);
	kit_respond(&kit, kit_sent(&kit, -1), "REFUSED");
	engine_upstream_each(kit.engine, first_upstream, &first);
	CU_ASSERT_FALSE(first.down);
	CU_ASSERT_EQUAL(kit.stats->upstream[0].probe_failures, 1);
	kit_pass(&kit, 60000);
	CU_ASSERT_EQUAL(kit_open_count(&kit), 0); /* a healthy one is not probed */
	kit_ask(&kit, "n5.example.org A", NULL);
	CU_ASSERT_EQUAL(kit_sent(&kit, -1)->upstream->remote.addr[15], 1);
	kit_close(&kit);
}

static void all_down_and_one_is_tried_anyway(void)
{
	unsigned asked[3] = { 0 };

	plan(POLICY_SEQUENTIAL, 2)->max_fails = 1;
	kp.forwards[0].health_check_ms = 1000000;
	kit_open(&kit, NULL, &kp.plan, false);
	for (int i = 0; i < 40; i++) {
		char question[32];

		snprintf(question, sizeof(question), "n%d.example.org A", i);
		kit_ask(&kit, question, NULL);
		while (kit_open_count(&kit)) {
			if (i >= 4)
				asked[kit_sent(&kit, -1)->upstream->remote.addr[15]]++;
			kit_fail(&kit, kit_sent(&kit, -1), -ECONNREFUSED);
		}
		SEEN(kit_later(&kit), "SERVFAIL ra");
	}
	CU_ASSERT_EQUAL(asked[1] + asked[2], 36);
	CU_ASSERT_TRUE(asked[1] > 5 && asked[2] > 5);
	CU_ASSERT_EQUAL(kit.stats->all_down, 39); /* but the first */
	kit_close(&kit);

	/* max_fails 0: never down. */
	plan(POLICY_SEQUENTIAL, 1)->max_fails = 0;
	kit_open(&kit, NULL, &kp.plan, false);
	for (int i = 0; i < 10; i++) {
		char question[32];

		snprintf(question, sizeof(question), "n%d.example.org A", i);
		kit_ask(&kit, question, NULL);
		kit_fail(&kit, kit_sent(&kit, -1), -ECONNREFUSED);
		kit_fail(&kit, kit_sent(&kit, -1), -ECONNREFUSED);
		SEEN(kit_later(&kit), "SERVFAIL ra");
	}
	kit_pass(&kit, 10000);
	CU_ASSERT_EQUAL(kit.sent_count, 20); /* and never probed */
	kit_close(&kit);
}

static void policies(void)
{
	static const enum plan_policy policies[] = { POLICY_SEQUENTIAL,
						     POLICY_ROUND_ROBIN,
						     POLICY_RANDOM };

	for (size_t n = 0; n < ARRAY_LEN(policies); n++) {
		unsigned asked[5] = { 0 };

		start(policies[n], 4);
		for (int i = 0; i < 200; i++) {
			char question[32];
			unsigned who;

			snprintf(question, sizeof(question), "n%d.example.org A", i);
			kit_ask(&kit, question, NULL);
			who = kit_sent(&kit, -1)->upstream->remote.addr[15];
			asked[who]++;
			if (policies[n] == POLICY_ROUND_ROBIN)
				CU_ASSERT_EQUAL(who, (unsigned)i % 4 + 1);
			/* a retry goes to another one */
			kit_fail(&kit, kit_sent(&kit, -1), -EIO);
			CU_ASSERT_NOT_EQUAL(
				kit_sent(&kit, -1)->upstream->remote.addr[15], who);
			kit_respond(&kit, kit_sent(&kit, -1), "NOERROR");
			kit_pass(&kit, 600);
			while (kit_open_count(&kit)) {
				for (unsigned s = 0; s < kit.sent_count; s++)
					if (kit_sent(&kit, (int)s)->open)
						kit_respond(&kit,
							    kit_sent(&kit, (int)s),
							    "NOERROR");
			}
		}
		if (policies[n] == POLICY_SEQUENTIAL)
			CU_ASSERT_EQUAL(asked[1], 200);
		if (policies[n] == POLICY_RANDOM)
			for (int i = 1; i <= 4; i++)
				CU_ASSERT_TRUE(asked[i] > 25);
		kit_close(&kit);
	}
}

static void limits_and_exceptions(void)
{
	struct plan_forward *forward = plan(POLICY_SEQUENTIAL, 1);

	forward->max_concurrent = 3;
	forward->except = kit_names(&kp, "not.example.org");
	kit_open(&kit, NULL, &kp.plan, false);
	SEEN(kit_ask(&kit, "a.not.example.org A", NULL), "SERVFAIL ra");
	SEEN(kit_ask(&kit, "a.example.org A", NULL), "(later)");
	SEEN(kit_ask(&kit, "a.example.org A", NULL), "(later)");
	SEEN(kit_ask(&kit, "b.example.org A", NULL), "(later)");
	SEEN(kit_ask(&kit, "c.example.org A", NULL), "REFUSED ra");
	CU_ASSERT_EQUAL(kit.stats->max_concurrent, 1);
	kit_respond(&kit, kit_sent(&kit, 0), "NOERROR");
	SEEN(kit_ask(&kit, "c.example.org A", NULL), "(later)");
	kit_close(&kit);

	/* Only so many may wait in all. */
	start(POLICY_SEQUENTIAL, 1);
	for (int i = 0; i < 257; i++) {
		char question[32];

		snprintf(question, sizeof(question), "n%d.example.org A", i / 2);
		SEEN(kit_ask(&kit, question, NULL),
		     i < 256 ? "(later)" : "SERVFAIL ra");
	}
	kit_pass(&kit, 10000);
	for (int i = 0; i < 256; i++)
		SEEN(kit_later(&kit), "SERVFAIL ra");
	SEEN(kit_later(&kit), "(none)");
	SEEN(kit_ask(&kit, "again.example.org A", NULL), "(later)");
	kit_close(&kit);
}

/* ---- fanout ---- */

static void start_fanout(unsigned count, bool race, unsigned workers)
{
	struct plan_forward *forward = plan(POLICY_PARALLEL, count);

	forward->race = race;
	forward->workers = workers;
	forward->attempts = 3;
	forward->max_fails = 0;
	forward->timeout_ms = 30000;
	kit_open(&kit, NULL, &kp.plan, false);
}

static void fanout_first_positive_wins(void)
{
	start_fanout(3, false, 0);
	kit_ask(&kit, "www.example.org A", NULL);
	CU_ASSERT_EQUAL(kit_open_count(&kit), 3);
	kit_respond(&kit, kit_sent(&kit, 1), "NXDOMAIN | | " SOA_300);
	SEEN(kit_later(&kit), "(none)");
	kit_respond(&kit, kit_sent(&kit, 2), GOOD);
	SEEN(kit_later(&kit), "NOERROR ra | " WWW);
	CU_ASSERT_EQUAL(kit_open_count(&kit), 0); /* the third is cancelled */
	SEEN(kit_ask(&kit, "www.example.org A", NULL), "NOERROR ra | " WWW);

	/* An empty NOERROR is positive (spec A.1). */
	kit_ask(&kit, "b.example.org A", NULL);
	kit_respond(&kit, kit_sent(&kit, -1), "NOERROR");
	SEEN(kit_later(&kit), "NOERROR ra");
	kit_close(&kit);
}

static void fanout_negative_waits_for_all(void)
{
	start_fanout(3, false, 0);
	kit_ask(&kit, "www.example.org A", NULL);
	kit_respond(&kit, kit_sent(&kit, 1), "REFUSED");
	kit_respond(&kit, kit_sent(&kit, 0), "NXDOMAIN | | " SOA_300);
	SEEN(kit_later(&kit), "(none)");
	kit_respond(&kit, kit_sent(&kit, 2), "SERVFAIL");
	SEEN(kit_later(&kit), "REFUSED ra"); /* the first that arrived */
	kit_close(&kit);

	/* A dead one uses up its attempts, 100 ms apart, before the negative is sent. */
	start_fanout(2, false, 0);
	kit_ask(&kit, "www.example.org A", NULL);
	kit_respond(&kit, kit_sent(&kit, 0), "NXDOMAIN | | " SOA_300);
	kit_pass(&kit, 2000);
	CU_ASSERT_EQUAL(kit_open_count(&kit), 0);
	kit_pass(&kit, 99);
	CU_ASSERT_EQUAL(kit_open_count(&kit), 0);
	kit_pass(&kit, 1);
	CU_ASSERT_EQUAL(kit_open_count(&kit), 1);
	kit_pass(&kit, 2100);
	CU_ASSERT_EQUAL(kit.sent_count, 4);
	SEEN(kit_later(&kit), "(none)");
	kit_pass(&kit, 2000);
	SEEN(kit_later(&kit), "NXDOMAIN ra ns| " SHOWN);
	CU_ASSERT_EQUAL(kit.sent_count, 4);
	SEEN(kit_ask(&kit, "www.example.org A", NULL), "NXDOMAIN ra ns| " SHOWN);
	kit_close(&kit);

	/* Nobody answers. */
	start_fanout(2, false, 0);
	kit_ask(&kit, "www.example.org A", NULL);
	kit_pass(&kit, 6199);
	SEEN(kit_later(&kit), "(none)");
	kit_pass(&kit, 1);
	SEEN(kit_later(&kit), "SERVFAIL ra");
	CU_ASSERT_EQUAL(kit.sent_count, 6);
	kit_close(&kit);
}

static void fanout_race_workers_timeout(void)
{
	start_fanout(3, true, 0);
	kit_ask(&kit, "www.example.org A", NULL);
	kit_respond(&kit, kit_sent(&kit, 1), "SERVFAIL");
	SEEN(kit_later(&kit), "SERVFAIL ra");
	CU_ASSERT_EQUAL(kit_open_count(&kit), 0);
	kit_close(&kit);

	start_fanout(4, false, 2);
	kit_ask(&kit, "www.example.org A", NULL);
	CU_ASSERT_EQUAL(kit_open_count(&kit), 2);
	kit_respond(&kit, kit_sent(&kit, 0), "NXDOMAIN");
	CU_ASSERT_EQUAL(kit_open_count(&kit), 2);
	CU_ASSERT_EQUAL(kit_sent(&kit, -1)->upstream->remote.addr[15], 3);
	kit_respond(&kit, kit_sent(&kit, 1), "NXDOMAIN");
	CU_ASSERT_EQUAL(kit_sent(&kit, -1)->upstream->remote.addr[15], 4);
	kit_respond(&kit, kit_sent(&kit, 3), GOOD);
	SEEN(kit_later(&kit), "NOERROR ra | " WWW);
	kit_close(&kit);

	/* The total time-out with a negative held: that one. */
	start_fanout(2, false, 0);
	kit_close(&kit);
	kp.forwards[0].timeout_ms = 1000;
	kit_open(&kit, NULL, &kp.plan, false);
	kit_ask(&kit, "www.example.org A", NULL);
	kit_respond(&kit, kit_sent(&kit, 1), "NXDOMAIN");
	kit_pass(&kit, 999);
	SEEN(kit_later(&kit), "(none)");
	kit_pass(&kit, 1);
	SEEN(kit_later(&kit), "NXDOMAIN ra");
	CU_ASSERT_EQUAL(kit_open_count(&kit), 0);
	kit_close(&kit);
}

/* ---- aliases, plans, flushes ---- */

/* clang-format off */
static const char *const alias_records[] = {
	"1 local.test. 3600 IN SOA ns.local.test. a.local.test. 1 2 3 4 60",
	"1 out.local.test. 30 IN CNAME www.example.org.",
	"1 www.local.test. 30 IN A 10.0.0.1",
	NULL
};
/* clang-format on */

static void aliases_that_lead_outside(void)
{
#define OUT "out.local.test. 30 IN CNAME www.example.org."
	plan(POLICY_SEQUENTIAL, 1);
	kit_block(&kp, "local.test");
	kit_step(&kp, STEP_ZONE, 1, "local.test");
	kit_open(&kit, alias_records, &kp.plan, false);

	/* The alias and its target coalesce; each client gets its own shape. */
	SEEN(kit_ask(&kit, "OUT.local.test A", "do"), "(later)");
	SEEN(kit_ask(&kit, "www.example.org A", "do"), "(later)");
	CU_ASSERT_EQUAL(kit.sent_count, 1);
	kit_respond(&kit, kit_sent(&kit, 0), GOOD);
	SEEN(kit_later(&kit), "NOERROR aa opt=1232 do | OUT.local.test. 30 IN CNAME "
			      "www.example.org. ; " WWW);
	SEEN(kit_later(&kit), "NOERROR ra opt=1232 do | " WWW);
	kit_pass(&kit, 10000);
	SEEN(kit_ask(&kit, "out.local.test A", "do"),
	     "NOERROR aa opt=1232 do | " OUT " ; www.example.org. 290 IN A 192.0.2.80");

	/* Negative and failed targets. */
	SEEN(kit_ask(&kit, "out.local.test AAAA", NULL), "(later)");
	kit_respond(&kit, kit_sent(&kit, -1), "NOERROR | | " SOA_300);
	SEEN(kit_later(&kit), "NOERROR aa | " OUT " ns| " SHOWN);
	SEEN(kit_ask(&kit, "out.local.test MX", NULL), "(later)");
	kit_respond(&kit, kit_sent(&kit, -1), "NXDOMAIN | | " SOA_300);
	SEEN(kit_later(&kit), "NXDOMAIN aa | " OUT " ns| " SHOWN);
	SEEN(kit_ask(&kit, "out.local.test TXT", NULL), "(later)");
	kit_respond(&kit, kit_sent(&kit, -1), "SERVFAIL");
	SEEN(kit_later(&kit), "SERVFAIL");
	SEEN(kit_ask(&kit, "out.local.test TXT", NULL), "SERVFAIL");

	/* The records change while the target is asked for. */
	SEEN(kit_ask(&kit, "out.local.test SRV", NULL), "(later)");
	kit_commit(&kit,
		   (const char *const[]){
			   "1 out.local.test. 30 IN CNAME www.local.test.", NULL },
		   NULL);
	kit_respond(&kit, kit_sent(&kit, -1), "NXDOMAIN | | " SOA_300);
	SEEN(kit_later(&kit),
	     "NOERROR aa | out.local.test. 30 IN CNAME www.local.test. ns| local.test. "
	     "60 IN SOA ns.local.test. a.local.test. 1 2 3 4 60");
	kit_close(&kit);
}

/* RFC 4035 3.1.3.3: that there is no nearer match than the wildcard, with what follows. */
static void a_signed_wildcard_that_leads_outside(void)
{
#define SIGNED " 8 2 30 20300101000000 20200101000000 1 local.test. AAAA"
#define WILD                                                                          \
	"x.w.local.test. 30 IN CNAME www.example.org. ; x.w.local.test. 30 IN RRSIG " \
	"CNAME" SIGNED
#define PROOF "*.w.local.test. 60 IN NSEC local.test. CNAME RRSIG NSEC "
	/* clang-format off */
	static const char *const records[] = {
		"1 local.test. 3600 IN SOA ns.local.test. a.local.test. 1 2 3 4 60",
		"1 local.test. 3600 IN RRSIG SOA" SIGNED,
		"1 *.w.local.test. 30 IN CNAME www.example.org.",
		"1 *.w.local.test. 30 IN RRSIG CNAME" SIGNED,
		"1 " PROOF,
		NULL
	};
	/* clang-format on */

	plan(POLICY_SEQUENTIAL, 1);
	kit_block(&kp, "local.test");
	kit_step(&kp, STEP_ZONE, 1, "local.test");
	kit_open(&kit, records, &kp.plan, false);
	kit_ask(&kit, "x.w.local.test A", "do");
	kit_respond(&kit, kit_sent(&kit, -1), GOOD);
	SEEN(kit_later(&kit), "NOERROR aa opt=1232 do | " WILD " ; " WWW " ns| " PROOF);
	kit_ask(&kit, "x.w.local.test AAAA", "do");
	kit_respond(&kit, kit_sent(&kit, -1), "NOERROR | | " SOA_300);
	SEEN(kit_later(&kit),
	     "NOERROR aa opt=1232 do | " WILD " ns| " PROOF " ; " SHOWN);
	kit_ask(&kit, "x.w.local.test A", NULL);
	kit_respond(&kit, kit_sent(&kit, -1), GOOD);
	SEEN(kit_later(&kit),
	     "NOERROR aa | x.w.local.test. 30 IN CNAME www.example.org. ; " WWW);
	kit_close(&kit);
}

static void a_new_plan_while_asking(void)
{
	start(POLICY_SEQUENTIAL, 2);
	kit_ask(&kit, "www.example.org A", NULL);
	kp.plan.generation = 2;
	kp.forwards[0].upstream_count = 1;
	kp.forwards[0].upstreams[0].remote.addr[15] = 9;
	kit_commit(&kit, NULL, &kp.plan);
	kit_ask(&kit, "b.example.org A", NULL);
	CU_ASSERT_EQUAL(kit_sent(&kit, -1)->upstream->remote.addr[15], 9);
	/* The old question goes on with the old upstreams. */
	kit_fail(&kit, kit_sent(&kit, 0), -EIO);
	CU_ASSERT_EQUAL(kit_sent(&kit, -1)->upstream->remote.addr[15], 2);
	/* The same question is asked anew by the new plan. */
	kit_ask(&kit, "www.example.org A", NULL);
	CU_ASSERT_EQUAL(kit_sent(&kit, -1)->upstream->remote.addr[15], 9);
	kit_respond(&kit, kit_sent(&kit, 2), GOOD);
	SEEN(kit_later(&kit), "NOERROR ra | " WWW);
	kit_respond(&kit, kit_sent(&kit, -1), GOOD);
	SEEN(kit_later(&kit), "NOERROR ra | " WWW);
	kit_respond(&kit, kit_sent(&kit, 1), "NOERROR");
	kit_close(&kit);
}

static void flushing(void)
{
	struct plan_name org = kit_name("org"), other = kit_name("other");

	start(POLICY_SEQUENTIAL, 1);
	kit_ask(&kit, "www.example.org A", NULL);
	kit_respond(&kit, kit_sent(&kit, -1), GOOD);
	CU_ASSERT_EQUAL(engine_flush(kit.engine, 0, other.wire).cached, 0);
	SEEN(kit_later(&kit), "NOERROR ra | " WWW);
	SEEN(kit_ask(&kit, "www.example.org A", NULL), "NOERROR ra | " WWW);
	CU_ASSERT_EQUAL(engine_flush(kit.engine, 2, NULL).cached, 0);
	CU_ASSERT_EQUAL(engine_flush(kit.engine, 1, org.wire).cached, 1);
	SEEN(kit_ask(&kit, "www.example.org A", NULL), "(later)");

	/* Asked before the flush, answered after it: shown, never kept. */
	CU_ASSERT_EQUAL(engine_flush(kit.engine, 0, NULL).cached, 0);
	kit_ask(&kit, "www.example.org A", NULL); /* does not join the old one */
	CU_ASSERT_EQUAL(kit_open_count(&kit), 2);
	kit_respond(&kit, kit_sent(&kit, -2), GOOD);
	SEEN(kit_later(&kit), "NOERROR ra | " WWW);
	SEEN(kit_ask(&kit, "www.example.org A", NULL), "(later)");
	kit_respond(&kit, kit_sent(&kit, -1),
		    "NOERROR | www.example.org. 60 IN A 1.2.3.4");
	SEEN(kit_later(&kit), "NOERROR ra | www.example.org. 60 IN A 1.2.3.4");
	SEEN(kit_later(&kit), "NOERROR ra | www.example.org. 60 IN A 1.2.3.4");
	SEEN(kit_ask(&kit, "www.example.org A", NULL),
	     "NOERROR ra | www.example.org. 60 IN A 1.2.3.4");
	kit_close(&kit);
}

/* A name that local records own is never answered from the cache. */
static void local_records_come_first(void)
{
	plan(POLICY_SEQUENTIAL, 1);
	kp.view.manual = 7;
	kit_open(&kit, NULL, &kp.plan, false);
	kit_ask(&kit, "www.example.org A", NULL);
	kit_respond(&kit, kit_sent(&kit, -1), GOOD);
	SEEN(kit_later(&kit), "NOERROR ra | " WWW);
	kit_commit(&kit,
		   (const char *const[]){ "7 www.example.org. 5 IN A 10.0.0.7", NULL },
		   NULL);
	SEEN(kit_ask(&kit, "www.example.org A", NULL),
	     "NOERROR aa ra | www.example.org. 5 IN A 10.0.0.7");
	kit_close(&kit);
}

/* ---- publishing ---- */

static bool in_table(const char *name, uint16_t qtype, uint8_t flags,
		     struct answer *ret)
{
	static uint8_t bytes[4096];
	struct plan_name wire = kit_name(name);
	struct table_key key = { wire.wire, qtype, 1, flags };
	struct table_meta meta;

	ret->bytes = bytes;
	ret->room = sizeof(bytes);
	return table_lookup(&kit.arrays, &key, (uint32_t)(kit.now_ns / 1000000000u),
			    ret, &meta) == 0 &&
	       meta.needs_rd && meta.label == 1 && meta.directive == LANE53_BY_CACHE;
}

static void publishing(void)
{
	struct answer answer;
	struct plan_name org = kit_name("example.org");

	plan(POLICY_SEQUENTIAL, 1);
	kit_open(&kit, NULL, &kp.plan, true);
	kit_ask(&kit, "www.example.org A", NULL);
	kit_respond(&kit, kit_sent(&kit, -1), GOOD);
	kit_later(&kit);
	CU_ASSERT_FALSE(in_table("www.example.org", TYPE_A, 0, &answer));
	kit_pass(&kit, 10000);
	kit_ask(&kit, "www.example.org A", NULL);
	kit_ask(&kit, "www.example.org A", NULL);
	CU_ASSERT_TRUE_FATAL(in_table("www.example.org", TYPE_A, 0, &answer));
	CU_ASSERT_EQUAL(answer.flags, FLAG_RA);
	CU_ASSERT_EQUAL(answer.ttl_s, 290);
	CU_ASSERT_EQUAL(answer.ancount, 1);
	CU_ASSERT_FALSE(in_table("www.example.org", TYPE_A, LANE53_KEY_DO, &answer));
	CU_ASSERT_EQUAL(kit.stats->published, 1);

	/* NXDOMAIN and NODATA too; failures never. */
	kit_ask(&kit, "nx.example.org A", "do cd");
	kit_respond(&kit, kit_sent(&kit, -1), "NXDOMAIN | | " SOA_300);
	kit_ask(&kit, "fail.example.org A", NULL);
	kit_respond(&kit, kit_sent(&kit, -1), "SERVFAIL");
	for (int i = 0; i < 3; i++) {
		kit_ask(&kit, "nx.example.org A", "do cd");
		kit_ask(&kit, "fail.example.org A", NULL);
	}
	CU_ASSERT_TRUE(in_table("nx.example.org", TYPE_A, LANE53_KEY_DO | LANE53_KEY_CD,
				&answer));
	CU_ASSERT_EQUAL(answer.nscount, 1);
	CU_ASSERT_FALSE(in_table("fail.example.org", TYPE_A, 0, &answer));

	/* What a scrape tells of all this, without a look at every slot. */
	kit_pass(&kit, 200);
	CU_ASSERT_EQUAL(kit.stats->table_slots, 2);
	CU_ASSERT_EQUAL(kit.stats->label[1].cache_entries[CACHE_POSITIVE], 1);
	CU_ASSERT_EQUAL(kit.stats->label[1].cache_entries[CACHE_NEGATIVE], 2);
	CU_ASSERT_EQUAL(kit.stats->label[1].responses[LANE53_BY_FORWARD][RCODE_NOERROR],
			1);
	CU_ASSERT_EQUAL(kit.stats->label[1].responses[LANE53_BY_CACHE][RCODE_NOERROR],
			2);
	CU_ASSERT_EQUAL(kit.stats->label[1].responses[LANE53_BY_CACHE][RCODE_NXDOMAIN],
			3);

	/* After a kill -9 the worker finds what it had, without asking anybody. */
	kit_restart(&kit);
	kit_pass(&kit, 5000);
	while (strcmp(kit_later(&kit), "(none)"))
		;
	SEEN(kit_ask(&kit, "Www.example.org A", NULL),
	     "NOERROR ra | Www.example.org. 285 IN A 192.0.2.80");
	SEEN(kit_ask(&kit, "nx.example.org A", "do cd"),
	     "NXDOMAIN ra cd opt=1232 do ns| example.org. 295 IN SOA ns.example.org. "
	     "a.example.org. 1 2 3 4 300");
	CU_ASSERT_EQUAL(kit_open_count(&kit), 0);

	/* RD=0 is never answered from any cache. */
	SEEN(kit_ask(&kit, "www.example.org A", "nord"), "(later)");

	/* Flushed from both. */
	engine_flush(kit.engine, 0, org.wire);
	CU_ASSERT_FALSE(in_table("www.example.org", TYPE_A, 0, &answer));
	SEEN(kit_ask(&kit, "www.example.org A", NULL), "(later)");
	kit_close(&kit);
}

/* A flood in which each name is asked twice gets no more than its tokens. */
static void admit(unsigned engines)
{
	struct engine_siblings siblings = { .publishing = PTHREAD_MUTEX_INITIALIZER,
					    .count = engines };
	char question[64];
	unsigned first;

	plan(POLICY_SEQUENTIAL, 1);
	kit_open(&kit, NULL, &kp.plan, true);
	kit.siblings = &siblings;
	kit_restart(&kit);
	for (int i = 0; i < 500; i++) {
		snprintf(question, sizeof(question), "f%d.example.org A", i);
		kit_ask(&kit, question, NULL);
		kit_respond(&kit, kit_sent(&kit, -1), "NXDOMAIN | | " SOA_300);
		kit_later(&kit);
		kit_ask(&kit, question, NULL);
	}
	first = (unsigned)kit.stats->published;
	CU_ASSERT_TRUE(first >= 60 / engines && first <= 70 / engines);
	CU_ASSERT_EQUAL(kit.stats->publish_refused_admission, 500 - first);
	kit_ask(&kit, question, NULL); /* its second hit */
	CU_ASSERT_EQUAL(kit.stats->published, first + 1);
	kit_ask(&kit, question, NULL);
	CU_ASSERT_EQUAL(kit.stats->published, first + 1); /* once is enough */
	kit_close(&kit);
}

/* A flood of names asked twice gets no more slots because there are more threads. */
static void admission(void)
{
	admit(1);
	admit(4);
}

/* What the table cannot take is not offered at each hit. */
static void unpublishable(void)
{
	char name[256], response[600];

	memset(name, 'a', sizeof(name));
	for (unsigned i = 40; i < 200; i += 41)
		name[i] = '.';
	strcpy(name + 180, ".example.org"); /* longer than LANE53_CACHED_NAME_BYTES */
	plan(POLICY_SEQUENTIAL, 1);
	kit_open(&kit, NULL, &kp.plan, true);
	snprintf(response, sizeof(response), "NOERROR | %s. 60 IN A 192.0.2.1", name);
	kit_ask(&kit, name, NULL);
	kit_respond(&kit, kit_sent(&kit, -1), response);
	for (unsigned i = 0; i < 1000; i++)
		kit_ask(&kit, name, NULL);
	CU_ASSERT_EQUAL(kit.stats->published, 0);
	CU_ASSERT_EQUAL(kit.stats->publish_full, 10);
	kit_close(&kit);
}

/* What XDP shows belongs to the plan that published it. */
static void a_new_plan_retracts(void)
{
	struct answer answer;

	plan(POLICY_SEQUENTIAL, 1);
	kit_open(&kit, NULL, &kp.plan, true);
	kit_ask(&kit, "www.example.org A", NULL);
	kit_respond(&kit, kit_sent(&kit, -1), GOOD);
	kit_ask(&kit, "www.example.org A", NULL);
	CU_ASSERT_TRUE(in_table("www.example.org", TYPE_A, 0, &answer));
	kp.plan.generation++; /* a reload that changed nothing */
	kit_commit(&kit, NULL, &kp.plan);
	kit_pass(&kit, 1);
	CU_ASSERT_TRUE(in_table("www.example.org", TYPE_A, 0, &answer));
	kp.plan.generation++;
	kp.blocks[0].log = PLAN_LOG_ALL;
	kit_commit(&kit, NULL, &kp.plan);
	kit_pass(&kit, 1);
	CU_ASSERT_FALSE(in_table("www.example.org", TYPE_A, 0, &answer));
	kit_ask(&kit, "www.example.org A", NULL); /* still in the worker's own */
	CU_ASSERT_TRUE(in_table("www.example.org", TYPE_A, 0, &answer));
	kp.plan.publish = false;
	kp.plan.generation++;
	kit_commit(&kit, NULL, &kp.plan);
	kit_ask(&kit, "www.example.org A", NULL);
	kit_ask(&kit, "www.example.org A", NULL);
	CU_ASSERT_FALSE(in_table("www.example.org", TYPE_A, 0, &answer));
	kit_close(&kit);
}

/* What it may do is its part; what another takes back it publishes again. */
static void one_of_several_engines(void)
{
	struct engine_siblings siblings = { .publishing = PTHREAD_MUTEX_INITIALIZER,
					    .count = 2 };
	struct answer answer;

	plan(POLICY_SEQUENTIAL, 1)->max_concurrent = 3;
	kit_open(&kit, NULL, &kp.plan, true);
	kit.siblings = &siblings;
	kit_restart(&kit);
	SEEN(kit_ask(&kit, "www.example.org A", NULL), "(later)");
	SEEN(kit_ask(&kit, "b.example.org A", NULL), "(later)");
	SEEN(kit_ask(&kit, "c.example.org A", NULL), "REFUSED ra"); /* 3 / 2, up */
	kit_respond(&kit, kit_sent(&kit, -1), "NOERROR");
	kit_respond(&kit, kit_sent(&kit, -2), GOOD);
	kit_ask(&kit, "www.example.org A", NULL);
	kit_ask(&kit, "www.example.org A", NULL);
	CU_ASSERT_TRUE(in_table("www.example.org", TYPE_A, 0, &answer));

	table_clear(kit.table); /* as another does that has a new plan */
	siblings.clears++;
	kit_ask(&kit, "www.example.org A", NULL);
	CU_ASSERT_TRUE(in_table("www.example.org", TYPE_A, 0, &answer));
	kp.plan.generation++;
	kp.blocks[0].log = PLAN_LOG_ALL;
	kit_commit(&kit, NULL, &kp.plan);
	kit_pass(&kit, 1);
	CU_ASSERT_EQUAL(siblings.clears, 2); /* the others are to know */
	CU_ASSERT_FALSE(in_table("www.example.org", TYPE_A, 0, &answer));
	kit_ask(&kit, "www.example.org A", NULL);
	CU_ASSERT_TRUE(in_table("www.example.org", TYPE_A, 0, &answer));
	CU_ASSERT_EQUAL(engine_flush(kit.engine, 0, NULL).published, 1);
	CU_ASSERT_FALSE(in_table("www.example.org", TYPE_A, 0, &answer));
	kit_close(&kit);
}

static bool count_cached(void *context, const struct engine_cached *cached)
{
	unsigned *count = context;

	(*count)++;
	CU_ASSERT_EQUAL(cached->view, 1);
	return true;
}

/* ---- a world with loss, delay and lies ---- */

struct due {
	uint64_t at_ns;
	unsigned sent;
	int kind;
};

static struct due due[KIT_ASKS_MAX];

/* Every client gets exactly one response, in time, to its own question. */
static void simulate(unsigned seed, enum plan_policy policy)
{
	static uint16_t ids[256];
	static char names[256][32];
	unsigned clients = 120, scheduled = 0, answered = 0;
	bool got[256] = { false };
	uint8_t message[600];
	unsigned cached = 0;

	srand(seed);
	plan(policy, 3);
	kp.forwards[0].race = seed & 1;
	kp.forwards[0].max_fails = seed % 3;
	kit_open(&kit, NULL, &kp.plan, false);
	for (unsigned step = 0; step < clients * 4 + 2000; step++) {
		size_t len;

		if (step < clients) {
			snprintf(names[step], sizeof(names[step]), "N%d.example.org A",
				 rand() % 40);
			len = kit_query(&kit, message, names[step],
					rand() % 2 ? "do" : NULL);
			ids[step] = (uint16_t)(message[0] << 8 | message[1]);
			got[step] =
				strcmp(kit_ask_raw(&kit, message, len), "(later)") != 0;
			answered += got[step];
		}
		for (; scheduled < kit.sent_count; scheduled++)
			due[scheduled] = (struct due){
				.at_ns = kit.now_ns +
					 (uint64_t)(rand() % 3000) * 1000000,
				.sent = scheduled,
				.kind = rand() % 10,
			};
		kit_pass(&kit, 1 + (unsigned)rand() % 20);
		for (unsigned i = 0; i < kit.sent_count && i < scheduled; i++) {
			struct kit_sent *sent = kit_sent(&kit, (int)due[i].sent);

			if (!sent->open || due[i].at_ns > kit.now_ns)
				continue;
			switch (due[i].kind) {
			case 0: /* lost */
				break;
			case 1:
				kit_fail(&kit, sent, -ECONNREFUSED);
				break;
			case 2:
				kit_respond(&kit, sent, "NOERROR tc");
				break;
			case 3:
				kit_respond(&kit, sent, "SERVFAIL");
				break;
			case 4: /* spoofed question */
				len = kit_response(sent, "NOERROR", message);
				message[13] ^= 1;
				kit_respond_raw(&kit, sent, message, len);
				break;
			case 5:
				kit_respond(&kit, sent, "NXDOMAIN | | " SOA_300);
				break;
			default:
				kit_respond(&kit, sent, "NOERROR | | " SOA_300);
			}
		}
		while (strcmp(kit_later(&kit), "(none)")) {
			size_t reply_len;
			const uint8_t *reply = kit_bytes(&reply_len);
			uint16_t id = (uint16_t)(reply[0] << 8 | reply[1]);
			unsigned who = 0;

			while (who < clients && ids[who] != id)
				who++;
			CU_ASSERT_TRUE_FATAL(who < clients && !got[who]);
			got[who] = true;
			answered++;
			CU_ASSERT_EQUAL(reply[13], 'N'); /* its own case */
		}
	}
	CU_ASSERT_EQUAL(answered, clients);
	engine_cache_each(kit.engine, NULL, kit.now_ns, count_cached, &cached);
	CU_ASSERT_EQUAL(kit.stats->waiting, 0);
	kit_close(&kit);
}

static void a_bad_world(void)
{
	static const enum plan_policy policies[] = { POLICY_RANDOM, POLICY_ROUND_ROBIN,
						     POLICY_SEQUENTIAL,
						     POLICY_PARALLEL };

	for (unsigned seed = 1; seed <= 12; seed++)
		simulate(seed, policies[seed % 4]);
}

static const struct check_case cases[] = {
	{ "there and back", there_and_back },
	{ "what is cached, and how", what_is_cached_and_how },
	{ "cache directive", cache_directive },
	{ "coalescing", coalescing },
	{ "without RD nothing is cached", without_rd_nothing_is_cached },
	{ "DNSSEC records with DO only", dnssec_records_with_do_only },
	{ "truncated goes over TCP", truncated_goes_over_tcp },
	{ "without EDNS if need be", without_edns_if_need_be },
	{ "forged and broken responses", forged_and_broken_responses },
	{ "silence and retries", silence_and_retries },
	{ "too many upstreams", too_many_upstreams },
	{ "counted by protocol", counted_by_protocol },
	{ "health", health },
	{ "all down, and one is tried anyway", all_down_and_one_is_tried_anyway },
	{ "policies", policies },
	{ "limits and exceptions", limits_and_exceptions },
	{ "fanout: first positive wins", fanout_first_positive_wins },
	{ "fanout: a negative waits for all", fanout_negative_waits_for_all },
	{ "fanout: race, workers, timeout", fanout_race_workers_timeout },
	{ "aliases that lead outside", aliases_that_lead_outside },
	{ "a signed wildcard that leads outside",
	  a_signed_wildcard_that_leads_outside },
	{ "a new plan while asking", a_new_plan_while_asking },
	{ "flushing", flushing },
	{ "local records come first", local_records_come_first },
	{ "publishing", publishing },
	{ "admission", admission },
	{ "unpublishable", unpublishable },
	{ "a new plan retracts", a_new_plan_retracts },
	{ "one of several engines", one_of_several_engines },
	{ "a bad world", a_bad_world },
};

CHECK_MAIN("forward", cases)
