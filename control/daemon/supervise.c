/* SPDX-License-Identifier: BSD-3-Clause */
/* supervise.c - see supervise.h. */
#include "supervise.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/worker_process.h"

#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 5000
#define GOOD_LIFE_MS   10000 /* this long alive: the next restart is quick again */
#define ASK_MS         1000  /* for one reply */
#define POLL_MS        20    /* between looks at a worker that is starting */
#define ADOPT_MS       2000  /* a running worker answers within this, or is replaced */
#define START_MS       20000 /* EAL, hugepages and a cache refill take seconds */
#define STOP_MS        2000 /* a worker ends within 1 s of SIGTERM; then the hard way */

struct worker {
	struct supervisor *supervisor;
	enum worker_io io;
	enum worker_state state;
	int pid;
	bool adopted; /* not our child: no exit code to be had */
	bool again;   /* told to stop, and wanted once more: started when it has gone */
	struct watch *watch;
	uv_timer_t timer; /* WAITING: back-off; STARTING: next look; STOPPING: limit */
	bool asked;       /* a status question is on its way */
	uint64_t asked_ms, waited_ms; /* for an answer, our own busy turns apart */
	unsigned backoff_ms;
	uint64_t born_ms, restarts;
	char trouble[512];
};

/* One poll handle per life, on the worker's pidfd. */
struct watch {
	uv_poll_t poll;
	struct worker *worker;
	int fd;
};

struct supervisor {
	uv_loop_t *loop;
	struct worker_command command;
	void (*on_change)(void *context, enum worker_io io, bool up);
	void *context;
	struct worker worker[WORKER_COUNT];
	void (*stopped)(void *context);
	void *stopped_context;
	unsigned open; /* timers and questions that still hold on to this */
	bool closing;
	bool renew;
};

const char *worker_io_name(enum worker_io io)
{
	return io == WORKER_DPDK ? "dpdk" : "socket";
}

static void start(struct worker *w);

static void socket_path(const struct worker *w, char out[PATH_MAX])
{
	snprintf(out, PATH_MAX, "%s/worker-%s.sock", w->supervisor->command.run,
		 worker_io_name(w->io));
}

static void command_deinit(struct worker_command *command)
{
	free(command->program);
	free(command->store);
	free(command->run);
	free(command->instance);
	free(command->pins);
	free(command->lane);
}

static void release(struct supervisor *s)
{
	if (--s->open > 0)
		return;
	command_deinit(&s->command);
	free(s);
}

static void check_stopped(struct supervisor *s)
{
	for (int io = 0; io < WORKER_COUNT; io++)
		if (s->worker[io].state != WORKER_OFF)
			return;
	if (s->stopped) {
		void (*stopped)(void *) = s->stopped;

		s->stopped = NULL;
		stopped(s->stopped_context);
	}
}

/* By its pidfd: a number may belong to somebody else by now. */
static void signal_worker(const struct worker *w, int number)
{
	if (w->watch)
		(void)syscall(SYS_pidfd_send_signal, w->watch->fd, number, NULL, 0);
}

/* ---- death ---- */

static void on_backoff(uv_timer_t *timer)
{
	struct worker *w = timer->data;

	w->restarts++;
	start(w);
}

/* What it left in RUN/worker-IO.why; "" = nothing. */
static void read_why(const struct worker *w, char *out, int room)
{
	char path[PATH_MAX + 32];
	FILE *file;

	snprintf(path, sizeof(path), "%s/worker-%s.why", w->supervisor->command.run,
		 worker_io_name(w->io));
	file = fopen(path, "re");
	out[0] = 0;
	if (!file || !fgets(out, room, file))
		out[0] = 0;
	out[strcspn(out, "\n")] = 0;
	if (file)
		fclose(file);
}

static void describe_exit(struct worker *w)
{
	siginfo_t info = { 0 };
	size_t room = sizeof(w->trouble);
	char why[448];

	if (w->adopted) {
		snprintf(w->trouble, room, "ended (it was adopted: no exit code)");
		return;
	}
	if (waitid(P_PID, (id_t)w->pid, &info, WEXITED | WNOHANG) || !info.si_pid) {
		snprintf(w->trouble, room, "ended (no exit code)");
	} else if (info.si_code == CLD_EXITED) {
		read_why(w, why, sizeof(why));
		snprintf(w->trouble, room, "ended with code %d%s%s", info.si_status,
			 why[0] ? ": " : "", why);
	} else {
		snprintf(w->trouble, room, "was killed by signal %d (%s)%s",
			 info.si_status, strsignal(info.si_status),
			 info.si_code == CLD_DUMPED ? ", core dumped" : "");
	}
}

static void on_watch_closed(uv_handle_t *handle)
{
	struct watch *watch = handle->data;

	close(watch->fd);
	free(watch);
}

static void unwatch(struct worker *w)
{
	if (w->watch)
		uv_close((uv_handle_t *)&w->watch->poll, on_watch_closed);
	w->watch = NULL;
}

