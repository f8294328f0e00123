/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_corefile_docs.c - docs/configuration.md agrees with the table of directives, and
 * each Corefile in it compiles.  `test_corefile_docs --write` brings the reference up to
 * date.
 */
#include <stdlib.h>
#include <string.h>
#include "check.h"
#include "corefile/directive.h"

#define PAGE  CHECK_SOURCE_ROOT "/docs/configuration.md"
#define BEGIN "from the table in control/corefile/directive.c -->\n"
#define END   "<!-- end -->"

static char *read_page(void)
{
	static char page[1 << 18];
	FILE *file = fopen(PAGE, "r");
	size_t len = file ? fread(page, 1, sizeof(page) - 1, file) : 0;

	if (file)
		fclose(file);
	page[len] = 0;
	return page;
}

static char *reference(void)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	directive_reference(out);
	fclose(out);
	return text;
}

static void page_has_the_reference(void)
{
	char *page = read_page(), *want = reference();
	char *begin = strstr(page, BEGIN), *end = strstr(page, END);

	CU_ASSERT_PTR_NOT_NULL_FATAL(begin);
	CU_ASSERT_PTR_NOT_NULL_FATAL(end);
	begin += strlen(BEGIN);
	CU_ASSERT_EQUAL((size_t)(end - begin), strlen(want));
	CU_ASSERT_EQUAL(strncmp(begin, want, strlen(want)), 0);
	if (strncmp(begin, want, strlen(want)))
		puts("\nrun build/tests/unit/test_corefile_docs --write");
	free(want);
}

/* Each fenced block marked `corefile`. */
static void corefiles_of_the_page_compile(void)
{
	static const char fence[] = "\n```corefile\n";
	char *pos = read_page();
	unsigned count = 0;

	while ((pos = strstr(pos, fence))) {
		char *start = pos + strlen(fence), *end = strstr(start, "\n```\n");
		struct config_notes notes = { 0 };
		struct config *config = NULL;
		struct config_options options = { .file = "docs" };

		CU_ASSERT_PTR_NOT_NULL_FATAL(end);
		*end = 0;
		options.text = start;
		CU_ASSERT_EQUAL(corefile_compile(&config, &options, &notes), 0);
		for (unsigned i = 0; i < notes.count; i++) {
			char line[1024];

			problem_format(&notes.at[i].problem, line, sizeof(line));
			if (notes.at[i].fatal)
				printf("%s\n  in\n%s\n", line, start);
		}
		config_free(config);
		config_notes_deinit(&notes);
		pos = end + 1;
		count++;
	}
	CU_ASSERT_TRUE(count >= directive_count);
}

static void rows_are_whole(void)
{
	for (unsigned i = 0; i < directive_count; i++) {
		const struct directive *d = &directives[i];

		CU_ASSERT_TRUE(d->name && d->args && d->text && d->example && d->begin);
		CU_ASSERT_TRUE(d->max >= d->min);
		for (const struct option *o = d->options; o && o->name; o++) {
			CU_ASSERT_TRUE(o->args && o->text && o->read);
			CU_ASSERT_EQUAL(*o->args == 0, o->max == 0);
		}
	}
}

static int write_page(void)
{
	char *page = read_page(), *want = reference();
	char *begin = strstr(page, BEGIN), *end = strstr(page, END);
	FILE *file;

	if (!begin || !end || !(file = fopen(PAGE, "w")))
		return 1;
	fprintf(file, "%.*s%s%s", (int)(begin + strlen(BEGIN) - page), page, want, end);
	free(want);
	return fclose(file) ? 1 : 0;
}

static const struct check_case cases[] = {
	{ "the page has the table's reference", page_has_the_reference },
	{ "Corefiles of the page compile", corefiles_of_the_page_compile },
	{ "rows of the table are whole", rows_are_whole },
};

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--write"))
		return write_page();
	return check_main("corefile_docs", cases, ARRAY_LEN(cases));
}
