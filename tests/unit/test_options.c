/* SPDX-License-Identifier: BSD-3-Clause */
/* test_options.c - lane53d's command line. */
#include "check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "daemon/options.h"
#include "problem.h"

#define ARGS_MAX 10

static const struct {
	const char *args[ARGS_MAX];
	const char *problem; /* NULL: good */
} cases[] = {
	{ { "-conf", "a" }, NULL },
	{ { "--conf=a", "-dns.port=1053", "-quiet" }, NULL },
	{ { "-p", "53", "-no-xdp", "--teardown" }, NULL },
	{ { "-quiet=false" }, NULL },
	{ { "-dns.port", "0" }, "-dns.port 0: expected a port, 1 to 65535" },
	{ { "-dns.port", "65536" }, "-dns.port 65536: expected a port, 1 to 65535" },
	{ { "-dns.port", "-1" }, "-dns.port -1: expected a port, 1 to 65535" },
	{ { "-workers", "16" }, NULL },
	{ { "-workers", "17" }, "-workers 17: expected a number, 1 to 16" },
	{ { "-workers=0" }, "-workers 0: expected a number, 1 to 16" },
	{ { "-workers", "2x" }, "-workers 2x: expected a number, 1 to 16" },
	{ { "-workers" }, "-workers : expected a number, 1 to 16" },
	{ { "-conf" }, "-conf: expected a FILE" },
	{ { "-what" }, "-what: no such flag; see lane53d -help" },
	{ { "conf" }, "'conf': expected a flag; see lane53d -help" },
	{ { "-" }, "'-': expected a flag; see lane53d -help" },
	{ { "-check=maybe" }, "-check=maybe: expected true or false" },
	{ { "-name", "a/b" },
	  "-name a/b: expected up to 32 letters, digits, '-', '_', '.'" },
	{ { "-name", ".." },
	  "-name ..: expected up to 32 letters, digits, '-', '_', '.'" },
};

static int parse(struct options *options, const char *const args[ARGS_MAX],
		 struct problem *problem)
{
	char *argv[ARGS_MAX + 2] = { (char *)"lane53d" };
	int argc = 1;

	while (argc <= ARGS_MAX && args[argc - 1]) {
		argv[argc] = (char *)args[argc - 1];
		argc++;
	}
	return options_parse(options, argc, argv, problem);
}

static void every_case(void)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct options options;
		struct problem problem = { .text = "" };
		int r = parse(&options, cases[i].args, &problem);

		CU_ASSERT_EQUAL(r == 0, cases[i].problem == NULL);
		if (cases[i].problem)
			CU_ASSERT_STRING_EQUAL(problem.text, cases[i].problem);
	}
}

static void values_arrive(void)
{
	static const char *const args[ARGS_MAX] = { "-conf=x",  "-dns.port", "1053",
						    "--no-xdp", "-run=/r",   "-state",
						    "/s",       "-name=two", "-workers",
						    "3" };
	struct options options;

	CU_ASSERT_EQUAL_FATAL(parse(&options, args, NULL), 0);
	CU_ASSERT_STRING_EQUAL(options.conf, "x");
	CU_ASSERT_EQUAL(options.dns_port, 1053);
	CU_ASSERT_EQUAL(options.workers, 3);
	CU_ASSERT_TRUE(options.no_xdp);
	CU_ASSERT_FALSE(options.check);
	CU_ASSERT_STRING_EQUAL(options.run, "/r/two");
	CU_ASSERT_STRING_EQUAL(options.store, "/s/two/store");
}

static void run_directory_fits_a_socket_name(void)
{
	char dir[120] = "-run=/";
	const char *args[ARGS_MAX] = { dir };
	struct options options;
	struct problem problem;

	memset(dir + 6, 'x', OPTIONS_RUN_MAX);
	CU_ASSERT_NOT_EQUAL(parse(&options, args, &problem), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(problem.text, "use a shorter directory"));
}

static void directories_are_made(void)
{
	char dir[64], state[80], run[80];
	const char *args[ARGS_MAX] = { state, run };
	struct options options;
	struct problem problem;
	struct stat st;
	FILE *f;

	snprintf(dir, sizeof(dir), "/tmp/lane53-options-%d", getpid());
	snprintf(state, sizeof(state), "-state=%s/a/state", dir);
	snprintf(run, sizeof(run), "-run=%s/run", dir);
	CU_ASSERT_EQUAL_FATAL(parse(&options, args, NULL), 0);
	CU_ASSERT_EQUAL(mkdir(dir, 0755), 0);
	CU_ASSERT_EQUAL(options_make_dirs(&options, &problem), 0);
	CU_ASSERT_EQUAL(options_make_dirs(&options, &problem), 0);
	CU_ASSERT_EQUAL(stat(options.state, &st), 0);
	CU_ASSERT_EQUAL(st.st_mode & 07777, 0700);

	CU_ASSERT_EQUAL(rmdir(options.run), 0);
	f = fopen(options.run, "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	fclose(f);
	CU_ASSERT_EQUAL(options_make_dirs(&options, &problem), -ENOTDIR);
	CU_ASSERT_PTR_NOT_NULL(strstr(problem.text, "use -run DIR"));
	snprintf(state, sizeof(state), "rm -r %s", dir);
	CU_ASSERT_EQUAL(system(state), 0);
}

/* Only root can make another user's directory: as nobody else is this tried. */
static void in_a_strangers_directory(void)
{
	static const struct {
		uid_t above;
		int expected;
	} owners[] = { { 0, 0 }, { 65534, 0 }, { 1234, -EPERM } };

	for (size_t i = 0; i < ARRAY_LEN(owners) && geteuid() == 0; i++) {
		char dir[64], state[80], run[80];
		const char *args[ARGS_MAX] = { state, run };
		struct options options;
		struct problem problem;

		snprintf(dir, sizeof(dir), "/tmp/lane53-stranger-%d", getpid());
		snprintf(state, sizeof(state), "-state=%s", dir);
		snprintf(run, sizeof(run), "-run=%s", dir);
		CU_ASSERT_EQUAL_FATAL(parse(&options, args, NULL), 0);
		CU_ASSERT_EQUAL(mkdir(dir, 0777), 0);
		CU_ASSERT_EQUAL(mkdir(options.run, 0700), 0);
		CU_ASSERT_EQUAL(chown(options.run, 65534, 65534), 0);
		CU_ASSERT_EQUAL(chown(dir, owners[i].above, 0), 0);
		CU_ASSERT_EQUAL(seteuid(65534), 0);
		CU_ASSERT_EQUAL(options_make_dirs(&options, &problem),
				owners[i].expected);
		CU_ASSERT_EQUAL(seteuid(0), 0);
		CU_ASSERT_EQUAL(rmdir(options.run), 0);
		CU_ASSERT_EQUAL(rmdir(dir), 0);
	}
}

static const struct check_case tests[] = {
	{ "good and bad flags", every_case },
	{ "values arrive", values_arrive },
	{ "directories are made", directories_are_made },
	{ "in a stranger's directory", in_a_strangers_directory },
	{ "the run directory fits a socket's name", run_directory_fits_a_socket_name },
};

CHECK_MAIN("options", tests)
