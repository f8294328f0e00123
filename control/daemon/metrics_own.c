/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * metrics_own.c - lane53_*: workers, outcomes, tables, state.
 */
#include "daemon/metrics_parts.h"
#include "daemon/exposition.h"
#include "daemon/metrics.h"
#include "stats/stats.h"
#include <stddef.h>
#include <string.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

static uint64_t load(const stats_counter *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
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

void metrics_put_own(struct exposition *out, const struct metrics *in)
{
	put_workers(out, in);
	put_state(out, in);
	if (!in->outcomes)
		return;
	put_outcomes(out, in);
	put_tables(out, in);
	exposition_family(out, "lane53_interfaces", EXPOSITION_GAUGE,
			  "Interfaces XDP is attached to.");
	exposition_count(out, NULL, in->interfaces);
}
