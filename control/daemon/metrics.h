/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * metrics.h - everything that was counted, as Prometheus text.
 *
 * CoreDNS's names for what CoreDNS counts: answers of XDP and of both workers add up in
 * the same series, under the server, zone and view that answered.  Our own are lane53_*.
 * A pure function: the daemon gathers, this formats.  Labels rendered once each.
 */
#ifndef LANE53_METRICS_H
#define LANE53_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lane53/abi.h"
#include "xdp/xdp.h"

struct selfpoll_counts;
struct worker_stats;

/*
 * A row: plan_zone.label or plan_view.label and what it stands for.  Number 0 holds
 * queries that met no view, and labels beyond LANE53_LABEL_MAX: it is told as CoreDNS's
 * zone "dropped", or as "other" if a zone has it.  Rows that stand for the same add up.
 */
struct metrics_label {
	uint16_t number;
	const char *server;      /* as "dns://:53" */
	const char *zone;        /* "example.org."; "dropped" of what met no block */
	const char *view;        /* CoreDNS's `view` name: "" for blocks without one */
	const char *cache_zones; /* of its block's `cache`, by commas; NULL: none */
	const struct lane53_series *series; /* of XDP; NULL: none */
};

struct metrics_worker {
	const char *io;                   /* "dpdk", "socket" */
	const struct worker_stats *stats; /* NULL: never ran */
	bool up;
	uint64_t restarts;
};

struct metrics_table {
	const char *name; /* "local", "cache" */
	uint32_t slots, slots_used;
	uint32_t small, small_used, large, large_used;
	uint64_t moved, full; /* by this writer; 0 if another process writes */
};

struct metrics_plugin { /* one directive of one server block */
	const char *server, *zone, *view, *name;
};

struct metrics_hosts {
	const char *file; /* "" = inline entries only */
	uint64_t entries;
	double reloaded_s; /* Unix time; 0 = not known */
};

/* All borrowed for the call; arrays may be empty. */
struct metrics {
	const char *version;
	double started_s; /* Unix time */
	const struct metrics_label *labels;
	unsigned label_count;
	const struct metrics_worker *workers;
	unsigned worker_count;
	const struct metrics_table *tables;
	unsigned table_count;
	const struct metrics_plugin *plugins;
	unsigned plugin_count;
	const struct metrics_hosts *hosts;
	unsigned hosts_count;
	const struct selfpoll_counts *health; /* NULL: no `health` directive */
	const uint64_t *outcomes;             /* LANE53_OUTCOME_COUNT; NULL: no XDP */
	unsigned interfaces;                  /* attached */
	uint64_t heartbeat_age_ns;            /* UINT64_MAX: never */
	uint64_t reloads_failed;
	const char *config_hash; /* hexadecimal; NULL: not told */
	uint64_t store_commit;   /* number of the newest commit */
	unsigned degraded;       /* how many things are */
};

/*
 * The text of /metrics.  @ret_text is from malloc(), the caller's.
 * Return: 0 or -ENOMEM.
 */
int metrics_format(char **ret_text, size_t *ret_len, const struct metrics *metrics);

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

#endif
