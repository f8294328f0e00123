/* SPDX-License-Identifier: BSD-3-Clause */
/* options.c - see options.h. One table drives parsing and the usage text. */
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <libgen.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lane53/abi.h"
#include "problem.h"

enum flag_kind { FLAG_SWITCH, FLAG_TEXT, FLAG_PORT, FLAG_WORKERS };

struct flag {
	const char *name;
	enum flag_kind kind;
	size_t at; /* offset in struct options, or in struct places for -state, -run */
	const char *value, *help;
};

/* What becomes a directory only when the instance's name is known. */
struct places {
	const char *state, *run;
};

#define PLACE  0x10000 /* marks an offset in struct places */
#define OPT(f) offsetof(struct options, f)
#define DIR(f) (PLACE + offsetof(struct places, f))

/* clang-format off */
static const struct flag flags[] = {
	{ "conf",     FLAG_TEXT,   OPT(conf),     "FILE", "Corefile to load (default \"Corefile\")" },
	{ "dns.port", FLAG_PORT,   OPT(dns_port), "PORT", "default port of server blocks (default 53)" },
	{ "p",        FLAG_PORT,   OPT(dns_port), "PORT", "the same" },
	{ "pidfile",  FLAG_TEXT,   OPT(pidfile),  "FILE", "write the process ID to FILE" },
	{ "plugins",  FLAG_SWITCH, OPT(plugins),  "",     "list the directives that a Corefile may use" },
	{ "version",  FLAG_SWITCH, OPT(version),  "",     "show the version" },
	{ "quiet",    FLAG_SWITCH, OPT(quiet),    "",     "no output at start but problems" },
	{ "check",    FLAG_SWITCH, OPT(check),    "",     "validate the Corefile and exit: 0 good, 1 bad" },
	{ "no-xdp",   FLAG_SWITCH, OPT(no_xdp),   "",     "sockets only: no root, no hugepages, no BPF" },
	{ "state",    FLAG_TEXT,   DIR(state),    "DIR",  "where the zone store lives (default /var/lib/lane53)" },
	{ "run",      FLAG_TEXT,   DIR(run),      "DIR",  "where sockets and pid files live (default /run/lane53)" },
	{ "name",     FLAG_TEXT,   OPT(name),     "NAME", "instance (default \"default\")" },
	{ "workers",  FLAG_WORKERS, OPT(workers), "N",    "threads that serve the lane, 1 to 16 (default 1)" },
	{ "teardown", FLAG_SWITCH, OPT(teardown), "",     "at the end stop the workers and detach everything" },
	{ "help",     FLAG_SWITCH, OPT(help),     "",     "show this text" },
	{ "h",        FLAG_SWITCH, OPT(help),     "",     "the same" },
};
/* clang-format on */

#define FLAG_COUNT (sizeof(flags) / sizeof(flags[0]))

void options_usage(FILE *out)
{
	fprintf(out, "usage: lane53d [flags]\n");
	for (size_t i = 0; i < FLAG_COUNT; i++)
		fprintf(out, "  -%-8s %-5s %s\n", flags[i].name, flags[i].value,
			flags[i].help);
}

static const struct flag *find_flag(const char *name, size_t len)
{
	for (size_t i = 0; i < FLAG_COUNT; i++)
		if (strlen(flags[i].name) == len && !memcmp(flags[i].name, name, len))
			return &flags[i];
	return NULL;
}

static int set_switch(bool *out, const struct flag *flag, const char *value,
		      struct problem *problem)
{
	if (!value || !strcmp(value, "true") || !strcmp(value, "1")) {
		*out = true;
		return 0;
	}
	if (!strcmp(value, "false") || !strcmp(value, "0")) {
		*out = false;
		return 0;
	}
	problem_set(problem, NULL, 0, "-%s=%s: expected true or false", flag->name,
		    value);
	return -EINVAL;
}

