/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker.c - one loop: take a batch, answer it, hear the upstreams, sleep.
 *
 *   ┌─► recv ─► batch_begin ─► engine_query ─► send ─► upstreams ─► tick ─► batch_end ─┐
 *   └── awake ◄── epoll (libuv): port, upstreams, control, signals, deadline ◄── idle ◄┘
 *
 * The lane has no interrupt but its socket can be polled: after traffic it is read
 * actively for a while, then put into epoll (ARCHITECTURE 9).  The clock is read here
 * and nowhere below.
 */
#include "worker/parts.h"

#include <time.h>
#include "lane53/abi.h"
#include "plan/plan.h"
#include "respond/engine.h"
#include "stats/stats.h"

/* The promise is 100 ms (abi.h); a timer may be late by a tick or two. */
#define BEAT_NS (80 * MS_NS)

/* A commit that nobody told us of is seen after this; lane53d sends `wake`. */
#define REFRESH_NS SECOND_NS

/* Polls of an empty lane before it is left to epoll: 11-17 us round trips instead of
 * 19-26, at no cost when idle (ARCHITECTURE 14). */
#define SPINS_BEFORE_SLEEP 2000
#define SPINS_PER_TURN     16 /* between two looks at everything else */

/* From so many turns without a sleep on, the lane is left out of epoll: not for one query. */
#define TURNS_AWAKE (2 * SPINS_BEFORE_SLEEP / SPINS_PER_TURN)

/* In-flight queries get this long at a stop: a client's first retry. */
#define DRAIN_NS SECOND_NS
/* Frames already on the lane when the heartbeat goes. */
#define DRAIN_LANE_NS (20 * MS_NS)
#define DRAIN_LOOK_NS (10 * MS_NS)

uint64_t worker_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

const char *worker_io(const struct worker *w)
{
	return w->options->lane ? "dpdk" : "socket";
}

const struct worker_options *worker_options(const struct worker *w)
{
	return w->options;
}

struct engine *worker_engine(struct worker *w)
{
	return w->engine;
}

struct port *worker_port(struct worker *w)
{
	return w->port;
}

struct transport *worker_by_lane(struct worker *w)
{
	return w->by_lane;
}

int worker_store_error(const struct worker *w)
{
	return w->store_error;
}

uint64_t worker_uptime_s(const struct worker *w)
{
	return (worker_now_ns() - w->started_ns) / SECOND_NS;
}

/* ---- one turn ---- */

/* What the ports count goes on from where the last worker's file stopped. */
static void mirror_counts(struct worker *w)
{
	struct worker_stats *s = w->stats;
	uint64_t mismatched = ways_mismatched(w);

	stats_add(&s->upstream_mismatched, mismatched - w->mismatched_seen);
	w->mismatched_seen = mismatched;
	if (w->options->lane) {
		struct port_dpdk_counts now, *seen = &w->lane_seen;

		port_dpdk_counts(w->port, &now);
		stats_add(&s->lane_rx, now.rx - seen->rx);
		stats_add(&s->lane_tx, now.tx - seen->tx);
		stats_add(&s->lane_rx_bad, now.rx_bad - seen->rx_bad);
		stats_add(&s->lane_tx_dropped, now.tx_dropped - seen->tx_dropped);
		*seen = now;
	} else {
		struct port_socket_counts now, *seen = &w->socket_seen;

		port_socket_counts(w->port, &now);
		stats_add(&s->tcp_accepted, now.accepted - seen->accepted);
		stats_add(&s->tcp_refused, now.refused - seen->refused);
		stats_add(&s->dropped,
			  now.unsent - seen->unsent + now.unknown - seen->unknown);
		*seen = now;
	}
}

static void follow_plan(struct worker *w, uint64_t now_ns)
{
	const struct plan *plan = engine_plan(w->engine);

	if (!plan || plan->generation == w->generation)
		return;
	w->generation = plan->generation;
	if (!w->options->lane) /* what failed is in `status`, and is tried again */
		(void)port_socket_apply(w->port, plan, now_ns);
}

