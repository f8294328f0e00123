/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * metrics_process.c - what runs, and what it was configured to do.
 */
#include "daemon/exposition.h"
#include "daemon/metrics.h"
#include "daemon/metrics_parts.h"
#include "daemon/selfpoll.h"
#include "stats/stats.h"
#include <ldns/ldns.h>
#include <stdio.h>
#include <string.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

const double metrics_time_bounds[] = {
	0.00025, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032,
	0.064,   0.128,  0.256, 0.512, 1.024, 2.048, 4.096, 8.192,
};
_Static_assert(ARRAY_LEN(metrics_time_bounds) + 1 == STATS_DURATION_BUCKETS, "buckets");

const char *metrics_rcode(char room[8], unsigned rcode)
{
	const ldns_lookup_table *known = ldns_lookup_by_id(ldns_rcodes, (int)rcode);

	if (known)
		return known->name;
	snprintf(room, 8, "%u", rcode & 0xfff);
	return room;
}

static uint64_t restarts(const struct metrics *in)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < in->worker_count; i++)
		sum += in->workers[i].restarts;
	return sum;
}

static void put_versions(struct exposition *out, const struct metrics *in)
{
	const struct exposition_label build[] = { { "version", in->version },
						  { "revision", "lane53" },
						  { "goversion", "" },
						  { NULL, NULL } };
	const struct exposition_label hash[] = { { "hash", "fnv64" },
						 { "value", in->config_hash },
						 { NULL, NULL } };

	exposition_family(out, "coredns_build_info", EXPOSITION_GAUGE,
			  "What runs here: lane53 and its version.");
	exposition_count(out, build, 1);
	exposition_family(out, "coredns_panics_total", EXPOSITION_COUNTER,
			  "Workers that ended without being told to.");
	exposition_count(out, NULL, restarts(in));
	exposition_family(out, "coredns_reload_failed_total", EXPOSITION_COUNTER,
			  "Reloads that kept the last good configuration.");
	exposition_count(out, NULL, in->reloads_failed);
	if (in->config_hash) {
		exposition_family(out, "coredns_reload_version_info", EXPOSITION_GAUGE,
				  "The configuration in force.");
		exposition_count(out, hash, 1);
	}
	exposition_family(out, "process_start_time_seconds", EXPOSITION_GAUGE,
			  "Unix time at which lane53d began.");
	exposition_value(out, NULL, in->started_s);
}

static bool is_same_plugin(const struct metrics_plugin *a,
			   const struct metrics_plugin *b)
{
	return !strcmp(a->name, b->name) && !strcmp(a->zone, b->zone) &&
	       !strcmp(a->server, b->server) && !strcmp(a->view, b->view);
}

/* A directive that a block has twice is enabled once. */
static bool is_first_plugin(const struct metrics *in, unsigned idx)
{
	for (unsigned i = 0; i < idx; i++)
		if (is_same_plugin(&in->plugins[i], &in->plugins[idx]))
			return false;
	return true;
}

static void put_plugins(struct exposition *out, const struct metrics *in)
{
	exposition_family(out, "coredns_plugin_enabled", EXPOSITION_GAUGE,
			  "Directives of each server block.");
	for (unsigned i = 0; i < in->plugin_count; i++) {
		const struct metrics_plugin *p = &in->plugins[i];
		const struct exposition_label labels[] = { { "server", p->server },
							   { "zone", p->zone },
							   { "view", p->view },
							   { "name", p->name },
							   { NULL, NULL } };

		if (is_first_plugin(in, i))
			exposition_count(out, labels, 1);
	}
}

static void put_hosts(struct exposition *out, const struct metrics *in)
{
	double newest_s = 0;

	if (!in->hosts_count)
		return;
	exposition_family(out, "coredns_hosts_entries", EXPOSITION_GAUGE,
			  "Entries of hosts files and inline hosts.");
	for (unsigned i = 0; i < in->hosts_count; i++) {
		const struct exposition_label labels[] = {
			{ "hostsfile", in->hosts[i].file }, { NULL, NULL }
		};
		uint64_t entries = 0;
		bool first = true;

		for (unsigned j = 0; j < in->hosts_count; j++) {
			if (strcmp(in->hosts[j].file, in->hosts[i].file))
				continue;
			first &= j >= i;
			entries += in->hosts[j].entries;
		}
		if (first)
			exposition_count(out, labels, entries);
		if (in->hosts[i].reloaded_s > newest_s)
			newest_s = in->hosts[i].reloaded_s;
	}
	if (newest_s == 0)
		return;
	exposition_family(out, "coredns_hosts_reload_timestamp_seconds",
			  EXPOSITION_GAUGE, "Unix time of the newest reading.");
	exposition_value(out, NULL, newest_s);
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

void metrics_put_process(struct exposition *out, const struct metrics *in)
{
	put_versions(out, in);
	put_plugins(out, in);
	put_hosts(out, in);
	if (in->health)
		put_health(out, in->health);
}
