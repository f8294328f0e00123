/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_commit.c - what is published by difference is what a refill would publish.
 *
 * Real store, real engine, tables in plain memory.  After each commit every name and
 * type of a small world is looked up in the table that commits kept up to date and in
 * one filled from nothing, and both have to say the same bytes.
 */
#include "check.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cache/answer.h"
#include "cache/table.h"
#include "corefile/config.h"
#include "daemon/aliases.h"
#include "daemon/commit.h"
#include "daemon/publish.h"
#include "daemon/rrtext.h"
#include "dns/name.h"
#include "lane53/wire.h"
#include "plan/plan.h"
#include "problem.h"
#include "store/store.h"

#define FILE_BLOCK(port) \
	"example.org:" port " {\n  file /nowhere/db\n  forward . 192.0.2.1\n}\n"
#define HOSTS_BLOCK(port)                                                           \
	".:" port " {\n  hosts {\n 192.0.2.9 h.test\n fallthrough\n }\n forward . " \
	"192.0.2.1\n}\n"

static const char one_view[] = FILE_BLOCK("53") HOSTS_BLOCK("53");
static const char two_views[] = FILE_BLOCK("53") FILE_BLOCK("54");
static const char logged[] = "example.org:53 {\n file /nowhere/db\n log\n"
			     " forward . 192.0.2.1\n}\n" HOSTS_BLOCK("53");

/* ---- tables in memory ---- */

struct memory {
	struct table_arrays arrays;
	struct table *table;
};

static uint32_t secret[LANE53_SECRET_WORDS];

static void memory_open(struct memory *m, uint32_t slots)
{
	for (unsigned i = 0; i < LANE53_SECRET_WORDS; i++)
		secret[i] = 0x9e3779b9u * (i + 1);
	m->arrays = (struct table_arrays){
		.slots = aligned_alloc(64, slots * sizeof(struct lane53_slot)),
		.slot_count = slots,
		.small = calloc(slots, sizeof(struct lane53_small)),
		.small_count = slots,
		.large = calloc(64, sizeof(struct lane53_large)),
		.large_count = 64,
		.secret = secret,
	};
	memset(m->arrays.slots, 0, slots * sizeof(struct lane53_slot));
	CU_ASSERT_EQUAL_FATAL(table_open(&m->table, &m->arrays), 0);
}

static void memory_free(struct memory *m)
{
	free(m->arrays.slots);
	free(m->arrays.small);
	free(m->arrays.large);
}

/* ---- one daemon's worth ---- */

#define FLUSHES_MAX 64

static struct world {
	char dir[64];
	struct store *store;
	struct memory memory;
	struct publisher *publisher;
	struct commits *commits;
	unsigned flush_count;
	char flushes[FLUSHES_MAX][300]; /* "VIEW NAME" */
} w;

static void on_flush(void *context, uint32_t view, const uint8_t *name,
		     commit_flushed *flushed, void *flushed_context)
{
	char text[NAME_TEXT_ROOM] = "*";

	(void)context;
	if (name)
		name_to_text(text, name);
	if (w.flush_count < FLUSHES_MAX)
		snprintf(w.flushes[w.flush_count++], sizeof(w.flushes[0]), "%u %.200s",
			 view, text);
	flushed(flushed_context);
}

static void world_open(uint32_t slots, const struct publish_growth *growth)
{
	struct commits_config config = { .flush = on_flush };

	memset(&w, 0, sizeof(w));
	snprintf(w.dir, sizeof(w.dir), "/tmp/lane53-commit-%d", getpid());
	CU_ASSERT_EQUAL_FATAL(store_open(&w.store, w.dir, STORE_READ_WRITE, 64 << 20),
			      0);
	memory_open(&w.memory, slots);
	CU_ASSERT_EQUAL_FATAL(publisher_open(&w.publisher, w.memory.table, growth), 0);
	config.store = w.store;
	config.publisher = w.publisher;
	CU_ASSERT_EQUAL_FATAL(commits_open(&w.commits, &config), 0);
}

