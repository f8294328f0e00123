/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * parts.h - the worker's insides, for worker.c (the loop), open.c and crew.c.
 */
#ifndef LANE53_WORKER_PARTS_H
#define LANE53_WORKER_PARTS_H

#include "worker/worker.h"

#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <uv.h>
#include "io/port.h"
#include "io/port_dpdk.h"
#include "io/port_socket.h"
#include "lane53/abi.h"
#include "respond/engine.h"
#include "worker/pins.h"

#define MS_NS     1000000ull
#define SECOND_NS (1000 * MS_NS)

enum stage { SERVING, LAMEDUCK, DRAINING, STOPPED };

/* What the workers of one process share; the first one's. */
struct crew {
	unsigned count;
	struct worker *workers[LANE53_LANES_MAX]; /* NULL: not opened yet */
	struct port *ports[LANE53_LANES_MAX];     /* NULL: taken by its worker */
	struct engine_siblings siblings;
	pthread_mutex_t beating; /* beaten_ns of each, settings->heartbeat_ns */
	_Atomic bool lost; /* a lane is gone, or a thread: all are to be begun anew */
};

/* How the first worker asks another; it waits for the end. */
struct call {
	uv_async_t async;
	pthread_mutex_t lock;
	pthread_cond_t done;
	bool running; /* there is a thread to ask */
	void (*run)(struct worker *w, void *context);
	void *context;
};

struct worker {
	const struct worker_options *options;
	struct crew *crew;
	unsigned idx; /* in the crew, and of its lane; 0: also control and signals */
	uint64_t started_ns;
	struct call call;
	pthread_t thread;
	bool has_thread;
	uint64_t beaten_ns; /* CLOCK_MONOTONIC_COARSE, under crew->beating; 0 = not */

	struct store *store;
	struct worker_stats *stats;
	struct pins pins;
	struct table *table;
	struct port *port;
	struct transport *sockets;   /* whose descriptor is polled */
	struct transport *by_lane;   /* around them; NULL: there are only sockets */
	struct transport *transport; /* the engine's: one of both */
	struct engine *engine;
	struct control *control;
	int events_fd;
	struct sockaddr_un events_to;

	uv_loop_t loop;
	bool has_loop;
	uv_poll_t port_poll, upstream_poll;
	uv_timer_t timer;
	uv_signal_t sigterm, sigint;

	enum stage stage;
	enum worker_exit exit; /* with STOPPED */
	uint64_t stage_ns;     /* when the stage ends */
	uint64_t beat_ns, engine_ns, port_ns, refresh_ns, upstream_ns; /* next due */
	uint64_t generation;
	int store_error; /* of the last batch: 0 or negative errno */
	unsigned spins;
	unsigned awake; /* turns since the last sleep */
	bool unwatched; /* the lane, see watch_lane() */
	bool port_ready, upstream_ready;

	struct port_dpdk_counts lane_seen;
	uint64_t xsk_dropped_seen;
	struct port_socket_counts socket_seen;
	uint64_t mismatched_seen;

	struct query queries[PORT_BATCH], sent[PORT_BATCH], later[PORT_BATCH],
		dropped[PORT_BATCH];
};

/* ---- worker.c ---- */

void worker_turn_until_stopped(struct worker *w);
void worker_on_port(uv_poll_t *poll, int status, int events);

/* ---- crew.c ---- */

int crew_open(struct crew **ret_crew, unsigned count);
void crew_close(struct crew *crew);
/* Begin the threads of all but the first.  Return: are there all? */
bool crew_start(struct crew *crew);
/* Wait for their ends.  Return: the first's exit, or else another's that is not good. */
enum worker_exit crew_join(struct crew *crew);
/* @w is alive at @coarse_ns, or no more: 0.  XDP is told the oldest of all. */
void crew_beat(struct worker *w, uint64_t coarse_ns);

int call_open(struct worker *w);
void call_close(struct worker *w);
void call_run(uv_async_t *async);

/* ---- ways.c: sockets, and the lane where there is one ---- */

struct transport_sink;

int ways_open(struct worker *w, const struct transport_sink *sink);
void ways_close(struct worker *w);
/* Before and after what the engine does in a batch. */
void ways_begin(struct worker *w, uint64_t now_ns);
void ways_end(struct worker *w);
/* Read what has come. */
void ways_run(struct worker *w);
bool ways_have_more(const struct worker *w);
uint64_t ways_mismatched(const struct worker *w);

#endif