static void answer(struct worker *w, unsigned count)
{
	const struct port_ops *ops = w->port->ops;
	unsigned sent = 0, later = 0, dropped = 0;

	for (unsigned i = 0; i < count; i++) {
		struct query *q = &w->queries[i];

		switch (engine_query(w->engine, w->port, q)) {
		case VERDICT_SEND:
			w->sent[sent++] = *q;
			break;
		case VERDICT_LATER:
			w->later[later++] = *q;
			break;
		case VERDICT_DROP:
			w->dropped[dropped++] = *q;
			break;
		}
	}
	if (sent)
		ops->send(w->port, w->sent, sent);
	if (later && ops->later)
		ops->later(w->port, w->later, later);
	else if (later)
		ops->drop(w->port, w->later, later);
	if (dropped)
		ops->drop(w->port, w->dropped, dropped);
}

static void batch(struct worker *w, unsigned count, uint64_t now_ns)
{
	/* a failure leaves the engine with its last good plan; `wake` tells of it */
	w->store_error = engine_batch_begin(w->engine, now_ns);
	w->refresh_ns = now_ns + REFRESH_NS;
	follow_plan(w, now_ns);
	ways_begin(w, now_ns);
	answer(w, count);
	ways_run(w);
	ways_end(w);
	w->engine_ns = engine_tick(w->engine, now_ns);
	engine_batch_end(w->engine);
	if (w->options->lane)
		port_dpdk_flush(w->port);
	mirror_counts(w);
}

uint64_t worker_refresh(struct worker *w)
{
	batch(w, 0, worker_now_ns());
	return w->generation;
}

/* At the heartbeat's pace: it takes a system call. */
static void mirror_xsk_drops(struct worker *w)
{
	uint64_t dropped = port_dpdk_xsk_dropped(w->port);

	stats_add(&w->stats->lane_xsk_dropped, dropped - w->xsk_dropped_seen);
	w->xsk_dropped_seen = dropped;
}

/* Not before there is a plan to answer by, nor while draining. */
static bool is_beating(const struct worker *w)
{
	return w->pins.settings && w->stage < DRAINING && w->generation != 0;
}

/* XDP compares with the coarse clock, so that is the one to write. */
static void beat(struct worker *w, uint64_t now_ns)
{
	struct timespec coarse;

	if (!is_beating(w) || now_ns < w->beat_ns)
		return;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &coarse);
	crew_beat(w, (uint64_t)coarse.tv_sec * SECOND_NS + (uint64_t)coarse.tv_nsec);
	w->beat_ns = now_ns + BEAT_NS;
	if (w->options->lane)
		mirror_xsk_drops(w);
}

static unsigned recv_lane(struct worker *w)
{
	unsigned count = 0;

	for (unsigned i = 0; i < SPINS_PER_TURN && !count && !ways_have_more(w); i++)
		count = w->port->ops->recv(w->port, w->queries, PORT_BATCH);
	w->spins = count || w->port_ready || port_dpdk_has_upstream(w->port)
			   ? 0
			   : w->spins + SPINS_PER_TURN;
	w->port_ready = false;
	return count;
}

void worker_on_port(uv_poll_t *poll, int status, int events)
{
	struct worker *w = poll->data;

	(void)status; /* an error is found by the read that follows */
	(void)events;
	w->port_ready = true;
}

/*
 * As long as its socket is in epoll, each frame that comes, and each that has gone, wakes
 * whom it may concern: a tenth of what the kernel does for a frame, and nobody sleeps.
 */
static void watch_lane(struct worker *w, bool on)
{
	if (!w->options->lane || w->unwatched != on || port_dpdk_fd(w->port) < 0)
		return;
	if (on) /* if that fails it is tried again after a beat */
		w->unwatched =
			uv_poll_start(&w->port_poll, UV_READABLE, worker_on_port) < 0;
	else
		w->unwatched = uv_poll_stop(&w->port_poll) == 0;
}

static unsigned recv_sockets(struct worker *w, uint64_t now_ns)
{
	w->port_ns = port_socket_tick(w->port, now_ns);
	if (!w->port_ready && !port_socket_has_more(w->port))
		return 0;
	w->port_ready = false;
	return w->port->ops->recv(w->port, w->queries, PORT_BATCH);
}