static void world_close(void)
{
	char command[128];

	commits_close(w.commits);
	publisher_close(w.publisher);
	store_close(w.store);
	memory_free(&w.memory);
	snprintf(command, sizeof(command), "rm -rf %s", w.dir);
	CU_ASSERT_EQUAL(system(command), 0);
}

static int draw_id(void *context, const char *kind, const char *text, uint32_t *ret_id)
{
	return store_id(commit_writer(context), kind, text, ret_id);
}

/* Add the plan of @corefile to @commit. */
static void put_plan(struct commit *commit, const char *corefile)
{
	struct config_options options = { .file = "Corefile", .text = corefile };
	struct config_notes notes = { NULL, 0 };
	struct plan_inputs inputs = {
		.id = draw_id, .context = commit, .loop_token = "1.2", .publish = true
	};
	struct plan_origins origins;
	struct config *config;
	struct plan *plan;

	CU_ASSERT_EQUAL_FATAL(corefile_compile(&config, &options, &notes), 0);
	CU_ASSERT_EQUAL_FATAL(plan_build(&plan, &origins, config, &inputs), 0);
	plan_origins_deinit(&origins);
	config_free(config);
	config_notes_deinit(&notes);
	commit_plan(commit, plan);
}

static const uint8_t origin[] = "\7example\3org";

/* Number of the zone file's source. */
static uint32_t zone_source(struct commit *commit)
{
	char text[600];
	uint32_t id = 0;

	config_zone_id(text, sizeof(text), "/nowhere/db", origin);
	CU_ASSERT_EQUAL(store_id(commit_writer(commit), "source", text, &id), 0);
	return id;
}

/* "RR" sets the RRset of its owner and type to it; "-NAME" deletes all of NAME. */
static void edit(struct commit *commit, uint32_t source, const char *text)
{
	struct rrtext rrs = { NULL, 0 };
	uint8_t wire[255], owner[255];

	if (text[0] == '-') {
		static const uint16_t types[] = { TYPE_A,     TYPE_AAAA, TYPE_TXT,
						  TYPE_CNAME, TYPE_NS,   TYPE_DNAME };

		CU_ASSERT_TRUE_FATAL(name_from_text(wire, text + 1) > 0);
		name_lower(owner, wire);
		for (size_t i = 0; i < ARRAY_LEN(types); i++)
			(void)store_delete(commit_writer(commit), source, owner,
					   types[i]);
		CU_ASSERT_EQUAL(commit_changed(commit, source, owner), 0);
		return;
	}
	CU_ASSERT_EQUAL_FATAL(rrtext_add(&rrs, text, NULL), 0);
	CU_ASSERT_EQUAL(store_put(commit_writer(commit), source, rrs.at[0].owner,
				  &rrs.at[0].set),
			0);
	CU_ASSERT_EQUAL(commit_changed(commit, source, rrs.at[0].owner), 0);
	rrtext_deinit(&rrs);
}

static void change(const char *corefile, const char *const *edits, size_t count)
{
	struct commit *commit;

	CU_ASSERT_EQUAL_FATAL(commit_begin(&commit, w.commits), 0);
	if (corefile)
		put_plan(commit, corefile);
	for (size_t i = 0; i < count && edits[i]; i++)
		edit(commit, zone_source(commit), edits[i]);
	CU_ASSERT_EQUAL_FATAL(commit_end(commit, NULL, NULL), 0);
}

/* ---- comparing ---- */

#define SOA(serial) \
	"example.org. 60 SOA ns.example.org. h.example.org. " serial " 9 9 9 60"

static const char *const names[] = {
	"example.org.",       "a.example.org.",     "b.example.org.",
	"c.b.example.org.",   "w.example.org.",     "*.w.example.org.",
	"x.w.example.org.",   "y.x.w.example.org.", "sub.example.org.",
	"n.sub.example.org.", "d.example.org.",     "e.d.example.org.",
	"al.example.org.",    "am.example.org.",    "an.example.org.",
	"ns.example.org.",
};
static const uint16_t types[] = { TYPE_A,  TYPE_AAAA, TYPE_HTTPS, TYPE_TXT,
				  TYPE_NS, TYPE_SOA,  TYPE_CNAME, TYPE_DNAME };

