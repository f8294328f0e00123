/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * metrics_own.c - see metrics_own.h.
 */
#include "daemon/metrics_own.h"
#include "daemon/exposition.h"
#include "daemon/metrics.h"
#include "daemon/selfpoll.h"
#include "stats/stats.h"
#include <ldns/ldns.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

static uint64_t load(const stats_counter *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

/* ---- upstreams ---- */

/* One upstream of all workers; at most each worker's rows, all different. */
#define UPSTREAMS_MAX (2 * STATS_UPSTREAMS)

struct upstream {
	char name[sizeof(((struct stats_upstream *)0)->name)];
	uint64_t asked, answered[STATS_RCODES], timeouts, failures, tcp_retries;
	uint64_t duration[STATS_DURATION_BUCKETS], duration_ns;
	bool down;
};

struct upstreams {
	struct upstream at[UPSTREAMS_MAX];
	unsigned count;
};

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
	to->duration_ns += load(&row->duration_sum_ns);
	to->down |= load(&row->down) != 0;
	for (unsigned i = 0; i < STATS_RCODES; i++)
		to->answered[i] += load(&row->answered[i]);
	for (unsigned i = 0; i < STATS_DURATION_BUCKETS; i++)
		to->duration[i] += load(&row->duration[i]);
}

static void put_durations(struct exposition *out, const struct upstreams *all)
{
	double bounds[STATS_DURATION_BUCKETS - 1];

	for (unsigned i = 0; i < ARRAY_LEN(bounds); i++)
		bounds[i] = 0.00025 * (double)(1u << i);
	exposition_family(out, "coredns_proxy_request_duration_seconds",
			  EXPOSITION_HISTOGRAM, "Time an upstream took to respond.");
	for (unsigned i = 0; i < all->count; i++) {
		const struct exposition_label labels[] = { { "proxy_name", "forward" },
							   { "to", all->at[i].name },
							   { NULL, NULL } };
		const struct exposition_histogram histogram = {
			.bounds = bounds,
			.bounds_count = ARRAY_LEN(bounds),
			.counts = all->at[i].duration,
			.sum = (double)all->at[i].duration_ns / 1e9,
		};

		exposition_histogram(out, labels, &histogram);
	}
}