static int set_port(uint16_t *out, const struct flag *flag, const char *value,
		    struct problem *problem)
{
	char *end;
	unsigned long port = strtoul(value, &end, 10);

	if (!isdigit((unsigned char)value[0]) || *end || port < 1 || port > 65535) {
		problem_set(problem, NULL, 0, "-%s %s: expected a port, 1 to 65535",
			    flag->name, value);
		return -EINVAL;
	}
	*out = (uint16_t)port;
	return 0;
}

static int set_workers(unsigned *out, const struct flag *flag, const char *value,
		       struct problem *problem)
{
	char *end;
	unsigned long count = strtoul(value, &end, 10);

	if (!isdigit((unsigned char)value[0]) || *end || count < 1 ||
	    count > LANE53_LANES_MAX) {
		problem_set(problem, NULL, 0, "-%s %s: expected a number, 1 to %d",
			    flag->name, value, LANE53_LANES_MAX);
		return -EINVAL;
	}
	*out = (unsigned)count;
	return 0;
}

static int set_flag(struct options *options, struct places *places,
		    const struct flag *flag, const char *value, struct problem *problem)
{
	void *out = flag->at >= PLACE ? (char *)places + (flag->at - PLACE)
				      : (char *)options + flag->at;

	switch (flag->kind) {
	case FLAG_SWITCH:
		return set_switch(out, flag, value, problem);
	case FLAG_PORT:
		return set_port(out, flag, value, problem);
	case FLAG_WORKERS:
		return set_workers(out, flag, value, problem);
	case FLAG_TEXT:
		if (!*value) {
			problem_set(problem, NULL, 0, "-%s: expected a %s", flag->name,
				    flag->value);
			return -EINVAL;
		}
		*(const char **)out = value;
		return 0;
	}
	return -EINVAL;
}

/* Where state or run directories are by default: root's, or under @xdg for others. */
static int default_dir(char *out, const char *asked, const char *system,
		       const char *xdg, const char *below_home)
{
	const char *base = getenv(xdg), *home = getenv("HOME");
	int len;

	if (asked)
		len = snprintf(out, PATH_MAX, "%s", asked);
	else if (geteuid() == 0)
		len = snprintf(out, PATH_MAX, "%s", system);
	else if (base && base[0] == '/')
		len = snprintf(out, PATH_MAX, "%s/lane53", base);
	else if (below_home && home && home[0] == '/')
		len = snprintf(out, PATH_MAX, "%s/%s/lane53", home, below_home);
	else
		len = snprintf(out, PATH_MAX, "/tmp/lane53-%u", geteuid());
	return len >= PATH_MAX ? -ENAMETOOLONG : 0;
}

static bool name_is_valid(const char *name)
{
	size_t len = strlen(name);

	if (len < 1 || len > 32 || name[0] == '.')
		return false;
	return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			    "0123456789-_.") == len;
}

/* The worker stands beside us when installed, and one directory up in a build. */
static void find_worker(struct options *options)
{
	static const char *const places[] = { ".", "../dataplane",
					      "../libexec/lane53" };
	const char *named = getenv("LANE53_WORKER");
	char self[PATH_MAX], path[PATH_MAX + 64];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	const char *dir;

	options->worker[0] = 0;
	if (named) {
		snprintf(options->worker, sizeof(options->worker), "%s", named);
		return;
	}
	if (len <= 0)
		return;
	self[len] = 0;
	dir = dirname(self);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s/lane53-worker", dir, places[i]);
		if (access(path, X_OK) == 0 && realpath(path, options->worker))
			return;
	}
	options->worker[0] = 0;
}

static int set_dirs(struct options *options, const struct places *places,
		    struct problem *problem)
{
	char dir[PATH_MAX];
	size_t room = sizeof(options->state);

