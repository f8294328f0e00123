/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stats.h - what one worker counts, in a file that outlives it.
 *
 * RUN_DIR/stats-<io> (io = dpdk, socket) is one struct worker_stats, mapped by the worker
 * (the only writer) and by lane53d (which exports it as metrics).  A restarted worker
 * maps the file it finds and goes on counting, so a kill -9 never makes a counter fall.
 * Rows are indexed by the plan's label; sizes and types as in lane53/abi.h.
 *
 * A worker of several threads has a file for each, the only writer of which that thread is:
 * stats-<io>, stats-<io>-1 and so on.  They stay when there are fewer threads later.
 */
#ifndef LANE53_STATS_H
#define LANE53_STATS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include "lane53/abi.h"

#define STATS_MAGIC            0x4c35335354415404ull /* "L53STAT", version 4 */
#define STATS_RCODES           16
#define STATS_DURATION_BUCKETS 17 /* 0.25 ms * 2^0..15, +Inf (CoreDNS's) */
#define STATS_UPSTREAMS        64

/*
 * Message sizes as CoreDNS counts them: one more bucket than bounds, the last is +Inf.
 * Not cumulative.  The first seven are those of lane53_size_bucket().
 */
#define STATS_SIZE_BOUNDS                                                         \
	{                                                                         \
		0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16000, 32000, \
			48000, 64000                                              \
	}
#define STATS_SIZE_BUCKETS 15

static inline unsigned stats_size_bucket(uint32_t bytes)
{
	static const uint32_t bounds[] = STATS_SIZE_BOUNDS;
	unsigned i = 0;

	while (i < STATS_SIZE_BUCKETS - 1 && bytes > bounds[i])
		i++;
	return i;
}

/* All fields: written by the worker, read by lane53d; relaxed, statistics only. */
typedef _Atomic uint64_t stats_counter;

struct stats_label {
	stats_counter requests[2 /* udp, tcp */][2 /* v4, v6 */][LANE53_TYPE_CLASSES];
	stats_counter responses[LANE53_DIRECTIVE_MAX][STATS_RCODES];
	stats_counter duration[STATS_DURATION_BUCKETS];
	stats_counter duration_sum_ns;
	stats_counter request_size[2][STATS_SIZE_BUCKETS], request_size_sum[2];
	stats_counter response_size[2][STATS_SIZE_BUCKETS], response_size_sum[2];
	stats_counter do_requests;
	stats_counter cache_hits_success, cache_hits_denial, cache_requests;
	stats_counter cache_drops;      /* responses to another question than asked */
	stats_counter cache_entries[2]; /* gauges: success, denial */
	stats_counter cache_evictions[2];
};

/* The directive that an upstream is asked for: told apart, as in CoreDNS. */
enum stats_via { STATS_FORWARD, STATS_FANOUT, STATS_VIAS };

struct stats_upstream {
	_Atomic uint64_t id; /* 0 = row unused; else hash of address, port and proto */
	char name[64];       /* "192.0.2.1:53" */
	stats_counter asked, answered[STATS_RCODES], timeouts, failures, tcp_retries;
	stats_counter probe_failures;
	stats_counter asked_by[STATS_VIAS][2 /* udp, tcp */];
	stats_counter duration[STATS_VIAS][STATS_RCODES][STATS_DURATION_BUCKETS];
	stats_counter duration_sum_ns[STATS_VIAS][STATS_RCODES];
	stats_counter down; /* gauge: 1 = considered down */
};

struct worker_stats {
	uint64_t magic;
	uint32_t pid;
	uint32_t starts; /* how often a worker has opened this file */
	stats_counter queries, responses, dropped, formerr, refused, servfail;
	stats_counter waiting;   /* gauge: clients waiting for upstreams */
	stats_counter coalesced; /* clients that joined a question already asked */
	stats_counter published, publish_full, publish_refused_admission;
	stats_counter cache_entries_success, cache_entries_denial,
		cache_bytes; /* gauges */
	stats_counter cache_evictions;
	stats_counter all_down;            /* questions that found no upstream up */
	stats_counter max_concurrent;      /* questions refused by it */
	stats_counter upstream_mismatched; /* responses that fit no question we asked */
	stats_counter lane_rx, lane_tx, lane_rx_bad, lane_tx_dropped;
	stats_counter tcp_accepted, tcp_refused;
	stats_counter events_lost;
	stats_counter lane_xsk_dropped; /* frames that found the lane full */
	/* XDP's `cache`, of the worker that writes it; the first three are gauges */
	stats_counter table_slots, table_small, table_large;
	stats_counter table_moved, table_full;
	stats_counter loop_probes; /* HINFO probes of `loop` that came back to us */
	struct stats_label label[LANE53_LABEL_MAX];
	struct stats_upstream upstream[STATS_UPSTREAMS];
};

/*
 * Map the file at @path, creating it for @write.  Unmapped with stats_unmap().
 * Return: 0, -ENOENT, -EPROTO (another version; a writer starts it anew), -errno.
 */
int stats_map(struct worker_stats **ret_stats, const char *path, int write);
void stats_unmap(struct worker_stats *stats);

/* The file of thread number @idx where the first's is @path. */
void stats_path(char *out, size_t room, const char *path, unsigned idx);

/*
 * All threads' files as one, read now; of the upstreams, one is down for which any thread
 * takes it for that.  Unmapped with stats_unmap().
 * Return: as stats_map() for the first thread's file; -ENOMEM.
 */
int stats_map_sum(struct worker_stats **ret_stats, const char *path);

/* Gauges to 0: nobody stands behind them any more. */
void stats_clear_gauges(struct worker_stats *stats);

static inline void stats_set(stats_counter *gauge, uint64_t value)
{
	atomic_store_explicit(gauge, value, memory_order_relaxed);
}

static inline void stats_add(stats_counter *counter, uint64_t n)
{
	/* one writer: a plain add, but never torn for the reader */
	atomic_store_explicit(counter,
			      atomic_load_explicit(counter, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

#endif