struct shown {
	int result;
	uint16_t flags;
	bool log;
	size_t len;
	uint8_t bytes[LANE53_LARGE_BYTES];
};

static void look(const struct table_arrays *arrays, uint32_t view, const char *name,
		 uint16_t type, struct shown *shown)
{
	uint8_t wire[255];
	struct table_key key = { .qname = wire, .qtype = type, .view = view };
	struct answer answer = { .bytes = shown->bytes, .room = sizeof(shown->bytes) };
	struct table_meta meta = { .log = false };

	memset(shown, 0, sizeof(*shown));
	CU_ASSERT_TRUE_FATAL(name_from_text(wire, name) > 0);
	shown->result = table_lookup(arrays, &key, 1, &answer, &meta);
	if (shown->result)
		return;
	shown->flags = answer.flags;
	shown->log = meta.log;
	shown->len = answer.len;
}

/* Fill a table from nothing and compare; returns how many answers there are. */
static unsigned compare(const struct table_arrays *arrays)
{
	const struct plan *plan = commits_plan(w.commits);
	struct publisher *publisher;
	struct memory fresh;
	struct store_read *read;
	unsigned present = 0, wrong = 0;

	memory_open(&fresh, 4096);
	CU_ASSERT_EQUAL_FATAL(publisher_open(&publisher, fresh.table, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(store_read_begin(w.store, &read), 0);
	for (unsigned v = 0; v < plan->view_count; v++)
		publisher_publish_view(publisher, plan, read, plan->views[v].id);
	store_read_end(read);
	for (unsigned v = 0; v < plan->view_count; v++)
		for (size_t n = 0; n < ARRAY_LEN(names) * ARRAY_LEN(types); n++) {
			const char *name = names[n / ARRAY_LEN(types)];
			uint16_t type = types[n % ARRAY_LEN(types)];
			struct shown kept, refilled;

			look(arrays, plan->views[v].id, name, type, &kept);
			look(&fresh.arrays, plan->views[v].id, name, type, &refilled);
			present += kept.result == 0;
			if (!memcmp(&kept, &refilled, sizeof(kept)))
				continue;
			wrong++;
			printf("    %s type %u in view %u: %s\n", name, type,
			       plan->views[v].id,
			       kept.result       ? "missing"
			       : refilled.result ? "left over"
						 : "outdated");
		}
	publisher_close(publisher);
	memory_free(&fresh);
	CU_ASSERT_EQUAL(wrong, 0);
	return present;
}

static bool is_flushed(const char *text)
{
	for (unsigned i = 0; i < w.flush_count; i++)
		if (!strcmp(strchr(w.flushes[i], ' ') + 1, text))
			return true;
	return false;
}

/* ---- cases ---- */

static const char *const basis[] = { SOA("1"),
				     "example.org. 60 NS ns.example.org.",
				     "ns.example.org. 60 A 192.0.2.53",
				     "a.example.org. 60 A 192.0.2.1",
				     "al.example.org. 60 CNAME a.example.org.",
				     "am.example.org. 60 CNAME x.w.example.org.",
				     "*.w.example.org. 60 A 192.0.2.2",
				     "d.example.org. 60 DNAME w.example.org.",
				     "an.example.org. 60 CNAME k.d.example.org." };

static const struct {
	const char *name;
	const char *edits[4];
	const char *flushed; /* NULL: nothing is */
} cases[] = {
	{ "another address", { "a.example.org. 60 A 192.0.2.77" }, NULL },
	{ "another TTL", { "a.example.org. 61 A 192.0.2.1" }, NULL },
	{ "a new name", { "b.example.org. 60 A 192.0.2.4" }, "b.example.org." },
	{ "a name goes, an alias leads to it",
	  { "-a.example.org." },
	  "a.example.org." },
	{ "a serial: negative answers", { SOA("2") }, NULL },
	{ "a wildcard changes under an alias",
	  { "*.w.example.org. 60 A 192.0.2.5" },
	  NULL },
	{ "a wildcard goes", { "-*.w.example.org." }, "*.w.example.org." },
	{ "a name hides a wildcard",
	  { "x.w.example.org. 60 TXT \"x\"" },
	  "x.w.example.org." },
	{ "a name below hides a wildcard",
	  { "y.x.w.example.org. 60 TXT \"y\"" },
	  "y.x.w.example.org." },
	{ "a cut, and names below it",
	  { "n.sub.example.org. 60 A 192.0.2.6", "sub.example.org. 60 NS n.a." },
	  "sub.example.org." },
	{ "a DNAME leads elsewhere",
	  { "d.example.org. 60 DNAME a.example.org.",
	    "k.a.example.org. 60 A 192.0.2.7" },
	  "k.a.example.org." },
	{ "an alias leads outside",
	  { "al.example.org. 60 CNAME elsewhere.test." },
	  NULL },
	{ "an alias comes home", { "am.example.org. 60 CNAME a.example.org." }, NULL },
	{ "a chain of aliases",
	  { "am.example.org. 60 CNAME al.example.org.",
	    "a.example.org. 60 A 192.0.2.8" },
	  NULL },
};

static void every_case(void)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		printf("\n    %s", cases[i].name);
		world_open(4096, NULL);
		change(two_views, basis, ARRAY_LEN(basis));
		CU_ASSERT_TRUE(compare(&w.memory.arrays) > 20);
		w.flush_count = 0;
		change(NULL, cases[i].edits, ARRAY_LEN(cases[i].edits));
		CU_ASSERT_TRUE(compare(&w.memory.arrays) > 20);
		if (cases[i].flushed)
			CU_ASSERT_TRUE(is_flushed(cases[i].flushed))
		else
			CU_ASSERT_EQUAL(w.flush_count, 0);
		world_close();
	}
	printf("\n  ...");
}

