/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker.h - one worker: a port, the engine, and the loop that turns them; or several,
 * each with a lane and a thread of its own, opened, run and closed as the first of them.
 *
 *   main.c     command line, exit codes
 *   open.c     put together, take apart
 *   worker.c   the loop, stop
 *   crew.c     threads, and what they share
 *   control.c  the control socket (JSON lines)
 *   ops.c      what it can be asked
 *   pins.c     the BPF maps that XDP reads
 *   ways.c     how upstreams are asked
 *   stats.c    the counters' file
 */
#ifndef LANE53_WORKER_H
#define LANE53_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "io/port_dpdk.h"

/* As sysexits.h has them; lane53d tells them apart. */
enum worker_exit {
	WORKER_STOPPED = 0,
	WORKER_USAGE = 64,
	WORKER_UNAVAILABLE = 69, /* a port, a map or the store cannot be opened */
	WORKER_INTERNAL = 70,
};

struct worker_options {
	bool lane; /* --io dpdk, else socket */
	const char *store_dir, *run_dir;
	const char *pins_dir; /* NULL: nothing is published */
	const char *interface;
	const char *instance;
	enum dpdk_hugepages hugepages;
	unsigned workers; /* threads, each with a lane; 1..LANE53_LANES_MAX */
};

#define WORKER_WHY_ROOM 4608 /* a path and a sentence */

struct worker;

/*
 * Open everything and serve.  @options is borrowed until worker_close().  On success
 * *@ret_worker is the caller's; else @why says what failed and what to do.
 */
enum worker_exit worker_open(struct worker **ret_worker,
			     const struct worker_options *options,
			     char why[WORKER_WHY_ROOM]);

/* Turn until stopped by SIGTERM, SIGINT or the control socket. */
enum worker_exit worker_run(struct worker *worker);

void worker_close(struct worker *worker);

/* ---- for control.c ---- */

struct engine;

/* "dpdk" or "socket". */
const char *worker_io(const struct worker *worker);
const struct worker_options *worker_options(const struct worker *worker);
struct engine *worker_engine(struct worker *worker);
struct port *worker_port(struct worker *worker);
/* The transport_lane, NULL if upstreams are asked only by sockets. */
struct transport *worker_by_lane(struct worker *worker);
uint64_t worker_uptime_s(const struct worker *worker);
/* Why the newest commit could not be read: 0 or a negative errno. */
int worker_store_error(const struct worker *worker);

/* How many there are. */
unsigned worker_count(const struct worker *worker);
/* Run it in each one's own thread, one after the other, and wait.  From the first only. */
void worker_each(struct worker *first, void (*run)(struct worker *w, void *context),
		 void *context);

/* Look at the newest commit now; returns the plan's generation, 0 = none yet. */
uint64_t worker_refresh(struct worker *worker);

/* Have all serve for @lameduck_ms more, then answer what is in flight and end. */
void worker_stop(struct worker *first, uint64_t lameduck_ms);

/* CLOCK_MONOTONIC. */
uint64_t worker_now_ns(void);

#endif
