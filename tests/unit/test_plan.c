/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_plan.c - a plan survives its encoding, and routes by the longest zone.
 */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "check.h"
#include "lane53/wire.h"
#include "plan/plan.h"

static struct plan_name name(const char *text)
{
	struct plan_name out = { 0 };
	uint8_t *length = out.wire;
	uint8_t *pos = out.wire + 1;

	for (; *text && strcmp(text, "."); text++) {
		if (*text == '.') {
			length = pos++;
			continue;
		}
		*pos++ = (uint8_t)*text;
		(*length)++;
	}
	if (length != out.wire || *length)
		*pos++ = 0;
	out.len = (uint8_t)(pos - out.wire);
	return out;
}

/* Three blocks: the root, corp.example with a sub-zone beside it, and a second root. */
static struct plan_zone zones_root[1], zones_corp[2], zones_other[1];
static unsigned all_blocks[] = { 0, 1, 2 };
static struct plan_name except[1], fall[1];
static char *chaos_texts[] = { (char *)"CoreDNS-1", (char *)"somebody \"else\"" };
static struct plan_upstream upstreams[] = {
	{ { { [10] = 255, [11] = 255, [12] = 192, [14] = 2, [15] = 1 }, 53 },
	  PLAN_UDP },
	{ { { 0x20, 1, 0xd, 0xb8, [15] = 1 }, 853 }, PLAN_TLS },
};
static struct plan_forward forward = {
	.policy = POLICY_SEQUENTIAL,
	.upstreams = upstreams,
	.upstream_count = ARRAY_LEN(upstreams),
	.except = { except, 1 },
	.force_tcp = true,
	.race = true,
	.max_fails = 2,
	.max_concurrent = 1000,
	.workers = 3,
	.attempts = 4,
	.try_timeout_ms = 2000,
	.timeout_ms = 5000,
	.health_check_ms = 500,
	.health_check_rd = true,
};
static struct plan_step steps[] = {
	{ .kind = STEP_CHAOS, .texts = chaos_texts, .text_count = 2 },
	{ .kind = STEP_HOSTS, .source = 7, .fallthrough = { true, { fall, 1 } } },
	{ .kind = STEP_FORWARD, .forward = &forward },
};
static struct plan_block blocks[] = {
	{ .server = (char *)"dns://:53",
	  .zones = zones_root,
	  .zone_count = 1,
	  .log = PLAN_LOG_ERROR,
	  .errors = true,
	  .recursion = true,
	  .steps = steps,
	  .step_count = ARRAY_LEN(steps) },
	{ .server = (char *)"dns://:53",
	  .zones = zones_corp,
	  .zone_count = 2,
	  .cache = { .on = true,
		     .success_capacity = 9984,
		     .denial_capacity = 5,
		     .success_max_s = 3600,
		     .success_min_s = 5,
		     .denial_max_s = 1800,
		     .denial_min_s = 1,
		     .failure_s = 5,
		     .disable_denial = true,
		     .disable_denial_zones = { fall, 1 } } },
	{ .server = (char *)"dns://:53", .zones = zones_other, .zone_count = 1 },
};
static struct plan_view views[] = {
	{ .id = 9,
	  .name = (char *)"default",
	  .manual = 4,
	  .label = 5,
	  .blocks = all_blocks,
	  .block_count = 3 },
};
static struct plan_listener listeners[] = {
	{ { { 0 }, 53 }, 0, 9 },
	{ { { [15] = 1 }, 5353 }, 3, 9 },
};

static struct plan sample(void)
{
	zones_root[0] = (struct plan_zone){ name("."), 1 };
	zones_corp[0] = (struct plan_zone){ name("corp.example"), 2 };
	zones_corp[1] = (struct plan_zone){ name("a.b.corp.example"), 63 };
	zones_other[0] = (struct plan_zone){ name("."), 0 };
	except[0] = name("local.example");
	fall[0] = name("in-addr.arpa");
	forward.health_check_name = name(".");
	return (struct plan){ .generation = 12,
			      .udp_payload = 1232,
			      .publish = true,
			      .listeners = listeners,
			      .listener_count = 2,
			      .views = views,
			      .view_count = 1,
			      .blocks = blocks,
			      .block_count = 3,
			      .tcp_idle_ms = 10000,
			      .tcp_connections = 1000 };
}

static void decoded_is_what_was_encoded(void)
{
	struct plan plan = sample(), *copy = NULL;
	char *text = plan_encode(&plan), *again;

	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	CU_ASSERT_EQUAL_FATAL(plan_decode(&copy, text, strlen(text)), 0);
	again = plan_encode(copy);
	CU_ASSERT_STRING_EQUAL(text, again);
	CU_ASSERT_EQUAL(copy->generation, 12);
	CU_ASSERT_EQUAL(copy->listeners[1].local.port, 5353);
	CU_ASSERT_EQUAL(copy->listeners[1].tenant, 3);
	CU_ASSERT_STRING_EQUAL(copy->blocks[0].steps[0].texts[1], "somebody \"else\"");
	CU_ASSERT_EQUAL(copy->blocks[0].steps[2].forward->attempts, 4);
	CU_ASSERT_EQUAL(copy->blocks[0].steps[2].forward->upstreams[1].proto, PLAN_TLS);
	CU_ASSERT_EQUAL(memcmp(copy->blocks[0].steps[2].forward->upstreams, upstreams,
			       sizeof(upstreams[0])),
			0);
	CU_ASSERT_TRUE(copy->blocks[1].cache.disable_denial);
	CU_ASSERT_EQUAL(copy->blocks[1].zones[1].label, 63);
	CU_ASSERT_EQUAL(copy->views[0].label, 5);
	CU_ASSERT_FALSE(copy->blocks[0].steps[1].automatic);
	free(text);
	free(again);
	plan_free(copy);
}

