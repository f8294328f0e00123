/* SPDX-License-Identifier: BSD-3-Clause */
/* test_supervise.c - workers started, killed, adopted, stopped.  FAKE_WORKER: program. */
#include "check.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "daemon/supervise.h"

#define LIMIT_MS 5000

static uv_loop_t loop;
static struct supervisor *supervisor;
static char run[64];
static unsigned ups, downs;
static bool stopped, renew;

static enum worker_io watched = WORKER_SOCKET;

static void on_change(void *context, enum worker_io io, bool up)
{
	(void)context;
	CU_ASSERT_EQUAL(io, watched);
	if (up)
		ups++;
	else
		downs++;
}

static void on_stopped(void *context)
{
	(void)context;
	stopped = true;
}

static void open_supervisor(void)
{
	struct supervisor_config config = { .loop = &loop,
					    .program = getenv("FAKE_WORKER"),
					    .store = "/nowhere",
					    .run = run,
					    .instance = "test",
					    .renew = renew,
					    .on_change = on_change };

	CU_ASSERT_PTR_NOT_NULL_FATAL(config.program);
	CU_ASSERT_EQUAL_FATAL(supervisor_open(&supervisor, &config), 0);
}

static void begin(void)
{
	snprintf(run, sizeof(run), "/tmp/lane53-supervise-%d", getpid());
	CU_ASSERT_EQUAL_FATAL(mkdir(run, 0700), 0);
	uv_loop_init(&loop);
	ups = downs = 0;
	stopped = false;
	open_supervisor();
}

static void end(void)
{
	char command[128];

	supervisor_close(supervisor);
	uv_run(&loop, UV_RUN_DEFAULT);
	CU_ASSERT_EQUAL(uv_loop_close(&loop), 0);
	snprintf(command, sizeof(command), "rm -rf %s", run);
	CU_ASSERT_EQUAL(system(command), 0);
}

static struct worker_view view(void)
{
	struct worker_view v;

	supervisor_view(supervisor, watched, &v);
	return v;
}

/* Run the loop until @counter reaches @value. Return: how long that took. */
static uint64_t wait_for(const unsigned *counter, unsigned value)
{
	uint64_t began = uv_hrtime() / 1000000, now = began;

	while (*counter < value && now - began < LIMIT_MS) {
		uv_run(&loop, UV_RUN_NOWAIT);
		usleep(1000);
		now = uv_hrtime() / 1000000;
	}
	CU_ASSERT_EQUAL(*counter, value);
	return now - began;
}

static void stop(void)
{
	uint64_t began = uv_hrtime();

	supervisor_stop(supervisor, on_stopped, NULL);
	while (!stopped && uv_hrtime() - began < LIMIT_MS * 1000000ull) {
		uv_run(&loop, UV_RUN_NOWAIT);
		usleep(1000);
	}
	CU_ASSERT_TRUE(stopped);
	CU_ASSERT_EQUAL(view().state, WORKER_OFF);
}

static void killed_and_started_again(void)
{
	int first;

	begin();
	supervisor_start(supervisor, WORKER_SOCKET);
	CU_ASSERT_EQUAL(view().state, WORKER_STARTING);
	wait_for(&ups, 1);
	first = view().pid;
	CU_ASSERT_EQUAL(view().state, WORKER_RUNNING);

	CU_ASSERT_EQUAL(kill(first, SIGKILL), 0);
	CU_ASSERT_TRUE(wait_for(&downs, 1) < 50);
	CU_ASSERT_EQUAL(view().state, WORKER_WAITING);
	CU_ASSERT_STRING_EQUAL(view().trouble, "was killed by signal 9 (Killed)");
	CU_ASSERT_TRUE(wait_for(&ups, 2) >= 90);
	CU_ASSERT_NOT_EQUAL(view().pid, first);
	CU_ASSERT_EQUAL(view().restarts, 1);

	/* short lives: the back-off doubles */
	CU_ASSERT_EQUAL(kill(view().pid, SIGKILL), 0);
	CU_ASSERT_TRUE(wait_for(&ups, 3) >= 190);
	stop();
	end();
}