static void died(struct worker *w)
{
	struct supervisor *s = w->supervisor;
	bool wanted = w->state == WORKER_RUNNING || w->state == WORKER_STARTING;
	bool was_up = w->state == WORKER_RUNNING;
	uint64_t life_ms = uv_now(s->loop) - w->born_ms;

	describe_exit(w);
	unwatch(w);
	w->asked = false;
	uv_timer_stop(&w->timer);
	w->state = wanted ? WORKER_WAITING : WORKER_OFF;
	if (s->on_change && (was_up || wanted))
		s->on_change(s->context, w->io, false);
	if (!wanted || w->again) {
		log_info("worker %s (pid %d) stopped", worker_io_name(w->io), w->pid);
		w->pid = 0;
		if (w->again)
			start(w);
		else
			check_stopped(s);
		return;
	}
	if (life_ms >= GOOD_LIFE_MS)
		w->backoff_ms = BACKOFF_MIN_MS;
	log_error("worker %s (pid %d) %s; restart in %u ms", worker_io_name(w->io),
		  w->pid, w->trouble, w->backoff_ms);
	w->pid = 0;
	uv_timer_start(&w->timer, on_backoff, w->backoff_ms, 0);
	w->backoff_ms =
		w->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : w->backoff_ms * 2;
}

static void on_exit_seen(uv_poll_t *poll, int status, int events)
{
	struct watch *watch = poll->data;

	(void)status;
	(void)events;
	died(watch->worker);
}

static int watch_pid(struct worker *w)
{
	struct watch *watch = calloc(1, sizeof(*watch));
	int r;

	if (!watch)
		return -ENOMEM;
	watch->fd = (int)syscall(SYS_pidfd_open, w->pid, 0);
	r = watch->fd < 0 ? -errno
			  : uv_poll_init(w->supervisor->loop, &watch->poll, watch->fd);
	if (r < 0) {
		if (watch->fd >= 0)
			close(watch->fd);
		free(watch);
		return r;
	}
	watch->worker = w;
	watch->poll.data = watch;
	w->watch = watch;
	return uv_poll_start(&watch->poll, UV_READABLE, on_exit_seen);
}

/* ---- life ---- */

static void on_look(uv_timer_t *timer);

static void on_status(void *context, json_t *reply, const char *error)
{
	struct worker *w = context;
	struct supervisor *s = w->supervisor;

	bool over = s->closing;
	uint64_t took_ms;

	(void)error;
	w->asked = false;
	release(s);
	if (over || w->state != WORKER_STARTING)
		return;
	if (!reply || !json_is_true(json_object_get(reply, "ok")) ||
	    json_integer_value(json_object_get(reply, "pid")) != w->pid) {
		took_ms = uv_now(s->loop) - w->asked_ms;
		w->waited_ms += POLL_MS + (took_ms < ASK_MS ? took_ms : ASK_MS);
		uv_timer_start(&w->timer, on_look, POLL_MS, 0);
		return;
	}
	w->state = WORKER_RUNNING;
	log_info("worker %s (pid %d) %s", worker_io_name(w->io), w->pid,
		 w->adopted ? "adopted" : "running");
	if (s->on_change)
		s->on_change(s->context, w->io, true);
}

static void on_look(uv_timer_t *timer)
{
	struct worker *w = timer->data;
	char path[PATH_MAX];

	if (w->asked)
		return;
	if (w->waited_ms > (w->adopted ? ADOPT_MS : START_MS)) {
		log_error("worker %s (pid %d) does not answer: killed",
			  worker_io_name(w->io), w->pid);
		signal_worker(w, SIGKILL);
		return;
	}
	w->asked = true;
	w->asked_ms = uv_now(w->supervisor->loop);
	w->supervisor->open++;
	socket_path(w, path);
	lines_ask(w->supervisor->loop, path, json_pack("{s:s}", "op", "status"), ASK_MS,
		  on_status, w);
}

static void fail(struct worker *w, int error)
{
	snprintf(w->trouble, sizeof(w->trouble), "cannot start %s: %s",
		 w->supervisor->command.program, strerror(-error));
	log_error("worker %s: %s; next try in %u ms", worker_io_name(w->io), w->trouble,
		  w->backoff_ms);
	unwatch(w);
	w->pid = 0;
	w->state = WORKER_WAITING;
	uv_timer_start(&w->timer, on_backoff, w->backoff_ms, 0);
	w->backoff_ms =
		w->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : w->backoff_ms * 2;
}

static void start(struct worker *w)
{
	struct supervisor *s = w->supervisor;
	int r;

	r = worker_spawn(&s->command, w->io == WORKER_DPDK);
	w->adopted = w->again = false;
	w->waited_ms = 0;
	w->born_ms = uv_now(w->supervisor->loop);
	if (r > 0) {
		w->pid = r;
		r = watch_pid(w);
		if (r < 0) { /* nobody would see it die, and a second one be started */
			(void)kill(w->pid, SIGKILL);
			(void)waitpid(w->pid, NULL, 0);
		}
	}
	if (r < 0) {
		fail(w, r);
		return;
	}
	w->state = WORKER_STARTING;
	uv_timer_start(&w->timer, on_look, POLL_MS, 0);
}

