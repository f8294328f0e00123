/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * main.c - lane53d: begin, serve, end.
 *
 *   flags ─► store ─► adopt what runs ─► Corefile ─► workers ─► `lane53d: ready`
 *
 * A stop leaves XDP and workers answering, unless -no-xdp or -teardown says otherwise;
 * the next start adopts them.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "corefile/directive.h"
#include "daemon/commit.h"
#include "daemon/daemon.h"
#include "daemon/eventlog.h"
#include "daemon/fastpath.h"
#include "daemon/instance.h"
#include "daemon/lines.h"
#include "daemon/log.h"
#include "daemon/loops.h"
#include "daemon/publish.h"
#include "daemon/sources.h"
#include "daemon/web.h"
#include "plan/plan.h"
#include "store/store.h"
#include "xdp/ifaces.h"
#include "xdp/xdp.h"

#define EXIT_USAGE 2 /* as Go's flag package */

#define WAKE_EVERY_MS 5000 /* addresses that could not be had: look again */

static struct signals {
	uv_signal_t handle;
	int number;
} signals[] = { { .number = SIGTERM },
		{ .number = SIGINT },
		{ .number = SIGUSR1 },
		{ .number = SIGHUP } };

#define SIGNAL_COUNT (sizeof(signals) / sizeof(signals[0]))

struct process {
	struct daemon d;
	uv_timer_t rewake, lameduck;
	int lock, exit_code;
	bool teardown;
};

static struct process *process_of(struct daemon *d)
{
	return (struct process *)((char *)d - offsetof(struct process, d));
}

/* ---- before anything runs ---- */

static int check(const struct options *options)
{
	struct config *config = NULL;
	char error[1024];

	if (setup_read(options, &config, error, sizeof(error)) < 0)
		return 1;
	log_line("Corefile is valid");
	config_free(config);
	return 0;
}

static int show_directives(void)
{
	for (unsigned i = 0; i < directive_count; i++)
		printf("dns.%s\n", directives[i].name);
	return 0;
}

/* ---- what happens while it runs ---- */

static bool lane_settled(const struct daemon *d)
{
	struct worker_view w;

	supervisor_view(d->supervisor, WORKER_DPDK, &w);
	return w.state != WORKER_STARTING;
}

static void say_ready(struct daemon *d)
{
	if (d->ready_said || !d->socket_up || !lane_settled(d))
		return;
	d->ready_said = true;
	log_line("lane53d: ready");
}

static void on_worker(void *context, enum worker_io io, bool up)
{
	struct daemon *d = context;
	bool *flag = io == WORKER_SOCKET ? &d->socket_up : &d->dpdk_up;
	struct worker_view w;
	char key[32];

	*flag = up;
	if (d->ending)
		return;
	snprintf(key, sizeof(key), "worker/%s", worker_io_name(io));
	if (up) {
		degraded_clear(&d->degraded, key);
		setup_wake_workers(d);
		if (io == WORKER_DPDK && d->xdp) {
			supervisor_view(d->supervisor, io, &w);
			fastpath_note_worker(d, w.pid);
			xdp_lanes_trim(d->xdp);
		}
		if (io == WORKER_SOCKET)
			loops_begin(d);
	} else {
		supervisor_view(d->supervisor, io, &w);
		if (io == WORKER_DPDK && d->xdp)
			xdp_heartbeat_clear(d->xdp);
		degraded_note(&d->degraded, key, "worker %s is not running: it %s",
			      worker_io_name(io), w.trouble);
	}
	say_ready(d);
}

static void on_rewake(uv_timer_t *timer)
{
	struct process *process = timer->data;
	struct daemon *d = &process->d;

	if (d->ending)
		return;
	if (degraded_has(&d->degraded, "listener/"))
		setup_wake_workers(d);
	if (d->config && degraded_has(&d->degraded, "http/"))
		web_apply(d);
}

static bool binds_to_interfaces(const struct config *config)
{
	for (unsigned b = 0; b < config->block_count; b++) {
		const struct config_block *block = &config->blocks[b];

		for (unsigned i = 0; i < block->bind_count; i++)
			if (!block->binds[i].is_address)
				return true;
		if (block->except_count)
			return true;
	}
	return false;
}

