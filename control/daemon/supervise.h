/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * supervise.h - the two workers: found running or started, watched, started again.
 *
 * A worker is a session of its own and outlives lane53d; a restarted lane53d adopts the
 * one that its pid file names, if it is the same program and answers.  A death is seen
 * through a pidfd at once, logged with its reason, and followed by a restart after
 * 100 ms, doubling to 5 s; a life of 10 s or more resets that.
 */
#ifndef LANE53_SUPERVISE_H
#define LANE53_SUPERVISE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>
#include "daemon/lines.h"

struct supervisor;

enum worker_io { WORKER_DPDK, WORKER_SOCKET };
#define WORKER_COUNT 2

enum worker_state {
	WORKER_OFF,      /* not wanted */
	WORKER_STARTING, /* started; does not answer yet */
	WORKER_RUNNING,
	WORKER_WAITING, /* dead; started again after the back-off */
	WORKER_STOPPING,
};

struct worker_view {
	enum worker_state state;
	int pid; /* 0 = none */
	bool adopted;
	uint64_t restarts;
	char trouble[512]; /* why the last one ended; "" = it never did */
};

struct supervisor_config {
	uv_loop_t *loop;
	const char *program; /* path of lane53-worker */
	const char *store, *run, *instance;
	const char *pins, *lane; /* dpdk only */
	unsigned workers;        /* likewise: threads */
	bool renew; /* adopt none: they hold a store that is no longer ours */
	/* Called when a worker begins to answer (@up) and when it has died. */
	void (*on_change)(void *context, enum worker_io io, bool up);
	void *context;
};

/* Strings of @config are copied. Return: 0 or -ENOMEM. */
int supervisor_open(struct supervisor **ret, const struct supervisor_config *config);

/*
 * Adopt the worker if one is running.  One of another version or store is replaced: it
 * gets SIGTERM, and SIGKILL if it needs more than 2 s.
 */
void supervisor_adopt(struct supervisor *supervisor, enum worker_io io);

/* Adopt or start the worker; one that is being stopped is started when it has gone. */
void supervisor_start(struct supervisor *supervisor, enum worker_io io);

/* Let go of the workers: they go on. */
void supervisor_close(struct supervisor *supervisor);

/*
 * Stop every worker (SIGTERM, and SIGKILL for one that needs more than 2 s), also one
 * that is not wanted but runs; @done when none is left.
 */
void supervisor_stop(struct supervisor *supervisor, void (*done)(void *context),
		     void *context);

/* Stop one worker for good. */
void supervisor_end(struct supervisor *supervisor, enum worker_io io);

void supervisor_view(const struct supervisor *supervisor, enum worker_io io,
		     struct worker_view *ret);
const char *worker_io_name(enum worker_io io); /* "dpdk", "socket" */

/*
 * Ask the worker (@request is taken over); @done gets the reply, or NULL and an error
 * ("not running") - never from within this call.
 */
void supervisor_ask(struct supervisor *supervisor, enum worker_io io, json_t *request,
		    unsigned timeout_ms, lines_done *done, void *context);

#endif