static void put_rcodes(struct exposition *out, const struct upstreams *all)
{
	exposition_family(out, "lane53_upstream_responses_total", EXPOSITION_COUNTER,
			  "Responses of an upstream by rcode.");
	for (unsigned i = 0; i < all->count * STATS_RCODES; i++) {
		const struct upstream *u = &all->at[i / STATS_RCODES];
		const unsigned rcode = i % STATS_RCODES;
		const ldns_lookup_table *known =
			ldns_lookup_by_id(ldns_rcodes, (int)rcode);
		char number[8];

		snprintf(number, sizeof(number), "%u", rcode);
		if (u->answered[rcode])
			exposition_count(
				out,
				(const struct exposition_label[]){
					{ "to", u->name },
					{ "rcode", known ? known->name : number },
					{ NULL, NULL } },
				u->answered[rcode]);
	}
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

void metrics_put_upstreams(struct exposition *out, const struct metrics *in)
{
	struct upstreams all = { .count = 0 };

	for (unsigned w = 0; w < in->worker_count; w++)
		for (unsigned i = 0; in->workers[w].stats && i < STATS_UPSTREAMS; i++)
			upstream_add(&all, &in->workers[w].stats->upstream[i]);
	if (!all.count)
		return;
	put_durations(out, &all);
	put_rcodes(out, &all);
	put_counters(out, &all);
}

/* ---- workers ---- */

/* Families with one number per worker, straight from its stats. */
static const struct {
	const char *name;
	enum exposition_type type;
	const char *help;
	size_t offset;
} worker_counters[] = {
#define COUNTER(field, suffix, help)                                        \
	{                                                                   \
		"lane53_worker_" suffix "_total", EXPOSITION_COUNTER, help, \
			offsetof(struct worker_stats, field)                \
	}
#define GAUGE(field, suffix, help)                               \
	{                                                        \
		"lane53_worker_" suffix, EXPOSITION_GAUGE, help, \
			offsetof(struct worker_stats, field)     \
	}
	COUNTER(queries, "queries", "Messages taken in."),
	COUNTER(responses, "responses", "Responses sent."),
	COUNTER(dropped, "dropped",
		"Messages no response is due to, or could be sent to."),
	COUNTER(formerr, "formerr", "Responses with FORMERR."),
	COUNTER(refused, "refused", "Responses with REFUSED."),
	COUNTER(servfail, "servfail", "Responses with SERVFAIL."),
	GAUGE(waiting, "waiting", "Clients that wait for an upstream."),
	COUNTER(coalesced, "coalesced",
		"Clients that joined a question already asked."),
	COUNTER(published, "published", "Answers published to XDP."),
	COUNTER(publish_full, "publish_full",
		"Answers that found no room in XDP's table."),
	COUNTER(publish_refused_admission, "publish_deferred",
		"Answers not published at their first hit."),
	GAUGE(cache_entries_success, "cache_entries_success",
	      "Positive answers cached."),
	GAUGE(cache_entries_denial, "cache_entries_denial", "Negative answers cached."),
	GAUGE(cache_bytes, "cache_bytes", "Memory of the cache."),
	COUNTER(cache_evictions, "cache_evictions",
		"Answers evicted for want of room."),
	COUNTER(upstream_mismatched, "upstream_mismatched",
		"Datagrams from upstreams that fit no question asked."),
	COUNTER(lane_rx, "lane_received", "Frames from the lane."),
	COUNTER(lane_tx, "lane_sent", "Frames into the lane."),
	COUNTER(lane_rx_bad, "lane_bad", "Frames from the lane without a valid tag."),
	COUNTER(lane_xsk_dropped, "lane_xsk_dropped",
		"Frames that found the lane full."),
	COUNTER(lane_tx_dropped, "lane_send_dropped", "Frames the lane did not take."),
	COUNTER(tcp_accepted, "tcp_accepted", "TCP connections accepted."),
	COUNTER(tcp_refused, "tcp_refused", "TCP connections refused: too many."),
	COUNTER(events_lost, "events_lost", "Logged queries the daemon did not take."),
	COUNTER(loop_probes, "loop_probes", "Probes of `loop` that came back."),
#undef COUNTER
#undef GAUGE
};

static void put_worker_counters(struct exposition *out, const struct metrics *in)
{
	for (unsigned f = 0; f < ARRAY_LEN(worker_counters); f++) {
		exposition_family(out, worker_counters[f].name, worker_counters[f].type,
				  worker_counters[f].help);
		for (unsigned i = 0; i < in->worker_count; i++) {
			const struct exposition_label labels[] = {
				{ "io", in->workers[i].io }, { NULL, NULL }
			};
			const char *stats = (const char *)in->workers[i].stats;

			if (stats)
				exposition_count(
					out, labels,
					load((const stats_counter *)(stats +
								     worker_counters[f]
									     .offset)));
		}
	}
}

static void put_workers(struct exposition *out, const struct metrics *in)
{
	exposition_family(out, "lane53_worker_up", EXPOSITION_GAUGE,
			  "1: the worker runs and serves.");
	for (unsigned i = 0; i < in->worker_count; i++)
		exposition_count(out,
				 (const struct exposition_label[]){
					 { "io", in->workers[i].io }, { NULL, NULL } },
				 in->workers[i].up);
	exposition_family(out, "lane53_worker_restarts_total", EXPOSITION_COUNTER,
			  "Workers that ended without being told to.");
	for (unsigned i = 0; i < in->worker_count; i++)
		exposition_count(out,
				 (const struct exposition_label[]){
					 { "io", in->workers[i].io }, { NULL, NULL } },
				 in->workers[i].restarts);
	put_worker_counters(out, in);
}

/* ---- XDP ---- */

static const char *const outcome_names[] = {
#define X(name, text) #name,
	LANE53_OUTCOMES(X)
#undef X
};

static void put_outcomes(struct exposition *out, const struct metrics *in)
{
	exposition_family(out, "lane53_outcomes_total", EXPOSITION_COUNTER,
			  "How visits of frames to XDP ended.");
	for (unsigned i = 0; i < LANE53_OUTCOME_COUNT; i++)
		exposition_count(
			out,
			(const struct exposition_label[]){
				{ "outcome", outcome_names[i] }, { NULL, NULL } },
			in->outcomes[i]);
	exposition_family(out, "lane53_events_lost_total", EXPOSITION_COUNTER,
			  "Events of XDP not delivered: ring full or over the limit.");
	exposition_count(out, NULL, in->outcomes[LANE53_EVENT_LOST]);
}

static void put_states(struct exposition *out, const char *table, const char *size,
		       uint32_t total, uint32_t used)
{
	struct exposition_label labels[4] = { { "table", table }, { "state", "used" } };

	if (size)
		labels[2] = (struct exposition_label){ "size", size };
	exposition_count(out, labels, used);
	labels[1].value = "free";
	exposition_count(out, labels, total > used ? total - used : 0);
}

static void put_tables(struct exposition *out, const struct metrics *in)
{
	exposition_family(out, "lane53_table_slots", EXPOSITION_GAUGE,
			  "Slots of the tables that XDP answers from.");
	for (unsigned i = 0; i < in->table_count; i++)
		put_states(out, in->tables[i].name, NULL, in->tables[i].slots,
			   in->tables[i].slots_used);
	exposition_family(out, "lane53_table_blobs", EXPOSITION_GAUGE,
			  "Room of these tables for answers larger than a slot.");
	for (unsigned i = 0; i < in->table_count; i++) {
		const struct metrics_table *t = &in->tables[i];

		put_states(out, t->name, "small", t->small, t->small_used);
		put_states(out, t->name, "large", t->large, t->large_used);
	}
	exposition_family(out, "lane53_table_moved_total", EXPOSITION_COUNTER,
			  "Entries moved to make room for others.");
	for (unsigned i = 0; i < in->table_count; i++)
		exposition_count(
			out,
			(const struct exposition_label[]){
				{ "table", in->tables[i].name }, { NULL, NULL } },
			in->tables[i].moved);
	exposition_family(out, "lane53_table_full_total", EXPOSITION_COUNTER,
			  "Answers that found no room: they take the lane.");
	for (unsigned i = 0; i < in->table_count; i++)
		exposition_count(
			out,
			(const struct exposition_label[]){
				{ "table", in->tables[i].name }, { NULL, NULL } },
			in->tables[i].full);
}

static void put_state(struct exposition *out, const struct metrics *in)
{
	exposition_family(out, "lane53_degraded", EXPOSITION_GAUGE,
			  "Things that are not as configured: see lane53ctl status.");
	exposition_count(out, NULL, in->degraded);
	exposition_family(out, "lane53_store_commit", EXPOSITION_GAUGE,
			  "Number of the newest commit of the zone store.");
	exposition_count(out, NULL, in->store_commit);
	if (in->heartbeat_age_ns != UINT64_MAX) {
		exposition_family(out, "lane53_heartbeat_age_seconds", EXPOSITION_GAUGE,
				  "Time since the lane's worker last said it lives.");
		exposition_value(out, NULL, (double)in->heartbeat_age_ns / 1e9);
	}
}

static void put_health(struct exposition *out, const struct selfpoll_counts *health)
{
	static const double bounds[] = { SELFPOLL_BOUNDS };

	exposition_family(out, "coredns_health_request_duration_seconds",
			  EXPOSITION_HISTOGRAM,
			  "How long the daemon's own requests to /health took.");
	exposition_histogram(out, NULL,
			     &(struct exposition_histogram){
				     bounds, SELFPOLL_BOUNDS_COUNT, health->buckets,
				     (double)health->sum_ns / 1e9 });
	exposition_family(out, "coredns_health_request_failures_total",
			  EXPOSITION_COUNTER, "Those that failed.");
	exposition_count(out, NULL, health->failures);
}

void metrics_put_own(struct exposition *out, const struct metrics *in)
{
	put_workers(out, in);
	put_state(out, in);
	if (in->health)
		put_health(out, in->health);
	if (!in->outcomes)
		return;
	put_outcomes(out, in);
	put_tables(out, in);
	exposition_family(out, "lane53_interfaces", EXPOSITION_GAUGE,
			  "Interfaces XDP is attached to.");
	exposition_count(out, NULL, in->interfaces);
}