static void on_ifaces(void *context)
{
	struct daemon *d = context;

	if (d->ending || !d->config)
		return;
	/* on a node pods' links come and go all day: only an address is worth a reload */
	if (binds_to_interfaces(d->config) && setup_has_other_addresses(d)) {
		setup_again(d); /* ends with fastpath_apply() */
		return;
	}
	setup_sync_interfaces(d);
	fastpath_sync(d);
}

static void on_signal(uv_signal_t *handle, int number)
{
	struct daemon *d = handle->data;

	if (number == SIGUSR1 || number == SIGHUP) {
		if (!d->ending)
			reload_now(d, NULL, NULL);
		return;
	}
	if (d->ending) {
		/* as CoreDNS: only an impatient terminal may cut it short */
		if (number == SIGINT)
			_exit(2);
		return;
	}
	log_info("%s: Shutting down", number == SIGTERM ? "SIGTERM" : "SIGINT");
	daemon_stop(d, false, 0);
}

/* ---- the end ---- */

static void leave(struct process *process)
{
	struct daemon *d = &process->d;
	char path[PATH_MAX + 32];

	if (process->teardown) {
		fastpath_remove(d);
		instance_remove_run_dir(d);
	} else {
		fastpath_close(d);
		snprintf(path, sizeof(path), "%s/control.sock", d->options->run);
		(void)unlink(path);
		snprintf(path, sizeof(path), "%s/events.sock", d->options->run);
		(void)unlink(path);
	}
	eventlog_close(d->events);
	d->events = NULL;
	if (d->options->pidfile)
		(void)unlink(d->options->pidfile);
	uv_stop(d->loop);
}

static void on_workers_stopped(void *context)
{
	leave(context);
}

static void finish(struct process *process)
{
	struct daemon *d = &process->d;

	if (process->teardown && d->xdp) {
		/* the stack takes over, then we go */
		xdp_settings(d->xdp)->enabled = LANE53_XDP_LEAVING;
		xdp_heartbeat_clear(d->xdp);
	}
	if (process->teardown || d->options->no_xdp || d->looping)
		supervisor_stop(d->supervisor, on_workers_stopped, process);
	else
		leave(process);
}

static void on_lameduck(uv_timer_t *timer)
{
	finish(timer->data);
}

void daemon_stop(struct daemon *d, bool teardown, int exit_code)
{
	struct process *process = process_of(d);
	uint32_t lameduck_ms = web_lameduck_ms(d);

	if (d->ending)
		return;
	d->ending = true; /* /ready says so from now on */
	process->teardown = teardown || d->options->teardown;
	process->exit_code = exit_code;
	if (!lameduck_ms || exit_code) {
		finish(process);
		return;
	}
	log_info("plugin/health: Going into lameduck mode for %u ms", lameduck_ms);
	uv_timer_start(&process->lameduck, on_lameduck, lameduck_ms, 0);
}

/* ---- the beginning ---- */

static int open_supervisor(struct daemon *d)
{
	char pins[128], lane_a[IF_NAMESIZE], lane_b[IF_NAMESIZE];
	struct supervisor_config config = {
		.loop = d->loop,
		.program = d->options->worker,
		.store = d->options->store,
		.run = d->options->run,
		.instance = d->options->name,
		.pins = pins,
		.lane = lane_b,
		.workers = d->options->workers,
		.renew = d->store_renewed,
		.on_change = on_worker,
		.context = d,
	};

	snprintf(pins, sizeof(pins), "/sys/fs/bpf/lane53/%s/v%d", d->options->name,
		 LANE53_ABI_VERSION);
	xdp_lane_names(d->options->name, 0, lane_a, lane_b);
	if (!d->options->worker[0]) {
		log_error("lane53-worker is not beside lane53d; name it in the "
			  "environment: LANE53_WORKER=PATH");
		return -ENOENT;
	}
	return supervisor_open(&d->supervisor, &config);
}

struct commit_flush {
	commit_flushed *flushed;
	void *context;
};

static void on_commit_flushed(void *context, unsigned count)
{
	struct commit_flush *flush = context;

	(void)count;
	flush->flushed(flush->context);
	free(flush);
}

static void flush_for_commit(void *context, uint32_t view, const uint8_t *name,
			     commit_flushed *flushed, void *flushed_context)
{
	struct commit_flush *flush = malloc(sizeof(*flush));

	if (!flush) {
		log_error("out of memory: caches were not flushed");
		flushed(flushed_context);
		return;
	}
	*flush = (struct commit_flush){ flushed, flushed_context };
	flush_caches(context, view, name, on_commit_flushed, flush);
}

