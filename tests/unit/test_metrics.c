/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_metrics.c - the text of /metrics: that it is well formed, that its families are
 * CoreDNS's, and that each number lands in the series it belongs to.
 */
#include "check.h"
#include "daemon/exposition.h"
#include "daemon/metrics.h"
#include "daemon/selfpoll.h"
#include "lane53/wire.h"
#include "prom_text.h"
#include "stats/stats.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what is given ---- */

static struct worker_stats dpdk, sockets;
static struct lane53_series series;
static uint64_t outcomes[LANE53_OUTCOME_COUNT];
static struct prom_text checked;

static void format_and_check(const struct metrics *metrics)
{
	char *text = NULL;
	size_t len = 0;

	prom_text_free(&checked);
	CU_ASSERT_EQUAL_FATAL(metrics_format(&text, &len, metrics), 0);
	CU_ASSERT_EQUAL(len, strlen(text));
	CU_ASSERT_EQUAL(text[len - 1], '\n');
	CU_ASSERT_EQUAL(prom_text_read(&checked, text), 0);
	free(text);
}

static void fill_worker(struct worker_stats *stats, unsigned label)
{
	struct stats_label *row = &stats->label[label];

	stats_add(&row->requests[0][0][lane53_type_class(TYPE_A)], 10);
	stats_add(&row->requests[1][1][0], 2);
	stats_add(&row->responses[LANE53_BY_HOSTS][RCODE_NOERROR], 8);
	stats_add(&row->responses[LANE53_BY_CACHE][RCODE_NOERROR], 3);
	stats_add(&row->responses[LANE53_BY_NONE][RCODE_SERVFAIL], 1);
	stats_add(&row->duration[2], 11);
	stats_add(&row->duration[STATS_DURATION_BUCKETS - 1], 1);
	stats_add(&row->duration_sum_ns, 10011000000);
	stats_add(&row->request_size[0][stats_size_bucket(40)], 10);
	stats_add(&row->request_size_sum[0], 400);
	stats_add(&row->request_size[1][stats_size_bucket(65535)], 2);
	stats_add(&row->request_size_sum[1], 131070);
	stats_add(&row->response_size[0][stats_size_bucket(1023)], 10);
	stats_add(&row->response_size_sum[0], 10230);
	stats_add(&row->do_requests, 3);
	stats_add(&row->cache_requests, 9);
	stats_add(&row->cache_hits_success, 4);
	stats_add(&row->cache_hits_denial, 1);
	stats_add(&row->cache_drops, 1);
	atomic_store(&row->cache_entries[0], 6);
	stats_add(&row->cache_evictions[1], 2);
}

static void fill_upstream(struct stats_upstream *row, const char *name)
{
	atomic_store(&row->id, 1);
	snprintf(row->name, sizeof(row->name), "%s", name);
	stats_add(&row->asked, 5);
	stats_add(&row->answered[RCODE_NXDOMAIN], 4);
	stats_add(&row->timeouts, 1);
	stats_add(&row->probe_failures, 2);
	stats_add(&row->asked_by[STATS_FORWARD][1], 2);
	stats_add(&row->asked_by[STATS_FANOUT][0], 3);
	stats_add(&row->duration[STATS_FORWARD][RCODE_NXDOMAIN][0], 1);
	stats_add(&row->duration_sum_ns[STATS_FORWARD][RCODE_NXDOMAIN], 500000);
	stats_add(&row->duration[STATS_FANOUT][RCODE_NXDOMAIN][0], 3);
}

#define LABELS "server=\"dns://:53\",zone=\"example.org.\",view=\"\""