static void one_that_cannot_start(void)
{
	begin();
	setenv("FAKE_EXIT", "69", 1);
	supervisor_start(supervisor, WORKER_SOCKET);
	wait_for(&downs, 2);
	CU_ASSERT_STRING_EQUAL(view().trouble, "ended with code 69: no port for fakes");
	unsetenv("FAKE_EXIT");
	wait_for(&ups, 1);
	stop();
	end();
}

static void adopted_by_the_next(void)
{
	int pid;

	begin();
	supervisor_start(supervisor, WORKER_SOCKET);
	wait_for(&ups, 1);
	pid = view().pid;
	supervisor_close(supervisor);
	uv_run(&loop, UV_RUN_NOWAIT);

	open_supervisor();
	supervisor_adopt(supervisor, WORKER_DPDK);
	supervisor_start(supervisor, WORKER_SOCKET);
	wait_for(&ups, 2);
	CU_ASSERT_EQUAL(view().pid, pid);
	CU_ASSERT_TRUE(view().adopted);

	/* its death is seen though it is not a child's */
	CU_ASSERT_EQUAL(kill(pid, SIGKILL), 0);
	wait_for(&downs, 1);
	wait_for(&ups, 3);
	CU_ASSERT_FALSE(view().adopted);
	stop();
	end();
}

static void adopted_in_a_busy_time(void)
{
	int pid;

	begin();
	supervisor_start(supervisor, WORKER_SOCKET);
	wait_for(&ups, 1);
	pid = view().pid;
	supervisor_close(supervisor);
	uv_run(&loop, UV_RUN_NOWAIT);

	open_supervisor();
	supervisor_adopt(supervisor, WORKER_SOCKET);
	usleep(2500000); /* a large zone is being published */
	wait_for(&ups, 2);
	CU_ASSERT_EQUAL(view().pid, pid);
	CU_ASSERT_EQUAL(downs, 0);
	stop();
	end();
}

static void one_that_does_not_heed_sigterm(void)
{
	begin();
	setenv("FAKE_DEAF", "1", 1);
	supervisor_start(supervisor, WORKER_SOCKET);
	wait_for(&ups, 1);
	stop();
	unsetenv("FAKE_DEAF");
	end();
}

/* A Corefile without `xdp`, and at once one with it again. */
static void wanted_again_while_it_stops(void)
{
	int first;

	begin();
	supervisor_start(supervisor, WORKER_SOCKET);
	wait_for(&ups, 1);
	first = view().pid;
	supervisor_end(supervisor, WORKER_SOCKET);
	CU_ASSERT_EQUAL(view().state, WORKER_STOPPING);
	supervisor_start(supervisor, WORKER_SOCKET);
	wait_for(&ups, 2);
	CU_ASSERT_NOT_EQUAL(view().pid, first);

	/* and the last word counts */
	supervisor_end(supervisor, WORKER_SOCKET);
	supervisor_start(supervisor, WORKER_SOCKET);
	stop();
	end();
}

/* One of another store that does not go when told. */
static void replaced_though_deaf(void)
{
	int first, status = 0;

	begin();
	setenv("FAKE_DEAF", "1", 1);
	supervisor_start(supervisor, WORKER_SOCKET);
	wait_for(&ups, 1);
	unsetenv("FAKE_DEAF");
	first = view().pid;
	supervisor_close(supervisor);
	uv_run(&loop, UV_RUN_NOWAIT);

	renew = true;
	open_supervisor();
	renew = false;
	supervisor_start(supervisor, WORKER_SOCKET);
	CU_ASSERT_EQUAL(view().pid, first);
	wait_for(&ups, 2);
	CU_ASSERT_NOT_EQUAL(view().pid, first);
	CU_ASSERT_EQUAL(waitpid(first, &status, 0), first);
	CU_ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	CU_ASSERT_EQUAL(view().restarts, 0); /* it was we who ended it */
	stop();
	end();
}

static const struct check_case tests[] = {
	{ "killed and started again", killed_and_started_again },
	{ "one that cannot start", one_that_cannot_start },
	{ "adopted by the next", adopted_by_the_next },
	{ "adopted in a busy time", adopted_in_a_busy_time },
	{ "one that does not heed SIGTERM", one_that_does_not_heed_sigterm },
	{ "wanted again while it stops", wanted_again_while_it_stops },
	{ "replaced, though deaf", replaced_though_deaf },
};

CHECK_MAIN("supervise", tests)