static void another_plan(void)
{
	uint64_t generation;
	struct shown shown;

	world_open(4096, NULL);
	change(one_view, basis, ARRAY_LEN(basis));
	generation = commits_plan(w.commits)->generation;
	compare(&w.memory.arrays);
	w.flush_count = 0;

	change(one_view, NULL, 0); /* the same again */
	CU_ASSERT_EQUAL(commits_plan(w.commits)->generation, generation);
	CU_ASSERT_EQUAL(w.flush_count, 0);

	change(logged, NULL, 0);
	CU_ASSERT_EQUAL(commits_plan(w.commits)->generation, generation + 1);
	CU_ASSERT_TRUE(is_flushed("*"));
	compare(&w.memory.arrays);
	look(&w.memory.arrays, commits_plan(w.commits)->views[0].id, "a.example.org.",
	     TYPE_A, &shown);
	CU_ASSERT_EQUAL(shown.result, 0);
	CU_ASSERT_TRUE(shown.log);

	change(HOSTS_BLOCK("53"), NULL, 0); /* the zone is not served any more */
	look(&w.memory.arrays, commits_plan(w.commits)->views[0].id, "a.example.org.",
	     TYPE_A, &shown);
	CU_ASSERT_NOT_EQUAL(shown.result, 0);
	compare(&w.memory.arrays);
	world_close();
}

/*
 * Negative answers at the end of a chain are published again with each serial of the
 * alias's zone, and do not forget the chain: it may not be kept once more each time.
 */
