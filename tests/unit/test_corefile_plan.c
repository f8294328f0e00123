/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_corefile_plan.c - from a Corefile to the plan the workers get: listeners, views,
 * labels, steps.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "check.h"
#include "config_dump.h"
#include "corefile/config.h"
#include "lane53/abi.h"

/* Numbers per kind in the order they are asked for, as store_id() draws them. */
struct numbers {
	char texts[512][160];
	unsigned count;
	unsigned fail_at; /* the call that fails; 0 = none */
	unsigned calls;
	char problems[1024];
};

static int draw_id(void *context, const char *kind, const char *text, uint32_t *ret_id)
{
	struct numbers *n = context;
	char whole[160];
	uint32_t of_kind = 0;

	if (++n->calls == n->fail_at)
		return -EIO;
	snprintf(whole, sizeof(whole), "%s/%s", kind, text);
	for (unsigned i = 0; i < n->count; i++) {
		of_kind += !strncmp(n->texts[i], kind, strlen(kind));
		if (!strcmp(n->texts[i], whole)) {
			*ret_id = of_kind;
			return 0;
		}
	}
	snprintf(n->texts[n->count++], sizeof(whole), "%s", whole);
	*ret_id = of_kind + 1;
	return 0;
}

static void note_problem(void *context, const struct problem *problem)
{
	struct numbers *n = context;
	size_t len = strlen(n->problems);

	problem_format(problem, n->problems + len, sizeof(n->problems) - len);
}

#define V4(a, b, c, d)                        \
	{                                     \
		[10] = 0xff, 0xff, a, b, c, d \
	}
static const struct config_local locals[] = {
	/* in no order, as the kernel lists them */
	{ "lo", { [15] = 1 } },
	{ "eth0", V4(192, 0, 2, 2) },
	{ "lo", V4(127, 0, 0, 1) },
	{ "eth0", V4(192, 0, 2, 1) },
	{ "eth0", { 0xfe, 0x80, [15] = 1 } }, /* link-local: left out */
};

static struct config *compile(const char *text)
{
	struct config_options options = { .file = "F", .text = text };
	struct config_notes notes = { 0 };
	struct config *config = NULL;

	CU_ASSERT_EQUAL_FATAL(corefile_compile(&config, &options, &notes), 0);
	config_notes_deinit(&notes);
	return config;
}

static struct plan_name name(const char *text)
{
	struct plan_name out = { 0 };

	out.len = (uint8_t)name_from_text(out.wire, text);
	return out;
}

static void dump_plan(FILE *out, const struct plan *plan)
{
	char text[NAME_TEXT_ROOM];

	for (unsigned i = 0; i < plan->listener_count; i++) {
		const struct plan_listener *l = &plan->listeners[i];

		fputs("listen ", out);
		dump_address(out, l->local.addr);
		fprintf(out, "#%u tenant %u view %u\n", l->local.port, l->tenant,
			l->view);
	}
	for (unsigned i = 0; i < plan->view_count; i++) {
		fprintf(out, "view %u %s manual %u:", plan->views[i].id,
			plan->views[i].name, plan->views[i].manual);
		for (unsigned j = 0; j < plan->views[i].block_count; j++)
			fprintf(out, " %u", plan->views[i].blocks[j]);
		fputc('\n', out);
	}
	for (unsigned i = 0; i < plan->block_count; i++) {
		const struct plan_block *block = &plan->blocks[i];

		fprintf(out, "block %s%s%s log %u", block->server,
			block->recursion ? " ra" : "", block->errors ? " errors" : "",
			block->log);
		for (unsigned j = 0; j < block->zone_count; j++) {
			(void)name_to_text(text, block->zones[j].name.wire);
			fprintf(out, " %s=%u", text, block->zones[j].label);
		}
		for (unsigned j = 0; j < block->step_count; j++) {
			const struct plan_step *step = &block->steps[j];

			fprintf(out, "; %d", step->kind);
			if (step->source)
				fprintf(out, " source %u", step->source);
			dump_names(out, "zones", &step->zones);
			if (step->text_count)
				fprintf(out, " '%s'", step->texts[0]);
		}
		fputc('\n', out);
	}
}

static const struct config_found found_zones[] = {
	{ 0,
	  "/z/db.b.example",
	  { 11, "\x01"
		"b\7example" } },
	{ 0,
	  "/z/db.x.b.example",
	  { 13, "\x01x\x01"
		"b\7example" } },
	{ 0, "/z/db.else", { 6, "\4else" } },
	{ 1,
	  "/y/db.b.example",
	  { 11, "\x01"
		"b\7example" } },
};