static void drain_begin(struct worker *w, uint64_t now_ns)
{
	w->stage = DRAINING;
	w->stage_ns = now_ns + DRAIN_NS;
	crew_beat(w, 0);
	if (!w->options->lane)
		port_socket_stop_accepting(w->port);
}

static void advance_stage(struct worker *w, unsigned count, uint64_t now_ns)
{
	bool in_flight = atomic_load_explicit(&w->stats->waiting, memory_order_relaxed);

	if (w->stage == LAMEDUCK && now_ns >= w->stage_ns)
		drain_begin(w, now_ns);
	if (w->stage != DRAINING)
		return;
	if (w->options->lane)
		in_flight |= now_ns < w->stage_ns - DRAIN_NS + DRAIN_LANE_NS;
	else
		in_flight |= port_socket_is_writing(w->port);
	if (now_ns >= w->stage_ns || (count == 0 && !in_flight))
		w->stage = STOPPED;
}

/* Return: is there more to do at once? */
static bool turn(struct worker *w)
{
	uint64_t now_ns = worker_now_ns();
	unsigned count;

	beat(w, now_ns);
	if (w->options->lane && now_ns >= w->refresh_ns &&
	    (w->crew->lost || !port_dpdk_is_alive(w->port))) {
		w->crew->lost = true;
		w->exit = WORKER_UNAVAILABLE; /* to be started again on a new lane */
		w->stage = STOPPED;
		return true;
	}
	count = w->options->lane ? recv_lane(w) : recv_sockets(w, now_ns);
	if (count || ways_have_more(w) || now_ns >= w->engine_ns ||
	    now_ns >= w->refresh_ns || now_ns >= w->upstream_ns)
		batch(w, count, now_ns);
	advance_stage(w, count, now_ns);
	if (w->stage == STOPPED)
		return true;
	return w->options->lane ? w->spins < SPINS_BEFORE_SLEEP
				: count > 0 || port_socket_has_more(w->port);
}

static void on_timer(uv_timer_t *timer)
{
	(void)timer; /* it only ends the sleep */
}

static void sleep_until_due(struct worker *w)
{
	uint64_t now_ns = worker_now_ns(), due = w->engine_ns, ms;

	if (w->refresh_ns < due)
		due = w->refresh_ns;
	if (w->upstream_ns < due)
		due = w->upstream_ns;
	if (!w->options->lane && w->port_ns < due)
		due = w->port_ns;
	if (is_beating(w) && w->beat_ns < due)
		due = w->beat_ns;
	if (w->stage == LAMEDUCK && w->stage_ns < due)
		due = w->stage_ns;
	if (w->stage == DRAINING && now_ns + DRAIN_LOOK_NS < due)
		due = now_ns + DRAIN_LOOK_NS;
	ms = due > now_ns ? (due - now_ns + MS_NS - 1) / MS_NS : 1;
	uv_update_time(&w->loop);
	/* it repeats: uv_run() fires a timer that is due before it polls, and would then
	 * poll for ever */
	uv_timer_start(&w->timer, on_timer, ms, ms);
	uv_run(&w->loop, UV_RUN_ONCE);
}

void worker_turn_until_stopped(struct worker *w)
{
	while (w->stage != STOPPED) {
		if (turn(w)) {
			if (++w->awake == TURNS_AWAKE)
				watch_lane(w, false);
			uv_run(&w->loop, UV_RUN_NOWAIT);
		} else {
			watch_lane(w, true);
			sleep_until_due(w);
			w->awake = 0;
		}
	}
	crew_beat(w, 0); /* nobody listens on its lane any more */
}

enum worker_exit worker_run(struct worker *first)
{
	if (crew_start(first->crew))
		worker_turn_until_stopped(first);
	else
		first->exit = WORKER_INTERNAL;
	return crew_join(first->crew);
}

static void stop(struct worker *w, void *context)
{
	const uint64_t *lameduck_ms = context;

	if (w->stage != SERVING)
		return;
	w->stage = LAMEDUCK;
	w->stage_ns = worker_now_ns() + *lameduck_ms * MS_NS;
}

void worker_stop(struct worker *first, uint64_t lameduck_ms)
{
	worker_each(first, stop, &lameduck_ms);
}