static void a_chain_is_remembered_once(void)
{
#define CNAME_RR(owner, target_size, target) \
	owner "\0\5\0\1\0\0\0\74\0" target_size target
	static const uint8_t alias[] = "\2am\7example\3org";
	static char bytes[] = CNAME_RR("\xc0\x0c", "\10", "\1b\4test\0")
		CNAME_RR("\1b\4test\0", "\10", "\1c\4test\0");
	struct answer whole = { .bytes = (uint8_t *)bytes,
				.len = sizeof(bytes) - 1,
				.ancount = 2 };
	struct answer first = whole;
	struct aliases aliases;
	size_t before = 0;
	bool referral;

	first.ancount = 1;
	first.len = 20;
	aliases_init(&aliases);
	for (unsigned i = 0; i < 200; i++) {
		CU_ASSERT_EQUAL(
			aliases_note(&aliases, 1, alias, &first, NULL, &referral), 0);
		CU_ASSERT_EQUAL(
			aliases_note(&aliases, 1, alias, &whole, NULL, &referral), 0);
		if (i == 1)
			before = mallinfo2().uordblks;
	}
	CU_ASSERT_EQUAL(aliases.count, 1);
	CU_ASSERT_EQUAL(mallinfo2().uordblks, before);
	aliases_deinit(&aliases);
}

/* A view that goes and comes back has its number still, and so have cached answers. */
static void a_view_that_comes_back(void)
{
	world_open(4096, NULL);
	change(two_views, basis, ARRAY_LEN(basis));
	change(FILE_BLOCK("53"), NULL, 0);
	w.flush_count = 0;
	change(two_views, NULL, 0);
	CU_ASSERT_TRUE(is_flushed("*"));
	compare(&w.memory.arrays);
	world_close();
}

static void nothing_is_seen_half_done(void)
{
	struct commit *commit;
	struct shown shown;

	world_open(4096, NULL);
	change(one_view, basis, ARRAY_LEN(basis));
	CU_ASSERT_EQUAL_FATAL(commit_begin(&commit, w.commits), 0);
	edit(commit, zone_source(commit), "a.example.org. 60 A 192.0.2.200");
	commit_abort(commit);
	compare(&w.memory.arrays);
	look(&w.memory.arrays, commits_plan(w.commits)->views[0].id, "a.example.org.",
	     TYPE_A, &shown);
	CU_ASSERT_EQUAL(shown.result, 0);
	CU_ASSERT_EQUAL(shown.bytes[shown.len - 1], 1);
	world_close();
}

/* ---- growth ---- */

static struct memory larger;
static unsigned grown;

static int grow_begin(void *context, const struct table_room *need,
		      struct table **ret_table)
{
	(void)context;
	CU_ASSERT_TRUE(need->slots > 16);
	memory_open(&larger, 4096);
	*ret_table = larger.table;
	return 0;
}

static int grow_commit(void *context)
{
	(void)context;
	grown++;
	return 0;
}

static void a_full_table_grows(void)
{
	struct publish_growth growth = { grow_begin, grow_commit, NULL };

	grown = 0;
	world_open(16, &growth);
	change(one_view, basis, ARRAY_LEN(basis));
	CU_ASSERT_EQUAL(grown, 1);
	CU_ASSERT_EQUAL(commits_left_out(w.commits), 0);
	compare(&larger.arrays);
	world_close();
	memory_free(&larger);
}

static int grow_refused(void *context)
{
	(void)context;
	memory_free(&larger);
	return -EPERM;
}

/* What XDP goes on reading is what has to be true. */
static void growth_that_fails(void)
{
	struct publish_growth growth = { grow_begin, grow_refused, NULL };
	static const char *const edits[] = { "a.example.org. 60 A 192.0.2.99" };
	struct shown shown;
	unsigned view;

	world_open(16, &growth);
	change(one_view, basis, ARRAY_LEN(basis));
	CU_ASSERT_TRUE(commits_left_out(w.commits) > 0);
	CU_ASSERT_PTR_EQUAL(publisher_table(w.publisher), w.memory.table);
	change(NULL, edits, 1);
	view = commits_plan(w.commits)->views[0].id;
	look(&w.memory.arrays, view, "a.example.org.", TYPE_A, &shown);
	if (shown.result == 0)
		CU_ASSERT_EQUAL(shown.bytes[shown.len - 1], 99);
	world_close();
}