static const struct {
	const char *name, *text, *want, *problems;
} plans[] = {
	{ "one view, one block for each port",
	  "a.example b.example:54 a.example:54 {\nwhoami\nerrors\n}\n. {\nforward . "
	  "192.0.2.9\nlog . {\nclass error\n}\n}\n",
	  "listen ::#53 tenant 0 view 1\n"
	  "listen ::#54 tenant 0 view 2\n"
	  "view 1 :53 manual 1: 0 2\n"
	  "view 2 :54 manual 2: 1\n"
	  "block dns://:53 errors log 0 a.example.=1; 5\n"
	  "block dns://:54 errors log 0 b.example.=2 a.example.=3; 5\n"
	  "block dns://:53 ra log 4 .=4; 4\n",
	  "" },
	{ "listeners with the same blocks share a view",
	  ". {\nbind 192.0.2.1 192.0.2.2\nwhoami\n}\na.example {\nbind eth0\nwhoami\n}",
	  "listen 192.0.2.1#53 tenant 0 view 1\n"
	  "listen 192.0.2.2#53 tenant 0 view 1\n"
	  "view 1 192.0.2.1:53 manual 1: 0 1\n"
	  "block dns://192.0.2.1:53 log 0 .=1; 5\n"
	  "block dns://192.0.2.1:53 log 0 a.example.=2; 5\n",
	  "" },
	{ "interfaces, exceptions, overlaps and absent ones",
	  ". {\nbind lo 127.0.0.1 eth0 nope0 {\nexcept 192.0.2.2 ::1\n}\nwhoami\n}\n"
	  "a.example {\nbind eth0 {\nexcept eth0\n}\nwhoami\n}",
	  "listen 127.0.0.1#53 tenant 0 view 1\n"
	  "listen 192.0.2.1#53 tenant 0 view 1\n"
	  "view 1 127.0.0.1:53 manual 1: 0\n"
	  "block dns://127.0.0.1:53 log 0 .=1; 5\n"
	  "block dns://:53 log 0 a.example.=2; 5\n",
	  "F:2: bind: 'nope0' gives no address now (expected an interface that is "
	  "there "
	  "and has one): not served thereF:8: bind: 'eth0' gives no address now "
	  "(expected an interface that is there and has one): not served there" },
	{ "0.0.0.0 is any address", ". {\nbind 0.0.0.0\nwhoami\n}",
	  "listen ::#53 tenant 0 view 1\nview 1 :53 manual 1: 0\n"
	  "block dns://:53 log 0 .=1; 5\n",
	  "" },
	{ "a tenant of its own",
	  ". {\nxdp eth0\nwhoami\n}\n. {\nxdp eth0 {\nvlan 5\n}\nwhoami\n}",
	  "listen ::#53 tenant 0 view 1\n"
	  "listen ::#53 tenant 1 view 2\n"
	  "view 1 :53 manual 1: 0\n"
	  "view 2 :53@eth0;vlan=5 manual 2: 1\n"
	  "block dns://:53 log 0 .=1; 5\n"
	  "block dns://:53 log 0 .=1; 5\n",
	  "" },
	{ "steps in their order, zones before their parents, file before auto",
	  "b.example {\nforward . 192.0.2.9\nauto {\ndirectory /z\n}\nauto "
	  "{\ndirectory "
	  "/y\n}\nfile z a.b.example\nfile y aa.a.b.example\nhosts\nchaos v\nloop\n}",
	  "listen ::#53 tenant 0 view 1\n"
	  "view 1 :53 manual 6: 0\n"
	  "block dns://:53 ra log 0 b.example.=1; 0 'v'; 1 source 1; 2 source 3 "
	  "zones=aa.a.b.example.; 2 source 2 zones=a.b.example.; 2 source 5 "
	  "zones=x.b.example.; 2 source 4 zones=b.example.; 3 '1.2.b.example.'; 4\n",
	  "" },
};

static void plans_are_as_wanted(void)
{
	for (size_t i = 0; i < ARRAY_LEN(plans); i++) {
		struct config *config = compile(plans[i].text);
		struct numbers *numbers = calloc(1, sizeof(*numbers));
		struct plan_inputs inputs = {
			.id = draw_id,
			.problem = note_problem,
			.context = numbers,
			.locals = locals,
			.local_count = ARRAY_LEN(locals),
			.found = found_zones,
			.found_count = ARRAY_LEN(found_zones),
			.loop_token = "1.2",
			.generation = 3,
		};
		struct plan_origins origins;
		struct plan *plan = NULL, *copy = NULL;
		char *got = NULL, *encoded;
		size_t len;
		FILE *out = open_memstream(&got, &len);

		CU_ASSERT_EQUAL_FATAL(plan_build(&plan, &origins, config, &inputs), 0);
		dump_plan(out, plan);
		fclose(out);
		CU_ASSERT_STRING_EQUAL(got, plans[i].want);
		if (strcmp(got, plans[i].want))
			printf("%s: got\n%s", plans[i].name, got);
		CU_ASSERT_STRING_EQUAL(numbers->problems, plans[i].problems);
		CU_ASSERT_EQUAL(plan->generation, 3);
		for (unsigned j = 0; j < plan->block_count; j++)
			CU_ASSERT_TRUE(origins.block_of[j] < config->block_count);
		encoded = plan_encode(plan);
		CU_ASSERT_EQUAL(plan_decode(&copy, encoded, strlen(encoded)), 0);
		free(encoded);
		plan_free(copy);
		plan_free(plan);
		plan_origins_deinit(&origins);
		config_free(config);
		free(numbers);
		free(got);
	}
}

