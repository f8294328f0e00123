/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * crew.c - the threads of one process: started, asked, stopped together.
 *
 *   first worker (the main thread)      another worker (a thread of its own)
 *     control socket, signals
 *     worker_each() ──── uv_async ────►   runs what it is asked, between two turns
 *          └─ waits ◄─── condition ───────┘
 *
 * They share what is written seldom: the table that XDP reads, and the heartbeat.  No
 * thread but the first ever waits for another, so nobody waits in a circle.
 */
#include "worker/parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int crew_open(struct crew **ret_crew, unsigned count)
{
	struct crew *crew = calloc(1, sizeof(*crew));

	if (!crew)
		return -ENOMEM;
	pthread_mutex_init(&crew->siblings.publishing, NULL);
	pthread_mutex_init(&crew->beating, NULL);
	crew->siblings.count = crew->count = count;
	*ret_crew = crew;
	return 0;
}

void crew_close(struct crew *crew)
{
	if (!crew)
		return;
	pthread_mutex_destroy(&crew->siblings.publishing);
	pthread_mutex_destroy(&crew->beating);
	free(crew);
}

/* ---- the heartbeat ---- */

void crew_beat(struct worker *w, uint64_t coarse_ns)
{
	struct crew *crew = w->crew;
	uint64_t oldest_ns = coarse_ns;

	if (!w->pins.settings)
		return;
	pthread_mutex_lock(&crew->beating);
	w->beaten_ns = coarse_ns;
	for (unsigned i = 0; i < crew->count; i++)
		if (!crew->workers[i])
			oldest_ns = 0; /* not opened yet */
		else if (crew->workers[i]->beaten_ns < oldest_ns)
			oldest_ns = crew->workers[i]->beaten_ns;
	__atomic_store_n(&w->pins.settings->heartbeat_ns, oldest_ns, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&crew->beating);
}

/* ---- asking a thread ---- */

int call_open(struct worker *w)
{
	pthread_mutex_init(&w->call.lock, NULL);
	pthread_cond_init(&w->call.done, NULL);
	w->call.async.data = w;
	return uv_async_init(&w->loop, &w->call.async, call_run);
}

void call_close(struct worker *w)
{
	pthread_mutex_destroy(&w->call.lock);
	pthread_cond_destroy(&w->call.done);
}

void call_run(uv_async_t *async)
{
	struct worker *w = async->data;

	pthread_mutex_lock(&w->call.lock);
	if (w->call.run)
		w->call.run(w, w->call.context);
	w->call.run = NULL;
	pthread_cond_signal(&w->call.done);
	pthread_mutex_unlock(&w->call.lock);
}

/* Have @w's thread run it; or run it here, if it has none at the moment. */
static void call(struct worker *w, void (*run)(struct worker *w, void *context),
		 void *context)
{
	pthread_mutex_lock(&w->call.lock);
	if (!w->call.running) {
		run(w, context);
		pthread_mutex_unlock(&w->call.lock);
		return;
	}
	w->call.run = run;
	w->call.context = context;
	(void)uv_async_send(&w->call.async);
	while (w->call.run)
		pthread_cond_wait(&w->call.done, &w->call.lock);
	pthread_mutex_unlock(&w->call.lock);
}

void worker_each(struct worker *first, void (*run)(struct worker *w, void *context),
		 void *context)
{
	const struct crew *crew = first->crew;

	run(first, context);
	for (unsigned i = 1; i < crew->count; i++)
		call(crew->workers[i], run, context);
}

unsigned worker_count(const struct worker *w)
{
	return w->crew->count;
}

/* ---- threads ---- */

static void set_running(struct worker *w, bool running)
{
	pthread_mutex_lock(&w->call.lock);
	w->call.running = running;
	pthread_mutex_unlock(&w->call.lock);
}

static void *serve(void *context)
{
	struct worker *w = context;

	port_dpdk_enter();
	worker_turn_until_stopped(w);
	set_running(w, false);
	call_run(&w->call.async); /* what came too late for the loop */
	return NULL;
}

bool crew_start(struct crew *crew)
{
	char name[16];

	for (unsigned i = 1; i < crew->count; i++) {
		struct worker *w = crew->workers[i];

		set_running(w, true);
		w->has_thread = pthread_create(&w->thread, NULL, serve, w) == 0;
		if (!w->has_thread) {
			set_running(w, false);
			crew->lost = true;
			return false;
		}
		snprintf(name, sizeof(name), "lane53-%u", i);
		(void)pthread_setname_np(w->thread, name);
	}
	return true;
}

enum worker_exit crew_join(struct crew *crew)
{
	enum worker_exit r = crew->workers[0]->exit;

	for (unsigned i = 1; i < crew->count; i++) {
		struct worker *w = crew->workers[i];

		if (w->has_thread)
			pthread_join(w->thread, NULL);
		w->has_thread = false;
		if (r == WORKER_STOPPED)
			r = w->exit;
	}
	return r;
}