/* Take each key away in turn, and each number out of range: never a crash, -EPROTO. */
static void spoil_each(json_t *root, json_t *value, unsigned *count)
{
	const char *key;
	json_t *member;
	void *next;
	size_t i;

	if (json_is_array(value)) {
		json_array_foreach(value, i, member) spoil_each(root, member, count);
		return;
	}
	json_object_foreach_safe(value, next, key, member)
	{
		json_t *kept = json_incref(member);
		char kept_key[64];
		struct plan *plan = NULL;
		char *text;

		spoil_each(root, member, count);
		snprintf(kept_key, sizeof(kept_key), "%s", key);
		json_object_set_new(value, kept_key, json_integer(-1));
		text = json_dumps(root, 0);
		CU_ASSERT_EQUAL(plan_decode(&plan, text, strlen(text)), -EPROTO);
		CU_ASSERT_PTR_NULL(plan);
		free(text);
		json_object_set_new(value, kept_key, kept);
		(*count)++;
	}
}

static void spoiled_texts_are_refused(void)
{
	struct plan plan = sample(), *got = NULL;
	char *text = plan_encode(&plan);
	json_t *root = json_loads(text, 0, NULL);
	unsigned count = 0;

	spoil_each(root, root, &count);
	CU_ASSERT_TRUE(count > 80);
	for (size_t len = 0; len < strlen(text); len += 7)
		CU_ASSERT_EQUAL(plan_decode(&got, text, len), -EPROTO);
	json_decref(root);
	free(text);
}

static void references_are_checked(void)
{
	struct plan plan = sample(), *got = NULL;
	char *text;

	all_blocks[2] = 3;
	text = plan_encode(&plan);
	all_blocks[2] = 2;
	CU_ASSERT_EQUAL(plan_decode(&got, text, strlen(text)), -EPROTO);
	free(text);
	listeners[0].view = 8;
	text = plan_encode(&plan);
	listeners[0].view = 9;
	CU_ASSERT_EQUAL(plan_decode(&got, text, strlen(text)), -EPROTO);
	free(text);
}

static void longest_zone_wins(void)
{
	static const struct {
		const char *qname;
		uint16_t qtype;
		unsigned block, zone;
	} cases[] = {
		{ ".", TYPE_A, 0, 0 },
		{ "example", TYPE_A, 0, 0 },
		{ "corp.example", TYPE_A, 1, 0 },
		{ "xcorp.example", TYPE_A, 0, 0 },
		{ "b.corp.example", TYPE_A, 1, 0 },
		{ "a.b.corp.example", TYPE_A, 1, 1 },
		{ "x.a.b.corp.example", TYPE_A, 1, 1 },
		{ "corp.example.org", TYPE_A, 0, 0 },
		{ "corp.example", TYPE_DS, 1, 0 }, /* not the root's */
		{ "b.corp.example", TYPE_DS, 1, 0 },
		{ "a.b.corp.example", TYPE_DS, 1, 0 },
		{ "x.a.b.corp.example", TYPE_DS, 1, 1 },
	};
	struct plan plan = sample();

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct plan_name qname = name(cases[i].qname);
		const struct plan_zone *zone = NULL;
		const struct plan_block *block =
			plan_route(&plan, &views[0], qname.wire, cases[i].qtype, &zone);

		CU_ASSERT_PTR_EQUAL(block, &blocks[cases[i].block]);
		CU_ASSERT_PTR_EQUAL(zone, &block->zones[cases[i].zone]);
	}
}

static void no_zone_no_block(void)
{
	struct plan plan = sample();
	struct plan_name qname = name("example.org");
	const struct plan_zone *zone = NULL;
	static unsigned only_corp[] = { 1 };
	struct plan_view view = { .blocks = only_corp, .block_count = 1 };

	CU_ASSERT_PTR_NULL(plan_route(&plan, &view, qname.wire, TYPE_A, &zone));
	CU_ASSERT_PTR_NULL(zone);
}

static void views_are_found(void)
{
	struct plan plan = sample();

	CU_ASSERT_PTR_EQUAL(plan_view_find(&plan, 9), &views[0]);
	CU_ASSERT_PTR_NULL(plan_view_find(&plan, 0));
	CU_ASSERT_PTR_EQUAL(plan_view_by_name(&plan, "default"), &views[0]);
	CU_ASSERT_PTR_NULL(plan_view_by_name(&plan, "defaul"));
}

static void names_cover(void)
{
	struct plan_name list[] = { name("corp.example"), name("in-addr.arpa") };
	struct plan_names some = { list, 2 }, none = { NULL, 0 };
	struct plan_name in = name("1.in-addr.arpa"), out = name("arpa");

	CU_ASSERT_TRUE(plan_names_cover(&none, out.wire, out.len));
	CU_ASSERT_TRUE(plan_names_cover(&some, in.wire, in.len));
	CU_ASSERT_FALSE(plan_names_cover(&some, out.wire, out.len));
}

static const struct check_case cases[] = {
	{ "what is decoded is what was encoded", decoded_is_what_was_encoded },
	{ "spoiled texts are refused", spoiled_texts_are_refused },
	{ "references inside are checked", references_are_checked },
	{ "the longest zone wins, then the first block", longest_zone_wins },
	{ "no zone, no block", no_zone_no_block },
	{ "views are found by number and name", views_are_found },
	{ "lists of names cover what is below", names_cover },
};
CHECK_MAIN("plan", cases)
