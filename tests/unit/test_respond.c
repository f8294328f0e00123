/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_respond.c - the engine's parts by themselves: deadlines, answers in the making,
 * rendering; and that the hit path allocates nothing.
 */
#include <stdlib.h>
#include <string.h>
#include "cache/answer.h"
#include "check.h"
#include "engine_kit.h"
#include "lane53/wire.h"
#include "respond/build.h"
#include "respond/deadline.h"
#include "respond/render.h"

/* ---- allocations, counted by the linker's --wrap ---- */

static unsigned allocations;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

void *__wrap_malloc(size_t size)
{
	allocations++;
	return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	allocations++;
	return __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	allocations++;
	return __real_realloc(old, size);
}

static struct kit kit;
static struct kit_plan kp;

/* DESIGN: no allocation per query on the local and the hit path. */
static void no_allocation_per_query(void)
{
	static const char *const records[] = {
		"1 lan. 60 IN SOA ns.lan. a.lan. 1 2 3 4 60",
		"1 www.lan. 60 IN A 10.0.0.1",
		"1 alias.lan. 60 IN CNAME www.lan.",
		NULL,
	};
	static const char *const asked[] = { "www.lan A",         "alias.lan A",
					     "none.lan A",        "www.lan TXT",
					     "www.example.org A", "nx.example.org A" };
	static uint8_t message[600], room[4096];
	unsigned before = 0;

	kit_plan_init(&kp);
	kit_block(&kp, "lan");
	kit_step(&kp, STEP_ZONE, 1, "lan");
	kit_block(&kp, ".");
	kit_forward(&kp, POLICY_RANDOM, 2);
	kit_cache(&kp);
	kit_open(&kit, records, &kp.plan, true);
	kit_ask(&kit, "www.example.org A", NULL);
	kit_respond(&kit, kit_sent(&kit, -1),
		    "NOERROR | www.example.org. 60 IN A 192.0.2.1");
	kit_ask(&kit, "nx.example.org A", NULL);
	kit_respond(&kit, kit_sent(&kit, -1),
		    "NXDOMAIN | | example.org. 60 IN SOA a. b. 1 2 3 4 60");
	for (unsigned n = 0; n < 1000; n++) {
		struct query query = {
			.message = message,
			.client = kit.client,
			.reply = room,
			.reply_room = sizeof(room),
		};

		query.len = kit_query(&kit, message, asked[n % ARRAY_LEN(asked)], "do");
		if (n % ARRAY_LEN(asked) >= 4) /* they were asked without DO */
			query.len = kit_query(&kit, message,
					      asked[n % ARRAY_LEN(asked)], NULL);
		if (n == 100)
			before = allocations;
		CU_ASSERT_EQUAL(engine_batch_begin(kit.engine, kit.now_ns + n), 0);
		CU_ASSERT_EQUAL(engine_query(kit.engine, kit.port, &query),
				VERDICT_SEND);
		engine_batch_end(kit.engine);
	}
	CU_ASSERT_TRUE(before > 0);
	CU_ASSERT_EQUAL(allocations, before);
	kit_close(&kit);
}

/* ---- deadlines ---- */

struct alarm {
	struct deadline deadline;
	unsigned rung;
};

struct clock {
	struct deadlines deadlines;
	uint64_t now_ns, last_ns;
	unsigned rung;
};

static void ring(void *context, struct deadline *deadline)
{
	struct clock *clock = context;

	CU_ASSERT_TRUE(deadline->at_ns <= clock->now_ns);
	CU_ASSERT_TRUE(deadline->at_ns >= clock->last_ns);
	clock->last_ns = deadline->at_ns;
	clock->rung++;
	((struct alarm *)deadline)->rung++;
}

static void deadlines_in_order(void)
{
	static struct alarm alarms[500];
	struct clock clock = { 0 };
	unsigned cleared = 0;

	memset(alarms, 0, sizeof(alarms));
	srand(53);
	CU_ASSERT_EQUAL(deadlines_init(&clock.deadlines, 500), 0);
	for (unsigned i = 0; i < 500; i++) {
		alarms[i].deadline.due = ring;
		deadline_set(&clock.deadlines, &alarms[i].deadline,
			     (uint64_t)(rand() % 1000));
	}
	for (unsigned i = 0; i < 500; i += 3) /* moved, both ways */
		deadline_set(&clock.deadlines, &alarms[i].deadline,
			     (uint64_t)(rand() % 1000));
	for (unsigned i = 0; i < 500; i += 7) {
		deadline_clear(&clock.deadlines, &alarms[i].deadline);
		deadline_clear(&clock.deadlines, &alarms[i].deadline);
		cleared++;
	}
	for (clock.now_ns = 0; clock.now_ns < 1000; clock.now_ns++) {
		uint64_t next = deadlines_run(&clock.deadlines, clock.now_ns, &clock);

		CU_ASSERT_TRUE(next > clock.now_ns);
	}
	CU_ASSERT_EQUAL(clock.rung, 500 - cleared);
	for (unsigned i = 0; i < 500; i++)
		CU_ASSERT_EQUAL(alarms[i].rung, i % 7 != 0);
	CU_ASSERT_EQUAL(deadlines_run(&clock.deadlines, 5000, &clock), UINT64_MAX);
	deadlines_deinit(&clock.deadlines);
}