static int open_parts(struct daemon *d)
{
	struct commits_config commits = { .context = d, .flush = flush_for_commit };
	struct problem problem = { .text = "" };
	int r = instance_open_store(d);

	if (r == 0)
		r = publisher_open(&d->publisher, NULL, NULL);
	if (r == 0) {
		commits.store = d->store;
		commits.publisher = d->publisher;
		r = commits_open(&d->commits, &commits);
	}
	if (r == 0)
		r = eventlog_open(&d->events, d);
	if (r == 0)
		r = web_open(&d->web, d);
	if (r == 0)
		r = loops_open(&d->loops, d);
	if (r == 0)
		r = open_supervisor(d);
	if (r == 0 && ifaces_open(&d->ifaces, d->loop, on_ifaces, d, &problem) < 0)
		degraded_set(&d->degraded, "ifaces", "%s", problem.text);
	if (r == 0)
		r = control_open(d);
	if (r < 0)
		log_error("cannot start: %s", strerror(-r));
	return r;
}

static void on_started(void *context, int result, bool changed)
{
	struct daemon *d = context;

	(void)changed;
	if (result < 0) {
		log_error("%s: cannot be put into force: %s",
			  d->options->conf ? d->options->conf : "Corefile",
			  commit_error_text(result));
		daemon_stop(d, false, 1);
		return;
	}
	reload_start(d);
	supervisor_start(d->supervisor, WORKER_SOCKET);
}

static void draw_loop_token(struct daemon *d)
{
	uint64_t random[2] = { 0, 0 };

	(void)!getrandom(random, sizeof(random), 0);
	snprintf(d->loop_token, sizeof(d->loop_token), "%llu.%llu",
		 (unsigned long long)random[0] >> 1,
		 (unsigned long long)random[1] >> 1);
}

static void watch_signals(struct daemon *d)
{
	(void)signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < SIGNAL_COUNT; i++) {
		uv_signal_init(d->loop, &signals[i].handle);
		signals[i].handle.data = d;
		uv_signal_start(&signals[i].handle, on_signal, signals[i].number);
	}
}

static int serve(struct process *process)
{
	struct daemon *d = &process->d;
	struct config *config = NULL;
	char error[1024];

	if (setup_read(d->options, &config, error, sizeof(error)) < 0)
		return 1;
	if (open_parts(d) < 0) {
		config_free(config);
		return 1;
	}
	draw_loop_token(d);
	watch_signals(d);
	reload_init(d);
	uv_timer_init(d->loop, &process->lameduck);
	uv_timer_init(d->loop, &process->rewake);
	process->lameduck.data = process->rewake.data = process;
	uv_timer_start(&process->rewake, on_rewake, WAKE_EVERY_MS, WAKE_EVERY_MS);
	supervisor_adopt(d->supervisor, WORKER_SOCKET);
	if (!d->options->no_xdp) {
		supervisor_adopt(d->supervisor, WORKER_DPDK);
	} else if (fastpath_is_left(d)) {
		supervisor_end(d->supervisor, WORKER_DPDK);
		fastpath_remove(d); /* or it would answer with what was true then */
	}
	setup_apply(d, config, on_started, d);
	if (d->options->pidfile && !d->ending)
		instance_write_pid(d->options->pidfile);
	uv_run(d->loop, UV_RUN_DEFAULT);
	store_close(d->store);
	return process->exit_code;
}

int main(int argc, char **argv)
{
	static struct process process;
	struct options options;
	struct problem problem;

	if (options_parse(&options, argc, argv, &problem) < 0) {
		fprintf(stderr, "lane53d: %s\n", problem.text);
		return EXIT_USAGE;
	}
	if (options.help) {
		options_usage(stdout);
		return 0;
	}
	if (options.version) {
		printf("lane53d-%s\n", LANE53_VERSION);
		return 0;
	}
	if (options.plugins)
		return show_directives();
	if (options.check)
		return check(&options);
	if (options_make_dirs(&options, &problem) < 0) {
		log_problem(&problem, true);
		return 1;
	}
	process.lock = instance_lock(&options);
	if (process.lock < 0)
		return 1;
	if (!options.quiet)
		log_info("lane53d-%s, instance %s", LANE53_VERSION, options.name);
	process.d.options = &options;
	process.d.loop = uv_default_loop();
	process.d.started_ns = uv_hrtime();
	process.d.started_at = time(NULL);
	return serve(&process);
}
