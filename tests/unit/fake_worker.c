/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fake_worker.c - what test_supervise has supervised: answers `status` as a worker does.
 * FAKE_EXIT=N: ends at once with code N, and says why.  FAKE_DEAF=1: does not heed SIGTERM.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/lines.h"

static void on_request(void *context, struct lines_request *request, json_t *json)
{
	(void)context;
	(void)json;
	lines_reply(request, json_pack("{s:b, s:i}", "ok", 1, "pid", (int)getpid()));
}

int main(int argc, char **argv)
{
	const char *run = NULL, *io = NULL, *code = getenv("FAKE_EXIT");
	struct lines_server *server;
	char path[200];
	FILE *f;

	for (int i = 1; i + 1 < argc; i++) {
		if (!strcmp(argv[i], "--run"))
			run = argv[i + 1];
		if (!strcmp(argv[i], "--io"))
			io = argv[i + 1];
	}
	if (!run || !io)
		return 64;
	if (code) {
		snprintf(path, sizeof(path), "%s/worker-%s.why", run, io);
		f = fopen(path, "w");
		if (!f || fputs("no port for fakes\n", f) < 0 || fclose(f))
			return 70;
		return atoi(code);
	}
	if (getenv("FAKE_DEAF"))
		(void)signal(SIGTERM, SIG_IGN);
	snprintf(path, sizeof(path), "%s/worker-%s.sock", run, io);
	if (lines_listen(&server, uv_default_loop(), path, on_request, NULL) < 0)
		return 70;
	snprintf(path, sizeof(path), "%s/worker-%s.pid", run, io);
	f = fopen(path, "w");
	if (!f || fprintf(f, "%d\n", getpid()) < 0 || fclose(f))
		return 70;
	return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