static void everything(void)
{
	static const struct metrics_label labels[] = {
		{ 3, "dns://:53", "example.org.", "", "example.org.,b.", &series },
		{ 4, "dns://:53", "quoted\"\\\n.", "inner", NULL, NULL },
		{ 7, "dns://:53", "b.", "", "example.org.,b.", NULL },
	};
	const struct metrics_worker workers[] = { { "dpdk", &dpdk, true, 2 },
						  { "socket", &sockets, false, 1 } };
	static const struct metrics_table tables[] = {
		{ "local", 1024, 100, 64, 3, 8, 1, 17, 0 },
		{ "cache", 2048, 0, 64, 0, 8, 0, 0, 5 },
	};
	static const struct metrics_plugin plugins[] = {
		{ "dns://:53", "example.org.", "", "hosts" },
		{ "dns://:53", "example.org.", "", "cache" },
		{ "dns://:53", "example.org.", "", "hosts" },
	};
	static const struct metrics_hosts hosts[] = {
		{ "/etc/hosts", 7, 1700000000.5 },
		{ "", 2, 1700000001 },
		{ "/etc/hosts", 7, 1 },
	};
	static const struct selfpoll_counts health = { .buckets = { 3, 2, 0, 0, 0, 1 },
						       .sum_ns = 3500000000u,
						       .failures = 1 };
	const struct metrics metrics = {
		.version = "0.1.0",
		.started_s = 1700000000.25,
		.labels = labels,
		.label_count = ARRAY_LEN(labels),
		.workers = workers,
		.worker_count = ARRAY_LEN(workers),
		.tables = tables,
		.table_count = ARRAY_LEN(tables),
		.plugins = plugins,
		.plugin_count = ARRAY_LEN(plugins),
		.hosts = hosts,
		.hosts_count = ARRAY_LEN(hosts),
		.outcomes = outcomes,
		.interfaces = 2,
		.heartbeat_age_ns = 100000000,
		.reloads_failed = 1,
		.config_hash = "00ff",
		.store_commit = 42,
		.health = &health,
		.degraded = 1,
	};
	fill_worker(&dpdk, 3);
	fill_worker(&sockets, 3);
	fill_worker(&sockets, 7);
	fill_worker(&sockets, 0); /* queries that met no block */
	fill_upstream(&dpdk.upstream[0], "192.0.2.1:53");
	fill_upstream(&sockets.upstream[9], "192.0.2.1:53");
	fill_upstream(&sockets.upstream[2], "[2001:db8::1]:53");
	series = (struct lane53_series){ .do_count = 7,
					 .request_bytes = 4000,
					 .response_bytes = 60000,
					 .truncated = 5,
					 .request_bucket = { [1] = 130 },
					 .response_bucket = { [6] = 120, [7] = 10 } };
	series.requests[0][lane53_type_class(TYPE_A)] = 100;
	series.requests[1][lane53_type_class(TYPE_AAAA)] = 30;
	series.responses[LANE53_BY_HOSTS][LANE53_RESULT_NOERROR] = 90;
	series.responses[LANE53_BY_CACHE][LANE53_RESULT_NODATA] = 10;
	series.responses[LANE53_BY_CACHE][LANE53_RESULT_NXDOMAIN] = 30;
	outcomes[LANE53_ANSWERED_LOCAL] = 120;
	outcomes[LANE53_EVENT_LOST] = 3;
	stats_add(&dpdk.lane_rx, 77);
	stats_add(&dpdk.all_down, 9);
	stats_add(&sockets.max_concurrent, 1);
	format_and_check(&metrics);

	static const struct {
		const char *series;
		double want;
	} cases[] = {
		{ "coredns_dns_requests_total{" LABELS
		  ",proto=\"udp\",family=\"1\",type=\"A\"}",
		  120 },
		{ "coredns_dns_requests_total{" LABELS
		  ",proto=\"udp\",family=\"2\",type=\"AAAA\"}",
		  30 },
		{ "coredns_dns_requests_total{" LABELS
		  ",proto=\"tcp\",family=\"2\",type=\"other\"}",
		  4 },
		{ "coredns_dns_requests_total{" LABELS
		  ",proto=\"udp\",family=\"1\",type=\"AAAA\"}",
		  -1 },
		{ "coredns_dns_requests_total{server=\"\",zone=\"dropped\",view=\"\","
		  "proto=\"udp\",family=\"1\",type=\"A\"}",
		  10 },
		{ "coredns_dns_do_requests_total{" LABELS "}", 13 },
		{ "coredns_dns_responses_total{" LABELS
		  ",rcode=\"NOERROR\",plugin=\"hosts\"}",
		  106 },
		{ "coredns_dns_responses_total{" LABELS
		  ",rcode=\"NOERROR\",plugin=\"cache\"}",
		  16 },
		{ "coredns_dns_responses_total{" LABELS
		  ",rcode=\"NXDOMAIN\",plugin=\"cache\"}",
		  30 },
		{ "coredns_dns_responses_total{" LABELS
		  ",rcode=\"SERVFAIL\",plugin=\"\"}",
		  2 },
		{ "coredns_dns_request_duration_seconds_bucket{" LABELS
		  ",le=\"0.00025\"}",
		  130 },
		{ "coredns_dns_request_duration_seconds_bucket{" LABELS
		  ",le=\"0.001\"}",
		  152 },
		{ "coredns_dns_request_duration_seconds_bucket{" LABELS
		  ",le=\"8.192\"}",
		  152 },
		{ "coredns_dns_request_duration_seconds_bucket{" LABELS ",le=\"+Inf\"}",
		  154 },
		{ "coredns_dns_request_duration_seconds_sum{" LABELS "}", 20.022 },
		{ "coredns_dns_request_size_bytes_bucket{" LABELS
		  ",proto=\"udp\",le=\"0\"}",
		  0 },
		{ "coredns_dns_request_size_bytes_bucket{" LABELS
		  ",proto=\"udp\",le=\"100\"}",
		  150 },
		{ "coredns_dns_request_size_bytes_sum{" LABELS ",proto=\"udp\"}",
		  4800 },
		{ "coredns_dns_request_size_bytes_bucket{" LABELS
		  ",proto=\"tcp\",le=\"64000\"}",
		  0 },
		{ "coredns_dns_request_size_bytes_count{" LABELS ",proto=\"tcp\"}", 4 },
		{ "coredns_dns_response_size_bytes_bucket{" LABELS
		  ",proto=\"udp\",le=\"1023\"}",
		  140 },
		{ "coredns_dns_response_size_bytes_bucket{" LABELS
		  ",proto=\"udp\",le=\"2047\"}",
		  150 },
		{ "coredns_cache_requests_total{server=\"dns://:53\","
		  "zones=\"example.org.,b.\",view=\"\"}",
		  67 },
		{ "coredns_cache_entries{server=\"dns://:53\","
		  "zones=\"example.org.,b.\",view=\"\",type=\"success\"}",
		  18 },
		{ "coredns_cache_entries{server=\"dns://:53\","
		  "zones=\"example.org.,b.\",view=\"\",type=\"denial\"}",
		  0 },
		{ "coredns_cache_evictions_total{server=\"dns://:53\","
		  "zones=\"example.org.,b.\",view=\"\",type=\"denial\"}",
		  6 },
		{ "coredns_cache_drops_total{server=\"dns://:53\","
		  "zones=\"example.org.,b.\",view=\"\"}",
		  3 },
		{ "coredns_cache_hits_total{server=\"dns://"
		  ":53\",zones=\"example.org.,b.\","
		  "view=\"\",type=\"denial\"}",
		  43 },
		{ "coredns_cache_misses_total{server=\"dns://:53\","
		  "zones=\"example.org.,b.\",view=\"\"}",
		  12 },
		{ "coredns_proxy_request_duration_seconds_count{proxy_name=\"forward\","
		  "to=\"192.0.2.1:53\",rcode=\"NXDOMAIN\"}",
		  2 },
		{ "coredns_proxy_request_duration_seconds_sum{proxy_name=\"forward\","
		  "to=\"192.0.2.1:53\",rcode=\"NXDOMAIN\"}",
		  0.001 },
		{ "coredns_proxy_conn_cache_misses_total{proxy_name=\"forward\","
		  "to=\"192.0.2.1:53\",proto=\"tcp\"}",
		  4 },
		{ "coredns_proxy_healthcheck_failures_total{proxy_name=\"forward\","
		  "to=\"192.0.2.1:53\"}",
		  4 },
		{ "coredns_forward_healthcheck_broken_total", 9 },
		{ "coredns_forward_max_concurrent_rejects_total", 1 },
		{ "coredns_fanout_request_count_total{to=\"192.0.2.1:53\"}", 6 },
		{ "coredns_fanout_response_rcode_count_total{rcode=\"NXDOMAIN\","
		  "to=\"192.0.2.1:53\"}",
		  6 },
		{ "coredns_fanout_request_duration_seconds_count{"
		  "to=\"192.0.2.1:53\"}",
		  6 },
		{ "lane53_upstream_requests_total{to=\"192.0.2.1:53\"}", 10 },
		{ "lane53_upstream_timeouts_total{to=\"[2001:db8::1]:53\"}", 1 },
		{ "lane53_upstream_responses_total{to=\"192.0.2.1:53\","
		  "rcode=\"NXDOMAIN\"}",
		  8 },
		{ "coredns_plugin_enabled{server=\"dns://:53\",zone=\"example.org.\","
		  "view=\"\",name=\"hosts\"}",
		  1 },
		{ "coredns_hosts_entries{hostsfile=\"/etc/hosts\"}", 14 },
		{ "coredns_hosts_entries{hostsfile=\"\"}", 2 },
		{ "coredns_hosts_reload_timestamp_seconds", 1700000001 },
		{ "coredns_reload_failed_total", 1 },
		{ "coredns_panics_total", 3 },
		{ "process_start_time_seconds", 1700000000.25 },
		{ "lane53_xdp_answers_total{" LABELS "}", 130 },
		{ "lane53_xdp_truncated_total{" LABELS "}", 5 },
		{ "lane53_outcomes_total{outcome=\"ANSWERED_LOCAL\"}", 120 },
		{ "lane53_outcomes_total{outcome=\"TO_LANE\"}", 0 },
		{ "lane53_events_lost_total", 3 },
		{ "lane53_table_slots{table=\"local\",state=\"used\"}", 100 },
		{ "lane53_table_slots{table=\"local\",state=\"free\"}", 924 },
		{ "lane53_table_blobs{table=\"local\",state=\"used\",size=\"small\"}",
		  3 },
		{ "lane53_table_full_total{table=\"cache\"}", 5 },
		{ "lane53_worker_up{io=\"dpdk\"}", 1 },
		{ "lane53_worker_up{io=\"socket\"}", 0 },
		{ "lane53_worker_restarts_total{io=\"dpdk\"}", 2 },
		{ "lane53_worker_lane_received_total{io=\"dpdk\"}", 77 },
		{ "lane53_heartbeat_age_seconds", 0.1 },
		{ "lane53_interfaces", 2 },
		{ "lane53_store_commit", 42 },
		{ "coredns_health_request_duration_seconds_bucket{le=\"0.0025\"}", 5 },
		{ "coredns_health_request_duration_seconds_count", 6 },
		{ "coredns_health_request_duration_seconds_sum", 3.5 },
		{ "coredns_health_request_failures_total", 1 },
		{ "lane53_degraded", 1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		double got = prom_text_value(&checked, cases[i].series);

		if (got != cases[i].want)
			printf("\n    %s: %.15g, not %.15g", cases[i].series, got,
			       cases[i].want);
		CU_ASSERT_EQUAL(got, cases[i].want);
	}
}

/* A daemon that has just begun: no worker, no XDP, no label. */
static void nothing_yet(void)
{
	const struct metrics metrics = { .version = "0.1.0",
					 .heartbeat_age_ns = UINT64_MAX };

	format_and_check(&metrics);
	CU_ASSERT_EQUAL(prom_text_value(&checked, "lane53_heartbeat_age_seconds"), -1);
	CU_ASSERT_EQUAL(prom_text_value(&checked, "coredns_panics_total"), 0);
}

/* As many labels as there can be: the buffer grows. */
static void all_labels(void)
{
	static struct metrics_label labels[LANE53_LABEL_MAX];
	static char zones[LANE53_LABEL_MAX][1000];
	static struct worker_stats stats;
	const struct metrics_worker worker = { "socket", &stats, true, 0 };
	const struct metrics metrics = { .version = "0.1.0",
					 .labels = labels,
					 .label_count = LANE53_LABEL_MAX,
					 .workers = &worker,
					 .worker_count = 1,
					 .heartbeat_age_ns = UINT64_MAX };
	char *text = NULL;
	size_t len = 0;

	for (unsigned i = 0; i < LANE53_LABEL_MAX; i++) {
		memset(zones[i], 'z', sizeof(zones[i]) - 1);
		zones[i][0] = (char)('A' + i);
		labels[i] = (struct metrics_label){ (uint16_t)i, "dns://:53", zones[i],
						    "",          NULL,        NULL };
		fill_worker(&stats, i);
	}
	CU_ASSERT_EQUAL_FATAL(metrics_format(&text, &len, &metrics), 0);
	CU_ASSERT_TRUE(len > 1000000);
	CU_ASSERT_PTR_NULL(strstr(text, "zone=\"dropped\""));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "zone=\"other\"")); /* zones of number 0 */
	free(text);
}