static void labels_end_in_the_rest(void)
{
	struct config *config = compile("10.128.0.0/9 {\nwhoami\n}");
	struct numbers *numbers = calloc(1, sizeof(*numbers));
	struct plan_inputs inputs = { .id = draw_id, .context = numbers };
	struct plan_origins origins;
	struct plan *plan = NULL;

	CU_ASSERT_EQUAL_FATAL(plan_build(&plan, &origins, config, &inputs), 0);
	CU_ASSERT_EQUAL(plan->blocks[0].zone_count, 128);
	for (unsigned i = 0; i < 128; i++)
		CU_ASSERT_EQUAL(plan->blocks[0].zones[i].label,
				i + 1 < LANE53_LABEL_MAX ? i + 1 : 0);
	CU_ASSERT_EQUAL(plan->views[0].label, 0);
	plan_free(plan);
	plan_origins_deinit(&origins);
	config_free(config);
	free(numbers);
}

/* Whichever number cannot be drawn: the error is passed up and nothing leaks (ASan). */
static void failures_are_passed_up(void)
{
	struct config *config = compile(plans[5].text);

	for (unsigned fail_at = 1;; fail_at++) {
		struct numbers *numbers = calloc(1, sizeof(*numbers));
		struct plan_inputs inputs = { .id = draw_id,
					      .context = numbers,
					      .loop_token = "1.2",
					      .found = found_zones,
					      .found_count = 2 };
		struct plan_origins origins;
		struct plan *plan = NULL;
		int r;

		numbers->fail_at = fail_at;
		r = plan_build(&plan, &origins, config, &inputs);
		fail_at = numbers->calls < fail_at ? 1000 : fail_at;
		free(numbers);
		if (fail_at == 1000) {
			CU_ASSERT_EQUAL(r, 0);
			plan_free(plan);
			plan_origins_deinit(&origins);
			break;
		}
		CU_ASSERT_EQUAL(r, -EIO);
		CU_ASSERT_PTR_NULL(plan);
	}
	config_free(config);
}

static void nowhere_to_listen_is_an_error(void)
{
	struct config *config = compile(". {\nbind nope0\nwhoami\n}");
	struct numbers *numbers = calloc(1, sizeof(*numbers));
	struct plan_inputs inputs = { .id = draw_id, .context = numbers };
	struct plan_origins origins;
	struct plan *plan = NULL;

	CU_ASSERT_EQUAL(plan_build(&plan, &origins, config, &inputs), -EADDRNOTAVAIL);
	config_free(config);
	free(numbers);
}

static void zones_have_a_number_by_file_and_origin(void)
{
	struct plan_name origin = name("b.example");
	char text[256];

	config_zone_id(text, sizeof(text), "/z/db.b", origin.wire);
	CU_ASSERT_STRING_EQUAL(text, "zone /z/db.b b.example.");
}

/* Numbers are drawn by texts of a bounded length; the scope of a tenant has none. */
static void tenants_of_many_interfaces(void)
{
	char text[4096] = "", interfaces[1024] = "";
	struct config *config;

	for (unsigned i = 0; i < 60; i++)
		sprintf(interfaces + strlen(interfaces), " veth%010u", i);
	for (unsigned vlan = 7; vlan < 10; vlan++)
		sprintf(text + strlen(text),
			".:53 {\n xdp %s {\n vlan %u\n }\n whoami\n}\n", interfaces,
			vlan);
	config = compile(text);
	CU_ASSERT_EQUAL_FATAL(config->xdp_count, 3);
	for (unsigned i = 0; i < 3; i++) {
		CU_ASSERT_TRUE(strlen(config->xdp[i].tenant) <= 256);
		CU_ASSERT_STRING_NOT_EQUAL(config->xdp[i].tenant,
					   config->xdp[(i + 1) % 3].tenant);
	}
	config_free(config);
}

static const struct check_case cases[] = {
	{ "plans are as wanted", plans_are_as_wanted },
	{ "labels beyond the last share the rest", labels_end_in_the_rest },
	{ "failures are passed up", failures_are_passed_up },
	{ "nowhere to listen is an error", nowhere_to_listen_is_an_error },
	{ "tenants of many interfaces", tenants_of_many_interfaces },
	{ "a zone's number is by file and origin",
	  zones_have_a_number_by_file_and_origin },
};
CHECK_MAIN("corefile_plan", cases)
