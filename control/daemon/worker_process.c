/* SPDX-License-Identifier: BSD-3-Clause */
/* worker_process.c - see worker_process.h. */
#include "worker_process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *io_name(bool dpdk)
{
	return dpdk ? "dpdk" : "socket";
}

int worker_spawn(const struct worker_command *command, bool dpdk)
{
	const char *argv[24];
	char workers[16];
	unsigned n = 0;
	posix_spawnattr_t attr;
	posix_spawn_file_actions_t files;
	sigset_t defaults, none;
	pid_t pid;
	int r;

	argv[n++] = command->program;
	argv[n++] = "--io";
	argv[n++] = io_name(dpdk);
	argv[n++] = "--store";
	argv[n++] = command->store;
	argv[n++] = "--run";
	argv[n++] = command->run;
	argv[n++] = "--instance";
	argv[n++] = command->instance;
	if (dpdk) {
		argv[n++] = "--pins";
		argv[n++] = command->pins;
		argv[n++] = "--lane";
		argv[n++] = command->lane;
		if (command->workers > 1) {
			snprintf(workers, sizeof(workers), "%u", command->workers);
			argv[n++] = "--workers";
			argv[n++] = workers;
		}
	}
	argv[n] = NULL;

	sigemptyset(&none);
	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF |
						POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setsigdefault(&attr, &defaults);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	r = posix_spawn(&pid, command->program, &files, &attr, (char **)argv, environ);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	return r ? -r : pid;
}

/* What follows --workers on the command line at @text; 1 if it is not there. */
static unsigned threads_of(const char *text, size_t len)
{
	static const char option[] = "--workers";
	const char *at = memmem(text, len, option, sizeof(option));

	return at ? (unsigned)strtoul(at + sizeof(option), NULL, 10) : 1;
}

int worker_find(const struct worker_command *command, bool dpdk, bool *ret_same)
{
	const char *slash = strrchr(command->program, '/');
	const char *base_name = slash ? slash + 1 : command->program;
	char path[PATH_MAX + 32], text[4096];
	ssize_t len;
	FILE *f;
	int pid = 0;
	unsigned threads;
	size_t got;

	snprintf(path, sizeof(path), "%s/worker-%s.pid", command->run, io_name(dpdk));
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (fscanf(f, "%d", &pid) != 1 || pid <= 1)
		pid = 0;
	fclose(f);
	if (!pid || kill(pid, 0))
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	f = fopen(path, "re");
	got = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
	if (f)
		fclose(f);
	text[got] = 0;
	if (!memmem(text, got, command->run, strlen(command->run) + 1) ||
	    !memmem(text, got, base_name, strlen(base_name)))
		return 0; /* the number was given to someone else */
	threads = threads_of(text, got);
	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	len = readlink(path, text, sizeof(text) - 1);
	text[len > 0 ? len : 0] = 0;
	*ret_same = !strcmp(text, command->program) &&
		    (!dpdk || threads == (command->workers ? command->workers : 1));
	return pid;
}
