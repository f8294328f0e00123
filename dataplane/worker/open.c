/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * open.c - put a worker together, step by step, and take it apart.
 */
#include "worker/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>
#include "io/transport_socket.h"
#include "lane53/abi.h"
#include "respond/engine.h"
#include "store/store.h"
#include "worker/control.h"
#include "stats/stats.h"

/* Clients that wait for upstreams; 64 KiB of TCP rooms aside, some 5 MiB. */
#define WAITING_MAX 10000

/* ---- what the engine calls ---- */

static void on_event(void *context, const struct lane53_report *report)
{
	struct worker *w = context;
	struct lane53_report stamped = *report;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	stamped.event.time_ns =
		(uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
	if (sendto(w->events_fd, &stamped, sizeof(stamped), MSG_DONTWAIT | MSG_NOSIGNAL,
		   (struct sockaddr *)&w->events_to, sizeof(w->events_to)) < 0)
		stats_add(&w->stats->events_lost, 1);
}

static void on_response(void *context, struct exchange *exchange,
			const uint8_t *message, size_t len)
{
	struct worker *w = context;

	engine_upstream_response(w->engine, exchange, message, len);
}

static void on_failed(void *context, struct exchange *exchange, int error)
{
	struct worker *w = context;

	engine_upstream_failed(w->engine, exchange, error);
}

/* ---- open ---- */

static void on_upstream(uv_poll_t *poll, int status, int events)
{
	struct worker *w = poll->data;

	(void)status;
	(void)events;
	w->upstream_ready = true;
}

static void on_signal(uv_signal_t *handle, int number)
{
	(void)number;
	worker_stop(handle->data, 0);
}

static int watch(struct worker *w, uv_poll_t *poll, int fd, uv_poll_cb callback)
{
	int r = uv_poll_init(&w->loop, poll, fd);

	poll->data = w;
	return r < 0 ? r : uv_poll_start(poll, UV_READABLE, callback);
}

static int open_loop(struct worker *w)
{
	int r = uv_loop_init(&w->loop);

	if (r < 0)
		return r;
	w->has_loop = true;
	uv_timer_init(&w->loop, &w->timer);
	r = call_open(w);
	if (r < 0 || w->idx)
		return r;
	signal(SIGPIPE, SIG_IGN);
	uv_signal_init(&w->loop, &w->sigterm);
	uv_signal_init(&w->loop, &w->sigint);
	w->sigterm.data = w->sigint.data = w;
	r = uv_signal_start(&w->sigterm, on_signal, SIGTERM);
	if (r == 0)
		r = uv_signal_start(&w->sigint, on_signal, SIGINT);
	return r;
}

static enum worker_exit open_store(struct worker *w, char *why)
{
	const char *dir = w->options->store_dir;
	int r = store_open(&w->store, dir, STORE_READ_ONLY, 0);

	if (r == 0)
		return WORKER_STOPPED;
	if (r == STORE_ABSENT)
		snprintf(why, WORKER_WHY_ROOM,
			 "no zone store in %s: start lane53d, "
			 "which makes it",
			 dir);
	else if (r == STORE_OTHER_VERSION)
		snprintf(why, WORKER_WHY_ROOM,
			 "the zone store in %s is of another "
			 "version: restart lane53d",
			 dir);
	else
		snprintf(why, WORKER_WHY_ROOM, "cannot open the zone store in %s: %s",
			 dir, strerror(-r));
	return WORKER_UNAVAILABLE;
}

/* Of the threads that a worker before us had and we have not. */
static void clear_further_gauges(const struct worker *w, const char *path)
{
	struct worker_stats *stats;
	char further[4200];

	for (unsigned i = w->crew->count;; i++) {
		stats_path(further, sizeof(further), path, i);
		if (access(further, F_OK) < 0 || stats_map(&stats, further, 1) < 0)
			return;
		stats_clear_gauges(stats);
		stats_unmap(stats);
	}
}

static enum worker_exit open_stats(struct worker *w, char *why)
{
	char path[4096], own[4200];
	int r;

	snprintf(path, sizeof(path), "%s/stats-%s", w->options->run_dir, worker_io(w));
	stats_path(own, sizeof(own), path, w->idx);
	r = stats_map(&w->stats, own, 1);
	if (r < 0) {
		snprintf(why, WORKER_WHY_ROOM, "cannot map %s: %s", own, strerror(-r));
		return WORKER_UNAVAILABLE;
	}
	stats_clear_gauges(w->stats); /* of the worker before us */
	if (w->idx == 0)
		clear_further_gauges(w, path);
	return WORKER_STOPPED;
}

static enum worker_exit open_events(struct worker *w, char *why)
{
	int len = snprintf(w->events_to.sun_path, sizeof(w->events_to.sun_path),
			   "%s/events.sock", w->options->run_dir);

	w->events_to.sun_family = AF_UNIX;
	w->events_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (len >= (int)sizeof(w->events_to.sun_path) || w->events_fd < 0) {
		snprintf(why, WORKER_WHY_ROOM, "%s/events.sock: path is too long (%d)",
			 w->options->run_dir, len);
		return WORKER_UNAVAILABLE;
	}
	return WORKER_STOPPED;
}

static enum worker_exit open_pins(struct worker *w, char *why)
{
	if (!w->options->lane || !w->options->pins_dir)
		return WORKER_STOPPED;
	if (w->idx) { /* the first one's, which closes them */
		w->pins = w->crew->workers[0]->pins;
		w->table = w->crew->workers[0]->table;
		return WORKER_STOPPED;
	}
	if (pins_open(&w->pins, w->options->pins_dir, why, WORKER_WHY_ROOM) < 0)
		return WORKER_UNAVAILABLE;
	if (table_open(&w->table, &w->pins.cache) < 0) {
		snprintf(why, WORKER_WHY_ROOM, "cannot take over %s/cache",
			 w->options->pins_dir);
		return WORKER_UNAVAILABLE;
	}
	w->pins.settings->lanes = w->crew->count;
	return WORKER_STOPPED;
}

/* The first opens them all. */
static int open_lane(struct worker *w, char *why)
{
	const struct port_dpdk_config config = {
		.interface = w->options->interface,
		.count = w->crew->count,
		.instance = w->options->instance,
		.run_dir = w->options->run_dir,
		.hugepages = w->options->hugepages,
	};
	int r = w->idx ? 0
		       : port_dpdk_open(w->crew->ports, &config, why, WORKER_WHY_ROOM);

	if (r == 0) {
		w->port = w->crew->ports[w->idx];
		w->crew->ports[w->idx] = NULL;
	}
	return r;
}

static enum worker_exit open_port(struct worker *w, char *why)
{
	int fd, r;

	if (w->options->lane) {
		if (open_lane(w, why) < 0)
			return WORKER_UNAVAILABLE;
		fd = port_dpdk_fd(w->port);
	} else {
		r = port_socket_open(&w->port);
		if (r < 0) {
			snprintf(why, WORKER_WHY_ROOM, "no sockets: %s", strerror(-r));
			return WORKER_INTERNAL;
		}
		fd = port_socket_fd(w->port);
	}
	if (fd >= 0 && watch(w, &w->port_poll, fd, worker_on_port) < 0) {
		snprintf(why, WORKER_WHY_ROOM, "cannot poll the port");
		return WORKER_INTERNAL;
	}
	return WORKER_STOPPED;
}

static enum worker_exit open_engine(struct worker *w, char *why)
{
	const struct transport_sink sink = { on_response, on_failed, w };
	struct engine_config config = {
		.store = w->store,
		.publish = w->table,
		.stats = w->stats,
		.siblings = w->crew->count > 1 ? &w->crew->siblings : NULL,
		.number = w->idx,
		.on_event = on_event,
		.context = w,
		.clock_ns = worker_now_ns,
		.max_waiting = WAITING_MAX,
	};
	int r = ways_open(w, &sink);

	if (r == 0)
		r = watch(w, &w->upstream_poll, transport_socket_fd(w->sockets),
			  on_upstream);
	if (r == 0 && getrandom(&config.seed, sizeof(config.seed), 0) < 0)
		r = -errno;
	config.transport = w->transport;
	if (r == 0)
		r = engine_open(&w->engine, &config);
	if (r == -EPROTO) {
		snprintf(why, WORKER_WHY_ROOM,
			 "the plan in %s is of another version: "
			 "restart lane53d",
			 w->options->store_dir);
		return WORKER_UNAVAILABLE;
	}
	if (r < 0) {
		snprintf(why, WORKER_WHY_ROOM, "cannot open the engine: %s",
			 strerror(-r));
		return WORKER_INTERNAL;
	}
	return WORKER_STOPPED;
}

static void pid_path(const struct worker *w, const char *suffix, char path[4096])
{
	snprintf(path, 4096, "%s/worker-%s.pid%s", w->options->run_dir, worker_io(w),
		 suffix);
}

static enum worker_exit write_pid(struct worker *w, char *why)
{
	char path[4096], fresh[4096], text[32];
	int len = snprintf(text, sizeof(text), "%d\n", getpid()), fd;
	bool written;

	pid_path(w, "", path);
	pid_path(w, ".new", fresh);
	fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	written = fd >= 0 && write(fd, text, (size_t)len) == len;
	if (fd >= 0)
		close(fd);
	if (written && rename(fresh, path) == 0)
		return WORKER_STOPPED;
	snprintf(why, WORKER_WHY_ROOM, "cannot write %s: %s", path, strerror(errno));
	return WORKER_UNAVAILABLE;
}

static enum worker_exit open_control(struct worker *w, char *why)
{
	int r = control_open(&w->control, w, &w->loop);

	if (r == 0)
		return WORKER_STOPPED;
	snprintf(why, WORKER_WHY_ROOM, "cannot listen on %s/worker-%s.sock: %s",
		 w->options->run_dir, worker_io(w), strerror(-r));
	return WORKER_UNAVAILABLE;
}

/* ---- close ---- */

static void close_handle(uv_handle_t *handle, void *context)
{
	(void)context;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

static void remove_pid(const struct worker *w)
{
	char path[4096], text[32] = "";
	FILE *file;

	pid_path(w, "", path);
	file = fopen(path, "re");
	if (!file)
		return;
	/* only if it is ours: a successor may stand beside us */
	if (fgets(text, sizeof(text), file) && atoi(text) == getpid())
		(void)unlink(path);
	fclose(file);
}

static void close_one(struct worker *w)
{
	control_close(w->control);
	engine_close(w->engine);
	if (w->has_loop) {
		uv_walk(&w->loop, close_handle, NULL);
		uv_run(&w->loop, UV_RUN_DEFAULT);
		uv_loop_close(&w->loop);
		call_close(w);
	}
	ways_close(w);
	if (w->port)
		w->port->ops->close(w->port);
	if (w->idx == 0) {
		table_close(w->table);
		if (w->pins.settings)
			pins_close(&w->pins);
	}
	if (w->events_fd >= 0)
		close(w->events_fd);
	stats_unmap(w->stats);
	store_close(w->store);
	free(w);
}

/* The first last: the others use what is its. */
static void close_all(struct crew *crew)
{
	if (crew->workers[0])
		remove_pid(crew->workers[0]);
	for (unsigned i = crew->count; i-- > 0;) {
		if (crew->workers[i])
			close_one(crew->workers[i]);
		if (crew->ports[i])
			crew->ports[i]->ops->close(crew->ports[i]);
	}
	crew_close(crew);
}

void worker_close(struct worker *first)
{
	if (first)
		close_all(first->crew);
}

/* ---- the whole ---- */

static enum worker_exit open_one(struct crew *crew, unsigned idx,
				 const struct worker_options *options, char *why)
{
	static enum worker_exit (*const steps[])(struct worker *, char *) = {
		open_store, open_stats, open_events, open_pins, open_port, open_engine,
	};
	struct worker *w = calloc(1, sizeof(*w));
	enum worker_exit r = WORKER_STOPPED;

	if (!w)
		return WORKER_INTERNAL;
	crew->workers[idx] = w;
	w->crew = crew;
	w->idx = idx;
	w->options = options;
	w->events_fd = -1;
	w->started_ns = worker_now_ns();
	if (open_loop(w) < 0)
		r = WORKER_INTERNAL;
	for (size_t i = 0; r == WORKER_STOPPED && i < sizeof(steps) / sizeof(*steps);
	     i++)
		r = steps[i](w, why);
	if (r == WORKER_STOPPED)
		(void)worker_refresh(w); /* opens the listeners of the plan */
	return r;
}

enum worker_exit worker_open(struct worker **ret_worker,
			     const struct worker_options *options,
			     char why[WORKER_WHY_ROOM])
{
	enum worker_exit r = WORKER_STOPPED;
	struct crew *crew;

	snprintf(why, WORKER_WHY_ROOM, "out of memory");
	if (crew_open(&crew, options->workers) < 0)
		return WORKER_INTERNAL;
	for (unsigned i = 0; r == WORKER_STOPPED && i < crew->count; i++)
		r = open_one(crew, i, options, why);
	if (r == WORKER_STOPPED)
		r = open_control(crew->workers[0], why);
	if (r == WORKER_STOPPED)
		r = write_pid(crew->workers[0], why);
	if (r != WORKER_STOPPED) {
		close_all(crew);
		return r;
	}
	*ret_worker = crew->workers[0];
	return WORKER_STOPPED;
}