/* Two numbers for one server, zone and view: one series, or Prometheus refuses all. */
static void equal_labels_add_up(void)
{
	static const struct metrics_label labels[] = {
		{ 5, "dns://:53", "twice.", "", NULL, NULL },
		{ 6, "dns://:53", "twice.", "", NULL, NULL },
	};
	static struct worker_stats stats;
	const struct metrics_worker worker = { "socket", &stats, true, 0 };
	const struct metrics metrics = { .version = "0.1.0",
					 .labels = labels,
					 .label_count = ARRAY_LEN(labels),
					 .workers = &worker,
					 .worker_count = 1,
					 .heartbeat_age_ns = UINT64_MAX };

	fill_worker(&stats, 5);
	fill_worker(&stats, 6);
	format_and_check(&metrics);
	CU_ASSERT_EQUAL(
		prom_text_value(&checked,
				"coredns_dns_do_requests_total{server=\"dns://:53\","
				"zone=\"twice.\",view=\"\"}"),
		6);
}

/*
 * Every family of CoreDNS 1.14.7 that the directives of docs/configuration.md have, and
 * of NSM's fanout; scripts/compare-metrics.py compares with the real one.  Labels by
 * name.
 */
static const struct {
	const char *family, *type, *labels;
} coredns[] = {
	{ "coredns_build_info", "gauge", "goversion,revision,version" },
	{ "coredns_cache_drops_total", "counter", "server,view,zones" },
	{ "coredns_cache_entries", "gauge", "server,type,view,zones" },
	{ "coredns_cache_evictions_total", "counter", "server,type,view,zones" },
	{ "coredns_cache_hits_total", "counter", "server,type,view,zones" },
	{ "coredns_cache_misses_total", "counter", "server,view,zones" },
	{ "coredns_cache_requests_total", "counter", "server,view,zones" },
	{ "coredns_dns_do_requests_total", "counter", "server,view,zone" },
	{ "coredns_dns_request_duration_seconds", "histogram", "server,view,zone" },
	{ "coredns_dns_request_size_bytes", "histogram", "proto,server,view,zone" },
	{ "coredns_dns_requests_total", "counter",
	  "family,proto,server,type,view,zone" },
	{ "coredns_dns_response_size_bytes", "histogram", "proto,server,view,zone" },
	{ "coredns_dns_responses_total", "counter", "plugin,rcode,server,view,zone" },
	{ "coredns_fanout_request_count_total", "counter", "to" },
	{ "coredns_fanout_request_duration_seconds", "histogram", "to" },
	{ "coredns_fanout_response_rcode_count_total", "counter", "rcode,to" },
	{ "coredns_forward_healthcheck_broken_total", "counter", "" },
	{ "coredns_forward_max_concurrent_rejects_total", "counter", "" },
	{ "coredns_health_request_duration_seconds", "histogram", "" },
	{ "coredns_health_request_failures_total", "counter", "" },
	{ "coredns_hosts_entries", "gauge", "hostsfile" },
	{ "coredns_hosts_reload_timestamp_seconds", "gauge", "" },
	{ "coredns_panics_total", "counter", "" },
	{ "coredns_plugin_enabled", "gauge", "name,server,view,zone" },
	{ "coredns_proxy_conn_cache_hits_total", "counter", NULL }, /* never a hit */
	{ "coredns_proxy_conn_cache_misses_total", "counter", "proto,proxy_name,to" },
	{ "coredns_proxy_healthcheck_failures_total", "counter", "proxy_name,to" },
	{ "coredns_proxy_request_duration_seconds", "histogram",
	  "proxy_name,rcode,to" },
	{ "coredns_reload_failed_total", "counter", "" },
	{ "coredns_reload_version_info", "gauge", "hash,value" },
};

