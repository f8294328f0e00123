/* SPDX-License-Identifier: BSD-3-Clause */
/* gather.c - see gather.h. */
#include "gather.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cache/table.h"
#include "daemon/commit.h"
#include "daemon/daemon.h"
#include "daemon/metrics.h"
#include "daemon/publish.h"
#include "daemon/sources.h"
#include "dns/name.h"
#include "plan/plan.h"
#include "stats/stats.h"
#include "xdp/xdp.h"

struct worker_stats *gather_map(struct daemon *d, enum worker_io io)
{
	struct worker_stats *stats;
	char path[PATH_MAX + 32];

	snprintf(path, sizeof(path), "%s/stats-%s", d->options->run,
		 worker_io_name(io));
	return stats_map_sum(&stats, path) == 0 ? stats : NULL;
}

uint64_t gather_loop_probes(struct daemon *d)
{
	uint64_t sum = 0;

	for (int io = 0; io < WORKER_COUNT; io++) {
		struct worker_stats *stats = gather_map(d, io);

		if (!stats)
			continue;
		sum += stats->loop_probes;
		stats_unmap(stats);
	}
	return sum;
}

/* ---- tables ---- */

/* `cache` has another writer, which tells: to look at every slot takes too long. */
static void add_cache_usage(struct daemon *d, struct metrics_table *table)
{
	struct worker_stats *stats = gather_map(d, WORKER_DPDK);

	if (!stats)
		return;
	table->slots_used = (uint32_t)stats->table_slots;
	table->small_used = (uint32_t)stats->table_small;
	table->large_used = (uint32_t)stats->table_large;
	table->moved = stats->table_moved;
	table->full = stats->table_full;
	stats_unmap(stats);
}

unsigned gather_tables(struct daemon *d, struct metrics_table *tables)
{
	struct table_usage usage;
	struct table_arrays arrays;
	unsigned count = 0;

	if (!d->xdp)
		return 0;
	if (publisher_is_on(d->publisher)) {
		table_usage(publisher_table(d->publisher), &usage);
		xdp_local_arrays(d->xdp, &arrays);
		tables[count++] = (struct metrics_table){
			.name = "local",
			.slots = usage.slots,
			.slots_used = usage.slots_used,
			.small = arrays.small_count,
			.small_used = usage.small_used,
			.large = arrays.large_count,
			.large_used = usage.large_used,
			.moved = usage.moved,
			.full = usage.full,
		};
	}
	xdp_cache_arrays(d->xdp, &arrays);
	tables[count] = (struct metrics_table){ .name = "cache",
						.slots = arrays.slot_count,
						.small = arrays.small_count,
						.large = arrays.large_count };
	add_cache_usage(d, &tables[count]);
	return count + 1;
}

/* ---- stats ---- */

/* Queries over @proto (0 = UDP, 1 = TCP), all labels, families and types. */
static uint64_t proto_queries(const struct worker_stats *s, unsigned proto)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < LANE53_LABEL_MAX; i++)
		for (unsigned ipv6 = 0; ipv6 < 2; ipv6++)
			for (unsigned type = 0; type < LANE53_TYPE_CLASSES; type++)
				sum += s->label[i].requests[proto][ipv6][type];
	return sum;
}

static json_t *worker_counters(enum worker_io io, const struct worker_stats *s)
{
	/* clang-format off */
	const struct {
		const char *name;
		uint64_t value;
	} counters[] = {
#define C(field) { #field, s->field }
		C(queries), C(responses), C(dropped), C(formerr), C(refused), C(servfail),
		C(waiting), C(coalesced), C(published), C(publish_full),
		C(publish_refused_admission), C(cache_entries_success),
		C(cache_entries_denial), C(cache_bytes), C(cache_evictions),
		C(upstream_mismatched), C(loop_probes), C(lane_rx), C(lane_tx),
		C(lane_rx_bad), C(lane_tx_dropped), C(lane_xsk_dropped), C(tcp_accepted), C(tcp_refused),
		C(events_lost),
		{ "queries_udp", proto_queries(s, 0) },
		{ "queries_tcp", proto_queries(s, 1) },
#undef C
	};
	/* clang-format on */
	json_t *object = json_pack("{s:s, s:i}", "io", worker_io_name(io), "starts",
				   (int)s->starts);

	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		json_object_set_new(object, counters[i].name,
				    json_integer((json_int_t)counters[i].value));
	return object;
}

static json_t *outcome_counts(struct daemon *d)
{
	uint64_t outcomes[LANE53_OUTCOME_COUNT] = { 0 };
	json_t *object = json_object();

	if (d->xdp)
		(void)xdp_outcomes(d->xdp, outcomes);
	for (unsigned i = 0; i < LANE53_OUTCOME_COUNT; i++)
		json_object_set_new(object, xdp_outcome_name(i),
				    json_integer((json_int_t)outcomes[i]));
	return object;
}

/* What was lost between XDP and the worker's memory. */
static json_t *lane_drops(struct daemon *d)
{
	struct xdp_lane_drops drops = { 0 };
	struct worker_stats *stats = gather_map(d, WORKER_DPDK);
	uint64_t xsk_dropped = stats ? stats->lane_xsk_dropped : 0;

	if (stats)
		stats_unmap(stats);
	if (d->xdp)
		(void)xdp_lane_drops(d->xdp, &drops);
	return json_pack("{s:I, s:I, s:I}", "rx_dropped", (json_int_t)drops.rx_dropped,
			 "tx_dropped", (json_int_t)drops.tx_dropped, "xsk_dropped",
			 (json_int_t)xsk_dropped);
}

json_t *gather_stats(struct daemon *d)
{
	json_t *workers = json_array(), *tables = json_array();
	struct metrics_table t[GATHER_TABLES];
	unsigned count = gather_tables(d, t);

	for (int io = 0; io < WORKER_COUNT; io++) {
		struct worker_stats *stats = gather_map(d, io);

		if (!stats)
			continue;
		json_array_append_new(workers, worker_counters(io, stats));
		stats_unmap(stats);
	}
	for (unsigned i = 0; i < count; i++)
		json_array_append_new(tables,
				      json_pack("{s:s, s:I, s:I}", "name", t[i].name,
						"used", (json_int_t)t[i].slots_used,
						"slots", (json_int_t)t[i].slots));
	return json_pack("{s:b, s:o, s:o, s:o, s:o}", "ok", 1, "outcomes",
			 outcome_counts(d), "workers", workers, "tables", tables,
			 "lane", lane_drops(d));
}