static void one_far_too_small_grows_at_once(void)
{
	struct publish_growth growth = { grow_begin, grow_commit, NULL };
	static char text[400][64];
	const char *edits[400];
	struct shown shown;

	grown = 0;
	world_open(16, &growth);
	for (unsigned i = 0; i < ARRAY_LEN(edits); i++) {
		snprintf(text[i], sizeof(text[i]), "n%u.example.org. 60 A 192.0.2.1",
			 i);
		edits[i] = text[i];
	}
	edits[0] = SOA("1");
	change(one_view, edits, ARRAY_LEN(edits));
	CU_ASSERT_EQUAL(grown, 1);
	CU_ASSERT_EQUAL(commits_left_out(w.commits), 0);
	for (unsigned i = 1; i < ARRAY_LEN(edits); i++) {
		char name[32];

		snprintf(name, sizeof(name), "n%u.example.org.", i);
		look(&larger.arrays, commits_plan(w.commits)->views[0].id, name, TYPE_A,
		     &shown);
		CU_ASSERT_EQUAL(shown.result, 0);
	}
	world_close();
	memory_free(&larger);
}

static void without_growth_names_are_left_out(void)
{
	world_open(16, NULL);
	change(one_view, basis, ARRAY_LEN(basis));
	CU_ASSERT_TRUE(commits_left_out(w.commits) > 0);
	world_close();
}

/* ---- at random ---- */

static uint32_t state = 1;

static unsigned draw(unsigned below)
{
	state = state * 1664525 + 1013904223;
	return (state >> 8) % below;
}

static void random_edit(char out[200])
{
	const char *owner = names[1 + draw(ARRAY_LEN(names) - 1)];
	const char *target = names[draw(ARRAY_LEN(names))];

	switch (draw(10)) {
	case 0:
		snprintf(out, 200, "%s 60 CNAME %s", owner, target);
		return;
	case 1:
		snprintf(out, 200, "sub.example.org. 60 NS %s", target);
		return;
	case 2:
		snprintf(out, 200, "d.example.org. 60 DNAME w.example.org.");
		return;
	case 3:
		snprintf(out, 200,
			 "example.org. 60 SOA ns.example.org. h.example.org. %u 9 9 9 "
			 "60",
			 draw(1000));
		return;
	case 4:
	case 5:
	case 6:
		snprintf(out, 200, "-%s", owner);
		return;
	case 7:
		snprintf(out, 200, "%s 60 TXT \"%u\"", owner, draw(1000));
		return;
	default:
		snprintf(out, 200, "%s 60 A 192.0.2.%u", owner, draw(250));
	}
}

static void difference_equals_refill(void)
{
	char text[3][200];
	const char *edits[3];

	world_open(4096, NULL);
	change(two_views, basis, ARRAY_LEN(basis));
	for (unsigned round = 0; round < 2000; round++) {
		unsigned count = 1 + draw(3), failures = CU_get_number_of_failures();

		for (unsigned i = 0; i < count; i++) {
			random_edit(text[i]);
			edits[i] = text[i];
		}
		change(NULL, edits, count);
		compare(&w.memory.arrays);
		if (CU_get_number_of_failures() == failures)
			continue;
		for (unsigned i = 0; i < count; i++)
			printf("    round %u: %s\n", round, text[i]);
		break;
	}
	world_close();
}

static const struct check_case tests[] = {
	{ "each kind of change", every_case },
	{ "another plan", another_plan },
	{ "a chain is remembered once", a_chain_is_remembered_once },
	{ "a view that comes back", a_view_that_comes_back },
	{ "an aborted commit", nothing_is_seen_half_done },
	{ "a full table grows", a_full_table_grows },
	{ "growth that fails", growth_that_fails },
	{ "one far too small grows at once", one_far_too_small_grows_at_once },
	{ "without growth names are left out", without_growth_names_are_left_out },
	{ "2,000 random commits: difference equals refill", difference_equals_refill },
};

CHECK_MAIN("commit", tests)
