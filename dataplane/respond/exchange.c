/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * exchange.c - one question to one upstream: its life from asking to the last word.
 *
 *   take ─► ask ─► response | failed | timeout ─► pending's or the health check's
 *             └──────◄── pause (fanout's next attempt), TCP retry
 *
 * The transport reports an exchange once and then knows it no more; a timeout is ours,
 * and cancels it there.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "lane53/wire.h"
#include "respond/pending.h"

/* CoreDNS's read timeout of a health check. */
#define PROBE_TIMEOUT_MS 1000

static struct exchange *exchange_of(struct deadline *deadline)
{
	return (void *)((char *)deadline - offsetof(struct exchange, deadline));
}

static void cancel(struct engine *engine, struct exchange *x)
{
	if (x->open)
		engine->config.transport->ops->cancel(engine->config.transport,
						      x->handle);
	x->open = false;
	deadline_clear(&engine->deadlines, &x->deadline);
}

static void failed(struct engine *engine, struct exchange *x, int error)
{
	if (!x->pending) {
		upstream_probe_done(engine, x, false);
		return;
	}
	pending_note(x, LANE53_CAUSE_IO, error);
	upstream_failed(engine, x->upstream, error == -ETIMEDOUT);
	policy_failed(engine, x);
}

static void exchange_due(void *context, struct deadline *deadline)
{
	struct engine *engine = context;
	struct exchange *x = exchange_of(deadline);

	if (x->paused) {
		x->paused = false;
		policy_resume(engine, x);
		return;
	}
	cancel(engine, x);
	failed(engine, x, -ETIMEDOUT);
}

int exchanges_open(struct engine *engine)
{
	unsigned count = engine->config.max_waiting * EXCHANGES_PER_WAITING;

	engine->exchanges = calloc(count, sizeof(*engine->exchanges));
	return engine->exchanges ? 0 : -ENOMEM;
}

void exchanges_close(struct engine *engine)
{
	free(engine->exchanges);
}

struct exchange *exchange_take(struct engine *engine, struct upstream *upstream)
{
	struct exchange *x = engine->exchange_free;

	if (x)
		engine->exchange_free = x->next;
	else if (engine->exchange_high <
		 engine->config.max_waiting * EXCHANGES_PER_WAITING)
		x = &engine->exchanges[engine->exchange_high++];
	else
		return NULL;
	*x = (struct exchange){ .upstream = upstream };
	x->tcp = upstream_at(upstream)->proto == PLAN_TCP;
	x->deadline.due = exchange_due;
	return x;
}

void exchange_give(struct engine *engine, struct exchange *x)
{
	cancel(engine, x);
	x->next = engine->exchange_free;
	engine->exchange_free = x;
}

int exchange_ask(struct engine *engine, struct exchange *x)
{
	struct transport *transport = engine->config.transport;
	uint8_t message[POLICY_QUERY_BYTES];
	uint32_t timeout_ms;
	size_t len;
	int r;

	if (!transport)
		return -ENOTCONN;
	if (x->pending) {
		len = policy_query_message(x->pending, x->plain, message);
		timeout_ms = policy_try_timeout_ms(x->pending);
	} else {
		len = upstream_probe_message(x->upstream, message);
		timeout_ms = PROBE_TIMEOUT_MS;
	}
	r = transport->ops->ask(transport, x, upstream_at(x->upstream), x->tcp, message,
				len, &x->handle);
	if (r < 0)
		return r;
	x->open = true;
	x->sent_ns = engine->now_ns;
	deadline_set(&engine->deadlines, &x->deadline,
		     engine->now_ns + timeout_ms * NS_PER_MS);
	return 0;
}

void exchange_pause(struct engine *engine, struct exchange *x, uint64_t ns)
{
	x->paused = true;
	deadline_set(&engine->deadlines, &x->deadline, engine->now_ns + ns);
}

void engine_upstream_response(struct engine *engine, struct exchange *x,
			      const uint8_t *message, size_t len)
{
	x->open = false;
	deadline_clear(&engine->deadlines, &x->deadline);
	if (x->pending)
		policy_response(engine, x, message, len);
	else
		upstream_probe_done(engine, x, len >= DNS_HEADER_BYTES);
}

void engine_upstream_failed(struct engine *engine, struct exchange *x, int error)
{
	x->open = false;
	deadline_clear(&engine->deadlines, &x->deadline);
	failed(engine, x, error);
}