	if (default_dir(dir, places->state, "/var/lib/lane53", "XDG_STATE_HOME",
			".local/state") ||
	    (size_t)snprintf(options->state, room, "%s/%s", dir, options->name) >=
		    room ||
	    (size_t)snprintf(options->store, room, "%s/%s/store", dir, options->name) >=
		    room) {
		problem_set(problem, NULL, 0, "-state: the path is too long");
		return -EINVAL;
	}
	if (default_dir(dir, places->run, "/run/lane53", "XDG_RUNTIME_DIR", NULL) ||
	    snprintf(options->run, room, "%s/%s", dir, options->name) >
		    OPTIONS_RUN_MAX) {
		problem_set(problem, NULL, 0,
			    "-run: %s/%s: at most %d bytes, or sockets in it cannot be "
			    "named; use a shorter directory",
			    dir, options->name, OPTIONS_RUN_MAX);
		return -EINVAL;
	}
	return 0;
}

int options_parse(struct options *ret, int argc, char **argv, struct problem *problem)
{
	struct options options = { .name = "default", .dns_port = 53, .workers = 1 };
	struct places places = { NULL, NULL };

	for (int i = 1; i < argc; i++) {
		const char *arg = argv[i], *value;
		const struct flag *flag;
		size_t len;
		int r;

		if (arg[0] != '-' || !arg[1] || !strcmp(arg, "--")) {
			problem_set(problem, NULL, 0,
				    "'%s': expected a flag; see lane53d -help", arg);
			return -EINVAL;
		}
		arg += arg[1] == '-' ? 2 : 1;
		len = strcspn(arg, "=");
		flag = find_flag(arg, len);
		if (!flag) {
			problem_set(problem, NULL, 0,
				    "-%.*s: no such flag; see lane53d -help", (int)len,
				    arg);
			return -EINVAL;
		}
		value = arg[len] ? arg + len + 1 : NULL;
		if (!value && flag->kind != FLAG_SWITCH)
			value = i + 1 < argc ? argv[++i] : "";
		r = set_flag(&options, &places, flag, value, problem);
		if (r < 0)
			return r;
	}
	if (!name_is_valid(options.name)) {
		problem_set(
			problem, NULL, 0,
			"-name %s: expected up to 32 letters, digits, '-', '_', '.'",
			options.name);
		return -EINVAL;
	}
	if (set_dirs(&options, &places, problem))
		return -EINVAL;
	find_worker(&options);
	*ret = options;
	return 0;
}

/* mkdir -p */
static int make_dir(const char *path, mode_t mode)
{
	char part[PATH_MAX];

	snprintf(part, sizeof(part), "%s", path);
	for (char *p = part + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = 0;
		if (mkdir(part, 0755) && errno != EEXIST)
			return -errno;
		*p = '/';
	}
	return mkdir(part, mode) && errno != EEXIST ? -errno : 0;
}

/*
 * Another user's directory, as in /tmp, could be changed under us; so could one of ours
 * in it, by renaming.
 */
static int check_owner(const char *path)
{
	char above[PATH_MAX];
	struct stat st, up;

	snprintf(above, sizeof(above), "%s", path);
	if (lstat(path, &st) || stat(dirname(above), &up))
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	if (geteuid() == 0)
		return 0;
	return st.st_uid == geteuid() && (up.st_uid == geteuid() || up.st_uid == 0)
		       ? 0
		       : -EPERM;
}

int options_make_dirs(const struct options *options, struct problem *problem)
{
	int r = make_dir(options->state, 0700);

	if (r == 0)
		r = check_owner(options->state);
	if (r < 0) {
		problem_set(problem, options->state, 0,
			    "cannot have it as state directory: %s; use -state DIR",
			    strerror(-r));
		return r;
	}
	/* Root's group may ask for `status`; a user's group is everybody on some machines. */
	r = make_dir(options->run, geteuid() == 0 ? 0750 : 0700);
	if (r == 0)
		r = check_owner(options->run);
	if (r < 0)
		problem_set(problem, options->run, 0,
			    "cannot have it as run directory: %s; use -run DIR",
			    strerror(-r));
	return r;
}
