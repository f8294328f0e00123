/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * upstream.c - what is known of each upstream, across plans.
 *
 * Upstreams are shared by address and protocol: what one block learned, that it is
 * down, every block knows.  A health check starts with the first failure and goes on,
 * every health_check_ms, until something answers; so a healthy upstream is never probed
 * (CoreDNS's rule, and the half-open state of a circuit breaker).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lane53/wire.h"
#include "dns/name.h"
#include "respond/pending.h"
#include "stats/stats.h"

struct upstream {
	struct upstream *next;
	struct plan_upstream at;
	unsigned max_fails; /* 0 = never down */
	unsigned fails;     /* in a row */
	bool in_plan;
	uint64_t asked;
	uint32_t rtt_us;
	struct stats_upstream *row; /* NULL: no row was left, or no stats */

	/* health check */
	struct plan_name probe_name;
	bool probe_rd;
	uint32_t probe_ms;
	struct exchange *probe;
	struct deadline probe_at;
};

bool upstream_is_down(const struct upstream *u)
{
	return u->max_fails && u->fails > u->max_fails;
}

const struct plan_upstream *upstream_at(const struct upstream *u)
{
	return &u->at;
}

/* ---- stats ---- */

static void name_text(char out[64], const struct plan_upstream *at)
{
	static const uint8_t v4[12] = { [10] = 0xff, [11] = 0xff };
	const bool ipv4 = !memcmp(at->remote.addr, v4, sizeof(v4));
	char address[INET6_ADDRSTRLEN];

	inet_ntop(ipv4 ? AF_INET : AF_INET6, at->remote.addr + (ipv4 ? 12 : 0), address,
		  sizeof(address));
	snprintf(out, 64, ipv4 ? "%s:%u" : "[%s]:%u", address, at->remote.port);
}

/* FNV-1a: the same number for the same upstream in every run, never 0. */
static uint64_t row_id(const struct plan_upstream *at)
{
	uint8_t bytes[19];
	uint64_t h = 0xcbf29ce484222325ull;

	memcpy(bytes, at->remote.addr, 16);
	bytes[16] = (uint8_t)(at->remote.port >> 8);
	bytes[17] = (uint8_t)at->remote.port;
	bytes[18] = (uint8_t)at->proto;
	for (size_t i = 0; i < sizeof(bytes); i++)
		h = (h ^ bytes[i]) * 0x100000001b3ull;
	return h ? h : 1;
}

static struct stats_upstream *find_row(struct worker_stats *stats,
				       const struct plan_upstream *at)
{
	uint64_t id = row_id(at);

	for (unsigned i = 0; stats && i < STATS_UPSTREAMS; i++) {
		struct stats_upstream *row = &stats->upstream[i];
		uint64_t have = atomic_load_explicit(&row->id, memory_order_relaxed);

		if (have == id)
			return row;
		if (have)
			continue;
		name_text(row->name, at);
		/* release: whoever sees the id sees the name */
		atomic_store_explicit(&row->id, id, memory_order_release);
		return row;
	}
	return NULL;
}

static void show_down(struct upstream *u)
{
	if (u->row)
		atomic_store_explicit(&u->row->down, upstream_is_down(u),
				      memory_order_relaxed);
}

static enum stats_via via(const struct exchange *x)
{
	return x->pending->forwarder->plan->policy == POLICY_PARALLEL ? STATS_FANOUT
								      : STATS_FORWARD;
}

void upstream_asked(const struct exchange *x, bool truncated)
{
	struct upstream *u = x->upstream;

	u->asked++;
	if (!u->row)
		return;
	stats_add(&u->row->asked, 1);
	stats_add(&u->row->asked_by[via(x)][x->tcp], 1);
	if (truncated)
		stats_add(&u->row->tcp_retries, 1);
}

static unsigned duration_bucket(uint64_t ns)
{
	unsigned i = 0;

	while (i < STATS_DURATION_BUCKETS - 1 && ns > (250000ull << i))
		i++;
	return i;
}

/* ---- health ---- */

static void recover(struct engine *engine, struct upstream *u)
{
	if (!u->fails)
		return;
	u->fails = 0;
	deadline_clear(&engine->deadlines, &u->probe_at);
	if (u->probe) {
		exchange_give(engine, u->probe);
		u->probe = NULL;
	}
	show_down(u);
}

static void schedule_probe(struct engine *engine, struct upstream *u)
{
	if (u->max_fails && u->in_plan && !u->probe && !u->probe_at.place)
		deadline_set(&engine->deadlines, &u->probe_at,
			     engine->now_ns + u->probe_ms * NS_PER_MS);
}

void upstream_answered(struct engine *engine, const struct exchange *x, unsigned rcode)
{
	struct upstream *u = x->upstream;
	const uint64_t took_ns = engine->now_ns - x->sent_ns;
	uint32_t us = took_ns / 1000 < UINT32_MAX ? (uint32_t)(took_ns / 1000) : 0;

	/* RFC 6298 2.3's smoothing, for show only */
	u->rtt_us = u->rtt_us ? u->rtt_us - u->rtt_us / 8 + us / 8 : us + !us;
	recover(engine, u);
	if (!u->row)
		return;
	rcode %= STATS_RCODES;
	stats_add(&u->row->answered[rcode], 1);
	stats_add(&u->row->duration[via(x)][rcode][duration_bucket(took_ns)], 1);
	stats_add(&u->row->duration_sum_ns[via(x)][rcode], took_ns);
}

/* A health check's failures move it further down, but are no question's. */
static void fail(struct engine *engine, struct upstream *u)
{
	if (u->fails < UINT32_MAX)
		u->fails++;
	schedule_probe(engine, u);
	show_down(u);
}

void upstream_failed(struct engine *engine, struct upstream *u, bool timeout)
{
	fail(engine, u);
	if (u->row)
		stats_add(timeout ? &u->row->timeouts : &u->row->failures, 1);
}

static void probe_failed(struct engine *engine, struct upstream *u)
{
	if (u->row)
		stats_add(&u->row->probe_failures, 1);
	fail(engine, u);
}

static void probe_due(void *context, struct deadline *deadline)
{
	struct engine *engine = context;
	struct upstream *u =
		(void *)((char *)deadline - offsetof(struct upstream, probe_at));

	u->probe = exchange_take(engine, u);
	if (u->probe && exchange_ask(engine, u->probe) == 0)
		return;
	if (u->probe)
		exchange_give(engine, u->probe);
	u->probe = NULL;
	probe_failed(engine, u);
}

void upstream_probe_done(struct engine *engine, struct exchange *x, bool answered)
{
	struct upstream *u = x->upstream;

	u->probe = NULL;
	exchange_give(engine, x);
	if (answered)
		recover(engine, u);
	else
		probe_failed(engine, u);
}

/* `<name> IN NS`: any response of any rcode will do. */
size_t upstream_probe_message(const struct upstream *u, uint8_t *out)
{
	static const uint8_t ns_in[4] = { 0, TYPE_NS, 0, CLASS_IN };
	size_t len = u->probe_name.len;

	memset(out, 0, DNS_HEADER_BYTES);
	out[2] = u->probe_rd ? FLAG_RD >> 8 : 0;
	out[5] = 1;
	memcpy(out + DNS_HEADER_BYTES, u->probe_name.wire, len);
	memcpy(out + DNS_HEADER_BYTES + len, ns_in, sizeof(ns_in));
	return DNS_HEADER_BYTES + len + sizeof(ns_in);
}

/* ---- plans ---- */

static struct upstream *find(struct engine *engine, const struct plan_upstream *at)
{
	struct upstream *u = engine->upstreams;

	while (u && (memcmp(u->at.remote.addr, at->remote.addr, 16) ||
		     u->at.remote.port != at->remote.port || u->at.proto != at->proto))
		u = u->next;
	return u;
}

static struct upstream *find_or_add(struct engine *engine,
				    const struct plan_upstream *at)
{
	struct upstream *u = find(engine, at);

	if (u)
		return u;
	u = calloc(1, sizeof(*u));
	if (!u)
		return NULL;
	u->at = *at;
	u->probe_at.due = probe_due;
	u->row = find_row(engine->config.stats, at);
	u->next = engine->upstreams;
	engine->upstreams = u;
	return u;
}

static int adopt_forward(struct engine *engine, struct forwarder *f)
{
	const struct plan_forward *plan = f->plan;

	f->upstreams = calloc(plan->upstream_count + 1, sizeof(*f->upstreams));
	if (!f->upstreams)
		return -ENOMEM;
	for (; f->count < plan->upstream_count && f->count < UPSTREAMS_MAX;
	     f->count++) {
		struct upstream *u = find_or_add(engine, &plan->upstreams[f->count]);

		if (!u)
			return -ENOMEM;
		f->upstreams[f->count] = u;
		u->max_fails = plan->max_fails;
		u->probe_name = plan->health_check_name;
		if (!u->probe_name.len)
			u->probe_name.len = 1; /* the root */
		u->probe_rd = plan->health_check_rd;
		u->probe_ms = plan->health_check_ms ? plan->health_check_ms : 500;
	}
	return 0;
}

static void mark_in_plan(struct engine *engine, const struct plan_use *use)
{
	for (struct upstream *u = engine->upstreams; u; u = u->next)
		u->in_plan = false;
	for (unsigned i = 0; i < use->forwarder_count; i++)
		for (unsigned n = 0; n < use->forwarders[i].count; n++)
			use->forwarders[i].upstreams[n]->in_plan = true;
	for (struct upstream *u = engine->upstreams; u; u = u->next)
		if (!u->in_plan)
			recover(engine, u); /* ends its health checks */
}

int upstream_adopt(struct engine *engine, struct plan_use *use)
{
	const struct plan *plan = use->plan;
	unsigned count = 0;

	for (unsigned i = 0; i < plan->block_count; i++)
		for (unsigned n = 0; n < plan->blocks[i].step_count; n++)
			count += plan->blocks[i].steps[n].forward != NULL;
	use->forwarders = calloc(count + 1, sizeof(*use->forwarders));
	if (!use->forwarders)
		return -ENOMEM;
	for (unsigned i = 0; i < plan->block_count; i++)
		for (unsigned n = 0; n < plan->blocks[i].step_count; n++) {
			const struct plan_step *step = &plan->blocks[i].steps[n];
			struct forwarder *f = &use->forwarders[use->forwarder_count];

			if (!step->forward)
				continue;
			use->forwarder_count++;
			f->plan = step->forward;
			if (adopt_forward(engine, f) < 0)
				return -ENOMEM;
		}
	mark_in_plan(engine, use);
	return 0;
}

/*
 * Upstreams that no plan names any more stay, a few hundred bytes each: questions of
 * older plans may still be on their way to them.
 */
void upstreams_close(struct engine *engine)
{
	while (engine->upstreams) {
		struct upstream *u = engine->upstreams;

		engine->upstreams = u->next;
		deadline_clear(&engine->deadlines, &u->probe_at);
		if (u->probe)
			exchange_give(engine, u->probe);
		free(u);
	}
}

void engine_upstream_each(struct engine *engine,
			  bool (*each)(void *context,
				       const struct engine_upstream *upstream),
			  void *context)
{
	for (const struct upstream *u = engine->upstreams; u; u = u->next) {
		struct engine_upstream row = {
			.upstream = &u->at,
			.counts = u->row,
			.down = upstream_is_down(u),
			.asked = u->asked,
			.rtt_us = u->rtt_us,
		};

		if (u->in_plan && !each(context, &row))
			return;
	}
}
