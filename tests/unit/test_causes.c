/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_causes.c - what a worker reports of a query that it could not answer: why, and by
 * whose fault.
 */
#include "check.h"
#include "engine_kit.h"
#include "lane53/abi.h"
#include <errno.h>
#include <string.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

static struct kit kit;
static struct kit_plan kp;

static void open_forward(enum plan_policy policy, unsigned upstreams)
{
	kit_plan_init(&kp);
	kit_block(&kp, ".")->errors = true;
	kit_forward(&kp, policy, upstreams)->max_fails = 0;
	kit_cache(&kp);
	kit_open(&kit, NULL, &kp.plan, false);
}

/* What becomes of the question that is open: one letter each. */
static void happen(char what)
{
	struct kit_sent *sent = kit_sent(&kit, -1);

	switch (what) {
	case 't': /* nothing, until all is over */
		kit_pass(&kit, 5000);
		return;
	case '.': /* nothing, until the next is asked */
		kit_pass(&kit, 2000);
		return;
	case 'r':
		kit_fail(&kit, sent, -ECONNREFUSED);
		return;
	case 's':
		kit_respond(&kit, sent, "SERVFAIL");
		return;
	case 'g':
		kit_respond(&kit, sent,
			    "NOERROR | www.example.org. 60 IN A 192.0.2.80");
		return;
	case 'c': /* TC: again over TCP */
		kit_respond(&kit, sent, "NOERROR tc");
		return;
	case 'm': { /* an answer that ends in its middle */
		uint8_t message[512];
		size_t len = kit_response(
			sent, "NOERROR | www.example.org. 60 IN A 192.0.2.80", message);

		kit_respond_raw(&kit, sent, message, len - 14);
		return;
	}
	case 'x': { /* an answer to another question */
		uint8_t message[512];
		size_t len = kit_response(sent, "NOERROR", message);

		message[13] ^= 1;
		kit_respond_raw(&kit, sent, message, len);
		return;
	}
	}
}

