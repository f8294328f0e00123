/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_auto.c - zone files found by name.
 */
#include "check.h"

#include <errno.h>
#include <sys/stat.h>

#include "corefile/config.h"
#include "source/auto.h"
#include "source_texts.h"

static char dir[64];

/* In the order of making; a '/' at the end makes a directory, '>' a link. */
static const char *const tree[] = {
	"db.ex.org",
	"db.B.example",
	"x-db.c.example",
	"notes.txt",
	"sub/",
	"sub/db.sub.example",
	".hidden/",
	".hidden/db.hidden.example",
	"db.link.example>.hidden/db.hidden.example",
	"loop>.",
	"db.a..b",
	"db.gone>nothing",
	"sub/db.ex.org",
};

static void make_tree(void)
{
	char path[256];

	snprintf(dir, sizeof(dir), "/tmp/lane53-test-auto-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	for (size_t i = 0; i < ARRAY_LEN(tree); i++) {
		char *end = path + snprintf(path, sizeof(path), "%s/%s", dir, tree[i]);
		char *target = strchr(path, '>');

		if (end[-1] == '/') {
			CU_ASSERT_EQUAL(mkdir(path, 0700), 0);
		} else if (target) {
			*target++ = 0;
			CU_ASSERT_EQUAL(symlink(target, path), 0);
		} else {
			write_text(path, "", 0);
		}
	}
}

static void drop_tree(void)
{
	char path[256];

	for (size_t i = ARRAY_LEN(tree); i-- > 0;) {
		snprintf(path, sizeof(path), "%s/%s", dir, tree[i]);
		path[strcspn(path, ">")] = 0;
		CU_ASSERT_EQUAL(remove(path), 0);
	}
	CU_ASSERT_EQUAL(rmdir(dir), 0);
}

static const struct {
	const char *name, *pattern, *origin_text, *zone;
	const char *want;     /* "path origin;" */
	const char *problems; /* parts, each to be found; NULL ends */
	unsigned problem_count;
} all[] = {
	{ "CoreDNS's default: matches anywhere", "db\\.(.*)", "{1}", NULL,
	  "db.B.example b.example.;db.ex.org ex.org.;db.link.example link.example.;"
	  "sub/db.sub.example sub.example.;x-db.c.example c.example.;",
	  "is the same zone; expected one file", 2 },
	{ "anchored", "^db\\.(.*)\\.example$", "{1}", NULL,
	  "db.B.example b.;db.link.example link.;sub/db.sub.example sub.;", "", 0 },
	{ "template around groups", "^db\\.([a-z]*)\\.(org)$", "{2}.{1}.x{9}{", NULL,
	  "db.ex.org org.ex.x{.;", "is the same zone", 1 },
	{ "only the directive's zones", "db\\.(.*)", "{1}", "org", "db.ex.org ex.org.;",
	  "is outside of this directive's zones", 6 },
	{ "whole match", "^notes", "{0}", NULL, "notes.txt notes.;", "", 0 },
};

static void every_case(void)
{
	make_tree();
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		char problems[TEXT_ROOM] = "", got[TEXT_ROOM] = "";
		struct report report = { .each = print_problem, .context = problems };
		struct config_source source = {
			.path = dir,
			.pattern = all[i].pattern,
			.origin_text = all[i].origin_text,
		};
		struct auto_zones zones = { 0 };
		struct plan_name zone;
		unsigned told = 0;

		if (all[i].zone) {
			zone.len = (uint8_t)name_from_text(zone.wire, all[i].zone);
			source.zones = (struct plan_names){ &zone, 1 };
		}
		CU_ASSERT_EQUAL_FATAL(auto_scan(&zones, &source, &report), 0);
		for (unsigned z = 0; z < zones.count; z++) {
			char name[NAME_TEXT_ROOM];

			name_to_text(name, zones.at[z].origin.wire);
			CU_ASSERT_EQUAL(zones.at[z].origin.len,
					name_size(zones.at[z].origin.wire));
			sprintf(got + strlen(got), "%s %s;",
				zones.at[z].path + strlen(dir) + 1, name);
		}
		for (const char *p = problems; (p = strchr(p, '(')); p++)
			told++;
		if (strcmp(got, all[i].want) || told != all[i].problem_count)
			printf("\n  %s:\n  got %s\n  problems %s\n", all[i].name, got,
			       problems);
		CU_ASSERT_STRING_EQUAL(got, all[i].want);
		CU_ASSERT_EQUAL(told, all[i].problem_count);
		CU_ASSERT_PTR_NOT_NULL(strstr(problems, all[i].problems));
		auto_zones_deinit(&zones);
	}
	drop_tree();
}

static void what_cannot_be(void)
{
	static const struct {
		const char *path, *pattern, *problem;
	} bad[] = {
		{ "/nonexistent", "x",
		  "!0(cannot be read: No such file or directory; "
		  "expected a directory of zone files) " },
		{ "/tmp", "(", "!12(\"(\": " },
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		char problems[TEXT_ROOM] = "";
		struct report report = { .each = print_problem, .context = problems };
		struct config_source source = {
			.path = bad[i].path,
			.pattern = bad[i].pattern,
			.origin_text = "{1}",
			.place = { "Corefile", 12 },
		};
		struct auto_zones zones = { 0 };

		CU_ASSERT_EQUAL(auto_scan(&zones, &source, &report), -EINVAL);
		CU_ASSERT_EQUAL(
			strncmp(problems, bad[i].problem, strlen(bad[i].problem)), 0);
		CU_ASSERT_PTR_NULL(zones.at);
	}
}

static const struct check_case cases[] = {
	{ "every case", every_case },
	{ "what cannot be", what_cannot_be },
};

CHECK_MAIN("auto", cases)