static void on_stop_limit(uv_timer_t *timer)
{
	struct worker *w = timer->data;

	log_warning("worker %s (pid %d) does not stop: killed", worker_io_name(w->io),
		    w->pid);
	signal_worker(w, SIGKILL);
}

static void stop_soon(struct worker *w)
{
	signal_worker(w, SIGTERM);
	uv_timer_start(&w->timer, on_stop_limit, STOP_MS, 0);
}

static void stop(struct worker *w)
{
	w->state = WORKER_STOPPING;
	stop_soon(w);
}

void supervisor_adopt(struct supervisor *s, enum worker_io io)
{
	struct worker *w = &s->worker[io];
	bool same = false;

	if (w->state != WORKER_OFF)
		return;
	w->backoff_ms = BACKOFF_MIN_MS;
	w->pid = worker_find(&s->command, w->io == WORKER_DPDK, &same);
	if (!w->pid)
		return;
	w->adopted = true;
	w->waited_ms = 0;
	w->born_ms = uv_now(s->loop);
	if (watch_pid(w) < 0) {
		unwatch(w); /* it died this moment */
		w->pid = 0;
		return;
	}
	w->state = WORKER_STARTING;
	if (same && !s->renew) {
		uv_timer_start(&w->timer, on_look, 0, 0);
		return;
	}
	log_info("worker %s (pid %d) is of another build, store or number of "
		 "threads: replaced",
		 worker_io_name(io), w->pid);
	w->again = true;
	stop_soon(w);
}

void supervisor_start(struct supervisor *s, enum worker_io io)
{
	supervisor_adopt(s, io);
	if (s->worker[io].state == WORKER_STOPPING)
		s->worker[io].again = true;
	if (s->worker[io].state != WORKER_OFF)
		return;
	start(&s->worker[io]);
	s->worker[io].restarts = 0;
}

/* ---- the whole ---- */

static bool copy(char **ret, const char *text)
{
	*ret = strdup(text ? text : "");
	return *ret != NULL;
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct worker *w = handle->data;

	release(w->supervisor);
}

int supervisor_open(struct supervisor **ret, const struct supervisor_config *config)
{
	struct supervisor *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->loop = config->loop;
	if (!copy(&s->command.program, config->program) ||
	    !copy(&s->command.store, config->store) ||
	    !copy(&s->command.run, config->run) ||
	    !copy(&s->command.instance, config->instance) ||
	    !copy(&s->command.pins, config->pins) ||
	    !copy(&s->command.lane, config->lane)) {
		command_deinit(&s->command);
		free(s);
		return -ENOMEM;
	}
	s->command.workers = config->workers;
	s->renew = config->renew;
	s->on_change = config->on_change;
	s->context = config->context;
	for (int io = 0; io < WORKER_COUNT; io++) {
		struct worker *w = &s->worker[io];

		w->supervisor = s;
		w->io = io;
		uv_timer_init(s->loop, &w->timer);
		w->timer.data = w;
		s->open++;
	}
	*ret = s;
	return 0;
}

void supervisor_close(struct supervisor *s)
{
	if (!s)
		return;
	s->closing = true;
	for (int io = 0; io < WORKER_COUNT; io++) {
		unwatch(&s->worker[io]);
		uv_close((uv_handle_t *)&s->worker[io].timer, on_timer_closed);
	}
}

void supervisor_end(struct supervisor *s, enum worker_io io)
{
	struct worker *w = &s->worker[io];
	bool same;

	w->again = false;
	switch (w->state) {
	case WORKER_OFF:
		w->pid = worker_find(&s->command, w->io == WORKER_DPDK, &same);
		w->adopted = true;
		if (w->pid && watch_pid(w) == 0) {
			stop(w);
			return;
		}
		unwatch(w);
		w->pid = 0;
		return;
	case WORKER_WAITING:
		uv_timer_stop(&w->timer);
		w->state = WORKER_OFF;
		return;
	case WORKER_STARTING:
	case WORKER_RUNNING:
		stop(w);
		return;
	case WORKER_STOPPING:
		return;
	}
}

void supervisor_stop(struct supervisor *s, void (*done)(void *context), void *context)
{
	s->stopped = done;
	s->stopped_context = context;
	for (int io = 0; io < WORKER_COUNT; io++)
		supervisor_end(s, io);
	check_stopped(s);
}

void supervisor_view(const struct supervisor *s, enum worker_io io,
		     struct worker_view *ret)
{
	const struct worker *w = &s->worker[io];

	ret->state = w->state;
	ret->pid = w->pid;
	ret->adopted = w->adopted;
	ret->restarts = w->restarts;
	memcpy(ret->trouble, w->trouble, sizeof(ret->trouble));
}

void supervisor_ask(struct supervisor *s, enum worker_io io, json_t *request,
		    unsigned timeout_ms, lines_done *done, void *context)
{
	char path[PATH_MAX];

	socket_path(&s->worker[io], path);
	lines_ask(s->loop, path, request, timeout_ms, done, context);
}
