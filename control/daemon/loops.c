/* SPDX-License-Identifier: BSD-3-Clause */
/* loops.c - see loops.h. */
#include "loops.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ask.h"
#include "daemon/commit.h"
#include "daemon/daemon.h"
#include "daemon/gather.h"
#include "daemon/log.h"
#include "dns/name.h"
#include "lane53/wire.h"
#include "plan/plan.h"

#define SEEN_MAX   2    /* CoreDNS: seen more often is a loop */
#define TRY_MS     1000 /* between tries, while nothing comes back */
#define TIMEOUT_MS 2000
#define TRIES      15 /* with TRY_MS: CoreDNS probes for up to 30 s */

struct loops {
	struct daemon *d;
	uv_timer_t timer;
	bool wanted, asking;
	unsigned tries;
	unsigned at;     /* block being probed */
	uint64_t before; /* probes seen before the first of this block */
};

static void probe(struct loops *loops);
static void begin(struct loops *loops);

static void next(struct loops *loops)
{
	loops->at++;
	loops->tries = 0;
	probe(loops);
}

static void on_retry(uv_timer_t *timer)
{
	probe(timer->data);
}

static void on_answer(void *context, const uint8_t *message, size_t len,
		      uint32_t rtt_us, const char *error)
{
	struct loops *loops = context;
	struct daemon *d = loops->d;
	uint64_t seen;

	(void)len;
	(void)rtt_us;
	(void)error;
	loops->asking = false;
	if (d->ending)
		return;
	loops->tries++;
	seen = gather_loop_probes(d);
	/* fewer than before: a worker's counters could not be read; that is no loop */
	seen = seen > loops->before ? seen - loops->before : 0;
	/* Each of our own is seen once; workers coalesce the same one coming again. */
	if (seen > SEEN_MAX + loops->tries - 1) {
		log_line("[FATAL] plugin/loop: Loop detected: a query of our own came "
			 "back to us; an upstream leads here, see "
			 "https://coredns.io/plugins/loop#troubleshooting");
		d->looping = true;
		daemon_stop(d, false, 1);
		return;
	}
	if ((!message || seen > loops->tries) && loops->tries < TRIES)
		uv_timer_start(&loops->timer, on_retry, TRY_MS, 0);
	else
		next(loops);
}

/* The listener of a view that the block is in, and no tenant's. */
static const struct plan_listener *listener_of(const struct plan *plan, unsigned block)
{
	for (unsigned i = 0; i < plan->listener_count; i++) {
		const struct plan_view *view =
			plan_view_find(plan, plan->listeners[i].view);

		for (unsigned b = 0; view && b < view->block_count; b++)
			if (view->blocks[b] == block && !plan->listeners[i].tenant)
				return &plan->listeners[i];
	}
	return NULL;
}

static const char *probe_name(const struct plan_block *block)
{
	for (unsigned i = 0; i < block->step_count; i++)
		if (block->steps[i].kind == STEP_LOOP && block->steps[i].text_count)
			return block->steps[i].texts[0];
	return NULL;
}

/* Send to the block at loops->at, or to the next one that wants it. */
static void probe(struct loops *loops)
{
	struct daemon *d = loops->d;
	const struct plan *plan = commits_plan(d->commits);
	const struct plan_listener *listener = NULL;
	struct ask ask = { .loop = d->loop, .timeout_ms = TIMEOUT_MS };
	uint8_t query[512], name[255];

	for (; plan && loops->at < plan->block_count; loops->at++) {
		const char *text = probe_name(&plan->blocks[loops->at]);

		listener = listener_of(plan, loops->at);
		if (text && listener && name_from_text(name, text))
			break;
	}
	if (!plan || d->ending)
		return;
	if (loops->at >= plan->block_count) {
		begin(loops); /* a reload meanwhile may want another round */
		return;
	}
	if (!loops->tries)
		loops->before = gather_loop_probes(d);
	ask.server = &listener->local;
	ask.query = query;
	ask.len = ask_build(query, name, TYPE_HINFO);
	loops->asking = true;
	ask_send(&ask, on_answer, loops);
}

static void begin(struct loops *loops)
{
	if (!loops->wanted || loops->asking || !loops->d->socket_up)
		return;
	loops->wanted = false;
	uv_timer_stop(&loops->timer); /* a retry of the round before */
	loops->at = loops->tries = 0;
	probe(loops);
}

int loops_open(struct loops **ret, struct daemon *d)
{
	struct loops *loops = calloc(1, sizeof(*loops));

	if (!loops)
		return -ENOMEM;
	loops->d = d;
	uv_timer_init(d->loop, &loops->timer);
	loops->timer.data = loops;
	*ret = loops;
	return 0;
}

void loops_apply(struct daemon *d)
{
	d->loops->wanted = true;
	begin(d->loops);
}

void loops_begin(struct daemon *d)
{
	begin(d->loops);
}