static int label_order(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "b,a" to "a,b". */
static void sort_labels(char *labels, char *out, size_t room)
{
	char *names[EXPOSITION_LABELS_MAX];
	unsigned count = 0;
	size_t used = 0;

	for (char *at = strtok(labels, ","); at; at = strtok(NULL, ","))
		names[count++] = at;
	qsort(names, count, sizeof(names[0]), label_order);
	out[0] = '\0';
	for (unsigned i = 0; i < count; i++)
		used += (size_t)snprintf(out + used, room - used, "%s%s", i ? "," : "",
					 names[i]);
}

/* Is @line a sample of @family, which is no other's beginning? */
static bool is_sample_of(const char *line, const char *family, const char *type)
{
	const char *rest = line + strlen(family);

	if (strncmp(line, family, strlen(family)) != 0)
		return false;
	if (!strcmp(type, "histogram"))
		return !strncmp(rest, "_bucket{", 8) || !strncmp(rest, "_sum", 4) ||
		       !strncmp(rest, "_count", 6);
	return *rest == '{' || *rest == ' ';
}

static void family_is_corednss(const char *family, const char *type, const char *want)
{
	char got[16] = "", labels[256], sorted[256];
	unsigned samples = 0;

	CU_ASSERT_TRUE(prom_text_type(&checked, family, got));
	if (strcmp(got, type) != 0)
		printf("\n    %s: %s, not %s", family, got, type);
	CU_ASSERT_STRING_EQUAL(got, type);
	for (unsigned i = 0; i < checked.count; i++) {
		if (!is_sample_of(checked.lines[i], family, type))
			continue;
		prom_text_labels(checked.lines[i], labels, sizeof(labels));
		sort_labels(labels, sorted, sizeof(sorted));
		if (!want || strcmp(sorted, want) != 0)
			printf("\n    %s: labels %s", family, sorted);
		CU_ASSERT_TRUE(want && !strcmp(sorted, want));
		samples++;
	}
	if (!samples && want)
		printf("\n    %s: no sample", family);
	CU_ASSERT_EQUAL(samples != 0, want != NULL);
}

/* After everything(): what it gave is there. */
static void families_are_corednss(void)
{
	for (size_t i = 0; i < ARRAY_LEN(coredns); i++)
		family_is_corednss(coredns[i].family, coredns[i].type,
				   coredns[i].labels);
	for (unsigned i = 0; i < checked.seen_count; i++) {
		bool known = strncmp(checked.seen[i], "coredns_", 8) != 0;

		for (size_t k = 0; k < ARRAY_LEN(coredns); k++)
			known |= !strcmp(checked.seen[i], coredns[k].family);
		if (!known)
			printf("\n    %s is none of CoreDNS's", checked.seen[i]);
		CU_ASSERT_TRUE(known);
	}
}

static char *read_docs(void)
{
	FILE *file = fopen(CHECK_SOURCE_ROOT "/docs/metrics.md", "r");
	char *text = NULL;
	size_t room = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	CU_ASSERT_TRUE_FATAL(getdelim(&text, &room, '\0', file) > 0);
	fclose(file);
	return text;
}

/* Each family has its row in docs/metrics.md, of its type. */
static void families_are_documented(void)
{
	char *docs = read_docs(), row[256], type[16];

	for (unsigned i = 0; i < checked.seen_count; i++) {
		CU_ASSERT_TRUE(prom_text_type(&checked, checked.seen[i], type));
		snprintf(row, sizeof(row), "\n| `%s` | %s | ", checked.seen[i], type);
		if (!strstr(docs, row))
			printf("\n    docs/metrics.md has no row%s", row);
		CU_ASSERT_PTR_NOT_NULL(strstr(docs, row));
	}
	free(docs);
}

/* The reader itself finds what is wrong. */
static void the_reader_reads(void)
{
#define FAMILY "# HELP a_total x\n# TYPE a_total counter\n"
	static const struct {
		const char *text;
		unsigned wrong;
	} cases_of_text[] = {
		{ FAMILY "a_total{b=\"c\"} 1\na_total{b=\"\\\"\",c=\"d\"} 2\n", 0 },
		{ FAMILY "b_total 1\n", 1 },
		{ FAMILY "a_total one\n", 1 },
		{ FAMILY "a_total{a=\"x} 1\n", 1 },
		{ FAMILY "a_total{a=x} 1\n", 1 },
		{ FAMILY "a_total{a=\"\\x\"} 1\n", 1 },
		{ FAMILY "a_total 1\na_total 2\n", 1 },
		{ FAMILY FAMILY, 1 },
		{ "# HELP b x\n# TYPE b counter\n", 1 },
		{ "# HELP b x\nb 1\n", 2 },
		{ "# HELP h x\n# TYPE h histogram\nh_bucket{le=\"1\"} 2\n"
		  "h_bucket{le=\"+Inf\"} 1\n",
		  1 },
	};
#undef FAMILY
	static struct prom_text c;

	for (size_t i = 0; i < ARRAY_LEN(cases_of_text); i++) {
		CU_ASSERT_EQUAL(prom_text_read(&c, cases_of_text[i].text),
				cases_of_text[i].wrong);
		prom_text_free(&c);
	}
}

static const struct check_case cases[] = {
	{ "the reader reads", the_reader_reads },
	{ "everything", everything },
	{ "families are CoreDNS's", families_are_corednss },
	{ "families are documented", families_are_documented },
	{ "nothing yet", nothing_yet },
	{ "all labels", all_labels },
	{ "equal labels add up", equal_labels_add_up },
};

CHECK_MAIN("metrics", cases)
