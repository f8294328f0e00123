/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * metrics_upstream.c - what forward and fanout counted of each upstream.
 *
 * CoreDNS's coredns_forward_*, coredns_proxy_*; NSM's coredns_fanout_*; lane53_upstream_*
 * for both together.
 */
#include "daemon/exposition.h"
#include "daemon/metrics.h"
#include "daemon/metrics_parts.h"
#include "stats/stats.h"
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* One upstream of all workers; at most each worker's rows, all different. */
#define UPSTREAMS_MAX (2 * STATS_UPSTREAMS)

struct upstream {
	char name[sizeof(((struct stats_upstream *)0)->name)];
	uint64_t asked, timeouts, failures, tcp_retries, probe_failures;
	uint64_t answered[STATS_RCODES];
	uint64_t asked_by[STATS_VIAS][2];
	uint64_t duration[STATS_VIAS][STATS_RCODES][STATS_DURATION_BUCKETS];
	uint64_t duration_ns[STATS_VIAS][STATS_RCODES];
	bool down;
};

struct upstreams {
	struct upstream at[UPSTREAMS_MAX];
	unsigned count;
};

static uint64_t load(const stats_counter *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static void add_all(uint64_t *to, const stats_counter *from, size_t count)
{
	for (size_t i = 0; i < count; i++)
		to[i] += load(&from[i]);
}

/* The row of @name, made if it is new; NULL: no room. */
static struct upstream *upstream_find(struct upstreams *all, const char *name)
{
	for (unsigned i = 0; i < all->count; i++)
		if (!strcmp(all->at[i].name, name))
			return &all->at[i];
	if (all->count == UPSTREAMS_MAX)
		return NULL;
	snprintf(all->at[all->count].name, sizeof(all->at[0].name), "%s", name);
	return &all->at[all->count++];
}

static void upstream_add(struct upstreams *all, const struct stats_upstream *row)
{
	char name[sizeof(row->name)];
	struct upstream *to;

	if (!atomic_load_explicit(&row->id, memory_order_acquire))
		return;
	snprintf(name, sizeof(name), "%.*s", (int)sizeof(row->name) - 1, row->name);
	to = upstream_find(all, name);
	if (!to)
		return;
	to->asked += load(&row->asked);
	to->timeouts += load(&row->timeouts);
	to->failures += load(&row->failures);
	to->tcp_retries += load(&row->tcp_retries);
	to->probe_failures += load(&row->probe_failures);
	to->down |= load(&row->down) != 0;
	add_all(to->answered, row->answered, STATS_RCODES);
	for (unsigned via = 0; via < STATS_VIAS; via++) {
		add_all(to->asked_by[via], row->asked_by[via], 2);
		add_all(to->duration_ns[via], row->duration_sum_ns[via], STATS_RCODES);
		for (unsigned rcode = 0; rcode < STATS_RCODES; rcode++)
			add_all(to->duration[via][rcode], row->duration[via][rcode],
				STATS_DURATION_BUCKETS);
	}
}

/* ---- times ---- */

static bool put_time(struct exposition *out, const struct exposition_label *labels,
		     const uint64_t *counts, uint64_t ns)
{
	const struct exposition_histogram histogram = {
		.bounds = metrics_time_bounds,
		.bounds_count = STATS_DURATION_BUCKETS - 1,
		.counts = counts,
		.sum = (double)ns / 1e9,
	};
	uint64_t total = 0;

	for (unsigned i = 0; i < STATS_DURATION_BUCKETS; i++)
		total += counts[i];
	if (total)
		exposition_histogram(out, labels, &histogram);
	return total != 0;
}

static void put_forward_times(struct exposition *out, const struct upstreams *all)
{
	exposition_family(out, "coredns_proxy_request_duration_seconds",
			  EXPOSITION_HISTOGRAM, "Time an upstream took to respond.");
	for (unsigned i = 0; i < all->count * STATS_RCODES; i++) {
		const struct upstream *u = &all->at[i / STATS_RCODES];
		const unsigned rcode = i % STATS_RCODES;
		char room[8];
		const struct exposition_label labels[] = {
			{ "proxy_name", "forward" },
			{ "to", u->name },
			{ "rcode", metrics_rcode(room, rcode) },
			{ NULL, NULL }
		};

		put_time(out, labels, u->duration[STATS_FORWARD][rcode],
			 u->duration_ns[STATS_FORWARD][rcode]);
	}
}

static void put_fanout_times(struct exposition *out, const struct upstreams *all)
{
	exposition_family(out, "coredns_fanout_request_duration_seconds",
			  EXPOSITION_HISTOGRAM, "Time an upstream took to respond.");
	for (unsigned i = 0; i < all->count; i++) {
		const struct upstream *u = &all->at[i];
		const struct exposition_label labels[] = { { "to", u->name },
							   { NULL, NULL } };
		uint64_t counts[STATS_DURATION_BUCKETS] = { 0 }, ns = 0;

		for (unsigned rcode = 0; rcode < STATS_RCODES; rcode++) {
			for (unsigned n = 0; n < STATS_DURATION_BUCKETS; n++)
				counts[n] += u->duration[STATS_FANOUT][rcode][n];
			ns += u->duration_ns[STATS_FANOUT][rcode];
		}
		put_time(out, labels, counts, ns);
	}
}

/* ---- counts ---- */

static void put_rcodes(struct exposition *out, const struct upstreams *all)
{
	exposition_family(out, "lane53_upstream_responses_total", EXPOSITION_COUNTER,
			  "Responses of an upstream by rcode.");
	for (unsigned i = 0; i < all->count * STATS_RCODES; i++) {
		const struct upstream *u = &all->at[i / STATS_RCODES];
		const unsigned rcode = i % STATS_RCODES;
		char room[8];
		const struct exposition_label labels[] = {
			{ "to", u->name },
			{ "rcode", metrics_rcode(room, rcode) },
			{ NULL, NULL }
		};

		if (u->answered[rcode])
			exposition_count(out, labels, u->answered[rcode]);
	}
}

static void put_fanout(struct exposition *out, const struct upstreams *all)
{
	exposition_family(out, "coredns_fanout_request_count_total", EXPOSITION_COUNTER,
			  "Queries of fanout sent to an upstream.");
	for (unsigned i = 0; i < all->count; i++) {
		const struct upstream *u = &all->at[i];
		const struct exposition_label labels[] = { { "to", u->name },
							   { NULL, NULL } };
		const uint64_t asked =
			u->asked_by[STATS_FANOUT][0] + u->asked_by[STATS_FANOUT][1];

		if (asked)
			exposition_count(out, labels, asked);
	}
	exposition_family(out, "coredns_fanout_response_rcode_count_total",
			  EXPOSITION_COUNTER, "Responses to fanout by rcode.");
	for (unsigned i = 0; i < all->count * STATS_RCODES; i++) {
		const struct upstream *u = &all->at[i / STATS_RCODES];
		const unsigned rcode = i % STATS_RCODES;
		char room[8];
		const struct exposition_label labels[] = {
			{ "rcode", metrics_rcode(room, rcode) },
			{ "to", u->name },
			{ NULL, NULL }
		};
		uint64_t count = 0;

		for (unsigned n = 0; n < STATS_DURATION_BUCKETS; n++)
			count += u->duration[STATS_FANOUT][rcode][n];
		if (count)
			exposition_count(out, labels, count);
	}
	put_fanout_times(out, all);
}

/* Each question has a socket, or a port of the lane, to itself: never a kept one. */
static void put_conn_cache(struct exposition *out, const struct upstreams *all)
{
	static const char *const protos[] = { "udp", "tcp" };

	exposition_family(out, "coredns_proxy_conn_cache_hits_total",
			  EXPOSITION_COUNTER,
			  "None: each question has a source port of its own.");
	exposition_family(out, "coredns_proxy_conn_cache_misses_total",
			  EXPOSITION_COUNTER,
			  "Questions, each with a source port of its own.");
	for (unsigned i = 0; i < all->count * 2; i++) {
		const struct upstream *u = &all->at[i / 2];
		const uint64_t asked = u->asked_by[STATS_FORWARD][i % 2];
		const struct exposition_label labels[] = { { "proxy_name", "forward" },
							   { "to", u->name },
							   { "proto", protos[i % 2] },
							   { NULL, NULL } };

		if (asked)
			exposition_count(out, labels, asked);
	}
}

static void put_forward(struct exposition *out, const struct upstreams *all)
{
	put_forward_times(out, all);
	exposition_family(out, "coredns_proxy_healthcheck_failures_total",
			  EXPOSITION_COUNTER, "Health checks that failed.");
	for (unsigned i = 0; i < all->count; i++) {
		const struct exposition_label labels[] = { { "proxy_name", "forward" },
							   { "to", all->at[i].name },
							   { NULL, NULL } };

		if (all->at[i].probe_failures)
			exposition_count(out, labels, all->at[i].probe_failures);
	}
	put_conn_cache(out, all);
}

/* Families with one number per upstream. */
static const struct {
	const char *name, *help;
	size_t offset;
} upstream_counters[] = {
	{ "lane53_upstream_requests_total", "Queries sent to an upstream.",
	  offsetof(struct upstream, asked) },
	{ "lane53_upstream_timeouts_total", "Queries no response came to in time.",
	  offsetof(struct upstream, timeouts) },
	{ "lane53_upstream_failures_total",
	  "Queries that could not be sent or whose connection broke.",
	  offsetof(struct upstream, failures) },
	{ "lane53_upstream_tcp_retries_total",
	  "Queries asked again over TCP after TC=1.",
	  offsetof(struct upstream, tcp_retries) },
};

static void put_counters(struct exposition *out, const struct upstreams *all)
{
	for (unsigned f = 0; f < ARRAY_LEN(upstream_counters); f++) {
		exposition_family(out, upstream_counters[f].name, EXPOSITION_COUNTER,
				  upstream_counters[f].help);
		for (unsigned i = 0; i < all->count; i++) {
			const struct exposition_label labels[] = {
				{ "to", all->at[i].name }, { NULL, NULL }
			};
			uint64_t value;

			memcpy(&value,
			       (const char *)&all->at[i] + upstream_counters[f].offset,
			       sizeof(value));
			exposition_count(out, labels, value);
		}
	}
	exposition_family(out, "lane53_upstream_down", EXPOSITION_GAUGE,
			  "1: a worker considers the upstream down.");
	for (unsigned i = 0; i < all->count; i++)
		exposition_count(out,
				 (const struct exposition_label[]){
					 { "to", all->at[i].name }, { NULL, NULL } },
				 all->at[i].down);
}

/* Of all upstreams together: there from the first scrape, as in CoreDNS. */
static void put_totals(struct exposition *out, const struct metrics *in)
{
	uint64_t all_down = 0, max_concurrent = 0;

	for (unsigned w = 0; w < in->worker_count; w++) {
		const struct worker_stats *stats = in->workers[w].stats;

		all_down += stats ? load(&stats->all_down) : 0;
		max_concurrent += stats ? load(&stats->max_concurrent) : 0;
	}
	exposition_family(out, "coredns_forward_healthcheck_broken_total",
			  EXPOSITION_COUNTER,
			  "Questions that found every upstream down.");
	exposition_count(out, NULL, all_down);
	exposition_family(out, "coredns_forward_max_concurrent_rejects_total",
			  EXPOSITION_COUNTER, "Questions refused by max_concurrent.");
	exposition_count(out, NULL, max_concurrent);
}

int metrics_put_upstreams(struct exposition *out, const struct metrics *in)
{
	struct upstreams *all = calloc(1, sizeof(*all));

	if (!all)
		return -ENOMEM;
	for (unsigned w = 0; w < in->worker_count; w++)
		for (unsigned i = 0; in->workers[w].stats && i < STATS_UPSTREAMS; i++)
			upstream_add(all, &in->workers[w].stats->upstream[i]);
	put_totals(out, in);
	if (all->count) {
		put_forward(out, all);
		put_fanout(out, all);
		put_rcodes(out, all);
		put_counters(out, all);
	}
	free(all);
	return 0;
}