static void upstreams_fail(void)
{
	static const struct {
		const char *what; /* happens to one question after the other */
		enum plan_policy policy;
		unsigned upstreams;
		unsigned events;
		enum lane53_cause cause;
		unsigned number, upstream, proto;
	} cases[] = {
		{ "t", POLICY_SEQUENTIAL, 1, 1, LANE53_CAUSE_IO, ETIMEDOUT, 1, 17 },
		{ "rr", POLICY_SEQUENTIAL, 1, 1, LANE53_CAUSE_IO, ECONNREFUSED, 1, 17 },
		/* the last word counts */
		{ ".rrr", POLICY_SEQUENTIAL, 2, 1, LANE53_CAUSE_IO, ECONNREFUSED, 2,
		  17 },
		{ "mm", POLICY_SEQUENTIAL, 1, 1, LANE53_CAUSE_MALFORMED, 0, 1, 17 },
		{ "xx", POLICY_SEQUENTIAL, 1, 1, LANE53_CAUSE_MISMATCHED, 0, 1, 17 },
		{ "s", POLICY_SEQUENTIAL, 1, 1, LANE53_CAUSE_SERVFAIL, 0, 1, 17 },
		{ "crr", POLICY_SEQUENTIAL, 1, 1, LANE53_CAUSE_IO, ECONNREFUSED, 1,
		  17 },
		{ "cs", POLICY_SEQUENTIAL, 1, 1, LANE53_CAUSE_SERVFAIL, 0, 1, 6 },
		/* it went well in the end: nothing to tell */
		{ "g", POLICY_SEQUENTIAL, 1, 0, LANE53_CAUSE_NONE, 0, 0, 0 },
		{ "rg", POLICY_SEQUENTIAL, 2, 0, LANE53_CAUSE_NONE, 0, 0, 0 },
		{ "t", POLICY_PARALLEL, 1, 1, LANE53_CAUSE_IO, ETIMEDOUT, 1, 17 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		open_forward(cases[i].policy, cases[i].upstreams);
		CU_ASSERT_STRING_EQUAL(kit_ask(&kit, "www.example.org A", NULL),
				       "(later)");
		for (const char *what = cases[i].what; *what; what++)
			happen(*what);
		CU_ASSERT_EQUAL(kit_open_count(&kit), 0);
		CU_ASSERT_EQUAL(kit.events, cases[i].events);
		CU_ASSERT_EQUAL(kit.failure->cause, cases[i].cause);
		CU_ASSERT_EQUAL(kit.failure->number, cases[i].number);
		CU_ASSERT_EQUAL(kit.failure->upstream[15], cases[i].upstream);
		CU_ASSERT_EQUAL(kit.failure->proto, cases[i].proto);
		CU_ASSERT_EQUAL(kit.failure->port, cases[i].upstream ? 53 : 0);
		CU_ASSERT_EQUAL(kit.failure->flags, 0);
		if (kit.events != cases[i].events ||
		    kit.failure->cause != cases[i].cause)
			printf("\n  case %zu: %u events, cause %u\n", i, kit.events,
			       kit.failure->cause);
		/* what is remembered is not told again */
		(void)kit_later(&kit);
		CU_ASSERT_STRING_NOT_EQUAL(kit_ask(&kit, "www.example.org A", NULL),
					   "(later)");
		CU_ASSERT_EQUAL(kit.events, cases[i].events);
		kit_close(&kit);
	}
}

/* More than 32 bits of nanoseconds: a query's whole time is 5 s. */
static void the_duration_is_told_whole(void)
{
	open_forward(POLICY_SEQUENTIAL, 3);
	kit_ask(&kit, "www.example.org A", NULL);
	happen('t');
	CU_ASSERT_EQUAL(kit.events, 1);
	CU_ASSERT_EQUAL(kit.event->duration_ns, 5000000000ull);
	kit_close(&kit);
}

static void all_upstreams_are_down(void)
{
	open_forward(POLICY_SEQUENTIAL, 1);
	kit_close(&kit);
	kp.forwards[0].max_fails = 1;
	kp.forwards[0].health_check_ms = 1000000;
	kit_open(&kit, NULL, &kp.plan, false);
	kit_ask(&kit, "a.example.org A", NULL);
	happen('r');
	CU_ASSERT_EQUAL(kit.failure->flags, 0);
	happen('r');
	kit_ask(&kit, "b.example.org A", NULL);
	happen('r');
	CU_ASSERT_EQUAL(kit.events, 2);
	CU_ASSERT_EQUAL(kit.failure->flags, LANE53_FAILURE_ALL_DOWN);
	CU_ASSERT_EQUAL(kit.failure->number, ECONNREFUSED);

	/* No way to ask at all. */
	kit.refuse_all = true;
	kit_ask(&kit, "c.example.org A", NULL);
	kit_pass(&kit, 1);
	CU_ASSERT_EQUAL(kit.events, 3);
	CU_ASSERT_EQUAL(kit.failure->cause, LANE53_CAUSE_IO);
	CU_ASSERT_EQUAL(kit.failure->number, ENETUNREACH);
	kit_close(&kit);

	/* No upstream at all. */
	open_forward(POLICY_SEQUENTIAL, 0);
	kit_ask(&kit, "d.example.org A", NULL);
	kit_pass(&kit, 1);
	CU_ASSERT_EQUAL(kit.events, 1);
	CU_ASSERT_EQUAL(kit.failure->cause, LANE53_CAUSE_NO_UPSTREAM);
	kit_close(&kit);
}

static void too_many(void)
{
	open_forward(POLICY_SEQUENTIAL, 1);
	kit_close(&kit);
	kp.forwards[0].max_concurrent = 2;
	kit_open(&kit, NULL, &kp.plan, false);
	kit_ask(&kit, "a.example.org A", NULL);
	kit_ask(&kit, "b.example.org A", NULL);
	CU_ASSERT_STRING_EQUAL(kit_ask(&kit, "c.example.org A", NULL), "REFUSED ra");
	CU_ASSERT_EQUAL(kit.events, 1);
	CU_ASSERT_EQUAL(kit.failure->cause, LANE53_CAUSE_LIMIT);
	CU_ASSERT_EQUAL(kit.failure->number, 2);
	kit_close(&kit);

	kp.forwards[0].max_concurrent = 0;
	kit_open(&kit, NULL, &kp.plan, false);
	for (int i = 0; i < 257; i++)
		kit_ask(&kit, "a.example.org A", NULL);
	CU_ASSERT_EQUAL(kit.events, 1);
	CU_ASSERT_EQUAL(kit.failure->cause, LANE53_CAUSE_BUSY);
	kit_close(&kit);
}

/* Zone 1 is there, zone 2 was never read, hosts 3 has one name, "." has nobody. */
static void local_records_fail(void)
{
	static const char *const records[] = {
		"1 loop.test. 60 IN SOA ns.loop.test. a.loop.test. 1 2 3 4 5",
		"1 a.loop.test. 60 IN CNAME b.loop.test.",
		"1 b.loop.test. 60 IN CNAME a.loop.test.",
		"3 host.lan. 60 IN A 192.0.2.1", NULL
	};
	static const struct {
		const char *question;
		enum lane53_cause cause;
	} cases[] = {
		{ "a.loop.test A", LANE53_CAUSE_CHAIN },
		{ "www.gone.test A", LANE53_CAUSE_ZONE },
		{ "other.lan A", LANE53_CAUSE_HOSTS },
		{ "www.example.org A", LANE53_CAUSE_NOT_FOUND },
	};

	kit_plan_init(&kp);
	kit_block(&kp, "loop.test")->errors = true;
	kit_step(&kp, STEP_ZONE, 1, "loop.test");
	kit_block(&kp, "gone.test")->errors = true;
	kit_step(&kp, STEP_ZONE, 2, "gone.test");
	kit_block(&kp, "lan")->errors = true;
	kit_step(&kp, STEP_HOSTS, 3, NULL);
	kit_block(&kp, ".")->errors = true;
	kit_step(&kp, STEP_CHAOS, 0, NULL);
	kit_open(&kit, records, &kp.plan, false);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CU_ASSERT_STRING_EQUAL(kit_ask(&kit, cases[i].question, NULL),
				       "SERVFAIL");
		CU_ASSERT_EQUAL(kit.events, i + 1);
		CU_ASSERT_EQUAL(kit.failure->cause, cases[i].cause);
		CU_ASSERT_EQUAL(kit.failure->proto, 0);
	}
	kit_ask(&kit, "host.lan A", NULL);
	CU_ASSERT_EQUAL(kit.events, ARRAY_LEN(cases));
	kit_close(&kit);
}

static const struct check_case cases[] = {
	{ "upstreams fail", upstreams_fail },
	{ "the duration is told whole", the_duration_is_told_whole },
	{ "all upstreams are down", all_upstreams_are_down },
	{ "too many", too_many },
	{ "local records fail", local_records_fail },
};

CHECK_MAIN("causes", cases)