/* ---- answers ---- */

static void a_built_answer_knows_its_ttls(void)
{
	static uint8_t bytes[4096], again_bytes[4096];
	struct plan_name name = kit_name("www.example.org");
	struct answer answer = { .bytes = bytes, .room = sizeof(bytes) };
	struct answer again = { .bytes = again_bytes, .room = sizeof(again_bytes) };
	struct message_rr rr = {
		name.wire, TYPE_A, CLASS_IN, 77, (const uint8_t *)"\1\2\3\4", 4
	};
	struct build b;

	build_begin(&b, &answer, name.wire);
	for (unsigned i = 0; i < 70; i++)
		build_rr(&b, i < 69 ? SECTION_ANSWER : SECTION_ADDITIONAL, &rr);
	CU_ASSERT_TRUE(build_end(&b));
	CU_ASSERT_EQUAL(answer.ancount, 69);
	CU_ASSERT_EQUAL(answer.arcount, 1);
	CU_ASSERT_EQUAL(b.ttls, 70);
	CU_ASSERT_EQUAL(answer.ttl_count, ANSWER_TTLS);
	for (unsigned i = 0; i < answer.ttl_count; i++)
		CU_ASSERT_EQUAL(ttl_read(bytes + answer.ttl_off[i]), 77);
	ttl_write(bytes + answer.ttl_off[1], 0x01020304);
	CU_ASSERT_EQUAL(ttl_read(bytes + answer.ttl_off[1]), 0x01020304);
	ttl_write(bytes + answer.ttl_off[1], 77);

	/* Read back and written again: the same bytes. */
	build_begin(&b, &again, name.wire);
	for (enum message_section s = SECTION_ANSWER; s <= SECTION_ADDITIONAL; s++)
		build_append(&b, &answer, name.wire, s);
	CU_ASSERT_TRUE(build_end(&b));
	CU_ASSERT_EQUAL(again.len, answer.len);
	CU_ASSERT_EQUAL(memcmp(bytes, again_bytes, answer.len), 0);
	CU_ASSERT_EQUAL(again.ancount, 69);
	CU_ASSERT_EQUAL(again.arcount, 1);

	/* No room: said at the end, and nothing written beyond. */
	answer.room = 100;
	memset(bytes, 0xEE, sizeof(bytes));
	build_begin(&b, &answer, name.wire);
	for (unsigned i = 0; i < 20; i++)
		build_rr(&b, SECTION_ANSWER, &rr);
	CU_ASSERT_FALSE(build_end(&b));
	CU_ASSERT_EQUAL(bytes[100], 0xEE);
}

static void rendering(void)
{
	static const struct {
		const char *what;
		bool edns, dnssec_ok, tcp;
		uint16_t edns_bytes, configured;
		size_t limit;
	} limits[] = {
		{ "no OPT", false, false, false, 0, 1232, 512 },
		{ "OPT 0", true, false, false, 0, 1232, 512 },
		{ "OPT 1000", true, false, false, 1000, 1232, 1000 },
		{ "OPT 4096", true, false, false, 4096, 1232, 1232 },
		{ "our own", true, false, false, 4096, 0, 1232 },
		{ "TCP", true, false, true, 512, 1232, 65535 },
	};
	uint8_t out[512];
	struct asked asked = {
		.id_be = 0x3412,
		.flags = FLAG_RD | FLAG_CD,
		.qtype = TYPE_A,
		.qclass = CLASS_IN,
		.edns = true,
		.dnssec_ok = true,
		.qname_len = 1,
	};

	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		struct asked a = { .edns = limits[i].edns,
				   .edns_bytes = limits[i].edns_bytes,
				   .tcp = limits[i].tcp };

		if (render_limit(&a, limits[i].configured) != limits[i].limit)
			CU_FAIL(limits[i].what);
	}
	CU_ASSERT_EQUAL(render_response(out, 512, &asked, RCODE_BADVERS, NULL),
			12 + 5 + 11);
	CU_ASSERT_EQUAL(memcmp(out,
			       "\x12\x34\x81\x10\0\1\0\0\0\0\0\1"
			       "\0\0\1\0\1"
			       "\0\0\x29\x04\xd0\x01\0\x80\0\0\0",
			       28),
			0);
	CU_ASSERT_EQUAL(render_header(out, 0x3412, 0x0900, RCODE_NOTIMP), 12);
	CU_ASSERT_EQUAL(memcmp(out, "\x12\x34\x89\x04\0\0\0\0\0\0\0\0", 12), 0);
}

static const struct check_case cases[] = {
	{ "no allocation per query", no_allocation_per_query },
	{ "deadlines in order", deadlines_in_order },
	{ "a built answer knows its TTLs", a_built_answer_knows_its_ttls },
	{ "rendering", rendering },
};

CHECK_MAIN("respond", cases)
